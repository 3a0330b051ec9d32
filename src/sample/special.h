/* Transforms that the diagnostics need. */
#ifndef LINNET_SPECIAL_H
#define LINNET_SPECIAL_H

typedef struct lnt_complex {
    double re, im;
} lnt_complex;

/* Twiddle factors exp(-2 pi i j/n), j = 0 .. n/2 - 1, of lnt_fft(); n is a power of two. */
void lnt_fft_prepare(lnt_complex *w, int n);
/* z <- sum_t z_t exp(-2 pi i j t/n) for j = 0 .. n - 1 (Cooley and Tukey 1965), in place; relative error about
 * 1e-16 log2 n. The inverse is conj(FFT(conj z))/n. */
void lnt_fft(lnt_complex *z, int n, const lnt_complex *w);

#endif
