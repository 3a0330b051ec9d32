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
/* Reads, prepares, builds, describes: facts of data and network and what to warn of go into the record. */
lnt_status lnt_network_read(lnt_ctx *ctx, lnt_record *record, lnt_network_data *data, const lnt_network_opts *opts,
                            uint64_t seed, int threads);

/* The naive iteration on those rows, in place of a fit: series, facts and figure of its cycle. */
lnt_status lnt_fitting_naive(lnt_ctx *ctx, lnt_record *record, const lnt_network_data *data,
                             const lnt_fitting_opts *opts);
/* The ready-made problems, all methods side by side. */
lnt_status lnt_fitting_demo(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts);

extern const lnt_option lnt_fitting_options[];

#endif
