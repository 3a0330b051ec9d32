/* The experiments on penalties of layers: what the blog post on them states, and what is right. */
#include "experiment.h"

#include <math.h>
#include <string.h>

ADOPT(layered)

static lnt_status run(lnt_ctx *ctx, lnt_record *record, lnt_layered_experiment experiment, int quick_seeds,
                      int quick_epochs, const lnt_reproduce_opts *opts)
{
    lnt_layered_opts o;
    lnt_layered_defaults(&o, experiment);
    if (!opts->full) {
        o.seeds = quick_seeds;
        o.epochs = quick_epochs;
    }
    o.seed = opts->seed;
    o.threads = opts->threads;
    return adopt_layered(ctx, record, &o);
}

/* A number of the row of a table whose first column is `name`. */
static double cell(const lnt_record *record, const char *table, const char *name, const char *column)
{
    static const char *const first[] = {"arm", "name", "factors"};
    lnt_value value;
    for (int row = 0; row < lnt_record_rows(record, table); row++)
        for (size_t k = 0; k < sizeof first / sizeof *first; k++)
            if (lnt_record_cell(record, table, row, first[k], &value) && value.kind == LNT_STRING &&
                strcmp(value.string, name) == 0)
                return lnt_record_cell_number(record, table, row, column);
    return NAN;
}

static double arm(const lnt_record *record, const char *name, const char *column)
{
    return cell(record, "arms", name, column);
}

/* ---- Two linear layers ---- */

/* Means over 12 runs with four standard errors of one over `seeds` runs: a sound result fails once in 16,000. */
lnt_status lnt_two_layer_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                    const lnt_reproduce_opts *opts)
{
    lnt_status status = run(ctx, record, LNT_LAYERED_TWO_LAYER, 2, 2500, opts);
    double root = sqrt(opts->full ? 3 : 2);
    (void)self;
    if (status != LNT_OK)
        return status;
    lnt_record_check(record, "no penalty: loss_gen", arm(record, "plain", "loss_gen"), .345, 4 * .0245 / root);
    lnt_record_check(record, "no penalty: rank of M", arm(record, "plain", "rank"), 400, 0);
    lnt_record_check(record, "weight decay: loss_gen, limit of many features", arm(record, "ridge", "loss_gen"),
                     .251302, 4 * .0228 / root);
    lnt_record_check(record, "weight decay: loss_gen, against the minimum on the same data",
                     cell(record, "deviations", "ridge: loss_gen, each on its own data", "absolute"), 0, 1e-8);
    lnt_record_check(record, "weight decay: rank of M, an outer product", arm(record, "ridge", "rank"), 1, 0);
    lnt_record_check(record, "weight decay: 1/2 (|M|^2 + |V|^2) less |S|",
                     arm(record, "ridge", "half_squares") - arm(record, "ridge", "nuclear_norm"), 0, 1e-8);
    lnt_record_check(record, "L1 as written: violation of the conditions for the penalties written",
                     arm(record, "l1", "kkt_written"), .06, .04);
    lnt_record_check(record, "L1 as written: violation of those for a tenth of them", arm(record, "l1", "kkt"), 0,
                     2e-3);
    lnt_record_check(record, "L1 as it is right: violation of the conditions", arm(record, "l1_correct", "kkt"), 0,
                     opts->full ? 1e-10 : 1e-2);
    if (opts->full) {
        lnt_record_check(record, "L1 as written: columns left", arm(record, "l1", "nonzero_columns"), 3.7, 3.6);
        lnt_record_check(record, "L1 as it is right: columns left", arm(record, "l1_correct", "nonzero_columns"), 1, 0);
    }
    lnt_judge(ctx, record, "on its own data", "relative", 1e-8);
    lnt_judge(ctx, record, "limit of many features", "relative", 4 * .0228 / .2513 / root);
    return LNT_OK;
}

/* ---- Two relu layers ---- */

/* What does not depend on the teacher; the ratio of plain to ridge does. */
lnt_status lnt_nonlinear_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                    const lnt_reproduce_opts *opts)
{
    lnt_status status = run(ctx, record, LNT_LAYERED_NONLINEAR, 2, 10000, opts);
    double root = sqrt(opts->full ? 10 : 2);
    (void)self;
    if (status != LNT_OK)
        return status;
    double ridge = arm(record, "ridge", "loss_gen");
    lnt_record_check(record, "no penalty: loss_train", arm(record, "plain", "loss_train"), 0, 1e-20);
    lnt_record_check(record, "L1 over weight decay: loss_gen", arm(record, "l1", "loss_gen") / ridge, .98, .08);
    lnt_record_check(record, "L1 as it is right over weight decay: loss_gen",
                     arm(record, "l1_correct", "loss_gen") / ridge, 1, .05);
    if (opts->seed == 0)
        lnt_record_check(record, "no penalty over weight decay: loss_gen, for the teacher of seed 0",
                         arm(record, "plain", "loss_gen") / ridge, 1.73, 4 * .17 / root);
    lnt_record_check(record, "no penalty: effective rank of M", arm(record, "plain", "effective_rank"), 71.9, 1.2);
    lnt_record_check(record, "weight decay: effective rank of M", arm(record, "ridge", "effective_rank"), 10.7, 6);
    lnt_record_check(record, "L1: share of M that is not 0", arm(record, "l1", "nonzero_share"), .095, .05);
    lnt_record_check(record, "L1: active units, not the teacher's 10", arm(record, "l1", "active_units"), 25, 12);
    lnt_record_check(record, "L1 as it is right: active units", arm(record, "l1_correct", "active_units"), 8, 5);
    lnt_record_check(record, "weight decay: 1/2 (|M|^2 + |V|^2) over sum |m_j| |V_j|",
                     arm(record, "ridge", "half_squares") / arm(record, "ridge", "unit_norms"), 1, 1e-4);
    for (int row = 0; row < lnt_record_rows(record, "deviations"); row++) {
        lnt_value name;
        if (lnt_record_cell(record, "deviations", row, "name", &name) && name.kind == LNT_STRING && opts->full)
            lnt_record_check(record, name.string, lnt_record_cell_number(record, "deviations", row, "sigmas"), 0, 6);
    }
    lnt_judge(ctx, record, "loss_validation", "relative", 4 * .22 / root); /* 60 points scatter by 22 % */
    return LNT_OK;
}

/* ---- The toy ---- */

lnt_status lnt_toy_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                              const lnt_reproduce_opts *opts)
{
    static const double loss[] = {.19, .4375, .75, .9375, 1}, sigma[] = {.9, .75, .5, .25, 0};
    lnt_status status = run(ctx, record, LNT_LAYERED_TOY, 20, 3000, opts);
    (void)self;
    if (status != LNT_OK)
        return status;
    for (int row = 0; row < lnt_record_rows(record, "identity"); row++) {
        const char *name = lnt_sprintf(ctx, "%g x %g: expansion in angles less the norm",
                                       lnt_record_cell_number(record, "identity", row, "outputs"),
                                       lnt_record_cell_number(record, "identity", row, "inputs"));
        if (name)
            lnt_record_check(record, name, lnt_record_cell_number(record, "identity", row, "expansion"), 0, 1e-13);
    }
    lnt_record_check(record, "the expansion as written, without 2xy, is off by",
                     lnt_record_cell_number(record, "identity", 1, "without_2xy"), .5, .495);
    lnt_record_check(record, "with the cosine of a difference of angles, beyond the plane, by",
                     lnt_record_cell_number(record, "identity", 2, "planar"), 1, .95);
    for (int k = 0; k < 5; k++) {
        double Lambda = lnt_record_cell_number(record, "minima", k, "Lambda");
        const char *what = lnt_sprintf(ctx, "Lambda = %.3g: loss of the worst start", Lambda),
                   *size = lnt_sprintf(ctx, "Lambda = %.3g: singular value", Lambda),
                   *rest = lnt_sprintf(ctx, "Lambda = %.3g: second singular value, rank 1", Lambda);
        if (!what || !size || !rest)
            return LNT_ENOMEM;
        lnt_record_check(record, what, lnt_record_cell_number(record, "minima", k, "worst_start"), loss[k], 1e-8);
        lnt_record_check(record, size, lnt_record_cell_number(record, "minima", k, "sigma_1"), sigma[k], 1e-6);
        lnt_record_check(record, rest, lnt_record_cell_number(record, "minima", k, "sigma_2"), 0, 1e-6);
    }
    for (int row = 0; row < lnt_record_rows(record, "angles"); row++) {
        const char *name = lnt_sprintf(ctx, "x = %.3g, y = %.3g: least over directions",
                                       lnt_record_cell_number(record, "angles", row, "x"),
                                       lnt_record_cell_number(record, "angles", row, "y"));
        if (name)
            lnt_record_check(record, name, lnt_record_cell_number(record, "angles", row, "least"),
                             lnt_record_cell_number(record, "angles", row, "predicted"), 1e-8);
    }
    lnt_judge(ctx, record, "", "relative", 1e-8);
    return LNT_OK;
}

/* ---- Attention ---- */

lnt_status lnt_attention_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                    const lnt_reproduce_opts *opts)
{
    static const char *const arms[] = {"decay_0.2", "decay_0.5", "decay_1.5", "decay_2.5", "decay_4.5", "narrow"};
    static const int rank[] = {5, 5, 4, 3, 1, 3};
    lnt_status status = run(ctx, record, LNT_LAYERED_ATTENTION, 2, 4000, opts);
    (void)self;
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < 6; k++) {
        const char *worst = lnt_sprintf(ctx, "%s: singular values less (s - decay)_+", arms[k]),
                   *left = lnt_sprintf(ctx, "%s: rank", arms[k]),
                   *norms = lnt_sprintf(ctx, "%s: half squares less nuclear norm", arms[k]);
        if (!worst || !left || !norms)
            return LNT_ENOMEM;
        lnt_record_check(record, worst, arm(record, arms[k], "worst_singular"), 0, 1e-8);
        lnt_record_check(record, left, arm(record, arms[k], "rank"), rank[k], 0);
        lnt_record_check(record, norms, arm(record, arms[k], "half_squares") - arm(record, arms[k], "nuclear_norm"), 0,
                         1e-8);
    }
    double drawn = cell(record, "gauges", "as drawn", "nuclear_norm");
    lnt_record_check(record, "nuclear norm after a rotation", cell(record, "gauges", "then rotated", "nuclear_norm"),
                     drawn, 1e-9 * drawn);
    lnt_record_check(record, "column norms as drawn over the nuclear norm: they depend on the gauge",
                     cell(record, "gauges", "as drawn", "column_norms") / drawn, 1.6, .5);
    lnt_record_check(record, "column norms of U S^(1/2), V S^(1/2) over the nuclear norm",
                     cell(record, "gauges", "U S^(1/2), V S^(1/2)", "column_norms") / drawn, 1, 1e-9);
    lnt_record_check(record, "flow: imbalance over e^(-2 decay t)",
                     cell(record, "deviations", "flow: relative imbalance against e^(-2 decay t)", "simulated"), 1,
                     1e-8);
    lnt_judge(ctx, record, "", "relative", 1e-8);
    return LNT_OK;
}
