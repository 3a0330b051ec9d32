/* One step of each descent rule. */
#ifndef LINNET_RULE_H
#define LINNET_RULE_H

#include "linnet/learn.h"

typedef struct lnt_rule_state {
    const lnt_descent *opts;
    size_t size;
    double *m, *v; /* running means of the gradient and, for Adam, of its square; NULL where the rule needs none */
    long steps;
} lnt_rule_state;

lnt_status lnt_rule_alloc(lnt_ctx *ctx, lnt_rule_state *state, const lnt_descent *opts, size_t size);
/* w <- the next iterate; g is used up. */
void lnt_rule_step(lnt_rule_state *state, double *w, double *g);

#endif
