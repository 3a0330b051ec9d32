#include "check.h"

#include <float.h>

/* Twice the digits, for oracles. */
#if defined(__x86_64__)
__extension__ typedef __float128 quad;
#else
typedef long double quad;
#endif

#define ETA 0.37

/* The recursion itself; z is eta h, which has been rounded once. */
static void recursion(quad *p, quad *g, quad z, quad eta, quad beta, long k)
{
    quad p_last = 1, g_last = 0;
    *p = 1;
    *g = 0;
    for (long i = 0; i < k; i++) {
        quad next = *p + (beta * (*p - p_last) - z * *p), ahead = *g + (beta * (*g - g_last) + eta - z * *g);
        p_last = *p;
        g_last = *g;
        *p = next;
        *g = ahead;
    }
}

static double distance(quad a, quad b)
{
    return (double)(a < b ? b - a : a - b);
}

/* What rounding eta h and beta once more does to p and g: no answer is known better. */
static void uncertainty(double *dp, double *dg, quad p, quad g, double z, double beta, long k)
{
    *dp = *dg = 0;
    for (int i = 0; i < 4; i++) {
        quad up = 1 + (quad)(i % 2 ? DBL_EPSILON : -DBL_EPSILON), q, f;
        recursion(&q, &f, i < 2 ? z * up : z, ETA, i < 2 ? (quad)beta : beta * up, k);
        *dp = fmax(*dp, distance(p, q));
        *dg = fmax(*dg, distance(g, f));
    }
}

static const double some_beta[] = {0, 1e-200, 1e-10, 0.1, 0.5, 0.9, 0.99, 0.9999, 1 - 1e-9};
static const long some_steps[] = {0, 1, 2, 3, 6, 17, 100, 1001, 3000};
enum { BETAS = 9, STEPS = 9, PLACES = 24 };

/* eta h of interest: tiny, on both sides of the double roots, swinging, negative factors, divergence. */
static double place(int i, double beta)
{
    double inner = (1 - sqrt(beta)) * (1 - sqrt(beta)), outer = (1 + sqrt(beta)) * (1 + sqrt(beta));
    const double z[PLACES] = {0,
                              1e-310,
                              1e-100,
                              1e-17,
                              1e-9,
                              1e-4,
                              inner / 2,
                              inner * (1 - 1e-6),
                              inner * (1 - 1e-15),
                              inner,
                              inner * (1 + 1e-15),
                              inner * (1 + 1e-6),
                              0.3,
                              0.999999,
                              1,
                              1 + beta,
                              1.3,
                              outer * (1 - 1e-6),
                              outer * (1 - 1e-15),
                              outer,
                              outer * (1 + 1e-15),
                              (outer + 2 * (1 + beta)) / 2,
                              2 * (1 + beta),
                              2.02 * (1 + beta)};
    return z[i];
}

static void closed_form_is_the_recursion(void **state)
{
    (void)state;
    double worst_p = 0, worst_g = 0;
    for (int b = 0; b < BETAS; b++)
        for (int i = 0; i < PLACES; i++)
            for (int j = 0; j < STEPS; j++) {
                double beta = some_beta[b], h = place(i, beta) / ETA, dp, dg;
                quad p, g;
                lnt_smooth_rule rule = {ETA, beta, h / 3};
                h = h - h / 3 + rule.lambda; /* as rounded inside */
                lnt_response r = lnt_response_at(&rule, h - rule.lambda, (double)some_steps[j]);
                double z = ETA * ((h - rule.lambda) + rule.lambda);
                recursion(&p, &g, z, ETA, beta, some_steps[j]);
                uncertainty(&dp, &dg, p, g, z, beta, some_steps[j]);
                double near_p = 1e-13 * fabs((double)p) + 3 * dp + DBL_MIN, off_p = distance(r.p, p);
                double near_g = 1e-13 * fabs((double)g) + 3 * dg + DBL_MIN, off_g = distance(r.g, g);
                if (!(off_p <= near_p && off_g <= near_g))
                    fail_msg("beta %g, eta h %.17g, step %ld: p %.17g, not %.17g (off by %.2g of what is allowed); "
                             "g %.17g, not %.17g (%.2g)",
                             beta, z, some_steps[j], r.p, (double)p, off_p / near_p, r.g, (double)g, off_g / near_g);
                worst_p = fmax(worst_p, off_p / near_p);
                worst_g = fmax(worst_g, off_g / near_g);
                check_near(r.p + h * r.g, 1, 4e-15 * fmax(1, fabs(r.p)), "p + h g");
            }
    if (getenv("LINNET_MEASURE"))
        print_message("closed forms: p %.2g, g %.2g of what is allowed\n", worst_p, worst_g);
}

/* Where nothing is lost by conditioning: p falling slowly, g small, over a million steps. */
static void slow_modes_keep_all_digits(void **state)
{
    (void)state;
    for (int b = 0; b < BETAS; b++) {
        double beta = some_beta[b], h = 1e-7 * (1 - beta);
        lnt_smooth_rule rule = {ETA, beta, 0};
        const long k = 100000;
        quad p, g;
        recursion(&p, &g, ETA * h, ETA, beta, k);
        lnt_response r = lnt_response_at(&rule, h, (double)k);
        check_near(r.p / (double)p, 1, 2e-14, "slow p");
        check_near(r.g / (double)g, 1, 2e-14, "slow g");
        r = lnt_response_at(&rule, 0, (double)k);
        assert_true(r.p == 1);
        quad sum = 0, step = 0; /* h = 0: steps add up to eta each, and to eta/(1 - beta) with momentum */
        for (long i = 0; i < k; i++) {
            step = beta * step + ETA;
            sum += step;
        }
        check_near(r.g / (double)sum, 1, 2e-14, "g of a direction without data");
    }
}

static void steps_are_the_closed_form(void **state)
{
    lnt_ctx *ctx = *state;
    enum { n = 101 };
    double x[n];
    for (int b = 0; b < BETAS; b++) {
        lnt_smooth_rule rule = {ETA, some_beta[b], 0.01};
        lnt_responses r;
        for (int i = 0; i < n; i++)
            x[i] = 2 * (1 + rule.beta) / ETA * i / n;
        check_status(ctx, lnt_responses_start(ctx, &r, x, n), LNT_OK);
        for (int k = 0; k <= 500; k++) {
            for (int i = 0; i < n; i++) {
                lnt_response a = lnt_response_at(&rule, x[i], k);
                check_near(r.p[i], a.p, 1e-11, "p");
                check_near(r.g[i] * (x[i] + 0.01), a.g * (x[i] + 0.01), 1e-11, "h g");
            }
            lnt_responses_step(&r, &rule);
        }
    }
}

/* A rule that changes on the way, against a plain loop. */
static void steps_may_differ(void **state)
{
    lnt_ctx *ctx = *state;
    double x[1] = {0.7}, S = 2, m = 0, b = 0.3;
    lnt_responses r;
    check_status(ctx, lnt_responses_start(ctx, &r, x, 1), LNT_OK);
    for (int k = 0; k < 50; k++) {
        lnt_smooth_rule rule = {0.1 + 0.01 * (k / 25), 0, 0.1 / (1 + k)};
        m = rule.beta * m + x[0] * S - b + rule.lambda * S;
        S -= rule.eta * m;
        lnt_responses_step(&r, &rule);
        check_near(r.p[0] * 2 + r.g[0] * b, S, 1e-14, "S");
    }
}

static void divergence_is_infinite_and_never_nan(void **state)
{
    lnt_ctx *ctx = *state;
    for (int b = 0; b < 7; b++) {
        double beta = some_beta[b], x[1] = {1}, bound = lnt_stable_step(1, beta, 0);
        lnt_smooth_rule above = {bound * 1.001, beta, 0}, below = {bound * 0.999, beta, 0};
        lnt_responses r;
        check_near(bound, 2 * (1 + beta), 1e-15, "bound");
        assert_true(fabs(lnt_response_at(&above, 1, 1e5).p) > 1e20);
        assert_true(fabs(lnt_response_at(&below, 1, 1e5).p) < 1e-20);
        lnt_response far = lnt_response_at(&above, 1, 1e9), farther = lnt_response_at(&above, 1, 1e9 + 1);
        assert_true(far.p == INFINITY && far.g == -INFINITY && farther.p == -INFINITY && farther.g == INFINITY);
        far = lnt_response_at(&below, 1, 1e9);
        assert_true(far.p == 0 && far.g == 1);
        above.eta = 4 * bound;
        check_status(ctx, lnt_responses_start(ctx, &r, x, 1), LNT_OK);
        for (int k = 0; k < 2001; k++) {
            lnt_responses_step(&r, &above);
            assert_true(!isnan(r.p[0]) && !isnan(r.g[0]) && r.p[0] * r.g[0] < 0);
        }
        assert_true(r.p[0] == -INFINITY && r.g[0] == INFINITY);
    }
}

static void the_flow_is_the_limit_of_small_steps(void **state)
{
    (void)state;
    lnt_smooth_rule flow = {0, 0.7, 0.2};
    lnt_response r = lnt_response_at(&flow, 0.8, 1.5);
    check_near(r.p, exp(-1.5), 1e-15, "p");
    check_near(r.g, 1 - exp(-1.5), 1e-15, "g");
    for (double beta = 0; beta < 1; beta += 0.9) {
        double k = 1e7;
        lnt_smooth_rule rule = {1.5 * (1 - beta) / k, beta, 0.2};
        lnt_response s = lnt_response_at(&rule, 0.8, k);
        check_near(s.p, r.p, 2e-6, "p of small steps");
        check_near(s.g, r.g, 2e-6, "g of small steps");
    }
    flow.lambda = 0;
    r = lnt_response_at(&flow, 0, 1e6);
    assert_true(r.p == 1 && r.g == 1e6);
    check_near(lnt_response_at(&flow, 1e-310, 1e6).g, 1e6, 1e-15, "g of a tiny eigenvalue");
    check_near(lnt_response_at(&flow, 1e-9, 1).g, 1 - 5e-10, 1e-16, "g of a small eigenvalue");
    assert_true(lnt_response_at(&flow, 1, 1e6).p == 0);
}

/* The largest of |r_1|, |r_2| over h in {a, A}. */
static double slowest(const lnt_smooth_rule *rule, double a, double A)
{
    double worst = 0;
    for (int i = 0; i < 2; i++) {
        double m = 1 + rule->beta - rule->eta * (i ? A : a), D = m * m / 4 - rule->beta;
        worst = fmax(worst, D > 0 ? fabs(m) / 2 + sqrt(D) : sqrt(rule->beta));
    }
    return worst;
}

static void tuned_rules_are_the_fastest(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool null_space = i & 1, with_momentum = i & 2;
        double low = 0.04, high = 4.8, lambda = i & 4 ? 0.03 : 0;
        double a = null_space && lambda > 0 ? lambda : low + lambda, A = high + lambda;
        lnt_tuned t = lnt_tune(low, high, null_space, lambda, with_momentum);
        assert_true(t.rule.lambda == lambda && (t.rule.beta > 0) == with_momentum);
        check_near(slowest(&t.rule, a, A), t.rate, with_momentum ? 1e-7 : 1e-14, "rate"); /* a double root */
        for (int j = 0; j < 4; j++) {
            lnt_smooth_rule other = t.rule;
            other.eta *= j == 0 ? 1.01 : j == 1 ? 0.99 : 1;
            other.beta *= j == 2 ? 1.01 : j == 3 ? 0.99 : 1;
            assert_true(j > 1 && !with_momentum ? true : slowest(&other, a, A) > t.rate + 1e-5);
        }
    }
}

/* Marchenko and Pastur's edges at q = 0.7. */
static void known_hyper_parameters(void **state)
{
    (void)state;
    const double q = 0.7, s = sqrt(q), low = 0.03811420990264, high = 4.81902864724022;
    double lambda = lnt_equal_rate_ridge(low, high);
    check_near(lambda, 0.03841806244289, 1e-13, "lambda_R");
    check_near(lnt_tune(low, high, true, 0, false).rule.eta, q / (1 + q), 1e-13, "eta");
    check_near(lnt_tune(low, high, true, lambda, false).rule.eta, 0.40850802, 1e-8, "eta with the ridge");
    check_near(lnt_tune(low, high, true, 0, true).rule.eta, q, 1e-13, "eta with momentum");
    check_near(lnt_tune(low, high, true, lambda, true).rule.eta, 0.69446363, 1e-8, "eta with both");
    for (int with_ridge = 0; with_ridge < 2; with_ridge++) {
        check_near(lnt_tune(low, high, true, with_ridge * lambda, false).rate, 0.98430591, 1e-8, "rate");
        check_near(lnt_tune(low, high, true, with_ridge * lambda, true).rate, s, 1e-13, "rate with momentum");
        check_near(lnt_tune(low, high, true, with_ridge * lambda, true).rule.beta, q, 1e-13, "beta");
    }
    assert_true(isinf(lnt_equal_rate_ridge(2, 2)));
    assert_true(lnt_tune(0, 4, true, 0, false).rate == 1 && lnt_tune(0, 4, true, 0, true).rule.beta == 1);
    assert_true(lnt_tune(3, 3, false, 0, true).rate == 0);
}

static void *no_heap(void *p, size_t bytes)
{
    if (bytes == 0)
        free(p);
    return NULL;
}

static void running_out_of_memory_is_reported(void **state)
{
    lnt_ctx *ctx = *state;
    static double x[1 << 20];
    lnt_responses r;
    lnt_set_heap(no_heap);
    lnt_status status = lnt_responses_start(ctx, &r, x, 1 << 20);
    lnt_set_heap(NULL);
    check_failure(ctx, status, LNT_ENOMEM, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(closed_form_is_the_recursion),
                                       cmocka_unit_test(slow_modes_keep_all_digits),
                                       WITH_CTX(steps_are_the_closed_form),
                                       WITH_CTX(steps_may_differ),
                                       WITH_CTX(divergence_is_infinite_and_never_nan),
                                       cmocka_unit_test(the_flow_is_the_limit_of_small_steps),
                                       cmocka_unit_test(tuned_rules_are_the_fastest),
                                       cmocka_unit_test(known_hyper_parameters),
                                       WITH_CTX(running_out_of_memory_is_reported)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
