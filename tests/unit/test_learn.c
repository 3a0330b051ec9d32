#include "check.h"

#define SEED 13

/* Least squares per sample: f_i(w) = 1/2 (x_i . w - y_i)^2 with two weights. */
typedef struct problem {
    const double (*x)[2], *y;
    int epochs_seen, stop_at;
    int visits[8];
} problem;

static const double xs[6][2] = {{1, 0}, {0, 2}, {1, 1}, {-1, 3}, {2, 2}, {0.5, -1}};
static const double ys[6] = {1, 2, 0.5, -1, 3, 0};

static int gradient(double *g, const double *w, const lnt_batch *batch, void *user)
{
    problem *p = user;
    g[0] = g[1] = 0;
    for (int k = 0; k < batch->count; k++) {
        int row = batch->rows ? batch->rows[batch->first + k] : batch->first + k;
        double e = p->x[row][0] * w[0] + p->x[row][1] * w[1] - p->y[row];
        g[0] += e * p->x[row][0] / batch->count;
        g[1] += e * p->x[row][1] / batch->count;
        p->visits[row]++;
    }
    return 0;
}

static int after_epoch(const double *w, int epoch, void *user)
{
    problem *p = user;
    (void)w;
    p->epochs_seen = epoch;
    return p->stop_at && epoch == p->stop_at ? -1 : 0;
}

static problem make_problem(lnt_objective *objective, problem *p)
{
    *objective = (lnt_objective){2, 6, gradient, after_epoch, p};
    return (problem){.x = xs, .y = ys};
}

static void minibatches_follow_a_plain_loop(void **state)
{
    lnt_ctx *ctx = *state;
    problem p;
    lnt_objective objective;
    p = make_problem(&objective, &p);
    double w[2] = {0.3, -0.2}, v[2] = {0.3, -0.2};
    lnt_descent opts = {.eta = 0.05, .batch = 4, .epochs = 7}; /* six rows: the second batch has two */
    lnt_descent_info info;
    check_status(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_OK);
    for (int step = 0; step < 14; step++) {
        int first = step % 2 ? 4 : 0, count = step % 2 ? 2 : 4;
        double g[2] = {0, 0};
        for (int i = first; i < first + count; i++) {
            double e = xs[i][0] * v[0] + xs[i][1] * v[1] - ys[i];
            g[0] += e * xs[i][0] / count;
            g[1] += e * xs[i][1] / count;
        }
        v[0] -= 0.05 * g[0];
        v[1] -= 0.05 * g[1];
    }
    check_close(lnt_mat_view(w, 2, 1), lnt_mat_view(v, 2, 1), 1e-14, "weights");
    assert_int_equal(info.epochs, 7);
    assert_int_equal(info.steps, 14);
    assert_int_equal(p.epochs_seen, 7);
    assert_true(info.stop == LNT_STOP_DONE);
}

static void shuffled_epochs_visit_every_row_once(void **state)
{
    lnt_ctx *ctx = *state;
    problem p;
    lnt_objective objective;
    p = make_problem(&objective, &p);
    double w[2] = {0};
    lnt_descent opts = {.eta = 0.01, .batch = 4, .shuffle = true, .epochs = 5};
    lnt_descent_info info;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_SHUFFLE);
    check_status(ctx, lnt_descend(ctx, w, &info, &objective, &opts, &rng), LNT_OK);
    for (int i = 0; i < 6; i++)
        assert_int_equal(p.visits[i], 5);
    opts.rows_per_epoch = 2;
    opts.epochs = 60;
    check_status(ctx, lnt_descend(ctx, w, &info, &objective, &opts, &rng), LNT_OK);
    for (int i = 0; i < 6; i++)
        assert_true(p.visits[i] > 5); /* a shuffled part of the rows is another one every epoch */
}

static void divergence_stops_with_the_last_finite_weights(void **state)
{
    lnt_ctx *ctx = *state;
    problem p;
    lnt_objective objective;
    p = make_problem(&objective, &p);
    double w[2] = {1, 1};
    lnt_descent opts = {.eta = 1e30, .batch = 6, .epochs = 100};
    lnt_descent_info info;
    check_status(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_OK);
    assert_true(info.stop == LNT_STOP_DIVERGED && info.epochs < 100);
    assert_true(isfinite(w[0]) && isfinite(w[1]));
}

static int cancel_now(void *user)
{
    return ++*(int *)user > 10;
}

static void bad_options_callbacks_and_cancellation(void **state)
{
    lnt_ctx *ctx = *state;
    problem p;
    lnt_objective objective;
    p = make_problem(&objective, &p);
    double w[2] = {0};
    lnt_descent_info info;
    lnt_descent opts = {.eta = 0, .epochs = 1};
    check_failure(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_EINVAL, "positive");
    opts = (lnt_descent){.eta = 1, .rows_per_epoch = 7};
    check_failure(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_EINVAL, "7 rows");
    opts = (lnt_descent){.eta = 0.1, .epochs = 5};
    p.stop_at = 2;
    check_failure(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_EUSER, "callback");
    p.stop_at = 0;
    int polls = 0;
    lnt_ctx_set_cancel(ctx, cancel_now, &polls);
    opts = (lnt_descent){.eta = 0.1, .batch = 2, .epochs = 50}; /* three steps an epoch: the fourth epoch is cut */
    check_status(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_OK);
    assert_true(info.stop == LNT_STOP_INTERRUPTED);
    assert_int_equal(info.epochs, 3);
}

/* The Hessian of this problem is the second moment of x, whatever w is. */
static void sharpness_is_the_largest_eigenvalue(void **state)
{
    lnt_ctx *ctx = *state;
    problem p;
    lnt_objective objective;
    p = make_problem(&objective, &p);
    double H[4] = {0}, w[2] = {7, -30}, values[2], vectors[4], lambda;
    for (int i = 0; i < 6; i++)
        for (int a = 0; a < 2; a++)
            for (int b = 0; b < 2; b++)
                H[a + 2 * b] += xs[i][a] * xs[i][b] / 6;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_PROBE);
    check_status(ctx, lnt_eigh(ctx, values, lnt_mat_view(vectors, 2, 2), lnt_mat_view(H, 2, 2)), LNT_OK);
    check_status(ctx, lnt_sharpness(ctx, &lambda, &objective, w, &rng), LNT_OK);
    check_near(lambda, values[1], 1e-3, "sharpness");
    /* just below 2/lambda descent comes closer to the optimum, just above it leaves */
    for (int above = 0; above < 2; above++) {
        lnt_descent opts = {.eta = (above ? 1.02 : 0.98) * 2 / values[1], .epochs = 2000};
        lnt_descent_info info;
        double v[2] = {1, -2};
        check_status(ctx, lnt_descend(ctx, v, &info, &objective, &opts, NULL), LNT_OK);
        assert_true((hypot(v[0], v[1]) > 1e6) == above);
    }
}

/* ---- Rules ---- */

static void full_gradient(double g[2], const double w[2])
{
    lnt_batch all = {NULL, 0, 6};
    problem p = {.x = xs, .y = ys};
    gradient(g, w, &all, &p);
}

/* The problem with the defaults but full batches in order. */
static lnt_descent make_defaults(lnt_objective *objective, problem *p, int epochs)
{
    lnt_descent opts;
    *p = make_problem(objective, p);
    lnt_descent_defaults(&opts);
    opts.batch = 0;
    opts.shuffle = false;
    opts.epochs = epochs;
    return opts;
}

/* Optimality of mean + wd/2 |w|^2 + l1 |w|_1 at w. */
static void check_optimality(const double w[2], double wd, double l1, const char *what)
{
    double g[2];
    full_gradient(g, w);
    for (int i = 0; i < 2; i++) {
        double residual = g[i] + wd * w[i];
        if (w[i] != 0)
            check_near(residual, w[i] > 0 ? -l1 : l1, 1e-10, what);
        else if (fabs(residual) > l1 * (1 + 1e-12))
            fail_msg("%s: weight %d is 0, its gradient %g exceeds %g", what, i, residual, l1);
    }
}

static void penalised_optima_satisfy_their_conditions(void **state)
{
    lnt_ctx *ctx = *state;
    static const double l1s[] = {0, 0.2, 1.3}; /* the last one leaves a weight at exactly 0 */
    bool sparse = false;
    for (int k = 0; k < 3 * 2 * 3; k++) {
        double l1 = l1s[k % 3], wd = k / 3 % 2 ? 0.3 : 0, w[2] = {2, 2};
        lnt_descent_info info;
        problem p;
        lnt_objective objective;
        lnt_descent opts = make_defaults(&objective, &p, 40000);
        opts.l1 = l1;
        opts.weight_decay = wd;
        opts.momentum = k / 6 == 1 ? 0.8 : 0;
        opts.rule = k / 6 == 2 ? LNT_RULE_ADAM : LNT_RULE_DESCENT;
        opts.eta = k / 6 == 2 ? 0.001 : 0.02;
        if (opts.rule == LNT_RULE_ADAM && l1 == 0)
            continue; /* where all gradients vanish Adam's step does not settle */
        check_status(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_OK);
        check_optimality(w, wd, l1, k / 6 == 0 ? "descent" : k / 6 == 1 ? "momentum" : "Adam");
        sparse = sparse || w[0] == 0 || w[1] == 0;
    }
    assert_true(sparse);
}

static void the_naive_rule_solves_another_problem(void **state)
{
    lnt_ctx *ctx = *state;
    double w[2] = {2, 2};
    lnt_descent_info info;
    problem p;
    lnt_objective objective;
    lnt_descent opts = make_defaults(&objective, &p, 40000);
    opts.eta = 0.02;
    opts.l1 = 0.5;
    opts.momentum = 0.8;
    opts.naive_l1 = true;
    check_status(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_OK);
    check_optimality(w, 0, 0.5 * (1 - 0.8), "naive rule");
}

/* Heavy ball and Adam against their published recursions, written out. */
static void rules_follow_plain_loops(void **state)
{
    lnt_ctx *ctx = *state;
    for (int adam = 0; adam < 2; adam++) {
        double w[2] = {0.3, -0.2}, u[2] = {0.3, -0.2}, m[2] = {0}, v[2] = {0}, g[2];
        lnt_descent_info info;
        problem p;
        lnt_objective objective;
        lnt_descent opts = make_defaults(&objective, &p, 30);
        opts.weight_decay = 0.1;
        opts.momentum = adam ? 0 : 0.9;
        opts.rule = adam ? LNT_RULE_ADAM : LNT_RULE_DESCENT;
        check_status(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_OK);
        for (int k = 1; k <= 30; k++) {
            full_gradient(g, u);
            for (int i = 0; i < 2; i++) {
                g[i] += 0.1 * u[i];
                m[i] = adam ? 0.9 * m[i] + 0.1 * g[i] : 0.9 * m[i] + g[i];
                v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
                u[i] -=
                    adam ? 0.05 * m[i] / (1 - pow(0.9, k)) / (sqrt(v[i] / (1 - pow(0.999, k))) + 1e-8) : 0.05 * m[i];
            }
        }
        check_close(lnt_mat_view(w, 2, 1), lnt_mat_view(u, 2, 1), 1e-13, adam ? "Adam" : "heavy ball");
    }
}

static void impossible_rules_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    double w[2] = {0};
    lnt_descent_info info;
    problem p;
    lnt_objective objective;
    p = make_problem(&objective, &p);
    lnt_descent good, opts;
    lnt_descent_defaults(&good);
    good.shuffle = false;
    opts = good;
    opts.momentum = 1;
    check_failure(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_EINVAL, "momentum");
    opts = good;
    opts.l1 = -1;
    check_failure(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_EINVAL, "negative");
    opts = good;
    opts.weight_decay = NAN;
    check_failure(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_EINVAL, "negative");
    opts = good;
    opts.rule = LNT_RULE_ADAM;
    opts.beta2 = 1;
    check_failure(ctx, lnt_descend(ctx, w, &info, &objective, &opts, NULL), LNT_EINVAL, "Adam");
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(minibatches_follow_a_plain_loop),
                                       WITH_CTX(shuffled_epochs_visit_every_row_once),
                                       WITH_CTX(divergence_stops_with_the_last_finite_weights),
                                       WITH_CTX(bad_options_callbacks_and_cancellation),
                                       WITH_CTX(sharpness_is_the_largest_eigenvalue),
                                       WITH_CTX(penalised_optima_satisfy_their_conditions),
                                       WITH_CTX(the_naive_rule_solves_another_problem),
                                       WITH_CTX(rules_follow_plain_loops),
                                       WITH_CTX(impossible_rules_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
