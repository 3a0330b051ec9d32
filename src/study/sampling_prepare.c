/* What chains begin with: mode, Laplace's approximation, hyper-parameters, density, metric and starts. */
#include "sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD 2     /* starts are that much wider than Laplace's approximation */
#define ATTEMPTS 100 /* to find a start with a density, each closer to the mode */
#define MOST_BYTES 8e9
#define MOST_DENSE 100 /* weights of a dense metric, */
#define DETERMINED 0.9 /* and their share that the data determine */

static bool is_gaussian(const lnt_sampled *s)
{
    return s->data->likelihood.kind == LNT_GAUSSIAN;
}

/* ---- Options ---- */

static lnt_status read_gamma(lnt_ctx *ctx, lnt_gamma *prior, const char *text, const char *option)
{
    const char *comma = text ? strchr(text, ',') : NULL;
    if (!text)
        return LNT_OK;
    if (!comma || !lnt_number_read(text, (size_t)(comma - text), &prior->shape) ||
        !lnt_number_read(comma + 1, strlen(comma + 1), &prior->rate) || !(prior->shape > 0 && prior->rate > 0) ||
        !isfinite(prior->shape + prior->rate))
        return lnt_fail(ctx, LNT_EUSAGE, "--%s %.60s: SHAPE,RATE are two numbers above 0, such as 2,2", option, text);
    return LNT_OK;
}

lnt_status lnt_sampling_check(lnt_ctx *ctx, const lnt_sampling_opts *o)
{
    lnt_gamma unused;
    if (o->net.noise_cov)
        return lnt_fail(ctx, LNT_EUSAGE, "--noise-cov is for linnet fit: chains know independent noise, --noise-sd");
    if (o->net.alpha == 0)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--alpha 0 is no prior, and weights without one have no posterior: leave it "
                        "out, or give a number above 0");
    if (o->hyper != LNT_HYPER_SAMPLED && (o->alpha_prior || o->beta_prior))
        return lnt_fail(ctx, LNT_EUSAGE, "--alpha-prior and --beta-prior go with --hyper sampled");
    if ((double)o->draws * o->thin + o->warmup > 2e9)
        return lnt_fail(ctx, LNT_EUSAGE, "--warmup, --draws and --thin: more than 2e9 iterations");
    for (int i = 1; i < o->grow.count; i++)
        if (o->grow.item[i] <= o->grow.item[i - 1])
            return lnt_fail(ctx, LNT_EUSAGE, "--grow: numbers of rows must increase");
    lnt_status status = read_gamma(ctx, &unused, o->alpha_prior, "alpha-prior");
    return status == LNT_OK ? read_gamma(ctx, &unused, o->beta_prior, "beta-prior") : status;
}

static int resolved_hyper(const lnt_sampled *s)
{
    if (s->opts->hyper != LNT_HYPER_AUTO)
        return s->opts->hyper;
    return is_gaussian(s) ? LNT_HYPER_EVIDENCE : LNT_HYPER_FIXED;
}

static lnt_status set_fitting(lnt_ctx *ctx, lnt_sampled *s)
{
    const lnt_sampling_opts *o = s->opts;
    lnt_fitting_defaults(&s->fitting);
    s->fitting.net = s->data->opts ? *s->data->opts : o->net;
    s->fitting.starts = o->starts;
    s->fitting.coverage = o->coverage;
    s->fitting.seed = o->seed;
    s->fitting.threads = o->threads;
    s->fitting.evidence = s->hyper != LNT_HYPER_FIXED;
    s->fitting.net.alpha = o->net.alpha;
    if (s->hyper == LNT_HYPER_FIXED && isnan(o->net.alpha))
        s->fitting.net.alpha = 1;
    if (s->hyper == LNT_HYPER_FIXED && is_gaussian(s) && !s->data->sd)
        return lnt_fail(ctx, LNT_EUSAGE, "--hyper fixed needs the noise: --noise-sd; or use --hyper evidence, sampled");
    return LNT_OK;
}

static double variance_of_targets(const lnt_sampled *s)
{
    const lnt_likelihood *l = &s->data->likelihood;
    double mean = 0, square = 0, n = (double)l->n;
    for (size_t i = 0; i < l->n; i++)
        mean += l->d[i] / n;
    for (size_t i = 0; i < l->n; i++)
        square += pow(l->d[i] - mean, 2) / n;
    return square > 0 ? square : 1;
}

static lnt_status set_priors(lnt_ctx *ctx, lnt_sampled *s)
{
    const lnt_sampling_opts *o = s->opts;
    bool sampled = s->hyper == LNT_HYPER_SAMPLED;
    s->priors = (lnt_hyper){.alpha = sampled && isnan(o->net.alpha),
                            .beta = sampled && is_gaussian(s) && !s->data->sd,
                            .alpha_prior = {2, 2},
                            .beta_prior = {1, variance_of_targets(s) / 100}};
    lnt_status status = read_gamma(ctx, &s->priors.alpha_prior, o->alpha_prior, "alpha-prior");
    return status == LNT_OK ? read_gamma(ctx, &s->priors.beta_prior, o->beta_prior, "beta-prior") : status;
}

/* ---- Metric and starts ---- */

/* What Laplace's approximation says of the precision of hyper-parameters: log alpha_g is known as well as a variance
 * from gamma_g numbers, log beta as one from n - gamma. */
static double hyper_variance(const lnt_sampled *s, int i)
{
    const lnt_posterior *p = &s->fit.posterior;
    int group = i - s->weights;
    double known = s->priors.alpha && group < p->groups ? p->gamma_group[group] + s->priors.alpha_prior.shape
                                                        : p->n - p->gamma + s->priors.beta_prior.shape;
    return 2 / fmax(known, 1);
}

static lnt_status set_metric(lnt_ctx *ctx, lnt_sampled *s)
{
    const lnt_posterior *p = &s->fit.posterior;
    lnt_status status = lnt_mat_alloc(ctx, &s->chains.metric, s->dim, s->chains.dense ? s->dim : 1);
    lnt_mat C = s->chains.metric;
    if (status != LNT_OK)
        return status;
    lnt_mat_fill(C, 0);
    if (C.cols == 1) {
        lnt_posterior_deviations(C.a, p);
        for (int i = 0; i < s->weights; i++)
            C.a[i] *= C.a[i];
    } else
        status = lnt_posterior_covariance(ctx, lnt_block(C, 0, 0, s->weights, s->weights), p);
    for (int i = s->weights; i < s->dim; i++)
        *lnt_at(C, i, C.cols == 1 ? 0 : i) = hyper_variance(s, i);
    for (int j = 0; j < C.cols; j++) /* rounding leaves two triangles that differ */
        for (int i = 0; i < (C.cols > 1 ? j : 0); i++)
            *lnt_at(C, i, j) = *lnt_at(C, j, i);
    return status;
}

static lnt_status draw_start(lnt_ctx *ctx, double *q, const lnt_sampled *s, int attempt, lnt_rng *rng)
{
    int groups = s->fit.data->groups;
    double spread = SPREAD * pow(0.8, attempt);
    lnt_status status = LNT_OK;
    if (s->opts->start == LNT_SAMPLING_START_PRIOR) {
        spread = 1;
        for (int i = 0; i < s->weights; i++)
            q[i] = lnt_rng_normal(rng) / sqrt(s->fit.alpha[s->data->group[i]]);
    } else
        status = lnt_posterior_draw(ctx, q, &s->fit.posterior, spread, rng);
    for (int i = s->weights; i < s->dim; i++) {
        bool alpha = s->priors.alpha && i - s->weights < groups;
        double at = log(alpha ? s->fit.alpha[i - s->weights] : s->fit.likelihood.beta);
        q[i] = at + spread * sqrt(hyper_variance(s, i)) * lnt_rng_normal(rng);
    }
    return status;
}

static bool has_density(const lnt_sampled *s, const double *q, double *lp, lnt_mat g)
{
    lnt_mat Q = lnt_mat_view((double *)(uintptr_t)q, s->dim, 1);
    return lnt_mat_finite(Q) && s->density.logp(Q, lp, g, s->density.user) == 0 && isfinite(*lp) && lnt_mat_finite(g);
}

static lnt_status set_starts(lnt_ctx *ctx, lnt_sampled *s)
{
    lnt_mat g;
    double lp;
    lnt_status status = lnt_mat_alloc(ctx, &s->starts, s->dim, s->chains.chains);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &g, s->dim, 1);
    for (int c = 0; c < s->chains.chains && status == LNT_OK; c++) {
        double *q = lnt_at(s->starts, 0, c);
        int attempt = 0;
        do {
            lnt_rng rng = lnt_rng_page(s->opts->seed, (uint32_t)c, LNT_FOR_STARTS, (uint64_t)attempt);
            status = draw_start(ctx, q, s, attempt, &rng);
        } while (status == LNT_OK && !has_density(s, q, &lp, g) && ++attempt < ATTEMPTS);
        if (status == LNT_OK && attempt == ATTEMPTS)
            return lnt_fail(ctx, LNT_EDOMAIN,
                            "the posterior density is 0 at %d starts of chain %d: are the inputs and targets of "
                            "reasonable size? --whiten, or other --start, --alpha, --noise-sd",
                            ATTEMPTS, c);
    }
    return status;
}

/* ---- All ---- */

static bool is_dense(const lnt_sampled *s)
{
    if (s->opts->metric != LNT_SAMPLING_METRIC_AUTO)
        return s->opts->metric == LNT_SAMPLING_METRIC_DENSE;
    return s->weights <= MOST_DENSE && s->fit.posterior.gamma >= DETERMINED * s->weights;
}

static void set_chains(lnt_sampled *s)
{
    const lnt_sampling_opts *o = s->opts;
    lnt_sample_defaults(&s->chains);
    s->chains.kind = (lnt_sampler)o->sampler;
    s->chains.chains = o->chains;
    s->chains.warmup = o->warmup;
    s->chains.draws = o->draws * o->thin;
    s->chains.max_depth = o->max_depth;
    s->chains.max_length = o->max_length;
    s->chains.dense = is_dense(s);
    s->chains.target = o->target;
    s->chains.step = o->step;
    s->chains.seed = o->seed;
    s->chains.threads = o->threads;
}

static lnt_status check_size(lnt_ctx *ctx, const lnt_sampled *s)
{
    bool dense = s->opts->metric == LNT_SAMPLING_METRIC_DENSE;
    double columns = (double)s->dim + LNT_COLUMNS, draws = (double)s->opts->chains * s->opts->draws,
           state = 8.0 * s->dim + (dense ? 2.0 * s->dim * s->dim : 0);
    if (8 * (draws * columns + s->opts->chains * state) <= MOST_BYTES)
        return LNT_OK;
    return lnt_fail(ctx, LNT_EUSAGE,
                    "%g draws of %d weights are %.3g GB: fewer --draws with --thin, --chains, or --hidden%s", draws,
                    s->dim, 8e-9 * draws * columns, dense ? ", --metric diag" : "");
}

lnt_status lnt_sampled_prepare(lnt_ctx *ctx, lnt_sampled *s)
{
    s->hyper = resolved_hyper(s);
    s->weights = (int)lnt_layers_size(&s->data->layers);
    s->dim = s->weights;
    lnt_status status = set_fitting(ctx, s);
    if (status == LNT_OK)
        status = set_priors(ctx, s);
    if (status == LNT_OK)
        status = check_size(ctx, s);
    if (status == LNT_OK)
        status = lnt_fitted_find(ctx, &s->fit, s->data, &s->fitting);
    if (status != LNT_OK)
        return status;
    if (s->fit.cancelled || lnt_cancelled(ctx))
        return lnt_fail(ctx, LNT_EUSER, "interrupted before the chains began: there is nothing to keep");
    if (!s->fit.has_posterior)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "%d weights and %zu data are too many for Laplace's approximation, which chains "
                        "start from: 5000 of either are the limit",
                        s->weights, s->data->likelihood.n);
    set_chains(s);
    s->prior = (lnt_prior){.groups = s->data->groups, .group = s->data->group, .alpha = s->fit.alpha};
    status =
        lnt_network_density(ctx, &s->density, &s->data->layers, s->data->X, &s->fit.likelihood, &s->prior, &s->priors);
    s->dim = s->density.k;
    if (status == LNT_OK && s->opts->seed_metric)
        status = set_metric(ctx, s);
    return status == LNT_OK ? set_starts(ctx, s) : status;
}
