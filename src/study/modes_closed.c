/* Every mode by itself: the closed form of its flow, and the map that one step of descent is. */
#include "modes.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

/* Singular values that differ by less, relative to the largest, are equal. */
#define EQUAL 1e-9

/* The start of every mode: two layers have a vector a and b each, other depths a strength for each layer. */
typedef struct start {
    lnt_mat A, B;  /* h x modes, for two layers */
    lnt_mat D;     /* L x modes otherwise */
    lnt_mat U, VT; /* the modes; within equal singular values those that the start selects */
    bool selected; /* these are not the ones of the data: */
    lnt_mat C;     /* strength i of the data is sum_k C_ik strength k of these */
} start;

/* Whether mode i has singular values equal to its own beside it. */
static bool is_degenerate(const lnt_modes_run *m, int i)
{
    const double *s = m->modes.s;
    return (i > 0 && s[i - 1] - s[i] <= EQUAL * s[0]) || (i + 1 < m->count && s[i] - s[i + 1] <= EQUAL * s[0]);
}

/* The exact vectors where the modes share no hidden direction, else the balanced start that grows alike. */
static lnt_status start_pair(lnt_ctx *ctx, start *f, const lnt_modes_run *m, const double *w)
{
    int k = m->count, h = m->net.width[1];
    lnt_mat W1 = lnt_net_weights(&m->net, w, 1), W2 = lnt_net_weights(&m->net, w, 2);
    double *u0 = lnt_alloc(ctx, (size_t)k, sizeof *u0);
    lnt_status status = u0 ? lnt_mat_alloc_zero(ctx, &f->A, h, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &f->B, h, k);
    if (status != LNT_OK)
        return status;
    if (m->decoupled) {
        lnt_gemm(f->A, 1, LNT_N, W1, LNT_T, f->VT, 0);
        lnt_gemm(f->B, 1, LNT_T, W2, LNT_N, f->U, 0);
        return LNT_OK;
    }
    f->selected = true;
    status = lnt_start_effective(ctx, u0, f->U, f->VT, m->modes.s, EQUAL, W1, W2);
    for (int i = 0; i < k && status == LNT_OK; i++)
        *lnt_at(f->A, 0, i) = *lnt_at(f->B, 0, i) = sqrt(u0[i]);
    return status;
}

static lnt_status start_deep(lnt_ctx *ctx, start *f, const lnt_modes_run *m, const double *w)
{
    int L = m->net.depth, k = m->count;
    double *u0 = lnt_alloc(ctx, (size_t)k, sizeof *u0);
    lnt_status status = u0 ? lnt_mat_alloc(ctx, &f->D, L, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_modes_net_strengths(ctx, u0, NULL, m, w);
    for (int i = 0; i < k && status == LNT_OK; i++)
        for (int l = 0; l < L; l++) {
            bool passes = i < lnt_net_bottleneck(&m->net);
            *lnt_at(f->D, l, i) = L == 1 ? u0[i] : passes ? m->init.value[m->init.count == 1 ? 0 : l] : 0;
        }
    return status;
}

/* C_ik = (u_i . u'_k)(v_i . v'_k). */
static lnt_status overlaps(lnt_ctx *ctx, start *f, const lnt_modes_run *m)
{
    int k = m->count;
    lnt_mat V;
    lnt_status status = lnt_mat_alloc(ctx, &f->C, k, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &V, k, k);
    if (status != LNT_OK)
        return status;
    lnt_gemm(f->C, 1, LNT_T, lnt_modes_U(m), LNT_N, f->U, 0);
    lnt_gemm(V, 1, LNT_N, lnt_modes_VT(m), LNT_T, f->VT, 0);
    lnt_mat_multiply(f->C, V);
    return LNT_OK;
}

/* From the start's own modes to those of the data. */
static void mix(double *strength, const start *f, const double *own)
{
    for (int i = 0; i < f->C.rows; i++) {
        strength[i] = 0;
        for (int k = 0; k < f->C.cols; k++)
            strength[i] += *lnt_at(f->C, i, k) * own[k];
    }
}

static lnt_status find_start(lnt_ctx *ctx, start *f, const lnt_modes_run *m, const double *w)
{
    lnt_status status = lnt_mat_alloc(ctx, &f->U, m->modes.U.rows, m->count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &f->VT, m->count, m->modes.VT.cols);
    if (status != LNT_OK)
        return status;
    f->selected = false;
    lnt_mat_copy(f->U, lnt_modes_U(m));
    lnt_mat_copy(f->VT, lnt_modes_VT(m));
    status = m->net.depth == 2 ? start_pair(ctx, f, m, w) : start_deep(ctx, f, m, w);
    return status == LNT_OK ? overlaps(ctx, f, m) : status;
}

/* Enters the product U diag(strength) V' at output time j. */
static lnt_status enter(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, const start *f, int j,
                        const double *strength)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat W, UM;
    lnt_status status = lnt_mat_alloc(ctx, &W, m->setup.task.outputs, m->setup.task.inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &UM, W.rows, m->count);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(UM, f->U);
    for (int i = 0; i < m->count; i++)
        lnt_mat_scale(lnt_columns(UM, i, 1), strength[i]);
    lnt_gemm(W, 1, LNT_N, UM, LNT_N, f->VT, 0);
    status = lnt_modes_watch_product(ctx, c, m, j, W);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- The closed form of the flow ---- */

static bool equal_layers(const start *f)
{
    for (int l = 1; l < f->D.rows; l++)
        if (*lnt_at(f->D, l, 0) != *lnt_at(f->D, 0, 0))
            return false;
    return *lnt_at(f->D, 0, 0) >= 0;
}

/* Strengths of mode i at all output times; T is t/tau in the mode's own units. */
static lnt_status closed_mode(lnt_ctx *ctx, double *strength, const start *f, const lnt_modes_run *m, int i,
                              const double *T, int times)
{
    int L = m->net.depth, h = m->net.width[1];
    double s = m->target[i];
    lnt_mat A;
    if (L == 2) {
        lnt_mode mode = lnt_mode_start(lnt_at(f->A, 0, i), lnt_at(f->B, 0, i), h, s);
        for (int j = 0; j < times; j++)
            strength[j] = lnt_mode_product(&mode, T[j]);
        return LNT_OK;
    }
    const double *a = lnt_at(f->D, 0, i);
    double u0 = pow(a[0], L);
    bool equal = equal_layers(f);
    for (int j = 0; j < times && (L == 1 || equal); j++)
        strength[j] = L == 1 ? s + (a[0] - s) * exp(-T[j]) : u0 == 0 ? 0 : lnt_depth_at(u0, s, L, T[j]);
    if (L == 1 || equal)
        return LNT_OK;
    lnt_flow_opts tight;
    lnt_flow_defaults(&tight);
    tight.rtol = 1e-11;
    lnt_status status = lnt_mat_alloc(ctx, &A, L, times);
    if (status == LNT_OK)
        status = lnt_depth_unequal(ctx, A, NULL, a, L, s, T, times, &tight);
    for (int j = 0; j < times && status == LNT_OK; j++) {
        strength[j] = 1;
        for (int l = 0; l < L; l++)
            strength[j] *= *lnt_at(A, l, j);
    }
    return status;
}

/* In t/tau of the mode's own units; NaN where there is no formula. */
static double closed_half(const start *f, const lnt_modes_run *m, int i)
{
    int L = m->net.depth, h = m->net.width[1];
    double s = m->target[i];
    if (s == 0)
        return INFINITY;
    if (L == 2) {
        lnt_mode mode = lnt_mode_start(lnt_at(f->A, 0, i), lnt_at(f->B, 0, i), h, s);
        return mode.p >= s / 2 ? 0 : lnt_mode_half_time(&mode);
    }
    double u0 = pow(*lnt_at(f->D, 0, i), L);
    if (L > 1 && !equal_layers(f))
        return NAN;
    return u0 >= s / 2 ? 0 : L == 1 ? log((s - u0) / (s / 2)) : u0 > 0 ? lnt_depth_time(s / 2, u0, s, L) : INFINITY;
}

typedef struct closed_work {
    const start *f;
    const lnt_modes_run *m;
    double *own;
} closed_work;

static lnt_status closed_strengths(lnt_ctx *ctx, double *strength, double t, void *user)
{
    const closed_work *k = user;
    const lnt_modes_run *m = k->m;
    lnt_status status = LNT_OK;
    lnt_mark mark = lnt_ctx_mark(ctx);
    for (int i = 0; i < m->count && status == LNT_OK; i++) {
        double T = m->d[i] * m->eta * t;
        status = closed_mode(ctx, &k->own[i], k->f, m, i, &T, 1);
    }
    lnt_ctx_reset(ctx, mark);
    mix(strength, k->f, k->own);
    return status;
}

/* By formula, which also knows times beyond the last output, except for modes of the data that mix those of the start
 * and for unequal layers. */
static lnt_status closed_halves(lnt_ctx *ctx, lnt_course *c, const start *f, const lnt_modes_run *m)
{
    closed_work k = {f, m, lnt_alloc(ctx, (size_t)m->count, sizeof *k.own)};
    double *formula = lnt_alloc(ctx, (size_t)m->count, sizeof *formula), end = m->t[m->times - 1];
    bool search = false;
    if (!k.own || !formula)
        return LNT_ENOMEM;
    for (int i = 0; i < m->count; i++) {
        formula[i] = closed_half(f, m, i) / (m->d[i] * m->eta);
        search = search || isnan(formula[i]) || (f->selected && is_degenerate(m, i));
        end = isfinite(formula[i]) ? fmax(end, 3 * formula[i]) : end;
    }
    lnt_status status = search ? lnt_modes_half_times(ctx, c, m, closed_strengths, &k, end) : LNT_OK;
    for (int i = 0; i < m->count; i++)
        if (!isnan(formula[i]) && !(f->selected && is_degenerate(m, i)))
            c->half[i] = formula[i];
    return status;
}

lnt_status lnt_modes_closed(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, const double *w)
{
    start f;
    lnt_mat all; /* a column for each mode */
    double *T = lnt_alloc(ctx, (size_t)m->times, sizeof *T), *now = lnt_alloc(ctx, (size_t)m->count, sizeof *now);
    lnt_status status = T && now ? find_start(ctx, &f, m, w) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &all, m->times, m->count);
    for (int i = 0; i < m->count && status == LNT_OK; i++) {
        for (int j = 0; j < m->times; j++)
            T[j] = m->d[i] * m->eta * m->t[j];
        status = closed_mode(ctx, lnt_at(all, 0, i), &f, m, i, T, m->times);
    }
    for (int j = 0; j < m->times && status == LNT_OK; j++) {
        for (int i = 0; i < m->count; i++)
            now[i] = *lnt_at(all, j, i);
        status = enter(ctx, c, m, &f, j, now);
    }
    if (status != LNT_OK)
        return status;
    return closed_halves(ctx, c, &f, m);
}

/* ---- The discrete map ---- */

/* One step of every mode; its strength. */
static double map_step(start *f, const lnt_modes_run *m, int i, long steps)
{
    int L = m->net.depth, h = m->net.width[1];
    double step = m->eta * m->opts->dt * m->d[i], product = 1;
    if (L == 2) {
        lnt_map_steps(lnt_at(f->A, 0, i), lnt_at(f->B, 0, i), h, m->target[i], step, steps);
        return lnt_mat_dot(lnt_columns(f->A, i, 1), lnt_columns(f->B, i, 1));
    }
    lnt_map_deep(lnt_at(f->D, 0, i), L, m->target[i], step, steps);
    for (int l = 0; l < L; l++)
        product *= *lnt_at(f->D, l, i);
    return product;
}

lnt_status lnt_modes_map(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, const double *w)
{
    start f;
    size_t k = (size_t)m->count;
    double *own = lnt_alloc(ctx, k, sizeof *own), *now = lnt_alloc(ctx, k, sizeof *now),
           *before = lnt_alloc(ctx, k, sizeof *before);
    lnt_status status = own && now && before ? find_start(ctx, &f, m, w) : LNT_ENOMEM;
    for (int i = 0; i < m->count && status == LNT_OK; i++) {
        own[i] = map_step(&f, m, i, 0);
        c->half[i] = INFINITY;
    }
    if (status != LNT_OK)
        return status;
    long last = lround(m->t[m->times - 1] / m->opts->dt);
    for (long n = 0, j = 0; status == LNT_OK; n++) {
        mix(now, &f, own);
        for (int i = 0; i < m->count; i++) {
            double level = m->target[i] / 2;
            if (level > 0 && isinf(c->half[i]) && now[i] >= level)
                c->half[i] = n == 0 ? 0 : m->opts->dt * ((double)n - 1 + (level - before[i]) / (now[i] - before[i]));
        }
        for (; status == LNT_OK && j < m->times && lround(m->t[j] / m->opts->dt) == n; j++)
            status = enter(ctx, c, m, &f, (int)j, own);
        if (n == last || (n % 64 == 0 && lnt_cancelled(ctx)))
            break;
        memcpy(before, now, k * sizeof *before);
        for (int i = 0; i < m->count; i++)
            own[i] = map_step(&f, m, i, 1);
    }
    return status;
}
