#include "linnet/linalg.h"

#include "simd.h"

#include <assert.h>
#include <string.h>

/* Features are taken in blocks whose columns of A stay in the first-level cache, MOST vectors of 8 outputs at a time,
 * which stay in registers. */
#define BLOCK 32
#define MOST 13

static int vectors(int outputs)
{
    return (outputs + 7) / 8;
}

lnt_status lnt_byte_map_make(lnt_ctx *ctx, lnt_byte_map *map, lnt_mat A, const double *mean)
{
    *map = (lnt_byte_map){.A = A};
    if (mean) {
        map->offset = lnt_alloc(ctx, (size_t)A.rows, sizeof *map->offset);
        if (!map->offset)
            return LNT_ENOMEM;
        for (int i = 0; i < A.rows; i++)
            map->offset[i] = 0;
        for (int k = 0; k < A.cols; k++)
            for (int i = 0; i < A.rows; i++)
                map->offset[i] += *lnt_at(A, i, k) * mean[k];
    }
    if (!lnt_simd_vnni() || A.rows < 8) /* few outputs do not fill a vector */
        return LNT_OK;
    /* packed[panel of vectors][feature][output], with zeros for the outputs that fill up the last vector */
    int all = vectors(A.rows), most = (all + MOST - 1) / MOST;
    map->panel = most ? (all + most - 1) / most : 1;
    size_t width = 8 * (size_t)map->panel, panels = ((size_t)all + (size_t)map->panel - 1) / (size_t)map->panel;
    map->packed = lnt_alloc_zero(ctx, panels * width * (size_t)A.cols, sizeof *map->packed);
    if (!map->packed)
        return LNT_ENOMEM;
    for (int k = 0; k < A.cols; k++)
        for (int i = 0; i < A.rows; i++)
            map->packed[((size_t)i / width * (size_t)A.cols + (size_t)k) * width + (size_t)i % width] =
                *lnt_at(A, i, k);
    return LNT_OK;
}

static lnt_status apply_blas(lnt_ctx *ctx, lnt_mat Z, const lnt_byte_map *map, const uint8_t *x)
{
    lnt_mat X;
    size_t size = (size_t)map->A.cols * (size_t)Z.cols;
    lnt_status status = lnt_mat_alloc(ctx, &X, map->A.cols, Z.cols);
    if (status != LNT_OK)
        return status;
    for (size_t i = 0; i < size; i++)
        X.a[i] = x[i];
    lnt_gemm(Z, 1, LNT_N, map->A, LNT_N, X, 0);
    for (int j = 0; j < Z.cols && map->offset; j++)
        for (int i = 0; i < Z.rows; i++)
            *lnt_at(Z, i, j) -= map->offset[i];
    return LNT_OK;
}

#ifdef LNT_X86

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,bmi")))

typedef struct strip {
    lnt_mat Z;
    const double *offset, *A;
    const uint8_t *x;
    size_t stride;
    int width; /* features of this block */
    __mmask8 last;
    uintptr_t ahead; /* what follows these samples in memory: very likely the next ones */
} strip;

/* Two samples and one block of features: z <- z + A x, in the first block A x - offset. The bits of `present` are the
 * features of which one of the two is not 0; all others would add 0. */
AVX512 static inline __attribute__((always_inline)) void add_features(const strip *s, double *const z[2],
                                                                      const uint8_t *const x[2], uint64_t present,
                                                                      const double *number, int count)
{
    __m512d sum[2][MOST];
#pragma GCC unroll 13
    for (int v = 0; v < count; v++)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            __mmask8 mask = v == count - 1 ? s->last : 0xff;
            sum[j][v] = s->offset ? _mm512_sub_pd(_mm512_setzero_pd(), _mm512_maskz_loadu_pd(mask, s->offset + 8 * v))
                                  : _mm512_maskz_loadu_pd(mask, z[j] + 8 * v);
        }
    for (; present; present &= present - 1) {
        int k = __builtin_ctzll(present);
        __m512d value0 = _mm512_set1_pd(number[x[0][k]]), value1 = _mm512_set1_pd(number[x[1][k]]);
        const double *column = s->A + (size_t)k * 8 * (size_t)count;
#pragma GCC unroll 13
        for (int v = 0; v < count; v++) {
            __m512d a = _mm512_load_pd(column + 8 * v);
            sum[0][v] = _mm512_fmadd_pd(value0, a, sum[0][v]);
            sum[1][v] = _mm512_fmadd_pd(value1, a, sum[1][v]);
        }
    }
#pragma GCC unroll 13
    for (int v = 0; v < count; v++)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++)
            _mm512_mask_storeu_pd(z[j] + 8 * v, v == count - 1 ? s->last : 0xff, sum[j][v]);
}

/* A last sample without a partner is its own. */
AVX512 static inline __attribute__((always_inline)) void add_block(strip *s, const double *number, int count)
{
    __mmask64 width = ((__mmask64)1 << s->width) - 1;
    for (int j = 0; j < s->Z.cols; j += 2) {
        int next = j + 1 < s->Z.cols ? j + 1 : j;
        const uint8_t *x[2] = {s->x + (size_t)j * s->stride, s->x + (size_t)next * s->stride};
        double *z[2] = {lnt_at(s->Z, 0, j), lnt_at(s->Z, 0, next)};
        /* Blocks jump from sample to sample, which no prefetcher of the processor follows. */
        _mm_prefetch((const char *)s->ahead, _MM_HINT_T1);
        _mm_prefetch((const char *)s->ahead + 64, _MM_HINT_T1);
        s->ahead += 128;
        __m512i any = _mm512_or_si512(_mm512_maskz_loadu_epi8(width, x[0]), _mm512_maskz_loadu_epi8(width, x[1]));
        add_features(s, z, x, _mm512_test_epi8_mask(any, any), number, count);
    }
}

/* One function for each number of vectors: only then do the sums stay in registers. */
#define FOR_EACH_COUNT(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)
#define DEFINE(count)                                                                                                  \
    AVX512 static void add_block_##count(strip *s, const double *number)                                               \
    {                                                                                                                  \
        add_block(s, number, count);                                                                                   \
    }
#define NAME(count) add_block_##count,
FOR_EACH_COUNT(DEFINE)
static void (*const add_block_of[])(strip *, const double *) = {FOR_EACH_COUNT(NAME)};

static void apply_simd(lnt_mat Z, const lnt_byte_map *map, const uint8_t *x)
{
    double number[256];
    size_t features = (size_t)map->A.cols, width = 8 * (size_t)map->panel;
    static const double zero[8 * MOST];
    uintptr_t ahead = (uintptr_t)x + features * (size_t)Z.cols;
    for (int i = 0; i < 256; i++)
        number[i] = i;
    for (int first = 0, panel = 0; first < Z.rows; first += (int)width, panel++) {
        int rows = Z.rows - first < (int)width ? Z.rows - first : (int)width;
        strip s = {.Z = lnt_block(Z, first, 0, rows, Z.cols), .stride = features, .ahead = ahead};
        s.last = rows % 8 ? (__mmask8)((1 << rows % 8) - 1) : 0xff;
        for (size_t k = 0; k < features; k += BLOCK) {
            s.width = features - k < BLOCK ? (int)(features - k) : BLOCK;
            s.x = x + k;
            s.A = map->packed + ((size_t)panel * features + k) * width;
            s.offset = k ? NULL : map->offset ? map->offset + first : zero;
            add_block_of[vectors(rows) - 1](&s, number);
        }
    }
}

#endif

lnt_status lnt_byte_map_apply(lnt_ctx *ctx, lnt_mat Z, const lnt_byte_map *map, const uint8_t *x)
{
    assert(Z.rows == map->A.rows);
#ifdef LNT_X86
    if (map->packed && map->A.cols > 0) {
        apply_simd(Z, map, x);
        return LNT_OK;
    }
#endif
    return apply_blas(ctx, Z, map, x);
}
