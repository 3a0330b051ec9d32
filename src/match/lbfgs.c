#include "diagonal.h"

#include <float.h>
#include <math.h>

#define MEMORY 12
#define TRIES 40

typedef struct memory {
    double *s[MEMORY], *y[MEMORY], rho[MEMORY];
    int count;
} memory;

static double dot(const double *a, const double *b, size_t n)
{
    double lane[8] = {0}, sum = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (size_t l = 0; l < 8; l++)
        sum += lane[l];
    return sum;
}

static void add(double *b, double alpha, const double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b[i] += alpha * a[i];
}

/* p <- -H g by the two loops. */
static void direction(double *p, const double *g, const memory *m, size_t n)
{
    double alpha[MEMORY] = {0};
    int used = m->count < MEMORY ? m->count : MEMORY;
    for (size_t i = 0; i < n; i++)
        p[i] = -g[i];
    for (int k = 0; k < used; k++) {
        int j = (m->count - 1 - k) % MEMORY;
        alpha[j] = m->rho[j] * dot(m->s[j], p, n);
        add(p, -alpha[j], m->y[j], n);
    }
    if (used > 0) {
        int j = (m->count - 1) % MEMORY;
        double scale = 1 / (m->rho[j] * dot(m->y[j], m->y[j], n));
        for (size_t i = 0; i < n; i++)
            p[i] *= scale;
    }
    for (int k = used - 1; k >= 0; k--) {
        int j = (m->count - 1 - k) % MEMORY;
        add(p, alpha[j] - m->rho[j] * dot(m->y[j], p, n), m->s[j], n);
    }
}

static lnt_status allocate(lnt_ctx *ctx, memory *m, double **g, double **p, double **x1, double **g1, size_t n)
{
    double **each[] = {g, p, x1, g1};
    *m = (memory){.count = 0};
    for (int i = 0; i < 4; i++)
        if (!(*each[i] = lnt_alloc(ctx, n, sizeof(double))))
            return LNT_ENOMEM;
    for (int i = 0; i < MEMORY; i++)
        if (!(m->s[i] = lnt_alloc(ctx, n, sizeof(double))) || !(m->y[i] = lnt_alloc(ctx, n, sizeof(double))))
            return LNT_ENOMEM;
    return LNT_OK;
}

/* One problem's state along a line. */
typedef struct line {
    lnt_match_function function;
    void *user;
    const double *x, *p;
    double *x1, *g1, f1, slope1;
    size_t n;
} line;

static lnt_status look(lnt_ctx *ctx, line *l, double t)
{
    for (size_t i = 0; i < l->n; i++)
        l->x1[i] = l->x[i] + t * l->p[i];
    lnt_status status = l->function(ctx, &l->f1, l->g1, l->x1, l->user);
    l->slope1 = dot(l->g1, l->p, l->n);
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
    memory m;
    double *g, *p, *x1, *g1;
    bool found = true;
    int flat = 0;
    lnt_status status = allocate(ctx, &m, &g, &p, &x1, &g1, n);
    if (status == LNT_OK)
        status = function(ctx, f, g, x, user);
    if (status != LNT_OK)
        return status;
    double start = sqrt(dot(g, g, n));
    *converged = start == 0;
    for (int k = 0; k < max_steps && !*converged && !lnt_cancelled(ctx); k++) {
        direction(p, g, &m, n);
        double slope = dot(g, p, n);
        line l = {function, user, x, p, x1, g1, 0, 0, n};
        double first = m.count > 0 ? 1 : fmin(1, 1 / sqrt(dot(g, g, n)));
        if (slope < 0)
            status = search(ctx, &l, &found, *f, slope, first);
        if (status != LNT_OK)
            return status;
        if (!found || !(slope < 0)) {
            if (m.count == 0) {
                *converged = true; /* nothing falls along the gradient either */
                break;
            }
            m.count = 0;
            found = true;
            continue;
        }
        ++*steps;
        int j = m.count % MEMORY;
        for (size_t i = 0; i < n; i++) {
            m.s[j][i] = x1[i] - x[i];
            m.y[j][i] = g1[i] - g[i];
            x[i] = x1[i];
            g[i] = g1[i];
        }
        double sy = dot(m.s[j], m.y[j], n);
        if (sy > DBL_EPSILON * dot(m.y[j], m.y[j], n)) {
            m.rho[j] = 1 / sy;
            m.count = m.count + 1 < 2 * MEMORY ? m.count + 1 : m.count + 1 - MEMORY;
        }
        flat = fabs(l.f1 - *f) <= 1e-15 * fabs(*f) ? flat + 1 : 0;
        *f = l.f1;
        *converged = sqrt(dot(g, g, n)) <= tolerance * start || flat >= 3;
    }
    return LNT_OK;
}
