/* Saved networks: the weights of a result, or of any HDF5 file with /weights/1, /weights/2, ... */
#ifndef LINNET_WEIGHTS_H
#define LINNET_WEIGHTS_H

#include "linnet/study.h"

typedef struct lnt_saved_net {
    lnt_net net; /* activation as saved, linear where the file does not say */
    int runs;
    double **w; /* a weight vector for each run */
    bool has_activation;
} lnt_saved_net;

extern const char *const lnt_activation_names[];

/* LNT_EFORMAT where weights are missing, do not fit each other or are not finite; `path` stands in messages. */
lnt_status lnt_saved_net_get(lnt_ctx *ctx, lnt_saved_net *saved, const lnt_record *record, const char *path);
/* The same from a file. */
lnt_status lnt_saved_net_read(lnt_ctx *ctx, lnt_saved_net *saved, const char *path);
/* A <- matrix number k of an array (rows, cols) or (count, rows, cols). */
lnt_status lnt_array_matrix(lnt_ctx *ctx, lnt_mat *A, const lnt_array *array, int k);
bool lnt_array_finite(const lnt_array *array);

#endif
