#include "linnet/modes.h"

#include "linnet/linalg.h"

#include <math.h>

/* best <- X^{T+} y, outside <- w0 minus its part in the span of the samples. */
static lnt_status split(lnt_ctx *ctx, lnt_mat best, lnt_mat outside, lnt_mat X, const double *y, const double *w0)
{
    int D = X.rows, n = X.cols, k = D < n ? D : n;
    lnt_mat U, VT;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, D, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, n);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, X);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < D; i++)
        *lnt_at(outside, i, 0) = w0[i];
    lnt_mat_fill(best, 0);
    for (int i = 0; i < k && s[i] > 1e-12 * s[0]; i++) {
        double along = 0;
        for (int j = 0; j < n; j++)
            along += *lnt_at(VT, i, j) * y[j];
        lnt_mat u = lnt_columns(U, i, 1);
        lnt_mat_add(best, along / s[i], u);
        lnt_mat_add(outside, -lnt_mat_dot(u, outside), u);
    }
    return LNT_OK;
}

lnt_status lnt_neuron_limit(lnt_ctx *ctx, double *beta, double *a_end, lnt_mat X, const double *y, const double *w0,
                            double a0, int sign)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat best, outside, end = lnt_mat_view(beta, X.rows, 1);
    lnt_status status = lnt_mat_alloc(ctx, &best, X.rows, 1);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &outside, X.rows, 1);
    if (status == LNT_OK)
        status = split(ctx, best, outside, X, y, w0);
    if (status == LNT_OK) {
        double size = lnt_mat_norm(best), inside = 0, along = 0;
        for (int i = 0; i < X.rows; i++) {
            double w = w0[i] - *lnt_at(outside, i, 0);
            inside = hypot(inside, w);
            along += w * *lnt_at(best, i, 0);
        }
        double q = (a0 - inside) * (a0 + inside), root = hypot(q, 2 * size);
        double a2 = q >= 0 ? (q + root) / 2 : 2 * size * (size / (root - q));
        if (sign == 0) /* the side of the growing eigenvector of F on which the start lies */
            sign = along + a2 * a0 < 0 ? -1 : 1;
        double a = sign * sqrt(a2);
        lnt_mat_copy(end, best);
        lnt_mat_add(end, a, outside);
        if (a_end)
            *a_end = a;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
