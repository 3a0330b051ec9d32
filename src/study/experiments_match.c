/* The experiments on covariance matching, on generated populations: as the source has it, and as it is right. */
#include "experiment.h"

#include "linnet/match_data.h"
#include "linnet/match_diagonal.h"

#include <math.h>

#define DRAWS 8

ADOPT(matching)
ADOPT(matching_flow)

static lnt_matching_opts demo(const lnt_reproduce_opts *opts)
{
    lnt_matching_opts o;
    lnt_matching_defaults(&o);
    o.data.demo = true;
    o.data.seed = opts->seed;
    o.threads = opts->threads;
    return o;
}

/* ---- One draw at one lambda ---- */

typedef struct draw {
    double error;                 /* |W_lin - W|/|W| */
    double misfit;                /* of equation (1) */
    double agreement;             /* R^2 of its right side for its left */
    double full, linear, overlap; /* R^2 of the validation trial */
    double eta, radius, gap;
    double diagonal; /* largest weight on the diagonal over the largest off it */
} draw;

static lnt_status validation(lnt_ctx *ctx, double *r2, const lnt_match_data *data, lnt_mat Z1, lnt_mat Z3)
{
    int M = data->X[0].cols;
    lnt_mat S, C;
    lnt_status status = lnt_mat_alloc(ctx, &S, M, M);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &C, M, M);
    if (status == LNT_OK)
        status = lnt_match_target(ctx, S, data->Y[0], data->Y[2]);
    if (status == LNT_OK)
        status = lnt_match_target(ctx, C, Z1, Z3);
    if (status == LNT_OK)
        *r2 = lnt_match_r2(S, C, false);
    return status;
}

/* R^2 of Z = I + diag(d) + U D U^T; d NULL: 0. */
static lnt_status score(lnt_ctx *ctx, double *r2, const lnt_match *m, const lnt_match_data *data, const double *d,
                        lnt_mat D)
{
    lnt_mat Z1, Z3;
    double *zero = lnt_alloc_zero(ctx, (size_t)m->cells, sizeof *zero);
    lnt_status status = zero ? lnt_mat_alloc(ctx, &Z1, m->cells, m->stimuli) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z3, m->cells, m->stimuli);
    if (status == LNT_OK)
        status = lnt_match_diagonal_apply(ctx, Z1, m, d ? d : zero, D, data->X[0]);
    if (status == LNT_OK)
        status = lnt_match_diagonal_apply(ctx, Z3, m, d ? d : zero, D, data->X[2]);
    return status == LNT_OK ? validation(ctx, r2, data, Z1, Z3) : status;
}

static lnt_status weights_by_place(lnt_ctx *ctx, draw *d, const lnt_match *m, const lnt_match_fit *fit)
{
    lnt_mat W;
    double on = 0, off = 0;
    lnt_status status = lnt_mat_alloc(ctx, &W, m->cells, m->cells);
    if (status == LNT_OK)
        status = lnt_match_weights(ctx, W, m, fit);
    for (int j = 0; j < m->cells && status == LNT_OK; j++)
        for (int i = 0; i < m->cells; i++)
            *(i == j ? &on : &off) = fmax(i == j ? on : off, fabs(*lnt_at(W, i, j)));
    d->diagonal = on / off;
    return status;
}

static lnt_status make_draw(lnt_ctx *ctx, draw *d, lnt_match_generator *g, uint64_t seed, double lam0)
{
    lnt_match_data data;
    lnt_match m;
    lnt_match_fit linear, full;
    lnt_mat S, D;
    double *diagonal = lnt_alloc(ctx, (size_t)g->cells, sizeof *diagonal), lambda;
    lnt_status status = diagonal ? lnt_match_generate(ctx, &data, g, seed) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &S, g->stimuli, g->stimuli);
    if (status == LNT_OK)
        status = lnt_match_target(ctx, S, data.Y[0], data.Y[0]);
    if (status == LNT_OK)
        status = lnt_match_make(ctx, &m, data.X[0], S, NULL);
    if (status != LNT_OK)
        return status;
    lambda = lnt_match_lambda(lam0, g->cells, g->stimuli);
    if ((status = lnt_match_linear(ctx, &linear, &m, lambda)) == LNT_OK)
        status = lnt_match_full(ctx, &full, &m, lambda, NULL);
    if (status == LNT_OK)
        status = lnt_match_balance(ctx, &d->misfit, &d->agreement, NULL, NULL, &m, &full);
    if (status == LNT_OK)
        status = score(ctx, &d->full, &m, &data, NULL, full.D);
    if (status == LNT_OK)
        status = score(ctx, &d->linear, &m, &data, NULL, linear.D);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &D, m.rank, m.rank);
    if (status == LNT_OK)
        status = lnt_match_overlap(ctx, diagonal, D, &m, lambda, lambda / 10);
    if (status == LNT_OK)
        status = score(ctx, &d->overlap, &m, &data, diagonal, D);
    if (status == LNT_OK)
        status = weights_by_place(ctx, d, &m, &full);
    if (status != LNT_OK)
        return status;
    d->eta = linear.eta;
    d->radius = full.radius;
    d->gap = full.gap / full.loss;
    lnt_mat_add(linear.D, -1, full.D);
    d->error = lnt_mat_norm(linear.D) / full.norm;
    return LNT_OK;
}

/* Draws with the seeds after that of the experiment, and a table of them. */
static lnt_status make_draws(lnt_ctx *ctx, lnt_record *record, draw d[DRAWS], const lnt_reproduce_opts *opts,
                             bool sparse, double lam0)
{
    lnt_match_generator g;
    lnt_status status = LNT_OK;
    lnt_match_generator_defaults(&g, sparse);
    lnt_table *table = lnt_record_table(record, "draws");
    for (int k = 0; k < DRAWS && status == LNT_OK; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = make_draw(ctx, &d[k], &g, opts->seed + (uint64_t)k, lam0);
        lnt_ctx_reset(ctx, mark);
        if (status != LNT_OK)
            return status;
        lnt_table_row(table);
        lnt_table_set(table, "lam0", "", lnt_number(lam0));
        lnt_table_set(table, "draw", "", lnt_integer(k));
        lnt_table_set(table, "linear_error", "", lnt_number(d[k].error));
        lnt_table_set(table, "eta", "", lnt_number(d[k].eta));
        lnt_table_set(table, "balance_misfit", "", lnt_number(d[k].misfit));
        lnt_table_set(table, "balance_r2", "", lnt_number(d[k].agreement));
        lnt_table_set(table, "validation_full", "", lnt_number(d[k].full));
        lnt_table_set(table, "validation_linear", "", lnt_number(d[k].linear));
        lnt_table_set(table, "validation_linear_with_diagonal", "", lnt_number(d[k].overlap));
        lnt_table_set(table, "diagonal_over_rest", "", lnt_number(d[k].diagonal));
    }
    return status;
}

#define MEDIAN(d, field)                                                                                               \
    lnt_median((double[DRAWS]){(d)[0].field, (d)[1].field, (d)[2].field, (d)[3].field, (d)[4].field, (d)[5].field,     \
                               (d)[6].field, (d)[7].field},                                                            \
               DRAWS)

/* The least and the largest of eight known draws, with room for others. */
static void check_band(lnt_record *record, const char *name, double value, double low, double high)
{
    lnt_record_check(record, name, value, (low + high) / 2, (high - low) / 2);
}

/* ---- The experiments ---- */

/* As the source has it: the linear model, at the lambda that is best for the whole one. */
lnt_status lnt_match_linear_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                       const lnt_reproduce_opts *opts)
{
    draw weak[DRAWS], strong[DRAWS];
    lnt_matching_opts o = demo(opts);
    (void)self;
    o.method = LNT_MATCHING_LINEAR;
    lnt_status status = adopt_matching(ctx, record, &o);
    if (status == LNT_OK)
        status = make_draws(ctx, record, weak, opts, false, 1e6);
    if (status == LNT_OK)
        status = make_draws(ctx, record, strong, opts, false, 1e9);
    if (status != LNT_OK)
        return status;
    check_band(record, "lam0 = 1e6: relative error of the linear model, median", MEDIAN(weak, error), 0.6, 0.85);
    check_band(record, "lam0 = 1e6: eta, its estimate, over the error", MEDIAN(weak, eta) / MEDIAN(weak, error), 1.5,
               3.6);
    check_band(record, "lam0 = 1e6: R^2 of the validation trial, linear", MEDIAN(weak, linear), -20, -2);
    check_band(record, "lam0 = 1e9: relative error of the linear model, median", MEDIAN(strong, error), 0.01, 0.05);
    check_band(record, "lam0 = 1e9: eta over the error", MEDIAN(strong, eta) / MEDIAN(strong, error), 1.1, 1.6);
    lnt_record_check(record, "lam0 = 1e9: R^2 of the validation trial, linear less full",
                     MEDIAN(strong, linear) - MEDIAN(strong, full), 0, 0.02);
    return LNT_OK;
}

lnt_status lnt_match_full_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                     const lnt_reproduce_opts *opts)
{
    draw weak[DRAWS], strong[DRAWS];
    lnt_matching_opts o = demo(opts);
    double gap = 0;
    (void)self;
    lnt_status status = adopt_matching(ctx, record, &o);
    if (status == LNT_OK)
        status = make_draws(ctx, record, weak, opts, false, 1e6);
    if (status == LNT_OK)
        status = make_draws(ctx, record, strong, opts, false, 1e9);
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < DRAWS; k++)
        gap = fmax(gap, fmax(weak[k].gap, strong[k].gap));
    lnt_record_check(record, "largest relative duality gap of all draws", gap, 0, 1e-10);
    check_band(record, "lam0 = 1e6: R^2 of the validation trial, full", MEDIAN(weak, full), 0.6, 0.9);
    check_band(record, "lam0 = 1e6: radius of W", MEDIAN(weak, radius), 1.4, 2.8);
    check_band(record, "lam0 = 1e6: misfit of equation (1)", MEDIAN(weak, misfit), 3.5, 10);
    check_band(record, "lam0 = 1e9: misfit of equation (1)", MEDIAN(strong, misfit), 0.005, 0.04);
    check_band(record, "lam0 = 1e9: R^2 of its right side for its left", MEDIAN(strong, agreement), 0.998, 1);
    return LNT_OK;
}

/* The conclusion of the source: that a diagonal is missing. */
lnt_status lnt_match_diagonal_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                         const lnt_reproduce_opts *opts)
{
    draw d[DRAWS];
    int worse = 0, better = 0;
    lnt_matching_opts o = demo(opts);
    (void)self;
    o.method = LNT_MATCHING_OVERLAP;
    o.lam0 = "1e6";
    o.lambda_diagonal = lnt_match_lambda(1e5, 148, 48);
    lnt_status status = adopt_matching(ctx, record, &o);
    if (status == LNT_OK)
        status = make_draws(ctx, record, d, opts, false, 1e6);
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < DRAWS; k++) {
        worse += d[k].overlap < d[k].linear;
        better += d[k].full > fmax(d[k].linear, d[k].overlap);
    }
    lnt_record_check(record, "draws in which a diagonal makes the linear model worse", worse, DRAWS, 1);
    lnt_record_check(record, "draws in which the whole problem is better than both", better, DRAWS, 0);
    return LNT_OK;
}

/* Cells that decorrelate: large weights onto themselves, at small lambda. */
lnt_status lnt_match_sparse_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                       const lnt_reproduce_opts *opts)
{
    draw d[3][DRAWS];
    static const double lam0[] = {1e9, 1e6, 3e5};
    lnt_matching_opts o = demo(opts);
    (void)self;
    o.data.preset = 1;
    lnt_status status = adopt_matching(ctx, record, &o);
    for (int k = 0; k < 3 && status == LNT_OK; k++)
        status = make_draws(ctx, record, d[k], opts, true, lam0[k]);
    if (status != LNT_OK)
        return status;
    check_band(record, "lam0 = 1e9: largest weight on the diagonal over the largest off it", MEDIAN(d[0], diagonal),
               0.9, 1.4);
    check_band(record, "lam0 = 1e6: the same", MEDIAN(d[1], diagonal), 1, 2.2);
    check_band(record, "lam0 = 3e5: the same", MEDIAN(d[2], diagonal), 1.1, 2.6);
    return LNT_OK;
}

/* lambda = 0: which of the maps that fit exactly moves least. */
lnt_status lnt_match_transport_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                          const lnt_reproduce_opts *opts)
{
    lnt_matching_opts o = demo(opts);
    (void)self;
    o.method = LNT_MATCHING_TRANSPORT;
    o.data.cells = 60;
    o.data.stimuli = 12;
    lnt_status status = adopt_matching(ctx, record, &o);
    if (status != LNT_OK)
        return status;
    static const char *const fits[] = {"least weights: R^2", "optimal transport: R^2", "CORAL: R^2"};
    double moved[3], norm[3];
    for (int k = 0; k < 3; k++) { /* after the row of no change */
        moved[k] = lnt_record_cell_number(record, "comparison", k + 1, "moved");
        norm[k] = lnt_record_cell_number(record, "comparison", k + 1, "norm");
        lnt_record_check(record, fits[k], lnt_record_cell_number(record, "comparison", k + 1, "r2_train"), 1, 1e-9);
    }
    check_band(record, "activity moved, optimal transport over CORAL", moved[1] / moved[2], 0, 1);
    check_band(record, "activity moved, optimal transport over least weights", moved[1] / moved[0], 0, 1);
    check_band(record, "weights, least over those of optimal transport", norm[0] / norm[1], 0, 1);
    return LNT_OK;
}

lnt_status lnt_match_dynamics_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                         const lnt_reproduce_opts *opts)
{
    lnt_matching_flow_opts o;
    (void)self;
    lnt_matching_flow_defaults(&o);
    o.data.demo = true;
    o.data.seed = opts->seed;
    o.data.stimuli = opts->full ? 48 : 12;
    o.lambda = 1e4;
    lnt_status status = adopt_matching_flow(ctx, record, &o);
    lnt_judge(ctx, record, "", "relative", 1e-9);
    return status;
}
