/* Chains in batches over threads. */
#include "chain.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define ATTEMPTS 100

void lnt_sample_defaults(lnt_sample_opts *opts)
{
    *opts = (lnt_sample_opts){.kind = LNT_NUTS,
                              .chains = 4,
                              .warmup = 1000,
                              .draws = 1000,
                              .max_depth = 10,
                              .max_length = 32,
                              .target = 0.8,
                              .most_energy = 1000,
                              .seed = 1};
}

static lnt_status check_metric(lnt_ctx *ctx, lnt_mat C, int k)
{
    if (!C.a)
        return LNT_OK;
    if (C.rows != k || (C.cols != k && C.cols != 1))
        return lnt_fail(ctx, LNT_ESHAPE, "a metric of %d x %d for %d coordinates", C.rows, C.cols, k);
    if (!lnt_mat_finite(C))
        return lnt_fail(ctx, LNT_EDOMAIN, "the metric is not finite");
    for (int j = 0; j < C.cols; j++)
        for (int i = 0; i < (C.cols > 1 ? j : 0); i++)
            if (*lnt_at(C, i, j) != *lnt_at(C, j, i))
                return lnt_fail(ctx, LNT_EDOMAIN, "the metric is not symmetric");
    return LNT_OK;
}

static lnt_status check(lnt_ctx *ctx, lnt_mat state, const lnt_density *density, const lnt_sample_opts *o)
{
    if (density->k < 1 || density->width < 1)
        return lnt_fail(ctx, LNT_ESHAPE, "a density of %d coordinates in batches of %d", density->k, density->width);
    if (o->chains < 1 || o->warmup < 0 || o->draws < 0 || o->warmup > INT_MAX - o->draws)
        return lnt_fail(ctx, LNT_EINVAL, "%d chains of %d + %d iterations", o->chains, o->warmup, o->draws);
    if (o->max_depth < 1 || o->max_depth > 20 || o->max_length < 1)
        return lnt_fail(ctx, LNT_EINVAL, "paths of depth %d (1 to 20), of length %d (at least 1)", o->max_depth,
                        o->max_length);
    if (!(o->target > 0 && o->target < 1))
        return lnt_fail(ctx, LNT_EINVAL, "a mean acceptance of %g: it must lie between 0 and 1", o->target);
    if (!(o->step >= 0 && isfinite(o->step)) || !(o->most_energy > 0))
        return lnt_fail(ctx, LNT_EINVAL, "a step size of %g (at least 0), an energy of %g (above 0)", o->step,
                        o->most_energy);
    if (state.cols != o->chains || (size_t)state.rows != lnt_chain_size(density, o))
        return lnt_fail(ctx, LNT_ESHAPE, "%d x %d numbers for %d chains of %zu each", state.rows, state.cols, o->chains,
                        lnt_chain_size(density, o));
    return check_metric(ctx, o->metric, density->k);
}

/* What all batches share. */
typedef struct run {
    lnt_mat state;
    const lnt_density *density;
    const lnt_sample_opts *opts;
    lnt_start_fn start;
    lnt_draw_fn sink;
    void *user;
    pthread_mutex_t lock; /* of the sink */
} run;

/* The chains first .. first + count - 1 and the batch that they stand in. */
typedef struct batch {
    run *run;
    lnt_mat Q, G;
    double *lp;
    int first, count;
} batch;

static lnt_status batch_make(lnt_ctx *ctx, batch *b, run *r, int index)
{
    int k = r->density->k, width = r->density->width;
    *b = (batch){.run = r, .first = index * width};
    b->count = r->opts->chains - b->first < width ? r->opts->chains - b->first : width;
    b->lp = lnt_alloc(ctx, (size_t)width, sizeof *b->lp);
    lnt_status status = lnt_mat_alloc(ctx, &b->Q, k, width);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &b->G, k, width);
    return b->lp ? status : LNT_ENOMEM;
}

static lnt_status evaluate(lnt_ctx *ctx, batch *b)
{
    const lnt_density *d = b->run->density;
    int answer = d->logp(b->Q, b->lp, b->G, d->user);
    if (answer < 0)
        return lnt_fail(ctx, LNT_EUSER, "the density says stop (%d)", answer);
    for (int j = 0; j < d->width && answer > 0; j++)
        b->lp[j] = NAN;
    return LNT_OK;
}

static int batches(const run *r)
{
    return (r->opts->chains - 1) / r->density->width + 1;
}

static double *column(const run *r, int chain)
{
    return lnt_at(r->state, 0, chain);
}

/* ---- Starts ---- */

int lnt_start_at(double *q, int chain, int attempt, lnt_rng *rng, void *user)
{
    const lnt_mat *starts = user;
    (void)rng;
    if (attempt > 0 || chain >= starts->cols)
        return 1;
    memcpy(q, lnt_at(*starts, 0, chain), (size_t)starts->rows * sizeof *q);
    return 0;
}

static lnt_status new_chain(lnt_ctx *ctx, const run *r, int chain, const double *q, double lp, const double *g)
{
    const lnt_sample_opts *o = r->opts;
    int k = r->density->k;
    metric m = {.k = k, .dense = o->dense};
    chain_view c = lnt_chain_view(column(r, chain), k, o->dense);
    *c.at = (lnt_chain){.k = k,
                        .dense = o->dense,
                        .kind = o->kind,
                        .seed_high = (double)(o->seed >> 32),
                        .seed_low = (double)(o->seed & UINT32_MAX),
                        .warmup = o->warmup,
                        .logp = lp,
                        .gradients = 1,
                        .trial_ratio = NAN};
    memcpy(c.q, q, (size_t)k * sizeof *q);
    memcpy(c.g, g, (size_t)k * sizeof *g);
    lnt_adapt_restart(c.at, o->step > 0 ? o->step : 1);
    lnt_status status = o->dense ? lnt_mat_alloc(ctx, &m.L, k, k) : LNT_OK;
    if (status == LNT_OK && !lnt_adapt_start(c, &m, o))
        status = lnt_fail(ctx, LNT_EDOMAIN, "the metric is not positive definite");
    return status;
}

/* One attempt of every chain of the batch that has no density yet; those columns of Q that have are left alone. */
static lnt_status attempt_starts(lnt_ctx *ctx, batch *b, const bool *done, int attempt)
{
    run *r = b->run;
    for (int j = 0; j < b->count; j++) {
        if (done[j])
            continue;
        int chain = b->first + j;
        lnt_rng rng = lnt_rng_page(r->opts->seed, (uint32_t)chain, LNT_FOR_STARTS, (uint64_t)attempt);
        int answer = r->start(lnt_at(b->Q, 0, j), chain, attempt, &rng, r->user);
        if (answer < 0)
            return lnt_fail(ctx, LNT_EUSER, "the start of chain %d says stop (%d)", chain, answer);
        if (answer > 0)
            return lnt_fail(ctx, LNT_EDOMAIN, "chain %d has no start with a finite log density and gradient", chain);
        if (!lnt_mat_finite(lnt_columns(b->Q, j, 1)))
            return lnt_fail(ctx, LNT_EDOMAIN, "the start of chain %d is not finite", chain);
    }
    for (int j = b->count; j < b->Q.cols; j++)
        lnt_mat_copy(lnt_columns(b->Q, j, 1), lnt_columns(b->Q, 0, 1));
    return evaluate(ctx, b);
}

static lnt_status start_batch(lnt_ctx *ctx, int index, void *user)
{
    batch b;
    lnt_status status = batch_make(ctx, &b, user, index);
    bool *done = status == LNT_OK ? lnt_alloc_zero(ctx, (size_t)b.count, sizeof *done) : NULL;
    int left = b.count;
    if (!done)
        return LNT_ENOMEM;
    for (int attempt = 0; attempt < ATTEMPTS && left > 0 && status == LNT_OK; attempt++) {
        status = attempt_starts(ctx, &b, done, attempt);
        for (int j = 0; j < b.count && status == LNT_OK; j++)
            if (!done[j] && isfinite(b.lp[j]) && lnt_mat_finite(lnt_columns(b.G, j, 1))) {
                done[j] = true;
                left--;
                status = new_chain(ctx, b.run, b.first + j, lnt_at(b.Q, 0, j), b.lp[j], lnt_at(b.G, 0, j));
            }
    }
    if (status == LNT_OK && left > 0)
        return lnt_fail(ctx, LNT_EDOMAIN, "%d attempts to start %d chains found no finite log density and gradient",
                        ATTEMPTS, left);
    return status;
}

lnt_status lnt_chains_start(lnt_ctx *ctx, lnt_mat state, const lnt_density *density, const lnt_sample_opts *opts,
                            lnt_start_fn start, void *user)
{
    run r = {.state = state, .density = density, .opts = opts, .start = start, .user = user};
    lnt_status status = check(ctx, state, density, opts);
    return status == LNT_OK ? lnt_parallel(ctx, batches(&r), opts->threads, start_batch, &r) : status;
}

/* ---- Draws ---- */

static long length(const lnt_sample_opts *opts)
{
    return (long)opts->warmup + opts->draws;
}

static lnt_status check_chain(lnt_ctx *ctx, const run *r, int chain)
{
    const lnt_sample_opts *o = r->opts;
    const lnt_chain at = lnt_chain_read(column(r, chain));
    bool same = at.k == r->density->k && at.dense == o->dense && at.kind == o->kind && at.warmup == o->warmup &&
                at.seed_high == (double)(o->seed >> 32) && at.seed_low == (double)(o->seed & UINT32_MAX);
    if (!same || !(at.iteration >= 0 && at.iteration < 0x1p31) || at.iteration != floor(at.iteration))
        return lnt_fail(ctx, LNT_EINVAL,
                        "the state of chain %d was made with another density, kind, metric, warm-up or seed", chain);
    return LNT_OK;
}

static lnt_status deliver(lnt_ctx *ctx, run *r, const lnt_draw *draw)
{
    int answer = 0;
    if (r->sink) {
        pthread_mutex_lock(&r->lock);
        answer = r->sink(draw, r->user);
        pthread_mutex_unlock(&r->lock);
    }
    if (!r->opts->silent)
        lnt_progress_step(ctx);
    return answer == 0 ? LNT_OK : lnt_fail(ctx, LNT_EUSER, "the receiver of draws says stop (%d)", answer);
}

/* Chains of a batch that have iterations left; the others are NULL. */
static lnt_status take_up(lnt_ctx *ctx, batch *b, walker **walkers, int *busy)
{
    const run *r = b->run;
    lnt_status status = LNT_OK;
    for (int j = 0; j < b->Q.cols && status == LNT_OK; j++) {
        int chain = b->first + (j < b->count ? j : 0);
        double *state = column(r, chain);
        walkers[j] = NULL;
        memcpy(lnt_at(b->Q, 0, j), lnt_chain_position(state), (size_t)b->Q.rows * sizeof(double));
        if (j >= b->count || lnt_chain_read(state).iteration >= (double)length(r->opts))
            continue;
        status = lnt_walker_alloc(ctx, &walkers[j], r->density->k, r->opts);
        if (status == LNT_OK && !lnt_walker_begin(walkers[j], state, chain, lnt_at(b->Q, 0, j)))
            status = lnt_fail(ctx, LNT_EINVAL, "the state of chain %d holds no metric", chain);
        ++*busy;
    }
    return status;
}

static lnt_status run_batch(lnt_ctx *ctx, int index, void *user)
{
    run *r = user;
    batch b;
    int busy = 0;
    lnt_status status = batch_make(ctx, &b, r, index);
    walker **walkers = lnt_alloc(ctx, (size_t)r->density->width, sizeof(walker *));
    if (status == LNT_OK)
        status = walkers ? take_up(ctx, &b, walkers, &busy) : LNT_ENOMEM;
    while (status == LNT_OK && busy > 0 && !lnt_cancelled(ctx)) {
        status = evaluate(ctx, &b);
        for (int j = 0; j < b.count && status == LNT_OK; j++) {
            bool finished;
            lnt_draw draw;
            if (!walkers[j])
                continue;
            status = lnt_walker_step(ctx, walkers[j], b.lp[j], lnt_at(b.G, 0, j), lnt_at(b.Q, 0, j), &finished, &draw);
            if (status != LNT_OK || !finished)
                continue;
            status = deliver(ctx, r, &draw);
            if (draw.iteration + 1 >= length(r->opts)) {
                walkers[j] = NULL;
                busy--;
            }
        }
    }
    return status;
}

lnt_status lnt_sample(lnt_ctx *ctx, lnt_mat state, const lnt_density *density, const lnt_sample_opts *opts,
                      lnt_draw_fn sink, void *user)
{
    run r = {.state = state, .density = density, .opts = opts, .sink = sink, .user = user};
    lnt_status status = check(ctx, state, density, opts);
    long left = 0;
    for (int c = 0; c < opts->chains && status == LNT_OK; c++) {
        status = check_chain(ctx, &r, c);
        if (status == LNT_OK)
            left += (long)fmax(0, (double)length(opts) - lnt_chain_read(column(&r, c)).iteration);
    }
    if (status != LNT_OK || left == 0)
        return status;
    pthread_mutex_init(&r.lock, NULL);
    if (!opts->silent)
        lnt_progress_begin(ctx, "sampling", left);
    status = lnt_parallel(ctx, batches(&r), opts->threads, run_batch, &r);
    pthread_mutex_destroy(&r.lock);
    return status;
}
