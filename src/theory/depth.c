#include "linnet/modes.h"

#include <math.h>

#define PI 3.14159265358979323846

/* int_0^y x/(1 - x^L) dx, L >= 3, by partial fractions over the L-th roots of one (principal value beyond y = 1). Needs
 * 1 - y apart, where y near 1 has lost its digits. For y up to about 2: beyond, the sum cancels. */
static double regular_part(double y, double one_y, int L)
{
    double sum = log(fabs(one_y));
    for (int j = 1; j < L; j++) {
        double angle = 2 * PI * j / L, half = sin(angle / 2);
        sum += cos(2 * angle) / 2 * log(one_y * one_y + 4 * y * half * half) -
               sin(2 * angle) * atan2(y * sin(angle), 1 - y * cos(angle));
    }
    return -sum / L;
}

/* sum_k (z^m - z0^m)/m over m = 2L-2+kL, for z0 <= z, z^L <= 1/2: the integral far above s, z = 1/y. */
static double tail(double z, double z0, int L)
{
    double sum = 0, ratio = log(z0 / z);
    for (int k = 0; k < 80; k++) {
        double m = 2.0 * L - 2 + (double)k * L, term = -pow(z, m) * expm1(m * ratio) / m;
        sum += term;
        if (term <= 1e-18 * sum)
            break;
    }
    return sum;
}

/* A value on its way to s, with the logarithms that keep the digits of u/s and of its distance from s. */
typedef struct place {
    double log_x; /* ln(u/s) */
    double log_y; /* ln(u/s)/L */
} place;

static place place_of(double u, double s, int L)
{
    double distance = (u - s) / s, log_x = fabs(distance) < 0.5 ? log1p(distance) : log(u / s);
    place p = {log_x, log_x / L};
    return p;
}

/* s^{2-2/L} T between two places on the same side of s, L >= 3. */
static double duration(place to, place from, int L)
{
    const double ln2 = 0.69314718055994530942;
    if (from.log_x > ln2) {
        place near = {ln2, ln2 / L};
        double outside = tail(exp(-fmax(to.log_y, near.log_y)), exp(-from.log_y), L);
        return to.log_x >= ln2 ? outside : outside + duration(to, near, L);
    }
    double power = exp((2 - L) * from.log_y) * -expm1((2 - L) * (to.log_y - from.log_y)) / (L - 2);
    return power + regular_part(exp(to.log_y), -expm1(to.log_y), L) -
           regular_part(exp(from.log_y), -expm1(from.log_y), L);
}

double lnt_depth_time(double u, double u0, double s, int L)
{
    if (!(u0 > 0 && s >= 0 && L >= 1))
        return NAN;
    if (u == u0)
        return 0;
    if (!(u > 0 && (u0 < s ? u > u0 && u < s : u < u0 && u > s)))
        return INFINITY;
    double power = 2 - 2.0 / L;
    if (s == 0)
        return L == 1 ? log(u0 / u) : -pow(u, -power) * expm1(-power * log(u0 / u)) / (power * L);
    if (L == 1)
        return log1p((u - u0) / (s - u));
    if (L == 2)
        return log1p(s / u0 * ((u - u0) / (s - u))) / (2 * s);
    return pow(s, -power) * duration(place_of(u, s, L), place_of(u0, s, L), L);
}

/* u(T) for L >= 3, s > 0. In xi = ln(u/|s - u|) time is smooth, increasing and nearly linear at the end:
 * dT/dxi = u^{2/L-1}/(L s). Newton, kept inside a bracket. */
static double invert(double u0, double s, int L, double T)
{
    double side = u0 < s ? 1 : -1, slope_power = 2.0 / L - 1, scale = pow(s, 2.0 / L - 2);
    place from = place_of(u0, s, L), at;
    double low = from.log_x - log(fabs((s - u0) / s));
    if (side < 0)
        low = -log1p(-s / u0);
    double high = low + L * s * T / pow(fmax(u0, s), slope_power), xi, u = u0;
    high = fmin(high, fmax(low, 45)); /* beyond 45 u is s */
    if (low >= 45)
        return s;
    xi = fmin(low + L * s * T / pow(u0, slope_power), high);
    for (int k = 0; k < 200; k++) {
        at.log_x = side > 0 ? -log1p(exp(-xi)) : -log(-expm1(-xi));
        at.log_y = at.log_x / L;
        u = s * exp(at.log_x);
        double excess = scale * duration(at, from, L) - T, step = excess * L * s / pow(u, slope_power);
        if (excess > 0)
            high = xi;
        else
            low = xi;
        if (fabs(excess) <= 4e-16 * T || high - low <= 2e-16 * fabs(xi))
            break;
        double next = xi - step;
        xi = next >= low && next <= high ? next : (low + high) / 2;
    }
    return xi >= 44.9 ? s : u;
}

double lnt_depth_at(double u0, double s, int L, double T)
{
    if (!(u0 > 0 && s >= 0 && L >= 1 && T >= 0))
        return NAN;
    if (u0 == s || T == 0)
        return u0;
    if (s == 0 && L > 1) { /* u^{-p} = u0^{-p} + (2L - 2) T */
        double p = 2 - 2.0 / L;
        return u0 * pow(1 + (2.0 * L - 2) * T * pow(u0, p), -1 / p);
    }
    if (T == INFINITY)
        return s;
    if (L == 1)
        return T < 0.5 ? u0 + (u0 - s) * expm1(-T) : s + (u0 - s) * exp(-T);
    if (L == 2) {
        double decay = exp(-2 * s * T);
        return u0 * s / (s * decay - u0 * expm1(-2 * s * T));
    }
    return invert(u0, s, L, T);
}

double lnt_depth_plateau(double u0, double s, int L)
{
    if (!(u0 > 0 && s >= 0 && L >= 1))
        return NAN;
    if (L == 1 || u0 >= s / 2)
        return 0;
    return L == 2 ? log(s / u0 - 1) / (2 * s) : 1 / ((L - 2) * s * pow(u0, 1 - 2.0 / L));
}
