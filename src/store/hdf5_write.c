#include "../record/internal.h"
#include "hdf5_image.h"
#include "linnet/store.h"
#include "linnet/version.h"

#include <string.h>

static void put_strings(lnt_ctx *ctx, lnt_h5_image *im, const char *path, const char *unit, int rank,
                        const char *const *strings, size_t count)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    hid_t type = lnt_h5_string_type(strings, count);
    size_t width = H5Tget_size(type);
    char *block = lnt_alloc_zero(ctx, count, width);
    hsize_t dims[1] = {count};
    lnt_h5_check(im, block != NULL);
    if (block) {
        for (size_t i = 0; i < count; i++)
            memcpy(block + i * width, strings[i], strlen(strings[i]));
        lnt_h5_dataset(im, path, unit, type, rank, dims, block);
    }
    H5Tclose(type);
    lnt_ctx_reset(ctx, mark);
}

static void put_scalar(lnt_ctx *ctx, lnt_h5_image *im, const char *path, const char *unit, lnt_value v)
{
    hsize_t dims[1] = {(hsize_t)v.integer};
    unsigned char flag = v.integer != 0;
    switch (v.kind) {
    case LNT_NOTHING:
        break;
    case LNT_FLAG:
        lnt_h5_dataset(im, path, unit, H5T_NATIVE_UCHAR, 0, NULL, &flag);
        break;
    case LNT_INTEGER:
        lnt_h5_dataset(im, path, unit, H5T_NATIVE_LONG, 0, NULL, &v.integer);
        break;
    case LNT_NUMBER:
        lnt_h5_dataset(im, path, unit, H5T_NATIVE_DOUBLE, 0, NULL, &v.number);
        break;
    case LNT_STRING:
        put_strings(ctx, im, path, unit, 0, &v.string, 1);
        break;
    case LNT_INTEGERS:
        lnt_h5_dataset(im, path, unit, H5T_NATIVE_INT, 1, dims, v.list);
        break;
    case LNT_NUMBERS:
        lnt_h5_dataset(im, path, unit, H5T_NATIVE_DOUBLE, 1, dims, v.numbers);
        break;
    }
}

/* A column of words becomes strings, any other one doubles (flags 0 and 1, missing cells NaN). */
static void put_column(lnt_ctx *ctx, lnt_h5_image *im, const char *path, const lnt_column *c, int rows)
{
    const char **strings = lnt_alloc(ctx, (size_t)rows, sizeof *strings);
    double *numbers = lnt_alloc(ctx, (size_t)rows, sizeof *numbers);
    bool words = false;
    if (!strings || !numbers) {
        im->failed = true;
        return;
    }
    for (int row = 0; row < rows; row++) {
        lnt_value v = lnt_table_cell(c, row);
        words = words || v.kind == LNT_STRING;
        strings[row] = v.kind == LNT_STRING ? v.string : "";
        numbers[row] = v.kind == LNT_NOTHING || v.kind == LNT_STRING ? (double)__builtin_nan("") : v.number;
    }
    hsize_t dims[1] = {(hsize_t)rows};
    if (words)
        put_strings(ctx, im, path, c->unit, 1, strings, (size_t)rows);
    else
        lnt_h5_dataset(im, path, c->unit, H5T_NATIVE_DOUBLE, 1, dims, numbers);
}

static void put_tables(lnt_ctx *ctx, lnt_h5_image *im, const lnt_record *record)
{
    for (const lnt_table *t = record->tables; t; t = t->next)
        for (const lnt_column *c = t->columns; c; c = c->next) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            char *path = lnt_sprintf(ctx, "%s%s/%s", t->top ? "" : "tables/", t->name, c->name);
            if (path)
                put_column(ctx, im, path, c, t->rows);
            lnt_h5_check(im, path != NULL);
            lnt_ctx_reset(ctx, mark);
        }
}

static void put_scalars(lnt_ctx *ctx, lnt_h5_image *im, const lnt_record *record)
{
    for (int facts = 0; facts < 2; facts++)
        for (const lnt_scalar *s = facts ? record->facts : record->parameters; s; s = s->next) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            char *path = lnt_sprintf(ctx, "%s/%s", facts ? s->group : "parameters", s->name);
            if (path && !s->how)
                put_scalar(ctx, im, path, s->unit, s->value);
            lnt_h5_check(im, path != NULL);
            lnt_ctx_reset(ctx, mark);
        }
}

static void put_arrays(lnt_ctx *ctx, lnt_h5_image *im, const lnt_record *record)
{
    for (const lnt_array_node *n = record->arrays; n; n = n->next) {
        const lnt_array *a = &n->array;
        lnt_mark mark = lnt_ctx_mark(ctx);
        hsize_t dims[3] = {(hsize_t)a->dims[0], (hsize_t)a->dims[1], (hsize_t)a->dims[2]};
        char *path = lnt_sprintf(ctx, "%s%s", a->is_series ? "series/" : "", a->path);
        if (path)
            lnt_h5_dataset(im, path, a->unit, H5T_NATIVE_DOUBLE, a->rank, dims, a->values);
        lnt_h5_check(im, path != NULL);
        lnt_ctx_reset(ctx, mark);
    }
}

static void put_lines(lnt_ctx *ctx, lnt_h5_image *im, const lnt_record *record)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    size_t count = 0;
    for (const lnt_line *line = record->warnings; line; line = line->next)
        count++;
    const char **strings = lnt_alloc(ctx, count, sizeof *strings);
    lnt_h5_check(im, strings != NULL);
    count = 0;
    for (const lnt_line *line = record->warnings; line && strings; line = line->next)
        strings[count++] = line->text;
    if (strings && count)
        put_strings(ctx, im, "warnings", "", 1, strings, count);
    for (const lnt_figure_node *f = record->figures; f; f = f->next) {
        char *path = lnt_sprintf(ctx, "figures/%s", f->figure.name);
        if (path)
            put_strings(ctx, im, path, "", 0, &f->figure.caption, 1);
        lnt_h5_check(im, path != NULL);
    }
    lnt_ctx_reset(ctx, mark);
}

static void put_root(lnt_h5_image *im, const lnt_record *record)
{
    int schema = LNT_SCHEMA;
    hid_t root = H5Gopen2(im->file, "/", H5P_DEFAULT);
    lnt_h5_attribute(im, root, "command", record->command);
    lnt_h5_attribute(im, root, "version", LNT_VERSION);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(root, "schema", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
    lnt_h5_check(im, H5Awrite(attribute, H5T_NATIVE_INT, &schema) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Gclose(root);
}

lnt_status lnt_store_hdf5(lnt_ctx *ctx, lnt_text *out, const lnt_record *record)
{
    lnt_h5_image im;
    lnt_h5_begin(&im);
    if (!im.failed) {
        put_root(&im, record);
        put_scalars(ctx, &im, record);
        put_arrays(ctx, &im, record);
        put_tables(ctx, &im, record);
        put_lines(ctx, &im, record);
    }
    return lnt_h5_end(ctx, out, &im);
}

static bool is_below(const char *path, const char *group)
{
    size_t n = strlen(group);
    return strncmp(path, group, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

lnt_status lnt_store_group(lnt_ctx *ctx, lnt_text *out, const lnt_record *record, const char *group)
{
    lnt_record part = {.memory = record->memory, .command = record->command};
    lnt_array_node **array = &part.arrays;
    lnt_scalar **fact = &part.facts;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = LNT_OK;
    for (const lnt_array_node *a = record->arrays; a && status == LNT_OK; a = a->next) {
        if (a->array.is_series || !(is_below(a->array.path, group) || is_below(a->array.path, "biases")))
            continue;
        lnt_array_node *copy = *array = lnt_alloc(ctx, 1, sizeof *copy);
        if (copy)
            *copy = (lnt_array_node){.array = a->array};
        status = copy ? LNT_OK : LNT_ENOMEM;
        array = copy ? &copy->next : array;
    }
    for (const lnt_scalar *f = record->facts; f && status == LNT_OK; f = f->next) {
        if (strcmp(f->group, "network") != 0)
            continue;
        lnt_scalar *copy = *fact = lnt_alloc(ctx, 1, sizeof *copy);
        if (copy)
            *copy = *f, copy->next = NULL;
        status = copy ? LNT_OK : LNT_ENOMEM;
        fact = copy ? &copy->next : fact;
    }
    if (status == LNT_OK)
        status = lnt_store_hdf5(ctx, out, &part);
    lnt_ctx_reset(ctx, mark);
    return status;
}
