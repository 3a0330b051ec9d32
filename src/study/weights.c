#include "weights.h"

#include "linnet/store.h"

#include <math.h>
#include <string.h>

const char *const lnt_activation_names[] = {"linear", "tanh", "relu", "logistic", "softplus", NULL};

static lnt_status damaged(lnt_ctx *ctx, const char *path, const char *what)
{
    return lnt_fail(ctx, LNT_EFORMAT, "%s: not a saved network (%s)", path, what);
}

lnt_status lnt_array_matrix(lnt_ctx *ctx, lnt_mat *A, const lnt_array *array, int k)
{
    int rows = array->dims[array->rank - 2], cols = array->dims[array->rank - 1];
    lnt_status status = lnt_mat_alloc(ctx, A, rows, cols);
    if (status == LNT_OK) {
        double *at = (double *)(uintptr_t)array->values + (size_t)k * (size_t)rows * (size_t)cols;
        lnt_mat_transpose(*A, lnt_mat_view(at, cols, rows));
    }
    return status;
}

bool lnt_array_finite(const lnt_array *a)
{
    size_t size = 1;
    for (int d = 0; d < a->rank; d++)
        size *= (size_t)a->dims[d];
    for (size_t i = 0; i < size; i++)
        if (!isfinite(a->values[i]))
            return false;
    return size > 0;
}

/* The widths and the number of runs, from the shapes of all layers. */
static lnt_status read_shapes(lnt_ctx *ctx, lnt_saved_net *saved, const lnt_record *record, const char *path)
{
    int *width = lnt_alloc(ctx, LNT_MOST_WIDTHS + 1, sizeof *width), depth = 0;
    lnt_array a;
    if (!width)
        return LNT_ENOMEM;
    for (const char *name; depth < LNT_MOST_WIDTHS; depth++) {
        if (!(name = lnt_sprintf(ctx, "weights/%d", depth + 1)))
            return LNT_ENOMEM;
        if (!lnt_record_array(record, name, &a))
            break;
        int runs = a.rank == 3 ? a.dims[0] : 1;
        if (a.rank < 2 || runs < 1 || (depth > 0 && (runs != saved->runs || a.dims[a.rank - 1] != width[depth])))
            return damaged(ctx, path, "the weights do not fit each other");
        if (!lnt_array_finite(&a))
            return damaged(ctx, path, "the weights are empty or not finite");
        saved->runs = runs;
        width[depth] = a.dims[a.rank - 1];
        width[depth + 1] = a.dims[a.rank - 2];
    }
    saved->net = (lnt_net){.depth = depth, .width = width};
    return depth ? LNT_OK : damaged(ctx, path, "/weights/1 is missing");
}

static lnt_status read_activation(lnt_ctx *ctx, lnt_saved_net *saved, const lnt_record *record, const char *path)
{
    lnt_value value;
    if (!lnt_record_get_fact(record, "network", "activation", &value))
        return LNT_OK;
    for (int k = 0; lnt_activation_names[k]; k++)
        if (value.kind == LNT_STRING && strcmp(value.string, lnt_activation_names[k]) == 0) {
            saved->net.activation = (lnt_activation)k;
            saved->has_activation = true;
            return LNT_OK;
        }
    return damaged(ctx, path, "its activation is not known");
}

lnt_status lnt_saved_net_get(lnt_ctx *ctx, lnt_saved_net *saved, const lnt_record *record, const char *path)
{
    *saved = (lnt_saved_net){0};
    lnt_status status = read_shapes(ctx, saved, record, path);
    if (status == LNT_OK)
        status = read_activation(ctx, saved, record, path);
    if (status != LNT_OK)
        return status;
    if (!(saved->w = lnt_alloc(ctx, (size_t)saved->runs, sizeof *saved->w)))
        return LNT_ENOMEM;
    for (int k = 0; k < saved->runs; k++)
        if (!(saved->w[k] = lnt_alloc(ctx, lnt_net_size(&saved->net), sizeof **saved->w)))
            return LNT_ENOMEM;
    for (int l = 1; l <= saved->net.depth; l++) {
        lnt_array a;
        lnt_mark mark = lnt_ctx_mark(ctx);
        const char *name = lnt_sprintf(ctx, "weights/%d", l);
        if (!name || !lnt_record_array(record, name, &a))
            return LNT_ENOMEM;
        for (int k = 0; k < saved->runs; k++) {
            lnt_mat W;
            if ((status = lnt_array_matrix(ctx, &W, &a, k)) != LNT_OK)
                return status;
            lnt_mat_copy(lnt_net_weights(&saved->net, saved->w[k], l), W);
        }
        lnt_ctx_reset(ctx, mark);
    }
    return LNT_OK;
}

lnt_status lnt_saved_net_read(lnt_ctx *ctx, lnt_saved_net *saved, const char *path)
{
    lnt_record *record;
    lnt_status status = lnt_store_load(ctx, &record, path);
    if (status != LNT_OK)
        return status;
    lnt_array biases;
    status = lnt_record_array(record, "biases/1", &biases)
                 ? damaged(ctx, path, "it has biases, which are not read here")
                 : lnt_saved_net_get(ctx, saved, record, path);
    lnt_record_free(record);
    return status;
}
