/* Predictions, scores and the figure of a fit. */
#include "fitting.h"

#include <math.h>
#include <string.h>

#define GRID 201
#define MARGIN 0.1      /* of the range of the input, beyond either end */
#define MOST_OUTPUTS 20 /* that get series of their own */
#define MOST_MARKS 5000 /* points of a figure */
#define BINS 10         /* of probabilities */

/* Where the predictions of the series and the figure are: a grid for one input, else the rows. */
typedef struct view {
    int n;
    double *x;
    lnt_predicted at;
    bool grid;
    double *raw; /* inputs of the rows as they were given; NULL: several of them */
    lnt_predicted rows, held;
    lnt_model model;
    lnt_mat X;
} view;

static bool one_noise(const lnt_fitted *f)
{
    return !lnt_fitted_gaussian(f) || isfinite(f->noise) || !lnt_noise_known(f);
}

double lnt_prep_given(const lnt_prep *prep, double z)
{
    return (prep->map.a ? z / *lnt_at(prep->map, 0, 0) : z) + (prep->mean ? prep->mean[0] : 0);
}

static lnt_status make_grid(lnt_ctx *ctx, view *v, const lnt_fitted *f)
{
    const lnt_prep *prep = &f->data->task.prep;
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < f->data->X.cols; i++) {
        low = fmin(low, v->raw[i]);
        high = fmax(high, v->raw[i]);
    }
    double reach = high > low ? MARGIN * (high - low) : 1;
    v->n = GRID;
    v->grid = true;
    v->x = lnt_alloc(ctx, GRID, sizeof *v->x);
    lnt_status status = v->x ? lnt_mat_alloc(ctx, &v->X, 1, GRID) : LNT_ENOMEM;
    for (int i = 0; i < GRID && status == LNT_OK; i++)
        v->x[i] = low - reach + (high - low + 2 * reach) * i / (GRID - 1);
    lnt_samples samples = {.dim = 1, .n = GRID, .f64 = v->x};
    if (status == LNT_OK)
        status = lnt_prep_apply(ctx, v->X, prep, &samples, 1);
    if (status == LNT_OK)
        status = lnt_layers_model(ctx, &v->model, &f->data->layers, v->X);
    return status == LNT_OK ? lnt_fitted_predict(ctx, &v->at, f, &v->model, NULL) : status;
}

static lnt_status make(lnt_ctx *ctx, view *v, const lnt_fitted *f)
{
    const lnt_network_data *d = f->data;
    int n = d->X.cols;
    *v = (view){.n = n};
    lnt_status status = lnt_fitted_predict(ctx, &v->rows, f, &d->model, d->sd);
    if (status == LNT_OK && d->test.n)
        status = lnt_fitted_predict(ctx, &v->held, f, &d->test_model, d->test_sd);
    if (status != LNT_OK)
        return status;
    if (d->X.rows == 1 && d->task.prep.inputs == 1) {
        if (!(v->raw = lnt_alloc(ctx, (size_t)n, sizeof *v->raw)))
            return LNT_ENOMEM;
        for (int i = 0; i < n; i++)
            v->raw[i] = lnt_prep_given(&d->task.prep, d->X.a[i]);
    }
    if (v->raw && one_noise(f))
        return make_grid(ctx, v, f);
    v->at = v->rows;
    v->x = lnt_alloc(ctx, (size_t)n, sizeof *v->x);
    for (int i = 0; i < n && v->x; i++)
        v->x[i] = v->raw ? v->raw[i] : i;
    return v->x ? LNT_OK : LNT_ENOMEM;
}

/* ---- Series ---- */

static lnt_status put_one(lnt_ctx *ctx, lnt_record *record, const char *group, const char *name, lnt_mat A, int output)
{
    double *y = A.a ? lnt_alloc(ctx, (size_t)A.cols, sizeof *y) : NULL;
    const char *path = lnt_sprintf(ctx, "%s/%s", group, name);
    if (!A.a)
        return LNT_OK;
    if (!y || !path)
        return LNT_ENOMEM;
    for (int i = 0; i < A.cols; i++)
        y[i] = *lnt_at(A, output, i);
    lnt_record_series(record, path, "", y, A.cols);
    return LNT_OK;
}

lnt_status lnt_fitted_series(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *f, const char *name,
                             const lnt_predicted *p, const double *x, lnt_mat Y)
{
    lnt_mat none = {0}, sd = f->has_posterior ? p->sd : none, low = f->has_posterior ? p->low : none,
            high = f->has_posterior ? p->high : none;
    lnt_status status = LNT_OK;
    for (int o = 0; o < p->mean.rows && o < MOST_OUTPUTS && status == LNT_OK; o++) {
        const char *group = p->mean.rows == 1 ? name : lnt_sprintf(ctx, "%s/output%d", name, o + 1);
        const char *x_path = group ? lnt_sprintf(ctx, "%s/x", group) : NULL;
        if (!x_path)
            return LNT_ENOMEM;
        lnt_mat all[] = {p->mean, sd, low, high, p->p, Y};
        static const char *const names[] = {"mean", "sd", "low", "high", "probability", "target"};
        lnt_record_series(record, x_path, "", x, p->mean.cols);
        for (int k = 0; k < 6 && status == LNT_OK; k++)
            status = put_one(ctx, record, group, names[k], all[k], o);
    }
    return status;
}

/* ---- Scores ---- */

static void put_score(lnt_record *record, const lnt_fitted *f, const lnt_predicted *p, lnt_mat Y, const double *sd,
                      const char *part)
{
    lnt_fitted_score s = lnt_fitted_rate(f, p, Y, sd);
    lnt_table *table = lnt_record_table(record, "scores");
    lnt_table_row(table);
    lnt_table_set(table, "rows", "", lnt_string(part));
    lnt_table_set(table, "count", "", lnt_integer(Y.cols));
    if (lnt_fitted_gaussian(f)) {
        lnt_table_set(table, "rmse", "", lnt_known(s.rmse));
        lnt_table_set(table, "r2", "", lnt_known(s.r2));
        lnt_table_set(table, "log_density", "nats", lnt_known(s.log_density));
        lnt_table_set(table, "coverage", "", lnt_known(s.coverage));
    } else {
        lnt_table_set(table, "accuracy", "", lnt_known(s.accuracy));
        lnt_table_set(table, "log_score", "nats", lnt_known(s.log_score));
        lnt_table_set(table, "log_score_at_mode", "nats", lnt_known(s.log_score_plug));
    }
    double c = f->opts->coverage, n = (double)Y.rows * Y.cols;
    if (isfinite(s.coverage) && p->mean.a && strcmp(part, "held out") == 0)
        lnt_record_deviation(record, "share of held-out data inside the band", s.coverage, c, NAN,
                             sqrt(c * (1 - c) / n));
}

/* ---- Figure ---- */

typedef struct drawing {
    lnt_curve curve[8];
    int curves;
    lnt_panel panel[2];
    int panels;
} drawing;

static void add(drawing *d, const char *label, lnt_curve_style style, int n, const double *x, const double *y,
                const double *y2)
{
    d->curve[d->curves++] = (lnt_curve){label, style, n, x, y, y2};
}

static int marks(int n)
{
    return n < MOST_MARKS ? n : MOST_MARKS;
}

/* One input, one output. */
static void draw_function(drawing *d, const view *v, const lnt_fitted *f)
{
    bool classes = !lnt_fitted_gaussian(f);
    if (!classes && f->has_posterior)
        add(d, isfinite(f->noise) ? "band of data" : "band of the mean", LNT_CURVE_BAND, v->n, v->x, v->at.low.a,
            v->at.high.a);
    add(d, classes ? "probability" : "mean", LNT_CURVE_LINE, v->n, v->x, classes ? v->at.p.a : v->at.mean.a, NULL);
    add(d, "data", LNT_CURVE_MARKS, marks(f->data->X.cols), v->raw, f->data->Y.a, NULL);
    d->panel[0] = (lnt_panel){.title = "fit", .xlabel = "input", .ylabel = classes ? "probability" : "target"};
}

/* Several inputs: what was predicted against what was measured. */
static lnt_status draw_against(lnt_ctx *ctx, drawing *d, const view *v, const lnt_fitted *f)
{
    const lnt_network_data *data = f->data;
    double *ends = lnt_alloc(ctx, 2, sizeof *ends);
    int n = data->Y.rows * data->Y.cols;
    if (!ends)
        return LNT_ENOMEM;
    ends[0] = INFINITY;
    ends[1] = -INFINITY;
    for (int i = 0; i < n; i++) {
        ends[0] = fmin(ends[0], data->Y.a[i]);
        ends[1] = fmax(ends[1], data->Y.a[i]);
    }
    add(d, "equal", LNT_CURVE_THEORY, 2, ends, ends, NULL);
    add(d, "fitted rows", LNT_CURVE_DOTS, marks(n), v->rows.mean.a, data->Y.a, NULL);
    if (data->test.n)
        add(d, "held out", LNT_CURVE_DOTS, marks(data->test_Y.rows * data->test_Y.cols), v->held.mean.a, data->test_Y.a,
            NULL);
    d->panel[0] = (lnt_panel){.title = "fit", .xlabel = "predicted", .ylabel = "measured"};
    return LNT_OK;
}

/* How often a class comes that was given a probability, by bins. */
static lnt_status draw_calibration(lnt_ctx *ctx, drawing *d, const lnt_predicted *p, lnt_mat Y, const char *label)
{
    double *x = lnt_alloc(ctx, BINS, sizeof *x), *y = lnt_alloc(ctx, BINS, sizeof *y);
    double sum[BINS] = {0}, ones[BINS] = {0}, count[BINS] = {0};
    int n = 0;
    if (!x || !y)
        return LNT_ENOMEM;
    for (int i = 0; i < Y.rows * Y.cols; i++) {
        int bin = (int)fmin(BINS - 1, floor(BINS * p->p.a[i]));
        sum[bin] += p->p.a[i];
        ones[bin] += Y.a[i];
        count[bin]++;
    }
    for (int b = 0; b < BINS; b++)
        if (count[b] > 0) {
            x[n] = sum[b] / count[b];
            y[n++] = ones[b] / count[b];
        }
    add(d, label, LNT_CURVE_POINTS, n, x, y, NULL);
    return LNT_OK;
}

static lnt_status draw_classes(lnt_ctx *ctx, drawing *d, const view *v, const lnt_fitted *f)
{
    static const double ends[] = {0, 1};
    add(d, "equal", LNT_CURVE_THEORY, 2, ends, ends, NULL);
    lnt_status status = draw_calibration(ctx, d, &v->rows, f->data->Y, "fitted rows");
    if (status == LNT_OK && f->data->test.n)
        status = draw_calibration(ctx, d, &v->held, f->data->test_Y, "held out");
    d->panel[0] = (lnt_panel){.title = "calibration", .xlabel = "predicted probability", .ylabel = "share of rows"};
    return status;
}

static lnt_status draw_course(lnt_ctx *ctx, lnt_panel *panel, const lnt_fitted *f)
{
    int count = 0, longest = 0;
    lnt_curve *curve = lnt_alloc_zero(ctx, LNT_FITTING_HISTORIES, sizeof *curve);
    for (int s = 0; s < LNT_FITTING_HISTORIES; s++)
        longest = f->history[s] && f->steps[s] > longest ? f->steps[s] : longest;
    double *x = lnt_alloc(ctx, (size_t)longest, sizeof *x);
    if (!curve || !x)
        return LNT_ENOMEM;
    for (int i = 0; i < longest; i++)
        x[i] = i + 1;
    for (int s = 0; s < LNT_FITTING_HISTORIES; s++)
        if (f->history[s] && f->steps[s] > 0)
            curve[count++] = (lnt_curve){"", LNT_CURVE_LINE, f->steps[s], x, f->history[s], NULL};
    *panel = (lnt_panel){.title = "starts",
                         .xlabel = "step",
                         .ylabel = "SSE",
                         .logx = longest > 50,
                         .logy = true,
                         .curves = count,
                         .curve = curve};
    return LNT_OK;
}

static lnt_status draw(lnt_ctx *ctx, lnt_record *record, const view *v, const lnt_fitted *f)
{
    drawing d = {.panels = 1};
    bool classes = !lnt_fitted_gaussian(f);
    lnt_status status = LNT_OK;
    if (v->grid && f->data->Y.rows == 1)
        draw_function(&d, v, f);
    else
        status = classes ? draw_classes(ctx, &d, v, f) : draw_against(ctx, &d, v, f);
    d.panel[0].curves = d.curves;
    d.panel[0].curve = d.curve;
    if (status == LNT_OK && f->history[0] && f->starts > 1)
        status = draw_course(ctx, &d.panel[d.panels++], f);
    lnt_figure figure = {
        .name = "fit", .caption = "The fit, and the course of its starts", .panels = d.panels, .panel = d.panel};
    if (status == LNT_OK)
        lnt_record_figure(record, &figure);
    return status;
}

lnt_status lnt_fitted_show(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *f)
{
    const lnt_network_data *d = f->data;
    lnt_mat none = {0};
    view v;
    lnt_status status = make(ctx, &v, f);
    if (status == LNT_OK)
        status = lnt_fitted_series(ctx, record, f, "prediction", &v.at, v.x, v.grid ? none : d->Y);
    double *row = status == LNT_OK ? lnt_alloc(ctx, (size_t)d->test.n, sizeof *row) : NULL;
    if (!row)
        return status == LNT_OK ? LNT_ENOMEM : status;
    for (int i = 0; i < d->test.n; i++)
        row[i] = i;
    if (d->test.n)
        status = lnt_fitted_series(ctx, record, f, "held_out", &v.held, row, d->test_Y);
    put_score(record, f, &v.rows, d->Y, d->sd, "fitted");
    if (d->test.n)
        put_score(record, f, &v.held, d->test_Y, d->test_sd, "held out");
    lnt_record_fact(record, "band", "coverage", "", lnt_number(f->opts->coverage));
    lnt_record_fact(record, "band", "of", "",
                    lnt_string(!lnt_fitted_gaussian(f)       ? "logits"
                               : isfinite(f->noise) || d->sd ? "data"
                                                             : "means"));
    return status == LNT_OK ? draw(ctx, record, &v, f) : status;
}
