/* The products of lanes.c, for one kind of processor. Included once for each, with NAME(function), TARGET, a vector VEC
 * of WIDTH doubles, MULTIPLY_ADD(x, y, z) = x y + z, and the UNITS hidden units whose numbers fit into its registers.
 */

#define LOAD(p) (*(const VEC *)(p))
#define STORE(p, x) (*(VEC *)(p) = (x))

/* Tiles of two outputs and four inputs: their sums stay in registers. */
TARGET static void NAME(product)(const lnt_lanes *p)
{
    const size_t next_a = (size_t)p->cols * LNT_LANES, next_b = (size_t)p->rows * LNT_LANES;
    for (int part = 0; part < LNT_LANES; part += WIDTH)
        for (int i = 0; i < p->cols; i += 4)
            for (int j = 0; j < p->rows; j += 2) {
                VEC sum[2][4] = {{{0}}};
                const double *a = p->A + i * LNT_LANES + part, *b = p->B + j * LNT_LANES + part;
                for (int k = 0; k < p->hidden; k++, a += next_a, b += next_b) {
                    VEC first = LOAD(b), second = LOAD(b + LNT_LANES);
#pragma GCC unroll 4
                    for (int c = 0; c < 4; c++) {
                        VEC x = LOAD(a + c * LNT_LANES);
                        sum[0][c] = MULTIPLY_ADD(first, x, sum[0][c]);
                        sum[1][c] = MULTIPLY_ADD(second, x, sum[1][c]);
                    }
                }
                double *m = p->M + ((size_t)j * (size_t)p->cols + (size_t)i) * LNT_LANES + part;
#pragma GCC unroll 4
                for (int c = 0; c < 4; c++) {
                    STORE(m + c * LNT_LANES, sum[0][c]);
                    STORE(m + next_a + c * LNT_LANES, sum[1][c]);
                }
            }
}

TARGET static void NAME(excess)(const lnt_lanes *p, double *excess)
{
    for (int part = 0; part < LNT_LANES; part += WIDTH) {
        VEC sum = {0};
        for (int j = 0; j < p->outputs; j++)
            for (int i = 0; i < p->inputs; i++) {
                size_t at = ((size_t)j * (size_t)p->cols + (size_t)i) * LNT_LANES + (size_t)part;
                VEC gap = LOAD(p->M + at) - (i == j ? p->target[i] : 0);
                sum = MULTIPLY_ADD(gap, gap, sum);
            }
        sum = sum * (p->d / 2);
        memcpy(excess + part, &sum, sizeof sum);
    }
}

/* G <- -rate d times the weighted differences. */
TARGET static void NAME(differences)(const lnt_lanes *p, double rate)
{
    for (int j = 0; j < p->outputs; j++)
        for (int i = 0; i < p->cols; i++) {
            bool fits = i == j && i < p->inputs;
            double weight = -rate * p->d * (i == j ? p->fit : p->competition), target = fits ? p->target[i] : 0;
            size_t at = ((size_t)j * (size_t)p->cols + (size_t)i) * LNT_LANES;
            for (int part = 0; part < LNT_LANES; part += WIDTH)
                STORE(p->G + at + part, weight * (LOAD(p->M + at + part) - target));
        }
}

/* A <- A + B^T G and next <- B + G A^T, for four inputs and UNITS hidden units at a time. */
TARGET static void NAME(update)(const lnt_lanes *p, int part, int i, int k)
{
    const size_t next_a = (size_t)p->cols * LNT_LANES, next_b = (size_t)p->rows * LNT_LANES;
    const double *g = p->G + i * LNT_LANES + part;
    double *a = p->A + (size_t)k * next_a + (size_t)(i * LNT_LANES + part);
    size_t at = (size_t)k * next_b + (size_t)part;
    const double *b = p->B + at, *from = (i == 0 ? p->B : p->next) + at;
    double *to = p->next + at;
    VEC old[UNITS][4], sum[UNITS][4], x[4];
#pragma GCC unroll 2
    for (int u = 0; u < UNITS; u++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            sum[u][c] = old[u][c] = LOAD(a + u * next_a + c * LNT_LANES);
    for (int j = 0; j < p->outputs; j++, g += next_a, b += LNT_LANES, from += LNT_LANES, to += LNT_LANES) {
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            x[c] = LOAD(g + c * LNT_LANES);
#pragma GCC unroll 2
        for (int u = 0; u < UNITS; u++) {
            VEC y = LOAD(b + u * next_b), moved = LOAD(from + u * next_b);
#pragma GCC unroll 4
            for (int c = 0; c < 4; c++) {
                sum[u][c] = MULTIPLY_ADD(y, x[c], sum[u][c]);
                moved = MULTIPLY_ADD(old[u][c], x[c], moved);
            }
            STORE(to + u * next_b, moved);
        }
    }
#pragma GCC unroll 2
    for (int u = 0; u < UNITS; u++)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++)
            STORE(a + u * next_a + c * LNT_LANES, sum[u][c]);
}

TARGET static void NAME(step)(const lnt_lanes *p, double rate)
{
    NAME(differences)(p, rate);
    for (int part = 0; part < LNT_LANES; part += WIDTH)
        for (int i = 0; i < p->cols; i += 4)
            for (int k = 0; k < p->hidden; k += UNITS)
                NAME(update)(p, part, i, k);
}

#undef LOAD
#undef STORE
#undef NAME
#undef TARGET
#undef VEC
#undef WIDTH
#undef MULTIPLY_ADD
#undef UNITS
