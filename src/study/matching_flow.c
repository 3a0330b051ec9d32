/* Gradient flow of wiring: closed forms against integration, all in r x r coordinates, Q = U'ZU. */
#include "matching.h"
#include "setup.h"

#include "linnet/flow.h"
#include "linnet/linalg.h"

#include <math.h>

#define SLOWEST 1e-2  /* share of the largest eigenvalue of the target whose mode is still waited for */
#define MOST_SPAN 1e6 /* slowest over fastest time of the flow of the inputs as they are */
#define MOST_MODES 20
#define MOST_RANK 300 /* r^2 unknowns are integrated */

void lnt_matching_flow_defaults(lnt_matching_flow_opts *opts)
{
    *opts = (lnt_matching_flow_opts){.modes = 5, .times = 60};
}

/* What is integrated: dQ/dt = 2 Q D (R - D Q'QD) D - lambda (Q - I), or its linear model in W = Q - I. */
typedef struct wiring_flow {
    int r;
    const double *sv; /* D */
    lnt_mat R;
    double lambda;
    bool linear;
    lnt_mat E;
} wiring_flow;

typedef struct dynamics {
    const lnt_matching_flow_opts *opts;
    lnt_matching_task task;
    int r, count;
    double *t, *t_loss;
    double *ones, *sg;    /* eigenvalues of the scaled target, descending */
    lnt_mat S, V;         /* scaled target, its eigenvectors */
    lnt_mat mode, theory; /* times x modes */
    double worst_riccati, worst_mode, worst_linear, size_riccati, size_linear;
    double *full, *linear, *integrated;
    lnt_flow_info info[3];
} dynamics;

static int slope(double *dy, double t, const double *y, void *user)
{
    wiring_flow *f = user;
    int r = f->r;
    lnt_mat Q = lnt_mat_view((double *)(uintptr_t)y, r, r), dQ = lnt_mat_view(dy, r, r);
    (void)t;
    if (f->linear) { /* 4 ss^2 + lambda for the symmetric part */
        for (int j = 0; j < r; j++)
            for (int i = 0; i < r; i++) {
                double ss = f->sv[i] * f->sv[j], error = *lnt_at(f->R, i, j) - (i == j ? ss : 0);
                double change = *lnt_at(Q, i, j) + *lnt_at(Q, j, i);
                *lnt_at(dQ, i, j) = 2 * ss * (error - ss * change) - f->lambda * *lnt_at(Q, i, j);
            }
        return 0;
    }
    lnt_syrk(f->E, 1, LNT_T, Q, 0);
    lnt_symmetrize(f->E);
    for (int j = 0; j < r; j++)
        for (int i = 0; i < r; i++) {
            double ss = f->sv[i] * f->sv[j];
            *lnt_at(f->E, i, j) = ss * (*lnt_at(f->R, i, j) - ss * *lnt_at(f->E, i, j));
        }
    lnt_mat_copy(dQ, Q);
    for (int i = 0; i < r; i++)
        *lnt_at(dQ, i, i) -= 1;
    lnt_gemm(dQ, 2, LNT_N, Q, LNT_N, f->E, -f->lambda);
    return 0;
}

/* Y (r^2 x times) <- the flow from `start` times I. */
static lnt_status integrate(lnt_ctx *ctx, lnt_mat Y, lnt_flow_info *info, wiring_flow *f, double start, const double *t,
                            int count)
{
    lnt_flow_opts opts;
    lnt_mat Q;
    lnt_flow_defaults(&opts);
    opts.rtol = 1e-11;
    opts.atol = 1e-12;
    lnt_ode ode = {.size = (size_t)f->r * (size_t)f->r, .slope = slope, .user = f};
    lnt_status status = lnt_mat_alloc_zero(ctx, &Q, f->r, f->r);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &f->E, f->r, f->r);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < f->r; i++)
        *lnt_at(Q, i, i) = start;
    return lnt_flow(ctx, Y, info, &ode, Q.a, 0, t, count, &opts);
}

/* ---- Whitened inputs ---- */

static lnt_status scale_target(lnt_ctx *ctx, dynamics *d)
{
    const lnt_match *m = &d->task.problem;
    lnt_mat A;
    double trace = 0, *w = lnt_alloc(ctx, (size_t)d->r, sizeof *w);
    lnt_mat *mats[] = {&d->S, &d->V, &A};
    lnt_status status = w ? LNT_OK : LNT_ENOMEM;
    for (int k = 0; k < 3 && status == LNT_OK; k++)
        status = lnt_mat_alloc(ctx, mats[k], d->r, d->r);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < d->r; i++)
        trace += *lnt_at(m->R, i, i);
    if (!(trace > 0))
        return lnt_fail(ctx, LNT_EDOMAIN, "the trace of the target is not above 0: there is nothing to be learned");
    lnt_mat_copy(d->S, m->R);
    lnt_mat_scale(d->S, d->r / trace);
    lnt_mat_copy(A, d->S);
    status = lnt_eigh(ctx, w, d->V, A);
    for (int i = 0; i < d->r; i++)
        d->sg[i] = w[d->r - 1 - i];
    return status;
}

static void equal_ratios(double *t, int count, double first, double last)
{
    t[0] = 0;
    for (int k = 1; k < count; k++)
        t[k] = count > 2 ? first * pow(last / first, (k - 1.) / (count - 2)) : last;
}

/* v' C v of mode k, 0 the largest. */
static double along(const dynamics *d, lnt_mat C, int k, double *work)
{
    const double *v = lnt_at(d->V, 0, d->r - 1 - k);
    lnt_gemv(work, 1, LNT_N, C, v, 0);
    return lnt_vec_dot(d->r, v, work);
}

static lnt_status whitened(lnt_ctx *ctx, dynamics *d)
{
    wiring_flow f = {.r = d->r, .sv = d->ones, .R = d->S};
    lnt_mat Y, C, Q2, I;
    double *work = lnt_alloc(ctx, (size_t)d->r, sizeof *work);
    lnt_mat *mats[] = {&C, &Q2, &I};
    lnt_status status = work ? lnt_mat_alloc(ctx, &Y, d->r * d->r, d->count) : LNT_ENOMEM;
    for (int k = 0; k < 3 && status == LNT_OK; k++)
        status = lnt_mat_alloc_zero(ctx, mats[k], d->r, d->r);
    if (status != LNT_OK)
        return status;
    lnt_mat_identity(I);
    equal_ratios(d->t, d->count, 1e-2 / (4 * d->sg[0]), 5 / (4 * SLOWEST * d->sg[0]));
    status = integrate(ctx, Y, &d->info[0], &f, 1, d->t, d->count);
    for (int k = 0; k < d->count && status == LNT_OK; k++) {
        lnt_mat Q = lnt_mat_view(lnt_at(Y, 0, k), d->r, d->r);
        lnt_gemm(Q2, 1, LNT_T, Q, LNT_N, Q, 0);
        status = lnt_match_riccati(ctx, C, d->S, I, d->t[k]);
        for (int j = 0; j < d->mode.cols && status == LNT_OK; j++) {
            double q = lnt_match_mode_flow(1, 1, d->sg[j], d->t[k]);
            *lnt_at(d->mode, k, j) = along(d, Q2, j, work);
            *lnt_at(d->theory, k, j) = q * q;
            d->worst_mode = fmax(d->worst_mode, fabs(along(d, C, j, work) - q * q) / fmax(q * q, d->sg[0]));
        }
        d->size_riccati = fmax(d->size_riccati, lnt_mat_norm(C));
        lnt_mat_add(Q2, -1, C);
        d->worst_riccati = fmax(d->worst_riccati, lnt_mat_norm(Q2));
    }
    return status;
}

/* ---- Inputs as they are ---- */

/* 1/2 |R - D Q'Q D|^2 + lambda/2 |Q - I|^2 + c_out, or that of the linear model. */
static double loss(const wiring_flow *f, lnt_mat Q, lnt_mat work, double outside)
{
    double sum = outside;
    if (!f->linear)
        lnt_gemm(work, 1, LNT_T, Q, LNT_N, Q, 0);
    for (int j = 0; j < f->r; j++)
        for (int i = 0; i < f->r; i++) {
            double ss = f->sv[i] * f->sv[j], one = i == j;
            double C = f->linear ? one + *lnt_at(Q, i, j) + *lnt_at(Q, j, i) : *lnt_at(work, i, j);
            double e = *lnt_at(f->R, i, j) - ss * C, w = *lnt_at(Q, i, j) - (f->linear ? 0 : one);
            sum += e * e / 2 + f->lambda / 2 * w * w;
        }
    return sum;
}

/* W(t) = W* (1 - exp(-(4 ss^2 + lambda) t)), entry by entry. */
static void closed_form(lnt_mat W, const wiring_flow *f, double t)
{
    for (int j = 0; j < f->r; j++)
        for (int i = 0; i < f->r; i++) {
            double ss = f->sv[i] * f->sv[j], rate = 4 * ss * ss + f->lambda,
                   error = *lnt_at(f->R, i, j) - (i == j ? ss : 0);
            *lnt_at(W, i, j) = -2 * ss * error / rate * expm1(-rate * t);
        }
}

static lnt_status as_they_are(lnt_ctx *ctx, dynamics *d)
{
    const lnt_match *m = &d->task.problem;
    double top = 4 * pow(m->sv[0], 4) + d->opts->lambda, low = 4 * pow(m->sv[d->r - 1], 4) + d->opts->lambda;
    wiring_flow f = {.r = d->r, .sv = m->sv, .R = m->R, .lambda = d->opts->lambda};
    lnt_mat Y, W, work;
    equal_ratios(d->t_loss, d->count, 1e-2 / top, fmin(5 / low, MOST_SPAN / top));
    lnt_status status = lnt_mat_alloc(ctx, &Y, d->r * d->r, d->count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &W, d->r, d->r);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &work, d->r, d->r);
    for (int linear = 0; linear < 2 && status == LNT_OK; linear++) {
        f.linear = linear;
        status = integrate(ctx, Y, &d->info[1 + linear], &f, 1 - linear, d->t_loss, d->count);
        for (int k = 0; k < d->count && status == LNT_OK; k++) {
            lnt_mat Q = lnt_mat_view(lnt_at(Y, 0, k), d->r, d->r);
            (linear ? d->integrated : d->full)[k] = loss(&f, Q, work, m->outside);
            if (!linear)
                continue;
            closed_form(W, &f, d->t_loss[k]);
            d->linear[k] = loss(&f, W, work, m->outside);
            d->size_linear = fmax(d->size_linear, lnt_mat_norm(W));
            lnt_mat_add(W, -1, Q);
            d->worst_linear = fmax(d->worst_linear, lnt_mat_norm(W));
        }
    }
    return status;
}

/* ---- Record ---- */

static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const dynamics *d)
{
    lnt_curve modes[2 * MOST_MODES], losses[3];
    int n = 0;
    for (int j = 0; j < d->mode.cols; j++) {
        const char *label = lnt_sprintf(ctx, "mode %d, s = %.3g", j + 1, d->sg[j]);
        if (!label)
            return LNT_ENOMEM;
        modes[n++] = (lnt_curve){label, LNT_CURVE_POINTS, d->count - 1, d->t + 1, lnt_at(d->mode, 1, j), NULL};
    }
    for (int j = 0; j < d->mode.cols; j++)
        modes[n++] = (lnt_curve){
            j ? "" : "logistic curve", LNT_CURVE_THEORY, d->count - 1, d->t + 1, lnt_at(d->theory, 1, j), NULL};
    losses[0] = (lnt_curve){"full problem", LNT_CURVE_LINE, d->count - 1, d->t_loss + 1, d->full + 1, NULL};
    losses[1] = (lnt_curve){"linear model", LNT_CURVE_LINE, d->count - 1, d->t_loss + 1, d->integrated + 1, NULL};
    losses[2] =
        (lnt_curve){"linear model, closed form", LNT_CURVE_THEORY, d->count - 1, d->t_loss + 1, d->linear + 1, NULL};
    const lnt_panel panel[] = {{.title = "whitened inputs",
                                .xlabel = "time t",
                                .ylabel = "covariance along the eigenvector",
                                .logx = true,
                                .curves = n,
                                .curve = modes},
                               {.title = "inputs as they are",
                                .xlabel = "time t",
                                .ylabel = "loss",
                                .logx = true,
                                .logy = true,
                                .curves = 3,
                                .curve = losses}};
    const lnt_figure figure = {
        "dynamics",
        "Gradient flow of the wiring from Z = I: modes of the covariance for whitened inputs, and losses "
        "for the inputs as they are; dashed closed forms.",
        2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

static lnt_status put_series(lnt_ctx *ctx, lnt_record *record, const dynamics *d)
{
    lnt_record_series(record, "t", "", d->t, d->count);
    for (int j = 0; j < d->mode.cols; j++) {
        const char *ours = lnt_sprintf(ctx, "mode_%d/integrated", j + 1),
                   *theirs = lnt_sprintf(ctx, "mode_%d/theory", j + 1);
        if (!ours || !theirs)
            return LNT_ENOMEM;
        lnt_record_series(record, ours, "", lnt_at(d->mode, 0, j), d->count);
        lnt_record_series(record, theirs, "", lnt_at(d->theory, 0, j), d->count);
    }
    lnt_record_series(record, "t_loss", "", d->t_loss, d->count);
    lnt_record_series(record, "loss/full", "", d->full, d->count);
    lnt_record_series(record, "loss/linear", "", d->linear, d->count);
    lnt_record_series(record, "loss/linear_integrated", "", d->integrated, d->count);
    return LNT_OK;
}

static lnt_status report(lnt_ctx *ctx, lnt_record *record, const dynamics *d)
{
    lnt_table *table = lnt_record_table(record, "modes");
    lnt_matching_put_task(record, &d->task);
    for (int j = 0; j < d->mode.cols; j++) {
        double s = d->sg[j], c = (1 + s) / 2; /* half-way from 1 to s: (s/c - 1)/(s - 1) = exp(-4 s t) */
        lnt_table_row(table);
        lnt_table_set(table, "mode", "", lnt_integer(j + 1));
        lnt_table_set(table, "target", "", lnt_number(s));
        lnt_table_set(table, "half_time", "",
                      s > 0 && s != 1 ? lnt_number(-log((s / c - 1) / (s - 1)) / (4 * s)) : (lnt_value){0});
        lnt_table_set(table, "final", "", lnt_number(*lnt_at(d->mode, d->count - 1, j)));
    }
    static const char *const names[] = {"whitened", "full", "linear"};
    for (int k = 0; k < 3; k++)
        if (d->info[k].stop != LNT_FLOW_DONE)
            lnt_record_warn(record, "the integration (%s) stopped at t = %.4g", names[k], d->info[k].t);
    lnt_record_deviation(record, "C(t), integrated against Riccati, worst time", d->size_riccati, d->size_riccati,
                         d->worst_riccati, NAN);
    lnt_record_deviation(record, "W(t) of the linear model, integrated against closed form", d->size_linear,
                         d->size_linear, d->worst_linear, NAN);
    lnt_record_check(record, "C(t), integrated against Riccati", d->worst_riccati / d->size_riccati, 0, 1e-9);
    lnt_record_check(record, "modes of Riccati against logistic curves", d->worst_mode, 0, 1e-9);
    lnt_record_check(record, "linear model, integrated against closed form",
                     d->worst_linear / fmax(d->size_linear, 1e-300), 0, 1e-9);
    lnt_status status = put_series(ctx, record, d);
    return status == LNT_OK ? put_figure(ctx, record, d) : status;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    dynamics all = {.opts = user}, *d = &all;
    lnt_status status = lnt_matching_read(ctx, &d->task, &d->opts->data, true, NULL);
    if (status != LNT_OK)
        return status;
    d->r = d->task.problem.rank;
    d->count = d->opts->times;
    if (d->r < 1 || d->r > MOST_RANK)
        return lnt_fail(ctx, LNT_EUSAGE, "inputs of rank %d: between 1 and %d are integrated", d->r, MOST_RANK);
    int modes = d->opts->modes < d->r ? d->opts->modes : d->r;
    double **arrays[] = {&d->t, &d->t_loss, &d->full, &d->linear, &d->integrated};
    for (int k = 0; k < 5; k++)
        if (!(*arrays[k] = lnt_alloc(ctx, (size_t)d->count, sizeof(double))))
            return LNT_ENOMEM;
    d->sg = lnt_alloc(ctx, (size_t)d->r, sizeof *d->sg);
    d->ones = lnt_alloc(ctx, (size_t)d->r, sizeof *d->ones);
    if (!d->sg || !d->ones || lnt_mat_alloc(ctx, &d->mode, d->count, modes) != LNT_OK)
        return LNT_ENOMEM;
    for (int i = 0; i < d->r; i++)
        d->ones[i] = 1;
    status = lnt_mat_alloc(ctx, &d->theory, d->count, modes);
    if (status == LNT_OK)
        status = scale_target(ctx, d);
    if (status == LNT_OK)
        status = whitened(ctx, d);
    if (status == LNT_OK)
        status = as_they_are(ctx, d);
    if (status == LNT_OK && lnt_cancelled(ctx))
        return lnt_fail(ctx, LNT_EUSER, "interrupted: there is nothing to keep");
    return status == LNT_OK ? report(ctx, record, d) : status;
}

lnt_status lnt_matching_flow_study(lnt_ctx *ctx, lnt_record *record, const lnt_matching_flow_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_matching_flow_options, opts, study);
}
