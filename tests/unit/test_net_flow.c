/* Gradient flows of networks, against closed forms, invariants, and each other. */
#include "check.h"

#define SEED 32

static lnt_flow_opts tight(void)
{
    lnt_flow_opts opts;
    lnt_flow_defaults(&opts);
    opts.rtol = 1e-12;
    opts.atol = 1e-14;
    return opts;
}

/* A random orthogonal matrix. */
static lnt_mat orthogonal(lnt_ctx *ctx, int n, lnt_rng *rng)
{
    lnt_mat Q = random_matrix(ctx, n, n, rng);
    double *diag = lnt_alloc(ctx, (size_t)n, sizeof *diag);
    check_status(ctx, lnt_qr(ctx, Q, diag), LNT_OK);
    return Q;
}

/* Moments with Sxx = Q diag(d) Q^T, d from 1 to `least`, and a random Syx = T Sxx. */
static lnt_moments random_moments(lnt_ctx *ctx, int inputs, int outputs, double least, lnt_rng *rng)
{
    lnt_moments m = {.n = 1};
    lnt_mat Q = orthogonal(ctx, inputs, rng), D, T = random_matrix(ctx, outputs, inputs, rng);
    check_status(ctx, lnt_mat_alloc(ctx, &D, inputs, inputs), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &m.Sxx, inputs, inputs), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &m.Syx, outputs, inputs), LNT_OK);
    lnt_mat_copy(D, Q);
    for (int j = 0; j < inputs; j++)
        lnt_mat_scale(lnt_columns(D, j, 1), pow(least, inputs > 1 ? (double)j / (inputs - 1) : 0));
    lnt_gemm(m.Sxx, 1, LNT_N, D, LNT_T, Q, 0);
    if (least == 1)
        lnt_mat_identity(m.Sxx);
    lnt_symmetrize(m.Sxx);
    lnt_gemm(m.Syx, 1, LNT_N, T, LNT_N, m.Sxx, 0);
    return m;
}

static double *random_weights(lnt_ctx *ctx, const lnt_net *net, double sd, lnt_rng *rng)
{
    double *w = lnt_alloc(ctx, lnt_net_size(net), sizeof *w);
    assert_non_null(w);
    for (size_t i = 0; i < lnt_net_size(net); i++)
        w[i] = sd * lnt_rng_normal(rng);
    return w;
}

/* ---- The plain flow, weight by weight ---- */

typedef struct plain {
    lnt_net net;
    lnt_moments m;
    lnt_moments_work work;
} plain;

static int plain_slope(double *dy, double t, const double *y, void *user)
{
    plain *p = user;
    (void)t;
    lnt_net_gradient_moments(dy, &p->work, &p->net, y, &p->m);
    for (size_t i = 0; i < lnt_net_size(&p->net); i++)
        dy[i] = -dy[i];
    return 0;
}

typedef struct shape {
    int depth, width[6];
} shape;

/* White and not, one to four layers, pairs with few and many hidden units, more outputs than inputs and fewer. */
static const shape shapes[] = {{1, {4, 3}},          {2, {6, 2, 5}},       {2, {3, 7, 4}},    {2, {6, 3, 5}},
                               {2, {4, 1, 9}},       {2, {9, 2, 3}},       {3, {5, 3, 4, 6}}, {3, {4, 4, 4, 4}},
                               {4, {3, 4, 2, 4, 3}}, {4, {6, 5, 5, 5, 2}}, {2, {1, 1, 1}},    {1, {1, 1}}};
enum { SHAPES = sizeof shapes / sizeof *shapes, TIMES = 5 };
static const double times[TIMES] = {0, 0.5, 2, 2, 7};

static void rotated_flow_is_the_plain_one(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_flow_opts opts = tight();
    for (int i = 0; i < SHAPES; i++)
        for (int white = 0; white < 2; white++) {
            lnt_rng rng = lnt_rng_stream(SEED, (uint32_t)(2 * i + white), LNT_FOR_TESTS);
            plain p = {.net = {.depth = shapes[i].depth, .width = shapes[i].width}};
            int size = (int)lnt_net_size(&p.net);
            p.m = random_moments(ctx, p.net.width[0], p.net.width[p.net.depth], white ? 1 : 0.05, &rng);
            double *w0 = random_weights(ctx, &p.net, 0.4, &rng);
            lnt_ode ode = {.size = (size_t)size, .slope = plain_slope, .user = &p};
            lnt_mat Y, expected;
            check_status(ctx, lnt_mat_alloc(ctx, &Y, size, TIMES), LNT_OK);
            check_status(ctx, lnt_mat_alloc(ctx, &expected, size, TIMES), LNT_OK);
            check_status(ctx, lnt_moments_work_alloc(ctx, &p.work, &p.net), LNT_OK);
            check_status(ctx, lnt_flow(ctx, expected, NULL, &ode, w0, 0, times, TIMES, &opts), LNT_OK);
            lnt_flow_info info;
            check_status(ctx, lnt_net_flow(ctx, Y, &info, NULL, &p.net, w0, &p.m, times, TIMES, &opts), LNT_OK);
            check_close(Y, expected, 1e-10, "weights");
            assert_true(info.stop == LNT_FLOW_DONE && info.outputs == TIMES);
        }
}

/* W_{l+1}^T W_{l+1} - W_l W_l^T stays, for inputs of any covariance, whatever method and tolerance. */
static void balance_is_conserved(void **state)
{
    lnt_ctx *ctx = *state;
    const double spread[] = {1, 0.1, 1e-4};
    for (int i = 0; i < SHAPES; i++)
        for (int k = 0; k < 3; k++)
            for (int method = 0; method < 3; method++) {
                lnt_rng rng = lnt_rng_stream(SEED, 100 + (uint32_t)(3 * i + k), LNT_FOR_TESTS);
                lnt_net net = {.depth = shapes[i].depth, .width = shapes[i].width};
                lnt_moments m = random_moments(ctx, net.width[0], net.width[net.depth], spread[k], &rng);
                double *w0 = random_weights(ctx, &net, 0.3, &rng);
                lnt_flow_opts opts;
                lnt_flow_defaults(&opts);
                opts.method = (lnt_flow_method)method;
                lnt_mat Y, A, B;
                check_status(ctx, lnt_mat_alloc(ctx, &Y, (int)lnt_net_size(&net), TIMES), LNT_OK);
                check_status(ctx, lnt_net_flow(ctx, Y, NULL, NULL, &net, w0, &m, times, TIMES, &opts), LNT_OK);
                for (int l = 1; l < net.depth; l++) {
                    check_status(ctx, lnt_mat_alloc(ctx, &A, net.width[l], net.width[l]), LNT_OK);
                    check_status(ctx, lnt_mat_alloc(ctx, &B, net.width[l], net.width[l]), LNT_OK);
                    for (int t = 0; t < TIMES; t++) {
                        lnt_mat C = t == 0 ? A : B;
                        const double *w = lnt_at(Y, 0, t);
                        lnt_mat W = lnt_net_weights(&net, w, l), next = lnt_net_weights(&net, w, l + 1);
                        lnt_gemm(C, 1, LNT_T, next, LNT_N, next, 0);
                        lnt_gemm(C, -1, LNT_N, W, LNT_T, W, 1);
                        check_close(C, A, method == LNT_FLOW_BDF ? 1e-6 : 1e-7, "balance");
                    }
                }
            }
}

/* ---- Aligned starts: modes decouple, u = s / (1 + (s/u0 - 1) exp(-2 s t)) ---- */

static void aligned_modes_follow_their_closed_form(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N1 = 6, H = 4, N3 = 5, MODES = 4 };
    const int width[] = {N1, H, N3};
    const double s[MODES] = {4, 2.5, 1.5, 1}, u0[MODES] = {1e-6, 1e-5, 1e-6, 1e-4};
    for (int white = 0; white < 2; white++) {
        lnt_rng rng = lnt_rng_stream(SEED, 200, LNT_FOR_TESTS);
        lnt_mat U = orthogonal(ctx, N3, &rng), V = orthogonal(ctx, N1, &rng), R = orthogonal(ctx, H, &rng);
        lnt_net net = {.depth = 2, .width = width};
        double *w0 = lnt_alloc_zero(ctx, lnt_net_size(&net), sizeof *w0), level[MODES], half[MODES], d[N1];
        lnt_moments m = {.n = 1};
        lnt_mat scaled;
        check_status(ctx, lnt_mat_alloc_zero(ctx, &m.Sxx, N1, N1), LNT_OK);
        check_status(ctx, lnt_mat_alloc_zero(ctx, &m.Syx, N3, N1), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &scaled, N1, N1), LNT_OK);
        lnt_mat_copy(scaled, V);
        for (int i = 0; i < N1; i++) { /* Sxx v_i = d_i v_i: s -> s/d, t -> t d */
            d[i] = white ? 1 : 1.0 / (1 + i % 3);
            lnt_mat_scale(lnt_columns(scaled, i, 1), d[i]);
        }
        lnt_gemm(m.Sxx, 1, LNT_N, scaled, LNT_T, V, 0);
        if (white)
            lnt_mat_identity(m.Sxx);
        for (int i = 0; i < MODES; i++) {
            lnt_mat u = lnt_columns(U, i, 1), v = lnt_columns(V, i, 1), r = lnt_columns(R, i, 1);
            lnt_gemm(m.Syx, s[i], LNT_N, u, LNT_T, v, 1);
            lnt_gemm(lnt_net_weights(&net, w0, 1), sqrt(u0[i]), LNT_N, r, LNT_T, v, 1);
            lnt_gemm(lnt_net_weights(&net, w0, 2), sqrt(u0[i]), LNT_N, u, LNT_T, r, 1);
            level[i] = s[i] / d[i] / 2;
        }
        lnt_mode_times modes = {lnt_columns(U, 0, MODES), lnt_columns(V, 0, MODES), level, half};
        const double at[] = {0.5, 1, 2, 4, 8, 16};
        lnt_mat Y, W;
        lnt_flow_opts opts = tight();
        opts.atol = 1e-16;
        check_status(ctx, lnt_mat_alloc(ctx, &Y, (int)lnt_net_size(&net), 6), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &W, N3, N1), LNT_OK);
        check_status(ctx, lnt_net_flow(ctx, Y, NULL, &modes, &net, w0, &m, at, 6, &opts), LNT_OK);
        for (int i = 0; i < MODES; i++)
            check_near(half[i], log(s[i] / d[i] / u0[i] - 1) / (2 * s[i]), 1e-8, "half time");
        for (int k = 0; k < 6; k++) {
            check_status(ctx, lnt_net_product(ctx, W, &net, lnt_at(Y, 0, k)), LNT_OK);
            for (int i = 0; i < MODES; i++)
                lnt_gemm(W, -s[i] / d[i] / (1 + (s[i] / d[i] / u0[i] - 1) * exp(-2 * s[i] * at[k])), LNT_N,
                         lnt_columns(U, i, 1), LNT_T, lnt_columns(V, i, 1), 1);
            assert_true(lnt_mat_max(W) < 1e-9);
        }
    }
}

/* At its time a mode has its level, here and without the search. Two layers with a small start learn in the order of
 * strength; a level beyond reach gives NaN. */
static void modes_have_their_levels_at_their_times(void **state)
{
    lnt_ctx *ctx = *state;
    const int widths[2][4] = {{5, 8, 5}, {5, 6, 6, 5}};
    for (int depth = 2; depth <= 3; depth++) {
        lnt_rng rng = lnt_rng_stream(SEED, 300 + (uint32_t)depth, LNT_FOR_TESTS);
        lnt_net net = {.depth = depth, .width = widths[depth - 2]};
        lnt_mat U = orthogonal(ctx, 5, &rng), V = orthogonal(ctx, 5, &rng), Y, W, Wv, m_i;
        lnt_moments m = {.n = 1};
        double *w0 = random_weights(ctx, &net, depth == 2 ? 1e-3 : 0.1, &rng), mode;
        double level[] = {2.5, 2, 1.5, 1, 0.9}, at[5], end = 400;
        check_status(ctx, lnt_mat_alloc(ctx, &m.Sxx, 5, 5), LNT_OK);
        check_status(ctx, lnt_mat_alloc_zero(ctx, &m.Syx, 5, 5), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &Y, (int)lnt_net_size(&net), 1), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &W, 5, 5), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &Wv, 5, 1), LNT_OK);
        lnt_mat_identity(m.Sxx);
        for (int i = 0; i < 4; i++)
            lnt_gemm(m.Syx, 2 * level[i], LNT_N, lnt_columns(U, i, 1), LNT_T, lnt_columns(V, i, 1), 1);
        lnt_mode_times modes = {U, V, level, at};
        check_status(ctx, lnt_net_flow(ctx, Y, NULL, &modes, &net, w0, &m, &end, 1, NULL), LNT_OK);
        m_i = lnt_mat_view(&mode, 1, 1);
        for (int i = 0; i < 4; i++) {
            check_status(ctx, lnt_net_flow(ctx, Y, NULL, NULL, &net, w0, &m, &at[i], 1, NULL), LNT_OK);
            check_status(ctx, lnt_net_product(ctx, W, &net, Y.a), LNT_OK);
            lnt_gemm(Wv, 1, LNT_N, W, LNT_N, lnt_columns(V, i, 1), 0);
            lnt_gemm(m_i, 1, LNT_T, lnt_columns(U, i, 1), LNT_N, Wv, 0);
            check_near(mode, level[i], 1e-6, "mode at its time");
        }
        assert_true(isnan(at[4]) && (depth > 2 || (at[0] < at[1] && at[1] < at[2] && at[2] < at[3])));
    }
}

/* At the least-squares map nothing is left to integrate, however long; on a saddle, whose slopes are as small,
 * something is: one hidden unit without the largest mode but for 1e-18 of it, which needs 41/s_1 to grow. */
static void flows_rest_at_minima_only(void **state)
{
    lnt_ctx *ctx = *state;
    const double late[] = {20, 1e5, 1e12};
    for (int i = 0; i < SHAPES; i++) {
        lnt_rng rng = lnt_rng_stream(SEED, 300 + (uint32_t)i, LNT_FOR_TESTS);
        lnt_net net = {.depth = shapes[i].depth, .width = shapes[i].width};
        int in = net.width[0], out = net.width[net.depth], narrow = in < out ? in : out;
        lnt_moments m = random_moments(ctx, in, out, i % 2 ? 1 : 0.05, &rng);
        double *w0 = random_weights(ctx, &net, 0.4, &rng);
        for (int l = 1; l < net.depth; l++)
            narrow = net.width[l] < narrow ? net.width[l] : narrow;
        if (narrow < (in < out ? in : out) || net.depth > 2)
            continue;
        lnt_flow_opts opts = tight();
        lnt_flow_info info;
        lnt_mat Y, P, best;
        opts.rtol = 1e-10;
        check_status(ctx, lnt_mat_alloc(ctx, &Y, (int)lnt_net_size(&net), 3), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &P, out, in), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &best, out, in), LNT_OK);
        check_status(ctx, lnt_net_flow(ctx, Y, &info, NULL, &net, w0, &m, late, 3, &opts), LNT_OK);
        assert_true(info.stop == LNT_FLOW_DONE && !(info.rest >= 1e12) && info.steps < 5000);
        check_status(ctx, lnt_net_product(ctx, P, &net, lnt_at(Y, 0, 2)), LNT_OK);
        check_status(ctx, lnt_least_squares(ctx, best, NULL, &m, 0), LNT_OK);
        check_close(P, best, 1e-12, "limit");
    }
    const int width[] = {2, 1, 2};
    lnt_net net = {.depth = 2, .width = width};
    lnt_mat Y;
    lnt_flow_info info;
    double Sxx[] = {1, 0, 0, 1}, Syx[] = {1, 0, 0, 0.5}, w0[] = {1e-18, sqrt(0.5), 1e-18, sqrt(0.5)};
    const double early[] = {30, 1e4};
    lnt_moments m = {.Sxx = lnt_mat_view(Sxx, 2, 2), .Syx = lnt_mat_view(Syx, 2, 2), .tr_Syy = 1.25};
    lnt_flow_opts opts = tight();
    opts.atol = 1e-30;
    check_status(ctx, lnt_mat_alloc(ctx, &Y, 4, 2), LNT_OK);
    check_status(ctx, lnt_net_flow(ctx, Y, &info, NULL, &net, w0, &m, early, 2, &opts), LNT_OK);
    check_near(*lnt_at(Y, 1, 0), sqrt(0.5), 1e-9, "still on the saddle");
    check_near(*lnt_at(Y, 0, 1), 1, 1e-9, "gone");
}

static void shapes_that_do_not_fit_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    const int width[] = {3, 2, 4};
    lnt_net net = {.depth = 2, .width = width};
    lnt_rng rng = lnt_rng_stream(SEED, 400, LNT_FOR_TESTS);
    lnt_moments good = random_moments(ctx, 3, 4, 1, &rng), bad = random_moments(ctx, 4, 3, 1, &rng);
    double w0[14] = {0}, y[14], end = 1, none = 0;
    lnt_mode_times modes = {good.Sxx, good.Syx, &none, &none};
    lnt_mat Y = lnt_mat_view(y, 14, 1), wrong = lnt_mat_view(y, 13, 1);
    check_failure(ctx, lnt_net_flow(ctx, Y, NULL, NULL, &net, w0, &bad, &end, 1, NULL), LNT_ESHAPE, "3 inputs to 4");
    check_failure(ctx, lnt_net_flow(ctx, wrong, NULL, NULL, &net, w0, &good, &end, 1, NULL), LNT_ESHAPE, "14 weights");
    check_failure(ctx, lnt_net_flow(ctx, Y, NULL, &modes, &net, w0, &good, &end, 1, NULL), LNT_ESHAPE, "modes");
    end = -1;
    check_failure(ctx, lnt_net_flow(ctx, Y, NULL, NULL, &net, w0, &good, &end, 1, NULL), LNT_EINVAL, "-1 after 0");
}

/* ---- The product alone ---- */

typedef struct completion {
    lnt_mat T, mask;
    int fail;
} completion;

static int completion_gradient(lnt_mat G, lnt_mat W, void *user)
{
    completion *c = user;
    for (int j = 0; j < W.cols; j++)
        for (int i = 0; i < W.rows; i++)
            *lnt_at(G, i, j) = *lnt_at(c->mask, i, j) * (*lnt_at(W, i, j) - *lnt_at(c->T, i, j));
    return c->fail;
}

typedef struct layers {
    lnt_ctx *ctx;
    lnt_net net;
    completion *c;
    lnt_mat W, G;
} layers;

/* The same loss on the weights, with the products of all other layers formed one by one. */
static int layers_slope(double *dy, double t, const double *y, void *user)
{
    layers *f = user;
    const lnt_net *net = &f->net;
    int L = net->depth;
    (void)t;
    assert_int_equal(lnt_net_product(f->ctx, f->W, net, y), LNT_OK);
    completion_gradient(f->G, f->W, f->c);
    for (int l = 1; l <= L; l++) {
        lnt_mark mark = lnt_ctx_mark(f->ctx);
        lnt_mat left, right, next;
        lnt_mat_alloc(f->ctx, &left, net->width[L], net->width[L]);
        lnt_mat_alloc(f->ctx, &right, net->width[0], net->width[0]);
        lnt_mat_identity(left);
        lnt_mat_identity(right);
        for (int k = L; k > l; k--) {
            lnt_mat_alloc(f->ctx, &next, net->width[L], net->width[k - 1]);
            lnt_gemm(next, 1, LNT_N, left, LNT_N, lnt_net_weights(net, y, k), 0);
            left = next;
        }
        for (int k = 1; k < l; k++) {
            lnt_mat_alloc(f->ctx, &next, net->width[k], net->width[0]);
            lnt_gemm(next, 1, LNT_N, lnt_net_weights(net, y, k), LNT_N, right, 0);
            right = next;
        }
        lnt_mat_alloc(f->ctx, &next, net->width[l], net->width[0]);
        lnt_gemm(next, -1, LNT_T, left, LNT_N, f->G, 0);
        lnt_gemm(lnt_net_weights(net, dy, l), 1, LNT_N, next, LNT_T, right, 0);
        lnt_ctx_reset(f->ctx, mark);
    }
    return 0;
}

/* Balanced layers of full and of lower rank, a loss with a mask, one to five layers. Hidden layers are as wide as the
 * rank: wider ones would start with the L-th root of round-off in the other directions. */
static void products_flow_as_their_layers(void **state)
{
    lnt_ctx *ctx = *state;
    enum { N1 = 5, N3 = 6 };
    const double at[] = {0, 0.3, 1, 4};
    lnt_flow_opts opts = tight();
    for (int depth = 1; depth <= 5; depth++)
        for (int rank = depth == 1 ? N1 : 2; rank <= N1; rank += 3) {
            lnt_rng rng = lnt_rng_stream(SEED, 500 + (uint32_t)(10 * depth + rank), LNT_FOR_TESTS);
            completion c = {random_matrix(ctx, N3, N1, &rng), random_matrix(ctx, N3, N1, &rng), 0};
            int width[6] = {N1, rank, rank, rank, rank, rank};
            width[depth] = N3;
            layers f = {.ctx = ctx, .net = {.depth = depth, .width = width}, .c = &c};
            int size = (int)lnt_net_size(&f.net);
            lnt_mat W0, A = random_matrix(ctx, N3, rank, &rng), B = random_matrix(ctx, rank, N1, &rng), Y, expected;
            for (int i = 0; i < N1 * N3; i++)
                c.mask.a[i] = c.mask.a[i] > 0;
            check_status(ctx, lnt_mat_alloc(ctx, &W0, N3, N1), LNT_OK);
            check_status(ctx, lnt_mat_alloc(ctx, &f.W, N3, N1), LNT_OK);
            check_status(ctx, lnt_mat_alloc(ctx, &f.G, N3, N1), LNT_OK);
            lnt_gemm(W0, 0.3, LNT_N, A, LNT_N, B, 0);
            double *w0 = lnt_alloc(ctx, (size_t)size, sizeof *w0);
            check_status(ctx, lnt_net_factor(ctx, w0, &f.net, W0), LNT_OK);
            check_status(ctx, lnt_mat_alloc(ctx, &Y, N1 * N3, 4), LNT_OK);
            check_status(ctx, lnt_mat_alloc(ctx, &expected, size, 4), LNT_OK);
            lnt_ode ode = {.size = (size_t)size, .slope = layers_slope, .user = &f};
            check_status(ctx, lnt_flow(ctx, expected, NULL, &ode, w0, 0, at, 4, &opts), LNT_OK);
            check_status(ctx, lnt_product_flow(ctx, Y, NULL, W0, depth, completion_gradient, &c, at, 4, &opts), LNT_OK);
            for (int k = 0; k < 4; k++) {
                check_status(ctx, lnt_net_product(ctx, f.W, &f.net, lnt_at(expected, 0, k)), LNT_OK);
                check_close(lnt_mat_view(lnt_at(Y, 0, k), N3, N1), f.W, 1e-10, "product");
            }
        }
}

static void products_stop_with_their_callback(void **state)
{
    lnt_ctx *ctx = *state;
    double t[] = {1, 0, 0, 1}, w[] = {0.1, 0, 0, 0.2}, y[4], end = 1, zero[4] = {0};
    completion c = {lnt_mat_view(t, 2, 2), lnt_mat_view(t, 2, 2), -1};
    lnt_mat Y = lnt_mat_view(y, 4, 1), W = lnt_mat_view(w, 2, 2);
    check_failure(ctx, lnt_product_flow(ctx, Y, NULL, W, 2, completion_gradient, &c, &end, 1, NULL), LNT_EUSER,
                  "callback");
    check_failure(ctx, lnt_product_flow(ctx, Y, NULL, W, 0, completion_gradient, &c, &end, 1, NULL), LNT_EINVAL,
                  "0 layers");
    c.fail = 0;
    w[0] = NAN;
    check_failure(ctx, lnt_product_flow(ctx, Y, NULL, W, 2, completion_gradient, &c, &end, 1, NULL), LNT_EDOMAIN,
                  "not finite");
    check_status(ctx,
                 lnt_product_flow(ctx, Y, NULL, lnt_mat_view(zero, 2, 2), 3, completion_gradient, &c, &end, 1, NULL),
                 LNT_OK);
    assert_true(lnt_mat_max(Y) == 0);
}

/* ---- One mode of unequal depth ---- */

typedef struct scalar_layers {
    int depth;
    double s;
} scalar_layers;

static int scalar_slope(double *dy, double t, const double *y, void *user)
{
    scalar_layers *f = user;
    double product = 1;
    (void)t;
    for (int l = 0; l < f->depth; l++)
        product *= y[l];
    for (int l = 0; l < f->depth; l++) {
        double others = 1;
        for (int k = 0; k < f->depth; k++)
            others *= k == l ? 1 : y[k];
        dy[l] = others * (f->s - product);
    }
    return 0;
}

static void one_integrated_layer_stands_for_all(void **state)
{
    lnt_ctx *ctx = *state;
    const double at[] = {0, 0.2, 1, 3, 10};
    /* the smallest crosses zero in the second and third; ties; signs; s of both signs and zero */
    const double starts[][5] = {{0.3, 0.5, -0.7, 0.4},
                                {-0.1, 0.9, 0.8},
                                {0.2, -1.1, 0.9},
                                {0.5, -0.5, 0.5},
                                {0, 0.7},
                                {0, 0, 0.4},
                                {0.3, 0.3, 0.4, 1, 2},
                                {1.7}};
    const int depths[] = {4, 3, 3, 3, 2, 3, 5, 1};
    const double strengths[] = {1.3, -0.8, 0};
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 3; k++) {
            double y[25], expected[25];
            scalar_layers f = {depths[i], strengths[k]};
            lnt_ode ode = {.size = (size_t)f.depth, .slope = scalar_slope, .user = &f};
            lnt_flow_opts opts = tight();
            lnt_mat A = lnt_mat_view(y, f.depth, 5), B = lnt_mat_view(expected, f.depth, 5);
            check_status(ctx, lnt_flow(ctx, B, NULL, &ode, starts[i], 0, at, 5, &opts), LNT_OK);
            check_status(ctx, lnt_depth_unequal(ctx, A, NULL, starts[i], f.depth, f.s, at, 5, &opts), LNT_OK);
            check_close(A, B, 1e-10, "layers");
            for (int t = 0; t < 5; t++) /* exactly conserved, whatever the tolerance */
                for (int l = 1; l < f.depth; l++)
                    check_near(pow(*lnt_at(A, l, t), 2) - pow(*lnt_at(A, 0, t), 2),
                               pow(starts[i][l], 2) - pow(starts[i][0], 2), 1e-14, "invariant");
        }
}

static void unequal_depth_refuses_nonsense(void **state)
{
    lnt_ctx *ctx = *state;
    double a[2] = {1, NAN}, y[2], end = 1;
    lnt_mat A = lnt_mat_view(y, 2, 1);
    check_failure(ctx, lnt_depth_unequal(ctx, A, NULL, a, 2, 1, &end, 1, NULL), LNT_EDOMAIN, "layer 2");
    check_failure(ctx, lnt_depth_unequal(ctx, A, NULL, a, 2, INFINITY, &end, 1, NULL), LNT_EDOMAIN, "strength");
    check_failure(ctx, lnt_depth_unequal(ctx, A, NULL, a, 0, 1, &end, 1, NULL), LNT_EINVAL, "at least one layer");
    check_failure(ctx, lnt_depth_unequal(ctx, A, NULL, a, 1, 1, &end, 1, NULL), LNT_ESHAPE, "2 x 1");
}

/* White pair with modes, not white, product, mode; so large that most matrices are chunks of their own. */
static lnt_status large_flow(lnt_ctx *ctx, void *user)
{
    enum { N = 150, H = 20 };
    static double Sxx[N * N], Syx[N * N], w0[2 * N * H], y[N * N], level[1], at[1];
    const int kind = *(const int *)user, width[] = {N, H, N};
    const double end = 0.01;
    lnt_mat mask = lnt_mat_view(Sxx, N, N);
    for (int i = 0; i < N * N; i++)
        Syx[i] = 0.01 * (i % 7);
    for (int i = 0; i < 2 * N * H; i++)
        w0[i] = 0.01 * (i % 5);
    lnt_mat_identity(mask);
    Sxx[0] = kind == 1 ? 2 : 1;
    lnt_net net = {.depth = 2, .width = width};
    lnt_moments m = {.n = 1, .Sxx = mask, .Syx = lnt_mat_view(Syx, N, N)};
    lnt_mode_times modes = {lnt_columns(m.Syx, 0, 1), lnt_columns(m.Syx, 1, 1), level, at};
    completion c = {m.Syx, mask, 0};
    lnt_mat Y = lnt_mat_view(y, kind < 2 ? 2 * N * H : kind == 2 ? N * N : 3, 1);
    lnt_flow_opts opts = {LNT_FLOW_EXPLICIT, 1e-3, 1e-3, 3};
    if (kind < 2)
        return lnt_net_flow(ctx, Y, NULL, kind ? NULL : &modes, &net, w0, &m, &end, 1, &opts);
    if (kind == 2)
        return lnt_product_flow(ctx, Y, NULL, m.Syx, 2, completion_gradient, &c, &end, 1, &opts);
    return lnt_depth_unequal(ctx, Y, NULL, w0, 3, 1, &end, 1, &opts);
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++)
        check_allocations(large_flow, &kind, LNT_OK, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(rotated_flow_is_the_plain_one),
        WITH_CTX(balance_is_conserved),
        WITH_CTX(aligned_modes_follow_their_closed_form),
        WITH_CTX(modes_have_their_levels_at_their_times),
        WITH_CTX(flows_rest_at_minima_only),
        WITH_CTX(shapes_that_do_not_fit_are_refused),
        WITH_CTX(products_flow_as_their_layers),
        WITH_CTX(products_stop_with_their_callback),
        WITH_CTX(one_integrated_layer_stands_for_all),
        WITH_CTX(unequal_depth_refuses_nonsense),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
