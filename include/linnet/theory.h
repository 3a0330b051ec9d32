/* Closed forms, each with its source and a function that measures its assumptions. No files, no randomness.
 *
 * Symbols: E(W) = 1/2 [tr Syy - 2 <Syx, W> + <W Sxx, W>], the loss of the linear map W on a task with the moments
 * Sxx, Syx, tr Syy. */
#ifndef LINNET_THEORY_H
#define LINNET_THEORY_H

#include "linnet/flow.h"
#include "linnet/net.h"

#ifdef __cplusplus
extern "C" {
#endif

/* E(W). Loses digits to cancellation where E is far below tr Syy: absolute error about 1e-15 tr
 * Syy; what cannot be told from 0 is 0. */
LNT_API lnt_status lnt_linear_loss(lnt_ctx *ctx, double *loss, lnt_mat W, const lnt_moments *m);

/* W <- the linear map of rank at most `rank` with the least E, and of least norm among those (reduced-rank
 * regression, Izenman 1975; Eckart and Young 1936 for white inputs): W = U_r U_r^T Syx Sxx^+ with the leading left
 * singular vectors U_r of Syx Sxx^{+1/2}. rank <= 0 or >= min(outputs, inputs): plain least squares. Once the
 * inputs are scaled to unit second moment, directions below inputs * 2e-16 of the largest eigenvalue count as null:
 * through second moments nothing smaller can be told from rounding. *used receives the rank of the answer (may be
 * NULL). This is the global minimum for linear networks of any depth whose narrowest layer has `rank` units (Baldi and
 * Hornik 1989). Cost about 9 inputs^3. */
LNT_API lnt_status lnt_least_squares(lnt_ctx *ctx, lnt_mat W, int *used, const lnt_moments *m, int rank);

/* max |Sxx - I|: how far the inputs are from white. */
LNT_API double lnt_whiteness(lnt_mat Sxx);
/* max_l |W_{l+1}^T W_{l+1} - W_l W_l^T|_F: how far a network is from zero-balanced. 0 for one layer. */
LNT_API lnt_status lnt_imbalance(lnt_ctx *ctx, double *imbalance, const lnt_net *net, const double *w);

/* ---- Flows: where there is no closed form ----
 *
 * All times are in units of tau, times[0] >= 0 ascending, and the start is at time 0. Tolerances, methods, what is left
 * in columns that were not reached, info and errors as for lnt_flow(); opts NULL: its defaults; info may be NULL. */

/* One mode of a network of `depth` layers with strengths a_1 .. a_L of any size (not balanced): da_l/dt =
 * (prod_{k != l} a_k) (s - prod_k a_k), a(0) = a0. A (depth x count) <- a at the times. All a_l^2 - a_k^2 are
 * conserved, so only the layer of smallest |a| is integrated and the invariants hold to rounding error in every answer:
 * a_l = sign(a_l(0)) sqrt(a_m^2 + a_l(0)^2 - a_m(0)^2); a_m may cross zero, the others cannot. LNT_EDOMAIN where s or a
 * start value is not finite; LNT_EINVAL for depth < 1. */
LNT_API lnt_status lnt_depth_unequal(lnt_ctx *ctx, lnt_mat A, lnt_flow_info *info, const double *a0, int depth,
                                     double s, const double *times, int count, const lnt_flow_opts *opts);

/* When modes are learned: mode i is m_i = u_i^T W v_i for columns u_i of U (outputs x modes) and v_i of V (inputs x
 * modes); time[i] receives when m_i first crosses level[i], NaN if it did not up to the last output time. */
typedef struct lnt_mode_times {
    lnt_mat U, V;
    const double *level;
    double *time;
} lnt_mode_times;

/* Gradient flow of a layered linear network of any depth, balanced or not, dW_l/dt = -dE/dW_l with E(W_L ... W_1) from
 * the moments m, any Sxx: column k of Y (lnt_net_size x count) <- the weights at times[k] from w0. Where this is the
 * limit of small steps of gradient descent with rate eta on E, t = eta steps. modes may be NULL.
 * W_{l+1}^T W_{l+1} - W_l W_l^T is conserved, to about the tolerance.
 *
 * Gradient flow commutes with rotations of inputs and outputs, so it is integrated in the eigenbasis of Sxx, where
 * inputs cost no product, or for white inputs (Sxx within 1e-13 of I) in the singular bases of Syx, the modes;
 * tolerances apply to the weights in these bases. There two layers are integrated as W1' = W2^T S - K W1, W2' = S W1^T
 * - W2 (K - C) with K = W2^T W2 and its conserved difference C = W2^T W2 - W1 W1^T, where that is cheaper: the
 * invariant is then attracting. A slope takes 2 outputs (3 weights) operations and no more than 3 products of matrices
 * for two layers, whatever the number of samples. Once the product is the least-squares map to rtol/100 of its largest
 * entry the flow is at rest (info->rest), and later times cost nothing. LNT_ESHAPE where net and moments do not fit. */
LNT_API lnt_status lnt_net_flow(lnt_ctx *ctx, lnt_mat Y, lnt_flow_info *info, const lnt_mode_times *modes,
                                const lnt_net *net, const double *w0, const lnt_moments *m, const double *times,
                                int count, const lnt_flow_opts *opts);

/* A loss of linear maps: G <- dE/dW at W, of equal shape. Returns as a slope of lnt_ode. */
typedef int (*lnt_map_gradient)(lnt_mat G, lnt_mat W, void *user);

/* The product W = W_N ... W_1 of a zero-balanced network of `depth` N layers, none narrower than the rank of W0, on any
 * loss (Arora et al. 2018): W' = -sum_{j=1}^N (W W^T)^{(N-j)/N} G(W) (W^T W)^{(j-1)/N}, 0^0 = 1. Column k of Y
 * (rows*cols x count) <- W at times[k], column-major. For N >= 2 the rank is conserved and is held: in every slope all
 * singular values beyond the rank of W0 count as 0 (round-off raised to the power 2/N does not). W0 has the rank of
 * singular values above max(rows, cols) * 2e-16 of the largest; W0 = 0 stays.
 * A slope takes one gradient, one singular value decomposition and 4 rows cols (rows + cols) operations. */
LNT_API lnt_status lnt_product_flow(lnt_ctx *ctx, lnt_mat Y, lnt_flow_info *info, lnt_mat W0, int depth,
                                    lnt_map_gradient gradient, void *user, const double *times, int count,
                                    const lnt_flow_opts *opts);

/* ---- Matrices of which some entries are observed ---- */

/* The entries of T where mask, of the same shape and of entries 0 and 1, is 1. The others of T do not matter. */
typedef struct lnt_observed {
    lnt_mat T, mask;
} lnt_observed;

/* An lnt_map_gradient: G <- mask o (W - T), of E = 1/2 |mask o (W - T)|^2. `user` points to an lnt_observed. */
LNT_API int lnt_observed_gradient(lnt_mat G, lnt_mat W, void *user);
/* Root mean square of W - T over the entries observed; NaN where there are none. */
LNT_API double lnt_observed_error(const lnt_observed *observed, lnt_mat W);

typedef struct lnt_nuclear_opts {
    double lambda;    /* where the continuation ends; 0: 1e-4 of the largest singular value of mask o T */
    double tolerance; /* of the duality gap at the last lambda, relative to the objective */
    long max_steps;   /* of all lambdas together */
} lnt_nuclear_opts;

/* lambda 0, tolerance 1e-9, 100,000 steps. */
LNT_API void lnt_nuclear_defaults(lnt_nuclear_opts *opts);

typedef struct lnt_nuclear_info {
    double lambda;     /* the last one */
    double objective;  /* P(W) */
    double gap;        /* certificate: P(W) - P_min <= gap, and |mask o (W - W_min)|^2 <= 2 gap */
    double kkt;        /* |W - shrink(W + R, lambda)| / |mask o T|, which is 0 at the minimum */
    double norm;       /* |W|_* */
    double least_norm; /* no matrix that has the observed entries has a smaller nuclear norm than this */
    double error;      /* rms of R over the entries observed: how far W is from interpolating them */
    int rank;          /* of W: singular values that the shrinking left */
    long steps;
    bool converged; /* the gap is within the tolerance at the last lambda */
} lnt_nuclear_info;

/* W <- argmin P(W) = 1/2 |mask o (W - T)|^2 + lambda |W|_*, for a decreasing sequence of lambda. As lambda -> 0 this is
 * the matrix of least nuclear norm with the observed entries; at a small lambda it is off by O(lambda).
 *
 * Proximal gradient steps of length 1, W <- shrink(V + R(V), lambda), R(V) = mask o (T - V), where shrink subtracts
 * lambda from all singular values and drops what becomes negative (Cai et al. 2010); accelerated, V a step beyond W
 * along its last move, and started anew where the move turns against the gradient (Beck and Teboulle 2009; O'Donoghue
 * and Candes 2015); with continuation, lambda falling by factors of 0.3 from the largest singular value of mask o T,
 * each from the answer of the former (Toh and Yun 2010). The dual of the problem is max <Y, T> - 1/2 |Y|^2 over Y that
 * are 0 outside the mask with largest singular value |Y|_2 <= lambda; the residual R(W), scaled down to that, gives the
 * gap. <R, T>/|R|_2 is a lower bound for the norm of all interpolating matrices.
 *
 * Cost: a singular value decomposition a step, some hundred to some thousand steps: more the smaller lambda and the
 * tolerance. Accuracy: as the gap says, down to about 1e-13. LNT_OK also where it ran out of steps or was cancelled
 * (info->converged). info and opts may be NULL. LNT_ESHAPE: shapes differ. LNT_EINVAL: no entry is observed, or options
 * out of range. LNT_EDOMAIN: a mask entry is neither 0 nor 1, or an observed one of T is not finite. */
LNT_API lnt_status lnt_nuclear_complete(lnt_ctx *ctx, lnt_mat W, lnt_nuclear_info *info, const lnt_observed *observed,
                                        const lnt_nuclear_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
