/* Fixed points, curvature, end-to-end flow, single neurons, pathways and kernels. */
#include "taylor.h"

#define SEED 33

/* ---- The plane of one mode ---- */

static void check_point(lnt_point x, double s)
{
    double d = 1e-4, J[2][2];
    for (int c = 0; c < 2; c++) { /* central differences; the flow is cubic, so that only rounding remains after both */
        double flow[4][2];
        for (int k = 0; k < 4; k++) {
            double shift = d * (double[]){1, -1, 2, -2}[k], a = x.a + (c == 0 ? shift : 0),
                   b = x.b + (c == 1 ? shift : 0);
            flow[k][0] = (s - a * b) * b;
            flow[k][1] = (s - a * b) * a;
        }
        for (int r = 0; r < 2; r++)
            J[r][c] = (8 * (flow[0][r] - flow[1][r]) - (flow[2][r] - flow[3][r])) / (12 * d);
    }
    double scale = 1 + fabs(s) + x.a * x.a + x.b * x.b;
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < 2; c++)
            check_near(x.J[r][c] / scale, J[r][c] / scale, 1e-10, "Jacobian");
    for (int k = 0; k < 2; k++) {
        const double *v = x.vector[k];
        for (int r = 0; r < 2; r++)
            check_near((x.J[r][0] * v[0] + x.J[r][1] * v[1]) / scale, x.value[k] * v[r] / scale, 1e-14, "eigenvector");
        check_near(hypot(v[0], v[1]), 1, 1e-15, "norm");
        assert_true(v[0] > 0 || (v[0] == 0 && v[1] > 0));
    }
    check_near(x.vector[0][0] * x.vector[1][0] + x.vector[0][1] * x.vector[1][1], 0, 1e-15, "orthogonal");
    assert_true(x.value[0] >= x.value[1]);
}

static void fixed_points_of_one_mode(void **state)
{
    (void)state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    double half = sqrt(0.5);
    for (int i = 0; i < 200; i++) {
        double s = lnt_rng_normal(&rng), a = lnt_rng_normal(&rng);
        check_point(lnt_point_at(a, lnt_rng_normal(&rng), s), s);
        lnt_point x = lnt_point_fixed(a, s);
        check_point(x, s);
        assert_int_equal(x.kind, LNT_POINT_LINE);
        assert_true(x.value[0] == 0);
        check_near(x.value[1], -(x.a * x.a + x.b * x.b), 1e-13, "normal eigenvalue");
    }
    for (double s = -2; s <= 2; s += 4) { /* s < 0 is the mirror image */
        lnt_point x = lnt_point_fixed(0, s);
        check_point(x, s);
        assert_int_equal(x.kind, LNT_POINT_SADDLE);
        assert_true(x.value[0] == 2 && x.value[1] == -2);
        check_near(x.vector[0][1], copysign(half, s), 1e-15, "unstable direction");
        x = lnt_point_fixed(sqrt(2), s);
        check_near(x.value[1], -4, 1e-15, "least stiff point");
    }
    lnt_point x = lnt_point_fixed(0, 0);
    check_point(x, 0);
    assert_true(x.kind == LNT_POINT_DEGENERATE && x.value[0] == 0 && x.value[1] == 0);
    x = lnt_point_fixed(1.5, 0);
    check_point(x, 0);
    assert_true(x.kind == LNT_POINT_LINE && x.b == 0 && x.value[1] == -2.25);
    x = lnt_point_at(0, 1.5, 0);
    assert_true(x.kind == LNT_POINT_LINE);
    assert_int_equal(lnt_point_at(1, 1, 2).kind, LNT_POINT_MOVING);
    assert_int_equal(lnt_point_at(0, 1, 2).kind, LNT_POINT_MOVING);
}

/* ---- Hessians ---- */

/* Eigenvalues, ascending, of the Hessian of a two-layer network with white inputs from the gradients of net.h: these
 * are cubic, and the five-point formula is exact for them. *count receives how many are below -1e-8. */
static void numerical_spectrum(lnt_ctx *ctx, double *value, int *count, lnt_mat W1, lnt_mat W2, lnt_mat Syx)
{
    const int widths[] = {W1.cols, W1.rows, W2.rows};
    lnt_net net = {.depth = 2, .width = widths};
    int n = (int)lnt_net_size(&net);
    lnt_moments m = {1, taylor_new(ctx, W1.cols, W1.cols), Syx, 0};
    lnt_moments_work work;
    lnt_mat H = taylor_new(ctx, n, n), V = taylor_new(ctx, n, n);
    double *w = lnt_alloc(ctx, (size_t)n, sizeof *w), *g = lnt_alloc(ctx, (size_t)n, sizeof *g), d = 0.1;
    check_status(ctx, lnt_moments_work_alloc(ctx, &work, &net), LNT_OK);
    lnt_mat_identity(m.Sxx);
    lnt_mat_copy(lnt_net_weights(&net, w, 1), W1);
    lnt_mat_copy(lnt_net_weights(&net, w, 2), W2);
    lnt_net_gradient_moments(g, &work, &net, w, &m);
    for (int i = 0; i < n; i++)
        assert_true(fabs(g[i]) < 1e-13); /* a critical point */
    for (int j = 0; j < n; j++)
        for (int k = 0; k < 4; k++) {
            double keep = w[j];
            w[j] += d * (double[]){1, -1, 2, -2}[k];
            lnt_net_gradient_moments(g, &work, &net, w, &m);
            w[j] = keep;
            for (int i = 0; i < n; i++)
                *lnt_at(H, i, j) += (double[]){8, -8, -1, 1}[k] * g[i] / (12 * d);
        }
    check_status(ctx, lnt_eigh(ctx, value, V, H), LNT_OK);
    *count = 0;
    for (int i = 0; i < n; i++)
        *count += value[i] < -1e-8;
}

static void spectra_at_balanced_critical_points(void **state)
{
    static const int shapes[][3] = {{3, 4, 3}, {4, 2, 3}, {2, 5, 4}, {3, 3, 1}, {3, 1, 3}, {4, 4, 4}};
    double worst = 0;
    for (int c = 0; c < 6; c++)
        for (int set = 0; set < 16; set++) {
            lnt_ctx *ctx = *state;
            lnt_mark mark = lnt_ctx_mark(ctx);
            lnt_rng rng = lnt_rng_stream(SEED, 10 + (uint32_t)c, LNT_FOR_TESTS);
            int N1 = shapes[c][0], h = shapes[c][1], N3 = shapes[c][2], pairs = N1 < N3 ? N1 : N3, k = 0, in[4];
            int n = h * (N1 + N3), index, count;
            /* with a mode of no strength where there are four */
            double s[4] = {1.7, 1.1, 0.6, 0}, sig[4] = {0}, value[64], expected[64];
            lnt_mat W1, W2, U = random_rotation(ctx, N3, &rng), V = random_rotation(ctx, N1, &rng);
            lnt_mat Syx = from_values(ctx, U, s, pairs, V), U0 = taylor_new(ctx, N3, N3), V0 = taylor_new(ctx, N1, N1);
            for (int pass = 1; pass >= 0; pass--) { /* chosen modes first: the start fills hidden units in order */
                for (int i = 0, place = pass ? 0 : k; i < (N1 > N3 ? N1 : N3); i++) {
                    bool chosen = i < pairs && i < 4 && (set >> i & 1);
                    if (i < pairs)
                        in[i] = chosen;
                    if (chosen != pass)
                        continue;
                    if (pass)
                        sig[k++] = s[i];
                    if (i < N3 && place < N3)
                        lnt_mat_copy(lnt_columns(U0, place, 1), lnt_columns(U, i, 1));
                    if (i < N1 && place < N1)
                        lnt_mat_copy(lnt_columns(V0, place, 1), lnt_columns(V, i, 1));
                    place++;
                }
            }
            if ((set >> pairs) == 0 && (k > h || (set >> 3 & 1))) {
                check_failure(ctx, lnt_hessian_balanced(ctx, value, &index, s, in, N1, N3, h), LNT_EINVAL,
                              (set >> 3 & 1) ? "no strength" : "hidden units");
            } else if ((set >> pairs) == 0) {
                balanced_start(ctx, &W1, &W2, U0, V0, h, sig, k, 0, &rng);
                check_status(ctx, lnt_hessian_balanced(ctx, value, &index, s, in, N1, N3, h), LNT_OK);
                numerical_spectrum(ctx, expected, &count, W1, W2, Syx);
                for (int i = 0; i < n; i++)
                    worst = fmax(worst, fabs(value[i] - expected[i]));
                check_close(lnt_mat_view(value, n, 1), lnt_mat_view(expected, n, 1), 1e-8, "Hessian eigenvalues");
                assert_int_equal(index, count);
            }
            lnt_ctx_reset(ctx, mark);
        }
    if (getenv("LINNET_MEASURE"))
        print_message("Hessian at critical points: %.2g\n", worst);
}

static void spectra_at_minima(void **state)
{
    static const int shapes[][3] = {{3, 4, 3}, {4, 2, 3}, {2, 5, 4}, {3, 1, 3}, {5, 1, 5}};
    for (int c = 0; c < 5; c++) {
        lnt_ctx *ctx = *state;
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, 20 + (uint32_t)c, LNT_FOR_TESTS);
        int N1 = shapes[c][0], h = shapes[c][1], N3 = shapes[c][2], n = h * (N1 + N3), count;
        lnt_mat W1 = random_matrix(ctx, h, N1, &rng), W2 = random_matrix(ctx, N3, h, &rng); /* any pair is a minimum */
        double value[64], expected[64], sharpness;
        check_status(ctx, lnt_hessian_minimum(ctx, value, W1, W2), LNT_OK);
        check_status(ctx, lnt_minimum_sharpness(ctx, &sharpness, W1, W2), LNT_OK);
        numerical_spectrum(ctx, expected, &count, W1, W2, product_of(ctx, W2, W1));
        check_close(lnt_mat_view(value, n, 1), lnt_mat_view(expected, n, 1), 1e-10, "Hessian eigenvalues");
        check_near(sharpness, expected[n - 1], 1e-10, "sharpness");
        assert_int_equal(count, 0);
        lnt_ctx_reset(ctx, mark);
    }
}

/* ---- Fit and competition ---- */

static void energy_splits_into_fit_and_competition(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 30, LNT_FOR_TESTS);
    double s[3] = {1.5, 0.8, 0.3}, d = 1e-3;
    lnt_mat A = random_matrix(ctx, 5, 4, &rng), B = random_matrix(ctx, 3, 5, &rng), none = {0};
    lnt_mat D1 = taylor_new(ctx, 5, 4), D2 = taylor_new(ctx, 3, 5), M;
    lnt_energy e, up, down;
    check_status(ctx, lnt_energy_split(ctx, &e, D1, D2, 1, 1, A, B, s), LNT_OK);
    M = product_of(ctx, B, A);
    double fit = 0;
    for (int i = 0; i < 3; i++) {
        fit += pow(s[i] - *lnt_at(M, i, i), 2) / 2;
        *lnt_at(M, i, i) -= s[i];
    }
    check_near(e.fit, fit, 1e-14, "fit");
    check_near(e.fit + e.competition, lnt_mat_dot(M, M) / 2, 1e-14, "E - E_min");
    for (int part = 0; part < 2; part++) { /* gradients of each alone, by differences of its energy */
        check_status(ctx, lnt_energy_split(ctx, &e, D1, D2, part == 0, part == 1, A, B, s), LNT_OK);
        for (int k = 0; k < 35; k++) {
            double *x = k < 20 ? A.a + k : B.a + k - 20, keep = *x, g = k < 20 ? D1.a[k] : D2.a[k - 20];
            *x = keep + d;
            check_status(ctx, lnt_energy_split(ctx, &up, none, none, 0, 0, A, B, s), LNT_OK);
            *x = keep - d;
            check_status(ctx, lnt_energy_split(ctx, &down, none, none, 0, 0, A, B, s), LNT_OK);
            *x = keep; /* quadratic in each entry: central differences are exact */
            double slope = part ? up.competition - down.competition : up.fit - down.fit;
            check_near(g, slope / (2 * d), 1e-10, part ? "gradient of competition" : "gradient of fit");
        }
    }
}

/* ---- One hidden neuron ---- */

static double potential(const double *beta, int D, double delta)
{
    double square = 0;
    for (int i = 0; i < D; i++)
        square += beta[i] * beta[i];
    double root = sqrt(delta * delta + 4 * square);
    return (root - 2 * delta) * sqrt(root + delta) / 3;
}

static void a_neuron_ends_at_its_interpolator(void **state)
{
    int flipped = 0;
    for (uint32_t draw = 0; draw < 40; draw++) {
        lnt_ctx *ctx = *state;
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, 100 + draw, LNT_FOR_TESTS);
        bool isotropic = draw % 2;
        lnt_mat X = random_matrix(ctx, 5, 3, &rng), W1 = random_matrix(ctx, 1, 5, &rng);
        if (isotropic)
            lnt_mat_copy(X, lnt_columns(random_rotation(ctx, 5, &rng), 0, 3));
        double y[3], w0[5], beta[5], a0 = 0.4 * lnt_rng_normal(&rng), a_end, delta = a0 * a0, size = 0;
        for (int i = 0; i < 3; i++)
            y[i] = (isotropic ? 0.5 : 1) * lnt_rng_normal(&rng);
        for (int i = 0; i < 5; i++) {
            w0[i] = W1.a[i];
            delta -= w0[i] * w0[i];
            size = hypot(size, a0 * w0[i]);
        }
        lnt_mat W2 = taylor_new(ctx, 1, 1), Sxx = taylor_new(ctx, 5, 5), Syx = taylor_new(ctx, 1, 5);
        *W2.a = a0;
        lnt_gemm(Sxx, 1, LNT_N, X, LNT_T, X, 0);
        lnt_gemm(Syx, 1, LNT_N, lnt_mat_view(y, 1, 3), LNT_T, X, 0);
        taylor_flow(ctx, W1, W2, Syx, &Sxx, isotropic ? 4000 : 600);
        int sign = *W2.a < 0 ? -1 : 1;
        flipped += sign * a0 < 0;
        check_status(ctx, lnt_neuron_limit(ctx, beta, &a_end, X, y, w0, a0, isotropic ? 0 : sign), LNT_OK);
        check_near(a_end, *W2.a, 1e-9, "a");
        lnt_mat_scale(W1, *W2.a);
        check_close(lnt_mat_view(beta, 1, 5), W1, 1e-9, "beta");
        /* stationary for Kunin's potential: grad Phi - sgn psi beta0/|beta0| in the span of the samples */
        double psi = sqrt(sqrt(delta * delta + 4 * size * size) - delta), g[5], d = 1e-4;
        for (int i = 0; i < 5; i++) {
            double keep = beta[i], value[4];
            for (int k = 0; k < 4; k++) {
                beta[i] = keep + d * (double[]){1, -1, 2, -2}[k];
                value[k] = potential(beta, 5, delta);
            }
            beta[i] = keep;
            g[i] = (8 * (value[0] - value[1]) - value[2] + value[3]) / (12 * d) -
                   sign * (a0 < 0 ? -1 : 1) * psi * a0 * w0[i] / size;
        }
        lnt_mat Q = copy_of(ctx, X), G = lnt_mat_view(g, 5, 1), along = taylor_new(ctx, 3, 1);
        double diag[3];
        check_status(ctx, lnt_qr(ctx, Q, diag), LNT_OK);
        lnt_gemm(along, 1, LNT_T, Q, LNT_N, G, 0);
        lnt_gemm(G, -1, LNT_N, Q, LNT_N, along, 1);
        assert_true(lnt_mat_max(G) < 1e-8);
        lnt_ctx_reset(ctx, mark);
    }
    assert_true(flipped > 2); /* the sign did matter */
}

/* ---- Pathways and kernels ---- */

static void shallow_paths_win(void **state)
{
    (void)state;
    double end[3], u0[3] = {1e-3, 1e-3, 1e-3}, pair[2] = {3e-4, 1e-4};
    lnt_pathways_limit(end, u0, (int[]){2, 3}, 2, 1);
    check_near(end[0], 0.9964, 1e-4, "depth 2");
    check_near(end[1], 0.0036, 1e-4, "depth 3");
    lnt_pathways_limit(end, pair, (int[]){2, 2}, 2, 1.5);
    check_near(end[0], 1.125, 1e-13, "equal depths keep their ratio");
    double u[3] = {0.05, 0.2, 0.7}, start[3] = {0.05, 0.2, 0.7}, h = 1e-4;
    int L[3] = {1, 2, 4};
    for (int sign = 0; sign < 2; sign++) { /* from below and from above, by Heun's steps */
        double s = sign ? 0.6 : 2;
        memcpy(u, start, sizeof u);
        for (int step = 0; step < 200000; step++) {
            double k1[3], k2[3], sum = u[0] + u[1] + u[2], next = 0;
            for (int p = 0; p < 3; p++) {
                k1[p] = L[p] * pow(u[p], 2 - 2.0 / L[p]) * (s - sum);
                next += u[p] + h * k1[p];
            }
            for (int p = 0; p < 3; p++)
                k2[p] = L[p] * pow(u[p] + h * k1[p], 2 - 2.0 / L[p]) * (s - next);
            for (int p = 0; p < 3; p++)
                u[p] += h * (k1[p] + k2[p]) / 2;
        }
        lnt_pathways_limit(end, start, L, 3, s);
        check_close(lnt_mat_view(end, 3, 1), lnt_mat_view(u, 3, 1), 1e-7, "three paths");
        check_near(end[0] + end[1] + end[2], s, 1e-14, "sum");
    }
}

/* 10-30-1 with a small start and white inputs: the kernel has its final direction before the loss falls. */
static void kernels_align_silently(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 40, LNT_FOR_TESTS);
    enum { N = 20, STEPS = 120 };
    lnt_mat X = taylor_new(ctx, 10, N), V = random_rotation(ctx, N, &rng), W1 = random_matrix(ctx, 30, 10, &rng);
    lnt_mat W2 = random_matrix(ctx, 1, 30, &rng), Syx = random_matrix(ctx, 1, 10, &rng), XX = taylor_new(ctx, N, N);
    lnt_mat_transpose(X, lnt_columns(V, 0, 10));
    lnt_mat_scale(X, sqrt(N)); /* X X^T/n = I */
    lnt_gemm(XX, 1, LNT_T, X, LNT_N, X, 0);
    lnt_mat_scale(W1, 1e-4);
    lnt_mat_scale(W2, 1e-4);
    lnt_mat_scale(Syx, 1 / lnt_mat_norm(Syx));
    lnt_mat A[STEPS + 1], B[STEPS + 1];
    double loss[STEPS + 1];
    for (int k = 0; k <= STEPS; k++) {
        lnt_mat Z = product_of(ctx, W1, X), gap = product_of(ctx, W2, W1);
        A[k] = taylor_new(ctx, N, N);
        B[k] = taylor_new(ctx, 1, 1);
        lnt_gemm(A[k], 1, LNT_T, Z, LNT_N, Z, 0);
        lnt_gemm(B[k], 1, LNT_N, W2, LNT_T, W2, 0);
        lnt_mat_add(gap, -1, Syx);
        loss[k] = lnt_mat_dot(gap, gap);
        taylor_flow(ctx, W1, W2, Syx, NULL, 0.2);
    }
    int early = 0;
    while (loss[early] > 0.9 * loss[0])
        early++;
    double norm = lnt_ntk_dot(A[STEPS], B[STEPS], A[STEPS], B[STEPS], XX), at[2], size[2];
    for (int i = 0; i < 2; i++) {
        int k = i ? early : 0;
        size[i] = sqrt(lnt_ntk_dot(A[k], B[k], A[k], B[k], XX) / norm);
        at[i] = lnt_ntk_dot(A[k], B[k], A[STEPS], B[STEPS], XX) / (norm * size[i]);
    }
    assert_true(at[0] > 0.8 && at[0] < 0.97);
    assert_true(at[1] > 0.999 && size[1] < 0.12);
    /* one output: the tangent kernel is a matrix of its own, A + B X^T X */
    lnt_mat_add(A[0], *B[0].a, XX);
    lnt_mat_add(A[STEPS], *B[STEPS].a, XX);
    check_near(lnt_kernel_alignment(A[0], A[STEPS]), at[0], 1e-13, "alignment");
    assert_true(isnan(lnt_kernel_alignment(taylor_new(ctx, 2, 2), taylor_new(ctx, 2, 2))));
}

static void effective_rank_counts(void **state)
{
    (void)state;
    check_near(lnt_effective_rank((double[]){2, 2, 2, 0}, 4), 3, 1e-14, "three equal values");
    check_near(lnt_effective_rank((double[]){0.5, 0.25, 0.25}, 3), pow(2, 1.5), 1e-14, "entropy of 1.5 bits");
    assert_true(lnt_effective_rank((double[]){0, 0}, 2) == 0 && lnt_effective_rank((double[]){0, 7}, 2) == 1);
}

/* ---- End-to-end flow ---- */

/* The velocity of the product from the layers' own gradients: sum_l W_L .. W_{l+1} (-dE/dW_l) W_{l-1} .. W_1. */
static void layer_velocity(lnt_ctx *ctx, lnt_mat F, const lnt_net *net, const double *w, const lnt_moments *m)
{
    lnt_moments_work work;
    size_t n = lnt_net_size(net);
    double *g = lnt_alloc(ctx, n, sizeof *g), *mixed = lnt_alloc(ctx, n, sizeof *mixed);
    lnt_mat P = taylor_new(ctx, F.rows, F.cols);
    check_status(ctx, lnt_moments_work_alloc(ctx, &work, net), LNT_OK);
    lnt_net_gradient_moments(g, &work, net, w, m);
    lnt_mat_fill(F, 0);
    for (int l = 1; l <= net->depth; l++) {
        memcpy(mixed, w, n * sizeof *w);
        lnt_mat_copy(lnt_net_weights(net, mixed, l), lnt_net_weights(net, g, l));
        check_status(ctx, lnt_net_product(ctx, P, net, mixed), LNT_OK);
        lnt_mat_add(F, -1, P);
    }
}

static void end_to_end_velocity_is_that_of_the_layers(void **state)
{
    static const int widths[][6] = {{4, 3},    {4, 3, 3},          {4, 6, 5, 3}, {3, 5, 5, 5, 4},
                                    {5, 2, 4}, {5, 5, 1, 5, 5, 3}, {4, 4, 4, 4}};
    static const int depths[] = {1, 2, 3, 4, 2, 5, 3};
    for (int c = 0; c < 7; c++) {
        lnt_ctx *ctx = *state;
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, 50 + (uint32_t)c, LNT_FOR_TESTS);
        lnt_net net = {.depth = depths[c], .width = widths[c]};
        int N1 = widths[c][0], N3 = widths[c][depths[c]], rank;
        double w[256];
        lnt_mat C = random_matrix(ctx, N1, N1, &rng), P = random_matrix(ctx, N3, N1, &rng);
        lnt_moments m = {1, taylor_new(ctx, N1, N1), random_matrix(ctx, N3, N1, &rng), 0};
        lnt_mat F = taylor_new(ctx, N3, N1), E = taylor_new(ctx, N3, N1);
        lnt_gemm(m.Sxx, 1, LNT_N, C, LNT_T, C, 0); /* not white */
        check_status(ctx, lnt_net_factor(ctx, w, &net, P), LNT_OK);
        check_status(ctx, lnt_net_product(ctx, P, &net, w), LNT_OK);
        check_status(ctx, lnt_rank(ctx, &rank, P), LNT_OK);
        assert_int_equal(rank, lnt_net_bottleneck(&net));
        lnt_end_to_end flow = {ctx, m.Sxx, m.Syx, net.depth, rank};
        check_status(ctx, lnt_end_to_end_rhs(F.a, P.a, 0, &flow), LNT_OK);
        layer_velocity(ctx, E, &net, w, &m);
        check_close(F, E, 1e-12, "velocity");
        lnt_ctx_reset(ctx, mark);
    }
}

/* Two layers, integrated end to end (Runge and Kutta's fourth order) and layer by layer. */
static void end_to_end_flow_is_that_of_two_layers(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 60, LNT_FOR_TESTS);
    double sig[2] = {0.5, 0.2}, h = 1.0 / 1024;
    lnt_mat U = random_rotation(ctx, 3, &rng), V = random_rotation(ctx, 4, &rng), W1, W2, k[4], x;
    lnt_mat Syx = random_matrix(ctx, 3, 4, &rng), d = from_values(ctx, V, (double[]){1.5, 1, 0.7, 0.4}, 4, V);
    balanced_start(ctx, &W1, &W2, U, V, 2, sig, 2, 0, &rng); /* rank 2, kept */
    lnt_end_to_end flow = {ctx, d, Syx, 2, 2};
    lnt_mat W = product_of(ctx, W2, W1);
    for (int i = 0; i < 4; i++)
        k[i] = taylor_new(ctx, 3, 4);
    x = taylor_new(ctx, 3, 4);
    for (int step = 0; step < 1024; step++) {
        for (int i = 0; i < 4; i++) {
            lnt_mat_copy(x, W);
            if (i > 0)
                lnt_mat_add(x, i == 3 ? h : h / 2, k[i - 1]);
            check_status(ctx, lnt_end_to_end_rhs(k[i].a, x.a, 0, &flow), LNT_OK);
        }
        for (int i = 0; i < 4; i++)
            lnt_mat_add(W, h * (i == 0 || i == 3 ? 1 : 2) / 6, k[i]);
    }
    taylor_flow(ctx, W1, W2, Syx, &d, 1);
    check_close(W, product_of(ctx, W2, W1), 1e-10, "W");
}

/* ---- Known numbers ---- */

/* Y = [4H; f] with the 15 x 8 table H of a binary tree: what the network believes of feature f in item 0 dips, rises
 * and ends at -1. */
static void an_illusory_correlation(void **state)
{
    lnt_ctx *ctx = *state;
    double f[8] = {-1, 1, 1, 1, -1, -1, -1, -1}, s[8], lowest = 0, highest = 0, peak = 0, zero = 0, last = 0;
    lnt_mat Y = taylor_new(ctx, 16, 8), U = taylor_new(ctx, 16, 8), VT = taylor_new(ctx, 8, 8);
    for (int level = 0, row = 0; level < 4; level++)
        for (int node = 0; node < 1 << level; node++, row++)
            for (int i = 0; i < 8; i++)
                *lnt_at(Y, row, i) = i >> (3 - level) == node ? 4 : 0;
    for (int i = 0; i < 8; i++)
        *lnt_at(Y, 15, i) = f[i];
    check_status(ctx, lnt_svd(ctx, U, s, VT, Y), LNT_OK);
    for (double T = 0; T <= 3; T += 1e-3) {
        double y = 0, root = sqrt(1e-3);
        for (int i = 0; i < 8; i++) {
            lnt_mode mode = lnt_mode_start(&root, &root, 1, s[i]);
            y += lnt_mode_product(&mode, T) * *lnt_at(U, 15, i) * *lnt_at(VT, i, 0);
        }
        if (y < lowest && highest < 0.01)
            lowest = y;
        if (y > highest) {
            highest = y;
            peak = T;
        }
        if (last > 0 && y <= 0 && T > peak)
            zero = T;
        last = y;
    }
    check_near(lowest, -0.1124, 1e-4, "dip");
    check_near(highest, 0.243132, 1e-5, "peak");
    check_near(peak, 0.532, 2e-3, "time of the peak");
    check_near(zero, 0.689, 2e-3, "time of the crossing");
    check_near(last, -1, 1e-3, "end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fixed_points_of_one_mode),
                                       WITH_CTX(spectra_at_balanced_critical_points),
                                       WITH_CTX(spectra_at_minima),
                                       WITH_CTX(energy_splits_into_fit_and_competition),
                                       WITH_CTX(a_neuron_ends_at_its_interpolator),
                                       cmocka_unit_test(shallow_paths_win),
                                       WITH_CTX(kernels_align_silently),
                                       cmocka_unit_test(effective_rank_counts),
                                       WITH_CTX(end_to_end_velocity_is_that_of_the_layers),
                                       WITH_CTX(end_to_end_flow_is_that_of_two_layers),
                                       WITH_CTX(an_illusory_correlation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
