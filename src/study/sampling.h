/* The parts of the study of posteriors by Markov chains. */
#ifndef LINNET_SAMPLING_H
#define LINNET_SAMPLING_H

#include "fitting.h"

#include "linnet/diagnose.h"
#include "linnet/sample.h"
#include "linnet/study_sample.h"

/* What stands after the coordinates of a draw. */
enum {
    LNT_COLUMN_LOGP,
    LNT_COLUMN_ENERGY,
    LNT_COLUMN_ACCEPT,
    LNT_COLUMN_STEP,
    LNT_COLUMN_DEPTH,
    LNT_COLUMN_LEAPFROGS,
    LNT_COLUMN_DIVERGENT,
    LNT_COLUMN_AT_DEPTH,
    LNT_COLUMNS
};

/* A posterior, the chains on it and their draws; in scratch memory. */
typedef struct lnt_sampled {
    const lnt_sampling_opts *opts;
    const lnt_network_data *data;
    const char *folder;   /* of the log; NULL: draws are kept in memory alone */
    uint64_t fingerprint; /* of all that determines the draws */
    int hyper;            /* lnt_sampling_hyper, never auto */
    lnt_fitting_opts fitting;
    lnt_fitted fit; /* the mode and Laplace's approximation there */
    lnt_prior prior;
    lnt_hyper priors; /* what is drawn beside the weights */
    lnt_density density;
    lnt_sample_opts chains;
    lnt_mat starts, state;
    int weights, dim; /* coordinates that are weights, and all; a draw has dim + LNT_COLUMNS numbers */
    lnt_chains x;     /* draws, dim = dim + LNT_COLUMNS */
    bool interrupted;
} lnt_sampled;

/* Options that exclude each other. */
lnt_status lnt_sampling_check(lnt_ctx *ctx, const lnt_sampling_opts *opts);
/* Mode, Laplace's approximation, hyper-parameters, density, metric and starts of chains. Reads opts, data, folder. */
lnt_status lnt_sampled_prepare(lnt_ctx *ctx, lnt_sampled *s);
/* x <- the draws. */
lnt_status lnt_sampled_run(lnt_ctx *ctx, lnt_sampled *s);
/* One number of all draws, side by side: coordinate i, or dim + LNT_COLUMN_... */
lnt_status lnt_sampled_column(lnt_ctx *ctx, lnt_chains *out, const lnt_sampled *s, int i);
static inline const double *lnt_sampled_draw(const lnt_sampled *s, size_t i)
{
    return s->x.a + i * (size_t)s->x.dim;
}
static inline size_t lnt_sampled_count(const lnt_sampled *s)
{
    return (size_t)s->x.chains * (size_t)s->x.draws;
}
/* Name of coordinate i: W1[1,1], b1[1], log alpha, log alpha[2], log beta. */
const char *lnt_sampled_name(lnt_ctx *ctx, const lnt_sampled *s, int i);
/* beta of a draw: the precision of the noise, in units of noise_sd where that is known. */
double lnt_sampled_beta(const lnt_sampled *s, const double *draw);
/* F (m q numbers a draw) <- outputs at m inputs X, for every `every`-th draw, all chains one after another. */
lnt_status lnt_sampled_outputs(lnt_ctx *ctx, double **F, size_t *count, const lnt_sampled *s, lnt_mat X, int every);

/* Points at which f is diagnosed. */
typedef struct lnt_sampled_points {
    lnt_mat X;
    const char **name; /* of each output there, point after point */
    int count;         /* points outputs */
    lnt_chains f;      /* dim = count */
} lnt_sampled_points;
lnt_status lnt_sampled_points_make(lnt_ctx *ctx, lnt_sampled_points *points, const lnt_sampled *s);

/* What is known of the draws. */
typedef struct lnt_sampled_diagnosis {
    lnt_diagnosis *weight;    /* coordinates, and canonical weights */
    lnt_diagnosis *canonical; /* NULL: there are no symmetries */
    lnt_diagnosis *judged;    /* f at the points, hyper-parameters, log posterior: what the verdict is on */
    const char **name;        /* of the judged */
    int count;
    double *ebfmi, *stuck; /* a number for each chain */
    lnt_verdict verdict;
} lnt_sampled_diagnosis;
/* Tables diagnostics, sampler, criteria; facts verdict; the check. */
lnt_status lnt_sampled_diagnose(lnt_ctx *ctx, lnt_record *record, lnt_sampled_diagnosis *d, const lnt_sampled *s,
                                const lnt_sampled_points *points);

/* Predictions of the draws: as those of a fit, with the log density of the targets Y (Y.a NULL: none) averaged over
 * draws. noise_sd of each datum; NULL: that of the posterior. */
typedef struct lnt_sampled_predicted {
    lnt_predicted p;
    double *log_density; /* one for each datum; of categorical one for each row */
    int draws;           /* used */
} lnt_sampled_predicted;
lnt_status lnt_sampled_predict(lnt_ctx *ctx, lnt_sampled_predicted *out, const lnt_sampled *s, lnt_mat X, lnt_mat Y,
                               const double *noise_sd);
/* Distance of Laplace's approximation from the draws over points. */
typedef struct lnt_laplace_distance {
    double shift, rms_shift; /* of the mean, in standard deviations of the draws: largest, root mean square */
    double least, largest;   /* ratio of standard deviations, Laplace's to the draws' */
} lnt_laplace_distance;
lnt_laplace_distance lnt_laplace_compare(const lnt_predicted *sampled, const lnt_predicted *laplace);
/* Series, scores, what Laplace's approximation is worth, the figure. */
lnt_status lnt_sampled_show(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s);
/* The figures of chains. */
lnt_status lnt_sampled_draw_figures(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s,
                                    const lnt_sampled_points *points, const lnt_sampled_diagnosis *d);
/* All that there is to say about draws: the parts above. */
lnt_status lnt_sampled_report(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s);

/* ---- The folder ---- */

/* *own <- the options in a folder that is to be continued; the parameters of the record are then theirs. *finished: it
 * is complete, and the record holds what was found. LNT_EMISSING, LNT_EFORMAT, LNT_EUSAGE where options were given
 * beside --resume. */
lnt_status lnt_sampling_resume(lnt_ctx *ctx, lnt_record *record, lnt_sampling_opts *own, bool *finished,
                               const lnt_sampling_opts *opts);
/* LNT_EEXIST where there is something that must not be lost. */
lnt_status lnt_sampling_folder(lnt_ctx *ctx, const lnt_sampling_opts *opts);
/* A hash of version, options and rows; options.yaml is written where it is not there. */
lnt_status lnt_sampling_begin(lnt_ctx *ctx, lnt_sampled *s);
/* DIR/draws.nc, then all that a record leaves behind. */
lnt_status lnt_sampling_save(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s);
lnt_status lnt_sampled_export(lnt_ctx *ctx, const lnt_sampled *s, const char *path);

/* *p <- what the draws in a folder say of inputs X; fit: the network, likelihood, noise and coverage of its record. */
lnt_status lnt_sampled_apply(lnt_ctx *ctx, lnt_predicted *p, const lnt_fitted *fit, const lnt_record *saved,
                             const char *folder, lnt_mat X, int threads);

/* ---- Ready-made problems ---- */

typedef enum lnt_sampling_problem {
    LNT_PROBLEM_BUMP,     /* 1-2-1, tanh, 40 points of a teacher with noise .05 */
    LNT_PROBLEM_SLOPE,    /* f = tanh(w x) */
    LNT_PROBLEM_NECK,     /* f = v tanh(w x) */
    LNT_PROBLEM_LOGISTIC, /* logit w x */
    LNT_PROBLEMS
} lnt_sampling_problem;

/* data <- the rows and the network; of the bump n of them, with noise sd sqrt(2) sin(i^2), or N(0, sd^2) from `noise`,
 * and then known to be so large. */
lnt_status lnt_sampling_problem_make(lnt_ctx *ctx, lnt_network_data *data, lnt_sampling_problem problem, int n,
                                     double sd, lnt_rng *noise);
/* Moments of the draws beside those of an integral on a grid: deviations, and checks at 4 standard errors. */
lnt_status lnt_sampling_problem_compare(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s,
                                        lnt_sampling_problem problem);
/* The bump with the whole report; then those with known integrals. *s is left to be saved. */
lnt_status lnt_sampling_problems(lnt_ctx *ctx, lnt_record *record, lnt_sampled *s, lnt_network_data *data,
                                 const lnt_sampling_opts *opts);
lnt_status lnt_sampling_demo(lnt_ctx *ctx, lnt_record *record, const lnt_sampling_opts *opts);

/* One entry of the table growth. */
typedef struct lnt_growth {
    int count, *n;
    double *shift, *error; /* root mean square shift of the mean in standard deviations, and its standard error */
    double exponent, exponent_error;
} lnt_growth;
/* Slope of log shift against log n, weighted, with its standard error. */
void lnt_growth_fit(lnt_growth *growth);
/* Subsets of the rows of s, at its hyper-parameters; table growth, facts growth, the figure. */
lnt_status lnt_sampling_grow(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s);
/* The same on the bump with n rows and `repeats` draws of the noise. */
lnt_status lnt_sampling_grow_bump(lnt_ctx *ctx, lnt_record *record, const lnt_sampling_opts *opts, int repeats);

extern const lnt_option lnt_sampling_options[];

#endif
