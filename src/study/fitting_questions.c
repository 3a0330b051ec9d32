/* Four questions about the naive iteration: does it stay at an optimum, why does it turn in circles, do more data or
 * smoother functions help, and which matrix is the covariance. */
#include "fitting_demo.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define RCOND 1e-12
#define STEPS 200

/* w <- T(w), so many times, or until it ends on a cycle. */
static lnt_status naive(lnt_ctx *ctx, double *w, lnt_naive_info *info, lnt_naive_step *path, const lnt_demo_problem *p,
                        int steps)
{
    lnt_naive_opts opts;
    lnt_naive_defaults(&opts);
    opts.rcond = RCOND;
    opts.max_steps = steps;
    return lnt_naive(ctx, w, info, path, &p->fit, &opts);
}

static double distance(const double *a, const double *b, size_t k)
{
    double sum = 0, size = 0;
    for (size_t j = 0; j < k; j++) {
        sum = hypot(sum, a[j] - b[j]);
        size = hypot(size, b[j]);
    }
    return sum / size;
}

/* ---- Does it stay at an optimum? ---- */

static void draw_start(double *w, lnt_rng *rng, void *user)
{
    lnt_rng_normals(rng, w, ((const lnt_demo_problem *)user)->model.k);
}

/* w (k) <- the best of many fits. */
static lnt_status optimum(lnt_ctx *ctx, double *w, lnt_demo_problem *p, const lnt_demo *demo)
{
    lnt_fit_opts opts;
    lnt_fit_starts_info summary;
    lnt_mat W;
    const lnt_fit_start start = {.starts = demo->starts < 10 ? demo->starts : 10,
                                 .threads = demo->threads,
                                 .seed = demo->seed,
                                 .draw = draw_start,
                                 .user = p};
    lnt_fit_info *info = lnt_alloc(ctx, (size_t)start.starts, sizeof *info);
    lnt_fit_defaults(&opts);
    lnt_status status = info ? lnt_mat_alloc(ctx, &W, (int)p->model.k, start.starts) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_fit_starts(ctx, W, info, &summary, &p->fit, &opts, &start);
    if (status == LNT_OK)
        memcpy(w, lnt_at(W, 0, summary.best), p->model.k * sizeof *w);
    return status;
}

typedef struct departure {
    lnt_naive_displacement by;
    double lowest;       /* SSE afterwards */
    double gauss_newton; /* its move from there */
} departure;

static lnt_status depart(lnt_ctx *ctx, departure *d, lnt_demo_problem *p, const lnt_demo *demo)
{
    size_t k = p->model.k;
    lnt_naive_info info;
    lnt_naive_step path[STEPS];
    lnt_fit_opts opts;
    double *w = lnt_alloc(ctx, k, sizeof *w), *at = lnt_alloc(ctx, k, sizeof *at);
    lnt_status status = w && at ? optimum(ctx, w, p, demo) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_naive_displace(ctx, &d->by, &p->fit, w, RCOND);
    if (status != LNT_OK)
        return status;
    memcpy(at, w, k * sizeof *w);
    status = naive(ctx, at, &info, path, p, STEPS);
    d->lowest = d->by.next;
    for (int i = 1; status == LNT_OK && i < info.steps; i++)
        d->lowest = fmin(d->lowest, path[i].sse);
    lnt_fit_defaults(&opts);
    opts.rcond = RCOND;
    opts.solver = LNT_SOLVER_SVD;
    if (status == LNT_OK)
        status = lnt_fit_step(ctx, at, &p->fit, w, 0, &opts);
    if (status == LNT_OK)
        d->gauss_newton = lnt_mat_norm(lnt_mat_view(at, (int)k, 1)) / lnt_mat_norm(lnt_mat_view(w, (int)k, 1));
    return status;
}

static lnt_status put_departure(lnt_ctx *ctx, lnt_record *record, const char *name, departure *d, lnt_demo_problem *p,
                                const lnt_demo *demo)
{
    lnt_status status = depart(ctx, d, p, demo);
    if (status != LNT_OK)
        return status;
    lnt_table *table = lnt_record_table(record, "displacement");
    lnt_table_row(table);
    lnt_table_set(table, "problem", "", lnt_string(name));
    lnt_table_set(table, "move", "", lnt_known(d->by.move));
    lnt_table_set(table, "formula", "", lnt_known(d->by.predicted));
    lnt_table_set(table, "difference", "", lnt_known(d->by.deviation));
    lnt_table_set(table, "gauss_newton_move", "", lnt_known(d->gauss_newton));
    lnt_table_set(table, "sse", "", lnt_known(d->by.sse));
    lnt_table_set(table, "sse_after_a_step", "", lnt_known(d->by.next));
    lnt_table_set(table, "lowest_afterwards", "", lnt_known(d->lowest));
    lnt_table_set(table, "returns", "", lnt_flag(d->lowest <= 1.01 * d->by.sse));
    return LNT_OK;
}

static lnt_status displacement(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    departure d;
    lnt_demo_problem bump, other;
    lnt_rng rng = lnt_rng_stream(demo->seed, 0, LNT_FOR_TASK);
    lnt_status status = lnt_demo_bump(ctx, &bump, 2, NULL);
    if (status == LNT_OK)
        status = put_departure(ctx, record, "bump", &d, &bump, demo);
    if (status != LNT_OK)
        return status;
    lnt_record_deviation(record, "bump: |T(w*) - w*|/|w*|", d.by.move, 0.91248409, NAN, NAN);
    lnt_record_deviation(record, "bump: SSE after one naive step from the optimum", d.by.next, 45.0518091, NAN, NAN);
    lnt_record_check(record, "bump: SSE at the optimum", d.by.sse, 0.08932013, 1e-8);
    lnt_record_check(record, "bump: the naive step from the optimum", d.by.move, 0.91248409, 1e-6);
    lnt_record_check(record, "bump: difference of that step and the formula", d.by.deviation, 0, 1e-8);
    lnt_record_check(record, "bump: Gauss-Newton step from the optimum", d.gauss_newton, 0, 1e-8);
    lnt_record_check(record, "bump: SSE at the optimum over the lowest afterwards", d.by.sse / d.lowest, 0, 0.5);
    if ((status = lnt_demo_bump(ctx, &other, 2, &rng)) == LNT_OK)
        status = put_departure(ctx, record, "bump, other noise", &d, &other, demo);
    if (status == LNT_OK)
        status = lnt_demo_linear(ctx, &other, 3, 4, 3, &rng);
    if (status == LNT_OK)
        status = put_departure(ctx, record, "linear", &d, &other, demo);
    return status;
}

/* ---- Why does it turn in circles? ---- */

#define NETS 4
#define LAYERED 20 /* draws */

/* |T(T(w)) - w|/|w|, |T^3(w) - T(w)|/|T(w)|, and the period after many steps. */
static lnt_status turns(lnt_ctx *ctx, double *twice, double *thrice, int *period, const lnt_demo_problem *p,
                        lnt_rng *rng)
{
    size_t k = p->model.k;
    lnt_naive_info info;
    double *start = lnt_alloc(ctx, k, sizeof *start), *w = lnt_alloc(ctx, k, sizeof *w),
           *first = lnt_alloc(ctx, k, sizeof *first);
    if (!start || !w || !first)
        return LNT_ENOMEM;
    lnt_rng_normals(rng, start, k);
    memcpy(w, start, k * sizeof *w);
    lnt_status status = naive(ctx, w, &info, NULL, p, 1);
    memcpy(first, w, k * sizeof *w);
    if (status == LNT_OK)
        status = naive(ctx, w, &info, NULL, p, 1);
    *twice = distance(w, start, k);
    if (status == LNT_OK)
        status = naive(ctx, w, &info, NULL, p, 1);
    *thrice = distance(w, first, k);
    if (status == LNT_OK)
        status = naive(ctx, w, &info, NULL, p, 2000);
    *period = status == LNT_OK ? info.period : 0;
    return status;
}

static lnt_status involution(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    static const int size[NETS][3] = {{3, 4, 3}, {3, 3, 2}, {2, 5, 3}, {3, 2, 3}};
    static const char *const says[NETS] = {"T(T(w)) = w", "T^3 = T", "T^3 = T", "none: it tends to a cycle of 2"};
    lnt_table *table = lnt_record_table(record, "involution");
    for (int i = 0; i < NETS; i++) {
        double twice[LAYERED], thrice[LAYERED];
        int cycles = 0, period;
        for (int draw = 0; draw < LAYERED; draw++) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            lnt_demo_problem p;
            lnt_rng rng = lnt_rng_stream(demo->seed, (uint32_t)(2000 + LAYERED * i + draw), LNT_FOR_TASK);
            lnt_status status = lnt_demo_linear(ctx, &p, size[i][0], size[i][1], size[i][2], &rng);
            if (status == LNT_OK)
                status = turns(ctx, &twice[draw], &thrice[draw], &period, &p, &rng);
            if (status != LNT_OK)
                return status;
            cycles += period == 2;
            lnt_ctx_reset(ctx, mark);
        }
        double back = lnt_median(twice, LAYERED), again = lnt_median(thrice, LAYERED);
        lnt_table_row(table);
        lnt_table_set(table, "inputs", "", lnt_integer(size[i][0]));
        lnt_table_set(table, "hidden", "", lnt_integer(size[i][1]));
        lnt_table_set(table, "outputs", "", lnt_integer(size[i][2]));
        lnt_table_set(table, "theorem", "", lnt_string(says[i]));
        lnt_table_set(table, "back_after_2", "", lnt_number(back));
        lnt_table_set(table, "largest_after_2", "", lnt_number(twice[LAYERED - 1]));
        lnt_table_set(table, "third_like_first", "", lnt_number(again));
        lnt_table_set(table, "largest_third_like_first", "", lnt_number(thrice[LAYERED - 1]));
        lnt_table_set(table, "share_on_cycles_of_2", "", lnt_number((double)cycles / LAYERED));
        if (i == 0)
            lnt_record_check(record, "two linear layers, as many outputs as inputs: |T(T(w)) - w|/|w|", back, 0, 1e-10);
        if (i < 3)
            lnt_record_check(record,
                             lnt_sprintf(ctx, "two linear layers %d-%d-%d: |T^3(w) - T(w)|/|T(w)|", size[i][0],
                                         size[i][1], size[i][2]),
                             again, 0, 1e-10);
    }
    return LNT_OK;
}

/* ---- Do more data or smoother functions help? ---- */

static lnt_status one_size(lnt_ctx *ctx, lnt_record *record, int n, double steepness, double *left)
{
    lnt_demo_problem p;
    double w[7], at[7];
    lnt_naive_displacement d;
    lnt_fit_opts opts;
    lnt_fit_info info;
    lnt_status status = lnt_demo_teacher(ctx, &p, w, n, steepness);
    if (status == LNT_OK)
        status = lnt_naive_displace(ctx, &d, &p.fit, w, RCOND);
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < 7; j++)
        at[j] = 1.1 * w[j];
    lnt_fit_defaults(&opts);
    if ((status = lnt_fit(ctx, at, &info, &p.fit, &opts)) != LNT_OK)
        return status;
    *left = d.next / p.constant;
    lnt_table *table = lnt_record_table(record, "data");
    lnt_table_row(table);
    lnt_table_set(table, "samples", "", lnt_integer(n));
    lnt_table_set(table, "steepness", "", lnt_number(steepness));
    lnt_table_set(table, "move", "", lnt_known(d.move));
    lnt_table_set(table, "sse_over_variance", "", lnt_known(*left));
    lnt_table_set(table, "lm_sse_over_variance", "", lnt_known(info.sse / p.constant));
    return LNT_OK;
}

static lnt_status more_data(lnt_ctx *ctx, lnt_record *record)
{
    static const int sizes[] = {20, 200, 2000, 20000};
    static const double steepness[] = {0.5, 0.25, 0.1};
    double least = INFINITY, left = INFINITY;
    lnt_status status = LNT_OK;
    for (int i = 0; i < 7 && status == LNT_OK; i++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        status =
            i < 4 ? one_size(ctx, record, sizes[i], 1, &left) : one_size(ctx, record, 200, steepness[i - 4], &left);
        least = fmin(least, left);
        lnt_ctx_reset(ctx, mark);
    }
    lnt_record_check(record, "one naive step from the weights that made the data: their variance over the least SSE",
                     1 / least, 0, 1);
    return status;
}

/* ---- Which matrix is the covariance? ---- */

#define EQUATIONS 20
#define UNKNOWNS 4
#define BATCH 1000
#define BATCHES 200
#define NOISE 0.3

/* S <- the covariance of (A'A)^-1 A' noise over BATCH x BATCHES draws. */
static lnt_status monte_carlo(lnt_ctx *ctx, lnt_mat S, lnt_mat A, lnt_mat V, lnt_rng *rng)
{
    lnt_mat P, noise, x;
    lnt_status status = lnt_mat_alloc(ctx, &P, UNKNOWNS, EQUATIONS);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &noise, EQUATIONS, BATCH);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &x, UNKNOWNS, BATCH);
    if (status != LNT_OK)
        return status;
    lnt_gemm(P, 1, LNT_N, V, LNT_T, A, 0);
    lnt_mat_fill(S, 0);
    for (int b = 0; b < BATCHES; b++) {
        lnt_rng_normals(rng, noise.a, (size_t)EQUATIONS * BATCH);
        lnt_gemm(x, NOISE, LNT_N, P, LNT_N, noise, 0);
        lnt_gemm(S, 1.0 / (BATCH * BATCHES), LNT_N, x, LNT_T, x, 1);
    }
    return LNT_OK;
}

static void put_matrix(lnt_record *record, const char *name, lnt_mat C, lnt_mat S, double *off)
{
    lnt_table *table = lnt_record_table(record, "covariance");
    double size = lnt_mat_norm(S);
    lnt_mat_add(C, -1, S);
    *off = lnt_mat_norm(C) / size;
    lnt_table_row(table);
    lnt_table_set(table, "matrix", "", lnt_string(name));
    lnt_table_set(table, "off_by", "", lnt_number(*off));
    lnt_table_set(table, "data_sets", "", lnt_integer((long)BATCH * BATCHES));
}

static lnt_status covariance(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    lnt_mat A, V, S, G, none = {0};
    double d[EQUATIONS] = {0}, x[UNKNOWNS], off;
    lnt_inverse_info info;
    lnt_rng rng = lnt_rng_stream(demo->seed, 3000, LNT_FOR_TASK);
    lnt_status status = lnt_mat_alloc(ctx, &A, EQUATIONS, UNKNOWNS);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &V, UNKNOWNS, UNKNOWNS);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &S, UNKNOWNS, UNKNOWNS);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &G, UNKNOWNS, UNKNOWNS);
    if (status != LNT_OK)
        return status;
    lnt_rng_normals(&rng, A.a, EQUATIONS * UNKNOWNS);
    d[0] = 1;
    status = lnt_inverse(ctx, x, V, &info, A, d, NULL, none);
    if (status == LNT_OK)
        status = monte_carlo(ctx, S, A, V, &rng);
    if (status != LNT_OK)
        return status;
    lnt_gemm(G, NOISE * NOISE, LNT_T, A, LNT_N, A, 0);
    lnt_mat_scale(V, NOISE * NOISE);
    put_matrix(record, "variance of the noise times (A'A)^-1", V, S, &off);
    lnt_record_check(record, "covariance of estimates: relative difference of (A'A)^-1 s^2", off, 0, 0.02);
    put_matrix(record, "variance of the noise times A'A", G, S, &off);
    lnt_record_check(record, "covariance of estimates: relative difference of A'A s^2, at most 1", fmin(off, 1), 1, 0);
    return LNT_OK;
}

lnt_status lnt_demo_questions(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo)
{
    lnt_status status = displacement(ctx, record, demo);
    if (status == LNT_OK)
        status = involution(ctx, record, demo);
    if (status == LNT_OK)
        status = more_data(ctx, record);
    return status == LNT_OK ? covariance(ctx, record, demo) : status;
}
