#ifndef LINNET_WIDE_H
#define LINNET_WIDE_H

/* Compiled for wider registers too, chosen when the program starts. The bits are the same: C forbids fused products
 * here, and sums run in lanes whose number is fixed. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

#endif
