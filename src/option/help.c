#include "linnet/option.h"
#include "linnet/version.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define INDENT 28
#define WIDTH 100

/* Words of `text` from column `at` on, broken at WIDTH, continued at INDENT. */
static void put_wrapped(lnt_text *out, const char *text, int at, int indent)
{
    while (*text) {
        int n = (int)strcspn(text, " \n");
        if (at > indent && at + 1 + n > WIDTH) {
            lnt_text_add(out, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            lnt_text_add(out, " ");
            at++;
        }
        lnt_text_add(out, "%.*s", n, text);
        at += n;
        text += n;
        if (text[0] == '\n' && text[1] == '\n') {
            lnt_text_add(out, "\n\n%*s", indent, "");
            at = indent;
            text++;
        }
        text += *text != '\0';
    }
    lnt_text_add(out, "\n");
}

static void put_default(lnt_text *out, const lnt_option *o, const void *opts)
{
    const void *field = (const char *)opts + o->offset;
    const char *text;
    switch (o->type) {
    case LNT_OPT_FLAG:
        if (o->flags & LNT_OPT_AUTO)
            lnt_text_add(out, " (default auto; --no-%s turns it off)", o->name);
        else if (*(const bool *)field)
            lnt_text_add(out, " (default; --no-%s turns it off)", o->name);
        break;
    case LNT_OPT_INTEGER:
        if (o->flags & LNT_OPT_AUTO && *(const int *)field == LNT_AUTO)
            lnt_text_add(out, " (default auto)");
        else
            lnt_text_add(out, " (default %d)", *(const int *)field);
        break;
    case LNT_OPT_SEED:
        lnt_text_add(out, " (default %llu)", (unsigned long long)*(const uint64_t *)field);
        break;
    case LNT_OPT_REAL:
        lnt_text_add(out, " (default ");
        if (isnan(*(const double *)field))
            lnt_text_add(out, "auto");
        else
            lnt_text_number(out, *(const double *)field);
        lnt_text_add(out, ")");
        break;
    case LNT_OPT_TEXT:
        text = *(const char *const *)field;
        if (text)
            lnt_text_add(out, " (default %s)", text);
        break;
    case LNT_OPT_CHOICE:
        lnt_text_add(out, " (default %s)", o->choices[*(const int *)field]);
        break;
    case LNT_OPT_INTEGERS:
        break;
    }
}

static void put_name(lnt_text *out, const lnt_option *o)
{
    if (o->flags & LNT_OPT_POSITIONAL)
        lnt_text_add(out, "%s%s", o->value, o->flags & LNT_OPT_LIST ? "..." : "");
    else if (o->type == LNT_OPT_FLAG)
        lnt_text_add(out, "--%s", o->name);
    else
        lnt_text_add(out, "--%s %s", o->name, o->value);
}

static void put_option(lnt_text *out, const lnt_option *o, const void *opts)
{
    lnt_text name = {0}, help = {0};
    put_name(&name, o);
    lnt_text_add(&help, "%s", o->help);
    for (int i = 0; o->type == LNT_OPT_CHOICE && o->choices[i]; i++)
        lnt_text_add(&help, "%s%s", i ? ", " : ": ", o->choices[i]);
    put_default(&help, o, opts);
    out->failed = out->failed || name.failed || help.failed;
    if (!out->failed) {
        lnt_text_add(out, "  %-*s", INDENT - 3, name.p);
        lnt_text_add(out, name.n > INDENT - 3 ? "\n%*s" : "%*s", name.n > INDENT - 3 ? INDENT : 1, "");
        put_wrapped(out, help.p, INDENT, INDENT);
    }
    lnt_text_free(&name);
    lnt_text_free(&help);
}

static void put_options(lnt_text *out, const lnt_command *c, const lnt_option *common, const void *opts,
                        const void *common_opts, void (*put)(lnt_text *, const lnt_option *, const void *))
{
    for (const lnt_option *o = c->options; o->name; o++)
        put(out, o, opts);
    for (const lnt_option *o = common; o->name; o++)
        if (!lnt_option_find(c->options, o->name))
            put(out, o, common_opts);
}

static void put_usage(lnt_text *out, const lnt_command *c)
{
    lnt_text_add(out, "linnet %s", c->name);
    for (const lnt_option *o = c->options; o->name; o++)
        if (o->flags & LNT_OPT_POSITIONAL)
            lnt_text_add(out, " %s%s", o->value, o->flags & LNT_OPT_LIST ? "..." : "");
    lnt_text_add(out, " [options]");
}

/* The options struct with the command's defaults, and a zeroed one for the common options. */
static lnt_status make_defaults(lnt_ctx *ctx, void **opts, void **common, const lnt_command *command)
{
    *opts = lnt_alloc_zero(ctx, 1, command->size);
    *common = lnt_alloc_zero(ctx, 1, 4096);
    if (!*opts || !*common)
        return LNT_ENOMEM;
    command->defaults(*opts);
    return LNT_OK;
}

/* ---- Tables ---- */

#define COMMON_TABLES "deviations, assumptions, checks"

static bool is_listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *s = list; s; s = strchr(s, ',') ? strchr(s, ',') + 2 : NULL)
        if (strncmp(s, name, n) == 0 && (s[n] == ',' || s[n] == '\0'))
            return true;
    return false;
}

lnt_status lnt_command_check_table(lnt_ctx *ctx, const lnt_command *command, const char *name)
{
    if (!command->tables || is_listed("series, " COMMON_TABLES, name) || is_listed(command->tables, name))
        return LNT_OK;
    return lnt_fail(ctx, LNT_EUSAGE,
                    "linnet %s has no table '%s'; there are series, %s, " COMMON_TABLES ", as far as a run has them",
                    command->name, name, command->tables);
}

lnt_status lnt_command_help(lnt_ctx *ctx, lnt_text *out, const lnt_command *command, const lnt_option *common)
{
    void *opts, *common_opts;
    lnt_status status = make_defaults(ctx, &opts, &common_opts, command);
    if (status != LNT_OK)
        return status;
    lnt_text_add(out, "Examples:\n");
    for (int i = 0; command->examples[i]; i++)
        lnt_text_add(out, "  %s\n", command->examples[i]);
    lnt_text_add(out, "\nUsage: ");
    put_usage(out, command);
    lnt_text_add(out, "\n\n");
    put_wrapped(out, command->summary, 0, 0);
    lnt_text_add(out, "\n");
    put_wrapped(out, command->description, 0, 0);
    lnt_text_add(out, "\nOptions:\n");
    put_options(out, command, common, opts, common_opts, put_option);
    const char *tables = lnt_sprintf(ctx, "series, %s, " COMMON_TABLES, command->tables ? command->tables : "");
    if (!tables)
        return LNT_ENOMEM;
    if (command->tables) {
        lnt_text_add(out, "\nTables for --csv: ");
        put_wrapped(out, tables, 18, 18);
    }
    return lnt_text_status(ctx, out);
}

/* ---- Man page ---- */

static void put_roff(lnt_text *out, const char *s)
{
    for (bool start = true; *s; start = *s == '\n', s++) {
        if (start && (*s == '.' || *s == '\''))
            lnt_text_add(out, "\\&");
        if (*s == '\\')
            lnt_text_add(out, "\\e");
        else if (*s == '-')
            lnt_text_add(out, "\\-");
        else if (s[0] == '\n' && s[1] == '\n')
            lnt_text_add(out, "\n.PP");
        else
            lnt_text_bytes(out, s, 1);
    }
}

static void put_man_option(lnt_text *out, const lnt_option *o, const void *opts)
{
    lnt_text line = {0};
    put_name(&line, o);
    lnt_text_add(&line, "\n%s", o->help);
    for (int i = 0; o->type == LNT_OPT_CHOICE && o->choices[i]; i++)
        lnt_text_add(&line, "%s%s", i ? ", " : ": ", o->choices[i]);
    put_default(&line, o, opts);
    out->failed = out->failed || line.failed;
    lnt_text_add(out, ".TP\n.B ");
    if (line.p)
        put_roff(out, line.p);
    lnt_text_add(out, "\n");
    lnt_text_free(&line);
}

lnt_status lnt_command_man(lnt_ctx *ctx, lnt_text *out, const lnt_command *command, const lnt_option *common)
{
    void *opts, *common_opts;
    lnt_status status = make_defaults(ctx, &opts, &common_opts, command);
    if (status != LNT_OK)
        return status;
    lnt_text_add(out, ".TH LINNET\\-");
    for (const char *s = command->name; *s; s++)
        lnt_text_add(out, "%c", *s == ' ' ? '-' : toupper((unsigned char)*s));
    lnt_text_add(out, " 1 \"\" \"linnet %s\" \"linnet manual\"\n.SH NAME\nlinnet\\-%s \\- ", LNT_VERSION,
                 command->name);
    put_roff(out, command->summary);
    lnt_text_add(out, "\n.SH SYNOPSIS\n.B ");
    put_usage(out, command);
    lnt_text_add(out, "\n.SH DESCRIPTION\n");
    put_roff(out, command->description);
    lnt_text_add(out, "\n.SH EXAMPLES\n.nf\n");
    for (int i = 0; command->examples[i]; i++) {
        put_roff(out, command->examples[i]);
        lnt_text_add(out, "\n");
    }
    lnt_text_add(out, ".fi\n.SH OPTIONS\n");
    put_options(out, command, common, opts, common_opts, put_man_option);
    if (command->tables)
        lnt_text_add(out, ".SH TABLES\nFor \\-\\-csv: series, %s, " COMMON_TABLES ".\n", command->tables);
    lnt_text_add(out,
                 ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 3 finished without meeting its tolerance or with "
                 "a failed verdict, 130 interrupted.\n");
    return lnt_text_status(ctx, out);
}
