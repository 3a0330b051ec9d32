/* The parts of the recovery study: the problems, the report. */
#ifndef LINNET_STUDY_RECOVERY_H
#define LINNET_STUDY_RECOVERY_H

#include "linnet/study.h"

/* What became of one problem. */
enum { LNT_RECOVERY_WAITING, LNT_RECOVERY_SUCCESS, LNT_RECOVERY_FAILURE, LNT_RECOVERY_UNSOLVED };

/* Column c of the grid has n[c] samples, row r d[r] entries that are not 0; problem (run, r, c) stands at
 * (run * grid + r) * grid + c. */
typedef struct lnt_recovery_run {
    const lnt_recovery_opts *opts;
    int *n, *d;
    int problems;
    unsigned char *outcome;
    double *gap;           /* relative, of each problem that was solved */
    int *steps;            /* of each */
    int *success, *solved; /* of each cell, row by row: its problems */
} lnt_recovery_run;

extern const lnt_option lnt_recovery_options[];
lnt_status lnt_recovery_report(lnt_ctx *ctx, lnt_record *record, const lnt_recovery_run *r);

#endif
