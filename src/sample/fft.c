#include "special.h"

#include <math.h>
#include <stddef.h>

void lnt_fft_prepare(lnt_complex *w, int n)
{
    for (int j = 0; j < n / 2; j++) {
        double angle = 2 * 3.14159265358979323846 * j / n;
        w[j] = (lnt_complex){cos(angle), -sin(angle)};
    }
}

static void reverse_bits(lnt_complex *z, int n)
{
    for (int i = 1, j = 0; i < n; i++) {
        int bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            lnt_complex swap = z[i];
            z[i] = z[j];
            z[j] = swap;
        }
    }
}

void lnt_fft(lnt_complex *z, int n, const lnt_complex *w)
{
    reverse_bits(z, n);
    for (int half = 1, step = n / 2; half < n; half *= 2, step /= 2)
        for (int block = 0; block < n; block += 2 * half)
            for (int j = 0; j < half; j++) {
                lnt_complex *even = z + block + j, *odd = even + half, u = w[(size_t)j * (size_t)step], e = *even;
                lnt_complex v = {u.re * odd->re - u.im * odd->im, u.re * odd->im + u.im * odd->re};
                *even = (lnt_complex){e.re + v.re, e.im + v.im};
                *odd = (lnt_complex){e.re - v.re, e.im - v.im};
            }
}
