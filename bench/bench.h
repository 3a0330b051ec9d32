/* Jobs of bench.c that stand in files of their own. */
#ifndef LINNET_BENCH_H
#define LINNET_BENCH_H

#include "linnet.h"

double now(void);

/* A tangent kernel: of 1,000 samples by a 64-256-1 network; accuracy: its trace over that of the explicit product. */
lnt_status ntk(lnt_ctx *ctx, double *accuracy, double *seconds, bool explicit_product, int threads);
/* Fits of a file of bench/fits.py; accuracy: mean of half their objectives; operations: of one triangle of B^T B, for
 * every Jacobian. */
lnt_status fit_file(lnt_ctx *ctx, const char *path, double *accuracy, double *seconds, double *operations, int threads);
/* On the numbers of a file of bench/sampling.py: seconds for 1,000 effective samples, or for one gradient; accuracy:
 * the largest R-hat, or the norm. */
lnt_status bench_posterior(lnt_ctx *ctx, double *problem, bool gradient, double *accuracy, double *seconds,
                           int threads);
/* Least bulk ESS and largest R-hat of draws of any program. */
lnt_status bench_ess(lnt_ctx *ctx, double *draws, double *ess, double *rhat);

#endif
