/* The loops of loops.c, for one kind of vectors.h. All arrays are aligned to 64 bytes, N is a multiple of 16. */

#define LOAD(p) (*(const VEC *)(p))
#define STORE(p, x) (*(VEC *)(p) = (x))

TARGET INLINE VEC NAME(slope)(VEC z, const lnt_activation phi)
{
    VEC fall;
    switch (phi) {
    case LNT_TANH:
        return 1 - z * z;
    case LNT_LOGISTIC:
        return z * (1 - z);
    case LNT_SOFTPLUS:
        NAME(decay)(-z, &fall);
        return fall;
    default: /* relu: 1 where z > 0 */
        return (VEC)((z > NAME(all)(0)) & (IVEC)NAME(all)(1.0));
    }
}

TARGET INLINE void NAME(back_as)(double *d, const double *z, size_t count, const lnt_activation phi)
{
    for (size_t i = 0; i < count; i += WIDTH)
        STORE(d + i, LOAD(d + i) * NAME(slope)(LOAD(z + i), phi));
}

TARGET static void NAME(back)(double *d, const double *z, size_t count, lnt_activation phi)
{
    if (phi == LNT_TANH)
        NAME(back_as)(d, z, count, LNT_TANH);
    else if (phi == LNT_LOGISTIC)
        NAME(back_as)(d, z, count, LNT_LOGISTIC);
    else if (phi == LNT_SOFTPLUS)
        NAME(back_as)(d, z, count, LNT_SOFTPLUS);
    else
        NAME(back_as)(d, z, count, LNT_RELU);
}

/* `count` rows of a product and PARTS vectors of samples: the sums stay in registers. */
TARGET INLINE void NAME(product_tile)(const lnt_loop_product *p, int row, int at, const int count)
{
    VEC sum[4 * PARTS];
    const double *w = p->w + (size_t)row * p->next_row, *x = p->in + at;
#pragma GCC unroll 16
    for (int i = 0; i < count * PARTS; i++)
        sum[i] = (VEC){0};
    for (int k = 0; k < p->inner; k++, w += p->next_inner, x += p->N) {
        VEC v[PARTS];
#pragma GCC unroll 4
        for (int s = 0; s < PARTS; s++)
            v[s] = LOAD(x + s * WIDTH);
#pragma GCC unroll 4
        for (int i = 0; i < count; i++) {
            VEC factor = NAME(all)(w[(size_t)i * p->next_row]);
#pragma GCC unroll 4
            for (int s = 0; s < PARTS; s++)
                sum[i * PARTS + s] = MULTIPLY_ADD(factor, v[s], sum[i * PARTS + s]);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < count; i++)
#pragma GCC unroll 4
        for (int s = 0; s < PARTS; s++)
            STORE(p->out + (size_t)(row + i) * p->N + at + s * WIDTH, sum[i * PARTS + s]);
}

TARGET static void NAME(product)(const lnt_loop_product *p)
{
    for (int at = 0; at < (int)p->N; at += PARTS * WIDTH) {
        int row = 0;
        for (; row + 4 <= p->rows; row += 4)
            NAME(product_tile)(p, row, at, 4);
        for (; row < p->rows; row++)
            NAME(product_tile)(p, row, at, 1);
    }
}

TARGET INLINE double NAME(sum)(VEC x)
{
    double sum = 0;
    for (int i = 0; i < WIDTH; i++)
        sum += x[i];
    return sum;
}

TARGET INLINE void NAME(gradient_tile)(double *g, size_t ld, const double *d, const double *z, size_t N, const int rows,
                                       const int cols)
{
    VEC sum[16];
#pragma GCC unroll 16
    for (int i = 0; i < rows * cols; i++)
        sum[i] = (VEC){0};
    for (size_t s = 0; s < N; s += WIDTH) {
        VEC a[4];
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++)
            a[i] = LOAD(d + (size_t)i * N + s);
#pragma GCC unroll 4
        for (int j = 0; j < cols; j++) {
            VEC b = LOAD(z + (size_t)j * N + s);
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++)
                sum[j * rows + i] = MULTIPLY_ADD(a[i], b, sum[j * rows + i]);
        }
    }
#pragma GCC unroll 4
    for (int j = 0; j < cols; j++)
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++)
            g[(size_t)j * ld + (size_t)i] += NAME(sum)(sum[j * rows + i]);
}

TARGET static void NAME(gradient)(double *g, int rows, int cols, const double *d, const double *z, size_t N)
{
    size_t ld = (size_t)rows;
    int row = 0;
    for (; row + 4 <= rows; row += 4) {
        int col = 0;
        for (; col + 4 <= cols; col += 4)
            NAME(gradient_tile)
        (g + (size_t)col * ld + (size_t)row, ld, d + (size_t)row * N, z + (size_t)col * N, N, 4, 4);
        for (; col < cols; col++)
            NAME(gradient_tile)
        (g + (size_t)col * ld + (size_t)row, ld, d + (size_t)row * N, z + (size_t)col * N, N, 4, 1);
    }
    for (; row < rows; row++) {
        int col = 0;
        for (; col + 4 <= cols; col += 4)
            NAME(gradient_tile)
        (g + (size_t)col * ld + (size_t)row, ld, d + (size_t)row * N, z + (size_t)col * N, N, 1, 4);
        for (; col < cols; col++)
            NAME(gradient_tile)
        (g + (size_t)col * ld + (size_t)row, ld, d + (size_t)row * N, z + (size_t)col * N, N, 1, 1);
    }
}

/* f <- v (d - f); sum of v (d - f)^2. */
TARGET static double NAME(gaussian)(double *f, const double *d, const double *v, size_t count)
{
    VEC sum = {0};
    for (size_t i = 0; i < count; i += WIDTH) {
        VEC r = LOAD(d + i) - LOAD(f + i), e = LOAD(v + i) * r;
        sum = MULTIPLY_ADD(e, r, sum);
        STORE(f + i, e);
    }
    return NAME(sum)(sum);
}

TARGET INLINE double NAME(log_product)(VEC x)
{
    double sum = 0;
    for (int i = 0; i < WIDTH; i++)
        sum += log(x[i]);
    return sum;
}

/* f <- v (d - p); sum of v (softplus(f) - d f), v 0 or 1. One logarithm of a product of numbers up to 2 for 512. */
TARGET static double NAME(bernoulli)(double *f, const double *d, const double *v, size_t count)
{
    VEC sum = {0};
    double logs = 0;
    for (size_t first = 0; first < count; first += 512 * WIDTH) {
        VEC product = NAME(all)(1);
        for (size_t i = first; i < count && i < first + 512 * WIDTH; i += WIDTH) {
            VEC z = LOAD(f + i), share = LOAD(d + i), weight = LOAD(v + i), fall, e = NAME(decay)(LEAST(z, -z), &fall),
                q = 1 / (1 + e);
            VEC positive = (VEC)((z > NAME(all)(0)) & (IVEC)NAME(all)(1.0)),
                p = positive * q + (1 - positive) * (e * q);
            sum = MULTIPLY_ADD(weight, MOST(NAME(all)(0), z) - share * z, sum);
            product = MULTIPLY_ADD(weight * e, product, product);
            STORE(f + i, weight * (share - p));
        }
        logs += NAME(log_product)(product);
    }
    return NAME(sum)(sum) + logs;
}

/* For `classes` rows of N logits: f <- v (d - p); sum of v (log sum e^f - d f). N <= 16 WIDTH ... 16 sums of up to
 * `classes` multiplied before a logarithm is taken. */
TARGET static double NAME(categorical)(double *f, const double *d, const double *v, int classes, size_t N)
{
    VEC sum = {0};
    double logs = 0;
    for (size_t i = 0; i < N; i += WIDTH) {
        VEC most = LOAD(f + i), total = {0}, weight = LOAD(v + i);
        for (int c = 1; c < classes; c++)
            most = MOST(most, LOAD(f + (size_t)c * N + i));
        for (int c = 0; c < classes; c++) {
            double *at = f + (size_t)c * N + i;
            VEC z = LOAD(at) - most, fall, e = NAME(decay)(z, &fall);
            sum = MULTIPLY_ADD(weight * LOAD(d + (size_t)c * N + i), -z, sum);
            total += e;
            STORE(at, e);
        }
        for (int c = 0; c < classes; c++) {
            double *at = f + (size_t)c * N + i;
            STORE(at, weight * (LOAD(d + (size_t)c * N + i) - LOAD(at) / total));
        }
        logs += NAME(log_product)(MULTIPLY_ADD(weight, total - 1, NAME(all)(1)));
    }
    return NAME(sum)(sum) + logs;
}

static const lnt_loop_kernels NAME(loops) = {NAME(product),  NAME(gradient),  NAME(back),
                                             NAME(gaussian), NAME(bernoulli), NAME(categorical)};

#undef LOAD
#undef STORE
