/* Evidence: known numbers, finite differences, models that the data do not determine; classes that a line separates. */
#include "bayes.h"

#define SEED 62

/* ---- Evidence ---- */

/* With B fixed, the slopes are those of the log evidence, by alpha of every group and by beta. */
static void slopes_are_derivatives(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int n = 9; n <= 31; n += 22) {
        int k = 14, group[14];
        double alpha[3] = {0.2, 1, 7};
        line train = {.BT = random_matrix(ctx, k, n, &rng)};
        lnt_mat d = random_matrix(ctx, n, 1, &rng), w = zeros(ctx, k, 1);
        lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = (size_t)n, .d = d.a, .beta = 1.5};
        lnt_prior prior = {.groups = 3, .group = group, .alpha = alpha};
        lnt_model m = line_model(&train);
        lnt_posterior p, up, down;
        for (int j = 0; j < k; j++)
            group[j] = j % 3;
        check_status(ctx, lnt_posterior_mode(ctx, w.a, NULL, &m, &l, &prior, NULL), LNT_OK);
        check_status(ctx, lnt_posterior_make(ctx, &p, &m, w.a, &l, &prior), LNT_OK);
        for (int g = 0; g < 4; g++) {
            double *x = g < 3 ? &alpha[g] : &l.beta, at = *x, h = 1e-4;
            *x = at * exp(h);
            check_status(ctx, lnt_posterior_mode(ctx, w.a, NULL, &m, &l, &prior, NULL), LNT_OK);
            check_status(ctx, lnt_posterior_make(ctx, &up, &m, w.a, &l, &prior), LNT_OK);
            *x = at * exp(-h);
            check_status(ctx, lnt_posterior_mode(ctx, w.a, NULL, &m, &l, &prior, NULL), LNT_OK);
            check_status(ctx, lnt_posterior_make(ctx, &down, &m, w.a, &l, &prior), LNT_OK);
            *x = at;
            check_near(g < 3 ? p.slope[g] : p.noise_slope, (up.log_evidence - down.log_evidence) / (2 * h), 1e-7,
                       "slope");
        }
    }
}

/* Two tanh units fitted to two bumps with noise. */
static void known_evidence_of_a_network(void **state)
{
    lnt_ctx *ctx = *state;
    enum { n = 40 };
    const int widths[] = {1, 2, 1};
    lnt_layers net = {.net = {.depth = 2, .width = widths, .activation = LNT_TANH}, .biases = true};
    lnt_mat X = zeros(ctx, 1, n), test = lnt_mat_view((double[]){0, 1}, 1, 2);
    double d[n], alpha = 1, mean[2], variance[2];
    for (int i = 0; i < n; i++) {
        double x = X.a[i] = -3 + 6.0 * i / (n - 1);
        d[i] = 1.2 * tanh(1.5 * x + 1.5) - tanh(2 * x - 2) + 0.3 + 0.05 * sqrt(2) * sin((double)i * i);
    }
    /* W_1, b_1, W_2, b_2 near the least-squares fit */
    double w[7] = {1.45, -2.08, 1.44, 2.05, 1.21, 1.00, 0.30};
    lnt_model m, at;
    check_status(ctx, lnt_layers_model(ctx, &m, &net, X), LNT_OK);
    check_status(ctx, lnt_layers_model(ctx, &at, &net, test), LNT_OK);
    lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = n, .d = d, .beta = 100};
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_evidence_info info;
    lnt_posterior p;
    check_status(ctx, lnt_evidence(ctx, w, &p, &info, &m, &l, &prior, NULL), LNT_OK);
    assert_true(info.converged && info.at_bound == 0 && info.rounds < 60);
    check_near(alpha, .47088610, 3e-8, "alpha");
    check_near(l.beta, 368.5015578, 1e-9, "beta");
    check_near(p.gamma, 6.96871042, 1e-9, "gamma");
    check_near(p.log_evidence, 33.50024299, 1e-10, "log evidence");
    check_status(ctx, lnt_posterior_predict(ctx, mean, variance, &p, &at), LNT_OK);
    check_near(mean[0], 2.35351691, 1e-8, "f(0)");
    check_near(mean[1], 1.47105005, 1e-8, "f(1)");
    check_near(sqrt(variance[0]), .02362549, 1e-8, "its deviation");
    check_near(sqrt(variance[1]), .02696636, 1e-8, "its deviation");
    assert_true(fabs(p.slope[0]) < 1e-6 && fabs(p.noise_slope) < 1e-6);
    assert_true(fabs(p.sse - (n - p.gamma) / l.beta) < 1e-7);
    /* the same from the kernel */
    lnt_mat K = zeros(ctx, n, n), v = zeros(ctx, 7, 1), f = zeros(ctx, n, 1);
    lnt_process gp;
    lnt_mat_fill(v, 1 / alpha);
    check_status(ctx, lnt_model_kernel(ctx, K, &m, NULL, w, v.a), LNT_OK);
    check_status(ctx, lnt_layers_forward(ctx, lnt_mat_view(f.a, 1, n), &net, w, X), LNT_OK);
    check_status(ctx, lnt_process_at(ctx, &gp, K, f.a, &l), LNT_OK);
    check_near(gp.log_evidence, p.log_evidence, 1e-8, "log evidence by the kernel");
    check_near(gp.gamma, p.gamma, 1e-9, "gamma by the kernel");
}

/* The fixed point is a maximum of the exact evidence of a linear model, by groups, whichever of n and k is larger; and
 * of Laplace's for classes its slope is 0. */
static void fixed_points_are_maxima(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int kind = 0; kind < 2; kind++)
        for (int n = 60; n >= 20; n -= 40) /* n > k and n < k */ {
            int k = kind ? 8 + 16 * (n < 30) : 30, group[30];
            double alpha[2] = {1, 1}, sd[2] = {1, kind ? 1 : 0.3};
            line train = {.BT = random_matrix(ctx, k, n, &rng)};
            lnt_mat d = zeros(ctx, n, 1), w = zeros(ctx, k, 1);
            for (int j = 0; j < k; j++) {
                group[j] = j % 2;
                w.a[j] = sd[j % 2] * lnt_rng_normal(&rng);
            }
            line_f(w.a, d.a, &train);
            for (int i = 0; i < n; i++) {
                d.a[i] += kind ? 0 : 0.5 * lnt_rng_normal(&rng);
                if (kind)
                    d.a[i] = lnt_rng_uniform(&rng) < 1 / (1 + exp(-d.a[i]));
            }
            lnt_likelihood l = {.kind = kind ? LNT_BERNOULLI : LNT_GAUSSIAN, .n = (size_t)n, .d = d.a, .beta = 1};
            lnt_prior prior = {.groups = 2, .group = group, .alpha = alpha};
            lnt_model m = line_model(&train);
            lnt_posterior p, other;
            lnt_evidence_info info;
            lnt_evidence_opts opts;
            lnt_evidence_defaults(&opts);
            opts.keep_beta = n < k;
            l.beta = 4;
            check_status(ctx, lnt_evidence(ctx, w.a, &p, &info, &m, &l, &prior, &opts), LNT_OK);
            assert_true(info.converged && info.at_bound == (kind && n < k)); /* 20 bits are few for 24 weights */
            assert_true(!opts.keep_beta || l.beta == 4);
            for (int g = 0; g < 2; g++)
                assert_true(fabs(p.slope[g]) < 1e-5 || alpha[g] == 1e9);
            for (int g = 0; g < 4 && kind == 0; g++) {
                double at = alpha[g / 2];
                alpha[g / 2] *= g % 2 ? 1.1 : 0.9;
                check_status(ctx, lnt_posterior_mode(ctx, w.a, NULL, &m, &l, &prior, NULL), LNT_OK);
                check_status(ctx, lnt_posterior_make(ctx, &other, &m, w.a, &l, &prior), LNT_OK);
                assert_true(other.log_evidence < p.log_evidence);
                alpha[g / 2] = at;
            }
        }
}

static void keep_line(const char *text, void *user)
{
    char *copy = user;
    snprintf(copy, 200, "%s", text);
}

/* Data that do not depend on the weights, and data that the model fits without error. */
static void runaway_precisions_are_held(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    enum { n = 12, k = 3 };
    char log[200] = "";
    lnt_ctx_set_log(ctx, keep_line, log);
    line train = {.BT = random_matrix(ctx, k, n, &rng)};
    lnt_mat d = random_matrix(ctx, n, 1, &rng), Q = zeros(ctx, n, k), t = zeros(ctx, k, 1);
    double w[k] = {1, 1, 1}, alpha = 1, diag[k];
    lnt_mat_transpose(Q, train.BT);
    check_status(ctx, lnt_qr(ctx, Q, diag), LNT_OK);
    lnt_gemv(t.a, 1, LNT_T, Q, d.a, 0);
    lnt_gemv(d.a, -1, LNT_N, Q, t.a, 1); /* nothing of d is left for the weights to explain */
    lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = n, .d = d.a, .beta = 1};
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_model m = line_model(&train);
    lnt_evidence_info info;
    lnt_posterior p;
    check_status(ctx, lnt_evidence(ctx, w, &p, &info, &m, &l, &prior, NULL), LNT_OK);
    assert_true(info.at_bound == 1 && alpha == 1e9 && strstr(log, "1 of the precisions"));
    check_near(l.beta, n / lnt_vec_dot(n, d.a, d.a), 1e-6, "beta without weights");

    double truth[k] = {1, -2, 0.5};
    line_f(truth, d.a, &train);
    alpha = l.beta = 1;
    check_status(ctx, lnt_evidence(ctx, w, &p, &info, &m, &l, &prior, NULL), LNT_OK);
    check_near(info.at_bound, 1, 0, "at bound");
    check_near(l.beta * lnt_vec_dot(n, d.a, d.a) / n, 1e14, 1e-9, "beta of an exact fit");
    for (int j = 0; j < k; j++)
        check_near(w[j], truth[j], 1e-9, "weight");

    lnt_evidence_opts opts;
    lnt_evidence_defaults(&opts);
    opts.tolerance = 0;
    check_failure(ctx, lnt_evidence(ctx, w, &p, &info, &m, &l, &prior, &opts), LNT_EINVAL, "tolerance");
    lnt_evidence_defaults(&opts);
    opts.max_rounds = 0;
    alpha = 3;
    check_status(ctx, lnt_evidence(ctx, w, &p, &info, &m, &l, &prior, &opts), LNT_OK);
    assert_true(!info.converged && alpha == 3 && p.k == k);
}

/* ---- Separable classes ---- */

static lnt_separation separate(lnt_ctx *ctx, line *train, const double *d, int classes)
{
    static double w[64];
    lnt_model m = line_model(train);
    lnt_likelihood l = {.kind = classes > 1 ? LNT_CATEGORICAL : LNT_BERNOULLI, .n = m.n, .d = d, .classes = classes};
    lnt_separation s;
    check_status(ctx, lnt_separable(ctx, &s, &m, w, &l), LNT_OK);
    return s;
}

/* A line w x + b and four points. */
static void points_on_a_line(void **state)
{
    lnt_ctx *ctx = *state;
    double B[] = {-2, 1, -1, 1, 1, 1, 2, 1};
    line train = {.BT = lnt_mat_view(B, 2, 4)};
    lnt_separation s = separate(ctx, &train, (double[]){0, 0, 1, 1}, 1);
    assert_true(s.separable && s.complete && s.v[0] > 0.5 && s.least > 0 && s.margins == 4);
    s = separate(ctx, &train, (double[]){0, 1, 0, 1}, 1);
    assert_true(!s.separable && s.residual < 1e-14);
    s = separate(ctx, &train, (double[]){1, 1, 1, 1}, 1); /* b grows */
    assert_true(s.separable && s.complete);
    B[2] = B[4] = 0; /* two points at 0, one of each class */
    s = separate(ctx, &train, (double[]){0, 0, 1, 1}, 1);
    assert_true(s.separable && !s.complete && s.v[0] > 0.999 && fabs(s.v[1]) < 1e-9 && fabs(s.least) < 1e-9);
    s = separate(ctx, &train, (double[]){0, 0.5, 0.5, 1}, 1); /* shares pin their point down */
    assert_true(s.separable && !s.complete && s.margins == 6);
    s = separate(ctx, &train, (double[]){0.2, 0.5, 0.5, 1}, 1);
    assert_true(!s.separable);
    lnt_mat_fill(train.BT, 0);
    s = separate(ctx, &train, (double[]){0, 0, 1, 1}, 1);
    assert_true(!s.separable && s.margins == 0);
}

/* How often n points in general position in k dimensions are separable through 0 (Cover 1965): 562 of 2048 for n = 12,
 * k = 5. A finite maximum, found without prior to speak of, exists just where they are not. */
static void as_often_as_coin_tosses_allow(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    enum { n = 12, k = 5, runs = 600 };
    int count = 0;
    double alpha = 1e-10;
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    for (int run = 0; run < runs; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        line train = {.BT = random_matrix(ctx, k, n, &rng)};
        double d[n], w[k] = {0}, z[n];
        for (int i = 0; i < n; i++)
            d[i] = lnt_rng_uniform(&rng) < 0.5;
        lnt_separation s = separate(ctx, &train, d, 1);
        count += s.separable;
        assert_true(s.separable == s.complete);
        lnt_gemv(z, 1, LNT_T, train.BT, s.v, 0);
        for (int i = 0; i < n && s.separable; i++)
            assert_true((2 * d[i] - 1) * z[i] > 0);
        if (run < 60) {
            lnt_model m = line_model(&train);
            lnt_likelihood l = {.kind = LNT_BERNOULLI, .n = n, .d = d};
            check_status(ctx, lnt_posterior_mode(ctx, w, NULL, &m, &l, &prior, NULL), LNT_OK);
            line_f(w, z, &train);
            assert_true((lnt_log_likelihood(&l, z) > -0.1) == s.separable);
        }
        lnt_ctx_reset(ctx, mark);
    }
    assert_true(fabs(count / (double)runs - 562.0 / 2048) < 4 * sqrt(0.2744 * 0.7256 / runs));
}

/* Three classes in the plane: apart, then with one point among strangers; and ties along an edge. */
static void three_classes(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    enum { samples = 30, q = 3, k = 9 };
    const double centre[q][2] = {{4, 0}, {-2, 3.5}, {-2, -3.5}};
    line train = {.BT = zeros(ctx, k, samples * q)};
    double d[samples * q] = {0};
    for (int i = 0; i < samples; i++) {
        double x[3] = {centre[i % q][0] + 0.2 * lnt_rng_normal(&rng), centre[i % q][1] + 0.2 * lnt_rng_normal(&rng), 1};
        d[i * q + i % q] = 1;
        for (int c = 0; c < q; c++)
            for (int j = 0; j < 3; j++)
                *lnt_at(train.BT, 3 * c + j, i * q + c) = x[j];
    }
    lnt_separation s = separate(ctx, &train, d, q);
    assert_true(s.separable && s.complete && s.margins == samples * (q - 1));
    for (int c = 0; c < q; c++) /* the first sample again, now of all classes in turn */
        d[c] = c == 1;
    s = separate(ctx, &train, d, q);
    assert_true(!s.separable || !s.complete);
    for (int i = 0; i < samples; i++)
        for (int c = 0; c < q; c++)
            d[i * q + c] = 1.0 / q;
    s = separate(ctx, &train, d, q);
    assert_true(!s.separable && s.margins == samples * q * (q - 1));
}

/* A network whose last layer is linear fits every class: its logits can only grow. */
static void networks_that_fit_are_separable(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    const int widths[] = {2, 4, 1};
    char log[200] = "";
    lnt_layers net = {.net = {.depth = 2, .width = widths, .activation = LNT_TANH}, .biases = true};
    lnt_mat X = random_matrix(ctx, 2, 60, &rng), w = random_matrix(ctx, 17, 1, &rng), f = zeros(ctx, 1, 60);
    lnt_model m;
    lnt_separation s;
    lnt_ctx_set_log(ctx, keep_line, log);
    check_status(ctx, lnt_layers_model(ctx, &m, &net, X), LNT_OK);
    check_status(ctx, lnt_layers_forward(ctx, f, &net, w.a, X), LNT_OK);
    for (int i = 0; i < 60; i++)
        f.a[i] = f.a[i] > 0;
    lnt_likelihood l = {.kind = LNT_BERNOULLI, .n = 60, .d = f.a};
    check_status(ctx, lnt_separable(ctx, &s, &m, w.a, &l), LNT_OK);
    assert_true(s.separable && s.complete && strstr(log, "without bound"));
    for (int i = 0; i < 60; i += 2)
        f.a[i] = 1 - f.a[i];
    check_status(ctx, lnt_separable(ctx, &s, &m, w.a, &l), LNT_OK);
    assert_true(!s.separable && s.residual < 1e-12);
    l.kind = LNT_GAUSSIAN;
    l.beta = 1;
    check_status(ctx, lnt_separable(ctx, &s, &m, w.a, &l), LNT_OK);
    assert_true(!s.separable);
}

static lnt_status everything(lnt_ctx *ctx, void *user)
{
    (void)user;
    static double d[] = {0, 1, 1, 0, 1, 0}, B[] = {1, 2, 0, 1, -1, 1, 2, 2, 1, 1, 0, 3};
    line train = {.BT = lnt_mat_view(B, 2, 6)};
    lnt_model m = line_model(&train);
    lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = 6, .d = d, .beta = 1};
    double w[2] = {0, 0}, alpha = 1;
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_evidence_opts opts;
    lnt_evidence_defaults(&opts);
    opts.max_rounds = 1;
    lnt_posterior p;
    lnt_separation s;
    lnt_status status = lnt_evidence(ctx, w, &p, NULL, &m, &l, &prior, &opts);
    l.kind = LNT_BERNOULLI;
    return status == LNT_OK ? lnt_separable(ctx, &s, &m, w, &l) : status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    check_allocations(everything, NULL, LNT_OK, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(slopes_are_derivatives),
                                       WITH_CTX(known_evidence_of_a_network),
                                       WITH_CTX(fixed_points_are_maxima),
                                       WITH_CTX(runaway_precisions_are_held),
                                       WITH_CTX(points_on_a_line),
                                       WITH_CTX(as_often_as_coin_tosses_allow),
                                       WITH_CTX(three_classes),
                                       WITH_CTX(networks_that_fit_are_separable),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
