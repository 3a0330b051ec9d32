#include "check.h"

#define SEED 14

static lnt_moments random_moments(lnt_ctx *ctx, lnt_task *task, int inputs, int outputs, int n, lnt_rng *rng)
{
    lnt_dataset data = {.inputs = lnt_samples_view(random_matrix(ctx, inputs, n, rng)),
                        .targets = lnt_samples_view(random_matrix(ctx, outputs, n, rng))};
    lnt_moments m;
    check_status(ctx, lnt_task_make(ctx, task, &data, LNT_PREP_NONE, 0, 1), LNT_OK);
    check_status(ctx, lnt_task_moments(ctx, &m, task, 0, n, 1), LNT_OK);
    return m;
}

static void loss_from_moments_is_the_loss_of_the_samples(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    lnt_task task;
    lnt_moments m = random_moments(ctx, &task, 6, 4, 300, &rng);
    lnt_mat W = random_matrix(ctx, 4, 6, &rng);
    lnt_score score;
    double loss;
    check_status(ctx, lnt_map_score(ctx, &score, W, &task, 0, 300, 1), LNT_OK);
    check_status(ctx, lnt_linear_loss(ctx, &loss, W, &m), LNT_OK);
    check_near(loss, score.loss, 1e-13, "loss");
}

/* The normal equations, W Sxx = Syx. */
static void least_squares_is_the_minimum(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    lnt_task task;
    lnt_moments m = random_moments(ctx, &task, 6, 4, 40, &rng);
    lnt_mat W, R;
    int rank;
    check_status(ctx, lnt_mat_alloc(ctx, &W, 4, 6), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &R, 4, 6), LNT_OK);
    check_status(ctx, lnt_least_squares(ctx, W, &rank, &m, 0), LNT_OK);
    assert_int_equal(rank, 4);
    lnt_gemm(R, 1, LNT_N, W, LNT_N, m.Sxx, 0);
    check_close(R, m.Syx, 1e-12, "W Sxx");
}

/* With restricted rank: descent on random factorisations of that rank finds nothing lower, and comes close. */
static void reduced_rank_is_the_minimum_of_its_rank(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    lnt_task task;
    lnt_moments m = random_moments(ctx, &task, 5, 4, 60, &rng);
    for (int rank = 1; rank <= 3; rank++) {
        const int widths[] = {5, rank, 4};
        lnt_net net = {.depth = 2, .width = widths};
        lnt_moments_work work;
        lnt_mat W, P;
        double best, loss = 0, w[64], g[64];
        int used;
        check_status(ctx, lnt_mat_alloc(ctx, &W, 4, 5), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &P, 4, 5), LNT_OK);
        check_status(ctx, lnt_least_squares(ctx, W, &used, &m, rank), LNT_OK);
        assert_int_equal(used, rank);
        check_status(ctx, lnt_linear_loss(ctx, &best, W, &m), LNT_OK);
        check_status(ctx, lnt_moments_work_alloc(ctx, &work, &net), LNT_OK);
        for (size_t i = 0; i < lnt_net_size(&net); i++)
            w[i] = 0.3 * lnt_rng_normal(&rng);
        for (int step = 0; step < 60000; step++) {
            lnt_net_gradient_moments(g, &work, &net, w, &m);
            for (size_t i = 0; i < lnt_net_size(&net); i++)
                w[i] -= 0.1 * g[i];
        }
        check_status(ctx, lnt_net_product(ctx, P, &net, w), LNT_OK);
        check_status(ctx, lnt_linear_loss(ctx, &loss, P, &m), LNT_OK);
        if (!(loss >= best - 1e-12 && loss <= best + 1e-6))
            fail_msg("rank %d: descent ends at %.12g, the closed form at %.12g (seed %d)", rank, loss, best, SEED);
    }
}

/* Inputs on a plane: the answer lives there too (least norm), and fits as well as without the null direction. */
static void rank_deficient_inputs_get_the_least_norm(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    lnt_mat X = random_matrix(ctx, 3, 30, &rng), Y = random_matrix(ctx, 2, 30, &rng), W;
    for (int j = 0; j < 30; j++)
        *lnt_at(X, 2, j) = *lnt_at(X, 0, j) + *lnt_at(X, 1, j);
    lnt_dataset data = {.inputs = lnt_samples_view(X), .targets = lnt_samples_view(Y)};
    lnt_task task;
    lnt_moments m;
    check_status(ctx, lnt_task_make(ctx, &task, &data, LNT_PREP_NONE, 0, 1), LNT_OK);
    check_status(ctx, lnt_task_moments(ctx, &m, &task, 0, 30, 1), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &W, 2, 3), LNT_OK);
    check_status(ctx, lnt_least_squares(ctx, W, NULL, &m, 0), LNT_OK);
    for (int i = 0; i < 2; i++) /* orthogonal to the null direction (1, 1, -1) */
        assert_true(fabs(*lnt_at(W, i, 0) + *lnt_at(W, i, 1) - *lnt_at(W, i, 2)) < 1e-10);
    lnt_mat R;
    check_status(ctx, lnt_mat_alloc(ctx, &R, 2, 3), LNT_OK);
    lnt_gemm(R, 1, LNT_N, W, LNT_N, m.Sxx, 0);
    check_close(R, m.Syx, 1e-10, "W Sxx");
    lnt_mat_fill(m.Sxx, 0);
    lnt_mat_fill(m.Syx, 0);
    check_status(ctx, lnt_least_squares(ctx, W, NULL, &m, 0), LNT_OK); /* nothing at all: zero, not NaN */
    assert_true(lnt_mat_max(W) == 0);
}

static void measures_of_assumptions(void **state)
{
    lnt_ctx *ctx = *state;
    double S[4] = {1, 0.25, 0.25, 0.5}, w[] = {2, 3}, imbalance;
    const int widths[] = {1, 1, 1};
    lnt_net net = {.depth = 2, .width = widths};
    assert_true(lnt_whiteness(lnt_mat_view(S, 2, 2)) == 0.5);
    check_status(ctx, lnt_imbalance(ctx, &imbalance, &net, w), LNT_OK);
    assert_true(imbalance == 5); /* 3^2 - 2^2 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(loss_from_moments_is_the_loss_of_the_samples), WITH_CTX(least_squares_is_the_minimum),
        WITH_CTX(reduced_rank_is_the_minimum_of_its_rank), WITH_CTX(rank_deficient_inputs_get_the_least_norm),
        WITH_CTX(measures_of_assumptions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
