/* Running chains into memory or into a log on the disk, and reading the draws. */
#include "sampling.h"

#include "linnet/draws.h"
#include "linnet/parallel.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define CHUNK 100       /* iterations of a chain in a chunk, */
#define MOST_SECONDS 10 /* unless they take longer than that */

/* Where draws go. */
typedef struct receiver {
    lnt_ctx *ctx; /* of its own, since draws come from many threads */
    const lnt_sampled *s;
    lnt_draws *log;  /* NULL: memory */
    double *all;     /* memory: chains x draws x columns */
    double *pending; /* chains x CHUNK x columns */
    int *held, *since;
    time_t *last;
    lnt_status status;
} receiver;

static size_t columns(const lnt_sampled *s)
{
    return (size_t)s->dim + LNT_COLUMNS;
}

static void put_draw(double *to, const lnt_draw *draw, const lnt_sampled *s)
{
    double *c = to + s->dim;
    memcpy(to, draw->q, (size_t)s->dim * sizeof *to);
    c[LNT_COLUMN_LOGP] = draw->logp;
    c[LNT_COLUMN_ENERGY] = draw->energy;
    c[LNT_COLUMN_ACCEPT] = draw->accept;
    c[LNT_COLUMN_STEP] = draw->step;
    c[LNT_COLUMN_DEPTH] = draw->depth;
    c[LNT_COLUMN_LEAPFROGS] = draw->leapfrogs;
    c[LNT_COLUMN_DIVERGENT] = draw->divergent;
    c[LNT_COLUMN_AT_DEPTH] = draw->at_depth;
}

/* Which draw of those that are kept an iteration is; -1: none. */
static int kept(const lnt_draw *draw, const lnt_sampled *s)
{
    long after = draw->iteration - s->chains.warmup, thin = s->opts->thin;
    return draw->warmup || after % thin != thin - 1 ? -1 : (int)(after / thin);
}

static void flush(receiver *r, int chain, const double *state)
{
    size_t size = columns(r->s), bytes = (size_t)r->s->state.rows * sizeof(double);
    if (r->status == LNT_OK && (r->held[chain] || r->since[chain]))
        r->status = lnt_draws_append(r->ctx, r->log, chain, r->pending + (size_t)chain * CHUNK * size, r->held[chain],
                                     state, bytes);
    r->held[chain] = r->since[chain] = 0;
    r->last[chain] = time(NULL);
}

static int receive(const lnt_draw *draw, void *user)
{
    receiver *r = user;
    const lnt_sampled *s = r->s;
    int at = kept(draw, s), c = draw->chain;
    if (!r->log) {
        if (at >= 0)
            put_draw(r->all + ((size_t)c * (size_t)s->opts->draws + (size_t)at) * columns(s), draw, s);
        return 0;
    }
    if (at >= 0)
        put_draw(r->pending + ((size_t)c * CHUNK + (size_t)r->held[c]++) * columns(s), draw, s);
    if (++r->since[c] >= CHUNK || time(NULL) - r->last[c] >= MOST_SECONDS)
        flush(r, c, draw->state);
    return r->status != LNT_OK;
}

/* Chains in the log go on where they were. */
static lnt_status take_up(lnt_ctx *ctx, lnt_sampled *s, const lnt_draws *log)
{
    for (int c = 0; c < s->chains.chains; c++) {
        size_t bytes;
        const void *state = lnt_draws_state(log, c, &bytes);
        if (!state)
            continue;
        if (bytes != (size_t)s->state.rows * sizeof(double))
            return lnt_fail(ctx, LNT_EFORMAT, "%s/draws.log: the state of chain %d is damaged", s->folder, c);
        memcpy(lnt_at(s->state, 0, c), state, bytes);
        double after = lnt_chain_read(state).iteration - s->chains.warmup;
        if (lnt_draws_count(log, c) != (after > 0 ? (int)(after / s->opts->thin) : 0))
            return lnt_fail(ctx, LNT_EFORMAT, "%s/draws.log: draws and state of chain %d do not agree", s->folder, c);
    }
    return LNT_OK;
}

static lnt_status open_log(lnt_ctx *ctx, receiver *r, lnt_sampled *s)
{
    size_t chains = (size_t)s->chains.chains;
    const lnt_draws_layout layout = {s->fingerprint, s->chains.chains, (int)columns(s)};
    const char *path = lnt_sprintf(ctx, "%s/draws.log", s->folder);
    r->pending = lnt_alloc(ctx, chains * CHUNK * columns(s), sizeof *r->pending);
    r->held = lnt_alloc_zero(ctx, chains, sizeof *r->held);
    r->since = lnt_alloc_zero(ctx, chains, sizeof *r->since);
    r->last = lnt_alloc(ctx, chains, sizeof *r->last);
    if (!path || !r->pending || !r->held || !r->since || !r->last)
        return LNT_ENOMEM;
    for (size_t c = 0; c < chains; c++)
        r->last[c] = time(NULL);
    lnt_status status = lnt_draws_open(ctx, &r->log, path, &layout, s->opts->resume != NULL);
    return status == LNT_OK ? take_up(ctx, s, r->log) : status;
}

/* The draws of a log that all chains have. */
static lnt_status load_log(lnt_ctx *ctx, lnt_sampled *s)
{
    lnt_draws_content content;
    const char *path = lnt_sprintf(ctx, "%s/draws.log", s->folder);
    lnt_status status = path ? lnt_draws_load(ctx, &content, path) : LNT_ENOMEM;
    if (status == LNT_OK)
        s->x = content.x;
    return status;
}

static void set_memory(lnt_sampled *s, double *all)
{
    int least = s->opts->draws;
    for (int c = 0; c < s->chains.chains; c++) {
        double after = lnt_chain_read(lnt_at(s->state, 0, c)).iteration - s->chains.warmup;
        int have = after > 0 ? (int)(after / s->opts->thin) : 0;
        least = have < least ? have : least;
    }
    size_t length = (size_t)least * columns(s);
    for (int c = 1; c < s->chains.chains && least < s->opts->draws; c++)
        memmove(all + (size_t)c * length, all + (size_t)c * (size_t)s->opts->draws * columns(s), length * sizeof *all);
    s->x = (lnt_chains){all, s->chains.chains, least, (int)columns(s)};
}

static lnt_status walk(lnt_ctx *ctx, lnt_sampled *s, receiver *r)
{
    lnt_status status = lnt_mat_alloc(ctx, &s->state, (int)lnt_chain_size(&s->density, &s->chains), s->chains.chains);
    if (status == LNT_OK)
        status = lnt_chains_start(ctx, s->state, &s->density, &s->chains, lnt_start_at, &s->starts);
    if (status == LNT_OK && s->folder)
        status = open_log(ctx, r, s);
    if (status == LNT_OK && !s->folder &&
        !(r->all = lnt_alloc(ctx, (size_t)s->chains.chains * (size_t)s->opts->draws * columns(s), sizeof *r->all)))
        status = LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_sample(ctx, s->state, &s->density, &s->chains, receive, r);
    for (int c = 0; c < s->chains.chains && r->log && r->held && status == LNT_OK; c++)
        flush(r, c, lnt_at(s->state, 0, c));
    lnt_draws_close(r->log);
    if (r->status == LNT_OK)
        return status;
    lnt_ctx_clear(ctx);
    return lnt_fail(ctx, r->status, "%s: linnet sample --resume %s continues", lnt_ctx_message(r->ctx), s->folder);
}

lnt_status lnt_sampled_run(lnt_ctx *ctx, lnt_sampled *s)
{
    receiver r = {.ctx = lnt_ctx_child(ctx), .s = s};
    if (!r.ctx)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for chains");
    lnt_status status = walk(ctx, s, &r);
    lnt_ctx_free(r.ctx);
    if (status != LNT_OK)
        return status;
    for (int c = 0; c < s->chains.chains; c++)
        if (lnt_chain_read(lnt_at(s->state, 0, c)).iteration < (double)s->chains.warmup + s->chains.draws)
            s->interrupted = true;
    if (s->folder)
        return load_log(ctx, s);
    set_memory(s, r.all);
    return LNT_OK;
}

/* ---- Reading draws ---- */

lnt_status lnt_sampled_column(lnt_ctx *ctx, lnt_chains *out, const lnt_sampled *s, int i)
{
    size_t n = lnt_sampled_count(s);
    double *a = lnt_alloc(ctx, n, sizeof *a);
    for (size_t d = 0; d < n && a; d++)
        a[d] = lnt_sampled_draw(s, d)[i];
    *out = (lnt_chains){a, s->x.chains, s->x.draws, 1};
    return a ? LNT_OK : LNT_ENOMEM;
}

const char *lnt_sampled_name(lnt_ctx *ctx, const lnt_sampled *s, int i)
{
    int group = i - s->weights;
    if (group < 0)
        return lnt_weight_name(ctx, lnt_weight_at(&s->data->layers, (size_t)i));
    if (!s->priors.alpha || group >= s->data->groups)
        return "log beta";
    return s->data->groups == 1 ? "log alpha" : lnt_sprintf(ctx, "log alpha[%d]", group + 1);
}

double lnt_sampled_beta(const lnt_sampled *s, const double *draw)
{
    return s->priors.beta ? exp(draw[s->dim - 1]) : s->fit.likelihood.beta;
}

typedef struct outputs {
    const lnt_sampled *s;
    lnt_mat X;
    double *F;
    size_t count, block;
    int every;
} outputs;

static lnt_status some_outputs(lnt_ctx *ctx, int index, void *user)
{
    const outputs *o = user;
    const lnt_layers *net = &o->s->data->layers;
    int q = net->net.width[net->net.depth];
    size_t last = ((size_t)index + 1) * o->block;
    lnt_status status = LNT_OK;
    for (size_t i = (size_t)index * o->block; i < last && i < o->count && status == LNT_OK; i++) {
        lnt_mat F = lnt_mat_view(o->F + i * (size_t)q * (size_t)o->X.cols, q, o->X.cols);
        status = lnt_layers_forward(ctx, F, net, lnt_sampled_draw(o->s, i * (size_t)o->every), o->X);
    }
    return status;
}

lnt_status lnt_sampled_outputs(lnt_ctx *ctx, double **F, size_t *count, const lnt_sampled *s, lnt_mat X, int every)
{
    int q = s->data->layers.net.width[s->data->layers.net.depth];
    outputs o = {.s = s, .X = X, .every = every, .block = 64};
    o.count = (lnt_sampled_count(s) + (size_t)every - 1) / (size_t)every;
    *count = o.count;
    *F = o.F = lnt_alloc(ctx, o.count * (size_t)q * (size_t)X.cols, sizeof *o.F);
    if (!o.F)
        return LNT_ENOMEM;
    return lnt_parallel(ctx, (int)((o.count + o.block - 1) / o.block), s->opts->threads, some_outputs, &o);
}
