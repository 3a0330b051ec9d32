/* The naive iteration w <- B^+ d: what is proved about linear networks, and its known cycles. */
#include "check.h"

#define SEED 512

static lnt_mat as_column(const double *x, size_t n)
{
    return lnt_mat_view((double *)(uintptr_t)x, (int)n, 1);
}

/* w <- T(w), so many times. */
static void naive_steps(lnt_ctx *ctx, double *w, const lnt_fit_problem *problem, int steps)
{
    lnt_naive_opts opts;
    lnt_naive_info info;
    lnt_naive_defaults(&opts);
    opts.max_steps = steps;
    check_status(ctx, lnt_naive(ctx, w, &info, NULL, problem, &opts), LNT_OK);
}

/* A linear network of one hidden layer, and data that it cannot fit exactly. */
typedef struct linear_net {
    int width[3];
    lnt_net net;
    lnt_mat X, D;
    lnt_model model;
    lnt_fit_problem problem;
} linear_net;

static void make_linear(lnt_ctx *ctx, linear_net *l, int p, int h, int q, lnt_rng *rng)
{
    *l = (linear_net){.width = {p, h, q}};
    l->net = (lnt_net){2, l->width, LNT_LINEAR};
    l->X = random_matrix(ctx, p, 8, rng);
    l->D = random_matrix(ctx, q, 8, rng);
    check_status(ctx, lnt_net_model(ctx, &l->model, &l->net, l->X), LNT_OK);
    l->problem = (lnt_fit_problem){.model = &l->model, .d = l->D.a};
}

/* T(T(W)) = W for as many outputs as inputs and enough hidden units; T^3 = T for other numbers. */
static void two_layers_take_turns(void **state)
{
    lnt_ctx *ctx = *state;
    for (int run = 0; run < 20; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)run, LNT_FOR_TESTS);
        linear_net l;
        double w[64], one[64], two[64], three[64];
        bool square = run % 2;
        make_linear(ctx, &l, 3, square ? 4 : 3, square ? 3 : 2, &rng);
        size_t k = l.model.k;
        lnt_rng_normals(&rng, w, k);
        memcpy(one, w, sizeof w);
        naive_steps(ctx, one, &l.problem, 1);
        memcpy(two, w, sizeof w);
        naive_steps(ctx, two, &l.problem, 2);
        memcpy(three, w, sizeof w);
        naive_steps(ctx, three, &l.problem, 3);
        if (square)
            check_close(as_column(two, k), as_column(w, k), 1e-10, "T(T(w)) = w");
        check_close(as_column(three, k), as_column(one, k), 1e-10, "T^3 = T");
        lnt_naive_opts opts;
        lnt_naive_info info;
        lnt_naive_defaults(&opts);
        opts.max_steps = 100;
        check_status(ctx, lnt_naive(ctx, w, &info, NULL, &l.problem, &opts), LNT_OK);
        assert_true(info.status == LNT_NAIVE_CYCLE && info.period == 2);
        lnt_ctx_reset(ctx, mark);
    }
}

/* The balanced network that fits half of the data stays where it is, and is no optimum. */
static void half_the_data_is_a_fixed_point(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 100, LNT_FOR_TESTS);
    linear_net l;
    make_linear(ctx, &l, 3, 3, 3, &rng);
    lnt_mat A = random_matrix(ctx, 3, 3, &rng), F = zeros(ctx, 3, 8);
    lnt_gemm(l.D, 1, LNT_N, A, LNT_N, l.X, 0); /* D X^+ = A */
    lnt_mat_scale(A, 0.5);
    double w[18], start[18], sse = 0;
    check_status(ctx, lnt_net_factor(ctx, w, &l.net, A), LNT_OK);
    memcpy(start, w, sizeof w);
    lnt_naive_opts opts;
    lnt_naive_info info;
    lnt_naive_defaults(&opts);
    check_status(ctx, lnt_naive(ctx, w, &info, NULL, &l.problem, &opts), LNT_OK);
    assert_true(info.status == LNT_NAIVE_FIXED_POINT && info.period == 1 && info.steps == 4);
    check_close(as_column(w, 18), as_column(start, 18), 1e-12, "fixed point");
    check_status(ctx, lnt_net_forward(ctx, F, &l.net, w, l.X), LNT_OK);
    lnt_mat_scale(F, 2);
    check_close(F, l.D, 1e-12, "twice the outputs");
    for (int i = 0; i < 24; i++)
        sse += pow(l.D.a[i] / 2, 2);
    check_near(info.sse[0], sse, 1e-12, "SSE");
    assert_true(info.cosine > 0.01);
}

/* f = w_1 ... w_L with one datum c. */
static int chain(const double *w, double *out, void *user)
{
    out[0] = 1;
    for (int l = 0; l < *(int *)user; l++)
        out[0] *= w[l];
    return 0;
}

static int chain_rows(const double *w, size_t first, size_t last, double *B, size_t ld, void *user)
{
    (void)first, (void)last, (void)ld;
    for (int j = 0; j < *(int *)user; j++) {
        B[j] = 1;
        for (int l = 0; l < *(int *)user; l++)
            B[j] *= l == j ? 1 : w[l];
    }
    return 0;
}

static void chains_of_weights(void **state)
{
    lnt_ctx *ctx = *state;
    double c = 0.7;
    lnt_naive_opts opts;
    lnt_naive_info info;
    lnt_naive_step path[60];
    lnt_naive_defaults(&opts);
    opts.max_steps = 60;
    for (int L = 1; L <= 3; L++) {
        lnt_model model = {.n = 1, .k = (size_t)L, .user = &L, .f = chain, .jacobian = chain_rows};
        lnt_fit_problem problem = {.model = &model, .d = &c};
        double w[3] = {1.3, -0.4, 0.9}, a = w[0], b = w[1], size = a * a + b * b;
        check_status(ctx, lnt_naive(ctx, w, &info, path, &problem, &opts), LNT_OK);
        if (L == 1) { /* exact in one step */
            assert_int_equal(info.status, LNT_NAIVE_FIXED_POINT);
            assert_true(w[0] == c && info.best_sse == 0 && path[1].move == 0 && path[0].rank == 1);
            check_near(path[0].sse, pow(c - 1.3, 2), 1e-14, "SSE of the path");
        }
        if (L == 2) { /* T(a, b) = c (b, a)/(a^2 + b^2) */
            assert_int_equal(info.status, LNT_NAIVE_CYCLE);
            assert_int_equal(info.period, 2);
            double first[] = {a, b}, second[] = {c * b / size, c * a / size};
            check_close(as_column(w, 2), as_column(info.steps % 2 ? second : first, 2), 1e-12, "2-cycle");
            check_near(info.sse[0], path[info.steps - 1].sse, 1e-14, "SSE of the cycle");
            check_near(path[0].move, hypot(second[0] - a, second[1] - b) / sqrt(size), 1e-13, "move");
        }
        if (L == 3) /* the logarithm of the product grows by a factor of -2 */
            assert_true(info.status == LNT_NAIVE_NONFINITE || info.status == LNT_NAIVE_LIMIT);
    }
    int three = 3; /* the balanced fixed point has the product c/L */
    lnt_model model = {.n = 1, .k = 3, .user = &three, .f = chain, .jacobian = chain_rows};
    lnt_fit_problem problem = {.model = &model, .d = &c};
    double each = cbrt(c / 3), w[3] = {each, each, each};
    naive_steps(ctx, w, &problem, 1);
    check_near(w[2], each, 1e-14, "balanced fixed point");
}

/* T(s W) = s^{1-L} T(W) and, where the network interpolates, T(W) = B^+ B W/L. */
static void homogeneous_networks_shrink(void **state)
{
    lnt_ctx *ctx = *state;
    static const int width[] = {3, 6, 5, 2};
    lnt_layers net = {.net = {3, width, LNT_RELU}};
    lnt_rng rng = lnt_rng_stream(SEED, 200, LNT_FOR_TESTS);
    lnt_model model;
    lnt_mat X = random_matrix(ctx, 3, 7, &rng), B = zeros(ctx, 58, 14), U = zeros(ctx, 58, 14);
    lnt_mat VT = zeros(ctx, 14, 14);
    double w[58], t[58], scaled[58], d[14], s[14], along[14];
    check_status(ctx, lnt_layers_model(ctx, &model, &net, X), LNT_OK);
    assert_int_equal(model.k, 58);
    lnt_fit_problem problem = {.model = &model, .d = d};
    lnt_rng_normals(&rng, w, 58);
    lnt_rng_normals(&rng, d, 14);
    for (int j = 0; j < 58; j++) {
        t[j] = w[j];
        scaled[j] = 1.5 * w[j];
    }
    naive_steps(ctx, t, &problem, 1);
    naive_steps(ctx, scaled, &problem, 1);
    lnt_mat_scale(as_column(scaled, 58), 1.5 * 1.5);
    check_close(as_column(scaled, 58), as_column(t, 58), 1e-10, "T(s w)");
    assert_int_equal(model.f(w, d, model.user), 0);
    memcpy(t, w, sizeof t);
    naive_steps(ctx, t, &problem, 1);
    check_status(ctx, lnt_layers_jacobian(ctx, B, &net, w, X), LNT_OK);
    check_status(ctx, lnt_svd(ctx, U, s, VT, B), LNT_OK);
    lnt_gemv(along, 1, LNT_T, U, w, 0);
    for (int i = 0; i < 14; i++)
        along[i] *= s[i] > 1e-12 * s[0] ? 1.0 / 3 : 0;
    lnt_gemv(scaled, 1, LNT_N, U, along, 0);
    check_close(as_column(t, 58), as_column(scaled, 58), 1e-10, "P w/L");
    lnt_naive_opts opts; /* the normal equations of such networks are singular everywhere */
    lnt_naive_info info;
    lnt_naive_defaults(&opts);
    opts.solver = LNT_NAIVE_NORMAL;
    check_status(ctx, lnt_naive(ctx, w, &info, NULL, &problem, &opts), LNT_OK);
    assert_true(info.status == LNT_NAIVE_SINGULAR && info.steps == 0 && info.period == 0);
}

/* The bump's optimum is left at once, to where the formula says. */
static void the_optimum_is_left(void **state)
{
    lnt_ctx *ctx = *state;
    static const int width[] = {1, 2, 1};
    lnt_layers net = {.net = {2, width, LNT_TANH}, .biases = true};
    lnt_model model;
    lnt_mat X = zeros(ctx, 1, 40);
    double d[40], w[] = {1.45341874, -2.08304067, 1.43944938, 2.05430052, 1.21273030, 1.00151373, .29657059};
    for (int i = 0; i < 40; i++) {
        double x = *lnt_at(X, 0, i) = 6.0 * i / 39 - 3;
        d[i] = 1.2 * tanh(1.5 * x + 1.5) - tanh(2 * x - 2) + 0.3 + 0.05 * sqrt(2) * sin((double)i * i);
    }
    check_status(ctx, lnt_layers_model(ctx, &model, &net, X), LNT_OK);
    lnt_fit_problem problem = {.model = &model, .d = d};
    lnt_fit_info fit;
    lnt_fit_opts opts;
    lnt_fit_defaults(&opts);
    check_status(ctx, lnt_fit(ctx, w, &fit, &problem, &opts), LNT_OK);
    lnt_naive_displacement move;
    check_status(ctx, lnt_naive_displace(ctx, &move, &problem, w, 1e-12), LNT_OK);
    check_near(move.move, .91248409, 2e-8, "move");
    check_near(move.predicted, .91248409, 2e-8, "move by the formula");
    assert_true(move.deviation < 1e-10);
    check_near(move.sse, .08932013, 1e-8, "SSE");
    check_near(move.next, 45.0518091, 1e-7, "SSE after a step");
    lnt_naive_opts naive;
    lnt_naive_info info;
    lnt_naive_defaults(&naive);
    naive.max_steps = 200;
    double at[7];
    memcpy(at, w, sizeof at);
    check_status(ctx, lnt_naive(ctx, at, &info, NULL, &problem, &naive), LNT_OK);
    check_near(info.constant_sse, 24.8294540, 1e-7, "best constant");
    check_near(info.best_sse, .08932013, 1e-8, "nothing on the path is better than its start");
    opts.method = LNT_FIT_GAUSS_NEWTON; /* which stays */
    opts.max_steps = 1;
    opts.gradient = 0;
    memcpy(at, w, sizeof at);
    check_status(ctx, lnt_fit(ctx, at, &fit, &problem, &opts), LNT_OK);
    check_close(as_column(at, 7), as_column(w, 7), 1e-12, "Gauss-Newton from the optimum");
}

static double van_der_corput(int i, int base)
{
    double x = 0, scale = 1.0 / base;
    for (; i > 0; i /= base, scale /= base)
        x += i % base * scale;
    return x;
}

/* 0/1 data, logistic hidden and output units: whatever the start, one cycle, of the period that the ridge gives it. */
static void zero_one_data_cycle(void **state)
{
    lnt_ctx *ctx = *state;
    static const int width[] = {2, 3, 1};
    static const double mu[] = {1e-4, 1e-3, 1e-2, 1e-1, 1};
    static const int period[] = {11, 4, 16, 4, 0};
    static const double cycle[2][4] = {{50.0000, 83.4268, 103.5096, 112}, {50.0396, 83.2452, 105.1769, 111.9982}};
    lnt_layers net = {.net = {2, width, LNT_LOGISTIC}, .biases = true, .output = LNT_LOGISTIC};
    lnt_model model;
    lnt_mat X = zeros(ctx, 2, 200);
    double d[200];
    for (int i = 1; i <= 200; i++) {
        double a = *lnt_at(X, 0, i - 1) = 2 * van_der_corput(i, 2) - 1;
        double b = *lnt_at(X, 1, i - 1) = 2 * van_der_corput(i, 3) - 1;
        d[i - 1] = (a * a + b * b < 0.5) != (i % 20 == 0);
    }
    check_status(ctx, lnt_layers_model(ctx, &model, &net, X), LNT_OK);
    lnt_fit_problem problem = {.model = &model, .d = d};
    for (int m = 0; m < 5; m++)
        for (int start = 0; start < 2; start++) {
            lnt_rng rng = lnt_rng_stream(SEED, 300 + (uint32_t)start, LNT_FOR_TESTS);
            lnt_naive_opts opts;
            lnt_naive_info info;
            double w[13], least = INFINITY;
            lnt_naive_defaults(&opts);
            opts.solver = LNT_NAIVE_RIDGE;
            opts.mu = mu[m];
            opts.max_steps = 400;
            lnt_rng_normals(&rng, w, 13);
            check_status(ctx, lnt_naive(ctx, w, &info, NULL, &problem, &opts), LNT_OK);
            check_near(info.constant_sse, 49.28, 1e-12, "best constant");
            /* units that change places after a turn need several turns to come back, rounding deciding whether */
            assert_true(period[m] ? info.period > 0 && info.period % period[m] == 0 : info.period == 0);
            for (int i = period[m]; i < info.period; i++)
                check_near(info.sse[i], info.sse[i - period[m]], 1e-5, "SSE a turn later");
            assert_int_equal(info.status, period[m] ? LNT_NAIVE_CYCLE : LNT_NAIVE_LIMIT);
            int first = 0;
            for (int i = 0; i < info.period; i++)
                if (info.sse[i] < least)
                    least = info.sse[first = i];
            for (int i = 0; i < 4 && m % 2; i++)
                check_near(info.sse[(first + i) % 4], cycle[m / 2][i], 1e-6, "SSE of the cycle");
            assert_true(period[m] == 0 || least > 0.98 * info.constant_sse);
        }
}

static int fails(const double *w, double *out, void *user)
{
    out[0] = out[1] = w[0];
    return *(int *)user;
}

static void bad_calls_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    int code = -1;
    double d[2] = {1, 2}, w = 1, alpha = 1;
    lnt_model model = {.n = 2, .k = 1, .user = &code, .f = fails};
    lnt_fit_problem problem = {.model = &model, .d = d};
    lnt_naive_opts opts, good;
    lnt_naive_info info;
    lnt_naive_displacement move;
    lnt_naive_defaults(&good);
    check_failure(ctx, lnt_naive(ctx, &w, &info, NULL, &problem, &good), LNT_EUSER, "callback");
    code = 1;
    check_failure(ctx, lnt_naive(ctx, &w, &info, NULL, &problem, &good), LNT_EDOMAIN, "start");
    check_failure(ctx, lnt_naive_displace(ctx, &move, &problem, &w, 1e-12), LNT_EDOMAIN, "no value");
    code = 0;
    opts = good;
    opts.max_period = 101;
    check_failure(ctx, lnt_naive(ctx, &w, &info, NULL, &problem, &opts), LNT_EINVAL, "periods up to 100");
    problem.penalty = &alpha;
    check_failure(ctx, lnt_naive(ctx, &w, &info, NULL, &problem, &good), LNT_EINVAL, "penalties");
    problem.penalty = NULL;
    w = 0;
    check_status(ctx, lnt_naive(ctx, &w, &info, NULL, &problem, &good), LNT_OK);
    assert_true(info.status == LNT_NAIVE_FIXED_POINT && fabs(w - 1.5) < 1e-9);
}

static lnt_status some_steps(lnt_ctx *ctx, void *user)
{
    int two = 2;
    double c = 0.7, w[2] = {1, 2};
    lnt_model model = {.n = 1, .k = 2, .user = &two, .f = chain, .jacobian = chain_rows};
    lnt_fit_problem problem = {.model = &model, .d = &c};
    lnt_naive_opts opts;
    lnt_naive_info info;
    lnt_naive_displacement move;
    (void)user;
    lnt_naive_defaults(&opts);
    lnt_status status = lnt_naive(ctx, w, &info, NULL, &problem, &opts);
    return status == LNT_OK ? lnt_naive_displace(ctx, &move, &problem, w, 1e-12) : status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(check_allocations(some_steps, NULL, LNT_OK, 200) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(two_layers_take_turns), WITH_CTX(half_the_data_is_a_fixed_point),
                                       WITH_CTX(chains_of_weights),     WITH_CTX(homogeneous_networks_shrink),
                                       WITH_CTX(the_optimum_is_left),   WITH_CTX(zero_one_data_cycle),
                                       WITH_CTX(bad_calls_are_refused), cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
