/* Training of a model that is linear in its weights around their start: f(W) = f0 + B (W - W0).
 *
 * Symbols: d (n) data, f0 (n) outputs at W0, B (n x k) Jacobian there, Theta = B B' = U diag(lam) U' the empirical
 * neural tangent kernel (Jacot et al. 2018), c = U'(d - f0), Theta* = B* B' that of other outputs with the n. For the
 * loss 1/2 |d - f|^2, with a pull m/2 |W - W0|^2,
 *     W(t) = W0 + B' a,   f(t) = f0 + Theta a = f0 + U (lam phi) c,   f*(t) = f0* + Theta* a,   a(t) = U phi c,
 * where phi(lam, t) is g of response.h for the rule with ridge m: -expm1(-(lam + m) t)/(lam + m) for the gradient flow.
 * Steps of descent on the mean of the squares over 2 n data are those of eta/n here. The flow takes the time 1/lam for
 * a mode to be learned but for 1/e of it, descent is stable for eta < lnt_stable_step(lam_max, beta, m), and the limit
 * of long times without pull is the interpolant of least |W - W0|, one Gauss-Newton step. */
#ifndef LINNET_LINEARIZE_H
#define LINNET_LINEARIZE_H

#include "linnet/derivatives.h"
#include "linnet/flow.h"
#include "linnet/posterior.h"
#include "linnet/response.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Kernels ----------------------------------------------------------------------------------------------------- */

/* Theta (N q x N2 q) <- B B2' of a network with q outputs at the samples X (inputs x N) and X2 (inputs x N2; X2.a NULL:
 * X again, at half the cost), entry (i q + o, j q + o'), without forming B: with the layer outputs z and the
 * back-propagated factors D_l = df/da_l,
 *     Theta[(i,o), (j,o')] = sum_l (s_l^2 z_{l-1,i}.z_{l-1,j} + t^2) D_l[i,o].D_l[j,o']
 * (t = 0 without biases): per layer the product of two Gram matrices, entry by entry. 2 N N2 sum_l (h_{l-1} + q^2 h_l)
 * operations instead of 2 N N2 q^2 k; memory for (N + N2) sum_l (h_l + q h_l) numbers beside Theta. By tiles over
 * `threads` (0: all), with the same numbers for any. Relative accuracy 1e-14 of sqrt(Theta_ii Theta_jj). LNT_ESHAPE:
 * Theta has another shape; LNT_EDOMAIN: something is not finite. */
LNT_API lnt_status lnt_ntk(lnt_ctx *ctx, lnt_mat Theta, const lnt_layers *net, const double *w, lnt_mat X, lnt_mat X2,
                           int threads);
/* theta (N q) <- the diagonal of Theta at X. */
LNT_API lnt_status lnt_ntk_diagonal(lnt_ctx *ctx, double *theta, const lnt_layers *net, const double *w, lnt_mat X);
/* K (n x n2) <- B diag(v) B2' of any two models of the same weights, v (k values; NULL: 1) such as prior variances
 * 1/alpha_j; other NULL: `model` again. From rows in chunks: 2 n n2 k operations and 2 k LNT_MODEL_CHUNK numbers where
 * there is a Jacobian callback, else all rows at once. */
LNT_API lnt_status lnt_model_kernel(lnt_ctx *ctx, lnt_mat K, const lnt_model *model, const lnt_model *other,
                                    const double *w, const double *v);

/* ---- Squared loss ------------------------------------------------------------------------------------------------ */

/* In scratch memory. */
typedef struct lnt_linearized {
    int n;
    lnt_mat U;   /* n x n, columns: modes in the space of outputs */
    double *lam; /* ascending, >= 0; below n eps lam_max they are rounding and set to 0 */
    double *c;   /* U'(d - f0) */
    double *f0;  /* a copy */
} lnt_linearized;

/* Decomposes Theta (n x n, lower triangle read, unchanged): 9 n^3 operations. LNT_EDOMAIN: something is not finite, or
 * an eigenvalue is below 0 by more than rounding (1e-10 lam_max). */
LNT_API lnt_status lnt_linearize(lnt_ctx *ctx, lnt_linearized *lin, lnt_mat Theta, const double *f0, const double *d);

/* phi(lam, t) for t >= 0: the flow at time t (rule->eta = 0), or whole numbers of steps. t = INFINITY: the limit,
 * 1/(lam + m), and 0 where lam = m = 0, which no output can see; infinite or NaN where the rule diverges. Accuracy as
 * lnt_response_at(). */
LNT_API double lnt_linearized_phi(const lnt_smooth_rule *rule, double lam, double t);
/* When p = 1 - (lam + m) phi has fallen to 1 - share, 0 < share < 1: -log1p(-share)/(lam + m) for the flow, a real
 * number of steps for descent; with momentum, of its envelope: log(1 - share)/log(factor a step), for long times.
 * INFINITY for lam + m = 0 and where the rule does not converge. */
LNT_API double lnt_learning_time(const lnt_smooth_rule *rule, double lam, double share);
/* Column k of F (n x count) <- f at times[k], in any order. n^2 count operations. LNT_EDOMAIN for a time that is below
 * 0 or NaN. */
LNT_API lnt_status lnt_linearized_outputs(lnt_ctx *ctx, lnt_mat F, const lnt_linearized *lin,
                                          const lnt_smooth_rule *rule, const double *times, int count);
/* Column k of A (n x count) <- a at times[k], from which weights W0 + B' a (lnt_model_vjp()) and other outputs follow.
 */
LNT_API lnt_status lnt_linearized_coefficients(lnt_ctx *ctx, lnt_mat A, const lnt_linearized *lin,
                                               const lnt_smooth_rule *rule, const double *times, int count);
/* F (r x count) <- f0* + Theta* A for other outputs, Theta* (r x n), f0* (r values). */
LNT_API void lnt_linearized_elsewhere(lnt_mat F, lnt_mat Theta_star, const double *f0_star, lnt_mat A);

/* ---- Any likelihood ---------------------------------------------------------------------------------------------- */

/* The same for the loss -log p(d|f) instead of squares, which has no closed form: column k of A (n x count) <- a at
 * times[k] ascending, of a' = dlog p/df (f0 + Theta a) - m a, a(0) = 0: lnt_flow() for rule->eta = 0, else steps with
 * momentum at whole numbers of them. n^2 operations a step. Columns that a flow did not reach are NaN (info, which may
 * be NULL, and is not touched for steps). opts NULL: rtol 1e-8, atol 1e-10 times max |dlog p/df (f0)|. Theta: both
 * triangles. */
LNT_API lnt_status lnt_linearized_descent(lnt_ctx *ctx, lnt_mat A, lnt_flow_info *info, lnt_mat Theta, const double *f0,
                                          const lnt_likelihood *likelihood, const lnt_smooth_rule *rule,
                                          const double *times, int count, const lnt_flow_opts *opts);

/* ---- How far training is from it --------------------------------------------------------------------------------- */

/* deviation = constant width^exponent */
typedef struct lnt_width_law {
    double exponent, constant;
    double error; /* standard error of the exponent from the scatter over seeds, or of one seed from that about the
                   * line; NaN where there is neither */
} lnt_width_law;

/* The law through measured deviations, root mean square differences between f_lin(t) and trained networks at one time:
 * deviation is seeds x widths, width[0..widths-1] > 0, not all the same. Least squares through log width and the log of
 * the mean over seeds. For gradient descent in NTK scaling the deviation is bounded by O(h^-1/2) (Lee et al. 2019), its
 * leading term 1/h (Dyer et al. 2020): exponents around -1 at fixed time. Single widths scatter severalfold.
 * LNT_EDOMAIN: a number is not above 0. LNT_EINVAL: fewer than two widths. */
LNT_API lnt_status lnt_width_law_fit(lnt_ctx *ctx, lnt_width_law *law, const double *width, lnt_mat deviation);

#ifdef __cplusplus
}
#endif
#endif
