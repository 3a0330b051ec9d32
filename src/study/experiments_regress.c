/* The experiments on regression: each is one call of a study, as its source wrote it or as it is right. */
#include "experiment.h"
#include "linnet/lasso_risk.h"

#include <math.h>
#include <string.h>

ADOPT(curves)

/* The deviation of that name: whether it is within 4 standard errors, more where these come from few runs, plus the
 * bias of finite sizes. */
static void check_deviation(lnt_ctx *ctx, lnt_record *record, const char *name, int runs, double bias)
{
    lnt_value value;
    for (int row = 0; row < lnt_record_rows(record, "deviations"); row++) {
        if (!lnt_record_cell(record, "deviations", row, "name", &value) || value.kind != LNT_STRING ||
            strcmp(value.string, name) != 0)
            continue;
        double simulated = lnt_record_cell_number(record, "deviations", row, "simulated");
        double predicted = lnt_record_cell_number(record, "deviations", row, "predicted");
        double error = fabs(lnt_record_cell_number(record, "deviations", row, "absolute") /
                            lnt_record_cell_number(record, "deviations", row, "sigmas"));
        const char *title = lnt_sprintf(ctx, "%s, against theory", name);
        if (title)
            lnt_record_check(record, title, simulated, predicted, 4 * (1 + 4. / (runs - 1)) * error + bias);
        return;
    }
    lnt_record_check(record, name, NAN, 0, 0); /* a deviation that is missing must not pass */
}

static double row_number(const lnt_record *record, const char *table, const char *arm, const char *column)
{
    lnt_value value;
    for (int row = 0; row < lnt_record_rows(record, table); row++)
        if (lnt_record_cell(record, table, row, "arm", &value) && value.kind == LNT_STRING &&
            strcmp(value.string, arm) == 0)
            return lnt_record_cell_number(record, table, row, column);
    return NAN;
}

/* ---- Dense teacher: ridge, momentum ---- */

#define PLAIN_LIMIT(start2) (0.15 * ((start2) + 1)) /* (1 - q)(|S0|^2 + |T|^2)/2, S0.T = 0, q = .7 */

lnt_status lnt_dense_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                const lnt_reproduce_opts *opts)
{
    static const char *const arms[] = {"plain", "ridge", "plain+momentum", "ridge+momentum"};
    bool text = strstr(self->name, "text");
    lnt_curves_opts o;
    lnt_curves_defaults(&o);
    o.runs = opts->full ? 100 : 10;
    o.init_norm = text ? 1 : NAN;
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_curves(ctx, record, &o);
    if (status != LNT_OK)
        return status;
    for (int a = 0; a < 4; a++) {
        const char *name = lnt_sprintf(ctx, "%s: generalisation loss at the end", arms[a]);
        if (name)
            check_deviation(ctx, record, name, o.runs, 2. / o.features);
    }
    double q = (double)o.samples / o.features, start2 = lnt_record_fact_number(record, "task", "start_norm2");
    double overlap = lnt_record_fact_number(record, "task", "overlap");
    lnt_record_check(record, "|S0|^2", start2, text ? 1 : 1 / q, 4 * (text ? 1 : 1 / q) * sqrt(2. / o.features));
    lnt_record_check(record, "floor of plain descent in theory, less the overlap",
                     row_number(record, "arms", "plain", "limit_gen") + 0.3 * overlap, PLAIN_LIMIT(start2), 1e-9);
    lnt_record_check(record, "asymptotic lambda_R", row_number(record, "hyperparameters", "ridge", "lambda_limit"),
                     0.03841806244289, 1e-12);
    lnt_record_check(record, "asymptotic rate of plain descent",
                     row_number(record, "hyperparameters", "plain", "lr_limit"), 0.41176470588235, 1e-12);
    lnt_record_check(record, "and of ridge, which is another one",
                     row_number(record, "hyperparameters", "ridge", "lr_limit"), 0.40850802, 1e-7);
    lnt_record_check(record, "asymptotic momentum is q",
                     row_number(record, "hyperparameters", "plain+momentum", "momentum_limit"), q, 1e-12);
    lnt_judge(ctx, record, "training loss", "sigmas", 4 * (1 + 4. / (o.runs - 1)));
    return LNT_OK;
}

/* ---- Sparse teacher: lasso ---- */

lnt_status lnt_sparse_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                 const lnt_reproduce_opts *opts)
{
    bool text = strstr(self->name, "text"), dense = strstr(self->name, "dense");
    lnt_curves_opts o;
    lnt_curves_defaults(&o);
    o.runs = opts->full ? 10 : 5;
    o.epochs = 500;
    o.arms = "plain,ridge,lasso";
    o.teacher = dense ? "dense" : "sparse:400";
    o.lasso_lambda = text ? 5e-3 : 1.2e-3;
    o.lasso_lr = 0.4;
    o.init_norm = text ? 1 : NAN;
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_curves(ctx, record, &o);
    if (status != LNT_OK)
        return status;
    check_deviation(ctx, record, "plain: generalisation loss at the end", o.runs, 2. / o.features);
    check_deviation(ctx, record, "ridge: generalisation loss at the end", o.runs, 2. / o.features);
    check_deviation(ctx, record, "lasso: generalisation loss of the optimum", o.runs, 2. / o.features);
    lnt_lasso_risk typical;
    const lnt_lasso_student student = {o.features, 0.7, dense ? 1 : 0.4, 1, 0, o.lasso_lambda};
    status = lnt_lasso_risk_predict(ctx, &typical, &student);
    if (!text)
        lnt_record_check(record, "state evolution of the optimum, typical teacher", typical.gen,
                         dense ? 0.22634 : 0.02678, 5e-6);
    lnt_record_check(record, "and of this one: ratio to it",
                     row_number(record, "arms", "lasso", "limit_gen") / typical.gen, 1, 0.5);
    lnt_record_check(record, "certificate of the optimum: largest relative duality gap",
                     row_number(record, "sparsity", "lasso", "largest_gap"), 0, 1e-9);
    lnt_judge(ctx, record, "training loss", "sigmas", 4 * (1 + 4. / (o.runs - 1)));
    if (!dense) {
        lnt_record_check(record, "samples that exact recovery needs",
                         lnt_record_fact_number(record, "recovery", "samples_needed"), 750, 0);
        double final = row_number(record, "arms", "lasso", "loss_gen");
        lnt_record_check(record, "lasso below ridge: share of its loss",
                         final / row_number(record, "arms", "ridge", "loss_gen"), 0.5, 0.499);
    }
    return status;
}
