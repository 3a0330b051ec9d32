/* The parts of the completion study: the matrix, the flows, the report. */
#ifndef LINNET_COMPLETE_H
#define LINNET_COMPLETE_H

#include "linnet/study.h"

#define LNT_COMPLETE_TIMES 101
/* A depth has learned the observed entries when its error is this share of their root mean square. */
#define LNT_COMPLETE_LEARNED 1e-3

/* What is trained on, and what is tested by; values outside the masks are 0. */
typedef struct lnt_completion {
    int rows, columns, observed, tests;
    lnt_observed train, test;
    int empty_rows, empty_columns; /* without an observed entry */
} lnt_completion;

/* What one depth does. */
typedef struct lnt_complete_path {
    int depth;
    lnt_mat Y; /* W at the output times, column by column */
    lnt_flow_info flow;
    double settled;                     /* when its first, rough integration had learned the observed entries */
    double *train, *test, *rank, *norm; /* at the output times; NaN where they were not reached */
    lnt_mat singular;                   /* k x times */
    int last, best;                     /* output times: the last one reached; of least test error */
    bool done;
} lnt_complete_path;

typedef struct lnt_complete_run {
    const lnt_complete_opts *opts;
    lnt_completion task;
    double top, rms; /* largest singular value and root mean square of the observed entries */
    lnt_mat start;
    double *t;
    lnt_complete_path *path; /* one per depth */
    lnt_mat nuclear;
    double *nuclear_s;
    lnt_nuclear_info certificate;
    bool nuclear_done;
} lnt_complete_run;

lnt_status lnt_completion_make(lnt_ctx *ctx, lnt_completion *task, const lnt_complete_opts *opts);
/* W at output time j. */
lnt_mat lnt_complete_product(const lnt_complete_run *c, const lnt_complete_path *path, int j);
lnt_status lnt_complete_report(lnt_ctx *ctx, lnt_record *record, lnt_complete_run *c);
extern const lnt_option lnt_complete_options[];

#endif
