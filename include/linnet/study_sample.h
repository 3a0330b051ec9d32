/* The studies of posteriors by Markov chains; study.h has the others. */
#ifndef LINNET_STUDY_SAMPLE_H
#define LINNET_STUDY_SAMPLE_H

#include "linnet/study_fit.h"

#ifdef __cplusplus
extern "C" {
#endif

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
