#ifndef LINNET_SMALL_H
#define LINNET_SMALL_H

#include "linnet/linalg.h"

/* lnt_gemm() by kernels for small products, in which BLAS spends its time on calls and copies. False, with nothing
 * done, where BLAS is the faster one. */
bool lnt_small_gemm(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, lnt_op opB, lnt_mat B, double beta);
/* The same for lnt_syrk(); it may write above the diagonal too. */
bool lnt_small_syrk(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, double beta);

#endif
