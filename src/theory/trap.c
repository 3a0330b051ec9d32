#include "linnet/modes.h"

#include "linnet/linalg.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/* The sign of det A, by elimination with partial pivoting; A is overwritten. */
static int determinant_sign(lnt_mat A)
{
    int sign = 1;
    for (int k = 0; k < A.rows; k++) {
        int best = k;
        for (int i = k + 1; i < A.rows; i++)
            if (fabs(*lnt_at(A, i, k)) > fabs(*lnt_at(A, best, k)))
                best = i;
        for (int j = k; j < A.cols && best != k; j++) {
            double swap = *lnt_at(A, k, j);
            *lnt_at(A, k, j) = *lnt_at(A, best, j);
            *lnt_at(A, best, j) = swap;
        }
        double pivot = *lnt_at(A, k, k);
        if (pivot == 0)
            return 0;
        sign *= (best == k ? 1 : -1) * (pivot < 0 ? -1 : 1);
        for (int j = k + 1; j < A.cols; j++)
            for (int i = k + 1; i < A.rows; i++)
                *lnt_at(A, i, j) -= *lnt_at(A, i, k) / pivot * *lnt_at(A, k, j);
    }
    return sign;
}

/* A copy of A in full rank has a sign: *sign <- sign det A, 0 below full rank. U, s, VT <- its SVD. */
static lnt_status signed_svd(lnt_ctx *ctx, int *sign, lnt_mat U, double *s, lnt_mat VT, lnt_mat A)
{
    lnt_mat copy;
    lnt_status status = lnt_mat_alloc(ctx, &copy, A.rows, A.cols);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, A);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(copy, A);
    *sign = A.rows > 0 && s[A.rows - 1] > 1e-12 * s[0] ? determinant_sign(copy) : 0;
    return LNT_OK;
}

static lnt_status zero_balanced(lnt_ctx *ctx, bool *balanced, lnt_mat W1, lnt_mat W2)
{
    lnt_mat B;
    lnt_status status = lnt_mat_alloc(ctx, &B, W1.rows, W1.rows);
    if (status != LNT_OK)
        return status;
    lnt_gemm(B, 1, LNT_T, W2, LNT_N, W2, 0);
    lnt_gemm(B, -1, LNT_N, W1, LNT_T, W1, 1);
    double n1 = lnt_mat_norm(W1), n2 = lnt_mat_norm(W2);
    *balanced = lnt_mat_norm(B) <= 1e-12 * (n1 * n1 + n2 * n2);
    return LNT_OK;
}

static lnt_status find(lnt_ctx *ctx, lnt_trap *trap, lnt_mat saddle, lnt_mat Syx, lnt_mat W1, lnt_mat W2)
{
    int N = Syx.rows, sign_start = 0, sign_task = 0;
    bool balanced = false;
    lnt_mat W, U, VT;
    double *s = lnt_alloc(ctx, (size_t)N, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &W, N, N) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, N, N);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, N, N);
    if (status == LNT_OK)
        status = zero_balanced(ctx, &balanced, W1, W2);
    if (status != LNT_OK || !balanced)
        return status;
    lnt_gemm(W, 1, LNT_N, W2, LNT_N, W1, 0);
    status = signed_svd(ctx, &sign_start, U, s, VT, W);
    if (status == LNT_OK)
        status = signed_svd(ctx, &sign_task, U, s, VT, Syx);
    if (status != LNT_OK || sign_start * sign_task >= 0)
        return status;
    double weakest = s[N - 1];
    *trap = (lnt_trap){true, weakest * weakest / 2, weakest, -log(DBL_EPSILON) / weakest};
    if (saddle.a)
        lnt_gemm(saddle, -weakest, LNT_N, lnt_columns(U, N - 1, 1), LNT_N, lnt_block(VT, N - 1, 0, 1, N), 1);
    return LNT_OK;
}

lnt_status lnt_trap_find(lnt_ctx *ctx, lnt_trap *trap, lnt_mat saddle, lnt_mat Syx, lnt_mat W1, lnt_mat W2)
{
    assert(W1.rows == W2.cols && W2.rows == Syx.rows && W1.cols == Syx.cols);
    *trap = (lnt_trap){false, 0, 0, 0};
    if (saddle.a)
        lnt_mat_copy(saddle, Syx);
    if (Syx.rows != Syx.cols || W1.rows < Syx.rows)
        return LNT_OK;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = find(ctx, trap, saddle, Syx, W1, W2);
    lnt_ctx_reset(ctx, mark);
    return status;
}
