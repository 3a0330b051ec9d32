#include "bayes.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define MOST_STEPS 200

/* T <- L' K L; W is scratch. */
static void whiten_both(lnt_mat T, lnt_mat W, lnt_mat K, const lnt_likelihood *likelihood, const double *f)
{
    lnt_mat_copy(W, K);
    lnt_likelihood_whiten(W, likelihood, f, 0);
    lnt_mat_transpose(T, W);
    lnt_likelihood_whiten(T, likelihood, f, 0);
}

static lnt_status allocate(lnt_ctx *ctx, lnt_process *p)
{
    size_t n = (size_t)p->n;
    p->f = lnt_alloc(ctx, n, sizeof *p->f);
    p->g = lnt_alloc(ctx, n, sizeof *p->g);
    p->lam = lnt_alloc(ctx, n, sizeof *p->lam);
    return p->f && p->g && p->lam ? lnt_mat_alloc(ctx, &p->U, p->n, p->n) : LNT_ENOMEM;
}

static lnt_status decompose(lnt_ctx *ctx, lnt_process *p, lnt_mat K)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat T, W;
    lnt_status status = lnt_mat_alloc(ctx, &T, p->n, p->n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &W, p->n, p->n);
    if (status == LNT_OK) {
        whiten_both(T, W, K, p->likelihood, p->f);
        status = lnt_eigh(ctx, p->lam, p->U, T);
    }
    for (int i = 0; i < p->n && status == LNT_OK; i++) {
        p->lam[i] = fmax(0, p->lam[i]);
        p->gamma += p->lam[i] / (1 + p->lam[i]);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* What follows from f and g. */
static lnt_status evidence(lnt_ctx *ctx, lnt_process *p, lnt_mat K)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *Kg = lnt_alloc(ctx, (size_t)p->n, sizeof *Kg), growth = 0;
    if (!Kg)
        return LNT_ENOMEM;
    lnt_gemv(Kg, 1, LNT_N, K, p->g, 0);
    p->square = lnt_vec_dot(p->n, p->g, Kg);
    for (int i = 0; i < p->n; i++)
        growth += log1p(p->lam[i]);
    p->log_likelihood = lnt_log_likelihood(p->likelihood, p->f);
    p->log_evidence = p->log_likelihood - 0.5 * p->square - 0.5 * growth;
    lnt_ctx_reset(ctx, mark);
    return LNT_OK;
}

/* g = L (1 + L' K L)^-1 L' (d - f0), f = f0 + K g. */
static lnt_status gaussian(lnt_ctx *ctx, lnt_process *p, lnt_mat K, const double *f0)
{
    double *r = p->g, *t = lnt_alloc(ctx, (size_t)p->n, sizeof *t);
    lnt_status status = t ? decompose(ctx, p, K) : LNT_ENOMEM; /* L does not depend on f */
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < p->n; i++)
        r[i] = p->likelihood->d[i] - (f0 ? f0[i] : 0);
    lnt_likelihood_lift(r, p->likelihood, p->f);
    lnt_gemv(t, 1, LNT_T, p->U, r, 0);
    for (int i = 0; i < p->n; i++)
        t[i] /= 1 + p->lam[i];
    lnt_gemv(p->g, 1, LNT_N, p->U, t, 0);
    lnt_likelihood_lift(p->g, p->likelihood, p->f);
    for (int i = 0; i < p->n; i++)
        p->f[i] = f0 ? f0[i] : 0;
    lnt_gemv(p->f, 1, LNT_N, K, p->g, 1);
    return LNT_OK;
}

typedef struct newton {
    lnt_mat K, T, W;
    const double *f0;
    double *a, *b, *next; /* f = f0 + K a; the next a */
} newton;

/* log p(d|f) - 1/2 a' K a, and f, at a. */
static double height(lnt_process *p, const newton *s, const double *a)
{
    lnt_gemv(p->f, 1, LNT_N, s->K, a, 0);
    double square = lnt_vec_dot(p->n, a, p->f);
    for (int i = 0; i < p->n; i++)
        p->f[i] += s->f0 ? s->f0[i] : 0;
    return lnt_log_likelihood(p->likelihood, p->f) - 0.5 * square;
}

/* next <- b - L (1 + L' K L)^-1 L' K b with b = C (f - f0) + dlog p/df. */
static bool full_step(lnt_process *p, newton *s)
{
    int n = p->n;
    lnt_mat row = {s->next, 1, n, 1}, column = lnt_mat_view(s->next, n, 1);
    for (int i = 0; i < n; i++)
        s->next[i] = p->f[i] - (s->f0 ? s->f0[i] : 0);
    lnt_likelihood_whiten(row, p->likelihood, p->f, 0);
    lnt_likelihood_lift(s->next, p->likelihood, p->f);
    for (int i = 0; i < n; i++)
        s->b[i] = s->next[i] + p->g[i];
    whiten_both(s->T, s->W, s->K, p->likelihood, p->f);
    for (int i = 0; i < n; i++)
        *lnt_at(s->T, i, i) += 1;
    if (!lnt_cholesky(s->T))
        return false;
    lnt_gemv(s->next, 1, LNT_N, s->K, s->b, 0);
    lnt_likelihood_whiten(row, p->likelihood, p->f, 0);
    lnt_solve_lower(column, LNT_N, s->T);
    lnt_solve_lower(column, LNT_T, s->T);
    lnt_likelihood_lift(s->next, p->likelihood, p->f);
    for (int i = 0; i < n; i++)
        s->next[i] = s->b[i] - s->next[i];
    return true;
}

static double largest_difference(const double *x, const double *y, int n)
{
    double most = 0;
    for (int i = 0; i < n; i++)
        most = fmax(most, fabs(x[i] - y[i]));
    return most;
}

static lnt_status climb(lnt_ctx *ctx, lnt_process *p, newton *s)
{
    double here = height(p, s, s->a), gap = INFINITY;
    for (; p->steps < MOST_STEPS; p->steps++) {
        lnt_likelihood_gradient(p->g, p->likelihood, p->f);
        double former = gap;
        gap = largest_difference(p->g, s->a, p->n); /* at the mode a = dlog p/df */
        if (gap < 1e-15 || (gap < 1e-10 && gap >= 0.5 * former))
            return LNT_OK;
        if (!full_step(p, s))
            break;
        double there = height(p, s, s->next), share = 1;
        while (!(there >= here - 1e-12 * (1 + fabs(here))) && share > 1e-10) {
            share /= 2;
            for (int i = 0; i < p->n; i++)
                s->next[i] = (s->next[i] + s->a[i]) / 2;
            there = height(p, s, s->next);
        }
        memcpy(s->a, s->next, (size_t)p->n * sizeof *s->a);
        here = there;
    }
    return lnt_fail(ctx, LNT_ENUMERIC, "the mode of the process was not found in %d steps", p->steps);
}

static lnt_status general(lnt_ctx *ctx, lnt_process *p, lnt_mat K, const double *f0)
{
    size_t n = (size_t)p->n;
    lnt_mark mark = lnt_ctx_mark(ctx);
    newton s = {.K = K, .f0 = f0};
    s.a = lnt_alloc_zero(ctx, n, sizeof *s.a);
    s.b = lnt_alloc(ctx, n, sizeof *s.b);
    s.next = lnt_alloc(ctx, n, sizeof *s.next);
    lnt_status status = s.a && s.b && s.next ? lnt_mat_alloc(ctx, &s.T, p->n, p->n) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s.W, p->n, p->n);
    if (status == LNT_OK)
        status = climb(ctx, p, &s);
    lnt_ctx_reset(ctx, mark);
    return status == LNT_OK ? decompose(ctx, p, K) : status;
}

static lnt_status begin(lnt_ctx *ctx, lnt_process *p, lnt_mat K, const double *f, const lnt_likelihood *likelihood)
{
    *p = (lnt_process){.n = K.rows, .likelihood = likelihood};
    lnt_status status = lnt_likelihood_check(ctx, likelihood, (size_t)K.rows);
    if (status == LNT_OK && K.cols != K.rows)
        status = lnt_fail(ctx, LNT_ESHAPE, "a kernel of %d x %d", K.rows, K.cols);
    if (status == LNT_OK && (!lnt_mat_finite(K) || (f && !lnt_mat_finite(lnt_mat_view((double *)f, K.rows, 1)))))
        status = lnt_fail(ctx, LNT_EDOMAIN, "the kernel or the outputs are not finite");
    return status == LNT_OK ? allocate(ctx, p) : status;
}

static lnt_status finish(lnt_ctx *ctx, lnt_status status, lnt_process *p, lnt_mat K, lnt_mark mark)
{
    if (status == LNT_OK)
        status = evidence(ctx, p, K);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_process_make(lnt_ctx *ctx, lnt_process *p, lnt_mat K, const double *f0, const lnt_likelihood *likelihood)
{
    lnt_status status = begin(ctx, p, K, f0, likelihood);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = (likelihood->kind == LNT_GAUSSIAN ? gaussian : general)(ctx, p, K, f0);
    return finish(ctx, status, p, K, mark);
}

lnt_status lnt_process_at(lnt_ctx *ctx, lnt_process *p, lnt_mat K, const double *f, const lnt_likelihood *likelihood)
{
    lnt_status status = begin(ctx, p, K, f, likelihood);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    memcpy(p->f, f, (size_t)p->n * sizeof *f);
    lnt_likelihood_gradient(p->g, likelihood, f);
    status = decompose(ctx, p, K);
    return finish(ctx, status, p, K, mark);
}

/* G (n x r) <- (1 + lam)^-1/2 U' L' Kx. */
static lnt_status reduce(lnt_ctx *ctx, lnt_mat *G, const lnt_process *p, lnt_mat Kx)
{
    lnt_mat T;
    if (Kx.rows != p->n)
        return lnt_fail(ctx, LNT_ESHAPE, "a kernel of %d rows for %d outputs", Kx.rows, p->n);
    lnt_status status = lnt_mat_alloc(ctx, G, p->n, Kx.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &T, Kx.cols, p->n);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(T, Kx);
    lnt_likelihood_whiten(T, p->likelihood, p->f, 0);
    lnt_gemm(*G, 1, LNT_T, p->U, LNT_T, T, 0);
    for (int i = 0; i < p->n; i++)
        lnt_mat_scale(lnt_block(*G, i, 0, 1, Kx.cols), 1 / sqrt(1 + p->lam[i]));
    return LNT_OK;
}

lnt_status lnt_process_predict(lnt_ctx *ctx, double *mean, double *variance, const lnt_process *p, lnt_mat Kx,
                               const double *f0, const double *prior)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat G;
    lnt_blas_pin();
    lnt_status status = reduce(ctx, &G, p, Kx);
    for (int j = 0; j < Kx.cols && status == LNT_OK; j++) {
        lnt_mat g = lnt_columns(G, j, 1);
        if (mean)
            mean[j] = (f0 ? f0[j] : 0) + lnt_vec_dot(p->n, lnt_at(Kx, 0, j), p->g);
        if (variance)
            variance[j] = fmax(0, prior[j] - lnt_mat_dot(g, g));
    }
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_process_covariance(lnt_ctx *ctx, lnt_mat S, const lnt_process *p, lnt_mat Kx, lnt_mat Kr)
{
    if (Kr.rows != Kx.cols || Kr.cols != Kx.cols || S.rows != Kx.cols || S.cols != Kx.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "a covariance of %d x %d for %d outputs", S.rows, S.cols, Kx.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat G = {0};
    lnt_blas_pin();
    lnt_status status = reduce(ctx, &G, p, Kx);
    if (status == LNT_OK) {
        lnt_mat_copy(S, Kr);
        lnt_syrk(S, -1, LNT_T, G, 1);
        lnt_symmetrize(S);
    }
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
