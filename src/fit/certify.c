#include "local.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct work {
    lnt_local l;
    const double *w;
    double *r, *size; /* sqrt(|b_j|^2 + alpha_j), or 1 where that is 0 */
    lnt_mat T, X;     /* T^T T = B^T B + diag(alpha) with columns scaled to norm 1, and T^-1; X.a NULL: singular */
} work;

/* Singular values of B's scaled columns tell the rank; P r lies in the span of the first ones. */
static lnt_status measure(lnt_ctx *ctx, work *job, lnt_fit_certificate *c)
{
    lnt_local *l = &job->l;
    int k = l->k, n = l->n;
    lnt_mat Rs, U, VT;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s), *along = lnt_alloc(ctx, (size_t)k, sizeof *along);
    lnt_status status = s && along ? lnt_mat_alloc(ctx, &Rs, k, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, k, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, k);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(Rs, lnt_block(l->R, 0, 0, k, k));
    for (int j = 0; j < k; j++)
        if (l->norm2[j] > 0)
            lnt_mat_scale(lnt_columns(Rs, j, 1), 1 / sqrt(l->norm2[j]));
    if ((status = lnt_svd(ctx, U, s, VT, Rs)) != LNT_OK)
        return status;
    double least = (n > k ? n : k) * DBL_EPSILON * s[0], inside = 0;
    for (c->rank = 0; c->rank < k && s[c->rank] > least;)
        c->rank++;
    c->cond = c->rank == k ? s[0] / s[k - 1] : INFINITY;
    lnt_gemv(along, 1, LNT_T, U, lnt_at(l->R, 0, k), 0);
    for (int i = 0; i < c->rank; i++)
        inside += along[i] * along[i];
    double outside = fmax(0, c->sse - inside), freedom = n - k;
    c->variance = n > c->rank ? c->sse / (n - c->rank) : NAN;
    c->offset = n <= k ? NAN : outside > 0 ? sqrt(inside / k / (outside / freedom)) : (inside > 0 ? INFINITY : 0);
    return LNT_OK;
}

/* T and its inverse. */
static lnt_status invert(lnt_ctx *ctx, work *job)
{
    lnt_local *l = &job->l;
    const double *alpha = l->problem->penalty;
    int k = l->k;
    double *e = lnt_alloc_zero(ctx, (size_t)k, sizeof *e);
    lnt_status status = e ? lnt_mat_alloc(ctx, &job->T, k, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &job->X, k, k);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(job->T, lnt_block(l->R, 0, 0, k, k));
    for (int j = 0; j < k; j++) {
        double size2 = l->norm2[j] + (alpha ? alpha[j] : 0);
        job->size[j] = size2 > 0 ? sqrt(size2) : 1;
        lnt_mat_scale(lnt_columns(job->T, j, 1), 1 / job->size[j]);
        e[j] = alpha ? sqrt(alpha[j]) / job->size[j] : 0;
    }
    if (alpha)
        status = lnt_qr_diagonal(ctx, job->T, e, k);
    bool singular = false;
    for (int j = 0; j < k; j++)
        singular = singular || !(fabs(*lnt_at(job->T, j, j)) > k * DBL_EPSILON);
    for (int j = 0; j < k && !singular; j++) {
        *lnt_at(job->X, j, j) = 1;
        lnt_trsv(lnt_at(job->X, 0, j), LNT_N, job->T);
    }
    if (singular)
        job->X.a = NULL;
    return status;
}

static void covariance(lnt_mat V, const work *job)
{
    if (!job->X.a) {
        lnt_mat_fill(V, NAN);
        return;
    }
    lnt_syrk(V, 1, LNT_N, job->X, 0);
    lnt_symmetrize(V);
    for (int j = 0; j < V.cols; j++)
        for (int i = 0; i < V.rows; i++)
            *lnt_at(V, i, j) /= job->size[i] * job->size[j];
}

/* S <- sum_i r_i Hess f_i, by differences of B^T r at a fixed r. */
static lnt_status bending(lnt_ctx *ctx, lnt_mat S, bool *rejected, const work *job)
{
    lnt_local l = job->l;
    int k = l.k;
    bool exact = l.model->vjp || l.model->jacobian || l.model->jvp;
    double *at = lnt_alloc(ctx, (size_t)k, sizeof *at), *low = lnt_alloc(ctx, (size_t)k, sizeof *low);
    if (!at || !low)
        return LNT_ENOMEM;
    l.BT.a = NULL;
    l.w = at;
    memcpy(at, job->w, (size_t)k * sizeof *at);
    lnt_status status = LNT_OK;
    for (int j = 0; j < k && status == LNT_OK && !*rejected; j++) {
        double h = (exact ? cbrt(DBL_EPSILON) : 1e-3) * fmax(fabs(job->w[j]), 1), *column = lnt_at(S, 0, j);
        at[j] = job->w[j] + h;
        status = lnt_local_back(ctx, column, rejected, &l, job->r);
        at[j] = job->w[j] - h;
        if (status == LNT_OK && !*rejected)
            status = lnt_local_back(ctx, low, rejected, &l, job->r);
        at[j] = job->w[j];
        for (int i = 0; i < k; i++)
            column[i] = (column[i] - low[i]) / (2 * h);
    }
    for (int j = 0; j < k; j++)
        for (int i = 0; i < j; i++)
            *lnt_at(S, i, j) = *lnt_at(S, j, i) = (*lnt_at(S, i, j) + *lnt_at(S, j, i)) / 2;
    return status;
}

/* Eigenvalues of the scaled T^T T - S tell signs but not sizes: the least curvature is of the unscaled matrix. */
static lnt_status curvature(lnt_ctx *ctx, work *job, lnt_fit_certificate *c, bool *rejected)
{
    lnt_local *l = &job->l;
    const double *alpha = l->problem->penalty;
    int k = l->k;
    lnt_mat S, N, V, XS;
    double *e = lnt_alloc(ctx, (size_t)k, sizeof *e);
    lnt_mat *each[] = {&S, &N, &V, &XS};
    lnt_status status = e ? LNT_OK : LNT_ENOMEM;
    for (int i = 0; i < 4 && status == LNT_OK; i++)
        status = lnt_mat_alloc(ctx, each[i], k, k);
    if (status == LNT_OK)
        status = bending(ctx, S, rejected, job);
    if (status != LNT_OK || *rejected)
        return status;
    lnt_syrk(N, 1, LNT_N, l->BT, 0);
    lnt_mat_add(N, -1, S); /* only the lower triangle counts */
    for (int j = 0; alpha && j < k; j++)
        *lnt_at(N, j, j) += alpha[j];
    status = lnt_eigh(ctx, e, V, N);
    c->least_curvature = e[0];
    if (status != LNT_OK || !job->X.a)
        return status;
    for (int j = 0; j < k; j++)
        for (int i = 0; i < k; i++)
            *lnt_at(S, i, j) /= job->size[i] * job->size[j];
    lnt_gemm(XS, 1, LNT_T, job->X, LNT_N, S, 0);
    lnt_gemm(N, 1, LNT_N, XS, LNT_N, job->X, 0);
    status = lnt_eigh(ctx, e, V, N);
    c->radius = fmax(fabs(e[0]), fabs(e[k - 1]));
    return status;
}

static lnt_status certify(lnt_ctx *ctx, work *job, lnt_fit_certificate *c, lnt_mat V, bool wants_curvature)
{
    lnt_local *l = &job->l;
    bool rejected = false;
    job->r = lnt_alloc(ctx, (size_t)l->n, sizeof *job->r);
    job->size = lnt_alloc(ctx, (size_t)l->k, sizeof *job->size);
    lnt_status status = job->r && job->size ? lnt_local_residual(ctx, job->r, &rejected, l, job->w) : LNT_ENOMEM;
    if (status == LNT_OK && !rejected)
        status = lnt_local_at(ctx, l, &rejected, job->w, job->r);
    if (status == LNT_OK && !rejected) {
        c->sse = pow(lnt_mat_norm(lnt_mat_view(job->r, l->n, 1)), 2);
        c->cosine = lnt_local_cosine(l, c->sse + lnt_local_penalty(l, job->w));
        status = measure(ctx, job, c);
        if (status == LNT_OK)
            status = invert(ctx, job);
        if (status == LNT_OK && V.a)
            covariance(V, job);
        if (status == LNT_OK && wants_curvature)
            status = curvature(ctx, job, c, &rejected);
    }
    if (status == LNT_OK && rejected)
        status = lnt_fail(ctx, LNT_EDOMAIN, "the model has no value at or around these weights");
    return status;
}

lnt_status lnt_fit_certify(lnt_ctx *ctx, lnt_fit_certificate *certificate, lnt_mat V, bool wants_curvature,
                           const lnt_fit_problem *problem, const double *w)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_fit_opts opts;
    work job = {.w = w};
    lnt_fit_defaults(&opts);
    opts.solver = LNT_SOLVER_QR;
    opts.memory = (size_t)-1;
    *certificate = (lnt_fit_certificate){.least_curvature = NAN, .radius = NAN};
    lnt_status status = lnt_local_make(ctx, &job.l, problem, &opts);
    if (status == LNT_OK && V.a && (V.rows != job.l.k || V.cols != job.l.k))
        status = lnt_fail(ctx, LNT_ESHAPE, "the covariance of %d weights is not %d x %d", job.l.k, V.rows, V.cols);
    if (status == LNT_OK)
        status = certify(ctx, &job, certificate, V, wants_curvature);
    lnt_ctx_reset(ctx, mark);
    return status;
}
