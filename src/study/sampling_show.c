/* Predictions of draws beside those of Laplace's approximation and of the mode, scores, and their figure. */
#include "sampling.h"

#include <math.h>

#define GRID 201
#define MARGIN 0.1 /* of the range of the input, beyond either end */
#define SHIFT 0.5  /* standard deviations, and */
#define RATIO 1.25 /* factor between them at which two bands disagree */
#define MOST_MARKS 5000

typedef struct view {
    bool grid;
    lnt_mat X;
    double *x, *raw; /* of the series; inputs of the rows as given, NULL: several of them */
    lnt_model model;
    lnt_sampled_predicted at, rows, held;
    lnt_predicted laplace, laplace_rows, laplace_held;
} view;

static lnt_status make_grid(lnt_ctx *ctx, view *v, const lnt_sampled *s)
{
    const lnt_network_data *d = s->data;
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < d->X.cols; i++) {
        low = fmin(low, d->X.a[i]);
        high = fmax(high, d->X.a[i]);
    }
    double reach = high > low ? MARGIN * (high - low) : 1;
    lnt_status status = lnt_mat_alloc(ctx, &v->X, 1, GRID);
    v->x = lnt_alloc(ctx, GRID, sizeof *v->x);
    v->raw = lnt_alloc(ctx, (size_t)d->X.cols, sizeof *v->raw);
    if (status != LNT_OK || !v->x || !v->raw)
        return LNT_ENOMEM;
    for (int i = 0; i < d->X.cols; i++)
        v->raw[i] = lnt_prep_given(&d->task.prep, d->X.a[i]);
    for (int i = 0; i < GRID; i++) {
        v->X.a[i] = low - reach + (high - low + 2 * reach) * i / (GRID - 1);
        v->x[i] = lnt_prep_given(&d->task.prep, v->X.a[i]);
    }
    v->grid = true;
    status = lnt_layers_model(ctx, &v->model, &d->layers, v->X);
    if (status == LNT_OK)
        status = lnt_sampled_predict(ctx, &v->at, s, v->X, (lnt_mat){0}, NULL);
    return status == LNT_OK ? lnt_fitted_predict(ctx, &v->laplace, &s->fit, &v->model, NULL) : status;
}

static lnt_status make(lnt_ctx *ctx, view *v, const lnt_sampled *s)
{
    const lnt_network_data *d = s->data;
    bool one_noise = d->likelihood.kind != LNT_GAUSSIAN || isfinite(s->fit.noise);
    *v = (view){0};
    lnt_status status = lnt_sampled_predict(ctx, &v->rows, s, d->X, d->Y, d->sd);
    if (status == LNT_OK)
        status = lnt_fitted_predict(ctx, &v->laplace_rows, &s->fit, &d->model, d->sd);
    if (status == LNT_OK && d->test.n)
        status = lnt_sampled_predict(ctx, &v->held, s, d->test_X, d->test_Y, d->test_sd);
    if (status == LNT_OK && d->test.n)
        status = lnt_fitted_predict(ctx, &v->laplace_held, &s->fit, &d->test_model, d->test_sd);
    if (status != LNT_OK)
        return status;
    if (d->X.rows == 1 && d->task.prep.inputs <= 1 && one_noise)
        return make_grid(ctx, v, s);
    v->X = d->X;
    v->at = v->rows;
    v->laplace = v->laplace_rows;
    v->x = lnt_alloc(ctx, (size_t)d->X.cols, sizeof *v->x);
    for (int i = 0; i < d->X.cols && v->x; i++)
        v->x[i] = i;
    return v->x ? LNT_OK : LNT_ENOMEM;
}

/* ---- Scores ---- */

static void put_row(lnt_record *record, const lnt_sampled *s, const char *part, const char *method, int rows,
                    lnt_fitted_score score)
{
    lnt_table *table = lnt_record_table(record, "scores");
    lnt_table_row(table);
    lnt_table_set(table, "rows", "", lnt_string(part));
    lnt_table_set(table, "method", "", lnt_string(method));
    lnt_table_set(table, "count", "", lnt_integer(rows));
    if (s->data->likelihood.kind == LNT_GAUSSIAN) {
        lnt_table_set(table, "rmse", "", lnt_known(score.rmse));
        lnt_table_set(table, "log_score", "nats", lnt_known(score.log_density));
        lnt_table_set(table, "coverage", "", lnt_known(score.coverage));
    } else {
        lnt_table_set(table, "accuracy", "", lnt_known(score.accuracy));
        lnt_table_set(table, "log_score", "nats", lnt_known(score.log_score));
    }
}

/* The mode alone: no spread but the noise. */
static lnt_status rate_mode(lnt_ctx *ctx, lnt_fitted_score *score, const lnt_sampled *s, const lnt_model *model,
                            lnt_mat Y, const double *sd)
{
    lnt_fitted mode = s->fit;
    lnt_predicted p;
    lnt_status status = lnt_fitted_predict(ctx, &p, &mode, model, sd);
    if (status != LNT_OK)
        return status;
    double z = lnt_probit(0.5 + s->opts->coverage / 2);
    if (s->data->likelihood.kind == LNT_GAUSSIAN)
        for (size_t i = 0; i < model->n; i++) {
            double noise = sd ? sd[i] : sqrt(s->fit.noise);
            p.sd.a[i] = 0;
            p.low.a[i] = p.mean.a[i] - z * noise;
            p.high.a[i] = p.mean.a[i] + z * noise;
        }
    *score = lnt_fitted_rate(&mode, &p, Y, sd);
    score->log_score = score->log_score_plug;
    return LNT_OK;
}

static lnt_status put_scores(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s, const char *part,
                             const lnt_sampled_predicted *sampled, const lnt_predicted *laplace, const lnt_model *model,
                             lnt_mat Y, const double *sd)
{
    bool rows_alone = s->data->likelihood.kind == LNT_CATEGORICAL;
    int n = rows_alone ? Y.cols : Y.rows * Y.cols;
    lnt_fitted_score score = lnt_fitted_rate(&s->fit, &sampled->p, Y, sd), mode;
    double density = 0, c = s->opts->coverage;
    for (int i = 0; i < n; i++)
        density += sampled->log_density[i] / n;
    score.log_density = score.log_score = density;
    put_row(record, s, part, "sampled", Y.cols, score);
    if (isfinite(score.coverage) && s->data->test.n && model == &s->data->test_model)
        lnt_record_deviation(record, "share of held-out data inside the band", score.coverage, c, NAN,
                             sqrt(c * (1 - c) / n));
    put_row(record, s, part, "laplace", Y.cols, lnt_fitted_rate(&s->fit, laplace, Y, sd));
    lnt_status status = rate_mode(ctx, &mode, s, model, Y, sd);
    if (status == LNT_OK)
        put_row(record, s, part, "mode", Y.cols, mode);
    return status;
}

/* ---- Laplace's approximation ---- */

static void put_laplace(lnt_record *record, const lnt_sampled *s, const view *v)
{
    const lnt_laplace_distance d = lnt_laplace_compare(&v->at.p, &v->laplace);
    double spread = fmax(d.largest, 1 / d.least);
    lnt_record_fact(record, "laplace", "largest_shift", "sd", lnt_known(d.shift));
    lnt_record_fact(record, "laplace", "rms_shift", "sd", lnt_known(d.rms_shift));
    lnt_record_fact(record, "laplace", "least_sd_ratio", "", lnt_known(d.least));
    lnt_record_fact(record, "laplace", "largest_sd_ratio", "", lnt_known(d.largest));
    lnt_record_fact(record, "laplace", "log_evidence", "nats", lnt_known(s->fit.posterior.log_evidence));
    lnt_record_assumption(record, "Laplace's mean of f, largest distance in standard deviations of the draws", d.shift,
                          SHIFT, "Laplace's band is off centre");
    lnt_record_assumption(record, "Laplace's standard deviation of f, largest factor to that of the draws", spread,
                          RATIO, "Laplace's band has the wrong width");
    if (d.shift > SHIFT || spread > RATIO)
        lnt_record_warn(record,
                        "Laplace's band and that of the draws disagree: means by up to %.2f standard deviations, "
                        "standard deviations of f by factors from %.2f to %.2f; trust the draws",
                        d.shift, d.least, d.largest);
}

/* ---- Figure ---- */

static void draw_function(lnt_record *record, const lnt_sampled *s, const view *v)
{
    bool classes = s->data->likelihood.kind != LNT_GAUSSIAN;
    int n = v->X.cols, count = 0, rows = s->data->X.cols < MOST_MARKS ? s->data->X.cols : MOST_MARKS;
    lnt_curve curve[6];
    if (!classes) {
        curve[count++] = (lnt_curve){"band of data", LNT_CURVE_BAND, n, v->x, v->at.p.low.a, v->at.p.high.a};
        curve[count++] = (lnt_curve){"mean of draws", LNT_CURVE_LINE, n, v->x, v->at.p.mean.a, NULL};
        curve[count++] = (lnt_curve){"Laplace's mean, band", LNT_CURVE_THEORY, n, v->x, v->laplace.mean.a, NULL};
        curve[count++] = (lnt_curve){"", LNT_CURVE_THEORY, n, v->x, v->laplace.low.a, NULL};
        curve[count++] = (lnt_curve){"", LNT_CURVE_THEORY, n, v->x, v->laplace.high.a, NULL};
    } else {
        curve[count++] = (lnt_curve){"probability", LNT_CURVE_LINE, n, v->x, v->at.p.p.a, NULL};
        curve[count++] = (lnt_curve){"Laplace", LNT_CURVE_THEORY, n, v->x, v->laplace.p.a, NULL};
    }
    curve[count++] = (lnt_curve){"data", LNT_CURVE_MARKS, rows, v->raw, s->data->Y.a, NULL};
    lnt_curve spread[2] = {{"draws", LNT_CURVE_LINE, n, v->x, v->at.p.sd.a, NULL},
                           {"Laplace", LNT_CURVE_THEORY, n, v->x, v->laplace.sd.a, NULL}};
    lnt_panel panel[2] = {{.title = "prediction",
                           .xlabel = "input",
                           .ylabel = classes ? "probability" : "target",
                           .curves = count,
                           .curve = curve},
                          {.title = classes ? "uncertainty of the logit" : "uncertainty of the mean",
                           .xlabel = "input",
                           .ylabel = "standard deviation",
                           .curves = 2,
                           .curve = spread}};
    lnt_figure figure = {.name = "prediction",
                         .caption = "Predictions of the draws and of Laplace's approximation",
                         .panels = 2,
                         .panel = panel};
    lnt_record_figure(record, &figure);
}

/* Several inputs or outputs: one against the other. */
static void draw_against(lnt_record *record, const view *v)
{
    const lnt_predicted *a = &v->at.p, *b = &v->laplace;
    int n = a->mean.rows * a->mean.cols;
    n = n < MOST_MARKS ? n : MOST_MARKS;
    const lnt_mat pair[2][2] = {{b->mean, a->mean}, {b->sd, a->sd}};
    static const char *const titles[] = {"mean of f", "standard deviation of f"};
    lnt_curve curve[2][2];
    double ends[2][2];
    lnt_panel panel[2];
    for (int i = 0; i < 2; i++) {
        ends[i][0] = INFINITY;
        ends[i][1] = -INFINITY;
        for (int j = 0; j < n; j++) {
            ends[i][0] = fmin(ends[i][0], pair[i][0].a[j]);
            ends[i][1] = fmax(ends[i][1], pair[i][0].a[j]);
        }
        curve[i][0] = (lnt_curve){"equal", LNT_CURVE_THEORY, 2, ends[i], ends[i], NULL};
        curve[i][1] = (lnt_curve){"rows", LNT_CURVE_DOTS, n, pair[i][0].a, pair[i][1].a, NULL};
        panel[i] =
            (lnt_panel){.title = titles[i], .xlabel = "Laplace", .ylabel = "draws", .curves = 2, .curve = curve[i]};
    }
    lnt_figure figure = {.name = "prediction",
                         .caption = "Predictions of the draws and of Laplace's approximation",
                         .panels = 2,
                         .panel = panel};
    lnt_record_figure(record, &figure);
}

lnt_status lnt_sampled_show(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s)
{
    const lnt_network_data *d = s->data;
    lnt_mat none = {0};
    view v;
    lnt_status status = make(ctx, &v, s);
    if (status == LNT_OK)
        status = lnt_fitted_series(ctx, record, &s->fit, "prediction", &v.at.p, v.x, v.grid ? none : d->Y);
    if (status == LNT_OK)
        status = lnt_fitted_series(ctx, record, &s->fit, "laplace", &v.laplace, v.x, none);
    double *row = status == LNT_OK ? lnt_alloc(ctx, (size_t)d->test.n, sizeof *row) : NULL;
    if (!row)
        return status == LNT_OK ? LNT_ENOMEM : status;
    for (int i = 0; i < d->test.n; i++)
        row[i] = i;
    if (d->test.n)
        status = lnt_fitted_series(ctx, record, &s->fit, "held_out", &v.held.p, row, d->test_Y);
    if (status == LNT_OK)
        status = put_scores(ctx, record, s, "fitted", &v.rows, &v.laplace_rows, &d->model, d->Y, d->sd);
    if (status == LNT_OK && d->test.n)
        status =
            put_scores(ctx, record, s, "held out", &v.held, &v.laplace_held, &d->test_model, d->test_Y, d->test_sd);
    lnt_record_fact(record, "band", "coverage", "", lnt_number(s->opts->coverage));
    lnt_record_fact(record, "band", "of", "", lnt_string(d->likelihood.kind == LNT_GAUSSIAN ? "data" : "logits"));
    lnt_record_fact(record, "band", "draws", "", lnt_integer(v.at.draws));
    put_laplace(record, s, &v);
    if (v.grid && d->Y.rows == 1)
        draw_function(record, s, &v);
    else
        draw_against(record, &v);
    return status;
}
