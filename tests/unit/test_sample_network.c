/* The posterior of a network as a density: against the general log posterior, differences, and quadrature. */
#include "sample.h"

#include "../../src/sample/loops.h"

#include <float.h>

#define SEED 72

typedef struct problem {
    lnt_layers net;
    lnt_mat X;
    lnt_likelihood likelihood;
    lnt_prior prior;
    lnt_model model;
    int widths[5];
    int *group;
    double alpha[3];
} problem;

/* Random inputs and data for a network of the given widths. */
static void make_problem(lnt_ctx *ctx, problem *p, lnt_likelihood_kind kind, lnt_activation activation, int samples,
                         lnt_rng *rng)
{
    int outputs = p->widths[p->net.net.depth];
    p->net.net.width = p->widths;
    p->net.net.activation = activation;
    p->X = random_matrix(ctx, p->widths[0], samples, rng);
    size_t n = (size_t)outputs * (size_t)samples, k = lnt_layers_size(&p->net);
    double *d = new_vector(ctx, n), *v = new_vector(ctx, n);
    p->group = lnt_alloc(ctx, k, sizeof *p->group);
    for (size_t i = 0; i < n; i++) {
        d[i] = kind == LNT_GAUSSIAN ? lnt_rng_normal(rng) : i % 3 == 0 ? 0.3 : (double)(i % 2);
        v[i] = 0.5 + lnt_rng_uniform(rng);
    }
    for (int j = 0; kind == LNT_CATEGORICAL && j < samples; j++) {
        for (int o = 0; o < outputs; o++)
            d[j * outputs + o] = 0;
        d[j * outputs + j % outputs] += 0.75;
        d[j * outputs + (j / 2) % outputs] += 0.25;
    }
    for (size_t i = 0; i < k; i++)
        p->group[i] = (int)(i % 3);
    for (int i = 0; i < 3; i++)
        p->alpha[i] = 0.5 + i;
    p->likelihood = (lnt_likelihood){
        .kind = kind, .n = n, .d = d, .classes = outputs, .beta = 2.5, .sqrtw = kind == LNT_GAUSSIAN ? v : NULL};
    p->prior = (lnt_prior){.groups = 3, .group = p->group, .alpha = p->alpha};
    check_status(ctx, lnt_layers_model(ctx, &p->model, &p->net, p->X), LNT_OK);
}

static double value(const lnt_density *density, const double *q, double *g)
{
    double lp;
    assert_int_equal(density->logp(lnt_mat_view((double *)(uintptr_t)q, density->k, 1), &lp,
                                   lnt_mat_view(g, density->k, 1), density->user),
                     0);
    return lp;
}

static double log_prior_constant(const problem *p)
{
    double sum = 0;
    for (size_t i = 0; i < lnt_layers_size(&p->net); i++)
        sum += 0.5 * log(p->alpha[p->group[i]] / (2 * 3.14159265358979323846));
    return sum;
}

static void agrees_with_the_general_posterior(void **state)
{
    lnt_ctx *ctx = *state;
    static const lnt_activation phi[] = {LNT_LINEAR, LNT_TANH, LNT_RELU, LNT_LOGISTIC, LNT_SOFTPLUS};
    static const int widths[][5] = {{1, 20, 1}, {3, 5, 7, 2}, {4, 1}, {2, 40, 33, 3}, {60, 9, 3}};
    static const int depths[] = {2, 3, 1, 3, 2};
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int i = 0; i < 150; i++) {
        lnt_simd_allow(i % 2 == 0);
        problem p = {.net = {.net = {.depth = depths[i % 5]}, .biases = i % 7 != 0, .ntk = i % 4 == 1}};
        lnt_likelihood_kind kind = (lnt_likelihood_kind)(i / 5 % 3);
        memcpy(p.widths, widths[i % 5], sizeof p.widths);
        p.net.bias_scale = i % 4 == 1 ? 0.3 : 0;
        p.net.output = i % 6 == 5 ? LNT_TANH : LNT_LINEAR;
        if (kind == LNT_CATEGORICAL && p.widths[depths[i % 5]] == 1)
            continue;
        make_problem(ctx, &p, kind, phi[i / 15 % 5], 1 + (i * 97) % 600, &rng);
        lnt_density density;
        check_status(ctx, lnt_network_density(ctx, &density, &p.net, p.X, &p.likelihood, &p.prior, NULL), LNT_OK);
        int k = (int)lnt_layers_size(&p.net);
        assert_int_equal(density.k, k);
        lnt_mat w = random_matrix(ctx, k, 1, &rng), g = zeros(ctx, k, 1), expected = zeros(ctx, k, 1);
        double J, lp = value(&density, w.a, g.a);
        bool rejected;
        check_status(
            ctx,
            lnt_log_posterior(ctx, &J, expected.a, (lnt_mat){0}, &rejected, &p.model, w.a, &p.likelihood, &p.prior),
            LNT_OK);
        check_near(lp, J + log_prior_constant(&p), 1e-13, "log density");
        check_close(g, expected, 1e-13, "gradient");
    }
    lnt_simd_allow(true);
}

/* ---- Loops ---- */

static double units(double got, double exact)
{
    return exact == 0 ? got != 0 : fabs(got - exact) / (fabs(exact) * DBL_EPSILON);
}

static void activations_are_accurate(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N = 4096 };
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    double *a = new_vector(ctx, N), *z = new_vector(ctx, N), *d = new_vector(ctx, N), worst[2] = {0};
    for (int run = 0; run < 20; run++) {
        lnt_simd_allow(run % 2 == 0);
        for (int i = 0; i < N; i++)
            a[i] = lnt_rng_normal(&rng) * pow(10, 4 * lnt_rng_uniform(&rng) - 3);
        const double special[] = {0, -0.0, 1e-310, -1e-310, 1e-20, 19, -19, 40, -40, 700, -700, 1e308, -1e308};
        memcpy(a, special, sizeof special);
        for (int tanhs = 0; tanhs < 2; tanhs++) {
            memcpy(z, a, N * sizeof *z);
            lnt_activate(lnt_mat_view(z, N, 1), (lnt_mat){0}, tanhs ? LNT_TANH : LNT_LOGISTIC);
            for (int i = 0; i < N; i++)
                d[i] = 1;
            lnt_loops()->back(d, z, N, tanhs ? LNT_TANH : LNT_LOGISTIC);
            for (int i = 0; i < N; i++) {
                double e = exp(-fabs(a[i])), s = a[i] > 0 ? 1 / (1 + e) : e / (1 + e), t = tanh(a[i]);
                double slope = tanhs ? 1 - t * t : e / ((1 + e) * (1 + e));
                if (tanhs || a[i] > -700)
                    worst[tanhs] = fmax(worst[tanhs], units(z[i], tanhs ? t : s));
                else
                    assert_true(fabs(z[i] - s) < 1e-16);
                assert_true(fabs(d[i] - slope) < 1e-15);
            }
        }
        double strange[16] = {NAN, INFINITY, -INFINITY};
        double *x = new_vector(ctx, 16);
        memcpy(x, strange, sizeof strange);
        lnt_activate(lnt_mat_view(x, 16, 1), (lnt_mat){0}, LNT_TANH);
        assert_true(isnan(x[0]) && x[1] == 1 && x[2] == -1);
        memcpy(x, strange, sizeof strange);
        lnt_activate(lnt_mat_view(x, 16, 1), (lnt_mat){0}, LNT_RELU);
        assert_true(isnan(x[0]) && x[1] == INFINITY && x[2] == 0);
    }
    lnt_simd_allow(true);
    if (!(worst[0] < 4 && worst[1] < 4))
        fail_msg("logistic %g, tanh %g units in the last place", worst[0], worst[1]);
}

/* Far out everything saturates, overflows at last, and then says so. */
static void extremes(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    for (int kind = 0; kind < 3; kind++)
        for (int power = 1; power < 300; power += 7) {
            problem p = {.net = {.net = {.depth = 2}, .biases = true}, .widths = {2, 3, 3}};
            make_problem(ctx, &p, (lnt_likelihood_kind)kind, power % 2 ? LNT_RELU : LNT_TANH, 5, &rng);
            lnt_density density;
            check_status(ctx, lnt_network_density(ctx, &density, &p.net, p.X, &p.likelihood, &p.prior, NULL), LNT_OK);
            lnt_mat w = random_matrix(ctx, density.k, 1, &rng), g = zeros(ctx, density.k, 1),
                    expected = zeros(ctx, density.k, 1);
            lnt_mat_scale(w, pow(10, power));
            double J, lp = value(&density, w.a, g.a);
            bool rejected;
            check_status(
                ctx,
                lnt_log_posterior(ctx, &J, expected.a, (lnt_mat){0}, &rejected, &p.model, w.a, &p.likelihood, &p.prior),
                LNT_OK);
            J += log_prior_constant(&p);
            if (isfinite(J) && !rejected)
                assert_true(fabs(lp - J) <= 1e-12 * fabs(J));
            else
                assert_false(isfinite(lp) && lnt_mat_finite(g));
        }
}

/* ---- Precisions that are drawn ---- */

static void hyper_gradients(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    for (int run = 0; run < 8; run++) {
        problem p = {.net = {.net = {.depth = 2}, .biases = true}, .widths = {2, 4, 1}};
        lnt_likelihood_kind kind = run % 4 == 3 ? LNT_BERNOULLI : LNT_GAUSSIAN;
        lnt_hyper hyper = {run % 2 == 0, run % 4 != 0, {2, 3}, {1.5, 0.2}};
        make_problem(ctx, &p, kind, LNT_TANH, 30, &rng);
        lnt_density density;
        check_status(ctx, lnt_network_density(ctx, &density, &p.net, p.X, &p.likelihood, &p.prior, &hyper), LNT_OK);
        int k = (int)lnt_layers_size(&p.net);
        bool noise = hyper.beta && kind == LNT_GAUSSIAN;
        assert_int_equal(density.k, k + (hyper.alpha ? 3 : 0) + noise);
        lnt_mat q = random_matrix(ctx, density.k, 1, &rng), g = zeros(ctx, density.k, 1),
                other = zeros(ctx, density.k, 1);
        double lp = value(&density, q.a, g.a), h = 1e-5;
        for (int i = 0; i < density.k; i++) {
            double at = q.a[i];
            q.a[i] = at + h;
            double up = value(&density, q.a, other.a);
            q.a[i] = at - h;
            double down = value(&density, q.a, other.a);
            q.a[i] = at;
            check_near(g.a[i] / (1 + fabs(lp)), (up - down) / (2 * h) / (1 + fabs(lp)), 1e-8, "gradient");
        }
        /* The same as fixed precisions of those values, and their priors. */
        double expected = 0, *of_beta = &p.likelihood.beta;
        for (int a = 0; a < 3 && hyper.alpha; a++) {
            p.alpha[a] = exp(q.a[k + a]);
            expected += 2 * log(3) - lgamma(2) + 2 * q.a[k + a] - 3 * p.alpha[a];
        }
        if (noise) {
            *of_beta = exp(q.a[density.k - 1]);
            expected += 1.5 * log(0.2) - lgamma(1.5) + 1.5 * log(*of_beta) - 0.2 * *of_beta;
        }
        check_status(ctx, lnt_network_density(ctx, &density, &p.net, p.X, &p.likelihood, &p.prior, NULL), LNT_OK);
        check_near(lp, expected + value(&density, q.a, other.a), 1e-12, "log density");
    }
}

/* ---- Posteriors by quadrature ---- */

static const double five[] = {-2, -1, 0, 1, 2};

typedef struct small {
    lnt_layers net;
    lnt_likelihood likelihood;
    lnt_prior prior;
    double alpha, d[5];
    int widths[3];
    lnt_density density;
} small;

/* f = tanh(w x), f = v tanh(w x), or logits w x, on five inputs. */
static void make_small(lnt_ctx *ctx, small *s, char name, const lnt_hyper *hyper)
{
    const double regression[] = {-0.9, -0.7, 0.1, 0.6, 1}, classes[] = {0, 0, 1, 1, 1};
    *s = (small){.alpha = 1, .widths = {1, 1, 1}};
    memcpy(s->d, name == 'C' ? classes : regression, sizeof s->d);
    s->net = (lnt_layers){.net = {.depth = name == 'N' ? 2 : 1, .width = s->widths, .activation = LNT_TANH},
                          .output = name == 'M' ? LNT_TANH : LNT_LINEAR};
    s->likelihood = (lnt_likelihood){.kind = name == 'C' ? LNT_BERNOULLI : LNT_GAUSSIAN, .n = 5, .d = s->d, .beta = 25};
    s->prior = (lnt_prior){.groups = 1, .alpha = &s->alpha};
    lnt_mat X = lnt_mat_view((double *)(uintptr_t)five, 1, 5);
    check_status(ctx, lnt_network_density(ctx, &s->density, &s->net, X, &s->likelihood, &s->prior, hyper), LNT_OK);
}

static void evidence_by_quadrature(void **state)
{
    lnt_ctx *ctx = *state;
    small s;
    double sum[2] = {0}, g[2], step = 0.01;
    for (int c = 0; c < 2; c++) {
        make_small(ctx, &s, c ? 'C' : 'M', NULL);
        for (int i = -800; i <= 800; i++)
            sum[c] += step * exp(value(&s.density, &(double){i * step}, g));
    }
    check_near(log(sum[0]), 1.35756310, 1e-8, "log evidence of M");
    check_near(log(sum[1]), -2.46292607, 1e-8, "log evidence of C");
    make_small(ctx, &s, 'N', NULL);
    double both = 0;
    for (int i = -800; i <= 800; i++)
        for (int j = -160; j <= 160; j++)
            both += 0.01 * 0.05 * exp(value(&s.density, (double[]){0.01 * i, 0.05 * j}, g));
    check_near(log(both), 0.06745745, 1e-7, "log evidence of N");
}

static double magnitude(const double *q, double logp, const void *user)
{
    (void)logp, (void)user;
    return fabs(q[0]);
}

static double at_one(const double *q, double logp, const void *user)
{
    double f = q[1] * tanh(q[0]);
    (void)logp;
    return user ? f * f : f;
}

static void posteriors_of_small_networks(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    lnt_mat starts = random_matrix(ctx, 2, 4, &rng), one = random_matrix(ctx, 1, 4, &rng);
    const double mean[] = {0.91003842, 1.13199695}, sd[] = {0.29966058, 0.68999992};
    small s;
    int w = 0;
    for (int c = 0; c < 2; c++)
        for (int kind = 0; kind < 2; kind++) {
            make_small(ctx, &s, c ? 'C' : 'M', NULL);
            lnt_sample_opts o = quick(4, 300, 10000);
            o.kind = (lnt_sampler)kind;
            o.max_length = 5;
            draws d = sample(ctx, &s.density, &o, one);
            check_mean(&d, coordinate, &w, mean[c], "mean of w");
            check_mean(&d, square, &w, mean[c] * mean[c] + sd[c] * sd[c], "square of w");
        }
    make_small(ctx, &s, 'N', NULL); /* two modes, joined by a narrow neck */
    lnt_sample_opts o = quick(4, 500, 10000);
    o.target = 0.95;
    draws d = sample(ctx, &s.density, &o, starts);
    check_mean(&d, at_one, NULL, 0.65495483, "f(1)");
    check_mean(&d, at_one, &w, 0.65495483 * 0.65495483 + 0.11255369 * 0.11255369, "square of f(1)");
    check_mean(&d, magnitude, NULL, 0.87699660, "|w|");
}

/* f = w x with alpha and beta drawn: w integrates out, the rest on a grid. */
static void drawn_precisions(void **state)
{
    lnt_ctx *ctx = *state;
    small s;
    lnt_hyper hyper = {true, true, {3, 2}, {2, 0.1}};
    make_small(ctx, &s, 'C', NULL);
    s.likelihood.kind = LNT_GAUSSIAN;
    s.likelihood.beta = 1;
    const double d[] = {-0.9, -0.7, 0.1, 0.6, 1};
    memcpy(s.d, d, sizeof d);
    lnt_mat X = lnt_mat_view((double *)(uintptr_t)five, 1, 5), starts = zeros(ctx, 3, 4);
    check_status(ctx, lnt_network_density(ctx, &s.density, &s.net, X, &s.likelihood, &s.prior, &hyper), LNT_OK);
    double xx = 10, xd = 1.8 + 0.7 + 0.6 + 2, dd = 0.81 + 0.49 + 0.01 + 0.36 + 1, sum[4] = {0}, step = 0.05;
    for (double a = -8; a < 5; a += step)
        for (double b = -6; b < 8; b += step) {
            double alpha = exp(a), beta = exp(b), A = alpha + beta * xx, w = beta * xd / A;
            double weight = exp(3 * a - 2 * alpha + 2 * b - 0.1 * beta + 0.5 * a + 2.5 * b - 0.5 * log(A) -
                                0.5 * (beta * dd - A * w * w));
            sum[0] += weight;
            sum[1] += weight * w;
            sum[2] += weight * a;
            sum[3] += weight * b;
        }
    lnt_sample_opts o = quick(4, 400, 8000);
    o.dense = true;
    draws drawn = sample(ctx, &s.density, &o, starts);
    for (int i = 0; i < 3; i++)
        check_mean(&drawn, coordinate, &i, sum[i + 1] / sum[0], "w, log alpha, log beta");
}

/* ---- Failures ---- */

static lnt_status make_and_sample(lnt_ctx *ctx, void *user)
{
    small *s = user;
    lnt_density density;
    lnt_status status = lnt_network_density(ctx, &density, &s->net, lnt_mat_view((double *)(uintptr_t)five, 1, 5),
                                            &s->likelihood, &s->prior, NULL);
    double q = 1, g, lp;
    if (status == LNT_OK)
        density.logp(lnt_mat_view(&q, 1, 1), &lp, lnt_mat_view(&g, 1, 1), density.user);
    return status;
}

static void bad_arguments(void **state)
{
    lnt_ctx *ctx = *state;
    small s;
    lnt_density density;
    lnt_hyper hyper = {.alpha = true, .alpha_prior = {0, 1}};
    make_small(ctx, &s, 'M', NULL);
    double x[5] = {1, NAN};
    lnt_mat X = lnt_mat_view((double *)(uintptr_t)five, 1, 5);
    check_failure(ctx, lnt_network_density(ctx, &density, &s.net, lnt_mat_view(x, 5, 1), &s.likelihood, &s.prior, NULL),
                  LNT_ESHAPE, "inputs");
    check_failure(ctx, lnt_network_density(ctx, &density, &s.net, lnt_mat_view(x, 1, 4), &s.likelihood, &s.prior, NULL),
                  LNT_EDOMAIN, "finite");
    check_failure(ctx, lnt_network_density(ctx, &density, &s.net, lnt_mat_view(x, 1, 1), &s.likelihood, &s.prior, NULL),
                  LNT_ESHAPE, "");
    check_failure(ctx, lnt_network_density(ctx, &density, &s.net, X, &s.likelihood, &s.prior, &hyper), LNT_EDOMAIN,
                  "Gamma");
    s.alpha = -1;
    check_failure(ctx, lnt_network_density(ctx, &density, &s.net, X, &s.likelihood, &s.prior, NULL), LNT_EDOMAIN, "");
    s.likelihood.kind = LNT_CATEGORICAL;
    s.likelihood.classes = 5;
    check_failure(ctx, lnt_network_density(ctx, &density, &s.net, X, &s.likelihood, &s.prior, NULL), LNT_ESHAPE,
                  "classes");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    lnt_ctx *ctx = lnt_ctx_new();
    small s;
    make_small(ctx, &s, 'M', NULL);
    lnt_ctx_free(ctx);
    check_allocations(make_and_sample, &s, LNT_OK, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(agrees_with_the_general_posterior),
                                       WITH_CTX(activations_are_accurate),
                                       WITH_CTX(extremes),
                                       WITH_CTX(hyper_gradients),
                                       WITH_CTX(evidence_by_quadrature),
                                       WITH_CTX(posteriors_of_small_networks),
                                       WITH_CTX(drawn_precisions),
                                       WITH_CTX(bad_arguments),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
