#include "linnet/task.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <string.h>

/* Features are cut into tiles of equal width and each pair of tiles streams all rows by itself: no partial sums to
 * combine, so the result cannot depend on how many threads share the pairs. */
#define WIDEST_TILE 208
/* Bytes are shifted to -128 .. 127: 1,024 products of two of them sum to at most 2^24, exact in single precision. */
#define SHIFT 128
#define BYTE_ROWS 1024
#define ROWS 256

typedef struct gram {
    lnt_mat C;
    const lnt_samples *samples;
    const double *mean;
    int first, count, tiles, width;
    double *sum; /* of these rows, for bytes */
} gram;

static int tile_width(const gram *g, int tile)
{
    int left = g->samples->dim - tile * g->width;
    return left < g->width ? left : g->width;
}

static void get_single(float *x, const gram *g, int tile, int row, int count)
{
    size_t dim = (size_t)g->samples->dim, ld = (size_t)g->width;
    int width = tile_width(g, tile);
    for (int j = 0; j < count; j++) {
        const uint8_t *restrict from = g->samples->u8 + (size_t)(row + j) * dim + (size_t)tile * ld;
        float *restrict to = x + (size_t)j * ld;
        for (int i = 0; i < width; i++)
            to[i] = (float)(from[i] - SHIFT);
    }
}

static void get_double(double *x, const gram *g, int tile, int row, int count)
{
    size_t dim = (size_t)g->samples->dim, ld = (size_t)g->width;
    int width = tile_width(g, tile);
    const double *mean = g->mean ? g->mean + (size_t)tile * ld : NULL;
    for (int j = 0; j < count; j++) {
        const double *from = g->samples->f64 + (size_t)(row + j) * dim + (size_t)tile * ld;
        for (int i = 0; i < width; i++)
            x[(size_t)j * ld + (size_t)i] = mean ? from[i] - mean[i] : from[i];
    }
}

/* sum <- 1/n sum_i (x_i - m)(x_i - m)^T from the sums of products of u = x - SHIFT. Everything up to the last line is
 * integers, exact below 2^53: what does not vary has variance exactly 0. The mean m need not be that of these rows. */
static void centre_sums(const gram *g, int a, int b, lnt_mat sum)
{
    const double *sa = g->sum + a * g->width, *sb = g->sum + b * g->width;
    double n = g->count;
    const double *ma = g->mean ? g->mean + a * g->width : NULL, *mb = g->mean ? g->mean + b * g->width : NULL;
    for (int j = 0; j < sum.cols; j++)
        for (int i = 0; i < sum.rows; i++) {
            double *c = lnt_at(sum, i, j);
            double products = *c + SHIFT * (sa[i] + sb[j]) - SHIFT * SHIFT * n;
            *c = products / n;
            if (g->mean)
                *c = (n * products - sa[i] * sb[j]) / (n * n) + (sa[i] / n - ma[i]) * (sb[j] / n - mb[j]);
        }
}

static void add_products(lnt_mat sum, const float *c, int ld)
{
    for (int j = 0; j < sum.cols; j++) {
        double *restrict to = lnt_at(sum, 0, j);
        const float *restrict from = c + (size_t)j * (size_t)ld;
        for (int i = 0; i < sum.rows; i++)
            to[i] += (double)from[i];
    }
}

static lnt_status sum_bytes(lnt_ctx *ctx, const gram *g, int a, int b, lnt_mat sum)
{
    int ld = g->width;
    size_t tile = (size_t)ld * BYTE_ROWS, square = (size_t)ld * (size_t)ld;
    float *xa = lnt_alloc(ctx, tile, sizeof *xa), *xb = lnt_alloc(ctx, tile, sizeof *xb),
          *c = lnt_alloc(ctx, square, sizeof *c);
    if (!xa || !xb || !c)
        return LNT_ENOMEM;
    for (int row = 0; row < g->count; row += BYTE_ROWS) {
        int count = g->count - row < BYTE_ROWS ? g->count - row : BYTE_ROWS;
        const float *other = a != b ? xb : xa;
        get_single(xa, g, a, g->first + row, count);
        if (a != b)
            get_single(xb, g, b, g->first + row, count);
        memset(c, 0, square * sizeof *c);
        lnt_gemm_single(c, ld, xa, ld, other, ld, sum.rows, sum.cols, count);
        add_products(sum, c, ld);
    }
    centre_sums(g, a, b, sum);
    return LNT_OK;
}

static lnt_status sum_doubles(lnt_ctx *ctx, const gram *g, int a, int b, lnt_mat sum)
{
    size_t tile = (size_t)g->width * ROWS;
    double *xa = lnt_alloc(ctx, tile, sizeof *xa), *xb = lnt_alloc(ctx, tile, sizeof *xb);
    if (!xa || !xb)
        return LNT_ENOMEM;
    for (int row = 0; row < g->count; row += ROWS) {
        int count = g->count - row < ROWS ? g->count - row : ROWS;
        get_double(xa, g, a, g->first + row, count);
        if (a != b)
            get_double(xb, g, b, g->first + row, count);
        lnt_mat A = {xa, sum.rows, count, g->width}, B = {a != b ? xb : xa, sum.cols, count, g->width};
        lnt_gemm(sum, 1, LNT_N, A, LNT_T, B, 1);
    }
    lnt_mat_scale(sum, 1.0 / g->count);
    return LNT_OK;
}

static lnt_status gram_pair(lnt_ctx *ctx, int index, void *user)
{
    const gram *g = user;
    int a = 0, b = index; /* pair (a, b) with a >= b from its number in the lower triangle */
    while (b > a)
        b -= ++a;
    lnt_mat sum = lnt_block(g->C, a * g->width, b * g->width, tile_width(g, a), tile_width(g, b));
    lnt_mat_fill(sum, 0);
    return g->samples->u8 ? sum_bytes(ctx, g, a, b, sum) : sum_doubles(ctx, g, a, b, sum);
}

/* sum <- sum_i x_i of the rows first .. first+count-1. */
static void sum_rows(double *restrict sum, const lnt_samples *samples, int first, int count)
{
    size_t dim = (size_t)samples->dim, end = (size_t)first + (size_t)count;
    memset(sum, 0, dim * sizeof *sum);
    for (size_t row = (size_t)first; row < end && samples->f64; row++)
        for (size_t i = 0; i < dim; i++)
            sum[i] += samples->f64[row * dim + i];
    for (size_t row = (size_t)first; row < end && samples->u8; row++)
        for (size_t i = 0; i < dim; i++)
            sum[i] += samples->u8[row * dim + i];
}

void lnt_samples_mean(double *mean, const lnt_samples *samples)
{
    sum_rows(mean, samples, 0, samples->n);
    for (int i = 0; i < samples->dim; i++)
        mean[i] /= samples->n;
}

lnt_status lnt_second_moment(lnt_ctx *ctx, lnt_mat C, const lnt_samples *samples, const double *mean, int first,
                             int count, int threads)
{
    gram g = {C, samples, mean, first, count, (samples->dim + WIDEST_TILE - 1) / WIDEST_TILE, 0, NULL};
    g.width = (samples->dim + g.tiles - 1) / g.tiles;
    g.width = (g.width + 15) / 16 * 16; /* whole blocks of the BLAS kernels */
    g.tiles = (samples->dim + g.width - 1) / g.width;
    lnt_mark mark = lnt_ctx_mark(ctx);
    if (samples->u8) {
        g.sum = lnt_alloc(ctx, (size_t)samples->dim, sizeof *g.sum);
        if (!g.sum)
            return LNT_ENOMEM;
        sum_rows(g.sum, samples, first, count);
    }
    lnt_status status = lnt_parallel(ctx, g.tiles * (g.tiles + 1) / 2, threads, gram_pair, &g);
    lnt_ctx_reset(ctx, mark);
    lnt_symmetrize(C);
    return status;
}

/* ---- Moments of a task ---- */

typedef struct cross {
    const lnt_task *task;
    int first, count, blocks;
    lnt_mat *Syx; /* one partial sum per block */
    double *tr_Syy;
} cross;

/* A fixed number of blocks, combined in order: the same sums for any number of threads. */
#define BLOCKS 16

static lnt_status cross_block(lnt_ctx *ctx, int index, void *user)
{
    const cross *c = user;
    const lnt_task *task = c->task;
    int begin = (int)((long)c->count * index / c->blocks), end = (int)((long)c->count * (index + 1) / c->blocks);
    lnt_mat X, Y;
    lnt_status status = lnt_mat_alloc(ctx, &X, task->inputs, ROWS);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, task->outputs, ROWS);
    if (status != LNT_OK)
        return status;
    for (int row = begin; row < end; row += ROWS) {
        int count = end - row < ROWS ? end - row : ROWS;
        lnt_mat Xb = lnt_columns(X, 0, count), Yb = lnt_columns(Y, 0, count);
        lnt_task_get(Xb, Yb, task, NULL, c->first + row, count);
        lnt_gemm(c->Syx[index], 1, LNT_N, Yb, LNT_T, Xb, 1);
        c->tr_Syy[index] += lnt_mat_dot(Yb, Yb);
    }
    return LNT_OK;
}

static lnt_status cross_moments(lnt_ctx *ctx, lnt_moments *m, const lnt_task *task, int first, int count, int threads)
{
    lnt_mat partial[BLOCKS];
    double tr_Syy[BLOCKS] = {0};
    lnt_status status = LNT_OK;
    for (int b = 0; b < BLOCKS && status == LNT_OK; b++)
        status = lnt_mat_alloc_zero(ctx, &partial[b], task->outputs, task->inputs);
    if (status != LNT_OK)
        return status;
    cross c = {task, first, count, BLOCKS, partial, tr_Syy};
    if ((status = lnt_parallel(ctx, BLOCKS, threads, cross_block, &c)) != LNT_OK)
        return status;
    lnt_mat_fill(m->Syx, 0);
    m->tr_Syy = 0;
    for (int b = 0; b < BLOCKS; b++) {
        lnt_mat_add(m->Syx, 1.0 / count, partial[b]);
        m->tr_Syy += tr_Syy[b] / count;
    }
    return LNT_OK;
}

lnt_status lnt_task_moments(lnt_ctx *ctx, lnt_moments *m, const lnt_task *task, int first, int count, int threads)
{
    m->n = count;
    lnt_status status = lnt_mat_alloc(ctx, &m->Sxx, task->inputs, task->inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &m->Syx, task->outputs, task->inputs);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = cross_moments(ctx, m, task, first, count, threads);
    lnt_ctx_reset(ctx, mark);
    if (status != LNT_OK)
        return status;
    status = lnt_second_moment(ctx, m->Sxx, &task->data.inputs, task->offset, first, count, threads);
    return status;
}
