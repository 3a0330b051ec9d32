#include "linnet/net.h"

#include "linnet/linalg.h"

#include <stdint.h>

size_t lnt_net_size(const lnt_net *net)
{
    size_t size = 0;
    for (int l = 1; l <= net->depth; l++)
        size += (size_t)net->width[l] * (size_t)net->width[l - 1];
    return size;
}

lnt_mat lnt_net_weights(const lnt_net *net, const double *w, int l)
{
    for (int k = 1; k < l; k++)
        w += (size_t)net->width[k] * (size_t)net->width[k - 1];
    /* Views carry no const; callers write only to weights of their own. */
    return lnt_mat_view((double *)(uintptr_t)w, net->width[l], net->width[l - 1]);
}

int lnt_net_bottleneck(const lnt_net *net)
{
    int least = net->width[0];
    for (int l = 1; l <= net->depth; l++)
        if (net->width[l] < least)
            least = net->width[l];
    return least;
}

lnt_status lnt_net_product(lnt_ctx *ctx, lnt_mat P, const lnt_net *net, const double *w)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    /* From the output side: for narrow outputs every intermediate product has few rows. */
    lnt_mat left = lnt_net_weights(net, w, net->depth);
    lnt_status status = LNT_OK;
    for (int l = net->depth - 1; l >= 1 && status == LNT_OK; l--) {
        lnt_mat product, W = lnt_net_weights(net, w, l);
        status = lnt_mat_alloc(ctx, &product, left.rows, W.cols);
        if (status == LNT_OK) {
            lnt_gemm(product, 1, LNT_N, left, LNT_N, W, 0);
            left = product;
        }
    }
    if (status == LNT_OK)
        lnt_mat_copy(P, left);
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status layers_alloc(lnt_ctx *ctx, lnt_mat **Z, const lnt_net *net, int first, int last, int width)
{
    *Z = lnt_alloc_zero(ctx, (size_t)net->depth + 1, sizeof **Z);
    lnt_status status = *Z ? LNT_OK : LNT_ENOMEM;
    for (int l = first; l <= last && status == LNT_OK; l++)
        status = lnt_mat_alloc(ctx, &(*Z)[l], net->width[l], width);
    return status;
}

lnt_status lnt_net_work_alloc(lnt_ctx *ctx, lnt_net_work *work, const lnt_net *net, int width)
{
    int widest = 0, L = net->depth;
    for (int l = 0; l <= L; l++)
        widest = net->width[l] > widest ? net->width[l] : widest;
    work->width = width;
    lnt_status status = layers_alloc(ctx, &work->Z, net, 0, L, width);
    if (status == LNT_OK)
        status = layers_alloc(ctx, &work->slope, net, 1, net->activation == LNT_LINEAR ? 0 : L - 1, width);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &work->Y, net->width[L], width);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &work->D, widest, width);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &work->D_next, widest, width);
    return status;
}

/* z_l of the first `count` samples; z_0 are the inputs, wherever these lie. */
static lnt_mat output(const lnt_net_work *work, lnt_mat Z0, int l)
{
    return l == 0 ? Z0 : lnt_columns(work->Z[l], 0, Z0.cols);
}

static lnt_mat slope(const lnt_net_work *work, const lnt_net *net, int l, int count)
{
    return net->activation == LNT_LINEAR || l == net->depth ? (lnt_mat){0} : lnt_columns(work->slope[l], 0, count);
}

static void forward(const lnt_net_work *work, const lnt_net *net, const double *w, lnt_mat Z0)
{
    for (int l = 1; l <= net->depth; l++) {
        lnt_mat Z = output(work, Z0, l);
        lnt_gemm(Z, 1, LNT_N, lnt_net_weights(net, w, l), LNT_N, output(work, Z0, l - 1), 0);
        lnt_activate(Z, slope(work, net, l, Z0.cols), l < net->depth ? net->activation : LNT_LINEAR);
    }
}

/* g <- beta g + scale dE/dw, given D = dE/da_L; two buffers take turns for the layers below. */
static void backward(double *g, const lnt_net_work *work, const lnt_net *net, const double *w, lnt_mat Z0, lnt_mat D,
                     double scale, double beta)
{
    for (int l = net->depth; l >= 1; l--) {
        lnt_gemm(lnt_net_weights(net, g, l), scale, LNT_N, D, LNT_T, output(work, Z0, l - 1), beta);
        if (l == 1)
            break;
        lnt_mat below = lnt_block(l % 2 ? work->D : work->D_next, 0, 0, net->width[l - 1], D.cols);
        lnt_gemm(below, 1, LNT_T, lnt_net_weights(net, w, l), LNT_N, D, 0);
        if (net->activation != LNT_LINEAR)
            lnt_mat_multiply(below, slope(work, net, l - 1, D.cols));
        D = below;
    }
}

lnt_status lnt_net_forward(lnt_ctx *ctx, lnt_mat F, const lnt_net *net, const double *w, lnt_mat X)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat below = X;
    lnt_status status = LNT_OK;
    for (int l = 1; l <= net->depth && status == LNT_OK; l++) {
        lnt_mat Z = F;
        if (l < net->depth)
            status = lnt_mat_alloc(ctx, &Z, net->width[l], X.cols);
        if (status != LNT_OK)
            break;
        lnt_gemm(Z, 1, LNT_N, lnt_net_weights(net, w, l), LNT_N, below, 0);
        lnt_activate(Z, (lnt_mat){0}, l < net->depth ? net->activation : LNT_LINEAR);
        below = Z;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Adds to g the gradient of one block of `count` <= work->width rows, each weighing 1/total. */
static void add_block(double *g, lnt_net_work *work, const lnt_net *net, const double *w, const lnt_task *task,
                      const int *rows, int first, int count, double total, double beta)
{
    lnt_mat Z0 = rows ? (lnt_mat){0} : lnt_task_view(task, first, count), Y = lnt_columns(work->Y, 0, count);
    if (Z0.a) {
        lnt_targets_get(Y, &task->data, rows, first, count);
    } else {
        Z0 = lnt_columns(work->Z[0], 0, count);
        lnt_task_get(Z0, Y, task, rows, first, count);
    }
    forward(work, net, w, Z0);
    lnt_mat D = output(work, Z0, net->depth);
    lnt_mat_add(D, -1, Y);
    backward(g, work, net, w, Z0, D, 1 / total, beta);
}

void lnt_net_gradient(double *g, lnt_net_work *work, const lnt_net *net, const double *w, const lnt_task *task,
                      const int *rows, int first, int count)
{
    for (int done = 0; done < count; done += work->width) {
        int block = count - done < work->width ? count - done : work->width;
        add_block(g, work, net, w, task, rows, first + done, block, count, done == 0 ? 0 : 1);
    }
}

lnt_status lnt_moments_work_alloc(lnt_ctx *ctx, lnt_moments_work *work, const lnt_net *net)
{
    size_t layers = (size_t)net->depth + 1;
    int outputs = net->width[net->depth];
    work->B = lnt_alloc(ctx, layers, sizeof *work->B);
    work->G = lnt_alloc(ctx, layers, sizeof *work->G);
    lnt_status status = work->B && work->G ? LNT_OK : LNT_ENOMEM;
    for (int l = 0; l <= net->depth && status == LNT_OK; l++) {
        status = lnt_mat_alloc(ctx, &work->B[l], outputs, net->width[l]);
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &work->G[l], outputs, net->width[l]);
    }
    return status;
}

void lnt_net_gradient_moments(double *g, const lnt_moments_work *work, const lnt_net *net, const double *w,
                              const lnt_moments *m)
{
    int L = net->depth;
    lnt_mat *B = work->B, *G = work->G;
    lnt_mat_copy(B[L - 1], lnt_net_weights(net, w, L));
    for (int l = L - 1; l >= 1; l--)
        lnt_gemm(B[l - 1], 1, LNT_N, B[l], LNT_N, lnt_net_weights(net, w, l), 0);
    lnt_mat_copy(G[0], m->Syx);
    lnt_gemm(G[0], 1, LNT_N, B[0], LNT_N, m->Sxx, -1);
    for (int l = 1; l < L; l++) {
        lnt_gemm(lnt_net_weights(net, g, l), 1, LNT_T, B[l], LNT_N, G[l - 1], 0);
        lnt_gemm(G[l], 1, LNT_N, G[l - 1], LNT_T, lnt_net_weights(net, w, l), 0);
    }
    lnt_mat_copy(lnt_net_weights(net, g, L), G[L - 1]); /* B_L is the identity */
}
