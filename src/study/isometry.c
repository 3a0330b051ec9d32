/* Very deep linear networks from orthogonal and from Gaussian starts. */
#include "linnet/linalg.h"
#include "setup.h"

#include <math.h>
#include <string.h>

extern const lnt_option lnt_isometry_options[];

#define SHOWN_SINGULAR 5
#define SERIES 101

void lnt_isometry_defaults(lnt_isometry_opts *opts)
{
    *opts = (lnt_isometry_opts){.depth = 101, .width = 32, .lr = 0.005, .steps = 10000, .seeds = 3};
}

typedef struct arm {
    const char *init;
    double loss, loss_sd, accuracy, accuracy_sd;
    double singular[SHOWN_SINGULAR]; /* of the product at the start, mean over the seeds */
    double epoch[SERIES], series[SERIES];
    int points;
} arm;

static void set_up(lnt_train_opts *o, const lnt_isometry_opts *opts, const char *init, int inputs, int outputs)
{
    lnt_train_defaults(o);
    o->task = opts->task;
    o->layers.count = opts->depth + 1;
    for (int l = 0; l <= opts->depth; l++)
        o->layers.item[l] = l == 0 ? inputs : l == opts->depth ? outputs : opts->width;
    o->init = init;
    o->loss = LNT_LOSS_MEAN;
    o->space = LNT_SPACE_COVARIANCE;
    o->lr = opts->lr;
    o->epochs = opts->steps;
    o->seeds = opts->seeds;
    o->seed = opts->seed;
    o->threads = opts->threads;
}

/* Singular values of W_L ... W_1 as training starts. */
static lnt_status start_spectrum(lnt_ctx *ctx, arm *a, const lnt_train_opts *o)
{
    lnt_net net = {.depth = o->layers.count - 1, .width = o->layers.item};
    int rows = net.width[net.depth], cols = net.width[0], k = rows < cols ? rows : cols;
    lnt_init init;
    lnt_mat P, U, VT;
    double *w = lnt_alloc(ctx, lnt_net_size(&net), sizeof *w), *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_status status = w && s ? lnt_init_parse(ctx, &init, a->init) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &P, rows, cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, rows, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, cols);
    for (int seed = 0; seed < o->seeds && status == LNT_OK; seed++) {
        lnt_rng rng = lnt_rng_stream(o->seed, (uint32_t)seed, LNT_FOR_WEIGHTS);
        status = lnt_net_init(ctx, w, &net, &init, NULL, &rng);
        if (status == LNT_OK)
            status = lnt_net_product(ctx, P, &net, w);
        if (status == LNT_OK)
            status = lnt_svd(ctx, U, s, VT, P);
        for (int i = 0; i < SHOWN_SINGULAR && i < k && status == LNT_OK; i++)
            a->singular[i] += s[i] / o->seeds;
    }
    return status;
}

/* Its last value, its standard deviation over the runs, and a thinned copy. */
static void take_series(arm *a, const lnt_record *trained)
{
    lnt_array loss, sd = {0};
    bool many = lnt_record_array(trained, "loss/mean", &loss) && lnt_record_array(trained, "loss/sd", &sd);
    if (!many && !lnt_record_array(trained, "loss", &loss))
        return;
    int last = loss.dims[0] - 1;
    a->loss = loss.values[last];
    a->loss_sd = many ? sd.values[last] : (double)NAN;
    a->points = last + 1 < SERIES ? last + 1 : SERIES;
    for (int j = 0; j < a->points; j++) {
        int at = a->points > 1 ? (int)((long)last * j / (a->points - 1)) : 0;
        a->epoch[j] = at;
        a->series[j] = loss.values[at];
    }
}

static lnt_status train_arm(lnt_ctx *ctx, lnt_record *record, arm *a, const lnt_isometry_opts *opts, int inputs,
                            int outputs)
{
    lnt_train_opts o;
    lnt_record *trained = lnt_record_new("train");
    if (!trained)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    set_up(&o, opts, a->init, inputs, outputs);
    lnt_status status = start_spectrum(ctx, a, &o);
    if (status == LNT_OK)
        status = lnt_train_study(ctx, trained, &o);
    if (status == LNT_OK) {
        take_series(a, trained);
        a->accuracy = lnt_record_fact_number(trained, "final", "accuracy");
        a->accuracy_sd = lnt_record_fact_number(trained, "final", "accuracy_sd");
        if (lnt_record_interrupted(trained))
            lnt_record_set_interrupted(record);
    }
    lnt_record_free(trained);
    return status;
}

/* ---- What was found ---- */

static lnt_status put_arm(lnt_ctx *ctx, lnt_record *record, const arm *a)
{
    lnt_table *table = lnt_record_table(record, "starts");
    lnt_table_row(table);
    lnt_table_set(table, "start", "", lnt_string(a->init));
    lnt_table_set(table, "loss", "", lnt_number(a->loss));
    lnt_table_set(table, "loss_sd", "", lnt_known(a->loss_sd));
    lnt_table_set(table, "accuracy", "", lnt_known(a->accuracy));
    lnt_table_set(table, "accuracy_sd", "", lnt_known(a->accuracy_sd));
    for (int i = 0; i < SHOWN_SINGULAR; i++) {
        const char *name = lnt_sprintf(ctx, "sigma_%d", i + 1);
        if (!name)
            return LNT_ENOMEM;
        lnt_table_set(table, name, "", lnt_number(a->singular[i]));
    }
    const char *path = lnt_sprintf(ctx, "loss/%s", a->init);
    if (!path)
        return LNT_ENOMEM;
    lnt_record_series(record, path, "", a->series, a->points);
    return LNT_OK;
}

static void put_statement(lnt_ctx *ctx, lnt_record *record, const arm arms[2], int seeds)
{
    double difference = arms[1].loss - arms[0].loss;
    double se = seeds > 1 ? hypot(arms[0].loss_sd, arms[1].loss_sd) / sqrt(seeds) : (double)NAN;
    lnt_record_fact(record, "statement", "difference", "", lnt_number(difference));
    lnt_record_fact(record, "statement", "standard_error", "", lnt_known(se));
    const char *text = isnan(se) ? lnt_sprintf(ctx, "the orthogonal start ends %.3g %s; one seed gives no error bar",
                                               fabs(difference), difference > 0 ? "lower" : "higher")
                       : fabs(difference) > 3 * se
                           ? lnt_sprintf(ctx, "the orthogonal start ends lower by %.3g +- %.2g, %.3g standard errors",
                                         difference, se, difference / se)
                           : lnt_sprintf(ctx, "the starts do not differ: %.3g +- %.2g", difference, se);
    if (text)
        lnt_record_fact(record, "statement", "text", "", lnt_string(text));
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_isometry_opts *opts = user;
    arm arms[2] = {{.init = "orthogonal"}, {.init = "unit-rows"}};
    lnt_setup setup;
    lnt_status status = lnt_setup_make(ctx, &setup, &opts->task, opts->seed, opts->threads);
    for (int k = 0; k < 2 && status == LNT_OK; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = train_arm(ctx, record, &arms[k], opts, setup.task.inputs, setup.task.outputs);
        lnt_ctx_reset(ctx, mark);
    }
    if (status != LNT_OK)
        return status;
    lnt_setup_report(record, &setup, &opts->task);
    lnt_record_series(record, "epoch", "", arms[0].epoch, arms[0].points);
    for (int k = 0; k < 2 && status == LNT_OK; k++)
        status = put_arm(ctx, record, &arms[k]);
    put_statement(ctx, record, arms, opts->seeds);
    lnt_curve curve[2];
    for (int k = 0; k < 2; k++)
        curve[k] = (lnt_curve){arms[k].init, LNT_CURVE_LINE, arms[k].points, arms[k].epoch, arms[k].series, NULL};
    const lnt_panel panel = {.title = "",
                             .xlabel = "step",
                             .ylabel = "loss, mean over rows and outputs",
                             .logy = true,
                             .curves = 2,
                             .curve = curve};
    const lnt_figure figure = {
        "isometry", "Loss of a very deep linear network from starts that keep lengths exactly and on average only.", 1,
        &panel};
    lnt_record_figure(record, &figure);
    return status;
}

lnt_status lnt_isometry_study(lnt_ctx *ctx, lnt_record *record, const lnt_isometry_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_isometry_options, opts, study);
}
