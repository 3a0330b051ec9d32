/* The notebook: a linear network learns the covariance of whitened images and one-hot labels. */
#include "experiment.h"

#include <math.h>
#include <string.h>

enum { WRITTEN, RIGHT, FIXED_POINT, ARMS };

static const char *const arm_names[ARMS] = {"written", "right", "fixed_point"};
static const char *const arm_labels[ARMS] = {"first tenth of the rows, as written", "all rows, shuffled", "full batch"};

typedef struct arm {
    lnt_train_opts opts;
    lnt_record *record;
    double loss, accuracy; /* at the end, mean over the runs */
} arm;

/* A number that is known beforehand, and how far from it a sound result can be. */
typedef struct expected {
    double value, within;
} expected;

/* Least-squares numbers are exact to the digits given. Ends of runs are means over 8 starts; the tolerance is four
 * standard errors of the mean of two starts, so that a sound run fails once in 16,000 times. */
typedef struct known {
    double rank, retained;
    expected optimum, optimum_accuracy, subset_optimum, written, written_accuracy, right, right_accuracy, descent;
} known;

static const known digits_known = {61,
                                   0.98820,
                                   {0.418961, 1e-6},
                                   {0.94713, 1e-5},
                                   {0.684753, 1e-6},
                                   {0.7090, 0.035},
                                   {0.742, 0.037},
                                   {0.41950, 4e-4},
                                   {0.9467, 0.003},
                                   {0.418961, 1e-6}};
static const known mnist_known = {713,
                                  0.91497,
                                  {0.51107, 5e-6},
                                  {0.8537, 5e-5},
                                  {0.52405, 5e-6},
                                  {0.528, 0.002},
                                  {0.841, 0.003},
                                  {0.5115, 6e-4},
                                  {0.8537, 0.0015},
                                  {0.51655, 5e-4}};
/* The exact flow at t = 140 tau, for the full size on MNIST; at 14 tau, above, for the quick one. */
static const expected mnist_descent_full = {0.51108, 1e-5};

static void set_up(arm arms[ARMS], bool mnist, const lnt_reproduce_opts *opts)
{
    for (int k = 0; k < ARMS; k++) {
        lnt_train_opts *o = &arms[k].opts;
        lnt_train_defaults(o);
        o->task.data = mnist ? "mnist" : "digits";
        o->task.whiten = mnist ? 100 : 40;
        o->layers = (lnt_int_list){3, {o->task.whiten, 10, 10}};
        o->loss = LNT_LOSS_SUM;
        o->lr = 0.01;
        o->batch = mnist ? 100 : 10;
        o->epochs = 10;
        o->seeds = opts->full ? 8 : 2;
        o->seed = opts->seed;
        o->threads = opts->threads;
    }
    arms[WRITTEN].opts.shuffle = false;
    arms[WRITTEN].opts.rows_per_epoch = mnist ? 7000 : 180;
    if (!mnist)
        arms[WRITTEN].opts.epochs = 50;
    lnt_train_opts *descent = &arms[FIXED_POINT].opts;
    descent->optimizer = LNT_GD;
    descent->shuffle = false;
    descent->lr = !mnist ? 0.3 : opts->full ? 0.25 : 0.1; /* t = 0.6, 0.5 and 0.2 tau an epoch */
    descent->epochs = !mnist ? 3000 : opts->full ? 280 : 70;
}

/* ---- From the arms' records to the experiment's ---- */

static bool series(const arm *a, const char *name, const char *part, lnt_array *array)
{
    char path[64];
    return lnt_record_array(a->record, strcat(strcpy(path, name), part), array);
}

static void copy_series(lnt_ctx *ctx, lnt_record *record, const arm *a, int k)
{
    static const char *const names[] = {"epoch", "t", "loss/mean", "loss/sd", "accuracy/mean", "accuracy/sd"};
    lnt_array array;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = lnt_sprintf(ctx, "%s/%s", arm_names[k], names[i]);
        if (path && series(a, names[i], "", &array))
            lnt_record_series(record, path, array.unit, array.values, array.dims[0]);
    }
}

/* Rows of a table of the arm; k >= 0 puts the arm's name before the first column. */
static void copy_table(lnt_ctx *ctx, lnt_record *record, const char *table, const char *const *columns, const arm *a,
                       int k)
{
    for (int row = 0; row < lnt_record_rows(a->record, table); row++) {
        lnt_table *to = lnt_record_table(record, table);
        lnt_table_row(to);
        for (const char *const *column = columns; *column; column++) {
            lnt_value value;
            if (!lnt_record_cell(a->record, table, row, *column, &value))
                continue;
            if (k >= 0 && column == columns && value.kind == LNT_STRING)
                value = lnt_string(lnt_sprintf(ctx, "%s: %s", arm_labels[k], value.string));
            lnt_table_set(to, *column, "", value);
        }
    }
}

static void check(lnt_record *record, const char *name, double value, expected e)
{
    lnt_record_check(record, name, value, e.value, e.within);
}

static void put_checks(lnt_record *record, const arm arms[ARMS], const known *k, expected descent)
{
    const lnt_record *written = arms[WRITTEN].record, *fixed = arms[FIXED_POINT].record;
    check(record, "rank of the inputs", lnt_record_fact_number(written, "preparation", "rank"), (expected){k->rank, 0});
    check(record, "variance in the components", lnt_record_fact_number(written, "preparation", "retained_variance"),
          (expected){k->retained, 1e-5});
    check(record, "inputs are white: max |C_XX - I|", lnt_record_fact_number(written, "preparation", "whiteness"),
          (expected){0, 1e-10});
    check(record, "optimum of all rows, loss", lnt_record_cell_number(written, "optimum", 0, "loss"), k->optimum);
    check(record, "optimum of all rows, accuracy", lnt_record_cell_number(written, "optimum", 0, "accuracy"),
          k->optimum_accuracy);
    check(record, "optimum of the first rows, loss over all", lnt_record_cell_number(written, "optimum", 1, "loss"),
          k->subset_optimum);
    check(record, "as written, final loss", arms[WRITTEN].loss, k->written);
    check(record, "as written, final accuracy", arms[WRITTEN].accuracy, k->written_accuracy);
    check(record, "all rows, final loss", arms[RIGHT].loss, k->right);
    check(record, "all rows, final accuracy", arms[RIGHT].accuracy, k->right_accuracy);
    check(record, "full batch, final loss", arms[FIXED_POINT].loss, descent);
    if (k == &digits_known)
        check(record, "full batch, rms(C_YX - W C_XX) relative",
              lnt_record_cell_number(fixed, "deviations", 0, "relative"), (expected){0, 1e-3});
}

/* ---- Figure: the three runs over time, against the optima ---- */

/* y <- y - level, so that an approach to the optimum shows on a logarithmic axis. */
static const double *excess(lnt_ctx *ctx, const double *y, int n, double level)
{
    double *out = lnt_alloc(ctx, (size_t)n, sizeof *out);
    for (int i = 0; i < n && out; i++)
        out[i] = y[i] - level;
    return out;
}

/* A horizontal line over the time of all runs. */
static bool make_level(lnt_ctx *ctx, lnt_curve *curve, const char *label, double level, const arm arms[ARMS])
{
    double *x = lnt_alloc(ctx, 4, sizeof *x);
    if (!x)
        return false;
    x[0] = HUGE_VAL;
    x[1] = 0;
    x[2] = x[3] = level;
    for (int k = 0; k < ARMS; k++) {
        lnt_array t;
        if (!series(&arms[k], "t", "", &t) || t.dims[0] < 2)
            return false;
        x[0] = fmin(x[0], t.values[1]);
        x[1] = fmax(x[1], t.values[t.dims[0] - 1]);
    }
    *curve = (lnt_curve){label, LNT_CURVE_THEORY, 2, x, x + 2, NULL};
    return true;
}

/* The curves of the arms, from the first epoch on: the time axis is logarithmic. `level` is subtracted. */
static bool make_curves(lnt_ctx *ctx, lnt_curve curve[ARMS], const char *what, double level, const arm arms[ARMS])
{
    for (int k = 0; k < ARMS; k++) {
        lnt_array t, y;
        if (!series(&arms[k], "t", "", &t) || !series(&arms[k], what, "/mean", &y) || t.dims[0] < 2)
            return false;
        int n = t.dims[0] - 1;
        const double *values = excess(ctx, y.values + 1, n, level);
        if (!values)
            return false;
        curve[k] =
            (lnt_curve){arm_labels[k], n > 60 ? LNT_CURVE_LINE : LNT_CURVE_POINTS, n, t.values + 1, values, NULL};
    }
    return true;
}

static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const arm arms[ARMS])
{
    const lnt_record *written = arms[WRITTEN].record;
    double best = lnt_record_cell_number(written, "optimum", 0, "loss"),
           subset = lnt_record_cell_number(written, "optimum", 1, "loss");
    lnt_curve loss[ARMS + 1], accuracy[ARMS + 2];
    if (lnt_record_interrupted(record))
        return LNT_OK;
    if (!make_curves(ctx, loss, "loss", best, arms) ||
        !make_level(ctx, &loss[ARMS], "optimum of the first tenth", subset - best, arms) ||
        !make_curves(ctx, accuracy, "accuracy", 0, arms) ||
        !make_level(ctx, &accuracy[ARMS], "optimum of the first tenth",
                    lnt_record_cell_number(written, "optimum", 1, "accuracy"), arms) ||
        !make_level(ctx, &accuracy[ARMS + 1], "optimum of all rows",
                    lnt_record_cell_number(written, "optimum", 0, "accuracy"), arms))
        return lnt_fail(ctx, LNT_EINVAL, "the runs left no series to draw");
    const lnt_panel panel[2] = {{.title = "",
                                 .xlabel = "time t / tau",
                                 .ylabel = "loss above the optimum of all rows",
                                 .logx = true,
                                 .logy = true,
                                 .curves = ARMS + 1,
                                 .curve = loss},
                                {.title = "",
                                 .xlabel = "time t / tau",
                                 .ylabel = "accuracy, share of rows",
                                 .logx = true,
                                 .curves = ARMS + 2,
                                 .curve = accuracy}};
    lnt_figure figure = {
        "notebook",
        "Loss above that of the least-squares optimum, and accuracy, over all rows, mean over the runs. "
        "Trained on the same first tenth of the rows, the network approaches their optimum, not that of "
        "all rows.",
        2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

static lnt_status run_arms(lnt_ctx *ctx, arm arms[ARMS])
{
    for (int k = 0; k < ARMS; k++) {
        lnt_array loss, accuracy;
        arms[k].record = lnt_record_new("train");
        if (!arms[k].record)
            return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
        lnt_status status = lnt_train_study(ctx, arms[k].record, &arms[k].opts);
        if (status != LNT_OK)
            return status;
        if (!series(&arms[k], "loss", "/mean", &loss) || !series(&arms[k], "accuracy", "/mean", &accuracy))
            return lnt_fail(ctx, LNT_EINVAL, "the run '%s' left no series", arm_names[k]);
        arms[k].loss = loss.values[loss.dims[0] - 1];
        arms[k].accuracy = accuracy.values[accuracy.dims[0] - 1];
    }
    return LNT_OK;
}

lnt_status lnt_notebook_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts)
{
    static const char *const deviations[] = {"name", "simulated", "predicted", "absolute", "relative", "sigmas", NULL},
                             *const assumptions[] = {"name", "holds", "measure", "limit", "effect", NULL},
                             *const optimum[] = {"fitted_to", "rows", "rank", "loss", "accuracy", NULL};
    bool mnist = self->data != NULL;
    arm arms[ARMS] = {0};
    set_up(arms, mnist, opts);
    lnt_status status = run_arms(ctx, arms);
    for (int k = 0; k < ARMS && status == LNT_OK; k++) {
        copy_series(ctx, record, &arms[k], k);
        copy_table(ctx, record, "deviations", deviations, &arms[k], k);
        copy_table(ctx, record, "assumptions", assumptions, &arms[k], k);
        if (lnt_record_interrupted(arms[k].record))
            lnt_record_set_interrupted(record);
    }
    if (status == LNT_OK) {
        copy_table(ctx, record, "optimum", optimum, &arms[WRITTEN], -1);
        put_checks(record, arms, mnist ? &mnist_known : &digits_known,
                   mnist && opts->full ? mnist_descent_full
                   : mnist             ? mnist_known.descent
                                       : digits_known.descent);
        lnt_judge(ctx, record, "as written: final loss, optimum of the rows trained on", "relative", 0.12);
        lnt_judge(ctx, record, "all rows, shuffled: ", "relative", 0.06);
        /* the quick run on MNIST ends early, at 14 tau */
        lnt_judge(ctx, record, "full batch: ", "relative", mnist && !opts->full ? 0.15 : 0.01);
        status = put_figure(ctx, record, arms);
    }
    for (int k = 0; k < ARMS; k++)
        lnt_record_free(arms[k].record);
    return status;
}
