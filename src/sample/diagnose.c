#include "linnet/diagnose.h"

#include "linnet/parallel.h"
#include "special.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_DRAWS 12 /* a chain: half of them show two pairs of correlations */

typedef struct entry {
    double value;
    int index;
} entry;

/* What all quantities of one shape share: halves of `half` draws, padded to `padded` for the transform. */
typedef struct plan {
    int chains, draws, half, padded;
    lnt_complex *twiddle;
    double *score; /* z of the ranks 1 .. total */
} plan;

/* One quantity: x as it came, chain by chain; y one of its images, half chain by half chain. */
typedef struct work {
    const plan *plan;
    int S, total; /* draws; those in the halves */
    double *x, *u, *y, *power;
    entry *sorted;
    lnt_complex *z;
} work;

static double score(int total, double rank)
{
    return lnt_probit((rank - 0.375) / (total + 0.25));
}

static lnt_status make_plan(lnt_ctx *ctx, plan *p, const lnt_chains *x)
{
    *p = (plan){.chains = x->chains, .draws = x->draws, .half = x->draws / 2, .padded = 2};
    while (p->padded < 2 * p->half)
        p->padded *= 2;
    int total = 2 * p->chains * p->half;
    p->twiddle = lnt_alloc(ctx, (size_t)p->padded / 2, sizeof *p->twiddle);
    p->score = lnt_alloc(ctx, (size_t)total + 1, sizeof *p->score);
    if (!p->twiddle || !p->score)
        return LNT_ENOMEM;
    lnt_fft_prepare(p->twiddle, p->padded);
    for (int r = 1; r <= total; r++)
        p->score[r] = 2 * r <= total + 1 ? score(total, r) : -p->score[total + 1 - r];
    return LNT_OK;
}

static lnt_status make_work(lnt_ctx *ctx, work *w, const plan *p)
{
    *w = (work){.plan = p, .S = p->chains * p->draws, .total = 2 * p->chains * p->half};
    w->x = lnt_alloc(ctx, (size_t)w->S, sizeof *w->x);
    w->u = lnt_alloc(ctx, (size_t)w->S, sizeof *w->u);
    w->y = lnt_alloc(ctx, (size_t)w->total, sizeof *w->y);
    w->sorted = lnt_alloc(ctx, (size_t)w->S, sizeof *w->sorted);
    w->power = lnt_alloc(ctx, (size_t)p->padded, sizeof *w->power);
    w->z = lnt_alloc(ctx, (size_t)p->padded, sizeof *w->z);
    return w->x && w->u && w->y && w->sorted && w->power && w->z ? LNT_OK : LNT_ENOMEM;
}

/* Where draw `index` stands in the halves; -1 for the middle of an odd number. */
static int place_in_halves(const plan *p, int index)
{
    int chain = index / p->draws, draw = index % p->draws, late = draw - (p->draws - p->half);
    return draw < p->half ? 2 * chain * p->half + draw : late >= 0 ? (2 * chain + 1) * p->half + late : -1;
}

static void split(work *w, const double *values)
{
    for (int i = 0; i < w->S; i++) {
        int at = place_in_halves(w->plan, i);
        if (at >= 0)
            w->y[at] = values[i];
    }
}

static int by_value(const void *a, const void *b)
{
    double p = ((const entry *)a)->value, q = ((const entry *)b)->value;
    return (p > q) - (p < q);
}

static void sort(work *w, const double *values)
{
    for (int i = 0; i < w->S; i++)
        w->sorted[i] = (entry){values[i], i};
    qsort(w->sorted, (size_t)w->S, sizeof *w->sorted, by_value);
}

/* y <- the normal scores of the ranks of what was sorted, within the halves. */
static void normal_scores(work *w)
{
    int rank = 0;
    for (int i = 0, j; i < w->S; i = j) {
        int equal = 0;
        for (j = i; j < w->S && w->sorted[j].value == w->sorted[i].value; j++)
            equal += place_in_halves(w->plan, w->sorted[j].index) >= 0;
        double z = equal == 1 ? w->plan->score[rank + 1] : equal ? score(w->total, rank + (equal + 1) / 2.) : 0;
        for (int t = i; t < j; t++) {
            int at = place_in_halves(w->plan, w->sorted[t].index);
            if (at >= 0)
                w->y[at] = z;
        }
        rank += equal;
    }
}

static bool is_constant(const double *y, int n)
{
    double low = y[0], high = y[0];
    for (int i = 1; i < n; i++) {
        low = fmin(low, y[i]);
        high = fmax(high, y[i]);
    }
    return high - low <= 4 * DBL_EPSILON; /* of numbers about 1 */
}

/* The variance of the means of the halves; y <- y minus the mean of its half. */
static double centre(work *w)
{
    int M = 2 * w->plan->chains, N = w->plan->half;
    double grand = 0, B = 0;
    for (int i = 0; i < w->total; i++)
        grand += w->y[i] / w->total;
    for (int j = 0; j < M; j++) {
        double *y = w->y + (size_t)j * (size_t)N, mean = 0;
        for (int i = 0; i < N; i++)
            mean += y[i] / N;
        for (int i = 0; i < N; i++)
            y[i] -= mean;
        B += (mean - grand) * (mean - grand) / (M - 1);
    }
    return B;
}

static double rhat(work *w)
{
    if (is_constant(w->y, w->total))
        return NAN;
    int N = w->plan->half;
    double W = 0, B = centre(w);
    for (int i = 0; i < w->total; i++)
        W += w->y[i] * w->y[i] / (2. * w->plan->chains * (N - 1));
    return sqrt((B / W * N + N - 1) / N);
}

/* power <- the mean autocovariance C_t of the halves, centred in y. Two of them as real and imaginary part cost one
 * transform, since the real part of the autocovariance of a + i b is the sum of theirs. */
static void autocovariance(work *w)
{
    int N = w->plan->half, L = w->plan->padded;
    double scale = 1. / ((double)w->total * L);
    memset(w->power, 0, (size_t)L * sizeof *w->power);
    for (int pair = 0; pair < w->plan->chains; pair++) {
        const double *a = w->y + (size_t)pair * 2 * (size_t)N, *b = a + N;
        memset(w->z, 0, (size_t)L * sizeof *w->z);
        for (int i = 0; i < N; i++)
            w->z[i] = (lnt_complex){a[i], b[i]};
        lnt_fft(w->z, L, w->plan->twiddle);
        for (int i = 0; i < L; i++)
            w->power[i] += w->z[i].re * w->z[i].re + w->z[i].im * w->z[i].im;
    }
    for (int i = 0; i < L; i++)
        w->z[i] = (lnt_complex){w->power[i], 0};
    lnt_fft(w->z, L, w->plan->twiddle);
    for (int i = 0; i < N; i++)
        w->power[i] = w->z[i].re * scale;
}

/* The sum tau of the correlations rho (N of them), which is changed. */
static double correlation_time(double *rho, int N)
{
    int T = 0;
    while (T < N - 5 && rho[T] + rho[T + 1] > 0)
        T += 2;
    double last = rho[T] + rho[T + 1] < 0 ? fmax(rho[T], 0) : rho[T], sum = 0, former = INFINITY;
    for (int t = 0; t < T; t += 2) {
        double both = fmin(rho[t] + rho[t + 1], former);
        sum += both;
        former = both;
    }
    return -1 + 2 * sum + last;
}

static double effective_size(work *w)
{
    if (is_constant(w->y, w->total))
        return NAN;
    int N = w->plan->half;
    double B = centre(w);
    autocovariance(w);
    double W = w->power[0] * N / (N - 1), V = w->power[0] + B;
    for (int t = 1; t < N; t++)
        w->power[t] = 1 - (W - w->power[t]) / V;
    w->power[0] = 1;
    return w->total / fmax(correlation_time(w->power, N), 1 / log10(w->total));
}

/* ---- One quantity ---- */

static double order_statistic(const work *w, double p)
{
    double at = p * (w->S - 1), low = floor(at + 4 * DBL_EPSILON * at), share = fmax(at - low, 0);
    int i = (int)low, next = i + 1 < w->S ? i + 1 : i;
    return w->sorted[i].value + share * (w->sorted[next].value - w->sorted[i].value);
}

/* From the sorted draws, which must vary. */
static lnt_quantile quantile(work *w, double p)
{
    lnt_quantile q = {order_statistic(w, p), NAN, NAN};
    if (w->plan->draws < LEAST_DRAWS)
        return q;
    for (int i = 0; i < w->S; i++) {
        int at = place_in_halves(w->plan, i);
        if (at >= 0)
            w->y[at] = w->x[i] <= q.value;
    }
    q.ess = effective_size(w);
    if (isnan(q.ess))
        return q;
    const double one = 0.15865525393145705; /* Phi(-1) */
    double a = q.ess * p + 1, b = q.ess * (1 - p) + 1;
    int low = (int)floor(lnt_beta_quantile(one, a, b) * w->S),
        high = (int)ceil(lnt_beta_quantile(1 - one, a, b) * w->S);
    q.mcse = (w->sorted[(high < w->S ? high : w->S) - 1].value - w->sorted[(low > 1 ? low : 1) - 1].value) / 2;
    return q;
}

/* Mean and standard deviation; u <- (x - mean)/scale, at most about 1. False where a draw is not finite. */
static bool standardise(work *w, double *mean, double *sd, double *scale)
{
    double low = INFINITY, high = -INFINITY, square = 0;
    *mean = *sd = *scale = 0;
    for (int i = 0; i < w->S; i++) {
        if (!isfinite(w->x[i]))
            return false;
        *mean += w->x[i] / w->S;
        low = fmin(low, w->x[i]);
        high = fmax(high, w->x[i]);
    }
    *mean = fmin(fmax(*mean, low), high);
    *scale = fmax(high - *mean, *mean - low);
    for (int i = 0; i < w->S; i++) {
        w->u[i] = *scale > 0 ? (w->x[i] - *mean) / *scale : 0;
        square += w->u[i] * w->u[i];
    }
    *sd = *scale * sqrt(square / (w->S - 1));
    return isfinite(*scale);
}

static double mcse_of_sd(work *w, double scale)
{
    double two = 0, four = 0;
    for (int i = 0; i < w->S; i++) {
        w->u[i] *= w->u[i];
        two += w->u[i] / w->S;
        four += w->u[i] * w->u[i] / w->S;
    }
    split(w, w->u);
    return scale * sqrt((four - two * two) / effective_size(w) / two / 4);
}

static void rank_based(work *w, lnt_diagnosis *d)
{
    normal_scores(w);
    d->rhat = rhat(w);
    normal_scores(w);
    d->ess_bulk = effective_size(w);
    for (int i = 0; i < w->S; i++)
        w->u[i] = fabs(w->x[i] - d->median.value);
    sort(w, w->u);
    normal_scores(w);
    d->rhat = fmax(d->rhat, rhat(w)); /* that of a constant is left out */
}

static void diagnose(work *w, lnt_diagnosis *d)
{
    const lnt_quantile unknown = {NAN, NAN, NAN};
    *d = (lnt_diagnosis){NAN, NAN, NAN, NAN, unknown, unknown, unknown, NAN, NAN, NAN, NAN};
    double mean, sd, scale;
    if (!standardise(w, &mean, &sd, &scale))
        return;
    d->mean = mean;
    d->sd = w->S > 1 ? sd : NAN;
    sort(w, w->x);
    bool varies = scale > 0;
    lnt_quantile *const quantiles[3] = {&d->q05, &d->median, &d->q95};
    const double p[3] = {0.05, 0.5, 0.95};
    for (int i = 0; i < 3; i++)
        *quantiles[i] = varies ? quantile(w, p[i]) : (lnt_quantile){mean, NAN, NAN};
    if (!varies || w->plan->draws < LEAST_DRAWS)
        return;
    d->ess_tail = isnan(d->q05.ess) ? NAN : isnan(d->q95.ess) ? NAN : fmin(d->q05.ess, d->q95.ess);
    split(w, w->u);
    d->ess_mean = effective_size(w);
    d->mcse_mean = sd / sqrt(d->ess_mean);
    d->mcse_sd = mcse_of_sd(w, scale);
    rank_based(w, d);
}

/* ---- All of them ---- */

typedef struct job {
    const lnt_chains *x;
    const plan *plan;
    lnt_diagnosis *diagnosis;
} job;

static void gather(work *w, const lnt_chains *x, int index)
{
    for (int i = 0; i < w->S; i++)
        w->x[i] = x->a[(size_t)i * (size_t)x->dim + (size_t)index];
}

static lnt_status diagnose_item(lnt_ctx *ctx, int index, void *user)
{
    const job *j = user;
    work w;
    lnt_status status = make_work(ctx, &w, j->plan);
    if (status != LNT_OK)
        return status;
    gather(&w, j->x, index);
    diagnose(&w, &j->diagnosis[index]);
    return LNT_OK;
}

static lnt_status check_shape(lnt_ctx *ctx, const lnt_chains *x, int least)
{
    if (x->chains < 1 || x->draws < 1 || x->dim < least)
        return lnt_fail(ctx, LNT_EINVAL, "%d chains of %d draws of %d quantities cannot be diagnosed", x->chains,
                        x->draws, x->dim);
    if (x->chains > INT_MAX / 4 / x->draws)
        return lnt_fail(ctx, LNT_EINVAL, "%d chains of %d draws are more than can be diagnosed", x->chains, x->draws);
    return LNT_OK;
}

lnt_status lnt_diagnose(lnt_ctx *ctx, lnt_diagnosis *diagnosis, const lnt_chains *x, int threads)
{
    plan p;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = check_shape(ctx, x, 0);
    if (status == LNT_OK)
        status = make_plan(ctx, &p, x);
    if (status == LNT_OK)
        status = lnt_parallel(ctx, x->dim, threads, diagnose_item, &(job){x, &p, diagnosis});
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status one_quantile(lnt_ctx *ctx, lnt_quantile *q, const lnt_chains *x, int index, double order)
{
    plan p;
    work w;
    lnt_status status = make_plan(ctx, &p, x);
    if (status == LNT_OK)
        status = make_work(ctx, &w, &p);
    if (status != LNT_OK)
        return status;
    double mean, sd, scale;
    gather(&w, x, index);
    *q = (lnt_quantile){NAN, NAN, NAN};
    if (!standardise(&w, &mean, &sd, &scale))
        return LNT_OK;
    sort(&w, w.x);
    *q = scale > 0 ? quantile(&w, order) : (lnt_quantile){mean, NAN, NAN};
    return LNT_OK;
}

lnt_status lnt_chains_quantile(lnt_ctx *ctx, lnt_quantile *q, const lnt_chains *x, int index, double p)
{
    lnt_status status = check_shape(ctx, x, 1);
    if (status != LNT_OK)
        return status;
    if (index < 0 || index >= x->dim || !(p > 0 && p < 1))
        return lnt_fail(ctx, LNT_EINVAL,
                        "quantile %g of quantity %d: the order must be between 0 and 1, the index below %d", p, index,
                        x->dim);
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = one_quantile(ctx, q, x, index, p);
    lnt_ctx_reset(ctx, mark);
    return status;
}
