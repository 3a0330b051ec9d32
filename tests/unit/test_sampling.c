/* The study of posteriors by Markov chains: threads, interruption in memory, growth, every allocation failing once.
 * Numbers, folders and runs that are ended are checked by tests/e2e/test_sample.py. */
#include "../../src/study/sampling.h"
#include "check.h"

static lnt_sampling_opts tiny(void)
{
    lnt_sampling_opts o;
    lnt_sampling_defaults(&o);
    o.net.task.builtin = "teacher:inputs=2,outputs=1,singular=1,noise=0.2,samples=24";
    o.net.hidden = (lnt_int_list){1, {2}};
    o.starts = 2;
    o.chains = 2;
    o.warmup = 20;
    o.draws = 16;
    o.max_depth = 4;
    o.threads = 1;
    return o;
}

/* ---- Growth ---- */

static void exponents_are_least_squares(void **state)
{
    (void)state;
    int n[] = {10, 100, 1000};
    double shift[] = {0.3, 0.03, 0.003}, error[] = {0.03, 0.003, 0.0003};
    lnt_growth g = {3, n, shift, error, 0, 0};
    lnt_growth_fit(&g);
    assert_true(fabs(g.exponent + 1) < 1e-12);
    assert_true(fabs(g.exponent_error - 0.1 / (sqrt(2) * log(10))) < 1e-12);
    shift[1] = NAN; /* below the error of the chains */
    lnt_growth_fit(&g);
    assert_true(fabs(g.exponent + 1) < 1e-12);
    shift[0] = NAN;
    lnt_growth_fit(&g);
    assert_true(isnan(g.exponent) && isnan(g.exponent_error));
}

/* Laplace's distance from itself is none, and a shift of one standard deviation is 1. */
static void distances_are_in_deviations(void **state)
{
    double mean[] = {1, 2}, sd[] = {0.5, 1}, other[] = {1, 3}, wider[] = {1, 1};
    (void)state;
    const lnt_predicted a = {.mean = lnt_mat_view(mean, 1, 2), .sd = lnt_mat_view(sd, 1, 2)},
                        b = {.mean = lnt_mat_view(other, 1, 2), .sd = lnt_mat_view(wider, 1, 2)};
    lnt_laplace_distance d = lnt_laplace_compare(&a, &a);
    assert_true(d.shift == 0 && d.least == 1 && d.largest == 1);
    d = lnt_laplace_compare(&a, &b);
    assert_true(d.shift == 1 && fabs(d.rms_shift - sqrt(0.5)) < 1e-15 && d.least == 1 && d.largest == 2);
    sd[0] = sd[1] = 0;
    assert_true(isnan(lnt_laplace_compare(&a, &b).shift));
}

/* ---- The study ---- */

static void text_of(lnt_ctx *ctx, lnt_text *text, int threads)
{
    lnt_sampling_opts o = tiny();
    lnt_record *record = lnt_record_new("sample");
    o.chains = 3;
    o.threads = threads;
    check_status(ctx, lnt_sampling_study(ctx, record, &o), LNT_OK);
    assert_int_equal(lnt_record_csv(ctx, text, record, "diagnostics"), LNT_OK);
    lnt_record_free(record);
}

static void draws_do_not_depend_on_threads(void **state)
{
    check_threads(*state, text_of);
}

static int after(void *user)
{
    return --*(int *)user < 0;
}

/* However early it comes: nothing, warm-up alone, or some draws. */
static void interruption_keeps_what_there_is(void **state)
{
    lnt_ctx *ctx = *state;
    int kept = 0, nothing = 0;
    for (int polls = 0; polls < 4000; polls = polls * 6 / 5 + 1) {
        lnt_sampling_opts o = tiny();
        lnt_record *record = lnt_record_new("sample");
        int left = polls;
        lnt_ctx_set_cancel(ctx, after, &left);
        lnt_status status = lnt_sampling_study(ctx, record, &o);
        lnt_ctx_set_cancel(ctx, NULL, NULL);
        if (status == LNT_OK && lnt_record_interrupted(record))
            kept++;
        else if (status != LNT_OK) {
            assert_int_equal(status, LNT_EUSER);
            nothing++;
        }
        lnt_ctx_clear(ctx);
        lnt_record_free(record);
    }
    if (kept < 3 || nothing < 1)
        fail_msg("kept %d, nothing %d", kept, nothing);
}

/* ---- Memory ---- */

static lnt_status whole_chain(lnt_ctx *ctx, void *user)
{
    lnt_record *record = lnt_record_new("sample");
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_status status = lnt_sampling_study(ctx, record, user);
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    lnt_sampling_opts o[3];
    (void)state;
    for (int k = 0; k < 3; k++)
        o[k] = tiny();
    o[0].net.task.split = 0.25;
    o[0].hyper = LNT_HYPER_SAMPLED;
    o[1].net.task.builtin = "exercise";
    o[1].net.hidden.item[0] = 0;
    o[1].net.noise_sd = "0.5";
    o[2].net.task.builtin = "teacher:inputs=1,outputs=1,singular=1,noise=0.1,samples=12";
    o[2].grow = (lnt_int_list){2, {6, 12}};
    for (int k = 0; k < 3; k++)
        assert_true(check_allocations(whole_chain, &o[k], LNT_OK, 60) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponents_are_least_squares),
        cmocka_unit_test(distances_are_in_deviations),
        WITH_CTX(draws_do_not_depend_on_threads),
        WITH_CTX(interruption_keeps_what_there_is),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
