#include "internal.h"

#include <math.h>

/* Of the linear solution, from the study of when the dropped square of W matters. */
#define TRUSTED_ETA 0.05
#define DISTRUSTED_RADIUS 0.3

lnt_status lnt_match_check_lambda(lnt_ctx *ctx, double lambda, bool zero)
{
    if (lambda > 0 && isfinite(lambda) && isfinite(2 / lambda))
        return LNT_OK;
    if (lambda == 0 && zero)
        return LNT_OK;
    return lnt_fail(ctx, LNT_EINVAL, "lambda is %g, but must be above 0%s", lambda,
                    lambda == 0 ? "; at 0 use lnt_match_exact()" : "");
}

static lnt_status check_centred(lnt_ctx *ctx, const lnt_match *m, const char *what)
{
    if (m->centred && m->pairs == 1)
        return LNT_OK;
    return lnt_fail(ctx, LNT_EINVAL, "%s is for one pair of centred inputs; subtract each stimulus's mean over cells",
                    what);
}

/* D = 2 ss o E0 ./ (4 ss^2 + lambda), E = f o E0. */
static void centred(lnt_mat D, lnt_mat E, const lnt_match *m, double lambda)
{
    for (int j = 0; j < D.cols; j++) {
        double *restrict d = lnt_at(D, 0, j);
        const double *restrict e = lnt_at(m->E0, 0, j), *restrict sv = m->sv;
        for (int i = 0; i < D.rows; i++) {
            double ss = sv[i] * sv[j];
            d[i] = lambda > 0 ? 2 * ss * e[i] / (4 * ss * ss + lambda) : e[i] / (2 * ss);
        }
        for (int i = 0; i < E.rows; i++) {
            double ss = sv[i] * sv[j];
            *lnt_at(E, i, j) = lambda / (lambda + 4 * ss * ss) * e[i];
        }
    }
}

/* Not centred, Z0 = I: E + a (Gc E G + G E Gc) = E0 with Gc = G - D u u^T D is diagonal but for h = G E V^T mu. With
 * q = h/sv, c m = a sv o u: a symmetric, positive definite system. */
static lnt_status uncentred(lnt_ctx *ctx, lnt_mat E, const lnt_match *m, double lambda)
{
    int r = m->rank;
    double a = 2 / lambda;
    lnt_mat K, L, h;
    lnt_status status = lnt_mat_alloc(ctx, &K, r, r);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &L, r, r);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &h, r, 1);
    if (status != LNT_OK)
        return status;
    const double *sv = m->sv, *u = m->u; /* v = sv o u stands for sqrt N m; q for h/(sv sqrt N) */
    for (int j = 0; j < r; j++)
        for (int i = 0; i < r; i++) {
            double si = sv[i] * sv[i], sj = sv[j] * sv[j], k = 1 / (1 + 2 * a * si * sj), vi = sv[i] * u[i],
                   vj = sv[j] * u[j];
            *lnt_at(K, i, j) = k;
            *lnt_at(L, i, i) += a * si * k * vj * vj;
            *lnt_at(L, i, j) += a * sv[i] * vi * k * vj * sv[j];
            *lnt_at(h, i, 0) += sv[i] * k * *lnt_at(m->E0, i, j) * vj;
        }
    lnt_mat_scale(L, -1);
    for (int i = 0; i < r; i++)
        *lnt_at(L, i, i) += 1;
    if (!lnt_cholesky(L))
        return lnt_fail(ctx, LNT_ENUMERIC,
                        "the linear problem is singular to rounding at lambda = %g; use a larger one", lambda);
    lnt_cholesky_solve(h, L);
    for (int j = 0; j < r; j++)
        for (int i = 0; i < r; i++) {
            double hi = sv[i] * *lnt_at(h, i, 0), hj = sv[j] * *lnt_at(h, j, 0);
            *lnt_at(E, i, j) = *lnt_at(K, i, j) * (*lnt_at(m->E0, i, j) + a * (sv[i] * u[i] * hj + hi * sv[j] * u[j]));
        }
    return LNT_OK;
}

/* Any reference and several pairs: the first Newton step of the dual. */
static lnt_status general(lnt_ctx *ctx, lnt_mat E, const lnt_match *m, double lambda)
{
    lnt_dual dual;
    lnt_status status = lnt_dual_alloc(ctx, &dual, m);
    if (status != LNT_OK)
        return status;
    lnt_dual_set_lambda(&dual, lambda);
    if (!lnt_dual_evaluate(&dual, &dual.at))
        return lnt_fail(ctx, LNT_ENUMERIC, "the linear problem overflows; scale inputs and target");
    status = lnt_dual_solve(ctx, &dual, 1e-15);
    lnt_mat_copy(E, dual.step);
    return status;
}

static lnt_status solve(lnt_ctx *ctx, lnt_mat D, lnt_mat E, const lnt_match *m, double lambda)
{
    lnt_mat F = E, work;
    lnt_status status = E.rows == 0 ? lnt_mat_alloc(ctx, &F, m->dual, m->dual) : LNT_OK;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &work, m->rank, m->dual);
    if (status == LNT_OK)
        status = m->identity && m->pairs == 1 ? uncentred(ctx, F, m, lambda) : general(ctx, F, m, lambda);
    if (status == LNT_OK)
        lnt_match_lift(D, 2 / (lambda * m->pairs), F, m, work);
    return status;
}

lnt_status lnt_match_linear_solve(lnt_ctx *ctx, lnt_mat D, lnt_mat E, const lnt_match *m, double lambda)
{
    if (m->centred && m->pairs == 1) {
        centred(D, E, m, lambda);
        return LNT_OK;
    }
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = solve(ctx, D, E, m, lambda);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_match_linear_core(lnt_ctx *ctx, lnt_mat D, const lnt_match *m, double lambda)
{
    lnt_status status = lnt_match_check_lambda(ctx, lambda, m->centred && m->pairs == 1);
    if (status != LNT_OK)
        return status;
    if (D.rows != m->rank || D.cols != m->rank)
        return lnt_fail(ctx, LNT_ESHAPE, "the core is %d x %d, the rank of the inputs %d", D.rows, D.cols, m->rank);
    return lnt_match_linear_solve(ctx, D, lnt_mat_view(NULL, 0, 0), m, lambda);
}

/* eta = |J K^2|/|J K|, with <A0 K, K> = |J Z0 U K|^2. */
static lnt_status second_order(lnt_ctx *ctx, double *eta, const lnt_match *m, lnt_mat D)
{
    lnt_mat DD, A;
    lnt_status status = lnt_mat_alloc(ctx, &DD, m->rank, m->rank);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, m->rank, m->rank);
    if (status != LNT_OK)
        return status;
    lnt_gemm(DD, 1, LNT_N, D, LNT_N, D, 0);
    lnt_gemm(A, 1, LNT_N, m->A0, LNT_N, DD, 0);
    double above = lnt_match_dot(A, DD);
    lnt_gemm(A, 1, LNT_N, m->A0, LNT_N, D, 0);
    double below = lnt_match_dot(A, D);
    *eta = below > 0 ? sqrt(fmax(0, above) / below) : 0;
    return LNT_OK;
}

/* 1/2 |E|^2 + c_out over pairs, plus the penalty: at the minimum E is the error of the linear model. */
static double linear_loss(const lnt_match_fit *fit, const lnt_match *m)
{
    return (lnt_match_dot(fit->E, fit->E) / 2 + m->outside) / m->pairs + fit->penalty;
}

lnt_status lnt_match_linear(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, double lambda)
{
    lnt_status status = lnt_match_check_lambda(ctx, lambda, m->centred && m->pairs == 1);
    if (status == LNT_OK)
        status = lnt_match_fit_alloc(ctx, fit, m, lambda);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = lnt_match_linear_solve(ctx, fit->D, fit->E, m, lambda);
    if (status == LNT_OK)
        status = lnt_match_measure(ctx, fit, m);
    if (status == LNT_OK)
        status = second_order(ctx, &fit->eta, m, fit->D);
    fit->linear_loss = linear_loss(fit, m);
    fit->verdict = fit->radius > DISTRUSTED_RADIUS ? LNT_MATCH_DISTRUST
                   : fit->eta < TRUSTED_ETA        ? LNT_MATCH_TRUST
                                                   : LNT_MATCH_DOUBT;
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_match_linear_path(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, const double *lambda, int count)
{
    lnt_status status = LNT_OK;
    for (int k = 0; k < count && status == LNT_OK; k++)
        status = lnt_match_linear(ctx, &fit[k], m, lambda[k]);
    return status;
}

/* ---- Gradient flow ---- */

static lnt_status flow(lnt_ctx *ctx, lnt_mat W, const lnt_match *m, double lambda, const lnt_mat *W0, double t)
{
    int r = m->rank, N = m->cells;
    lnt_mat D, A, NR;
    lnt_status status = lnt_mat_alloc(ctx, &D, r, r);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &A, r, r);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &NR, N, r);
    if (status != LNT_OK)
        return status;
    centred(D, lnt_mat_view(NULL, 0, 0), m, lambda);
    double outside = lambda == 0 ? 1 : exp(-lambda * t);
    lnt_mat_fill(W, 0);
    if (W0) {
        lnt_gemm(NR, 1, LNT_N, *W0, LNT_N, m->U, 0);
        lnt_gemm(A, 1, LNT_T, m->U, LNT_N, NR, 0);
        lnt_mat_add(W, outside, *W0);
    }
    for (int j = 0; j < r; j++) /* what replaces the symmetric part of U^T W U */
        for (int i = 0; i <= j; i++) {
            double ss = m->sv[i] * m->sv[j], rate = 4 * ss * ss + lambda,
                   start = (*lnt_at(A, i, j) + *lnt_at(A, j, i)) / 2, left = rate > 0 ? exp(-rate * t) : 1;
            *lnt_at(D, i, j) = *lnt_at(D, j, i) =
                *lnt_at(D, i, j) * (rate > 0 ? -expm1(-rate * t) : 0) + (left - outside) * start;
        }
    lnt_gemm(NR, 1, LNT_N, m->U, LNT_N, D, 0);
    lnt_gemm(W, 1, LNT_N, NR, LNT_T, m->U, 1);
    return LNT_OK;
}

lnt_status lnt_match_flow(lnt_ctx *ctx, lnt_mat W, const lnt_match *m, double lambda, const lnt_mat *W0, double t)
{
    lnt_status status = check_centred(ctx, m, "the flow in closed form");
    if (status == LNT_OK)
        status = lnt_match_check_lambda(ctx, lambda, true);
    if (status != LNT_OK)
        return status;
    if (m->U.rows != m->cells || m->U.rows == 0)
        return lnt_fail(ctx, LNT_EINVAL, "the flow of weights needs the inputs, not their covariance alone");
    if (W.rows != m->cells || W.cols != m->cells || (W0 && (W0->rows != m->cells || W0->cols != m->cells)))
        return lnt_fail(ctx, LNT_ESHAPE, "weights of %d cells are %d x %d", m->cells, m->cells, m->cells);
    if (!(t >= 0) || (isinf(t) && lambda == 0))
        return lnt_fail(ctx, LNT_EINVAL, "a time of %g: at least 0, and finite where lambda is 0", t);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = flow(ctx, W, m, lambda, W0, t);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
