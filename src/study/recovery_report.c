/* What the problems of a grid say about the boundary of recovery. */
#include "recovery.h"

#include "linnet/lasso_risk.h"

#include <math.h>

#define POINTS 201 /* of the boundary */
#define FAR 0.01   /* of d/D: a boundary moved further by its finite size is no longer that of the limit */

typedef struct column {
    double samples, boundary; /* n/D; d/D where recovery ends in the limit */
    double predicted, width;  /* d/D at which half of the problems succeed at this size; spread of the transition */
    double crossing, error;   /* the same as found, its standard error; NaN where it lies outside the grid */
} column;

/* ---- The 50 % point of a column ---- */

/* The d, between whole numbers linear, that n samples recover half of the time, and the standard deviation of the
 * transition in d. */
static void half_point(double *d, double *sd, int features, int n)
{
    lnt_recovery below, above;
    int lo = 0, hi = features; /* samples at lo <= n < those at hi */
    *d = features;
    *sd = 0;
    if (n >= features)
        return;
    while (hi - lo > 1) {
        int k = lo + (hi - lo) / 2;
        lnt_recovery_finite(&below, features, k);
        *(below.samples <= n ? &lo : &hi) = k;
    }
    lnt_recovery_finite(&below, features, lo);
    lnt_recovery_finite(&above, features, hi);
    double slope = above.samples - below.samples;
    *d = lo + (n - below.samples) / slope;
    *sd = fmax(above.sd, below.sd) / slope;
}

/* Slope of the log likelihood of `crossing` for successes with the probability Phi((crossing - d)/sd), which falls with
 * it, and the information about it, both in units of D. */
static double likelihood_slope(double *information, const lnt_recovery_run *r, int c, double crossing, double sd)
{
    int grid = r->opts->grid;
    double sum = 0;
    *information = 0;
    for (int row = 0; row < grid; row++) {
        double z = (crossing - r->d[row]) / sd, density = exp(-z * z / 2) / sqrt(2 * 3.14159265358979323846);
        double p = 0.5 * erfc(-sqrt(0.5) * z), q = 0.5 * erfc(sqrt(0.5) * z);
        int success = r->success[row * grid + c], failure = r->solved[row * grid + c] - success;
        /* far out, phi/Phi(-z) -> z */
        sum += success * (p > 1e-300 ? density / p : -z) - failure * (q > 1e-300 ? density / q : z);
        *information += p > 1e-300 && q > 1e-300 ? (success + failure) * density * density / (p * q) / (sd * sd) : 0;
    }
    return sum;
}

/* Maximum likelihood, with the spread of the transition as theory has it: a narrow one may lie between two rows. */
static void find_crossing(column *col, const lnt_recovery_run *r, int c, double sd)
{
    int grid = r->opts->grid, success = 0, solved = 0;
    double lo = 0, hi = r->opts->features, information;
    for (int row = 0; row < grid; row++) {
        success += r->success[row * grid + c];
        solved += r->solved[row * grid + c];
    }
    col->crossing = col->error = (double)NAN;
    if (success == 0 || success == solved)
        return;
    for (int i = 0; i < 60; i++) {
        double middle = (lo + hi) / 2;
        *(likelihood_slope(&information, r, c, middle, sd) > 0 ? &lo : &hi) = middle;
    }
    likelihood_slope(&information, r, c, lo, sd);
    col->crossing = lo / r->opts->features;
    col->error = 1 / sqrt(information) / r->opts->features;
}

static void make_column(column *col, const lnt_recovery_run *r, int c)
{
    double D = r->opts->features, d, sd;
    half_point(&d, &sd, r->opts->features, r->n[c]);
    col->samples = r->n[c] / D;
    col->boundary = lnt_recovery_density(col->samples);
    col->predicted = d / D;
    col->width = sd / D;
    find_crossing(col, r, c, sd);
}

/* ---- Tables and deviations ---- */

static void put_grid(lnt_record *record, const lnt_recovery_run *r)
{
    int grid = r->opts->grid;
    double D = r->opts->features;
    lnt_table *table = lnt_record_table(record, "grid");
    for (int c = 0; c < grid; c++)
        for (int row = 0; row < grid; row++) {
            int cell = row * grid + c, solved = r->solved[cell];
            lnt_table_row(table);
            lnt_table_set(table, "samples", "n/D", lnt_number(r->n[c] / D));
            lnt_table_set(table, "density", "d/D", lnt_number(r->d[row] / D));
            lnt_table_set(table, "n", "", lnt_integer(r->n[c]));
            lnt_table_set(table, "nonzero", "", lnt_integer(r->d[row]));
            lnt_table_set(table, "runs", "", lnt_integer(solved));
            lnt_table_set(table, "success", "", lnt_known((double)r->success[cell] / solved));
            lnt_table_set(table, "predicted", "",
                          lnt_number(lnt_recovery_probability(r->opts->features, r->n[c], r->d[row])));
        }
}

static lnt_status put_columns(lnt_ctx *ctx, lnt_record *record, const lnt_recovery_run *r, const column *col)
{
    for (int c = 0; c < r->opts->grid; c++, col++) {
        lnt_table *table = lnt_record_table(record, "crossing");
        lnt_table_row(table);
        lnt_table_set(table, "samples", "n/D", lnt_number(col->samples));
        lnt_table_set(table, "boundary", "d/D", lnt_number(col->boundary));
        lnt_table_set(table, "at_this_size", "d/D", lnt_number(col->predicted));
        lnt_table_set(table, "width", "d/D", lnt_number(col->width));
        lnt_table_set(table, "found", "d/D", lnt_known(col->crossing));
        lnt_table_set(table, "standard_error", "d/D", lnt_known(col->error));
        if (isnan(col->crossing))
            continue;
        const char *name = lnt_sprintf(ctx, "50 %% of recoveries at n/D = %.4g", col->samples);
        if (!name)
            return LNT_ENOMEM;
        lnt_record_deviation(record, name, col->crossing, col->boundary, NAN, col->error);
    }
    return LNT_OK;
}

/* Over all columns: how far, in entries of the vector, half of the recoveries lie inside the boundary; and over all
 * cells, the share of successes. */
static void put_means(lnt_record *record, const lnt_recovery_run *r, const column *col)
{
    int grid = r->opts->grid, counted = 0;
    double D = r->opts->features, found = 0, predicted = 0, weight = 0, rate = 0, expected = 0, variance = 0;
    for (int c = 0; c < grid; c++) {
        double w = isnan(col[c].crossing) ? 0 : 1 / (col[c].error * col[c].error);
        found += w > 0 ? w * D * (col[c].crossing - col[c].boundary) : 0;
        predicted += w * D * (col[c].predicted - col[c].boundary);
        weight += w;
        for (int row = 0; row < grid; row++) {
            int cell = row * grid + c, solved = r->solved[cell];
            double p = lnt_recovery_probability(r->opts->features, r->n[c], r->d[row]);
            if (solved == 0)
                continue;
            counted++;
            rate += (double)r->success[cell] / solved;
            expected += p;
            variance += p * (1 - p) / solved;
        }
    }
    if (counted > 0)
        lnt_record_deviation(record, "success, mean of all cells", rate / counted, expected / counted, NAN,
                             variance > 0 ? sqrt(variance) / counted : (double)NAN);
    if (weight > 0) {
        lnt_record_deviation(record, "entries beyond the boundary at 50 %", found / weight, predicted / weight, NAN,
                             D / sqrt(weight));
        lnt_record_fact(record, "boundary", "shift_found", "entries", lnt_number(found / weight));
        lnt_record_fact(record, "boundary", "shift_error", "entries", lnt_number(D / sqrt(weight)));
        lnt_record_fact(record, "boundary", "shift_predicted", "entries", lnt_number(predicted / weight));
    }
}

static void put_facts(lnt_record *record, const lnt_recovery_run *r, const column *col)
{
    int unsolved = 0, solved = 0, recovered = 0;
    double gap = 0, steps = 0, far = 0;
    for (int i = 0; i < r->problems; i++) {
        bool done = r->outcome[i] == LNT_RECOVERY_SUCCESS || r->outcome[i] == LNT_RECOVERY_FAILURE;
        solved += done;
        recovered += r->outcome[i] == LNT_RECOVERY_SUCCESS;
        unsolved += r->outcome[i] == LNT_RECOVERY_UNSOLVED;
        gap = fmax(gap, done ? r->gap[i] : 0);
        steps += done ? r->steps[i] : 0;
    }
    for (int c = 0; c < r->opts->grid; c++)
        far = fmax(far, fabs(col[c].predicted - col[c].boundary));
    lnt_record_fact(record, "problems", "solved", "", lnt_integer(solved));
    lnt_record_fact(record, "problems", "unsolved", "", lnt_integer(unsolved));
    lnt_record_fact(record, "problems", "recovered", "", lnt_integer(recovered));
    lnt_record_fact(record, "problems", "mean_steps", "", lnt_known(steps / solved));
    lnt_record_fact(record, "certificate", "largest_relative_gap", "", lnt_number(gap));
    if (unsolved > 0)
        lnt_record_warn(record, "%d of %d problems were not solved to a certified gap of 1e-9 and are not counted",
                        unsolved, r->problems);
    if (isnan(lnt_record_fact_number(record, "boundary", "shift_found")))
        lnt_record_warn(record, "no column of the grid has both successes and failures: no crossing to compare");
    lnt_record_assumption(record, "many features: the boundary at this size is that of the limit (d/D)", far, FAR,
                          "half of the recoveries lie where crossing.at_this_size says, not on the boundary");
    lnt_record_assumption(record, "every problem is solved (share that is not)", (double)unsolved / (solved + unsolved),
                          0, "frequencies are of those that were");
}

/* ---- Series and figure ---- */

typedef struct curves {
    double samples[POINTS], boundary[POINTS];
    double *x, *found, *off, *low, *high, *shift; /* of the columns that cross */
    int crossings;
} curves;

static lnt_status make_curves(lnt_ctx *ctx, curves *k, const lnt_recovery_run *r, const column *col)
{
    size_t grid = (size_t)r->opts->grid;
    double *all = lnt_alloc(ctx, 6 * grid, sizeof *all);
    if (!all)
        return LNT_ENOMEM;
    *k = (curves){.x = all,
                  .found = all + grid,
                  .off = all + 2 * grid,
                  .low = all + 3 * grid,
                  .high = all + 4 * grid,
                  .shift = all + 5 * grid};
    for (int i = 0; i < POINTS; i++) {
        k->samples[i] = i / (POINTS - 1.0);
        k->boundary[i] = lnt_recovery_density(k->samples[i]);
    }
    for (size_t c = 0; c < grid; c++, col++)
        if (!isnan(col->crossing)) {
            int i = k->crossings++;
            k->x[i] = col->samples;
            k->found[i] = col->crossing;
            k->off[i] = col->crossing - col->boundary;
            k->low[i] = k->off[i] - col->error;
            k->high[i] = k->off[i] + col->error;
            k->shift[i] = col->predicted - col->boundary;
        }
    return LNT_OK;
}

/* Success as a matrix, d/D down the rows; NaN where nothing was solved. */
static lnt_status put_arrays(lnt_ctx *ctx, lnt_record *record, const lnt_recovery_run *r, lnt_mat *S, double *x,
                             double *y)
{
    int grid = r->opts->grid;
    lnt_status status = lnt_mat_alloc(ctx, S, grid, grid);
    for (int c = 0; c < grid && status == LNT_OK; c++) {
        x[c] = (double)r->n[c] / r->opts->features;
        y[c] = (double)r->d[c] / r->opts->features;
        for (int row = 0; row < grid; row++)
            *lnt_at(*S, row, c) = (double)r->success[row * grid + c] / r->solved[row * grid + c];
    }
    if (status == LNT_OK) {
        lnt_record_matrix(record, "success", "", S, 1);
        lnt_record_vector(record, "grid/samples", "n/D", x, grid);
        lnt_record_vector(record, "grid/density", "d/D", y, grid);
    }
    return status;
}

static void put_figure(lnt_record *record, const curves *k, lnt_mat S, const double *x, const double *y)
{
    const double zero[2] = {0, 0}, span[2] = {0, 1};
    const lnt_image image = {"share of recoveries", S, x, y, 0, 1};
    const lnt_curve over[] = {{"boundary of recovery", LNT_CURVE_THEORY, POINTS, k->samples, k->boundary, NULL},
                              {"half recovered", LNT_CURVE_MARKS, k->crossings, k->x, k->found, NULL}};
    const lnt_curve off[] = {{"standard error", LNT_CURVE_BAND, k->crossings, k->x, k->low, k->high},
                             {"half recovered", LNT_CURVE_MARKS, k->crossings, k->x, k->off, NULL},
                             {"at this size", LNT_CURVE_THEORY, k->crossings, k->x, k->shift, NULL},
                             {"limit", LNT_CURVE_THEORY, 2, span, zero, NULL}};
    const lnt_panel panel[] = {{.title = "exact recovery",
                                .xlabel = "samples per feature n/D",
                                .ylabel = "entries that are not 0, d/D",
                                .curves = 2,
                                .curve = over,
                                .image = &image},
                               {.title = "half recovered, less the boundary",
                                .xlabel = "samples per feature n/D",
                                .ylabel = "d/D",
                                .curves = 4,
                                .curve = off}};
    const lnt_figure figure = {"recovery",
                               "How often basis pursuit recovers a sparse vector, with the boundary of the limit of "
                               "many features; right, how far from it half are recovered.",
                               2, panel};
    lnt_record_figure(record, &figure);
}

lnt_status lnt_recovery_report(lnt_ctx *ctx, lnt_record *record, const lnt_recovery_run *r)
{
    size_t grid = (size_t)r->opts->grid;
    column *col = lnt_alloc(ctx, grid, sizeof *col);
    double *x = lnt_alloc(ctx, grid, sizeof *x), *y = lnt_alloc(ctx, grid, sizeof *y);
    curves *k = lnt_alloc(ctx, 1, sizeof *k);
    lnt_mat S;
    if (!col || !x || !y || !k)
        return LNT_ENOMEM;
    for (int c = 0; c < r->opts->grid; c++)
        make_column(&col[c], r, c);
    lnt_status status = make_curves(ctx, k, r, col);
    if (status == LNT_OK)
        status = put_arrays(ctx, record, r, &S, x, y);
    if (status != LNT_OK)
        return status;
    lnt_record_series(record, "samples", "n/D", k->samples, POINTS);
    lnt_record_series(record, "boundary", "d/D", k->boundary, POINTS);
    status = put_columns(ctx, record, r, col);
    put_grid(record, r);
    put_means(record, r, col);
    put_facts(record, r, col);
    put_figure(record, k, S, x, y);
    return status;
}
