/* The study of linearised training: every allocation failing once, answers that do not depend on threads or on which
 * other widths are asked for. Numbers are checked by tests/e2e/test_linearize.py. */
#include "check.h"

static lnt_linearizing_opts tiny(void)
{
    lnt_linearizing_opts o;
    lnt_linearizing_defaults(&o);
    o.task.builtin = "sphere:samples=8";
    o.rows = 5;
    o.widths = (lnt_int_list){2, {3, 6}};
    o.time = "2,7";
    o.points = 5;
    o.runs = 2;
    o.threads = 1;
    return o;
}

static lnt_record *study(lnt_ctx *ctx, const lnt_linearizing_opts *o)
{
    lnt_record *record = lnt_record_new("linearize");
    check_status(ctx, lnt_linearizing_study(ctx, record, o), LNT_OK);
    return record;
}

static void a_width_does_not_depend_on_others(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_linearizing_opts both = tiny(), one = tiny();
    one.widths = (lnt_int_list){1, {6}};
    one.time = "7";
    one.points = 9;
    lnt_record *a = study(ctx, &both), *b = study(ctx, &one);
    assert_int_equal(lnt_record_rows(a, "widths"), 4);
    assert_int_equal(lnt_record_rows(b, "widths"), 1);
    const char *const columns[] = {"train", "test", "kernel_change", "weights_change", "lam_max"};
    for (int k = 0; k < 5; k++)
        check_near(lnt_record_cell_number(b, "widths", 0, columns[k]),
                   lnt_record_cell_number(a, "widths", 3, columns[k]), 1e-7, columns[k]);
    assert_int_equal(lnt_record_figures(a), 3);
    assert_int_equal(lnt_record_figures(b), 2); /* one width has no law */
    lnt_record_free(a);
    lnt_record_free(b);
}

/* Small steps of descent are the flow. */
static void small_steps_are_the_flow(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_linearizing_opts flow = tiny(), descent = tiny();
    descent.rule = LNT_LINEARIZING_DESCENT;
    descent.eta = 1e-3;
    descent.time = "2000,7000";
    lnt_record *a = study(ctx, &flow), *b = study(ctx, &descent);
    for (int k = 0; k < 4; k++) {
        double x = lnt_record_cell_number(a, "widths", k, "test"), y = lnt_record_cell_number(b, "widths", k, "test");
        check_near(y / x, 1, 1e-2, "test");
        assert_true(x != y);
    }
    lnt_record_free(a);
    lnt_record_free(b);
}

static void text_of(lnt_ctx *ctx, lnt_text *text, int threads)
{
    lnt_linearizing_opts o = tiny();
    o.threads = threads;
    lnt_record *record = study(ctx, &o);
    check_status(ctx, lnt_record_csv(ctx, text, record, "widths"), LNT_OK);
    lnt_record_free(record);
}

static void answers_do_not_depend_on_threads(void **state)
{
    check_threads(*state, text_of);
}

static void steps_beyond_the_stable_one_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_linearizing_opts o = tiny();
    o.rule = LNT_LINEARIZING_DESCENT;
    for (int k = 0; k < 2; k++) {
        lnt_record *record = lnt_record_new("linearize");
        o.eta = k ? 2.001 : 1.9;
        lnt_status status = lnt_linearizing_study(ctx, record, &o);
        if (k) {
            assert_int_equal(status, LNT_EUSAGE);
            assert_non_null(strstr(lnt_ctx_message(ctx), "below 2"));
        } else
            assert_true(status == LNT_OK || status == LNT_EDIVERGED); /* the network has an edge of its own */
        lnt_ctx_clear(ctx);
        lnt_record_free(record);
    }
}

static void networks_beyond_all_integers_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_linearizing_opts o = tiny();
    lnt_record *record = lnt_record_new("linearize");
    o.widths = (lnt_int_list){1, {65535}};
    o.depth = 2;
    check_failure(ctx, lnt_linearizing_study(ctx, record, &o), LNT_EUSAGE, "4295294971 weights");
    lnt_record_free(record);
}

static int at_once(void *user)
{
    (void)user;
    return 1;
}

static void interruption_says_so(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_linearizing_opts o = tiny();
    lnt_record *record = lnt_record_new("linearize");
    lnt_ctx_set_cancel(ctx, at_once, NULL);
    assert_int_equal(lnt_linearizing_study(ctx, record, &o), LNT_EUSER);
    lnt_ctx_set_cancel(ctx, NULL, NULL);
    lnt_record_free(record);
}

/* ---- Memory ---- */

static lnt_status whole_chain(lnt_ctx *ctx, void *user)
{
    const int *kind = user;
    lnt_linearizing_opts o = tiny();
    lnt_record *record = lnt_record_new("linearize");
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    o.runs = 1;
    o.rule = *kind > 0 ? LNT_LINEARIZING_DESCENT : LNT_LINEARIZING_FLOW;
    if (*kind == 2) {
        o.task = (lnt_task_opts){.data = "digits"};
        o.likelihood = LNT_CATEGORICAL;
        o.test_rows = 3;
    }
    lnt_status status = lnt_linearizing_study(ctx, record, &o);
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        assert_true(check_allocations(whole_chain, &kind, LNT_OK, 100) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(a_width_does_not_depend_on_others),
        WITH_CTX(small_steps_are_the_flow),
        WITH_CTX(answers_do_not_depend_on_threads),
        WITH_CTX(steps_beyond_the_stable_one_are_refused),
        WITH_CTX(networks_beyond_all_integers_are_refused),
        WITH_CTX(interruption_says_so),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
