/* Closed forms, each with its source and a function that measures its assumptions. No files, no randomness.
 *
 * Symbols: E(W) = 1/2 [tr Syy - 2 <Syx, W> + <W Sxx, W>], the loss of the linear map W on a task with the moments
 * Sxx, Syx, tr Syy. */
#ifndef LINNET_THEORY_H
#define LINNET_THEORY_H

#include "linnet/net.h"

#ifdef __cplusplus
extern "C" {
#endif

/* E(W). Loses digits to cancellation where E is far below tr Syy: absolute error about 1e-15 tr Syy. */
LNT_API lnt_status lnt_linear_loss(lnt_ctx *ctx, double *loss, lnt_mat W, const lnt_moments *m);

/* W <- the linear map of rank at most `rank` with the least E, and of least norm among those (reduced-rank
 * regression, Izenman 1975; Eckart and Young 1936 for white inputs): W = U_r U_r^T Syx Sxx^+ with the leading left
 * singular vectors U_r of Syx Sxx^{+1/2}. rank <= 0 or >= min(outputs, inputs): plain least squares. Once the
 * inputs are scaled to unit second moment, directions below inputs * 2e-16 of the largest eigenvalue count as null:
 * through second moments nothing smaller can be told from rounding. *used receives the rank of the answer (may be
 * NULL). This is the global minimum for linear networks of any depth whose narrowest layer has `rank` units (Baldi and
 * Hornik 1989). Cost about 9 inputs^3. */
LNT_API lnt_status lnt_least_squares(lnt_ctx *ctx, lnt_mat W, int *used, const lnt_moments *m, int rank);

/* max |Sxx - I|: how far the inputs are from white. */
LNT_API double lnt_whiteness(lnt_mat Sxx);
/* max_l |W_{l+1}^T W_{l+1} - W_l W_l^T|_F: how far a network is from zero-balanced. 0 for one layer. */
LNT_API lnt_status lnt_imbalance(lnt_ctx *ctx, double *imbalance, const lnt_net *net, const double *w);

#ifdef __cplusplus
}
#endif
#endif
