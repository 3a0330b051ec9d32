/* JSON is written here and not through a library because numbers must be the shortest decimals that read back the
 * same, which the packaged ones do not offer. */
#include "internal.h"
#include "linnet/version.h"

#include <math.h>
#include <string.h>

typedef struct writer {
    lnt_text *out;
    int nulls; /* numbers that were not finite */
} writer;

static void put_string(lnt_text *out, const char *s)
{
    lnt_text_add(out, "\"");
    while (*s) {
        unsigned char c = (unsigned char)*s;
        int n = lnt_utf8_length(s);
        if (c == '"' || c == '\\')
            lnt_text_add(out, "\\%c", c);
        else if (c < 0x20 || n == 0) /* a byte that is no UTF-8 becomes the replacement character */
            lnt_text_add(out, "\\u%04x", n == 0 ? 0xfffd : c);
        else
            lnt_text_bytes(out, s, (size_t)n);
        s += n ? n : 1;
    }
    lnt_text_add(out, "\"");
}

static void put_number(writer *w, double x)
{
    if (isfinite(x)) {
        lnt_text_number(w->out, x);
    } else {
        lnt_text_add(w->out, "null");
        w->nulls++;
    }
}

static void put_numbers(writer *w, const double *numbers, long count)
{
    lnt_text_add(w->out, "[");
    for (long i = 0; i < count; i++) {
        if (i)
            lnt_text_add(w->out, ",");
        put_number(w, numbers[i]);
    }
    lnt_text_add(w->out, "]");
}

static void put_value(writer *w, lnt_value v)
{
    switch (v.kind) {
    case LNT_NOTHING:
        lnt_text_add(w->out, "null");
        break;
    case LNT_FLAG:
        lnt_text_add(w->out, v.integer ? "true" : "false");
        break;
    case LNT_INTEGER:
        lnt_text_add(w->out, "%ld", v.integer);
        break;
    case LNT_NUMBER:
        put_number(w, v.number);
        break;
    case LNT_STRING:
        put_string(w->out, v.string);
        break;
    case LNT_INTEGERS:
        lnt_text_add(w->out, "[");
        for (long i = 0; i < v.integer; i++)
            lnt_text_add(w->out, "%s%d", i ? "," : "", v.list[i]);
        lnt_text_add(w->out, "]");
        break;
    case LNT_NUMBERS:
        put_numbers(w, v.numbers, v.integer);
        break;
    }
}

static void put_key(lnt_text *out, const char *separator, const char *key, size_t length)
{
    char name[256];
    size_t n = length < sizeof name - 1 ? length : sizeof name - 1;
    memcpy(name, key, n);
    name[n] = '\0';
    lnt_text_add(out, "%s", separator);
    put_string(out, name);
    lnt_text_add(out, ":");
}

/* True when no earlier series shares the first `length` bytes of the path. */
static bool first_of_group(const lnt_record *record, const lnt_array_node *node, size_t length)
{
    for (const lnt_array_node *n = record->arrays; n != node; n = n->next)
        if (n->array.is_series && strncmp(n->array.path, node->array.path, length) == 0)
            return false;
    return true;
}

/* All series below the first `depth` bytes that `path` shares, as nested objects. */
static void put_series(writer *w, const lnt_record *record, const char *path, size_t depth)
{
    const char *separator = "";
    lnt_text_add(w->out, "{");
    for (const lnt_array_node *n = record->arrays; n; n = n->next) {
        const char *p = n->array.path;
        if (!n->array.is_series || strncmp(p, path, depth) != 0)
            continue;
        const char *key = p + depth, *slash = strchr(key, '/');
        if (slash && !first_of_group(record, n, (size_t)(slash + 1 - p)))
            continue;
        put_key(w->out, separator, key, slash ? (size_t)(slash - key) : strlen(key));
        separator = ",";
        if (slash)
            put_series(w, record, p, (size_t)(slash + 1 - p));
        else
            put_numbers(w, n->array.values, n->array.dims[0]);
    }
    lnt_text_add(w->out, "}");
}

static void put_table(writer *w, const lnt_table *table)
{
    lnt_text_add(w->out, "[");
    for (int row = 0; row < table->rows; row++) {
        lnt_text_add(w->out, row ? ",\n  {" : "\n  {");
        for (const lnt_column *c = table->columns; c; c = c->next) {
            put_key(w->out, c == table->columns ? "" : ",", c->name, strlen(c->name));
            put_value(w, lnt_table_cell(c, row));
        }
        lnt_text_add(w->out, "}");
    }
    lnt_text_add(w->out, "]");
}

static void put_top_table(writer *w, const lnt_record *record, const char *name)
{
    lnt_text_add(w->out, ",\n\"%s\":", name);
    for (const lnt_table *t = record->tables; t; t = t->next)
        if (strcmp(t->name, name) == 0) {
            put_table(w, t);
            return;
        }
    lnt_text_add(w->out, "[]");
}

static void put_facts(writer *w, const lnt_record *record)
{
    for (const lnt_scalar *s = record->facts; s; s = s->next) {
        bool first = true;
        for (const lnt_scalar *t = record->facts; t != s; t = t->next)
            first = first && strcmp(t->group, s->group) != 0;
        if (!first)
            continue;
        put_key(w->out, ",\n", s->group, strlen(s->group));
        const char *separator = "{";
        for (const lnt_scalar *t = s; t; t = t->next)
            if (strcmp(t->group, s->group) == 0) {
                put_key(w->out, separator, t->name, strlen(t->name));
                put_value(w, t->value);
                separator = ",";
            }
        lnt_text_add(w->out, "}");
    }
}

static void put_warnings(writer *w, const lnt_record *record)
{
    const char *separator = "";
    lnt_text_add(w->out, ",\n\"warnings\":[");
    for (const lnt_line *line = record->warnings; line; line = line->next, separator = ",") {
        lnt_text_add(w->out, "%s\n  ", separator);
        put_string(w->out, line->text);
    }
    if (w->nulls)
        lnt_text_add(w->out, "%s\n  \"%d numbers that are not finite are written as null\"", separator, w->nulls);
    lnt_text_add(w->out, "]");
}

lnt_status lnt_record_json(lnt_ctx *ctx, lnt_text *out, const lnt_record *record)
{
    writer w = {out, 0};
    lnt_text_add(out, "{\"command\":");
    put_string(out, record->command);
    lnt_text_add(out, ",\n\"version\":\"%s\",\n\"schema\":%d,\n\"interrupted\":%s,\n\"parameters\":", LNT_VERSION,
                 LNT_SCHEMA, record->interrupted ? "true" : "false");
    const char *separator = "{";
    for (const lnt_scalar *s = record->parameters; s; s = s->next, separator = ",") {
        put_key(out, separator, s->name, strlen(s->name));
        put_value(&w, s->value);
    }
    lnt_text_add(out, record->parameters ? "}" : "{}");
    put_facts(&w, record);
    lnt_text_add(out, ",\n\"series\":");
    put_series(&w, record, "", 0);
    lnt_text_add(out, ",\n\"tables\":{");
    separator = "";
    for (const lnt_table *t = record->tables; t; t = t->next)
        if (!t->top) {
            put_key(out, separator, t->name, strlen(t->name));
            put_table(&w, t);
            separator = ",";
        }
    lnt_text_add(out, "}");
    put_top_table(&w, record, "deviations");
    put_top_table(&w, record, "assumptions");
    put_top_table(&w, record, "checks");
    put_warnings(&w, record);
    lnt_text_add(out, "}\n");
    return lnt_text_status(ctx, out);
}
