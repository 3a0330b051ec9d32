#include "linnet/sample_risk.h"

#include <math.h>

#define LEAST 1e-12 /* of lambda_N on the grid, in units of the largest eigenvalue */
#define MOST 1e6
#define STEPS 360 /* of the grid */

static double largest(const lnt_ridge_sample *s)
{
    double most = 0;
    for (int i = 0; i < s->rank; i++)
        most = fmax(most, s->x[i]);
    return most;
}

/* What n rows do at the kappa of the sample's lambda_N = same > 0; test is NaN where n rows do not reach it. */
static lnt_ridge_forecast forecast(const lnt_ridge_sample *s, double n, double same)
{
    double N = s->n, c = s->centred, M = N - c - s->rank, A = 0, B = 0, P = 0;
    for (int i = 0; i < s->rank; i++) {
        double a = 1 / (s->x[i] + same);
        A += a;
        B += a * a;
        P += s->power[i] * (a * a);
    }
    lnt_ridge_forecast f = {n, NAN, NAN, M > 0 ? same * N / (M + same * A) : N / A, NAN, same};
    double F = M + same * A, left = n - N + F, more = n - N;
    f.freedom = N - c - F;
    f.lambda = f.kappa * left / n;
    if (left < 0)
        return f;
    f.test = M > 0 ? (s->rest + same * same * P) * N * n / (more * (M + same * same * B) + F * F)
                   : P * N * n / (more * B + A * A); /* same^2 cancels */
    return f;
}

static lnt_status check(lnt_ctx *ctx, const lnt_ridge_sample *s, double n)
{
    if (s->rank < 1 || s->n - s->centred < s->rank)
        return lnt_fail(ctx, LNT_EINVAL, "%d rows cannot have a covariance of rank %d", s->n, s->rank);
    if (!(n > s->centred) || !isfinite(n))
        return lnt_fail(ctx, LNT_EINVAL, "ridge on %g rows: more than %d are needed", n, s->centred);
    return LNT_OK;
}

lnt_status lnt_ridge_forecast_at(lnt_ctx *ctx, lnt_ridge_forecast *f, const lnt_ridge_sample *s, double n,
                                 double lambda)
{
    lnt_status status = check(ctx, s, n);
    if (status == LNT_OK && !(lambda >= 0 && isfinite(lambda)))
        return lnt_fail(ctx, LNT_EINVAL, "the penalty is %g: it must be finite and not negative", lambda);
    if (status != LNT_OK)
        return status;
    double top = largest(s), low = log(1e-30 * top), high = log(1e6 * top + 2 * lambda * (1 + n / s->n));
    lnt_ridge_forecast least = forecast(s, n, exp(low));
    for (int step = 0; step < 100; step++) { /* lambda grows with lambda_N */
        double middle = (low + high) / 2;
        if (forecast(s, n, exp(middle)).lambda > lambda)
            high = middle;
        else
            low = middle;
    }
    *f = forecast(s, n, exp(high));
    f->lambda = lambda;
    if (least.lambda > lambda + 1e-14 * top) /* out of reach */
        f->test = f->kappa = f->freedom = f->same = NAN;
    return LNT_OK;
}

lnt_status lnt_ridge_forecast_best(lnt_ctx *ctx, lnt_ridge_forecast *f, const lnt_ridge_sample *s, double n)
{
    lnt_status status = check(ctx, s, n);
    if (status != LNT_OK)
        return status;
    double top = largest(s), ratio = log(MOST / LEAST) / STEPS, start = log(LEAST * top);
    const double golden = (sqrt(5) - 1) / 2;
    int best = -1;
    *f = (lnt_ridge_forecast){n, NAN, NAN, NAN, NAN, NAN};
    for (int k = 0; k <= STEPS; k++) {
        lnt_ridge_forecast g = forecast(s, n, exp(start + k * ratio));
        if (isfinite(g.test) && (best < 0 || g.test < f->test)) {
            *f = g;
            best = k;
        }
    }
    double low = start + (best - 1) * ratio, high = start + (best + 1) * ratio;
    for (int step = 0; step < 30 && best >= 0; step++) {
        double a = high - golden * (high - low), b = low + golden * (high - low);
        lnt_ridge_forecast fa = forecast(s, n, exp(a)), fb = forecast(s, n, exp(b));
        bool left = !isfinite(fa.test) || fb.test < fa.test;
        *f = fa.test < f->test ? fa : fb.test < f->test ? fb : *f;
        low = left ? a : low;
        high = left ? high : b;
    }
    return LNT_OK;
}
