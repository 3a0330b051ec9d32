#define _GNU_SOURCE
#include "pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 60000

extern char **environ;

typedef struct pipes {
    int in[2], out[2], err[2];
} pipes;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_all(pipes *p)
{
    for (int k = 0; k < 2; k++) {
        close_fd(&p->in[k]);
        close_fd(&p->out[k]);
        close_fd(&p->err[k]);
    }
}

/* The environment with a fixed time of creation, so that equal figures are equal bytes. */
static char **fixed_time(lnt_ctx *ctx)
{
    static char epoch[] = "SOURCE_DATE_EPOCH=0";
    size_t count = 0;
    while (environ[count])
        count++;
    char **copy = lnt_alloc(ctx, count + 2, sizeof *copy);
    if (!copy)
        return environ;
    copy[0] = epoch; /* of equal names the first one counts */
    memcpy(copy + 1, environ, (count + 1) * sizeof *copy);
    return copy;
}

static int start(lnt_ctx *ctx, pid_t *pid, pipes *p, const char *const argv[])
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, p->in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, p->out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, p->err[1], 2);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    /* its own process group: Ctrl-C is meant for the run, which still wants its figures */
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int code = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, fixed_time(ctx));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return code;
}

static void drain(int *fd, lnt_text *text)
{
    char buffer[65536];
    ssize_t got = read(*fd, buffer, sizeof buffer);
    if (got > 0)
        lnt_text_bytes(text, buffer, (size_t)got);
    else if (got == 0 || (errno != EINTR && errno != EAGAIN))
        close_fd(fd);
}

/* Feeds and drains until the program has closed its outputs; false when it hangs. */
static bool exchange(pipes *p, lnt_text *output, lnt_text *errors, const char *input, size_t n)
{
    size_t sent = 0;
    fcntl(p->in[1], F_SETFL, O_NONBLOCK);
    while (p->out[0] >= 0 || p->err[0] >= 0) {
        if (sent == n)
            close_fd(&p->in[1]);
        struct pollfd fds[3] = {{p->in[1], POLLOUT, 0}, {p->out[0], POLLIN, 0}, {p->err[0], POLLIN, 0}};
        int ready = poll(fds, 3, PATIENCE_MS);
        if (ready == 0)
            return false;
        if (ready < 0)
            continue;
        if (fds[0].revents) {
            ssize_t put = write(p->in[1], input + sent, n - sent);
            if (put > 0)
                sent += (size_t)put;
            else if (errno != EAGAIN && errno != EINTR)
                close_fd(&p->in[1]);
        }
        if (fds[1].revents)
            drain(&p->out[0], output);
        if (fds[2].revents)
            drain(&p->err[0], errors);
    }
    return true;
}

static lnt_status converse(lnt_ctx *ctx, lnt_text *output, pipes *p, const char *const argv[], const char *input,
                           size_t n)
{
    pid_t pid;
    int code = start(ctx, &pid, p, argv);
    if (code != 0)
        return lnt_fail(ctx, LNT_EMISSING, "the program %s could not be started: %s", argv[0], strerror(code));
    close_fd(&p->in[0]);
    close_fd(&p->out[1]);
    close_fd(&p->err[1]);
    lnt_text errors = {0};
    bool finished = exchange(p, output, &errors, input, n);
    if (!finished)
        kill(pid, SIGKILL);
    int state = 0;
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        ;
    lnt_status status = lnt_text_status(ctx, output);
    if (status == LNT_OK && (!finished || !WIFEXITED(state) || WEXITSTATUS(state) != 0))
        status = lnt_fail(ctx, LNT_EIO, "the program %s %s: %.200s", argv[0], finished ? "failed" : "did not finish",
                          errors.p ? errors.p : "no message");
    lnt_text_free(&errors);
    return status;
}

lnt_status lnt_pipe(lnt_ctx *ctx, lnt_text *output, const char *const argv[], const char *input, size_t n)
{
    pipes p = {{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(p.in, O_CLOEXEC) != 0 || pipe2(p.out, O_CLOEXEC) != 0 || pipe2(p.err, O_CLOEXEC) != 0) {
        close_all(&p);
        return lnt_fail(ctx, LNT_EIO, "no pipe to %s: %s", argv[0], strerror(errno));
    }
    /* A program that ends early must not kill us with SIGPIPE; only this thread is concerned. */
    sigset_t broken, before;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    lnt_status status = converse(ctx, output, &p, argv, input, n);
    struct timespec now = {0, 0};
    while (!sigismember(&before, SIGPIPE) && sigtimedwait(&broken, NULL, &now) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close_all(&p);
    return status;
}
