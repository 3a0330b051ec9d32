#include "run.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define LEAST_ALPHA 1e-3 /* of the grid: a ridge has no largest penalty */

lnt_status lnt_run_make(lnt_ctx *ctx, lnt_path_run *run, const lnt_design *X, const double *y, const lnt_path_opts *o)
{
    *run = (lnt_path_run){.o = *o, .y = y};
    lnt_status status = lnt_path_check(ctx, X, o);
    if (status == LNT_OK)
        status = lnt_problem_make(ctx, &run->p, X, o);
    if (status == LNT_OK)
        status = lnt_problem_target(ctx, &run->p, y);
    if (status == LNT_OK)
        status = lnt_lasso_make(ctx, &run->lasso, &run->p, &run->o);
    run->u = run->lasso.u;
    run->r = run->lasso.r;
    return status;
}

void lnt_run_grid(double *lambda, const lnt_path_run *run)
{
    const lnt_problem *p = &run->p;
    const lnt_path_opts *o = &run->o;
    double alpha = fmax(o->alpha, LEAST_ALPHA), top = p->null > 0 ? run->lasso.top : 0, largest = top / alpha;
    double ratio = o->min_ratio > 0 ? o->min_ratio : p->n < p->features ? 1e-2 : 1e-4;
    while (largest * alpha < top) /* not even by rounding */
        largest = nextafter(largest, INFINITY);
    for (int k = 0; k < o->count; k++)
        lambda[k] = o->lambda ? o->lambda[k] : largest * (k > 0 ? pow(ratio, (double)k / (o->count - 1)) : 1);
}

void lnt_run_coefficients(double *w, const lnt_path_run *run)
{
    for (int j = 0; j < run->p.features; j++)
        w[j] = run->u[j] != 0 ? run->u[j] * run->p.inverse[j] : 0;
}

/* ---- Penalties without lambda1 ---- */

static lnt_status make_ridge(lnt_ctx *ctx, lnt_path_run *run)
{
    const lnt_problem *p = &run->p;
    run->ridge = lnt_alloc(ctx, 1, sizeof *run->ridge);
    run->ridge_w = lnt_alloc(ctx, (size_t)p->features, sizeof(double));
    run->ridge_r = lnt_alloc(ctx, (size_t)p->n, sizeof(double));
    if (!run->ridge || !run->ridge_w || !run->ridge_r)
        return LNT_ENOMEM;
    return lnt_ridge_make(ctx, run->ridge, p->X, lnt_mat_view((double *)run->y, p->n, 1), &run->o);
}

static lnt_status solve_ridge(lnt_ctx *ctx, lnt_path_run *run, double lambda)
{
    lnt_lasso *s = &run->lasso;
    const lnt_problem *p = &run->p;
    double intercept, squares = 0, largest = 0, *u;
    lnt_status status = run->ridge ? LNT_OK : make_ridge(ctx, run);
    if (status == LNT_OK)
        status = lnt_ridge_fit(ctx, lnt_mat_view(run->ridge_w, p->features, 1), &intercept, run->ridge, lambda);
    if (status != LNT_OK)
        return status;
    u = run->ridge_w;
    for (int j = 0; j < p->features; j++)
        u[j] = p->inverse[j] > 0 ? u[j] / p->inverse[j] : 0;
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *c = lnt_alloc(ctx, (size_t)p->features, sizeof *c), *f = lnt_alloc(ctx, (size_t)p->n, sizeof *f);
    if (c && f) {
        lnt_problem_residual(run->ridge_r, f, &s->squares, p, u);
        lnt_problem_correlate(c, p, f);
        for (int j = 0; j < p->features; j++) {
            double h = c[j] - lambda * u[j];
            squares += h * h;
            largest = fmax(largest, fabs(h));
        }
        double least = run->ridge->rank > 0 ? run->ridge->s[run->ridge->rank - 1] : INFINITY;
        s->gap = squares / (2 * (lambda + least * least));
        s->kkt = s->top > 0 ? largest / s->top : 0;
        s->epochs = 0;
    }
    lnt_ctx_reset(ctx, mark);
    run->u = u;
    run->r = run->ridge_r;
    return c && f ? LNT_OK : LNT_ENOMEM;
}

/* ---- All penalties ---- */

static void fill_point(lnt_path_point *point, const lnt_path_run *run, double lambda)
{
    const lnt_lasso *s = &run->lasso;
    const lnt_problem *p = &run->p;
    double size = 0, square = 0, intercept = p->y_mean;
    int nonzero = 0;
    for (int j = 0; j < p->features; j++) {
        double u = run->u[j];
        size += fabs(u);
        square += u * u;
        nonzero += u != 0;
        intercept -= u != 0 ? p->center[j] * (u * p->inverse[j]) : 0;
    }
    double alpha = run->o.alpha, loss = s->squares / 2;
    *point = (lnt_path_point){.lambda = lambda, .intercept = intercept, .loss = loss, .nonzero = nonzero};
    point->explained = p->null > 0 ? 1 - loss / p->null : 0;
    point->objective = loss + lambda * (alpha * size + (1 - alpha) / 2 * square);
    point->gap = s->gap;
    point->kkt = s->kkt;
    point->epochs = s->epochs;
    point->converged = s->gap <= run->o.tolerance * p->null;
}

lnt_status lnt_run_solve(lnt_ctx *ctx, lnt_path_run *run, lnt_path_point *point, double lambda)
{
    lnt_status status = LNT_OK;
    double lambda1 = lambda * run->o.alpha;
    run->u = run->lasso.u;
    run->r = run->lasso.r;
    if (run->p.null == 0) /* u = 0, whatever the penalty */
        run->lasso.squares = 0;
    else if (lambda1 > 0)
        status = lnt_lasso_solve(ctx, &run->lasso, lambda1, lambda * (1 - run->o.alpha));
    else
        status = solve_ridge(ctx, run, lambda);
    if (status == LNT_OK)
        fill_point(point, run, lambda);
    return status;
}
