#include "linnet/response.h"

#include "../linalg/wide.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/* ---- Plain descent and the flow ---- */

/* p = e^L, g = (1 - p)/h with h = z/unit; g_0 is its limit for z -> 0, where 1 - p may be 0 already. */
static lnt_response decay(double L, double z, double unit, double g_0)
{
    return (lnt_response){exp(L), fabs(z) < DBL_MIN ? g_0 : unit * (-expm1(L) / z)};
}

static bool odd(double k)
{
    return fmod(k, 2) != 0;
}

static lnt_response descent(double z, double eta, double k)
{
    double u = fabs(1 - z), L = k * (u < 0.5 ? log(u) : log1p(z < 1 ? -z : z - 2));
    if (z > 1 && odd(k)) {
        double size = exp(L);
        return (lnt_response){-size, eta * ((1 + size) / z)};
    }
    return decay(L, z, eta, eta * k);
}

/* ---- Momentum ---- */

/* The roots of r^2 - (1 + beta - z) r + beta: real, sign e^rate and sign e^{rate - 2 angle}, or a pair sign e^{rate +-
 * i angle}, angle <= pi/2; gap = |r_1 - r_2|/2. */
typedef struct roots {
    bool real;
    double sign, rate, angle, gap, size; /* size = sqrt beta */
} roots;

static roots find_roots(double z, double beta)
{
    double size = sqrt(beta), inner = (1 - beta) / (1 + size);
    double a = inner * inner - z, b = (1 + size) * (1 + size) - z; /* the discriminant is a b */
    roots r = {.real = a >= 0 || b <= 0, .sign = a + b < 0 ? -1 : 1, .size = size};
    r.gap = sqrt(fabs(a)) * sqrt(fabs(b)) / 2;
    r.angle = r.real ? asinh(r.gap / size) : 2 * atan(sqrt(a + b < 0 ? b / -a : -a / b));
    if (!r.real)
        r.rate = log(beta) / 2;
    else if (a >= 0) /* from the distance of the root to 1, which for small z is all that matters */
        r.rate = log1p(-2 * z / (1 - beta + z + 2 * r.gap));
    else
        r.rate = log((z - 1 - beta) / 2 + r.gap);
    return r;
}

/* even = (r_1^k + r_2^k)/2, steps = (r_1^k - r_2^k)/(r_1 - r_2). */
static void powers(double *even, double *steps, const roots *r, double k)
{
    double size = exp(k * r->rate), angle = k * r->angle;
    if (r->sign < 0 && odd(k))
        size = -size;
    if (r->real) {
        *even = size * (1 + exp(-2 * angle)) / 2;
        *steps = r->sign * size * (r->gap > 0 ? -expm1(-2 * angle) / (2 * r->gap) : k / r->size);
    } else {
        *even = size * cos(angle);
        *steps = r->sign * size * (sin(angle) / r->gap);
    }
}

/* g/eta = sum_{j <= k} steps_j, by doubling: a sum of positive numbers where 1 - p is small. */
static double learned(const roots *r, double z, double beta, double k)
{
    double even, steps, half = floor(k / 2);
    if (k == 0)
        return 0;
    double sum = learned(r, z, beta, half);
    powers(&even, &steps, r, half);
    sum = sum * (2 - z * sum) + beta * steps * steps;
    if (half < k - half) {
        powers(&even, &steps, r, k);
        sum += steps;
    }
    return sum;
}

static lnt_response momentum(double z, double eta, double beta, double k)
{
    double even, steps;
    roots r = find_roots(z, beta);
    powers(&even, &steps, &r, k);
    double p = even + (1 - beta - z) / 2 * steps;
    bool falling = r.sign > 0 && (r.real || k * r.angle < 3); /* its first half swing: all p_j with j <= k are larger */
    if (!falling || p < 0.5)
        return (lnt_response){p, eta * ((1 - p) / z)};
    double sum = learned(&r, z, beta, k);
    return (lnt_response){1 - z * sum, eta * sum};
}

lnt_response lnt_response_at(const lnt_smooth_rule *rule, double x, double k)
{
    double h = x + rule->lambda, z = rule->eta * h;
    assert(k >= 0 && rule->beta >= 0 && rule->beta < 1);
    if (k == 0)
        return (lnt_response){1, 0};
    if (rule->eta == 0)
        return decay(-h * k, h * k, k, k);
    assert(k == floor(k));
    return rule->beta == 0 ? descent(z, rule->eta, k) : momentum(z, rule->eta, rule->beta, k);
}

/* ---- Step by step ---- */

lnt_status lnt_responses_start(lnt_ctx *ctx, lnt_responses *r, const double *x, int n)
{
    double *all = lnt_alloc(ctx, 4 * (size_t)n, sizeof *all);
    if (!all)
        return LNT_ENOMEM;
    *r = (lnt_responses){n, x, all, all + n, all + 2 * (size_t)n, all + 3 * (size_t)n};
    for (int i = 0; i < n; i++) {
        r->p[i] = r->p_last[i] = 1;
        r->g[i] = r->g_last[i] = 0;
    }
    return LNT_OK;
}

WIDE void lnt_responses_step(lnt_responses *r, const lnt_smooth_rule *rule)
{
    double eta = rule->eta, beta = rule->beta, lambda = rule->lambda;
    const double *restrict x = r->x;
    double *restrict p = r->p, *restrict g = r->g, *restrict p_last = r->p_last, *restrict g_last = r->g_last;
    assert(eta > 0);
    for (int i = 0; i < r->n; i++) {
        double h = x[i] + lambda, now = p[i], at = g[i];
        double next = now + (beta * (now - p_last[i]) - eta * (h * now));
        double ahead = at + (beta * (at - g_last[i]) + eta * (1 - h * at));
        p_last[i] = now; /* what diverges alternates, and goes on to do so when infinite */
        g_last[i] = at;
        p[i] = fabs(now) <= DBL_MAX ? next : -now;
        g[i] = fabs(at) <= DBL_MAX ? ahead : -at;
    }
}

/* ---- Tuning ---- */

lnt_tuned lnt_tune(double low, double high, bool null_space, double lambda, bool momentum)
{
    double a = null_space && lambda > 0 ? lambda : low + lambda, A = high + lambda;
    double difference = a == lambda ? high : high - low, sum = sqrt(A) + sqrt(a);
    lnt_tuned tuned = {{2 / (a + A), 0, lambda}, difference / (a + A)};
    if (momentum) {
        tuned.rate = difference / (sum * sum);
        tuned.rule.eta = 4 / (sum * sum);
        tuned.rule.beta = tuned.rate * tuned.rate;
    }
    return tuned;
}

double lnt_equal_rate_ridge(double low, double high)
{
    return low / ((high - low) / high);
}

double lnt_stable_step(double high, double beta, double lambda)
{
    return 2 * (1 + beta) / (high + lambda);
}
