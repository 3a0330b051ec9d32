/* Learning curves of linear regression in the limit of many features and samples (random-matrix theory).
 *
 * Teacher and student: n samples of D features, the entries of X (D x n) independent with mean 0 and variance 1, and
 * n, D -> infinity at q = n/D > 0. Targets y = X' T + eps, with noise eps of variance s2. The student starts at S0 and
 * descends on |y - X' S|^2/(2n) + lambda/2 |S|^2 by a rule of response.h. Two losses:
 *     gen   = 1/2 |S - T|^2, what a new sample costs beyond its noise: its mean squared error is 2 gen + s2;
 *     train = |y - X' S|^2/(2n), without the penalty.
 * They depend on the data through the eigenvalues x of Sigma = X X'/n, which follow Marchenko and Pastur 1967: a bulk
 * on [low, high], low, high = (1 -+ 1/sqrt q)^2, of density q sqrt((high - x)(x - low))/(2 pi x) and mass min(q, 1),
 * and a mass max(0, 1 - q) at 0, the null space. <.> is the mean over both; <x> = 1, <x^2> = 1 + 1/q. At q = 1 the bulk
 * reaches 0, with a density of x^{-1/2}/pi there, and modes of every rate occur.
 * Times are steps k, or times t of the flow, as in response.h. Nothing here draws random numbers or looks at data. */
#ifndef LINNET_SPECTRUM_H
#define LINNET_SPECTRUM_H

#include "linnet/mat.h"
#include "linnet/response.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The law of Marchenko and Pastur; q > 0, finite -------------------------------------------------------------- */

/* low, high = (1 -+ 1/sqrt q)^2, to some units in the last place, low also near q = 1, where it is (1 - q)^2/4. */
LNT_API void lnt_mp_edges(double *low, double *high, double q);
/* The density of the bulk at x; 0 outside, infinite at x = 0 for q = 1. The mass at 0 is not in it. */
LNT_API double lnt_mp_density(double q, double x);

/* A rule for means over the law: nodes x in (low, high), ascending, with weights w (n >= 1 values each), and the weight
 * w_0 of a node at 0, which is returned. <F> = w_0 F(0) + sum_i w_i F(x_i), exact for polynomials of degree 2n - 2:
 *     x = 1 + 1/q - (2/sqrt q) cos phi,   phi = (i + 1/2) pi/n,   w = (2/n) sin^2 phi/x,   w_0 = (1 - q)/(1 + q^n),
 * the midpoint rule in phi. All weights together are 1, to rounding. w_0 differs from the mass at 0 by what the others
 * lack of min(q, 1), |1 - q| min(q, 1/q)^n: this makes the rule exact also near q = 1, and w_0 negative for q > 1.
 * For other smooth F the error is of order e^{-2 n sigma}, where the first singularity of F in the complex plane is on
 * the ellipse with foci low, high and half axes (high - low)/2 cosh sigma, sinh sigma (Trefethen and Weideman 2014). */
LNT_API double lnt_mp_nodes(double *x, double *w, int n, double q);

/* <1/(x + lambda)>, lambda >= 0; infinite at lambda = 0 for q <= 1. From the quadratic equation that it solves, without
 * a difference of close numbers: 1e-15 relative, also for tiny lambda and near q = 1. */
LNT_API double lnt_mp_resolvent(double q, double lambda);
/* R2 = <lambda^2/(x + lambda)^2>, lambda >= 0: the share of |T|^2 that ridge regression on noiseless samples misses;
 * max(0, 1 - q) at lambda = 0. Accuracy as lnt_mp_resolvent(). */
LNT_API double lnt_mp_ridge_bias(double q, double lambda);
/* c(q) = R2(lambda_R)/(1 - q) - 1, 0 < q <= 1, lambda_R = lnt_equal_rate_ridge(low, high) = (1 - q)^2/(4 q^{3/2}): by
 * how much more the ridge that costs no speed misses than plain descent from S0 = 0. With s = sqrt q it is
 * 1/2 [(1 + 4s + s^2)/((1 + s) sqrt(1 + 6s + s^2)) - 1], which increases to (3 sqrt 2 - 4)/8, 3.03 %, at q = 1. NaN
 * beyond. 1e-15 relative. */
LNT_API double lnt_penalty_correction(double q);

/* ---- Learning curves --------------------------------------------------------------------------------------------- */

typedef struct lnt_student {
    double q;        /* samples a feature, n/D */
    double start2;   /* |S0|^2 */
    double overlap;  /* S0.T, between -|S0| |T| and |S0| |T| */
    double teacher2; /* |T|^2 */
    double noise2;   /* s2 */
    int features;    /* D, which the band needs; 0: no band */
} lnt_student;

typedef struct lnt_predicted_loss {
    double gen, train;       /* means over data sets */
    double gen_sd, train_sd; /* their standard deviations over data sets, S0 and T fixed; 0 without features */
} lnt_predicted_loss;

/* loss[i] (count values) <- the losses after i steps, where times is NULL and eta > 0; else at times[i] >= 0, in any
 * order: of the flow for eta = 0, and numbers of steps, whole, for eta > 0. With p, g the response at x, and
 * e = x g - 1 = -(p + lambda g) the part of the teacher that is not learned:
 *     L(x)  = |S0|^2 p^2 + 2 S0.T p e + |T|^2 e^2,
 *     gen   = 1/2 [<L> + (s2/q) <x g^2>],
 *     train = 1/2 [<x L> + s2 max(0, 1 - 1/q) + (s2/q) int e^2 over the bulk]
 * (Advani and Saxe 2017 for the flow). The band, with G = [[|S0|^2, S0.T], [S0.T, |T|^2]] and A = <(p, e)(p, e)'>:
 *     Var gen = [<L^2> - tr(GAGA)]/(2 (D + 2)) + s2/(q D) <x g^2 L> + s2^2/(2 q^2 D) <x^2 g^4>
 *     Var train = [<x^2 L^2> - tr(GBGB)]/(2 (D + 2)) + s2/(q D) <x e^2 L>
 *                 + s2^2/(2 q D) [max(0, 1 - 1/q) + int e^4 over the bulk/q],   B = <x (p, e)(p, e)'>,
 * from eigenvectors in all directions alike and from the noise. The eigenvalues add terms of order 1/D^2, and the means
 * are right to order 1/D. Deviations at different times are those of the same data set: a whole curve lies too high or
 * too low, and the mean curve of m data sets within gen_sd/sqrt m.
 * Any q, 1 and its neighbourhood included. A rule that diverges gives infinities, never NaN.
 *
 * Accuracy: 1e-13 relative, and 1e-16 of the losses at the start. Where all modes decay (q > 1 without noise and ridge)
 * gen stays right to 1e-13 relative down to 1e-20 of the start; in the end it is 0. Where momentum near 1 takes
 * thousands of steps, rounding of p adds up to 1e-11 (response.h). All this goes for gen_sd^2 against gen^2; train_sd^2
 * is a difference of numbers of the size of train^2. Cost: a step takes 50 operations, in vectors, for each of its
 * nodes. 2k + 2 of them would make step k exact, since everything is a polynomial of x. Fewer do, to e^-41, as many as
 * the growth of p on ellipses around [low, high] in the complex plane asks for: some 10 sqrt k, no more than some
 * hundred where low + lambda is not small, but 100/(1 - beta) for large momentum; and nodes that have arrived are taken
 * out. 200 steps take 0.1 to 0.2 ms, 100,000 steps 10 ms, or 0.1 s at q = 1 or beta = 0.99, 10 s at beta = 0.999. A
 * time of its own takes 0.01 to 0.2 ms, by lnt_response_at(); nodes of the flow crowd at low, so that q = 1 needs 20
 * t^{1/4} of them. Memory: 7 doubles a node. Losses that were not reached since the context was cancelled are NaN, with
 * LNT_OK. LNT_EDOMAIN: q <= 0, negative squares, too large an overlap, numbers that are not finite, times that are
 * negative or not whole. LNT_EINVAL: a rule out of range, a flow without times, more than 4e6 nodes (q = 1 without
 * ridge, beyond t = 1e21 or 1e10 steps). */
LNT_API lnt_status lnt_predict_curve(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                     const lnt_smooth_rule *rule, int count, const double *times);

/* Its limit for long times; infinite where the rule diverges, eta > lnt_stable_step(high, beta, lambda). Else eta and
 * beta do not matter, and the start only where there is a null space and no ridge:
 *     lambda = 0:  gen = 1/2 [max(0, 1 - q) |S0 - T|^2 + s2 min(q, 1)/|1 - q|],   train = s2/2 max(0, 1 - 1/q);
 *     lambda > 0:  gen = 1/2 [|T|^2 R2 + (s2/q) V],   V = <x/(x + lambda)^2>,
 *                  train = 1/2 [|T|^2 lambda^2 V + s2 max(0, 1 - 1/q) + (s2/q) (R2 - max(0, 1 - q))].
 * At q = 1 without ridge but with noise gen is infinite. In closed form, 1e-15 relative; the band of lambda > 0 by
 * nodes, 1e-13. Errors as lnt_predict_curve(). */
LNT_API lnt_status lnt_predict_limit(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                                     const lnt_smooth_rule *rule);

/* The time at which gen of the gradient flow with ridge lambda is least, and that gen (Advani and Saxe 2017): the least
 * of all local minima; 0 where it only rises; INFINITY, with the limit, where nothing before is lower. Without ridge
 * but with noise it is at most q |S0 - T|^2/s2. By bisection of d gen/dt, to about 1e-13 of the time unless the minimum
 * is flat; gen as lnt_predict_curve(). Local minima are looked for in steps of 30 % in time, more finely than the modes
 * of a bulk can follow one another. Cost: some 200 evaluations, 0.1 ms, or more where it is late and q near 1. Errors
 * as lnt_predict_curve(). */
LNT_API lnt_status lnt_best_stop(lnt_ctx *ctx, double *time, double *gen, const lnt_student *student, double lambda);

/* s2/(q |T|^2): the lambda with the least gen of lnt_predict_limit(), which for S0 = 0 is below that of any stopping
 * time (Advani and Saxe 2017). 0 without noise, INFINITY with noise and no teacher. */
LNT_API double lnt_best_ridge(const lnt_student *student);

/* ---- Ridge regression on any population spectrum ----------------------------------------------------------------- */

typedef struct lnt_population {
    int count;                 /* D directions */
    const double *variance;    /* s_i >= 0, eigenvalues of the covariance of the inputs */
    const double *coefficient; /* T_i, the teacher along them */
    double noise2;             /* s2 */
} lnt_population;

typedef struct lnt_ridge_risk {
    double kappa;       /* effective ridge: directions with s_i well above it are learned */
    double test, train; /* mean squared errors, noise included; train without the penalty */
    double distance2;   /* |S - T|^2 */
    double gen;         /* 1/2 (test - noise2), computed without that difference */
} lnt_ridge_risk;

/* The mean risk of the minimum of |y - X' S|^2/(2n) + lambda/2 |S|^2 over n samples, n > 0 any real number; lambda = 0:
 * of the least squares solution of least norm (Canatar et al. 2021, Simon et al. 2023). kappa solves
 *     sum s_i/(s_i + kappa) + n lambda/kappa = n,
 * and is 0 where lambda = 0 and n or fewer of the s_i are not 0. With L_i = s_i/(s_i + kappa), e_0 = n/(n - sum L_i^2):
 *     test      = e_0 [sum (1 - L_i)^2 s_i T_i^2 + s2],
 *     train     = (lambda/kappa)^2 test;   lambda = 0: (1 - sum L_i/n)^2 test,
 *     |S - T|^2 = sum (1 - L_i)^2 T_i^2 + (test/n) sum s_i/(s_i + kappa)^2.
 * In the limit of many independent inputs; 1 to 2 % off for power laws and some hundred samples. All s_i = 1 gives
 * lnt_predict_limit() at q = n/D.
 * Accuracy: 1e-14 e_0 relative, gen included. Where lambda = 0 and n is exactly the number of s_i > 0, test and
 * distance2 are infinite if anything is left to fit, else test is 0. An s_i > 0 counts at lambda = 0 however small it
 * is: set rounding errors of an eigensolver to 0 before. Cost: 5 to 50 passes over the spectrum. LNT_EDOMAIN: numbers
 * that are not finite, a variance below 0. LNT_EINVAL: n or lambda out of range. */
LNT_API lnt_status lnt_ridge_risk_predict(lnt_ctx *ctx, lnt_ridge_risk *risk, const lnt_population *population,
                                          double n, double lambda);

#ifdef __cplusplus
}
#endif
#endif
