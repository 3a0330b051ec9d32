#include "linnet/modes.h"

#include <math.h>

void lnt_map_steps(double *a, double *b, int h, double s, double eta, long steps)
{
    for (long k = 0; k < steps; k++) {
        double p = 0;
        for (int i = 0; i < h; i++)
            p += a[i] * b[i];
        for (int i = 0; i < h; i++) {
            double old = a[i];
            a[i] += eta * (s - p) * b[i];
            b[i] += eta * (s - p) * old;
        }
    }
}

void lnt_map_deep(double *a, int L, double s, double eta, long steps)
{
    for (long k = 0; k < steps; k++) {
        double product = 1, before = 1;
        for (int l = 0; l < L; l++)
            product *= a[l];
        for (int l = 0; l < L; l++) { /* the others' product: old values before, still old ones behind */
            double behind = 1, old = a[l];
            for (int m = l + 1; m < L; m++)
                behind *= a[m];
            a[l] += eta * (s - product) * before * behind;
            before *= old;
        }
    }
}

double lnt_map_invariant_factor(double p, double s, double eta)
{
    double x = eta * (s - p);
    return (1 - x) * (1 + x);
}

double lnt_map_half_step(double u0, double s, double eta)
{
    if (!(u0 > 0 && s > 0 && eta > 0))
        return NAN;
    return u0 >= s / 2 ? 0 : log(s / (2 * u0)) / (2 * log1p(eta * s));
}

double lnt_map_largest_step(double s, int L)
{
    return 2 / (L * pow(s, 2 - 2.0 / L));
}
