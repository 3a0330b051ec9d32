#include "special.h"

#include "../theory/gauss.h"
#include "linnet/diagnose.h"

#include <float.h>
#include <math.h>

#define HALF_LOG_2PI 0.91893853320467274178
#define MOST_TERMS 100000

/* ---- The normal distribution ---- */

/* Abramowitz and Stegun 26.2.23 to start with, 4.5e-4 off, then Halley's method on log Q, whose curvature is mild in
 * the tail: two steps from there exhaust the digits of erfc. */
static double upper_quantile(double q)
{
    double t = sqrt(-2 * log(q));
    double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    for (int i = 0; i < 2; i++) {
        double Q = 0.5 * erfc(x * 0.70710678118654752440);
        double hazard = lnt_normal_density(x) / Q, excess = log(Q / q); /* (log Q)' = -hazard */
        double curvature = hazard * (hazard - x);                       /* -(log Q)'' */
        x += 2 * excess * hazard / (2 * hazard * hazard + excess * curvature);
    }
    return x;
}

double lnt_probit(double p)
{
    if (!(p > 0 && p < 1))
        return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    return p <= 0.5 ? -upper_quantile(p) : upper_quantile(1 - p);
}

/* ---- Incomplete gamma and beta functions ---- */

/* log Gamma(a) - [(a - 1/2) log a - a + log sqrt(2 pi)]: Stirling's series, six terms of which suffice from 10 on. */
static double stirling(double a)
{
    if (a < 10)
        return log(tgamma(a)) - ((a - 0.5) * log(a) - a + HALF_LOG_2PI);
    double u = 1 / (a * a);
    return (1. / 12 - u * (1. / 360 - u * (1. / 1260 - u * (1. / 1680 - u * (1. / 1188 - u * 691. / 360360))))) / a;
}

/* Lentz's method for b_0 + a_1/(b_1 + a_2/(b_2 + ...)), terms given by a callback of n = 1, 2, ... (Thompson and
 * Barnett 1986). */
typedef struct term {
    double a, b;
} term;

static double continued_fraction(double first, term (*next)(int n, const double *par), const double *par)
{
    const double tiny = 1e-290;
    double f = first != 0 ? first : tiny, C = f, D = 0;
    for (int n = 1; n < MOST_TERMS; n++) {
        term t = next(n, par);
        D = t.b + t.a * D;
        C = t.b + t.a / C;
        D = 1 / (D != 0 ? D : tiny);
        C = C != 0 ? C : tiny;
        f *= C * D;
        if (fabs(C * D - 1) < DBL_EPSILON)
            break;
    }
    return f;
}

/* x^a e^-x/Gamma(a), without the difference of large logarithms where a is large (Temme 1994). */
static double gamma_factor(double a, double x)
{
    if (a < 10)
        return exp(a * log(x) - x) / tgamma(a);
    double mu = (x - a) / a;
    return sqrt(a) * exp(a * (log1p(mu) - mu) - stirling(a) - HALF_LOG_2PI);
}

static term gamma_term(int n, const double *par)
{
    double a = par[0], x = par[1];
    return (term){n * (a - n), x - a + 2 * n + 1};
}

double lnt_gamma_q(double a, double x)
{
    if (!(a > 0 && x >= 0 && a <= 1e8))
        return NAN;
    if (x == 0 || isinf(x))
        return x == 0;
    double factor = gamma_factor(a, x);
    if (x >= a + 1)
        return factor / continued_fraction(x - a + 1, gamma_term, (const double[]){a, x});
    double sum = 1 / a, add = sum;
    for (int n = 1; n < MOST_TERMS && add > DBL_EPSILON / 4 * sum; n++)
        sum += add *= x / (a + n);
    return 1 - factor * sum;
}

static term beta_term(int n, const double *par)
{
    double a = par[0], b = par[1], x = par[2];
    int m = n / 2;
    double up = n % 2 ? -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))
                      : m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m));
    return (term){up * x, 1};
}

/* I_x(a, b) for x <= (a + 1)/(a + b + 2), where its fraction converges within O(sqrt(max(a, b))) terms. */
static double beta_lower(double a, double b, double x)
{
    double m = a + b, p = a / m, q = b / m;
    double deviance = -a * log1p((x - p) / p) - b * log1p((p - x) / q);
    double size = sqrt(a * q) * exp(stirling(m) - stirling(a) - stirling(b) - deviance - HALF_LOG_2PI);
    return size / (a * continued_fraction(1, beta_term, (const double[]){a, b, x}));
}

typedef struct beta_problem {
    double p, a, b;
} beta_problem;

static double beta_excess(double x, void *user)
{
    const beta_problem *f = user;
    if (x <= 0 || x >= 1)
        return (x > 0) - f->p;
    bool below = x <= (f->a + 1) / (f->a + f->b + 2);
    return (below ? beta_lower(f->a, f->b, x) : 1 - beta_lower(f->b, f->a, 1 - x)) - f->p;
}

double lnt_beta_quantile(double p, double a, double b)
{
    beta_problem problem = {p, a, b};
    return lnt_root(beta_excess, &problem, 0, 1);
}
