/* The naive iteration in place of a fit. */
#include "fitting_demo.h"

#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

#define STEPS 2000
#define FITS 10 /* starts of the fit that finds an optimum */
#define FIRST_SOLVER (LNT_SOLVER_LSMR + 1)

const char *const lnt_naive_words[] = {"fixed-point", "cycle", "singular", "nonfinite", "limit", NULL};
const char *const lnt_naive_solvers[] = {"normal", "pinv", "ridge"};

typedef struct runs {
    const lnt_fitting_opts *o;
    lnt_layers layers;
    lnt_mat X;
    lnt_model model;
    lnt_fit_problem problem;
    lnt_naive_opts opts;
    int count;
    lnt_mat W; /* k x count: starts, then the last weights */
    lnt_naive_info *info;
    lnt_naive_step *path; /* of the first run */
} runs;

/* ---- What is asked for ---- */

static lnt_status check_options(lnt_ctx *ctx, const lnt_fitting_opts *o)
{
    if (o->solver && o->solver < FIRST_SOLVER)
        return lnt_fail(ctx, LNT_EUSAGE, "--method naive: its solvers are normal, pinv and ridge");
    if (o->evidence || o->sizes.count || o->projection || o->net.alpha > 0)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--method naive knows no prior: --evidence, --sizes, --projection and --alpha go with a fit");
    if (o->iterations == 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--method naive takes at least one of --iterations");
    return LNT_OK;
}

/* 0/1 data get a logistic output, unless they are said to be Gaussian, whose values are fitted as they are: least
 * squares knows no logits. */
static lnt_status set_up(lnt_ctx *ctx, runs *r, const lnt_network_data *data)
{
    const lnt_fitting_opts *o = r->o;
    r->layers = data->layers;
    r->X = data->X;
    if (data->likelihood.kind == LNT_BERNOULLI || (o->net.likelihood == 0 && lnt_zero_one(data->Y)))
        r->layers.output = LNT_LOGISTIC;
    r->problem = (lnt_fit_problem){.model = &r->model, .d = data->Y.a, .sd = data->sd, .C = data->C};
    lnt_naive_defaults(&r->opts);
    r->opts.solver = o->solver ? (lnt_naive_solver)(o->solver - FIRST_SOLVER) : LNT_NAIVE_PINV;
    r->opts.mu = o->mu;
    r->opts.rcond = o->rcond;
    r->opts.max_steps = o->iterations == LNT_AUTO ? STEPS : o->iterations;
    bool alone = o->start == LNT_FITTING_START_ZERO || o->start == LNT_FITTING_START_OPTIMUM;
    r->count = alone || o->starts == LNT_AUTO ? 1 : o->starts;
    lnt_status status = lnt_layers_model(ctx, &r->model, &r->layers, r->X);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &r->W, (int)r->model.k, r->count);
    r->info = lnt_alloc(ctx, (size_t)r->count, sizeof *r->info);
    r->path = lnt_alloc(ctx, (size_t)r->opts.max_steps, sizeof *r->path);
    return r->info && r->path ? status : LNT_ENOMEM;
}

static void draw_start(double *w, lnt_rng *rng, void *user)
{
    const runs *r = user;
    lnt_layers_start_kind kind = r->o->start == LNT_FITTING_START_FAN_IN   ? LNT_START_FAN_IN
                                 : r->o->start == LNT_FITTING_START_NGUYEN ? LNT_START_NGUYEN
                                                                           : LNT_START_NORMAL;
    lnt_layers_start(w, &r->layers, kind, r->X, rng);
}

static void canonical(double *w, void *user)
{
    lnt_layers_canonical(w, &((const runs *)user)->layers);
}

static lnt_status one_run(lnt_ctx *ctx, int s, void *user)
{
    runs *r = user;
    double *w = lnt_at(r->W, 0, s);
    lnt_rng rng = lnt_rng_stream(r->o->seed, (uint32_t)s, LNT_FOR_WEIGHTS);
    if (r->o->start != LNT_FITTING_START_ZERO && r->o->start != LNT_FITTING_START_OPTIMUM)
        draw_start(w, &rng, r);
    return lnt_naive(ctx, w, &r->info[s], s ? NULL : r->path, &r->problem, &r->opts);
}

/* Entries of the first run's path: a step that fails has one too. */
static int path_length(const runs *r)
{
    lnt_naive_status status = r->info[0].status;
    return r->info[0].steps + (status == LNT_NAIVE_SINGULAR || status == LNT_NAIVE_NONFINITE);
}

/* ---- From an optimum ---- */

typedef struct departure {
    lnt_fit_info fit;
    lnt_naive_displacement by;
    double gauss_newton;
} departure;

/* W <- what lm finds, and the first step from there. */
static lnt_status find_optimum(lnt_ctx *ctx, departure *d, runs *r)
{
    int starts = r->o->starts == LNT_AUTO ? FITS : r->o->starts, k = r->W.rows;
    lnt_mat W;
    lnt_fit_opts opts;
    lnt_fit_starts_info summary;
    const lnt_fit_start start = {.starts = starts,
                                 .threads = r->o->threads,
                                 .seed = r->o->seed,
                                 .draw = draw_start,
                                 .canonical = canonical,
                                 .user = r};
    lnt_fit_info *info = lnt_alloc(ctx, (size_t)starts, sizeof *info);
    double *p = lnt_alloc(ctx, (size_t)k, sizeof *p);
    lnt_fit_defaults(&opts);
    opts.threads = r->o->threads;
    lnt_status status = info && p ? lnt_mat_alloc(ctx, &W, k, starts) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_fit_starts(ctx, W, info, &summary, &r->problem, &opts, &start);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(r->W, lnt_columns(W, summary.best, 1));
    d->fit = info[summary.best];
    opts.solver = LNT_SOLVER_SVD;
    opts.rcond = r->opts.rcond;
    status = lnt_naive_displace(ctx, &d->by, &r->problem, r->W.a, r->opts.rcond);
    if (status == LNT_OK)
        status = lnt_fit_step(ctx, p, &r->problem, r->W.a, 0, &opts);
    if (status == LNT_OK)
        d->gauss_newton = lnt_mat_norm(lnt_mat_view(p, k, 1)) / lnt_mat_norm(r->W);
    return status;
}

static void put_departure(lnt_record *record, const runs *r, const departure *d)
{
    double lowest = d->by.next;
    for (int t = 1; t < path_length(r); t++)
        lowest = fmin(lowest, r->path[t].sse);
    lnt_record_fact(record, "displacement", "sse", "", lnt_known(d->by.sse));
    lnt_record_fact(record, "displacement", "gradient_cosine", "", lnt_known(d->fit.cosine));
    lnt_record_fact(record, "displacement", "stop", "", lnt_string(lnt_fit_stop_name(d->fit.stop)));
    lnt_record_fact(record, "displacement", "move", "", lnt_known(d->by.move));
    lnt_record_fact(record, "displacement", "formula", "", lnt_known(d->by.predicted));
    lnt_record_fact(record, "displacement", "difference", "", lnt_known(d->by.deviation));
    lnt_record_fact(record, "displacement", "gauss_newton_move", "", lnt_known(d->gauss_newton));
    lnt_record_fact(record, "displacement", "sse_after_a_step", "", lnt_known(d->by.next));
    lnt_record_fact(record, "displacement", "lowest_afterwards", "", lnt_known(lowest));
    lnt_record_fact(record, "displacement", "returns", "", lnt_flag(lowest <= 1.01 * d->by.sse));
    lnt_record_deviation(record, "|T(w*) - w*|/|w*|", d->by.move, d->by.predicted, d->by.deviation, NAN);
}

/* ---- What is reported ---- */

void lnt_naive_facts(lnt_record *record, lnt_naive_info *info)
{
    double values[100];
    int period = info->period, lowest = 0;
    for (int i = 1; i < period; i++)
        lowest = info->sse[i] < info->sse[lowest] ? i : lowest;
    for (int i = 0; i < period; i++)
        values[i] = info->sse[(lowest + i) % period];
    memcpy(info->sse, values, (size_t)period * sizeof *values);
    lnt_record_fact(record, "cycle", "status", "", lnt_string(lnt_naive_words[info->status]));
    lnt_record_fact(record, "cycle", "period", "", lnt_integer(period));
    lnt_record_fact(record, "cycle", "values", "", lnt_numbers(info->sse, period));
    lnt_record_fact(record, "cycle", "steps", "", lnt_integer(info->steps));
    lnt_record_fact(record, "cycle", "best_sse", "", lnt_known(info->best_sse));
    lnt_record_fact(record, "cycle", "constant_sse", "", lnt_known(info->constant_sse));
    lnt_record_fact(record, "cycle", "gradient_cosine", "", lnt_known(info->cosine));
    lnt_record_fact(record, "cycle", "least_squares_point", "",
                    lnt_flag(info->status == LNT_NAIVE_FIXED_POINT && info->cosine < 1e-6));
}

static void put_facts(lnt_record *record, const runs *r)
{
    bool ridge = r->opts.solver == LNT_NAIVE_RIDGE;
    lnt_naive_facts(record, &r->info[0]);
    lnt_record_fact(record, "cycle", "solver", "", lnt_string(lnt_naive_solvers[r->opts.solver]));
    lnt_record_fact(record, "cycle", "mu", "", ridge ? lnt_number(r->opts.mu) : (lnt_value){0});
    lnt_record_fact(record, "cycle", "rcond", "",
                    r->opts.solver == LNT_NAIVE_PINV ? lnt_number(r->opts.rcond) : (lnt_value){0});
    lnt_record_fact(record, "cycle", "output", "",
                    lnt_string(r->layers.output == LNT_LOGISTIC ? "logistic" : "linear"));
    lnt_record_warn(record, "the naive iteration solves B w = d, which drops f - B w, and is here for study; "
                            "--method lm fits");
}

static void put_starts(lnt_record *record, const runs *r)
{
    lnt_table *table = lnt_record_table(record, "starts");
    for (int s = 0; s < r->count; s++) {
        const lnt_naive_info *info = &r->info[s];
        double low = INFINITY, high = -INFINITY;
        for (int i = 0; i < info->period; i++) {
            low = fmin(low, info->sse[i]);
            high = fmax(high, info->sse[i]);
        }
        lnt_table_row(table);
        lnt_table_set(table, "start", "", lnt_integer(s));
        lnt_table_set(table, "status", "", lnt_string(lnt_naive_words[info->status]));
        lnt_table_set(table, "period", "", lnt_integer(info->period));
        lnt_table_set(table, "steps", "", lnt_integer(info->steps));
        lnt_table_set(table, "best_sse", "", lnt_known(info->best_sse));
        lnt_table_set(table, "lowest_on_cycle", "", lnt_known(low));
        lnt_table_set(table, "highest_on_cycle", "", lnt_known(high));
    }
}

static lnt_status put_path(lnt_ctx *ctx, lnt_record *record, const runs *r)
{
    int n = path_length(r);
    double *values = lnt_alloc(ctx, (size_t)n, 5 * sizeof *values);
    double line[] = {r->info[0].constant_sse, r->info[0].constant_sse}, ends[] = {0, n > 1 ? n - 1 : 1};
    if (!values)
        return LNT_ENOMEM;
    if (n == 0)
        return LNT_OK;
    double *step = values, *sse = step + n, *norm = sse + n, *move = norm + n, *rank = move + n;
    for (int t = 0; t < n; t++) {
        step[t] = t;
        sse[t] = r->path[t].sse;
        norm[t] = r->path[t].norm;
        move[t] = r->path[t].move;
        rank[t] = r->path[t].rank;
    }
    lnt_record_series(record, "step", "", step, n);
    lnt_record_series(record, "naive/sse", "", sse, n);
    lnt_record_series(record, "naive/norm", "", norm, n);
    lnt_record_series(record, "naive/move", "", move, n);
    lnt_record_series(record, "naive/rank", "", rank, n);
    const lnt_curve left[] = {{"naive", LNT_CURVE_POINTS, n, step, sse, NULL},
                              {"best constant", LNT_CURVE_THEORY, 2, ends, line, NULL}};
    const lnt_curve right[] = {{"size of the weights", LNT_CURVE_POINTS, n, step, norm, NULL},
                               {"move over size", LNT_CURVE_POINTS, n, step, move, NULL}};
    const lnt_panel panel[] = {
        {.title = "error", .xlabel = "step", .ylabel = "SSE", .logy = true, .curves = 2, .curve = left},
        {.title = "weights", .xlabel = "step", .ylabel = "norm", .logy = true, .curves = 2, .curve = right}};
    const lnt_figure figure = {"naive", "The naive iteration from its first start.", 2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_fitting_naive(lnt_ctx *ctx, lnt_record *record, const lnt_network_data *data,
                             const lnt_fitting_opts *opts)
{
    runs r = {.o = opts};
    departure d;
    bool from_optimum = opts->start == LNT_FITTING_START_OPTIMUM;
    lnt_status status = check_options(ctx, opts);
    if (status == LNT_OK)
        status = set_up(ctx, &r, data);
    if (status == LNT_OK && from_optimum)
        status = find_optimum(ctx, &d, &r);
    if (status == LNT_OK)
        status = lnt_parallel(ctx, r.count, opts->threads, one_run, &r);
    if (status != LNT_OK)
        return status;
    put_facts(record, &r);
    if (from_optimum)
        put_departure(record, &r, &d);
    put_starts(record, &r);
    status = lnt_network_put(ctx, record, &r.layers, r.W.a);
    return status == LNT_OK ? put_path(ctx, record, &r) : status;
}
