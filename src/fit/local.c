#include "local.h"

#include "../linalg/wide.h"
#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define PROBES 8
#define CACHED 65536 /* doubles of the second cache for rows */

static double *vector(lnt_ctx *ctx, int n)
{
    return lnt_alloc_zero(ctx, (size_t)n, sizeof(double));
}

static lnt_mat column(const double *x, int n)
{
    return lnt_mat_view((double *)(uintptr_t)x, n, 1);
}

static lnt_status check(lnt_ctx *ctx, const lnt_fit_problem *p)
{
    if (p->model->n < 1 || p->model->k < 1 || p->model->n > INT_MAX || p->model->k > INT_MAX)
        return lnt_fail(ctx, LNT_EINVAL, "a model of %zu outputs and %zu weights: both must be 1 to 2^31 - 1",
                        p->model->n, p->model->k);
    int n = (int)p->model->n, k = (int)p->model->k;
    if (p->sd && p->C.a)
        return lnt_fail(ctx, LNT_EINVAL, "the noise has either standard deviations or a covariance, not both");
    if (p->C.a && (p->C.rows != n || p->C.cols != n))
        return lnt_fail(ctx, LNT_ESHAPE, "the covariance of the noise is %d x %d for %d data", p->C.rows, p->C.cols, n);
    if (!lnt_mat_finite(column(p->d, n)))
        return lnt_fail(ctx, LNT_EDOMAIN, "the data are not finite");
    for (int i = 0; p->sd && i < n; i++)
        if (!(p->sd[i] > 0 && isfinite(1 / p->sd[i]) && isfinite(p->sd[i])))
            return lnt_fail(ctx, LNT_EDOMAIN, "standard deviation %g of datum %d: must be positive and finite",
                            p->sd[i], i + 1);
    for (int j = 0; p->penalty && j < k; j++)
        if (!(p->penalty[j] >= 0 && isfinite(p->penalty[j])))
            return lnt_fail(ctx, LNT_EDOMAIN, "penalty %g of weight %d: must be finite and not negative", p->penalty[j],
                            j + 1);
    return LNT_OK;
}

static lnt_status factor_covariance(lnt_ctx *ctx, lnt_local *l)
{
    lnt_mat C = l->problem->C;
    lnt_status status = lnt_mat_alloc_zero(ctx, &l->L, l->n, l->n);
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < l->n; j++)
        lnt_mat_copy(lnt_block(l->L, j, j, l->n - j, 1), lnt_block(C, j, j, l->n - j, 1));
    return lnt_cholesky(l->L) ? LNT_OK
                              : lnt_fail(ctx, LNT_EDOMAIN, "the covariance of the noise is not positive definite");
}

static lnt_status alloc_solver(lnt_ctx *ctx, lnt_local *l)
{
    int n = l->n, k = l->k, least = n < k ? n : k;
    lnt_mat *square[2] = {&l->H, &l->A};
    int size = l->solver == LNT_SOLVER_DUAL ? n : k;
    lnt_status status = LNT_OK;
    if (l->solver == LNT_SOLVER_QR) {
        square[0] = &l->R;
        square[1] = &l->T;
        size = k + 1;
    }
    bool squares = l->solver != LNT_SOLVER_SVD && l->solver != LNT_SOLVER_LSMR;
    if (l->quick)
        status = lnt_mat_alloc(ctx, &l->H, k, k);
    if (l->quick && status == LNT_OK)
        status = lnt_mat_alloc(ctx, &l->A, k, k);
    for (int i = 0; i < 2 && squares && status == LNT_OK; i++)
        status = lnt_mat_alloc(ctx, square[i], size, size);
    if (status == LNT_OK && (l->solver == LNT_SOLVER_SVD || l->solver == LNT_SOLVER_DUAL))
        status = lnt_mat_alloc(ctx, &l->M, k, n);
    if (status == LNT_OK && l->solver == LNT_SOLVER_SVD) {
        l->s = vector(ctx, least);
        status = l->s ? lnt_mat_alloc(ctx, &l->U, k, least) : LNT_ENOMEM;
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &l->VT, least, n);
    }
    return status;
}

static lnt_fit_solver choose(const lnt_local *l, const lnt_fit_opts *opts, bool fits)
{
    if (opts->solver != LNT_SOLVER_AUTO)
        return opts->solver;
    bool gauss_newton = opts->method == LNT_FIT_GAUSS_NEWTON || opts->method == LNT_FIT_LINE_SEARCH;
    if (fits && gauss_newton)
        return LNT_SOLVER_SVD;
    if (l->n < l->k && fits)
        return LNT_SOLVER_DUAL;
    if ((double)l->k * l->k * 8 > (double)opts->memory)
        return LNT_SOLVER_LSMR;
    return l->k > 500 ? LNT_SOLVER_CHOLESKY : LNT_SOLVER_QR;
}

static lnt_status make(lnt_ctx *ctx, lnt_local *l, const lnt_fit_problem *problem, const lnt_fit_opts *opts, bool plain)
{
    lnt_status status = check(ctx, problem);
    if (status != LNT_OK)
        return status;
    *l = (lnt_local){.problem = problem, .model = problem->model, .threads = opts->threads, .rcond = opts->rcond};
    l->n = (int)problem->model->n;
    l->k = (int)problem->model->k;
    l->whole = !problem->model->jacobian || problem->C.a;
    bool fits = (double)l->n * l->k * 8 <= (double)opts->memory;
    l->solver = choose(l, opts, fits);
    l->quick = opts->solver == LNT_SOLVER_AUTO && l->solver == LNT_SOLVER_QR;
    bool dense = l->solver == LNT_SOLVER_SVD || l->solver == LNT_SOLVER_DUAL;
    if (!fits && opts->method != LNT_FIT_LBFGS && (dense || l->whole))
        return lnt_fail(ctx, LNT_EINVAL,
                        "a Jacobian of %d x %d numbers exceeds the memory allowed: take QR, Cholesky or LSMR, a "
                        "Jacobian callback and no covariance",
                        l->n, l->k);
    l->products =
        !plain && (opts->method == LNT_FIT_LBFGS || (l->solver == LNT_SOLVER_LSMR && l->model->jvp && l->model->vjp));
    if (fits && !l->products)
        status = lnt_mat_alloc(ctx, &l->BT, l->k, l->n);
    double **each[] = {&l->g, &l->norm2, &l->E, &l->w0, &l->scale};
    for (int i = 0; i < 5 && status == LNT_OK; i++)
        status = (*each[i] = vector(ctx, l->k)) ? LNT_OK : LNT_ENOMEM;
    if (status == LNT_OK && problem->C.a)
        status = factor_covariance(ctx, l);
    if (status == LNT_OK && !l->products)
        status = alloc_solver(ctx, l);
    if (status == LNT_OK)
        status = (l->data = vector(ctx, l->n)) ? LNT_OK : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    memcpy(l->data, problem->d, (size_t)l->n * sizeof *l->data);
    lnt_local_whiten(l, l->data);
    return LNT_OK;
}

lnt_status lnt_local_make(lnt_ctx *ctx, lnt_local *l, const lnt_fit_problem *problem, const lnt_fit_opts *opts)
{
    return make(ctx, l, problem, opts, false);
}

lnt_status lnt_local_make_plain(lnt_ctx *ctx, lnt_local *l, const lnt_fit_problem *problem)
{
    lnt_fit_opts opts;
    lnt_fit_defaults(&opts);
    opts.solver = LNT_SOLVER_LSMR; /* the one that needs no factors */
    opts.memory = SIZE_MAX;
    return make(ctx, l, problem, &opts, true);
}

void lnt_local_whiten(const lnt_local *l, double *u)
{
    for (int i = 0; l->problem->sd && i < l->n; i++)
        u[i] /= l->problem->sd[i];
    if (l->L.a)
        lnt_solve_lower(column(u, l->n), LNT_N, l->L);
}

lnt_status lnt_local_residual(lnt_ctx *ctx, double *r, bool *rejected, const lnt_local *l, const double *w)
{
    lnt_status status = lnt_model_outputs(ctx, r, rejected, l->model, w);
    if (status != LNT_OK || *rejected)
        return status;
    for (int i = 0; i < l->n; i++)
        r[i] = l->problem->d[i] - r[i];
    lnt_local_whiten(l, r);
    *rejected = !isfinite(lnt_vec_dot(l->n, r, r));
    return LNT_OK;
}

double lnt_local_penalty(const lnt_local *l, const double *w)
{
    double sum = 0;
    for (int j = 0; l->problem->penalty && j < l->k; j++)
        sum += l->problem->penalty[j] * w[j] * w[j];
    return sum;
}

double lnt_local_cosine(const lnt_local *l, double objective)
{
    const double *alpha = l->problem->penalty;
    double worst = 0;
    for (int j = 0; j < l->k && objective > 0; j++) {
        double g = l->g[j] - (alpha ? alpha[j] * l->w[j] : 0), norm = l->norm2[j] + (alpha ? alpha[j] : 0);
        if (norm > 0)
            worst = fmax(worst, fabs(g) / sqrt(norm) / sqrt(objective));
    }
    return worst;
}

/* ---- The Jacobian, whole or in blocks of rows ---- */

typedef struct pass {
    lnt_local *l;
    const double *w;
    int blocks, rows; /* rows of a block */
    bool *rejected;   /* one a block */
    double *g, *norm2;
    lnt_mat *square; /* of each block: B^T B, or the triangle of [B r] */
} pass;

WIDE static void divide_columns(lnt_mat BT, const double *sd)
{
    for (int i = 0; i < BT.cols; i++) {
        double *b = lnt_at(BT, 0, i), factor = 1 / sd[i];
        for (int j = 0; j < BT.rows; j++)
            b[j] *= factor;
    }
}

/* Whitened rows first .. last-1 as columns of BT. */
static lnt_status read_rows(lnt_ctx *ctx, lnt_mat BT, bool *rejected, const lnt_local *l, const double *w, int first)
{
    lnt_status status =
        lnt_model_rows(ctx, BT.a, (size_t)BT.ld, rejected, l->model, w, (size_t)first, (size_t)first + (size_t)BT.cols);
    if (l->problem->sd && status == LNT_OK)
        divide_columns(BT, l->problem->sd + first);
    if (status == LNT_OK && l->L.a && !*rejected) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat B;
        status = lnt_mat_alloc(ctx, &B, l->n, l->k);
        if (status == LNT_OK) {
            lnt_mat_transpose(B, BT);
            lnt_solve_lower(B, LNT_N, l->L);
            lnt_mat_transpose(BT, B);
        }
        lnt_ctx_reset(ctx, mark);
    }
    return status;
}

static lnt_status add_triangle(lnt_ctx *ctx, lnt_mat R, bool empty, lnt_mat BT, const double *r)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat S;
    int above = empty ? 0 : R.rows, k = BT.rows;
    lnt_status status = lnt_mat_alloc(ctx, &S, above + BT.cols, k + 1);
    if (status == LNT_OK) {
        if (above)
            lnt_mat_copy(lnt_block(S, 0, 0, above, k + 1), R);
        lnt_mat_transpose(lnt_block(S, above, 0, BT.cols, k), BT);
        memcpy(lnt_at(S, above, k), r, (size_t)BT.cols * sizeof *r);
        status = lnt_qr_triangle(ctx, R, S);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

static bool by_squares(const lnt_local *l)
{
    return l->solver == LNT_SOLVER_CHOLESKY || l->quick;
}

static lnt_status add_rows(lnt_ctx *ctx, pass *p, int block, bool empty, lnt_mat BT, int first)
{
    lnt_local *l = p->l;
    double *norm2 = p->norm2 + (size_t)block * (size_t)l->k;
    lnt_gemv(p->g + (size_t)block * (size_t)l->k, 1, LNT_N, BT, l->r + first, empty ? 0 : 1);
    for (int i = 0; i < BT.cols && !by_squares(l); i++) {
        const double *b = lnt_at(BT, 0, i);
        for (int j = 0; j < l->k; j++)
            norm2[j] += b[j] * b[j];
    }
    if (by_squares(l))
        lnt_syrk(p->square[block], 1, LNT_N, BT, empty ? 0 : 1);
    return l->solver == LNT_SOLVER_QR && !l->quick ? add_triangle(ctx, p->square[block], empty, BT, l->r + first)
                                                   : LNT_OK;
}

/* How many rows are asked for at a time: all, unless the memory is too small, or the caches are and products are all
 * that is made of them. */
static int chunk_rows(const lnt_local *l, int rows)
{
    int chunk = LNT_MODEL_CHUNK > 2 * l->k ? LNT_MODEL_CHUNK : 2 * l->k, cached = CACHED / l->k;
    if (by_squares(l) && !l->whole && (double)rows * l->k > 16 * CACHED)
        return cached > 64 ? cached : 64;
    return l->BT.a ? rows : chunk;
}

static lnt_status one_block(lnt_ctx *ctx, int block, void *user)
{
    pass *p = user;
    lnt_local *l = p->l;
    int first = block * p->rows, last = first + p->rows < l->n ? first + p->rows : l->n;
    int chunk = chunk_rows(l, last - first);
    lnt_mat BT;
    lnt_status status = LNT_OK;
    if (chunk > last - first)
        chunk = last - first;
    if (!l->BT.a && (status = lnt_mat_alloc(ctx, &BT, l->k, chunk)) != LNT_OK)
        return status;
    for (int i = first; i < last && status == LNT_OK && !p->rejected[block]; i += chunk) {
        int count = last - i < chunk ? last - i : chunk;
        lnt_mat rows = l->BT.a ? lnt_columns(l->BT, i, count) : lnt_columns(BT, 0, count);
        status = read_rows(ctx, rows, &p->rejected[block], l, p->w, i);
        if (status == LNT_OK && !p->rejected[block])
            status = add_rows(ctx, p, block, i == first, rows, i);
    }
    return status;
}

/* Blocks are joined in order, and their number depends on sizes alone. */
static lnt_status join(lnt_ctx *ctx, pass *p)
{
    lnt_local *l = p->l;
    lnt_status status = LNT_OK;
    for (int b = 0; b < p->blocks && status == LNT_OK; b++) {
        for (int j = 0; j < l->k; j++) {
            l->g[j] = (b ? l->g[j] : 0) + p->g[(size_t)b * (size_t)l->k + (size_t)j];
            l->norm2[j] = (b ? l->norm2[j] : 0) + p->norm2[(size_t)b * (size_t)l->k + (size_t)j];
        }
        if (b > 0 && by_squares(l))
            lnt_mat_add(l->H, 1, p->square[b]);
        if (b > 0 && l->solver == LNT_SOLVER_QR && !l->quick) {
            lnt_mat S;
            status = lnt_mat_alloc(ctx, &S, 2 * l->R.rows, l->R.cols);
            if (status != LNT_OK)
                break;
            lnt_mat_copy(lnt_block(S, 0, 0, l->R.rows, l->R.cols), l->R);
            lnt_mat_copy(lnt_block(S, l->R.rows, 0, l->R.rows, l->R.cols), p->square[b]);
            status = lnt_qr_triangle(ctx, l->R, S);
        }
    }
    for (int j = 0; j < l->k && by_squares(l); j++)
        l->norm2[j] = *lnt_at(l->H, j, j);
    return status;
}

static int count_blocks(const lnt_local *l)
{
    double work = (double)l->n * l->k * (l->solver == LNT_SOLVER_LSMR ? 1 : l->k);
    double blocks = fmin(fmin(8, l->n / 512.0), work / 1e8);
    if (l->solver == LNT_SOLVER_QR && !l->quick)
        blocks = fmin(blocks, l->n / (4.0 * l->k));
    return l->whole || blocks < 2 ? 1 : (int)blocks;
}

static lnt_status read_jacobian(lnt_ctx *ctx, lnt_local *l, bool *rejected, const double *w)
{
    pass p = {.l = l, .w = w, .blocks = count_blocks(l)};
    p.rows = (l->n + p.blocks - 1) / p.blocks;
    p.blocks = (l->n + p.rows - 1) / p.rows;
    p.rejected = lnt_alloc_zero(ctx, (size_t)p.blocks, sizeof *p.rejected);
    p.g = lnt_alloc_zero(ctx, (size_t)p.blocks * (size_t)l->k, sizeof *p.g);
    p.norm2 = lnt_alloc_zero(ctx, (size_t)p.blocks * (size_t)l->k, sizeof *p.norm2);
    p.square = lnt_alloc_zero(ctx, (size_t)p.blocks, sizeof *p.square);
    if (!p.rejected || !p.g || !p.norm2 || !p.square)
        return LNT_ENOMEM;
    lnt_status status = LNT_OK;
    bool squares = l->solver == LNT_SOLVER_CHOLESKY || l->solver == LNT_SOLVER_QR;
    p.square[0] = by_squares(l) ? l->H : l->R;
    for (int b = 1; b < p.blocks && squares && status == LNT_OK; b++)
        status = lnt_mat_alloc(ctx, &p.square[b], p.square[0].rows, p.square[0].cols);
    if (status == LNT_OK)
        status = p.blocks == 1 ? one_block(ctx, 0, &p) : lnt_parallel(ctx, p.blocks, l->threads, one_block, &p);
    for (int b = 0; b < p.blocks && status == LNT_OK; b++)
        *rejected = *rejected || p.rejected[b];
    return status == LNT_OK && !*rejected ? join(ctx, &p) : status;
}

/* Nobody sees the columns. Combinations of rows with random signs have the expectation |b_j|^2 in their squares. */
static lnt_status estimate_norms(lnt_ctx *ctx, lnt_local *l, bool *rejected)
{
    lnt_rng rng = lnt_rng_stream(0, 0, LNT_FOR_PROBE);
    double *u = lnt_alloc(ctx, (size_t)l->n, sizeof *u), *b = lnt_alloc(ctx, (size_t)l->k, sizeof *b);
    if (!u || !b)
        return LNT_ENOMEM;
    memset(l->norm2, 0, (size_t)l->k * sizeof *l->norm2);
    for (int probe = 0; probe < PROBES && !*rejected; probe++) {
        for (int i = 0; i < l->n; i++)
            u[i] = lnt_rng_uniform(&rng) < 0.5 ? -1 : 1;
        lnt_status status = lnt_local_back(ctx, b, rejected, l, u);
        if (status != LNT_OK)
            return status;
        for (int j = 0; j < l->k; j++)
            l->norm2[j] += b[j] * b[j] / PROBES;
    }
    return LNT_OK;
}

lnt_status lnt_local_at(lnt_ctx *ctx, lnt_local *l, bool *rejected, const double *w, const double *r)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    l->w = w;
    l->r = r;
    l->fresh = true;
    l->has_triangle = false;
    l->jacobians++;
    *rejected = false;
    lnt_status status;
    if (l->products) {
        status = lnt_local_back(ctx, l->g, rejected, l, r);
        if (status == LNT_OK && !*rejected)
            status = estimate_norms(ctx, l, rejected);
    } else {
        status = read_jacobian(ctx, l, rejected, w);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_local_triangle(lnt_ctx *ctx, lnt_local *l)
{
    bool rejected = false;
    if (l->has_triangle)
        return LNT_OK;
    if (l->BT.a) {
        lnt_status status = add_triangle(ctx, l->R, true, l->BT, l->r);
        l->has_triangle = status == LNT_OK;
        return status;
    }
    lnt_mark mark = lnt_ctx_mark(ctx);
    l->quick = false; /* the rows once more */
    lnt_status status = read_jacobian(ctx, l, &rejected, l->w);
    l->quick = true;
    l->has_triangle = status == LNT_OK && !rejected;
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_local_times(lnt_ctx *ctx, double *out, bool *rejected, const lnt_local *l, const double *v)
{
    *rejected = false;
    if (l->BT.a) {
        lnt_gemv(out, 1, LNT_T, l->BT, v, 0);
        return LNT_OK;
    }
    lnt_status status = lnt_model_jvp(ctx, out, rejected, l->model, l->w, v);
    lnt_local_whiten(l, out);
    return status;
}

lnt_status lnt_local_back(lnt_ctx *ctx, double *out, bool *rejected, const lnt_local *l, const double *u)
{
    *rejected = false;
    if (l->BT.a) {
        lnt_gemv(out, 1, LNT_N, l->BT, u, 0);
        return LNT_OK;
    }
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *v = lnt_alloc(ctx, (size_t)l->n, sizeof *v);
    if (!v)
        return LNT_ENOMEM;
    for (int i = 0; i < l->n; i++)
        v[i] = l->problem->sd ? u[i] / l->problem->sd[i] : u[i];
    if (l->L.a)
        lnt_solve_lower(column(v, l->n), LNT_T, l->L);
    lnt_status status = lnt_model_vjp(ctx, out, rejected, l->model, l->w, v);
    lnt_ctx_reset(ctx, mark);
    return status;
}
