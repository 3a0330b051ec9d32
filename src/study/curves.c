/* Learning curves of linear students: the runs. */
#include "curves.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"
#include "setup.h"

#include <math.h>
#include <string.h>

static bool smooth(const lnt_curve_arm *arm)
{
    return !arm->l1 && arm->kind == LNT_LEARN_HEAVY;
}

/* ---- Stability ---- */

static double stable_step(const lnt_learner *l, double high)
{
    if (l->kind == LNT_LEARN_FISTA || l->kind == LNT_LEARN_SGD)
        return INFINITY; /* its own step; a bound that depends on the batches */
    return l->kind == LNT_LEARN_OUTER ? 2 * (1 - l->rule.beta) / (high + l->rule.lambda)
                                      : lnt_stable_step(high, l->rule.beta, l->rule.lambda);
}

/* A step that was asked for must be stable on every data set; automatic asymptotic ones are warned about. */
static lnt_status check_stability(lnt_ctx *ctx, const lnt_curves *c, int run)
{
    const lnt_curves_opts *o = c->opts;
    for (int a = 0; a < c->arms; a++) {
        const lnt_learner *l = &c->learner[run][a];
        bool asked = !isnan(c->arm[a].l1 ? o->lasso_lr : o->lr);
        double stable = stable_step(l, c->high[run]);
        if (asked && l->rule.eta >= stable)
            return lnt_fail(
                ctx, LNT_EDIVERGED,
                "arm %s diverges on data set %d: %s %g is too large; its largest eigenvalue is %.4g, stable are "
                "steps below %.4g (on infinitely large data sets too: below %.4g)",
                c->arm[a].name, run, c->arm[a].l1 ? "--lasso-lr" : "--lr", l->rule.eta, c->high[run], stable,
                stable_step(l, (1 + 1 / sqrt(c->q)) * (1 + 1 / sqrt(c->q))));
    }
    return LNT_OK;
}

static lnt_status check_finite(lnt_ctx *ctx, const lnt_curves *c, int run)
{
    for (int a = 0; a < c->arms; a++)
        if (!isfinite(*lnt_at(c->gen[0][run], c->opts->epochs, a)))
            return lnt_fail(ctx, LNT_EDIVERGED,
                            "arm %s diverges on data set %d within %d epochs: use a smaller %s than %g, or auto",
                            c->arm[a].name, run, c->opts->epochs, c->arm[a].l1 ? "--lasso-lr" : "--lr",
                            c->learner[run][a].rule.eta);
    return LNT_OK;
}

/* ---- One data set ---- */

/* Some of the arms, together. */
static lnt_status run_arms(lnt_ctx *ctx, lnt_curves *c, int run, int form, lnt_mat S, const lnt_quadratic *q,
                           const int *list, int count, bool spectral)
{
    lnt_learner learner[LNT_MOST_ARMS];
    lnt_mat gen, train, end;
    int epochs = c->opts->epochs;
    lnt_rng order = lnt_rng_stream(c->opts->seed, (uint32_t)run, LNT_FOR_SHUFFLE);
    if (count == 0)
        return LNT_OK;
    for (int k = 0; k < count; k++)
        learner[k] = c->learner[run][list[k]];
    lnt_status status = lnt_mat_alloc(ctx, &gen, epochs + 1, count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &train, epochs + 1, count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &end, S.rows, spectral && run > 0 ? 0 : count); /* which would need eigenvectors */
    if (status == LNT_OK)
        status = spectral ? lnt_learners_spectral(ctx, gen, train, end, q, learner, count, epochs, c->times)
                          : lnt_learners_iterate(ctx, gen, train, end, q, learner, count, epochs, &order);
    for (int k = 0; k < count && status == LNT_OK; k++) {
        lnt_mat_copy(lnt_columns(c->gen[form][run], list[k], 1), lnt_columns(gen, k, 1));
        lnt_mat_copy(lnt_columns(c->train[form][run], list[k], 1), lnt_columns(train, k, 1));
        if (end.cols)
            lnt_mat_copy(lnt_columns(S, list[k], 1), lnt_columns(end, k, 1));
    }
    return status;
}

/* Whether arms without threshold are iterated as well. */
static bool twice(const lnt_curves_opts *o)
{
    return o->method == LNT_CURVES_BOTH && o->time != LNT_CURVES_FLOW;
}

static lnt_status learn(lnt_ctx *ctx, lnt_curves *c, int run, lnt_mat S, const lnt_quadratic *q)
{
    int list[2][LNT_MOST_ARMS], count[2] = {0, 0}; /* by spectrum, and iterated */
    const lnt_curves_opts *o = c->opts;
    bool flow = o->time == LNT_CURVES_FLOW;
    for (int a = 0; a < c->arms; a++) {
        int form = smooth(&c->arm[a]) && (flow || o->method != LNT_CURVES_ITERATE) ? 0 : 1;
        list[form][count[form]++] = a;
    }
    lnt_status status = run_arms(ctx, c, run, 0, S, q, list[1], count[1], false);
    if (status == LNT_OK && twice(o))
        status = run_arms(ctx, c, run, 1, S, q, list[0], count[0], false);
    return status == LNT_OK ? run_arms(ctx, c, run, 0, S, q, list[0], count[0], true) : status;
}

static void count_zeros(lnt_curves *c, int run, lnt_mat S)
{
    for (int a = 0; a < c->arms; a++)
        for (int i = 0; i < S.rows && c->arm[a].l1; i++) {
            bool kept = *lnt_at(S, i, a) != 0;
            c->nnz[run][a] += kept;
            c->hits[run][a] += kept && c->T[i] != 0;
        }
}

/* The optimum that an arm with a threshold goes to, and its losses. */
static lnt_status converge(lnt_ctx *ctx, lnt_converged *found, const lnt_curves *c, const lnt_learner *l, double *w,
                           const lnt_design *design, const double *y)
{
    double l1 = lnt_effective_l1(l), l2 = l->rule.lambda, y2 = 0;
    lnt_path_opts o;
    lnt_path_point point;
    lnt_path_defaults(&o);
    o.alpha = l1 + l2 > 0 ? l1 / (l1 + l2) : 1;
    o.intercept = o.standardize = false;
    o.tolerance = LNT_CURVES_GAP / 10;
    lnt_status status = lnt_lasso_fit(ctx, w, &point, design, y, l1 + l2, &o, true);
    if (status != LNT_OK)
        return status;
    *found = (lnt_converged){0, point.loss, point.gap, point.nonzero};
    for (int i = 0; i < c->opts->features; i++) {
        double d = w[i] - c->T[i], variance = c->teacher.variance ? c->teacher.variance[i] : 1;
        found->gen += variance * d * d / 2;
    }
    for (int j = 0; j < design->n; j++)
        y2 += y[j] * y[j];
    if (y2 > 0)
        found->gap /= y2 / (2 * design->n);
    return LNT_OK;
}

static lnt_status converge_arms(lnt_ctx *ctx, lnt_curves *c, int run, lnt_mat S, const lnt_least_squares_task *task)
{
    lnt_design design = {0};
    double *w = lnt_alloc(ctx, (size_t)S.rows, sizeof *w);
    lnt_status status = w ? LNT_OK : LNT_ENOMEM;
    for (int a = 0; a < c->arms && status == LNT_OK; a++) {
        if (!c->arm[a].l1)
            continue;
        if (!design.n)
            status = lnt_design_samples(ctx, &design, task->X);
        memcpy(w, lnt_at(S, 0, a), (size_t)S.rows * sizeof *w);
        if (status == LNT_OK)
            status = converge(ctx, &c->converged[run][a], c, &c->learner[run][a], w, &design, task->y);
    }
    return status;
}

static lnt_status smaller_spectrum(lnt_ctx *ctx, double *w, lnt_mat X)
{
    lnt_mat C;
    bool by_samples = X.cols < X.rows;
    int k = by_samples ? X.cols : X.rows;
    lnt_status status = lnt_mat_alloc(ctx, &C, k, k);
    if (status != LNT_OK)
        return status;
    lnt_syrk(C, 1. / X.cols, by_samples ? LNT_T : LNT_N, X, 0);
    return lnt_eigh_coordinates(ctx, w, lnt_columns(C, 0, 0), C);
}

static lnt_status one_data_set(lnt_ctx *ctx, lnt_curves *c, int run)
{
    const lnt_curves_opts *o = c->opts;
    lnt_mat X, S;
    lnt_quadratic q;
    double *y = lnt_alloc(ctx, (size_t)o->samples, sizeof *y);
    lnt_status status = y ? lnt_mat_alloc(ctx, &X, o->features, o->samples) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &S, o->features, c->arms);
    if (status != LNT_OK)
        return status;
    lnt_teacher_samples(X, y, c->T, &c->teacher, run);
    const lnt_least_squares_task task = {X, y, c->T, c->S0, c->teacher.variance};
    status = lnt_quadratic_make(ctx, &q, &task);
    if (status != LNT_OK)
        return status;
    double low = q.low, high = q.high;
    c->low[run] = low;
    c->high[run] = high;
    if (o->hyper == LNT_HYPER_ASYMPTOTIC)
        lnt_mp_edges(&low, &high, c->q);
    for (int a = 0; a < c->arms; a++)
        c->learner[run][a] = lnt_curves_learner(c, &c->arm[a], low, high, lnt_curves_ridge(c, &c->arm[a], low, high));
    status = check_stability(ctx, c, run);
    if (status == LNT_OK)
        status = learn(ctx, c, run, S, &q);
    if (status == LNT_OK && lnt_cancelled(ctx)) /* losses are NaN from there on */
        return LNT_OK;
    if (status == LNT_OK)
        status = check_finite(ctx, c, run);
    if (status != LNT_OK)
        return status;
    count_zeros(c, run, S);
    status = converge_arms(ctx, c, run, S, &task);
    if (run > 0 || status != LNT_OK)
        return status;
    lnt_mat_copy(c->end, S);
    return smaller_spectrum(ctx, c->eigenvalues, X);
}

static lnt_status one_run(lnt_ctx *ctx, int run, void *user)
{
    lnt_curves *c = user;
    if (run > 0 && lnt_cancelled(ctx))
        return LNT_OK;
    lnt_status status = one_data_set(ctx, c, run);
    c->finished[run] = status == LNT_OK && !lnt_cancelled(ctx);
    lnt_progress_step(ctx);
    return status;
}

/* ---- All ---- */

static lnt_status allocate(lnt_ctx *ctx, lnt_curves *c)
{
    const lnt_curves_opts *o = c->opts;
    size_t runs = (size_t)o->runs;
    int smaller = o->samples < o->features ? o->samples : o->features;
    lnt_status status = lnt_mat_alloc(ctx, &c->end, o->features, c->arms);
    for (int form = 0; form < 1 + twice(o); form++) {
        c->gen[form] = lnt_alloc(ctx, runs, sizeof **c->gen);
        c->train[form] = lnt_alloc(ctx, runs, sizeof **c->train);
        if (!c->gen[form] || !c->train[form])
            return LNT_ENOMEM;
        for (size_t r = 0; r < runs && status == LNT_OK; r++) {
            status = lnt_mat_alloc_zero(ctx, &c->gen[form][r], o->epochs + 1, c->arms);
            if (status == LNT_OK)
                status = lnt_mat_alloc_zero(ctx, &c->train[form][r], o->epochs + 1, c->arms);
        }
    }
    c->learner = lnt_alloc_zero(ctx, runs, sizeof *c->learner);
    c->low = lnt_alloc_zero(ctx, runs, sizeof *c->low);
    c->high = lnt_alloc_zero(ctx, runs, sizeof *c->high);
    c->nnz = lnt_alloc_zero(ctx, runs, sizeof *c->nnz);
    c->hits = lnt_alloc_zero(ctx, runs, sizeof *c->hits);
    c->converged = lnt_alloc_zero(ctx, runs, sizeof *c->converged);
    c->finished = lnt_alloc_zero(ctx, runs, sizeof *c->finished);
    c->eigenvalues = lnt_alloc_zero(ctx, (size_t)smaller, sizeof *c->eigenvalues);
    bool complete =
        c->learner && c->low && c->high && c->nnz && c->hits && c->converged && c->finished && c->eigenvalues;
    return complete ? status : LNT_ENOMEM;
}

/* After an interruption: the complete runs, moved together. */
static void keep_finished(lnt_curves *c)
{
    for (int r = 0; r < c->opts->runs; r++) {
        if (!c->finished[r])
            continue;
        int to = c->done++;
        for (int form = 0; form < 1 + twice(c->opts); form++) {
            c->gen[form][to] = c->gen[form][r];
            c->train[form][to] = c->train[form][r];
        }
        memmove(c->learner[to], c->learner[r], sizeof *c->learner);
        memmove(c->nnz[to], c->nnz[r], sizeof *c->nnz);
        memmove(c->hits[to], c->hits[r], sizeof *c->hits);
        memmove(c->converged[to], c->converged[r], sizeof *c->converged);
        c->low[to] = c->low[r];
        c->high[to] = c->high[r];
    }
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_curves_opts *opts = user;
    lnt_curves c;
    lnt_status status = lnt_curves_setup(ctx, &c, opts);
    if (status == LNT_OK)
        status = allocate(ctx, &c);
    if (status != LNT_OK)
        return status;
    lnt_progress_begin(ctx, "data sets", opts->runs);
    status = lnt_parallel(ctx, opts->runs, opts->threads, one_run, &c);
    bool first = c.finished[0];
    keep_finished(&c);
    if (status == LNT_OK && !first) /* whose arrays are saved */
        return lnt_fail(ctx, LNT_EUSER, "interrupted before the first data set was finished");
    if (status == LNT_OK)
        status = lnt_curves_theory(ctx, &c);
    if (status == LNT_OK)
        status = lnt_curves_report(ctx, record, &c);
    return status == LNT_OK ? lnt_curves_figures(ctx, record, &c) : status;
}

lnt_status lnt_curves_study(lnt_ctx *ctx, lnt_record *record, const lnt_curves_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_curves_options, opts, study);
}
