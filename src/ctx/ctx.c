#include "linnet/ctx.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Under AddressSanitizer every allocation gets its own chunk and what is left of it is poisoned, so that overruns are
 * seen. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#define CHUNK_BYTES 0
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#else
#define CHUNK_BYTES (256 * 1024)
#define POISON(p, n) ((void)(p), (void)(n))
#endif

#define ALIGNMENT 64

typedef struct chunk {
    struct chunk *below;
    char *base;        /* aligned: what fits does not depend on where malloc put the chunk */
    size_t size, used; /* from base */
} chunk;

typedef struct callbacks {
    lnt_log_fn log;
    lnt_progress_fn progress;
    lnt_cancel_fn cancel;
    void *log_user, *progress_user, *cancel_user;
    pthread_mutex_t lock;
    const char *what;
    long done, total;
} callbacks;

struct lnt_ctx {
    chunk *top;
    char message[1024];
    callbacks *shared; /* owned by the root, borrowed by children */
    bool is_child;
};

static lnt_ctx *ctx_new(callbacks *shared, bool is_child)
{
    lnt_ctx *ctx = lnt_heap_resize(NULL, sizeof *ctx);
    if (!ctx)
        return NULL;
    *ctx = (lnt_ctx){.shared = shared, .is_child = is_child};
    return ctx;
}

lnt_ctx *lnt_ctx_new(void)
{
    callbacks *shared = lnt_heap_resize(NULL, sizeof *shared);
    if (!shared)
        return NULL;
    *shared = (callbacks){0};
    pthread_mutex_init(&shared->lock, NULL);
    lnt_ctx *ctx = ctx_new(shared, false);
    if (!ctx) {
        pthread_mutex_destroy(&shared->lock);
        lnt_heap_free(shared);
    }
    return ctx;
}

lnt_ctx *lnt_ctx_child(lnt_ctx *parent)
{
    return ctx_new(parent->shared, true);
}

void lnt_ctx_free(lnt_ctx *ctx)
{
    if (!ctx)
        return;
    lnt_ctx_reset(ctx, (lnt_mark){0});
    if (!ctx->is_child) {
        pthread_mutex_destroy(&ctx->shared->lock);
        lnt_heap_free(ctx->shared);
    }
    lnt_heap_free(ctx);
}

void lnt_ctx_set_log(lnt_ctx *ctx, lnt_log_fn log, void *user)
{
    ctx->shared->log = log;
    ctx->shared->log_user = user;
}

void lnt_ctx_set_progress(lnt_ctx *ctx, lnt_progress_fn progress, void *user)
{
    ctx->shared->progress = progress;
    ctx->shared->progress_user = user;
}

void lnt_ctx_set_cancel(lnt_ctx *ctx, lnt_cancel_fn cancel, void *user)
{
    ctx->shared->cancel = cancel;
    ctx->shared->cancel_user = user;
}

/* ---- Scratch memory ---- */

lnt_mark lnt_ctx_mark(const lnt_ctx *ctx)
{
    return (lnt_mark){ctx->top, ctx->top ? ctx->top->used : 0};
}

void lnt_ctx_reset(lnt_ctx *ctx, lnt_mark mark)
{
    while (ctx->top && ctx->top != mark.chunk) {
        chunk *below = ctx->top->below;
        lnt_heap_free(ctx->top);
        ctx->top = below;
    }
    if (ctx->top)
        ctx->top->used = mark.used;
}

static void *take(chunk *c, size_t bytes)
{
    size_t start = (c->used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (start > c->size || bytes > c->size - start)
        return NULL;
    c->used = start + bytes;
    return c->base + start;
}

static chunk *push_chunk(lnt_ctx *ctx, size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    chunk *c = lnt_heap_resize(NULL, sizeof *c + size + ALIGNMENT);
    if (!c)
        return NULL;
    char *after = (char *)(c + 1);
    *c = (chunk){
        .below = ctx->top, .base = after + (ALIGNMENT - (uintptr_t)after % ALIGNMENT) % ALIGNMENT, .size = size};
    POISON(c->base + size, (size_t)(after + size + ALIGNMENT - (c->base + size)));
    return ctx->top = c;
}

void *lnt_alloc(lnt_ctx *ctx, size_t count, size_t size)
{
    void *p = NULL;
    size_t bytes = 0;
    bool fits = !__builtin_mul_overflow(count, size, &bytes) && bytes < PTRDIFF_MAX - CHUNK_BYTES - 1024;
    if (fits && ctx->top)
        p = take(ctx->top, bytes);
    if (!p && fits) {
        chunk *c = push_chunk(ctx, bytes);
        p = c ? take(c, bytes) : NULL;
    }
    if (!p)
        lnt_fail(ctx, LNT_ENOMEM, "out of memory: %zu items of %zu bytes", count, size);
    return p;
}

void *lnt_alloc_zero(lnt_ctx *ctx, size_t count, size_t size)
{
    void *p = lnt_alloc(ctx, count, size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

char *lnt_strdup(lnt_ctx *ctx, const char *s)
{
    return lnt_sprintf(ctx, "%s", s ? s : "");
}

char *lnt_sprintf(lnt_ctx *ctx, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *s = length < 0 ? NULL : lnt_alloc(ctx, (size_t)length + 1, 1);
    if (s)
        vsnprintf(s, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return s;
}

/* ---- Errors, log, progress ---- */

/* One line that cannot steer a terminal. */
static void one_line(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = ' ';
}

lnt_status lnt_fail(lnt_ctx *ctx, lnt_status status, const char *format, ...)
{
    if (ctx->message[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(ctx->message, sizeof ctx->message, format, args);
        va_end(args);
        one_line(ctx->message);
    }
    return status;
}

const char *lnt_ctx_message(const lnt_ctx *ctx)
{
    return ctx->message;
}

void lnt_ctx_clear(lnt_ctx *ctx)
{
    ctx->message[0] = '\0';
}

void lnt_log(lnt_ctx *ctx, const char *format, ...)
{
    callbacks *shared = ctx->shared;
    if (!shared->log)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    one_line(line);
    pthread_mutex_lock(&shared->lock);
    shared->log(line, shared->log_user);
    pthread_mutex_unlock(&shared->lock);
}

static void report_progress(callbacks *shared, long steps)
{
    pthread_mutex_lock(&shared->lock);
    shared->done += steps;
    if (shared->progress)
        shared->progress(shared->what, shared->done, shared->total, shared->progress_user);
    pthread_mutex_unlock(&shared->lock);
}

void lnt_progress_begin(lnt_ctx *ctx, const char *what, long total)
{
    ctx->shared->what = what;
    ctx->shared->done = 0;
    ctx->shared->total = total;
    report_progress(ctx->shared, 0);
}

void lnt_progress_step(lnt_ctx *ctx)
{
    report_progress(ctx->shared, 1);
}

bool lnt_progress_wanted(const lnt_ctx *ctx)
{
    return ctx->shared->progress != NULL;
}

bool lnt_cancelled(const lnt_ctx *ctx)
{
    const callbacks *shared = ctx->shared;
    return shared->cancel && shared->cancel(shared->cancel_user) != 0;
}
