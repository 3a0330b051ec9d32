/* What theory says about a regression problem, without data. */
#include "curves.h"

#include "setup.h"

#include <math.h>

extern const lnt_option lnt_regress_theory_options[];

#define LAMBDAS 61

void lnt_regress_theory_defaults(lnt_regress_theory_opts *opts)
{
    *opts = (lnt_regress_theory_opts){
        .q = 0.7, .lambda = NAN, .features = 1000, .density = 1, .teacher_norm = 1, .start_norm2 = NAN, .epochs = 200};
}

typedef struct prediction {
    const lnt_regress_theory_opts *opts;
    lnt_student student;
    lnt_population population; /* count 0: all variances 1 */
    double lambda;
} prediction;

/* ---- What is asked ---- */

static lnt_status read_population(lnt_ctx *ctx, prediction *p)
{
    const lnt_regress_theory_opts *o = p->opts;
    double *variance, *coefficient;
    lnt_status status = lnt_read_variances(ctx, &variance, o->spectrum, o->features);
    if (status != LNT_OK || !variance)
        return status;
    if (o->teacher) {
        lnt_mat T;
        status = lnt_matrix_read(ctx, &T, o->teacher);
        if (status != LNT_OK)
            return status;
        if ((size_t)T.rows * (size_t)T.cols != (size_t)o->features || !lnt_mat_finite(T))
            return lnt_fail(ctx, LNT_ESHAPE, "%s: %d finite coefficients are needed, one for each variance", o->teacher,
                            o->features);
        coefficient = T.a;
    } else {
        coefficient = lnt_alloc(ctx, (size_t)o->features, sizeof *coefficient);
        if (!coefficient)
            return LNT_ENOMEM;
        for (int i = 0; i < o->features; i++)
            coefficient[i] = o->teacher_norm / sqrt(o->features);
    }
    p->population = (lnt_population){o->features, variance, coefficient, o->noise * o->noise};
    return LNT_OK;
}

static lnt_status resolve(lnt_ctx *ctx, prediction *p, const lnt_regress_theory_opts *o)
{
    double low, high, start2 = isnan(o->start_norm2) ? 1 / o->q : o->start_norm2, t = o->teacher_norm;
    *p = (prediction){.opts = o, .student = {o->q, start2, o->overlap, t * t, o->noise * o->noise, o->features}};
    lnt_mp_edges(&low, &high, o->q);
    p->lambda = o->penalty == LNT_PENALTY_NONE ? 0 : isnan(o->lambda) ? lnt_equal_rate_ridge(low, high) : o->lambda;
    if (o->overlap * o->overlap > start2 * t * t * (1 + 1e-12))
        return lnt_fail(ctx, LNT_EDOMAIN, "--overlap %g: S0.T is at most |S0| |T| = %g", o->overlap, sqrt(start2) * t);
    if (o->penalty == LNT_PENALTY_LASSO && isnan(o->lambda))
        return lnt_fail(ctx, LNT_EUSAGE, "the lasso has no automatic lambda: use --lambda X");
    if (o->penalty == LNT_PENALTY_LASSO && o->spectrum)
        return lnt_fail(ctx, LNT_EUSAGE, "--spectrum: theory of the lasso is for variances of 1 only");
    if (o->penalty == LNT_PENALTY_NONE && o->lambda > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--lambda %g: of which penalty? use --penalty ridge or lasso", o->lambda);
    if (o->teacher && !o->spectrum)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--teacher gives coefficients along a --spectrum: without one |T| is all "
                        "that counts, --teacher-norm");
    return read_population(ctx, p);
}

/* ---- Where learning ends ---- */

static lnt_status lasso_at(lnt_ctx *ctx, lnt_lasso_risk *risk, const prediction *p, double lambda)
{
    const lnt_regress_theory_opts *o = p->opts;
    const lnt_lasso_student student = {o->features, o->q, o->density, p->student.teacher2, p->student.noise2, lambda};
    return lnt_lasso_risk_predict(ctx, risk, &student);
}

static lnt_status limit_at(lnt_ctx *ctx, lnt_predicted_loss *limit, lnt_ridge_risk *risk, const prediction *p,
                           double lambda)
{
    const lnt_smooth_rule rule = {.eta = 0, .lambda = lambda};
    *risk = (lnt_ridge_risk){.kappa = NAN, .distance2 = NAN};
    if (!p->population.count)
        return lnt_predict_limit(ctx, limit, &p->student, &rule);
    lnt_status status = lnt_ridge_risk_predict(ctx, risk, &p->population, p->opts->q * p->opts->features, lambda);
    *limit = (lnt_predicted_loss){risk->gen, risk->train / 2, NAN, NAN};
    return status;
}

static lnt_status put_limit(lnt_ctx *ctx, lnt_record *record, const prediction *p)
{
    lnt_predicted_loss limit = {NAN, NAN, NAN, NAN};
    lnt_ridge_risk risk;
    lnt_lasso_risk lasso = {.gen = NAN};
    bool l1 = p->opts->penalty == LNT_PENALTY_LASSO;
    lnt_status status = l1 ? lasso_at(ctx, &lasso, p, p->lambda) : limit_at(ctx, &limit, &risk, p, p->lambda);
    if (status != LNT_OK)
        return status;
    lnt_record_fact(record, "theory", "lambda", "", lnt_number(p->lambda));
    lnt_record_fact(record, "theory", "loss_gen", "", lnt_known(l1 ? lasso.gen : limit.gen));
    lnt_record_fact(record, "theory", "loss_train", "", lnt_known(l1 ? lasso.train : limit.train));
    if (l1) {
        lnt_record_fact(record, "theory", "active", "", lnt_number(lasso.active));
        lnt_record_fact(record, "theory", "threshold", "", lnt_known(lasso.threshold));
        lnt_record_fact(record, "theory", "alpha", "", lnt_known(lasso.alpha));
        lnt_record_fact(record, "theory", "tau", "", lnt_number(lasso.tau));
        lnt_recovery_facts(ctx, record, p->opts->features, p->opts->density, p->opts->q, p->student.noise2);
    } else if (p->population.count) {
        lnt_record_fact(record, "theory", "kappa", "", lnt_known(risk.kappa));
        lnt_record_fact(record, "theory", "test_error", "", lnt_known(risk.test));
        lnt_record_fact(record, "theory", "distance2", "", lnt_known(risk.distance2));
    } else {
        lnt_record_fact(record, "theory", "loss_gen_band", "", lnt_known(limit.gen_sd));
    }
    if (!l1 && !isfinite(limit.gen))
        lnt_record_warn(record,
                        "at q = 1 without a penalty the noise drives the loss beyond all bounds: stop early, or use "
                        "--penalty ridge");
    return LNT_OK;
}

/* ---- Learning curves ---- */

static lnt_status put_curve(lnt_ctx *ctx, lnt_record *record, const prediction *p, const char *arm, lnt_tuned tuned,
                            lnt_predicted_loss **out)
{
    int rows = p->opts->epochs + 1;
    double *values = lnt_alloc(ctx, (size_t)rows, sizeof *values);
    const char *gen = lnt_sprintf(ctx, "%s/loss_gen", arm), *train = lnt_sprintf(ctx, "%s/loss_train", arm);
    *out = lnt_alloc(ctx, (size_t)rows, sizeof **out);
    if (!values || !gen || !train || !*out)
        return LNT_ENOMEM;
    lnt_table *table = lnt_record_table(record, "hyperparameters");
    lnt_table_row(table);
    lnt_table_set(table, "arm", "", lnt_string(arm));
    lnt_table_set(table, "lr", "", lnt_number(tuned.rule.eta));
    lnt_table_set(table, "momentum", "", lnt_number(tuned.rule.beta));
    lnt_table_set(table, "lambda", "", lnt_number(tuned.rule.lambda));
    lnt_table_set(table, "rate", "", lnt_number(tuned.rate));
    lnt_status status = lnt_predict_curve(ctx, *out, &p->student, &tuned.rule, rows, NULL);
    for (int k = 0; k < rows && status == LNT_OK; k++)
        values[k] = (*out)[k].gen;
    if (status == LNT_OK)
        lnt_record_series(record, gen, "", values, rows);
    for (int k = 0; k < rows && status == LNT_OK; k++)
        values[k] = (*out)[k].train;
    if (status == LNT_OK)
        lnt_record_series(record, train, "", values, rows);
    return status;
}

static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const prediction *p, const double *epoch,
                             const char *const arm[], lnt_predicted_loss *const curve[], int arms)
{
    int rows = p->opts->epochs + 1;
    lnt_curve *drawn = lnt_alloc(ctx, 4, sizeof *drawn);
    double *y = lnt_alloc(ctx, 4 * (size_t)rows, sizeof *y);
    if (!drawn || !y)
        return LNT_ENOMEM;
    for (int a = 0; a < arms; a++)
        for (int train = 0; train < 2; train++) {
            double *values = y + (size_t)(2 * train + a) * (size_t)rows;
            for (int k = 0; k < rows; k++)
                values[k] = train ? curve[a][k].train : curve[a][k].gen;
            drawn[2 * train + a] = (lnt_curve){arm[a], LNT_CURVE_LINE, rows, epoch, values, NULL};
        }
    const lnt_panel panel[] = {{.title = "",
                                .xlabel = "epoch",
                                .ylabel = "generalisation loss |S - T|^2/2",
                                .logy = true,
                                .curves = arms,
                                .curve = drawn},
                               {.title = "",
                                .xlabel = "epoch",
                                .ylabel = "training loss |y - X'S|^2/(2n)",
                                .logy = true,
                                .curves = arms,
                                .curve = drawn + 2}};
    const lnt_figure figure = {"curves", "Learning curves of infinitely large data sets, each with its fastest step.",
                               2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

static lnt_status put_curves(lnt_ctx *ctx, lnt_record *record, const prediction *p)
{
    static const char *const names[][2] = {{"plain", "plain+momentum"}, {"ridge", "ridge+momentum"}};
    const char *const *arm = names[p->lambda > 0];
    int rows = p->opts->epochs + 1, arms = 0;
    double low, high, *epoch = lnt_alloc(ctx, (size_t)rows, sizeof *epoch);
    lnt_predicted_loss *curve[2];
    if (!epoch)
        return LNT_ENOMEM;
    for (int k = 0; k < rows; k++)
        epoch[k] = k;
    lnt_mp_edges(&low, &high, p->student.q);
    lnt_record_series(record, "epoch", "", epoch, rows);
    lnt_status status = LNT_OK;
    for (int momentum = 0; momentum < 2 && status == LNT_OK; momentum++) {
        lnt_tuned tuned = lnt_tune(low, high, p->student.q < 1, p->lambda, momentum);
        if (tuned.rule.beta < 1) /* at q = 1 without a penalty there is no fastest momentum */
            status = put_curve(ctx, record, p, arm[momentum], tuned, &curve[arms++]);
    }
    return status == LNT_OK ? put_figure(ctx, record, p, epoch, arm, curve, arms) : status;
}

/* ---- Stopping, and the best penalty ---- */

static lnt_status put_stopping(lnt_ctx *ctx, lnt_record *record, const prediction *p)
{
    double time, gen;
    lnt_student rest = p->student;
    lnt_status status = lnt_best_stop(ctx, &time, &gen, &p->student, p->lambda);
    if (status != LNT_OK)
        return status;
    lnt_record_fact(record, "stopping", "best_time", "t = steps x lr", lnt_known(time));
    lnt_record_fact(record, "stopping", "best_loss_gen", "", lnt_known(gen));
    if (p->student.noise2 > 0 && p->student.teacher2 > 0) {
        const lnt_smooth_rule rule = {.lambda = lnt_best_ridge(&rest)};
        lnt_predicted_loss limit;
        status = lnt_predict_limit(ctx, &limit, &rest, &rule);
        lnt_record_fact(record, "stopping", "best_ridge", "", lnt_number(rule.lambda));
        lnt_record_fact(record, "stopping", "best_ridge_loss_gen", "", lnt_known(limit.gen));
    }
    if (p->student.q < 1 && p->student.noise2 == 0)
        lnt_record_fact(record, "stopping", "ridge_correction", "", lnt_number(lnt_penalty_correction(p->student.q)));
    return status;
}

/* Losses over three decades of lambda to either side. */
static lnt_status put_lambdas(lnt_ctx *ctx, lnt_record *record, const prediction *p)
{
    bool l1 = p->opts->penalty == LNT_PENALTY_LASSO;
    double centre = p->lambda > 0 ? p->lambda : 0.1, *x = lnt_alloc(ctx, 3 * LAMBDAS, sizeof *x);
    double *gen = x + LAMBDAS, *train = gen + LAMBDAS;
    int best = 0;
    if (!x)
        return LNT_ENOMEM;
    lnt_table *table = lnt_record_table(record, "lambdas");
    for (int k = 0; k < LAMBDAS; k++) {
        lnt_lasso_risk lasso = {.gen = NAN};
        lnt_ridge_risk risk;
        lnt_predicted_loss limit = {NAN, NAN, NAN, NAN};
        x[k] = centre * pow(10, 6. * k / (LAMBDAS - 1) - 3);
        lnt_status status = l1 ? lasso_at(ctx, &lasso, p, x[k]) : limit_at(ctx, &limit, &risk, p, x[k]);
        if (status != LNT_OK)
            return status;
        gen[k] = l1 ? lasso.gen : limit.gen;
        train[k] = l1 ? lasso.train : limit.train;
        best = gen[k] < gen[best] ? k : best;
        lnt_table_row(table);
        lnt_table_set(table, "lambda", "", lnt_number(x[k]));
        lnt_table_set(table, "loss_gen", "", lnt_known(gen[k]));
        lnt_table_set(table, "loss_train", "", lnt_known(train[k]));
        lnt_table_set(table, "active", "", l1 ? lnt_number(lasso.active) : (lnt_value){0});
    }
    lnt_record_fact(record, "theory", "best_lambda", "", lnt_number(x[best]));
    lnt_record_fact(record, "theory", "best_lambda_loss_gen", "", lnt_known(gen[best]));
    const lnt_curve curve[] = {{"generalisation", LNT_CURVE_LINE, LAMBDAS, x, gen, NULL},
                               {"training", LNT_CURVE_LINE, LAMBDAS, x, train, NULL}};
    const lnt_panel panel = {
        .title = "", .xlabel = "lambda", .ylabel = "loss", .logx = true, .logy = true, .curves = 2, .curve = curve};
    const lnt_figure figure = {"lambda", "Losses of the minimum over the penalty.", 1, &panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_regress_theory_opts *opts = user;
    prediction p;
    lnt_status status = resolve(ctx, &p, opts);
    if (status == LNT_OK)
        status = put_limit(ctx, record, &p);
    if (status == LNT_OK && opts->penalty != LNT_PENALTY_LASSO && !p.population.count) {
        status = put_curves(ctx, record, &p);
        if (status == LNT_OK)
            status = put_stopping(ctx, record, &p);
    }
    if (status == LNT_OK && opts->penalty != LNT_PENALTY_NONE)
        status = put_lambdas(ctx, record, &p);
    return status;
}

lnt_status lnt_regress_theory_study(lnt_ctx *ctx, lnt_record *record, const lnt_regress_theory_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_regress_theory_options, opts, study);
}
