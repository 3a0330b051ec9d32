/* Preparation, scores, the built-in populations with the numbers known of them, cross-validation, bad input. */
#include "match.h"

#define SEED 34

static void preparation_does_what_it_says(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    lnt_mat X = random_matrix(ctx, 7, 3, &rng), Y = copy_of(ctx, X);
    double sd, mean = 0, square = 0;
    for (int i = 0; i < 7; i++)
        *lnt_at(X, i, 1) += 1e3;
    check_status(ctx, lnt_match_prepare_inputs(ctx, X, LNT_MATCH_ZSCORE, false), LNT_OK);
    for (int j = 0; j < 3; j++) {
        double sum = 0, sum2 = 0;
        for (int i = 0; i < 7; i++) {
            sum += *lnt_at(X, i, j);
            sum2 += pow(*lnt_at(X, i, j), 2);
        }
        check_near(sum, 0, 1e-14, "mean");
        check_near(sum2, 7, 1e-12, "G_ii = N");
    }
    check_status(ctx, lnt_match_prepare_outputs(ctx, Y, &sd, LNT_MATCH_ZSCORE, true), LNT_OK);
    for (int i = 0; i < 21; i++)
        mean += Y.a[i] / 21;
    for (int i = 0; i < 21; i++)
        square += pow(Y.a[i] - mean, 2) / 21;
    check_near(square * 7, 1, 1e-12, "one sd, and the cells");
    check_near(lnt_match_lambda(1e6, 148, 48), 1.05e5, 2e-3 * 1.05e5, "lambda");
    check_near(lnt_match_lam0(lnt_match_lambda(3.5, 148, 48), 148, 48), 3.5, 1e-14, "lam0");
    for (int i = 0; i < 7; i++)
        *lnt_at(X, i, 2) = 0.1;
    check_failure(ctx, lnt_match_prepare_inputs(ctx, X, LNT_MATCH_ZSCORE, false), LNT_EDOMAIN, "stimulus 3");
    *lnt_at(X, 3, 1) = NAN;
    check_failure(ctx, lnt_match_prepare_inputs(ctx, X, LNT_MATCH_CENTRE, false), LNT_EDOMAIN, "cell 4, stimulus 2");
    check_failure(ctx, lnt_match_target(ctx, zeros(ctx, 3, 3), X, zeros(ctx, 6, 3)), LNT_ESHAPE, "6 x 3");
}

static void scores_are_their_definitions(void **state)
{
    lnt_ctx *ctx = *state;
    double s[] = {1, 2, 3, 4}, c[] = {1, 1, 3, 5}, zero[4] = {0};
    lnt_mat S = lnt_mat_view(s, 2, 2), C = lnt_mat_view(c, 2, 2);
    (void)ctx;
    check_near(lnt_match_r2(S, C, false), 1 - 2 / 5.0, 1e-15, "all entries");
    check_near(lnt_match_r2(S, C, true), 1 - 1 / (14.0 / 3), 1e-15, "triangle"); /* 1, 3, 4 */
    check_near(lnt_match_ratio(S, C, lnt_mat_view(zero, 2, 2)), 2 / 30.0, 1e-15, "ratio");
    assert_true(isnan(lnt_match_r2(lnt_mat_view(zero, 2, 2), C, false)));
}

static double mean_correlation(lnt_mat A)
{
    double sum = 0;
    centre_columns(A);
    for (int j = 0; j < A.cols; j++)
        lnt_mat_scale(lnt_columns(A, j, 1), 1 / lnt_mat_norm(lnt_columns(A, j, 1)));
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < j; i++)
            sum += fabs(lnt_mat_dot(lnt_columns(A, i, 1), lnt_columns(A, j, 1)));
    return sum / (A.cols * (A.cols - 1) / 2.0);
}

/* Held-out trials: all entries of Y_1^T J Y_t against (Z X_1)^T J (Z X_t). */
static double held_out(lnt_ctx *ctx, const lnt_match_data *d, int t, const lnt_match *m, const lnt_match_fit *fit)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat S = zeros(ctx, m->stimuli, m->stimuli), C = zeros(ctx, m->stimuli, m->stimuli);
    check_status(ctx, lnt_match_target(ctx, S, d->Y[0], d->Y[t]), LNT_OK);
    check_status(ctx, lnt_match_predict(ctx, C, m, fit, d->X[0], d->X[t]), LNT_OK);
    double r2 = lnt_match_r2(S, C, false);
    lnt_ctx_reset(ctx, mark);
    return r2;
}

/* Bands over draws that are known of these populations. */
static void built_in_populations_show_what_they_were_made_for(void **state)
{
    lnt_ctx *ctx = *state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_match_data d;
        check_status(ctx, lnt_match_generate(ctx, &d, NULL, seed), LNT_OK);
        assert_int_equal(d.X[2].rows, 148);
        assert_int_equal(d.Y[2].rows, 167);
        lnt_mat S = zeros(ctx, 48, 48);
        lnt_match m;
        check_status(ctx, lnt_match_target(ctx, S, d.Y[0], d.Y[0]), LNT_OK);
        check_status(ctx, lnt_match_make(ctx, &m, d.X[0], S, NULL), LNT_OK);
        assert_true(m.centred && m.rank == 48);
        const double lambda[] = {lnt_match_lambda(1e6, 148, 48), lnt_match_lambda(1e9, 148, 48)};
        lnt_match_fit full[2], linear[2];
        double misfit[2], r2[2], error[2];
        check_status(ctx, lnt_match_full_path(ctx, full, &m, lambda, 2, NULL), LNT_OK);
        check_status(ctx, lnt_match_linear_path(ctx, linear, &m, lambda, 2), LNT_OK);
        for (int l = 0; l < 2; l++) {
            check_status(ctx, lnt_match_balance(ctx, &misfit[l], &r2[l], NULL, NULL, &m, &full[l]), LNT_OK);
            error[l] = distance(ctx, linear[l].D, full[l].D);
            assert_true(full[l].global && full[l].smallest > 0);
        }
        double v[4] = {held_out(ctx, &d, 2, &m, &full[0]), held_out(ctx, &d, 2, &m, &full[1]),
                       held_out(ctx, &d, 2, &m, &linear[0]), held_out(ctx, &d, 2, &m, &linear[1])};
        if (getenv("MATCH_VERBOSE"))
            print_message(
                "1e6: error %.3f eta %.2f misfit %.2f radius %.2f norm %.2f val %.2f / %.2f; 1e9: error %.4f eta %.4f "
                "R2 %.5f val %.3f / %.3f\n",
                error[0], linear[0].eta, misfit[0], full[0].radius, full[0].norm, v[0], v[2], error[1], linear[1].eta,
                r2[1], v[1], v[3]);
        assert_true(error[0] > 0.5 && error[0] < 0.95 && error[1] > 0.01 && error[1] < 0.05);
        assert_true(misfit[0] > 2.5 && misfit[0] < 11 && r2[1] > 0.997);
        assert_true(v[0] > 0.5 && v[0] < 0.95 && v[2] < -1 && fabs(v[1] - v[3]) < 0.02);
        assert_int_equal(linear[0].verdict, LNT_MATCH_DISTRUST);
        assert_int_equal(linear[1].verdict, LNT_MATCH_TRUST);
        double in = mean_correlation(d.X[0]), out = mean_correlation(d.Y[0]);
        assert_true(in > 0.35 && in < 0.65 && out > 0.3 && out < 0.65);
        lnt_ctx_reset(ctx, mark);
    }
    lnt_match_generator sparse;
    lnt_match_data d, again;
    lnt_match_generator_defaults(&sparse, true);
    check_status(ctx, lnt_match_generate(ctx, &d, &sparse, 3), LNT_OK);
    check_status(ctx, lnt_match_generate(ctx, &again, &sparse, 3), LNT_OK);
    assert_memory_equal(d.Y[1].a, again.Y[1].a, sizeof(double) * 167 * 48);
    double in = mean_correlation(d.X[0]), out = mean_correlation(d.Y[0]);
    if (getenv("MATCH_VERBOSE"))
        print_message("sparse: |correlation| %.2f to %.2f\n", in, out);
    assert_true(out < in - 0.04 && in > 0.2 && in < 0.36);
    sparse.trials = 4;
    check_failure(ctx, lnt_match_generate(ctx, &d, &sparse, 3), LNT_EINVAL, "1 to 3 trials");
}

/* ---- Cross-validation against fits one by one ---- */

static void columns_of(lnt_mat B, lnt_mat A, const int *list)
{
    for (int j = 0; j < B.cols; j++)
        lnt_mat_copy(lnt_columns(B, j, 1), lnt_columns(A, list[j], 1));
}

static void cross_validation_is_fit_and_predict(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int mode = 0; mode < 8; mode++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = mode & 4 ? 9 : 14, M = 10, fold[10], full = mode & 1, centred = mode & 2;
        const double lambda[] = {0.5, 1e4, 40};
        lnt_mat X = random_matrix(ctx, N, M, &rng), Y = random_matrix(ctx, 12, M, &rng), S = zeros(ctx, M, M);
        if (mode & 4) /* a column twice: no decomposition of X^T X resolves that */
            lnt_mat_copy(lnt_columns(X, 1, 1), lnt_columns(X, 0, 1));
        if (centred)
            centre_columns(X);
        check_status(ctx, lnt_match_target(ctx, S, Y, Y), LNT_OK);
        check_status(ctx, lnt_match_folds(ctx, fold, M, 3, NULL, 7), LNT_OK);
        lnt_match_cv cv, cv2;
        lnt_match_cv_opts o;
        lnt_match_cv_defaults(&o);
        o.full = full;
        check_status(ctx, lnt_match_cross_validate(ctx, &cv, X, S, fold, 3, lambda, 3, &o), LNT_OK);
        o.threads = 2;
        check_status(ctx, lnt_match_cross_validate(ctx, &cv2, X, S, fold, 3, lambda, 3, &o), LNT_OK);
        assert_memory_equal(cv.r2.a, cv2.r2.a, 9 * sizeof(double));
        for (int l = 0; l < 3; l++) {
            double error[2] = {0}, base[2] = {0};
            for (int f = 0; f < 3; f++) {
                int kept[10], held[10], k = 0, h = 0;
                for (int j = 0; j < M; j++)
                    *(fold[j] == f ? &held[h++] : &kept[k++]) = j;
                lnt_mat Xk = zeros(ctx, N, k), Xh = zeros(ctx, N, h), Yk = zeros(ctx, 12, k), Yh = zeros(ctx, 12, h),
                        Sk = zeros(ctx, k, k), Shh = zeros(ctx, h, h), Shk = zeros(ctx, h, k), C = zeros(ctx, h, h),
                        Chk = zeros(ctx, h, k), G = zeros(ctx, h, h), Ghk = zeros(ctx, h, k);
                columns_of(Xk, X, kept);
                columns_of(Xh, X, held);
                columns_of(Yk, Y, kept);
                columns_of(Yh, Y, held);
                check_status(ctx, lnt_match_target(ctx, Sk, Yk, Yk), LNT_OK);
                check_status(ctx, lnt_match_target(ctx, Shh, Yh, Yh), LNT_OK);
                check_status(ctx, lnt_match_target(ctx, Shk, Yh, Yk), LNT_OK);
                check_status(ctx, lnt_match_target(ctx, G, Xh, Xh), LNT_OK);
                check_status(ctx, lnt_match_target(ctx, Ghk, Xh, Xk), LNT_OK);
                lnt_match m;
                lnt_match_fit fit;
                check_status(ctx, lnt_match_make(ctx, &m, Xk, Sk, NULL), LNT_OK);
                check_status(ctx,
                             full ? lnt_match_full(ctx, &fit, &m, lambda[l], NULL)
                                  : lnt_match_linear(ctx, &fit, &m, lambda[l]),
                             LNT_OK);
                check_status(ctx, lnt_match_predict(ctx, C, &m, &fit, Xh, Xh), LNT_OK);
                check_status(ctx, lnt_match_predict(ctx, Chk, &m, &fit, Xh, Xk), LNT_OK);
                check_near(*lnt_at(cv.r2, f, l), lnt_match_r2(Shh, C, false), 1e-5, "R2 of a fold");
                check_near(*lnt_at(cv.ratio, f, l), lnt_match_ratio(Shh, C, G), 1e-5, "ratio of a fold");
                error[0] += pow(distance(ctx, C, Shh) * lnt_mat_norm(Shh), 2);
                base[0] += pow(distance(ctx, G, Shh) * lnt_mat_norm(Shh), 2);
                error[1] += pow(distance(ctx, Chk, Shk) * lnt_mat_norm(Shk), 2);
                base[1] += pow(distance(ctx, Ghk, Shk) * lnt_mat_norm(Shk), 2);
            }
            check_near(cv.held_ratio[l], error[0] / base[0], 1e-5, "held x held");
            check_near(cv.kept_ratio[l], error[1] / base[1], 1e-5, "held x kept");
            assert_true(cv.held[l] <= 1 && cv.kept[l] <= 1);
        }
        lnt_ctx_reset(ctx, mark);
    }
}

static void folds_are_even_and_keep_classes(void **state)
{
    lnt_ctx *ctx = *state;
    int fold[20], count[4] = {0}, classes[20];
    check_status(ctx, lnt_match_folds(ctx, fold, 18, 4, NULL, 1), LNT_OK);
    for (int j = 0; j < 18; j++)
        count[fold[j]]++;
    for (int f = 0; f < 4; f++)
        assert_true(count[f] == 4 || count[f] == 5);
    for (int j = 0; j < 20; j++)
        classes[j] = 100 - j % 5;
    check_status(ctx, lnt_match_folds(ctx, fold, 20, 4, classes, 1), LNT_OK);
    for (int j = 5; j < 20; j++)
        assert_int_equal(fold[j], fold[j - 5]);
    check_failure(ctx, lnt_match_folds(ctx, fold, 20, 6, classes, 1), LNT_EINVAL, "5 classes");
    check_failure(ctx, lnt_match_folds(ctx, fold, 3, 4, NULL, 1), LNT_EINVAL, "4 folds of 3");
}

/* The outputs' sd comes from the kept columns, and lambda from their number. */
static void folds_scale_outputs_by_what_they_keep(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    int N = 12, M = 6, fold[] = {0, 0, 0, 1, 1, 1}, kept[] = {3, 4, 5}, held[] = {0, 1, 2};
    lnt_mat X = random_matrix(ctx, N, M, &rng), Y = random_matrix(ctx, 9, M, &rng), S = zeros(ctx, M, M),
            Xk = zeros(ctx, N, 3), Xh = zeros(ctx, N, 3), Yk = zeros(ctx, 9, 3), Yh = zeros(ctx, 9, 3),
            Sk = zeros(ctx, 3, 3), Sh = zeros(ctx, 3, 3), C = zeros(ctx, 3, 3);
    double sum[6] = {0}, sum2[6] = {0}, sd, lam0 = 30;
    for (int i = 0; i < 54; i++) {
        Y.a[i] += 2;
        sum[i / 9] += Y.a[i];
        sum2[i / 9] += Y.a[i] * Y.a[i];
    }
    check_status(ctx, lnt_match_target(ctx, S, Y, Y), LNT_OK);
    lnt_match_cv cv;
    lnt_match_cv_opts o;
    lnt_match_cv_defaults(&o);
    o.sum = sum;
    o.sum2 = sum2;
    o.cells_out = 9;
    o.mean_form = true;
    check_status(ctx, lnt_match_cross_validate(ctx, &cv, X, S, fold, 2, &lam0, 1, &o), LNT_OK);
    columns_of(Xk, X, kept);
    columns_of(Xh, X, held);
    columns_of(Yk, Y, kept);
    columns_of(Yh, Y, held);
    check_status(ctx, lnt_match_prepare_outputs(ctx, Yk, &sd, LNT_MATCH_ZSCORE, false), LNT_OK);
    lnt_mat_scale(Yh, 1 / sd);
    check_status(ctx, lnt_match_target(ctx, Sk, Yk, Yk), LNT_OK);
    check_status(ctx, lnt_match_target(ctx, Sh, Yh, Yh), LNT_OK);
    lnt_match m;
    lnt_match_fit fit;
    check_status(ctx, lnt_match_make(ctx, &m, Xk, Sk, NULL), LNT_OK);
    check_status(ctx, lnt_match_full(ctx, &fit, &m, lnt_match_lambda(lam0, N, 3), NULL), LNT_OK);
    check_status(ctx, lnt_match_predict(ctx, C, &m, &fit, Xh, Xh), LNT_OK);
    check_near(*lnt_at(cv.r2, 0, 0), lnt_match_r2(Sh, C, false), 1e-5, "R2");
}

/* ---- Bad input ---- */

static void degenerate_problems_are_survived(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    lnt_match m;
    lnt_match_fit fit;
    lnt_mat X = random_matrix(ctx, 6, 4, &rng), S = random_target(ctx, 4, 4, 1, &rng);
    *lnt_at(S, 0, 2) += 3; /* symmetrised, and said */
    check_status(ctx, lnt_match_make(ctx, &m, X, S, NULL), LNT_OK);
    assert_true(m.skew > 0.01);
    check_status(ctx, lnt_match_full(ctx, &fit, &m, 1, NULL), LNT_OK);
    assert_true(fit.global);
    lnt_mat one = lnt_columns(X, 0, 1), s1 = lnt_block(S, 0, 0, 1, 1); /* M = 1 */
    check_status(ctx, lnt_match_make(ctx, &m, one, s1, NULL), LNT_OK);
    check_status(ctx, lnt_match_full(ctx, &fit, &m, 1, NULL), LNT_OK);
    assert_true(fit.global);
    lnt_mat cell = lnt_block(X, 0, 0, 1, 4); /* N = 1: nothing can be done */
    lnt_mat row = zeros(ctx, 1, 4), W = zeros(ctx, 1, 1);
    lnt_mat_copy(row, cell);
    check_status(ctx, lnt_match_make(ctx, &m, row, S, NULL), LNT_OK);
    check_status(ctx, lnt_match_full(ctx, &fit, &m, 1, NULL), LNT_OK);
    check_status(ctx, lnt_match_weights(ctx, W, &m, &fit), LNT_OK);
    assert_true(*W.a == 0 && fit.global);
    check_near(fit.loss / (m.target2 / 2), 1, 1e-14, "loss of one cell");
    lnt_mat zero = zeros(ctx, 6, 4); /* silent cells */
    check_status(ctx, lnt_match_make(ctx, &m, zero, S, NULL), LNT_OK);
    assert_int_equal(m.rank, 0);
    check_status(ctx, lnt_match_linear(ctx, &fit, &m, 1), LNT_OK);
    check_status(ctx, lnt_match_full(ctx, &fit, &m, 1, NULL), LNT_OK);
    assert_true(fit.norm == 0);
    for (int i = 0; i < 6; i++) { /* rank-deficient */
        *lnt_at(X, i, 3) = 2 * *lnt_at(X, i, 0) - *lnt_at(X, i, 1);
        *lnt_at(X, i, 2) = 5; /* and 1 in the span */
    }
    check_status(ctx, lnt_match_make(ctx, &m, X, S, NULL), LNT_OK);
    assert_int_equal(m.rank, 3);
    check_status(ctx, lnt_match_full(ctx, &fit, &m, 0.1, NULL), LNT_OK);
    assert_true(!fit.tight && isfinite(fit.loss));
    centre_columns(X);
    check_status(ctx, lnt_match_make(ctx, &m, X, S, NULL), LNT_OK);
    assert_true(m.rank == 2 && m.centred);
    const double lambda[] = {1e-12, 1e-6, 1e12, 1e100, 1e-200};
    for (int l = 0; l < 4; l++) {
        check_status(ctx, lnt_match_full(ctx, &fit, &m, lambda[l], NULL), LNT_OK);
        assert_true(fit.global && fit.gap <= 1e-10 * fit.loss);
    }
}

static void nonsense_is_refused(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    lnt_match m;
    lnt_match_fit fit;
    lnt_mat X = random_matrix(ctx, 6, 4, &rng), S = random_target(ctx, 4, 4, 1, &rng), Z0 = zeros(ctx, 5, 5);
    check_failure(ctx, lnt_match_make(ctx, &m, X, lnt_block(S, 0, 0, 3, 3), NULL), LNT_ESHAPE, "3 x 3");
    check_failure(ctx, lnt_match_make(ctx, &m, X, S, &Z0), LNT_ESHAPE, "5 x 5");
    check_failure(ctx, lnt_match_make(ctx, &m, lnt_columns(X, 0, 0), lnt_block(S, 0, 0, 0, 0), NULL), LNT_EINVAL,
                  "at least one");
    check_status(ctx, lnt_match_make(ctx, &m, X, S, NULL), LNT_OK);
    check_failure(ctx, lnt_match_full(ctx, &fit, &m, -1, NULL), LNT_EINVAL, "lambda is -1");
    check_failure(ctx, lnt_match_full(ctx, &fit, &m, 0, NULL), LNT_EINVAL, "lnt_match_exact");
    check_failure(ctx, lnt_match_linear(ctx, &fit, &m, NAN), LNT_EINVAL, "nan");
    check_failure(ctx, lnt_match_exact(ctx, &fit, NULL, &m, LNT_MATCH_CORAL), LNT_EINVAL, "centred");
    *lnt_at(S, 1, 1) = INFINITY;
    check_failure(ctx, lnt_match_make(ctx, &m, X, S, NULL), LNT_EDOMAIN, "target");
    *lnt_at(X, 1, 1) = NAN;
    check_failure(ctx, lnt_match_make(ctx, &m, X, S, NULL), LNT_EDOMAIN, "inputs");
    int fold[] = {0, 1, 0, 2};
    double lambda = 1;
    lnt_match_cv cv;
    X = random_matrix(ctx, 6, 4, &rng);
    S = random_target(ctx, 4, 4, 1, &rng);
    check_failure(ctx, lnt_match_cross_validate(ctx, &cv, X, S, fold, 2, &lambda, 1, NULL), LNT_EINVAL, "fold 2 of 2");
    check_failure(ctx, lnt_match_cross_validate(ctx, &cv, X, S, fold, 4, &lambda, 1, NULL), LNT_EINVAL, "fold 3");
    lambda = 0;
    check_failure(ctx, lnt_match_cross_validate(ctx, &cv, X, S, fold, 3, &lambda, 1, NULL), LNT_EINVAL, "lambda");
}

/* ---- Memory ---- */

static long calls, fail_at; /* 0: never */

static void *failing_resize(void *p, size_t bytes)
{
    if (bytes == 0) {
        free(p);
        return NULL;
    }
    if (++calls == fail_at)
        return NULL;
    return realloc(p, bytes);
}

static lnt_status chain(lnt_ctx *ctx)
{
    lnt_match_generator o;
    lnt_match_data d;
    lnt_match m, mm;
    lnt_match_fit fit[2];
    lnt_match_cv cv;
    lnt_mat S, D;
    int fold[5];
    double lambda[] = {3, 100}, z[12];
    lnt_status status;
    lnt_match_generator_defaults(&o, false);
    o.cells = 8;
    o.cells_out = 9;
    o.stimuli = 5;
    if ((status = lnt_match_generate(ctx, &d, &o, 1)) || (status = lnt_mat_alloc(ctx, &S, 5, 5)) ||
        (status = lnt_match_target(ctx, S, d.Y[0], d.Y[0])) || (status = lnt_match_make(ctx, &m, d.X[0], S, NULL)) ||
        (status = lnt_match_linear_path(ctx, fit, &m, lambda, 2)) ||
        (status = lnt_match_full_path(ctx, fit, &m, lambda, 2, NULL)) ||
        (status = lnt_match_exact(ctx, fit, NULL, &m, LNT_MATCH_TRANSPORT)) ||
        (status = lnt_match_folds(ctx, fold, 5, 2, NULL, 1)) ||
        (status = lnt_match_cross_validate(ctx, &cv, d.X[0], S, fold, 2, lambda, 2, NULL)) ||
        (status = lnt_mat_alloc(ctx, &D, m.rank, m.rank)) || (status = lnt_match_overlap(ctx, z, D, &m, 10, 10)) ||
        (status = lnt_match_gains(ctx, z, D, NULL, &m, 10, 10, NULL)) ||
        (status = lnt_match_gains_only(ctx, z, NULL, &m, 10, NULL)) ||
        (status = lnt_match_make_pairs(ctx, &mm, 2, d.X, (lnt_mat[]){S, S}, NULL)))
        return status;
    for (int i = 0; i < 8; i++)
        *lnt_at(d.X[1], i, 0) = 1; /* not tight */
    if ((status = lnt_match_full(ctx, fit, &mm, 5, NULL)) || (status = lnt_match_make(ctx, &m, d.X[1], S, NULL)))
        return status;
    return lnt_match_full(ctx, fit, &m, 1, NULL);
}

static lnt_status whole_chain(void)
{
    lnt_ctx *ctx = lnt_ctx_new();
    lnt_status status = ctx ? chain(ctx) : LNT_ENOMEM;
    if (ctx && status != LNT_OK && lnt_ctx_message(ctx)[0] == '\0')
        status = LNT_EINVAL; /* a failure without a message is a defect */
    lnt_ctx_free(ctx);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    lnt_set_heap(failing_resize);
    calls = 0;
    assert_int_equal(whole_chain(), LNT_OK);
    long total = calls;
    assert_true(total > 5);
    for (long k = 1; k <= total; k += 1 + total / 100) {
        calls = 0;
        fail_at = k;
        lnt_status status = whole_chain();
        fail_at = 0;
        if (status != LNT_ENOMEM)
            fail_msg("allocation %ld of %ld fails, and the status is %d (%s)", k, total, status,
                     lnt_status_text(status));
    }
    lnt_set_heap(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(preparation_does_what_it_says),
                                       WITH_CTX(scores_are_their_definitions),
                                       WITH_CTX(built_in_populations_show_what_they_were_made_for),
                                       WITH_CTX(cross_validation_is_fit_and_predict),
                                       WITH_CTX(folds_are_even_and_keep_classes),
                                       WITH_CTX(folds_scale_outputs_by_what_they_keep),
                                       WITH_CTX(degenerate_problems_are_survived),
                                       WITH_CTX(nonsense_is_refused),
                                       cmocka_unit_test(every_failing_allocation_is_reported)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
