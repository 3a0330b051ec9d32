/* Any bytes as a log of draws, as they are and with checksums that fit: refused with a message, or draws that the file
 * has room for. */
#include "fuzz.h"

#include "linnet/draws.h"

#include <string.h>
#include <zlib.h>

static void parse(const uint8_t *data, size_t size)
{
    lnt_ctx *ctx = new_ctx();
    lnt_draws_content content;
    lnt_status status = lnt_draws_parse(ctx, &content, data, size, "input");
    check_outcome(ctx, status);
    if (status == LNT_OK) {
        size_t total = 0, row = (size_t)content.layout.columns * sizeof(double);
        CHECK(content.layout.chains >= 1 && content.layout.columns >= 1);
        CHECK(content.x.chains == content.layout.chains && content.x.dim == content.layout.columns);
        CHECK(content.valid + content.ignored == size);
        for (int c = 0; c < content.layout.chains; c++) {
            CHECK(content.count[c] >= content.x.draws && content.x.draws >= 0);
            total += (size_t)content.count[c];
        }
        CHECK(total <= content.valid / row);
        size_t sum = 0;
        size_t bytes = (size_t)content.x.chains * (size_t)content.x.draws * row;
        for (size_t i = 0; i < bytes; i++)
            sum += ((const uint8_t *)content.x.a)[i]; /* reading it is the test */
        CHECK(sum <= 255 * bytes);
    }
    lnt_ctx_free(ctx);
}

static uint32_t word(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static void put_word(uint8_t *p, uint32_t x)
{
    memcpy(p, &x, sizeof x);
}

/* What chance would not find. */
static void repair(uint8_t *p, size_t n)
{
    if (n < 64)
        return;
    put_word(p + 60, (uint32_t)crc32_z(0, p, 60));
    size_t at = 64, row = (size_t)word(p + 28) * sizeof(double);
    while (n - at >= 32) {
        size_t count = word(p + at + 16), state = word(p + at + 20), room = n - at - 32;
        if (row == 0 || count > room / row || state > room - count * row)
            return;
        size_t payload = count * row + ((state + 7) & ~(size_t)7);
        if (payload > room)
            return;
        uLong crc = crc32_z(crc32_z(0, p + 16, 8), p + at, 28);
        put_word(p + at + 28, (uint32_t)crc32_z(crc, p + at + 32, payload));
        at += 32 + payload;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    uint8_t *copy = malloc(size ? size : 1);
    CHECK(copy);
    if (size)
        memcpy(copy, data, size);
    repair(copy, size);
    parse(copy, size);
    free(copy);
    return 0;
}
