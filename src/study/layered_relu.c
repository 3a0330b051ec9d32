/* A relu student of two layers, f = V relu(M' x), and a teacher of few units. */
#include "layered.h"
#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define TEACHER 10 /* units */

static const lnt_arm arms[] = {{"plain", "no penalty", .02, .5, 0, 0, 0, false},
                               {"ridge", "weight decay", .02, .5, .05, 0, 0, false},
                               {"l1", "L1 and L2, threshold as written", .01, .5, 0, 1e-3, .05, true},
                               {"l1_correct", "L1 and L2, threshold as it is right", .01, .5, 0, 1e-3, .05, false}};
enum { PLAIN, RIDGE, L1, ARMS = sizeof arms / sizeof *arms };

typedef struct net {
    lnt_mat M;
    double *V;
} net;

typedef struct data {
    net teacher, start;
    lnt_mat X, X_held; /* samples to train on and to validate with */
    double *y, *y_held;
} data;

static lnt_status draw_net(lnt_ctx *ctx, net *f, int inputs, int units, lnt_rng *rng)
{
    f->V = lnt_alloc(ctx, (size_t)units, sizeof *f->V);
    lnt_status status = f->V ? lnt_mat_alloc(ctx, &f->M, inputs, units) : LNT_ENOMEM;
    for (size_t i = 0; status == LNT_OK && i < (size_t)inputs * (size_t)units; i++)
        f->M.a[i] = sqrt(2.0 / inputs) * lnt_rng_normal(rng);
    for (int j = 0; status == LNT_OK && j < units; j++)
        f->V[j] = sqrt(1.0 / units) * lnt_rng_normal(rng);
    return status;
}

/* Keeps what is not a number, so that it shows in the loss. */
static inline double relu(double z)
{
    return z < 0 ? 0 : z;
}

/* y <- V relu(M' x); Z is scratch, units x samples. */
static void apply(double *y, lnt_mat Z, lnt_mat M, const double *V, lnt_mat X)
{
    lnt_gemm(Z, 1, LNT_T, M, LNT_N, X, 0);
    for (int n = 0; n < X.cols; n++) {
        y[n] = 0;
        for (int j = 0; j < M.cols; j++)
            y[n] += V[j] * relu(*lnt_at(Z, j, n));
    }
}

static lnt_status draw_samples(lnt_ctx *ctx, lnt_mat *X, double **y, const net *teacher, int n, lnt_rng *rng)
{
    lnt_mat Z;
    *y = lnt_alloc(ctx, (size_t)n, sizeof **y);
    lnt_status status = *y ? lnt_mat_alloc(ctx, X, teacher->M.rows, n) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, TEACHER, n);
    if (status != LNT_OK)
        return status;
    for (size_t i = 0; i < (size_t)X->rows * (size_t)n; i++)
        X->a[i] = sqrt(1.0 / n) * lnt_rng_normal(rng);
    apply(*y, Z, teacher->M, teacher->V, *X);
    return LNT_OK;
}

static lnt_status draw(lnt_ctx *ctx, data *d, const lnt_layered_opts *o, int run)
{
    lnt_rng task = lnt_rng_stream(o->seed, 0, LNT_FOR_TASK),
            samples = lnt_rng_stream(o->seed, (uint32_t)run + 1, LNT_FOR_TASK),
            weights = lnt_rng_stream(o->seed, (uint32_t)run, LNT_FOR_WEIGHTS);
    lnt_status status = draw_net(ctx, &d->teacher, o->inputs, TEACHER, &task);
    if (status == LNT_OK)
        status = draw_samples(ctx, &d->X, &d->y, &d->teacher, o->samples, &samples);
    if (status == LNT_OK)
        status = draw_samples(ctx, &d->X_held, &d->y_held, &d->teacher, o->samples, &samples);
    return status == LNT_OK ? draw_net(ctx, &d->start, o->inputs, o->hidden, &weights) : status;
}

/* ---- Descent ---- */

typedef struct student {
    lnt_units units;
    lnt_mat Z; /* hidden x samples: inputs of the units, then dE/dZ */
    double *f, *gV;
} student;

/* Outputs, then the gradients by Z and V in their place; returns the loss. */
static double backward(lnt_mat Z, double *gV, const double *V, const double *y)
{
    double loss = 0;
    memset(gV, 0, (size_t)Z.rows * sizeof *gV);
    for (int n = 0; n < Z.cols; n++) {
        double *z = lnt_at(Z, 0, n);
        for (int j = 0; j < Z.rows; j++)
            z[j] = relu(z[j]);
        double d = lnt_units_dot(V, z, Z.rows) - y[n];
        loss += d * d / 2;
        lnt_units_add(gV, d, z, Z.rows);
        for (int j = 0; j < Z.rows; j++)
            z[j] = z[j] > 0 ? V[j] * d : 0;
    }
    return loss;
}

/* Expected and validation losses. With x = u/sqrt n, u standard normal, the expectation of n such terms is 1/2 E (f(u)
 * - f*(u))^2: relu networks are homogeneous. */
static lnt_status losses(lnt_ctx *ctx, double loss[LNT_LAYERED_TRACKS], const student *s, const data *d)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat M = lnt_columns(s->units.M, 0, s->units.live), Z;
    lnt_status status = lnt_mat_alloc(ctx, &Z, M.cols, d->X_held.cols);
    if (status == LNT_OK)
        status = lnt_relu_risk(ctx, &loss[LNT_LOSS_GEN], M, s->units.V, d->teacher.M, d->teacher.V);
    if (status == LNT_OK) {
        apply(s->f, Z, M, s->units.V, d->X_held);
        loss[LNT_LOSS_GEN] /= 2;
        loss[LNT_LOSS_VALIDATION] = 0;
        for (int n = 0; n < d->X_held.cols; n++)
            loss[LNT_LOSS_VALIDATION] += (s->f[n] - d->y_held[n]) * (s->f[n] - d->y_held[n]) / 2;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status descend(lnt_ctx *ctx, const lnt_layered *l, int run, int arm, student *s, const data *d)
{
    lnt_units *u = &s->units;
    int point = 0;
    for (int epoch = 0;; epoch++) {
        double loss[LNT_LAYERED_TRACKS];
        lnt_mat M = lnt_columns(u->M, 0, u->live), Z = lnt_mat_view(s->Z.a, u->live, d->X.cols);
        if (u->live > 0)
            lnt_gemm(Z, 1, LNT_T, M, LNT_N, d->X, 0);
        loss[LNT_LOSS_TRAIN] = backward(Z, s->gV, u->V, d->y);
        if (lnt_layered_wants(l, point, epoch)) {
            lnt_status status = losses(ctx, loss, s, d);
            if (status == LNT_OK)
                status = lnt_layered_enter(ctx, l, run, arm, &point, loss);
            if (status != LNT_OK)
                return status;
        }
        if (epoch == l->opts->epochs || lnt_cancelled(ctx))
            return LNT_OK;
        if (u->live > 0) /* m <- beta m + X dE/dZ' */
            lnt_gemm(lnt_columns(u->momentum, 0, u->live), 1, LNT_N, d->X, LNT_T, Z, u->arm->beta);
        lnt_units_step(u, s->gV);
        lnt_progress_step(ctx);
    }
}

static lnt_status finish(lnt_ctx *ctx, const lnt_layered *l, int run, int arm, student *s, const data *d)
{
    lnt_mat M = d->start.M, gM;
    lnt_status status = lnt_mat_alloc(ctx, &gM, M.rows, M.cols);
    if (status != LNT_OK)
        return status;
    lnt_units_copy(M, d->start.V, &s->units); /* in place of the start */
    lnt_gemm(s->Z, 1, LNT_T, M, LNT_N, d->X, 0);
    backward(s->Z, s->gV, d->start.V, d->y);
    lnt_gemm(gM, 1, LNT_N, d->X, LNT_T, s->Z, 0);
    if (run == 0)
        lnt_mat_copy(l->M[arm], M);
    return lnt_layered_measure(ctx, l, run, arm, M, d->start.V, gM, s->gV);
}

static lnt_status train(lnt_ctx *ctx, const lnt_layered *l, int run, int arm)
{
    const lnt_layered_opts *o = l->opts;
    data d;
    student s;
    s.f = lnt_alloc(ctx, (size_t)o->samples, sizeof *s.f);
    s.gV = lnt_alloc(ctx, (size_t)o->hidden, sizeof *s.gV);
    lnt_status status = s.f && s.gV ? draw(ctx, &d, o, run) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &s.Z, o->hidden, o->samples);
    if (status == LNT_OK)
        status = lnt_units_make(ctx, &s.units, &l->arm[arm], d.start.M, d.start.V);
    if (status == LNT_OK)
        status = descend(ctx, l, run, arm, &s, &d);
    return status == LNT_OK && !lnt_cancelled(ctx) ? finish(ctx, l, run, arm, &s, &d) : status;
}

/* ---- What was found ---- */

/* The loss of the student that is 0: what there is to be learned. */
static lnt_status put_teacher(lnt_ctx *ctx, lnt_record *record, double *zero, const lnt_layered *l)
{
    net teacher;
    lnt_rng rng = lnt_rng_stream(l->opts->seed, 0, LNT_FOR_TASK);
    lnt_status status = draw_net(ctx, &teacher, l->opts->inputs, TEACHER, &rng);
    if (status == LNT_OK)
        status = lnt_relu_risk(ctx, zero, lnt_columns(teacher.M, 0, 0), NULL, teacher.M, teacher.V);
    if (status != LNT_OK)
        return status;
    *zero /= 2;
    lnt_record_fact(record, "teacher", "units", "", lnt_integer(TEACHER));
    lnt_record_fact(record, "teacher", "loss_of_zero", "", lnt_number(*zero));
    return LNT_OK;
}

/* Two identities: the mean over samples is the expectation, and at rest units are balanced. */
static lnt_status put_theory(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l)
{
    double *gen = lnt_alloc(ctx, 2 * (size_t)l->runs, sizeof *gen);
    if (!gen)
        return LNT_ENOMEM;
    double *validation = gen + l->runs;
    for (int arm = 0; arm < l->arms; arm++) {
        const char *name = lnt_sprintf(ctx, "%s: loss_validation, expectation over inputs", arms[arm].name);
        if (!name)
            return LNT_ENOMEM;
        lnt_layered_values(gen, l, arm, LNT_END_GEN);
        lnt_layered_values(validation, l, arm, LNT_END_VALIDATION);
        double expected = lnt_mean_of(gen, l->runs).mean, simulated = lnt_mean_of(validation, l->runs).mean;
        for (int k = 0; k < l->runs; k++)
            validation[k] -= gen[k];
        lnt_record_deviation(record, name, simulated, expected, NAN, lnt_mean_of(validation, l->runs).se);
    }
    return LNT_OK;
}

static void put_assumptions(lnt_record *record, const lnt_layered *l)
{
    double balance = 0, kkt = 0, fit = 0;
    for (int run = 0; run < l->runs; run++) {
        const double *ridge = lnt_layered_value(l, run, RIDGE);
        balance = fmax(balance, ridge[LNT_FROBENIUS] / ridge[LNT_UNIT_NORMS] - 1);
        kkt = fmax(kkt, ridge[LNT_KKT]);
        fit = fmax(fit, lnt_layered_value(l, run, PLAIN)[LNT_END_TRAIN]);
    }
    lnt_record_assumption(record, "ridge is at rest: largest violation of the optimality conditions", kkt, 1e-4,
                          "relu networks creep along kinks: its losses still change a little");
    lnt_record_assumption(record, "ridge is balanced: 1/2 (|M|_F^2 + |V|^2) over sum_j |m_j| |V_j|, less 1", balance,
                          1e-4, "train longer: weight decay is not yet the sum of the units' norms");
    lnt_record_assumption(record, "plain interpolates: loss_train", fit, 1e-8, "train longer: it still learns");
}

lnt_status lnt_nonlinear_study(lnt_ctx *ctx, lnt_record *record, const lnt_layered_opts *opts)
{
    lnt_layered l = {.opts = opts, .arm = arms, .arms = ARMS, .reference = RIDGE, .validation = true, .train = train};
    double zero = NAN;
    lnt_status status = lnt_layered_run(ctx, record, &l);
    if (status == LNT_OK)
        status = put_teacher(ctx, record, &zero, &l);
    if (status == LNT_OK)
        status = lnt_layered_report(ctx, record, &l);
    if (status == LNT_OK)
        status = put_theory(ctx, record, &l);
    if (status != LNT_OK)
        return status;
    put_assumptions(record, &l);
    double x[2] = {1, fmax(opts->epochs, 2)}, y[2] = {zero, zero};
    const lnt_curve level = {"nothing learned: f = 0", LNT_CURVE_THEORY, 2, x, y, NULL};
    return lnt_layered_figures(ctx, record, &l, &level, 1);
}
