/* The log of draws: what was written is read back, and whatever happens to the file costs the last chunk at most. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHAINS = 3, COLUMNS = 4, CHUNK = 5 };

static const lnt_draws_layout layout = {0x123456789abcdef0u, CHAINS, COLUMNS};
static char path[64];

static int new_folder(void **state)
{
    bool memory = access("/dev/shm", W_OK) == 0; /* where syncing takes no time */
    snprintf(path, sizeof path, "%s/linnet-draws-XXXXXX", memory ? "/dev/shm" : "/tmp");
    if (!mkdtemp(path))
        return -1;
    strcat(path, "/draws.log");
    return make_ctx(state);
}

static int remove_folder(void **state)
{
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    return free_ctx(state);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, new_folder, remove_folder)

/* What column j of draw d of chain c is meant to be. */
static double number(int c, int d, int j)
{
    return d % 7 == 3 && j == 1 ? INFINITY : c * 1e4 + d + j / 8.;
}

/* Some text of another length at each draw. */
static size_t make_text(char *text, int c, int draws)
{
    return (size_t)snprintf(text, 64, "chain %d after %d%.*s", c, draws, draws % 9, "........");
}

static lnt_status append(lnt_ctx *ctx, lnt_draws *log, int c, int count)
{
    double draws[CHUNK * COLUMNS];
    char text[64];
    int first = lnt_draws_count(log, c);
    for (int i = 0; i < count * COLUMNS; i++)
        draws[i] = number(c, first + i / COLUMNS, i % COLUMNS);
    return lnt_draws_append(ctx, log, c, draws, count, text, make_text(text, c, first + count));
}

static lnt_draws *open_log(lnt_ctx *ctx, bool resume)
{
    lnt_draws *log;
    check_status(ctx, lnt_draws_open(ctx, &log, path, &layout, resume), LNT_OK);
    return log;
}

/* Chunks of 0 to 5 draws, chain after chain. */
static void write_log(lnt_ctx *ctx, int chunks)
{
    lnt_draws *log = open_log(ctx, false);
    for (int i = 0; i < chunks; i++)
        check_status(ctx, append(ctx, log, i % CHAINS, i % (CHUNK + 1)), LNT_OK);
    lnt_draws_close(log);
}

static void check_numbers(const lnt_draws_content *content)
{
    for (int c = 0; c < CHAINS; c++) {
        assert_true(content->count[c] >= content->x.draws);
        for (int i = 0; i < content->x.draws * COLUMNS; i++)
            assert_true(content->x.a[c * content->x.draws * COLUMNS + i] == number(c, i / COLUMNS, i % COLUMNS));
    }
}

static void check_states(const lnt_draws *log)
{
    for (int c = 0; c < CHAINS; c++) {
        char text[64];
        size_t n, wanted = make_text(text, c, lnt_draws_count(log, c));
        const void *found = lnt_draws_state(log, c, &n);
        if (lnt_draws_count(log, c) == 0)
            continue;
        assert_int_equal(n, wanted);
        assert_memory_equal(found, text, n);
    }
}

static lnt_bytes read_file(lnt_ctx *ctx)
{
    lnt_bytes bytes;
    check_status(ctx, lnt_file_read(ctx, &bytes, path), LNT_OK);
    return bytes;
}

static void put_file(const void *p, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(p, 1, n, file), n);
    fclose(file);
}

static void reads_back(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_draws_content content;
    write_log(ctx, 40);
    check_status(ctx, lnt_draws_load(ctx, &content, path), LNT_OK);
    assert_memory_equal(&content.layout.fingerprint, &layout.fingerprint, 8);
    assert_true(content.x.chains == CHAINS && content.x.dim == COLUMNS && content.ignored == 0);
    check_numbers(&content);
    lnt_draws *log = open_log(ctx, true);
    check_states(log);
    int total = 0, written = 0;
    for (int i = 0; i < 40; i++)
        written += i % (CHUNK + 1);
    for (int c = 0; c < CHAINS; c++) {
        assert_int_equal(lnt_draws_count(log, c), content.count[c]);
        total += content.count[c];
    }
    assert_int_equal(total, written);
    check_status(ctx, append(ctx, log, 1, 4), LNT_OK); /* the log goes on */
    lnt_draws_close(log);
    int former = content.count[1];
    check_status(ctx, lnt_draws_load(ctx, &content, path), LNT_OK);
    assert_int_equal(content.count[1], former + 4);
    check_numbers(&content);
}

static void a_state_alone(void **state)
{
    lnt_ctx *ctx = *state;
    size_t n;
    lnt_draws *log = open_log(ctx, true); /* made, since it is not there */
    assert_null(lnt_draws_state(log, 0, &n));
    check_status(ctx, lnt_draws_append(ctx, log, 0, NULL, 0, "warm-up", 7), LNT_OK);
    check_status(ctx, lnt_draws_append(ctx, log, 1, (double[]){1, 2, 3, 4}, 1, NULL, 0), LNT_OK);
    lnt_draws_close(log);
    log = open_log(ctx, true);
    assert_memory_equal(lnt_draws_state(log, 0, &n), "warm-up", 7);
    assert_true(n == 7 && lnt_draws_count(log, 0) == 0 && lnt_draws_count(log, 1) == 1);
    assert_true(lnt_draws_state(log, 1, &n) && n == 0);
    check_failure(ctx, lnt_draws_append(ctx, log, 3, NULL, 0, NULL, 0), LNT_EINVAL, "chain 3");
    check_failure(ctx, lnt_draws_append(ctx, log, -1, NULL, 0, NULL, 0), LNT_EINVAL, "chain -1");
    check_failure(ctx, lnt_draws_append(ctx, log, 0, NULL, -1, NULL, 0), LNT_EINVAL, "-1 draws");
    lnt_draws_close(log);
    lnt_draws_close(NULL);
}

/* The file cut at every byte: sound up to the last whole chunk, and after resuming the same bytes come out. */
static void cut_anywhere(void **state)
{
    lnt_ctx *ctx = *state;
    write_log(ctx, 12);
    lnt_bytes whole = read_file(ctx), again;
    for (size_t n = 0; n <= whole.n; n += n < 200 ? 1 : 5) {
        lnt_draws_content content;
        put_file(whole.p, n);
        lnt_status status = lnt_draws_parse(ctx, &content, whole.p, n, "log");
        assert_int_equal(status, n < 64 ? LNT_EFORMAT : LNT_OK);
        lnt_ctx_clear(ctx);
        lnt_draws *log = open_log(ctx, true);
        struct stat info;
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, n < 64 ? 64 : content.valid); /* the rest is gone */
        check_states(log);
        int done[CHAINS] = {0};
        for (int i = 0; i < 12; i++) { /* what is missing */
            int c = i % CHAINS, count = i % (CHUNK + 1);
            done[c] += count;
            if (done[c] > lnt_draws_count(log, c))
                check_status(ctx, append(ctx, log, c, count), LNT_OK);
        }
        lnt_draws_close(log);
        again = read_file(ctx);
        check_status(ctx, lnt_draws_parse(ctx, &content, again.p, again.n, "log"), LNT_OK);
        check_numbers(&content);
        assert_int_equal(content.ignored, 0);
        for (int c = 0; c < CHAINS; c++)
            assert_int_equal(content.count[c], done[c]);
        lnt_heap_free(again.p);
    }
    lnt_heap_free(whole.p);
}

/* Any flipped bit is seen; what comes before it is kept. */
static void flipped_bits(void **state)
{
    lnt_ctx *ctx = *state;
    write_log(ctx, 12);
    lnt_bytes file = read_file(ctx);
    lnt_draws_content content;
    for (size_t bit = 0; bit < 8 * file.n; bit++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        file.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        lnt_status status = lnt_draws_parse(ctx, &content, file.p, file.n, "log");
        assert_int_equal(status, bit < 512 ? LNT_EFORMAT : LNT_OK);
        if (status == LNT_OK) {
            assert_true(content.valid <= bit / 8 && content.ignored > 0);
            check_numbers(&content);
        }
        file.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        lnt_ctx_clear(ctx);
        lnt_ctx_reset(ctx, mark);
    }
    lnt_heap_free(file.p);
}

/* Two chunks of one chain in the wrong order, twice the same, one of another run: each sound, but not here. */
static void out_of_order(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_draws_content content;
    lnt_draws *log = open_log(ctx, false);
    check_status(ctx, append(ctx, log, 2, 3), LNT_OK);
    check_status(ctx, append(ctx, log, 2, 3), LNT_OK); /* equally long: texts after 3 and 6 draws differ by 3 */
    lnt_draws_close(log);
    lnt_bytes file = read_file(ctx);
    size_t first = 32 + 3 * COLUMNS * 8 + 24; /* the text has 15 + 3 + 0 bytes */
    uint8_t *other = lnt_alloc(ctx, file.n, 1);
    check_status(ctx, lnt_draws_parse(ctx, &content, file.p, 64 + first, "log"), LNT_OK);
    assert_true(content.count[2] == 3 && content.ignored == 0);
    memcpy(other, file.p, 64);
    memcpy(other + 64, file.p + 64 + first, file.n - 64 - first);
    check_status(ctx, lnt_draws_parse(ctx, &content, other, file.n - first, "log"), LNT_OK);
    assert_true(content.count[2] == 0 && content.valid == 64);
    memcpy(other + 64, file.p + 64, first);
    memcpy(other + 64 + first, file.p + 64, first);
    check_status(ctx, lnt_draws_parse(ctx, &content, other, 64 + 2 * first, "log"), LNT_OK);
    assert_true(content.count[2] == 3 && content.ignored == first);
    unlink(path);
    lnt_draws_layout another = layout;
    another.fingerprint ^= 1;
    check_status(ctx, lnt_draws_open(ctx, &log, path, &another, false), LNT_OK);
    lnt_draws_close(log);
    lnt_bytes header = read_file(ctx);
    memcpy(other, header.p, 64);
    check_status(ctx, lnt_draws_parse(ctx, &content, other, 64 + first, "log"), LNT_OK);
    assert_true(content.count[2] == 0 && content.ignored == first);
    lnt_heap_free(header.p);
    lnt_heap_free(file.p);
}

static void check_refused(lnt_ctx *ctx, const lnt_draws_layout *asked, lnt_status status, const char *part)
{
    lnt_draws *log;
    lnt_bytes before = read_file(ctx), after;
    check_failure(ctx, lnt_draws_open(ctx, &log, path, asked, true), status, part);
    assert_null(log);
    after = read_file(ctx);
    assert_true(before.n == after.n && memcmp(before.p, after.p, after.n) == 0);
    lnt_heap_free(before.p);
    lnt_heap_free(after.p);
}

static void refusals(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_draws *log, *other;
    lnt_draws_content content;
    lnt_draws_layout wrong = layout;
    check_failure(ctx, lnt_draws_load(ctx, &content, path), LNT_EMISSING, "draws.log");
    write_log(ctx, 6);
    check_failure(ctx, lnt_draws_open(ctx, &log, path, &layout, false), LNT_EEXIST, "holds draws already");
    wrong.fingerprint++;
    check_refused(ctx, &wrong, LNT_EEXIST, "another run");
    wrong = layout, wrong.columns++;
    check_refused(ctx, &wrong, LNT_EEXIST, "another run");
    wrong = layout, wrong.chains--;
    check_refused(ctx, &wrong, LNT_EEXIST, "another run");
    lnt_bytes file = read_file(ctx);
    file.p[8] = 2;
    put_file(file.p, file.n);
    check_refused(ctx, &layout, LNT_EFORMAT, "has version 2 of the format");
    file.p[12] = 1, file.p[15] = 4;
    put_file(file.p, file.n);
    check_refused(ctx, &layout, LNT_EFORMAT, "order of bytes");
    lnt_heap_free(file.p);
    put_file("a foreign file, short", 21);
    check_refused(ctx, &layout, LNT_EFORMAT, "not a log");
    check_failure(ctx, lnt_draws_load(ctx, &content, path), LNT_EFORMAT, "not a log");
    put_file("", 0);
    check_failure(ctx, lnt_draws_load(ctx, &content, path), LNT_EFORMAT, "not a log");
    log = open_log(ctx, true); /* killed before the first byte */
    check_failure(ctx, lnt_draws_open(ctx, &other, path, &layout, true), LNT_EIO, "by another process");
    lnt_draws_close(log);
    check_failure(ctx, lnt_draws_open(ctx, &log, "/dev/null", &layout, true), LNT_EIO, "is not a file");
    check_failure(ctx, lnt_draws_open(ctx, &log, "/no/such/folder/log", &layout, true), LNT_EIO, "No such file");
    check_failure(ctx, lnt_draws_load(ctx, &content, "/tmp"), LNT_EIO, "not a file");
    wrong.chains = 0;
    check_failure(ctx, lnt_draws_open(ctx, &log, path, &wrong, true), LNT_EINVAL, "0 chains");
    wrong.chains = 1, wrong.columns = 1 << 30;
    check_failure(ctx, lnt_draws_open(ctx, &log, path, &wrong, true), LNT_EINVAL, "at most");
}

/* A limit on the size of files stops a write in its middle as a full disk does. */
static void full_disk(void **state)
{
    lnt_ctx *ctx = *state;
    struct rlimit before, limit;
    struct stat info;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    lnt_draws *log = open_log(ctx, false);
    check_status(ctx, append(ctx, log, 0, 5), LNT_OK);
    stat(path, &info);
    limit.rlim_cur = (rlim_t)info.st_size + 40;
    setrlimit(RLIMIT_FSIZE, &limit);
    lnt_status status = append(ctx, log, 0, 5);
    setrlimit(RLIMIT_FSIZE, &before);
    check_failure(ctx, status, LNT_EIO, "File too large; the draws before are safe");
    off_t size = info.st_size;
    stat(path, &info);
    assert_int_equal(info.st_size, size); /* nothing half-written */
    assert_int_equal(lnt_draws_count(log, 0), 5);
    check_status(ctx, append(ctx, log, 0, 5), LNT_OK); /* there is room again */
    check_status(ctx, append(ctx, log, 1, 5), LNT_OK);
    lnt_draws_close(log);
    lnt_draws_content content;
    check_status(ctx, lnt_draws_load(ctx, &content, path), LNT_OK);
    assert_true(content.count[0] == 10 && content.ignored == 0);
    unlink(path);
    limit.rlim_cur = 20;
    setrlimit(RLIMIT_FSIZE, &limit);
    status = lnt_draws_open(ctx, &log, path, &layout, false);
    setrlimit(RLIMIT_FSIZE, &before);
    check_failure(ctx, status, LNT_EIO, "File too large");
    assert_int_equal(access(path, F_OK), -1); /* no header without its end */
}

/* Writes until it is killed. */
static void write_for_ever(void)
{
    lnt_ctx *ctx = lnt_ctx_new();
    lnt_draws *log;
    if (!ctx || lnt_draws_open(ctx, &log, path, &layout, true) != LNT_OK)
        _exit(1);
    for (int i = 0;; i++)
        if (append(ctx, log, i % CHAINS, CHUNK) != LNT_OK)
            _exit(1);
}

static void killed(void **state)
{
    lnt_ctx *ctx = *state;
    int before = -1, rounds = 0;
    for (int round = 0; round < 8; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_for_ever();
        nanosleep(&(struct timespec){0, 10000000 + 3000000 * round}, NULL);
        int status;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        lnt_draws_content content;
        if (access(path, F_OK) != 0)
            continue;
        lnt_draws *log = open_log(ctx, true);
        check_states(log);
        lnt_draws_close(log);
        check_status(ctx, lnt_draws_load(ctx, &content, path), LNT_OK);
        check_numbers(&content);
        assert_true(content.count[0] >= before && content.ignored == 0);
        before = content.count[0];
        rounds++;
    }
    assert_true(rounds > 0 && before > 0);
}

static void fingerprints(void **state)
{
    (void)state;
    assert_true(lnt_fingerprint(0, "", 0) == 0xcbf29ce484222325u);
    assert_true(lnt_fingerprint(0, "a", 1) == 0xaf63dc4c8601ec8cu);
    assert_true(lnt_fingerprint(0, "foobar", 6) == 0x85944171f73967e8u);
    assert_true(lnt_fingerprint(lnt_fingerprint(0, "foo", 3), "bar", 3) == 0x85944171f73967e8u);
}

static lnt_status write_and_read(lnt_ctx *ctx, void *user)
{
    (void)user;
    lnt_draws *log = NULL;
    lnt_draws_content content;
    unlink(path);
    lnt_status status = lnt_draws_open(ctx, &log, path, &layout, false);
    for (int i = 0; i < 6 && status == LNT_OK; i++)
        status = append(ctx, log, i % CHAINS, 2);
    lnt_draws_close(log);
    if (status == LNT_OK)
        status = lnt_draws_open(ctx, &log, path, &layout, true);
    else
        log = NULL;
    lnt_draws_close(log);
    return status == LNT_OK ? lnt_draws_load(ctx, &content, path) : status;
}

static void survives(void **state)
{
    (void)state;
    check_allocations(write_and_read, NULL, LNT_OK, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_FOLDER(reads_back),        WITH_FOLDER(a_state_alone),
                                       WITH_FOLDER(cut_anywhere),      WITH_FOLDER(flipped_bits),
                                       WITH_FOLDER(out_of_order),      WITH_FOLDER(refusals),
                                       WITH_FOLDER(full_disk),         WITH_FOLDER(killed),
                                       cmocka_unit_test(fingerprints), WITH_FOLDER(survives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
