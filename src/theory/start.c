#include "linnet/modes.h"

#include "linnet/linalg.h"

#include <assert.h>

/* C <- [c_1 c_2 ...], c_i = W1 v_i + W2^T u_i. */
static lnt_status growing_parts(lnt_ctx *ctx, lnt_mat *C, lnt_mat U, lnt_mat VT, lnt_mat W1, lnt_mat W2)
{
    assert(U.cols == VT.rows && U.rows == W2.rows && VT.cols == W1.cols && W1.rows == W2.cols);
    lnt_status status = lnt_mat_alloc(ctx, C, W1.rows, U.cols);
    if (status != LNT_OK)
        return status;
    lnt_gemm(*C, 1, LNT_N, W1, LNT_T, VT, 0);
    lnt_gemm(*C, 1, LNT_T, W2, LNT_N, U, 1);
    return LNT_OK;
}

lnt_status lnt_start_first_order(lnt_ctx *ctx, double *u0, lnt_mat U, lnt_mat VT, lnt_mat W1, lnt_mat W2)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat C;
    lnt_status status = growing_parts(ctx, &C, U, VT, W1, W2);
    for (int i = 0; i < U.cols && status == LNT_OK; i++) {
        double norm = lnt_mat_norm(lnt_columns(C, i, 1));
        u0[i] = norm * norm / 4;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* A <- A R^T, for a block of columns. */
static lnt_status rotate_columns(lnt_ctx *ctx, lnt_mat A, lnt_mat R)
{
    lnt_mat B;
    lnt_status status = lnt_mat_alloc(ctx, &B, A.rows, A.cols);
    if (status == LNT_OK) {
        lnt_gemm(B, 1, LNT_N, A, LNT_T, R, 0);
        lnt_mat_copy(A, B);
    }
    return status;
}

/* A <- R A, for a block of rows. */
static lnt_status rotate_rows(lnt_ctx *ctx, lnt_mat A, lnt_mat R)
{
    lnt_mat B;
    lnt_status status = lnt_mat_alloc(ctx, &B, A.rows, A.cols);
    if (status == LNT_OK) {
        lnt_gemm(B, 1, LNT_N, R, LNT_N, A, 0);
        lnt_mat_copy(A, B);
    }
    return status;
}

/* One block of equal s: its c's, freed of the directions that earlier modes have taken (columns of `taken`), choose by
 * their SVD. The new directions join `taken`. */
static lnt_status choose(lnt_ctx *ctx, double *u0, lnt_mat U, lnt_mat VT, lnt_mat C, lnt_mat taken, int *count)
{
    int h = C.rows, m = C.cols, k = h < m ? h : m;
    lnt_mat earlier = lnt_columns(taken, 0, *count), overlap, A, BT;
    double *size = lnt_alloc(ctx, (size_t)m, sizeof *size);
    lnt_status status = size ? lnt_mat_alloc(ctx, &overlap, *count, m) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, h, h);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &BT, m, m);
    if (status != LNT_OK)
        return status;
    for (int pass = 0; pass < 2; pass++) { /* twice is enough */
        lnt_gemm(overlap, 1, LNT_T, earlier, LNT_N, C, 0);
        lnt_gemm(C, -1, LNT_N, earlier, LNT_N, overlap, 1);
    }
    if ((status = lnt_svd(ctx, A, size, BT, C)) != LNT_OK)
        return status;
    for (int i = 0; i < m; i++) {
        bool room = i < k && *count < h;
        u0[i] = room ? size[i] * size[i] / 4 : 0;
        if (room && size[i] > 0)
            lnt_mat_copy(lnt_columns(taken, (*count)++, 1), lnt_columns(A, i, 1));
    }
    if (m > 1)
        status = rotate_columns(ctx, U, BT);
    if (m > 1 && status == LNT_OK)
        status = rotate_rows(ctx, VT, BT);
    return status;
}

lnt_status lnt_start_effective(lnt_ctx *ctx, double *u0, lnt_mat U, lnt_mat VT, const double *s, double tolerance,
                               lnt_mat W1, lnt_mat W2)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    int r = U.cols, count = 0;
    lnt_mat C, taken;
    lnt_status status = growing_parts(ctx, &C, U, VT, W1, W2);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &taken, W1.rows, W1.rows);
    for (int i = 0, end; i < r && status == LNT_OK; i = end) {
        for (end = i + 1; end < r && s[i] - s[end] <= tolerance * s[0];)
            end++;
        lnt_mark block = lnt_ctx_mark(ctx);
        status = choose(ctx, u0 + i, lnt_columns(U, i, end - i), lnt_block(VT, i, 0, end - i, VT.cols),
                        lnt_columns(C, i, end - i), taken, &count);
        lnt_ctx_reset(ctx, block);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
