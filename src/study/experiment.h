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

/* What the report says about an experiment beside its results; a table of its own, so that a row of the registry need
 * not have one. */
typedef struct lnt_experiment_page {
    const char *name, *group;
    const char *formula;     /* see lnt_report_formula() */
    const char *finding;     /* see lnt_report_finding(): words that stay true whatever the numbers are */
    double seconds, minutes; /* of the quick and of the full size on two cores, about: for the time left */
} lnt_experiment_page;

/* The groups in the order of the report, ended by NULL. */
extern const char *const lnt_experiment_groups[];
/* That of the name, or one that knows nothing but a group. */
const lnt_experiment_page *lnt_experiment_page_of(const char *name);

extern const lnt_option lnt_reproduce_options[];

/* Ended by an entry whose name is NULL. */
extern const lnt_experiment lnt_experiments[];

lnt_experiment_run lnt_notebook_experiment, lnt_exercise_experiment, lnt_depths_experiment, lnt_phase_experiment,
    lnt_tree_experiment, lnt_illusory_experiment, lnt_isometry_experiment, lnt_dense_experiment, lnt_sparse_experiment,
    lnt_two_layer_experiment, lnt_nonlinear_experiment, lnt_toy_experiment, lnt_attention_experiment,
    lnt_match_linear_experiment, lnt_match_full_experiment, lnt_match_diagonal_experiment, lnt_match_sparse_experiment,
    lnt_match_transport_experiment, lnt_match_dynamics_experiment, lnt_naive_cycle_experiment,
    lnt_open_questions_experiment, lnt_what_works_experiment, lnt_evidence_experiment, lnt_linearized_experiment,
    lnt_notebook_modes_experiment, lnt_rates_experiment, lnt_evolution_experiment, lnt_riccati_experiment,
    lnt_discrete_experiment, lnt_alignment_experiment, lnt_completion_experiment, lnt_recovery_experiment,
    lnt_match_global_experiment, lnt_energy_experiment, lnt_nuts_experiment, lnt_gaussian_posterior_experiment,
    lnt_calibration_experiment;

/* A name that was made; empty where there was no memory for it, which the context remembers. */
static inline const char *lnt_named(const char *name)
{
    return name ? name : "";
}
/* The number in a column of the first deviation whose name ends so; NaN where there is none. */
double lnt_deviation_of(const lnt_record *record, const char *end, const char *column);

/* Judges the deviations of a record whose names contain `part` and that no check judges so far: each gets a check of
 * its name, that `measure` (absolute, relative or sigmas) is at most `tolerance`. Deviations without that measure are
 * left alone, unless it is one of their numbers that is missing. */
void lnt_judge(lnt_ctx *ctx, lnt_record *record, const char *part, const char *measure, double tolerance);

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
