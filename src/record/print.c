#include "internal.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_ROWS 12
#define SHOWN_COLUMNS 10
#define MOST_ROWS 60 /* longer tables are thinned */

/* Six digits are enough for the eye; files carry all of them. */
static const char *cell_text(lnt_value v, char *buffer, size_t size)
{
    switch (v.kind) {
    case LNT_NOTHING:
        return "-";
    case LNT_FLAG:
        return v.integer ? "yes" : "no";
    case LNT_STRING:
        return v.string;
    case LNT_INTEGER:
        snprintf(buffer, size, "%ld", v.integer);
        return buffer;
    case LNT_NUMBER:
        return size >= LNT_NUMBER_CHARS ? lnt_number_short(v.number, buffer) : "";
    case LNT_INTEGERS: {
        size_t n = 0;
        buffer[0] = '\0';
        for (long i = 0; i < v.integer && n + 16 < size; i++)
            n += (size_t)snprintf(buffer + n, size - n, "%s%d", i ? "," : "", v.list[i]);
        return buffer;
    }
    case LNT_NUMBERS: {
        size_t n = 0;
        buffer[0] = '\0';
        for (long i = 0; i < v.integer && n + LNT_NUMBER_CHARS + 2 < size; i++)
            n += (size_t)snprintf(buffer + n, size - n, "%s%s", i ? " " : "",
                                  lnt_number_short(v.numbers[i], (char[LNT_NUMBER_CHARS]){0}));
        return buffer;
    }
    }
    return "";
}

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

typedef const char *(*cell_fn)(const void *user, int row, int col, char *buffer, size_t size);

/* Columns as wide as their widest cell; row -1 is the header. Numbers look best flush right, words flush left. */
static void put_grid(lnt_text *out, int rows, int cols, const bool *left, cell_fn cell, const void *user)
{
    char buffer[128];
    size_t width[SHOWN_COLUMNS] = {0};
    for (int c = 0; c < cols; c++)
        for (int r = -1; r < rows; r++) {
            size_t n = characters(cell(user, r, c, buffer, sizeof buffer));
            if (n > width[c])
                width[c] = n;
        }
    for (int r = -1; r < rows; r++) {
        for (int c = 0; c < cols; c++) {
            const char *s = cell(user, r, c, buffer, sizeof buffer);
            int pad = (int)(width[c] - characters(s));
            lnt_text_add(out, "  ");
            if (!left[c])
                lnt_text_add(out, "%*s", pad, "");
            lnt_text_add(out, "%s", s);
            if (left[c] && c + 1 < cols)
                lnt_text_add(out, "%*s", pad, "");
        }
        lnt_text_add(out, "\n");
    }
}

/* ---- Series ---- */

typedef struct series_grid {
    const lnt_array *series[SHOWN_COLUMNS];
    int length, shown;
} series_grid;

static const char *series_cell(const void *user, int row, int col, char *buffer, size_t size)
{
    const series_grid *g = user;
    if (row < 0)
        return g->series[col]->path;
    int at = g->shown < 2 ? 0 : (int)((long)row * (g->length - 1) / (g->shown - 1)); /* first and last always */
    return cell_text(lnt_number(g->series[col]->values[at]), buffer, size);
}

static void put_series(lnt_text *out, const lnt_record *record)
{
    static const bool left[SHOWN_COLUMNS];
    series_grid g;
    int count = lnt_record_parallel_series(record, g.series, SHOWN_COLUMNS, &g.length);
    g.shown = g.length < SHOWN_ROWS ? g.length : SHOWN_ROWS;
    if (count == 0 || g.length == 0)
        return;
    lnt_text_add(out, "\n");
    put_grid(out, g.shown, count, left, series_cell, &g);
    if (g.shown < g.length)
        lnt_text_add(out, "  (%d of %d rows; all with --csv series)\n", g.shown, g.length);
}

/* ---- Tables ---- */

typedef struct table_grid {
    const lnt_column *column[SHOWN_COLUMNS];
    int rows, shown;
} table_grid;

/* Long tables are thinned like series. */
static const char *table_cell(const void *user, int row, int col, char *buffer, size_t size)
{
    const table_grid *g = user;
    const lnt_column *column = g->column[col];
    int at = g->shown < 2 ? 0 : (int)((long)row * (g->rows - 1) / (g->shown - 1));
    return row < 0 ? column->name : cell_text(lnt_table_cell(column, at), buffer, size);
}

static void put_table(lnt_text *out, const lnt_table *table)
{
    table_grid g;
    bool left[SHOWN_COLUMNS];
    int count = 0, columns = 0, rows = table->rows <= MOST_ROWS ? table->rows : 3 * SHOWN_ROWS;
    for (const lnt_column *c = table->columns; c; c = c->next, columns++) {
        if (columns >= SHOWN_COLUMNS)
            continue;
        left[count] = lnt_table_cell(c, 0).kind == LNT_STRING;
        g.column[count++] = c;
    }
    if (rows == 0)
        return;
    g.rows = table->rows;
    g.shown = rows;
    lnt_text_add(out, "\n%s\n", table->name);
    put_grid(out, rows, count, left, table_cell, &g);
    if (rows < table->rows || count < columns)
        lnt_text_add(out, "  (%d of %d rows, %d of %d columns; all with --csv %s)\n", rows, table->rows, count, columns,
                     table->name);
    if (strcmp(table->name, "deviations") == 0)
        lnt_text_add(out,
                     "  (absolute: of rms(...) that of the difference matrix, simulated and predicted those of its two "
                     "terms;\n   sigmas: in standard errors over the runs)\n");
}

/* Only assumptions that fail ask for attention. */
static void put_failed_assumptions(lnt_text *out, const lnt_record *record)
{
    lnt_value holds, name, measure, limit, effect;
    for (int row = 0; row < lnt_record_rows(record, "assumptions"); row++)
        if (lnt_record_cell(record, "assumptions", row, "holds", &holds) && !holds.integer &&
            lnt_record_cell(record, "assumptions", row, "name", &name) &&
            lnt_record_cell(record, "assumptions", row, "measure", &measure) &&
            lnt_record_cell(record, "assumptions", row, "limit", &limit) &&
            lnt_record_cell(record, "assumptions", row, "effect", &effect))
            lnt_text_add(out, "does not hold: %s (%.3g, limit %.3g): %s\n", name.string, measure.number, limit.number,
                         effect.string);
}

static void put_facts(lnt_text *out, const lnt_record *record)
{
    char buffer[128];
    const char *group = "";
    for (const lnt_scalar *s = record->facts; s; s = s->next) {
        if (strcmp(group, s->group) != 0)
            lnt_text_add(out, "%s%s:", *group ? "\n" : "", s->group);
        else
            lnt_text_add(out, ",");
        group = s->group;
        lnt_text_add(out, " %s %s%s%s", s->name, cell_text(s->value, buffer, sizeof buffer), *s->unit ? " " : "",
                     s->unit);
    }
    lnt_text_add(out, "%s", *group ? "\n" : "");
}

lnt_status lnt_record_warnings(lnt_ctx *ctx, lnt_text *out, const lnt_record *record)
{
    lnt_text_add(out, "%s", "");
    for (const lnt_line *line = record->warnings; line; line = line->next)
        lnt_text_add(out, "warning: %s\n", line->text);
    return lnt_text_status(ctx, out);
}

lnt_status lnt_record_print(lnt_ctx *ctx, lnt_text *out, const lnt_record *record)
{
    lnt_status status = lnt_record_warnings(ctx, out, record);
    if (status != LNT_OK)
        return status;
    put_failed_assumptions(out, record);
    put_facts(out, record);
    put_series(out, record);
    for (const lnt_table *t = record->tables; t; t = t->next)
        if (strcmp(t->name, "assumptions") != 0)
            put_table(out, t);
    return lnt_text_status(ctx, out);
}
