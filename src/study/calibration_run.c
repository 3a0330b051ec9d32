/* One run of simulation-based calibration: weights from the prior, data from them, and their ranks among draws. */
#include "calibration.h"
#include "linnet/linalg.h"
#include "linnet/sample.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define STARTS 4        /* of the search for the mode */
#define DENSE 100       /* weights up to which the metric is a full matrix */
#define FIRST_DRAWS 200 /* enough to judge how far they depend on each other */
#define LOG_2PI 1.83787706640934548356
#define Q LNT_CALIBRATED_QUANTITIES

typedef struct problem {
    const lnt_calibrating *c;
    lnt_likelihood likelihood;
    double truth[Q];
    lnt_rng rng;
    double *values; /* Q for each draw */
    double *w;      /* the mode */
    lnt_posterior posterior;
} problem;

static double square(const double *w, int k)
{
    return lnt_vec_dot(k, w, w);
}

static void draw_prior(double *w, int k, double alpha, lnt_rng *rng)
{
    lnt_rng_normals(rng, w, (size_t)k);
    for (int j = 0; j < k; j++)
        w[j] /= sqrt(alpha);
}

/* Weights, data, and what the weights are to be ranked by. */
static lnt_status make(lnt_ctx *ctx, problem *p, const lnt_calibrating *c, int index)
{
    size_t n = (size_t)c->n, k = (size_t)c->k;
    double sd = c->opts->noise_sd, *w = lnt_alloc(ctx, k, sizeof *w), *f = lnt_alloc(ctx, n, sizeof *f),
           *d = lnt_alloc(ctx, n, sizeof *d);
    bool rejected;
    *p = (problem){.c = c, .rng = lnt_rng_stream(c->opts->seed, (uint32_t)index, LNT_FOR_PRIOR)};
    if (!w || !f || !d)
        return LNT_ENOMEM;
    draw_prior(w, c->k, c->alpha, &p->rng);
    lnt_status status = lnt_model_outputs(ctx, f, &rejected, &c->model, w);
    if (status == LNT_OK)
        status = lnt_model_outputs(ctx, &p->truth[LNT_OF_OUTPUT], &rejected, &c->model_at_point, w);
    if (status != LNT_OK)
        return status;
    lnt_rng_normals(&p->rng, d, n);
    for (size_t i = 0; i < n; i++)
        d[i] = f[i] + sd * d[i];
    p->likelihood = (lnt_likelihood){.kind = LNT_GAUSSIAN, .n = n, .d = d, .beta = 1 / (sd * sd)};
    p->truth[LNT_OF_WEIGHTS] = square(w, c->k);
    p->truth[LNT_OF_LIKELIHOOD] = lnt_log_likelihood(&p->likelihood, f);
    return LNT_OK;
}

/* Ranks among draws kept, every stride-th of those that there are. */
static void rank(const problem *p, lnt_calibrated *run, lnt_calibrated_method method, int stride)
{
    for (int q = 0; q < Q; q++)
        run->rank[method][q] =
            lnt_calibration_rank(p->truth[q], p->values + (stride - 1) * Q + q, p->c->opts->draws, (size_t)stride * Q);
}

/* ---- Laplace's approximation, in function space ---- */

/* The highest of the modes that a few starts from the prior lead to. */
static lnt_status find_mode(lnt_ctx *ctx, problem *p)
{
    const lnt_calibrating *c = p->c;
    double *w = lnt_alloc(ctx, (size_t)c->k, sizeof *w), best = -INFINITY;
    p->w = lnt_alloc(ctx, (size_t)c->k, sizeof *p->w);
    lnt_status status = w && p->w ? LNT_OK : LNT_ENOMEM;
    for (int start = 0; start < STARTS && status == LNT_OK; start++) {
        lnt_mode_info info;
        draw_prior(w, c->k, c->alpha, &p->rng);
        status = lnt_posterior_mode(ctx, w, &info, &c->model, &p->likelihood, &c->prior, NULL);
        if (status == LNT_OK && info.log_posterior > best) {
            best = info.log_posterior;
            memcpy(p->w, w, (size_t)c->k * sizeof *w);
        }
        if (c->layers.net.depth == 1)
            break;
    }
    return status == LNT_OK ? lnt_posterior_make(ctx, &p->posterior, &c->model, p->w, &p->likelihood, &c->prior)
                            : status;
}

/* The network linearised at the mode: its outputs, at the point last, and rows of the Jacobian. */
typedef struct linear {
    double *f0, *f;
    lnt_mat BT; /* k x (n + 1) */
} linear;

static lnt_status linearise(lnt_ctx *ctx, linear *l, const problem *p)
{
    const lnt_calibrating *c = p->c;
    int n = c->n;
    bool rejected;
    l->f0 = lnt_alloc(ctx, (size_t)n + 1, sizeof *l->f0);
    l->f = lnt_alloc(ctx, (size_t)n + 1, sizeof *l->f);
    lnt_status status = l->f0 && l->f ? lnt_mat_alloc(ctx, &l->BT, c->k, n + 1) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_model_outputs(ctx, l->f0, &rejected, &c->model, p->w);
    if (status == LNT_OK)
        status = lnt_model_outputs(ctx, l->f0 + n, &rejected, &c->model_at_point, p->w);
    if (status == LNT_OK)
        status = lnt_model_rows(ctx, l->BT.a, (size_t)l->BT.ld, &rejected, &c->model, p->w, 0, (size_t)n);
    if (status == LNT_OK)
        status = lnt_model_rows(ctx, lnt_at(l->BT, 0, n), (size_t)l->BT.ld, &rejected, &c->model_at_point, p->w, 0, 1);
    return status;
}

/* values <- what follows from the weights w, of which step is a copy of w less the mode. */
static void evaluate(const problem *p, const linear *l, const double *w, const double *step, double *values)
{
    int n = p->c->n;
    memcpy(l->f, l->f0, ((size_t)n + 1) * sizeof *l->f);
    lnt_gemv(l->f, 1, LNT_T, l->BT, step, 1);
    values[LNT_OF_OUTPUT] = l->f[n];
    values[LNT_OF_WEIGHTS] = square(w, p->c->k);
    values[LNT_OF_LIKELIHOOD] = lnt_log_likelihood(&p->likelihood, l->f);
}

/* Draws from N(w*, spread^2 L L'); L.a NULL: from N(w*, spread^2 A^-1). */
static lnt_status draw_normal(lnt_ctx *ctx, problem *p, const linear *l, lnt_mat L)
{
    const lnt_calibrating *c = p->c;
    size_t k = (size_t)c->k;
    double *w = lnt_alloc(ctx, k, sizeof *w), *step = lnt_alloc(ctx, k, sizeof *step),
           *z = lnt_alloc(ctx, k, sizeof *z);
    lnt_status status = w && step && z ? LNT_OK : LNT_ENOMEM;
    for (int s = 0; s < c->opts->draws && status == LNT_OK; s++) {
        if (L.a) {
            lnt_rng_normals(&p->rng, z, k);
            lnt_gemv(step, 1, LNT_N, L, z, 0);
            for (size_t j = 0; j < k; j++)
                w[j] = p->w[j] + step[j];
        } else {
            status = lnt_posterior_draw(ctx, w, &p->posterior, c->opts->spread, &p->rng);
            for (size_t j = 0; j < k && status == LNT_OK; j++)
                step[j] = w[j] - p->w[j];
        }
        if (status == LNT_OK)
            evaluate(p, l, w, step, p->values + (size_t)s * Q);
    }
    return status;
}

/* L <- the factor of the precision A = B'B/noise + alpha, to be taken for the covariance. */
static lnt_status factor_precision(lnt_ctx *ctx, lnt_mat *L, const problem *p)
{
    const lnt_calibrating *c = p->c;
    bool rejected;
    lnt_status status = lnt_mat_alloc(ctx, L, c->k, c->k);
    if (status == LNT_OK)
        status = lnt_log_posterior(ctx, NULL, NULL, *L, &rejected, &c->model, p->w, &p->likelihood, &c->prior);
    if (status == LNT_OK && !lnt_cholesky(*L))
        status =
            lnt_fail(ctx, LNT_EDOMAIN, "the precision is not positive definite to rounding: take a larger --alpha");
    for (int j = 1; j < c->k && status == LNT_OK; j++)
        memset(lnt_at(*L, 0, j), 0, (size_t)j * sizeof(double));
    return status;
}

/* sqrt(b'A b/b'A^-1 b) for the gradient b of f(x*). */
static lnt_status compare_widths(lnt_ctx *ctx, lnt_calibrated *run, const problem *p, const linear *l, lnt_mat L)
{
    double *u = lnt_alloc(ctx, (size_t)p->c->k, sizeof *u), variance;
    lnt_mat b = lnt_columns(l->BT, p->c->n, 1);
    if (!u)
        return LNT_ENOMEM;
    lnt_gemv(u, 1, LNT_T, L, b.a, 0);
    lnt_status status = lnt_posterior_project(ctx, lnt_mat_view(&variance, 1, 1), &p->posterior, b);
    run->widening = status == LNT_OK ? 0.5 * log(square(u, p->c->k) / variance) : 0;
    return status;
}

static lnt_status run_laplace(lnt_ctx *ctx, problem *p, lnt_calibrated *run)
{
    linear l;
    lnt_mat L;
    lnt_status status = linearise(ctx, &l, p);
    if (status == LNT_OK)
        status = draw_normal(ctx, p, &l, (lnt_mat){0});
    if (status != LNT_OK)
        return status;
    rank(p, run, LNT_BY_LAPLACE, 1);
    if ((status = factor_precision(ctx, &L, p)) == LNT_OK)
        status = draw_normal(ctx, p, &l, L);
    if (status == LNT_OK)
        status = compare_widths(ctx, run, p, &l, L);
    if (status == LNT_OK)
        rank(p, run, LNT_BY_PRECISION, 1);
    return status;
}

/* ---- NUTS ---- */

static int start_at_prior(double *q, int chain, int attempt, lnt_rng *rng, void *user)
{
    const lnt_calibrating *c = user;
    (void)chain, (void)attempt;
    draw_prior(q, c->k, c->alpha, rng);
    return 0;
}

static int keep(const lnt_draw *draw, void *user)
{
    problem *p = user;
    const lnt_calibrating *c = p->c;
    if (draw->warmup)
        return 0;
    double *values = p->values + (size_t)(draw->iteration - c->opts->warmup) * Q, norm = square(draw->q, c->k);
    double log_prior = 0.5 * c->k * (log(c->alpha) - LOG_2PI) - 0.5 * c->alpha * norm;
    values[LNT_OF_WEIGHTS] = norm;
    values[LNT_OF_LIKELIHOOD] = draw->logp - log_prior;
    return c->model_at_point.f(draw->q, &values[LNT_OF_OUTPUT], c->model_at_point.user);
}

/* *wanted <- how many iterations apart draws are nearly independent: for chains with correlations r^t, tau =
 * (1+r)/(1-r) iterations are worth one independent draw, and those 2 tau - 1 apart have a correlation of at most .04.
 */
static lnt_status thinning_for(lnt_ctx *ctx, double *wanted, const problem *p, int draws)
{
    lnt_diagnosis seen[Q];
    double tau = 1;
    lnt_status status = lnt_diagnose(ctx, seen, &(lnt_chains){p->values, 1, draws, Q}, 1);
    for (int q = 0; q < Q && status == LNT_OK; q++)
        for (int which = 0; which < 2; which++) {
            double ess = which ? seen[q].ess_bulk : seen[q].ess_mean;
            tau = ess > 0 ? fmax(tau, draws / ess) : INFINITY; /* NaN: constant */
        }
    *wanted = ceil(2 * tau - 1);
    return status;
}

static lnt_status run_chain(lnt_ctx *ctx, problem *p, lnt_calibrated *run, const lnt_density *density,
                            lnt_sample_opts *o)
{
    const lnt_calibrating_opts *opts = p->c->opts;
    lnt_mat state;
    double wanted = 1;
    o->draws = opts->draws > FIRST_DRAWS ? opts->draws : FIRST_DRAWS;
    lnt_status status = lnt_mat_alloc_zero(ctx, &state, (int)lnt_chain_size(density, o), 1);
    if (status == LNT_OK)
        status = lnt_chains_start(ctx, state, density, o, start_at_prior, (void *)(uintptr_t)p->c);
    while (status == LNT_OK) {
        if ((status = lnt_sample(ctx, state, density, o, keep, p)) != LNT_OK)
            break;
        const lnt_chain at = lnt_chain_read(state.a);
        run->divergences = at.divergences;
        run->gradients = at.gradients;
        run->done = at.iteration == (double)o->warmup + o->draws; /* else it is cancelled */
        if (run->done)
            status = thinning_for(ctx, &wanted, p, o->draws);
        run->dependent = wanted > opts->most_thinning;
        run->thinning = run->dependent ? opts->most_thinning : (int)wanted;
        if (!run->done || run->thinning * opts->draws <= o->draws)
            break;
        o->draws = run->thinning * opts->draws;
    }
    if (status == LNT_OK && run->done)
        rank(p, run, LNT_BY_NUTS, run->thinning);
    return status;
}

static lnt_status run_nuts(lnt_ctx *ctx, problem *p, lnt_calibrated *run)
{
    const lnt_calibrating *c = p->c;
    lnt_density density;
    lnt_sample_opts o;
    lnt_sample_defaults(&o);
    o.chains = o.threads = 1;
    o.warmup = c->opts->warmup;
    o.target = c->opts->target;
    o.seed = lnt_rng_bits(&p->rng);
    o.silent = true;
    o.dense = c->k <= DENSE;
    lnt_status status = lnt_network_density(ctx, &density, &c->layers, c->X, &p->likelihood, &c->prior, NULL);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &o.metric, c->k, o.dense ? c->k : 1);
    if (status == LNT_OK && o.dense)
        status = lnt_posterior_covariance(ctx, o.metric, &p->posterior);
    else if (status == LNT_OK) {
        lnt_posterior_deviations(o.metric.a, &p->posterior);
        for (int j = 0; j < c->k; j++)
            o.metric.a[j] *= o.metric.a[j];
    }
    return status == LNT_OK ? run_chain(ctx, p, run, &density, &o) : status;
}

lnt_status lnt_calibrating_run(lnt_ctx *ctx, int index, void *user)
{
    const lnt_calibrating *c = user;
    const lnt_calibrating_opts *o = c->opts;
    lnt_calibrated *run = &c->run[index];
    size_t most = (size_t)o->draws * (size_t)o->most_thinning;
    problem p;
    if (lnt_cancelled(ctx))
        return LNT_OK;
    lnt_status status = make(ctx, &p, c, index);
    if (status == LNT_OK &&
        !(p.values = lnt_alloc(ctx, Q * (most > FIRST_DRAWS ? most : FIRST_DRAWS), sizeof *p.values)))
        status = LNT_ENOMEM;
    if (status == LNT_OK)
        status = find_mode(ctx, &p);
    if (status == LNT_OK)
        status = run_laplace(ctx, &p, run);
    if (status == LNT_OK)
        status = run_nuts(ctx, &p, run);
    lnt_progress_step(ctx);
    return status;
}
