#include "linnet/modes.h"

#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>

lnt_status lnt_balance(lnt_ctx *ctx, double *imbalance, double *lambda, lnt_mat W1, lnt_mat W2)
{
    int h = W1.rows;
    assert(W2.cols == h);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat B;
    lnt_status status = lnt_mat_alloc(ctx, &B, h, h);
    if (status == LNT_OK) {
        lnt_gemm(B, 1, LNT_T, W2, LNT_N, W2, 0);
        lnt_gemm(B, -1, LNT_N, W1, LNT_T, W1, 1);
        double trace = 0;
        for (int i = 0; i < h; i++)
            trace += *lnt_at(B, i, i);
        *lambda = h > 0 ? trace / h : 0;
        for (int i = 0; i < h; i++)
            *lnt_at(B, i, i) -= *lambda;
        *imbalance = lnt_mat_norm(B);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_alignedness(lnt_ctx *ctx, double *misaligned, double *m, lnt_mat W, lnt_mat U, lnt_mat VT)
{
    int r = U.cols;
    assert(VT.rows == r && U.rows == W.rows && VT.cols == W.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat WV;
    lnt_status status = lnt_mat_alloc(ctx, &WV, W.rows, r);
    if (status == LNT_OK) {
        double norm = lnt_mat_norm(W), inside = 0;
        lnt_gemm(WV, 1, LNT_N, W, LNT_T, VT, 0);
        for (int i = 0; i < r; i++) {
            double strength = lnt_mat_dot(lnt_columns(U, i, 1), lnt_columns(WV, i, 1));
            if (m)
                m[i] = strength;
            inside += norm > 0 ? (strength / norm) * (strength / norm) : 0;
        }
        *misaligned = norm > 0 ? fmax(0, 1 - inside) : norm; /* keeps NaN */
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_shared_basis(lnt_ctx *ctx, double *d, double *off, lnt_mat Sxx, lnt_mat VT)
{
    int r = VT.rows;
    assert(VT.cols == Sxx.rows && Sxx.rows == Sxx.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat VS, B;
    lnt_status status = lnt_mat_alloc(ctx, &VS, r, Sxx.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, r, r);
    if (status == LNT_OK) {
        lnt_gemm(VS, 1, LNT_N, VT, LNT_N, Sxx, 0);
        lnt_gemm(B, 1, LNT_N, VS, LNT_T, VT, 0);
        for (int i = 0; i < r; i++) {
            d[i] = *lnt_at(B, i, i);
            *lnt_at(B, i, i) = 0;
        }
        *off = lnt_mat_norm(B);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

double lnt_imbalance_error(double imbalance)
{
    /* imbalance and median error of W, both over s_1, for standard deviations .001, .01, .1, .3, 1 */
    static const double measured[][2] = {{8.9e-6, 4.4e-7}, {8.9e-4, 4.8e-5}, {.089, .0063}, {.8, .042}, {8.9, .19}};
    int last = (int)(sizeof measured / sizeof *measured) - 1, k = 0;
    if (imbalance < measured[0][0])
        return imbalance * measured[0][1] / measured[0][0];
    if (imbalance >= measured[last][0])
        return imbalance * measured[last][1] / measured[last][0];
    while (k < last - 1 && imbalance >= measured[k + 1][0])
        k++;
    double slope = log(measured[k + 1][1] / measured[k][1]) / log(measured[k + 1][0] / measured[k][0]);
    return measured[k][1] * pow(imbalance / measured[k][0], slope);
}
