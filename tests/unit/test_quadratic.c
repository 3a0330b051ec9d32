/* Learners of least squares against plain loops, the spectral shortcut against them, points of rest against optimality
 * conditions, and stochastic descent against its exact mean. */
#include "check.h"

#include "linnet/quadratic.h"

#include <float.h>

#define SEED 2718

static lnt_rng stream(uint32_t run)
{
    return lnt_rng_stream(SEED, run, LNT_FOR_TESTS);
}

/* What a test asks of its data. */
typedef struct shape {
    int D, n;
    double noise;
    bool variance, no_teacher, no_start;
    double decay; /* of the scale of the features, from one to the next; 0: none */
    bool twice;   /* the last feature is the first again, and so is the last sample */
} shape;

static lnt_least_squares_task make_task(lnt_ctx *ctx, shape s, uint32_t run)
{
    lnt_rng rng = stream(run);
    lnt_mat X = random_matrix(ctx, s.D, s.n, &rng), v = random_matrix(ctx, s.D, 3, &rng),
            y = random_matrix(ctx, s.n, 1, &rng);
    for (int i = 0; i < s.D && s.decay > 0; i++)
        for (int j = 0; j < s.n; j++)
            *lnt_at(X, i, j) *= pow(s.decay, i);
    for (int j = 0; j < s.n && s.twice; j++)
        *lnt_at(X, s.D - 1, j) = *lnt_at(X, 0, j);
    for (int i = 0; i < s.D && s.twice; i++)
        *lnt_at(X, i, s.n - 1) = *lnt_at(X, i, 0);
    for (int i = 0; i < s.D; i++)
        *lnt_at(v, i, 2) = 0.5 + lnt_rng_uniform(&rng);
    lnt_mat_scale(lnt_columns(v, 0, 2), 1 / sqrt(s.D));
    if (s.no_teacher)
        lnt_mat_fill(lnt_columns(v, 0, 1), 0);
    lnt_mat_scale(y, s.noise);
    for (int j = 0; j < s.n; j++)
        for (int i = 0; i < s.D; i++)
            y.a[j] += *lnt_at(X, i, j) * *lnt_at(v, i, 0);
    return (lnt_least_squares_task){X, y.a, s.no_teacher ? NULL : v.a, s.no_start ? NULL : lnt_at(v, 0, 1),
                                    s.variance ? lnt_at(v, 0, 2) : NULL};
}

static lnt_quadratic make_quadratic(lnt_ctx *ctx, const lnt_least_squares_task *task)
{
    lnt_quadratic q;
    check_status(ctx, lnt_quadratic_make(ctx, &q, task), LNT_OK);
    return q;
}

typedef struct outcome {
    lnt_mat gen, train, S;
} outcome;

static outcome room(lnt_ctx *ctx, const lnt_quadratic *q, int count, int epochs)
{
    return (outcome){zeros(ctx, epochs + 1, count), zeros(ctx, epochs + 1, count), zeros(ctx, q->task->X.rows, count)};
}

static outcome iterate(lnt_ctx *ctx, const lnt_quadratic *q, const lnt_learner *l, int count, int epochs)
{
    outcome o = room(ctx, q, count, epochs);
    lnt_rng rng = stream(99);
    check_status(ctx, lnt_learners_iterate(ctx, o.gen, o.train, o.S, q, l, count, epochs, &rng), LNT_OK);
    return o;
}

static outcome spectral(lnt_ctx *ctx, const lnt_quadratic *q, const lnt_learner *l, int count, int epochs)
{
    outcome o = room(ctx, q, count, epochs), bare = room(ctx, q, count, epochs);
    check_status(ctx, lnt_learners_spectral(ctx, o.gen, o.train, o.S, q, l, count, epochs, NULL), LNT_OK);
    check_status(ctx, lnt_learners_spectral(ctx, bare.gen, (lnt_mat){0}, (lnt_mat){0}, q, l, count, epochs, NULL),
                 LNT_OK);
    check_close(bare.gen, o.gen, 1e-10, "without eigenvectors");
    return o;
}

/* ---- Plain loops ---- */

static double at_or(const double *v, int i, double otherwise)
{
    return v ? v[i] : otherwise;
}

/* |y - X' S|^2/(2n) and its gradient over the given samples. */
static double plain_gradient(double *g, const lnt_least_squares_task *t, const double *S, const int *order, int count)
{
    double loss = 0;
    for (int i = 0; i < t->X.rows; i++)
        g[i] = 0;
    for (int k = 0; k < count; k++) {
        int j = order ? order[k] : k;
        double r = -t->y[j];
        for (int i = 0; i < t->X.rows; i++)
            r += *lnt_at(t->X, i, j) * S[i];
        for (int i = 0; i < t->X.rows; i++)
            g[i] += *lnt_at(t->X, i, j) * r / count;
        loss += r * r / (2 * count);
    }
    return loss;
}

static double shrunk(double z, double t)
{
    return fabs(z) > t ? copysign(fabs(z) - t, z) : 0;
}

typedef struct plain {
    lnt_learner l;
    double S[64], m[64], before[64], Y[64], t;
} plain;

static void plain_step(plain *p, const lnt_quadratic *q, const int *order, int count)
{
    const lnt_smooth_rule *r = &p->l.rule;
    double g[64], t = r->eta * p->l.l1, uphill = 0, last, now;
    plain_gradient(g, q->task, p->l.kind == LNT_LEARN_FISTA ? p->Y : p->S, order, count);
    for (int i = 0; i < q->task->X.rows; i++) {
        now = p->S[i];
        switch (p->l.kind) {
        case LNT_LEARN_FISTA:
            p->S[i] = shrunk(p->Y[i] - g[i] / q->high, p->l.l1 / q->high) / (1 + r->lambda / q->high);
            uphill += (p->Y[i] - p->S[i]) * (p->S[i] - now);
            break;
        case LNT_LEARN_OUTER:
            p->S[i] = shrunk(now - r->eta * (g[i] + r->lambda * now) + r->beta * (now - p->before[i]), t);
            break;
        default:
            p->m[i] = r->beta * p->m[i] + g[i] + r->lambda * now;
            p->S[i] = shrunk(now - r->eta * p->m[i], p->l.kind == LNT_LEARN_NAIVE ? t : t / (1 - r->beta));
        }
        p->before[i] = now;
    }
    last = uphill > 0 ? 1 : p->t;
    p->t = (1 + sqrt(1 + 4 * last * last)) / 2;
    for (int i = 0; i < q->task->X.rows; i++)
        p->Y[i] = p->S[i] + (last - 1) / p->t * (p->S[i] - p->before[i]);
}

static outcome plain_loop(lnt_ctx *ctx, const lnt_quadratic *q, const lnt_learner *l, int count, int epochs)
{
    const lnt_least_squares_task *t = q->task;
    const int D = t->X.rows, n = t->X.cols;
    outcome o = room(ctx, q, count, epochs);
    double g[64];
    for (int k = 0; k < count; k++) {
        lnt_rng rng = stream(99);
        int order[64];
        plain p = {.l = l[k], .t = 1};
        for (int i = 0; i < n; i++)
            order[i] = i;
        for (int i = 0; i < D; i++)
            p.S[i] = p.before[i] = p.Y[i] = at_or(t->start, i, 0);
        for (int epoch = 0; epoch <= epochs; epoch++) {
            for (int i = 0; i < D; i++) {
                double d = p.S[i] - at_or(t->teacher, i, 0);
                *lnt_at(o.gen, epoch, k) += at_or(t->variance, i, 1) * d * d / 2;
                *lnt_at(o.S, i, k) = p.S[i];
            }
            *lnt_at(o.train, epoch, k) = plain_gradient(g, t, p.S, NULL, n);
            if (l[k].kind != LNT_LEARN_SGD) {
                plain_step(&p, q, NULL, n);
                continue;
            }
            lnt_rng_shuffle(&rng, order, n);
            for (int first = 0; first < n; first += l[k].batch)
                plain_step(&p, q, order + first, n - first < l[k].batch ? n - first : l[k].batch);
        }
    }
    return o;
}

static void check_outcome(outcome a, outcome b, double tolerance, const char *what)
{
    check_close(a.gen, b.gen, tolerance, what);
    check_close(a.train, b.train, tolerance, what);
    check_close(a.S, b.S, tolerance, what);
}

static const shape shapes[] = {{.D = 12, .n = 7},
                               {.D = 9, .n = 9, .noise = 0.3},
                               {.D = 6, .n = 20, .noise = 0.3, .variance = true},
                               {.D = 1, .n = 5, .noise = 1},
                               {.D = 5, .n = 1},
                               {.D = 1, .n = 1},
                               {.D = 40, .n = 12, .variance = true},
                               {.D = 30, .n = 25, .no_teacher = true, .noise = 0.5},
                               {.D = 33, .n = 40, .no_start = true},
                               {.D = 10, .n = 6, .no_teacher = true},
                               {.D = 9, .n = 12, .twice = true, .noise = 0.1},
                               {.D = 12, .n = 9, .twice = true, .noise = 0.1}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void iterated_is_the_plain_loop(void **state)
{
    lnt_ctx *ctx = *state;
    for (int i = 0; i < 2 * SHAPES; i++) {
        lnt_simd_allow(i < SHAPES);
        lnt_least_squares_task task = make_task(ctx, shapes[i % SHAPES], (uint32_t)i);
        lnt_quadratic q = make_quadratic(ctx, &task);
        double eta = 1 / q.high;
        const lnt_learner l[] = {{LNT_LEARN_HEAVY, {eta, 0, 0}, 0, 0},       {LNT_LEARN_HEAVY, {eta, 0.8, 0}, 0, 0},
                                 {LNT_LEARN_SGD, {eta / 9, 0.5, 0.1}, 0, 4}, {LNT_LEARN_HEAVY, {eta, 0.7, 0.1}, 0.1, 0},
                                 {LNT_LEARN_NAIVE, {eta, 0.6, 0}, 0.1, 0},   {LNT_LEARN_OUTER, {eta, 0.4, 0.1}, 0.1, 0},
                                 {LNT_LEARN_SGD, {eta / 9, 0, 0}, 0.02, 1},  {LNT_LEARN_FISTA, {0, 0, 0.1}, 0.1, 0},
                                 {LNT_LEARN_FISTA, {0, 0, 0}, 0.05, 0}};
        check_outcome(iterate(ctx, &q, l, 9, 40), plain_loop(ctx, &q, l, 9, 40), 1e-12, "learners");
    }
    lnt_simd_allow(true);
}

/* ---- The shortcut ---- */

static void spectral_is_iterated(void **state)
{
    lnt_ctx *ctx = *state;
    const shape more[] = {{.D = 100, .n = 70},
                          {.D = 100, .n = 70, .variance = true, .noise = 0.2},
                          {.D = 60, .n = 60, .noise = 0.1},
                          {.D = 50, .n = 49},
                          {.D = 30, .n = 20, .decay = 0.7, .noise = 0.1},
                          {.D = 24, .n = 24, .decay = 0.6, .variance = true}};
    for (int i = 0; i < SHAPES + 6; i++) {
        lnt_least_squares_task task = make_task(ctx, i < SHAPES ? shapes[i] : more[i - SHAPES], 100 + (uint32_t)i);
        lnt_quadratic q = make_quadratic(ctx, &task);
        double ridge = q.low < q.high ? lnt_equal_rate_ridge(q.low, q.high) : 0.1, eta = 1.9 / q.high;
        const lnt_learner l[] = {{LNT_LEARN_HEAVY, {eta, 0, 0}, 0, 0},
                                 {LNT_LEARN_NAIVE, {eta, 0.9, 0}, 0, 0},
                                 {LNT_LEARN_OUTER, {eta / 2, 0, 0.3}, 0, 0},
                                 {LNT_LEARN_HEAVY, lnt_tune(q.low, q.high, q.null_space, ridge, false).rule, 0, 0},
                                 {LNT_LEARN_HEAVY, lnt_tune(q.low, q.high, q.null_space, ridge, true).rule, 0, 0},
                                 {LNT_LEARN_HEAVY, lnt_tune(q.low, q.high, q.null_space, 0, true).rule, 0, 0}};
        /* ill-conditioned with momentum 1 - 1e-5: rounding of Sigma itself */
        double tolerance = i >= SHAPES + 4 ? 1e-8 : 1e-10;
        check_outcome(spectral(ctx, &q, l, 6, 300), iterate(ctx, &q, l, 6, 300), tolerance, "spectral");
    }
}

/* Eigenvalues over twelve orders: X' X has no digits left of the square roots of the smallest. */
static void ill_conditioned_samples_lose_nothing(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_least_squares_task task = make_task(ctx, (shape){.D = 24, .n = 20, .decay = 0.5}, 150);
    lnt_quadratic q = make_quadratic(ctx, &task);
    const lnt_learner l[] = {{LNT_LEARN_HEAVY, {1 / q.high, 0, 0}, 0, 0},
                             {LNT_LEARN_HEAVY, {1 / q.high, 0, 0.1}, 0, 0}};
    assert_true(q.low < 1e-10 * q.high);
    check_outcome(spectral(ctx, &q, l, 2, 100), iterate(ctx, &q, l, 2, 100), 1e-13, "ill-conditioned");
}

/* The flow as the limit of descent: halving the step twice and extrapolating leaves an error of third order. */
static void flow_is_the_limit_of_descent(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_least_squares_task task = make_task(ctx, (shape){.D = 8, .n = 6, .noise = 0.2}, 200);
    lnt_quadratic q = make_quadratic(ctx, &task);
    const double times[] = {0, 0.5, 1};
    const lnt_learner flow = {LNT_LEARN_HEAVY, {0, 0, 0.2}, 0, 0};
    outcome o = room(ctx, &q, 1, 2);
    check_status(ctx, lnt_learners_spectral(ctx, o.gen, o.train, o.S, &q, &flow, 1, 2, times), LNT_OK);
    lnt_mat S[3];
    for (int k = 0; k < 3; k++) {
        int steps = 4000 << k;
        const lnt_learner l = {LNT_LEARN_HEAVY, {1. / steps, 0, 0.2}, 0, 0};
        S[k] = iterate(ctx, &q, &l, 1, steps).S;
    }
    for (int i = 0; i < 8; i++) {
        double limit = (S[0].a[i] - 6 * S[1].a[i] + 8 * S[2].a[i]) / 3;
        check_near(o.S.a[i], limit, 1e-9, "flow");
    }
    check_failure(ctx, lnt_learners_spectral(ctx, o.gen, o.train, o.S, &q, &flow, 1, 2, (double[]){0, -1, 2}),
                  LNT_EINVAL, "-1");
}

/* ---- Points of rest ---- */

/* Optimality conditions of |y - X'S|^2/(2n) + lambda/2 |S|^2 + l1 |S|_1: the largest violation. */
static double violation(lnt_ctx *ctx, const lnt_quadratic *q, const double *S, double lambda, double l1)
{
    lnt_mat P, G;
    double worst = 0;
    int zeros_seen = 0, D = q->task->X.rows;
    check_status(ctx, lnt_padded_alloc(ctx, &P, D, 1), LNT_OK);
    check_status(ctx, lnt_padded_alloc(ctx, &G, D, 1), LNT_OK);
    memcpy(P.a, S, (size_t)D * sizeof *S);
    lnt_quadratic_gradient(G, q, P);
    for (int i = 0; i < D; i++) {
        double g = G.a[i] + lambda * S[i];
        zeros_seen += S[i] == 0;
        worst = fmax(worst, S[i] != 0 ? fabs(g + copysign(l1, S[i])) : fabs(g) - l1);
    }
    return zeros_seen > 0 && zeros_seen < D ? worst : INFINITY;
}

static void momentum_rests_where_its_penalty_says(void **state)
{
    lnt_ctx *ctx = *state;
    for (int few = 0; few < 2; few++) {
        lnt_least_squares_task task =
            make_task(ctx, (shape){.D = 30, .n = few ? 20 : 60, .noise = 0.2}, 300 + (uint32_t)few);
        lnt_quadratic q = make_quadratic(ctx, &task);
        double eta = 0.9 / q.high;
        const double l1 = 0.1, lambda = 0.02;
        const lnt_learner l[] = {
            {LNT_LEARN_HEAVY, {eta, 0.5, 0}, l1, 0},   {LNT_LEARN_HEAVY, {eta, 0.5, lambda}, l1, 0},
            {LNT_LEARN_OUTER, {eta, 0.5, 0}, l1, 0},   {LNT_LEARN_OUTER, {eta, 0.5, lambda}, l1, 0},
            {LNT_LEARN_NAIVE, {eta, 0.5, 0}, l1, 0},   {LNT_LEARN_NAIVE, {eta, 0.6, lambda}, l1, 0},
            {LNT_LEARN_FISTA, {0, 0, 0}, l1, 0},       {LNT_LEARN_FISTA, {0, 0, lambda}, l1, 0},
            {LNT_LEARN_HEAVY, {eta, 0, lambda}, l1, 0}};
        outcome o = iterate(ctx, &q, l, 9, 20000);
        for (int k = 0; k < 9; k++) {
            double effective = lnt_effective_l1(&l[k]);
            bool naive = l[k].kind == LNT_LEARN_NAIVE;
            check_near(effective, naive ? l1 * (1 - l[k].rule.beta) : l1, 1e-16, "effective l1");
            double worst = violation(ctx, &q, lnt_at(o.S, 0, k), l[k].rule.lambda, effective);
            if (!(worst < 1e-10))
                fail_msg("learner %d: optimality is violated by %g", k, worst);
        }
        check_close(lnt_columns(o.S, 6, 1), lnt_columns(o.S, 0, 1), 1e-9, "fista, heavy");
        check_close(lnt_columns(o.S, 7, 1), lnt_columns(o.S, 3, 1), 1e-9, "elastic net of fista, outer");
    }
}

/* ---- Stochastic descent ---- */

/* One pass over Gaussian data, Z = S - T: E|Z|^2 <- (1 - 2 eta + eta^2 (1 + (D + 1)/B)) E|Z|^2 + eta^2 s2 D/B a step.
 */
static void first_epoch_of_sgd_has_its_mean(void **state)
{
    lnt_ctx *ctx = *state;
    enum { RUNS = 3000 };
    const int D = 10, n = 12, B = 4;
    const double eta = 0.2, s2 = 0.25;
    double sum = 0, sum2 = 0, predicted = 0;
    for (uint32_t run = 0; run < RUNS; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_least_squares_task task = make_task(ctx, (shape){.D = D, .n = n, .noise = sqrt(s2)}, 1000 + run);
        lnt_quadratic q = make_quadratic(ctx, &task);
        const lnt_learner l = {LNT_LEARN_SGD, {eta, 0, 0}, 0, B};
        outcome o = room(ctx, &q, 1, 1);
        lnt_rng rng = stream(5000 + run);
        check_status(ctx, lnt_learners_iterate(ctx, o.gen, (lnt_mat){0}, (lnt_mat){0}, &q, &l, 1, 1, &rng), LNT_OK);
        double z2 = 2 * o.gen.a[0], expected = z2;
        for (int step = 0; step < n / B; step++)
            expected = (1 - 2 * eta + eta * eta * (1 + (D + 1.) / B)) * expected + eta * eta * s2 * D / B;
        double d = 2 * o.gen.a[1] - expected;
        predicted += expected / RUNS;
        sum += d / RUNS;
        sum2 += d * d / RUNS;
        lnt_ctx_reset(ctx, mark);
    }
    double error = sqrt((sum2 - sum * sum) / RUNS);
    if (!(fabs(sum) < 3 * error && error < 0.02 * predicted))
        fail_msg("mean |Z|^2 differs by %g from %g, standard error %g (seed %d)", sum, predicted, error, SEED);
}

/* ---- Company, divergence, eigenvalues ---- */

static void a_learner_does_not_notice_its_company(void **state)
{
    lnt_ctx *ctx = *state;
    for (int path = 0; path < 2; path++) {
        lnt_least_squares_task task = make_task(ctx, (shape){.D = 37, .n = path ? 11 : 30, .noise = 0.1}, 400);
        lnt_quadratic q = make_quadratic(ctx, &task);
        const lnt_learner l[] = {{LNT_LEARN_HEAVY, {0.1, 0, 0}, 0, 0},     {LNT_LEARN_SGD, {0.01, 0, 0}, 0, 5},
                                 {LNT_LEARN_HEAVY, {100, 0, 0}, 0, 0},     {LNT_LEARN_SGD, {1e9, 0, 0}, 0, 3},
                                 {LNT_LEARN_FISTA, {0, 0, 0}, 0.01, 0},    {LNT_LEARN_OUTER, {0.1, 0.2, 0}, 0.01, 0},
                                 {LNT_LEARN_NAIVE, {1e200, 0, 0}, 0.1, 0}, {LNT_LEARN_SGD, {0.02, 0.5, 0.1}, 0, 7}};
        outcome all = iterate(ctx, &q, l, 8, 200);
        for (int k = 0; k < 8; k++) {
            outcome one = iterate(ctx, &q, &l[k], 1, 200);
            assert_memory_equal(one.gen.a, lnt_at(all.gen, 0, k), 201 * sizeof(double));
            assert_memory_equal(one.train.a, lnt_at(all.train, 0, k), 201 * sizeof(double));
            assert_memory_equal(one.S.a, lnt_at(all.S, 0, k), 37 * sizeof(double));
        }
    }
}

static void blow_up_is_infinite_and_not_a_number(void **state)
{
    lnt_ctx *ctx = *state;
    for (int few = 0; few < 2; few++)
        for (int momentum = 0; momentum < 2; momentum++) {
            lnt_least_squares_task task =
                make_task(ctx, (shape){.D = 12, .n = few ? 8 : 20, .variance = few}, 500 + (uint32_t)few);
            lnt_quadratic q = make_quadratic(ctx, &task);
            double beta = momentum ? 0.7 : 0, bound = lnt_stable_step(q.high, beta, 0.1);
            const lnt_learner l[] = {{LNT_LEARN_HEAVY, {0.98 * bound, beta, 0.1}, 0, 0},
                                     {LNT_LEARN_HEAVY, {1.02 * bound, beta, 0.1}, 0, 0},
                                     {LNT_LEARN_HEAVY, {1e200, beta, 0.1}, 0, 0}};
            outcome loop = iterate(ctx, &q, l, 3, 40000), exact = room(ctx, &q, 3, 40000);
            check_status(ctx, lnt_learners_spectral(ctx, exact.gen, exact.train, exact.S, &q, l, 3, 40000, NULL),
                         LNT_OK);
            for (int k = 0; k <= 40000; k++)
                for (int a = 0; a < 3; a++) {
                    assert_false(isnan(*lnt_at(loop.gen, k, a)) || isnan(*lnt_at(loop.train, k, a)));
                    assert_false(isnan(*lnt_at(exact.gen, k, a)) || isnan(*lnt_at(exact.train, k, a)));
                }
            assert_true(*lnt_at(loop.gen, 40000, 0) < *lnt_at(loop.gen, 0, 0));
            assert_true(isfinite(*lnt_at(loop.gen, 200, 1)) && isfinite(*lnt_at(exact.gen, 200, 1)));
            for (int a = 1; a < 3; a++) {
                assert_true(isinf(*lnt_at(loop.gen, 40000, a)) && isinf(*lnt_at(exact.gen, 40000, a)));
                assert_true(isinf(*lnt_at(loop.train, 40000, a)) && isinf(*lnt_at(exact.train, 40000, a)));
            }
            lnt_mat bare = zeros(ctx, 40001, 3); /* without training losses, which would notice as well */
            check_status(ctx, lnt_learners_iterate(ctx, bare, (lnt_mat){0}, (lnt_mat){0}, &q, l, 3, 40000, NULL),
                         LNT_OK);
            for (int k = 0; k < 3 * 40001; k++)
                assert_false(isnan(bare.a[k]));
            assert_true(isinf(*lnt_at(bare, 40000, 1)));
            check_near(*lnt_at(exact.gen, 200, 1) / *lnt_at(loop.gen, 200, 1), 1, 1e-10, "on the way");
        }
}

/* The eigenvalues of all of Sigma. */
static void extreme_eigenvalues(void **state)
{
    lnt_ctx *ctx = *state;
    const shape list[] = {{.D = 100, .n = 70},
                          {.D = 70, .n = 100},
                          {.D = 50, .n = 40, .twice = true},
                          {.D = 40, .n = 50, .twice = true},
                          {.D = 1, .n = 3},
                          {.D = 3, .n = 1},
                          {.D = 60, .n = 10}};
    for (int i = 0; i < 7; i++) {
        int D = list[i].D, n = list[i].n, rank = D < n ? D : n;
        rank -= list[i].twice;
        lnt_least_squares_task task = make_task(ctx, list[i], 600 + (uint32_t)i);
        lnt_quadratic q = make_quadratic(ctx, &task);
        lnt_mat Sigma = zeros(ctx, D, D), V = zeros(ctx, D, D), w = zeros(ctx, D, 1);
        lnt_gemm(Sigma, 1. / n, LNT_N, task.X, LNT_T, task.X, 0);
        check_status(ctx, lnt_eigh(ctx, w.a, V, Sigma), LNT_OK);
        check_near(q.high / w.a[D - 1], 1, 1e-12, "high");
        check_near(q.low / w.a[D - rank], 1, 1e-12, "low");
        assert_int_equal(q.null_space, rank < D);
    }
    double X[6] = {0}, y[3] = {1, 2, 3};
    const lnt_least_squares_task nothing = {.X = lnt_mat_view(X, 2, 3), .y = y};
    lnt_quadratic q = make_quadratic(ctx, &nothing);
    const lnt_learner l[] = {{LNT_LEARN_HEAVY, {1, 0, 0}, 0, 0}, {LNT_LEARN_FISTA, {0, 0, 0}, 0.1, 0}};
    assert_true(q.low == 0 && q.high == 0 && q.null_space);
    assert_true(*lnt_at(iterate(ctx, &q, l, 2, 3).train, 3, 1) == 14. / 6);
    assert_true(*lnt_at(spectral(ctx, &q, l, 1, 3).gen, 3, 0) == 0);
}

/* ---- What can go wrong ---- */

static void bad_input(void **state)
{
    lnt_ctx *ctx = *state;
    double X[6] = {1, 2, 3, 4, 5, 7}, y[3] = {1, 2, 3}, c[2] = {1, -1}, bad[3] = {1, NAN, 1};
    const lnt_least_squares_task good = {.X = lnt_mat_view(X, 2, 3), .y = y},
                                 empty = {.X = lnt_mat_view(X, 2, 0), .y = y},
                                 targets = {.X = lnt_mat_view(X, 2, 3), .y = bad},
                                 teacher = {.X = lnt_mat_view(X, 2, 3), .y = y, .teacher = bad},
                                 variance = {.X = lnt_mat_view(X, 2, 3), .y = y, .variance = c};
    lnt_quadratic q;
    check_failure(ctx, lnt_quadratic_make(ctx, &q, &empty), LNT_EINVAL, "2 x 0");
    check_failure(ctx, lnt_quadratic_make(ctx, &q, &targets), LNT_EDOMAIN, "not finite");
    check_failure(ctx, lnt_quadratic_make(ctx, &q, &teacher), LNT_EDOMAIN, "teacher");
    check_failure(ctx, lnt_quadratic_make(ctx, &q, &variance), LNT_EDOMAIN, "negative");
    q = make_quadratic(ctx, &good);
    const struct {
        lnt_learner l;
        const char *part;
        bool spectral_only;
    } list[] = {{{LNT_LEARN_HEAVY, {-1, 0, 0}, 0, 0}, "learning rate", false},
                {{LNT_LEARN_HEAVY, {INFINITY, 0, 0}, 0, 0}, "learning rate", false},
                {{LNT_LEARN_HEAVY, {0.1, 1, 0}, 0, 0}, "momentum 1", false},
                {{LNT_LEARN_OUTER, {0.1, -0.1, 0}, 0, 0}, "momentum -0.1", false},
                {{LNT_LEARN_HEAVY, {0.1, 0, NAN}, 0, 0}, "penalties", false},
                {{LNT_LEARN_FISTA, {0, 0, 0}, -1, 0}, "penalties", false},
                {{LNT_LEARN_SGD, {0.1, 0, 0}, 0, 0}, "batch of 0", false},
                {{LNT_LEARN_HEAVY, {0.1, 0, 0}, 0.1, 0}, "shortcut", true},
                {{LNT_LEARN_FISTA, {0, 0, 0}, 0, 0}, "shortcut", true},
                {{LNT_LEARN_OUTER, {0.1, 0.5, 0}, 0, 0}, "shortcut", true}};
    outcome o = room(ctx, &q, 1, 1);
    lnt_rng rng = stream(0);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (!list[i].spectral_only)
            check_failure(ctx, lnt_learners_iterate(ctx, o.gen, o.train, o.S, &q, &list[i].l, 1, 1, &rng), LNT_EINVAL,
                          list[i].part);
        check_failure(ctx, lnt_learners_spectral(ctx, o.gen, o.train, o.S, &q, &list[i].l, 1, 1, NULL), LNT_EINVAL,
                      list[i].part);
    }
    const lnt_learner flow = {LNT_LEARN_HEAVY, {0, 0, 0}, 0, 0};
    check_failure(ctx, lnt_learners_iterate(ctx, o.gen, o.train, o.S, &q, &flow, 1, 1, &rng), LNT_EINVAL, "flow");
}

static int polls;

static int third_poll(void *user)
{
    (void)user;
    return ++polls >= 3;
}

static void cancelled_runs_say_so(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_least_squares_task task = make_task(ctx, (shape){.D = 5, .n = 4}, 700);
    lnt_quadratic q = make_quadratic(ctx, &task);
    const lnt_learner l = {LNT_LEARN_HEAVY, {0.1, 0, 0}, 0, 0};
    lnt_ctx_set_cancel(ctx, third_poll, NULL);
    for (int form = 0; form < 2; form++) {
        outcome o = room(ctx, &q, 1, 10);
        polls = 0;
        check_status(ctx,
                     form ? lnt_learners_spectral(ctx, o.gen, o.train, o.S, &q, &l, 1, 10, NULL)
                          : lnt_learners_iterate(ctx, o.gen, o.train, o.S, &q, &l, 1, 10, NULL),
                     LNT_OK);
        assert_true(isfinite(o.gen.a[1]) && isnan(o.gen.a[3]) && isnan(o.gen.a[10]) && isnan(o.train.a[10]));
    }
}

typedef struct prepared {
    lnt_least_squares_task task;
    outcome o;
} prepared;

static lnt_status everything(lnt_ctx *ctx, void *user)
{
    const lnt_learner l[] = {{LNT_LEARN_HEAVY, {0.1, 0, 0}, 0, 0}, {LNT_LEARN_HEAVY, {0.1, 0, 0.1}, 0, 0}};
    const prepared *p = user;
    outcome o = p->o;
    lnt_quadratic q;
    lnt_status status = lnt_quadratic_make(ctx, &q, &p->task);
    if (status == LNT_OK)
        status = lnt_learners_iterate(ctx, o.gen, o.train, o.S, &q, l, 2, 2, NULL);
    if (status == LNT_OK)
        status = lnt_learners_spectral(ctx, o.gen, o.train, o.S, &q, l, 2, 2, NULL);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    lnt_ctx *ctx = *state;
    const shape list[] = {{.D = 300, .n = 200}, {.D = 200, .n = 300}, {.D = 200, .n = 199, .decay = 0.9}};
    for (int i = 0; i < 3; i++) {
        prepared p = {.task = make_task(ctx, list[i], 800)};
        p.o = room(ctx, &(lnt_quadratic){.task = &p.task}, 2, 2);
        assert_true(check_allocations(everything, &p, LNT_OK, 1000) > 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(iterated_is_the_plain_loop),
                                       WITH_CTX(spectral_is_iterated),
                                       WITH_CTX(ill_conditioned_samples_lose_nothing),
                                       WITH_CTX(flow_is_the_limit_of_descent),
                                       WITH_CTX(momentum_rests_where_its_penalty_says),
                                       WITH_CTX(first_epoch_of_sgd_has_its_mean),
                                       WITH_CTX(a_learner_does_not_notice_its_company),
                                       WITH_CTX(blow_up_is_infinite_and_not_a_number),
                                       WITH_CTX(extreme_eigenvalues),
                                       WITH_CTX(bad_input),
                                       WITH_CTX(cancelled_runs_say_so),
                                       WITH_CTX(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
