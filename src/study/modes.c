#include "modes.h"

#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

const char *const lnt_method_names[] = {"closed", "riccati", "flow", "map", "descent", NULL};
const char *const lnt_watch_names[] = {"loss",      "outside", "fit",        "competition",
                                       "alignment", "test",    "prediction", NULL};

static bool watches(const lnt_modes_run *m, lnt_method method, lnt_watch watch)
{
    bool weights = method == LNT_FLOW || method == LNT_DESCENT, pair = m->net.depth == 2;
    switch (watch) {
    case LNT_WATCH_FIT:
    case LNT_WATCH_COMPETITION:
        return m->isotropy <= LNT_MODES_SAME;
    case LNT_WATCH_ALIGNMENT:
        return pair && (weights || method == LNT_RICCATI);
    case LNT_WATCH_TEST:
        return m->setup.test.n > 0;
    case LNT_WATCH_PREDICTION:
        return m->x != NULL;
    default:
        return true;
    }
}

/* Room for what one method finds; all but strengths and losses of the first start only. Not set to 0: whoever enters
 * numbers touches the memory first, on a thread of its own. */
static lnt_status course_alloc(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, lnt_method method, bool first)
{
    size_t times = (size_t)m->times, count = (size_t)m->count;
    int inputs = m->setup.task.inputs, outputs = m->Q.a ? m->Q.cols : m->setup.task.outputs;
    c->strength = lnt_alloc(ctx, times * count, sizeof *c->strength);
    c->half = lnt_alloc_zero(ctx, count, sizeof *c->half);
    if (!c->strength || !c->half)
        return LNT_ENOMEM;
    for (int k = 0; k < LNT_WATCHES; k++)
        if (watches(m, method, (lnt_watch)k) && (k == LNT_WATCH_LOSS || first) &&
            !(c->watch[k] = lnt_alloc(ctx, times, sizeof **c->watch)))
            return LNT_ENOMEM;
    if (!first)
        return LNT_OK;
    bool kernels = watches(m, method, LNT_WATCH_ALIGNMENT);
    if (!(c->W = lnt_alloc(ctx, times, sizeof *c->W)) ||
        (kernels && (!(c->A = lnt_alloc(ctx, times, sizeof *c->A)) || !(c->B = lnt_alloc(ctx, times, sizeof *c->B)))))
        return LNT_ENOMEM;
    lnt_status status = LNT_OK;
    if (method == LNT_RICCATI && m->net.width[1] == 1)
        status = lnt_mat_alloc(ctx, &c->neuron, inputs + outputs, m->times + 1);
    for (size_t j = 0; j < times && status == LNT_OK; j++) {
        status = lnt_mat_alloc(ctx, &c->W[j], outputs, inputs);
        if (status == LNT_OK && kernels)
            status = lnt_mat_alloc(ctx, &c->A[j], inputs, inputs);
        if (status == LNT_OK && kernels)
            status = lnt_mat_alloc(ctx, &c->B[j], outputs, outputs);
    }
    return status;
}

static lnt_status allocate(lnt_ctx *ctx, lnt_modes_run *m)
{
    size_t seeds = (size_t)m->opts->seeds, size = lnt_net_size(&m->net);
    lnt_status status = LNT_OK;
    m->w0 = lnt_alloc(ctx, seeds, sizeof *m->w0);
    m->w = lnt_alloc(ctx, seeds, sizeof *m->w);
    m->done = lnt_alloc_zero(ctx, seeds, sizeof *m->done);
    if (!m->w0 || !m->w || !m->done)
        return LNT_ENOMEM;
    int outputs = m->setup.task.outputs, span = m->setup.task.inputs + m->net.width[m->net.depth - 1];
    if (m->net.depth > 1 && outputs > span)
        status = lnt_mat_alloc(ctx, &m->Q, outputs, span);
    m->in_lanes = status == LNT_OK && lnt_modes_in_lanes(m);
    for (size_t i = 0; i < seeds; i++)
        if (!(m->w0[i] = lnt_alloc(ctx, size, sizeof **m->w0)) || !(m->w[i] = lnt_alloc(ctx, size, sizeof **m->w)))
            return LNT_ENOMEM;
    for (int k = 0; k < LNT_METHODS && status == LNT_OK; k++) {
        if (m->why[k])
            continue;
        if (!(m->course[k] = lnt_alloc_zero(ctx, seeds, sizeof *m->course[k])))
            return LNT_ENOMEM;
        for (size_t i = 0; i < seeds && status == LNT_OK; i++)
            status = course_alloc(ctx, &m->course[k][i], m, (lnt_method)k, i == 0);
    }
    return status;
}

static lnt_status one_start(lnt_ctx *ctx, int index, void *user)
{
    lnt_modes_run *m = user;
    if (index > 0 && lnt_cancelled(ctx))
        return LNT_OK;
    lnt_status status = lnt_modes_start(ctx, m->w0[index], m, index);
    memcpy(m->w[index], m->w0[index], lnt_net_size(&m->net) * sizeof *m->w[index]);
    if (status == LNT_OK)
        status = lnt_modes_courses(ctx, m, index);
    m->done[index] = status == LNT_OK && !lnt_cancelled(ctx);
    lnt_progress_step(ctx);
    return status;
}

/* Also where it ends too early to overflow. */
static bool blew_up(const lnt_modes_run *m, lnt_course *c)
{
    const double *loss = c->watch[LNT_WATCH_LOSS];
    if (!c->diverged && m->opts->descend == LNT_DESCEND_BOTH && !m->asked[LNT_DESCENT] &&
        loss[m->times - 1] > 10 * loss[0] + m->scale * m->setup.all.tr_Syy)
        c->diverged = lround(m->t[m->times - 1] / m->opts->dt);
    return c->diverged > 0;
}

/* The starts that share lanes, and their descent. */
static lnt_status one_block(lnt_ctx *ctx, int index, void *user)
{
    lnt_modes_run *m = user;
    lnt_status status = LNT_OK;
    for (int l = index * LNT_LANES; l < (index + 1) * LNT_LANES && l < m->opts->seeds && status == LNT_OK; l++)
        status = one_start(ctx, l, m);
    return status == LNT_OK ? lnt_modes_lanes(ctx, index, m) : status;
}

/* Other methods take longer than the lanes: then threads share single starts first. */
static lnt_status all_starts(lnt_ctx *ctx, lnt_modes_run *m)
{
    int seeds = m->opts->seeds, blocks = (seeds + LNT_LANES - 1) / LNT_LANES, threads = m->opts->threads;
    bool others = false;
    for (int k = 0; k < LNT_DESCENT; k++)
        others = others || !m->why[k];
    lnt_progress_begin(ctx, "starts", seeds);
    if (m->in_lanes && !others)
        return lnt_parallel(ctx, blocks, threads, one_block, m);
    lnt_status status = lnt_parallel(ctx, seeds, threads, one_start, m);
    return status == LNT_OK && m->in_lanes ? lnt_parallel(ctx, blocks, threads, lnt_modes_lanes, m) : status;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    lnt_modes_opts opts = *(const lnt_modes_opts *)user;
    lnt_modes_run m;
    if (opts.depths.count)
        return lnt_depths_study(ctx, record, &opts);
    lnt_status status = lnt_modes_prepare(ctx, &m, &opts);
    if (status == LNT_OK)
        status = allocate(ctx, &m);
    if (status != LNT_OK)
        return status;
    status = all_starts(ctx, &m);
    for (int i = 0; i < opts.seeds && !m.why[LNT_DESCENT]; i++)
        if (m.done[i] && blew_up(&m, &m.course[LNT_DESCENT][i]))
            m.why[LNT_DESCENT] =
                lnt_sprintf(ctx,
                            "it diverged after %ld steps; lr dt = %.4g is beyond the largest stable "
                            "one, %.4g",
                            m.course[LNT_DESCENT][i].diverged, opts.lr * opts.dt, 2 / (m.scale * m.curvature));
    while (status == LNT_OK && m.runs < opts.seeds && m.done[m.runs])
        m.runs++;
    m.interrupted = m.runs < opts.seeds;
    if (status == LNT_OK && m.runs == 0)
        return lnt_fail(ctx, LNT_EUSER, "interrupted before the first start was finished: there is nothing to keep");
    return status == LNT_OK ? lnt_modes_report(ctx, record, &m) : status;
}

lnt_status lnt_modes_study(lnt_ctx *ctx, lnt_record *record, const lnt_modes_opts *opts)
{
    return lnt_study_run(ctx, record, NULL, opts, study);
}
