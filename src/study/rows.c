/* The rows of a regression: read, prepared, turned into a feature per column. */
#include "regress.h"
#include "setup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 256      /* rows that are fetched at once */
#define SPARSE 0.1     /* at most this share of the inputs is not 0 */
#define CONSTANT 1e-13 /* standard deviations below this share of the largest entry are rounding errors */

/* ---- Inputs ---- */

typedef struct block {
    lnt_mat X, Y; /* features x BLOCK, targets x BLOCK */
    int first, count;
} block;

static lnt_status block_make(lnt_ctx *ctx, block *b, const lnt_task *task)
{
    lnt_status status = lnt_mat_alloc(ctx, &b->X, task->prep.outputs, BLOCK);
    b->first = b->count = 0;
    return status == LNT_OK ? lnt_mat_alloc(ctx, &b->Y, task->outputs, BLOCK) : status;
}

/* The next rows, with samples in columns; false at the end. */
static bool block_next(block *b, const lnt_task *task)
{
    b->first += b->count;
    b->count = task->n - b->first < BLOCK ? task->n - b->first : BLOCK;
    if (b->count > 0)
        lnt_task_get(lnt_columns(b->X, 0, b->count), lnt_columns(b->Y, 0, b->count), task, NULL, b->first, b->count);
    return b->count > 0;
}

static lnt_status fill_dense(lnt_ctx *ctx, lnt_design *X, const lnt_task *task, block *b)
{
    lnt_mat A;
    lnt_status status = lnt_mat_alloc(ctx, &A, task->n, task->prep.outputs);
    if (status != LNT_OK)
        return status;
    for (b->first = b->count = 0; block_next(b, task);)
        lnt_mat_transpose(lnt_block(A, b->first, 0, b->count, A.cols), lnt_columns(b->X, 0, b->count));
    *X = lnt_design_dense(A);
    return LNT_OK;
}

/* start: as counted, one feature further on. */
static lnt_status fill_sparse(lnt_ctx *ctx, lnt_design *X, const lnt_task *task, block *b, size_t *start)
{
    int D = task->prep.outputs;
    for (int j = 0; j < D; j++)
        start[j + 1] += start[j];
    int *row = lnt_alloc(ctx, start[D], sizeof *row);
    double *value = lnt_alloc(ctx, start[D], sizeof *value);
    size_t *end = lnt_alloc(ctx, (size_t)D, sizeof *end);
    if (!row || !value || !end)
        return LNT_ENOMEM;
    memcpy(end, start, (size_t)D * sizeof *end);
    for (b->first = b->count = 0; block_next(b, task);)
        for (int i = 0; i < b->count; i++)
            for (int j = 0; j < D; j++) {
                double x = *lnt_at(b->X, j, i);
                if (x == 0)
                    continue;
                row[end[j]] = b->first + i;
                value[end[j]++] = x;
            }
    *X = lnt_design_sparse(task->n, D, start, row, value);
    return LNT_OK;
}

static lnt_status make_design(lnt_ctx *ctx, lnt_ctx *scratch, lnt_design *X, double *density, const lnt_task *task,
                              bool may_be_sparse)
{
    int D = task->prep.outputs;
    block b;
    size_t *start = lnt_alloc_zero(ctx, (size_t)D + 1, sizeof *start), entries = 0;
    lnt_status status = start ? block_make(scratch, &b, task) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    while (block_next(&b, task))
        for (int i = 0; i < b.count; i++)
            for (int j = 0; j < D; j++)
                start[j + 1] += *lnt_at(b.X, j, i) != 0;
    for (int j = 0; j < D; j++)
        entries += start[j + 1];
    *density = (double)entries / ((double)D * task->n);
    return may_be_sparse && *density <= SPARSE ? fill_sparse(ctx, X, task, &b, start) : fill_dense(ctx, X, task, &b);
}

/* ---- Targets ---- */

static lnt_status make_targets(lnt_ctx *ctx, lnt_ctx *scratch, lnt_mat *Y, const lnt_dataset *data, int target)
{
    int columns = lnt_dataset_outputs(data), n = data->inputs.n;
    lnt_mat all;
    lnt_status status = lnt_mat_alloc(scratch, &all, columns, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, Y, n, target == LNT_AUTO ? columns : 1);
    if (status != LNT_OK)
        return status;
    lnt_targets_get(all, data, NULL, 0, n);
    lnt_mat_transpose(*Y, target == LNT_AUTO ? all : lnt_block(all, target, 0, 1, n));
    return LNT_OK;
}

static lnt_status check_target(lnt_ctx *ctx, int target, int columns)
{
    if (target < columns)
        return LNT_OK;
    return lnt_fail(ctx, LNT_EUSAGE, "--target %d: there %s %d target%s, counted from 0", target,
                    columns == 1 ? "is" : "are", columns, columns == 1 ? "" : "s");
}

/* ---- Weights ---- */

static lnt_status check_weights(lnt_ctx *ctx, const lnt_samples *w, const char *name, int rows)
{
    if ((long)w->n * w->dim != rows || (w->n > 1 && w->dim > 1))
        return lnt_fail(ctx, LNT_ESHAPE, "%s has %d rows of %d values; one weight for each of the %d rows is needed",
                        name, w->n, w->dim, rows);
    for (int i = 0; i < rows; i++)
        if ((w->f64 && w->f64[i] < 0))
            return lnt_fail(ctx, LNT_EDOMAIN, "%s: row %d: the weight %g is negative", name, i + 1, w->f64[i]);
    return LNT_OK;
}

static lnt_status copy_weights(lnt_ctx *ctx, double **to, double *mean, const lnt_samples *from)
{
    *to = lnt_alloc(ctx, (size_t)from->n, sizeof **to);
    *mean = 0;
    if (!*to)
        return LNT_ENOMEM;
    lnt_samples_get(lnt_mat_view(*to, 1, from->n), from, NULL, 0, from->n);
    for (int i = 0; i < from->n; i++)
        *mean += (*to)[i] / from->n;
    return LNT_OK;
}

/* One weight per row, held out as the rows themselves were: the same permutation. */
static lnt_status read_weights(lnt_ctx *ctx, lnt_ctx *scratch, lnt_rows *rows, const lnt_rows_opts *o)
{
    lnt_dataset used = {0}, held = {0};
    lnt_rng rng = lnt_rng_stream(o->seed, 0, LNT_FOR_SPLIT);
    bool split = o->task->split > 0;
    double mean, held_mean = 1;
    lnt_status status = lnt_samples_read(scratch, &used.inputs, NULL, o->row_weights);
    if (status == LNT_OK)
        status = check_weights(scratch, &used.inputs, o->row_weights, rows->n + (split ? rows->tests : 0));
    if (status != LNT_OK)
        return status;
    used.inputs.n *= used.inputs.dim;
    used.inputs.dim = 1;
    if (split)
        status = lnt_dataset_split(scratch, &used, &held, o->task->split, &rng);
    if (status == LNT_OK)
        status = copy_weights(ctx, &rows->weight, &mean, &used.inputs);
    if (status == LNT_OK && split)
        status = copy_weights(ctx, &rows->test_weight, &held_mean, &held.inputs);
    if (status != LNT_OK)
        return status;
    if (!(mean > 0) || !(held_mean > 0))
        return lnt_fail(scratch, LNT_EDOMAIN, "%s: all weights of the rows %s are 0", o->row_weights,
                        mean > 0 ? "held out" : "to fit");
    for (int i = 0; i < rows->n; i++)
        rows->weight[i] /= mean;
    for (int i = 0; i < rows->tests && split; i++)
        rows->test_weight[i] /= held_mean;
    return LNT_OK;
}

/* ---- What the rows are like ---- */

static double column_value(const lnt_design *X, int j, size_t at)
{
    return X->start ? X->value[X->start[j] + at] : *lnt_at(X->X, (int)at, j);
}

static size_t column_entries(const lnt_design *X, int j)
{
    return X->start ? X->start[j + 1] - X->start[j] : (size_t)X->n;
}

/* Weighted mean and deviation of a feature, in two passes. */
static void measure_feature(lnt_rows *r, int j, const lnt_rows_opts *o)
{
    const lnt_design *X = &r->X;
    size_t entries = column_entries(X, j);
    double sum = 0, squares = 0, weight = 0, most = 0;
    for (size_t k = 0; k < entries; k++) {
        double x = column_value(X, j, k), v = lnt_row_weight(r->weight, X->start ? X->row[X->start[j] + k] : (int)k);
        sum += v * x / r->n;
        most = fmax(most, v > 0 ? fabs(x) : 0);
    }
    for (size_t k = 0; k < entries; k++) {
        double v = lnt_row_weight(r->weight, X->start ? X->row[X->start[j] + k] : (int)k),
               d = column_value(X, j, k) - sum;
        squares += v * (d * d) / r->n;
        weight += v / r->n;
    }
    double zeros = entries < (size_t)r->n ? fmax(0, 1 - weight) : 0, sd = sqrt(squares + zeros * (sum * sum));
    bool constant = most == 0 || (sd <= CONSTANT * most && (o->intercept || o->standardize));
    r->centre[j] = o->intercept ? sum : 0;
    r->scale[j] = constant ? 0 : o->standardize ? sd : 1;
    r->constant += constant;
}

static uint64_t hash_feature(const lnt_design *X, int j)
{
    uint64_t h = 14695981039346656037u;
    for (size_t k = 0, entries = column_entries(X, j); k < entries; k++) {
        double x = column_value(X, j, k);
        uint64_t bits;
        if (x == 0)
            continue;
        memcpy(&bits, &x, sizeof bits);
        bits ^= (uint64_t)(X->start ? X->row[X->start[j] + k] : (int)k) * 0x9e3779b97f4a7c15u;
        h = (h ^ bits) * 1099511628211u;
        h ^= h >> 29;
    }
    return h;
}

typedef struct tagged {
    uint64_t hash;
    int feature;
} tagged;

static int by_hash(const void *a, const void *b)
{
    const tagged *x = a, *y = b;
    return x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash) : x->feature - y->feature;
}

/* Features with the same values, which only their penalty can tell apart. */
static lnt_status find_equal(lnt_ctx *scratch, lnt_rows *r)
{
    int D = r->features, found = 0;
    tagged *t = lnt_alloc(scratch, (size_t)D, sizeof *t);
    if (!t)
        return LNT_ENOMEM;
    for (int j = 0; j < D; j++)
        if (r->scale[j] > 0)
            t[found++] = (tagged){hash_feature(&r->X, j), j};
    qsort(t, (size_t)found, sizeof *t, by_hash);
    for (int k = 1; k < found; k++)
        if (t[k].hash == t[k - 1].hash && r->equal++ == 0) {
            r->first_equal[0] = t[k - 1].feature;
            r->first_equal[1] = t[k].feature;
        }
    return LNT_OK;
}

static lnt_status describe(lnt_ctx *ctx, lnt_ctx *scratch, lnt_rows *r, const lnt_rows_opts *o)
{
    r->centre = lnt_alloc(ctx, (size_t)r->features, sizeof *r->centre);
    r->scale = lnt_alloc(ctx, (size_t)r->features, sizeof *r->scale);
    r->mean = lnt_alloc(ctx, (size_t)r->targets, sizeof *r->mean);
    if (!r->centre || !r->scale || !r->mean)
        return LNT_ENOMEM;
    for (int j = 0; j < r->features; j++)
        measure_feature(r, j, o);
    for (int t = 0; t < r->targets; t++) {
        const double *y = lnt_at(r->Y, 0, t);
        double mean = 0, most = 0, first = NAN, spread = 0;
        for (int i = 0; i < r->n; i++) {
            double v = lnt_row_weight(r->weight, i);
            mean += v * y[i] / r->n;
            if (v == 0)
                continue;
            first = isnan(first) ? y[i] : first;
            most = fmax(most, fabs(y[i]));
            spread = fmax(spread, fabs(y[i] - first));
        }
        r->mean[t] = o->intercept ? mean : 0;
        r->constant_targets += o->intercept ? spread <= CONSTANT * most : most == 0;
    }
    return find_equal(scratch, r);
}

/* ---- All ---- */

static lnt_status make(lnt_ctx *ctx, lnt_ctx *scratch, lnt_record *record, lnt_rows *r, const lnt_rows_opts *o)
{
    lnt_setup setup;
    lnt_status status = lnt_setup_rows(scratch, &setup, o->task, o->seed, o->threads);
    if (status != LNT_OK)
        return status;
    *r = (lnt_rows){.n = setup.task.n, .features = setup.task.prep.outputs, .tests = setup.test.n};
    r->columns = lnt_dataset_outputs(&setup.task.data);
    r->targets = o->target == LNT_AUTO ? r->columns : 1;
    r->classes = setup.task.data.classes > 0;
    status = check_target(scratch, o->target, r->columns);
    if (status == LNT_OK)
        status = make_design(ctx, scratch, &r->X, &r->density, &setup.task, o->sparse);
    if (status == LNT_OK)
        status = make_targets(ctx, scratch, &r->Y, &setup.task.data, o->target);
    if (status == LNT_OK && r->tests) {
        double density;
        status = make_design(ctx, scratch, &r->test, &density, &setup.test, r->X.start);
        if (status == LNT_OK)
            status = make_targets(ctx, scratch, &r->test_Y, &setup.test.data, o->target);
    }
    if (status == LNT_OK && o->row_weights)
        status = read_weights(ctx, scratch, r, o);
    if (status == LNT_OK)
        status = describe(ctx, scratch, r, o);
    if (status == LNT_OK && r->constant_targets == r->targets)
        return lnt_fail(scratch, LNT_EDOMAIN, "%s: no feature can explain it",
                        r->targets > 1 ? "every target is constant" : "the target is constant");
    if (status == LNT_OK)
        lnt_setup_report(record, &setup, o->task);
    return status;
}

lnt_status lnt_rows_make(lnt_ctx *ctx, lnt_record *record, lnt_rows *rows, const lnt_rows_opts *opts)
{
    lnt_ctx *scratch = lnt_ctx_child(ctx); /* the rows as they were read, given back afterwards */
    if (!scratch)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for the rows");
    lnt_status status = make(ctx, scratch, record, rows, opts);
    if (status != LNT_OK && *lnt_ctx_message(scratch))
        lnt_fail(ctx, status, "%s", lnt_ctx_message(scratch));
    lnt_ctx_free(scratch);
    return status;
}

lnt_status lnt_rows_error(lnt_ctx *ctx, double *error, const lnt_design *X, lnt_mat Y, const double *weight, lnt_mat W,
                          const double *intercept)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *fit = lnt_alloc(ctx, (size_t)X->n, sizeof *fit), total = 0, sum = 0;
    for (int t = 0; t < W.cols && fit; t++) {
        const double *y = lnt_at(Y, 0, t);
        lnt_design_predict(fit, X, lnt_at(W, 0, t), intercept[t]);
        for (int i = 0; i < X->n; i++) {
            double v = lnt_row_weight(weight, i);
            total += t == 0 ? v : 0;
            sum += v * ((y[i] - fit[i]) * (y[i] - fit[i]));
        }
    }
    lnt_ctx_reset(ctx, mark);
    *error = sum / total;
    return fit ? LNT_OK : LNT_ENOMEM;
}
