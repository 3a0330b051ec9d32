/* Covariance matching: the least change of wiring that gives one population the covariance of another.
 *
 * Two populations, inputs X (N x M) and outputs, have seen the same M stimuli, but their cells are not paired. What can
 * be compared is the M x M covariance of stimuli over cells. Sought is the map of cells onto cells Z = Z0 + W nearest
 * to Z0, one to one wiring Z0 = I unless said otherwise, that minimises
 *
 *     L(Z) = 1/2 |S - C(Z)|^2 + lambda/2 |Z - Z0|^2,     C(Z) = X^T Z^T J Z X,   J = I - 11^T/N,   lambda > 0,
 *
 * with norms of Frobenius. This is the sum form, in which all lambdas of these headers are. The mean form, 1/2 mean (S
 * - C)^2 + lam0/2 mean (Z - Z0)^2, is the same problem at lambda = lam0 M^2/N^2: lnt_match_lambda() (match_data.h).
 *
 * Symbols: X = U diag(sv) V^T of rank r, s = sv^2, ss_ij = sv_i sv_j, R = V^T S V, a = 2/lambda, o entry by entry.
 * Everything happens in r x r matrices. An answer is its core D: W = J Z0 U D U^T; so Z is Z0 outside the span of U.
 *
 * The order of work: lnt_match_make(), then lnt_match_linear() or lnt_match_full() for a fit, then what is wanted of
 * it. match_data.h: preparation, scores, generated data. match_diagonal.h: a diagonal with a penalty of its own.
 * Memory: all matrices of a problem and of a fit are scratch of the context. */
#ifndef LINNET_MATCH_H
#define LINNET_MATCH_H

#include "linnet/linalg.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The problem ---- */

typedef struct lnt_match {
    int cells, stimuli; /* N, 0 where it is not known; M */
    int pairs;          /* trials that are matched together, mostly 1 */
    int rank;           /* r */
    int dual;           /* size q of the dual variable: the sum of the ranks of the X_k; r for one pair */
    const int *first;   /* pairs + 1: where the pairs start among the q */
    bool centred;       /* JX = X, to rounding, and Z0 = I: the case with the closed forms */
    bool identity;      /* Z0 = I */
    lnt_mat U, V;       /* N x r, without rows where X is not known; M x r (pairs * M x q, block diagonal) */
    lnt_mat JZ0U, Z0;   /* N x r; Z0 without rows: I. Z0 is the caller's, not a copy */
    double *sv;         /* q singular values, descending in each pair */
    double *u;          /* U^T 1/sqrt N, r numbers; 0 where centred */
    lnt_mat P;          /* r x q: U^T X_k V_k side by side; without rows for one pair, where it is diag(sv) */
    lnt_mat A0;         /* U^T Z0^T J Z0 U; I where centred */
    lnt_mat R, E0;      /* q x q: V^T S V and the error at Z0, R - V^T C(Z0) V; block diagonal */
    double outside;     /* c_out = (|S|^2 - |R|^2)/2, what no Z can reach */
    double target2;     /* |S|^2 */
    double skew;        /* |S - S^T|/(2|S|) of the target that was given; only (S + S^T)/2 matters and is used */
    double slack;       /* smallest eigenvalue of A0 over the largest: above 1e-10 the full problem is tight */
} lnt_match;

/* The problem of inputs X (N x M) and target S (M x M), which may be indefinite, as covariances across trials are; Z0
 * NULL: I. S that is not symmetric is symmetrised (m->skew). Directions of X with sv_i <= max(N, M) 2.2e-16 sv_1 are
 * dropped, and never divided by. X counts as centred, with its column means taken for 0, where they are below 1e-13
 * |X|/sqrt(N M). One cell has no covariance: rank 0, W = 0. U holds N r numbers, nothing is N x N.
 * SVD of X, 4 N M min(N, M) operations and up.
 * LNT_ESHAPE: shapes do not agree. LNT_EDOMAIN: not finite. LNT_EINVAL: no cells or no stimuli. */
LNT_API lnt_status lnt_match_make(lnt_ctx *ctx, lnt_match *m, lnt_mat X, lnt_mat S, const lnt_mat *Z0);
/* The same from covariances alone, Z0 = I: G = X^T X and the mean of each stimulus over the N cells, NULL where X is
 * centred; then N matters no more and may be 0. m has no U, so its fits have no W, but predict stimuli from inner
 * products (lnt_match_predict_gram). Eigenvalues s_i <= M 2.2e-16 s_1 are dropped. Solutions depend smoothly on G: they
 * are accurate to about 2.2e-16 (1 + a s_1^2), uncentred ones less along directions with small s_i. 9 M^3 operations.
 */
LNT_API lnt_status lnt_match_make_gram(lnt_ctx *ctx, lnt_match *m, int N, lnt_mat G, const double *mean, lnt_mat S);
/* Several pairs (X_k, S_k) of trials with one Z: L is the mean of 1/2 |S_k - C_k(Z)|^2, plus lambda/2 |Z - Z0|^2. Where
 * all X_k are equal, average the S_k instead. Two further SVDs, of matrices with sum r_k columns. */
LNT_API lnt_status lnt_match_make_pairs(lnt_ctx *ctx, lnt_match *m, int pairs, const lnt_mat *X, const lnt_mat *S,
                                        const lnt_mat *Z0);

/* ---- Fits ---- */

typedef enum lnt_match_stop {
    LNT_MATCH_CONVERGED, /* the gap is within the tolerance */
    LNT_MATCH_ROUNDING,  /* |g| is at the level of rounding, or no step improves on a gap below 1e-10 of the loss */
    LNT_MATCH_STALLED,   /* no step is accepted though the gap is open: the problem may not be tight */
    LNT_MATCH_STEPS,     /* out of steps */
    LNT_MATCH_CANCELLED
} lnt_match_stop;

/* What the linear solution is worth, by eta and radius: below. */
typedef enum lnt_match_verdict { LNT_MATCH_TRUST, LNT_MATCH_DOUBT, LNT_MATCH_DISTRUST } lnt_match_verdict;

typedef struct lnt_match_fit {
    double lambda;
    lnt_mat D;          /* core, r x r: W = J Z0 U D U^T. Symmetric, but not at lambda = 0 for transport and CORAL */
    lnt_mat E;          /* q x q: S - C(Z) in the coordinates V (of the linear model in linear fits) */
    lnt_mat T;          /* N x r, W = T U^T, where no core can say it (non-tight answers); else without rows */
    double misfit;      /* 1/2 |S - C(Z)|^2 with the full C, also in linear fits */
    double penalty;     /* lambda/2 |W|^2 */
    double loss;        /* their sum */
    double linear_loss; /* of linear fits: of the linear model, without the square of W in C; else NaN */
    double norm;        /* |W| */
    double radius;      /* largest singular value of W; its largest |eigenvalue| where W is symmetric */
    double smallest;    /* smallest eigenvalue of U^T Z U where centred, else NaN */
    double eta;         /* |W^2|/|W|, uncentred |J K^2|/|J K|: of linear fits, their estimated relative error */
    lnt_match_verdict verdict;
    double bound;        /* d(E) <= L(Z) for every Z; NaN in linear fits */
    double gap;          /* loss - bound, >= 0, computed without cancellation; NaN in linear fits */
    bool global;         /* gap <= 1e-10 loss: this is the global minimum, certified */
    bool tight;          /* m->slack > 1e-10, so that the dual reaches the minimum */
    int steps, products; /* of Newton, of conjugate gradients, over all lambdas on the way */
    lnt_match_stop stop;
} lnt_match_fit;

/* fit <- the minimum of the linear model, C ~ C(Z0) + what is linear in W. Centred: D = 2 ss o E0 ./ (4 ss^2 + lambda),
 * linear_loss = 1/2 sum f E0^2 + c_out with f = lambda ./ (lambda + 4 ss^2). X not centred, Z0 = I: the rank-two
 * correction by one r x r Cholesky factorisation, D = a ss o E. Other Z0 and several pairs: conjugate gradients, to
 * 1e-14. Unique for lambda > 0. lambda = 0: the least norm, centred only.
 *
 * eta estimates the relative distance to the full solution, W_full = W + W^2 + ..., and is 1.1 to 3.6 times too large
 * in examples. Verdict: radius > 0.3 distrust; else eta < 0.05 trust; else doubt.
 * O(r^3), of which only radius, eta and loss need more than O(r^2). LNT_EINVAL: lambda < 0, or 0 where not allowed. */
LNT_API lnt_status lnt_match_linear(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, double lambda);
/* The same at `count` values of lambda, in any order. */
LNT_API lnt_status lnt_match_linear_path(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, const double *lambda,
                                         int count);
/* D (r x r) alone: O(r^2) where centred. For loops of one's own. */
LNT_API lnt_status lnt_match_linear_core(lnt_ctx *ctx, lnt_mat D, const lnt_match *m, double lambda);

/* W (N x N) <- the weights after time t of gradient flow dW/dt = -gradient on the linear model from W0 (NULL: 0),
 * centred: U^T W U relaxes to the minimum as exp(-(4 ss^2 + lambda) t), its antisymmetric part and all that lies
 * outside U decay as exp(-lambda t). lambda >= 0, t >= 0, INFINITY allowed for lambda > 0. 4 N^2 r operations. */
LNT_API lnt_status lnt_match_flow(lnt_ctx *ctx, lnt_mat W, const lnt_match *m, double lambda, const lnt_mat *W0,
                                  double t);

typedef struct lnt_match_opts {
    double tolerance; /* of gap/loss; 1e-14 */
    bool polish;      /* true: further Newton steps until rounding, so that also W is as good as it gets */
    int max_steps;    /* of Newton for one lambda; 400 */
    int starts;       /* of the local search where the problem is not tight; 4 */
    uint64_t seed;    /* of those starts */
} lnt_match_opts;

LNT_API void lnt_match_defaults(lnt_match_opts *opts);

/* fit <- the global minimum of L, with its certificate. opts NULL: defaults.
 *
 * L is not convex in Z, but among all Z with equal (JZU)^T JZU the nearest to Z0 is known (Procrustes), and what is
 * left is convex. Its dual: for symmetric E with K = a ss o E < I, M = (I - K)^-1, D = M - I, C1 = ss o M, C2 = ss o (M
 * A0 M),
 *
 *     d(E) = c_out + <E, R> - 1/2 |E|^2 - lambda/2 <A0, D>,   g = E - R + C2 = -grad d,   L(Z(E)) - d(E) = 1/2 |g|^2.
 *
 * Newton's method on d with C1 dE C2 + C2 dE C1 in the Hessian, by conjugate gradients in an eigenbasis of C1 + C2 to
 * the accuracy that the step deserves; from the linear solution where that is small, else down a path of lambdas.
 * 2 to 13 Newton steps of O(r^3).
 *
 * Not tight (1 in the span of X, or Z0 singular on it): the dual is approached with A0 + epsilon I, the map is rebuilt
 * by Procrustes and improved by Gauss-Newton steps from several starts. gap and global still tell the truth: where r <
 * N the gap mostly closes to about 1e-8 of the loss, where r = N it may stay open. Needs m->U. LNT_EINVAL: lambda <= 0
 * (see lnt_match_exact). Not converging is no error: fit->stop. */
LNT_API lnt_status lnt_match_full(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, double lambda,
                                  const lnt_match_opts *opts);
/* The same at `count` values of lambda, in any order: from large to small, each from the one before, several times
 * faster than one by one. */
LNT_API lnt_status lnt_match_full_path(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, const double *lambda,
                                       int count, const lnt_match_opts *opts);

typedef struct lnt_match_certificate {
    double loss;     /* L(Z) */
    double gradient; /* |dL/dZ|/(sv_1^2 |S| + lambda |W|) */
    double smallest; /* of the eigenvalues of sym(U^T Z U) */
    double bound;    /* d(t E) <= min L, E = S - C(Z), with the largest t <= 1 that the dual allows */
    double gap;      /* L(Z) - bound, relative to L(Z) */
    bool stationary; /* gradient <= 1e-8 */
    bool global;     /* gap <= 1e-10; for centred X this is: stationary and smallest > 0 */
} lnt_match_certificate;

/* Is this Z (N x N), from whatever method, the global minimum? Where X is centred, every stationary Z is symmetric and
 * invertible, and it is the global minimum where its eigenvalues are positive. One pair only. 4 N^2 M operations. */
LNT_API lnt_status lnt_match_certify(lnt_ctx *ctx, lnt_match_certificate *certificate, const lnt_match *m, lnt_mat Z,
                                     double lambda);

/* ---- What a fit says ---- */

/* W (N x N) <- Z - Z0. 2 N^2 r operations. Needs m->U, as lnt_match_apply() does. */
LNT_API lnt_status lnt_match_weights(lnt_ctx *ctx, lnt_mat W, const lnt_match *m, const lnt_match_fit *fit);
/* ZX (N x n) <- Z X for n stimuli, new ones too: Z x = Z0 x + J Z0 U D U^T x. 4 N r n operations. */
LNT_API lnt_status lnt_match_apply(lnt_ctx *ctx, lnt_mat ZX, const lnt_match *m, const lnt_match_fit *fit, lnt_mat X);
/* C (n1 x n2) <- (Z X1)^T J (Z X2). */
LNT_API lnt_status lnt_match_predict(lnt_ctx *ctx, lnt_mat C, const lnt_match *m, const lnt_match_fit *fit, lnt_mat X1,
                                     lnt_mat X2);
/* C (q x q) <- V^T C(Z) V, the prediction for the stimuli of the fit; C(Z) itself is V C V^T. */
LNT_API lnt_status lnt_match_covariance(lnt_ctx *ctx, lnt_mat C, const lnt_match *m, const lnt_match_fit *fit);
/* C (n x n) <- (Z x)^T J (Z x) of n new stimuli from inner products alone: cross (M x n) = X^T x, own (n x n) = x^T J
 * x, mean (n) the mean of each over cells, NULL where centred. Z0 = I, one pair. */
LNT_API lnt_status lnt_match_predict_gram(lnt_ctx *ctx, lnt_mat C, const lnt_match *m, const lnt_match_fit *fit,
                                          lnt_mat cross, lnt_mat own, const double *mean);
/* B (M x M), W = J Z0 X B X^T: the representer form. One pair, no T. */
LNT_API lnt_status lnt_match_representer(lnt_ctx *ctx, lnt_mat B, const lnt_match *m, const lnt_match_fit *fit);
/* cut <- fit with W reduced to rank k, to its k largest |eigenvalues| (singular values where it is not symmetric), with
 * its new losses. k >= r: a copy. */
LNT_API lnt_status lnt_match_truncate(lnt_ctx *ctx, lnt_match_fit *cut, const lnt_match *m, const lnt_match_fit *fit,
                                      int k);

/* Equation (1) of the theory, the gradient of the full problem at W = 0 against what W has to balance: left (N x N) = 2
 * X E0 X^T, right = 4 A W A + lambda W with A = X X^T. misfit = |left - right|/|left|, r2 of right as a prediction of
 * left over all N^2 entries. They agree where the square of W may be dropped. Centred; left and right may be NULL. */
LNT_API lnt_status lnt_match_balance(lnt_ctx *ctx, double *misfit, double *r2, lnt_mat *left, lnt_mat *right,
                                     const lnt_match *m, const lnt_match_fit *fit);

/* ---- lambda = 0: exact fits; centred, Z0 = I ---- */

typedef enum lnt_match_exact_kind {
    LNT_MATCH_LEAST_WEIGHTS, /* least |W|, the limit lambda -> 0: U^T Z U = (D^-1 R D^-1)^(1/2), D = diag(sv) */
    LNT_MATCH_TRANSPORT, /* least |ZX - X|: optimal transport of Gaussians (Olkin and Pukelsheim 1982; Gelbrich 1990)
                          * Z X = X T, T = G^(-1/2) (G^(1/2) S G^(1/2))^(1/2) G^(-1/2) */
    LNT_MATCH_CORAL,     /* T = G^(-1/2) S^(1/2) (Sun et al. 2016) */
    LNT_MATCH_ZCA        /* T = G^(-1/2), which whitens: for the target I instead of S */
} lnt_match_exact_kind;

/* fit <- a map with V^T C(Z) V = R, or what is nearest to R where that is indefinite: its positive part. Then loss =
 * misfit = 1/2 sum of squared negative eigenvalues + c_out. *moved <- |ZX - X|, for TRANSPORT the Bures distance; may
 * be NULL. Divides by sv_i: for well-conditioned X. */
LNT_API lnt_status lnt_match_exact(lnt_ctx *ctx, lnt_match_fit *fit, double *moved, const lnt_match *m,
                                   lnt_match_exact_kind kind);
/* The positive root of 2 s^2 q^3 + (lambda - 2 s R) q - lambda = 0: the eigenvalue of Z where S and G = X^T X commute,
 * with eigenvalues R and s. s >= 0, lambda > 0 or s R > 0. To 4 ulp or so. */
LNT_API double lnt_match_mode(double s, double R, double lambda);

/* ---- Dynamics of the full model, lambda = 0 ---- */

/* q(t) of dq/dt = 2 s q (R - s q^2), q(0) = q0: a mode of gradient flow where S and G commute. q^2 is logistic. */
LNT_API double lnt_match_mode_flow(double q0, double s, double R, double t);
/* C (M x M) <- the solution at t >= 0 of dC/dt = 2 (S C + C S) - 4 C^2 from symmetric C0 >= 0: gradient flow of the
 * prediction for whitened X (G = I, centred), a matrix Riccati equation. Rank is conserved. From C0 > 0 any t; from
 * singular C0 while 4 t |S| < 600 (LNT_EDOMAIN else). Z(t) = I + X (C^(1/2) - I) X^T from Z = I. */
LNT_API lnt_status lnt_match_riccati(lnt_ctx *ctx, lnt_mat C, lnt_mat S, lnt_mat C0, double t);

/* ---- Choice of lambda by held-out stimuli ---- */

typedef struct lnt_match_cv_opts {
    bool full;          /* the full problem, else the linear one; true */
    bool mean_form;     /* the lambdas are lam0; each fold has lambda = lam0 M_kept^2/N^2; false */
    bool kept_blocks;   /* score held x kept blocks as well; true */
    int threads;        /* folds at a time; 1 */
    const double *sum;  /* of Y before division by its sd, sum over cells for each stimulus, */
    const double *sum2; /*   sum of squares, and */
    int cells_out; /*   its cells: then S is Y^T J Y before division, and each fold divides by the sd of the columns
                    *   it keeps. NULL, NULL, 0: S is taken as it is */
    lnt_match_opts fit; /* tolerance 1e-12, no polish */
} lnt_match_cv_opts;

LNT_API void lnt_match_cv_defaults(lnt_match_cv_opts *opts);

typedef struct lnt_match_cv {
    lnt_mat r2, ratio;         /* folds x count: of each fold, held x held */
    double *held, *held_ratio; /* count: R^2 and ratio of held x held, pooled over folds */
    double *kept, *kept_ratio; /* of held x kept; NaN without kept_blocks */
    double base, base_kept;    /* R^2 at Z = I, where the ratios are 1 */
    double *ratio_all;         /* of all blocks that were scored, each entry of the symmetric matrix counted */
    int best;                  /* the lambda of least ratio_all */
} lnt_match_cv;

/* Fits on the kept columns of X and S for every lambda, and scores what it predicts for the held-out ones. fold[j], 0
 * .. folds-1, says with which fold column j is held out (lnt_match_folds). R^2 about the mean of the pooled targets;
 * ratio: squared error over that at Z = I. Z0 = I. Each fold decomposes the kept part of X^T X where 4.4e-16
 * s_1^2/lambda is at most 1e-8 at the least lambda, a bound of the relative error, else that of X: one pass over the
 * cells, then nothing depends on N. Results do not depend on threads. */
LNT_API lnt_status lnt_match_cross_validate(lnt_ctx *ctx, lnt_match_cv *cv, lnt_mat X, lnt_mat S, const int *fold,
                                            int folds, const double *lambda, int count, const lnt_match_cv_opts *opts);
/* fold[j] <- random folds of M stimuli whose sizes differ by at most one; with class[j] given, classes stay together.
 */
LNT_API lnt_status lnt_match_folds(lnt_ctx *ctx, int *fold, int M, int folds, const int *classes, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
