/* Regularisation paths on rows of data: the penalties, the folds, the order of the work. */
#include "linnet/linalg.h"
#include "regress.h"
#include "setup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PENALTIES 100000
#define RIDGE_RATIO 1e-6

void lnt_regress_path_defaults(lnt_regress_path_opts *opts)
{
    *opts = (lnt_regress_path_opts){.target = LNT_AUTO,
                                    .penalty = "lasso",
                                    .intercept = true,
                                    .standardize = true,
                                    .lambdas = 100,
                                    .gap = 1e-8,
                                    .max_epochs = 100000};
}

/* ---- The penalty ---- */

static lnt_status read_penalty(lnt_ctx *ctx, lnt_regress_run *r)
{
    const char *text = r->opts->penalty;
    bool elastic = strncmp(text, "elastic:", 8) == 0;
    r->alpha = strcmp(text, "lasso") == 0;
    if (strcmp(text, "lasso") != 0 && strcmp(text, "ridge") != 0 &&
        !(elastic && lnt_number_read(text + 8, strlen(text + 8), &r->alpha) && r->alpha >= 0 && r->alpha <= 1))
        return lnt_fail(
            ctx, LNT_EUSAGE,
            "--penalty %.80s: use ridge, lasso, or elastic:ALPHA with ALPHA, the share of the lasso, from 0 "
            "to 1",
            text);
    if (r->opts->method == LNT_PATH_HOMOTOPY && r->alpha < 1)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--method homotopy is for --penalty lasso alone: only its path is piecewise "
                        "linear");
    return LNT_OK;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static lnt_status read_penalties(lnt_ctx *ctx, lnt_regress_run *r, const char *text)
{
    r->lambda = lnt_alloc(ctx, MOST_PENALTIES, sizeof *r->lambda);
    if (!r->lambda)
        return LNT_ENOMEM;
    if (!lnt_numbers_read(text, r->lambda, MOST_PENALTIES, &r->count))
        return lnt_fail(ctx, LNT_EUSAGE, "--lambda %.80s: numbers below 1e100 separated by commas are needed", text);
    for (int k = 0; k < r->count; k++)
        if (!(r->lambda[k] >= 0) || !isfinite(r->lambda[k]))
            return lnt_fail(ctx, LNT_EUSAGE, "--lambda %.80s: penalties must be finite and not negative", text);
    qsort(r->lambda, (size_t)r->count, sizeof *r->lambda, descending);
    return LNT_OK;
}

lnt_status lnt_regress_penalties(lnt_ctx *ctx, lnt_regress_run *r)
{
    const lnt_regress_path_opts *o = r->opts;
    double *grid;
    lnt_path_defaults(&r->fit);
    r->fit.alpha = r->alpha;
    r->fit.intercept = o->intercept;
    r->fit.standardize = o->standardize;
    r->fit.weight = r->rows.weight;
    r->fit.count = r->count = o->lambdas;
    r->fit.min_ratio = o->min_ratio > 0 ? o->min_ratio : r->alpha == 0 ? RIDGE_RATIO : 0;
    r->fit.tolerance = o->gap;
    r->fit.max_epochs = o->max_epochs;
    r->lambda = lnt_alloc(ctx, (size_t)r->count, sizeof *r->lambda);
    grid = lnt_alloc(ctx, (size_t)r->count, sizeof *grid);
    if (!r->lambda || !grid)
        return LNT_ENOMEM;
    r->lambda[0] = -1;
    for (int t = 0; t < r->rows.targets; t++) { /* of several targets the one that needs the largest */
        lnt_status status = lnt_path_grid(ctx, grid, &r->rows.X, lnt_at(r->rows.Y, 0, t), &r->fit);
        if (status != LNT_OK)
            return status;
        if (grid[0] > r->lambda[0])
            memcpy(r->lambda, grid, (size_t)r->count * sizeof *grid);
    }
    r->lambda_max = r->lambda[0];
    lnt_status status = o->lambda ? read_penalties(ctx, r, o->lambda) : LNT_OK;
    r->fit.lambda = r->lambda;
    r->fit.count = r->count;
    return status;
}

/* ---- Cross-validation ---- */

static lnt_status validate(lnt_ctx *ctx, lnt_regress_run *r)
{
    const lnt_regress_path_opts *o = r->opts;
    const lnt_rows *rows = &r->rows;
    lnt_rng rng = lnt_rng_stream(o->seed, 0, LNT_FOR_SHUFFLE);
    r->fold = lnt_alloc(ctx, (size_t)rows->n, sizeof *r->fold);
    if (!r->fold)
        return LNT_ENOMEM;
    lnt_path_folds(r->fold, rows->n, o->cv, &rng);
    lnt_status status = r->alpha > 0 ? lnt_path_validate(ctx, &r->cv, &rows->X, lnt_at(rows->Y, 0, 0), r->fold, o->cv,
                                                         o->threads, &r->fit)
                                     : lnt_ridge_validate(ctx, &r->cv, rows, r->fold, o->cv, o->threads, &r->fit);
    if (status != LNT_EUSER)
        return status;
    lnt_ctx_clear(ctx); /* interrupted: the path is there and is kept */
    r->cancelled = true;
    r->cv = (lnt_path_cv){0};
    return LNT_OK;
}

/* ---- All ---- */

static lnt_status check(lnt_ctx *ctx, const lnt_regress_path_opts *o)
{
    if (o->cv == 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--cv 1: at least 2 folds are needed, or 0 for none");
    if (o->lambda && o->min_ratio > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--lambda gives the penalties: leave out --min-ratio");
    return LNT_OK;
}

static lnt_status check_rows(lnt_ctx *ctx, const lnt_regress_run *r)
{
    const lnt_rows *rows = &r->rows;
    if (r->alpha > 0 && rows->targets > 1)
        return lnt_fail(ctx, LNT_EUSAGE, "there are %d targets and --penalty %.80s fits one: name it, --target 0 to %d",
                        rows->targets, r->opts->penalty, rows->targets - 1);
    if (r->opts->cv > rows->n)
        return lnt_fail(ctx, LNT_EUSAGE, "--cv %d: there are %d rows, at most as many folds", r->opts->cv, rows->n);
    return LNT_OK;
}

static lnt_status allocate(lnt_ctx *ctx, lnt_regress_run *r)
{
    r->at = lnt_alloc_zero(ctx, (size_t)r->count, sizeof *r->at);
    lnt_status status = r->at ? LNT_OK : LNT_ENOMEM;
    double numbers = (double)r->rows.features * r->rows.targets;
    if (numbers > INT32_MAX)
        return lnt_fail(ctx, LNT_EUSAGE, "%d features times %d targets are too many: choose --target", r->rows.features,
                        r->rows.targets);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &r->W, (int)numbers, r->count);
    return status == LNT_OK ? lnt_mat_alloc(ctx, &r->intercept, r->rows.targets, r->count) : status;
}

static lnt_status test_errors(lnt_ctx *ctx, lnt_regress_run *r)
{
    lnt_status status = LNT_OK;
    for (int k = 0; k < r->done && status == LNT_OK; k++) {
        r->at[k].test = NAN;
        if (r->rows.tests)
            status = lnt_rows_error(ctx, &r->at[k].test, &r->rows.test, r->rows.test_Y, r->rows.test_weight,
                                    lnt_regress_coefficients(r, k), lnt_at(r->intercept, 0, k));
    }
    return status;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_regress_path_opts *o = user;
    lnt_regress_run r = {.opts = o, .best_loo = -1, .best_gcv = -1};
    lnt_status status = check(ctx, o);
    if (status == LNT_OK)
        status = read_penalty(ctx, &r);
    const lnt_rows_opts rows = {&o->task,     o->row_weights, o->target,
                                o->intercept, o->standardize, r.alpha > 0 && o->method == LNT_PATH_DESCENT,
                                o->seed,      o->threads};
    if (status == LNT_OK)
        status = lnt_rows_make(ctx, record, &r.rows, &rows);
    if (status == LNT_OK)
        status = check_rows(ctx, &r);
    if (status == LNT_OK)
        status = lnt_regress_penalties(ctx, &r);
    if (status == LNT_OK)
        status = allocate(ctx, &r);
    if (status == LNT_OK)
        status = r.alpha == 0                     ? lnt_regress_ridge(ctx, &r)
                 : o->method == LNT_PATH_HOMOTOPY ? lnt_regress_homotopy(ctx, &r)
                                                  : lnt_regress_solve(ctx, &r);
    if (status == LNT_OK && r.done == 0)
        return lnt_fail(ctx, LNT_EUSER, "interrupted before the first lambda was reached");
    if (status == LNT_OK)
        status = test_errors(ctx, &r);
    if (status == LNT_OK && o->cv && !r.cancelled)
        status = validate(ctx, &r);
    if (status == LNT_OK)
        status = lnt_regress_report(ctx, record, &r);
    return status == LNT_OK ? lnt_regress_figure(ctx, record, &r) : status;
}

lnt_status lnt_regress_path_study(lnt_ctx *ctx, lnt_record *record, const lnt_regress_path_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_regress_path_options, opts, study);
}
