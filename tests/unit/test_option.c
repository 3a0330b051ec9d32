/* Options from text and from YAML. */
#include "check.h"

typedef struct opts {
    bool flag;
    int whole, choice;
    uint64_t seed;
    double real;
    const char *text;
    lnt_int_list list;
} opts;

static const char *const colours[] = {"red", "green", "blue", NULL};

#define AT(field) offsetof(opts, field)
static const lnt_option table[] = {{"flag", LNT_OPT_FLAG, AT(flag), 0, 0, 0, NULL, NULL, "a flag"},
                                   {"whole", LNT_OPT_INTEGER, AT(whole), 0, -5, 2000, "N", NULL, "a whole number"},
                                   {"wide", LNT_OPT_INTEGER, AT(whole), 0, -1e300, 1e300, "N", NULL, "any int"},
                                   {"seed", LNT_OPT_SEED, AT(seed), 0, 0, 0, "N", NULL, "a seed"},
                                   {"real", LNT_OPT_REAL, AT(real), 0, 0, 1e300, "X", NULL, "a number"},
                                   {"rate", LNT_OPT_REAL, AT(real), LNT_OPT_AUTO, 0, 1, "X", NULL, "a rate"},
                                   {"count", LNT_OPT_INTEGER, AT(whole), LNT_OPT_AUTO, 0, 2000, "N", NULL, "a count"},
                                   {"text", LNT_OPT_TEXT, AT(text), 0, 0, 0, "T", NULL, "a text"},
                                   {"choice", LNT_OPT_CHOICE, AT(choice), 0, 0, 0, "NAME", colours, "a colour"},
                                   {"list", LNT_OPT_INTEGERS, AT(list), 0, 1, 1e6, "N,N", NULL, "widths"},
                                   {NULL, LNT_OPT_FLAG, 0, 0, 0, 0, NULL, NULL, NULL}};

static const opts untouched = {true, -77, 1, 77, -7.5, "before", {1, {9}}};

static lnt_status set(lnt_ctx *ctx, opts *o, const char *name, const char *text)
{
    memcpy(o, &untouched, sizeof *o); /* with its padding, for comparisons of bytes */
    assert_non_null(lnt_option_find(table, name));
    return lnt_option_set(ctx, o, lnt_option_find(table, name), text);
}

static void accept(lnt_ctx *ctx, opts *o, const char *name, const char *text)
{
    check_status(ctx, set(ctx, o, name, text), LNT_OK);
}

/* ---- One option ---- */

static void values_that_are_accepted(void **state)
{
    lnt_ctx *ctx = *state;
    opts o;
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (int i = 0; i < 4; i++) {
        accept(ctx, &o, "flag", no[i]);
        assert_false(o.flag);
        accept(ctx, &o, "flag", yes[i]);
        assert_true(o.flag);
    }
    accept(ctx, &o, "whole", "1e3");
    assert_int_equal(o.whole, 1000);
    accept(ctx, &o, "whole", "-5");
    assert_int_equal(o.whole, -5);
    accept(ctx, &o, "wide", "-2147483648");
    assert_int_equal(o.whole, INT32_MIN);
    accept(ctx, &o, "real", "1e-3");
    assert_true(o.real == .001);
    accept(ctx, &o, "rate", ".5");
    assert_true(o.real == .5);
    accept(ctx, &o, "rate", "auto");
    assert_true(isnan(o.real));
    accept(ctx, &o, "count", "0");
    assert_int_equal(o.whole, 0);
    accept(ctx, &o, "count", "auto");
    assert_int_equal(o.whole, LNT_AUTO);
    assert_int_not_equal(set(ctx, &o, "count", "-1"), LNT_OK);
    lnt_ctx_clear(ctx);
    assert_int_not_equal(set(ctx, &o, "whole", "auto"), LNT_OK);
    lnt_ctx_clear(ctx);
    assert_int_not_equal(set(ctx, &o, "rate", "nan"), LNT_OK);
    lnt_ctx_clear(ctx);
    assert_int_not_equal(set(ctx, &o, "real", "auto"), LNT_OK);
    assert_true(o.real == untouched.real);
    lnt_ctx_clear(ctx);
    accept(ctx, &o, "choice", "blue");
    assert_int_equal(o.choice, 2);
    accept(ctx, &o, "seed", "18446744073709551615");
    assert_true(o.seed == UINT64_MAX);
    accept(ctx, &o, "seed", "0");
    assert_true(o.seed == 0);
    char text[] = "abc";
    accept(ctx, &o, "text", text);
    text[0] = 'x';
    assert_string_equal(o.text, "abc");
}

static void lists_that_are_accepted(void **state)
{
    const struct {
        const char *text;
        int count, first, last;
    } good[] = {{"8x3,2", 4, 8, 2},     {"40,20,10", 3, 40, 10}, {"7", 1, 7, 7},
                {"1e3", 1, 1000, 1000}, {"2x512", 512, 2, 2},    {" 3 , 4 ", 2, 3, 4}};
    opts o;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        accept(*state, &o, "list", good[i].text);
        if (o.list.count != good[i].count || o.list.item[0] != good[i].first ||
            o.list.item[o.list.count - 1] != good[i].last)
            fail_msg("'%s' gave %d numbers, from %d", good[i].text, o.list.count, o.list.item[0]);
    }
    accept(*state, &o, "list", "8x3,2");
    assert_true(o.list.item[1] == 8 && o.list.item[2] == 8);
    accept(*state, &o, "list", "");
    assert_int_equal(o.list.count, 0);
}

static void values_that_are_refused(void **state)
{
    static const char *const bad[][2] = {{"flag", ""},           {"flag", "maybe"},
                                         {"flag", "2"},          {"whole", ""},
                                         {"whole", "1.5"},       {"whole", "2001"},
                                         {"whole", "-6"},        {"whole", "nan"},
                                         {"whole", "1e999"},     {"whole", "12x"},
                                         {"wide", "2147483648"}, {"wide", "-2147483649"},
                                         {"wide", "inf"},        {"real", "nan"},
                                         {"real", "inf"},        {"real", "1e999"},
                                         {"real", "-1e-9"},      {"real", "1,5"},
                                         {"real", ""},           {"real", "one"},
                                         {"seed", ""},           {"seed", "-1"},
                                         {"seed", "1.5"},        {"seed", "18446744073709551616"},
                                         {"seed", "1 "},         {"seed", "99999999999999999999999"},
                                         {"choice", ""},         {"choice", "Red"},
                                         {"choice", "gre"},      {"list", "8,"},
                                         {"list", ",8"},         {"list", "8,,8"},
                                         {"list", "0"},          {"list", "1.5"},
                                         {"list", "8x"},         {"list", "x3"},
                                         {"list", "8x0"},        {"list", "8x-1"},
                                         {"list", "8x2x2"},      {"list", "2x513"},
                                         {"list", "1x500,2x13"}, {"list", "1e7"},
                                         {"list", "8;3"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        opts o;
        lnt_status status = set(*state, &o, bad[i][0], bad[i][1]);
        if (status == LNT_OK)
            fail_msg("--%s '%s' was accepted", bad[i][0], bad[i][1]);
        check_failure(*state, status, LNT_EUSAGE, lnt_sprintf(*state, "--%s %s: ", bad[i][0], bad[i][1]));
        assert_memory_equal(&o, &untouched, sizeof o);
    }
}

static void refusals_say_what_would_be_right(void **state)
{
    opts o;
    check_failure(*state, set(*state, &o, "whole", "7000"), LNT_EUSAGE, "from -5 to 2000");
    check_failure(*state, set(*state, &o, "choice", "pink"), LNT_EUSAGE, "red, green, blue");
    check_failure(*state, set(*state, &o, "flag", "maybe"), LNT_EUSAGE, "true or false");
    check_failure(*state, set(*state, &o, "seed", "x"), LNT_EUSAGE, "0 to 2^64-1");
    check_failure(*state, set(*state, &o, "list", "a"), LNT_EUSAGE, "8x3");
    /* 2147483648 satisfies "at least": the message must name the upper end */
    check_failure(*state, set(*state, &o, "wide", "2147483648"), LNT_EUSAGE, "2147483647");
    assert_null(lnt_option_find(table, "nothing"));
}

/* ---- YAML ---- */

static lnt_status read_yaml(lnt_ctx *ctx, lnt_config *config, const char *text)
{
    return lnt_config_parse(ctx, config, text, strlen(text), "a.yaml");
}

static void a_good_file_sets_every_option(void **state)
{
    lnt_config c;
    opts o = untouched;
    check_status(*state,
                 read_yaml(*state, &c,
                           "# note\ncommand: train\nversion: \"1.2\"\noptions:\n  flag: no\n  whole: 1e3\n"
                           "  seed: 18446744073709551615\n  real: 2.5\n  text: \"a: b\"\n  choice: green\n"
                           "  list: [4, 2x2,\n    1]\n"),
                 LNT_OK);
    assert_string_equal(c.command, "train");
    assert_string_equal(c.version, "1.2");
    assert_int_equal(c.count, 7);
    assert_string_equal(c.entry[1].name, "whole");
    assert_int_equal(c.entry[1].line, 6);
    check_status(*state, lnt_config_apply(*state, &o, table, &c, "a.yaml"), LNT_OK);
    assert_true(!o.flag && o.whole == 1000 && o.seed == UINT64_MAX && o.real == 2.5 && o.choice == 1);
    assert_string_equal(o.text, "a: b");
    assert_true(o.list.count == 4 && o.list.item[0] == 4 && o.list.item[3] == 1);
}

static void files_may_leave_things_out(void **state)
{
    static const char *const good[] = {
        "command: train\n",           "options: {}\n",           "{}\n", "options:\n  list: []\n",
        "---\ncommand: train\n...\n", "options: {whole: &a 3}\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        lnt_config c;
        opts o = untouched;
        if (read_yaml(*state, &c, good[i]) != LNT_OK)
            fail_msg("'%s': %s", good[i], lnt_ctx_message(*state));
        check_status(*state, lnt_config_apply(*state, &o, table, &c, "a.yaml"), LNT_OK);
    }
}

static void refuse_yaml(lnt_ctx *ctx, const char *text, const char *part)
{
    lnt_config c;
    lnt_status status = read_yaml(ctx, &c, text);
    if (status == LNT_OK)
        fail_msg("'%s' was accepted", text);
    if (!strstr(lnt_ctx_message(ctx), "a.yaml"))
        fail_msg("the message for '%s' does not name the file: %s", text, lnt_ctx_message(ctx));
    check_failure(ctx, status, LNT_EFORMAT, part);
}

static void files_that_are_refused(void **state)
{
    static const char *const bad[][2] = {{"", "line"},
                                         {"# nothing\n", "line"},
                                         {"just text\n", "line 1"},
                                         {"- a\n- b\n", "line 1"},
                                         {"command: train\nlr: 3\n", "line 2: 'lr'"},
                                         {"options: 3\n", "line 1"},
                                         {"options: [1]\n", "line 1"},
                                         {"options:\n  lr: {a: 1}\n", "line 2"},
                                         {"options:\n  lr: 1\n  lr: 2\n", "line 3: 'lr' is given twice"},
                                         {"options:\n  list: [1, [2]]\n", "line 2"},
                                         {"options:\n  list: [1, {a: 2}]\n", "line 2"},
                                         {"options:\n  ? [a]\n  : 1\n", "line 2"},
                                         {"options:\n  a: &x 1\n  b: *x\n", "line 3"},
                                         {"command: {a: b}\n", "line 1"},
                                         {"options:\n  a: \"open\n", "line"},
                                         {"options:\n\ta: 1\n", "line 2"},
                                         {"options: {a: 1\n", "line"},
                                         {"a: b: c\n", "line 1"},
                                         {"command: \xff\xfe\n", "line"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse_yaml(*state, bad[i][0], bad[i][1]);
    char deep[3000] = "options: ";
    memset(deep + 9, '[', sizeof deep - 10);
    refuse_yaml(*state, deep, "line");
}

/* Of two contradicting lines neither may win silently. */
static void a_key_given_twice_is_refused(void **state)
{
    refuse_yaml(*state, "command: train\ncommand: apply\n", "line 2");
    refuse_yaml(*state, "version: 1\nversion: 2\n", "line 2");
    refuse_yaml(*state, "options:\n  a: 1\noptions:\n  b: 1\n", "line 3");
}

static void a_second_document_is_refused(void **state)
{
    refuse_yaml(*state, "command: train\n---\ncommand: apply\n", "line");
    refuse_yaml(*state, "command: train\n...\n]\n", "line");
}

static lnt_status read_whole(lnt_ctx *ctx, void *text)
{
    lnt_config c = {0};
    lnt_status status = read_yaml(ctx, &c, text);
    return status == LNT_OK && !(c.count == 3 && c.entry[0].text) ? LNT_EINVAL : status;
}

static void running_out_of_memory_is_reported(void **state)
{
    static char text[] = "command: train\noptions:\n  list: []\n  text: [a, b]\n  whole: 3\n";
    (void)state;
    check_allocations(read_whole, text, LNT_OK, 1000);
}

static void applying_names_the_line(void **state)
{
    lnt_config c;
    opts o = untouched;
    check_status(*state, read_yaml(*state, &c, "options:\n  whole: 3\n  wholly: 4\n"), LNT_OK);
    check_failure(*state, lnt_config_apply(*state, &o, table, &c, "a.yaml"), LNT_EUSAGE,
                  "a.yaml: line 3: there is no option 'wholly'");
    check_status(*state, read_yaml(*state, &c, "options:\n  whole: 1e999\n"), LNT_OK);
    check_failure(*state, lnt_config_apply(*state, &o, table, &c, "a.yaml"), LNT_EUSAGE, "whole 1e999");
}

/* What run.yaml says must be read back as what it was made of. */
static void resolved_options_round_trip(void **state)
{
    lnt_record *record = lnt_record_new("test");
    opts o = {true, 2000, 2, UINT64_MAX, 1. / 3, "#\"\\: 'x'\n\t{", {3, {5, 6, 7}}}, back = untouched;
    lnt_text yaml = {0};
    lnt_config c;
    assert_non_null(record);
    lnt_options_record(record, table, &o);
    check_status(*state, lnt_record_yaml(*state, &yaml, record), LNT_OK);
    check_status(*state, lnt_config_parse(*state, &c, yaml.p, yaml.n, "run.yaml"), LNT_OK);
    check_status(*state, lnt_config_apply(*state, &back, table, &c, "run.yaml"), LNT_OK);
    assert_string_equal(c.command, "test");
    assert_string_equal(back.text, o.text);
    assert_true(back.flag && back.whole == 2000 && back.choice == 2 && back.seed == UINT64_MAX && back.real == 1. / 3);
    assert_memory_equal(back.list.item, o.list.item, 3 * sizeof(int));
    assert_int_equal(back.list.count, 3);
    lnt_text_free(&yaml);
    lnt_record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(values_that_are_accepted),
        WITH_CTX(lists_that_are_accepted),
        WITH_CTX(values_that_are_refused),
        WITH_CTX(refusals_say_what_would_be_right),
        WITH_CTX(a_good_file_sets_every_option),
        WITH_CTX(files_may_leave_things_out),
        WITH_CTX(files_that_are_refused),
        WITH_CTX(a_key_given_twice_is_refused),
        WITH_CTX(a_second_document_is_refused),
        WITH_CTX(applying_names_the_line),
        cmocka_unit_test(running_out_of_memory_is_reported),
        WITH_CTX(resolved_options_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
