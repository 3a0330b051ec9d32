/* Descent of eight starts at once, one in each lane of a vector. */
#include "linnet/linalg.h"
#include "linnet/modes.h"

#include "../linalg/simd.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* ---- Kernels: two doubles to a vector are what every processor has ---- */

typedef double pair __attribute__((vector_size(16), may_alias));
#define NAME(function) function##_2
#define TARGET
#define VEC pair
#define WIDTH 2
#define MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
#define UNITS 1
#include "lanes_kernel.h"

#ifdef LNT_X86
#include <immintrin.h>

#define NAME(function) function##_4
#define TARGET __attribute__((target("avx2,fma")))
#define VEC __m256d
#define WIDTH 4
#define MULTIPLY_ADD(x, y, z) _mm256_fmadd_pd(x, y, z)
#define UNITS 1
#include "lanes_kernel.h"

#define NAME(function) function##_8
#define TARGET __attribute__((target("avx512f")))
#define VEC __m512d
#define WIDTH 8
#define MULTIPLY_ADD(x, y, z) _mm512_fmadd_pd(x, y, z)
#define UNITS 2
#include "lanes_kernel.h"
#endif

void lnt_lanes_product(const lnt_lanes *lanes)
{
#ifdef LNT_X86
    if (lnt_simd_avx512()) {
        product_8(lanes);
        return;
    }
    if (lnt_simd_avx2()) {
        product_4(lanes);
        return;
    }
#endif
    product_2(lanes);
}

static void step(const lnt_lanes *lanes, double rate)
{
#ifdef LNT_X86
    if (lnt_simd_avx512()) {
        step_8(lanes, rate);
        return;
    }
    if (lnt_simd_avx2()) {
        step_4(lanes, rate);
        return;
    }
#endif
    step_2(lanes, rate);
}

void lnt_lanes_step(lnt_lanes *lanes, double rate)
{
    step(lanes, rate);
    double *before = lanes->B;
    lanes->B = lanes->next;
    lanes->next = before;
}

void lnt_lanes_excess(const lnt_lanes *lanes, double *excess)
{
#ifdef LNT_X86
    if (lnt_simd_avx512()) {
        excess_8(lanes, excess);
        return;
    }
    if (lnt_simd_avx2()) {
        excess_4(lanes, excess);
        return;
    }
#endif
    excess_2(lanes, excess);
}

/* ---- Weights in and out ---- */

static int fill_up(int n, int multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

lnt_status lnt_lanes_make(lnt_ctx *ctx, lnt_lanes *lanes, int hidden, lnt_mat U, lnt_mat VT, const double *target,
                          double d)
{
    assert(U.rows == U.cols && VT.rows == VT.cols);
    *lanes = (lnt_lanes){.inputs = VT.rows,
                         .hidden = hidden,
                         .outputs = U.rows,
                         .cols = fill_up(VT.rows, 4),
                         .rows = fill_up(U.rows, 2),
                         .d = d,
                         .fit = 1,
                         .competition = 1,
                         .target = target,
                         .U = U,
                         .VT = VT};
    const size_t lane = LNT_LANES * sizeof *lanes->A, units = (size_t)fill_up(hidden, 2), cols = (size_t)lanes->cols,
                 rows = (size_t)lanes->rows;
    lanes->A = lnt_alloc_zero(ctx, units * cols, lane);
    lanes->B = lnt_alloc_zero(ctx, units * rows, lane);
    lanes->next = lnt_alloc_zero(ctx, units * rows, lane);
    lanes->M = lnt_alloc_zero(ctx, rows * cols, lane);
    lanes->G = lnt_alloc_zero(ctx, rows * cols, lane);
    if (!lanes->A || !lanes->B || !lanes->next || !lanes->M || !lanes->G)
        return LNT_ENOMEM;
    lnt_status status = lnt_mat_alloc(ctx, &lanes->W1b, hidden, VT.rows);
    return status == LNT_OK ? lnt_mat_alloc(ctx, &lanes->W2b, U.rows, hidden) : status;
}

static double *entry_a(const lnt_lanes *p, int k, int i, int lane)
{
    return p->A + ((size_t)k * (size_t)p->cols + (size_t)i) * LNT_LANES + lane;
}

static double *entry_b(const lnt_lanes *p, int j, int k, int lane)
{
    return p->B + ((size_t)k * (size_t)p->rows + (size_t)j) * LNT_LANES + lane;
}

/* The numbers that fill up are cleared as well: NaN of a lane that diverged reach them. */
void lnt_lanes_clear(const lnt_lanes *lanes, int lane)
{
    assert(0 <= lane && lane < LNT_LANES);
    for (int k = 0; k < fill_up(lanes->hidden, 2); k++) {
        for (int i = 0; i < lanes->cols; i++)
            *entry_a(lanes, k, i, lane) = 0;
        for (int j = 0; j < lanes->rows; j++)
            *entry_b(lanes, j, k, lane) = 0;
    }
    for (int entry = 0; entry < lanes->rows * lanes->cols; entry++)
        lanes->M[entry * LNT_LANES + lane] = 0;
}

void lnt_lanes_put(const lnt_lanes *lanes, int lane, lnt_mat W1, lnt_mat W2)
{
    lnt_lanes_clear(lanes, lane);
    lnt_gemm(lanes->W1b, 1, LNT_N, W1, LNT_T, lanes->VT, 0);
    lnt_gemm(lanes->W2b, 1, LNT_T, lanes->U, LNT_N, W2, 0);
    for (int k = 0; k < lanes->hidden; k++) {
        for (int i = 0; i < lanes->inputs; i++)
            *entry_a(lanes, k, i, lane) = *lnt_at(lanes->W1b, k, i);
        for (int j = 0; j < lanes->outputs; j++)
            *entry_b(lanes, j, k, lane) = *lnt_at(lanes->W2b, j, k);
    }
}

void lnt_lanes_get(const lnt_lanes *lanes, int lane, lnt_mat W1, lnt_mat W2)
{
    assert(0 <= lane && lane < LNT_LANES);
    for (int k = 0; k < lanes->hidden; k++) {
        for (int i = 0; i < lanes->inputs; i++)
            *lnt_at(lanes->W1b, k, i) = *entry_a(lanes, k, i, lane);
        for (int j = 0; j < lanes->outputs; j++)
            *lnt_at(lanes->W2b, j, k) = *entry_b(lanes, j, k, lane);
    }
    lnt_gemm(W1, 1, LNT_N, lanes->W1b, LNT_N, lanes->VT, 0);
    lnt_gemm(W2, 1, LNT_N, lanes->U, LNT_N, lanes->W2b, 0);
}
