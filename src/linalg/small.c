#include "small.h"

#include "simd.h"

#ifndef LNT_X86

bool lnt_small_gemm(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, lnt_op opB, lnt_mat B, double beta)
{
    (void)C, (void)alpha, (void)opA, (void)A, (void)opB, (void)B, (void)beta;
    return false;
}

bool lnt_small_syrk(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, double beta)
{
    (void)C, (void)alpha, (void)opA, (void)A, (void)beta;
    return false;
}

#else

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f")))
/* The numbers that are broadcast are fetched that many columns before their turn: products in a row over the columns of
 * one large matrix, as in the minibatches of a stream, would wait for the memory otherwise. */
#define AHEAD 16
#define INLINE static inline __attribute__((always_inline))

/* One product T <- alpha V F + beta T, T being C or its transpose: V (rows x k) lies column after column and is read in
 * vectors, of F (k x cols) single numbers are broadcast. */
typedef struct product {
    double *T, alpha, beta;
    const double *V, *F;
    size_t ldt, ldv, next_k, next_col; /* strides of F */
    int k;
    bool transposed; /* T is stored row after row */
    bool lower;      /* only tiles that reach the diagonal or below are wanted */
    __mmask8 last;   /* of the last vector of a tile */
} product;

AVX512 INLINE __m512d combine(const product *p, __mmask8 mask, const double *t, __m512d sum)
{
    sum = _mm512_mul_pd(_mm512_set1_pd(p->alpha), sum);
    return p->beta == 0 ? sum : _mm512_fmadd_pd(_mm512_set1_pd(p->beta), _mm512_maskz_loadu_pd(mask, t), sum);
}

AVX512 INLINE void transpose(__m512d x[8])
{
    __m512d a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm512_unpacklo_pd(x[2 * i], x[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_pd(x[2 * i], x[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++)
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            b[4 * h + i] = _mm512_shuffle_f64x2(a[4 * h + i], a[4 * h + 2 + i], 0x88);
            b[4 * h + 2 + i] = _mm512_shuffle_f64x2(a[4 * h + i], a[4 * h + 2 + i], 0xdd);
        }
        /* b[i] holds the columns i and i + 4 of the first (last) four rows, by pairs of rows */
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        x[i] = _mm512_shuffle_f64x2(b[i], b[4 + i], 0x88);
        x[4 + i] = _mm512_shuffle_f64x2(b[i], b[4 + i], 0xdd);
    }
}

/* Stores the transpose of 8 x count sums, of which `mask` are rows of T. */
AVX512 INLINE void store_transposed(const product *p, double *t, const __m512d *sum, int vectors, int count,
                                    __mmask8 mask)
{
    __m512d x[8];
    __mmask8 present = (__mmask8)((1 << count) - 1);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        x[j] = j < count ? sum[j * vectors] : _mm512_setzero_pd();
    transpose(x);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        if (mask >> i & 1) {
            double *to = t + (size_t)i * p->ldt;
            _mm512_mask_storeu_pd(to, present, combine(p, present, to, x[i]));
        }
}

/* A tile of `vectors` x 8 rows and `count` columns at (row, col): its sums stay in registers. */
AVX512 INLINE void tile(const product *p, int row, int col, int vectors, int count)
{
    __m512d sum[3 * 8], x[3];
    const __mmask8 last = p->last;
    const double *v = p->V + row, *f = p->F + (size_t)col * p->next_col;
#pragma GCC unroll 24
    for (int s = 0; s < vectors * count; s++)
        sum[s] = _mm512_setzero_pd();
    uintptr_t ahead = (uintptr_t)f + AHEAD * p->next_col * sizeof *f;
    for (int k = p->k; k > 0; k--, v += p->ldv, f += p->next_k, ahead += 64) {
        _mm_prefetch((const char *)ahead, _MM_HINT_T0);
#pragma GCC unroll 3
        for (int i = 0; i < vectors; i++)
            x[i] = i == vectors - 1 ? _mm512_maskz_loadu_pd(last, v + 8 * i) : _mm512_loadu_pd(v + 8 * i);
#pragma GCC unroll 8
        for (int j = 0; j < count; j++) {
            __m512d y = _mm512_set1_pd(f[(size_t)j * p->next_col]);
#pragma GCC unroll 3
            for (int i = 0; i < vectors; i++)
                sum[j * vectors + i] = _mm512_fmadd_pd(x[i], y, sum[j * vectors + i]);
        }
    }
#pragma GCC unroll 3
    for (int i = 0; i < vectors; i++) {
        __mmask8 mask = i == vectors - 1 ? last : 0xff;
        if (p->transposed) {
            store_transposed(p, p->T + (size_t)(row + 8 * i) * p->ldt + col, sum + i, vectors, count, mask);
            continue;
        }
#pragma GCC unroll 8
        for (int j = 0; j < count; j++) {
            double *t = p->T + (size_t)(col + j) * p->ldt + row + 8 * i;
            _mm512_mask_storeu_pd(t, mask, combine(p, mask, t, sum[j * vectors + i]));
        }
    }
}

/* One function for each size of a tile: only then do the sums stay in registers. */
#define FOR_EACH_COUNT(X, v) X(v, 1) X(v, 2) X(v, 3) X(v, 4) X(v, 5) X(v, 6) X(v, 7) X(v, 8)
#define DEFINE(v, count)                                                                                               \
    AVX512 static void tile_##v##_##count(const product *p, int row, int col)                                          \
    {                                                                                                                  \
        tile(p, row, col, v, count);                                                                                   \
    }
#define NAME(v, count) tile_##v##_##count,
FOR_EACH_COUNT(DEFINE, 1)
FOR_EACH_COUNT(DEFINE, 2)
FOR_EACH_COUNT(DEFINE, 3)
static void (*const tile_of[3][8])(const product *, int, int) = {
    {FOR_EACH_COUNT(NAME, 1)}, {FOR_EACH_COUNT(NAME, 2)}, {FOR_EACH_COUNT(NAME, 3)}};

/* Tiles of nearly equal size, so that 10 columns are two times 5 and not 8 and 2. */
static void multiply(product *p, int rows, int cols)
{
    int vectors = (rows + 7) / 8, strips = (vectors + 2) / 3, across = (cols + 7) / 8;
    for (int s = 0; s < strips; s++) {
        int begin = vectors * s / strips, end = vectors * (s + 1) / strips, left = rows - 8 * (end - 1);
        p->last = left < 8 ? (__mmask8)((1 << left) - 1) : 0xff;
        for (int a = 0; a < across; a++) {
            int col = (int)((long)cols * a / across), count = (int)((long)cols * (a + 1) / across) - col;
            if (p->lower && col >= 8 * end)
                break;
            tile_of[end - begin - 1][count - 1](p, 8 * begin, col);
        }
    }
}

#define PACKED 2048

/* Vectors run along the rows of op(A) = V, or along the columns of op(B). */
static bool orient(product *p, lnt_op opV, lnt_mat V, lnt_op opF, lnt_mat F, double *packed)
{
    p->V = V.a;
    p->F = F.a;
    p->ldv = (size_t)V.ld;
    p->next_k = opF == LNT_N ? 1 : (size_t)F.ld;
    p->next_col = opF == LNT_N ? (size_t)F.ld : 1;
    if (opV == LNT_N)
        return true;
    if (V.rows * V.cols > PACKED)
        return false;
    for (int i = 0; i < V.cols; i++)
        for (int k = 0; k < V.rows; k++)
            packed[(size_t)k * (size_t)V.cols + (size_t)i] = *lnt_at(V, k, i);
    p->V = packed;
    p->ldv = (size_t)V.cols;
    return true;
}

/* Numbers computed for those wanted, as vectors are filled up. */
static double fill(int rows)
{
    int filled = (rows + 7) / 8 * 8;
    return (double)filled / rows;
}

/* How vectors run where that was measured to be faster than OpenBLAS 0.3.21, which has kernels for small products too:
 * for one side of up to 15, and of up to 32 where the product is large enough for it to copy. */
typedef enum layout { BLAS, ALONG_ROWS, ALONG_COLUMNS } layout;

static layout choose(int m, int n, int k, lnt_op opA, lnt_op opB)
{
    double size = (double)m * n * k;
    if (size <= 1000)
        return ALONG_ROWS;
    if (m > (size > 1e6 ? 32 : 15) || k > 2048)
        return BLAS;
    if (opB == LNT_T && fill(n) < fill(m))
        return m >= (opA == LNT_T ? 5 : 3) && k >= 16 ? ALONG_COLUMNS : BLAS;
    if (opA == LNT_T)
        return fill(m) < 1.34 || k <= 16 ? ALONG_ROWS : BLAS;
    return fill(m) <= 1.6 ? ALONG_ROWS : BLAS;
}

bool lnt_small_gemm(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, lnt_op opB, lnt_mat B, double beta)
{
    int k = opA == LNT_T ? A.rows : A.cols;
    double packed[PACKED];
    product p = {.T = C.a, .alpha = alpha, .beta = beta, .ldt = (size_t)C.ld, .k = k};
    layout chosen = lnt_simd_avx512() ? choose(C.rows, C.cols, k, opA, opB) : BLAS;
    if (chosen == BLAS)
        return false;
    if (chosen == ALONG_ROWS) {
        if (!orient(&p, opA, A, opB, B, packed))
            return false;
        multiply(&p, C.rows, C.cols);
        return true;
    }
    p.transposed = true;
    orient(&p, LNT_N, B, opA == LNT_T ? LNT_N : LNT_T, A, NULL);
    multiply(&p, C.cols, C.rows);
    return true;
}

/* Faster than OpenBLAS 0.3.21 up to so many rows, by parts of A that stay in the second cache. */
#define SYRK_ROWS 800
#define SYRK_PART 65536

bool lnt_small_syrk(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, double beta)
{
    if (!lnt_simd_avx512() || opA == LNT_T || C.rows > SYRK_ROWS)
        return false;
    int part = SYRK_PART / C.rows, i = 0;
    do {
        lnt_mat some = lnt_columns(A, i, A.cols - i < part ? A.cols - i : part);
        product p = {
            .T = C.a, .alpha = alpha, .beta = i ? 1 : beta, .ldt = (size_t)C.ld, .k = some.cols, .lower = true};
        orient(&p, LNT_N, some, LNT_T, some, NULL);
        multiply(&p, C.rows, C.rows);
        i += part;
    } while (i < A.cols);
    return true;
}

#endif
