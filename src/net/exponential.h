/* Exponentials, for one kind of vectors.h. */

TARGET INLINE VEC NAME(all)(double x)
{
    return (VEC){0} + x;
}

/* For -708 <= x <= 708 with x = n log 2 + r: e^r - 1 = r + r^2 P(r), to 4e-17, and 2^n. */
TARGET INLINE VEC NAME(split)(VEC x, VEC *power)
{
    static const double c[] = {0.50000000000000010314,     0.1666666666666666746,    0.041666666666623820532,
                               0.0083333333333300381973,   0.0013888888917367080562, 0.00019841269863171556026,
                               0.000024801521057868205199, 2.7557268276905696187e-6, 2.7620201591031548792e-7,
                               2.5100472505694996003e-8};
    VEC shifted = MULTIPLY_ADD(x, NAME(all)(1.4426950408889634), NAME(all)(0x1.8p52));
    VEC n = shifted - 0x1.8p52;
    VEC r = MULTIPLY_ADD(n, NAME(all)(-0x1.62e42feep-1), x);
    r = MULTIPLY_ADD(n, NAME(all)(-0x1.a39ef35793c76p-33), r);
    VEC P = NAME(all)(c[9]);
#pragma GCC unroll 9
    for (int i = 8; i >= 0; i--)
        P = MULTIPLY_ADD(P, r, NAME(all)(c[i]));
    *power = (VEC)(((IVEC)shifted << 52) + (IVEC)NAME(all)(1.0));
    return MULTIPLY_ADD(r * r, P, r);
}

/* e^x and 1 - e^x for x <= 0, both to a unit or two in the last place; 0 and 1 below -708. */
TARGET INLINE VEC NAME(decay)(VEC x, VEC *fall)
{
    VEC power, grown = NAME(split)(MOST(NAME(all)(-708), x), &power), e = MULTIPLY_ADD(power, grown, power);
    *fall = MULTIPLY_ADD(-power, grown, 1 - power);
    return (VEC)(~(IVEC)(x < NAME(all)(-708)) & (IVEC)e);
}
