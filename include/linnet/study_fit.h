/* The studies of network weights as an inverse problem; study.h has the others. */
#ifndef LINNET_STUDY_FIT_H
#define LINNET_STUDY_FIT_H

#include "linnet/study.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A network on rows of data, with its likelihood and prior; shared by fit and sample. The outputs are those of the
 * data, the last layer is linear: f are means (gaussian) or logits. */
typedef struct lnt_network_opts {
    lnt_task_opts task;
    lnt_int_list classes; /* keep the rows of these classes only, in this order; empty: all */
    lnt_int_list hidden;  /* widths of the hidden layers; a single 0: none, the model is linear; empty: 10 */
    int activation;       /* lnt_activation of the hidden layers */
    int bias;       /* LNT_AUTO: in all networks but the linear one with Gaussian noise, which is d = A x + noise */
    int likelihood; /* 0: auto (gaussian; bernoulli for two classes, categorical for more), then
                     * lnt_likelihood_kind + 1 */
    const char *noise_sd;  /* a number, or a file with one for each target or row; NULL: not known */
    const char *noise_cov; /* file of the n x n covariance of the noise, NULL: none */
    double alpha;          /* precision of the prior; 0: none; NaN: auto */
    bool per_layer;        /* one alpha for the weights of each layer, and one for its biases */
} lnt_network_opts;

/* All 0 but for tanh, bias auto and alpha auto. */
LNT_API void lnt_network_defaults(lnt_network_opts *opts);

/* ---- fit ---- */

typedef enum lnt_fitting_method {
    LNT_FITTING_LM,
    LNT_FITTING_GAUSS_NEWTON,
    LNT_FITTING_LINE_SEARCH,
    LNT_FITTING_LBFGS,
    LNT_FITTING_NAIVE /* the iteration that drops f - B w, see lnt_naive() */
} lnt_fitting_method;

typedef enum lnt_fitting_start {
    LNT_FITTING_START_AUTO,   /* nguyen, of naive random */
    LNT_FITTING_START_RANDOM, /* N(0, 1) */
    LNT_FITTING_START_FAN_IN,
    LNT_FITTING_START_NGUYEN,
    LNT_FITTING_START_ZERO,
    LNT_FITTING_START_OPTIMUM /* naive: from what lm finds */
} lnt_fitting_start;

typedef struct lnt_fitting_opts {
    lnt_network_opts net;
    bool demo;          /* the ready-made problems, all methods side by side */
    int draws;          /* of the demo: noise draws */
    lnt_int_list sizes; /* compare networks with so many hidden units by their evidence */
    int method,
        solver; /* lnt_fitting_method; 0: auto, then lnt_fit_solver, then lnt_naive_solver: normal, pinv, ridge */
    int start, starts; /* lnt_fitting_start; how many. LNT_AUTO: 10, of methods for study 1, of the demo 40 */
    int iterations;    /* at most; LNT_AUTO: 600, of naive 2000 */
    double mu, rcond;  /* of naive: the ridge, and the pseudoinverse's tolerance */
    double tau;        /* of lm: first damping */
    bool acceleration; /* of lm */
    bool projection;   /* variable projection of the last layer */
    int scaling;       /* lnt_fit_scaling */
    bool evidence;     /* alpha and the noise from the evidence */
    double coverage;   /* of bands */
    const char *weights_out;
    uint64_t seed;
    int threads;
} lnt_fitting_opts;

LNT_API void lnt_fitting_defaults(lnt_fitting_opts *opts);
/* Fits a network to rows.
 *
 * method naive: T(w) = B^+ d in place of a fit, on the outputs of the data; 0/1 data get a logistic output, unless the
 * likelihood is said to be gaussian. Starts beyond the first only fill the table. Record: series step, naive/sse,
 * naive/norm, naive/move, naive/rank of the first start; facts cycle (see lnt_naive_info; values are the SSE at the
 * points of the cycle, the lowest first), and from an optimum displacement (lnt_naive_displacement, the move of a
 * Gauss-Newton step, the lowest SSE afterwards); tables.starts; weights/1, biases/1, ... of the last weights; figure.
 *
 * demo: bump, sine, zero-one and linear, on which tables.methods has the share of starts within 1 % of the lowest SSE
 * that the default finds from the same starts, the median of iterations and the lowest SSE, means over `draws`; and
 * tables cycles, displacement, involution, data, covariance, evidence, facts cycle and evidence, series band, figures
 * steps, cycle, band, evidence; deviations from known numbers, and checks. Streams: (seed, start, LNT_FOR_WEIGHTS), and
 * of data (seed, 4 draw + problem, LNT_FOR_TASK). */
LNT_API lnt_status lnt_fitting_study(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
