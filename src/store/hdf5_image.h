/* An HDF5 file that is built in memory: equal contents are equal bytes. */
#ifndef LINNET_HDF5_IMAGE_H
#define LINNET_HDF5_IMAGE_H

#include "linnet/text.h"

#include <hdf5.h>

/* Every handle is checked once, at the end: HDF5 calls on a failed handle fail in turn and do nothing. */
typedef struct lnt_h5_image {
    hid_t file, access, creation, dataset, group; /* the file and properties */
    bool failed;
} lnt_h5_image;

void lnt_h5_begin(lnt_h5_image *im);
void lnt_h5_check(lnt_h5_image *im, bool good);
/* A type of fixed length for the longest of the strings. */
hid_t lnt_h5_string_type(const char *const *strings, size_t count);
void lnt_h5_attribute(lnt_h5_image *im, hid_t object, const char *name, const char *text);
/* Groups on the way are made. Dims are not read for rank 0; an empty unit is left out. */
void lnt_h5_dataset(lnt_h5_image *im, const char *path, const char *unit, hid_t type, int rank, const hsize_t *dims,
                    const void *values);
/* out <- the bytes, unless anything failed; closes the image. */
lnt_status lnt_h5_end(lnt_ctx *ctx, lnt_text *out, lnt_h5_image *im);

#endif
