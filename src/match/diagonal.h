#ifndef LINNET_MATCH_DIAGONAL_INTERNAL_H
#define LINNET_MATCH_DIAGONAL_INTERNAL_H

#include "linnet/match_diagonal.h"

#include "internal.h"

lnt_status lnt_match_check_diagonal(lnt_ctx *ctx, const lnt_match *m);

/* g <- gradient, *f <- value at x; negative to stop. */
typedef lnt_status (*lnt_match_function)(lnt_ctx *ctx, double *f, double *g, const double *x, void *user);

/* Limited-memory BFGS (Liu and Nocedal 1989) with a line search for the conditions of Wolfe. x: start and
 * answer; *f its value; *steps grows. *converged: |g| <= tolerance * |g at the start|, or f no longer falls. */
lnt_status lnt_match_lbfgs(lnt_ctx *ctx, double *x, double *f, int *steps, bool *converged, size_t n,
                           lnt_match_function function, void *user, double tolerance, int max_steps);

#endif
