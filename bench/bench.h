/* What the files of the benchmarks share. */
#ifndef LINNET_BENCH_H
#define LINNET_BENCH_H

#include "linnet.h"

double bench_now(void);
/* On the numbers of a problem file, see sampling.py. */
lnt_status bench_posterior(lnt_ctx *ctx, double *problem, bool gradient, double *accuracy, double *seconds,
                           int threads);
lnt_status bench_ess(lnt_ctx *ctx, double *draws, double *ess, double *rhat);

#endif
