#include "internal.h"

#include <math.h>
#include <string.h>

static lnt_table *find_table(const lnt_record *record, const char *name)
{
    for (lnt_table *table = record->tables; table; table = table->next)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

lnt_table *lnt_record_table(lnt_record *record, const char *name)
{
    static const char *const top[] = {"deviations", "assumptions", "checks"};
    lnt_table *table = find_table(record, name), **end = &record->tables;
    if (table)
        return table;
    table = lnt_alloc(record->memory, 1, sizeof *table);
    if (!table)
        return NULL;
    *table = (lnt_table){.record = record, .name = lnt_strdup(record->memory, name)};
    if (!table->name)
        return NULL;
    for (size_t i = 0; i < sizeof top / sizeof *top; i++)
        table->top = table->top || strcmp(name, top[i]) == 0;
    while (*end)
        end = &(*end)->next;
    *end = table;
    return table;
}

void lnt_table_row(lnt_table *table)
{
    if (table)
        table->rows++;
}

static lnt_column *get_column(lnt_table *table, const char *name, const char *unit)
{
    lnt_ctx *memory = table->record->memory;
    lnt_column **end = &table->columns;
    for (; *end; end = &(*end)->next)
        if (strcmp((*end)->name, name) == 0)
            return *end;
    lnt_column *column = lnt_alloc(memory, 1, sizeof *column);
    if (!column)
        return NULL;
    *column = (lnt_column){.name = lnt_strdup(memory, name), .unit = lnt_strdup(memory, unit)};
    if (!column->name || !column->unit)
        return NULL;
    *end = column;
    return column;
}

void lnt_table_set(lnt_table *table, const char *name, const char *unit, lnt_value value)
{
    lnt_column *column = table && table->rows > 0 ? get_column(table, name, unit) : NULL;
    if (!column)
        return;
    lnt_ctx *memory = table->record->memory;
    if (table->rows > column->cap) {
        int cap = 2 * table->rows + 6;
        lnt_value *cell = lnt_alloc_zero(memory, (size_t)cap, sizeof *cell);
        if (!cell)
            return;
        if (column->cap)
            memcpy(cell, column->cell, (size_t)column->cap * sizeof *cell);
        column->cell = cell;
        column->cap = cap;
    }
    if (value.kind == LNT_STRING) {
        value.string = lnt_strdup(memory, value.string);
        if (!value.string)
            value.kind = LNT_NOTHING;
    }
    column->cell[table->rows - 1] = value;
}

lnt_value lnt_table_cell(const lnt_column *column, int row)
{
    return row < column->cap ? column->cell[row] : (lnt_value){0};
}

int lnt_record_rows(const lnt_record *record, const char *name)
{
    const lnt_table *table = find_table(record, name);
    return table ? table->rows : 0;
}

bool lnt_record_cell(const lnt_record *record, const char *name, int row, const char *column, lnt_value *value)
{
    const lnt_table *table = find_table(record, name);
    for (const lnt_column *c = table ? table->columns : NULL; c; c = c->next)
        if (strcmp(c->name, column) == 0 && row >= 0 && row < table->rows) {
            *value = lnt_table_cell(c, row);
            return true;
        }
    return false;
}

/* ---- The tables that every command shares ---- */

void lnt_record_deviation(lnt_record *record, const char *name, double simulated, double predicted, double absolute,
                          double standard_error)
{
    lnt_table *table = lnt_record_table(record, "deviations");
    if (isnan(absolute))
        absolute = fabs(simulated - predicted);
    lnt_value nothing = {0};
    lnt_table_row(table);
    lnt_table_set(table, "name", "", lnt_string(name));
    lnt_table_set(table, "simulated", "", lnt_number(simulated));
    lnt_table_set(table, "predicted", "", lnt_number(predicted));
    lnt_table_set(table, "absolute", "", lnt_number(absolute));
    lnt_table_set(table, "relative", "", predicted != 0 ? lnt_number(absolute / fabs(predicted)) : nothing);
    lnt_table_set(table, "sigmas", "", standard_error > 0 ? lnt_number(absolute / standard_error) : nothing);
}

void lnt_record_assumption(lnt_record *record, const char *name, double measure, double limit, const char *effect)
{
    lnt_table *table = lnt_record_table(record, "assumptions");
    lnt_table_row(table);
    lnt_table_set(table, "name", "", lnt_string(name));
    lnt_table_set(table, "holds", "", lnt_flag(measure <= limit));
    lnt_table_set(table, "measure", "", lnt_number(measure));
    lnt_table_set(table, "limit", "", lnt_number(limit));
    lnt_table_set(table, "effect", "", lnt_string(effect));
}

void lnt_record_check(lnt_record *record, const char *name, double value, double expected, double tolerance)
{
    lnt_table *table = lnt_record_table(record, "checks");
    lnt_table_row(table);
    lnt_table_set(table, "name", "", lnt_string(name));
    lnt_table_set(table, "value", "", lnt_number(value));
    lnt_table_set(table, "expected", "", lnt_number(expected));
    lnt_table_set(table, "tolerance", "", lnt_number(tolerance));
    lnt_table_set(table, "holds", "", lnt_flag(fabs(value - expected) <= tolerance));
}

int lnt_record_judge(const lnt_record *record, const char *deviation)
{
    size_t n = strlen(deviation);
    lnt_value name;
    for (int row = 0; row < lnt_record_rows(record, "checks"); row++)
        if (lnt_record_cell(record, "checks", row, "name", &name) && name.kind == LNT_STRING &&
            strncmp(name.string, deviation, n) == 0 &&
            (!name.string[n] || name.string[n] == ',' || name.string[n] == ':'))
            return row;
    return -1;
}

bool lnt_record_verdict(const lnt_record *record)
{
    int rows = lnt_record_rows(record, "checks");
    bool all = rows > 0;
    for (int row = 0; row < rows; row++) {
        lnt_value holds;
        all = lnt_record_cell(record, "checks", row, "holds", &holds) && holds.number != 0 && all;
    }
    return all;
}

static double number(lnt_value value)
{
    return value.kind == LNT_INTEGER ? (double)value.integer : value.kind == LNT_NUMBER ? value.number : (double)NAN;
}

double lnt_record_fact_number(const lnt_record *record, const char *group, const char *name)
{
    lnt_value value;
    return lnt_record_get_fact(record, group, name, &value) ? number(value) : (double)NAN;
}

double lnt_record_cell_number(const lnt_record *record, const char *table, int row, const char *column)
{
    lnt_value value;
    return lnt_record_cell(record, table, row, column, &value) ? number(value) : (double)NAN;
}
