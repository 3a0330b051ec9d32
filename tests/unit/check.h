/* What every unit test starts from: a context, and comparisons that say by how much they failed. */
#ifndef LINNET_CHECK_H
#define LINNET_CHECK_H

#include "linnet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Fails with the worst entry unless |A - B| <= tolerance * max(1, |B|_max); NaN fails. */
static inline void check_close(lnt_mat A, lnt_mat B, double tolerance, const char *what)
{
    double scale = fmax(1, lnt_mat_max(B)), worst = 0;
    int row = 0, col = 0;
    assert_int_equal(A.rows, B.rows);
    assert_int_equal(A.cols, B.cols);
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++) {
            double d = fabs(*lnt_at(A, i, j) - *lnt_at(B, i, j)) / scale;
            if (!(d <= worst)) {
                worst = d;
                row = i;
                col = j;
            }
        }
    if (!(worst <= tolerance))
        fail_msg("%s: (%d,%d) is %.17g, not %.17g: relative difference %.3g above %.3g", what, row, col,
                 *lnt_at(A, row, col), *lnt_at(B, row, col), worst, tolerance);
}

static inline void check_near(double a, double b, double tolerance, const char *what)
{
    check_close(lnt_mat_view(&a, 1, 1), lnt_mat_view(&b, 1, 1), tolerance, what);
}

/* The status, with the context's message where it is not the expected one. */
static inline void check_status(lnt_ctx *ctx, lnt_status status, lnt_status expected)
{
    if (status != expected)
        fail_msg("status %d (%s), expected %d: %s", status, lnt_status_text(status), expected, lnt_ctx_message(ctx));
}

/* Expects a failure whose message contains `part`; clears it. */
static inline void check_failure(lnt_ctx *ctx, lnt_status status, lnt_status expected, const char *part)
{
    check_status(ctx, status, expected);
    if (!strstr(lnt_ctx_message(ctx), part))
        fail_msg("the message is '%s', without '%s'", lnt_ctx_message(ctx), part);
    lnt_ctx_clear(ctx);
}

/* New scratch memory of zeros. */
static inline lnt_mat zeros(lnt_ctx *ctx, int rows, int cols)
{
    lnt_mat A;
    check_status(ctx, lnt_mat_alloc_zero(ctx, &A, rows, cols), LNT_OK);
    return A;
}

static inline double *new_vector(lnt_ctx *ctx, size_t n)
{
    double *x = lnt_alloc_zero(ctx, n, sizeof *x);
    assert_non_null(x);
    return x;
}

/* A new scratch matrix of independent normal numbers. */
static inline lnt_mat random_matrix(lnt_ctx *ctx, int rows, int cols, lnt_rng *rng)
{
    lnt_mat A;
    check_status(ctx, lnt_mat_alloc(ctx, &A, rows, cols), LNT_OK);
    for (int j = 0; j < cols; j++)
        for (int i = 0; i < rows; i++)
            *lnt_at(A, i, j) = lnt_rng_normal(rng);
    return A;
}

static inline int make_ctx(void **state)
{
    return (*state = lnt_ctx_new()) ? 0 : -1;
}

static inline int free_ctx(void **state)
{
    lnt_ctx_free(*state);
    return 0;
}

/* A test with a fresh context as its state. */
#define WITH_CTX(test) cmocka_unit_test_setup_teardown(test, make_ctx, free_ctx)

/* What it makes of one thread and of three is the same. */
static inline void check_threads(lnt_ctx *ctx, void (*make)(lnt_ctx *ctx, lnt_text *text, int threads))
{
    lnt_text one = {0}, three = {0};
    make(ctx, &one, 1);
    make(ctx, &three, 3);
    assert_int_equal(one.n, three.n);
    assert_memory_equal(one.p, three.p, one.n);
    lnt_text_free(&one);
    lnt_text_free(&three);
}

/* ---- Allocations that fail ---- */

static long heap_calls, heap_fails_at; /* 0: never */

static inline void *heap_that_fails(void *p, size_t bytes)
{
    if (bytes == 0) {
        free(p);
        return NULL;
    }
    bool fails = __atomic_add_fetch(&heap_calls, 1, __ATOMIC_RELAXED) == heap_fails_at;
    return fails ? NULL : realloc(p, bytes);
}

/* What is to survive: a call on a new context, which frees what it leaves on the heap. */
typedef lnt_status (*survivor)(lnt_ctx *ctx, void *user);

/* A failure without a message is a defect, and so is a message without one, or one that hides what failed. */
static inline lnt_status call_survivor(survivor call, void *user, long fails_at)
{
    heap_calls = 0;
    heap_fails_at = fails_at;
    lnt_ctx *ctx = lnt_ctx_new();
    lnt_status status = ctx ? call(ctx, user) : LNT_ENOMEM;
    heap_fails_at = 0;
    if (ctx && (status != LNT_OK) != (lnt_ctx_message(ctx)[0] != '\0'))
        status = LNT_EINVAL;
    if (ctx && status == LNT_ENOMEM && !strstr(lnt_ctx_message(ctx), "out of memory"))
        status = LNT_EINVAL;
    lnt_ctx_free(ctx);
    return status;
}

/* Undisturbed, the call says `expected`; LNT_ENOMEM when any single allocation fails. Under AddressSanitizer every
 * piece of scratch memory is an allocation: of more than `most` an even selection. For tests without a context of their
 * own: the heap is replaced. Returns the number of allocations. */
static inline long check_allocations(survivor call, void *user, lnt_status expected, long most)
{
    lnt_set_heap(heap_that_fails);
    lnt_status wanted = expected, status = call_survivor(call, user, 0);
    long total = heap_calls, failing = 0;
    for (long k = 1; status == wanted && k <= total; k += 1 + total / most) {
        status = call_survivor(call, user, k);
        wanted = LNT_ENOMEM;
        failing = k;
    }
    lnt_set_heap(NULL);
    if (status != wanted)
        fail_msg("allocation %ld of %ld fails: status %d (%s), expected %d", failing, total, status,
                 lnt_status_text(status), wanted);
    return total;
}

#endif
