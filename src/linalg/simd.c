#include "simd.h"

#include "linnet/linalg.h"

#include <stdatomic.h>

static atomic_bool forbidden;

void lnt_simd_allow(bool allow)
{
    atomic_store(&forbidden, !allow);
}

static bool allowed(void)
{
    return !atomic_load_explicit(&forbidden, memory_order_relaxed);
}

bool lnt_simd_avx2(void)
{
#ifdef LNT_X86
    return allowed() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

bool lnt_simd_avx512(void)
{
#ifdef LNT_X86
    return allowed() && __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}

bool lnt_simd_vnni(void)
{
#ifdef LNT_X86
    return lnt_simd_avx512() && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}
