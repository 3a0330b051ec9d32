#include "linnet/net.h"

#include <math.h>

/* Exponentials of -|a| only: neither value nor slope loses digits where the function saturates. */
static void tanh_at(double *z, double *slope, double a)
{
    double x = -2 * fabs(a), e = exp(x), d = 1 + e, rise = x > -0.7 ? -expm1(x) : 1 - e;
    *z = copysign(rise / d, a);
    *slope = 4 * e / (d * d);
}

static void logistic_at(double *z, double *slope, double a)
{
    double e = exp(-fabs(a));
    *z = (a >= 0 ? 1 : e) / (1 + e);
    *slope = e / ((1 + e) * (1 + e));
}

static void softplus_at(double *z, double *slope, double a)
{
    double e = exp(-fabs(a));
    *z = fmax(a, 0) + log1p(e);
    *slope = (a >= 0 ? 1 : e) / (1 + e);
}

static void relu_at(double *z, double *slope, double a)
{
    *z = fmax(a, 0);
    *slope = a > 0;
}

void lnt_activate(lnt_mat Z, lnt_mat slope, lnt_activation phi)
{
    static void (*const at[])(double *, double *, double) = {NULL, tanh_at, relu_at, logistic_at, softplus_at};
    if (phi == LNT_LINEAR)
        return;
    for (int j = 0; j < Z.cols; j++)
        for (int i = 0; i < Z.rows; i++) {
            double *z = lnt_at(Z, i, j), unused;
            at[phi](z, slope.a ? lnt_at(slope, i, j) : &unused, *z);
        }
}
