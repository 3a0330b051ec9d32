#include "linnet/net.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <math.h>

#define ROWS 512

typedef struct scoring {
    lnt_mat P;
    const lnt_task *task;
    int first, count;
    double *squares;
    int *hits; /* one entry per block, summed in order afterwards */
} scoring;

int lnt_largest(const double *y, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        if (y[k] > y[best])
            best = k;
    return best;
}

static lnt_status score_block(lnt_ctx *ctx, int index, void *user)
{
    const scoring *s = user;
    const lnt_task *task = s->task;
    int row = s->first + index * ROWS, left = s->count - index * ROWS, count = left < ROWS ? left : ROWS;
    lnt_mat X, Y, F;
    lnt_status status = lnt_mat_alloc(ctx, &X, task->inputs, count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, task->outputs, count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &F, task->outputs, count);
    if (status != LNT_OK)
        return status;
    lnt_task_get(X, Y, task, NULL, row, count);
    lnt_gemm(F, 1, LNT_N, s->P, LNT_N, X, 0);
    int hits = 0;
    for (int j = 0; task->data.classes && j < count; j++)
        hits += lnt_largest(lnt_at(F, 0, j), F.rows) == task->data.label[row + j];
    lnt_mat_add(F, -1, Y);
    s->squares[index] = lnt_mat_dot(F, F);
    s->hits[index] = hits;
    return LNT_OK;
}

static lnt_status map_score(lnt_ctx *ctx, lnt_score *score, lnt_mat P, const lnt_task *task, int first, int count,
                            int threads)
{
    int blocks = (count + ROWS - 1) / ROWS;
    scoring s = {P, task, first, count, NULL, NULL};
    s.squares = lnt_alloc(ctx, (size_t)blocks, sizeof *s.squares);
    s.hits = lnt_alloc(ctx, (size_t)blocks, sizeof *s.hits);
    if (!s.squares || !s.hits)
        return LNT_ENOMEM;
    lnt_status status = lnt_parallel(ctx, blocks, threads, score_block, &s);
    if (status != LNT_OK)
        return status;
    double squares = 0;
    long hits = 0;
    for (int b = 0; b < blocks; b++) {
        squares += s.squares[b];
        hits += s.hits[b];
    }
    score->loss = squares / (2.0 * count);
    score->accuracy = task->data.classes ? (double)hits / count : (double)NAN;
    return LNT_OK;
}

lnt_status lnt_map_score(lnt_ctx *ctx, lnt_score *score, lnt_mat P, const lnt_task *task, int first, int count,
                         int threads)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = map_score(ctx, score, P, task, first, count, threads);
    lnt_ctx_reset(ctx, mark);
    return status;
}
