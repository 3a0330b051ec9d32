#include "linnet/task.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <string.h>

/* Features are cut into tiles and each pair of tiles streams all rows by itself: no partial sums to combine, so the
 * result cannot depend on how many threads share the pairs. */
#define TILE 96
/* 256 products of two bytes sum to at most 16,646,400 < 2^24: exact in single precision. */
#define ROWS 256

typedef struct gram {
    lnt_mat C;
    const lnt_samples *samples;
    const double *mean;
    int first, count, tiles;
} gram;

static int tile_width(const gram *g, int tile)
{
    int left = g->samples->dim - tile * TILE;
    return left < TILE ? left : TILE;
}

static void get_single(float *x, const gram *g, int tile, int row, int count)
{
    size_t dim = (size_t)g->samples->dim;
    int width = tile_width(g, tile);
    for (int j = 0; j < count; j++) {
        const uint8_t *from = g->samples->u8 + (size_t)(row + j) * dim + (size_t)tile * TILE;
        for (int i = 0; i < width; i++)
            x[j * TILE + i] = from[i];
    }
}

static void get_double(double *x, const gram *g, int tile, int row, int count)
{
    size_t dim = (size_t)g->samples->dim;
    int width = tile_width(g, tile);
    const double *mean = g->mean ? g->mean + (size_t)tile * TILE : NULL;
    for (int j = 0; j < count; j++) {
        const double *from = g->samples->f64 + (size_t)(row + j) * dim + (size_t)tile * TILE;
        for (int i = 0; i < width; i++)
            x[j * TILE + i] = mean ? from[i] - mean[i] : from[i];
    }
}

/* sum <- 1/count sum_i (x_i - m)(x_i - m)^T from the integer sums of products and of values: the mean m need not be
 * that of these rows. */
static void centre_sums(const gram *g, int a, int b, lnt_mat sum, const double *sa, const double *sb)
{
    const double *ma = g->mean ? g->mean + (size_t)a * TILE : NULL, *mb = g->mean ? g->mean + (size_t)b * TILE : NULL;
    for (int j = 0; j < sum.cols; j++)
        for (int i = 0; i < sum.rows; i++) {
            double *c = lnt_at(sum, i, j), x = sa[i] / g->count, y = sb[j] / g->count;
            *c /= g->count;
            if (g->mean) /* E xy - E x E y + (E x - ma)(E y - mb) */
                *c = (*c - x * y) + (x - ma[i]) * (y - mb[j]);
        }
}

static void add_values(double *sum, const float *x, int count)
{
    for (int j = 0; j < count; j++)
        for (int i = 0; i < TILE; i++)
            sum[i] += (double)x[j * TILE + i];
}

static lnt_status sum_bytes(lnt_ctx *ctx, const gram *g, int a, int b, lnt_mat sum)
{
    double sa[TILE] = {0}, sb[TILE] = {0};
    float *xa = lnt_alloc(ctx, ROWS * TILE, sizeof *xa), *xb = lnt_alloc(ctx, ROWS * TILE, sizeof *xb),
          *c = lnt_alloc(ctx, TILE * TILE, sizeof *c);
    if (!xa || !xb || !c)
        return LNT_ENOMEM;
    memset(xa, 0, ROWS * TILE * sizeof *xa); /* the last tile may be narrower */
    memset(xb, 0, ROWS * TILE * sizeof *xb);
    for (int row = 0; row < g->count; row += ROWS) {
        int count = g->count - row < ROWS ? g->count - row : ROWS;
        get_single(xa, g, a, g->first + row, count);
        if (a != b)
            get_single(xb, g, b, g->first + row, count);
        add_values(sa, xa, count);
        add_values(sb, a != b ? xb : xa, count);
        memset(c, 0, TILE * TILE * sizeof *c);
        lnt_gemm_single(c, TILE, xa, TILE, a != b ? xb : xa, TILE, sum.rows, sum.cols, count);
        for (int j = 0; j < sum.cols; j++)
            for (int i = 0; i < sum.rows; i++)
                *lnt_at(sum, i, j) += (double)c[j * TILE + i];
    }
    centre_sums(g, a, b, sum, sa, sb);
    return LNT_OK;
}

static lnt_status sum_doubles(lnt_ctx *ctx, const gram *g, int a, int b, lnt_mat sum)
{
    double *xa = lnt_alloc(ctx, ROWS * TILE, sizeof *xa), *xb = lnt_alloc(ctx, ROWS * TILE, sizeof *xb);
    if (!xa || !xb)
        return LNT_ENOMEM;
    for (int row = 0; row < g->count; row += ROWS) {
        int count = g->count - row < ROWS ? g->count - row : ROWS;
        get_double(xa, g, a, g->first + row, count);
        get_double(xb, g, b, g->first + row, count);
        lnt_mat A = {xa, sum.rows, count, TILE}, B = {xb, sum.cols, count, TILE};
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
    lnt_mat sum = lnt_block(g->C, a * TILE, b * TILE, tile_width(g, a), tile_width(g, b));
    lnt_mat_fill(sum, 0);
    return g->samples->u8 ? sum_bytes(ctx, g, a, b, sum) : sum_doubles(ctx, g, a, b, sum);
}

lnt_status lnt_second_moment(lnt_ctx *ctx, lnt_mat C, const lnt_samples *samples, const double *mean, int first,
                             int count, int threads)
{
    gram g = {C, samples, mean, first, count, (samples->dim + TILE - 1) / TILE};
    lnt_status status = lnt_parallel(ctx, g.tiles * (g.tiles + 1) / 2, threads, gram_pair, &g);
    lnt_symmetrize(C);
    return status;
}

void lnt_samples_mean(double *mean, const lnt_samples *samples)
{
    size_t dim = (size_t)samples->dim;
    memset(mean, 0, dim * sizeof *mean);
    for (size_t row = 0; row < (size_t)samples->n; row++)
        for (size_t i = 0; i < dim; i++)
            mean[i] += samples->f64 ? samples->f64[row * dim + i] : samples->u8[row * dim + i];
    for (size_t i = 0; i < dim; i++)
        mean[i] /= samples->n;
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
