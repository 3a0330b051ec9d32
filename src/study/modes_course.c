/* One start, followed by each method that applies. */
#include "modes.h"

#include "linnet/linalg.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ---- Riccati ---- */

typedef struct riccati_work {
    const lnt_modes_run *m;
    lnt_riccati r;
    lnt_mat Syx, W, G;
} riccati_work;

static lnt_status riccati_strengths(lnt_ctx *ctx, double *strength, double t, void *user)
{
    riccati_work *k = user;
    const lnt_modes_run *m = k->m;
    lnt_status status = lnt_riccati_at(ctx, k->G, &k->r, m->d0 * m->eta * t);
    if (status != LNT_OK)
        return status;
    lnt_riccati_map(k->W, &k->r, k->G);
    return lnt_modes_map_strengths(ctx, strength, NULL, m, k->W);
}

static lnt_status riccati_make(lnt_ctx *ctx, riccati_work *k, const lnt_modes_run *m, const double *w)
{
    lnt_mat W1 = lnt_net_weights(&m->net, w, 1), W2 = lnt_net_weights(&m->net, w, 2);
    double imbalance, lambda;
    k->m = m;
    lnt_status status = lnt_mat_alloc(ctx, &k->Syx, W2.rows, W1.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &k->W, W2.rows, W1.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &k->G, W1.cols + W2.rows, W1.rows);
    if (status == LNT_OK)
        status = lnt_balance(ctx, &imbalance, &lambda, W1, W2);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(k->Syx, m->setup.all.Syx); /* C_XX = d I: in time d T with the target Syx/d */
    lnt_mat_scale(k->Syx, 1 / m->d0);
    return lnt_riccati_make(ctx, &k->r, k->Syx, W1, W2, lambda);
}

static lnt_status riccati(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, const double *w)
{
    riccati_work k;
    lnt_status status = riccati_make(ctx, &k, m, w);
    for (int j = 0; j < m->times && status == LNT_OK; j++) {
        status = lnt_riccati_at(ctx, k.G, &k.r, m->d0 * m->eta * m->t[j]);
        if (status != LNT_OK)
            break;
        lnt_riccati_map(k.W, &k.r, k.G);
        status = lnt_modes_watch_product(ctx, c, m, j, k.W);
        if (status == LNT_OK && c->A) {
            lnt_riccati_hidden(c->A[j], &k.r, k.G);
            lnt_riccati_outputs(c->B[j], &k.r, k.G);
        }
        if (c->neuron.a)
            lnt_mat_copy(lnt_columns(c->neuron, j, 1), k.G);
    }
    if (status == LNT_OK && c->neuron.a)
        status = lnt_riccati_at(ctx, lnt_columns(c->neuron, m->times, 1), &k.r, 1e300);
    if (status == LNT_OK)
        status = lnt_modes_half_times(ctx, c, m, riccati_strengths, &k, m->t[m->times - 1]);
    return status;
}

/* ---- Gradient flow ---- */

static lnt_status flow(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, const double *w, lnt_flow_info *info)
{
    int k = m->count, inputs = m->setup.task.inputs;
    size_t size = lnt_net_size(&m->net);
    double *level = lnt_alloc(ctx, (size_t)k, sizeof *level), *first = lnt_alloc(ctx, (size_t)k, sizeof *first),
           *T = lnt_alloc(ctx, (size_t)m->times, sizeof *T);
    lnt_mode_times modes = {.level = level, .time = c->half, .U = lnt_modes_U(m)};
    lnt_flow_opts opts;
    lnt_mat Y;
    lnt_status status = level && first && T ? lnt_mat_alloc(ctx, &modes.V, inputs, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, (int)size, m->times);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(modes.V, lnt_modes_VT(m));
    for (int i = 0; i < k; i++) /* modes without a target never cross */
        level[i] = m->target[i] > 0 ? m->target[i] / 2 : 1e300;
    for (int j = 0; j < m->times; j++)
        T[j] = m->eta * m->t[j];
    lnt_flow_defaults(&opts);
    opts.rtol = 1e-10;
    /* errors of a small start grow with its modes */
    opts.atol = fmax(1e-12 * fmin(1, lnt_mat_rms(lnt_mat_view((double *)(uintptr_t)w, (int)size, 1))), 1e-150);
    status = lnt_net_flow(ctx, Y, info, &modes, &m->net, w, &m->setup.all, T, m->times, &opts);
    for (int j = 0; j < m->times && status == LNT_OK; j++)
        status = lnt_modes_watch_weights(ctx, c, m, j, lnt_at(Y, 0, j));
    if (status == LNT_OK)
        status = lnt_modes_net_strengths(ctx, first, NULL, m, w);
    for (int i = 0; i < k && status == LNT_OK; i++) {
        bool at_start = m->target[i] > 0 && first[i] >= m->target[i] / 2;
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
    lnt_mat G, UM; /* dE/dW of one part of the energy, and U scaled */
} stepper;

static lnt_status make_stepper(lnt_ctx *ctx, stepper *s, const lnt_modes_run *m)
{
    int inputs = m->setup.task.inputs, outputs = m->setup.task.outputs;
    *s = (stepper){.m = m,
                   .g = lnt_alloc(ctx, lnt_net_size(&m->net), sizeof *s->g),
                   .before = lnt_alloc(ctx, (size_t)m->count, sizeof *s->before),
                   .after = lnt_alloc(ctx, (size_t)m->count, sizeof *s->after)};
    lnt_status status = s->g && s->before && s->after ? lnt_moments_work_alloc(ctx, &s->work, &m->net) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->P, outputs, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->UP, m->count, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->G, outputs, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s->UM, outputs, m->count);
    return status;
}

/* g <- the gradient of one part of the energy, in the product: fit, d U diag(m - target) V'; competition, d (W - U
 * diag(m) V'). */
static void part_gradient(stepper *s, const double *w)
{
    const lnt_modes_run *m = s->m;
    bool fit = m->opts->descend == LNT_DESCEND_FIT;
    lnt_mat W1 = lnt_net_weights(&m->net, w, 1), W2 = lnt_net_weights(&m->net, w, 2);
    lnt_mat_copy(s->UM, lnt_modes_U(m));
    for (int i = 0; i < m->count; i++)
        lnt_mat_scale(lnt_columns(s->UM, i, 1), m->d0 * (fit ? s->after[i] - m->target[i] : -s->after[i]));
    lnt_mat_copy(s->G, s->P);
    lnt_gemm(s->G, 1, LNT_N, s->UM, LNT_N, lnt_modes_VT(m), fit ? 0 : m->d0);
    lnt_gemm(lnt_net_weights(&m->net, s->g, 1), 1, LNT_T, W2, LNT_N, s->G, 0);
    lnt_gemm(lnt_net_weights(&m->net, s->g, 2), 1, LNT_N, s->G, LNT_T, W1, 0);
}

static lnt_status strengths(lnt_ctx *ctx, stepper *s, const double *w)
{
    const lnt_modes_run *m = s->m;
    lnt_status status = lnt_net_product(ctx, s->P, &m->net, w);
    lnt_gemm(s->UP, 1, LNT_T, lnt_modes_U(m), LNT_N, s->P, 0);
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
        if (m->target[i] <= 0 || isfinite(c->half[i]) || to < level)
            continue;
        c->half[i] = step == 0 ? 0 : m->opts->dt * ((double)step - 1 + (level - from) / (to - from));
    }
}

static bool all_finite(const double *x, int n)
{
    for (int i = 0; i < n; i++)
        if (!(fabs(x[i]) < 1e100)) /* squares must exist */
            return false;
    return true;
}

lnt_status lnt_modes_diverged(lnt_ctx *ctx, const lnt_course *c, const lnt_modes_run *m)
{
    if (!m->asked[LNT_DESCENT])
        return LNT_OK;
    return lnt_fail(ctx, LNT_EDIVERGED,
                    "gradient descent diverged after %ld steps: --lr times --dt is %.3g, stable below about %.3g",
                    c->diverged, m->opts->lr * m->opts->dt, 2 / (m->scale * m->curvature));
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
        if (!all_finite(s.after, m->count)) {
            c->diverged = n;
            break;
        }
        find_halves(c, &s, n);
        for (; status == LNT_OK && j < m->times && lround(m->t[j] / m->opts->dt) == n; j++)
            status = lnt_modes_watch_weights(ctx, c, m, (int)j, w);
        if (n == last || status != LNT_OK || (n % 64 == 0 && lnt_cancelled(ctx)))
            break;
        memcpy(s.before, s.after, (size_t)m->count * sizeof *s.before);
        if (m->opts->descend == LNT_DESCEND_BOTH)
            lnt_net_gradient_moments(s.g, &s.work, &m->net, w, &m->setup.all);
        else
            part_gradient(&s, w);
        for (size_t i = 0; i < size; i++)
            w[i] -= step * s.g[i];
    }
    return status == LNT_OK && c->diverged ? lnt_modes_diverged(ctx, c, m) : status;
}

/* ---- Fewer outputs ---- */

/* The problem of one start in an orthonormal basis Q of the span of Syx and W_L. */
static lnt_status reduce(lnt_ctx *ctx, lnt_modes_run *r, double **w0, const lnt_modes_run *m, int index)
{
    int L = m->net.depth, inputs = m->setup.task.inputs, span = m->Q.cols;
    lnt_mat WL = lnt_net_weights(&m->net, m->w0[index], L);
    double *diagonal = lnt_alloc(ctx, (size_t)span, sizeof *diagonal);
    int *width = lnt_alloc(ctx, (size_t)L + 1, sizeof *width);
    lnt_status status = diagonal && width ? LNT_OK : LNT_ENOMEM;
    *r = *m;
    if (status == LNT_OK && index > 0)
        status = lnt_mat_alloc(ctx, &r->Q, m->Q.rows, span);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(lnt_columns(r->Q, 0, inputs), m->setup.all.Syx);
    lnt_mat_copy(lnt_columns(r->Q, inputs, span - inputs), WL);
    status = lnt_qr(ctx, r->Q, diagonal);
    memcpy(width, m->net.width, ((size_t)L + 1) * sizeof *width);
    width[L] = span;
    r->net.width = width;
    r->setup.task.outputs = span;
    *w0 = lnt_alloc(ctx, lnt_net_size(&r->net), sizeof **w0);
    if (status != LNT_OK || !*w0 || lnt_mat_alloc(ctx, &r->setup.all.Syx, span, inputs) != LNT_OK ||
        lnt_mat_alloc(ctx, &r->modes.U, span, m->count) != LNT_OK)
        return status != LNT_OK ? status : LNT_ENOMEM;
    memcpy(*w0, m->w0[index], lnt_net_size(&r->net) * sizeof **w0); /* the last layer is replaced */
    lnt_gemm(lnt_net_weights(&r->net, *w0, L), 1, LNT_T, r->Q, LNT_N, WL, 0);
    lnt_gemm(r->setup.all.Syx, 1, LNT_T, r->Q, LNT_N, m->setup.all.Syx, 0);
    if (m->setup.test.n) {
        if (lnt_mat_alloc(ctx, &r->setup.held.Syx, span, inputs) != LNT_OK)
            return LNT_ENOMEM;
        lnt_gemm(r->setup.held.Syx, 1, LNT_T, r->Q, LNT_N, m->setup.held.Syx, 0);
    }
    lnt_gemm(r->modes.U, 1, LNT_T, r->Q, LNT_N, lnt_modes_U(m), 0);
    return LNT_OK;
}

static lnt_status run_methods(lnt_ctx *ctx, lnt_modes_run *m, int index, const double *w0, double *w,
                              lnt_flow_info *info)
{
    lnt_status status = LNT_OK;
    for (int k = 0; k < LNT_METHODS && status == LNT_OK; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        if (m->why[k] || (k == LNT_DESCENT && m->in_lanes))
            continue;
        lnt_course *c = &m->course[k][index];
        if (k == LNT_CLOSED)
            status = lnt_modes_closed(ctx, c, m, w0);
        else if (k == LNT_MAP)
            status = lnt_modes_map(ctx, c, m, w0);
        else if (k == LNT_RICCATI)
            status = riccati(ctx, c, m, w0);
        else if (k == LNT_FLOW)
            status = flow(ctx, c, m, w0, info);
        else
            status = descent(ctx, c, m, w);
        if (status == LNT_OK && c->A && !c->diverged && !lnt_cancelled(ctx))
            status = lnt_modes_watch_alignment(ctx, c, m);
        lnt_ctx_reset(ctx, mark);
    }
    return status;
}

lnt_status lnt_modes_courses(lnt_ctx *ctx, lnt_modes_run *m, int index)
{
    lnt_flow_info info;
    lnt_modes_run r;
    int L = m->net.depth;
    lnt_status status;
    if (!m->Q.a) {
        status = run_methods(ctx, m, index, m->w0[index], m->w[index], &info);
    } else {
        double *w0, *w = lnt_alloc(ctx, lnt_net_size(&m->net), sizeof *w);
        status = w ? reduce(ctx, &r, &w0, m, index) : LNT_ENOMEM;
        if (status != LNT_OK)
            return status;
        size_t size = lnt_net_size(&r.net);
        memcpy(w, w0, size * sizeof *w);
        status = run_methods(ctx, &r, index, w0, w, &info);
        memcpy(m->w[index], w, (size - (size_t)m->Q.cols * (size_t)m->net.width[L - 1]) * sizeof *w);
        lnt_gemm(lnt_net_weights(&m->net, m->w[index], L), 1, LNT_N, r.Q, LNT_N, lnt_net_weights(&r.net, w, L), 0);
    }
    if (index == 0 && !m->why[LNT_FLOW])
        m->flow = info;
    return status;
}
