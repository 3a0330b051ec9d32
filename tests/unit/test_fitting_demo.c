/* The demo of fits and the naive iteration on own data: the problems, what the record says, every allocation failing
 * once. Numbers are checked by tests/e2e/test_fit_demo.py. */
#include "../../src/study/fitting_demo.h"
#include "check.h"

#define SEED 1

static const lnt_demo small = {.draws = 1, .starts = 1, .seed = SEED, .threads = 1};

static void problems_are_the_known_ones(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_demo_problem p;
    double w[7], f[60];
    check_status(ctx, lnt_demo_bump(ctx, &p, 2, NULL), LNT_OK);
    check_near(p.constant, 24.8294540, 1e-7, "bump");
    assert_true(p.model.n == 40 && p.model.k == 7);
    check_status(ctx, lnt_demo_zero_one(ctx, &p, NULL), LNT_OK);
    check_near(p.constant, 49.28, 1e-12, "0/1 data");
    assert_true(p.model.n == 200 && p.model.k == 13);
    check_status(ctx, lnt_demo_teacher(ctx, &p, w, 60, 0.5), LNT_OK);
    assert_int_equal(p.model.f(w, f, p.model.user), 0);
    for (int i = 0; i < 60; i++) {
        double x = *lnt_at(p.X, 0, i);
        check_near(p.d[i], 1.2 * tanh(0.75 * x + 0.75) - tanh(x - 1) + 0.3, 1e-14, "teacher");
        assert_true(f[i] == p.d[i]);
    }
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    check_status(ctx, lnt_demo_linear(ctx, &p, 3, 4, 2, &rng), LNT_OK);
    assert_true(p.model.n == 16 && p.model.k == 20);
}

static void cycles_begin_with_their_lowest_point(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *record = lnt_record_new("fit");
    lnt_naive_info info = {.status = LNT_NAIVE_CYCLE, .period = 3, .sse = {5, 2, 9}, .cosine = 1e-9};
    lnt_value v;
    lnt_naive_facts(record, &info);
    assert_true(lnt_record_get_fact(record, "cycle", "values", &v) && v.kind == LNT_NUMBERS && v.integer == 3);
    assert_true(v.numbers[0] == 2 && v.numbers[1] == 9 && v.numbers[2] == 5);
    assert_true(lnt_record_get_fact(record, "cycle", "status", &v));
    assert_string_equal(v.string, "cycle");
    assert_true(lnt_record_get_fact(record, "cycle", "least_squares_point", &v) && !v.integer);
    check_status(ctx, lnt_record_status(ctx, record), LNT_OK);
    lnt_record_free(record);
}

static int asks_to_stop(void *user)
{
    (void)user;
    return 1;
}

static void interruption_says_so(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *record = lnt_record_new("fit");
    lnt_ctx_set_cancel(ctx, asks_to_stop, NULL);
    check_failure(ctx, lnt_demo_methods(ctx, record, &small), LNT_EUSER, "interrupted");
    lnt_ctx_set_cancel(ctx, NULL, NULL);
    lnt_record_free(record);
}

/* ---- Failing allocations ---- */

static lnt_status naive_study(lnt_ctx *ctx, void *user)
{
    lnt_fitting_opts o;
    lnt_fitting_defaults(&o);
    o.net.task.builtin = "teacher:inputs=2,outputs=1,singular=1,noise=0.2,samples=12";
    o.net.hidden = (lnt_int_list){1, {2}};
    o.method = LNT_FITTING_NAIVE;
    o.start = *(const int *)user;
    o.starts = 2;
    o.iterations = 5;
    o.threads = 1;
    lnt_record *record = lnt_record_new("fit");
    lnt_status status =
        record ? lnt_fitting_study(ctx, record, &o) : lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_record_free(record);
    return status;
}

typedef struct part {
    lnt_status (*run)(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo);
    long most;
} part;

static lnt_status one_part(lnt_ctx *ctx, void *user)
{
    lnt_record *record = lnt_record_new("fit");
    lnt_status status = record ? ((const part *)user)->run(ctx, record, &small)
                               : lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    if (status == LNT_OK)
        status = lnt_record_status(ctx, record);
    lnt_record_free(record);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    part parts[] = {{lnt_demo_cycle, 1}, {lnt_demo_questions, 2}, {lnt_demo_evidence, 1}};
    (void)state;
    for (int start = LNT_FITTING_START_AUTO; start <= LNT_FITTING_START_OPTIMUM; start++)
        assert_true(check_allocations(naive_study, &start, LNT_OK, 15) > 5);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_true(check_allocations(one_part, &parts[i], LNT_OK, parts[i].most) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(problems_are_the_known_ones),
                                       WITH_CTX(cycles_begin_with_their_lowest_point), WITH_CTX(interruption_says_so),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
