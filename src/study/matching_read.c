/* The data of covariance matching: files or generated, prepared, and the problem made of them. */
#include "matching.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INDEFINITE 1e-10 /* share of the largest eigenvalue below which a negative one is rounding */

/* ---- Files ---- */

static lnt_status check_options(lnt_ctx *ctx, const lnt_matching_data *o)
{
    if ((o->inputs != NULL) + (o->covariance != NULL) + o->demo != 1)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "which inputs? One of --inputs FILE, --input-covariance FILE and --demo; linnet help match");
    if (o->demo && (o->outputs || o->target || o->test[0] || o->validation[0]))
        return lnt_fail(ctx, LNT_EUSAGE, "--demo has outputs and trials of its own");
    if (!o->demo && (o->outputs != NULL) + (o->target != NULL) != 1)
        return lnt_fail(ctx, LNT_EUSAGE, "which outputs? Either --outputs FILE or --target FILE, their covariance");
    if (o->covariance && !o->target)
        return lnt_fail(ctx, LNT_EUSAGE, "--input-covariance goes with --target");
    if (o->covariance && (o->prepare != LNT_PREPARE_AUTO && o->prepare != LNT_PREPARE_NONE))
        return lnt_fail(ctx, LNT_EUSAGE, "--input-covariance is taken as it is: cells are needed to prepare them");
    if (!o->covariance && o->mean)
        return lnt_fail(ctx, LNT_EUSAGE, "--input-mean goes with --input-covariance");
    if (o->covariance && o->cells < 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--input-covariance: how many cells is it a sum over? Use --cells N");
    if (o->inputs && o->cells > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--cells goes with --demo and --input-covariance; --inputs has its own");
    if ((o->test[0] != NULL) != (o->test[1] != NULL) || (o->validation[0] != NULL) != (o->validation[1] != NULL))
        return lnt_fail(ctx, LNT_EUSAGE, "a trial to test by needs both its inputs and its outputs");
    if ((o->test[0] || o->validation[0]) && !o->outputs)
        return lnt_fail(ctx, LNT_EUSAGE, "trials are compared with those fitted: that needs --outputs, not --target");
    if (o->per_cell && o->target && !o->target_scale)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--per-cell with --target: the target must be an average over cells too, "
                        "--target-scale mean");
    if (o->target_scale && !o->target)
        return lnt_fail(ctx, LNT_EUSAGE, "--target-scale says what --target is; there is none");
    return LNT_OK;
}

/* Files separated by commas, unless the whole text names one. */
static lnt_status read_list(lnt_ctx *ctx, lnt_mat *A, int *count, const char *text)
{
    char *rest = lnt_strdup(ctx, text);
    bool single = access(text, F_OK) == 0;
    for (*count = 0; rest; ++*count) {
        char *comma = single ? NULL : strchr(rest, ',');
        if (comma)
            *comma++ = '\0';
        if (*count == LNT_MOST_PAIRS)
            return lnt_fail(ctx, LNT_EUSAGE, "at most %d trials can be fitted together", LNT_MOST_PAIRS);
        lnt_status status = lnt_matrix_read(ctx, &A[*count], rest);
        if (status != LNT_OK)
            return status;
        rest = comma;
    }
    return *count > 0 ? LNT_OK : LNT_ENOMEM;
}

/* What has to agree with the M stimuli of the inputs. */
static lnt_status check_stimuli(lnt_ctx *ctx, const lnt_matching_task *t)
{
    for (int k = 0; k < t->pairs; k++) {
        lnt_mat X = t->X[k], Y = t->Y[k], S = t->S[k];
        if (X.a && (X.rows != t->cells || X.cols != t->stimuli))
            return lnt_fail(ctx, LNT_ESHAPE, "inputs of trial %d are %d x %d, of trial 1 %d x %d", k + 1, X.rows,
                            X.cols, t->cells, t->stimuli);
        if (Y.a && Y.cols != t->stimuli)
            return lnt_fail(ctx, LNT_ESHAPE, "%s has %d stimuli, %s has %d: columns are stimuli, rows are cells",
                            t->opts->outputs, Y.cols, t->opts->inputs, t->stimuli);
        if (!Y.a && (S.rows != t->stimuli || S.cols != t->stimuli))
            return lnt_fail(ctx, LNT_ESHAPE, "%s is %d x %d, but there are %d stimuli (columns of the inputs)",
                            t->opts->target, S.rows, S.cols, t->stimuli);
    }
    return LNT_OK;
}

static lnt_status read_covariance(lnt_ctx *ctx, lnt_matching_task *t)
{
    lnt_mat mean;
    lnt_status status = lnt_matrix_read(ctx, &t->G, t->opts->covariance);
    if (status == LNT_OK && t->G.rows != t->G.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "%s is %d x %d, but a covariance is square", t->opts->covariance, t->G.rows,
                        t->G.cols);
    t->stimuli = t->G.rows;
    t->cells = t->opts->cells;
    if (status != LNT_OK || !t->opts->mean)
        return status;
    if ((status = lnt_matrix_read(ctx, &mean, t->opts->mean)) != LNT_OK)
        return status;
    if (mean.rows * mean.cols != t->stimuli)
        return lnt_fail(ctx, LNT_ESHAPE, "%s is %d x %d, not one number for each of %d stimuli", t->opts->mean,
                        mean.rows, mean.cols, t->stimuli);
    t->mean = mean.a;
    return LNT_OK;
}

static lnt_status read_files(lnt_ctx *ctx, lnt_matching_task *t, lnt_mat held_Y[LNT_PARTS])
{
    const lnt_matching_data *o = t->opts;
    const char *const *held[LNT_PARTS] = {NULL, o->test, o->validation};
    int targets = 1;
    t->pairs = 1;
    lnt_status status = o->covariance ? read_covariance(ctx, t) : read_list(ctx, t->X, &t->pairs, o->inputs);
    if (status == LNT_OK && !o->covariance)
        t->cells = t->X[0].rows, t->stimuli = t->X[0].cols;
    if (status == LNT_OK)
        status = read_list(ctx, o->outputs ? t->Y : t->S, &targets, o->outputs ? o->outputs : o->target);
    if (status == LNT_OK && targets != t->pairs)
        return lnt_fail(ctx, LNT_EUSAGE, "%d trials of inputs, %d of outputs", t->pairs, targets);
    if (status == LNT_OK)
        status = check_stimuli(ctx, t);
    for (int p = LNT_TEST; p < LNT_PARTS && status == LNT_OK; p++) {
        if (!held[p][0])
            continue;
        status = lnt_matrix_read(ctx, &t->held[p], held[p][0]);
        if (status == LNT_OK)
            status = lnt_matrix_read(ctx, &held_Y[p], held[p][1]);
        if (status == LNT_OK &&
            (t->held[p].rows != t->cells || held_Y[p].rows != t->Y[0].rows || held_Y[p].cols != t->held[p].cols))
            return lnt_fail(ctx, LNT_ESHAPE,
                            "%s is %d x %d, %s %d x %d: the same cells as %s (%d) and %s (%d), stimuli "
                            "in columns",
                            held[p][0], t->held[p].rows, t->held[p].cols, held[p][1], held_Y[p].rows, held_Y[p].cols,
                            o->inputs, t->cells, o->outputs, t->Y[0].rows);
    }
    return status;
}

/* The three trials, unprepared copies of which nobody needs. */
static lnt_status generate(lnt_ctx *ctx, lnt_matching_task *t, lnt_mat held_Y[LNT_PARTS])
{
    const lnt_matching_data *o = t->opts;
    lnt_match_generator g;
    lnt_match_data data;
    lnt_match_generator_defaults(&g, o->preset == 1);
    g.cells = o->cells > 0 ? o->cells : g.cells;
    g.cells_out = o->output_cells > 0 ? o->output_cells : g.cells_out;
    g.stimuli = o->stimuli > 0 ? o->stimuli : g.stimuli;
    lnt_status status = lnt_match_generate(ctx, &data, &g, o->seed);
    if (status != LNT_OK)
        return status;
    t->pairs = 1;
    t->X[0] = data.X[0];
    t->Y[0] = data.Y[0];
    for (int p = LNT_TEST; p < LNT_PARTS; p++) {
        t->held[p] = data.X[p];
        held_Y[p] = data.Y[p];
    }
    t->cells = g.cells;
    t->stimuli = g.stimuli;
    return LNT_OK;
}

/* ---- Preparation ---- */

static lnt_match_prep preparation(const lnt_matching_data *o)
{
    switch (o->prepare) {
    case LNT_PREPARE_ZSCORE:
        return LNT_MATCH_ZSCORE;
    case LNT_PREPARE_CENTRE:
        return LNT_MATCH_CENTRE;
    case LNT_PREPARE_NONE:
        return LNT_MATCH_NONE;
    default:
        return o->target || o->covariance ? LNT_MATCH_NONE : LNT_MATCH_ZSCORE;
    }
}

static lnt_status prepare_inputs(lnt_ctx *ctx, lnt_matching_task *t, lnt_match_prep prepare, bool per_cell)
{
    lnt_status status = LNT_OK;
    for (int k = 0; k < t->pairs && status == LNT_OK && t->X[k].a; k++)
        status = lnt_match_prepare_inputs(ctx, t->X[k], prepare, per_cell);
    for (int p = LNT_TEST; p < LNT_PARTS && status == LNT_OK; p++)
        if (t->held[p].a)
            status = lnt_match_prepare_inputs(ctx, t->held[p], prepare, per_cell);
    return status;
}

static lnt_status make_targets(lnt_ctx *ctx, lnt_matching_task *t)
{
    int M = t->stimuli;
    lnt_status status = LNT_OK;
    for (int k = 0; k < t->pairs && status == LNT_OK && t->Y[k].a; k++) {
        status = lnt_mat_alloc(ctx, &t->S[k], M, M);
        if (status == LNT_OK)
            status = lnt_match_target(ctx, t->S[k], t->Y[k], t->Y[k]);
    }
    for (int k = 0; k < t->pairs && t->opts->target_scale && !t->opts->per_cell; k++)
        lnt_mat_scale(t->S[k], t->cells);
    return status;
}

static lnt_status prepare(lnt_ctx *ctx, lnt_matching_task *t, lnt_mat held_Y[LNT_PARTS])
{
    const lnt_matching_data *o = t->opts;
    t->prepare = preparation(o);
    t->sd = 1;
    lnt_status status = prepare_inputs(ctx, t, t->prepare, o->per_cell);
    for (int k = 0; k < t->pairs && status == LNT_OK && t->Y[k].a; k++)
        status = lnt_match_prepare_outputs(ctx, t->Y[k], k == 0 ? &t->sd : NULL, t->prepare, o->per_cell);
    for (int p = LNT_TEST; p < LNT_PARTS && status == LNT_OK; p++)
        if (held_Y[p].a)
            status = lnt_match_prepare_outputs(ctx, held_Y[p], NULL, t->prepare, o->per_cell);
    t->cells_out = t->Y[0].rows;
    return status == LNT_OK ? make_targets(ctx, t) : status;
}

/* ---- The problem ---- */

static lnt_status make_problem(lnt_ctx *ctx, lnt_matching_task *t)
{
    const lnt_mat *Z0 = t->Z0.a ? &t->Z0 : NULL;
    if (t->G.a)
        return lnt_match_make_gram(ctx, &t->problem, t->cells, t->G, t->mean, t->S[0]);
    if (t->pairs > 1)
        return lnt_match_make_pairs(ctx, &t->problem, t->pairs, t->X, t->S, Z0);
    return lnt_match_make(ctx, &t->problem, t->X[0], t->S[0], Z0);
}

static lnt_status centre_if_needed(lnt_ctx *ctx, lnt_matching_task *t)
{
    if (t->problem.centred)
        return LNT_OK;
    if (t->pairs > 1 || t->Z0.a || t->G.a)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "this method is for one trial of centred inputs with the reference I; linear and full are not");
    if (t->opts->prepare == LNT_PREPARE_NONE)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "this method is for inputs whose mean over cells is 0 at every stimulus: use --prepare centre");
    t->centred_here = true;
    lnt_status status = prepare_inputs(ctx, t, LNT_MATCH_CENTRE, false);
    return status == LNT_OK ? make_problem(ctx, t) : status;
}

/* Z0 X, or X itself. */
static lnt_status from_reference(lnt_ctx *ctx, lnt_mat *ZX, const lnt_matching_task *t, lnt_mat X)
{
    *ZX = X;
    if (!t->Z0.a)
        return LNT_OK;
    lnt_status status = lnt_mat_alloc(ctx, ZX, X.rows, X.cols);
    if (status == LNT_OK)
        lnt_gemm(*ZX, 1, LNT_N, t->Z0, LNT_N, X, 0);
    return status;
}

/* What the answers are scored by, and what Z0 predicts. */
static lnt_status make_scores(lnt_ctx *ctx, lnt_matching_task *t, const lnt_mat held_Y[LNT_PARTS])
{
    lnt_mat Z1, Zt;
    lnt_status status = lnt_mat_alloc(ctx, &t->target[LNT_TRAIN], t->stimuli, t->stimuli);
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < t->stimuli; j++)
        for (int i = 0; i < t->stimuli; i++)
            *lnt_at(t->target[LNT_TRAIN], i, j) = (*lnt_at(t->S[0], i, j) + *lnt_at(t->S[0], j, i)) / 2;
    status = lnt_mat_alloc(ctx, &t->base[LNT_TRAIN], t->stimuli, t->stimuli);
    if (status == LNT_OK && t->G.a) {
        for (int j = 0; j < t->stimuli; j++)
            for (int i = 0; i < t->stimuli; i++)
                *lnt_at(t->base[0], i, j) = *lnt_at(t->G, i, j) - (t->mean ? t->cells * t->mean[i] * t->mean[j] : 0);
        return LNT_OK;
    }
    if (status == LNT_OK)
        status = from_reference(ctx, &Z1, t, t->X[0]);
    if (status == LNT_OK)
        status = lnt_match_target(ctx, t->base[LNT_TRAIN], Z1, Z1);
    for (int p = LNT_TEST; p < LNT_PARTS && status == LNT_OK; p++) {
        if (!t->held[p].a)
            continue;
        status = lnt_mat_alloc(ctx, &t->target[p], t->stimuli, t->held[p].cols);
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &t->base[p], t->stimuli, t->held[p].cols);
        if (status == LNT_OK)
            status = lnt_match_target(ctx, t->target[p], t->Y[0], held_Y[p]);
        if (status == LNT_OK)
            status = from_reference(ctx, &Zt, t, t->held[p]);
        if (status == LNT_OK)
            status = lnt_match_target(ctx, t->base[p], Z1, Zt);
    }
    return status;
}

static lnt_status look_at_target(lnt_ctx *ctx, lnt_matching_task *t)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat A;
    double *w = lnt_alloc(ctx, (size_t)t->stimuli, sizeof *w);
    lnt_status status = w ? lnt_mat_alloc(ctx, &A, t->stimuli, t->stimuli) : LNT_ENOMEM;
    if (status == LNT_OK) {
        lnt_mat_copy(A, t->target[LNT_TRAIN]);
        status = lnt_eigh(ctx, w, lnt_mat_view(NULL, t->stimuli, 0), A);
    }
    t->skew = t->problem.skew;
    if (status == LNT_OK)
        t->indefinite = w[0] / fmax(fabs(w[t->stimuli - 1]), fmax(fabs(w[0]), 1e-300));
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_matching_read(lnt_ctx *ctx, lnt_matching_task *t, const lnt_matching_data *opts, bool needs_centred,
                             const char *reference)
{
    lnt_mat held_Y[LNT_PARTS] = {{0}};
    *t = (lnt_matching_task){.opts = opts};
    lnt_status status = check_options(ctx, opts);
    if (status == LNT_OK)
        status = opts->demo ? generate(ctx, t, held_Y) : read_files(ctx, t, held_Y);
    if (status == LNT_OK && reference) {
        status = opts->covariance ? lnt_fail(ctx, LNT_EUSAGE, "--reference needs cells, --inputs FILE")
                                  : lnt_matrix_read(ctx, &t->Z0, reference);
        if (status == LNT_OK && (t->Z0.rows != t->cells || t->Z0.cols != t->cells))
            return lnt_fail(ctx, LNT_ESHAPE, "%s is %d x %d, but there are %d cells", reference, t->Z0.rows, t->Z0.cols,
                            t->cells);
    }
    if (status == LNT_OK)
        status = prepare(ctx, t, held_Y);
    if (status == LNT_OK)
        status = make_problem(ctx, t);
    if (status == LNT_OK && needs_centred)
        status = centre_if_needed(ctx, t);
    if (status == LNT_OK)
        status = make_scores(ctx, t, held_Y);
    return status == LNT_OK ? look_at_target(ctx, t) : status;
}

/* ---- Facts and warnings ---- */

void lnt_matching_put_task(lnt_record *record, const lnt_matching_task *t)
{
    static const char *const names[] = {"zscore", "centre", "none"};
    const lnt_match *m = &t->problem;
    const char *kind = t->centred_here ? "centre" : names[t->prepare];
    int most = t->cells < t->stimuli ? t->cells : t->stimuli,
        usual = m->centred && t->cells <= t->stimuli ? most - 1 : most;
    lnt_record_fact(record, "preparation", "kind", "", lnt_string(kind));
    lnt_record_fact(record, "preparation", "cells", "", lnt_integer(t->cells));
    lnt_record_fact(record, "preparation", "output_cells", "",
                    t->cells_out > 0 ? lnt_integer(t->cells_out) : (lnt_value){0});
    lnt_record_fact(record, "preparation", "stimuli", "", lnt_integer(t->stimuli));
    lnt_record_fact(record, "preparation", "trials_fitted", "", lnt_integer(t->pairs));
    lnt_record_fact(record, "preparation", "per_cell", "", lnt_flag(t->opts->per_cell));
    lnt_record_fact(record, "preparation", "output_sd", "", lnt_number(t->sd));
    lnt_record_fact(record, "preparation", "target_scale", "",
                    lnt_string(t->opts->target_scale || t->opts->per_cell ? "mean" : "sum"));
    lnt_record_fact(record, "preparation", "target_factor", "",
                    lnt_number(t->opts->target_scale && !t->opts->per_cell ? t->cells : 1));
    lnt_record_fact(record, "preparation", "lambda_over_lam0", "",
                    lnt_number(lnt_match_lambda(1, t->cells, t->stimuli)));
    lnt_record_fact(record, "problem", "rank", "", lnt_integer(m->rank));
    lnt_record_fact(record, "problem", "centred", "", lnt_flag(m->centred));
    lnt_record_fact(record, "problem", "tight", "", lnt_flag(m->slack > 1e-10));
    lnt_record_fact(record, "problem", "slack", "", lnt_number(m->slack));
    lnt_record_fact(record, "problem", "unreachable", "", lnt_number(m->outside));
    lnt_record_fact(record, "problem", "target_skew", "", lnt_number(t->skew));
    lnt_record_fact(record, "problem", "target_least_eigenvalue", "", lnt_number(t->indefinite));
    if (t->centred_here)
        lnt_record_warn(record,
                        "the method is for centred inputs: the mean over cells of each stimulus was subtracted, as "
                        "--prepare centre does");
    if (t->skew > 1e-12)
        lnt_record_warn(record, "the target is not symmetric, |S - S'|/(2 |S|) = %.2g: its symmetric part is used",
                        t->skew);
    if (t->indefinite < -INDEFINITE)
        lnt_record_warn(record,
                        "the target is indefinite, its least eigenvalue is %.2g of the largest: no wiring reaches it "
                        "exactly (covariances across trials are like that)",
                        t->indefinite);
    if (t->cells == 1)
        lnt_record_warn(record, "one cell has no covariance over cells: W = 0");
    else if (m->rank < usual)
        lnt_record_warn(record,
                        "the inputs have rank %d, not %d: what lies outside their span cannot be reached, and is not "
                        "divided by",
                        m->rank, usual);
}

/* ---- Lambdas ---- */

lnt_status lnt_matching_lambdas(lnt_ctx *ctx, double **lambda, int *count, const char *text, const char *option)
{
    double first, last;
    int n = 0, length = 0;
    char *range = lnt_strdup(ctx, text);
    *lambda = lnt_alloc(ctx, LNT_MOST_LAMBDAS, sizeof **lambda);
    if (!*lambda || !range)
        return LNT_ENOMEM;
    char *second = strchr(range, ':'), *third = second ? strchr(second + 1, ':') : NULL;
    if (!second && lnt_numbers_read(text, *lambda, LNT_MOST_LAMBDAS, count)) {
        for (int k = 0; k < *count; k++)
            if (!((*lambda)[k] >= 0))
                return lnt_fail(ctx, LNT_EUSAGE, "--%s %g: at least 0", option, (*lambda)[k]);
        return LNT_OK;
    }
    if (third && lnt_number_read(range, (size_t)(second - range), &first) &&
        lnt_number_read(second + 1, (size_t)(third - second - 1), &last) &&
        sscanf(third + 1, "%d%n", &n, &length) == 1 && !third[1 + length] && n >= 1 && n <= LNT_MOST_LAMBDAS &&
        first > 0 && last > 0 && first < 1e100 && last < 1e100) {
        for (int k = 0; k < n; k++) {
            double share = n > 1 ? (double)k / (n - 1) : 0;
            (*lambda)[k] = k == n - 1 && n > 1 ? last : pow(10, log10(first) * (1 - share) + log10(last) * share);
        }
        *count = n;
        return LNT_OK;
    }
    return lnt_fail(ctx, LNT_EUSAGE,
                    "--%s %s: a number from 0 on, numbers separated by commas, or FIRST:LAST:COUNT above 0", option,
                    text);
}
