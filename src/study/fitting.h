/* The parts of the study of fits: the rows and the network, the naive iteration, the ready-made problems. */
#ifndef LINNET_FITTING_H
#define LINNET_FITTING_H

#include "linnet/derivatives.h"
#include "linnet/fit.h"
#include "linnet/posterior.h"
#include "linnet/study_fit.h"
#include "linnet/task.h"

/* A network and the rows that it is fitted to, in scratch memory: what fit and sample begin with. */
typedef struct lnt_network_data {
    const lnt_network_opts *opts;
    lnt_task task, test; /* prepared rows; test.n = 0: none are held out */
    lnt_mat X, Y;        /* inputs x N, outputs x N. Bernoulli of classes: one row of 0 and 1; categorical: one-hot */
    lnt_mat test_X, test_Y;
    int classes;     /* 0: the targets are not classes */
    double *sd;      /* known standard deviations of the noise of the n = outputs N data, or NULL */
    double *isd;     /* 1/sd */
    double *test_sd; /* of the data held out, or NULL */
    lnt_mat C;       /* covariance of the noise of the n data; C.a NULL: none */
    lnt_layers layers;
    lnt_model model, test_model;
    lnt_likelihood likelihood; /* of the rows, beta 1, sqrtw = 1/sd where the noise is known */
    int groups, *group;        /* of the prior */
    double *alpha;             /* `groups` of them; NaN: not given */
} lnt_network_data;

/* auto, gaussian, bernoulli, categorical. */
extern const char *const lnt_network_likelihoods[];
/* layers <- the network of those hidden widths on the data's inputs and outputs; model, test_model, groups of the prior
 * as they belong to it. For comparing several on the same rows. */
lnt_status lnt_network_build(lnt_ctx *ctx, lnt_network_data *data, const lnt_int_list *hidden);
/* Reads, prepares, builds; facts of the preparation go into the record. */
lnt_status lnt_network_read(lnt_ctx *ctx, lnt_record *record, lnt_network_data *data, const lnt_network_opts *opts,
                            uint64_t seed, int threads);

/* Facts of the network, and what to warn of. */
void lnt_network_describe(lnt_record *record, const lnt_network_data *data);
/* Arrays weights/1, biases/1, ... of the weights w. */
lnt_status lnt_network_put(lnt_ctx *ctx, lnt_record *record, const lnt_layers *layers, const double *w);
/* Whether all entries are 0 or 1. */
bool lnt_zero_one(lnt_mat Y);

/* ---- A fit ---- */

#define LNT_OUT_OF_SCALE "inputs, targets or their noise are too large or too small for their squares: scale them"
#define LNT_FITTING_HISTORIES 20 /* starts whose course is kept */

typedef struct lnt_fitted {
    const lnt_fitting_opts *opts;
    const lnt_network_data *data;
    int starts;
    lnt_mat W;          /* k x starts: where they ended, in standard form */
    lnt_fit_info *info; /* of each; of classes sse is -log p(d|f) and objective minus the log posterior */
    lnt_fit_starts_info summary;
    double *history[LNT_FITTING_HISTORIES]; /* SSE after every step, `steps` of them; not of classes */
    int steps[LNT_FITTING_HISTORIES];
    double *w;                 /* the answer */
    lnt_fit_info answer;       /* of the start that it came from */
    lnt_likelihood likelihood; /* with the final beta */
    bool has_prior;
    double *alpha;   /* final, a number for each group; without prior 0 */
    double *penalty; /* k: alpha over beta, or NULL */
    double size;     /* sum of squares of the data, in units of the noise where it is known for each */
    double alpha_first;
    double noise;   /* variance of the noise of a further datum; NaN: not known */
    double freedom; /* degrees of freedom that it was estimated from; infinite where it was given */
    lnt_fit_certificate certificate;
    bool has_certificate, has_posterior;
    lnt_posterior posterior;
    bool has_evidence; /* alpha or beta were re-estimated */
    lnt_evidence_info evidence;
    lnt_separation separation;
    bool cancelled;
} lnt_fitted;

static inline bool lnt_fitted_gaussian(const lnt_fitted *f)
{
    return f->likelihood.kind == LNT_GAUSSIAN;
}
static inline bool lnt_noise_known(const lnt_fitted *f)
{
    return f->data->sd || f->data->C.a;
}
static inline lnt_prior lnt_fitted_prior(const lnt_fitted *f)
{
    return (lnt_prior){.groups = f->data->groups, .group = f->data->group, .alpha = f->alpha};
}

/* f->posterior at f->w; without a prior the limit of a flat one. */
lnt_status lnt_fitted_posterior(lnt_ctx *ctx, lnt_fitted *f);
/* Best of many starts, re-estimation where asked for, certificate and posterior. */
lnt_status lnt_fitted_find(lnt_ctx *ctx, lnt_fitted *fitted, const lnt_network_data *data,
                           const lnt_fitting_opts *opts);
/* Data beside those that the weights take up: n - rank, n - k where the rank is not known. */
double lnt_fitted_freedom(const lnt_fitted *fitted);
/* Whether it ended where it should. */
bool lnt_fitted_finished(const lnt_fitted *fitted);
/* Name of weight j, such as W1[2,1] or b1[2] (from 1), and where it stands; column 0: a bias. */
typedef struct lnt_weight_place {
    int layer, row, column;
} lnt_weight_place;
lnt_weight_place lnt_weight_at(const lnt_layers *layers, size_t j);
char *lnt_weight_name(lnt_ctx *ctx, lnt_weight_place at);

/* What a fit says of rows: outputs x rows each, in scratch memory. */
typedef struct lnt_predicted {
    lnt_mat mean, sd;  /* of f, sd NaN without a posterior */
    lnt_mat low, high; /* gaussian: band of further data, of f where the noise is not known */
    lnt_mat p;         /* of classes: probability averaged over the posterior, and at w alone */
    lnt_mat plug;
} lnt_predicted;
/* noise_sd: of each datum; NULL: that of the fit. Reads w, likelihood, noise, posterior and opts->coverage. */
lnt_status lnt_fitted_predict(lnt_ctx *ctx, lnt_predicted *predicted, const lnt_fitted *fitted, const lnt_model *model,
                              const double *noise_sd);
typedef struct lnt_fitted_score {
    double rmse, r2, log_density, coverage; /* gaussian; log density and share in the band per datum */
    double accuracy, log_score, log_score_plug;
} lnt_fitted_score;
/* Of the rows with targets Y. */
lnt_fitted_score lnt_fitted_rate(const lnt_fitted *fitted, const lnt_predicted *predicted, lnt_mat Y,
                                 const double *noise_sd);

/* The input as given from one, of one, that was prepared. */
double lnt_prep_given(const lnt_prep *prep, double z);
/* Series NAME/x, mean, sd, low, high, of classes probability, and target (Y.a NULL: none); of several outputs
 * NAME/output1/x and so on. */
lnt_status lnt_fitted_series(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *fitted, const char *name,
                             const lnt_predicted *predicted, const double *x, lnt_mat Y);
lnt_status lnt_fitted_report(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *fitted);
/* A mode that one start alone found; residuals that do not suit the noise that is given. */
void lnt_fitted_warn_of_starts(lnt_record *record, const lnt_fitted *fitted);
void lnt_fitted_warn_of_noise(lnt_record *record, const lnt_fitted *fitted);
/* series prediction, scores, deviations and the figure. */
lnt_status lnt_fitted_show(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *fitted);
/* Networks of several sizes: table and figure; *best <- the fit of the largest evidence, *data <- its network. */
lnt_status lnt_fitting_sizes(lnt_ctx *ctx, lnt_record *record, lnt_fitted *best, lnt_network_data *data,
                             const lnt_fitting_opts *opts);

/* The naive iteration on those rows, in place of a fit: series, facts and figure of its cycle. */
lnt_status lnt_fitting_naive(lnt_ctx *ctx, lnt_record *record, const lnt_network_data *data,
                             const lnt_fitting_opts *opts);
/* The ready-made problems, all methods side by side. */
lnt_status lnt_fitting_demo(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts);

extern const lnt_option lnt_fitting_options[];

#endif
