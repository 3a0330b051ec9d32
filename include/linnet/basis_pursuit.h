/* Basis pursuit: the vector of least 1-norm that meets linear equations, with a certificate. */
#ifndef LINNET_BASIS_PURSUIT_H
#define LINNET_BASIS_PURSUIT_H

#include "linnet/mat.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_pursuit_opts {
    double tolerance; /* of the relative gap and of the equations: what counts as converged */
    long max_steps;   /* knots of the path; 0: 20 min(n, D) + 100 */
} lnt_pursuit_opts;

/* tolerance 1e-9, max_steps 0. */
LNT_API void lnt_pursuit_defaults(lnt_pursuit_opts *opts);

typedef struct lnt_pursuit_info {
    double norm;    /* |w|_1 */
    double bound;   /* certificate: no v with X^T v = y has |v|_1 < bound, = y.u with |X u|_inf <= 1 */
    double gap;     /* |norm - bound| */
    double error;   /* |X^T w - y|/|y| */
    double margin;  /* 1 - max |x_j.u| over w_j = 0: where it is above 0 (and the gap is 0), w is the only solution, if
                       its features are independent */
    int nonzero;    /* entries of w that are not 0: above 1e-12 of the largest */
    long steps;     /* knots of the lasso's path */
    bool converged; /* gap <= tolerance norm and error <= tolerance */
} lnt_pursuit_info;

/* w (D) <- argmin |w|_1 subject to X^T w = y (Chen et al. 1998). X (D x n) holds a row per feature, so that an equation
 * is a column; y has n entries. u (n, or NULL) <- the dual vector of the certificate.
 *
 * Follows the lasso's path as lnt_lasso_homotopy() does, but without its knots, down to lambda = 0, where it ends at a
 * solution; then w and u are computed from X and y alone on the support and signs found, and certified. That is exact
 * in the number of knots, about as many as w has entries where these are few, about min(n, D) to twice that where not.
 * What converged is false does not solve the problem to the tolerance: the equations contradict each other (error), the
 * steps were used up, or it was cancelled.
 *
 * Cost of a knot: O(D k + k^2) operations with k active features, after a product of n D^2 operations for the Gram
 * matrix where D <= 4n or so, 2 n D more each where not. Memory: D^2 + D min(n, D) doubles. Accuracy: error and gap
 * come out at about 1e-15 times the condition number of the active features. y = 0 gives w = 0, u = 0. LNT_EDOMAIN for
 * entries that are not finite, LNT_EINVAL for options out of range. */
LNT_API lnt_status lnt_basis_pursuit(lnt_ctx *ctx, double *w, double *u, lnt_pursuit_info *info, lnt_mat X,
                                     const double *y, const lnt_pursuit_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
