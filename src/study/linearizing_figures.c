/* The figures of the study of linearised training. */
#include "linearizing.h"

#include <math.h>

#define MOST_CURVES 24
#define DRAWN 5 /* widths */

typedef struct curves {
    lnt_curve curve[MOST_CURVES];
    int n;
} curves;

static void add(curves *p, const char *label, lnt_curve_style style, int n, const double *x, const double *y)
{
    if (label && p->n < MOST_CURVES)
        p->curve[p->n++] = (lnt_curve){label, style, n, x, y, NULL};
}

/* Number i of the widths that are drawn: all of a few, else evenly spaced, the first and the last among them. */
static int drawn(const lnt_linearizing *l, int i)
{
    int widths = l->opts->widths.count;
    return widths <= DRAWN ? i : i * (widths - 1) / (DRAWN - 1);
}

static int count_drawn(const lnt_linearizing *l)
{
    return l->opts->widths.count < DRAWN ? l->opts->widths.count : DRAWN;
}

/* ---- Spectrum ---- */

static lnt_status draw_spectrum(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l)
{
    int n = l->n[LNT_TRAIN];
    curves *p = lnt_alloc_zero(ctx, 2, sizeof *p);
    double *mode = lnt_alloc(ctx, (size_t)n, sizeof *mode);
    if (!p || !mode)
        return LNT_ENOMEM;
    for (int i = 0; i < n; i++)
        mode[i] = i + 1;
    for (int d = 0; d < count_drawn(l); d++) {
        const lnt_linearizing_run *run = lnt_linearizing_at(l, 0, drawn(l, d));
        double *lam = lnt_alloc(ctx, 2 * (size_t)n, sizeof *lam);
        const char *label = lnt_sprintf(ctx, "width %d", l->opts->widths.item[drawn(l, d)]);
        if (!lam || !label)
            return LNT_ENOMEM;
        double *left = lam + n, all = 0;
        for (int i = 0; i < n; i++) {
            lam[i] = run->lam[n - 1 - i];
            all += run->c[i] * run->c[i];
        }
        double rest = all;
        for (int i = 0; i < n; i++) {
            rest -= run->c[n - 1 - i] * run->c[n - 1 - i];
            left[i] = fmax(rest, 0) / all;
        }
        add(&p[0], label, LNT_CURVE_POINTS, n, mode, lam);
        add(&p[1], label, LNT_CURVE_POINTS, n - 1, mode, left);
    }
    const lnt_panel panel[] = {{.title = "",
                                .xlabel = "mode",
                                .ylabel = "eigenvalue of the kernel",
                                .logx = true,
                                .logy = true,
                                .curves = p[0].n,
                                .curve = p[0].curve},
                               {.title = "",
                                .xlabel = "mode",
                                .ylabel = "share of |d - f0|^2 in later modes",
                                .logx = true,
                                .logy = true,
                                .curves = p[1].n,
                                .curve = p[1].curve}};
    const lnt_figure figure = {"spectrum",
                               "Eigenvalues of the kernel at the first start of each width, and how much of the data "
                               "lies in modes that are learned later.",
                               n > 1 ? 2 : 1, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- Curves ---- */

/* Means over runs, from the second time on: the first is 0. */
static double *means(lnt_ctx *ctx, const lnt_linearizing *l, int j, int curve)
{
    double *y = lnt_alloc(ctx, (size_t)l->count, sizeof *y);
    for (int k = 1; k < l->count && y; k++)
        y[k - 1] = lnt_linearizing_mean(l, j, curve, k, NULL);
    return y;
}

static lnt_status draw_curves(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l)
{
    int part = l->n[LNT_TEST] ? LNT_TEST : LNT_TRAIN, panels = 0;
    const char *x = l->opts->rule ? "step" : "time in steps of eta";
    curves *p = lnt_alloc_zero(ctx, 3, sizeof *p);
    if (!p)
        return LNT_ENOMEM;
    for (int d = 0; d < count_drawn(l); d++) {
        int j = drawn(l, d), n = l->count - 1;
        const char *label = lnt_sprintf(ctx, "width %d", l->opts->widths.item[j]);
        double *train = means(ctx, l, j, LNT_CURVE_LOSS),
               *train_linear = means(ctx, l, j, LNT_CURVE_LOSS + LNT_LINEARISED),
               *test = means(ctx, l, j, LNT_CURVE_LOSS + LNT_SIDES),
               *test_linear = means(ctx, l, j, LNT_CURVE_LOSS + LNT_SIDES + LNT_LINEARISED),
               *deviation = means(ctx, l, j, LNT_CURVE_DEVIATION + part);
        if (!label || !train || !train_linear || !test || !test_linear || !deviation)
            return LNT_ENOMEM;
        bool outer = d == 0 || d == count_drawn(l) - 1;
        if (outer) {
            add(&p[0], label, LNT_CURVE_LINE, n, l->t + 1, train);
            add(&p[1], label, LNT_CURVE_LINE, n, l->t + 1, test);
            add(&p[0], d ? "" : "linearised", LNT_CURVE_THEORY, n, l->t + 1, train_linear);
            add(&p[1], d ? "" : "linearised", LNT_CURVE_THEORY, n, l->t + 1, test_linear);
        }
        add(&p[2], label, LNT_CURVE_LINE, n, l->t + 1, deviation);
    }
    lnt_panel panel[3];
    panel[panels++] = (lnt_panel){.title = "training rows",
                                  .xlabel = x,
                                  .ylabel = "loss",
                                  .logx = true,
                                  .logy = true,
                                  .curves = p[0].n,
                                  .curve = p[0].curve};
    if (part == LNT_TEST)
        panel[panels++] = (lnt_panel){.title = "test rows",
                                      .xlabel = x,
                                      .ylabel = "loss",
                                      .logx = true,
                                      .logy = true,
                                      .curves = p[1].n,
                                      .curve = p[1].curve};
    panel[panels++] = (lnt_panel){.title = part ? "test rows" : "training rows",
                                  .xlabel = x,
                                  .ylabel = "rms difference of outputs",
                                  .logx = true,
                                  .logy = true,
                                  .curves = p[2].n,
                                  .curve = p[2].curve};
    const lnt_figure figure = {"curves",
                               "Training of networks (solid) and of their linearisation at the start (dashed), and how "
                               "far the outputs of the two are apart; means over runs.",
                               panels, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- Widths ---- */

/* The points of one time, or the law through them. */
static lnt_status draw_law(lnt_ctx *ctx, curves *p, const lnt_linearizing *l, int part, int i, bool points)
{
    int widths = l->opts->widths.count;
    lnt_width_law law;
    double *x = lnt_alloc(ctx, 2 * (size_t)widths, sizeof *x);
    lnt_status status = x ? lnt_linearizing_law(ctx, &law, l, part, i) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    double *y = x + widths;
    for (int j = 0; j < widths; j++) {
        x[j] = l->opts->widths.item[j];
        y[j] = points ? lnt_linearizing_mean(l, j, LNT_CURVE_DEVIATION + part, l->at[i], NULL)
                      : law.constant * pow(x[j], law.exponent);
    }
    if (!points && isfinite(law.exponent))
        add(p, i ? "" : "fitted law", LNT_CURVE_THEORY, widths, x, y);
    if (!points)
        return LNT_OK;
    const char *label = !isfinite(law.exponent) ? lnt_sprintf(ctx, "t = %g", l->time[i])
                        : isfinite(law.error) ? lnt_sprintf(ctx, "t = %g: width^%.2f, standard error %.2f", l->time[i],
                                                            law.exponent, law.error)
                                              : lnt_sprintf(ctx, "t = %g: width^%.2f", l->time[i], law.exponent);
    if (!label)
        return LNT_ENOMEM;
    add(p, label, LNT_CURVE_POINTS, widths, x, y);
    return LNT_OK;
}

static lnt_status draw_widths(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l)
{
    lnt_status status = LNT_OK;
    curves *p = lnt_alloc_zero(ctx, LNT_PARTS, sizeof *p);
    lnt_panel panel[LNT_PARTS];
    int panels = 0, times = l->reported < MOST_CURVES / 2 ? l->reported : MOST_CURVES / 2;
    if (!p)
        return LNT_ENOMEM;
    for (int part = LNT_PARTS - 1; part >= 0; part--) {
        if (!l->n[part])
            continue;
        for (int k = 0; k < 2 * times && status == LNT_OK; k++)
            status = draw_law(ctx, &p[part], l, part, k % times, k < times);
        panel[panels++] = (lnt_panel){.title = part ? "test rows" : "training rows",
                                      .xlabel = "width",
                                      .ylabel = "rms difference of outputs",
                                      .logx = true,
                                      .logy = true,
                                      .curves = p[part].n,
                                      .curve = p[part].curve};
    }
    const lnt_figure figure = {"widths",
                               "How far trained networks are from their linearisation, over their width; means over "
                               "runs, and the power law through them.",
                               panels, panel};
    if (status == LNT_OK)
        lnt_record_figure(record, &figure);
    return status;
}

lnt_status lnt_linearizing_figures(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l)
{
    lnt_status status = draw_spectrum(ctx, record, l);
    if (status == LNT_OK)
        status = draw_curves(ctx, record, l);
    if (status == LNT_OK && l->opts->widths.count > 1)
        status = draw_widths(ctx, record, l);
    return status;
}
