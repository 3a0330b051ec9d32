#include "linnet/linalg.h"

#include <assert.h>

void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda, double *b,
             const int *ldb, int *info);

bool lnt_cholesky(lnt_mat A)
{
    int n = A.rows, info = 0;
    assert(A.rows == A.cols);
    if (n == 0)
        return true;
    lnt_blas_pin();
    dpotrf_("L", &n, A.a, &A.ld, &info);
    lnt_blas_unpin();
    for (int i = 0; i < n && info == 0; i++) /* NaN passes dpotrf */
        if (!(*lnt_at(A, i, i) > 0))
            info = i + 1;
    return info == 0;
}

void lnt_cholesky_inverse(lnt_mat L)
{
    int n = L.rows, info = 0;
    if (n == 0)
        return;
    lnt_blas_pin();
    dpotri_("L", &n, L.a, &L.ld, &info);
    lnt_blas_unpin();
    lnt_symmetrize(L);
}

void lnt_cholesky_solve(lnt_mat B, lnt_mat L)
{
    int n = L.rows, info = 0;
    assert(B.rows == n);
    if (n == 0 || B.cols == 0)
        return;
    lnt_blas_pin();
    dpotrs_("L", &n, &B.cols, L.a, &L.ld, B.a, &B.ld, &info);
    lnt_blas_unpin();
}
