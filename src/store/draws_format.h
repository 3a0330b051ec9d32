/* The bytes of a log of draws, without the disk. */
#ifndef LINNET_DRAWS_FORMAT_H
#define LINNET_DRAWS_FORMAT_H

#include "linnet/draws.h"
#include "linnet/text.h"

#define LNT_DRAWS_HEADER 64
#define LNT_DRAWS_CHUNK 32 /* what comes before the draws of a chunk */
#define LNT_DRAWS_MOST_CHAINS 65536
#define LNT_DRAWS_MOST_COLUMNS (1 << 24)

typedef struct lnt_draws_chunk {
    int chain, count;
    size_t size; /* all of it */
    const uint8_t *draws, *state;
    size_t state_bytes;
} lnt_draws_chunk;

void lnt_draws_put_header(uint8_t header[LNT_DRAWS_HEADER], const lnt_draws_layout *layout);
/* LNT_EFORMAT unless p holds a header of this version. */
lnt_status lnt_draws_get_header(lnt_ctx *ctx, lnt_draws_layout *layout, const uint8_t *p, size_t n, const char *name);
/* out <- a chunk; `before` are the draws of its chain so far. */
void lnt_draws_put_chunk(lnt_text *out, const lnt_draws_layout *layout, int chain, int before, const double *draws,
                         int count, const void *state, size_t bytes);
/* The chunk at p; false unless it is whole and continues its chain, of which count[chain] draws came before. */
bool lnt_draws_get_chunk(lnt_draws_chunk *chunk, const lnt_draws_layout *layout, const int *count, const uint8_t *p,
                         size_t n);

#endif
