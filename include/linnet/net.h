/* Layered networks of any depth without biases: a_l = W_l z_{l-1}, z_l = phi(a_l), the last layer linear, y = a_L. With
 * the activation `linear` they are linear maps, y = W_L ... W_1 x.
 *
 * The weights of a network are one vector: layer after layer, each W_l (width[l] x width[l-1]) column by column. */
#ifndef LINNET_NET_H
#define LINNET_NET_H

#include "linnet/rng.h"
#include "linnet/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* linear a; tanh a; relu max(a, 0) with slope 0 at 0; logistic 1/(1 + e^-a); softplus ln(1 + e^a). */
typedef enum lnt_activation { LNT_LINEAR, LNT_TANH, LNT_RELU, LNT_LOGISTIC, LNT_SOFTPLUS } lnt_activation;

typedef struct lnt_net {
    int depth;                 /* L >= 1 weight matrices */
    const int *width;          /* L + 1 widths, inputs first */
    lnt_activation activation; /* of the hidden layers */
} lnt_net;

/* Z <- phi(Z), and slope <- phi'(Z) of the former Z, both to a few units in the last place also where phi saturates;
 * slope.a may be NULL. The linear activation touches neither. */
LNT_API void lnt_activate(lnt_mat Z, lnt_mat slope, lnt_activation phi);
/* The same with curve <- phi''(Z) besides, as accurate: tanh -2 h (1 - h^2), logistic s (1 - s)(1 - 2s), softplus
 * s (1 - s), relu and linear 0. slope.a and curve.a may be NULL. The linear activation fills them too. */
LNT_API void lnt_activate_twice(lnt_mat Z, lnt_mat slope, lnt_mat curve, lnt_activation phi);

/* Number of weights, sum_l width[l] width[l-1]. */
LNT_API size_t lnt_net_size(const lnt_net *net);
/* W_l as a view of the weight vector w, l = 1 .. depth. */
LNT_API lnt_mat lnt_net_weights(const lnt_net *net, const double *w, int l);
/* The smallest width between input and output: the largest rank the product can have. */
LNT_API int lnt_net_bottleneck(const lnt_net *net);
/* P <- W_L ... W_1, width[L] x width[0], whatever the activation. */
LNT_API lnt_status lnt_net_product(lnt_ctx *ctx, lnt_mat P, const lnt_net *net, const double *w);

/* ---- Start values ---- */

typedef enum lnt_init_kind {
    LNT_INIT_ORTHOGONAL,
    LNT_INIT_UNIT_ROWS,
    LNT_INIT_GAUSSIAN,
    LNT_INIT_ALIGNED,
    LNT_INIT_BALANCED
} lnt_init_kind;

#define LNT_MOST_STRENGTHS 512

typedef struct lnt_init {
    lnt_init_kind kind;
    int count; /* of values */
    double
        value[LNT_MOST_STRENGTHS]; /* gaussian: SD; aligned: strengths, one or one per layer; balanced: lambda, sigma */
} lnt_init;

/* Reads "orthogonal", "unit-rows", "gaussian:SD" with SD >= 0, "aligned:A" or "aligned:A1,A2,...", "balanced:LAMBDA" or
 * "balanced:LAMBDA,SIGMA" with SIGMA > 0 (default .01). LNT_EUSAGE otherwise. */
LNT_API lnt_status lnt_init_parse(lnt_ctx *ctx, lnt_init *init, const char *text);
/* True where the start needs the modes of the task. */
LNT_API bool lnt_init_needs_modes(const lnt_init *init);
/* w <- start values; numbers are drawn layer by layer, column by column.
 * - orthogonal: W_l is the leading block of a Haar-distributed orthogonal matrix of size max(width[l], width[l-1]), so
 *   that its columns, or its rows where these are fewer, are orthonormal: QR of a Gaussian matrix with width[l-1]
 *   columns, column k of Q times sign(R_kk) (Mezzadri 2007). 3 max^2 width[l-1] operations.
 * - unit-rows: independent normal numbers, every row of W_l then scaled to norm 1.
 * - gaussian: independent N(0, sd^2).
 * - aligned: W_l = R_l D_l R_{l-1}^T with R_0 = V and R_L = U of the task's modes, Haar-distributed R_l between, and
 *   D_l = A_l on as many modes as pass the narrowest layer, 0 elsewhere: every mode evolves by itself.
 * - balanced: the same with strengths for which W_2^T W_2 - W_1 W_1^T = lambda I and the product has singular values
 *   sigma (Domine et al. 2024): for two layers D_1, D_2 = sqrt((sqrt(lambda^2 + 4 sigma^2) -+ lambda)/2), and on
 *   hidden units beyond the modes sqrt|lambda| on one side, which needs hidden <= outputs (lambda > 0) or hidden <=
 *   inputs (lambda < 0); for other depths lambda = 0 and D_l = sigma^{1/L}.
 * modes (may be NULL for the first three) as from lnt_modes_of(), full. LNT_EUSAGE where the values do not fit the
 * layers. */
LNT_API lnt_status lnt_net_init(lnt_ctx *ctx, double *w, const lnt_net *net, const lnt_init *init,
                                const lnt_modes *modes, lnt_rng *rng);

/* w <- the zero-balanced factors of the linear map P (outputs x inputs): P = U S V^T is split into
 * W_1 = S^{1/L} V^T, W_l = S^{1/L}, W_L = U S^{1/L}; singular values beyond the narrowest layer are left out. */
LNT_API lnt_status lnt_net_factor(lnt_ctx *ctx, double *w, const lnt_net *net, lnt_mat P);

/* ---- Loss, gradient, scores ---- */

/* F <- outputs for the inputs X, a sample per column. */
LNT_API lnt_status lnt_net_forward(lnt_ctx *ctx, lnt_mat F, const lnt_net *net, const double *w, lnt_mat X);

/* Scratch memory of lnt_net_gradient() for batches of at most `width` samples. */
typedef struct lnt_net_work {
    int width;
    lnt_mat *Z, *slope; /* layer outputs z_0 .. z_L, and phi'(a_l) of the hidden ones unless linear */
    lnt_mat Y, D, D_next;
} lnt_net_work;

LNT_API lnt_status lnt_net_work_alloc(lnt_ctx *ctx, lnt_net_work *work, const lnt_net *net, int width);

/* g <- dE/dw of E = 1/(2 count) sum_i |y_i - f(x_i)|^2 over task rows rows[first..first+count-1] (rows NULL: first ..
 * first+count-1): D_L = f(X) - Y, dE/dW_l = D_l Z_{l-1}^T / count, D_{l-1} = (W_l^T D_l) o phi'(A_{l-1}). Works through
 * the rows in blocks of work->width; 6 operations per weight and row. */
LNT_API void lnt_net_gradient(double *g, lnt_net_work *work, const lnt_net *net, const double *w, const lnt_task *task,
                              const int *rows, int first, int count);

/* Scratch memory of lnt_net_gradient_moments(): for each layer l = 0 .. L two matrices outputs x width[l]. */
typedef struct lnt_moments_work {
    lnt_mat *B, *G;
} lnt_moments_work;

LNT_API lnt_status lnt_moments_work_alloc(lnt_ctx *ctx, lnt_moments_work *work, const lnt_net *net);

/* The same gradient of a linear network from the moments of the rows, at a cost that does not depend on their number.
 * With B_l = W_L ... W_{l+1} and G_0 = B_0 Sxx - Syx, G_l = G_{l-1} W_l^T: dE/dW_l = B_l^T G_{l-1}. All factors have as
 * many rows as there are outputs: 2 outputs (width[0]^2 + 3 weights) operations. */
LNT_API void lnt_net_gradient_moments(double *g, const lnt_moments_work *work, const lnt_net *net, const double *w,
                                      const lnt_moments *m);

/* The class that outputs y[0..n) stand for: the index of the largest, the first of equals. n >= 1. */
LNT_API int lnt_largest(const double *y, int n);

/* How well a network does on `rows` samples. */
typedef struct lnt_score {
    double loss; /* E = 1/(2 n) sum_i |y_i - f(x_i)|^2 */
    double
        accuracy; /* share of samples whose largest output is their class (the first of equals); NaN without classes */
} lnt_score;

/* Scores outputs F (outputs x n) against the targets of all n rows of a data set. */
LNT_API lnt_status lnt_outputs_score(lnt_ctx *ctx, lnt_score *score, lnt_mat F, const lnt_dataset *data);
/* Scores a network on the task rows first .. first+count-1, in fixed blocks over threads: a linear one by its product.
 */
LNT_API lnt_status lnt_net_score(lnt_ctx *ctx, lnt_score *score, const lnt_net *net, const double *w,
                                 const lnt_task *task, int first, int count, int threads);
/* Scores the linear map P (outputs x inputs) on the task rows first .. first+count-1, in fixed blocks over threads. */
LNT_API lnt_status lnt_map_score(lnt_ctx *ctx, lnt_score *score, lnt_mat P, const lnt_task *task, int first, int count,
                                 int threads);

#ifdef __cplusplus
}
#endif
#endif
