#include "../data/hdf5_child.h"
#include "../record/internal.h"
#include "linnet/store.h"

#include <math.h>
#include <string.h>

static lnt_value scalar_value(lnt_ctx *ctx, const lnt_h5_item *item, size_t index)
{
    const lnt_h5_header *h = &item->header;
    if (h->kind == 's') {
        char *text = lnt_alloc_zero(ctx, h->width + 1, 1);
        if (text)
            memcpy(text, (const char *)item->payload + index * h->width, h->width);
        return lnt_string(text);
    }
    double x;
    memcpy(&x, (const char *)item->payload + index * sizeof x, sizeof x);
    if (h->kind == 'b')
        return lnt_flag(x != 0);
    if (h->kind == 'i' && fabs(x) < 1e15)
        return lnt_integer((long)x);
    return isnan(x) ? (lnt_value){0} : lnt_number(x);
}

static void load_array(lnt_record *record, const lnt_h5_item *item, const char *path, bool is_series)
{
    const lnt_h5_header *h = &item->header;
    lnt_ctx *memory = record->memory;
    lnt_array_node *node = lnt_alloc(memory, 1, sizeof *node), **end = &record->arrays;
    double *values = lnt_alloc(memory, h->bytes, 1);
    if (!node || !values)
        return;
    memcpy(values, item->payload, h->bytes);
    *node = (lnt_array_node){
        .array = {lnt_strdup(memory, path), lnt_strdup(memory, item->unit), is_series, (int)h->rank, {0}, values}};
    for (uint32_t d = 0; d < h->rank; d++)
        node->array.dims[d] = (int)h->dims[d];
    if (!node->array.path || !node->array.unit)
        return;
    while (*end)
        end = &(*end)->next;
    *end = node;
}

/* Columns are doubles, where cells may be missing; these hold flags. */
static bool is_flag(const char *column)
{
    static const char *const names[] = {"holds", "serious", "judged"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(column, names[i]) == 0)
            return true;
    return false;
}

static void load_column(lnt_ctx *ctx, lnt_record *record, const lnt_h5_item *item, const char *table,
                        const char *column)
{
    lnt_table *t = lnt_record_table(record, table);
    if (!t || item->header.rank != 1)
        return;
    int rows = (int)item->header.dims[0];
    if (t->rows > 0 && t->rows != rows)
        return;
    /* cells are set in the newest row: let the rows appear one by one */
    for (t->rows = 1; t->rows <= rows; t->rows++) {
        lnt_value cell = scalar_value(ctx, item, (size_t)t->rows - 1);
        lnt_table_set(t, column, item->unit, is_flag(column) ? lnt_flag(cell.number != 0) : cell);
    }
    t->rows = rows;
}

/* A scalar, or a list of whole numbers. */
static lnt_value value_of(lnt_ctx *ctx, const lnt_h5_item *item)
{
    if (item->header.rank == 0)
        return scalar_value(ctx, item, 0);
    int *list = lnt_alloc(ctx, item->header.dims[0], sizeof *list);
    for (uint32_t i = 0; i < item->header.dims[0] && list; i++)
        list[i] = (int)scalar_value(ctx, item, i).integer;
    return list ? lnt_integers(list, (int)item->header.dims[0]) : (lnt_value){0};
}

static bool has_value(const lnt_h5_item *item)
{
    return item->header.rank == 0 || (item->header.rank == 1 && item->header.kind == 'i');
}

static void load_caption(lnt_record *record, const char *name, lnt_value caption)
{
    lnt_figure figure = {.name = name, .caption = caption.kind == LNT_STRING ? caption.string : ""};
    lnt_record_figure(record, &figure);
}

static bool is_top_table(const char *name)
{
    return strcmp(name, "deviations") == 0 || strcmp(name, "assumptions") == 0 || strcmp(name, "checks") == 0;
}

static lnt_status load_item(lnt_ctx *ctx, const lnt_h5_item *item, void *user)
{
    lnt_record *record = user;
    char *path = lnt_strdup(ctx, item->path);
    if (!path)
        return LNT_ENOMEM;
    if (item->header.kind == 'a') {
        if (strcmp(path, "command") == 0)
            record->command = lnt_strdup(record->memory, item->payload);
        return record->command ? LNT_OK : LNT_ENOMEM;
    }
    char *rest = strchr(path, '/');
    if (!rest) {
        for (uint32_t i = 0; strcmp(path, "warnings") == 0 && item->header.rank == 1 && i < item->header.dims[0]; i++)
            lnt_record_warn(record, "%s", scalar_value(ctx, item, i).string);
        if (item->header.kind == 'f' && item->header.rank > 0)
            load_array(record, item, path, false);
        return LNT_OK;
    }
    *rest++ = '\0';
    char *column = strchr(rest, '/');
    if (strcmp(path, "parameters") == 0) {
        if (has_value(item))
            lnt_record_parameter(record, rest, value_of(ctx, item), false);
    } else if (strcmp(path, "series") == 0) {
        load_array(record, item, rest, true);
    } else if (strcmp(path, "tables") == 0 && column) {
        *column = '\0';
        load_column(ctx, record, item, rest, column + 1);
    } else if (is_top_table(path)) {
        load_column(ctx, record, item, path, rest);
    } else if (strcmp(path, "figures") == 0) {
        load_caption(record, rest, scalar_value(ctx, item, 0));
    } else if (has_value(item)) {
        lnt_record_fact(record, path, rest, item->unit, value_of(ctx, item));
    } else if (item->header.kind == 'f') {
        load_array(record, item, item->path, false);
    }
    return LNT_OK;
}

lnt_status lnt_store_load(lnt_ctx *ctx, lnt_record **record, const char *path)
{
    *record = lnt_record_new("");
    if (!*record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for the record in %s", path);
    lnt_status status = lnt_hdf5_scan(ctx, path, LNT_H5_ALL, NULL, load_item, *record);
    if (status == LNT_OK)
        status = lnt_record_status(ctx, *record);
    if (status != LNT_OK) {
        lnt_record_free(*record);
        *record = NULL;
    }
    return status;
}
