/* Every command: its defaults, its help and its man page. */
#include "check.h"

static const lnt_option common[] = {{"json", LNT_OPT_FLAG, 0, LNT_OPT_HOW, 0, 0, NULL, NULL, "print one JSON object"},
                                    {NULL, LNT_OPT_FLAG, 0, 0, 0, 0, NULL, NULL, NULL}};

static bool in_range(const lnt_option *t, const void *field)
{
    int choices = 0;
    bool inside = true;
    switch (t->type) {
    case LNT_OPT_REAL:
        return (t->flags & LNT_OPT_AUTO && isnan(*(const double *)field)) ||
               (*(const double *)field >= t->min && *(const double *)field <= t->max);
    case LNT_OPT_INTEGER:
        return (t->flags & LNT_OPT_AUTO && *(const int *)field == LNT_AUTO) ||
               (*(const int *)field >= t->min && *(const int *)field <= t->max);
    case LNT_OPT_CHOICE:
        while (t->choices[choices])
            choices++;
        return *(const int *)field >= 0 && *(const int *)field < choices;
    case LNT_OPT_INTEGERS:
        for (int i = 0; i < ((const lnt_int_list *)field)->count; i++)
            inside = inside && ((const lnt_int_list *)field)->item[i] >= t->min &&
                     ((const lnt_int_list *)field)->item[i] <= t->max;
        return inside;
    default:
        return true;
    }
}

static void defaults_lie_in_their_range(void **state)
{
    for (const lnt_command *c = lnt_commands; c->name; c++) {
        char *o = lnt_alloc_zero(*state, 1, c->size);
        assert_non_null(o);
        c->defaults(o);
        for (const lnt_option *t = c->options; t->name; t++)
            if (t->offset >= c->size || !in_range(t, o + t->offset))
                fail_msg("the default of linnet %s --%s is out of its range", c->name, t->name);
    }
}

/* `what` as the man page writes it. */
static const char *in_roff(lnt_ctx *ctx, const char *what)
{
    lnt_text text = {0};
    for (; *what; what++)
        lnt_text_add(&text, *what == '-' ? "\\-" : *what == '\\' ? "\\e" : "%c", *what);
    const char *copy = lnt_strdup(ctx, text.p);
    lnt_text_free(&text);
    return copy;
}

static void help_and_man_mention_every_option(void **state)
{
    for (const lnt_command *c = lnt_commands; c->name; c++) {
        lnt_text help = {0}, man = {0};
        check_status(*state, lnt_command_help(*state, &help, c, common), LNT_OK);
        check_status(*state, lnt_command_man(*state, &man, c, common), LNT_OK);
        for (int t = 0; t < 2; t++)
            for (const lnt_option *o = t ? common : c->options; o->name; o++) {
                bool bare = o->flags & LNT_OPT_POSITIONAL;
                const char *name = lnt_sprintf(*state, "%s%s", bare ? "" : "--", bare ? o->value : o->name);
                /* at the start of a line: examples mention options, too */
                if (!strstr(help.p, lnt_sprintf(*state, "\n  %s", name)) ||
                    !strstr(man.p, lnt_sprintf(*state, ".TP\n.B %s", in_roff(*state, name))))
                    fail_msg("the help or man page of linnet %s does not mention %s", c->name, name);
                for (int i = 0; o->type == LNT_OPT_CHOICE && o->choices[i]; i++)
                    assert_non_null(strstr(help.p, o->choices[i]));
            }
        assert_true(c->examples[0] && c->examples[1]);
        for (int i = 0; c->examples[i]; i++)
            assert_true(strstr(help.p, c->examples[i]) && strstr(man.p, in_roff(*state, c->examples[i])));
        assert_true(strncmp(man.p, ".TH ", 4) == 0 && strstr(man.p, ".SH NAME\n"));
        for (const char *line = help.p; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
            if (strcspn(line, "\n") > 120)
                fail_msg("linnet %s: a line of help is too long: %.130s", c->name, line);
        lnt_text_free(&help);
        lnt_text_free(&man);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(defaults_lie_in_their_range),
        WITH_CTX(help_and_man_mention_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
