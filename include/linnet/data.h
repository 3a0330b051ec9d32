/* Data sets: samples as they were read, and the readers of NPY, CSV, IDX and HDF5.
 *
 * Samples keep the type of their file where that is bytes (images), so that 70,000 x 784 pixels take 55 MB,
 * not 439. Whoever needs numbers asks for a block of them as doubles. */
#ifndef LINNET_DATA_H
#define LINNET_DATA_H

#include "linnet/mat.h"
#include "linnet/rng.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* n samples of `dim` values each, one after another; exactly one of the two pointers is set. */
typedef struct lnt_samples {
    int dim, n;
    const double *f64;
    const uint8_t *u8;
} lnt_samples;

/* X <- samples rows[first..first+count-1] (rows NULL: the samples first .. first+count-1 themselves), one per
 * column. X is dim x count. No checks: indices must be in range. */
LNT_API void lnt_samples_get(lnt_mat X, const lnt_samples *samples, const int *rows, int first, int count);
/* The samples as a view of an existing D x n matrix with ld = rows. */
LNT_API lnt_samples lnt_samples_view(lnt_mat X);

/* Inputs with their targets: either a class 0 .. classes-1 per sample, standing for a one-hot target, or
 * dense targets (classes = 0). A data set without targets has classes = 0 and targets.dim = 0. */
typedef struct lnt_dataset {
    lnt_samples inputs, targets;
    const int *label;
    int classes;
} lnt_dataset;

/* Y <- targets of the samples as in lnt_samples_get(), one-hot where there are classes. */
LNT_API void lnt_targets_get(lnt_mat Y, const lnt_dataset *data, const int *rows, int first, int count);
/* Number of outputs: classes, or the dimension of dense targets. */
LNT_API int lnt_dataset_outputs(const lnt_dataset *data);

/* held <- a random `share` of the rows (rounded, at least one), data <- the others; both keep the order of the file.
 * The first of a permutation by lnt_rng_shuffle() are held out. LNT_EINVAL where one of the two would be empty. */
LNT_API lnt_status lnt_dataset_split(lnt_ctx *ctx, lnt_dataset *data, lnt_dataset *held, double share, lnt_rng *rng);
/* Keeps the rows of the classes wanted[0], wanted[1], ..., `count` of them, which become 0, 1, ...; rows keep their
 * order. LNT_EDOMAIN for one that has no rows or stands twice, LNT_EINVAL where the targets are not classes. */
LNT_API lnt_status lnt_dataset_classes(lnt_ctx *ctx, lnt_dataset *data, const int *wanted, int count);
/* Gives `other` the same kind of targets as `data`: as many classes, or one-hot rows in place of classes. LNT_ESHAPE
 * where inputs or targets have other dimensions, LNT_EDOMAIN for a class that `data` does not have; `name` stands in
 * messages. */
LNT_API lnt_status lnt_dataset_match(lnt_ctx *ctx, lnt_dataset *other, const lnt_dataset *data, const char *name);

/* ---- Bytes of files ---- */

/* A file's content, decompressed if it is gzip. Free p with lnt_heap_free(). */
typedef struct lnt_bytes {
    uint8_t *p;
    size_t n;
} lnt_bytes;

/* Reads a file. LNT_EMISSING if it does not exist, LNT_EIO where reading fails, LNT_EFORMAT for damaged gzip
 * data, or for more than 64 GiB after decompression. */
LNT_API lnt_status lnt_file_read(lnt_ctx *ctx, lnt_bytes *bytes, const char *path);
/* out <- the decompressed content of a gzip stream in memory; several members may follow each other. */
LNT_API lnt_status lnt_gunzip(lnt_ctx *ctx, lnt_bytes *out, const uint8_t *p, size_t n, const char *name);

/* ---- Formats: each parses bytes and never touches the disk. `name` stands in messages. ---- */

/* NPY versions 1 to 3: every real numeric type (bool, integers, floats of 2 to 16 bytes), both byte orders, C and
 * Fortran order, one or two dimensions. Shape (n, D) gives n samples of dimension D, (n,) n samples of dimension 1.
 * Bytes (u1, C order) stay bytes; everything else becomes double (integers beyond 2^53 are rounded).
 * LNT_EFORMAT, with the reason, for anything else; non-finite values are LNT_EDOMAIN with their place. */
LNT_API lnt_status lnt_npy_parse(lnt_ctx *ctx, lnt_samples *samples, const uint8_t *p, size_t n, const char *name);
/* Comma-, tab-, semicolon- or blank-separated numbers, one sample a line; a first line that holds text and no
 * number is a header and skipped; lines starting with # and empty lines are skipped; cells may be quoted.
 * A missing, non-numeric or non-finite cell is LNT_EFORMAT with its line and column. */
LNT_API lnt_status lnt_csv_parse(lnt_ctx *ctx, lnt_samples *samples, const uint8_t *p, size_t n, const char *name);
/* IDX of unsigned bytes with any number of dimensions; all but the first are one sample. */
LNT_API lnt_status lnt_idx_parse(lnt_ctx *ctx, lnt_samples *samples, const uint8_t *p, size_t n, const char *name);

/* A dataset of real numbers with one or two dimensions, rows as samples, from an HDF5 file; `dataset` may be NULL where
 * the file holds only one. Files of MATLAB (version 7.3) read as MATLAB shows them. Unsigned bytes stay bytes. The
 * HDF5 library runs in a child process with limits: hostile files can crash it. Errors as for NPY; LNT_EUSAGE lists
 * the datasets where one must be named. */
LNT_API lnt_status lnt_hdf5_samples(lnt_ctx *ctx, lnt_samples *samples, const char *path, const char *dataset);
/* True if the file has an HDF5 signature. */
LNT_API bool lnt_hdf5_recognise(const char *path);
/* Splits "FILE:DATASET" into its two parts where FILE is a file and the whole is none; *dataset is NULL otherwise.
 * Returns the file's name, or NULL when memory is exhausted. */
LNT_API char *lnt_file_and_dataset(lnt_ctx *ctx, const char *text, const char **dataset);

/* Reads a file of any of the four formats (the first three plain or gzip), told apart by content; `path` may be
 * FILE:DATASET for HDF5. `is_idx` (may be NULL) says whether it was IDX. */
LNT_API lnt_status lnt_samples_read(lnt_ctx *ctx, lnt_samples *samples, bool *is_idx, const char *path);
/* A <- the matrix in a file of one of these formats, as the file shows it: A_ij is row i, column j. */
LNT_API lnt_status lnt_matrix_read(lnt_ctx *ctx, lnt_mat *A, const char *path);

/* ---- Sources ---- */

/* Where a data set comes from. Either `data`, or `inputs` with optional `targets`. */
typedef struct lnt_source {
    const char *data;    /* "digits", "mnist", a folder of IDX files, or an IDX image file beside its labels; or NULL */
    const char *inputs;  /* file of samples; or NULL */
    const char *targets; /* file of targets; or NULL */
    bool one_hot;        /* targets are one column of classes 0, 1, ...; IDX targets always are */
} lnt_source;

/* Reads a data set into scratch memory of the context.
 * - "digits": 1,797 images of 8 x 8, values 0..16, ten classes, built in (data/README.md).
 * - "mnist": the four IDX files in $LINNET_DATA/mnist, else in ~/.local/share/linnet/mnist: 60,000 training rows
 *   followed by 10,000 test rows.
 * - a folder: train-images-idx3-ubyte, train-labels-idx1-ubyte and, where present, the t10k pair, plain or .gz.
 * - dense targets with exactly one 1 and else 0 in every row are recognised as classes.
 * Targets may be absent only when need_targets is false. */
LNT_API lnt_status lnt_source_read(lnt_ctx *ctx, lnt_dataset *data, const lnt_source *source, bool need_targets);

#ifdef __cplusplus
}
#endif
#endif
