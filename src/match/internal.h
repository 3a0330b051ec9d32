#ifndef LINNET_MATCH_INTERNAL_H
#define LINNET_MATCH_INTERNAL_H

#include "linnet/match.h"

#define LNT_SLACK 1e-10  /* of A0, below which the dual may not reach the minimum */
#define LNT_GLOBAL 1e-10 /* the gap, relative to the loss, that counts as certified */

/* ---- vector.c: sums in lanes, as scalar ones would take longer than the products ---- */

double lnt_match_dot(lnt_mat A, lnt_mat B);
/* T <- T + T^T, lower triangle by blocks that stay in cache. */
void lnt_match_add_transpose(lnt_mat T);

/* ---- The dual of one problem (dual.c) ---- */

/* Everything at one E. */
typedef struct lnt_dual_point {
    lnt_mat E, M, D, C1, C2, g;
    double loss, phi; /* L(Z(E)) and c_out - d(E), both times pairs */
    double size;      /* |g| */
} lnt_dual_point;

typedef struct lnt_dual {
    const lnt_match *m;
    double lambda, a; /* of the sum of the pairs' losses: lambda * pairs, 2/that */
    lnt_dual_point at, trial;
    lnt_mat W1, W2, Q1, Q2;  /* r x r, q x q work */
    lnt_mat O, A, B, weight; /* basis of the preconditioner, C1 and C2 in it, 1/diagonal */
    lnt_mat x, res, p, q, step;
    double *w;
    double fall; /* of lambda from one problem to the next, see lnt_match_lower_lambda() */
    bool basis, stale;
    int products;
} lnt_dual;

lnt_status lnt_dual_alloc(lnt_ctx *ctx, lnt_dual *dual, const lnt_match *m);
void lnt_dual_set_lambda(lnt_dual *dual, double lambda);
/* Fills the point from its E. False where E is not feasible. */
bool lnt_dual_evaluate(lnt_dual *dual, lnt_dual_point *point);
/* dual->step <- -(Hessian)^-1 g at dual->at, to the relative residual `tolerance`. */
lnt_status lnt_dual_solve(lnt_ctx *ctx, lnt_dual *dual, double tolerance);
/* Sets the blocks off the diagonal of a q x q matrix to 0. */
void lnt_match_mask(lnt_mat A, const lnt_match *m);
/* K (r x r) <- factor P E P^T; G (q x q) <- P^T T P, all of it. */
void lnt_match_lift(lnt_mat K, double factor, lnt_mat E, const lnt_match *m, lnt_mat work);
void lnt_match_lower(lnt_mat G, lnt_mat T, const lnt_match *m, lnt_mat work);

/* ---- Fits ---- */

lnt_status lnt_match_fit_alloc(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, double lambda);
/* norm, radius, smallest, misfit, penalty, loss from the core D (or T). */
lnt_status lnt_match_measure(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m);
/* The local search where the dual does not reach the minimum; fit holds the dual's answer. */
lnt_status lnt_match_rescue(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, const lnt_match_opts *opts);
/* Newton's method at one lambda from dual->at.E, which is feasible. */
lnt_status lnt_match_newton(lnt_ctx *ctx, lnt_dual *dual, const lnt_match_opts *opts, lnt_match_stop *stop, int *steps);
/* dual->at: a feasible start at lambda, by a path from where the linear solution is small. */
lnt_status lnt_match_start(lnt_ctx *ctx, lnt_dual *dual, const lnt_match_opts *opts, double lambda, int *steps);
/* dual->at at a smaller lambda, by factors of 10 at most, without the last Newton iteration. */
lnt_status lnt_match_lower_lambda(lnt_ctx *ctx, lnt_dual *dual, const lnt_match_opts *opts, double lambda, int *steps);
/* D <- core of the linear problem; E <- its dual variable, may be without rows. */
lnt_status lnt_match_linear_solve(lnt_ctx *ctx, lnt_mat D, lnt_mat E, const lnt_match *m, double lambda);

/* order <- the indices of lambda from large to small. */
void lnt_match_descending(int *order, const double *lambda, int count);
bool lnt_match_is_centred(lnt_mat X);
/* A <- J A. */
void lnt_match_subtract_means(lnt_mat A);
lnt_status lnt_match_check_lambda(lnt_ctx *ctx, double lambda, bool zero);

#endif
