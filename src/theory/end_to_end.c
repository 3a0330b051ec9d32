#include "linnet/modes.h"

#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>

/* M_rc <- M_rc sum_{j=2}^{N-1} s_r^{2(N-j)/N} s_c^{2(j-1)/N}; power[k] = s_k^{2/N}. */
static void weigh_inner(lnt_mat M, const double *power, int N)
{
    for (int c = 0; c < M.cols; c++)
        for (int r = 0; r < M.rows; r++) {
            double sum = 0;
            for (int j = 2; j < N; j++)
                sum += pow(power[r], N - j) * pow(power[c], j - 1);
            *lnt_at(M, r, c) *= sum;
        }
}

/* With thin bases U, V of the rank, Phi = S^{2(N-1)/N} and the inner terms of the sum in them:
 * F = -U (Phi U^T G + M V^T) - G V Phi V^T; the first and the last term reach beyond the rank on one side each. */
static lnt_status velocity(lnt_ctx *ctx, lnt_mat F, lnt_mat W, lnt_mat G, int N, int rank)
{
    int least = W.rows < W.cols ? W.rows : W.cols, k = rank < least ? rank : least;
    lnt_mat U, VT, A, B, M;
    double *s = lnt_alloc(ctx, (size_t)least, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, W.rows, least) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, least, W.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, k, W.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, W.rows, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &M, k, k);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, W);
    if (status != LNT_OK)
        return status;
    U = lnt_columns(U, 0, k);
    VT = lnt_block(VT, 0, 0, k, W.cols);
    lnt_gemm(A, 1, LNT_T, U, LNT_N, G, 0);
    lnt_gemm(B, 1, LNT_N, G, LNT_T, VT, 0);
    lnt_gemm(M, 1, LNT_N, A, LNT_T, VT, 0);
    for (int i = 0; i < k; i++) {
        s[i] = pow(s[i], 2.0 / N);
        lnt_mat_scale(lnt_block(A, i, 0, 1, W.cols), pow(s[i], N - 1));
        lnt_mat_scale(lnt_columns(B, i, 1), pow(s[i], N - 1));
    }
    weigh_inner(M, s, N);
    lnt_gemm(A, 1, LNT_N, M, LNT_N, VT, 1);
    lnt_gemm(F, -1, LNT_N, U, LNT_N, A, 0);
    lnt_gemm(F, -1, LNT_N, B, LNT_N, VT, 1);
    return LNT_OK;
}

lnt_status lnt_end_to_end_velocity(lnt_ctx *ctx, lnt_mat F, lnt_mat W, lnt_mat G, int N, int rank)
{
    assert(N >= 1 && G.rows == W.rows && G.cols == W.cols && F.rows == W.rows && F.cols == W.cols);
    if (N == 1 || rank == 0) {
        lnt_mat_copy(F, G);
        lnt_mat_scale(F, N == 1 ? -1 : 0);
        return LNT_OK;
    }
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
