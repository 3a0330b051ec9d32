#include "linnet/sample_risk.h"

#include <math.h>

#define LEAST 1e-12 /* of lambda_N on the grid, in units of the largest eigenvalue */
#define MOST 1e6
#define STEPS 360 /* of the grid */
#define CERTAINTY 1.5

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
    double N = s->n, c = s->centred, M = N - c - s->rank, A = 0, B = 0, P = 0, Q = 0;
    for (int i = 0; i < s->rank; i++) {
        double a = 1 / (s->x[i] + same), p = s->power[i] * (a * a);
        A += a;
        B += a * a;
        P += p;
        Q += p * p * (2. / 3);
    }
    lnt_ridge_forecast f = {n, NAN, NAN, NAN, M > 0 ? same * N / (M + same * A) : N / A, NAN, same};
    double F = M + same * A, left = n - N + F, more = n - N, rest = s->rest;
    f.freedom = N - c - F;
    f.lambda = f.kappa * left / n;
    if (left < 0)
        return f;
    double square = same * same, rss = rest + square * P, noise = square * square * Q + 2 * rest * rest / M;
    f.test = M > 0 ? rss * N * n / (more * (M + square * B) + F * F) : P * N * n / (more * B + A * A);
    f.se = f.test * (M > 0 ? sqrt(noise) / rss : sqrt(Q) / P); /* for M = 0 same cancels */
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
        f->test = f->se = f->kappa = f->freedom = f->same = NAN;
    return LNT_OK;
}

/* The same, with a test error of infinity where it is less certain than allowed. */
static lnt_ridge_forecast certain(const lnt_ridge_sample *s, double n, double same, double most)
{
    lnt_ridge_forecast f = forecast(s, n, same);
    if (!(f.se <= most * f.test))
        f.test = INFINITY;
    return f;
}

lnt_status lnt_ridge_forecast_best(lnt_ctx *ctx, lnt_ridge_forecast *f, const lnt_ridge_sample *s, double n)
{
    lnt_status status = check(ctx, s, n);
    if (status != LNT_OK)
        return status;
    double ratio = log(MOST / LEAST) / STEPS, start = log(LEAST * largest(s)), most = INFINITY;
    const double golden = (sqrt(5) - 1) / 2;
    int best = -1;
    for (int k = 0; k <= STEPS; k++) {
        lnt_ridge_forecast g = forecast(s, n, exp(start + k * ratio));
        most = fmin(most, CERTAINTY * g.se / g.test); /* NaN is passed over */
    }
    *f = (lnt_ridge_forecast){n, NAN, NAN, NAN, NAN, NAN, NAN};
    for (int k = 0; k <= STEPS; k++) {
        lnt_ridge_forecast g = certain(s, n, exp(start + k * ratio), most);
        if (isfinite(g.test) && (best < 0 || g.test < f->test)) {
            *f = g;
            best = k;
        }
    }
    double low = start + (best - 1) * ratio, high = start + (best + 1) * ratio;
    for (int step = 0; step < 30 && best >= 0; step++) {
        double a = high - golden * (high - low), b = low + golden * (high - low);
        lnt_ridge_forecast fa = certain(s, n, exp(a), most), fb = certain(s, n, exp(b), most);
        bool right = !isfinite(fa.test) || fb.test < fa.test;
        *f = fa.test < f->test ? fa : fb.test < f->test ? fb : *f;
        low = right ? a : low;
        high = right ? high : b;
    }
    return LNT_OK;
}
