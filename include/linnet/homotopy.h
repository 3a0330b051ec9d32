/* The lasso's whole path, exactly, by homotopy. */
#ifndef LINNET_HOMOTOPY_H
#define LINNET_HOMOTOPY_H

#include "linnet/mat.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_homotopy_opts {
    double lambda_min; /* where the path ends; 0: at an interpolation or at least squares */
    double ratio;      /* or, where it is larger, this share of the first lambda */
    long max_steps;    /* knots at most; 0: 20 min(n, D) + 100 */
} lnt_homotopy_opts;

/* lambda_min, ratio and max_steps 0. */
LNT_API void lnt_homotopy_defaults(lnt_homotopy_opts *opts);

/* The solution at one lambda: its coefficients that are not 0, and which they are, in no order. A feature that enters
 * or leaves at this knot may be listed with 0. */
typedef struct lnt_knot {
    double lambda;
    int active;
    const int *feature;
    const double *w;
} lnt_knot;

typedef struct lnt_homotopy {
    int features, knots;  /* knot[0].lambda is the least with w = 0; lambda falls to that of the last knot */
    const lnt_knot *knot; /* in scratch memory of the context */
    long drops;           /* how often a coefficient returned to 0 */
    double violation; /* of the optimality conditions below, the largest at any knot, in units of the first lambda */
    bool complete;    /* the last knot is where the path was to end */
} lnt_homotopy;

/* *path <- w(lambda) = argmin 1/(2n) |y - X^T w|^2 + lambda |w|_1 for all lambda down to lambda_min, which is
 * piecewise linear: the knots between its straight pieces (Osborne et al. 2000; Efron et al. 2004, with the lasso
 * modification). X (D x n) holds a row per feature, y has n entries. At every lambda, with g = X (y - X^T w)/n: g_j =
 * lambda sign(w_j) where w_j is not 0, |g_j| <= lambda elsewhere.
 *
 * Between knots the coefficients of the active features A move along (X_A X_A^T)^{-1} sign(w_A), by a Cholesky factor
 * that is updated as features enter and leave. Features that reach the bound together are sorted out by least-index
 * pivoting; columns that depend on active ones (duplicates, constants, more than n) stay out while they do, which is
 * one of the then many solutions. At every knot w is corrected by iterative refinement from X and y.
 *
 * Cost of a knot: a handful of products with X, 10 n D operations, and O(D k + k^2) with k active features; typically 1
 * to 2 min(n, D) knots down to 0. For few lambdas, coordinate descent is cheaper. Memory: D min(n, D) doubles, D^2 more
 * for a path to 0 with D <= 4n, and the knots. Accuracy: about 1e-15 times the condition number of X_A, as `violation`
 * says. LNT_OK also where it stopped before its end (`complete`): out of steps, cancelled, or by degeneracy that the
 * pivoting did not resolve. LNT_EDOMAIN for entries that are not finite, LNT_EINVAL for options out of range. */
LNT_API lnt_status lnt_lasso_homotopy(lnt_ctx *ctx, lnt_homotopy *path, lnt_mat X, const double *y,
                                      const lnt_homotopy_opts *opts);
/* w (D) <- w(lambda): linear between knots, 0 above the first, the last knot's below it. */
LNT_API void lnt_homotopy_at(double *w, const lnt_homotopy *path, double lambda);

#ifdef __cplusplus
}
#endif
#endif
