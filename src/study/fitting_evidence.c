/* The Bayesian side of the bump: evidence, posterior, band, networks of other sizes. */
#include "fitting_demo.h"

#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

#define MOST_HIDDEN 8
#define MOST_WEIGHTS (3 * MOST_HIDDEN + 1)
#define STARTS 10
#define GRID 121
#define ALPHA 0.5 /* where re-estimation begins; beta is that of the noise */
#define BETA 400

/* ---- Evidence from one start ---- */

typedef struct estimate {
    double w[MOST_WEIGHTS];
    double alpha, beta, gamma, log_evidence, sse;
    int rounds;
    bool converged;
} estimate;

typedef struct many {
    const lnt_demo_problem *p;
    uint64_t seed;
    estimate e[STARTS];
} many;

/* posterior may be NULL. */
static lnt_status re_estimate(lnt_ctx *ctx, estimate *e, lnt_posterior *posterior, const lnt_demo_problem *p)
{
    lnt_posterior own;
    lnt_evidence_info info;
    lnt_evidence_opts opts;
    lnt_likelihood likelihood = {.kind = LNT_GAUSSIAN, .n = p->model.n, .d = p->d, .beta = e->beta};
    const lnt_prior prior = {.groups = 1, .alpha = &e->alpha};
    lnt_evidence_defaults(&opts);
    opts.max_rounds = 200;
    posterior = posterior ? posterior : &own;
    lnt_status status = lnt_evidence(ctx, e->w, posterior, &info, &p->model, &likelihood, &prior, &opts);
    if (status != LNT_OK)
        return status;
    e->beta = likelihood.beta;
    e->gamma = posterior->gamma;
    e->log_evidence = posterior->log_evidence;
    e->sse = posterior->sse;
    e->rounds = info.rounds;
    e->converged = info.converged;
    return LNT_OK;
}

/* The most probable weights by a damped fit first: evidence begins at a mode. */
static lnt_status one_start(lnt_ctx *ctx, int s, void *user)
{
    many *a = user;
    estimate *e = &a->e[s];
    lnt_fit_opts opts;
    lnt_fit_info info;
    lnt_fit_problem problem = a->p->fit;
    double penalty[MOST_WEIGHTS];
    lnt_rng rng = lnt_rng_stream(a->seed, (uint32_t)s, LNT_FOR_WEIGHTS);
    lnt_rng_normals(&rng, e->w, a->p->model.k);
    for (size_t j = 0; j < a->p->model.k; j++)
        penalty[j] = ALPHA / BETA;
    problem.penalty = penalty;
    lnt_fit_defaults(&opts);
    lnt_status status = lnt_fit(ctx, e->w, &info, &problem, &opts);
    e->alpha = ALPHA;
    e->beta = BETA;
    return status == LNT_OK ? re_estimate(ctx, e, NULL, a->p) : status;
}

/* The best of all starts by evidence. */
static lnt_status best_of(lnt_ctx *ctx, estimate *best, const lnt_demo_problem *p, const lnt_demo *demo)
{
    many *a = lnt_alloc(ctx, 1, sizeof *a);
    if (!a)
        return LNT_ENOMEM;
    a->p = p;
    a->seed = demo->seed;
    lnt_status status = lnt_parallel(ctx, STARTS, demo->threads, one_start, a);
    if (status != LNT_OK)
        return status;
    *best = a->e[0];
    for (int s = 1; s < STARTS; s++)
        if (a->e[s].log_evidence > best->log_evidence)
            *best = a->e[s];
    return LNT_OK;
}

/* ---- Two units: numbers and band ---- */

static void put_numbers(lnt_record *record, const estimate *e, const double *mean, const double *variance)
{
    static const struct {
        const char *name;
        double known, tolerance;
    } row[] = {{"alpha", 0.47088610, 1e-6},         {"beta", 368.5015578, 1e-3},     {"gamma", 6.96871042, 1e-6},
               {"log_evidence", 33.50024299, 1e-6}, {"f(0)", 2.35351691, 1e-6},      {"f(1)", 1.47105005, 1e-6},
               {"sd of f(0)", 0.02362549, 1e-6},    {"sd of f(1)", 0.02696636, 1e-6}};
    const double value[] = {e->alpha, e->beta, e->gamma,          e->log_evidence,
                            mean[0],  mean[1], sqrt(variance[0]), sqrt(variance[1])};
    static const char *const fact[] = {"alpha", "beta", "gamma", "log_evidence", "f_0", "f_1", "sd_f_0", "sd_f_1"};
    for (int i = 0; i < 8; i++) {
        lnt_record_fact(record, "evidence", fact[i], "", lnt_number(value[i]));
        lnt_record_deviation(record, row[i].name, value[i], row[i].known, NAN, NAN);
        lnt_record_check(record, row[i].name, value[i], row[i].known, row[i].tolerance);
    }
    lnt_record_fact(record, "evidence", "rounds", "", lnt_integer(e->rounds));
}

/* mean, variance (points) <- f and its variance at x. */
static lnt_status predict(lnt_ctx *ctx, double *mean, double *variance, double *x, int points,
                          const lnt_posterior *posterior, const lnt_demo_problem *p)
{
    lnt_model model;
    lnt_status status = lnt_layers_model(ctx, &model, &p->layers, lnt_mat_view(x, 1, points));
    return status == LNT_OK ? lnt_posterior_predict(ctx, mean, variance, posterior, &model) : status;
}

static lnt_status draw_band(lnt_ctx *ctx, lnt_record *record, const lnt_posterior *posterior, double beta,
                            const lnt_demo_problem *p)
{
    double x[GRID], mean[GRID], variance[GRID], low[GRID], high[GRID], inner_low[GRID], inner_high[GRID], sd[GRID];
    for (int i = 0; i < GRID; i++)
        x[i] = 10.0 * i / (GRID - 1) - 5;
    lnt_status status = predict(ctx, mean, variance, x, GRID, posterior, p);
    if (status == LNT_OK)
        status = lnt_predictive_band(ctx, low, high, mean, variance, GRID, 1 / beta, 0.95);
    if (status == LNT_OK)
        status = lnt_predictive_band(ctx, inner_low, inner_high, mean, variance, GRID, 0, 0.95);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < GRID; i++)
        sd[i] = sqrt(variance[i]);
    lnt_record_series(record, "prediction/x", "", x, GRID);
    lnt_record_series(record, "prediction/mean", "", mean, GRID);
    lnt_record_series(record, "prediction/sd", "", sd, GRID);
    lnt_record_series(record, "prediction/low", "", low, GRID);
    lnt_record_series(record, "prediction/high", "", high, GRID);
    const lnt_curve curve[] = {{"95 % of new data (outer)", LNT_CURVE_BAND, GRID, x, low, high},
                               {"95 % of f (inner)", LNT_CURVE_BAND, GRID, x, inner_low, inner_high},
                               {"most probable fit", LNT_CURVE_LINE, GRID, x, mean, NULL},
                               {"data", LNT_CURVE_MARKS, p->X.cols, p->X.a, p->d, NULL}};
    const lnt_panel panel = {.xlabel = "x", .ylabel = "f(x)", .curves = 4, .curve = curve};
    const lnt_figure figure = {
        "band",
        "The bump, two hidden units: the most probable fit with its predictive bands, inside and beside the data.", 1,
        &panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

static lnt_status two_units(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    lnt_demo_problem p;
    lnt_posterior posterior;
    estimate best, again;
    double at[] = {0, 1}, mean[2], variance[2];
    lnt_status status = lnt_demo_bump(ctx, &p, 2, NULL);
    if (status == LNT_OK)
        status = best_of(ctx, &best, &p, demo);
    if (status == LNT_OK) {
        again = best;
        status = re_estimate(ctx, &again, &posterior, &p);
    }
    if (status == LNT_OK)
        status = predict(ctx, mean, variance, at, 2, &posterior, &p);
    if (status != LNT_OK)
        return status;
    put_numbers(record, &best, mean, variance);
    return draw_band(ctx, record, &posterior, best.beta, &p);
}

/* ---- Other sizes ---- */

static void draw_sizes(lnt_record *record, const double *size, const double *evidence, const double *counted, int n)
{
    const lnt_curve curve[] = {{"log evidence of one mode", LNT_CURVE_POINTS, n, size, evidence, NULL},
                               {"with all mirror images", LNT_CURVE_POINTS, n, size, counted, NULL}};
    const lnt_panel panel = {.xlabel = "hidden units", .ylabel = "log evidence", .curves = 2, .curve = curve};
    const lnt_figure figure = {"evidence",
                               "The bump was made by two hidden units, and the evidence says so. Counting the mirror "
                               "images of every mode favours units without use, whose images overlap.",
                               1, &panel};
    lnt_record_figure(record, &figure);
}

static lnt_status sizes(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    int best = 0;
    double size[MOST_HIDDEN], evidence[MOST_HIDDEN], counted[MOST_HIDDEN];
    lnt_table *table = lnt_record_table(record, "evidence");
    for (int i = 0; i < MOST_HIDDEN; i++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_demo_problem p;
        estimate e;
        lnt_status status = lnt_demo_bump(ctx, &p, i + 1, NULL);
        if (status == LNT_OK)
            status = best_of(ctx, &e, &p, demo);
        if (status != LNT_OK)
            return status;
        size[i] = i + 1;
        evidence[i] = e.log_evidence;
        counted[i] = e.log_evidence + lnt_log_symmetries(2, p.width, LNT_TANH);
        best = evidence[i] > evidence[best] ? i : best;
        lnt_table_row(table);
        lnt_table_set(table, "hidden", "", lnt_integer(i + 1));
        lnt_table_set(table, "weights", "", lnt_integer((long)p.model.k));
        lnt_table_set(table, "log_evidence", "", lnt_known(evidence[i]));
        lnt_table_set(table, "log_symmetries", "", lnt_known(counted[i] - evidence[i]));
        lnt_table_set(table, "gamma", "", lnt_known(e.gamma));
        lnt_table_set(table, "alpha", "", lnt_known(e.alpha));
        lnt_table_set(table, "noise_sd", "", lnt_known(1 / sqrt(e.beta)));
        lnt_table_set(table, "sse", "", lnt_known(e.sse));
        lnt_table_set(table, "converged", "", lnt_flag(e.converged));
        lnt_ctx_reset(ctx, mark);
    }
    lnt_record_check(record, "hidden units with the largest evidence", size[best], 2, 0);
    draw_sizes(record, size, evidence, counted, MOST_HIDDEN);
    return LNT_OK;
}

lnt_status lnt_demo_evidence(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    lnt_status status = two_units(ctx, record, demo);
    return status == LNT_OK ? sizes(ctx, record, demo) : status;
}
