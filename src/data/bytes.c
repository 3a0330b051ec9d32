#include "linnet/data.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define MOST_BYTES ((size_t)64 << 30)

static bool grow(lnt_bytes *bytes, size_t *cap, size_t need)
{
    if (need <= *cap)
        return true;
    size_t larger = *cap + *cap / 2 > need ? *cap + *cap / 2 : need;
    uint8_t *p = lnt_heap_resize(bytes->p, larger);
    if (!p)
        return false;
    bytes->p = p;
    *cap = larger;
    return true;
}

static lnt_status inflate_all(lnt_ctx *ctx, lnt_bytes *out, z_stream *z, const char *name)
{
    size_t cap = 0;
    int code = Z_OK;
    for (;;) {
        if (code == Z_STREAM_END) {
            if (z->avail_in == 0)
                return LNT_OK;
            if (inflateReset(z) != Z_OK)
                return lnt_fail(ctx, LNT_EFORMAT, "%s: damaged gzip data", name);
        }
        if (!grow(out, &cap, out->n + 65536))
            return lnt_fail(ctx, LNT_ENOMEM, "%s: out of memory after %zu bytes of gzip content", name, out->n);
        size_t room = cap - out->n;
        z->next_out = out->p + out->n;
        z->avail_out = room > 1u << 30 ? 1u << 30 : (unsigned)room;
        unsigned before = z->avail_out;
        code = inflate(z, Z_NO_FLUSH);
        out->n += before - z->avail_out;
        if (out->n > MOST_BYTES)
            return lnt_fail(ctx, LNT_EFORMAT, "%s: more than 64 GiB after decompression", name);
        if (code == Z_MEM_ERROR)
            return lnt_fail(ctx, LNT_ENOMEM, "%s: out of memory for decompression", name);
        if (code != Z_OK && code != Z_STREAM_END)
            return lnt_fail(ctx, LNT_EFORMAT, "%s: gzip data damaged or cut short after %zu bytes", name, out->n);
    }
}

static void *z_alloc(void *user, unsigned items, unsigned size)
{
    (void)user;
    return lnt_heap_resize(NULL, (size_t)items * size);
}

static void z_free(void *user, void *p)
{
    (void)user;
    lnt_heap_free(p);
}

lnt_status lnt_gunzip(lnt_ctx *ctx, lnt_bytes *out, const uint8_t *p, size_t n, const char *name)
{
    *out = (lnt_bytes){0};
    if (n > UINT32_MAX)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: gzip files above 4 GiB are not read; decompress it first", name);
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)p, .avail_in = (unsigned)n, .zalloc = z_alloc, .zfree = z_free};
    if (inflateInit2(&z, 15 + 16) != Z_OK) /* + 16: gzip only */
        return lnt_fail(ctx, LNT_ENOMEM, "%s: out of memory for decompression", name);
    lnt_status status = inflate_all(ctx, out, &z, name);
    inflateEnd(&z);
    if (status != LNT_OK) {
        lnt_heap_free(out->p);
        *out = (lnt_bytes){0};
    }
    return status;
}

static lnt_status read_all(lnt_ctx *ctx, lnt_bytes *bytes, int fd, const char *path)
{
    struct stat info;
    size_t cap = 0;
    if (fstat(fd, &info) != 0)
        return lnt_fail(ctx, LNT_EIO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return lnt_fail(ctx, LNT_EINVAL, "%s: is a folder, a file is needed", path);
    size_t expected = S_ISREG(info.st_mode) && info.st_size > 0 ? (size_t)info.st_size : 0;
    for (;;) {
        /* one byte more than the size, so that the end shows without a second growth */
        if (!grow(bytes, &cap, bytes->n < expected ? expected + 1 : bytes->n + 1))
            return lnt_fail(ctx, LNT_ENOMEM, "%s: out of memory for %zu bytes", path, expected);
        struct pollfd ready = {fd, POLLIN, 0};
        while (poll(&ready, 1, 200) <= 0) /* a pipe may keep us waiting */
            if (lnt_cancelled(ctx))
                return lnt_fail(ctx, LNT_EUSER, "%s: interrupted while waiting for it", path);
        ssize_t got = read(fd, bytes->p + bytes->n, cap - bytes->n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return lnt_fail(ctx, LNT_EIO, "%s: %s", path, strerror(errno));
        if (got == 0)
            return LNT_OK;
        bytes->n += (size_t)got;
        if (bytes->n > MOST_BYTES)
            return lnt_fail(ctx, LNT_EFORMAT, "%s: larger than 64 GiB", path);
    }
}

lnt_status lnt_file_read(lnt_ctx *ctx, lnt_bytes *bytes, const char *path)
{
    *bytes = (lnt_bytes){0};
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not block here */
    if (fd < 0)
        return lnt_fail(ctx, errno == ENOENT ? LNT_EMISSING : LNT_EIO, "%s: %s", path, strerror(errno));
    if (fstat(fd, &info) == 0 && (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))) {
        close(fd);
        return lnt_fail(ctx, LNT_EIO, "%s: a device, not a file", path);
    }
    lnt_status status = read_all(ctx, bytes, fd, path);
    close(fd);
    if (status == LNT_OK && bytes->n >= 2 && bytes->p[0] == 0x1f && bytes->p[1] == 0x8b) {
        lnt_bytes packed = *bytes;
        status = lnt_gunzip(ctx, bytes, packed.p, packed.n, path);
        lnt_heap_free(packed.p);
    } else if (status != LNT_OK) {
        lnt_heap_free(bytes->p);
        *bytes = (lnt_bytes){0};
    }
    return status;
}
