/* How much more data would help: ridge regression on other numbers of rows, predicted and drawn. */
#include "learning.h"
#include "setup.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define SIZES 8
#define LEAST_ROWS 20
#define PENALTIES 100
#define RATIO 1e-6

void lnt_regress_learning_defaults(lnt_regress_learning_opts *opts)
{
    *opts = (lnt_regress_learning_opts){
        .target = LNT_AUTO, .intercept = true, .standardize = true, .lambda = NAN, .draws = 10, .cv = 10};
}

/* ---- The rows and their spectrum ---- */

/* Features are prepared where they lie, once for all; those without variance go. */
static void prepare(lnt_learning *l)
{
    lnt_rows *r = &l->rows;
    lnt_mat X = r->X.X;
    int kept = 0;
    for (int j = 0; j < r->features; j++) {
        if (r->scale[j] == 0)
            continue;
        for (int i = 0; i < r->n; i++)
            *lnt_at(X, i, kept) = (*lnt_at(X, i, j) - r->centre[j]) / r->scale[j];
        kept++;
    }
    r->features = kept;
    r->X = lnt_design_dense(lnt_columns(X, 0, kept));
    for (int t = 0; t < r->targets; t++)
        for (int i = 0; i < r->n; i++)
            *lnt_at(r->Y, i, t) -= r->mean[t];
}

static lnt_status decompose(lnt_ctx *ctx, lnt_learning *l)
{
    const lnt_rows *r = &l->rows;
    int N = r->n, D = r->features, k = N < D ? N : D, most = N > D ? N : D, rank = 0;
    l->x = lnt_alloc(ctx, (size_t)k, sizeof *l->x);
    l->power = lnt_alloc_zero(ctx, (size_t)k, sizeof *l->power);
    l->coefficient = lnt_alloc(ctx, (size_t)k, sizeof *l->coefficient);
    if (!l->x || !l->power || !l->coefficient)
        return LNT_ENOMEM;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat U, VT, C;
    double total = 0, explained = 0;
    lnt_status status = lnt_mat_alloc(ctx, &U, N, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, D);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &C, k, r->targets);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, l->x, VT, r->X.X);
    if (status != LNT_OK)
        return status;
    lnt_gemm(C, 1, LNT_T, U, LNT_N, r->Y, 0);
    while (rank < k && rank < N - l->opts->intercept && l->x[rank] > most * DBL_EPSILON * l->x[0])
        rank++;
    for (int i = 0; i < rank; i++) {
        l->x[i] *= l->x[i] / N;
        for (int t = 0; t < r->targets; t++)
            l->power[i] += *lnt_at(C, i, t) * *lnt_at(C, i, t) / N;
        l->coefficient[i] = sqrt(l->power[i] / l->x[i]);
        explained += l->power[i];
    }
    total = lnt_mat_dot(r->Y, r->Y) / N;
    lnt_ctx_reset(ctx, mark);
    l->sample = (lnt_ridge_sample){N, l->opts->intercept, rank, l->x, l->power, fmax(0, total - explained)};
    return LNT_OK;
}

/* ---- The population, taken to be these rows ---- */

/* From the residuals of least squares where it leaves any, else from those of the best ridge, |r|^2/tr(I - H). */
static void estimate_noise(lnt_learning *l)
{
    const lnt_ridge_sample *s = &l->sample;
    double N = s->n, left = N - s->centred - s->rank, lambda = l->best.same, rss = s->rest;
    l->residual = left > 0;
    if (!l->residual) {
        rss = 0;
        for (int i = 0; i < s->rank; i++) {
            double share = lambda / (s->x[i] + lambda);
            rss += s->power[i] * share * share;
            left += share;
        }
    }
    l->noise2 = N * rss / left;
    l->noise_se = l->noise2 * sqrt(2 / left); /* of Gaussian noise; of several targets at most that */
    l->population = (lnt_population){s->rank, l->x, l->coefficient, l->noise2};
}

lnt_status lnt_learning_omniscient(lnt_ctx *ctx, double *test, const lnt_learning *l, double n, double lambda)
{
    const lnt_ridge_sample *s = &l->sample;
    double free = n - s->centred, noise = 0, squares = 0;
    lnt_ridge_risk risk;
    lnt_status status = lnt_ridge_risk_predict(ctx, &risk, &l->population, free, lambda * n / free);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < s->rank; i++) {
        double L = s->x[i] / (s->x[i] + risk.kappa);
        squares += L * L;
        noise += (1 - L) * (1 - L) * l->noise2 / s->n; /* in x T^2, from estimating T */
    }
    *test = n / free * (risk.test - free / (free - squares) * noise);
    return LNT_OK;
}

/* ---- Numbers of rows ---- */

static lnt_status choose_sizes(lnt_ctx *ctx, lnt_learning *l)
{
    const lnt_regress_learning_opts *o = l->opts;
    int N = l->rows.n, most = N - (N + 9) / 10, least = N / 32 > 8 ? N / 32 : 8;
    l->measured = o->sizes.count ? o->sizes.count : SIZES;
    l->size = lnt_alloc_zero(ctx, (size_t)l->measured + LNT_LEARNING_POINTS, sizeof *l->size);
    if (!l->size)
        return LNT_ENOMEM;
    for (int k = 0; k < l->measured; k++) {
        double share = l->measured > 1 ? (double)k / (l->measured - 1) : 1;
        int rows = o->sizes.count ? o->sizes.item[k] : (int)rint(least * pow((double)most / least, share));
        if (rows >= N || rows < 2 + o->intercept)
            return lnt_fail(ctx, LNT_EUSAGE, "--sizes: %d of %d rows: from %d to %d are possible, the others test",
                            rows, N, 2 + o->intercept, N - 1);
        l->size[k].rows = rows;
    }
    for (int k = 0; k < LNT_LEARNING_POINTS; k++)
        l->size[l->measured + k].rows = N << k;
    l->sizes = l->measured + LNT_LEARNING_POINTS;
    return LNT_OK;
}

static lnt_status predict_sizes(lnt_ctx *ctx, lnt_learning *l)
{
    lnt_status status = LNT_OK;
    for (int k = 0; k < l->sizes && status == LNT_OK; k++) {
        lnt_learning_size *size = &l->size[k];
        status = isnan(l->opts->lambda)
                     ? lnt_ridge_forecast_best(ctx, &size->forecast, &l->sample, size->rows)
                     : lnt_ridge_forecast_at(ctx, &size->forecast, &l->sample, size->rows, l->opts->lambda);
        if (status == LNT_OK && isnan(size->forecast.lambda))
            return lnt_fail(ctx, LNT_ENUMERIC, "no ridge can be recommended for %d rows; give --lambda", size->rows);
        if (status == LNT_OK)
            status = lnt_learning_omniscient(ctx, &size->omniscient, l, size->rows, size->forecast.lambda);
        size->mean = size->sd = NAN;
    }
    return status;
}

/* ---- Draws ---- */

static lnt_status gather(lnt_ctx *ctx, lnt_mat *X, lnt_mat *Y, const lnt_rows *r, const int *order, int count)
{
    lnt_status status = lnt_mat_alloc(ctx, X, count, r->features);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, Y, count, r->targets);
    for (int j = 0; j < r->features && status == LNT_OK; j++)
        for (int i = 0; i < count; i++)
            *lnt_at(*X, i, j) = *lnt_at(r->X.X, order[i], j);
    for (int t = 0; t < r->targets && status == LNT_OK; t++)
        for (int i = 0; i < count; i++)
            *lnt_at(*Y, i, t) = *lnt_at(r->Y, order[i], t);
    return status;
}

/* The error of ridge on the first `rows` of the order on all others. */
static lnt_status one_fit(lnt_ctx *ctx, double *error, const lnt_learning *l, const int *order, int rows, double lambda)
{
    const lnt_rows *r = &l->rows;
    lnt_path_opts o;
    lnt_ridge ridge;
    lnt_mat X, Y, test, test_Y, W;
    double *a = lnt_alloc(ctx, (size_t)r->targets, sizeof *a);
    lnt_status status = a ? gather(ctx, &X, &Y, r, order, rows) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = gather(ctx, &test, &test_Y, r, order + rows, r->n - rows);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &W, r->features, r->targets);
    if (status != LNT_OK)
        return status;
    lnt_path_defaults(&o);
    o.intercept = l->opts->intercept;
    o.standardize = false;
    const lnt_design design = lnt_design_dense(X), held = lnt_design_dense(test);
    status = lnt_ridge_make(ctx, &ridge, &design, Y, &o);
    if (status == LNT_OK)
        status = lnt_ridge_fit(ctx, W, a, &ridge, lambda);
    return status == LNT_OK ? lnt_rows_error(ctx, error, &held, test_Y, NULL, W, a) : status;
}

static lnt_status one_draw(lnt_ctx *ctx, int index, void *user)
{
    lnt_learning *l = user;
    int draw = index % l->opts->draws, k = l->measured - 1 - index / l->opts->draws; /* the longest first */
    double *error = lnt_at(l->error, draw, k);
    *error = NAN;
    if (lnt_cancelled(ctx))
        return LNT_OK;
    lnt_rng rng = lnt_rng_stream(l->opts->seed, (uint32_t)draw, LNT_FOR_SPLIT);
    int *order = lnt_alloc(ctx, (size_t)l->rows.n, sizeof *order);
    if (!order)
        return LNT_ENOMEM;
    for (int i = 0; i < l->rows.n; i++)
        order[i] = i;
    lnt_rng_shuffle(&rng, order, l->rows.n);
    lnt_status status = one_fit(ctx, error, l, order, l->size[k].rows, l->size[k].forecast.lambda);
    lnt_progress_step(ctx);
    return status;
}

static lnt_status measure(lnt_ctx *ctx, lnt_learning *l)
{
    int draws = l->opts->draws;
    lnt_status status = lnt_mat_alloc(ctx, &l->error, draws, l->measured);
    if (status != LNT_OK)
        return status;
    lnt_progress_begin(ctx, "draws", (long)draws * l->measured);
    status = lnt_parallel(ctx, draws * l->measured, l->opts->threads, one_draw, l);
    for (int k = 0; k < l->measured && status == LNT_OK; k++) {
        lnt_learning_size *size = &l->size[k];
        double mean = 0, squares = 0;
        for (int d = 0; d < draws; d++)
            mean += *lnt_at(l->error, d, k) / draws;
        for (int d = 0; d < draws; d++)
            squares += (*lnt_at(l->error, d, k) - mean) * (*lnt_at(l->error, d, k) - mean);
        size->mean = mean; /* NaN where it was interrupted */
        size->sd = draws > 1 ? sqrt(squares / (draws - 1)) : (double)NAN;
        l->cancelled = l->cancelled || isnan(mean);
    }
    return status;
}

/* ---- The ridge that all rows ask for ---- */

static lnt_status omniscient_best(lnt_ctx *ctx, lnt_learning *l)
{
    lnt_status status = LNT_OK;
    l->omniscient_error = INFINITY;
    for (int k = 0; k < l->count && status == LNT_OK; k++) {
        double test;
        status = lnt_learning_omniscient(ctx, &test, l, l->rows.n, l->lambda[k]);
        if (status == LNT_OK && test < l->omniscient_error) {
            l->omniscient_error = test;
            l->omniscient_lambda = l->lambda[k];
        }
    }
    return status;
}

static lnt_status penalties(lnt_ctx *ctx, lnt_learning *l, lnt_path_opts *o)
{
    const lnt_rows *r = &l->rows;
    double *grid = lnt_alloc(ctx, PENALTIES, sizeof *grid);
    l->count = PENALTIES;
    l->lambda = lnt_alloc_zero(ctx, PENALTIES, sizeof *l->lambda);
    l->predicted = lnt_alloc(ctx, PENALTIES, sizeof *l->predicted);
    l->loo = lnt_alloc(ctx, PENALTIES, sizeof *l->loo);
    if (!grid || !l->lambda || !l->predicted || !l->loo)
        return LNT_ENOMEM;
    lnt_path_defaults(o);
    o->alpha = 0;
    o->intercept = l->opts->intercept;
    o->standardize = false;
    o->count = PENALTIES;
    o->min_ratio = RATIO;
    for (int t = 0; t < r->targets; t++) {
        lnt_status status = lnt_path_grid(ctx, grid, &r->X, lnt_at(r->Y, 0, t), o);
        if (status != LNT_OK)
            return status;
        if (grid[0] > l->lambda[0])
            memcpy(l->lambda, grid, PENALTIES * sizeof *grid);
    }
    o->lambda = l->lambda;
    return LNT_OK;
}

static lnt_status along_penalties(lnt_ctx *ctx, lnt_learning *l)
{
    const lnt_rows *r = &l->rows;
    lnt_path_opts o;
    lnt_ridge ridge;
    lnt_status status = penalties(ctx, l, &o);
    if (status == LNT_OK)
        status = omniscient_best(ctx, l);
    lnt_mark mark = lnt_ctx_mark(ctx);
    if (status == LNT_OK)
        status = lnt_ridge_make(ctx, &ridge, &r->X, r->Y, &o);
    for (int k = 0; k < l->count && status == LNT_OK; k++) {
        lnt_ridge_score score = {0};
        lnt_ridge_forecast f = {0};
        status = lnt_ridge_score_all(ctx, &score, &ridge, l->lambda[k]);
        if (status == LNT_OK)
            status = lnt_ridge_forecast_at(ctx, &f, &l->sample, r->n, l->lambda[k]);
        l->predicted[k] = f.test;
        l->loo[k] = score.loo;
        l->best_loo = score.loo < l->loo[l->best_loo] ? k : l->best_loo;
    }
    lnt_ctx_reset(ctx, mark);
    if (status != LNT_OK || !l->opts->cv || l->cancelled)
        return status;
    lnt_rng rng = lnt_rng_stream(l->opts->seed, 0, LNT_FOR_SHUFFLE);
    int *fold = lnt_alloc(ctx, (size_t)r->n, sizeof *fold);
    if (!fold)
        return LNT_ENOMEM;
    lnt_path_folds(fold, r->n, l->opts->cv, &rng);
    status = lnt_ridge_validate(ctx, &l->cv, r, fold, l->opts->cv, l->opts->threads, &o);
    if (status != LNT_EUSER)
        return status;
    lnt_ctx_clear(ctx);
    l->cv = (lnt_path_cv){0};
    l->cancelled = true;
    return LNT_OK;
}

/* ---- All ---- */

static lnt_status check(lnt_ctx *ctx, const lnt_regress_learning_opts *o)
{
    if (o->task.split > 0 || o->task.test_inputs)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "every draw tests on the rows that it leaves out: leave out --split and the "
                        "test files");
    if (o->cv == 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--cv 1: at least 2 folds are needed, or 0 for none");
    return LNT_OK;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_regress_learning_opts *o = user;
    lnt_learning l = {.opts = o};
    const lnt_rows_opts rows = {&o->task, NULL, o->target, o->intercept, o->standardize, false, o->seed, o->threads};
    lnt_status status = check(ctx, o);
    if (status == LNT_OK)
        status = lnt_rows_make(ctx, record, &l.rows, &rows);
    if (status != LNT_OK)
        return status;
    if (l.rows.n < LEAST_ROWS)
        return lnt_fail(ctx, LNT_EUSAGE, "there are %d rows; at least %d are needed", l.rows.n, LEAST_ROWS);
    if (o->cv > l.rows.n)
        return lnt_fail(ctx, LNT_EUSAGE, "--cv %d: there are %d rows, at most as many folds", o->cv, l.rows.n);
    if (l.rows.constant == l.rows.features)
        return lnt_fail(ctx, LNT_EDOMAIN, "every feature is constant: there is nothing to learn from");
    prepare(&l);
    status = decompose(ctx, &l);
    if (status == LNT_OK)
        status = lnt_ridge_forecast_best(ctx, &l.best, &l.sample, l.rows.n);
    if (status == LNT_OK)
        estimate_noise(&l);
    if (status == LNT_OK)
        status = choose_sizes(ctx, &l);
    if (status == LNT_OK)
        status = predict_sizes(ctx, &l);
    if (status == LNT_OK)
        status = measure(ctx, &l);
    if (status == LNT_OK)
        status = along_penalties(ctx, &l);
    return status == LNT_OK ? lnt_learning_report(ctx, record, &l) : status;
}

lnt_status lnt_regress_learning_study(lnt_ctx *ctx, lnt_record *record, const lnt_regress_learning_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_regress_learning_options, opts, study);
}
