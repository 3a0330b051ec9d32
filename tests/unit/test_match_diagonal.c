/* Covariance matching with a diagonal: dense normal equations, equal forms, gradients, descent. */
#include "match.h"

#define SEED 32

/* The minimum of the linear model with the penalties lambda off the diagonal and delta on it. */
static lnt_mat dense_weighted(lnt_ctx *ctx, const problem *p, double lambda, double delta)
{
    int N = p->X.rows;
    problem q = *p;
    q.lambda = 0;
    lnt_mat penalty = zeros(ctx, N, N);
    for (int k = 0; k < N * N; k++)
        penalty.a[k] = k / N == k % N ? (isinf(delta) ? 1e30 : delta) : lambda;
    return dense_minimum(ctx, &q, penalty.a);
}

static void weighted_solutions_solve_the_normal_equations(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    const int N[] = {4, 6, 5, 7}, M[] = {3, 6, 9, 1};
    const double delta[] = {0.5, 20, 20 * 0.3, 4e3, INFINITY};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 5; k++) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            problem p = random_problem(ctx, N[i], M[i], CENTRED, -1, 20, &rng);
            lnt_mat D = zeros(ctx, p.m.rank, p.m.rank), W = zeros(ctx, N[i], N[i]);
            double d[7];
            check_status(ctx, lnt_match_weighted(ctx, d, D, &p.m, 20, delta[k]), LNT_OK);
            check_status(ctx, lnt_match_diagonal_weights(ctx, W, &p.m, d, D), LNT_OK);
            double off = distance(ctx, W, dense_weighted(ctx, &p, 20, delta[k]));
            if (off > 1e-11)
                fail_msg("%d x %d, delta %g: off by %g", N[i], M[i], delta[k], off);
            lnt_ctx_reset(ctx, mark);
        }
}

static void overlap_and_weighted_forms_are_one(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int k = 0; k < 20; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 3 + (int)lnt_rng_below(&rng, 12), M = 1 + (int)lnt_rng_below(&rng, 12);
        problem p = random_problem(ctx, N, M, CENTRED, k % 2 ? -1 : M, 1, &rng);
        double lam_w = pow(10, 3 * lnt_rng_uniform(&rng)), lam_d = pow(10, 3 * lnt_rng_uniform(&rng)), d[20], e[20];
        lnt_mat D = zeros(ctx, p.m.rank, p.m.rank), W = zeros(ctx, N, N), V = zeros(ctx, N, N);
        check_status(ctx, lnt_match_overlap(ctx, d, D, &p.m, lam_w, lam_d), LNT_OK);
        check_status(ctx, lnt_match_diagonal_weights(ctx, W, &p.m, NULL, D), LNT_OK);
        double scale = lnt_mat_max(W);
        for (int i = 0; i < N; i++) /* the split is by the penalties */
            check_near(d[i] * lam_d / scale / lam_w, *lnt_at(W, i, i) / scale, 1e-11, "split");
        check_status(ctx, lnt_match_diagonal_weights(ctx, W, &p.m, d, D), LNT_OK);
        check_status(ctx, lnt_match_weighted(ctx, e, D, &p.m, lam_w, lam_d * lam_w / (lam_d + lam_w)), LNT_OK);
        check_status(ctx, lnt_match_diagonal_weights(ctx, V, &p.m, e, D), LNT_OK);
        if (distance(ctx, W, V) > 1e-11)
            fail_msg("forms differ by %g (%d x %d, %g, %g)", distance(ctx, W, V), N, M, lam_w, lam_d);
        lnt_ctx_reset(ctx, mark);
    }
}

static void the_diagonal_alone_solves_its_normal_equations(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    problem p = random_problem(ctx, 8, 5, CENTRED, -1, 7, &rng);
    lnt_mat D = zeros(ctx, p.m.rank, p.m.rank), W = zeros(ctx, 8, 8), G = zeros(ctx, 8, 8);
    double d[8];
    check_status(ctx, lnt_match_overlap(ctx, d, D, &p.m, INFINITY, 7), LNT_OK);
    assert_true(lnt_mat_max(D) == 0);
    check_status(ctx, lnt_match_diagonal_weights(ctx, W, &p.m, d, D), LNT_OK);
    definition(ctx, &G, &p, W, true);
    for (int i = 0; i < 8; i++)
        check_near(*lnt_at(G, i, i) / lnt_mat_norm(p.S), 0, 1e-11, "gradient");
}

/* The loss of Z = diag(z) + W with both penalties. */
static double gains_loss(lnt_ctx *ctx, const problem *p, const double *z, lnt_mat W, double lam_w, double lam_d)
{
    int N = p->X.rows;
    problem q = *p;
    lnt_mat V = copy_of(ctx, W);
    q.lambda = 0;
    double loss = lam_w / 2 * lnt_mat_dot(W, W);
    for (int i = 0; i < N; i++) {
        *lnt_at(V, i, i) += z[i] - 1;
        loss += lam_d / 2 * pow(z[i] - 1, 2);
    }
    return loss + definition(ctx, NULL, &q, V, false);
}

static lnt_mat gains_weights(lnt_ctx *ctx, const problem *p, const double *z, lnt_mat D)
{
    int N = p->X.rows, r = p->m.rank;
    lnt_mat ZU = zeros(ctx, N, r), T = zeros(ctx, N, r), W = zeros(ctx, N, N);
    for (int j = 0; j < r; j++)
        for (int i = 0; i < N; i++)
            *lnt_at(ZU, i, j) = z[i] * *lnt_at(p->m.U, i, j);
    centre_columns(ZU);
    lnt_gemm(T, 1, LNT_N, ZU, LNT_N, D, 0);
    lnt_gemm(W, 1, LNT_N, T, LNT_T, p->m.U, 0);
    return W;
}

static void variable_projection_is_stationary_in_gains_and_weights(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    for (int k = 0; k < 6; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 6 + k, M = 3 + k;
        double lam_w = 20, lam_d = 5 + k, z[12];
        problem p = random_problem(ctx, N, M, CENTRED, k % 2 ? -1 : M, lam_w, &rng);
        lnt_mat D = zeros(ctx, p.m.rank, p.m.rank);
        lnt_match_search_info info;
        check_status(ctx, lnt_match_gains(ctx, z, D, &info, &p.m, lam_w, lam_d, NULL), LNT_OK);
        lnt_mat W = gains_weights(ctx, &p, z, D);
        double loss = gains_loss(ctx, &p, z, W, lam_w, lam_d), h = 1e-5;
        check_near(info.loss / loss, 1, 1e-10, "loss");
        assert_true(info.converged && info.worst >= info.loss);
        for (int i = 0; i < N; i++) { /* of the loss in z at fixed W, and in single weights */
            double was = z[i];
            z[i] = was + h;
            double up = gains_loss(ctx, &p, z, W, lam_w, lam_d);
            z[i] = was - h;
            double down = gains_loss(ctx, &p, z, W, lam_w, lam_d);
            z[i] = was;
            check_near((up - down) / (2 * h) / loss, 0, 1e-6, "gradient in gains");
            double *w = lnt_at(W, i, (i * 3 + 1) % N), old = *w;
            *w = old + h;
            up = gains_loss(ctx, &p, z, W, lam_w, lam_d);
            *w = old - h;
            down = gains_loss(ctx, &p, z, W, lam_w, lam_d);
            *w = old;
            check_near((up - down) / (2 * h) / loss, 0, 1e-6, "gradient in weights");
        }
        lnt_match_fit fit; /* a dear diagonal is none: the loss cannot be above that of the plain problem */
        check_status(ctx, lnt_match_full(ctx, &fit, &p.m, lam_w, NULL), LNT_OK);
        assert_true(info.loss <= fit.loss * (1 + 1e-9));
        check_status(ctx, lnt_match_gains(ctx, z, D, &info, &p.m, lam_w, 1e9, NULL), LNT_OK);
        check_near(info.loss / fit.loss, 1, 1e-5, "without gains");
        lnt_ctx_reset(ctx, mark);
    }
}

static void gains_alone_are_least_along_every_coordinate(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    for (int k = 0; k < 10; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 2 + k, M = 2 + k / 2;
        double lambda = 1 + 5.0 * k, z[12];
        problem p = random_problem(ctx, N, M, CENTRED, k % 2 ? -1 : M, lambda, &rng);
        lnt_match_search_info info;
        check_status(ctx, lnt_match_gains_only(ctx, z, &info, &p.m, lambda, NULL), LNT_OK);
        lnt_mat W = zeros(ctx, N, N);
        double loss = gains_loss(ctx, &p, z, W, 0, lambda);
        check_near(info.loss / loss, 1, 1e-10, "loss");
        for (int i = 0; i < N; i++)
            for (int t = -60; t <= 60; t++) {
                double was = z[i];
                z[i] = t / 20.0;
                double other = gains_loss(ctx, &p, z, W, 0, lambda);
                z[i] = was;
                if (!(other >= loss * (1 - 1e-9)))
                    fail_msg("z_%d = %g gives %.12g, below %.12g at %g", i, t / 20.0, other, loss, was);
            }
        lnt_ctx_reset(ctx, mark);
    }
}

static void lateral_weights_are_stationary(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    const double delta[] = {3, 50, INFINITY};
    lnt_match_search opts;
    lnt_match_search_defaults(&opts);
    opts.max_steps = 3000;
    for (int k = 0; k < 3; k++) {
        problem p = random_problem(ctx, 7, 4, CENTRED, k % 2 ? -1 : 4, 0, &rng);
        lnt_mat W = zeros(ctx, 7, 7), G = zeros(ctx, 7, 7);
        lnt_match_search_info info;
        check_status(ctx, lnt_match_lateral(ctx, W, &info, &p.m, 20, delta[k], &opts), LNT_OK);
        double loss = definition(ctx, &G, &p, W, false), first = lnt_mat_norm(G);
        for (int j = 0; j < 7; j++)
            for (int i = 0; i < 7; i++) {
                double penalty = i == j ? delta[k] : 20, w = *lnt_at(W, i, j);
                if (i == j && isinf(penalty)) {
                    assert_true(w == 0);
                    *lnt_at(G, i, j) = 0;
                    continue;
                }
                loss += penalty / 2 * w * w;
                *lnt_at(G, i, j) += penalty * w;
            }
        check_near(info.loss / loss, 1, 1e-10, "loss");
        if (!(lnt_mat_norm(G) <= 1e-4 * (first + 1)))
            fail_msg("gradient %g of %g", lnt_mat_norm(G), first);
        if (delta[k] == 50)
            continue;
    }
    problem p = random_problem(ctx, 7, 4, CENTRED, 4, 20, &rng); /* equal penalties: the full problem */
    lnt_mat W = zeros(ctx, 7, 7);
    lnt_match_search_info info;
    lnt_match_fit fit;
    check_status(ctx, lnt_match_lateral(ctx, W, &info, &p.m, 20, 20, &opts), LNT_OK);
    check_status(ctx, lnt_match_full(ctx, &fit, &p.m, 20, NULL), LNT_OK);
    check_near(info.loss / fit.loss, 1, 1e-8, "loss");
}

static void diagonals_refuse_nonsense(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 6, LNT_FOR_TESTS);
    problem p = random_problem(ctx, 5, 3, CENTRED, 3, 1, &rng), q = random_problem(ctx, 5, 3, OFFSET, 3, 1, &rng);
    lnt_mat D = zeros(ctx, 3, 3), E = zeros(ctx, 2, 2), W = zeros(ctx, 4, 4);
    double d[5];
    check_failure(ctx, lnt_match_overlap(ctx, d, D, &q.m, 1, 1), LNT_EINVAL, "centred");
    check_failure(ctx, lnt_match_overlap(ctx, d, E, &p.m, 1, 1), LNT_ESHAPE, "2 x 2");
    check_failure(ctx, lnt_match_overlap(ctx, d, D, &p.m, -1, 1), LNT_EINVAL, "above 0");
    check_failure(ctx, lnt_match_weighted(ctx, d, D, &p.m, 1, NAN), LNT_EINVAL, "above 0");
    check_failure(ctx, lnt_match_gains(ctx, d, D, NULL, &p.m, 0, 1, NULL), LNT_EINVAL, "above 0");
    check_failure(ctx, lnt_match_gains_only(ctx, d, NULL, &p.m, -2, NULL), LNT_EINVAL, "above 0");
    check_failure(ctx, lnt_match_lateral(ctx, W, NULL, &p.m, 1, 1, NULL), LNT_ESHAPE, "5 x 5");
    check_failure(ctx, lnt_match_lateral(ctx, zeros(ctx, 5, 5), NULL, &p.m, 0, 1, NULL), LNT_EINVAL, "above 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(weighted_solutions_solve_the_normal_equations),
                                       WITH_CTX(overlap_and_weighted_forms_are_one),
                                       WITH_CTX(the_diagonal_alone_solves_its_normal_equations),
                                       WITH_CTX(variable_projection_is_stationary_in_gains_and_weights),
                                       WITH_CTX(gains_alone_are_least_along_every_coordinate),
                                       WITH_CTX(lateral_weights_are_stationary),
                                       WITH_CTX(diagonals_refuse_nonsense)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
