#include "linnet/lasso_risk.h"

#include "gauss.h"

#include <math.h>

/* The curve by its parameter z > 0, the best threshold (Donoho et al. 2011): with w = Q_1(z) = phi(z) -
 * z Phi(-z), eps = 2w/(z + 2w), M = 2 phi(z)/(z + 2w), and 1 - M = z erf(z/sqrt 2)/(z + 2w). z falls from infinity to 0
 * as eps grows from 0 to 1. */
#define LARGEST 38.0 /* beyond, eps is below the smallest number */

typedef struct curve {
    double Q[LNT_TAILS], w, sum;
} curve;

static curve curve_at(double z)
{
    curve c;
    lnt_normal_tails(c.Q, z);
    c.w = c.Q[1];
    c.sum = z + 2 * c.w;
    return c;
}

/* log eps/(1-eps), less its wanted value; z comes as its logarithm. */
static double odds(double log_z, void *user)
{
    double z = exp(log_z);
    return log(2 * curve_at(z).w / z) - *(const double *)user;
}

double lnt_recovery_threshold(double eps)
{
    if (eps <= 0 || eps >= 1)
        return eps > 0 ? 0 : (double)INFINITY;
    double wanted = log(eps / (1 - eps));
    return exp(lnt_root(odds, &wanted, -45, log(LARGEST)));
}

double lnt_recovery_samples(double eps)
{
    if (!(eps >= 0 && eps <= 1))
        return (double)NAN;
    if (eps == 0 || eps == 1)
        return eps;
    double z = lnt_recovery_threshold(eps);
    return eps < 0.5 ? 2 * lnt_normal_density(z) / curve_at(z).sum : 1 - (1 - eps) * erf(sqrt(0.5) * z);
}

static double log_samples(double log_z, void *user)
{
    double z = exp(log_z), delta = *(const double *)user;
    if (delta < 0.5)
        return log(2 * lnt_normal_density(z) / curve_at(z).sum / delta);
    return log((1 - delta) * curve_at(z).sum / (z * erf(sqrt(0.5) * z)));
}

double lnt_recovery_density(double delta)
{
    if (!(delta >= 0))
        return (double)NAN;
    if (delta == 0 || delta >= 1)
        return delta == 0 ? 0 : 1;
    double z = exp(lnt_root(log_samples, &delta, -45, log(LARGEST)));
    curve c = curve_at(z);
    return delta < 0.5 ? 2 * c.w / c.sum : 1 - z / c.sum;
}

void lnt_recovery_finite(lnt_recovery *recovery, int features, int nonzero)
{
    *recovery = (lnt_recovery){nonzero <= 0 ? 0 : features, 0};
    if (nonzero <= 0 || nonzero >= features)
        return;
    double eps = (double)nonzero / features, z = lnt_recovery_threshold(eps);
    curve c = curve_at(z);
    double p1 = 2 * c.Q[1], p2 = 4 * c.Q[2], p4 = 48 * c.Q[4], M = eps * (1 + z * z) + (1 - eps) * p2;
    double kappa = (eps + (1 - eps) * (p2 - p1 * p1)) / (eps + 2 * (1 - eps) * c.Q[0]);
    double variance = eps * (2 + 4 * z * z) + (1 - eps) * (p4 - p2 * p2) - 2 * M;
    recovery->samples = features * M - kappa;
    recovery->sd = sqrt(features * variance);
}

double lnt_recovery_probability(int features, int samples, int nonzero)
{
    lnt_recovery r;
    if (nonzero <= 0 || samples >= features)
        return 1;
    if (nonzero > samples)
        return 0;
    lnt_recovery_finite(&r, features, nonzero);
    return 0.5 * erfc(sqrt(0.5) * (r.samples - samples) / r.sd);
}
