/* One chain at work: what it does with a gradient, and where it wants the next. */
#include "chain.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LOG_SEARCH (-0.22314355131420976) /* log .8 */
#define MOST_SEARCH 200                   /* factors of 2 */

struct walker {
    int k, chain;
    const lnt_sample_opts *opts;
    chain_view c;
    metric m;
    lnt_rng rng;
    bool searching, found; /* a step size; it counts once the iteration is done */
    bool lost;             /* the position overflowed: whatever the density says there, it is 0 */
    double step;
    int search, factors;   /* +1, -1: doubling, halving; 0: not yet known. How often */
    double *x, *p, *v, *g; /* the state that moves, in direction `side` */
    double *end_x[2], *end_g[2];
    subtree top;    /* its end 0 is the far one in direction `side` */
    subtree *stack; /* what has been made of the next doubling, depths descending */
    int height, side, length;
    double H0, accept_sum;
    long gradients, leapfrogs;
    bool divergent, at_depth;
};

lnt_status lnt_walker_alloc(lnt_ctx *ctx, walker **walker_out, int k, const lnt_sample_opts *opts)
{
    walker *w = lnt_alloc_zero(ctx, 1, sizeof *w);
    if (!w)
        return LNT_ENOMEM;
    *walker_out = w;
    w->k = w->m.k = k;
    w->opts = opts;
    w->m.dense = opts->dense;
    double **part[] = {&w->x, &w->p, &w->v, &w->g, &w->end_x[0], &w->end_x[1], &w->end_g[0], &w->end_g[1]};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        if (!(*part[i] = lnt_alloc(ctx, (size_t)k, sizeof **part[i])))
            return LNT_ENOMEM;
    lnt_status status = lnt_subtree_alloc(ctx, &w->top, k);
    int most = opts->kind == LNT_NUTS ? opts->max_depth : 0;
    w->stack = lnt_alloc(ctx, (size_t)most, sizeof *w->stack);
    if (!w->stack)
        return LNT_ENOMEM;
    for (int i = 0; i < most && status == LNT_OK; i++)
        status = lnt_subtree_alloc(ctx, &w->stack[i], k);
    if (opts->dense && status == LNT_OK)
        status = lnt_mat_alloc(ctx, &w->m.L, k, k);
    return status;
}

static void copy(const walker *w, double *to, const double *from)
{
    memcpy(to, from, (size_t)w->k * sizeof *to);
}

static void kick(walker *w)
{
    double half = (w->side ? 0.5 : -0.5) * w->step;
    for (int i = 0; i < w->k; i++)
        w->p[i] += half * w->g[i];
}

/* The first half of a leapfrog step, up to the gradient at its end. */
static void move(walker *w, double *Q)
{
    double step = w->side ? w->step : -w->step;
    kick(w);
    lnt_metric_velocity(w->v, &w->m, w->p);
    for (int i = 0; i < w->k; i++)
        w->x[i] += step * w->v[i];
    w->lost = !lnt_mat_finite(lnt_mat_view(w->x, w->k, 1));
    copy(w, Q, w->lost ? w->c.q : w->x);
}

/* The second half; H at its end, infinite where there is no density. */
static double arrive(walker *w, double lp, const double *g)
{
    w->gradients++;
    if (w->lost || !isfinite(lp) || !lnt_mat_finite(lnt_mat_view((double *)(uintptr_t)g, w->k, 1)))
        return INFINITY;
    copy(w, w->g, g);
    kick(w);
    lnt_metric_velocity(w->v, &w->m, w->p);
    double H = 0.5 * lnt_vector_dot(w->k, w->p, w->v) - lp;
    return isnan(H) ? INFINITY : H;
}

static void fresh_momentum(walker *w)
{
    lnt_rng_normals(&w->rng, w->p, (size_t)w->k);
    lnt_metric_momentum(w->p, &w->m);
    lnt_metric_velocity(w->v, &w->m, w->p);
    w->H0 = 0.5 * lnt_vector_dot(w->k, w->p, w->v) - w->c.at->logp;
    copy(w, w->x, w->c.q);
    copy(w, w->g, w->c.g);
}

static lnt_rng numbers(const walker *w, lnt_purpose purpose)
{
    return lnt_rng_page(w->opts->seed, (uint32_t)w->chain, purpose, (uint64_t)w->c.at->iteration);
}

/* Goes on from the end in a random direction. */
static void extend(walker *w, double *Q)
{
    int side = (int)(lnt_rng_bits(&w->rng) & 1);
    subtree *t = &w->top;
    if (side != w->side) {
        double *p = t->p0, *v = t->v0;
        t->p0 = t->p1;
        t->v0 = t->v1;
        t->p1 = p;
        t->v1 = v;
    }
    w->side = side;
    w->height = 0;
    copy(w, w->x, w->end_x[side]);
    copy(w, w->g, w->end_g[side]);
    copy(w, w->p, t->p1);
    move(w, Q);
}

static void begin_path(walker *w, double *Q)
{
    subtree *t = &w->top;
    w->searching = false;
    w->rng = numbers(w, LNT_FOR_CHAINS);
    w->accept_sum = 0;
    w->leapfrogs = 0;
    w->divergent = w->at_depth = false;
    fresh_momentum(w);
    copy(w, t->q, w->c.q);
    copy(w, t->g, w->c.g);
    t->lp = w->c.at->logp;
    t->energy = w->H0;
    t->log_weight = 0;
    t->depth = 0;
    w->side = 1;
    if (w->opts->kind == LNT_HMC) {
        w->length = 1 + (int)lnt_rng_below(&w->rng, (uint64_t)w->opts->max_length);
        move(w, Q);
        return;
    }
    double *const momentum[] = {t->p0, t->p1, t->rho}, *const velocity[] = {t->v0, t->v1};
    for (int i = 0; i < 3; i++)
        copy(w, momentum[i], w->p);
    for (int i = 0; i < 2; i++) {
        copy(w, velocity[i], w->v);
        copy(w, w->end_x[i], w->x);
        copy(w, w->end_g[i], w->g);
    }
    extend(w, Q);
}

static void try_step(walker *w, double *Q)
{
    w->side = 1;
    fresh_momentum(w);
    move(w, Q);
}

static void begin_iteration(walker *w, double *Q)
{
    w->gradients = 0;
    w->step = w->c.at->step;
    w->found = false;
    w->searching = w->c.at->must_search != 0;
    if (!w->searching) {
        begin_path(w, Q);
        return;
    }
    w->search = w->factors = 0;
    w->rng = numbers(w, LNT_FOR_STEPS);
    try_step(w, Q);
}

/* Doubles the step while e^(H0 - H) > .8, or halves it while it is less. */
static lnt_status search(lnt_ctx *ctx, walker *w, double H, double *Q)
{
    int wish = w->H0 - H > LOG_SEARCH ? 1 : -1;
    if (w->search == 0)
        w->search = wish;
    if (wish != w->search) {
        w->found = true;
        begin_path(w, Q);
        return LNT_OK;
    }
    if (++w->factors > MOST_SEARCH)
        return lnt_fail(ctx, LNT_EDOMAIN,
                        w->search > 0 ? "chain %d: any step size is accepted; is the density flat?"
                                      : "chain %d: no step size is accepted; is the gradient that of the density?",
                        w->chain);
    w->step *= w->search > 0 ? 2 : 0.5;
    try_step(w, Q);
    return LNT_OK;
}

/* A path of one state joins what is on the stack, as often as two have the same depth. False where one turns back. */
static bool push(walker *w, double lp, double H)
{
    subtree *leaf = &w->stack[w->height++];
    double *const momentum[] = {leaf->p0, leaf->p1, leaf->rho}, *const velocity[] = {leaf->v0, leaf->v1};
    for (int i = 0; i < 3; i++)
        copy(w, momentum[i], w->p);
    for (int i = 0; i < 2; i++)
        copy(w, velocity[i], w->v);
    copy(w, leaf->q, w->x);
    copy(w, leaf->g, w->g);
    leaf->lp = lp;
    leaf->energy = H;
    leaf->log_weight = w->H0 - H;
    leaf->depth = 0;
    for (; w->height > 1 && w->stack[w->height - 2].depth == w->stack[w->height - 1].depth; w->height--) {
        subtree *a = &w->stack[w->height - 2], *b = &w->stack[w->height - 1];
        if (!lnt_persists(w->k, a, b))
            return false;
        lnt_subtree_join(w->k, a, b, false, lnt_rng_uniform(&w->rng));
    }
    return true;
}

/* True where the path goes on. */
static bool climb(walker *w, double lp, double H, double *Q)
{
    w->accept_sum += fmin(1, exp(w->H0 - H));
    w->divergent = !(H - w->H0 <= w->opts->most_energy);
    if (w->divergent || !push(w, lp, H))
        return false;
    if (w->stack[0].depth < w->top.depth || w->height > 1) {
        move(w, Q);
        return true;
    }
    copy(w, w->end_x[w->side], w->x);
    copy(w, w->end_g[w->side], w->g);
    bool persists = lnt_persists(w->k, &w->top, &w->stack[0]);
    lnt_subtree_join(w->k, &w->top, &w->stack[0], true, lnt_rng_uniform(&w->rng));
    w->at_depth = persists && w->top.depth == w->opts->max_depth;
    if (!persists || w->at_depth)
        return false;
    extend(w, Q);
    return true;
}

/* True where the path goes on. Only a state without density ends it early: that the way back meets too. */
static bool glide(walker *w, double lp, double H, double *Q)
{
    if (w->leapfrogs < w->length && H < INFINITY) {
        move(w, Q);
        return true;
    }
    w->accept_sum = (double)w->leapfrogs * fmin(1, exp(w->H0 - H));
    w->divergent = !(H - w->H0 <= w->opts->most_energy);
    if (lnt_rng_uniform(&w->rng) < exp(w->H0 - H)) {
        copy(w, w->top.q, w->x);
        copy(w, w->top.g, w->g);
        w->top.lp = lp;
        w->top.energy = H;
    }
    return false;
}

static void count(walker *w)
{
    lnt_chain *at = w->c.at;
    at->leapfrogs += (double)w->leapfrogs;
    at->divergences += w->divergent;
    at->depth_hits += w->at_depth;
    at->accept_sum += w->accept_sum / (double)w->leapfrogs;
}

/* Ends the iteration: from here on the state is the next one. */
static lnt_status finish(lnt_ctx *ctx, walker *w, lnt_draw *draw)
{
    lnt_chain *at = w->c.at;
    bool warmup = at->iteration < w->opts->warmup, fine = true;
    double accept = w->accept_sum / (double)w->leapfrogs;
    *draw = (lnt_draw){.chain = w->chain,
                       .iteration = (long)at->iteration,
                       .warmup = warmup,
                       .q = w->c.q,
                       .logp = w->top.lp,
                       .energy = w->top.energy,
                       .accept = accept,
                       .step = w->step,
                       .depth = w->top.depth,
                       .leapfrogs = (int)w->leapfrogs,
                       .divergent = w->divergent,
                       .at_depth = w->at_depth,
                       .state = (const double *)(const void *)at};
    if (w->found)
        lnt_adapt_restart(at, w->step);
    if (warmup)
        fine = lnt_adapt(w->c, &w->m, w->opts, w->top.q, accept, w->leapfrogs);
    else
        count(w);
    copy(w, w->c.q, w->top.q);
    copy(w, w->c.g, w->top.g);
    at->logp = w->top.lp;
    at->gradients += (double)w->gradients;
    at->iteration += 1;
    return fine
               ? LNT_OK
               : lnt_fail(ctx, LNT_EDOMAIN, "chain %d: the covariance of its draws is not positive definite", w->chain);
}

bool lnt_walker_begin(walker *w, double *state, int chain, double *Q)
{
    w->chain = chain;
    w->c = lnt_chain_view(state, w->k, w->opts->dense);
    if (!lnt_metric_set(&w->m, w->c.C))
        return false;
    begin_iteration(w, Q);
    return true;
}

lnt_status lnt_walker_step(lnt_ctx *ctx, walker *w, double lp, const double *g, double *Q, bool *finished,
                           lnt_draw *draw)
{
    *finished = false;
    double H = arrive(w, lp, g);
    if (w->searching)
        return search(ctx, w, H, Q);
    w->leapfrogs++;
    bool on = w->opts->kind == LNT_HMC ? glide(w, lp, H, Q) : climb(w, lp, H, Q);
    if (on)
        return LNT_OK;
    *finished = true;
    lnt_status status = finish(ctx, w, draw);
    if (status == LNT_OK)
        begin_iteration(w, Q);
    return status;
}
