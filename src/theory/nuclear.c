#include "linnet/theory.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define LAST 1e-4   /* of the largest singular value of the data */
#define FALL 0.3    /* of lambda from one problem to the next */
#define COARSE 0.01 /* gap of the problems on the way, relative: more is lost on the next one anyway */
#define OFTEN 10    /* steps between looks at the gap, which cost a decomposition themselves */

/* ---- Observed entries ---- */

int lnt_observed_gradient(lnt_mat G, lnt_mat W, void *user)
{
    const lnt_observed *o = user;
    for (int j = 0; j < W.cols; j++)
        for (int i = 0; i < W.rows; i++)
            *lnt_at(G, i, j) = *lnt_at(o->mask, i, j) != 0 ? *lnt_at(W, i, j) - *lnt_at(o->T, i, j) : 0;
    return 0;
}

double lnt_observed_error(const lnt_observed *o, lnt_mat W)
{
    double sum = 0, count = 0;
    for (int j = 0; j < W.cols; j++)
        for (int i = 0; i < W.rows; i++) {
            double d = *lnt_at(o->mask, i, j) != 0 ? *lnt_at(W, i, j) - *lnt_at(o->T, i, j) : 0;
            sum += d * d;
            count += *lnt_at(o->mask, i, j) != 0;
        }
    return sqrt(sum / count);
}

static lnt_status check(lnt_ctx *ctx, lnt_mat W, const lnt_observed *o, const lnt_nuclear_opts *opts)
{
    long observed = 0;
    if (o->T.rows != W.rows || o->T.cols != W.cols || o->mask.rows != W.rows || o->mask.cols != W.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "the answer is %d x %d, the matrix %d x %d, the mask %d x %d", W.rows, W.cols,
                        o->T.rows, o->T.cols, o->mask.rows, o->mask.cols);
    if (!(opts->lambda >= 0 && isfinite(opts->lambda)) || !(opts->tolerance > 0) || opts->max_steps < 1)
        return lnt_fail(ctx, LNT_EINVAL, "lambda >= 0, tolerance > 0 and max_steps >= 1, not %g, %g and %ld",
                        opts->lambda, opts->tolerance, opts->max_steps);
    for (int j = 0; j < W.cols; j++)
        for (int i = 0; i < W.rows; i++) {
            double mask = *lnt_at(o->mask, i, j);
            if (mask != 0 && mask != 1)
                return lnt_fail(ctx, LNT_EDOMAIN, "mask (%d, %d) is %g, neither 0 nor 1", i, j, mask);
            if (mask == 1 && !isfinite(*lnt_at(o->T, i, j)))
                return lnt_fail(ctx, LNT_EDOMAIN, "observed entry (%d, %d) is %g", i, j, *lnt_at(o->T, i, j));
            observed += mask == 1;
        }
    return observed ? LNT_OK : lnt_fail(ctx, LNT_EINVAL, "no entry is observed");
}

/* ---- The minimum of nuclear norm ---- */

typedef struct nuclear {
    lnt_ctx *ctx;
    const lnt_observed *o;
    const lnt_nuclear_opts *opts;
    lnt_nuclear_info *info;
    lnt_mat W, next, V, R, U, VT;
    double *s, lambda;
    double norm; /* |next|_*, then |W|_* */
    int rank;
} nuclear;

/* next <- shrink(V + R(V), lambda). */
static lnt_status step(nuclear *n, lnt_mat V)
{
    lnt_observed_gradient(n->R, V, (void *)n->o);
    lnt_mat_copy(n->next, V);
    lnt_mat_add(n->next, -1, n->R);
    lnt_status status = lnt_svd(n->ctx, n->U, n->s, n->VT, n->next);
    n->norm = 0;
    for (n->rank = 0; status == LNT_OK && n->rank < n->U.cols && n->s[n->rank] > n->lambda; n->rank++) {
        lnt_mat_scale(lnt_columns(n->U, n->rank, 1), n->s[n->rank] - n->lambda);
        n->norm += n->s[n->rank] - n->lambda;
    }
    lnt_mat_fill(n->next, 0);
    if (n->rank > 0)
        lnt_gemm(n->next, 1, LNT_N, lnt_columns(n->U, 0, n->rank), LNT_N, lnt_block(n->VT, 0, 0, n->rank, n->VT.cols),
                 0);
    return status;
}

/* Objective, gap and bound at W, whose norm n->norm is. */
static lnt_status certify(nuclear *n)
{
    lnt_nuclear_info *info = n->info;
    lnt_observed_gradient(n->R, n->W, (void *)n->o);
    lnt_status status = lnt_svd(n->ctx, n->U, n->s, n->VT, n->R);
    if (status != LNT_OK)
        return status;
    double square = lnt_mat_dot(n->R, n->R), inner = 0, scale = n->s[0] > n->lambda ? n->lambda / n->s[0] : 1;
    for (int j = 0; j < n->R.cols; j++) /* T may hold anything, even NaN, outside the mask */
        for (int i = 0; i < n->R.rows; i++)
            inner -= *lnt_at(n->o->mask, i, j) != 0 ? *lnt_at(n->R, i, j) * *lnt_at(n->o->T, i, j) : 0;
    info->objective = 0.5 * square + n->lambda * n->norm;
    info->gap = fmax(0, info->objective - (scale * inner - 0.5 * scale * scale * square));
    info->least_norm = n->s[0] > 0 ? fmax(0, inner / n->s[0]) : 0;
    info->norm = n->norm;
    info->rank = n->rank;
    info->lambda = n->lambda;
    return LNT_OK;
}

/* <V - next, next - W>: positive where the move no longer descends. */
static double turned(const nuclear *n)
{
    double sum = 0;
    for (int j = 0; j < n->W.cols; j++)
        for (int i = 0; i < n->W.rows; i++)
            sum += (*lnt_at(n->V, i, j) - *lnt_at(n->next, i, j)) * (*lnt_at(n->next, i, j) - *lnt_at(n->W, i, j));
    return sum;
}

/* One lambda, from where W is. */
static lnt_status descend(nuclear *n, double tolerance)
{
    lnt_nuclear_info *info = n->info;
    lnt_status status = LNT_OK;
    double momentum = 1;
    info->converged = false;
    lnt_mat_copy(n->V, n->W);
    while (status == LNT_OK && !info->converged && info->steps < n->opts->max_steps && !lnt_cancelled(n->ctx)) {
        status = step(n, n->V);
        info->steps++;
        double former = momentum;
        momentum = turned(n) > 0 ? 1 : (1 + sqrt(1 + 4 * former * former)) / 2;
        double ahead = momentum == 1 ? 0 : (former - 1) / momentum; /* V <- next + ahead (next - W) */
        lnt_mat_copy(n->V, n->next);
        lnt_mat_scale(n->V, 1 + ahead);
        lnt_mat_add(n->V, -ahead, n->W);
        lnt_mat_copy(n->W, n->next);
        if (status == LNT_OK && (info->steps % OFTEN == 0 || info->steps == n->opts->max_steps)) {
            status = certify(n);
            info->converged = info->gap <= tolerance * info->objective;
        }
    }
    return status;
}

static lnt_status allocate(nuclear *n, lnt_mat W)
{
    int k = W.rows < W.cols ? W.rows : W.cols;
    lnt_mat *same[] = {&n->W, &n->next, &n->V, &n->R};
    lnt_status status = (n->s = lnt_alloc(n->ctx, (size_t)k, sizeof *n->s)) ? LNT_OK : LNT_ENOMEM;
    for (int i = 0; i < 4 && status == LNT_OK; i++)
        status = lnt_mat_alloc_zero(n->ctx, same[i], W.rows, W.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(n->ctx, &n->U, W.rows, k);
    return status == LNT_OK ? lnt_mat_alloc(n->ctx, &n->VT, k, W.cols) : status;
}

static lnt_status run(nuclear *n)
{
    lnt_nuclear_info *info = n->info;
    lnt_status status = certify(n); /* at W = 0, where R is the data */
    info->converged = true;
    if (status != LNT_OK || n->s[0] == 0)
        return status;
    double top = n->s[0], size = lnt_mat_norm(n->R), last = n->opts->lambda > 0 ? n->opts->lambda : LAST * top;
    n->lambda = top;
    do {
        n->lambda = fmax(last, FALL * n->lambda);
        status = descend(n, n->lambda > last ? COARSE : n->opts->tolerance);
    } while (status == LNT_OK && info->converged && n->lambda > last);
    if (status == LNT_OK)
        status = certify(n);
    info->error = lnt_observed_error(n->o, n->W);
    if (status == LNT_OK)
        status = step(n, n->W);
    lnt_mat_add(n->next, -1, n->W);
    info->kkt = lnt_mat_norm(n->next) / size;
    return status;
}

void lnt_nuclear_defaults(lnt_nuclear_opts *opts)
{
    *opts = (lnt_nuclear_opts){.tolerance = 1e-9, .max_steps = 100000};
}

lnt_status lnt_nuclear_complete(lnt_ctx *ctx, lnt_mat W, lnt_nuclear_info *info, const lnt_observed *observed,
                                const lnt_nuclear_opts *opts)
{
    lnt_nuclear_opts defaults;
    lnt_nuclear_info unread;
    lnt_nuclear_defaults(&defaults);
    nuclear n = {.ctx = ctx, .o = observed, .opts = opts ? opts : &defaults, .info = info ? info : &unread};
    *n.info = (lnt_nuclear_info){0};
    lnt_status status = check(ctx, W, observed, n.opts);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = allocate(&n, W);
    if (status == LNT_OK)
        status = run(&n);
    if (status == LNT_OK)
        lnt_mat_copy(W, n.W);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
