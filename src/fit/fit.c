#include "local.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define LNT_FIT_STOP_NAME(name, word, text) word,
#define LNT_FIT_STOP_TEXT(name, word, text) text,

static const char *const stop_names[] = {LNT_FIT_STOP_LIST(LNT_FIT_STOP_NAME)};
static const char *const stop_texts[] = {LNT_FIT_STOP_LIST(LNT_FIT_STOP_TEXT)};

static bool known(lnt_fit_stop stop)
{
    return (size_t)stop < sizeof stop_names / sizeof *stop_names;
}

const char *lnt_fit_stop_name(lnt_fit_stop stop)
{
    return known(stop) ? stop_names[stop] : "unknown";
}

const char *lnt_fit_stop_text(lnt_fit_stop stop)
{
    return known(stop) ? stop_texts[stop] : "unknown";
}

void lnt_fit_defaults(lnt_fit_opts *opts)
{
    *opts = (lnt_fit_opts){.tau = 1,
                           .accelerate = true,
                           .bend = 0.75,
                           .max_steps = 1000,
                           .gradient = 1e-10,
                           .step = 1e-12,
                           .flat = 1e-10,
                           .zero = 1e-30,
                           .rcond = 1e-12,
                           .memory = (size_t)1 << 30};
}

double lnt_fit_length(const double *D2, const double *v, int k)
{
    double largest = 0, sum = 0; /* no square may overflow */
    for (int j = 0; j < k; j++)
        largest = fmax(largest, fabs(v[j]));
    for (int j = 0; j < k && largest > 0; j++)
        sum += D2[j] * (v[j] / largest) * (v[j] / largest);
    return largest * sqrt(sum);
}

lnt_status lnt_fit_try(lnt_ctx *ctx, lnt_fit_run *run, double *objective, bool *rejected, const double *v, double t)
{
    for (int j = 0; j < run->l.k; j++)
        run->trial[j] = run->w[j] + t * v[j];
    run->info->outputs++;
    lnt_status status = lnt_local_residual(ctx, run->trial_r, rejected, &run->l, run->trial);
    if (status != LNT_OK || *rejected)
        return status;
    run->trial_sse = pow(lnt_mat_norm(lnt_mat_view(run->trial_r, run->l.n, 1)), 2);
    *objective = run->trial_sse + lnt_local_penalty(&run->l, run->trial);
    *rejected = !isfinite(*objective);
    return LNT_OK;
}

void lnt_fit_accept(lnt_fit_run *run, double objective)
{
    memcpy(run->w, run->trial, (size_t)run->l.k * sizeof *run->w);
    memcpy(run->r, run->trial_r, (size_t)run->l.n * sizeof *run->r);
    run->info->objective = objective;
    run->info->sse = run->trial_sse;
    run->info->accepted++;
}

#define FLAT_STEPS 5

bool lnt_fit_arrived(lnt_fit_run *run)
{
    lnt_fit_info *info = run->info;
    if (info->sse <= run->zero)
        info->stop = LNT_FIT_ZERO;
    else if (info->cosine <= run->opts->gradient)
        info->stop = LNT_FIT_GRADIENT;
    else if (run->flat >= FLAT_STEPS)
        info->stop = LNT_FIT_FLAT;
    else
        return false;
    return true;
}

bool lnt_fit_cancelled(lnt_ctx *ctx, lnt_fit_run *run)
{
    const lnt_fit_opts *o = run->opts;
    return (o->after_step && o->after_step(run->info, run->w, o->user) != 0) || lnt_cancelled(ctx);
}

static lnt_status check(lnt_ctx *ctx, const lnt_fit_problem *problem, const lnt_fit_opts *o)
{
    bool tests = o->gradient >= 0 && o->step >= 0 && o->flat >= 0 && o->zero >= 0;
    if (!(o->tau > 0 && isfinite(o->tau) && o->bend >= 0 && o->max_steps >= 0 && o->rcond >= 0 && o->rcond < 1))
        return lnt_fail(
            ctx, LNT_EINVAL,
            "tau must be positive, bend and the limit of steps not negative, 0 <= rcond < 1: %g, %g, %d, %g", o->tau,
            o->bend, o->max_steps, o->rcond);
    if (!tests)
        return lnt_fail(ctx, LNT_EINVAL, "stopping tests must not be negative: %g, %g, %g, %g", o->gradient, o->step,
                        o->flat, o->zero);
    if (o->linear < 0 || (size_t)o->linear >= problem->model->k || !(o->ridge >= 0 && isfinite(o->ridge)))
        return o->linear == 0 && o->ridge >= 0 && isfinite(o->ridge)
                   ? LNT_OK
                   : lnt_fail(ctx, LNT_EINVAL, "%d linear weights of %zu with ridge %g: not possible", o->linear,
                              problem->model->k, o->ridge);
    return LNT_OK;
}

static lnt_status alloc_run(lnt_ctx *ctx, lnt_fit_run *run)
{
    size_t n = (size_t)run->l.n, k = (size_t)run->l.k;
    double **of_n[] = {&run->r, &run->trial_r, &run->fvv}, **of_k[] = {&run->trial, &run->p, &run->q, &run->D2};
    for (int i = 0; i < 3; i++)
        if (!(*of_n[i] = lnt_alloc_zero(ctx, n, sizeof(double))))
            return LNT_ENOMEM;
    for (int i = 0; i < 4; i++)
        if (!(*of_k[i] = lnt_alloc_zero(ctx, k, sizeof(double))))
            return LNT_ENOMEM;
    return LNT_OK;
}

/* F at the start. */
static lnt_status start(lnt_ctx *ctx, lnt_fit_run *run, bool *rejected)
{
    lnt_fit_info *info = run->info;
    double *zero = run->p; /* 0 so far */
    if (!lnt_mat_finite(lnt_mat_view(run->w, run->l.k, 1)))
        return lnt_fail(ctx, LNT_EDOMAIN, "the start is not finite");
    lnt_status status = lnt_fit_try(ctx, run, &info->objective, rejected, zero, 0);
    if (status != LNT_OK || *rejected)
        return status;
    lnt_fit_accept(run, info->objective);
    info->accepted = 0;
    double size = pow(lnt_mat_norm(lnt_mat_view(run->l.data, run->l.n, 1)), 2);
    run->zero = run->opts->zero * (size > 0 ? size : info->sse);
    return LNT_OK;
}

static lnt_status run_method(lnt_ctx *ctx, lnt_fit_run *run)
{
    switch (run->opts->method) {
    case LNT_FIT_GAUSS_NEWTON:
    case LNT_FIT_LINE_SEARCH:
        return lnt_fit_gauss_newton(ctx, run);
    case LNT_FIT_LBFGS:
        return lnt_fit_lbfgs(ctx, run);
    default:
        return lnt_fit_lm(ctx, run);
    }
}

lnt_status lnt_fit_once(lnt_ctx *ctx, double *w, lnt_fit_info *info, const lnt_fit_problem *problem,
                        const lnt_fit_opts *opts, bool whole)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    bool rejected = false;
    lnt_fit_run run = {.opts = opts, .info = info, .w = w, .more = lnt_fit_more(opts, problem->model)};
    *info = (lnt_fit_info){.cosine = NAN};
    lnt_status status = check(ctx, problem, opts);
    if (status == LNT_OK && opts->linear > 0) {
        status = lnt_fit_projected(ctx, w, info, problem, opts);
        lnt_ctx_reset(ctx, mark);
        return status;
    }
    if (status == LNT_OK)
        status = lnt_local_make(ctx, &run.l, problem, opts);
    if (status == LNT_OK)
        status = alloc_run(ctx, &run);
    if (status == LNT_OK) {
        run.l.whole = run.l.whole || whole;
        info->solver = run.l.solver;
        status = start(ctx, &run, &rejected);
    }
    if (status == LNT_OK && rejected) {
        info->stop = LNT_FIT_REFUSED;
        info->sse = info->objective = INFINITY;
    } else if (status == LNT_OK) {
        status = run_method(ctx, &run);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_fit(lnt_ctx *ctx, double *w, lnt_fit_info *info, const lnt_fit_problem *problem,
                   const lnt_fit_opts *opts)
{
    lnt_status status = lnt_fit_once(ctx, w, info, problem, opts, false);
    if (status == LNT_OK && info->stop == LNT_FIT_REFUSED)
        return lnt_fail(ctx, LNT_EDOMAIN, "the model has no value at the start: take another one");
    return status;
}

lnt_status lnt_fit_step(lnt_ctx *ctx, double *p, const lnt_fit_problem *problem, const double *w, double mu,
                        const lnt_fit_opts *opts)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    bool rejected = false, ok = true;
    lnt_local l = {0};
    double *r = NULL, *D2 = NULL;
    lnt_status status = check(ctx, problem, opts);
    if (status == LNT_OK)
        status = lnt_local_make(ctx, &l, problem, opts);
    if (status == LNT_OK) {
        r = lnt_alloc(ctx, (size_t)l.n, sizeof *r);
        D2 = lnt_alloc(ctx, (size_t)l.k, sizeof *D2);
        status = r && D2 ? lnt_local_residual(ctx, r, &rejected, &l, w) : LNT_ENOMEM;
    }
    if (status == LNT_OK && !rejected)
        status = lnt_local_at(ctx, &l, &rejected, w, r);
    if (status == LNT_OK && rejected)
        status = lnt_fail(ctx, LNT_EDOMAIN, "the model has no value at these weights");
    for (int j = 0; status == LNT_OK && j < l.k; j++)
        D2[j] = lnt_fit_more(opts, problem->model) && l.norm2[j] > 0 ? l.norm2[j] : 1;
    if (status == LNT_OK)
        status = lnt_local_damp(ctx, &l, &ok, mu, D2);
    if (status == LNT_OK && ok)
        status = lnt_local_step(ctx, p, &rejected, &l);
    if (status == LNT_OK && (!ok || rejected))
        status = lnt_fail(ctx, LNT_ENUMERIC, "the equations of the step are singular: take a mu > 0 or the SVD");
    lnt_ctx_reset(ctx, mark);
    return status;
}
