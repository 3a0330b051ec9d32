/* Contexts: scratch memory, messages, callbacks. */
#include "check.h"

/* ---- Heap: counts live blocks and fails on demand ---- */

static long live, calls, fail_at;

static void *counting_heap(void *p, size_t bytes)
{
    if (bytes == 0) {
        live -= p != NULL;
        free(p);
        return NULL;
    }
    if (++calls == fail_at)
        return NULL;
    live += p == NULL;
    return realloc(p, bytes);
}

static void start_counting(long failing_call)
{
    live = calls = 0;
    fail_at = failing_call;
    lnt_set_heap(counting_heap);
}

static int restore_heap(void **state)
{
    (void)state;
    lnt_set_heap(NULL);
    return 0;
}

/* ---- Status ---- */

static void status_texts(void **state)
{
    (void)state;
#define CHECK_TEXT(name, value, text)                                                                                  \
    assert_int_equal(name, value);                                                                                     \
    assert_string_equal(lnt_status_text(name), text);                                                                  \
    assert_true(lnt_status_text(name)[0] && (name) <= 0);                                                              \
    assert_null(strchr(lnt_status_text(name), '\n'));
    LNT_STATUS_LIST(CHECK_TEXT)
#undef CHECK_TEXT
    assert_string_equal(lnt_status_text((lnt_status)1), "unknown status");
    assert_string_equal(lnt_status_text((lnt_status)-99), "unknown status");
}

/* ---- Scratch memory ---- */

static void allocations_are_aligned(void **state)
{
    for (size_t bytes = 0; bytes < 300; bytes++) {
        char *p = lnt_alloc(*state, bytes, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 0xa5, bytes);
    }
}

static void thousands_of_allocations_do_not_overlap(void **state)
{
    enum { COUNT = 5000 };
    unsigned **p = lnt_alloc(*state, COUNT, sizeof *p);
    assert_non_null(p);
    for (unsigned i = 0; i < COUNT; i++) {
        size_t n = 1 + i % 97 + (i % 1000 == 0 ? 100000 : 0);
        assert_non_null(p[i] = lnt_alloc(*state, n, sizeof **p));
        for (size_t k = 0; k < n; k++)
            p[i][k] = i;
    }
    for (unsigned i = 0; i < COUNT; i++)
        for (size_t k = 0; k < 1 + i % 97; k++)
            assert_int_equal(p[i][k], i);
}

static void zeroed_memory_is_zero_after_reuse(void **state)
{
    for (int round = 0; round < 2; round++) {
        lnt_mark mark = lnt_ctx_mark(*state);
        unsigned char *p = lnt_alloc_zero(*state, 1000, 3);
        assert_non_null(p);
        for (int i = 0; i < 3000; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, 3000);
        lnt_ctx_reset(*state, mark);
    }
}

static void empty_allocations_are_valid(void **state)
{
    assert_non_null(lnt_alloc(*state, 0, 8));
    assert_non_null(lnt_alloc(*state, 8, 0));
    assert_non_null(lnt_alloc_zero(*state, 0, 0));
    assert_string_equal(lnt_ctx_message(*state), "");
}

static void too_large_allocations_fail_with_a_message(void **state)
{
    const size_t bad[][2] = {{SIZE_MAX / 8 + 1, 8}, {SIZE_MAX, SIZE_MAX}, {SIZE_MAX, 1}, {SIZE_MAX / 2, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(lnt_alloc(*state, bad[i][0], bad[i][1]));
        check_failure(*state, LNT_ENOMEM, LNT_ENOMEM, "out of memory");
        assert_null(lnt_alloc_zero(*state, bad[i][0], bad[i][1]));
        check_failure(*state, LNT_ENOMEM, LNT_ENOMEM, "out of memory");
    }
    assert_non_null(lnt_alloc(*state, 10, 8));
}

static void reset_keeps_what_is_below_the_mark(void **state)
{
    lnt_ctx *ctx = *state;
    char *kept = lnt_strdup(ctx, "kept");
    lnt_mark mark = lnt_ctx_mark(ctx);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 20; i++) {
            char *p = lnt_alloc(ctx, 50000, 1);
            assert_non_null(p);
            memset(p, round, 50000);
        }
        lnt_ctx_reset(ctx, mark);
        lnt_mark now = lnt_ctx_mark(ctx);
        assert_ptr_equal(now.chunk, mark.chunk);
        assert_int_equal(now.used, mark.used);
    }
    assert_string_equal(kept, "kept");
}

static void freeing_returns_every_block(void **state)
{
    (void)state;
    start_counting(0);
    lnt_ctx *ctx = lnt_ctx_new();
    assert_non_null(ctx);
    long empty = live;
    lnt_mark mark = lnt_ctx_mark(ctx);
    for (int i = 0; i < 10; i++)
        assert_non_null(lnt_alloc(ctx, 1 << 20, 1));
    assert_true(live > empty);
    lnt_ctx_reset(ctx, mark);
    assert_int_equal(live, empty);
    assert_non_null(lnt_alloc(ctx, 1 << 20, 1));
    lnt_ctx *child = lnt_ctx_child(ctx);
    assert_non_null(lnt_alloc(child, 1 << 20, 1));
    lnt_ctx_free(child);
    lnt_ctx_free(ctx);
    assert_int_equal(live, 0);
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    for (long k = 1; k <= 4; k++) {
        start_counting(k);
        lnt_ctx *ctx = lnt_ctx_new(), *child = ctx ? lnt_ctx_child(ctx) : NULL;
        if (ctx && child && !lnt_alloc(ctx, 1 << 20, 1))
            assert_non_null(strstr(lnt_ctx_message(ctx), "out of memory"));
        assert_true(k != 1 || !ctx);
        assert_true(calls >= k);
        lnt_ctx_free(child);
        lnt_ctx_free(ctx);
        assert_int_equal(live, 0);
    }
}

static void strings_are_copied_and_built(void **state)
{
    char source[] = "abc", *copy = lnt_strdup(*state, source);
    source[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_string_equal(lnt_strdup(*state, NULL), "");
    assert_string_equal(lnt_sprintf(*state, "%d-%s", 7, "y"), "7-y");
    assert_int_equal(strlen(lnt_sprintf(*state, "%5000d", 1)), 5000);
}

/* ---- Messages ---- */

static void first_message_wins(void **state)
{
    lnt_ctx *ctx = *state;
    assert_string_equal(lnt_ctx_message(ctx), "");
    assert_int_equal(lnt_fail(ctx, LNT_ESHAPE, "first %d", 1), LNT_ESHAPE);
    assert_int_equal(lnt_fail(ctx, LNT_EIO, "second"), LNT_EIO);
    assert_string_equal(lnt_ctx_message(ctx), "first 1");
    lnt_ctx_clear(ctx);
    assert_string_equal(lnt_ctx_message(ctx), "");
    lnt_fail(ctx, LNT_EIO, "third");
    assert_string_equal(lnt_ctx_message(ctx), "third");
}

/* A file name may hold anything; a message must stay one line that cannot steer a terminal. */
static void messages_hold_no_control_characters(void **state)
{
    lnt_fail(*state, LNT_EIO, "%s: no", "a\nb\r\033[31m\tc\001");
    assert_string_equal(lnt_ctx_message(*state), "a b  [31m c : no");
}

static void long_messages_are_cut(void **state)
{
    lnt_fail(*state, LNT_EIO, "%05000d", 1);
    size_t n = strlen(lnt_ctx_message(*state));
    assert_true(n >= 200 && n < 5000);
}

/* ---- Children and callbacks ---- */

typedef struct seen {
    int lines, steps;
    char line[2000];
    const char *what;
    long done, total;
    int cancel;
} seen;

static void on_log(const char *line, void *user)
{
    seen *s = user;
    s->lines++;
    snprintf(s->line, sizeof s->line, "%s", line);
}

static void on_progress(const char *what, long done, long total, void *user)
{
    seen *s = user;
    s->steps++;
    s->what = what;
    s->done = done;
    s->total = total;
}

static int on_cancel(void *user)
{
    return ((seen *)user)->cancel;
}

static void a_child_has_its_own_message_and_memory(void **state)
{
    lnt_ctx *child = lnt_ctx_child(*state);
    assert_non_null(child);
    lnt_fail(child, LNT_EIO, "of the child");
    assert_string_equal(lnt_ctx_message(*state), "");
    char *p = lnt_strdup(*state, "parent");
    assert_non_null(lnt_alloc(child, 1000, 1));
    lnt_ctx_free(child);
    assert_string_equal(p, "parent");
}

static void log_reaches_the_callback_from_a_child(void **state)
{
    seen s = {0};
    lnt_log(*state, "nobody listens");
    lnt_ctx_set_log(*state, on_log, &s);
    lnt_ctx *child = lnt_ctx_child(*state);
    lnt_log(*state, "one %d", 1);
    assert_string_equal(s.line, "one 1");
    lnt_log(child, "two");
    assert_string_equal(s.line, "two");
    assert_int_equal(s.lines, 2);
    lnt_ctx_free(child);
}

static void a_log_line_is_one_line(void **state)
{
    seen s = {0};
    lnt_ctx_set_log(*state, on_log, &s);
    lnt_log(*state, "%s", "a\nb\033[31m");
    assert_null(strchr(s.line, '\n'));
    assert_null(strchr(s.line, '\033'));
}

static void progress_counts_over_children(void **state)
{
    seen s = {0};
    lnt_progress_begin(*state, "unheard", 2);
    lnt_ctx_set_progress(*state, on_progress, &s);
    lnt_progress_begin(*state, "work", 3);
    assert_string_equal(s.what, "work");
    assert_int_equal(s.done, 0);
    assert_int_equal(s.total, 3);
    lnt_ctx *child = lnt_ctx_child(*state);
    lnt_progress_step(*state);
    lnt_progress_step(child);
    lnt_progress_step(child);
    assert_int_equal(s.done, 3);
    assert_int_equal(s.steps, 4);
    lnt_progress_begin(child, "more", 1);
    assert_int_equal(s.done, 0);
    assert_string_equal(s.what, "more");
    lnt_ctx_free(child);
}

static void cancel_is_polled(void **state)
{
    seen s = {0};
    assert_false(lnt_cancelled(*state));
    lnt_ctx_set_cancel(*state, on_cancel, &s);
    lnt_ctx *child = lnt_ctx_child(*state);
    assert_false(lnt_cancelled(child));
    s.cancel = 1;
    assert_true(lnt_cancelled(child));
    assert_true(lnt_cancelled(*state));
    s.cancel = 0;
    assert_false(lnt_cancelled(*state));
    lnt_ctx_free(child);
}

static void null_is_freed_quietly(void **state)
{
    (void)state;
    lnt_ctx_free(NULL);
    lnt_heap_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_texts),
        WITH_CTX(allocations_are_aligned),
        WITH_CTX(thousands_of_allocations_do_not_overlap),
        WITH_CTX(zeroed_memory_is_zero_after_reuse),
        WITH_CTX(empty_allocations_are_valid),
        WITH_CTX(too_large_allocations_fail_with_a_message),
        WITH_CTX(reset_keeps_what_is_below_the_mark),
        cmocka_unit_test_teardown(freeing_returns_every_block, restore_heap),
        cmocka_unit_test_teardown(every_failing_allocation_is_survived, restore_heap),
        WITH_CTX(strings_are_copied_and_built),
        WITH_CTX(first_message_wins),
        WITH_CTX(messages_hold_no_control_characters),
        WITH_CTX(long_messages_are_cut),
        WITH_CTX(a_child_has_its_own_message_and_memory),
        WITH_CTX(log_reaches_the_callback_from_a_child),
        WITH_CTX(a_log_line_is_one_line),
        WITH_CTX(progress_counts_over_children),
        WITH_CTX(cancel_is_polled),
        cmocka_unit_test(null_is_freed_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
