#include "linnet/theory.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

typedef struct product_flow {
    lnt_ctx *ctx;
    int rows, cols, depth, rank;
    lnt_map_gradient gradient;
    void *user;
    lnt_status status; /* of a decomposition that failed in a slope */
    lnt_mat G, U, VT, A, B, M;
    double *s, *power;
} product_flow;

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
 * W' = -U (Phi U^T G + M V^T) - G V Phi V^T; the first and the last term reach beyond the rank on one side each. */
static void project(product_flow *f, lnt_mat dW)
{
    int k = f->rank, N = f->depth;
    lnt_mat U = lnt_columns(f->U, 0, k), VT = lnt_block(f->VT, 0, 0, k, f->cols);
    for (int i = 0; i < k; i++)
        f->power[i] = pow(f->s[i], 2.0 / N);
    lnt_gemm(f->A, 1, LNT_T, U, LNT_N, f->G, 0);
    lnt_gemm(f->B, 1, LNT_N, f->G, LNT_T, VT, 0);
    lnt_gemm(f->M, 1, LNT_N, f->A, LNT_T, VT, 0);
    weigh_inner(f->M, f->power, N);
    for (int i = 0; i < k; i++) {
        double phi = pow(f->power[i], N - 1);
        lnt_mat_scale(lnt_block(f->A, i, 0, 1, f->cols), phi);
        lnt_mat_scale(lnt_columns(f->B, i, 1), phi);
    }
    lnt_gemm(f->A, 1, LNT_N, f->M, LNT_N, VT, 1);
    lnt_gemm(dW, -1, LNT_N, U, LNT_N, f->A, 0);
    lnt_gemm(dW, -1, LNT_N, f->B, LNT_N, VT, 1);
}

static int slope(double *dy, double t, const double *y, void *user)
{
    product_flow *f = user;
    /* Views carry no const; this one is only read. */
    lnt_mat W = lnt_mat_view((double *)(uintptr_t)y, f->rows, f->cols), dW = lnt_mat_view(dy, f->rows, f->cols);
    (void)t;
    int got = f->gradient(f->G, W, f->user);
    if (got != 0)
        return got;
    if (f->depth == 1 || f->rank == 0) {
        lnt_mat_fill(dW, 0);
        lnt_mat_add(dW, f->depth == 1 ? -1 : 0, f->G);
        return 0;
    }
    if (!lnt_mat_finite(W))
        return 1;
    f->status = lnt_svd(f->ctx, f->U, f->s, f->VT, W);
    if (f->status != LNT_OK)
        return -1;
    project(f, dW);
    return 0;
}

static lnt_status allocate(product_flow *f)
{
    int least = f->rows < f->cols ? f->rows : f->cols;
    f->s = lnt_alloc(f->ctx, 2 * (size_t)least, sizeof *f->s);
    lnt_status status = f->s ? lnt_mat_alloc(f->ctx, &f->G, f->rows, f->cols) : LNT_ENOMEM;
    f->power = f->s ? f->s + least : NULL;
    if (status == LNT_OK)
        status = lnt_mat_alloc(f->ctx, &f->U, f->rows, least);
    if (status == LNT_OK)
        status = lnt_mat_alloc(f->ctx, &f->VT, least, f->cols);
    return status;
}

static lnt_status allocate_rank(product_flow *f)
{
    lnt_status status = lnt_mat_alloc(f->ctx, &f->A, f->rank, f->cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(f->ctx, &f->B, f->rows, f->rank);
    if (status == LNT_OK)
        status = lnt_mat_alloc(f->ctx, &f->M, f->rank, f->rank);
    return status;
}

static lnt_status run(product_flow *f, lnt_mat Y, lnt_flow_info *info, lnt_mat W0, const double *times, int count,
                      const lnt_flow_opts *opts)
{
    lnt_mat start;
    lnt_status status = lnt_mat_alloc(f->ctx, &start, f->rows, f->cols);
    if (status == LNT_OK)
        status = allocate(f);
    if (status == LNT_OK)
        status = lnt_svd(f->ctx, f->U, f->s, f->VT, W0);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(start, W0);
    double least = (f->rows > f->cols ? f->rows : f->cols) * DBL_EPSILON * f->s[0];
    while (f->rank < f->U.cols && f->s[f->rank] > least)
        f->rank++;
    status = allocate_rank(f);
    lnt_ode ode = {.size = (size_t)f->rows * (size_t)f->cols, .slope = slope, .user = f};
    if (status == LNT_OK)
        status = lnt_flow(f->ctx, Y, info, &ode, start.a, 0, times, count, opts);
    return f->status != LNT_OK ? f->status : status;
}

lnt_status lnt_product_flow(lnt_ctx *ctx, lnt_mat Y, lnt_flow_info *info, lnt_mat W0, int depth,
                            lnt_map_gradient gradient, void *user, const double *times, int count,
                            const lnt_flow_opts *opts)
{
    product_flow f = {.ctx = ctx, .rows = W0.rows, .cols = W0.cols, .depth = depth, .gradient = gradient, .user = user};
    if (depth < 1 || W0.rows < 1 || W0.cols < 1)
        return lnt_fail(ctx, LNT_EINVAL, "a product of %d layers, %d x %d: each must be at least 1", depth, W0.rows,
                        W0.cols);
    if (Y.rows != W0.rows * W0.cols || Y.cols != count)
        return lnt_fail(ctx, LNT_ESHAPE, "the answer is %d x %d, not %d entries x %d times", Y.rows, Y.cols,
                        W0.rows * W0.cols, count);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = run(&f, Y, info, W0, times, count, opts);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
