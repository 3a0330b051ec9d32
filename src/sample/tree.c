/* Stretches of a path and how they join. */
#include "chain.h"

#include <math.h>
#include <string.h>

#define LANES 8

double lnt_vector_dot(int k, const double *a, const double *b)
{
    double lane[LANES] = {0}, sum = 0;
    int i = 0;
    for (; i + LANES <= k; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < k; i++)
        sum += a[i] * b[i];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

double lnt_log_add(double a, double b)
{
    double high = fmax(a, b), low = fmin(a, b);
    return high == -INFINITY ? high : high + log1p(exp(low - high));
}

lnt_status lnt_subtree_alloc(lnt_ctx *ctx, subtree *t, int k)
{
    double **part[] = {&t->p0, &t->v0, &t->p1, &t->v1, &t->rho, &t->q, &t->g};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        if (!(*part[i] = lnt_alloc(ctx, (size_t)k, sizeof **part[i])))
            return LNT_ENOMEM;
    return LNT_OK;
}

bool lnt_persists(int k, const subtree *a, const subtree *b)
{
    double whole[2] = {0}, first[2] = {0}, second[2] = {0};
    for (int i = 0; i < k; i++) {
        double to_b = a->rho[i] + b->p0[i], from_a = b->rho[i] + a->p1[i], all = a->rho[i] + b->rho[i];
        whole[0] += all * a->v0[i];
        whole[1] += all * b->v1[i];
        first[0] += to_b * a->v0[i];
        first[1] += to_b * b->v0[i];
        second[0] += from_a * a->v1[i];
        second[1] += from_a * b->v1[i];
    }
    return whole[0] > 0 && whole[1] > 0 && first[0] > 0 && first[1] > 0 && second[0] > 0 && second[1] > 0;
}

static void swap(double **a, double **b)
{
    double *c = *a;
    *a = *b;
    *b = c;
}

void lnt_subtree_join(int k, subtree *a, subtree *b, bool prefer, double u)
{
    double both = lnt_log_add(a->log_weight, b->log_weight);
    if (u < exp(b->log_weight - (prefer ? a->log_weight : both))) {
        swap(&a->q, &b->q);
        swap(&a->g, &b->g);
        a->lp = b->lp;
        a->energy = b->energy;
    }
    swap(&a->p1, &b->p1);
    swap(&a->v1, &b->v1);
    for (int i = 0; i < k; i++)
        a->rho[i] += b->rho[i];
    a->log_weight = both;
    a->depth++;
}
