#include "draws_format.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#define VERSION 1
#define BYTE_ORDER_MARK 0x01020304u

static const char magic[8] = {'L', 'N', 'T', 'D', 'R', 'A', 'W', 'S'}, mark[4] = {'D', 'R', 'A', 'W'};

/* The structs have no padding: they are the bytes on disk. */
typedef struct header {
    char magic[8];
    uint32_t version, order;
    uint64_t fingerprint;
    uint32_t chains, columns, zero[7], crc;
} header;

typedef struct chunk_head {
    char mark[4];
    uint32_t chain;
    uint64_t before;
    uint32_t count, state, zero, crc;
} chunk_head;

_Static_assert(sizeof(header) == LNT_DRAWS_HEADER && sizeof(chunk_head) == LNT_DRAWS_CHUNK, "bytes on disk");

uint64_t lnt_fingerprint(uint64_t former, const void *bytes, size_t n)
{
    uint64_t hash = former ? former : 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
    return hash;
}

static uint32_t crc_of(uint32_t former, const void *p, size_t n)
{
    return (uint32_t)crc32_z(former, p, n);
}

void lnt_draws_put_header(uint8_t out[LNT_DRAWS_HEADER], const lnt_draws_layout *layout)
{
    header h = {.version = VERSION,
                .order = BYTE_ORDER_MARK,
                .fingerprint = layout->fingerprint,
                .chains = (uint32_t)layout->chains,
                .columns = (uint32_t)layout->columns};
    memcpy(h.magic, magic, sizeof magic);
    h.crc = crc_of(0, &h, offsetof(header, crc));
    memcpy(out, &h, sizeof h);
}

lnt_status lnt_draws_get_header(lnt_ctx *ctx, lnt_draws_layout *layout, const uint8_t *p, size_t n, const char *name)
{
    header h;
    if (n < sizeof h || memcmp(p, magic, sizeof magic) != 0)
        return lnt_fail(ctx, LNT_EFORMAT, "%s is not a log of draws", name);
    memcpy(&h, p, sizeof h);
    if (h.order != BYTE_ORDER_MARK)
        return lnt_fail(ctx, LNT_EFORMAT, "%s was written on a machine with another order of bytes", name);
    if (h.version != VERSION)
        return lnt_fail(ctx, LNT_EFORMAT, "%s has version %u of the format, this linnet reads version %d", name,
                        h.version, VERSION);
    if (h.crc != crc_of(0, &h, offsetof(header, crc)) || h.chains < 1 || h.chains > LNT_DRAWS_MOST_CHAINS ||
        h.columns < 1 || h.columns > LNT_DRAWS_MOST_COLUMNS)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: the header of the log is damaged", name);
    *layout = (lnt_draws_layout){h.fingerprint, (int)h.chains, (int)h.columns};
    return LNT_OK;
}

static uint32_t crc_of_chunk(const lnt_draws_layout *layout, const chunk_head *h, const uint8_t *payload, size_t n)
{
    uint32_t crc = crc_of(0, &layout->fingerprint, sizeof layout->fingerprint);
    return crc_of(crc_of(crc, h, offsetof(chunk_head, crc)), payload, n);
}

static size_t up_to_8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

void lnt_draws_put_chunk(lnt_text *out, const lnt_draws_layout *layout, int chain, int before, const double *draws,
                         int count, const void *state, size_t bytes)
{
    static const uint8_t zeros[8] = {0};
    chunk_head h = {
        .chain = (uint32_t)chain, .before = (uint64_t)before, .count = (uint32_t)count, .state = (uint32_t)bytes};
    memcpy(h.mark, mark, sizeof mark);
    size_t start = out->n, values = (size_t)count * (size_t)layout->columns * sizeof *draws;
    lnt_text_bytes(out, &h, sizeof h);
    lnt_text_bytes(out, draws, values);
    lnt_text_bytes(out, state, bytes);
    lnt_text_bytes(out, zeros, up_to_8(bytes) - bytes);
    if (out->failed)
        return;
    const uint8_t *chunk = (const uint8_t *)out->p + start;
    h.crc = crc_of_chunk(layout, &h, chunk + sizeof h, out->n - start - sizeof h);
    memcpy(out->p + start, &h, sizeof h);
}

bool lnt_draws_get_chunk(lnt_draws_chunk *chunk, const lnt_draws_layout *layout, const int *count, const uint8_t *p,
                         size_t n)
{
    chunk_head h;
    if (n < sizeof h)
        return false;
    memcpy(&h, p, sizeof h);
    if (memcmp(h.mark, mark, sizeof mark) != 0 || h.chain >= (uint32_t)layout->chains || h.zero != 0 ||
        h.before != (uint64_t)count[h.chain] || h.count > (uint32_t)(INT_MAX - count[h.chain]))
        return false;
    size_t row = (size_t)layout->columns * sizeof(double), room = n - sizeof h;
    if (h.count > room / row || h.state > room - h.count * row || up_to_8(h.state) > room - h.count * row)
        return false;
    size_t values = h.count * row, payload = values + up_to_8(h.state);
    if (h.crc != crc_of_chunk(layout, &h, p + sizeof h, payload))
        return false;
    *chunk =
        (lnt_draws_chunk){(int)h.chain, (int)h.count, sizeof h + payload, p + sizeof h, p + sizeof h + values, h.state};
    return true;
}

/* ---- Reading all of it ---- */

static bool next(lnt_draws_content *c, int *count, lnt_draws_chunk *chunk, const uint8_t *p, size_t n, size_t *at)
{
    if (!lnt_draws_get_chunk(chunk, &c->layout, count, p + *at, n - *at))
        return false;
    count[chunk->chain] += chunk->count;
    *at += chunk->size;
    return true;
}

static lnt_status collect(lnt_ctx *ctx, lnt_draws_content *c, const uint8_t *p, size_t n)
{
    lnt_draws_chunk chunk;
    size_t chains = (size_t)c->layout.chains, columns = (size_t)c->layout.columns, at = LNT_DRAWS_HEADER;
    int *count = lnt_alloc_zero(ctx, chains, sizeof *count), *again = lnt_alloc_zero(ctx, chains, sizeof *again);
    if (!count || !again)
        return LNT_ENOMEM;
    while (next(c, count, &chunk, p, n, &at))
        ;
    c->count = count;
    c->valid = at;
    c->ignored = n - at;
    int draws = INT_MAX;
    for (size_t i = 0; i < chains; i++)
        draws = count[i] < draws ? count[i] : draws;
    double *a = lnt_alloc(ctx, chains * (size_t)draws, columns * sizeof *a);
    if (!a)
        return LNT_ENOMEM;
    c->x = (lnt_chains){a, c->layout.chains, draws, c->layout.columns};
    for (at = LNT_DRAWS_HEADER; at < c->valid;) {
        next(c, again, &chunk, p, n, &at);
        int first = again[chunk.chain] - chunk.count, room = draws - first;
        if (room > 0)
            memcpy(a + ((size_t)chunk.chain * (size_t)draws + (size_t)first) * columns, chunk.draws,
                   (size_t)(chunk.count < room ? chunk.count : room) * columns * sizeof *a);
    }
    return LNT_OK;
}

lnt_status lnt_draws_parse(lnt_ctx *ctx, lnt_draws_content *content, const void *p, size_t n, const char *name)
{
    *content = (lnt_draws_content){0};
    lnt_status status = lnt_draws_get_header(ctx, &content->layout, p, n, name);
    return status == LNT_OK ? collect(ctx, content, p, n) : status;
}
