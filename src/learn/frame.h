/* Eigenvectors of Sigma, for what coordinates along them do not tell. */
#ifndef LINNET_FRAME_H
#define LINNET_FRAME_H

#include "linnet/quadratic.h"

/* U (D x q->modes), x: orthonormal eigenvectors with their eigenvalues, ascending. */
lnt_status lnt_frame_make(lnt_ctx *ctx, lnt_mat U, double *x, const lnt_quadratic *q);

#endif
