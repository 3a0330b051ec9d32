#include "linnet/diagnose.h"

#include <math.h>

int lnt_calibration_rank(double truth, const double *x, int n, size_t stride)
{
    int rank = 0;
    for (int i = 0; i < n; i++)
        rank += x[(size_t)i * stride] < truth;
    return rank;
}

static int bin_of(const lnt_calibration *c, int rank, int draws)
{
    return (int)((long)rank * c->bins / ((long)draws + 1));
}

lnt_status lnt_calibrate(lnt_ctx *ctx, lnt_calibration *out, const int *ranks, int n, int draws, int bins)
{
    if (n < 1 || draws < 1)
        return lnt_fail(ctx, LNT_EINVAL, "calibration needs at least a rank and a draw, not %d and %d", n, draws);
    if (bins < 2 || bins > LNT_CALIBRATION_MOST_BINS)
        return lnt_fail(ctx, LNT_EINVAL, "%d bins of ranks: 2 to %d", bins, LNT_CALIBRATION_MOST_BINS);
    lnt_calibration c = {.bins = draws + 1 < bins ? draws + 1 : bins};
    for (int i = 0; i < n; i++) {
        if (ranks[i] < 0 || ranks[i] > draws)
            return lnt_fail(ctx, LNT_EINVAL, "rank %d of a value among %d draws is out of range", ranks[i], draws);
        c.count[bin_of(&c, ranks[i], draws)]++;
    }
    for (int r = 0; r <= draws; r++)
        c.expected[bin_of(&c, r, draws)] += n / (draws + 1.);
    for (int b = 0; b < c.bins; b++)
        c.chi2 += (c.count[b] - c.expected[b]) * (c.count[b] - c.expected[b]) / c.expected[b];
    c.p = lnt_gamma_q((c.bins - 1) / 2., c.chi2 / 2);
    *out = c;
    return LNT_OK;
}

void lnt_calibration_band(int *low, int *high, int n, double share, double tail)
{
    double below = 0, odds = log(share) - log1p(-share), log_p = n * log1p(-share);
    int x = 0;
    for (; x < n && below + exp(log_p) <= tail; x++) {
        below += exp(log_p);
        log_p += odds + log((double)(n - x) / (x + 1));
    }
    *low = x; /* P(count < low) <= tail */
    for (; x < n && below + exp(log_p) < 1 - tail; x++) {
        below += exp(log_p);
        log_p += odds + log((double)(n - x) / (x + 1));
    }
    *high = x; /* P(count > high) <= tail */
}
