/* The lasso in the limit of many features and samples, and when it recovers a sparse vector exactly.
 *
 * Features D, samples n, delta = n/D. Samples are columns x_i ~ N(0, I) of X (D x n); y = X^T T + eps, eps ~ N(0, s2).
 * The student is S = argmin 1/(2n) |y - X^T S|^2 + lambda |S|_1. A share rho of the entries of the teacher T, chosen at
 * random, is N(0, |T|^2/(rho D)), the others are 0.
 *
 * In the limit D, n -> infinity at fixed delta and lambda sqrt(D) every entry of S is that of T, seen through Gaussian
 * noise of standard deviation tau/sqrt(D) and thresholded at alpha tau/sqrt(D). */
#ifndef LINNET_LASSO_RISK_H
#define LINNET_LASSO_RISK_H

#include "linnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_lasso_student {
    int features;    /* D >= 1; enters through lambda sqrt(D) and the scale of the threshold only */
    double delta;    /* n/D > 0, below, at or above 1 */
    double density;  /* rho, 0 .. 1: share of T that is not 0. At 0 there is no teacher, whatever teacher2 says */
    double teacher2; /* |T|^2 >= 0 */
    double noise2;   /* s2 >= 0 */
    double lambda;   /* >= 0; at 0 the limit lambda -> 0 is meant: basis pursuit, or least squares where delta > 1 */
} lnt_lasso_student;

typedef struct lnt_lasso_risk {
    double gen, train; /* 1/2 |S - T|^2; 1/(2n) |y - X^T S|^2 */
    double active;     /* share of S that is not 0 */
    double threshold;  /* on S: alpha tau/sqrt(D) */
    double alpha, tau; /* of state evolution */
} lnt_lasso_risk;

/* *risk <- the solution (alpha, tau) of state evolution (Donoho et al. 2011; Bayati and Montanari 2012):
 * with nu = |T|^2/rho, B the entries of sqrt(D) T, Z ~ N(0, 1) and eta(u; t) = sign(u) max(|u| - t, 0),
 *     delta tau^2 = s2 + E [eta(B + tau Z; alpha tau) - B]^2
 *                 = s2 + rho H(tau) + (1-rho) tau^2 K(alpha),
 *     lambda sqrt(D) = alpha tau (1 - active/delta),  active = 2 rho Phi(-a) + 2 (1-rho) Phi(-alpha),
 *     a = alpha tau/sqrt(nu + tau^2),  K(z) = 2 [(1+z^2) Phi(-z) - z phi(z)],
 *     H = tau^2 K(a) + nu [erf(a/sqrt 2) - 2 a phi(a) + 2 a^2 Phi(-a)].
 * gen = (delta tau^2 - s2)/2, train = delta tau^2 (1 - active/delta)^2/2, so that generalised cross-validation is
 * exact: 2 gen + s2 = 2 train/(1 - active/delta)^2.
 *
 * The limit lambda -> 0: without noise and with delta >= lnt_recovery_samples(rho), T is recovered exactly: gen = tau =
 * 0, while `active` is the share just above lambda = 0, which counts vanishing entries beside those of T. Else with
 * delta < 1 S interpolates: train = 0, active = delta, gen > 0, which no penalty, however small, avoids (the least gen
 * lies at some lambda > 0). delta > 1: least squares; delta = 1 with noise: gen = tau = infinity. Without teacher and
 * noise all is 0 (alpha too). From about the largest |X y|/n on, S = 0: gen = |T|^2/2.
 *
 * Accuracy 1e-12 relative; less where the solution itself is sensitive: without noise near delta =
 * lnt_recovery_samples(rho), and at delta near 1 by a factor of about 1e-4/alpha where alpha is smaller than that.
 * Finite D: lambda fixed, gen is larger by O(1/D) (at delta .7, rho .4, |T| = 1 by about .65/D). Cost: some ten
 * thousand evaluations of erfc. LNT_EDOMAIN for what is not finite or outside the ranges above. */
LNT_API lnt_status lnt_lasso_risk_predict(lnt_ctx *ctx, lnt_lasso_risk *risk, const lnt_lasso_student *student);
/* The same for the teacher T (D values) as it is: the mean over normal B is that over its entries, and density and
 * teacher2 are its own. With few hundred entries this differs from the mean over teachers by several percent, more than
 * data sets do. Relative accuracy 1e-10; D times the cost. */
LNT_API lnt_status lnt_lasso_risk_of(lnt_ctx *ctx, lnt_lasso_risk *risk, const lnt_lasso_student *student,
                                     const double *T);

/* M(eps): min |w|_1 subject to X^T w = y, basis pursuit, recovers a vector with a share eps of non-zero entries from
 * noiseless y where n/D > M, and fails where n/D < M, in the limit (Donoho and Tanner 2005; Donoho et al. 2011;
 * Chandrasekaran et al. 2012): M = min_z eps (1+z^2) + (1-eps) K(z). It does not depend on the size of the entries. M
 * rises from 0 at eps = 0 to 1 at 1, about 2 eps ln(1/eps) for small eps. And its inverse: the largest
 * share that n/D = delta allows, 1 from delta = 1 on. Accuracy 1e-13 relative. NaN for eps outside 0 .. 1, and for
 * delta < 0. */
LNT_API double lnt_recovery_samples(double eps);
LNT_API double lnt_recovery_density(double delta);

/* What it takes at finite size: recovery of a vector with `nonzero` of D = `features` entries not 0 from n samples has
 * the probability Phi((n - samples)/sd). */
typedef struct lnt_recovery {
    double samples, sd;
} lnt_recovery;

/* *recovery <- mean and standard deviation of the conic intrinsic volumes V of the cone of directions in which |w|_1
 * does not increase: a random subspace of dimension D - n misses it with a probability that the distribution of V gives
 * exactly (Amelunxen et al. 2014), and V is normal in the limit (Goldstein et al. 2017). With J(z) the squared distance
 * of a normal vector from z times the subdifferential of |w|_1, z its best value for M(eps), eps = nonzero/features,
 * p_k = E (|g| - z)_+^k:
 *     samples = E min J = D M(eps) - kappa,  sd^2 = Var min J - 2 D M(eps),
 *     kappa = (eps + (1-eps) (p_2 - p_1^2))/(eps + 2 (1-eps) Phi(-z)) <= 1,  the finite-size shift,
 *     Var min J = D [eps (2 + 4 z^2) + (1-eps) (p_4 - p_2^2)],
 * to first order in 1/D (our expansion of min J about z). Good to 0.02 in the probability at D >= 60. 0 < nonzero <
 * features; else samples = features or 0, and sd = 0. */
LNT_API void lnt_recovery_finite(lnt_recovery *recovery, int features, int nonzero);
/* That probability. 1 where nonzero <= 0 or samples >= features; else 0 where nonzero > samples. */
LNT_API double lnt_recovery_probability(int features, int samples, int nonzero);

#ifdef __cplusplus
}
#endif
#endif
