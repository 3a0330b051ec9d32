#include "problem.h"
#include "../linalg/wide.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define CONSTANT 1e-13 /* standard deviation over mean of what is constant to rounding */
/* Sums run in lanes whose number is fixed: the bits are the same for all widths of registers. */
#define LANES 8

/* ---- Designs ---- */

lnt_design lnt_design_dense(lnt_mat X)
{
    return (lnt_design){.n = X.rows, .features = X.cols, .X = X};
}

lnt_design lnt_design_sparse(int n, int features, const size_t *start, const int *row, const double *value)
{
    return (lnt_design){.n = n, .features = features, .start = start, .row = row, .value = value};
}

lnt_status lnt_design_samples(lnt_ctx *ctx, lnt_design *X, lnt_mat samples)
{
    lnt_mat A;
    lnt_status status = lnt_mat_alloc(ctx, &A, samples.cols, samples.rows);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(A, samples);
    *X = lnt_design_dense(A);
    return LNT_OK;
}

static void add_feature(const lnt_design *X, int j, double a, double *to)
{
    if (!X->start)
        lnt_vec_add(X->n, a, lnt_at(X->X, 0, j), to);
    else
        for (size_t k = X->start[j]; k < X->start[j + 1]; k++)
            to[X->row[k]] += a * X->value[k];
}

void lnt_design_predict(double *fit, const lnt_design *X, const double *w, double intercept)
{
    for (int i = 0; i < X->n; i++)
        fit[i] = intercept;
    for (int j = 0; j < X->features; j++)
        if (w[j] != 0)
            add_feature(X, j, w[j], fit);
}

static lnt_status check_sparse(lnt_ctx *ctx, const lnt_design *X)
{
    if (X->start[0] != 0)
        return lnt_fail(ctx, LNT_EINVAL, "sparse columns start at %zu, not at 0", X->start[0]);
    for (int j = 0; j < X->features; j++) {
        if (X->start[j + 1] < X->start[j])
            return lnt_fail(ctx, LNT_EINVAL, "sparse column %d ends before it starts", j);
        for (size_t k = X->start[j]; k < X->start[j + 1]; k++)
            if (X->row[k] < 0 || X->row[k] >= X->n)
                return lnt_fail(ctx, LNT_EINVAL, "sparse column %d has row %d, outside 0 .. %d", j, X->row[k],
                                X->n - 1);
    }
    return LNT_OK;
}

lnt_status lnt_path_check(lnt_ctx *ctx, const lnt_design *X, const lnt_path_opts *o)
{
    if (X->n < 1 || X->features < 1)
        return lnt_fail(ctx, LNT_ESHAPE, "the design is %d samples x %d features: give at least one of each", X->n,
                        X->features);
    if (!X->start && (X->X.rows != X->n || X->X.cols != X->features))
        return lnt_fail(ctx, LNT_ESHAPE, "the matrix is %d x %d, not %d samples x %d features", X->X.rows, X->X.cols,
                        X->n, X->features);
    if (!(o->alpha >= 0 && o->alpha <= 1))
        return lnt_fail(ctx, LNT_EINVAL, "alpha is %g: choose it from 0 (ridge) to 1 (lasso)", o->alpha);
    if (!(o->min_ratio >= 0 && o->min_ratio < 1) || o->count < 1)
        return lnt_fail(ctx, LNT_EINVAL,
                        "the path needs at least one penalty and a ratio from 0 to below 1, not %d, %g", o->count,
                        o->min_ratio);
    if (!(o->tolerance > 0) || o->max_epochs < 1)
        return lnt_fail(ctx, LNT_EINVAL, "tolerance > 0 and max_epochs >= 1, not %g and %ld", o->tolerance,
                        o->max_epochs);
    for (int k = 0; o->lambda && k < o->count; k++)
        if (!(o->lambda[k] >= 0 && isfinite(o->lambda[k])))
            return lnt_fail(ctx, LNT_EINVAL, "penalty %d is %g: it must be finite and not negative", k, o->lambda[k]);
    return X->start ? check_sparse(ctx, X) : LNT_OK;
}

/* ---- Preparation ---- */

static lnt_status share_weights(lnt_ctx *ctx, lnt_problem *p, const double *weight)
{
    double sum = 0, most = 0, least = INFINITY;
    for (int i = 0; i < p->n; i++) {
        double v = weight ? weight[i] : 1;
        if (!(v >= 0 && isfinite(v)))
            return lnt_fail(ctx, LNT_EDOMAIN, "weight %d is %g: it must be finite and not negative", i, v);
        most = fmax(most, v);
        least = fmin(least, v);
    }
    if (most == 0)
        return lnt_fail(ctx, LNT_EINVAL, "all weights are 0: no sample is left to fit");
    for (int i = 0; i < p->n; i++) /* over the largest first: their sum might overflow */
        sum += p->share[i] = weight ? weight[i] / most : 1;
    for (int i = 0; i < p->n; i++) {
        p->share[i] /= sum;
        p->root[i] = sqrt(p->share[i]);
    }
    p->even = most == least;
    return LNT_OK;
}

/* sum_i share_i (x_i - center)^2. */
WIDE static double weighted_square(const double *restrict share, const double *restrict x, double center, int n)
{
    double lane[LANES] = {0}, sum = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            double d = x[i + l] - center;
            lane[l] += share[i + l] * (d * d);
        }
    for (; i < n; i++)
        lane[0] += share[i] * ((x[i] - center) * (x[i] - center));
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

/* Mean and variance of a feature; the zeros of a sparse one have the share that is left. */
static void feature_moments(const lnt_problem *p, int j, double *mean, double *variance)
{
    const lnt_design *X = p->X;
    double m = 0, v = 0, rest = 1;
    if (!X->start) {
        *mean = lnt_vec_dot(p->n, p->share, lnt_at(X->X, 0, j));
        *variance = weighted_square(p->share, lnt_at(X->X, 0, j), *mean, p->n);
        return;
    }
    for (size_t k = X->start[j]; k < X->start[j + 1]; k++)
        m += p->share[X->row[k]] * X->value[k];
    for (size_t k = X->start[j]; k < X->start[j + 1]; k++) {
        double share = p->share[X->row[k]], d = X->value[k] - m;
        v += share * (d * d);
        rest -= share;
    }
    *mean = m;
    *variance = v + (X->start[j + 1] - X->start[j] < (size_t)p->n ? fmax(rest, 0) * m * m : 0);
}

lnt_status lnt_problem_make(lnt_ctx *ctx, lnt_problem *p, const lnt_design *X, const lnt_path_opts *o)
{
    size_t n = (size_t)X->n, D = (size_t)X->features;
    *p = (lnt_problem){.X = X, .n = X->n, .features = X->features, .centred = o->intercept};
    p->share = lnt_alloc(ctx, n, sizeof(double));
    p->root = lnt_alloc(ctx, n, sizeof(double));
    p->y = lnt_alloc(ctx, n, sizeof(double));
    p->mean = lnt_alloc(ctx, D, sizeof(double));
    p->center = lnt_alloc_zero(ctx, D, sizeof(double));
    p->inverse = lnt_alloc(ctx, D, sizeof(double));
    p->square = lnt_alloc(ctx, D, sizeof(double));
    if (!p->share || !p->root || !p->y || !p->mean || !p->center || !p->inverse || !p->square)
        return LNT_ENOMEM;
    lnt_status status = share_weights(ctx, p, o->weight);
    for (int j = 0; j < p->features && status == LNT_OK; j++) {
        double mean, variance;
        feature_moments(p, j, &mean, &variance);
        double second = variance + mean * mean;
        if (!isfinite(second))
            return lnt_fail(ctx, LNT_EDOMAIN, "feature %d has numbers that are not finite, or too large to square", j);
        bool constant = sqrt(variance) <= CONSTANT * fabs(mean);
        p->mean[j] = mean;
        p->center[j] = o->intercept ? mean : 0;
        p->inverse[j] = constant && (o->intercept || o->standardize) ? 0 : o->standardize ? 1 / sqrt(variance) : 1;
        p->square[j] = (o->intercept ? variance : second) * p->inverse[j] * p->inverse[j];
    }
    return status;
}

lnt_status lnt_problem_target(lnt_ctx *ctx, lnt_problem *p, const double *y)
{
    double mean = lnt_vec_dot(p->n, p->share, y);
    p->null = weighted_square(p->share, y, p->centred ? mean : 0, p->n) / 2;
    for (int i = 0; i < p->n; i++)
        if (!isfinite(y[i]))
            return lnt_fail(ctx, LNT_EDOMAIN, "target %d is %g", i, y[i]);
    if (!isfinite(p->null))
        return lnt_fail(ctx, LNT_EDOMAIN, "the targets are too large to square");
    p->y_mean = p->centred ? mean : 0;
    bool constant = p->centred && sqrt(2 * p->null) <= CONSTANT * fabs(mean);
    p->null = constant ? 0 : p->null;
    for (int i = 0; i < p->n; i++)
        p->y[i] = y[i] - p->y_mean;
    return LNT_OK;
}

/* ---- Products ---- */

double lnt_problem_dot(const lnt_problem *p, int j, const double *f, double sum)
{
    const lnt_design *X = p->X;
    double product = 0;
    if (!X->start)
        product = lnt_vec_dot(p->n, lnt_at(X->X, 0, j), f);
    else
        for (size_t k = X->start[j]; k < X->start[j + 1]; k++)
            product += X->value[k] * f[X->row[k]];
    return (product - p->center[j] * sum) * p->inverse[j];
}

double lnt_problem_sum(const double *f, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += f[i];
    return sum;
}

void lnt_problem_correlate(double *c, const lnt_problem *p, const double *f)
{
    double sum = lnt_problem_sum(f, p->n);
    if (!p->X->start) {
        lnt_gemv(c, 1, LNT_T, p->X->X, f, 0);
        for (int j = 0; j < p->features; j++)
            c[j] = (c[j] - p->center[j] * sum) * p->inverse[j];
    } else
        for (int j = 0; j < p->features; j++)
            c[j] = lnt_problem_dot(p, j, f, sum);
}

void lnt_problem_add(const lnt_problem *p, int j, double a, double *to)
{
    add_feature(p->X, j, a, to);
}

void lnt_problem_residual(double *r, double *f, double *squares, const lnt_problem *p, const double *u)
{
    memcpy(r, p->y, (size_t)p->n * sizeof *r);
    for (int j = 0; j < p->features; j++)
        if (u[j] != 0)
            add_feature(p->X, j, -u[j] * p->inverse[j], r);
    double mean = p->centred ? lnt_vec_dot(p->n, p->share, r) : 0;
    for (int i = 0; i < p->n; i++) {
        r[i] -= mean;
        f[i] = p->share[i] * r[i];
    }
    *squares = weighted_square(p->share, r, 0, p->n);
}

void lnt_problem_columns(lnt_mat Z, const lnt_problem *p, const int *feature, int first)
{
    const lnt_design *X = p->X;
    for (int k = 0; k < Z.cols; k++) {
        int j = feature ? feature[k] : k;
        double *z = lnt_at(Z, 0, k), center = p->center[j], inverse = p->inverse[j];
        const double *root = p->root + first;
        if (!X->start) {
            const double *x = lnt_at(X->X, first, j);
            for (int i = 0; i < Z.rows; i++)
                z[i] = x[i];
        } else {
            for (int i = 0; i < Z.rows; i++)
                z[i] = 0;
            for (size_t l = X->start[j]; l < X->start[j + 1]; l++)
                if (X->row[l] >= first && X->row[l] < first + Z.rows)
                    z[X->row[l] - first] = X->value[l];
        }
        for (int i = 0; i < Z.rows; i++)
            z[i] = root[i] * (z[i] - center) * inverse;
    }
}
