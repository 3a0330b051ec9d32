/* Closed forms of gradient flow, mode by mode and for the whole network. No files, no randomness.
 *
 * Symbols: Syx = sum_i s_i u_i v_i^T, the singular modes of the data; E = 1/2 mean |y - W x|^2; tau = 1/eta.
 * Time is T = t/tau everywhere: k steps of gradient descent on E with step eta are T = eta k.
 * For two layers Q = [W1^T; W2], (N1 + N3) x h, with W1 h x N1 and W2 N3 x h.
 * Inputs must be white (Sxx = I) unless a function says otherwise. Where a mode of the data is an eigenvector of Sxx,
 * Sxx v_i = d_i v_i, its formulas hold with s_i/d_i for s and T d_i for T; lnt_shared_basis() finds the d_i.
 *
 * Shapes are the caller's duty (asserted). Functions that need scratch memory take a context and return a status:
 * LNT_ENOMEM, LNT_EDOMAIN for numbers that are not finite, LNT_ENUMERIC for factorisations that do not converge. */
#ifndef LINNET_MODES_H
#define LINNET_MODES_H

#include "linnet/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- One mode: a' = (s - a.b) b, b' = (s - a.b) a, for a, b in R^h ----------------------------------------------
 * a is the column W1 v_i and b the row u_i^T W2 of a mode that shares no hidden direction with others; h = 1 for
 * scalars. s may have any sign. Start values are 0 or between 1e-150 and 1e150 in size: squares must exist.
 * Decay ends at 0 below 1e-150.
 * Saxe et al. 2014, whose formula for a = b is the special case; here any start. In u = b + a, v = b - a the flow is a
 * stretch, u = rho u0, v = v0/rho, so that |u|^2 |v|^2 and b b^T - a a^T never change. */

/* a, b <- the solution at T in [0, inf] (inf: the limit), h values each; they may be a0 and b0 themselves.
 * Errors stay below 1e-14 |(a, b)| (plus 2e-16 |s| T while it decays as e^{-|s|T}), and below 1e-12 of each entry
 * itself unless that is passing through 0. */
LNT_API void lnt_mode_at(double *a, double *b, const double *a0, const double *b0, int h, double s, double T);

/* What the product a.b of a mode depends on: s, a0.b0 and the norms of u0 = b0 + a0 and v0 = b0 - a0. */
typedef struct lnt_mode {
    double s, p, u, v;
} lnt_mode;

LNT_API lnt_mode lnt_mode_start(const double *a0, const double *b0, int h, double s);
/* The product a.b at T in [0, inf]. Accuracy as lnt_mode_at(). */
LNT_API double lnt_mode_product(const lnt_mode *mode, double T);
/* The conserved quantity |u|^2 |v|^2; for scalars (b^2 - a^2)^2. */
LNT_API double lnt_mode_invariant(const lnt_mode *mode);
/* The T >= 0 at which the product is p; infinity where it never is. Inverse of lnt_mode_product(), accurate to about
 * 1e-15 where p is away from the start and the limit, and as well as p determines T where it is close. */
LNT_API double lnt_mode_time(const lnt_mode *mode, double p);
/* The T at which the product is s/2, half of what there is to learn; infinity where it never is. */
LNT_API double lnt_mode_half_time(const lnt_mode *mode);

/* ---- Depth: L equal layers, u = a^L > 0, u' = L u^{2-2/L} (s - u), s >= 0 ---------------------------------------
 * Saxe et al. 2014, eq. for du/dt of deep chains; its integral in elementary functions. NaN where u0 <= 0, s < 0 or
 * L < 1. */

/* The T at which u0 has become u, below and above s; infinity where it never does. With y = (u/s)^{1/L}:
 * T = s^{2/L-2} int dy / (y^{L-1} (1 - y^L)). Relative accuracy 1e-13 for L <= 20. Cost about 60 + 5 L operations. */
LNT_API double lnt_depth_time(double u, double u0, double s, int L);
/* u(T), T in [0, inf]: closed for L <= 2 and s = 0, else Newton's iteration on lnt_depth_time(). Relative accuracy
 * 1e-12 times the condition of the answer (close to the end of the plateau u depends on T as 1/u0 would suggest). */
LNT_API double lnt_depth_at(double u0, double s, int L, double T);
/* How long a small start waits: 1/((L-2) s u0^{1-2/L}) for L >= 3, ln(s/u0 - 1)/(2 s) for L = 2, 0 for L = 1 or where
 * u0 >= s/2. */
LNT_API double lnt_depth_plateau(double u0, double s, int L);

/* ---- The discrete map: gradient descent, not its flow ----------------------------------------------------------- */

/* a, b <- after `steps` steps of a += eta (s - a.b) b, b += eta (s - a.b) a, both from the old values. Exactly what
 * gradient descent does with decoupled modes. 6 h operations per step. */
LNT_API void lnt_map_steps(double *a, double *b, int h, double s, double eta, long steps);
/* a[0..L) <- after `steps` steps of a_l += eta (s - prod a) prod_{m != l} a_m: a mode of a deep network with aligned
 * layers, equal or not. */
LNT_API void lnt_map_deep(double *a, int L, double s, double eta, long steps);
/* What one step multiplies b^2 - a^2 (vectors: b b^T - a a^T) with when the product is p: 1 - eta^2 (s - p)^2. */
LNT_API double lnt_map_invariant_factor(double p, double s, double eta);
/* Estimate of the step at which a product that starts at u0 << s reaches s/2: ln(s/2u0)/(2 ln(1 + eta s)); about 0.6
 * steps too small at eta s = 0.4. 0 where u0 >= s/2, NaN unless u0, s, eta > 0. */
LNT_API double lnt_map_half_step(double u0, double s, double eta);
/* The step size below which gradient descent keeps a learned mode of L equal layers: 2/(L s^{2-2/L}). s > 0. */
LNT_API double lnt_map_largest_step(double s, int L);

/* ---- Two layers, whole matrices: the Riccati solution ----------------------------------------------------------
 * If W2^T W2 - W1 W1^T = lambda I at the start, P = Q Q^T obeys P' = F P + P F - P^2 with
 * F = [-lambda/2 I, Syx^T; Syx, lambda/2 I], hence P = e^{FT} Q0 (I + Q0^T int_0^T e^{2Ft} dt Q0)^{-1} Q0^T e^{FT}
 * (Fukumizu 1998; Braun et al. 2022; Domine et al. 2024). Solved here for any shape, rank, lambda and T by a row-scaled
 * orthogonal factorisation in the eigenbasis of F, which never forms a growing exponential. */

typedef struct lnt_riccati {
    int inputs, outputs, hidden; /* N1, N3, h */
    lnt_mat Q0;                  /* [W1^T; W2] at the start */
    lnt_mat O, C;                /* eigenvectors of F in columns; O^T Q0 */
    double *x;                   /* eigenvalues of F */
} lnt_riccati;

/* Prepares the solution that starts at W1, W2, in the context's scratch memory. lnt_balance() gives lambda and says
 * how well it fits: what the solution is worth depends on that. Cost about 20 (N1 + N3)^3, once. */
LNT_API lnt_status lnt_riccati_make(lnt_ctx *ctx, lnt_riccati *r, lnt_mat Syx, lnt_mat W1, lnt_mat W2, double lambda);
/* G <- a factor of the solution at T in [0, 1e300]: P = G G^T, so that G = Q up to a rotation of the hidden units
 * (for h = 1 up to nothing). [W1, W2] = [G_1^T, G_2] is a start from which the solution continues. G is (N1+N3) x h.
 * Accuracy 1e-13 of |P|. Cost 2 (N1+N3)^2 h + 4 (N1+N3+h) h^2. LNT_EDOMAIN for T < 0 or not finite. */
LNT_API lnt_status lnt_riccati_at(lnt_ctx *ctx, lnt_mat G, const lnt_riccati *r, double T);
/* The blocks of P = [W1^T W1, W^T; W, W2 W2^T] at the time of G. */
LNT_API void lnt_riccati_map(lnt_mat W, const lnt_riccati *r, lnt_mat G);     /* W = W2 W1, N3 x N1 */
LNT_API void lnt_riccati_hidden(lnt_mat H, const lnt_riccati *r, lnt_mat G);  /* W1^T W1, N1 x N1 */
LNT_API void lnt_riccati_outputs(lnt_mat B, const lnt_riccati *r, lnt_mat G); /* W2 W2^T, N3 x N3 */
/* A <- X^T W1^T W1 X, the similarity of the hidden representations of the n columns of X (N1 x n). With B from
 * lnt_riccati_outputs() these are the two small factors of the neural tangent kernel,
 * NTK = I (x) A + B (x) X^T X, N3 n x N3 n. */
LNT_API lnt_status lnt_riccati_similarity(lnt_ctx *ctx, lnt_mat A, const lnt_riccati *r, lnt_mat G, lnt_mat X);

/* The determinant-sign trap. N1 = N3, a zero-balanced start, W0 and Syx of full rank, sign det W0 != sign det Syx: the
 * flow keeps sign det W and ends on the saddle without the weakest mode, E = s_min^2/2 above the minimum. */
typedef struct lnt_trap {
    bool trapped;
    double excess; /* s_min^2/2; 0 where not trapped, as the next two */
    double s_min;  /* of the mode that is missed */
    double escape; /* T = ln(1/2e-16)/s_min, when round-off ends the wait: observed from 25/s_min to 36/s_min */
} lnt_trap;

/* Looks for the trap; balanced means |W2^T W2 - W1 W1^T|_F <= 1e-12 (|W1|^2 + |W2|^2), full rank: singular values above
 * 1e-12 of the largest. `saddle` (may have a NULL `a`) receives the map on which the flow ends if trapped, else Syx.
 * Cost about 40 N1^3. */
LNT_API lnt_status lnt_trap_find(lnt_ctx *ctx, lnt_trap *trap, lnt_mat saddle, lnt_mat Syx, lnt_mat W1, lnt_mat W2);

/* ---- Small random starts ----------------------------------------------------------------------------------------
 * What matters of a small start is c_i = W1 v_i + W2^T u_i, the part that grows as e^{s_i T}; the other decays. Modes
 * are columns of U (N3 x r) and rows of VT (r x N1), in order of decreasing s. */

/* u0[i] <- |c_i|^2/4, r values: the product a.b from which a balanced mode would grow in the same way. First order: the
 * worst half time of 5 separated modes is 4% (Gaussian weights of 0.01) or 2% (1e-4) off in the median of 41 starts. */
LNT_API lnt_status lnt_start_first_order(lnt_ctx *ctx, double *u0, lnt_mat U, lnt_mat VT, lnt_mat W1, lnt_mat W2);
/* u0[i] <- R_ii^2/4 of the QR factorisation of [c_1 c_2 ...]: earlier modes have taken their hidden directions. 0 for
 * modes beyond the hidden units. The same half times are 0.3% or 0.01% off. Where singular values agree to `tolerance`
 * times s[0] only the span of their modes is given; U and VT are rotated inside such a block to the modes that the
 * start selects, by the right singular vectors of its projected c's. */
LNT_API lnt_status lnt_start_effective(lnt_ctx *ctx, double *u0, lnt_mat U, lnt_mat VT, const double *s,
                                       double tolerance, lnt_mat W1, lnt_mat W2);

/* ---- Measures of assumptions ------------------------------------------------------------------------------------
 * Whiteness is lnt_whiteness() (theory.h). */

/* *lambda <- tr(W2^T W2 - W1 W1^T)/h, the best one, and *imbalance <- |W2^T W2 - W1 W1^T - lambda I|_F. */
LNT_API lnt_status lnt_balance(lnt_ctx *ctx, double *imbalance, double *lambda, lnt_mat W1, lnt_mat W2);
/* *misaligned <- 1 - sum_i m_i^2/|W|_F^2 with the mode strengths m_i = u_i^T W v_i, which m receives (may be NULL): the
 * share of W that is outside its modes. 0 for W = 0. U is N3 x r, VT is r x N1. */
LNT_API lnt_status lnt_alignedness(lnt_ctx *ctx, double *misaligned, double *m, lnt_mat W, lnt_mat U, lnt_mat VT);
/* d[i] <- v_i^T Sxx v_i for the rows v_i of VT; *off <- |VT Sxx V - diag(d)|_F: 0 where inputs and modes share a
 * basis. */
LNT_API lnt_status lnt_shared_basis(lnt_ctx *ctx, double *d, double *off, lnt_mat Sxx, lnt_mat VT);

/* Imbalance relative to s_1 above which the Riccati solution deserves a warning, and above which none should be given
 * unasked. */
#define LNT_IMBALANCE_WARN 1e-3
#define LNT_IMBALANCE_REFUSE 0.1
/* The typical error of W of the Riccati solution, relative to s_1, for a start of this imbalance relative to s_1.
 * A measurement, not a bound: medians over 101 Gaussian tasks with s_1 = 1.5 and Gaussian starts of standard deviation
 * 0.001 .. 1 of a 4-5-3 network, largest error of an entry of W over T <= 10, joined by straight lines in the
 * logarithms and continued with slope 1. The worst draw was 2 to 4 times the median. */
LNT_API double lnt_imbalance_error(double imbalance);

/* ---- Landscape -------------------------------------------------------------------------------------------------- */

typedef enum lnt_point_kind {
    LNT_POINT_MOVING,     /* not a fixed point */
    LNT_POINT_SADDLE,     /* the origin, s != 0: eigenvalues +-s */
    LNT_POINT_LINE,       /* on a curve of fixed points: 0 along it, -(a^2 + b^2) across, attracting */
    LNT_POINT_DEGENERATE, /* the origin, s = 0: both eigenvalues 0, decay as 1/T */
} lnt_point_kind;

/* A point of the plane of one scalar mode, with the linearised flow there. */
typedef struct lnt_point {
    double a, b;
    lnt_point_kind kind;
    double J[2][2];      /* [[-b^2, s - 2ab], [s - 2ab, -a^2]] */
    double value[2];     /* its eigenvalues, descending */
    double vector[2][2]; /* vector[k] belongs to value[k]; orthonormal, first non-zero entry positive */
} lnt_point;

/* The point (a, b); fixed where both components of the flow are below 1e-12 of their terms. The kind comes from the
 * position, as eigenvalues alone classify neither the curve nor s = 0. */
LNT_API lnt_point lnt_point_at(double a, double b, double s);
/* The fixed point with the coordinate a: on the hyperbola a b = s, the origin for a = 0, on the axis b = 0 for s = 0.
 */
LNT_API lnt_point lnt_point_fixed(double a, double s);

/* The Hessian eigenvalues, ascending, of E at the balanced critical point of a two-layer network at which W is the sum
 * of the modes i with in[i] != 0: s_i + s_j and 0 for i, j in K (ordered pairs); s_i + s_j, s_i - s_j for i in K, j
 * not; s_i for i in K and each direction without a partner; +-s_j, h - k times each, for j not in K; else 0.
 * s holds min(N1,N3) values, `value` h (N1 + N3). *index (may be NULL) <- the number of negative ones,
 * (h-k)(r-k) + #{i in K, j not in K: s_j > s_i}; strengths within 1e-12 s_1 of each other count as equal. LNT_EINVAL if
 * K has more than h modes or one without strength. */
LNT_API lnt_status lnt_hessian_balanced(lnt_ctx *ctx, double *value, int *index, const double *s, const int *in, int N1,
                                        int N3, int h);
/* The Hessian eigenvalues, ascending, at any minimum W2 W1 = Syx: sig_i(W2)^2 + sig_j(W1)^2 over all outputs i and
 * inputs j, else 0. `value` holds h (N1 + N3). */
LNT_API lnt_status lnt_hessian_minimum(lnt_ctx *ctx, double *value, lnt_mat W1, lnt_mat W2);
/* The largest of them, |W1|_2^2 + |W2|_2^2: steps must stay below 2/sharpness. */
LNT_API lnt_status lnt_minimum_sharpness(lnt_ctx *ctx, double *sharpness, lnt_mat W1, lnt_mat W2);

/* E - E_min = fit + competition, in the frame of the modes, W1b = W1 V and W2b = U^T W2: with a^i the columns of W1b
 * and b^i the rows of W2b, fit = 1/2 sum_i (s_i - a^i.b^i)^2 and competition = 1/2 sum_{i != j} (a^i.b^j)^2 (ordered
 * pairs). s holds min(N1,N3) values. With white inputs and full-rank hidden layers, E_min = (tr Syy - |Syx|^2)/2. */
typedef struct lnt_energy {
    double fit, competition;
} lnt_energy;

/* The two energies, and the gradient of fit_weight*fit + competition_weight*competition: D1 (as W1b) and D2 (as W2b),
 * either with a NULL `a` to leave it out. Weights 1, 1 are the flow W1b' = -D1, W2b' = -D2; 1, 0 and 0, 1 descend one
 * part alone. */
LNT_API lnt_status lnt_energy_split(lnt_ctx *ctx, lnt_energy *energy, lnt_mat D1, lnt_mat D2, double fit_weight,
                                    double competition_weight, lnt_mat W1b, lnt_mat W2b, const double *s);

/* ---- Descent of many starts ----------------------------------------------------------------------------------------
 */

/* Gradient descent of LNT_LANES two-layer networks of one shape side by side, one per lane of a vector, for C_XX = d I:
 * in the frame of the modes, A = W1 V and B = U^T W2, a step is
 *     A <- A - rate d B^T G,  B <- B - rate d G A^T,  G_ij = weight (M_ij - target_i delta_ij),  M = B A,
 * with the weight `fit` on the diagonal and `competition` beside it: 1, 1 descends E, the others one part of it (see
 * lnt_energy_split). 6 outputs inputs hidden operations a step and lane. No lane depends on what is in the others. All
 * arrays are [entry][lane]; inputs and outputs are filled up with zeros, which stay zeros, to `cols` and `rows`. */
#define LNT_LANES 8
typedef struct lnt_lanes {
    int inputs, hidden, outputs, cols, rows;
    double d, fit, competition;
    const double *target; /* s_i/d of min(inputs, outputs) modes */
    lnt_mat U, VT;        /* orthogonal */
    double *M;            /* M_ji at [(j cols + i) LNT_LANES + lane] */
    /* private */
    double *A, *B, *next, *G;
    lnt_mat W1b, W2b;
} lnt_lanes;

/* Room for such networks, whose weights are all 0, in scratch memory; U (outputs x outputs), VT (inputs x inputs) and
 * target must outlive it. The parts' weights are 1, 1. */
LNT_API lnt_status lnt_lanes_make(lnt_ctx *ctx, lnt_lanes *lanes, int hidden, lnt_mat U, lnt_mat VT,
                                  const double *target, double d);
/* The weights of one lane, W1 hidden x inputs and W2 outputs x hidden. */
LNT_API void lnt_lanes_put(const lnt_lanes *lanes, int lane, lnt_mat W1, lnt_mat W2);
LNT_API void lnt_lanes_get(const lnt_lanes *lanes, int lane, lnt_mat W1, lnt_mat W2);
/* Weights and product of one lane <- 0, whatever they were. */
LNT_API void lnt_lanes_clear(const lnt_lanes *lanes, int lane);
/* M <- B A. The strength of mode i is M_ii. */
LNT_API void lnt_lanes_product(const lnt_lanes *lanes);
/* One step from the weights and their product M, which is out of date then. */
LNT_API void lnt_lanes_step(lnt_lanes *lanes, double rate);
/* excess[lane] <- E - E_min = d/2 |M - target|_F^2. */
LNT_API void lnt_lanes_excess(const lnt_lanes *lanes, double *excess);

/* ---- One hidden neuron, pathways, kernels ----------------------------------------------------------------------- */

/* f(x) = a w.x on E = 1/2 |X^T beta - y|^2, beta = a w; X is D x n. The flow keeps a^2 - |w|^2 and the part w_N of w
 * outside the span of the samples. With X^T beta = y (or least squares) they fix its end: with beta* = X^{T+} y and
 * q = a0^2 - |w0 - w_N|^2, a^2 = [q + sqrt(q^2 + 4 |beta*|^2)]/2 and beta = beta* + a w_N. This is also the
 * interpolator of least Phi(beta) - sgn psi beta0.beta/|beta0| of Kunin et al. 2024. beta, w0: D values, y: n values.
 * `sign` is that of a at the end: the one of a0 if q >= 0; a may cross 0 where q < 0. 0 stands for an isotropic flow,
 * X X^T a multiple of the projector, in which w0.beta* + a^2 a0 has the sign. *a_end may be NULL. Samples' singular
 * values below 1e-12 of the largest count as 0. */
LNT_API lnt_status lnt_neuron_limit(lnt_ctx *ctx, double *beta, double *a_end, lnt_mat X, const double *y,
                                    const double *w0, double a0, int sign);

/* end[p] <- the limit of paths of depth L_p >= 1 that share a mode, u_p' = L_p u_p^{2-2/L_p} (s - sum u), from starts
 * u0[p] > 0 and s > 0 (Saxe et al. 2022). Time enters all of them through int (s - sum u) dT alone, so that the limit
 * solves one scalar equation. Two of depth 2 keep their ratio; otherwise the shallower one wins. Relative accuracy
 * 1e-15 (s/u0)^{1-2/L}, by bisection of at most 200 steps. */
LNT_API void lnt_pathways_limit(double *end, const double *u0, const int *L, int paths, double s);

/* <K, M>/(|K| |M|) of two kernels of one shape (Atanasov et al. 2022): silent alignment when it reaches 1 before the
 * loss has fallen. NaN if one is 0. */
LNT_API double lnt_kernel_alignment(lnt_mat K, lnt_mat M);
/* <K, M> of two tangent kernels I (x) A + B (x) X^T X and I (x) A' + B' (x) X^T X from their factors, with XX = X^T X:
 * N3 <A,A'> + tr B' <A,XX> + tr B <A',XX> + <B,B'> |XX|^2. */
LNT_API double lnt_ntk_dot(lnt_mat A, lnt_mat B, lnt_mat A2, lnt_mat B2, lnt_mat XX);
/* exp of the entropy of sig/sum sig (Roy and Vetterli 2007): between 1 and the number of non-zero values; 0 for none.
 */
LNT_API double lnt_effective_rank(const double *sig, int k);

/* ---- End-to-end flow -------------------------------------------------------------------------------------------- */

/* F <- -sum_{j=1..N} (W W^T)^{(N-j)/N} G (W^T W)^{(j-1)/N}, the velocity of the product W of N zero-balanced layers
 * under any loss with gradient G = dE/dW and any inputs (Arora et al. 2018). The flow keeps the rank of W: all but
 * the `rank` largest singular values count as 0, as round-off raised to 2/N would not be small. F may be G.
 * Cost: a thin singular value decomposition and 4 N1 N3 rank operations. */
LNT_API lnt_status lnt_end_to_end_velocity(lnt_ctx *ctx, lnt_mat F, lnt_mat W, lnt_mat G, int N, int rank);

/* The end-to-end flow of least squares as the right-hand side of an integrator: dw <- velocity of w, both the entries
 * of an N3 x N1 matrix column by column, with G = W Sxx - Syx. `user` points to an lnt_end_to_end. */
typedef struct lnt_end_to_end {
    lnt_ctx *ctx;
    lnt_mat Sxx, Syx;
    int layers, rank;
} lnt_end_to_end;

LNT_API lnt_status lnt_end_to_end_rhs(double *dw, const double *w, double T, void *user);
/* *rank <- the number of singular values of W above 1e-12 of the largest. */
LNT_API lnt_status lnt_rank(lnt_ctx *ctx, int *rank, lnt_mat W);

#ifdef __cplusplus
}
#endif
#endif
