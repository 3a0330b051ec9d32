/* Certificates of maps that came from anywhere, and equation (1). */
#include "internal.h"

#include <math.h>

#define STATIONARY 1e-8

static double distance2_from_reference(lnt_mat W, const lnt_match *m, lnt_mat Z)
{
    double sum = 0;
    for (int j = 0; j < Z.cols; j++)
        for (int i = 0; i < Z.rows; i++) {
            double w = *lnt_at(Z, i, j) - (m->identity ? i == j : *lnt_at(m->Z0, i, j));
            *lnt_at(W, i, j) = w;
            sum += w * w;
        }
    return sum;
}

/* d(t E) for the largest t <= 1 with a t ss o E < I. */
static lnt_status lower_bound(lnt_ctx *ctx, double *bound, const lnt_match *m, lnt_mat E, double lambda)
{
    lnt_dual dual;
    int r = m->rank;
    lnt_mat Q;
    double *w = lnt_alloc(ctx, (size_t)r + 1, sizeof *w);
    lnt_status status = w ? lnt_mat_alloc(ctx, &Q, r, r) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_dual_alloc(ctx, &dual, m);
    if (status != LNT_OK)
        return status;
    lnt_dual_set_lambda(&dual, lambda);
    lnt_match_lift(dual.W2, dual.a, E, m, dual.W1);
    w[r > 0 ? r - 1 : 0] = 0;
    if ((status = lnt_eigh(ctx, w, Q, dual.W2)) != LNT_OK)
        return status;
    double top = r > 0 ? w[r - 1] : 0, t = top >= 1 ? (1 - 1e-6) / top : 1;
    *bound = -INFINITY;
    for (int tries = 0; tries < 30 && isinf(*bound); tries++, t *= 0.5) {
        lnt_mat_copy(dual.at.E, E);
        lnt_mat_scale(dual.at.E, t);
        if (lnt_dual_evaluate(&dual, &dual.at))
            *bound = m->outside - dual.at.phi;
    }
    return LNT_OK;
}

static lnt_status certify(lnt_ctx *ctx, lnt_match_certificate *c, const lnt_match *m, lnt_mat Z, double lambda)
{
    int N = m->cells, r = m->rank;
    lnt_mat W, Y, YE, E, P, A;
    lnt_status status;
    if ((status = lnt_mat_alloc(ctx, &W, N, N)) != LNT_OK || (status = lnt_mat_alloc(ctx, &Y, N, r)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &YE, N, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &E, r, r)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &P, r, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &A, r, r)) != LNT_OK)
        return status;
    double w2 = distance2_from_reference(W, m, Z), *w = lnt_alloc(ctx, (size_t)r + 1, sizeof *w);
    if (!w)
        return LNT_ENOMEM;
    lnt_gemm(Y, 1, LNT_N, Z, LNT_N, m->U, 0); /* J Z U */
    lnt_gemm(P, 1, LNT_T, m->U, LNT_N, Y, 0);
    lnt_match_subtract_means(Y);
    lnt_gemm(A, 1, LNT_T, Y, LNT_N, Y, 0);
    lnt_match_lower(E, A, m, YE);
    lnt_mat_scale(E, -1);
    lnt_mat_add(E, 1, m->R);
    c->loss = lnt_mat_dot(E, E) / 2 + m->outside + lambda / 2 * w2;
    lnt_match_lift(A, 1, E, m, YE); /* U^T X E X^T U */
    lnt_gemm(YE, 1, LNT_N, Y, LNT_N, A, 0);
    double size = lambda * sqrt(w2);
    lnt_gemm(W, -2, LNT_N, YE, LNT_T, m->U, lambda);
    double scale = (r > 0 ? m->sv[0] * m->sv[0] : 0) * sqrt(m->target2) + size;
    c->gradient = scale > 0 ? lnt_mat_norm(W) / scale : 0;
    c->stationary = c->gradient <= STATIONARY;
    lnt_mat_transpose(A, P);
    lnt_mat_add(A, 1, P);
    lnt_mat_scale(A, 0.5);
    w[0] = 1;
    if ((status = lnt_eigh(ctx, w, P, A)) != LNT_OK || (status = lower_bound(ctx, &c->bound, m, E, lambda)) != LNT_OK)
        return status;
    c->smallest = w[0];
    c->gap = c->loss > 0 ? fmax(0, c->loss - c->bound) / c->loss : 0;
    c->global = c->gap <= LNT_GLOBAL;
    return LNT_OK;
}

lnt_status lnt_match_certify(lnt_ctx *ctx, lnt_match_certificate *certificate, const lnt_match *m, lnt_mat Z,
                             double lambda)
{
    lnt_status status = lnt_match_check_lambda(ctx, lambda, false);
    *certificate = (lnt_match_certificate){0};
    if (status != LNT_OK)
        return status;
    if (m->pairs > 1 || m->U.rows != m->cells || m->cells == 0)
        return lnt_fail(ctx, LNT_EINVAL, "certificates are for one pair whose inputs are known");
    if (Z.rows != m->cells || Z.cols != m->cells)
        return lnt_fail(ctx, LNT_ESHAPE, "the map is %d x %d, not %d x %d", Z.rows, Z.cols, m->cells, m->cells);
    if (!lnt_mat_finite(Z))
        return lnt_fail(ctx, LNT_EDOMAIN, "the map is not finite");
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = certify(ctx, certificate, m, Z, lambda);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status balance(lnt_ctx *ctx, double *misfit, double *r2, lnt_mat *left, lnt_mat *right, const lnt_match *m,
                          const lnt_match_fit *fit)
{
    int r = m->rank;
    lnt_mat L, R, work;
    lnt_status status;
    if ((status = lnt_mat_alloc(ctx, &L, r, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &R, r, r)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &work, m->cells, r)) != LNT_OK)
        return status;
    double error = 0, size = 0;
    for (int j = 0; j < r; j++)
        for (int i = 0; i < r; i++) {
            double ss = m->sv[i] * m->sv[j], l = 2 * ss * *lnt_at(m->E0, i, j),
                   x = (4 * ss * ss + fit->lambda) * *lnt_at(fit->D, i, j);
            *lnt_at(L, i, j) = l;
            *lnt_at(R, i, j) = x;
            error += (l - x) * (l - x);
            size += l * l;
        }
    *misfit = size > 0 ? sqrt(error / size) : 0;
    *r2 = 1 - *misfit * *misfit; /* entries of left have mean 0: 1^T U = 0 */
    lnt_mat *out[] = {left, right}, core[] = {L, R};
    for (int k = 0; k < 2; k++)
        if (out[k]) {
            lnt_gemm(work, 1, LNT_N, m->U, LNT_N, core[k], 0);
            lnt_gemm(*out[k], 1, LNT_N, work, LNT_T, m->U, 0);
        }
    return LNT_OK;
}

lnt_status lnt_match_balance(lnt_ctx *ctx, double *misfit, double *r2, lnt_mat *left, lnt_mat *right,
                             const lnt_match *m, const lnt_match_fit *fit)
{
    int N = m->cells;
    if (!m->centred || m->pairs > 1 || fit->T.rows > 0)
        return lnt_fail(ctx, LNT_EINVAL, "equation (1) is for one pair of centred inputs");
    if ((left || right) && m->U.rows != N)
        return lnt_fail(ctx, LNT_EINVAL, "the sides of equation (1) need the inputs, not their covariance alone");
    if ((left && (left->rows != N || left->cols != N)) || (right && (right->rows != N || right->cols != N)))
        return lnt_fail(ctx, LNT_ESHAPE, "the sides of equation (1) are %d x %d", N, N);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = balance(ctx, misfit, r2, left, right, m, fit);
    lnt_ctx_reset(ctx, mark);
    return status;
}
