/* Learning curves of linear regression in the limit of many features and samples (random-matrix theory).
 *
 * Teacher-student: n samples of D features, entries of X independent with variance 1, q = n/D, y = X' T + eps with
 * noise of variance s2, a student that starts at S0. Eigenvalues x of Sigma = X X'/n follow Marchenko and Pastur
 * (1967): a bulk on [low, high] of mass min(q, 1), density q sqrt((high - x)(x - low))/(2 pi x), and max(0, 1 - q) at
 * 0. */
#ifndef LINNET_SPECTRUM_H
#define LINNET_SPECTRUM_H

#include "linnet/mat.h"
#include "linnet/response.h"

#ifdef __cplusplus
extern "C" {
#endif

/* low, high = (1 -+ 1/sqrt q)^2, to rounding of low also near q = 1. */
LNT_API void lnt_mp_edges(double *low, double *high, double q);
LNT_API double lnt_mp_density(double q, double x);
/* Midpoint rule x = 1 + 1/q + 2/sqrt q cos t: sum_i w_i f(x_i) for the integral of f over the bulk. */
LNT_API void lnt_mp_nodes(double *x, double *w, int n, double q);
/* <1/(x + lambda)> and R2 = <lambda^2/(x + lambda)^2> over bulk and atom, lambda > 0. */
LNT_API double lnt_mp_resolvent(double q, double lambda);
LNT_API double lnt_mp_ridge_bias(double q, double lambda);
/* c(q) = R2(lambda_R)/(1 - q) - 1: by how much the ridge at lambda_R changes the floor of plain descent, q < 1. */
LNT_API double lnt_penalty_correction(double q);

typedef struct lnt_student {
    double q;
    double start2, overlap, teacher2; /* |S0|^2, S0.T, |T|^2 */
    double noise2;                    /* s2 */
    int features;                     /* D, for the band; 0: infinite */
} lnt_student;

typedef struct lnt_predicted_loss {
    double gen, train;       /* expected losses; gen excludes the noise, train includes it */
    double gen_sd, train_sd; /* their standard deviations over data sets, T and S0 fixed */
} lnt_predicted_loss;

/* The losses after epochs 0 .. count-1 (times NULL), or of the flow (rule->eta = 0) at the given times. */
LNT_API lnt_status lnt_predict_curve(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                     const lnt_smooth_rule *rule, int count, const double *times);
/* Its limit. */
LNT_API lnt_status lnt_predict_limit(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                     const lnt_smooth_rule *rule);
/* The time at which the generalisation loss of gradient flow with ridge lambda is least, and that loss; INFINITY where
 * it falls forever. */
LNT_API lnt_status lnt_best_stop(lnt_ctx *ctx, double *time, double *gen, const lnt_student *student, double lambda);
/* The best ridge s2/(q t2) and its loss (Advani and Saxe 2017), for S0 = 0. */
LNT_API double lnt_best_ridge(const lnt_student *student);

/* Ridge on any population spectrum (Canatar et al. 2021, Simon et al. 2023). */
typedef struct lnt_population {
    int count;
    const double *variance, *coefficient; /* eigenvalues s_i >= 0 of the population covariance, teacher along them */
    double noise2;
} lnt_population;

typedef struct lnt_ridge_risk {
    double kappa;       /* effective ridge */
    double test, train; /* mean squared errors, noise included */
    double distance2;   /* |S - T|^2 */
    double gen;         /* 1/2 (test - noise2) */
} lnt_ridge_risk;

LNT_API lnt_status lnt_ridge_risk_predict(lnt_ctx *ctx, lnt_ridge_risk *risk, const lnt_population *population,
                                          double n, double lambda);

#ifdef __cplusplus
}
#endif
#endif
