#include "../record/internal.h"
#include "linnet/store.h"
#include "linnet/version.h"

#include <hdf5.h>
#include <string.h>

/* Every handle is checked once, at the end: HDF5 calls on a failed handle fail in turn and do nothing. */
typedef struct image {
    hid_t file, dataset, group; /* file and creation properties */
    bool failed;
} image;

static void check(image *im, bool good)
{
    im->failed = im->failed || !good;
}

static hid_t string_type(const char *const *strings, size_t count)
{
    size_t longest = 1;
    for (size_t i = 0; i < count; i++)
        if (strlen(strings[i]) > longest)
            longest = strlen(strings[i]);
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, longest);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

static void put_attribute(image *im, hid_t object, const char *name, const char *text)
{
    hid_t type = string_type(&text, 1), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    size_t size = H5Tget_size(type);
    char padded[512] = {0};
    if (size <= sizeof padded) {
        memcpy(padded, text, strlen(text));
        check(im, H5Awrite(attribute, type, padded) >= 0);
    }
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* Groups remember the order of their members, so that a record that is read back keeps the order of its tables. */
static void make_groups(image *im, const char *path)
{
    char name[512];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t n = (size_t)(slash - path);
        if (n == 0 || n >= sizeof name)
            continue;
        memcpy(name, path, n);
        name[n] = '\0';
        if (H5Lexists(im->file, name, H5P_DEFAULT) <= 0)
            H5Gclose(H5Gcreate2(im->file, name, H5P_DEFAULT, im->group, H5P_DEFAULT));
    }
}

static void put_dataset(image *im, const char *path, const char *unit, hid_t type, int rank, const hsize_t *dims,
                        const void *values)
{
    make_groups(im, path);
    hid_t space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t set = H5Dcreate2(im->file, path, type, space, H5P_DEFAULT, im->dataset, H5P_DEFAULT);
    hssize_t points = H5Sget_simple_extent_npoints(space);
    check(im, set >= 0 && (points == 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0));
    if (unit && *unit && set >= 0)
        put_attribute(im, set, "unit", unit);
    H5Dclose(set);
    H5Sclose(space);
}

static void put_strings(lnt_ctx *ctx, image *im, const char *path, const char *unit, int rank,
                        const char *const *strings, size_t count)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    hid_t type = string_type(strings, count);
    size_t width = H5Tget_size(type);
    char *block = lnt_alloc_zero(ctx, count, width);
    hsize_t dims[1] = {count};
    check(im, block != NULL);
    if (block) {
        for (size_t i = 0; i < count; i++)
            memcpy(block + i * width, strings[i], strlen(strings[i]));
        put_dataset(im, path, unit, type, rank, dims, block);
    }
    H5Tclose(type);
    lnt_ctx_reset(ctx, mark);
}

static void put_scalar(lnt_ctx *ctx, image *im, const char *path, const char *unit, lnt_value v)
{
    hsize_t dims[1] = {(hsize_t)v.integer};
    unsigned char flag = v.integer != 0;
    switch (v.kind) {
    case LNT_NOTHING:
        break;
    case LNT_FLAG:
        put_dataset(im, path, unit, H5T_NATIVE_UCHAR, 0, NULL, &flag);
        break;
    case LNT_INTEGER:
        put_dataset(im, path, unit, H5T_NATIVE_LONG, 0, NULL, &v.integer);
        break;
    case LNT_NUMBER:
        put_dataset(im, path, unit, H5T_NATIVE_DOUBLE, 0, NULL, &v.number);
        break;
    case LNT_STRING:
        put_strings(ctx, im, path, unit, 0, &v.string, 1);
        break;
    case LNT_INTEGERS:
        put_dataset(im, path, unit, H5T_NATIVE_INT, 1, dims, v.list);
        break;
    case LNT_NUMBERS:
        put_dataset(im, path, unit, H5T_NATIVE_DOUBLE, 1, dims, v.numbers);
        break;
    }
}

/* A column of words becomes strings, any other one doubles (flags 0 and 1, missing cells NaN). */
static void put_column(lnt_ctx *ctx, image *im, const char *path, const lnt_column *c, int rows)
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
        put_dataset(im, path, c->unit, H5T_NATIVE_DOUBLE, 1, dims, numbers);
}

static void put_tables(lnt_ctx *ctx, image *im, const lnt_record *record)
{
    for (const lnt_table *t = record->tables; t; t = t->next)
        for (const lnt_column *c = t->columns; c; c = c->next) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            char *path = lnt_sprintf(ctx, "%s%s/%s", t->top ? "" : "tables/", t->name, c->name);
            if (path)
                put_column(ctx, im, path, c, t->rows);
            check(im, path != NULL);
            lnt_ctx_reset(ctx, mark);
        }
}

static void put_scalars(lnt_ctx *ctx, image *im, const lnt_record *record)
{
    for (int facts = 0; facts < 2; facts++)
        for (const lnt_scalar *s = facts ? record->facts : record->parameters; s; s = s->next) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            char *path = lnt_sprintf(ctx, "%s/%s", facts ? s->group : "parameters", s->name);
            if (path && !s->how)
                put_scalar(ctx, im, path, s->unit, s->value);
            check(im, path != NULL);
            lnt_ctx_reset(ctx, mark);
        }
}

static void put_arrays(lnt_ctx *ctx, image *im, const lnt_record *record)
{
    for (const lnt_array_node *n = record->arrays; n; n = n->next) {
        const lnt_array *a = &n->array;
        lnt_mark mark = lnt_ctx_mark(ctx);
        hsize_t dims[3] = {(hsize_t)a->dims[0], (hsize_t)a->dims[1], (hsize_t)a->dims[2]};
        char *path = lnt_sprintf(ctx, "%s%s", a->is_series ? "series/" : "", a->path);
        if (path)
            put_dataset(im, path, a->unit, H5T_NATIVE_DOUBLE, a->rank, dims, a->values);
        check(im, path != NULL);
        lnt_ctx_reset(ctx, mark);
    }
}

static void put_lines(lnt_ctx *ctx, image *im, const lnt_record *record)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    size_t count = 0;
    for (const lnt_line *line = record->warnings; line; line = line->next)
        count++;
    const char **strings = lnt_alloc(ctx, count, sizeof *strings);
    check(im, strings != NULL);
    count = 0;
    for (const lnt_line *line = record->warnings; line && strings; line = line->next)
        strings[count++] = line->text;
    if (strings && count)
        put_strings(ctx, im, "warnings", "", 1, strings, count);
    for (const lnt_figure_node *f = record->figures; f; f = f->next) {
        char *path = lnt_sprintf(ctx, "figures/%s", f->figure.name);
        if (path)
            put_strings(ctx, im, path, "", 0, &f->figure.caption, 1);
        check(im, path != NULL);
    }
    lnt_ctx_reset(ctx, mark);
}

static void put_root(image *im, const lnt_record *record)
{
    int schema = LNT_SCHEMA;
    hid_t root = H5Gopen2(im->file, "/", H5P_DEFAULT);
    put_attribute(im, root, "command", record->command);
    put_attribute(im, root, "version", LNT_VERSION);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(root, "schema", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
    check(im, H5Awrite(attribute, H5T_NATIVE_INT, &schema) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Gclose(root);
}

static lnt_status take_image(lnt_ctx *ctx, lnt_text *out, image *im)
{
    ssize_t size = -1;
    check(im, H5Fflush(im->file, H5F_SCOPE_GLOBAL) >= 0);
    if (!im->failed)
        size = H5Fget_file_image(im->file, NULL, 0);
    if (size <= 0)
        return lnt_fail(ctx, LNT_ENOMEM, "the HDF5 library could not build the results in memory");
    void *buffer = lnt_heap_resize(NULL, (size_t)size);
    if (!buffer || H5Fget_file_image(im->file, buffer, (size_t)size) != size) {
        lnt_heap_free(buffer);
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for %zd bytes of HDF5", size);
    }
    lnt_text_bytes(out, buffer, (size_t)size);
    lnt_heap_free(buffer);
    return lnt_text_status(ctx, out);
}

lnt_status lnt_store_hdf5(lnt_ctx *ctx, lnt_text *out, const lnt_record *record)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const unsigned ordered = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
    image im = {.dataset = H5Pcreate(H5P_DATASET_CREATE), .group = H5Pcreate(H5P_GROUP_CREATE)};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, 1 << 16, 0);  /* 0: never written to disk */
    H5Pset_obj_track_times(im.dataset, 0); /* equal results are equal bytes */
    H5Pset_obj_track_times(im.group, 0);
    H5Pset_obj_track_times(creation, 0);
    H5Pset_link_creation_order(im.group, ordered);
    H5Pset_link_creation_order(creation, ordered);
    im.file = H5Fcreate("linnet-result", H5F_ACC_TRUNC, creation, access);
    check(&im, im.file >= 0);
    if (!im.failed) {
        put_root(&im, record);
        put_scalars(ctx, &im, record);
        put_arrays(ctx, &im, record);
        put_tables(ctx, &im, record);
        put_lines(ctx, &im, record);
    }
    lnt_status status = take_image(ctx, out, &im);
    H5Fclose(im.file);
    H5Pclose(access);
    H5Pclose(creation);
    H5Pclose(im.dataset);
    H5Pclose(im.group);
    return status;
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
