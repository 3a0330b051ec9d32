/* What the arms of a layered example found: series, tables, figures. */
#include "layered.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const track_names[LNT_LAYERED_TRACKS] = {"loss_gen", "loss_train", "loss_validation"};
static const char *const measure_names[LNT_MEASURES] = {
    "loss_gen",     "loss_train",    "loss_validation", "rank",         "effective_rank", "nonzero_columns",
    "active_units", "nonzero_share", "norm_M",          "norm_V",       "norm_S",         "imbalance",
    "kkt",          "kkt_written",   "unit_imbalance",  "half_squares", "unit_norms",     "nuclear_norm",
    "l1_layers",    "l1_units",      "l1_merged"};

lnt_mean lnt_mean_of(const double *x, int n)
{
    lnt_mean m = {0, NAN};
    double squares = 0;
    for (int k = 0; k < n; k++)
        m.mean += x[k];
    m.mean /= n;
    for (int k = 0; k < n; k++)
        squares += (x[k] - m.mean) * (x[k] - m.mean);
    if (n > 1)
        m.se = sqrt(squares / (n - 1) / n);
    return m;
}

static bool has(const lnt_layered *l, lnt_layered_track track)
{
    return track != LNT_LOSS_VALIDATION || l->validation;
}

/* ---- Series ---- */

/* mean, sd <- over the runs at every point kept. */
static void average(double *mean, double *sd, double *x, const lnt_layered *l, int arm, lnt_layered_track track)
{
    for (int p = 0; p < l->points; p++) {
        for (int run = 0; run < l->runs; run++)
            x[run] = lnt_layered_at(l, run, arm, track)[p];
        lnt_mean m = lnt_mean_of(x, l->runs);
        mean[p] = m.mean;
        sd[p] = m.se * sqrt(l->runs);
    }
}

static lnt_status put_series(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l)
{
    size_t points = (size_t)l->points;
    double *mean = lnt_alloc(ctx, 2 * points + (size_t)l->runs, sizeof *mean);
    if (!mean)
        return LNT_ENOMEM;
    for (size_t p = 0; p < points; p++)
        mean[p] = l->epoch[p];
    lnt_record_series(record, "epoch", "", mean, l->points);
    for (int arm = 0; arm < l->arms; arm++)
        for (int t = 0; t < LNT_LAYERED_TRACKS; t++) {
            const char *path =
                           lnt_sprintf(ctx, "%s/%s%s", l->arm[arm].name, track_names[t], l->runs > 1 ? "/mean" : ""),
                       *spread = lnt_sprintf(ctx, "%s/%s/sd", l->arm[arm].name, track_names[t]);
            if (!path || !spread)
                return LNT_ENOMEM;
            if (!has(l, (lnt_layered_track)t))
                continue;
            average(mean, mean + points, mean + 2 * points, l, arm, (lnt_layered_track)t);
            lnt_record_series(record, path, "", mean, l->points);
            if (l->runs > 1)
                lnt_record_series(record, spread, "", mean + points, l->points);
        }
    return LNT_OK;
}

/* ---- Tables ---- */

static void put_rules(lnt_record *record, const lnt_layered *l)
{
    for (int arm = 0; arm < l->arms; arm++) {
        const lnt_arm *a = &l->arm[arm];
        lnt_table *table = lnt_record_table(record, "rules");
        lnt_table_row(table);
        lnt_table_set(table, "arm", "", lnt_string(a->name));
        lnt_table_set(table, "eta", "", lnt_number(a->eta));
        lnt_table_set(table, "momentum", "", lnt_number(a->beta));
        lnt_table_set(table, "weight_decay", "", lnt_number(a->decay));
        lnt_table_set(table, "l1", "", lnt_number(a->l1));
        lnt_table_set(table, "l2", "", lnt_number(a->l2));
        lnt_table_set(table, "naive", "", lnt_flag(a->naive));
        lnt_table_set(table, "effective_l1", "", lnt_number(lnt_arm_l1(a)));
        lnt_table_set(table, "effective_l2", "", lnt_number(lnt_arm_l2(a)));
        if (a->naive)
            lnt_record_warn(
                record,
                "arm %s, as published: the proximal map of a plain step after one with momentum %g solves for L1 "
                "and L2 penalties of %.4g and %.4g, not %.4g and %.4g; arm %s_correct solves for those",
                a->name, a->beta, lnt_arm_l1(a), lnt_arm_l2(a), a->l1, a->l2, a->name);
    }
}

static lnt_status put_arms(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l)
{
    double *x = lnt_alloc(ctx, (size_t)l->runs, sizeof *x);
    for (int arm = 0; arm < l->arms && x; arm++) {
        lnt_table *table = lnt_record_table(record, "arms");
        lnt_table_row(table);
        lnt_table_set(table, "arm", "", lnt_string(l->arm[arm].name));
        for (int k = 0; k < LNT_MEASURES; k++) {
            lnt_layered_values(x, l, arm, (lnt_measure)k);
            lnt_mean m = lnt_mean_of(x, l->runs);
            if (isnan(m.mean))
                continue;
            lnt_table_set(table, measure_names[k], "", lnt_number(m.mean));
            const char *name = lnt_sprintf(ctx, "%s_se", measure_names[k]);
            if (!name)
                return LNT_ENOMEM;
            if (k == LNT_END_GEN || k == LNT_END_VALIDATION || k == LNT_EFFECTIVE_RANK || k == LNT_ACTIVE)
                lnt_table_set(table, name, "", lnt_known(m.se));
        }
    }
    return x ? LNT_OK : LNT_ENOMEM;
}

static void put_runs(lnt_record *record, const lnt_layered *l)
{
    for (int arm = 0; arm < l->arms; arm++)
        for (int run = 0; run < l->runs; run++) {
            lnt_table *table = lnt_record_table(record, "runs");
            const double *value = lnt_layered_value(l, run, arm);
            lnt_table_row(table);
            lnt_table_set(table, "arm", "", lnt_string(l->arm[arm].name));
            lnt_table_set(table, "run", "", lnt_integer(run));
            for (int k = 0; k < LNT_MEASURES; k++)
                if (!isnan(value[k]))
                    lnt_table_set(table, measure_names[k], "", lnt_number(value[k]));
        }
}

/* All arms of a run have the same data and start: their differences scatter less than they do. */
static lnt_status put_pairs(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l)
{
    double *x = lnt_alloc(ctx, 2 * (size_t)l->runs, sizeof *x);
    if (!x)
        return LNT_ENOMEM;
    double *reference = x + l->runs;
    for (int t = 0; t < LNT_LAYERED_TRACKS; t++)
        for (int arm = 0; arm < l->arms; arm++) {
            if (arm == l->reference || !has(l, (lnt_layered_track)t) || t == LNT_LOSS_TRAIN)
                continue;
            lnt_layered_values(x, l, arm, (lnt_measure)t);
            lnt_layered_values(reference, l, l->reference, (lnt_measure)t);
            double ratio = lnt_mean_of(x, l->runs).mean / lnt_mean_of(reference, l->runs).mean;
            for (int run = 0; run < l->runs; run++)
                x[run] -= reference[run];
            lnt_mean m = lnt_mean_of(x, l->runs);
            lnt_table *table = lnt_record_table(record, "pairs");
            lnt_table_row(table);
            lnt_table_set(table, "measure", "", lnt_string(track_names[t]));
            lnt_table_set(table, "arm", "", lnt_string(l->arm[arm].name));
            lnt_table_set(table, "less", "", lnt_string(l->arm[l->reference].name));
            lnt_table_set(table, "difference", "", lnt_number(m.mean));
            lnt_table_set(table, "se", "", lnt_known(m.se));
            lnt_table_set(table, "sigmas", "", lnt_known(fabs(m.mean) / m.se));
            lnt_table_set(table, "ratio", "", lnt_known(ratio));
        }
    return LNT_OK;
}

lnt_status lnt_layered_report(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l)
{
    lnt_status status = put_series(ctx, record, l);
    put_rules(record, l);
    if (status == LNT_OK)
        status = put_arms(ctx, record, l);
    if (status == LNT_OK)
        status = put_pairs(ctx, record, l);
    put_runs(record, l);
    for (int arm = 0; arm < l->arms && status == LNT_OK; arm++) {
        const char *path = lnt_sprintf(ctx, "M/%s", l->arm[arm].name);
        status = path ? LNT_OK : LNT_ENOMEM;
        if (path && l->done[arm]) /* of the first run */
            lnt_record_matrix(record, path, "", &l->M[arm], 1);
    }
    return status;
}

/* ---- Figures ---- */

#define LEAST -8 /* decades */
#define MOST 1
#define BINS ((MOST - LEAST) * 5)

static lnt_status put_losses(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l, const lnt_curve *level, int levels)
{
    size_t points = (size_t)l->points;
    lnt_curve *curve = lnt_alloc(ctx, 2 * (size_t)l->arms + (size_t)levels, sizeof *curve);
    double *x = lnt_alloc(ctx, points + (size_t)l->runs, sizeof *x);
    if (!curve || !x)
        return LNT_ENOMEM;
    for (size_t p = 0; p < points; p++)
        x[p] = l->epoch[p];
    for (int k = 0; k < 2 * l->arms;
         k++) { /* generalisation, then training; the axis is logarithmic: from epoch 1 on */
        double *mean = lnt_alloc(ctx, 2 * points, sizeof *mean);
        if (!mean)
            return LNT_ENOMEM;
        average(mean, mean + points, x + points, l, k % l->arms, k < l->arms ? LNT_LOSS_GEN : LNT_LOSS_TRAIN);
        curve[k < l->arms ? k : k + levels] =
            (lnt_curve){l->arm[k % l->arms].label, LNT_CURVE_LINE, l->points - 1, x + 1, mean + 1, NULL};
    }
    for (int k = 0; k < levels; k++)
        curve[l->arms + k] = level[k];
    const lnt_panel panel[2] = {{.title = "",
                                 .xlabel = "epoch",
                                 .ylabel = "generalisation loss",
                                 .logx = true,
                                 .curves = l->arms + levels,
                                 .curve = curve},
                                {.title = "",
                                 .xlabel = "epoch",
                                 .ylabel = "training loss",
                                 .logx = true,
                                 .logy = true,
                                 .curves = l->arms,
                                 .curve = curve + l->arms + levels}};
    const lnt_figure figure = {"losses", "Losses of two layers under several penalties, mean over the runs.", 2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* Shares of the weights by their decade; those below the least one, zeros among them, in the first bin. */
static void count_decades(double *share, lnt_mat M)
{
    double one = 1 / ((double)M.rows * M.cols);
    memset(share, 0, BINS * sizeof *share);
    for (int j = 0; j < M.cols; j++)
        for (int i = 0; i < M.rows; i++) {
            double at = (log10(fabs(*lnt_at(M, i, j)) + 1e-300) - LEAST) * 5;
            share[at < 0 ? 0 : at >= BINS ? BINS - 1 : (int)at] += one;
        }
}

static lnt_status put_histograms(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l)
{
    lnt_curve *curve = lnt_alloc(ctx, (size_t)l->arms, sizeof *curve);
    double *x = lnt_alloc(ctx, BINS, sizeof *x);
    if (!curve || !x)
        return LNT_ENOMEM;
    for (int k = 0; k < BINS; k++)
        x[k] = LEAST + (k + .5) / 5;
    lnt_record_vector(record, "histogram/decade", "", x, BINS);
    for (int arm = 0; arm < l->arms; arm++) {
        double *share = lnt_alloc(ctx, 2 * (size_t)BINS, sizeof *share), *drawn = share ? share + BINS : NULL;
        const char *path = lnt_sprintf(ctx, "histogram/%s", l->arm[arm].name);
        if (!share || !path)
            return LNT_ENOMEM;
        count_decades(share, l->M[arm]);
        lnt_record_vector(record, path, "", share, BINS);
        for (int k = 0; k < BINS; k++)
            drawn[k] = share[k] > 0 ? share[k] : (double)NAN;
        curve[arm] = (lnt_curve){l->arm[arm].label, LNT_CURVE_STEPS, BINS, x, drawn, NULL};
    }
    const lnt_panel panel = {.title = "",
                             .xlabel = "log10 |weight| of the first layer; what is smaller, and 0, on the left",
                             .ylabel = "share of the weights",
                             .logy = true,
                             .curves = l->arms,
                             .curve = curve};
    const lnt_figure figure = {"weights", "Sizes of the weights of the first layer at the end, in one run.", 1, &panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

#define SHOWN 60

typedef struct column {
    int index;
    double norm;
} column;

static int by_norm(const void *x, const void *y)
{
    const column *a = x, *b = y;
    return a->norm != b->norm ? (a->norm < b->norm) - (a->norm > b->norm) : a->index - b->index;
}

/* The first inputs and the largest units of M, these in descending order. */
static lnt_status make_image(lnt_ctx *ctx, lnt_image *image, lnt_mat M)
{
    int rows = M.rows < SHOWN ? M.rows : SHOWN, cols = M.cols < SHOWN ? M.cols : SHOWN;
    column *order = lnt_alloc(ctx, (size_t)M.cols, sizeof *order);
    *image = (lnt_image){.label = "weight"};
    if (!order)
        return LNT_ENOMEM;
    for (int j = 0; j < M.cols; j++)
        order[j] = (column){j, lnt_mat_norm(lnt_columns(M, j, 1))};
    qsort(order, (size_t)M.cols, sizeof *order, by_norm);
    lnt_status status = lnt_mat_alloc(ctx, &image->entries, rows, cols);
    for (int j = 0; j < cols && status == LNT_OK; j++)
        lnt_mat_copy(lnt_columns(image->entries, j, 1), lnt_block(M, 0, order[j].index, rows, 1));
    return status;
}

static lnt_status put_layers(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l)
{
    lnt_panel *panel = lnt_alloc_zero(ctx, (size_t)l->arms, sizeof *panel);
    lnt_image *image = lnt_alloc(ctx, (size_t)l->arms, sizeof *image);
    if (!panel || !image)
        return LNT_ENOMEM;
    for (int arm = 0; arm < l->arms; arm++) {
        lnt_status status = make_image(ctx, &image[arm], l->M[arm]);
        if (status != LNT_OK)
            return status;
        panel[arm].title = l->arm[arm].label;
        panel[arm].xlabel = "unit, the largest first";
        panel[arm].ylabel = "input";
        panel[arm].image = &image[arm];
    }
    const lnt_figure figure = {"layers", "First layers at the end, in one run: the first inputs of the largest units.",
                               l->arms, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_layered_figures(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l, const lnt_curve *level,
                               int levels)
{
    lnt_status status = l->points > 1 ? put_losses(ctx, record, l, level, levels) : LNT_OK;
    for (int arm = 0; arm < l->arms; arm++)
        if (!l->done[arm]) /* the weights kept are those of the first run */
            return status;
    if (status == LNT_OK)
        status = put_histograms(ctx, record, l);
    return status == LNT_OK ? put_layers(ctx, record, l) : status;
}
