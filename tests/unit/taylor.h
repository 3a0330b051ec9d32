/* Gradient flow of two layers by Taylor series of order 24, the reference of the closed forms. Both right-hand sides
 * are polynomials, so that the coefficients follow from Cauchy products: with R = Syx - W2 W1 Sxx, (k+1) W1_{k+1} =
 * sum_j W2_j^T R_{k-j}, (k+1) W2_{k+1} = sum_j R_{k-j} W1_j^T. */
#ifndef LINNET_TAYLOR_H
#define LINNET_TAYLOR_H

#include "check.h"

#define TAYLOR_ORDER 24

static inline lnt_mat taylor_new(lnt_ctx *ctx, int rows, int cols)
{
    lnt_mat A;
    check_status(ctx, lnt_mat_alloc_zero(ctx, &A, rows, cols), LNT_OK);
    return A;
}

/* One step of at most `most`, as long as the last coefficients stay below 1e-17; its length. */
static inline double taylor_step(lnt_ctx *ctx, lnt_mat W1, lnt_mat W2, lnt_mat Syx, const lnt_mat *Sxx, double most)
{
    lnt_mat A[TAYLOR_ORDER + 1], B[TAYLOR_ORDER + 1], R[TAYLOR_ORDER + 1];
    lnt_mat map = taylor_new(ctx, W2.rows, W1.cols);
    for (int k = 0; k <= TAYLOR_ORDER; k++) {
        A[k] = taylor_new(ctx, W1.rows, W1.cols);
        B[k] = taylor_new(ctx, W2.rows, W2.cols);
        R[k] = taylor_new(ctx, W2.rows, W1.cols);
    }
    lnt_mat_copy(A[0], W1);
    lnt_mat_copy(B[0], W2);
    for (int k = 0; k < TAYLOR_ORDER; k++) {
        lnt_mat_fill(map, 0);
        for (int j = 0; j <= k; j++)
            lnt_gemm(map, 1, LNT_N, B[j], LNT_N, A[k - j], 1);
        if (k == 0)
            lnt_mat_copy(R[0], Syx);
        if (Sxx)
            lnt_gemm(R[k], -1, LNT_N, map, LNT_N, *Sxx, 1);
        else
            lnt_mat_add(R[k], -1, map);
        for (int j = 0; j <= k; j++) {
            lnt_gemm(A[k + 1], 1.0 / (k + 1), LNT_T, B[j], LNT_N, R[k - j], 1);
            lnt_gemm(B[k + 1], 1.0 / (k + 1), LNT_N, R[k - j], LNT_T, A[j], 1);
        }
    }
    double step = most;
    for (int k = TAYLOR_ORDER - 1; k <= TAYLOR_ORDER; k++) {
        double size = fmax(lnt_mat_max(A[k]), lnt_mat_max(B[k]));
        if (size > 0)
            step = fmin(step, pow(1e-17 / size, 1.0 / k));
    }
    for (int k = TAYLOR_ORDER; k > 0; k--) { /* Horner */
        lnt_mat_scale(A[k], step);
        lnt_mat_add(A[k - 1], 1, A[k]);
        lnt_mat_scale(B[k], step);
        lnt_mat_add(B[k - 1], 1, B[k]);
    }
    lnt_mat_copy(W1, A[0]);
    lnt_mat_copy(W2, B[0]);
    return step;
}

/* W1, W2 <- the flow after time T; Sxx NULL: white inputs. */
static inline void taylor_flow(lnt_ctx *ctx, lnt_mat W1, lnt_mat W2, lnt_mat Syx, const lnt_mat *Sxx, double T)
{
    for (double t = 0; t < T;) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        t += taylor_step(ctx, W1, W2, Syx, Sxx, T - t);
        lnt_ctx_reset(ctx, mark);
    }
}

static inline lnt_mat copy_of(lnt_ctx *ctx, lnt_mat A)
{
    lnt_mat B = taylor_new(ctx, A.rows, A.cols);
    lnt_mat_copy(B, A);
    return B;
}

static inline lnt_mat product_of(lnt_ctx *ctx, lnt_mat A, lnt_mat B)
{
    lnt_mat C = taylor_new(ctx, A.rows, B.cols);
    lnt_gemm(C, 1, LNT_N, A, LNT_N, B, 0);
    return C;
}

/* A random orthogonal matrix, of either determinant. */
static inline lnt_mat random_rotation(lnt_ctx *ctx, int n, lnt_rng *rng)
{
    lnt_mat Q = random_matrix(ctx, n, n, rng);
    double *diag = lnt_alloc(ctx, (size_t)n + 1, sizeof *diag);
    check_status(ctx, lnt_qr(ctx, Q, diag), LNT_OK);
    lnt_mat_scale(lnt_columns(Q, 0, 1), lnt_rng_uniform(rng) < 0.5 ? -1 : 1);
    return Q;
}

/* U diag(d) V^T with U (m x m) and V (n x n), d of `count` entries. */
static inline lnt_mat from_values(lnt_ctx *ctx, lnt_mat U, const double *d, int count, lnt_mat V)
{
    lnt_mat D = taylor_new(ctx, U.cols, V.cols), UD, A = taylor_new(ctx, U.rows, V.rows);
    for (int i = 0; i < count; i++)
        *lnt_at(D, i, i) = d[i];
    UD = product_of(ctx, U, D);
    lnt_gemm(A, 1, LNT_N, UD, LNT_T, V, 0);
    return A;
}

/* W1 (h x N1), W2 (N3 x h) with W2^T W2 - W1 W1^T = lambda I and random product of singular values `sig`. lambda > 0
 * needs h <= N3, lambda < 0 h <= N1. U0 and V0 are the outer bases. */
static inline void balanced_start(lnt_ctx *ctx, lnt_mat *W1, lnt_mat *W2, lnt_mat U0, lnt_mat V0, int h,
                                  const double *sig, int count, double lambda, lnt_rng *rng)
{
    double d1[64] = {0}, d2[64] = {0};
    lnt_mat R = random_rotation(ctx, h, rng);
    for (int i = 0; i < h; i++) {
        double x = i < count ? sig[i] : 0, large = sqrt((sqrt(lambda * lambda + 4 * x * x) + fabs(lambda)) / 2);
        double small = large > 0 ? x / large : 0;
        d1[i] = lambda > 0 ? small : large;
        d2[i] = lambda > 0 ? large : small;
    }
    *W1 = from_values(ctx, R, d1, h < V0.cols ? h : V0.cols, V0);
    *W2 = from_values(ctx, U0, d2, h < U0.cols ? h : U0.cols, R);
}

#endif
