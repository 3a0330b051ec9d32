/* Step sizes and metrics during warm-up. */
#include "chain.h"

#include <math.h>
#include <string.h>

#define SHRINK 5.0
#define SMALL 1e-3
#define SHORT 20 /* a warm-up without windows */
/* The shortest with windows of full length, and with time to recover from ten times the step that was found. */
#define FULL 150

/* Warm-up: `first` iterations, windows up to `last`, and the rest. */
typedef struct windows {
    long first, base, last;
} windows;

static windows windows_of(long warmup)
{
    if (warmup < SHORT)
        return (windows){warmup, 0, warmup};
    if (warmup >= FULL)
        return (windows){75, 25, warmup - 50};
    long first = warmup * 15 / 100, rest = warmup / 10;
    return (windows){first, warmup - first - rest, warmup - rest};
}

/* Whether a window ends with the iteration before `next`: each twice as long as the former, the last one as long as
 * there is room. */
static bool window_ends(windows w, long next)
{
    for (long begin = w.first, size = w.base; begin < w.last; begin += size, size *= 2) {
        if (begin + 3 * size > w.last)
            size = w.last - begin;
        if (next == begin + size)
            return true;
    }
    return false;
}

/* The iterations that try the metric of the options: third .. 2 third - 1 with C = 1, from there to `first` with it. */
static long third_of(windows w, const lnt_sample_opts *opts)
{
    return opts->metric.a && opts->warmup >= FULL ? w.first / 3 : 0;
}

static double given(const lnt_sample_opts *opts, int i, int j)
{
    lnt_mat C0 = opts->metric;
    if (C0.cols == 1)
        return i == j ? C0.a[i] : 0;
    return *lnt_at(C0, i, j);
}

/* C <- share S + (1 - share) C0: C0 the metric of the options; or SMALL diag S, so that units do not matter, or 1 where
 * S has no say. */
static bool set_metric(chain_view c, metric *m, const lnt_sample_opts *opts, double share, bool use_given)
{
    int k = m->k;
    double over = c.at->count > 1 ? 1 / (c.at->count - 1) : 0;
    for (int j = 0; j < k; j++)
        for (int i = j; i < (m->dense ? k : j + 1); i++) {
            size_t at = m->dense ? (size_t)j * (size_t)k + (size_t)i : (size_t)j;
            double S = share > 0 ? over * c.M2[at] : 0;
            double base = use_given ? given(opts, i, j) : i == j ? (S > 0 ? SMALL * S : 1) : 0;
            c.C[at] = share * S + (1 - share) * base;
            if (m->dense)
                c.C[(size_t)i * (size_t)k + (size_t)j] = c.C[at];
        }
    c.at->must_search = 1;
    return lnt_metric_set(m, c.C);
}

static void forget_draws(chain_view c, const metric *m)
{
    size_t k = (size_t)m->k;
    c.at->count = 0;
    memset(c.mean, 0, k * sizeof *c.mean);
    memset(c.M2, 0, (m->dense ? k * k : k) * sizeof *c.M2);
}

/* Welford (1962). */
static void add_draw(chain_view c, const metric *m, const double *q)
{
    int k = m->k;
    double n = ++c.at->count;
    if (!m->dense) {
        for (int i = 0; i < k; i++) {
            double before = q[i] - c.mean[i];
            c.mean[i] += before / n;
            c.M2[i] += before * (q[i] - c.mean[i]);
        }
        return;
    }
    for (int j = 0; j < k; j++) {
        double scaled = (q[j] - c.mean[j]) * ((n - 1) / n), *M2 = c.M2 + (size_t)j * (size_t)k;
        for (int i = 0; i < k; i++)
            M2[i] += scaled * (q[i] - c.mean[i]);
    }
    for (int i = 0; i < k; i++)
        c.mean[i] += (q[i] - c.mean[i]) / n;
}

bool lnt_adapt_start(chain_view c, metric *m, const lnt_sample_opts *opts)
{
    bool use = opts->metric.a != NULL;
    forget_draws(c, m);
    memset(c.jump[0], 0, (size_t)m->k * sizeof(double));
    memset(c.jump[1], 0, (size_t)m->k * sizeof(double));
    c.at->metric = use ? LNT_METRIC_GIVEN : LNT_METRIC_UNIT;
    bool fine = set_metric(c, m, opts, 0, use);
    c.at->must_search = opts->step == 0;
    return fine;
}

void lnt_adapt_restart(lnt_chain *at, double step)
{
    at->must_search = 0;
    at->step = step;
    at->t = at->h = at->log_step_mean = 0;
    at->log_step_origin = log((at->warmup < FULL ? 1 : 10) * step);
}

static void average_step(lnt_chain *at, double accept, const lnt_sample_opts *opts)
{
    at->t += 1;
    double share = 1 / (at->t + 10), decay = pow(at->t, -0.75);
    at->h = (1 - share) * at->h + share * (opts->target - accept);
    double log_step = at->log_step_origin - 20 * sqrt(at->t) * at->h;
    at->log_step_mean = decay * log_step + (1 - decay) * at->log_step_mean;
    at->step = exp(log_step);
}

static void note_jump(chain_view c, const metric *m, int which, const double *q, long gradients)
{
    c.at->trial_gradients[which] += (double)gradients;
    for (int i = 0; i < m->k; i++) {
        double d = q[i] - c.q[i];
        c.jump[which][i] += d * d;
    }
}

/* Squared jumps per gradient with the metric of the options over those without. */
static double trial_ratio(chain_view c, const metric *m)
{
    double sum[2] = {0};
    for (int i = 0; i < m->k; i++) {
        double square = c.M2[m->dense ? (size_t)i * ((size_t)m->k + 1) : (size_t)i];
        for (int which = 0; which < 2 && square > 0; which++)
            sum[which] += c.jump[which][i] / square;
    }
    return sum[0] / c.at->trial_gradients[0] / (sum[1] / c.at->trial_gradients[1]);
}

/* After iteration `now` of the first ones. */
static bool try_metrics(chain_view c, metric *m, const lnt_sample_opts *opts, const double *q, long gradients)
{
    windows w = windows_of(opts->warmup);
    long third = third_of(w, opts), now = (long)c.at->iteration, settle = third / 3;
    if (third == 0 || now >= w.first)
        return true;
    if (now >= third + settle && (now < 2 * third || now >= 2 * third + settle)) {
        note_jump(c, m, now < 2 * third, q, gradients);
        add_draw(c, m, q);
    }
    if (now + 1 == third)
        return set_metric(c, m, opts, 0, false);
    if (now + 1 == 2 * third)
        return set_metric(c, m, opts, 0, true);
    if (now + 1 < w.first)
        return true;
    c.at->trial_ratio = trial_ratio(c, m);
    forget_draws(c, m);
    if (!(c.at->trial_ratio < 1))
        return true;
    c.at->metric = LNT_METRIC_DROPPED;
    return set_metric(c, m, opts, 0, false);
}

bool lnt_adapt(chain_view c, metric *m, const lnt_sample_opts *opts, const double *q, double accept, long gradients)
{
    windows w = windows_of(opts->warmup);
    long now = (long)c.at->iteration;
    average_step(c.at, accept, opts);
    bool fine = try_metrics(c, m, opts, q, gradients);
    if (now >= w.first && now < w.last) {
        add_draw(c, m, q);
        if (window_ends(w, now + 1)) {
            double n = c.at->count;
            fine = set_metric(c, m, opts, n / (n + SHRINK), c.at->metric == LNT_METRIC_GIVEN);
            forget_draws(c, m);
        }
    }
    if (now + 1 == opts->warmup)
        c.at->step = exp(c.at->log_step_mean);
    return fine;
}
