/* The figures of the study of learning curves. */
#include "curves.h"

#include <math.h>
#include <string.h>

#define BINS 40
#define MOST_CURVES (3 * LNT_MOST_ARMS)
#define SMALL 1e-13 /* stands for 0 on a logarithmic axis */
#define FLOOR 1e-17 /* of |y|^2/(2n): what is below is not drawn, since runs end in rounding errors */
#define INSIDE 1e-9 /* keeps the first bin off tics that are not needed */

/* ---- Losses ---- */

typedef struct panel_curves {
    lnt_curve curve[MOST_CURVES];
    int n;
    bool curves, ends; /* whether a theory of the whole curve, and of its end, has its label */
} panel_curves;

static void add(panel_curves *p, const char *label, lnt_curve_style style, int n, const double *x, const double *y,
                const double *y2)
{
    p->curve[p->n++] = (lnt_curve){label, style, n, x, y, y2};
}

static lnt_status add_arm(lnt_ctx *ctx, panel_curves *p, const lnt_curves *c, int a, bool train, const double *x)
{
    int rows = c->opts->epochs + 1;
    double *all = lnt_alloc(ctx, 3 * (size_t)rows, sizeof *all), *theory = all, *low = all + rows, *high = low + rows;
    lnt_average average;
    lnt_status status = all ? lnt_curves_average(ctx, &average, c, train ? c->train[0] : c->gen[0], a) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < rows; k++) {
        const lnt_predicted_loss *t = c->curve[a] ? &c->curve[a][k] : &c->limit[a];
        double sd = train ? t->train_sd : t->gen_sd;
        theory[k] = train ? t->train : t->gen;
        low[k] = fmax(theory[k] - sd, 0.1 * theory[k]);
        high[k] = theory[k] + sd;
    }
    const lnt_predicted_loss *end = c->curve[a] ? &c->curve[a][rows - 1] : &c->limit[a];
    bool band = c->curve[a] && isfinite(train ? end->train_sd : end->gen_sd), whole = c->curve[a] != NULL;
    int drawn = 0;
    while (drawn < rows && theory[drawn] > FLOOR * theory[0])
        drawn++;
    if (band && drawn)
        add(p, "", LNT_CURVE_BAND, drawn, x, low, high);
    add(p, c->arm[a].name, LNT_CURVE_LINE, rows, x, average.mean, NULL);
    if (isfinite(theory[rows - 1]) && drawn) {
        bool known = whole ? p->curves : p->ends;
        add(p,
            known   ? ""
            : whole ? "theory (band 1 sd)"
                    : "theory of the end",
            LNT_CURVE_THEORY, drawn, x, theory, NULL);
        *(whole ? &p->curves : &p->ends) = true;
    }
    return LNT_OK;
}

static lnt_status put_losses(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    int rows = c->opts->epochs + 1;
    double *epoch = lnt_alloc(ctx, (size_t)rows, sizeof *epoch);
    panel_curves *p = lnt_alloc_zero(ctx, 2, sizeof *p);
    if (!epoch || !p)
        return LNT_ENOMEM;
    for (int k = 0; k < rows; k++)
        epoch[k] = k;
    for (int train = 0; train < 2; train++)
        for (int a = 0; a < c->arms; a++) {
            lnt_status status = add_arm(ctx, &p[train], c, a, train, c->times ? c->times : epoch);
            if (status != LNT_OK)
                return status;
        }
    const char *x = c->times ? "time t" : "epoch";
    const lnt_panel panel[] = {
        {.title = "",
         .xlabel = x,
         .ylabel = c->teacher.variance ? "generalisation loss sum c (S - T)^2/2" : "generalisation loss |S - T|^2/2",
         .logy = true,
         .curves = p[0].n,
         .curve = p[0].curve},
        {.title = "",
         .xlabel = x,
         .ylabel = "training loss |y - X'S|^2/(2n)",
         .logy = true,
         .curves = p[1].n,
         .curve = p[1].curve}};
    const lnt_figure figure = {
        "curves",
        "Losses over all data sets (mean) with their theory for infinitely large ones and the spread of single "
        "data sets about it.",
        2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- Histograms ---- */

typedef struct histogram {
    double x[BINS], y[BINS]; /* centres, densities */
} histogram;

/* Densities that integrate to `mass` over the values in [low, high]. */
static void count(histogram *h, const double *values, int n, double low, double high, double mass)
{
    double width = (high - low) / BINS;
    for (int b = 0; b < BINS; b++) {
        h->x[b] = low + (b + 0.5) * width;
        h->y[b] = 0;
    }
    for (int i = 0; i < n; i++) {
        int b = (int)floor((values[i] - low) / width);
        if (b >= 0 && b < BINS)
            h->y[b] += mass / (n * width);
    }
}

#define SMOOTH 400

static lnt_status put_spectrum(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    int D = c->opts->features, k = c->opts->samples < D ? c->opts->samples : D;
    histogram *h = lnt_alloc(ctx, 1, sizeof *h);
    double *x = lnt_alloc(ctx, 2 * SMOOTH, sizeof *x), *f = x + SMOOTH, low, high;
    if (!h || !x)
        return LNT_ENOMEM;
    lnt_mp_edges(&low, &high, c->q);
    double end = 1.05 * fmax(high, c->eigenvalues[k - 1]);
    count(h, c->eigenvalues, k, INSIDE * end, end, fmin(c->q, 1));
    for (int i = 0; i < SMOOTH; i++) {
        x[i] = low + (high - low) * (1 - cos(acos(-1) * (i + 0.5) / SMOOTH)) / 2; /* dense at the edges */
        f[i] = lnt_mp_density(c->q, x[i]);
    }
    const lnt_curve curve[] = {{"first data set", LNT_CURVE_STEPS, BINS, h->x, h->y, NULL},
                               {"Marchenko and Pastur", LNT_CURVE_THEORY, SMOOTH, x, f, NULL}};
    const lnt_panel panel = {.title = "",
                             .xlabel = "eigenvalue of XX'/n, those that are not 0",
                             .ylabel = "density",
                             .curves = c->teacher.variance ? 1 : 2,
                             .curve = curve};
    const lnt_figure figure = {"spectrum", "Eigenvalues of the sample covariance of the first data set.", 1, &panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* The least whole number above all log10 |weight|. */
static double largest(const lnt_curves *c)
{
    double top = 0;
    for (int i = 0; i < c->opts->features; i++) {
        top = fmax(top, fabs(c->T[i]));
        for (int a = 0; a < c->arms; a++)
            top = fmax(top, fabs(*lnt_at(c->end, i, a)));
    }
    return floor(log10(top + SMALL)) + 1;
}

static lnt_status logarithms(lnt_ctx *ctx, histogram *h, const double *w, int n, double top)
{
    double *x = lnt_alloc(ctx, (size_t)n, sizeof *x);
    if (!x)
        return LNT_ENOMEM;
    for (int i = 0; i < n; i++)
        x[i] = log10(fabs(w[i]) + SMALL);
    count(h, x, n, -14 + INSIDE, top - INSIDE, 1);
    return LNT_OK;
}

static lnt_status put_weights(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    panel_curves *p = lnt_alloc_zero(ctx, 1, sizeof *p);
    histogram *h = lnt_alloc(ctx, LNT_MOST_ARMS + 1, sizeof *h);
    double top = largest(c);
    lnt_status status = p && h ? logarithms(ctx, &h[c->arms], c->T, c->opts->features, top) : LNT_ENOMEM;
    for (int a = 0; a < c->arms && status == LNT_OK; a++) {
        status = logarithms(ctx, &h[a], lnt_at(c->end, 0, a), c->opts->features, top);
        add(p, c->arm[a].name, LNT_CURVE_STEPS, BINS, h[a].x, h[a].y, NULL);
    }
    if (status != LNT_OK)
        return status;
    add(p, "teacher", LNT_CURVE_STEPS, BINS, h[c->arms].x, h[c->arms].y, NULL); /* last: arms keep their colours */
    const lnt_panel panel = {
        .title = "", .xlabel = "log10(|weight| + 1e-13)", .ylabel = "density", .curves = p->n, .curve = p->curve};
    const lnt_figure figure = {
        "weights", "Sizes of the weights after the last epoch on the first data set; exact zeros stand at -13.", 1,
        &panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_curves_figures(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    bool l1 = false;
    for (int a = 0; a < c->arms; a++)
        l1 = l1 || c->arm[a].l1;
    lnt_status status = put_losses(ctx, record, c);
    if (status == LNT_OK)
        status = put_spectrum(ctx, record, c);
    return status == LNT_OK && l1 ? put_weights(ctx, record, c) : status;
}
