#ifndef LINNET_MP_H
#define LINNET_MP_H

#include "linnet/spectrum.h"

/* Means over the whole law of Marchenko and Pastur: <F> = sum_i w_i F(x_i), weights of sum 1, x_0 = 0. */
typedef struct lnt_mp_rule {
    int n;
    double *x, *w;
    double rest; /* 1 - (w_1 + w_2 + ...)/q: the share of the samples' noise outside the span of the inputs */
} lnt_mp_rule;

/* nodes points beside 0 on scratch memory: exact for polynomials of degree 2 nodes - 2. */
lnt_status lnt_mp_rule_even(lnt_ctx *ctx, lnt_mp_rule *rule, double q, double nodes);
/* Points that crowd at the lower edge, for functions that are smooth but for what happens at a distance of about
 * `distance` below it, where they may grow to e^budget; error about 1e-16. */
lnt_status lnt_mp_rule_crowded(lnt_ctx *ctx, lnt_mp_rule *rule, double q, double distance, double budget);

/* <x/(x + lambda)^2> and int lambda^2/(x + lambda)^2 over the bulk alone. */
double lnt_mp_variance(double q, double lambda);
double lnt_mp_bulk_bias(double q, double lambda);

/* What losses are made of, at one time: arrays of all nodes of a rule, that at 0 first. */
typedef struct lnt_mp_state {
    int n;
    const double *x, *w, *p, *g;
    double rest, *L; /* L: scratch of n */
} lnt_mp_state;

lnt_status lnt_student_check(lnt_ctx *ctx, const lnt_student *student, const lnt_smooth_rule *rule);
/* |S0 - T|^2. */
double lnt_student_distance2(const lnt_student *student);
lnt_predicted_loss lnt_mp_loss(const lnt_mp_state *at, const lnt_student *student, double lambda);
/* The nodes for gradient flow at time t. */
lnt_status lnt_mp_flow_rule(lnt_ctx *ctx, lnt_mp_rule *nodes, double q, double lambda, double t);

#endif
