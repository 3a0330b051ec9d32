/* The products of thin.c, for one kind of processor. Included once for each, with NAME(function), TARGET, a vector VEC
 * of WIDTH doubles, the same unaligned as LOOSE, and MULTIPLY_ADD(x, y, z) = x y + z.
 *
 * `count` is a constant wherever these functions are inlined: only then do the sums stay in registers. */

#define LOAD(p) (*(const VEC *)(p))
#define STORE(p, x) (*(VEC *)(p) = (x))
#define LOAD_LOOSE(p) ((VEC) * (const LOOSE *)(p))

TARGET INLINE VEC NAME(broadcast)(double x)
{
    return (VEC){0} + x;
}

TARGET INLINE double NAME(sum)(VEC x)
{
    double sum = 0;
    for (int i = 0; i < WIDTH; i++)
        sum += x[i];
    return sum;
}

/* The tile on the diagonal holds both of its halves. */
TARGET INLINE void NAME(diagonal)(const double *a, double *y, const double *r, size_t ld, const int count)
{
    for (int k = 0; k < count; k++)
        for (int part = 0; part < TILE; part += WIDTH) {
            VEC sum = LOAD(y + k * ld + part);
            for (int j = 0; j < TILE; j++)
                sum = MULTIPLY_ADD(LOAD(a + TILE * j + part), NAME(broadcast)(r[k * ld + j]), sum);
            STORE(y + k * ld + part, sum);
        }
}

/* STRIP columns of TILE (tiles - 1) rows below the diagonal: each entry serves its row and its column. */
TARGET INLINE void NAME(strip)(const double *a, int tiles, double *y, const double *r, size_t ld, int col,
                               const int count)
{
    VEC sum[MOST * STRIP], factor[MOST * STRIP];
#pragma GCC unroll 16
    for (int i = 0; i < STRIP * count; i++) {
        sum[i] = (VEC){0};
        factor[i] = NAME(broadcast)(r[(i / STRIP) * ld + col + i % STRIP]);
    }
    for (int row = TILE; row < TILE * tiles; row += TILE, a += STRIP * TILE)
#pragma GCC unroll 4
        for (int part = 0; part < TILE; part += WIDTH) {
            VEC to[MOST], from[MOST];
#pragma GCC unroll 4
            for (int k = 0; k < count; k++) {
                to[k] = LOAD(y + k * ld + row + part);
                from[k] = LOAD(r + k * ld + row + part);
            }
#pragma GCC unroll 4
            for (int j = 0; j < STRIP; j++) {
                if (part == 0)
                    __builtin_prefetch(a + TILE * j + AHEAD);
                VEC x = LOAD(a + TILE * j + part);
#pragma GCC unroll 4
                for (int k = 0; k < count; k++) {
                    to[k] = MULTIPLY_ADD(x, factor[k * STRIP + j], to[k]);
                    sum[k * STRIP + j] = MULTIPLY_ADD(x, from[k], sum[k * STRIP + j]);
                }
            }
#pragma GCC unroll 4
            for (int k = 0; k < count; k++)
                STORE(y + k * ld + row + part, to[k]);
        }
#pragma GCC unroll 16
    for (int i = 0; i < STRIP * count; i++)
        y[(i / STRIP) * ld + col + i % STRIP] += NAME(sum)(sum[i]);
}

TARGET INLINE void NAME(packed)(const lnt_packed *A, double *y, const double *r, size_t ld, const int count)
{
    const double *a = A->a;
    for (int tiles = LNT_PADDED(A->n) / TILE; tiles > 0; tiles--, y += TILE, r += TILE) {
        NAME(diagonal)(a, y, r, ld, count);
        a += TILE * TILE;
        for (int col = 0; col < TILE; col += STRIP, a += STRIP * TILE * (tiles - 1))
            NAME(strip)(a, tiles, y, r, ld, col, count);
    }
}

/* s <- x_j' r - t_j for STRIP samples, or for one. */
TARGET INLINE void NAME(residuals)(double *s, const double *const *x, const double *t, int n, const double *r,
                                   size_t ld, const int samples, const int count)
{
    VEC sum[MOST * STRIP];
#pragma GCC unroll 16
    for (int i = 0; i < samples * count; i++)
        sum[i] = (VEC){0};
    int row = 0;
    for (; row + WIDTH <= n; row += WIDTH)
#pragma GCC unroll 4
        for (int j = 0; j < samples; j++) {
            VEC v = LOAD_LOOSE(x[j] + row);
#pragma GCC unroll 4
            for (int k = 0; k < count; k++)
                sum[k * samples + j] = MULTIPLY_ADD(v, LOAD(r + k * ld + row), sum[k * samples + j]);
        }
#pragma GCC unroll 16
    for (int i = 0; i < samples * count; i++) {
        s[i] = NAME(sum)(sum[i]) - t[i % samples];
        for (int rest = row; rest < n; rest++)
            s[i] += x[i % samples][rest] * r[(i / samples) * ld + rest];
    }
}

TARGET INLINE void NAME(some)(double *y, const double *const *x, const double *t, int n, const double *r, size_t ld,
                              const int samples, const int count)
{
    double s[MOST * STRIP];
    NAME(residuals)(s, x, t, n, r, ld, samples, count);
    int row = 0;
    for (; row + WIDTH <= n; row += WIDTH) {
        VEC to[MOST];
#pragma GCC unroll 4
        for (int k = 0; k < count; k++)
            to[k] = LOAD(y + k * ld + row);
#pragma GCC unroll 4
        for (int j = 0; j < samples; j++) {
            VEC v = LOAD_LOOSE(x[j] + row);
#pragma GCC unroll 4
            for (int k = 0; k < count; k++)
                to[k] = MULTIPLY_ADD(v, NAME(broadcast)(s[k * samples + j]), to[k]);
        }
#pragma GCC unroll 4
        for (int k = 0; k < count; k++)
            STORE(y + k * ld + row, to[k]);
    }
    for (; row < n; row++)
        for (int i = 0; i < samples * count; i++)
            y[(i / samples) * ld + row] += x[i % samples][row] * s[i];
}

TARGET INLINE void NAME(samples)(const sample_list *list, double *y, const double *r, size_t ld, const int count)
{
    const double *x[STRIP];
    double t[STRIP];
    for (int first = 0, step; first < list->count; first += step) {
        step = first + STRIP <= list->count ? STRIP : 1;
        for (int j = 0; j < step; j++) {
            int column = list->columns ? list->columns[first + j] : first + j;
            x[j] = lnt_at(list->X, 0, column);
            t[j] = list->t ? list->t[column] : 0;
        }
        if (step == STRIP)
            NAME(some)(y, x, t, list->X.rows, r, ld, STRIP, count);
        else
            NAME(some)(y, x, t, list->X.rows, r, ld, 1, count);
    }
}

#define DEFINE(count)                                                                                                  \
    TARGET static void NAME(packed_##count)(const lnt_packed *A, double *y, const double *r, size_t ld)                \
    {                                                                                                                  \
        NAME(packed)(A, y, r, ld, count);                                                                              \
    }                                                                                                                  \
    TARGET static void NAME(samples_##count)(const sample_list *list, double *y, const double *r, size_t ld)           \
    {                                                                                                                  \
        NAME(samples)(list, y, r, ld, count);                                                                          \
    }
DEFINE(1)
DEFINE(2)
DEFINE(3)
DEFINE(4)
static const kernels NAME(thin) = {{NAME(packed_1), NAME(packed_2), NAME(packed_3), NAME(packed_4)},
                                   {NAME(samples_1), NAME(samples_2), NAME(samples_3), NAME(samples_4)}};

#undef DEFINE
#undef LOAD
#undef STORE
#undef LOAD_LOOSE
#undef NAME
#undef TARGET
#undef VEC
#undef LOOSE
#undef WIDTH
#undef MULTIPLY_ADD
