/* Descent on a quadratic, one eigenvalue at a time, at any epoch in closed form.
 *
 * F(S) = 1/2 S' Sigma S - b' S + lambda/2 |S|^2 from S(0) = S0. In the eigenbasis of Sigma, with x one of its
 * eigenvalues and h = x + lambda, every rule without a threshold answers
 *     S_i(k) = p_k(h) S0_i + g_k(h) b_i,     p_k + h g_k = 1,
 * whatever the data: p is what is left of the start and g what was learned, without a division, so also at h = 0. Times
 * are steps k for descent and t for its flow; k small steps eta are t = eta k, with momentum t = eta k/(1 - beta).
 * Symbols as in the paper: Sigma, S, b, p, g, h. Eigenvalues x >= 0, eta, lambda >= 0 and 0 <= beta < 1 are the
 * caller's duty, as is that eta (x + lambda) is finite. */
#ifndef LINNET_RESPONSE_H
#define LINNET_RESPONSE_H

#include "linnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_smooth_rule {
    double eta;    /* step; 0: gradient flow dS/dt = -grad F, in which beta counts for nothing */
    double beta;   /* heavy-ball momentum (Polyak 1964), from m = 0: m <- beta m + grad F, S <- S - eta m */
    double lambda; /* ridge: part of the gradient, so that it goes through the momentum */
} lnt_smooth_rule;

typedef struct lnt_response {
    double p, g;
} lnt_response;

/* p and g of eigenvalue x after k >= 0 steps, a whole number, or of the flow at time k, finite.
 *     flow       p = e^{-hk};
 *     descent    p = (1 - eta h)^k;
 *     momentum   p = beta^{k/2} [U_k(c) - sqrt(beta) U_{k-1}(c)], c = (1 + beta - eta h)/(2 sqrt beta), with the
 *                Chebyshev polynomials of the second kind U (Goh 2017): |c| < 1 swings, |c| > 1 creeps.
 *     g = (1 - p)/h, k (flow) or eta k (descent) where h = 0 and beta = 0; with momentum summed without a difference
 *     where it is small.
 * Accuracy: 1e-13 relative, and three times what a change of eta h and of beta by one unit in the last place makes of p
 * and g: more is not in the numbers. That change grows as k: it is of about 1e-16 k of the envelope beta^{k/2} |1 +
 * (1 - beta - eta h)^2/(4 beta - (1 + beta - eta h)^2)|^{1/2} where p swings and passes through 0, of about 1e-16 k^2
 * at the double roots c = +-1, and of nothing much where p falls slowly. p underflows to 0 gradually, from 1e-308 on.
 * Where the rule diverges p and g overflow to infinities of the right sign, never to NaN.
 * Cost: an exponential and a logarithm; with momentum a few more, and log2 k of them as long as p > 1/2: 50 to 500 ns.
 */
LNT_API lnt_response lnt_response_at(const lnt_smooth_rule *rule, double x, double k);

/* The same for n eigenvalues at once, step by step: p_k and g_k and those of step k - 1. The arrays stay where they
 * are; n may be lowered on the way, and entries moved if all five arrays are. */
typedef struct lnt_responses {
    int n;
    const double *x;
    double *p, *g, *p_last, *g_last;
} lnt_responses;

/* Before the first step: p = 1, g = 0, in scratch memory. x (n values) is borrowed. */
LNT_API lnt_status lnt_responses_start(lnt_ctx *ctx, lnt_responses *r, const double *x, int n);
/* One step of descent, eta > 0; eta and lambda may change from step to step. p and g are carried separately, so that
 * neither is a difference of the other. Errors grow as those of the closed form: 1e-16 k relative to the envelope,
 * 1e-16 k^2 at double roots. About 16 operations an eigenvalue, in vectors. Overflows as lnt_response_at(). */
LNT_API void lnt_responses_step(lnt_responses *r, const lnt_smooth_rule *rule);

typedef struct lnt_tuned {
    lnt_smooth_rule rule;
    double rate; /* factor a step by which the slowest mode decays; with momentum but for a factor linear in k */
} lnt_tuned;

/* The fastest rule for a given lambda (Polyak 1964) where the eigenvalues of Sigma lie in [low, high], high > 0, and
 * with `null_space` at 0 as well: h in [a, A], A = high + lambda, a the least h that must decay: lambda if there is a
 * null space and lambda > 0, else low + lambda (what is in the null space stays there forever).
 *     plain       eta = 2/(a + A), rate (A - a)/(A + a);
 *     momentum    eta = (2/(sqrt A + sqrt a))^2, beta = ((sqrt A - sqrt a)/(sqrt A + sqrt a))^2, rate sqrt beta.
 * Where a = 0 nothing is fastest: the rate is 1, and beta = 1, which is no momentum that this library takes. */
LNT_API lnt_tuned lnt_tune(double low, double high, bool null_space, double lambda, bool momentum);

/* lambda_R = low high/(high - low): with a null space, the ridge at which descent tuned by lnt_tune() converges as
 * fast as plain descent does without it, with and without momentum: lambda/(high + lambda) = low/high. Infinite where
 * low = high > 0. */
LNT_API double lnt_equal_rate_ridge(double low, double high);

/* 2 (1 + beta)/(high + lambda): descent converges for 0 < eta below it, and blows up above. At the bound the mode of
 * the largest eigenvalue swings forever. */
LNT_API double lnt_stable_step(double high, double beta, double lambda);

#ifdef __cplusplus
}
#endif
#endif
