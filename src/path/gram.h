/* min 1/2 u'Gu - b'u + lambda1 |u|_1 + lambda2/2 |u|^2 over a working set of features that grows. */
#ifndef LINNET_PATH_GRAM_H
#define LINNET_PATH_GRAM_H

#include "problem.h"

typedef struct lnt_gram {
    const lnt_problem *p;
    int size, room, most; /* features; before the arrays grow; ever */
    int *place;           /* of all features: where they stand here, -1 for nowhere */
    int *feature;         /* of each place */
    double *u, *b, *q;    /* coefficients, z_j.y, and b - G u */
    lnt_mat G;            /* z_j.z_k */
    double lambda1, lambda2;
    /* Face of the support: place in each slot, or -1, and L L' = G + lambda2 I of the slots; empty ones are rows of I.
     */
    int *face, slots;
    bool *on_face; /* of places */
    lnt_mat L;
    double *slope, *step; /* of slots */
    double *before;       /* coefficients when a polish began */
} lnt_gram;

/* A working set of at most `most` features. */
lnt_status lnt_gram_make(lnt_ctx *ctx, lnt_gram *g, const lnt_problem *p, int most);
/* Features, none of which it has, with u = 0, and q = z_j.f as given. False in *fits, and nothing done, where they
 * would be more than `most`. */
lnt_status lnt_gram_admit(lnt_ctx *ctx, lnt_gram *g, const int *feature, const double *q, int count, bool *fits);
/* Coefficient at a place <- u. */
void lnt_gram_change(lnt_gram *g, int place, double u);
/* Descends until the gap over the working set is at most the target, nothing moves any more, or *epochs reaches most.
 */
void lnt_gram_solve(lnt_gram *g, double lambda1, double lambda2, double target, long *epochs, long most);

/* Newton steps on the face of the support, where the signs of u stay; returns how many. It may end on a smaller face.
 */
long lnt_face_polish(lnt_gram *g);
/* How many sweeps cost as much as the polish would. */
int lnt_face_cost(const lnt_gram *g);
/* Forgets the factor. */
void lnt_face_clear(lnt_gram *g);

/* sign(x) max(|x| - t, 0). */
double lnt_soft(double x, double t);
/* z of the certificate of lnt_path_fit(), from N, u.h and C = largest. */
double lnt_dual_scale(double N, double uh, double largest, double lambda1);

#endif
