#include "complete.h"
#include "setup.h"

#include "linnet/linalg.h"
#include "linnet/modes.h"
#include "linnet/parallel.h"

#include <math.h>

/* Depths that have not learned by this many times of their fastest mode are waited for no longer. */
#define LONGEST 1e5
#define ENOUGH 0.5 /* of the error asked for: the rough integration is off a little */
#define ROUGH_STEPS 20000
#define MOST_NUMBERS 2e8 /* of all maps at all output times */

void lnt_complete_defaults(lnt_complete_opts *opts)
{
    *opts = (lnt_complete_opts){.rank = 3, .share = 0.4, .noise = 0.1, .depths = {3, {1, 2, 3}}, .init = 1e-4};
}

lnt_mat lnt_complete_product(const lnt_complete_run *c, const lnt_complete_path *path, int j)
{
    return lnt_mat_view(lnt_at(path->Y, 0, j), c->task.rows, c->task.columns);
}

/* ---- Before the flows ---- */

static lnt_status singular_values(lnt_ctx *ctx, double *s, lnt_mat A)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    int k = A.rows < A.cols ? A.rows : A.cols;
    lnt_mat U, VT;
    lnt_status status = lnt_mat_alloc(ctx, &U, A.rows, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, A.cols);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, A);
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status check_depths(lnt_ctx *ctx, const lnt_complete_opts *o, const lnt_completion *task)
{
    if (o->depths.count == 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--depths names no depth: use --depths 1,2,3");
    double numbers = (double)o->depths.count * LNT_COMPLETE_TIMES * task->rows * task->columns;
    if (numbers > MOST_NUMBERS)
        return lnt_fail(ctx, LNT_EUSAGE, "%d depths of a matrix of %d x %d take %g numbers, at most %g: name fewer",
                        o->depths.count, task->rows, task->columns, numbers, MOST_NUMBERS);
    return lnt_check_depths(ctx, &o->depths);
}

/* The start, and what it is measured by. */
static lnt_status make_start(lnt_ctx *ctx, lnt_complete_run *c)
{
    const lnt_completion *task = &c->task;
    int width[2] = {task->columns, task->rows};
    lnt_net net = {.depth = 1, .width = width};
    lnt_init init = {.kind = LNT_INIT_ORTHOGONAL};
    lnt_rng rng = lnt_rng_stream(c->opts->seed, 0, LNT_FOR_WEIGHTS);
    int k = task->rows < task->columns ? task->rows : task->columns;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_status status = s ? singular_values(ctx, s, task->train.T) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &c->start, task->rows, task->columns);
    if (status == LNT_OK)
        status = lnt_net_init(ctx, c->start.a, &net, &init, NULL, &rng);
    if (status != LNT_OK)
        return status;
    c->top = s[0];
    c->rms = lnt_mat_norm(task->train.T) / sqrt(task->observed);
    if (!(c->top > 0))
        return lnt_fail(ctx, LNT_EDOMAIN, "all observed entries are 0: there is nothing to be learned");
    lnt_mat_scale(c->start, c->opts->init * c->top);
    return LNT_OK;
}

static lnt_status allocate(lnt_ctx *ctx, lnt_complete_run *c)
{
    const size_t times = LNT_COMPLETE_TIMES, depths = (size_t)c->opts->depths.count;
    int k = c->task.rows < c->task.columns ? c->task.rows : c->task.columns, entries = c->task.rows * c->task.columns;
    c->path = lnt_alloc_zero(ctx, depths, sizeof *c->path);
    c->nuclear_s = lnt_alloc(ctx, (size_t)k, sizeof *c->nuclear_s);
    c->t = lnt_alloc(ctx, times, sizeof *c->t);
    lnt_status status = c->path && c->nuclear_s && c->t ? LNT_OK : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &c->nuclear, c->task.rows, c->task.columns);
    for (size_t i = 0; i < depths && status == LNT_OK; i++) {
        lnt_complete_path *p = &c->path[i];
        double *values = lnt_alloc(ctx, 4 * times, sizeof *values);
        p->depth = c->opts->depths.item[i];
        status = values ? lnt_mat_alloc(ctx, &p->Y, entries, LNT_COMPLETE_TIMES) : LNT_ENOMEM;
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &p->singular, k, LNT_COMPLETE_TIMES);
        p->train = values;
        if (values)
            p->test = values + times, p->rank = values + 2 * times, p->norm = values + 3 * times;
    }
    return status;
}

/* ---- Time ---- */

/* The rate of the largest mode of the data once it is learned: N s^{2-2/N}. */
static double fastest_rate(const lnt_complete_run *c, int N)
{
    return N * pow(c->top, 2 - 2.0 / N);
}

/* When a depth has learned the observed entries, roughly: integrated in pieces, each as long as all before. */
static lnt_status settle(lnt_ctx *ctx, int index, void *user)
{
    lnt_complete_run *c = user;
    lnt_complete_path *p = &c->path[index];
    double longest = LONGEST / fastest_rate(c, p->depth), h = 1 / fastest_rate(c, p->depth);
    lnt_flow_opts opts = {LNT_FLOW_AUTO, 1e-5, 1e-6 * c->opts->init * c->top / sqrt(p->Y.rows), ROUGH_STEPS};
    lnt_flow_info info = {0};
    lnt_mat W, next;
    lnt_status status = lnt_mat_alloc(ctx, &W, c->task.rows, c->task.columns);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &next, p->Y.rows, 1);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(W, c->start);
    while (info.stop == LNT_FLOW_DONE && p->settled < longest &&
           lnt_observed_error(&c->task.train, W) > ENOUGH * LNT_COMPLETE_LEARNED * c->rms) {
        status = lnt_product_flow(ctx, next, &info, W, p->depth, lnt_observed_gradient, &c->task.train, &h, 1, &opts);
        if (status != LNT_OK)
            return status;
        if (info.stop == LNT_FLOW_DONE)
            lnt_mat_copy(W, lnt_mat_view(next.a, W.rows, W.cols));
        p->settled += info.t;
        h = p->settled;
    }
    lnt_progress_step(ctx);
    return LNT_OK;
}

/* 0, then equal ratios from the fastest time on: modes are learned at times of all orders. */
static void make_times(lnt_complete_run *c)
{
    int last = LNT_COMPLETE_TIMES - 1;
    double end = c->opts->time, first = INFINITY;
    for (int i = 0; i < c->opts->depths.count; i++) {
        end = c->opts->time > 0 ? end : fmax(end, c->path[i].settled);
        first = fmin(first, 1 / fastest_rate(c, c->path[i].depth));
    }
    end = end > 0 ? end : 10 * first; /* the start fits already */
    first = fmin(first, end / 100);
    c->t[0] = 0;
    for (int j = 1; j <= last; j++)
        c->t[j] = j == last ? end : first * pow(end / first, (j - 1.0) / (last - 1));
}

/* ---- The flows and the minimum ---- */

static lnt_status follow(lnt_ctx *ctx, lnt_complete_run *c, lnt_complete_path *p)
{
    lnt_flow_opts opts;
    int k = p->singular.rows;
    lnt_flow_defaults(&opts);
    opts.atol = 1e-9 * c->opts->init * c->top / sqrt(p->Y.rows);
    lnt_status status = lnt_product_flow(ctx, p->Y, &p->flow, c->start, p->depth, lnt_observed_gradient, &c->task.train,
                                         c->t, LNT_COMPLETE_TIMES, &opts);
    lnt_mat_fill(p->singular, NAN);
    p->last = p->flow.outputs - 1;
    for (int j = 0; j < LNT_COMPLETE_TIMES && status == LNT_OK; j++) {
        p->train[j] = p->test[j] = p->rank[j] = p->norm[j] = NAN;
        if (j > p->last)
            continue;
        lnt_mat W = lnt_complete_product(c, p, j);
        double *s = lnt_at(p->singular, 0, j);
        status = singular_values(ctx, s, W);
        p->train[j] = lnt_observed_error(&c->task.train, W);
        p->test[j] = lnt_observed_error(&c->task.test, W);
        p->rank[j] = lnt_effective_rank(s, k);
        p->norm[j] = 0;
        for (int i = 0; i < k; i++)
            p->norm[j] += s[i];
        if (p->test[j] < p->test[p->best])
            p->best = j;
    }
    p->done = status == LNT_OK && p->flow.stop != LNT_FLOW_INTERRUPTED;
    return status;
}

/* The nuclear-norm minimum, then the depths. */
static lnt_status one_item(lnt_ctx *ctx, int index, void *user)
{
    lnt_complete_run *c = user;
    lnt_status status;
    if (index > 0) {
        status = follow(ctx, c, &c->path[index - 1]);
    } else {
        status = lnt_nuclear_complete(ctx, c->nuclear, &c->certificate, &c->task.train, NULL);
        if (status == LNT_OK)
            status = singular_values(ctx, c->nuclear_s, c->nuclear);
        c->nuclear_done = status == LNT_OK && !lnt_cancelled(ctx);
    }
    lnt_progress_step(ctx);
    return status;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_complete_opts *o = user;
    lnt_complete_run c = {.opts = o};
    int depths = o->depths.count;
    lnt_status status = lnt_completion_make(ctx, &c.task, o);
    if (status == LNT_OK)
        status = check_depths(ctx, o, &c.task);
    if (status == LNT_OK)
        status = make_start(ctx, &c);
    if (status == LNT_OK)
        status = allocate(ctx, &c);
    if (status != LNT_OK)
        return status;
    lnt_progress_begin(ctx, "depths", o->time > 0 ? depths + 1 : 2 * depths + 1);
    if (!(o->time > 0))
        status = lnt_parallel(ctx, depths, o->threads, settle, &c);
    make_times(&c);
    if (status == LNT_OK && !lnt_cancelled(ctx))
        status = lnt_parallel(ctx, depths + 1, o->threads, one_item, &c);
    if (status == LNT_OK && !c.nuclear_done)
        return lnt_fail(ctx, LNT_EUSER, "interrupted before the first result: there is nothing to keep");
    return status == LNT_OK ? lnt_complete_report(ctx, record, &c) : status;
}

lnt_status lnt_complete_study(lnt_ctx *ctx, lnt_record *record, const lnt_complete_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_complete_options, opts, study);
}
