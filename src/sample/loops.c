#include "loops.h"

#include <math.h>

#define PARTS 2
#define KERNEL "../sample/loops_kernel.h"
#include "../net/vectors.h"

const lnt_loop_kernels *lnt_loops(void)
{
#ifdef LNT_X86
    if (lnt_simd_avx512())
        return &loops_by_8;
    if (lnt_simd_avx2())
        return &loops_by_4;
#endif
    return &loops_by_2;
}
