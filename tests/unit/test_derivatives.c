/* Derivatives of layered networks against each other, differences and networks without biases. */
#include "check.h"

#define SEED 1963

static double *random_vector(lnt_ctx *ctx, size_t n, lnt_rng *rng)
{
    double *x = new_vector(ctx, n);
    lnt_rng_normals(rng, x, n);
    return x;
}

static lnt_mat as_column(const double *x, size_t n)
{
    return lnt_mat_view((double *)(uintptr_t)x, (int)n, 1);
}

/* All activations, depths, with and without biases and scaling. */
static const int widths[][4] = {{3, 2}, {2, 5, 3}, {4, 6, 5, 2}, {1, 7, 1}};
static const int depths[] = {1, 2, 3, 2};

static lnt_layers some_net(int kind)
{
    int shape = kind % 4;
    return (lnt_layers){.net = {depths[shape], widths[shape], (lnt_activation)(kind / 4 % 5)},
                        .biases = kind % 3 != 0,
                        .output = kind % 7 == 3   ? LNT_LOGISTIC
                                  : kind % 7 == 5 ? LNT_TANH
                                                  : LNT_LINEAR,
                        .ntk = kind % 2,
                        .bias_scale = kind % 5 ? 0.3 : 0};
}

#define KINDS 60

static void forward_at(lnt_ctx *ctx, lnt_mat F, const lnt_layers *net, const double *w, const double *v, double h,
                       lnt_mat X)
{
    size_t k = lnt_layers_size(net);
    double *at = new_vector(ctx, k);
    for (size_t i = 0; i < k; i++)
        at[i] = w[i] + h * v[i];
    check_status(ctx, lnt_layers_forward(ctx, F, net, at, X), LNT_OK);
}

static void derivatives_are_differences(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)kind, LNT_FOR_TESTS);
        lnt_layers net = some_net(kind);
        int q = net.net.width[net.net.depth], N = 11;
        size_t k = lnt_layers_size(&net);
        double *w = random_vector(ctx, k, &rng), *v = random_vector(ctx, k, &rng);
        lnt_mat X = random_matrix(ctx, net.net.width[0], N, &rng);
        lnt_mat F = zeros(ctx, q, N), up = zeros(ctx, q, N), down = zeros(ctx, q, N);
        lnt_mat dF = zeros(ctx, q, N), ddF = zeros(ctx, q, N), alone = zeros(ctx, q, N);
        check_status(ctx, lnt_layers_jvp(ctx, alone, &net, w, v, X), LNT_OK);
        check_status(ctx, lnt_layers_second(ctx, dF, ddF, &net, w, v, X), LNT_OK);
        check_close(dF, alone, 0, "B v of the two routines");
        double h = 1e-6;
        forward_at(ctx, up, &net, w, v, h, X);
        forward_at(ctx, down, &net, w, v, -h, X);
        lnt_mat_add(up, -1, down);
        lnt_mat_scale(up, 1 / (2 * h));
        check_close(dF, up, 1e-7, "B v against differences");
        h = 1e-4;
        forward_at(ctx, F, &net, w, v, 0, X);
        forward_at(ctx, up, &net, w, v, h, X);
        forward_at(ctx, down, &net, w, v, -h, X);
        lnt_mat_add(up, 1, down);
        lnt_mat_add(up, -2, F);
        lnt_mat_scale(up, 1 / (h * h));
        if (net.net.activation != LNT_RELU) /* or a kink may stand in the way */
            check_close(ddF, up, 1e-5, "second derivative against differences");
        lnt_ctx_reset(ctx, mark);
    }
}

/* Piecewise linear layers are polynomials in w: the second derivative of f along v is exact there. */
static void second_derivatives_of_relu_are_exact(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 900, LNT_FOR_TESTS);
    int width[] = {3, 8, 2};
    lnt_layers net = {.net = {2, width, LNT_RELU}, .biases = true};
    size_t k = lnt_layers_size(&net);
    double *w = random_vector(ctx, k, &rng), *v = random_vector(ctx, k, &rng), h = 1e-3;
    lnt_mat X = random_matrix(ctx, 3, 20, &rng), none = {0};
    lnt_mat F = zeros(ctx, 2, 20), dF = zeros(ctx, 2, 20), ddF = zeros(ctx, 2, 20);
    lnt_mat ahead = zeros(ctx, 2, 20);
    check_status(ctx, lnt_layers_second(ctx, none, ddF, &net, w, v, X), LNT_OK);
    check_status(ctx, lnt_layers_jvp(ctx, dF, &net, w, v, X), LNT_OK);
    forward_at(ctx, F, &net, w, v, 0, X);
    forward_at(ctx, ahead, &net, w, v, h, X);
    /* f(w + h v) = f + h Bv + h^2/2 fvv as long as no unit switches */
    lnt_mat_add(F, h, dF);
    lnt_mat_add(F, h * h / 2, ddF);
    check_close(ahead, F, 1e-13, "second order expansion");
}

static void jacobian_products_agree(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < KINDS; kind++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, 100 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_layers net = some_net(kind);
        int q = net.net.width[net.net.depth], N = kind % 9 == 0 ? 700 : 5; /* several blocks */
        size_t k = lnt_layers_size(&net), n = (size_t)(q * N);
        double *w = random_vector(ctx, k, &rng), *v = random_vector(ctx, k, &rng), *u = random_vector(ctx, n, &rng);
        double *Bv = new_vector(ctx, n), *Bu = new_vector(ctx, k), *row = new_vector(ctx, n), *g = new_vector(ctx, k);
        lnt_mat X = random_matrix(ctx, net.net.width[0], N, &rng), BT = zeros(ctx, (int)k, (int)n);
        check_status(ctx, lnt_layers_jacobian(ctx, BT, &net, w, X), LNT_OK);
        check_status(ctx, lnt_layers_jvp(ctx, lnt_mat_view(Bv, q, N), &net, w, v, X), LNT_OK);
        check_status(ctx, lnt_layers_vjp(ctx, Bu, &net, w, lnt_mat_view(u, q, N), X), LNT_OK);
        lnt_gemv(row, 1, LNT_T, BT, v, 0);
        check_close(as_column(row, n), as_column(Bv, n), 1e-13, "B v");
        lnt_gemv(g, 1, LNT_N, BT, u, 0);
        check_close(as_column(g, k), as_column(Bu, k), 1e-13, "B' u");
        check_near(lnt_vec_dot((int)n, u, Bv), lnt_vec_dot((int)k, Bu, v), 1e-13 * sqrt((double)(n + k)), "adjoint");
        lnt_ctx_reset(ctx, mark);
    }
}

static void models_call_the_same_derivatives(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < KINDS; kind += 3) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, 200 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_layers net = some_net(kind + 1);
        lnt_model model;
        bool rejected;
        int q = net.net.width[net.net.depth], N = 300;
        lnt_mat X = random_matrix(ctx, net.net.width[0], N, &rng);
        check_status(ctx, lnt_layers_model(ctx, &model, &net, X), LNT_OK);
        assert_int_equal(model.n, q * N);
        assert_int_equal(model.k, lnt_layers_size(&net));
        double *w = random_vector(ctx, model.k, &rng), *v = random_vector(ctx, model.k, &rng);
        double *f = new_vector(ctx, model.n), *F = new_vector(ctx, model.n);
        lnt_mat BT = zeros(ctx, (int)model.k, (int)model.n), part = zeros(ctx, (int)model.k, 100);
        check_status(ctx, lnt_model_outputs(ctx, f, &rejected, &model, w), LNT_OK);
        check_status(ctx, lnt_layers_forward(ctx, lnt_mat_view(F, q, N), &net, w, X), LNT_OK);
        check_close(as_column(f, model.n), as_column(F, model.n), 0, "outputs");
        check_status(ctx, lnt_layers_jacobian(ctx, BT, &net, w, X), LNT_OK);
        for (size_t i = 0; i + 100 <= model.n; i += 67) { /* rows that cut samples in two */
            check_status(ctx, lnt_model_rows(ctx, part.a, model.k, &rejected, &model, w, i, i + 100), LNT_OK);
            check_close(part, lnt_columns(BT, (int)i, 100), 1e-14, "rows of the Jacobian");
        }
        double *fvv = new_vector(ctx, model.n), *Bv = new_vector(ctx, model.n), *rough = new_vector(ctx, model.n);
        check_status(ctx, lnt_model_jvp(ctx, Bv, &rejected, &model, w, v), LNT_OK);
        check_status(ctx, lnt_model_fvv(ctx, fvv, &rejected, &model, w, v, f, Bv), LNT_OK);
        lnt_model bare = {.n = model.n, .k = model.k, .user = model.user, .f = model.f};
        for (size_t j = 0; j < model.k; j++)
            v[j] *= 1e-3;
        check_status(ctx, lnt_model_jvp(ctx, Bv, &rejected, &model, w, v), LNT_OK);
        check_status(ctx, lnt_model_fvv(ctx, rough, &rejected, &bare, w, v, f, Bv), LNT_OK);
        lnt_mat_scale(as_column(rough, model.n), 1e6);
        if (net.net.activation != LNT_RELU)
            check_close(as_column(rough, model.n), as_column(fvv, model.n), 1e-2, "fvv from differences");
        lnt_ctx_reset(ctx, mark);
    }
}

/* Callbacks in any order at weights that change in place: what one of them left behind never serves other weights. */
static void passes_belong_to_their_weights(void **state)
{
    lnt_ctx *ctx = *state;
    for (int kind = 0; kind < KINDS; kind += 7) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, 600 + (uint32_t)kind, LNT_FOR_TESTS);
        lnt_layers net = some_net(kind);
        lnt_model model;
        lnt_mat X = random_matrix(ctx, net.net.width[0], kind % 2 ? 20 : 400, &rng);
        check_status(ctx, lnt_layers_model(ctx, &model, &net, X), LNT_OK);
        size_t n = model.n, k = model.k;
        int q = net.net.width[net.net.depth];
        double *w = random_vector(ctx, k, &rng), *v = random_vector(ctx, k, &rng), *u = random_vector(ctx, n, &rng);
        double *got = new_vector(ctx, n * k), *expected = new_vector(ctx, n * k);
        lnt_mat F = lnt_mat_view(expected, q, X.cols), B = lnt_mat_view(expected, (int)k, (int)n),
                U = lnt_mat_view(u, q, X.cols), dF = zeros(ctx, q, X.cols);
        for (int call = 0; call < 60; call++) {
            if (lnt_rng_below(&rng, 2))
                w[lnt_rng_below(&rng, (uint32_t)k)] += 0.5;
            size_t first = lnt_rng_below(&rng, 2) ? lnt_rng_below(&rng, (uint32_t)n) : 0, size = n;
            switch (lnt_rng_below(&rng, 5)) {
            case 0:
                check_status(ctx, lnt_layers_forward(ctx, F, &net, w, X), LNT_OK);
                assert_int_equal(model.f(w, got, model.user), 0);
                break;
            case 1:
                check_status(ctx, lnt_layers_jacobian(ctx, B, &net, w, X), LNT_OK);
                assert_int_equal(model.jacobian(w, first, n, got + first * k, k, model.user), 0);
                size = (n - first) * k;
                memmove(expected, expected + first * k, size * sizeof *expected);
                memmove(got, got + first * k, size * sizeof *got);
                break;
            case 2:
                check_status(ctx, lnt_layers_jvp(ctx, F, &net, w, v, X), LNT_OK);
                assert_int_equal(model.jvp(w, v, got, model.user), 0);
                break;
            case 3:
                check_status(ctx, lnt_layers_vjp(ctx, expected, &net, w, U, X), LNT_OK);
                assert_int_equal(model.vjp(w, u, got, model.user), 0);
                size = k;
                break;
            default:
                check_status(ctx, lnt_layers_second(ctx, dF, F, &net, w, v, X), LNT_OK);
                assert_int_equal(model.fvv(w, v, got, model.user), 0);
            }
            check_close(as_column(got, size), as_column(expected, size), 1e-13, "a callback's answer");
        }
        lnt_ctx_reset(ctx, mark);
    }
}

/* Whatever a model lacks comes from what it has. */
static void missing_callbacks_are_replaced(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 300, LNT_FOR_TESTS);
    int width[] = {2, 6, 2};
    lnt_layers net = {.net = {2, width, LNT_TANH}, .biases = true};
    lnt_model model, part;
    lnt_mat X = random_matrix(ctx, 2, 400, &rng);
    bool rejected;
    check_status(ctx, lnt_layers_model(ctx, &model, &net, X), LNT_OK);
    size_t n = model.n, k = model.k;
    double *w = random_vector(ctx, k, &rng), *v = random_vector(ctx, k, &rng), *u = random_vector(ctx, n, &rng);
    double *Bv = new_vector(ctx, n), *Bu = new_vector(ctx, k), *a = new_vector(ctx, n), *b = new_vector(ctx, k);
    lnt_mat B = zeros(ctx, (int)k, (int)n), other = zeros(ctx, (int)k, (int)n);
    check_status(ctx, lnt_model_rows(ctx, B.a, k, &rejected, &model, w, 0, n), LNT_OK);
    check_status(ctx, lnt_model_jvp(ctx, Bv, &rejected, &model, w, v), LNT_OK);
    check_status(ctx, lnt_model_vjp(ctx, Bu, &rejected, &model, w, u), LNT_OK);
    for (int has = 0; has < 4; has++) {
        double tolerance = has ? 1e-12 : 1e-7;
        part = (lnt_model){.n = n, .k = k, .user = model.user, .f = model.f};
        part.jacobian = has & 1 ? model.jacobian : NULL;
        part.jvp = has & 2 ? model.jvp : NULL;
        check_status(ctx, lnt_model_rows(ctx, other.a, k, &rejected, &part, w, 0, n), LNT_OK);
        check_close(other, B, tolerance, "rows");
        check_status(ctx, lnt_model_jvp(ctx, a, &rejected, &part, w, v), LNT_OK);
        check_close(as_column(a, n), as_column(Bv, n), tolerance, "B v");
        check_status(ctx, lnt_model_vjp(ctx, b, &rejected, &part, w, u), LNT_OK);
        check_close(as_column(b, k), as_column(Bu, k), tolerance, "B' u");
        assert_false(rejected);
    }
}

static void saturation_keeps_digits(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 400, LNT_FOR_TESTS);
    for (int i = 0; i < 200; i++) {
        double a = (lnt_rng_uniform(&rng) - 0.5) * pow(10, 6 * lnt_rng_uniform(&rng) - 4), s, c, z = a;
        lnt_mat Z = lnt_mat_view(&z, 1, 1), S = lnt_mat_view(&s, 1, 1), C = lnt_mat_view(&c, 1, 1);
        lnt_activate_twice(Z, S, C, LNT_TANH);
        double sech = 1 / cosh(a), h = tanh(a);
        assert_true(fabs(z - h) <= 1e-15 * fabs(h) && fabs(s - sech * sech) <= 4e-14 * sech * sech);
        assert_true(fabs(c + 2 * h * sech * sech) <= 4e-14 * fabs(2 * h * sech * sech));
        z = a;
        lnt_activate_twice(Z, S, C, LNT_LOGISTIC); /* slope 1/(4 cosh^2(a/2)), curvature -slope tanh(a/2) */
        double slope = 0.25 / (cosh(a / 2) * cosh(a / 2));
        assert_true(fabs(s - slope) <= 4e-14 * slope &&
                    fabs(c + slope * tanh(a / 2)) <= 4e-14 * slope * fabs(tanh(a / 2)));
        z = a;
        lnt_activate_twice(Z, S, C, LNT_SOFTPLUS);
        assert_true(fabs(c - slope) <= 4e-14 * slope && fabs(s - 1 / (1 + exp(-a))) <= 1e-14 * s);
    }
    double z = 1000, s, c;
    lnt_activate_twice(lnt_mat_view(&z, 1, 1), lnt_mat_view(&s, 1, 1), lnt_mat_view(&c, 1, 1), LNT_TANH);
    assert_true(z == 1 && s == 0 && c == 0);
    (void)ctx;
}

static void networks_without_biases_are_the_old_ones(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 500, LNT_FOR_TESTS);
    int width[] = {4, 5, 3, 2};
    lnt_net old = {3, width, LNT_TANH};
    lnt_layers net = {.net = old};
    lnt_model model;
    assert_int_equal(lnt_layers_size(&net), lnt_net_size(&old));
    double *w = random_vector(ctx, lnt_net_size(&old), &rng), *out = new_vector(ctx, 14);
    lnt_mat X = random_matrix(ctx, 4, 7, &rng), F = zeros(ctx, 2, 7), G = zeros(ctx, 2, 7);
    check_status(ctx, lnt_net_forward(ctx, F, &old, w, X), LNT_OK);
    check_status(ctx, lnt_layers_forward(ctx, G, &net, w, X), LNT_OK);
    check_close(G, F, 1e-15, "outputs");
    check_status(ctx, lnt_net_model(ctx, &model, &old, X), LNT_OK);
    assert_int_equal(model.f(w, out, model.user), 0);
    check_close(lnt_mat_view(out, 2, 7), F, 1e-15, "outputs of the model");
}

/* Euler: B w = L f for homogeneous networks. */
static void homogeneous_networks_obey_euler(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 600, LNT_FOR_TESTS);
    int width[] = {3, 6, 4, 2};
    lnt_layers net = {.net = {3, width, LNT_RELU}, .ntk = true};
    double *w = random_vector(ctx, lnt_layers_size(&net), &rng);
    lnt_mat X = random_matrix(ctx, 3, 9, &rng), F = zeros(ctx, 2, 9), Bw = zeros(ctx, 2, 9);
    check_status(ctx, lnt_layers_forward(ctx, F, &net, w, X), LNT_OK);
    check_status(ctx, lnt_layers_jvp(ctx, Bw, &net, w, w, X), LNT_OK);
    lnt_mat_scale(F, 3);
    check_close(Bw, F, 1e-13, "B w = L f");
}

static int says(const double *w, double *out, void *user)
{
    (void)w;
    out[0] = 1;
    out[1] = *(const int *)user == 9 ? NAN : 2;
    return *(const int *)user == 9 ? 0 : *(const int *)user;
}

static void callbacks_may_refuse(void **state)
{
    lnt_ctx *ctx = *state;
    int what = 1;
    double w = 1, out[2], B[2];
    bool rejected;
    lnt_model model = {.n = 2, .k = 1, .user = &what, .f = says};
    check_status(ctx, lnt_model_outputs(ctx, out, &rejected, &model, &w), LNT_OK);
    assert_true(rejected);
    check_status(ctx, lnt_model_rows(ctx, B, 1, &rejected, &model, &w, 0, 2), LNT_OK);
    assert_true(rejected);
    what = 9; /* not finite */
    check_status(ctx, lnt_model_jvp(ctx, out, &rejected, &model, &w, &w), LNT_OK);
    assert_true(rejected);
    check_status(ctx, lnt_model_fvv(ctx, out, &rejected, &model, &w, &w, out, out), LNT_OK);
    assert_true(rejected);
    what = 0;
    check_status(ctx, lnt_model_rows(ctx, B, 1, &rejected, &model, &w, 0, 2), LNT_OK);
    assert_true(!rejected && B[0] == 0 && B[1] == 0);
    what = -3;
    check_failure(ctx, lnt_model_outputs(ctx, out, &rejected, &model, &w), LNT_EUSER, "callback");
    check_failure(ctx, lnt_model_vjp(ctx, B, &rejected, &model, &w, out), LNT_EUSER, "callback");
}

static void canonical_weights_give_the_same_function(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 700, LNT_FOR_TESTS);
    int width[] = {2, 5, 4, 2};
    lnt_layers net = {.net = {3, width, LNT_TANH}, .biases = true};
    size_t k = lnt_layers_size(&net);
    double *w = random_vector(ctx, k, &rng), *mirror = new_vector(ctx, k);
    lnt_mat X = random_matrix(ctx, 2, 10, &rng), F = zeros(ctx, 2, 10), G = zeros(ctx, 2, 10);
    memcpy(mirror, w, k * sizeof *w);
    for (int l = 1; l <= 2; l++) { /* flip unit 1, then let units 0 and 2 change places */
        lnt_mat W = lnt_layers_weights(&net, mirror, l), above = lnt_layers_weights(&net, mirror, l + 1);
        double *b = lnt_layers_biases(&net, mirror, l), swap = b[0];
        lnt_mat_scale(lnt_block(W, 1, 0, 1, W.cols), -1);
        lnt_mat_scale(lnt_columns(above, 1, 1), -1);
        b[1] = -b[1];
        b[0] = b[2];
        b[2] = swap;
        for (int c = 0; c < W.cols; c++) {
            swap = *lnt_at(W, 0, c);
            *lnt_at(W, 0, c) = *lnt_at(W, 2, c);
            *lnt_at(W, 2, c) = swap;
        }
        for (int r = 0; r < above.rows; r++) {
            swap = *lnt_at(above, r, 0);
            *lnt_at(above, r, 0) = *lnt_at(above, r, 2);
            *lnt_at(above, r, 2) = swap;
        }
    }
    check_status(ctx, lnt_layers_forward(ctx, F, &net, w, X), LNT_OK);
    lnt_layers_canonical(w, &net);
    lnt_layers_canonical(mirror, &net);
    check_close(as_column(mirror, k), as_column(w, k), 0, "mirrored weights");
    check_status(ctx, lnt_layers_forward(ctx, G, &net, w, X), LNT_OK);
    check_close(G, F, 1e-14, "outputs");
}

static void starts_have_their_scales(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 800, LNT_FOR_TESTS);
    int width[] = {2, 40, 3};
    lnt_layers net = {.net = {2, width, LNT_TANH}, .biases = true};
    double *w = new_vector(ctx, lnt_layers_size(&net));
    lnt_mat X = random_matrix(ctx, 2, 50, &rng);
    for (int j = 0; j < 50; j++)
        *lnt_at(X, 1, j) = 100 + 7 * *lnt_at(X, 1, j);
    lnt_layers_start(w, &net, LNT_START_NGUYEN, X, &rng);
    lnt_mat W = lnt_layers_weights(&net, w, 1), F = zeros(ctx, 40, 50);
    double least = INFINITY, most = -INFINITY, norm = 0;
    for (int j = 0; j < 50; j++) {
        least = fmin(least, *lnt_at(X, 1, j));
        most = fmax(most, *lnt_at(X, 1, j));
    }
    double least0 = INFINITY, most0 = -INFINITY;
    for (int j = 0; j < 50; j++) {
        least0 = fmin(least0, *lnt_at(X, 0, j));
        most0 = fmax(most0, *lnt_at(X, 0, j));
    }
    for (int i = 0; i < 40; i++) {
        norm = hypot(*lnt_at(W, i, 0) * (most0 - least0) / 2, *lnt_at(W, i, 1) * (most - least) / 2);
        check_near(norm, 0.7 * sqrt(40), 1e-12, "norm of a row for mapped inputs");
        double centre = lnt_layers_biases(&net, w, 1)[i] + *lnt_at(W, i, 0) * (most0 + least0) / 2 +
                        *lnt_at(W, i, 1) * (most + least) / 2;
        assert_true(fabs(centre) <= 0.7 * sqrt(40) * (1 + 1e-12));
    }
    (void)F;
    lnt_layers_start(w, &net, LNT_START_FAN_IN, X, &rng);
    double variance = pow(lnt_mat_rms(lnt_layers_weights(&net, w, 2)), 2) * 40; /* of 120: 3 standard errors */
    assert_true(fabs(variance - 1) < 3 * sqrt(2.0 / 120));
    assert_true(lnt_layers_biases(&net, w, 1)[3] == 0);
}

static lnt_status everything(lnt_ctx *ctx, void *user)
{
    static const int width[] = {2, 3, 2};
    lnt_layers net = {.net = {2, width, LNT_TANH}, .biases = true};
    double w[17] = {0.3, -1}, v[17] = {1}, g[17], x[6] = {1, 2, 3, 4, 5, 6}, f[6], df[6], B[17 * 6];
    lnt_mat X = lnt_mat_view(x, 2, 3), F = lnt_mat_view(f, 2, 3), dF = lnt_mat_view(df, 2, 3);
    lnt_model model;
    bool rejected;
    (void)user;
    lnt_status status = lnt_layers_model(ctx, &model, &net, X);
    if (status == LNT_OK)
        status = lnt_layers_forward(ctx, F, &net, w, X);
    if (status == LNT_OK)
        status = lnt_layers_second(ctx, dF, F, &net, w, v, X);
    if (status == LNT_OK)
        status = lnt_layers_jacobian(ctx, lnt_mat_view(B, 17, 6), &net, w, X);
    if (status != LNT_OK)
        return status;
    model = (lnt_model){.n = 6, .k = 17, .user = model.user, .f = model.f};
    status = lnt_model_vjp(ctx, g, &rejected, &model, w, f);
    if (status == LNT_OK)
        status = lnt_model_jvp(ctx, f, &rejected, &model, w, v);
    return status == LNT_OK ? lnt_model_fvv(ctx, df, &rejected, &model, w, v, f, f) : status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(check_allocations(everything, NULL, LNT_OK, 200) > 2);
}

static void bad_sizes_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    static const int width[] = {1, 100000, 100000};
    lnt_layers net = {.net = {2, width, LNT_TANH}};
    lnt_model model;
    lnt_mat none = {NULL, 1, 0, 1};
    check_failure(ctx, lnt_layers_model(ctx, &model, &net, none), LNT_EINVAL, "2^31");
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(derivatives_are_differences),
                                       WITH_CTX(second_derivatives_of_relu_are_exact),
                                       WITH_CTX(jacobian_products_agree),
                                       WITH_CTX(models_call_the_same_derivatives),
                                       WITH_CTX(passes_belong_to_their_weights),
                                       WITH_CTX(missing_callbacks_are_replaced),
                                       WITH_CTX(saturation_keeps_digits),
                                       WITH_CTX(networks_without_biases_are_the_old_ones),
                                       WITH_CTX(homogeneous_networks_obey_euler),
                                       WITH_CTX(callbacks_may_refuse),
                                       WITH_CTX(canonical_weights_give_the_same_function),
                                       WITH_CTX(starts_have_their_scales),
                                       cmocka_unit_test(every_allocation_may_fail),
                                       WITH_CTX(bad_sizes_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
