#include "linnet/task.h"

#include <math.h>

static bool squares_fit(const lnt_samples *s)
{
    double largest = 0;
    for (size_t i = 0; s->f64 && i < (size_t)s->n * (size_t)s->dim; i++)
        largest = fmax(largest, fabs(s->f64[i]));
    return largest == 0 || (largest > 1e-150 && largest < 1e150);
}

static lnt_status check_range(lnt_ctx *ctx, const lnt_dataset *data)
{
    if (squares_fit(&data->inputs) && squares_fit(&data->targets))
        return LNT_OK;
    return lnt_fail(ctx, LNT_EDOMAIN,
                    "the largest input or target is beyond 1e150 or below 1e-150, so that its square cannot be held: "
                    "scale the data");
}

/* Maps the inputs where there is a map; a mean alone is subtracted whenever rows are fetched. */
static lnt_status prepare(lnt_ctx *ctx, lnt_task *task, int threads)
{
    task->inputs = task->prep.outputs;
    if (!task->prep.map.a) {
        task->offset = task->prep.mean;
        return LNT_OK;
    }
    lnt_mat Z;
    lnt_status status = lnt_mat_alloc(ctx, &Z, task->inputs, task->n);
    if (status == LNT_OK)
        status = lnt_prep_apply(ctx, Z, &task->prep, &task->data.inputs, threads);
    if (status == LNT_OK)
        task->data.inputs = lnt_samples_view(Z);
    return status;
}

lnt_status lnt_task_make(lnt_ctx *ctx, lnt_task *task, const lnt_dataset *data, lnt_prep_kind kind, int components,
                         int threads)
{
    lnt_status status = check_range(ctx, data);
    if (status != LNT_OK)
        return status;
    *task = (lnt_task){.n = data->inputs.n, .outputs = lnt_dataset_outputs(data), .data = *data};
    status = lnt_prep_fit(ctx, &task->prep, &data->inputs, kind, components, threads);
    if (status != LNT_OK)
        return status;
    return prepare(ctx, task, threads);
}

lnt_status lnt_task_like(lnt_ctx *ctx, lnt_task *task, const lnt_dataset *data, const lnt_task *like, int threads)
{
    lnt_status status = check_range(ctx, data);
    if (status != LNT_OK)
        return status;
    *task = (lnt_task){.n = data->inputs.n, .outputs = like->outputs, .data = *data, .prep = like->prep};
    return prepare(ctx, task, threads);
}

void lnt_task_get(lnt_mat X, lnt_mat Y, const lnt_task *task, const int *rows, int first, int count)
{
    lnt_samples_get(X, &task->data.inputs, rows, first, count);
    for (int j = 0; j < count && task->offset; j++)
        for (int i = 0; i < task->inputs; i++)
            *lnt_at(X, i, j) -= task->offset[i];
    lnt_targets_get(Y, &task->data, rows, first, count);
}

lnt_mat lnt_task_view(const lnt_task *task, int first, int count)
{
    const double *all = task->offset ? NULL : task->data.inputs.f64;
    if (!all)
        return (lnt_mat){0};
    /* Views carry no const; this one is only read. */
    return lnt_mat_view((double *)(uintptr_t)(all + (size_t)first * (size_t)task->inputs), task->inputs, count);
}
