/* Learning curves of linear regression in the limit of many features and samples (random-matrix theory).
 *
 * Teacher and student: n samples of D features, the entries of X (D x n) independent with mean 0 and variance 1, n, D
 * -> infinity at q = n/D > 0. Targets y = X' T + eps, noise eps of variance s2. The student starts at S0 and descends
 * on |y - X' S|^2/(2n) + lambda/2 |S|^2 by a rule of response.h. Two losses: gen   = 1/2 |S - T|^2, what a new sample
 * costs beyond its noise: its error is 2 gen + s2; train = |y - X' S|^2/(2n), without the penalty. They depend on the
 * data through the eigenvalues x of Sigma = X X'/n alone, which follow Marchenko and Pastur 1967: a bulk on [low,
 * high], low, high = (1 -+ 1/sqrt q)^2, of density q sqrt((high - x)(x - low))/(2 pi x) and mass min(q, 1), and a mass
 * max(0, 1 - q) at 0, the null space. <.> is the mean over both; <x> = 1, <x^2> = 1 + 1/q. At q = 1 the bulk touches 0,
 * with a density of x^{-1/2}/pi there, and all rates between 0 and 4 occur. Times are steps k or times t of the flow,
 * as in response.h. Nothing here draws random numbers or looks at data. */
#ifndef LINNET_SPECTRUM_H
#define LINNET_SPECTRUM_H

#include "linnet/mat.h"
#include "linnet/response.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The law of Marchenko and Pastur, q > 0 finite ---------------------------------------------------------- */

/* low, high = (1 -+ 1/sqrt q)^2, to a few units in the last place, low also near q = 1, where it is (1 - q)^2/4. */
LNT_API void lnt_mp_edges(double *low, double *high, double q);
/* The density of the bulk at x; 0 outside, infinite at x = 0 for q = 1. The mass at 0 is not in it. */
LNT_API double lnt_mp_density(double q, double x);

/* A rule for means over the law: x, w (n values, ascending x in (low, high)) and the weight w_0 of a node at 0, which
 * is returned: <F> = w_0 F(0) + sum_i w_i F(x_i), exact for polynomials of degree 2n - 2, for every q.
 *     x = 1 + 1/q - (2/sqrt q) cos phi, phi = (i + 1/2) pi/n, w = (2/n) sin^2 phi/x, w_0 = (1 - q)/(1 + q^n):
 * the midpoint rule in phi; the weights have sum 1 to rounding. w_0 belongs to the mass at 0, but differs from it by
 * |1 - q| min(q, 1/q)^n, which the other weights lack of min(q, 1): near q = 1 it makes the rule exact, and it may be
 * negative for q > 1. Other smooth functions: error e^{-2 n sigma}, where F has its first singularity, or grows large,
 * on the ellipse with the foci low, high and the half axes (high - low)/2 cosh sigma, sinh sigma (Trefethen and
 * Weideman 2014). */
LNT_API double lnt_mp_nodes(double *x, double *w, int n, double q);

/* <1/(x + lambda)>, lambda >= 0; infinite at lambda = 0 for q <= 1. From the quadratic equation that it solves, without
 * a difference: 1e-15 relative, also for tiny lambda and near q = 1. */
LNT_API double lnt_mp_resolvent(double q, double lambda);
/* R2 = <lambda^2/(x + lambda)^2>, lambda >= 0: the share of |T|^2 that ridge regression from noiseless samples misses.
 * max(0, 1 - q) at lambda = 0. Accuracy as lnt_mp_resolvent(). */
LNT_API double lnt_mp_ridge_bias(double q, double lambda);
/* c(q) = R2(lambda_R)/(1 - q) - 1, 0 < q <= 1, lambda_R = lnt_equal_rate_ridge(low, high) = (1 - q)^2/(4 q^{3/2}): by
 * how much the ridge that costs no speed misses more than plain descent from S0 = 0 does. With s = sqrt q it is
 * 1/2 [(1 + 4s + s^2)/((1 + s) sqrt(1 + 6s + s^2)) - 1], increasing to (3 sqrt 2 - 4)/8 = 3.03 % at q = 1, and NaN
 * beyond. 1e-15 relative. */
LNT_API double lnt_penalty_correction(double q);

/* ---- Learning curves ---------------------------------------------------------------------------------------- */

typedef struct lnt_student {
    double q;        /* samples a feature, n/D */
    double start2;   /* |S0|^2 */
    double overlap;  /* S0.T, at most |S0| |T| in size */
    double teacher2; /* |T|^2 */
    double noise2;   /* s2 */
    int features;    /* D, which the band needs; 0: no band */
} lnt_student;

typedef struct lnt_predicted_loss {
    double gen, train; /* means over data sets */
    double gen_sd; /* standard deviation of gen over data sets, with T and S0 fixed, to leading order in 1/D; 0 where
                    * no features are given */
} lnt_predicted_loss;

/* loss[i] (count values) <- the losses after i steps, where times is NULL and eta > 0; else at times[i] >= 0, finite,
 * in any order: times of the flow for eta = 0, for eta > 0 numbers of steps, whole. With p, g the response at x and e =
 * x g
 * - 1 = -(p + lambda g), the part of the teacher that is not learned (Advani and Saxe 2017 for the flow):
 *     L(x)  = |S0|^2 p^2 + 2 S0.T p e + |T|^2 e^2,
 *     gen   = 1/2 [<L> + (s2/q) <x g^2>],
 *     train = 1/2 [<x L> + s2 max(0, 1 - 1/q) + (s2/q) int e^2 over the bulk].
 * The band: with G = [[|S0|^2, S0.T], [S0.T, |T|^2]], A = <(p, e)(p, e)'>, n = q D,
 *     Var gen = {<L^2> - tr(GAGA)}/(2(D + 2)) + (s2/n) <x g^2 L> + s2^2/(2 q n) <x^2 g^4>:
 * of Haar-distributed eigenvectors and the noise; what the eigenvalues themselves fluctuate is of order 1/D^2. The
 * means are right to order 1/D. Runs are samples of one data set each, so a curve of one run stays about one gen_sd off
 * all along, and the mean of m runs gen_sd/sqrt m. Any q, 1 and its neighbourhood included. A rule that diverges gives
 * infinities, never NaN.
 *
 * Accuracy: 1e-13 relative to the largest term, in any case down to 1e-40 of the start; where momentum near 1 takes
 * thousands of steps rounding costs 1e-16 k^2 of p, at most about 1e-11 (response.h). gen_sd^2 as gen^2.
 * Cost: each step takes 40 operations for each of its nodes. n(k) = k + 2 of them would be exact, since all is a
 * polynomial of x; fewer do, to e^-41, as many as the growth of p on ellipses around [low, high] asks for: about
 * 10 sqrt k, and no more than some hundred where there is a gap between 0 and low + lambda; about 100/(1 - beta) with
 * large momentum. Modes that have arrived are taken out. So 200 steps take 0.2 ms, 100,000 take 5 ms, 0.1 s at q = 1. A
 * time of its own costs 0.01 to 0.2 ms, by lnt_response_at(). Nodes of the flow crowd at low: at q = 1 they are 20
 * t^{1/4}. Memory: 10 doubles a node. Losses that were not reached because the context was cancelled are NaN, with
 * LNT_OK. LNT_EDOMAIN: q <= 0, negative squares, an overlap too large, numbers or times that are not finite or not
 * whole. LNT_EINVAL: a rule out of range, a flow without times, or more than 4e6 nodes (at q = 1 without ridge from
 * times of about 1e21, and from 1e11 steps). */
LNT_API lnt_status lnt_predict_curve(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                     const lnt_smooth_rule *rule, int count, const double *times);

/* Its limit for long times; infinite where the rule diverges, eta > lnt_stable_step(high, beta, lambda). Else eta and
 * beta do not matter, and the start only where there is a null space and no ridge: lambda = 0: gen = 1/2 [max(0, 1 - q)
 * |S0 - T|^2 + s2 min(q, 1)/|1 - q|], infinite at q = 1 with noise; train = s2/2 max(0, 1 - 1/q); lambda > 0: gen = 1/2
 * [|T|^2 R2 + (s2/q) V], V = <x/(x + lambda)^2>, train = 1/2 [|T|^2 lambda^2 V + s2 (...)] with the bracket of
 * lnt_predict_curve(). In closed form, 1e-15 relative; the band of lambda > 0 by nodes, 1e-13. Errors as
 * lnt_predict_curve(). */
LNT_API lnt_status lnt_predict_limit(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                     const lnt_smooth_rule *rule);

/* The time at which gen of the gradient flow with ridge lambda is least, and that gen (Advani and Saxe 2017): the best
 * of all local minima; 0 where it only rises, INFINITY, with the limit, where nothing before is lower. Without ridge
 * but with noise it is finite, and at most q |S0 - T|^2/s2. The zero of d gen/dt by bisection, to about 1e-13 of the
 * time where the minimum is not flat, and *gen as lnt_predict_curve(); of local minima those are missed that are
 * narrower than 30 % in time, of which sums of exponentials as smooth as these have none that we know of. Cost: some
 * 200 evaluations, 10 ms; more near q = 1. Errors as lnt_predict_curve(). */
LNT_API lnt_status lnt_best_stop(lnt_ctx *ctx, double *time, double *gen, const lnt_student *student, double lambda);

/* s2/(q |T|^2): the ridge with the least gen of lnt_predict_limit(), which for S0 = 0 is also less than that of any
 * stopping time (Advani and Saxe 2017). 0 without noise, INFINITY with noise alone. */
LNT_API double lnt_best_ridge(const lnt_student *student);

/* ---- Ridge regression on any population spectrum ------------------------------------------------------------ */

typedef struct lnt_population {
    int count;                 /* D directions */
    const double *variance;    /* s_i >= 0, eigenvalues of the covariance of the inputs */
    const double *coefficient; /* T_i, the teacher along them */
    double noise2;             /* s2 */
} lnt_population;

typedef struct lnt_ridge_risk {
    double kappa;       /* effective ridge: directions with s_i above it are learned */
    double test, train; /* mean squared errors, noise included; train without the penalty */
    double distance2;   /* |S - T|^2 */
    double gen;         /* 1/2 (test - noise2), without that difference */
} lnt_ridge_risk;

/* The mean risk of the minimum of |y - X' S|^2/(2n) + lambda/2 |S|^2 from n > 0 samples, which may be any real number;
 * lambda = 0: of least norm (Canatar et al. 2021, Simon et al. 2023). kappa solves
 *     sum s_i/(s_i + kappa) + n lambda/kappa = n,   kappa = 0 where lambda = 0 and no more than n of the s_i are above
 * 0; with L_i = s_i/(s_i + kappa) and e_0 = n/(n - sum L_i^2), test = e_0 [sum (1 - L_i)^2 s_i T_i^2 + s2],   train =
 * (lambda/kappa)^2 test (lambda = 0: (1 - sum L_i/n)^2 test), |S - T|^2 = sum (1 - L_i)^2 T_i^2 + (test/n) sum s_i/(s_i
 * + kappa)^2. Exact for many independent Gaussian inputs; 1 to 2 % off for power laws with some hundred samples. With
 * s_i = 1 these are lnt_predict_limit() with q = n/D, kappa <1/(x + lambda)> ... = 1 (q <= 1). Accuracy: kappa 1e-14
 * e_0 relative, the others a few times that; no differences of close numbers. test and distance2 are infinite where
 * lambda = 0, n is exactly the number of s_i > 0, and anything is left to fit. An s_i > 0 counts however small:
 * rounding errors of an eigensolver should be set to 0 before, they matter at lambda = 0. Cost: 5 to 50 passes over the
 * spectrum. LNT_EDOMAIN: numbers not finite, a variance below 0. LNT_EINVAL: n or lambda out of range. */
LNT_API lnt_status lnt_ridge_risk_predict(lnt_ctx *ctx, lnt_ridge_risk *risk, const lnt_population *population,
                                          double n, double lambda);

#ifdef __cplusplus
}
#endif
#endif
