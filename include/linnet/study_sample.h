/* The studies of posteriors by Markov chains; study.h has the others. */
#ifndef LINNET_STUDY_SAMPLE_H
#define LINNET_STUDY_SAMPLE_H

#include "linnet/study_fit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sample ---- */

typedef enum lnt_sampling_hyper {
    LNT_HYPER_AUTO,     /* gaussian: evidence; classes: fixed */
    LNT_HYPER_FIXED,    /* alpha as given, or 1; the noise as given */
    LNT_HYPER_EVIDENCE, /* fixed where Laplace's evidence is largest */
    LNT_HYPER_SAMPLED   /* drawn with the weights, with Gamma priors */
} lnt_sampling_hyper;

typedef enum lnt_sampling_start {
    LNT_SAMPLING_START_LAPLACE, /* N(w*, 4 A^-1): overdispersed draws of Laplace's approximation */
    LNT_SAMPLING_START_PRIOR
} lnt_sampling_start;

typedef enum lnt_sampling_metric {
    LNT_SAMPLING_METRIC_AUTO, /* dense for up to 100 weights of which the data determine nine tenths, gamma >= .9 k: the
                               * posterior is then close to normal */
    LNT_SAMPLING_METRIC_DIAG,
    LNT_SAMPLING_METRIC_DENSE
} lnt_sampling_metric;

typedef struct lnt_sampling_opts {
    lnt_network_opts net;
    bool demo;           /* ready-made networks, against integrals done on grids, and how the distance from Laplace's
                          * approximation falls with the number of rows */
    int sampler;         /* lnt_sampler */
    int chains;          /* >= 1 */
    int warmup, draws;   /* of each chain; draws that are kept */
    int thin;            /* iterations for each of them, >= 1 */
    double target, step; /* as in lnt_sample_opts */
    int max_depth, max_length;
    int metric;                           /* lnt_sampling_metric */
    bool seed_metric;                     /* try Laplace's covariance as the first metric */
    int hyper;                            /* lnt_sampling_hyper */
    const char *alpha_prior, *beta_prior; /* "SHAPE,RATE" of the Gamma priors; NULL: 2,2, and 1,v/100 with the variance
                                           * v of the targets */
    int start;                            /* lnt_sampling_start */
    int starts;                           /* of the fit that finds the mode */
    double coverage;                      /* of bands */
    lnt_int_list grow;  /* numbers of rows at which the distance from Laplace's approximation is measured */
    const char *out;    /* folder; NULL: nothing is saved */
    const char *resume; /* a folder to continue in, with the options in it */
    bool force, figure;
    uint64_t seed;
    int threads;
} lnt_sampling_opts;

/* NUTS, 4 chains of 1000 + 1000, target .9, depth 10, length 32, metric auto, its seed tried, hyper auto, 10
 * starts, coverage .95, figures. */
LNT_API void lnt_sampling_defaults(lnt_sampling_opts *opts);
/* Draws from the posterior of a network on rows, diagnoses the draws and predicts from them, beside Laplace's
 * approximation. With `out` the draws are in DIR/draws.log while the chains run, in chunks, and at the end in
 * DIR/draws.nc (arviz.h). A run that was ended by anything continues with `resume`, and has at the end the draws of an
 * unbroken one, to the bit. Record: tables diagnostics, sampler, criteria, scores; facts verdict, posterior, laplace;
 * series prediction, laplace, held_out; checks: whether the draws can be trusted. Memory: chains draws (k + 8) numbers,
 * a few times over. LNT_EEXIST: the folder holds other draws, or they were made from other options, data or another
 * version; nothing is overwritten then. */
LNT_API lnt_status lnt_sampling_study(lnt_ctx *ctx, lnt_record *record, const lnt_sampling_opts *opts);

/* ---- sample calibrate ---- */

typedef struct lnt_calibrating_opts {
    int inputs, samples;       /* of the data: N(0, 1), drawn once */
    lnt_int_list hidden;       /* widths of the hidden layers; a single 0: the model is linear; empty: 2 */
    int activation;            /* lnt_activation of the hidden layers */
    double alpha, noise_sd;    /* > 0: precision of the prior, deviation of the noise */
    int runs, draws, bins;     /* bins: 2 .. LNT_CALIBRATION_MOST_BINS */
    int warmup, most_thinning; /* of NUTS: iterations; draws that are left out for one that is kept, at most */
    double target;             /* its mean acceptance */
    double spread;             /* deviations of Laplace's draws are multiplied by this */
    uint64_t seed;
    int threads; /* 0: all processors */
} lnt_calibrating_opts;

/* 1 input, 10 samples, tanh, alpha 1, noise .3, 1000 runs of 99 draws in 20 bins; warm-up 300, most_thinning 50, target
 * .9, spread 1. */
LNT_API void lnt_calibrating_defaults(lnt_calibrating_opts *opts);
/* Simulation-based calibration (Talts et al. 2018) of NUTS, of Laplace's approximation, and of that with the precision
 * A in the place of the covariance A^-1. Table calibration (method, quantity, chi2, p, verdict); series histogram/
 * METHOD/QUANTITY and band/low, band/high; arrays ranks/METHOD/QUANTITY, inputs, point; facts network, sampler; checks,
 * see the description of the command; a figure. */
LNT_API lnt_status lnt_calibrating_study(lnt_ctx *ctx, lnt_record *record, const lnt_calibrating_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
