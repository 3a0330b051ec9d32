#include "linnet/spectrum.h"

#include <math.h>

static lnt_status check(lnt_ctx *ctx, const lnt_population *p, double n, double lambda)
{
    if (!(n > 0 && isfinite(n)) || !(lambda >= 0 && isfinite(lambda)))
        return lnt_fail(ctx, LNT_EINVAL, "give more than 0 samples, not %g, and a ridge from 0 on, not %g", n, lambda);
    if (!(p->noise2 >= 0 && isfinite(p->noise2)))
        return lnt_fail(ctx, LNT_EDOMAIN, "the noise is %g: give a variance", p->noise2);
    for (int i = 0; i < p->count; i++)
        if (!(p->variance[i] >= 0 && isfinite(p->variance[i]) && isfinite(p->coefficient[i])))
            return lnt_fail(ctx, LNT_EDOMAIN,
                            "variance %g and coefficient %g of direction %d: give finite numbers, no "
                            "variance below 0",
                            p->variance[i], p->coefficient[i], i);
    return LNT_OK;
}

/* kappa - 1/n sum s_i kappa/(s_i + kappa) = lambda: the left side is convex, so that Newton's iteration falls to the
 * largest root from any point above. */
static double effective_ridge(const lnt_population *p, double n, double lambda)
{
    double total = 0;
    int rank = 0;
    for (int i = 0; i < p->count; i++) {
        total += p->variance[i];
        rank += p->variance[i] > 0;
    }
    if (lambda == 0 && rank <= n)
        return 0;
    double kappa = lambda + total / n, last = INFINITY;
    while (kappa < last) {
        double learned = 0, squares = 0;
        for (int i = 0; i < p->count; i++) {
            double L = p->variance[i] / (p->variance[i] + kappa);
            learned += L;
            squares += L * L;
        }
        double step = (kappa * (1 - learned / n) - lambda) / (1 - squares / n);
        last = kappa;
        kappa -= fmin(step, 0.9 * kappa); /* kappa > 0, also after rounding */
        if (!(step > 4e-16 * last))
            break;
    }
    return kappa;
}

lnt_status lnt_ridge_risk_predict(lnt_ctx *ctx, lnt_ridge_risk *risk, const lnt_population *population, double n,
                                  double lambda)
{
    lnt_status status = check(ctx, population, n, lambda);
    if (status != LNT_OK)
        return status;
    double kappa = effective_ridge(population, n, lambda), learned = 0, squares = 0, mixed = 0, missed = 0;
    double missed_outputs = 0, spread = 0, s2 = population->noise2;
    for (int i = 0; i < population->count; i++) {
        double s = population->variance[i], T2 = population->coefficient[i] * population->coefficient[i];
        double L = s > 0 ? s / (s + kappa) : 0, rest = s > 0 ? kappa / (s + kappa) : 1;
        learned += L;
        squares += L * L;
        mixed += L * rest;
        missed += rest * rest * T2;
        missed_outputs += rest * rest * s * T2;
        spread += s > 0 ? L / (s + kappa) : 0;
    }
    /* share of the residual that the training samples keep, and n - sum L_i^2, without differences */
    double kept = kappa > 0 ? lambda / kappa : 1 - learned / n, freedom = kappa > 0 ? n * kept + mixed : n - squares;
    double bracket = missed_outputs + s2, test = bracket > 0 ? bracket / freedom * n : 0;
    risk->kappa = kappa;
    risk->test = test;
    risk->train = freedom > 0 ? kept * kept * test : 0;
    risk->distance2 = missed + (test > 0 ? test / n * spread : 0);
    risk->gen = (missed_outputs > 0 ? missed_outputs / freedom * n : 0) / 2;
    risk->gen += (s2 > 0 ? s2 / freedom * squares : 0) / 2;
    return LNT_OK;
}
