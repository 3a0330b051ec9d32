#include "linnet/store.h"

#include <string.h>

lnt_status lnt_store_npy(lnt_ctx *ctx, lnt_text *out, const lnt_mat *X, int count)
{
    char header[192];
    lnt_text shape = {0};
    lnt_text_add(&shape, "{'descr': '<f8', 'fortran_order': False, 'shape': (");
    if (count > 1)
        lnt_text_add(&shape, "%d, ", count);
    lnt_text_add(&shape, "%d, %d), }", X[0].cols, X[0].rows);
    out->failed = out->failed || shape.failed;
    if (shape.failed || shape.n > sizeof header - 11) {
        lnt_text_free(&shape);
        return lnt_text_status(ctx, out);
    }
    /* Magic, version 1.0, length; padded with blanks so that the values start at a multiple of 64. */
    size_t total = (10 + shape.n + 1 + 63) / 64 * 64, length = total - 10;
    memset(header, ' ', total);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(length & 0xff);
    header[9] = (char)(length >> 8);
    memcpy(header + 10, shape.p, shape.n);
    header[total - 1] = '\n';
    lnt_text_free(&shape);
    lnt_text_bytes(out, header, total);
    for (int k = 0; k < count; k++)
        for (int j = 0; j < X[k].cols; j++)
            lnt_text_bytes(out, lnt_at(X[k], 0, j), (size_t)X[k].rows * sizeof(double));
    return lnt_text_status(ctx, out);
}

lnt_status lnt_store_csv(lnt_ctx *ctx, lnt_text *out, lnt_mat X)
{
    for (int j = 0; j < X.cols; j++)
        for (int i = 0; i < X.rows; i++) {
            lnt_text_number(out, *lnt_at(X, i, j));
            lnt_text_add(out, i + 1 < X.rows ? "," : "\n");
        }
    return lnt_text_status(ctx, out);
}
