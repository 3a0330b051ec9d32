/* Descent on a quadratic, one eigenvalue at a time, at any epoch in closed form.
 *
 * F(S) = 1/2 S' Sigma S - b' S + lambda/2 |S|^2 from S(0) = S0. In the eigenbasis of Sigma, with x an eigenvalue and h
 * = x
 * + lambda, every rule without a threshold answers S_i = p(x) S0_i + g(x) b_i, with p + h g = 1. */
#ifndef LINNET_RESPONSE_H
#define LINNET_RESPONSE_H

#include "linnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_smooth_rule {
    double eta;    /* step; 0: gradient flow, whose time counts instead of steps */
    double beta;   /* heavy-ball momentum, 0 <= beta < 1: m <- beta m + gradient, S <- S - eta m */
    double lambda; /* ridge */
} lnt_smooth_rule;

typedef struct lnt_response {
    double p, g;
} lnt_response;

/* The response after k >= 0 steps (flow: at time k). Closed forms of Chebyshev polynomials of the second kind; 1e-12
 * relative. g is right where h is 0 or tiny. Overflows to infinity where the rule diverges. */
LNT_API lnt_response lnt_response_at(const lnt_smooth_rule *rule, double x, double k);

/* The same for many eigenvalues, step by step: values of p and g and of the step before. */
typedef struct lnt_responses {
    int n;
    const double *x;
    double *p, *g, *p_last, *g_last;
} lnt_responses;

/* Before the first step: p = 1, g = 0. x (n values) is borrowed. */
LNT_API lnt_status lnt_responses_start(lnt_ctx *ctx, lnt_responses *r, const double *x, int n);
/* One step of descent (eta > 0). p and g are carried separately, so that neither is a difference of the other. */
LNT_API void lnt_responses_step(lnt_responses *r, const lnt_smooth_rule *rule);

/* A rule for eigenvalues of Sigma in [low, high] and, where `null_space`, 0 as well. */
typedef struct lnt_tuned {
    lnt_smooth_rule rule;
    double rate; /* factor a step by which the slowest mode decays */
} lnt_tuned;

/* The fastest rule for a given lambda (Polyak 1964), h in [a, A], A = high + lambda, a the least h that must decay:
 * lambda if there is a null space and lambda > 0, else low + lambda: plain eta = 2/(a + A), rate (A - a)/(A + a); with
 * momentum eta = (2/(sqrt A + sqrt a))^2, beta = ((sqrt A - sqrt a)/(sqrt A + sqrt a))^2, rate sqrt beta. */
LNT_API lnt_tuned lnt_tune(double low, double high, bool null_space, double lambda, bool momentum);
/* lambda_R = low high/(high - low): with it ridge and plain descent converge at the same rate where there is a null
 * space. Infinite where low = high. */
LNT_API double lnt_equal_rate_ridge(double low, double high);
/* The largest stable step 2 (1 + beta)/(high + lambda). */
LNT_API double lnt_stable_step(double high, double beta, double lambda);

#ifdef __cplusplus
}
#endif
#endif
