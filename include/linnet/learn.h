/* Descent rules. A solver sees a vector of weights and callbacks, never a network. */
#ifndef LINNET_LEARN_H
#define LINNET_LEARN_H

#include "linnet/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The rows of one step: rows[first .. first+count-1], or first .. first+count-1 themselves where rows is NULL. */
typedef struct lnt_batch {
    const int *rows;
    int first, count;
} lnt_batch;

/* What is minimised: a mean over `rows` samples of a function of `size` weights. Callbacks return 0, or a negative
 * number to stop the descent with LNT_EUSER. */
typedef struct lnt_objective {
    size_t size;
    int rows;
    /* g <- gradient of the mean over the batch. */
    int (*gradient)(double *g, const double *w, const lnt_batch *batch, void *user);
    /* Called with epoch 0 before the first step and after each epoch; may be NULL. */
    int (*after_epoch)(const double *w, int epoch, void *user);
    void *user;
} lnt_objective;

typedef enum lnt_rule { LNT_RULE_DESCENT, LNT_RULE_ADAM } lnt_rule;

/* With g the gradient over the batch plus weight_decay * w, and soft(w, t) = sign(w) max(|w| - t, 0):
 * - descent: w <- soft(w - eta g, eta l1);
 * - with momentum beta (Polyak 1964): m <- beta m + g, w <- soft(w - eta m, eta l1/(1 - beta));
 * - Adam (Kingma and Ba 2015): m, v running means of g and g^2, corrected for their start at 0, h = eta/(sqrt v +
 * epsilon), w <- soft(w - h m, h l1). At rest all of them satisfy the optimality conditions of mean + weight_decay/2
 * |w|^2 + l1 |w|_1. naive_l1 is the common rule soft(., eta l1) after any step, for comparison: with momentum it solves
 * the problem with l1 (1 - beta) instead, with Adam none of this form. */
typedef struct lnt_descent {
    double eta;         /* step, > 0 */
    int batch;          /* samples a step; 0 or more than the epoch's rows: all of them (full batch) */
    int rows_per_epoch; /* 0: all. Shuffled: that many of a new permutation each epoch; else the first ones */
    bool shuffle;       /* before each epoch the order of the last one is permuted anew (lnt_rng_shuffle) */
    int epochs;
    lnt_rule rule;
    double momentum;              /* of descent, 0 <= beta < 1 */
    double beta1, beta2, epsilon; /* of Adam */
    double weight_decay, l1;      /* penalties, >= 0 */
    bool naive_l1;
} lnt_descent;

LNT_API void lnt_descent_defaults(lnt_descent *opts); /* eta .05, batch 100, all rows, shuffled, 20 epochs,
                                                       * no momentum, no penalties; Adam .9, .999, 1e-8 */

typedef enum lnt_stop { LNT_STOP_DONE, LNT_STOP_INTERRUPTED, LNT_STOP_DIVERGED } lnt_stop;

typedef struct lnt_descent_info {
    lnt_stop stop;
    int epochs; /* finished ones, all with finite weights */
    long steps; /* of the finished epochs */
} lnt_descent_info;

/* Stochastic or full-batch gradient descent on w, in place. A short last batch is averaged over its own size.
 * rng is read when shuffling only. Stops early, with LNT_OK and info->stop, when the context is cancelled or when a
 * weight is no longer finite at the end of an epoch; then w holds the weights of the last finished epoch. */
LNT_API lnt_status lnt_descend(lnt_ctx *ctx, double *w, lnt_descent_info *info, const lnt_objective *objective,
                               const lnt_descent *opts, lnt_rng *rng);

/* lambda <- the largest |eigenvalue| of the Hessian at w, by power iteration on central differences of the full
 * gradient, up to 1 % low where the largest ones cluster. Gradient descent near w is stable only for eta < 2/lambda;
 * for one linear layer, whose Hessian is the same everywhere, the bound is exact. Costs at most 600 gradients. */
LNT_API lnt_status lnt_sharpness(lnt_ctx *ctx, double *lambda, const lnt_objective *objective, const double *w,
                                 lnt_rng *rng);

#ifdef __cplusplus
}
#endif
#endif
