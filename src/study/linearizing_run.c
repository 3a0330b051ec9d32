/* One network of the study of linearised training: trained, and linearised at its start. */
#include "linearizing.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

lnt_layers lnt_linearizing_net(const lnt_linearizing *l, int j, int *width)
{
    const lnt_linearizing_opts *o = l->opts;
    width[0] = l->X[LNT_TRAIN].rows;
    for (int k = 1; k <= o->depth; k++)
        width[k] = o->widths.item[j];
    width[o->depth + 1] = l->outputs;
    return (lnt_layers){.net = {o->depth + 1, width, (lnt_activation)o->activation},
                        .biases = o->bias_scale > 0,
                        .ntk = true,
                        .bias_scale = o->bias_scale};
}

lnt_smooth_rule lnt_linearizing_rule_of(const lnt_linearizing *l, const lnt_linearizing_run *run)
{
    bool descent = l->opts->rule == LNT_LINEARIZING_DESCENT;
    return (lnt_smooth_rule){descent ? run->eta : 0, l->opts->momentum, l->opts->pull};
}

/* A network at work. */
typedef struct training {
    lnt_ctx *ctx;
    const lnt_linearizing *l;
    lnt_linearizing_run *run;
    int index;
    lnt_layers net;
    int k;
    lnt_layers_work work;
    double *w0, *w;
    lnt_mat Theta;             /* at the start */
    lnt_mat linear[LNT_PARTS]; /* linearised outputs, a column for each time */
    lnt_mat F[LNT_PARTS], D;   /* outputs of the network; their residual */
    lnt_likelihood likelihood[LNT_PARTS];
    lnt_status status; /* of what was done inside a callback */
} training;

/* ---- The linearised network ---- */

static lnt_status outputs(training *t, lnt_mat F[LNT_PARTS], const double *w)
{
    lnt_status status = LNT_OK;
    for (int part = 0; part < LNT_PARTS && status == LNT_OK; part++)
        if (t->l->n[part])
            status = lnt_layers_forward(t->ctx, F[part], &t->net, w, t->l->X[part]);
    return status;
}

static lnt_status too_large(lnt_ctx *ctx, const lnt_linearizing *l, double top)
{
    const lnt_linearizing_opts *o = l->opts;
    double most = lnt_stable_step(top, o->momentum, o->pull) * top;
    return lnt_fail(ctx, LNT_EUSAGE,
                    "--eta %g is too large: descent on the linearised network is stable below %.4g, in units of "
                    "1/lam_max",
                    o->eta, most);
}

/* Columns of A <- a(t), from which all outputs of the linearised network follow. */
static lnt_status coefficients(training *t, lnt_mat A, const lnt_linearized *lin, double *times)
{
    const lnt_linearizing *l = t->l;
    lnt_smooth_rule rule = lnt_linearizing_rule_of(l, t->run);
    lnt_flow_info info = {.outputs = l->count};
    for (int k = 0; k < l->count; k++)
        times[k] = rule.eta > 0 ? l->t[k] : l->t[k] * t->run->eta;
    if (l->opts->likelihood == LNT_GAUSSIAN)
        return lnt_linearized_coefficients(t->ctx, A, lin, &rule, times, l->count);
    lnt_status status = lnt_linearized_descent(t->ctx, A, &info, t->Theta, lin->f0, &t->likelihood[LNT_TRAIN], &rule,
                                               times, l->count, NULL);
    t->run->stopped = info.outputs < l->count;
    return status;
}

static lnt_status keep_modes(training *t, const lnt_linearized *lin)
{
    size_t n = (size_t)lin->n;
    if (t->run->lam) {
        memcpy(t->run->lam, lin->lam, n * sizeof *lin->lam);
        memcpy(t->run->c, lin->c, n * sizeof *lin->c);
    }
    if (t->run->Theta.a)
        lnt_mat_copy(t->run->Theta, t->Theta);
    return LNT_OK;
}

static lnt_status linearize(training *t)
{
    const lnt_linearizing *l = t->l;
    int n = l->n[LNT_TRAIN], r = l->n[LNT_TEST];
    lnt_linearized lin;
    lnt_mat A, other;
    double *times = lnt_alloc(t->ctx, (size_t)l->count, sizeof *times);
    lnt_status status = times ? outputs(t, t->F, t->w0) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_ntk(t->ctx, t->Theta, &t->net, t->w0, l->X[LNT_TRAIN], (lnt_mat){0}, 1);
    if (status == LNT_OK)
        status = lnt_linearize(t->ctx, &lin, t->Theta, t->F[LNT_TRAIN].a, l->Y[LNT_TRAIN].a);
    if (status == LNT_OK)
        status = lnt_mat_alloc(t->ctx, &A, n, l->count);
    if (status != LNT_OK)
        return status;
    t->run->top = lin.lam[n - 1];
    if (!(t->run->top > 0))
        return lnt_fail(t->ctx, LNT_EDOMAIN, "the kernel is 0: no weight has an effect on the outputs");
    t->run->eta = l->opts->eta / t->run->top;
    lnt_smooth_rule rule = lnt_linearizing_rule_of(l, t->run);
    if (rule.eta > 0 && l->opts->likelihood == LNT_GAUSSIAN &&
        rule.eta >= lnt_stable_step(t->run->top, rule.beta, rule.lambda))
        return too_large(t->ctx, l, t->run->top);
    status = coefficients(t, A, &lin, times);
    if (status == LNT_OK)
        status = keep_modes(t, &lin);
    if (status == LNT_OK)
        lnt_linearized_elsewhere(t->linear[LNT_TRAIN], t->Theta, lin.f0, A);
    if (status != LNT_OK || !r)
        return status;
    if ((status = lnt_mat_alloc(t->ctx, &other, r, n)) == LNT_OK)
        status = lnt_ntk(t->ctx, other, &t->net, t->w0, l->X[LNT_TEST], l->X[LNT_TRAIN], 1);
    if (status == LNT_OK)
        lnt_linearized_elsewhere(t->linear[LNT_TEST], other, t->F[LNT_TEST].a, A);
    return status;
}

/* ---- What is kept ---- */

static double loss(const training *t, int part, const double *f)
{
    const lnt_linearizing *l = t->l;
    double sum = 0;
    if (l->opts->likelihood != LNT_GAUSSIAN)
        return -lnt_log_likelihood(&t->likelihood[part], f);
    for (int i = 0; i < l->n[part]; i++)
        sum += (l->Y[part].a[i] - f[i]) * (l->Y[part].a[i] - f[i]) / 2;
    return sum;
}

/* Curves at place k, from the outputs of the network. */
static void keep(training *t, int k)
{
    for (int part = 0; part < LNT_PARTS; part++) {
        int n = t->l->n[part], shown = t->l->n[LNT_TEST] ? LNT_TEST : LNT_TRAIN;
        double difference = 0;
        if (!n)
            continue;
        const lnt_mat side[LNT_SIDES] = {lnt_mat_view(t->F[part].a, n, 1), lnt_columns(t->linear[part], k, 1)};
        for (int s = 0; s < LNT_SIDES; s++) {
            t->run->curve[LNT_CURVE_LOSS + part * LNT_SIDES + s][k] = loss(t, part, side[s].a);
            t->run->curve[LNT_CURVE_SIZE + part * LNT_SIDES + s][k] = lnt_mat_rms(side[s]);
            for (int i = 0; i < LNT_SHOWN && i < n && part == shown && t->run->shown[s]; i++)
                t->run->shown[s][i * t->l->count + k] = side[s].a[i];
        }
        for (int i = 0; i < n; i++)
            difference += (side[0].a[i] - side[1].a[i]) * (side[0].a[i] - side[1].a[i]);
        t->run->curve[LNT_CURVE_DEVIATION + part][k] = sqrt(difference / n);
    }
}

/* How far kernel and weights are from their start. */
static lnt_status measure(training *t, const double *w, int k)
{
    lnt_mark mark = lnt_ctx_mark(t->ctx);
    lnt_mat Theta;
    double moved = 0, size = 0;
    lnt_status status = lnt_mat_alloc(t->ctx, &Theta, t->Theta.rows, t->Theta.cols);
    if (status == LNT_OK)
        status = lnt_ntk(t->ctx, Theta, &t->net, w, t->l->X[LNT_TRAIN], (lnt_mat){0}, 1);
    if (status == LNT_OK) {
        lnt_mat_add(Theta, -1, t->Theta);
        t->run->curve[LNT_CURVE_KERNEL][k] = lnt_mat_norm(Theta) / lnt_mat_norm(t->Theta);
        for (int i = 0; i < t->k; i++) {
            moved += (w[i] - t->w0[i]) * (w[i] - t->w0[i]);
            size += t->w0[i] * t->w0[i];
        }
        t->run->curve[LNT_CURVE_MOVED][k] = sqrt(moved / size);
    }
    lnt_ctx_reset(t->ctx, mark);
    return status;
}

static lnt_status look(training *t, const double *w, int k)
{
    lnt_status status = outputs(t, t->F, w);
    if (status != LNT_OK)
        return status;
    keep(t, k);
    for (int part = 0; part < LNT_PARTS; part++)
        if (t->l->n[part] && !isfinite(t->run->curve[LNT_CURVE_SIZE + part * LNT_SIDES + LNT_TRAINED][k]))
            return lnt_fail(t->ctx, LNT_EDIVERGED,
                            "width %d, run %d: training diverged before t = %g; use a smaller --eta than %g",
                            t->l->opts->widths.item[t->index % t->l->opts->widths.count],
                            t->index / t->l->opts->widths.count, t->l->t[k], t->l->opts->eta);
    bool reported = false;
    for (int i = 0; i < t->l->reported; i++)
        reported = reported || t->l->at[i] == k;
    return reported ? measure(t, w, k) : LNT_OK;
}

/* ---- The network itself ---- */

/* g <- minus the gradient of the loss. */
static void descend(training *t, double *g, const double *w)
{
    lnt_mat X = t->l->X[LNT_TRAIN];
    int L = t->net.net.depth;
    lnt_mat_fill(lnt_mat_view(g, t->k, 1), 0);
    for (int i = 0; i < X.cols; i += t->work.width) {
        int N = X.cols - i < t->work.width ? X.cols - i : t->work.width;
        lnt_likelihood part = t->likelihood[LNT_TRAIN];
        lnt_mat D = lnt_block(t->work.D, 0, 0, t->l->outputs, N), F = lnt_columns(t->work.Z[L], 0, N);
        D.ld = D.rows; /* dense, as the likelihood has it */
        part.n = (size_t)D.rows * (size_t)N;
        part.d += (size_t)i * (size_t)D.rows;
        lnt_layers_pass(&t->work, &t->net, w, lnt_columns(X, i, N), false);
        lnt_likelihood_gradient(D.a, &part, F.a);
        for (int l = L; l >= 1; l--) {
            double *b = lnt_layers_biases(&t->net, g, l);
            lnt_gemm(lnt_layers_weights(&t->net, g, l), lnt_layers_scale(&t->net, l), LNT_N, D, LNT_T,
                     lnt_columns(t->work.Z[l - 1], 0, N), 1);
            for (int j = 0; b && j < N; j++)
                lnt_vec_add(D.rows, lnt_layers_bias_scale(&t->net), lnt_at(D, 0, j), b);
            if (l == 1)
                break;
            lnt_mat below =
                lnt_block(D.a == t->work.D.a ? t->work.D_next : t->work.D, 0, 0, t->net.net.width[l - 1], N);
            lnt_layers_back(below, &t->work, &t->net, w, l, D);
            D = below;
        }
    }
    for (int i = 0; i < t->k && t->l->opts->pull > 0; i++)
        g[i] -= t->l->opts->pull * (w[i] - t->w0[i]);
}

static int slope(double *dw, double time, const double *w, void *user)
{
    (void)time;
    descend(user, dw, w);
    return 0;
}

static int output(double time, int k, const double *w, void *user)
{
    training *t = user;
    (void)time;
    t->status = look(t, w, k);
    return t->status == LNT_OK ? 0 : -1;
}

static lnt_status flow(training *t)
{
    const lnt_linearizing *l = t->l;
    lnt_ode ode = {.size = (size_t)t->k, .slope = slope, .output = output, .user = t};
    lnt_flow_opts opts;
    lnt_flow_info info;
    double *times = lnt_alloc(t->ctx, (size_t)l->count, sizeof *times);
    if (!times)
        return LNT_ENOMEM;
    lnt_flow_defaults(&opts);
    opts.atol = 1e-10; /* weights are of order 1 */
    for (int k = 0; k < l->count; k++)
        times[k] = l->t[k] * t->run->eta;
    lnt_status status = lnt_flow(t->ctx, (lnt_mat){0}, &info, &ode, t->w0, 0, times, l->count, &opts);
    if (t->status != LNT_OK)
        return t->status;
    if (status == LNT_OK && info.outputs < l->count && !lnt_cancelled(t->ctx))
        status = lnt_fail(t->ctx, LNT_EDIVERGED, "the gradient flow of width %d stops at t = %g: use --rule descent",
                          l->opts->widths.item[t->index % l->opts->widths.count], info.t / t->run->eta);
    t->run->done = status == LNT_OK && info.outputs == l->count;
    return status;
}

static lnt_status steps(training *t)
{
    const lnt_linearizing *l = t->l;
    double *g = lnt_alloc(t->ctx, (size_t)t->k, sizeof *g), *m = lnt_alloc_zero(t->ctx, (size_t)t->k, sizeof *m);
    long step = 0;
    lnt_status status = g && m ? LNT_OK : LNT_ENOMEM;
    memcpy(t->w, t->w0, (size_t)t->k * sizeof *t->w);
    for (int k = 0; k < l->count && status == LNT_OK; k++) {
        for (; step < (long)l->t[k]; step++) {
            if (lnt_cancelled(t->ctx))
                return LNT_OK;
            descend(t, g, t->w);
            for (int i = 0; i < t->k; i++) {
                m[i] = l->opts->momentum * m[i] + g[i];
                t->w[i] += t->run->eta * m[i];
            }
        }
        status = look(t, t->w, k);
    }
    t->run->done = status == LNT_OK;
    return status;
}

static lnt_status set_up(training *t, int *width)
{
    const lnt_linearizing *l = t->l;
    const lnt_linearizing_opts *o = l->opts;
    int j = t->index % o->widths.count;
    uint32_t stream = (uint32_t)(t->index / o->widths.count) * 65536U + (uint32_t)o->widths.item[j];
    lnt_rng rng = lnt_rng_stream(o->seed, stream, LNT_FOR_WEIGHTS);
    t->net = lnt_linearizing_net(l, j, width);
    t->k = (int)lnt_layers_size(&t->net);
    t->w0 = lnt_alloc(t->ctx, (size_t)t->k, sizeof *t->w0);
    t->w = lnt_alloc(t->ctx, (size_t)t->k, sizeof *t->w);
    lnt_status status = t->w0 && t->w ? LNT_OK : LNT_ENOMEM;
    for (int part = 0; part < LNT_PARTS && status == LNT_OK; part++) {
        if (!l->n[part])
            continue;
        t->likelihood[part] = (lnt_likelihood){.kind = (lnt_likelihood_kind)o->likelihood,
                                               .n = (size_t)l->n[part],
                                               .d = l->Y[part].a,
                                               .classes = l->outputs,
                                               .beta = 1};
        if ((status = lnt_mat_alloc(t->ctx, &t->linear[part], l->n[part], l->count)) == LNT_OK)
            status = lnt_mat_alloc(t->ctx, &t->F[part], l->outputs, l->X[part].cols);
    }
    if (status == LNT_OK)
        status = lnt_mat_alloc(t->ctx, &t->Theta, l->n[LNT_TRAIN], l->n[LNT_TRAIN]);
    if (status == LNT_OK)
        status =
            lnt_layers_work_alloc(t->ctx, &t->work, &t->net, l->X[LNT_TRAIN].cols < 256 ? l->X[LNT_TRAIN].cols : 256);
    if (status == LNT_OK)
        lnt_layers_start(t->w0, &t->net, LNT_START_NORMAL, l->X[LNT_TRAIN], &rng);
    return status;
}

lnt_status lnt_linearizing_one(lnt_ctx *ctx, int index, void *linearizing)
{
    lnt_linearizing *l = linearizing;
    training t = {.ctx = ctx, .l = l, .run = &l->run[index], .index = index};
    if (lnt_cancelled(ctx))
        return LNT_OK;
    int *width = lnt_alloc(ctx, (size_t)l->opts->depth + 2, sizeof *width);
    lnt_status status = width ? set_up(&t, width) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = linearize(&t);
    if (status == LNT_OK)
        status = l->opts->rule == LNT_LINEARIZING_FLOW ? flow(&t) : steps(&t);
    if (status == LNT_OK)
        lnt_progress_step(ctx);
    return status;
}
