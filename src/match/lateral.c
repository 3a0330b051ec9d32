/* Weights whose diagonal has a penalty of its own, in the full model: descent on all of them. */
#include "diagonal.h"

#include "linnet/rng.h"

#include <math.h>

typedef struct lateral {
    const lnt_match *m;
    double lambda, delta, scale, misfit; /* scale: 1/L(I) */
    lnt_mat Y, AF, F;                    /* J Z U diag(sv); Y F diag(sv); R - C */
} lateral;

static lnt_status loss(lnt_ctx *ctx, double *f, double *g, const double *x, void *user)
{
    lateral *s = user;
    const lnt_match *m = s->m;
    int N = m->cells, r = m->rank;
    (void)ctx;
    lnt_mat W = lnt_mat_view((double *)x, N, N), G = lnt_mat_view(g, N, N);
    lnt_mat_copy(s->Y, m->U);
    lnt_gemm(s->Y, 1, LNT_N, W, LNT_N, m->U, 1);
    lnt_match_subtract_means(s->Y);
    for (int j = 0; j < r; j++)
        lnt_mat_scale(lnt_columns(s->Y, j, 1), m->sv[j]);
    lnt_mat_copy(s->F, m->R);
    lnt_gemm(s->F, -1, LNT_T, s->Y, LNT_N, s->Y, 1);
    s->misfit = lnt_match_dot(s->F, s->F) / 2 + m->outside;
    lnt_gemm(s->AF, 1, LNT_N, s->Y, LNT_N, s->F, 0);
    for (int j = 0; j < r; j++)
        lnt_mat_scale(lnt_columns(s->AF, j, 1), m->sv[j]);
    lnt_gemm(G, -2, LNT_N, s->AF, LNT_T, m->U, 0);
    double penalty = 0;
    for (int j = 0; j < N; j++)
        for (int i = 0; i < N; i++) {
            double w = *lnt_at(W, i, j), lambda = i == j ? s->delta : s->lambda;
            if (i == j && isinf(s->delta)) { /* held at 0 */
                *lnt_at(G, i, j) = 0;
                continue;
            }
            penalty += lambda / 2 * w * w;
            *lnt_at(G, i, j) += lambda * w;
        }
    *f = (s->misfit + penalty) * s->scale;
    lnt_mat_scale(G, s->scale);
    return LNT_OK;
}

static lnt_status start_at(lnt_ctx *ctx, lnt_mat W, const lateral *s, int start, lnt_rng *rng)
{
    int N = W.rows;
    lnt_mat_fill(W, 0);
    if (start == 1) {
        lnt_mat D;
        double *d = lnt_alloc(ctx, (size_t)N, sizeof *d);
        lnt_status status = d ? lnt_mat_alloc(ctx, &D, s->m->rank, s->m->rank) : LNT_ENOMEM;
        if (status == LNT_OK)
            status = lnt_match_weighted(ctx, d, D, s->m, s->lambda, s->delta);
        if (status == LNT_OK)
            status = lnt_match_diagonal_weights(ctx, W, s->m, d, D);
        if (status != LNT_OK)
            return status;
    }
    for (int j = 0; j < N; j++)
        for (int i = 0; i < N; i++) {
            if (start > 1)
                *lnt_at(W, i, j) = 0.3 / sqrt(N) * lnt_rng_normal(rng);
            if (i == j && isinf(s->delta))
                *lnt_at(W, i, j) = 0;
        }
    return LNT_OK;
}

static lnt_status search(lnt_ctx *ctx, lnt_mat W, lnt_match_search_info *info, lateral *s, const lnt_match_search *o)
{
    int N = s->m->cells, r = s->m->rank;
    size_t n = (size_t)N * (size_t)N;
    lnt_mat V;
    lnt_status status;
    lnt_rng rng = lnt_rng_stream(o->seed, 0, LNT_FOR_WEIGHTS);
    if ((status = lnt_mat_alloc(ctx, &V, N, N)) != LNT_OK || (status = lnt_mat_alloc(ctx, &s->Y, N, r)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &s->AF, N, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &s->F, r, r)) != LNT_OK)
        return status;
    double first = lnt_match_dot(s->m->E0, s->m->E0) / 2 + s->m->outside;
    s->scale = first > 0 ? 1 / first : 1;
    for (int k = 0; k < o->starts; k++) {
        bool converged;
        double f;
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = start_at(ctx, V, s, k, &rng);
        if (status == LNT_OK)
            status = lnt_match_lbfgs(ctx, V.a, &f, &info->steps, &converged, n, loss, s, o->tolerance, o->max_steps);
        if (status != LNT_OK)
            return status;
        f /= s->scale;
        info->worst = k == 0 ? f : fmax(info->worst, f);
        if (k == 0 || f < info->loss) {
            info->loss = f;
            info->converged = converged;
            lnt_mat_copy(W, V);
            double *g = lnt_alloc(ctx, n, sizeof *g);
            if (!g)
                return LNT_ENOMEM;
            loss(ctx, &f, g, V.a, s);
            info->misfit = s->misfit;
        }
        lnt_ctx_reset(ctx, mark);
    }
    return LNT_OK;
}

lnt_status lnt_match_lateral(lnt_ctx *ctx, lnt_mat W, lnt_match_search_info *info, const lnt_match *m, double lambda,
                             double delta, const lnt_match_search *opts)
{
    lnt_match_search defaults;
    lnt_match_search_info unread;
    lnt_match_search_defaults(&defaults);
    const lnt_match_search *o = opts ? opts : &defaults;
    lnt_status status = lnt_match_check_diagonal(ctx, m);
    if (status != LNT_OK)
        return status;
    if (W.rows != m->cells || W.cols != m->cells || W.ld != W.rows)
        return lnt_fail(ctx, LNT_ESHAPE, "the weights are %d x %d, not a dense %d x %d", W.rows, W.cols, m->cells,
                        m->cells);
    if (!(lambda > 0) || !isfinite(lambda) || !(delta > 0) || o->starts < 1 || o->max_steps < 1)
        return lnt_fail(ctx, LNT_EINVAL, "penalties above 0, starts and max_steps at least 1, not %g, %g, %d, %d",
                        lambda, delta, o->starts, o->max_steps);
    lateral s = {.m = m, .lambda = lambda, .delta = delta};
    if (!info)
        info = &unread;
    *info = (lnt_match_search_info){0};
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = search(ctx, W, info, &s, o);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
