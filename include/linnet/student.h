/* Teacher and student: random regression tasks, of which theory knows everything.
 *
 * A teacher T in R^D, a start S0 of the student, both fixed, and data sets of n samples: X (D x n) with independent
 * entries N(0, c_i), y = X' T + eps, eps ~ N(0, s2). */
#ifndef LINNET_STUDENT_H
#define LINNET_STUDENT_H

#include "linnet/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_teacher_opts {
    int features;           /* D >= 1 */
    int sparse;             /* only the first entries of T are not 0; 0: all are normal */
    double norm2;           /* |T|^2; 0: T = 0 */
    double start2;          /* E |S0|^2: entries of S0 are N(0, start2/D) */
    double noise2;          /* s2 */
    const double *variance; /* c, D values, or NULL for 1 */
    uint64_t seed;
} lnt_teacher_opts;

/* T, S0 (D values each): normal numbers of the streams (seed, run 0, LNT_FOR_TEACHER) and (seed, run 0,
 * LNT_FOR_WEIGHTS); T is scaled to its norm. */
LNT_API void lnt_teacher_draw(double *T, double *S0, const lnt_teacher_opts *opts);
/* Data set number `run`: X, ld = D, column by column, then the noise of y (n = X.cols values), from the stream (seed,
 * run, LNT_FOR_TASK). 2 n D operations beside the drawing. */
LNT_API void lnt_teacher_samples(lnt_mat X, double *y, const double *T, const lnt_teacher_opts *opts, int run);

/* c_i = i^-decay for i = 1 .. count, scaled to mean 1: a power law of population variances. */
LNT_API void lnt_power_law(double *c, int count, double decay);

#ifdef __cplusplus
}
#endif
#endif
