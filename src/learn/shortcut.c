/* The exact spectral shortcut: coordinates along the eigenvectors of Sigma evolve alone. */
#include "frame.h"
#include "learners.h"

#include <math.h>
#include <string.h>

#define BLOCK 32 /* epochs that are taken back to features at a time */

/* The modes, with the null space of Sigma behind them as one more of eigenvalue 0. */
typedef struct view {
    const lnt_quadratic *q;
    int modes;
    double *x;
    const double *start, *teacher, *target;
    double start2, overlap, teacher2; /* of the null space */
    double *residual;
    lnt_mat s; /* coordinates, and p of the null space below; a column an epoch of the block */
    /* Where eigenvectors are needed: S = U s, the last column of U being S0 in the null space. */
    lnt_mat U, S;
} view;

static lnt_status view_modes(lnt_ctx *ctx, view *v, const lnt_quadratic *q, int epochs_held)
{
    const size_t n = (size_t)q->modes;
    *v = (view){q, q->modes, .start2 = q->start2, .overlap = q->overlap, .teacher2 = q->teacher2};
    v->start = q->start;
    v->teacher = q->teacher;
    v->target = q->target;
    v->x = lnt_alloc(ctx, n + 1, sizeof *v->x);
    v->residual = lnt_alloc(ctx, n, sizeof *v->residual);
    if (!v->x || !v->residual)
        return LNT_ENOMEM;
    memcpy(v->x, q->x, n * sizeof *v->x);
    v->x[n] = 0;
    return lnt_mat_alloc(ctx, &v->s, q->modes + 1, epochs_held);
}

/* Eigenvectors have signs of their own, and so have coordinates along them. */
static lnt_status view_features(lnt_ctx *ctx, view *v)
{
    const lnt_least_squares_task *task = v->q->task;
    const int D = task->X.rows, n = v->modes;
    const double *from[] = {task->start, task->teacher, v->q->b};
    lnt_mat V, Z;
    lnt_status status = lnt_mat_alloc(ctx, &v->U, D, n + 1);
    if (status == LNT_OK)
        status = lnt_frame_make(ctx, lnt_columns(v->U, 0, n), v->x, v->q);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &v->S, D, v->s.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &V, D, 3);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, n, 3);
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < 3; k++)
        if (from[k])
            memcpy(lnt_at(V, 0, k), from[k], (size_t)D * sizeof *V.a);
    lnt_gemm(Z, 1, LNT_T, lnt_columns(v->U, 0, n), LNT_N, V, 0);
    lnt_gemm(V, -1, LNT_N, lnt_columns(v->U, 0, n), LNT_N, Z, 1);
    lnt_mat_copy(lnt_columns(v->U, n, 1), lnt_columns(V, 0, 1));
    v->start = Z.a;
    v->teacher = lnt_at(Z, 0, 1);
    v->target = lnt_at(Z, 0, 2);
    return LNT_OK;
}

/* One learner: where its results go. */
typedef struct curve {
    const lnt_learner *learner;
    const double *times;
    double *gen, *train, *S; /* the last two may be NULL */
    int epochs;
    lnt_responses r;
} curve;

/* s_i = p_i S0_i + g_i b_i, and the losses from them. */
static void evaluate(const view *v, const curve *c, int epoch)
{
    const int n = v->modes;
    const double *p = c->r.p, *g = c->r.g, p0 = p[n];
    double *s = lnt_at(v->s, 0, epoch % v->s.cols);
    for (int i = 0; i < n; i++)
        s[i] = p[i] * v->start[i] + g[i] * v->target[i];
    s[n] = p0;
    double beside = p0 * p0 * v->start2 - 2 * p0 * v->overlap + v->teacher2;
    c->gen[epoch] = (lnt_square_distance(s, v->teacher, NULL, n) + fmax(beside, 0)) / 2;
    if (!c->train)
        return;
    for (int i = 0; i < n; i++)
        v->residual[i] = v->x[i] * s[i] - v->target[i];
    c->train[epoch] = fmax(lnt_difference_along(s, v->residual, v->target, n) + v->q->y2, 0) / 2;
}

/* Epochs first .. last of the block as features. */
static void take_back(const view *v, const curve *c, int first, int last)
{
    const lnt_least_squares_task *task = v->q->task;
    const int D = task->X.rows, count = last - first + 1;
    lnt_gemm(lnt_columns(v->S, 0, count), 1, LNT_N, v->U, LNT_N, lnt_columns(v->s, first % v->s.cols, count), 0);
    for (int k = 0; k < count && task->variance; k++)
        c->gen[first + k] = lnt_square_distance(lnt_at(v->S, 0, k), task->teacher, task->variance, D) / 2;
    if (c->S && last == c->epochs)
        memcpy(c->S, lnt_at(v->S, 0, count - 1), (size_t)D * sizeof *c->S);
}

static void respond(const view *v, curve *c, int epoch)
{
    const lnt_smooth_rule *rule = &c->learner->rule;
    if (rule->eta > 0) {
        if (epoch > 0)
            lnt_responses_step(&c->r, rule);
        return;
    }
    for (int i = 0; i <= v->modes; i++) {
        lnt_response at = lnt_response_at(rule, v->x[i], c->times ? c->times[epoch] : epoch);
        c->r.p[i] = at.p;
        c->r.g[i] = at.g;
    }
}

/* From the first loss that is not finite on, infinity. */
static void settle(const curve *c)
{
    int epoch = 0;
    while (epoch <= c->epochs && isfinite(c->gen[epoch]) && !(c->train && !isfinite(c->train[epoch])))
        epoch++;
    for (; epoch <= c->epochs; epoch++) {
        c->gen[epoch] = INFINITY;
        if (c->train)
            c->train[epoch] = INFINITY;
    }
}

static lnt_status follow(lnt_ctx *ctx, const view *v, curve *c)
{
    lnt_status status = lnt_responses_start(ctx, &c->r, v->x, v->modes + 1);
    for (int epoch = 0, first = 0; epoch <= c->epochs && status == LNT_OK; epoch++) {
        if (lnt_cancelled(ctx)) {
            for (int k = epoch; k <= c->epochs; k++) {
                c->gen[k] = NAN;
                if (c->train)
                    c->train[k] = NAN;
            }
            return LNT_OK;
        }
        respond(v, c, epoch);
        evaluate(v, c, epoch);
        bool full = epoch + 1 - first == v->s.cols || epoch == c->epochs;
        if (full && v->U.a && (v->q->task->variance || epoch == c->epochs))
            take_back(v, c, v->q->task->variance ? first : epoch, epoch);
        first = full ? epoch + 1 : first;
    }
    settle(c);
    return status;
}

static lnt_status check(lnt_ctx *ctx, const lnt_learner *learner, int count, int epochs, const double *times)
{
    bool flow = false;
    for (int k = 0; k < count; k++) {
        const lnt_learner *l = &learner[k];
        bool smooth = l->l1 == 0 && (l->kind == LNT_LEARN_HEAVY || l->kind == LNT_LEARN_NAIVE ||
                                     (l->kind == LNT_LEARN_OUTER && l->rule.beta == 0));
        if (!smooth)
            return lnt_fail(ctx, LNT_EINVAL,
                            "only rules without threshold have a spectral shortcut: iterate learner %d", k);
        flow = flow || l->rule.eta == 0;
    }
    for (int k = 0; flow && times && k <= epochs; k++)
        if (!(times[k] >= 0) || !isfinite(times[k]))
            return lnt_fail(ctx, LNT_EINVAL, "times of a flow must be finite and not negative, not %g", times[k]);
    return LNT_OK;
}

lnt_status lnt_learners_spectral(lnt_ctx *ctx, lnt_mat gen, lnt_mat train, lnt_mat S, const lnt_quadratic *q,
                                 const lnt_learner *learner, int count, int epochs, const double *times)
{
    lnt_status status = lnt_learners_check(ctx, gen, train, S, q, learner, count, epochs);
    if (status == LNT_OK)
        status = check(ctx, learner, count, epochs, times);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    view v;
    status = view_modes(ctx, &v, q, q->task->variance ? BLOCK : 1);
    if (status == LNT_OK && (q->task->variance || S.cols > 0))
        status = view_features(ctx, &v);
    for (int k = 0; k < count && status == LNT_OK; k++) {
        curve c = {&learner[k], times, .gen = lnt_at(gen, 0, k), .epochs = epochs};
        c.train = train.cols > 0 ? lnt_at(train, 0, k) : NULL;
        c.S = S.cols > 0 ? lnt_at(S, 0, k) : NULL;
        lnt_mark inner = lnt_ctx_mark(ctx);
        status = follow(ctx, &v, &c);
        lnt_ctx_reset(ctx, inner);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
