/* The studies of learning curves: threads, interruption, memory. What they find is compared with NumPy elsewhere. */
#include "check.h"

static lnt_curves_opts small(void)
{
    lnt_curves_opts o;
    lnt_curves_defaults(&o);
    o.features = 12;
    o.samples = 8;
    o.runs = 3;
    o.epochs = 6;
    o.arms = "plain,ridge+momentum,lasso,elastic+fista,plain+sgd";
    o.teacher = "sparse:4";
    o.noise = 0.1;
    o.method = LNT_CURVES_BOTH;
    o.threads = 1;
    return o;
}

static void threads_do_not_change_results(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_text image[2] = {{0}};
    for (int k = 0; k < 2; k++) {
        lnt_curves_opts o = small();
        o.threads = 1 + 2 * k;
        lnt_record *record = lnt_record_new("regress curves");
        check_status(ctx, lnt_curves_study(ctx, record, &o), LNT_OK);
        check_status(ctx, lnt_store_hdf5(ctx, &image[k], record), LNT_OK);
        lnt_record_free(record);
    }
    assert_int_equal(image[0].n, image[1].n);
    assert_memory_equal(image[0].p, image[1].p, image[0].n);
    lnt_text_free(&image[0]);
    lnt_text_free(&image[1]);
}

static lnt_status curves(lnt_ctx *ctx, void *user)
{
    const lnt_curves_opts o = small();
    lnt_record *record = lnt_record_new("regress curves");
    (void)user;
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_status status = lnt_curves_study(ctx, record, &o);
    lnt_record_free(record);
    return status;
}

static lnt_status theory(lnt_ctx *ctx, void *user)
{
    lnt_regress_theory_opts o;
    lnt_regress_theory_defaults(&o);
    o.penalty = *(int *)user;
    o.lambda = o.penalty ? 0.01 : NAN;
    o.noise = 0.3;
    o.epochs = 5;
    lnt_record *record = lnt_record_new("regress theory");
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_status status = lnt_regress_theory_study(ctx, record, &o);
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    check_allocations(curves, NULL, LNT_OK, 300);
    for (int penalty = 0; penalty < 3; penalty++)
        check_allocations(theory, &penalty, LNT_OK, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(threads_do_not_change_results),
                                       cmocka_unit_test(every_failing_allocation_is_reported)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
