/* What is followed of every method. */
#include "modes.h"

#include "linnet/linalg.h"

#include <math.h>

/* ---- Strengths ---- */

lnt_status lnt_modes_map_strengths(lnt_ctx *ctx, double *strength, double *outside, const lnt_modes_run *m, lnt_mat W)
{
    double unused;
    return lnt_alignedness(ctx, outside ? outside : &unused, strength, W, lnt_modes_U(m), lnt_modes_VT(m));
}

lnt_status lnt_modes_net_strengths(lnt_ctx *ctx, double *strength, double *outside, const lnt_modes_run *m,
                                   const double *w)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat P;
    lnt_status status = lnt_mat_alloc(ctx, &P, m->setup.task.outputs, m->setup.task.inputs);
    if (status == LNT_OK)
        status = lnt_net_product(ctx, P, &m->net, w);
    if (status == LNT_OK)
        status = lnt_modes_map_strengths(ctx, strength, outside, m, P);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_modes_start_strengths(lnt_ctx *ctx, double *u0, const lnt_modes_run *m, const double *w)
{
    if (m->net.depth != 2)
        return lnt_modes_net_strengths(ctx, u0, NULL, m, w);
    return lnt_start_first_order(ctx, u0, lnt_modes_U(m), lnt_modes_VT(m), lnt_net_weights(&m->net, w, 1),
                                 lnt_net_weights(&m->net, w, 2));
}

/* ---- What is seen of a product, and of the weights ---- */

/* With C_XX = d I: E - E_min = d/2 |W - Syx/d|^2, split into what the modes lack and what W has outside of them. */
static void watch_energy(lnt_course *c, const lnt_modes_run *m, int j, lnt_mat W, double outside)
{
    double fit = 0, norm = lnt_mat_norm(W);
    const double *strength = c->strength + (size_t)j * (size_t)m->count;
    for (int k = 0; k < m->count; k++)
        fit += (m->target[k] - strength[k]) * (m->target[k] - strength[k]);
    c->watch[LNT_WATCH_FIT][j] = m->scale * m->d0 * fit / 2;
    c->watch[LNT_WATCH_COMPETITION][j] = m->scale * m->d0 * norm * norm * outside / 2;
}

static lnt_status watch_item(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, int j, lnt_mat W)
{
    lnt_mat y;
    int feature = m->opts->feature - 1;
    lnt_status status = lnt_mat_alloc(ctx, &y, W.rows, 1);
    if (status != LNT_OK)
        return status;
    lnt_gemm(y, 1, LNT_N, W, LNT_N, lnt_mat_view(m->x, W.cols, 1), 0);
    double sum = m->Q.a ? 0 : y.a[feature];
    for (int i = 0; i < W.rows && m->Q.a; i++)
        sum += *lnt_at(m->Q, feature, i) * y.a[i];
    c->watch[LNT_WATCH_PREDICTION][j] = sum;
    return LNT_OK;
}

/* m_k = u_k' W v_k, the loss, and the rest that the product alone tells. */
lnt_status lnt_modes_watch_product(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, int j, lnt_mat W)
{
    double loss = 0, outside = 0;
    lnt_status status = lnt_modes_map_strengths(ctx, c->strength + (size_t)j * (size_t)m->count, &outside, m, W);
    if (c->watch[LNT_WATCH_OUTSIDE])
        c->watch[LNT_WATCH_OUTSIDE][j] = outside;
    if (status == LNT_OK)
        status = lnt_linear_loss(ctx, &loss, W, &m->setup.all);
    c->watch[LNT_WATCH_LOSS][j] = m->scale * loss;
    if (status == LNT_OK && c->watch[LNT_WATCH_TEST]) {
        status = lnt_linear_loss(ctx, &loss, W, &m->setup.held);
        c->watch[LNT_WATCH_TEST][j] = m->scale * loss;
    }
    if (status == LNT_OK && c->watch[LNT_WATCH_PREDICTION])
        status = watch_item(ctx, c, m, j, W);
    if (c->watch[LNT_WATCH_FIT])
        watch_energy(c, m, j, W, outside);
    if (c->W)
        lnt_mat_copy(c->W[j], W);
    return status;
}

lnt_status lnt_modes_watch_weights(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, int j, const double *w)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat P;
    lnt_status status = lnt_mat_alloc(ctx, &P, m->setup.task.outputs, m->setup.task.inputs);
    if (status == LNT_OK)
        status = lnt_net_product(ctx, P, &m->net, w);
    if (status == LNT_OK)
        status = lnt_modes_watch_product(ctx, c, m, j, P);
    if (status == LNT_OK && m->net.depth == 2) {
        lnt_mat W1 = lnt_net_weights(&m->net, w, 1), W2 = lnt_net_weights(&m->net, w, 2);
        if (c->A) {
            lnt_gemm(c->A[j], 1, LNT_T, W1, LNT_N, W1, 0);
            lnt_gemm(c->B[j], 1, LNT_N, W2, LNT_T, W2, 0);
        }
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* The tangent kernel at each time against its last one, over inputs whose second moments are Sxx: with X = Sxx^{1/2}
 * the factors are X W1'W1 X, W2 W2' and Sxx. */
lnt_status lnt_modes_watch_alignment(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m)
{
    int D = m->setup.task.inputs, last = m->times - 1;
    lnt_mat V, S, X, T, *A = c->A, *B = c->B, Sxx = m->setup.all.Sxx;
    double *value = lnt_alloc(ctx, (size_t)D, sizeof *value);
    lnt_status status = value ? lnt_mat_alloc(ctx, &V, D, D) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &S, D, D);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &X, D, D);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &T, D, D);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(S, Sxx);
    if ((status = lnt_eigh(ctx, value, V, S)) != LNT_OK)
        return status;
    lnt_mat_copy(S, V);
    for (int k = 0; k < D; k++)
        lnt_mat_scale(lnt_columns(S, k, 1), sqrt(fmax(value[k], 0)));
    lnt_gemm(X, 1, LNT_N, S, LNT_T, V, 0);
    for (int j = 0; j <= last; j++) {
        lnt_gemm(T, 1, LNT_N, X, LNT_N, A[j], 0);
        lnt_gemm(A[j], 1, LNT_N, T, LNT_N, X, 0);
    }
    double end = lnt_ntk_dot(A[last], B[last], A[last], B[last], Sxx);
    for (int j = 0; j <= last; j++)
        c->watch[LNT_WATCH_ALIGNMENT][j] =
            lnt_ntk_dot(A[j], B[j], A[last], B[last], Sxx) / sqrt(end * lnt_ntk_dot(A[j], B[j], A[j], B[j], Sxx));
    return LNT_OK;
}

/* ---- Half-times ---- */

#define SCAN 256 /* intervals of the time axis in which a first crossing is looked for */

typedef struct bracket {
    double low, high, f_low, f_high;
} bracket;

/* The zero in a bracket with f_low < 0 <= f_high: the Illinois variant of false position. */
static lnt_status refine(lnt_ctx *ctx, double *when, bracket b, lnt_strengths strengths, void *user, double *now, int i,
                         double level)
{
    *when = b.high;
    for (int n = 0, side = 0; n < 100 && b.f_high > 1e-14 * level && b.high - b.low > 1e-13 * b.high; n++) {
        double t = b.high - b.f_high * (b.high - b.low) / (b.f_high - b.f_low), f;
        lnt_status status = strengths(ctx, now, t, user);
        if (status != LNT_OK)
            return status;
        f = now[i] - level;
        *when = t;
        if (fabs(f) <= 1e-14 * level)
            break;
        if (f > 0) {
            b.high = t, b.f_high = f;
            b.f_low = side > 0 ? b.f_low / 2 : b.f_low;
            side = 1;
        } else {
            b.low = t, b.f_low = f;
            b.f_high = side < 0 ? b.f_high / 2 : b.f_high;
            side = -1;
        }
    }
    return LNT_OK;
}

lnt_status lnt_modes_half_times(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, lnt_strengths strengths,
                                void *user, double end)
{
    size_t k = (size_t)m->count;
    double *before = lnt_alloc(ctx, k, sizeof *before), *now = lnt_alloc(ctx, k, sizeof *now),
           *scratch = lnt_alloc(ctx, k, sizeof *scratch);
    if (!before || !now || !scratch)
        return LNT_ENOMEM;
    for (size_t i = 0; i < k; i++)
        c->half[i] = INFINITY;
    for (int n = 0; n <= SCAN; n++) {
        double t = end * n / SCAN;
        lnt_status status = strengths(ctx, now, t, user);
        for (size_t i = 0; i < k && status == LNT_OK; i++) {
            double level = m->target[i] / 2;
            if (level <= 0 || isfinite(c->half[i]) || now[i] < level)
                continue;
            bracket b = {end * (n - 1) / SCAN, t, n ? before[i] - level : 0, now[i] - level};
            if (n == 0)
                c->half[i] = 0;
            else
                status = refine(ctx, &c->half[i], b, strengths, user, scratch, (int)i, level);
        }
        if (status != LNT_OK)
            return status;
        double *swap = before;
        before = now;
        now = swap;
    }
    return LNT_OK;
}
