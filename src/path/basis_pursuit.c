#include "linnet/basis_pursuit.h"

#include "linnet/linalg.h"
#include "walk.h"

#include <math.h>
#include <string.h>

#define OFTEN 16 /* steps between corrections of the path */
#define REFINEMENTS 10
#define ZERO 1e-12 /* of the largest coefficient */

void lnt_pursuit_defaults(lnt_pursuit_opts *opts)
{
    *opts = (lnt_pursuit_opts){.tolerance = 1e-9};
}

static double norm(const double *x, int n)
{
    return lnt_mat_norm(lnt_mat_view((double *)x, n, 1));
}

/* r <- y - X^T w, and its norm. */
static double residual(lnt_walk *walk)
{
    lnt_walk_scatter(walk, walk->full, walk->w);
    memcpy(walk->r, walk->y, (size_t)walk->X.cols * sizeof *walk->r);
    lnt_gemv(walk->r, -1, LNT_T, walk->X, walk->full, 1);
    return norm(walk->r, walk->X.cols);
}

/* w <- least squares on the support, by iterative refinement; returns |r|. */
static double refine(lnt_walk *walk)
{
    double size = residual(walk);
    for (int i = 0; i < REFINEMENTS && size > 0; i++) {
        lnt_gemv(walk->c, 1, LNT_N, walk->X, walk->r, 0);
        for (int p = 0; p < walk->k; p++)
            walk->d[p] = walk->c[walk->feature[p]];
        lnt_walk_solve(walk, walk->d);
        for (int p = 0; p < walk->k; p++)
            walk->w[p] += walk->d[p];
        double former = size;
        size = residual(walk);
        if (size > 0.5 * former)
            break;
    }
    return size;
}

/* u <- the combination of active features with X_A u = s, likewise; a <- X u. */
static void dual(lnt_walk *walk, double *u)
{
    memset(walk->z, 0, (size_t)walk->k * sizeof *walk->z);
    memset(walk->a, 0, (size_t)walk->X.rows * sizeof *walk->a);
    double former = INFINITY;
    for (int i = 0; i < REFINEMENTS; i++) {
        double worst = 0;
        for (int p = 0; p < walk->k; p++) {
            walk->d[p] = walk->s[p] - walk->a[walk->feature[p]];
            worst = fmax(worst, fabs(walk->d[p]));
        }
        if (!(worst < 0.5 * former))
            break;
        former = worst;
        lnt_walk_solve(walk, walk->d);
        for (int p = 0; p < walk->k; p++)
            walk->z[p] += walk->d[p];
        lnt_walk_scatter(walk, walk->full, walk->z);
        lnt_gemv(u, 1, LNT_T, walk->X, walk->full, 0);
        lnt_gemv(walk->a, 1, LNT_N, walk->X, u, 0);
    }
}

static void certify(lnt_walk *walk, lnt_pursuit_info *info, double *u, const lnt_pursuit_opts *opts)
{
    int n = walk->X.cols;
    double size = norm(walk->y, n), largest = 1, other = 0;
    refine(walk);
    dual(walk, u);
    for (int j = 0; j < walk->X.rows; j++)
        largest = fmax(largest, fabs(walk->a[j]));
    for (int i = 0; i < n; i++) {
        u[i] /= largest;
        info->bound += u[i] * walk->y[i];
    }
    double zero = ZERO * lnt_mat_max(lnt_mat_view(walk->w, walk->k, 1));
    for (int p = 0; p < walk->k; p++) /* features that left as the path ended */
        walk->w[p] = fabs(walk->w[p]) > zero ? walk->w[p] : 0;
    info->error = size > 0 ? residual(walk) / size : 0;
    for (int j = 0; j < walk->X.rows; j++) {
        info->norm += fabs(walk->full[j]);
        info->nonzero += walk->full[j] != 0;
        other = fmax(other, walk->full[j] == 0 ? fabs(walk->a[j]) / largest : 0);
    }
    info->margin = 1 - other;
    info->gap = fabs(info->norm - info->bound);
    info->steps = walk->steps;
    info->converged = info->gap <= opts->tolerance * info->norm && info->error <= opts->tolerance;
}

static lnt_status solve(lnt_ctx *ctx, double *w, double *u, lnt_pursuit_info *info, lnt_mat X, const double *y,
                        const lnt_pursuit_opts *opts)
{
    lnt_walk walk;
    double *scratch = lnt_alloc_zero(ctx, (size_t)X.cols, sizeof *scratch);
    lnt_status status = scratch ? lnt_walk_start(ctx, &walk, X, y, true) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    long most = opts->max_steps > 0 ? opts->max_steps : 20L * walk.most + 100;
    while (walk.mu > 0 && walk.steps < most) {
        if (!lnt_walk_step(&walk, 0))
            break;
        if (walk.fresh >= OFTEN) {
            lnt_walk_correct(&walk);
            if (lnt_cancelled(ctx))
                break;
        }
    }
    certify(&walk, info, scratch, opts);
    lnt_walk_scatter(&walk, w, walk.w);
    if (u)
        memcpy(u, scratch, (size_t)X.cols * sizeof *u);
    return LNT_OK;
}

lnt_status lnt_basis_pursuit(lnt_ctx *ctx, double *w, double *u, lnt_pursuit_info *info, lnt_mat X, const double *y,
                             const lnt_pursuit_opts *opts)
{
    lnt_pursuit_opts defaults;
    lnt_pursuit_info unread;
    lnt_pursuit_defaults(&defaults);
    if (!opts)
        opts = &defaults;
    if (!info)
        info = &unread;
    *info = (lnt_pursuit_info){0};
    if (!(opts->tolerance > 0) || opts->max_steps < 0)
        return lnt_fail(ctx, LNT_EINVAL, "tolerance > 0 and max_steps >= 0, not %g and %ld", opts->tolerance,
                        opts->max_steps);
    if (!lnt_mat_finite(X) || !lnt_mat_finite(lnt_mat_view((double *)y, X.cols, 1)))
        return lnt_fail(ctx, LNT_EDOMAIN, "the equations have entries that are not finite");
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = solve(ctx, w, u, info, X, y, opts);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
