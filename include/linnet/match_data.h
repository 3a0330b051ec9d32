/* Data of covariance matching: preparation, covariances, scores, and a generator. Rows are cells, columns stimuli. */
#ifndef LINNET_MATCH_DATA_H
#define LINNET_MATCH_DATA_H

#include "linnet/mat.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The lambda of the sum form, lam0 M^2/N^2, and back. 148 cells x 48 stimuli: lam0 = 1e6 is lambda = 1.05e5. */
LNT_API double lnt_match_lambda(double lam0, int N, int M);
LNT_API double lnt_match_lam0(double lambda, int N, int M);

typedef enum lnt_match_prep {
    LNT_MATCH_ZSCORE, /* inputs: each column to mean 0, sd 1 over cells (divided by N); outputs: by their overall sd */
    LNT_MATCH_CENTRE, /* the mean over cells of each column is subtracted */
    LNT_MATCH_NONE
} lnt_match_prep;

/* In place: X prepared, then divided by sqrt N if by_count. Without it covariances are sums over cells, and a larger
 * population has a larger one. With S and G both c times as large, lambda c^2 gives the same W.
 * LNT_EDOMAIN: not finite, or a column with sd 0 to rounding (z-score only), which has no z-score; named, counted from 1. */
LNT_API lnt_status lnt_match_prepare_inputs(lnt_ctx *ctx, lnt_mat X, lnt_match_prep prep, bool by_count);
/* The same for outputs. *sd, may be NULL: what Y was divided by, 1 unless z-scored. */
LNT_API lnt_status lnt_match_prepare_outputs(lnt_ctx *ctx, lnt_mat Y, double *sd, lnt_match_prep prep, bool by_count);

/* S (M1 x M2) <- Y1^T J Y2. Of one trial with itself exactly symmetric. LNT_ESHAPE. */
LNT_API lnt_status lnt_match_target(lnt_ctx *ctx, lnt_mat S, lnt_mat Y1, lnt_mat Y2);

/* ---- Scores of a prediction C of S, of equal shape ---- */

/* R^2 = 1 - SS_res/SS_tot about the mean of S. triangle: of the entries on and above the diagonal alone, for one trial
 * with itself; else all, for one trial against another, which are not to be symmetrised. NaN where S is constant. */
LNT_API double lnt_match_r2(lnt_mat S, lnt_mat C, bool triangle);
/* |S - C|^2/|S - C0|^2 for the prediction C0 at Z = I: below 1 is better than no change. */
LNT_API double lnt_match_ratio(lnt_mat S, lnt_mat C, lnt_mat C0);

/* ---- The built-in populations ---- */

#define LNT_MATCH_TRIALS 3

/* Stimulus factors with independent entries, exponential(1), factor k = 0 .. scaled by exp(-k/decay). A cell responds
 * with loadings, gamma(.6, 1), times factors + private gamma(shape, scale) per stimulus + .4 exponential(1). Outputs
 * are other cells with the same factors, minus each stimulus's mean over cells, times a gain of the cell, normal(.4, sd
 * .9), plus a matrix of normal numbers of sd `mixing` times these responses. Each trial adds normal noise of `noise`
 * times the sd of the array; then X is z-scored by column and Y divided by its sd. */
typedef struct lnt_match_generator {
    int cells, cells_out, stimuli, factors; /* 148, 167, 48, 14 */
    double decay;                           /* 4 */
    double own, shape, scale;               /* private part own * gamma(shape, scale): .25, .5, 1; sparse .3, .05, 20 */
    double own_out;                         /* times that in output cells: 1; sparse 2 */
    double gain, gain_sd, mixing, offset;   /* .4, .9, .0045, .4 */
    double noise;                           /* .35; sparse .5 */
    int trials;                             /* 3, at most LNT_MATCH_TRIALS */
} lnt_match_generator;

/* sparse: outputs that decorrelate, mean |correlation| from .28 to .17, where else it is about .5 in both. */
LNT_API void lnt_match_generator_defaults(lnt_match_generator *opts, bool sparse);

typedef struct lnt_match_data {
    int trials;
    lnt_mat X[LNT_MATCH_TRIALS], Y[LNT_MATCH_TRIALS]; /* prepared */
    lnt_mat X0, Y0;                                   /* without noise, as drawn */
} lnt_match_data;

/* Stream (seed, run 0, LNT_FOR_TASK). LNT_EINVAL: options out of range. */
LNT_API lnt_status lnt_match_generate(lnt_ctx *ctx, lnt_match_data *data, const lnt_match_generator *opts,
                                      uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
