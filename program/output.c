#include "program.h"

#include <stdio.h>
#include <string.h>

static const char *message_of(lnt_ctx *ctx, lnt_status status)
{
    const char *message = lnt_ctx_message(ctx);
    return *message ? message : lnt_status_text(status);
}

int put_failure(lnt_ctx *ctx, lnt_status status)
{
    fprintf(stderr, "linnet: %s\n", message_of(ctx, status));
    lnt_ctx_clear(ctx);
    return status == LNT_EUSAGE ? EXIT_USAGE : EXIT_FAILED;
}

static bool has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);
    return n > k && strcmp(path + n - k, ending) == 0;
}

/* The array a command is about, as NPY, or as CSV where the name of the file asks for it. */
static lnt_status save_array(lnt_ctx *ctx, const lnt_record *record, const char *name, const char *path)
{
    lnt_array array;
    lnt_text bytes = {0};
    bool csv = has_ending(path, ".csv");
    if (!lnt_record_array(record, name, &array))
        return lnt_fail(ctx, LNT_EINVAL, "there is no result '%s' to save", name);
    int count = array.rank == 3 ? array.dims[0] : 1, rows = array.dims[array.rank - 2],
        cols = array.dims[array.rank - 1];
    if (csv && count > 1)
        return lnt_fail(ctx, LNT_EUSAGE, "%s: %d arrays do not fit one CSV file; use a name that ends in .npy", path,
                        count);
    lnt_mat *X = lnt_alloc(ctx, (size_t)count, sizeof *X);
    if (!X)
        return LNT_ENOMEM;
    for (int k = 0; k < count; k++)
        X[k] = lnt_mat_view((double *)(uintptr_t)array.values + (size_t)k * (size_t)rows * (size_t)cols, cols, rows);
    lnt_status status = csv ? lnt_store_csv(ctx, &bytes, X[0]) : lnt_store_npy(ctx, &bytes, X, count);
    if (status == LNT_OK)
        status = lnt_write_atomic(ctx, path, bytes.p, bytes.n);
    lnt_text_free(&bytes);
    return status;
}

/* Of --NAME-out the arrays below /NAME as HDF5; a single matrix /NAME as NPY or CSV, unless the file's name asks for
 * HDF5. */
static lnt_status save_weights(lnt_ctx *ctx, const lnt_record *record, const lnt_command *command, const void *opts)
{
    lnt_status status = LNT_OK;
    lnt_array matrix;
    for (const lnt_option *o = command->options; o->name && status == LNT_OK; o++) {
        const char *path = o->flags & LNT_OPT_WEIGHTS ? *(const char *const *)((const char *)opts + o->offset) : NULL;
        lnt_text bytes = {0};
        if (!path)
            continue;
        char *name = lnt_strdup(ctx, o->name);
        if (!name)
            return LNT_ENOMEM;
        name[strlen(name) - strlen("-out")] = '\0';
        if (lnt_record_array(record, name, &matrix) && !has_ending(path, ".h5") && !has_ending(path, ".hdf5")) {
            status = save_array(ctx, record, name, path);
            continue;
        }
        status = lnt_store_group(ctx, &bytes, record, name);
        if (status == LNT_OK)
            status = lnt_write_atomic(ctx, path, bytes.p, bytes.n);
        lnt_text_free(&bytes);
    }
    return status;
}

static lnt_status save(lnt_ctx *ctx, lnt_record *record, const lnt_command *command, const common_opts *common)
{
    if (!common->out || command->out == LNT_OUT_OWN)
        return LNT_OK;
    if (command->out == LNT_OUT_ARRAY)
        return save_array(ctx, record, command->array, common->out);
    return lnt_folder_save(ctx, record, common->out, common->figure);
}

/* A table alone would hide them. */
static void put_warnings(lnt_ctx *ctx, const lnt_record *record)
{
    lnt_text text = {0};
    if (lnt_record_warnings(ctx, &text, record) == LNT_OK)
        fwrite(text.p, 1, text.n, stderr);
    lnt_text_free(&text);
}

static lnt_status print(lnt_ctx *ctx, lnt_record *record, const common_opts *common)
{
    lnt_text out = {0};
    lnt_status status = lnt_record_status(ctx, record), usage = LNT_OK;
    if (common->csv && !common->json && (usage = lnt_record_csv(ctx, &out, record, common->csv)) != LNT_OK)
        put_failure(ctx, usage); /* the run is done and not to be lost: its table is printed instead */
    if (common->csv && !common->json && !common->quiet)
        put_warnings(ctx, record);
    if (status == LNT_OK && common->json)
        status = lnt_record_json(ctx, &out, record);
    else if (status == LNT_OK && (!common->csv || usage != LNT_OK))
        status = lnt_record_print(ctx, &out, record);
    if (status == LNT_OK && (fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout) != 0))
        status = lnt_fail(ctx, LNT_EIO, "standard output could not be written");
    lnt_text_free(&out);
    return status != LNT_OK ? status : usage;
}

/* What could not be saved, on standard output: an array as CSV, other results as their table follows anyway. */
static void put_unsaved(lnt_ctx *ctx, const lnt_record *record, const lnt_command *command, const common_opts *common)
{
    lnt_text out = {0};
    lnt_array a;
    if (command->out != LNT_OUT_ARRAY || common->json || !lnt_record_array(record, command->array, &a))
        return;
    int cols = a.dims[a.rank - 1], rows = (a.rank == 3 ? a.dims[0] : 1) * a.dims[a.rank - 2];
    if (lnt_store_csv(ctx, &out, lnt_mat_view((double *)(uintptr_t)a.values, cols, rows)) == LNT_OK)
        fwrite(out.p, 1, out.n, stdout);
    lnt_text_free(&out);
}

int put_results(lnt_ctx *ctx, lnt_record *record, const lnt_command *command, const void *opts,
                const common_opts *common)
{
    int code = EXIT_DONE;
    lnt_status status = save_weights(ctx, record, command, opts);
    if (status != LNT_OK)
        code = put_failure(ctx, status);
    status = save(ctx, record, command, common);
    if (status != LNT_OK) { /* the numbers are not lost: they are printed below */
        fprintf(stderr, "linnet: %s; the results are printed instead\n", message_of(ctx, status));
        lnt_ctx_clear(ctx);
        code = status == LNT_EUSAGE ? EXIT_USAGE : EXIT_FAILED;
        put_unsaved(ctx, record, command, common);
    }
    status = print(ctx, record, common);
    if (status == LNT_EUSAGE)
        return EXIT_USAGE;
    if (status != LNT_OK)
        return put_failure(ctx, status);
    if (code != EXIT_DONE)
        return code;
    if (lnt_record_interrupted(record))
        return EXIT_INTERRUPTED;
    return lnt_record_rows(record, "checks") > 0 && !lnt_record_verdict(record) ? EXIT_TOLERANCE : EXIT_DONE;
}
