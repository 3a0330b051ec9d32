#include "local.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define MOST_PERIOD 100

void lnt_naive_defaults(lnt_naive_opts *opts)
{
    *opts = (lnt_naive_opts){.solver = LNT_NAIVE_PINV,
                             .mu = 1e-3,
                             .rcond = 1e-12,
                             .max_steps = 2000,
                             .max_period = MOST_PERIOD,
                             .tolerance = 1e-6};
}

typedef struct naive {
    lnt_local l;
    const lnt_naive_opts *opts;
    lnt_mat U, VT; /* B^T = U diag(s) V^T */
    double *s, *c, *r;
    int rank, history;
    lnt_mat past; /* weights in turn; their SSE and norms */
    double *past_sse, *past_norm;
} naive;

static lnt_mat column(double *x, int n)
{
    return lnt_mat_view(x, n, 1);
}

static double norm(const double *x, int n)
{
    return lnt_mat_norm(column((double *)(uintptr_t)x, n));
}

/* r and SSE at w. */
static lnt_status residual(lnt_ctx *ctx, naive *v, double *sse, bool *rejected, const double *w)
{
    lnt_status status = lnt_local_residual(ctx, v->r, rejected, &v->l, w);
    *sse = status == LNT_OK && !*rejected ? pow(norm(v->r, v->l.n), 2) : NAN;
    return status;
}

/* The Jacobian at w, where v->r is the residual, and its decomposition. */
static lnt_status decompose(lnt_ctx *ctx, naive *v, bool *rejected, const double *w)
{
    lnt_status status = lnt_local_at(ctx, &v->l, rejected, w, v->r);
    if (status == LNT_OK && !*rejected)
        status = lnt_svd(ctx, v->U, v->s, v->VT, v->l.BT);
    for (v->rank = 0; status == LNT_OK && !*rejected && v->rank < v->U.cols;)
        if (v->s[v->rank] > v->opts->rcond * v->s[0])
            v->rank++;
        else
            break;
    return status;
}

static lnt_status normal_equations(lnt_ctx *ctx, double *next, bool *singular, naive *v)
{
    int k = v->l.k;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat L;
    lnt_status status = lnt_mat_alloc(ctx, &L, k, k);
    double *diagonal = lnt_alloc(ctx, (size_t)k, sizeof *diagonal);
    if (status != LNT_OK || !diagonal)
        return LNT_ENOMEM;
    lnt_syrk(L, 1, LNT_N, v->l.BT, 0);
    for (int j = 0; j < k; j++)
        diagonal[j] = *lnt_at(L, j, j);
    *singular = !lnt_cholesky(L);
    for (int j = 0; j < k && !*singular; j++)
        *singular = !(pow(*lnt_at(L, j, j), 2) > k * DBL_EPSILON * diagonal[j]);
    if (!*singular) {
        lnt_gemv(next, 1, LNT_N, v->l.BT, v->l.data, 0);
        lnt_solve_lower(column(next, k), LNT_N, L);
        lnt_solve_lower(column(next, k), LNT_T, L);
    }
    lnt_ctx_reset(ctx, mark);
    return LNT_OK;
}

/* next <- B^+ y, or with the ridge. */
static void pseudoinverse(double *next, naive *v, const double *y, double mu)
{
    lnt_gemv(v->c, 1, LNT_N, v->VT, y, 0);
    for (int i = 0; i < v->U.cols; i++)
        if (mu > 0)
            v->c[i] *= v->s[i] / (v->s[i] * v->s[i] + mu);
        else
            v->c[i] = i < v->rank ? v->c[i] / v->s[i] : 0;
    lnt_gemv(next, 1, LNT_N, v->U, v->c, 0);
}

static lnt_status map(lnt_ctx *ctx, double *next, bool *singular, naive *v)
{
    *singular = false;
    if (v->opts->solver == LNT_NAIVE_NORMAL)
        return normal_equations(ctx, next, singular, v);
    pseudoinverse(next, v, v->l.data, v->opts->solver == LNT_NAIVE_RIDGE ? v->opts->mu : 0);
    return LNT_OK;
}

static double *iterate(const naive *v, int t)
{
    return lnt_at(v->past, 0, t % v->history);
}

static bool repeats(const naive *v, int t, int period)
{
    double largest = 0;
    if (t < 4 * period)
        return false;
    for (int i = 0; i < 4 * period; i++)
        largest = fmax(largest, v->past_norm[(t - i) % v->history]);
    for (int i = 0; i < 3 * period; i++) {
        const double *a = iterate(v, t - i), *b = iterate(v, t - i - period);
        double sum = 0;
        for (int j = 0; j < v->l.k; j++)
            sum = hypot(sum, a[j] - b[j]);
        if (!(sum <= v->opts->tolerance * largest))
            return false;
    }
    return true;
}

static int find_period(const naive *v, int t)
{
    for (int period = 1; period <= v->opts->max_period; period++)
        if (repeats(v, t, period))
            return period;
    return 0;
}

/* SSE of the best constant: whitened, the regression of S d on S 1. */
static lnt_status best_constant(lnt_ctx *ctx, const lnt_local *l, double *sse)
{
    double *one = lnt_alloc(ctx, (size_t)l->n, sizeof *one);
    if (!one)
        return LNT_ENOMEM;
    for (int i = 0; i < l->n; i++)
        one[i] = 1;
    lnt_local_whiten(l, one);
    double slope = lnt_vec_dot(l->n, one, l->data) / lnt_vec_dot(l->n, one, one);
    *sse = 0;
    for (int i = 0; i < l->n; i++)
        *sse += pow(l->data[i] - slope * one[i], 2);
    return LNT_OK;
}

/* From step t, at iterate(t), to the next. *done with the status set where there is none. */
static lnt_status advance(lnt_ctx *ctx, naive *v, lnt_naive_info *info, lnt_naive_step *entry, int t, bool *done)
{
    int k = v->l.k;
    const double *w = iterate(v, t);
    double *next = iterate(v, t + 1), sum = 0, size = norm(w, k);
    bool rejected = false, singular = false;
    lnt_status status = decompose(ctx, v, &rejected, w);
    if (status == LNT_OK && !rejected)
        status = map(ctx, next, &singular, v);
    if (status != LNT_OK)
        return status;
    *done = rejected || singular || !lnt_mat_finite(column(next, k));
    info->status = singular ? LNT_NAIVE_SINGULAR : LNT_NAIVE_NONFINITE;
    for (int j = 0; j < k && !*done; j++)
        sum = hypot(sum, next[j] - w[j]);
    *entry = (lnt_naive_step){v->past_sse[t % v->history], size, size > 0 && !*done ? sum / size : NAN,
                              rejected ? 0 : v->rank};
    return LNT_OK;
}

static lnt_status iterate_all(lnt_ctx *ctx, double *w, lnt_naive_info *info, lnt_naive_step *path, naive *v)
{
    int k = v->l.k, t = 0;
    bool rejected = false, done = false;
    double sse;
    memcpy(iterate(v, 0), w, (size_t)k * sizeof *w);
    lnt_status status = residual(ctx, v, &sse, &rejected, w);
    if (status == LNT_OK && rejected)
        status = lnt_fail(ctx, LNT_EDOMAIN, "the model has no value at the start: take another one");
    v->past_sse[0] = info->best_sse = sse;
    v->past_norm[0] = norm(w, k);
    for (info->status = LNT_NAIVE_LIMIT; status == LNT_OK && t < v->opts->max_steps; t++) {
        lnt_naive_step unused;
        status = advance(ctx, v, info, path ? &path[t] : &unused, t, &done);
        if (status == LNT_OK && !done)
            status = residual(ctx, v, &sse, &rejected, iterate(v, t + 1));
        if (status != LNT_OK || done || rejected || lnt_cancelled(ctx))
            break;
        v->past_sse[(t + 1) % v->history] = sse;
        v->past_norm[(t + 1) % v->history] = norm(iterate(v, t + 1), k);
        info->best_sse = fmin(info->best_sse, sse);
        info->period = find_period(v, t + 1);
        info->status = info->period == 1 ? LNT_NAIVE_FIXED_POINT : info->period ? LNT_NAIVE_CYCLE : LNT_NAIVE_LIMIT;
        if (info->period) {
            t++;
            break;
        }
    }
    if (status != LNT_OK)
        return status;
    if (rejected)
        info->status = LNT_NAIVE_NONFINITE;
    info->steps = t;
    memcpy(w, iterate(v, t), (size_t)k * sizeof *w);
    for (int i = 0; i < info->period; i++)
        info->sse[i] = v->past_sse[(t - info->period + 1 + i) % v->history];
    status = residual(ctx, v, &sse, &rejected, w);
    if (status == LNT_OK)
        status = lnt_local_at(ctx, &v->l, &rejected, w, v->r);
    info->cosine = rejected ? NAN : lnt_local_cosine(&v->l, sse);
    return status;
}

static lnt_status make(lnt_ctx *ctx, naive *v, const lnt_fit_problem *problem, int history)
{
    if (problem->penalty)
        return lnt_fail(ctx, LNT_EINVAL, "the naive iteration knows no penalties: take the ridge");
    lnt_status status = lnt_local_make_plain(ctx, &v->l, problem);
    if (status != LNT_OK)
        return status;
    int n = v->l.n, k = v->l.k, least = n < k ? n : k;
    v->history = history;
    v->s = lnt_alloc(ctx, (size_t)least, sizeof *v->s);
    v->c = lnt_alloc(ctx, (size_t)least, sizeof *v->c);
    v->r = lnt_alloc(ctx, (size_t)n, sizeof *v->r);
    v->past_sse = lnt_alloc(ctx, (size_t)history, sizeof *v->past_sse);
    v->past_norm = lnt_alloc(ctx, (size_t)history, sizeof *v->past_norm);
    status = v->s && v->c && v->r && v->past_sse && v->past_norm ? lnt_mat_alloc(ctx, &v->U, k, least) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &v->VT, least, n);
    return status == LNT_OK ? lnt_mat_alloc(ctx, &v->past, k, history) : status;
}

lnt_status lnt_naive(lnt_ctx *ctx, double *w, lnt_naive_info *info, lnt_naive_step *path,
                     const lnt_fit_problem *problem, const lnt_naive_opts *opts)
{
    *info = (lnt_naive_info){.cosine = NAN};
    if (!(opts->mu > 0 && opts->rcond >= 0 && opts->rcond < 1 && opts->max_steps >= 1 && opts->tolerance >= 0) ||
        opts->max_period < 1 || opts->max_period > MOST_PERIOD)
        return lnt_fail(ctx, LNT_EINVAL,
                        "mu > 0, 0 <= rcond < 1, at least one step, a tolerance >= 0 and periods up to %d: not %g, %g, "
                        "%d, %g, %d",
                        MOST_PERIOD, opts->mu, opts->rcond, opts->max_steps, opts->tolerance, opts->max_period);
    lnt_mark mark = lnt_ctx_mark(ctx);
    naive v = {.opts = opts, .history = 1};
    lnt_status status = make(ctx, &v, problem, 4 * opts->max_period + 1);
    if (status == LNT_OK)
        status = best_constant(ctx, &v.l, &info->constant_sse);
    if (status == LNT_OK)
        status = iterate_all(ctx, w, info, path, &v);
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status displace(lnt_ctx *ctx, lnt_naive_displacement *out, naive *v, const double *w)
{
    int n = v->l.n, k = v->l.k;
    bool rejected;
    double *step = lnt_alloc(ctx, (size_t)k, sizeof *step), *formula = lnt_alloc(ctx, (size_t)k, sizeof *formula);
    double *y = lnt_alloc(ctx, (size_t)n, sizeof *y), size = norm(w, k), sum = 0;
    if (!step || !formula || !y)
        return LNT_ENOMEM;
    lnt_status status = residual(ctx, v, &out->sse, &rejected, w);
    if (status == LNT_OK && !rejected)
        status = decompose(ctx, v, &rejected, w);
    if (status == LNT_OK && rejected)
        status = lnt_fail(ctx, LNT_EDOMAIN, "the model has no value at these weights");
    if (status != LNT_OK)
        return status;
    pseudoinverse(step, v, v->l.data, 0);
    /* B^+ (f - B w), then - (I - B^+ B) w */
    lnt_gemv(y, -1, LNT_T, v->l.BT, w, 0);
    for (int i = 0; i < n; i++)
        y[i] += v->l.data[i] - v->r[i];
    pseudoinverse(formula, v, y, 0);
    lnt_gemv(v->c, 1, LNT_T, v->U, w, 0);
    for (int i = v->rank; i < v->U.cols; i++)
        v->c[i] = 0;
    lnt_gemv(formula, 1, LNT_N, v->U, v->c, 1);
    lnt_vec_add(k, -1, w, formula);
    status = residual(ctx, v, &out->next, &rejected, step);
    lnt_vec_add(k, -1, w, step);
    out->move = norm(step, k) / size;
    out->predicted = norm(formula, k) / size;
    for (int j = 0; j < k; j++)
        sum = hypot(sum, step[j] - formula[j]);
    out->deviation = sum / size;
    return status;
}

lnt_status lnt_naive_displace(lnt_ctx *ctx, lnt_naive_displacement *displacement, const lnt_fit_problem *problem,
                              const double *w, double rcond)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_naive_opts opts;
    lnt_naive_defaults(&opts);
    opts.rcond = rcond;
    naive v = {.opts = &opts, .history = 1};
    lnt_status status = make(ctx, &v, problem, 1);
    if (status == LNT_OK)
        status = displace(ctx, displacement, &v, w);
    lnt_ctx_reset(ctx, mark);
    return status;
}
