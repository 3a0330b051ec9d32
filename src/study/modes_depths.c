/* The same task learned by networks of several depths. */
#include "modes.h"

#include <math.h>
#include <string.h>

#define START 1e-3 /* of the first target: the strength of every mode at every depth */
#define MOST_DRAWN 3

/* The options of one depth: equal products at the start, whatever the number of layers. */
static lnt_status options_of(lnt_ctx *ctx, lnt_modes_opts *o, const lnt_modes_opts *opts, const lnt_setup *setup,
                             double first_target, int depth)
{
    int inputs = setup->task.inputs, outputs = setup->task.outputs, least = inputs < outputs ? inputs : outputs;
    char strength[LNT_NUMBER_CHARS];
    *o = *opts;
    o->depths.count = 0;
    o->hidden = 0;
    o->layers.count = depth + 1;
    for (int l = 0; l <= depth; l++)
        o->layers.item[l] = l == 0 ? inputs : l == depth ? outputs : opts->hidden > 0 ? opts->hidden : least;
    if (opts->init)
        return LNT_OK;
    lnt_number_text(pow(START * first_target, 1.0 / depth), strength);
    o->init = lnt_sprintf(ctx, "aligned:%s", strength);
    return o->init ? LNT_OK : LNT_ENOMEM;
}

/* What is common to all depths: the task, the time that the slowest takes, and a step that is stable for all. */
typedef struct common {
    lnt_setup setup;
    double first_target, time, dt;
} common;

static lnt_status find_common(lnt_ctx *ctx, common *c, const lnt_modes_opts *opts)
{
    lnt_modes modes;
    double d;
    lnt_mat v;
    lnt_status status = lnt_setup_make(ctx, &c->setup, &opts->task, opts->seed, opts->threads);
    if (status == LNT_OK)
        status = lnt_modes_of(ctx, &modes, c->setup.all.Syx, false);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &v, 1, modes.VT.cols);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(v, lnt_block(modes.VT, 0, 0, 1, modes.VT.cols));
    double off;
    if ((status = lnt_shared_basis(ctx, &d, &off, c->setup.all.Sxx, v)) != LNT_OK)
        return status;
    c->first_target = modes.s[0] / d;
    c->dt = opts->dt;
    c->time = opts->time;
    if (opts->dt > 0 && (opts->time > 0 || opts->times || opts->epochs > 0))
        return LNT_OK;
    for (int k = 0; k < opts->depths.count && status == LNT_OK; k++) {
        lnt_modes_opts o;
        lnt_record *probe = lnt_record_new("modes");
        if (!probe)
            return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
        status = options_of(ctx, &o, opts, &c->setup, c->first_target, opts->depths.item[k]);
        o.method = "closed"; /* cheap: only its default time and its stable step are wanted */
        o.seeds = 1;
        if (status == LNT_OK && (status = lnt_modes_study(ctx, probe, &o)) == LNT_EUSAGE) {
            lnt_ctx_clear(ctx); /* no closed form for this start */
            o.method = "flow";
            status = lnt_modes_study(ctx, probe, &o);
        }
        double stable = lnt_record_fact_number(probe, "time", "largest_stable_lr_dt") / opts->lr,
               end = lnt_record_fact_number(probe, "time", "end");
        if (opts->dt == 0)
            c->dt = c->dt == 0 ? 0.1 * stable : fmin(c->dt, 0.1 * stable);
        if (opts->time == 0 && !opts->times && opts->epochs == 0)
            c->time = fmax(c->time, end);
        lnt_record_free(probe);
    }
    return status;
}

/* ---- What one depth found ---- */

static void copy_series(lnt_ctx *ctx, lnt_record *to, const lnt_record *from, const char *path, const char *new_path)
{
    lnt_array a;
    (void)ctx;
    if (path && new_path && lnt_record_array(from, path, &a))
        lnt_record_series(to, new_path, a.unit, a.values, a.dims[0]);
}

static void put_depth(lnt_ctx *ctx, lnt_record *record, const lnt_record *found, int depth, bool first)
{
    lnt_table *table = lnt_record_table(record, "depths");
    static const char *const columns[] = {"s",         "target",   "a0",           "half_closed",
                                          "half_flow", "half_map", "half_descent", "final_descent"};
    if (first)
        copy_series(ctx, record, found, "t", "t");
    if (first)
        copy_series(ctx, record, found, "t_over_tau", "t_over_tau");
    for (int k = 0; k < lnt_record_rows(found, "modes"); k++) {
        lnt_table_row(table);
        lnt_table_set(table, "depth", "", lnt_integer(depth));
        lnt_table_set(table, "mode", "", lnt_integer(k + 1));
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            lnt_value value = {0};
            lnt_record_cell(found, "modes", k, columns[i], &value);
            lnt_table_set(table, columns[i], "", value);
        }
        copy_series(ctx, record, found, lnt_sprintf(ctx, "strength/descent/%d", k + 1),
                    lnt_sprintf(ctx, "strength/%d/%d", depth, k + 1));
        copy_series(ctx, record, found, lnt_sprintf(ctx, "strength/closed/%d", k + 1),
                    lnt_sprintf(ctx, "strength_theory/%d/%d", depth, k + 1));
    }
    copy_series(ctx, record, found, "loss/descent", lnt_sprintf(ctx, "loss/%d", depth));
    copy_series(ctx, record, found, "test/descent", lnt_sprintf(ctx, "test/%d", depth));
    double best = lnt_record_fact_number(found, "overfitting", "best_test_loss");
    if (isnan(best))
        return;
    table = lnt_record_table(record, "stopping");
    lnt_table_row(table);
    lnt_table_set(table, "depth", "", lnt_integer(depth));
    lnt_table_set(table, "best_time", "", lnt_number(lnt_record_fact_number(found, "overfitting", "best_time")));
    lnt_table_set(table, "best_test_loss", "", lnt_number(best));
    lnt_table_set(table, "final_test_loss", "",
                  lnt_number(lnt_record_fact_number(found, "overfitting", "final_test_loss")));
}

/* The deviation of the strengths, and what must be read first. */
static void put_comparison(lnt_ctx *ctx, lnt_record *record, const lnt_record *found, int depth)
{
    lnt_value name, simulated, predicted, absolute;
    for (int row = 0; row < lnt_record_rows(found, "deviations"); row++) {
        lnt_record_cell(found, "deviations", row, "name", &name);
        if (name.kind != LNT_STRING || strncmp(name.string, "rms(strengths)", 14) != 0)
            continue;
        lnt_record_cell(found, "deviations", row, "simulated", &simulated);
        lnt_record_cell(found, "deviations", row, "predicted", &predicted);
        lnt_record_cell(found, "deviations", row, "absolute", &absolute);
        const char *full = lnt_sprintf(ctx, "depth %d: %s", depth, name.string);
        if (full)
            lnt_record_deviation(record, full, simulated.number, predicted.number, absolute.number, NAN);
    }
}

static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const lnt_int_list *depths, int modes)
{
    lnt_array t, y;
    lnt_panel panel[MOST_DRAWN];
    int shown = modes < MOST_DRAWN ? modes : MOST_DRAWN;
    lnt_curve *curve = lnt_alloc(ctx, (size_t)MOST_DRAWN * 2 * (size_t)depths->count, sizeof *curve);
    if (!curve || !lnt_record_array(record, "t", &t))
        return curve ? LNT_OK : LNT_ENOMEM;
    for (int k = 0; k < shown; k++) {
        lnt_curve *own = curve + (size_t)k * 2 * (size_t)depths->count;
        int n = 0;
        for (int theory = 0; theory < 2; theory++)
            for (int i = 0; i < depths->count; i++) {
                const char *path = lnt_sprintf(ctx, "%s/%d/%d", theory ? "strength_theory" : "strength",
                                               depths->item[i], k + 1),
                           *label = theory ? (i ? "" : "closed form") : lnt_sprintf(ctx, "depth %d", depths->item[i]);
                if (!path || !label)
                    return LNT_ENOMEM;
                if (lnt_record_array(record, path, &y))
                    own[n++] = (lnt_curve){
                        label, theory ? LNT_CURVE_THEORY : LNT_CURVE_POINTS, t.dims[0], t.values, y.values, NULL};
            }
        panel[k] = (lnt_panel){.title = lnt_sprintf(ctx, "mode %d", k + 1),
                               .xlabel = "time t (tau = 1/eta)",
                               .ylabel = "strength of mode, u'Wv",
                               .curves = n,
                               .curve = own};
        if (!panel[k].title)
            return LNT_ENOMEM;
    }
    const lnt_figure figure = {"depths",
                               "The first modes at several depths, from equal strengths: descent as points, the "
                               "closed form dashed.",
                               shown, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_depths_study(lnt_ctx *ctx, lnt_record *record, const lnt_modes_opts *opts)
{
    common c = {0};
    if (opts->layers.count || opts->weights_in || opts->w1 || opts->descend != LNT_DESCEND_BOTH)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--depths goes with --hidden, not with --layers, --weights-in, --w1 or --descend");
    lnt_status status = lnt_check_depths(ctx, &opts->depths);
    int modes = 0;
    if (status == LNT_OK)
        status = find_common(ctx, &c, opts);
    if (status != LNT_OK)
        return status;
    lnt_options_record(record, lnt_modes_options, opts);
    lnt_setup_report(record, &c.setup, &opts->task);
    for (int k = 0; k < opts->depths.count && status == LNT_OK; k++) {
        lnt_modes_opts o;
        int depth = opts->depths.item[k];
        lnt_record *found = lnt_record_new("modes");
        if (!found)
            return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
        status = options_of(ctx, &o, opts, &c.setup, c.first_target, depth);
        o.dt = c.dt;
        o.time = c.time;
        if (status == LNT_OK)
            status = lnt_modes_study(ctx, found, &o);
        if (status == LNT_OK) {
            put_depth(ctx, record, found, depth, k == 0);
            put_comparison(ctx, record, found, depth);
            modes = lnt_record_rows(found, "modes");
        }
        lnt_record_free(found);
    }
    if (status != LNT_OK)
        return status;
    lnt_record_fact(record, "time", "eta", "", lnt_number(opts->lr * lnt_loss_scale(opts->loss, c.setup.task.outputs)));
    lnt_record_fact(record, "time", "dt", "", lnt_number(c.dt));
    return put_figure(ctx, record, &opts->depths, modes);
}
