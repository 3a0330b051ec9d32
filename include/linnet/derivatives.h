/* Layered networks with biases, and all their derivatives.
 *
 *     a_l = s_l W_l z_{l-1} + t b_l,   z_l = phi_l(a_l),   f = z_L,
 *
 * with phi the activation in the hidden layers and `output` in the last one; s_l = t = 1, or s_l = 1/sqrt(width[l-1])
 * and t = bias_scale in the scaling of the neural tangent kernel (Jacot et al. 2018).
 *
 * The weights are one vector: layer after layer W_l (width[l] x width[l-1], column by column, as in net.h), then b_l
 * where there are biases. Without biases, scaling and output activation that is an lnt_net and its weight vector.
 *
 * Samples stand in columns of X (inputs x N); F (outputs x N) is, column by column, the vector of n = outputs N
 * outputs, entry sample*outputs + output. B (n x k) is its Jacobian with respect to the weights. */
#ifndef LINNET_DERIVATIVES_H
#define LINNET_DERIVATIVES_H

#include "linnet/model.h"
#include "linnet/net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_layers {
    lnt_net net; /* depth, widths, activation of the hidden layers */
    bool biases;
    lnt_activation output; /* of the last layer: linear unless said otherwise */
    bool ntk;              /* s_l = 1/sqrt(width[l-1]); a variance of 1 in all weights then suits every width */
    double bias_scale;     /* t; 0 stands for 1 */
} lnt_layers;

/* Number of weights and biases, k. */
LNT_API size_t lnt_layers_size(const lnt_layers *net);
/* W_l as a view of the weight vector w, l = 1 .. depth; and b_l, NULL without biases. */
LNT_API lnt_mat lnt_layers_weights(const lnt_layers *net, const double *w, int l);
LNT_API double *lnt_layers_biases(const lnt_layers *net, const double *w, int l);
/* s_l, and t. */
LNT_API double lnt_layers_scale(const lnt_layers *net, int l);
LNT_API double lnt_layers_bias_scale(const lnt_layers *net);

/* What one pass over a block of samples leaves behind, and scratch for the passes below, for at most `width` samples;
 * the batched routines keep one for themselves. All are safe to call at once with works of their own. */
typedef struct lnt_layers_work {
    int width;
    lnt_mat *Z, *slope, *curve; /* z_l, phi_l'(a_l), phi_l''(a_l); l = 0 .. L, of which Z[0] is X itself */
    lnt_mat *dZ, *ddZ;          /* first and second derivatives of z_l along v; l = 1 .. L */
    lnt_mat D, D_next;          /* back-propagated factors, widest x width outputs */
    double *w; /* NULL, or the weights of the last pass over all of X, which `kept` says is still there */
    bool kept;
} lnt_layers_work;

LNT_API lnt_status lnt_layers_work_alloc(lnt_ctx *ctx, lnt_layers_work *work, const lnt_layers *net, int width);

/* Forward pass over X, of at most work->width columns, which must live as long as its results are used: fills Z and
 * slope, and curve where asked for. The outputs are the first X.cols columns of work->Z[depth]. */
LNT_API void lnt_layers_pass(lnt_layers_work *work, const lnt_layers *net, const double *w, lnt_mat X, bool curve);
/* D_{l-1} from D_l after a pass: with D_l (width[l] x N m) holding m columns df/da_l for each of N samples, one sample
 * after the other, below (width[l-1] x N m) <- s_l W_l^T D_l o phi'(a_{l-1}). l = depth .. 2. */
LNT_API void lnt_layers_back(lnt_mat below, const lnt_layers_work *work, const lnt_layers *net, const double *w, int l,
                             lnt_mat D);
/* D_L (outputs x N outputs) after a pass: column i*outputs + o is phi_L'(a_L) of sample i in entry o, else 0. With
 * lnt_layers_back() that gives df_{i,o}/da_l for all layers, the factors of the Jacobian and of the kernel B B^T. */
LNT_API void lnt_layers_top(lnt_mat D, const lnt_layers_work *work, const lnt_layers *net);

/* The routines below work through the samples in blocks, with scratch memory from the context. Shapes are the caller's
 * duty (asserted). Results depend on a sample alone, not on which others stand beside it, except for rounding in
 * products. */

/* F (outputs x N) <- f. 2 k operations a sample. */
LNT_API lnt_status lnt_layers_forward(lnt_ctx *ctx, lnt_mat F, const lnt_layers *net, const double *w, lnt_mat X);
/* dF <- B v for v = (dW, db): with a. = s (dW z + W z.) + t db, z. = phi'(a) o a., and z. = 0 at the input, dF = z._L.
 * 6 k operations a sample. */
LNT_API lnt_status lnt_layers_jvp(lnt_ctx *ctx, lnt_mat dF, const lnt_layers *net, const double *w, const double *v,
                                  lnt_mat X);
/* ddF <- d^2 f(w + t v)/dt^2 at 0, and dF <- B v unless dF.a is NULL: a.. = s (2 dW z. + W z..), z.. = phi''(a) o a.^2
 * + phi'(a) o a... Exact except at the kinks of relu, which count as flat. 10 k operations a sample. */
LNT_API lnt_status lnt_layers_second(lnt_ctx *ctx, lnt_mat dF, lnt_mat ddF, const lnt_layers *net, const double *w,
                                     const double *v, lnt_mat X);
/* g (k) <- B^T u for U (outputs x N): g_a = phi'(a) o g_z; g_W = s g_a z^T, g_b = t g_a, summed over samples; the next
 * g_z = s W^T g_a. 6 k operations a sample. */
LNT_API lnt_status lnt_layers_vjp(lnt_ctx *ctx, double *g, const lnt_layers *net, const double *w, lnt_mat U,
                                  lnt_mat X);
/* BT (k x n) <- B^T: the output of sample i and unit o is column i*outputs + o, and its part of layer l is s_l
 * z_{l-1,i} (x) D_l[i,o], then t D_l[i,o]. As an array of rows of length k that is B itself. k outputs operations a
 * sample for the entries and about 2 k outputs for the factors. */
LNT_API lnt_status lnt_layers_jacobian(lnt_ctx *ctx, lnt_mat BT, const lnt_layers *net, const double *w, lnt_mat X);

/* *model <- a network on the inputs X as a model of n = outputs N outputs with all callbacks, thread-safe. net, X and
 * the context must outlive it, and the context's memory must not be reset below it: there lies scratch memory for as
 * many callbacks at once as there are processors; further ones wait. LNT_EINVAL for no samples, or where n or k exceeds
 * 2^31 - 1. */
LNT_API lnt_status lnt_layers_model(lnt_ctx *ctx, lnt_model *model, const lnt_layers *net, lnt_mat X);
/* The same for a network without biases. */
LNT_API lnt_status lnt_net_model(lnt_ctx *ctx, lnt_model *model, const lnt_net *net, lnt_mat X);

/* Random starts. */
typedef enum lnt_layers_start_kind {
    LNT_START_NORMAL, /* all weights and biases N(0, 1) */
    LNT_START_FAN_IN, /* W_l N(0, 1/width[l-1]), with NTK scaling N(0, 1); biases 0 */
    LNT_START_NGUYEN  /* Nguyen and Widrow (1990): with inputs mapped to [-1, 1] by their range in X, rows of W_1 in
                       * random directions of norm 0.7 h^{1/p} for h units of p inputs, biases uniform within +- that;
                       * other layers N(0, 1/fan-in), biases there 0. Without biases as if they were there */
} lnt_layers_start_kind;

LNT_API void lnt_layers_start(double *w, const lnt_layers *net, lnt_layers_start_kind kind, lnt_mat X, lnt_rng *rng);

/* w <- the weights of the same function in standard form: from the last hidden layer down, for tanh each unit with the
 * sign that makes its largest output weight positive; units sorted by their output weights, the first deciding, then by
 * their input weights, descending. For telling minima apart: those that differ by symmetry agree. */
LNT_API void lnt_layers_canonical(double *w, const lnt_layers *net);

#ifdef __cplusplus
}
#endif
#endif
