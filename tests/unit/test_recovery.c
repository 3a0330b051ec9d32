/* The study of recovery: the same bytes on any number of threads, interruption, and memory that runs out. */
#include "check.h"

static lnt_recovery_opts small(void)
{
    lnt_recovery_opts o;
    lnt_recovery_defaults(&o);
    o.features = 12;
    o.grid = 3;
    o.runs = 4;
    return o;
}

static void bytes_do_not_depend_on_threads(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_text image[3] = {{0}};
    for (int k = 0; k < 3; k++) {
        lnt_recovery_opts o = small();
        o.threads = 1 + 2 * k;
        lnt_record *record = lnt_record_new("regress recovery");
        check_status(ctx, lnt_recovery_study(ctx, record, &o), LNT_OK);
        check_status(ctx, lnt_store_hdf5(ctx, &image[k], record), LNT_OK);
        lnt_record_free(record);
        assert_int_equal(image[k].n, image[0].n);
        assert_memory_equal(image[k].p, image[0].p, image[0].n);
    }
    for (int k = 0; k < 3; k++)
        lnt_text_free(&image[k]);
}

static int stop_after(void *user)
{
    return --*(int *)user < 0;
}

static void interruption_keeps_what_is_finished(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_recovery_opts o = small();
    int polls = 20;
    o.threads = 1;
    lnt_ctx_set_cancel(ctx, stop_after, &polls);
    lnt_record *record = lnt_record_new("regress recovery");
    check_status(ctx, lnt_recovery_study(ctx, record, &o), LNT_OK);
    assert_true(lnt_record_interrupted(record));
    int solved = (int)lnt_record_fact_number(record, "problems", "solved");
    assert_true(solved > 9 && solved <= 20);
    /* run by run, so that cells have equally many, but for one more in the first */
    for (int row = 0; row < 9; row++) {
        int cell = row / 3 + row % 3 * 3; /* the table goes down the columns */
        assert_true(lnt_record_cell_number(record, "grid", row, "runs") == solved / 9 + (cell < solved % 9));
    }
    lnt_record_free(record);
    record = lnt_record_new("regress recovery");
    polls = 0;
    check_failure(ctx, lnt_recovery_study(ctx, record, &o), LNT_EUSER, "nothing to keep");
    lnt_record_free(record);
}

static void wrong_options_say_what_would_be_right(void **state)
{
    lnt_recovery_opts o = small();
    lnt_record *record = lnt_record_new("regress recovery");
    o.grid = 13;
    check_failure(*state, lnt_recovery_study(*state, record, &o), LNT_EUSAGE, "at most 12");
    o.grid = 12;
    o.runs = 20000000;
    check_failure(*state, lnt_recovery_study(*state, record, &o), LNT_EUSAGE, "--runs 20000000");
    lnt_record_free(record);
}

static lnt_status whole_study(lnt_ctx *ctx, void *user)
{
    lnt_record *record = lnt_record_new("regress recovery");
    lnt_recovery_opts o = small();
    (void)user;
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    o.runs = 1;
    o.threads = 1;
    lnt_status status = lnt_recovery_study(ctx, record, &o);
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    check_allocations(whole_study, NULL, LNT_OK, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(bytes_do_not_depend_on_threads),
        WITH_CTX(interruption_keeps_what_is_finished),
        WITH_CTX(wrong_options_say_what_would_be_right),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
