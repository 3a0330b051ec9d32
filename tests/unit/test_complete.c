/* Completion: the nuclear-norm minimum against closed forms, its optimality conditions and another algorithm; the study
 * against the flow of single layers, on any number of threads, with every allocation failing once. */
#include "taylor.h"

#define SEED 77

static lnt_mat random_mask(lnt_ctx *ctx, int rows, int cols, double share, lnt_rng *rng)
{
    lnt_mat M = taylor_new(ctx, rows, cols);
    for (int j = 0; j < cols; j++)
        for (int i = 0; i < rows; i++)
            *lnt_at(M, i, j) = lnt_rng_uniform(rng) < share;
    return M;
}

static lnt_mat full_mask(lnt_ctx *ctx, int rows, int cols)
{
    lnt_mat M = taylor_new(ctx, rows, cols);
    lnt_mat_fill(M, 1);
    return M;
}

/* ---- Observed entries ---- */

static void gradient_and_error_are_those_of_the_observed_entries(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    lnt_mat W = random_matrix(ctx, 4, 3, &rng), G = taylor_new(ctx, 4, 3);
    lnt_observed o = {random_matrix(ctx, 4, 3, &rng), random_mask(ctx, 4, 3, 0.5, &rng)};
    double sum = 0, count = 0;
    *lnt_at(o.mask, 0, 0) = 0;
    *lnt_at(o.T, 0, 0) = NAN;
    *lnt_at(o.mask, 1, 0) = 1;
    assert_int_equal(lnt_observed_gradient(G, W, &o), 0);
    for (int j = 0; j < 3; j++)
        for (int i = 0; i < 4; i++) {
            double d = *lnt_at(o.mask, i, j) == 1 ? *lnt_at(W, i, j) - *lnt_at(o.T, i, j) : 0;
            assert_true(*lnt_at(G, i, j) == d);
            sum += d * d;
            count += *lnt_at(o.mask, i, j);
        }
    check_near(lnt_observed_error(&o, W), sqrt(sum / count), 1e-15, "rms");
    lnt_mat_fill(o.mask, 0);
    assert_true(isnan(lnt_observed_error(&o, W)));
}

/* ---- The nuclear-norm minimum ---- */

static void full_masks_give_shrunken_singular_values(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int wide = 0; wide < 2; wide++) {
        int m = wide ? 4 : 6, n = wide ? 6 : 4;
        double s[4] = {3, 2, 0.7, 0}, shrunk[4] = {2.2, 1.2, 0, 0};
        lnt_mat U = random_rotation(ctx, m, &rng), V = random_rotation(ctx, n, &rng), W = taylor_new(ctx, m, n);
        lnt_observed o = {from_values(ctx, U, s, 4, V), full_mask(ctx, m, n)};
        lnt_nuclear_opts opts;
        lnt_nuclear_info info;
        lnt_nuclear_defaults(&opts);
        opts.lambda = 0.8;
        check_status(ctx, lnt_nuclear_complete(ctx, W, &info, &o, &opts), LNT_OK);
        check_close(W, from_values(ctx, U, shrunk, 4, V), 1e-13, "shrunken values");
        assert_true(info.converged && info.rank == 2 && info.kkt < 1e-14);
        check_near(info.norm, 3.4, 1e-13, "norm");
        check_near(info.objective, 0.5 * (2 * 0.64 + 0.49) + 0.8 * 3.4, 1e-13, "objective");
        assert_true(info.gap <= 1e-9 * info.objective && info.lambda == 0.8);
        check_near(info.error, sqrt((2 * 0.64 + 0.49) / 24), 1e-13, "error");
    }
}

/* Ridge regression of one row: a <- (B^T M B + lambda I)^-1 B^T M t by elimination; B is n x k. */
static void solve_row(double *a, const double *t, const double *mask, const double *B, int n, int k, double lambda)
{
    double A[16][17];
    for (int p = 0; p < k; p++)
        for (int q = 0; q <= k; q++) {
            A[p][q] = p == q ? lambda : 0;
            for (int j = 0; j < n; j++)
                A[p][q] += mask[j] * B[j * k + p] * (q < k ? B[j * k + q] : t[j]);
        }
    for (int p = 0; p < k; p++)
        for (int r = p + 1; r < k; r++)
            for (int q = k; q >= p; q--)
                A[r][q] -= A[r][p] / A[p][p] * A[p][q];
    for (int p = k - 1; p >= 0; p--) {
        a[p] = A[p][k];
        for (int q = p + 1; q < k; q++)
            a[p] -= A[p][q] * a[q];
        a[p] /= A[p][p];
    }
}

/* The same minimum as that over factors A B^T of 1/2 |mask o (A B^T - T)|^2 + lambda/2 (|A|^2 + |B|^2), by alternating
 * ridge regressions; returns the objective. */
static double alternate(lnt_ctx *ctx, lnt_mat W, const lnt_observed *o, double lambda, lnt_rng *rng)
{
    int m = W.rows, n = W.cols, k = m < n ? m : n;
    double *A = random_matrix(ctx, k, m, rng).a, *B = random_matrix(ctx, k, n, rng).a, t[32], mask[32], f = 0;
    assert_true(k <= 16 && m <= 32 && n <= 32);
    for (int sweep = 0; sweep < 6000; sweep++) {
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++)
                t[j] = *lnt_at(o->T, i, j), mask[j] = *lnt_at(o->mask, i, j);
            solve_row(A + i * k, t, mask, B, n, k, lambda);
        }
        for (int j = 0; j < n; j++) {
            for (int i = 0; i < m; i++)
                t[i] = *lnt_at(o->T, i, j), mask[i] = *lnt_at(o->mask, i, j);
            solve_row(B + j * k, t, mask, A, m, k, lambda);
        }
    }
    for (int i = 0; i < m * k; i++)
        f += 0.5 * lambda * A[i] * A[i];
    for (int j = 0; j < n * k; j++)
        f += 0.5 * lambda * B[j] * B[j];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double w = 0;
            for (int p = 0; p < k; p++)
                w += A[i * k + p] * B[j * k + p];
            *lnt_at(W, i, j) = w;
            f += *lnt_at(o->mask, i, j) * 0.5 * (w - *lnt_at(o->T, i, j)) * (w - *lnt_at(o->T, i, j));
        }
    return f;
}

/* 0 is a subgradient: R = lambda U V^T on the singular vectors of W, and no larger than lambda elsewhere. */
static void check_conditions(lnt_ctx *ctx, lnt_mat W, const lnt_observed *o, const lnt_nuclear_info *info)
{
    int m = W.rows, n = W.cols;
    lnt_mat R = taylor_new(ctx, m, n), K = taylor_new(ctx, n, n), V = taylor_new(ctx, n, n);
    double *w = taylor_new(ctx, n, 1).a;
    lnt_observed_gradient(R, W, (void *)(uintptr_t)o);
    lnt_gemm(K, 1, LNT_T, R, LNT_N, R, 0);
    check_status(ctx, lnt_eigh(ctx, w, V, K), LNT_OK);
    check_near(sqrt(w[n - 1]) / info->lambda, 1, 1e-5, "largest singular value of the residual over lambda");
    check_near(-lnt_mat_dot(R, W) / (info->lambda * info->norm), 1, 1e-5, "<R, W>/(lambda |W|_*)");
    lnt_gemm(K, 1, LNT_T, W, LNT_N, W, 0);
    check_status(ctx, lnt_eigh(ctx, w, V, K), LNT_OK);
    double norm = 0;
    for (int i = 0; i < n; i++)
        norm += sqrt(fmax(w[i], 0));
    check_near(info->norm / norm, 1, 1e-7, "nuclear norm");
}

static void minima_meet_their_conditions_and_those_of_alternating_regression(void **state)
{
    lnt_ctx *ctx = *state;
    static const int shapes[4][2] = {{9, 7}, {7, 9}, {12, 12}, {20, 3}};
    for (int k = 0; k < 4; k++) {
        int m = shapes[k][0], n = shapes[k][1];
        lnt_rng rng = lnt_rng_stream(SEED, 10 + (uint32_t)k, LNT_FOR_TESTS);
        lnt_mat W = taylor_new(ctx, m, n), other = taylor_new(ctx, m, n);
        lnt_observed o = {product_of(ctx, random_matrix(ctx, m, 2, &rng), random_matrix(ctx, 2, n, &rng)),
                          random_mask(ctx, m, n, 0.6, &rng)};
        lnt_mat_add(o.T, 0.1, random_matrix(ctx, m, n, &rng));
        lnt_nuclear_opts opts;
        lnt_nuclear_info info;
        lnt_nuclear_defaults(&opts);
        opts.lambda = 0.5;
        opts.tolerance = 1e-13;
        check_status(ctx, lnt_nuclear_complete(ctx, W, &info, &o, &opts), LNT_OK);
        if (!info.converged || info.gap > 1e-13 * info.objective || info.kkt > 1e-7)
            fail_msg("gap %g of %g, kkt %g (seed %d, case %d)", info.gap, info.objective, info.kkt, SEED, k);
        check_conditions(ctx, W, &o, &info);
        double f = alternate(ctx, other, &o, opts.lambda, &rng);
        check_near(info.objective / f, 1, 1e-9, "objective by alternating regression");
        check_close(W, other, 1e-5, "minimum by alternating regression");
        check_near(info.error, lnt_observed_error(&o, W), 1e-14, "error");
    }
}

/* Before it has converged, too, gap and bound are what they say. */
static void certificates_hold_at_any_step(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 20, LNT_FOR_TESTS);
    lnt_mat W = taylor_new(ctx, 9, 7), R = taylor_new(ctx, 9, 7), K = taylor_new(ctx, 7, 7), V = taylor_new(ctx, 7, 7);
    lnt_observed o = {random_matrix(ctx, 9, 7, &rng), random_mask(ctx, 9, 7, 0.6, &rng)};
    lnt_nuclear_opts opts;
    lnt_nuclear_info end, info;
    double w[7];
    lnt_nuclear_defaults(&opts);
    opts.lambda = 0.01;
    opts.tolerance = 1e-12;
    check_status(ctx, lnt_nuclear_complete(ctx, W, &end, &o, &opts), LNT_OK);
    for (opts.max_steps = 1; opts.max_steps < end.steps; opts.max_steps = 1 + opts.max_steps * 3 / 2) {
        check_status(ctx, lnt_nuclear_complete(ctx, W, &info, &o, &opts), LNT_OK);
        lnt_observed_gradient(R, W, &o);
        lnt_gemm(K, 1, LNT_T, R, LNT_N, R, 0);
        check_status(ctx, lnt_eigh(ctx, w, V, K), LNT_OK);
        lnt_mat_multiply(R, o.T);
        double inner = 0;
        for (int i = 0; i < 63; i++)
            inner -= R.a[i];
        check_near(info.least_norm, fmax(0, inner / sqrt(w[6])), 1e-10, "lower bound");
        if (info.converged || info.least_norm > (1 + 1e-12) * end.least_norm + 1e-2 ||
            (info.lambda == 0.01 && info.objective - info.gap > end.objective))
            fail_msg("after %ld steps at lambda = %g: gap %g of %g, bound %g against %g", info.steps, info.lambda,
                     info.gap, info.objective, info.least_norm, end.least_norm);
    }
}

/* |[1 1; 1 x]|_*^2 = 3 + x^2 + 2 |x - 1| is least at x = 1, where it is 4. */
static void small_lambdas_interpolate(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_mat W = taylor_new(ctx, 2, 2);
    lnt_observed o = {full_mask(ctx, 2, 2), full_mask(ctx, 2, 2)};
    lnt_nuclear_info info;
    *lnt_at(o.mask, 1, 1) = 0;
    *lnt_at(o.T, 1, 1) = NAN; /* does not matter */
    check_status(ctx, lnt_nuclear_complete(ctx, W, &info, &o, NULL), LNT_OK);
    check_close(W, full_mask(ctx, 2, 2), 1e-3, "completed");
    assert_true(info.converged && info.least_norm <= 2 + 1e-12 && info.least_norm > 2 - 1e-3);
    assert_true(info.norm <= 2 && info.norm > 2 - 1e-3 && info.error < 1e-3);
    check_near(info.lambda, 1e-4 * (1 + sqrt(5)) / 2, 1e-15, "lambda");
    lnt_nuclear_opts opts;
    lnt_nuclear_defaults(&opts);
    opts.max_steps = 25;
    opts.lambda = 1e-6;
    check_status(ctx, lnt_nuclear_complete(ctx, W, &info, &o, &opts), LNT_OK);
    assert_true(!info.converged && info.steps == 25 && info.gap > 0 && info.lambda > 1e-6);
}

static void tiny_and_degenerate_matrices(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_nuclear_opts opts;
    lnt_nuclear_info info;
    lnt_nuclear_defaults(&opts);
    for (int k = 0; k < 3; k++) { /* 1 x 1: |t| - lambda, at least 0 */
        static const double lambda[] = {1, 3, 5}, expected[] = {-2, 0, 0};
        lnt_mat W = taylor_new(ctx, 1, 1);
        lnt_observed o = {full_mask(ctx, 1, 1), full_mask(ctx, 1, 1)};
        o.T.a[0] = -3;
        opts.lambda = lambda[k];
        check_status(ctx, lnt_nuclear_complete(ctx, W, &info, &o, &opts), LNT_OK);
        check_near(W.a[0], expected[k], 1e-14, "1 x 1");
        assert_true(info.converged && info.rank == (k == 0));
    }
    double t[5] = {3, NAN, 0, 4, NAN}, seen[5] = {1, 0, 1, 1, 0}, expected[5] = {2.4, 0, 0, 3.2, 0};
    for (int wide = 0; wide < 2; wide++) { /* a vector: its observed part loses lambda of its length */
        int m = wide ? 1 : 5, n = wide ? 5 : 1;
        lnt_mat W = taylor_new(ctx, m, n);
        lnt_observed o = {lnt_mat_view(t, m, n), lnt_mat_view(seen, m, n)};
        opts.lambda = 1;
        check_status(ctx, lnt_nuclear_complete(ctx, W, &info, &o, &opts), LNT_OK);
        check_close(W, lnt_mat_view(expected, m, n), 1e-14, "vector");
    }
    lnt_mat W = full_mask(ctx, 3, 4);
    lnt_observed zero = {taylor_new(ctx, 3, 4), full_mask(ctx, 3, 4)};
    lnt_mat_fill(zero.T, 0);
    check_status(ctx, lnt_nuclear_complete(ctx, W, &info, &zero, NULL), LNT_OK);
    assert_true(lnt_mat_max(W) == 0 && info.converged && info.gap == 0 && info.norm == 0 && info.kkt == 0);
}

static void wrong_problems_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_mat W = taylor_new(ctx, 2, 3);
    lnt_observed o = {full_mask(ctx, 2, 3), taylor_new(ctx, 2, 3)};
    lnt_nuclear_opts opts;
    lnt_mat_fill(o.mask, 0);
    check_failure(ctx, lnt_nuclear_complete(ctx, W, NULL, &o, NULL), LNT_EINVAL, "no entry is observed");
    *lnt_at(o.mask, 1, 2) = 0.5;
    check_failure(ctx, lnt_nuclear_complete(ctx, W, NULL, &o, NULL), LNT_EDOMAIN, "mask (1, 2) is 0.5");
    *lnt_at(o.mask, 1, 2) = 1;
    *lnt_at(o.T, 1, 2) = INFINITY;
    check_failure(ctx, lnt_nuclear_complete(ctx, W, NULL, &o, NULL), LNT_EDOMAIN, "observed entry (1, 2) is inf");
    *lnt_at(o.T, 1, 2) = 1;
    check_failure(ctx, lnt_nuclear_complete(ctx, lnt_columns(W, 0, 2), NULL, &o, NULL), LNT_ESHAPE, "2 x 2");
    lnt_nuclear_defaults(&opts);
    opts.lambda = -1;
    check_failure(ctx, lnt_nuclear_complete(ctx, W, NULL, &o, &opts), LNT_EINVAL, "lambda >= 0");
    lnt_nuclear_defaults(&opts);
    opts.tolerance = 0;
    check_failure(ctx, lnt_nuclear_complete(ctx, W, NULL, &o, &opts), LNT_EINVAL, "tolerance > 0");
    lnt_nuclear_defaults(&opts);
    opts.max_steps = 0;
    check_failure(ctx, lnt_nuclear_complete(ctx, W, NULL, &o, &opts), LNT_EINVAL, "max_steps >= 1");
}

/* ---- The study ---- */

static void small_options(lnt_complete_opts *o)
{
    lnt_complete_defaults(o);
    o->demo = true;
    o->rows = 5;
    o->columns = 4;
    o->rank = 1;
    o->share = 0.7;
    o->init = 0.01;
    o->time = 3;
    o->threads = 1;
}

static lnt_record *run(lnt_ctx *ctx, const lnt_complete_opts *o)
{
    lnt_record *record = lnt_record_new("modes complete");
    check_status(ctx, lnt_complete_study(ctx, record, o), LNT_OK);
    return record;
}

static lnt_mat matrix_of(lnt_ctx *ctx, const lnt_record *record, const char *path)
{
    lnt_array a;
    assert_true(lnt_record_array(record, path, &a) && a.rank == 2);
    lnt_mat A = taylor_new(ctx, a.dims[0], a.dims[1]);
    for (int i = 0; i < A.rows; i++)
        for (int j = 0; j < A.cols; j++)
            *lnt_at(A, i, j) = a.values[i * A.cols + j];
    return A;
}

/* Depth 1: observed entries decay to the data, the others stay. */
static void single_layers_follow_their_closed_form(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_complete_opts o;
    small_options(&o);
    lnt_record *record = run(ctx, &o);
    lnt_mat W = matrix_of(ctx, record, "product/1"), T = matrix_of(ctx, record, "observed/values"),
            M = matrix_of(ctx, record, "observed/mask"), W0 = matrix_of(ctx, record, "start/W");
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 5; i++) {
            double start = *lnt_at(W0, i, j), t = *lnt_at(T, i, j);
            check_near(*lnt_at(W, i, j), *lnt_at(M, i, j) == 1 ? t + (start - t) * exp(-3) : start, 1e-8, "W");
        }
    lnt_array t, train;
    assert_true(lnt_record_array(record, "t", &t) && lnt_record_array(record, "train/1", &train));
    assert_int_equal(t.dims[0], 101);
    for (int j = 0; j < 101; j++)
        check_near(train.values[j], train.values[0] * exp(-t.values[j]), 1e-7, "training error");
    lnt_record_free(record);
}

static void default_times_last_until_every_depth_has_learned(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_complete_opts o;
    small_options(&o);
    o.time = 0;
    o.threads = 2;
    lnt_record *record = run(ctx, &o);
    for (int i = 0; i < 3; i++) {
        lnt_value train, rms;
        assert_true(lnt_record_cell(record, "depths", i, "train", &train));
        assert_true(lnt_record_get_fact(record, "matrix", "rms", &rms));
        assert_true(train.number <= 1e-3 * rms.number);
    }
    assert_int_equal(lnt_record_rows(record, "depths"), 4);
    lnt_record_free(record);
}

static void bytes_do_not_depend_on_threads(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_text image[3] = {{0}};
    for (int k = 0; k < 3; k++) {
        lnt_complete_opts o;
        small_options(&o);
        o.time = 0;
        o.threads = (int[]){1, 2, 5}[k];
        lnt_record *record = run(ctx, &o);
        check_status(ctx, lnt_store_hdf5(ctx, &image[k], record), LNT_OK);
        lnt_record_free(record);
        assert_int_equal(image[k].n, image[0].n);
        assert_memory_equal(image[k].p, image[0].p, image[0].n);
    }
    for (int k = 0; k < 3; k++)
        lnt_text_free(&image[k]);
}

static int stop_after(void *user)
{
    return --*(int *)user < 0;
}

/* The minimum comes first, then the depths: what is finished is kept. */
static void interruption_keeps_what_is_finished(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_complete_opts o;
    small_options(&o);
    int polls = 0;
    lnt_record *record = lnt_record_new("modes complete");
    lnt_ctx_set_cancel(ctx, stop_after, &polls);
    check_failure(ctx, lnt_complete_study(ctx, record, &o), LNT_EUSER, "nothing to keep");
    int rows = 0;
    for (polls = 100; rows < 2; polls = polls * 11 / 10) {
        int budget = polls;
        lnt_ctx_set_cancel(ctx, stop_after, &budget);
        lnt_record_free(record);
        record = lnt_record_new("modes complete");
        if (lnt_complete_study(ctx, record, &o) == LNT_OK)
            rows = lnt_record_rows(record, "depths");
        lnt_ctx_clear(ctx);
        assert_true(polls < 1000000);
    }
    assert_true(lnt_record_interrupted(record) && rows < 4);
    lnt_record_free(record);
}

static void wrong_options_say_what_would_be_right(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_complete_opts o;
    lnt_record *record = lnt_record_new("modes complete");
#define REFUSED(change, status, part)                                                                                  \
    do {                                                                                                               \
        small_options(&o);                                                                                             \
        change;                                                                                                        \
        check_failure(ctx, lnt_complete_study(ctx, record, &o), status, part);                                         \
    } while (0)
    REFUSED(o.demo = false, LNT_EUSAGE, "--observed FILE");
    REFUSED(o.observed = "x", LNT_EUSAGE, "which matrix?");
    REFUSED(o.mask = "x", LNT_EUSAGE, "need each other");
    REFUSED(o.truth = "x", LNT_EUSAGE, "--truth goes with --observed");
    REFUSED(o.rank = 5, LNT_EUSAGE, "at most rank 4");
    REFUSED(o.share = 0, LNT_EUSAGE, "nothing would be observed");
    REFUSED((o.share = 0.01, o.split = 0.9), LNT_EUSAGE, "all of the 1 observed entries");
    REFUSED(o.depths = ((lnt_int_list){2, {2, 2}}), LNT_EUSAGE, "names 2 twice");
    REFUSED(o.depths.count = 0, LNT_EUSAGE, "--depths 1,2,3");
    REFUSED((o.rows = 100000, o.columns = 100), LNT_EUSAGE, "at most 1000000 entries");
    REFUSED((o.rows = 1000, o.columns = 1000, o.depths.count = 3), LNT_EUSAGE, "name fewer");
    lnt_record_free(record);
}

/* ---- Memory ---- */

static lnt_status whole_chain(lnt_ctx *ctx, void *user)
{
    lnt_complete_opts o;
    lnt_record *record = lnt_record_new("modes complete");
    (void)user;
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    small_options(&o);
    o.rows = 3;
    o.columns = 2;
    o.depths = (lnt_int_list){2, {1, 3}};
    o.init = 0.1;
    o.time = 0;
    o.split = 0.2;
    lnt_status status = lnt_complete_study(ctx, record, &o);
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    assert_true(check_allocations(whole_chain, NULL, LNT_OK, 300) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(gradient_and_error_are_those_of_the_observed_entries),
        WITH_CTX(full_masks_give_shrunken_singular_values),
        WITH_CTX(minima_meet_their_conditions_and_those_of_alternating_regression),
        WITH_CTX(certificates_hold_at_any_step),
        WITH_CTX(small_lambdas_interpolate),
        WITH_CTX(tiny_and_degenerate_matrices),
        WITH_CTX(wrong_problems_are_refused),
        WITH_CTX(single_layers_follow_their_closed_form),
        WITH_CTX(default_times_last_until_every_depth_has_learned),
        WITH_CTX(bytes_do_not_depend_on_threads),
        WITH_CTX(interruption_keeps_what_is_finished),
        WITH_CTX(wrong_options_say_what_would_be_right),
        cmocka_unit_test(every_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
