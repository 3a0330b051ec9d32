#include "local.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* What stands below B where neither damping nor penalties do: far below all that matters, but not 0. */
#define FLOOR 1e-16

/* A column's distance from the span of those before it, over its length, from which on Cholesky is good enough: it
 * loses the square. */
#define QUICK 1e-3

static lnt_mat triangle(const lnt_local *l)
{
    return lnt_block(l->T, 0, 0, l->k, l->k);
}

static lnt_status damp_triangle(lnt_ctx *ctx, lnt_local *l, bool *ok)
{
    int k = l->k;
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *root = lnt_alloc(ctx, (size_t)k, sizeof *root), largest = 0, least = INFINITY;
    if (!root)
        return LNT_ENOMEM;
    lnt_mat_copy(l->T, l->R);
    for (int j = 0; j < k; j++) { /* the right side is y = r + B w0 */
        root[j] = sqrt(l->E[j]);
        if (l->w0[j] != 0)
            for (int i = 0; i <= j; i++)
                *lnt_at(l->T, i, k) += *lnt_at(l->R, i, j) * l->w0[j];
    }
    lnt_status status = lnt_qr_diagonal(ctx, l->T, root, k);
    for (int j = 0; j < k; j++) {
        double size = sqrt(l->norm2[j] + l->E[j]), d = fabs(*lnt_at(l->T, j, j));
        least = fmin(least, size > 0 ? d / size : 0);
        largest = fmax(largest, d);
    }
    *ok = status == LNT_OK && isfinite(largest) && least > 0 && (l->mu > 0 || least > k * DBL_EPSILON);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* A <- the Cholesky factor of B^T B + E; *well where its columns are far from dependent. */
static bool damp_products(lnt_local *l, bool *well)
{
    double least = INFINITY;
    lnt_mat_copy(l->A, l->H);
    for (int j = 0; j < l->k; j++)
        *lnt_at(l->A, j, j) += l->E[j];
    bool ok = lnt_cholesky(l->A);
    for (int j = 0; j < l->k && ok; j++) {
        double size = sqrt(l->norm2[j] + l->E[j]);
        least = fmin(least, size > 0 ? *lnt_at(l->A, j, j) / size : 0);
    }
    *well = ok && least > QUICK;
    return ok;
}

/* M <- S^-1 B^T. */
static void scaled_jacobian(lnt_local *l)
{
    for (int i = 0; i < l->n; i++) {
        const double *b = lnt_at(l->BT, 0, i);
        double *m = lnt_at(l->M, 0, i);
        for (int j = 0; j < l->k; j++)
            m[j] = b[j] / l->scale[j];
    }
}

/* The two ways to the same scaled problem: one scale for all mu where nothing but mu D^2 is added, else each its own.
 */
static void set_scale(lnt_local *l, double mu, const double *D2)
{
    const double *alpha = l->problem->penalty;
    double largest = 0;
    for (int j = 0; j < l->k; j++) {
        l->E[j] = (alpha ? alpha[j] : 0) + mu * D2[j];
        largest = fmax(largest, l->norm2[j] + l->E[j]);
    }
    bool scaled = l->solver == LNT_SOLVER_DUAL || l->solver == LNT_SOLVER_SVD || l->solver == LNT_SOLVER_LSMR;
    for (int j = 0; j < l->k && alpha && scaled; j++) /* they divide by E */
        l->E[j] = fmax(l->E[j], FLOOR * fmax(largest, DBL_MIN / FLOOR));
    for (int j = 0; j < l->k; j++) {
        l->w0[j] = alpha && alpha[j] > 0 ? alpha[j] * l->w[j] / l->E[j] : 0;
        l->scale[j] = alpha ? sqrt(l->E[j]) : sqrt(D2[j]);
    }
    l->mu = mu;
    l->shift = alpha ? 1 : mu;
    l->fresh = l->fresh || alpha;
}

lnt_status lnt_local_damp(lnt_ctx *ctx, lnt_local *l, bool *ok, double mu, const double *D2)
{
    lnt_status status = LNT_OK;
    bool fresh, well;
    set_scale(l, mu, D2);
    fresh = l->fresh;
    *ok = isfinite(mu);
    if (!*ok)
        return LNT_OK;
    if (fresh && (l->solver == LNT_SOLVER_DUAL || l->solver == LNT_SOLVER_SVD))
        scaled_jacobian(l);
    l->fresh = false;
    switch (l->solver) {
    case LNT_SOLVER_CHOLESKY:
        *ok = damp_products(l, &well);
        break;
    case LNT_SOLVER_DUAL:
        if (fresh)
            lnt_syrk(l->H, 1, LNT_T, l->M, 0);
        lnt_mat_copy(l->A, l->H);
        for (int i = 0; i < l->n; i++)
            *lnt_at(l->A, i, i) += l->shift;
        *ok = lnt_cholesky(l->A);
        break;
    case LNT_SOLVER_SVD:
        if (fresh)
            status = lnt_svd(ctx, l->U, l->s, l->VT, l->M);
        break;
    case LNT_SOLVER_LSMR:
        break;
    default:
        l->by_products = l->quick && damp_products(l, &well) && well;
        if (!l->by_products && l->quick)
            status = lnt_local_triangle(ctx, l);
        if (!l->by_products && l->quick && !l->has_triangle)
            *ok = false; /* the model had no value any more */
        else if (!l->by_products && status == LNT_OK)
            status = damp_triangle(ctx, l, ok);
    }
    return status;
}

/* z <- U diag(s/(s^2 + shift)) V^T y. */
static void filter(lnt_local *l, double *z, const double *y, double *c)
{
    int rank = l->U.cols;
    lnt_gemv(c, 1, LNT_N, l->VT, y, 0);
    for (int i = 0; i < rank; i++)
        if (l->shift > 0)
            c[i] *= l->s[i] / (l->s[i] * l->s[i] + l->shift);
        else
            c[i] = l->s[i] > l->rcond * l->s[0] ? c[i] / l->s[i] : 0;
    lnt_gemv(z, 1, LNT_N, l->U, c, 0);
}

/* How steps are solved at this damping. */
static lnt_fit_solver solver_now(const lnt_local *l)
{
    return l->by_products ? LNT_SOLVER_CHOLESKY : l->solver;
}

/* p <- argmin |y - B p|^2 + |E^{1/2} p|^2 for the solvers of the scaled problem. */
static lnt_status solve_scaled(lnt_ctx *ctx, double *p, bool *rejected, lnt_local *l, const double *y)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *c = lnt_alloc(ctx, (size_t)l->n, sizeof *c);
    lnt_status status = c ? LNT_OK : LNT_ENOMEM;
    if (status == LNT_OK && l->solver == LNT_SOLVER_LSMR) {
        status = lnt_lsmr(ctx, p, rejected, l, y);
    } else if (status == LNT_OK && l->solver == LNT_SOLVER_SVD) {
        filter(l, p, y, c);
    } else if (status == LNT_OK) {
        lnt_mat right = lnt_mat_view(c, l->n, 1);
        memcpy(c, y, (size_t)l->n * sizeof *c);
        lnt_solve_lower(right, LNT_N, l->A);
        lnt_solve_lower(right, LNT_T, l->A);
        lnt_gemv(p, 1, LNT_N, l->M, c, 0);
    }
    for (int j = 0; j < l->k && status == LNT_OK; j++)
        p[j] /= l->scale[j];
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status step_scaled(lnt_ctx *ctx, double *p, bool *rejected, lnt_local *l)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *y = lnt_alloc(ctx, (size_t)l->n, sizeof *y);
    lnt_status status = y ? LNT_OK : LNT_ENOMEM;
    *rejected = false;
    if (status == LNT_OK && l->problem->penalty)
        status = lnt_local_times(ctx, y, rejected, l, l->w0);
    else if (status == LNT_OK)
        memset(y, 0, (size_t)l->n * sizeof *y);
    if (status == LNT_OK) {
        lnt_vec_add(l->n, 1, l->r, y);
        status = solve_scaled(ctx, p, rejected, l, y);
    }
    for (int j = 0; j < l->k && status == LNT_OK; j++)
        p[j] -= l->w0[j];
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_local_step(lnt_ctx *ctx, double *p, bool *rejected, lnt_local *l)
{
    const double *alpha = l->problem->penalty;
    lnt_mat right = lnt_mat_view(p, l->k, 1);
    *rejected = false;
    switch (solver_now(l)) {
    case LNT_SOLVER_QR:
        lnt_mat_copy(right, lnt_block(l->T, 0, l->k, l->k, 1));
        lnt_trsv(p, LNT_N, triangle(l));
        for (int j = 0; j < l->k; j++)
            p[j] -= l->w0[j];
        return LNT_OK;
    case LNT_SOLVER_CHOLESKY:
        for (int j = 0; j < l->k; j++)
            p[j] = l->g[j] - (alpha ? alpha[j] * l->w[j] : 0);
        lnt_solve_lower(right, LNT_N, l->A);
        lnt_solve_lower(right, LNT_T, l->A);
        return LNT_OK;
    default:
        return step_scaled(ctx, p, rejected, l);
    }
}

lnt_status lnt_local_bend(lnt_ctx *ctx, double *q, bool *rejected, lnt_local *l, const double *u)
{
    lnt_mat right = lnt_mat_view(q, l->k, 1);
    lnt_status status = LNT_OK;
    *rejected = false;
    if (l->solver != LNT_SOLVER_QR && l->solver != LNT_SOLVER_CHOLESKY)
        return solve_scaled(ctx, q, rejected, l, u);
    status = lnt_local_back(ctx, q, rejected, l, u);
    if (status != LNT_OK || *rejected)
        return status;
    if (solver_now(l) == LNT_SOLVER_QR) { /* without Q: the seminormal equations */
        lnt_trsv(q, LNT_T, triangle(l));
        lnt_trsv(q, LNT_N, triangle(l));
    } else {
        lnt_solve_lower(right, LNT_N, l->A);
        lnt_solve_lower(right, LNT_T, l->A);
    }
    return LNT_OK;
}
