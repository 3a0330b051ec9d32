#include "linnet/modes.h"

#include <math.h>

/* The stretch rho of u = rho u0, v = v0/rho, without growing exponentials or differences that cancel. */
typedef struct stretch {
    double excess; /* rho^2 - 1, accurate where it is small; of no use beyond 1/2 */
    double rho;
} stretch;

lnt_mode lnt_mode_start(const double *a0, const double *b0, int h, double s)
{
    double largest = 0, u = 0, v = 0, p = 0;
    for (int i = 0; i < h; i++)
        largest = fmax(largest, fmax(fabs(a0[i]), fabs(b0[i])));
    lnt_mode mode = {s, 0, 0, 0};
    if (largest == 0)
        return mode;
    for (int i = 0; i < h; i++) {
        double a = a0[i] / largest, b = b0[i] / largest;
        u += (b + a) * (b + a);
        v += (b - a) * (b - a);
        p = fma(a, b, p);
    }
    mode.p = p * largest * largest;
    mode.u = h == 1 ? fabs(b0[0] + a0[0]) : sqrt(u) * largest;
    mode.v = h == 1 ? fabs(b0[0] - a0[0]) : sqrt(v) * largest;
    return mode;
}

double lnt_mode_invariant(const lnt_mode *mode)
{
    double root = mode->u * mode->v;
    return root * root;
}

/* w = |u|^2 and q = |v|^2 obey w' = 2 s w - w^2/2 + w0 q0/2, a Riccati equation with the roots 2s +- K. */
static stretch stretch_at(const lnt_mode *mode, double T)
{
    double w0 = mode->u * mode->u, q0 = mode->v * mode->v, c = mode->u * mode->v, s2 = 2 * fabs(mode->s);
    double K = hypot(c, s2), X = exp(-K * T);
    double g = K > 0 ? tanh(K * T / 2) / K : T / 2;
    double plus = 1 + (s2 > 0 ? s2 * g : 0);
    double minus = K > 0 ? c / (K + s2) * (c / K) + 2 * s2 / K * (X / (1 + X)) : 1; /* 1 - 2|s|g */
    double P = mode->s >= 0 ? plus : minus, M = mode->s >= 0 ? minus : plus;
    double top = P + (q0 > 0 ? q0 * g : 0), bottom = M + (w0 > 0 ? w0 * g : 0);
    stretch x = {4 * g * (mode->s - mode->p) / bottom, sqrt(top / bottom)};
    return x;
}

void lnt_mode_at(double *a, double *b, const double *a0, const double *b0, int h, double s, double T)
{
    lnt_mode mode = lnt_mode_start(a0, b0, h, s);
    stretch x = stretch_at(&mode, T);
    double root = sqrt(1 + x.excess);
    for (int i = 0; i < h; i++) {
        double A = a0[i], B = b0[i], u = B + A, v = B - A;
        if (fabs(x.excess) < 0.5) { /* rho near 1: a = a0 cosh + b0 sinh, where a difference of u and v would cancel */
            a[i] = ((2 + x.excess) * A + x.excess * B) / (2 * root);
            b[i] = ((2 + x.excess) * B + x.excess * A) / (2 * root);
        } else {
            u = u == 0 ? 0 : u * x.rho; /* 0 times an infinite stretch: the separatrix stays itself */
            v = v == 0 ? 0 : v / x.rho;
            a[i] = (u - v) / 2;
            b[i] = (u + v) / 2;
        }
    }
}

double lnt_mode_product(const lnt_mode *mode, double T)
{
    stretch x = stretch_at(mode, T);
    if (fabs(x.excess) < 0.5) { /* p0 cosh + (w0 + q0)/4 sinh of twice the angle */
        double e = x.excess, sum = (mode->u * mode->u + mode->v * mode->v) / 4;
        return mode->p + (e * e * mode->p + e * (2 + e) * sum) / (2 * (1 + e));
    }
    double u = mode->u == 0 ? 0 : mode->u * x.rho, v = mode->v == 0 ? 0 : mode->v / x.rho;
    return (u - v) * (u + v) / 4;
}

double lnt_mode_time(const lnt_mode *mode, double p)
{
    double s = mode->s, p0 = mode->p, u = mode->u, v = mode->v;
    if (p == p0)
        return 0;
    if (u == 0) { /* the mirror image has its w0 > 0 */
        u = v;
        v = 0;
        s = -s;
        p0 = -p0;
        p = -p;
    }
    if (u == 0 || p == s)
        return INFINITY;
    double c = u * v, K = hypot(c, 2 * s), w0 = u * u;
    double r0 = (w0 + v * v) / 2, r = hypot(2 * p, c), w = p >= 0 ? 2 * p + r : c / (r - 2 * p) * c;
    double large = K + 2 * fabs(s), small = c > 0 ? c / large * c : 0;
    double d = s >= 0 ? large : small, e = s >= 0 ? small : large;
    /* ratio - 1 = K y of t = ln(ratio)/K, with w0 - w and w - d in forms that keep their digits */
    double y = 2 * ((p0 - p) / (p - s)) * ((w0 + w) / (r0 + r)) * ((r + K) / (w0 + e) / (w + d));
    double T = K > 0 ? log1p(K * y) / K : y;
    return T >= 0 ? T : INFINITY;
}

double lnt_mode_half_time(const lnt_mode *mode)
{
    return lnt_mode_time(mode, mode->s / 2);
}
