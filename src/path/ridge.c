#include "problem.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define NOTHING 1e-12 /* of a sample's unit vector outside the range of the features: rounding errors */

static int count_used(const lnt_problem *p)
{
    int used = 0;
    for (int i = 0; i < p->n; i++)
        used += p->share[i] > 0;
    return used;
}

/* r->U, s, VT: the leading ones only. */
static lnt_status decompose(lnt_ctx *ctx, lnt_ridge *r, const lnt_problem *p)
{
    int k = p->n < p->features ? p->n : p->features;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_mat Z;
    lnt_status status = s ? lnt_mat_alloc(ctx, &r->U, p->n, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &r->VT, k, p->features);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = lnt_mat_alloc(ctx, &Z, p->n, p->features);
    if (status == LNT_OK) {
        lnt_problem_columns(Z, p, NULL, 0);
        status = lnt_svd(ctx, r->U, s, r->VT, Z);
    }
    lnt_ctx_reset(ctx, mark);
    if (status != LNT_OK)
        return status;
    double least = (p->n > p->features ? p->n : p->features) * DBL_EPSILON * s[0];
    int most = k < r->used - r->centred ? k : r->used - r->centred; /* the mean takes one, whatever rounding says */
    while (r->rank < most && s[r->rank] > least)
        r->rank++;
    r->s = s;
    r->U = lnt_columns(r->U, 0, r->rank);
    r->VT = lnt_block(r->VT, 0, 0, r->rank, p->features);
    return LNT_OK;
}

/* Y <- centred targets, C <- U' times them, null <- (I - U U' - q q') times them with q = sqrt(share) where there is an
 * intercept: what no fit reaches. */
static lnt_status project(lnt_ctx *ctx, lnt_ridge *r, lnt_problem *p, lnt_mat Y)
{
    double *mean = lnt_alloc(ctx, (size_t)Y.cols, sizeof *mean);
    lnt_status status = mean ? lnt_mat_alloc(ctx, &r->Y, Y.rows, Y.cols) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &r->null, Y.rows, Y.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &r->C, r->rank, Y.cols);
    for (int t = 0; t < Y.cols && status == LNT_OK; t++) {
        status = lnt_problem_target(ctx, p, lnt_at(Y, 0, t));
        mean[t] = p->y_mean;
        for (int i = 0; i < Y.rows; i++) {
            *lnt_at(r->Y, i, t) = p->y[i];
            *lnt_at(r->null, i, t) = p->root[i] * p->y[i];
        }
    }
    if (status != LNT_OK)
        return status;
    r->mean = mean;
    r->full = r->rank >= r->used - r->centred;
    lnt_gemm(r->C, 1, LNT_T, r->U, LNT_N, r->null, 0);
    if (r->full)
        lnt_mat_fill(r->null, 0);
    else
        lnt_gemm(r->null, -1, LNT_N, r->U, LNT_N, r->C, 1);
    return LNT_OK;
}

lnt_status lnt_ridge_make(lnt_ctx *ctx, lnt_ridge *r, const lnt_design *X, lnt_mat Y, const lnt_path_opts *opts)
{
    lnt_path_opts defaults;
    lnt_problem p;
    lnt_path_defaults(&defaults);
    lnt_status status = lnt_path_check(ctx, X, opts ? opts : &defaults);
    if (status == LNT_OK && Y.rows != X->n)
        return lnt_fail(ctx, LNT_ESHAPE, "the targets have %d rows, not one for each of %d samples", Y.rows, X->n);
    if (status == LNT_OK)
        status = lnt_problem_make(ctx, &p, X, opts ? opts : &defaults);
    if (status != LNT_OK)
        return status;
    *r = (lnt_ridge){.n = X->n, .features = X->features, .targets = Y.cols, .X = X, .centred = p.centred};
    r->share = p.share;
    r->root = p.root;
    r->center = p.center;
    r->inverse = p.inverse;
    r->used = count_used(&p);
    status = decompose(ctx, r, &p);
    return status == LNT_OK ? project(ctx, r, &p, Y) : status;
}

static lnt_status check_lambda(lnt_ctx *ctx, double lambda)
{
    if (lambda >= 0 && isfinite(lambda))
        return LNT_OK;
    return lnt_fail(ctx, LNT_EINVAL, "the penalty is %g: it must be finite and not negative", lambda);
}

/* C with row k times s_k^power/(s_k^2 + lambda). */
static lnt_status filtered(lnt_ctx *ctx, lnt_mat *F, const lnt_ridge *r, double lambda, int power)
{
    lnt_status status = lnt_mat_alloc(ctx, F, r->rank, r->targets);
    for (int t = 0; t < r->targets && status == LNT_OK; t++)
        for (int k = 0; k < r->rank; k++)
            *lnt_at(*F, k, t) = *lnt_at(r->C, k, t) * (power ? r->s[k] : 1) / (r->s[k] * r->s[k] + lambda);
    return status;
}

lnt_status lnt_ridge_fit(lnt_ctx *ctx, lnt_mat W, double *intercept, const lnt_ridge *r, double lambda)
{
    lnt_mat F;
    if (W.rows != r->features || W.cols != r->targets)
        return lnt_fail(ctx, LNT_ESHAPE, "the coefficients are %d x %d, not %d features x %d targets", W.rows, W.cols,
                        r->features, r->targets);
    lnt_status status = check_lambda(ctx, lambda);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = filtered(ctx, &F, r, lambda, 1);
    if (status == LNT_OK)
        lnt_gemm(W, 1, LNT_T, r->VT, LNT_N, F, 0);
    lnt_ctx_reset(ctx, mark);
    for (int t = 0; t < r->targets && status == LNT_OK; t++) {
        intercept[t] = r->mean[t];
        for (int j = 0; j < r->features; j++) {
            double *w = lnt_at(W, j, t);
            *w = r->inverse[j] > 0 ? *w * r->inverse[j] : 0;
            intercept[t] -= r->center[j] * *w;
        }
    }
    return status;
}

/* With K = U diag(1/(s^2 + lambda)) U' and the projection N on what no fit reaches, I - H = lambda K + N. */
typedef struct split {
    lnt_mat KY;              /* K Y */
    double *diag_K, *diag_N; /* diagonals */
    double trace_K, trace_N;
} split;

static lnt_status make_split(lnt_ctx *ctx, split *p, const lnt_ridge *r, double lambda)
{
    lnt_mat F;
    size_t n = (size_t)r->n;
    lnt_status status = lnt_mat_alloc(ctx, &p->KY, r->n, r->targets);
    p->diag_K = lnt_alloc_zero(ctx, n, sizeof(double));
    p->diag_N = lnt_alloc(ctx, n, sizeof(double));
    if (status == LNT_OK)
        status = p->diag_K && p->diag_N ? filtered(ctx, &F, r, lambda, 0) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_gemm(p->KY, 1, LNT_N, r->U, LNT_N, F, 0);
    p->trace_K = 0;
    p->trace_N = r->full ? 0 : r->used - r->rank - r->centred;
    for (int i = 0; i < r->n; i++)
        p->diag_N[i] = 1 - (r->centred ? r->share[i] : 0);
    for (int k = 0; k < r->rank; k++) {
        double weight = 1 / (r->s[k] * r->s[k] + lambda);
        p->trace_K += weight;
        for (int i = 0; i < r->n; i++) {
            double u = *lnt_at(r->U, i, k);
            p->diag_K[i] += weight * (u * u);
            p->diag_N[i] -= u * u;
        }
    }
    return LNT_OK;
}

/* Sample i of target t: (lambda K y + N y)_i over its diagonal, and both times 1/sqrt(share_i). */
static double left_out(const lnt_ridge *r, const split *p, double lambda, int i, int t)
{
    bool reached = r->full || p->diag_N[i] <= NOTHING;
    if (reached) /* lambda cancels */
        return *lnt_at(p->KY, i, t) / p->diag_K[i] / r->root[i];
    double above = lambda * *lnt_at(p->KY, i, t) + *lnt_at(r->null, i, t);
    return above / (lambda * p->diag_K[i] + p->diag_N[i]) / r->root[i];
}

/* E <- residuals of the samples of weight 0, in no fit. */
static lnt_status unweighted(lnt_ctx *ctx, lnt_mat E, const lnt_ridge *r, double lambda)
{
    lnt_mat W;
    double *intercept = lnt_alloc(ctx, (size_t)r->targets, sizeof *intercept),
           *fit = lnt_alloc(ctx, (size_t)r->n, sizeof *fit);
    lnt_status status = intercept && fit ? lnt_mat_alloc(ctx, &W, r->features, r->targets) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_ridge_fit(ctx, W, intercept, r, lambda);
    for (int t = 0; t < r->targets && status == LNT_OK; t++) {
        lnt_design_predict(fit, r->X, lnt_at(W, 0, t), intercept[t]);
        for (int i = 0; i < r->n; i++)
            if (r->share[i] == 0)
                *lnt_at(E, i, t) = *lnt_at(r->Y, i, t) + r->mean[t] - fit[i];
    }
    return status;
}

lnt_status lnt_ridge_leave_one_out(lnt_ctx *ctx, lnt_mat E, const lnt_ridge *r, double lambda)
{
    split p;
    if (E.rows != r->n || E.cols != r->targets)
        return lnt_fail(ctx, LNT_ESHAPE, "the residuals are %d x %d, not %d samples x %d targets", E.rows, E.cols, r->n,
                        r->targets);
    lnt_status status = check_lambda(ctx, lambda);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = make_split(ctx, &p, r, lambda);
    for (int t = 0; t < r->targets && status == LNT_OK; t++)
        for (int i = 0; i < r->n; i++)
            if (r->share[i] > 0)
                *lnt_at(E, i, t) = left_out(r, &p, lambda, i, t);
    if (status == LNT_OK && r->used < r->n)
        status = unweighted(ctx, E, r, lambda);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_ridge_scores(lnt_ctx *ctx, lnt_ridge_score *score, const lnt_ridge *r, double lambda)
{
    split p;
    lnt_status status = check_lambda(ctx, lambda);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = make_split(ctx, &p, r, lambda);
    for (int t = 0; t < r->targets && status == LNT_OK; t++) {
        double squares = 0, scaled = 0, loo = 0, scale = r->full ? 1 : lambda;
        for (int i = 0; i < r->n; i++) {
            double k = *lnt_at(p.KY, i, t), null = *lnt_at(r->null, i, t), e = lambda * k + null;
            squares += e * e;
            scaled += (scale * k + null) * (scale * k + null); /* without lambda, which cancels */
            if (r->share[i] > 0) {
                e = left_out(r, &p, lambda, i, t);
                loo += r->share[i] * (e * e);
            }
        }
        double trace = (scale * p.trace_K + p.trace_N) / r->used;
        score[t] = (lnt_ridge_score){.loss = squares / 2, .loo = loo, .gcv = scaled / (trace * trace)};
        score[t].freedom = r->used - (lambda * p.trace_K + p.trace_N);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
