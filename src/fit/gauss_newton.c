#include "local.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define HALVINGS 40
#define ARMIJO 1e-4
#define LAST_STEPS 20
#define LAST_GAIN 0.9
#define LAST_COSINE 1e-14

/* The step with mu = 0, or nearly so, from here; *ok = false where there is none. */
static lnt_status undamped(lnt_ctx *ctx, lnt_fit_run *run, bool *ok, double mu)
{
    lnt_local *l = &run->l;
    bool rejected = false;
    lnt_status status = lnt_local_damp(ctx, l, ok, mu, run->D2);
    if (status == LNT_OK && *ok)
        status = lnt_local_step(ctx, run->p, &rejected, l);
    *ok = *ok && !rejected && lnt_mat_finite(lnt_mat_view(run->p, l->k, 1));
    return status;
}

/* dF/dt along p at t = 0. */
static double slope(const lnt_fit_run *run)
{
    const lnt_local *l = &run->l;
    const double *alpha = l->problem->penalty;
    double sum = 0;
    for (int j = 0; j < l->k; j++)
        sum -= 2 * run->p[j] * (l->g[j] - (alpha ? alpha[j] * l->w[j] : 0));
    return sum;
}

/* trial <- w + t p with t = 1, or halved until F falls enough. */
static lnt_status search(lnt_ctx *ctx, lnt_fit_run *run, double *objective, bool *rejected)
{
    double down = slope(run), t = 1;
    lnt_status status = LNT_OK;
    for (int i = 0; i < HALVINGS && status == LNT_OK; i++, t /= 2) {
        status = lnt_fit_try(ctx, run, objective, rejected, run->p, t);
        if (run->opts->method == LNT_FIT_GAUSS_NEWTON ||
            (!*rejected && *objective <= run->info->objective + ARMIJO * t * down))
            return status;
    }
    *rejected = true;
    return status;
}

static lnt_status arrive(lnt_ctx *ctx, lnt_fit_run *run, bool *done)
{
    lnt_fit_info *info = run->info;
    bool rejected;
    lnt_status status = lnt_local_at(ctx, &run->l, &rejected, run->w, run->r);
    info->jacobians++;
    info->cosine = status == LNT_OK && !rejected ? lnt_local_cosine(&run->l, info->objective) : NAN;
    if (rejected)
        info->stop = LNT_FIT_DIVERGED;
    *done = rejected || lnt_fit_arrived(run);
    return status;
}

/* One step from where the Jacobian stands. */
static lnt_status one_step(lnt_ctx *ctx, lnt_fit_run *run, bool *done)
{
    lnt_fit_info *info = run->info;
    bool ok, rejected = true;
    double objective = INFINITY;
    lnt_status status = undamped(ctx, run, &ok, 0);
    if (status == LNT_OK && ok)
        status = search(ctx, run, &objective, &rejected);
    if (status != LNT_OK)
        return status;
    *done = true;
    if (!ok || rejected) {
        bool stuck = ok && run->opts->method == LNT_FIT_LINE_SEARCH;
        info->stop = !ok ? LNT_FIT_SINGULAR : stuck ? LNT_FIT_STEP : LNT_FIT_DIVERGED;
        return LNT_OK;
    }
    double length = 0, size = lnt_fit_length(run->D2, run->trial, run->l.k);
    for (int j = 0; j < run->l.k; j++)
        length = hypot(length, run->trial[j] - run->w[j]);
    run->flat = fabs(info->objective - objective) <= run->opts->flat * info->objective ? run->flat + 1 : 0;
    lnt_fit_accept(run, objective);
    status = arrive(ctx, run, done);
    if (!*done && length <= run->opts->step * size) {
        info->stop = LNT_FIT_STEP;
        *done = true;
    } else if (!*done && lnt_fit_cancelled(ctx, run)) {
        info->stop = LNT_FIT_CANCELLED;
        *done = true;
    }
    return status;
}

lnt_status lnt_fit_gauss_newton(lnt_ctx *ctx, lnt_fit_run *run)
{
    bool done = false;
    for (int j = 0; j < run->l.k; j++)
        run->D2[j] = 1;
    lnt_status status = arrive(ctx, run, &done);
    while (status == LNT_OK && !done) {
        run->info->stop = LNT_FIT_LIMIT;
        if (run->info->steps >= run->opts->max_steps)
            return LNT_OK;
        run->info->steps++;
        status = one_step(ctx, run, &done);
    }
    return status;
}

/* F is flat to the square root of the precision; the gradient is not. Where mu = 0 is singular, the least mu will do.
 */
lnt_status lnt_fit_polish(lnt_ctx *ctx, lnt_fit_run *run)
{
    lnt_fit_info *info = run->info;
    lnt_local *l = &run->l;
    bool ok, rejected, scaled = l->solver == LNT_SOLVER_DUAL || l->solver == LNT_SOLVER_LSMR;
    double objective, least = LNT_FIT_LEAST_MU * lnt_fit_mu_scale(run);
    for (int i = 0; i < LAST_STEPS && info->cosine > LAST_COSINE && info->sse > run->zero; i++) {
        lnt_status status = scaled ? LNT_OK : undamped(ctx, run, &ok, 0);
        if (status == LNT_OK && (scaled || !ok))
            status = undamped(ctx, run, &ok, least);
        if (status == LNT_OK && ok)
            status = lnt_fit_try(ctx, run, &objective, &rejected, run->p, 1);
        if (status != LNT_OK || !ok || rejected || !(objective <= info->objective * (1 + 1e-12)))
            return status;
        info->steps++;
        info->jacobians++;
        status = lnt_local_at(ctx, l, &rejected, run->trial, run->trial_r);
        double cosine = status == LNT_OK && !rejected ? lnt_local_cosine(l, objective) : INFINITY;
        if (status != LNT_OK || !(cosine < LAST_GAIN * info->cosine))
            return status;
        lnt_fit_accept(run, objective);
        l->w = run->w;
        l->r = run->r;
        info->cosine = cosine;
    }
    return LNT_OK;
}
