/* Any bytes as a gzip file; and, since chance rarely makes a valid one, the same bytes properly packed. */
#include "fuzz.h"

#include <string.h>
#include <zlib.h>

static void check_any(const uint8_t *data, size_t size)
{
    lnt_ctx *ctx = new_ctx();
    lnt_bytes out;
    lnt_status status = lnt_gunzip(ctx, &out, data, size, "input");
    check_outcome(ctx, status);
    if (status != LNT_OK)
        CHECK(out.p == NULL && out.n == 0);
    lnt_heap_free(out.p);
    lnt_ctx_free(ctx);
}

/* out <- data as one gzip member; returns its length. */
static size_t pack(uint8_t *out, size_t room, const uint8_t *data, size_t size)
{
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)data, .avail_in = (unsigned)size, .next_out = out};
    z.avail_out = (unsigned)room;
    CHECK(deflateInit2(&z, 1, Z_DEFLATED, 9 + 16, 1, Z_DEFAULT_STRATEGY) == Z_OK); /* + 16: gzip; small and fast */
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    CHECK(deflateEnd(&z) == Z_OK);
    return room - z.avail_out;
}

/* The bytes cut into two members come back whole; without the last byte of the second they are refused. */
static void check_packed(const uint8_t *data, size_t size)
{
    size_t half = size ? data[0] % size : 0, room = 2 * size + 200;
    uint8_t *packed = malloc(room);
    CHECK(packed);
    size_t n = pack(packed, room, data, half);
    n += pack(packed + n, room - n, data + half, size - half);

    lnt_ctx *ctx = new_ctx();
    lnt_bytes out;
    CHECK(lnt_gunzip(ctx, &out, packed, n, "packed") == LNT_OK);
    CHECK(out.n == size && (size == 0 || memcmp(out.p, data, size) == 0));
    lnt_heap_free(out.p);
    CHECK(lnt_gunzip(ctx, &out, packed, n - 1, "cut short") == LNT_EFORMAT);
    lnt_ctx_free(ctx);
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_any(data, size);
    check_packed(data, size);
    return 0;
}
