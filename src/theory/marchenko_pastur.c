#include "mp.h"

#include <math.h>

#define MOST_NODES 4e6
#define DIGITS 41 /* e^-41 = 1.6e-18 */

static const double pi = 3.14159265358979323846;

void lnt_mp_edges(double *low, double *high, double q)
{
    double s = sqrt(q), difference = (q - 1) / (s + 1) / s, sum = 1 + 1 / s;
    *low = difference * difference;
    *high = sum * sum;
}

double lnt_mp_density(double q, double x)
{
    double low, high;
    lnt_mp_edges(&low, &high, q);
    if (x == 0 && low == 0)
        return INFINITY;
    return x > low && x < high ? q * sqrt((high - x) * (x - low)) / (2 * pi * x) : 0;
}

/* The midpoint rule in psi, tan(phi/2) = zoom tan(psi/2), x = low + 4/sqrt q sin^2(phi/2): points crowd at the lower
 * edge where zoom < 1. Still periodic, so that it converges exponentially. */
static void place(double *x, double *w, int n, double q, double zoom)
{
    double low, high;
    lnt_mp_edges(&low, &high, q);
    for (int i = 0; i < n; i++) {
        double half = (i + 0.5) * pi / (2 * n), c = cos(half), s = zoom * sin(half), length = c * c + s * s;
        double sin2 = s * s / length, cos2 = c * c / length;
        x[i] = low + 4 / sqrt(q) * sin2;
        w[i] = 8.0 / n * sin2 * cos2 / x[i] * (zoom / length);
    }
}

double lnt_mp_nodes(double *x, double *w, int n, double q)
{
    place(x, w, n, q, 1);
    return (1 - q) / (1 + pow(q, n));
}

static lnt_status allocate(lnt_ctx *ctx, lnt_mp_rule *rule, double q, double nodes)
{
    if (!(nodes <= MOST_NODES))
        return lnt_fail(ctx, LNT_EINVAL,
                        "at q = %g this takes %g eigenvalues, more than %g: ask for an earlier time, or a larger ridge",
                        q, nodes, MOST_NODES);
    rule->n = (int)nodes + 1;
    rule->x = lnt_alloc(ctx, (size_t)rule->n, sizeof *rule->x);
    rule->w = lnt_alloc(ctx, (size_t)rule->n, sizeof *rule->w);
    if (!rule->x || !rule->w)
        return LNT_ENOMEM;
    rule->x[0] = 0;
    return LNT_OK;
}

lnt_status lnt_mp_rule_even(lnt_ctx *ctx, lnt_mp_rule *rule, double q, double nodes)
{
    lnt_status status = allocate(ctx, rule, q, nodes);
    if (status != LNT_OK)
        return status;
    rule->w[0] = lnt_mp_nodes(rule->x + 1, rule->w + 1, rule->n - 1, q);
    rule->rest = (1 - 1 / q) / (1 + pow(q, 1 - rule->n));
    return LNT_OK;
}

lnt_status lnt_mp_rule_crowded(lnt_ctx *ctx, lnt_mp_rule *rule, double q, double distance, double budget)
{
    double low, high;
    long double mass = 0; /* whose distance from that of the bulk matters */
    lnt_mp_edges(&low, &high, q);
    /* phi = i sigma is where x is `distance` below low; zoom makes room for it at both ends */
    double tanh_half = sqrt(1 / (1 + (high - low) / distance)), zoom = sqrt(tanh_half);
    double width = zoom < 1 ? 2 * atanh(zoom) : INFINITY, nodes = ceil((1.15 * DIGITS + budget) / (2 * width));
    lnt_status status = allocate(ctx, rule, q, fmax(32, nodes));
    if (status != LNT_OK)
        return status;
    int n = rule->n - 1;
    place(rule->x + 1, rule->w + 1, n, q, zoom);
    for (int i = 1; i <= n; i++)
        mass += rule->w[i];
    /* The weights have a pole at x = 0, unless q = 1. Where it is too close for them to sum up to the mass of the bulk,
     * what is missing belongs to 0 (then the rest of the integrand, which vanishes there, is smooth). */
    double pole = sqrt(low / high) / zoom;
    bool resolved = q == 1 || pole >= 1 || n * 4 * atanh(pole) > DIGITS + 4;
    rule->w[0] = resolved ? fmax(0, 1 - q) : (double)(1 - mass);
    rule->rest = resolved ? fmax(0, 1 - 1 / q) : (double)(1 - mass / q);
    return LNT_OK;
}

/* Of the smaller of X X'/n and X'X/n the bulk is all there is: m = <1/(x + lambda)> over it solves
 * kappa lambda m^2 + s m = 1, without cancellation since s > 0. */
typedef struct stieltjes {
    double share, kappa, gap, m, slope; /* share of the bulk; dm/dlambda = -(kappa m^2 + m)/slope */
} stieltjes;

static stieltjes solve(double q, double lambda)
{
    stieltjes t = {.share = fmin(q, 1), .kappa = q <= 1 ? 1 : 1 / q, .gap = fabs(1 - q) / q};
    double s = lambda + t.gap;
    t.m = 2 / (s + sqrt(s * s + 4 * t.kappa * lambda));
    t.slope = 2 * t.kappa * lambda * t.m + s;
    return t;
}

double lnt_mp_resolvent(double q, double lambda)
{
    stieltjes t = solve(q, lambda);
    return t.share * t.m + (q < 1 ? (1 - q) / lambda : 0);
}

double lnt_mp_bulk_bias(double q, double lambda)
{
    if (lambda == 0)
        return 0;
    stieltjes t = solve(q, lambda);
    double r = lambda * t.m;
    return t.share * r * (t.kappa * r + lambda) / t.slope;
}

double lnt_mp_ridge_bias(double q, double lambda)
{
    return fmax(0, 1 - q) + lnt_mp_bulk_bias(q, lambda);
}

double lnt_mp_variance(double q, double lambda)
{
    if (lambda == 0 && q == 1)
        return INFINITY;
    stieltjes t = solve(q, lambda);
    return t.share * t.m * (t.kappa * lambda * t.m + t.gap) / t.slope;
}

double lnt_penalty_correction(double q)
{
    double s = sqrt(q), z = 4 * q / ((1 + s) * (1 + s) * (1 + 6 * s + q));
    return q <= 1 ? z / 2 / (sqrt(1 + z) + 1) : NAN;
}
