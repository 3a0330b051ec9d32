#include "linnet/linalg.h"

#include "simd.h"

#include <assert.h>
#include <string.h>

/* Bytes are shifted to -128 .. 127: 1,024 products of two of them sum to at most 2^24, exact in single precision. */
#define SHIFT 128

static size_t padded(int n)
{
    return ((size_t)n + LNT_BYTE_PAD - 1) / LNT_BYTE_PAD * LNT_BYTE_PAD;
}

/* ---- By BLAS, in single precision ---- */

static void shift_rows(float *restrict x, size_t ld, const uint8_t *restrict bytes, int width, size_t stride, int rows)
{
    for (int k = 0; k < rows; k++)
        for (int i = 0; i < width; i++)
            x[(size_t)k * ld + (size_t)i] = (float)(bytes[(size_t)k * stride + (size_t)i] - SHIFT);
}

static void products_single(int32_t *restrict S, int ld, const uint8_t *a, int m, const uint8_t *b, int n,
                            size_t stride, int rows, float *scratch)
{
    size_t pad = padded(m > n ? m : n);
    float *xa = scratch, *xb = xa + pad * LNT_BYTE_ROWS, *c = xb + pad * LNT_BYTE_ROWS;
    bool symmetric = a == b && m == n;
    shift_rows(xa, pad, a, m, stride, rows);
    if (!symmetric)
        shift_rows(xb, pad, b, n, stride, rows);
    memset(c, 0, pad * (size_t)n * sizeof *c);
    lnt_gemm_single(c, (int)pad, xa, (int)pad, symmetric ? xa : xb, (int)pad, m, n, rows);
    for (size_t j = 0; j < (size_t)n; j++)
        for (size_t i = 0; i < (size_t)m; i++)
            S[j * (size_t)ld + i] += (int32_t)c[j * pad + i];
}

/* ---- By dot products of bytes (AVX-512 VNNI) ---- */

#ifdef LNT_X86

#include <immintrin.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define STEPS (LNT_BYTE_ROWS / 4)

/* Shifted bytes so that four rows of a feature are neighbours: packed[block of 16 features][step of 4 rows][16]. The
 * instruction multiplies unsigned by signed bytes, x (y - 128): sum[] takes the sums of y - 128, by which that exceeds
 * the shifted products 128-fold. */
typedef struct packed {
    int32_t *at, *sum;
} packed;

/* One step of 64 features: interleaves the bytes of four rows, then sorts the quarters by feature. */
VNNI static inline void pack_step(int32_t *to, __m512i *sum, const __m512i row[4])
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i low = _mm512_unpacklo_epi8(row[0], row[1]), low2 = _mm512_unpacklo_epi8(row[2], row[3]),
            high = _mm512_unpackhi_epi8(row[0], row[1]), high2 = _mm512_unpackhi_epi8(row[2], row[3]);
    __m512i q0 = _mm512_unpacklo_epi16(low, low2), q1 = _mm512_unpackhi_epi16(low, low2),
            q2 = _mm512_unpacklo_epi16(high, high2), q3 = _mm512_unpackhi_epi16(high, high2);
    __m512i even01 = _mm512_shuffle_i32x4(q0, q1, 0x88), odd01 = _mm512_shuffle_i32x4(q0, q1, 0xdd),
            even23 = _mm512_shuffle_i32x4(q2, q3, 0x88), odd23 = _mm512_shuffle_i32x4(q2, q3, 0xdd);
    __m512i block[4] = {_mm512_shuffle_i32x4(even01, even23, 0x88), _mm512_shuffle_i32x4(odd01, odd23, 0x88),
                        _mm512_shuffle_i32x4(even01, even23, 0xdd), _mm512_shuffle_i32x4(odd01, odd23, 0xdd)};
    for (int b = 0; b < 4; b++) {
        _mm512_store_si512(to + (size_t)b * STEPS * 16, block[b]);
        sum[b] = _mm512_dpbusd_epi32(sum[b], ones, block[b]);
    }
}

/* What lies beyond the last row and the last feature is packed as 0. */
VNNI static void pack(packed p, const uint8_t *bytes, int width, size_t stride, int rows)
{
    const __m512i shift = _mm512_set1_epi8((char)SHIFT);
    for (int first = 0; first < (int)padded(width); first += 64) {
        int left = width - first;
        __mmask64 mask = left >= 64 ? ~(__mmask64)0 : left > 0 ? ((__mmask64)1 << left) - 1 : 0;
        __m512i sum[4] = {0};
        int32_t *to = p.at + (size_t)first * STEPS;
        for (int k = 0; k < rows; k += 4, to += 16) {
            __m512i row[4];
            for (int r = 0; r < 4; r++) {
                __mmask64 present = k + r < rows ? mask : 0;
                const uint8_t *from = present ? bytes + (size_t)(k + r) * stride + first : bytes;
                row[r] =
                    _mm512_maskz_mov_epi8(present, _mm512_xor_si512(_mm512_maskz_loadu_epi8(present, from), shift));
            }
            pack_step(to, sum, row);
        }
        for (int b = 0; b < 4; b++)
            _mm512_store_si512(p.sum + first + 16 * b, sum[b]);
    }
}

/* S (48 x 8) <- S + sum_k a_ki b_kj: 24 sums stay in registers, each step loads three vectors of a and broadcasts eight
 * numbers of b. */
VNNI static void tile(int32_t *S, size_t ld, const int32_t *a, const int32_t *b, const int32_t *sum, int steps)
{
    const __m512i shift = _mm512_set1_epi8((char)SHIFT);
    __m512i c[8][3];
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        c[j][0] = c[j][1] = c[j][2] = _mm512_set1_epi32(-SHIFT * sum[j]);
    for (int k = 0; k < steps; k++, a += 16, b += 16) {
        __m512i x0 = _mm512_xor_si512(_mm512_load_si512(a), shift),
                x1 = _mm512_xor_si512(_mm512_load_si512(a + STEPS * 16), shift),
                x2 = _mm512_xor_si512(_mm512_load_si512(a + STEPS * 32), shift);
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) {
            __m512i y = _mm512_set1_epi32(b[j]);
            c[j][0] = _mm512_dpbusd_epi32(c[j][0], x0, y);
            c[j][1] = _mm512_dpbusd_epi32(c[j][1], x1, y);
            c[j][2] = _mm512_dpbusd_epi32(c[j][2], x2, y);
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++) {
            int32_t *s = S + (size_t)j * ld + 16 * i;
            _mm512_storeu_si512(s, _mm512_add_epi32(_mm512_loadu_si512(s), c[j][i]));
        }
}

VNNI static void products_vnni(int32_t *S, int ld, const uint8_t *a, int m, const uint8_t *b, int n, size_t stride,
                               int rows, int32_t *scratch)
{
    size_t pad = padded(m > n ? m : n) + 64; /* whole steps of 64 features */
    packed pa = {scratch, scratch + pad * STEPS}, pb = {pa.sum + pad, pa.sum + pad + pad * STEPS};
    bool symmetric = a == b && m == n;
    pack(pa, a, m, stride, rows);
    if (symmetric)
        pb = pa;
    else
        pack(pb, b, n, stride, rows);
    for (int i = 0; i < m; i += LNT_BYTE_PAD) {
        int last = symmetric && i + LNT_BYTE_PAD < n ? i + LNT_BYTE_PAD : n;
        for (int j = 0; j < last; j += 8)
            tile(S + (size_t)j * (size_t)ld + i, (size_t)ld, pa.at + (size_t)i * STEPS,
                 pb.at + (size_t)(j / 16 * 16) * STEPS + j % 16, pb.sum + j, (rows + 3) / 4);
    }
}

#endif

size_t lnt_gemm_bytes_scratch(int m, int n)
{
    size_t pad = padded(m > n ? m : n) + 64;
    return 2 * pad * (LNT_BYTE_ROWS + 1) * sizeof(float) + pad * pad * sizeof(float);
}

void lnt_gemm_bytes(int32_t *S, int ld, const uint8_t *a, int m, const uint8_t *b, int n, size_t stride, int rows,
                    void *scratch)
{
    assert(rows <= LNT_BYTE_ROWS && (size_t)ld >= padded(m) && ld % LNT_BYTE_PAD == 0);
#ifdef LNT_X86
    if (lnt_simd_vnni()) {
        products_vnni(S, ld, a, m, b, n, stride, rows, scratch);
        return;
    }
#endif
    products_single(S, ld, a, m, b, n, stride, rows, scratch);
}
