/* Ridge regression against refits, explicit hat matrices and the conditions of optimality. */
#include "check.h"

#define SEED 78

/* Features of different means and scales, two targets that depend on some, weights. */
typedef struct sample {
    lnt_mat X, Y;
    double *weight;
    lnt_design design;
} sample;

static sample make_sample(lnt_ctx *ctx, int n, int D, lnt_rng *rng)
{
    sample s = {.X = random_matrix(ctx, n, D, rng), .Y = random_matrix(ctx, n, 2, rng), .weight = new_vector(ctx, n)};
    for (int i = 0; i < n; i++) {
        s.weight[i] = 0.2 + lnt_rng_uniform(rng);
        for (int j = 0; j < D; j++)
            *lnt_at(s.X, i, j) = (1 + j % 3) * *lnt_at(s.X, i, j) + j % 4;
        *lnt_at(s.Y, i, 0) += 5 + *lnt_at(s.X, i, 0) - *lnt_at(s.X, i, D / 2);
    }
    s.design = lnt_design_dense(s.X);
    return s;
}

static lnt_path_opts options(int kind, const sample *s)
{
    lnt_path_opts o;
    lnt_path_defaults(&o);
    o.intercept = kind & 1;
    o.standardize = kind & 2;
    o.weight = kind & 4 ? s->weight : NULL;
    return o;
}

static double share_of(const lnt_path_opts *o, int n, int i)
{
    double sum = 0;
    for (int k = 0; k < n; k++)
        sum += o->weight ? o->weight[k] : 1;
    return (o->weight ? o->weight[i] : 1) / sum;
}

/* Standard deviation of a feature, or 1. */
static double scale_of(const sample *s, const lnt_path_opts *o, int j)
{
    double mean = 0, square = 0;
    for (int i = 0; i < s->X.rows; i++)
        mean += share_of(o, s->X.rows, i) * *lnt_at(s->X, i, j);
    for (int i = 0; i < s->X.rows; i++)
        square += share_of(o, s->X.rows, i) * pow(*lnt_at(s->X, i, j) - mean, 2);
    return o->standardize ? sqrt(square) : 1;
}

static const double lambdas[] = {1e-6, 0.01, 1, 100};

/* sum_i share_i x_ij r_i = lambda s_j^2 w_j, and sum_i share_i r_i = 0 with an intercept. */
static void the_normal_equations_hold(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 16; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        int n = 20, D = kind & 8 ? 35 : 9;
        sample s = make_sample(ctx, n, D, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        lnt_ridge r;
        lnt_mat W = zeros(ctx, D, 2);
        double a[2], fit[20];
        check_status(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_OK);
        assert_int_equal(r.rank, D < n ? D : n - o.intercept);
        for (int k = 0; k < 4; k++) {
            lnt_ridge_score score[2];
            check_status(ctx, lnt_ridge_fit(ctx, W, a, &r, lambdas[k]), LNT_OK);
            check_status(ctx, lnt_ridge_scores(ctx, score, &r, lambdas[k]), LNT_OK);
            for (int t = 0; t < 2; t++) {
                double sum = 0, loss = 0;
                lnt_design_predict(fit, &s.design, lnt_at(W, 0, t), a[t]);
                for (int i = 0; i < n; i++) {
                    double e = *lnt_at(s.Y, i, t) - fit[i];
                    sum += share_of(&o, n, i) * e;
                    loss += share_of(&o, n, i) * e * e / 2;
                }
                check_near(sum, o.intercept ? 0 : sum, 1e-12, "mean of the residuals");
                assert_true(o.intercept || a[t] == 0);
                check_near(score[t].loss, loss, 1e-12, "loss");
                for (int j = 0; j < D; j++) {
                    double left = 0, w = *lnt_at(W, j, t);
                    for (int i = 0; i < n; i++)
                        left += share_of(&o, n, i) * *lnt_at(s.X, i, j) * (*lnt_at(s.Y, i, t) - fit[i]);
                    check_near(left, lambdas[k] * pow(scale_of(&s, &o, j), 2) * w, 1e-11, "normal equation");
                }
            }
        }
        lnt_ctx_reset(ctx, mark);
    }
}

/* Without sample i: the scales and the shares of the others as before, so that lambda grows by 1/(1 - share_i). */
static double refit(lnt_ctx *ctx, const sample *s, const lnt_path_opts *o, int out, int target, double lambda)
{
    int n = s->X.rows, D = s->X.cols, row = 0;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat X = zeros(ctx, n - 1, D), Y = zeros(ctx, n - 1, 1), W = zeros(ctx, D, 1);
    double *weight = new_vector(ctx, n), *scale = new_vector(ctx, D), a, fit;
    for (int j = 0; j < D; j++)
        scale[j] = scale_of(s, o, j);
    for (int i = 0; i < n; i++) {
        if (i == out)
            continue;
        for (int j = 0; j < D; j++)
            *lnt_at(X, row, j) = *lnt_at(s->X, i, j) / scale[j];
        *lnt_at(Y, row, 0) = *lnt_at(s->Y, i, target);
        weight[row++] = share_of(o, n, i);
    }
    lnt_path_opts part = *o;
    part.standardize = false;
    part.weight = weight;
    lnt_design design = lnt_design_dense(X);
    lnt_ridge r;
    check_status(ctx, lnt_ridge_make(ctx, &r, &design, Y, &part), LNT_OK);
    check_status(ctx, lnt_ridge_fit(ctx, W, &a, &r, lambda / (1 - share_of(o, n, out))), LNT_OK);
    fit = a;
    for (int j = 0; j < D; j++)
        fit += *lnt_at(s->X, out, j) / scale[j] * *lnt_at(W, j, 0);
    lnt_ctx_reset(ctx, mark);
    return *lnt_at(s->Y, out, target) - fit;
}

static void leaving_one_out_is_refitting(void **state)
{
    lnt_ctx *ctx = *state;
    const double penalties[] = {0, 1e-10, 1e-8, 1e-3, 0.3, 50};
    const int sizes[][2] = {{16, 6}, {14, 30}, {12, 11}, {12, 12}, {12, 13}, {2, 3}};
    for (int kind = 0; kind < 48; kind++) {
        int n = sizes[kind / 8][0], D = sizes[kind / 8][1];
        lnt_rng rng = lnt_rng_stream(SEED, 100 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, n, D, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        lnt_ridge r;
        lnt_mat E = zeros(ctx, n, 2);
        check_status(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_OK);
        for (int k = 0; k < 6; k++) {
            lnt_ridge_score score[2];
            double mean = 0;
            check_status(ctx, lnt_ridge_leave_one_out(ctx, E, &r, penalties[k]), LNT_OK);
            check_status(ctx, lnt_ridge_scores(ctx, score, &r, penalties[k]), LNT_OK);
            for (int i = 0; i < n; i++) {
                for (int t = 0; t < 2; t++) {
                    double e = refit(ctx, &s, &o, i, t, penalties[k]);
                    if (!(fabs(*lnt_at(E, i, t) - e) <= 1e-10 * fmax(1, fabs(e))))
                        fail_msg("%d x %d, kind %d, lambda %g, sample %d: %.15g, refitted %.15g", n, D, kind & 7,
                                 penalties[k], i, *lnt_at(E, i, t), e);
                }
                mean += share_of(&o, n, i) * pow(*lnt_at(E, i, 1), 2);
            }
            check_near(score[1].loo, mean, 1e-12, "mean square");
        }
        lnt_ctx_reset(ctx, mark);
    }
}

/* Fits to unit vectors are the hat matrix H: its trace, r_i/(1 - H_ii), and GCV by its definition. */
static void scores_are_those_of_the_hat_matrix(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 16; kind++) {
        enum { N = 14 };
        int D = kind & 8 ? 25 : 6;
        lnt_rng rng = lnt_rng_stream(SEED, 200 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        sample s = make_sample(ctx, N, D, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        lnt_ridge r, unit;
        lnt_mat I = zeros(ctx, N, N), W = zeros(ctx, D, N), E = zeros(ctx, N, 2);
        double a[N], fit[N];
        lnt_mat_identity(I);
        check_status(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_OK);
        check_status(ctx, lnt_ridge_make(ctx, &unit, &s.design, I, &o), LNT_OK);
        for (int k = 1; k < 4; k++) {
            lnt_ridge_score score[2];
            double trace = 0, square = 0, leverage[N], residual[N];
            check_status(ctx, lnt_ridge_scores(ctx, score, &r, lambdas[k]), LNT_OK);
            check_status(ctx, lnt_ridge_leave_one_out(ctx, E, &r, lambdas[k]), LNT_OK);
            check_status(ctx, lnt_ridge_fit(ctx, W, a, &unit, lambdas[k]), LNT_OK);
            for (int i = 0; i < N; i++)
                residual[i] = *lnt_at(s.Y, i, 0);
            for (int c = 0; c < N; c++) {
                lnt_design_predict(fit, &s.design, lnt_at(W, 0, c), a[c]);
                leverage[c] = fit[c];
                trace += fit[c];
                for (int i = 0; i < N; i++)
                    residual[i] -= fit[i] * *lnt_at(s.Y, c, 0);
            }
            check_near(score[0].freedom, trace, 1e-11, "degrees of freedom");
            for (int i = 0; i < N; i++) {
                square += share_of(&o, N, i) * residual[i] * residual[i];
                check_near(*lnt_at(E, i, 0), residual[i] / (1 - leverage[i]), 1e-10, "left out");
            }
            check_near(score[0].gcv, square / pow(1 - trace / N, 2), 1e-10, "GCV");
        }
        lnt_ctx_reset(ctx, mark);
    }
}

/* Rotations of the samples: with a circulant design every sample has the same leverage, and GCV is leave-one-out. */
static void gcv_is_leave_one_out_where_samples_are_alike(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N = 12 };
    for (int D = 5; D <= N; D += 7) {
        lnt_rng rng = lnt_rng_stream(SEED, 300, LNT_FOR_TESTS);
        lnt_mat first = random_matrix(ctx, N, 1, &rng), X = zeros(ctx, N, N), Y = random_matrix(ctx, N, 1, &rng);
        for (int j = 0; j < N; j++)
            for (int i = 0; i < N; i++)
                *lnt_at(X, i, j) = first.a[(i + j) % N];
        if (D < N) { /* keep some of the Fourier modes, which keeps the symmetry */
            lnt_mat C = zeros(ctx, N, D);
            for (int i = 0; i < N; i++)
                for (int k = 0; k < D; k++)
                    *lnt_at(C, i, k) = k == 0 ? 1 : (k % 2 ? cos : sin)(2 * acos(-1) * ((k + 1) / 2) * i / N);
            X = C;
        }
        lnt_design design = lnt_design_dense(X);
        lnt_path_opts o = {.count = 1, .tolerance = 1e-8, .max_epochs = 1};
        lnt_ridge r;
        lnt_ridge_score score;
        check_status(ctx, lnt_ridge_make(ctx, &r, &design, Y, &o), LNT_OK);
        for (int k = 0; k < 5; k++) {
            double lambda = k < 4 ? lambdas[k] : 0;
            check_status(ctx, lnt_ridge_scores(ctx, &score, &r, lambda), LNT_OK);
            assert_true(isfinite(score.gcv) && score.gcv > 0);
            check_near(score.gcv / score.loo, 1, 1e-9, "GCV over leave-one-out");
        }
    }
}

static void penalty_zero_has_the_least_norm_and_is_the_limit(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 400, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 10, 25, &rng);
    for (int i = 0; i < 10; i++) /* rank 8 */
        for (int j = 0; j < 25; j++)
            if (i >= 8)
                *lnt_at(s.X, i, j) = *lnt_at(s.X, i - 8, j) - *lnt_at(s.X, i - 6, j);
    lnt_path_opts o = options(0, &s);
    lnt_ridge r;
    lnt_mat W = zeros(ctx, 25, 2), small = zeros(ctx, 25, 2), C = zeros(ctx, 8, 2);
    double a[2], fit[10];
    check_status(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_OK);
    assert_int_equal(r.rank, 8);
    check_status(ctx, lnt_ridge_fit(ctx, W, a, &r, 0), LNT_OK);
    check_status(ctx, lnt_ridge_fit(ctx, small, a, &r, 1e-11), LNT_OK);
    check_close(small, W, 1e-9, "limit");
    for (int t = 0; t < 2; t++) { /* orthogonal to the residuals, and along the rows of X: no part outside */
        double left[25] = {0};
        lnt_design_predict(fit, &s.design, lnt_at(W, 0, t), a[t]);
        for (int j = 0; j < 25; j++) {
            for (int i = 0; i < 10; i++)
                left[j] += *lnt_at(s.X, i, j) * (*lnt_at(s.Y, i, t) - fit[i]);
            assert_true(fabs(left[j]) < 1e-11);
        }
    }
    lnt_mat Q = zeros(ctx, 25, 8);
    double diag[8];
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 25; j++)
            *lnt_at(Q, j, i) = *lnt_at(s.X, i, j);
    check_status(ctx, lnt_qr(ctx, Q, diag), LNT_OK);
    lnt_gemm(C, 1, LNT_T, Q, LNT_N, W, 0);
    lnt_gemm(small, 1, LNT_N, Q, LNT_N, C, 0);
    check_close(small, W, 1e-12, "row space");
}

/* With more features than samples the scores have a limit at 0, which the definition, 0/0, does not show. */
static void scores_reach_their_limit(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 8; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 450 + (uint32_t)kind, LNT_FOR_TESTS);
        sample s = make_sample(ctx, 12, 30, &rng);
        lnt_path_opts o = options(kind, &s);
        lnt_ridge r;
        lnt_ridge_score zero[2], small[2];
        check_status(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_OK);
        check_status(ctx, lnt_ridge_scores(ctx, zero, &r, 0), LNT_OK);
        check_status(ctx, lnt_ridge_scores(ctx, small, &r, 1e-13), LNT_OK);
        for (int t = 0; t < 2; t++) {
            assert_true(zero[t].gcv > 0 && zero[t].loo > 0);
            check_near(zero[t].gcv / small[t].gcv, 1, 1e-10, "GCV");
            check_near(zero[t].loo / small[t].loo, 1, 1e-10, "leave-one-out");
            check_near(zero[t].loss, 0, 1e-25, "loss");
            check_near(zero[t].freedom, 12, 1e-12, "degrees of freedom");
        }
    }
}

/* Samples of weight 0 change nothing but are predicted; constant features and targets, huge penalties, one sample. */
static void odd_problems(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 500, LNT_FOR_TESTS);
    sample s = make_sample(ctx, 12, 5, &rng);
    lnt_path_opts o = options(7, &s);
    lnt_ridge r, part;
    lnt_mat E = zeros(ctx, 12, 2), F = zeros(ctx, 9, 2), W = zeros(ctx, 5, 2), V = zeros(ctx, 5, 2);
    double a[2], b[2], fit[12];
    lnt_ridge_score score[2], other[2];
    for (int i = 0; i < 12; i++)
        *lnt_at(s.X, i, 2) = 0.3;
    s.weight[9] = s.weight[10] = s.weight[11] = 0;
    lnt_design nine = lnt_design_dense(lnt_block(s.X, 0, 0, 9, 5));
    check_status(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_OK);
    check_status(ctx, lnt_ridge_make(ctx, &part, &nine, lnt_block(s.Y, 0, 0, 9, 2), &o), LNT_OK);
    for (int k = 0; k < 4; k++) {
        check_status(ctx, lnt_ridge_fit(ctx, W, a, &r, lambdas[k]), LNT_OK);
        check_status(ctx, lnt_ridge_fit(ctx, V, b, &part, lambdas[k]), LNT_OK);
        check_close(W, V, 1e-12, "coefficients");
        assert_true(*lnt_at(W, 2, 0) == 0);
        check_status(ctx, lnt_ridge_leave_one_out(ctx, E, &r, lambdas[k]), LNT_OK);
        check_status(ctx, lnt_ridge_leave_one_out(ctx, F, &part, lambdas[k]), LNT_OK);
        check_close(lnt_block(E, 0, 0, 9, 2), F, 1e-11, "left out");
        lnt_design_predict(fit, &s.design, lnt_at(W, 0, 1), a[1]);
        for (int i = 9; i < 12; i++)
            check_near(*lnt_at(E, i, 1), *lnt_at(s.Y, i, 1) - fit[i], 1e-12, "sample of weight 0");
        check_status(ctx, lnt_ridge_scores(ctx, score, &r, lambdas[k]), LNT_OK);
        check_status(ctx, lnt_ridge_scores(ctx, other, &part, lambdas[k]), LNT_OK);
        check_near(score[0].gcv, other[0].gcv, 1e-11, "GCV");
        check_near(score[0].loo, other[0].loo, 1e-11, "mean of leaving one out");
    }
    lnt_mat_fill(s.X, 0.1); /* nothing but the mean is left */
    o = options(3, &s);
    check_status(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_OK);
    assert_int_equal(r.rank, 0);
    check_status(ctx, lnt_ridge_leave_one_out(ctx, E, &r, 0), LNT_OK);
    double mean = 0;
    for (int i = 0; i < 12; i++)
        mean += *lnt_at(s.Y, i, 0) / 12;
    for (int i = 0; i < 12; i++)
        check_near(*lnt_at(E, i, 0), (*lnt_at(s.Y, i, 0) - mean) * 12 / 11, 1e-13, "left out of the mean");
    check_failure(ctx, lnt_ridge_make(ctx, &r, &s.design, F, &o), LNT_ESHAPE, "9 rows");
    check_failure(ctx, lnt_ridge_fit(ctx, W, a, &r, -1), LNT_EINVAL, "penalty");
    check_failure(ctx, lnt_ridge_fit(ctx, F, a, &r, 1), LNT_ESHAPE, "9 x 2");
    check_failure(ctx, lnt_ridge_leave_one_out(ctx, F, &r, 1), LNT_ESHAPE, "9 x 2");
    check_failure(ctx, lnt_ridge_scores(ctx, score, &r, INFINITY), LNT_EINVAL, "penalty");
    *lnt_at(s.Y, 3, 1) = NAN;
    check_failure(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_EDOMAIN, "target 3");
}

/* alpha = 0 of the paths is the same ridge, certified. */
static void paths_of_alpha_zero_are_ridge(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < 16; kind++) {
        lnt_rng rng = lnt_rng_stream(SEED, 600 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_mark mark = lnt_ctx_mark(ctx);
        int D = kind & 8 ? 35 : 9;
        sample s = make_sample(ctx, 20, D, &rng);
        lnt_path_opts o = options(kind & 7, &s);
        lnt_ridge r;
        lnt_path path;
        lnt_mat W = zeros(ctx, D, 2);
        double a[2];
        o.alpha = 0;
        o.count = 8;
        check_status(ctx, lnt_path_fit(ctx, &path, &s.design, s.Y.a, &o), LNT_OK);
        check_status(ctx, lnt_ridge_make(ctx, &r, &s.design, s.Y, &o), LNT_OK);
        for (int k = 0; k < path.count; k++) {
            check_status(ctx, lnt_ridge_fit(ctx, W, a, &r, path.at[k].lambda), LNT_OK);
            check_close(lnt_columns(path.W, k, 1), lnt_columns(W, 0, 1), 1e-13, "coefficients");
            check_near(path.at[k].intercept, a[0], 1e-12, "intercept");
            assert_true(path.at[k].converged && path.at[k].gap >= 0 && path.at[k].gap <= 1e-20);
            assert_int_equal(path.at[k].nonzero, D);
        }
        lnt_ctx_reset(ctx, mark);
    }
}

static lnt_status everything(lnt_ctx *ctx, void *user)
{
    enum { N = 300, D = 200 };
    static double x[N * D], y[N], e[N], weight[N];
    lnt_rng rng = lnt_rng_stream(SEED, 700, LNT_FOR_TESTS);
    (void)user;
    for (int i = 0; i < N * D; i++)
        x[i] = lnt_rng_normal(&rng);
    for (int i = 0; i < N; i++) {
        y[i] = lnt_rng_normal(&rng);
        weight[i] = i > 0;
    }
    lnt_design design = lnt_design_dense(lnt_mat_view(x, N, D));
    lnt_path_opts o;
    lnt_ridge r;
    lnt_ridge_score score;
    lnt_path_defaults(&o);
    o.weight = weight;
    lnt_status status = lnt_ridge_make(ctx, &r, &design, lnt_mat_view(y, N, 1), &o);
    if (status == LNT_OK)
        status = lnt_ridge_leave_one_out(ctx, lnt_mat_view(e, N, 1), &r, 0.1);
    return status == LNT_OK ? lnt_ridge_scores(ctx, &score, &r, 0.1) : status;
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    assert_true(check_allocations(everything, NULL, LNT_OK, 1000) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(the_normal_equations_hold),
                                       WITH_CTX(leaving_one_out_is_refitting),
                                       WITH_CTX(scores_are_those_of_the_hat_matrix),
                                       WITH_CTX(gcv_is_leave_one_out_where_samples_are_alike),
                                       WITH_CTX(penalty_zero_has_the_least_norm_and_is_the_limit),
                                       WITH_CTX(scores_reach_their_limit),
                                       WITH_CTX(odd_problems),
                                       WITH_CTX(paths_of_alpha_zero_are_ridge),
                                       cmocka_unit_test(every_failing_allocation_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
