/* The study of fits: answers that do not depend on threads, what a network on rows is made of, flags that may be auto,
 * classes that are picked, every allocation failing once. Numbers are checked by tests/e2e/test_fit.py. */
#include "../../src/study/fitting.h"
#include "check.h"

static lnt_fitting_opts tiny(void)
{
    lnt_fitting_opts o;
    lnt_fitting_defaults(&o);
    o.net.task.builtin = "teacher:inputs=2,outputs=1,singular=1,noise=0.2,samples=24";
    o.net.hidden = (lnt_int_list){1, {2}};
    o.starts = 2;
    o.threads = 1;
    return o;
}

/* ---- Rows and networks ---- */

static void networks_fit_their_rows(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_fitting_opts o = tiny();
    lnt_record *record = lnt_record_new("fit");
    lnt_network_data d;
    o.net.task.split = 0.25;
    o.net.per_layer = true;
    assert_int_equal(lnt_network_read(ctx, record, &d, &o.net, 0, 1), LNT_OK);
    assert_int_equal(d.X.cols, 18);
    assert_int_equal(d.test_X.cols, 6);
    assert_int_equal(d.model.k, 9);
    assert_int_equal(d.groups, 4);
    const int group[] = {0, 0, 0, 0, 1, 1, 2, 2, 3};
    for (int j = 0; j < 9; j++)
        assert_int_equal(d.group[j], group[j]);
    assert_true(isnan(d.alpha[3]) && d.likelihood.kind == LNT_GAUSSIAN && d.likelihood.n == 18);
    /* the last weight of a row, and a bias */
    const char *names[] = {"W1[1,1]", "W1[2,1]", "W1[1,2]", "W1[2,2]", "b1[1]", "b1[2]", "W2[1,1]", "W2[1,2]", "b2[1]"};
    for (size_t j = 0; j < 9; j++)
        assert_string_equal(lnt_weight_name(ctx, lnt_weight_at(&d.layers, j)), names[j]);
    /* without hidden layer there are no biases unless they are asked for */
    lnt_int_list none = {1, {0}};
    assert_int_equal(lnt_network_build(ctx, &d, &none), LNT_OK);
    assert_int_equal(d.model.k, 2);
    o.net.bias = true;
    assert_int_equal(lnt_network_build(ctx, &d, &none), LNT_OK);
    assert_int_equal(d.model.k, 3);
    /* two classes of ten */
    lnt_fitting_defaults(&o);
    o.net.task.data = "digits";
    o.net.classes = (lnt_int_list){2, {7, 3}};
    assert_int_equal(lnt_network_read(ctx, record, &d, &o.net, 0, 1), LNT_OK);
    assert_int_equal(d.likelihood.kind, LNT_BERNOULLI);
    double ones = 0;
    for (int i = 0; i < d.Y.cols; i++)
        ones += d.Y.a[i];
    assert_int_equal(d.Y.cols, 179 + 183);
    assert_true(ones == 183);
    lnt_record_free(record);
}

static void flags_may_be_auto(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_fitting_opts o = tiny();
    const lnt_option *bias = lnt_option_find(lnt_fitting_options, "bias");
    assert_int_equal(o.net.bias, LNT_AUTO);
    check_status(ctx, lnt_option_set(ctx, &o, bias, "true"), LNT_OK);
    assert_int_equal(o.net.bias, 1);
    check_status(ctx, lnt_option_set(ctx, &o, bias, "false"), LNT_OK);
    assert_int_equal(o.net.bias, 0);
    check_status(ctx, lnt_option_set(ctx, &o, bias, "auto"), LNT_OK);
    assert_int_equal(o.net.bias, LNT_AUTO);
    check_failure(ctx, lnt_option_set(ctx, &o, bias, "perhaps"), LNT_EUSAGE, "auto, true or false");
    const lnt_option *evidence = lnt_option_find(lnt_fitting_options, "evidence");
    check_failure(ctx, lnt_option_set(ctx, &o, evidence, "auto"), LNT_EUSAGE, "true or false");
}

static void classes_are_picked(void **state)
{
    lnt_ctx *ctx = *state;
    const double x[] = {0, 1, 2, 3, 4, 5};
    const int label[] = {2, 0, 1, 2, 0, 2}, wanted[] = {2, 0}, twice[] = {2, 2}, absent[] = {0, 3};
    const lnt_dataset all = {.inputs = {.dim = 1, .n = 6, .f64 = x}, .label = label, .classes = 3};
    lnt_dataset data = all;
    check_status(ctx, lnt_dataset_classes(ctx, &data, wanted, 2), LNT_OK);
    const double rows[] = {0, 1, 3, 4, 5};
    const int labels[] = {0, 1, 0, 1, 0};
    assert_true(data.inputs.n == 5 && data.classes == 2);
    assert_memory_equal(data.inputs.f64, rows, sizeof rows);
    assert_memory_equal(data.label, labels, sizeof labels);
    data = all;
    check_failure(ctx, lnt_dataset_classes(ctx, &data, twice, 2), LNT_EDOMAIN, "named twice");
    check_failure(ctx, lnt_dataset_classes(ctx, &data, absent, 2), LNT_EDOMAIN, "class 3 has no rows");
    data.classes = 0;
    check_failure(ctx, lnt_dataset_classes(ctx, &data, wanted, 2), LNT_EINVAL, "not classes");
}

/* ---- The study ---- */

static void text_of(lnt_ctx *ctx, lnt_text *text, int threads)
{
    lnt_fitting_opts o = tiny();
    lnt_record *record = lnt_record_new("fit");
    o.evidence = true;
    o.starts = 5;
    o.threads = threads;
    assert_int_equal(lnt_fitting_study(ctx, record, &o), LNT_OK);
    assert_int_equal(lnt_record_csv(ctx, text, record, "weights"), LNT_OK);
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

static int later(void *user)
{
    return ++*(int *)user > 40;
}

static void interruption_says_so(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_fitting_opts o = tiny();
    lnt_record *record = lnt_record_new("fit");
    lnt_ctx_set_cancel(ctx, at_once, NULL);
    assert_int_equal(lnt_fitting_study(ctx, record, &o), LNT_EUSER);
    lnt_ctx_clear(ctx);
    /* what was finished is kept */
    int polls = 0;
    o.starts = 50;
    lnt_ctx_set_cancel(ctx, later, &polls);
    check_status(ctx, lnt_fitting_study(ctx, record, &o), LNT_OK);
    assert_true(lnt_record_interrupted(record) && lnt_record_rows(record, "starts") == 50);
    lnt_ctx_set_cancel(ctx, NULL, NULL);
    lnt_record_free(record);
}

/* ---- Memory ---- */

static lnt_status whole_chain(lnt_ctx *ctx, void *user)
{
    lnt_record *record = lnt_record_new("fit");
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_status status = lnt_fitting_study(ctx, record, user);
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    lnt_fitting_opts o[5];
    (void)state;
    for (int k = 0; k < 5; k++)
        o[k] = tiny();
    o[0].evidence = true;
    o[0].net.task.split = 0.25;
    o[1].net.hidden.item[0] = 0;
    o[1].net.noise_sd = "0.2";
    o[2].sizes = (lnt_int_list){2, {0, 1}};
    o[2].net.hidden.count = 0;
    o[3].net.task.builtin = "teacher:inputs=1,outputs=1,singular=1,noise=0.1,samples=9";
    o[4].net.task.builtin = "exercise";
    o[4].net.hidden.item[0] = 0;
    for (int k = 0; k < 5; k++)
        assert_true(check_allocations(whole_chain, &o[k], LNT_OK, 60) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(networks_fit_their_rows), WITH_CTX(flags_may_be_auto),
        WITH_CTX(classes_are_picked),      WITH_CTX(answers_do_not_depend_on_threads),
        WITH_CTX(interruption_says_so),    cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
