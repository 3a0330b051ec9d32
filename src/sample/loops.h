/* Vector loops over samples for the posterior of a network: a layer's numbers stand row after row, N samples each. */
#ifndef LINNET_SAMPLE_LOOPS_H
#define LINNET_SAMPLE_LOOPS_H

#include "linnet/net.h"

/* out (rows x N) <- w in (inner x N), w(i, k) = w[i next_row + k next_inner]. */
typedef struct lnt_loop_product {
    double *out;
    const double *in, *w;
    size_t next_row, next_inner, N;
    int rows, inner;
} lnt_loop_product;

typedef struct lnt_loop_kernels {
    void (*product)(const lnt_loop_product *p);
    /* g (rows x cols, column by column) <- g + D Z' */
    void (*gradient)(double *g, int rows, int cols, const double *D, const double *Z, size_t N);
    /* d <- d o phi'(a), from z = phi(a): to 1e-15 absolute. Not for the linear activation. */
    void (*back)(double *d, const double *z, size_t count, lnt_activation phi);
    /* f <- dlog p/df (but for the factor beta), and minus log p (Gaussian: the sum of squares). v: weights, 0 for
     * samples that only fill up. */
    double (*gaussian)(double *f, const double *d, const double *v, size_t count);
    double (*bernoulli)(double *f, const double *d, const double *v, size_t count);
    double (*categorical)(double *f, const double *d, const double *v, int classes, size_t N);
} lnt_loop_kernels;

/* Those for this processor. */
const lnt_loop_kernels *lnt_loops(void);

#endif
