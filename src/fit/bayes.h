/* What the files about posteriors share. */
#ifndef LINNET_FIT_BAYES_H
#define LINNET_FIT_BAYES_H

#include "linnet/posterior.h"

/* LNT_EDOMAIN, LNT_EINVAL where data are out of range; LNT_ESHAPE where their number is not n. */
lnt_status lnt_likelihood_check(lnt_ctx *ctx, const lnt_likelihood *likelihood, size_t n);
/* All three and w, for every function that takes them. */
lnt_status lnt_bayes_check(lnt_ctx *ctx, const lnt_model *model, const double *w, const lnt_likelihood *likelihood,
                           const lnt_prior *prior);

static inline double lnt_alpha(const lnt_prior *prior, size_t j)
{
    return prior->alpha[prior->group ? prior->group[j] : 0];
}
/* y (n) <- L y for a y = L' x, with the L of lnt_likelihood_whiten(). */
void lnt_likelihood_lift(double *y, const lnt_likelihood *likelihood, const double *f);
/* How many rows of the Jacobian to ask for at a time: whole samples. */
int lnt_chunk_rows(const lnt_model *model, const lnt_likelihood *likelihood);
/* X (k x count) <- columns first .. first + count - 1 of B'; LNT_EDOMAIN instead of a rejection. */
lnt_status lnt_rows_or_fail(lnt_ctx *ctx, lnt_mat X, const lnt_model *model, const double *w, size_t first);
lnt_status lnt_outputs_or_fail(lnt_ctx *ctx, double *f, const lnt_model *model, const double *w);

#endif
