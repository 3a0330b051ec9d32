/* What studies share: the task, from the options that several commands have, and how a study begins and ends. */
#ifndef LINNET_SETUP_H
#define LINNET_SETUP_H

#include "linnet/study.h"

typedef struct lnt_setup {
    lnt_task task;    /* n = 0: covariances alone */
    lnt_task test;    /* n = 0: no rows are held out */
    lnt_moments all;  /* of all training rows */
    lnt_moments held; /* of the rows held out */
    double item;      /* inputs of single items are this times those of a built-in task's items; else 1 */
} lnt_setup;

lnt_status lnt_setup_make(lnt_ctx *ctx, lnt_setup *setup, const lnt_task_opts *opts, uint64_t seed, int threads);
/* The same without the moments, which take memory for inputs^2 numbers; LNT_EUSAGE for a task without rows. */
lnt_status lnt_setup_rows(lnt_ctx *ctx, lnt_setup *setup, const lnt_task_opts *opts, uint64_t seed, int threads);
/* Facts and arrays of the preparation. */
void lnt_setup_report(lnt_record *record, const lnt_setup *setup, const lnt_task_opts *opts);

/* Of two classes, one-hot, the row that is 1 for the second: in the same place. */
lnt_mat lnt_second_class(lnt_mat Y);

/* What a study does with its options: makes, simulates, predicts, records. */
typedef lnt_status lnt_study_body(lnt_ctx *ctx, lnt_record *record, const void *opts);
/* The body on one BLAS thread, its scratch memory given back, its failure also that of the record. The options are
 * recorded first; of a table that is NULL the body records those that it has resolved. */
lnt_status lnt_study_run(lnt_ctx *ctx, lnt_record *record, const lnt_option *table, const void *opts,
                         lnt_study_body *body);

/* LNT_EUSAGE where depths are named twice: their results would stand under one name. */
lnt_status lnt_check_depths(lnt_ctx *ctx, const lnt_int_list *depths);
/* The reported loss over E: 1, 2, or 2/outputs. */
double lnt_loss_scale(int loss, int outputs);
/* The largest Hessian eigenvalue of E of a linear network, at its start w (which is used up) and at the balanced
 * optimum, where a long run ends. */
lnt_status lnt_largest_curvature(lnt_ctx *ctx, double *curvature, const lnt_net *net, double *w, const lnt_moments *m);

#endif
