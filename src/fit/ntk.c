#include "linnet/linearize.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <math.h>

#define BLOCK 128 /* samples of a pass */
#define TILE 128  /* rows of a tile, about */

/* Layer outputs and back-propagated factors of all samples. */
typedef struct side {
    int N;
    lnt_mat *Z, *D; /* z_l, width[l] x N, l = 0 .. L - 1; D_l, width[l] x N q, l = 1 .. L */
} side;

static lnt_status side_alloc(lnt_ctx *ctx, side *s, const lnt_layers *net, lnt_mat X)
{
    int L = net->net.depth, q = net->net.width[L];
    s->N = X.cols;
    s->Z = lnt_alloc_zero(ctx, (size_t)L + 1, sizeof *s->Z);
    s->D = lnt_alloc_zero(ctx, (size_t)L + 1, sizeof *s->D);
    lnt_status status = s->Z && s->D ? LNT_OK : LNT_ENOMEM;
    for (int l = 1; l <= L && status == LNT_OK; l++) {
        status = lnt_mat_alloc(ctx, &s->D[l], net->net.width[l], s->N * q);
        if (status == LNT_OK && l < L)
            status = lnt_mat_alloc(ctx, &s->Z[l], net->net.width[l], s->N);
    }
    if (status == LNT_OK)
        s->Z[0] = X;
    return status;
}

static lnt_status side_make(lnt_ctx *ctx, side *s, const lnt_layers *net, const double *w, lnt_mat X)
{
    int L = net->net.depth, q = net->net.width[L];
    lnt_status status = side_alloc(ctx, s, net, X);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_layers_work work;
    if (status == LNT_OK)
        status = lnt_layers_work_alloc(ctx, &work, net, X.cols < BLOCK ? X.cols : BLOCK);
    for (int i = 0; i < X.cols && status == LNT_OK; i += work.width) {
        int count = X.cols - i < work.width ? X.cols - i : work.width;
        lnt_layers_pass(&work, net, w, lnt_columns(X, i, count), false);
        lnt_layers_top(lnt_columns(s->D[L], i * q, count * q), &work, net);
        for (int l = L; l > 1; l--) {
            lnt_mat_copy(lnt_columns(s->Z[l - 1], i, count), lnt_columns(work.Z[l - 1], 0, count));
            lnt_layers_back(lnt_columns(s->D[l - 1], i * q, count * q), &work, net, w, l,
                            lnt_columns(s->D[l], i * q, count * q));
        }
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

typedef struct kernel {
    const lnt_layers *net;
    const side *row, *column;
    bool symmetric;
    int tile, down; /* samples of a tile; tiles of a column */
    lnt_mat Theta;
} kernel;

/* T <- T + (s^2 G + t^2) o H, where an entry of G stands for a q x q block of H. */
static void add_layer(lnt_mat T, lnt_mat G, lnt_mat H, int q, double s2, double t2)
{
    for (int j = 0; j < G.cols; j++)
        for (int b = 0; b < q; b++) {
            double *to = lnt_at(T, 0, j * q + b), *h = lnt_at(H, 0, j * q + b), *g = lnt_at(G, 0, j);
            if (q == 1)
                for (int i = 0; i < G.rows; i++)
                    to[i] += (s2 * g[i] + t2) * h[i];
            else
                for (int i = 0; i < G.rows; i++)
                    for (int a = 0; a < q; a++)
                        to[i * q + a] += (s2 * g[i] + t2) * h[i * q + a];
        }
}

static lnt_status fill_tile(lnt_ctx *ctx, int index, void *user)
{
    const kernel *k = user;
    int L = k->net->net.depth, q = k->net->net.width[L], i = index % k->down * k->tile, j = index / k->down * k->tile;
    int rows = k->row->N - i < k->tile ? k->row->N - i : k->tile;
    int cols = k->column->N - j < k->tile ? k->column->N - j : k->tile;
    if (k->symmetric && i < j)
        return LNT_OK;
    lnt_mat T = lnt_block(k->Theta, i * q, j * q, rows * q, cols * q), G, H;
    lnt_status status = lnt_mat_alloc(ctx, &G, rows, cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &H, rows * q, cols * q);
    if (status != LNT_OK)
        return status;
    lnt_mat_fill(T, 0);
    for (int l = 1; l <= L; l++) {
        double s = lnt_layers_scale(k->net, l), t = k->net->biases ? lnt_layers_bias_scale(k->net) : 0;
        lnt_gemm(G, 1, LNT_T, lnt_columns(k->row->Z[l - 1], i, rows), LNT_N, lnt_columns(k->column->Z[l - 1], j, cols),
                 0);
        lnt_gemm(H, 1, LNT_T, lnt_columns(k->row->D[l], i * q, rows * q), LNT_N,
                 lnt_columns(k->column->D[l], j * q, cols * q), 0);
        add_layer(T, G, H, q, s * s, t * t);
    }
    if (k->symmetric && i > j)
        lnt_mat_transpose(lnt_block(k->Theta, j * q, i * q, cols * q, rows * q), T);
    return LNT_OK;
}

static lnt_status fill(lnt_ctx *ctx, lnt_mat Theta, const lnt_layers *net, const double *w, lnt_mat X, lnt_mat X2,
                       int threads)
{
    int q = net->net.width[net->net.depth];
    side row, column;
    kernel k = {.net = net, .row = &row, .column = X2.a ? &column : &row, .symmetric = !X2.a, .Theta = Theta};
    k.tile = TILE / q > 1 ? TILE / q : 1;
    k.down = (X.cols + k.tile - 1) / k.tile;
    int across = ((X2.a ? X2.cols : X.cols) + k.tile - 1) / k.tile;
    lnt_status status = side_make(ctx, &row, net, w, X);
    if (status == LNT_OK && X2.a)
        status = side_make(ctx, &column, net, w, X2);
    if (status == LNT_OK)
        status = lnt_parallel(ctx, k.down * across, threads, fill_tile, &k);
    if (status == LNT_OK && !lnt_mat_finite(Theta))
        status = lnt_fail(ctx, LNT_EDOMAIN, "the kernel is not finite: look at the weights and inputs");
    return status;
}

lnt_status lnt_ntk(lnt_ctx *ctx, lnt_mat Theta, const lnt_layers *net, const double *w, lnt_mat X, lnt_mat X2,
                   int threads)
{
    int q = net->net.width[net->net.depth], N2 = X2.a ? X2.cols : X.cols;
    if (X.rows != net->net.width[0] || (X2.a && X2.rows != X.rows))
        return lnt_fail(ctx, LNT_ESHAPE, "samples of %d numbers for a network of %d inputs", X.rows, net->net.width[0]);
    if (Theta.rows != X.cols * q || Theta.cols != N2 * q)
        return lnt_fail(ctx, LNT_ESHAPE, "a kernel of %d x %d for %d and %d outputs", Theta.rows, Theta.cols,
                        X.cols * q, N2 * q);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = fill(ctx, Theta, net, w, X, X2, threads);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

static double square(lnt_mat A, int j)
{
    return lnt_mat_dot(lnt_columns(A, j, 1), lnt_columns(A, j, 1));
}

lnt_status lnt_ntk_diagonal(lnt_ctx *ctx, double *theta, const lnt_layers *net, const double *w, lnt_mat X)
{
    int L = net->net.depth, q = net->net.width[L];
    double t = net->biases ? lnt_layers_bias_scale(net) : 0;
    side all;
    if (X.rows != net->net.width[0])
        return lnt_fail(ctx, LNT_ESHAPE, "samples of %d numbers for a network of %d inputs", X.rows, net->net.width[0]);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = side_make(ctx, &all, net, w, X);
    for (int i = 0; i < X.cols * q && status == LNT_OK; i++) {
        theta[i] = 0;
        for (int l = 1; l <= L; l++) {
            double s = lnt_layers_scale(net, l);
            theta[i] += (s * s * square(all.Z[l - 1], i / q) + t * t) * square(all.D[l], i);
        }
    }
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status rows(lnt_ctx *ctx, lnt_mat X, const lnt_model *model, const double *w, int first)
{
    bool rejected;
    lnt_status status =
        lnt_model_rows(ctx, X.a, (size_t)X.ld, &rejected, model, w, (size_t)first, (size_t)first + (size_t)X.cols);
    return status == LNT_OK && rejected ? lnt_fail(ctx, LNT_EDOMAIN, "the model has no Jacobian at these weights")
                                        : status;
}

static int chunk_of(const lnt_model *model)
{
    return model->jacobian && model->n > LNT_MODEL_CHUNK ? LNT_MODEL_CHUNK : (int)model->n;
}

static lnt_status model_kernel(lnt_ctx *ctx, lnt_mat K, const lnt_model *model, const lnt_model *other, const double *w,
                               const double *v)
{
    int a = chunk_of(model), b = chunk_of(other), k = (int)model->k;
    lnt_mat X, Y;
    lnt_status status = lnt_mat_alloc(ctx, &X, k, a);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, k, b);
    for (int j = 0; j < K.cols && status == LNT_OK; j += b) {
        lnt_mat y = lnt_columns(Y, 0, K.cols - j < b ? K.cols - j : b);
        status = rows(ctx, y, other, w, j);
        for (int c = 0; c < y.cols && v && status == LNT_OK; c++)
            lnt_mat_multiply(lnt_columns(y, c, 1), lnt_mat_view((double *)v, k, 1));
        for (int i = model == other ? j : 0; i < K.rows && status == LNT_OK; i += a) {
            lnt_mat x = lnt_columns(X, 0, K.rows - i < a ? K.rows - i : a);
            status = rows(ctx, x, model, w, i);
            if (status == LNT_OK)
                lnt_gemm(lnt_block(K, i, j, x.cols, y.cols), 1, LNT_T, x, LNT_N, y, 0);
        }
    }
    if (status == LNT_OK && model == other)
        lnt_symmetrize(K);
    return status;
}

lnt_status lnt_model_kernel(lnt_ctx *ctx, lnt_mat K, const lnt_model *model, const lnt_model *other, const double *w,
                            const double *v)
{
    other = other ? other : model;
    if (other->k != model->k || (size_t)K.rows != model->n || (size_t)K.cols != other->n)
        return lnt_fail(ctx, LNT_ESHAPE, "a kernel of %d x %d for %zu and %zu outputs", K.rows, K.cols, model->n,
                        other->n);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = model_kernel(ctx, K, model, other, w, v);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
