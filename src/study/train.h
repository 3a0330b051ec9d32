/* The parts of the train study: set up, run, compare, report. */
#ifndef LINNET_TRAIN_H
#define LINNET_TRAIN_H

#include "setup.h"
#include "weights.h"

/* What is followed over the epochs. */
typedef enum lnt_track { LNT_TRACK_LOSS, LNT_TRACK_ACCURACY, LNT_TRACK_TEST_LOSS, LNT_TRACK_TEST_ACCURACY } lnt_track;
#define LNT_TRACKS 4

typedef struct training {
    const lnt_train_opts *opts;
    lnt_setup setup;
    lnt_moments fitted; /* of the rows trained on: setup.all unless these are only the first ones */
    int fitted_rows;
    lnt_net net;
    lnt_init init;
    lnt_modes modes;     /* where the start needs them */
    lnt_saved_net given; /* start weights from a file; runs = 0 without */
    double scale;        /* reported loss = scale * E; eta = scale * lr */
    double eta;
    double **w;                /* final weights of each run */
    double *track[LNT_TRACKS]; /* (epochs + 1) per run, losses in the units reported */
    lnt_descent_info *info;
    int runs; /* how many of the seeds these hold: all, unless it was interrupted */
    bool interrupted;
    double *imbalance; /* of each start */
    double stable_lr;  /* the largest with which descent stays at the start and at the optimum; NaN where not known */
} training;

/* Reads and prepares the data, checks the options against it. */
lnt_status lnt_training_prepare(lnt_ctx *ctx, training *t, lnt_train_opts *opts);
/* w <- where run number `index` starts. */
lnt_status lnt_training_start(lnt_ctx *ctx, double *w, const training *t, int index);
/* Trains all runs. */
lnt_status lnt_training_run(lnt_ctx *ctx, training *t);
/* True where there are scores by rows in the series: classes are compared in sample space only. */
bool lnt_training_tracks(const training *t, lnt_track track);
/* g <- gradient of the reported loss, without penalties, over the rows trained on. */
lnt_status lnt_training_gradient(lnt_ctx *ctx, double *g, const training *t, const double *w);
extern const lnt_option lnt_train_options[];

/* ---- Theory beside the runs (train_theory.c) ---- */

typedef struct lnt_optimum {
    lnt_mat W;
    int rank;
    lnt_score all, fitted, test; /* over all rows, those it was fitted to, those held out; losses as reported */
} lnt_optimum;

/* The mean over the runs of a score at their end, and its standard error (NaN for one run). */
typedef struct lnt_final {
    double mean, se;
} lnt_final;

/* Fills in the optima of all rows and of the rows trained on, and their table. */
lnt_status lnt_training_optima(lnt_ctx *ctx, lnt_record *record, const training *t, lnt_optimum *all,
                               lnt_optimum *fitted);
lnt_status lnt_training_deviations(lnt_ctx *ctx, lnt_record *record, const training *t, const lnt_optimum *all,
                                   const lnt_optimum *fitted, const lnt_final final[LNT_TRACKS]);
void lnt_training_assumptions(lnt_record *record, const training *t, const lnt_optimum *all, const lnt_optimum *fitted);
/* How far the final weights are from the optimality conditions. */
lnt_status lnt_training_certificate(lnt_ctx *ctx, lnt_record *record, const training *t);

/* Fills the record, theory included. */
lnt_status lnt_training_report(lnt_ctx *ctx, lnt_record *record, training *t);

#endif
