/* One start, followed by each method that applies. */
#include "modes.h"

#include "linnet/linalg.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ---- Riccati ---- */

static lnt_status riccati(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, const double *w)
{
    lnt_mat W1 = lnt_net_weights(&m->net, w, 1), W2 = lnt_net_weights(&m->net, w, 2), Syx, W, G;
    lnt_riccati r;
    double imbalance, lambda;
    lnt_status status = lnt_mat_alloc(ctx, &Syx, W2.rows, W1.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &W, W2.rows, W1.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &G, W1.cols + W2.rows, W1.rows);
    if (status == LNT_OK)
        status = lnt_balance(ctx, &imbalance, &lambda, W1, W2);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(Syx, m->setup.all.Syx); /* C_XX = d I: in time d T with the target Syx/d */
    lnt_mat_scale(Syx, 1 / m->d0);
    status = lnt_riccati_make(ctx, &r, Syx, W1, W2, lambda);
    for (int j = 0; j < m->times && status == LNT_OK; j++) {
        status = lnt_riccati_at(ctx, G, &r, m->d0 * m->eta * m->t[j]);
        if (status != LNT_OK)
            break;
        lnt_riccati_map(W, &r, G);
        status = lnt_modes_watch_product(ctx, c, m, j, W);
        if (status == LNT_OK && c->A) {
            lnt_riccati_hidden(c->A[j], &r, G);
            lnt_riccati_outputs(c->B[j], &r, G);
        }
    }
    for (int i = 0; i < m->count; i++)
        lnt_modes_half_time(c, m, i);
    return status;
}

/* ---- Gradient flow ---- */

static lnt_status flow(lnt_ctx *ctx, lnt_course *c, lnt_modes_run *m, const double *w, int index)
{
    int k = m->count, inputs = m->setup.task.inputs;
    size_t size = lnt_net_size(&m->net);
    double *level = lnt_alloc(ctx, (size_t)k, sizeof *level), *T = lnt_alloc(ctx, (size_t)m->times, sizeof *T);
    lnt_mode_times modes = {.level = level, .time = c->half, .U = lnt_columns(m->modes.U, 0, k)};
    lnt_flow_opts opts;
    lnt_flow_info info;
    lnt_mat Y;
    lnt_status status = level && T ? lnt_mat_alloc(ctx, &modes.V, inputs, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, (int)size, m->times);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(modes.V, lnt_block(m->modes.VT, 0, 0, k, inputs));
    for (int i = 0; i < k; i++) /* modes without a target never cross */
        level[i] = m->target[i] > 0 ? m->target[i] / 2 : 1e300;
    for (int j = 0; j < m->times; j++)
        T[j] = m->eta * m->t[j];
    lnt_flow_defaults(&opts);
    opts.rtol = 1e-10;
    /* errors of a small start grow with its modes */
    opts.atol = fmax(1e-12 * fmin(1, lnt_mat_rms(lnt_mat_view((double *)(uintptr_t)w, (int)size, 1))), 1e-150);
    status = lnt_net_flow(ctx, Y, &info, &modes, &m->net, w, &m->setup.all, T, m->times, &opts);
    if (index == 0)
        m->flow = info;
    for (int j = 0; j < m->times && status == LNT_OK; j++)
        status = lnt_modes_watch_weights(ctx, c, m, j, lnt_at(Y, 0, j));
    for (int i = 0; i < k; i++) {
        bool at_start = m->target[i] > 0 && c->strength[i] >= m->target[i] / 2;
        c->half[i] = at_start ? 0 : isnan(c->half[i]) ? INFINITY : c->half[i] / m->eta;
    }
    return status;
}

/* ---- Descent, as it is run ---- */

typedef struct stepper {
    const lnt_modes_run *m;
    lnt_moments_work work;
    double *g, *before, *after; /* the gradient, and all strengths one step ago and now */
    lnt_mat P, UP;
    lnt_mat D1, D2; /* gradients in the frame of the modes, for parts of the energy */
    lnt_mat W1b, W2b;
} stepper;

static lnt_status make_stepper(lnt_ctx *ctx, stepper *s, const lnt_modes_run *m)
{
    int inputs = m->setup.task.inputs, outputs = m->setup.task.outputs, h = m->net.width[1];
    *s = (stepper){.m = m,
                   .g = lnt_alloc(ctx, lnt_net_size(&m->net), sizeof *s->g),
                   .before = lnt_alloc(ctx, (size_t)m->count, sizeof *s->before),
                   .after = lnt_alloc(ctx, (size_t)m->count, sizeof *s->after)};
    lnt_status status = s->g && s->before && s->after ? lnt_moments_work_alloc(ctx, &s->work, &m->net) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->P, outputs, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->UP, m->count, inputs);
    if (m->opts->descend == LNT_DESCEND_BOTH)
        return status;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->D1, h, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->W1b, h, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->D2, outputs, h);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->W2b, outputs, h);
    return status;
}

/* g <- the gradient of one part of the energy: rotated to the modes and back. */
static lnt_status part_gradient(lnt_ctx *ctx, stepper *s, const double *w)
{
    const lnt_modes_run *m = s->m;
    bool fit = m->opts->descend == LNT_DESCEND_FIT;
    lnt_energy energy;
    lnt_gemm(s->W1b, 1, LNT_N, lnt_net_weights(&m->net, w, 1), LNT_T, m->modes.VT, 0);
    lnt_gemm(s->W2b, 1, LNT_T, m->modes.U, LNT_N, lnt_net_weights(&m->net, w, 2), 0);
    lnt_status status = lnt_energy_split(ctx, &energy, s->D1, s->D2, fit, !fit, s->W1b, s->W2b, m->target);
    lnt_gemm(lnt_net_weights(&m->net, s->g, 1), m->d0, LNT_N, s->D1, LNT_N, m->modes.VT, 0);
    lnt_gemm(lnt_net_weights(&m->net, s->g, 2), m->d0, LNT_N, m->modes.U, LNT_N, s->D2, 0);
    return status;
}

static lnt_status strengths(lnt_ctx *ctx, stepper *s, const double *w)
{
    const lnt_modes_run *m = s->m;
    lnt_status status = lnt_net_product(ctx, s->P, &m->net, w);
    lnt_gemm(s->UP, 1, LNT_T, lnt_columns(m->modes.U, 0, m->count), LNT_N, s->P, 0);
    for (int i = 0; i < m->count; i++) {
        s->after[i] = 0;
        for (int j = 0; j < s->P.cols; j++)
            s->after[i] += *lnt_at(s->UP, i, j) * *lnt_at(m->modes.VT, i, j);
    }
    return status;
}

/* Enters the half-times that were passed in the step that ends now. */
static void find_halves(lnt_course *c, const stepper *s, long step)
{
    const lnt_modes_run *m = s->m;
    for (int i = 0; i < m->count; i++) {
        double level = m->target[i] / 2, from = s->before[i], to = s->after[i];
        if (m->target[i] == 0 || isfinite(c->half[i]) || to < level)
            continue;
        c->half[i] = step == 0 ? 0 : m->opts->dt * ((double)step - 1 + (level - from) / (to - from));
    }
}

static lnt_status descent(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, double *w)
{
    size_t size = lnt_net_size(&m->net);
    double step = m->eta * m->opts->dt;
    stepper s;
    lnt_status status = make_stepper(ctx, &s, m);
    for (int i = 0; i < m->count; i++)
        c->half[i] = INFINITY;
    long last = lround(m->t[m->times - 1] / m->opts->dt);
    for (long n = 0, j = 0; status == LNT_OK; n++) {
        if ((status = strengths(ctx, &s, w)) != LNT_OK)
            break;
        if (!isfinite(s.after[0]))
            return lnt_fail(
                ctx, LNT_EDIVERGED,
                "gradient descent diverged after %ld steps: --lr times --dt is %.3g, stable below about %.3g", n,
                m->opts->lr * m->opts->dt, 2 / (m->scale * m->curvature));
        find_halves(c, &s, n);
        for (; status == LNT_OK && j < m->times && lround(m->t[j] / m->opts->dt) == n; j++)
            status = lnt_modes_watch_weights(ctx, c, m, (int)j, w);
        if (n == last || status != LNT_OK || (n % 64 == 0 && lnt_cancelled(ctx)))
            break;
        memcpy(s.before, s.after, (size_t)m->count * sizeof *s.before);
        if (m->opts->descend == LNT_DESCEND_BOTH)
            lnt_net_gradient_moments(s.g, &s.work, &m->net, w, &m->setup.all);
        else
            status = part_gradient(ctx, &s, w);
        for (size_t i = 0; i < size; i++)
            w[i] -= step * s.g[i];
    }
    return status;
}

lnt_status lnt_modes_courses(lnt_ctx *ctx, lnt_modes_run *m, int index)
{
    const double *w0 = m->w0[index];
    lnt_status status = LNT_OK;
    for (int k = 0; k < LNT_METHODS && status == LNT_OK; k++) {
        lnt_course *c = &m->course[k][index];
        lnt_mark mark = lnt_ctx_mark(ctx);
        if (m->why[k])
            continue;
        if (k == LNT_CLOSED)
            status = lnt_modes_closed(ctx, c, m, w0);
        else if (k == LNT_MAP)
            status = lnt_modes_map(ctx, c, m, w0);
        else if (k == LNT_RICCATI)
            status = riccati(ctx, c, m, w0);
        else if (k == LNT_FLOW)
            status = flow(ctx, c, m, w0, index);
        else
            status = descent(ctx, c, m, m->w[index]);
        if (status == LNT_OK && c->A)
            status = lnt_modes_watch_alignment(ctx, c, m);
        lnt_ctx_reset(ctx, mark);
    }
    return status;
}
