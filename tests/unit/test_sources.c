/* Files, gzip, and the data sets made of them. tests/data/make.py wrote the files in tests/data. */
#define _DEFAULT_SOURCE
#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- A folder for one test ---- */

typedef struct folder {
    lnt_ctx *ctx;
    char path[64];
    char files[8][160];
    int count;
} folder;

static int make_folder(void **state)
{
    folder *f = calloc(1, sizeof *f);
    if (!f || !(f->ctx = lnt_ctx_new()))
        return -1;
    snprintf(f->path, sizeof f->path, "/tmp/linnet-test-XXXXXX");
    *state = f;
    return mkdtemp(f->path) ? 0 : -1;
}

static int remove_folder(void **state)
{
    folder *f = *state;
    for (int i = 0; i < f->count; i++)
        unlink(f->files[i]);
    int failed = rmdir(f->path);
    lnt_ctx_free(f->ctx);
    free(f);
    return failed;
}

static const char *put_file(folder *f, const char *name, const void *bytes, size_t n)
{
    char *path = f->files[f->count++];
    snprintf(path, sizeof f->files[0], "%s/%s", f->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *put_text(folder *f, const char *name, const char *text)
{
    return put_file(f, name, text, strlen(text));
}

/* `count` images of one row of two pixels, the first pixel counting up from `start`. */
static const char *put_images(folder *f, const char *name, int count, uint8_t start)
{
    uint8_t p[100] = {0, 0, 8, 3, 0, 0, 0, (uint8_t)count, 0, 0, 0, 1, 0, 0, 0, 2};
    for (int i = 0; i < count; i++)
        p[16 + 2 * i] = (uint8_t)(start + i);
    return put_file(f, name, p, 16 + 2 * (size_t)count);
}

static const char *put_labels(folder *f, const char *name, int count, uint8_t label)
{
    uint8_t p[100] = {0, 0, 8, 1, 0, 0, 0, (uint8_t)count};
    for (int i = 0; i < count; i++)
        p[8 + i] = label;
    return put_file(f, name, p, 8 + (size_t)count);
}

static const char *data_file(folder *f, const char *name)
{
    return lnt_sprintf(f->ctx, "%s/%s", TEST_DATA, name);
}

/* ---- gzip ---- */

static void gzip_is_read_like_the_plain_file(void **state)
{
    folder *f = *state;
    static const char *const names[] = {"plain.csv", "one-member.csv.gz", "two-members.csv.gz"};
    for (int i = 0; i < 3; i++) {
        lnt_samples s;
        bool is_idx = true;
        check_status(f->ctx, lnt_samples_read(f->ctx, &s, &is_idx, data_file(f, names[i])), LNT_OK);
        assert_int_equal(s.n, 3);
        assert_int_equal(s.dim, 2);
        for (int k = 0; k < 6; k++)
            assert_true(s.f64[k] == k + 1);
        assert_false(is_idx);
    }
    lnt_samples s;
    bool is_idx = false;
    check_status(f->ctx, lnt_samples_read(f->ctx, &s, &is_idx, data_file(f, "images.idx.gz")), LNT_OK);
    assert_true(is_idx && s.n == 2 && s.dim == 2 && s.u8[3] == 4);
    check_status(f->ctx, lnt_samples_read(f->ctx, &s, &is_idx, data_file(f, "array.npy.gz")), LNT_OK);
    assert_true(!is_idx && s.n == 3 && s.dim == 2 && s.f64[4] == .5);
}

static size_t raw_bytes(folder *f, const char *name, uint8_t *p, size_t room)
{
    FILE *file = fopen(data_file(f, name), "rb");
    assert_non_null(file);
    size_t n = fread(p, 1, room, file);
    fclose(file);
    assert_true(n > 20 && n < room);
    return n;
}

static void cut_gzip_is_refused(void **state)
{
    folder *f = *state;
    uint8_t p[500];
    lnt_bytes out;
    size_t n = raw_bytes(f, "one-member.csv.gz", p, sizeof p);
    for (size_t cut = 0; cut < n; cut++) {
        check_failure(f->ctx, lnt_gunzip(f->ctx, &out, p, cut, "packed"), LNT_EFORMAT, "packed: gzip data");
        assert_null(out.p);
    }
    check_status(f->ctx, lnt_gunzip(f->ctx, &out, p, n, "packed"), LNT_OK);
    lnt_heap_free(out.p);
    lnt_samples s;
    const char *path = put_file(f, "cut.csv.gz", p, n - 3);
    check_failure(f->ctx, lnt_samples_read(f->ctx, &s, NULL, path), LNT_EFORMAT, path);
}

/* Any bit of content, checksum or length that changes must be noticed; the header's time and system need not. */
static void damaged_gzip_is_refused(void **state)
{
    folder *f = *state;
    uint8_t p[500];
    size_t n = raw_bytes(f, "two-members.csv.gz", p, sizeof p);
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit++) {
            lnt_bytes out;
            p[i] ^= (uint8_t)(1 << bit);
            lnt_status status = lnt_gunzip(f->ctx, &out, p, n, "packed");
            p[i] ^= (uint8_t)(1 << bit);
            if (status == LNT_OK && memcmp(out.p, "a,b\n1,2\n3,4\n5,6\n", 16) != 0)
                fail_msg("bit %d of byte %zu changes the content unnoticed", bit, i);
            lnt_heap_free(out.p);
            lnt_ctx_clear(f->ctx);
        }
    p[n - 12] ^= 1;
    lnt_bytes out;
    check_failure(f->ctx, lnt_gunzip(f->ctx, &out, p, n, "packed"), LNT_EFORMAT, "packed: gzip data");
}

static void files_that_cannot_be_read(void **state)
{
    folder *f = *state;
    lnt_samples s;
    const char *missing = lnt_sprintf(f->ctx, "%s/none.csv", f->path), *empty = put_text(f, "empty.csv", "");
    check_failure(f->ctx, lnt_samples_read(f->ctx, &s, NULL, missing), LNT_EMISSING, missing);
    check_failure(f->ctx, lnt_samples_read(f->ctx, &s, NULL, f->path), LNT_EINVAL, "folder");
    check_failure(f->ctx, lnt_samples_read(f->ctx, &s, NULL, empty), LNT_EFORMAT, "empty");
    const char *hdf5 = put_text(f, "a.h5", "\x89HDF\r\n\x1a\n");
    check_failure(f->ctx, lnt_samples_read(f->ctx, &s, NULL, hdf5), LNT_EFORMAT, "HDF5");
    const char *no_images = put_images(f, "none", 0, 0);
    check_failure(f->ctx, lnt_samples_read(f->ctx, &s, NULL, no_images), LNT_EFORMAT, "no values");
}

/* ---- Sources ---- */

static void digits_are_built_in(void **state)
{
    lnt_dataset d;
    check_status(*state, lnt_source_read(*state, &d, &(lnt_source){.data = "digits"}, true), LNT_OK);
    assert_int_equal(d.inputs.n, 1797);
    assert_int_equal(d.inputs.dim, 64);
    assert_int_equal(d.classes, 10);
    assert_int_equal(lnt_dataset_outputs(&d), 10);
    int counts[10] = {0}, largest = 0, sum = 0;
    for (int i = 0; i < 1797; i++) {
        assert_in_range(d.label[i], 0, 9);
        counts[d.label[i]]++;
    }
    for (int k = 0; k < 10; k++) {
        assert_in_range(counts[k], 170, 190);
        sum += counts[k];
    }
    assert_int_equal(sum, 1797);
    for (int i = 0; i < 1797 * 64; i++)
        largest = d.inputs.u8[i] > largest ? d.inputs.u8[i] : largest;
    assert_int_equal(largest, 16);
}

static lnt_status read_pair(folder *f, lnt_dataset *d, const char *inputs, const char *targets, bool one_hot)
{
    lnt_source source = {.inputs = inputs, .targets = targets, .one_hot = one_hot};
    return lnt_source_read(f->ctx, d, &source, true);
}

static void inputs_and_targets_are_paired(void **state)
{
    folder *f = *state;
    lnt_dataset d;
    const char *x = put_text(f, "x.csv", "1,2\n3,4\n5,6\n"), *y = put_text(f, "y.csv", "7\n8\n9\n"),
               *y2 = put_text(f, "y2.csv", "7\n8\n");
    check_status(f->ctx, read_pair(f, &d, x, y, false), LNT_OK);
    assert_true(d.classes == 0 && d.inputs.n == 3 && lnt_dataset_outputs(&d) == 1 && d.targets.f64[2] == 9);
    lnt_status status = read_pair(f, &d, x, y2, false);
    assert_non_null(strstr(lnt_ctx_message(f->ctx), "3"));
    check_failure(f->ctx, status, LNT_ESHAPE, y2);
    check_failure(f->ctx, read_pair(f, &d, x, NULL, false), LNT_EUSAGE, "--targets");
    check_failure(f->ctx, read_pair(f, &d, NULL, y, false), LNT_EUSAGE, "--inputs");
    check_status(f->ctx, lnt_source_read(f->ctx, &d, &(lnt_source){.inputs = x}, false), LNT_OK);
    assert_true(lnt_dataset_outputs(&d) == 0);
    lnt_source both = {.data = "digits", .inputs = x};
    check_failure(f->ctx, lnt_source_read(f->ctx, &d, &both, true), LNT_EUSAGE, "not both");
}

static void labels_become_one_hot_targets(void **state)
{
    folder *f = *state;
    lnt_dataset d;
    const char *x = put_text(f, "x.csv", "1\n2\n3\n"), *y = put_text(f, "y.csv", "2\n0\n2\n");
    check_status(f->ctx, read_pair(f, &d, x, y, true), LNT_OK);
    assert_int_equal(d.classes, 3);
    const int rows[] = {0, 2, 1};
    double expected[] = {0, 0, 1, 1, 0, 0};
    lnt_mat Y;
    check_status(f->ctx, lnt_mat_alloc(f->ctx, &Y, 3, 2), LNT_OK);
    lnt_targets_get(Y, &d, rows, 1, 2);
    check_close(Y, lnt_mat_view(expected, 3, 2), 0, "one-hot targets");
    const char *idx = put_labels(f, "labels", 3, 1);
    check_status(f->ctx, read_pair(f, &d, x, idx, false), LNT_OK);
    assert_true(d.classes == 2 && d.label[2] == 1);
    static const char *const bad[] = {"0\n1.5\n1\n", "0\n-1\n1\n", "0\n65536\n1\n", "0\n1e300\n1\n"};
    for (int i = 0; i < 4; i++, f->count--)
        check_failure(f->ctx, read_pair(f, &d, x, put_text(f, "bad.csv", bad[i]), true), LNT_EDOMAIN, "row 2");
    f->count++;
    const char *two = put_text(f, "two.csv", "0,1\n0,1\n1,0\n");
    check_failure(f->ctx, read_pair(f, &d, x, two, true), LNT_ESHAPE, "one column");
}

static void one_hot_rows_are_recognised(void **state)
{
    folder *f = *state;
    const struct {
        const char *text;
        int classes;
    } targets[] = {{"1,0,0\n0,0,1\n0,0,1\n", 3}, {"1,0\n0,0\n0,1\n", 0},  {"1,0\n1,1\n0,1\n", 0},
                   {"1,0\n0,2\n0,1\n", 0},       {"1,0\n0,.5\n0,1\n", 0}, {"1\n1\n1\n", 0}};
    const char *x = put_text(f, "x.csv", "1\n2\n3\n");
    for (int i = 0; i < 6; i++, f->count--) {
        lnt_dataset d;
        check_status(f->ctx, read_pair(f, &d, x, put_text(f, "y.csv", targets[i].text), false), LNT_OK);
        if (d.classes != targets[i].classes)
            fail_msg("%d classes in '%s'", d.classes, targets[i].text);
        if (d.classes)
            assert_true(d.label[0] == 0 && d.label[1] == 2 && d.label[2] == 2 && d.targets.dim == 0);
        else
            assert_true(d.targets.n == 3 && !d.label);
    }
    f->count++;
}

static void a_folder_of_idx_files(void **state)
{
    folder *f = *state;
    lnt_dataset d;
    lnt_source source = {.data = f->path};
    check_failure(f->ctx, lnt_source_read(f->ctx, &d, &source, true), LNT_EMISSING, "train-images-idx3-ubyte");
    const char *images = put_images(f, "train-images-idx3-ubyte", 3, 10);
    put_labels(f, "train-labels-idx1-ubyte", 3, 4);
    check_status(f->ctx, lnt_source_read(f->ctx, &d, &source, true), LNT_OK);
    assert_true(d.inputs.n == 3 && d.inputs.dim == 2 && d.classes == 5);
    put_images(f, "t10k-images-idx3-ubyte", 2, 90);
    put_labels(f, "t10k-labels-idx1-ubyte", 2, 7);
    check_status(f->ctx, lnt_source_read(f->ctx, &d, &source, true), LNT_OK);
    assert_true(d.inputs.n == 5 && d.classes == 8);
    const int first_pixel[] = {10, 11, 12, 90, 91}, label[] = {4, 4, 4, 7, 7};
    for (int i = 0; i < 5; i++)
        assert_true(d.inputs.u8[2 * i] == first_pixel[i] && d.label[i] == label[i]);
    check_status(f->ctx, lnt_source_read(f->ctx, &d, &(lnt_source){.data = images}, true), LNT_OK);
    assert_int_equal(d.inputs.n, 3);
}

static void folders_that_are_refused(void **state)
{
    folder *f = *state;
    lnt_dataset d;
    lnt_source source = {.data = f->path};
    put_images(f, "train-images-idx3-ubyte", 3, 10);
    put_labels(f, "train-labels-idx1-ubyte", 2, 4);
    check_failure(f->ctx, lnt_source_read(f->ctx, &d, &source, true), LNT_ESHAPE, "3 images");
    put_text(f, "train-labels-idx1-ubyte", "1\n2\n3\n");
    f->count--;
    check_failure(f->ctx, lnt_source_read(f->ctx, &d, &source, true), LNT_EFORMAT, "not an IDX file");
    source.data = put_text(f, "table.csv", "1\n");
    check_failure(f->ctx, lnt_source_read(f->ctx, &d, &source, true), LNT_EINVAL, "--inputs");
    source.data = "no such set";
    check_failure(f->ctx, lnt_source_read(f->ctx, &d, &source, true), LNT_EMISSING, "no such set");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(gzip_is_read_like_the_plain_file),
        IN_FOLDER(cut_gzip_is_refused),
        IN_FOLDER(damaged_gzip_is_refused),
        IN_FOLDER(files_that_cannot_be_read),
        WITH_CTX(digits_are_built_in),
        IN_FOLDER(inputs_and_targets_are_paired),
        IN_FOLDER(labels_become_one_hot_targets),
        IN_FOLDER(one_hot_rows_are_recognised),
        IN_FOLDER(a_folder_of_idx_files),
        IN_FOLDER(folders_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
