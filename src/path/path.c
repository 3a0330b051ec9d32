#include "run.h"

#include "linnet/linalg.h"

#include <math.h>

void lnt_path_defaults(lnt_path_opts *opts)
{
    *opts = (lnt_path_opts){
        .alpha = 1, .intercept = true, .standardize = true, .count = 100, .tolerance = 1e-8, .max_epochs = 100000};
}

static lnt_path_opts resolve(const lnt_path_opts *opts)
{
    lnt_path_opts o;
    lnt_path_defaults(&o);
    return opts ? *opts : o;
}

lnt_status lnt_path_grid(lnt_ctx *ctx, double *lambda, const lnt_design *X, const double *y, const lnt_path_opts *opts)
{
    lnt_path_opts o = resolve(opts);
    lnt_path_run run;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = lnt_run_make(ctx, &run, X, y, &o);
    if (status == LNT_OK)
        lnt_run_grid(lambda, &run);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status all_points(lnt_ctx *ctx, lnt_path *path, const lnt_design *X, const double *y, const lnt_path_opts *o,
                             double *lambda)
{
    lnt_path_run run;
    lnt_status status = lnt_run_make(ctx, &run, X, y, o);
    if (status != LNT_OK)
        return status;
    lnt_run_grid(lambda, &run);
    path->null_loss = run.p.null;
    for (int k = 0; k < o->count && status == LNT_OK && !lnt_cancelled(ctx); k++) {
        status = lnt_run_solve(ctx, &run, &path->at[k], lambda[k]);
        if (status == LNT_OK)
            lnt_run_coefficients(lnt_at(path->W, 0, path->count++), &run);
    }
    path->W = lnt_columns(path->W, 0, path->count);
    return status;
}

lnt_status lnt_path_fit(lnt_ctx *ctx, lnt_path *path, const lnt_design *X, const double *y, const lnt_path_opts *opts)
{
    lnt_path_opts o = resolve(opts);
    lnt_status status = lnt_path_check(ctx, X, &o);
    *path = (lnt_path){0};
    if (status != LNT_OK)
        return status;
    path->at = lnt_alloc(ctx, (size_t)o.count, sizeof *path->at);
    status = path->at ? lnt_mat_alloc(ctx, &path->W, X->features, o.count) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *lambda = lnt_alloc(ctx, (size_t)o.count, sizeof *lambda);
    lnt_blas_pin();
    status = lambda ? all_points(ctx, path, X, y, &o, lambda) : LNT_ENOMEM;
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status one_point(lnt_ctx *ctx, double *w, lnt_path_point *point, const lnt_design *X, const double *y,
                            double lambda, const lnt_path_opts *o, bool warm)
{
    lnt_path_run run;
    lnt_status status = lnt_run_make(ctx, &run, X, y, o);
    if (status == LNT_OK && warm) {
        for (int j = 0; j < X->features; j++) {
            if (!isfinite(w[j]))
                return lnt_fail(ctx, LNT_EDOMAIN, "coefficient %d to start from is %g", j, w[j]);
            w[j] = run.p.inverse[j] > 0 ? w[j] / run.p.inverse[j] : 0;
        }
        status = lnt_lasso_start(ctx, &run.lasso, w);
    }
    if (status == LNT_OK)
        status = lnt_run_solve(ctx, &run, point, lambda);
    if (status == LNT_OK)
        lnt_run_coefficients(w, &run);
    return status;
}

lnt_status lnt_lasso_fit(lnt_ctx *ctx, double *w, lnt_path_point *point, const lnt_design *X, const double *y,
                         double lambda, const lnt_path_opts *opts, bool warm)
{
    lnt_path_opts o = resolve(opts);
    lnt_path_point unread;
    o.lambda = &lambda;
    o.count = 1;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = one_point(ctx, w, point ? point : &unread, X, y, lambda, &o, warm);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
