/* The registry of experiments that `linnet reproduce` runs. */
#ifndef LINNET_EXPERIMENT_H
#define LINNET_EXPERIMENT_H

#include "linnet/study.h"

struct lnt_experiment;
/* Fills a record: series per arm, a figure, deviations, and the checks that make the verdict. */
typedef lnt_status lnt_experiment_run(lnt_ctx *ctx, lnt_record *record, const struct lnt_experiment *self,
                                      const lnt_reproduce_opts *opts);

typedef struct lnt_experiment {
    const char *name, *title, *question;
    const char *data; /* a data set that must be there, or NULL */
    lnt_experiment_run *run;
} lnt_experiment;

extern const lnt_option lnt_reproduce_options[];

/* Ended by an entry whose name is NULL. */
extern const lnt_experiment lnt_experiments[];

lnt_experiment_run lnt_notebook_experiment, lnt_exercise_experiment, lnt_depths_experiment, lnt_phase_experiment,
    lnt_tree_experiment, lnt_illusory_experiment, lnt_isometry_experiment, lnt_dense_experiment, lnt_sparse_experiment,
    lnt_two_layer_experiment, lnt_nonlinear_experiment, lnt_toy_experiment, lnt_attention_experiment,
    lnt_match_linear_experiment, lnt_match_full_experiment, lnt_match_diagonal_experiment, lnt_match_sparse_experiment,
    lnt_match_transport_experiment, lnt_match_dynamics_experiment, lnt_calibration_experiment;

/* Adds what a study has found, unless that is its failure, and frees it; NULL: there was no memory for it. Parameters
 * are left out: those of an experiment are those of `reproduce`. */
lnt_status lnt_adopt(lnt_ctx *ctx, lnt_record *record, lnt_record *found, lnt_status status);
/* Defines adopt_STUDY(), which runs that study and adopts its record. */
#define ADOPT(study)                                                                                                   \
    static lnt_status adopt_##study(lnt_ctx *ctx, lnt_record *record, const lnt_##study##_opts *opts)                  \
    {                                                                                                                  \
        lnt_record *found = lnt_record_new(#study);                                                                    \
        return lnt_adopt(ctx, record, found, found ? lnt_##study##_study(ctx, found, opts) : LNT_ENOMEM);              \
    }

#endif
