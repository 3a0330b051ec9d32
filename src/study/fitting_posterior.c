/* The posterior of a fit, with noise of any covariance, with and without a prior. */
#include "fitting.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FLAT 1e-30 /* a prior that stands for none: its share of the precision of each weight */

/* The model at the answer, linear and whitened: what is left of noise with a covariance. */
typedef struct frozen {
    lnt_mat BT;
    double *f, *d;
    double log_root; /* log det L, C = L L' */
} frozen;

static int frozen_f(const double *w, double *out, void *user)
{
    const frozen *z = user;
    (void)w;
    memcpy(out, z->f, (size_t)z->BT.cols * sizeof *out);
    return 0;
}

static int frozen_rows(const double *w, size_t first, size_t last, double *B, size_t ld, void *user)
{
    const frozen *z = user;
    (void)w;
    for (size_t i = first; i < last; i++)
        memcpy(B + (i - first) * ld, lnt_at(z->BT, 0, (int)i), (size_t)z->BT.rows * sizeof *B);
    return 0;
}

static lnt_status freeze(lnt_ctx *ctx, frozen *z, const lnt_fitted *f)
{
    const lnt_model *m = &f->data->model;
    int n = (int)m->n, k = (int)m->k;
    lnt_mat L, B;
    bool rejected;
    lnt_status status = lnt_mat_alloc(ctx, &z->BT, k, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &L, n, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, n, k + 2);
    if (status == LNT_OK)
        status = lnt_model_rows(ctx, z->BT.a, (size_t)k, &rejected, m, f->w, 0, m->n);
    if (status != LNT_OK)
        return status;
    z->f = lnt_at(B, 0, k);
    z->d = lnt_at(B, 0, k + 1);
    lnt_mat_transpose(lnt_columns(B, 0, k), z->BT);
    memcpy(z->d, f->likelihood.d, m->n * sizeof *z->d);
    status = lnt_model_outputs(ctx, z->f, &rejected, m, f->w);
    lnt_mat_copy(L, f->data->C);
    if (status == LNT_OK && !lnt_cholesky(L))
        return lnt_fail(ctx, LNT_EDOMAIN, "the covariance of the noise is not positive definite");
    if (status == LNT_OK) {
        z->log_root = 0;
        for (int i = 0; i < n; i++)
            z->log_root += log(*lnt_at(L, i, i));
        lnt_solve_lower(B, LNT_N, L);
        lnt_mat_transpose(z->BT, lnt_columns(B, 0, k));
    }
    return status;
}

/* For each weight a prior far below what the data say of it: a posterior without one, in well scaled columns. */
static lnt_status flat_prior(lnt_ctx *ctx, lnt_prior *prior, const lnt_model *m, const lnt_likelihood *l,
                             const double *w)
{
    int n = (int)m->n, k = (int)m->k, chunk = n < LNT_MODEL_CHUNK ? n : LNT_MODEL_CHUNK;
    lnt_mat X;
    int *group = lnt_alloc(ctx, m->k, sizeof *group);
    prior->alpha = lnt_alloc_zero(ctx, m->k, sizeof *prior->alpha);
    lnt_status status = group && prior->alpha ? lnt_mat_alloc(ctx, &X, k, chunk) : LNT_ENOMEM;
    for (int i = 0; i < n && status == LNT_OK; i += chunk) {
        lnt_mat part = lnt_columns(X, 0, i + chunk < n ? chunk : n - i);
        bool rejected;
        status = lnt_model_rows(ctx, part.a, (size_t)k, &rejected, m, w, (size_t)i, (size_t)i + (size_t)part.cols);
        for (int j = 0; j < part.cols * k && status == LNT_OK; j++) {
            double v = l->sqrtw ? l->sqrtw[i + j / k] : 1;
            prior->alpha[j % k] += FLAT * l->beta * (v * part.a[j]) * (v * part.a[j]);
        }
    }
    for (int j = 0; j < k && status == LNT_OK; j++) {
        group[j] = j;
        if (!(prior->alpha[j] > 0 && isfinite(prior->alpha[j])))
            status = lnt_fail(ctx, LNT_EDOMAIN, LNT_OUT_OF_SCALE);
    }
    prior->groups = k;
    prior->group = group;
    return status;
}

/* Whether the data alone, of which s speaks in well scaled columns, determine all weights. */
static bool is_determined(const lnt_posterior *p)
{
    return p->rank == p->k && p->s[p->k - 1] > (double)(p->n > p->k ? p->n : p->k) * DBL_EPSILON * p->s[0];
}

lnt_status lnt_fitted_posterior(lnt_ctx *ctx, lnt_fitted *f)
{
    const lnt_model *m = &f->data->model;
    lnt_likelihood l = f->likelihood;
    lnt_prior prior = lnt_fitted_prior(f);
    frozen z = {.log_root = 0};
    lnt_model at = {.n = m->n, .k = m->k, .user = &z, .f = frozen_f, .jacobian = frozen_rows};
    lnt_status status = LNT_OK;
    if (f->data->C.a) {
        status = freeze(ctx, &z, f);
        l.d = z.d;
        m = &at;
    }
    if (status == LNT_OK && !f->has_prior)
        status = flat_prior(ctx, &prior, m, &l, f->w);
    if (status == LNT_OK)
        status = lnt_posterior_make(ctx, &f->posterior, m, f->w, &l, &prior);
    f->has_posterior = status == LNT_OK && (f->has_prior || is_determined(&f->posterior));
    if (status == LNT_OK && f->data->C.a) {
        f->posterior.log_likelihood -= z.log_root;
        f->posterior.log_evidence -= z.log_root;
    }
    return status;
}
