/* The experiments on modes: each is one call of a study, with what is known beforehand as checks. */
#include "experiment.h"

#include "linnet/text.h"

#include <math.h>
#include <string.h>

static double deviation(const lnt_record *record, const char *end)
{
    return lnt_deviation_of(record, end, "absolute");
}

/* The largest value of a series with its time, and the least value before it. */
static double peak(const lnt_record *record, const char *path, double *when, double *dip)
{
    lnt_array y, t;
    if (!lnt_record_array(record, path, &y) || !lnt_record_array(record, "t", &t))
        return NAN;
    int best = 0;
    for (int j = 1; j < y.dims[0]; j++)
        best = y.values[j] > y.values[best] ? j : best;
    *when = t.values[best];
    *dip = y.values[best];
    for (int j = 0; j < best; j++)
        *dip = fmin(*dip, y.values[j]);
    return y.values[best];
}

ADOPT(modes)
ADOPT(phase)
ADOPT(isometry)

/* ---- The exercise ---- */

/* Its programming part: 16 hidden units, small random weights, eta = .4 in steps of .1. */
lnt_status lnt_exercise_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts)
{
    static const double s[] = {2.6457513110645906, 1.7320508075688772, 1, 1};
    lnt_modes_opts o;
    (void)self;
    lnt_modes_defaults(&o);
    o.task.builtin = "exercise";
    o.hidden = 16;
    o.init = "gaussian:0.01";
    o.lr = 0.4;
    o.dt = 0.1;
    o.time = 15;
    o.seeds = opts->full ? 50 : 5;
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_modes(ctx, record, &o);
    for (int k = 0; k < 4 && status == LNT_OK; k++) {
        const char *name = lnt_sprintf(ctx, "singular value %d of the task", k + 1);
        if (name)
            lnt_record_check(record, name, lnt_record_cell_number(record, "modes", k, "s"), s[k], 1e-12);
    }
    if (status != LNT_OK)
        return status;
    lnt_record_check(record, "mode 1 is learned: final strength",
                     lnt_record_cell_number(record, "modes", 0, "final_descent"), s[0], 1e-4);
    lnt_record_check(record, "strengths, flow against the Riccati solution", deviation(record, "flow against riccati"),
                     0, 1e-3);
    lnt_record_check(record, "strengths, descent against the discrete map", deviation(record, "descent against map"), 0,
                     0.02);
    lnt_record_check(record, "descent is later than the flow: half-time of mode 1",
                     lnt_record_cell_number(record, "modes", 0, "half_descent") -
                         lnt_record_cell_number(record, "modes", 0, "half_flow"),
                     0.17, 0.03);
    lnt_record_check(record, "the origin is a saddle: negative directions, 16 units x 4 modes",
                     lnt_record_cell_number(record, "fixed_points", 0, "index"), 64, 0);
    lnt_record_check(record, "all modes learned is a minimum: negative directions",
                     lnt_record_cell_number(record, "fixed_points", 15, "index"), 0, 0);
    lnt_judge(ctx, record, "flow against riccati", "relative", 1e-3);
    lnt_judge(ctx, record, "descent against map", "relative", 0.02);
    lnt_judge(ctx, record, "flow against closed", "relative", 0.02); /* of a random start: 2 % at this size */
    lnt_judge(ctx, record, "descent against", "relative", 0.1);      /* of steps of eta s = .1 */
    return LNT_OK;
}

lnt_status lnt_depths_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                 const lnt_reproduce_opts *opts)
{
    lnt_modes_opts o;
    (void)self;
    lnt_modes_defaults(&o);
    o.task.builtin = "exercise";
    o.depths = (lnt_int_list){4, {1, 2, 3, 5}};
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_modes(ctx, record, &o);
    for (int k = 0; k < 4 && status == LNT_OK; k++) {
        const char *end = lnt_sprintf(ctx, "depth %d: rms(strengths), flow against closed", o.depths.item[k]),
                   *map = lnt_sprintf(ctx, "depth %d: rms(strengths), descent against map", o.depths.item[k]);
        if (!end || !map)
            return LNT_ENOMEM;
        lnt_record_check(record, end, deviation(record, end), 0, 1e-8);
        lnt_record_check(record, map, deviation(record, map), 0, 1e-12);
    }
    /* depth 1 learns all modes at once, in ln 2 and a little; depth 2 in ln(s/u0 - 1)/2s each */
    double u0 = 1e-3 * sqrt(7);
    lnt_record_check(record, "depth 1: half-time of mode 1", lnt_record_cell_number(record, "depths", 0, "half_closed"),
                     log((sqrt(7) - u0) / (sqrt(7) / 2)), 1e-9);
    lnt_record_check(record, "depth 2: half-time of mode 1", lnt_record_cell_number(record, "depths", 4, "half_closed"),
                     log(sqrt(7) / u0 - 1) / (2 * sqrt(7)), 1e-9);
    lnt_judge(ctx, record, "flow against", "relative", 1e-8);
    lnt_judge(ctx, record, "descent against", "relative", 0.03); /* of a tenth of the largest stable step */
    return status;
}

/* ---- The phase portrait ---- */

lnt_status lnt_phase_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                const lnt_reproduce_opts *opts)
{
    lnt_phase_opts o;
    (void)self;
    (void)opts;
    lnt_phase_defaults(&o);
    o.s = 1.5;
    o.time = 20;
    lnt_status status = adopt_phase(ctx, record, &o);
    lnt_record_check(record, "origin: first eigenvalue",
                     lnt_record_cell_number(record, "fixed_points", 0, "eigenvalue_1"), 1.5, 1e-12);
    lnt_record_check(record, "origin: second eigenvalue",
                     lnt_record_cell_number(record, "fixed_points", 0, "eigenvalue_2"), -1.5, 1e-12);
    lnt_record_check(record, "a = b = sqrt s: along the hyperbola",
                     lnt_record_cell_number(record, "fixed_points", 1, "eigenvalue_1"), 0, 1e-12);
    lnt_record_check(record, "a = b = sqrt s: across, -2s",
                     lnt_record_cell_number(record, "fixed_points", 1, "eigenvalue_2"), -3, 1e-12);
    lnt_record_check(record, "separatrix: product at the end",
                     lnt_record_cell_number(record, "trajectories", 8, "product_end"), 0, 1e-9);
    lnt_record_check(record, "beyond the hyperbola: product at the end",
                     lnt_record_cell_number(record, "trajectories", 9, "product_end"), 1.5, 1e-9);
    lnt_judge(ctx, record, "product", "absolute", 1e-9);
    return status;
}

/* ---- Branching diffusion ---- */

lnt_status lnt_tree_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                               const lnt_reproduce_opts *opts)
{
    /* sqrt(F lambda)/P with lambda = 2.4408, 1.4996, 1.0098 twice, .51 four times; sampled within s sqrt(P/F) */
    static const double lambda[] = {2.4408, 1.4996, 1.0098, 1.0098, 0.51, 0.51, 0.51, 0.51};
    lnt_modes_opts o;
    (void)self;
    lnt_modes_defaults(&o);
    o.task.builtin = "tree:depth=3,branching=2,flip=0.15,features=10000";
    o.hidden = 30;
    o.init = "gaussian:1e-6";
    o.loss = LNT_LOSS_MEAN;
    o.lr = 100;
    o.epochs = 250;
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_modes(ctx, record, &o);
    for (int k = 0; k < 8 && status == LNT_OK; k++) {
        const char *name = lnt_sprintf(ctx, "s_%d against the spectrum of the diffusion", k + 1);
        double expected = sqrt(1e4 * lambda[k]) / 8;
        if (name)
            lnt_record_check(record, name, lnt_record_cell_number(record, "modes", k, "s"), expected,
                             4 * expected * sqrt(8 / 1e4));
    }
    for (int k = 0; k < 2 && status == LNT_OK; k++) {
        const char *name = lnt_sprintf(ctx, "half-learning step of mode %d, descent less map", k + 1);
        if (name)
            lnt_record_check(record, name,
                             lnt_record_cell_number(record, "modes", k, "half_descent") -
                                 lnt_record_cell_number(record, "modes", k, "half_map"),
                             0, 0.5);
    }
    if (status == LNT_OK)
        lnt_record_check(record, "strengths, flow against the Riccati solution",
                         deviation(record, "flow against riccati"), 0, 1e-6);
    lnt_judge(ctx, record, "flow against riccati", "relative", 1e-8);
    lnt_judge(ctx, record, "flow against closed", "relative", 0.01);
    lnt_judge(ctx, record, "descent against map", "relative", 0.01);
    return status;
}

/* ---- Illusory correlations ---- */

/* The prediction that goes wrong for a while. */
static void draw_prediction(lnt_record *record)
{
    lnt_array t, closed, descent;
    if (!lnt_record_array(record, "t", &t) || !lnt_record_array(record, "prediction/closed", &closed) ||
        !lnt_record_array(record, "prediction/descent", &descent))
        return;
    const lnt_curve curve[] = {{"descent", LNT_CURVE_POINTS, t.dims[0], t.values, descent.values, NULL},
                               {"closed form", LNT_CURVE_THEORY, t.dims[0], t.values, closed.values, NULL}};
    const lnt_panel panel = {.title = "",
                             .xlabel = "time t / tau",
                             .ylabel = "prediction of the property, which is -1",
                             .curves = 2,
                             .curve = curve};
    lnt_record_figure(record, &(lnt_figure){"prediction",
                                            "What the network says of the property that goes against the hierarchy.", 1,
                                            &panel});
}

lnt_status lnt_illusory_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts)
{
    lnt_modes_opts o;
    lnt_array y;
    double when = NAN, dip = NAN;
    (void)self;
    lnt_modes_defaults(&o);
    o.task.builtin = "illusory";
    o.init = "aligned:0.03162277660168379"; /* products of .001 */
    o.method = "closed,flow,descent";
    o.dt = 0.002;
    o.item = 1;
    o.feature = 16;
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_text times = {0};
    for (int j = 0; j <= 2000; j++)
        lnt_text_add(&times, "%s%g", j ? "," : "", 0.002 * j);
    o.times = times.p;
    lnt_status status = times.p ? adopt_modes(ctx, record, &o) : LNT_ENOMEM;
    lnt_text_free(&times);
    if (status != LNT_OK)
        return status;
    double highest = peak(record, "prediction/closed", &when, &dip);
    lnt_record_check(record, "the prediction first dips to", dip, -0.1124, 1e-4);
    lnt_record_check(record, "rises to the wrong sign", highest, 0.243132, 2e-6);
    lnt_record_check(record, "at t/tau", when, 0.532, 0.002);
    if (lnt_record_array(record, "prediction/closed", &y))
        lnt_record_check(record, "and ends at the truth", y.values[y.dims[0] - 1], -1, 1e-3);
    draw_prediction(record);
    lnt_record_check(record, "strengths, flow against closed", deviation(record, "flow against closed"), 0, 1e-7);
    lnt_judge(ctx, record, "flow against closed", "relative", 1e-8);
    lnt_judge(ctx, record, "descent against", "relative", 0.03);
    return LNT_OK;
}

/* ---- Isometry ---- */

lnt_status lnt_isometry_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts)
{
    lnt_isometry_opts o;
    (void)self;
    lnt_isometry_defaults(&o);
    o.task.data = "mnist";
    o.task.whiten = 100;
    o.steps = opts->full ? 10000 : 1000;
    o.seeds = opts->full ? 3 : 2;
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_isometry(ctx, record, &o);
    if (status != LNT_OK)
        return status;
    lnt_record_check(record, "orthogonal: largest singular value of the start",
                     lnt_record_cell_number(record, "starts", 0, "sigma_1"), 1, 1e-10);
    lnt_record_check(record, "Gaussian: fifth singular value of the start",
                     lnt_record_cell_number(record, "starts", 1, "sigma_5"), 0, 0.05);
    if (opts->full) { /* three starts each; four standard errors of what is published and of what was measured */
        lnt_record_check(record, "orthogonal: loss", lnt_record_cell_number(record, "starts", 0, "loss"), 0.0716,
                         0.003);
        lnt_record_check(record, "Gaussian: loss", lnt_record_cell_number(record, "starts", 1, "loss"), 0.0895, 0.003);
    }
    double difference =
        lnt_record_cell_number(record, "starts", 1, "loss") - lnt_record_cell_number(record, "starts", 0, "loss");
    lnt_record_check(record, "orthogonal starts end lower: share of the Gaussian loss",
                     difference / lnt_record_cell_number(record, "starts", 1, "loss"), 0.2, 0.19);
    return LNT_OK;
}
