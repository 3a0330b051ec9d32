/* Random streams. Statistical tests have fixed seeds, so they cannot fail by chance from run to run; a seed that was
 * picked blindly would fail each of them with probability 1e-6. */
#include "check.h"

#define SEED 90210

static lnt_rng stream(uint32_t run)
{
    return lnt_rng_stream(SEED, run, LNT_FOR_TESTS);
}

/* Published known answer for philox4x64-10, counter 0 and key 0 (Random123, kat_vectors). */
static void known_answer(void **state)
{
    (void)state;
    const uint64_t expected[4] = {0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b};
    lnt_rng rng = lnt_rng_stream(0, 0, (lnt_purpose)0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(lnt_rng_bits(&rng), expected[i]);
}

/* The seed is the first word of the key; run and purpose share the second without overlapping. */
static void keys_are_distinct(void **state)
{
    (void)state;
    const struct {
        uint64_t seed;
        uint32_t run;
        lnt_purpose purpose;
    } key[] = {{0, 0, LNT_FOR_WEIGHTS},          {1, 0, LNT_FOR_WEIGHTS},
               {0, 1, LNT_FOR_WEIGHTS},          {0, 0, LNT_FOR_SHUFFLE},
               {UINT64_MAX, 0, LNT_FOR_WEIGHTS}, {0, UINT32_MAX, LNT_FOR_WEIGHTS},
               {0, 0x80000000, LNT_FOR_PROBE},   {(uint64_t)1 << 32, 0, LNT_FOR_WEIGHTS}};
    enum { COUNT = sizeof key / sizeof *key };
    uint64_t first[COUNT];
    for (int i = 0; i < COUNT; i++) {
        lnt_rng a = lnt_rng_stream(key[i].seed, key[i].run, key[i].purpose), b = a;
        assert_int_equal(a.key[0], key[i].seed);
        assert_int_equal(a.key[1], (uint64_t)key[i].run * 0x100000000 + (uint64_t)key[i].purpose);
        first[i] = lnt_rng_bits(&a);
        assert_int_equal(lnt_rng_bits(&b), first[i]);
        for (int k = 0; k < 100; k++)
            assert_int_equal(lnt_rng_bits(&a), lnt_rng_bits(&b));
        for (int j = 0; j < i; j++)
            if (first[i] == first[j])
                fail_msg("keys %d and %d start with the same number", j, i);
    }
}

/* Page 0 is the stream; others share no number with it or with each other. */
static void pages_are_streams_of_their_own(void **state)
{
    (void)state;
    uint64_t first[4][40];
    lnt_rng whole = stream(0);
    for (int page = 0; page < 4; page++) {
        lnt_rng rng = lnt_rng_page(SEED, 0, LNT_FOR_TESTS, page < 3 ? (uint64_t)page : UINT64_MAX);
        for (int i = 0; i < 40; i++) {
            first[page][i] = lnt_rng_bits(&rng);
            for (int other = 0; other < page; other++)
                for (int j = 0; j < 40; j++)
                    assert_true(first[page][i] != first[other][j]);
        }
    }
    for (int i = 0; i < 40; i++)
        assert_int_equal(first[0][i], lnt_rng_bits(&whole));
}

static void a_stream_does_not_repeat_itself(void **state)
{
    (void)state;
    lnt_rng rng = stream(0);
    uint64_t seen[400];
    for (int i = 0; i < 400; i++) {
        seen[i] = lnt_rng_bits(&rng);
        for (int j = 0; j < i; j++)
            if (seen[i] == seen[j])
                fail_msg("seed %d: numbers %d and %d are the same", SEED, j, i);
    }
}

/* Streams of neighbouring runs must be uncorrelated: |r| sqrt(n) < 4.9 has probability 1 - 1e-6. */
static void neighbouring_streams_are_uncorrelated(void **state)
{
    (void)state;
    enum { N = 100000 };
    lnt_rng a = stream(0), b = stream(1);
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += (lnt_rng_uniform(&a) - .5) * (lnt_rng_uniform(&b) - .5) * 12;
    if (!(fabs(sum) / sqrt(N) < 4.9))
        fail_msg("seed %d: correlation %g", SEED, sum / N);
}

static double chi_square(const int *counts, int cells, double expected)
{
    double sum = 0;
    for (int i = 0; i < cells; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

static void uniform_is_in_range_and_even(void **state)
{
    (void)state;
    enum { N = 200000, CELLS = 64 };
    int counts[CELLS] = {0};
    lnt_rng rng = stream(2);
    for (int i = 0; i < N; i++) {
        double x = lnt_rng_uniform(&rng);
        if (!(x >= 0 && x < 1) || x * 0x1p53 != floor(x * 0x1p53))
            fail_msg("seed %d: draw %d is %a", SEED, i, x);
        counts[(int)(x * CELLS)]++;
    }
    /* 63 degrees of freedom: above 131.4 with probability 1e-6 */
    if (!(chi_square(counts, CELLS, (double)N / CELLS) < 131.4))
        fail_msg("seed %d: chi-square %g", SEED, chi_square(counts, CELLS, (double)N / CELLS));
}

static void below_is_even_for_small_n(void **state)
{
    (void)state;
    enum { N = 100000, CELLS = 10 };
    int counts[CELLS] = {0};
    lnt_rng rng = stream(3);
    for (int i = 0; i < N; i++) {
        uint64_t k = lnt_rng_below(&rng, CELLS);
        assert_true(k < CELLS);
        counts[k]++;
    }
    /* 9 degrees of freedom: above 44.9 with probability 1e-6 */
    if (!(chi_square(counts, CELLS, (double)N / CELLS) < 44.9))
        fail_msg("seed %d: chi-square %g", SEED, chi_square(counts, CELLS, (double)N / CELLS));
    for (int i = 0; i < 10; i++)
        assert_int_equal(lnt_rng_below(&rng, 1), 0);
}

/* At n = 3 * 2^62 four inputs share three outputs: without rejection one residue comes twice as often. */
static void below_is_unbiased_for_large_n(void **state)
{
    (void)state;
    enum { N = 30000 };
    const uint64_t n = (uint64_t)3 << 62;
    int counts[3] = {0};
    lnt_rng rng = stream(4);
    for (int i = 0; i < N; i++) {
        uint64_t k = lnt_rng_below(&rng, n);
        assert_true(k < n);
        counts[k % 3]++;
    }
    /* 2 degrees of freedom: above 27.7 with probability 1e-6 */
    if (!(chi_square(counts, 3, N / 3.) < 27.7))
        fail_msg("seed %d: counts %d %d %d", SEED, counts[0], counts[1], counts[2]);
    for (int i = 0; i < 1000; i++)
        assert_true(lnt_rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov: sqrt(n) D > 2.69 with probability 1e-6. Moments: five standard errors and a little. */
static void normal_is_normal(void **state)
{
    enum { N = 100000 };
    lnt_rng rng = stream(5);
    double *x = lnt_alloc(*state, N, sizeof *x), moment[5] = {0}, worst = 0;
    assert_non_null(x);
    for (int i = 0; i < N; i++) {
        x[i] = lnt_rng_normal(&rng);
        assert_true(fabs(x[i]) < 8.6);
        for (int k = 1; k <= 4; k++)
            moment[k] += pow(x[i], k) / N;
    }
    qsort(x, N, sizeof *x, ascending);
    for (int i = 0; i < N; i++) {
        double cdf = erfc(-x[i] / sqrt(2)) / 2;
        worst = fmax(worst, fmax(fabs(cdf - (double)i / N), fabs(cdf - (i + 1.) / N)));
    }
    if (!(worst * sqrt(N) < 2.69))
        fail_msg("seed %d: Kolmogorov-Smirnov distance %g", SEED, worst);
    /* variances of the sample moments: 1, 2, 15, 96 over N */
    const double mean[5] = {1, 0, 1, 0, 3}, variance[5] = {0, 1, 2, 15, 96};
    for (int k = 1; k <= 4; k++)
        if (!(fabs(moment[k] - mean[k]) < 5 * sqrt(variance[k] / N)))
            fail_msg("seed %d: moment %d is %g, not %g", SEED, k, moment[k], mean[k]);
}

/* From any place in the stream, also in the middle of a pair or of a block. */
static void blocks_of_normals_are_the_same_numbers(void **state)
{
    (void)state;
    static double x[3000];
    for (int before = 0; before < 7; before++)
        for (int n = 0; n < 1400; n += before < 2 ? 257 : 255) {
            lnt_rng a = stream(7), b;
            if (before >= 5)
                (void)lnt_rng_uniform(&a);
            for (int i = 0; i < before; i++)
                (void)lnt_rng_normal(&a);
            b = a;
            lnt_rng_normals(&b, x, (size_t)n);
            for (int i = 0; i < n; i++) {
                double y = lnt_rng_normal(&a);
                assert_memory_equal(&x[i], &y, sizeof y);
            }
            assert_true(lnt_rng_normal(&a) == lnt_rng_normal(&b));
            assert_true(lnt_rng_bits(&a) == lnt_rng_bits(&b));
        }
}

/* The two numbers of a Box-Muller pair, and the next pair, must not be correlated. */
static void normal_pairs_are_uncorrelated(void **state)
{
    (void)state;
    enum { N = 100000 };
    lnt_rng rng = stream(6);
    double last = lnt_rng_normal(&rng), sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double x = lnt_rng_normal(&rng);
        sum += x * last;
        squares += (x * x - 1) * (last * last - 1) / 2;
        last = x;
    }
    if (!(fabs(sum) / sqrt(N) < 4.9 && fabs(squares) / sqrt(N) < 4.9))
        fail_msg("seed %d: correlation %g, of squares %g", SEED, sum / N, squares / N);
}

static void shuffle_is_a_permutation(void **state)
{
    (void)state;
    lnt_rng rng = stream(7);
    for (int n = 0; n < 100; n++) {
        int order[100], hits[100] = {0};
        for (int i = 0; i < n; i++)
            order[i] = i;
        lnt_rng_shuffle(&rng, order, n);
        for (int i = 0; i < n; i++) {
            assert_in_range(order[i], 0, n - 1);
            if (hits[order[i]]++)
                fail_msg("seed %d: %d comes twice among %d", SEED, order[i], n);
        }
    }
}

static void all_orders_are_equally_likely(void **state)
{
    (void)state;
    enum { N = 60000 };
    int counts[6] = {0};
    lnt_rng rng = stream(8);
    for (int k = 0; k < N; k++) {
        int order[3] = {0, 1, 2};
        lnt_rng_shuffle(&rng, order, 3);
        counts[2 * order[0] + (order[1] > order[2])]++;
    }
    /* 5 degrees of freedom: above 35.9 with probability 1e-6 */
    if (!(chi_square(counts, 6, N / 6.) < 35.9))
        fail_msg("seed %d: chi-square %g", SEED, chi_square(counts, 6, N / 6.));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer),
        cmocka_unit_test(keys_are_distinct),
        cmocka_unit_test(pages_are_streams_of_their_own),
        cmocka_unit_test(a_stream_does_not_repeat_itself),
        cmocka_unit_test(neighbouring_streams_are_uncorrelated),
        cmocka_unit_test(uniform_is_in_range_and_even),
        cmocka_unit_test(below_is_even_for_small_n),
        cmocka_unit_test(below_is_unbiased_for_large_n),
        WITH_CTX(normal_is_normal),
        cmocka_unit_test(blocks_of_normals_are_the_same_numbers),
        cmocka_unit_test(normal_pairs_are_uncorrelated),
        cmocka_unit_test(shuffle_is_a_permutation),
        cmocka_unit_test(all_orders_are_equally_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
