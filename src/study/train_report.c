#include "train.h"

#include "linnet/linalg.h"

#include <math.h>

/* Limits below which the theory beside a run is exact to what is printed. */
#define WHITE 1e-8
#define BALANCED 1e-3

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

/* ---- The least-squares optimum ---- */

typedef struct optimum {
    lnt_mat W;
    int rank;
    lnt_score all, fitted; /* scores over all rows and over those it was fitted to; losses as reported */
} optimum;

static lnt_status find_optimum(lnt_ctx *ctx, optimum *o, const training *t, const lnt_moments *m, int rank)
{
    int threads = t->opts->threads;
    lnt_status status = lnt_mat_alloc(ctx, &o->W, t->task.outputs, t->task.inputs);
    if (status == LNT_OK)
        status = lnt_least_squares(ctx, o->W, &o->rank, m, rank);
    if (status == LNT_OK)
        status = lnt_map_score(ctx, &o->all, o->W, &t->task, 0, t->task.n, threads);
    if (status == LNT_OK)
        o->all.loss *= t->scale;
    o->fitted = o->all;
    if (status == LNT_OK && m->n < t->task.n) {
        status = lnt_map_score(ctx, &o->fitted, o->W, &t->task, 0, m->n, threads);
        o->fitted.loss *= t->scale;
    }
    return status;
}

static void put_optimum(lnt_record *record, const char *rows, const optimum *o, int count)
{
    lnt_table *table = lnt_record_table(record, "optimum");
    lnt_table_row(table);
    lnt_table_set(table, "fitted_to", "", lnt_string(rows));
    lnt_table_set(table, "rows", "", lnt_integer(count));
    lnt_table_set(table, "rank", "", lnt_integer(o->rank));
    lnt_table_set(table, "loss", "", lnt_number(o->all.loss));
    lnt_table_set(table, "accuracy", "", isnan(o->all.accuracy) ? (lnt_value){0} : lnt_number(o->all.accuracy));
    lnt_table_set(table, "loss_fitted_rows", "", lnt_number(o->fitted.loss));
    lnt_table_set(table, "accuracy_fitted_rows", "",
                  isnan(o->fitted.accuracy) ? (lnt_value){0} : lnt_number(o->fitted.accuracy));
}

/* all: the best that this network can do on all rows; fitted: on the rows it was trained on. */
static lnt_status put_optima(lnt_ctx *ctx, lnt_record *record, const training *t, optimum *all, optimum *fitted)
{
    optimum free;
    int rank = lnt_net_bottleneck(&t->net);
    bool narrow = rank < t->task.inputs && rank < t->task.outputs, subset = t->fitted_rows < t->task.n;
    lnt_status status = find_optimum(ctx, all, t, &t->all, rank);
    free = *fitted = *all;
    if (status == LNT_OK && narrow)
        status = find_optimum(ctx, &free, t, &t->all, 0);
    if (status == LNT_OK && subset)
        status = find_optimum(ctx, fitted, t, &t->fitted, rank);
    if (status != LNT_OK)
        return status;
    put_optimum(record, "all rows", all, t->task.n);
    if (subset)
        put_optimum(record, "rows trained on", fitted, t->fitted_rows);
    if (free.rank > all->rank) {
        put_optimum(record, "all rows, any rank", &free, t->task.n);
        lnt_record_warn(
            record, "the narrowest layer has only width %d: the network cannot reach the least-squares map of rank %d",
            rank, free.rank);
    }
    return LNT_OK;
}

/* ---- Deviations of the final maps ---- */

typedef struct deviation {
    double simulated, absolute; /* root mean squares, averaged over the runs */
} deviation;

/* The map P itself, or P Sxx, against Syx. */
static lnt_status compare(lnt_ctx *ctx, deviation *d, const training *t, const lnt_moments *m, bool times_Sxx)
{
    lnt_mat P, R;
    lnt_status status = lnt_mat_alloc(ctx, &P, t->task.outputs, t->task.inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &R, t->task.outputs, t->task.inputs);
    *d = (deviation){0};
    for (int run = 0; run < t->runs && status == LNT_OK; run++) {
        status = lnt_net_product(ctx, P, &t->net, t->w[run]);
        if (times_Sxx)
            lnt_gemm(R, 1, LNT_N, P, LNT_N, m->Sxx, 0);
        else
            lnt_mat_copy(R, P);
        d->simulated += lnt_mat_rms(R) / t->runs;
        lnt_mat_add(R, -1, m->Syx);
        d->absolute += lnt_mat_rms(R) / t->runs;
    }
    return status;
}

static lnt_status put_map_deviations(lnt_ctx *ctx, lnt_record *record, const training *t, const lnt_moments *m,
                                     const char *rows)
{
    for (int k = 0; k < 2; k++) {
        deviation d;
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_status status = compare(ctx, &d, t, m, k == 0);
        const char *name = lnt_sprintf(ctx, "rms(C_YX - W%s), %s", k == 0 ? " C_XX" : "", rows);
        if (!name)
            status = LNT_ENOMEM;
        if (status == LNT_OK)
            lnt_record_deviation(record, name, d.simulated, lnt_mat_rms(m->Syx), d.absolute, NAN);
        lnt_ctx_reset(ctx, mark);
        if (status != LNT_OK)
            return status;
    }
    return LNT_OK;
}

static lnt_status put_score_deviations(lnt_ctx *ctx, lnt_record *record, const training *t, const curve *loss,
                                       const curve *accuracy, const optimum *o, const char *rows)
{
    double se = t->runs > 1 ? 1 / sqrt(t->runs) : (double)NAN;
    const char *of_loss = lnt_sprintf(ctx, "final loss, optimum of %s", rows),
               *of_accuracy = lnt_sprintf(ctx, "final accuracy, optimum of %s", rows);
    if (!of_loss || !of_accuracy)
        return LNT_ENOMEM;
    lnt_record_deviation(record, of_loss, loss->mean[0], o->all.loss, NAN, se * loss->sd[0]);
    if (t->task.data.classes)
        lnt_record_deviation(record, of_accuracy, accuracy->mean[0], o->all.accuracy, NAN, se * accuracy->sd[0]);
    return LNT_OK;
}

/* ---- Assumptions, facts, arrays ---- */

static void put_assumptions(lnt_record *record, const training *t, const optimum *all, const optimum *fitted)
{
    double imbalance = 0;
    for (int k = 0; k < t->opts->seeds; k++)
        imbalance = fmax(imbalance, t->imbalance[k]);
    lnt_record_assumption(record, "inputs are white: max |C_XX - I|", lnt_whiteness(t->all.Sxx), WHITE,
                          "the fixed point is C_YX C_XX^+, not C_YX: read rms(C_YX - W C_XX)");
    lnt_record_assumption(record, "all rows are trained on: share left out", 1 - (double)t->fitted_rows / t->task.n, 0,
                          "the fixed point is that of the rows trained on");
    lnt_record_assumption(record, "start is zero-balanced: max |W2'W2 - W1 W1'|", imbalance, BALANCED,
                          "closed forms for balanced networks are not exact for this run");
    if (t->opts->optimizer != LNT_ADAM)
        lnt_record_assumption(record, "step is stable: lr over the largest stable one", t->opts->lr / t->stable_lr, 1,
                              "gradient descent can oscillate or diverge; lower --lr");
    lnt_record_assumption(
        record, "no penalty: weight decay + l1", t->opts->weight_decay + t->opts->l1, 0,
        "the fixed point is that of the penalised loss, the optimum beside it that of the loss alone");
    if (t->fitted_rows < t->task.n)
        lnt_record_warn(
            record,
            "only the first %d of %d rows are trained on: their optimum has loss %.5g over all rows, that of "
            "all rows %.5g",
            t->fitted_rows, t->task.n, fitted->all.loss, all->all.loss);
}

static void put_preparation(lnt_record *record, const training *t)
{
    static const char *const kinds[] = {"none", "centre", "pca", "whiten"};
    const lnt_prep *prep = &t->task.prep;
    int asked = t->opts->whiten > 0 ? t->opts->whiten : t->opts->pca;
    lnt_record_fact(record, "preparation", "kind", "", lnt_string(kinds[prep->kind]));
    lnt_record_fact(record, "preparation", "rows", "", lnt_integer(t->task.n));
    lnt_record_fact(record, "preparation", "inputs", "", lnt_integer(prep->inputs));
    lnt_record_fact(record, "preparation", "components", "", lnt_integer(prep->outputs));
    lnt_record_fact(record, "preparation", "classes", "", lnt_integer(t->task.data.classes));
    lnt_record_fact(record, "preparation", "whiteness", "", lnt_number(lnt_whiteness(t->all.Sxx)));
    if (prep->map.a) {
        lnt_record_fact(record, "preparation", "rank", "", lnt_integer(prep->rank));
        lnt_record_fact(record, "preparation", "retained_variance", "", lnt_number(prep->retained));
        lnt_record_matrix(record, "preparation/map", "", &prep->map, 1);
        lnt_record_vector(record, "preparation/sd", "", prep->sd, prep->outputs);
        if (prep->outputs < asked)
            lnt_record_warn(
                record,
                "only %d directions of the inputs have variance: %d of the %d components asked for were dropped",
                prep->rank, asked - prep->outputs, asked);
    }
    if (prep->mean)
        lnt_record_vector(record, "preparation/mean", "", prep->mean, prep->inputs);
}

/* What the common rule solves instead of what was asked for. */
static void put_naive_rule(lnt_record *record, const lnt_train_opts *o)
{
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
    const lnt_samples *y = &t->task.data.targets;
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
    else if (t->task.prep.kind != LNT_PREP_NONE && mean * mean > 0.1 * square)
        lnt_record_warn(record,
                        "the targets have mean %.4g, which centred inputs cannot explain without a bias: subtract it",
                        mean);
}

static void put_training(lnt_record *record, const training *t, double start, const curve *loss, const curve *accuracy,
                         const optimum *all)
{
    lnt_record_fact(record, "training", "eta", "", lnt_number(t->eta));
    lnt_record_fact(record, "training", "steps", "", lnt_integer(t->info[0].steps));
    if (t->opts->optimizer != LNT_ADAM)
        lnt_record_fact(record, "training", "t", "tau",
                        lnt_number(t->eta / (1 - t->opts->momentum) * (double)t->info[0].steps));
    lnt_record_fact(record, "training", "rows", "", lnt_integer(t->fitted_rows));
    if (t->opts->optimizer != LNT_ADAM)
        lnt_record_fact(record, "training", "largest_stable_lr", "", lnt_number(t->stable_lr));
    lnt_record_fact(record, "final", "loss", "", lnt_number(loss->mean[0]));
    lnt_record_fact(record, "final", "excess", "", lnt_number(loss->mean[0] - all->all.loss));
    if (t->task.data.classes)
        lnt_record_fact(record, "final", "accuracy", "", lnt_number(accuracy->mean[0]));
    if (t->init.kind == LNT_INIT_GAUSSIAN && t->init.sd == 0 && t->net.depth > 1)
        lnt_record_warn(record,
                        "all weights start at 0, a saddle point that gradient descent does not leave: use a small "
                        "gaussian:SD instead");
    put_naive_rule(record, t->opts);
    put_target_advice(record, t);
    if (loss->mean[0] > start)
        lnt_record_warn(record, "the loss rose from %.4g to %.4g: lower --lr", start, loss->mean[0]);
}

/* A run that left its best loss again did not converge: its steps are too large, whatever the bound says. */
static void put_unsteady(lnt_record *record, const training *t, const curve *loss)
{
    double least = loss->mean[0], last = loss->mean[loss->rows - 1];
    for (int i = 0; i < loss->rows; i++)
        least = fmin(least, loss->mean[i]);
    if (last - least > 0.05 * (loss->mean[0] - least) && last <= loss->mean[0])
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

static lnt_panel make_panel(lnt_curve storage[4], const char *what, const double *epoch, const curve *c,
                            const curve *best, const curve *best_fitted, int runs)
{
    int n = 0;
    if (runs > 1)
        storage[n++] = (lnt_curve){"", LNT_CURVE_BAND, c->rows, epoch, c->low, c->high};
    storage[n++] =
        (lnt_curve){runs > 1 ? "run (mean, band 1 sd)" : "run", LNT_CURVE_POINTS, c->rows, epoch, c->mean, NULL};
    storage[n++] = (lnt_curve){"optimum of all rows", LNT_CURVE_THEORY, c->rows, epoch, best->mean, NULL};
    if (best_fitted)
        storage[n++] =
            (lnt_curve){"optimum of the rows trained on", LNT_CURVE_THEORY, c->rows, epoch, best_fitted->mean, NULL};
    return (lnt_panel){.title = "", .xlabel = "epoch", .ylabel = what, .curves = n, .curve = storage};
}

/* A constant as a curve, for the dashed lines of theory. */
static lnt_status make_level(lnt_ctx *ctx, curve *c, double value, int rows)
{
    double *all = lnt_alloc(ctx, (size_t)rows, sizeof *all);
    if (!all)
        return LNT_ENOMEM;
    for (int i = 0; i < rows; i++)
        all[i] = value;
    *c = (curve){all, all, all, all, rows};
    return LNT_OK;
}

static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const training *t, const double *epoch,
                             const curve *loss, const curve *accuracy, const optimum *all, const optimum *fitted)
{
    static const char *const losses[] = {"loss, 1/2 mean over rows of squared error",
                                         "loss, mean over rows of squared error",
                                         "loss, mean over rows and outputs of squared error"};
    bool subset = t->fitted_rows < t->task.n;
    curve levels[4];
    double values[4] = {all->all.loss, fitted->all.loss, all->all.accuracy, fitted->all.accuracy};
    for (int k = 0; k < 4; k++) {
        lnt_status status = make_level(ctx, &levels[k], values[k], loss->rows);
        if (status != LNT_OK)
            return status;
    }
    lnt_curve storage[2][4];
    lnt_panel panel[2];
    int runs = t->runs;
    panel[0] = make_panel(storage[0], losses[t->opts->loss], epoch, loss, &levels[0], subset ? &levels[1] : NULL, runs);
    panel[0].logy = all->all.loss > 0 && loss->mean[loss->rows - 1] > 0;
    panel[1] = make_panel(storage[1], "accuracy, share of rows", epoch, accuracy, &levels[2],
                          subset ? &levels[3] : NULL, runs);
    lnt_figure figure = {"training", "Loss and accuracy over all rows during training, with the least-squares optimum.",
                         t->task.data.classes && t->opts->space == LNT_SPACE_SAMPLES ? 2 : 1, panel};
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
static lnt_status final_scores(lnt_ctx *ctx, const training *t, curve *loss, curve *accuracy)
{
    double *last = lnt_alloc(ctx, 2 * (size_t)t->runs, sizeof *last);
    for (int k = 0; k < t->runs && last; k++) {
        size_t at = (size_t)k * ((size_t)t->opts->epochs + 1) + (size_t)t->info[k].epochs;
        last[k] = t->loss[at];
        last[t->runs + k] = t->accuracy[at];
    }
    lnt_status status = last ? make_curve(ctx, loss, last, t->runs, 1, 1) : LNT_ENOMEM;
    return status == LNT_OK ? make_curve(ctx, accuracy, last + t->runs, t->runs, 1, 1) : status;
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

lnt_status lnt_training_report(lnt_ctx *ctx, lnt_record *record, training *t)
{
    int runs = t->runs, rows = finished_epochs(record, t) + 1, stride = t->opts->epochs + 1;
    bool subset = t->fitted_rows < t->task.n;
    curve loss, accuracy, final_loss, final_accuracy;
    optimum all, fitted;
    double *epoch;
    lnt_options_record(record, lnt_train_options, t->opts);
    put_preparation(record, t);
    lnt_status status = put_epochs(ctx, record, t, rows, &epoch);
    if (status == LNT_OK)
        status = make_curve(ctx, &loss, t->loss, runs, rows, stride);
    if (status == LNT_OK)
        status = make_curve(ctx, &accuracy, t->accuracy, runs, rows, stride);
    if (status == LNT_OK)
        status = final_scores(ctx, t, &final_loss, &final_accuracy);
    if (status == LNT_OK)
        status = put_optima(ctx, record, t, &all, &fitted);
    if (status != LNT_OK)
        return status;
    put_training(record, t, loss.mean[0], &final_loss, &final_accuracy, &all);
    put_unsteady(record, t, &loss);
    status = put_curve(ctx, record, "loss", "", &loss, runs);
    if (status == LNT_OK && t->task.data.classes && t->opts->space == LNT_SPACE_SAMPLES)
        status = put_curve(ctx, record, "accuracy", "", &accuracy, runs);
    if (status == LNT_OK)
        status = put_map_deviations(ctx, record, t, &t->all, "all rows");
    if (status == LNT_OK && subset)
        status = put_map_deviations(ctx, record, t, &t->fitted, "rows trained on");
    if (status == LNT_OK)
        status = put_score_deviations(ctx, record, t, &final_loss, &final_accuracy, &all, "all rows");
    if (status == LNT_OK && subset)
        status = put_score_deviations(ctx, record, t, &final_loss, &final_accuracy, &fitted, "the rows trained on");
    if (status == LNT_OK)
        status = put_weights(ctx, record, t);
    if (status == LNT_OK)
        status = put_figure(ctx, record, t, epoch, &loss, &accuracy, &all, &fitted);
    put_assumptions(record, t, &all, &fitted);
    return status;
}
