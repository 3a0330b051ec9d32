/* Models as callbacks: n outputs f(w) of k weights, with the derivatives that the caller has.
 *
 * Symbols: w (k) weights; f(w) (n) outputs; B (n x k) Jacobian, B_ij = df_i/dw_j; fvv = d^2 f(w + t v)/dt^2 at t = 0,
 * the second derivative along v. Solvers see this struct, never a network; lnt_layers_model() (derivatives.h) makes one
 * of a layered network and its inputs. */
#ifndef LINNET_MODEL_H
#define LINNET_MODEL_H

#include "linnet/mat.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every callback returns 0; a positive number where the model has no value at w, or not within reach, upon which
 * solvers reject the step that led there; or a negative number, which stops all work with LNT_EUSER. A value that is
 * not finite counts as a positive return. Callbacks must be thread-safe: starts of a fit call them from several threads
 * at once, with the same `user`. They must write all of their output, must not keep pointers to what they are given,
 * and should return the same bits for the same arguments. Outputs never overlap inputs. */
typedef struct lnt_model {
    size_t n, k; /* outputs and weights, 1 .. 2^31 - 1 */
    void *user;  /* handed to every callback */
    /* out (n) <- f(w). Required. */
    int (*f)(const double *w, double *out, void *user);
    /* Rows first .. last-1 of the Jacobian, 0 <= first < last <= n, by rows: B[(i - first) ld + j] <- df_i/dw_j with ld
     * >= k. As a view (mat.h) that is the k x (last - first) matrix B^T. NULL: from jvp where there is one, else by
     * central differences of f. */
    int (*jacobian)(const double *w, size_t first, size_t last, double *B, size_t ld, void *user);
    /* out (n) <- B v. NULL: from the rows of the Jacobian. */
    int (*jvp)(const double *w, const double *v, double *out, void *user);
    /* out (k) <- B^T u. NULL: from the rows of the Jacobian. */
    int (*vjp)(const double *w, const double *u, double *out, void *user);
    /* out (n) <- fvv. NULL: by differences of f. */
    int (*fvv)(const double *w, const double *v, double *out, void *user);
    bool alike; /* all weights are in the same unit and of order one, as those of networks are */
} lnt_model;

/* The routines below call the callback or what stands in for it, and sort its answers out: LNT_OK with *rejected =
 * false and finite numbers; LNT_OK with *rejected = true, where a callback returned a positive number or something not
 * finite and the output means nothing; LNT_EUSER where one returned a negative number; LNT_ENOMEM. Scratch memory comes
 * from the context and goes back. All are safe to call from several threads, on contexts of their own. */

/* out (n) <- f(w). */
LNT_API lnt_status lnt_model_outputs(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model,
                                     const double *w);
/* Rows first .. last-1 of the Jacobian, by rows as in the callback. Without one: k calls of jvp, or 2k calls of f for
 * central differences, df/dw_j = (f(w + h e_j) - f(w - h e_j))/2h with h = eps^{1/3} max(|w_j|, 1), to about 1e-10 of
 * the third derivatives and of f/h: smooth models in weights of order one only. Either costs as much for one row as for
 * all, so ask for all at once. */
LNT_API lnt_status lnt_model_rows(lnt_ctx *ctx, double *B, size_t ld, bool *rejected, const lnt_model *model,
                                  const double *w, size_t first, size_t last);
/* out (n) <- B v. Without callback: central differences along v where there is no Jacobian either, else its rows in
 * chunks of LNT_MODEL_CHUNK, 2 n k operations beside them. */
LNT_API lnt_status lnt_model_jvp(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w,
                                 const double *v);
/* out (k) <- B^T u. Without callback from rows of the Jacobian in chunks, all rows at once where these are differences.
 */
LNT_API lnt_status lnt_model_vjp(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w,
                                 const double *u);
/* out (n) <- fvv, given f = f(w) (n) and Bv = B v (n), which a callback does not need: they may be NULL then. Without
 * one 2/h ((f(w + h v) - f)/h - Bv), h = 0.02 (Transtrum and Sethna 2012): of first order in h, off by tens of percent
 * where v is a large step, useless where f has kinks. Good enough to bend a step, not to certify an optimum. */
LNT_API lnt_status lnt_model_fvv(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w,
                                 const double *v, const double *f, const double *Bv);

/* How many rows of a Jacobian are asked for at a time where not all are needed together. */
#define LNT_MODEL_CHUNK 512

#ifdef __cplusplus
}
#endif
#endif
