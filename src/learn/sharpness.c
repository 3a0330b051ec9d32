#include "linnet/learn.h"

#include <math.h>

static double norm(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i] * v[i];
    return sqrt(sum);
}

/* v <- H v by central differences; the probe is small against the weights and large against their rounding. */
static int hessian_times(double *v, double *scratch[3], const lnt_objective *f, const double *w, double step)
{
    lnt_batch all = {NULL, 0, f->rows};
    for (size_t i = 0; i < f->size; i++)
        scratch[0][i] = w[i] + step * v[i];
    if (f->gradient(scratch[1], scratch[0], &all, f->user) < 0)
        return -1;
    for (size_t i = 0; i < f->size; i++)
        scratch[0][i] = w[i] - step * v[i];
    if (f->gradient(scratch[2], scratch[0], &all, f->user) < 0)
        return -1;
    for (size_t i = 0; i < f->size; i++)
        v[i] = (scratch[1][i] - scratch[2][i]) / (2 * step);
    return 0;
}

static lnt_status iterate(lnt_ctx *ctx, double *lambda, double *v, double *scratch[3], const lnt_objective *f,
                          const double *w)
{
    double step = 1e-4 * fmax(norm(w, f->size), 1), before = 0;
    for (int k = 0; k < 300; k++) {
        double length = norm(v, f->size);
        if (length == 0) {
            *lambda = 0;
            return LNT_OK;
        }
        for (size_t i = 0; i < f->size; i++)
            v[i] /= length;
        if (hessian_times(v, scratch, f, w, step) < 0)
            return lnt_fail(ctx, LNT_EUSER, "the gradient callback stopped the estimate of the sharpness");
        *lambda = norm(v, f->size);
        if (fabs(*lambda - before) <= 1e-6 * *lambda)
            return LNT_OK;
        before = *lambda;
    }
    return LNT_OK;
}

lnt_status lnt_sharpness(lnt_ctx *ctx, double *lambda, const lnt_objective *objective, const double *w, lnt_rng *rng)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *v = lnt_alloc(ctx, objective->size, sizeof *v), *scratch[3];
    lnt_status status = v ? LNT_OK : LNT_ENOMEM;
    for (int k = 0; k < 3; k++)
        if (!(scratch[k] = lnt_alloc(ctx, objective->size, sizeof *v)))
            status = LNT_ENOMEM;
    if (status == LNT_OK) {
        for (size_t i = 0; i < objective->size; i++)
            v[i] = lnt_rng_normal(rng);
        status = iterate(ctx, lambda, v, scratch, objective, w);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
