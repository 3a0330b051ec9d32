/* The naive iteration on 0/1 data: it ends on a cycle of bad fits. */
#include "fitting_demo.h"

#include "linnet/parallel.h"

#include <math.h>

#define STEPS 400
#define STARTS 10
#define WEIGHTS 13
#define SHOWN 40
#define DRAWS 12

/* ---- Many starts at one ridge ---- */

typedef struct many {
    const lnt_demo_problem *p;
    lnt_naive_opts opts;
    uint64_t seed;
    lnt_naive_info info[STARTS];
} many;

static lnt_status one_start(lnt_ctx *ctx, int s, void *user)
{
    many *a = user;
    double w[WEIGHTS];
    lnt_rng rng = lnt_rng_stream(a->seed, (uint32_t)s, LNT_FOR_WEIGHTS);
    lnt_rng_normals(&rng, w, WEIGHTS);
    return lnt_naive(ctx, w, &a->info[s], NULL, &a->p->fit, &a->opts);
}

static void extremes(double *low, double *high, const lnt_naive_info *info)
{
    *low = INFINITY;
    *high = 0;
    for (int i = 0; i < info->period; i++) {
        *low = fmin(*low, info->sse[i]);
        *high = fmax(*high, info->sse[i]);
    }
}

typedef struct summary {
    int cycles, distinct, period, status[5]; /* runs on one; different ones; the least period; runs by status */
    double low, high, best;                  /* SSE on cycles, and anywhere */
} summary;

/* Cycles are told apart by their extremes. Units that have changed places after a turn take several turns to come back:
 * a period may be a multiple of the least. */
static summary sum_up(const many *a)
{
    summary s = {.low = INFINITY, .best = INFINITY};
    for (int i = 0; i < STARTS; i++) {
        const lnt_naive_info *info = &a->info[i];
        double low, high, other_low, other_high;
        bool seen = false;
        s.status[info->status]++;
        s.best = fmin(s.best, info->best_sse);
        if (info->status != LNT_NAIVE_CYCLE)
            continue;
        extremes(&low, &high, info);
        for (int j = 0; j < i && !seen; j++)
            if (a->info[j].status == LNT_NAIVE_CYCLE) {
                extremes(&other_low, &other_high, &a->info[j]);
                seen = fabs(low - other_low) < 1e-4 * low && fabs(high - other_high) < 1e-4 * high;
            }
        s.distinct += !seen;
        s.period = s.cycles && s.period < info->period ? s.period : info->period;
        s.low = fmin(s.low, low);
        s.high = fmax(s.high, high);
        s.cycles++;
    }
    return s;
}

static lnt_status iterate(lnt_ctx *ctx, many *a, const lnt_demo_problem *p, lnt_naive_solver solver, double mu,
                          const lnt_demo *demo)
{
    a->p = p;
    a->seed = demo->seed;
    lnt_naive_defaults(&a->opts);
    a->opts.solver = solver;
    a->opts.mu = mu;
    a->opts.max_steps = STEPS;
    return lnt_parallel(ctx, STARTS, demo->threads, one_start, a);
}

/* ---- The data without chance ---- */

static void put_row(lnt_record *record, const many *a, const summary *s)
{
    int common = 0;
    for (int i = 1; i < 5; i++)
        common = s->status[i] > s->status[common] ? i : common;
    lnt_table *table = lnt_record_table(record, "cycles");
    lnt_table_row(table);
    lnt_table_set(table, "solver", "", lnt_string(lnt_naive_solvers[a->opts.solver]));
    lnt_table_set(table, "mu", "", a->opts.solver == LNT_NAIVE_RIDGE ? lnt_number(a->opts.mu) : (lnt_value){0});
    lnt_table_set(table, "starts", "", lnt_integer(STARTS));
    lnt_table_set(table, "status", "", lnt_string(lnt_naive_words[common]));
    lnt_table_set(table, "on_cycle", "", lnt_integer(s->cycles));
    lnt_table_set(table, "cycles", "", lnt_integer(s->distinct));
    lnt_table_set(table, "period", "", s->cycles ? lnt_integer(s->period) : (lnt_value){0});
    lnt_table_set(table, "lowest_sse", "", lnt_known(s->cycles ? s->low : NAN));
    lnt_table_set(table, "highest_sse", "", lnt_known(s->cycles ? s->high : NAN));
    lnt_table_set(table, "constant_sse", "", lnt_number(a->info[0].constant_sse));
}

static lnt_status fixed_data(lnt_ctx *ctx, lnt_record *record, const lnt_demo_problem *p, const lnt_demo *demo)
{
    static const struct {
        lnt_naive_solver solver;
        double mu;
        int period;       /* known; 0: no cycle, -1: any */
        double low, high; /* on the cycle */
    } row[] = {{LNT_NAIVE_NORMAL, 1, -1, 0, 0},       {LNT_NAIVE_PINV, 1, -1, 0, 0},
               {LNT_NAIVE_RIDGE, 1e-4, 11, NAN, NAN}, {LNT_NAIVE_RIDGE, 1e-3, 4, 50.0000, 112},
               {LNT_NAIVE_RIDGE, 1e-2, 16, NAN, NAN}, {LNT_NAIVE_RIDGE, 1e-1, 4, 50.0396, 111.9982},
               {LNT_NAIVE_RIDGE, 1, 0, NAN, NAN}};
    lnt_status status = LNT_OK;
    many *a = lnt_alloc(ctx, 1, sizeof *a);
    for (size_t i = 0; i < sizeof row / sizeof *row && status == LNT_OK && a; i++) {
        status = iterate(ctx, a, p, row[i].solver, row[i].mu, demo);
        if (status != LNT_OK)
            return status;
        summary s = sum_up(a);
        put_row(record, a, &s);
        const char *name = lnt_sprintf(ctx, "0/1 data, ridge %g", row[i].mu);
        if (row[i].period < 0 || !name)
            continue;
        lnt_record_check(record, lnt_sprintf(ctx, "%s: starts that end on a cycle", name), s.cycles,
                         row[i].period ? STARTS : 0, 0);
        lnt_record_check(record, lnt_sprintf(ctx, "%s: period", name), s.period, row[i].period, 0);
        if (row[i].period)
            lnt_record_check(record, lnt_sprintf(ctx, "%s: SSE of the best constant over the lowest on it", name),
                             p->constant / s.low, 0, 1 / 0.98);
        if (isfinite(row[i].low)) {
            lnt_record_deviation(record, lnt_sprintf(ctx, "%s: lowest SSE", name), s.low, row[i].low, NAN, NAN);
            lnt_record_deviation(record, lnt_sprintf(ctx, "%s: highest SSE", name), s.high, row[i].high, NAN, NAN);
        }
        if (row[i].mu == 1e-3)
            lnt_naive_facts(record, &a->info[0]);
    }
    return a ? status : LNT_ENOMEM;
}

/* ---- Data by chance ---- */

static lnt_status random_data(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    static const double mu[] = {1e-4, 1e-3, 1e-2, 1e-1};
    lnt_status status = LNT_OK;
    int one = 0, pairs = 0, shortest = 0, longest = 0;
    double lowest = INFINITY;
    for (int draw = 0; draw < DRAWS && status == LNT_OK && !lnt_cancelled(ctx); draw++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_demo_problem p;
        lnt_rng rng = lnt_rng_stream(demo->seed, 1000 + (uint32_t)draw, LNT_FOR_TASK);
        many *a = lnt_alloc(ctx, 1, sizeof *a);
        status = a ? lnt_demo_zero_one(ctx, &p, &rng) : LNT_ENOMEM;
        for (int m = 0; m < 4 && status == LNT_OK; m++) {
            status = iterate(ctx, a, &p, LNT_NAIVE_RIDGE, mu[m], demo);
            if (status != LNT_OK)
                break;
            summary s = sum_up(a);
            pairs++;
            if (s.cycles == STARTS && s.distinct == 1) {
                one++;
                shortest = shortest && shortest < s.period ? shortest : s.period;
                longest = longest > s.period ? longest : s.period;
            }
            lowest = s.cycles ? fmin(lowest, s.low / p.constant) : lowest;
        }
        lnt_ctx_reset(ctx, mark);
    }
    if (status != LNT_OK)
        return status;
    lnt_record_fact(record, "random_data", "pairs", "", lnt_integer(pairs));
    lnt_record_fact(record, "random_data", "all_starts_on_one_cycle", "", lnt_integer(one));
    lnt_record_fact(record, "random_data", "shortest_period", "", lnt_integer(shortest));
    lnt_record_fact(record, "random_data", "longest_period", "", lnt_integer(longest));
    lnt_record_fact(record, "random_data", "lowest_sse_over_constant", "", lnt_known(lowest));
    lnt_record_check(record, "random 0/1 data: share of data and ridge where all starts end on one cycle",
                     (double)one / pairs, 1, 0.4);
    lnt_record_check(record, "random 0/1 data: SSE of the best constant over the lowest on a cycle", 1 / lowest, 0,
                     1 / 0.95);
    return LNT_OK;
}

/* ---- The figure ---- */

static lnt_status draw_cycle(lnt_ctx *ctx, lnt_record *record, const lnt_demo_problem *p, const lnt_demo *demo)
{
    double step[SHOWN], sse[SHOWN], hidden[SHOWN], output[SHOWN], ends[] = {0, SHOWN - 1}, line[2], w[WEIGHTS];
    lnt_naive_opts opts;
    lnt_naive_info info;
    lnt_naive_step path;
    lnt_status status = LNT_OK;
    lnt_rng rng = lnt_rng_stream(demo->seed, 0, LNT_FOR_WEIGHTS);
    lnt_rng_normals(&rng, w, WEIGHTS);
    lnt_naive_defaults(&opts);
    opts.solver = LNT_NAIVE_RIDGE;
    opts.max_steps = 1;
    for (int t = 0; t < SHOWN && status == LNT_OK; t++) {
        step[t] = t;
        hidden[t] = w[0];
        output[t] = w[9]; /* after W1 (3 x 2) and b1 */
        status = lnt_naive(ctx, w, &info, &path, &p->fit, &opts);
        sse[t] = path.sse;
    }
    if (status != LNT_OK)
        return status;
    line[0] = line[1] = p->constant;
    const lnt_curve left[] = {{"naive, ridge 0.001", LNT_CURVE_POINTS, SHOWN, step, sse, NULL},
                              {"best constant", LNT_CURVE_THEORY, 2, ends, line, NULL}};
    const lnt_curve right[] = {
        {"on the way", LNT_CURVE_POINTS, SHOWN / 2, hidden, output, NULL},
        {"on the cycle", LNT_CURVE_MARKS, SHOWN / 2, hidden + SHOWN / 2, output + SHOWN / 2, NULL}};
    const lnt_panel panel[] = {
        {.title = "it turns in circles", .xlabel = "step", .ylabel = "SSE", .curves = 2, .curve = left},
        {.title = "two of the 13 weights",
         .xlabel = "first weight of the first hidden unit",
         .ylabel = "weight of the output",
         .curves = 2,
         .curve = right}};
    const lnt_figure figure = {
        "cycle",
        "The naive iteration on 0/1 data. It ends on a cycle, none of whose points predicts better "
        "than a constant; its weights come back every fourth step.",
        2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_demo_cycle(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    lnt_demo_problem p;
    lnt_status status = lnt_demo_zero_one(ctx, &p, NULL);
    if (status == LNT_OK)
        status = fixed_data(ctx, record, &p, demo);
    if (status == LNT_OK && demo->full)
        status = random_data(ctx, record, demo);
    return status == LNT_OK ? draw_cycle(ctx, record, &p, demo) : status;
}
