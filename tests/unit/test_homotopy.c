/* The lasso's path by homotopy: optimality conditions at and between the knots, other solvers, degenerate designs. */
#include "check.h"

#define SEED 32

typedef struct problem {
    lnt_mat X; /* D x n */
    double *y;
} problem;

enum { GAUSSIAN, INTEGERS, SIGNS, TWINS, SUMS, KINDS };

/* Integers and signs have ties; twins hold every feature twice, once with the opposite sign, and a feature of zeros;
 * sums hold combinations of features that are tied with them, and wanted once one of them leaves. */
static problem random_problem(lnt_ctx *ctx, int D, int n, int kind, lnt_rng *rng)
{
    problem p = {random_matrix(ctx, D, n, rng), random_matrix(ctx, n, 1, rng).a};
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < D; j++) {
            double *x = lnt_at(p.X, j, i);
            *x = kind == INTEGERS ? round(*x) : kind == SIGNS ? (*x > 0) - (*x <= 0) : *x;
            if (kind == TWINS && j >= D / 2)
                *x = j == D - 1 ? 0 : -*lnt_at(p.X, j - D / 2, i);
            if (kind == SUMS && j >= (D + 3) / 2) {
                double *u = lnt_at(p.X, j - (D + 3) / 2, i);
                *x = j % 3 ? u[0] + u[1] - u[2] : (u[0] + u[1]) / 2;
            }
        }
        if (kind == INTEGERS || kind == SIGNS)
            p.y[i] = round(3 * p.y[i]);
    }
    return p;
}

/* The largest violation of |g_j| <= lambda, g_j = lambda sign(w_j) where w_j is not 0, g = X (y - X'w)/n. */
static double violation(lnt_ctx *ctx, problem p, const double *w, double lambda)
{
    int D = p.X.rows, n = p.X.cols;
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *r = lnt_alloc(ctx, (size_t)n, sizeof *r), worst = 0;
    for (int i = 0; i < n; i++) {
        r[i] = p.y[i];
        for (int j = 0; j < D; j++)
            r[i] -= *lnt_at(p.X, j, i) * w[j];
    }
    for (int j = 0; j < D; j++) {
        double g = 0;
        for (int i = 0; i < n; i++)
            g += *lnt_at(p.X, j, i) * r[i] / n;
        worst = fmax(worst, fabs(g) - lambda);
        if (fabs(w[j]) > 1e-11)
            worst = fmax(worst, fabs(g - copysign(lambda, w[j])));
    }
    lnt_ctx_reset(ctx, mark);
    return worst;
}

static void optimal_everywhere(void **state)
{
    static const int sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {5, 5}, {12, 30}, {40, 12}, {30, 30}, {60, 25}};
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int run = 0; run < 8 * KINDS * 6; run++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        const int *size = sizes[run % 8];
        problem p = random_problem(ctx, size[0], size[1], run / 8 % KINDS, &rng);
        lnt_homotopy path;
        double *w = lnt_alloc(ctx, (size_t)size[0], sizeof *w);
        check_status(ctx, lnt_lasso_homotopy(ctx, &path, p.X, p.y, NULL), LNT_OK);
        double top = path.knot[0].lambda;
        if (!path.complete || path.knot[path.knots - 1].lambda != 0)
            fail_msg("run %d (%d x %d, kind %d): stopped at %g of %g", run, size[0], size[1], run / 8 % KINDS,
                     path.knot[path.knots - 1].lambda, top);
        for (int k = 0; k < path.knots; k++)
            for (int between = 0; between < 2; between++) {
                double lambda = path.knot[k].lambda, next = k + 1 < path.knots ? path.knot[k + 1].lambda : lambda;
                lambda = between ? 0.3 * lambda + 0.7 * next : lambda;
                lnt_homotopy_at(w, &path, lambda);
                double v = violation(ctx, p, w, lambda);
                if (!(v <= 1e-10 * top + 1e-14))
                    fail_msg("run %d (%d x %d, kind %d), knot %d of %d, lambda %g: violation %g", run, size[0], size[1],
                             run / 8 % KINDS, k, path.knots, lambda, v);
            }
        for (int k = 1; k < path.knots; k++)
            assert_true(path.knot[k].lambda < path.knot[k - 1].lambda);
        assert_true(path.violation < 1e-10);
        assert_true(path.violation < 1e-10);
        lnt_homotopy_at(w, &path, 2 * top);
        for (int j = 0; j < size[0]; j++)
            assert_true(w[j] == 0);
        lnt_ctx_reset(ctx, mark);
    }
}

static double objective(problem p, const double *w, double lambda)
{
    double sum = 0, one = 0;
    for (int i = 0; i < p.X.cols; i++) {
        double r = p.y[i];
        for (int j = 0; j < p.X.rows; j++)
            r -= *lnt_at(p.X, j, i) * w[j];
        sum += r * r;
    }
    for (int j = 0; j < p.X.rows; j++)
        one += fabs(w[j]);
    return sum / (2 * p.X.cols) + lambda * one;
}

/* Against plain cyclic coordinate descent. */
static void agrees_with_coordinate_descent(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    enum { D = 20, N = 40 };
    problem p = random_problem(ctx, D, N, GAUSSIAN, &rng);
    lnt_homotopy path;
    check_status(ctx, lnt_lasso_homotopy(ctx, &path, p.X, p.y, NULL), LNT_OK);
    for (double share = 0.7; share > 0.001; share *= 0.4) {
        double lambda = share * path.knot[0].lambda, w[D] = {0}, exact[D];
        for (int sweep = 0; sweep < 1000; sweep++)
            for (int j = 0; j < D; j++) {
                double g = 0, a = 0;
                for (int i = 0; i < N; i++) {
                    double r = p.y[i];
                    for (int l = 0; l < D; l++)
                        r -= *lnt_at(p.X, l, i) * w[l];
                    g += *lnt_at(p.X, j, i) * r / N;
                    a += *lnt_at(p.X, j, i) * *lnt_at(p.X, j, i) / N;
                }
                double z = a * w[j] + g;
                w[j] = (z > lambda ? z - lambda : z < -lambda ? z + lambda : 0) / a;
            }
        lnt_homotopy_at(exact, &path, lambda);
        check_near(objective(p, exact, lambda), objective(p, w, lambda), 1e-12, "objective");
        check_close(lnt_mat_view(exact, D, 1), lnt_mat_view(w, D, 1), 1e-8, "coefficients");
    }
}

/* Orthogonal features: w_j = soft(x_j.y/n, lambda)/(|x_j|^2/n). */
static void orthogonal_features_are_thresholded(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    lnt_mat Q, X, y = random_matrix(ctx, 16, 1, &rng);
    check_status(ctx, lnt_mat_alloc(ctx, &Q, 16, 6), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &X, 6, 16), LNT_OK);
    check_status(ctx, lnt_rng_orthogonal(ctx, Q, &rng), LNT_OK);
    lnt_mat_transpose(X, Q);
    lnt_mat_scale(X, 4); /* |x_j|^2 = n */
    lnt_homotopy path;
    check_status(ctx, lnt_lasso_homotopy(ctx, &path, X, y.a, NULL), LNT_OK);
    assert_int_equal(path.knots, 7);
    assert_int_equal(path.drops, 0);
    for (double lambda = 0; lambda < 0.5; lambda += 0.03) {
        double w[6], expected[6];
        lnt_homotopy_at(w, &path, lambda);
        lnt_gemv(expected, 1.0 / 16, LNT_N, X, y.a, 0);
        for (int j = 0; j < 6; j++)
            expected[j] = copysign(fmax(0, fabs(expected[j]) - lambda), expected[j]);
        check_close(lnt_mat_view(w, 6, 1), lnt_mat_view(expected, 6, 1), 1e-14, "thresholded");
    }
}

static void ends_where_asked(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    problem p = random_problem(ctx, 20, 30, GAUSSIAN, &rng);
    lnt_homotopy_opts opts;
    lnt_homotopy whole, part;
    double a[20], b[20];
    lnt_homotopy_defaults(&opts);
    check_status(ctx, lnt_lasso_homotopy(ctx, &whole, p.X, p.y, NULL), LNT_OK);
    double top = whole.knot[0].lambda;
    for (int by_ratio = 0; by_ratio < 2; by_ratio++) {
        opts.ratio = by_ratio ? 0.1 : 0;
        opts.lambda_min = by_ratio ? 0.01 * top : 0.1 * top;
        check_status(ctx, lnt_lasso_homotopy(ctx, &part, p.X, p.y, &opts), LNT_OK);
        check_near(part.knot[part.knots - 1].lambda / top, 0.1, 1e-14, "the end");
        assert_true(part.complete && part.knots < whole.knots);
        lnt_homotopy_at(a, &part, 0.1 * top);
        lnt_homotopy_at(b, &whole, 0.1 * top);
        check_close(lnt_mat_view(a, 20, 1), lnt_mat_view(b, 20, 1), 1e-12, "the same path");
        lnt_homotopy_at(b, &part, 0); /* not known: the last that is */
        check_close(lnt_mat_view(b, 20, 1), lnt_mat_view(a, 20, 1), 1e-12, "beyond the end");
    }
    opts = (lnt_homotopy_opts){.lambda_min = 2 * top};
    check_status(ctx, lnt_lasso_homotopy(ctx, &part, p.X, p.y, &opts), LNT_OK);
    assert_true(part.complete && part.knots == 1 && part.knot[0].active == 0);
    opts = (lnt_homotopy_opts){.max_steps = 3};
    check_status(ctx, lnt_lasso_homotopy(ctx, &part, p.X, p.y, &opts), LNT_OK);
    assert_true(!part.complete && part.knots == 4);
    for (int i = 0; i < 30; i++)
        p.y[i] = 0;
    check_status(ctx, lnt_lasso_homotopy(ctx, &part, p.X, p.y, NULL), LNT_OK);
    assert_true(part.complete && part.knots == 1 && part.knot[0].lambda == 0);
}

static void refuses(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    problem p = random_problem(ctx, 4, 5, GAUSSIAN, &rng);
    lnt_homotopy path;
    lnt_homotopy_opts opts = {.lambda_min = -1};
    check_failure(ctx, lnt_lasso_homotopy(ctx, &path, p.X, p.y, &opts), LNT_EINVAL, "at least 0");
    opts = (lnt_homotopy_opts){.ratio = NAN};
    check_failure(ctx, lnt_lasso_homotopy(ctx, &path, p.X, p.y, &opts), LNT_EINVAL, "at least 0");
    p.y[2] = NAN;
    check_failure(ctx, lnt_lasso_homotopy(ctx, &path, p.X, p.y, NULL), LNT_EDOMAIN, "targets");
    p.y[2] = 0;
    *lnt_at(p.X, 1, 1) = INFINITY;
    check_failure(ctx, lnt_lasso_homotopy(ctx, &path, p.X, p.y, NULL), LNT_EDOMAIN, "features");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(optimal_everywhere),
        WITH_CTX(agrees_with_coordinate_descent),
        WITH_CTX(orthogonal_features_are_thresholded),
        WITH_CTX(ends_where_asked),
        WITH_CTX(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
