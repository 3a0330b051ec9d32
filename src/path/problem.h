/* A design with its preparation: prepared features z_j = (x_j - center_j) inverse_j, never stored. */
#ifndef LINNET_PATH_PROBLEM_H
#define LINNET_PATH_PROBLEM_H

#include "linnet/path.h"

typedef struct lnt_problem {
    const lnt_design *X;
    int n, features;
    double *share;   /* v_i/n: they sum to 1 */
    double *root;    /* sqrt(v_i/n) */
    double *mean;    /* of the features */
    double *center;  /* the mean with an intercept, else 0 */
    double *inverse; /* 1/s_j; 0 for a feature of which nothing is left */
    double *square;  /* |z_j|^2 = sum_i share_i z_ij^2 */
    double *y;       /* centred where there is an intercept */
    double y_mean;   /* what was taken off */
    double null;     /* half of sum_i share_i y_i^2 */
    bool even;       /* all weights are equal */
    bool centred;
} lnt_problem;

lnt_status lnt_path_check(lnt_ctx *ctx, const lnt_design *X, const lnt_path_opts *opts);
/* Of the options intercept, standardize and weight count. */
lnt_status lnt_problem_make(lnt_ctx *ctx, lnt_problem *p, const lnt_design *X, const lnt_path_opts *opts);
/* The part with y; may be called for one y after another. */
lnt_status lnt_problem_target(lnt_ctx *ctx, lnt_problem *p, const double *y);

double lnt_problem_sum(const double *f, int n);
/* z_j.f, where sum is that of f. */
double lnt_problem_dot(const lnt_problem *p, int j, const double *f, double sum);
/* c_j <- z_j.f for all features. */
void lnt_problem_correlate(double *c, const lnt_problem *p, const double *f);
/* to <- to + a x_j: the feature as given. */
void lnt_problem_add(const lnt_problem *p, int j, double a, double *to);
/* r <- y - sum_j z_j u_j, f <- share o r; *squares <- sum r f. */
void lnt_problem_residual(double *r, double *f, double *squares, const lnt_problem *p, const double *u);
/* Z (n x count) <- the prepared features j[0 .. count-1] (NULL: all), rows first .. first + Z.rows - 1 of them, times
 * sqrt(share). */
void lnt_problem_columns(lnt_mat Z, const lnt_problem *p, const int *feature, int first);

#endif
