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
    g->before = lnt_alloc(ctx, count, sizeof *g->before);
    g->face = lnt_alloc(ctx, count, sizeof *g->face);
    g->on_face = lnt_alloc_zero(ctx, count, sizeof *g->on_face);
    g->slope = lnt_alloc(ctx, count, sizeof *g->slope);
    g->step = lnt_alloc(ctx, count, sizeof *g->step);
    if (!g->feature || !g->u || !g->b || !g->q || !g->before || !g->face || !g->on_face || !g->slope || !g->step)
        return LNT_ENOMEM;
    lnt_status status = lnt_mat_alloc(ctx, &g->G, room, room);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &g->L, room, room);
    if (status != LNT_OK || size == 0)
        return status;
    memcpy(g->feature, old.feature, size * sizeof *g->feature);
    memcpy(g->u, old.u, size * sizeof *g->u);
    memcpy(g->b, old.b, size * sizeof *g->b);
    memcpy(g->q, old.q, size * sizeof *g->q);
    memcpy(g->face, old.face, (size_t)old.slots * sizeof *g->face);
    memcpy(g->on_face, old.on_face, size * sizeof *g->on_face);
    lnt_mat_copy(lnt_block(g->G, 0, 0, old.size, old.size), lnt_block(old.G, 0, 0, old.size, old.size));
    lnt_mat_copy(lnt_block(g->L, 0, 0, old.slots, old.slots), lnt_block(old.L, 0, 0, old.slots, old.slots));
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
    lnt_face_clear(g);
    for (int k = 0; k < g->size; k++) {
        g->place[g->feature[k]] = -1;
        if (g->u[k] != 0)
            g->face[size++] = k; /* free for now */
    }
    for (int k = 0; k < size; k++) {
        int from = g->face[k];
        for (int l = 0; l < size; l++)
            *lnt_at(g->G, l, k) = *lnt_at(g->G, g->face[l], from);
        g->feature[k] = g->feature[from];
        g->u[k] = g->u[from];
        g->b[k] = g->b[from];
        g->q[k] = g->q[from];
        g->place[g->feature[k]] = k;
    }
    g->size = size;
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

double lnt_dual_scale(double N, double uh, double largest, double lambda1)
{
    double most = largest > lambda1 ? lambda1 / largest : 1; /* beyond 1 none is better */
    return N > 0 ? fmax(-most, fmin((N + uh) / N, most)) : 0;
}

/* The certificate of lnt_path_fit() over the working set, but for rounding. */
static double gap(const lnt_gram *g)
{
    double uq = 0, ub = 0, uu = 0, size = 0, largest = 0;
    for (int k = 0; k < g->size; k++) {
        double u = g->u[k];
        largest = fmax(largest, fabs(g->q[k] - g->lambda2 * u));
        uq += u * g->q[k];
        ub += u * g->b[k];
        uu += u * u;
        size += fabs(u);
    }
    double N = fmax(0, 2 * g->p->null - ub - uq) + g->lambda2 * uu, uh = uq - g->lambda2 * uu;
    double z = lnt_dual_scale(N, uh, largest, g->lambda1);
    return N / 2 * (1 - z) * (1 - z) + g->lambda1 * size - z * uh;
}

void lnt_gram_solve(lnt_gram *g, double lambda1, double lambda2, double target, long *epochs, long most)
{
    if (lambda2 != g->lambda2) /* another factor */
        lnt_face_clear(g);
    g->lambda1 = lambda1;
    g->lambda2 = lambda2;
    for (int sweeps = 0; *epochs < most;) {
        bool changed = sweep(g);
        ++*epochs;
        if (!changed || gap(g) <= target)
            return;
        if (++sweeps <= lnt_face_cost(g))
            continue;
        *epochs += lnt_face_polish(g);
        sweeps = 0;
        if (gap(g) <= target)
            return;
    }
}
