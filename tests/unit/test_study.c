/* Whole studies, and what they do when every single allocation of theirs fails once. */
#include "check.h"

static void small_options(lnt_train_opts *o)
{
    lnt_train_defaults(o);
    o->task.data = "digits";
    o->task.whiten = 8;
    o->layers = (lnt_int_list){3, {8, 4, 10}};
    o->rows_per_epoch = 200;
    o->shuffle = false;
    o->epochs = 2;
    o->seeds = 2;
    o->threads = 1;
}

static lnt_status train_chain(lnt_ctx *ctx, lnt_record *record)
{
    lnt_train_opts opts;
    small_options(&opts);
    return lnt_train_study(ctx, record, &opts);
}

static lnt_status modes_chain(lnt_ctx *ctx, lnt_record *record)
{
    lnt_modes_opts opts;
    lnt_modes_defaults(&opts);
    opts.task.builtin = "tree:depth=2,features=30";
    opts.hidden = 3;
    opts.lr = 0.3;
    opts.times = "0,2,10";
    opts.item = opts.feature = 1;
    opts.threads = 1;
    return lnt_modes_study(ctx, record, &opts);
}

static lnt_status depths_chain(lnt_ctx *ctx, lnt_record *record)
{
    lnt_modes_opts opts;
    lnt_modes_defaults(&opts);
    opts.task.builtin = "exercise";
    opts.depths = (lnt_int_list){2, {1, 3}};
    opts.threads = 1;
    return lnt_modes_study(ctx, record, &opts);
}

static lnt_status phase_chain(lnt_ctx *ctx, lnt_record *record)
{
    lnt_phase_opts opts;
    lnt_phase_defaults(&opts);
    return lnt_phase_study(ctx, record, &opts);
}

static lnt_status path_chain(lnt_ctx *ctx, lnt_record *record, const char *penalty, int method)
{
    lnt_regress_path_opts opts;
    lnt_regress_path_defaults(&opts);
    opts.task.builtin = "teacher:inputs=5,outputs=1,singular=2,noise=1,samples=40";
    opts.task.split = 0.2;
    opts.penalty = penalty;
    opts.method = method;
    opts.lambdas = 5;
    opts.cv = 3;
    opts.threads = 1;
    return lnt_regress_path_study(ctx, record, &opts);
}

static lnt_status lasso_chain(lnt_ctx *ctx, lnt_record *record)
{
    return path_chain(ctx, record, "lasso", LNT_PATH_DESCENT);
}

static lnt_status homotopy_chain(lnt_ctx *ctx, lnt_record *record)
{
    return path_chain(ctx, record, "lasso", LNT_PATH_HOMOTOPY);
}

static lnt_status ridge_chain(lnt_ctx *ctx, lnt_record *record)
{
    return path_chain(ctx, record, "ridge", LNT_PATH_DESCENT);
}

static lnt_status learning_chain(lnt_ctx *ctx, lnt_record *record)
{
    lnt_regress_learning_opts opts;
    lnt_regress_learning_defaults(&opts);
    opts.task.builtin = "teacher:inputs=5,outputs=2,singular=2/1,noise=1,samples=40";
    opts.sizes = (lnt_int_list){2, {10, 20}};
    opts.draws = 2;
    opts.cv = 3;
    opts.threads = 1;
    return lnt_regress_learning_study(ctx, record, &opts);
}

static lnt_status (*const chains[])(lnt_ctx *, lnt_record *) = {
    train_chain, modes_chain, depths_chain, phase_chain, lasso_chain, homotopy_chain, ridge_chain, learning_chain};
#define CHAINS (sizeof chains / sizeof *chains)

/* Everything from reading to the sinks, without the disk. */
static lnt_status whole_chain(lnt_ctx *ctx, void *which)
{
    lnt_record *record = lnt_record_new("train");
    lnt_text json = {0}, print = {0}, image = {0};
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_status status = chains[*(const size_t *)which](ctx, record);
    if (status == LNT_OK)
        status = lnt_record_json(ctx, &json, record);
    if (status == LNT_OK)
        status = lnt_record_print(ctx, &print, record);
    if (status == LNT_OK)
        status = lnt_store_hdf5(ctx, &image, record);
    lnt_text_free(&json);
    lnt_text_free(&print);
    lnt_text_free(&image);
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    for (size_t which = 0; which < CHAINS; which++)
        assert_true(check_allocations(whole_chain, &which, LNT_OK, 400) > 50);
}

static void bytes_do_not_depend_on_threads(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_text image[3] = {{0}};
    static const int threads[3] = {1, 2, 5};
    for (int k = 0; k < 3; k++) {
        lnt_train_opts opts;
        small_options(&opts);
        opts.threads = threads[k];
        opts.seeds = 3;
        lnt_record *record = lnt_record_new("train");
        check_status(ctx, lnt_train_study(ctx, record, &opts), LNT_OK);
        check_status(ctx, lnt_store_hdf5(ctx, &image[k], record), LNT_OK);
        lnt_record_free(record);
    }
    for (int k = 1; k < 3; k++) {
        assert_int_equal(image[k].n, image[0].n);
        assert_memory_equal(image[k].p, image[0].p, image[0].n);
    }
    for (int k = 0; k < 3; k++)
        lnt_text_free(&image[k]);
}

static int stop_after_a_while(void *user)
{
    return __atomic_add_fetch((int *)user, 1, __ATOMIC_RELAXED) > 30;
}

static void interruption_keeps_what_is_finished(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_train_opts opts;
    int polls = 0;
    small_options(&opts);
    lnt_ctx_set_cancel(ctx, stop_after_a_while, &polls);
    opts.seeds = 1;
    lnt_record *record = lnt_record_new("train");
    opts.epochs = 1000;
    check_status(ctx, lnt_train_study(ctx, record, &opts), LNT_OK);
    lnt_array loss;
    assert_true(lnt_record_interrupted(record));
    assert_true(lnt_record_array(record, "loss", &loss));
    assert_int_equal(loss.dims[0], 16); /* 30 steps at two an epoch, and the start */
    lnt_record_free(record);
}

static void wrong_options_say_what_would_be_right(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *record = lnt_record_new("train");
    lnt_train_opts o;
    small_options(&o);
    o.layers.item[0] = 9;
    check_failure(ctx, lnt_train_study(ctx, record, &o), LNT_ESHAPE, "use --layers 8,...");
    small_options(&o);
    o.layers.item[2] = 9;
    check_failure(ctx, lnt_train_study(ctx, record, &o), LNT_ESHAPE, "use --layers ...,10");
    small_options(&o);
    o.task.pca = 3;
    check_failure(ctx, lnt_train_study(ctx, record, &o), LNT_EUSAGE, "exclude each other");
    small_options(&o);
    o.rows_per_epoch = 5000;
    check_failure(ctx, lnt_train_study(ctx, record, &o), LNT_EUSAGE, "only 1797 rows");
    small_options(&o);
    o.lr = 50;
    o.epochs = 50;
    check_failure(ctx, lnt_train_study(ctx, record, &o), LNT_EDIVERGED, "stable below about");
    small_options(&o);
    o.task.data = NULL;
    check_failure(ctx, lnt_train_study(ctx, record, &o), LNT_EUSAGE, "--data digits");
    lnt_record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failing_allocation_is_reported), WITH_CTX(bytes_do_not_depend_on_threads),
        WITH_CTX(interruption_keeps_what_is_finished), WITH_CTX(wrong_options_say_what_would_be_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
