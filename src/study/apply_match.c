/* Saved results of linnet match on new stimuli. */
#include "apply.h"

#include "linnet/linalg.h"
#include "linnet/match_data.h"
#include "weights.h"

#include <math.h>
#include <string.h>

/* Z = Z0 + W, and how stimuli were prepared. */
typedef struct wiring {
    lnt_mat W, Z0; /* Z0 without rows: I */
    lnt_match_prep prepare;
    bool per_cell;
    double sd; /* what outputs were divided by */
} wiring;

static lnt_status load_wiring(lnt_ctx *ctx, wiring *w, const lnt_record *record, const char *folder)
{
    static const char *const kinds[] = {"zscore", "centre", "none"};
    lnt_array weights, reference;
    lnt_value kind, per_cell = {0};
    if (!lnt_record_array(record, "weights", &weights))
        return lnt_fail(ctx, LNT_EINVAL, "%s: made from covariances alone, it has no weights to apply", folder);
    bool whole = weights.rank == 2 && weights.dims[0] == weights.dims[1] && lnt_array_finite(&weights) &&
                 lnt_record_get_fact(record, "preparation", "kind", &kind) && kind.kind == LNT_STRING;
    w->prepare = (lnt_match_prep)0;
    while (whole && w->prepare < LNT_MATCH_NONE && strcmp(kinds[w->prepare], kind.string) != 0)
        w->prepare++;
    w->sd = lnt_record_fact_number(record, "preparation", "output_sd");
    if (!whole || strcmp(kinds[w->prepare], kind.string) != 0 || !(w->sd > 0))
        return lnt_fail(ctx, LNT_EFORMAT, "%s: not a saved result of linnet match", folder);
    w->per_cell = lnt_record_get_fact(record, "preparation", "per_cell", &per_cell) && per_cell.integer;
    lnt_status status = lnt_array_matrix(ctx, &w->W, &weights, 0);
    if (status == LNT_OK && lnt_record_array(record, "reference", &reference)) {
        if (reference.rank != 2 || reference.dims[0] != w->W.rows || reference.dims[1] != w->W.rows)
            return lnt_fail(ctx, LNT_EFORMAT, "%s: its reference does not fit its weights", folder);
        status = lnt_array_matrix(ctx, &w->Z0, &reference, 0);
    }
    return status;
}

/* ZX (N x n) <- Z X. */
static void change(lnt_mat ZX, const wiring *w, lnt_mat X)
{
    if (w->Z0.a)
        lnt_gemm(ZX, 1, LNT_N, w->Z0, LNT_N, X, 0);
    else
        lnt_mat_copy(ZX, X);
    lnt_gemm(ZX, 1, LNT_N, w->W, LNT_N, X, 1);
}

/* The covariance of ZX against that of outputs for the same stimuli. */
static lnt_status put_score(lnt_ctx *ctx, lnt_record *record, const wiring *w, lnt_mat ZX, lnt_mat X, const char *path)
{
    lnt_mat Y, S, C, C0, Z0X = X;
    int n = X.cols;
    lnt_status status = lnt_matrix_read(ctx, &Y, path);
    if (status == LNT_OK && Y.cols != n)
        return lnt_fail(ctx, LNT_ESHAPE, "%s has %d stimuli, the inputs have %d", path, Y.cols, n);
    lnt_mat *mats[] = {&S, &C, &C0};
    for (int k = 0; k < 3 && status == LNT_OK; k++)
        status = lnt_mat_alloc(ctx, mats[k], n, n);
    if (status == LNT_OK && w->Z0.a && (status = lnt_mat_alloc(ctx, &Z0X, X.rows, n)) == LNT_OK)
        lnt_gemm(Z0X, 1, LNT_N, w->Z0, LNT_N, X, 0);
    if (status != LNT_OK)
        return status;
    lnt_mat_scale(Y, 1 / (w->sd * (w->per_cell ? sqrt(Y.rows) : 1)));
    status = lnt_match_target(ctx, S, Y, Y);
    if (status == LNT_OK)
        status = lnt_match_target(ctx, C, ZX, ZX);
    if (status == LNT_OK)
        status = lnt_match_target(ctx, C0, Z0X, Z0X);
    if (status != LNT_OK)
        return status;
    double r2 = lnt_match_r2(S, C, true), ratio = lnt_match_ratio(S, C, C0);
    lnt_table *table = lnt_record_table(record, "score");
    lnt_table_row(table);
    lnt_table_set(table, "r2", "", lnt_known(r2));
    lnt_table_set(table, "ratio", "", lnt_known(ratio));
    return LNT_OK;
}

lnt_status lnt_apply_match(lnt_ctx *ctx, lnt_record *record, const lnt_record *saved, const lnt_apply_opts *opts)
{
    wiring w = {0};
    lnt_mat X, ZX;
    if (!opts->inputs)
        return lnt_fail(ctx, LNT_EUSAGE, "which stimuli? linnet apply %s --inputs FILE --out FILE, cells in rows",
                        opts->folder);
    lnt_status status = load_wiring(ctx, &w, saved, opts->folder);
    if (status == LNT_OK)
        status = lnt_matrix_read(ctx, &X, opts->inputs);
    if (status == LNT_OK && X.rows != w.W.rows)
        return lnt_fail(ctx, LNT_ESHAPE, "%s has %d cells (rows), the wiring is of %d", opts->inputs, X.rows, w.W.rows);
    if (status == LNT_OK)
        status = lnt_match_prepare_inputs(ctx, X, w.prepare, w.per_cell);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &ZX, X.rows, X.cols);
    if (status != LNT_OK)
        return status;
    change(ZX, &w, X);
    lnt_record_fact(record, "applied", "cells", "", lnt_integer(X.rows));
    lnt_record_fact(record, "applied", "stimuli", "", lnt_integer(X.cols));
    lnt_record_matrix(record, "prediction", "", &ZX, 1);
    return opts->targets ? put_score(ctx, record, &w, ZX, X, opts->targets) : LNT_OK;
}
