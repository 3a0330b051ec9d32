/* What ridge regression on another number of rows would do, from the rows at hand alone.
 *
 * For rows x = C^{1/2} z with many independent z, ridge on n rows, min 1/(2n) |y - X S|^2 + lambda/2 |S|^2, depends on
 * the population through the effective ridge kappa alone, with L_i = s_i/(s_i + kappa) over the population's
 * eigenvalues s_i (Canatar et al. 2021, Simon et al. 2023, see lnt_ridge_risk_predict()):
 *
 *     lambda = kappa (n - c - sum L_i)/n,    test = n (b(kappa) + s2)/(n - c - sum L_i^2),
 *
 * c = 1 with an intercept, else 0; b is the bias. The population is not known; but N rows with the same kappa have the
 * same sum L_i, which is the trace df of their hat matrix, the same sum L_i^2 = df + kappa d df/d kappa, and the same b
 * + s2, and their test error is estimated by generalised cross-validation, N |r|^2/(N - c - df)^2 (Golub et al. 1979;
 * that it holds for given rows: Wei et al. 2022). So, with the eigenvalues x_i > 0 of the centred rows' covariance
 * X'X/N, the targets' mean squares p_i along them and p_0 outside, and lambda_N the ridge at which the N rows have that
 * kappa,
 *
 *     M = N - c - rank, F = M + lambda_N sum 1/(x_i + lambda_N), B = M + lambda_N^2 sum 1/(x_i + lambda_N)^2,
 *     rss = p_0 + lambda_N^2 sum p_i/(x_i + lambda_N)^2,    kappa = lambda_N N/F,
 *     lambda = kappa (n - N + F)/n,    test = rss N n/((n - N) B + F^2).
 *
 * No noise variance, no coefficients and no eigenvalues of the population are estimated. At n = N test is the GCV of
 * lambda. Where N = rank + c, kappa has a least value that N rows can show, and small ridges on more rows are out of
 * reach.
 *
 * Accuracy: that of rss, which for Gaussian rows, whose p_i are independent with standard deviations of sqrt 2 times
 * their means, fluctuates by
 *
 *     (se/test)^2 = [2/3 sum a_i^4 p_i^2 + 2 p_0^2/M]/rss^2,   a_i = lambda_N/(x_i + lambda_N):
 *
 * sqrt(2/N) at best, and much more where few of the smallest eigenvalues have all the weight, as near lambda_N = 0 for
 * N = rank + c. For several targets se is too large rather than too small. */
#ifndef LINNET_SAMPLE_RISK_H
#define LINNET_SAMPLE_RISK_H

#include "linnet/mat.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_ridge_sample {
    int n;               /* N */
    bool centred;        /* means of features and targets were taken off: c = 1 */
    int rank;            /* number of eigenvalues */
    const double *x;     /* the eigenvalues, > 0 */
    const double *power; /* p_i = (u_i.y)^2/N, u_i the left singular vectors; summed over several targets */
    double rest;         /* p_0 = |y|^2/N - sum p_i; not used where N - c = rank */
} lnt_ridge_sample;

typedef struct lnt_ridge_forecast {
    double n, lambda;
    double test, se;       /* NaN where it cannot be said */
    double kappa, freedom; /* sum L_i */
    double same;           /* lambda_N */
} lnt_ridge_forecast;

/* The mean squared error on new rows after ridge regression on n > c rows (any real number) at lambda >= 0. By
 * bisection for lambda_N, to 1e-13; 100 passes over the spectrum. LNT_EINVAL for numbers out of range. */
LNT_API lnt_status lnt_ridge_forecast_at(lnt_ctx *ctx, lnt_ridge_forecast *forecast, const lnt_ridge_sample *sample,
                                         double n, double lambda);
/* The same at the lambda where the forecast is least among those whose se/test is at most 3/2 of the least there is:
 * lower forecasts of less certainty are chance. To 1e-6 of lambda: on a grid of lambda_N, 20 a decade from 1e-12 to 1e6
 * of the largest eigenvalue, then by golden section. */
LNT_API lnt_status lnt_ridge_forecast_best(lnt_ctx *ctx, lnt_ridge_forecast *forecast, const lnt_ridge_sample *sample,
                                           double n);

#ifdef __cplusplus
}
#endif
#endif
