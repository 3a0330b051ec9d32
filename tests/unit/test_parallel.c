/* Work over threads. Items only take notes: assertions jump, which a parallel region must not see. */
#define _DEFAULT_SOURCE
#include "check.h"

#include <stdatomic.h>
#include <unistd.h>

int openblas_get_num_threads(void);
void openblas_set_num_threads(int threads);

#define COUNT 200

static const int thread_counts[] = {1, 2, 7};

typedef struct notes {
    atomic_int visits[COUNT];
    atomic_int tickets, order[COUNT], blas_threads;
    lnt_mark mark[COUNT];
    double result[COUNT];
    int fail_from, inner_threads;
} notes;

static lnt_status visit(lnt_ctx *ctx, int i, void *user)
{
    notes *n = user;
    atomic_fetch_add(&n->visits[i], 1);
    atomic_store(&n->blas_threads, openblas_get_num_threads());
    lnt_rng rng = lnt_rng_stream(1, (uint32_t)i, LNT_FOR_TESTS);
    double *x = lnt_alloc(ctx, 1000, sizeof *x);
    if (!x)
        return LNT_ENOMEM;
    for (int k = 0; k < 1000; k++)
        x[k] = lnt_rng_normal(&rng);
    for (int k = 0; k < 1000; k++)
        n->result[i] += x[k];
    return LNT_OK;
}

static void every_index_is_visited_once(void **state)
{
    static notes first;
    for (size_t t = 0; t < 3; t++) {
        static notes n;
        n = (notes){0};
        check_status(*state, lnt_parallel(*state, COUNT, thread_counts[t], visit, &n), LNT_OK);
        for (int i = 0; i < COUNT; i++)
            if (n.visits[i] != 1)
                fail_msg("%d threads: index %d was visited %d times", thread_counts[t], i, n.visits[i]);
        if (t == 0)
            memcpy(first.result, n.result, sizeof n.result);
        assert_memory_equal(n.result, first.result, sizeof n.result);
    }
}

static void more_threads_than_items(void **state)
{
    static notes n;
    check_status(*state, lnt_parallel(*state, 3, 50, visit, &n), LNT_OK);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(n.visits[i], i < 3);
}

static void no_items(void **state)
{
    static notes n;
    check_status(*state, lnt_parallel(*state, 0, 4, visit, &n), LNT_OK);
    check_status(*state, lnt_parallel(*state, 0, 0, visit, &n), LNT_OK);
    assert_int_equal(n.visits[0], 0);
    assert_string_equal(lnt_ctx_message(*state), "");
}

static void blas_is_held_at_one_thread(void **state)
{
    static notes n;
    openblas_set_num_threads(2);
    int before = openblas_get_num_threads();
    check_status(*state, lnt_parallel(*state, 10, 2, visit, &n), LNT_OK);
    assert_int_equal(n.blas_threads, 1);
    assert_int_equal(openblas_get_num_threads(), before);
}

/* ---- Failures ---- */

/* The lowest failing index is the slowest, so that a rule such as "first to fail" would pick another. */
static lnt_status fail_some(lnt_ctx *ctx, int i, void *user)
{
    notes *n = user;
    atomic_fetch_add(&n->visits[i], 1);
    if (i < n->fail_from || i % 3 != 0)
        return LNT_OK;
    if (i < n->fail_from + 3)
        usleep(20000);
    return lnt_fail(ctx, i % 2 ? LNT_ESHAPE : LNT_EDOMAIN, "item %d failed", i);
}

static void the_lowest_failing_index_wins(void **state)
{
    for (int from = 0; from <= 6; from += 3)
        for (size_t t = 0; t < 3; t++) {
            static notes n;
            n = (notes){.fail_from = from};
            char expected[40];
            snprintf(expected, sizeof expected, "item %d failed", from);
            lnt_status status = lnt_parallel(*state, COUNT, thread_counts[t], fail_some, &n);
            assert_int_equal(status, from % 2 ? LNT_ESHAPE : LNT_EDOMAIN);
            assert_string_equal(lnt_ctx_message(*state), expected);
            lnt_ctx_clear(*state);
            for (int i = 0; i <= from; i++)
                assert_int_equal(n.visits[i], 1);
        }
}

static void *exhaust(lnt_ctx *ctx)
{
    return lnt_alloc(ctx, SIZE_MAX, 8);
}

static lnt_status run_out(lnt_ctx *ctx, int i, void *user)
{
    (void)i, (void)user;
    return exhaust(ctx) ? LNT_OK : LNT_ENOMEM;
}

static void messages_of_children_reach_the_caller(void **state)
{
    check_failure(*state, lnt_parallel(*state, 4, 2, run_out, NULL), LNT_ENOMEM, "out of memory");
}

/* ---- Scratch memory ---- */

static lnt_status take_scratch(lnt_ctx *ctx, int i, void *user)
{
    ((notes *)user)->mark[i] = lnt_ctx_mark(ctx);
    for (int k = 0; k < 5; k++)
        if (!lnt_alloc(ctx, 100000, 1))
            return LNT_ENOMEM;
    return lnt_fail(ctx, LNT_OK, "left over by %d", i);
}

static void scratch_is_reset_after_each_item(void **state)
{
    static notes n;
    check_status(*state, lnt_parallel(*state, COUNT, 1, take_scratch, &n), LNT_OK);
    for (int i = 1; i < COUNT; i++)
        assert_true(n.mark[i].used == n.mark[0].used && !n.mark[i].chunk == !n.mark[0].chunk);
    assert_string_equal(lnt_ctx_message(*state), "");
}

static lnt_status leave_a_message(lnt_ctx *ctx, int i, void *user)
{
    (void)user;
    return i == 9 ? lnt_fail(ctx, LNT_EIO, "the cause") : lnt_fail(ctx, LNT_OK, "dealt with");
}

static void an_item_does_not_inherit_messages(void **state)
{
    check_failure(*state, lnt_parallel(*state, 10, 1, leave_a_message, NULL), LNT_EIO, "the cause");
}

/* ---- Nesting ---- */

/* Later items are faster: run side by side they would overtake. */
static lnt_status inner(lnt_ctx *ctx, int i, void *user)
{
    (void)ctx;
    notes *n = user;
    usleep(i == 0 ? 20000 : 1000);
    n->order[i] = atomic_fetch_add(&n->tickets, 1);
    return i == 5 ? lnt_fail(ctx, LNT_EUSER, "inner %d", i) : LNT_OK;
}

static lnt_status outer(lnt_ctx *ctx, int i, void *user)
{
    notes *n = (notes *)user + i;
    return lnt_parallel(ctx, 6, n->inner_threads, inner, n);
}

static void a_nested_call_runs_in_order(void **state)
{
    static notes n[3];
    for (size_t t = 1; t < 3; t++) { /* with one thread outside, the inner call may use several */
        for (int i = 0; i < 3; i++)
            n[i] = (notes){.inner_threads = 4};
        check_failure(*state, lnt_parallel(*state, 3, thread_counts[t], outer, n), LNT_EUSER, "inner 5");
        for (int k = 0; k < 6; k++)
            if (n[0].order[k] != k)
                fail_msg("%d threads outside: inner item %d came as number %d", thread_counts[t], k, n[0].order[k]);
    }
}

static void thread_numbers(void **state)
{
    (void)state;
    assert_true(lnt_threads(0) >= 1);
    assert_int_equal(lnt_threads(3), lnt_blas_reentrant() ? 3 : 1);
    assert_true(lnt_threads(-1) >= 1);
}

/* ---- Progress ---- */

static void count_progress(const char *what, long done, long total, void *user)
{
    (void)what;
    long *seen = user;
    seen[0] += done == seen[1] + 1; /* only steps that follow each other count */
    seen[1] = done;
    seen[2] = total;
}

static lnt_status step(lnt_ctx *ctx, int i, void *user)
{
    (void)i, (void)user;
    lnt_progress_step(ctx);
    return LNT_OK;
}

static void progress_of_threads_adds_up(void **state)
{
    long seen[3] = {0};
    lnt_ctx_set_progress(*state, count_progress, seen);
    lnt_progress_begin(*state, "items", COUNT);
    check_status(*state, lnt_parallel(*state, COUNT, 7, step, NULL), LNT_OK);
    assert_int_equal(seen[0], COUNT);
    assert_int_equal(seen[1], COUNT);
    assert_int_equal(seen[2], COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(every_index_is_visited_once),
        WITH_CTX(more_threads_than_items),
        WITH_CTX(no_items),
        WITH_CTX(blas_is_held_at_one_thread),
        WITH_CTX(the_lowest_failing_index_wins),
        WITH_CTX(messages_of_children_reach_the_caller),
        WITH_CTX(scratch_is_reset_after_each_item),
        WITH_CTX(an_item_does_not_inherit_messages),
        WITH_CTX(a_nested_call_runs_in_order),
        cmocka_unit_test(thread_numbers),
        WITH_CTX(progress_of_threads_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
