#include "check.h"

#define SEED 11

/* n samples of D values: correlated doubles about a large mean, or bytes. */
static lnt_samples make_samples(lnt_ctx *ctx, int D, int n, bool bytes, lnt_rng *rng)
{
    if (bytes) {
        uint8_t *u8 = lnt_alloc(ctx, (size_t)D * (size_t)n, 1);
        for (int i = 0; i < D * n; i++)
            u8[i] = (uint8_t)lnt_rng_below(rng, 256);
        return (lnt_samples){.dim = D, .n = n, .u8 = u8};
    }
    lnt_mat mix = random_matrix(ctx, D, D, rng), Z = random_matrix(ctx, D, n, rng), X;
    check_status(ctx, lnt_mat_alloc(ctx, &X, D, n), LNT_OK);
    lnt_gemm(X, 1, LNT_N, mix, LNT_N, Z, 0);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < D; i++)
            *lnt_at(X, i, j) += 100;
    return lnt_samples_view(X);
}

static double value(const lnt_samples *s, int i, int j)
{
    size_t at = (size_t)j * (size_t)s->dim + (size_t)i;
    return s->f64 ? s->f64[at] : s->u8[at];
}

/* By the definition, in extended precision. */
static lnt_mat plain_moment(lnt_ctx *ctx, const lnt_samples *s, const double *mean, int first, int count)
{
    lnt_mat C;
    check_status(ctx, lnt_mat_alloc(ctx, &C, s->dim, s->dim), LNT_OK);
    for (int a = 0; a < s->dim; a++)
        for (int b = 0; b < s->dim; b++) {
            long double sum = 0;
            for (int j = first; j < first + count; j++)
                sum += ((long double)value(s, a, j) - (mean ? mean[a] : 0)) * (value(s, b, j) - (mean ? mean[b] : 0));
            *lnt_at(C, a, b) = (double)(sum / count);
        }
    return C;
}

static void second_moments_follow_their_definition(void **state)
{
    lnt_ctx *ctx = *state;
    static const int shapes[][2] = {{1, 1}, {3, 7}, {96, 256}, {97, 257}, {200, 600}};
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int bytes = 0; bytes < 2; bytes++)
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            int D = shapes[k][0], n = shapes[k][1], first = n / 3, count = n - n / 3;
            lnt_samples s = make_samples(ctx, D, n, bytes, &rng);
            double *mean = lnt_alloc(ctx, (size_t)D, sizeof *mean);
            lnt_samples_mean(mean, &s);
            for (int about_mean = 0; about_mean < 2; about_mean++) {
                lnt_mat C, again;
                check_status(ctx, lnt_mat_alloc(ctx, &C, D, D), LNT_OK);
                check_status(ctx, lnt_mat_alloc(ctx, &again, D, D), LNT_OK);
                const double *m = about_mean ? mean : NULL;
                check_status(ctx, lnt_second_moment(ctx, C, &s, m, first, count, 1), LNT_OK);
                check_status(ctx, lnt_second_moment(ctx, again, &s, m, first, count, 3), LNT_OK);
                check_close(again, C, 0, "three threads against one");
                check_close(C, plain_moment(ctx, &s, m, first, count), 1e-13, bytes ? "bytes" : "doubles");
            }
        }
}

/* Sums of squares of 255 over many rows leave the range in which single precision is exact. */
static void sums_of_large_bytes_are_exact(void **state)
{
    lnt_ctx *ctx = *state;
    int n = 5000;
    uint8_t *u8 = lnt_alloc(ctx, 2 * (size_t)n, 1);
    memset(u8, 255, 2 * (size_t)n);
    lnt_samples s = {.dim = 2, .n = n, .u8 = u8};
    lnt_mat C;
    check_status(ctx, lnt_mat_alloc(ctx, &C, 2, 2), LNT_OK);
    check_status(ctx, lnt_second_moment(ctx, C, &s, NULL, 0, n, 2), LNT_OK);
    assert_true(*lnt_at(C, 0, 0) == 65025 && *lnt_at(C, 0, 1) == 65025);
}

/* More rows than 32 bits hold the sums of, at both ends of what bytes can be; a sum per thread, a sum for all. */
static void sums_of_many_bytes_do_not_overflow(void **state)
{
    lnt_ctx *ctx = *state;
    int n = 300000, D = 3;
    uint8_t *u8 = lnt_alloc(ctx, (size_t)D * (size_t)n, 1);
    for (int i = 0; i < n; i++) {
        u8[D * i] = 0;
        u8[D * i + 1] = 255;
        u8[D * i + 2] = (uint8_t)(i % 2 ? 255 : 0);
    }
    lnt_samples s = {.dim = D, .n = n, .u8 = u8};
    double mean[3], expected[] = {0, 0, 0, 0, 65025, 65025 / 2.0, 0, 65025 / 2.0, 65025 / 2.0};
    lnt_samples_mean(mean, &s);
    assert_true(mean[0] == 0 && mean[1] == 255 && mean[2] == 127.5);
    lnt_mat C;
    check_status(ctx, lnt_mat_alloc(ctx, &C, D, D), LNT_OK);
    for (int threads = 1; threads <= 3; threads++)
        for (int simd = 0; simd < 2; simd++) {
            lnt_simd_allow(simd);
            check_status(ctx, lnt_second_moment(ctx, C, &s, NULL, 0, n, threads), LNT_OK);
            check_close(C, lnt_mat_view(expected, D, D), 0, "second moments");
            check_status(ctx, lnt_second_moment(ctx, C, &s, mean, 0, n, threads), LNT_OK);
            lnt_simd_allow(true);
            assert_true(*lnt_at(C, 2, 2) == 127.5 * 127.5 && *lnt_at(C, 1, 1) == 0 && *lnt_at(C, 0, 2) == 0);
        }
}

/* With or without instructions for bytes, for any number of threads and of tiles. */
static void covariances_of_bytes_are_the_same_bits(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    static const int shapes[][2] = {{7, 1500}, {131, 3000}, {960, 600}, {1999, 70}};
    for (int k = 0; k < 4; k++) {
        int D = shapes[k][0], n = shapes[k][1];
        lnt_samples s = make_samples(ctx, D, n, true, &rng);
        double *mean = lnt_alloc(ctx, (size_t)D, sizeof *mean);
        lnt_samples_mean(mean, &s);
        lnt_mat C, again;
        check_status(ctx, lnt_mat_alloc(ctx, &C, D, D), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &again, D, D), LNT_OK);
        check_status(ctx, lnt_second_moment(ctx, C, &s, mean, 3, n - 5, 1), LNT_OK);
        for (int c = 0; c < 4; c++) {
            lnt_simd_allow(c % 2);
            check_status(ctx, lnt_second_moment(ctx, again, &s, mean, 3, n - 5, c / 2 * 2 + 1), LNT_OK);
            lnt_simd_allow(true);
            assert_memory_equal(again.a, C.a, (size_t)D * (size_t)D * sizeof *C.a);
        }
        if (D < 200 || D > 1000)
            check_close(C, plain_moment(ctx, &s, mean, 3, n - 5), 1e-13, "covariance");
    }
}

/* Bytes that do not vary have no variance at all, and are not made to have some by rounding. */
static void constant_bytes_have_no_variance(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    int n = 3001, D = 5;
    uint8_t *u8 = lnt_alloc(ctx, (size_t)D * (size_t)n, 1);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < D; k++)
            u8[i * D + k] = (uint8_t)(k == 1 ? 0 : k == 3 ? 201 : lnt_rng_below(&rng, 17));
    lnt_samples s = {.dim = D, .n = n, .u8 = u8};
    double mean[5];
    lnt_mat C;
    check_status(ctx, lnt_mat_alloc(ctx, &C, D, D), LNT_OK);
    lnt_samples_mean(mean, &s);
    check_status(ctx, lnt_second_moment(ctx, C, &s, NULL, 0, n, 1), LNT_OK);
    for (int k = 0; k < D; k++)
        assert_true(*lnt_at(C, 1, k) == 0);
    check_status(ctx, lnt_second_moment(ctx, C, &s, mean, 0, n, 1), LNT_OK);
    for (int k = 0; k < D; k++)
        assert_true(*lnt_at(C, 1, k) == 0 && *lnt_at(C, 3, k) == 0);
}

static void whitened_inputs_are_white(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int bytes = 0; bytes < 2; bytes++) {
        lnt_samples s = make_samples(ctx, 30, 400, bytes, &rng);
        lnt_prep prep;
        lnt_mat Z, C, I;
        check_status(ctx, lnt_prep_fit(ctx, &prep, &s, LNT_PREP_WHITEN, 12, 2), LNT_OK);
        assert_int_equal(prep.outputs, 12);
        assert_int_equal(prep.rank, 30);
        check_status(ctx, lnt_mat_alloc(ctx, &Z, 12, 400), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &C, 12, 12), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &I, 12, 12), LNT_OK);
        check_status(ctx, lnt_prep_apply(ctx, Z, &prep, &s, 2), LNT_OK);
        lnt_samples z = lnt_samples_view(Z);
        double mean[12];
        lnt_samples_mean(mean, &z);
        check_status(ctx, lnt_second_moment(ctx, C, &z, NULL, 0, 400, 1), LNT_OK);
        lnt_mat_identity(I);
        check_close(C, I, 1e-11, "covariance of whitened inputs");
        assert_true(lnt_mat_max(lnt_mat_view(mean, 12, 1)) < 1e-11);
        for (int k = 1; k < 12; k++)
            assert_true(prep.sd[k] <= prep.sd[k - 1]);
    }
}

/* Constant and repeated columns: three directions of variance among seven, whatever is asked for. */
static void null_directions_are_dropped(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    lnt_mat X = random_matrix(ctx, 7, 50, &rng);
    for (int j = 0; j < 50; j++) {
        *lnt_at(X, 3, j) = 5;
        *lnt_at(X, 4, j) = *lnt_at(X, 0, j);
        *lnt_at(X, 5, j) = *lnt_at(X, 0, j) - 2 * *lnt_at(X, 1, j);
        *lnt_at(X, 6, j) = 0;
    }
    lnt_samples s = lnt_samples_view(X);
    lnt_prep prep;
    check_status(ctx, lnt_prep_fit(ctx, &prep, &s, LNT_PREP_WHITEN, 7, 1), LNT_OK);
    assert_int_equal(prep.rank, 3);
    assert_int_equal(prep.outputs, 3);
    assert_true(lnt_mat_finite(prep.map));
    check_near(prep.retained, 1, 1e-12, "retained variance");
    lnt_mat few = lnt_columns(X, 0, 2);
    s = lnt_samples_view(few);
    check_status(ctx, lnt_prep_fit(ctx, &prep, &s, LNT_PREP_WHITEN, 0, 1), LNT_OK);
    assert_int_equal(prep.rank, 1); /* two samples span one direction about their mean */
    lnt_mat_fill(X, 3);
    s = lnt_samples_view(X);
    check_failure(ctx, lnt_prep_fit(ctx, &prep, &s, LNT_PREP_PCA, 2, 1), LNT_EDOMAIN, "do not vary");
}

/* Asking for few components gives the first of all; inputs that do not vary have no part in any. */
static void few_components_are_the_first_of_all(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 6, LNT_FOR_TESTS);
    lnt_samples s = make_samples(ctx, 20, 500, true, &rng);
    uint8_t *bytes = lnt_alloc(ctx, 20 * 500, 1);
    for (int i = 0; i < 20 * 500; i++)
        bytes[i] = (uint8_t)(i % 20 % 7 == 0 ? 3 * (i % 20) : s.u8[i] / (1 + i % 20));
    s.u8 = bytes;
    lnt_prep all, few;
    lnt_mat Z, first;
    check_status(ctx, lnt_prep_fit(ctx, &all, &s, LNT_PREP_WHITEN, 0, 2), LNT_OK);
    check_status(ctx, lnt_prep_fit(ctx, &few, &s, LNT_PREP_WHITEN, 9, 2), LNT_OK);
    assert_int_equal(all.outputs, 17);
    assert_int_equal(few.outputs, 9);
    assert_int_equal(few.rank, 17);
    check_close(few.map, lnt_block(all.map, 0, 0, 9, 20), 1e-11, "map");
    for (int i = 0; i < 20; i += 7)
        check_close(lnt_columns(few.map, i, 1), (lnt_mat){(double[9]){0}, 9, 1, 9}, 0, "an input that does not vary");
    check_status(ctx, lnt_mat_alloc(ctx, &Z, 17, 500), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &first, 9, 500), LNT_OK);
    check_status(ctx, lnt_prep_apply(ctx, Z, &all, &s, 2), LNT_OK);
    check_status(ctx, lnt_prep_apply(ctx, first, &few, &s, 3), LNT_OK);
    check_close(first, lnt_block(Z, 0, 0, 9, 500), 1e-11, "components");
}

static void moments_of_a_task_follow_their_definition(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    int n = 700, D = 5;
    lnt_samples x = make_samples(ctx, D, n, true, &rng);
    int *label = lnt_alloc(ctx, (size_t)n, sizeof *label);
    for (int i = 0; i < n; i++)
        label[i] = (int)lnt_rng_below(&rng, 3);
    lnt_dataset data = {.inputs = x, .label = label, .classes = 3};
    lnt_task task;
    lnt_moments m, again;
    check_status(ctx, lnt_task_make(ctx, &task, &data, LNT_PREP_CENTRE, 0, 2), LNT_OK);
    check_status(ctx, lnt_task_moments(ctx, &m, &task, 100, 500, 1), LNT_OK);
    check_status(ctx, lnt_task_moments(ctx, &again, &task, 100, 500, 3), LNT_OK);
    check_close(again.Sxx, m.Sxx, 0, "Sxx, threads");
    check_close(again.Syx, m.Syx, 0, "Syx, threads");
    lnt_mat X, Y, Sxx, Syx;
    check_status(ctx, lnt_mat_alloc(ctx, &X, D, 500), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &Y, 3, 500), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &Sxx, D, D), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &Syx, 3, D), LNT_OK);
    lnt_task_get(X, Y, &task, NULL, 100, 500);
    lnt_gemm(Sxx, 1.0 / 500, LNT_N, X, LNT_T, X, 0);
    lnt_gemm(Syx, 1.0 / 500, LNT_N, Y, LNT_T, X, 0);
    check_close(m.Sxx, Sxx, 1e-12, "Sxx");
    check_close(m.Syx, Syx, 1e-12, "Syx");
    check_near(m.tr_Syy, 1, 1e-14, "tr Syy of one-hot targets");
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(second_moments_follow_their_definition),
                                       WITH_CTX(sums_of_large_bytes_are_exact),
                                       WITH_CTX(sums_of_many_bytes_do_not_overflow),
                                       WITH_CTX(covariances_of_bytes_are_the_same_bits),
                                       WITH_CTX(constant_bytes_have_no_variance),
                                       WITH_CTX(whitened_inputs_are_white),
                                       WITH_CTX(null_directions_are_dropped),
                                       WITH_CTX(few_components_are_the_first_of_all),
                                       WITH_CTX(moments_of_a_task_follow_their_definition)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
