#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>

/* LAPACK by its Fortran names, with workspace from the context: LAPACKE allocates by itself. */
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info);
void dsytrd_(const char *uplo, const int *n, double *a, const int *lda, double *d, double *e, double *tau, double *work,
             const int *lwork, int *info);
void dstedc_(const char *compz, const int *n, double *d, double *e, double *z, const int *ldz, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info);
void dormtr_(const char *side, const char *uplo, const char *trans, const int *m, const int *n, double *a,
             const int *lda, const double *tau, double *c, const int *ldc, double *work, const int *lwork, int *info);
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info);
void dgesvd_(const char *jobu, const char *jobvt, const int *m, const int *n, double *a, const int *lda, double *s,
             double *u, const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *info);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
             int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
             const int *lwork, int *info);

static lnt_status not_finite(lnt_ctx *ctx, lnt_mat A, const char *routine)
{
    return lnt_fail(ctx, LNT_EDOMAIN, "%s: the %d x %d matrix has entries that are not finite", routine, A.rows,
                    A.cols);
}

static lnt_status check_finite(lnt_ctx *ctx, lnt_mat A, const char *routine)
{
    return lnt_mat_finite(A) ? LNT_OK : not_finite(ctx, A, routine);
}

/* The other triangle may be anything. */
static lnt_status check_lower(lnt_ctx *ctx, lnt_mat A)
{
    for (int j = 0; j < A.cols; j++)
        if (!lnt_mat_finite(lnt_block(A, j, j, A.rows - j, 1)))
            return not_finite(ctx, A, "eigenvalues");
    return LNT_OK;
}

static lnt_status eigh(lnt_ctx *ctx, double *w, lnt_mat V, lnt_mat A)
{
    lnt_status status = check_lower(ctx, A);
    if (status != LNT_OK || A.rows == 0)
        return status;
    int n = A.rows, query = -1, info = 0, liwork;
    double size;
    lnt_mat_copy(V, A);
    dsyevd_("V", "L", &n, V.a, &V.ld, w, &size, &query, &liwork, &query, &info);
    int lwork = (int)size;
    double *work = lnt_alloc(ctx, (size_t)lwork, sizeof *work);
    int *iwork = lnt_alloc(ctx, (size_t)liwork, sizeof *iwork);
    if (!work || !iwork)
        return LNT_ENOMEM;
    dsyevd_("V", "L", &n, V.a, &V.ld, w, work, &lwork, iwork, &liwork, &info);
    if (info != 0)
        return lnt_fail(ctx, LNT_ENUMERIC, "eigenvalues of a %d x %d matrix did not converge (dsyevd: %d)", n, n, info);
    return LNT_OK;
}

/* What dsyevd does, but only the vectors asked for are transformed back from those of the tridiagonal matrix. */
static lnt_status eigh_some(lnt_ctx *ctx, double *w, lnt_mat V, lnt_mat A)
{
    lnt_status status = check_lower(ctx, A);
    if (status != LNT_OK)
        return status;
    int n = A.rows, query = -1, info = 0, liwork, exponent;
    double size, size2, size3;
    lnt_mat Z;
    dsytrd_("L", &n, A.a, &A.ld, w, w, w, &size, &query, &info);
    dstedc_("I", &n, w, w, w, &n, &size2, &query, &liwork, &query, &info);
    dormtr_("L", "L", "N", &n, &V.cols, A.a, &A.ld, w, V.a, &V.ld, &size3, &query, &info);
    int lwork = (int)fmax(size, fmax(size2, size3));
    double *work = lnt_alloc(ctx, (size_t)lwork, sizeof *work), *e = lnt_alloc(ctx, (size_t)n, sizeof *e),
           *tau = lnt_alloc(ctx, (size_t)n, sizeof *tau);
    int *iwork = lnt_alloc(ctx, (size_t)liwork, sizeof *iwork);
    if (!work || !e || !tau || !iwork || lnt_mat_alloc(ctx, &Z, n, n) != LNT_OK)
        return LNT_ENOMEM;
    /* Squares must neither overflow nor vanish; scaling by a power of two rounds nothing. */
    (void)frexp(lnt_mat_max(A), &exponent);
    exponent = exponent > -1000 ? exponent : -1000;
    lnt_mat_scale(A, ldexp(1, -exponent));
    dsytrd_("L", &n, A.a, &A.ld, w, e, tau, work, &lwork, &info);
    dstedc_("I", &n, w, e, Z.a, &Z.ld, work, &lwork, iwork, &liwork, &info);
    if (info != 0)
        return lnt_fail(ctx, LNT_ENUMERIC, "eigenvalues of a %d x %d matrix did not converge (dstedc: %d)", n, n, info);
    lnt_mat_copy(V, lnt_columns(Z, n - V.cols, V.cols));
    dormtr_("L", "L", "N", &n, &V.cols, A.a, &A.ld, tau, V.a, &V.ld, work, &lwork, &info);
    lnt_mat_scale(lnt_mat_view(w, n, 1), ldexp(1, exponent));
    return LNT_OK;
}

lnt_status lnt_eigh(lnt_ctx *ctx, double *w, lnt_mat V, lnt_mat A)
{
    assert(A.rows == A.cols && V.rows == A.rows && V.cols <= A.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = V.cols == A.cols ? eigh(ctx, w, V, A) : eigh_some(ctx, w, V, A);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status svd(lnt_ctx *ctx, lnt_mat U, double *s, lnt_mat VT, lnt_mat A)
{
    lnt_status status = check_finite(ctx, A, "singular values");
    int m = A.rows, n = A.cols, k = m < n ? m : n, query = -1, info = 0;
    if (status != LNT_OK)
        return status;
    if (k == 0) {
        lnt_mat_identity(U);
        lnt_mat_identity(VT);
        return LNT_OK;
    }
    lnt_mat B;
    double size, size2;
    const char *job = U.cols == k && VT.rows == k ? "S" : "A";
    if ((status = lnt_mat_alloc(ctx, &B, m, n)) != LNT_OK)
        return status;
    int *iwork = lnt_alloc(ctx, 8 * (size_t)k, sizeof *iwork);
    dgesdd_(job, &m, &n, B.a, &B.ld, s, U.a, &U.ld, VT.a, &VT.ld, &size, &query, iwork, &info);
    dgesvd_(job, job, &m, &n, B.a, &B.ld, s, U.a, &U.ld, VT.a, &VT.ld, &size2, &query, &info);
    int lwork = (int)(size > size2 ? size : size2);
    double *work = lnt_alloc(ctx, (size_t)lwork, sizeof *work);
    if (!iwork || !work)
        return LNT_ENOMEM;
    lnt_mat_copy(B, A);
    dgesdd_(job, &m, &n, B.a, &B.ld, s, U.a, &U.ld, VT.a, &VT.ld, work, &lwork, iwork, &info);
    if (info != 0) {
        lnt_mat_copy(B, A);
        dgesvd_(job, job, &m, &n, B.a, &B.ld, s, U.a, &U.ld, VT.a, &VT.ld, work, &lwork, &info);
    }
    if (info != 0)
        return lnt_fail(ctx, LNT_ENUMERIC, "singular values of a %d x %d matrix did not converge (%d)", m, n, info);
    return LNT_OK;
}

lnt_status lnt_svd(lnt_ctx *ctx, lnt_mat U, double *s, lnt_mat VT, lnt_mat A)
{
    int k = A.rows < A.cols ? A.rows : A.cols;
    assert(U.rows == A.rows && VT.cols == A.cols);
    assert((U.cols == k && VT.rows == k) || (U.cols == A.rows && VT.rows == A.cols));
    (void)k;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = svd(ctx, U, s, VT, A);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

bool lnt_cholesky(lnt_mat A)
{
    int info = 0;
    assert(A.rows == A.cols);
    if (A.rows == 0)
        return true;
    lnt_blas_pin();
    dpotrf_("L", &A.rows, A.a, &A.ld, &info);
    lnt_blas_unpin();
    for (int i = 0; i < A.rows && info == 0; i++) /* NaN passes dpotrf */
        info = !(*lnt_at(A, i, i) > 0);
    return info == 0;
}

static lnt_status qr(lnt_ctx *ctx, lnt_mat A, double *diag)
{
    lnt_status status = check_finite(ctx, A, "QR factorisation");
    int m = A.rows, n = A.cols, query = -1, info = 0;
    if (status != LNT_OK || n == 0)
        return status;
    double size, size2;
    dgeqrf_(&m, &n, A.a, &A.ld, diag, &size, &query, &info);
    dorgqr_(&m, &n, &n, A.a, &A.ld, diag, &size2, &query, &info);
    int lwork = (int)(size > size2 ? size : size2);
    double *tau = lnt_alloc(ctx, (size_t)n, sizeof *tau), *work = lnt_alloc(ctx, (size_t)lwork, sizeof *work);
    if (!tau || !work)
        return LNT_ENOMEM;
    dgeqrf_(&m, &n, A.a, &A.ld, tau, work, &lwork, &info);
    for (int i = 0; i < n; i++)
        diag[i] = *lnt_at(A, i, i);
    dorgqr_(&m, &n, &n, A.a, &A.ld, tau, work, &lwork, &info);
    return LNT_OK;
}

lnt_status lnt_qr(lnt_ctx *ctx, lnt_mat A, double *diag)
{
    assert(A.rows >= A.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = qr(ctx, A, diag);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
