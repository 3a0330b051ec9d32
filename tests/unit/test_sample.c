/* What chains draw, against distributions that are known. Statistical tests have fixed seeds, so they cannot fail by
 * chance from run to run; a seed that was picked blindly would fail each comparison with probability 1e-4. */
#include "sample.h"

#define SEED 71

static double normal_below(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

/* One coordinate below a level. */
typedef struct level {
    int i;
    double at;
} level;

static double below(const double *q, double logp, const void *user)
{
    const level *l = user;
    (void)logp;
    return q[l->i] < l->at;
}

static void check_normal(const draws *d, int i, double mean, double sd)
{
    check_mean(d, coordinate, &i, mean, "mean");
    check_mean(d, square, &i, mean * mean + sd * sd, "square");
    for (int z = -1; z <= 2; z += 3) {
        level l = {i, mean + z * sd};
        check_mean(d, below, &l, normal_below(z), "share below a quantile");
    }
}

static double minus_logp(const double *q, double logp, const void *user)
{
    (void)q, (void)user;
    return -logp;
}

/* Variances over six orders of magnitude, unknown to the sampler. */
static void gaussians_of_any_size(void **state)
{
    lnt_ctx *ctx = *state;
    const int sizes[] = {1, 10, 200};
    for (int run = 0; run < 9; run++) {
        int k = sizes[run % 3];
        double s[200], mean[200];
        for (int i = 0; i < k; i++) {
            s[i] = pow(10, -3.0 * i / (k > 1 ? k - 1 : 1));
            mean[i] = i % 7;
        }
        gauss t = {.k = k, .mean = mean, .s = s};
        lnt_density density = density_of(&t, 4);
        lnt_sample_opts o = quick(4, k > 10 ? 400 : 500, k > 10 ? 250 : 1000);
        o.dense = run / 3 == 1;
        o.kind = run / 3 == 2 ? LNT_HMC : LNT_NUTS;
        if (o.dense && k > 10)
            continue;
        lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
        draws d = sample(ctx, &density, &o, random_matrix(ctx, k, 4, &rng));
        assert_int_equal(d.divergences, 0);
        for (int i = 0; i < k; i += 1 + k / 10)
            check_normal(&d, i, mean[i], s[i]);
        check_mean(&d, minus_logp, NULL, 0.5 * k, "minus log density");
        double share = d.accept / (double)(d.chains * d.count);
        if (!(share > 0.7 && share < 0.98))
            fail_msg("k = %d: mean acceptance %g for a target of .8", k, share);
    }
}

/* Condition 1e6 in directions across the coordinates: only a full matrix can adapt to them. */
static void correlated_gaussians(void **state)
{
    lnt_ctx *ctx = *state;
    enum { K = 8 };
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    lnt_mat U = zeros(ctx, K, K), P = zeros(ctx, K, K), S = zeros(ctx, K, K), V = zeros(ctx, K, K);
    check_status(ctx, lnt_rng_orthogonal(ctx, U, &rng), LNT_OK);
    for (int sign = -1; sign <= 1; sign += 2) {
        lnt_mat_copy(V, U);
        for (int j = 0; j < K; j++)
            lnt_mat_scale(lnt_columns(V, j, 1), pow(10, sign * 3.0 * j / (K - 1)));
        lnt_gemm(sign > 0 ? P : S, 1, LNT_N, V, LNT_T, V, 0);
    }
    gauss t = {.k = K, .P = P};
    lnt_density density = density_of(&t, 2);
    lnt_sample_opts o = quick(4, 600, 1000);
    o.dense = true;
    draws d = sample(ctx, &density, &o, random_matrix(ctx, K, 4, &rng));
    assert_int_equal(d.divergences, 0);
    for (int i = 0; i < K; i++)
        check_normal(&d, i, 0, sqrt(*lnt_at(S, i, i)));
    if (!(d.leapfrogs < 15 * 4000L))
        fail_msg("%ld steps for 4000 draws: the metric is not adapted", d.leapfrogs);
}

/* x ~ N(0, 1), y ~ N(x^2 - 1, 1). */
static int banana(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    (void)user;
    for (int j = 0; j < Q.cols; j++) {
        double x = *lnt_at(Q, 0, j), r = *lnt_at(Q, 1, j) - x * x + 1;
        lp[j] = -0.5 * x * x - 0.5 * r * r;
        *lnt_at(G, 0, j) = -x + 2 * r * x;
        *lnt_at(G, 1, j) = -r;
    }
    return 0;
}

static double banana_below(double y)
{
    double sum = 0, step = 0.01;
    for (int i = -1000; i <= 1000; i++)
        sum += step * exp(-0.5 * i * i * step * step) * normal_below(y - i * i * step * step + 1);
    return sum / sqrt(2 * 3.14159265358979323846);
}

static void a_banana(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_density density = {.k = 2, .width = 3, .logp = banana};
    for (int dense = 0; dense < 2; dense++) {
        lnt_sample_opts o = quick(4, 500, 4000);
        o.dense = dense;
        o.target = 0.95;
        lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
        draws d = sample(ctx, &density, &o, random_matrix(ctx, 2, 4, &rng));
        check_normal(&d, 0, 0, 1);
        int y = 1;
        check_mean(&d, coordinate, &y, 0, "mean of y");
        check_mean(&d, square, &y, 3, "square of y");
        for (double at = -1; at <= 2; at += 1) {
            level l = {1, at};
            check_mean(&d, below, &l, banana_below(at), "share of y below");
        }
    }
}

/* Neal's funnel: v ~ N(0, 3^2), x_i ~ N(0, e^v); or, not centred, x_i = e^(v/2) z_i in coordinates (v, z). */
static int funnel(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    bool centred = *(bool *)user;
    for (int j = 0; j < Q.cols; j++) {
        double v = *lnt_at(Q, 0, j), sum = 0, c = centred ? exp(-v) : 1;
        for (int i = 1; i < Q.rows; i++) {
            double x = *lnt_at(Q, i, j);
            sum += c * x * x;
            *lnt_at(G, i, j) = -c * x;
        }
        lp[j] = -v * v / 18 - 0.5 * sum - (centred ? 0.5 * v * (Q.rows - 1) : 0);
        *lnt_at(G, 0, j) = -v / 9 + (centred ? 0.5 * sum - 0.5 * (Q.rows - 1) : 0);
    }
    return 0;
}

static void a_funnel_diverges_unless_it_is_straightened(void **state)
{
    lnt_ctx *ctx = *state;
    bool centred = true;
    lnt_density density = {.k = 10, .width = 2, .logp = funnel, .user = &centred};
    lnt_sample_opts o = quick(4, 400, 1000);
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    lnt_mat starts = random_matrix(ctx, 10, 4, &rng);
    draws d = sample(ctx, &density, &o, starts);
    assert_true(d.divergences > 0 && !trusted(ctx, &d));
    centred = false;
    d = sample(ctx, &density, &o, starts);
    assert_true(d.divergences == 0 && trusted(ctx, &d));
    check_normal(&d, 0, 0, 3);
}

/* x > 0 with density e^(-x^2/2), 0 elsewhere: paths that leave it are cut off, and the draws are right. */
static int half_normal(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    (void)user;
    for (int j = 0; j < Q.cols; j++) {
        double x = *lnt_at(Q, 0, j);
        lp[j] = x > 0 ? -0.5 * x * x : -INFINITY;
        *lnt_at(G, 0, j) = x > 0 ? -x : NAN;
    }
    return 0;
}

static void an_edge_of_the_density(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_density density = {.k = 1, .width = 3, .logp = half_normal};
    for (int kind = 0; kind < 2; kind++) {
        lnt_sample_opts o = quick(4, 300, 8000);
        o.kind = (lnt_sampler)kind;
        o.max_length = 5;
        lnt_mat starts = zeros(ctx, 1, 4);
        lnt_mat_fill(starts, 1);
        draws d = sample(ctx, &density, &o, starts);
        int i = 0;
        level l = {0, 0.5};
        assert_true(d.divergences > 100);
        check_mean(&d, coordinate, &i, sqrt(2 / 3.14159265358979323846), "mean");
        check_mean(&d, square, &i, 1, "square");
        check_mean(&d, below, &l, 2 * normal_below(0.5) - 1, "share below .5");
    }
}

/* ---- One transition leaves the distribution alone ---- */

static int exact_banana(double *q, int chain, int attempt, lnt_rng *rng, void *user)
{
    (void)chain, (void)attempt, (void)user;
    q[0] = lnt_rng_normal(rng);
    q[1] = q[0] * q[0] - 1 + lnt_rng_normal(rng);
    return 0;
}

#define CELLS 10

/* 99 degrees of freedom: above 161 with probability 1e-4. */
static double chi_square(const draws *d)
{
    long count[CELLS][CELLS] = {{0}};
    for (int c = 0; c < d->chains; c++) {
        const double *q = d->q + 2 * (size_t)c;
        double u = normal_below(q[0]), v = normal_below(q[1] - q[0] * q[0] + 1);
        count[(int)fmin(CELLS - 1, u * CELLS)][(int)fmin(CELLS - 1, v * CELLS)]++;
    }
    double sum = 0, expected = (double)d->chains / (CELLS * CELLS);
    for (int i = 0; i < CELLS * CELLS; i++)
        sum += pow((double)count[i / CELLS][i % CELLS] - expected, 2) / expected;
    return sum;
}

/* With steps so large that energies differ by far: any error in weights, directions or acceptance shows. */
static void one_transition_keeps_exact_draws_exact(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_density density = {.k = 2, .width = 50, .logp = banana};
    double metric[] = {1, 0.4, 0.4, 2};
    for (int run = 0; run < 4; run++) {
        lnt_sample_opts o = quick(40000, 0, 1);
        o.step = run % 2 ? 0.3 : 0.8;
        o.kind = run < 2 ? LNT_NUTS : LNT_HMC;
        o.dense = run % 2;
        o.metric = run % 2 ? lnt_mat_view(metric, 2, 2) : (lnt_mat){0};
        lnt_mat s = new_state(ctx, &density, &o);
        draws d = draws_of(ctx, 2, &o);
        check_status(ctx, lnt_chains_start(ctx, s, &density, &o, exact_banana, NULL), LNT_OK);
        check_status(ctx, lnt_sample(ctx, s, &density, &o, keep_draw, &d), LNT_OK);
        double chi = chi_square(&d);
        if (getenv("LINNET_SHOW"))
            fprintf(stderr, "%d: chi^2 %g, accept %g, steps %g\n", run, chi, d.accept / o.chains,
                    (double)d.leapfrogs / o.chains);
        if (!(chi < 161))
            fail_msg("run %d: chi^2 = %g of 99 degrees of freedom (seed %d)", run, chi, SEED);
    }
}

/* A step changes the energy by O(eps^3): an eighth at half the step. */
static void energy_errors_are_of_second_order(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_density density = {.k = 2, .width = 50, .logp = banana};
    double rejected[2];
    for (int half = 0; half < 2; half++) {
        lnt_sample_opts o = quick(4000, 0, 1);
        o.kind = LNT_HMC;
        o.max_length = 1;
        o.step = half ? 0.01 : 0.02;
        lnt_mat s = new_state(ctx, &density, &o);
        draws d = draws_of(ctx, 2, &o);
        check_status(ctx, lnt_chains_start(ctx, s, &density, &o, exact_banana, NULL), LNT_OK);
        check_status(ctx, lnt_sample(ctx, s, &density, &o, keep_draw, &d), LNT_OK);
        rejected[half] = 1 - d.accept / o.chains;
    }
    if (!(fabs(rejected[0] / rejected[1] - 8) < 0.4))
        fail_msg("1 - acceptance falls from %g to %g", rejected[0], rejected[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(gaussians_of_any_size),
                                       WITH_CTX(correlated_gaussians),
                                       WITH_CTX(a_banana),
                                       WITH_CTX(a_funnel_diverges_unless_it_is_straightened),
                                       WITH_CTX(an_edge_of_the_density),
                                       WITH_CTX(one_transition_keeps_exact_draws_exact),
                                       WITH_CTX(energy_errors_are_of_second_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
