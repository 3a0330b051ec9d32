/* What a fit says of rows, and how well. */
#include "fitting.h"
#include "linnet/diagnose.h"

#include <math.h>

#define NORMAL 1e5 /* degrees of freedom from which a t distribution is as good as normal */
#define TWO_PI 6.283185307179586
#define DRAWS 500 /* pairs of them, for probabilities of several classes: errors of about 1 % of a probability */

static lnt_status allocate(lnt_ctx *ctx, lnt_predicted *p, int outputs, int rows, bool classes)
{
    lnt_mat *all[] = {&p->mean, &p->sd, &p->low, &p->high, &p->p, &p->plug};
    lnt_status status = LNT_OK;
    *p = (lnt_predicted){0};
    for (int i = 0; i < 6 && status == LNT_OK; i++)
        if (i < 2 || (i < 4) != classes)
            status = lnt_mat_alloc(ctx, all[i], outputs, rows);
    return status;
}

/* T has `freedom` degrees of freedom: P(|T| <= t) = coverage. T^2/(T^2 + freedom) is of Beta(1/2, freedom/2). */
static double reach(double coverage, double freedom)
{
    if (!(freedom < NORMAL))
        return lnt_probit(0.5 + 0.5 * coverage);
    double y = lnt_beta_quantile(coverage, 0.5, 0.5 * freedom);
    return sqrt(freedom * y / (1 - y));
}

/* log density of variance^(1/2) T at e; log Gamma((nu + 1)/2)/Gamma(nu/2) by its series where Gamma is too large. */
static double log_student(double e, double variance, double freedom)
{
    double half = 0.5 * freedom;
    if (!(freedom < NORMAL))
        return -0.5 * (log(TWO_PI * variance) + e * e / variance);
    double ratio = freedom < 200 ? log(tgamma(half + 0.5) / tgamma(half))
                                 : 0.5 * log(half) - (1 - 1 / (24 * half * half)) / (8 * half);
    return ratio - 0.5 * log(0.5 * TWO_PI * freedom * variance) - (half + 0.5) * log1p(e * e / (freedom * variance));
}

static void put_band(lnt_predicted *p, const lnt_fitted *f, const double *noise_sd, size_t n)
{
    double t = reach(f->opts->coverage, f->freedom);
    for (size_t i = 0; i < n; i++) {
        double noise = noise_sd ? noise_sd[i] * noise_sd[i] : isnan(f->noise) ? 0 : f->noise;
        double far = t * sqrt(p->sd.a[i] * p->sd.a[i] + noise);
        p->low.a[i] = p->mean.a[i] - far;
        p->high.a[i] = p->mean.a[i] + far;
    }
}

/* Class probabilities of one row: over the posterior of its logits, which depend on each other. */
static lnt_status put_row(lnt_ctx *ctx, lnt_predicted *p, const lnt_fitted *f, const lnt_model *model, int row)
{
    int q = p->mean.rows;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_rng rng = lnt_rng_stream(0, (uint32_t)row, LNT_FOR_PROBE);
    lnt_mat X, S;
    bool rejected;
    lnt_status status = lnt_mat_alloc(ctx, &X, (int)model->k, q);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &S, q, q);
    size_t first = (size_t)row * (size_t)q;
    if (status == LNT_OK)
        status = lnt_model_rows(ctx, X.a, model->k, &rejected, model, f->w, first, first + (size_t)q);
    if (status == LNT_OK)
        status = lnt_posterior_project(ctx, S, &f->posterior, X);
    if (status == LNT_OK)
        status = lnt_softmax_mean(ctx, lnt_at(p->p, 0, row), NULL, lnt_at(p->mean, 0, row), S, DRAWS, &rng);
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status put_probabilities(lnt_ctx *ctx, lnt_predicted *p, const lnt_fitted *f, const lnt_model *model)
{
    bool categorical = f->likelihood.kind == LNT_CATEGORICAL;
    lnt_status status = LNT_OK;
    for (int i = 0; i < p->mean.cols && status == LNT_OK; i++) {
        if (categorical) {
            lnt_softmax(lnt_at(p->plug, 0, i), lnt_at(p->mean, 0, i), p->mean.rows);
            lnt_mat_copy(lnt_columns(p->p, i, 1), lnt_columns(p->plug, i, 1));
            status = f->has_posterior ? put_row(ctx, p, f, model, i) : LNT_OK;
            continue;
        }
        for (int o = 0; o < p->mean.rows; o++) {
            double mean = *lnt_at(p->mean, o, i), sd = *lnt_at(p->sd, o, i);
            *lnt_at(p->plug, o, i) = lnt_logistic_mean(mean, 0);
            *lnt_at(p->p, o, i) = lnt_logistic_mean(mean, f->has_posterior ? sd * sd : 0);
        }
    }
    return status;
}

lnt_status lnt_fitted_predict(lnt_ctx *ctx, lnt_predicted *p, const lnt_fitted *f, const lnt_model *model,
                              const double *noise_sd)
{
    bool classes = !lnt_fitted_gaussian(f), rejected;
    int q = f->data->layers.net.width[f->data->layers.net.depth];
    lnt_status status = allocate(ctx, p, q, (int)(model->n / (size_t)q), classes);
    if (status != LNT_OK)
        return status;
    if (f->has_posterior) {
        status = lnt_posterior_predict(ctx, p->mean.a, p->sd.a, &f->posterior, model);
        for (size_t i = 0; i < model->n && status == LNT_OK; i++)
            p->sd.a[i] = sqrt(p->sd.a[i]);
    } else {
        lnt_mat_fill(p->sd, NAN);
        status = lnt_model_outputs(ctx, p->mean.a, &rejected, model, f->w);
    }
    if (status != LNT_OK)
        return status;
    if (classes)
        return put_probabilities(ctx, p, f, model);
    put_band(p, f, noise_sd, model->n);
    return LNT_OK;
}

/* ---- Scores ---- */

static void rate_numbers(lnt_fitted_score *s, const lnt_fitted *f, const lnt_predicted *p, lnt_mat Y,
                         const double *noise_sd)
{
    double n = (double)Y.rows * Y.cols, square = 0, total = 0, inside = 0, density = 0;
    for (int o = 0; o < Y.rows; o++) {
        double mean = 0;
        for (int i = 0; i < Y.cols; i++)
            mean += *lnt_at(Y, o, i) / Y.cols;
        for (int i = 0; i < Y.cols; i++) {
            size_t at = (size_t)i * (size_t)Y.rows + (size_t)o;
            double y = *lnt_at(Y, o, i), e = y - p->mean.a[at],
                   noise = noise_sd ? noise_sd[at] * noise_sd[at] : f->noise;
            double variance = p->sd.a[at] * p->sd.a[at] + noise;
            square += e * e;
            total += (y - mean) * (y - mean);
            inside += p->low.a[at] <= y && y <= p->high.a[at];
            density += log_student(e, variance, f->freedom);
        }
    }
    bool banded = f->has_posterior && (noise_sd || isfinite(f->noise));
    s->rmse = sqrt(square / n);
    s->r2 = total > 0 ? 1 - square / total : NAN;
    s->log_density = density / n;
    s->coverage = banded ? inside / n : NAN;
}

static double log_share(double d, double p)
{
    return d > 0 ? d * log(fmax(p, 1e-300)) : 0;
}

static void rate_classes(lnt_fitted_score *s, const lnt_fitted *f, const lnt_predicted *p, lnt_mat Y)
{
    bool categorical = f->likelihood.kind == LNT_CATEGORICAL;
    double right = 0, score = 0, plug = 0, rows = Y.cols * (categorical ? 1 : (double)Y.rows);
    for (int i = 0; i < Y.cols; i++) {
        const double *y = lnt_at(Y, 0, i), *q = lnt_at(p->p, 0, i), *r = lnt_at(p->plug, 0, i);
        right += categorical && lnt_largest(y, Y.rows) == lnt_largest(r, Y.rows);
        for (int o = 0; o < Y.rows; o++) {
            right += !categorical && (y[o] > 0.5) == (r[o] > 0.5);
            score += log_share(y[o], q[o]) + (categorical ? 0 : log_share(1 - y[o], 1 - q[o]));
            plug += log_share(y[o], r[o]) + (categorical ? 0 : log_share(1 - y[o], 1 - r[o]));
        }
    }
    s->accuracy = right / rows;
    s->log_score = score / rows;
    s->log_score_plug = plug / rows;
}

lnt_fitted_score lnt_fitted_rate(const lnt_fitted *f, const lnt_predicted *p, lnt_mat Y, const double *noise_sd)
{
    lnt_fitted_score s = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (lnt_fitted_gaussian(f))
        rate_numbers(&s, f, p, Y, noise_sd);
    else
        rate_classes(&s, f, p, Y);
    return s;
}
