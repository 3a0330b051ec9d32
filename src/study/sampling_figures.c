/* The figures of chains: traces, ranks, energies, pairs of weights. */
#include "sampling.h"

#include <math.h>
#include <stdlib.h>

#define MOST_CHAINS 8    /* drawn */
#define MOST_POINTS 1000 /* of a trace */
#define BINS 20
#define PANELS 3

static int shown(const lnt_sampled *s)
{
    return s->x.chains < MOST_CHAINS ? s->x.chains : MOST_CHAINS;
}

/* ---- Traces and ranks ---- */

/* What is shown: the log posterior, and the two of the judged with the least ESS. */
static void choose(int *choice, const lnt_sampled_diagnosis *d)
{
    choice[0] = d->count - 1;
    choice[1] = choice[2] = -1;
    for (int p = 1; p < PANELS; p++)
        for (int i = 0; i + 1 < d->count; i++) {
            double ess = d->judged[i].ess_bulk;
            if (i != choice[1] && isfinite(ess) && (choice[p] < 0 || ess < d->judged[choice[p]].ess_bulk))
                choice[p] = i;
        }
}

static double judged(const lnt_sampled *s, const lnt_sampled_points *p, int quantity, size_t draw)
{
    return quantity < p->count ? p->f.a[draw * (size_t)p->count + (size_t)quantity]
                               : lnt_sampled_draw(s, draw)[s->weights + quantity - p->count];
}

static lnt_status trace(lnt_ctx *ctx, lnt_panel *panel, const lnt_sampled *s, const lnt_sampled_points *p,
                        const char *name, int quantity)
{
    int chains = shown(s), n = s->x.draws, every = (n + MOST_POINTS - 1) / MOST_POINTS, m = (n + every - 1) / every;
    lnt_curve *curve = lnt_alloc(ctx, (size_t)chains, sizeof *curve);
    double *x = lnt_alloc(ctx, (size_t)m * (size_t)(chains + 1), sizeof *x);
    if (!curve || !x)
        return LNT_ENOMEM;
    for (int i = 0; i < m; i++)
        x[i] = (double)i * every + 1;
    for (int c = 0; c < chains; c++) {
        double *y = x + (size_t)(c + 1) * (size_t)m;
        for (int i = 0; i < m; i++)
            y[i] = judged(s, p, quantity, (size_t)c * (size_t)n + (size_t)i * (size_t)every);
        curve[c] = (lnt_curve){lnt_sprintf(ctx, "chain %d", c), LNT_CURVE_LINE, m, x, y, NULL};
    }
    *panel = (lnt_panel){.title = name, .xlabel = "draw", .ylabel = name, .curves = chains, .curve = curve};
    return LNT_OK;
}

typedef struct ranked {
    double value;
    int chain;
} ranked;

static int by_value(const void *a, const void *b)
{
    double x = ((const ranked *)a)->value, y = ((const ranked *)b)->value;
    return (x > y) - (x < y);
}

/* Histograms of the ranks of each chain's draws among all: flat where chains agree. */
static lnt_status ranks(lnt_ctx *ctx, lnt_panel *panel, const lnt_sampled *s, const lnt_sampled_points *p,
                        const char *name, int quantity)
{
    int chains = shown(s);
    size_t n = lnt_sampled_count(s);
    lnt_curve *curve = lnt_alloc(ctx, (size_t)chains + 1, sizeof *curve);
    ranked *r = lnt_alloc(ctx, n, sizeof *r);
    double *x = lnt_alloc_zero(ctx, (size_t)BINS * (size_t)(s->x.chains + 2), sizeof *x);
    if (!curve || !x || !r)
        return LNT_ENOMEM;
    for (size_t i = 0; i < n; i++)
        r[i] = (ranked){judged(s, p, quantity, i), (int)(i / (size_t)s->x.draws)};
    qsort(r, n, sizeof *r, by_value);
    for (size_t i = 0; i < n; i++)
        x[BINS * (r[i].chain + 2) + (int)(i * BINS / n)]++;
    for (int b = 0; b < BINS; b++) {
        x[b] = ((double)b + 0.5) * (double)n / BINS;
        x[BINS + b] = (double)s->x.draws / BINS;
    }
    for (int c = 0; c < chains; c++)
        curve[c] = (lnt_curve){lnt_sprintf(ctx, "chain %d", c), LNT_CURVE_STEPS, BINS, x, x + BINS * (c + 2), NULL};
    curve[chains] = (lnt_curve){"equal", LNT_CURVE_THEORY, BINS, x, x + BINS, NULL};
    *panel = (lnt_panel){.title = name, .xlabel = "rank", .ylabel = "draws", .curves = chains + 1, .curve = curve};
    return LNT_OK;
}

typedef lnt_status make_panel(lnt_ctx *ctx, lnt_panel *panel, const lnt_sampled *s, const lnt_sampled_points *p,
                              const char *name, int quantity);

static lnt_status row_of(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s, const lnt_sampled_points *p,
                         const lnt_sampled_diagnosis *d, make_panel *make, const char *name, const char *caption)
{
    lnt_panel panel[PANELS];
    int choice[PANELS], count = 0;
    lnt_status status = LNT_OK;
    choose(choice, d);
    for (int i = 0; i < PANELS && status == LNT_OK; i++)
        if (choice[i] >= 0)
            status = make(ctx, &panel[count++], s, p, d->name[choice[i]], choice[i]);
    lnt_figure figure = {.name = name, .caption = caption, .panels = count, .panel = panel};
    if (status == LNT_OK)
        lnt_record_figure(record, &figure);
    return status;
}

/* ---- Energies ---- */

static lnt_status energies(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s)
{
    lnt_chains E;
    lnt_status status = lnt_sampled_column(ctx, &E, s, s->dim + LNT_COLUMN_ENERGY);
    double *x = status == LNT_OK ? lnt_alloc_zero(ctx, (size_t)3 * 2 * BINS, sizeof *x) : NULL, least = 0, most = 0;
    if (!x)
        return LNT_ENOMEM;
    int bins = 2 * BINS, n = E.draws, all = E.chains * n;
    double *marginal = x + bins, *step = x + 2 * (size_t)bins, mean = 0;
    for (int i = 0; i < all; i++)
        mean += E.a[i] / all;
    for (int i = 0; i < all; i++) {
        double jump = i % n ? E.a[i] - E.a[i - 1] : 0;
        least = fmin(least, fmin(E.a[i] - mean, jump));
        most = fmax(most, fmax(E.a[i] - mean, jump));
    }
    double width = (most - least) / bins;
    for (int i = 0; i < all && width > 0; i++) {
        marginal[(int)fmin(bins - 1, (E.a[i] - mean - least) / width)] += 1 / (width * all);
        if (i % n)
            step[(int)fmin(bins - 1, (E.a[i] - E.a[i - 1] - least) / width)] += 1 / (width * (all - E.chains));
    }
    for (int b = 0; b < bins; b++)
        x[b] = least + (b + 0.5) * width;
    lnt_curve curve[2] = {{"energy - mean", LNT_CURVE_STEPS, bins, x, marginal, NULL},
                          {"change in a transition", LNT_CURVE_STEPS, bins, x, step, NULL}};
    lnt_panel panel = {.title = "energy", .xlabel = "energy", .ylabel = "density", .curves = 2, .curve = curve};
    lnt_figure figure = {.name = "energy",
                         .caption =
                             "Energies: where transitions are much narrower, the tails are reached slowly (E-BFMI)",
                         .panels = 1,
                         .panel = &panel};
    if (width > 0)
        lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- Pairs of weights ---- */

/* The three coordinates with the least ESS, or all. */
static int worst(int *choice, const lnt_sampled *s, const lnt_sampled_diagnosis *d)
{
    int count = 0;
    for (; count < PANELS && count < s->dim; count++) {
        choice[count] = -1;
        for (int i = 0; i < s->dim; i++) {
            bool used = false;
            for (int j = 0; j < count; j++)
                used = used || choice[j] == i;
            double ess = d->weight[i].ess_bulk;
            if (!used && isfinite(ess) && (choice[count] < 0 || ess < d->weight[choice[count]].ess_bulk))
                choice[count] = i;
        }
        if (choice[count] < 0)
            break;
    }
    return count;
}

static lnt_status pair(lnt_ctx *ctx, lnt_panel *panel, const lnt_sampled *s, int a, int b)
{
    size_t n = lnt_sampled_count(s), every = n / MOST_POINTS + 1;
    lnt_curve *curve = lnt_alloc(ctx, 2, sizeof *curve);
    double *x = lnt_alloc(ctx, 4 * n, sizeof *x), *y = x + n, *bad = x + 2 * n, *bad_y = x + 3 * n;
    int count = 0, divergences = 0;
    if (!curve || !x)
        return LNT_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const double *draw = lnt_sampled_draw(s, i);
        bool diverged = draw[s->dim + LNT_COLUMN_DIVERGENT] != 0;
        if (diverged) {
            bad[divergences] = draw[a];
            bad_y[divergences++] = draw[b];
        } else if (i % every == 0) {
            x[count] = draw[a];
            y[count++] = draw[b];
        }
    }
    curve[0] = (lnt_curve){"draws", LNT_CURVE_DOTS, count, x, y, NULL};
    curve[1] = (lnt_curve){"divergent", LNT_CURVE_MARKS, divergences, bad, bad_y, NULL};
    *panel = (lnt_panel){.title = "",
                         .xlabel = lnt_sampled_name(ctx, s, a),
                         .ylabel = lnt_sampled_name(ctx, s, b),
                         .curves = divergences ? 2 : 1,
                         .curve = curve};
    return panel->xlabel && panel->ylabel ? LNT_OK : LNT_ENOMEM;
}

static lnt_status pairs(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s, const lnt_sampled_diagnosis *d)
{
    lnt_panel panel[PANELS];
    int choice[PANELS], n = worst(choice, s, d), count = 0;
    lnt_status status = LNT_OK;
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n && status == LNT_OK; b++)
            status = pair(ctx, &panel[count++], s, choice[a], choice[b]);
    lnt_figure figure = {.name = "pairs",
                         .caption = "The coordinates that move least, in pairs; divergent transitions are marked",
                         .panels = count,
                         .panel = panel};
    if (status == LNT_OK && count)
        lnt_record_figure(record, &figure);
    return status;
}

lnt_status lnt_sampled_draw_figures(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s, const lnt_sampled_points *p,
                                    const lnt_sampled_diagnosis *d)
{
    lnt_status status = row_of(ctx, record, s, p, d, trace, "traces", "Traces: chains that have mixed look alike");
    if (status == LNT_OK)
        status = row_of(ctx, record, s, p, d, ranks, "ranks",
                        "Ranks of each chain's draws among all: flat where chains agree");
    if (status == LNT_OK)
        status = energies(ctx, record, s);
    return status == LNT_OK ? pairs(ctx, record, s, d) : status;
}
