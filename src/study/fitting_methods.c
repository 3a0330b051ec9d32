/* Which methods end near the best fit, from many starts of the ready-made problems. */
#include "fitting_demo.h"

#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

#define STEPS 600
#define NAIVE_STEPS 100
#define SEARCH_STEPS 200 /* which stalls long before */
#define SHOWN 80         /* steps of the figure */

/* Zero-one has no noise to draw. */
enum { BUMP, SINE, ZERO_ONE, LINEAR, PROBLEMS };

typedef enum kind { NAIVE, FIT, PROJECTION } kind;

typedef struct method {
    const char *name;
    kind kind;
    lnt_naive_solver naive;
    double mu;
    lnt_fit_method fit;
    double tau;
    bool accelerate;
    double bump, sine; /* success shares of an independent implementation, NaN: not known */
} method;

static const method methods[] = {
    {.name = "naive-normal", .kind = NAIVE, .naive = LNT_NAIVE_NORMAL, .mu = 1},
    {.name = "naive-pinv", .kind = NAIVE, .naive = LNT_NAIVE_PINV, .mu = 1},
    {.name = "naive-ridge-0.001", .kind = NAIVE, .naive = LNT_NAIVE_RIDGE, .mu = 1e-3},
    {.name = "naive-ridge-0.1", .kind = NAIVE, .naive = LNT_NAIVE_RIDGE, .mu = 0.1},
    {.name = "naive-ridge-1", .kind = NAIVE, .naive = LNT_NAIVE_RIDGE, .mu = 1},
    {.name = "gauss-newton", .kind = FIT, .fit = LNT_FIT_GAUSS_NEWTON, .tau = 1, .bump = 0.01, .sine = 0},
    {.name = "line-search", .kind = FIT, .fit = LNT_FIT_LINE_SEARCH, .tau = 1, .bump = 0.19, .sine = 0.01},
    {.name = "lm-tau-0.001", .kind = FIT, .fit = LNT_FIT_LM, .tau = 1e-3, .bump = 0.92, .sine = 0.54},
    {.name = "lm-tau-1", .kind = FIT, .fit = LNT_FIT_LM, .tau = 1, .bump = 1, .sine = 0.86},
    {.name = "default", .kind = FIT, .fit = LNT_FIT_LM, .tau = 1, .accelerate = true, .bump = 1, .sine = 0.83},
    {.name = "projection", .kind = PROJECTION, .fit = LNT_FIT_LM, .tau = 1, .bump = 0.88, .sine = 0.47},
    {.name = "lbfgs", .kind = FIT, .fit = LNT_FIT_LBFGS, .tau = 1, .bump = NAN, .sine = NAN}};

#define METHODS (int)(sizeof methods / sizeof *methods)
#define DEFAULT 9

/* ---- One run ---- */

typedef struct trace {
    double sse[SHOWN + 1];
    int count;
} trace;

static int keep(const lnt_fit_info *info, const double *w, void *user)
{
    trace *t = user;
    (void)w;
    if (t->count <= SHOWN)
        t->sse[t->count++] = info->sse;
    return 0;
}

static lnt_status run_naive(lnt_ctx *ctx, double *w, double *sse, int *steps, const lnt_demo_problem *p,
                            const method *m, trace *t)
{
    lnt_naive_opts opts;
    lnt_naive_info info;
    lnt_naive_defaults(&opts);
    opts.solver = m->naive;
    opts.mu = m->mu;
    opts.max_steps = NAIVE_STEPS;
    lnt_naive_step *path = lnt_alloc(ctx, NAIVE_STEPS, sizeof *path);
    lnt_status status = path ? lnt_naive(ctx, w, &info, path, &p->fit, &opts) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    *sse = info.best_sse;
    *steps = info.steps;
    for (int i = 0; t && i < info.steps && t->count <= SHOWN; i++)
        t->sse[t->count++] = path[i].sse;
    return LNT_OK;
}

/* w: start <- end; sse: of a fit at its end, of the naive iteration the lowest on its path. */
static lnt_status run(lnt_ctx *ctx, double *w, double *sse, int *steps, const lnt_demo_problem *p, const method *m,
                      trace *t)
{
    lnt_fit_opts opts;
    lnt_fit_info info;
    if (m->kind == NAIVE)
        return run_naive(ctx, w, sse, steps, p, m, t);
    lnt_fit_defaults(&opts);
    opts.method = m->fit;
    opts.tau = m->tau;
    opts.accelerate = m->accelerate;
    opts.max_steps = m->fit == LNT_FIT_LINE_SEARCH ? SEARCH_STEPS : STEPS;
    if (m->kind == PROJECTION)
        opts.linear = p->width[2] * (p->width[1] + (p->layers.biases ? 1 : 0));
    if (t) {
        opts.after_step = keep;
        opts.user = t;
    }
    lnt_status status = lnt_fit(ctx, w, &info, &p->fit, &opts);
    *sse = info.sse;
    *steps = info.steps;
    return status;
}

/* ---- Many starts ---- */

typedef struct many {
    const lnt_demo_problem *p;
    const method *m;
    uint64_t seed;
    double *sse, *steps;
} many;

static lnt_status one_start(lnt_ctx *ctx, int s, void *user)
{
    many *a = user;
    int steps = 0;
    double *w = lnt_alloc(ctx, a->p->model.k, sizeof *w);
    if (!w)
        return LNT_ENOMEM;
    lnt_rng rng = lnt_rng_stream(a->seed, (uint32_t)s, LNT_FOR_WEIGHTS);
    lnt_rng_normals(&rng, w, a->p->model.k);
    lnt_status status = run(ctx, w, &a->sse[s], &steps, a->p, a->m, NULL);
    a->steps[s] = steps;
    return status;
}

/* Sums over draws of what the starts of one method came to. */
typedef struct outcome {
    double success, square, iterations, best, middle, constant;
    int worse; /* runs above the best constant */
} outcome;

/* A start succeeds within 1 % of the least SSE of the default's starts on the same draw. */
static void add_up(outcome *o, const many *a, int starts, double best)
{
    int good = 0;
    double least = INFINITY;
    for (int s = 0; s < starts; s++) {
        good += a->sse[s] <= 1.01 * best;
        least = fmin(least, a->sse[s]);
        o->worse += !(a->sse[s] <= a->p->constant);
    }
    double share = (double)good / starts;
    o->success += share;
    o->square += share * share;
    o->best += least;
    o->constant += a->p->constant;
    o->middle += lnt_median(a->sse, starts);
    o->iterations += lnt_median(a->steps, starts);
}

static lnt_status make_problem(lnt_ctx *ctx, lnt_demo_problem *p, int which, lnt_rng *rng)
{
    switch (which) {
    case BUMP:
        return lnt_demo_bump(ctx, p, 2, rng);
    case SINE:
        return lnt_demo_sine(ctx, p, rng);
    case ZERO_ONE:
        return lnt_demo_zero_one(ctx, p, NULL);
    default:
        return lnt_demo_linear(ctx, p, 3, 4, 3, rng);
    }
}

/* What variable projection asks for: an output that is linear in the last weights. */
static bool suits(const lnt_demo_problem *p, const method *m)
{
    return m->kind != PROJECTION || p->layers.output == LNT_LINEAR;
}

static lnt_status one_draw(lnt_ctx *ctx, outcome outcomes[METHODS], lnt_demo_problem *p, int which, int draw,
                           const lnt_demo *demo)
{
    int starts = demo->starts;
    double best = INFINITY, *sse = lnt_alloc(ctx, (size_t)(METHODS * starts), 2 * sizeof *sse);
    if (!sse)
        return LNT_ENOMEM;
    lnt_rng rng = lnt_rng_stream(demo->seed, (uint32_t)(PROBLEMS * draw + which), LNT_FOR_TASK);
    lnt_status status = make_problem(ctx, p, which, &rng);
    for (int m = 0; m < METHODS && status == LNT_OK; m++) {
        many a = {p, &methods[m], demo->seed, sse + 2 * m * starts, sse + (2 * m + 1) * starts};
        if (suits(p, a.m))
            status = lnt_parallel(ctx, starts, demo->threads, one_start, &a);
        for (int s = 0; m == DEFAULT && status == LNT_OK && s < starts; s++)
            best = fmin(best, a.sse[s]);
    }
    for (int m = 0; m < METHODS && status == LNT_OK; m++) {
        many a = {p, &methods[m], demo->seed, sse + 2 * m * starts, sse + (2 * m + 1) * starts};
        if (suits(p, a.m))
            add_up(&outcomes[m], &a, starts, best);
    }
    return status;
}

/* ---- What is reported ---- */

static double success_error(const outcome *o, int draws)
{
    double mean = o->success / draws, variance = fmax(o->square / draws - mean * mean, 0);
    return draws > 1 ? sqrt(variance / (draws - 1)) : NAN;
}

static void put_row(lnt_record *record, const lnt_demo_problem *p, const method *m, const outcome *o, int draws)
{
    lnt_table *table = lnt_record_table(record, "methods");
    lnt_table_row(table);
    lnt_table_set(table, "problem", "", lnt_string(p->name));
    lnt_table_set(table, "method", "", lnt_string(m->name));
    lnt_table_set(table, "success", "", lnt_number(o->success / draws));
    lnt_table_set(table, "success_error", "", lnt_known(success_error(o, draws)));
    lnt_table_set(table, "iterations", "", lnt_number(o->iterations / draws));
    lnt_table_set(table, "sse", "", lnt_known(o->best / draws));
    lnt_table_set(table, "median_sse", "", lnt_known(o->middle / draws));
    lnt_table_set(table, "constant_sse", "", lnt_number(o->constant / draws));
    lnt_table_set(table, "worse_than_constant", "", lnt_integer(o->worse));
}

/* Few draws may lie further from the mean of many, which the default's bounds are for. */
static void put_checks(lnt_ctx *ctx, lnt_record *record, const lnt_demo_problem *p, int which, const outcome *o,
                       int draws)
{
    static const double least[][2] = {{0.95, 0.9}, {0.7, 0.5}};
    double naive = 0;
    for (int m = 0; m < METHODS; m++)
        naive = fmax(naive, methods[m].kind == NAIVE ? o[m].success / draws : 0);
    if (which > SINE)
        return;
    lnt_record_check(record, lnt_sprintf(ctx, "%s: share of starts with success, default", p->name),
                     o[DEFAULT].success / draws, 1, 1 - least[which][draws < 6]);
    lnt_record_check(record, lnt_sprintf(ctx, "%s: runs of the default worse than the best constant", p->name),
                     o[DEFAULT].worse, 0, 0);
    lnt_record_check(record, lnt_sprintf(ctx, "%s: share of starts with success, best of the naive", p->name), naive, 0,
                     0);
}

static void put_deviations(lnt_ctx *ctx, lnt_record *record, const lnt_demo_problem *p, int which, const outcome *o,
                           int draws)
{
    for (int m = 0; m < METHODS && which <= SINE; m++) {
        double expected = which == SINE ? methods[m].sine : methods[m].bump;
        if (methods[m].kind != NAIVE && isfinite(expected))
            lnt_record_deviation(record, lnt_sprintf(ctx, "%s: success of %s", p->name, methods[m].name),
                                 o[m].success / draws, expected, NAN, success_error(&o[m], draws));
    }
}

static lnt_status sse_at(lnt_ctx *ctx, double *sse, const lnt_demo_problem *p, const double *w)
{
    bool rejected;
    double *f = lnt_alloc(ctx, p->model.n, sizeof *f);
    lnt_status status = f ? lnt_model_outputs(ctx, f, &rejected, &p->model, w) : LNT_ENOMEM;
    *sse = 0;
    for (size_t i = 0; i < p->model.n && status == LNT_OK; i++)
        *sse += (p->d[i] - f[i]) * (p->d[i] - f[i]);
    return status;
}

/* SSE of the chosen methods by step; what is far above the best constant is cut off. */
static lnt_status trace_methods(lnt_ctx *ctx, trace *t, lnt_curve *curve, const int *shown, int count,
                                const lnt_demo_problem *p, const lnt_demo *demo)
{
    static const double ends[] = {0, SHOWN};
    lnt_status status = LNT_OK;
    double *constant = lnt_alloc(ctx, 2, sizeof *constant), *step = lnt_alloc(ctx, SHOWN + 1, sizeof *step);
    if (!constant || !step)
        return LNT_ENOMEM;
    for (int i = 0; i <= SHOWN; i++)
        step[i] = i;
    for (int i = 0; i < count && status == LNT_OK; i++) {
        const method *m = &methods[shown[i]];
        double w[7], sse;
        int steps;
        lnt_rng rng = lnt_rng_stream(demo->seed, 0, LNT_FOR_WEIGHTS);
        lnt_rng_normals(&rng, w, 7);
        t[i].count = m->kind != NAIVE;
        status = sse_at(ctx, &t[i].sse[0], p, w);
        if (status == LNT_OK)
            status = run(ctx, w, &sse, &steps, p, m, &t[i]);
        for (int s = 0; s < t[i].count; s++)
            t[i].sse[s] = fmin(t[i].sse[s], 1e4 * p->constant);
        curve[i] = (lnt_curve){m->name, LNT_CURVE_LINE, t[i].count, step, t[i].sse, NULL};
    }
    constant[0] = constant[1] = p->constant;
    curve[count] = (lnt_curve){"best constant", LNT_CURVE_THEORY, 2, ends, constant, NULL};
    return status;
}

static lnt_status draw_traces(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    static const int bad[] = {1, 3, 4, 5, 6}, good[] = {7, 8, 9, 10, 11};
    lnt_demo_problem p;
    trace t[10];
    lnt_curve curve[12];
    lnt_status status = lnt_demo_bump(ctx, &p, 2, NULL);
    if (status == LNT_OK)
        status = trace_methods(ctx, t, curve, bad, 5, &p, demo);
    if (status == LNT_OK)
        status = trace_methods(ctx, t + 5, curve + 6, good, 5, &p, demo);
    if (status != LNT_OK)
        return status;
    const lnt_panel panel[] = {{.title = "naive, and without damping",
                                .xlabel = "step",
                                .ylabel = "SSE",
                                .logy = true,
                                .curves = 6,
                                .curve = curve},
                               {.title = "damped, projected, L-BFGS",
                                .xlabel = "step",
                                .ylabel = "SSE",
                                .logy = true,
                                .curves = 6,
                                .curve = curve + 6}};
    const lnt_figure figure = {"steps",
                               "The bump, from one start: SSE after each step of all methods, cut off at 10,000 times "
                               "that of the best constant. The naive iteration never comes near the best fit.",
                               2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_demo_methods(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    lnt_status status = LNT_OK;
    lnt_progress_begin(ctx, "draws of the problems", PROBLEMS * (long)demo->draws);
    for (int which = BUMP; which < PROBLEMS && status == LNT_OK; which++) {
        outcome outcomes[METHODS] = {{0}};
        lnt_demo_problem p = {0};
        int draws = which == ZERO_ONE ? 1 : demo->draws;
        for (int draw = 0; draw < draws && status == LNT_OK && !lnt_cancelled(ctx); draw++) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            status = one_draw(ctx, outcomes, &p, which, draw, demo);
            lnt_ctx_reset(ctx, mark);
            lnt_progress_step(ctx);
        }
        if (status == LNT_OK && lnt_cancelled(ctx))
            return lnt_fail(ctx, LNT_EUSER, "interrupted before all methods had their turn");
        for (int m = 0; m < METHODS && status == LNT_OK; m++)
            if (suits(&p, &methods[m]))
                put_row(record, &p, &methods[m], &outcomes[m], draws);
        if (status == LNT_OK) {
            put_checks(ctx, record, &p, which, outcomes, draws);
            put_deviations(ctx, record, &p, which, outcomes, draws);
        }
    }
    return status == LNT_OK ? draw_traces(ctx, record, demo) : status;
}
