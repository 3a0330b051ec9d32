#include "linnet/theory.h"

#include "linnet/linalg.h"
#include "linnet/modes.h"

#include <float.h>
#include <stdint.h>

typedef struct product_flow {
    lnt_ctx *ctx;
    int rows, cols, depth, rank;
    lnt_map_gradient gradient;
    void *user;
    lnt_status status; /* of a decomposition that failed in a slope */
    lnt_mat G;
} product_flow;

static int slope(double *dy, double t, const double *y, void *user)
{
    product_flow *f = user;
    /* Views carry no const; this one is only read. */
    lnt_mat W = lnt_mat_view((double *)(uintptr_t)y, f->rows, f->cols), dW = lnt_mat_view(dy, f->rows, f->cols);
    (void)t;
    int got = f->gradient(f->G, W, f->user);
    if (got != 0)
        return got;
    if (!lnt_mat_finite(W))
        return 1;
    f->status = lnt_end_to_end_velocity(f->ctx, dW, W, f->G, f->depth, f->rank);
    return f->status == LNT_OK ? 0 : -1;
}

static lnt_status find_rank(product_flow *f, lnt_mat W0)
{
    int least = f->rows < f->cols ? f->rows : f->cols;
    double *s = lnt_alloc(f->ctx, (size_t)least, sizeof *s);
    lnt_mat U, VT;
    lnt_status status = s ? lnt_mat_alloc(f->ctx, &U, f->rows, least) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(f->ctx, &VT, least, f->cols);
    if (status == LNT_OK)
        status = lnt_svd(f->ctx, U, s, VT, W0);
    if (status != LNT_OK)
        return status;
    double smallest = (f->rows > f->cols ? f->rows : f->cols) * DBL_EPSILON * s[0];
    while (f->rank < least && s[f->rank] > smallest)
        f->rank++;
    return LNT_OK;
}

static lnt_status run(product_flow *f, lnt_mat Y, lnt_flow_info *info, lnt_mat W0, const double *times, int count,
                      const lnt_flow_opts *opts)
{
    lnt_mat start;
    lnt_status status = lnt_mat_alloc(f->ctx, &start, f->rows, f->cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(f->ctx, &f->G, f->rows, f->cols);
    if (status == LNT_OK)
        status = find_rank(f, W0);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(start, W0);
    lnt_ode ode = {.size = (size_t)f->rows * (size_t)f->cols, .slope = slope, .user = f};
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
