/* A fit: the best of many starts, alpha and noise from the evidence, the posterior and what vouches for it. */
#include "fitting.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

#define STARTS 10
#define STEPS 600
#define NEAR_BEST 1.01
#define NO_ERROR 1e-12  /* share of the data's sum of squares that is no error at all */
#define STATIONARY 1e-3 /* cosines of gradients above that are of no minimum */
#define CANDIDATES 5    /* minima that the evidence is asked about */
#define NEAR 1e-3       /* of modes, in standard deviations of the posterior: of all starts, */
#define NEARER 1e-6     /* and of the best */
/* In standard deviations of the prior: moves off saddles, where steps are none, before alpha is estimated and once it
 * is. */
#define SHAKE 0.01
#define WEAK 1            /* prior precision of classes where nothing is said, */
#define WEAKEST 1e-8      /* and where none is wanted */
#define FIRST_NOISE 0.01  /* share of the targets' variance that counts as noise at first */
#define FAR 30.0          /* times larger or smaller than 1: inputs that are not of unit scale */
#define MEMORY 0x10000000 /* bytes of a Jacobian: there is one for each start at work */
#define MOST_COURSE 5000  /* steps of a start that are kept */
#define MOST_WORK 1e10    /* operations that a certificate may cost */
#define MOST_WEIGHTS 5000 /* of a posterior of more data than that */

static bool is_linear(const lnt_fitted *f)
{
    return f->data->layers.net.depth == 1;
}

static lnt_fit_problem problem_of(const lnt_fitted *f)
{
    return (lnt_fit_problem){
        .model = &f->data->model, .d = f->likelihood.d, .sd = f->data->sd, .C = f->data->C, .penalty = f->penalty};
}

/* penalty <- alpha/beta, which turns the log posterior into SSE and penalties. */
static void set_penalty(lnt_fitted *f)
{
    for (size_t j = 0; j < f->data->model.k && f->penalty; j++)
        f->penalty[j] = f->alpha[f->data->group[j]] / f->likelihood.beta;
}

/* ---- Starts ---- */

typedef struct many {
    lnt_fitted *fitted;
    lnt_fit_opts opts;
    lnt_layers_start_kind kind;
    bool zero;
} many;

typedef struct course {
    lnt_ctx *ctx;
    double *sse;
    int *steps, room;
} course;

static int room(const lnt_fit_opts *opts)
{
    return opts->max_steps < MOST_COURSE ? opts->max_steps + 1 : MOST_COURSE;
}

static int keep_course(const lnt_fit_info *info, const double *w, void *user)
{
    course *c = user;
    (void)w;
    if (c->sse && *c->steps < c->room)
        c->sse[(*c->steps)++] = info->sse;
    return lnt_cancelled(c->ctx);
}

static lnt_status fit_once(lnt_ctx *ctx, double *w, int s, const many *m)
{
    lnt_fitted *f = m->fitted;
    lnt_fit_problem problem = problem_of(f);
    lnt_fit_opts opts = m->opts;
    bool kept = s < LNT_FITTING_HISTORIES;
    course c = {ctx, kept ? f->history[s] : NULL, kept ? &f->steps[s] : NULL, room(&opts)};
    opts.after_step = keep_course;
    opts.user = &c;
    return lnt_fit(ctx, w, &f->info[s], &problem, &opts);
}

/* The maximum of a log posterior, told in the words of a fit. */
static lnt_status climb(lnt_ctx *ctx, double *w, lnt_fit_info *info, const lnt_fitted *f, int max_steps,
                        double tolerance)
{
    lnt_prior prior = lnt_fitted_prior(f);
    lnt_mode_opts opts;
    lnt_mode_info mode;
    lnt_mode_defaults(&opts);
    opts.max_steps = max_steps;
    opts.tolerance = tolerance;
    lnt_status status = lnt_posterior_mode(ctx, w, &mode, &f->data->model, &f->likelihood, &prior, &opts);
    *info = (lnt_fit_info){.stop = mode.converged       ? LNT_FIT_GRADIENT
                                   : lnt_cancelled(ctx) ? LNT_FIT_CANCELLED
                                                        : LNT_FIT_LIMIT,
                           .sse = -mode.log_likelihood,
                           .objective = -mode.log_posterior,
                           .cosine = mode.cosine,
                           .steps = mode.steps,
                           .accepted = mode.steps,
                           .outputs = mode.evaluations};
    return status;
}

static lnt_status climb_once(lnt_ctx *ctx, double *w, int s, const many *m)
{
    return climb(ctx, w, &m->fitted->info[s], m->fitted, m->opts.max_steps, NEAR);
}

static lnt_status one_start(lnt_ctx *ctx, int s, void *user)
{
    const many *m = user;
    lnt_fitted *f = m->fitted;
    double *w = lnt_at(f->W, 0, s);
    lnt_rng rng = lnt_rng_stream(f->opts->seed, (uint32_t)s, LNT_FOR_WEIGHTS);
    if (m->zero)
        memset(w, 0, f->data->model.k * sizeof *w);
    else
        lnt_layers_start(w, &f->data->layers, m->kind, f->data->X, &rng);
    f->info[s] = (lnt_fit_info){.stop = LNT_FIT_CANCELLED, .objective = INFINITY, .sse = INFINITY};
    if (lnt_cancelled(ctx))
        return LNT_OK;
    lnt_status status = (lnt_fitted_gaussian(f) ? fit_once : climb_once)(ctx, w, s, m);
    if (status == LNT_OK)
        lnt_layers_canonical(w, &f->data->layers);
    lnt_progress_step(ctx);
    return status;
}

/* kind <- the first start that ended at the same minimum, itself where that is new. */
static void sum_up(lnt_fitted *f, int *kind)
{
    lnt_fit_starts_info *sum = &f->summary;
    int near = 0;
    *sum = (lnt_fit_starts_info){0};
    for (int s = 1; s < f->starts; s++)
        sum->best = f->info[s].objective < f->info[sum->best].objective ? s : sum->best;
    double limit = NEAR_BEST * f->info[sum->best].objective + NO_ERROR * f->size;
    for (int s = 0; s < f->starts; s++) {
        bool is_near = f->info[s].objective <= limit;
        sum->converged += f->info[s].stop <= LNT_FIT_ZERO;
        near += is_near;
        for (kind[s] = 0; kind[s] < s && (kind[kind[s]] != kind[s] || !lnt_fit_same(f->W, s, kind[s]));)
            kind[s]++;
        sum->distinct += is_near && kind[s] == s;
    }
    sum->share = (double)near / f->starts;
}

static void set_options(const lnt_fitted *f, lnt_fit_opts *opts)
{
    const lnt_fitting_opts *o = f->opts;
    const lnt_net *net = &f->data->layers.net;
    lnt_fit_defaults(opts);
    opts->method = (lnt_fit_method)o->method;
    opts->solver = (lnt_fit_solver)o->solver;
    opts->memory = MEMORY;
    double scale = lnt_mat_rms(f->data->X);
    opts->scaling = (lnt_fit_scaling)o->scaling;
    if (!o->scaling && scale > 0 && (scale > FAR || scale < 1 / FAR))
        opts->scaling = LNT_SCALING_MORE; /* weights and biases are not alike */
    opts->tau = o->tau;
    opts->accelerate = o->acceleration;
    opts->max_steps = o->iterations == LNT_AUTO ? STEPS : o->iterations;
    opts->threads = o->threads;
    if (o->projection)
        opts->linear = net->width[net->depth] * (net->width[net->depth - 1] + f->data->layers.biases);
}

/* Variable projection has its own penalty on the weights that it eliminates. */
static void move_penalty(lnt_fitted *f, lnt_fit_opts *opts)
{
    size_t k = f->data->model.k;
    if (!f->penalty || !opts->linear)
        return;
    opts->ridge = f->penalty[k - 1];
    memset(f->penalty + k - (size_t)opts->linear, 0, (size_t)opts->linear * sizeof *f->penalty);
}

static lnt_status run_starts(lnt_ctx *ctx, lnt_fitted *f, int *kind)
{
    static const lnt_layers_start_kind kinds[] = {LNT_START_NGUYEN, LNT_START_NORMAL, LNT_START_FAN_IN,
                                                  LNT_START_NGUYEN, LNT_START_NORMAL};
    many m = {.fitted = f, .kind = kinds[f->opts->start], .zero = f->opts->start == LNT_FITTING_START_ZERO};
    set_options(f, &m.opts);
    m.zero = m.zero || is_linear(f);
    if (is_linear(f) && lnt_fitted_gaussian(f) && !f->has_prior && !f->opts->solver && !f->opts->method) {
        m.opts.method = LNT_FIT_GAUSS_NEWTON; /* one step, of least norm where there are many */
        m.opts.solver = (double)f->likelihood.n * (double)f->data->model.k < 1e8 ? LNT_SOLVER_SVD : LNT_SOLVER_AUTO;
    }
    for (int s = 0; s < f->starts && s < LNT_FITTING_HISTORIES && lnt_fitted_gaussian(f); s++)
        if (!(f->history[s] = lnt_alloc(ctx, (size_t)room(&m.opts), sizeof(double))))
            return LNT_ENOMEM;
    set_penalty(f);
    move_penalty(f, &m.opts);
    lnt_progress_begin(ctx, "starts", f->starts);
    lnt_status status = lnt_parallel(ctx, f->starts, f->opts->threads, one_start, &m);
    set_penalty(f);
    if (status != LNT_OK)
        return status;
    f->cancelled = lnt_cancelled(ctx);
    sum_up(f, kind);
    f->answer = f->info[f->summary.best];
    memcpy(f->w, lnt_at(f->W, 0, f->summary.best), f->data->model.k * sizeof *f->w);
    if (!isfinite(f->answer.objective))
        return lnt_fail(ctx, LNT_EUSER, "interrupted before a start was finished");
    if (lnt_fitted_gaussian(f) || f->answer.stop > LNT_FIT_ZERO)
        return LNT_OK;
    return climb(ctx, f->w, &f->answer, f, m.opts.max_steps, NEARER);
}

/* ---- Certificates, and linear problems ---- */

static lnt_status certify(lnt_ctx *ctx, lnt_fitted *f)
{
    double n = (double)f->likelihood.n, k = (double)f->data->model.k;
    lnt_fit_problem problem = problem_of(f);
    lnt_mat none = {0};
    if (!lnt_fitted_gaussian(f) || n * k > 5e7 || n * k * fmin(n, k) > MOST_WORK)
        return LNT_OK;
    f->has_certificate = true;
    return lnt_fit_certify(ctx, &f->certificate, none, 12 * n * k * k < MOST_WORK, &problem, f->w);
}

/* The exact estimate in place of the step's, where there is one and only one. */
static lnt_status solve_inverse(lnt_ctx *ctx, lnt_fitted *f)
{
    const lnt_model *model = &f->data->model;
    lnt_mark mark = lnt_ctx_mark(ctx);
    int n = (int)model->n, k = (int)model->k;
    lnt_mat BT, A;
    lnt_inverse_info info;
    bool rejected;
    lnt_status status = lnt_mat_alloc(ctx, &BT, k, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, n, k);
    if (status == LNT_OK)
        status = lnt_model_rows(ctx, BT.a, (size_t)k, &rejected, model, f->w, 0, model->n);
    if (status == LNT_OK) {
        lnt_mat_transpose(A, BT);
        lnt_mat none = {0};
        status = lnt_inverse(ctx, f->w, none, &info, A, f->likelihood.d, f->data->sd, f->data->C);
    }
    if (status == LNT_OK) {
        f->answer.sse = f->answer.objective = info.sse;
        memcpy(lnt_at(f->W, 0, 0), f->w, model->k * sizeof *f->w);
        f->info[0] = f->answer;
    }
    lnt_ctx_reset(ctx, mark);
    if (status != LNT_ENUMERIC)
        return status == LNT_OK ? certify(ctx, f) : status;
    lnt_ctx_clear(ctx); /* so near to dependent columns that the step's answer has to do */
    return LNT_OK;
}

/* ---- Evidence ---- */

typedef struct candidate {
    int start;
    double *w, *alpha, beta, log_evidence;
    lnt_evidence_info info;
} candidate;

typedef struct contest {
    const lnt_fitted *fitted;
    candidate *candidate;
} contest;

static lnt_status one_candidate(lnt_ctx *ctx, int index, void *user)
{
    const contest *all = user;
    const lnt_fitted *f = all->fitted;
    candidate *c = &all->candidate[index];
    lnt_likelihood likelihood = f->likelihood;
    lnt_prior prior = lnt_fitted_prior(f);
    lnt_posterior posterior;
    lnt_evidence_opts opts;
    lnt_evidence_defaults(&opts);
    opts.keep_alpha = !isnan(f->opts->net.alpha);
    opts.keep_beta = lnt_noise_known(f);
    opts.alpha_least *= f->alpha_first;
    opts.mode.tolerance = NEARER;
    opts.mode.max_steps = f->opts->iterations == LNT_AUTO ? STEPS : f->opts->iterations;
    likelihood.beta = c->beta;
    prior.alpha = c->alpha;
    lnt_rng rng = lnt_rng_stream(f->opts->seed, (uint32_t)c->start, LNT_FOR_PROBE);
    lnt_status status = LNT_OK;
    for (int round = 0; round < 2 && status == LNT_OK; round++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        for (size_t j = 0; j < f->data->model.k; j++)
            c->w[j] += SHAKE / sqrt(c->alpha[f->data->group[j]]) * lnt_rng_normal(&rng);
        status = lnt_evidence(ctx, c->w, &posterior, &c->info, &f->data->model, &likelihood, &prior, &opts);
        lnt_ctx_reset(ctx, mark);
    }
    c->beta = likelihood.beta;
    c->log_evidence = status == LNT_OK ? posterior.log_evidence : -INFINITY;
    lnt_progress_step(ctx);
    return status;
}

/* The best minima that differ. */
static lnt_status choose(lnt_ctx *ctx, candidate *c, int *count, const lnt_fitted *f, const int *kind)
{
    size_t k = f->data->model.k;
    bool *used = lnt_alloc_zero(ctx, (size_t)f->starts, sizeof *used);
    if (!used)
        return LNT_ENOMEM;
    for (*count = 0; *count < CANDIDATES; ++*count, c++) {
        int best = -1;
        for (int s = 0; s < f->starts; s++)
            if (!used[kind[s]] && isfinite(f->info[s].objective) &&
                (best < 0 || f->info[s].objective < f->info[best].objective))
                best = s;
        if (best < 0)
            break;
        used[kind[best]] = true;
        c->start = best;
        c->w = lnt_alloc(ctx, k, sizeof *c->w);
        c->alpha = lnt_alloc(ctx, (size_t)f->data->groups, sizeof *c->alpha);
        if (!c->w || !c->alpha)
            return LNT_ENOMEM;
        memcpy(c->w, lnt_at(f->W, 0, best), k * sizeof *c->w);
        memcpy(c->alpha, f->alpha, (size_t)f->data->groups * sizeof *c->alpha);
        c->beta = f->likelihood.beta;
    }
    return LNT_OK;
}

static lnt_status weigh(lnt_ctx *ctx, lnt_fitted *f, const int *kind)
{
    candidate c[CANDIDATES] = {0}, *best = c;
    contest all = {.fitted = f, .candidate = c};
    int count;
    lnt_status status = choose(ctx, c, &count, f, kind);
    if (status != LNT_OK)
        return status;
    lnt_progress_begin(ctx, "evidence", count);
    status = lnt_parallel(ctx, count, f->opts->threads, one_candidate, &all);
    if (status != LNT_OK)
        return status;
    for (int i = 1; i < count; i++)
        best = c[i].log_evidence > best->log_evidence ? &c[i] : best;
    memcpy(f->w, best->w, f->data->model.k * sizeof *f->w);
    memcpy(f->alpha, best->alpha, (size_t)f->data->groups * sizeof *f->alpha);
    f->likelihood.beta = best->beta;
    f->evidence = best->info;
    f->has_evidence = true;
    f->answer = f->info[best->start];
    set_penalty(f);
    return LNT_OK;
}

/* ---- All ---- */

double lnt_fitted_freedom(const lnt_fitted *f)
{
    return (double)f->likelihood.n - (f->has_certificate ? (double)f->certificate.rank : (double)f->data->model.k);
}

/* What the residuals say of the noise, without a prior. */
static void set_noise(lnt_fitted *f)
{
    double left = lnt_fitted_freedom(f);
    bool one = f->data->sd != NULL;
    if (!lnt_fitted_gaussian(f))
        return;
    if (!lnt_noise_known(f) && !f->has_prior && left > 0 && f->answer.sse > 0)
        f->likelihood.beta = left / f->answer.sse;
    for (size_t i = 1; i < f->likelihood.n && one; i++)
        one = f->data->sd[i] == f->data->sd[0];
    f->noise = one ? f->data->sd[0] * f->data->sd[0]
               : lnt_noise_known(f) || (!f->has_prior && !(left > 0 && f->answer.sse > 0)) ? NAN
                                                                                           : 1 / f->likelihood.beta;
    f->freedom = lnt_noise_known(f) ? INFINITY : left;
}

static bool posterior_wanted(const lnt_fitted *f)
{
    size_t n = f->likelihood.n, k = f->data->model.k;
    bool determined = n >= k && (!f->has_certificate || f->certificate.rank == (int)k);
    if ((n < k ? n : k) > MOST_WEIGHTS || f->cancelled)
        return false;
    return f->has_prior || (determined && (lnt_noise_known(f) || isfinite(f->noise)));
}

static lnt_status prepare(lnt_ctx *ctx, lnt_fitted *f)
{
    const lnt_network_data *d = f->data;
    const lnt_fitting_opts *o = f->opts;
    size_t k = d->model.k;
    double given = o->net.alpha, scale = 0, mean = 0;
    f->likelihood = d->likelihood;
    f->starts = is_linear(f) || o->start == LNT_FITTING_START_ZERO ? 1 : o->starts == LNT_AUTO ? STARTS : o->starts;
    f->has_prior = !lnt_fitted_gaussian(f) || o->evidence || given > 0;
    f->w = lnt_alloc(ctx, k, sizeof *f->w);
    f->alpha = lnt_alloc(ctx, (size_t)d->groups, sizeof *f->alpha);
    f->info = lnt_alloc(ctx, (size_t)f->starts, sizeof *f->info);
    if (!f->w || !f->alpha || !f->info)
        return LNT_ENOMEM;
    if (f->has_prior && lnt_fitted_gaussian(f) && !(f->penalty = lnt_alloc(ctx, k, sizeof *f->penalty)))
        return LNT_ENOMEM;
    for (size_t i = 0; i < f->likelihood.n; i++)
        mean += f->likelihood.d[i] / (double)f->likelihood.n;
    for (size_t i = 0; i < f->likelihood.n; i++)
        scale += pow(f->likelihood.d[i] - mean, 2) / (double)f->likelihood.n;
    for (size_t i = 0; i < f->likelihood.n; i++)
        f->size += pow(f->likelihood.d[i] * (d->isd ? d->isd[i] : 1), 2);
    if (!isfinite(f->size) || !isfinite(scale))
        return lnt_fail(ctx, LNT_EDOMAIN, LNT_OUT_OF_SCALE);
    scale = scale > 0 ? scale : mean != 0 ? mean * mean : 1;
    f->alpha_first = lnt_fitted_gaussian(f) ? 1 / (1 + scale) : 1;
    for (int g = 0; g < d->groups; g++)
        f->alpha[g] = given > 0 ? given : o->evidence ? 1 : lnt_fitted_gaussian(f) ? 0 : given == 0 ? WEAKEST : WEAK;
    f->likelihood.beta = lnt_fitted_gaussian(f) && !lnt_noise_known(f) ? 1 / (FIRST_NOISE * scale) : 1;
    return lnt_mat_alloc(ctx, &f->W, (int)k, f->starts);
}

lnt_status lnt_fitted_find(lnt_ctx *ctx, lnt_fitted *f, const lnt_network_data *data, const lnt_fitting_opts *opts)
{
    *f = (lnt_fitted){.opts = opts, .data = data, .noise = NAN, .freedom = INFINITY};
    lnt_status status = prepare(ctx, f);
    int *kind = status == LNT_OK ? lnt_alloc(ctx, (size_t)f->starts, sizeof *kind) : NULL;
    if (!kind)
        return LNT_ENOMEM;
    status = run_starts(ctx, f, kind);
    bool weighed = f->has_prior && (opts->evidence || (lnt_fitted_gaussian(f) && !lnt_noise_known(f)));
    if (status == LNT_OK && weighed && f->cancelled)
        return lnt_fail(ctx, LNT_EUSER, "interrupted before the evidence was known: there is nothing to keep");
    if (status == LNT_OK && weighed)
        status = weigh(ctx, f, kind);
    if (status == LNT_OK)
        status = certify(ctx, f);
    if (status == LNT_OK && f->has_certificate && is_linear(f) && !f->has_prior &&
        f->certificate.rank == (int)data->model.k)
        status = solve_inverse(ctx, f);
    set_noise(f);
    if (status == LNT_OK && posterior_wanted(f))
        status = lnt_fitted_posterior(ctx, f);
    if (status == LNT_OK && f->has_posterior && f->has_prior && isfinite(f->freedom))
        f->freedom = fmax(1, (double)f->likelihood.n - f->posterior.gamma);
    double n = (double)f->likelihood.n, k = (double)data->model.k;
    if (status == LNT_OK && !lnt_fitted_gaussian(f) && !f->cancelled && n * k * fmin(n, k) < MOST_WORK / 10)
        status = lnt_separable(ctx, &f->separation, &data->model, f->w, &f->likelihood);
    return status;
}

bool lnt_fitted_finished(const lnt_fitted *f)
{
    const lnt_fit_info *i = &f->answer;
    double cosine = f->has_certificate && !f->has_evidence ? f->certificate.cosine : i->cosine;
    if (f->has_evidence)
        return f->evidence.converged && f->evidence.mode.distance <= SHAKE;
    return i->stop <= LNT_FIT_ZERO && (i->stop == LNT_FIT_ZERO || cosine <= STATIONARY ||
                                       (lnt_fitted_gaussian(f) && i->sse <= NO_ERROR * f->size));
}
