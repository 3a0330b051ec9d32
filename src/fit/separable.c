#include "bayes.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

/* What counts as 0, of margins in units of the largest and of the hull's distance. */
#define ZERO 1e-9

/* min |A x + b|^2 over x >= 0 by active sets (Lawson and Hanson 1974), with the Cholesky factor of A_P' A_P kept for
 * the columns P that are in use. */
typedef struct nnls {
    lnt_mat A, G, L; /* r x m; Gram matrix of P and its factor */
    double *x, *y;   /* m; r: A x + b */
    const double *b;
    double *slope, *z; /* m: A' y; at most r + 1: the solution on P */
    int *P, count;
} nnls;

static lnt_status nnls_alloc(lnt_ctx *ctx, nnls *s)
{
    int r = s->A.rows, m = s->A.cols;
    s->x = lnt_alloc_zero(ctx, (size_t)m, sizeof *s->x);
    s->slope = lnt_alloc(ctx, (size_t)m, sizeof *s->slope);
    s->y = lnt_alloc(ctx, (size_t)r, sizeof *s->y);
    s->z = lnt_alloc(ctx, (size_t)r, sizeof *s->z);
    s->P = lnt_alloc(ctx, (size_t)r, sizeof *s->P);
    if (!s->x || !s->slope || !s->y || !s->z || !s->P)
        return LNT_ENOMEM;
    lnt_status status = lnt_mat_alloc(ctx, &s->G, r, r);
    return status == LNT_OK ? lnt_mat_alloc(ctx, &s->L, r, r) : status;
}

/* One more column in the factor; false where it depends on the others. */
static bool append(nnls *s, int column)
{
    int r = s->A.rows, p = s->count;
    const double *a = lnt_at(s->A, 0, column);
    for (int j = 0; j < p; j++)
        *lnt_at(s->G, p, j) = s->z[j] = lnt_vec_dot(r, a, lnt_at(s->A, 0, s->P[j]));
    double square = lnt_vec_dot(r, a, a), rest = *lnt_at(s->G, p, p) = square;
    lnt_solve_lower(lnt_mat_view(s->z, p, 1), LNT_N, lnt_block(s->L, 0, 0, p, p));
    for (int j = 0; j < p; j++) {
        *lnt_at(s->L, p, j) = s->z[j];
        rest -= s->z[j] * s->z[j];
    }
    if (!(rest > 1e-14 * square))
        return false;
    *lnt_at(s->L, p, p) = sqrt(rest);
    s->P[s->count++] = column;
    return true;
}

static bool drop(nnls *s, int at)
{
    for (int i = at + 1; i < s->count; i++) {
        s->P[i - 1] = s->P[i];
        for (int j = 0; j <= i; j++)
            if (j != at)
                *lnt_at(s->G, i - 1, j - (j > at)) = *lnt_at(s->G, i, j);
    }
    s->count--;
    lnt_mat L = lnt_block(s->L, 0, 0, s->count, s->count);
    lnt_mat_copy(L, lnt_block(s->G, 0, 0, s->count, s->count));
    return lnt_cholesky(L);
}

static void solve_on_P(nnls *s)
{
    lnt_mat z = lnt_mat_view(s->z, s->count, 1), L = lnt_block(s->L, 0, 0, s->count, s->count);
    for (int j = 0; j < s->count; j++)
        s->z[j] = -lnt_vec_dot(s->A.rows, lnt_at(s->A, 0, s->P[j]), s->b);
    lnt_solve_lower(z, LNT_N, L);
    lnt_solve_lower(z, LNT_T, L);
}

/* x towards z on P as far as it stays positive, again and again without those that reached 0. */
static bool settle(nnls *s)
{
    for (;;) {
        double share = 1;
        int first = -1;
        solve_on_P(s);
        for (int j = 0; j < s->count; j++) {
            double x = s->x[s->P[j]], reach = x > 0 ? x / (x - s->z[j]) : 0;
            if (s->z[j] <= 0 && !(reach >= share)) {
                share = reach;
                first = j;
            }
        }
        for (int j = 0; j < s->count; j++)
            s->x[s->P[j]] += share * (s->z[j] - s->x[s->P[j]]);
        if (first < 0)
            return true;
        s->x[s->P[first]] = 0;
        if (!drop(s, first))
            return false;
    }
}

static void residual(nnls *s)
{
    memcpy(s->y, s->b, (size_t)s->A.rows * sizeof *s->y);
    for (int j = 0; j < s->count; j++)
        lnt_vec_add(s->A.rows, s->x[s->P[j]], lnt_at(s->A, 0, s->P[j]), s->y);
}

static lnt_status nnls_run(lnt_ctx *ctx, nnls *s)
{
    int m = s->A.cols, r = s->A.rows, last = -1;
    lnt_status status = nnls_alloc(ctx, s);
    double size = 0;
    for (int i = 0; i < r && status == LNT_OK; i++)
        size += s->b[i] * s->b[i];
    for (int step = 0; step < 10 * (m + r) && status == LNT_OK && !lnt_cancelled(ctx); step++) {
        int best = -1;
        residual(s);
        lnt_gemv(s->slope, 1, LNT_T, s->A, s->y, 0);
        double norm = sqrt(lnt_vec_dot(r, s->y, s->y)), least = -1e-12 * norm;
        for (int i = 0; i < m; i++)
            if (s->slope[i] < least && s->x[i] == 0 && i != last) {
                least = s->slope[i];
                best = i;
            }
        if (best < 0 || norm <= 1e-14 * sqrt(size) || s->count == r || !append(s, best))
            break;
        if (!settle(s))
            break;
        last = s->x[best] > 0 ? -1 : best; /* thrown out at once: rounding */
    }
    if (status == LNT_OK)
        residual(s);
    return status;
}

/* Rows of M, as columns of norm 1; those that are 0 say nothing. */
static int add_margin(lnt_mat M, int count, lnt_mat plus, lnt_mat minus, double sign)
{
    lnt_mat column = lnt_columns(M, count, 1);
    lnt_mat_copy(column, plus);
    lnt_mat_scale(column, sign);
    if (minus.a)
        lnt_mat_add(column, -sign, minus);
    double norm = lnt_mat_norm(column);
    if (!(norm > 0))
        return count;
    lnt_mat_scale(column, 1 / norm);
    return count + 1;
}

static int margins_of_sample(lnt_mat M, int count, lnt_mat B, const lnt_likelihood *l, int i)
{
    lnt_mat none = {0};
    if (l->kind == LNT_BERNOULLI) {
        if (l->d[i] > 0)
            count = add_margin(M, count, lnt_columns(B, i, 1), none, 1);
        return l->d[i] < 1 ? add_margin(M, count, lnt_columns(B, i, 1), none, -1) : count;
    }
    for (int c = i; c < i + l->classes; c++)
        for (int j = i; j < i + l->classes && l->d[c] > 0; j++)
            if (j != c)
                count = add_margin(M, count, lnt_columns(B, c, 1), lnt_columns(B, j, 1), 1);
    return count;
}

static int most_margins(const lnt_likelihood *l)
{
    int count = 0, each = l->kind == LNT_CATEGORICAL ? l->classes - 1 : 1;
    for (size_t i = 0; i < l->n; i++)
        count += l->kind == LNT_BERNOULLI && l->d[i] > 0 && l->d[i] < 1 ? 2
                 : l->kind == LNT_BERNOULLI || l->d[i] > 0              ? each
                                                                        : 0;
    return count;
}

/* Margins of a direction y in the basis, and whether none is negative; v = V S^-1 y. */
static bool verify(lnt_separation *out, lnt_mat Q, lnt_mat V, const double *s, double *y, int rank,
                   const double *length, bool strict)
{
    double least = INFINITY, most = -INFINITY, norm = 0;
    for (int i = 0; i < Q.cols; i++) {
        double margin = lnt_vec_dot(rank, lnt_at(Q, 0, i), y) * length[i];
        least = fmin(least, margin);
        most = fmax(most, margin);
    }
    if (!(most > 0) || !(strict ? least > ZERO * most : least >= -ZERO * most))
        return false;
    for (int i = 0; i < rank; i++)
        y[i] /= s[i];
    lnt_gemv(out->v, 1, LNT_N, lnt_columns(V, 0, rank), y, 0);
    norm = lnt_mat_norm(lnt_mat_view(out->v, V.rows, 1));
    lnt_mat_scale(lnt_mat_view(out->v, V.rows, 1), 1 / norm);
    out->least = least / norm;
    out->most = most / norm;
    out->separable = true;
    out->complete = strict;
    return true;
}

/* M = U S V'; in the coordinates y = S V' v of a direction its margins are U y. Q: columns (U_i, 1)/|U_i|. */
static lnt_status decide(lnt_ctx *ctx, lnt_separation *out, lnt_mat M)
{
    int k = M.rows, m = M.cols, least = k < m ? k : m, rank = 0;
    lnt_mat V, UT, Q;
    double *s = lnt_alloc(ctx, (size_t)least, sizeof *s), *length = lnt_alloc(ctx, (size_t)m, sizeof *length),
           *b = lnt_alloc_zero(ctx, (size_t)least + 1, sizeof *b), total = 0;
    lnt_status status = s && length && b ? lnt_mat_alloc(ctx, &V, k, least) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &UT, least, m);
    if (status == LNT_OK)
        status = lnt_svd(ctx, V, s, UT, M);
    while (status == LNT_OK && rank < least && s[rank] > 1e-12 * s[0])
        rank++;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Q, rank + 1, m);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < m; i++) {
        lnt_mat column = lnt_block(Q, 0, i, rank, 1);
        lnt_mat_copy(column, lnt_block(UT, 0, i, rank, 1));
        length[i] = lnt_mat_norm(column);
        lnt_mat_scale(column, length[i] > 0 ? 1 / length[i] : 0);
        *lnt_at(Q, rank, i) = 1;
    }
    b[rank] = -1; /* the hull of the rows: min |sum x_i q_i|^2 + (1 - sum x_i)^2 is 0 where it holds 0 */
    nnls hull = {.A = Q, .b = b};
    status = nnls_run(ctx, &hull);
    if (status != LNT_OK || verify(out, Q, V, s, hull.y, rank, length, true))
        return status;
    memset(b, 0, ((size_t)rank + 1) * sizeof *b);
    for (int i = 0; i < m; i++)
        lnt_vec_add(rank, 1, lnt_at(Q, 0, i), b); /* the cone {Q u, u >= 1} */
    nnls cone = {.A = lnt_block(Q, 0, 0, rank, m), .b = b};
    status = nnls_run(ctx, &cone);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < m; i++)
        total += 1 + cone.x[i];
    out->residual = sqrt(lnt_vec_dot(rank, cone.y, cone.y)) / total;
    if (out->residual > ZERO / m)
        verify(out, Q, V, s, cone.y, rank, length, false);
    return LNT_OK;
}

static lnt_status separable(lnt_ctx *ctx, lnt_separation *out, const lnt_model *model, const double *w,
                            const lnt_likelihood *l)
{
    lnt_mat B, M;
    lnt_status status = lnt_mat_alloc(ctx, &B, (int)model->k, (int)model->n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &M, (int)model->k, most_margins(l));
    if (status == LNT_OK)
        status = lnt_rows_or_fail(ctx, B, model, w, 0);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < B.cols; i += l->kind == LNT_CATEGORICAL ? l->classes : 1)
        out->margins = margins_of_sample(M, out->margins, B, l, i);
    return out->margins > 0 ? decide(ctx, out, lnt_columns(M, 0, out->margins)) : LNT_OK;
}

lnt_status lnt_separable(lnt_ctx *ctx, lnt_separation *out, const lnt_model *model, const double *w,
                         const lnt_likelihood *likelihood)
{
    double one = 1;
    lnt_prior any = {.groups = 1, .alpha = &one};
    *out = (lnt_separation){.least = NAN, .most = NAN, .residual = NAN};
    lnt_status status = lnt_bayes_check(ctx, model, w, likelihood, &any);
    if (status != LNT_OK || likelihood->kind == LNT_GAUSSIAN)
        return status;
    if (!(out->v = lnt_alloc_zero(ctx, model->k, sizeof *out->v)))
        return LNT_ENOMEM;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = separable(ctx, out, model, w, likelihood);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    if (status == LNT_OK && out->separable)
        lnt_log(ctx, "the classes are %s by the linearised model: without prior its weights grow without bound",
                out->complete ? "separable" : "separable but for ties");
    return status;
}
