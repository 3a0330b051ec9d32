/* The registry of experiments that `linnet reproduce` runs. */
#ifndef LINNET_EXPERIMENT_H
#define LINNET_EXPERIMENT_H

#include "linnet/study.h"

typedef struct lnt_experiment {
    const char *name, *title, *question;
    const char *data; /* a data set that must be there, or NULL */
    /* Fills a record: series per arm, a figure, deviations, and the checks that make the verdict. */
    lnt_status (*run)(lnt_ctx *ctx, lnt_record *record, const struct lnt_experiment *self,
                      const lnt_reproduce_opts *opts);
} lnt_experiment;

extern const lnt_option lnt_reproduce_options[];

/* Ended by an entry whose name is NULL. */
extern const lnt_experiment lnt_experiments[];

lnt_status lnt_notebook_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts);

lnt_status lnt_exercise_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts);
lnt_status lnt_depths_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                 const lnt_reproduce_opts *opts);
lnt_status lnt_phase_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                const lnt_reproduce_opts *opts);
lnt_status lnt_tree_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                               const lnt_reproduce_opts *opts);
lnt_status lnt_illusory_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts);
lnt_status lnt_isometry_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,
                                   const lnt_reproduce_opts *opts);

#endif
