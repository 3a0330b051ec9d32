/* Posteriors, modes and predictions: against conjugate formulas, quadrature, finite differences and draws. */
#include "bayes.h"

#define SEED 61
#define LOG_2PI 1.83787706640934548356

static lnt_likelihood random_likelihood(lnt_ctx *ctx, lnt_likelihood_kind kind, int n, int q, lnt_rng *rng)
{
    lnt_mat d = random_matrix(ctx, n, 1, rng);
    for (int i = 0; i < n && kind != LNT_GAUSSIAN; i++)
        d.a[i] = kind == LNT_BERNOULLI && lnt_rng_uniform(rng) < 0.5;
    for (int i = 0; i < n && kind == LNT_CATEGORICAL; i += q)
        d.a[i + (int)lnt_rng_below(rng, (uint64_t)q)] = 1;
    return (lnt_likelihood){.kind = kind, .n = (size_t)n, .d = d.a, .classes = q, .beta = 2.5};
}

/* ---- Likelihoods ---- */

static void gradient_and_curvature_are_derivatives(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int kind = 0; kind < 3; kind++) {
        int n = 12;
        lnt_likelihood l = random_likelihood(ctx, (lnt_likelihood_kind)kind, n, 4, &rng);
        lnt_mat f = random_matrix(ctx, n, 1, &rng), v = random_matrix(ctx, n, 1, &rng), g = zeros(ctx, n, 1);
        lnt_mat L = zeros(ctx, n, n), C = zeros(ctx, n, n), up = zeros(ctx, n, 1), down = zeros(ctx, n, 1);
        lnt_mat numeric = zeros(ctx, n, n), slope = zeros(ctx, n, 1);
        for (int i = 0; i < n; i++)
            v.a[i] = 0.5 + fabs(v.a[i]);
        l.sqrtw = v.a;
        lnt_likelihood_gradient(g.a, &l, f.a);
        lnt_mat_identity(L);
        lnt_likelihood_whiten(L, &l, f.a, 0);
        lnt_syrk(C, 1, LNT_N, L, 0);
        lnt_symmetrize(C);
        for (int i = 0; i < n; i++) {
            double h = 1e-5, at = f.a[i], rise;
            f.a[i] = at + h;
            rise = lnt_log_likelihood(&l, f.a);
            lnt_likelihood_gradient(up.a, &l, f.a);
            f.a[i] = at - h;
            slope.a[i] = (rise - lnt_log_likelihood(&l, f.a)) / (2 * h);
            lnt_likelihood_gradient(down.a, &l, f.a);
            f.a[i] = at;
            for (int j = 0; j < n; j++)
                *lnt_at(numeric, j, i) = -(up.a[j] - down.a[j]) / (2 * h);
        }
        check_close(g, slope, 1e-8, "gradient");
        check_close(C, numeric, 1e-8, "curvature");
    }
}

/* Certain classes, right and wrong: no overflow, and small numbers keep their digits. */
static void nothing_is_lost_where_logits_saturate(void **state)
{
    lnt_ctx *ctx = *state;
    double d[] = {1, 0, 1, 0}, f[] = {40, -40, -800, 800}, g[4], x[4] = {1, 1, 1, 1};
    lnt_likelihood l = {.kind = LNT_BERNOULLI, .n = 4, .d = d};
    check_near(lnt_log_likelihood(&l, f), -1600, 1e-15, "log likelihood");
    lnt_likelihood_gradient(g, &l, f);
    check_near(g[0] / exp(-40), 1, 1e-14, "1 - p");
    check_near(g[1] / exp(-40), -1, 1e-14, "-p");
    assert_true(g[2] == 1 && g[3] == -1);
    lnt_likelihood_whiten((lnt_mat){x, 1, 4, 1}, &l, f, 0);
    check_near(x[0] / exp(-20), 1, 1e-14, "sqrt(p (1 - p))");
    assert_true(x[2] >= 0 && x[2] < 1e-170);
    l = (lnt_likelihood){.kind = LNT_CATEGORICAL, .n = 4, .d = (double[]){0, 1, 0, 0}, .classes = 4};
    double z[] = {0, 40, 1, -900};
    check_near(lnt_log_likelihood(&l, z) / -(exp(-40) * (1 + exp(1))), 1, 1e-13, "log p");
    lnt_likelihood_gradient(g, &l, z);
    check_near(g[1] / (exp(-40) * (1 + exp(1))), 1, 1e-13, "1 - p of a class");
    assert_true(g[3] == 0);
    (void)ctx;
}

static void two_classes_are_a_bernoulli(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    int n = 30, k = 4;
    line one = {.BT = random_matrix(ctx, k, n, &rng)}, two = {.BT = zeros(ctx, k, 2 * n)};
    lnt_mat d = zeros(ctx, n, 1), d2 = zeros(ctx, 2 * n, 1), w = zeros(ctx, k, 1), w2 = zeros(ctx, k, 1);
    for (int i = 0; i < n; i++) {
        d.a[i] = lnt_rng_uniform(&rng) < 0.5;
        d2.a[2 * i] = d.a[i];
        d2.a[2 * i + 1] = 1 - d.a[i];
        lnt_mat x = lnt_columns(one.BT, i, 1), both = lnt_columns(two.BT, 2 * i, 2);
        lnt_mat_copy(lnt_columns(both, 0, 1), x); /* logits (b + c).w and c.w */
        lnt_mat c = random_matrix(ctx, k, 1, &rng);
        lnt_mat_copy(lnt_columns(both, 1, 1), c);
        lnt_mat_add(lnt_columns(both, 0, 1), 1, c);
    }
    double alpha = 0.7;
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_likelihood l = {.kind = LNT_BERNOULLI, .n = (size_t)n, .d = d.a};
    lnt_likelihood l2 = {.kind = LNT_CATEGORICAL, .n = 2 * (size_t)n, .d = d2.a, .classes = 2};
    lnt_model m = line_model(&one), m2 = line_model(&two);
    lnt_posterior p, p2;
    check_status(ctx, lnt_posterior_mode(ctx, w.a, NULL, &m, &l, &prior, NULL), LNT_OK);
    check_status(ctx, lnt_posterior_mode(ctx, w2.a, NULL, &m2, &l2, &prior, NULL), LNT_OK);
    check_close(w2, w, 1e-10, "mode");
    check_status(ctx, lnt_posterior_make(ctx, &p, &m, w.a, &l, &prior), LNT_OK);
    check_status(ctx, lnt_posterior_make(ctx, &p2, &m2, w2.a, &l2, &prior), LNT_OK);
    check_near(p2.log_evidence, p.log_evidence, 1e-11, "log evidence");
    check_near(p2.gamma, p.gamma, 1e-11, "gamma");
}

/* ---- Linear models with Gaussian noise: everything is exact ---- */

typedef struct conjugate {
    line line;
    lnt_model model;
    lnt_likelihood likelihood;
    lnt_prior prior;
    lnt_mat A, S; /* precision and covariance of the weights, by their definition */
    lnt_mat w;    /* mode, by theirs */
    double log_evidence, log_det;
} conjugate;

/* Three groups of weights, weighted noise. */
static conjugate make_conjugate(lnt_ctx *ctx, int n, int k, lnt_rng *rng)
{
    conjugate c = {.line.BT = random_matrix(ctx, k, n, rng)};
    static double alpha[3] = {0.3, 4, 0.05};
    int *group = lnt_alloc(ctx, (size_t)k, sizeof *group);
    lnt_mat v = random_matrix(ctx, n, 1, rng), f0 = random_matrix(ctx, n, 1, rng), E = zeros(ctx, n, n);
    for (int j = 0; j < k; j++)
        group[j] = j % 3;
    for (int i = 0; i < n; i++)
        v.a[i] = 0.5 + fabs(v.a[i]);
    c.line.f0 = f0.a;
    c.likelihood = random_likelihood(ctx, LNT_GAUSSIAN, n, 1, rng);
    c.likelihood.sqrtw = v.a;
    c.prior = (lnt_prior){.groups = 3, .group = group, .alpha = alpha};
    c.A = zeros(ctx, k, k);
    c.w = zeros(ctx, k, 1);
    lnt_mat g = zeros(ctx, k, 1), r = zeros(ctx, n, 1);
    for (int i = 0; i < n; i++) {
        double beta = c.likelihood.beta * v.a[i] * v.a[i];
        lnt_mat b = lnt_columns(c.line.BT, i, 1);
        r.a[i] = c.likelihood.d[i] - f0.a[i];
        lnt_gemm(c.A, beta, LNT_N, b, LNT_T, b, 1);
        lnt_mat_add(g, beta * r.a[i], b);
        *lnt_at(E, i, i) = 1 / beta;
        for (int j = 0; j < n; j++)
            for (int m = 0; m < k; m++)
                *lnt_at(E, i, j) += *lnt_at(c.line.BT, m, i) * *lnt_at(c.line.BT, m, j) / alpha[m % 3];
    }
    for (int j = 0; j < k; j++)
        *lnt_at(c.A, j, j) += alpha[j % 3];
    c.S = inverse(ctx, c.A, &c.log_det);
    lnt_gemv(c.w.a, 1, LNT_N, c.S, g.a, 0);
    double log_det_E;
    lnt_mat P = inverse(ctx, E, &log_det_E);
    c.log_evidence = -0.5 * (n * LOG_2PI + log_det_E + quadratic_form(ctx, P, r.a));
    return c;
}

static void check_conjugate(lnt_ctx *ctx, int n, int k, lnt_rng *rng)
{
    conjugate c = make_conjugate(ctx, n, k, rng);
    lnt_model m = line_model(&c.line);
    lnt_mat w = random_matrix(ctx, k, 1, rng), S = zeros(ctx, k, k), X = random_matrix(ctx, k, 3, rng),
            SX = zeros(ctx, k, 3);
    lnt_mat Q = zeros(ctx, 3, 3), expected = zeros(ctx, 3, 3);
    lnt_mode_info info;
    lnt_posterior p;
    check_status(ctx, lnt_posterior_mode(ctx, w.a, &info, &m, &c.likelihood, &c.prior, NULL), LNT_OK);
    assert_true(info.converged);
    check_close(w, c.w, 1e-10, "mode");
    check_status(ctx, lnt_posterior_make(ctx, &p, &m, w.a, &c.likelihood, &c.prior), LNT_OK);
    check_near(p.log_evidence, c.log_evidence, 1e-10, "log evidence");
    check_near(p.log_det, c.log_det, 1e-11, "log det A");
    check_status(ctx, lnt_posterior_covariance(ctx, S, &p), LNT_OK);
    check_close(S, c.S, 1e-11, "covariance");
    lnt_gemm(SX, 1, LNT_N, c.S, LNT_N, X, 0);
    lnt_gemm(expected, 1, LNT_T, X, LNT_N, SX, 0);
    check_status(ctx, lnt_posterior_project(ctx, Q, &p, X), LNT_OK);
    check_close(Q, expected, 1e-11, "covariance of outputs");
    double gamma[3] = {0, 0, 0};
    lnt_posterior_deviations(SX.a, &p);
    for (int j = 0; j < k; j++) {
        check_near(SX.a[j], sqrt(*lnt_at(c.S, j, j)), 1e-11, "deviation");
        gamma[j % 3] += 1 - c.prior.alpha[j % 3] * *lnt_at(c.S, j, j);
    }
    for (int g = 0; g < 3; g++)
        check_near(p.gamma_group[g], gamma[g], 1e-11, "gamma of a group");
    check_near(p.gamma, gamma[0] + gamma[1] + gamma[2], 1e-11, "gamma");
}

static void linear_models_are_exact(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    const int shape[][2] = {{20, 7}, {7, 7}, {6, 15}, {1, 4}, {4, 1}, {1, 1}, {1100, 5}};
    for (int i = 0; i < 7; i++)
        check_conjugate(ctx, shape[i][0], shape[i][1], &rng);
}

/* From the kernel alone: the evidence, the mode and the predictions of the weights. */
static void kernels_give_what_weights_give(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    const int shape[][2] = {{20, 7}, {12, 30}};
    for (int kind = 0; kind < 3; kind++)
        for (int i = 0; i < 2; i++) {
            int n = shape[i][0] / 4 * 4, k = shape[i][1], r = 8;
            line train = {.BT = random_matrix(ctx, k, n, &rng)}, test = {.BT = random_matrix(ctx, k, r, &rng)};
            lnt_mat f0 = random_matrix(ctx, n, 1, &rng), g0 = random_matrix(ctx, r, 1, &rng), v = zeros(ctx, k, 1);
            lnt_mat K = zeros(ctx, n, n), Kx = zeros(ctx, n, r), Kr = zeros(ctx, r, r), w = zeros(ctx, k, 1);
            lnt_mat mean = zeros(ctx, r, 2), variance = zeros(ctx, r, 2), prior_variance = zeros(ctx, r, 1);
            lnt_mat S = zeros(ctx, r, r), S2 = zeros(ctx, r, r);
            double alpha = 0.8;
            lnt_prior prior = {.groups = 1, .alpha = &alpha};
            lnt_likelihood l = random_likelihood(ctx, (lnt_likelihood_kind)kind, n, 4, &rng);
            train.f0 = f0.a;
            test.f0 = g0.a;
            lnt_mat_fill(v, 1 / alpha);
            lnt_model m = line_model(&train), mt = line_model(&test);
            lnt_posterior p;
            lnt_process gp, at;
            check_status(ctx, lnt_model_kernel(ctx, K, &m, NULL, w.a, v.a), LNT_OK);
            check_status(ctx, lnt_model_kernel(ctx, Kx, &m, &mt, w.a, v.a), LNT_OK);
            check_status(ctx, lnt_model_kernel(ctx, Kr, &mt, NULL, w.a, v.a), LNT_OK);
            check_status(ctx, lnt_posterior_mode(ctx, w.a, NULL, &m, &l, &prior, NULL), LNT_OK);
            check_status(ctx, lnt_posterior_make(ctx, &p, &m, w.a, &l, &prior), LNT_OK);
            check_status(ctx, lnt_process_make(ctx, &gp, K, f0.a, &l), LNT_OK);
            check_near(gp.log_evidence, p.log_evidence, 1e-10, "log evidence");
            check_near(gp.gamma, p.gamma, 1e-10, "gamma");
            check_near(gp.square, alpha * p.square[0], 1e-9, "penalty");
            check_status(ctx, lnt_process_at(ctx, &at, K, gp.f, &l), LNT_OK);
            check_near(at.log_evidence, gp.log_evidence, 1e-10, "log evidence at the mode");
            for (int j = 0; j < r; j++)
                prior_variance.a[j] = *lnt_at(Kr, j, j);
            check_status(ctx, lnt_posterior_predict(ctx, mean.a, variance.a, &p, &mt), LNT_OK);
            check_status(ctx, lnt_process_predict(ctx, mean.a + r, variance.a + r, &gp, Kx, g0.a, prior_variance.a),
                         LNT_OK);
            check_close(lnt_columns(mean, 1, 1), lnt_columns(mean, 0, 1), 1e-9, "mean");
            check_close(lnt_columns(variance, 1, 1), lnt_columns(variance, 0, 1), 1e-10, "variance");
            check_status(ctx, lnt_posterior_project(ctx, S, &p, test.BT), LNT_OK);
            check_status(ctx, lnt_process_covariance(ctx, S2, &gp, Kx, Kr), LNT_OK);
            check_close(S2, S, 1e-10, "covariance");
        }
}

/* Rows of the Jacobian come in chunks, which must not cut samples of three classes apart. */
static void chunks_hold_whole_samples(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 9, LNT_FOR_TESTS);
    int n = 1200, k = 4;
    line train = {.BT = random_matrix(ctx, k, n, &rng)};
    lnt_likelihood l = random_likelihood(ctx, LNT_CATEGORICAL, n, 3, &rng);
    lnt_model m = line_model(&train), whole = m;
    double alpha = 0.5;
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_mat w = zeros(ctx, k, 1), w2 = zeros(ctx, k, 1);
    lnt_posterior p, p2;
    whole.jacobian = NULL; /* differences: all rows at once */
    check_status(ctx, lnt_posterior_mode(ctx, w.a, NULL, &m, &l, &prior, NULL), LNT_OK);
    check_status(ctx, lnt_posterior_mode(ctx, w2.a, NULL, &whole, &l, &prior, NULL), LNT_OK);
    check_close(w2, w, 1e-9, "mode");
    check_status(ctx, lnt_posterior_make(ctx, &p, &m, w.a, &l, &prior), LNT_OK);
    check_status(ctx, lnt_posterior_make(ctx, &p2, &whole, w.a, &l, &prior), LNT_OK);
    check_near(p2.log_evidence, p.log_evidence, 1e-9, "log evidence");
    assert_true(p.gamma > 3 && p.gamma < 4);
}

/* Weights from the prior, data from the likelihood: the truth lies within the posterior as often as it says. */
static void linear_posteriors_are_calibrated(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    enum { n = 8, k = 5, runs = 4000 };
    line train = {.BT = random_matrix(ctx, k, n, &rng)}, test = {.BT = random_matrix(ctx, k, 1, &rng)};
    lnt_model m = line_model(&train), mt = line_model(&test);
    double alpha = 1.7, beta = 3, d[n], w[k], mean, variance, low, high, square = 0, wrong = 0, drawn = 0;
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = n, .d = d, .beta = beta};
    lnt_mat A = zeros(ctx, k, k), E = zeros(ctx, k, 1);
    lnt_syrk(A, beta, LNT_N, train.BT, 0);
    lnt_symmetrize(A);
    for (int j = 0; j < k; j++)
        *lnt_at(A, j, j) += alpha;
    int inside = 0, inside_new = 0;
    for (int run = 0; run < runs; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        double truth[k], at[1];
        for (int j = 0; j < k; j++)
            truth[j] = lnt_rng_normal(&rng) / sqrt(alpha);
        line_f(truth, d, &train);
        line_f(truth, at, &test);
        for (int i = 0; i < n; i++)
            d[i] += lnt_rng_normal(&rng) / sqrt(beta);
        memset(w, 0, sizeof w);
        lnt_posterior p;
        check_status(ctx, lnt_posterior_mode(ctx, w, NULL, &m, &l, &prior, NULL), LNT_OK);
        check_status(ctx, lnt_posterior_make(ctx, &p, &m, w, &l, &prior), LNT_OK);
        check_status(ctx, lnt_posterior_predict(ctx, &mean, &variance, &p, &mt), LNT_OK);
        check_status(ctx, lnt_predictive_band(ctx, &low, &high, &mean, &variance, 1, 0, 0.9), LNT_OK);
        inside += at[0] > low && at[0] < high;
        check_status(ctx, lnt_predictive_band(ctx, &low, &high, &mean, &variance, 1, 1 / beta, 0.5), LNT_OK);
        double fresh = at[0] + lnt_rng_normal(&rng) / sqrt(beta);
        inside_new += fresh > low && fresh < high;
        for (int j = 0; j < k; j++)
            E.a[j] = truth[j] - w[j];
        square += quadratic_form(ctx, A, E.a) / runs;
        wrong += lnt_vec_dot(k, E.a, E.a) / runs;
        check_status(ctx, lnt_posterior_draw(ctx, E.a, &p, 2, &rng), LNT_OK);
        for (int j = 0; j < k; j++)
            E.a[j] = (E.a[j] - w[j]) / 2;
        drawn += quadratic_form(ctx, A, E.a) / runs;
        lnt_ctx_reset(ctx, mark);
    }
    /* chi^2 with k degrees; shares with standard deviations of .0047 and .0079: all within 4 of them */
    check_near(square, k, 4 * sqrt(2.0 / k / runs), "mean square of the error in units of A^-1");
    check_near(drawn, k, 4 * sqrt(2.0 / k / runs), "mean square of draws");
    assert_true(fabs(inside / (double)runs - 0.9) < 0.019);
    assert_true(fabs(inside_new / (double)runs - 0.5) < 0.032);
    assert_true(fabs(wrong - k) > 0.5); /* A is no covariance */
}

/* Covariance of draws, for either of n and k larger: entries within 5 standard errors. */
static void draws_have_the_covariance(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 10, LNT_FOR_TESTS);
    enum { k = 5, draws = 20000 };
    for (int n = 2; n <= 9; n += 7) {
        conjugate c = make_conjugate(ctx, n, k, &rng);
        lnt_model m = line_model(&c.line);
        lnt_posterior p;
        lnt_mat w = zeros(ctx, k, 1), S = zeros(ctx, k, k);
        check_status(ctx, lnt_posterior_make(ctx, &p, &m, c.w.a, &c.likelihood, &c.prior), LNT_OK);
        for (int draw = 0; draw < draws; draw++) {
            check_status(ctx, lnt_posterior_draw(ctx, w.a, &p, 1, &rng), LNT_OK);
            lnt_mat_add(w, -1, c.w);
            lnt_gemm(S, 1.0 / draws, LNT_N, w, LNT_T, w, 1);
        }
        for (int i = 0; i < k; i++)
            for (int j = 0; j < k; j++) {
                double s = *lnt_at(c.S, i, j), own = *lnt_at(c.S, i, i) * *lnt_at(c.S, j, j);
                assert_true(fabs(*lnt_at(S, i, j) - s) < 5 * sqrt((own + s * s) / draws));
            }
    }
}

/* ---- Models with one or two weights, against quadrature ---- */

static const double five[] = {-2, -1, 0, 1, 2}, tanh_data[] = {-.9, -.7, .1, .6, 1}, classes[] = {0, 0, 1, 1, 1};

static int one_tanh(const double *w, double *out, void *user)
{
    (void)user;
    for (int i = 0; i < 5; i++)
        out[i] = tanh(w[0] * five[i]);
    return 0;
}

static int two_tanh(const double *w, double *out, void *user)
{
    one_tanh(w, out, user);
    for (int i = 0; i < 5; i++)
        out[i] *= w[1];
    return 0;
}

static int two_tanh_at_1(const double *w, double *out, void *user)
{
    (void)user;
    *out = w[1] * tanh(w[0]);
    return 0;
}

static int slope_only(const double *w, double *out, void *user)
{
    (void)user;
    for (int i = 0; i < 5; i++)
        out[i] = w[0] * five[i];
    return 0;
}

/* Derivatives by differences, which are good to 1e-10. */
static lnt_posterior laplace(lnt_ctx *ctx, double *w, const lnt_model *m, const lnt_likelihood *l, lnt_mode_info *info)
{
    static double alpha = 1;
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_posterior p;
    check_status(ctx, lnt_posterior_mode(ctx, w, info, m, l, &prior, NULL), LNT_OK);
    assert_true(info->converged);
    check_status(ctx, lnt_posterior_make(ctx, &p, m, w, l, &prior), LNT_OK);
    return p;
}

static void known_modes_and_evidences(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_likelihood gaussian = {.kind = LNT_GAUSSIAN, .n = 5, .d = tanh_data, .beta = 25};
    lnt_likelihood bernoulli = {.kind = LNT_BERNOULLI, .n = 5, .d = classes};
    lnt_model M = {.n = 5, .k = 1, .f = one_tanh}, N = {.n = 5, .k = 2, .f = two_tanh},
              C = {.n = 5, .k = 1, .f = slope_only};
    lnt_model N1 = {.n = 1, .k = 2, .f = two_tanh_at_1};
    lnt_mode_info info;
    double w[2] = {0.3, 0}, sd[2], mean, variance;
    lnt_posterior p = laplace(ctx, w, &M, &gaussian, &info);
    lnt_posterior_deviations(sd, &p);
    check_near(w[0], .76830648, 1e-8, "M: mode");
    check_near(sd[0], .20542188, 1e-8, "M: deviation");
    check_near(p.log_evidence, 1.28728756, 1e-8, "M: log evidence");
    w[0] = 1;
    w[1] = 0.5;
    p = laplace(ctx, w, &N, &gaussian, &info);
    check_status(ctx, lnt_posterior_predict(ctx, &mean, &variance, &p, &N1), LNT_OK);
    check_near(w[0], .70719075, 1e-8, "N: w");
    check_near(w[1], 1.05061326, 1e-8, "N: v");
    check_near(sqrt(variance), .13064914, 1e-8, "N: deviation of f(1)");
    check_near(p.log_evidence, -.52788286, 1e-8, "N: log evidence");
    const int widths[] = {1, 1, 1};
    check_near(lnt_log_symmetries(2, widths, LNT_TANH), log(2), 1e-15, "N: mirror images");
    w[0] = -2;
    p = laplace(ctx, w, &C, &bernoulli, &info);
    lnt_posterior_deviations(sd, &p);
    check_near(w[0], 1.00659431, 1e-8, "C: mode");
    check_near(sd[0], .67061811, 1e-8, "C: deviation");
    check_near(p.log_evidence, -2.47303361, 1e-8, "C: log evidence");
}

static void symmetries_are_counted(void **state)
{
    (void)state;
    const int widths[] = {7, 3, 2, 9};
    check_near(lnt_log_symmetries(3, widths, LNT_TANH), log(8 * 6 * 4 * 2), 1e-14, "tanh");
    check_near(lnt_log_symmetries(3, widths, LNT_RELU), log(6 * 2), 1e-14, "relu");
    assert_true(lnt_log_symmetries(3, widths, LNT_LINEAR) == 0 && lnt_log_symmetries(1, widths, LNT_TANH) == 0);
}

/* J, gradient and curvature of a network, all from their definitions; J never falls in the search from a poor start. */
static void pieces_of_the_log_posterior(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    const int widths[] = {3, 4, 3};
    lnt_layers net = {.net = {.depth = 2, .width = widths, .activation = LNT_TANH}, .biases = true};
    lnt_mat X = random_matrix(ctx, 3, 9, &rng);
    lnt_model m;
    check_status(ctx, lnt_layers_model(ctx, &m, &net, X), LNT_OK);
    int n = 27, k = (int)m.k;
    double alpha = 0.3, J, up, down;
    bool rejected;
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    for (int kind = 0; kind < 3; kind++) {
        lnt_likelihood l = random_likelihood(ctx, (lnt_likelihood_kind)kind, n, 3, &rng);
        lnt_mat w = random_matrix(ctx, k, 1, &rng), g = zeros(ctx, k, 1), g2 = zeros(ctx, k, 1),
                slope = zeros(ctx, k, 1);
        lnt_mat A = zeros(ctx, k, k), S = zeros(ctx, k, k), none = {0};
        check_status(ctx, lnt_log_posterior(ctx, &J, g.a, A, &rejected, &m, w.a, &l, &prior), LNT_OK);
        check_status(ctx, lnt_log_posterior(ctx, NULL, g2.a, none, &rejected, &m, w.a, &l, &prior), LNT_OK);
        check_close(g2, g, 1e-12, "gradient with and without curvature");
        for (int j = 0; j < k; j++) {
            double at = w.a[j], h = 1e-5;
            w.a[j] = at + h;
            check_status(ctx, lnt_log_posterior(ctx, &up, NULL, none, &rejected, &m, w.a, &l, &prior), LNT_OK);
            w.a[j] = at - h;
            check_status(ctx, lnt_log_posterior(ctx, &down, NULL, none, &rejected, &m, w.a, &l, &prior), LNT_OK);
            w.a[j] = at;
            slope.a[j] = (up - down) / (2 * h);
        }
        check_close(g, slope, 1e-7, "gradient");
        lnt_posterior p;
        double log_det;
        check_status(ctx, lnt_posterior_make(ctx, &p, &m, w.a, &l, &prior), LNT_OK);
        check_status(ctx, lnt_posterior_covariance(ctx, S, &p), LNT_OK);
        check_close(S, inverse(ctx, A, &log_det), 1e-9, "inverse of the curvature");
        check_near(p.log_det, log_det, 1e-10, "log det of the curvature");
        lnt_mode_info info;
        check_status(ctx, lnt_posterior_mode(ctx, w.a, &info, &m, &l, &prior, NULL), LNT_OK);
        assert_true(info.converged && info.log_posterior > J && info.cosine < 1e-7);
    }
}

/* ---- Probabilities ---- */

/* The same integral on a fine grid. */
static double by_grid(double mean, double variance)
{
    double sum = 0, h = 1e-4;
    for (double x = -9; x <= 9; x += h) {
        double z = mean + sqrt(variance) * x;
        sum += h * exp(-x * x / 2) * exp(-LOG_2PI / 2) / (1 + exp(-z));
    }
    return sum;
}

static void probabilities_of_classes(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 6, LNT_FOR_TESTS);
    for (int i = 0; i < 8; i++) {
        double mean = (i % 4) - 1.3, variance = pow(10, i - 3), p = lnt_logistic_mean(mean, variance);
        check_near(p, by_grid(mean, variance), i < 7 ? 1e-12 : 1e-6, "E logistic");
        check_near(lnt_logistic_mean(-mean, variance), 1 - p, 2e-15, "its mirror image");
        check_near(lnt_logistic_probit(mean, variance), p, 0.02, "the probit formula");
    }
    check_near(lnt_logistic_mean(1.5, 0), 1 / (1 + exp(-1.5)), 1e-15, "no variance");
    check_near(lnt_logistic_mean(0.3, 1 + 1e-9), lnt_logistic_mean(0.3, 1 - 1e-9), 1e-9, "where the formulas meet");
    assert_true(lnt_logistic_mean(-1e6, 1) < 1e-300 && lnt_logistic_mean(1e6, 1e4) > 1 - 1e-14);
    assert_true(fabs(lnt_logistic_mean(1, 1e12) - 0.5) < 1e-6);
    /* two logits: only their difference counts; three that are alike: a third each */
    double S[9] = {2, 0.5, 0, 0.5, 1, 0, 0, 0, 3}, z[3] = {0.4, -0.6, 0}, p[3], error[3];
    lnt_mat S2 = {S, 2, 2, 3};
    check_status(ctx, lnt_softmax_mean(ctx, p, error, z, S2, 20000, &rng), LNT_OK);
    assert_true(fabs(p[0] - lnt_logistic_mean(1, 2)) < 4 * error[0] && error[0] < 0.002 && error[0] > 1e-5);
    check_near(p[0] + p[1], 1, 1e-14, "sum");
    double I[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, alike[3] = {5, 5, 5};
    check_status(ctx, lnt_softmax_mean(ctx, p, error, alike, lnt_mat_view(I, 3, 3), 20000, &rng), LNT_OK);
    for (int j = 0; j < 3; j++)
        assert_true(fabs(p[j] - 1.0 / 3) < 4 * error[j]);
    check_status(ctx, lnt_softmax_mean(ctx, p, NULL, z, lnt_mat_view((double[9]){0}, 3, 3), 1, &rng), LNT_OK);
    check_near(p[2] / p[0], exp(-0.4), 1e-14, "no variance: softmax");
    double mean = 1, variance = 4, low, high;
    check_status(ctx, lnt_predictive_band(ctx, &low, &high, &mean, &variance, 1, 5, 0.95), LNT_OK);
    check_near(high - 1, 3 * 1.959963984540054, 1e-14, "band");
    check_near(1 - low, 3 * 1.959963984540054, 1e-14, "band");
    check_failure(ctx, lnt_predictive_band(ctx, &low, &high, &mean, &variance, 1, 0, 1), LNT_EDOMAIN,
                  "between 0 and 1");
}

/* ---- What can go wrong ---- */

static int no_value(const double *w, double *out, void *user)
{
    one_tanh(w, out, NULL);
    return *(const int *)user;
}

static void failures_say_why(void **state)
{
    lnt_ctx *ctx = *state;
    double alpha = 1, w = 0.5;
    int answer = 1, group = 1;
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = 5, .d = tanh_data, .beta = 25};
    lnt_model m = {.n = 5, .k = 1, .f = no_value, .user = &answer};
    lnt_posterior p;
    lnt_mode_info info;
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_EDOMAIN, "no value at the start");
    check_failure(ctx, lnt_posterior_make(ctx, &p, &m, &w, &l, &prior), LNT_EDOMAIN, "no value");
    answer = -1;
    check_status(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_EUSER);
    check_status(ctx, lnt_posterior_make(ctx, &p, &m, &w, &l, &prior), LNT_EUSER);
    lnt_ctx_clear(ctx);
    answer = 0;
    l.n = 4;
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_ESHAPE, "4 data for 5");
    l.n = 5;
    l.beta = 0;
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_EDOMAIN, "precision of the noise");
    l.beta = 1;
    alpha = -1;
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_EDOMAIN, "prior precision");
    alpha = 1;
    prior.group = &group;
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_EINVAL, "group 1 of 1");
    prior.group = NULL;
    l.kind = LNT_BERNOULLI;
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_EDOMAIN, "shares from 0 to 1");
    l = (lnt_likelihood){.kind = LNT_CATEGORICAL, .n = 5, .d = classes, .classes = 2};
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_ESHAPE, "whole number of samples");
    l.classes = 5;
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_EDOMAIN, "sum to 3");
    l = (lnt_likelihood){.kind = LNT_GAUSSIAN, .n = 5, .d = tanh_data, .beta = 25};
    w = NAN;
    check_failure(ctx, lnt_posterior_mode(ctx, &w, NULL, &m, &l, &prior, NULL), LNT_EDOMAIN, "not all finite");
    w = 0.1;
    lnt_mode_opts opts;
    lnt_mode_defaults(&opts);
    opts.max_steps = 0;
    check_status(ctx, lnt_posterior_mode(ctx, &w, &info, &m, &l, &prior, &opts), LNT_OK);
    assert_true(!info.converged && w == 0.1 && info.distance > 1);
}

/* exp(w x), which has no value for w >= 1.2 and is too large to be any good below -50. */
static int bounded(const double *w, double *out, void *user)
{
    (void)user;
    for (int i = 0; i < 5; i++)
        out[i] = w[0] < -50 ? NAN : exp(w[0] * five[i]);
    return w[0] >= 1.2;
}

static void steps_out_of_bounds_are_taken_back(void **state)
{
    lnt_ctx *ctx = *state;
    double d[5], alpha = 1e-6, w = -3;
    for (int i = 0; i < 5; i++)
        d[i] = exp(1.1 * five[i]);
    lnt_model m = {.n = 5, .k = 1, .f = bounded};
    lnt_likelihood l = {.kind = LNT_GAUSSIAN, .n = 5, .d = d, .beta = 100};
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    lnt_mode_info info;
    lnt_mode_opts opts;
    lnt_mode_defaults(&opts);
    opts.tau = 0;
    check_status(ctx, lnt_posterior_mode(ctx, &w, &info, &m, &l, &prior, &opts), LNT_OK);
    assert_true(info.converged);
    check_near(w, 1.1, 1e-6, "weight");
}

/* Outputs that do not depend on some weights, or on any: they stay at their prior. */
static void weights_without_effect_keep_their_prior(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 7, LNT_FOR_TESTS);
    for (int n = 2; n <= 6; n += 4) {
        line flat = {.BT = zeros(ctx, 3, n)};
        lnt_model m = line_model(&flat);
        lnt_likelihood l = random_likelihood(ctx, LNT_GAUSSIAN, n, 1, &rng);
        double alpha = 4, w[3] = {1, -2, 3}, sd[3];
        lnt_prior prior = {.groups = 1, .alpha = &alpha};
        lnt_posterior p;
        check_status(ctx, lnt_posterior_mode(ctx, w, NULL, &m, &l, &prior, NULL), LNT_OK);
        check_status(ctx, lnt_posterior_make(ctx, &p, &m, w, &l, &prior), LNT_OK);
        lnt_posterior_deviations(sd, &p);
        for (int j = 0; j < 3; j++) {
            assert_true(fabs(w[j]) < 1e-9);
            check_near(sd[j], 0.5, 1e-14, "deviation");
        }
        assert_true(p.gamma == 0);
    }
}

static lnt_status everything(lnt_ctx *ctx, void *user)
{
    (void)user;
    static double d[] = {0, 1, 1, 0, 1, 0}, B[] = {1, 2, 0, 1, -1, 1, 2, 2, 1, 1, 0, 3}, alpha = 1;
    line train = {.BT = lnt_mat_view(B, 2, 6)};
    lnt_model m = line_model(&train);
    lnt_likelihood l = {.kind = LNT_BERNOULLI, .n = 6, .d = d};
    lnt_prior prior = {.groups = 1, .alpha = &alpha};
    double w[2] = {0, 0}, mean[6], variance[6];
    lnt_posterior p;
    lnt_process gp;
    lnt_mat S, K;
    lnt_rng rng = lnt_rng_stream(SEED, 8, LNT_FOR_TESTS);
    lnt_status status = lnt_posterior_mode(ctx, w, NULL, &m, &l, &prior, NULL);
    if (status == LNT_OK)
        status = lnt_posterior_make(ctx, &p, &m, w, &l, &prior);
    if (status == LNT_OK)
        status = lnt_posterior_predict(ctx, mean, variance, &p, &m);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &S, 2, 2);
    if (status == LNT_OK)
        status = lnt_posterior_covariance(ctx, S, &p);
    if (status == LNT_OK)
        status = lnt_posterior_project(ctx, S, &p, lnt_columns(train.BT, 0, 2));
    if (status == LNT_OK)
        status = lnt_softmax_mean(ctx, mean, NULL, w, S, 3, &rng);
    if (status == LNT_OK)
        status = lnt_posterior_draw(ctx, w, &p, 1, &rng);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &K, 6, 6);
    if (status == LNT_OK)
        status = lnt_model_kernel(ctx, K, &m, NULL, w, NULL);
    if (status == LNT_OK)
        status = lnt_process_make(ctx, &gp, K, NULL, &l);
    if (status == LNT_OK)
        status = lnt_process_predict(ctx, mean, NULL, &gp, K, NULL, NULL);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    check_allocations(everything, NULL, LNT_OK, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(gradient_and_curvature_are_derivatives),
                                       WITH_CTX(nothing_is_lost_where_logits_saturate),
                                       WITH_CTX(two_classes_are_a_bernoulli),
                                       WITH_CTX(linear_models_are_exact),
                                       WITH_CTX(kernels_give_what_weights_give),
                                       WITH_CTX(chunks_hold_whole_samples),
                                       WITH_CTX(linear_posteriors_are_calibrated),
                                       WITH_CTX(steps_out_of_bounds_are_taken_back),
                                       WITH_CTX(draws_have_the_covariance),
                                       WITH_CTX(known_modes_and_evidences),
                                       WITH_CTX(symmetries_are_counted),
                                       WITH_CTX(pieces_of_the_log_posterior),
                                       WITH_CTX(probabilities_of_classes),
                                       WITH_CTX(failures_say_why),
                                       WITH_CTX(weights_without_effect_keep_their_prior),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
