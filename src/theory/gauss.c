#include "gauss.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

double lnt_normal_density(double z)
{
    return 0.39894228040143267794 * exp(-0.5 * z * z);
}

/* (k+1) Q_{k+1} = Q_{k-1} - z Q_k with Q_{-1} = phi. Forward it cancels for large z; backward, as the continued
 * fraction r_k = Q_k/Q_{k-1} = 1/(z + (k+1) r_{k+1}), it converges (Gautschi 1961). */
void lnt_normal_tails(double Q[LNT_TAILS], double z)
{
    Q[0] = 0.5 * erfc(0.70710678118654752440 * z);
    if (z < 1) {
        double former = lnt_normal_density(z);
        for (int k = 0; k + 1 < LNT_TAILS; k++) {
            Q[k + 1] = (former - z * Q[k]) / (k + 1);
            former = Q[k];
        }
        return;
    }
    double r[LNT_TAILS] = {0}, next = 0;
    for (int k = LNT_TAILS + 8 + (int)(450 / (z * z)); k >= 1; k--) {
        next = 1 / (z + (k + 1) * next);
        if (k < LNT_TAILS)
            r[k] = next;
    }
    for (int k = 1; k < LNT_TAILS; k++)
        Q[k] = r[k] * Q[k - 1];
}

/* Chandrupatla (1997): inverse quadratic interpolation where it is safe, else bisection. */
double lnt_root(double (*f)(double x, void *user), void *user, double lo, double hi)
{
    double a = hi, b = lo, fa = f(a, user), fb = f(b, user), t = 0.5;
    if ((fa > 0) == (fb > 0) && fa != 0 && fb != 0)
        return fabs(fa) < fabs(fb) ? a : b;
    for (int i = 0; i < 200; i++) {
        double x = a + t * (b - a), fx = f(x, user);
        bool same = (fx > 0) == (fa > 0);
        double c = same ? a : b, fc = same ? fa : fb;
        if (!same) {
            b = a;
            fb = fa;
        }
        a = x;
        fa = fx;
        double best = fabs(fa) < fabs(fb) ? a : b, least = 2 * DBL_EPSILON * fabs(best) / fabs(b - a);
        if (least > 0.5 || fa == 0 || a == b)
            return fa == 0 ? a : best;
        double xi = (a - b) / (c - b), slope = (fa - fb) / (fc - fb);
        bool safe = slope * slope < xi && (1 - slope) * (1 - slope) < 1 - xi;
        t = safe ? fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb) : 0.5;
        t = fmin(1 - least, fmax(least, t));
    }
    return fabs(fa) < fabs(fb) ? a : b;
}
