#include "linnet/theory.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>

/* What is left of a difference of terms of this size relative to them is rounding error. */
#define ROUNDING 4e-15

lnt_status lnt_linear_loss(lnt_ctx *ctx, double *loss, lnt_mat W, const lnt_moments *m)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat WS;
    lnt_status status = lnt_mat_alloc(ctx, &WS, W.rows, W.cols);
    if (status == LNT_OK) {
        lnt_gemm(WS, 1, LNT_N, W, LNT_N, m->Sxx, 0);
        double cross = 2 * lnt_mat_dot(m->Syx, W), square = lnt_mat_dot(WS, W);
        *loss = (m->tr_Syy - cross + square) / 2;
        if (fabs(*loss) < ROUNDING * (m->tr_Syy + fabs(cross) + square))
            *loss = 0;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Units must not decide what is null: C <- R Sxx R with R = diag(Sxx)^{-1/2}, 1 for an input that is always 0. */
static void scale_inputs(lnt_mat C, double *root, lnt_mat Sxx)
{
    for (int i = 0; i < Sxx.rows; i++) {
        double moment = *lnt_at(Sxx, i, i);
        root[i] = moment > 0 ? 1 / sqrt(moment) : 1;
    }
    for (int j = 0; j < Sxx.cols; j++)
        for (int i = 0; i < Sxx.rows; i++)
            *lnt_at(C, i, j) = root[i] * *lnt_at(Sxx, i, j) * root[j];
}

static void scale_rows(lnt_mat A, const double *factor)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(A, i, j) *= factor[i];
}

/* B <- a factor of the pseudo-inverse, B B^T Sxx = projector on the range: R V d^{-1/2} from the eigenvectors V of
 * R Sxx R. Columns of null directions are 0; *nulls of them come first, and the same columns of N span the null space.
 */
static lnt_status inverse_factor(lnt_ctx *ctx, lnt_mat B, lnt_mat N, int *nulls, lnt_mat Sxx)
{
    int D = Sxx.rows;
    lnt_mat C;
    double *d = lnt_alloc(ctx, (size_t)D, sizeof *d), *root = lnt_alloc(ctx, (size_t)D, sizeof *root);
    lnt_status status = d && root ? lnt_mat_alloc(ctx, &C, D, D) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    scale_inputs(C, root, Sxx);
    if ((status = lnt_eigh(ctx, d, B, C)) != LNT_OK)
        return status;
    *nulls = 0;
    while (*nulls < D && !(d[*nulls] > D * DBL_EPSILON * d[D - 1]))
        ++*nulls;
    scale_rows(B, root);
    lnt_mat_copy(N, B);
    for (int k = 0; k < D; k++)
        lnt_mat_scale(lnt_columns(B, k, 1), k < *nulls ? 0 : 1 / sqrt(d[k]));
    return LNT_OK;
}

/* W <- W (I - Q Q^T) with Q an orthonormal basis of the null space: the least norm among equal fits. */
static lnt_status remove_null_space(lnt_ctx *ctx, lnt_mat W, lnt_mat N)
{
    lnt_mat WQ;
    double *diag = lnt_alloc(ctx, (size_t)N.cols, sizeof *diag);
    lnt_status status = diag ? lnt_mat_alloc(ctx, &WQ, W.rows, N.cols) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_qr(ctx, N, diag);
    if (status == LNT_OK) {
        lnt_gemm(WQ, 1, LNT_N, W, LNT_N, N, 0);
        lnt_gemm(W, -1, LNT_N, WQ, LNT_T, N, 1);
    }
    return status;
}

static lnt_status least_squares(lnt_ctx *ctx, lnt_mat W, int *used, const lnt_moments *m, int rank)
{
    int D = m->Sxx.rows, outputs = m->Syx.rows, most = D < outputs ? D : outputs;
    lnt_mat M, B, N, U, VT;
    double *s = lnt_alloc(ctx, (size_t)most, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &M, outputs, D) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, D, D);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &N, D, D);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, outputs, most);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, most, D);
    int nulls = 0;
    if (status == LNT_OK)
        status = inverse_factor(ctx, B, N, &nulls, m->Sxx);
    if (status != LNT_OK)
        return status;
    lnt_gemm(M, 1, LNT_N, m->Syx, LNT_N, B, 0);
    if ((status = lnt_svd(ctx, U, s, VT, M)) != LNT_OK)
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
    lnt_gemm(W, 1, LNT_N, M, LNT_T, B, 0);
    return nulls > 0 ? remove_null_space(ctx, W, lnt_columns(N, 0, nulls)) : LNT_OK;
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
