#include "bayes.h"

#include "linnet/linalg.h"

#include <limits.h>
#include <math.h>

static lnt_status check_shares(lnt_ctx *ctx, const lnt_likelihood *l)
{
    size_t q = l->kind == LNT_CATEGORICAL ? (size_t)l->classes : 1;
    for (size_t i = 0; i < l->n; i++)
        if (!(l->d[i] >= 0 && l->d[i] <= 1))
            return lnt_fail(ctx, LNT_EDOMAIN, "datum %zu is %g: classes are given as shares from 0 to 1", i, l->d[i]);
    for (size_t i = 0; i < l->n && q > 1; i += q) {
        double sum = 0;
        for (size_t c = 0; c < q; c++)
            sum += l->d[i + c];
        if (fabs(sum - 1) > 1e-9)
            return lnt_fail(ctx, LNT_EDOMAIN, "the shares of sample %zu sum to %g, not to 1", i / q, sum);
    }
    return LNT_OK;
}

static lnt_status check_numbers(lnt_ctx *ctx, const lnt_likelihood *l)
{
    if (!(l->beta > 0 && isfinite(l->beta)))
        return lnt_fail(ctx, LNT_EDOMAIN, "the precision of the noise is %g: it must be above 0", l->beta);
    for (size_t i = 0; i < l->n; i++)
        if (!isfinite(l->d[i]) || (l->sqrtw && !(l->sqrtw[i] > 0 && isfinite(l->sqrtw[i]))))
            return lnt_fail(ctx, LNT_EDOMAIN, "datum %zu is not finite, or its weight is not above 0", i);
    return LNT_OK;
}

lnt_status lnt_likelihood_check(lnt_ctx *ctx, const lnt_likelihood *l, size_t n)
{
    if (l->n != n || n < 1 || n > INT_MAX)
        return lnt_fail(ctx, LNT_ESHAPE, "%zu data for %zu outputs of the model", l->n, n);
    if (l->kind == LNT_CATEGORICAL && (l->classes < 2 || n % (size_t)l->classes != 0))
        return lnt_fail(ctx, LNT_ESHAPE, "%zu outputs are no whole number of samples of %d classes", n, l->classes);
    return l->kind == LNT_GAUSSIAN ? check_numbers(ctx, l) : check_shares(ctx, l);
}

static lnt_status check_prior(lnt_ctx *ctx, const lnt_prior *p, size_t k)
{
    if (p->groups < 1)
        return lnt_fail(ctx, LNT_EINVAL, "a prior has at least one group of weights");
    for (int g = 0; g < p->groups; g++)
        if (!(p->alpha[g] > 0 && isfinite(p->alpha[g])))
            return lnt_fail(ctx, LNT_EDOMAIN, "the prior precision of group %d is %g: it must be above 0", g,
                            p->alpha[g]);
    for (size_t j = 0; j < k && p->group; j++)
        if (p->group[j] < 0 || p->group[j] >= p->groups)
            return lnt_fail(ctx, LNT_EINVAL, "weight %zu is in group %d of %d", j, p->group[j], p->groups);
    return LNT_OK;
}

lnt_status lnt_bayes_check(lnt_ctx *ctx, const lnt_model *model, const double *w, const lnt_likelihood *likelihood,
                           const lnt_prior *prior)
{
    if (model->k < 1 || model->k > INT_MAX)
        return lnt_fail(ctx, LNT_ESHAPE, "a model of %zu weights", model->k);
    lnt_status status = lnt_likelihood_check(ctx, likelihood, model->n);
    if (status == LNT_OK)
        status = check_prior(ctx, prior, model->k);
    if (status == LNT_OK && !lnt_mat_finite(lnt_mat_view((double *)w, (int)model->k, 1)))
        status = lnt_fail(ctx, LNT_EDOMAIN, "the weights are not all finite");
    return status;
}

int lnt_chunk_rows(const lnt_model *model, const lnt_likelihood *likelihood)
{
    int n = (int)model->n, q = likelihood->kind == LNT_CATEGORICAL ? likelihood->classes : 1;
    int rows = q * ((LNT_MODEL_CHUNK + q - 1) / q);
    return model->jacobian && rows < n ? rows : n; /* differences cost the same for one row as for all */
}

lnt_status lnt_rows_or_fail(lnt_ctx *ctx, lnt_mat X, const lnt_model *model, const double *w, size_t first)
{
    bool rejected;
    lnt_status status = lnt_model_rows(ctx, X.a, (size_t)X.ld, &rejected, model, w, first, first + (size_t)X.cols);
    return status == LNT_OK && rejected ? lnt_fail(ctx, LNT_EDOMAIN, "the model has no Jacobian at these weights")
                                        : status;
}

lnt_status lnt_outputs_or_fail(lnt_ctx *ctx, double *f, const lnt_model *model, const double *w)
{
    bool rejected;
    lnt_status status = lnt_model_outputs(ctx, f, &rejected, model, w);
    return status == LNT_OK && rejected ? lnt_fail(ctx, LNT_EDOMAIN, "the model has no value at these weights")
                                        : status;
}

static double log_prior(const double *w, const lnt_prior *prior, size_t k)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++)
        sum += lnt_alpha(prior, j) * w[j] * w[j];
    return -0.5 * sum;
}

/* gradient += B' g and A += B' C B, by chunks of rows. */
static lnt_status add_curvature(lnt_ctx *ctx, double *gradient, lnt_mat A, bool *rejected, const lnt_model *model,
                                const double *w, const lnt_likelihood *likelihood, const double *f, const double *g)
{
    int n = (int)model->n, chunk = lnt_chunk_rows(model, likelihood);
    lnt_mat X;
    lnt_status status = lnt_mat_alloc(ctx, &X, (int)model->k, chunk);
    for (int i = 0; i < n && status == LNT_OK && !*rejected; i += chunk) {
        lnt_mat part = lnt_columns(X, 0, i + chunk < n ? chunk : n - i);
        status =
            lnt_model_rows(ctx, part.a, (size_t)part.ld, rejected, model, w, (size_t)i, (size_t)i + (size_t)part.cols);
        if (status != LNT_OK || *rejected)
            break;
        if (gradient)
            lnt_gemv(gradient, 1, LNT_N, part, g + i, 1);
        lnt_likelihood_whiten(part, likelihood, f, (size_t)i);
        lnt_syrk(A, 1, LNT_N, part, 1);
    }
    return status;
}

static lnt_status log_posterior(lnt_ctx *ctx, double *J, double *gradient, lnt_mat A, bool *rejected,
                                const lnt_model *model, const double *w, const lnt_likelihood *likelihood,
                                const lnt_prior *prior)
{
    size_t n = model->n, k = model->k;
    double *f = lnt_alloc(ctx, n, sizeof *f), *g = lnt_alloc(ctx, n, sizeof *g);
    if (!f || !g)
        return LNT_ENOMEM;
    lnt_status status = lnt_model_outputs(ctx, f, rejected, model, w);
    if (status != LNT_OK || *rejected)
        return status;
    if (J)
        *J = lnt_log_likelihood(likelihood, f) + log_prior(w, prior, k);
    lnt_likelihood_gradient(g, likelihood, f);
    if (gradient && !A.a)
        status = lnt_model_vjp(ctx, gradient, rejected, model, w, g);
    for (size_t j = 0; j < k && gradient; j++)
        gradient[j] = (A.a ? 0 : gradient[j]) - lnt_alpha(prior, j) * w[j];
    if (!A.a || status != LNT_OK)
        return status;
    lnt_mat_fill(A, 0);
    for (size_t j = 0; j < k; j++)
        *lnt_at(A, (int)j, (int)j) = lnt_alpha(prior, j);
    status = add_curvature(ctx, gradient, A, rejected, model, w, likelihood, f, g);
    lnt_symmetrize(A);
    return status;
}

lnt_status lnt_log_posterior(lnt_ctx *ctx, double *J, double *gradient, lnt_mat A, bool *rejected,
                             const lnt_model *model, const double *w, const lnt_likelihood *likelihood,
                             const lnt_prior *prior)
{
    *rejected = false;
    lnt_status status = lnt_bayes_check(ctx, model, w, likelihood, prior);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = log_posterior(ctx, J, gradient, A, rejected, model, w, likelihood, prior);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
