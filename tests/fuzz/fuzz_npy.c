/* Any bytes as an NPY file: refused with a message, or values that the file has room for. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lnt_ctx *ctx = new_ctx();
    lnt_samples samples;
    lnt_status status = lnt_npy_parse(ctx, &samples, data, size, "input");
    check_outcome(ctx, status);
    if (status == LNT_OK) {
        check_samples(&samples);
        CHECK((size_t)samples.n * (size_t)samples.dim < size); /* a value takes a byte or more */
    }
    lnt_ctx_free(ctx);
    return 0;
}
