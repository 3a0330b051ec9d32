#include "linnet/diagnose.h"

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

lnt_status lnt_calibrate(lnt_ctx *ctx, lnt_calibration *out, const int *ranks, int n, int draws)
{
    if (n < 1 || draws < 1)
        return lnt_fail(ctx, LNT_EINVAL, "calibration needs at least a rank and a draw, not %d and %d", n, draws);
    lnt_calibration c = {.bins = draws + 1 < LNT_CALIBRATION_BINS ? draws + 1 : LNT_CALIBRATION_BINS};
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
