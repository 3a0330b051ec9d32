/* A linear student of two layers, S = M V. */
#include "layered.h"
#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

/* Penalties as published; l1 stands once as it was written and once as it is right. */
static const lnt_arm arms[] = {{"plain", "no penalty", .05, .9, 0, 0, 0, false},
                               {"ridge", "weight decay", .05, .9, .04, 0, 0, false},
                               {"l1", "L1 and L2, threshold as written", .055, .9, 0, 3.5e-4, .1, true},
                               {"l1_correct", "L1 and L2, threshold as it is right", .055, .9, 0, 3.5e-4, .1, false}};
enum { PLAIN, RIDGE, L1, ARMS = sizeof arms / sizeof *arms };

typedef struct data {
    lnt_mat X; /* D x n */
    double *T;
    lnt_mat M; /* start */
    double *V;
} data;

static void draw(double *x, size_t n, double sd, lnt_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        x[i] = sd * lnt_rng_normal(rng);
}

static lnt_status draw_task(lnt_ctx *ctx, data *d, const lnt_layered_opts *o, int run)
{
    lnt_rng rng = lnt_rng_stream(o->seed, (uint32_t)run, LNT_FOR_TASK);
    size_t inputs = (size_t)o->inputs;
    d->T = lnt_alloc(ctx, inputs, sizeof *d->T);
    lnt_status status = d->T ? lnt_mat_alloc(ctx, &d->X, o->inputs, o->samples) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    draw(d->T, inputs, 1, &rng);
    lnt_mat T = lnt_mat_view(d->T, o->inputs, 1);
    lnt_mat_scale(T, 1 / lnt_mat_norm(T));
    draw(d->X.a, inputs * (size_t)o->samples, 1, &rng);
    return LNT_OK;
}

static lnt_status draw_start(lnt_ctx *ctx, data *d, const lnt_layered_opts *o, int run)
{
    lnt_rng rng = lnt_rng_stream(o->seed, (uint32_t)run, LNT_FOR_WEIGHTS);
    size_t hidden = (size_t)o->hidden;
    d->V = lnt_alloc(ctx, hidden, sizeof *d->V);
    lnt_status status = d->V ? lnt_mat_alloc(ctx, &d->M, o->inputs, o->hidden) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    draw(d->M.a, (size_t)o->inputs * hidden, 1 / sqrt(o->inputs), &rng);
    draw(d->V, hidden, 1 / sqrt(o->hidden), &rng);
    return LNT_OK;
}

/* G <- Sigma e, sample by sample while it is at hand; returns e' Sigma e / 2. */
static double pass(double *restrict G, const double *restrict e, lnt_mat X)
{
    double loss = 0;
    memset(G, 0, (size_t)X.rows * sizeof *G);
    for (int j = 0; j < X.cols; j++) {
        const double *x = lnt_at(X, 0, j);
        double r = lnt_units_dot(x, e, X.rows);
        loss += r * r;
        lnt_units_add(G, r / X.cols, x, X.rows);
    }
    return loss / (2.0 * X.cols);
}

typedef struct student {
    lnt_units units;
    double *S, *e, *G; /* M V, S - T, Sigma e */
} student;

static lnt_status descend(lnt_ctx *ctx, const lnt_layered *l, int run, int arm, student *s, const data *d)
{
    int point = 0, n = d->X.rows;
    lnt_units_product(s->S, &s->units);
    for (int epoch = 0;; epoch++) {
        double loss[LNT_LAYERED_TRACKS] = {0, 0, NAN};
        for (int i = 0; i < n; i++)
            s->e[i] = s->S[i] - d->T[i];
        loss[LNT_LOSS_TRAIN] = pass(s->G, s->e, d->X);
        if (lnt_layered_wants(l, point, epoch)) {
            loss[LNT_LOSS_GEN] = lnt_units_dot(s->e, s->e, n) / 2;
            lnt_status status = lnt_layered_enter(ctx, l, run, arm, &point, loss);
            if (status != LNT_OK)
                return status;
        }
        if (epoch == l->opts->epochs || lnt_cancelled(ctx))
            return LNT_OK;
        lnt_units_step_linear(&s->units, s->S, s->G);
        lnt_progress_step(ctx);
    }
}

/* Measures at the end, with dE/dM = G V', dE/dV = M' G. */
static lnt_status finish(lnt_ctx *ctx, const lnt_layered *l, int run, int arm, const student *s, const data *d)
{
    lnt_mat gM;
    double *gV = lnt_alloc(ctx, (size_t)d->M.cols, sizeof *gV);
    lnt_status status = gV ? lnt_mat_alloc(ctx, &gM, d->M.rows, d->M.cols) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_units_copy(d->M, d->V, &s->units); /* in place of the start */
    for (int j = 0; j < gM.cols; j++) {
        gV[j] = lnt_units_dot(lnt_at(d->M, 0, j), s->G, gM.rows);
        for (int i = 0; i < gM.rows; i++)
            *lnt_at(gM, i, j) = s->G[i] * d->V[j];
    }
    if (run == 0)
        lnt_mat_copy(l->M[arm], d->M);
    return lnt_layered_measure(ctx, l, run, arm, d->M, d->V, gM, gV);
}

static lnt_status train(lnt_ctx *ctx, const lnt_layered *l, int run, int arm)
{
    data d;
    student s;
    size_t inputs = (size_t)l->opts->inputs;
    s.S = lnt_alloc(ctx, 3 * inputs, sizeof *s.S);
    lnt_status status = s.S ? draw_task(ctx, &d, l->opts, run) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = draw_start(ctx, &d, l->opts, run);
    if (status == LNT_OK)
        status = lnt_units_make(ctx, &s.units, &l->arm[arm], d.M, d.V);
    if (status != LNT_OK)
        return status;
    s.e = s.S + inputs;
    s.G = s.e + inputs;
    status = descend(ctx, l, run, arm, &s, &d);
    return status == LNT_OK && !lnt_cancelled(ctx) ? finish(ctx, l, run, arm, &s, &d) : status;
}

/* ---- Theory: weight decay of both layers is the norm of S, unsquared ---- */

typedef struct theory {
    const lnt_layered *l;
    lnt_norm_penalty limit;
    double *gen, *norm, *lambda; /* on the data of each run */
} theory;

static lnt_status solve_own(lnt_ctx *ctx, int run, void *user)
{
    theory *t = user;
    data d;
    lnt_norm_penalty own;
    double *y = lnt_alloc(ctx, (size_t)t->l->opts->samples, sizeof *y);
    lnt_status status = y ? draw_task(ctx, &d, t->l->opts, run) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < d.X.cols; j++)
        y[j] = lnt_units_dot(lnt_at(d.X, 0, j), d.T, d.X.rows);
    status = lnt_norm_penalty_on(ctx, &own, NULL, d.X, y, d.T, arms[RIDGE].decay);
    if (status == LNT_OK) {
        t->gen[run] = own.gen;
        t->norm[run] = own.norm;
        t->lambda[run] = own.lambda;
    }
    return status;
}

static lnt_status solve(lnt_ctx *ctx, theory *t)
{
    const lnt_layered_opts *o = t->l->opts;
    size_t runs = (size_t)o->seeds;
    t->gen = lnt_alloc(ctx, 3 * runs, sizeof *t->gen);
    if (!t->gen)
        return LNT_ENOMEM;
    t->norm = t->gen + runs;
    t->lambda = t->norm + runs;
    lnt_status status = lnt_norm_penalty_limit(ctx, &t->limit, (double)o->samples / o->inputs, 1, arms[RIDGE].decay);
    return status == LNT_OK ? lnt_parallel(ctx, o->seeds, o->threads, solve_own, t) : status;
}

static void deviate(lnt_record *record, const char *name, const double *simulated, double predicted, int runs)
{
    lnt_mean m = lnt_mean_of(simulated, runs);
    lnt_record_deviation(record, name, m.mean, predicted, NAN, m.se);
}

/* Runs in which one arm was unfinished were left out, those before moved up: only complete studies are compared run by
 * run. */
static lnt_status put_theory(lnt_ctx *ctx, lnt_record *record, const theory *t)
{
    const lnt_layered *l = t->l;
    int runs = l->runs;
    double *gen = lnt_alloc(ctx, 3 * (size_t)runs, sizeof *gen);
    if (!gen)
        return LNT_ENOMEM;
    double *norm = gen + runs, *lambda = norm + runs;
    lnt_layered_values(gen, l, RIDGE, LNT_END_GEN);
    lnt_layered_values(norm, l, RIDGE, LNT_NORM_S);
    for (int k = 0; k < runs; k++)
        lambda[k] = arms[RIDGE].decay / norm[k];
    deviate(record, "ridge: loss_gen, limit of many features", gen, t->limit.gen, runs);
    deviate(record, "ridge: |S|, limit of many features", norm, t->limit.norm, runs);
    deviate(record, "ridge: decay/|S| as penalty, limit of many features", lambda, t->limit.lambda, runs);
    if (runs == l->opts->seeds) {
        double apart[3] = {0};
        for (int k = 0; k < runs; k++) {
            apart[0] = fmax(apart[0], fabs(gen[k] - t->gen[k]));
            apart[1] = fmax(apart[1], fabs(norm[k] - t->norm[k]));
            apart[2] = fmax(apart[2], fabs(lambda[k] - t->lambda[k]));
        }
        lnt_record_deviation(record, "ridge: loss_gen, each on its own data", lnt_mean_of(gen, runs).mean,
                             lnt_mean_of(t->gen, runs).mean, apart[0], NAN);
        lnt_record_deviation(record, "ridge: |S|, each on its own data", lnt_mean_of(norm, runs).mean,
                             lnt_mean_of(t->norm, runs).mean, apart[1], NAN);
        lnt_record_deviation(record, "ridge: decay/|S|, each on its own data", lnt_mean_of(lambda, runs).mean,
                             lnt_mean_of(t->lambda, runs).mean, apart[2], NAN);
    }
    lnt_record_fact(record, "theory", "samples_per_feature", "",
                    lnt_number((double)l->opts->samples / l->opts->inputs));
    lnt_record_fact(record, "theory", "ridge_loss_gen", "", lnt_number(t->limit.gen));
    lnt_record_fact(record, "theory", "ridge_norm", "", lnt_number(t->limit.norm));
    lnt_record_fact(record, "theory", "ridge_lambda", "", lnt_number(t->limit.lambda));
    lnt_record_fact(record, "theory", "ridge_loss_train", "", lnt_number(t->limit.train));
    return LNT_OK;
}

static void put_assumptions(lnt_record *record, const lnt_layered *l)
{
    double rank = 0, imbalance = 0, kkt = 0, l1 = 0;
    for (int run = 0; run < l->runs; run++) {
        const double *value = lnt_layered_value(l, run, RIDGE);
        rank = fmax(rank, value[LNT_RANK]);
        imbalance = fmax(imbalance, value[LNT_IMBALANCE] / value[LNT_FROBENIUS]);
        kkt = fmax(kkt, value[LNT_KKT]);
        l1 = fmax(l1, lnt_layered_value(l, run, L1)[LNT_KKT]);
    }
    lnt_record_assumption(record, "ridge is at rest: largest violation of the optimality conditions", kkt, 1e-6,
                          "train longer: the penalty is not yet decay |S|");
    lnt_record_assumption(record, "ridge is balanced: |M'M - VV'|_F over 1/2 (|M|_F^2 + |V|^2)", imbalance, 1e-4,
                          "train longer: the imbalance decays as e^(-2 decay t)");
    lnt_record_assumption(record, "ridge has one direction: rank of M", rank, 1,
                          "the layers pay more than |S| for the same S");
    lnt_record_assumption(record, "l1 is at rest, for its effective penalties", l1, 1e-6,
                          "train longer: columns still merge, until a single one is left");
}

static lnt_status put_figures(lnt_ctx *ctx, lnt_record *record, const theory *t)
{
    double x[2] = {1, fmax(t->l->opts->epochs, 2)}, y[2] = {t->limit.gen, t->limit.gen};
    const lnt_curve level = {"weight decay, limit of many features", LNT_CURVE_THEORY, 2, x, y, NULL};
    return lnt_layered_figures(ctx, record, t->l, &level, 1);
}

lnt_status lnt_two_layer_study(lnt_ctx *ctx, lnt_record *record, const lnt_layered_opts *opts)
{
    lnt_layered l = {.opts = opts, .arm = arms, .arms = ARMS, .reference = RIDGE, .linear = true, .train = train};
    theory t = {.l = &l};
    lnt_status status = lnt_layered_run(ctx, record, &l);
    if (status == LNT_OK)
        status = solve(ctx, &t);
    if (status == LNT_OK)
        status = lnt_layered_report(ctx, record, &l);
    if (status == LNT_OK)
        status = put_theory(ctx, record, &t);
    if (status != LNT_OK)
        return status;
    put_assumptions(record, &l);
    return put_figures(ctx, record, &t);
}
