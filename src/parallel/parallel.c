#include "linnet/parallel.h"

#include "linnet/linalg.h"

#include <limits.h>
#include <omp.h>
#include <pthread.h>

int lnt_threads(int threads)
{
    if (!lnt_blas_reentrant())
        return 1;
    int processors = omp_get_num_procs();
    return threads > 0 ? threads : processors > 0 ? processors : 1;
}

typedef struct work {
    int count;
    lnt_item_fn item;
    void *user;
    bool silent; /* the context holds an earlier message, which wins */
    int failed;  /* lowest index that failed so far */
    lnt_status status;
    pthread_mutex_t lock;
} work;

static void note_failure(lnt_ctx *ctx, work *w, lnt_ctx *child, int index, lnt_status status)
{
    pthread_mutex_lock(&w->lock);
    if (index < w->failed) {
        w->failed = index;
        w->status = status;
        if (!w->silent)
            lnt_ctx_clear(ctx);
        lnt_fail(ctx, status, "%s", child ? lnt_ctx_message(child) : "out of memory for a thread's context");
    }
    pthread_mutex_unlock(&w->lock);
}

static void run_item(lnt_ctx *ctx, work *w, lnt_ctx *child, int index)
{
    int failed;
#pragma omp atomic read
    failed = w->failed;
    if (index > failed)
        return;
    lnt_mark mark = lnt_ctx_mark(child);
    lnt_status status = w->item(child, index, w->user);
    if (status != LNT_OK)
        note_failure(ctx, w, child, index, status);
    lnt_ctx_clear(child);
    lnt_ctx_reset(child, mark);
}

lnt_status lnt_parallel(lnt_ctx *ctx, int count, int threads, lnt_item_fn item, void *user)
{
    work w = {count, item, user, lnt_ctx_message(ctx)[0] != '\0', INT_MAX, LNT_OK, PTHREAD_MUTEX_INITIALIZER};
    int width = omp_in_parallel() ? 1 : lnt_threads(threads);
    if (width > count)
        width = count > 0 ? count : 1; // NOLINT: read by the pragma below
    lnt_blas_pin();
#pragma omp parallel num_threads(width)
    {
        lnt_blas_pin(); /* what holds outside does not hold in the threads of the region */
        lnt_ctx *child = lnt_ctx_child(ctx);
        if (!child)
            note_failure(ctx, &w, NULL, -1, LNT_ENOMEM);
#pragma omp for schedule(dynamic, 1)
        for (int i = 0; i < count; i++)
            if (child)
                run_item(ctx, &w, child, i);
        lnt_ctx_free(child);
        lnt_blas_unpin();
    }
    lnt_blas_unpin();
    return w.status;
}
