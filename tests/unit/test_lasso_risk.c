/* The lasso in the limit of many features: state evolution against quadrature, identities and simulations; the boundary
 * of exact recovery. */
#include "check.h"

#define SEED 31

static lnt_lasso_risk predict(lnt_ctx *ctx, lnt_lasso_student s)
{
    lnt_lasso_risk risk;
    check_status(ctx, lnt_lasso_risk_predict(ctx, &risk, &s), LNT_OK);
    return risk;
}

/* To the digits given. */
static void check_digits(double value, double expected, double digit, const char *what)
{
    if (!(fabs(value - expected) <= 0.5 * digit))
        fail_msg("%s: %.10g, not %g +- %g", what, value, expected, digit / 2);
}

static void known_numbers(void **state)
{
    static const double known[][3] = {{1e-5, .01275, .6981},
                                      {1e-4, .01308, .6825},
                                      {2e-4, .01401, .6678},
                                      {5e-4, .01776, .6352},
                                      {1.2e-3, .02678, .5879}};
    lnt_lasso_student s = {.features = 1000, .delta = .7, .density = .4, .teacher2 = 1};
    for (int i = 0; i < 5; i++) {
        s.lambda = known[i][0];
        lnt_lasso_risk r = predict(*state, s);
        check_digits(r.gen, known[i][1], 1e-5, "generalisation");
        check_digits(r.active, known[i][2], 1e-4, "active share");
        if (i == 4) {
            check_digits(r.alpha, .85692901, 1e-8, "alpha");
            check_digits(r.tau, .27660193, 1e-8, "tau");
        }
    }
    s.density = 1;
    check_digits(predict(*state, s).gen, .22634, 1e-5, "dense teacher");
    check_digits(predict(*state, s).active, .6538, 1e-4, "dense teacher: active");
    s = (lnt_lasso_student){600, .7, .2, 1, .05, .01};
    check_digits(predict(*state, s).gen, .04437, 1e-5, "noisy");
    check_digits(predict(*state, s).active, .3649, 1e-4, "noisy: active");
}

/* ---- The equations, by quadrature ---- */

static double squares(double y, double m, double theta)
{
    double z = y > theta ? y - theta - m * y : m * y;
    return z * z;
}

/* 5-point Gauss-Legendre on 400 panels. */
static double integrate(double lo, double hi, double m, double theta, double V)
{
    static const double x[] = {0, .5384693101056830910, .9061798459386639928};
    static const double w[] = {.5688888888888888889, .4786286704993664680, .2369268850561890875};
    double sum = 0, half = (hi - lo) / 800;
    for (int p = 0; p < 400; p++)
        for (int k = -2; k <= 2; k++) {
            double y = lo + half * (2 * p + 1 + (k < 0 ? -x[-k] : x[k]));
            sum += half * w[abs(k)] * squares(y, m, theta) * exp(-y * y / (2 * V));
        }
    return sum / sqrt(2 * 3.14159265358979323846 * V);
}

/* E (eta(B + tau Z; theta) - B)^2, B ~ N(0, nu): given Y = B + tau Z, B is N(m Y, nu t/V). */
static double risk_of(double nu, double t, double theta)
{
    double V = nu + t, end = 12 * sqrt(V), edge = fmin(theta, end);
    double sum = integrate(0, edge, nu / V, theta, V);
    if (edge < end) /* beyond: squares() from the other side of the corner */
        sum += integrate(edge, fmax(end, edge + end), nu / V, theta, V);
    return nu * t / V + 2 * sum;
}

static lnt_lasso_student random_student(lnt_rng *rng, int i)
{
    double rho = lnt_rng_uniform(rng);
    return (lnt_lasso_student){.features = 1 + (int)lnt_rng_below(rng, 1000),
                               .delta = i % 7 == 0 ? 1 : exp(lnt_rng_normal(rng)),
                               .density = i % 5 == 0   ? 1
                                          : i % 5 == 1 ? exp(-8 * rho)
                                                       : rho,
                               .teacher2 = exp(lnt_rng_normal(rng)),
                               .noise2 = i % 3 == 0 ? 0 : exp(3 * lnt_rng_normal(rng) - 2),
                               .lambda = exp(3 * lnt_rng_normal(rng) - 5)};
}

static void solves_state_evolution(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int i = 0; i < 150; i++) {
        lnt_lasso_student s = random_student(&rng, i);
        lnt_lasso_risk r = predict(*state, s);
        double t = r.tau * r.tau, theta = r.alpha * r.tau, nu = s.teacher2 / s.density, root = sqrt(s.features);
        double risk = s.density * risk_of(nu, t, theta) + (1 - s.density) * risk_of(0, t, theta);
        check_near(risk / (2 * r.gen), 1, 1e-11, "risk by quadrature");
        check_near((s.noise2 + risk) / (s.delta * t), 1, 1e-11, "first equation");
        double active = s.density * erfc(theta / sqrt(2 * (nu + t))) + (1 - s.density) * erfc(r.alpha / sqrt(2));
        check_near(r.active, active, 1e-12, "active");
        check_near(theta * (1 - active / s.delta) / (s.lambda * root), 1, 1e-11 + 1e-14 / r.alpha, "second equation");
        check_near(r.threshold * root / theta, 1, 1e-14, "threshold");
        double left = 1 - active / s.delta; /* generalised cross-validation is exact */
        check_near(2 * r.train / (left * left) / (2 * r.gen + s.noise2), 1, 1e-11 + 1e-14 / left, "GCV");
    }
}

/* E (eta(u + Z; alpha) - u)^2 and P(eta != 0) for one entry, in units of tau: Simpson's rule between the corners. */
static void entry_means(double *risk, double *active, double u, double alpha)
{
    const double end = 12;
    double corner[] = {-end, fmax(-end, -alpha - u), fmin(end, fmax(-end, alpha - u)), end};
    *risk = *active = 0;
    for (int piece = 0; piece < 3; piece++) {
        double h = (corner[piece + 1] - corner[piece]) / 2000;
        for (int k = 0; k <= 2000; k++) {
            double z = corner[piece] + k * h, error = piece == 1 ? u : z + (piece == 0 ? alpha : -alpha);
            double w =
                h / 3 * (k % 2000 == 0 ? 1 : 2 + 2 * (k % 2)) * exp(-z * z / 2) / sqrt(2 * 3.14159265358979323846);
            *risk += w * error * error;
            *active += piece == 1 ? 0 : w;
        }
    }
}

/* A given teacher: sparse with a gap to 0, so that without noise and for small lambda alpha does not tell tau; dense.
 */
static void solves_for_given_teachers(void **state)
{
    enum { D = 20 };
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    for (int i = 0; i < 60; i++) {
        double T[D] = {0}, root = sqrt(D), risk = 0, active = 0, lambda = pow(10, -1 - i % 5);
        for (int j = 0; j < (i % 3 == 0 ? D : 5); j++)
            T[j] = lnt_rng_normal(&rng);
        lnt_lasso_student s = {.features = D, .delta = .7, .noise2 = i % 2 ? 0 : 1e-3 * (i % 4), .lambda = lambda};
        lnt_lasso_risk r;
        check_status(*state, lnt_lasso_risk_of(*state, &r, &s, T), LNT_OK);
        for (int j = 0; j < D; j++) {
            double e, a;
            entry_means(&e, &a, fabs(root * T[j]) / r.tau, r.alpha);
            risk += r.tau * r.tau * e / D;
            active += a / D;
        }
        check_near(risk / (2 * r.gen), 1, 1e-9, "risk by quadrature");
        check_near((s.noise2 + risk) / (s.delta * r.tau * r.tau), 1, 1e-9, "first equation");
        check_near(r.active, active, 1e-10, "active");
        check_near(r.alpha * r.tau * (1 - r.active / s.delta) / (lambda * root), 1, 1e-9, "second equation");
        check_near(r.train / (lambda * root / r.alpha * lambda * root / r.alpha) * 2 / s.delta, 1, 1e-9, "train");
    }
}

static void scales_with_the_teacher(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int i = 0; i < 60; i++) {
        lnt_lasso_student s = random_student(&rng, i), larger = s;
        double a = exp(20 * lnt_rng_normal(&rng));
        larger.teacher2 *= a * a;
        larger.noise2 *= a * a;
        larger.lambda *= a;
        lnt_lasso_risk r = predict(*state, s), l = predict(*state, larger);
        check_near(l.gen / (a * a) / r.gen, 1, 1e-11, "generalisation");
        check_near(l.threshold / a / r.threshold, 1, 1e-11, "threshold");
        check_near(l.active, r.active, 1e-11, "active");
    }
}

/* ---- Limits ---- */

static void as_lambda_vanishes(void **state)
{
    static const double delta[] = {.3, .7, .8, .999, 1, 1.001, 1.7}, noise[] = {0, 1e-6, .3};
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 3; k++) {
            lnt_lasso_student s = {.features = 1, .delta = delta[i], .density = .4, .teacher2 = 1, .noise2 = noise[k]};
            lnt_lasso_risk zero = predict(*state, s);
            s.lambda = 1e-11;
            lnt_lasso_risk near = predict(*state, s);
            bool recovers = noise[k] == 0 && delta[i] > lnt_recovery_samples(.4);
            if (recovers) {
                assert_true(zero.gen == 0 && zero.tau == 0 && zero.train == 0 && zero.threshold == 0);
                assert_true(near.gen < 1e-18); /* flat: gen falls as lambda^2 */
            } else if (delta[i] == 1) {
                assert_true(isinf(zero.gen) && isinf(zero.tau) && zero.train == 0 && zero.active == 1);
                assert_true(near.gen > 1e3 * noise[k]);
                continue;
            } else if (delta[i] > 1) {
                check_near(2 * zero.gen * (delta[i] - 1) / noise[k], 1, 1e-12, "least squares");
                check_near(2 * zero.train * delta[i] / (delta[i] - 1) / noise[k], 1, 1e-12, "its residual");
                assert_true(zero.active == 1 && zero.threshold == 0);
            } else {
                assert_true(zero.gen > 0 && zero.train == 0);
                check_near(zero.active, delta[i], 1e-12, "interpolates");
            }
            check_near(near.gen, zero.gen, 1e-6, "continuous");
            check_near(near.active, zero.active, 1e-5, "active share is continuous");
            check_near(near.alpha, zero.alpha, 1e-5, "alpha is continuous");
        }
    /* digits survive deep on the flat stretch: l_gen ~ lambda^2 */
    lnt_lasso_student s = {.features = 1, .delta = .8, .density = .4, .teacher2 = 1, .lambda = 1e-9};
    double above = predict(*state, s).gen;
    s.lambda = 1e-12;
    check_near(predict(*state, s).gen * 1e6 / above, 1, 1e-6, "falls as lambda^2");
}

static void at_the_ends(void **state)
{
    lnt_lasso_student s = {.features = 100, .delta = .5, .density = .1, .teacher2 = 4, .noise2 = 1, .lambda = 1e9};
    lnt_lasso_risk r = predict(*state, s);
    check_near(r.gen, 2, 1e-14, "S = 0");
    check_near(r.train, 2.5, 1e-14, "S = 0: training loss");
    check_near(r.threshold, 1e9, 1e-14, "S = 0: threshold");
    assert_true(r.active == 0);
    s.noise2 = 0; /* without teacher and noise: nothing, whichever way it is said */
    s.teacher2 = 0;
    assert_true(predict(*state, s).gen == 0 && predict(*state, s).active == 0 && predict(*state, s).alpha == 0);
    s.teacher2 = 4;
    s.density = 0;
    assert_true(predict(*state, s).train == 0 && predict(*state, s).threshold == 0);
    s.noise2 = 1; /* noise alone: tau^2 (delta - K(alpha)) = s2 */
    s.lambda = .05;
    lnt_lasso_risk noise = predict(*state, s);
    s.density = .7;
    s.teacher2 = 0;
    check_near(predict(*state, s).gen / noise.gen, 1, 1e-14, "no teacher");
    check_near(s.delta * noise.tau * noise.tau - 2 * noise.gen, 1, 1e-12, "noise alone");
    static const double ends[] = {1e-12, 1e-3, 1, 30, 1e8}; /* wherever: finite and consistent */
    for (int i = 0; i < 625; i++) {
        lnt_lasso_student e = {7, ends[i % 5], fmin(1, ends[i / 5 % 5]), 1, ends[i / 25 % 5], ends[i / 125 % 5]};
        lnt_lasso_risk x = predict(*state, e);
        if (!(x.gen >= 0 && x.gen < 1e25 && x.train >= 0 && x.active >= 0 && x.active <= fmin(1, e.delta) + 1e-12))
            fail_msg("delta %g, density %g, noise %g, lambda %g: %g, %g, %g", e.delta, e.density, e.noise2, e.lambda,
                     x.gen, x.train, x.active);
    }
}

static void refuses_what_has_no_meaning(void **state)
{
    const lnt_lasso_student good = {10, .5, .5, 1, 1, 1};
    lnt_lasso_risk r;
    for (int i = 0; i < 12; i++) {
        lnt_lasso_student s = good;
        double *field[] = {&s.delta, &s.density, &s.teacher2, &s.noise2, &s.lambda};
        if (i < 5)
            *field[i] = -1;
        else if (i < 10)
            *field[i - 5] = NAN;
        else if (i == 10)
            s.features = 0;
        else
            s.density = 1.5;
        check_failure(*state, lnt_lasso_risk_predict(*state, &r, &s), LNT_EDOMAIN, i < 2 ? "delta > 0" : "");
    }
}

/* ---- Exact recovery ---- */

static void boundary_of_recovery(void **state)
{
    (void)state;
    check_digits(lnt_recovery_samples(.4), .74974, 1e-5, "M(.4)");
    assert_int_equal((int)(1000 * lnt_recovery_density(.7)), 349);
    for (int i = 1; i < 200; i++) { /* against its definition, by golden section */
        double eps = i / 200.0, lo = 0, hi = 10, best = INFINITY;
        for (int k = 0; k < 80; k++) {
            double z[2] = {hi - .61803398874989485 * (hi - lo), lo + .61803398874989485 * (hi - lo)}, M[2];
            for (int j = 0; j < 2; j++)
                M[j] = eps * (1 + z[j] * z[j]) +
                       (1 - eps) * ((1 + z[j] * z[j]) * erfc(z[j] / sqrt(2)) -
                                    z[j] * sqrt(2 / 3.14159265358979323846) * exp(-z[j] * z[j] / 2));
            *(M[0] < M[1] ? &hi : &lo) = M[0] < M[1] ? z[1] : z[0];
            best = fmin(best, fmin(M[0], M[1]));
        }
        check_near(lnt_recovery_samples(eps), best, 1e-13, "the least over thresholds");
        check_near(lnt_recovery_density(lnt_recovery_samples(eps)), eps, 1e-12, "inverse");
    }
    double tiny = 1e-200;
    check_near(lnt_recovery_density(lnt_recovery_samples(tiny)) / tiny, 1, 1e-12, "inverse of a tiny share");
    assert_true(lnt_recovery_samples(0) == 0 && lnt_recovery_samples(1) == 1);
    assert_true(lnt_recovery_density(0) == 0 && lnt_recovery_density(1) == 1 && lnt_recovery_density(3) == 1);
    assert_true(isnan(lnt_recovery_samples(-.1)) && isnan(lnt_recovery_samples(1.1)) &&
                isnan(lnt_recovery_samples(NAN)) && isnan(lnt_recovery_density(-1)) &&
                isnan(lnt_recovery_density(NAN)));
}

/* min_z J(z) of one normal vector g: J = sum_{i < k} (g_i - z)^2 + sum_{i >= k} (|g_i| - z)_+^2. */
static double least_distance(const double *g, int D, int k)
{
    double lo = 0, hi = 8, J = 0;
    for (int step = 0; step < 45; step++) {
        double z = (lo + hi) / 2, slope = 0;
        for (int i = 0; i < D; i++)
            slope += i < k ? z - g[i] : -fmax(0, fabs(g[i]) - z);
        *(slope > 0 ? &hi : &lo) = z;
    }
    for (int i = 0; i < D; i++) {
        double d = i < k ? g[i] - lo : fmax(0, fabs(g[i]) - lo);
        J += d * d;
    }
    return J;
}

/* The statistical dimension and the variance of the intrinsic volumes, from 20,000 projections: the mean known to
 * 0.06, the shift kappa is about 0.5 to 0.8. Five standard errors: one test in a million fails by chance. */
static void finite_size_of_the_boundary(void **state)
{
    enum { D = 80, DRAWS = 20000 };
    static const int nonzero[] = {4, 15, 40};
    (void)state;
    for (int c = 0; c < 3; c++) {
        lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)(2 + c), LNT_FOR_TESTS);
        double sum = 0, square = 0, g[D];
        for (int r = 0; r < DRAWS; r++) {
            for (int i = 0; i < D; i++)
                g[i] = lnt_rng_normal(&rng);
            double J = least_distance(g, D, nonzero[c]);
            sum += J;
            square += J * J;
        }
        double mean = sum / DRAWS, variance = square / DRAWS - mean * mean, sd = sqrt(variance - 2 * mean);
        lnt_recovery r;
        lnt_recovery_finite(&r, D, nonzero[c]);
        check_near(r.samples, mean, (0.03 + 5 * sqrt(variance / DRAWS)) / mean, "statistical dimension");
        check_near(r.sd / sd, 1, 0.05, "width");
        double shift = D * lnt_recovery_samples((double)nonzero[c] / D) - r.samples;
        assert_true(shift > 0.3 && shift <= 1);
    }
    assert_true(lnt_recovery_probability(10, 5, 0) == 1 && lnt_recovery_probability(10, 10, 10) == 1 &&
                lnt_recovery_probability(10, 5, 6) == 0 && lnt_recovery_probability(100, 60, 2) > 0.999);
}

/* ---- Simulation ---- */

typedef struct sample {
    double gen, train, active;
} sample;

static double soft(double z, double t)
{
    return z > t ? z - t : z < -t ? z + t : 0;
}

/* One lasso by coordinate descent. */
static sample simulate(lnt_ctx *ctx, const lnt_lasso_student *s, int n, lnt_rng *rng)
{
    int D = s->features, k = (int)(s->density * D + .5);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat X = random_matrix(ctx, n, D, rng), S = random_matrix(ctx, D, 1, rng), T = random_matrix(ctx, D, 1, rng);
    lnt_mat r = random_matrix(ctx, n, 1, rng), a = random_matrix(ctx, D, 1, rng);
    lnt_mat_fill(S, 0);
    lnt_mat_fill(lnt_block(T, k, 0, D - k, 1), 0);
    lnt_mat_scale(T, sqrt(s->teacher2 / (s->density * D)));
    lnt_mat_scale(r, sqrt(s->noise2));
    for (int j = 0; j < D; j++) {
        lnt_mat_add(r, T.a[j], lnt_columns(X, j, 1));
        a.a[j] = lnt_mat_dot(lnt_columns(X, j, 1), lnt_columns(X, j, 1)) / n;
    }
    for (int sweep = 0, quiet = 0; sweep < 20000 && !quiet; sweep++) {
        double moved = 0;
        for (int j = 0; j < D; j++) {
            const double *x = lnt_at(X, 0, j);
            double c = 0;
            for (int i = 0; i < n; i++)
                c += x[i] * r.a[i];
            double w = soft(a.a[j] * S.a[j] + c / n, s->lambda) / a.a[j], d = S.a[j] - w;
            moved = fmax(moved, fabs(d));
            for (int i = 0; i < n && d != 0; i++)
                r.a[i] += d * x[i];
            S.a[j] = w;
        }
        quiet = moved < 1e-7;
    }
    sample found = {.train = lnt_mat_dot(r, r) / (2 * n)};
    for (int j = 0; j < D; j++)
        found.active += (S.a[j] != 0) / (double)D;
    lnt_mat_add(S, -1, T);
    found.gen = lnt_mat_dot(S, S) / 2;
    lnt_ctx_reset(ctx, mark);
    return found;
}

/* Means of 24 runs within 3 standard errors and 1/D: nine comparisons, a chance of 1 in 50 at an unlucky seed. */
static void lassos_do_what_theory_says(void **state)
{
    static const lnt_lasso_student students[] = {
        {150, .7, .4, 1, 0, 6e-3}, {150, .7, .2, 1, .05, .02}, {100, 1.5, .3, 1, .3, .02}};
    for (int c = 0; c < 3; c++) {
        const lnt_lasso_student *s = &students[c];
        lnt_lasso_risk r = predict(*state, *s);
        double sum[3] = {0}, square[3] = {0}, expected[] = {r.gen, r.train, r.active};
        for (int run = 0; run < 24; run++) {
            lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)(100 * c + run), LNT_FOR_TASK);
            sample x = simulate(*state, s, (int)(s->delta * s->features + .5), &rng);
            for (int q = 0; q < 3; q++) {
                double v = (&x.gen)[q];
                sum[q] += v / 24;
                square[q] += v * v / 24;
            }
        }
        for (int q = 0; q < 3; q++) {
            double se = sqrt((square[q] - sum[q] * sum[q]) / 23);
            if (!(fabs(sum[q] - expected[q]) < 3 * se + 1.0 / s->features))
                fail_msg("case %d, quantity %d: %.5f +- %.5f, predicted %.5f (seed %d)", c, q, sum[q], se, expected[q],
                         SEED);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(known_numbers),
        WITH_CTX(solves_state_evolution),
        WITH_CTX(solves_for_given_teachers),
        WITH_CTX(scales_with_the_teacher),
        WITH_CTX(as_lambda_vanishes),
        WITH_CTX(at_the_ends),
        WITH_CTX(refuses_what_has_no_meaning),
        WITH_CTX(boundary_of_recovery),
        WITH_CTX(finite_size_of_the_boundary),
        WITH_CTX(lassos_do_what_theory_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
