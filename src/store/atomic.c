#define _XOPEN_SOURCE 700 /* realpath */
#include "disk.h"
#include "linnet/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool lnt_write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, p, n < 1u << 30 ? n : 1u << 30);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        p += put;
        n -= (size_t)put;
    }
    return true;
}

void lnt_sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    int fd = open(*folder ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* Renaming would put a file in the place of a device or a pipe, and cut links. */
static bool is_replaceable(const char *path)
{
    struct stat info;
    return stat(path, &info) != 0 || S_ISREG(info.st_mode);
}

lnt_status lnt_write_atomic(lnt_ctx *ctx, const char *path, const void *bytes, size_t n)
{
    char target[PATH_MAX];
    if (!is_replaceable(path))
        return lnt_fail(ctx, LNT_EIO, "%s could not be written: it is not a file", path);
    path = realpath(path, target) ? target : path; /* behind a link */
    lnt_mark mark = lnt_ctx_mark(ctx);
    char *temporary = lnt_sprintf(ctx, "%s.%ld.part", path, (long)getpid());
    if (!temporary)
        return LNT_ENOMEM;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool made = fd >= 0, good = made && lnt_write_all(fd, bytes, n) && fsync(fd) == 0;
    int error = errno;
    if (made && close(fd) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && rename(temporary, path) != 0) {
        good = false;
        error = errno;
    }
    if (made && !good)
        unlink(temporary);
    lnt_ctx_reset(ctx, mark);
    if (!good)
        return lnt_fail(ctx, LNT_EIO, "%s could not be written: %s", path, strerror(error));
    lnt_sync_folder(path);
    return LNT_OK;
}
