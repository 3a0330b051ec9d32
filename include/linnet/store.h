/* Bytes to and from the disk: HDF5 images of records, NPY and CSV arrays, atomic writing, result folders.
 *
 * HDF5 never touches the disk itself: images are built in memory and written like every other file. Foreign files are
 * read in a child process with limits, since damaged ones can crash the HDF5 library. */
#ifndef LINNET_STORE_H
#define LINNET_STORE_H

#include "linnet/data.h"
#include "linnet/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes a whole file or nothing: temporary name beside it, fsync, rename, fsync of the folder. Links are followed;
 * devices, pipes and folders are refused. LNT_EIO. */
LNT_API lnt_status lnt_write_atomic(lnt_ctx *ctx, const char *path, const void *bytes, size_t n);

/* The HDF5 image of a record: groups parameters (those of run.yaml), series, tables/NAME/COLUMN, deviations,
 * assumptions, checks, one group per group of facts, arrays at their own paths, the strings warnings and figures/NAME
 * (captions); units as attribute "unit"; root attributes command, version, schema. Equal records give equal bytes. */
LNT_API lnt_status lnt_store_hdf5(lnt_ctx *ctx, lnt_text *image, const lnt_record *record);
/* The same with nothing but the array `group`, or the arrays below it, those below "biases", and the facts of the group
 * "network". */
LNT_API lnt_status lnt_store_group(lnt_ctx *ctx, lnt_text *image, const lnt_record *record, const char *group);
/* The record in an HDF5 file that lnt_store_hdf5() wrote (flags come back as integers, figures as captions only),
 * to be freed by lnt_record_free(). Of other HDF5 files the arrays of floating-point numbers with one to three
 * dimensions. LNT_EMISSING, LNT_EFORMAT. */
LNT_API lnt_status lnt_store_load(lnt_ctx *ctx, lnt_record **record, const char *path);

/* Samples (D x n) as an NPY file of shape (n, D), or as CSV lines without a header. */
LNT_API lnt_status lnt_store_npy(lnt_ctx *ctx, lnt_text *out, const lnt_mat *X, int count);
LNT_API lnt_status lnt_store_csv(lnt_ctx *ctx, lnt_text *out, lnt_mat X);

/* LNT_EEXIST if the folder holds results (result.h5 or run.yaml), LNT_EIO if it cannot be made or written. Makes the
 * folder and its parents. Called before a long run, so that it does not fail at its end. */
LNT_API lnt_status lnt_folder_prepare(lnt_ctx *ctx, const char *folder, bool force);
/* Writes result.h5, the figures (unless figures is false) and, last, run.yaml, which marks completion. Figures that
 * cannot be drawn become a warning of the record. */
LNT_API lnt_status lnt_folder_save(lnt_ctx *ctx, lnt_record *record, const char *folder, bool figures);

#ifdef __cplusplus
}
#endif
#endif
