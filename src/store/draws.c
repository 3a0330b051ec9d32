#define _DEFAULT_SOURCE /* flock */
#include "disk.h"
#include "draws_format.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct chain_state {
    void *bytes; /* on the heap */
    size_t n;
} chain_state;

struct lnt_draws {
    lnt_draws_layout layout;
    int fd;
    off_t end; /* of the last chunk on disk */
    int *count;
    chain_state *state;
    char *path;
    lnt_text chunk;
    pthread_mutex_t lock;
};

int lnt_draws_count(const lnt_draws *log, int chain)
{
    return log->count[chain];
}

const void *lnt_draws_state(const lnt_draws *log, int chain, size_t *bytes)
{
    *bytes = log->state[chain].n;
    return log->state[chain].bytes;
}

void lnt_draws_close(lnt_draws *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    for (int c = 0; log->state && c < log->layout.chains; c++)
        lnt_heap_free(log->state[c].bytes);
    lnt_text_free(&log->chunk);
    pthread_mutex_destroy(&log->lock);
    lnt_heap_free(log->state);
    lnt_heap_free(log->count);
    lnt_heap_free(log->path);
    lnt_heap_free(log);
}

static void *heap_zero(size_t n)
{
    void *p = lnt_heap_resize(NULL, n);
    return p ? memset(p, 0, n) : NULL;
}

static lnt_draws *new_log(lnt_ctx *ctx, const char *path, const lnt_draws_layout *layout)
{
    lnt_draws *log = heap_zero(sizeof *log);
    if (log) {
        log->layout = *layout;
        log->fd = -1;
        pthread_mutex_init(&log->lock, NULL);
        log->count = heap_zero((size_t)layout->chains * sizeof *log->count);
        log->state = heap_zero((size_t)layout->chains * sizeof *log->state);
        log->path = heap_zero(strlen(path) + 1);
    }
    if (!log || !log->count || !log->state || !log->path) {
        lnt_draws_close(log);
        lnt_fail(ctx, LNT_ENOMEM, "out of memory for a log of %d chains", layout->chains);
        return NULL;
    }
    strcpy(log->path, path);
    return log;
}

/* ---- Reading ---- */

/* *p (heap, NULL for an empty file) <- the n bytes that the file has now. */
static lnt_status read_all(lnt_ctx *ctx, uint8_t **p, size_t *n, int fd, const char *path)
{
    struct stat info;
    *p = NULL;
    *n = 0;
    if (fstat(fd, &info) != 0)
        return lnt_fail(ctx, LNT_EIO, "%s could not be read: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return lnt_fail(ctx, LNT_EIO, "%s is not a file", path);
    size_t size = (size_t)info.st_size;
    if (size == 0)
        return LNT_OK;
    *p = lnt_heap_resize(NULL, size);
    if (!*p)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for the %zu bytes of %s", size, path);
    while (*n < size) {
        ssize_t got = pread(fd, *p + *n, size - *n, (off_t)*n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            lnt_fail(ctx, LNT_EIO, "%s could not be read: %s", path, strerror(errno));
            lnt_heap_free(*p);
            *p = NULL;
            return LNT_EIO;
        }
        if (got == 0) /* cut meanwhile */
            break;
        *n += (size_t)got;
    }
    return LNT_OK;
}

lnt_status lnt_draws_load(lnt_ctx *ctx, lnt_draws_content *content, const char *path)
{
    uint8_t *p;
    size_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return lnt_fail(ctx, errno == ENOENT ? LNT_EMISSING : LNT_EIO, "%s could not be read: %s", path,
                        strerror(errno));
    lnt_status status = read_all(ctx, &p, &n, fd, path);
    close(fd);
    if (status == LNT_OK)
        status = lnt_draws_parse(ctx, content, p, n, path);
    lnt_heap_free(p);
    return status;
}

static bool keep_state(chain_state *s, const lnt_draws_chunk *chunk)
{
    void *bytes = lnt_heap_resize(NULL, chunk->state_bytes + 1); /* never NULL: there is a chunk */
    if (!bytes)
        return false;
    memcpy(bytes, chunk->state, chunk->state_bytes);
    lnt_heap_free(s->bytes);
    *s = (chain_state){bytes, chunk->state_bytes};
    return true;
}

/* ---- Opening ---- */

static lnt_status cannot_write(lnt_ctx *ctx, const lnt_draws *log, int error)
{
    return lnt_fail(ctx, LNT_EIO, "%s could not be written: %s", log->path, strerror(error));
}

static lnt_status start(lnt_ctx *ctx, lnt_draws *log)
{
    uint8_t header[LNT_DRAWS_HEADER];
    lnt_draws_put_header(header, &log->layout);
    if (ftruncate(log->fd, 0) != 0 || lseek(log->fd, 0, SEEK_SET) != 0 ||
        !lnt_write_all(log->fd, (const char *)header, sizeof header) || fsync(log->fd) != 0) {
        int error = errno;
        unlink(log->path);
        return cannot_write(ctx, log, error);
    }
    lnt_sync_folder(log->path);
    log->end = LNT_DRAWS_HEADER;
    return LNT_OK;
}

static lnt_status check_layout(lnt_ctx *ctx, const lnt_draws *log, const uint8_t *p, size_t n)
{
    lnt_draws_layout found;
    lnt_status status = lnt_draws_get_header(ctx, &found, p, n, log->path);
    if (status != LNT_OK)
        return status;
    if (found.fingerprint != log->layout.fingerprint || found.chains != log->layout.chains ||
        found.columns != log->layout.columns)
        return lnt_fail(ctx, LNT_EEXIST,
                        "%s holds draws of another run (other options, data or version); repeat that one, or choose "
                        "another folder",
                        log->path);
    return LNT_OK;
}

static lnt_status take_up(lnt_ctx *ctx, lnt_draws *log, const uint8_t *p, size_t n)
{
    uint8_t header[LNT_DRAWS_HEADER];
    lnt_draws_put_header(header, &log->layout);
    if (n < sizeof header && (n == 0 || memcmp(p, header, n) == 0)) /* killed while it was made */
        return start(ctx, log);
    lnt_status status = check_layout(ctx, log, p, n);
    if (status != LNT_OK)
        return status;
    size_t at = LNT_DRAWS_HEADER;
    lnt_draws_chunk chunk;
    while (lnt_draws_get_chunk(&chunk, &log->layout, log->count, p + at, n - at)) {
        if (!keep_state(&log->state[chunk.chain], &chunk))
            return lnt_fail(ctx, LNT_ENOMEM, "out of memory for the state of a chain");
        log->count[chunk.chain] += chunk.count;
        at += chunk.size;
    }
    log->end = (off_t)at;
    if (at < n) {
        lnt_log(ctx, "%s: the last %zu bytes are not whole; they are dropped and computed again", log->path, n - at);
        if (ftruncate(log->fd, log->end) != 0 || fsync(log->fd) != 0)
            return cannot_write(ctx, log, errno);
    }
    return LNT_OK;
}

static lnt_status open_file(lnt_ctx *ctx, lnt_draws *log, bool resume)
{
    bool made = true;
    log->fd = open(log->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (log->fd < 0 && errno == EEXIST && resume) {
        made = false;
        log->fd = open(log->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    }
    if (log->fd < 0 && errno == EEXIST)
        return lnt_fail(ctx, LNT_EEXIST, "%s holds draws already; take that run up again, or choose another folder",
                        log->path);
    if (log->fd < 0)
        return cannot_write(ctx, log, errno);
    if (flock(log->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return lnt_fail(ctx, LNT_EIO, "%s is being written by another process", log->path);
    if (made)
        return start(ctx, log);
    uint8_t *p;
    size_t n;
    lnt_status status = read_all(ctx, &p, &n, log->fd, log->path);
    if (status == LNT_OK)
        status = take_up(ctx, log, p, n);
    lnt_heap_free(p);
    return status;
}

lnt_status lnt_draws_open(lnt_ctx *ctx, lnt_draws **log, const char *path, const lnt_draws_layout *layout, bool resume)
{
    *log = NULL;
    if (layout->chains < 1 || layout->chains > LNT_DRAWS_MOST_CHAINS || layout->columns < 1 ||
        layout->columns > LNT_DRAWS_MOST_COLUMNS)
        return lnt_fail(ctx, LNT_EINVAL, "a log cannot hold %d chains of %d numbers: at most %d of %d", layout->chains,
                        layout->columns, LNT_DRAWS_MOST_CHAINS, LNT_DRAWS_MOST_COLUMNS);
    lnt_draws *made = new_log(ctx, path, layout);
    if (!made)
        return LNT_ENOMEM;
    lnt_status status = open_file(ctx, made, resume);
    if (status == LNT_OK)
        *log = made;
    else
        lnt_draws_close(made);
    return status;
}

/* ---- Appending ---- */

/* Nothing half-written may stay: the next chunk would stand behind it. */
static lnt_status write_chunk(lnt_ctx *ctx, lnt_draws *log, int chain, int count)
{
    if (lseek(log->fd, log->end, SEEK_SET) == log->end && lnt_write_all(log->fd, log->chunk.p, log->chunk.n) &&
        fsync(log->fd) == 0) {
        log->end += (off_t)log->chunk.n;
        log->count[chain] += count;
        return LNT_OK;
    }
    int error = errno;
    bool cut = ftruncate(log->fd, log->end) == 0;
    return lnt_fail(ctx, LNT_EIO,
                    "%s could not be written: %s; the draws before are safe, the run can be taken up again%s",
                    log->path, strerror(error), cut ? "" : ", which drops what is half-written");
}

lnt_status lnt_draws_append(lnt_ctx *ctx, lnt_draws *log, int chain, const double *draws, int count, const void *state,
                            size_t bytes)
{
    if (chain < 0 || chain >= log->layout.chains || count < 0 || count > INT32_MAX - log->count[chain] ||
        bytes > UINT32_MAX)
        return lnt_fail(ctx, LNT_EINVAL, "%d draws of chain %d and %zu bytes of state do not fit the log", count, chain,
                        bytes);
    pthread_mutex_lock(&log->lock);
    log->chunk.n = 0;
    lnt_draws_put_chunk(&log->chunk, &log->layout, chain, log->count[chain], draws, count, state, bytes);
    lnt_status status = lnt_text_status(ctx, &log->chunk);
    if (status == LNT_OK)
        status = write_chunk(ctx, log, chain, count);
    log->chunk.failed = false;
    pthread_mutex_unlock(&log->lock);
    return status;
}
