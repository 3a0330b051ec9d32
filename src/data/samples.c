#include "linnet/data.h"

#include <math.h>
#include <string.h>

void lnt_samples_get(lnt_mat X, const lnt_samples *samples, const int *rows, int first, int count)
{
    size_t dim = (size_t)samples->dim;
    for (int j = 0; j < count; j++) {
        size_t row = (size_t)(rows ? rows[first + j] : first + j);
        double *restrict x = lnt_at(X, 0, j);
        const uint8_t *restrict bytes = samples->u8 ? samples->u8 + row * dim : NULL;
        if (samples->f64)
            memcpy(x, samples->f64 + row * dim, dim * sizeof *x);
        for (size_t i = 0; i < dim && bytes; i++)
            x[i] = bytes[i];
    }
}

lnt_samples lnt_samples_view(lnt_mat X)
{
    return (lnt_samples){.dim = X.rows, .n = X.cols, .f64 = X.a};
}

void lnt_targets_get(lnt_mat Y, const lnt_dataset *data, const int *rows, int first, int count)
{
    if (data->classes == 0) {
        lnt_samples_get(Y, &data->targets, rows, first, count);
        return;
    }
    lnt_mat_fill(lnt_columns(Y, 0, count), 0);
    for (int j = 0; j < count; j++)
        *lnt_at(Y, data->label[rows ? rows[first + j] : first + j], j) = 1;
}

int lnt_dataset_outputs(const lnt_dataset *data)
{
    return data->classes ? data->classes : data->targets.dim;
}

/* ---- Held-out rows ---- */

/* to <- the rows of `from` for which held[row] equals `which`. */
static lnt_status pick_samples(lnt_ctx *ctx, lnt_samples *to, const lnt_samples *from, const bool *held, bool which,
                               int count)
{
    size_t width = from->u8 ? 1 : sizeof(double), bytes = (size_t)from->dim * width, n = 0;
    *to = (lnt_samples){.dim = from->dim, .n = count};
    if (from->dim == 0)
        return LNT_OK;
    char *values = lnt_alloc(ctx, (size_t)count, bytes);
    if (!values)
        return LNT_ENOMEM;
    const char *source = from->u8 ? (const char *)from->u8 : (const char *)from->f64;
    for (size_t row = 0; row < (size_t)from->n; row++)
        if (held[row] == which)
            memcpy(values + n++ * bytes, source + row * bytes, bytes);
    if (from->u8)
        to->u8 = (const uint8_t *)values;
    else
        to->f64 = (const double *)(void *)values;
    return LNT_OK;
}

static lnt_status pick(lnt_ctx *ctx, lnt_dataset *to, const lnt_dataset *from, const bool *held, bool which, int count)
{
    int *label = from->classes ? lnt_alloc(ctx, (size_t)count, sizeof *label) : NULL, n = 0;
    if (from->classes && !label)
        return LNT_ENOMEM;
    for (int row = 0; row < from->inputs.n && label; row++)
        if (held[row] == which)
            label[n++] = from->label[row];
    *to = (lnt_dataset){.label = label, .classes = from->classes};
    lnt_status status = pick_samples(ctx, &to->inputs, &from->inputs, held, which, count);
    return status == LNT_OK ? pick_samples(ctx, &to->targets, &from->targets, held, which, count) : status;
}

lnt_status lnt_dataset_split(lnt_ctx *ctx, lnt_dataset *data, lnt_dataset *held, double share, lnt_rng *rng)
{
    int n = data->inputs.n, count = (int)fmax(1, round(share * n));
    if (!(share > 0 && share < 1) || count >= n)
        return lnt_fail(ctx, LNT_EINVAL,
                        "a share of %g of %d rows held out leaves no rows to train on, or holds out none", share, n);
    int *order = lnt_alloc(ctx, (size_t)n, sizeof *order);
    bool *is_held = lnt_alloc_zero(ctx, (size_t)n, sizeof *is_held);
    if (!order || !is_held)
        return LNT_ENOMEM;
    for (int i = 0; i < n; i++)
        order[i] = i;
    lnt_rng_shuffle(rng, order, n);
    for (int i = 0; i < count; i++)
        is_held[order[i]] = true;
    lnt_dataset all = *data;
    lnt_status status = pick(ctx, held, &all, is_held, true, count);
    return status == LNT_OK ? pick(ctx, data, &all, is_held, false, n - count) : status;
}

lnt_status lnt_dataset_classes(lnt_ctx *ctx, lnt_dataset *data, const int *wanted, int count)
{
    if (!data->classes)
        return lnt_fail(ctx, LNT_EINVAL, "the targets are not classes (--one-hot for a column of them)");
    int *to = lnt_alloc(ctx, (size_t)data->classes, sizeof *to), *label = NULL, kept = 0;
    bool *is_kept = lnt_alloc(ctx, (size_t)data->inputs.n, sizeof *is_kept);
    if (!to || !is_kept)
        return LNT_ENOMEM;
    for (int c = 0; c < data->classes; c++)
        to[c] = -1;
    for (int k = 0; k < count; k++) {
        int c = wanted[k], row = 0;
        while (row < data->inputs.n && data->label[row] != c)
            row++;
        if (c < 0 || row == data->inputs.n || to[c] >= 0)
            return lnt_fail(ctx, LNT_EDOMAIN, "class %d %s", c,
                            row == data->inputs.n ? "has no rows; classes count from 0" : "is named twice");
        to[c] = k;
    }
    for (int row = 0; row < data->inputs.n; row++)
        kept += is_kept[row] = to[data->label[row]] >= 0;
    lnt_dataset all = *data;
    lnt_status status = pick(ctx, data, &all, is_kept, true, kept);
    if (status != LNT_OK)
        return status;
    if (!(label = lnt_alloc(ctx, (size_t)kept, sizeof *label)))
        return LNT_ENOMEM;
    for (int row = 0; row < kept; row++)
        label[row] = to[data->label[row]];
    data->label = label;
    data->classes = count;
    return LNT_OK;
}

/* One-hot rows in place of classes. */
static lnt_status expand(lnt_ctx *ctx, lnt_dataset *data)
{
    lnt_mat Y;
    lnt_status status = lnt_mat_alloc(ctx, &Y, data->classes, data->inputs.n);
    if (status != LNT_OK)
        return status;
    lnt_targets_get(Y, data, NULL, 0, data->inputs.n);
    data->targets = lnt_samples_view(Y);
    data->classes = 0;
    data->label = NULL;
    return LNT_OK;
}

lnt_status lnt_dataset_match(lnt_ctx *ctx, lnt_dataset *other, const lnt_dataset *data, const char *name)
{
    if (other->inputs.dim != data->inputs.dim)
        return lnt_fail(ctx, LNT_ESHAPE, "%s has %d values a row, the training inputs have %d", name, other->inputs.dim,
                        data->inputs.dim);
    if (data->classes && other->classes > data->classes)
        return lnt_fail(ctx, LNT_EDOMAIN, "%s: class %d among the targets, the training rows only have classes 0 to %d",
                        name, other->classes - 1, data->classes - 1);
    if (data->classes && other->classes) {
        other->classes = data->classes;
        return LNT_OK;
    }
    if (lnt_dataset_outputs(other) != lnt_dataset_outputs(data))
        return lnt_fail(ctx, LNT_ESHAPE, "%s has targets of %d values, the training rows have %d%s", name,
                        lnt_dataset_outputs(other), lnt_dataset_outputs(data),
                        data->classes ? " classes (--one-hot for a column of classes)" : "");
    if (data->classes)
        return lnt_fail(ctx, LNT_EDOMAIN, "%s has targets that are not one-hot, the training rows have classes", name);
    return other->classes ? expand(ctx, other) : LNT_OK;
}
