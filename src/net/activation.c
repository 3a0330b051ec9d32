#include "linnet/net.h"

#include "../linalg/wide.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64

/* *e <- e^x and *fall <- 1 - e^x for x <= 0, both to a unit or two in the last place, without branches: x = n ln 2 + r,
 * |r| <= ln 2/2, and p = e^r - 1 by its series, so that e = 2^n + 2^n p. Below e^-708 it is 0. */
static inline void exponential(double *e, double *fall, double x)
{
    const double big = 0x1.8p52, log2e = 0x1.71547652b82fep0, ln2 = 0x1.62e42feep-1, rest = 0x1.a39ef35793c76p-33;
    double within = x < -708 ? -708 : x, t = within * log2e + big, n = t - big, r = (within - n * ln2) - n * rest,
           scale;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = r + r * r * p;
    uint64_t bits; /* of t: n stands in the last ones */
    memcpy(&bits, &t, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&scale, &bits, sizeof scale);
    *e = x < -708 ? 0 : scale + scale * p;
    *fall = (1 - scale) - scale * p;
}

/* Value, slope and curvature at a block of places, from exponentials of -|a| only: none loses digits where the function
 * saturates. */
typedef void block(double *restrict z, double *restrict slope, double *restrict curve);

WIDE static void tanh_block(double *restrict z, double *restrict slope, double *restrict curve)
{
    for (int i = 0; i < BLOCK; i++) {
        double e, fall;
        exponential(&e, &fall, -2 * fabs(z[i]));
        double inverse = 1 / (1 + e), value = copysign(fall * inverse, z[i]);
        z[i] = value;
        slope[i] = 4 * e * inverse * inverse;
        curve[i] = -2 * value * slope[i];
    }
}

WIDE static void logistic_block(double *restrict z, double *restrict slope, double *restrict curve)
{
    for (int i = 0; i < BLOCK; i++) {
        double a = z[i], e, fall;
        exponential(&e, &fall, -fabs(a));
        double inverse = 1 / (1 + e);
        z[i] = (a >= 0 ? 1 : e) * inverse;
        slope[i] = e * inverse * inverse;
        curve[i] = -copysign(fall * inverse, a) * slope[i];
    }
}

static void softplus_block(double *restrict z, double *restrict slope, double *restrict curve)
{
    for (int i = 0; i < BLOCK; i++) {
        double a = z[i], e, fall;
        exponential(&e, &fall, -fabs(a));
        double d = 1 + e;
        z[i] = fmax(a, 0) + log1p(e);
        slope[i] = (a >= 0 ? 1 : e) / d;
        curve[i] = e / (d * d);
    }
}

static void relu_block(double *restrict z, double *restrict slope, double *restrict curve)
{
    for (int i = 0; i < BLOCK; i++) {
        slope[i] = z[i] > 0;
        z[i] = fmax(z[i], 0);
        curve[i] = 0;
    }
}

static void linear_block(double *restrict z, double *restrict slope, double *restrict curve)
{
    (void)z;
    for (int i = 0; i < BLOCK; i++) {
        slope[i] = 1;
        curve[i] = 0;
    }
}

/* Without gaps between its columns. */
static bool dense(lnt_mat A)
{
    return !A.a || A.ld == A.rows || A.cols < 2;
}

static lnt_mat one_column(lnt_mat A, int rows)
{
    return lnt_mat_view(A.a, rows, 1);
}

void lnt_activate_twice(lnt_mat Z, lnt_mat slope, lnt_mat curve, lnt_activation phi)
{
    if (dense(Z) && dense(slope) && dense(curve) && (double)Z.rows * Z.cols < INT_MAX / 2) {
        int rows = Z.rows * Z.cols;
        Z = one_column(Z, rows);
        slope = one_column(slope, rows);
        curve = one_column(curve, rows);
    }
    static block *const at[] = {linear_block, tanh_block, relu_block, logistic_block, softplus_block};
    double z[BLOCK] = {0}, s[BLOCK], c[BLOCK];
    for (int j = 0; j < Z.cols; j++)
        for (int i = 0; i < Z.rows; i += BLOCK) {
            double *to = lnt_at(Z, i, j), *first = slope.a ? lnt_at(slope, i, j) : s,
                   *second = curve.a ? lnt_at(curve, i, j) : c;
            size_t bytes = (size_t)(Z.rows - i) * sizeof *z;
            if (Z.rows - i >= BLOCK) {
                at[phi](to, first, second);
                continue;
            }
            memcpy(z, to, bytes);
            at[phi](z, s, c);
            memcpy(to, z, bytes);
            if (slope.a)
                memcpy(first, s, bytes);
            if (curve.a)
                memcpy(second, c, bytes);
        }
}

void lnt_activate(lnt_mat Z, lnt_mat slope, lnt_activation phi)
{
    if (phi != LNT_LINEAR)
        lnt_activate_twice(Z, slope, (lnt_mat){0}, phi);
}
