/* The figure of a regularisation path: coefficients, errors, and how many features are used. */
#include "regress.h"

#include <math.h>
#include <stdlib.h>

#define MOST_LINES 40 /* coefficients that are drawn: the largest */
#define MOST_CURVES 8

typedef struct drawing {
    int n; /* penalties above 0, which a logarithmic axis has a place for */
    double *x;
    int lines;
    lnt_curve line[MOST_LINES];
    int errors;
    lnt_curve error[MOST_CURVES];
    double low, high;  /* of the errors that are drawn */
    double mark[3][4]; /* ends of vertical lines: x, x, y, y */
    lnt_curve used;
} drawing;

/* ---- Coefficients ---- */

typedef struct sized {
    double size;
    int index;
} sized;

static int by_size(const void *a, const void *b)
{
    const sized *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size) - (x->size > y->size) : x->index - y->index;
}

static lnt_status draw_coefficients(lnt_ctx *ctx, drawing *d, const lnt_regress_run *r)
{
    int D = r->rows.features; /* of the first target, in the scale of their penalty */
    sized *s = lnt_alloc(ctx, (size_t)D, sizeof *s);
    double *y = lnt_alloc(ctx, (size_t)MOST_LINES * (size_t)d->n, sizeof *y);
    if (!s || !y)
        return LNT_ENOMEM;
    for (int j = 0; j < D; j++) {
        s[j] = (sized){0, j};
        for (int k = 0; k < d->n; k++)
            s[j].size = fmax(s[j].size, fabs(r->rows.scale[j] * *lnt_at(r->W, j, k)));
    }
    qsort(s, (size_t)D, sizeof *s, by_size);
    for (; d->lines < MOST_LINES && d->lines < D && s[d->lines].size > 0; d->lines++, y += d->n) {
        for (int k = 0; k < d->n; k++)
            y[k] = r->rows.scale[s[d->lines].index] * *lnt_at(r->W, s[d->lines].index, k);
        d->line[d->lines] = (lnt_curve){"", LNT_CURVE_LINE, d->n, d->x, y, NULL};
    }
    return LNT_OK;
}

/* ---- Errors ---- */

static double *column(lnt_ctx *ctx, const lnt_regress_run *r, int n, double (*value)(const lnt_regress_run *, int))
{
    double *y = lnt_alloc(ctx, (size_t)n, sizeof *y);
    for (int k = 0; k < n && y; k++)
        y[k] = value(r, k);
    return y;
}

static double cv_mean(const lnt_regress_run *r, int k)
{
    return r->cv.mean[k];
}
static double cv_low(const lnt_regress_run *r, int k)
{
    return fmax(r->cv.mean[k] - r->cv.se[k], 0);
}
static double cv_high(const lnt_regress_run *r, int k)
{
    return r->cv.mean[k] + r->cv.se[k];
}
static double loo(const lnt_regress_run *r, int k)
{
    return r->at[k].loo;
}
static double gcv(const lnt_regress_run *r, int k)
{
    return r->at[k].gcv;
}
static double test(const lnt_regress_run *r, int k)
{
    return r->at[k].test;
}
static double used(const lnt_regress_run *r, int k)
{
    return r->alpha > 0 ? r->at[k].nonzero : r->at[k].freedom;
}

static lnt_status add(lnt_ctx *ctx, drawing *d, const lnt_regress_run *r, const char *label, lnt_curve_style style,
                      double (*value)(const lnt_regress_run *, int), double (*upper)(const lnt_regress_run *, int))
{
    double *y = column(ctx, r, d->n, value), *y2 = upper ? column(ctx, r, d->n, upper) : NULL;
    if (!y || (upper && !y2))
        return LNT_ENOMEM;
    for (int k = 0; k < d->n; k++) {
        d->low = fmin(d->low, y[k]);
        d->high = fmax(d->high, y2 ? y2[k] : y[k]);
    }
    d->error[d->errors++] = (lnt_curve){label, style, d->n, d->x, y, y2};
    return LNT_OK;
}

/* A vertical line at a penalty. */
static void mark(drawing *d, const char *label, int number, double lambda)
{
    double *m = d->mark[number];
    m[0] = m[1] = lambda;
    m[2] = d->low;
    m[3] = d->high;
    if (lambda > 0)
        d->error[d->errors++] = (lnt_curve){label, LNT_CURVE_THEORY, 2, m, m + 2, NULL};
}

static lnt_status draw_errors(lnt_ctx *ctx, drawing *d, const lnt_regress_run *r)
{
    lnt_status status = LNT_OK;
    d->low = INFINITY;
    d->high = 0;
    if (r->cv.folds)
        status = add(ctx, d, r, "", LNT_CURVE_BAND, cv_low, cv_high);
    if (status == LNT_OK && r->cv.folds)
        status = add(ctx, d, r, "cross-validation, 1 se", LNT_CURVE_LINE, cv_mean, NULL);
    if (status == LNT_OK && r->rows.tests)
        status = add(ctx, d, r, "rows held out", LNT_CURVE_LINE, test, NULL);
    if (status == LNT_OK && r->best_loo >= 0)
        status = add(ctx, d, r, "leave-one-out", LNT_CURVE_LINE, loo, NULL);
    if (status == LNT_OK && r->best_gcv >= 0)
        status = add(ctx, d, r, "gcv", LNT_CURVE_THEORY, gcv, NULL);
    if (r->cv.folds) {
        mark(d, "lambda.min", 0, r->lambda[r->cv.best]);
        mark(d, "lambda.1se", 1, r->lambda[r->cv.one_se]);
    }
    return status;
}

lnt_status lnt_regress_figure(lnt_ctx *ctx, lnt_record *record, const lnt_regress_run *r)
{
    drawing *d = lnt_alloc_zero(ctx, 1, sizeof *d);
    if (!d)
        return LNT_ENOMEM;
    while (d->n < r->done && r->lambda[d->n] > 0)
        d->n++;
    d->x = r->lambda;
    if (d->n == 0)
        return LNT_OK;
    lnt_status status = draw_coefficients(ctx, d, r);
    if (status == LNT_OK)
        status = draw_errors(ctx, d, r);
    double *y = status == LNT_OK ? column(ctx, r, d->n, used) : NULL;
    if (!y)
        return status == LNT_OK ? LNT_ENOMEM : status;
    d->used = (lnt_curve){"", LNT_CURVE_LINE, d->n, d->x, y, NULL};
    const char *label = lnt_sprintf(ctx, "coefficient%s%s", r->opts->standardize ? " x deviation of the feature" : "",
                                    r->rows.targets > 1 ? ", target 0" : "");
    if (!label)
        return LNT_ENOMEM;
    const lnt_panel coefficients = {.title = "",
                                    .xlabel = "lambda",
                                    .ylabel = label,
                                    .logx = true,
                                    .curves = d->lines,
                                    .curve = d->line},
                    errors = {.title = "",
                              .xlabel = "lambda",
                              .ylabel = "mean squared error",
                              .logx = true,
                              .curves = d->errors,
                              .curve = d->error},
                    number = {.title = "",
                              .xlabel = "lambda",
                              .ylabel = r->alpha > 0 ? "features with a coefficient" : "degrees of freedom",
                              .logx = true,
                              .curves = 1,
                              .curve = &d->used};
    lnt_panel panel[3];
    int panels = 0;
    if (d->lines)
        panel[panels++] = coefficients;
    if (d->errors)
        panel[panels++] = errors;
    panel[panels++] = number;
    const lnt_figure figure = {
        "path",
        "Coefficients over the penalty, what prediction errors it leads to, and how many features "
        "it uses.",
        panels, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}
