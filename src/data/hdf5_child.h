/* Reading HDF5 files in a child process: damaged or hostile files crash the child, not the program. */
#ifndef LINNET_HDF5_CHILD_H
#define LINNET_HDF5_CHILD_H

#include "linnet/ctx.h"

#include <stdint.h>

/* One dataset as it crosses the pipe, followed by the path, the unit and the payload. */
typedef struct lnt_h5_header {
    uint32_t path_bytes, unit_bytes;
    uint32_t kind; /* 'f' doubles, 'i' integers as doubles, 'b' bytes as doubles, 'u' bytes, 's' strings of `width`
                    * bytes, 'a' root attribute */
    uint32_t rank, dims[3], width;
    uint32_t matlab; /* 1: written by MATLAB, whose matrices are stored transposed */
    uint64_t bytes;
} lnt_h5_header;

typedef struct lnt_h5_item {
    lnt_h5_header header;
    const char *path, *unit; /* without a leading slash */
    const void *payload;
} lnt_h5_item;

typedef lnt_status (*lnt_h5_visit)(lnt_ctx *ctx, const lnt_h5_item *item, void *user);

typedef enum lnt_h5_mode {
    LNT_H5_ALL,  /* every dataset of at most three dimensions and every string attribute of the root group */
    LNT_H5_LIST, /* the same without their content: payloads are empty */
    LNT_H5_ONE   /* one dataset by name, nothing if there is none; unsigned bytes stay bytes */
} lnt_h5_mode;

/* Calls visit for what `mode` says; `name` matters for LNT_H5_ONE only.
 * LNT_EMISSING, LNT_EFORMAT; the visitor's failure otherwise. */
lnt_status lnt_hdf5_scan(lnt_ctx *ctx, const char *path, lnt_h5_mode mode, const char *name, lnt_h5_visit visit,
                         void *user);

#endif
