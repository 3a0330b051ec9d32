#include "linnet/task.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <math.h>

/* Relative to the largest standard deviation; through the covariance nothing smaller can be told from rounding. */
#define RANK_TOLERANCE 1e-7

/* Eigenvectors are defined up to sign: make the entry of largest size positive, whatever LAPACK returned. */
static void fix_sign(lnt_mat row)
{
    double largest = 0;
    for (int j = 0; j < row.cols; j++)
        if (fabs(*lnt_at(row, 0, j)) > fabs(largest))
            largest = *lnt_at(row, 0, j);
    if (largest < 0)
        lnt_mat_scale(row, -1);
}

/* What varies, as far as the covariance C shows: all else has neither variance nor part in a component. */
typedef struct varying {
    int *input, count;
} varying;

/* C <- its rows and columns of the inputs that vary. */
static lnt_mat drop_constants(varying *v, lnt_mat C)
{
    v->count = 0;
    for (int i = 0; i < C.rows; i++)
        if (*lnt_at(C, i, i) != 0)
            v->input[v->count++] = i;
    for (int j = 0; j < v->count; j++)
        for (int i = 0; i < v->count; i++)
            *lnt_at(C, i, j) = *lnt_at(C, v->input[i], v->input[j]);
    return lnt_block(C, 0, 0, v->count, v->count);
}

/* map and sd from the eigenvalues w of the covariance and the eigenvectors V of the largest, both ascending. */
static lnt_status choose_components(lnt_ctx *ctx, lnt_prep *prep, const double *w, lnt_mat V, const varying *v,
                                    int components)
{
    int D = prep->inputs;
    double largest = w[D - 1], total = 0, kept = 0;
    prep->rank = 0;
    for (int k = 0; k < D; k++) {
        total += fmax(w[k], 0);
        prep->rank += w[k] > RANK_TOLERANCE * RANK_TOLERANCE * largest;
    }
    if (prep->rank == 0)
        return lnt_fail(ctx, LNT_EDOMAIN, "the inputs do not vary: none of their %d directions has variance", D);
    int wanted = components > 0 ? components : D;
    prep->outputs = wanted < prep->rank ? wanted : prep->rank;
    if (prep->outputs < wanted)
        lnt_log(ctx, "only %d of the %d directions have variance: kept %d components, dropped the other %d asked for",
                prep->rank, D, prep->outputs, wanted - prep->outputs);
    for (int k = 0; k < prep->outputs; k++) {
        lnt_mat row = lnt_block(prep->map, k, 0, 1, D);
        lnt_mat_fill(row, 0);
        for (int i = 0; i < v->count; i++)
            *lnt_at(row, 0, v->input[i]) = *lnt_at(V, i, V.cols - 1 - k);
        fix_sign(row);
        prep->sd[k] = sqrt(w[D - 1 - k]);
        kept += w[D - 1 - k];
        if (prep->kind == LNT_PREP_WHITEN)
            lnt_mat_scale(row, 1 / prep->sd[k]);
    }
    prep->map.rows = prep->outputs;
    prep->retained = fmin(kept / total, 1);
    return LNT_OK;
}

static lnt_status fit_components(lnt_ctx *ctx, lnt_prep *prep, const lnt_samples *samples, int components, int threads)
{
    int D = samples->dim;
    lnt_mat C, V;
    double *w = lnt_alloc_zero(ctx, (size_t)D, sizeof *w);
    varying v = {.input = lnt_alloc(ctx, (size_t)D, sizeof *v.input)};
    if (!w || !v.input)
        return LNT_ENOMEM;
    lnt_status status = lnt_mat_alloc(ctx, &C, D, D);
    if (status == LNT_OK)
        status = lnt_second_moment(ctx, C, samples, prep->mean, 0, samples->n, threads);
    if (status != LNT_OK)
        return status;
    C = drop_constants(&v, C);
    int most = components > 0 && components < v.count ? components : v.count;
    status = lnt_mat_alloc(ctx, &V, v.count, most);
    if (status == LNT_OK)
        status = lnt_eigh(ctx, w + (D - v.count), V, C);
    return status == LNT_OK ? choose_components(ctx, prep, w, V, &v, components) : status;
}

lnt_status lnt_prep_fit(lnt_ctx *ctx, lnt_prep *prep, const lnt_samples *samples, lnt_prep_kind kind, int components,
                        int threads)
{
    int D = samples->dim;
    *prep = (lnt_prep){.kind = kind, .inputs = D, .outputs = D, .rank = D, .retained = 1};
    if (samples->n < 1 || D < 1)
        return lnt_fail(ctx, LNT_ESHAPE, "no inputs: %d rows of %d values", samples->n, D);
    if (kind == LNT_PREP_NONE)
        return LNT_OK;
    prep->mean = lnt_alloc(ctx, (size_t)D, sizeof *prep->mean);
    if (!prep->mean)
        return LNT_ENOMEM;
    lnt_samples_mean(prep->mean, samples);
    if (kind == LNT_PREP_CENTRE)
        return LNT_OK;
    int most = components > 0 && components < D ? components : D;
    prep->sd = lnt_alloc(ctx, (size_t)most, sizeof *prep->sd);
    if (!prep->sd || lnt_mat_alloc(ctx, &prep->map, most, D) != LNT_OK)
        return LNT_ENOMEM;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = fit_components(ctx, prep, samples, components, threads);
    lnt_ctx_reset(ctx, mark);
    return status;
}

#define ROWS 128

typedef struct projection {
    lnt_mat Z;
    const lnt_prep *prep;
    const lnt_samples *samples;
    lnt_byte_map bytes; /* of bytes under a map */
} projection;

static void subtract(lnt_mat X, const double *restrict mean)
{
    for (int j = 0; j < X.cols; j++) {
        double *restrict x = lnt_at(X, 0, j);
        for (int i = 0; i < X.rows; i++)
            x[i] -= mean[i];
    }
}

static lnt_status project_block(lnt_ctx *ctx, int index, void *user)
{
    const projection *p = user;
    int first = index * ROWS, count = p->samples->n - first < ROWS ? p->samples->n - first : ROWS, D = p->samples->dim;
    lnt_mat X, Z = lnt_columns(p->Z, first, count);
    if (p->samples->u8 && p->prep->map.a)
        return lnt_byte_map_apply(ctx, Z, &p->bytes, p->samples->u8 + (size_t)first * (size_t)D);
    lnt_status status = lnt_mat_alloc(ctx, &X, D, count);
    if (status != LNT_OK)
        return status;
    lnt_samples_get(X, p->samples, NULL, first, count);
    if (p->prep->mean)
        subtract(X, p->prep->mean);
    if (p->prep->map.a)
        lnt_gemm(Z, 1, LNT_N, p->prep->map, LNT_N, X, 0);
    else
        lnt_mat_copy(Z, X);
    return LNT_OK;
}

lnt_status lnt_prep_apply(lnt_ctx *ctx, lnt_mat Z, const lnt_prep *prep, const lnt_samples *samples, int threads)
{
    projection p = {.Z = Z, .prep = prep, .samples = samples};
    if (samples->dim != prep->inputs)
        return lnt_fail(ctx, LNT_ESHAPE, "the inputs have %d values a row, the model was made for %d", samples->dim,
                        prep->inputs);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = LNT_OK;
    if (samples->u8 && prep->map.a)
        status = lnt_byte_map_make(ctx, &p.bytes, prep->map, prep->mean);
    if (status == LNT_OK)
        status = lnt_parallel(ctx, (samples->n + ROWS - 1) / ROWS, threads, project_block, &p);
    lnt_ctx_reset(ctx, mark);
    return status;
}
