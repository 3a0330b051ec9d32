#include "linnet/modes.h"

#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>

/* The multiplier of one entry of U^T G V: sum_j sig_r^{2(N-j)/N} sig_c^{2(j-1)/N}, where 0^0 = 1. */
static double multiplier(double sig_r, double sig_c, int N)
{
    double sum = 0;
    for (int j = 1; j <= N; j++)
        sum += pow(sig_r, 2.0 * (N - j) / N) * pow(sig_c, 2.0 * (j - 1) / N);
    return sum;
}

static lnt_status velocity(lnt_ctx *ctx, lnt_mat F, lnt_mat W, lnt_mat G, int N, int rank)
{
    int m = W.rows, n = W.cols, k = m < n ? m : n;
    lnt_mat U, VT, GV, B;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, m, m) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, n, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &GV, m, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, m, n);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, W);
    if (status != LNT_OK)
        return status;
    lnt_gemm(GV, 1, LNT_N, G, LNT_T, VT, 0);
    lnt_gemm(B, 1, LNT_T, U, LNT_N, GV, 0);
    for (int c = 0; c < n; c++)
        for (int r = 0; r < m; r++)
            *lnt_at(B, r, c) *= -multiplier(r < k && r < rank ? s[r] : 0, c < k && c < rank ? s[c] : 0, N);
    lnt_gemm(GV, 1, LNT_N, U, LNT_N, B, 0);
    lnt_gemm(F, 1, LNT_N, GV, LNT_N, VT, 0);
    return LNT_OK;
}

lnt_status lnt_end_to_end_velocity(lnt_ctx *ctx, lnt_mat F, lnt_mat W, lnt_mat G, int N, int rank)
{
    assert(N >= 1 && G.rows == W.rows && G.cols == W.cols && F.rows == W.rows && F.cols == W.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = velocity(ctx, F, W, G, N, rank);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_end_to_end_rhs(double *dw, const double *w, double T, void *user)
{
    (void)T; /* the flow does not depend on time */
    const lnt_end_to_end *flow = user;
    lnt_ctx *ctx = flow->ctx;
    lnt_mark mark = lnt_ctx_mark(ctx);
    int m = flow->Syx.rows, n = flow->Syx.cols;
    lnt_mat W, F = lnt_mat_view(dw, m, n);
    lnt_status status = lnt_mat_alloc(ctx, &W, m, n);
    if (status == LNT_OK) {
        for (size_t i = 0; i < (size_t)m * (size_t)n; i++)
            W.a[i] = w[i];
        lnt_mat_copy(F, flow->Syx);
        lnt_gemm(F, 1, LNT_N, W, LNT_N, flow->Sxx, -1);
        status = lnt_end_to_end_velocity(ctx, F, W, F, flow->layers, flow->rank);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_rank(lnt_ctx *ctx, int *rank, lnt_mat W)
{
    int k = W.rows < W.cols ? W.rows : W.cols;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat U, VT;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, W.rows, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, W.cols);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, W);
    *rank = 0;
    while (status == LNT_OK && *rank < k && s[*rank] > 1e-12 * s[0])
        ++*rank;
    lnt_ctx_reset(ctx, mark);
    return status;
}
