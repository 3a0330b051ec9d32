/* Covariance matching with a diagonal of its own: gains of cells apart from connections between them. Centred X, Z0 =
 * I.
 *
 * An answer is Z = I + diag(d) + U D U^T with N numbers d and an r x r core D. */
#ifndef LINNET_MATCH_DIAGONAL_H
#define LINNET_MATCH_DIAGONAL_H

#include "linnet/match.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Linear model: strictly convex, exact ---- */

/* Z = I + diag(d) + W with the penalties lam_w/2 |W|^2 + lam_d/2 |d|^2, both > 0: with y_i the rows of U diag(sv) and f
 * of lam_w, (4 H + lam_d I) d = 2 b, H_ij = sum f_ab y_ia y_ja y_ib y_jb, b_i = y_i^T (f o E0) y_i; D = (2/lam_w) ss o
 * f o (E0 - 2 sum_i d_i y_i y_i^T). lam_w = INFINITY: the diagonal alone, D = 0, H_ij = (x_i . x_j)^2. The split
 * between d and the diagonal of W is by the penalties alone, d_i : W_ii = lam_w : lam_d; their sum matters, and Z is
 * that of the weighted form with delta = lam_d lam_w/(lam_d + lam_w). N^2 r^2 + N^3/3 operations and N^2 numbers up to
 * 2,000 cells; beyond, conjugate gradients of 4 N r^2 each. */
LNT_API lnt_status lnt_match_overlap(lnt_ctx *ctx, double *d, lnt_mat D, const lnt_match *m, double lam_w,
                                     double lam_d);
/* Z = I + W with lambda/2 on the square of W off its diagonal and delta/2 on it, both > 0; delta = INFINITY: lateral
 * connections only, W_ii = 0. W = diag(d) + U D U^T: with L0 the core at lambda alone, gam = 4 ss^2/(lambda (lambda + 4
 * ss^2)), K = I/lambda - [sum gam_ab u_ia u_ja u_ib u_jb], k = (delta - lambda) (I + (delta - lambda) K)^-1 diag(U L0
 * U^T) or K^-1 diag(..): d = -k/lambda, D = L0 + gam o (U^T diag(k) U). Cost as above. */
LNT_API lnt_status lnt_match_weighted(lnt_ctx *ctx, double *d, lnt_mat D, const lnt_match *m, double lambda,
                                      double delta);

/* W (N x N) <- diag(d) + U D U^T. d may be NULL. */
LNT_API lnt_status lnt_match_diagonal_weights(lnt_ctx *ctx, lnt_mat W, const lnt_match *m, const double *d, lnt_mat D);
/* ZX (N x n) <- (I + diag(d) + U D U^T) X. */
LNT_API lnt_status lnt_match_diagonal_apply(lnt_ctx *ctx, lnt_mat ZX, const lnt_match *m, const double *d, lnt_mat D,
                                            lnt_mat X);

/* ---- Full model: no longer convex; several starts, the best is kept ---- */

typedef struct lnt_match_search {
    int starts;       /* 3: from no change, from the linear fit, then from random ones */
    int max_steps;    /* of L-BFGS a start; 500 */
    double tolerance; /* of the gradient, relative to the one at the start; 1e-8 */
    uint64_t seed;
} lnt_match_search;

LNT_API void lnt_match_search_defaults(lnt_match_search *opts);

typedef struct lnt_match_search_info {
    double loss;    /* of the best start: 1/2 |S - C|^2 + penalties */
    double misfit;  /* 1/2 |S - C|^2 */
    double worst;   /* loss of the worst start: how much the start matters */
    int steps;      /* of all starts together */
    bool converged; /* the best one */
} lnt_match_search_info;

/* Z = diag(z) + W with lam_w/2 |W|^2 + lam_d/2 |z - 1|^2, by variable projection (Golub and Pereyra 1973): for fixed z
 * the best W is that of the full problem with Z0 = diag(z), a global minimum; what is left is a function of z with the
 * gradient -lam_w W_ii + lam_d (z_i - 1), for L-BFGS. z: N numbers. W = J diag(z) U D U^T. */
LNT_API lnt_status lnt_match_gains(lnt_ctx *ctx, double *z, lnt_mat D, lnt_match_search_info *info, const lnt_match *m,
                                   double lam_w, double lam_d, const lnt_match_search *opts);
/* Z = diag(z) alone, with lambda/2 |z - 1|^2: L-BFGS and exact minimisation along single coordinates, where the loss is
 * a quartic, in turn. A minimum along every coordinate. */
LNT_API lnt_status lnt_match_gains_only(lnt_ctx *ctx, double *z, lnt_match_search_info *info, const lnt_match *m,
                                        double lambda, const lnt_match_search *opts);
/* Z = I + W (N x N), lambda off the diagonal, delta on it; delta = INFINITY: lateral only. L-BFGS over all N^2 weights:
 * no certificate, and slow beyond some hundred cells. W receives the answer. */
LNT_API lnt_status lnt_match_lateral(lnt_ctx *ctx, lnt_mat W, lnt_match_search_info *info, const lnt_match *m,
                                     double lambda, double delta, const lnt_match_search *opts);

#ifdef __cplusplus
}
#endif
#endif
