/* The dual of the full problem and of its linear model, in the coordinates V of the stimuli. With a single pair P is
 * diag(sv), and no product is spent on it. */
#include "internal.h"

#include <math.h>

/* A solve that takes more products than this pays for a new basis before the next one. */
#define STALE 10

void lnt_match_mask(lnt_mat A, const lnt_match *m)
{
    for (int k = 0; k < m->pairs && m->pairs > 1; k++)
        for (int j = m->first[k]; j < m->first[k + 1]; j++)
            for (int i = 0; i < A.rows; i++)
                if (i < m->first[k] || i >= m->first[k + 1])
                    *lnt_at(A, i, j) = 0;
}

/* B_ij <- factor sv_i A_ij sv_j. */
static void scale_by_sv(lnt_mat B, double factor, lnt_mat A, const double *sv)
{
    for (int j = 0; j < A.cols; j++) {
        double c = factor * sv[j], *restrict b = lnt_at(B, 0, j);
        const double *restrict x = lnt_at(A, 0, j);
        for (int i = 0; i < A.rows; i++)
            b[i] = c * sv[i] * x[i];
    }
}

void lnt_match_lift(lnt_mat K, double factor, lnt_mat E, const lnt_match *m, lnt_mat work)
{
    if (m->pairs == 1) {
        scale_by_sv(K, factor, E, m->sv);
        return;
    }
    lnt_gemm(work, factor, LNT_N, m->P, LNT_N, E, 0);
    lnt_gemm(K, 1, LNT_N, work, LNT_T, m->P, 0);
}

void lnt_match_lower(lnt_mat G, lnt_mat T, const lnt_match *m, lnt_mat work)
{
    if (m->pairs == 1) {
        scale_by_sv(G, 1, T, m->sv);
        return;
    }
    lnt_gemm(work, 1, LNT_N, T, LNT_N, m->P, 0);
    lnt_gemm(G, 1, LNT_T, m->P, LNT_N, work, 0);
}

/* ---- Memory ---- */

static lnt_status alloc_point(lnt_ctx *ctx, lnt_dual_point *p, int r, int q)
{
    lnt_mat *inner[] = {&p->M, &p->D}, *outer[] = {&p->E, &p->C1, &p->C2, &p->g};
    lnt_status status = LNT_OK;
    for (int i = 0; i < 2 && status == LNT_OK; i++)
        status = lnt_mat_alloc(ctx, inner[i], r, r);
    for (int i = 0; i < 4 && status == LNT_OK; i++)
        status = lnt_mat_alloc_zero(ctx, outer[i], q, q);
    return status;
}

lnt_status lnt_dual_alloc(lnt_ctx *ctx, lnt_dual *dual, const lnt_match *m)
{
    int r = m->rank, q = m->dual;
    *dual = (lnt_dual){.m = m};
    lnt_mat *outer[] = {&dual->Q1, &dual->Q2,  &dual->O, &dual->A, &dual->B,   &dual->weight,
                        &dual->x,  &dual->res, &dual->p, &dual->q, &dual->step};
    lnt_status status = alloc_point(ctx, &dual->at, r, q);
    if (status == LNT_OK)
        status = alloc_point(ctx, &dual->trial, r, q);
    for (int i = 0; i < 11 && status == LNT_OK; i++)
        status = lnt_mat_alloc_zero(ctx, outer[i], q, q);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &dual->W1, r, q > r ? q : r);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &dual->W2, r, r);
    if (status != LNT_OK)
        return status;
    dual->w = lnt_alloc(ctx, (size_t)q, sizeof *dual->w);
    return dual->w ? LNT_OK : LNT_ENOMEM;
}

void lnt_dual_set_lambda(lnt_dual *dual, double lambda)
{
    dual->lambda = lambda * dual->m->pairs;
    dual->a = 2 / dual->lambda;
}

/* ---- One point ---- */

/* A <- (A + A^T)/2. */
static void symmetrise(lnt_mat A)
{
    lnt_mat_scale(A, 0.5);
    lnt_match_add_transpose(A);
}

/* M <- (I - K)^-1, D <- K M = M - I, which does not cancel. */
static bool resolvent(lnt_mat M, lnt_mat D, lnt_mat K)
{
    for (int j = 0; j < K.cols; j++) {
        for (int i = j; i < K.rows; i++)
            *lnt_at(M, i, j) = -*lnt_at(K, i, j);
        *lnt_at(M, j, j) += 1;
    }
    if (!lnt_cholesky(M))
        return false;
    lnt_cholesky_inverse(M);
    lnt_gemm(D, 1, LNT_N, K, LNT_N, M, 0);
    symmetrise(D);
    return true;
}

bool lnt_dual_evaluate(lnt_dual *dual, lnt_dual_point *p)
{
    const lnt_match *m = dual->m;
    int r = m->rank, q = m->dual;
    lnt_mat K = dual->W2, wide = lnt_mat_view(dual->W1.a, r, q), work = lnt_mat_view(dual->W1.a, r, r);
    double norm2, inner = 0;
    lnt_match_lift(K, dual->a, p->E, m, wide);
    if (!resolvent(p->M, p->D, K))
        return false;
    lnt_match_lower(p->C1, p->M, m, wide);
    if (m->centred) {
        for (int i = 0; i < r; i++)
            inner += *lnt_at(p->D, i, i);
        norm2 = lnt_match_dot(p->D, p->D);
        lnt_syrk(K, 1, LNT_N, p->M, 0);
        lnt_symmetrize(K);
    } else {
        lnt_gemm(work, 1, LNT_N, m->A0, LNT_N, p->D, 0);
        norm2 = lnt_match_dot(work, p->D);
        inner = lnt_match_dot(m->A0, p->D);
        lnt_gemm(work, 1, LNT_N, m->A0, LNT_N, p->M, 0);
        lnt_gemm(K, 1, LNT_N, p->M, LNT_N, work, 0);
        symmetrise(K);
    }
    lnt_match_lower(p->C2, K, m, wide);
    double misfit = 0, phi = 0, size = 0;
    for (int j = 0; j < q; j++) {
        int k = 0;
        while (j >= m->first[k + 1])
            k++;
        for (int i = m->first[k]; i < m->first[k + 1]; i++) {
            double R = *lnt_at(m->R, i, j), C = *lnt_at(p->C2, i, j), E = *lnt_at(p->E, i, j), g = E - (R - C);
            *lnt_at(p->g, i, j) = g;
            misfit += (R - C) * (R - C);
            phi += E * (E / 2 - R);
            size += g * g;
        }
    }
    p->loss = misfit / 2 + m->outside + dual->lambda / 2 * norm2;
    p->phi = phi + dual->lambda / 2 * inner;
    p->size = sqrt(size);
    return isfinite(p->loss) && isfinite(p->phi) && isfinite(p->size);
}

/* ---- The Newton step ---- */

/* An orthogonal basis, block by block, in which C1 and C2 are nearly diagonal together. */
static lnt_status choose_basis(lnt_ctx *ctx, lnt_dual *dual)
{
    const lnt_match *m = dual->m;
    lnt_mat_fill(dual->O, 0);
    for (int k = 0; k < m->pairs; k++) {
        int i = m->first[k], n = m->first[k + 1] - i;
        double t1 = 0, t2 = 0;
        for (int j = i; j < i + n; j++) {
            t1 += *lnt_at(dual->at.C1, j, j);
            t2 += *lnt_at(dual->at.C2, j, j);
        }
        lnt_mat sum = lnt_block(dual->Q1, i, i, n, n);
        lnt_mat_copy(sum, lnt_block(dual->at.C1, i, i, n, n));
        if (t2 > 0 && t1 > 0) {
            lnt_mat_scale(sum, t2 / t1);
            lnt_mat_add(sum, 1, lnt_block(dual->at.C2, i, i, n, n));
        }
        lnt_status status = lnt_eigh(ctx, dual->w, lnt_block(dual->O, i, i, n, n), sum);
        if (status != LNT_OK)
            return status;
    }
    dual->basis = true;
    dual->stale = false;
    return LNT_OK;
}

/* B <- O^T A O (back: O A O^T). */
static void rotate(lnt_dual *dual, lnt_mat B, lnt_mat A, bool back)
{
    lnt_gemm(dual->Q1, 1, LNT_N, A, back ? LNT_T : LNT_N, dual->O, 0);
    lnt_gemm(B, 1, back ? LNT_N : LNT_T, dual->O, LNT_N, dual->Q1, 0);
}

/* q <- p + a (A p B + B p A), blocks on the diagonal only. */
static void apply(lnt_dual *dual)
{
    lnt_gemm(dual->Q1, 1, LNT_N, dual->A, LNT_N, dual->p, 0);
    lnt_gemm(dual->q, dual->a, LNT_N, dual->Q1, LNT_N, dual->B, 0);
    lnt_match_add_transpose(dual->q);
    lnt_mat_add(dual->q, 1, dual->p);
    lnt_match_mask(dual->q, dual->m);
    dual->products++;
}

static void precondition(lnt_dual *dual)
{
    int n = dual->A.rows;
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            double ci = *lnt_at(dual->A, i, i), cj = *lnt_at(dual->A, j, j), wi = *lnt_at(dual->B, i, i),
                   wj = *lnt_at(dual->B, j, j);
            *lnt_at(dual->weight, i, j) = 1 / (1 + dual->a * (ci * fmax(wj, 0) + fmax(wi, 0) * cj));
        }
}

/* x += alpha p, res -= alpha q; returns <res, weight res>, *size2 <- |res|^2. */
static double update(lnt_dual *dual, double alpha, double *size2)
{
    size_t n = (size_t)dual->x.rows * (size_t)dual->x.cols;
    double *restrict x = dual->x.a, *restrict res = dual->res.a, *restrict z = dual->Q2.a;
    const double *restrict p = dual->p.a, *restrict q = dual->q.a, *restrict w = dual->weight.a;
    for (size_t i = 0; i < n; i++) {
        x[i] += alpha * p[i];
        res[i] -= alpha * q[i];
        z[i] = w[i] * res[i];
    }
    *size2 = lnt_match_dot(dual->res, dual->res);
    return lnt_match_dot(dual->res, dual->Q2);
}

/* Conjugate gradients on dual->res, all in the basis; what is left stays symmetric. */
static void iterate(lnt_dual *dual, double tolerance)
{
    int n = dual->x.rows, most = 40 + 10 * n;
    double size2, start2 = lnt_match_dot(dual->res, dual->res);
    size_t count = (size_t)n * (size_t)n;
    lnt_mat_fill(dual->x, 0);
    lnt_mat_fill(dual->q, 0);
    lnt_mat_fill(dual->p, 0);
    double rz = update(dual, 0, &size2);
    double beta = 0;
    for (int k = 0; k < most && size2 > tolerance * tolerance * start2 && rz > 0; k++) {
        double *restrict p = dual->p.a;
        const double *restrict z = dual->Q2.a;
        for (size_t i = 0; i < count; i++)
            p[i] = z[i] + beta * p[i];
        apply(dual);
        double pq = lnt_match_dot(dual->p, dual->q);
        if (!(pq > 0))
            return;
        double next = update(dual, rz / pq, &size2);
        beta = next / rz;
        rz = next;
    }
}

lnt_status lnt_dual_solve(lnt_ctx *ctx, lnt_dual *dual, double tolerance)
{
    if (!dual->basis || dual->stale) {
        lnt_status status = choose_basis(ctx, dual);
        if (status != LNT_OK)
            return status;
    }
    int before = dual->products;
    rotate(dual, dual->A, dual->at.C1, false);
    rotate(dual, dual->B, dual->at.C2, false);
    symmetrise(dual->A);
    symmetrise(dual->B);
    rotate(dual, dual->res, dual->at.g, false);
    lnt_mat_scale(dual->res, -1);
    symmetrise(dual->res);
    precondition(dual);
    iterate(dual, tolerance);
    rotate(dual, dual->step, dual->x, true);
    symmetrise(dual->step);
    lnt_match_mask(dual->step, dual->m);
    dual->stale = dual->products - before > STALE;
    return LNT_OK;
}
