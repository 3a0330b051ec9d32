/* The inside of a record, for its sinks. */
#ifndef LINNET_RECORD_INTERNAL_H
#define LINNET_RECORD_INTERNAL_H

#include "linnet/record.h"

typedef struct lnt_scalar {
    struct lnt_scalar *next;
    const char *group, *name, *unit; /* group is NULL for parameters */
    lnt_value value;
    bool how;
} lnt_scalar;

typedef struct lnt_array_node {
    struct lnt_array_node *next;
    lnt_array array;
} lnt_array_node;

typedef struct lnt_column {
    struct lnt_column *next;
    const char *name, *unit;
    lnt_value *cell;
    int cap;
} lnt_column;

struct lnt_table {
    struct lnt_table *next;
    lnt_record *record;
    const char *name;
    bool top; /* deviations, assumptions, checks: named groups of their own in JSON and HDF5 */
    int rows;
    lnt_column *columns;
};

typedef struct lnt_line {
    struct lnt_line *next;
    const char *text;
} lnt_line;

typedef struct lnt_figure_node {
    struct lnt_figure_node *next;
    lnt_figure figure;
} lnt_figure_node;

struct lnt_record {
    lnt_ctx *memory; /* its arena holds everything below; its message tells of exhaustion */
    const char *command;
    bool interrupted;
    lnt_scalar *parameters, *facts;
    lnt_array_node *arrays; /* series and matrices in order of addition */
    lnt_table *tables;
    lnt_line *warnings;
    lnt_figure_node *figures;
};

/* The cell of a table row, "nothing" where it was never set. */
lnt_value lnt_table_cell(const lnt_column *column, int row);
/* The columns of the "series" table: the series that have the length of the first one; returns their number. */
int lnt_record_parallel_series(const lnt_record *record, const lnt_array **series, int most, int *length);

#endif
