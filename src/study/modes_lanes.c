/* The descent of two-layer networks from white inputs, eight starts at a time. A start that is alone goes the same way,
 * so that its numbers do not depend on its company. */
#include "modes.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

/* There a start alone takes up to twice the time of plain products, and eight together a quarter; with 4,000 weights,
 * which do not stay near the core eight times, four times and four fifths. */
#define MOST_WEIGHTS 1024
/* C_XX = d I but for rounding errors: then it is the same descent. */
#define WHITE 1e-12

bool lnt_modes_in_lanes(const lnt_modes_run *m)
{
    return !m->why[LNT_DESCENT] && m->net.depth == 2 && !m->Q.a && m->isotropy <= WHITE &&
           lnt_net_size(&m->net) <= MOST_WEIGHTS && m->modes.U.rows == m->modes.U.cols &&
           m->modes.VT.rows == m->modes.VT.cols;
}

typedef struct block {
    const lnt_modes_run *m;
    lnt_lanes lanes;
    int first, count;       /* starts; further lanes are empty */
    bool going[LNT_LANES];  /* neither empty nor diverged */
    double *before, *limit; /* of each mode and lane: the strength one step ago, and the one to report when passed */
    double least;           /* the loss at Syx/d */
} block;

#define DIVERGED 1e100 /* squares must exist */

static lnt_course *course(const block *b, int lane)
{
    return &b->m->course[LNT_DESCENT][b->first + lane];
}

static const double *strengths(const block *b, int mode)
{
    return b->lanes.M + ((size_t)mode * (size_t)b->lanes.cols + (size_t)mode) * LNT_LANES;
}

static double *weights(const block *b, int lane)
{
    return b->m->w[b->first + lane];
}

static lnt_status make_block(lnt_ctx *ctx, block *b, const lnt_modes_run *m, int first)
{
    size_t numbers = (size_t)m->count * LNT_LANES;
    lnt_mat best;
    *b = (block){.m = m, .first = first, .count = m->opts->seeds - first};
    b->count = b->count < LNT_LANES ? b->count : LNT_LANES;
    b->before = lnt_alloc_zero(ctx, numbers, sizeof *b->before);
    b->limit = lnt_alloc_zero(ctx, numbers, sizeof *b->limit);
    if (!b->before || !b->limit)
        return LNT_ENOMEM;
    lnt_status status = lnt_lanes_make(ctx, &b->lanes, m->net.width[1], m->modes.U, m->modes.VT, m->target, m->d0);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &best, m->setup.task.outputs, m->setup.task.inputs);
    if (status != LNT_OK)
        return status;
    b->lanes.fit = m->opts->descend != LNT_DESCEND_COMPETITION;
    b->lanes.competition = m->opts->descend != LNT_DESCEND_FIT;
    for (int i = 0; i < m->count; i++)
        for (int l = 0; l < LNT_LANES; l++)
            b->limit[i * LNT_LANES + l] = m->target[i] > 0 ? m->target[i] / 2 : DIVERGED;
    for (int l = 0; l < b->count; l++) {
        const double *w = m->w0[first + l];
        if (!m->done[first + l])
            continue; /* interrupted before it had weights */
        lnt_lanes_put(&b->lanes, l, lnt_net_weights(&m->net, w, 1), lnt_net_weights(&m->net, w, 2));
        b->going[l] = true;
        for (int i = 0; i < m->count; i++)
            course(b, l)->half[i] = INFINITY;
    }
    lnt_mat_copy(best, m->setup.all.Syx);
    lnt_mat_scale(best, 1 / m->d0);
    return lnt_linear_loss(ctx, &b->least, best, &m->setup.all);
}

static void take(const block *b, int lane)
{
    const lnt_net *net = &b->m->net;
    double *w = weights(b, lane);
    lnt_lanes_get(&b->lanes, lane, lnt_net_weights(net, w, 1), lnt_net_weights(net, w, 2));
}

/* Takes the weights out of a lane and leaves zeros, which cost nothing and stay where they are. */
static void stop(block *b, int lane)
{
    take(b, lane);
    lnt_lanes_clear(&b->lanes, lane);
    b->going[lane] = false;
    for (int i = 0; i < b->m->count; i++)
        b->limit[i * LNT_LANES + lane] = DIVERGED;
}

/* An empty lane stays at 0, below every limit. */
static bool anything_passed(const block *b)
{
    double within[LNT_LANES], sum = 0;
    for (int l = 0; l < LNT_LANES; l++)
        within[l] = 1;
    for (int i = 0; i < b->m->count; i++) {
        const double *now = strengths(b, i), *limit = b->limit + (size_t)i * LNT_LANES;
        for (int l = 0; l < LNT_LANES; l++) /* without branches */
            within[l] = ((now[l] < limit[l]) & (now[l] > -DIVERGED)) ? within[l] : 0;
    }
    for (int l = 0; l < LNT_LANES; l++)
        sum += within[l];
    return sum < LNT_LANES;
}

/* Enters the half-times that were passed in the step that ends now, and stops lanes that diverged. */
static void find_passed(block *b, long n)
{
    for (int l = 0; l < b->count; l++) {
        bool finite = true;
        for (int i = 0; i < b->m->count; i++)
            finite = finite && fabs(strengths(b, i)[l]) < DIVERGED;
        if (b->going[l] && !finite) {
            course(b, l)->diverged = n;
            stop(b, l);
        }
        for (int i = 0; i < b->m->count && b->going[l]; i++) {
            double *limit = &b->limit[i * LNT_LANES + l], from = b->before[i * LNT_LANES + l], to = strengths(b, i)[l];
            if (to < *limit)
                continue;
            course(b, l)->half[i] = n == 0 ? 0 : b->m->opts->dt * ((double)n - 1 + (*limit - from) / (to - from));
            *limit = DIVERGED;
        }
    }
}

/* Output time j. All that the weights tell is wanted of the first start alone. */
static lnt_status watch(lnt_ctx *ctx, block *b, int j)
{
    const lnt_modes_run *m = b->m;
    double excess[LNT_LANES];
    int lane = 0;
    if (b->first == 0 && b->going[0]) {
        take(b, 0);
        lnt_status status = lnt_modes_watch_weights(ctx, course(b, 0), m, j, weights(b, 0));
        if (status != LNT_OK)
            return status;
        lane = 1;
    }
    lnt_lanes_excess(&b->lanes, excess);
    for (; lane < b->count; lane++) {
        if (!b->going[lane])
            continue;
        for (int i = 0; i < m->count; i++)
            course(b, lane)->strength[(size_t)j * (size_t)m->count + (size_t)i] = strengths(b, i)[lane];
        course(b, lane)->watch[LNT_WATCH_LOSS][j] = m->scale * (b->least + excess[lane]);
    }
    return LNT_OK;
}

static lnt_status descend(lnt_ctx *ctx, block *b)
{
    const lnt_modes_run *m = b->m;
    lnt_status status = LNT_OK;
    long last = lround(m->t[m->times - 1] / m->opts->dt);
    int j = 0;
    for (long n = 0;; n++) {
        lnt_lanes_product(&b->lanes);
        if (anything_passed(b))
            find_passed(b, n);
        for (; status == LNT_OK && j < m->times && lround(m->t[j] / m->opts->dt) == n; j++)
            status = watch(ctx, b, j);
        if (n == last || status != LNT_OK || (n % 64 == 0 && lnt_cancelled(ctx)))
            return status;
        for (int i = 0; i < m->count; i++)
            memcpy(b->before + (size_t)i * LNT_LANES, strengths(b, i), LNT_LANES * sizeof *b->before);
        lnt_lanes_step(&b->lanes, m->eta * m->opts->dt);
    }
}

lnt_status lnt_modes_lanes(lnt_ctx *ctx, int index, void *user)
{
    lnt_modes_run *m = user;
    block b;
    lnt_status status = make_block(ctx, &b, m, index * LNT_LANES);
    if (status == LNT_OK)
        status = descend(ctx, &b);
    if (status == LNT_OK && index == 0 && b.going[0] && !lnt_cancelled(ctx))
        status = lnt_modes_watch_alignment(ctx, course(&b, 0), m);
    for (int l = 0; l < b.count && status == LNT_OK; l++) {
        if (b.going[l])
            take(&b, l);
        if (course(&b, l)->diverged)
            status = lnt_modes_diverged(ctx, course(&b, l), m);
        m->done[b.first + l] = m->done[b.first + l] && !lnt_cancelled(ctx);
    }
    return status;
}
