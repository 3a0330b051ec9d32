/* Experiments that look closer: at the notebook's map, at rates of convergence, and at theory beyond the sources. */
#include "experiment.h"

#include "linnet/lasso_risk.h"
#include "linnet/modes.h"
#include "linnet/response.h"
#include "linnet/spectrum.h"

#include <math.h>
#include <string.h>

/* ---- The notebook: modes of the map, and the covariance as fixed point ---- */

/* The last map of the descent, the covariance and U'WV as images. */
static lnt_status put_maps(lnt_ctx *ctx, lnt_record *record, const lnt_record *found)
{
    lnt_array W, U, V, s;
    lnt_mat map, C, R;
    if (!lnt_record_array(found, "product/descent", &W) || !lnt_record_array(found, "modes/U", &U) ||
        !lnt_record_array(found, "modes/V", &V) || !lnt_record_array(found, "modes/s", &s))
        return lnt_fail(ctx, LNT_EINVAL, "the run left no map to draw");
    int outputs = W.dims[1], inputs = W.dims[2], modes = s.dims[0];
    const double *last = W.values + (size_t)(W.dims[0] - 1) * (size_t)outputs * (size_t)inputs;
    lnt_status status = lnt_mat_alloc(ctx, &map, outputs, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &C, outputs, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &R, modes, modes);
    if (status != LNT_OK)
        return status;
    double difference = 0, size = 0, off = 0;
    for (int i = 0; i < outputs; i++)
        for (int j = 0; j < inputs; j++) {
            *lnt_at(map, i, j) = last[i * inputs + j];
            for (int k = 0; k < modes; k++)
                *lnt_at(C, i, j) += U.values[i * U.dims[1] + k] * s.values[k] * V.values[j * V.dims[1] + k];
            difference = hypot(difference, *lnt_at(map, i, j) - *lnt_at(C, i, j));
            size = hypot(size, *lnt_at(C, i, j));
            for (int k = 0; k < modes; k++)
                for (int l = 0; l < modes; l++)
                    *lnt_at(R, k, l) +=
                        U.values[i * U.dims[1] + k] * last[i * inputs + j] * V.values[j * V.dims[1] + l];
        }
    for (int k = 0; k < modes; k++)
        for (int l = 0; l < modes; l++)
            off = hypot(off, k == l ? 0 : *lnt_at(R, k, l));
    lnt_record_check(record, "fixed point: |W - C_YX|/|C_YX|", difference / size, 0, 0.02);
    lnt_record_check(record, "connectivity modes: off the diagonal of U'WV, over |C_YX|", off / size, 0, 0.02);
    const lnt_image image[] = {
        {"weight", map, NULL, NULL, 0, 0}, {"covariance", C, NULL, NULL, 0, 0}, {"strength", R, NULL, NULL, 0, 0}};
    const lnt_panel panel[] = {
        {.title = "map W that was learned", .xlabel = "component", .ylabel = "class", .image = &image[0]},
        {.title = "covariance C_YX", .xlabel = "component", .ylabel = "class", .image = &image[1]},
        {.title = "U'WV", .xlabel = "input mode", .ylabel = "output mode", .image = &image[2]}};
    lnt_record_figure(record, &(lnt_figure){"map",
                                            "The map at the end, the covariance of the data, and the map in the modes "
                                            "of the data: strengths on the diagonal, what is between modes off it.",
                                            3, panel});
    return LNT_OK;
}

/* Full-batch descent of 40-10-10 from a zero-balanced start: the Riccati solution is the exact curve of its flow. */
lnt_status lnt_notebook_modes_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                         const lnt_reproduce_opts *opts)
{
    lnt_modes_opts o;
    (void)self;
    lnt_modes_defaults(&o);
    o.task.data = "digits";
    o.task.whiten = 40;
    o.hidden = 10;
    o.init = "orthogonal";
    o.loss = LNT_LOSS_SUM;
    o.lr = 0.01;
    o.time = 3000; /* t/tau = 60 */
    o.method = "riccati,flow,descent";
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_record *found = lnt_record_new("modes");
    lnt_status status = found ? lnt_modes_study(ctx, found, &o) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = put_maps(ctx, record, found);
    status = lnt_adopt(ctx, record, found, status);
    for (int k = 0; k < 9 && status == LNT_OK; k++) {
        const char *name = lnt_sprintf(ctx, "mode %d: final strength over its singular value", k + 1);
        lnt_record_check(record, lnt_named(name),
                         lnt_record_cell_number(record, "modes", k, "final_descent") /
                             lnt_record_cell_number(record, "modes", k, "s"),
                         1, 0.01);
    }
    if (status != LNT_OK)
        return status;
    lnt_record_check(record, "mode 10: singular value, lost by one-hot targets",
                     lnt_record_cell_number(record, "modes", 9, "s"), 0, 1e-12);
    lnt_judge(ctx, record, "flow against riccati", "relative", 1e-7);
    lnt_judge(ctx, record, "descent against", "relative", 0.1);
    return LNT_OK;
}

/* ---- The exercise: fit and competition ---- */

static lnt_status run_part(lnt_record *found, lnt_ctx *ctx, lnt_descend_part part, const lnt_reproduce_opts *opts)
{
    lnt_modes_opts o;
    lnt_modes_defaults(&o);
    o.task.builtin = "exercise";
    o.hidden = 16;
    o.init = "gaussian:0.01";
    o.lr = 0.4;
    o.dt = 0.1;
    o.time = 40;
    o.method = "descent";
    o.descend = (int)part;
    o.seed = opts->seed;
    o.threads = opts->threads;
    return found ? lnt_modes_study(ctx, found, &o) : LNT_ENOMEM;
}

/* Along the descent on both parts: their sum is the energy, and competition comes and goes. On the fit alone the modes
 * are learned all the same, but what is between them stays. */
static lnt_status put_energy(lnt_ctx *ctx, lnt_record *record, const lnt_record *both, const lnt_record *alone)
{
    lnt_array t, fit, competition, loss, left;
    if (!lnt_record_array(both, "t", &t) || !lnt_record_array(both, "fit/descent", &fit) ||
        !lnt_record_array(both, "competition/descent", &competition) ||
        !lnt_record_array(both, "loss/descent", &loss) || !lnt_record_array(alone, "competition/descent", &left))
        return lnt_fail(ctx, LNT_EINVAL, "the runs left no energies");
    int n = t.dims[0];
    double worst = 0, most = 0;
    for (int j = 0; j < n; j++) {
        worst = fmax(worst, fabs(fit.values[j] + competition.values[j] - loss.values[j]));
        most = fmax(most, competition.values[j]);
    }
    lnt_record_check(record, "fit + competition, less the energy, at the worst time", worst, 0, 1e-12);
    lnt_record_check(record, "competition at the end over that at its height", competition.values[n - 1] / most, 0,
                     1e-6);
    lnt_record_check(record, "both: fit at the end", fit.values[n - 1], 0, 1e-12);
    for (int k = 0; k < 4; k++) {
        static const char *const name[] = {"fit alone: strength 1", "fit alone: strength 2", "fit alone: strength 3",
                                           "fit alone: strength 4"};
        static const double s[] = {2.6457513110645906, 1.7320508075688772, 1, 1};
        lnt_record_check(record, name[k], lnt_record_cell_number(alone, "modes", k, "final_descent"), s[k], 1e-6);
    }
    lnt_record_check(record, "both over fit alone: competition at the end",
                     competition.values[n - 1] / left.values[left.dims[0] - 1], 0, 1e-6);
    const lnt_curve curve[] = {
        {"fit", LNT_CURVE_POINTS, n, t.values, fit.values, NULL},
        {"competition", LNT_CURVE_POINTS, n, t.values, competition.values, NULL},
        {"competition, descent on the fit alone", LNT_CURVE_POINTS, left.dims[0], t.values, left.values, NULL}};
    const lnt_panel panel = {.title = "",
                             .xlabel = "time t (tau = 1/eta)",
                             .ylabel = "part of the energy",
                             .logy = true,
                             .curves = 3,
                             .curve = curve};
    lnt_record_figure(record, &(lnt_figure){"energy",
                                            "The two parts of the energy: fit within modes and competition between "
                                            "them. Without the second part what is between modes stays.",
                                            1, &panel});
    return LNT_OK;
}

lnt_status lnt_energy_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                 const lnt_reproduce_opts *opts)
{
    lnt_record *both = lnt_record_new("modes"), *alone = lnt_record_new("modes");
    (void)self;
    lnt_status status = run_part(both, ctx, LNT_DESCEND_BOTH, opts);
    if (status == LNT_OK)
        status = run_part(alone, ctx, LNT_DESCEND_FIT, opts);
    if (status == LNT_OK)
        status = put_energy(ctx, record, both, alone);
    lnt_record_free(both);
    lnt_record_free(alone);
    return status;
}

/* ---- Rates of convergence ---- */

enum { QS = 5 };
#define DECADES 8   /* of the training loss, */
#define BEFORE 1e-5 /* once it is that share of its start: the slowest modes are nearly alone then */

/* The epoch at which a falling curve is at `share` of its start, between epochs in the logarithm. */
static double epoch_below(const lnt_record *record, const char *path, double share)
{
    lnt_array y, epoch;
    if (!lnt_record_array(record, path, &y) || !lnt_record_array(record, "epoch", &epoch))
        return NAN;
    for (int k = 1; k < y.dims[0]; k++)
        if (y.values[k] <= share * y.values[0])
            return epoch.values[k] - (epoch.values[k] - epoch.values[k - 1]) *
                                         log(y.values[k] / (share * y.values[0])) / log(y.values[k] / y.values[k - 1]);
    return NAN;
}

/* Epochs per eight decades of the training loss, without and with momentum: mean over data sets with its standard
 * error, and in the limit of many features. */
static lnt_status measure_rates(lnt_ctx *ctx, double epochs[2][3], double q, const lnt_reproduce_opts *opts)
{
    static const char *const path[] = {"plain/loss_train/mean", "plain+momentum/loss_train/mean"};
    const double rate[] = {2 * sqrt(q) / (1 + q), sqrt(q)}, fall = pow(10, -DECADES);
    int sets = opts->full ? 10 : 4;
    double sum[2] = {0}, squares[2] = {0};
    lnt_curves_opts o;
    lnt_curves_defaults(&o);
    o.features = opts->full ? 2000 : 600;
    o.samples = (int)lround(q * o.features);
    o.runs = 1;
    o.arms = "plain,plain+momentum";
    o.epochs = (int)(2 * log(10) * DECADES / -log(rate[0])) + 20;
    o.threads = opts->threads;
    for (int set = 0; set < sets; set++) {
        o.seed = opts->seed + (uint64_t)set;
        lnt_record *found = lnt_record_new("curves");
        lnt_status status = found ? lnt_curves_study(ctx, found, &o) : LNT_ENOMEM;
        for (int k = 0; k < 2 && status == LNT_OK; k++) {
            double taken = epoch_below(found, path[k], BEFORE * fall) - epoch_below(found, path[k], BEFORE);
            sum[k] += taken;
            squares[k] += taken * taken;
        }
        lnt_record_free(found);
        if (status != LNT_OK)
            return status;
    }
    for (int k = 0; k < 2; k++) {
        epochs[k][0] = sum[k] / sets;
        epochs[k][1] = sqrt(fmax(squares[k] / sets - epochs[k][0] * epochs[k][0], 0) / (sets - 1));
        epochs[k][2] = log(fall) / 2 / log(rate[k]);
    }
    return LNT_OK;
}

static void put_rates(lnt_ctx *ctx, lnt_record *record, const double *q, const double (*epochs)[2][3])
{
    static const double saving[] = {2.08, 3.52, 5.88, 11.27, 37.98}; /* ln s/ln R */
    static const double correction[] = {0.01890, NAN, 0.02903, 0.02998, 0.03030};
    lnt_table *table = lnt_record_table(record, "rates");
    for (int i = 0; i < QS; i++) {
        double s = sqrt(q[i]), R = 2 * s / (1 + q[i]), low, high;
        lnt_mp_edges(&low, &high, q[i]);
        lnt_tuned plain = lnt_tune(low, high, true, 0, false), momentum = lnt_tune(low, high, true, 0, true);
        lnt_table_row(table);
        lnt_table_set(table, "q", "", lnt_number(q[i]));
        lnt_table_set(table, "R", "", lnt_number(R));
        lnt_table_set(table, "rate_with_momentum", "", lnt_number(s));
        lnt_table_set(table, "lr", "", lnt_number(plain.rule.eta));
        lnt_table_set(table, "lr_with_momentum", "", lnt_number(momentum.rule.eta));
        lnt_table_set(table, "momentum", "", lnt_number(momentum.rule.beta));
        lnt_table_set(table, "lambda_R", "", lnt_number(lnt_equal_rate_ridge(low, high)));
        lnt_table_set(table, "correction", "", lnt_number(lnt_penalty_correction(q[i])));
        for (int k = 0; k < 2; k++) {
            const double *e = epochs[i][k];
            lnt_table_set(table, k ? "epochs_with_momentum" : "epochs", "", lnt_known(e[0]));
            lnt_table_set(table, k ? "predicted_with_momentum" : "predicted", "", lnt_known(e[2]));
            lnt_record_deviation(
                record, lnt_named(lnt_sprintf(ctx, "q = %.1f: epochs per 8 decades%s", q[i], k ? ", momentum" : "")),
                e[0], e[2], NAN, e[1]);
        }
        lnt_record_check(record, lnt_named(lnt_sprintf(ctx, "q = %.1f: saving by momentum, ln s/ln R", q[i])),
                         log(s) / log(R), saving[i], 0.005);
        lnt_record_check(record, lnt_named(lnt_sprintf(ctx, "q = %.1f: optimal momentum is q", q[i])),
                         momentum.rule.beta, q[i], 1e-12);
        lnt_record_check(record, lnt_named(lnt_sprintf(ctx, "q = %.1f: its step is q", q[i])), momentum.rule.eta, q[i],
                         1e-12);
        lnt_record_check(record, lnt_named(lnt_sprintf(ctx, "q = %.1f: step without is q/(1 + q)", q[i])),
                         plain.rule.eta, q[i] / (1 + q[i]), 1e-12);
        if (isfinite(correction[i]))
            lnt_record_check(record, lnt_named(lnt_sprintf(ctx, "q = %.1f: what equal rates cost, share", q[i])),
                             lnt_penalty_correction(q[i]), correction[i], 5e-6);
    }
}

static void draw_rates(lnt_record *record, const double *q, const double (*epochs)[2][3])
{
    enum { FINE = 60 };
    double x[FINE], plain[FINE], momentum[FINE], correction[FINE], limit[FINE], value[2][QS];
    for (int i = 0; i < FINE; i++) {
        x[i] = 0.05 + 0.9 * i / (FINE - 1);
        plain[i] = log(10) * -DECADES / 2 / log(2 * sqrt(x[i]) / (1 + x[i]));
        momentum[i] = log(10) * -DECADES / log(x[i]);
        correction[i] = 100 * lnt_penalty_correction(x[i]);
        limit[i] = 3;
    }
    for (int i = 0; i < QS; i++) {
        value[0][i] = epochs[i][0][0];
        value[1][i] = epochs[i][1][0];
    }
    const lnt_curve speed[] = {{"plain descent", LNT_CURVE_POINTS, QS, q, value[0], NULL},
                               {"with momentum", LNT_CURVE_POINTS, QS, q, value[1], NULL},
                               {"ln 1e-8/(2 ln R)", LNT_CURVE_THEORY, FINE, x, plain, NULL},
                               {"ln 1e-8/ln q", LNT_CURVE_THEORY, FINE, x, momentum, NULL}};
    const lnt_curve cost[] = {{"R_2/(1 - q) - 1", LNT_CURVE_LINE, FINE, x, correction, NULL},
                              {"3 %", LNT_CURVE_THEORY, FINE, x, limit, NULL}};
    const lnt_panel panel[] = {{.title = "",
                                .xlabel = "samples a feature, q",
                                .ylabel = "epochs per 8 decades of training loss",
                                .logy = true,
                                .curves = 4,
                                .curve = speed},
                               {.title = "",
                                .xlabel = "samples a feature, q",
                                .ylabel = "loss above that without penalty, %",
                                .curves = 2,
                                .curve = cost}};
    lnt_record_figure(record,
                      &(lnt_figure){"rates",
                                    "Left: how long descent takes, tuned for each data set; dashed, in the limit "
                                    "of many features. Right: what the ridge costs that is as fast as no ridge.",
                                    2, panel});
}

lnt_status lnt_rates_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                const lnt_reproduce_opts *opts)
{
    static const double q[QS] = {0.1, 0.3, 0.5, 0.7, 0.9};
    double epochs[QS][2][3];
    lnt_status status = LNT_OK;
    (void)self;
    for (int i = 0; i < QS && status == LNT_OK; i++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = measure_rates(ctx, epochs[i], q[i], opts);
        lnt_ctx_reset(ctx, mark);
    }
    if (status != LNT_OK)
        return status;
    put_rates(ctx, record, q, (const double(*)[2][3])epochs);
    lnt_judge(ctx, record, "q = 0.9: epochs", "relative", 0.4); /* edges of the spectrum scatter most there */
    lnt_judge(ctx, record, "epochs", "relative", 0.25);
    lnt_record_check(record, "what equal rates cost at most, share", lnt_penalty_correction(1), (3 * sqrt(2) - 4) / 8,
                     1e-12);
    draw_rates(record, q, (const double(*)[2][3])epochs);
    return LNT_OK;
}

/* ---- State evolution over lambda ---- */

enum { PENALTIES = 5 };

lnt_status lnt_evolution_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                    const lnt_reproduce_opts *opts)
{
    static const double lambda[PENALTIES] = {1e-4, 2e-4, 5e-4, 1.2e-3, 5e-3},
                        known[PENALTIES] = {0.01308, 0.01401, 0.01776, 0.02678, NAN};
    double simulated[PENALTIES], predicted[PENALTIES], error[PENALTIES];
    lnt_curves_opts o;
    (void)self;
    lnt_curves_defaults(&o);
    o.runs = opts->full ? 20 : 4;
    o.epochs = 1; /* the optimum is what counts, and is found by itself */
    o.arms = "lasso";
    o.teacher = "sparse:400";
    o.seed = opts->seed;
    o.threads = opts->threads;
    for (int i = 0; i < PENALTIES; i++) {
        lnt_lasso_risk typical;
        lnt_record *found = lnt_record_new("curves");
        lnt_mark mark = lnt_ctx_mark(ctx);
        o.lasso_lambda = lambda[i];
        lnt_status status = found ? lnt_curves_study(ctx, found, &o) : LNT_ENOMEM;
        if (status == LNT_OK)
            status = lnt_lasso_risk_predict(ctx, &typical, &(lnt_lasso_student){o.features, 0.7, 0.4, 1, 0, lambda[i]});
        if (status == LNT_OK) {
            simulated[i] = lnt_record_cell_number(found, "sparsity", 0, "converged_gen");
            error[i] = lnt_record_cell_number(found, "sparsity", 0, "converged_gen_sd") / sqrt(o.runs);
            predicted[i] = lnt_record_cell_number(found, "arms", 0, "limit_gen");
        }
        lnt_record_free(found);
        lnt_ctx_reset(ctx, mark);
        if (status != LNT_OK)
            return status;
        lnt_record_deviation(record,
                             lnt_named(lnt_sprintf(ctx, "lambda = %g: generalisation loss of the optimum", lambda[i])),
                             simulated[i], predicted[i], NAN, error[i]);
        if (isfinite(known[i]))
            lnt_record_check(
                record, lnt_named(lnt_sprintf(ctx, "lambda = %g: state evolution for a typical teacher", lambda[i])),
                typical.gen, known[i], 5e-6);
    }
    lnt_judge(ctx, record, "optimum", "sigmas", 4 * (1 + 4. / (o.runs - 1)));
    double low[PENALTIES], high[PENALTIES];
    for (int i = 0; i < PENALTIES; i++) {
        low[i] = simulated[i] - error[i];
        high[i] = simulated[i] + error[i];
    }
    const lnt_curve curve[] = {
        {"standard error", LNT_CURVE_BAND, PENALTIES, lambda, low, high},
        {"certified optimum, mean over data sets", LNT_CURVE_MARKS, PENALTIES, lambda, simulated, NULL},
        {"state evolution for this teacher", LNT_CURVE_THEORY, PENALTIES, lambda, predicted, NULL}};
    const lnt_panel panel = {.title = "",
                             .xlabel = "penalty lambda",
                             .ylabel = "generalisation loss of the optimum",
                             .logx = true,
                             .logy = true,
                             .curves = 3,
                             .curve = curve};
    lnt_record_figure(record, &(lnt_figure){"evolution",
                                            "The loss of the lasso's optimum over the penalty: beyond the boundary of "
                                            "exact recovery it stays away from 0 however small the penalty is.",
                                            1, &panel});
    return LNT_OK;
}
