#include "../../src/study/experiment.h"
#include "check.h"

#include "linnet/figure.h"
#include "linnet/report.h"

static void expect_in(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' is not in '%.300s'", part, text ? text : "");
}

static void expect_formula(lnt_ctx *ctx, const char *tex, const char *mathml)
{
    lnt_text out = {0};
    check_status(ctx, lnt_report_formula(ctx, &out, tex), LNT_OK);
    expect_in(out.p, mathml);
    lnt_text_free(&out);
}

static void formulas_become_mathml(void **state)
{
    lnt_ctx *ctx = *state;
    expect_formula(ctx, "x_1^2", "<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>");
    expect_formula(ctx, "x^2_1", "<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>");
    expect_formula(ctx, "\\frac{1}{2n} \\sum_i",
                   "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn><mi>n</mi></mrow></mfrac>"
                   "<munder><mo>∑</mo><mi>i</mi></munder>");
    expect_formula(ctx, "\\sqrt{\\lambda}", "<msqrt><mrow><mi>λ</mi></mrow></msqrt>");
    expect_formula(ctx, "a < b - c", "<mo>&lt;</mo><mi>b</mi><mo>−</mo>");
    expect_formula(ctx, "\\text{if 1 < 2}", "<mtext>if 1 &lt; 2</mtext>");
    expect_formula(ctx, "a\nb", "<mi>a</mi></mrow></math></div>\n<div");
    expect_formula(ctx, "W_{\\text{eff}}", "<msub><mi>W</mi><mrow><mtext>eff</mtext></mrow></msub>");
}

static void formulas_that_cannot_be_read_are_named(void **state)
{
    static const char *const wrong[][2] = {{"\\nothing", "unknown name 'nothing'"},
                                           {"{a", "} is missing"},
                                           {"a}", "unexpected '}'"},
                                           {"x_1_2", "two indices"},
                                           {"\\frac{1}2", "{ expected"},
                                           {"\\text a", "{text} expected"},
                                           {"a^", "unexpected"},
                                           {"a#", "unexpected '#'"},
                                           {"\\sqrt{a\n}", "} is missing"},
                                           {"\\", "unknown name"}};
    lnt_ctx *ctx = *state;
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        lnt_text out = {0};
        check_failure(ctx, lnt_report_formula(ctx, &out, wrong[k][0]), LNT_EFORMAT, wrong[k][1]);
        lnt_text_free(&out);
    }
}

static lnt_record *make_record(double value)
{
    lnt_record *record = lnt_record_new("reproduce");
    assert_non_null(record);
    lnt_record_deviation(record, "loss", 1.01, 1, NAN, 0.005);
    lnt_record_deviation(record, "other <loss>", 3, 1, NAN, NAN);
    lnt_record_check(record, "loss: absolute", value, 1, 0.1);
    lnt_record_check(record, "rank", 3, 3, 0);
    return record;
}

/* What is found follows the numbers: the same words over other ones say the opposite. */
static void findings_follow_the_numbers(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_text good = {0}, bad = {0};
    lnt_record *holds = make_record(1.05), *fails = make_record(1.25);
    check_status(ctx, lnt_report_finding(ctx, &good, "It is {loss: absolute}, not {nothing}.", holds), LNT_OK);
    expect_in(good.p, "It is 1.05, not ?. All checks hold, 2 of them; nearest to its limit, at 50 % of the tolerance");
    expect_in(good.p, "Of 2 deviations between simulation and theory 1 is judged; the largest of these is 1 % or 2 "
                      "standard errors, in “loss”");
    check_status(ctx, lnt_report_finding(ctx, &bad, NULL, fails), LNT_OK);
    expect_in(bad.p, "1 of 2 checks fails: “loss: absolute” is 1.25, expected 1 within 0.1");
    lnt_text_free(&good);
    lnt_text_free(&bad);
    lnt_record_free(holds);
    lnt_record_free(fails);
}

static void judges_are_found_by_name(void **state)
{
    lnt_record *record = make_record(1);
    (void)state;
    assert_int_equal(lnt_record_judge(record, "loss"), 0);
    assert_int_equal(lnt_record_judge(record, "rank"), 1);
    assert_int_equal(lnt_record_judge(record, "ran"), -1);
    assert_int_equal(lnt_record_judge(record, "other <loss>"), -1);
    lnt_record_free(record);
}

static void deviations_that_are_no_numbers_fail(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *record = lnt_record_new("reproduce");
    lnt_record_deviation(record, "good", 1, 1, NAN, NAN);
    lnt_record_deviation(record, "without a relative one", 1, 0, NAN, NAN);
    lnt_judge(ctx, record, "", "relative", 1e-9);
    assert_true(lnt_record_rows(record, "checks") == 1 && lnt_record_verdict(record));
    lnt_record_deviation(record, "lost", NAN, 1, NAN, NAN);
    lnt_judge(ctx, record, "", "relative", 1e-9);
    assert_true(lnt_record_rows(record, "checks") == 2 && !lnt_record_verdict(record));
    lnt_record_free(record);
}

/* Everything that comes from outside is escaped; the same record gives the same bytes; a failure shows everywhere. */
static void pages_are_whole(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *record = make_record(1.25);
    lnt_record_warn(record, "a <warning> & more");
    const lnt_drawing drawing = {
        "caption \"<&>\"",
        "<?xml version=\"1.0\"?>\n<svg width=\"9\" viewBox=\"0 0 9 9\">\n<title>Gnuplot</title>\n"
        "<g fill=\"none\" color=\"black\">\n</g>\n<circle id='dot'/><use href='#dot'/>\n</svg>\n",
        "one/figure-a"};
    const lnt_chapter chapter[] = {
        {"one", "title <1>", "why?", "group", "x^2", NULL, NULL, record, &drawing, 1},
        {"two", "second", "what?", "group", NULL, NULL, "its data are missing & so on", NULL, NULL, 0}};
    lnt_text page = {0}, again = {0};
    check_status(ctx, lnt_report_html(ctx, &page, "a < b", chapter, 2), LNT_OK);
    check_status(ctx, lnt_report_html(ctx, &again, "a < b", chapter, 2), LNT_OK);
    assert_int_equal(page.n, again.n);
    assert_memory_equal(page.p, again.p, page.n);
    static const char *const parts[] = {"<title>a &lt; b</title>",
                                        "title &lt;1&gt;</h2>",
                                        "a &lt;warning&gt; &amp; more",
                                        "aria-label=\"caption &quot;&lt;&amp;&gt;&quot;\"",
                                        "<figcaption>caption &quot;&lt;&amp;&gt;&quot; <span",
                                        "href=\"one/figure-a.pdf\"",
                                        "viewBox=\"0 0 9 9\"",
                                        "<circle id='c0d0-dot'/><use href='#c0d0-dot'/>",
                                        "Not run: its data are missing &amp; so on",
                                        "other &lt;loss&gt;</td>",
                                        "not covered by a tolerance",
                                        "<span class=\"fail\">fails</span>: absolute 1.25, expected 1 ± 0.1",
                                        "<code>test_notebook_03_the_same_rows_each_epoch</code>",
                                        "</body></html>"};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
        expect_in(page.p, parts[k]);
    assert_null(strstr(page.p, "Gnuplot"));
    assert_null(strstr(page.p, "<g fill=\"none\""));
    lnt_text_free(&page);
    lnt_text_free(&again);
    lnt_record_free(record);
}

/* A drawing says where its axes lie, and its labels are data. */
static void drawings_know_their_axes(void **state)
{
    lnt_ctx *ctx = *state;
    const double x[] = {1, 10, 1000}, y[] = {1, 2, 3};
    const lnt_curve curves[] = {{"a \"<&>\\", LNT_CURVE_POINTS, 3, x, y, NULL},
                                {"", LNT_CURVE_BAND, 3, x, y, x},
                                {"theory", LNT_CURVE_THEORY, 3, x, y, NULL},
                                {"", LNT_CURVE_THEORY, 3, x, y, NULL}};
    const lnt_panel panel[] = {{.title = "", .xlabel = "x", .ylabel = "y", .logx = true, .curves = 4, .curve = curves},
                               {.title = "", .xlabel = "x", .ylabel = "y", .curves = 1, .curve = curves}};
    lnt_text svg = {0};
    lnt_status status = lnt_figure_svg(ctx, &svg, &(lnt_figure){"name", "caption", 2, panel});
    if (status == LNT_EMISSING) {
        print_message("skipped drawing: %s\n", lnt_ctx_message(ctx));
        lnt_ctx_clear(ctx);
    } else {
        check_status(ctx, status, LNT_OK);
        expect_in(svg.p, "<metadata>[{\"box\":[");
        expect_in(svg.p, "\"x\":[1,1000,true],\"y\":[");
        expect_in(svg.p, "\"curves\":[\"a \\\"&lt;&amp;>\\\\\",null,\"theory\",\"theory\"]},{\"box\":[");
        expect_in(svg.p, "]</metadata>\n</svg>\n");
        assert_int_equal(strlen(strstr(svg.p, "</svg>")), strlen("</svg>\n\n"));
    }
    lnt_text_free(&svg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(formulas_become_mathml),
        WITH_CTX(formulas_that_cannot_be_read_are_named),
        WITH_CTX(findings_follow_the_numbers),
        WITH_CTX(judges_are_found_by_name),
        WITH_CTX(deviations_that_are_no_numbers_fail),
        WITH_CTX(pages_are_whole),
        WITH_CTX(drawings_know_their_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
