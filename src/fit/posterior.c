#include "bayes.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

static void scale_rows(lnt_mat X, const double *scale)
{
    for (int j = 0; j < X.cols; j++)
        for (int i = 0; i < X.rows; i++)
            *lnt_at(X, i, j) *= scale[i];
}

/* n <= k: D^-1 B' L = V S U' at once. */
static lnt_status factor_wide(lnt_ctx *ctx, lnt_posterior *p, const lnt_model *model, const lnt_likelihood *likelihood,
                              const double *f)
{
    lnt_mat X, UT;
    lnt_status status = lnt_mat_alloc(ctx, &X, p->k, p->n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &UT, p->n, p->n);
    if (status == LNT_OK)
        status = lnt_rows_or_fail(ctx, X, model, p->w, 0);
    if (status != LNT_OK)
        return status;
    lnt_likelihood_whiten(X, likelihood, f, 0);
    scale_rows(X, p->scale);
    return lnt_svd(ctx, p->V, p->s, UT, X);
}

/* n > k: R of L' B D^-1 from chunks of rows, then R = U S V'. */
static lnt_status factor_tall(lnt_ctx *ctx, lnt_posterior *p, const lnt_model *model, const lnt_likelihood *likelihood,
                              const double *f)
{
    int k = p->k, chunk = lnt_chunk_rows(model, likelihood);
    lnt_mat X, stack, U, VT, R;
    lnt_status status = lnt_mat_alloc(ctx, &X, k, chunk);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &stack, k + chunk, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &R, k, k);
    for (int i = 0; i < p->n && status == LNT_OK; i += chunk) {
        lnt_mat part = lnt_columns(X, 0, i + chunk < p->n ? chunk : p->n - i);
        lnt_mat rows = lnt_block(stack, 0, 0, k + part.cols, k);
        if ((status = lnt_rows_or_fail(ctx, part, model, p->w, (size_t)i)) != LNT_OK)
            break;
        lnt_likelihood_whiten(part, likelihood, f, (size_t)i);
        scale_rows(part, p->scale);
        lnt_mat_transpose(lnt_block(rows, k, 0, part.cols, k), part);
        status = lnt_qr_triangle(ctx, R, rows);
        lnt_mat_copy(lnt_block(stack, 0, 0, k, k), R);
    }
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, k, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, k);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, p->s, VT, R);
    if (status == LNT_OK)
        lnt_mat_transpose(p->V, VT);
    return status;
}

static double squared_error(const lnt_likelihood *l, const double *f)
{
    double sum = 0;
    for (size_t i = 0; i < l->n; i++) {
        double r = (l->sqrtw ? l->sqrtw[i] : 1) * (l->d[i] - f[i]);
        sum += r * r;
    }
    return l->kind == LNT_GAUSSIAN ? sum : NAN;
}

static void evidence(lnt_posterior *p, const lnt_likelihood *likelihood, const lnt_prior *prior, const double *f)
{
    double log_alphas = 0, penalty = 0, growth = 0;
    for (int j = 0; j < p->k; j++) {
        int g = prior->group ? prior->group[j] : 0;
        p->size[g]++;
        p->square[g] += p->w[j] * p->w[j];
        for (int i = 0; i < p->rank; i++) {
            double v = *lnt_at(p->V, j, i), lam = p->s[i] * p->s[i];
            p->gamma_group[g] += v * v * (lam / (1 + lam));
        }
    }
    for (int g = 0; g < p->groups; g++) {
        double alpha = prior->alpha[g];
        log_alphas += p->size[g] * log(alpha);
        penalty += alpha * p->square[g];
        p->slope[g] = 0.5 * (p->gamma_group[g] - alpha * p->square[g]);
    }
    for (int i = 0; i < p->rank; i++) {
        double lam = p->s[i] * p->s[i];
        p->gamma += lam / (1 + lam);
        growth += log1p(lam);
    }
    p->log_likelihood = lnt_log_likelihood(likelihood, f);
    p->sse = squared_error(likelihood, f);
    p->noise_slope = likelihood->kind == LNT_GAUSSIAN ? 0.5 * (p->n - p->gamma - likelihood->beta * p->sse) : 0;
    p->log_det = log_alphas + growth;
    p->log_evidence = p->log_likelihood - 0.5 * penalty - 0.5 * growth;
}

static lnt_status allocate(lnt_ctx *ctx, lnt_posterior *p)
{
    double **of_weights[] = {&p->w, &p->scale}, **of_groups[] = {&p->gamma_group, &p->square, &p->slope};
    for (int i = 0; i < 2; i++)
        if (!(*of_weights[i] = lnt_alloc(ctx, (size_t)p->k, sizeof(double))))
            return LNT_ENOMEM;
    for (int i = 0; i < 3; i++)
        if (!(*of_groups[i] = lnt_alloc_zero(ctx, (size_t)p->groups, sizeof(double))))
            return LNT_ENOMEM;
    p->size = lnt_alloc_zero(ctx, (size_t)p->groups, sizeof *p->size);
    p->s = lnt_alloc(ctx, (size_t)p->rank, sizeof *p->s);
    return p->size && p->s ? lnt_mat_alloc(ctx, &p->V, p->k, p->rank) : LNT_ENOMEM;
}

lnt_status lnt_posterior_make(lnt_ctx *ctx, lnt_posterior *p, const lnt_model *model, const double *w,
                              const lnt_likelihood *likelihood, const lnt_prior *prior)
{
    lnt_status status = lnt_bayes_check(ctx, model, w, likelihood, prior);
    if (status != LNT_OK)
        return status;
    int n = (int)model->n, k = (int)model->k;
    *p = (lnt_posterior){.n = n, .k = k, .rank = n < k ? n : k, .groups = prior->groups};
    if ((status = allocate(ctx, p)) != LNT_OK)
        return status;
    memcpy(p->w, w, model->k * sizeof *w);
    for (int j = 0; j < k; j++)
        p->scale[j] = 1 / sqrt(lnt_alpha(prior, (size_t)j));
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    double *f = lnt_alloc(ctx, model->n, sizeof *f);
    status = f ? lnt_outputs_or_fail(ctx, f, model, w) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = (n > k ? factor_tall : factor_wide)(ctx, p, model, likelihood, f);
    if (status == LNT_OK)
        evidence(p, likelihood, prior, f);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

double lnt_log_symmetries(int depth, const int *width, lnt_activation activation)
{
    double sum = 0;
    for (int l = 1; l < depth && activation != LNT_LINEAR; l++)
        sum += lgamma(width[l] + 1.0) + (activation == LNT_TANH ? width[l] * log(2) : 0);
    return sum;
}

lnt_status lnt_posterior_covariance(lnt_ctx *ctx, lnt_mat S, const lnt_posterior *p)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat G;
    lnt_status status = lnt_mat_alloc(ctx, &G, p->k, p->rank);
    if (status != LNT_OK)
        return status;
    bool full = p->rank == p->k; /* then 1 - VV' = 0 */
    lnt_mat_copy(G, p->V);
    scale_rows(G, p->scale);
    for (int i = 0; i < p->rank; i++) {
        double lam = p->s[i] * p->s[i];
        lnt_mat_scale(lnt_columns(G, i, 1), sqrt(full ? 1 / (1 + lam) : lam / (1 + lam)));
    }
    lnt_mat_fill(S, 0);
    for (int j = 0; j < p->k && !full; j++)
        *lnt_at(S, j, j) = p->scale[j] * p->scale[j];
    lnt_syrk(S, full ? 1 : -1, LNT_N, G, 1);
    lnt_symmetrize(S);
    lnt_ctx_reset(ctx, mark);
    return LNT_OK;
}

void lnt_posterior_deviations(double *sd, const lnt_posterior *p)
{
    for (int j = 0; j < p->k; j++) {
        double sum = 0, missing = 1;
        for (int i = 0; i < p->rank; i++) {
            double v2 = *lnt_at(p->V, j, i) * *lnt_at(p->V, j, i);
            sum += v2 / (1 + p->s[i] * p->s[i]);
            missing -= v2;
        }
        sd[j] = p->scale[j] * sqrt(p->rank < p->k ? fmax(0, missing) + sum : sum);
    }
}

/* G <- the rows diag(1/sqrt(1 + s^2)) V' D^-1 X, and below them those of (1 - V V') D^-1 X: G' G = X' A^-1 X. Y is
 * scratch of the shape of X. */
static void spread(lnt_mat G, lnt_mat Y, const lnt_posterior *p, lnt_mat X)
{
    lnt_mat inside = lnt_block(G, 0, 0, p->rank, X.cols);
    lnt_mat_copy(Y, X);
    scale_rows(Y, p->scale);
    lnt_gemm(inside, 1, LNT_T, p->V, LNT_N, Y, 0);
    if (p->rank < p->k) {
        lnt_gemm(Y, -1, LNT_N, p->V, LNT_N, inside, 1);
        lnt_mat_copy(lnt_block(G, p->rank, 0, p->k, X.cols), Y);
    }
    for (int i = 0; i < p->rank; i++)
        lnt_mat_scale(lnt_block(inside, i, 0, 1, X.cols), 1 / sqrt(1 + p->s[i] * p->s[i]));
}

static int spread_rows(const lnt_posterior *p)
{
    return p->rank < p->k ? p->rank + p->k : p->k;
}

lnt_status lnt_posterior_project(lnt_ctx *ctx, lnt_mat S, const lnt_posterior *p, lnt_mat X)
{
    if (X.rows != p->k || S.rows != X.cols || S.cols != X.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "%d rows for %d weights", X.rows, p->k);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat G, Y;
    lnt_status status = lnt_mat_alloc(ctx, &G, spread_rows(p), X.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, p->k, X.cols);
    if (status == LNT_OK) {
        spread(G, Y, p, X);
        lnt_syrk(S, 1, LNT_T, G, 0);
        lnt_symmetrize(S);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_posterior_draw(lnt_ctx *ctx, double *w, const lnt_posterior *p, double spread_by, lnt_rng *rng)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *z = lnt_alloc(ctx, (size_t)p->k, sizeof *z), *t = lnt_alloc(ctx, (size_t)p->rank, sizeof *t);
    if (!z || !t)
        return LNT_ENOMEM;
    lnt_rng_normals(rng, z, (size_t)p->k);
    lnt_gemv(t, 1, LNT_T, p->V, z, 0);
    for (int i = 0; i < p->rank; i++)
        t[i] *= 1 / sqrt(1 + p->s[i] * p->s[i]) - (p->rank < p->k);
    lnt_gemv(z, 1, LNT_N, p->V, t, p->rank < p->k);
    for (int j = 0; j < p->k; j++)
        w[j] = p->w[j] + spread_by * p->scale[j] * z[j];
    lnt_ctx_reset(ctx, mark);
    return LNT_OK;
}

static lnt_status predict_chunks(lnt_ctx *ctx, double *variance, const lnt_posterior *p, const lnt_model *model)
{
    int n = (int)model->n, chunk = model->jacobian && n > LNT_MODEL_CHUNK ? LNT_MODEL_CHUNK : n;
    lnt_mat X, Y, G;
    lnt_status status = lnt_mat_alloc(ctx, &X, p->k, chunk);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, p->k, chunk);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &G, spread_rows(p), chunk);
    for (int i = 0; i < n && status == LNT_OK; i += chunk) {
        int count = i + chunk < n ? chunk : n - i;
        lnt_mat part = lnt_columns(X, 0, count);
        if ((status = lnt_rows_or_fail(ctx, part, model, p->w, (size_t)i)) != LNT_OK)
            break;
        spread(lnt_columns(G, 0, count), lnt_columns(Y, 0, count), p, part);
        for (int j = 0; j < count; j++)
            variance[i + j] = lnt_mat_dot(lnt_columns(G, j, 1), lnt_columns(G, j, 1));
    }
    return status;
}

lnt_status lnt_posterior_predict(lnt_ctx *ctx, double *mean, double *variance, const lnt_posterior *p,
                                 const lnt_model *model)
{
    if (model->k != (size_t)p->k)
        return lnt_fail(ctx, LNT_ESHAPE, "a model of %zu weights for a posterior of %d", model->k, p->k);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = lnt_outputs_or_fail(ctx, mean, model, p->w);
    if (status == LNT_OK)
        status = predict_chunks(ctx, variance, p, model);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
