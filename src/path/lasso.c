#include "lasso.h"

#include "linnet/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GRAM_NUMBERS 1e7 /* a Gram matrix may have, or half of what the design has */
#define GRAM_SIDE 1000   /* and three times the samples: beyond, updates of the residual are cheaper */
#define SHARE_OF_PASS 3  /* a third of all inner products: then all of them, which serve longer */
#define AT_LEAST 64      /* features that may join at once */
#define SWEEPS 10        /* between looks at the gap */

/* r, f and c at u, which later bounds refer to. */
static void refer(lnt_lasso *s)
{
    lnt_problem_residual(s->r, s->f, &s->squares, s->p, s->u);
    lnt_problem_correlate(s->c, s->p, s->f);
    memcpy(s->former_r, s->r, (size_t)s->p->n * sizeof(double));
    memcpy(s->former_c, s->c, (size_t)s->p->features * sizeof(double));
    s->former_squares = s->squares;
}

lnt_status lnt_lasso_make(lnt_ctx *ctx, lnt_lasso *s, const lnt_problem *p, const lnt_path_opts *o)
{
    size_t n = (size_t)p->n, D = (size_t)p->features;
    *s = (lnt_lasso){.p = p, .o = o};
    s->u = lnt_alloc_zero(ctx, D, sizeof(double));
    s->c = lnt_alloc(ctx, D, sizeof(double));
    s->most = lnt_alloc(ctx, D, sizeof(double));
    s->former_c = lnt_alloc(ctx, D, sizeof(double));
    s->r = lnt_alloc(ctx, n, sizeof(double));
    s->f = lnt_alloc(ctx, n, sizeof(double));
    s->former_r = lnt_alloc(ctx, n, sizeof(double));
    s->aside = lnt_alloc(ctx, D, sizeof *s->aside);
    s->list = lnt_alloc(ctx, D, sizeof *s->list);
    s->listed = lnt_alloc(ctx, D, sizeof(double));
    if (!s->u || !s->c || !s->most || !s->former_c || !s->r || !s->f || !s->former_r || !s->aside || !s->list ||
        !s->listed)
        return LNT_ENOMEM;
    refer(s);
    for (int j = 0; j < p->features; j++)
        s->top = fmax(s->top, fabs(s->c[j]));
    s->lambda1 = s->top;
    double most = fmin(sqrt(fmax(GRAM_NUMBERS, (double)p->n * p->features / 2)), fmax(GRAM_SIDE, 3.0 * p->n));
    return lnt_gram_make(ctx, &s->gram, p, most < p->features ? (int)most : p->features);
}

/* ---- Certificate ---- */

/* An upper bound of |z_j.r| from t |z_j.r0| + |z_j| |r - t r0|, with room for rounding. */
typedef struct reach {
    double t, distance, slack;
} reach;

static reach measure(const lnt_lasso *s)
{
    const double *share = s->p->share, *r = s->r, *r0 = s->former_r;
    reach x = {.slack = 1e-13 * s->top};
    double square = 0;
    x.t = s->former_squares > 0 ? lnt_vec_dot(s->p->n, s->f, r0) / s->former_squares : 0;
    for (int i = 0; i < s->p->n; i++)
        square += share[i] * ((r[i] - x.t * r0[i]) * (r[i] - x.t * r0[i]));
    x.distance = sqrt(square) * (1 + 1e-10);
    return x;
}

static double bound(const lnt_lasso *s, const reach *x, int j)
{
    return fabs(x->t * s->former_c[j]) + sqrt(s->p->square[j]) * x->distance + x->slack;
}

/* c <- z_j.r, exact for all coefficients that are not 0 and all features that may come up to lambda1. */
static void correlate(lnt_lasso *s)
{
    const lnt_problem *p = s->p;
    reach x = measure(s);
    int count = 0;
    for (int j = 0; j < p->features; j++) {
        s->c[j] = x.t * s->former_c[j];
        s->most[j] = bound(s, &x, j);
        if (s->u[j] != 0 || (!s->aside[j] && s->most[j] >= s->lambda1))
            s->list[count++] = j;
    }
    if (count > p->features / SHARE_OF_PASS) {
        lnt_problem_correlate(s->c, p, s->f);
        memcpy(s->former_c, s->c, (size_t)p->features * sizeof(double));
        memcpy(s->former_r, s->r, (size_t)p->n * sizeof(double));
        s->former_squares = s->squares;
        for (int j = 0; j < p->features; j++)
            s->most[j] = fabs(s->c[j]) + x.slack;
        return;
    }
    double sum = lnt_problem_sum(s->f, p->n);
    for (int k = 0; k < count; k++) {
        int j = s->list[k];
        s->c[j] = lnt_problem_dot(p, j, s->f, sum);
        s->most[j] = fabs(s->c[j]) + x.slack;
    }
}

static void certify(lnt_lasso *s)
{
    const lnt_problem *p = s->p;
    double uu = 0, uh = 0, largest = 0;
    lnt_problem_residual(s->r, s->f, &s->squares, p, s->u);
    correlate(s);
    s->kkt = 0;
    for (int j = 0; j < p->features; j++) {
        double u = s->u[j], h = s->c[j] - s->lambda2 * u;
        if (s->aside[j] && u == 0)
            continue;
        uu += u * u;
        uh += u * h;
        largest = fmax(largest, fabs(h));
        s->kkt = fmax(s->kkt, u != 0 ? fabs(h - copysign(s->lambda1, u)) : fabs(h) - s->lambda1);
    }
    s->kkt = s->top > 0 ? s->kkt / s->top : 0;
    double N = s->squares + s->lambda2 * uu, z = lnt_dual_scale(N, uh, largest, s->lambda1);
    s->z = z;
    s->gap = N / 2 * (1 - z) * (1 - z);
    for (int j = 0; j < p->features; j++)
        if (s->u[j] != 0) {
            double u = s->u[j], h = s->c[j] - s->lambda2 * u;
            s->gap += fmax(0, s->lambda1 * fabs(u) - z * u * h); /* below 0 by rounding alone */
        }
}

/* Gap-safe screening: the dual solution is within sqrt(2 gap) of the dual point. */
static void screen(lnt_lasso *s)
{
    double radius = sqrt(2 * s->gap) * (1 + 1e-10);
    for (int j = 0; j < s->p->features; j++)
        s->aside[j] |=
            s->u[j] == 0 && fabs(s->z) * s->most[j] + sqrt(s->p->square[j] + s->lambda2) * radius < s->lambda1;
}

/* ---- The working set ---- */

static bool inside(const lnt_lasso *s, int j)
{
    return s->member ? s->member[j] : s->gram.place[j] >= 0;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* list <- features outside the working set with |h| above the threshold, of too many those with the largest. */
static int candidates(lnt_lasso *s, double threshold, int most)
{
    int count = 0, kept = 0;
    for (int j = 0; j < s->p->features; j++)
        if (!inside(s, j) && !s->aside[j] && s->p->square[j] > 0 && fabs(s->c[j]) > threshold) {
            s->listed[count] = fabs(s->c[j]);
            s->list[count++] = j;
        }
    if (count <= most)
        return count;
    qsort(s->listed, (size_t)count, sizeof *s->listed, descending);
    double least = s->listed[most - 1];
    for (int k = 0; k < count && kept < most; k++)
        if (fabs(s->c[s->list[k]]) >= least)
            s->list[kept++] = s->list[k];
    return kept;
}

/* The listed features join the working set. Where its Gram matrix would be too large, it lives on without. */
static lnt_status admit(lnt_ctx *ctx, lnt_lasso *s, int count)
{
    const lnt_problem *p = s->p;
    bool fits = true;
    if (!s->member) {
        double sum = lnt_problem_sum(s->f, p->n);
        for (int k = 0; k < count; k++)
            s->listed[k] = lnt_problem_dot(p, s->list[k], s->f, sum);
        lnt_status status = lnt_gram_admit(ctx, &s->gram, s->list, s->listed, count, &fits);
        if (status != LNT_OK)
            return status;
    }
    if (!fits && !(s->member = lnt_alloc_zero(ctx, (size_t)p->features, sizeof *s->member)))
        return LNT_ENOMEM;
    for (int j = 0; j < p->features && !fits; j++)
        s->member[j] = s->gram.place[j] >= 0;
    for (int k = 0; s->member && k < count; k++)
        s->member[s->list[k]] = true;
    return LNT_OK;
}

lnt_status lnt_lasso_start(lnt_ctx *ctx, lnt_lasso *s, const double *u)
{
    int count = 0;
    for (int j = 0; j < s->p->features; j++)
        if (u[j] != 0 && s->p->square[j] > 0)
            s->list[count++] = j;
    lnt_status status = admit(ctx, s, count);
    for (int j = 0; j < s->p->features && status == LNT_OK; j++) {
        s->u[j] = s->p->square[j] > 0 ? u[j] : 0;
        if (!s->member && s->gram.place[j] >= 0)
            lnt_gram_change(&s->gram, s->gram.place[j], s->u[j]);
    }
    refer(s);
    return status;
}

static void descend(lnt_lasso *s, double target)
{
    lnt_gram *g = &s->gram;
    if (s->member) {
        lnt_lasso_sweeps(s, SWEEPS);
        s->epochs += SWEEPS;
        return;
    }
    lnt_gram_solve(g, s->lambda1, s->lambda2, target, &s->epochs, s->o->max_epochs);
    for (int k = 0; k < g->size; k++)
        s->u[g->feature[k]] = g->u[k];
}

/* Takes the place of what rounding errors of many updates made of q. */
static void refresh(lnt_lasso *s)
{
    lnt_gram *g = &s->gram;
    for (int k = 0; k < g->size; k++)
        if (g->u[k] != 0)
            g->q[k] = s->c[g->feature[k]];
}

static int support(const lnt_lasso *s)
{
    int count = 0;
    for (int j = 0; j < s->p->features; j++)
        count += s->u[j] != 0;
    return count;
}

lnt_status lnt_lasso_solve(lnt_ctx *ctx, lnt_lasso *s, double lambda1, double lambda2)
{
    double target = s->o->tolerance * s->p->null, inner = target / 10, least = 1e-16 * s->p->null;
    /* the strong rule (Tibshirani et al. 2012): a guess, which the certificate corrects */
    double threshold = fmin(lambda1, 2 * lambda1 - s->lambda1);
    memset(s->aside, 0, (size_t)s->p->features * sizeof *s->aside);
    s->lambda1 = lambda1;
    s->lambda2 = lambda2;
    s->epochs = 0;
    lnt_status status = admit(ctx, s, candidates(s, fmax(threshold, lambda1 / 2), AT_LEAST + support(s)));
    while (status == LNT_OK) {
        descend(s, inner);
        certify(s);
        if (s->gap <= target || s->epochs >= s->o->max_epochs || lnt_cancelled(ctx))
            break;
        if (!s->member)
            refresh(s);
        screen(s);
        int count = candidates(s, lambda1, AT_LEAST + support(s));
        status = admit(ctx, s, count);
        if (count == 0 && !s->member && (inner /= 10) < least)
            break;
    }
    return status;
}
