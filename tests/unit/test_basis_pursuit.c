/* Basis pursuit: certificates checked by hand, brute force, planted answers, degenerate and contradictory equations. */
#include "check.h"

#define SEED 33

/* y = X^T w. */
static void apply(double *y, lnt_mat X, const double *w)
{
    for (int i = 0; i < X.cols; i++) {
        y[i] = 0;
        for (int j = 0; j < X.rows; j++)
            y[i] += *lnt_at(X, j, i) * w[j];
    }
}

static double one_norm(const double *w, int n)
{
    double sum = 0;
    for (int j = 0; j < n; j++)
        sum += fabs(w[j]);
    return sum;
}

/* w solves, and u proves it: |X u|_inf <= 1 and y.u = |w|_1; and the numbers in info are those. */
static void check_certificate(lnt_ctx *ctx, lnt_mat X, const double *y, const double *w, const double *u,
                              const lnt_pursuit_info *info)
{
    int D = X.rows, n = X.cols, nonzero = 0;
    double *found = lnt_alloc(ctx, (size_t)n, sizeof *found), error = 0, size = 0, bound = 0, largest = 0;
    apply(found, X, w);
    for (int i = 0; i < n; i++) {
        error += (found[i] - y[i]) * (found[i] - y[i]);
        size += y[i] * y[i];
        bound += y[i] * u[i];
    }
    for (int j = 0; j < D; j++) {
        double a = 0;
        for (int i = 0; i < n; i++)
            a += *lnt_at(X, j, i) * u[i];
        largest = fmax(largest, fabs(a));
        nonzero += w[j] != 0;
    }
    assert_true(info->converged && error <= 1e-22 * size && largest <= 1 + 1e-11);
    check_near(bound / one_norm(w, D), 1, 1e-10, "duality");
    check_near(info->norm / one_norm(w, D), 1, 1e-14, "norm");
    check_near(info->bound / bound, 1, 1e-12, "bound");
    assert_int_equal(info->nonzero, nonzero);
    assert_true(nonzero <= n);
}

static void certificates_hold(void **state)
{
    static const int sizes[][3] = {{1, 1, 1},   {6, 1, 2},    {8, 8, 3},    {40, 15, 3}, {40, 15, 30},
                                   {60, 50, 6}, {60, 50, 50}, {60, 59, 20}, {120, 6, 1}, {50, 30, 17}};
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int run = 0; run < 200; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        const int *size = sizes[run % 10];
        lnt_mat X = random_matrix(ctx, size[0], size[1], &rng);
        double T[120] = {0}, y[120], w[120], u[120];
        lnt_pursuit_info info;
        for (int j = 0; j < size[2]; j++)
            T[j] = lnt_rng_normal(&rng);
        lnt_mat_scale(X, run % 3 == 0 ? 1e-70 : run % 3 == 1 ? 1e70 : 1);
        apply(y, X, T);
        check_status(ctx, lnt_basis_pursuit(ctx, w, u, &info, X, y, NULL), LNT_OK);
        check_certificate(ctx, X, y, w, u, &info);
        assert_true(info.norm <= one_norm(T, size[0]) * (1 + 1e-10));
        if (size[1] >= size[0]) /* one solution only */
            check_close(lnt_mat_view(w, size[0], 1), lnt_mat_view(T, size[0], 1), 1e-7, "the solution");
        lnt_ctx_reset(ctx, mark);
    }
}

/* Two equations in five unknowns: the least over all vertices, which have two entries. */
static void brute_force(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int run = 0; run < 300; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat X = random_matrix(ctx, 5, 2, &rng), y = random_matrix(ctx, 2, 1, &rng);
        double best = INFINITY, w[5];
        lnt_pursuit_info info;
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < i; j++) {
                double a = *lnt_at(X, i, 0), b = *lnt_at(X, j, 0), c = *lnt_at(X, i, 1), d = *lnt_at(X, j, 1);
                best =
                    fmin(best, (fabs(d * y.a[0] - b * y.a[1]) + fabs(a * y.a[1] - c * y.a[0])) / fabs(a * d - b * c));
            }
        check_status(ctx, lnt_basis_pursuit(ctx, w, NULL, &info, X, y.a, NULL), LNT_OK);
        check_near(info.norm / best, 1, 1e-11, "the least norm");
        assert_true(info.converged);
        lnt_ctx_reset(ctx, mark);
    }
}

/* Far inside the region of recovery (D = 80, n = 50, k = 8: fails about once in 10^5) it finds the sparse vector. */
static void recovers_sparse_vectors(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    for (int run = 0; run < 20; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat X = random_matrix(ctx, 80, 50, &rng);
        double T[80] = {0}, y[50], w[80];
        lnt_pursuit_info info;
        for (int j = 0; j < 8; j++)
            T[10 * j] = lnt_rng_normal(&rng);
        apply(y, X, T);
        check_status(ctx, lnt_basis_pursuit(ctx, w, NULL, &info, X, y, NULL), LNT_OK);
        check_close(lnt_mat_view(w, 80, 1), lnt_mat_view(T, 80, 1), 1e-12, "the sparse vector");
        assert_int_equal(info.nonzero, 8);
        lnt_ctx_reset(ctx, mark);
    }
}

/* Frequencies of success against lnt_recovery_probability(): D = 100, six cells of 150 problems; 4 standard errors and
 * 0.03 for the approximation: one test in a thousand fails by chance. */
static void recovers_as_often_as_predicted(void **state)
{
    static const int cells[][2] = {{50, 12}, {50, 19}, {50, 26}, {80, 38}, {80, 45}, {30, 8}}; /* n, k */
    lnt_ctx *ctx = *state;
    for (int c = 0; c < 6; c++) {
        int n = cells[c][0], k = cells[c][1], found = 0;
        for (int run = 0; run < 150; run++) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)(1000 * c + run), LNT_FOR_TASK);
            lnt_mat X = random_matrix(ctx, 100, n, &rng);
            double T[100] = {0}, y[100], w[100], error = 0;
            for (int j = 0; j < k; j++)
                T[j] = lnt_rng_normal(&rng);
            apply(y, X, T);
            check_status(ctx, lnt_basis_pursuit(ctx, w, NULL, NULL, X, y, NULL), LNT_OK);
            for (int j = 0; j < 100; j++)
                error = fmax(error, fabs(w[j] - T[j]));
            found += error < 1e-6;
            lnt_ctx_reset(ctx, mark);
        }
        double p = lnt_recovery_probability(100, n, k), rate = found / 150.0;
        if (!(fabs(rate - p) < 0.03 + 4 * sqrt(p * (1 - p) / 150)))
            fail_msg("n = %d, k = %d: recovered %.3f, predicted %.3f (seed %d)", n, k, rate, p, SEED);
    }
}

static void degenerate_equations(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    for (int run = 0; run < 200; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        enum { D = 24, N = 10 };
        lnt_mat X = random_matrix(ctx, D, N, &rng);
        double T[D], y[N], w[D], u[N];
        lnt_pursuit_info info;
        for (int j = 0; j < D; j++)
            T[j] = run % 2 ? round(lnt_rng_normal(&rng)) : lnt_rng_uniform(&rng) < 0.2;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < D; j++) { /* signs or small integers, duplicates, a feature of zeros, equal equations */
                double *x = lnt_at(X, j, i);
                *x = run % 3 == 0 ? (*x > 0) - (*x <= 0) : round(*x);
                *x = j == 5 ? 0 : j == 7 ? *lnt_at(X, 6, i) : j == 8 ? -*lnt_at(X, 6, i) : *x;
                *x = i == 4 ? *lnt_at(X, j, 3) : *x;
            }
        apply(y, X, T);
        check_status(ctx, lnt_basis_pursuit(ctx, w, u, &info, X, y, NULL), LNT_OK);
        if (one_norm(y, N) > 0)
            check_certificate(ctx, X, y, w, u, &info);
        lnt_ctx_reset(ctx, mark);
    }
}

static void says_what_it_could_not_do(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    lnt_mat X = random_matrix(ctx, 30, 20, &rng), y = random_matrix(ctx, 20, 1, &rng),
            Y = random_matrix(ctx, 40, 1, &rng);
    lnt_mat tall = random_matrix(ctx, 10, 40, &rng);
    lnt_pursuit_opts opts;
    lnt_pursuit_info info;
    double w[30], u[40];
    lnt_pursuit_defaults(&opts);
    opts.max_steps = 5;
    check_status(ctx, lnt_basis_pursuit(ctx, w, u, &info, X, y.a, &opts), LNT_OK);
    assert_true(!info.converged && info.steps == 5 && info.error > 0.01);
    check_status(ctx, lnt_basis_pursuit(ctx, w, u, &info, tall, Y.a, NULL), LNT_OK);
    assert_true(!info.converged && info.error > 0.1); /* no vector meets 40 equations in 10 unknowns */
    lnt_mat_fill(y, 0);
    check_status(ctx, lnt_basis_pursuit(ctx, w, u, &info, X, y.a, NULL), LNT_OK);
    assert_true(info.converged && info.norm == 0 && info.nonzero == 0 && w[3] == 0 && u[3] == 0);
    opts.tolerance = 0;
    check_failure(ctx, lnt_basis_pursuit(ctx, w, u, &info, X, y.a, &opts), LNT_EINVAL, "tolerance > 0");
    y.a[1] = NAN;
    check_failure(ctx, lnt_basis_pursuit(ctx, w, u, &info, X, y.a, NULL), LNT_EDOMAIN, "not finite");
}

/* ---- Running out of memory ---- */

static lnt_status everything(lnt_ctx *ctx, void *user)
{
    static double x[200 * 60], y[60], w[200];
    lnt_mat X = lnt_mat_view(x, 200, 60);
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    lnt_homotopy path;
    (void)user;
    for (int i = 0; i < 200 * 60; i++)
        x[i] = lnt_rng_normal(&rng);
    for (int i = 0; i < 60; i++)
        y[i] = lnt_rng_normal(&rng);
    lnt_status status = lnt_basis_pursuit(ctx, w, NULL, NULL, X, y, NULL);
    return status == LNT_OK ? lnt_lasso_homotopy(ctx, &path, X, y, NULL) : status;
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    assert_true(check_allocations(everything, NULL, LNT_OK, 1000) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(certificates_hold),
        WITH_CTX(brute_force),
        WITH_CTX(recovers_sparse_vectors),
        WITH_CTX(recovers_as_often_as_predicted),
        WITH_CTX(degenerate_equations),
        WITH_CTX(says_what_it_could_not_do),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
