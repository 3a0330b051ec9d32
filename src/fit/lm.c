#include "local.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Squares of D: ones, or the largest |b_j|^2 of late. */
static void update_scale(lnt_fit_run *run)
{
    const lnt_local *l = &run->l;
    for (int j = 0; j < l->k; j++)
        if (run->more)
            run->D2[j] = fmax(run->D2[j] / 2, l->norm2[j] > 0 || run->D2[j] > 0 ? l->norm2[j] : 1);
        else
            run->D2[j] = 1;
}

double lnt_fit_mu_scale(const lnt_fit_run *run)
{
    double largest = 0;
    for (int j = 0; j < run->l.k; j++)
        largest = fmax(largest, run->l.norm2[j]);
    return run->more ? 1 : largest > 0 ? largest : 1;
}

/* S fvv(p); without the model's own from residuals ahead, as lnt_model_fvv(). */
static lnt_status second_derivative(lnt_ctx *ctx, lnt_fit_run *run, bool *rejected)
{
    const lnt_local *l = &run->l;
    const double h = 0.02;
    lnt_status status;
    run->info->bends++;
    if (l->model->fvv) {
        status = lnt_model_fvv(ctx, run->fvv, rejected, l->model, l->w, run->p, NULL, NULL);
        lnt_local_whiten(l, run->fvv);
        return status;
    }
    for (int j = 0; j < l->k; j++)
        run->trial[j] = l->w[j] + h * run->p[j];
    status = lnt_local_residual(ctx, run->trial_r, rejected, l, run->trial);
    run->info->outputs++;
    if (status == LNT_OK && !*rejected)
        status = lnt_local_times(ctx, run->fvv, rejected, l, run->p);
    for (int i = 0; i < l->n; i++)
        run->fvv[i] = 2 / h * ((l->r[i] - run->trial_r[i]) / h - run->fvv[i]);
    return status;
}

/* The step p, and with acceleration v = p + q in p; *good = false where it must not be tried. *fall is what the
 * linearisation promises. */
static lnt_status propose(lnt_ctx *ctx, lnt_fit_run *run, bool *good, double *fall, double mu)
{
    lnt_local *l = &run->l;
    const double *alpha = l->problem->penalty;
    bool rejected;
    lnt_status status = lnt_local_damp(ctx, l, good, mu, run->D2);
    if (status != LNT_OK || !*good)
        return status;
    status = lnt_local_step(ctx, run->p, &rejected, l);
    *good = !rejected && lnt_mat_finite(lnt_mat_view(run->p, l->k, 1));
    if (status != LNT_OK || !*good)
        return status;
    *fall = 0;
    for (int j = 0; j < l->k; j++)
        *fall += run->p[j] * (mu * run->D2[j] * run->p[j] + l->g[j] - (alpha ? alpha[j] * l->w[j] : 0));
    if (!run->opts->accelerate)
        return LNT_OK;
    status = second_derivative(ctx, run, &rejected);
    *good = !rejected;
    if (status != LNT_OK || rejected)
        return status;
    status = lnt_local_bend(ctx, run->q, &rejected, l, run->fvv);
    *good =
        !rejected && lnt_fit_length(run->D2, run->q, l->k) <= run->opts->bend * lnt_fit_length(run->D2, run->p, l->k);
    for (int j = 0; j < l->k; j++) /* q = -1/2 of that */
        run->p[j] -= run->q[j] / 2;
    return status;
}

/* After an accepted step: the next Jacobian and the tests at it. *done where the fit has ended. */
static lnt_status arrive(lnt_ctx *ctx, lnt_fit_run *run, bool *done)
{
    lnt_fit_info *info = run->info;
    bool rejected;
    lnt_status status = lnt_local_at(ctx, &run->l, &rejected, run->w, run->r);
    info->jacobians++;
    if (status != LNT_OK)
        return status;
    if (rejected) {
        info->stop = LNT_FIT_DIVERGED;
        info->cosine = NAN;
    } else {
        update_scale(run);
        info->cosine = lnt_local_cosine(&run->l, info->objective);
    }
    *done = rejected || lnt_fit_arrived(run);
    return LNT_OK;
}

/* True where v is below the resolution of w. */
static bool tiny(const lnt_fit_run *run, const double *v)
{
    return lnt_fit_length(run->D2, v, run->l.k) <= run->opts->step * lnt_fit_length(run->D2, run->w, run->l.k);
}

lnt_status lnt_fit_lm(lnt_ctx *ctx, lnt_fit_run *run)
{
    lnt_fit_info *info = run->info;
    bool done = false, good;
    lnt_status status = arrive(ctx, run, &done);
    double nu = 2, fall = 0;
    info->mu = run->opts->tau * lnt_fit_mu_scale(run);
    while (status == LNT_OK && !done) {
        double objective = INFINITY;
        bool rejected = true;
        info->stop = LNT_FIT_LIMIT;
        if (info->steps >= run->opts->max_steps)
            break;
        info->steps++;
        status = propose(ctx, run, &good, &fall, info->mu);
        if (status == LNT_OK && good)
            status = lnt_fit_try(ctx, run, &objective, &rejected, run->p, 1);
        if (status != LNT_OK)
            break;
        double rho = rejected ? -1 : (info->objective - objective) / fall;
        if (rho > 0 && fall > 0) {
            bool small = tiny(run, run->p);
            run->flat = info->objective - objective <= run->opts->flat * info->objective ? run->flat + 1 : 0;
            lnt_fit_accept(run, objective);
            info->mu *= fmax(1.0 / 3, 1 - pow(2 * fmin(rho, 2) - 1, 3));
            info->mu = fmax(info->mu, LNT_FIT_LEAST_MU * lnt_fit_mu_scale(run));
            nu = 2;
            status = arrive(ctx, run, &done);
            if (!done && small) {
                info->stop = LNT_FIT_STEP;
                done = true;
            }
        } else {
            bool noise = !rejected && fall <= DBL_EPSILON * info->objective;
            if (noise || (good && tiny(run, run->p)) || !isfinite(info->mu * nu)) {
                info->stop = noise ? LNT_FIT_FLAT : LNT_FIT_STEP;
                done = true;
            }
            info->mu *= nu;
            nu *= 2;
        }
        if (!done && lnt_fit_cancelled(ctx, run)) {
            info->stop = LNT_FIT_CANCELLED;
            done = true;
        }
    }
    return status == LNT_OK && done && info->stop <= LNT_FIT_FLAT ? lnt_fit_polish(ctx, run) : status;
}
