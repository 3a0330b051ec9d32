/* Contexts: scratch memory, the error message, and the callbacks of one thread of work.
 *
 * Every routine that can fail takes a context first. The library never prints, exits or aborts:
 * what went wrong is one line in the context, warnings go to its log callback.
 * A context belongs to one thread; lnt_ensemble() (parallel.h) makes a child for each of its own. */
#ifndef LINNET_CTX_H
#define LINNET_CTX_H

#include "linnet/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LNT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LNT_PRINTF(text, first)
#endif

typedef struct lnt_ctx lnt_ctx;

/* Called with one complete line without its newline. */
typedef void (*lnt_log_fn)(const char *line, void *user);
/* Called with the number of finished and of all units of the current work, never concurrently. */
typedef void (*lnt_progress_fn)(const char *what, long done, long total, void *user);
/* Polled during long work, from any thread; non-zero asks the work to stop early. */
typedef int (*lnt_cancel_fn)(void *user);

/* A new context, or NULL when memory is exhausted. Free it with lnt_ctx_free(). */
LNT_API lnt_ctx *lnt_ctx_new(void);
/* Frees the context and all scratch memory that came from it; NULL is allowed. */
LNT_API void lnt_ctx_free(lnt_ctx *ctx);
/* A context for another thread: own scratch memory and message, the parent's callbacks.
 * It must be freed before its parent. NULL when memory is exhausted. */
LNT_API lnt_ctx *lnt_ctx_child(lnt_ctx *parent);

LNT_API void lnt_ctx_set_log(lnt_ctx *ctx, lnt_log_fn log, void *user);
LNT_API void lnt_ctx_set_progress(lnt_ctx *ctx, lnt_progress_fn progress, void *user);
LNT_API void lnt_ctx_set_cancel(lnt_ctx *ctx, lnt_cancel_fn cancel, void *user);

/* ---- Scratch memory -------------------------------------------------------------------------
 * A stack: mark, allocate, reset to the mark. Nothing is freed one by one. */

typedef struct lnt_mark {
    void *chunk;
    size_t used;
} lnt_mark;

LNT_API lnt_mark lnt_ctx_mark(const lnt_ctx *ctx);
/* Releases everything allocated since the mark. */
LNT_API void lnt_ctx_reset(lnt_ctx *ctx, lnt_mark mark);
/* count*size bytes, aligned to 64, contents undefined; count*size = 0 gives a valid pointer.
 * NULL, with the message set and LNT_ENOMEM meant, when memory is exhausted or the product overflows. */
LNT_API void *lnt_alloc(lnt_ctx *ctx, size_t count, size_t size);
/* The same, filled with zero bytes. */
LNT_API void *lnt_alloc_zero(lnt_ctx *ctx, size_t count, size_t size);
/* A scratch copy of a string (an empty one for NULL). */
LNT_API char *lnt_strdup(lnt_ctx *ctx, const char *s);
/* A scratch string built as by printf. */
LNT_API char *lnt_sprintf(lnt_ctx *ctx, const char *format, ...) LNT_PRINTF(2, 3);

/* ---- Errors, log, progress ------------------------------------------------------------------ */

/* Records the message of a failure and returns `status`, so that `return lnt_fail(...)` reads well.
 * The first message wins: callers up the stack may call it again without hiding the cause. */
LNT_API lnt_status lnt_fail(lnt_ctx *ctx, lnt_status status, const char *format, ...) LNT_PRINTF(3, 4);
/* The message of the first failure, or "". Valid until the next lnt_ctx_clear() or lnt_ctx_free(). */
LNT_API const char *lnt_ctx_message(const lnt_ctx *ctx);
/* Forgets the message, so that the context can serve after a failure that was dealt with. */
LNT_API void lnt_ctx_clear(lnt_ctx *ctx);

/* Sends one line to the log callback, if there is one. */
LNT_API void lnt_log(lnt_ctx *ctx, const char *format, ...) LNT_PRINTF(2, 3);
/* Announces work of `total` units; `what` must outlive the work. */
LNT_API void lnt_progress_begin(lnt_ctx *ctx, const char *what, long total);
/* One more unit is finished; may be called from child contexts. */
LNT_API void lnt_progress_step(lnt_ctx *ctx);
/* Whether there is a progress callback: somebody who waits. */
LNT_API bool lnt_progress_wanted(const lnt_ctx *ctx);
/* True when the cancel callback asks to stop. */
LNT_API bool lnt_cancelled(const lnt_ctx *ctx);

/* ---- Heap ----------------------------------------------------------------------------------- */

/* resize(NULL, n) allocates, resize(p, n) reallocates, resize(p, 0) frees and returns NULL. */
typedef void *(*lnt_resize_fn)(void *p, size_t bytes);
/* Replaces the allocator behind every allocation of linnet's own, in the whole process; NULL restores
 * the C library's. To be called while linnet owns no memory. The tests fail every k-th call with it. */
LNT_API void lnt_set_heap(lnt_resize_fn resize);
/* The allocator of the moment. Aligned as malloc aligns. */
LNT_API void *lnt_heap_resize(void *p, size_t bytes);
LNT_API void lnt_heap_free(void *p);

#ifdef __cplusplus
}
#endif
#endif
