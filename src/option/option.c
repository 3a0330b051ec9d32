#define _XOPEN_SOURCE 700 /* realpath */
#include "linnet/option.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const lnt_option *lnt_option_find(const lnt_option *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static lnt_status bad(lnt_ctx *ctx, const lnt_option *o, const char *text, const char *wanted)
{
    return lnt_fail(ctx, LNT_EUSAGE, "--%s %.80s: %s", o->name, text, wanted);
}

static lnt_status range_error(lnt_ctx *ctx, const lnt_option *o, const char *text)
{
    char low[LNT_NUMBER_CHARS], high[LNT_NUMBER_CHARS];
    const char *kind = o->type == LNT_OPT_REAL ? "number" : "whole number";
    bool whole = o->type != LNT_OPT_REAL;
    lnt_number_text(whole ? fmax(o->min, INT_MIN) : o->min, low);
    lnt_number_text(whole ? fmin(o->max, INT_MAX) : o->max, high);
    return lnt_fail(ctx, LNT_EUSAGE, "--%s %.80s: %sa %s from %s to %s is needed", o->name, text,
                    o->flags & LNT_OPT_AUTO ? "auto or " : "", kind, low, high);
}

static lnt_status set_flag(lnt_ctx *ctx, void *field, const lnt_option *o, const char *text)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    bool automatic = o->flags & LNT_OPT_AUTO;
    int value = automatic && strcmp(text, "auto") == 0 ? LNT_AUTO : 2;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        value = strcmp(text, yes[i]) == 0 ? 1 : strcmp(text, no[i]) == 0 ? 0 : value;
    if (value == 2)
        return bad(ctx, o, text, automatic ? "auto, true or false is needed" : "true or false is needed");
    if (automatic)
        *(int *)field = value;
    else
        *(bool *)field = value;
    return LNT_OK;
}

static bool read_integer(double *x, const char *text, size_t n, double low, double high)
{
    return lnt_number_read(text, n, x) && *x >= low && *x <= high && *x == floor(*x);
}

/* Seeds use all 64 bits, more than a double holds. */
static lnt_status set_seed(lnt_ctx *ctx, uint64_t *field, const lnt_option *o, const char *text)
{
    uint64_t seed = 0;
    if (*text == '\0')
        return bad(ctx, o, text, "a whole number from 0 to 2^64-1 is needed");
    for (const char *s = text; *s; s++)
        if (*s < '0' || *s > '9' || __builtin_mul_overflow(seed, (uint64_t)10, &seed) ||
            __builtin_add_overflow(seed, (uint64_t)(*s - '0'), &seed))
            return bad(ctx, o, text, "a whole number from 0 to 2^64-1 is needed");
    *field = seed;
    return LNT_OK;
}

static lnt_status set_choice(lnt_ctx *ctx, int *field, const lnt_option *o, const char *text)
{
    char wanted[256] = "use one of";
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(text, o->choices[i]) == 0) {
            *field = i;
            return LNT_OK;
        }
        if (strlen(wanted) + strlen(o->choices[i]) + 3 < sizeof wanted)
            strcat(strcat(wanted, i ? ", " : " "), o->choices[i]);
    }
    return bad(ctx, o, text, wanted);
}

static lnt_status set_integers(lnt_ctx *ctx, lnt_int_list *field, const lnt_option *o, const char *text)
{
    lnt_int_list list = {0};
    char wanted[128];
    snprintf(wanted, sizeof wanted,
             "whole numbers of at least %g separated by commas are needed, as in 40,20,10 (8x3 is 8,8,8)", o->min);
    for (const char *s = text; *text;) {
        size_t n = strcspn(s, ",");
        const char *times = memchr(s, 'x', n);
        double value, repeat = 1;
        if (!read_integer(&value, s, times ? (size_t)(times - s) : n, o->min, o->max) ||
            (times && !read_integer(&repeat, times + 1, n - (size_t)(times + 1 - s), 1, LNT_MOST_WIDTHS)))
            return bad(ctx, o, text, wanted);
        for (int k = 0; k < (int)repeat; k++) {
            if (list.count == LNT_MOST_WIDTHS)
                return bad(ctx, o, text, "at most 512 numbers");
            list.item[list.count++] = (int)value;
        }
        if (s[n] == '\0')
            break;
        s += n + 1;
    }
    *field = list;
    return LNT_OK;
}

static lnt_status set_integer(lnt_ctx *ctx, int *field, const lnt_option *o, const char *text)
{
    double x = LNT_AUTO;
    bool automatic = o->flags & LNT_OPT_AUTO && strcmp(text, "auto") == 0;
    if (!automatic && !read_integer(&x, text, strlen(text), fmax(o->min, INT_MIN), fmin(o->max, INT_MAX)))
        return range_error(ctx, o, text);
    *field = (int)x;
    return LNT_OK;
}

static lnt_status set_real(lnt_ctx *ctx, double *field, const lnt_option *o, const char *text)
{
    double x = NAN;
    bool automatic = o->flags & LNT_OPT_AUTO && strcmp(text, "auto") == 0;
    if (!automatic && (!lnt_number_read(text, strlen(text), &x) || !isfinite(x) || x < o->min || x > o->max))
        return range_error(ctx, o, text);
    *field = x;
    return LNT_OK;
}

static bool is_utf8(const char *s)
{
    int n;
    while ((n = lnt_utf8_length(s)) > 0)
        s += n;
    return *s == '\0';
}

lnt_status lnt_option_set(lnt_ctx *ctx, void *opts, const lnt_option *o, const char *text)
{
    void *field = (char *)opts + o->offset;
    switch (o->type) {
    case LNT_OPT_FLAG:
        return set_flag(ctx, field, o, text);
    case LNT_OPT_INTEGER:
        return set_integer(ctx, field, o, text);
    case LNT_OPT_SEED:
        return set_seed(ctx, field, o, text);
    case LNT_OPT_REAL:
        return set_real(ctx, field, o, text);
    case LNT_OPT_TEXT:
        if (!is_utf8(text)) /* YAML and JSON could not name it, and the run could not be repeated */
            return lnt_fail(ctx, LNT_EUSAGE, "--%s: the text is not valid UTF-8; rename the file", o->name);
        *(const char **)field = lnt_strdup(ctx, text);
        return *(const char **)field ? LNT_OK : LNT_ENOMEM;
    case LNT_OPT_CHOICE:
        return set_choice(ctx, field, o, text);
    case LNT_OPT_INTEGERS:
        return set_integers(ctx, field, o, text);
    }
    return LNT_EINVAL;
}

static lnt_value option_value(const lnt_option *o, const void *opts)
{
    const void *field = (const char *)opts + o->offset;
    switch (o->type) {
    case LNT_OPT_FLAG:
        if (o->flags & LNT_OPT_AUTO)
            return *(const int *)field == LNT_AUTO ? lnt_string("auto") : lnt_flag(*(const int *)field);
        return lnt_flag(*(const bool *)field);
    case LNT_OPT_INTEGER:
        return o->flags & LNT_OPT_AUTO && *(const int *)field == LNT_AUTO ? lnt_string("auto")
                                                                          : lnt_integer(*(const int *)field);
    case LNT_OPT_SEED: /* beyond 2^63 only a string keeps the digits */
        return *(const uint64_t *)field <= LONG_MAX ? lnt_integer((long)*(const uint64_t *)field) : lnt_string(NULL);
    case LNT_OPT_REAL:
        return isnan(*(const double *)field) ? lnt_string("auto") : lnt_number(*(const double *)field);
    case LNT_OPT_TEXT:
        return lnt_string(*(const char *const *)field);
    case LNT_OPT_CHOICE:
        return lnt_string(o->choices[*(const int *)field]);
    case LNT_OPT_INTEGERS:
        return lnt_integers(((const lnt_int_list *)field)->item, ((const lnt_int_list *)field)->count);
    }
    return (lnt_value){0};
}

/* Files are recorded by their absolute names, so that run.yaml works from everywhere; names of built-in data stay. */
static lnt_value file_value(const char *text, char resolved[2 * PATH_MAX])
{
    bool built_in = text && (strcmp(text, "digits") == 0 || strcmp(text, "mnist") == 0);
    if (!text || built_in)
        return lnt_string(text);
    size_t n = strlen(text);
    char file[PATH_MAX];
    if (realpath(text, resolved))
        return lnt_string(is_utf8(resolved) ? resolved : text);
    for (const char *colon = strchr(text, ':'); colon && n < sizeof file; colon = strchr(colon + 1, ':')) {
        snprintf(file, sizeof file, "%.*s", (int)(colon - text), text); /* FILE:DATASET */
        if (realpath(file, resolved))
            return lnt_string(is_utf8(resolved) ? strcat(resolved, colon) : text);
    }
    return lnt_string(text);
}

void lnt_options_record(lnt_record *record, const lnt_option *table, const void *opts)
{
    for (; table->name; table++) {
        lnt_value value = option_value(table, opts);
        char digits[24], resolved[2 * PATH_MAX];
        if (table->flags & LNT_OPT_INPUT)
            value = file_value(value.string, resolved);
        if (table->type == LNT_OPT_SEED && value.kind == LNT_NOTHING) {
            uint64_t seed = *(const uint64_t *)((const char *)opts + table->offset);
            snprintf(digits, sizeof digits, "%" PRIu64, seed);
            value = lnt_string(digits);
        }
        lnt_record_parameter(record, table->name, value, table->flags & LNT_OPT_HOW);
    }
}
