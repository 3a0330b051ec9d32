/* Random streams: Philox4x64-10 (Salmon et al. 2011), keyed by (seed, run, purpose), indexed by a counter.
 *
 * Streams with different keys are independent, so that runs may be computed in any order, on any thread,
 * and together or alone, with the same numbers. With key (k0, k1) the raw 64-bit output from its second block of four
 * on equals that of numpy.random.Philox(key=[k0, k1]) from its first: NumPy counts before it draws, linnet afterwards.
 */
#ifndef LINNET_RNG_H
#define LINNET_RNG_H

#include "linnet/mat.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a stream is for. Numbers are part of the file format: results depend on them. */
typedef enum lnt_purpose {
    LNT_FOR_WEIGHTS = 1, /* initial weights */
    LNT_FOR_SHUFFLE = 2, /* order of the rows */
    LNT_FOR_TESTS = 3,   /* inputs that a test makes up */
    LNT_FOR_PROBE = 4,   /* start vectors of power iterations */
    LNT_FOR_SPLIT = 5,   /* which rows are held out */
    LNT_FOR_TASK = 6,    /* generated tasks */
    LNT_FOR_TEACHER = 7, /* teachers of random regression tasks */
    LNT_FOR_CHAINS = 8,  /* momenta and choices of Markov chains; page: the iteration */
    LNT_FOR_STEPS = 9,   /* the search of their step size; page: the iteration */
    LNT_FOR_STARTS = 10, /* starts of chains; page: the attempt */
    LNT_FOR_PRIOR = 12   /* weights from their prior, data from them, and draws from approximations */
} lnt_purpose;

typedef struct lnt_rng {
    uint64_t key[2], counter; /* counter: the next block of four numbers */
    uint64_t page;            /* second word of the counter */
    uint64_t block[4];
    int used;     /* how many of the block were handed out */
    double spare; /* second half of the last normal pair */
    int has_spare;
} lnt_rng;

/* The stream of key (seed, run * 2^32 + purpose), at its beginning. */
LNT_API lnt_rng lnt_rng_stream(uint64_t seed, uint32_t run, lnt_purpose purpose);
/* Page `page` of that stream, at its beginning: numbers for one iteration without those before it. Page 0 is the stream
 * itself. Pages are 2^66 numbers long and do not overlap. */
LNT_API lnt_rng lnt_rng_page(uint64_t seed, uint32_t run, lnt_purpose purpose, uint64_t page);
/* Uniform on 0 .. 2^64-1. */
LNT_API uint64_t lnt_rng_bits(lnt_rng *rng);
/* Uniform on [0, 1): the upper 53 bits times 2^-53. */
LNT_API double lnt_rng_uniform(lnt_rng *rng);
/* Uniform on 0 .. n-1, unbiased (Lemire 2019); n >= 1. */
LNT_API uint64_t lnt_rng_below(lnt_rng *rng, uint64_t n);
/* Standard normal, by pairs (Box and Muller 1958): from uniform u, v first sqrt(-2 ln(1-u)) cos(2 pi v), then the same
 * with the sine; |x| < 8.6. */
LNT_API double lnt_rng_normal(lnt_rng *rng);
/* x <- the next n numbers of lnt_rng_normal(), the same to the bit, in three quarters of the time. */
LNT_API void lnt_rng_normals(lnt_rng *rng, double *x, size_t n);
/* order <- a uniformly random permutation of its n entries: for i = n-1 .. 1 swap entries i and lnt_rng_below(i+1). */
LNT_API void lnt_rng_shuffle(lnt_rng *rng, int *order, int n);

/* Q (m x n, m >= n, ld = m) <- the first n columns of a Haar-distributed orthogonal m x m matrix: QR of normal numbers,
 * drawn column by column, column k times sign(R_kk), which makes it unique (Mezzadri 2007). 3 m n^2 operations. */
LNT_API lnt_status lnt_rng_orthogonal(lnt_ctx *ctx, lnt_mat Q, lnt_rng *rng);

#ifdef __cplusplus
}
#endif
#endif
