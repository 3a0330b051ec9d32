#include "../learn/quasi_newton.h"
#include "local.h"

#include "linnet/linalg.h"

#include <math.h>

#define TRIALS 40

static lnt_status gradient(lnt_ctx *ctx, lnt_fit_run *run, double *grad, bool *rejected, const double *w,
                           const double *r)
{
    lnt_local *l = &run->l;
    const double *alpha = l->problem->penalty;
    l->w = w;
    run->info->jacobians++;
    lnt_status status = lnt_local_back(ctx, grad, rejected, l, r);
    for (int j = 0; j < l->k; j++)
        grad[j] = -2 * (grad[j] - (alpha ? alpha[j] * w[j] : 0));
    return status;
}

/* The step t with both conditions of Wolfe, 1e-4 and .9, by bisection; or at least a fall. */
static lnt_status search(lnt_ctx *ctx, lnt_fit_run *run, double *objective, double *grad, bool *found, double slope,
                         double t)
{
    double low = 0, high = INFINITY;
    int k = run->l.k;
    *found = false;
    for (int i = 0; i < TRIALS; i++) {
        bool rejected;
        lnt_status status = lnt_fit_try(ctx, run, objective, &rejected, run->p, t);
        bool falls = !rejected && *objective <= run->info->objective + 1e-4 * t * slope;
        double ahead = 0;
        if (status == LNT_OK && falls) {
            status = gradient(ctx, run, grad, &rejected, run->trial, run->trial_r);
            ahead = lnt_vec_dot(k, grad, run->p);
            falls = !rejected;
        }
        if (status != LNT_OK)
            return status;
        *found = falls;
        if (falls && (ahead >= 0.9 * slope || i > TRIALS / 2))
            return LNT_OK;
        if (falls)
            low = t;
        else
            high = t;
        t = isinf(high) ? 2 * t : (low + high) / 2;
    }
    return LNT_OK;
}

/* The cosine by column norms of the first Jacobian's estimate: they are only a scale here. */
static bool ended(lnt_fit_run *run, const double *grad)
{
    lnt_fit_info *info = run->info;
    for (int j = 0; j < run->l.k; j++)
        run->l.g[j] = -grad[j] / 2 + (run->l.problem->penalty ? run->l.problem->penalty[j] * run->w[j] : 0);
    run->l.w = run->w;
    info->cosine = lnt_local_cosine(&run->l, info->objective);
    info->stop = LNT_FIT_LIMIT;
    return lnt_fit_arrived(run);
}

/* One step; *grad and *next change places. *done where there is none. */
static lnt_status one_step(lnt_ctx *ctx, lnt_fit_run *run, lnt_pairs *m, double **grad, double **next, bool *done)
{
    lnt_fit_info *info = run->info;
    int k = run->l.k;
    double objective = 0;
    bool found = false;
    for (int fresh = 0; fresh < 2 && !found; fresh++) {
        if (fresh)
            m->used = 0; /* once more along the gradient */
        lnt_pairs_direction(run->p, *grad, m);
        double slope = lnt_vec_dot(k, *grad, run->p), size = lnt_mat_norm(lnt_mat_view(*grad, k, 1));
        if (!(slope < 0))
            continue;
        lnt_status status = search(ctx, run, &objective, *next, &found, slope, m->used ? 1 : fmin(1, 1 / size));
        if (status != LNT_OK)
            return status;
    }
    *done = !found;
    if (!found) {
        info->stop = LNT_FIT_STEP;
        return LNT_OK;
    }
    lnt_pairs_add(m, run->trial, run->w, *next, *grad); /* before the step is accepted */
    run->flat = info->objective - objective <= run->opts->flat * info->objective ? run->flat + 1 : 0;
    lnt_fit_accept(run, objective);
    double *swap = *grad;
    *grad = *next;
    *next = swap;
    return LNT_OK;
}

lnt_status lnt_fit_lbfgs(lnt_ctx *ctx, lnt_fit_run *run)
{
    lnt_pairs m;
    bool rejected = false, done = false;
    int k = run->l.k;
    double *grad = lnt_alloc(ctx, (size_t)k, sizeof *grad), *next = lnt_alloc(ctx, (size_t)k, sizeof *next);
    lnt_status status = grad && next ? lnt_pairs_alloc(ctx, &m, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_local_at(ctx, &run->l, &rejected, run->w, run->r);
    if (status == LNT_OK && !rejected)
        status = gradient(ctx, run, grad, &rejected, run->w, run->r);
    if (status != LNT_OK)
        return status;
    if (rejected) {
        run->info->stop = LNT_FIT_DIVERGED;
        return LNT_OK;
    }
    while (status == LNT_OK && !done && !ended(run, grad) && run->info->steps < run->opts->max_steps) {
        run->info->steps++;
        status = one_step(ctx, run, &m, &grad, &next, &done);
        if (status == LNT_OK && !done && lnt_fit_cancelled(ctx, run)) {
            run->info->stop = LNT_FIT_CANCELLED;
            return LNT_OK;
        }
    }
    return status;
}
