/* Whether draws of Markov chains can be trusted, and how precise what they say is.
 *
 * m chains of n draws, S = m n. Chains are cut in halves (the middle one of an odd number of draws is left out), so
 * that a drift shows as a difference of chains. z_i = Phi^-1((r_i - 3/8)/(S + 1/4)) with the rank r_i among all S
 * values, ties averaged, makes heavy tails harmless. Over N draws in each of M half chains, with the variance W within
 * chains (mean of s_j^2, divisor N - 1), B = var(means), V = (N-1)/N W + B and the mean autocovariance C_t (divisor N),
 *
 *     R-hat = sqrt(V/W),    rho_t = 1 - (W - C_t)/V,    tau = -1 + 2 sum_{t<T} rho_t + max(rho_T, 0),    ESS = M N/tau,
 *
 * T being the first even t with rho_t + rho_{t+1} <= 0 (at most about N - 5), and the sums rho_{2j} + rho_{2j+1} before
 * it made to decrease (Geyer 1992; at most M N log10(M N), for antithetic chains). As defined by Vehtari et al. (2021)
 *
 *     R-hat     is the larger one of z and of the z of |x - median| (chains that differ in scale alone); where the
 *               latter is the same everywhere (two values, equally often), that of z;
 *     bulk ESS  is that of z;
 *     tail ESS  the lower one of the indicators x <= 5% and x <= 95% quantile;
 *     ESS       of the mean is that of x itself, of a quantile q that of the indicator x <= q.
 *
 * Agrees to rounding with R's `posterior`; ArviZ differs in the last digits for odd n (median without the middle draws)
 * and for single chains (no R-hat). Quantiles interpolate between order statistics, x_(1 + p (S-1)), as R's and NumPy's
 * default. */
#ifndef LINNET_DIAGNOSE_H
#define LINNET_DIAGNOSE_H

#include "linnet/mat.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Draws of `dim` quantities: quantity i of draw d of chain c is a[((size_t)c * draws + d) * dim + i], NumPy's
 * (chain, draw, dim). */
typedef struct lnt_chains {
    const double *a;
    int chains, draws, dim;
} lnt_chains;

/* ---- Precision of single quantities ------------------------------------------------------------------------------ */

typedef struct lnt_quantile {
    double value;
    double ess;  /* of the indicator x <= value */
    double mcse; /* half the distance of the order statistics at the 16% and 84% points of Beta(ess p + 1, ess (1-p) +
                    1) */
} lnt_quantile;

/* What the draws of one quantity say. All but mean, sd and values of quantiles are NaN where draws are constant or
 * fewer than 12 a chain; everything is NaN where a draw is not finite. */
typedef struct lnt_diagnosis {
    double mean, sd;  /* of all draws, divisor S - 1 */
    double mcse_mean; /* sd/sqrt(ESS of the mean) */
    double mcse_sd;   /* by the delta method: sqrt(var((x - mean)^2)/ESS of (x - mean)^2)/(2 sd), whatever the shape */
    lnt_quantile q05, median, q95;
    double ess_mean, ess_bulk, ess_tail, rhat; /* rhat: huge where every chain stays at a value of its own */
} lnt_diagnosis;

/* diagnosis (dim entries) <- one for each quantity; `threads` as in lnt_parallel(), which does not change a bit. A few
 * sorts and transforms of the draws, 0.4 us a draw; 40 bytes for each draw and thread. LNT_EINVAL for sizes below 1
 * (dim: 0). */
LNT_API lnt_status lnt_diagnose(lnt_ctx *ctx, lnt_diagnosis *diagnosis, const lnt_chains *x, int threads);
/* The quantile of order 0 < p < 1 of a quantity of x, 0 <= index < dim. LNT_EINVAL. */
LNT_API lnt_status lnt_chains_quantile(lnt_ctx *ctx, lnt_quantile *q, const lnt_chains *x, int index, double p);
/* ebfmi (one for each chain) <- sum (E_d - E_{d-1})^2/sum (E_d - mean)^2 over the draws of the energy E (dim 1), the
 * Bayesian fraction of missing information (Betancourt 2016): below about 0.3 momentum is refreshed in too small steps
 * to reach the tails. NaN for fewer than 2 draws, for a constant or not finite energy. */
LNT_API void lnt_ebfmi(double *ebfmi, const lnt_chains *energy);

/* ---- Verdict ----------------------------------------------------------------------------------------------------- */

/* What a sampler tells of its draws, each chains x draws as in lnt_chains with dim 1; .a = NULL where it is not known.
 */
typedef struct lnt_sampler_trace {
    lnt_chains energy;    /* H of the Hamiltonian */
    lnt_chains divergent; /* 1 where a trajectory diverged, else 0 */
    lnt_chains at_depth;  /* 1 where the largest depth stopped a tree, else 0 */
    lnt_chains position;  /* all coordinates that were sampled; any dim */
} lnt_sampler_trace;

typedef struct lnt_verdict_opts {
    double rhat;  /* largest R-hat */
    double ess;   /* least bulk and tail ESS for each chain */
    double ebfmi; /* least E-BFMI */
    double stuck; /* largest share of a chain's draws that equal the one before */
} lnt_verdict_opts;

/* 1.01, 100, 0.3 (Vehtari et al. 2021; Betancourt 2016), 0.5. */
LNT_API void lnt_verdict_defaults(lnt_verdict_opts *opts);

typedef struct lnt_verdict_row {
    const char *name;   /* "R-hat", "bulk ESS", "tail ESS", "E-BFMI", "divergences", "deepest trees", "stuck chains" */
    double measure;     /* the worst, or how many */
    double limit;       /* of measure */
    bool at_least;      /* measure >= limit is wanted; else measure <= limit, for R-hat measure < limit */
    bool holds;         /* false for NaN */
    bool serious;       /* where it does not hold the draws cannot be trusted; else they are only dearer than need be */
    int where;          /* quantity (R-hat, ESS) or chain (E-BFMI, stuck) of the worst; -1 where there is none */
    const char *effect; /* what a failure means and what helps: half a sentence without a full stop */
} lnt_verdict_row;

#define LNT_VERDICT_ROWS 7

typedef struct lnt_verdict {
    int count; /* rows: those about which something is known */
    lnt_verdict_row row[LNT_VERDICT_ROWS];
    bool trusted; /* every serious row holds */
} lnt_verdict;

/* The verdict on n diagnoses of `chains` chains and a trace (NULL: none). Of quantities that are constant nothing can
 * be said: leave them out (`n` diagnoses are those of quantities that vary). LNT_EINVAL for shapes that do not agree.
 */
LNT_API lnt_status lnt_verdict_on(lnt_ctx *ctx, lnt_verdict *verdict, const lnt_diagnosis *diagnosis, int n, int chains,
                                  const lnt_sampler_trace *trace, const lnt_verdict_opts *opts);
/* A scratch sentence about a row that does not hold, such as "R-hat is 1.12 (w3), not below 1.01: the chains have not
 * mixed ..."; `where` names the quantity, or NULL. NULL when memory is exhausted. */
LNT_API const char *lnt_verdict_words(lnt_ctx *ctx, const lnt_verdict_row *row, const char *where);

/* ---- Simulation-based calibration -------------------------------------------------------------------------------- */

#define LNT_CALIBRATION_MOST_BINS 200

/* Where parameters are drawn from the prior, data from them, and `draws` independent draws from their posterior, the
 * number of draws below the true value is uniform on 0 .. draws (Talts et al. 2018). */
typedef struct lnt_calibration {
    int bins; /* at most draws + 1 */
    double count[LNT_CALIBRATION_MOST_BINS], expected[LNT_CALIBRATION_MOST_BINS];
    double chi2; /* sum (count - expected)^2/expected */
    double p;    /* P(chi^2 with bins - 1 degrees of freedom >= chi2); about right where expected >= 5 */
} lnt_calibration;

/* The number of draws x[0], x[stride], ... (n of them) below `truth`. */
LNT_API int lnt_calibration_rank(double truth, const double *x, int n, size_t stride);
/* The histogram of n >= 1 ranks, 0 <= rank <= draws, draws >= 1, in min(bins, draws + 1) bins: rank r is in bin
 * floor(r bins/(draws + 1)). 2 <= bins <= LNT_CALIBRATION_MOST_BINS; Talts et al. take 20. LNT_EINVAL. */
LNT_API lnt_status lnt_calibrate(lnt_ctx *ctx, lnt_calibration *out, const int *ranks, int n, int draws, int bins);
/* Counts of a bin that a fair sampler stays within, on either side with probability at least 1 - tail: quantiles of the
 * binomial distribution of n ranks, each in the bin with probability `share`, 0 < share < 1. n operations. */
LNT_API void lnt_calibration_band(int *low, int *high, int n, double share, double tail);

/* ---- Special functions ------------------------------------------------------------------------------------------- */

/* Phi^-1(p): |error| <= 4e-16 max(1, |x|) for p >= 1e-300; -inf and inf for 0 and 1, NaN outside. Halley's method. */
LNT_API double lnt_probit(double p);
/* Q(a, x) = int_x^inf t^(a-1) e^-t dt/Gamma(a), 0 < a <= 1e8, x >= 0, else NaN; so that P(chi^2_nu >= c) =
 * lnt_gamma_q(nu/2, c/2). Relative error below 1e-13 max(1, sqrt(a)/10) for x >= a + 1, absolute below. By the series
 * of P for x < a + 1, else by a continued fraction (Gautschi 1979). */
LNT_API double lnt_gamma_q(double a, double x);
/* The x at which the incomplete beta function I_x(a, b) is p; a, b >= 1/2, 0 < p < 1. Relative error below 1e-11 for a
 * + b <= 1e5. */
LNT_API double lnt_beta_quantile(double p, double a, double b);

#ifdef __cplusplus
}
#endif
#endif
