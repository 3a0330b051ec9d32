#include "linnet/linalg.h"

#include "pin.h"
#include "small.h"

#include <assert.h>
#include <cblas.h>

static CBLAS_TRANSPOSE blas_op(lnt_op op)
{
    return op == LNT_T ? CblasTrans : CblasNoTrans;
}

/* Products are called by the thousand: take the pin only where no caller holds it. */
static bool hold(void)
{
    if (lnt_pin_depth > 0)
        return false;
    lnt_blas_pin();
    return true;
}

static void release(bool pinned)
{
    if (pinned)
        lnt_blas_unpin();
}

void lnt_gemm(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, lnt_op opB, lnt_mat B, double beta)
{
    int k = opA == LNT_T ? A.rows : A.cols;
    assert(C.rows == (opA == LNT_T ? A.cols : A.rows));
    assert(C.cols == (opB == LNT_T ? B.rows : B.cols));
    assert(k == (opB == LNT_T ? B.cols : B.rows));
    if (C.rows == 0 || C.cols == 0)
        return;
    if (lnt_small_gemm(C, alpha, opA, A, opB, B, beta))
        return;
    bool pinned = hold();
    cblas_dgemm(CblasColMajor, blas_op(opA), blas_op(opB), C.rows, C.cols, k, alpha, A.a, A.ld, B.a, B.ld, beta, C.a,
                C.ld);
    release(pinned);
}

void lnt_trsv(double *x, lnt_op opR, lnt_mat R)
{
    assert(R.rows == R.cols);
    if (R.rows == 0)
        return;
    bool pinned = hold();
    cblas_dtrsv(CblasColMajor, CblasUpper, blas_op(opR), CblasNonUnit, R.rows, R.a, R.ld, x, 1);
    release(pinned);
}

void lnt_syrk(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, double beta)
{
    int k = opA == LNT_T ? A.rows : A.cols;
    assert(C.rows == C.cols && C.rows == (opA == LNT_T ? A.cols : A.rows));
    if (C.rows == 0 || lnt_small_syrk(C, alpha, opA, A, beta))
        return;
    bool pinned = hold();
    cblas_dsyrk(CblasColMajor, CblasLower, blas_op(opA), C.rows, k, alpha, A.a, A.ld, beta, C.a, C.ld);
    release(pinned);
}

void lnt_gemv(double *y, double alpha, lnt_op op, lnt_mat A, const double *x, double beta)
{
    int size = op == LNT_T ? A.cols : A.rows;
    if (A.rows == 0 || A.cols == 0) { /* BLAS would leave y alone */
        for (int i = 0; i < size; i++)
            y[i] = beta == 0 ? 0 : beta * y[i];
        return;
    }
    bool pinned = hold();
    cblas_dgemv(CblasColMajor, blas_op(op), A.rows, A.cols, alpha, A.a, A.ld, x, 1, beta, y, 1);
    release(pinned);
}

double lnt_vec_dot(int n, const double *x, const double *y)
{
    bool pinned = hold();
    double sum = cblas_ddot(n, x, 1, y, 1);
    release(pinned);
    return sum;
}

void lnt_vec_add(int n, double alpha, const double *x, double *y)
{
    bool pinned = hold();
    cblas_daxpy(n, alpha, x, 1, y, 1);
    release(pinned);
}

void lnt_solve_lower(lnt_mat B, lnt_op op, lnt_mat L)
{
    assert(L.rows == L.cols && B.rows == L.rows);
    if (B.rows == 0 || B.cols == 0)
        return;
    bool pinned = hold();
    if (B.cols == 1)
        cblas_dtrsv(CblasColMajor, CblasLower, blas_op(op), CblasNonUnit, L.rows, L.a, L.ld, B.a, 1);
    else
        cblas_dtrsm(CblasColMajor, CblasLeft, CblasLower, blas_op(op), CblasNonUnit, B.rows, B.cols, 1, L.a, L.ld, B.a,
                    B.ld);
    release(pinned);
}

void lnt_symmetrize(lnt_mat C)
{
    for (int j = 0; j < C.cols; j++)
        for (int i = j + 1; i < C.rows; i++)
            *lnt_at(C, j, i) = *lnt_at(C, i, j);
}

void lnt_gemm_single(float *C, int ldc, const float *A, int lda, const float *B, int ldb, int m, int n, int k)
{
    bool pinned = hold();
    if (A == B && m == n) /* symmetric: half the operations */
        cblas_ssyrk(CblasColMajor, CblasLower, CblasNoTrans, n, k, 1, A, lda, 1, C, ldc);
    else
        cblas_sgemm(CblasColMajor, CblasNoTrans, CblasTrans, m, n, k, 1, A, lda, B, ldb, 1, C, ldc);
    release(pinned);
}
