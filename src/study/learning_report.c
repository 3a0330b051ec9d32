/* What the study of how much more data would help found. */
#include "learning.h"

#include <math.h>

#define CLOSE 0.05       /* relative error of a prediction that is called good */
#define FEW_FEATURES 0.1 /* a row: the spectrum of the rows is that of the population, nearly */

static const lnt_learning_size *beyond(const lnt_learning *l, int k)
{
    return &l->size[l->measured + k];
}

/* ---- Facts ---- */

static void put_facts(lnt_ctx *ctx, lnt_record *record, const lnt_learning *l)
{
    lnt_record_fact(record, "problem", "rows", "", lnt_integer(l->rows.n));
    lnt_record_fact(record, "problem", "features", "", lnt_integer(l->rows.features));
    lnt_record_fact(record, "problem", "targets", "", lnt_integer(l->rows.targets));
    lnt_record_fact(record, "problem", "constant_features", "", lnt_integer(l->rows.constant));
    lnt_record_fact(record, "problem", "rank", "", lnt_integer(l->sample.rank));
    lnt_record_fact(record, "noise", "variance", "", lnt_number(l->noise2));
    lnt_record_fact(record, "noise", "standard_error", "", lnt_known(l->noise_se));
    lnt_record_fact(record, "noise", "estimate", "",
                    lnt_string(l->residual ? "residuals of least squares over their degrees of freedom"
                                           : "residuals of the best ridge over their degrees of freedom: least squares "
                                             "leaves none"));
    double now = beyond(l, 0)->forecast.test, twice = beyond(l, 1)->forecast.test, four = beyond(l, 2)->forecast.test;
    lnt_record_fact(record, "answer", "error", "", lnt_known(now));
    lnt_record_fact(record, "answer", "error_twice", "", lnt_known(twice));
    lnt_record_fact(record, "answer", "error_four_times", "", lnt_known(four));
    const char *text = isfinite(now + twice + four)
                           ? lnt_sprintf(ctx,
                                         "twice as many rows would lower the error by %.2g %%, four times as many by "
                                         "%.2g %%",
                                         100 * (1 - twice / now), 100 * (1 - four / now))
                           : "the rows at hand do not say what so small a ridge would do on more of them";
    if (text)
        lnt_record_fact(record, "answer", "text", "", lnt_string(text));
    if (l->cancelled) {
        lnt_record_set_interrupted(record);
        lnt_record_warn(record, "interrupted: some draws or folds are missing");
    }
    if (l->rows.constant)
        lnt_record_warn(record, "%d constant features are left out", l->rows.constant);
}

/* ---- Tables ---- */

static void put_sizes(lnt_record *record, const lnt_learning *l)
{
    lnt_table *table = lnt_record_table(record, "sizes");
    for (int k = 0; k < l->sizes; k++) {
        const lnt_learning_size *s = &l->size[k];
        lnt_table_row(table);
        lnt_table_set(table, "rows", "", lnt_integer(s->rows));
        lnt_table_set(table, "lambda", "", lnt_known(s->forecast.lambda));
        lnt_table_set(table, "predicted", "", lnt_known(s->forecast.test));
        lnt_table_set(table, "predicted_se", "", lnt_known(s->forecast.se));
        lnt_table_set(table, "omniscient", "", lnt_known(s->omniscient));
        lnt_table_set(table, "measured", "", lnt_known(s->mean));
        lnt_table_set(table, "measured_sd", "", lnt_known(s->sd));
        lnt_table_set(table, "measured_se", "", lnt_known(s->sd / sqrt(l->opts->draws)));
        lnt_table_set(table, "df", "", lnt_known(s->forecast.freedom));
    }
}

static lnt_status put_ridge(lnt_ctx *ctx, lnt_record *record, const lnt_learning *l, const char *name, double lambda,
                            double error, double se)
{
    lnt_table *table = lnt_record_table(record, "ridges");
    lnt_ridge_forecast f;
    lnt_status status = lnt_ridge_forecast_at(ctx, &f, &l->sample, l->rows.n, lambda);
    lnt_table_row(table);
    lnt_table_set(table, "chosen_by", "", lnt_string(name));
    lnt_table_set(table, "lambda", "", lnt_number(lambda));
    lnt_table_set(table, "error", "", lnt_known(error));
    lnt_table_set(table, "se", "", lnt_known(se));
    lnt_table_set(table, "predicted", "", lnt_known(f.test));
    return status;
}

static lnt_status put_ridges(lnt_ctx *ctx, lnt_record *record, const lnt_learning *l)
{
    const lnt_path_cv *cv = &l->cv;
    lnt_status status = put_ridge(ctx, record, l, "prediction", l->best.lambda, l->best.test, NAN);
    if (status == LNT_OK)
        status = put_ridge(ctx, record, l, "omniscient", l->omniscient_lambda, l->omniscient_error, NAN);
    if (status == LNT_OK)
        status = put_ridge(ctx, record, l, "leave-one-out", l->lambda[l->best_loo], l->loo[l->best_loo], NAN);
    if (status == LNT_OK && cv->folds)
        status = put_ridge(ctx, record, l, "lambda.min", l->lambda[cv->best], cv->mean[cv->best], cv->se[cv->best]);
    if (status == LNT_OK && cv->folds)
        status =
            put_ridge(ctx, record, l, "lambda.1se", l->lambda[cv->one_se], cv->mean[cv->one_se], cv->se[cv->one_se]);
    return status;
}

static void put_lambdas(lnt_record *record, const lnt_learning *l)
{
    lnt_table *table = lnt_record_table(record, "lambdas");
    for (int k = 0; k < l->count; k++) {
        lnt_table_row(table);
        lnt_table_set(table, "lambda", "", lnt_number(l->lambda[k]));
        lnt_table_set(table, "predicted", "", lnt_known(l->predicted[k]));
        lnt_table_set(table, "loo", "", lnt_known(l->loo[k]));
        if (l->cv.folds) {
            lnt_table_set(table, "cv", "", lnt_number(l->cv.mean[k]));
            lnt_table_set(table, "cv_se", "", lnt_number(l->cv.se[k]));
        }
    }
}

static lnt_status put_deviations(lnt_ctx *ctx, lnt_record *record, const lnt_learning *l)
{
    double worst = 0;
    for (int k = 0; k < l->measured; k++) {
        const lnt_learning_size *s = &l->size[k];
        const char *name = lnt_sprintf(ctx, "test error on %d rows", s->rows);
        if (!name)
            return LNT_ENOMEM;
        lnt_record_deviation(record, name, s->mean, s->forecast.test, NAN, s->sd / sqrt(l->opts->draws));
        double off = fabs(s->mean / s->forecast.test - 1) - 2 * s->sd / sqrt(l->opts->draws) / s->forecast.test;
        worst = isfinite(off) ? fmax(worst, off) : worst;
    }
    if (l->cv.folds)
        lnt_record_deviation(record, "cross-validated error at lambda.min", l->cv.mean[l->cv.best],
                             l->predicted[l->cv.best], NAN, l->cv.se[l->cv.best]);
    lnt_record_assumption(
        record, "rows behave like many independent features", worst, CLOSE,
        "relative error of the predictions beyond two standard errors of the draws; those for more rows "
        "may be off as much");
    lnt_record_assumption(
        record, "many rows a feature", (double)l->sample.rank / l->rows.n, FEW_FEATURES,
        "the column omniscient takes the spread of few rows for that of the population; predicted does "
        "not");
    return LNT_OK;
}

/* ---- Figure ---- */

#define SMOOTH 200

typedef struct drawing {
    double *n, *theory, *plain, *ratio; /* over numbers of rows */
    double *x, *mean, *low, *high;      /* measured */
    double *cv_low, *cv_high;
} drawing;

static lnt_status draw_sizes(lnt_ctx *ctx, drawing *d, const lnt_learning *l)
{
    double *all = lnt_alloc(ctx, 3 * SMOOTH, sizeof *all),
           *points = lnt_alloc(ctx, 4 * (size_t)l->measured, sizeof *points);
    if (!all || !points)
        return LNT_ENOMEM;
    d->n = all, d->theory = all + SMOOTH, d->ratio = all + 2 * SMOOTH;
    d->x = points, d->mean = points + l->measured, d->low = d->mean + l->measured, d->high = d->low + l->measured;
    double first = l->size[0].rows, last = 4.0 * l->rows.n;
    for (int k = 0; k < l->measured; k++) {
        const lnt_learning_size *s = &l->size[k];
        first = fmin(first, s->rows);
        d->x[k] = s->rows;
        d->mean[k] = s->mean;
        d->low[k] = s->mean - (isfinite(s->sd) ? s->sd : 0);
        d->high[k] = s->mean + (isfinite(s->sd) ? s->sd : 0);
    }
    lnt_status status = LNT_OK;
    for (int k = 0; k < SMOOTH && status == LNT_OK; k++) {
        lnt_ridge_forecast f;
        d->n[k] = first * pow(last / first, k / (SMOOTH - 1.0));
        status = isnan(l->opts->lambda) ? lnt_ridge_forecast_best(ctx, &f, &l->sample, d->n[k])
                                        : lnt_ridge_forecast_at(ctx, &f, &l->sample, d->n[k], l->opts->lambda);
        d->theory[k] = f.test;
        d->ratio[k] = f.lambda;
    }
    return status;
}

static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const lnt_learning *l)
{
    drawing d = {0};
    const lnt_path_cv *cv = &l->cv;
    lnt_status status = draw_sizes(ctx, &d, l);
    double *band = lnt_alloc(ctx, 2 * (size_t)l->count, sizeof *band);
    if (status != LNT_OK || !band)
        return status == LNT_OK ? LNT_ENOMEM : status;
    d.cv_low = band;
    d.cv_high = band + l->count;
    for (int k = 0; k < l->count && cv->folds; k++) {
        d.cv_low[k] = cv->mean[k] - cv->se[k];
        d.cv_high[k] = cv->mean[k] + cv->se[k];
    }
    double at[2] = {l->rows.n, l->rows.n}, ends[2] = {d.theory[SMOOTH - 1], d.theory[0]};
    const lnt_curve sizes[] = {{"draws, 1 sd", LNT_CURVE_BAND, l->measured, d.x, d.low, d.high},
                               {"tested on the other rows", LNT_CURVE_POINTS, l->measured, d.x, d.mean, NULL},
                               {"predicted from all rows", LNT_CURVE_THEORY, SMOOTH, d.n, d.theory, NULL},
                               {"rows at hand", LNT_CURVE_THEORY, 2, at, ends, NULL}},
                    lambdas[] = {{"", LNT_CURVE_BAND, cv->folds ? l->count : 0, l->lambda, d.cv_low, d.cv_high},
                                 {"cross-validation, 1 se", LNT_CURVE_LINE, l->count, l->lambda, cv->mean, NULL},
                                 {"leave-one-out", LNT_CURVE_LINE, l->count, l->lambda, l->loo, NULL},
                                 {"predicted", LNT_CURVE_THEORY, l->count, l->lambda, l->predicted, NULL}};
    int skip = cv->folds ? 0 : 2;
    const lnt_panel panel[] = {{.title = "",
                                .xlabel = "rows",
                                .ylabel = "mean squared test error",
                                .logx = true,
                                .logy = ends[1] > 5 * ends[0],
                                .curves = isfinite(ends[0] + ends[1]) ? 4 : 3,
                                .curve = sizes},
                               {.title = "",
                                .xlabel = "lambda, on all rows",
                                .ylabel = "mean squared error",
                                .logx = true,
                                .curves = 4 - skip,
                                .curve = lambdas + skip}};
    const lnt_figure figure = {"learning",
                               "Test error over the number of rows: drawn, and predicted up to four times as many rows "
                               "as there are; error over the ridge on all rows.",
                               2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_learning_report(lnt_ctx *ctx, lnt_record *record, const lnt_learning *l)
{
    put_facts(ctx, record, l);
    put_sizes(record, l);
    lnt_status status = put_ridges(ctx, record, l);
    put_lambdas(record, l);
    if (status == LNT_OK)
        status = put_deviations(ctx, record, l);
    lnt_record_vector(record, "spectrum/eigenvalues", "", l->x, l->sample.rank);
    lnt_record_vector(record, "spectrum/power", "", l->power, l->sample.rank);
    lnt_record_matrix(record, "draws/error", "", &l->error, 1);
    return status == LNT_OK ? put_figure(ctx, record, l) : status;
}
