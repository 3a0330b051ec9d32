/* What iterating and the spectral shortcut share. */
#ifndef LINNET_LEARNERS_H
#define LINNET_LEARNERS_H

#include "linnet/quadratic.h"

/* LNT_EINVAL for a rule outside its range. */
lnt_status lnt_learners_check(lnt_ctx *ctx, lnt_mat gen, lnt_mat train, lnt_mat S, const lnt_quadratic *q,
                              const lnt_learner *learner, int count, int epochs);

/* sum_i c_i (s_i - t_i)^2; c and t may be NULL for 1 and 0. */
double lnt_square_distance(const double *s, const double *t, const double *c, int n);
/* sum_i s_i (a_i - b_i). */
double lnt_difference_along(const double *s, const double *a, const double *b, int n);

#endif
