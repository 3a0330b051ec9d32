/* Normal tails and the roots of monotone functions, for the theory of thresholds. */
#ifndef LINNET_GAUSS_H
#define LINNET_GAUSS_H

#define LNT_TAILS 5

/* phi(z), the normal density. */
double lnt_normal_density(double z);
/* Q[k] <- int_0^inf u^k/k! phi(z + u) du for z >= 0, so that E (|g| - z)_+^k = 2 k! Q[k]; Q[0] = Phi(-z). Relative
 * accuracy about 1e-15, until they underflow at z = 38. */
void lnt_normal_tails(double Q[LNT_TAILS], double z);

/* The x in [lo, hi] at which f changes its sign, to the last bit or two. f finite; if its signs at the ends are equal,
 * the end at which it is smaller. */
double lnt_root(double (*f)(double x, void *user), void *user, double lo, double hi);

/* The z of M(eps) in lnt_recovery_samples(). */
double lnt_recovery_threshold(double eps);

#endif
