/* Ready-made posteriors: four small networks, three of which are known from integrals on grids. */
#include "sampling.h"

#include <math.h>
#include <string.h>

#define REPEATS 8
#define BUMP_NOISE 0.05

typedef struct exact {
    const char *quantity;
    double mean, sd, laplace_mean, laplace_sd; /* NaN: not known */
} exact;

typedef struct reference {
    const char *name;
    exact known[2]; /* quantity NULL: no more */
} reference;

/* Integrals by the trapezoidal rule, 4001 points an axis: prior N(0, 1), noise .2 for the first two. */
static const reference problems[LNT_PROBLEMS] = {
    [LNT_PROBLEM_SLOPE] = {"f = tanh(w x)", {{"w", .91003842, .29966058, .76830648, .20542188}}},
    [LNT_PROBLEM_NECK] = {"f = v tanh(w x)",
                          {{"f(1)", .65495483, .11255369, NAN, .13064914}, {"|w|", .87699660, NAN, NAN, NAN}}},
    [LNT_PROBLEM_LOGISTIC] = {"logit = w x", {{"w", 1.13199695, .68999992, 1.00659431, .67061811}}},
};

/* ---- Rows and networks ---- */

static void fill_bump(lnt_network_data *d, double sd, lnt_rng *noise)
{
    int n = d->X.cols;
    for (int i = 0; i < n; i++) {
        double x = -3 + 6. * i / (n - 1), e = sd * (noise ? lnt_rng_normal(noise) : sqrt(2) * sin((double)i * i));
        d->X.a[i] = x;
        d->Y.a[i] = 0.3 + 1.2 * tanh(1.5 * x + 1.5) - tanh(2 * x - 2) + e;
    }
}

static void fill_five(lnt_network_data *d, bool classes)
{
    static const double x[] = {-2, -1, 0, 1, 2}, y[] = {-.9, -.7, .1, .6, 1}, c[] = {0, 0, 1, 1, 1};
    memcpy(d->X.a, x, sizeof x);
    memcpy(d->Y.a, classes ? c : y, sizeof y);
}

static lnt_status build(lnt_ctx *ctx, lnt_network_data *d, lnt_sampling_problem problem)
{
    static int widths[LNT_PROBLEMS][3] = {{1, 2, 1}, {1, 1}, {1, 1, 1}, {1, 1}};
    bool bump = problem == LNT_PROBLEM_BUMP;
    d->layers = (lnt_layers){
        .net = {.depth = bump || problem == LNT_PROBLEM_NECK ? 2 : 1, .width = widths[problem], .activation = LNT_TANH},
        .biases = bump,
        .output = problem == LNT_PROBLEM_SLOPE ? LNT_TANH : LNT_LINEAR};
    size_t k = lnt_layers_size(&d->layers);
    d->groups = 1;
    d->group = lnt_alloc_zero(ctx, k, sizeof *d->group);
    d->alpha = lnt_alloc_zero(ctx, 1, sizeof *d->alpha);
    return d->group && d->alpha ? lnt_layers_model(ctx, &d->model, &d->layers, d->X) : LNT_ENOMEM;
}

lnt_status lnt_sampling_problem_make(lnt_ctx *ctx, lnt_network_data *d, lnt_sampling_problem problem, int n, double sd,
                                     lnt_rng *noise)
{
    bool bump = problem == LNT_PROBLEM_BUMP, classes = problem == LNT_PROBLEM_LOGISTIC;
    lnt_network_opts *opts = lnt_alloc(ctx, 1, sizeof *opts);
    n = bump ? n : 5;
    *d = (lnt_network_data){.opts = opts};
    lnt_status status = opts ? lnt_mat_alloc(ctx, &d->X, 1, n) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &d->Y, 1, n);
    d->sd = lnt_alloc(ctx, (size_t)n, sizeof *d->sd);
    d->isd = lnt_alloc(ctx, (size_t)n, sizeof *d->isd);
    if (status != LNT_OK || !d->sd || !d->isd)
        return LNT_ENOMEM;
    lnt_network_defaults(opts);
    if (bump)
        fill_bump(d, sd, noise);
    else
        fill_five(d, classes);
    d->task = (lnt_task){.n = n};
    d->task.prep.inputs = d->task.prep.outputs = 1;
    d->likelihood = (lnt_likelihood){.kind = classes ? LNT_BERNOULLI : LNT_GAUSSIAN,
                                     .n = (size_t)n,
                                     .d = d->Y.a,
                                     .classes = 1,
                                     .beta = 1,
                                     .sqrtw = classes || (bump && !noise) ? NULL : d->isd};
    for (int i = 0; i < n; i++) {
        d->sd[i] = bump ? sd : 0.2;
        d->isd[i] = 1 / d->sd[i];
    }
    if (!d->likelihood.sqrtw)
        d->sd = d->isd = NULL;
    return build(ctx, d, problem);
}

/* ---- Against what is known ---- */

/* Draws of a quantity that is known. */
static lnt_status quantity(lnt_ctx *ctx, lnt_chains *x, const lnt_sampled *s, const char *name)
{
    bool at_one = strcmp(name, "f(1)") == 0, size = strcmp(name, "|w|") == 0;
    double *f, one = 1;
    size_t count;
    lnt_status status = lnt_sampled_column(ctx, x, s, 0);
    for (size_t i = 0; i < lnt_sampled_count(s) && status == LNT_OK && size; i++)
        ((double *)(uintptr_t)x->a)[i] = fabs(x->a[i]);
    if (status != LNT_OK || !at_one)
        return status;
    status = lnt_sampled_outputs(ctx, &f, &count, s, lnt_mat_view(&one, 1, 1), 1);
    x->a = f;
    return status;
}

static void put_known(lnt_ctx *ctx, lnt_record *record, const reference *p, const exact *e, const lnt_diagnosis *d)
{
    const char *moments[] = {"mean", "standard deviation"};
    const double sampled[] = {d->mean, d->sd}, error[] = {d->mcse_mean, d->mcse_sd}, known[] = {e->mean, e->sd},
                 laplace[] = {e->laplace_mean, e->laplace_sd};
    lnt_table *table = lnt_record_table(record, "problems");
    for (int m = 0; m < 2; m++) {
        const char *name = lnt_sprintf(ctx, "%s: %s of %s", p->name, moments[m], e->quantity);
        if (isnan(known[m]) || !name)
            continue;
        lnt_table_row(table);
        lnt_table_set(table, "problem", "", lnt_string(p->name));
        lnt_table_set(table, "quantity", "", lnt_string(e->quantity));
        lnt_table_set(table, "moment", "", lnt_string(moments[m]));
        lnt_table_set(table, "sampled", "", lnt_known(sampled[m]));
        lnt_table_set(table, "mcse", "", lnt_known(error[m]));
        lnt_table_set(table, "exact", "", lnt_number(known[m]));
        lnt_table_set(table, "laplace", "", lnt_known(laplace[m]));
        lnt_record_deviation(record, name, sampled[m], known[m], NAN, error[m]);
        lnt_record_check(record, name, sampled[m], known[m], 4 * error[m]);
    }
}

lnt_status lnt_sampling_problem_compare(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s,
                                        lnt_sampling_problem problem)
{
    lnt_status status = LNT_OK;
    for (int i = 0; i < 2 && problems[problem].known[i].quantity && status == LNT_OK; i++) {
        lnt_chains x;
        lnt_diagnosis d;
        const exact *e = &problems[problem].known[i];
        status = quantity(ctx, &x, s, e->quantity);
        if (status == LNT_OK)
            status = lnt_diagnose(ctx, &d, &x, 1);
        if (status == LNT_OK)
            put_known(ctx, record, &problems[problem], e, &d);
    }
    return status;
}

/* ---- The demo ---- */

static lnt_status one_problem(lnt_ctx *ctx, lnt_record *record, const lnt_sampling_opts *opts,
                              lnt_sampling_problem problem)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_sampling_opts o = *opts;
    lnt_network_data data;
    lnt_sampled s = {.opts = &o, .data = &data};
    o.hyper = LNT_HYPER_FIXED;
    o.net.alpha = 1;
    o.target = 0.95; /* of the neck; the others do not mind */
    o.draws = 4 * opts->draws;
    lnt_status status = lnt_sampling_problem_make(ctx, &data, problem, 0, 0, NULL);
    if (status == LNT_OK)
        status = lnt_sampled_prepare(ctx, &s);
    if (status == LNT_OK)
        status = lnt_sampled_run(ctx, &s);
    if (status == LNT_OK && s.interrupted)
        lnt_record_set_interrupted(record);
    else if (status == LNT_OK)
        status = lnt_sampling_problem_compare(ctx, record, &s, problem);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_sampling_problems(lnt_ctx *ctx, lnt_record *record, lnt_sampled *s, lnt_network_data *data,
                                 const lnt_sampling_opts *o)
{
    *s = (lnt_sampled){.opts = o, .data = data, .folder = o->out};
    lnt_status status = lnt_sampling_problem_make(ctx, data, LNT_PROBLEM_BUMP, 40, BUMP_NOISE, NULL);
    if (status == LNT_OK)
        status = lnt_sampled_prepare(ctx, s);
    if (status == LNT_OK && s->folder)
        status = lnt_sampling_begin(ctx, s);
    if (status == LNT_OK)
        status = lnt_sampled_run(ctx, s);
    if (status == LNT_OK) {
        lnt_record_fact(record, "preparation", "kind", "", lnt_string("none"));
        lnt_network_describe(record, data);
        status = lnt_sampled_report(ctx, record, s);
    }
    for (int p = LNT_PROBLEM_SLOPE; p < LNT_PROBLEMS && status == LNT_OK && !lnt_cancelled(ctx); p++)
        status = one_problem(ctx, record, o, (lnt_sampling_problem)p);
    return status;
}

lnt_status lnt_sampling_demo(lnt_ctx *ctx, lnt_record *record, const lnt_sampling_opts *o)
{
    lnt_network_data data;
    lnt_sampled s;
    lnt_status status = lnt_sampling_problems(ctx, record, &s, &data, o);
    if (status == LNT_OK && !lnt_cancelled(ctx)) {
        status = lnt_sampling_grow_bump(ctx, record, o, REPEATS);
        if (status == LNT_EUSER && lnt_cancelled(ctx)) {
            lnt_ctx_clear(ctx);
            status = LNT_OK;
        }
    }
    if (lnt_cancelled(ctx)) {
        lnt_record_set_interrupted(record);
        s.interrupted = true;
    }
    return status == LNT_OK && s.folder ? lnt_sampling_save(ctx, record, &s) : status;
}
