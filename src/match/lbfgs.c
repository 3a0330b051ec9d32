#include "../learn/quasi_newton.h"
#include "diagonal.h"

#include <math.h>
#include <string.h>

#define TRIES 40

/* One problem's state along a line. */
typedef struct line {
    lnt_match_function function;
    void *user;
    const double *x, *p;
    double *x1, *g1, f1, slope1;
    int n;
} line;

static lnt_status look(lnt_ctx *ctx, line *l, double t)
{
    for (int i = 0; i < l->n; i++)
        l->x1[i] = l->x[i] + t * l->p[i];
    lnt_status status = l->function(ctx, &l->f1, l->g1, l->x1, l->user);
    l->slope1 = lnt_pairs_dot(l->g1, l->p, l->n);
    return status;
}

/* Bisection between a step that is too short and one that is too long. *found: both conditions, or at least a fall. */
static lnt_status search(lnt_ctx *ctx, line *l, bool *found, double f, double slope, double t)
{
    double low = 0, high = INFINITY;
    *found = false;
    for (int k = 0; k < TRIES; k++) {
        lnt_status status = look(ctx, l, t);
        if (status != LNT_OK)
            return status;
        bool falls = l->f1 <= f + 1e-4 * t * slope || (fabs(l->f1 - f) <= 1e-13 * fabs(f) && fabs(l->slope1) <= -slope);
        if (!falls)
            high = t;
        else if (l->slope1 < 0.9 * slope)
            low = t;
        else {
            *found = true;
            return LNT_OK;
        }
        *found = falls && l->f1 < f;
        if (*found && k > TRIES / 2)
            return LNT_OK;
        t = isinf(high) ? 2 * t : (low + high) / 2;
    }
    return LNT_OK;
}

lnt_status lnt_match_lbfgs(lnt_ctx *ctx, double *x, double *f, int *steps, bool *converged, size_t n,
                           lnt_match_function function, void *user, double tolerance, int max_steps)
{
    lnt_pairs m;
    bool found = true;
    int flat = 0, size = (int)n;
    double *g = lnt_alloc(ctx, n, sizeof *g), *p = lnt_alloc(ctx, n, sizeof *p), *x1 = lnt_alloc(ctx, n, sizeof *x1),
           *g1 = lnt_alloc(ctx, n, sizeof *g1);
    lnt_status status = g && p && x1 && g1 ? lnt_pairs_alloc(ctx, &m, size) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = function(ctx, f, g, x, user);
    if (status != LNT_OK)
        return status;
    double start = sqrt(lnt_pairs_dot(g, g, size));
    *converged = start == 0;
    for (int k = 0; k < max_steps && !*converged && !lnt_cancelled(ctx); k++) {
        lnt_pairs_direction(p, g, &m);
        double slope = lnt_pairs_dot(g, p, size);
        line l = {function, user, x, p, x1, g1, 0, 0, size};
        double first = m.used > 0 ? 1 : fmin(1, 1 / sqrt(lnt_pairs_dot(g, g, size)));
        if (slope < 0)
            status = search(ctx, &l, &found, *f, slope, first);
        if (status != LNT_OK)
            return status;
        if (!found || !(slope < 0)) {
            if (m.used == 0) {
                *converged = true; /* nothing falls along the gradient either */
                break;
            }
            m.used = 0;
            found = true;
            continue;
        }
        ++*steps;
        lnt_pairs_add(&m, x1, x, g1, g);
        memcpy(x, x1, n * sizeof *x);
        memcpy(g, g1, n * sizeof *g);
        flat = fabs(l.f1 - *f) <= 1e-15 * fabs(*f) ? flat + 1 : 0;
        *f = l.f1;
        *converged = sqrt(lnt_pairs_dot(g, g, size)) <= tolerance * start || flat >= 3;
    }
    return LNT_OK;
}
