#include "linnet/modes.h"

#include <math.h>

/* A path after int (s - sum u) dT = time: u^{2/L-1} has moved by (2 - L) time. Infinite from where it would blow up. */
static double path_at(double u0, int L, double time)
{
    if (L == 1)
        return u0 + time;
    if (L == 2)
        return u0 * exp(2 * time);
    double power = 1 - 2.0 / L, left = 1 - (L - 2) * time * pow(u0, power);
    return left > 0 ? u0 * pow(left, -1 / power) : INFINITY;
}

static double total(const double *u0, const int *L, int paths, double time)
{
    double sum = 0;
    for (int p = 0; p < paths; p++)
        sum += path_at(u0[p], L[p], time);
    return sum;
}

void lnt_pathways_limit(double *end, const double *u0, const int *L, int paths, double s)
{
    double low = 0, high = 0, step = total(u0, L, paths, 0) < s ? 1 : -1;
    while (total(u0, L, paths, high) < s && step > 0) {
        low = high;
        high += step;
        step *= 2;
    }
    while (total(u0, L, paths, low) > s && step < 0) {
        high = low;
        low += step;
        step *= 2;
    }
    for (int k = 0; k < 200; k++) {
        double middle = low + (high - low) / 2;
        if (middle == low || middle == high)
            break;
        *(total(u0, L, paths, middle) < s ? &low : &high) = middle;
    }
    double at_low = total(u0, L, paths, low), at_high = total(u0, L, paths, high);
    double best = fabs(at_low - s) <= fabs(at_high - s) ? low : high;
    for (int p = 0; p < paths; p++)
        end[p] = path_at(u0[p], L[p], best);
}
