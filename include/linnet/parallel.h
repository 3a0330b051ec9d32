/* Work spread over threads with results that do not depend on their number. */
#ifndef LINNET_PARALLEL_H
#define LINNET_PARALLEL_H

#include "linnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One item of work, on a child context of its thread; its scratch memory is released when it returns. */
typedef lnt_status (*lnt_item_fn)(lnt_ctx *ctx, int index, void *user);

/* Calls item(ctx, i, user) for i = 0 .. count-1, at most `threads` at a time (0: all processors), BLAS held
 * at one thread. Items must not depend on each other and must write to places of their own; then the bytes
 * of the result do not depend on `threads`. While several items run, a further call inside one runs its items in order,
 * alone; inside a lone item it may use the threads.
 * If items fail, the rest may be skipped; the status and message of the lowest index that failed win. */
LNT_API lnt_status lnt_parallel(lnt_ctx *ctx, int count, int threads, lnt_item_fn item, void *user);

/* How many threads `threads` means: itself, or for 0 the processors this process may use; at least 1, and
 * 1 where the BLAS that was loaded is not safe to call from several. */
LNT_API int lnt_threads(int threads);

#ifdef __cplusplus
}
#endif
#endif
