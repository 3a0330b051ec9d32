/* Answers of all methods, what they predict, and how well. */
#include "matching.h"

#include <math.h>

bool lnt_matching_has_part(const lnt_matching_task *t, int part)
{
    return part == LNT_TRAIN || t->held[part].a;
}

/* ---- What an answer does ---- */

lnt_status lnt_matching_weights(lnt_ctx *ctx, lnt_mat W, const lnt_matching *c, const lnt_matching_answer *a)
{
    if (a->W.a) {
        lnt_mat_copy(W, a->W);
        return LNT_OK;
    }
    if (a->d)
        return lnt_match_diagonal_weights(ctx, W, &c->task.problem, a->d, a->fit.D);
    return lnt_match_weights(ctx, W, &c->task.problem, &a->fit);
}

lnt_status lnt_matching_apply(lnt_ctx *ctx, lnt_mat ZX, const lnt_matching *c, const lnt_matching_answer *a, lnt_mat X)
{
    if (a->W.a) {
        lnt_mat_copy(ZX, X);
        lnt_gemm(ZX, 1, LNT_N, a->W, LNT_N, X, 1);
        return LNT_OK;
    }
    if (a->d)
        return lnt_match_diagonal_apply(ctx, ZX, &c->task.problem, a->d, a->fit.D, X);
    return lnt_match_apply(ctx, ZX, &c->task.problem, &a->fit, X);
}

/* The prediction where only covariances are known. */
static lnt_status gram_prediction(lnt_ctx *ctx, lnt_mat C, const lnt_matching *c, const lnt_matching_answer *a)
{
    const lnt_match *m = &c->task.problem;
    lnt_mat core, VC;
    lnt_status status = lnt_mat_alloc(ctx, &core, m->rank, m->rank);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VC, m->stimuli, m->rank);
    if (status == LNT_OK)
        status = lnt_match_covariance(ctx, core, m, &a->fit);
    if (status != LNT_OK)
        return status;
    lnt_gemm(VC, 1, LNT_N, m->V, LNT_N, core, 0);
    lnt_gemm(C, 1, LNT_N, VC, LNT_T, m->V, 0);
    return LNT_OK;
}

static lnt_status score(lnt_ctx *ctx, lnt_matching_answer *a, const lnt_matching *c)
{
    const lnt_matching_task *t = &c->task;
    lnt_mat Z1 = {0}, Zt, C;
    lnt_status status = lnt_mat_alloc(ctx, &C, t->stimuli, t->stimuli);
    if (status == LNT_OK && !t->G.a)
        status = lnt_mat_alloc(ctx, &Z1, t->cells, t->stimuli);
    if (status == LNT_OK)
        status = t->G.a ? gram_prediction(ctx, C, c, a) : lnt_matching_apply(ctx, Z1, c, a, t->X[0]);
    if (status == LNT_OK && !t->G.a)
        status = lnt_match_target(ctx, C, Z1, Z1);
    if (status != LNT_OK)
        return status;
    a->r2[LNT_TRAIN] = lnt_match_r2(t->target[LNT_TRAIN], C, true);
    a->ratio[LNT_TRAIN] = lnt_match_ratio(t->target[LNT_TRAIN], C, t->base[LNT_TRAIN]);
    for (int p = LNT_TEST; p < LNT_PARTS && status == LNT_OK; p++) {
        if (!t->held[p].a)
            continue;
        status = lnt_mat_alloc(ctx, &C, t->stimuli, t->held[p].cols);
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &Zt, t->cells, t->held[p].cols);
        if (status == LNT_OK)
            status = lnt_matching_apply(ctx, Zt, c, a, t->held[p]);
        if (status == LNT_OK)
            status = lnt_match_target(ctx, C, Z1, Zt);
        if (status != LNT_OK)
            return status;
        a->r2[p] = lnt_match_r2(t->target[p], C, false);
        a->ratio[p] = lnt_match_ratio(t->target[p], C, t->base[p]);
    }
    return status;
}

lnt_status lnt_matching_score(lnt_ctx *ctx, lnt_matching_answer *a, const lnt_matching *c)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    for (int p = 0; p < LNT_PARTS; p++)
        a->r2[p] = a->ratio[p] = NAN;
    lnt_status status = score(ctx, a, c);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- With a diagonal ---- */

/* Penalties of the diagonal and of the other weights, of the total W. */
static double penalty(const lnt_matching *c, const lnt_matching_answer *a, lnt_mat W, double lambda, double delta)
{
    double diagonal = 0, all = lnt_mat_dot(W, W), d2 = 0;
    for (int i = 0; i < W.rows; i++) {
        diagonal += pow(*lnt_at(W, i, i), 2);
        d2 += a->d ? a->d[i] * a->d[i] : 0;
    }
    if (c->opts->method == LNT_MATCHING_OVERLAP)
        return lambda / 2 * lnt_mat_dot(a->fit.D, a->fit.D) + delta / 2 * d2;
    if (c->opts->method == LNT_MATCHING_DIAGONAL)
        return delta / 2 * diagonal;
    return lambda / 2 * (all - diagonal) + (isinf(delta) ? 0 : delta / 2 * diagonal);
}

/* Losses and sizes of an answer that is no core. */
static lnt_status measure(lnt_ctx *ctx, lnt_matching_answer *a, const lnt_matching *c, double lambda, double delta)
{
    const lnt_matching_task *t = &c->task;
    int N = t->cells;
    lnt_mat W, U, VT, ZX, C;
    double *s = lnt_alloc(ctx, (size_t)N, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &W, N, N) : LNT_ENOMEM;
    lnt_mat *const mats[] = {&U, &VT, &ZX, &C};
    const int rows[] = {N, N, N, t->stimuli}, cols[] = {N, N, t->stimuli, t->stimuli};
    bool dense = N <= LNT_MATCHING_DENSE;
    for (int i = dense ? 0 : 2; i < 4 && status == LNT_OK; i++)
        status = lnt_mat_alloc(ctx, mats[i], rows[i], cols[i]);
    if (status == LNT_OK)
        status = lnt_matching_weights(ctx, W, c, a);
    if (status == LNT_OK)
        status = lnt_matching_apply(ctx, ZX, c, a, t->X[0]);
    if (status == LNT_OK)
        status = lnt_match_target(ctx, C, ZX, ZX);
    if (status == LNT_OK && dense)
        status = lnt_svd(ctx, U, s, VT, W);
    if (status != LNT_OK)
        return status;
    lnt_mat_add(C, -1, t->target[LNT_TRAIN]);
    a->fit.misfit = lnt_mat_dot(C, C) / 2;
    a->fit.penalty = a->searched ? a->search.loss - a->search.misfit : penalty(c, a, W, lambda, delta);
    a->fit.loss = a->fit.misfit + a->fit.penalty;
    a->fit.norm = lnt_mat_norm(W);
    a->fit.radius = dense ? s[0] : (double)NAN;
    return LNT_OK;
}

/* W <- diag(z) - 1 + J diag(z) U D U^T. */
static lnt_status gains_weights(lnt_ctx *ctx, lnt_mat W, const lnt_match *m, const double *z, lnt_mat D)
{
    lnt_mat T, UD;
    lnt_status status = lnt_mat_alloc(ctx, &T, m->cells, m->rank);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &UD, m->cells, m->rank);
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < m->rank; j++) {
        double mean = 0;
        for (int i = 0; i < m->cells; i++)
            mean += z[i] * *lnt_at(m->U, i, j) / m->cells;
        for (int i = 0; i < m->cells; i++)
            *lnt_at(T, i, j) = z[i] * *lnt_at(m->U, i, j) - mean;
    }
    lnt_gemm(UD, 1, LNT_N, T, LNT_N, D, 0);
    lnt_gemm(W, 1, LNT_N, UD, LNT_T, m->U, 0);
    for (int i = 0; i < m->cells; i++)
        *lnt_at(W, i, i) += z[i] - 1;
    return LNT_OK;
}

static lnt_status search_gains(lnt_ctx *ctx, lnt_matching_answer *a, const lnt_matching *c, double *d, double lambda,
                               double delta, const lnt_match_search *search)
{
    const lnt_match *m = &c->task.problem;
    bool alone = c->opts->method == LNT_MATCHING_DIAGONAL;
    lnt_status status = alone ? lnt_match_gains_only(ctx, d, &a->search, m, delta, search)
                              : lnt_match_gains(ctx, d, a->fit.D, &a->search, m, lambda, delta, search);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    if (!alone)
        status = gains_weights(ctx, a->W, m, d, a->fit.D);
    lnt_ctx_reset(ctx, mark);
    for (int i = 0; i < m->cells; i++)
        d[i] -= 1;
    return status;
}

static lnt_status one_diagonal(lnt_ctx *ctx, lnt_matching_answer *a, const lnt_matching *c, double lambda)
{
    const lnt_match *m = &c->task.problem;
    const lnt_matching_opts *o = c->opts;
    double *d = lnt_alloc_zero(ctx, (size_t)m->cells, sizeof *d), delta = o->lambda_diagonal;
    delta = o->method == LNT_MATCHING_LATERAL ? INFINITY : isnan(delta) ? lambda : delta;
    lnt_match_search search;
    lnt_match_search_defaults(&search);
    search.starts = o->starts;
    search.seed = o->data.seed;
    bool gains = o->method == LNT_MATCHING_DIAGONAL_FULL, only = o->method == LNT_MATCHING_DIAGONAL;
    a->searched = gains || o->quadratic;
    a->d = d;
    lnt_status status = d ? lnt_mat_alloc_zero(ctx, &a->fit.D, m->rank, m->rank) : LNT_ENOMEM;
    bool lateral = o->quadratic && !only;
    if (status == LNT_OK && (gains || lateral))
        status = lnt_mat_alloc(ctx, &a->W, m->cells, m->cells);
    if (status != LNT_OK)
        return status;
    if (gains || (only && o->quadratic))
        return search_gains(ctx, a, c, d, lambda, delta, &search);
    if (lateral)
        return lnt_match_lateral(ctx, a->W, &a->search, m, lambda, delta, &search);
    return o->method == LNT_MATCHING_OVERLAP ? lnt_match_overlap(ctx, d, a->fit.D, m, lambda, delta)
           : only                            ? lnt_match_overlap(ctx, d, a->fit.D, m, INFINITY, delta)
                                             : lnt_match_weighted(ctx, d, a->fit.D, m, lambda, delta);
}

static lnt_status fit_diagonals(lnt_ctx *ctx, lnt_matching *c)
{
    const lnt_matching_opts *o = c->opts;
    lnt_status status = LNT_OK;
    if ((o->method == LNT_MATCHING_DIAGONAL_FULL || o->quadratic) && c->task.cells > LNT_MATCHING_DENSE)
        return lnt_fail(ctx, LNT_EUSAGE, "searches with a diagonal are for at most %d cells, not %d",
                        LNT_MATCHING_DENSE, c->task.cells);
    lnt_progress_begin(ctx, "lambdas", c->count);
    for (int k = 0; k < c->count && status == LNT_OK && !lnt_cancelled(ctx); k++) {
        lnt_matching_answer *a = &c->answer[k];
        double lambda = c->lambda[k], delta = o->lambda_diagonal;
        a->fit.lambda = lambda;
        a->fit.smallest = a->fit.eta = a->fit.bound = a->fit.gap = a->fit.linear_loss = NAN;
        status = one_diagonal(ctx, a, c, lambda);
        lnt_mark mark = lnt_ctx_mark(ctx);
        delta = o->method == LNT_MATCHING_LATERAL ? INFINITY : isnan(delta) ? lambda : delta;
        if (status == LNT_OK)
            status = measure(ctx, a, c, lambda, delta);
        lnt_ctx_reset(ctx, mark);
        lnt_progress_step(ctx);
    }
    return status;
}

/* ---- Cores ---- */

static lnt_status fit_cores(lnt_ctx *ctx, lnt_matching_answer **answer, const lnt_matching *c, bool full)
{
    const lnt_match *m = &c->task.problem;
    lnt_match_fit *fit = lnt_alloc_zero(ctx, (size_t)c->count, sizeof *fit);
    lnt_match_opts opts;
    *answer = lnt_alloc_zero(ctx, (size_t)c->count, sizeof **answer);
    if (!fit || !*answer)
        return LNT_ENOMEM;
    lnt_match_defaults(&opts);
    opts.starts = c->opts->starts;
    opts.seed = c->opts->data.seed;
    lnt_status status = full ? lnt_match_full_path(ctx, fit, m, c->lambda, c->count, &opts)
                             : lnt_match_linear_path(ctx, fit, m, c->lambda, c->count);
    for (int k = 0; k < c->count && status == LNT_OK; k++) {
        lnt_matching_answer *a = &(*answer)[k];
        a->fit = fit[k];
        a->eta = fit[k].eta;
        a->linear_radius = fit[k].radius;
        if (c->opts->rank > 0)
            status = lnt_match_truncate(ctx, &a->fit, m, &fit[k], c->opts->rank);
    }
    return status;
}

static lnt_status fit_exact(lnt_ctx *ctx, lnt_matching *c)
{
    const lnt_match *m = &c->task.problem;
    lnt_status status = LNT_OK;
    c->other = lnt_alloc_zero(ctx, 4, sizeof *c->other);
    c->answer = lnt_alloc_zero(ctx, 1, sizeof *c->answer);
    if (!c->other || !c->answer)
        return LNT_ENOMEM;
    for (int k = 0; k < 4 && status == LNT_OK; k++) {
        lnt_match_fit whole;
        bool chosen = c->opts->method - LNT_MATCHING_MIN_WEIGHT == k;
        status = lnt_match_exact(ctx, &c->other[k].fit, &c->moved[k], m, (lnt_match_exact_kind)k);
        if (status == LNT_OK && chosen && c->opts->rank > 0) {
            whole = c->other[k].fit;
            status = lnt_match_truncate(ctx, &c->other[k].fit, m, &whole, c->opts->rank);
        }
        if (status == LNT_OK)
            status = lnt_matching_score(ctx, &c->other[k], c);
        if (chosen)
            c->answer[0] = c->other[k];
    }
    c->answer[0].eta = c->answer[0].linear_radius = NAN;
    return status;
}

/* ---- All ---- */

static void score_base(lnt_matching *c)
{
    for (int p = 0; p < LNT_PARTS; p++)
        c->base_r2[p] = lnt_matching_has_part(&c->task, p)
                            ? lnt_match_r2(c->task.target[p], c->task.base[p], p == LNT_TRAIN)
                            : (double)NAN;
}

lnt_status lnt_matching_fit(lnt_ctx *ctx, lnt_matching *c)
{
    int method = c->opts->method;
    score_base(c);
    if (c->exact)
        return fit_exact(ctx, c);
    lnt_status status = fit_cores(ctx, &c->linear, c, false);
    if (status == LNT_OK && method <= LNT_MATCHING_FULL) {
        status = fit_cores(ctx, &c->answer, c, method == LNT_MATCHING_FULL);
    } else if (status == LNT_OK) {
        c->answer = lnt_alloc_zero(ctx, (size_t)c->count, sizeof *c->answer);
        status = c->answer ? fit_diagonals(ctx, c) : LNT_ENOMEM;
    }
    for (int k = 0; k < c->count && status == LNT_OK && !lnt_cancelled(ctx); k++) {
        c->answer[k].eta = c->linear[k].eta;
        c->answer[k].linear_radius = c->linear[k].linear_radius;
        status = lnt_matching_score(ctx, &c->linear[k], c);
        if (status == LNT_OK)
            status = lnt_matching_score(ctx, &c->answer[k], c);
    }
    return status;
}
