#include "check.h"

static lnt_record *make_record(void)
{
    lnt_record *r = lnt_record_new("train");
    const double loss[] = {3, 1.5, 0.1}, bad[] = {1, NAN, -INFINITY};
    const int layers[] = {4, 2};
    double a[] = {1, 2, 3, 4, 5, 6};
    lnt_mat A[2] = {lnt_mat_view(a, 2, 3), lnt_mat_view(a, 2, 3)};
    lnt_record_parameter(r, "lr", lnt_number(0.1), false);
    lnt_record_parameter(r, "layers", lnt_integers(layers, 2), false);
    lnt_record_parameter(r, "data", lnt_string("a \"quoted\"\nname\\"), false);
    lnt_record_parameter(r, "absent", lnt_string(NULL), false);
    lnt_record_parameter(r, "threads", lnt_integer(3), true);
    lnt_record_fact(r, "final", "loss", "", lnt_number(0.1));
    lnt_record_fact(r, "final", "steps", "", lnt_integer(12));
    lnt_record_fact(r, "final", "cycle", "", lnt_numbers((double[]){1.5, NAN}, 2));
    lnt_record_series(r, "loss/mean", "nats", loss, 3);
    lnt_record_series(r, "loss/sd", "", bad, 3);
    lnt_record_series(r, "arm/loss/theory", "", loss, 2);
    lnt_record_matrix(r, "weights/1", "", A, 1);
    lnt_record_matrix(r, "weights/2", "", A, 2);
    lnt_record_samples(r, "samples", "", A[0]);
    lnt_table *t = lnt_record_table(r, "optimum");
    lnt_table_row(t);
    lnt_table_set(t, "rows", "", lnt_string("all, \"of\" them"));
    lnt_table_set(t, "loss", "", lnt_number(0.25));
    lnt_table_row(t);
    lnt_table_set(t, "loss", "", lnt_number(NAN));
    lnt_table_set(t, "late", "", lnt_flag(true));
    lnt_record_deviation(r, "loss", 2, 1, NAN, 0.5);
    lnt_record_assumption(r, "white", 0.5, 0.1, "it matters");
    lnt_record_check(r, "good", 1, 1.05, 0.1);
    lnt_record_warn(r, "mind %s", "the gap");
    return r;
}

static void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in:\n%s", part, text);
}

static void json_and_yaml_hold_what_was_added(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *r = make_record();
    lnt_text json = {0}, yaml = {0};
    check_status(ctx, lnt_record_status(ctx, r), LNT_OK);
    check_status(ctx, lnt_record_json(ctx, &json, r), LNT_OK);
    expect_in(json.p, "\"layers\":[4,2]");
    expect_in(json.p, "\"data\":\"a \\\"quoted\\\"\\u000aname\\\\\"");
    expect_in(json.p, "\"loss\":{\"mean\":[3,1.5,0.1],\"sd\":[1,null,null]},\"arm\":{\"loss\":{\"theory\":[3,1.5]}}");
    expect_in(json.p, "\"final\":{\"loss\":0.1,\"steps\":12,\"cycle\":[1.5,null]}");
    expect_in(json.p, "{\"rows\":null,\"loss\":null,\"late\":true}");
    expect_in(json.p, "\"absolute\":1,\"relative\":1,\"sigmas\":2");
    expect_in(json.p, "\"holds\":false,\"measure\":0.5");
    expect_in(json.p, "4 numbers that are not finite");
    check_status(ctx, lnt_record_yaml(ctx, &yaml, r), LNT_OK);
    expect_in(yaml.p, "  lr: 0.1\n  layers: [4, 2]\n");
    assert_null(strstr(yaml.p, "threads"));
    assert_null(strstr(yaml.p, "absent"));
    lnt_config config;
    check_status(ctx, lnt_config_parse(ctx, &config, yaml.p, yaml.n, "run.yaml"), LNT_OK);
    assert_int_equal(config.count, 3);
    assert_string_equal(config.entry[2].text, "a \"quoted\"\nname\\");
    lnt_text_free(&json);
    lnt_text_free(&yaml);
    lnt_record_free(r);
}

static void csv_and_table_quote_and_align(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *r = make_record();
    lnt_text csv = {0}, print = {0}, none = {0};
    check_status(ctx, lnt_record_csv(ctx, &csv, r, "optimum"), LNT_OK);
    assert_string_equal(csv.p, "rows,loss,late\n\"all, \"\"of\"\" them\",0.25,\n,nan,true\n");
    check_failure(ctx, lnt_record_csv(ctx, &none, r, "nothing"), LNT_EUSAGE, "series, optimum");
    check_status(ctx, lnt_record_print(ctx, &print, r), LNT_OK);
    assert_true(strncmp(print.p, "warning: mind the gap\ndoes not hold: white", 42) == 0);
    lnt_text_free(&csv);
    lnt_text_free(&print);
    lnt_record_free(r);
}

/* Everything that was added comes back from the HDF5 image, and equal records give equal bytes. */
static void hdf5_brings_the_record_back(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *r = make_record(), *again = make_record(), *loaded;
    lnt_text image = {0}, image2 = {0};
    char path[] = "/tmp/linnet-record-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    check_status(ctx, lnt_store_hdf5(ctx, &image, r), LNT_OK);
    check_status(ctx, lnt_store_hdf5(ctx, &image2, again), LNT_OK);
    assert_int_equal(image.n, image2.n);
    assert_memory_equal(image.p, image2.p, image.n);
    check_status(ctx, lnt_write_atomic(ctx, path, image.p, image.n), LNT_OK);
    check_status(ctx, lnt_store_load(ctx, &loaded, path), LNT_OK);
    lnt_array a;
    lnt_value v;
    assert_string_equal(lnt_record_command(loaded), "train");
    assert_true(lnt_record_array(loaded, "loss/mean", &a) && a.is_series && a.dims[0] == 3 && a.values[2] == 0.1);
    assert_string_equal(a.unit, "nats");
    /* file[i,j] = A_ij: C order, while A stands column by column */
    assert_true(lnt_record_array(loaded, "weights/1", &a) && a.rank == 2 && a.dims[0] == 2 && a.dims[1] == 3);
    assert_true(a.values[0] == 1 && a.values[1] == 3 && a.values[3] == 2);
    assert_true(lnt_record_array(loaded, "weights/2", &a) && a.rank == 3 && a.dims[0] == 2);
    assert_true(lnt_record_get_fact(loaded, "final", "steps", &v) && v.kind == LNT_INTEGER && v.integer == 12);
    assert_true(lnt_record_array(loaded, "final/cycle", &a) && a.dims[0] == 2 && a.values[0] == 1.5);
    assert_true(lnt_record_get_parameter(loaded, "layers", &v) && v.kind == LNT_INTEGERS && v.list[1] == 2);
    assert_false(lnt_record_get_parameter(loaded, "threads", &v));
    assert_int_equal(lnt_record_rows(loaded, "optimum"), 2);
    assert_true(lnt_record_cell(loaded, "optimum", 0, "rows", &v));
    assert_string_equal(v.string, "all, \"of\" them");
    assert_true(lnt_record_cell(loaded, "optimum", 1, "loss", &v) && v.kind == LNT_NOTHING);
    assert_true(lnt_record_verdict(loaded));
    lnt_text_free(&image);
    lnt_text_free(&image2);
    lnt_record_free(r);
    lnt_record_free(again);
    lnt_record_free(loaded);
    remove(path);
    check_failure(ctx, lnt_store_load(ctx, &loaded, path), LNT_EMISSING, path);
}

/* Cutting the file anywhere, or flipping bytes of it, may fail but must not crash or hang. */
static void damaged_hdf5_is_refused(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *r = make_record(), *loaded;
    lnt_text image = {0};
    char path[] = "/tmp/linnet-record-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    check_status(ctx, lnt_store_hdf5(ctx, &image, r), LNT_OK);
    lnt_rng rng = lnt_rng_stream(15, 0, LNT_FOR_TESTS);
    for (int k = 0; k < 40; k++) {
        lnt_text damaged = {0};
        lnt_text_bytes(&damaged, image.p, k < 10 ? image.n * (size_t)k / 10 : image.n);
        for (int flips = 0; k >= 10 && flips < 20; flips++)
            damaged.p[lnt_rng_below(&rng, damaged.n)] = (char)lnt_rng_below(&rng, 256);
        check_status(ctx, lnt_write_atomic(ctx, path, damaged.p, damaged.n), LNT_OK);
        lnt_status status = lnt_store_load(ctx, &loaded, path);
        if (k < 10)
            check_status(ctx, status, LNT_EFORMAT);
        if (status == LNT_OK)
            lnt_record_free(loaded);
        lnt_ctx_clear(ctx);
        lnt_text_free(&damaged);
    }
    remove(path);
    lnt_text_free(&image);
    lnt_record_free(r);
}

static void figures_hide_nothing_in_labels(void **state)
{
    lnt_ctx *ctx = *state;
    const double x[] = {0, 1, 2}, y[] = {1, 2, 1};
    lnt_curve curves[] = {{"`touch /tmp/linnet-hostile`", LNT_CURVE_LINE, 3, x, y, NULL},
                          {"it's \"a\" $(label)\nset output", LNT_CURVE_BAND, 3, x, y, x}};
    lnt_panel panel = {.title = "t", .xlabel = "x_1", .ylabel = "y", .curves = 2, .curve = curves};
    lnt_figure figure = {"name", "caption", 1, &panel};
    lnt_text script = {0}, svg = {0}, png = {0};
    check_status(ctx, lnt_figure_script(ctx, &script, &figure), LNT_OK);
    expect_in(script.p, "title 'it''s \"a\" $(label) set output'");
    lnt_status status = lnt_figure_svg(ctx, &svg, &figure);
    if (status == LNT_EMISSING) {
        print_message("skipped drawing: %s\n", lnt_ctx_message(ctx));
    } else {
        check_status(ctx, status, LNT_OK);
        expect_in(svg.p, "`touch /tmp/linnet-hostile`");
        assert_null(fopen("/tmp/linnet-hostile", "r"));
        check_status(ctx, lnt_figure_convert(ctx, &png, &svg, LNT_PNG), LNT_OK);
        assert_memory_equal(png.p, "\x89PNG", 4);
    }
    lnt_text_free(&script);
    lnt_text_free(&svg);
    lnt_text_free(&png);
}

/* A signed matrix read like a table, a recovery diagram with a boundary and marks, a histogram. */
static void make_images(lnt_ctx *ctx, lnt_record *r, int rows, int cols, bool logx)
{
    double *x = lnt_alloc(ctx, (size_t)cols, sizeof *x), *y = lnt_alloc(ctx, (size_t)rows, sizeof *y);
    lnt_mat A, P;
    assert_true(x && y);
    check_status(ctx, lnt_mat_alloc(ctx, &A, rows, rows), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &P, rows, cols), LNT_OK);
    for (int j = 0; j < rows; j++)
        for (int i = 0; i < rows; i++)
            *lnt_at(A, i, j) = i == 0 && j == 1 ? NAN : cos(6.0 * (i - j) / rows) - 0.5 * i / rows;
    for (int j = 0; j < cols; j++) {
        x[j] = logx ? pow(10, 3.0 * j / cols) : (j + 1.0) / cols;
        for (int i = 0; i < rows; i++) {
            y[i] = (i + 1.0) / rows;
            *lnt_at(P, i, j) = 1 / (1 + exp(20 * (y[i] - (double)j / cols)));
        }
    }
    const lnt_image image[] = {{.label = "similarity", .entries = A},
                               {.label = "share `recovered'", .entries = P, .x = x, .y = y, .high = 1}};
    lnt_curve curve[] = {{"boundary", LNT_CURVE_THEORY, rows, y, y, NULL}, {"runs", LNT_CURVE_MARKS, rows, y, y, NULL}};
    const double bins[] = {0.5, 1.5, 2.5, 3.5}, counts[] = {1, 3, 0.5, 0};
    lnt_curve steps[] = {{"weights", LNT_CURVE_STEPS, 4, bins, counts, NULL}};
    const lnt_panel panel[] = {
        {.title = "", .xlabel = "row", .ylabel = "row", .image = image},
        {.title = "", .xlabel = "x", .ylabel = "y", .logx = logx, .curves = 2, .curve = curve, .image = image + 1},
        {.title = "", .xlabel = "x", .ylabel = "count", .curves = 1, .curve = steps}};
    const lnt_figure figure = {"images", "caption", 3, panel};
    lnt_record_figure(r, &figure);
    lnt_mat_fill(A, 1e9); /* the record holds copies */
    lnt_mat_fill(P, 1e9);
    x[0] = y[0] = 1e9;
}

/* The lines of one index of gnuplot data, and the sums of their numbers. */
static int count_lines(const char *data, int index, int numbers, double *sums)
{
    int lines = 0;
    memset(sums, 0, (size_t)numbers * sizeof *sums);
    for (; index > 0; index--)
        data = strstr(data, "\n\n\n") + 3;
    for (const char *end = strstr(data, "\n\n\n"); data < end; lines++) {
        for (int k = 0; k < numbers; k++) {
            char *rest;
            sums[k] += strtod(data, &rest);
            data = rest;
        }
        assert_int_equal(*data++, '\n');
    }
    return lines;
}

typedef struct image_case {
    int rows, cols, cells;
    bool logx, bitmap;
} image_case;

static void check_image(lnt_ctx *ctx, const image_case *c)
{
    lnt_record *r = lnt_record_new("x");
    lnt_text script = {0}, data = {0}, svg = {0};
    double sums[7], all = 0;
    make_images(ctx, r, c->rows, c->cols, c->logx);
    check_status(ctx, lnt_record_status(ctx, r), LNT_OK);
    const lnt_figure *figure = lnt_record_get_figure(r, 0);
    check_status(ctx, lnt_figure_script(ctx, &script, figure), LNT_OK);
    expect_in(script.p, "set cblabel 'share `recovered'''");
    expect_in(script.p, c->bitmap ? "index 1 using 1:2:3 with image" : "index 1 using 1:2:3:4:5:6:7 with box");
    check_status(ctx, lnt_figure_data(ctx, &data, figure), LNT_OK);
    int numbers = c->bitmap ? 3 : 7;
    assert_int_equal(count_lines(data.p, 1, numbers, sums), c->cells);
    lnt_mat P = figure->panel[1].image->entries;
    for (int j = 0; j < P.cols; j++)
        for (int i = 0; i < P.rows; i++)
            all += *lnt_at(P, i, j) / P.rows / P.cols;
    check_near(sums[numbers - 1] / c->cells, all, c->cells == P.rows * P.cols ? 1e-14 : 0.01, "mean of the cells");
    lnt_status status = lnt_figure_svg(ctx, &svg, figure);
    if (status != LNT_EMISSING) {
        check_status(ctx, status, LNT_OK);
        assert_in_range(svg.n, 1, 1000000);
    }
    lnt_ctx_clear(ctx);
    lnt_text_free(&script);
    lnt_text_free(&data);
    lnt_text_free(&svg);
    lnt_record_free(r);
}

static void images_are_cells_below_the_curves(void **state)
{
    lnt_ctx *ctx = *state;
    static const image_case cases[] = {{4, 5, 20, false, false},       {1, 1, 1, true, false},
                                       {60, 1, 48, false, false},      {50, 120, 6000, false, true},
                                       {90, 70, 48 * 48, true, false}, {450, 300, 200 * 200, false, true}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        check_image(ctx, &cases[k]);
        lnt_ctx_reset(ctx, mark);
    }
}

/* The upper end of the bar for a column of two entries. */
static double bar_of(lnt_ctx *ctx, const double *entries, bool *signs, double *low)
{
    const lnt_image image = {.label = "", .entries = lnt_mat_view((double *)(uintptr_t)entries, 2, 1)};
    const lnt_panel panel = {.title = "", .xlabel = "", .ylabel = "", .image = &image};
    const lnt_figure figure = {"f", "", 1, &panel};
    lnt_text script = {0};
    double high;
    check_status(ctx, lnt_figure_script(ctx, &script, &figure), LNT_OK);
    *signs = strstr(script.p, "(-1 '") != NULL;
    assert_int_equal(sscanf(strstr(script.p, "cbrange ["), "cbrange [%lf:%lf]", low, &high), 2);
    lnt_text_free(&script);
    return high;
}

static void colours_are_centred_where_signs_differ(void **state)
{
    static const struct {
        double entries[2], low, high;
        bool signs;
    } cases[] = {{{1, -3}, -3, 3, true},          {{1, 2}, 1, 2, false},          {{-1, -2}, -2, -1, false},
                 {{1, -1e-12}, -1e-12, 1, false}, {{0, 0}, 0, 1, false},          {{2, 2}, 0, 2, false},
                 {{-2, -2}, -2, 0, false},        {{NAN, INFINITY}, 0, 1, false}, {{NAN, 2}, 0, 2, false}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        bool signs;
        double low, high = bar_of(*state, cases[k].entries, &signs, &low);
        assert_int_equal(signs, cases[k].signs);
        assert_true(low == cases[k].low && high == cases[k].high);
    }
}

static void a_failed_check_turns_the_verdict(void **state)
{
    (void)state;
    lnt_record *r = lnt_record_new("x");
    assert_false(lnt_record_verdict(r)); /* no checks: nothing was shown */
    lnt_record_check(r, "good", 1, 1, 0);
    assert_true(lnt_record_verdict(r));
    lnt_record_check(r, "not a number", NAN, 1, 1e9);
    assert_false(lnt_record_verdict(r));
    lnt_record_free(r);
}

static void numbers_that_are_not_finite_are_not_known(void **state)
{
    (void)state;
    assert_true(lnt_known(-0.5).kind == LNT_NUMBER && lnt_known(-0.5).number == -0.5);
    assert_true(lnt_known(NAN).kind == LNT_NOTHING && lnt_known(-INFINITY).kind == LNT_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(json_and_yaml_hold_what_was_added),
                                       WITH_CTX(csv_and_table_quote_and_align),
                                       WITH_CTX(hdf5_brings_the_record_back),
                                       WITH_CTX(damaged_hdf5_is_refused),
                                       WITH_CTX(figures_hide_nothing_in_labels),
                                       WITH_CTX(images_are_cells_below_the_curves),
                                       WITH_CTX(colours_are_centred_where_signs_differ),
                                       cmocka_unit_test(numbers_that_are_not_finite_are_not_known),
                                       cmocka_unit_test(a_failed_check_turns_the_verdict)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
