/* What penalties on the layers do to the function that the layers make: closed forms, each with its source. No files,
 * no randomness.
 *
 * A penalty on the weights is one on the product. For A (m x k) and B (n x k), P = A B', the least penalty over all
 * factors of a given P is
 *
 *     min 1/2 (|A|_F^2 + |B|_F^2) = |P|_*, the sum of the singular values (Srebro et al. 2004),
 *
 * reached by the balanced factors U S^{1/2}, V S^{1/2} of P = U S V' where k is at least the rank. Weight decay on
 * query and key weights of attention, logits X W_Q W_K' X', is the nuclear norm of W_Q W_K' (Kobayashi et al. 2024): it
 * lowers the rank. For a product with one output, S = M V with M (D x H) and V (H), it is |S|, unsquared. In all of
 * these
 * |.| is the Euclidean norm of vectors, |.|_F that of all entries of a matrix, |.|_1 the sum of absolute entries. */
#ifndef LINNET_LAYERED_H
#define LINNET_LAYERED_H

#include "linnet/spectrum.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Penalties of factors ---- */

/* frobenius >= columns >= nuclear. Under a change of gauge (A G, B G^{-T}) the first is kept by orthogonal G, the
 * second by diagonal G, the last by all. frobenius = columns where |a_j| = |b_j| for every column; columns = nuclear
 * where the columns of A are orthogonal, and those of B. */
typedef struct lnt_factor_penalties {
    double frobenius; /* 1/2 (|A|_F^2 + |B|_F^2) */
    double columns;   /* sum_j |a_j| |b_j| */
    double nuclear;   /* |A B'|_* */
} lnt_factor_penalties;

/* One singular value decomposition of A B'. LNT_ESHAPE where A and B have not as many columns. */
LNT_API lnt_status lnt_penalties_of_factors(lnt_ctx *ctx, lnt_factor_penalties *p, lnt_mat A, lnt_mat B);

/* For |M|_1 + |V|_1 of S = M V, V a row of as many entries as M has columns: the least over the scales of each unit, 2
 * sum_j sqrt(|s_j|_1) with the unit's part s_j = m_j V_j of S, and the least of all at this S, 2 sqrt(|S|_1), that of a
 * single unit, since the square root is concave. layers >= units >= merged. */
typedef struct lnt_l1_penalties {
    double layers, units, merged;
} lnt_l1_penalties;

LNT_API lnt_status lnt_l1_penalties_of_layers(lnt_ctx *ctx, lnt_l1_penalties *p, lnt_mat M, const double *V);

/* max_j |l1 (|m_j|_1 - |V_j|) + l2 (|m_j|^2 - V_j^2)|. The loss of V phi(M' x), phi linear or relu, does not change
 * when m_j grows by a factor and V_j shrinks by it. Where loss + l1 (|M|_1 + |V|_1) + l2/2 (|M|_F^2 + |V|^2) is
 * stationary this is therefore 0. */
LNT_API double lnt_unit_imbalance(lnt_mat M, const double *V, double l1, double l2);

/* (sum_k s_k)^2 / sum_k s_k^2: n for n equal values, 1 for a single one, 0 for none. */
LNT_API double lnt_participation(const double *s, int n);

/* out[k] <- max(s_k - lambda, 0) for the first `width` of n values in descending order, 0 for the others: the singular
 * values of W2 W1 at the minima of 1/2 |P - W2 W1|_F^2 + lambda/2 (|W1|_F^2 + |W2|_F^2) with `width` hidden units, s
 * being those of P. All minima are of this value (Kobayashi et al. 2024); for white inputs P is Syx. On the way there,
 * under gradient flow, W1 W1' - W2' W2 decays as e^{-2 lambda t}, whatever the loss of the product. out may be s. */
LNT_API void lnt_decayed_spectrum(double *out, const double *s, int n, int width, double lambda);

/* ---- A linear student of two layers with weight decay ---- */

/* The minimum over S of 1/(2n) |y - X' S|^2 + decay |S|, which is that over M V = S of the loss + decay/2 (|M|_F^2 +
 * |V|^2). It is ridge regression with the penalty lambda = decay/|S|: solved for lambda |S(lambda)| = decay, whose left
 * side increases with lambda. S = 0, lambda infinite, from decay = |X y|/n on. */
typedef struct lnt_norm_penalty {
    double lambda;
    double norm;  /* |S| */
    double gen;   /* 1/2 |S - T|^2 */
    double train; /* 1/(2n) |y - X' S|^2 */
} lnt_norm_penalty;

/* On data: X (D x n), y (n), the teacher T (D); S (D values, or NULL) receives the answer. decay >= 0; 0 gives the
 * least-squares solution of least norm. lambda to rounding error; one singular value decomposition of X. LNT_EDOMAIN:
 * decay is negative or something is not finite. */
LNT_API lnt_status lnt_norm_penalty_on(lnt_ctx *ctx, lnt_norm_penalty *p, double *S, lnt_mat X, const double *y,
                                       const double *teacher, double decay);
/* In the limit of many features, q = n/D samples a feature, entries of X of variance 1, no noise: |S|^2 = t2
 * <(x/(x + lambda))^2> over the Marchenko-Pastur law, gen = t2/2 <(lambda/(x + lambda))^2>. S = 0 from decay = sqrt(t2
 * (1 + 1/q)) on. LNT_EDOMAIN: q <= 0, teacher2 < 0 or decay <= 0, or not finite. */
LNT_API lnt_status lnt_norm_penalty_limit(lnt_ctx *ctx, lnt_norm_penalty *p, double q, double teacher2, double decay);

/* ---- Relu networks on normal inputs ---- */

/* E relu(u) relu(v) for (u, v) normal with mean 0 and covariance [[uu, uv], [uv, vv]]: sqrt(uu vv)/(2 pi) (sin a + (pi
 * - a) cos a), cos a = uv/sqrt(uu vv) (Cho and Saul 2009). */
LNT_API double lnt_relu_product(double uu, double uv, double vv);

/* risk <- E (f(x) - g(x))^2 for f = V relu(M' x), g = Vg relu(Mg' x) and x ~ N(0, I). H = M.cols + Mg.cols units cost
 * one product of H x H x inputs. Absolute error about 1e-15 of the squared outputs of the units. LNT_ESHAPE where the
 * inputs differ. */
LNT_API lnt_status lnt_relu_risk(lnt_ctx *ctx, double *risk, lnt_mat M, const double *V, lnt_mat Mg, const double *Vg);

/* ---- Two pairs of vectors against one ---- */

/* |V U' - v1 u1' - v2 u2'|_F^2 + lam/2 (|v1|^2 + |u1|^2 + |v2|^2 + |u2|^2), in units of (|V| |U|)^2: with x = |v1|
 * |u1|/(|V| |U|), y likewise, and Lambda = lam/(|V| |U|),
 *
 *     1 + x^2 + y^2 - 2x cos(V,v1) cos(U,u1) - 2y cos(V,v2) cos(U,u2) + 2xy cos(v1,v2) cos(u1,u2) + Lambda (x + y),
 *
 * the last term being the least of the penalty, that of |v1| = |u1| and |v2| = |u2|. In a plane cos(v1,v2) is that of
 * the difference of their angles; in higher dimensions it is free within that. */
typedef struct lnt_two_pairs {
    double x, y;
    double cos_v1, cos_u1; /* with V and U */
    double cos_v2, cos_u2;
    double cos_v12, cos_u12; /* between the two */
} lnt_two_pairs;

LNT_API double lnt_two_pairs_loss(const lnt_two_pairs *p, double Lambda);
/* All cosines 1: (1 - x - y)^2 + Lambda (x + y). */
LNT_API double lnt_two_pairs_aligned(double x, double y, double Lambda);
/* The least over all directions, at given x, y >= 0: where x + y > 1 pairs turn away from (V, U) and the first term is
 * 0 as long as 1, x and y are the sides of a triangle, |x - y| <= 1 <= x + y, and (|x - y| - 1)^2 beyond. By the
 * triangle inequality for |.|_F, and reached in a plane with all u along U. */
LNT_API double lnt_two_pairs_turned(double x, double y, double Lambda);
/* The least of all, Lambda - Lambda^2/4 on the flat line x + y = 1 - Lambda/2, or 1 at x = y = 0 for Lambda >= 2;
 * returns x + y. On the line the product has rank 1, with the singular value x + y: it is determined, x and y are not.
 * loss may be NULL. */
LNT_API double lnt_two_pairs_minimum(double Lambda, double *loss);

#ifdef __cplusplus
}
#endif
#endif
