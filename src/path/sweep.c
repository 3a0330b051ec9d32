#include "lasso.h"

#include "linnet/linalg.h"

#include <math.h>

/* f <- f - step share o z_j, but for the part of share itself, which no centred feature sees. */
static void subtract(const lnt_problem *p, int j, double step, double *f)
{
    const lnt_design *X = p->X;
    double a = step * p->inverse[j];
    if (X->start)
        for (size_t k = X->start[j]; k < X->start[j + 1]; k++)
            f[X->row[k]] -= a * p->share[X->row[k]] * X->value[k];
    else if (p->even)
        lnt_vec_add(p->n, -a * p->share[0], lnt_at(X->X, 0, j), f);
    else {
        const double *x = lnt_at(X->X, 0, j);
        for (int i = 0; i < p->n; i++)
            f[i] -= a * p->share[i] * x[i];
    }
}

/* One sweep over the listed features. */
static void sweep(lnt_lasso *s, int count, double *sum)
{
    const lnt_problem *p = s->p;
    for (int k = 0; k < count; k++) {
        int j = s->list[k];
        double square = p->square[j], curvature = square + s->lambda2;
        double u = lnt_soft(square * s->u[j] + lnt_problem_dot(p, j, s->f, *sum), s->lambda1) / curvature;
        if (u == s->u[j])
            continue;
        subtract(p, j, u - s->u[j], s->f);
        *sum -= (u - s->u[j]) * p->inverse[j] * p->mean[j];
        s->u[j] = u;
    }
}

void lnt_lasso_sweeps(lnt_lasso *s, int sweeps)
{
    double sum = lnt_problem_sum(s->f, s->p->n);
    int count = 0, support = 0;
    for (int j = 0; j < s->p->features; j++)
        if (s->member[j] && (s->u[j] != 0 || !s->aside[j]))
            s->list[count++] = j;
    sweep(s, count, &sum);
    for (int k = 0; k < count; k++)
        if (s->u[s->list[k]] != 0)
            s->list[support++] = s->list[k];
    for (int k = 1; k < sweeps; k++)
        sweep(s, support, &sum);
}
