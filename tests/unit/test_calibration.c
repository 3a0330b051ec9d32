/* Calibration: histograms of ranks, samplers that are right, and one that is a tenth too wide, caught. Seeds are fixed.
 */
#include "check.h"

#include "linnet/study_sample.h"

static lnt_calibrating_opts small(int hidden, int runs)
{
    lnt_calibrating_opts o;
    lnt_calibrating_defaults(&o);
    o.hidden = (lnt_int_list){.count = 1, .item = {hidden}};
    o.runs = runs;
    o.seed = 1;
    return o;
}

/* p of a method and quantity of table calibration. */
static double p_of(const lnt_record *record, const char *method, const char *quantity)
{
    for (int row = 0; row < lnt_record_rows(record, "calibration"); row++) {
        lnt_value m, q;
        lnt_record_cell(record, "calibration", row, "method", &m);
        lnt_record_cell(record, "calibration", row, "quantity", &q);
        if (strcmp(m.string, method) == 0 && strcmp(q.string, quantity) == 0)
            return lnt_record_cell_number(record, "calibration", row, "p");
    }
    fail_msg("no row of %s, %s", method, quantity);
    return NAN;
}

static lnt_record *study(lnt_ctx *ctx, const lnt_calibrating_opts *o)
{
    lnt_record *record = lnt_record_new("sample calibrate");
    check_status(ctx, lnt_calibrating_study(ctx, record, o), LNT_OK);
    return record;
}

static const char *const quantities[] = {"output", "weights", "likelihood"};

/* Bits of products, and with them chains, depend on the processor: another one has a chance of .001 to fail. */
static void right_samplers_pass(void **state)
{
    for (int hidden = 0; hidden < 2; hidden++) {
        lnt_calibrating_opts o = small(hidden, hidden ? 40 : 100);
        o.bins = 10;
        lnt_record *record = study(*state, &o);
        for (int q = 0; q < 3; q++) {
            assert_true(p_of(record, "nuts", quantities[q]) > 1e-4);
            assert_true(hidden || p_of(record, "laplace", quantities[q]) > 1e-4);
            assert_true(p_of(record, "precision", quantities[q]) < 1e-9);
        }
        lnt_record_free(record);
    }
}

/* Exact draws of a linear posterior and those of a tenth too wide, by the library alone. */
static void a_tenth_too_wide_is_caught(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N = 6, K = 3, RUNS = 5000, DRAWS = 59 };
    lnt_rng rng = lnt_rng_stream(5, 1, LNT_FOR_TESTS);
    int *ranks[2] = {lnt_alloc(ctx, RUNS, sizeof(int)), lnt_alloc(ctx, RUNS, sizeof(int))};
    assert_true(ranks[0] && ranks[1]);
    const lnt_layers layers = {.net = {1, (int[]){K - 1, 1}, LNT_LINEAR}, .biases = true};
    lnt_mat X = random_matrix(ctx, K - 1, N, &rng);
    lnt_model model;
    check_status(ctx, lnt_layers_model(ctx, &model, &layers, X), LNT_OK);
    double alpha = 2, beta = 4, d[N], w[K], mode[K];
    const lnt_prior prior = {.groups = 1, .alpha = &alpha};
    const lnt_likelihood likelihood = {.kind = LNT_GAUSSIAN, .n = N, .d = d, .beta = beta};
    for (int run = 0; run < RUNS; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_posterior posterior;
        bool rejected;
        for (int j = 0; j < K; j++) {
            w[j] = lnt_rng_normal(&rng) / sqrt(alpha);
            mode[j] = 0;
        }
        check_status(ctx, lnt_model_outputs(ctx, d, &rejected, &model, w), LNT_OK);
        for (int i = 0; i < N; i++)
            d[i] += lnt_rng_normal(&rng) / sqrt(beta);
        check_status(ctx, lnt_posterior_mode(ctx, mode, NULL, &model, &likelihood, &prior, NULL), LNT_OK);
        check_status(ctx, lnt_posterior_make(ctx, &posterior, &model, mode, &likelihood, &prior), LNT_OK);
        for (int wide = 0; wide < 2; wide++) {
            double draws[DRAWS], q[K];
            for (int s = 0; s < DRAWS; s++) {
                check_status(ctx, lnt_posterior_draw(ctx, q, &posterior, wide ? 1.1 : 1, &rng), LNT_OK);
                draws[s] = q[0] - q[1];
            }
            ranks[wide][run] = lnt_calibration_rank(w[0] - w[1], draws, DRAWS, 1);
        }
        lnt_ctx_reset(ctx, mark);
    }
    for (int wide = 0; wide < 2; wide++) {
        lnt_calibration c;
        check_status(ctx, lnt_calibrate(ctx, &c, ranks[wide], RUNS, DRAWS, 20), LNT_OK);
        if (wide ? c.p > 0.001 : c.p < 0.001)
            fail_msg("deviations times %g: chi2 %g, p %g", wide ? 1.1 : 1., c.chi2, c.p);
    }
}

/* By the command's own option: it fails, and the check says so. */
static void spread_is_caught(void **state)
{
    lnt_calibrating_opts o = small(0, 200);
    o.spread = 1.5;
    o.warmup = 100;
    lnt_record *record = study(*state, &o);
    assert_true(p_of(record, "laplace", "output") < 0.001);
    assert_true(p_of(record, "nuts", "output") > 0.001);
    assert_false(lnt_record_verdict(record));
    lnt_record_free(record);
}

/* Against sums of the binomial distribution in another order. */
static void bands_hold_what_they_say(void **state)
{
    (void)state;
    const struct {
        int n;
        double share, tail;
    } cases[] = {{1000, 0.05, 0.005}, {20, 0.5, 0.025}, {1, 0.05, 0.01}, {100000, 0.01, 0.005}, {7, 0.9, 0.2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int low, high, n = cases[i].n;
        double share = cases[i].share, tail = cases[i].tail, below = 0, above = 0, at_low = 0, at_high = 0;
        lnt_calibration_band(&low, &high, n, share, tail);
        for (int x = 0; x <= n; x++) {
            double p =
                exp(lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1) + x * log(share) + (n - x) * log1p(-share));
            below += x < low ? p : 0;
            above += x > high ? p : 0;
            at_low += x == low ? p : 0;
            at_high += x == high ? p : 0;
        }
        assert_true(below <= tail && above <= tail + 1e-9);
        assert_true(below + at_low > tail && above + at_high > tail - 1e-9);
    }
}

static void threads_do_not_matter(void **state)
{
    lnt_array ranks[2];
    lnt_record *record[2];
    for (int i = 0; i < 2; i++) {
        lnt_calibrating_opts o = small(1, 12);
        o.bins = 2;
        o.warmup = 60;
        o.threads = i ? 4 : 1;
        record[i] = study(*state, &o);
    }
    const char *const methods[] = {"nuts", "laplace", "precision"};
    for (int m = 0; m < 3; m++)
        for (int q = 0; q < 3; q++) {
            char path[64];
            snprintf(path, sizeof path, "ranks/%s/%s", methods[m], quantities[q]);
            for (int i = 0; i < 2; i++)
                assert_true(lnt_record_array(record[i], path, &ranks[i]));
            assert_int_equal(ranks[0].dims[0], 12);
            assert_memory_equal(ranks[0].values, ranks[1].values, 12 * sizeof(double));
        }
    lnt_record_free(record[0]);
    lnt_record_free(record[1]);
}

static int after_five(void *user)
{
    return __atomic_load_n((long *)user, __ATOMIC_RELAXED) >= 5;
}

static void count(const char *what, long done, long total, void *user)
{
    (void)what, (void)total;
    __atomic_store_n((long *)user, done, __ATOMIC_RELAXED);
}

/* What is finished is kept, and is what an unbroken study has there. */
static void interruptions(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_calibrating_opts o = small(1, 12);
    long done = 0;
    lnt_array part, whole;
    o.bins = 2;
    o.warmup = 20;
    o.threads = 1;
    lnt_record *unbroken = study(ctx, &o);
    assert_false(lnt_record_interrupted(unbroken));
    lnt_ctx_set_progress(ctx, count, &done);
    lnt_ctx_set_cancel(ctx, after_five, &done);
    lnt_record *record = study(ctx, &o);
    assert_true(lnt_record_interrupted(record));
    assert_true(lnt_record_array(record, "ranks/nuts/output", &part));
    assert_true(lnt_record_array(unbroken, "ranks/nuts/output", &whole));
    assert_int_equal(part.dims[0], 5);
    assert_memory_equal(part.values, whole.values, 5 * sizeof(double));
    lnt_record_free(record);
    done = 5;
    lnt_ctx_set_progress(ctx, NULL, NULL);
    record = study(ctx, &o);
    assert_true(lnt_record_interrupted(record) && !lnt_record_array(record, "ranks/nuts/output", &part));
    lnt_record_free(record);
    lnt_record_free(unbroken);
    lnt_ctx_set_cancel(ctx, NULL, NULL);
}

static void odd_sizes(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_calibrating_opts o = small(3, 3);
    o.inputs = 2;
    o.draws = 1;
    o.samples = 1;
    o.warmup = 0;
    o.most_thinning = 1;
    o.activation = LNT_RELU;
    lnt_record_free(study(ctx, &o));
    o.hidden = (lnt_int_list){.count = 2, .item = {2, 0}};
    lnt_record *record = lnt_record_new("sample calibrate");
    check_failure(ctx, lnt_calibrating_study(ctx, record, &o), LNT_EUSAGE, "--hidden 0");
    o.hidden = (lnt_int_list){.count = 1, .item = {1000}};
    check_failure(ctx, lnt_calibrating_study(ctx, record, &o), LNT_EUSAGE, "4001 weights");
    lnt_record_free(record);
    lnt_calibration c;
    int rank = 0;
    check_failure(ctx, lnt_calibrate(ctx, &c, &rank, 1, 9, 1), LNT_EINVAL, "1 bins");
    check_failure(ctx, lnt_calibrate(ctx, &c, &rank, 1, 9, 201), LNT_EINVAL, "201 bins");
}

static lnt_status tiny(lnt_ctx *ctx, void *user)
{
    (void)user;
    lnt_calibrating_opts o = small(1, 2);
    o.samples = 2;
    o.draws = 2;
    o.warmup = 0;
    o.most_thinning = 1;
    o.threads = 1;
    lnt_record *record = lnt_record_new("sample calibrate");
    lnt_status status = record ? lnt_calibrating_study(ctx, record, &o) : lnt_fail(ctx, LNT_ENOMEM, "out of memory");
    lnt_record_free(record);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    check_allocations(tiny, NULL, LNT_OK, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(right_samplers_pass),
                                       WITH_CTX(a_tenth_too_wide_is_caught),
                                       WITH_CTX(spread_is_caught),
                                       WITH_CTX(bands_hold_what_they_say),
                                       WITH_CTX(threads_do_not_matter),
                                       WITH_CTX(interruptions),
                                       WITH_CTX(odd_sizes),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
