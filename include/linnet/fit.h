/* Weights as the unknowns of an inverse problem: nonlinear least squares, the solvers and what vouches for their
 * answers.
 *
 * Symbols: w (k) weights; f(w) (n) outputs of a model (model.h); d (n) data; r = S (d - f) the residual, whitened by
 * what is known of the noise: S = diag(1/sd), or S = L^-1 for a covariance C = L L^T; B (n x k) the Jacobian of S f;
 * SSE = r^T r; alpha (k) penalties. All methods minimise
 *
 *     F(w) = SSE + sum_j alpha_j w_j^2,
 *
 * which without penalties is least squares and with alpha = prior precision times noise variance the maximum of the
 * posterior. The right step solves min |r - B p|^2 + mu |D p|^2: data minus prediction on the right, never the data
 * alone (see lnt_naive()). */
#ifndef LINNET_FIT_H
#define LINNET_FIT_H

#include "linnet/model.h"
#include "linnet/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_fit_problem {
    const lnt_model *model;
    const double *d;       /* n data */
    const double *sd;      /* n standard deviations of the noise, > 0; NULL: all 1 */
    lnt_mat C;             /* n x n covariance of the noise, lower triangle read; C.a NULL: none. Not beside sd */
    const double *penalty; /* k numbers alpha_j >= 0; NULL: none */
} lnt_fit_problem;

typedef enum lnt_fit_method {
    LNT_FIT_LM,           /* Levenberg-Marquardt with Nielsen's damping (1999): the default */
    LNT_FIT_GAUSS_NEWTON, /* full steps with mu = 0: diverges from most starts; for comparison */
    LNT_FIT_LINE_SEARCH,  /* the same, halved until F falls by 1e-4 of the slope: stalls where B is ill-conditioned */
    LNT_FIT_LBFGS         /* limited-memory BFGS (Liu and Nocedal 1989) on F and its gradient; needs no Jacobian */
} lnt_fit_method;

/* How a step is solved. Accuracies are those of the step; cond is that of [B; sqrt(mu) D]. */
typedef enum lnt_fit_solver {
    LNT_SOLVER_AUTO,     /* dual where n < k; LSMR where k^2 numbers exceed `memory`; Cholesky where k > 500; else QR,
                          * but Cholesky for damped steps whose columns are further than 1e-3 of their lengths from
                          * dependent, which has lost its digits nowhere then. Without damping the SVD, where B fits
                          * into memory */
    LNT_SOLVER_QR,       /* of [B; sqrt(mu) D], B once a Jacobian, R once a mu: error eps cond. 2 n k^2 */
    LNT_SOLVER_CHOLESKY, /* of B^T B + mu D^2: eps cond^2. n k^2 + k^3/3 */
    LNT_SOLVER_DUAL,     /* p = D^-2 B^T (B D^-2 B^T + mu I)^-1 r: eps cond^2. n^2 k + n^3/3 */
    LNT_SOLVER_SVD,      /* B D^-1 = U S V^T, one for all mu; with mu = 0 the step of least norm, singular values below
                          * rcond of the largest left out. About 6 n k^2 */
    LNT_SOLVER_LSMR /* Fong and Saunders (2011) on products B v, B^T u, two of them an iteration, up to 4 min(n, k) +
                     * 100 iterations. With callbacks for both there is no Jacobian: the norms |b_j|, which set the
                     * first mu and the scale of the cosine, are then estimates from eight random combinations of
                     * rows, to some 50 %. LBFGS has no others either */
} lnt_fit_solver;

typedef enum lnt_fit_scaling {
    LNT_SCALING_AUTO,     /* identity for models whose weights are alike, else More's */
    LNT_SCALING_IDENTITY, /* D = I: for networks, whose weights are alike */
    LNT_SCALING_MORE      /* D_j the largest norm of column j of B so far (More 1978), its square halved a step: for
                           * weights in mixed units. Without fading a fit never leaves valleys such as that of Meyer's
                           * problem, where norms fall by fifty decades */
} lnt_fit_scaling;

/* Why a fit ended. The first five are answers, the others are not. */
#define LNT_FIT_STOP_LIST(X)                                                                                           \
    X(LNT_FIT_GRADIENT, "gradient", "the residual is orthogonal to the columns of the Jacobian")                       \
    X(LNT_FIT_STEP, "step", "the step is below the resolution of the weights")                                         \
    X(LNT_FIT_FLAT, "flat", "the objective no longer falls")                                                           \
    X(LNT_FIT_ZERO, "zero", "the residual is zero")                                                                    \
    X(LNT_FIT_LIMIT, "limit", "the limit of steps was reached")                                                        \
    X(LNT_FIT_CANCELLED, "cancelled", "the work was cancelled")                                                        \
    X(LNT_FIT_SINGULAR, "singular", "the equations of the step are singular")                                          \
    X(LNT_FIT_DIVERGED, "diverged", "the iterates or the model's values are no longer finite")                         \
    X(LNT_FIT_REFUSED, "refused", "the model has no value at the start")
#define LNT_FIT_STOP_ENUM(name, word, text) name,
typedef enum lnt_fit_stop { LNT_FIT_STOP_LIST(LNT_FIT_STOP_ENUM) } lnt_fit_stop;
#undef LNT_FIT_STOP_ENUM

/* One word, and half a sentence. Never NULL. */
LNT_API const char *lnt_fit_stop_name(lnt_fit_stop stop);
LNT_API const char *lnt_fit_stop_text(lnt_fit_stop stop);

typedef struct lnt_fit_info {
    lnt_fit_stop stop;
    lnt_fit_solver solver; /* the one used */
    double sse, objective; /* SSE and F at the answer */
    double cosine; /* max_j |g_j|/(|b_j| |r|), g = B^T r - alpha o w: 0 where F is stationary. Penalties count as rows
                    * of B and r. 0 where the residual is 0 */
    double mu;     /* the last damping */
    int steps;     /* tried: accepted, rejected and those that finish the fit */
    int accepted;
    int outputs, jacobians, bends; /* evaluations of f, B and fvv; for LBFGS jacobians counts products B^T u */
} lnt_fit_info;

typedef struct lnt_fit_opts {
    lnt_fit_method method;
    lnt_fit_solver solver;
    lnt_fit_scaling scaling;
    double tau;      /* mu at the start is tau max_j |b_j|^2 for D = I, tau for More's; > 0 */
    bool accelerate; /* LM: geodesic acceleration (Transtrum and Sethna 2012) */
    double bend;     /* a step whose second-order part q has 2 |D q| > bend |D p| is rejected */
    int max_steps;   /* >= 0 */
    double gradient; /* stop: cosine <= gradient */
    double step;     /* stop: |D v| <= step |D w|, for rejected steps too */
    double flat;     /* stop: five steps in a row with a relative fall of F of at most that */
    double zero;     /* stop: SSE <= zero |S d|^2, or where d = 0 zero times SSE at the start */
    double rcond;    /* of the SVD */
    size_t memory;   /* bytes a Jacobian may take; a larger one is never formed, but read in chunks of rows */
    int threads;     /* of the passes over a large Jacobian, 0: all; results do not depend on it */
    int linear;      /* variable projection: so many of the last weights enter f linearly; 0: off */
    double ridge;    /* of those, >= 0: penalty on their squares inside the projection */
    /* Called after every step with the state so far; not 0 stops the fit as cancelled. May be NULL. */
    int (*after_step)(const lnt_fit_info *info, const double *w, void *user);
    void *user;
} lnt_fit_opts;

/* LM, auto, identity, tau 1, accelerated with bend .75, 1000 steps, gradient 1e-10, step 1e-12, flat 1e-10, zero 1e-30,
 * rcond 1e-12, 2^30 bytes, all threads, no projection. */
LNT_API void lnt_fit_defaults(lnt_fit_opts *opts);

/* w (k): the start <- the fit.
 *
 * LM: from mu and nu = 2, with p = (B^T B + mu D^2)^-1 B^T r and, accelerated, q = -1/2 (B^T B + mu D^2)^-1 B^T fvv(p),
 * v = p + q, a step is accepted where rho = (F(w) - F(w + v))/(p^T (mu D^2 p + B^T r)) > 0: mu <- mu max(1/3, 1 - (2
 * min(rho, 2) - 1)^3), nu <- 2; rejected steps, those with q too long among them: mu <- nu mu, nu <- 2 nu. At the end
 * up to twenty steps with mu = 0, or the least mu where that is singular, follow, each kept if the cosine falls by a
 * tenth and F does not rise: F alone resolves w only to the square root of the precision.
 *
 * Variable projection (Golub and Pereyra 1973, the Jacobian of Kaufman 1975): the last `linear` weights c, in which f
 * = Phi(theta) c, are eliminated, c = Phi^+ d, and LM works on theta alone, with B = (I - Phi Phi^+) df/dtheta. Its
 * penalties on c are `ridge`; those of the problem must be 0 there. Every trial costs a Jacobian; fvv is not used.
 *
 * Without a model's Jacobian, differences are good for cosines down to about 1e-8 only: other tests will stop the fit.
 *
 * Cost a step: one Jacobian, one solve by the table above, one f and for the acceleration one fvv. Scratch memory: the
 * Jacobian where it fits, and a few k^2. Jacobians beyond `memory` are read in chunks: 2 n k operations a solver's pass
 * more than the table says, none of them stored; SVD and DUAL then fail with LNT_EINVAL.
 *
 * LNT_OK with info->stop says how it ended: w and info always belong together, and F there is not above that of the
 * start except for GAUSS_NEWTON. Where f has a value but the Jacobian has none the fit ends as `diverged`.
 * LNT_EINVAL: options out of range. LNT_EDOMAIN: start, data or noise are not finite, sd
 * or C not positive, or the model has no value at the start. LNT_EUSER: a callback returned a negative number. */
LNT_API lnt_status lnt_fit(lnt_ctx *ctx, double *w, lnt_fit_info *info, const lnt_fit_problem *problem,
                           const lnt_fit_opts *opts);

/* One step of a method at w, for comparing solvers: p <- argmin |r - B p|^2 + sum_j alpha_j (w_j + p_j)^2 + mu |D p|^2
 * with D from the columns of B at w. With mu = 0 and SVD the step of least norm. LNT_ENUMERIC where it is singular. */
LNT_API lnt_status lnt_fit_step(lnt_ctx *ctx, double *p, const lnt_fit_problem *problem, const double *w, double mu,
                                const lnt_fit_opts *opts);

/* ---- What vouches for a fit ---- */

typedef struct lnt_fit_certificate {
    double sse, cosine;
    int rank;        /* of B, its columns scaled to norm 1: singular values above max(n, k) eps of the largest */
    double cond;     /* largest over smallest of these singular values, INFINITY where rank < k */
    double offset;   /* sqrt((|P r|^2/k) / (|r - P r|^2/(n - k))), P = B B^+: below 1e-3 what is left of the gradient is
                      * far inside the noise (Bates and Watts 1981). NaN for n <= k */
    double variance; /* s^2 = SSE/(n - rank): about 1 where the noise is known. NaN for n = rank */
    double least_curvature; /* least eigenvalue of B^T B + diag(alpha) - sum_i r_i Hess f_i, half the Hessian of F: >= 0
                             * at a minimum, < 0 at a saddle; NaN unless asked for */
    double radius; /* spectral radius of (B^T B)^-1 sum_i r_i Hess f_i: below 1 Gauss-Newton converges here, at that
                    * rate. NaN unless asked for, and where rank < k */
} lnt_fit_certificate;

/* The certificate of w. V (k x k; V.a NULL: not wanted) <- (B^T B + diag(alpha))^-1, by a QR of the scaled columns: the
 * covariance of the weights where sd or C are known, else times `variance`; with penalties, which must be noise
 * variance times prior precision, the posterior's. NaN where rank < k and nothing penalises the rest. Standard errors
 * are the square roots of its diagonal. `curvature` asks for the Hessian: 2 k products B^T u by central differences, to
 * about 1e-8 of its scale where the model has vjp or a Jacobian, 1e-4 where it has neither.
 * B must fit into memory: 8 n k bytes. LNT_EDOMAIN where the model has no value at or around w. */
LNT_API lnt_status lnt_fit_certify(lnt_ctx *ctx, lnt_fit_certificate *certificate, lnt_mat V, bool curvature,
                                   const lnt_fit_problem *problem, const double *w);

/* ---- Many starts ---- */

typedef struct lnt_fit_start {
    int starts, threads; /* >= 1; 0: all processors */
    uint64_t seed;
    /* w <- a start; draws come from stream (seed, start, LNT_FOR_WEIGHTS). Called from several threads. */
    void (*draw)(double *w, lnt_rng *rng, void *user);
    /* w <- its representative among equivalent weights, as lnt_layers_canonical(); may be NULL. */
    void (*canonical)(double *w, void *user);
    void *user;
} lnt_fit_start;

typedef struct lnt_fit_starts_info {
    int best;      /* index of the lowest F, the first of equals */
    double share;  /* of starts with F <= 1.01 times the lowest */
    int distinct;  /* different minima among those: weights further apart than 1e-3 of the largest, once canonical */
    int converged; /* starts that ended with an answer */
} lnt_fit_starts_info;

/* Column s of W (k x starts) and info[s] <- the fit from start s; starts run in parallel, and the bytes of the result
 * do not depend on the number of threads. A start where the model has no value is `refused` with F = INFINITY;
 * LNT_EDOMAIN where all are. after_step is called from several threads. */
LNT_API lnt_status lnt_fit_starts(lnt_ctx *ctx, lnt_mat W, lnt_fit_info *info, lnt_fit_starts_info *summary,
                                  const lnt_fit_problem *problem, const lnt_fit_opts *opts, const lnt_fit_start *start);

/* Whether columns a and b of W are one minimum: weights closer than 1e-3 of the largest. */
LNT_API bool lnt_fit_same(lnt_mat W, int a, int b);

/* ---- Linear inverse problems ---- */

typedef struct lnt_inverse_info {
    double sse;      /* whitened */
    double variance; /* SSE/(n - k); NaN for n = k */
    double cond; /* of S A with columns scaled to norm 1, an estimate from the diagonal of R, low by a small factor */
} lnt_inverse_info;

/* x (k) <- (A^T C^-1 A)^-1 A^T C^-1 d for d = A x + noise of covariance C, or diag(sd^2): the estimate of least
 * variance (Aitken 1936), by a QR of the whitened A (n x k, n >= k) with scaled columns; and V (k x k; V.a NULL: not
 * wanted) <- its covariance (A^T C^-1 A)^-1: the inverse of the precision A^T C^-1 A. 2 n k^2 + n^2 k for a C.
 * LNT_ENUMERIC where A has not full column rank; LNT_EDOMAIN for what is not finite or not positive. */
LNT_API lnt_status lnt_inverse(lnt_ctx *ctx, double *x, lnt_mat V, lnt_inverse_info *info, lnt_mat A, const double *d,
                               const double *sd, lnt_mat C);

/* ---- The naive iteration ----
 * w <- T(w) = B(w)^+ d, which solves B w = d instead of B (w' - w) = d - f(w): it drops f - B w, the part of f that is
 * not linear in w. Its fixed points have B^T (d - B w) = 0, where least squares has B^T (d - f) = 0. Exact in one step
 * where f is linear; otherwise it leaves even the optimum, and mostly ends on a cycle. For study. */

typedef enum lnt_naive_solver {
    LNT_NAIVE_NORMAL, /* (B^T B)^-1 B^T d by Cholesky: fails where that is singular to rounding */
    LNT_NAIVE_PINV,   /* B^+ d, singular values below rcond of the largest left out: the path depends on it */
    LNT_NAIVE_RIDGE   /* (B^T B + mu I)^-1 B^T d */
} lnt_naive_solver;

typedef struct lnt_naive_opts {
    lnt_naive_solver solver;
    double mu;        /* of the ridge, > 0 */
    double rcond;     /* of the pseudoinverse */
    int max_steps;    /* >= 1 */
    int max_period;   /* 1 .. 100 */
    double tolerance; /* of cycles */
} lnt_naive_opts;

/* pinv, mu 1e-3, rcond 1e-12, 2000 steps, period 100, tolerance 1e-6. */
LNT_API void lnt_naive_defaults(lnt_naive_opts *opts);

typedef enum lnt_naive_status {
    LNT_NAIVE_FIXED_POINT, /* a cycle of period 1 */
    LNT_NAIVE_CYCLE,
    LNT_NAIVE_SINGULAR,  /* the normal equations */
    LNT_NAIVE_NONFINITE, /* weights or the model's values */
    LNT_NAIVE_LIMIT
} lnt_naive_status;

/* One step: from weights with these numbers to the next. */
typedef struct lnt_naive_step {
    double sse, norm; /* SSE and |w| before the step */
    double move;      /* |T(w) - w|/|w|; NaN where w = 0 */
    int rank;         /* of B: singular values above rcond */
} lnt_naive_step;

typedef struct lnt_naive_info {
    lnt_naive_status status;
    int period;          /* of the cycle, 1 for a fixed point, 0 for none */
    int steps;           /* done */
    double sse[100];     /* at the `period` points of the cycle, in order of time */
    double best_sse;     /* lowest on the path */
    double constant_sse; /* of the best constant prediction, the same for all outputs: what has learnt nothing */
    double cosine; /* of the gradient at the last weights, as in lnt_fit_info: at a fixed point 0 says that it is a
                    * least-squares point after all */
} lnt_naive_info;

/* w: start <- last weights that are finite; path (max_steps entries, NULL: not wanted) <- one
 * entry a step, info->steps of them. A cycle of
 * period p is reported where |w_t - w_{t-p}| <= tolerance max |w| over the last 3 p steps, the largest |w| among them:
 * of p the smallest. Weights are compared, not SSE, which may be constant while they move. Cost a step: one SVD of B,
 * about 6 n k min(n, k), more than 8 n k bytes. LNT_OK however it ends. LNT_EINVAL for options out of range and for
 * problems with penalties. */
LNT_API lnt_status lnt_naive(lnt_ctx *ctx, double *w, lnt_naive_info *info, lnt_naive_step *path,
                             const lnt_fit_problem *problem, const lnt_naive_opts *opts);

/* Where the naive iteration goes from a least-squares point w*: T(w*) - w* = B^+ (f* - B w*) - (I - B^+ B) w* exactly
 * there, as B^T (d - f*) = 0. */
typedef struct lnt_naive_displacement {
    double move;      /* |T(w*) - w*|/|w*|, T with the pseudoinverse */
    double predicted; /* the same by the formula */
    double deviation; /* |difference of the two vectors|/|w*|: about cosine |r|/(smallest singular value) */
    double sse, next; /* SSE at w* and at T(w*); NaN where the model has no value there */
} lnt_naive_displacement;

LNT_API lnt_status lnt_naive_displace(lnt_ctx *ctx, lnt_naive_displacement *displacement,
                                      const lnt_fit_problem *problem, const double *w, double rcond);

#ifdef __cplusplus
}
#endif
#endif
