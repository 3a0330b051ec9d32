#include "linnet/net.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <math.h>

#define ROWS 512

typedef struct scoring {
    lnt_mat P;          /* of a linear map; P.a is NULL for a network */
    const lnt_net *net; /* with these weights */
    const double *w;
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

/* sum |f - y|^2 of the columns of F, which stand for the rows from `row` on, and how many have the right class. F is
 * used up. */
static void tally(double *squares, int *hits, lnt_mat F, lnt_mat Y, const lnt_dataset *data, int row)
{
    *hits = 0;
    for (int j = 0; data->classes && j < F.cols; j++)
        *hits += lnt_largest(lnt_at(F, 0, j), F.rows) == data->label[row + j];
    lnt_mat_add(F, -1, Y);
    *squares = lnt_mat_dot(F, F);
}

lnt_status lnt_outputs_score(lnt_ctx *ctx, lnt_score *score, lnt_mat F, const lnt_dataset *data)
{
    double squares = 0;
    int hits = 0, n = data->inputs.n;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat Y, R;
    lnt_status status = lnt_mat_alloc(ctx, &Y, F.rows, ROWS);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &R, F.rows, ROWS);
    for (int row = 0; row < n && status == LNT_OK; row += ROWS) {
        int count = n - row < ROWS ? n - row : ROWS, right;
        double sum;
        lnt_mat residual = lnt_columns(R, 0, count), targets = lnt_columns(Y, 0, count);
        lnt_mat_copy(residual, lnt_columns(F, row, count));
        lnt_targets_get(targets, data, NULL, row, count);
        tally(&sum, &right, residual, targets, data, row);
        squares += sum;
        hits += right;
    }
    *score = (lnt_score){squares / (2.0 * n), data->classes ? (double)hits / n : (double)NAN};
    lnt_ctx_reset(ctx, mark);
    return status;
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
    if (s->P.a)
        lnt_gemm(F, 1, LNT_N, s->P, LNT_N, X, 0);
    else
        status = lnt_net_forward(ctx, F, s->net, s->w, X);
    if (status != LNT_OK)
        return status;
    tally(&s->squares[index], &s->hits[index], F, Y, &task->data, row);
    return LNT_OK;
}

/* Fills in what `s` lacks, runs all blocks and sums them up. */
static lnt_status score_rows(lnt_ctx *ctx, lnt_score *score, scoring *s, int threads)
{
    int blocks = (s->count + ROWS - 1) / ROWS;
    s->squares = lnt_alloc(ctx, (size_t)blocks, sizeof *s->squares);
    s->hits = lnt_alloc(ctx, (size_t)blocks, sizeof *s->hits);
    if (!s->squares || !s->hits)
        return LNT_ENOMEM;
    lnt_status status = lnt_parallel(ctx, blocks, threads, score_block, s);
    if (status != LNT_OK)
        return status;
    double squares = 0;
    long hits = 0;
    for (int b = 0; b < blocks; b++) {
        squares += s->squares[b];
        hits += s->hits[b];
    }
    score->loss = squares / (2.0 * s->count);
    score->accuracy = s->task->data.classes ? (double)hits / s->count : (double)NAN;
    return LNT_OK;
}

lnt_status lnt_map_score(lnt_ctx *ctx, lnt_score *score, lnt_mat P, const lnt_task *task, int first, int count,
                         int threads)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    scoring s = {.P = P, .task = task, .first = first, .count = count};
    lnt_status status = score_rows(ctx, score, &s, threads);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_net_score(lnt_ctx *ctx, lnt_score *score, const lnt_net *net, const double *w, const lnt_task *task,
                         int first, int count, int threads)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    scoring s = {.net = net, .w = w, .task = task, .first = first, .count = count};
    lnt_status status = LNT_OK;
    if (net->activation == LNT_LINEAR) {
        status = lnt_mat_alloc(ctx, &s.P, net->width[net->depth], net->width[0]);
        if (status == LNT_OK)
            status = lnt_net_product(ctx, s.P, net, w);
    }
    if (status == LNT_OK)
        status = score_rows(ctx, score, &s, threads);
    lnt_ctx_reset(ctx, mark);
    return status;
}
