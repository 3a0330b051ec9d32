/* Least squares by descent: many learners on one data set, iterated or in closed form.
 *
 * n samples with inputs X (D x n, a sample per column) and targets y; Sigma = X X'/n, b = X y/n. A student S in R^D
 * descends on
 *     |y - X' S|^2/(2n) + lambda/2 |S|^2 + l1 |S|_1,   g(S) = Sigma S - b + lambda S the gradient of its smooth part.
 * Training loss: |y - X' S|^2/(2n), without penalties, to about 1e-15 |y|^2/n. Generalisation loss: 1/2 sum_i c_i (S_i
 * - T_i)^2 with the population variances c of the features (NULL: 1) and the teacher T, without noise. */
#ifndef LINNET_QUADRATIC_H
#define LINNET_QUADRATIC_H

#include "linnet/linalg.h"
#include "linnet/response.h"
#include "linnet/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_least_squares_task {
    lnt_mat X;                     /* D x n, both at least 1 */
    const double *y;               /* n targets */
    const double *teacher, *start; /* T and S0, D values each; NULL: 0 */
    const double *variance;        /* c >= 0, D values, or NULL: 1 */
} lnt_least_squares_task;

/* How the step, the momentum and the threshold go together. With soft(z, t) = sign(z) max(|z| - t, 0), an epoch of all
 * but sgd is one step:
 * heavy  m <- beta m + g(S), S <- soft(S - eta m, eta l1/(1 - beta)). At rest m = g/(1 - beta): only this threshold
 *        makes the point of rest solve the problem at l1. There is no general guarantee that it gets there.
 * naive  the same with threshold eta l1, as is common: its point of rest solves the problem at l1 (1 - beta) (and
 *        lambda), see lnt_effective_l1().
 * outer  S <- soft(S - eta g(S) + beta (S - S_last), eta l1) (Ochs et al. 2014): converges for eta (lam_+ + lambda) <
 *        2 (1 - beta).
 * fista  accelerated (Beck and Teboulle 2009) with eta = 1/lam_+, the exact step soft(., eta l1)/(1 + eta lambda) and a
 *        restart where the momentum points uphill (O'Donoghue and Candes 2015).
 * sgd    as heavy, with the gradient averaged over batches: each epoch goes through a new permutation of the samples;
 *        a short last batch is averaged over its own size, m is kept. All learners of this kind see the same
 *        permutations, so that differences between them are not those of chance.
 * With beta = 0 the first three are the same: proximal gradient descent, plain descent where l1 = 0. */
typedef enum lnt_learner_kind {
    LNT_LEARN_HEAVY,
    LNT_LEARN_NAIVE,
    LNT_LEARN_OUTER,
    LNT_LEARN_FISTA,
    LNT_LEARN_SGD
} lnt_learner_kind;

typedef struct lnt_learner {
    lnt_learner_kind kind;
    lnt_smooth_rule rule; /* eta > 0, 0 <= beta < 1, lambda >= 0; of fista lambda alone counts; eta = 0 (flow) has no
                           * iteration */
    double l1;            /* >= 0 */
    int batch;            /* of sgd: samples a step, at least 1; more than n: all */
} lnt_learner;

/* What is needed of a data set. The first block is for callers, the rest is private. */
typedef struct lnt_quadratic {
    const lnt_least_squares_task *task; /* borrowed, as all that it points to */
    double *b, y2;                      /* X y/n and |y|^2/n */
    double low, high;                   /* extreme eigenvalues of Sigma that are not 0, both 0 where X = 0 */
    bool null_space;                    /* Sigma has the eigenvalue 0, as for n < D */

    lnt_packed Sigma; /* of size 0 where 3 n < D: passes through X are faster there */
    /* The eigenvalues x of Sigma, without most of those that are 0, with the coordinates of S0, T and b along their
     * eigenvectors; and |S0|^2, S0.T and |T|^2 of what lies beside these. */
    int modes;
    double *x, *start, *teacher, *target;
    double start2, overlap, teacher2;
} lnt_quadratic;

/* q in scratch memory: 4 D^2 bytes (none where 3 n < D) and some vectors; X stays in use.
 * Eigenvalues below max(D, n) 2e-16 high count as 0; low and high are right to about n 1e-16 high. They come from Sigma
 * where n >= D, from X' X/n where n < D and low > 1e-5 high, else from X after a QR factorisation, which squares no
 * condition number. Multiplications, with r = min(D, n) and R = max(D, n): D^2 n/2 for Sigma, r^2 R/2 + 2/3 r^3 for the
 * spectrum (QR: 4 r^2 R more). On the way another 8 r^2 bytes (QR: 24 r^2 + 8 D n) or 1024 D, whichever is more.
 * LNT_EINVAL for empty shapes, LNT_EDOMAIN where X, y, T, S0 or c are not finite or c is negative. */
LNT_API lnt_status lnt_quadratic_make(lnt_ctx *ctx, lnt_quadratic *q, const lnt_least_squares_task *task);

/* G <- Sigma S - b 1', the gradient of the training loss at the columns of S. G and S are padded (lnt_padded_alloc), D
 * x any number. One pass over D^2/2 numbers, or over D n where 3 n < D, for up to four columns. */
LNT_API void lnt_quadratic_gradient(lnt_mat G, const lnt_quadratic *q, lnt_mat S);

/* The l1 that the learner's point of rest solves: l1 (1 - beta) for naive, else l1. */
LNT_API double lnt_effective_l1(const lnt_learner *learner);

/* gen, train (epochs + 1 x count): losses before the first and after each epoch of each learner. S (D x count): where
 * they end. train and S may be empty (0 x 0); without train a learner of kind sgd takes no pass over all data.
 *
 * All learners that take full gradients share every pass over Sigma: D^2 multiplications an epoch and learner; up to
 * two of them wait for memory rather than arithmetic; sgd takes 2 D n. A column depends on its learner and
 * rng alone, to the bit, not on the others. Memory: 4 to 6 D values a learner.
 *
 * A learner whose loss overflows has diverged: its losses are infinite from that epoch on and never NaN, its S is of no
 * use; the others do not notice. rng is read by sgd only, one shuffle an epoch, and may be NULL without it.
 * When the context is cancelled the remaining losses are NaN and S is where the learners were.
 * LNT_EINVAL for a rule outside its range. */
LNT_API lnt_status lnt_learners_iterate(lnt_ctx *ctx, lnt_mat gen, lnt_mat train, lnt_mat S, const lnt_quadratic *q,
                                        const lnt_learner *learner, int count, int epochs, lnt_rng *rng);

/* The same for rules without threshold (heavy, naive or outer without l1; outer only without beta) from the spectrum:
 * O(min(D, n)) an epoch and learner, without passes over data. eta = 0 is gradient flow, whose epoch k stands for
 * times[k] >= 0 (epochs + 1 values; NULL: k); other rules do not look at times.
 *
 * Where S is wanted, or c is not 1, eigenvectors are needed as well: 9 min(D, n)^3 operations and D min(D, n) numbers
 * once, and with c 2 D min(D, n) operations an epoch and learner. Agrees with lnt_learners_iterate() to 1e-10 of the
 * largest loss over hundreds of epochs, up to an overflow. What differs is the rounding of Sigma, 1e-16 n high, times k
 * eta, and times k again where momentum is tuned to a condition number near k^2. Errors as there; LNT_EINVAL with a
 * threshold. */
LNT_API lnt_status lnt_learners_spectral(lnt_ctx *ctx, lnt_mat gen, lnt_mat train, lnt_mat S, const lnt_quadratic *q,
                                         const lnt_learner *learner, int count, int epochs, const double *times);

#ifdef __cplusplus
}
#endif
#endif
