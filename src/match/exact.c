/* lambda = 0, and the dynamics of the full model. */
#include "internal.h"

#include <float.h>
#include <math.h>

/* B <- f(A) for symmetric A by its eigenvalues: their square root, or themselves, negative ones taken as 0. The sum of
 * squares of those is added to *lost. */
static lnt_status positive(lnt_ctx *ctx, lnt_mat B, lnt_mat A, bool root, double *lost)
{
    int n = A.rows;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat Q, C;
    double *w = lnt_alloc(ctx, (size_t)n, sizeof *w);
    lnt_status status = w ? lnt_mat_alloc(ctx, &Q, n, n) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &C, n, n);
    if (status == LNT_OK) {
        lnt_mat_copy(C, A);
        status = lnt_eigh(ctx, w, Q, C);
    }
    for (int i = 0; i < n && status == LNT_OK; i++) {
        if (w[i] < 0 && lost)
            *lost += w[i] * w[i];
        w[i] = w[i] <= 0 ? 0 : root ? sqrt(sqrt(w[i])) : sqrt(w[i]);
        lnt_mat_scale(lnt_columns(Q, i, 1), w[i]);
    }
    if (status == LNT_OK) {
        lnt_syrk(B, 1, LNT_N, Q, 0);
        lnt_symmetrize(B);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* B_ij <- sv_i^p A_ij sv_j^q. */
static void scale(lnt_mat B, lnt_mat A, const double *sv, int p, int q)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(B, i, j) = pow(sv[i], p) * *lnt_at(A, i, j) * pow(sv[j], q);
}

/* U^T Z U. */
static lnt_status exact(lnt_ctx *ctx, lnt_mat Q, const lnt_match *m, lnt_match_exact_kind kind, double *lost)
{
    lnt_mat R, A;
    lnt_status status = lnt_mat_alloc(ctx, &R, m->rank, m->rank);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, m->rank, m->rank);
    if (status == LNT_OK)
        status = positive(ctx, R, m->R, false, lost);
    if (status != LNT_OK)
        return status;
    switch (kind) {
    case LNT_MATCH_LEAST_WEIGHTS: /* (D^-1 R D^-1)^(1/2) */
        scale(A, R, m->sv, -1, -1);
        return positive(ctx, Q, A, true, NULL);
    case LNT_MATCH_TRANSPORT: /* (D R D)^(1/2) D^-2 */
        scale(A, R, m->sv, 1, 1);
        status = positive(ctx, R, A, true, NULL);
        scale(Q, R, m->sv, 0, -2);
        return status;
    case LNT_MATCH_CORAL: /* R^(1/2) D^-1 */
        status = positive(ctx, A, R, true, NULL);
        scale(Q, A, m->sv, 0, -1);
        return status;
    case LNT_MATCH_ZCA:
        lnt_mat_identity(R);
        scale(Q, R, m->sv, 0, -1);
    }
    return LNT_OK;
}

lnt_status lnt_match_exact(lnt_ctx *ctx, lnt_match_fit *fit, double *moved, const lnt_match *m,
                           lnt_match_exact_kind kind)
{
    if (!m->centred || m->pairs > 1)
        return lnt_fail(ctx, LNT_EINVAL,
                        "exact fits are for one pair of centred inputs; subtract each stimulus's mean over cells");
    lnt_status status = lnt_match_fit_alloc(ctx, fit, m, 0);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    double lost = 0;
    status = exact(ctx, fit->D, m, kind, &lost);
    for (int i = 0; i < m->rank; i++)
        *lnt_at(fit->D, i, i) -= 1;
    if (status == LNT_OK)
        status = lnt_match_measure(ctx, fit, m);
    if (kind != LNT_MATCH_ZCA) {
        fit->bound = lost / 2 + m->outside;
        fit->gap = fmax(0, fit->loss - fit->bound);
        fit->global = true; /* at lambda = 0, where all of these attain the projection */
    }
    double sum = 0;
    for (int j = 0; j < m->rank; j++)
        for (int i = 0; i < m->rank; i++)
            sum += pow(*lnt_at(fit->D, i, j) * m->sv[j], 2);
    if (moved)
        *moved = sqrt(sum);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Newton's method from above the root, where the cubic is convex and rises: monotone. */
double lnt_match_mode(double s, double R, double lambda)
{
    double a = 2 * s * s, b = lambda - 2 * s * R;
    if (a == 0)
        return b > 0 ? lambda / b : INFINITY;
    /* above both roots of the pairs of terms: a q^3 = max(-b, 0) q + lambda */
    double q = sqrt(fmax(-b, 0) / a) + cbrt(lambda / a);
    for (int k = 0; k < 200; k++) {
        double f = (a * q * q + b) * q - lambda, slope = 3 * a * q * q + b, next = q - f / slope;
        if (!(next < q) || !(slope > 0))
            break;
        q = next;
    }
    return q;
}

double lnt_match_mode_flow(double q0, double s, double R, double t)
{
    double u0 = q0 * q0, sign = q0 < 0 ? -1 : 1, rate = 4 * s * R * t, u;
    if (u0 == 0 || s == 0 || t == 0)
        return q0;
    if (R == 0)
        return q0 / sqrt(1 + 4 * s * s * u0 * t);
    /* u = u0 e^rate/(1 + u0 (s/R) (e^rate - 1)), written for either sign without overflow */
    if (rate > 0)
        u = u0 / (exp(-rate) - u0 * s / R * expm1(-rate));
    else
        u = u0 * exp(rate) / (1 + u0 * s / R * expm1(rate));
    return sign * sqrt(u);
}

/* ---- The matrix Riccati equation, in the eigenbasis of S ---- */

/* C0 > 0: C = D B^-1 D with B = H^-1 C0^-1 H^-1 + F scaled so that nothing overflows. h = e^{2 w t}. */
static bool regular(lnt_mat C, lnt_mat C0, const double *w, double t)
{
    int n = C.rows;
    lnt_mat_copy(C, C0);
    if (!lnt_cholesky(C))
        return false;
    for (int i = 0; i < n; i++) { /* nearly singular ones are for the other formula */
        double d = *lnt_at(C, i, i);
        if (d * d < 1e-12 * fabs(*lnt_at(C0, i, i)))
            return false;
    }
    lnt_cholesky_inverse(C);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++)
            *lnt_at(C, i, j) *= exp(-2 * (fmax(w[i], 0) + fmax(w[j], 0)) * t);
    for (int i = 0; i < n; i++)
        *lnt_at(C, i, i) += w[i] == 0 ? 4 * t : -expm1(-4 * fabs(w[i]) * t) / fabs(w[i]);
    if (!lnt_cholesky(C))
        return false;
    lnt_cholesky_inverse(C);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++)
            *lnt_at(C, i, j) *= exp(2 * (fmin(w[i], 0) + fmin(w[j], 0)) * t);
    return true;
}

/* C = H L (I + L F L)^-1 L H with L = C0^(1/2). */
static lnt_status singular(lnt_ctx *ctx, lnt_mat C, lnt_mat C0, const double *w, double t)
{
    int n = C.rows;
    lnt_mat L, FL, A;
    lnt_status status;
    if ((status = lnt_mat_alloc(ctx, &L, n, n)) != LNT_OK || (status = lnt_mat_alloc(ctx, &FL, n, n)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &A, n, n)) != LNT_OK || (status = positive(ctx, L, C0, true, NULL)) != LNT_OK)
        return status;
    double top = 0;
    for (int i = 0; i < n; i++)
        top = fmax(top, 4 * fabs(w[i]) * t);
    if (top > 600)
        return lnt_fail(ctx, LNT_EDOMAIN, "from a singular start the time must be below 150/|S|, not %g", t);
    lnt_mat_copy(FL, L);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++)
            *lnt_at(FL, i, j) *= w[i] == 0 ? 4 * t : expm1(4 * w[i] * t) / w[i];
    lnt_gemm(A, 1, LNT_T, L, LNT_N, FL, 0);
    for (int i = 0; i < n; i++)
        *lnt_at(A, i, i) += 1;
    if (!lnt_cholesky(A))
        return lnt_fail(ctx, LNT_ENUMERIC, "the start of the flow is not positive semidefinite");
    for (int j = 0; j < n; j++) /* L H */
        for (int i = 0; i < n; i++)
            *lnt_at(FL, i, j) = *lnt_at(L, i, j) * exp(2 * w[j] * t);
    lnt_mat_copy(L, FL);
    lnt_cholesky_solve(FL, A);
    lnt_gemm(C, 1, LNT_T, L, LNT_N, FL, 0);
    return LNT_OK;
}

static lnt_status riccati(lnt_ctx *ctx, lnt_mat C, lnt_mat S, lnt_mat C0, double t)
{
    int n = S.rows;
    lnt_mat Q, A, B;
    lnt_status status;
    double *w = lnt_alloc(ctx, (size_t)n, sizeof *w);
    if (!w || lnt_mat_alloc(ctx, &Q, n, n) != LNT_OK || lnt_mat_alloc(ctx, &A, n, n) != LNT_OK ||
        lnt_mat_alloc(ctx, &B, n, n) != LNT_OK)
        return LNT_ENOMEM;
    lnt_mat_transpose(A, S);
    lnt_mat_add(A, 1, S);
    lnt_mat_scale(A, 0.5);
    if ((status = lnt_eigh(ctx, w, Q, A)) != LNT_OK)
        return status;
    lnt_gemm(A, 1, LNT_N, C0, LNT_N, Q, 0);
    lnt_gemm(B, 1, LNT_T, Q, LNT_N, A, 0);
    if (!regular(A, B, w, t) && (status = singular(ctx, A, B, w, t)) != LNT_OK)
        return status;
    lnt_gemm(B, 1, LNT_N, Q, LNT_N, A, 0);
    lnt_gemm(C, 1, LNT_N, B, LNT_T, Q, 0);
    return LNT_OK;
}

lnt_status lnt_match_riccati(lnt_ctx *ctx, lnt_mat C, lnt_mat S, lnt_mat C0, double t)
{
    int n = S.rows;
    if (S.cols != n || C0.rows != n || C0.cols != n || C.rows != n || C.cols != n)
        return lnt_fail(ctx, LNT_ESHAPE, "the target is %d x %d, the start %d x %d, the answer %d x %d", S.rows, S.cols,
                        C0.rows, C0.cols, C.rows, C.cols);
    if (!(t >= 0) || isinf(t) || !lnt_mat_finite(S) || !lnt_mat_finite(C0))
        return lnt_fail(ctx, LNT_EDOMAIN, "target, start and time (%g, at least 0) must be finite", t);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = riccati(ctx, C, S, C0, t);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
