#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>

void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
             int *info);
void dtpqrt_(const int *m, const int *n, const int *l, const int *nb, double *a, const int *lda, double *b,
             const int *ldb, double *t, const int *ldt, double *work, int *info);

#define BLOCK 32

static lnt_status triangle(lnt_ctx *ctx, lnt_mat R, lnt_mat A)
{
    int m = A.rows, n = A.cols, least = m < n ? m : n, query = -1, info = 0;
    double size;
    lnt_mat_fill(R, 0);
    if (!lnt_mat_finite(A))
        return lnt_fail(ctx, LNT_EDOMAIN, "QR factorisation: the %d x %d matrix has entries that are not finite", m, n);
    if (least == 0)
        return LNT_OK;
    dgeqrf_(&m, &n, A.a, &A.ld, &size, &size, &query, &info);
    int lwork = (int)size;
    double *tau = lnt_alloc(ctx, (size_t)least, sizeof *tau), *work = lnt_alloc(ctx, (size_t)lwork, sizeof *work);
    if (!tau || !work)
        return LNT_ENOMEM;
    dgeqrf_(&m, &n, A.a, &A.ld, tau, work, &lwork, &info);
    for (int j = 0; j < n; j++)
        for (int i = 0; i <= j && i < m; i++)
            *lnt_at(R, i, j) = *lnt_at(A, i, j);
    return LNT_OK;
}

lnt_status lnt_qr_triangle(lnt_ctx *ctx, lnt_mat R, lnt_mat A)
{
    assert(R.rows == A.cols && R.cols == A.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = triangle(ctx, R, A);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Row j of the diagonal is rotated into R column by column; `row` (n) is scratch. */
static void rotate(lnt_mat R, const double *e, int count, double *row)
{
    int n = R.cols;
    for (int j = 0; j < count; j++) {
        for (int c = j; c < n; c++)
            row[c] = 0;
        row[j] = e[j];
        for (int c = j; c < n; c++) {
            double r = *lnt_at(R, c, c), h = hypot(r, row[c]);
            if (row[c] == 0)
                continue;
            double cosine = r / h, sine = row[c] / h;
            *lnt_at(R, c, c) = h;
            for (int k = c + 1; k < n; k++) {
                double *at = lnt_at(R, c, k), above = *at;
                *at = cosine * above + sine * row[k];
                row[k] = cosine * row[k] - sine * above;
            }
        }
    }
}

lnt_status lnt_qr_diagonal(lnt_ctx *ctx, lnt_mat R, const double *e, int count)
{
    int n = R.cols, nb = BLOCK, info = 0;
    assert(R.rows == n && count <= n);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = LNT_OK;
    if (n <= 2 * BLOCK) {
        double *row = lnt_alloc(ctx, (size_t)n, sizeof *row);
        if (row)
            rotate(R, e, count, row);
        status = row ? LNT_OK : LNT_ENOMEM;
    } else if (count > 0) {
        lnt_mat B, T;
        double *work = lnt_alloc(ctx, (size_t)nb * (size_t)n, sizeof *work);
        status = work ? lnt_mat_alloc_zero(ctx, &B, count, n) : LNT_ENOMEM;
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &T, nb, n);
        if (status == LNT_OK) {
            for (int j = 0; j < count; j++)
                *lnt_at(B, j, j) = e[j];
            lnt_blas_pin();
            dtpqrt_(&count, &n, &count, &nb, R.a, &R.ld, B.a, &B.ld, T.a, &T.ld, work, &info);
            lnt_blas_unpin();
        }
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
