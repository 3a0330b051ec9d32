#include "linnet/net.h"

#include <math.h>

/* 1 - e^x for x <= 0, given e = e^x. */
static double rise(double x, double e)
{
    return x > -0.7 ? -expm1(x) : 1 - e;
}

/* Value, slope and, unless NULL, curvature at a, from exponentials of -|a| only: none loses digits where the function
 * saturates. */
static void tanh_at(double *z, double *slope, double *curve, double a)
{
    double x = -2 * fabs(a), e = exp(x), d = 1 + e;
    *z = copysign(rise(x, e) / d, a);
    *slope = 4 * e / (d * d);
    if (curve)
        *curve = -2 * *z * *slope;
}

static void logistic_at(double *z, double *slope, double *curve, double a)
{
    double x = -fabs(a), e = exp(x), d = 1 + e;
    *z = (a >= 0 ? 1 : e) / d;
    *slope = e / (d * d);
    if (curve)
        *curve = -copysign(rise(x, e) / d, a) * *slope;
}

static void softplus_at(double *z, double *slope, double *curve, double a)
{
    double e = exp(-fabs(a)), d = 1 + e;
    *z = fmax(a, 0) + log1p(e);
    *slope = (a >= 0 ? 1 : e) / d;
    if (curve)
        *curve = e / (d * d);
}

static void relu_at(double *z, double *slope, double *curve, double a)
{
    *z = fmax(a, 0);
    *slope = a > 0;
    if (curve)
        *curve = 0;
}

static void linear_at(double *z, double *slope, double *curve, double a)
{
    *z = a;
    *slope = 1;
    if (curve)
        *curve = 0;
}

void lnt_activate_twice(lnt_mat Z, lnt_mat slope, lnt_mat curve, lnt_activation phi)
{
    static void (*const at[])(double *, double *, double *, double) = {linear_at, tanh_at, relu_at, logistic_at,
                                                                       softplus_at};
    for (int j = 0; j < Z.cols; j++)
        for (int i = 0; i < Z.rows; i++) {
            double *z = lnt_at(Z, i, j), unused;
            at[phi](z, slope.a ? lnt_at(slope, i, j) : &unused, curve.a ? lnt_at(curve, i, j) : NULL, *z);
        }
}

void lnt_activate(lnt_mat Z, lnt_mat slope, lnt_activation phi)
{
    if (phi != LNT_LINEAR)
        lnt_activate_twice(Z, slope, (lnt_mat){0}, phi);
}
