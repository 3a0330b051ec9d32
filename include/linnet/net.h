/* Layered linear networks of any depth, y = W_L ... W_1 x, without biases.
 *
 * The weights of a network are one vector: layer after layer, each W_l (width[l] x width[l-1]) column by column. */
#ifndef LINNET_NET_H
#define LINNET_NET_H

#include "linnet/rng.h"
#include "linnet/task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_net {
    int depth;        /* L >= 1 weight matrices */
    const int *width; /* L + 1 widths, inputs first */
} lnt_net;

/* Number of weights, sum_l width[l] width[l-1]. */
LNT_API size_t lnt_net_size(const lnt_net *net);
/* W_l as a view of the weight vector w, l = 1 .. depth. */
LNT_API lnt_mat lnt_net_weights(const lnt_net *net, const double *w, int l);
/* The smallest width between input and output: the largest rank the product can have. */
LNT_API int lnt_net_bottleneck(const lnt_net *net);
/* P <- W_L ... W_1, width[L] x width[0]. */
LNT_API lnt_status lnt_net_product(lnt_ctx *ctx, lnt_mat P, const lnt_net *net, const double *w);

/* ---- Start values ---- */

typedef enum lnt_init_kind { LNT_INIT_ORTHOGONAL, LNT_INIT_GAUSSIAN } lnt_init_kind;

typedef struct lnt_init {
    lnt_init_kind kind;
    double sd; /* of LNT_INIT_GAUSSIAN */
} lnt_init;

/* Reads "orthogonal" or "gaussian:SD" with SD >= 0. LNT_EUSAGE otherwise. */
LNT_API lnt_status lnt_init_parse(lnt_ctx *ctx, lnt_init *init, const char *text);
/* w <- start values.
 * orthogonal: W_l is the leading block of a Haar-distributed orthogonal matrix of size max(width[l], width[l-1]), so
 * that its columns, or its rows where these are fewer, are orthonormal: QR of a Gaussian matrix with width[l-1]
 * columns, column k of Q times sign(R_kk) (Mezzadri 2007). 3 max^2 width[l-1] operations. gaussian: independent N(0,
 * sd^2). Numbers are drawn layer by layer, column by column. */
LNT_API lnt_status lnt_net_init(lnt_ctx *ctx, double *w, const lnt_net *net, const lnt_init *init, lnt_rng *rng);

/* w <- the zero-balanced factors of the linear map P (outputs x inputs): P = U S V^T is split into
 * W_1 = S^{1/L} V^T, W_l = S^{1/L}, W_L = U S^{1/L}; singular values beyond the narrowest layer are left out. */
LNT_API lnt_status lnt_net_factor(lnt_ctx *ctx, double *w, const lnt_net *net, lnt_mat P);

/* ---- Loss, gradient, scores ---- */

/* Scratch memory of lnt_net_gradient() for batches of at most `width` samples. */
typedef struct lnt_net_work {
    int width;
    lnt_mat *A; /* activations A_0 .. A_L */
    lnt_mat Y, D, D_next;
} lnt_net_work;

LNT_API lnt_status lnt_net_work_alloc(lnt_ctx *ctx, lnt_net_work *work, const lnt_net *net, int width);

/* g <- dE/dw of E = 1/(2 count) sum_i |y_i - W_L ... W_1 x_i|^2 over task rows rows[first..first+count-1]
 * (rows NULL: first .. first+count-1), layer by layer D_L = W_L...W_1 X - Y, dE/dW_l = D_l A_{l-1}^T / count,
 * D_{l-1} = W_l^T D_l. Works through the rows in blocks of work->width; 6 operations per weight and row. */
LNT_API void lnt_net_gradient(double *g, lnt_net_work *work, const lnt_net *net, const double *w, const lnt_task *task,
                              const int *rows, int first, int count);

/* Scratch memory of lnt_net_gradient_moments(): for each layer l = 0 .. L two matrices outputs x width[l]. */
typedef struct lnt_moments_work {
    lnt_mat *B, *G;
} lnt_moments_work;

LNT_API lnt_status lnt_moments_work_alloc(lnt_ctx *ctx, lnt_moments_work *work, const lnt_net *net);

/* The same gradient from the moments of the rows, at a cost that does not depend on their number. With
 * B_l = W_L ... W_{l+1} and G_0 = B_0 Sxx - Syx, G_l = G_{l-1} W_l^T: dE/dW_l = B_l^T G_{l-1}. All factors have as many
 * rows as there are outputs: 2 outputs (width[0]^2 + 3 weights) operations. */
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

/* Scores the linear map P (outputs x inputs) on the task rows first .. first+count-1, in fixed blocks over threads. */
LNT_API lnt_status lnt_map_score(lnt_ctx *ctx, lnt_score *score, lnt_mat P, const lnt_task *task, int first, int count,
                                 int threads);

#ifdef __cplusplus
}
#endif
#endif
