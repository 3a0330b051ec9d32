/* A file of vector loops, KERNEL, once for each kind of processor: with NAME(function), TARGET, a vector VEC of WIDTH
 * doubles, LOOSE where it need not be aligned, the integers IVEC of the same size, MULTIPLY_ADD(x, y, z) = x y + z, and
 * LEAST(x, y), MOST(x, y), which are y where x is not a number or y is not. */
#include "../linalg/simd.h"

#include <stddef.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

typedef double pair __attribute__((vector_size(16), may_alias));
typedef double loose_pair __attribute__((vector_size(16), may_alias, aligned(8)));
typedef int64_t int_pair __attribute__((vector_size(16), may_alias));

INLINE pair choose_pair(int_pair mask, pair x, pair y)
{
    return (pair)((mask & (int_pair)x) | (~mask & (int_pair)y));
}

#define NAME(function) function##_by_2
#define TARGET
#define VEC pair
#define LOOSE loose_pair
#define IVEC int_pair
#define WIDTH 2
#define MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
#define LEAST(x, y) choose_pair((x) < (y), x, y)
#define MOST(x, y) choose_pair((x) > (y), x, y)
#include "exponential.h"
#include KERNEL
#include "vectors_end.h"

#ifdef LNT_X86
#include <immintrin.h>

typedef int64_t int_four __attribute__((vector_size(32), may_alias));
typedef int64_t int_eight __attribute__((vector_size(64), may_alias));

#define NAME(function) function##_by_4
#define TARGET __attribute__((target("avx2,fma")))
#define VEC __m256d
#define LOOSE __m256d_u
#define IVEC int_four
#define WIDTH 4
#define MULTIPLY_ADD(x, y, z) _mm256_fmadd_pd(x, y, z)
#define LEAST(x, y) _mm256_min_pd(x, y)
#define MOST(x, y) _mm256_max_pd(x, y)
#include "exponential.h"
#include KERNEL
#include "vectors_end.h"

#define NAME(function) function##_by_8
#define TARGET __attribute__((target("avx512f")))
#define VEC __m512d
#define LOOSE __m512d_u
#define IVEC int_eight
#define WIDTH 8
#define MULTIPLY_ADD(x, y, z) _mm512_fmadd_pd(x, y, z)
#define LEAST(x, y) _mm512_min_pd(x, y)
#define MOST(x, y) _mm512_max_pd(x, y)
#include "exponential.h"
#include KERNEL
#include "vectors_end.h"
#endif
