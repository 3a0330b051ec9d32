#include "linnet/derivatives.h"

#include "../linalg/wide.h"
#include "layers.h"
#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static size_t layer_size(const lnt_layers *net, int l)
{
    size_t out = (size_t)net->net.width[l], in = (size_t)net->net.width[l - 1];
    return out * (in + net->biases);
}

size_t lnt_layers_size(const lnt_layers *net)
{
    size_t size = 0;
    for (int l = 1; l <= net->net.depth; l++)
        size += layer_size(net, l);
    return size;
}

lnt_mat lnt_layers_weights(const lnt_layers *net, const double *w, int l)
{
    for (int k = 1; k < l; k++)
        w += layer_size(net, k);
    /* Views carry no const; callers write only to weights of their own. */
    return lnt_mat_view((double *)(uintptr_t)w, net->net.width[l], net->net.width[l - 1]);
}

double *lnt_layers_biases(const lnt_layers *net, const double *w, int l)
{
    lnt_mat W = lnt_layers_weights(net, w, l);
    return net->biases ? lnt_at(W, 0, W.cols) : NULL;
}

double lnt_layers_scale(const lnt_layers *net, int l)
{
    return net->ntk ? 1 / sqrt(net->net.width[l - 1]) : 1;
}

double lnt_layers_bias_scale(const lnt_layers *net)
{
    return net->ntk && net->bias_scale != 0 ? net->bias_scale : 1;
}

static lnt_activation activation(const lnt_layers *net, int l)
{
    return l < net->net.depth ? net->net.activation : net->output;
}

int lnt_layers_block(const lnt_layers *net, int samples, int most)
{
    int widest = 1, block = most;
    for (int l = 0; l <= net->net.depth; l++)
        widest = net->net.width[l] > widest ? net->net.width[l] : widest;
    long factors = (long)widest * net->net.width[net->net.depth];
    while (block > 8 && block * factors > 131072)
        block /= 2;
    return samples < block ? samples : block;
}

lnt_status lnt_layers_work_alloc(lnt_ctx *ctx, lnt_layers_work *work, const lnt_layers *net, int width)
{
    int L = net->net.depth, outputs = net->net.width[L], widest = 0;
    lnt_mat **each[] = {&work->Z, &work->slope, &work->curve, &work->dZ, &work->ddZ};
    lnt_status status = LNT_OK;
    *work = (lnt_layers_work){.width = width};
    for (int i = 0; i < 5 && status == LNT_OK; i++) {
        *each[i] = lnt_alloc_zero(ctx, (size_t)L + 1, sizeof **each[i]);
        status = *each[i] ? LNT_OK : LNT_ENOMEM;
        for (int l = 1; l <= L && status == LNT_OK; l++)
            status = lnt_mat_alloc(ctx, &(*each[i])[l], net->net.width[l], width);
    }
    for (int l = 0; l <= L; l++)
        widest = net->net.width[l] > widest ? net->net.width[l] : widest;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &work->D, widest, width * outputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &work->D_next, widest, width * outputs);
    return status;
}

static lnt_mat first(lnt_mat A, int N)
{
    return lnt_columns(A, 0, N);
}

/* A <- A + t b 1^T, without gaps between its columns. */
WIDE static void add_bias(lnt_mat A, double t, const double *b)
{
    for (int j = 0; b && A.rows == 1 && j < A.cols; j++) /* one loop, not many short ones */
        A.a[j] += t * b[0];
    for (int j = 0; b && A.rows > 1 && j < A.cols; j++) {
        double *restrict a = lnt_at(A, 0, j);
        for (int i = 0; i < A.rows; i++)
            a[i] += t * b[i];
    }
}

/* B <- B o A, without gaps between their columns. */
WIDE static void multiply(lnt_mat B, lnt_mat A)
{
    size_t count = (size_t)B.rows * (size_t)B.cols;
    for (size_t i = 0; i < count; i++)
        B.a[i] *= A.a[i];
}

/* ddA <- curve o dA o dA + slope o ddA, the latter 0 in the first layer; all without gaps. */
WIDE static void bend(lnt_mat ddA, lnt_mat dA, const double *curve, const double *slope, bool first_layer)
{
    size_t count = (size_t)dA.rows * (size_t)dA.cols;
    double *restrict aa = ddA.a;
    const double *restrict a = dA.a;
    for (size_t i = 0; i < count && first_layer; i++)
        aa[i] = curve[i] * a[i] * a[i];
    for (size_t i = 0; i < count && !first_layer; i++)
        aa[i] = curve[i] * a[i] * a[i] + slope[i] * aa[i];
}

void lnt_layers_pass(lnt_layers_work *work, const lnt_layers *net, const double *w, lnt_mat X, bool curve)
{
    int N = X.cols;
    assert(X.rows == net->net.width[0] && N <= work->width);
    work->Z[0] = X;
    for (int l = 1; l <= net->net.depth; l++) {
        lnt_mat A = first(work->Z[l], N), none = {0};
        lnt_gemm(A, lnt_layers_scale(net, l), LNT_N, lnt_layers_weights(net, w, l), LNT_N, first(work->Z[l - 1], N), 0);
        add_bias(A, lnt_layers_bias_scale(net), lnt_layers_biases(net, w, l));
        lnt_activate_twice(A, first(work->slope[l], N), curve ? first(work->curve[l], N) : none, activation(net, l));
    }
}

/* After a pass: dZ, and ddZ where asked for. */
static void along(lnt_layers_work *work, const lnt_layers *net, const double *w, const double *v, int N, bool second)
{
    double t = lnt_layers_bias_scale(net);
    for (int l = 1; l <= net->net.depth; l++) {
        lnt_mat W = lnt_layers_weights(net, w, l), dW = lnt_layers_weights(net, v, l);
        lnt_mat z = first(work->Z[l - 1], N), dA = first(work->dZ[l], N), ddA = first(work->ddZ[l], N);
        lnt_mat dz = l > 1 ? first(work->dZ[l - 1], N) : z, ddz = l > 1 ? first(work->ddZ[l - 1], N) : z;
        double s = lnt_layers_scale(net, l);
        lnt_gemm(dA, s, LNT_N, dW, LNT_N, z, 0);
        if (l > 1)
            lnt_gemm(dA, s, LNT_N, W, LNT_N, dz, 1);
        add_bias(dA, t, lnt_layers_biases(net, v, l));
        if (second && l > 1) {
            lnt_gemm(ddA, 2 * s, LNT_N, dW, LNT_N, dz, 0);
            lnt_gemm(ddA, s, LNT_N, W, LNT_N, ddz, 1);
        }
        if (second)
            bend(ddA, dA, work->curve[l].a, work->slope[l].a, l == 1);
        multiply(dA, first(work->slope[l], N));
    }
}

/* One slope for `each` columns. */
WIDE static void multiply_columns(lnt_mat B, lnt_mat slope, int each)
{
    for (int j = 0; j < B.cols; j++) {
        double *restrict b = lnt_at(B, 0, j);
        const double *restrict a = lnt_at(slope, 0, j / each);
        for (int i = 0; i < B.rows; i++)
            b[i] *= a[i];
    }
}

void lnt_layers_back(lnt_mat below, const lnt_layers_work *work, const lnt_layers *net, const double *w, int l,
                     lnt_mat D)
{
    lnt_gemm(below, lnt_layers_scale(net, l), LNT_T, lnt_layers_weights(net, w, l), LNT_N, D, 0);
    int N = work->Z[0].cols, each = D.cols / N;
    assert(each * N == D.cols);
    multiply_columns(below, work->slope[l - 1], each);
}

void lnt_layers_top(lnt_mat D, const lnt_layers_work *work, const lnt_layers *net)
{
    int outputs = net->net.width[net->net.depth];
    lnt_mat_fill(D, 0);
    for (int j = 0; j < D.cols; j++)
        *lnt_at(D, j % outputs, j) = *lnt_at(work->slope[net->net.depth], j % outputs, j / outputs);
}

/* The scratch where D is not, as rows x D.cols. */
static lnt_mat other(const lnt_layers_work *work, lnt_mat D, int rows)
{
    return lnt_mat_view(D.a == work->D.a ? work->D_next.a : work->D.a, rows, D.cols);
}

/* g <- g + B^T u for the samples of the pass; D holds U o phi'. */
static void gradient(double *g, lnt_layers_work *work, const lnt_layers *net, const double *w, lnt_mat D)
{
    double t = lnt_layers_bias_scale(net);
    for (int l = net->net.depth; l >= 1; l--) {
        double *b = lnt_layers_biases(net, g, l);
        lnt_gemm(lnt_layers_weights(net, g, l), lnt_layers_scale(net, l), LNT_N, D, LNT_T,
                 first(work->Z[l - 1], D.cols), 1);
        for (int j = 0; b && j < D.cols; j++)
            lnt_vec_add(D.rows, t, lnt_at(D, 0, j), b);
        if (l > 1) {
            lnt_mat below = other(work, D, net->net.width[l - 1]);
            lnt_layers_back(below, work, net, w, l, D);
            D = below;
        }
    }
}

/* Columns of BT, rows first_row .. last_row - 1 of the block's Jacobian, get the part of layer l: s z (x) d, t d. */
WIDE static void write_layer(lnt_mat BT, const lnt_layers_work *work, const lnt_layers *net, int l, lnt_mat D,
                             size_t offset, int first_row)
{
    int outputs = net->net.width[net->net.depth], h = D.rows, p = net->net.width[l - 1];
    double s = lnt_layers_scale(net, l), t = lnt_layers_bias_scale(net);
    for (int j = 0; j < BT.cols; j++) {
        const double *restrict d = lnt_at(D, 0, first_row + j);
        const double *restrict z = lnt_at(work->Z[l - 1], 0, (first_row + j) / outputs);
        double *restrict to = lnt_at(BT, 0, j) + offset;
        for (int c = 0; h == 1 && c < p; c++) /* the same, in one long loop */
            to[c] = s * d[0] * z[c];
        for (int c = 0; h > 1 && c < p; c++) {
            double sz = s * z[c];
            for (int i = 0; i < h; i++)
                to[c * h + i] = sz * d[i];
        }
        for (int i = 0; net->biases && i < h; i++)
            to[p * h + i] = t * d[i];
    }
}

/* Rows first_row .. first_row + BT.cols - 1 of the Jacobian of the samples of the pass. */
static void jacobian(lnt_mat BT, lnt_layers_work *work, const lnt_layers *net, const double *w, int N, int first_row)
{
    int L = net->net.depth, outputs = net->net.width[L];
    lnt_mat D = lnt_mat_view(work->D.a, outputs, N * outputs);
    size_t offset = lnt_layers_size(net);
    lnt_layers_top(D, work, net);
    for (int l = L; l >= 1; l--) {
        offset -= layer_size(net, l);
        write_layer(BT, work, net, l, D, offset, first_row);
        if (l > 1) {
            lnt_mat below = other(work, D, net->net.width[l - 1]);
            lnt_layers_back(below, work, net, w, l, D);
            D = below;
        }
    }
}

/* ---- All samples, block by block, on one work ---- */

/* A pass over N samples from i on, unless it is still there. */
static void pass(lnt_layers_work *work, const lnt_layers *net, const double *w, lnt_mat X, int i, int N, bool curve)
{
    size_t bytes = lnt_layers_size(net) * sizeof *w;
    bool all = work->w && N == X.cols;
    if (all && work->kept && memcmp(work->w, w, bytes) == 0)
        return;
    lnt_layers_pass(work, net, w, lnt_columns(X, i, N), curve || all);
    work->kept = all;
    if (all)
        memcpy(work->w, w, bytes);
}

void lnt_layers_forward_on(lnt_layers_work *work, lnt_mat F, const lnt_layers *net, const double *w, lnt_mat X)
{
    for (int i = 0; i < X.cols; i += work->width) {
        int N = X.cols - i < work->width ? X.cols - i : work->width;
        pass(work, net, w, X, i, N, false);
        lnt_mat_copy(lnt_columns(F, i, N), first(work->Z[net->net.depth], N));
    }
}

void lnt_layers_along_on(lnt_layers_work *work, lnt_mat dF, lnt_mat ddF, const lnt_layers *net, const double *w,
                         const double *v, lnt_mat X)
{
    for (int i = 0; i < X.cols; i += work->width) {
        int N = X.cols - i < work->width ? X.cols - i : work->width, L = net->net.depth;
        pass(work, net, w, X, i, N, ddF.a != NULL);
        along(work, net, w, v, N, ddF.a != NULL);
        if (dF.a)
            lnt_mat_copy(lnt_columns(dF, i, N), first(work->dZ[L], N));
        if (ddF.a)
            lnt_mat_copy(lnt_columns(ddF, i, N), first(work->ddZ[L], N));
    }
}

void lnt_layers_vjp_on(lnt_layers_work *work, double *g, const lnt_layers *net, const double *w, lnt_mat U, lnt_mat X)
{
    lnt_mat_fill(lnt_mat_view(g, (int)lnt_layers_size(net), 1), 0);
    for (int i = 0; i < X.cols; i += work->width) {
        int N = X.cols - i < work->width ? X.cols - i : work->width;
        lnt_mat D = lnt_mat_view(work->D.a, U.rows, N);
        pass(work, net, w, X, i, N, false);
        lnt_mat_copy(D, lnt_columns(U, i, N));
        multiply(D, first(work->slope[net->net.depth], N));
        gradient(g, work, net, w, D);
    }
}

void lnt_layers_jacobian_on(lnt_layers_work *work, lnt_mat BT, int first_row, const lnt_layers *net, const double *w,
                            lnt_mat X)
{
    int outputs = net->net.width[net->net.depth], last_row = first_row + BT.cols;
    for (int row = first_row; row < last_row;) {
        int sample = row / outputs, end = (last_row + outputs - 1) / outputs;
        int N = end - sample < work->width ? end - sample : work->width;
        int next = (sample + N) * outputs < last_row ? (sample + N) * outputs : last_row;
        pass(work, net, w, X, sample, N, false);
        jacobian(lnt_columns(BT, row - first_row, next - row), work, net, w, N, row - sample * outputs);
        row = next;
    }
}

/* ---- The same with scratch memory from a context ---- */

#define ON_WORK(call)                                                                                                  \
    lnt_mark mark = lnt_ctx_mark(ctx);                                                                                 \
    lnt_layers_work work;                                                                                              \
    lnt_status status = lnt_layers_work_alloc(ctx, &work, net, lnt_layers_block(net, X.cols, 256));                    \
    if (status == LNT_OK)                                                                                              \
        call;                                                                                                          \
    lnt_ctx_reset(ctx, mark);                                                                                          \
    return status

lnt_status lnt_layers_forward(lnt_ctx *ctx, lnt_mat F, const lnt_layers *net, const double *w, lnt_mat X)
{
    ON_WORK(lnt_layers_forward_on(&work, F, net, w, X));
}

lnt_status lnt_layers_jvp(lnt_ctx *ctx, lnt_mat dF, const lnt_layers *net, const double *w, const double *v, lnt_mat X)
{
    ON_WORK(lnt_layers_along_on(&work, dF, (lnt_mat){0}, net, w, v, X));
}

lnt_status lnt_layers_second(lnt_ctx *ctx, lnt_mat dF, lnt_mat ddF, const lnt_layers *net, const double *w,
                             const double *v, lnt_mat X)
{
    ON_WORK(lnt_layers_along_on(&work, dF, ddF, net, w, v, X));
}

lnt_status lnt_layers_vjp(lnt_ctx *ctx, double *g, const lnt_layers *net, const double *w, lnt_mat U, lnt_mat X)
{
    ON_WORK(lnt_layers_vjp_on(&work, g, net, w, U, X));
}

lnt_status lnt_layers_jacobian(lnt_ctx *ctx, lnt_mat BT, const lnt_layers *net, const double *w, lnt_mat X)
{
    ON_WORK(lnt_layers_jacobian_on(&work, BT, 0, net, w, X));
}
