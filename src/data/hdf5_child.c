#define _GNU_SOURCE
#include "hdf5_child.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_BYTES ((uint64_t)8 << 30)
#define MOST_EMPTY ((uint64_t)1 << 26)
#define MOST_CPU_SECONDS 300

/* ---- The child: reads and sends; it owns nothing that must be freed and leaves by _exit ---- */

typedef struct sender {
    int fd;
    lnt_h5_mode mode;
} sender;

static void send_all(int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            _exit(3);
        at += put;
        n -= (size_t)put;
    }
}

static void send_item(int fd, lnt_h5_header h, const char *path, const char *unit, const void *payload)
{
    h.path_bytes = (uint32_t)strlen(path);
    h.unit_bytes = (uint32_t)strlen(unit);
    send_all(fd, &h, sizeof h);
    send_all(fd, path, h.path_bytes);
    send_all(fd, unit, h.unit_bytes);
    send_all(fd, payload, h.bytes);
}

static bool is_fixed_string(hid_t type)
{
    return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) <= 0;
}

/* text <- a string attribute, empty where there is none. */
static void read_text(hid_t set, const char *name, char *text, size_t size)
{
    memset(text, 0, size);
    if (H5Aexists(set, name) <= 0)
        return;
    hid_t attribute = H5Aopen(set, name, H5P_DEFAULT), type = H5Aget_type(attribute);
    if (is_fixed_string(type) && H5Tget_size(type) < size)
        H5Aread(attribute, type, text);
    H5Tclose(type);
    H5Aclose(attribute);
}

/* The memory type and the shape of a dataset; false where it is not of a kind that is sent. */
static bool describe(lnt_h5_header *h, hid_t *memory, hid_t type, hid_t space, bool bytes)
{
    hsize_t dims[H5S_MAX_RANK] = {0};
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    *h = (lnt_h5_header){.kind = 'f', .rank = (uint32_t)rank, .width = sizeof(double)};
    *memory = H5T_NATIVE_DOUBLE;
    if (H5Tget_class(type) == H5T_INTEGER && bytes && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE) {
        h->kind = 'u';
        h->width = 1;
        *memory = H5T_NATIVE_UCHAR;
    } else if (H5Tget_class(type) == H5T_INTEGER) {
        h->kind = H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE ? 'b' : 'i';
    } else if (is_fixed_string(type)) {
        h->kind = 's';
        h->width = (uint32_t)H5Tget_size(type);
        *memory = type;
    } else if (H5Tget_class(type) != H5T_FLOAT) {
        return false;
    }
    if (rank < 0 || rank > 3)
        return false;
    h->bytes = h->width;
    for (int d = 0; d < rank; d++) {
        h->dims[d] = (uint32_t)dims[d];
        if (dims[d] > INT32_MAX || __builtin_mul_overflow(h->bytes, dims[d], &h->bytes) || h->bytes > MOST_BYTES)
            _exit(4);
    }
    return true;
}

static void send_dataset(const sender *s, hid_t set, const char *path)
{
    hid_t space = H5Dget_space(set), type = H5Dget_type(set), memory;
    lnt_h5_header h;
    char class[16];
    if (!describe(&h, &memory, type, space, s->mode != LNT_H5_ALL) || H5Aexists(set, "MATLAB_empty") > 0)
        return;
    read_text(set, "MATLAB_class", class, sizeof class);
    h.matlab = class[0] != '\0';
    if (strcmp(class, "char") == 0)
        h.kind = 's'; /* letters, not numbers */
    if (s->mode == LNT_H5_LIST)
        h.bytes = 0;
    /* far more than is stored: no compression does that, only a file that is made to exhaust memory */
    if (h.bytes > MOST_EMPTY && H5Dget_storage_size(set) < h.bytes / 2000)
        _exit(4);
    char unit[128], *payload = calloc(1, h.bytes + 1);
    if (!payload || (h.bytes && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, payload) < 0))
        _exit(4);
    read_text(set, "unit", unit, sizeof unit);
    send_item(s->fd, h, path, unit, payload);
    free(payload);
    H5Tclose(type);
    H5Sclose(space);
}

static herr_t visit_object(hid_t root, const char *path, const H5O_info_t *info, void *user)
{
    if (info->type == H5O_TYPE_DATASET) {
        hid_t set = H5Dopen2(root, path, H5P_DEFAULT);
        if (set < 0)
            _exit(4);
        send_dataset(user, set, path);
        H5Dclose(set);
    }
    return 0;
}

static herr_t visit_attribute(hid_t root, const char *name, const H5A_info_t *info, void *user)
{
    (void)info;
    char text[512] = {0};
    hid_t attribute = H5Aopen(root, name, H5P_DEFAULT), type = H5Aget_type(attribute);
    if (is_fixed_string(type) && H5Tget_size(type) < sizeof text && H5Aread(attribute, type, text) >= 0) {
        lnt_h5_header h = {.kind = 'a', .width = (uint32_t)strlen(text), .bytes = strlen(text)};
        send_item(((const sender *)user)->fd, h, name, "", text);
    }
    H5Tclose(type);
    H5Aclose(attribute);
    return 0;
}

static void confine(void)
{
    struct rlimit cpu = {MOST_CPU_SECONDS, MOST_CPU_SECONDS}, none = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* without its reader the child has nothing to do */
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &none);
    /* a handler of the program's own must not carry on after a crash here */
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPIPE, SIGXCPU, SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], SIG_DFL);
    int quiet = open("/dev/null", O_WRONLY);
    if (quiet >= 0)
        dup2(quiet, STDERR_FILENO); /* what a crash prints is no news to the user: the file is refused */
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void child(sender *s, const char *path, const char *name)
{
    confine();
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t root = file < 0 ? -1 : H5Gopen2(file, "/", H5P_DEFAULT);
    if (root < 0)
        _exit(4);
    if (s->mode == LNT_H5_ONE) {
        hid_t set = H5Dopen2(root, name, H5P_DEFAULT);
        if (set >= 0)
            send_dataset(s, set, name);
        _exit(0);
    }
    if (H5Aiterate2(root, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, s) < 0 ||
        (H5Ovisit2(root, H5_INDEX_CRT_ORDER, H5_ITER_INC, visit_object, s, H5O_INFO_BASIC) < 0 &&
         H5Ovisit2(root, H5_INDEX_NAME, H5_ITER_INC, visit_object, s, H5O_INFO_BASIC) < 0))
        _exit(4);
    _exit(0);
}

/* ---- The parent: believes nothing that the child says without checking it ---- */

/* Waits for bytes; false when the user no longer wants them. */
static bool wait_for(lnt_ctx *ctx, int fd)
{
    struct pollfd ready = {fd, POLLIN, 0};
    while (poll(&ready, 1, 200) <= 0)
        if (lnt_cancelled(ctx))
            return false;
    return true;
}

static ssize_t receive(lnt_ctx *ctx, int fd, void *p, size_t n)
{
    size_t have = 0;
    while (have < n && wait_for(ctx, fd)) {
        ssize_t got = read(fd, (char *)p + have, n - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static bool plausible(const lnt_h5_header *h, bool listing)
{
    uint64_t bytes = h->width;
    for (uint32_t d = 0; d < h->rank && h->rank <= 3; d++)
        if (h->dims[d] > INT32_MAX || __builtin_mul_overflow(bytes, (uint64_t)h->dims[d], &bytes))
            return false;
    return h->rank <= 3 && h->path_bytes < 4096 && h->unit_bytes < 4096 && bytes <= MOST_BYTES &&
           h->bytes == (listing && h->kind != 'a' ? 0 : bytes);
}

static lnt_status receive_items(lnt_ctx *ctx, const sender *from, const char *path, lnt_h5_visit visit, void *user)
{
    lnt_h5_header h;
    ssize_t got;
    int fd = from->fd;
    while ((got = receive(ctx, fd, &h, sizeof h)) == sizeof h) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        if (!plausible(&h, from->mode == LNT_H5_LIST))
            return lnt_fail(ctx, LNT_EFORMAT, "%s: damaged HDF5 file", path);
        char *name = lnt_alloc_zero(ctx, h.path_bytes + 1, 1), *unit = lnt_alloc_zero(ctx, h.unit_bytes + 1, 1),
             *payload = lnt_alloc_zero(ctx, h.bytes + 1, 1);
        if (!name || !unit || !payload)
            return LNT_ENOMEM;
        if (receive(ctx, fd, name, h.path_bytes) != (ssize_t)h.path_bytes ||
            receive(ctx, fd, unit, h.unit_bytes) != (ssize_t)h.unit_bytes ||
            receive(ctx, fd, payload, h.bytes) != (ssize_t)h.bytes)
            return lnt_fail(ctx, LNT_EFORMAT, "%s: damaged HDF5 file", path);
        lnt_h5_item item = {h, name, unit, payload};
        lnt_status status = visit(ctx, &item, user);
        lnt_ctx_reset(ctx, mark);
        if (status != LNT_OK)
            return status;
    }
    if (lnt_cancelled(ctx))
        return lnt_fail(ctx, LNT_EUSER, "%s: interrupted while it was read", path);
    return got == 0 ? LNT_OK : lnt_fail(ctx, LNT_EFORMAT, "%s: damaged HDF5 file", path);
}

lnt_status lnt_hdf5_scan(lnt_ctx *ctx, const char *path, lnt_h5_mode mode, const char *name, lnt_h5_visit visit,
                         void *user)
{
    int fds[2], state = 0;
    if (access(path, R_OK) != 0)
        return lnt_fail(ctx, errno == ENOENT ? LNT_EMISSING : LNT_EIO, "%s: %s", path, strerror(errno));
    if (pipe2(fds, O_CLOEXEC) != 0)
        return lnt_fail(ctx, LNT_EIO, "no pipe for reading %s: %s", path, strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child(&(sender){fds[1], mode}, path, name);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return lnt_fail(ctx, LNT_EIO, "no process for reading %s: %s", path, strerror(errno));
    }
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = receive_items(ctx, &(sender){fds[0], mode}, path, visit, user);
    lnt_ctx_reset(ctx, mark);
    close(fds[0]);
    if (status != LNT_OK)
        kill(pid, SIGKILL);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        ;
    if (status == LNT_OK && (!WIFEXITED(state) || WEXITSTATUS(state) != 0))
        return lnt_fail(ctx, LNT_EFORMAT, "%s: not a readable HDF5 file", path);
    return status;
}
