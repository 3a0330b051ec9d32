#include "train.h"

#include <math.h>

static const char *const track_names[LNT_TRACKS] = {"loss", "accuracy", "test_loss", "test_accuracy"};

/* ---- Series: mean and standard deviation over the runs ---- */

typedef struct curve {
    double *mean, *sd, *low, *high;
    int rows;
} curve;

/* Values of a run are `stride` apart from those of the next; the first `rows` of each are used. */
static lnt_status make_curve(lnt_ctx *ctx, curve *c, const double *values, int runs, int rows, int stride)
{
    double *all = lnt_alloc(ctx, 4 * (size_t)rows, sizeof *all);
    if (!all)
        return LNT_ENOMEM;
    *c = (curve){all, all + rows, all + 2 * rows, all + 3 * rows, rows};
    for (int i = 0; i < rows; i++) {
        double sum = 0, squares = 0;
        for (int k = 0; k < runs; k++)
            sum += values[i + (size_t)k * (size_t)stride];
        c->mean[i] = sum / runs;
        for (int k = 0; k < runs; k++) {
            double d = values[i + (size_t)k * (size_t)stride] - c->mean[i];
            squares += d * d;
        }
        c->sd[i] = runs > 1 ? sqrt(squares / (runs - 1)) : 0;
        c->low[i] = c->mean[i] - c->sd[i];
        c->high[i] = c->mean[i] + c->sd[i];
    }
    return LNT_OK;
}

static lnt_status put_curve(lnt_ctx *ctx, lnt_record *record, const char *name, const char *unit, const curve *c,
                            int runs)
{
    if (runs == 1) {
        lnt_record_series(record, name, unit, c->mean, c->rows);
        return LNT_OK;
    }
    const char *mean = lnt_sprintf(ctx, "%s/mean", name), *sd = lnt_sprintf(ctx, "%s/sd", name);
    if (!mean || !sd)
        return LNT_ENOMEM;
    lnt_record_series(record, mean, unit, c->mean, c->rows);
    lnt_record_series(record, sd, unit, c->sd, c->rows);
    return LNT_OK;
}

/* ---- Facts, advice, arrays ---- */

/* What the common rule solves instead of what was asked for. */
static void put_naive_rule(lnt_record *record, const lnt_train_opts *o)
{
    if (o->naive_l1 && o->l1 == 0)
        lnt_record_warn(record, "--naive-l1 does nothing without --l1");
    if (!o->naive_l1 || o->l1 == 0)
        return;
    if (o->optimizer == LNT_ADAM) {
        lnt_record_warn(record, "--naive-l1 with Adam: the fixed point is not that of any L1 penalty");
        return;
    }
    lnt_record_fact(record, "training", "effective_l1", "", lnt_number(o->l1 * (1 - o->momentum)));
    if (o->momentum > 0)
        lnt_record_warn(record, "--naive-l1 with momentum %g: the penalty that is solved for is %.4g, not %.4g",
                        o->momentum, o->l1 * (1 - o->momentum), o->l1);
}

/* Mistakes that leave a run formally right: class labels as numbers, and a mean that a network without bias cannot fit.
 */
static void put_target_advice(lnt_record *record, const training *t)
{
    const lnt_samples *y = &t->setup.task.data.targets;
    double mean = 0, square = 0, largest = 0;
    bool whole = true;
    if (!y->f64 || y->dim != 1)
        return;
    for (int i = 0; i < y->n; i++) {
        mean += y->f64[i] / y->n;
        square += y->f64[i] * y->f64[i] / y->n;
        largest = fmax(largest, y->f64[i]);
        whole = whole && y->f64[i] >= 0 && y->f64[i] == floor(y->f64[i]);
    }
    if (whole && largest >= 1 && largest < 100 && largest < y->n / 2.0)
        lnt_record_warn(record, "the targets are whole numbers from 0 to %.0f: if they are classes, use --one-hot",
                        largest);
    else if (t->setup.task.prep.kind != LNT_PREP_NONE && mean * mean > 0.1 * square)
        lnt_record_warn(record,
                        "the targets have mean %.4g, which centred inputs cannot explain without a bias: subtract it",
                        mean);
}

static void put_start_advice(lnt_record *record, const training *t)
{
    const char *file = t->opts->weights_in;
    if (!t->given.runs && t->init.kind == LNT_INIT_GAUSSIAN && t->init.value[0] == 0 && t->net.depth > 1)
        lnt_record_warn(record,
                        "all weights start at 0, a saddle point that gradient descent does not leave: use a small "
                        "gaussian:SD instead");
    if (t->given.has_activation && t->given.net.activation != t->net.activation)
        lnt_record_warn(record, "the weights in %s are those of a network with --activation %s", file,
                        lnt_activation_names[t->given.net.activation]);
    if (t->given.runs == 1 && t->opts->seeds > 1)
        lnt_record_warn(record,
                        "all %d runs start from the same weights, those in %s: they differ in the order of rows",
                        t->opts->seeds, file);
}

static void put_training(lnt_ctx *ctx, lnt_record *record, const training *t, double start,
                         const lnt_final final[LNT_TRACKS], const lnt_optimum *all)
{
    const char *spread;
    bool classes = t->setup.task.data.classes > 0, adam = t->opts->optimizer == LNT_ADAM;
    lnt_record_fact(record, "network", "activation", "", lnt_string(lnt_activation_names[t->net.activation]));
    lnt_record_fact(record, "training", "eta", "", lnt_number(t->eta));
    lnt_record_fact(record, "training", "steps", "", lnt_integer(t->info[0].steps));
    if (!adam)
        lnt_record_fact(record, "training", "t", "tau",
                        lnt_number(t->eta / (1 - t->opts->momentum) * (double)t->info[0].steps));
    if (t->fitted_rows)
        lnt_record_fact(record, "training", "rows", "", lnt_integer(t->fitted_rows));
    if (!isnan(t->stable_lr))
        lnt_record_fact(record, "training", "largest_stable_lr", "", lnt_number(t->stable_lr));
    for (int k = 0; k < LNT_TRACKS; k++) {
        if ((k % 2 == 1 && !classes) || (k >= LNT_TRACK_TEST_LOSS && t->setup.test.n == 0))
            continue;
        lnt_record_fact(record, "final", track_names[k], "", lnt_number(final[k].mean));
        if (t->runs > 1 && (spread = lnt_sprintf(ctx, "%s_sd", track_names[k])) != NULL)
            lnt_record_fact(record, "final", spread, "", lnt_number(final[k].se * sqrt(t->runs)));
        if (k == LNT_TRACK_LOSS)
            lnt_record_fact(record, "final", "excess", "", lnt_number(final[k].mean - all->all.loss));
    }
    put_start_advice(record, t);
    put_naive_rule(record, t->opts);
    put_target_advice(record, t);
    if (final[LNT_TRACK_LOSS].mean > start)
        lnt_record_warn(record, "the loss rose from %.4g to %.4g: lower --lr", start, final[LNT_TRACK_LOSS].mean);
}

/* A run that left its best loss again did not converge: its steps are too large, whatever the bound says. */
static void put_unsteady(lnt_record *record, const training *t, const curve *loss)
{
    double least = loss->mean[0], last = loss->mean[loss->rows - 1];
    for (int i = 0; i < loss->rows; i++)
        least = fmin(least, loss->mean[i]);
    if (last - least > 0.05 * (loss->mean[0] - least) && last > 1.01 * least && last <= loss->mean[0])
        lnt_record_warn(record, "the loss ends at %.4g after it had been %.4g: the steps are too large to settle%s",
                        last, least,
                        t->opts->optimizer == LNT_GD ? "" : ", the noise of minibatches counts too; lower --lr");
}

static lnt_status put_weights(lnt_ctx *ctx, lnt_record *record, const training *t)
{
    int runs = t->runs;
    lnt_mat *W = lnt_alloc(ctx, (size_t)runs, sizeof *W);
    if (!W)
        return LNT_ENOMEM;
    for (int l = 1; l <= t->net.depth; l++) {
        const char *path = lnt_sprintf(ctx, "weights/%d", l);
        if (!path)
            return LNT_ENOMEM;
        for (int k = 0; k < runs; k++)
            W[k] = lnt_net_weights(&t->net, t->w[k], l);
        lnt_record_matrix(record, path, "", W, runs);
    }
    return LNT_OK;
}

/* ---- Figure ---- */

#define MOST_CURVES 6

/* The curves of one panel: a track, the same over held-out rows where there are any, and the optima. */
typedef struct panel_curves {
    int n;
    lnt_curve curve[MOST_CURVES];
} panel_curves;

static void add_curve(panel_curves *p, const char *label, lnt_curve_style style, const double *epoch, const curve *c)
{
    const double *y = style == LNT_CURVE_BAND ? c->low : c->mean;
    p->curve[p->n++] = (lnt_curve){label, style, c->rows, epoch, y, style == LNT_CURVE_BAND ? c->high : NULL};
}

/* A constant as a curve, for the dashed lines of theory. */
static lnt_status add_level(lnt_ctx *ctx, panel_curves *p, const char *label, const double *epoch, int rows,
                            double value)
{
    double *all = lnt_alloc(ctx, (size_t)rows, sizeof *all);
    if (!all)
        return LNT_ENOMEM;
    if (!(value > 0)) /* not on a logarithmic axis */
        return LNT_OK;
    for (int i = 0; i < rows; i++)
        all[i] = value;
    p->curve[p->n++] = (lnt_curve){label, LNT_CURVE_THEORY, rows, epoch, all, NULL};
    return LNT_OK;
}

static lnt_status fill_panel(lnt_ctx *ctx, panel_curves *p, const training *t, const double *epoch,
                             const curve c[LNT_TRACKS], lnt_track track, const double level[3])
{
    int rows = c[track].rows;
    bool many = t->runs > 1, held = t->setup.test.n > 0, subset = t->fitted_rows < t->setup.task.n;
    if (many)
        add_curve(p, "", LNT_CURVE_BAND, epoch, &c[track]);
    add_curve(p, many ? "run (mean, band 1 sd)" : "run", LNT_CURVE_POINTS, epoch, &c[track]);
    if (held)
        add_curve(p, "rows held out", LNT_CURVE_LINE, epoch, &c[track + LNT_TRACK_TEST_LOSS]);
    lnt_status status = add_level(ctx, p, "optimum of all rows", epoch, rows, level[0]);
    if (status == LNT_OK && subset)
        status = add_level(ctx, p, "optimum of the rows trained on", epoch, rows, level[1]);
    if (status == LNT_OK && held)
        status = add_level(ctx, p, "optimum of all rows, rows held out", epoch, rows, level[2]);
    return status;
}

static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const training *t, const double *epoch,
                             const curve c[LNT_TRACKS], const lnt_optimum *all, const lnt_optimum *fitted)
{
    static const char *const losses[] = {"loss, 1/2 mean over rows of squared error",
                                         "loss, mean over rows of squared error",
                                         "loss, mean over rows and outputs of squared error"};
    panel_curves p[2] = {{0}, {0}};
    bool classes = lnt_training_tracks(t, LNT_TRACK_ACCURACY);
    lnt_status status = fill_panel(ctx, &p[0], t, epoch, c, LNT_TRACK_LOSS,
                                   (double[]){all->all.loss, fitted->all.loss, all->test.loss});
    if (status == LNT_OK && classes)
        status = fill_panel(ctx, &p[1], t, epoch, c, LNT_TRACK_ACCURACY,
                            (double[]){all->all.accuracy, fitted->all.accuracy, all->test.accuracy});
    if (status != LNT_OK)
        return status;
    lnt_panel panel[] = {
        {.title = "", .xlabel = "epoch", .ylabel = losses[t->opts->loss], .curves = p[0].n, .curve = p[0].curve},
        {.title = "", .xlabel = "epoch", .ylabel = "accuracy, share of rows", .curves = p[1].n, .curve = p[1].curve}};
    panel[0].logy = c[LNT_TRACK_LOSS].mean[c[LNT_TRACK_LOSS].rows - 1] > 0;
    lnt_figure figure = {"training",
                         classes ? "Loss and accuracy over all rows during training, with the least-squares optimum."
                                 : "Loss over all rows during training, with the least-squares optimum.",
                         classes ? 2 : 1, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- The whole record ---- */

/* The epochs that all runs kept have finished. */
static int finished_epochs(lnt_record *record, const training *t)
{
    int rows = t->opts->epochs;
    for (int k = 0; k < t->runs; k++)
        rows = t->info[k].epochs < rows ? t->info[k].epochs : rows;
    if (t->interrupted) {
        lnt_record_set_interrupted(record);
        lnt_record_warn(record,
                        "interrupted: kept are %d of %d runs with %d of %d epochs; weights and final scores are those "
                        "of each run's last finished epoch",
                        t->runs, t->opts->seeds, rows, t->opts->epochs);
    }
    return rows;
}

/* Scores at the end of each run, which after an interruption is not the same epoch for all. */
static lnt_status final_scores(lnt_ctx *ctx, const training *t, lnt_final final[LNT_TRACKS])
{
    double *last = lnt_alloc(ctx, (size_t)t->runs, sizeof *last);
    lnt_status status = last ? LNT_OK : LNT_ENOMEM;
    for (int track = 0; track < LNT_TRACKS && status == LNT_OK; track++) {
        curve c;
        for (int k = 0; k < t->runs; k++)
            last[k] = t->track[track][(size_t)k * ((size_t)t->opts->epochs + 1) + (size_t)t->info[k].epochs];
        status = make_curve(ctx, &c, last, t->runs, 1, 1);
        if (status == LNT_OK)
            final[track] = (lnt_final){c.mean[0], t->runs > 1 ? c.sd[0] / sqrt(t->runs) : (double)NAN};
    }
    return status;
}

static lnt_status put_epochs(lnt_ctx *ctx, lnt_record *record, const training *t, int rows, double **epoch)
{
    *epoch = lnt_alloc(ctx, (size_t)rows, sizeof **epoch);
    double *time = lnt_alloc(ctx, (size_t)rows, sizeof *time);
    if (!*epoch || !time)
        return LNT_ENOMEM;
    double per_epoch = t->info[0].epochs > 0 ? (double)t->info[0].steps / t->info[0].epochs : 0;
    for (int i = 0; i < rows; i++) {
        (*epoch)[i] = i;
        time[i] = t->eta / (1 - t->opts->momentum) * per_epoch * i;
    }
    lnt_record_series(record, "epoch", "", *epoch, rows);
    if (t->opts->optimizer != LNT_ADAM) /* whose steps have no common rate */
        lnt_record_series(record, "t", "tau", time, rows);
    return LNT_OK;
}

static lnt_status put_tracks(lnt_ctx *ctx, lnt_record *record, const training *t, curve c[LNT_TRACKS], int rows)
{
    lnt_status status = LNT_OK;
    for (int k = 0; k < LNT_TRACKS && status == LNT_OK; k++) {
        if (!lnt_training_tracks(t, (lnt_track)k))
            continue;
        status = make_curve(ctx, &c[k], t->track[k], t->runs, rows, t->opts->epochs + 1);
        if (status == LNT_OK)
            status = put_curve(ctx, record, track_names[k], "", &c[k], t->runs);
    }
    return status;
}

lnt_status lnt_training_report(lnt_ctx *ctx, lnt_record *record, training *t)
{
    int rows = finished_epochs(record, t) + 1;
    curve curves[LNT_TRACKS] = {{0}};
    lnt_final final[LNT_TRACKS];
    lnt_optimum all = {0}, fitted = {0};
    double *epoch;
    lnt_options_record(record, lnt_train_options, t->opts);
    lnt_setup_report(record, &t->setup, &t->opts->task);
    lnt_status status = put_epochs(ctx, record, t, rows, &epoch);
    if (status == LNT_OK)
        status = put_tracks(ctx, record, t, curves, rows);
    if (status == LNT_OK)
        status = final_scores(ctx, t, final);
    if (status == LNT_OK)
        status = lnt_training_optima(ctx, record, t, &all, &fitted);
    if (status != LNT_OK)
        return status;
    put_training(ctx, record, t, curves[LNT_TRACK_LOSS].mean[0], final, &all);
    put_unsteady(record, t, &curves[LNT_TRACK_LOSS]);
    status = lnt_training_certificate(ctx, record, t);
    if (status == LNT_OK)
        status = lnt_training_deviations(ctx, record, t, &all, &fitted, final);
    if (status == LNT_OK)
        status = put_weights(ctx, record, t);
    if (status == LNT_OK)
        status = put_figure(ctx, record, t, epoch, curves, &all, &fitted);
    lnt_training_assumptions(record, t, &all, &fitted);
    return status;
}
