#include "check.h"

#include "linnet/linalg.h"
#include "linnet/sample_risk.h"
#include "linnet/spectrum.h"

#define SEED 9
enum { MOST = 400 };

/* Rows with the given population variances, and targets with coefficients T and noise: their spectrum. */
typedef struct rows {
    double x[MOST], power[MOST];
    lnt_ridge_sample sample;
} rows;

static void draw(lnt_ctx *ctx, rows *r, int N, int D, const double *variance, const double *T, double noise, int run)
{
    lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)run, LNT_FOR_TESTS);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat X, U, VT;
    int k = N < D ? N : D, rank = N < D ? N : D;
    double *y = lnt_alloc(ctx, (size_t)N, sizeof *y), total = 0;
    assert_int_equal(lnt_mat_alloc(ctx, &X, N, D), LNT_OK);
    assert_int_equal(lnt_mat_alloc(ctx, &U, N, k), LNT_OK);
    assert_int_equal(lnt_mat_alloc(ctx, &VT, k, D), LNT_OK);
    for (int i = 0; i < N; i++) {
        y[i] = noise * lnt_rng_normal(&rng);
        for (int j = 0; j < D; j++) {
            *lnt_at(X, i, j) = sqrt(variance[j]) * lnt_rng_normal(&rng);
            y[i] += T[j] * *lnt_at(X, i, j);
        }
        total += y[i] * y[i] / N;
    }
    assert_int_equal(lnt_svd(ctx, U, r->x, VT, X), LNT_OK);
    for (int i = 0; i < rank; i++) {
        double c = 0;
        for (int j = 0; j < N; j++)
            c += *lnt_at(U, j, i) * y[j];
        r->x[i] *= r->x[i] / N;
        r->power[i] = c * c / N;
        total -= r->power[i];
    }
    r->sample = (lnt_ridge_sample){N, false, rank, r->x, r->power, fmax(total, 0)};
    lnt_ctx_reset(ctx, mark);
}

static void make_population(double *variance, double *T, int D)
{
    for (int j = 0; j < D; j++) {
        variance[j] = pow(j + 1, -0.6);
        T[j] = (j % 3 - 1) / sqrt(D);
    }
}

/* At n = N: generalised cross-validation, by its definition. */
static void same_number_of_rows(void **state)
{
    lnt_ctx *ctx = *state;
    double variance[90], T[90];
    make_population(variance, T, 90);
    for (int D = 20; D <= 90; D += 70)
        for (int centred = 0; centred < 2; centred++) {
            rows r;
            draw(ctx, &r, 60, D, variance, T, 0.5, D);
            r.sample.centred = centred;
            r.sample.rank -= centred && D > 60;
            for (double lambda = 1e-3; lambda < 100; lambda *= 10) {
                lnt_ridge_forecast f;
                double df = centred, rss = r.sample.n - centred > r.sample.rank ? r.sample.rest : 0;
                for (int i = 0; i < r.sample.rank; i++) {
                    double a = lambda / (r.x[i] + lambda);
                    df += 1 - a;
                    rss += r.power[i] * a * a;
                }
                assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, 60, lambda), LNT_OK);
                check_near(f.test, rss / pow(1 - df / 60, 2), 1e-10, "gcv");
                check_near(f.same, lambda, 1e-10, "lambda of all rows");
                check_near(f.kappa, lambda / (1 - df / 60), 1e-10, "kappa");
            }
        }
}

/* The mean over many samples is the risk of the population, on fewer rows and on more, for fewer features than rows and
 * for more. 300 samples: five standard errors and 2 % of finite size. */
static void right_on_average(void **state)
{
    lnt_ctx *ctx = *state;
    enum { SAMPLES = 300 };
    const int features[2] = {40, 120};
    for (int c = 0; c < 2; c++) {
        int N = 80, D = features[c];
        double variance[120], T[120], sum[3] = {0}, squares[3] = {0}, n[3] = {30, 80, 240};
        make_population(variance, T, D);
        const lnt_population population = {D, variance, T, 0.25};
        for (int k = 0; k < SAMPLES; k++) {
            rows r;
            draw(ctx, &r, N, D, variance, T, 0.5, 1000 * c + k);
            for (int i = 0; i < 3; i++) {
                lnt_ridge_forecast f;
                assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, n[i], 0.2), LNT_OK);
                sum[i] += f.test / SAMPLES;
                squares[i] += f.test * f.test / SAMPLES;
            }
        }
        for (int i = 0; i < 3; i++) {
            lnt_ridge_risk risk;
            double se = sqrt((squares[i] - sum[i] * sum[i]) / SAMPLES);
            assert_int_equal(lnt_ridge_risk_predict(ctx, &risk, &population, n[i], 0.2), LNT_OK);
            check_near(sum[i], risk.test, (5 * se + 0.02 * risk.test) / risk.test, "mean forecast");
        }
    }
}

/* Its own standard error is that of the samples, within a third. */
static void standard_error(void **state)
{
    lnt_ctx *ctx = *state;
    enum { SAMPLES = 200 };
    double variance[120], T[120], sum = 0, squares = 0, se = 0;
    make_population(variance, T, 120);
    for (int k = 0; k < SAMPLES; k++) {
        rows r;
        lnt_ridge_forecast f;
        draw(ctx, &r, 80, 120, variance, T, 0.5, 5000 + k);
        assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, 160, 0.5), LNT_OK);
        sum += f.test / SAMPLES;
        squares += f.test * f.test / SAMPLES;
        se += f.se / SAMPLES;
    }
    check_near(se / sqrt(squares - sum * sum), 1, 0.33, "standard error");
}

/* The best is no worse than any as certain on a fine grid, and no less certain than it may be. */
static void best(void **state)
{
    lnt_ctx *ctx = *state;
    double variance[120], T[120];
    make_population(variance, T, 120);
    for (int D = 20; D <= 120; D += 50)
        for (double n = 25; n < 400; n *= 2) {
            rows r;
            lnt_ridge_forecast b, f;
            draw(ctx, &r, 60, D, variance, T, 0.5, D);
            assert_int_equal(lnt_ridge_forecast_best(ctx, &b, &r.sample, n), LNT_OK);
            assert_true(b.lambda >= 0 && b.test > 0 && b.se > 0);
            for (double lambda = 1e-4; lambda < 1e4; lambda *= 1.3) {
                assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, n, lambda), LNT_OK);
                if (isfinite(f.test) && f.se / f.test <= b.se / b.test)
                    assert_true(f.test >= b.test * (1 - 1e-9));
            }
            assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, n, b.lambda), LNT_OK);
            check_near(f.test, b.test, 1e-9, "the same at that lambda");
        }
}

static void limits(void **state)
{
    lnt_ctx *ctx = *state;
    double variance[90], T[90];
    rows r;
    lnt_ridge_forecast f;
    make_population(variance, T, 90);
    draw(ctx, &r, 60, 90, variance, T, 0.5, 1);
    assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, 600, 0), LNT_OK); /* beyond what 60 rows can show */
    assert_true(isnan(f.test) && isnan(f.kappa) && f.lambda == 0);
    assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, 60, 0), LNT_OK); /* least norm */
    assert_true(isfinite(f.test) && f.test > 0);
    assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, 20, 0), LNT_OK);
    assert_true(isfinite(f.test) && f.test > 0);
    assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, 60, 1e12), LNT_OK); /* nothing is learned */
    double y2 = 0;
    for (int i = 0; i < 60; i++)
        y2 += r.power[i];
    check_near(f.test, y2, 1e-8, "no features");
    draw(ctx, &r, 60, 20, variance, T, 0.5, 2);
    assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &r.sample, 600, 0), LNT_OK); /* least squares */
    check_near(f.test, r.sample.rest * 60 / 40. * 600 / 580., 1e-9, "least squares");
}

static void refused(void **state)
{
    lnt_ctx *ctx = *state;
    double x[2] = {1, 0.5}, power[2] = {1, 1};
    lnt_ridge_forecast f;
    lnt_ridge_sample good = {10, true, 2, x, power, 1}, bad = good;
    const double rows_of[] = {0, 1, -3, NAN, INFINITY}, lambdas[] = {-1, NAN, INFINITY};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &good, rows_of[i], 1), LNT_EINVAL);
        assert_int_equal(lnt_ridge_forecast_best(ctx, &f, &good, rows_of[i]), LNT_EINVAL);
        lnt_ctx_clear(ctx);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(lnt_ridge_forecast_at(ctx, &f, &good, 5, lambdas[i]), LNT_EINVAL);
    bad.rank = 0;
    assert_int_equal(lnt_ridge_forecast_best(ctx, &f, &bad, 5), LNT_EINVAL);
    bad.rank = 2, bad.n = 2;
    assert_int_equal(lnt_ridge_forecast_best(ctx, &f, &bad, 5), LNT_EINVAL);
    lnt_ctx_clear(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(same_number_of_rows),
                                       WITH_CTX(right_on_average),
                                       WITH_CTX(standard_error),
                                       WITH_CTX(best),
                                       WITH_CTX(limits),
                                       WITH_CTX(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
