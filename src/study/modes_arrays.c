/* What result.h5 holds beside the tables: products, modes, weights. */
#include "modes.h"

#include "linnet/linalg.h"

#include <math.h>

#define MOST_NUMBERS 2e7 /* of the products at all output times */
#define AT_MINIMUM 1e-6  /* of the strengths, what may be left to learn */

/* All Hessian eigenvalues at the minimum where the descent has ended, balanced or not; C_XX = d I. */
static lnt_status put_minimum(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m, lnt_mat W1, lnt_mat W2)
{
    size_t unknowns = (size_t)W1.rows * (size_t)(W1.cols + W2.rows);
    if (m->isotropy > LNT_MODES_SAME || unknowns > LNT_MODES_EIGENVALUES)
        return LNT_OK;
    double *value = lnt_alloc(ctx, unknowns, sizeof *value);
    lnt_status status = value ? lnt_hessian_minimum(ctx, value, W1, W2) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_mat_scale(lnt_mat_view(value, (int)unknowns, 1), m->d0);
    lnt_record_vector(record, "hessian/end", "", value, (int)unknowns);
    return LNT_OK;
}

static lnt_status put_connectivity(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    if (m->net.depth != 2 || m->why[LNT_DESCENT])
        return LNT_OK;
    lnt_mat W1 = lnt_net_weights(&m->net, m->w[0], 1), W2 = lnt_net_weights(&m->net, m->w[0], 2), W1b, W2b, R;
    lnt_status status = lnt_mat_alloc(ctx, &W1b, W1.rows, m->modes.VT.rows);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &W2b, m->modes.U.cols, W2.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &R, W2b.rows, W1b.cols);
    if (status != LNT_OK)
        return status;
    lnt_gemm(W1b, 1, LNT_N, W1, LNT_T, m->modes.VT, 0);
    lnt_gemm(W2b, 1, LNT_T, m->modes.U, LNT_N, W2, 0);
    lnt_record_matrix(record, "modes/W1bar", "", &W1b, 1);
    lnt_record_matrix(record, "modes/W2bar", "", &W2b, 1);
    for (int i = 0; i < m->count && !m->best.a; i++)
        *lnt_at(R, i, i) = m->target[i];
    if (m->best.a) {
        lnt_mat UB;
        if ((status = lnt_mat_alloc(ctx, &UB, R.rows, m->best.cols)) != LNT_OK)
            return status;
        lnt_gemm(UB, 1, LNT_T, m->modes.U, LNT_N, m->best, 0);
        lnt_gemm(R, 1, LNT_N, UB, LNT_T, m->modes.VT, 0);
    }
    double scale = lnt_mat_rms(R);
    lnt_gemm(R, -1, LNT_N, W2b, LNT_N, W1b, 1);
    lnt_record_fact(record, "fixed_point", "rms", "", lnt_number(lnt_mat_rms(R)));
    lnt_record_fact(record, "fixed_point", "relative", "", lnt_number(lnt_mat_rms(R) / scale));
    return lnt_mat_rms(R) <= AT_MINIMUM * scale ? put_minimum(ctx, record, m, W1, W2) : LNT_OK;
}

/* The product at every output time, in all outputs. */
static lnt_status put_product(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m, const char *path, lnt_mat *W)
{
    lnt_status status = LNT_OK;
    if ((double)m->times * m->setup.task.outputs * m->setup.task.inputs > MOST_NUMBERS)
        return LNT_OK;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat *all = W;
    if (m->Q.a && !(all = lnt_alloc(ctx, (size_t)m->times, sizeof *all)))
        return LNT_ENOMEM;
    for (int j = 0; j < m->times && m->Q.a && status == LNT_OK; j++) {
        status = lnt_mat_alloc(ctx, &all[j], m->Q.rows, W[j].cols);
        if (status == LNT_OK)
            lnt_gemm(all[j], 1, LNT_N, m->Q, LNT_N, W[j], 0);
    }
    if (status == LNT_OK)
        lnt_record_matrix(record, path, "", all, m->times);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Of the hidden layer at every output time, as the alignment left it: C_XX^{1/2} W1' W1 C_XX^{1/2}. */
static lnt_status put_similarity(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m, int method)
{
    const lnt_course *c = &m->course[method][0];
    double numbers = (double)m->times * m->setup.task.inputs * m->setup.task.inputs;
    const char *path = lnt_sprintf(ctx, "similarity/%s", lnt_method_names[method]);
    if (path && c->A && c->watch[LNT_WATCH_ALIGNMENT] && numbers <= MOST_NUMBERS)
        lnt_record_matrix(record, path, "", c->A, m->times);
    return path ? LNT_OK : LNT_ENOMEM;
}

/* The limit is on the mode of largest strength on which the start is not exactly 0, and on the side of the start: with
 * a = W1 v and b = u'W2, branch is the sign of both at the end, which is that of the growing part at the start. */
static void put_branch(lnt_record *record, const lnt_modes_run *m, lnt_mat W1, lnt_mat W2)
{
    int mode = 0;
    double a = 0, b = 0;
    for (int k = 0; k < m->count; k++) {
        double overlap = 0;
        for (int j = 0; j < W1.rows; j++)
            overlap += *lnt_at(m->modes.VT, k, j) * W1.a[j];
        if (fabs(overlap) > fabs(a)) {
            a = overlap;
            b = lnt_mat_dot(lnt_columns(m->modes.U, k, 1), W2);
            mode = k + 1;
        }
    }
    lnt_record_fact(record, "neuron", "mode", "", lnt_integer(mode));
    lnt_record_fact(record, "neuron", "branch", "", lnt_integer(a > 0 ? 1 : a < 0 ? -1 : 0));
    lnt_record_fact(record, "neuron", "a_limit", "", lnt_number(a));
    lnt_record_fact(record, "neuron", "b_limit", "", lnt_number(b));
}

/* One hidden unit cannot be rotated: its Riccati solution is the weights themselves. */
static lnt_status put_neuron(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    lnt_mat G = m->why[LNT_RICCATI] ? (lnt_mat){0} : m->course[LNT_RICCATI][0].neuron, W1, W2;
    int inputs = m->setup.task.inputs, outputs = m->setup.task.outputs;
    if (!G.a)
        return LNT_OK;
    lnt_status status = lnt_mat_alloc(ctx, &W2, outputs, G.cols);
    if (status != LNT_OK)
        return status;
    W1 = lnt_block(G, 0, 0, inputs, G.cols);
    if (m->Q.a)
        lnt_gemm(W2, 1, LNT_N, m->Q, LNT_N, lnt_block(G, inputs, 0, G.rows - inputs, G.cols), 0);
    else
        lnt_mat_copy(W2, lnt_block(G, inputs, 0, outputs, G.cols));
    if ((double)m->times * (inputs + outputs) <= MOST_NUMBERS) {
        lnt_record_samples(record, "exact/W1", "", lnt_columns(W1, 0, m->times));
        lnt_record_samples(record, "exact/W2", "", lnt_columns(W2, 0, m->times));
    }
    lnt_record_vector(record, "exact/W1_limit", "", lnt_at(W1, 0, m->times), inputs);
    lnt_record_vector(record, "exact/W2_limit", "", lnt_at(W2, 0, m->times), outputs);
    put_branch(record, m, lnt_columns(W1, m->times, 1), lnt_columns(W2, m->times, 1));
    return LNT_OK;
}

lnt_status lnt_modes_arrays(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    int k = m->count;
    lnt_mat V;
    lnt_status status = lnt_mat_alloc(ctx, &V, m->modes.VT.cols, k);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(V, lnt_block(m->modes.VT, 0, 0, k, V.rows));
    lnt_mat U = lnt_columns(m->modes.U, 0, k);
    lnt_record_matrix(record, "modes/U", "", &U, 1);
    lnt_record_matrix(record, "modes/V", "", &V, 1);
    lnt_record_vector(record, "modes/s", "", m->modes.s, k);
    for (int i = 0; i < LNT_METHODS; i++) {
        const char *product = lnt_sprintf(ctx, "product/%s", lnt_method_names[i]),
                   *strengths = lnt_sprintf(ctx, "strengths/%s", lnt_method_names[i]);
        if (!product || !strengths)
            return LNT_ENOMEM;
        if (m->why[i])
            continue;
        if ((status = put_product(ctx, record, m, product, m->course[i][0].W)) != LNT_OK)
            return status;
        if ((status = put_similarity(ctx, record, m, i)) != LNT_OK)
            return status;
        lnt_record_samples(record, strengths, "", lnt_mat_view(m->course[i][0].strength, k, m->times));
    }
    if (!m->why[LNT_DESCENT])
        for (int l = 1; l <= m->net.depth; l++) {
            const char *path = lnt_sprintf(ctx, "weights/%d", l);
            lnt_mat W = lnt_net_weights(&m->net, m->w[0], l);
            if (!path)
                return LNT_ENOMEM;
            lnt_record_matrix(record, path, "", &W, 1);
        }
    status = put_neuron(ctx, record, m);
    return status == LNT_OK ? put_connectivity(ctx, record, m) : status;
}
