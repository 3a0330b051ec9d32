/* Numbers as text and back, and growable bytes. */
#include "check.h"

#include <float.h>
#include <locale.h>

#define SEED 20240611

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Significant digits, without sign, point, exponent and outer zeros. */
static int significant_digits(const char *s)
{
    int digits = 0, zeros = 0;
    for (; *s && *s != 'e'; s++)
        if (*s >= '0' && *s <= '9') {
            zeros = *s == '0' && digits ? zeros + 1 : 0;
            digits += *s != '0' || digits;
        }
    return digits - zeros;
}

/* Fails unless the text of x reads back bit for bit and no %g with fewer digits does. Needs a locale with points. */
static void check_shortest(double x)
{
    char text[LNT_NUMBER_CHARS], shorter[400];
    double back = 1;
    assert_ptr_equal(lnt_number_text(x, text), text);
    if (!lnt_number_read(text, strlen(text), &back) || bits_of(back) != bits_of(x))
        fail_msg("seed %d: %a was written as %s, which reads back as %a", SEED, x, text, back);
    int digits = significant_digits(text);
    if (digits <= 1)
        return;
    snprintf(shorter, sizeof shorter, "%.*g", digits - 1, x);
    if (strtod(shorter, NULL) == x)
        fail_msg("seed %d: %a was written as %s, but %s is shorter", SEED, x, text, shorter);
}

static void random_doubles_round_trip(void **state)
{
    (void)state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int i = 0; i < 20000; i++) {
        double x = double_of(lnt_rng_bits(&rng));
        if (isfinite(x))
            check_shortest(x);
        check_shortest(lnt_rng_normal(&rng));
        check_shortest((double)(int64_t)(lnt_rng_bits(&rng) >> lnt_rng_below(&rng, 64)));
        check_shortest((double)lnt_rng_below(&rng, 100000) / 1000);
    }
}

static void edge_values_round_trip(void **state)
{
    (void)state;
    const double edge[] = {0,
                           -0.0,
                           DBL_TRUE_MIN,
                           DBL_MIN,
                           DBL_MAX,
                           -DBL_MAX,
                           1e22,
                           1e23,
                           0.1,
                           1. / 3,
                           2. / 3,
                           5e-324,
                           1e15,
                           1e16,
                           999999999999999,
                           123456,
                           1e5,
                           100,
                           0x1p53,
                           0x1p53 + 2,
                           0x1p-44,
                           0x1p-1022,
                           9007199254740993.0,
                           1 + DBL_EPSILON};
    for (size_t i = 0; i < sizeof edge / sizeof *edge; i++) {
        check_shortest(edge[i]);
        check_shortest(-edge[i]);
    }
    for (int e = -1074; e < 1024; e++)
        check_shortest(ldexp(1, e));
}

static void check_text(double x, const char *expected)
{
    char text[LNT_NUMBER_CHARS];
    assert_string_equal(lnt_number_text(x, text), expected);
}

static void texts_people_like_to_read(void **state)
{
    (void)state;
    check_text(0, "0");
    check_text(-0.0, "-0");
    check_text(100000, "100000");
    check_text(-12, "-12");
    check_text(0.1, "0.1");
    check_text(1e22, "1e+22");
    check_text(1e-7, "1e-07");
    check_text(0.05, "0.05");
    check_text(NAN, "nan");
    check_text(-NAN, "nan");
    check_text(INFINITY, "inf");
    check_text(-INFINITY, "-inf");
}

static void a_comma_locale_changes_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++)
        found = setlocale(LC_NUMERIC, names[i]);
    if (!found || strcmp(localeconv()->decimal_point, ",") != 0) {
        setlocale(LC_NUMERIC, "C");
        print_message("skipped: no locale with a decimal comma is installed\n");
        skip();
    }
    char text[LNT_NUMBER_CHARS], printed[40], after[40];
    double x = 0, comma = 0;
    lnt_number_text(1.5, text);
    bool read = lnt_number_read("2.25", 4, &x), read_comma = lnt_number_read("1,5", 3, &comma);
    lnt_text grown = {0};
    lnt_text_number(&grown, 0.125);
    snprintf(printed, sizeof printed, "%s", grown.p);
    lnt_text_free(&grown);
    snprintf(after, sizeof after, "%.1f", 1.5);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(text, "1.5");
    assert_true(read);
    assert_true(x == 2.25);
    assert_false(read_comma);
    assert_string_equal(printed, "0.125");
    assert_string_equal(after, "1,5"); /* the caller's locale must survive */
}

/* ---- Reading ---- */

static void numbers_that_are_read(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double x;
    } good[] = {
        {"0", 0},         {"1e3", 1000},     {"-1.5E-2", -0.015}, {"0x1p3", 8},          {"+7", 7},
        {" \t12 \t", 12}, {"3\r", 3},        {"1e999", INFINITY}, {"-1e999", -INFINITY}, {".5", .5},
        {"5.", 5},        {"inf", INFINITY}, {"-INF", -INFINITY}, {"1e-999", 0},         {"4.9e-324", DBL_TRUE_MIN}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double x = -77;
        if (!lnt_number_read(good[i].text, strlen(good[i].text), &x) || x != good[i].x)
            fail_msg("'%s' was read as %g, not %g", good[i].text, x, good[i].x);
    }
    double x = 0;
    assert_true(lnt_number_read("nan", 3, &x));
    assert_true(isnan(x));
}

static void texts_that_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   " ",   "\t \t", "1,5", "1 2", "abc",   "1x",   "e3",  "1e", "-",   "--1",
                                      "0x", "1\n", "\n1",   "\v1", "\f1", "1_000", "1..2", "+-1", ".",  "\r1", "NA"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double x = -77;
        if (lnt_number_read(bad[i], strlen(bad[i]), &x))
            fail_msg("'%s' was read as %g", bad[i], x);
        assert_true(x == -77);
    }
}

static void length_counts_not_the_terminator(void **state)
{
    (void)state;
    double x = -77;
    assert_true(lnt_number_read("1234", 2, &x));
    assert_true(x == 12);
    assert_false(lnt_number_read("1\0002", 3, &x));
    assert_false(lnt_number_read("1\0", 2, &x));
    assert_false(lnt_number_read(NULL, 0, &x));
    assert_true(x == 12);
}

static void overlong_numbers_are_refused_blanks_are_not(void **state)
{
    (void)state;
    char text[600];
    double x = -77;
    memset(text, '1', sizeof text);
    assert_false(lnt_number_read(text, 500, &x));
    assert_true(x == -77);
    assert_true(lnt_number_read(text, 300, &x));
    memset(text, ' ', sizeof text);
    text[550] = '4';
    assert_true(lnt_number_read(text, sizeof text, &x));
    assert_true(x == 4);
}

/* ---- Growable bytes ---- */

static void text_grows(void **state)
{
    lnt_text text = {0};
    for (int i = 0; i < 10000; i++)
        lnt_text_add(&text, "%d,", i % 10);
    lnt_text_bytes(&text, "a\0b", 3);
    lnt_text_bytes(&text, NULL, 0);
    check_status(*state, lnt_text_status(*state, &text), LNT_OK);
    assert_int_equal(text.n, 20003);
    assert_int_equal(text.p[text.n], '\0');
    assert_memory_equal(text.p + 19996, "8,9,a\0b", 8);
    lnt_text_free(&text);
    assert_null(text.p);
    assert_int_equal(text.n, 0);
}

static void *no_heap(void *p, size_t bytes)
{
    (void)p, (void)bytes;
    return NULL;
}

static void running_out_of_memory_is_remembered(void **state)
{
    lnt_text text = {0};
    lnt_set_heap(no_heap);
    lnt_text_add(&text, "%s", "lost");
    lnt_set_heap(NULL);
    lnt_text_add(&text, "%s", "also lost");
    assert_true(text.failed);
    assert_int_equal(text.n, 0);
    check_failure(*state, lnt_text_status(*state, &text), LNT_ENOMEM, "out of memory");
    lnt_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_doubles_round_trip),
        cmocka_unit_test(edge_values_round_trip),
        cmocka_unit_test(texts_people_like_to_read),
        cmocka_unit_test(a_comma_locale_changes_nothing),
        cmocka_unit_test(numbers_that_are_read),
        cmocka_unit_test(texts_that_are_refused),
        cmocka_unit_test(length_counts_not_the_terminator),
        cmocka_unit_test(overlong_numbers_are_refused_blanks_are_not),
        WITH_CTX(text_grows),
        WITH_CTX(running_out_of_memory_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
