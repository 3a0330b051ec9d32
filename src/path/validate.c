#include "run.h"

#include "linnet/parallel.h"

#include <math.h>

void lnt_path_folds(int *fold, int n, int folds, lnt_rng *rng)
{
    for (int i = 0; i < n; i++)
        fold[i] = i % folds;
    lnt_rng_shuffle(rng, fold, n);
}

typedef struct validation {
    lnt_path_cv *cv;
    const lnt_design *X;
    const double *y;
    const int *fold;
    lnt_path_opts o; /* with the penalties of all samples */
    double *share;   /* of each fold in the weights */
    bool *converged; /* of each fold */
} validation;

static double weight_of(const validation *v, int i)
{
    return v->o.weight ? v->o.weight[i] : 1;
}

/* The path of all samples but those of a fold, and its errors on them. */
static lnt_status one_fold(lnt_ctx *ctx, int index, void *user)
{
    validation *v = user;
    int n = v->X->n;
    lnt_path_opts o = v->o;
    lnt_path_run run;
    double *weight = lnt_alloc(ctx, (size_t)n, sizeof *weight);
    if (!weight)
        return LNT_ENOMEM;
    for (int i = 0; i < n; i++)
        weight[i] = v->fold[i] == index ? 0 : weight_of(v, i);
    o.weight = weight;
    lnt_status status = lnt_run_make(ctx, &run, v->X, v->y, &o);
    v->converged[index] = true;
    for (int k = 0; k < o.count && status == LNT_OK; k++) {
        lnt_path_point point;
        double sum = 0;
        if (lnt_cancelled(ctx))
            return lnt_fail(ctx, LNT_EUSER, "cross-validation was cancelled");
        status = lnt_run_solve(ctx, &run, &point, o.lambda[k]);
        for (int i = 0; i < n; i++)
            sum += v->fold[i] == index ? weight_of(v, i) * (run.r[i] * run.r[i]) : 0;
        *lnt_at(v->cv->error, index, k) = sum / v->share[index];
        v->converged[index] &= point.converged;
    }
    lnt_progress_step(ctx);
    return status;
}

static void summarize(const validation *v, double total)
{
    lnt_path_cv *cv = v->cv;
    for (int k = 0; k < cv->count; k++) {
        double mean = 0, square = 0;
        for (int f = 0; f < cv->folds; f++)
            mean += v->share[f] / total * *lnt_at(cv->error, f, k);
        for (int f = 0; f < cv->folds; f++) {
            double d = *lnt_at(cv->error, f, k) - mean;
            square += v->share[f] / total * (d * d);
        }
        cv->mean[k] = mean;
        cv->se[k] = sqrt(square / (cv->folds - 1));
        if (mean < cv->mean[cv->best] || (mean == cv->mean[cv->best] && cv->lambda[k] > cv->lambda[cv->best]))
            cv->best = k;
    }
    cv->one_se = cv->best;
    for (int k = 0; k < cv->count; k++)
        if (cv->mean[k] <= cv->mean[cv->best] + cv->se[cv->best] && cv->lambda[k] > cv->lambda[cv->one_se])
            cv->one_se = k;
    cv->converged = true;
    for (int f = 0; f < cv->folds; f++)
        cv->converged &= v->converged[f];
}

static lnt_status weigh_folds(lnt_ctx *ctx, validation *v, double *total)
{
    int folds = v->cv->folds;
    for (int i = 0; i < v->X->n; i++) {
        double weight = weight_of(v, i);
        if (v->fold[i] < 0 || v->fold[i] >= folds)
            return lnt_fail(ctx, LNT_EINVAL, "sample %d is in fold %d, outside 0 .. %d", i, v->fold[i], folds - 1);
        v->share[v->fold[i]] += weight;
        *total += weight;
    }
    for (int f = 0; f < folds; f++)
        if (!(v->share[f] > 0 && v->share[f] < *total))
            return lnt_fail(ctx, LNT_EINVAL, "fold %d of %d has %s weight: choose fewer folds", f, folds,
                            v->share[f] > 0 ? "all the" : "no");
    return LNT_OK;
}

lnt_status lnt_path_validate(lnt_ctx *ctx, lnt_path_cv *cv, const lnt_design *X, const double *y, const int *fold,
                             int folds, int threads, const lnt_path_opts *opts)
{
    validation v = {.cv = cv, .X = X, .y = y, .fold = fold};
    double total = 0;
    lnt_path_defaults(&v.o);
    v.o = opts ? *opts : v.o;
    *cv = (lnt_path_cv){.count = v.o.count, .folds = folds};
    lnt_status status = lnt_path_check(ctx, X, &v.o);
    if (status == LNT_OK && folds < 2)
        return lnt_fail(ctx, LNT_EINVAL, "cross-validation needs at least 2 folds, not %d", folds);
    if (status != LNT_OK)
        return status;
    cv->lambda = lnt_alloc(ctx, (size_t)cv->count, sizeof *cv->lambda);
    cv->mean = lnt_alloc(ctx, (size_t)cv->count, sizeof *cv->mean);
    cv->se = lnt_alloc(ctx, (size_t)cv->count, sizeof *cv->se);
    status = cv->lambda && cv->mean && cv->se ? lnt_mat_alloc(ctx, &cv->error, folds, cv->count) : LNT_ENOMEM;
    lnt_mark mark = lnt_ctx_mark(ctx);
    v.share = lnt_alloc_zero(ctx, (size_t)folds, sizeof *v.share);
    v.converged = lnt_alloc(ctx, (size_t)folds, sizeof *v.converged);
    if (status == LNT_OK)
        status = v.share && v.converged ? weigh_folds(ctx, &v, &total) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_path_grid(ctx, cv->lambda, X, y, &v.o);
    v.o.lambda = cv->lambda;
    if (status == LNT_OK) {
        lnt_progress_begin(ctx, "cross-validation", folds);
        status = lnt_parallel(ctx, folds, threads, one_fold, &v);
    }
    if (status == LNT_OK)
        summarize(&v, total);
    lnt_ctx_reset(ctx, mark);
    return status;
}
