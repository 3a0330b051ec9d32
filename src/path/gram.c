#include "gram.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define FIRST_ROOM 64
#define ROWS 256 /* of prepared features at a time */

/* ---- The working set ---- */

static lnt_status new_room(lnt_ctx *ctx, lnt_gram *g, int room)
{
    lnt_gram old = *g;
    size_t count = (size_t)room, size = (size_t)old.size;
    g->room = room;
    g->feature = lnt_alloc(ctx, count, sizeof *g->feature);
    g->u = lnt_alloc_zero(ctx, count, sizeof *g->u);
    g->b = lnt_alloc(ctx, count, sizeof *g->b);
    g->q = lnt_alloc(ctx, count, sizeof *g->q);
    g->face = lnt_alloc(ctx, count, sizeof *g->face);
    g->on_face = lnt_alloc_zero(ctx, count, sizeof *g->on_face);
    g->step = lnt_alloc(ctx, count, sizeof *g->step);
    if (!g->feature || !g->u || !g->b || !g->q || !g->face || !g->on_face || !g->step)
        return LNT_ENOMEM;
    lnt_status status = lnt_mat_alloc(ctx, &g->G, room, room);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &g->R, room, room);
    if (status != LNT_OK || size == 0)
        return status;
    memcpy(g->feature, old.feature, size * sizeof *g->feature);
    memcpy(g->u, old.u, size * sizeof *g->u);
    memcpy(g->b, old.b, size * sizeof *g->b);
    memcpy(g->q, old.q, size * sizeof *g->q);
    memcpy(g->face, old.face, (size_t)old.faces * sizeof *g->face);
    memcpy(g->on_face, old.on_face, size * sizeof *g->on_face);
    lnt_mat_copy(lnt_block(g->G, 0, 0, old.size, old.size), lnt_block(old.G, 0, 0, old.size, old.size));
    lnt_mat_copy(lnt_block(g->R, 0, 0, old.factored, old.factored), lnt_block(old.R, 0, 0, old.factored, old.factored));
    return LNT_OK;
}

lnt_status lnt_gram_make(lnt_ctx *ctx, lnt_gram *g, const lnt_problem *p, int most)
{
    *g = (lnt_gram){.p = p, .most = most < p->features ? most : p->features};
    g->place = lnt_alloc(ctx, (size_t)p->features, sizeof *g->place);
    if (!g->place)
        return LNT_ENOMEM;
    for (int j = 0; j < p->features; j++)
        g->place[j] = -1;
    return new_room(ctx, g, g->most < FIRST_ROOM ? g->most : FIRST_ROOM);
}

/* Leaves the features with u = 0. */
static void prune(lnt_gram *g)
{
    int size = 0;
    for (int k = 0; k < g->size; k++) {
        if (g->u[k] == 0) {
            g->place[g->feature[k]] = -1;
            continue;
        }
        int row = 0;
        for (int l = 0; l < g->size; l++)
            if (g->u[l] != 0)
                *lnt_at(g->G, row++, size) = *lnt_at(g->G, l, k);
        g->face[size] = k; /* to move the numbers afterwards: u decides meanwhile */
        size++;
    }
    for (int k = 0; k < size; k++) {
        int from = g->face[k];
        g->feature[k] = g->feature[from];
        g->u[k] = g->u[from];
        g->b[k] = g->b[from];
        g->q[k] = g->q[from];
        g->place[g->feature[k]] = k;
        g->on_face[k] = false;
    }
    for (int k = size; k < g->size; k++)
        g->on_face[k] = false;
    g->size = size;
    g->faces = g->factored = 0;
}

/* The last `count` columns of G, from blocks of rows of the prepared features. */
static lnt_status dense_columns(lnt_ctx *ctx, lnt_gram *g, int count)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    int n = g->p->n, rows = n < ROWS ? n : ROWS;
    lnt_mat Z;
    lnt_status status = lnt_mat_alloc(ctx, &Z, rows, g->size);
    for (int first = 0; first < n && status == LNT_OK; first += rows) {
        int height = n - first < rows ? n - first : rows;
        lnt_mat B = lnt_block(Z, 0, 0, height, g->size);
        lnt_problem_columns(B, g->p, g->feature, first);
        lnt_gemm(lnt_block(g->G, 0, g->size - count, g->size, count), 1, LNT_T, B, LNT_N,
                 lnt_columns(B, g->size - count, count), first > 0);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* The same for sparse features: one is spread out, the others gather from it. */
static lnt_status sparse_columns(lnt_ctx *ctx, lnt_gram *g, int count)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    const lnt_problem *p = g->p;
    const lnt_design *X = p->X;
    double *spread = lnt_alloc_zero(ctx, (size_t)p->n, sizeof *spread);
    for (int k = g->size - count; spread && k < g->size; k++) {
        int j = g->feature[k];
        for (size_t l = X->start[j]; l < X->start[j + 1]; l++)
            spread[X->row[l]] = p->share[X->row[l]] * X->value[l] * p->inverse[j];
        for (int i = 0; i < g->size; i++)
            *lnt_at(g->G, i, k) = lnt_problem_dot(p, g->feature[i], spread, p->mean[j] * p->inverse[j]);
        for (size_t l = X->start[j]; l < X->start[j + 1]; l++)
            spread[X->row[l]] = 0;
    }
    lnt_ctx_reset(ctx, mark);
    return spread ? LNT_OK : LNT_ENOMEM;
}

lnt_status lnt_gram_admit(lnt_ctx *ctx, lnt_gram *g, const int *feature, const double *q, int count, bool *fits)
{
    lnt_status status = LNT_OK;
    if (g->size + count > g->room && g->room == g->most)
        prune(g);
    *fits = g->size + count <= g->most;
    if (!*fits || count == 0)
        return LNT_OK;
    if (g->size + count > g->room) {
        int room = g->size + count > 2 * g->room ? g->size + count : 2 * g->room;
        status = new_room(ctx, g, room < g->most ? room : g->most);
    }
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < count; k++) {
        int place = g->size++;
        g->feature[place] = feature[k];
        g->place[feature[k]] = place;
        g->u[place] = 0;
        g->q[place] = q[k];
        g->on_face[place] = false;
    }
    int old = g->size - count;
    status = g->p->X->start ? sparse_columns(ctx, g, count) : dense_columns(ctx, g, count);
    for (int k = old; k < g->size && status == LNT_OK; k++) {
        *lnt_at(g->G, k, k) = g->p->square[g->feature[k]];
        for (int i = 0; i < old; i++)
            *lnt_at(g->G, k, i) = *lnt_at(g->G, i, k);
        g->b[k] = g->q[k];
        for (int i = 0; i < old; i++)
            g->b[k] += *lnt_at(g->G, i, k) * g->u[i];
    }
    return status;
}

/* ---- Coordinate descent ---- */

double lnt_soft(double x, double t)
{
    return x > t ? x - t : x < -t ? x + t : 0;
}

void lnt_gram_change(lnt_gram *g, int k, double u)
{
    lnt_vec_add(g->size, g->u[k] - u, lnt_at(g->G, 0, k), g->q);
    g->u[k] = u;
}

/* False where nothing changes. */
static bool sweep(lnt_gram *g)
{
    bool changed = false;
    for (int k = 0; k < g->size; k++) {
        double square = *lnt_at(g->G, k, k), curvature = square + g->lambda2;
        if (curvature <= 0)
            continue;
        double u = lnt_soft(square * g->u[k] + g->q[k], g->lambda1) / curvature;
        if (u != g->u[k]) {
            lnt_gram_change(g, k, u);
            changed = true;
        }
    }
    return changed;
}

double lnt_lasso_gap(double *z, double N, double uh, double size, double largest, double lambda1)
{
    double most = largest > lambda1 ? lambda1 / largest : INFINITY;
    if (largest <= lambda1) /* any scale up to lambda1/largest will do; beyond 1 none is better */
        most = 1;
    *z = N > 0 ? fmax(-most, fmin((N + uh) / N, most)) : 0;
    return N / 2 * (1 - *z) * (1 - *z) + lambda1 * size - *z * uh;
}

static double gap(const lnt_gram *g)
{
    double uq = 0, ub = 0, uu = 0, size = 0, largest = 0, z;
    for (int k = 0; k < g->size; k++) {
        double u = g->u[k];
        largest = fmax(largest, fabs(g->q[k] - g->lambda2 * u));
        uq += u * g->q[k];
        ub += u * g->b[k];
        uu += u * u;
        size += fabs(u);
    }
    double N = fmax(0, 2 * g->p->null - ub - uq) + g->lambda2 * uu;
    return lnt_lasso_gap(&z, N, uq - g->lambda2 * uu, size, largest, g->lambda1);
}

/* ---- Newton steps on the face of the support and its signs ---- */

#define DEPENDENT 1e-11 /* square of a feature's distance from the span of others, over its own, that counts as none   \
                         */
#define AT_ONCE 6       /* steps before coordinates descend again */
#define FASTER 8        /* operations of a product of matrices in the time of one of a sweep */

/* u <- u + length d along the first `count` places of the face, at most to where a sign would change; returns the
 * position of the coefficient that became 0, or -1. */
static int move(lnt_gram *g, const double *d, int count, double length)
{
    int hit = -1;
    for (int i = 0; i < count; i++) {
        double u = g->u[g->face[i]];
        if (u * d[i] < 0 && -u / d[i] <= length) {
            length = -u / d[i];
            hit = i;
        }
    }
    if (!isfinite(length))
        return -1;
    for (int i = 0; i < count; i++)
        if (d[i] != 0) {
            double u = g->u[g->face[i]], to = u + length * d[i];
            lnt_gram_change(g, g->face[i], i == hit || to * u <= 0 ? 0 : to);
        }
    return hit;
}

/* Slope of -P at the place, on the face. */
static double slope(const lnt_gram *g, int k)
{
    return g->q[k] - g->lambda2 * g->u[k] - copysign(g->lambda1, g->u[k]);
}

/* Drops what left the support from the face, and what was factored after it, and appends what joined. */
static void update_face(lnt_gram *g)
{
    int kept = 0;
    while (kept < g->factored && g->u[g->face[kept]] != 0)
        kept++;
    g->factored = kept;
    for (int i = kept; i < g->faces; i++) {
        int k = g->face[i];
        g->on_face[k] = g->u[k] != 0;
        if (g->on_face[k])
            g->face[kept++] = k;
    }
    for (int k = 0; k < g->size; k++)
        if (g->u[k] != 0 && !g->on_face[k]) {
            g->on_face[k] = true;
            g->face[kept++] = k;
        }
    g->faces = kept;
}

/* Factors the face from `factored` on, as R12 = R11^-T G12, R22'R22 = G22 - R12'R12. False where a feature depends on
 * those before it. */
static bool factor_block(lnt_gram *g)
{
    int old = g->factored, count = g->faces - old;
    for (int c = old; c < g->faces; c++) {
        const double *from = lnt_at(g->G, 0, g->face[c]);
        double *to = lnt_at(g->R, 0, c);
        for (int r = 0; r <= c; r++)
            to[r] = from[g->face[r]];
        for (int r = c + 1; r < g->faces; r++)
            to[r] = 0;
        to[c] += g->lambda2;
    }
    lnt_mat R12 = lnt_block(g->R, 0, old, old, count), R22 = lnt_block(g->R, old, old, count, count);
    lnt_solve_upper(R12, LNT_T, lnt_block(g->R, 0, 0, old, old));
    if (old > 0)
        lnt_gemm(R22, -1, LNT_T, R12, LNT_N, R12, 1);
    if (!lnt_cholesky(R22))
        return false;
    for (int c = old; c < g->faces; c++) {
        double pivot = *lnt_at(g->R, c, c), square = *lnt_at(g->G, g->face[c], g->face[c]) + g->lambda2;
        if (!(pivot * pivot > DEPENDENT * square))
            return false;
    }
    g->factored = g->faces;
    return true;
}

/* The next place of the face depends on those before: along the direction in which the fit hardly changes, to the
 * minimum or to where a coefficient becomes 0. True where something did; else the place is left aside, last. */
static bool move_dependent(lnt_gram *g, double pivot)
{
    int a = g->factored, k = g->face[a];
    lnt_mat d = lnt_mat_view(g->step, a, 1);
    for (int i = 0; i < a; i++)
        g->step[i] = -*lnt_at(g->R, i, a);
    lnt_solve_upper(d, LNT_N, lnt_block(g->R, 0, 0, a, a));
    g->step[a] = 1;
    double s = 0;
    for (int i = 0; i <= a; i++)
        s += g->step[i] * slope(g, g->face[i]);
    for (int i = 0; i <= a && s < 0; i++)
        g->step[i] = -g->step[i];
    if (s != 0 && move(g, g->step, a + 1, pivot > 0 ? fabs(s) / pivot : INFINITY) >= 0)
        return true;
    g->face[a] = g->face[--g->faces];
    g->on_face[k] = false;
    return false;
}

/* One after another, where a block fails. */
static void factor_singly(lnt_gram *g)
{
    while (g->factored < g->faces) {
        int a = g->factored, k = g->face[a];
        double *r = lnt_at(g->R, 0, a), square = *lnt_at(g->G, k, k) + g->lambda2;
        for (int i = 0; i < a; i++)
            r[i] = *lnt_at(g->G, g->face[i], k);
        lnt_solve_upper(lnt_mat_view(r, a, 1), LNT_T, lnt_block(g->R, 0, 0, a, a));
        double pivot = square - lnt_vec_dot(a, r, r);
        if (pivot > DEPENDENT * square) {
            r[a] = sqrt(pivot);
            g->factored++;
        } else if (move_dependent(g, pivot))
            update_face(g);
    }
}

/* To the minimum of the face, or to its border, which is a smaller face, and so on. */
static long polish(lnt_gram *g)
{
    for (int step = 0; step < AT_ONCE; step++) {
        update_face(g);
        if (g->factored < g->faces && !factor_block(g))
            factor_singly(g);
        int a = g->factored;
        for (int i = 0; i < a; i++)
            g->step[i] = slope(g, g->face[i]);
        lnt_mat d = lnt_mat_view(g->step, a, 1), R = lnt_block(g->R, 0, 0, a, a);
        lnt_solve_upper(d, LNT_T, R);
        lnt_solve_upper(d, LNT_N, R);
        if (a == 0 || move(g, g->step, a, 1) < 0)
            return step + 1;
    }
    return AT_ONCE;
}

/* How many sweeps cost as much as the factor would: products of matrices are faster than sweeps. */
static int factor_cost(const lnt_gram *g)
{
    int kept = 0, support = 0;
    while (kept < g->factored && g->u[g->face[kept]] != 0)
        kept++;
    for (int k = 0; k < g->size; k++)
        support += g->u[k] != 0;
    return (int)((double)(support - kept) * support / (FASTER * (g->size + 1)));
}

void lnt_gram_solve(lnt_gram *g, double lambda1, double lambda2, double target, long *epochs, long most)
{
    if (lambda2 != g->lambda2) { /* another factor */
        g->faces = g->factored = 0;
        memset(g->on_face, 0, (size_t)g->size * sizeof *g->on_face);
    }
    g->lambda1 = lambda1;
    g->lambda2 = lambda2;
    for (int sweeps = 0; *epochs < most;) {
        bool changed = sweep(g);
        ++*epochs;
        if (!changed || gap(g) <= target)
            return;
        if (++sweeps <= factor_cost(g))
            continue;
        *epochs += polish(g);
        sweeps = 0;
        if (gap(g) <= target)
            return;
    }
}
