#include "linnet/linalg.h"
#include "linnet/match_data.h"
#include "linnet/rng.h"

#include <math.h>

static double exponential(lnt_rng *rng)
{
    return -log1p(-lnt_rng_uniform(rng));
}

/* Gamma variates of scale 1 (Marsaglia and Tsang 2000); below shape 1 by the power of a uniform number. */
static double gamma_variate(lnt_rng *rng, double shape)
{
    if (shape < 1) {
        double u = 1 - lnt_rng_uniform(rng);
        return gamma_variate(rng, shape + 1) * pow(u, 1 / shape);
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = lnt_rng_normal(rng), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(1 - lnt_rng_uniform(rng)) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

void lnt_match_generator_defaults(lnt_match_generator *opts, bool sparse)
{
    *opts = (lnt_match_generator){.cells = 148,
                                  .cells_out = 167,
                                  .stimuli = 48,
                                  .factors = 14,
                                  .decay = 4,
                                  .own = sparse ? 0.3 : 0.25,
                                  .shape = sparse ? 0.05 : 0.5,
                                  .scale = sparse ? 20 : 1,
                                  .own_out = sparse ? 2 : 1,
                                  .gain = 0.4,
                                  .gain_sd = 0.9,
                                  .mixing = 0.0045,
                                  .offset = 0.4,
                                  .noise = sparse ? 0.5 : 0.35,
                                  .trials = LNT_MATCH_TRIALS};
}

static void fill_normal(lnt_mat A, lnt_rng *rng)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(A, i, j) = lnt_rng_normal(rng);
}

static lnt_status draw_cells(lnt_ctx *ctx, lnt_mat A, lnt_mat factors, double own, const lnt_match_generator *o,
                             lnt_rng *rng)
{
    lnt_mat loadings;
    lnt_status status = lnt_mat_alloc(ctx, &loadings, A.rows, o->factors);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < A.rows; i++) {
        for (int k = 0; k < o->factors; k++)
            *lnt_at(loadings, i, k) = gamma_variate(rng, 0.6);
        for (int j = 0; j < A.cols; j++)
            *lnt_at(A, i, j) = own * o->scale * gamma_variate(rng, o->shape);
        double offset = o->offset * exponential(rng);
        for (int j = 0; j < A.cols; j++)
            *lnt_at(A, i, j) += offset;
    }
    lnt_gemm(A, 1, LNT_N, loadings, LNT_N, factors, 1);
    return LNT_OK;
}

/* Y <- diag(gain) Yc + mixing * normal matrix * Yc, Yc without the mean over cells. */
static lnt_status transform(lnt_ctx *ctx, lnt_mat Y, const lnt_match_generator *o, lnt_rng *rng)
{
    lnt_mat mix, Yc;
    lnt_status status = lnt_mat_alloc(ctx, &mix, Y.rows, Y.rows);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Yc, Y.rows, Y.cols);
    if (status == LNT_OK)
        status = lnt_match_prepare_inputs(ctx, Y, LNT_MATCH_CENTRE, false);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(Yc, Y);
    for (int i = 0; i < Y.rows; i++) {
        double gain = o->gain + o->gain_sd * lnt_rng_normal(rng);
        for (int j = 0; j < Y.cols; j++)
            *lnt_at(Y, i, j) *= gain;
    }
    fill_normal(mix, rng);
    lnt_gemm(Y, o->mixing, LNT_N, mix, LNT_N, Yc, 1);
    return LNT_OK;
}

static double array_sd(lnt_mat A)
{
    double mean = 0, square = 0, n = (double)A.rows * A.cols;
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            mean += *lnt_at(A, i, j) / n;
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            square += pow(*lnt_at(A, i, j) - mean, 2) / n;
    return sqrt(square);
}

static lnt_status noisy(lnt_ctx *ctx, lnt_mat *trial, lnt_mat A, double noise, lnt_rng *rng)
{
    lnt_status status = lnt_mat_alloc(ctx, trial, A.rows, A.cols);
    if (status != LNT_OK)
        return status;
    fill_normal(*trial, rng);
    lnt_mat_scale(*trial, noise * array_sd(A));
    lnt_mat_add(*trial, 1, A);
    return LNT_OK;
}

static lnt_status draw(lnt_ctx *ctx, lnt_match_data *data, const lnt_match_generator *o, lnt_rng *rng)
{
    lnt_mat factors;
    lnt_status status = lnt_mat_alloc(ctx, &factors, o->factors, o->stimuli);
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < o->factors; k++)
        for (int j = 0; j < o->stimuli; j++)
            *lnt_at(factors, k, j) = exp(-k / o->decay) * exponential(rng);
    status = draw_cells(ctx, data->X0, factors, o->own, o, rng);
    if (status == LNT_OK)
        status = draw_cells(ctx, data->Y0, factors, o->own * o->own_out, o, rng);
    return status == LNT_OK ? transform(ctx, data->Y0, o, rng) : status;
}

lnt_status lnt_match_generate(lnt_ctx *ctx, lnt_match_data *data, const lnt_match_generator *opts, uint64_t seed)
{
    lnt_match_generator defaults;
    lnt_match_generator_defaults(&defaults, false);
    const lnt_match_generator *o = opts ? opts : &defaults;
    if (o->cells < 2 || o->cells_out < 2 || o->stimuli < 1 || o->factors < 1 || o->trials < 1 ||
        o->trials > LNT_MATCH_TRIALS || !(o->shape > 0) || !(o->decay > 0) || !(o->noise >= 0))
        return lnt_fail(
            ctx, LNT_EINVAL,
            "generated populations need 2 cells, 1 stimulus, 1 factor, 1 to %d trials, shape and decay above 0",
            LNT_MATCH_TRIALS);
    lnt_rng rng = lnt_rng_stream(seed, 0, LNT_FOR_TASK);
    *data = (lnt_match_data){.trials = o->trials};
    lnt_status status = lnt_mat_alloc(ctx, &data->X0, o->cells, o->stimuli);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &data->Y0, o->cells_out, o->stimuli);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = draw(ctx, data, o, &rng);
    lnt_ctx_reset(ctx, mark);
    for (int t = 0; t < o->trials && status == LNT_OK; t++) {
        status = noisy(ctx, &data->X[t], data->X0, o->noise, &rng);
        if (status == LNT_OK)
            status = noisy(ctx, &data->Y[t], data->Y0, o->noise, &rng);
        if (status == LNT_OK)
            status = lnt_match_prepare_inputs(ctx, data->X[t], LNT_MATCH_ZSCORE, false);
        if (status == LNT_OK)
            status = lnt_match_prepare_outputs(ctx, data->Y[t], NULL, LNT_MATCH_ZSCORE, false);
    }
    return status;
}
