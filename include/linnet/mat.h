/* Matrix views: column-major, non-owning, passed by value.
 *
 * A(i,j) is A.a[i + (size_t)j*A.ld], 0 <= i < rows, 0 <= j < cols, ld >= max(rows, 1).
 * Samples stand in columns: a D x n matrix is byte for byte NumPy's C-order array (n, D). */
#ifndef LINNET_MAT_H
#define LINNET_MAT_H

#include "linnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_mat {
    double *a;
    int rows, cols, ld;
} lnt_mat;

/* The view of a dense rows x cols array. */
static inline lnt_mat lnt_mat_view(double *a, int rows, int cols)
{
    lnt_mat A = {a, rows, cols, rows > 0 ? rows : 1};
    return A;
}
/* The address of A(i,j). */
static inline double *lnt_at(lnt_mat A, int i, int j)
{
    return A.a + i + (size_t)j * (size_t)A.ld;
}
/* The rows x cols view that starts at A(i,j); it must lie inside A. */
static inline lnt_mat lnt_block(lnt_mat A, int i, int j, int rows, int cols)
{
    lnt_mat B = {lnt_at(A, i, j), rows, cols, A.ld};
    return B;
}
/* Columns first .. first+count-1 of A. */
static inline lnt_mat lnt_columns(lnt_mat A, int first, int count)
{
    return lnt_block(A, 0, first, A.rows, count);
}

/* A <- new rows x cols scratch matrix, contents undefined. LNT_EINVAL for negative sizes. */
LNT_API lnt_status lnt_mat_alloc(lnt_ctx *ctx, lnt_mat *A, int rows, int cols);
/* A <- new rows x cols scratch matrix of zeros. */
LNT_API lnt_status lnt_mat_alloc_zero(lnt_ctx *ctx, lnt_mat *A, int rows, int cols);

/* B <- A, equal shapes; they may be the same matrix but must not overlap otherwise. */
LNT_API void lnt_mat_copy(lnt_mat B, lnt_mat A);
/* B <- A^T; B is A.cols x A.rows, no overlap. */
LNT_API void lnt_mat_transpose(lnt_mat B, lnt_mat A);
LNT_API void lnt_mat_fill(lnt_mat A, double value);
/* A <- ones on the main diagonal, zeros elsewhere; any shape. */
LNT_API void lnt_mat_identity(lnt_mat A);
/* B <- B + alpha A. */
LNT_API void lnt_mat_add(lnt_mat B, double alpha, lnt_mat A);
/* B <- B o A, entry by entry. */
LNT_API void lnt_mat_multiply(lnt_mat B, lnt_mat A);
LNT_API void lnt_mat_scale(lnt_mat A, double alpha);

/* sum_ij A_ij B_ij, equal shapes. */
LNT_API double lnt_mat_dot(lnt_mat A, lnt_mat B);
/* Frobenius norm, scaled so that it neither overflows nor underflows. */
LNT_API double lnt_mat_norm(lnt_mat A);
/* Root mean square of the entries, |A|_F / sqrt(rows*cols); 0 for an empty matrix. */
LNT_API double lnt_mat_rms(lnt_mat A);
/* max_ij |A_ij|; 0 for an empty matrix. */
LNT_API double lnt_mat_max(lnt_mat A);
/* True when every entry is finite. */
LNT_API bool lnt_mat_finite(lnt_mat A);

/* Sorts n numbers, none of them NaN, ascending; the second one also returns their median, n >= 1. */
LNT_API void lnt_sort(double *x, size_t n);
LNT_API double lnt_median(double *x, int n);

#ifdef __cplusplus
}
#endif
#endif
