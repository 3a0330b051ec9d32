/* Least squares by descent: many learners on one data set, iterated or in closed form.
 *
 * n samples with inputs X (D x n, a sample per column) and targets y. Sigma = X X'/n, b = X y/n.
 * Training loss |y - X' S|^2/(2n); generalisation loss 1/2 sum_i c_i (S_i - T_i)^2 with the population variances c of
 * the features (NULL: 1) and the teacher T. */
#ifndef LINNET_QUADRATIC_H
#define LINNET_QUADRATIC_H

#include "linnet/response.h"
#include "linnet/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_least_squares_task {
    lnt_mat X;
    const double *y;
    const double *teacher, *start; /* T and S0, D values each */
    const double *variance;        /* c, or NULL */
} lnt_least_squares_task;

/* Threshold and momentum together: where the threshold acts on the step, eta l1/(1 - beta) solves the lasso at l1;
 * naive is eta l1, which solves it at l1 (1 - beta); outer adds the momentum to the point, soft(S - eta g + beta (S -
 * S_last), eta l1) (Ochs et al. 2014); fista takes its own momentum and eta = 1/lam_+ (Beck and Teboulle 2009), with
 * restarts (O'Donoghue and Candes 2015). */
typedef enum lnt_learner_kind {
    LNT_LEARN_HEAVY,
    LNT_LEARN_NAIVE,
    LNT_LEARN_OUTER,
    LNT_LEARN_FISTA,
    LNT_LEARN_SGD
} lnt_learner_kind;

typedef struct lnt_learner {
    lnt_learner_kind kind;
    lnt_smooth_rule rule; /* of fista lambda alone counts; eta = 0 (flow) has no iteration */
    double l1;
    int batch; /* of sgd: a new permutation each epoch, the gradient averaged over the batch, momentum kept */
} lnt_learner;

/* What is needed of a data set: Sigma, b, |y|^2/n and the extreme eigenvalues of Sigma, those that are not 0. */
typedef struct lnt_quadratic {
    const lnt_least_squares_task *task;
    lnt_mat Sigma;
    double *b, y2;
    double low, high;
    bool null_space;
} lnt_quadratic;

LNT_API lnt_status lnt_quadratic_make(lnt_ctx *ctx, lnt_quadratic *q, const lnt_least_squares_task *task);

/* gen, train (epochs + 1 x count): losses after each epoch of each learner. S (D x count): where they end; may be
 * empty. Learners that take full gradients share every pass over Sigma. */
LNT_API lnt_status lnt_learners_iterate(lnt_ctx *ctx, lnt_mat gen, lnt_mat train, lnt_mat S, const lnt_quadratic *q,
                                        const lnt_learner *learner, int count, int epochs, lnt_rng *rng);

/* The same for rules without threshold (heavy, l1 = 0; and eta = 0, the flow, whose epoch k stands for times[k]) from
 * the spectrum: O(min(D, n)) an epoch. */
LNT_API lnt_status lnt_learners_spectral(lnt_ctx *ctx, lnt_mat gen, lnt_mat train, lnt_mat S, const lnt_quadratic *q,
                                         const lnt_learner *learner, int count, int epochs, const double *times);

#ifdef __cplusplus
}
#endif
#endif
