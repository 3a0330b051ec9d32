/* What the files of the sampler share. */
#ifndef LINNET_SAMPLE_CHAIN_H
#define LINNET_SAMPLE_CHAIN_H

#include "linnet/sample.h"

/* A column of the caller's matrix, taken apart. */
typedef struct chain_view {
    lnt_chain *at;
    double *q, *g;     /* position, gradient there */
    double *C;         /* k, or k x k where dense */
    double *mean, *M2; /* Welford: mean, and sum of squares (k) or of products (k x k) about it */
    double *jump[2];   /* k each: squared jumps, with the metric of the options and with 1 */
} chain_view;

chain_view lnt_chain_view(double *state, int k, bool dense);

/* The metric of a chain at work. */
typedef struct metric {
    int k;
    bool dense;
    const double *C;
    lnt_mat L; /* dense: C = L L' */
} metric;

/* Factors C; false where it is not positive definite. */
bool lnt_metric_set(metric *m, const double *C);
/* v <- C p. */
void lnt_metric_velocity(double *v, const metric *m, const double *p);
/* p <- L^-T z, with z as p: N(0, C^-1) from N(0, 1). */
void lnt_metric_momentum(double *p, const metric *m);

/* ---- Adaptation ---- */

/* To be called once, when a chain starts: C, and what the trial of the metric needs. False: not positive definite. */
bool lnt_adapt_start(chain_view c, metric *m, const lnt_sample_opts *opts);
/* log eps0 is found: dual averaging starts. */
void lnt_adapt_restart(lnt_chain *at, double step);
/* After iteration `at->iteration` of the warm-up, whose draw is q, after `gradients` gradients from the former one.
 * False where a new C is not positive definite. */
bool lnt_adapt(chain_view c, metric *m, const lnt_sample_opts *opts, const double *q, double accept, long gradients);

/* ---- Trees ---- */

/* A stretch of a path, in the order in which it was made: its ends, what its states add up to, and one of them. */
typedef struct subtree {
    double *p0, *v0, *p1, *v1, *rho; /* momentum and velocity C p at the ends, sum of momenta */
    double *q, *g;                   /* the proposal */
    double lp, energy, log_weight;
    int depth;
} subtree;

lnt_status lnt_subtree_alloc(lnt_ctx *ctx, subtree *t, int k);
/* True where the path from the outer end of a to the outer end of b does not turn back (Betancourt 2017), nor where
 * either meets the next state of the other. a's outer end is its first, its inner end its last; b the other way round.
 */
bool lnt_persists(int k, const subtree *a, const subtree *b);
/* a <- a followed by b, which holds scratch afterwards; the proposal of b with probability w_b/(w_a + w_b), or
 * min(1, w_b/w_a) where it is preferred. u uniform on [0, 1). */
void lnt_subtree_join(int k, subtree *a, subtree *b, bool prefer, double u);

/* log(e^a + e^b) */
double lnt_log_add(double a, double b);
double lnt_vector_dot(int k, const double *a, const double *b);

/* ---- Walkers: a chain while it is at work ---- */

typedef struct walker walker;

lnt_status lnt_walker_alloc(lnt_ctx *ctx, walker **w, int k, const lnt_sample_opts *opts);
/* Takes up a chain; the position to evaluate goes to Q (k numbers). False: its metric is not positive definite. */
bool lnt_walker_begin(walker *w, double *state, int chain, double *Q);
/* Takes the answer, lp and g, and puts the next position into Q. *finished <- whether an iteration has ended: then
 * *draw tells of it and the state holds it. LNT_EDOMAIN where no step size serves. */
lnt_status lnt_walker_step(lnt_ctx *ctx, walker *w, double lp, const double *g, double *Q, bool *finished,
                           lnt_draw *draw);

#endif
