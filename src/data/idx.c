#include "linnet/data.h"

#include <limits.h>
#include <string.h>

/* Magic number: two zero bytes, the type (8: unsigned byte), the number of dimensions; then each dimension
 * as a big-endian 32-bit number, then the values, last dimension fastest. */
lnt_status lnt_idx_parse(lnt_ctx *ctx, lnt_samples *samples, const uint8_t *p, size_t n, const char *name)
{
    if (n < 4 || p[0] != 0 || p[1] != 0)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: not an IDX file (it does not start with two zero bytes)", name);
    if (p[2] != 8)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: IDX values of type 0x%02x; only unsigned bytes (0x08) are read", name,
                        p[2]);
    size_t dimensions = p[3], header = 4 + 4 * dimensions, count = 0, dim = 1;
    if (dimensions == 0 || n < header)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: IDX header with %zu dimensions is cut short at %zu bytes", name,
                        dimensions, n);
    for (size_t d = 0; d < dimensions; d++) {
        const uint8_t *q = p + 4 + 4 * d;
        size_t size = (size_t)q[0] << 24 | (size_t)q[1] << 16 | (size_t)q[2] << 8 | q[3];
        if (d == 0)
            count = size;
        else if (__builtin_mul_overflow(dim, size, &dim))
            dim = SIZE_MAX;
    }
    if (count > INT_MAX || dim > INT_MAX || (dim && count > (n - header) / dim) || count * dim != n - header)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: IDX header promises %zu samples of %zu bytes, the file holds %zu bytes",
                        name, count, dim, n - header);
    uint8_t *values = lnt_alloc(ctx, n - header, 1);
    if (!values)
        return LNT_ENOMEM;
    memcpy(values, p + header, n - header);
    *samples = (lnt_samples){.dim = (int)dim, .n = (int)count, .u8 = values};
    return LNT_OK;
}
