/* Activations at places whose number is a multiple of 8, for one kind of vectors.h, from exponentials of -|a| only:
 * none loses digits where the function saturates. */

#define LOAD(p) (*(const LOOSE *)(p))
#define STORE(p, x) (*(LOOSE *)(p) = (x))

TARGET INLINE VEC NAME(with_sign)(VEC x, VEC sign)
{
    return (VEC)((IVEC)x | ((IVEC)sign & INT64_MIN));
}

TARGET INLINE void NAME(tanh)(double *z, double *slope, double *curve, int count)
{
    for (int i = 0; i < count; i += WIDTH) {
        VEC a = LOAD(z + i), fall, e = NAME(decay)(2 * LEAST(a, -a), &fall), inverse = 1 / (2 - fall),
            value = NAME(with_sign)(fall * inverse, a), first = 4 * e * (inverse * inverse);
        STORE(z + i, value);
        if (slope)
            STORE(slope + i, first);
        if (curve)
            STORE(curve + i, -2 * value * first);
    }
}

TARGET INLINE void NAME(logistic)(double *z, double *slope, double *curve, int count)
{
    for (int i = 0; i < count; i += WIDTH) {
        VEC a = LOAD(z + i), fall, e = NAME(decay)(LEAST(a, -a), &fall), inverse = 1 / (1 + e);
        IVEC right = (IVEC)(a >= NAME(all)(0));
        STORE(z + i, (VEC)((right & (IVEC)inverse) | (~right & (IVEC)(e * inverse))));
        if (slope)
            STORE(slope + i, e * (inverse * inverse));
        if (curve)
            STORE(curve + i, NAME(with_sign)(fall * inverse, -a) * (e * (inverse * inverse)));
    }
}

TARGET INLINE void NAME(softplus)(double *z, double *slope, double *curve, int count)
{
    for (int i = 0; i < count; i += WIDTH) {
        VEC a = LOAD(z + i), fall, e = NAME(decay)(LEAST(a, -a), &fall), inverse = 1 / (1 + e);
        IVEC right = (IVEC)(a >= NAME(all)(0));
        VEC value = MOST(NAME(all)(0), a);
        for (int j = 0; j < WIDTH; j++)
            value[j] += log1p(e[j]);
        STORE(z + i, value);
        if (slope)
            STORE(slope + i, (VEC)((right & (IVEC)inverse) | (~right & (IVEC)(e * inverse))));
        if (curve)
            STORE(curve + i, e * (inverse * inverse));
    }
}

TARGET INLINE void NAME(relu)(double *z, double *slope, double *curve, int count)
{
    for (int i = 0; i < count; i += WIDTH) {
        VEC a = LOAD(z + i);
        STORE(z + i, MOST(NAME(all)(0), a));
        if (slope)
            STORE(slope + i, (VEC)((IVEC)(a > NAME(all)(0)) & (IVEC)NAME(all)(1)));
        if (curve)
            STORE(curve + i, NAME(all)(0));
    }
}

/* A loop of its own for each set of derivatives. */
#define AS(phi)                                                                                                        \
    TARGET static void NAME(phi##_at)(double *z, double *slope, double *curve, int count)                              \
    {                                                                                                                  \
        if (curve)                                                                                                     \
            NAME(phi)(z, slope, curve, count);                                                                         \
        else if (slope)                                                                                                \
            NAME(phi)(z, slope, NULL, count);                                                                          \
        else                                                                                                           \
            NAME(phi)(z, NULL, NULL, count);                                                                           \
    }
AS(tanh)
AS(relu)
AS(logistic)
AS(softplus)

static kernel *const NAME(kernels)[] = {linear_at, NAME(tanh_at), NAME(relu_at), NAME(logistic_at), NAME(softplus_at)};

#undef LOAD
#undef STORE
#undef AS
