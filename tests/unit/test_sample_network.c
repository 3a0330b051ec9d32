/* The posterior of a network as a density: against the general log posterior, differences, and quadrature. */
#include "sample.h"

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
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(agrees_with_the_general_posterior)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
