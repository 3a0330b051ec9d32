/* Readers of NPY, CSV and IDX. tests/data/make.py wrote the files. */
#include "check.h"

#include <float.h>

#define NAME "the-file"

typedef lnt_status (*parse_fn)(lnt_ctx *, lnt_samples *, const uint8_t *, size_t, const char *);

static double value(const lnt_samples *s, int row, int column)
{
    size_t at = (size_t)row * (size_t)s->dim + (size_t)column;
    return s->f64 ? s->f64[at] : s->u8[at];
}

static void check_samples(const lnt_samples *s, int n, int dim, const double *expected, const char *what)
{
    if (s->n != n || s->dim != dim || !s->f64 == !s->u8)
        fail_msg("%s: %d samples of %d values, not %d of %d", what, s->n, s->dim, n, dim);
    for (int i = 0; i < n * dim; i++)
        if (value(s, i / dim, i % dim) != expected[i])
            fail_msg("%s: (%d,%d) is %.17g, not %.17g", what, i / dim, i % dim, value(s, i / dim, i % dim),
                     expected[i]);
}

/* A copy on the heap, so that reading beyond the end is seen by AddressSanitizer. */
static lnt_status parse(lnt_ctx *ctx, lnt_samples *s, parse_fn read, const void *bytes, size_t n)
{
    uint8_t *p = malloc(n ? n : 1);
    assert_non_null(p);
    memcpy(p, bytes, n);
    *s = (lnt_samples){0};
    lnt_status status = read(ctx, s, p, n, NAME);
    free(p);
    return status;
}

static void refuse(lnt_ctx *ctx, parse_fn read, const void *bytes, size_t n, lnt_status expected, const char *part)
{
    lnt_samples s;
    lnt_status status = parse(ctx, &s, read, bytes, n);
    if (!strstr(lnt_ctx_message(ctx), NAME))
        fail_msg("status %d, and the message '%s' does not name the file (expected: %s)", status, lnt_ctx_message(ctx),
                 part);
    check_failure(ctx, status, expected, part);
}

static const char *data_file(lnt_ctx *ctx, const char *name)
{
    return lnt_sprintf(ctx, "%s/%s", TEST_DATA, name);
}

/* ---- NPY ---- */

static void npy_of_every_type(void **state)
{
    const struct {
        const char *type;
        double low, high, special[2];
    } types[] = {{"b1", 1, 0, {1, 1}},
                 {"i1", INT8_MIN, INT8_MAX, {2, 100}},
                 {"i2", INT16_MIN, INT16_MAX, {2, 100}},
                 {"i4", INT32_MIN, INT32_MAX, {2, 100}},
                 {"i8", (double)INT64_MIN, 0x1p63, {2, 100}},
                 {"u1", 0, UINT8_MAX, {2, 100}},
                 {"u2", 0, UINT16_MAX, {2, 100}},
                 {"u4", 0, UINT32_MAX, {2, 100}},
                 {"u8", 0, 0x1p64, {2, 100}},
                 {"f2", -65504, 65504, {.5, 0x1p-24}},
                 {"f4", -(double)FLT_MAX, FLT_MAX, {.5, 0x1p-149}},
                 {"f8", -DBL_MAX, DBL_MAX, {.5, DBL_TRUE_MIN}},
                 {"f16", -1e300, 1e300, {.5, 1. / 3}}};
    const char *const layouts[] = {"little-c", "little-f", "big-c", "big-f"};
    int files = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int k = 0; k < 4; k++) {
            const char *path = data_file(*state, lnt_sprintf(*state, "%s-%s.npy", types[i].type, layouts[k]));
            if ((k >= 2 && types[i].type[1] == '1' && !types[i].type[2]) || (i == 12 && LDBL_MANT_DIG != 64))
                continue;
            double expected[] = {0, 1, types[i].low, types[i].high, types[i].special[0], types[i].special[1]};
            lnt_samples s;
            bool is_idx = true;
            check_status(*state, lnt_samples_read(*state, &s, &is_idx, path), LNT_OK);
            check_samples(&s, 3, 2, expected, path);
            assert_false(is_idx);
            files++;
        }
    assert_true(files >= 42);
}

static void npy_of_every_version(void **state)
{
    const double expected[] = {0, 1, 2, 3};
    for (int version = 1; version <= 3; version++) {
        lnt_samples s;
        const char *path = data_file(*state, lnt_sprintf(*state, "version-%d.npy", version));
        check_status(*state, lnt_samples_read(*state, &s, NULL, path), LNT_OK);
        check_samples(&s, 4, 1, expected, path);
    }
}

/* An NPY file with this header text and the values 0, 1, 2, ... as doubles. */
static size_t make_npy(uint8_t *p, int version, const char *header, int values)
{
    size_t length = strlen(header), n = version == 1 ? 10 : 12;
    memset(p, 0, n);
    memcpy(p, "\x93NUMPY", 6);
    p[6] = (uint8_t)version;
    p[8] = (uint8_t)length;
    p[9] = (uint8_t)(length >> 8);
    memcpy(p + n, header, length);
    n += length;
    for (int i = 0; i < values; i++, n += 8)
        memcpy(p + n, &(double){i}, 8);
    return n;
}

#define HEADER(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"

static void npy_headers_that_are_read(void **state)
{
    const struct {
        const char *header;
        int n, dim;
    } good[] = {{HEADER("'<f8'", "False", "(0, 3)"), 0, 3},
                {HEADER("'<f8'", "False", "(3, 0)"), 3, 0},
                {HEADER("'<f8'", "True", "(6,)"), 6, 1},
                {HEADER("'<f8'", "False", "(6L, 1L)"), 6, 1},
                {"{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f8\"}", 2, 3}};
    const double expected[] = {0, 1, 2, 3, 4, 5};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint8_t p[300];
        lnt_samples s;
        size_t n = make_npy(p, 1 + (int)i % 3, good[i].header, good[i].n * good[i].dim);
        check_status(*state, parse(*state, &s, lnt_npy_parse, p, n), LNT_OK);
        check_samples(&s, good[i].n, good[i].dim, expected, good[i].header);
    }
}

static void npy_that_is_refused(void **state)
{
    const struct {
        const char *header, *part;
    } bad[] = {{HEADER("'<f8'", "False", "()"), "shape"},
               {HEADER("'<f8'", "False", "(1, 2, 3)"), "shape"},
               {HEADER("'<f8'", "False", "(2 3)"), "shape"},
               {HEADER("'<f8'", "False", "(-1, 3)"), "shape"},
               {HEADER("'<f8'", "False", "(99999999999999999999, 3)"), "shape"},
               {HEADER("'<f8'", "False", "(6"), "shape"},
               {HEADER("[('a', '<f8')]", "False", "(6,)"), "type"},
               {HEADER("'<c16'", "False", "(3,)"), "type"},
               {HEADER("'|O'", "False", "(6,)"), "type"},
               {HEADER("'|S8'", "False", "(6,)"), "type"},
               {HEADER("'<U2'", "False", "(6,)"), "type"},
               {HEADER("'<M8[s]'", "False", "(6,)"), "type"},
               {HEADER("'<i3'", "False", "(6,)"), "type"},
               {HEADER("'<f99999999999'", "False", "(6,)"), "type"},
               {HEADER("'<f8'", "False", "(7,)"), "promises"},
               {HEADER("'<f8'", "False", "(2147483647, 2147483647)"), "promises"},
               {"{'fortran_order': False, 'shape': (6,), 'descr': '", "type"},
               {"{'fortran_order': False, 'shape': (6,), 'descr': '<", "type"},
               {"{'descr': '<f8', 'shape': (6,)}", "NPY"},
               {"{'descr': '<f8', 'fortran_order': False}", "shape"},
               {"", "NPY"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t p[300];
        refuse(*state, lnt_npy_parse, p, make_npy(p, 1, bad[i].header, 6), LNT_EFORMAT, bad[i].part);
    }
}

static void npy_cut_anywhere_is_refused(void **state)
{
    uint8_t p[300];
    size_t n = make_npy(p, 1, HEADER("'<f8'", "False", "(2, 3)"), 6);
    for (size_t cut = 0; cut < n; cut++)
        refuse(*state, lnt_npy_parse, p, cut, LNT_EFORMAT, "");
    p[9] = 0xff;
    refuse(*state, lnt_npy_parse, p, n, LNT_EFORMAT, "header");
    make_npy(p, 2, HEADER("'<f8'", "False", "(2, 3)"), 6);
    p[11] = 0xff;
    refuse(*state, lnt_npy_parse, p, n, LNT_EFORMAT, "header");
    p[6] = 4;
    refuse(*state, lnt_npy_parse, p, n, LNT_EFORMAT, "version");
}

static void npy_with_nan_names_its_place(void **state)
{
    uint8_t p[300];
    const double bad[] = {NAN, INFINITY};
    for (int fortran = 0; fortran < 2; fortran++) {
        const char *header = fortran ? HEADER("'<f8'", "True", "(2, 3)") : HEADER("'<f8'", "False", "(2, 3)");
        size_t n = make_npy(p, 1, header, 6);
        memcpy(p + n - 16, &bad[fortran], 8); /* the fifth of six */
        refuse(*state, lnt_npy_parse, p, n, LNT_EDOMAIN, fortran ? "row 1, column 3" : "row 2, column 2");
    }
}

/* ---- CSV ---- */

static void csv_that_is_read(void **state)
{
    static const char *const good[] = {
        "1,2\n3,4\n",
        "1,2\n3,4",
        "x,y\n1,2\n3,4\n",
        "1\t2\n3\t4\n",
        "x;y\n1;2\n3;4\n",
        "1 2\n3 4\n",
        "  1   2 \n 3  4\n",
        "\"1\",\"2\"\n'3',\"4\"\n",
        "\"x\",\"y\"\n1,2\n3,4\n",
        "1,2\r\n3,4\r\n",
        "\"1\",\"2\"\r\n\"3\",\"4\"\r\n",
        ("\xef\xbb\xbf"
         "1,2\n3,4\n"),
        "\xef\xbb\xbfx,y\r\n1,2\r\n3,4\r\n",
        "# note\n\n1,2\n  # more, of it\n\n \t\n3,4\n\n",
        "# note\nx,y\n1,2\n3,4\n",
        " 1 , 2.0e0\n0x3,+4\n",
        "NA,y\n1,2\n3,4\n",
    };
    const double expected[] = {1, 2, 3, 4};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        lnt_samples s;
        lnt_status status = parse(*state, &s, lnt_csv_parse, good[i], strlen(good[i]));
        if (status != LNT_OK)
            fail_msg("'%s': %s", good[i], lnt_ctx_message(*state));
        check_samples(&s, 2, 2, expected, good[i]);
    }
}

static void csv_of_a_single_column(void **state)
{
    static const char *const good[] = {"1\n2\n", "x\n1\n2", "\n1\n\n2\n", "x y\n1\n2"};
    const double expected[] = {1, 2};
    for (size_t i = 0; i < 4; i++) {
        lnt_samples s;
        lnt_status status = parse(*state, &s, lnt_csv_parse, good[i], strlen(good[i]));
        if (i == 3) { /* blanks separate: two names, one value */
            check_failure(*state, status, LNT_EFORMAT, "line 2");
            continue;
        }
        if (status != LNT_OK)
            fail_msg("'%s': %s", good[i], lnt_ctx_message(*state));
        check_samples(&s, 2, 1, expected, good[i]);
    }
}

/* Column names such as "length, mm" are common; a separator inside quotes separates nothing. */
static void csv_with_separators_inside_quotes(void **state)
{
    static const char *const good[] = {"\"x, mm\",\"y, mm\"\n1,2\n3,4\n", "\"x; y\";z\n1;2\n3;4\n",
                                       "\"x, mm\";\"y, mm\"\n1;2\n3;4\n", "\"x, mm\"\n1\n3\n"};
    const double expected[] = {1, 2, 3, 4}, column[] = {1, 3};
    for (size_t i = 0; i < 4; i++) {
        lnt_samples s;
        lnt_status status = parse(*state, &s, lnt_csv_parse, good[i], strlen(good[i]));
        if (status != LNT_OK)
            fail_msg("'%s': %s", good[i], lnt_ctx_message(*state));
        check_samples(&s, 2, i < 3 ? 2 : 1, i < 3 ? expected : column, good[i]);
    }
}

static void csv_that_is_refused(void **state)
{
    const struct {
        const char *text, *part;
    } bad[] = {{"", "no line of numbers"},
               {"\xef\xbb\xbf", "no line of numbers"},
               {"\n\n# only\n", "no line of numbers"},
               {"a,b\n", "no line of numbers"},
               {"a,b\nc,d\n", "line 2, column 1: 'c'"},
               {"1,2\n3,\n", "line 2, column 2: the cell is missing"},
               {"1,2\n,4\n", "line 2, column 1: the cell is missing"},
               {"1,2\n\"\",4\n", "line 2, column 1: the cell is missing"},
               {"x,y\n1,2\n3,4,5\n", "line 3 has 3 cells"},
               {"1,2\n3\n", "line 2 has 1 cell"},
               {"NA,2\n3,4\n", "line 1, column 1: the cell is missing"},
               {"NA,NA\n3,4\n", "line 1, column 1: the cell is missing"},
               {"?,.\n3,4\n", "line 1, column 1: the cell is missing"},
               {"1,2\nnull,4\n", "the cell is missing"},
               {"1,2\n# note\n\n3,abc\n", "line 4, column 2: 'abc'"},
               {"1,nan\n", "line 1, column 2: 'nan'"},
               {"1,2\ninf,4\n", "line 2, column 1: 'inf'"},
               {"1e999,2\n", "line 1, column 1: '1e999'"},
               {"x,2\n3,4\n", "line 1, column 1: 'x'"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(*state, lnt_csv_parse, bad[i].text, strlen(bad[i].text), LNT_EFORMAT, bad[i].part);
    refuse(*state, lnt_csv_parse, "1,2\n3,\0004\n", 10, LNT_EFORMAT, "line 2, column 2");
}

/* ---- IDX ---- */

#define IDX(dimensions, ...)                                                                                           \
    (const uint8_t[])                                                                                                  \
    {                                                                                                                  \
        0, 0, 8, dimensions, __VA_ARGS__                                                                               \
    }

static void idx_that_is_read(void **state)
{
    const double expected[] = {9, 8, 7, 255};
    lnt_samples s;
    check_status(*state, parse(*state, &s, lnt_idx_parse, IDX(1, 0, 0, 0, 4, 9, 8, 7, 255), 12), LNT_OK);
    check_samples(&s, 4, 1, expected, "labels");
    check_status(*state, parse(*state, &s, lnt_idx_parse, IDX(2, 0, 0, 0, 1, 0, 0, 0, 4, 9, 8, 7, 255), 16), LNT_OK);
    check_samples(&s, 1, 4, expected, "rows");
    check_status(*state, parse(*state, &s, lnt_idx_parse, IDX(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 255), 20),
                 LNT_OK);
    check_samples(&s, 2, 2, expected, "images");
    check_status(*state, parse(*state, &s, lnt_idx_parse, IDX(1, 0, 0, 0, 0), 8), LNT_OK);
    assert_int_equal(s.n, 0);
}

static void idx_that_is_refused(void **state)
{
    refuse(*state, lnt_idx_parse, "\0\0\x0d\1\0\0\0\1....", 12, LNT_EFORMAT, "0x0d");
    refuse(*state, lnt_idx_parse, "\0\1\x08\1\0\0\0\1.", 9, LNT_EFORMAT, "not an IDX file");
    refuse(*state, lnt_idx_parse, IDX(0, 0), 5, LNT_EFORMAT, "0 dimensions");
    refuse(*state, lnt_idx_parse, IDX(1, 0, 0, 0, 1, 5, 5), 10, LNT_EFORMAT, "promises 1 samples");
    const uint8_t *images = IDX(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 255);
    for (size_t cut = 0; cut < 20; cut++)
        refuse(*state, lnt_idx_parse, images, cut, LNT_EFORMAT, "");
    /* sizes whose product wraps to 0, or to the number of bytes that follow */
    refuse(*state, lnt_idx_parse, IDX(3, 0, 1, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0), 16, LNT_EFORMAT, "promises");
    refuse(*state, lnt_idx_parse, IDX(3, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 4), 16, LNT_EFORMAT, "promises");
    refuse(*state, lnt_idx_parse, IDX(4, 0, 0, 0, 1, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 4), 20, LNT_EFORMAT,
           "promises");
    refuse(*state, lnt_idx_parse,
           IDX(4, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), 21,
           LNT_EFORMAT, "promises");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(npy_of_every_type),
        WITH_CTX(npy_of_every_version),
        WITH_CTX(npy_headers_that_are_read),
        WITH_CTX(npy_that_is_refused),
        WITH_CTX(npy_cut_anywhere_is_refused),
        WITH_CTX(npy_with_nan_names_its_place),
        WITH_CTX(csv_that_is_read),
        WITH_CTX(csv_of_a_single_column),
        WITH_CTX(csv_with_separators_inside_quotes),
        WITH_CTX(csv_that_is_refused),
        WITH_CTX(idx_that_is_read),
        WITH_CTX(idx_that_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
