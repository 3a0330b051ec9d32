/* What the tests of covariance matching share: random problems, and the loss and gradient by definition. */
#ifndef LINNET_TEST_MATCH_H
#define LINNET_TEST_MATCH_H

#include "check.h"

typedef struct problem {
    lnt_mat X, S, Z0;
    bool has_Z0;
    double lambda;
    lnt_match m;
} problem;

static inline lnt_mat copy_of(lnt_ctx *ctx, lnt_mat A)
{
    lnt_mat B = zeros(ctx, A.rows, A.cols);
    lnt_mat_copy(B, A);
    return B;
}

/* Columns minus their means. */
static inline void centre_columns(lnt_mat A)
{
    for (int j = 0; j < A.cols; j++) {
        double mean = 0;
        for (int i = 0; i < A.rows; i++)
            mean += *lnt_at(A, i, j) / A.rows;
        for (int i = 0; i < A.rows; i++)
            *lnt_at(A, i, j) -= mean;
    }
}

/* A target of `rank`, positive, or indefinite with rank < 0 (full rank then). */
static inline lnt_mat random_target(lnt_ctx *ctx, int M, int rank, double size, lnt_rng *rng)
{
    lnt_mat S = zeros(ctx, M, M);
    if (rank >= 0) {
        lnt_mat Y = random_matrix(ctx, rank, M, rng);
        if (rank > 0)
            lnt_gemm(S, size, LNT_T, Y, LNT_N, Y, 0);
        return S;
    }
    lnt_mat A = random_matrix(ctx, M, M, rng);
    lnt_mat_transpose(S, A);
    lnt_mat_add(S, 1, A);
    lnt_mat_scale(S, size * sqrt(M) / 2);
    return S;
}

typedef enum reference { CENTRED, OFFSET, ANY_Z0 } reference;

static inline problem random_problem(lnt_ctx *ctx, int N, int M, reference kind, int rank, double lambda, lnt_rng *rng)
{
    problem p = {.lambda = lambda, .has_Z0 = kind == ANY_Z0};
    p.X = random_matrix(ctx, N, M, rng);
    if (kind == CENTRED)
        centre_columns(p.X);
    p.S = random_target(ctx, M, rank, 1 + lnt_rng_uniform(rng), rng);
    if (p.has_Z0) {
        p.Z0 = random_matrix(ctx, N, N, rng);
        lnt_mat_scale(p.Z0, 0.5);
        for (int i = 0; i < N; i++)
            *lnt_at(p.Z0, i, i) += 1;
    }
    check_status(ctx, lnt_match_make(ctx, &p.m, p.X, p.S, p.has_Z0 ? &p.Z0 : NULL), LNT_OK);
    return p;
}

/* L(Z0 + W) and, if wanted, its gradient; linear: without the square of W. */
static inline double definition(lnt_ctx *ctx, lnt_mat *gradient, const problem *p, lnt_mat W, bool linear)
{
    int N = p->X.rows, M = p->X.cols;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat A0 = copy_of(ctx, p->X), A = zeros(ctx, N, M), E = copy_of(ctx, p->S), AE = zeros(ctx, N, M);
    if (p->has_Z0)
        lnt_gemm(A0, 1, LNT_N, p->Z0, LNT_N, p->X, 0);
    lnt_mat_copy(A, A0);
    lnt_gemm(A, 1, LNT_N, W, LNT_N, p->X, 1);
    centre_columns(A0);
    centre_columns(A);
    if (linear) { /* A0^T A + A^T A0 - A0^T A0 */
        lnt_gemm(E, -1, LNT_T, A0, LNT_N, A, 1);
        lnt_gemm(E, -1, LNT_T, A, LNT_N, A0, 1);
        lnt_gemm(E, 1, LNT_T, A0, LNT_N, A0, 1);
    } else
        lnt_gemm(E, -1, LNT_T, A, LNT_N, A, 1);
    double loss = lnt_mat_dot(E, E) / 2 + p->lambda / 2 * lnt_mat_dot(W, W);
    if (gradient) {
        lnt_mat F = copy_of(ctx, E);
        for (int j = 0; j < M; j++)
            for (int i = 0; i < M; i++)
                *lnt_at(F, i, j) = (*lnt_at(E, i, j) + *lnt_at(E, j, i)) / 2;
        lnt_gemm(AE, 1, LNT_N, linear ? A0 : A, LNT_N, F, 0);
        lnt_mat_copy(*gradient, W);
        lnt_gemm(*gradient, -2, LNT_N, AE, LNT_T, p->X, p->lambda);
    }
    lnt_ctx_reset(ctx, mark);
    return loss;
}

static inline double skew_loss(lnt_mat S)
{
    double sum = 0;
    for (int j = 0; j < S.cols; j++)
        for (int i = 0; i < S.rows; i++)
            sum += pow(*lnt_at(S, i, j) - *lnt_at(S, j, i), 2) / 8;
    return sum;
}

static inline lnt_mat weights_of(lnt_ctx *ctx, const problem *p, const lnt_match_fit *fit)
{
    lnt_mat W = zeros(ctx, p->X.rows, p->X.rows);
    check_status(ctx, lnt_match_weights(ctx, W, &p->m, fit), LNT_OK);
    return W;
}

/* Relative distance of matrices. */
static inline double distance(lnt_ctx *ctx, lnt_mat A, lnt_mat B)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat C = copy_of(ctx, A);
    lnt_mat_add(C, -1, B);
    double d = lnt_mat_norm(C) / fmax(lnt_mat_norm(B), 1e-300);
    lnt_ctx_reset(ctx, mark);
    return d;
}

/* The minimum of a quadratic over all N^2 weights by its dense normal equations, `more` (N^2 values; NULL: 0) being a
 * penalty of each weight beside lambda. */
static inline lnt_mat dense_minimum(lnt_ctx *ctx, const problem *p, const double *more)
{
    int N = p->X.rows, n = N * N;
    lnt_mat W = zeros(ctx, N, N), G0 = zeros(ctx, N, N), G = zeros(ctx, N, N), H = zeros(ctx, n, n),
            b = zeros(ctx, n, 1);
    definition(ctx, &G0, p, W, true);
    for (int k = 0; k < n; k++) {
        W.a[k] = 1;
        definition(ctx, &G, p, W, true);
        W.a[k] = 0;
        for (int i = 0; i < n; i++)
            *lnt_at(H, i, k) = G.a[i] - G0.a[i];
        *lnt_at(H, k, k) += more ? more[k] : 0;
        b.a[k] = -G0.a[k];
    }
    assert_true(lnt_cholesky(H));
    lnt_cholesky_solve(b, H);
    return lnt_mat_view(b.a, N, N);
}

#endif
