/* The Bayesian side of models: likelihoods, the most probable weights, evidence, Laplace's approximation, predictions.
 *
 * Symbols: w (k) weights, f(w) (n) outputs, B (n x k) Jacobian (model.h), d (n) data. Prior: w_j ~ N(0, 1/alpha_g) for
 * the weights j of group g, D = diag(sqrt alpha_g(j)). C (n x n) is minus the second derivative of log p(d|f) by f, and
 *     J(w) = log p(d | f(w)) - 1/2 sum_g alpha_g |w_g|^2                     the log posterior, but for a constant,
 *     A    = B' C B + D^2                                                    its generalised Gauss-Newton curvature,
 * that is, of the model linearised at w. The posterior is taken as N(w*, A^-1) at a maximum w* of J (Laplace; MacKay
 * 1992), exact for a linear model with Gaussian noise. A^-1 is the covariance; B'B is not.
 *
 * With C = L L' and L' B D^-1 = U S V', everything follows from the k x m matrix V and the m = min(n, k) numbers s:
 *     A^-1 = D^-1 [V diag(1/(1 + s^2)) V' + (1 - V V')] D^-1,       log det A = log det D^2 + sum log(1 + s^2),
 * without a difference of close numbers, whichever of n and k is larger. */
#ifndef LINNET_POSTERIOR_H
#define LINNET_POSTERIOR_H

#include "linnet/model.h"
#include "linnet/net.h"
#include "linnet/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Likelihoods ------------------------------------------------------------------------------------------------- */

typedef enum lnt_likelihood_kind {
    LNT_GAUSSIAN,   /* d_i ~ N(f_i, 1/(beta v_i)) */
    LNT_BERNOULLI,  /* d_i = 1 with p_i = 1/(1 + e^-f_i): f are logits */
    LNT_CATEGORICAL /* class c of a sample with p_c = e^f_c/sum_j e^f_j over its `classes` logits */
} lnt_likelihood_kind;

typedef struct lnt_likelihood {
    lnt_likelihood_kind kind;
    size_t n; /* outputs of the model */
    /* n values, finite. Bernoulli: 0, 1 or a share between. Categorical: for each sample the shares of its classes,
     * which sum to 1, so one-hot where the class is known. Shares count as so much of an observation. */
    const double *d;
    int classes; /* categorical: q >= 2, sample i has the outputs i q .. i q + q - 1; else not read */
    double beta; /* Gaussian: precision of the noise, > 0; else not read */
    const double
        *sqrtw; /* Gaussian: n values sqrt v_i > 0, such as 1/(known standard deviation) with beta 1; NULL: 1 */
} lnt_likelihood;

/* log p(d | f), with all constants. Relative accuracy 1e-15 also where a probability is close to 0 or 1. */
LNT_API double lnt_log_likelihood(const lnt_likelihood *likelihood, const double *f);
/* g (n) <- d log p(d|f)/df: beta v (d - f); d - p. Nothing is lost where p rounds to d. g may be f. */
LNT_API void lnt_likelihood_gradient(double *g, const lnt_likelihood *likelihood, const double *f);
/* Columns of X, which belong to the outputs first .. first + X.cols - 1 as those of B' do, X <- X L, with C = L L':
 * L = sqrt(beta v); sqrt(p (1 - p)); diag(sqrt p) - p sqrt(p)' for each sample. Categorical: whole samples only. */
LNT_API void lnt_likelihood_whiten(lnt_mat X, const lnt_likelihood *likelihood, const double *f, size_t first);

/* ---- Prior and posterior ----------------------------------------------------------------------------------------- */

typedef struct lnt_prior {
    int groups;       /* >= 1 */
    const int *group; /* k entries, the group 0 .. groups - 1 of each weight; NULL: all in group 0 */
    double *alpha;    /* `groups` precisions > 0 */
} lnt_prior;

/* *J (may be NULL) <- J(w), gradient (k values; may be NULL) <- dJ/dw = B' dlog p/df - D^2 w, A (k x k, may have A.a =
 * NULL) <- both triangles of the curvature, 2 n k + n k^2 operations. *rejected <- whether the model has no value at w:
 * then all of it means nothing. */
LNT_API lnt_status lnt_log_posterior(lnt_ctx *ctx, double *J, double *gradient, lnt_mat A, bool *rejected,
                                     const lnt_model *model, const double *w, const lnt_likelihood *likelihood,
                                     const lnt_prior *prior);

typedef struct lnt_mode_opts {
    double tolerance; /* of the distance that is left to the mode, in standard deviations of the posterior; > 0 */
    int max_steps;    /* >= 0 */
    double tau;       /* first damping in units of the largest diagonal entry of A, >= 0; 0: none until a step fails */
} lnt_mode_opts;

/* 1e-8, 500 steps, tau 1e-3. */
LNT_API void lnt_mode_defaults(lnt_mode_opts *opts);

typedef struct lnt_mode_info {
    double log_posterior, log_likelihood; /* J and log p(d|f) at w */
    double distance; /* sqrt(g' A^-1 g), the length of the next Gauss-Newton step in standard deviations */
    double cosine;   /* |B' dlog p/df - D^2 w| / (|B' dlog p/df| + |D^2 w|): how well the two cancel */
    int steps, evaluations;
    bool converged; /* distance within the tolerance, or as small as rounding allows */
} lnt_mode_info;

/* w (k; start, then answer) <- a local maximum of J: steps (A + mu I)^-1 dJ/dw, accepted where J rises, mu after
 * Nielsen 1999; at the end, where J itself is rounding, where the distance falls, undamped if possible. Convergence is
 * linear, and quadratic for linear models. Cost of a step: the Jacobian and min(n, k)^2 max(n, k) + 1/3 min(n, k)^3;
 * for n < k no k x k matrix is formed. For networks start from a fit. LNT_OK also where it ran out of steps or was
 * cancelled. LNT_ESHAPE: n differs; LNT_EDOMAIN: data, prior or start out of range, or the model has no value at the
 * start; LNT_EUSER: a callback says so. info and opts may be NULL. */
LNT_API lnt_status lnt_posterior_mode(lnt_ctx *ctx, double *w, lnt_mode_info *info, const lnt_model *model,
                                      const lnt_likelihood *likelihood, const lnt_prior *prior,
                                      const lnt_mode_opts *opts);

/* N(w, A^-1), in scratch memory; w is copied. The formulas hold at any w, what they mean only at a mode. */
typedef struct lnt_posterior {
    int n, k, rank;    /* rank: m = min(n, k) */
    double *w, *scale; /* k each: mean, and 1/sqrt(alpha_g(j)) */
    lnt_mat V;         /* k x m, see above */
    double *s;         /* m values, descending */
    int groups;
    int *size;             /* weights in each group */
    double *gamma_group;   /* number of weights that the data determine, gamma_g = k_g - alpha_g tr_g(A^-1) */
    double *square;        /* |w_g|^2 */
    double *slope;         /* d log evidence/d log alpha_g = (gamma_g - alpha_g |w_g|^2)/2, with B fixed */
    double gamma;          /* sum of gamma_g = sum s^2/(1 + s^2) */
    double noise_slope;    /* Gaussian: d log evidence/d log beta = (n - gamma - beta SSE)/2; else 0 */
    double sse;            /* Gaussian: sum v_i (d_i - f_i)^2; else NaN */
    double log_likelihood; /* log p(d|f(w)) */
    double log_det;        /* log det A */
    double log_evidence;   /* 1/2 sum k_g log alpha_g + log p(d|f) - 1/2 sum alpha_g |w_g|^2 - 1/2 log det A */
} lnt_posterior;

/* Decomposes L' B D^-1: for n > k by rows in chunks, QR with R kept, 3 n k^2 operations and 2 k (k + LNT_MODEL_CHUNK)
 * numbers; for n <= k all of B' at once; then an SVD, some 10 to 20 m^2 max(m, k). Errors as lnt_posterior_mode(). */
LNT_API lnt_status lnt_posterior_make(lnt_ctx *ctx, lnt_posterior *posterior, const lnt_model *model, const double *w,
                                      const lnt_likelihood *likelihood, const lnt_prior *prior);

/* log of the number of mirror images of a layered network with tied weights nowhere: H! orders of the H units of every
 * hidden layer, and 2^H signs where the activation is odd (tanh). Added to the log evidence of one mode it counts them
 * all. That holds where their posteriors do not overlap. Those of units without use do: the sum then favours networks
 * that are too large, so report it apart. 0 for the linear activation, whose symmetries are continuous. */
LNT_API double lnt_log_symmetries(int depth, const int *width, lnt_activation activation);

/* ---- What follows from the posterior ----------------------------------------------------------------------------- */

/* S (k x k) <- A^-1. 2 k^2 m operations. */
LNT_API lnt_status lnt_posterior_covariance(lnt_ctx *ctx, lnt_mat S, const lnt_posterior *posterior);
/* sd (k) <- standard deviations of the weights; 2 k m operations. */
LNT_API void lnt_posterior_deviations(double *sd, const lnt_posterior *posterior);
/* S (r x r) <- X' A^-1 X for X (k x r): with X = B' of other outputs, their covariance in the linearised model. 2 k m
 * operations a column where m = k, else 4, and k r^2. */
LNT_API lnt_status lnt_posterior_project(lnt_ctx *ctx, lnt_mat S, const lnt_posterior *posterior, lnt_mat X);
/* w (k) <- a draw from N(w*, spread^2 A^-1); k standard normal numbers. spread 1 for the posterior, more for starts of
 * chains. */
LNT_API lnt_status lnt_posterior_draw(lnt_ctx *ctx, double *w, const lnt_posterior *posterior, double spread,
                                      lnt_rng *rng);

/* mean (n*) <- outputs f*(w) of `model`, the same network at other inputs, variance (n*) <- diag(B* A^-1 B*'): the
 * predictive distribution of the linearised model ("GLM"), without noise. Pushing draws of w through the network
 * instead is often far worse, because the Gaussian holds where the linearisation does. 2 to 4 k m operations an output.
 * LNT_ESHAPE: another number of weights. */
LNT_API lnt_status lnt_posterior_predict(lnt_ctx *ctx, double *mean, double *variance, const lnt_posterior *posterior,
                                         const lnt_model *model);
/* low, high (n) <- the interval mean -+ z sqrt(variance + noise) that holds `coverage` of a normal distribution; noise:
 * 0 for f, 1/beta for new data. LNT_EDOMAIN: coverage not in (0, 1). */
LNT_API lnt_status lnt_predictive_band(lnt_ctx *ctx, double *low, double *high, const double *mean,
                                       const double *variance, size_t n, double noise, double coverage);

/* E 1/(1 + e^-z), z ~ N(mean, variance), to 1e-15: the trapezoidal rule, exponentially convergent (Trefethen and
 * Weideman 2014), of at most some 200 nodes for any variance. Gauss-Hermite rules lose digits from a variance of 10 on.
 */
LNT_API double lnt_logistic_mean(double mean, double variance);
/* 1/(1 + e^-z) at z = mean/sqrt(1 + pi variance/8), the same to about 0.02 (MacKay 1992a). */
LNT_API double lnt_logistic_probit(double mean, double variance);
/* p (q) <- softmax(z), p_j = e^z_j/sum_i e^z_i, also where e^z_j would overflow; q >= 1. p must not overlap z. */
LNT_API void lnt_softmax(double *p, const double *z, int q);
/* p (q) <- E softmax(z), z ~ N(mean, S) for a symmetric positive semidefinite S (q x q), by `draws` pairs of
 * z = mean +- L x, error (q; may be NULL) <- standard errors of p. */
LNT_API lnt_status lnt_softmax_mean(lnt_ctx *ctx, double *p, double *error, const double *mean, lnt_mat S, int draws,
                                    lnt_rng *rng);

/* ---- Evidence ---------------------------------------------------------------------------------------------------- */

typedef struct lnt_evidence_opts {
    bool keep_alpha, keep_beta; /* not re-estimated; beta of other likelihoods never is */
    double tolerance;           /* of sum |change of log alpha_g| + |change of log beta| in one round */
    int max_rounds;
    double alpha_least, alpha_most; /* bounds > 0 */
    double beta_most;               /* upper bound, in units of 1/mean of v d^2 */
    lnt_mode_opts mode;
} lnt_evidence_opts;

/* All re-estimated, 1e-7, 1000 rounds, alpha within 1e-9 .. 1e9, beta up to 1e14; mode: its defaults. */
LNT_API void lnt_evidence_defaults(lnt_evidence_opts *opts);

typedef struct lnt_evidence_info {
    int rounds, evaluations;
    bool converged;
    int at_bound;       /* how many of alpha and beta were held at a bound in the last round */
    lnt_mode_info mode; /* of the last refit */
} lnt_evidence_info;

/* Re-estimates alpha and beta from the evidence (MacKay 1992; Foresee and Hagan 1997): round by round a mode from the
 * former one, its posterior, and
 *     alpha_g <- gamma_g/|w_g|^2,    beta <- (n - gamma)/SSE,
 * whose fixed points have slope 0. w (start, then mode), prior->alpha and likelihood->beta (start, then answer) are
 * overwritten, *posterior <- that of the answer, in scratch memory. A group that the data do not need runs away to
 * alpha_most, one with few and large weights to alpha_least, and a model that fits without error to beta_most: held
 * there, counted, and said in the log. There can be several fixed points. LNT_OK also where it ran out of rounds.
 * Errors as lnt_posterior_mode(); LNT_EINVAL: options out of range. info and opts may be NULL. */
LNT_API lnt_status lnt_evidence(lnt_ctx *ctx, double *w, lnt_posterior *posterior, lnt_evidence_info *info,
                                const lnt_model *model, lnt_likelihood *likelihood, const lnt_prior *prior,
                                const lnt_evidence_opts *opts);

/* ---- The same from kernels: n < k, or no weights at all ---------------------------------------------------------- */

/* The posterior of n outputs f = f0 + B w given data, from their prior covariance K = B D^-2 B' (for one group the
 * neural tangent kernel over alpha): a Gaussian process. In scratch memory. */
typedef struct lnt_process {
    int n;
    const lnt_likelihood *likelihood;    /* borrowed, with its data */
    double *f;                           /* n values at the mode */
    double *g;                           /* dlog p/df there; the mode of other outputs is f0* + K*' g */
    lnt_mat U;                           /* L' K L = U diag(lam) U' */
    double *lam;                         /* n values >= 0, ascending */
    double gamma;                        /* sum lam/(1 + lam) */
    double square;                       /* g' K g, which is sum alpha_g |w_g|^2 at the mode */
    double log_likelihood, log_evidence; /* log_evidence = log p(d|f) - 1/2 g' K g - 1/2 sum log(1 + lam) */
    int steps;                           /* of Newton's method */
} lnt_process;

/* The posterior of K (n x n, symmetric positive semidefinite, both triangles) from the prior mean f0 (n; NULL: 0).
 * Gaussian: one decomposition, and the evidence is log N(d; f0, K + 1/(beta v)). Else the mode by Newton's method with
 * halved steps (Rasmussen and Williams 2006, algorithm 3.1), n^3 operations each. 9 n^3 operations for the
 * decomposition. LNT_ENUMERIC: no convergence. Other errors as lnt_posterior_mode(). */
LNT_API lnt_status lnt_process_make(lnt_ctx *ctx, lnt_process *process, lnt_mat K, const double *f0,
                                    const lnt_likelihood *likelihood);
/* The same at outputs f (n) that are the mode already, such as those of a network at a mode of J, with K from its
 * Jacobian there. */
LNT_API lnt_status lnt_process_at(lnt_ctx *ctx, lnt_process *process, lnt_mat K, const double *f,
                                  const lnt_likelihood *likelihood);
/* mean (r) <- f0* + Kx' g for other outputs with prior mean f0 (NULL: 0) and prior covariance Kx (n x r) with the n;
 * may be NULL. variance (r; may be NULL) <- those of K* - Kx' L (1 + L' K L)^-1 L' Kx from the prior variances K*_jj
 * (prior), >= 0: what rounds below 0 is 0. 2 n^2 r operations. */
LNT_API lnt_status lnt_process_predict(lnt_ctx *ctx, double *mean, double *variance, const lnt_process *process,
                                       lnt_mat Kx, const double *f0, const double *prior);
/* S (r x r) <- that whole matrix; its prior covariance K* (r x r). */
LNT_API lnt_status lnt_process_covariance(lnt_ctx *ctx, lnt_mat S, const lnt_process *process, lnt_mat Kx, lnt_mat Kr);

/* ---- Classes that a line separates ------------------------------------------------------------------------------- */

typedef struct lnt_separation {
    bool separable; /* there is v with margins M v >= 0, not all 0: the likelihood rises along it forever */
    bool complete;  /* and one with M v > 0 */
    double *v;      /* k: such a direction of norm 1, or zeros; scratch memory */
    double least;   /* min and max over margins (M v), each of a row of M scaled to norm 1 */
    double most;
    double residual; /* certificate that it is not: |M' u|/sum |M_i| u_i for some u >= 1 */
    int margins;     /* rows of M */
} lnt_separation;

/* Whether the likelihood of the model linearised at w, f(w) + B v, has no maximum over v (Albert and Anderson 1984):
 * weights of a fit without prior then grow without bound, standard errors mean nothing, and the evidence hangs on
 * the prior. The rows of M are (2 d_i - 1) B_i for Bernoulli, B_c - B_j for the class c and every other j for
 * categorical data, both signs where a share lies between. A finite maximum exists iff u > 0 with M' u = 0 does
 * (Stiemke 1915): the point of the cone {M' u, u >= 1} next to 0 is found by non-negative least squares in an
 * orthonormal basis of the rows (Lawson and Hanson 1974), and where it is not 0 it is v. What is below 1e-8 counts as
 * 0. Logs one line where the classes are separable. Gaussian: never separable. Cost: some margins k^2 for the basis and
 * every step, as many steps as rank. For a linear model the answer does not depend on w. */
LNT_API lnt_status lnt_separable(lnt_ctx *ctx, lnt_separation *separation, const lnt_model *model, const double *w,
                                 const lnt_likelihood *likelihood);

#ifdef __cplusplus
}
#endif
#endif
