/* Weight decay on the query and key weights of attention: the nuclear norm of their product. */
#include "layered.h"
#include "linnet/flow.h"
#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

#define SIZE 20  /* of M* */
#define HEAD 8   /* columns of W_Q and W_K */
#define NARROW 3 /* fewer than the rank of M* */
#define RANK 5
#define START .3 /* standard deviation of the first weights */
#define ETA .05
#define LEARNED 1e-6 /* singular values above count as rank */
#define TIMES 9      /* of the flow */
#define FLOW_DECAY .5

static const double target[RANK] = {5, 4, 3, 2, 1};

typedef struct arm {
    const char *name;
    double decay;
    int head;
} arm;

static const arm arms[] = {{"decay_0.2", .2, HEAD},  {"decay_0.5", .5, HEAD},  {"decay_1.5", 1.5, HEAD},
                           {"decay_2.5", 2.5, HEAD}, {"decay_4.5", 4.5, HEAD}, {"narrow", .5, NARROW}};
enum { ARMS = sizeof arms / sizeof *arms };

/* What is followed, and what is found at the end of a run. */
typedef struct run {
    double *loss, *nuclear; /* at the points kept */
    double s[SIZE], kkt, imbalance;
    lnt_factor_penalties penalties;
} run;

typedef struct study {
    const lnt_layered_opts *opts;
    lnt_mat M; /* M* */
    int points, *epoch;
    run *run; /* run by arm */
} study;

/* ---- Descent ---- */

typedef struct head {
    lnt_mat Q, K, R, gQ, gK; /* R = W_Q W_K' - M* */
} head;

static lnt_status make_head(lnt_ctx *ctx, head *h, int width, uint64_t seed, int index)
{
    lnt_mat *all[] = {&h->Q, &h->K, &h->gQ, &h->gK};
    lnt_rng rng = lnt_rng_stream(seed, (uint32_t)index, LNT_FOR_WEIGHTS);
    lnt_status status = lnt_mat_alloc(ctx, &h->R, SIZE, SIZE);
    for (int k = 0; k < 4 && status == LNT_OK; k++)
        status = lnt_mat_alloc(ctx, all[k], SIZE, width);
    for (int k = 0; k < 2 && status == LNT_OK; k++)
        for (int i = 0; i < SIZE * width; i++)
            all[k]->a[i] = START * lnt_rng_normal(&rng);
    return status;
}

/* Gradients of 1/2 |R|_F^2 + decay/2 (|W_Q|_F^2 + |W_K|_F^2). */
static void gradients(head *h, lnt_mat M, double decay)
{
    lnt_mat_copy(h->R, M);
    lnt_gemm(h->R, 1, LNT_N, h->Q, LNT_T, h->K, -1);
    lnt_mat_copy(h->gQ, h->Q);
    lnt_mat_copy(h->gK, h->K);
    lnt_gemm(h->gQ, 1, LNT_N, h->R, LNT_N, h->K, decay);
    lnt_gemm(h->gK, 1, LNT_T, h->R, LNT_N, h->Q, decay);
}

/* C <- W_Q' W_Q - W_K' W_K. */
static void imbalance(lnt_mat C, lnt_mat Q, lnt_mat K)
{
    lnt_gemm(C, 1, LNT_T, Q, LNT_N, Q, 0);
    lnt_gemm(C, -1, LNT_T, K, LNT_N, K, 1);
}

static lnt_status finish(lnt_ctx *ctx, run *r, const head *h)
{
    lnt_mat P, U, VT, C;
    lnt_status status = lnt_mat_alloc(ctx, &P, SIZE, SIZE);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, SIZE, SIZE);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, SIZE, SIZE);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &C, h->Q.cols, h->Q.cols);
    if (status == LNT_OK)
        status = lnt_penalties_of_factors(ctx, &r->penalties, h->Q, h->K);
    if (status != LNT_OK)
        return status;
    lnt_gemm(P, 1, LNT_N, h->Q, LNT_T, h->K, 0);
    imbalance(C, h->Q, h->K);
    r->imbalance = lnt_mat_norm(C);
    r->kkt = fmax(lnt_mat_max(h->gQ), lnt_mat_max(h->gK));
    return lnt_svd(ctx, U, r->s, VT, P);
}

static lnt_status descend(lnt_ctx *ctx, int index, void *user)
{
    study *s = user;
    const arm *a = &arms[index % ARMS];
    run *r = &s->run[index];
    head h;
    lnt_status status = make_head(ctx, &h, a->head, s->opts->seed, index / ARMS);
    for (int epoch = 0, point = 0; status == LNT_OK && !lnt_cancelled(ctx); epoch++) {
        gradients(&h, s->M, a->decay);
        if (s->epoch[point] == epoch) {
            lnt_factor_penalties p;
            double norm = lnt_mat_norm(h.R);
            status = lnt_penalties_of_factors(ctx, &p, h.Q, h.K);
            r->loss[point] = norm * norm / 2;
            r->nuclear[point++] = p.nuclear;
        }
        if (epoch == s->opts->epochs)
            break;
        lnt_mat_add(h.Q, -ETA, h.gQ);
        lnt_mat_add(h.K, -ETA, h.gK);
        lnt_progress_step(ctx);
    }
    return status == LNT_OK ? finish(ctx, r, &h) : status;
}

/* M* = U diag(target) V'. */
static lnt_status make_target(lnt_ctx *ctx, study *s)
{
    lnt_rng rng = lnt_rng_stream(s->opts->seed, 0, LNT_FOR_TASK);
    lnt_mat U, V;
    lnt_status status = lnt_mat_alloc(ctx, &s->M, SIZE, SIZE);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, SIZE, RANK);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &V, SIZE, RANK);
    if (status == LNT_OK)
        status = lnt_rng_orthogonal(ctx, U, &rng);
    if (status == LNT_OK)
        status = lnt_rng_orthogonal(ctx, V, &rng);
    for (int k = 0; k < RANK && status == LNT_OK; k++)
        lnt_mat_scale(lnt_columns(U, k, 1), target[k]);
    if (status == LNT_OK)
        lnt_gemm(s->M, 1, LNT_N, U, LNT_T, V, 0);
    return status;
}

static lnt_status allocate(lnt_ctx *ctx, study *s)
{
    size_t items = (size_t)s->opts->seeds * ARMS, points;
    s->points = lnt_layered_epochs(NULL, s->opts->epochs);
    points = (size_t)s->points;
    s->epoch = lnt_alloc(ctx, points, sizeof *s->epoch);
    s->run = lnt_alloc_zero(ctx, items, sizeof *s->run);
    if (!s->epoch || !s->run)
        return LNT_ENOMEM;
    lnt_layered_epochs(s->epoch, s->opts->epochs);
    for (size_t k = 0; k < items; k++) {
        s->run[k].loss = lnt_alloc(ctx, 2 * points, sizeof(double));
        if (!s->run[k].loss)
            return LNT_ENOMEM;
        s->run[k].nuclear = s->run[k].loss + points;
    }
    return LNT_OK;
}

/* ---- The flow: W_Q'W_Q - W_K'W_K decays as e^{-2 decay t} ---- */

typedef struct flow {
    head h;
    lnt_mat M;
} flow;

static int slope(double *dy, double t, const double *y, void *user)
{
    flow *f = user;
    size_t n = (size_t)SIZE * HEAD;
    (void)t;
    memcpy(f->h.Q.a, y, n * sizeof *y);
    memcpy(f->h.K.a, y + n, n * sizeof *y);
    gradients(&f->h, f->M, FLOW_DECAY);
    for (size_t i = 0; i < n; i++) {
        dy[i] = -f->h.gQ.a[i];
        dy[n + i] = -f->h.gK.a[i];
    }
    return 0;
}

static lnt_status put_flow(lnt_ctx *ctx, lnt_record *record, const study *s)
{
    flow f = {.M = s->M};
    lnt_flow_opts opts;
    lnt_mat Y, C0, C;
    double times[TIMES], y0[2 * SIZE * HEAD], worst = 0;
    size_t n = (size_t)SIZE * HEAD;
    const lnt_ode ode = {.size = 2 * n, .slope = slope, .user = &f};
    lnt_flow_defaults(&opts);
    opts.rtol = 1e-11;
    lnt_status status = make_head(ctx, &f.h, HEAD, s->opts->seed, 0);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, (int)(2 * n), TIMES);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &C0, HEAD, HEAD);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &C, HEAD, HEAD);
    if (status != LNT_OK)
        return status;
    memcpy(y0, f.h.Q.a, n * sizeof *y0);
    memcpy(y0 + n, f.h.K.a, n * sizeof *y0);
    imbalance(C0, f.h.Q, f.h.K);
    for (int k = 0; k < TIMES; k++)
        times[k] = .5 * k;
    status = lnt_flow(ctx, Y, NULL, &ode, y0, 0, times, TIMES, &opts);
    for (int k = 0; k < TIMES && status == LNT_OK; k++) {
        double decay = exp(-2 * FLOW_DECAY * times[k]), *y = lnt_at(Y, 0, k), simulated;
        imbalance(C, lnt_mat_view(y, SIZE, HEAD), lnt_mat_view(y + n, SIZE, HEAD));
        simulated = lnt_mat_norm(C);
        lnt_mat_add(C, -decay, C0);
        worst = fmax(worst, lnt_mat_norm(C) / (decay * lnt_mat_norm(C0)));
        lnt_table *table = lnt_record_table(record, "flow");
        lnt_table_row(table);
        lnt_table_set(table, "t", "", lnt_number(times[k]));
        lnt_table_set(table, "imbalance", "", lnt_number(simulated));
        lnt_table_set(table, "predicted", "", lnt_number(decay * lnt_mat_norm(C0)));
    }
    if (status == LNT_OK)
        lnt_record_deviation(record, "flow: relative imbalance against e^(-2 decay t)", 1 + worst, 1, worst, NAN);
    return status;
}

/* ---- What was found ---- */

static double predicted_objective(const double *expected, double decay)
{
    double sum = 0;
    for (int k = 0; k < SIZE; k++) {
        double rest = (k < RANK ? target[k] : 0) - expected[k];
        sum += rest * rest / 2 + decay * expected[k];
    }
    return sum;
}

static int rank_of(const double *s)
{
    int rank = 0;
    for (int k = 0; k < SIZE; k++)
        rank += s[k] > LEARNED;
    return rank;
}

static void expect(double expected[SIZE], const arm *a)
{
    double s[SIZE] = {0};
    memcpy(s, target, sizeof target);
    lnt_decayed_spectrum(expected, s, SIZE, a->head, a->decay);
}

/* Means over the runs, and the largest deviation of any singular value in any of them. */
static double put_arm(lnt_record *record, const study *s, int index)
{
    const arm *a = &arms[index];
    double expected[SIZE], nuclear = 0, objective = 0, worst = 0, kkt = 0, loss = 0, imbalanced = 0;
    lnt_factor_penalties mean = {0};
    int runs = s->opts->seeds, rank = 0;
    expect(expected, a);
    for (int k = 0; k < SIZE; k++)
        nuclear += expected[k];
    for (int j = 0; j < runs; j++) {
        const run *r = &s->run[j * ARMS + index];
        double end = r->loss[s->points - 1];
        for (int k = 0; k < SIZE; k++)
            worst = fmax(worst, fabs(r->s[k] - expected[k]));
        loss += end / runs;
        objective += (end + a->decay * r->penalties.frobenius) / runs;
        mean.frobenius += r->penalties.frobenius / runs;
        mean.columns += r->penalties.columns / runs;
        mean.nuclear += r->penalties.nuclear / runs;
        kkt = fmax(kkt, r->kkt);
        imbalanced = fmax(imbalanced, r->imbalance);
        rank = rank_of(r->s) > rank ? rank_of(r->s) : rank;
    }
    lnt_table *table = lnt_record_table(record, "arms");
    lnt_table_row(table);
    lnt_table_set(table, "arm", "", lnt_string(a->name));
    lnt_table_set(table, "weight_decay", "", lnt_number(a->decay));
    lnt_table_set(table, "width", "", lnt_integer(a->head));
    lnt_table_set(table, "rank", "", lnt_integer(rank));
    lnt_table_set(table, "rank_predicted", "", lnt_integer(rank_of(expected)));
    lnt_table_set(table, "nuclear_norm", "", lnt_number(mean.nuclear));
    lnt_table_set(table, "nuclear_predicted", "", lnt_number(nuclear));
    lnt_table_set(table, "half_squares", "", lnt_number(mean.frobenius));
    lnt_table_set(table, "column_norms", "", lnt_number(mean.columns));
    lnt_table_set(table, "worst_singular", "", lnt_number(worst));
    lnt_table_set(table, "loss", "", lnt_number(loss));
    lnt_table_set(table, "objective", "", lnt_number(objective));
    lnt_table_set(table, "objective_predicted", "", lnt_number(predicted_objective(expected, a->decay)));
    lnt_table_set(table, "imbalance", "", lnt_number(imbalanced));
    lnt_table_set(table, "kkt", "", lnt_number(kkt));
    return kkt;
}

static lnt_status put_modes(lnt_ctx *ctx, lnt_record *record, const study *s, int index)
{
    double expected[SIZE], squares[2] = {0}, difference = 0;
    int runs = s->opts->seeds;
    expect(expected, &arms[index]);
    for (int k = 0; k < HEAD; k++) {
        double mean = 0, worst = 0;
        for (int j = 0; j < runs; j++) {
            double found = s->run[j * ARMS + index].s[k];
            mean += found / runs;
            worst = fmax(worst, fabs(found - expected[k]));
        }
        squares[0] += mean * mean / HEAD;
        squares[1] += expected[k] * expected[k] / HEAD;
        difference += worst * worst / HEAD;
        lnt_table *table = lnt_record_table(record, "modes");
        lnt_table_row(table);
        lnt_table_set(table, "arm", "", lnt_string(arms[index].name));
        lnt_table_set(table, "mode", "", lnt_integer(k + 1));
        lnt_table_set(table, "s", "", lnt_number(k < RANK ? target[k] : 0));
        lnt_table_set(table, "predicted", "", lnt_number(expected[k]));
        lnt_table_set(table, "simulated", "", lnt_number(mean));
        lnt_table_set(table, "worst", "", lnt_number(worst));
    }
    const char *name = lnt_sprintf(ctx, "%s: rms(singular values) against (s - decay)_+", arms[index].name);
    if (!name)
        return LNT_ENOMEM;
    lnt_record_deviation(record, name, sqrt(squares[0]), sqrt(squares[1]), sqrt(difference), NAN);
    return LNT_OK;
}

static lnt_status put_curve(lnt_ctx *ctx, lnt_record *record, const study *s, int index, const char *name, bool nuclear,
                            double *mean)
{
    int runs = s->opts->seeds;
    double *sd = lnt_alloc(ctx, (size_t)s->points, sizeof *sd), *x = lnt_alloc(ctx, (size_t)runs, sizeof *x);
    const char *path = lnt_sprintf(ctx, "%s/%s%s", arms[index].name, name, runs > 1 ? "/mean" : ""),
               *spread = lnt_sprintf(ctx, "%s/%s/sd", arms[index].name, name);
    if (!sd || !x || !path || !spread)
        return LNT_ENOMEM;
    for (int p = 0; p < s->points; p++) {
        for (int j = 0; j < runs; j++) {
            const run *r = &s->run[j * ARMS + index];
            x[j] = nuclear ? r->nuclear[p] : r->loss[p];
        }
        lnt_mean m = lnt_mean_of(x, runs);
        mean[p] = m.mean;
        sd[p] = m.se * sqrt(runs);
    }
    lnt_record_series(record, path, "", mean, s->points);
    if (runs > 1)
        lnt_record_series(record, spread, "", sd, s->points);
    return LNT_OK;
}

/* Left the singular values over the decay, right the nuclear norm over the epochs. */
static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const study *s, const double *epoch,
                             double *const *nuclear)
{
    double x[2 * RANK][3], y[2 * RANK][3], marks_x[ARMS * RANK], marks_y[ARMS * RANK];
    lnt_curve curve[RANK + 1], course[ARMS];
    int n = 0;
    for (int k = 0; k < RANK; k++) {
        const double at[3] = {0, target[k], target[0]};
        for (int i = 0; i < 3; i++) {
            x[k][i] = at[i];
            y[k][i] = fmax(target[k] - at[i], 0);
        }
        curve[k] = (lnt_curve){k ? "" : "(s - decay)_+ of the five modes", LNT_CURVE_THEORY, 3, x[k], y[k], NULL};
    }
    for (int a = 0; a < ARMS; a++)
        for (int k = 0; k < RANK && arms[a].head == HEAD; k++) {
            marks_x[n] = arms[a].decay;
            marks_y[n++] = s->run[a].s[k];
        }
    curve[RANK] = (lnt_curve){"descent", LNT_CURVE_MARKS, n, marks_x, marks_y, NULL};
    for (int a = 0; a < ARMS; a++) {
        const char *label = lnt_sprintf(ctx, "decay %.3g, width %d", arms[a].decay, arms[a].head);
        if (!label)
            return LNT_ENOMEM;
        course[a] = (lnt_curve){label, LNT_CURVE_LINE, s->points - 1, epoch + 1, nuclear[a] + 1, NULL};
    }
    const lnt_panel panel[2] = {{.title = "",
                                 .xlabel = "weight decay",
                                 .ylabel = "singular values of W_Q W_K'",
                                 .curves = RANK + 1,
                                 .curve = curve},
                                {.title = "",
                                 .xlabel = "epoch",
                                 .ylabel = "nuclear norm of W_Q W_K'",
                                 .logx = true,
                                 .curves = ARMS,
                                 .curve = course}};
    const lnt_figure figure = {
        "attention",
        "Weight decay on the two factors lowers every singular value of their product by the same "
        "amount and so removes the small ones.",
        2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

static lnt_status report(lnt_ctx *ctx, lnt_record *record, const study *s)
{
    size_t points = (size_t)s->points;
    double *epoch = lnt_alloc(ctx, points, sizeof *epoch), *nuclear[ARMS], *loss = lnt_alloc(ctx, points, sizeof *loss);
    double kkt = 0;
    lnt_status status = epoch && loss ? LNT_OK : LNT_ENOMEM;
    for (size_t p = 0; p < points && epoch; p++)
        epoch[p] = s->epoch[p];
    if (status == LNT_OK)
        lnt_record_series(record, "epoch", "", epoch, s->points);
    for (int a = 0; a < ARMS && status == LNT_OK; a++) {
        nuclear[a] = lnt_alloc(ctx, points, sizeof **nuclear);
        status = nuclear[a] ? put_curve(ctx, record, s, a, "loss", false, loss) : LNT_ENOMEM;
        if (status == LNT_OK)
            status = put_curve(ctx, record, s, a, "nuclear_norm", true, nuclear[a]);
        kkt = fmax(kkt, put_arm(record, s, a));
    }
    for (int a = 0; a < ARMS && status == LNT_OK; a++)
        status = put_modes(ctx, record, s, a);
    if (status == LNT_OK)
        status = lnt_put_gauges(ctx, record, s->opts->seed);
    if (status == LNT_OK)
        status = put_flow(ctx, record, s);
    lnt_record_assumption(record, "descent is at rest: largest entry of the gradient", kkt, 1e-8,
                          "train longer: modes near the threshold take the inverse of |s - decay|");
    return status == LNT_OK && s->points > 1 ? put_figure(ctx, record, s, epoch, nuclear) : status;
}

lnt_status lnt_attention_study(lnt_ctx *ctx, lnt_record *record, const lnt_layered_opts *opts)
{
    study s = {.opts = opts};
    lnt_status status = make_target(ctx, &s);
    if (status == LNT_OK)
        status = allocate(ctx, &s);
    if (status != LNT_OK)
        return status;
    lnt_progress_begin(ctx, "epochs", (long)opts->seeds * ARMS * opts->epochs);
    status = lnt_parallel(ctx, opts->seeds * ARMS, opts->threads, descend, &s);
    if (status == LNT_OK && lnt_cancelled(ctx))
        return lnt_fail(ctx, LNT_EUSER, "interrupted before all runs were finished: there is nothing to keep");
    return status == LNT_OK ? report(ctx, record, &s) : status;
}
