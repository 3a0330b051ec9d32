#include "local.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

/* The problem without its linear weights, as a model of theta alone. S d - f = y - Phi c, with rows -sqrt(ridge) c
 * below where there is a ridge. It works on the context of its fit, so its callbacks are not thread-safe. */
typedef struct projected {
    lnt_ctx *ctx;
    lnt_local l;
    double rcond, ridge;
    int linear, nonlinear;
    bool known;               /* w, c and the factors below belong together */
    double *w;                /* (theta, c) */
    double *y, *c;            /* c is also in w */
    lnt_mat Phi, U, VT;       /* Phi^T = U diag(s) V^T */
    double *s, *gain, *along; /* gain = s/(s^2 + ridge), c = U along */
    lnt_mat VB;               /* V^T df/dtheta */
    lnt_status failed;
} projected;

/* c and the factors of Phi at theta. */
static lnt_status project(projected *m, bool *rejected, const double *theta)
{
    lnt_local *l = &m->l;
    int rank = m->U.cols;
    m->known = false;
    memcpy(m->w, theta, (size_t)m->nonlinear * sizeof *theta);
    lnt_status status = lnt_local_residual(m->ctx, m->y, rejected, l, m->w);
    if (status == LNT_OK && !*rejected)
        status = lnt_local_at(m->ctx, l, rejected, m->w, m->y);
    if (status != LNT_OK || *rejected)
        return status;
    lnt_mat_copy(m->Phi, lnt_block(l->BT, m->nonlinear, 0, m->linear, l->n));
    lnt_gemv(m->y, 1, LNT_T, m->Phi, m->w + m->nonlinear, 1);
    status = lnt_svd(m->ctx, m->U, m->s, m->VT, m->Phi);
    if (status != LNT_OK)
        return status;
    lnt_gemv(m->along, 1, LNT_N, m->VT, m->y, 0);
    for (int i = 0; i < rank; i++) {
        double s = m->s[i];
        m->gain[i] = m->ridge > 0 ? s / (s * s + m->ridge) : s > m->rcond * m->s[0] ? 1 / s : 0;
        m->along[i] *= m->gain[i];
    }
    lnt_gemv(m->c, 1, LNT_N, m->U, m->along, 0);
    memcpy(m->w + m->nonlinear, m->c, (size_t)m->linear * sizeof *m->c);
    m->known = true;
    return LNT_OK;
}

static int answer(projected *m, lnt_status status, bool rejected)
{
    if (status != LNT_OK)
        m->failed = status;
    return status != LNT_OK ? -1 : rejected;
}

static int outputs(const double *theta, double *out, void *user)
{
    projected *m = user;
    int n = m->l.n;
    bool rejected = false;
    lnt_status status = project(m, &rejected, theta);
    if (status != LNT_OK || rejected)
        return answer(m, status, rejected);
    for (int i = 0; i < n; i++)
        out[i] = m->l.data[i] - m->y[i];
    lnt_gemv(out, 1, LNT_T, m->Phi, m->c, 1);
    for (int i = 0; i < m->linear && m->ridge > 0; i++)
        out[n + i] = sqrt(m->ridge) * m->c[i];
    return 0;
}

/* (I - Phi Phi^+) df/dtheta, with the rows of the ridge: all of it at once. */
static int rows(const double *theta, size_t first, size_t last, double *B, size_t ld, void *user)
{
    projected *m = user;
    lnt_local *l = &m->l;
    int rank = m->U.cols, n = l->n, count = m->nonlinear;
    lnt_mat BT = {B, count, (int)(last - first), (int)ld}, theirs = lnt_block(l->BT, 0, 0, count, n);
    bool rejected = false, here = m->known && memcmp(theta, m->w, (size_t)count * sizeof *theta) == 0;
    lnt_status status = here ? LNT_OK : project(m, &rejected, theta);
    if (first != 0) /* asked for in one piece only */
        status = lnt_fail(m->ctx, LNT_EINVAL, "a projected Jacobian in pieces");
    if (status == LNT_OK && !rejected)
        status = lnt_local_at(m->ctx, l, &rejected, m->w, m->y); /* df/dtheta at the new c */
    if (status != LNT_OK || rejected)
        return answer(m, status, rejected);
    lnt_gemm(m->VB, 1, LNT_N, m->VT, LNT_T, theirs, 0);
    lnt_mat_copy(lnt_columns(BT, 0, n), theirs);
    for (int i = 0; i < rank; i++)
        lnt_mat_scale(lnt_block(m->VB, i, 0, 1, count), m->gain[i]);
    if (m->ridge > 0)
        lnt_gemm(lnt_columns(BT, n, m->linear), -sqrt(m->ridge), LNT_T, m->VB, LNT_T, m->U, 0);
    for (int i = 0; i < rank; i++)
        lnt_mat_scale(lnt_block(m->VB, i, 0, 1, count), m->s[i]);
    lnt_gemm(lnt_columns(BT, 0, n), -1, LNT_T, m->VB, LNT_N, m->VT, 1);
    return 0;
}

static lnt_status make(lnt_ctx *ctx, projected *m, const lnt_fit_problem *problem, const lnt_fit_opts *opts)
{
    lnt_status status = lnt_local_make_plain(ctx, &m->l, problem);
    if (status != LNT_OK)
        return status;
    int n = m->l.n, k = m->l.k, q = opts->linear, rank = n < q ? n : q;
    m->linear = q;
    m->nonlinear = k - q;
    m->l.whole = true; /* the context serves one thread */
    for (int j = m->nonlinear; j < k && problem->penalty; j++)
        if (problem->penalty[j] != 0)
            return lnt_fail(ctx, LNT_EINVAL, "weight %d is projected out: its penalty is the ridge, not %g", j + 1,
                            problem->penalty[j]);
    double **each[] = {&m->w, &m->c, &m->y, &m->s, &m->gain, &m->along};
    int sizes[] = {k, q, n, rank, rank, rank};
    for (int i = 0; i < 6 && status == LNT_OK; i++)
        status = (*each[i] = lnt_alloc_zero(ctx, (size_t)sizes[i], sizeof(double))) ? LNT_OK : LNT_ENOMEM;
    lnt_mat *mats[] = {&m->Phi, &m->U, &m->VT, &m->VB};
    int height[] = {q, q, rank, rank}, width[] = {n, rank, n, m->nonlinear};
    for (int i = 0; i < 4 && status == LNT_OK; i++)
        status = lnt_mat_alloc(ctx, mats[i], height[i], width[i]);
    return status;
}

/* What the caller's after_step sees: all weights. */
typedef struct watcher {
    const lnt_fit_opts *opts;
    projected *m;
    double *w;
} watcher;

static int after_step(const lnt_fit_info *info, const double *theta, void *user)
{
    watcher *s = user;
    memcpy(s->w, theta, (size_t)s->m->nonlinear * sizeof *theta);
    if (memcmp(theta, s->m->w, (size_t)s->m->nonlinear * sizeof *theta) == 0) /* else a step was rejected */
        memcpy(s->w + s->m->nonlinear, s->m->c, (size_t)s->m->linear * sizeof *s->w);
    return s->opts->after_step(info, s->w, s->opts->user);
}

lnt_status lnt_fit_projected(lnt_ctx *ctx, double *w, lnt_fit_info *info, const lnt_fit_problem *problem,
                             const lnt_fit_opts *opts)
{
    projected m = {.ctx = ctx, .rcond = opts->rcond, .ridge = opts->ridge};
    lnt_status status = make(ctx, &m, problem, opts);
    if (status != LNT_OK)
        return status;
    size_t n = (size_t)m.l.n + (m.ridge > 0 ? (size_t)m.linear : 0), count = (size_t)m.nonlinear;
    double *d = lnt_alloc_zero(ctx, n, sizeof *d), *theta = lnt_alloc(ctx, count, sizeof *theta);
    bool rejected = false;
    if (!d || !theta)
        return LNT_ENOMEM;
    memcpy(d, m.l.data, (size_t)m.l.n * sizeof *d);
    memcpy(m.w, w, (size_t)m.l.k * sizeof *w);
    memcpy(theta, w, count * sizeof *theta);
    lnt_model model = {.n = n, .k = count, .user = &m, .f = outputs, .jacobian = rows, .alike = problem->model->alike};
    lnt_fit_problem reduced = {.model = &model, .d = d, .penalty = problem->penalty};
    lnt_fit_opts inner = *opts;
    watcher watch = {opts, &m, w};
    inner.linear = 0;
    inner.accelerate = false;
    inner.memory = (size_t)-1;
    inner.after_step = opts->after_step ? after_step : NULL;
    inner.user = &watch;
    if (opts->method == LNT_FIT_LBFGS)
        return lnt_fail(ctx, LNT_EINVAL, "variable projection goes with steps from a Jacobian, not with L-BFGS");
    status = lnt_fit_once(ctx, theta, info, &reduced, &inner, true);
    if (status == LNT_OK && info->stop != LNT_FIT_REFUSED) {
        status = project(&m, &rejected, theta);
        memcpy(w, m.w, (size_t)m.l.k * sizeof *w);
        for (int i = 0; i < m.linear; i++)
            info->sse -= m.ridge * m.c[i] * m.c[i];
    }
    info->jacobians = m.l.jacobians;
    return m.failed != LNT_OK ? m.failed : status;
}
