/* The studies of covariance matching: every allocation failing once, answers that do not depend on threads, and what
 * the record says of its own arrays. Numbers are checked by tests/e2e/test_match.py. */
#include "check.h"

static lnt_matching_opts tiny(int method)
{
    lnt_matching_opts o;
    lnt_matching_defaults(&o);
    o.data.demo = true;
    o.data.cells = 7;
    o.data.output_cells = 8;
    o.data.stimuli = 4;
    o.method = method;
    o.lam0 = method < LNT_MATCHING_MIN_WEIGHT ? "1e3,1e5" : NULL;
    o.starts = 1;
    o.threads = 1;
    return o;
}

/* ---- What the record says ---- */

static void weights_have_the_norm_that_the_table_says(void **state)
{
    lnt_ctx *ctx = *state;
    for (int method = LNT_MATCHING_LINEAR; method <= LNT_MATCHING_ZCA; method++) {
        lnt_matching_opts o = tiny(method);
        lnt_record *record = lnt_record_new("match");
        lnt_array W;
        double sum = 0;
        assert_int_equal(lnt_matching_study(ctx, record, &o), LNT_OK);
        assert_true(lnt_record_array(record, "weights", &W));
        assert_int_equal(W.dims[0], 7);
        assert_int_equal(W.dims[1], 7);
        for (int k = 0; k < 49; k++)
            sum += W.values[k] * W.values[k];
        check_near(sqrt(sum), lnt_record_cell_number(record, "solution", 0, "norm"), 1e-9, "norm");
        assert_int_equal(lnt_record_rows(record, "path"), method < LNT_MATCHING_MIN_WEIGHT ? 2 : 1);
        lnt_record_free(record);
    }
}

static void ranges_end_where_they_say(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_matching_opts o = tiny(LNT_MATCHING_LINEAR);
    lnt_record *record = lnt_record_new("match");
    o.lam0 = "1e2:1e11:19";
    assert_int_equal(lnt_matching_study(ctx, record, &o), LNT_OK);
    assert_int_equal(lnt_record_rows(record, "path"), 19);
    for (int k = 0; k < 19; k++)
        check_near(lnt_record_cell_number(record, "path", k, "lam0"), pow(10, 2 + 0.5 * k), 1e-12, "lam0");
    lnt_record_free(record);
}

static void text_of(lnt_ctx *ctx, lnt_text *text, int threads)
{
    lnt_matching_opts o = tiny(LNT_MATCHING_FULL);
    lnt_record *record = lnt_record_new("match");
    o.cv = 3;
    o.threads = threads;
    assert_int_equal(lnt_matching_study(ctx, record, &o), LNT_OK);
    assert_int_equal(lnt_record_csv(ctx, text, record, "path"), LNT_OK);
    lnt_record_free(record);
}

static void answers_do_not_depend_on_threads(void **state)
{
    check_threads(*state, text_of);
}

static int at_once(void *user)
{
    (void)user;
    return 1;
}

static void interruption_says_so(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_matching_opts o = tiny(LNT_MATCHING_FULL);
    lnt_record *record = lnt_record_new("match");
    lnt_ctx_set_cancel(ctx, at_once, NULL);
    assert_int_equal(lnt_matching_study(ctx, record, &o), LNT_EUSER);
    lnt_ctx_set_cancel(ctx, NULL, NULL);
    lnt_record_free(record);
}

/* ---- Memory ---- */

static lnt_status whole_chain(lnt_ctx *ctx, void *user)
{
    const int *method = user;
    lnt_record *record = lnt_record_new("match");
    lnt_status status;
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    if (*method >= 0) {
        lnt_matching_opts o = tiny(*method);
        o.cv = *method == LNT_MATCHING_FULL ? 2 : 0;
        status = lnt_matching_study(ctx, record, &o);
    } else {
        lnt_matching_flow_opts o;
        lnt_matching_flow_defaults(&o);
        o.data = tiny(0).data;
        o.times = 5;
        status = lnt_matching_flow_study(ctx, record, &o);
    }
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    static int methods[] = {LNT_MATCHING_FULL, LNT_MATCHING_OVERLAP, LNT_MATCHING_TRANSPORT, LNT_MATCHING_DIAGONAL_FULL,
                            -1};
    (void)state;
    for (int k = 0; k < 5; k++)
        assert_true(check_allocations(whole_chain, &methods[k], LNT_OK, 100) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(weights_have_the_norm_that_the_table_says),
        WITH_CTX(ranges_end_where_they_say),
        WITH_CTX(answers_do_not_depend_on_threads),
        WITH_CTX(interruption_says_so),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
