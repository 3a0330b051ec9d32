/* Tasks that linnet makes itself: those of the papers, whose singular values are known in closed form. */
#ifndef LINNET_BUILTIN_H
#define LINNET_BUILTIN_H

#include "linnet/task.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A generated task.
 *
 * Conventions for items: P items with one-hot inputs e_i and properties y_i, the columns of Y, averaged over the items
 * have Sxx = I/P and Syx = Y/P: so does `tree`. With both times sqrt(P) Sxx = I and Syx = Y: so do `exercise` and
 * `hierarchy`, as their sources have them. The map that is learned, e_i -> y_i, is the same, and so is its path, P
 * times slower (tau -> tau P) with losses smaller by P in the first case.
 */
typedef struct lnt_builtin {
    lnt_moments moments; /* n: samples; 1 where there are expected values only */
    lnt_dataset data;    /* doubles; inputs.n = 0 where there are expected values only */
    double scale;        /* inputs of items are this times one-hot, targets this times the properties; else 1 */
    int modes;           /* number of singular values known, with repetitions */
    double *s;           /* singular values of Syx, descending */
    bool exact;          /* s holds for this Syx; else for its expected value, sampling apart */
} lnt_builtin;

/* Makes the task that `text` names, NAME or NAME:KEY=VALUE,KEY=VALUE, in scratch memory of the context.
 *
 * - "exercise": 4 items with 7 properties, all share the first, pairs share the next two, one each: Y = [1111; 1100;
 * 0011; I], s = sqrt 7, sqrt 3, 1, 1. The hierarchy of depth 2.
 * - "hierarchy": binary tree, a property per node, which the items below it have. depth=D, 0..10, default 3: 2^D items,
 *   2^{D+1} - 1 properties, levels l = 0..D of rows I_{2^l} (x) ones(1, 2^{D-l}). s^2 = 2^{D+1} - 1 once, and for l =
 *   1..D: 2^{D-l+1} - 1, 2^{l-1} times; the item modes are Haar's wavelets.
 * - "illusory": the hierarchy of depth 3 times 4, with a 16th property (-1, 1, 1, 1, -1, -1, -1, -1) that goes against
 *   it: while item 1 is still taken for one of its branch, property 16 is predicted with the wrong sign (Saxe et al.
 *   2019). Singular values are not listed.
 * - "tree": branching diffusion (Saxe et al. 2019). Properties are +1 or -1, a fair coin at the root; every edge of the
 *   tree flips it with probability `flip`. depth=D, 1..12, default 3; branching=B, 2..100, default 2; P = B^D items, at
 *   most 4,096; flip=EPS, 0..1, default 0.15; features=F, 1..1,000,000, default 1,000, drawn independently. Expected
 *   Y^T Y = F C with the correlations C of the items, so that s = sqrt(F lambda)/P, lambda by lnt_tree_spectrum();
 *   singular values of a sample differ by about s sqrt(P/F).
 * - "teacher": y = T x + noise with T = U_k diag(s) V_k^T, U and V Haar-distributed. inputs=D and outputs=O, 1..10,000,
 *   default 8 and 6; singular=S1/S2/..., at most min(D, O) values >= 0, default 3/2/1; noise=SD, 0..1e6, default 0, of
 *   independent normal noise on every output; samples=N, default 1,000, N >= D: normal inputs that are then whitened as
 *   a sample, X = sqrt(N) Q^T from the QR factorisation of N x D normal numbers, so that Sxx = I to rounding.
 * samples=0: no data, expected values instead, Syx = T and tr Syy = sum s^2 + O SD^2. s are those of T; Syx differs by
 * noise of SD/sqrt(N) an entry.
 * - "sphere": inputs uniform on the sphere |x| = radius, target y = x_2 sin x_1, which no linear map has. inputs=D,
 *   2..10,000, default 4; radius=R, 1e-6..1e6, default 2; samples=N, 1..1e6, default 50. Singular values are not listed.
 *
 * Random numbers come from the stream (seed, run 0, LNT_FOR_TASK): tree: property by property, nodes level by level;
 * teacher: columns of U, of V, of the N x D matrix, and the noise sample by sample; sphere: normal numbers, sample by
 * sample, which are then scaled.
 * LNT_EUSAGE, with what would be right: an unknown name or key, a key given twice, a value that is no number or out of
 * range, sizes beyond 2e8 numbers. */
LNT_API lnt_status lnt_builtin_task(lnt_ctx *ctx, lnt_builtin *task, const char *text, uint64_t seed);

/* Eigenvalues of the correlations of the items of a branching diffusion: with q_k = (1 - 2 flip)^{2(depth-k)}, q_{-1} =
 * 0, the correlation of items whose nearest common ancestor stands at level k, lambda[l] = sum_{k=l}^{depth} (q_k -
 * q_{k-1}) branching^{depth-k}, descending, for l = 0 .. depth; multiplicity[0] = 1, multiplicity[l] = branching^l -
 * branching^{l-1}. Both arrays hold depth + 1. */
LNT_API void lnt_tree_spectrum(double *lambda, int *multiplicity, int depth, int branching, double flip);

#ifdef __cplusplus
}
#endif
#endif
