/* What limited-memory quasi-Newton methods keep of their last steps (Liu and Nocedal 1989). */
#ifndef LINNET_QUASI_NEWTON_H
#define LINNET_QUASI_NEWTON_H

#include "linnet/ctx.h"

#define LNT_PAIRS 12

/* Changes s of the point and y of the gradient, with 1/(s.y). */
typedef struct lnt_pairs {
    double *s[LNT_PAIRS], *y[LNT_PAIRS], rho[LNT_PAIRS];
    int n, used, next;
} lnt_pairs;

/* Room for points of n numbers, and no pair yet. */
lnt_status lnt_pairs_alloc(lnt_ctx *ctx, lnt_pairs *m, int n);
/* Keeps the step from (x, g) to (x1, g1), unless the curvature along it is not positive to rounding. */
void lnt_pairs_add(lnt_pairs *m, const double *x1, const double *x, const double *g1, const double *g);
/* p <- -H g by the two loops. */
void lnt_pairs_direction(double *p, const double *g, const lnt_pairs *m);
/* a.b in lanes whose number is fixed: the same bits whatever BLAS was loaded. */
double lnt_pairs_dot(const double *a, const double *b, int n);

#endif
