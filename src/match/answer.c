/* What a fit says: weights, predictions, norms, truncation. */
#include "internal.h"

#include "linnet/match_data.h"

#include <math.h>

lnt_status lnt_match_fit_alloc(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, double lambda)
{
    *fit = (lnt_match_fit){.lambda = lambda,
                           .linear_loss = NAN,
                           .smallest = NAN,
                           .eta = NAN,
                           .bound = NAN,
                           .gap = NAN,
                           .tight = m->slack > LNT_SLACK};
    lnt_status status = lnt_mat_alloc(ctx, &fit->D, m->rank, m->rank);
    return status == LNT_OK ? lnt_mat_alloc_zero(ctx, &fit->E, m->dual, m->dual) : status;
}

/* ---- Measures ---- */

/* F (r x r) <- (J Z U)^T J Z U. */
static lnt_status image(lnt_ctx *ctx, lnt_mat F, const lnt_match *m, const lnt_match_fit *fit)
{
    lnt_mat Q, A, Y;
    lnt_status status;
    if (fit->T.rows > 0) {
        if ((status = lnt_mat_alloc(ctx, &Y, m->cells, m->rank)) != LNT_OK)
            return status;
        lnt_mat_copy(Y, m->JZ0U);
        lnt_mat_add(Y, 1, fit->T);
        lnt_syrk(F, 1, LNT_T, Y, 0);
        lnt_symmetrize(F);
        return LNT_OK;
    }
    if ((status = lnt_mat_alloc(ctx, &Q, m->rank, m->rank)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &A, m->rank, m->rank)) != LNT_OK)
        return status;
    lnt_mat_copy(Q, fit->D);
    for (int i = 0; i < m->rank; i++)
        *lnt_at(Q, i, i) += 1;
    lnt_gemm(A, 1, LNT_N, m->A0, LNT_N, Q, 0);
    lnt_gemm(F, 1, LNT_T, Q, LNT_N, A, 0);
    return LNT_OK;
}

/* B (r x r) <- W^T W between directions U. */
static lnt_status square(lnt_ctx *ctx, lnt_mat B, const lnt_match *m, const lnt_match_fit *fit)
{
    lnt_mat A;
    if (fit->T.rows > 0) {
        lnt_syrk(B, 1, LNT_T, fit->T, 0);
        lnt_symmetrize(B);
        return LNT_OK;
    }
    lnt_status status = lnt_mat_alloc(ctx, &A, m->rank, m->rank);
    if (status != LNT_OK)
        return status;
    lnt_gemm(A, 1, LNT_N, m->A0, LNT_N, fit->D, 0);
    lnt_gemm(B, 1, LNT_T, fit->D, LNT_N, A, 0);
    return LNT_OK;
}

static bool is_symmetric(lnt_mat A)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < j; i++)
            if (*lnt_at(A, i, j) != *lnt_at(A, j, i))
                return false;
    return true;
}

/* Extreme numbers of W and Z. Destroys A. */
static lnt_status spectrum(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, lnt_mat A, lnt_mat Q)
{
    int r = m->rank;
    double *w = lnt_alloc(ctx, (size_t)r, sizeof *w);
    if (!w)
        return LNT_ENOMEM;
    bool plain = m->centred && fit->T.rows == 0, symmetric = plain && is_symmetric(fit->D);
    if (plain) {
        lnt_mat_transpose(Q, fit->D);
        lnt_mat_add(Q, 1, fit->D);
        lnt_mat_scale(Q, 0.5);
        lnt_status status = lnt_eigh(ctx, w, A, Q);
        if (status != LNT_OK)
            return status;
        fit->smallest = r > 0 ? 1 + w[0] : 1;
        fit->radius = r > 0 ? fmax(fabs(w[0]), fabs(w[r - 1])) : 0;
    }
    if (symmetric)
        return LNT_OK;
    lnt_status status = square(ctx, A, m, fit);
    if (status == LNT_OK)
        status = lnt_eigh(ctx, w, Q, A);
    fit->radius = status == LNT_OK && r > 0 ? sqrt(fmax(0, w[r - 1])) : 0;
    return status;
}

static double trace(lnt_mat A)
{
    double sum = 0;
    for (int i = 0; i < A.rows; i++)
        sum += *lnt_at(A, i, i);
    return sum;
}

static lnt_status measure(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m)
{
    int r = m->rank, q = m->dual;
    lnt_mat A, Q, C, work;
    lnt_status status;
    if ((status = lnt_mat_alloc(ctx, &A, r, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &Q, r, r)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &C, q, q)) != LNT_OK || (status = lnt_mat_alloc(ctx, &work, r, q)) != LNT_OK ||
        (status = image(ctx, A, m, fit)) != LNT_OK)
        return status;
    lnt_match_lower(C, A, m, work);
    lnt_mat_add(C, -1, m->R);
    lnt_match_mask(C, m);
    fit->misfit = (lnt_match_dot(C, C) / 2 + m->outside) / m->pairs;
    if ((status = square(ctx, A, m, fit)) != LNT_OK)
        return status;
    fit->norm = sqrt(fmax(0, trace(A)));
    fit->penalty = fit->lambda / 2 * fit->norm * fit->norm;
    fit->loss = fit->misfit + fit->penalty;
    return spectrum(ctx, fit, m, A, Q);
}

lnt_status lnt_match_measure(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = measure(ctx, fit, m);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- Weights and predictions ---- */

static lnt_status check_cells(lnt_ctx *ctx, const lnt_match *m)
{
    if (m->U.a && m->U.rows == m->cells && m->cells > 0)
        return LNT_OK;
    return lnt_fail(ctx, LNT_EINVAL, "weights and maps of cells need the inputs, not their covariance alone");
}

/* T (N x r), W = T U^T. */
static void columns(lnt_mat T, const lnt_match *m, const lnt_match_fit *fit)
{
    if (fit->T.rows > 0)
        lnt_mat_copy(T, fit->T);
    else
        lnt_gemm(T, 1, LNT_N, m->JZ0U, LNT_N, fit->D, 0);
}

lnt_status lnt_match_weights(lnt_ctx *ctx, lnt_mat W, const lnt_match *m, const lnt_match_fit *fit)
{
    lnt_mat T;
    lnt_status status = check_cells(ctx, m);
    if (status != LNT_OK)
        return status;
    if (W.rows != m->cells || W.cols != m->cells)
        return lnt_fail(ctx, LNT_ESHAPE, "the weights are %d x %d, not %d x %d", W.rows, W.cols, m->cells, m->cells);
    lnt_mark mark = lnt_ctx_mark(ctx);
    if ((status = lnt_mat_alloc(ctx, &T, m->cells, m->rank)) == LNT_OK) {
        columns(T, m, fit);
        lnt_gemm(W, 1, LNT_N, T, LNT_T, m->U, 0);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_match_apply(lnt_ctx *ctx, lnt_mat ZX, const lnt_match *m, const lnt_match_fit *fit, lnt_mat X)
{
    lnt_mat T, A;
    lnt_status status = check_cells(ctx, m);
    if (status != LNT_OK)
        return status;
    if (X.rows != m->cells || ZX.rows != X.rows || ZX.cols != X.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "stimuli of %d cells, answers of %d x %d, where there are %d cells", X.rows,
                        ZX.rows, ZX.cols, m->cells);
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = lnt_mat_alloc(ctx, &T, m->cells, m->rank);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, m->rank, X.cols);
    if (status == LNT_OK) {
        columns(T, m, fit);
        lnt_gemm(A, 1, LNT_T, m->U, LNT_N, X, 0);
        if (m->identity)
            lnt_mat_copy(ZX, X);
        else
            lnt_gemm(ZX, 1, LNT_N, m->Z0, LNT_N, X, 0);
        lnt_gemm(ZX, 1, LNT_N, T, LNT_N, A, 1);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_match_predict(lnt_ctx *ctx, lnt_mat C, const lnt_match *m, const lnt_match_fit *fit, lnt_mat X1,
                             lnt_mat X2)
{
    lnt_mat A, B;
    lnt_mark mark = lnt_ctx_mark(ctx);
    bool same = X1.a == X2.a && X1.ld == X2.ld && X1.cols == X2.cols && X1.rows == X2.rows;
    lnt_status status = lnt_mat_alloc(ctx, &A, X1.rows, X1.cols);
    if (status == LNT_OK)
        status = lnt_match_apply(ctx, A, m, fit, X1);
    B = A;
    if (status == LNT_OK && !same)
        status = lnt_mat_alloc(ctx, &B, X2.rows, X2.cols);
    if (status == LNT_OK && !same)
        status = lnt_match_apply(ctx, B, m, fit, X2);
    if (status == LNT_OK)
        status = lnt_match_target(ctx, C, A, B);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_match_covariance(lnt_ctx *ctx, lnt_mat C, const lnt_match *m, const lnt_match_fit *fit)
{
    lnt_mat F, work;
    if (C.rows != m->dual || C.cols != m->dual)
        return lnt_fail(ctx, LNT_ESHAPE, "the covariance is %d x %d, the rank of the inputs %d", C.rows, C.cols,
                        m->dual);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = lnt_mat_alloc(ctx, &F, m->rank, m->rank);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &work, m->rank, m->dual);
    if (status == LNT_OK)
        status = image(ctx, F, m, fit);
    if (status == LNT_OK)
        lnt_match_lower(C, F, m, work);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* p = U^T x, k = U^T J x: C = own + p^T D^T k + k^T D p + p^T D^T A0 D p. */
static lnt_status predict_gram(lnt_ctx *ctx, lnt_mat C, const lnt_match *m, const lnt_match_fit *fit, lnt_mat cross,
                               lnt_mat own, const double *mean)
{
    int r = m->rank, n = C.cols;
    lnt_mat p, k, Dp;
    lnt_status status;
    if ((status = lnt_mat_alloc(ctx, &p, r, n)) != LNT_OK || (status = lnt_mat_alloc(ctx, &k, r, n)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &Dp, r, n)) != LNT_OK)
        return status;
    lnt_gemm(p, 1, LNT_T, m->V, LNT_N, cross, 0);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < r; i++) {
            *lnt_at(p, i, j) /= m->sv[i];
            *lnt_at(k, i, j) = *lnt_at(p, i, j) - (mean ? m->u[i] * sqrt(m->cells) * mean[j] : 0);
        }
    lnt_gemm(Dp, 1, LNT_N, fit->D, LNT_N, p, 0);
    /* k + A0 D p/2, and its product with D p plus the transpose */
    lnt_gemm(k, 0.5, LNT_N, m->A0, LNT_N, Dp, 1);
    lnt_gemm(C, 1, LNT_T, Dp, LNT_N, k, 0);
    lnt_match_add_transpose(C);
    lnt_mat_add(C, 1, own);
    return LNT_OK;
}

lnt_status lnt_match_predict_gram(lnt_ctx *ctx, lnt_mat C, const lnt_match *m, const lnt_match_fit *fit, lnt_mat cross,
                                  lnt_mat own, const double *mean)
{
    int n = own.cols;
    if (!m->identity || m->pairs > 1 || fit->T.rows > 0 || (!m->centred && !mean))
        return lnt_fail(ctx, LNT_EINVAL,
                        "inner products predict for one pair, Z0 = I and a core alone, with means if not centred");
    if (own.rows != n || C.rows != n || C.cols != n || cross.rows != m->stimuli || cross.cols != n)
        return lnt_fail(ctx, LNT_ESHAPE, "inner products of %d x %d and %d x %d for %d x %d predictions", cross.rows,
                        cross.cols, own.rows, own.cols, C.rows, C.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = predict_gram(ctx, C, m, fit, cross, own, mean);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* B = V diag(sv)^-1 D diag(sv)^-1 V^T. */
lnt_status lnt_match_representer(lnt_ctx *ctx, lnt_mat B, const lnt_match *m, const lnt_match_fit *fit)
{
    lnt_mat A, VA;
    if (m->pairs > 1 || fit->T.rows > 0)
        return lnt_fail(ctx, LNT_EINVAL, "the representer form is for one pair and a core alone");
    if (B.rows != m->stimuli || B.cols != m->stimuli)
        return lnt_fail(ctx, LNT_ESHAPE, "the representer is %d x %d, not %d x %d", B.rows, B.cols, m->stimuli,
                        m->stimuli);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = lnt_mat_alloc(ctx, &A, m->rank, m->rank);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VA, m->stimuli, m->rank);
    if (status == LNT_OK) {
        for (int j = 0; j < m->rank; j++)
            for (int i = 0; i < m->rank; i++)
                *lnt_at(A, i, j) = *lnt_at(fit->D, i, j) / m->sv[i] / m->sv[j];
        lnt_gemm(VA, 1, LNT_N, m->V, LNT_N, A, 0);
        lnt_gemm(B, 1, LNT_N, VA, LNT_T, m->V, 0);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* D <- D O_k O_k^T with the leading eigenvectors of W^T W; for symmetric D that cuts eigenvalues. */
static lnt_status truncate(lnt_ctx *ctx, lnt_match_fit *cut, const lnt_match *m, const lnt_match_fit *fit, int k)
{
    int r = m->rank;
    double *w = lnt_alloc(ctx, (size_t)r, sizeof *w);
    lnt_mat A, O, L;
    lnt_status status;
    if (!w || lnt_mat_alloc(ctx, &A, r, r) != LNT_OK || lnt_mat_alloc(ctx, &O, r, r) != LNT_OK ||
        lnt_mat_alloc(ctx, &L, r, k) != LNT_OK)
        return LNT_ENOMEM;
    if ((status = square(ctx, A, m, fit)) != LNT_OK || (status = lnt_eigh(ctx, w, O, A)) != LNT_OK)
        return status;
    lnt_mat top = lnt_columns(O, r - k, k);
    lnt_gemm(L, 1, LNT_N, fit->D, LNT_N, top, 0);
    lnt_gemm(cut->D, 1, LNT_N, L, LNT_T, top, 0);
    if (m->centred && is_symmetric(fit->D)) {
        lnt_mat_scale(cut->D, 0.5);
        lnt_match_add_transpose(cut->D);
    }
    return LNT_OK;
}

lnt_status lnt_match_truncate(lnt_ctx *ctx, lnt_match_fit *cut, const lnt_match *m, const lnt_match_fit *fit, int k)
{
    if (k < 0 || fit->T.rows > 0)
        return lnt_fail(ctx, LNT_EINVAL, "a rank of %d: at least 0, and for fits with a core", k);
    lnt_status status = lnt_match_fit_alloc(ctx, cut, m, fit->lambda);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat_copy(cut->D, fit->D);
    lnt_mat_copy(cut->E, fit->E);
    if (k < m->rank)
        status = truncate(ctx, cut, m, fit, k);
    if (status == LNT_OK)
        status = lnt_match_measure(ctx, cut, m);
    lnt_ctx_reset(ctx, mark);
    return status;
}
