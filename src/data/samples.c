#include "linnet/data.h"

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
