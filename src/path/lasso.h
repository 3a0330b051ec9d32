/* The minima of one problem at one penalty after another, each from the former one. */
#ifndef LINNET_PATH_LASSO_H
#define LINNET_PATH_LASSO_H

#include "gram.h"

typedef struct lnt_lasso {
    const lnt_problem *p;
    const lnt_path_opts *o;
    double lambda1, lambda2;
    double top;                                  /* max_j |z_j.y|: lambda_max alpha */
    double *u;                                   /* coefficients of the prepared features */
    double *c;                                   /* z_j.r, exact where it matters and else a guess */
    double *most;                                /* |z_j.r| is at most this */
    double *r, *f;                               /* residual at u, share o r */
    double squares;                              /* sum share r^2 */
    double *former_r, *former_c, former_squares; /* a residual whose c are known for all features */
    bool *aside;                                 /* 0 at the minimum for certain */
    double gap, kkt, z;
    long epochs;
    int *list;
    double *listed;
    lnt_gram gram;
    bool *member; /* the working set where it is too large for a Gram matrix, else NULL */
} lnt_lasso;

/* At u = 0; the options that count are tolerance and max_epochs. */
lnt_status lnt_lasso_make(lnt_ctx *ctx, lnt_lasso *s, const lnt_problem *p, const lnt_path_opts *o);
/* u <- a start. */
lnt_status lnt_lasso_start(lnt_ctx *ctx, lnt_lasso *s, const double *u);
/* s->u <- the minimum at lambda1 > 0, lambda2. */
lnt_status lnt_lasso_solve(lnt_ctx *ctx, lnt_lasso *s, double lambda1, double lambda2);
/* Descends by updates of the residual: a sweep over the members, further ones over the support. */
void lnt_lasso_sweeps(lnt_lasso *s, int sweeps);

#endif
