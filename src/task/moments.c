#include "linnet/task.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <pthread.h>
#include <string.h>

/* Doubles: features are cut into tiles of equal width and each pair of tiles streams all rows by itself: no partial
 * sums to combine, so the result cannot depend on how many threads share the pairs. */
#define WIDEST_TILE 208
#define ROWS 256
/* Bytes: each thread sums over blocks of rows as they come; sums of integers do not depend on their order. */
#define WIDEST_BYTE_TILE 960
#define SHIFT 128
#define SUMMED_ROWS 131071 /* of products up to 2^14 fit into 32 bits */

typedef struct gram {
    lnt_mat C;
    const lnt_samples *samples;
    const double *mean;
    int first, count, tiles, width;
} gram;

static int tile_width(const gram *g, int tile)
{
    int left = g->samples->dim - tile * g->width;
    return left < g->width ? left : g->width;
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
    return sum_doubles(ctx, g, a, b, sum);
}

/* One tile only: the rows are cut instead, into a fixed number of blocks whose sums are combined in order. */
#define BLOCKS 16

typedef struct row_gram {
    const gram *g;
    lnt_mat sum[BLOCKS];
} row_gram;

static int block_begin(int count, int block)
{
    return (int)((long)count * block / BLOCKS);
}

static lnt_status gram_rows(lnt_ctx *ctx, int index, void *user)
{
    row_gram *r = user;
    const gram *g = r->g;
    lnt_mat X;
    lnt_status status = lnt_mat_alloc(ctx, &X, g->width, ROWS);
    if (status != LNT_OK)
        return status;
    X.rows = g->samples->dim;
    int end = block_begin(g->count, index + 1);
    for (int row = block_begin(g->count, index); row < end; row += ROWS) {
        int count = end - row < ROWS ? end - row : ROWS;
        get_double(X.a, g, 0, g->first + row, count);
        lnt_syrk(r->sum[index], 1, LNT_N, lnt_columns(X, 0, count), 1);
    }
    return LNT_OK;
}

static lnt_status gram_single(lnt_ctx *ctx, const gram *g, int threads)
{
    row_gram r = {.g = g};
    lnt_status status = LNT_OK;
    for (int b = 0; b < BLOCKS && status == LNT_OK; b++)
        status = lnt_mat_alloc_zero(ctx, &r.sum[b], g->C.rows, g->C.cols);
    if (status == LNT_OK)
        status = lnt_parallel(ctx, BLOCKS, threads, gram_rows, &r);
    lnt_mat_fill(g->C, 0);
    for (int b = 0; b < BLOCKS && status == LNT_OK; b++)
        lnt_mat_add(g->C, 1.0 / g->count, r.sum[b]);
    return status;
}

/* ---- Bytes ---- */

/* Sums of a thread's share of the rows, in 32 bits until they might overflow. */
typedef struct share {
    int32_t *S;
    void *scratch;
    int rows;
    struct share *next;
} share;

typedef struct byte_gram {
    lnt_mat sum; /* the pair of tiles that is summed */
    int ld, first, count, stride;
    const uint8_t *a, *b;
    share *idle; /* what no thread works on */
    pthread_mutex_t lock;
} byte_gram;

/* Adds a share to the sums of all; doubles hold integers exactly up to 2^53. */
static void collect(byte_gram *g, share *s)
{
    for (int j = 0; j < g->sum.cols; j++) {
        double *restrict to = lnt_at(g->sum, 0, j);
        const int32_t *restrict from = s->S + (size_t)j * (size_t)g->ld;
        for (int i = 0; i < g->sum.rows; i++)
            to[i] += from[i];
    }
    memset(s->S, 0, (size_t)g->ld * (size_t)g->ld * sizeof *s->S);
    s->rows = 0;
}

static lnt_status sum_block(lnt_ctx *ctx, int index, void *user)
{
    (void)ctx;
    byte_gram *g = user;
    int row = index * LNT_BYTE_ROWS, count = g->count - row < LNT_BYTE_ROWS ? g->count - row : LNT_BYTE_ROWS;
    size_t offset = (size_t)(g->first + row) * (size_t)g->stride;
    pthread_mutex_lock(&g->lock);
    share *s = g->idle;
    g->idle = s->next;
    if (s->rows + count > SUMMED_ROWS)
        collect(g, s);
    pthread_mutex_unlock(&g->lock);
    lnt_gemm_bytes(s->S, g->ld, g->a + offset, g->sum.rows, g->b + offset, g->sum.cols, (size_t)g->stride, count,
                   s->scratch);
    s->rows += count;
    pthread_mutex_lock(&g->lock);
    s->next = g->idle;
    g->idle = s;
    pthread_mutex_unlock(&g->lock);
    return LNT_OK;
}

/* sum <- 1/n sum_i (x_i - m)(x_i - m)^T from the sums of products of u = x - SHIFT and from those of x. Everything up
 * to the last line is integers, exact below 2^53: what does not vary has variance exactly 0. The mean m need not be
 * that of these rows. */
static void centre_sums(lnt_mat sum, double n, const double *sa, const double *sb, const double *ma, const double *mb)
{
    for (int j = 0; j < sum.cols; j++)
        for (int i = 0; i < sum.rows; i++) {
            double *c = lnt_at(sum, i, j);
            double products = *c + SHIFT * (sa[i] + sb[j]) - SHIFT * SHIFT * n;
            *c = products / n;
            if (ma)
                *c = (n * products - sa[i] * sb[j]) / (n * n) + (sa[i] / n - ma[i]) * (sb[j] / n - mb[j]);
        }
}

static lnt_status make_shares(lnt_ctx *ctx, byte_gram *g, int shares)
{
    size_t square = (size_t)g->ld * (size_t)g->ld;
    for (int i = 0; i < shares; i++) {
        share *s = lnt_alloc(ctx, 1, sizeof *s);
        if (!s)
            return LNT_ENOMEM;
        *s = (share){.S = lnt_alloc_zero(ctx, square, sizeof *s->S),
                     .scratch = lnt_alloc(ctx, lnt_gemm_bytes_scratch(g->ld, g->ld), 1),
                     .next = g->idle};
        if (!s->S || !s->scratch)
            return LNT_ENOMEM;
        g->idle = s;
    }
    return LNT_OK;
}

static lnt_status gram_bytes(lnt_ctx *ctx, const gram *g, const double *sum, int threads)
{
    int blocks = (g->count + LNT_BYTE_ROWS - 1) / LNT_BYTE_ROWS, shares = lnt_threads(threads);
    byte_gram pair = {.ld = g->width, .first = g->first, .count = g->count, .stride = g->samples->dim};
    lnt_status status = make_shares(ctx, &pair, shares < blocks ? shares : blocks);
    pthread_mutex_init(&pair.lock, NULL);
    for (int a = 0; a < g->tiles && status == LNT_OK; a++)
        for (int b = 0; b <= a && status == LNT_OK; b++) {
            int i = a * g->width, j = b * g->width;
            pair.sum = lnt_block(g->C, i, j, tile_width(g, a), tile_width(g, b));
            pair.a = g->samples->u8 + i;
            pair.b = g->samples->u8 + j;
            lnt_mat_fill(pair.sum, 0);
            status = lnt_parallel(ctx, blocks, threads, sum_block, &pair);
            for (share *s = pair.idle; s && status == LNT_OK; s = s->next)
                collect(&pair, s);
            centre_sums(pair.sum, g->count, sum + i, sum + j, g->mean ? g->mean + i : NULL,
                        g->mean ? g->mean + j : NULL);
        }
    pthread_mutex_destroy(&pair.lock);
    return status;
}

#define STRIP 512
#define SHORT_ROWS 257 /* of bytes fit into 16 bits: 257 * 255 = 65,535 */

/* sum <- sum_i x_i of the rows first .. first+count-1; of bytes by blocks in 16 bits, which is several times faster. */
static void sum_rows(double *restrict sum, const lnt_samples *samples, int first, int count)
{
    size_t dim = (size_t)samples->dim, end = (size_t)first + (size_t)count;
    memset(sum, 0, dim * sizeof *sum);
    for (size_t row = (size_t)first; row < end && samples->f64; row++)
        for (size_t i = 0; i < dim; i++)
            sum[i] += samples->f64[row * dim + i];
    for (size_t begin = (size_t)first; begin < end && samples->u8; begin += SHORT_ROWS)
        for (size_t strip = 0; strip < dim; strip += STRIP) {
            uint16_t block[STRIP] = {0};
            size_t width = dim - strip < STRIP ? dim - strip : STRIP;
            for (size_t row = begin; row < end && row < begin + SHORT_ROWS; row++) {
                const uint8_t *restrict x = samples->u8 + row * dim + strip;
                for (size_t i = 0; i < width; i++)
                    block[i] = (uint16_t)(block[i] + x[i]);
            }
            for (size_t i = 0; i < width; i++)
                sum[strip + i] += block[i];
        }
}

void lnt_samples_mean(double *mean, const lnt_samples *samples)
{
    sum_rows(mean, samples, 0, samples->n);
    for (int i = 0; i < samples->dim; i++)
        mean[i] /= samples->n;
}

/* Equal tiles of at most `widest` features, in whole blocks of the kernels. */
static void cut(gram *g, int widest, int block)
{
    int dim = g->samples->dim;
    g->tiles = (dim + widest - 1) / widest;
    g->width = (dim + g->tiles - 1) / g->tiles;
    g->width = (g->width + block - 1) / block * block;
    g->tiles = (dim + g->width - 1) / g->width;
}

/* Waking a thread takes longer than small products. */
static int useful(int threads, int count, int rows, int cols)
{
    return (double)count * rows * cols < 1e6 ? 1 : threads;
}

lnt_status lnt_second_moment(lnt_ctx *ctx, lnt_mat C, const lnt_samples *samples, const double *mean, int first,
                             int count, int threads)
{
    gram g = {C, samples, mean, first, count, 0, 0};
    threads = useful(threads, count, samples->dim, samples->dim);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status;
    if (samples->u8) {
        double *sum = lnt_alloc(ctx, (size_t)samples->dim, sizeof *sum);
        if (!sum)
            return LNT_ENOMEM;
        sum_rows(sum, samples, first, count);
        cut(&g, WIDEST_BYTE_TILE, LNT_BYTE_PAD);
        status = gram_bytes(ctx, &g, sum, threads);
    } else {
        cut(&g, WIDEST_TILE, 16);
        status = g.tiles == 1 ? gram_single(ctx, &g, threads)
                              : lnt_parallel(ctx, g.tiles * (g.tiles + 1) / 2, threads, gram_pair, &g);
    }
    lnt_ctx_reset(ctx, mark);
    lnt_symmetrize(C);
    return status;
}

/* ---- Moments of a task ---- */

typedef struct cross {
    const lnt_task *task;
    int first, count;
    lnt_mat *Syx; /* one partial sum per block */
    double *tr_Syy;
} cross;

static lnt_status cross_block(lnt_ctx *ctx, int index, void *user)
{
    const cross *c = user;
    const lnt_task *task = c->task;
    int begin = block_begin(c->count, index), end = block_begin(c->count, index + 1);
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
    cross c = {task, first, count, partial, tr_Syy};
    threads = useful(threads, count, task->outputs, task->inputs);
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
