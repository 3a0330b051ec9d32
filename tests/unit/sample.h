/* Densities and statistics of draws for the tests of samplers. */
#ifndef LINNET_TESTS_SAMPLE_H
#define LINNET_TESTS_SAMPLE_H

#include "check.h"

/* All draws after warm-up of a run, chain after chain. */
typedef struct draws {
    int k, chains, count, warmup;
    double *q;                         /* k x count x chains */
    double *logp, *energy, *divergent; /* count x chains */
    long divergences, leapfrogs, at_depth;
    double accept; /* sum */
    long received;
} draws;

static inline int keep_draw(const lnt_draw *draw, void *user)
{
    draws *d = user;
    d->received++;
    if (draw->warmup)
        return 0;
    size_t at = (size_t)draw->chain * (size_t)d->count + (size_t)(draw->iteration - d->warmup);
    memcpy(d->q + at * (size_t)d->k, draw->q, (size_t)d->k * sizeof *d->q);
    d->logp[at] = draw->logp;
    d->energy[at] = draw->energy;
    d->divergent[at] = draw->divergent;
    d->divergences += draw->divergent;
    d->at_depth += draw->at_depth;
    d->leapfrogs += draw->leapfrogs;
    d->accept += draw->accept;
    return 0;
}

static inline draws draws_of(lnt_ctx *ctx, int k, const lnt_sample_opts *o)
{
    size_t n = (size_t)o->chains * (size_t)o->draws;
    return (draws){.k = k,
                   .chains = o->chains,
                   .count = o->draws,
                   .warmup = o->warmup,
                   .q = new_vector(ctx, n * (size_t)k),
                   .logp = new_vector(ctx, n),
                   .energy = new_vector(ctx, n),
                   .divergent = new_vector(ctx, n)};
}

/* Whether the draws of all coordinates are to be trusted. */
static inline bool trusted(lnt_ctx *ctx, const draws *d)
{
    const lnt_chains x = {d->q, d->chains, d->count, d->k}, energy = {d->energy, d->chains, d->count, 1},
                     divergent = {d->divergent, d->chains, d->count, 1};
    lnt_sampler_trace trace = {.energy = energy, .divergent = divergent, .position = x};
    lnt_diagnosis *diagnosis = lnt_alloc(ctx, (size_t)d->k, sizeof *diagnosis);
    lnt_verdict verdict;
    assert_non_null(diagnosis);
    check_status(ctx, lnt_diagnose(ctx, diagnosis, &x, 1), LNT_OK);
    check_status(ctx, lnt_verdict_on(ctx, &verdict, diagnosis, d->k, d->chains, &trace, NULL), LNT_OK);
    return verdict.trusted;
}

static inline lnt_mat new_state(lnt_ctx *ctx, const lnt_density *density, const lnt_sample_opts *o)
{
    return zeros(ctx, (int)lnt_chain_size(density, o), o->chains);
}

/* A run from starts in the columns of `starts`. */
static inline draws sample(lnt_ctx *ctx, const lnt_density *density, const lnt_sample_opts *o, lnt_mat starts)
{
    lnt_mat state = new_state(ctx, density, o);
    draws d = draws_of(ctx, density->k, o);
    check_status(ctx, lnt_chains_start(ctx, state, density, o, lnt_start_at, &starts), LNT_OK);
    check_status(ctx, lnt_sample(ctx, state, density, o, keep_draw, &d), LNT_OK);
    assert_int_equal(d.received, (long)o->chains * (o->warmup + o->draws));
    return d;
}

typedef double (*quantity)(const double *q, double logp, const void *user);

#define BATCHES 25

/* Mean and its standard error from the means of 25 batches of each chain. */
static inline double mean_of(const draws *d, quantity f, const void *user, double *error)
{
    double sum = 0, square = 0;
    int size = d->count / BATCHES, batches = BATCHES * d->chains;
    for (int c = 0; c < d->chains; c++)
        for (int b = 0; b < BATCHES; b++) {
            double mean = 0;
            for (int i = b * size; i < (b + 1) * size; i++) {
                size_t at = (size_t)c * (size_t)d->count + (size_t)i;
                mean += f(d->q + at * (size_t)d->k, d->logp[at], user) / size;
            }
            sum += mean;
            square += mean * mean;
        }
    double mean = sum / batches;
    *error = sqrt((square / batches - mean * mean) / (batches - 1));
    return mean;
}

/* Within 4 standard errors: a seed that was picked blindly fails with probability 1e-4. */
static inline void check_mean(const draws *d, quantity f, const void *user, double truth, const char *what)
{
    double error, mean = mean_of(d, f, user, &error);
    if (getenv("LINNET_SHOW"))
        fprintf(stderr, "%s: %.6g, truth %.6g, error %.2g\n", what, mean, truth, error);
    if (!(fabs(mean - truth) <= 4 * error))
        fail_msg("%s: %.8g is %.2f standard errors of %.3g from %.8g", what, mean, (mean - truth) / error, error,
                 truth);
}

/* N(mean, P^-1), P = L L'; or with P.a = NULL and scales s, N(mean, diag(s^2)). */
typedef struct gauss {
    int k;
    lnt_mat P;
    const double *mean, *s;
} gauss;

static inline int gauss_logp(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    const gauss *t = user;
    for (int j = 0; j < Q.cols; j++) {
        double x[256], *g = lnt_at(G, 0, j);
        for (int i = 0; i < t->k; i++) {
            x[i] = *lnt_at(Q, i, j) - (t->mean ? t->mean[i] : 0);
            g[i] = t->s ? -x[i] / (t->s[i] * t->s[i]) : -x[i];
        }
        if (t->P.a)
            for (int i = 0; i < t->k; i++) {
                g[i] = 0;
                for (int l = 0; l < t->k; l++)
                    g[i] -= *lnt_at(t->P, l, i) * x[l];
            }
        lp[j] = 0;
        for (int i = 0; i < t->k; i++)
            lp[j] += 0.5 * x[i] * g[i];
    }
    return 0;
}

static inline lnt_density density_of(gauss *t, int width)
{
    return (lnt_density){.k = t->k, .width = width, .logp = gauss_logp, .user = t};
}

static inline double coordinate(const double *q, double logp, const void *user)
{
    (void)logp;
    return q[*(const int *)user];
}

static inline double square(const double *q, double logp, const void *user)
{
    double x = coordinate(q, logp, user);
    return x * x;
}

static inline lnt_sample_opts quick(int chains, int warmup, int count)
{
    lnt_sample_opts o;
    lnt_sample_defaults(&o);
    o.chains = chains;
    o.warmup = warmup;
    o.draws = count;
    o.seed = 71;
    return o;
}

#endif
