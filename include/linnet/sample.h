/* Markov chains that draw from a density given by its logarithm and gradient: Hamiltonian Monte Carlo (HMC) and the
 * no-U-turn sampler (NUTS), with adaptation; and the posterior of a layered network as such a density.
 *
 * Symbols: q (k) position; p momentum; C (k x k) inverse metric, an estimate of the covariance of q; eps step size;
 *     H(q, p) = -log density(q) + p' C p/2.
 * Momenta are drawn from N(0, C^-1); leapfrog steps p += eps/2 grad, q += eps C p, p += eps/2 grad follow H up to
 * O(eps^2). HMC (Duane et al. 1987; Neal 2011) takes a number of steps that is uniform on 1 .. max_length and accepts
 * the end with probability min(1, e^(H0 - H)). NUTS (Hoffman and Gelman 2014) doubles a path in random directions until
 * it turns back, and takes one of its points with weight e^(H0 - H), later ones preferred at the top (Betancourt 2017).
 *
 * A draw of a chain depends on the density, the options, its start, and (seed, chain, iteration), and on nothing else:
 * not on threads, not on which chains run beside it, not on where a run was interrupted. */
#ifndef LINNET_SAMPLE_H
#define LINNET_SAMPLE_H

#include "linnet/derivatives.h"
#include "linnet/posterior.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- What to draw from ------------------------------------------------------------------------------------------- */

/* A density on k numbers, evaluated for `width` positions at once. */
typedef struct lnt_density {
    int k;     /* >= 1 */
    int width; /* columns of every batch, >= 1 */
    /* For each column j of Q (k x width, ld = k): lp[j] <- log density up to a constant, G(:,j) <- its gradient. All of
     * both must be written. A value that is not finite says that the density is 0 there: the chain of that column, and
     * no other, takes it as a divergence. Q is always finite. Returns 0, or a negative number, which stops all work
     * with LNT_EUSER; a positive one means that no column has a density. Chain c always stands in column c mod width,
     * beside whatever chains need a value at that time; columns without a chain, or whose chain has finished, repeat an
     * earlier position. So a column's bits may depend on where it stands (products round differently near their edges),
     * but must not depend on what the other columns hold. Thread-safe: batches call from several threads at once. */
    int (*logp)(lnt_mat Q, double *lp, lnt_mat G, void *user);
    void *user;
} lnt_density;

/* ---- Options ----------------------------------------------------------------------------------------------------- */

typedef enum lnt_sampler { LNT_NUTS, LNT_HMC } lnt_sampler;

typedef struct lnt_sample_opts {
    lnt_sampler kind;
    int chains;        /* >= 1 */
    int warmup, draws; /* iterations of each chain: first those that adapt, >= 0 each */
    int max_depth;     /* NUTS: at most 2^max_depth - 1 steps a draw; 1 .. 20 */
    int max_length;    /* HMC: >= 1 */
    bool dense;        /* C is a full matrix; else diagonal */
    double target;     /* mean acceptance that the step size is adapted to, in (0, 1) */
    double step; /* eps at the start; 0: found by doubling and halving. With warmup 0 the step of all draws: give one,
                    what is found is a guess */
    double most_energy; /* NUTS: H - H0 above which a path counts as divergent, > 0 */
    /* C before adaptation: a covariance (k x k, symmetric positive definite) or variances (k x 1) of q, such as those
     * of Laplace's approximation; a = NULL: none. Taken up and kept only where it serves, see below. */
    lnt_mat metric;
    uint64_t seed;
    int threads; /* 0: all processors; a batch of `width` chains is the unit of work */
    bool silent; /* reports no progress: for chains that are a part of other work */
} lnt_sample_opts;

/* NUTS, 4 chains, 1000 + 1000 iterations, depth 10, length 32, diagonal C, target .8, step 0, most_energy 1000, no
 * metric, seed 1, all processors. Posteriors with narrow necks diverge at target .8: use .95. */
LNT_API void lnt_sample_defaults(lnt_sample_opts *opts);

/* Adaptation, during warm-up only, of each chain by itself:
 *
 * - eps by dual averaging (Nesterov 2009; Hoffman and Gelman 2014). With a_t the mean of min(1, e^(H0 - H)) over the
 *   steps of a path (NUTS), or that of its end (HMC),
 *       h <- (1 - 1/(t+10)) h + (target - a_t)/(t+10),
 *       log eps <- log(10 eps0) - 20 sqrt(t) h,
 *       log epsbar <- t^-.75 log eps + (1 - t^-.75) log epsbar,
 *   restarted after every change of C, with eps0 doubled or halved until e^(H0 - H) of one step crosses .8. Draws use
 *   epsbar. (A warm-up below 150 has eps0 in place of 10 eps0: it could not recover from so large a step.)
 * - C in windows: iterations 75 | 25, 50, 100, ..., the last one as long as there is room | 50, and for a warm-up below
 *   150, 15% | 75% in one or more | 10%; below 20, none. At the end of each, from the covariance S of its m draws
 *   (Welford 1962),
 *       C <- m/(m+5) S + 5/(m+5) C0,    C0 the metric of the options, or 1e-3 diag S.
 * - A metric of the options is tried in the first 75 iterations, where the warm-up is at least 150: 25 of them use it,
 *   the next 25 C = 1, the last 25 the metric again. With the larger squared jumps per gradient,
 *       sum_j (q_j - q_j')^2/s_j^2 / gradients,    s_j the deviation of coordinate j over both trials,
 *   without the first 8 iterations of each, the metric is kept; otherwise it is dropped, also as C0. A shorter warm-up
 *   takes it untried. */

/* ---- Chains ------------------------------------------------------------------------------------------------------ */

/* Chains live in a matrix of the caller, a column of lnt_chain_size() numbers each. A column is all that there is to
 * know about a chain between two iterations: store it, copy it back later, and the chain goes on with the same bits.
 * (Numbers of another byte order or processor type continue correctly, but not with the same bits.) The first numbers
 * of a column are this struct; the position q follows. */
typedef struct lnt_chain {
    double k, dense, kind, seed_high, seed_low, warmup; /* what it was started with; checked */
    double iteration;                                   /* finished iterations, warm-up included */
    double logp, step;
    double t, h, log_step_mean, log_step_origin; /* dual averaging */
    double count;                                /* draws in the window */
    double must_search;                          /* a step size is to be found first */
    double metric;                               /* an enum lnt_metric_kind */
    double trial_gradients[2];                   /* with the metric of the options, and with 1 */
    double trial_ratio;                          /* its squared jumps per gradient over those of C = 1; NaN: untried */
    double gradients;                            /* gradients so far, the search of step sizes included */
    /* Of the draws after warm-up: */
    double leapfrogs, divergences, depth_hits, accept_sum;
} lnt_chain;

typedef enum lnt_metric_kind {
    LNT_METRIC_UNIT,   /* 1, later adapted; there was no metric in the options */
    LNT_METRIC_GIVEN,  /* that of the options, later adapted */
    LNT_METRIC_DROPPED /* that of the options was worse than 1 */
} lnt_metric_kind;

/* Numbers in a column: about 8 k, and with a dense C 2 k^2 more. */
LNT_API size_t lnt_chain_size(const lnt_density *density, const lnt_sample_opts *opts);
/* The struct at the head of a column; and its position (k numbers). */
LNT_API lnt_chain lnt_chain_read(const double *state);
LNT_API const double *lnt_chain_position(const double *state);
/* C as it stands: k numbers, or k x k where dense. */
LNT_API const double *lnt_chain_metric(const double *state);

/* q (k) <- a start of the chain, attempt = 0, 1, ...; rng: numbers for this chain and attempt alone. Returns 0; a
 * positive number: there is no further attempt; a negative one stops with LNT_EUSER. */
typedef int (*lnt_start_fn)(double *q, int chain, int attempt, lnt_rng *rng, void *user);
/* Starts in the columns of an lnt_mat (user), one attempt. */
LNT_API int lnt_start_at(double *q, int chain, int attempt, lnt_rng *rng, void *user);

/* The columns of `state` (lnt_chain_size() x chains) <- chains before their first iteration, at the first of up to 100
 * attempts that has a density. LNT_EDOMAIN: none has, or the metric is not positive definite; LNT_EINVAL: options out
 * of range; LNT_ESHAPE: sizes; LNT_EUSER. */
LNT_API lnt_status lnt_chains_start(lnt_ctx *ctx, lnt_mat state, const lnt_density *density,
                                    const lnt_sample_opts *opts, lnt_start_fn start, void *user);

/* A finished iteration. Pointers are valid during the call only. */
typedef struct lnt_draw {
    int chain;
    long iteration; /* 0 .. warmup + draws - 1 */
    bool warmup;
    const double *q;     /* k */
    double logp, energy; /* H at the draw, with its momentum */
    double accept;       /* a_t: NUTS, mean over the steps of min(1, e^(H0 - H)); HMC, that of the end */
    double step;
    int depth, leapfrogs; /* doublings finished; steps taken */
    bool divergent;
    bool at_depth;       /* stopped by max_depth */
    const double *state; /* the chain after this iteration, lnt_chain_size() numbers */
} lnt_draw;

/* Receives the draws of each chain in order, those of different chains in any; never called concurrently. Returns 0, or
 * anything else to stop with LNT_EUSER. */
typedef int (*lnt_draw_fn)(const lnt_draw *draw, void *user);

/* Runs all chains to iteration warmup + draws, wherever they are: none, if they are there. Of the options only draws,
 * threads and target, max_depth, max_length, most_energy may differ from those of the start, the metric must not. One
 * unit of progress for each iteration. LNT_OK also where it was cancelled: then `iteration` of some chain is less.
 * `state` always holds whole iterations, also after a failure, so that a further call goes on. Cost: one gradient a
 * step, and beside it some 20 k operations, or 2 k^2 more where C is dense. Memory: (8 max_depth + 20) k numbers for
 * every chain of the batches at work, and k^2 where C is dense. LNT_EDOMAIN: no step size, however small or large,
 * gives an acceptance near .8 (the gradient is wrong, or the density is flat); LNT_EINVAL: options or states that do
 * not belong together; LNT_EUSER: a callback stopped it. sink may be NULL. */
LNT_API lnt_status lnt_sample(lnt_ctx *ctx, lnt_mat state, const lnt_density *density, const lnt_sample_opts *opts,
                              lnt_draw_fn sink, void *user);

/* ---- Networks ---------------------------------------------------------------------------------------------------- */

/* Gamma(shape, rate), both > 0: mean shape/rate, variance shape/rate^2. */
typedef struct lnt_gamma {
    double shape, rate;
} lnt_gamma;

/* Precisions that are drawn together with the weights, each alpha_g and beta with its prior. */
typedef struct lnt_hyper {
    bool alpha, beta; /* beta: of Gaussian noise; else not read */
    lnt_gamma alpha_prior, beta_prior;
} lnt_hyper;

/* *density <- the posterior of a network on the inputs X (inputs x N), of width 1:
 *     log p(d | f(w)) + sum_g log N(w_g; 0, 1/alpha_g),    q = w,
 * with all constants, so that e^logp integrates to the evidence. Of hyper (NULL: none drawn) what is to be drawn
 * follows the weights as logarithms, q = (w, log alpha_1, ..., log alpha_G, log beta), with the densities of the
 * logarithms: log x has density x^shape e^(-rate x) up to a constant. Otherwise alpha and beta are those of prior and
 * likelihood. With small alpha_g drawn, weights and log alpha_g make a funnel: prefer informative priors.
 *
 * Everything but net->net.width and prior's arrays is copied; those and the context's memory must outlive the density.
 * Thread-safe, for as many calls at once as there are processors; further ones wait. A column is computed by itself, so
 * that any width gives the same bits: one, because nothing is gained by more and chains then never wait for each other.
 * Cost: 6 k operations and an exponential for each hidden unit and sample, by vectors over samples; blocks of <= 256
 * samples stay in the cache. Accuracy: of logp about 1e-16 n; phi to 3 units in the last place, phi' to 1e-15 absolute.
 * Memory: (inputs + 2 outputs + 1) N numbers and for each processor 256 for every unit.
 * Errors as lnt_posterior_mode(); LNT_ESHAPE: classes other than outputs; LNT_EDOMAIN: a prior out of range. */
LNT_API lnt_status lnt_network_density(lnt_ctx *ctx, lnt_density *density, const lnt_layers *net, lnt_mat X,
                                       const lnt_likelihood *likelihood, const lnt_prior *prior,
                                       const lnt_hyper *hyper);

#ifdef __cplusplus
}
#endif
#endif
