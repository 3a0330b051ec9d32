#include "internal.h"

#include <string.h>

static void put_text(lnt_text *out, const char *s)
{
    if (!strpbrk(s, ",\"\n\r")) {
        lnt_text_add(out, "%s", s);
        return;
    }
    lnt_text_add(out, "\"");
    for (; *s; s++)
        lnt_text_add(out, *s == '"' ? "\"\"" : "%c", *s);
    lnt_text_add(out, "\"");
}

static void put_cell(lnt_text *out, lnt_value v)
{
    if (v.kind == LNT_STRING)
        put_text(out, v.string);
    else if (v.kind == LNT_NUMBER)
        lnt_text_number(out, v.number);
    else if (v.kind == LNT_FLAG)
        lnt_text_add(out, v.integer ? "true" : "false");
    else if (v.kind == LNT_INTEGER)
        lnt_text_add(out, "%ld", v.integer);
}

static void put_table(lnt_text *out, const lnt_table *table)
{
    for (const lnt_column *c = table->columns; c; c = c->next) {
        lnt_text_add(out, c == table->columns ? "" : ",");
        put_text(out, c->name);
    }
    lnt_text_add(out, "\n");
    for (int row = 0; row < table->rows; row++) {
        for (const lnt_column *c = table->columns; c; c = c->next) {
            lnt_text_add(out, c == table->columns ? "" : ",");
            put_cell(out, lnt_table_cell(c, row));
        }
        lnt_text_add(out, "\n");
    }
}

static void put_series(lnt_text *out, const lnt_record *record)
{
    const lnt_array *series[64];
    int length, count = lnt_record_parallel_series(record, series, 64, &length);
    for (int k = 0; k < count; k++) {
        lnt_text_add(out, k ? "," : "");
        put_text(out, series[k]->path);
    }
    lnt_text_add(out, "\n");
    for (int i = 0; i < length; i++) {
        for (int k = 0; k < count; k++) {
            lnt_text_add(out, k ? "," : "");
            lnt_text_number(out, series[k]->values[i]);
        }
        lnt_text_add(out, "\n");
    }
}

lnt_status lnt_record_csv(lnt_ctx *ctx, lnt_text *out, const lnt_record *record, const char *table)
{
    const lnt_array *any;
    int length;
    bool series = lnt_record_parallel_series(record, &any, 1, &length) > 0;
    char names[512] = "";
    if (series)
        strcpy(names, "series");
    for (const lnt_table *t = record->tables; t; t = t->next) {
        if (strcmp(t->name, table) == 0) {
            put_table(out, t);
            return lnt_text_status(ctx, out);
        }
        if (strlen(names) + strlen(t->name) + 3 < sizeof names)
            strcat(strcat(names, *names ? ", " : ""), t->name);
    }
    if (!series || strcmp(table, "series") != 0)
        return lnt_fail(ctx, LNT_EUSAGE, "there is no table '%s'; the tables are: %s", table, names);
    put_series(out, record);
    return lnt_text_status(ctx, out);
}
