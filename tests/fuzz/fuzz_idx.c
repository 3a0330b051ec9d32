/* Any bytes as an IDX file: refused with a message, or exactly the bytes that follow the header. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lnt_ctx *ctx = new_ctx();
    lnt_samples samples;
    lnt_status status = lnt_idx_parse(ctx, &samples, data, size, "input");
    check_outcome(ctx, status);
    if (status == LNT_OK) {
        check_samples(&samples);
        size_t header = 4 + 4 * (size_t)data[3], count = (size_t)samples.n * (size_t)samples.dim;
        CHECK(header + count == size);
        CHECK(samples.u8 && memcmp(samples.u8, data + header, count) == 0);
    }
    lnt_ctx_free(ctx);
    return 0;
}
