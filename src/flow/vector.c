#include "../linalg/wide.h"
#include "stepper.h"

#include <math.h>

#define LANES 8
#define MOST_TERMS 16

/* out <- base + sum_{j<4} f[j] k[j], base NULL: 0. */
static inline void add_four(double *restrict out, const double *base, const double *const *k, const double *f, size_t n)
{
    const double *restrict a = k[0], *restrict b = k[1], *restrict c = k[2], *restrict d = k[3];
    double fa = f[0], fb = f[1], fc = f[2], fd = f[3];
    if (!base)
        for (size_t i = 0; i < n; i++)
            out[i] = (fa * a[i] + fb * b[i]) + (fc * c[i] + fd * d[i]);
    else if (base == out)
        for (size_t i = 0; i < n; i++)
            out[i] += (fa * a[i] + fb * b[i]) + (fc * c[i] + fd * d[i]);
    else
        for (size_t i = 0; i < n; i++)
            out[i] = base[i] + ((fa * a[i] + fb * b[i]) + (fc * c[i] + fd * d[i]));
}

WIDE void lnt_combine(double *out, const double *y, double *const *k, const double *c, double h, int terms, size_t n)
{
    const double *from[MOST_TERMS + 3], *at[4];
    double factor[MOST_TERMS + 3];
    int used = 0;
    for (int j = 0; j < terms; j++)
        if (c[j] != 0) {
            from[used] = k[j];
            factor[used++] = h * c[j];
        }
    for (; used % 4; used++) { /* four at a time */
        from[used] = from[0];
        factor[used] = 0;
    }
    for (size_t first = 0; first < n; first += LNT_BLOCK) {
        size_t count = n - first < LNT_BLOCK ? n - first : LNT_BLOCK;
        for (int j = 0; j < used; j += 4) {
            for (int i = 0; i < 4; i++)
                at[i] = from[j + i] + first;
            add_four(out + first, j > 0 ? out + first : y ? y + first : NULL, at, factor + j, count);
        }
    }
}

static inline double add_lanes(const double *lane)
{
    double sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += lane[i];
    return sum;
}

WIDE double lnt_weighted_squares(const lnt_flow_opts *o, const double *x, const double *a, const double *b, size_t n)
{
    double lane[LANES] = {0}, rtol = o->rtol, atol = o->atol;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double p = fabs(a[i + l]), q = fabs(b[i + l]), r = x[i + l] / (atol + rtol * (p > q ? p : q));
            lane[l] += r * r;
        }
    for (; i < n; i++) {
        double r = x[i] / (atol + rtol * fmax(fabs(a[i]), fabs(b[i])));
        lane[0] += r * r;
    }
    return add_lanes(lane);
}

WIDE double lnt_distance(const double *a, const double *b, size_t n)
{
    double lane[LANES] = {0};
    size_t i = 0;
    b = b ? b : a;
    double with = b == a ? 0 : 1;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double d = a[i + l] - with * b[i + l];
            lane[l] += d * d;
        }
    for (; i < n; i++) {
        double d = a[i] - with * b[i];
        lane[0] += d * d;
    }
    return sqrt(add_lanes(lane));
}

WIDE double lnt_dot(const double *a, const double *b, size_t n)
{
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        lane[0] += a[i] * b[i];
    return add_lanes(lane);
}

WIDE double lnt_weighted_norm(const double *x, const double *w, size_t n)
{
    double lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double r = x[i + l] * w[i + l];
            lane[l] += r * r;
        }
    for (; i < n; i++)
        lane[0] += x[i] * w[i] * (x[i] * w[i]);
    return sqrt(add_lanes(lane) / (double)n);
}

WIDE void lnt_linear_sum(double *z, double a, const double *x, double b, const double *y, size_t n)
{
#pragma GCC ivdep
    for (size_t i = 0; i < n; i++)
        z[i] = a * x[i] + b * y[i];
}

WIDE bool lnt_all_finite(const double *x, size_t n)
{
    double lane[LANES] = {0}; /* 0 x is NaN for whatever is not finite */
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += 0 * x[i + l];
    for (; i < n; i++)
        lane[0] += 0 * x[i];
    return add_lanes(lane) == 0;
}
