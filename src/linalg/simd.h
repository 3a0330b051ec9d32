#ifndef LINNET_SIMD_H
#define LINNET_SIMD_H

#include <stdbool.h>

/* Kernels by hand exist for x86; everything else goes through BLAS and plain loops. */
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define LNT_X86 1
#endif

/* Whether this processor has AVX2 with FMA, AVX-512F, and AVX-512F with BW and VNNI; false while lnt_simd_allow(false)
 * holds. */
bool lnt_simd_avx2(void);
bool lnt_simd_avx512(void);
bool lnt_simd_vnni(void);

#endif
