#include "linnet/data.h"

#include "digits.h"
#include "linnet/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static lnt_status parse_any(lnt_ctx *ctx, lnt_samples *samples, bool *is_idx, lnt_bytes bytes, const char *name)
{
    *is_idx = bytes.n >= 4 && bytes.p[0] == 0 && bytes.p[1] == 0;
    if (bytes.n == 0)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: the file is empty", name);
    if (*is_idx)
        return lnt_idx_parse(ctx, samples, bytes.p, bytes.n, name);
    if (bytes.p[0] == 0x93)
        return lnt_npy_parse(ctx, samples, bytes.p, bytes.n, name);
    return lnt_csv_parse(ctx, samples, bytes.p, bytes.n, name);
}

lnt_status lnt_samples_read(lnt_ctx *ctx, lnt_samples *samples, bool *is_idx, const char *path)
{
    lnt_bytes bytes;
    bool idx;
    const char *dataset, *file = lnt_file_and_dataset(ctx, path, &dataset);
    *samples = (lnt_samples){0};
    is_idx = is_idx ? is_idx : &idx;
    *is_idx = false;
    if (!file)
        return LNT_ENOMEM;
    lnt_status status;
    if (dataset || lnt_hdf5_recognise(file)) {
        status = lnt_hdf5_samples(ctx, samples, file, dataset);
    } else if ((status = lnt_file_read(ctx, &bytes, path)) == LNT_OK) {
        status = parse_any(ctx, samples, is_idx, bytes, path);
        lnt_heap_free(bytes.p);
    }
    if (status == LNT_OK && (samples->n == 0 || samples->dim == 0))
        return lnt_fail(ctx, LNT_EFORMAT, "%s: no values in it (%d rows of %d)", path, samples->n, samples->dim);
    return status;
}

lnt_status lnt_matrix_read(lnt_ctx *ctx, lnt_mat *A, const char *path)
{
    lnt_samples rows;
    lnt_status status = lnt_samples_read(ctx, &rows, NULL, path);
    lnt_mat T;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, A, rows.n, rows.dim);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &T, rows.dim, rows.n);
    if (status != LNT_OK)
        return status;
    lnt_samples_get(T, &rows, NULL, 0, rows.n);
    lnt_mat_transpose(*A, T);
    return LNT_OK;
}

/* ---- Targets ---- */

static lnt_status set_labels(lnt_ctx *ctx, lnt_dataset *data, const lnt_samples *column, const char *name)
{
    int *label = lnt_alloc(ctx, (size_t)column->n, sizeof *label), classes = 0;
    if (!label)
        return LNT_ENOMEM;
    if (column->dim != 1)
        return lnt_fail(ctx, LNT_ESHAPE, "%s: class labels must be one column, not %d", name, column->dim);
    for (int i = 0; i < column->n; i++) {
        double x = column->f64 ? column->f64[i] : column->u8[i];
        if (!(x >= 0 && x < 65536) || x != (int)x)
            return lnt_fail(ctx, LNT_EDOMAIN, "%s: row %d: %g is not a class (0, 1, ..., at most 65535)", name, i + 1,
                            x);
        label[i] = (int)x;
        if (label[i] >= classes)
            classes = label[i] + 1;
    }
    data->label = label;
    data->classes = classes;
    return LNT_OK;
}

/* Dense targets with exactly one 1 in each row, and else zeros, are classes in disguise. */
static lnt_status recognise_one_hot(lnt_ctx *ctx, lnt_dataset *data)
{
    const lnt_samples *t = &data->targets;
    if (t->dim < 2)
        return LNT_OK;
    int *label = lnt_alloc(ctx, (size_t)t->n, sizeof *label);
    if (!label)
        return LNT_ENOMEM;
    for (int i = 0; i < t->n; i++) {
        int ones = 0;
        for (int k = 0; k < t->dim; k++) {
            size_t at = (size_t)i * (size_t)t->dim + (size_t)k;
            double x = t->f64 ? t->f64[at] : t->u8[at];
            if (x == 1) {
                ones++;
                label[i] = k;
            } else if (x != 0) {
                return LNT_OK;
            }
        }
        if (ones != 1)
            return LNT_OK;
    }
    data->label = label;
    data->classes = t->dim;
    data->targets = (lnt_samples){0};
    return LNT_OK;
}

static lnt_status read_targets(lnt_ctx *ctx, lnt_dataset *data, const lnt_source *source)
{
    lnt_samples targets;
    bool is_idx;
    lnt_status status = lnt_samples_read(ctx, &targets, &is_idx, source->targets);
    if (status != LNT_OK)
        return status;
    if (targets.n != data->inputs.n)
        return lnt_fail(ctx, LNT_ESHAPE, "%s has %d rows, %s has %d: every input row needs one target row",
                        source->inputs, data->inputs.n, source->targets, targets.n);
    if (source->one_hot || is_idx)
        return set_labels(ctx, data, &targets, source->targets);
    data->targets = targets;
    return recognise_one_hot(ctx, data);
}

/* ---- Built-in and IDX data sets ---- */

static lnt_status read_digits(lnt_ctx *ctx, lnt_dataset *data)
{
    lnt_bytes csv;
    lnt_samples table;
    lnt_status status = lnt_gunzip(ctx, &csv, lnt_digits_csv_gz, lnt_digits_csv_gz_size, "digits");
    if (status == LNT_OK)
        status = lnt_csv_parse(ctx, &table, csv.p, csv.n, "digits");
    lnt_heap_free(csv.p);
    if (status != LNT_OK)
        return status;
    int dim = table.dim - 1;
    uint8_t *pixels = lnt_alloc(ctx, (size_t)table.n * (size_t)dim, 1);
    int *label = lnt_alloc(ctx, (size_t)table.n, sizeof *label);
    if (!pixels || !label)
        return LNT_ENOMEM;
    for (int i = 0; i < table.n; i++) {
        const double *row = table.f64 + (size_t)i * (size_t)table.dim;
        for (int j = 0; j < dim; j++)
            pixels[(size_t)i * (size_t)dim + (size_t)j] = (uint8_t)row[j];
        label[i] = (int)row[dim];
    }
    *data = (lnt_dataset){.inputs = {.dim = dim, .n = table.n, .u8 = pixels}, .label = label, .classes = 10};
    return LNT_OK;
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* folder/stem or folder/stem.gz, whichever exists; NULL if neither does (or memory is exhausted). */
static const char *find_file(lnt_ctx *ctx, const char *folder, const char *stem)
{
    const char *plain = lnt_sprintf(ctx, "%s/%s", folder, stem), *packed = lnt_sprintf(ctx, "%s/%s.gz", folder, stem);
    if (plain && exists(plain))
        return plain;
    return packed && exists(packed) ? packed : NULL;
}

static lnt_status read_pair(lnt_ctx *ctx, lnt_dataset *data, const char *images, const char *labels)
{
    lnt_samples column;
    bool idx_images, idx_labels;
    lnt_status status = lnt_samples_read(ctx, &data->inputs, &idx_images, images);
    if (status == LNT_OK)
        status = lnt_samples_read(ctx, &column, &idx_labels, labels);
    if (status != LNT_OK)
        return status;
    if (!idx_images || !idx_labels)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: not an IDX file", idx_images ? labels : images);
    if (column.n != data->inputs.n)
        return lnt_fail(ctx, LNT_ESHAPE, "%s holds %d images, %s holds %d labels", images, data->inputs.n, labels,
                        column.n);
    return set_labels(ctx, data, &column, labels);
}

/* data <- a followed by b. */
static lnt_status append(lnt_ctx *ctx, lnt_dataset *data, const lnt_dataset *a, const lnt_dataset *b)
{
    if (a->inputs.dim != b->inputs.dim)
        return lnt_fail(ctx, LNT_ESHAPE, "training images have %d pixels, test images %d", a->inputs.dim,
                        b->inputs.dim);
    size_t na = (size_t)a->inputs.n, nb = (size_t)b->inputs.n, dim = (size_t)a->inputs.dim;
    uint8_t *pixels = lnt_alloc(ctx, (na + nb) * dim, 1);
    int *label = lnt_alloc(ctx, na + nb, sizeof *label);
    if (!pixels || !label)
        return LNT_ENOMEM;
    memcpy(pixels, a->inputs.u8, na * dim);
    memcpy(pixels + na * dim, b->inputs.u8, nb * dim);
    memcpy(label, a->label, na * sizeof *label);
    memcpy(label + na, b->label, nb * sizeof *label);
    *data = (lnt_dataset){.inputs = {.dim = (int)dim, .n = (int)(na + nb), .u8 = pixels},
                          .label = label,
                          .classes = a->classes > b->classes ? a->classes : b->classes};
    return LNT_OK;
}

static lnt_status read_folder(lnt_ctx *ctx, lnt_dataset *data, const char *folder)
{
    const char *images = find_file(ctx, folder, "train-images-idx3-ubyte"),
               *labels = find_file(ctx, folder, "train-labels-idx1-ubyte"),
               *test_images = find_file(ctx, folder, "t10k-images-idx3-ubyte"),
               *test_labels = find_file(ctx, folder, "t10k-labels-idx1-ubyte");
    if (!images || !labels)
        return lnt_fail(ctx, LNT_EMISSING,
                        "%s: needs train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz", folder);
    lnt_dataset train = {0}, test = {0};
    lnt_status status = read_pair(ctx, &train, images, labels);
    if (status != LNT_OK || !test_images || !test_labels) {
        *data = train;
        return status;
    }
    status = read_pair(ctx, &test, test_images, test_labels);
    return status == LNT_OK ? append(ctx, data, &train, &test) : status;
}

static lnt_status read_mnist(lnt_ctx *ctx, lnt_dataset *data)
{
    const char *root = getenv("LINNET_DATA"), *home = getenv("HOME");
    const char *first = lnt_sprintf(ctx, "%s/mnist", root ? root : ""),
               *second = lnt_sprintf(ctx, "%s/.local/share/linnet/mnist", home ? home : "");
    if (!first || !second)
        return LNT_ENOMEM;
    if (root && is_folder(first))
        return read_folder(ctx, data, first);
    if (home && is_folder(second))
        return read_folder(ctx, data, second);
    return lnt_fail(ctx, LNT_EMISSING,
                    "MNIST is neither in $LINNET_DATA/mnist nor in %s; fetch it with script/get-mnist, or use --data "
                    "digits, which is built in",
                    second);
}

/* An image file's labels stand beside it under the usual name. */
static lnt_status read_image_file(lnt_ctx *ctx, lnt_dataset *data, const char *images)
{
    static const char from[] = "images-idx3", to[] = "labels-idx1";
    char *labels = lnt_strdup(ctx, images);
    if (!labels)
        return LNT_ENOMEM;
    char *slash = strrchr(labels, '/'), *place = strstr(slash ? slash : labels, from);
    if (!place)
        return lnt_fail(ctx, LNT_EINVAL,
                        "%s: a data set is digits, mnist, a folder of IDX files, or a file named *images-idx3*; give "
                        "other files as --inputs and --targets",
                        images);
    memcpy(place, to, sizeof to - 1);
    return read_pair(ctx, data, images, labels);
}

static lnt_status read_named(lnt_ctx *ctx, lnt_dataset *data, const char *name)
{
    if (strcmp(name, "digits") == 0)
        return read_digits(ctx, data);
    if (strcmp(name, "mnist") == 0)
        return read_mnist(ctx, data);
    if (is_folder(name))
        return read_folder(ctx, data, name);
    if (exists(name))
        return read_image_file(ctx, data, name);
    return lnt_fail(ctx, LNT_EMISSING, "no data set '%s': it is neither digits nor mnist nor a folder or file", name);
}

lnt_status lnt_source_read(lnt_ctx *ctx, lnt_dataset *data, const lnt_source *source, bool need_targets)
{
    *data = (lnt_dataset){0};
    if (source->data && (source->inputs || source->targets))
        return lnt_fail(ctx, LNT_EUSAGE, "give either --data or --inputs with --targets, not both");
    if (source->data)
        return read_named(ctx, data, source->data);
    if (!source->inputs)
        return lnt_fail(ctx, LNT_EUSAGE, "no data: give --data digits, --data mnist, or --inputs FILE --targets FILE");
    lnt_status status = lnt_samples_read(ctx, &data->inputs, NULL, source->inputs);
    if (status != LNT_OK)
        return status;
    if (source->targets)
        return read_targets(ctx, data, source);
    if (need_targets)
        return lnt_fail(ctx, LNT_EUSAGE, "--inputs %s needs --targets FILE, with one row per input row",
                        source->inputs);
    return LNT_OK;
}
