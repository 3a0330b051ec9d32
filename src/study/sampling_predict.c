/* What draws say of rows: means, bands, densities of mixtures. */
#include "sampling.h"

#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

#define LOG_2PI 1.83787706640934548356
#define MOST_OUTPUTS 3e7 /* outputs of draws at points that are kept at a time */

typedef struct mixture {
    const lnt_sampled *s;
    lnt_sampled_predicted *out;
    lnt_mat Y;
    const double *noise_sd;
    const double *F, *sd; /* outputs of each draw; its standard deviation of the noise */
    size_t draws;
    int outputs, rows;
    double tail; /* of the band, on either side */
} mixture;

/* ---- Bands ---- */

/* P(y <= x) and its density for the mixture of N(f_s, sd_s^2 scale^2). */
static double mixture_cdf(const mixture *m, const double *f, double known, double x, double *density)
{
    double sum = 0, slope = 0;
    for (size_t s = 0; s < m->draws; s++) {
        double sd = known > 0 ? known : m->sd[s], z = (x - f[s]) / sd;
        sum += 0.5 * erfc(-z * 0.70710678118654752440);
        slope += exp(-0.5 * z * z) / sd;
    }
    *density = slope / (double)m->draws * 0.39894228040143267794;
    return sum / (double)m->draws;
}

/* Newton's method between bounds. */
static double mixture_quantile(const mixture *m, const double *f, double known, double p, double guess)
{
    double low = INFINITY, high = -INFINITY, density;
    for (size_t s = 0; s < m->draws; s++) {
        double reach = 9 * (known > 0 ? known : m->sd[s]);
        low = fmin(low, f[s] - reach);
        high = fmax(high, f[s] + reach);
    }
    double x = fmin(fmax(guess, low), high), width = high - low;
    for (int i = 0; i < 100; i++) {
        double error = mixture_cdf(m, f, known, x, &density) - p;
        if (error > 0)
            high = x;
        else
            low = x;
        double next = x - error / density;
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        if (fabs(next - x) <= 1e-10 * width)
            return next;
        x = next;
    }
    return x;
}

/* Between order statistics; x is sorted. */
static double sample_quantile(const double *x, size_t n, double p)
{
    double at = p * (double)(n - 1);
    size_t i = (size_t)at;
    return i + 1 < n ? x[i] + (at - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}

/* ---- One output of one row ---- */

static double log_mean_exp(const double *x, size_t n)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, x[i]);
    for (size_t i = 0; i < n && isfinite(most); i++)
        sum += exp(x[i] - most);
    return most + log(sum / (double)n);
}

static void one_number(const mixture *m, size_t at, double *f)
{
    lnt_predicted *p = &m->out->p;
    double known = m->noise_sd ? m->noise_sd[at] : 0, noise = 0;
    for (size_t s = 0; s < m->draws; s++)
        noise += (known > 0 ? known * known : m->sd[s] * m->sd[s]) / (double)m->draws;
    double sd = sqrt(p->sd.a[at] * p->sd.a[at] + noise), z = lnt_probit(1 - m->tail);
    p->low.a[at] = mixture_quantile(m, f, known, m->tail, p->mean.a[at] - z * sd);
    p->high.a[at] = mixture_quantile(m, f, known, 1 - m->tail, p->mean.a[at] + z * sd);
    if (!m->Y.a)
        return;
    for (size_t s = 0; s < m->draws; s++) {
        double one = known > 0 ? known : m->sd[s], e = (m->Y.a[at] - f[s]) / one;
        f[s] = -0.5 * (LOG_2PI + e * e) - log(one);
    }
    m->out->log_density[at] = log_mean_exp(f, m->draws);
}

static void one_logit(const mixture *m, size_t at, double *f)
{
    lnt_predicted *p = &m->out->p;
    lnt_sort(f, m->draws);
    p->low.a[at] = sample_quantile(f, m->draws, m->tail);
    p->high.a[at] = sample_quantile(f, m->draws, 1 - m->tail);
    if (m->s->data->likelihood.kind == LNT_CATEGORICAL)
        return;
    double mean = 0;
    for (size_t s = 0; s < m->draws; s++)
        mean += 1 / (1 + exp(-f[s])) / (double)m->draws;
    p->p.a[at] = p->plug.a[at] = mean;
    for (size_t s = 0; s < m->draws && m->Y.a; s++) {
        const lnt_likelihood one = {.kind = LNT_BERNOULLI, .n = 1, .d = m->Y.a + at};
        f[s] = lnt_log_likelihood(&one, &f[s]);
    }
    if (m->Y.a)
        m->out->log_density[at] = log_mean_exp(f, m->draws);
}

/* Probabilities of all classes of a row. */
static void one_softmax(const mixture *m, int row, double *log_p, double *share)
{
    int q = m->outputs;
    double *p = lnt_at(m->out->p.p, 0, row);
    memset(p, 0, (size_t)q * sizeof *p);
    for (size_t s = 0; s < m->draws; s++) {
        const double *f = m->F + (s * (size_t)m->rows + (size_t)row) * (size_t)q;
        lnt_softmax(share, f, q);
        for (int o = 0; o < q; o++)
            p[o] += share[o] / (double)m->draws;
        const lnt_likelihood one = {
            .kind = LNT_CATEGORICAL, .n = (size_t)q, .classes = q, .d = m->Y.a ? lnt_at(m->Y, 0, row) : NULL};
        log_p[s] = m->Y.a ? lnt_log_likelihood(&one, f) : 0;
    }
    lnt_mat_copy(lnt_columns(m->out->p.plug, row, 1), lnt_columns(m->out->p.p, row, 1));
    if (m->Y.a)
        m->out->log_density[row] = log_mean_exp(log_p, m->draws);
}

static lnt_status one_row(lnt_ctx *ctx, int row, void *user)
{
    const mixture *m = user;
    lnt_predicted *p = &m->out->p;
    lnt_likelihood_kind kind = m->s->data->likelihood.kind;
    double *f = lnt_alloc(ctx, m->draws, sizeof *f), n = (double)m->draws;
    double *share = lnt_alloc(ctx, (size_t)m->outputs, sizeof *share);
    if (!f || !share)
        return LNT_ENOMEM;
    for (int o = 0; o < m->outputs; o++) {
        size_t at = (size_t)row * (size_t)m->outputs + (size_t)o, all = (size_t)m->rows * (size_t)m->outputs;
        double mean = 0, square = 0;
        for (size_t s = 0; s < m->draws; s++)
            mean += (f[s] = m->F[s * all + at]) / n;
        for (size_t s = 0; s < m->draws; s++)
            square += (f[s] - mean) * (f[s] - mean);
        p->mean.a[at] = mean;
        p->sd.a[at] = n > 1 ? sqrt(square / (n - 1)) : 0;
        if (kind == LNT_GAUSSIAN)
            one_number(m, at, f);
        else
            one_logit(m, at, f);
    }
    if (kind == LNT_CATEGORICAL)
        one_softmax(m, row, f, share);
    return LNT_OK;
}

/* ---- All ---- */

static lnt_status allocate(lnt_ctx *ctx, lnt_sampled_predicted *out, int q, int rows, bool classes)
{
    lnt_mat *all[] = {&out->p.mean, &out->p.sd, &out->p.low, &out->p.high, &out->p.p, &out->p.plug};
    lnt_status status = LNT_OK;
    *out = (lnt_sampled_predicted){0};
    for (int i = 0; i < (classes ? 6 : 4) && status == LNT_OK; i++)
        status = lnt_mat_alloc(ctx, all[i], q, rows);
    if (status == LNT_OK && !(out->log_density = lnt_alloc_zero(ctx, (size_t)q * (size_t)rows, sizeof(double))))
        status = LNT_ENOMEM;
    return status;
}

lnt_status lnt_sampled_predict(lnt_ctx *ctx, lnt_sampled_predicted *out, const lnt_sampled *s, lnt_mat X, lnt_mat Y,
                               const double *noise_sd)
{
    int q = s->data->layers.net.width[s->data->layers.net.depth];
    mixture m = {.s = s,
                 .out = out,
                 .Y = Y,
                 .noise_sd = noise_sd,
                 .outputs = q,
                 .rows = X.cols,
                 .tail = (1 - s->opts->coverage) / 2};
    lnt_status status = allocate(ctx, out, q, X.cols, s->data->likelihood.kind != LNT_GAUSSIAN);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *F, wanted = (double)lnt_sampled_count(s) * q * X.cols;
    int every = wanted > MOST_OUTPUTS ? (int)ceil(wanted / MOST_OUTPUTS) : 1;
    status = lnt_sampled_outputs(ctx, &F, &m.draws, s, X, every);
    double *sd = status == LNT_OK ? lnt_alloc(ctx, m.draws, sizeof *sd) : NULL;
    if (!sd)
        return status == LNT_OK ? LNT_ENOMEM : status;
    bool one = s->data->sd && !noise_sd; /* the noise is known: that of the fit */
    for (size_t i = 0; i < m.draws; i++)
        sd[i] = one ? sqrt(s->fit.noise) : 1 / sqrt(lnt_sampled_beta(s, lnt_sampled_draw(s, i * (size_t)every)));
    m.F = F;
    m.sd = sd;
    out->draws = (int)m.draws;
    status = lnt_parallel(ctx, X.cols, s->opts->threads, one_row, &m);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_laplace_distance lnt_laplace_compare(const lnt_predicted *a, const lnt_predicted *laplace)
{
    lnt_laplace_distance d = {0, 0, INFINITY, 0};
    size_t n = (size_t)a->mean.rows * (size_t)a->mean.cols, used = 0;
    for (size_t i = 0; i < n; i++) {
        double shift = fabs(a->mean.a[i] - laplace->mean.a[i]) / a->sd.a[i], ratio = laplace->sd.a[i] / a->sd.a[i];
        if (!isfinite(shift) || !isfinite(ratio))
            continue;
        used++;
        d.shift = fmax(d.shift, shift);
        d.rms_shift += shift * shift;
        d.least = fmin(d.least, ratio);
        d.largest = fmax(d.largest, ratio);
    }
    if (!used)
        return (lnt_laplace_distance){NAN, NAN, NAN, NAN};
    d.rms_shift = sqrt(d.rms_shift / (double)used);
    return d;
}
