#include "quasi_newton.h"

#include <float.h>

#define LANES 8

double lnt_pairs_dot(const double *a, const double *b, int n)
{
    double lane[LANES] = {0}, sum = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

static void add(double *b, double alpha, const double *a, int n)
{
    for (int i = 0; i < n; i++)
        b[i] += alpha * a[i];
}

lnt_status lnt_pairs_alloc(lnt_ctx *ctx, lnt_pairs *m, int n)
{
    *m = (lnt_pairs){.n = n};
    for (int i = 0; i < LNT_PAIRS; i++) {
        m->s[i] = lnt_alloc(ctx, (size_t)n, sizeof(double));
        m->y[i] = lnt_alloc(ctx, (size_t)n, sizeof(double));
        if (!m->s[i] || !m->y[i])
            return LNT_ENOMEM;
    }
    return LNT_OK;
}

void lnt_pairs_add(lnt_pairs *m, const double *x1, const double *x, const double *g1, const double *g)
{
    double *s = m->s[m->next], *y = m->y[m->next];
    for (int i = 0; i < m->n; i++) {
        s[i] = x1[i] - x[i];
        y[i] = g1[i] - g[i];
    }
    double sy = lnt_pairs_dot(s, y, m->n);
    if (!(sy > DBL_EPSILON * lnt_pairs_dot(y, y, m->n)))
        return;
    m->rho[m->next] = 1 / sy;
    m->next = (m->next + 1) % LNT_PAIRS;
    m->used += m->used < LNT_PAIRS;
}

void lnt_pairs_direction(double *p, const double *g, const lnt_pairs *m)
{
    double alpha[LNT_PAIRS] = {0};
    for (int i = 0; i < m->n; i++)
        p[i] = -g[i];
    for (int k = 1; k <= m->used; k++) {
        int j = (m->next - k + LNT_PAIRS) % LNT_PAIRS;
        alpha[j] = m->rho[j] * lnt_pairs_dot(m->s[j], p, m->n);
        add(p, -alpha[j], m->y[j], m->n);
    }
    if (m->used > 0) {
        int j = (m->next - 1 + LNT_PAIRS) % LNT_PAIRS;
        double scale = 1 / (m->rho[j] * lnt_pairs_dot(m->y[j], m->y[j], m->n));
        for (int i = 0; i < m->n; i++)
            p[i] *= scale;
    }
    for (int k = m->used; k >= 1; k--) {
        int j = (m->next - k + LNT_PAIRS) % LNT_PAIRS;
        add(p, alpha[j] - m->rho[j] * lnt_pairs_dot(m->y[j], p, m->n), m->s[j], m->n);
    }
}
