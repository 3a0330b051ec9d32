/* Ridge, lasso and elastic-net regression: whole paths of penalties, each point with a certificate; cross-validation.
 *
 * n samples with D features x_i, a target y_i and a weight v_i >= 0 each, the weights scaled to mean 1. The fit is
 * a + x.w for the minimum of
 *
 *   P(a, w) = 1/(2n) sum_i v_i (y_i - a - x_i.w)^2 + lambda sum_j (alpha |u_j| + (1 - alpha)/2 u_j^2),  u_j = s_j w_j,
 *
 * alpha = 1 the lasso (Tibshirani 1996), 0 ridge, between them the elastic net (Zou and Hastie 2005). Preparation, as
 * users of glmnet know it: the intercept a is free of penalty (or absent: a = 0). Standardised, the scale s_j is the
 * standard deviation of feature j, weighted and with 1/n, around the mean with or without an intercept; else s_j = 1.
 * Targets keep their scale. Features that are constant to rounding get the coefficient 0 where an intercept or the
 * standardisation leaves nothing of them. Coefficients always belong to the features as they were given.
 *
 * The matrix is read where it is and never changed: centring and scaling are arithmetic, so that sparse stays sparse.
 * The arithmetic loses the digits that a large mean hides: errors grow with |mean|/s_j times 1e-16.
 *
 * All routines: LNT_ESHAPE or LNT_EINVAL for sizes and options out of range, LNT_EDOMAIN where a number of X, y or v is
 * not finite (or its square overflows), LNT_ENOMEM. Results never depend on the number of threads. */
#ifndef LINNET_PATH_H
#define LINNET_PATH_H

#include "linnet/mat.h"
#include "linnet/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The matrix of features ---- */

/* n samples of D features, dense or sparse; a view, which owns nothing. */
typedef struct lnt_design {
    int n, features;
    lnt_mat X;           /* dense: n x D, a feature per column */
    const size_t *start; /* sparse, where not NULL: feature j has the values start[j] .. start[j+1] - 1 */
    const int *row;      /* their samples, each at most once in a feature, in any order */
    const double *value;
} lnt_design;

/* X: n x D, a feature per column (Fortran's order of NumPy's (n, D)). */
LNT_API lnt_design lnt_design_dense(lnt_mat X);
/* Compressed sparse columns (SciPy's csc_matrix): start has D + 1 entries. */
LNT_API lnt_design lnt_design_sparse(int n, int features, const size_t *start, const int *row, const double *value);
/* A dense design from samples in columns (D x n, NumPy's C-order (n, D)): a transposed copy in scratch memory. The
 * samples are not needed afterwards. */
LNT_API lnt_status lnt_design_samples(lnt_ctx *ctx, lnt_design *X, lnt_mat samples);
/* fit[i] <- intercept + x_i.w. */
LNT_API void lnt_design_predict(double *fit, const lnt_design *X, const double *w, double intercept);

/* ---- Options ---- */

typedef struct lnt_path_opts {
    double alpha;         /* 0 .. 1 */
    bool intercept;       /* fit a */
    bool standardize;     /* penalise coefficients of features of standard deviation 1 */
    const double *weight; /* v, n values of any scale; NULL: equal. Samples of weight 0 are left out */
    const double *lambda; /* `count` penalties >= 0, best descending; NULL: a grid from the data */
    int count;            /* number of penalties */
    double min_ratio;     /* of the grid: last over first penalty; 0: 0.01 where n < D, else 0.0001 */
    double tolerance;     /* of the duality gap, relative to P at w = 0 */
    long max_epochs;      /* of each penalty; a Newton step counts as one */
} lnt_path_opts;

/* alpha 1, with intercept, standardised, equal weights, a grid of 100 penalties, tolerance 1e-8, 100,000 epochs. */
LNT_API void lnt_path_defaults(lnt_path_opts *opts);

/* lambda[0 .. opts->count - 1] <- the penalties of the path: opts->lambda or, where that is NULL, a grid with equal
 * ratios from lambda_max down to min_ratio lambda_max. lambda_max = max_j |sum_i v_i z_ij (y_i - mean y)|/(n alpha) of
 * the prepared features z is the smallest penalty without features, exactly: at it and above, w = 0. For alpha < 0.001,
 * where there is none, that of 0.001. All 0 where y is constant. */
LNT_API lnt_status lnt_path_grid(lnt_ctx *ctx, double *lambda, const lnt_design *X, const double *y,
                                 const lnt_path_opts *opts);

/* ---- Lasso and elastic net ---- */

typedef struct lnt_path_point {
    double lambda, intercept;
    double loss;      /* 1/(2n) sum v r^2 */
    double explained; /* 1 - loss/(loss at w = 0); 0 where y is constant */
    double objective; /* P */
    double gap;       /* certificate: P - P_min <= gap, sure to rounding errors of P */
    double kkt;       /* largest violation of the conditions of optimality, over lambda_max alpha */
    int nonzero;      /* coefficients that are not exactly 0 */
    long epochs;
    bool converged; /* the gap is within the tolerance */
} lnt_path_point;

typedef struct lnt_path {
    int count;          /* points: those asked for, fewer only where it was cancelled */
    lnt_path_point *at; /* in the order of the penalties */
    lnt_mat W;          /* D x count: coefficients, a column per point */
    double null_loss;   /* P at w = 0, the intercept fitted: the unit of the tolerance */
} lnt_path;

/* path <- the minima at all penalties, in scratch memory; y has n values.
 *
 * Each minimum starts from the former one. Coordinate descent (Friedman et al. 2010) on a working set of features,
 * through its Gram matrix (covariance updates), finds the support and the signs; Newton steps on that face, from a
 * Cholesky factor that follows the support, finish: the gap then is near 1e-14 of P at w = 0, whatever the tolerance.
 * Sets of more than max(1000, 3 n) features, or with a Gram matrix of more than max(1e7, n D/2) numbers, descend with
 * updates of the residual alone, to the tolerance.
 *
 * Certificate (Fercoq et al. 2015), with residual r, h = sum_i v_i z_i r_i/n - lambda2 u, lambda1 = lambda alpha,
 * lambda2 = lambda (1 - alpha), N = 1/n sum v r^2 + lambda2 |u|^2, C = max |h_j|, and the dual point scaled by z = (N +
 * u.h)/N within +-lambda1/C:
 *
 *   gap = N (1 - z)^2/2 + sum_j (lambda1 |u_j| - z u_j h_j),
 *
 * a sum of terms >= 0, without differences of objectives. Features join the working set where they violate |h_j| <=
 * lambda1. The inner products are computed only where |h_j| may come near lambda1: from those with a former residual
 * r0, |z_j.r| <= t |z_j.r0| + |z_j| |r - t r0|. While a gap remains, features with z |h_j| + sqrt((|z_j|^2 + lambda2) 2
 * gap) < lambda1, |z_j| in the same weights, are 0 at the minimum for certain and left aside (gap-safe screening).
 *
 * lambda1 = 0 (alpha = 0, or a penalty 0): from one singular value decomposition as lnt_ridge_make(), at lambda = 0 the
 * solution of least norm |u|; gap = |h|^2/(2 (lambda2 + s^2)) with the smallest singular value s > 0.
 *
 * Equal columns share a coefficient in no particular way; whatever they share, P is minimal. Memory: (n + D) times a
 * few, D count for W, and twice the square of the working set. Reaching max_epochs is LNT_OK: see converged and gap;
 * tolerances below 1e-13 may be out of reach of rounding. opts may be NULL. */
LNT_API lnt_status lnt_path_fit(lnt_ctx *ctx, lnt_path *path, const lnt_design *X, const double *y,
                                const lnt_path_opts *opts);

/* w (D values) <- the minimum at one penalty (opts->lambda is not used), from the w given where `warm`, else from 0.
 * point may be NULL, and opts. */
LNT_API lnt_status lnt_lasso_fit(lnt_ctx *ctx, double *w, lnt_path_point *point, const lnt_design *X, const double *y,
                                 double lambda, const lnt_path_opts *opts, bool warm);

/* ---- Cross-validation ---- */

/* fold[i] <- 0 .. folds-1 in random order, sizes equal to one. */
LNT_API void lnt_path_folds(int *fold, int n, int folds, lnt_rng *rng);

typedef struct lnt_path_cv {
    int count, folds;
    double *lambda; /* of the path of all samples */
    lnt_mat error;  /* folds x count: weighted mean of (y - fit)^2 over the samples held out */
    double *mean;   /* over folds, each with its share of the weights */
    double *se;     /* its standard error, sqrt(weighted mean of (error - mean)^2/(folds - 1)) */
    int best;       /* lambda.min: where the mean is least; the larger penalty of equals */
    int one_se;     /* lambda.1se: the largest penalty with mean <= mean[best] + se[best] */
    bool converged; /* all points of all folds */
} lnt_path_cv;

/* The errors of k-fold cross-validation along the path, for any alpha. fold (n values) says which of 0 .. folds-1 a
 * sample belongs to; each fold is predicted by the path of the others, which is prepared anew: its means, scales and
 * weights are those of its own samples. Folds are spread over `threads` (lnt_parallel). LNT_EINVAL where a fold leaves
 * nothing to fit or has nothing to predict. Results in scratch memory. */
LNT_API lnt_status lnt_path_validate(lnt_ctx *ctx, lnt_path_cv *cv, const lnt_design *X, const double *y,
                                     const int *fold, int folds, int threads, const lnt_path_opts *opts);

/* ---- Ridge ---- */

/* Ridge regression of several targets at every penalty, from one singular value decomposition U diag(s) V^T of the
 * prepared features, each sample times sqrt(v_i/n). The fields are private but for the first ones. */
typedef struct lnt_ridge {
    int n, features, targets;
    int rank; /* singular values above max(n, D) 2e-16 of the largest; the others count as 0 */
    const double *s;
    bool full; /* the fit interpolates at lambda = 0: no direction of the samples is left */
    bool centred;
    int used; /* samples of weight > 0 */
    const double *share, *root, *center, *inverse, *mean;
    const lnt_design *X;
    lnt_mat U, VT, C, Y, null;
} lnt_ridge;

typedef struct lnt_ridge_score {
    double loss;    /* 1/(2n) sum v r^2 */
    double freedom; /* trace of the hat matrix, the intercept counted */
    double loo;     /* weighted mean of the squared residuals of leaving one out */
    double gcv;     /* generalised cross-validation, sum v r^2/n/(1 - freedom/n)^2 (Golub et al. 1979) */
} lnt_ridge_score;

/* r <- the decomposition, in scratch memory, for targets Y (n x targets, a target per column). X must outlive it. Of
 * the options intercept, standardize and weight count; opts may be NULL. About 6 n D min(n, D) operations, and 3 n D
 * numbers of memory, sparse or not. LNT_ENUMERIC where the decomposition does not converge. */
LNT_API lnt_status lnt_ridge_make(lnt_ctx *ctx, lnt_ridge *r, const lnt_design *X, lnt_mat Y,
                                  const lnt_path_opts *opts);
/* W (D x targets), intercept (targets values) <- the minimum at lambda (alpha = 0) for every target; at lambda = 0 that
 * of least norm |u| among them. 2 rank D operations a target. */
LNT_API lnt_status lnt_ridge_fit(lnt_ctx *ctx, lnt_mat W, double *intercept, const lnt_ridge *r, double lambda);
/* E (n x targets) <- residuals y_i - fit_i of the fits without sample i (Allen 1974), exactly those of refitting
 * intercept and coefficients with the preparation kept: the scales s_j, the weights v_k/n of the others, and so n
 * lambda, are those of all samples. The ratio r_i/(1 - H_ii), arranged so that it stays accurate for lambda -> 0 and
 * holds at 0 where all singular values of the samples are used. For samples of weight 0, which no fit contains, the
 * residual. 2 n rank operations a target. */
LNT_API lnt_status lnt_ridge_leave_one_out(lnt_ctx *ctx, lnt_mat E, const lnt_ridge *r, double lambda);
/* score[t] <- for every target t. The means of loo and gcv are over the samples of weight > 0; at lambda = 0 with a fit
 * that interpolates, gcv is its limit. NaN where the fit has a degree of freedom for every sample. */
LNT_API lnt_status lnt_ridge_scores(lnt_ctx *ctx, lnt_ridge_score *score, const lnt_ridge *r, double lambda);

#ifdef __cplusplus
}
#endif
#endif
