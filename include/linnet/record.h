/* Records: everything that a study found, by name, with units; and its renderings as text.
 *
 * A study fills a record; sinks turn it into bytes: a terminal table, JSON, CSV, YAML (here), HDF5 (store.h),
 * figures (figure.h), a page (report.h). All strings and arrays are copied into the record.
 * Additions never fail by themselves: running out of memory is remembered and reported once, by
 * lnt_record_status(), which every study calls last. */
#ifndef LINNET_RECORD_H
#define LINNET_RECORD_H

#include "linnet/mat.h"
#include "linnet/text.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LNT_SCHEMA 1 /* version of the JSON and HDF5 layout, see docs/schema.json */

typedef struct lnt_record lnt_record;

/* A new empty record of a command, or NULL when memory is exhausted. */
LNT_API lnt_record *lnt_record_new(const char *command);
LNT_API void lnt_record_free(lnt_record *record);
/* LNT_OK, or LNT_ENOMEM if any addition ran out of memory, or anything else that left its message in the context: texts
 * that a record is filled with may be scratch. */
LNT_API lnt_status lnt_record_status(lnt_ctx *ctx, const lnt_record *record);
LNT_API const char *lnt_record_command(const lnt_record *record);
/* Marks the record as cut short by the user, or asks for it. */
LNT_API void lnt_record_set_interrupted(lnt_record *record);
LNT_API bool lnt_record_interrupted(const lnt_record *record);

/* ---- Scalars ---- */

typedef enum lnt_kind {
    LNT_NOTHING,
    LNT_FLAG,
    LNT_INTEGER,
    LNT_NUMBER,
    LNT_STRING,
    LNT_INTEGERS,
    LNT_NUMBERS
} lnt_kind;

typedef struct lnt_value {
    lnt_kind kind;
    double number;
    long integer; /* also a flag's value, and the length of a list */
    const char *string;
    const int *list;
    const double *numbers;
} lnt_value;

LNT_API lnt_value lnt_number(double x);
LNT_API lnt_value lnt_known(double x); /* a number, but nothing where it is not finite */
LNT_API lnt_value lnt_integer(long i);
LNT_API lnt_value lnt_flag(bool b);
LNT_API lnt_value lnt_string(const char *s); /* NULL: nothing */
LNT_API lnt_value lnt_integers(const int *list, int count);
LNT_API lnt_value lnt_numbers(const double *numbers, int count); /* of facts, not of cells */

/* One resolved option. `how` marks those that do not change results and stay out of run.yaml. */
LNT_API void lnt_record_parameter(lnt_record *record, const char *name, lnt_value value, bool how);
/* A scalar of the named group, such as ("preparation", "rank"). */
LNT_API void lnt_record_fact(lnt_record *record, const char *group, const char *name, const char *unit,
                             lnt_value value);
/* A sentence the reader must see first. */
LNT_API void lnt_record_warn(lnt_record *record, const char *format, ...) LNT_PRINTF(2, 3);

/* ---- Series and arrays ---- */

/* Values over the steps of the run; `path` is "name", "name/mean" or "group/name/theory". */
LNT_API void lnt_record_series(lnt_record *record, const char *path, const char *unit, const double *values, int count);
/* `count` matrices of one shape, in files as (rows, cols), file[i,j] = A_ij; several get a leading axis. */
LNT_API void lnt_record_matrix(lnt_record *record, const char *path, const char *unit, const lnt_mat *A, int count);
/* The same with the leading axis also for a single one. */
LNT_API void lnt_record_stack(lnt_record *record, const char *path, const char *unit, const lnt_mat *A, int count);
/* Samples in columns (D x n), in files as (n, D). */
LNT_API void lnt_record_samples(lnt_record *record, const char *path, const char *unit, lnt_mat X);
LNT_API void lnt_record_vector(lnt_record *record, const char *path, const char *unit, const double *values, int count);

/* A series or array of the record: C order, `rank` dimensions. */
typedef struct lnt_array {
    const char *path, *unit;
    bool is_series;
    int rank, dims[3];
    const double *values;
} lnt_array;

/* ---- Tables ---- */

typedef struct lnt_table lnt_table;

/* The table of that name, made at first use; NULL only when memory is exhausted (then additions do nothing). */
LNT_API lnt_table *lnt_record_table(lnt_record *record, const char *name);
LNT_API void lnt_table_row(lnt_table *table);
/* Sets a cell of the newest row; columns come into being at first use. */
LNT_API void lnt_table_set(lnt_table *table, const char *column, const char *unit, lnt_value value);

/* One row of the table of deviations. Matrices are compared by root mean squares: simulated and predicted are those
 * of the two, `absolute` that of their difference; for scalars pass NAN and |simulated - predicted| is meant.
 * `standard_error` is that of the simulated mean over runs, NAN for a single one. */
LNT_API void lnt_record_deviation(lnt_record *record, const char *name, double simulated, double predicted,
                                  double absolute, double standard_error);
/* One row of the table of assumptions: it holds where measure <= limit; `effect` says what a failure does. */
LNT_API void lnt_record_assumption(lnt_record *record, const char *name, double measure, double limit,
                                   const char *effect);
/* One row of the table of checks: value within tolerance of expected. Their conjunction is the record's verdict. */
LNT_API void lnt_record_check(lnt_record *record, const char *name, double value, double expected, double tolerance);
/* The row of the check that judges a deviation: the first whose name is that of the deviation, or goes on after it with
 * a comma or colon; -1 where there is none. */
LNT_API int lnt_record_judge(const lnt_record *record, const char *deviation);
/* True when there are checks and all of them pass. */
LNT_API bool lnt_record_verdict(const lnt_record *record);

/* Adds what another record holds, its parameters and its arrays of three dimensions left out. */
LNT_API void lnt_record_merge(lnt_record *to, const lnt_record *from);

/* ---- Reading back ---- */

/* The array or series of that path; false when there is none. */
LNT_API bool lnt_record_array(const lnt_record *record, const char *path, lnt_array *array);
LNT_API bool lnt_record_get_fact(const lnt_record *record, const char *group, const char *name, lnt_value *value);
LNT_API bool lnt_record_get_parameter(const lnt_record *record, const char *name, lnt_value *value);
/* Rows of a table, 0 where there is none; its cells. */
LNT_API int lnt_record_rows(const lnt_record *record, const char *table);
LNT_API bool lnt_record_cell(const lnt_record *record, const char *table, int row, const char *column,
                             lnt_value *value);

/* The same as numbers; NaN where there is none. */
LNT_API double lnt_record_fact_number(const lnt_record *record, const char *group, const char *name);
LNT_API double lnt_record_cell_number(const lnt_record *record, const char *table, int row, const char *column);

/* ---- Figures ---- */

/* Points are joined by a thin line, marks are not; dots are small marks in the colour of the curve. Steps are a
 * histogram with the centres x of its bins. */
typedef enum lnt_curve_style {
    LNT_CURVE_LINE,
    LNT_CURVE_POINTS,
    LNT_CURVE_MARKS,
    LNT_CURVE_THEORY,
    LNT_CURVE_BAND,
    LNT_CURVE_STEPS,
    LNT_CURVE_DOTS
} lnt_curve_style;

/* n points; a band lies between y and y2. Theory is drawn dashed and grey, so that it stands out without colour. */
typedef struct lnt_curve {
    const char *label;
    lnt_curve_style style;
    int n;
    const double *x, *y, *y2;
} lnt_curve;

/* A matrix (not empty) as coloured cells with a bar of colours beside it; it lies below the curves of its panel, which
 * get a white rim, and sets the ranges of both axes. Cell (i,j) has its centre at (x[j], y[i]), both increasing, evenly
 * spaced or not, and ends half-way to its neighbours. NULL: columns are numbered from 1; rows too, the first one on
 * top, as a matrix is printed. Colours go from `low` to `high`, both 0 for the range of the entries; where both signs
 * occur they go from blue through grey at 0 to yellow, else from pale to dark. Lightness always goes one way, so that
 * they can be told apart without colour. Entries that are not finite stay white. Above 200 rows or columns (48 of those
 * that are not evenly spaced or on a logarithmic axis) the means of blocks are drawn. */
typedef struct lnt_image {
    const char *label; /* of the bar, with the unit */
    lnt_mat entries;
    const double *x, *y;
    double low, high;
} lnt_image;

typedef struct lnt_panel {
    const char *title, *xlabel, *ylabel;
    bool logx, logy; /* y: where any curve is above 0 */
    int curves;
    const lnt_curve *curve;
    const lnt_image *image; /* NULL: none */
} lnt_panel;

/* Panels stand side by side. `name` makes the file name figure-NAME.svg. */
typedef struct lnt_figure {
    const char *name, *caption;
    int panels;
    const lnt_panel *panel;
} lnt_figure;

LNT_API void lnt_record_figure(lnt_record *record, const lnt_figure *figure);
LNT_API int lnt_record_figures(const lnt_record *record);
LNT_API const lnt_figure *lnt_record_get_figure(const lnt_record *record, int index);

/* ---- Text sinks ---- */

/* For people: warnings, facts, the series (thinned to about a dozen rows), tables, deviations, failed assumptions. */
LNT_API lnt_status lnt_record_print(lnt_ctx *ctx, lnt_text *out, const lnt_record *record);
/* The warnings alone, a line each. */
LNT_API lnt_status lnt_record_warnings(lnt_ctx *ctx, lnt_text *out, const lnt_record *record);
/* One JSON object as docs/schema.json describes it; numbers that are not finite become null, with a warning. */
LNT_API lnt_status lnt_record_json(lnt_ctx *ctx, lnt_text *out, const lnt_record *record);
/* One table (or "series", the series of one length side by side) as CSV. LNT_EUSAGE, naming the tables there are. */
LNT_API lnt_status lnt_record_csv(lnt_ctx *ctx, lnt_text *out, const lnt_record *record, const char *table);
/* The parameters that determine the results, as `linnet run` reads them. */
LNT_API lnt_status lnt_record_yaml(lnt_ctx *ctx, lnt_text *out, const lnt_record *record);

#ifdef __cplusplus
}
#endif
#endif
