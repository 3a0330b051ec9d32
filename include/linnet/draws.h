/* Draws on disk while a sampler runs: an append-only log that stays usable whatever ends the run.
 *
 * A chunk holds draws of one chain and the state the chain is in after them, written by one write and synced before the
 * next one, so that draws and state never part: a run that is taken up again continues every chain from its last chunk,
 * and computes again what was lost with the same bits. After a kill, a power failure or on a full disk at most the last
 * chunk is missing.
 *
 * Little endian. Header, 64 bytes: "LNTDRAWS", u32 version, u32 0x01020304, u64 fingerprint, u32 chains, u32 columns,
 * 28 bytes 0, u32 checksum. Then chunks: "DRAW", u32 chain, u64 draws of that chain before, u32 draws n, u32 bytes of
 * the state, u32 0, u32 checksum, n x columns doubles, the state, zeros up to a multiple of 8. Checksums are CRC-32, a
 * chunk's of all its other bytes with the fingerprint before them; what follows the first chunk that is cut off,
 * damaged or out of order does not count. */
#ifndef LINNET_DRAWS_H
#define LINNET_DRAWS_H

#include "linnet/diagnose.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_draws_layout {
    uint64_t fingerprint; /* of all that determines the draws: options, data, version; see lnt_fingerprint() */
    int chains;           /* 1 .. 65536 */
    int columns;          /* numbers of a draw, 1 .. 2^24: weights, log density, energy and so on */
} lnt_draws_layout;

/* The 64-bit FNV-1a hash of n bytes; `former` is that of what comes before them, or 0. */
LNT_API uint64_t lnt_fingerprint(uint64_t former, const void *bytes, size_t n);

typedef struct lnt_draws lnt_draws;

/* Opens the log at `path` for appending, locked against other processes; close it with lnt_draws_close(). A file that
 * is not there is made. One that is there is refused (LNT_EEXIST) unless `resume` and its fingerprint, chains and
 * columns are those of `layout`; what does not count at its end is then cut off, with a line in the context's log.
 * Refused files are left as they are. The whole file is read into memory. LNT_EFORMAT: not a log, another version, or
 * damaged in its header. LNT_EIO. */
LNT_API lnt_status lnt_draws_open(lnt_ctx *ctx, lnt_draws **log, const char *path, const lnt_draws_layout *layout,
                                  bool resume);
/* NULL is allowed. */
LNT_API void lnt_draws_close(lnt_draws *log);
/* Draws of a chain that are on disk. */
LNT_API int lnt_draws_count(const lnt_draws *log, int chain);
/* The state of a chain after its last chunk when the log was opened, valid until it is closed; NULL without chunks. */
LNT_API const void *lnt_draws_state(const lnt_draws *log, int chain, size_t *bytes);
/* Appends `count` >= 0 draws of a chain (columns of one draw side by side; any bits) and the state after them. May be
 * called from several threads. Returns when they are on disk. LNT_EIO: nothing of the chunk stays in the file, what
 * was there before is unharmed, and it may be tried again. */
LNT_API lnt_status lnt_draws_append(lnt_ctx *ctx, lnt_draws *log, int chain, const double *draws, int count,
                                    const void *state, size_t bytes);

typedef struct lnt_draws_content {
    lnt_draws_layout layout;
    const int *count;      /* draws of each chain */
    lnt_chains x;          /* the draws that all chains have; dim = columns */
    size_t valid, ignored; /* bytes */
} lnt_draws_content;

/* What a log holds, in scratch memory; nothing is changed, so also that of a run that goes on. LNT_EMISSING, LNT_EIO,
 * LNT_EFORMAT. */
LNT_API lnt_status lnt_draws_load(lnt_ctx *ctx, lnt_draws_content *content, const char *path);
/* The same from the bytes of a log; `name` is for messages. */
LNT_API lnt_status lnt_draws_parse(lnt_ctx *ctx, lnt_draws_content *content, const void *p, size_t n, const char *name);

#ifdef __cplusplus
}
#endif
#endif
