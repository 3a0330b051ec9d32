/* Where A0 is singular the dual may have its maximum on the edge of K < I, where no map belongs to it. With A0 +
 * epsilon I in its place it stays inside, E is nearly optimal, and (JZU)^T JZU too; by Procrustes that makes a map,
 * which Gauss-Newton steps improve. So do random starts. */
#include "internal.h"

#include "linnet/rng.h"

#include <math.h>

#define STEPS 300
#define ROUNDING 1e-15
#define SETTLED 1e-14

typedef struct local {
    const lnt_match *m;
    double lambda;
    lnt_mat T, next, Y, YD, F, E, A, B; /* N x r four times, r x r four times */
    lnt_dual solver;
} local;

/* L at W = T U^T; leaves F = V^T C V and Y = J Z U. */
static double loss(local *s, lnt_mat T)
{
    const lnt_match *m = s->m;
    lnt_mat_copy(s->Y, m->JZ0U);
    lnt_mat_add(s->Y, 1, T);
    lnt_syrk(s->A, 1, LNT_T, s->Y, 0);
    lnt_symmetrize(s->A);
    lnt_match_lower(s->F, s->A, m, s->B);
    double sum = 0;
    for (int j = 0; j < m->rank; j++)
        for (int i = 0; i < m->rank; i++) {
            double d = *lnt_at(m->R, i, j) - *lnt_at(s->F, i, j);
            sum += d * d;
        }
    return sum / 2 + m->outside + s->lambda / 2 * lnt_match_dot(T, T);
}

/* next <- a Y D E D with E + a (F E G + G E F) = R - F + D (Y^T T + T^T Y) D. Y, F belong to T. */
static lnt_status gauss_newton(lnt_ctx *ctx, local *s)
{
    const lnt_match *m = s->m;
    lnt_dual *d = &s->solver;
    double a = 2 / s->lambda;
    lnt_gemm(s->A, 1, LNT_T, s->Y, LNT_N, s->T, 0);
    lnt_match_add_transpose(s->A);
    lnt_match_lower(d->at.g, s->A, m, s->B);
    lnt_mat_add(d->at.g, 1, m->R);
    lnt_mat_add(d->at.g, -1, s->F);
    lnt_mat_scale(d->at.g, -1);
    lnt_mat_copy(d->at.C2, s->F);
    lnt_mat_fill(d->at.C1, 0);
    for (int i = 0; i < m->rank; i++)
        *lnt_at(d->at.C1, i, i) = m->sv[i] * m->sv[i];
    lnt_dual_set_lambda(d, s->lambda);
    lnt_status status = lnt_dual_solve(ctx, d, 1e-9);
    lnt_match_lift(s->A, a, d->step, m, s->B);
    lnt_gemm(s->next, 1, LNT_N, s->Y, LNT_N, s->A, 0);
    lnt_match_subtract_means(s->next); /* or rounding along 1, which nothing here sees, would grow */
    return status;
}

/* Armijo halving until the loss settles. */
static lnt_status descend(lnt_ctx *ctx, local *s, double *best, int *steps)
{
    double now = loss(s, s->T);
    s->solver.basis = false;
    for (int k = 0; k < STEPS && !lnt_cancelled(ctx); k++) {
        lnt_status status = gauss_newton(ctx, s);
        if (status != LNT_OK)
            return status;
        double t = 1, trial = INFINITY;
        lnt_mat_add(s->next, -1, s->T);
        for (int halvings = 0; halvings < 20; halvings++, t /= 2) {
            lnt_mat_copy(s->YD, s->T);
            lnt_mat_add(s->YD, t, s->next);
            trial = loss(s, s->YD);
            if (trial < now)
                break;
        }
        ++*steps;
        if (!(trial < now)) {
            loss(s, s->T);
            break;
        }
        bool settled = now - trial <= SETTLED * now;
        lnt_mat_copy(s->T, s->YD);
        now = trial;
        if (settled)
            break;
    }
    *best = now;
    return LNT_OK;
}

static void random_columns(lnt_mat T, double size, lnt_rng *rng)
{
    for (int j = 0; j < T.cols; j++)
        for (int i = 0; i < T.rows; i++)
            *lnt_at(T, i, j) = size * lnt_rng_normal(rng);
    lnt_match_subtract_means(T);
}

/* T <- the columns of Y - J Z0 U for the Y nearest to J Z0 U with Y^T Y = P: Y = Q P^(1/2), Q the polar factor of J Z0
 * U P^(1/2). A little noise chooses among the polar factors of a singular matrix, inside 1's complement. */
static lnt_status procrustes(lnt_ctx *ctx, lnt_mat T, const lnt_match *m, lnt_mat P, lnt_rng *rng)
{
    int r = m->rank, N = m->cells;
    lnt_mat O, B, U, VT, A;
    double *w = lnt_alloc(ctx, (size_t)r, sizeof *w);
    lnt_status status;
    if (!w || lnt_mat_alloc(ctx, &O, r, r) != LNT_OK || lnt_mat_alloc(ctx, &B, r, r) != LNT_OK ||
        lnt_mat_alloc(ctx, &U, N, r) != LNT_OK || lnt_mat_alloc(ctx, &VT, r, r) != LNT_OK ||
        lnt_mat_alloc(ctx, &A, N, r) != LNT_OK)
        return LNT_ENOMEM;
    if ((status = lnt_eigh(ctx, w, O, P)) != LNT_OK)
        return status;
    for (int i = 0; i < r; i++)
        lnt_mat_scale(lnt_columns(O, i, 1), sqrt(sqrt(fmax(w[i], 0))));
    lnt_syrk(B, 1, LNT_N, O, 0);
    lnt_symmetrize(B);
    random_columns(A, 1e-10 * lnt_mat_norm(B), rng);
    lnt_gemm(A, 1, LNT_N, m->JZ0U, LNT_N, B, 1);
    if ((status = lnt_svd(ctx, U, w, VT, A)) != LNT_OK)
        return status;
    lnt_gemm(O, 1, LNT_N, VT, LNT_N, B, 0);
    lnt_gemm(T, 1, LNT_N, U, LNT_N, O, 0);
    lnt_mat_add(T, -1, m->JZ0U);
    lnt_match_subtract_means(T); /* r = N: one column too many for the complement of 1 */
    return LNT_OK;
}

/* The dual with A0 + epsilon I: *bound <- the best d(E) of the true one, fit->E <- its E, T <- the map. */
static lnt_status approach(lnt_ctx *ctx, local *s, double *bound, lnt_match_fit *fit, const lnt_match_opts *opts,
                           lnt_rng *rng)
{
    lnt_match near = *s->m;
    lnt_dual dual;
    lnt_match_stop stop;
    lnt_status status = lnt_mat_alloc(ctx, &near.A0, near.rank, near.rank);
    if (status == LNT_OK)
        status = lnt_dual_alloc(ctx, &dual, &near);
    if (status != LNT_OK)
        return status;
    near.centred = near.identity = false;
    double size = fmax(lnt_mat_max(s->m->A0), 1e-300), best = INFINITY, value;
    for (int step = 0; step <= 8 && status == LNT_OK; step++) {
        double epsilon = size * pow(10, -2 - 2 * step);
        lnt_match_opts loose = *opts;
        loose.polish = false;
        loose.tolerance = 1e-13;
        lnt_mat_copy(near.A0, s->m->A0);
        for (int i = 0; i < near.rank; i++)
            *lnt_at(near.A0, i, i) += epsilon;
        if (step == 0)
            status = lnt_match_start(ctx, &dual, &loose, s->lambda, &fit->steps);
        if (status == LNT_OK)
            status = lnt_match_newton(ctx, &dual, &loose, &stop, &fit->steps);
        if (status != LNT_OK)
            break;
        double d = s->m->outside - dual.at.phi;
        for (int i = 0; i < near.rank; i++) /* the true A0 has no epsilon */
            d += s->lambda / 2 * epsilon * *lnt_at(dual.at.D, i, i);
        d -= s->lambda / 2 * ROUNDING * size * near.rank * lnt_mat_norm(dual.at.D); /* of A0 and of I - K */
        if (d > *bound) {
            *bound = d;
            lnt_mat_copy(fit->E, dual.at.E);
        }
        for (int j = 0; j < near.rank; j++) /* P = M (A0 + epsilon) M */
            for (int i = 0; i < near.rank; i++)
                *lnt_at(s->A, i, j) = *lnt_at(dual.at.C2, i, j) / near.sv[i] / near.sv[j];
        status = procrustes(ctx, s->next, s->m, s->A, rng);
        if (status == LNT_OK && (value = loss(s, s->next)) < best) {
            best = value;
            lnt_mat_copy(s->T, s->next);
        }
    }
    return status;
}

static lnt_status alloc_local(lnt_ctx *ctx, local *s)
{
    int N = s->m->cells, r = s->m->rank;
    lnt_mat *tall[] = {&s->T, &s->next, &s->Y, &s->YD}, *small[] = {&s->F, &s->E, &s->A, &s->B};
    lnt_status status = lnt_dual_alloc(ctx, &s->solver, s->m);
    for (int i = 0; i < 4 && status == LNT_OK; i++)
        status = lnt_mat_alloc_zero(ctx, tall[i], N, r);
    for (int i = 0; i < 4 && status == LNT_OK; i++)
        status = lnt_mat_alloc(ctx, small[i], r, r);
    return status;
}

lnt_status lnt_match_rescue(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, const lnt_match_opts *opts)
{
    local s = {.m = m, .lambda = fit->lambda};
    lnt_rng rng = lnt_rng_stream(opts->seed, 0, LNT_FOR_WEIGHTS);
    if (!fit->T.a) /* tight, but stalled: there is nothing better */
        return LNT_OK;
    lnt_status status = alloc_local(ctx, &s);
    double best = INFINITY, bound = fit->bound, value;
    for (int k = 0; k < opts->starts && status == LNT_OK; k++) {
        if (k == 0)
            status = approach(ctx, &s, &bound, fit, opts, &rng);
        else
            random_columns(s.T, pow(10, -k) * sqrt(1.0 / m->cells), &rng);
        if (status == LNT_OK)
            status = descend(ctx, &s, &value, &fit->steps);
        if (status == LNT_OK && value < best) {
            best = value;
            fit->T = lnt_mat_view(fit->T.a, m->cells, m->rank);
            lnt_mat_copy(fit->T, s.T);
        }
    }
    if (status != LNT_OK)
        return status;
    status = lnt_match_measure(ctx, fit, m);
    fit->bound = bound;
    fit->gap = fmax(0, fit->loss - bound);
    fit->global = fit->gap <= LNT_GLOBAL * fit->loss;
    fit->stop = fit->global ? LNT_MATCH_CONVERGED : LNT_MATCH_STALLED;
    return status;
}
