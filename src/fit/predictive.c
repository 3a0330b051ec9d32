#include "linnet/posterior.h"

#include "../theory/gauss.h"
#include "linnet/linalg.h"

#include <math.h>

static double beyond(double z, void *user)
{
    return erfc(0.70710678118654752440 * z) - *(const double *)user;
}

lnt_status lnt_predictive_band(lnt_ctx *ctx, double *low, double *high, const double *mean, const double *variance,
                               size_t n, double noise, double coverage)
{
    double outside = 1 - coverage;
    if (!(coverage > 0 && coverage < 1) || !(noise >= 0))
        return lnt_fail(ctx, LNT_EDOMAIN, "a band covers a share between 0 and 1, with noise of variance 0 or more");
    double z = lnt_root(beyond, &outside, 0, 40);
    for (size_t i = 0; i < n; i++) {
        double reach = z * sqrt(variance[i] + noise);
        low[i] = mean[i] - reach;
        high[i] = mean[i] + reach;
    }
    return LNT_OK;
}

static double logistic(double z)
{
    double e = exp(-fabs(z));
    return (z >= 0 ? 1 : e) / (1 + e);
}

/* E = int logistic(m + s x) phi(x) dx, or by parts int logistic'(z) Phi((m - z)/s) dz: logistic has poles at +-i pi, so
 * that the first integrand is smooth on a scale of 1/s and the second on one of 1, whatever s. */
double lnt_logistic_mean(double mean, double variance)
{
    double s = sqrt(variance), sum = 0;
    if (s <= 1) {
        const double h = 0.5;
        for (int i = -18; i <= 18; i++)
            sum += h * lnt_normal_density(h * i) * logistic(mean + s * h * i);
        return sum;
    }
    const double h = 0.4;
    for (int i = -95; i <= 95; i++) {
        double z = h * i, e = exp(-fabs(z));
        sum += h * e / ((1 + e) * (1 + e)) * 0.5 * erfc((z - mean) / s * 0.70710678118654752440);
    }
    return sum;
}

double lnt_logistic_probit(double mean, double variance)
{
    return logistic(mean / sqrt(1 + 0.39269908169872415481 * variance));
}

void lnt_softmax(double *p, const double *z, int q)
{
    double most = z[lnt_largest(z, q)], sum = 0;
    for (int j = 0; j < q; j++)
        sum += p[j] = exp(z[j] - most);
    for (int j = 0; j < q; j++)
        p[j] /= sum;
}

/* F <- V sqrt(lam), F F' = S. */
static lnt_status square_root(lnt_ctx *ctx, lnt_mat F, lnt_mat S)
{
    lnt_mat copy;
    double *lam = lnt_alloc(ctx, (size_t)S.rows, sizeof *lam);
    lnt_status status = lam ? lnt_mat_alloc(ctx, &copy, S.rows, S.rows) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(copy, S);
    status = lnt_eigh(ctx, lam, F, copy);
    for (int j = 0; j < S.rows && status == LNT_OK; j++)
        lnt_mat_scale(lnt_columns(F, j, 1), sqrt(fmax(0, lam[j])));
    return status;
}

static lnt_status softmax_mean(lnt_ctx *ctx, double *p, double *error, const double *mean, lnt_mat S, int draws,
                               lnt_rng *rng)
{
    int q = S.rows;
    lnt_mat F;
    double *work = lnt_alloc(ctx, 6 * (size_t)q, sizeof *work);
    if (!work || lnt_mat_alloc(ctx, &F, q, q) != LNT_OK)
        return LNT_ENOMEM;
    lnt_status status = square_root(ctx, F, S);
    double *x = work, *shift = work + q, *z = work + 2 * q, *up = work + 3 * q, *down = work + 4 * q,
           *m2 = work + 5 * q;
    for (int j = 0; j < q; j++)
        p[j] = m2[j] = 0;
    for (int draw = 0; draw < draws && status == LNT_OK; draw++) {
        lnt_rng_normals(rng, x, (size_t)q);
        lnt_gemv(shift, 1, LNT_N, F, x, 0);
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int j = 0; j < q; j++)
                z[j] = mean[j] + sign * shift[j];
            lnt_softmax(sign < 0 ? down : up, z, q);
        }
        for (int j = 0; j < q; j++) { /* Welford's running mean and sum of squares */
            double pair = (up[j] + down[j]) / 2, delta = pair - p[j];
            p[j] += delta / (draw + 1);
            m2[j] += delta * (pair - p[j]);
        }
    }
    for (int j = 0; j < q && error; j++)
        error[j] = draws > 1 ? sqrt(m2[j] / draws / (draws - 1)) : NAN;
    return status;
}

lnt_status lnt_softmax_mean(lnt_ctx *ctx, double *p, double *error, const double *mean, lnt_mat S, int draws,
                            lnt_rng *rng)
{
    if (S.rows != S.cols || S.rows < 1 || draws < 1)
        return lnt_fail(ctx, LNT_EINVAL, "class probabilities need a square covariance and at least one draw");
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = softmax_mean(ctx, p, error, mean, S, draws, rng);
    lnt_ctx_reset(ctx, mark);
    return status;
}
