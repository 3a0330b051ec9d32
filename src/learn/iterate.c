#include "linnet/quadratic.h"

#include "learners.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- Sums ---- */

/* Partial sums, which vectors can hold. */
#define LANES 8

static double total(const double *part)
{
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

double lnt_square_distance(const double *s, const double *t, const double *c, int n)
{
    double part[LANES] = {0};
    int i = 0;
    for (; t && !c && i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            part[j] += (s[i + j] - t[i + j]) * (s[i + j] - t[i + j]);
    for (; i < n; i++) {
        double d = s[i] - (t ? t[i] : 0);
        part[i % LANES] += c ? c[i] * d * d : d * d;
    }
    return total(part);
}

double lnt_difference_along(const double *s, const double *a, const double *b, int n)
{
    double part[LANES] = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            part[j] += s[i + j] * (a[i + j] - b[i + j]);
    for (; i < n; i++)
        part[i % LANES] += s[i] * (a[i] - b[i]);
    return total(part);
}

/* ---- Learners ---- */

typedef struct student {
    const lnt_learner *learner;
    lnt_smooth_rule rule;
    double threshold;
    lnt_mat S, g; /* where it is, and Sigma S - b (padded columns) */
    double *m;    /* heavy, sgd: momentum; outer, fista: S before */
    double *last; /* fista: Sigma S - b before */
    double t, c;  /* fista: its momentum */
    bool diverged;
} student;

double lnt_effective_l1(const lnt_learner *learner)
{
    return learner->kind == LNT_LEARN_NAIVE ? learner->l1 * (1 - learner->rule.beta) : learner->l1;
}

static double threshold_of(const lnt_learner *l)
{
    bool inside = l->kind == LNT_LEARN_HEAVY || l->kind == LNT_LEARN_SGD;
    return l->rule.eta * l->l1 / (inside ? 1 - l->rule.beta : 1);
}

/* soft(z, t): exactly 0 for |z| <= t. */
static inline double soft(double z, double t)
{
    double low = z < -t ? -t : z;
    return z - (low > t ? t : low);
}

/* g is the gradient of the loss, divided by `count` where it is a sum. */
static void heavy_step(const student *s, const double *restrict g, double share)
{
    double eta = s->rule.eta, beta = s->rule.beta, lambda = s->rule.lambda,
           t = s->threshold, *restrict S = s->S.a, *restrict m = s->m;
    for (int i = 0, D = s->g.rows; i < D; i++) {
        m[i] = beta * m[i] + (share * g[i] + lambda * S[i]);
        S[i] = soft(S[i] - eta * m[i], t);
    }
}

static void outer_step(const student *s)
{
    double eta = s->rule.eta, beta = s->rule.beta, lambda = s->rule.lambda,
           t = s->threshold, *restrict S = s->S.a, *restrict before = s->m;
    const double *restrict g = s->g.a;
    for (int i = 0, D = s->g.rows; i < D; i++) {
        double now = S[i];
        S[i] = soft(now - eta * (g[i] + lambda * now) + beta * (now - before[i]), t);
        before[i] = now;
    }
}

/* The gradient at Y = S + c (S - S_before) is linear in those at S and S_before. */
static void fista_step(student *s)
{
    double eta = s->rule.eta, shrink = 1 / (1 + eta * s->rule.lambda), threshold = s->threshold, uphill = 0;
    for (int i = 0; i < s->g.rows; i++) {
        double S = s->S.a[i], g = s->g.a[i], Y = S + s->c * (S - s->m[i]), slope = g + s->c * (g - s->last[i]);
        double to = shrink * soft(Y - eta * slope, threshold);
        uphill += (Y - to) * (to - S);
        s->m[i] = S;
        s->last[i] = g;
        s->S.a[i] = to;
    }
    double t = uphill > 0 ? 1 : s->t;
    s->t = (1 + sqrt(1 + 4 * t * t)) / 2;
    s->c = (t - 1) / s->t;
}

static void sgd_epoch(const student *s, const lnt_quadratic *q, const int *order)
{
    const lnt_least_squares_task *task = q->task;
    int n = task->X.cols, batch = s->learner->batch < n ? s->learner->batch : n;
    for (int first = 0; first < n; first += batch) {
        int count = n - first < batch ? n - first : batch;
        lnt_mat g = {s->last, s->S.rows, 1, s->S.rows};
        lnt_samples_multiply(g, task->X, order + first, count, s->S, task->y);
        heavy_step(s, g.a, 1. / count);
    }
}

/* ---- The epochs ---- */

typedef struct class
{
    const lnt_quadratic *q;
    student *student; /* those of kind sgd last */
    int count, full;  /* all, and those that take full gradients */
    int *column;      /* of the results */
    lnt_mat S, g;
    int *order;
} class;

static lnt_status enrol(lnt_ctx *ctx, class *c, int place, const lnt_learner *l, int column)
{
    const lnt_quadratic *q = c->q;
    const int D = q->task->X.rows;
    student *s = &c->student[place];
    lnt_mat extra;
    c->column[place] = column;
    *s = (student){.learner = l, .rule = l->rule, .t = 1};
    s->S = lnt_columns(c->S, place, 1);
    s->g = lnt_block(c->g, 0, place, D, 1);
    if (l->kind == LNT_LEARN_FISTA)
        s->rule.eta = q->high > 0 ? 1 / q->high : 1;
    s->threshold = threshold_of(&(lnt_learner){.kind = l->kind, .rule = s->rule, .l1 = l->l1});
    lnt_status status = lnt_padded_alloc(ctx, &extra, D, 2);
    if (status != LNT_OK)
        return status;
    s->m = extra.a;
    s->last = lnt_at(extra, 0, 1);
    for (int i = 0; i < D && q->task->start; i++) {
        s->S.a[i] = q->task->start[i];
        if (l->kind == LNT_LEARN_OUTER || l->kind == LNT_LEARN_FISTA)
            s->m[i] = s->S.a[i];
    }
    return LNT_OK;
}

static lnt_status assemble(lnt_ctx *ctx, class *c, const lnt_learner *learner, int count)
{
    const lnt_mat X = c->q->task->X;
    c->student = lnt_alloc(ctx, (size_t)count, sizeof *c->student);
    c->column = lnt_alloc(ctx, (size_t)count, sizeof *c->column);
    c->order = lnt_alloc(ctx, (size_t)X.cols, sizeof *c->order);
    lnt_status status = c->student && c->column && c->order ? lnt_padded_alloc(ctx, &c->S, X.rows, count) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_padded_alloc(ctx, &c->g, X.rows, count);
    for (int sgd = 0; sgd < 2; sgd++) {
        for (int k = 0; k < count && status == LNT_OK; k++)
            if ((learner[k].kind == LNT_LEARN_SGD) == sgd)
                status = enrol(ctx, c, c->count++, &learner[k], k);
        c->full = sgd ? c->full : c->count;
    }
    for (int i = 0; i < X.cols && status == LNT_OK; i++)
        c->order[i] = i;
    return status;
}

/* Losses where the student stands; from the first that is not finite on, infinity. */
static void examine(const class *c, int place, double *gen, double *train)
{
    const lnt_least_squares_task *task = c->q->task;
    student *s = &c->student[place];
    if (!s->diverged) {
        *gen = lnt_square_distance(s->S.a, task->teacher, task->variance, task->X.rows) / 2;
        s->diverged = !isfinite(*gen);
    }
    if (train && !s->diverged) {
        /* g = Sigma S - b, so that S'(g - b) + y2 = |y - X' S|^2/n */
        double twice = lnt_difference_along(s->S.a, s->g.a, c->q->b, task->X.rows) + c->q->y2;
        *train = twice < 0 ? 0 : twice / 2;
        s->diverged = !isfinite(*train);
    }
    if (s->diverged) {
        *gen = INFINITY;
        if (train)
            *train = INFINITY;
    }
}

static void step(class *c, int place)
{
    student *s = &c->student[place];
    if (s->diverged)
        return;
    switch (s->learner->kind) {
    case LNT_LEARN_OUTER:
        outer_step(s);
        break;
    case LNT_LEARN_FISTA:
        fista_step(s);
        break;
    case LNT_LEARN_SGD:
        sgd_epoch(s, c->q, c->order);
        break;
    default:
        heavy_step(s, s->g.a, 1);
    }
}

static void run(lnt_ctx *ctx, class *c, lnt_mat gen, lnt_mat train, int epochs, lnt_rng *rng)
{
    for (int epoch = 0; epoch <= epochs; epoch++) {
        if (epoch > 0 && lnt_cancelled(ctx)) {
            lnt_mat_fill(lnt_block(gen, epoch, 0, epochs + 1 - epoch, c->count), NAN);
            if (train.a)
                lnt_mat_fill(lnt_block(train, epoch, 0, epochs + 1 - epoch, c->count), NAN);
            return;
        }
        int pass = train.a ? c->count : epoch < epochs ? c->full : 0;
        if (pass > 0)
            lnt_quadratic_gradient(lnt_columns(c->g, 0, pass), c->q, lnt_columns(c->S, 0, pass));
        for (int k = 0; k < c->count; k++)
            examine(c, k, lnt_at(gen, epoch, c->column[k]), train.a ? lnt_at(train, epoch, c->column[k]) : NULL);
        if (epoch == epochs)
            return;
        if (c->full < c->count)
            lnt_rng_shuffle(rng, c->order, c->q->task->X.cols);
        for (int k = 0; k < c->count; k++)
            step(c, k);
    }
}

lnt_status lnt_learners_check(lnt_ctx *ctx, lnt_mat gen, lnt_mat train, lnt_mat S, const lnt_quadratic *q,
                              const lnt_learner *learner, int count, int epochs)
{
    assert(epochs >= 0 && count >= 0 && gen.rows == epochs + 1 && gen.cols == count);
    assert(train.cols == 0 || (train.rows == gen.rows && train.cols == count));
    assert(S.cols == 0 || (S.rows == q->task->X.rows && S.cols == count));
    (void)gen, (void)train, (void)S, (void)q, (void)epochs;
    for (int k = 0; k < count; k++) {
        const lnt_learner *l = &learner[k];
        const lnt_smooth_rule *r = &l->rule;
        if (!(r->lambda >= 0 && l->l1 >= 0) || !isfinite(r->lambda) || !isfinite(l->l1))
            return lnt_fail(ctx, LNT_EINVAL, "penalties must be finite and not negative: lambda %g, l1 %g", r->lambda,
                            l->l1);
        if (l->kind == LNT_LEARN_FISTA)
            continue;
        if (!(r->beta >= 0 && r->beta < 1))
            return lnt_fail(ctx, LNT_EINVAL, "momentum %g: from 0 up to, but not including, 1", r->beta);
        if (!(r->eta >= 0) || !isfinite(r->eta))
            return lnt_fail(ctx, LNT_EINVAL, "the learning rate must be positive and finite, not %g", r->eta);
        if (l->kind == LNT_LEARN_SGD && l->batch < 1)
            return lnt_fail(ctx, LNT_EINVAL, "a batch of %d samples: at least 1", l->batch);
    }
    return LNT_OK;
}

lnt_status lnt_learners_iterate(lnt_ctx *ctx, lnt_mat gen, lnt_mat train, lnt_mat S, const lnt_quadratic *q,
                                const lnt_learner *learner, int count, int epochs, lnt_rng *rng)
{
    lnt_status status = lnt_learners_check(ctx, gen, train, S, q, learner, count, epochs);
    for (int k = 0; k < count && status == LNT_OK; k++)
        if (learner[k].kind != LNT_LEARN_FISTA && learner[k].rule.eta == 0)
            status = lnt_fail(ctx, LNT_EINVAL, "gradient flow has no steps to iterate: give a learning rate above 0");
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    class c = {.q = q};
    status = assemble(ctx, &c, learner, count);
    if (status == LNT_OK) {
        run(ctx, &c, gen, train, epochs, rng);
        for (int k = 0; k < count && S.cols > 0; k++)
            lnt_mat_copy(lnt_columns(S, c.column[k], 1), lnt_block(c.S, 0, k, S.rows, 1));
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
