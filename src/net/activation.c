#include "linnet/net.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#define PLACES 8

/* slope, or both derivatives, may be NULL. count is a multiple of PLACES. */
typedef void kernel(double *z, double *slope, double *curve, int count);

static void linear_at(double *z, double *slope, double *curve, int count)
{
    (void)z;
    for (int i = 0; slope && i < count; i++)
        slope[i] = 1;
    for (int i = 0; curve && i < count; i++)
        curve[i] = 0;
}

#define KERNEL "activation_kernel.h"
#include "vectors.h"

static kernel *choose(lnt_activation phi)
{
#ifdef LNT_X86
    if (lnt_simd_avx512())
        return kernels_by_8[phi];
    if (lnt_simd_avx2())
        return kernels_by_4[phi];
#endif
    return kernels_by_2[phi];
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

static void column(kernel *at, double *z, double *slope, double *curve, int count)
{
    double rest[3][PLACES] = {0};
    int whole = count / PLACES * PLACES;
    size_t bytes = (size_t)(count - whole) * sizeof *z;
    at(z, slope, curve, whole);
    if (bytes == 0)
        return;
    memcpy(rest[0], z + whole, bytes);
    at(rest[0], slope ? rest[1] : NULL, curve ? rest[2] : NULL, PLACES);
    memcpy(z + whole, rest[0], bytes);
    if (slope)
        memcpy(slope + whole, rest[1], bytes);
    if (curve)
        memcpy(curve + whole, rest[2], bytes);
}

void lnt_activate_twice(lnt_mat Z, lnt_mat slope, lnt_mat curve, lnt_activation phi)
{
    if (dense(Z) && dense(slope) && dense(curve) && (double)Z.rows * Z.cols < INT_MAX / 2) {
        int rows = Z.rows * Z.cols;
        Z = one_column(Z, rows);
        slope = one_column(slope, rows);
        curve = one_column(curve, rows);
    }
    kernel *at = choose(phi);
    for (int j = 0; j < Z.cols && Z.rows > 0; j++)
        column(at, lnt_at(Z, 0, j), slope.a ? lnt_at(slope, 0, j) : NULL, curve.a ? lnt_at(curve, 0, j) : NULL, Z.rows);
}

void lnt_activate(lnt_mat Z, lnt_mat slope, lnt_activation phi)
{
    if (phi != LNT_LINEAR)
        lnt_activate_twice(Z, slope, (lnt_mat){0}, phi);
}
