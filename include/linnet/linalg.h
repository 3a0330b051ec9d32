/* The face of BLAS and LAPACK: the only module that names their symbols.
 *
 * All matrices are column-major views (mat.h). Outputs must not overlap inputs unless said otherwise.
 * Every routine runs on one BLAS thread (lnt_blas_pin); linnet's own parallelism stands above it. */
#ifndef LINNET_LINALG_H
#define LINNET_LINALG_H

#include "linnet/mat.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Holds BLAS at one thread until the matching lnt_blas_unpin(), which restores the former number.
 * Calls nest and may come from several threads. */
LNT_API void lnt_blas_pin(void);
LNT_API void lnt_blas_unpin(void);
/* False when the BLAS that was loaded must not be called from several threads at once
 * (OpenBLAS built without threads). */
LNT_API bool lnt_blas_reentrant(void);
/* What was loaded: its version, build options and kernel, for benchmarks and bug reports. */
LNT_API const char *lnt_blas_description(void);
/* Forbids, or allows again, the kernels that linnet has for some processors, in the whole process: for tests and
 * comparisons. Then all products go through BLAS, and sums of doubles may round differently. */
LNT_API void lnt_simd_allow(bool allowed);

typedef enum lnt_op { LNT_N, LNT_T } lnt_op;

/* C <- alpha op(A) op(B) + beta C. Shapes are the caller's duty (asserted). 2*m*n*k operations. */
LNT_API void lnt_gemm(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, lnt_op opB, lnt_mat B, double beta);
/* x <- op(R)^{-1} x for the upper triangle of a square R, whose diagonal must not contain 0. n^2 operations. */
LNT_API void lnt_trsv(double *x, lnt_op opR, lnt_mat R);
/* Lower triangle of C <- alpha op(A) op(A)^T + beta C, with LNT_N for A A^T and LNT_T for A^T A. */
LNT_API void lnt_syrk(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, double beta);
/* y <- alpha op(A) x + beta y; 2*m*n operations. y must not overlap x, and is not read where beta = 0. */
LNT_API void lnt_gemv(double *y, double alpha, lnt_op op, lnt_mat A, const double *x, double beta);
/* sum_i x_i y_i, and y <- y + alpha x, of n numbers each. */
LNT_API double lnt_vec_dot(int n, const double *x, const double *y);
LNT_API void lnt_vec_add(int n, double alpha, const double *x, double *y);
/* Copies the lower triangle onto the upper one. */
LNT_API void lnt_symmetrize(lnt_mat C);
/* C <- C + A B^T in single precision; A is m x k, B is n x k, column-major with leading dimensions. Where A and B are
 * the same array and m = n only the lower triangle is meant, at half the cost. Exact when all products and sums are
 * integers below 2^24. */
LNT_API void lnt_gemm_single(float *C, int ldc, const float *A, int lda, const float *B, int ldb, int m, int n, int k);

/* S (m x n) <- S + sum_k (a_ki - 128) (b_kj - 128) over `rows` <= LNT_BYTE_ROWS rows of bytes, which lie `stride` bytes
 * apart. S is column-major with leading dimension ld, a multiple of LNT_BYTE_PAD and at least m, and has ld columns
 * where n <= ld is smaller too; what lies beyond m and n is scratch. Where a and b are the same array and m = n only
 * the lower triangle is meant. Exact while S stays within 32 bits, as it does for the sum of 131,071 rows. By dot
 * products of bytes where the processor has them (AVX-512 VNNI), else in single precision; the same numbers either way.
 * scratch: lnt_gemm_bytes_scratch(m, n) bytes from lnt_alloc(). */
#define LNT_BYTE_ROWS 512
#define LNT_BYTE_PAD 48
LNT_API size_t lnt_gemm_bytes_scratch(int m, int n);
LNT_API void lnt_gemm_bytes(int32_t *S, int ld, const uint8_t *a, int m, const uint8_t *b, int n, size_t stride,
                            int rows, void *scratch);

/* ---- Products with a few vectors, over and over ----
 * Y <- A R reads A once for all columns of R, by vectors of the processor's width (AVX-512, AVX2 or plain). A column of
 * Y depends on its column of R alone, to the bit: not on how many others there are. R and Y have LNT_PADDED(n) rows, of
 * which those beyond n must be 0 in R and are scratch in Y, ld = rows, and are aligned to 64 bytes, as
 * lnt_padded_alloc() makes them. A number that is not finite stays in its column. */
#define LNT_PADDED(n) (((n) + 7) / 8 * 8)

/* A <- new scratch matrix of zeros with LNT_PADDED(n) rows. */
LNT_API lnt_status lnt_padded_alloc(lnt_ctx *ctx, lnt_mat *A, int n, int cols);

/* A symmetric n x n matrix, packed by tiles of its lower half: 4 n (n + 8) bytes, half of what the matrix takes. The
 * fields are private. */
typedef struct lnt_packed {
    double *a;
    int n;
} lnt_packed;

/* P <- new scratch matrix; lnt_packed_set() fills it. */
LNT_API lnt_status lnt_packed_alloc(lnt_ctx *ctx, lnt_packed *P, int n);
/* Columns first, first + 1, ... of the matrix, from row `first` down: C is (n - first) x count, its entries above row
 * i - first of column i are not read. first is a multiple of 8, and so is count except at the end. */
LNT_API void lnt_packed_set(const lnt_packed *P, int first, lnt_mat C);
/* Y <- A R for the packed A. n^2 multiplications and as many additions a column; every entry is loaded once for up to
 * four columns and used for both halves, so that one column takes half the time of a general product. */
LNT_API void lnt_packed_multiply(lnt_mat Y, const lnt_packed *A, lnt_mat R);

/* Y <- sum over samples j of x_j (x_j' R - t_j 1'), with x_j column j of X (n rows): samples = columns[0 .. count-1],
 * or 0 .. count-1 where columns is NULL; t (a value for each column of X) may be NULL for 0. With t the gradient of 1/2
 * |X' r - t|^2, without it X X' r. Every x_j is loaded once: 2 n count multiplications and additions a column. */
LNT_API void lnt_samples_multiply(lnt_mat Y, lnt_mat X, const int *columns, int count, lnt_mat R, const double *t);

/* The affine map z = A (x - mean) of samples of bytes. The fields are private. */
typedef struct lnt_byte_map {
    lnt_mat A;
    double *offset, *packed;
    int panel;
} lnt_byte_map;

/* Prepares a map in scratch memory; mean may be NULL, A must outlive the map. */
LNT_API lnt_status lnt_byte_map_make(lnt_ctx *ctx, lnt_byte_map *map, lnt_mat A, const double *mean);
/* Z <- A (x_j - mean) for the samples j = 0 .. Z.cols - 1, which lie one after another from x on. At most 2 operations
 * an entry of A and sample: with AVX-512 those with bytes 0 are left out, which changes no bit of the result. */
LNT_API lnt_status lnt_byte_map_apply(lnt_ctx *ctx, lnt_mat Z, const lnt_byte_map *map, const uint8_t *x);

/* Symmetric A = V diag(w) V^T (lower triangle read), w ascending, V orthogonal in columns.
 * A is n x n and is overwritten; w holds n. V is n x n, or n x k with k < n for the vectors of the k largest
 * eigenvalues only. LAPACK dsyevd, about 9 n^3 operations; its parts dsytrd, dstedc and dormtr, at two thirds of the
 * time, where k is small.
 * LNT_EDOMAIN for non-finite input, LNT_ENUMERIC when it does not converge. */
LNT_API lnt_status lnt_eigh(lnt_ctx *ctx, double *w, lnt_mat V, lnt_mat A);
/* The same without eigenvectors: Z (n x k) <- V^T Z, coordinates of a few vectors or of none, w ascending. A is
 * overwritten. Signs of the columns of V are arbitrary, the same for all columns of Z. LAPACK dsytrd, 4/3 n^3
 * operations, then implicit QR steps (Francis 1961) on the tridiagonal matrix, whose rotations Z takes part in, O(n^2
 * k): a quarter of the time of lnt_eigh(). Eigenvalues to about n eps |A|. Errors as in lnt_eigh. */
LNT_API lnt_status lnt_eigh_coordinates(lnt_ctx *ctx, double *w, lnt_mat Z, lnt_mat A);
/* Thin SVD A = U diag(s) V^T with s descending, k = min(m,n): U is m x k, VT is k x n. A is unchanged.
 * With U m x m and VT n x n: the full SVD, whose further columns of U and rows of VT complete orthogonal bases.
 * LAPACK dgesdd, then dgesvd if that fails. Errors as in lnt_eigh. */
LNT_API lnt_status lnt_svd(lnt_ctx *ctx, lnt_mat U, double *s, lnt_mat VT, lnt_mat A);
/* B <- op(L)^{-1} B for a lower triangular L without zeros on its diagonal; n^2 operations a column of B. */
LNT_API void lnt_solve_lower(lnt_mat B, lnt_op op, lnt_mat L);
/* A (m x n, m >= n) <- its Q factor; diag receives the n diagonal entries of R. LAPACK dgeqrf, dorgqr. */
LNT_API lnt_status lnt_qr(lnt_ctx *ctx, lnt_mat A, double *diag);
/* Symmetric A = L L^T (lower triangle read and overwritten; the upper one is left alone). False, with A in pieces,
 * where A is not positive definite to rounding or not finite. n^3/3 operations. LAPACK dpotrf. */
LNT_API bool lnt_cholesky(lnt_mat A);
/* L <- the whole inverse of L L^T, from lnt_cholesky(). 2 n^3/3 operations. LAPACK dpotri. */
LNT_API void lnt_cholesky_inverse(lnt_mat L);
/* B <- (L L^T)^-1 B. LAPACK dpotrs. */
LNT_API void lnt_cholesky_solve(lnt_mat B, lnt_mat L);
/* R (n x n, zeros below its diagonal) <- the triangle of A = Q R without Q; A (m x n, any m) is overwritten. With a
 * right side as the last column of A, that of R holds Q^T b. LAPACK dgeqrf, 2 m n^2 operations. Errors as in lnt_qr. */
LNT_API lnt_status lnt_qr_triangle(lnt_ctx *ctx, lnt_mat R, lnt_mat A);
/* R (n x n, upper triangle read and written) <- the triangle of [R; diag(e) 0] for count <= n numbers e: the least
 * squares problem of R with rows e_j p_j = 0 added. LAPACK dtpqrt, which uses the zeros, or Givens rotations where R is
 * small: n^3 operations or fewer. */
LNT_API lnt_status lnt_qr_diagonal(lnt_ctx *ctx, lnt_mat R, const double *e, int count);

#ifdef __cplusplus
}
#endif
#endif
