#include "linnet/linalg.h"
#include "linnet/store.h"
#include "linnet/study.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

void lnt_apply_defaults(lnt_apply_opts *opts)
{
    *opts = (lnt_apply_opts){.run = "mean"};
}

/* A saved network: its maps, one per run, and its preparation. */
typedef struct model {
    lnt_prep prep;
    lnt_mat *P; /* outputs x components */
    int runs, outputs, classes;
    int first; /* number of the first of the runs */
} model;

static lnt_status damaged(lnt_ctx *ctx, const char *path, const char *what)
{
    return lnt_fail(ctx, LNT_EFORMAT, "%s: not a saved network of linnet train (%s)", path, what);
}

/* Run k's matrix of an array (rows, cols) or (runs, rows, cols). */
static lnt_status get_matrix(lnt_ctx *ctx, lnt_mat *A, const lnt_array *array, int k)
{
    int rows = array->dims[array->rank - 2], cols = array->dims[array->rank - 1];
    lnt_status status = lnt_mat_alloc(ctx, A, rows, cols);
    if (status == LNT_OK) {
        double *at = (double *)(uintptr_t)array->values + (size_t)k * (size_t)rows * (size_t)cols;
        lnt_mat_transpose(*A, lnt_mat_view(at, cols, rows));
    }
    return status;
}

/* What the kind of preparation says that there must be. */
static bool preparation_is_whole(const lnt_record *record, bool has_mean, bool has_map)
{
    lnt_value kind;
    if (!lnt_record_get_fact(record, "preparation", "kind", &kind) || kind.kind != LNT_STRING)
        return false;
    bool needs_map = strcmp(kind.string, "pca") == 0 || strcmp(kind.string, "whiten") == 0,
         needs_mean = needs_map || strcmp(kind.string, "centre") == 0;
    return has_map == needs_map && has_mean == needs_mean && (needs_mean || strcmp(kind.string, "none") == 0);
}

static bool is_finite(const lnt_array *a)
{
    size_t size = 1;
    for (int d = 0; d < a->rank; d++)
        size *= (size_t)a->dims[d];
    for (size_t i = 0; i < size; i++)
        if (!isfinite(a->values[i]))
            return false;
    return size > 0;
}

static lnt_status load_preparation(lnt_ctx *ctx, model *m, const lnt_record *record, int components, const char *path)
{
    lnt_array mean, map;
    bool has_mean = lnt_record_array(record, "preparation/mean", &mean),
         has_map = lnt_record_array(record, "preparation/map", &map);
    m->prep = (lnt_prep){.inputs = components, .outputs = components};
    if (!preparation_is_whole(record, has_mean, has_map))
        return damaged(ctx, path, "its preparation is incomplete");
    if ((has_mean && !is_finite(&mean)) || (has_map && !is_finite(&map)))
        return damaged(ctx, path, "its preparation is not finite");
    if (has_map) {
        if (map.rank != 2 || map.dims[0] != components)
            return damaged(ctx, path, "/preparation/map does not fit the weights");
        m->prep.inputs = map.dims[1];
        lnt_status status = get_matrix(ctx, &m->prep.map, &map, 0);
        if (status != LNT_OK)
            return status;
    }
    if (has_mean) {
        if (mean.rank != 1 || mean.dims[0] != m->prep.inputs)
            return damaged(ctx, path, "/preparation/mean does not fit the map");
        m->prep.mean = lnt_alloc(ctx, (size_t)mean.dims[0], sizeof *m->prep.mean);
        if (!m->prep.mean)
            return LNT_ENOMEM;
        memcpy(m->prep.mean, mean.values, (size_t)mean.dims[0] * sizeof *m->prep.mean);
    }
    return LNT_OK;
}

/* P_k <- W_L ... W_1 of every run. */
static lnt_status load_maps(lnt_ctx *ctx, model *m, const lnt_record *record, const char *path)
{
    lnt_array a;
    for (int l = 1;; l++) {
        const char *name = lnt_sprintf(ctx, "weights/%d", l);
        if (!name)
            return LNT_ENOMEM;
        if (!lnt_record_array(record, name, &a))
            return l > 1 ? LNT_OK : damaged(ctx, path, "/weights/1 is missing");
        int runs = a.rank == 3 ? a.dims[0] : 1, cols = a.rank >= 2 ? a.dims[a.rank - 1] : 0;
        if (a.rank < 2 || runs < 1 || (l > 1 && (runs != m->runs || cols != m->P[0].rows)))
            return damaged(ctx, path, "the weights do not fit each other");
        if (!is_finite(&a))
            return damaged(ctx, path, "the weights are empty or not finite");
        if (l == 1) {
            m->runs = runs;
            m->P = lnt_alloc(ctx, (size_t)runs, sizeof *m->P);
        }
        for (int k = 0; k < runs && m->P; k++) {
            lnt_mat W, product;
            lnt_status status = get_matrix(ctx, &W, &a, k);
            if (status == LNT_OK && l > 1) {
                if ((status = lnt_mat_alloc(ctx, &product, W.rows, m->P[k].cols)) == LNT_OK)
                    lnt_gemm(product, 1, LNT_N, W, LNT_N, m->P[k], 0);
                W = product;
            }
            if (status != LNT_OK)
                return status;
            m->P[k] = W;
        }
        if (!m->P)
            return LNT_ENOMEM;
        m->outputs = m->P[0].rows;
    }
}

static lnt_status load_model(lnt_ctx *ctx, model *m, const char *folder)
{
    lnt_record *record;
    lnt_value classes = {0};
    const char *path = lnt_sprintf(ctx, "%s/result.h5", folder);
    if (!path)
        return LNT_ENOMEM;
    if (access(path, F_OK) != 0)
        return lnt_fail(ctx, LNT_EMISSING, "%s is not the folder of a saved linnet train (there is no result.h5 in it)",
                        folder);
    lnt_status status = lnt_store_load(ctx, &record, path);
    if (status != LNT_OK)
        return status;
    status = load_maps(ctx, m, record, path);
    if (status == LNT_OK)
        status = load_preparation(ctx, m, record, m->P[0].cols, path); // NOLINT: there is a first map by now
    if (lnt_record_get_fact(record, "preparation", "classes", &classes) && classes.integer == m->outputs)
        m->classes = m->outputs;
    lnt_record_free(record);
    return status;
}

/* Keeps the maps that are asked for: all, one, or in place of all their mean. */
static lnt_status choose_runs(lnt_ctx *ctx, model *m, const char *which)
{
    double number;
    if (strcmp(which, "each") == 0 || m->runs == 0)
        return LNT_OK;
    if (strcmp(which, "mean") == 0) {
        for (int k = 1; k < m->runs; k++)
            lnt_mat_add(m->P[0], 1, m->P[k]);
        lnt_mat_scale(m->P[0], 1.0 / m->runs);
    } else {
        if (!lnt_number_read(which, strlen(which), &number) || number != floor(number) || number < 0 ||
            number >= m->runs)
            return lnt_fail(ctx, LNT_EUSAGE, "--run %s: use mean, each, or a number from 0 to %d", which, m->runs - 1);
        m->first = (int)number;
        m->P[0] = m->P[m->first];
    }
    m->runs = 1;
    return LNT_OK;
}

static lnt_status predict(lnt_ctx *ctx, lnt_mat *F, const model *m, lnt_mat Z)
{
    for (int k = 0; k < m->runs; k++) {
        lnt_status status = lnt_mat_alloc(ctx, &F[k], m->outputs, Z.cols);
        if (status != LNT_OK)
            return status;
        lnt_gemm(F[k], 1, LNT_N, m->P[k], LNT_N, Z, 0);
    }
    return LNT_OK;
}

static void put_classes(lnt_record *record, lnt_mat F, lnt_ctx *ctx)
{
    long *count = lnt_alloc_zero(ctx, (size_t)F.rows, sizeof *count);
    lnt_table *table = lnt_record_table(record, "classes");
    for (int j = 0; j < F.cols && count; j++)
        count[lnt_largest(lnt_at(F, 0, j), F.rows)]++;
    for (int i = 0; i < F.rows && count; i++) {
        lnt_table_row(table);
        lnt_table_set(table, "class", "", lnt_integer(i));
        lnt_table_set(table, "rows", "", lnt_integer(count[i]));
    }
}

static lnt_status put_score(lnt_ctx *ctx, lnt_record *record, const model *m, const lnt_dataset *data, lnt_mat Z,
                            bool averaged)
{
    int outputs = lnt_dataset_outputs(data);
    bool fewer_classes = data->classes > 0 && m->classes >= data->classes;
    if (outputs != m->outputs && !fewer_classes)
        return lnt_fail(ctx, LNT_ESHAPE,
                        "the targets have %d columns, the network has %d outputs (--one-hot for classes?)", outputs,
                        m->outputs);
    lnt_task task = {.n = Z.cols, .inputs = Z.rows, .outputs = m->outputs, .data = *data};
    task.data.inputs = lnt_samples_view(Z);
    if (data->classes)
        task.data.classes = m->outputs;
    lnt_table *table = lnt_record_table(record, "score");
    for (int k = 0; k < m->runs; k++) {
        lnt_score score;
        lnt_status status = lnt_map_score(ctx, &score, m->P[k], &task, 0, Z.cols, 1);
        if (status != LNT_OK)
            return status;
        lnt_table_row(table);
        lnt_table_set(table, "run", "", averaged ? lnt_string("mean") : lnt_integer(m->first + k));
        lnt_table_set(table, "half_loss", "", lnt_number(score.loss));
        if (data->classes)
            lnt_table_set(table, "accuracy", "", lnt_number(score.accuracy));
    }
    return LNT_OK;
}

static void put_predictions(lnt_ctx *ctx, lnt_record *record, const lnt_mat *F, int runs)
{
    if (runs == 1) {
        lnt_record_samples(record, "prediction", "", F[0]);
        return;
    }
    /* (runs, rows, outputs): the transposes, as matrices */
    lnt_mat *T = lnt_alloc(ctx, (size_t)runs, sizeof *T);
    for (int k = 0; k < runs && T; k++)
        if (lnt_mat_alloc(ctx, &T[k], F[k].cols, F[k].rows) == LNT_OK)
            lnt_mat_transpose(T[k], F[k]);
        else
            return;
    if (T)
        lnt_record_matrix(record, "prediction", "", T, runs);
}

static lnt_status apply(lnt_ctx *ctx, lnt_record *record, const lnt_apply_opts *opts)
{
    model m = {0};
    lnt_dataset data;
    lnt_mat Z;
    lnt_source source = {opts->data, opts->inputs, opts->targets, opts->one_hot};
    if (!opts->folder)
        return lnt_fail(ctx, LNT_EUSAGE, "which result? linnet apply DIR --inputs FILE --out FILE");
    if (!opts->data && !opts->inputs)
        return lnt_fail(ctx, LNT_EUSAGE, "which rows? linnet apply %s --inputs FILE --out FILE", opts->folder);
    lnt_status status = load_model(ctx, &m, opts->folder);
    int runs = status == LNT_OK ? m.runs : 0; /* that were saved */
    bool averaged = runs > 1 && strcmp(opts->run, "mean") == 0;
    if (status == LNT_OK)
        status = choose_runs(ctx, &m, opts->run);
    if (status == LNT_OK)
        status = lnt_source_read(ctx, &data, &source, false);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, m.prep.outputs, data.inputs.n);
    if (status == LNT_OK)
        status = lnt_prep_apply(ctx, Z, &m.prep, &data.inputs, opts->threads);
    lnt_mat *F = status == LNT_OK ? lnt_alloc(ctx, (size_t)m.runs, sizeof *F) : NULL;
    if (status == LNT_OK)
        status = F ? predict(ctx, F, &m, Z) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_record_fact(record, "applied", "rows", "", lnt_integer(Z.cols));
    lnt_record_fact(record, "applied", "outputs", "", lnt_integer(m.outputs));
    lnt_record_fact(record, "applied", "runs", "", lnt_integer(runs));
    put_predictions(ctx, record, F, m.runs);
    if (m.classes)
        put_classes(record, F[0], ctx);
    if (lnt_dataset_outputs(&data))
        status = put_score(ctx, record, &m, &data, Z, averaged);
    return status;
}

lnt_status lnt_apply_study(lnt_ctx *ctx, lnt_record *record, const lnt_apply_opts *opts)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = apply(ctx, record, opts);
    if (status == LNT_OK)
        status = lnt_record_status(ctx, record);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
