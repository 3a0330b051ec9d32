/* Kernels against explicit Jacobians; linearised training against literal steps, integrated flows and trained networks.
 */
#include "bayes.h"

#define SEED 63

/* ---- Kernels ---- */

static lnt_layers network(int depth, const int *widths, int variant)
{
    static const lnt_activation phi[] = {LNT_TANH, LNT_RELU, LNT_LOGISTIC, LNT_SOFTPLUS, LNT_LINEAR};
    return (lnt_layers){.net = {.depth = depth, .width = widths, .activation = phi[variant % 5]},
                        .biases = variant % 2 == 0,
                        .ntk = variant % 3 == 0,
                        .bias_scale = 0.3,
                        .output = variant == 4 ? LNT_TANH : LNT_LINEAR};
}

static void check_kernel(lnt_ctx *ctx, const lnt_layers *net, int N, lnt_rng *rng)
{
    int p = net->net.width[0], q = net->net.width[net->net.depth], k = (int)lnt_layers_size(net), N2 = 7;
    lnt_mat w = random_matrix(ctx, k, 1, rng), v = random_matrix(ctx, k, 1, rng), none = {0};
    lnt_mat X = random_matrix(ctx, p, N, rng), X2 = random_matrix(ctx, p, N2, rng);
    lnt_mat BT = zeros(ctx, k, N * q), BT2 = zeros(ctx, k, N2 * q), expected = zeros(ctx, N * q, N * q);
    lnt_mat cross = zeros(ctx, N * q, N2 * q), Theta = zeros(ctx, N * q, N * q), Theta2 = zeros(ctx, N * q, N2 * q);
    lnt_mat diagonal = zeros(ctx, N * q, 1), again = zeros(ctx, N * q, N * q);
    check_status(ctx, lnt_layers_jacobian(ctx, BT, net, w.a, X), LNT_OK);
    check_status(ctx, lnt_layers_jacobian(ctx, BT2, net, w.a, X2), LNT_OK);
    lnt_gemm(expected, 1, LNT_T, BT, LNT_N, BT, 0);
    lnt_gemm(cross, 1, LNT_T, BT, LNT_N, BT2, 0);
    check_status(ctx, lnt_ntk(ctx, Theta, net, w.a, X, none, 1), LNT_OK);
    check_status(ctx, lnt_ntk(ctx, again, net, w.a, X, none, 2), LNT_OK);
    check_status(ctx, lnt_ntk(ctx, Theta2, net, w.a, X, X2, 2), LNT_OK);
    check_status(ctx, lnt_ntk_diagonal(ctx, diagonal.a, net, w.a, X), LNT_OK);
    check_close(Theta, expected, 1e-13, "kernel");
    check_close(Theta2, cross, 1e-13, "kernel of two sets");
    assert_memory_equal(Theta.a, again.a, sizeof(double) * (size_t)(N * q) * (size_t)(N * q));
    for (int i = 0; i < N * q; i++)
        check_near(diagonal.a[i], *lnt_at(expected, i, i), 1e-13, "diagonal");
    lnt_model m, m2;
    check_status(ctx, lnt_layers_model(ctx, &m, net, X), LNT_OK);
    check_status(ctx, lnt_layers_model(ctx, &m2, net, X2), LNT_OK);
    check_status(ctx, lnt_model_kernel(ctx, again, &m, NULL, w.a, NULL), LNT_OK);
    check_close(again, expected, 1e-13, "kernel of a model");
    for (int j = 0; j < BT2.cols; j++)
        lnt_mat_multiply(lnt_columns(BT2, j, 1), v);
    lnt_gemm(cross, 1, LNT_T, BT, LNT_N, BT2, 0);
    check_status(ctx, lnt_model_kernel(ctx, Theta2, &m, &m2, w.a, v.a), LNT_OK);
    check_close(Theta2, cross, 1e-13, "kernel of a model and a prior");
}

static void kernels_are_products_of_jacobians(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    static const int shapes[][5] = {{1, 5, 1}, {1, 4, 3}, {2, 3, 6, 1}, {2, 3, 5, 3}, {3, 2, 4, 6, 2}};
    for (int variant = 0; variant < 7; variant++)
        for (int i = 0; i < 5; i++) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            lnt_layers net = network(shapes[i][0], shapes[i] + 1, variant);
            check_kernel(ctx, &net, 1 + i % 2 * 12, &rng);
            if (i > 1)
                check_kernel(ctx, &net, i == 2 ? 600 : 67, &rng); /* several tiles, blocks and chunks */
            lnt_ctx_reset(ctx, mark);
        }
}

/* ---- Squared loss ---- */

typedef struct problem {
    line train, test;
    lnt_mat f0, g0, d, Theta, cross; /* outputs at W0; kernel; Theta*, r x n */
    lnt_linearized lin;
    double top;
} problem;

static problem make_problem(lnt_ctx *ctx, int n, int k, lnt_rng *rng)
{
    int r = 3;
    problem p = {.train.BT = random_matrix(ctx, k, n, rng), .test.BT = random_matrix(ctx, k, r, rng)};
    p.f0 = random_matrix(ctx, n, 1, rng);
    p.g0 = random_matrix(ctx, r, 1, rng);
    p.d = random_matrix(ctx, n, 1, rng);
    p.Theta = zeros(ctx, n, n);
    p.cross = zeros(ctx, r, n);
    lnt_gemm(p.Theta, 1, LNT_T, p.train.BT, LNT_N, p.train.BT, 0);
    lnt_gemm(p.cross, 1, LNT_T, p.test.BT, LNT_N, p.train.BT, 0);
    check_status(ctx, lnt_linearize(ctx, &p.lin, p.Theta, p.f0.a, p.d.a), LNT_OK);
    p.top = p.lin.lam[n - 1];
    return p;
}

/* Outputs, weights and outputs elsewhere against literal steps on the weights. */
static void check_steps(lnt_ctx *ctx, const problem *p, const lnt_smooth_rule *rule)
{
    enum { count = 4 };
    const double times[count] = {0, 1, 30, 400};
    int n = p->Theta.rows, k = p->train.BT.rows, r = p->cross.rows;
    lnt_mat v = zeros(ctx, k, 1), m = zeros(ctx, k, 1), e = zeros(ctx, n, 1), w = zeros(ctx, k, 1);
    lnt_mat F = zeros(ctx, n, count), A = zeros(ctx, n, count), G = zeros(ctx, r, count), g = zeros(ctx, r, 1);
    check_status(ctx, lnt_linearized_outputs(ctx, F, &p->lin, rule, times, count), LNT_OK);
    check_status(ctx, lnt_linearized_coefficients(ctx, A, &p->lin, rule, times, count), LNT_OK);
    lnt_linearized_elsewhere(G, p->cross, p->g0.a, A);
    for (int i = 0, step = 0; i < count; i++) {
        for (; step < times[i]; step++) { /* v = W - W0 */
            lnt_mat_copy(e, p->f0);
            lnt_mat_add(e, -1, p->d);
            lnt_gemv(e.a, 1, LNT_T, p->train.BT, v.a, 1);
            lnt_mat_scale(m, rule->beta);
            lnt_gemv(m.a, 1, LNT_N, p->train.BT, e.a, 1);
            lnt_mat_add(m, rule->lambda, v);
            lnt_mat_add(v, -rule->eta, m);
        }
        lnt_mat_copy(e, p->f0);
        lnt_gemv(e.a, 1, LNT_T, p->train.BT, v.a, 1);
        lnt_mat_copy(g, p->g0);
        lnt_gemv(g.a, 1, LNT_T, p->test.BT, v.a, 1);
        lnt_gemv(w.a, 1, LNT_N, p->train.BT, lnt_at(A, 0, i), 0);
        check_close(lnt_columns(F, i, 1), e, 1e-12, "outputs");
        check_close(lnt_columns(G, i, 1), g, 1e-12, "outputs elsewhere");
        check_close(w, v, 1e-12, "weights");
    }
}

static void closed_forms_are_literal_descent(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    const int shape[][2] = {{5, 12}, {12, 5}, {1, 1}};
    for (int i = 0; i < 3; i++) {
        problem p = make_problem(ctx, shape[i][0], shape[i][1], &rng);
        const lnt_smooth_rule rules[] = {{.eta = 0.5 / p.top},
                                         {.eta = 1.9 / p.top}, /* eta lam > 1: the mode swings */
                                         {.eta = 1 / p.top, .lambda = 0.3 * p.top},
                                         {.eta = 1 / p.top, .beta = 0.8},
                                         {.eta = 2 / p.top, .beta = 0.5, .lambda = 0.1 * p.top}};
        for (int j = 0; j < 5; j++)
            check_steps(ctx, &p, &rules[j]);
    }
}

static int linear_slope(double *df, double t, const double *f, void *user)
{
    const problem *p = user;
    lnt_mat e = lnt_mat_view((double[16]){0}, p->Theta.rows, 1);
    (void)t;
    for (int i = 0; i < e.rows; i++)
        e.a[i] = p->d.a[i] - f[i];
    lnt_gemv(df, 1, LNT_N, p->Theta, e.a, 0);
    return 0;
}

static void closed_forms_solve_the_flow(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    problem p = make_problem(ctx, 8, 20, &rng);
    double times[3] = {0.3 / p.top, 10 / p.top, 1 / p.lin.lam[0]};
    lnt_smooth_rule rule = {0};
    lnt_mat F = zeros(ctx, 8, 3), Y = zeros(ctx, 8, 3), A = zeros(ctx, 8, 3), A2 = zeros(ctx, 8, 3);
    lnt_ode ode = {.size = 8, .slope = linear_slope, .user = &p};
    lnt_flow_opts opts;
    lnt_flow_defaults(&opts);
    opts.rtol = 1e-12;
    opts.method = LNT_FLOW_EXPLICIT;
    check_status(ctx, lnt_flow(ctx, Y, NULL, &ode, p.f0.a, 0, times, 3, &opts), LNT_OK);
    check_status(ctx, lnt_linearized_outputs(ctx, F, &p.lin, &rule, times, 3), LNT_OK);
    check_close(F, Y, 1e-9, "outputs");
    /* and as a likelihood, with a pull */
    rule.lambda = 0.05 * p.top;
    lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = 8, .d = p.d.a, .beta = 1};
    check_status(ctx, lnt_linearized_coefficients(ctx, A, &p.lin, &rule, times, 3), LNT_OK);
    check_status(ctx, lnt_linearized_descent(ctx, A2, NULL, p.Theta, p.f0.a, &l, &rule, times, 3, &opts), LNT_OK);
    check_close(A2, A, 1e-9, "coefficients of the flow");
    rule.eta = 0.7 / p.top;
    rule.beta = 0.5;
    const double steps[3] = {0, 5, 300};
    check_status(ctx, lnt_linearized_coefficients(ctx, A, &p.lin, &rule, steps, 3), LNT_OK);
    check_status(ctx, lnt_linearized_descent(ctx, A2, NULL, p.Theta, p.f0.a, &l, &rule, steps, 3, NULL), LNT_OK);
    check_close(A2, A, 1e-12, "coefficients of steps");
}

/* Long after all: W - W0 = B+ (d - f0), one Gauss-Newton step of least norm, also where Theta is singular. */
static void the_limit_is_one_gauss_newton_step(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    for (int n = 6; n <= 14; n += 8) {
        int k = 10, least = n < k ? n : k;
        problem p = make_problem(ctx, n, k, &rng);
        lnt_mat U = zeros(ctx, k, least), VT = zeros(ctx, least, n), s = zeros(ctx, least, 1), A = zeros(ctx, n, 2);
        lnt_mat F = zeros(ctx, n, 2), step = zeros(ctx, k, 1), w = zeros(ctx, k, 1), e = zeros(ctx, n, 1),
                c = zeros(ctx, least, 1);
        check_status(ctx, lnt_svd(ctx, U, s.a, VT, p.train.BT), LNT_OK);
        lnt_mat_copy(e, p.d);
        lnt_mat_add(e, -1, p.f0);
        lnt_gemv(c.a, 1, LNT_N, VT, e.a, 0);
        for (int i = 0; i < least; i++)
            c.a[i] /= s.a[i];
        lnt_gemv(step.a, 1, LNT_N, U, c.a, 0);
        for (int rule = 0; rule < 2; rule++) {
            lnt_smooth_rule r = {.eta = rule ? 1 / p.top : 0, .beta = 0.5 * rule};
            double times[2] = {INFINITY, rule ? 1e4 : 1e4 / p.top};
            check_status(ctx, lnt_linearized_coefficients(ctx, A, &p.lin, &r, times, 2), LNT_OK);
            check_status(ctx, lnt_linearized_outputs(ctx, F, &p.lin, &r, times, 2), LNT_OK);
            for (int t = 0; t < 2; t++) {
                lnt_gemv(w.a, 1, LNT_N, p.train.BT, lnt_at(A, 0, t), 0);
                check_close(w, step, 1e-10, "weights");
            }
            lnt_mat_copy(e, p.f0);
            lnt_gemv(e.a, 1, LNT_T, p.train.BT, step.a, 1);
            check_close(lnt_columns(F, 0, 1), e, 1e-11, "outputs");
        }
        assert_int_equal(p.lin.lam[0] == 0, n > k);
    }
}

static void modes_are_learned_when_it_says(void **state)
{
    (void)state;
    const lnt_smooth_rule flow = {.lambda = 0.1}, slow = {.eta = 0.01, .lambda = 0.1}, fast = {.eta = 0.7};
    const lnt_smooth_rule heavy = {.eta = 0.001, .beta = 0.9};
    double lam = 2, h = 2.1;
    check_near(1 - h * lnt_linearized_phi(&flow, lam, lnt_learning_time(&flow, lam, 0.75)), 0.25, 1e-14, "flow");
    check_near(pow(1 - 0.01 * h, lnt_learning_time(&slow, lam, 0.75)), 0.25, 1e-13, "descent");
    check_near(pow(0.4, lnt_learning_time(&fast, lam, 0.75)), 0.25, 1e-13, "swinging descent");
    double late = lnt_learning_time(&heavy, lam, 1 - 1e-6), later = lnt_learning_time(&heavy, lam, 1 - 1e-12);
    double former = 1 - lam * lnt_linearized_phi(&heavy, lam, round(late)),
           now = lnt_response_at(&heavy, lam, round(later)).p;
    check_near(now / former / 1e-6, 1, 0.02, "momentum");
    const lnt_smooth_rule swing = {.eta = 0.1, .beta = 0.5};
    check_near(pow(0.5, lnt_learning_time(&swing, lam, 0.75) / 2), 0.25, 1e-13, "swinging momentum");
    assert_true(isinf(lnt_learning_time(&fast, 3, 0.5)) && isinf(lnt_learning_time(&fast, 0, 0.5)));
    assert_true(lnt_linearized_phi(&flow, lam, INFINITY) == 1 / h && lnt_linearized_phi(&fast, 0, INFINITY) == 0);
    assert_true(isinf(lnt_linearized_phi(&fast, 3, INFINITY)) && lnt_linearized_phi(&fast, 0, 10) == 7);
    assert_true(isinf(lnt_linearized_phi(&fast, 3, 1e9)));
}

/* ---- Classes ---- */

/* Logistic regression by literal steps on the weights. */
static void classes_by_literal_descent(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    int n = 12, k = 20;
    problem p = make_problem(ctx, n, k, &rng);
    lnt_mat d = zeros(ctx, n, 1), A = zeros(ctx, n, 2), v = zeros(ctx, k, 1), m = zeros(ctx, k, 1),
            z = zeros(ctx, n, 1);
    lnt_mat w = zeros(ctx, k, 1), g = zeros(ctx, n, 1), fine = zeros(ctx, n, 1), flow = zeros(ctx, n, 1);
    for (int kind = 1; kind <= 2; kind++) {
        for (int i = 0; i < n; i++)
            d.a[i] = kind == 1 ? lnt_rng_uniform(&rng) < 0.5 : i % 3 == i / 3 % 3;
        lnt_likelihood l = {.kind = (lnt_likelihood_kind)kind, .n = (size_t)n, .d = d.a, .classes = 3};
        lnt_smooth_rule rule = {.eta = 2 / p.top, .beta = 0.6, .lambda = 0.01 * p.top};
        const double times[2] = {10, 100};
        check_status(ctx, lnt_linearized_descent(ctx, A, NULL, p.Theta, p.f0.a, &l, &rule, times, 2, NULL), LNT_OK);
        lnt_mat_fill(v, 0);
        lnt_mat_fill(m, 0);
        for (int step = 0; step < 100; step++) {
            lnt_mat_copy(z, p.f0);
            lnt_gemv(z.a, 1, LNT_T, p.train.BT, v.a, 1);
            for (int i = 0; i < n; i++)
                if (kind == 1)
                    g.a[i] = 1 / (1 + exp(-z.a[i])) - d.a[i];
                else {
                    double *s = z.a + i / 3 * 3;
                    g.a[i] = exp(z.a[i]) / (exp(s[0]) + exp(s[1]) + exp(s[2])) - d.a[i];
                }
            lnt_mat_scale(m, rule.beta);
            lnt_gemv(m.a, 1, LNT_N, p.train.BT, g.a, 1);
            lnt_mat_add(m, rule.lambda, v);
            lnt_mat_add(v, -rule.eta, m);
        }
        lnt_gemv(w.a, 1, LNT_N, p.train.BT, lnt_at(A, 0, 1), 0);
        check_close(w, v, 1e-12, "weights");
        rule = (lnt_smooth_rule){0}; /* the flow is the limit of small steps */
        double end = 3 / p.top;
        check_status(ctx, lnt_linearized_descent(ctx, flow, NULL, p.Theta, p.f0.a, &l, &rule, &end, 1, NULL), LNT_OK);
        rule.eta = end / 20000;
        double steps = 20000;
        check_status(ctx, lnt_linearized_descent(ctx, fine, NULL, p.Theta, p.f0.a, &l, &rule, &steps, 1, NULL), LNT_OK);
        check_close(fine, flow, 1e-4, "flow");
    }
}

/* ---- Widths ---- */

enum { inputs = 4, samples = 30, test_samples = 20, both = samples + test_samples };

static void on_sphere(lnt_mat X, double *d, lnt_rng *rng)
{
    for (int j = 0; j < X.cols; j++) {
        double *x = lnt_at(X, 0, j);
        lnt_rng_normals(rng, x, inputs);
        lnt_mat_scale(lnt_columns(X, j, 1), 2 / lnt_mat_norm(lnt_columns(X, j, 1)));
        d[j] = x[1] * sin(x[0]);
    }
}

/* Root mean square of f_lin(t) - f(t) on test points for a tanh layer, after `steps` of descent with eta = 1/lam_max.
 */
static double deviation_at(lnt_ctx *ctx, int width, int steps, unsigned seed)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_rng data = lnt_rng_stream(SEED, seed, LNT_FOR_TASK), rng = lnt_rng_stream(SEED, seed, LNT_FOR_WEIGHTS);
    const int widths[] = {inputs, width, 1};
    lnt_layers net = {
        .net = {.depth = 2, .width = widths, .activation = LNT_TANH}, .biases = true, .ntk = true, .bias_scale = 0.3};
    lnt_mat X = zeros(ctx, inputs, both), f = zeros(ctx, both, 1), Theta = zeros(ctx, both, both), none = {0};
    lnt_mat A = zeros(ctx, samples, 1), F = zeros(ctx, test_samples, 1), g, e = zeros(ctx, 1, samples);
    lnt_mat train = lnt_columns(X, 0, samples), K = lnt_block(Theta, 0, 0, samples, samples);
    double d[both], t = steps;
    on_sphere(X, d, &data);
    int k = (int)lnt_layers_size(&net);
    double *w = zeros(ctx, k, 1).a;
    g = zeros(ctx, k, 1);
    lnt_layers_start(w, &net, LNT_START_NORMAL, X, &rng);
    check_status(ctx, lnt_layers_forward(ctx, lnt_mat_view(f.a, 1, both), &net, w, X), LNT_OK);
    check_status(ctx, lnt_ntk(ctx, Theta, &net, w, X, none, 1), LNT_OK);
    lnt_linearized lin;
    check_status(ctx, lnt_linearize(ctx, &lin, K, f.a, d), LNT_OK);
    lnt_smooth_rule rule = {.eta = 1 / lin.lam[samples - 1]};
    check_status(ctx, lnt_linearized_coefficients(ctx, A, &lin, &rule, &t, 1), LNT_OK);
    lnt_linearized_elsewhere(F, lnt_block(Theta, samples, 0, test_samples, samples), f.a + samples, A);
    for (int step = 0; step < steps; step++) {
        check_status(ctx, lnt_layers_forward(ctx, e, &net, w, train), LNT_OK);
        for (int i = 0; i < samples; i++)
            e.a[i] -= d[i];
        check_status(ctx, lnt_layers_vjp(ctx, g.a, &net, w, e, train), LNT_OK);
        lnt_vec_add(k, -rule.eta, g.a, w);
    }
    check_status(ctx, lnt_layers_forward(ctx, lnt_mat_view(f.a, 1, both), &net, w, X), LNT_OK);
    lnt_mat_add(F, -1, lnt_block(f, samples, 0, test_samples, 1));
    double rms = lnt_mat_rms(F);
    lnt_ctx_reset(ctx, mark);
    return rms;
}

/* The wider, the closer, about as 1/width. */
static void wide_networks_train_as_linear_ones(void **state)
{
    lnt_ctx *ctx = *state;
    enum { seeds = 12, widths = 4 };
    const double width[widths] = {64, 256, 1024, 4096};
    for (int steps = 10; steps <= 100; steps *= 10) {
        int used = steps == 10 ? widths : 2;
        lnt_mat D = zeros(ctx, seeds, used);
        lnt_width_law law;
        for (int j = 0; j < used; j++)
            for (int i = 0; i < seeds; i++)
                *lnt_at(D, i, j) = deviation_at(ctx, (int)width[j], steps, (unsigned)i);
        check_status(ctx, lnt_width_law_fit(ctx, &law, width, D), LNT_OK);
        if (!(law.exponent > -1.1 && law.exponent < -0.5 && law.error < 0.2))
            fail_msg("after %d steps the exponent is %.3f +- %.3f, not -1.1 .. -0.5", steps, law.exponent, law.error);
    }
}

static void laws_of_widths(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    const double width[] = {10, 100, 1000};
    lnt_mat D = zeros(ctx, 1, 3);
    lnt_width_law law;
    for (int j = 0; j < 3; j++)
        D.a[j] = 5 * pow(width[j], -0.8);
    check_status(ctx, lnt_width_law_fit(ctx, &law, width, D), LNT_OK);
    check_near(law.exponent, -0.8, 1e-14, "exponent");
    check_near(law.constant, 5, 1e-13, "constant");
    assert_true(law.error < 1e-14);
    check_status(ctx, lnt_width_law_fit(ctx, &law, width, lnt_columns(D, 0, 2)), LNT_OK);
    assert_true(isnan(law.error));
    /* its standard error is that of many laws: 10 % for 1000 of them would be 4.5 standard deviations */
    double mean = 0, square = 0, error = 0;
    lnt_mat many = zeros(ctx, 20, 3);
    for (int run = 0; run < 1000; run++) {
        for (int j = 0; j < 3; j++)
            for (int i = 0; i < 20; i++)
                *lnt_at(many, i, j) = pow(width[j], -1) * (1 + 0.3 * lnt_rng_normal(&rng));
        check_status(ctx, lnt_width_law_fit(ctx, &law, width, many), LNT_OK);
        mean += law.exponent / 1000;
        square += law.exponent * law.exponent / 1000;
        error += law.error / 1000;
    }
    check_near(mean, -1, 0.002, "mean exponent");
    check_near(error / sqrt(square - mean * mean), 1, 0.1, "standard error");
    check_failure(ctx, lnt_width_law_fit(ctx, &law, width, lnt_columns(D, 0, 1)), LNT_EINVAL, "two widths");
    check_failure(ctx, lnt_width_law_fit(ctx, &law, (double[]){7, 7, 7}, D), LNT_EINVAL, "that differ");
    D.a[1] = 0;
    check_failure(ctx, lnt_width_law_fit(ctx, &law, width, D), LNT_EDOMAIN, "width 100");
}

/* ---- What can go wrong ---- */

static void failures_say_why(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 6, LNT_FOR_TESTS);
    problem p = make_problem(ctx, 4, 6, &rng);
    lnt_linearized lin;
    lnt_mat A = zeros(ctx, 4, 1), none = {0};
    double t = -1;
    lnt_smooth_rule rule = {0};
    check_failure(ctx, lnt_linearized_outputs(ctx, A, &p.lin, &rule, &t, 1), LNT_EDOMAIN, "time 0 is -1");
    check_failure(ctx, lnt_linearized_outputs(ctx, A, &p.lin, &rule, &t, 2), LNT_ESHAPE, "2 times");
    lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = 4, .d = p.d.a, .beta = 1};
    rule.eta = 0.1;
    t = 0.5;
    check_failure(ctx, lnt_linearized_descent(ctx, A, NULL, p.Theta, p.f0.a, &l, &rule, &t, 1, NULL), LNT_EINVAL,
                  "whole numbers");
    l.n = 3;
    check_failure(ctx, lnt_linearized_descent(ctx, A, NULL, p.Theta, p.f0.a, &l, &rule, &t, 1, NULL), LNT_ESHAPE,
                  "3 data for 4");
    p.d.a[1] = NAN;
    check_failure(ctx, lnt_linearize(ctx, &lin, p.Theta, p.f0.a, p.d.a), LNT_EDOMAIN, "not finite");
    lnt_mat_scale(p.Theta, -1);
    check_failure(ctx, lnt_linearize(ctx, &lin, p.Theta, p.f0.a, p.f0.a), LNT_EDOMAIN, "B B'");
    const int widths[] = {2, 3, 1};
    lnt_layers net = network(2, widths, 0);
    lnt_mat X = random_matrix(ctx, 2, 4, &rng), w = random_matrix(ctx, 13, 1, &rng);
    check_failure(ctx, lnt_ntk(ctx, p.Theta, &net, w.a, p.Theta, none, 1), LNT_ESHAPE, "2 inputs");
    check_failure(ctx, lnt_ntk(ctx, A, &net, w.a, X, none, 1), LNT_ESHAPE, "a kernel of 4 x 1");
    w.a[9] = NAN; /* an output weight; the kernel does not depend on the output's bias */
    check_failure(ctx, lnt_ntk(ctx, p.Theta, &net, w.a, X, none, 1), LNT_EDOMAIN, "not finite");
}

static lnt_status everything(lnt_ctx *ctx, void *user)
{
    (void)user;
    static double x[] = {1, 2, 0, 1, -1, 1}, w[] = {1, -1, 0.5, 2, 1, 0, 1, 1, 0.5}, f0[3], d[3] = {0, 1, 1};
    const int widths[] = {2, 2, 1};
    lnt_layers net = network(2, widths, 0);
    lnt_mat Theta, A, none = {0}, X = lnt_mat_view(x, 2, 3);
    lnt_linearized lin;
    lnt_smooth_rule rule = {.eta = 0.1};
    lnt_likelihood l = {.kind = LNT_BERNOULLI, .n = 3, .d = d};
    double t = 3;
    lnt_status status = lnt_mat_alloc(ctx, &Theta, 3, 3);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, 3, 1);
    if (status == LNT_OK)
        status = lnt_ntk(ctx, Theta, &net, w, X, none, 1);
    if (status == LNT_OK)
        status = lnt_ntk(ctx, Theta, &net, w, X, X, 1);
    if (status == LNT_OK)
        status = lnt_ntk_diagonal(ctx, f0, &net, w, X);
    if (status == LNT_OK)
        status = lnt_linearize(ctx, &lin, Theta, f0, d);
    if (status == LNT_OK)
        status = lnt_linearized_outputs(ctx, A, &lin, &rule, &t, 1);
    if (status == LNT_OK)
        status = lnt_linearized_descent(ctx, A, NULL, Theta, f0, &l, &rule, &t, 1, NULL);
    rule.eta = 0;
    if (status == LNT_OK)
        status = lnt_linearized_descent(ctx, A, NULL, Theta, f0, &l, &rule, &t, 1, NULL);
    lnt_width_law law;
    return status == LNT_OK ? lnt_width_law_fit(ctx, &law, (double[]){1, 2, 4}, lnt_mat_view((double[]){3, 2, 1}, 1, 3))
                            : status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    check_allocations(everything, NULL, LNT_OK, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(kernels_are_products_of_jacobians),
                                       WITH_CTX(closed_forms_are_literal_descent),
                                       WITH_CTX(closed_forms_solve_the_flow),
                                       WITH_CTX(the_limit_is_one_gauss_newton_step),
                                       WITH_CTX(modes_are_learned_when_it_says),
                                       WITH_CTX(classes_by_literal_descent),
                                       WITH_CTX(wide_networks_train_as_linear_ones),
                                       WITH_CTX(laws_of_widths),
                                       WITH_CTX(failures_say_why),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
