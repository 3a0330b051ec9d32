#include "linnet/fit.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

static lnt_status check(lnt_ctx *ctx, lnt_mat A, const double *d, const double *sd, lnt_mat C)
{
    int n = A.rows;
    if (A.cols < 1 || n < A.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "%d data for %d unknowns: at least as many data, and an unknown", n, A.cols);
    if (C.a && (sd || C.rows != n || C.cols != n))
        return lnt_fail(ctx, LNT_ESHAPE, "the covariance of %d data is %d x %d, or stands beside deviations", n, C.rows,
                        C.cols);
    for (int i = 0; i < n; i++)
        if (!isfinite(d[i]) || (sd && !(sd[i] > 0 && isfinite(sd[i]) && isfinite(1 / sd[i]))))
            return lnt_fail(ctx, LNT_EDOMAIN, "datum %d or its standard deviation is not finite or not positive",
                            i + 1);
    return lnt_mat_finite(A) ? LNT_OK : lnt_fail(ctx, LNT_EDOMAIN, "the matrix of the problem is not finite");
}

/* M <- S [A d] */
static lnt_status whiten(lnt_ctx *ctx, lnt_mat M, lnt_mat A, const double *d, const double *sd, lnt_mat C)
{
    int n = A.rows, k = A.cols;
    lnt_mat L;
    lnt_mat_copy(lnt_columns(M, 0, k), A);
    memcpy(lnt_at(M, 0, k), d, (size_t)n * sizeof *d);
    for (int j = 0; j <= k && sd; j++)
        for (int i = 0; i < n; i++)
            *lnt_at(M, i, j) /= sd[i];
    if (!C.a)
        return LNT_OK;
    lnt_status status = lnt_mat_alloc_zero(ctx, &L, n, n);
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < n; j++)
        lnt_mat_copy(lnt_block(L, j, j, n - j, 1), lnt_block(C, j, j, n - j, 1));
    if (!lnt_cholesky(L))
        return lnt_fail(ctx, LNT_EDOMAIN, "the covariance of the noise is not positive definite");
    lnt_solve_lower(M, LNT_N, L);
    return LNT_OK;
}

static lnt_status solve(lnt_ctx *ctx, double *x, lnt_mat V, lnt_inverse_info *info, lnt_mat M)
{
    int n = M.rows, k = M.cols - 1;
    lnt_mat R, U, VT;
    double *norm = lnt_alloc(ctx, (size_t)k, sizeof *norm), *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_status status = norm && s ? lnt_mat_alloc(ctx, &R, k + 1, k + 1) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, k, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, k);
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < k; j++) {
        norm[j] = lnt_mat_norm(lnt_columns(M, j, 1));
        lnt_mat_scale(lnt_columns(M, j, 1), norm[j] > 0 ? 1 / norm[j] : 1);
    }
    lnt_mat triangle = lnt_block(R, 0, 0, k, k);
    status = lnt_qr_triangle(ctx, R, M);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, triangle);
    if (status != LNT_OK)
        return status;
    if (!(s[k - 1] > n * DBL_EPSILON * s[0]))
        return lnt_fail(ctx, LNT_ENUMERIC, "the %d columns of the problem are linearly dependent: leave some out", k);
    memcpy(x, lnt_at(R, 0, k), (size_t)k * sizeof *x);
    lnt_trsv(x, LNT_N, triangle);
    for (int j = 0; j < k; j++)
        x[j] /= norm[j];
    double last = n > k ? *lnt_at(R, k, k) : 0;
    *info = (lnt_inverse_info){
        .sse = last * last, .variance = n > k ? last * last / (n - k) : NAN, .cond = s[0] / s[k - 1]};
    if (!V.a)
        return LNT_OK;
    lnt_mat_identity(U);
    for (int j = 0; j < k; j++)
        lnt_trsv(lnt_at(U, 0, j), LNT_N, triangle);
    lnt_syrk(V, 1, LNT_N, U, 0);
    lnt_symmetrize(V);
    for (int j = 0; j < k; j++)
        for (int i = 0; i < k; i++)
            *lnt_at(V, i, j) /= norm[i] * norm[j];
    return LNT_OK;
}

lnt_status lnt_inverse(lnt_ctx *ctx, double *x, lnt_mat V, lnt_inverse_info *info, lnt_mat A, const double *d,
                       const double *sd, lnt_mat C)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_inverse_info unused;
    lnt_mat M;
    lnt_status status = check(ctx, A, d, sd, C);
    if (status == LNT_OK && V.a && (V.rows != A.cols || V.cols != A.cols))
        status = lnt_fail(ctx, LNT_ESHAPE, "the covariance of %d unknowns is not %d x %d", A.cols, V.rows, V.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &M, A.rows, A.cols + 1);
    if (status == LNT_OK)
        status = whiten(ctx, M, A, d, sd, C);
    if (status == LNT_OK)
        status = solve(ctx, x, V, info ? info : &unused, M);
    lnt_ctx_reset(ctx, mark);
    return status;
}
