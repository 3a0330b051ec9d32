/* Experiments on theory beyond the sources: closed forms where they are hard, and what has a certificate. */
#include "experiment.h"

#include "linnet/match.h"
#include "linnet/match_data.h"
#include "linnet/modes.h"
#include "linnet/rng.h"

#include <math.h>
#include <string.h>

ADOPT(modes)
ADOPT(complete)
ADOPT(recovery)

/* ---- The Riccati solution in hard cases ---- */

lnt_status lnt_riccati_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                  const lnt_reproduce_opts *opts)
{
    static const struct {
        const char *name, *task, *init;
        int hidden;
    } cases[] = {
        {"wide", "teacher:inputs=8,outputs=3,singular=1.5/1/0.5", "balanced:0,0.1", 3},
        {"narrow", "teacher:inputs=3,outputs=8,singular=1.5/1/0.5", "balanced:0,0.1", 3},
        {"bottleneck", "teacher:inputs=5,outputs=5,singular=1.5/1/0.7/0.5", "balanced:0,0.1", 2},
        {"many hidden units", "teacher:inputs=4,outputs=4,singular=1.5/1/0.5/0.2", "orthogonal", 4},
        {"task of rank 1", "teacher:inputs=5,outputs=4,singular=1", "balanced:0,0.3", 4},
        {"equal strengths", "teacher:inputs=4,outputs=4,singular=1/1/1", "balanced:0,0.1", 4},
        {"lambda = 2", "teacher:inputs=5,outputs=4,singular=1.5/1/0.5", "balanced:2,0.1", 3},
        {"lambda = -2", "teacher:inputs=5,outputs=4,singular=1.5/1/0.5", "balanced:-2,0.1", 3},
        {"lambda = 1e-6", "teacher:inputs=5,outputs=4,singular=1.5/1/0.5", "balanced:1e-6,0.1", 3},
        {"products of 1e-8", "teacher:inputs=5,outputs=4,singular=1.5/1/0.5", "balanced:0,1e-8", 3},
        {"products of 10", "teacher:inputs=5,outputs=4,singular=1.5/1/0.5", "balanced:0,10", 3},
    };
    (void)self;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        lnt_modes_opts o;
        lnt_modes_defaults(&o);
        o.task.builtin = cases[k].task;
        o.hidden = cases[k].hidden;
        o.init = cases[k].init;
        o.method = "riccati,flow";
        o.time = 20;
        o.seed = opts->seed;
        o.threads = opts->threads;
        lnt_record *found = lnt_record_new("modes");
        lnt_status status = found ? lnt_modes_study(ctx, found, &o) : LNT_ENOMEM;
        if (status != LNT_OK) {
            lnt_record_free(found);
            return status;
        }
        double simulated = lnt_deviation_of(found, "flow against riccati", "simulated"),
               predicted = lnt_deviation_of(found, "flow against riccati", "predicted"),
               absolute = lnt_deviation_of(found, "flow against riccati", "absolute");
        lnt_record_free(found);
        lnt_record_deviation(record, lnt_named(lnt_sprintf(ctx, "%s: rms(strengths)", cases[k].name)), simulated,
                             predicted, absolute, NAN);
        lnt_table *table = lnt_record_table(record, "cases");
        lnt_table_row(table);
        lnt_table_set(table, "case", "", lnt_string(cases[k].name));
        lnt_table_set(table, "task", "", lnt_string(cases[k].task));
        lnt_table_set(table, "hidden", "", lnt_integer(cases[k].hidden));
        lnt_table_set(table, "init", "", lnt_string(cases[k].init));
        lnt_table_set(table, "difference", "", lnt_known(absolute));
    }
    lnt_judge(ctx, record, "", "relative", 1e-8);
    return LNT_OK;
}

/* ---- The discrete map ---- */

enum { STEPS = 6 };

/* Half-steps of the first mode of the exercise from aligned starts of .01, by descent, map and flow. */
lnt_status lnt_discrete_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts)
{
    static const double eta_s[STEPS] = {0.02, 0.1, 0.2, 0.4, 0.6, 0.8};
    const double s = sqrt(7);
    double early[STEPS], formula[STEPS];
    (void)self;
    for (int k = 0; k < STEPS; k++) {
        lnt_modes_opts o;
        lnt_modes_defaults(&o);
        o.task.builtin = "exercise";
        o.init = "aligned:0.1";
        o.lr = eta_s[k] / s;
        o.dt = 1;
        o.epochs = (int)(30 / eta_s[k]);
        o.method = "closed,map,descent";
        o.threads = opts->threads;
        lnt_record *found = lnt_record_new("modes");
        lnt_status status = found ? lnt_modes_study(ctx, found, &o) : LNT_ENOMEM;
        if (status != LNT_OK) {
            lnt_record_free(found);
            return status;
        }
        double descent = lnt_record_cell_number(found, "modes", 0, "half_descent"),
               map = lnt_record_cell_number(found, "modes", 0, "half_map"),
               flow = lnt_record_cell_number(found, "modes", 0, "half_closed");
        lnt_record_free(found);
        early[k] = 100 * (1 - flow / descent);
        formula[k] = descent - lnt_map_half_step(0.01, s, o.lr);
        lnt_record_deviation(record,
                             lnt_named(lnt_sprintf(ctx, "eta s = %g: half-step, descent against map", eta_s[k])),
                             descent, map, NAN, NAN);
        lnt_record_deviation(record,
                             lnt_named(lnt_sprintf(ctx, "eta s = %g: half-step, descent against flow", eta_s[k])),
                             descent, flow, NAN, NAN);
        lnt_table *table = lnt_record_table(record, "half_steps");
        lnt_table_row(table);
        lnt_table_set(table, "eta_s", "", lnt_number(eta_s[k]));
        lnt_table_set(table, "descent", "", lnt_known(descent));
        lnt_table_set(table, "map", "", lnt_known(map));
        lnt_table_set(table, "flow", "", lnt_known(flow));
        lnt_table_set(table, "flow_early", "%", lnt_known(early[k]));
        lnt_table_set(table, "formula", "", lnt_number(descent - formula[k]));
    }
    lnt_judge(ctx, record, "against map", "relative", 1e-10);
    lnt_judge(ctx, record, "eta s = 0.02", "relative", 0.01);
    lnt_record_check(record, "eta s = 0.4: the flow is early by, %", early[3], 11, 2);
    lnt_record_check(record, "eta s = 0.4: ln(s/2u)/(2 ln(1 + eta s)) is early by, steps", formula[3], 0.6, 0.2);
    const lnt_curve curve[] = {{"half-step of mode 1", LNT_CURVE_POINTS, STEPS, eta_s, early, NULL}};
    const lnt_panel panel = {
        .title = "", .xlabel = "step, eta s", .ylabel = "flow is early by, %", .curves = 1, .curve = curve};
    lnt_record_figure(record, &(lnt_figure){"steps",
                                            "By how much the gradient flow learns a mode earlier than descent in "
                                            "steps of eta; the discrete map agrees with descent to rounding.",
                                            1, &panel});
    return LNT_OK;
}

/* ---- Silent alignment ---- */

lnt_status lnt_alignment_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                    const lnt_reproduce_opts *opts)
{
    lnt_array t, A, loss;
    lnt_modes_opts o;
    (void)self;
    lnt_modes_defaults(&o);
    o.task.builtin = "teacher:inputs=10,outputs=1,singular=1";
    o.layers = (lnt_int_list){3, {10, 30, 1}};
    o.init = "gaussian:0.001";
    o.method = "riccati,flow,descent";
    o.dt = 0.01;
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_text times = {0};
    for (int j = 0; j <= 200; j++)
        lnt_text_add(&times, "%s%g", j ? "," : "", 0.06 * j);
    o.times = times.p;
    lnt_status status = lnt_text_status(ctx, &times);
    if (status == LNT_OK)
        status = adopt_modes(ctx, record, &o);
    lnt_text_free(&times);
    if (status != LNT_OK)
        return status;
    if (!lnt_record_array(record, "t", &t) || !lnt_record_array(record, "alignment/flow", &A) ||
        !lnt_record_array(record, "loss/flow", &loss))
        return lnt_fail(ctx, LNT_EINVAL, "the run left no alignment");
    int fallen = 0;
    while (fallen < loss.dims[0] - 1 && loss.values[fallen] > 0.9 * loss.values[0])
        fallen++;
    lnt_record_check(record, "alignment of the kernel at the start", A.values[0], 0.89, 0.08);
    lnt_record_check(record, "alignment when the loss has fallen by a tenth", A.values[fallen], 1, 2e-3);
    lnt_record_check(record, "share of the loss that is left then", loss.values[fallen] / loss.values[0], 0.87, 0.03);
    lnt_judge(ctx, record, "flow against riccati", "relative", 1e-4);
    lnt_judge(ctx, record, "descent against", "relative", 0.02);
    double *share = lnt_alloc(ctx, (size_t)loss.dims[0], sizeof *share);
    if (!share)
        return LNT_ENOMEM;
    for (int j = 0; j < loss.dims[0]; j++)
        share[j] = loss.values[j] / loss.values[0];
    const lnt_curve curve[] = {
        {"alignment with the kernel at the end", LNT_CURVE_LINE, A.dims[0], t.values, A.values, NULL},
        {"loss, share of the first", LNT_CURVE_POINTS, A.dims[0], t.values, share, NULL}};
    const lnt_panel panel = {
        .title = "", .xlabel = "time t / tau", .ylabel = "alignment, share", .curves = 2, .curve = curve};
    lnt_record_figure(record, &(lnt_figure){"alignment",
                                            "The tangent kernel turns to where it ends while the loss still stands; "
                                            "only then does it grow.",
                                            1, &panel});
    return LNT_OK;
}

/* ---- Completion ---- */

lnt_status lnt_completion_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                     const lnt_reproduce_opts *opts)
{
    lnt_complete_opts o;
    (void)self;
    lnt_complete_defaults(&o);
    o.demo = true;
    o.depths = (lnt_int_list){3, {1, 2, 3}};
    if (!opts->full) {
        o.rows = 24;
        o.columns = 20;
        o.rank = 2;
    }
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_complete(ctx, record, &o);
    if (status != LNT_OK)
        return status;
    double test[3], rank[3];
    for (int k = 0; k < 3; k++) {
        test[k] = lnt_record_cell_number(record, "depths", k, "test");
        rank[k] = lnt_record_cell_number(record, "depths", k, "effective_rank");
        lnt_record_check(record, lnt_named(lnt_sprintf(ctx, "depth %d: error on observed entries", k + 1)),
                         lnt_record_cell_number(record, "depths", k, "train"), 0, 2e-3);
    }
    lnt_record_check(record, "depth 2 over depth 1: error on other entries", test[1] / test[0], 0, 0.6);
    lnt_record_check(record, "depth 2 over depth 1: effective rank", rank[1] / rank[0], 0, 0.6);
    lnt_record_check(record, "depth 3 over depth 2: effective rank", rank[2] / rank[1], 0.5, 0.5);
    lnt_record_check(record, "least nuclear norm: relative duality gap",
                     lnt_record_fact_number(record, "certificate", "relative_gap"), 0, 1e-6);
    lnt_record_check(record, "nuclear norm of depth 2 over the least one, less 1",
                     lnt_record_cell_number(record, "depths", 1, "nuclear_norm") /
                             lnt_record_fact_number(record, "certificate", "least_norm") -
                         1,
                     0.05, 0.05);
    return LNT_OK;
}

/* ---- The boundary of exact recovery ---- */

lnt_status lnt_recovery_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts)
{
    lnt_recovery_opts o;
    (void)self;
    lnt_recovery_defaults(&o);
    if (!opts->full) {
        o.features = 160;
        o.grid = 10;
        o.runs = 10;
    }
    o.seed = opts->seed;
    o.threads = opts->threads;
    lnt_status status = adopt_recovery(ctx, record, &o);
    if (status != LNT_OK)
        return status;
    lnt_judge(ctx, record, "success, mean of all cells", "sigmas", 4);
    lnt_judge(ctx, record, "entries beyond the boundary at 50 %", "sigmas", 4);
    /* single columns: the limit is missed by what this size moves it */
    lnt_judge(ctx, record, "50 % of recoveries", "sigmas", opts->full ? 8 : 5);
    return LNT_OK;
}

/* ---- The certified optimum of matching against descent from everywhere ---- */

enum { STARTS = 12 };

/* 1/2 |S - X'Z'JZX|^2 + lambda/2 |Z - I|^2 and its gradient, for centred X and small sizes. */
static double loss_at(lnt_mat G, lnt_mat Z, lnt_mat X, lnt_mat S, double lambda, lnt_mat Y, lnt_mat E, lnt_mat B)
{
    int N = X.rows, M = X.cols;
    double loss = 0;
    lnt_gemm(Y, 1, LNT_N, Z, LNT_N, X, 0);
    for (int j = 0; j < M; j++) { /* means over cells removed */
        double mean = 0;
        for (int i = 0; i < N; i++)
            mean += *lnt_at(Y, i, j) / N;
        for (int i = 0; i < N; i++)
            *lnt_at(Y, i, j) -= mean;
    }
    lnt_gemm(E, 1, LNT_T, Y, LNT_N, Y, 0);
    for (int j = 0; j < M; j++)
        for (int i = 0; i < M; i++) {
            *lnt_at(E, i, j) = *lnt_at(S, i, j) - *lnt_at(E, i, j);
            loss += *lnt_at(E, i, j) * *lnt_at(E, i, j) / 2;
        }
    lnt_gemm(B, 1, LNT_N, Y, LNT_N, E, 0);
    lnt_gemm(G, -2, LNT_N, B, LNT_T, X, 0);
    for (int j = 0; j < N; j++)
        for (int i = 0; i < N; i++) {
            double w = *lnt_at(Z, i, j) - (i == j);
            loss += lambda / 2 * w * w;
            *lnt_at(G, i, j) += lambda * w;
        }
    return loss;
}

/* Descends to where no step lowers the loss any more; Z <- where that is. */
static lnt_status descend(lnt_ctx *ctx, double *loss, lnt_mat Z, lnt_mat X, lnt_mat S, double lambda)
{
    int N = X.rows, M = X.cols;
    lnt_mat G, H, Y, E, B, next;
    lnt_status status = lnt_mat_alloc(ctx, &G, N, N);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &H, N, N);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &next, N, N);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, N, M);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &E, M, M);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, N, M);
    if (status != LNT_OK)
        return status;
    *loss = loss_at(G, Z, X, S, lambda, Y, E, B);
    double step = 1e-3;
    for (int k = 0; k < 20000 && step > 1e-14; k++) {
        lnt_mat_copy(next, Z);
        lnt_mat_add(next, -step, G);
        double lower = loss_at(H, next, X, S, lambda, Y, E, B);
        bool accept = lower < *loss;
        step *= accept ? 1.3 : 0.4;
        if (accept) {
            *loss = lower;
            lnt_mat_copy(Z, next);
            lnt_mat_copy(G, H);
        }
    }
    return LNT_OK;
}

/* Standard normal X and Y, centred, and the problem of matching X to the covariance of Y. */
static lnt_status make_random(lnt_ctx *ctx, lnt_match *m, lnt_mat *X, lnt_mat *S, int cells, uint64_t seed)
{
    lnt_mat Y;
    lnt_rng rng = lnt_rng_stream(seed, 0, LNT_FOR_TASK);
    lnt_status status = lnt_mat_alloc(ctx, X, cells, cells + 1);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, cells, cells + 1);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, S, cells + 1, cells + 1);
    if (status != LNT_OK)
        return status;
    lnt_rng_normals(&rng, X->a, (size_t)cells * (size_t)(cells + 1));
    lnt_rng_normals(&rng, Y.a, (size_t)cells * (size_t)(cells + 1));
    if ((status = lnt_match_prepare_inputs(ctx, *X, LNT_MATCH_CENTRE, false)) == LNT_OK)
        status = lnt_match_target(ctx, *S, Y, Y);
    return status == LNT_OK ? lnt_match_make(ctx, m, *X, *S, NULL) : status;
}

/* Few cells and more stimuli, where poorer local minima can exist. */
lnt_status lnt_match_global_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                       const lnt_reproduce_opts *opts)
{
    enum { CELLS = 4 };
    const double lambda = 1;
    lnt_match m;
    lnt_match_fit fit;
    lnt_mat X, S, Z;
    (void)self;
    lnt_status status = make_random(ctx, &m, &X, &S, CELLS, opts->seed);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, CELLS, CELLS);
    if (status == LNT_OK)
        status = lnt_match_full(ctx, &fit, &m, lambda, NULL);
    double least = INFINITY, worst = 0;
    for (int k = 0; k < STARTS && status == LNT_OK; k++) {
        double loss = NAN;
        lnt_rng rng = lnt_rng_stream(opts->seed, (uint32_t)k, LNT_FOR_WEIGHTS);
        for (int j = 0; j < CELLS; j++)
            for (int i = 0; i < CELLS; i++)
                *lnt_at(Z, i, j) = (i == j) + (k > 0) * lnt_rng_normal(&rng);
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = descend(ctx, &loss, Z, X, S, lambda);
        lnt_ctx_reset(ctx, mark);
        lnt_table *table = lnt_record_table(record, "starts");
        lnt_table_row(table);
        lnt_table_set(table, "start", "", lnt_string(k ? "random" : "no change"));
        lnt_table_set(table, "loss", "", lnt_number(loss));
        lnt_table_set(table, "above_certified", "", lnt_number(loss / fit.loss - 1));
        least = fmin(least, loss / fit.loss - 1);
        worst = fmax(worst, loss / fit.loss - 1);
    }
    if (status != LNT_OK)
        return status;
    lnt_record_fact(record, "certificate", "loss", "", lnt_number(fit.loss));
    lnt_record_fact(record, "certificate", "bound", "", lnt_number(fit.bound));
    lnt_record_check(record, "relative duality gap of the certified optimum", fit.gap / fit.loss, 0, 1e-10);
    lnt_record_check(record, "best of all descents over the certified optimum, less 1", least, 0, 1e-9);
    lnt_record_fact(record, "descents", "worst", "above the certified optimum", lnt_number(worst));
    return LNT_OK;
}
