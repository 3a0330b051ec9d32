/* Tasks: a data set, prepared (centred, reduced, whitened), with its second moments.
 *
 * Inputs x in R^D; a sample per column. Preparation is z = A (x - mean). */
#ifndef LINNET_TASK_H
#define LINNET_TASK_H

#include "linnet/data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* C <- 1/count sum_i (x_i - mean)(x_i - mean)^T over the samples first .. first+count-1, dim x dim, full;
 * mean NULL: about zero. Bytes are summed exactly in integers; doubles are centred before they are multiplied. Cost n
 * D^2; memory beside C: one tile per thread, of at most 960^2 32-bit sums for bytes, or 16 tiles of up to 208^2
 * doubles. The bytes of C do not depend on `threads`, nor, for bytes, on the machine. */
LNT_API lnt_status lnt_second_moment(lnt_ctx *ctx, lnt_mat C, const lnt_samples *samples, const double *mean, int first,
                                     int count, int threads);
/* mean <- 1/n sum_i x_i, dim values. */
LNT_API void lnt_samples_mean(double *mean, const lnt_samples *samples);

/* ---- Preparation ---- */

typedef enum lnt_prep_kind { LNT_PREP_NONE, LNT_PREP_CENTRE, LNT_PREP_PCA, LNT_PREP_WHITEN } lnt_prep_kind;

/* z = A (x - mean): PCA has A = V_k^T, whitening A = diag(1/sd) V_k^T, from the eigenvectors V of the covariance
 * (1/n convention) of the samples it was fitted to. The sign of a component makes its largest entry positive. */
typedef struct lnt_prep {
    lnt_prep_kind kind;
    int inputs, outputs; /* D and the dimension of z */
    double *mean;        /* D values; NULL for LNT_PREP_NONE */
    lnt_mat map;         /* outputs x D; map.a is NULL where A is the identity */
    double *sd;          /* standard deviations of the kept components, descending; NULL without A */
    int rank;            /* directions whose sd exceeds 1e-7 of the largest; D where that was not asked for */
    double retained;     /* share of the total variance in the kept components */
} lnt_prep;

/* Fits a preparation with at most `components` components (0: all that have variance). Directions without
 * variance are dropped, never divided by; the context's log says how many of those asked for.
 * LNT_EDOMAIN where no direction has variance. Cost n D^2 operations and lnt_eigh() of the inputs that vary. */
LNT_API lnt_status lnt_prep_fit(lnt_ctx *ctx, lnt_prep *prep, const lnt_samples *samples, lnt_prep_kind kind,
                                int components, int threads);
/* Z <- A (x_i - mean) for all samples; Z is outputs x n. At most 2 n outputs D operations: bytes that are 0 cost none
 * where the processor has AVX-512. LNT_ESHAPE if the samples have another dimension. */
LNT_API lnt_status lnt_prep_apply(lnt_ctx *ctx, lnt_mat Z, const lnt_prep *prep, const lnt_samples *samples,
                                  int threads);

/* ---- Tasks ---- */

typedef struct lnt_task {
    int n, inputs, outputs; /* samples, dimension of z, dimension of the targets */
    lnt_dataset data;       /* prepared inputs where there is a map, else the raw ones */
    const double *offset;   /* subtracted whenever inputs are fetched, or NULL */
    lnt_prep prep;
} lnt_task;

/* Prepares a data set, which must outlive the task. */
LNT_API lnt_status lnt_task_make(lnt_ctx *ctx, lnt_task *task, const lnt_dataset *data, lnt_prep_kind kind,
                                 int components, int threads);
/* The task of other rows, prepared as `like` was; `data` must fit it (lnt_dataset_match) and outlive it. */
LNT_API lnt_status lnt_task_like(lnt_ctx *ctx, lnt_task *task, const lnt_dataset *data, const lnt_task *like,
                                 int threads);
/* X, Y <- prepared inputs and targets of rows[first..first+count-1] (rows NULL: of first .. first+count-1). */
LNT_API void lnt_task_get(lnt_mat X, lnt_mat Y, const lnt_task *task, const int *rows, int first, int count);
/* A view of the prepared inputs of consecutive samples where they lie in memory as doubles; a NULL `a` where not. */
LNT_API lnt_mat lnt_task_view(const lnt_task *task, int first, int count);

/* Second moments of `n` samples about zero: Sxx = 1/n sum x x^T, Syx = 1/n sum y x^T, tr Syy = 1/n sum |y|^2. */
typedef struct lnt_moments {
    int n;
    lnt_mat Sxx, Syx;
    double tr_Syy;
} lnt_moments;

/* The moments of the samples first .. first+count-1, count >= 1. The bytes do not depend on `threads`. */
LNT_API lnt_status lnt_task_moments(lnt_ctx *ctx, lnt_moments *m, const lnt_task *task, int first, int count,
                                    int threads);

/* Checks and completes moments that were given instead of rows: Sxx symmetric and positive semidefinite, Syx within its
 * range (both to 1e-6 of the largest entry; otherwise LNT_EDOMAIN: no data have them), shapes that fit (LNT_ESHAPE).
 * tr_Syy NaN: the least possible, tr Syx Sxx^+ Syx^T, with which the best linear map has loss 0. n is 0. */
LNT_API lnt_status lnt_moments_complete(lnt_ctx *ctx, lnt_moments *m, lnt_mat Sxx, lnt_mat Syx, double tr_Syy);

/* The modes of a task: Syx = U diag(s) V^T, s descending with k = min(outputs, inputs) entries; U (outputs x k) and
 * VT (k x inputs), or where that was asked for completed to orthogonal matrices. The sign of a mode makes the largest
 * entry of its v positive. */
typedef struct lnt_modes {
    lnt_mat U, VT;
    double *s;
} lnt_modes;

LNT_API lnt_status lnt_modes_of(lnt_ctx *ctx, lnt_modes *modes, lnt_mat Syx, bool full);

#ifdef __cplusplus
}
#endif
#endif
