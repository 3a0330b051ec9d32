/* The walk down the lasso's path, knot by knot, from the penalty at which all coefficients vanish. */
#ifndef LINNET_WALK_H
#define LINNET_WALK_H

#include "linnet/mat.h"

/* w(mu) = argmin 1/2 |y - X^T w|^2 + mu |w|_1 is linear in mu between knots: with c = X (y - X^T w), s the signs and A
 * the support, c_A = mu s, |c_j| <= mu, and as mu falls by g, w_A grows by g d and c falls by g a, where d = (X_A
 * X_A^T)^{-1} s and a = X X_A^T d. */
typedef struct lnt_walk {
    lnt_mat X; /* D x n, a row per feature */
    const double *y;
    int most;                  /* active features at a time, min(n, D) */
    double mu, top, tie;       /* now, at the start, and what counts as equal to it */
    int k;                     /* active features, in the order of R */
    int *feature, *slot;       /* of each, and its column of `active` */
    double *w, *s, *d, *z, *e; /* of each; z = R^{-T} s, e scratch */
    double *c, *a;             /* of all features */
    unsigned char *state;
    lnt_mat G;              /* X X^T, or nothing */
    lnt_mat active;         /* its columns of the active features */
    lnt_mat R;              /* upper triangle, R^T R = X_A X_A^T */
    double *full, *sum, *r; /* scratch: D, D and n */
    int waiting;            /* the feature that enters or leaves at this knot, -1: none */
    bool leaves;
    long steps, drops;
    int fresh; /* steps since c and w were computed from X and y */
} lnt_walk;

/* At w = 0 and mu = max |X y|. `whole`: the walk is meant to go down to 0. */
lnt_status lnt_walk_start(lnt_ctx *ctx, lnt_walk *walk, lnt_mat X, const double *y, bool whole);
/* On to the next knot, or to `end`. False where the path has become inconsistent by rounding. */
bool lnt_walk_step(lnt_walk *walk, double end);
/* c and w from X and y, and w with c_A = mu s to the last digits; returns the largest violation of the optimality
 * conditions that was found, in units of the first mu. */
double lnt_walk_correct(lnt_walk *walk);
/* x (k) <- (X_A X_A^T)^{-1} x. */
void lnt_walk_solve(const lnt_walk *walk, double *x);
/* x (D) <- values (k) of the active features, 0 for all others. */
void lnt_walk_scatter(const lnt_walk *walk, double *x, const double *values);

#endif
