#include "check.h"

#define SEED 12

/* A small random task with dense targets, and a network for it. */
typedef struct setting {
    lnt_task task;
    lnt_net net;
    double *w, *g, *expected;
    size_t size;
} setting;

static const int shapes[][6] = {/* depth, then widths */ {1, 4, 3}, {2, 5, 2, 3}, {3, 3, 6, 4, 2}, {4, 1, 1, 1, 1, 1}};
#define SHAPES (sizeof shapes / sizeof *shapes)

static setting make_setting(lnt_ctx *ctx, const int *shape, int n, lnt_rng *rng)
{
    setting s = {.net = {.depth = shape[0], .width = shape + 1}};
    int inputs = shape[1], outputs = shape[1 + shape[0]];
    lnt_dataset data = {.inputs = lnt_samples_view(random_matrix(ctx, inputs, n, rng)),
                        .targets = lnt_samples_view(random_matrix(ctx, outputs, n, rng))};
    check_status(ctx, lnt_task_make(ctx, &s.task, &data, LNT_PREP_NONE, 0, 1), LNT_OK);
    s.size = lnt_net_size(&s.net);
    s.w = lnt_alloc(ctx, s.size, sizeof *s.w);
    s.g = lnt_alloc(ctx, s.size, sizeof *s.g);
    s.expected = lnt_alloc(ctx, s.size, sizeof *s.g);
    for (size_t i = 0; i < s.size; i++)
        s.w[i] = lnt_rng_normal(rng);
    return s;
}

static lnt_mat as_column(double *v, size_t n)
{
    return lnt_mat_view(v, (int)n, 1);
}

static double phi(lnt_activation activation, double a)
{
    switch (activation) {
    case LNT_TANH:
        return tanh(a);
    case LNT_RELU:
        return a > 0 ? a : 0;
    case LNT_LOGISTIC:
        return 1 / (1 + exp(-a));
    case LNT_SOFTPLUS:
        return log(1 + exp(a));
    default:
        return a;
    }
}

/* E by loops over samples, layers and units. */
static double plain_loss(const setting *s, const double *w, const int *rows, int first, int count)
{
    double E = 0;
    for (int k = 0; k < count; k++) {
        int row = rows ? rows[first + k] : first + k;
        double a[8], b[8];
        for (int i = 0; i < s->net.width[0]; i++)
            a[i] = s->task.data.inputs.f64[row * s->net.width[0] + i];
        for (int l = 1; l <= s->net.depth; l++) {
            lnt_mat W = lnt_net_weights(&s->net, w, l);
            for (int i = 0; i < W.rows; i++) {
                b[i] = 0;
                for (int j = 0; j < W.cols; j++)
                    b[i] += *lnt_at(W, i, j) * a[j];
                b[i] = l < s->net.depth ? phi(s->net.activation, b[i]) : b[i];
            }
            memcpy(a, b, sizeof a);
        }
        for (int i = 0; i < s->task.outputs; i++) {
            double e = a[i] - s->task.data.targets.f64[row * s->task.outputs + i];
            E += e * e / (2.0 * count);
        }
    }
    return E;
}

/* Fourth-order central differences: error about h^4 plus rounding / h. */
static void plain_gradient(const setting *s, const int *rows, int first, int count)
{
    double h = 1e-3;
    for (size_t i = 0; i < s->size; i++) {
        double w = s->w[i], E[4];
        for (int k = 0; k < 4; k++) {
            static const int at[4] = {-2, -1, 1, 2};
            s->w[i] = w + at[k] * h;
            E[k] = plain_loss(s, s->w, rows, first, count);
        }
        s->w[i] = w;
        s->expected[i] = (E[0] - 8 * E[1] + 8 * E[2] - E[3]) / (12 * h);
    }
}

static void gradient_matches_finite_differences(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    const int rows[] = {8, 3, 3, 0, 5, 1, 2};
    for (size_t k = 0; k < 5 * SHAPES; k++) {
        setting s = make_setting(ctx, shapes[k % SHAPES], 9, &rng);
        lnt_net_work work;
        lnt_score score;
        s.net.activation = (lnt_activation)(k / SHAPES);
        check_status(ctx, lnt_net_score(ctx, &score, &s.net, s.w, &s.task, 2, 7, 1), LNT_OK);
        check_near(score.loss, plain_loss(&s, s.w, NULL, 2, 7), 1e-13, "loss");
        check_status(ctx, lnt_net_work_alloc(ctx, &work, &s.net, 4), LNT_OK); /* blocks of 4: the last one is short */
        lnt_net_gradient(s.g, &work, &s.net, s.w, &s.task, NULL, 2, 7);
        plain_gradient(&s, NULL, 2, 7);
        check_close(as_column(s.g, s.size), as_column(s.expected, s.size), 1e-8, "gradient of rows in order");
        lnt_net_gradient(s.g, &work, &s.net, s.w, &s.task, rows, 1, 6);
        plain_gradient(&s, rows, 1, 6);
        check_close(as_column(s.g, s.size), as_column(s.expected, s.size), 1e-8, "gradient of chosen rows");
    }
}

static void gradient_from_moments_is_that_from_samples(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (size_t k = 0; k < SHAPES; k++) {
        setting s = make_setting(ctx, shapes[k], 50, &rng);
        lnt_net_work samples;
        lnt_moments_work moments;
        lnt_moments m;
        check_status(ctx, lnt_net_work_alloc(ctx, &samples, &s.net, 16), LNT_OK);
        check_status(ctx, lnt_moments_work_alloc(ctx, &moments, &s.net), LNT_OK);
        check_status(ctx, lnt_task_moments(ctx, &m, &s.task, 10, 40, 1), LNT_OK);
        lnt_net_gradient(s.g, &samples, &s.net, s.w, &s.task, NULL, 10, 40);
        lnt_net_gradient_moments(s.expected, &moments, &s.net, s.w, &m);
        check_close(as_column(s.g, s.size), as_column(s.expected, s.size), 1e-12, "samples against moments");
    }
}

static void score_is_the_loss_of_the_product(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    for (size_t k = 0; k < SHAPES; k++) {
        setting s = make_setting(ctx, shapes[k], 1200, &rng);
        lnt_mat P;
        lnt_score score, again;
        check_status(ctx, lnt_mat_alloc(ctx, &P, s.task.outputs, s.task.inputs), LNT_OK);
        check_status(ctx, lnt_net_product(ctx, P, &s.net, s.w), LNT_OK);
        check_status(ctx, lnt_map_score(ctx, &score, P, &s.task, 100, 1100, 1), LNT_OK);
        check_status(ctx, lnt_map_score(ctx, &again, P, &s.task, 100, 1100, 3), LNT_OK);
        check_near(score.loss, plain_loss(&s, s.w, NULL, 100, 1100), 1e-12, "loss");
        assert_true(score.loss == again.loss);
        assert_true(isnan(score.accuracy));
    }
}

static void accuracy_counts_the_largest_output(void **state)
{
    lnt_ctx *ctx = *state;
    double x[] = {1, 0, 0, 1, 2, 1, 0, 0}; /* four samples of two values; the last ties at zero */
    const int label[] = {0, 1, 1, 0};
    lnt_dataset data = {.inputs = {.dim = 2, .n = 4, .f64 = x}, .label = label, .classes = 2};
    lnt_task task;
    double identity[] = {1, 0, 0, 1};
    lnt_score score;
    check_status(ctx, lnt_task_make(ctx, &task, &data, LNT_PREP_NONE, 0, 1), LNT_OK);
    check_status(ctx, lnt_map_score(ctx, &score, lnt_mat_view(identity, 2, 2), &task, 0, 4, 1), LNT_OK);
    assert_true(score.accuracy == 0.75);
    check_near(score.loss, (0 + 0 + 4 + 1) / 8.0, 1e-15, "loss");
}

static void orthogonal_starts_are_orthogonal(void **state)
{
    lnt_ctx *ctx = *state;
    const int widths[] = {7, 3, 3, 12};
    lnt_net net = {.depth = 3, .width = widths};
    lnt_init init = {.kind = LNT_INIT_ORTHOGONAL};
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_WEIGHTS);
    double *w = lnt_alloc(ctx, lnt_net_size(&net), sizeof *w), imbalance;
    check_status(ctx, lnt_net_init(ctx, w, &net, &init, NULL, &rng), LNT_OK);
    for (int l = 1; l <= 3; l++) {
        lnt_mat W = lnt_net_weights(&net, w, l), G, I;
        bool wide = W.cols > W.rows;
        int n = wide ? W.rows : W.cols;
        check_status(ctx, lnt_mat_alloc(ctx, &G, n, n), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &I, n, n), LNT_OK);
        lnt_mat_identity(I);
        lnt_gemm(G, 1, wide ? LNT_N : LNT_T, W, wide ? LNT_T : LNT_N, W, 0);
        check_close(G, I, 1e-14, "W W^T or W^T W");
    }
    check_status(ctx, lnt_imbalance(ctx, &imbalance, &net, w), LNT_OK);
    assert_true(imbalance < 1e-13); /* widths that shrink, stay, and grow: slices are zero-balanced */
}

/* Haar: E tr Q = 0 and E (tr Q)^2 = 1. Without the signs of R the mean trace is far off. 4,000 draws, fixed seed;
 * limits are five standard errors, an error rate below 1e-6. */
static void orthogonal_starts_are_haar(void **state)
{
    lnt_ctx *ctx = *state;
    const int widths[] = {5, 5}, draws = 4000;
    lnt_net net = {.depth = 1, .width = widths};
    lnt_init init = {.kind = LNT_INIT_ORTHOGONAL};
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_WEIGHTS);
    double Q[25], mean = 0, square = 0, fourth = 0;
    for (int k = 0; k < draws; k++) {
        double trace = 0;
        check_status(ctx, lnt_net_init(ctx, Q, &net, &init, NULL, &rng), LNT_OK);
        for (int i = 0; i < 5; i++)
            trace += Q[6 * i];
        mean += trace / draws;
        square += trace * trace / draws;
        fourth += pow(trace, 4) / draws;
    }
    if (fabs(mean) > 5 / sqrt(draws) || fabs(square - 1) > 5 * sqrt(fourth - 1) / sqrt(draws))
        fail_msg("mean trace %g, mean square %g over %d draws, seed %d", mean, square, draws, SEED);
}

static void factors_of_a_map_are_balanced(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    for (size_t k = 0; k < SHAPES; k++) {
        setting s = make_setting(ctx, shapes[k], 3, &rng);
        lnt_mat P, again;
        double imbalance;
        check_status(ctx, lnt_mat_alloc(ctx, &P, s.task.outputs, s.task.inputs), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &again, s.task.outputs, s.task.inputs), LNT_OK);
        check_status(ctx, lnt_net_product(ctx, P, &s.net, s.w), LNT_OK); /* of a rank that the network can reach */
        check_status(ctx, lnt_net_factor(ctx, s.w, &s.net, P), LNT_OK);
        check_status(ctx, lnt_net_product(ctx, again, &s.net, s.w), LNT_OK);
        check_close(again, P, 1e-12, "product of the factors");
        check_status(ctx, lnt_imbalance(ctx, &imbalance, &s.net, s.w), LNT_OK);
        assert_true(imbalance <= 1e-12 * fmax(1, lnt_mat_norm(P)));
    }
}

/* m_i = u_i' W v_i of every pair of modes: diag(strength) on the modes that pass the bottleneck. */
static void check_modes(lnt_ctx *ctx, const lnt_net *net, const double *w, const lnt_modes *modes, double strength)
{
    lnt_mat P, UP, M, expected;
    int outputs = net->width[net->depth], inputs = net->width[0];
    check_status(ctx, lnt_mat_alloc(ctx, &P, outputs, inputs), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &UP, outputs, inputs), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &M, outputs, inputs), LNT_OK);
    check_status(ctx, lnt_mat_alloc_zero(ctx, &expected, outputs, inputs), LNT_OK);
    check_status(ctx, lnt_net_product(ctx, P, net, w), LNT_OK);
    lnt_gemm(UP, 1, LNT_T, modes->U, LNT_N, P, 0);
    lnt_gemm(M, 1, LNT_N, UP, LNT_T, modes->VT, 0);
    for (int k = 0; k < lnt_net_bottleneck(net); k++)
        *lnt_at(expected, k, k) = strength;
    check_close(M, expected, 1e-13, "U' W V");
}

static void starts_lie_along_the_modes(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 6, LNT_FOR_TESTS);
    static const struct {
        int depth, width[6];
        const char *init;
        double strength;
    } cases[] = {{1, {4, 3}, "aligned:0.5", 0.5},     {2, {5, 2, 3}, "aligned:0.5,-3", -1.5},
                 {2, {3, 8, 6}, "aligned:2", 4},      {3, {3, 6, 4, 2}, "aligned:2,3,0.5", 3},
                 {2, {5, 2, 3}, "balanced:2", 0.01},  {2, {7, 4, 6}, "balanced:-0.3,1e-9", 1e-9},
                 {2, {3, 5, 6}, "balanced:1e4,2", 2}, {4, {3, 5, 4, 6, 2}, "balanced:0,0.2", 0.2},
                 {2, {1, 1, 1}, "balanced:-1,1", 1}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        lnt_net net = {.depth = cases[k].depth, .width = cases[k].width};
        lnt_modes modes;
        lnt_init init;
        double *w = lnt_alloc(ctx, lnt_net_size(&net), sizeof *w);
        check_status(ctx, lnt_modes_of(ctx, &modes, random_matrix(ctx, net.width[net.depth], net.width[0], &rng), true),
                     LNT_OK);
        check_status(ctx, lnt_init_parse(ctx, &init, cases[k].init), LNT_OK);
        check_status(ctx, lnt_net_init(ctx, w, &net, &init, &modes, &rng), LNT_OK);
        check_modes(ctx, &net, w, &modes, cases[k].strength);
        if (init.kind != LNT_INIT_BALANCED || net.depth != 2)
            continue;
        lnt_mat W1 = lnt_net_weights(&net, w, 1), W2 = lnt_net_weights(&net, w, 2), B, lambda;
        check_status(ctx, lnt_mat_alloc(ctx, &B, W1.rows, W1.rows), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &lambda, W1.rows, W1.rows), LNT_OK);
        lnt_mat_identity(lambda);
        lnt_mat_scale(lambda, init.value[0]);
        lnt_gemm(B, 1, LNT_T, W2, LNT_N, W2, 0);
        lnt_gemm(B, -1, LNT_N, W1, LNT_T, W1, 1);
        check_close(B, lambda, 1e-13, "W2'W2 - W1 W1'");
    }
}

static void starts_that_do_not_fit_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    const int widths[] = {3, 5, 4}, deep[] = {2, 2, 2, 2};
    lnt_net net = {.depth = 2, .width = widths}, three = {.depth = 3, .width = deep};
    lnt_rng rng = lnt_rng_stream(SEED, 7, LNT_FOR_TESTS);
    lnt_modes modes, square;
    lnt_init init;
    double w[50];
    check_status(ctx, lnt_modes_of(ctx, &modes, random_matrix(ctx, 4, 3, &rng), true), LNT_OK);
    check_status(ctx, lnt_modes_of(ctx, &square, random_matrix(ctx, 2, 2, &rng), true), LNT_OK);
    check_status(ctx, lnt_init_parse(ctx, &init, "balanced:1"), LNT_OK);
    check_failure(ctx, lnt_net_init(ctx, w, &net, &init, &modes, &rng), LNT_EUSAGE, "5 hidden units");
    check_failure(ctx, lnt_net_init(ctx, w, &three, &init, &square, &rng), LNT_EUSAGE, "two layers");
    check_status(ctx, lnt_init_parse(ctx, &init, "aligned:1,2,3"), LNT_OK);
    check_failure(ctx, lnt_net_init(ctx, w, &net, &init, &modes, &rng), LNT_EUSAGE, "3 strengths for 2 layers");
}

/* Against long double, where the functions saturate and where they are small. */
static void activations_keep_their_digits(void **state)
{
    static const double at[] = {-800, -40, -3, -1e-3, -1e-9, 0, 1e-9, 1e-3, 0.7, 5, 40, 800};
    (void)state;
    for (size_t k = 0; k < sizeof at / sizeof *at; k++)
        for (int f = LNT_LINEAR; f <= LNT_SOFTPLUS; f++) {
            double z = at[k], slope = 1;
            long double a = at[k], e = expl(-fabsl(a)),
                        expected[5][2] = {{a, 1},
                                          {tanhl(a), 4 * e * e / ((1 + e * e) * (1 + e * e))},
                                          {a > 0 ? a : 0, a > 0},
                                          {a >= 0 ? 1 / (1 + e) : e / (1 + e), e / ((1 + e) * (1 + e))},
                                          {fmaxl(a, 0) + log1pl(e), a >= 0 ? 1 / (1 + e) : e / (1 + e)}};
            lnt_activate(lnt_mat_view(&z, 1, 1), lnt_mat_view(&slope, 1, 1), (lnt_activation)f);
            double error = (double)fabsl(z - expected[f][0]), error_slope = (double)fabsl(slope - expected[f][1]);
            if (!(error <= 1e-15 * fabsl(expected[f][0]) + 1e-300) || !(error_slope <= 2e-15 * expected[f][1] + 1e-300))
                fail_msg("activation %d at %g: value off by %g, slope by %g", f, at[k], error, error_slope);
        }
}

static void starts_are_read_from_text(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_init init;
    check_status(ctx, lnt_init_parse(ctx, &init, "gaussian:1e-3"), LNT_OK);
    assert_true(init.kind == LNT_INIT_GAUSSIAN && init.value[0] == 1e-3);
    check_status(ctx, lnt_init_parse(ctx, &init, "orthogonal"), LNT_OK);
    static const char *const bad[] = {"",
                                      "gauss",
                                      "gaussian",
                                      "gaussian:",
                                      "gaussian:-1",
                                      "gaussian:nan",
                                      "orthogonal:1",
                                      "gaussian:1,2",
                                      "aligned",
                                      "aligned:",
                                      "aligned:1,",
                                      "aligned:1,x",
                                      "aligned:1e100",
                                      "balanced:",
                                      "balanced:1,0",
                                      "balanced:1,2,3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_failure(ctx, lnt_init_parse(ctx, &init, bad[i]), LNT_EUSAGE, "gaussian:SD");
    check_status(ctx, lnt_init_parse(ctx, &init, "aligned:0.1,-2"), LNT_OK);
    assert_true(init.kind == LNT_INIT_ALIGNED && init.count == 2 && init.value[1] == -2);
    check_status(ctx, lnt_init_parse(ctx, &init, "balanced:-3"), LNT_OK);
    assert_true(init.kind == LNT_INIT_BALANCED && init.value[0] == -3 && init.value[1] == 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(gradient_matches_finite_differences), WITH_CTX(gradient_from_moments_is_that_from_samples),
        WITH_CTX(score_is_the_loss_of_the_product),    WITH_CTX(accuracy_counts_the_largest_output),
        WITH_CTX(orthogonal_starts_are_orthogonal),    WITH_CTX(orthogonal_starts_are_haar),
        WITH_CTX(factors_of_a_map_are_balanced),       WITH_CTX(starts_are_read_from_text),
        WITH_CTX(starts_lie_along_the_modes),          WITH_CTX(starts_that_do_not_fit_are_refused),
        WITH_CTX(activations_keep_their_digits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
