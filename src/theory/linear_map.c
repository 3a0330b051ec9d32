#include "linnet/theory.h"

#include "linnet/linalg.h"

#include <math.h>

#define NULL_DIRECTION 1e-14 /* of the largest eigenvalue of Sxx */

lnt_status lnt_linear_loss(lnt_ctx *ctx, double *loss, lnt_mat W, const lnt_moments *m)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat WS;
    lnt_status status = lnt_mat_alloc(ctx, &WS, W.rows, W.cols);
    if (status == LNT_OK) {
        lnt_gemm(WS, 1, LNT_N, W, LNT_N, m->Sxx, 0);
        *loss = (m->tr_Syy - 2 * lnt_mat_dot(m->Syx, W) + lnt_mat_dot(WS, W)) / 2;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* With Sxx = V diag(d) V^T: M <- Syx V d^{-1/2}, whose singular values are the correlations of y with the whitened
 * inputs, and the columns of V scaled to back <- d^{-1/2} V^T, so that Syx Sxx^+ = M back. */
static lnt_status whiten_moments(lnt_ctx *ctx, lnt_mat M, lnt_mat back, const lnt_moments *m)
{
    int D = m->Sxx.rows;
    lnt_mat V;
    double *d = lnt_alloc(ctx, (size_t)D, sizeof *d);
    lnt_status status = d ? lnt_mat_alloc(ctx, &V, D, D) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_eigh(ctx, d, V, m->Sxx);
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < D; k++) {
        double scale = d[k] > NULL_DIRECTION * d[D - 1] ? 1 / sqrt(d[k]) : 0;
        lnt_mat_scale(lnt_columns(V, k, 1), scale);
    }
    lnt_gemm(M, 1, LNT_N, m->Syx, LNT_N, V, 0);
    lnt_mat_transpose(back, V);
    return LNT_OK;
}

static lnt_status least_squares(lnt_ctx *ctx, lnt_mat W, int *used, const lnt_moments *m, int rank)
{
    int D = m->Sxx.rows, outputs = m->Syx.rows, most = D < outputs ? D : outputs;
    lnt_mat M, back, U, VT;
    double *s = lnt_alloc(ctx, (size_t)most, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &M, outputs, D) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &back, D, D);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, outputs, most);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, most, D);
    if (status == LNT_OK)
        status = whiten_moments(ctx, M, back, m);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, M);
    if (status != LNT_OK)
        return status;
    int r = 0, limit = rank > 0 && rank < most ? rank : most;
    while (r < limit && s[r] > 1e-12 * s[0])
        r++;
    if (used)
        *used = r;
    if (r < most && limit < most) { /* M <- U_r diag(s) V_r^T */
        for (int k = 0; k < r; k++)
            lnt_mat_scale(lnt_columns(U, k, 1), s[k]);
        lnt_gemm(M, 1, LNT_N, lnt_columns(U, 0, r), LNT_N, lnt_block(VT, 0, 0, r, D), 0);
    }
    lnt_gemm(W, 1, LNT_N, M, LNT_N, back, 0);
    return LNT_OK;
}

lnt_status lnt_least_squares(lnt_ctx *ctx, lnt_mat W, int *used, const lnt_moments *m, int rank)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = least_squares(ctx, W, used, m, rank);
    lnt_ctx_reset(ctx, mark);
    return status;
}

double lnt_whiteness(lnt_mat Sxx)
{
    double worst = 0;
    for (int j = 0; j < Sxx.cols; j++)
        for (int i = 0; i < Sxx.rows; i++)
            worst = fmax(worst, fabs(*lnt_at(Sxx, i, j) - (i == j)));
    return worst;
}

lnt_status lnt_imbalance(lnt_ctx *ctx, double *imbalance, const lnt_net *net, const double *w)
{
    *imbalance = 0;
    lnt_status status = LNT_OK;
    for (int l = 1; l < net->depth && status == LNT_OK; l++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat G, W = lnt_net_weights(net, w, l), next = lnt_net_weights(net, w, l + 1);
        status = lnt_mat_alloc(ctx, &G, W.rows, W.rows);
        if (status == LNT_OK) {
            lnt_gemm(G, 1, LNT_T, next, LNT_N, next, 0);
            lnt_gemm(G, -1, LNT_N, W, LNT_T, W, 1);
            *imbalance = fmax(*imbalance, lnt_mat_norm(G));
        }
        lnt_ctx_reset(ctx, mark);
    }
    return status;
}
