#include "../linalg/wide.h"
#include "gram.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define DEPENDENT 1e-11 /* squared distance from the span of others, over the square of the feature */
#define AT_ONCE 20      /* steps before coordinates descend again */
#define FASTER 8        /* operations of a product of matrices in the time of one of a sweep */

void lnt_face_clear(lnt_gram *g)
{
    g->slots = 0;
    memset(g->on_face, 0, (size_t)g->room * sizeof *g->on_face);
}

int lnt_face_cost(const lnt_gram *g)
{
    int support = 0, missing = 0;
    for (int k = 0; k < g->size; k++) {
        support += g->u[k] != 0;
        missing += g->u[k] != 0 && !g->on_face[k];
    }
    return (int)((double)missing * support / (FASTER * (g->size + 1)));
}

/* ---- The factor ---- */

/* L L' <- L L' + x x' below the diagonal of the first k columns, by rotations of columns. */
WIDE static void rotate(double *restrict column, double *restrict x, double c, double s, int n)
{
    for (int i = 0; i < n; i++) {
        double l = column[i];
        column[i] = c * l + s * x[i];
        x[i] = c * x[i] - s * l;
    }
}

/* Without a row and column, what is behind them gains the square of the column: L22 L22' + l21 l21'. */
static void empty_slot(lnt_gram *g, int slot)
{
    double *x = lnt_at(g->L, 0, slot);
    g->on_face[g->face[slot]] = false;
    g->face[slot] = -1;
    for (int k = slot + 1; k < g->slots; k++)
        if (x[k] != 0) {
            double *column = lnt_at(g->L, 0, k), length = hypot(column[k], x[k]);
            double c = column[k] / length, s = x[k] / length;
            column[k] = length;
            rotate(column + k + 1, x + k + 1, c, s, g->slots - k - 1);
        }
    for (int k = 0; k < slot; k++)
        *lnt_at(g->L, slot, k) = 0;
    for (int k = slot + 1; k < g->slots; k++)
        x[k] = 0;
    x[slot] = 1;
}

/* Closes the gaps that empty slots left. */
static void compact(lnt_gram *g)
{
    int slots = 0;
    for (int c = 0; c < g->slots; c++) {
        if (g->face[c] < 0)
            continue;
        const double *from = lnt_at(g->L, 0, c);
        double *to = lnt_at(g->L, 0, slots);
        int row = slots;
        for (int r = c; r < g->slots; r++)
            if (g->face[r] >= 0)
                to[row++] = from[r];
        slots++;
    }
    int kept = 0;
    for (int c = 0; c < g->slots; c++)
        if (g->face[c] >= 0)
            g->face[kept++] = g->face[c];
    g->slots = slots;
}

/* L <- with the slots of the places listed in g->face from `slots` on: X = L^-1 G12, which stands above the diagonal,
 * L21 = X', L22 L22' = G22 - X'X. False where one of them depends on others; then L is as before. */
static bool append(lnt_gram *g, int count)
{
    int old = g->slots, slots = old + count;
    for (int c = old; c < slots; c++) {
        const double *from = lnt_at(g->G, 0, g->face[c]);
        double *to = lnt_at(g->L, 0, c);
        for (int r = 0; r < slots; r++)
            to[r] = g->face[r] >= 0 ? from[g->face[r]] : 0;
        to[c] += g->lambda2;
    }
    lnt_mat X = lnt_block(g->L, 0, old, old, count), L22 = lnt_block(g->L, old, old, count, count);
    lnt_solve_lower(X, LNT_N, lnt_block(g->L, 0, 0, old, old));
    if (old > 0)
        lnt_syrk(L22, -1, LNT_T, X, 1);
    if (!lnt_cholesky(L22))
        return false;
    for (int c = old; c < slots; c++) {
        double pivot = *lnt_at(g->L, c, c), square = *lnt_at(g->G, g->face[c], g->face[c]) + g->lambda2;
        if (!(pivot * pivot > DEPENDENT * square))
            return false;
    }
    lnt_mat_transpose(lnt_block(g->L, old, 0, count, old), X);
    for (int c = old; c < slots; c++)
        g->on_face[g->face[c]] = true;
    g->slots = slots;
    return true;
}

/* ---- Steps ---- */

/* Slope of -P along a coefficient that is not 0. */
static double slope(const lnt_gram *g, int k)
{
    return g->q[k] - g->lambda2 * g->u[k] - copysign(g->lambda1, g->u[k]);
}

/* u <- u + length d over slots, at most to where a sign would change. Returns the part of the length that was gone. */
static double move(lnt_gram *g, const double *d, int slots, double length)
{
    double most = length;
    for (int i = 0; i < slots; i++)
        if (g->face[i] >= 0 && g->u[g->face[i]] * d[i] < 0)
            most = fmin(most, -g->u[g->face[i]] / d[i]);
    for (int i = 0; i < slots; i++)
        if (g->face[i] >= 0) {
            double u = g->u[g->face[i]], to = u + most * d[i];
            g->u[g->face[i]] = to * u <= 0 || (most < length && -u / d[i] == most) ? 0 : to;
        }
    return most / length;
}

/* q <- what belongs to u. */
static void settle(lnt_gram *g)
{
    for (int k = 0; k < g->size; k++)
        if (g->u[k] != g->before[k]) {
            lnt_vec_add(g->size, g->before[k] - g->u[k], lnt_at(g->G, 0, k), g->q);
            g->before[k] = g->u[k];
        }
}

static void empty_zeros(lnt_gram *g)
{
    for (int i = 0; i < g->slots; i++)
        if (g->face[i] >= 0 && g->u[g->face[i]] == 0) {
            g->slope[i] = 0;
            empty_slot(g, i);
        }
}

/* The place in the slot after the last depends on those before. Along the direction in which the fit hardly changes, P
 * falls to a minimum or to where a coefficient becomes 0: goes there. */
static void move_dependent(lnt_gram *g)
{
    int a = g->slots;
    double pivot = *lnt_at(g->G, g->face[a], g->face[a]) + g->lambda2, s = 0, *x = lnt_at(g->L, 0, a);
    pivot -= lnt_vec_dot(a, x, x);
    for (int i = 0; i < a; i++)
        g->step[i] = -x[i];
    lnt_solve_lower(lnt_mat_view(g->step, a, 1), LNT_T, lnt_block(g->L, 0, 0, a, a));
    g->step[a] = 1;
    for (int i = 0; i <= a; i++)
        s += g->face[i] >= 0 ? g->step[i] * slope(g, g->face[i]) : 0;
    for (int i = 0; i <= a && s < 0; i++)
        g->step[i] = -g->step[i];
    double length = pivot > 0 ? fabs(s) / pivot : 1e300;
    if (s != 0)
        move(g, g->step, a + 1, length);
    settle(g);
    empty_zeros(g);
}

/* All of the support gets slots, but for what depends on the rest. */
static void complete(lnt_gram *g)
{
    int count = 0;
    compact(g);
    for (int k = 0; k < g->size; k++)
        if (g->u[k] != 0 && !g->on_face[k])
            g->face[g->slots + count++] = k;
    if (count == 0 || append(g, count))
        return;
    for (int k = 0; k < g->size; k++)
        if (g->u[k] != 0 && !g->on_face[k]) {
            g->face[g->slots] = k;
            if (!append(g, 1))
                move_dependent(g);
        }
}

long lnt_face_polish(lnt_gram *g)
{
    long steps = 0;
    double gone = 0;
    memcpy(g->before, g->u, (size_t)g->size * sizeof *g->before);
    empty_zeros(g);
    complete(g);
    for (int i = 0; i < g->slots; i++)
        g->slope[i] = g->face[i] >= 0 ? slope(g, g->face[i]) : 0;
    lnt_mat d = lnt_mat_view(g->step, g->slots, 1), L = lnt_block(g->L, 0, 0, g->slots, g->slots);
    while (steps < AT_ONCE && gone < 1 && g->slots > 0) {
        memcpy(g->step, g->slope, (size_t)g->slots * sizeof *g->step);
        lnt_solve_lower(d, LNT_N, L);
        lnt_solve_lower(d, LNT_T, L);
        gone = move(g, g->step, g->slots, 1);
        for (int i = 0; i < g->slots; i++)
            g->slope[i] *= 1 - gone; /* of a quadratic function, along its Newton step */
        empty_zeros(g);
        steps++;
    }
    settle(g);
    return steps;
}
