/* The posterior of the network of bench/sampling.py. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_POINTS 16

typedef struct posterior_problem {
    int H, n, chains, points;
    double sigma, alpha, *point, *x, *y, *w, *starts;
    int width[3];
    lnt_layers layers;
    lnt_likelihood likelihood;
    lnt_prior prior;
} posterior_problem;

static posterior_problem read_problem(double *p)
{
    posterior_problem b = {.H = (int)p[0], .n = (int)p[1], .chains = (int)p[2], .points = (int)p[5]};
    b.sigma = p[3];
    b.alpha = p[4];
    b.point = p + 6;
    b.x = b.point + b.points;
    b.y = b.x + b.n;
    b.w = b.y + b.n;
    b.starts = b.w + 3 * b.H + 1;
    b.width[0] = b.width[2] = 1;
    b.width[1] = b.H;
    return b;
}

static void connect(posterior_problem *b)
{
    b->layers = (lnt_layers){.net = {2, b->width, LNT_TANH}, .biases = true};
    b->likelihood =
        (lnt_likelihood){.kind = LNT_GAUSSIAN, .n = (size_t)b->n, .d = b->y, .beta = 1 / (b->sigma * b->sigma)};
    b->prior = (lnt_prior){.groups = 1, .alpha = &b->alpha};
}

/* The least bulk ESS and the largest R-hat. */
static lnt_status judge(lnt_ctx *ctx, double *ess, double *rhat, const lnt_chains *x)
{
    lnt_diagnosis seen[MOST_POINTS];
    lnt_status status = x->dim <= MOST_POINTS ? lnt_diagnose(ctx, seen, x, 1) : LNT_ESHAPE;
    *ess = INFINITY;
    *rhat = 0;
    for (int i = 0; i < x->dim && status == LNT_OK; i++) {
        *ess = fmin(*ess, seen[i].ess_bulk);
        *rhat = fmax(*rhat, seen[i].rhat);
    }
    return status;
}

/* Draws of a file: chains, draws, quantities, and the numbers. */
lnt_status bench_ess(lnt_ctx *ctx, double *p, double *ess, double *rhat)
{
    return judge(ctx, ess, rhat, &(lnt_chains){p + 3, (int)p[0], (int)p[1], (int)p[2]});
}

typedef struct kept {
    const posterior_problem *b;
    const lnt_sample_opts *opts;
    double *values; /* outputs at the points, of each draw */
} kept;

static int keep(const lnt_draw *draw, void *user)
{
    const kept *k = user;
    const posterior_problem *b = k->b;
    if (draw->warmup)
        return 0;
    size_t at = (size_t)draw->chain * (size_t)k->opts->draws + (size_t)(draw->iteration - k->opts->warmup);
    double *f = k->values + at * (size_t)b->points;
    const double *q = draw->q;
    for (int i = 0; i < b->points; i++) {
        f[i] = q[3 * b->H];
        for (int h = 0; h < b->H; h++)
            f[i] += q[2 * b->H + h] * tanh(q[h] * b->point[i] + q[b->H + h]);
    }
    return 0;
}

static lnt_status sample(lnt_ctx *ctx, posterior_problem *b, double *accuracy, double *seconds, int threads)
{
    int k = 3 * b->H + 1;
    lnt_density density;
    lnt_sample_opts o;
    lnt_mat state, starts = lnt_mat_view(b->starts, k, b->chains), X = lnt_mat_view(b->x, 1, b->n);
    lnt_sample_defaults(&o);
    o.chains = b->chains;
    o.kind = LNT_HMC;
    o.max_length = 400;
    o.warmup = 300;
    o.draws = 500;
    o.threads = threads;
    kept values = {b, &o, lnt_alloc(ctx, (size_t)o.chains * (size_t)o.draws * (size_t)b->points, sizeof(double))};
    double ess = 0, start = now();
    lnt_status status =
        values.values ? lnt_network_density(ctx, &density, &b->layers, X, &b->likelihood, &b->prior, NULL) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &state, (int)lnt_chain_size(&density, &o), o.chains);
    if (status == LNT_OK)
        status = lnt_chains_start(ctx, state, &density, &o, lnt_start_at, &starts);
    if (status == LNT_OK)
        status = lnt_sample(ctx, state, &density, &o, keep, &values);
    *seconds = now() - start;
    if (status == LNT_OK)
        status = judge(ctx, &ess, accuracy, &(lnt_chains){values.values, o.chains, o.draws, b->points});
    *seconds *= 1000 / ess;
    return status;
}

/* One gradient, the fastest of many: others use the machine. Accuracy: its norm. */
static lnt_status gradient(lnt_ctx *ctx, posterior_problem *b, double *norm, double *seconds)
{
    enum { TIMES = 2000 };
    int k = 3 * b->H + 1;
    lnt_density density;
    lnt_mat G;
    double lp;
    lnt_status status =
        lnt_network_density(ctx, &density, &b->layers, lnt_mat_view(b->x, 1, b->n), &b->likelihood, &b->prior, NULL);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &G, k, 1);
    if (status != LNT_OK)
        return status;
    lnt_mat Q = lnt_mat_view(b->starts, k, 1);
    *seconds = INFINITY;
    for (int i = 0; i < TIMES; i++) {
        double start = now();
        density.logp(Q, &lp, G, density.user);
        *seconds = fmin(*seconds, now() - start);
    }
    *norm = lnt_mat_norm(G);
    return LNT_OK;
}

lnt_status bench_posterior(lnt_ctx *ctx, double *p, bool one, double *accuracy, double *seconds, int threads)
{
    posterior_problem b = read_problem(p);
    connect(&b);
    return one ? gradient(ctx, &b, accuracy, seconds) : sample(ctx, &b, accuracy, seconds, threads);
}
