#include "complete.h"

#include "linnet/data.h"

#include <math.h>

#define MOST_ENTRIES 1000000

static lnt_status allocate(lnt_ctx *ctx, lnt_completion *c, double rows, double columns)
{
    if (rows * columns > MOST_ENTRIES)
        return lnt_fail(ctx, LNT_EUSAGE, "a matrix of %.0f x %.0f: at most %d entries", rows, columns, MOST_ENTRIES);
    lnt_mat *all[] = {&c->train.T, &c->train.mask, &c->test.T, &c->test.mask};
    lnt_status status = LNT_OK;
    c->rows = (int)rows;
    c->columns = (int)columns;
    for (int i = 0; i < 4 && status == LNT_OK; i++)
        status = lnt_mat_alloc_zero(ctx, all[i], c->rows, c->columns);
    return status;
}

/* ---- Where the entries come from ---- */

/* An index of a row of the file, as `what` calls it. */
static lnt_status check_index(lnt_ctx *ctx, double x, int entry, const char *what, int limit, const char *path)
{
    if (!(x >= 0) || x != floor(x))
        return lnt_fail(ctx, LNT_EDOMAIN, "%s: entry %d: %s %.15g is not a whole number from 0 on", path, entry + 1,
                        what, x);
    if (limit > 0 && x >= limit)
        return lnt_fail(ctx, LNT_EDOMAIN, "%s: entry %d: %s %.15g, but --%ss %d allows up to %d", path, entry + 1, what,
                        x, what, limit, limit - 1);
    return LNT_OK;
}

static lnt_status read_triplets(lnt_ctx *ctx, lnt_completion *c, const lnt_complete_opts *o)
{
    lnt_mat A;
    double rows = o->rows, columns = o->columns;
    lnt_status status = lnt_matrix_read(ctx, &A, o->observed);
    if (status == LNT_OK && A.cols != 3)
        return lnt_fail(ctx, LNT_ESHAPE, "%s has %d columns, not the three row, column, value", o->observed, A.cols);
    for (int k = 0; status == LNT_OK && k < A.rows; k++) {
        status = check_index(ctx, *lnt_at(A, k, 0), k, "row", o->rows, o->observed);
        if (status == LNT_OK)
            status = check_index(ctx, *lnt_at(A, k, 1), k, "column", o->columns, o->observed);
        rows = fmax(rows, *lnt_at(A, k, 0) + 1);
        columns = fmax(columns, *lnt_at(A, k, 1) + 1);
    }
    if (status == LNT_OK)
        status = allocate(ctx, c, rows, columns);
    for (int k = 0; status == LNT_OK && k < A.rows; k++) {
        int i = (int)*lnt_at(A, k, 0), j = (int)*lnt_at(A, k, 1);
        if (*lnt_at(c->train.mask, i, j) != 0)
            return lnt_fail(ctx, LNT_EDOMAIN, "%s: entry %d: (%d, %d) is given twice", o->observed, k + 1, i, j);
        *lnt_at(c->train.T, i, j) = *lnt_at(A, k, 2);
        *lnt_at(c->train.mask, i, j) = 1;
    }
    return status;
}

/* Entries of `truth` that are not trained on become test entries. */
static void set_truth(lnt_completion *c, lnt_mat truth)
{
    for (int j = 0; j < c->columns; j++)
        for (int i = 0; i < c->rows; i++)
            if (*lnt_at(c->train.mask, i, j) == 0) {
                *lnt_at(c->test.T, i, j) = *lnt_at(truth, i, j);
                *lnt_at(c->test.mask, i, j) = 1;
            }
}

static lnt_status read_masked(lnt_ctx *ctx, lnt_completion *c, const lnt_complete_opts *o, lnt_mat *truth)
{
    lnt_mat mask;
    lnt_status status = lnt_matrix_read(ctx, truth, o->matrix);
    if (status == LNT_OK)
        status = lnt_matrix_read(ctx, &mask, o->mask);
    if (status != LNT_OK)
        return status;
    if (mask.rows != truth->rows || mask.cols != truth->cols)
        return lnt_fail(ctx, LNT_ESHAPE, "%s is %d x %d, the mask %s %d x %d", o->matrix, truth->rows, truth->cols,
                        o->mask, mask.rows, mask.cols);
    if ((status = allocate(ctx, c, mask.rows, mask.cols)) != LNT_OK)
        return status;
    for (int j = 0; j < mask.cols; j++)
        for (int i = 0; i < mask.rows; i++)
            if (*lnt_at(mask, i, j) != 0) {
                *lnt_at(c->train.T, i, j) = *lnt_at(*truth, i, j);
                *lnt_at(c->train.mask, i, j) = 1;
            }
    return LNT_OK;
}

static int rounded_share(double share, int count)
{
    int n = (int)floor(share * count + 0.5);
    return n > 0 ? n : 1;
}

static void fill_normal(lnt_mat A, lnt_rng *rng)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(A, i, j) = lnt_rng_normal(rng);
}

static lnt_status make_demo(lnt_ctx *ctx, lnt_completion *c, const lnt_complete_opts *o, lnt_mat *truth)
{
    lnt_rng rng = lnt_rng_stream(o->seed, 0, LNT_FOR_TASK);
    lnt_mat A, B, noise;
    lnt_status status = allocate(ctx, c, o->rows > 0 ? o->rows : 40, o->columns > 0 ? o->columns : 30);
    int n = c->rows * c->columns, least = c->rows < c->columns ? c->rows : c->columns;
    if (status == LNT_OK && o->rank > least)
        return lnt_fail(ctx, LNT_EUSAGE, "--rank %d: a matrix of %d x %d has at most rank %d", o->rank, c->rows,
                        c->columns, least);
    int *order = lnt_alloc(ctx, (size_t)n, sizeof *order);
    if (!order || status != LNT_OK || lnt_mat_alloc(ctx, &A, c->rows, o->rank) != LNT_OK ||
        lnt_mat_alloc(ctx, &B, c->columns, o->rank) != LNT_OK ||
        lnt_mat_alloc(ctx, &noise, c->rows, c->columns) != LNT_OK ||
        lnt_mat_alloc_zero(ctx, truth, c->rows, c->columns) != LNT_OK)
        return status != LNT_OK ? status : LNT_ENOMEM;
    fill_normal(A, &rng);
    fill_normal(B, &rng);
    fill_normal(noise, &rng);
    for (int k = 0; k < o->rank; k++) /* by hand: the same numbers whatever the BLAS */
        for (int j = 0; j < c->columns; j++)
            lnt_mat_add(lnt_columns(*truth, j, 1), *lnt_at(B, j, k) / sqrt(o->rank), lnt_columns(A, k, 1));
    for (int e = 0; e < n; e++)
        order[e] = e;
    lnt_rng_shuffle(&rng, order, n);
    for (int e = 0; e < rounded_share(o->share, n); e++) {
        int i = order[e] % c->rows, j = order[e] / c->rows;
        *lnt_at(c->train.T, i, j) = *lnt_at(*truth, i, j) + o->noise * *lnt_at(noise, i, j);
        *lnt_at(c->train.mask, i, j) = 1;
    }
    return LNT_OK;
}

/* ---- Held out ---- */

static int count(lnt_mat mask)
{
    return (int)lround(lnt_mat_dot(mask, mask));
}

static lnt_status hold_out(lnt_ctx *ctx, lnt_completion *c, const lnt_complete_opts *o)
{
    lnt_rng rng = lnt_rng_stream(o->seed, 0, LNT_FOR_SPLIT);
    int observed = count(c->train.mask), held = rounded_share(o->split, observed), n = 0;
    int *order = lnt_alloc(ctx, (size_t)observed, sizeof *order);
    if (!order)
        return LNT_ENOMEM;
    if (held >= observed)
        return lnt_fail(ctx, LNT_EUSAGE, "--split %g would hold out all of the %d observed entries", o->split,
                        observed);
    for (int j = 0; j < c->columns; j++)
        for (int i = 0; i < c->rows; i++)
            if (*lnt_at(c->train.mask, i, j) != 0)
                order[n++] = i + j * c->rows;
    lnt_rng_shuffle(&rng, order, observed);
    for (int e = 0; e < held; e++) {
        int i = order[e] % c->rows, j = order[e] / c->rows;
        *lnt_at(c->test.T, i, j) = *lnt_at(c->train.T, i, j);
        *lnt_at(c->test.mask, i, j) = 1;
        *lnt_at(c->train.T, i, j) = *lnt_at(c->train.mask, i, j) = 0;
    }
    return LNT_OK;
}

static void count_empty(lnt_completion *c)
{
    for (int i = 0; i < c->rows; i++)
        c->empty_rows += lnt_mat_max(lnt_block(c->train.mask, i, 0, 1, c->columns)) == 0;
    for (int j = 0; j < c->columns; j++)
        c->empty_columns += lnt_mat_max(lnt_columns(c->train.mask, j, 1)) == 0;
}

/* ---- */

static lnt_status check_options(lnt_ctx *ctx, const lnt_complete_opts *o)
{
    if ((o->observed != NULL) + (o->matrix != NULL) + o->demo != 1)
        return lnt_fail(ctx, LNT_EUSAGE, "which matrix? One of --observed FILE, --matrix FILE --mask FILE, and --demo");
    if ((o->matrix == NULL) != (o->mask == NULL))
        return lnt_fail(ctx, LNT_EUSAGE, "--matrix and --mask need each other");
    if (o->truth && !o->observed)
        return lnt_fail(ctx, LNT_EUSAGE, "--truth goes with --observed; %s its own",
                        o->demo ? "--demo has" : "--matrix is");
    if (o->matrix && (o->rows > 0 || o->columns > 0))
        return lnt_fail(ctx, LNT_EUSAGE, "--rows and --columns go with --observed and --demo; --matrix has its own");
    if (o->demo && o->share == 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--share 0: nothing would be observed");
    return LNT_OK;
}

lnt_status lnt_completion_make(lnt_ctx *ctx, lnt_completion *c, const lnt_complete_opts *o)
{
    lnt_mat truth = {0};
    lnt_status status = check_options(ctx, o);
    *c = (lnt_completion){0};
    if (status == LNT_OK)
        status = o->demo     ? make_demo(ctx, c, o, &truth)
                 : o->matrix ? read_masked(ctx, c, o, &truth)
                             : read_triplets(ctx, c, o);
    if (status == LNT_OK && o->truth)
        status = lnt_matrix_read(ctx, &truth, o->truth);
    if (status != LNT_OK)
        return status;
    if (truth.a && (truth.rows != c->rows || truth.cols != c->columns))
        return lnt_fail(ctx, LNT_ESHAPE, "%s is %d x %d, the observed matrix %d x %d: use --rows %d --columns %d?",
                        o->truth, truth.rows, truth.cols, c->rows, c->columns, truth.rows, truth.cols);
    if (count(c->train.mask) == 0)
        return lnt_fail(ctx, LNT_EDOMAIN, "no entry is observed: %s is 0 everywhere", o->mask ? o->mask : o->observed);
    if (o->split > 0)
        status = hold_out(ctx, c, o);
    if (truth.a && status == LNT_OK)
        set_truth(c, truth);
    c->observed = count(c->train.mask);
    c->tests = count(c->test.mask);
    count_empty(c);
    return status;
}
