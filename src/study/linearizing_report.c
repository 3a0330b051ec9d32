/* The record of the study of linearised training. */
#include "linearizing.h"

#include "weights.h"

#include <math.h>

static const char *const parts[LNT_PARTS] = {"train", "test"};

static bool has(const lnt_linearizing *l, int part)
{
    return l->n[part] > 0;
}

static const lnt_linearizing_run *last_width(const lnt_linearizing *l)
{
    return lnt_linearizing_at(l, 0, l->opts->widths.count - 1);
}

/* ---- Widths ---- */

static void put_widths(lnt_record *record, const lnt_linearizing *l)
{
    lnt_table *table = lnt_record_table(record, "widths");
    int width[LNT_MOST_WIDTHS];
    for (int j = 0; j < l->opts->widths.count; j++)
        for (int i = 0; i < l->reported; i++) {
            lnt_layers net = lnt_linearizing_net(l, j, width);
            double sd, top = 0;
            for (int r = 0; r < l->runs; r++)
                top += lnt_linearizing_at(l, r, j)->top / l->runs;
            lnt_table_row(table);
            lnt_table_set(table, "width", "", lnt_integer(l->opts->widths.item[j]));
            lnt_table_set(table, "time", "", lnt_number(l->time[i]));
            for (int part = 0; part < LNT_PARTS; part++) {
                if (!has(l, part))
                    continue;
                double mean = lnt_linearizing_mean(l, j, LNT_CURVE_DEVIATION + part, l->at[i], &sd);
                lnt_table_set(table, parts[part], "", lnt_known(mean));
                lnt_table_set(table, part ? "test_error" : "train_error", "", lnt_known(sd / sqrt(l->runs)));
            }
            lnt_table_set(table, "kernel_change", "",
                          lnt_known(lnt_linearizing_mean(l, j, LNT_CURVE_KERNEL, l->at[i], NULL)));
            lnt_table_set(table, "weights_change", "",
                          lnt_known(lnt_linearizing_mean(l, j, LNT_CURVE_MOVED, l->at[i], NULL)));
            lnt_table_set(table, "weights", "", lnt_integer((long)lnt_layers_size(&net)));
            lnt_table_set(table, "lam_max", "", lnt_number(top));
            lnt_table_set(table, "runs", "", lnt_integer(l->runs));
        }
}

lnt_status lnt_linearizing_law(lnt_ctx *ctx, lnt_width_law *law, const lnt_linearizing *l, int part, int i)
{
    int widths = l->opts->widths.count;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat deviation;
    bool positive = true;
    double *width = lnt_alloc(ctx, (size_t)widths, sizeof *width);
    lnt_status status = width ? lnt_mat_alloc(ctx, &deviation, l->runs, widths) : LNT_ENOMEM;
    *law = (lnt_width_law){NAN, NAN, NAN};
    for (int j = 0; j < widths && status == LNT_OK; j++) {
        width[j] = l->opts->widths.item[j];
        for (int r = 0; r < l->runs; r++) {
            *lnt_at(deviation, r, j) = lnt_linearizing_at(l, r, j)->curve[LNT_CURVE_DEVIATION + part][l->at[i]];
            positive = positive && *lnt_at(deviation, r, j) > 0;
        }
    }
    if (status == LNT_OK && widths > 1 && positive && has(l, part))
        status = lnt_width_law_fit(ctx, law, width, deviation);
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status put_laws(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l)
{
    lnt_table *table = lnt_record_table(record, "laws");
    lnt_status status = LNT_OK;
    for (int part = 0; part < LNT_PARTS; part++)
        for (int i = 0; i < l->reported && has(l, part); i++) {
            lnt_width_law law;
            if ((status = lnt_linearizing_law(ctx, &law, l, part, i)) != LNT_OK)
                return status;
            lnt_table_row(table);
            lnt_table_set(table, "rows", "", lnt_string(parts[part]));
            lnt_table_set(table, "time", "", lnt_number(l->time[i]));
            lnt_table_set(table, "exponent", "", lnt_known(law.exponent));
            lnt_table_set(table, "exponent_error", "", lnt_known(law.error));
            lnt_table_set(table, "constant", "", lnt_known(law.constant));
            if (i == l->reported - 1 && (part == LNT_TEST || !has(l, LNT_TEST))) {
                lnt_record_fact(record, "law", "rows", "", lnt_string(parts[part]));
                lnt_record_fact(record, "law", "time", "", lnt_number(l->time[i]));
                lnt_record_fact(record, "law", "exponent", "", lnt_known(law.exponent));
                lnt_record_fact(record, "law", "exponent_error", "", lnt_known(law.error));
            }
        }
    return status;
}

/* ---- Modes ---- */

static void put_modes(lnt_record *record, const lnt_linearizing *l)
{
    lnt_table *table = lnt_record_table(record, "modes");
    int n = l->n[LNT_TRAIN], shown = l->opts->modes < n ? l->opts->modes : n;
    bool squares = l->opts->likelihood == LNT_GAUSSIAN;
    for (int j = 0; j < l->opts->widths.count; j++) {
        const lnt_linearizing_run *run = lnt_linearizing_at(l, 0, j);
        lnt_smooth_rule rule = lnt_linearizing_rule_of(l, run);
        double end = l->time[l->reported - 1] * (rule.eta > 0 ? 1 : run->eta), all = 0;
        for (int i = 0; i < n; i++)
            all += run->c[i] * run->c[i];
        for (int k = 0; k < shown; k++) {
            double lam = run->lam[n - 1 - k], c = run->c[n - 1 - k], share = 1 - exp(-1);
            lnt_response at = lnt_response_at(&rule, lam, end);
            double time = lnt_learning_time(&rule, lam, share) / (rule.eta > 0 ? 1 : run->eta);
            lnt_table_row(table);
            lnt_table_set(table, "width", "", lnt_integer(l->opts->widths.item[j]));
            lnt_table_set(table, "mode", "", lnt_integer(k + 1));
            lnt_table_set(table, "lam", "", lnt_number(lam));
            lnt_table_set(table, "c", "", lnt_number(fabs(c)));
            lnt_table_set(table, "share", "", lnt_known(c * c / all));
            lnt_table_set(table, "time", "", squares ? lnt_known(time) : (lnt_value){0});
            lnt_table_set(table, "left", "", squares ? lnt_known(at.p + rule.lambda * at.g) : (lnt_value){0});
        }
    }
}

/* ---- Curves ---- */

static lnt_status put_curve(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l, int j, const char *name,
                            int curve)
{
    double *mean = lnt_alloc(ctx, 2 * (size_t)l->count, sizeof *mean);
    const char *path = lnt_sprintf(ctx, "width_%d/%s", l->opts->widths.item[j], name);
    bool deviation = curve >= LNT_CURVE_DEVIATION;
    if (!mean || !path)
        return LNT_ENOMEM;
    double *sd = mean + l->count;
    for (int k = 0; k < l->count; k++)
        mean[k] = lnt_linearizing_mean(l, j, curve, k, &sd[k]);
    const char *names[] = {deviation ? path : lnt_sprintf(ctx, "%s/mean", path), lnt_sprintf(ctx, "%s/sd", path),
                           lnt_sprintf(ctx, "%s/theory", path)};
    if (!names[0] || !names[1] || !names[2])
        return LNT_ENOMEM;
    lnt_record_series(record, names[0], "", mean, l->count);
    if (deviation)
        return LNT_OK;
    if (l->runs > 1)
        lnt_record_series(record, names[1], "", sd, l->count);
    for (int k = 0; k < l->count; k++)
        mean[k] = lnt_linearizing_mean(l, j, curve + LNT_LINEARISED, k, NULL);
    lnt_record_series(record, names[2], "", mean, l->count);
    return LNT_OK;
}

static lnt_status put_outputs(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l, int j)
{
    const lnt_linearizing_run *run = lnt_linearizing_at(l, 0, j);
    static const char *const sides[LNT_SIDES] = {"real", "theory"};
    int n = l->n[has(l, LNT_TEST) ? LNT_TEST : LNT_TRAIN];
    for (int i = 0; i < LNT_SHOWN && i < n; i++)
        for (int s = 0; s < LNT_SIDES; s++) {
            const char *path = lnt_sprintf(ctx, "width_%d/output_%d/%s", l->opts->widths.item[j], i, sides[s]);
            if (!path)
                return LNT_ENOMEM;
            lnt_record_series(record, path, "", run->shown[s] + (size_t)i * (size_t)l->count, l->count);
        }
    return LNT_OK;
}

static lnt_status put_series(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l)
{
    lnt_status status = LNT_OK;
    lnt_record_series(record, "t", "", l->t, l->count);
    for (int j = 0; j < l->opts->widths.count && status == LNT_OK; j++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        for (int part = 0; part < LNT_PARTS && status == LNT_OK; part++) {
            if (!has(l, part))
                continue;
            status = put_curve(ctx, record, l, j, part ? "test_loss" : "loss", LNT_CURVE_LOSS + part * LNT_SIDES);
            if (status == LNT_OK)
                status = put_curve(ctx, record, l, j, part ? "deviation/test" : "deviation/train",
                                   LNT_CURVE_DEVIATION + part);
        }
        if (status == LNT_OK)
            status = put_outputs(ctx, record, l, j);
        const char *path = lnt_sprintf(ctx, "spectrum/width_%d", l->opts->widths.item[j]);
        if (!path)
            return LNT_ENOMEM;
        lnt_record_vector(record, path, "", lnt_linearizing_at(l, 0, j)->lam, l->n[LNT_TRAIN]);
        lnt_ctx_reset(ctx, mark);
    }
    return status;
}

/* ---- Deviations, assumptions, facts ---- */

static lnt_status put_deviations(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l)
{
    for (int part = LNT_PARTS - 1; part >= 0; part--)
        for (int i = 0; i < l->reported && has(l, part); i++)
            for (int j = 0; j < l->opts->widths.count; j++) {
                const char *name = lnt_sprintf(ctx, "outputs at %s rows, width %d, t = %g", part ? "test" : "training",
                                               l->opts->widths.item[j], l->time[i]);
                int size = LNT_CURVE_SIZE + part * LNT_SIDES;
                if (!name)
                    return LNT_ENOMEM;
                lnt_record_deviation(record, name, lnt_linearizing_mean(l, j, size, l->at[i], NULL),
                                     lnt_linearizing_mean(l, j, size + LNT_LINEARISED, l->at[i], NULL),
                                     lnt_linearizing_mean(l, j, LNT_CURVE_DEVIATION + part, l->at[i], NULL), NAN);
            }
    return LNT_OK;
}

static void put_assumptions(lnt_record *record, const lnt_linearizing *l)
{
    const lnt_linearizing_opts *o = l->opts;
    int last = o->widths.count - 1, end = l->at[l->reported - 1], width[LNT_MOST_WIDTHS];
    double closest = 0, fewest = INFINITY;
    for (int j = 0; j <= last; j++) {
        lnt_layers net = lnt_linearizing_net(l, j, width);
        fewest = fmin(fewest, (double)lnt_layers_size(&net));
        for (int r = 0; r < l->runs; r++) {
            const lnt_linearizing_run *run = lnt_linearizing_at(l, r, j);
            double stable = lnt_stable_step(l->curvature * run->top, o->momentum, o->pull);
            closest = fmax(closest, run->eta / stable);
        }
    }
    lnt_record_assumption(
        record, "kernel stays where it was, last width", lnt_linearizing_mean(l, last, LNT_CURVE_KERNEL, end, NULL),
        0.1, "the network is not the linear model that it was at its start: believe the deviations, or make it wider");
    if (o->rule == LNT_LINEARIZING_DESCENT)
        lnt_record_assumption(record, "step over the largest stable one", closest, 1,
                              "descent on the linearised network blows up: a smaller --eta");
    lnt_record_assumption(record, "outputs over weights, narrowest network", l->n[LNT_TRAIN] / fewest, 1,
                          "the kernel is singular: the linearised network cannot fit all data");
    lnt_record_assumption(record, "gigabytes of kernels for each run at work", l->megabytes / 1024, o->memory,
                          "the kernels do not fit into memory");
}

static void put_kernel(lnt_record *record, const lnt_linearizing *l)
{
    const lnt_linearizing_run *run = last_width(l);
    int n = l->n[LNT_TRAIN], rank = 0;
    double trace = 0;
    for (int i = 0; i < n; i++) {
        trace += run->lam[i];
        rank += run->lam[i] > 0;
    }
    lnt_record_fact(record, "ntk", "outputs", "", lnt_integer(n));
    lnt_record_fact(record, "ntk", "width", "", lnt_integer(l->opts->widths.item[l->opts->widths.count - 1]));
    lnt_record_fact(record, "ntk", "lam_max", "", lnt_number(run->top));
    lnt_record_fact(record, "ntk", "lam_min", "", lnt_number(run->lam[0]));
    lnt_record_fact(record, "ntk", "rank", "", lnt_integer(rank));
    lnt_record_fact(record, "ntk", "trace", "", lnt_number(trace));
    lnt_record_fact(record, "ntk", "step", "", lnt_number(run->eta));
    lnt_record_fact(record, "ntk", "megabytes", "MB", lnt_number(8. * n * n / 1048576));
    lnt_record_fact(record, "ntk", "megabytes_for_each_run", "MB", lnt_number(l->megabytes));
    if (l->keeps_kernel)
        lnt_record_matrix(record, "kernel", "", &run->Theta, 1);
}

static void put_facts(lnt_record *record, const lnt_linearizing *l)
{
    static const char *const losses[] = {"1/2 sum of squares", "-log probability of 0 and 1",
                                         "-log probability of classes"};
    const lnt_linearizing_opts *o = l->opts;
    lnt_record_fact(record, "network", "inputs", "", lnt_integer(l->X[LNT_TRAIN].rows));
    lnt_record_fact(record, "network", "outputs", "", lnt_integer(l->outputs));
    lnt_record_fact(record, "network", "hidden_layers", "", lnt_integer(o->depth));
    lnt_record_fact(record, "network", "activation", "", lnt_string(lnt_activation_names[o->activation]));
    lnt_record_fact(record, "training", "rows", "", lnt_integer(l->X[LNT_TRAIN].cols));
    lnt_record_fact(record, "training", "test_rows", "", lnt_integer(l->X[LNT_TEST].cols));
    lnt_record_fact(record, "training", "loss", "", lnt_string(losses[o->likelihood]));
    lnt_record_fact(record, "training", "rule", "", lnt_string(o->rule ? "descent" : "gradient flow"));
    lnt_record_fact(record, "training", "runs", "", lnt_integer(l->runs));
    if (l->interrupted) {
        lnt_record_set_interrupted(record);
        lnt_record_warn(record, "interrupted: %d of %d runs were finished", l->runs, o->runs);
    }
    if (l->megabytes > 1024)
        lnt_record_warn(record, "the kernel of %d outputs: %.1f GB for each run at work, and n^3 operations",
                        l->n[LNT_TRAIN], l->megabytes / 1024);
    for (int k = 0; k < l->runs * o->widths.count; k++)
        if (l->run[k].stopped) {
            lnt_record_warn(record, "the flow of a linearised network ended early: its curves end there");
            break;
        }
}

lnt_status lnt_linearizing_report(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l)
{
    lnt_setup_report(record, &l->setup, &l->opts->task);
    put_facts(record, l);
    put_kernel(record, l);
    put_widths(record, l);
    lnt_status status = put_laws(ctx, record, l);
    put_modes(record, l);
    if (status == LNT_OK)
        status = put_series(ctx, record, l);
    if (status == LNT_OK)
        status = put_deviations(ctx, record, l);
    put_assumptions(record, l);
    return status == LNT_OK ? lnt_linearizing_figures(ctx, record, l) : status;
}
