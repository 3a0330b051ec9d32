/* The parts of the train study: set up, run, compare. */
#ifndef LINNET_TRAIN_H
#define LINNET_TRAIN_H

#include "linnet/study.h"

typedef struct training {
    const lnt_train_opts *opts;
    lnt_task task;
    lnt_moments all, fitted; /* of all rows, and of those trained on (the same where these are all) */
    int fitted_rows;
    lnt_net net;
    lnt_init init;
    double scale; /* reported loss = scale * E; eta = scale * lr */
    double eta;
    double **w;              /* final weights of each run */
    double *loss, *accuracy; /* (epochs + 1) per run, in the units reported */
    lnt_descent_info *info;
    int runs; /* how many of the seeds these hold: all, unless it was interrupted */
    bool interrupted;
    double *imbalance; /* of each start */
    double stable_lr;  /* the largest with which descent stays at the start and at the optimum; NaN for Adam */
} training;

/* Reads and prepares the data, checks the options against it. */
lnt_status lnt_training_prepare(lnt_ctx *ctx, training *t, lnt_train_opts *opts);
/* Trains all runs. */
lnt_status lnt_training_run(lnt_ctx *ctx, training *t);
extern const lnt_option lnt_train_options[];

/* Fills the record, theory included. */
lnt_status lnt_training_report(lnt_ctx *ctx, lnt_record *record, training *t);

#endif
