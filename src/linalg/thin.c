/* Products of one large matrix with a few vectors: as fast as the matrix comes from memory, for up to three of them. */
#include "linnet/linalg.h"

#include "simd.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define TILE 8
#define STRIP 4 /* with more columns, sums and factors of three vectors would not fit into 32 registers */
#define MOST 4  /* vectors at a time */
/* Doubles ahead that a kernel fetches: processors do not look beyond a page by themselves. */
#define AHEAD 512
#define INLINE static inline __attribute__((always_inline))

typedef struct sample_list {
    lnt_mat X;
    const int *columns;
    const double *t;
    int count;
} sample_list;

typedef struct kernels {
    void (*packed[MOST])(const lnt_packed *A, double *y, const double *r, size_t ld);
    void (*samples[MOST])(const sample_list *list, double *y, const double *r, size_t ld);
} kernels;

typedef double pair __attribute__((vector_size(16), may_alias));
typedef double loose_pair __attribute__((vector_size(16), may_alias, aligned(8)));
#define NAME(function) function##_by_2
#define TARGET
#define VEC pair
#define LOOSE loose_pair
#define WIDTH 2
#define MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
#include "thin_kernel.h"

#ifdef LNT_X86
#include <immintrin.h>

#define NAME(function) function##_by_4
#define TARGET __attribute__((target("avx2,fma")))
#define VEC __m256d
#define LOOSE __m256d_u
#define WIDTH 4
#define MULTIPLY_ADD(x, y, z) _mm256_fmadd_pd(x, y, z)
#include "thin_kernel.h"

#define NAME(function) function##_by_8
#define TARGET __attribute__((target("avx512f")))
#define VEC __m512d
#define LOOSE __m512d_u
#define WIDTH 8
#define MULTIPLY_ADD(x, y, z) _mm512_fmadd_pd(x, y, z)
#include "thin_kernel.h"
#endif

static const kernels *choose(void)
{
#ifdef LNT_X86
    if (lnt_simd_avx512())
        return &thin_by_8;
    if (lnt_simd_avx2())
        return &thin_by_4;
#endif
    return &thin_by_2;
}

lnt_status lnt_padded_alloc(lnt_ctx *ctx, lnt_mat *A, int n, int cols)
{
    return lnt_mat_alloc_zero(ctx, A, LNT_PADDED(n), cols);
}

lnt_status lnt_packed_alloc(lnt_ctx *ctx, lnt_packed *P, int n)
{
    size_t tiles = LNT_PADDED((size_t)n) / TILE;
    *P = (lnt_packed){lnt_alloc(ctx, tiles * (tiles + 1) / 2 * TILE * TILE, sizeof *P->a), n};
    return P->a ? LNT_OK : LNT_ENOMEM;
}

/* Columns col .. col + cols - 1 of the tile at row `row` of C, filled up with zeros. */
static double *pack(double *a, lnt_mat C, int row, int col, int cols)
{
    for (int j = col; j < col + cols; j++)
        for (int i = row; i < row + TILE; i++) {
            bool inside = i < C.rows && j < C.cols;
            *a++ = !inside ? 0 : i >= j ? *lnt_at(C, i, j) : *lnt_at(C, j, i);
        }
    return a;
}

void lnt_packed_set(const lnt_packed *P, int first, lnt_mat C)
{
    assert(first % TILE == 0 && C.rows == P->n - first && (C.cols % TILE == 0 || C.cols == C.rows));
    size_t all = LNT_PADDED((size_t)P->n) / TILE, left = all - (size_t)first / TILE;
    double *a = P->a + (all * (all + 1) - left * (left + 1)) / 2 * TILE * TILE;
    for (int diagonal = 0; diagonal < C.cols; diagonal += TILE) {
        a = pack(a, C, diagonal, diagonal, TILE);
        for (int col = diagonal; col < diagonal + TILE; col += STRIP)
            for (int row = diagonal + TILE; row < C.rows; row += TILE)
                a = pack(a, C, row, col, STRIP);
    }
}

static void check_padded(lnt_mat Y, lnt_mat R, int n)
{
    assert(R.rows == LNT_PADDED(n) && Y.rows == R.rows && Y.cols == R.cols && R.ld == R.rows && Y.ld == R.rows);
    assert((uintptr_t)Y.a % 64 == 0 && (uintptr_t)R.a % 64 == 0);
    (void)Y, (void)R, (void)n;
}

void lnt_packed_multiply(lnt_mat Y, const lnt_packed *A, lnt_mat R)
{
    check_padded(Y, R, A->n);
    lnt_mat_fill(Y, 0);
    for (int first = 0, count; first < R.cols; first += count) {
        count = R.cols - first < MOST ? R.cols - first : MOST;
        choose()->packed[count - 1](A, lnt_at(Y, 0, first), lnt_at(R, 0, first), (size_t)R.ld);
    }
}

void lnt_samples_multiply(lnt_mat Y, lnt_mat X, const int *columns, int count, lnt_mat R, const double *t)
{
    const sample_list list = {X, columns, t, count};
    check_padded(Y, R, X.rows);
    lnt_mat_fill(Y, 0);
    for (int first = 0, vectors; first < R.cols; first += vectors) {
        vectors = R.cols - first < MOST ? R.cols - first : MOST;
        choose()->samples[vectors - 1](&list, lnt_at(Y, 0, first), lnt_at(R, 0, first), (size_t)R.ld);
    }
}
