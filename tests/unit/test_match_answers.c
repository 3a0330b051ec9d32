/* What fits say: predictions, several pairs, certificates, exact fits, dynamics, equation (1). */
#include "match.h"

#define SEED 33

static void predictions_agree_with_the_weights(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int k = 0; k < 12; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 9, M = 3 + k / 3, kind = k % 3;
        problem p = random_problem(ctx, N, M, kind, k % 2 ? -1 : M, 10, &rng);
        lnt_match_fit fit;
        check_status(ctx, lnt_match_full(ctx, &fit, &p.m, 10, NULL), LNT_OK);
        lnt_mat W = weights_of(ctx, &p, &fit), Xn = random_matrix(ctx, N, 4, &rng), ZX = zeros(ctx, N, 4),
                ZX2 = zeros(ctx, N, 4), Z = copy_of(ctx, W), C = zeros(ctx, 4, M), C2 = zeros(ctx, 4, M),
                A = zeros(ctx, N, M);
        if (kind == CENTRED)
            centre_columns(Xn);
        if (p.has_Z0)
            lnt_mat_add(Z, 1, p.Z0);
        else
            for (int i = 0; i < N; i++)
                *lnt_at(Z, i, i) += 1;
        lnt_gemm(ZX, 1, LNT_N, Z, LNT_N, Xn, 0);
        check_status(ctx, lnt_match_apply(ctx, ZX2, &p.m, &fit, Xn), LNT_OK);
        check_close(ZX2, ZX, 1e-12, "apply");
        lnt_gemm(A, 1, LNT_N, Z, LNT_N, p.X, 0);
        check_status(ctx, lnt_match_target(ctx, C, ZX, A), LNT_OK);
        check_status(ctx, lnt_match_predict(ctx, C2, &p.m, &fit, Xn, p.X), LNT_OK);
        check_close(C2, C, 1e-11, "predict");
        lnt_mat own = zeros(ctx, M, M), F = zeros(ctx, p.m.rank, p.m.rank), VF = zeros(ctx, M, p.m.rank),
                own2 = zeros(ctx, M, M);
        check_status(ctx, lnt_match_target(ctx, own, A, A), LNT_OK);
        check_status(ctx, lnt_match_covariance(ctx, F, &p.m, &fit), LNT_OK);
        lnt_gemm(VF, 1, LNT_N, p.m.V, LNT_N, F, 0);
        lnt_gemm(own2, 1, LNT_N, VF, LNT_T, p.m.V, 0);
        check_close(own2, own, 1e-11, "covariance");
        if (kind != ANY_Z0) { /* from inner products, of a problem made from covariances, too */
            lnt_mat G = zeros(ctx, M, M), cross = zeros(ctx, M, 4), xx = zeros(ctx, 4, 4), P = zeros(ctx, 4, 4),
                    P2 = zeros(ctx, 4, 4), B = zeros(ctx, M, M), XB = zeros(ctx, N, M), W2 = zeros(ctx, N, N);
            double mean[9], mean_new[4] = {0};
            for (int j = 0; j < M; j++) {
                mean[j] = 0;
                for (int i = 0; i < N; i++)
                    mean[j] += *lnt_at(p.X, i, j) / N;
            }
            for (int j = 0; j < 4; j++)
                for (int i = 0; i < N; i++)
                    mean_new[j] += *lnt_at(Xn, i, j) / N;
            lnt_gemm(G, 1, LNT_T, p.X, LNT_N, p.X, 0);
            lnt_gemm(cross, 1, LNT_T, p.X, LNT_N, Xn, 0);
            check_status(ctx, lnt_match_target(ctx, xx, Xn, Xn), LNT_OK);
            check_status(ctx, lnt_match_predict(ctx, P, &p.m, &fit, Xn, Xn), LNT_OK);
            lnt_match g;
            lnt_match_fit gram;
            check_status(ctx, lnt_match_make_gram(ctx, &g, N, G, kind == CENTRED ? NULL : mean, p.S), LNT_OK);
            check_status(ctx, lnt_match_full(ctx, &gram, &g, 10, NULL), LNT_OK);
            check_near(gram.loss / fit.loss, 1, 1e-10, "loss from covariances");
            check_status(ctx, lnt_match_predict_gram(ctx, P2, &g, &gram, cross, xx, kind == CENTRED ? NULL : mean_new),
                         LNT_OK);
            check_close(P2, P, 1e-9, "inner products");
            check_status(ctx, lnt_match_representer(ctx, B, &g, &gram), LNT_OK); /* W = JX B X^T */
            lnt_gemm(XB, 1, LNT_N, p.X, LNT_N, B, 0);
            centre_columns(XB);
            lnt_gemm(W2, 1, LNT_N, XB, LNT_T, p.X, 0);
            check_close(W2, W, 1e-9, "representer");
            check_failure(ctx, lnt_match_weights(ctx, W2, &g, &gram), LNT_EINVAL, "covariance alone");
        }
        lnt_ctx_reset(ctx, mark);
    }
}

static void a_path_equals_single_fits(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    const double lambda[] = {1, 1e4, 0.01, 30, 1e-5, 1e8};
    for (int kind = CENTRED; kind <= ANY_Z0; kind++) {
        problem p = random_problem(ctx, 10, 6, kind, kind == OFFSET ? -1 : 6, 1, &rng);
        lnt_match_fit path[6], one;
        check_status(ctx, lnt_match_full_path(ctx, path, &p.m, lambda, 6, NULL), LNT_OK);
        for (int l = 0; l < 6; l++) {
            check_status(ctx, lnt_match_full(ctx, &one, &p.m, lambda[l], NULL), LNT_OK);
            check_near(path[l].loss / one.loss, 1, 1e-12, "loss");
            if (distance(ctx, path[l].D, one.D) > 1e-8)
                fail_msg("lambda %g: cores differ by %g", lambda[l], distance(ctx, path[l].D, one.D));
        }
        check_status(ctx, lnt_match_linear(ctx, &one, &p.m, 1e8), LNT_OK); /* W_full = W_lin + W_lin^2 + ... */
        double error = distance(ctx, one.D, path[5].D);
        assert_true(error < 1e-3 && one.verdict == LNT_MATCH_TRUST);
        if (kind == CENTRED)
            assert_true(one.eta > error && one.eta < 4 * error);
    }
}

/* The mean over pairs, by its definition. */
static double pairs_loss(lnt_ctx *ctx, lnt_mat *G, const problem *p, int n, lnt_mat W, double lambda)
{
    lnt_mat g = zeros(ctx, W.rows, W.cols);
    double loss = lambda / 2 * lnt_mat_dot(W, W);
    lnt_mat_copy(*G, W);
    lnt_mat_scale(*G, lambda);
    for (int k = 0; k < n; k++) {
        problem q = p[k];
        q.lambda = 0;
        loss += definition(ctx, &g, &q, W, false) / n;
        lnt_mat_add(*G, 1.0 / n, g);
    }
    return loss;
}

static void several_pairs_share_one_map(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    for (int k = 0; k < 12; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int n = 1 + k % 3, N = 6 + k, M = 2 + k / 4, kind = k % 4 == 3 ? ANY_Z0 : k % 2 ? OFFSET : CENTRED;
        double lambda = pow(10, 2 * lnt_rng_uniform(&rng));
        problem p[3];
        lnt_mat X[3], S[3], W, G = zeros(ctx, N, N);
        for (int i = 0; i < n; i++) {
            p[i] = random_problem(ctx, N, M, kind, i % 2 ? -1 : M, 1, &rng);
            p[i].Z0 = p[0].Z0;
            X[i] = p[i].X;
            S[i] = p[i].S;
        }
        lnt_match m;
        lnt_match_fit fit;
        check_status(ctx, lnt_match_make_pairs(ctx, &m, n, X, S, kind == ANY_Z0 ? &p[0].Z0 : NULL), LNT_OK);
        check_status(ctx, lnt_match_full(ctx, &fit, &m, lambda, NULL), LNT_OK);
        W = zeros(ctx, N, N);
        check_status(ctx, lnt_match_weights(ctx, W, &m, &fit), LNT_OK);
        double loss = pairs_loss(ctx, &G, p, n, W, lambda);
        if (!(fabs(loss / fit.loss - 1) < 1e-10) || !fit.global ||
            !(lnt_mat_norm(G) <= 1e-9 * m.sv[0] * m.sv[0] * lnt_mat_norm(S[0])))
            fail_msg("case %d: loss %.15g, not %.15g, gap %g, gradient %g, stop %d", k, fit.loss, loss, fit.gap,
                     lnt_mat_norm(G), fit.stop);
        lnt_ctx_reset(ctx, mark);
    }
    problem p = random_problem(ctx, 8, 4, CENTRED, 4, 1, &rng); /* equal pairs: one */
    lnt_mat X[2] = {p.X, p.X}, S[2] = {p.S, p.S};
    lnt_match m;
    lnt_match_fit two, one;
    check_status(ctx, lnt_match_make_pairs(ctx, &m, 2, X, S, NULL), LNT_OK);
    check_status(ctx, lnt_match_full(ctx, &two, &m, 5, NULL), LNT_OK);
    check_status(ctx, lnt_match_full(ctx, &one, &p.m, 5, NULL), LNT_OK);
    check_near(two.loss / one.loss, 1, 1e-12, "loss");
    check_near(two.norm / one.norm, 1, 1e-10, "norm");
}

/* The certificate is independent of the solver: of its answer, of a poorer local minimum, of anything. */
static void certificates_tell_the_global_minimum(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    for (int k = 0; k < 30; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 4 + k % 6, M = 1 + k % 3, kind = k % 3;
        problem p = random_problem(ctx, N, M, kind, k % 2 ? -1 : M, 3, &rng);
        lnt_match_fit fit;
        lnt_match_certificate c;
        check_status(ctx, lnt_match_full(ctx, &fit, &p.m, 3, NULL), LNT_OK);
        lnt_mat Z = weights_of(ctx, &p, &fit);
        if (p.has_Z0)
            lnt_mat_add(Z, 1, p.Z0);
        else
            for (int i = 0; i < N; i++)
                *lnt_at(Z, i, i) += 1;
        check_status(ctx, lnt_match_certify(ctx, &c, &p.m, Z, 3), LNT_OK);
        if (!c.stationary || !c.global)
            fail_msg("case %d: gradient %g, gap %g", k, c.gradient, c.gap);
        check_near(c.loss / fit.loss, 1, 1e-10, "loss");
        if (kind == CENTRED)
            check_near(c.smallest, fit.smallest, 1e-9, "smallest");
        lnt_mat V = random_matrix(ctx, N, N, &rng);
        lnt_mat_add(Z, 0.1, V);
        check_status(ctx, lnt_match_certify(ctx, &c, &p.m, Z, 3), LNT_OK);
        assert_true(!c.stationary && !c.global && c.bound <= fit.loss * (1 + 1e-12));
        lnt_ctx_reset(ctx, mark);
    }
    /* two cells, r = N - 1 = 1: z = -q of the other sign is a poorer minimum */
    double x[] = {1, -1}, s = 8, lambda = 0.1;
    lnt_mat X = lnt_mat_view(x, 2, 1);
    lnt_match m;
    lnt_match_certificate c;
    check_status(ctx, lnt_match_make(ctx, &m, X, lnt_mat_view(&s, 1, 1), NULL), LNT_OK);
    double lo = -3, hi = -1; /* 2 s^2 q^3 + (lambda - 2 s R) q - lambda = 0 with s = 2, R = 8 */
    for (int k = 0; k < 200; k++) {
        double q = (lo + hi) / 2;
        *(8 * q * q * q + (lambda - 32) * q - lambda < 0 ? &lo : &hi) = q;
    }
    double z[4] = {(1 + lo) / 2, (1 - lo) / 2, (1 - lo) / 2, (1 + lo) / 2};
    check_status(ctx, lnt_match_certify(ctx, &c, &m, lnt_mat_view(z, 2, 2), lambda), LNT_OK);
    assert_true(c.stationary && !c.global && c.smallest < 0);
}

static void modes_are_the_commuting_case(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    for (int k = 0; k < 200; k++) {
        double s = pow(10, 4 * lnt_rng_uniform(&rng) - 2), R = 10 * lnt_rng_normal(&rng),
               lambda = pow(10, 8 * lnt_rng_uniform(&rng) - 4), q = lnt_match_mode(s, R, lambda),
               size = 2 * s * s * q * q * q + fabs(lambda - 2 * s * R) * q + lambda;
        assert_true(q > 0);
        check_near((2 * s * s * q * q * q + (lambda - 2 * s * R) * q - lambda) / size, 0, 1e-14, "cubic");
    }
    int N = 9, r = 4;
    lnt_mat U = zeros(ctx, N, r + 1), V = zeros(ctx, r, r), X = zeros(ctx, N, r), S = zeros(ctx, r, r),
            A = zeros(ctx, N, r), B = zeros(ctx, r, r);
    double sv[] = {3, 2, 1, 0.5}, R[] = {4, 30, -2, 0.1}, diag[5];
    lnt_mat_copy(U, random_matrix(ctx, N, r + 1, &rng));
    for (int i = 0; i < N; i++)
        *lnt_at(U, i, 0) = 1;
    check_status(ctx, lnt_qr(ctx, U, diag), LNT_OK);
    check_status(ctx, lnt_rng_orthogonal(ctx, V, &rng), LNT_OK);
    for (int j = 0; j < r; j++)
        for (int i = 0; i < N; i++)
            *lnt_at(A, i, j) = sv[j] * *lnt_at(U, i, j + 1);
    lnt_gemm(X, 1, LNT_N, A, LNT_T, V, 0);
    for (int j = 0; j < r; j++)
        for (int i = 0; i < r; i++)
            *lnt_at(B, i, j) = R[j] * *lnt_at(V, i, j);
    lnt_gemm(S, 1, LNT_N, B, LNT_T, V, 0);
    lnt_match m;
    lnt_match_fit fit;
    check_status(ctx, lnt_match_make(ctx, &m, X, S, NULL), LNT_OK);
    check_status(ctx, lnt_match_full(ctx, &fit, &m, 2, NULL), LNT_OK);
    for (int i = 0; i < r; i++)
        check_near(1 + *lnt_at(fit.D, i, i), lnt_match_mode(sv[i] * sv[i], R[i], 2), 1e-12, "q");
}

static void exact_fits_attain_the_projection(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    problem p = random_problem(ctx, 9, 5, CENTRED, 5, 1, &rng), q = random_problem(ctx, 9, 5, CENTRED, -1, 1, &rng);
    lnt_match_fit fit[4], small;
    double moved[4];
    for (int kind = 0; kind < 4; kind++) {
        lnt_mat C = zeros(ctx, 5, 5), I = zeros(ctx, 5, 5);
        check_status(ctx, lnt_match_exact(ctx, &fit[kind], &moved[kind], &p.m, (lnt_match_exact_kind)kind), LNT_OK);
        check_status(ctx, lnt_match_covariance(ctx, C, &p.m, &fit[kind]), LNT_OK);
        lnt_mat_identity(I);
        check_close(C, kind == LNT_MATCH_ZCA ? I : p.m.R, 1e-10, "covariance");
    }
    /* each is the least in its own measure */
    assert_true(fit[0].norm < fit[1].norm && fit[0].norm < fit[2].norm);
    assert_true(moved[1] < moved[0] && moved[1] < moved[2]);
    /* Bures: tr G + tr S - 2 tr (G^(1/2) S G^(1/2))^(1/2), through eigenvalues of G S, as squares of those of Z_UU D */
    check_status(ctx, lnt_match_full(ctx, &small, &p.m, 1e-9, NULL), LNT_OK);
    check_near(small.norm / fit[0].norm, 1, 1e-6, "limit of lambda -> 0");
    check_status(ctx, lnt_match_exact(ctx, &fit[0], NULL, &q.m, LNT_MATCH_LEAST_WEIGHTS), LNT_OK);
    check_status(ctx, lnt_match_exact(ctx, &fit[1], NULL, &q.m, LNT_MATCH_TRANSPORT), LNT_OK);
    check_near(fit[0].loss / fit[1].loss, 1, 1e-9, "projection");
    check_near(fit[0].loss / fit[0].bound, 1, 1e-9, "projection");
    check_status(ctx, lnt_match_full(ctx, &small, &q.m, 1e-7, NULL), LNT_OK);
    assert_true(small.loss >= fit[0].loss * (1 - 1e-9) && small.loss <= fit[0].loss * (1 + 1e-4));
}

/* Classical Runge-Kutta of the linear model from its gradient by definition. */
static void the_flow_is_that_of_the_linear_model(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 6, LNT_FOR_TESTS);
    problem p = random_problem(ctx, 5, 3, CENTRED, -1, 0.7, &rng);
    lnt_mat_scale(p.X, 0.3);
    check_status(ctx, lnt_match_make(ctx, &p.m, p.X, p.S, NULL), LNT_OK);
    lnt_mat W0 = random_matrix(ctx, 5, 5, &rng), W = copy_of(ctx, W0), k1 = zeros(ctx, 5, 5), k2 = zeros(ctx, 5, 5),
            k3 = zeros(ctx, 5, 5), k4 = zeros(ctx, 5, 5), V = zeros(ctx, 5, 5), closed = zeros(ctx, 5, 5);
    double t = 1.5, h = t / 4000;
    for (int i = 0; i < 4000; i++) {
        lnt_mat *k[] = {&k1, &k2, &k3, &k4};
        const double step[] = {0, h / 2, h / 2, h};
        for (int j = 0; j < 4; j++) {
            lnt_mat_copy(V, W);
            if (j > 0)
                lnt_mat_add(V, -step[j], *k[j - 1]);
            definition(ctx, k[j], &p, V, true);
        }
        lnt_mat_add(W, -h / 6, k1);
        lnt_mat_add(W, -h / 3, k2);
        lnt_mat_add(W, -h / 3, k3);
        lnt_mat_add(W, -h / 6, k4);
    }
    check_status(ctx, lnt_match_flow(ctx, closed, &p.m, 0.7, &W0, t), LNT_OK);
    check_close(closed, W, 1e-10, "flow");
    check_status(ctx, lnt_match_flow(ctx, closed, &p.m, 0.7, &W0, INFINITY), LNT_OK);
    lnt_match_fit fit;
    check_status(ctx, lnt_match_linear(ctx, &fit, &p.m, 0.7), LNT_OK);
    check_close(closed, weights_of(ctx, &p, &fit), 1e-12, "end");
    check_status(ctx, lnt_match_flow(ctx, closed, &p.m, 0.7, NULL, 0), LNT_OK);
    assert_true(lnt_mat_max(closed) == 0);
    check_failure(ctx, lnt_match_flow(ctx, closed, &p.m, 0.7, NULL, -1), LNT_EINVAL, "time of -1");
}

static void riccati_solves_its_equation(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 7, LNT_FOR_TESTS);
    int n = 4;
    for (int k = 0; k < 6; k++) {
        lnt_mat S = random_target(ctx, n, k % 2 ? -1 : 3, 0.3, &rng), A = random_matrix(ctx, n, k < 3 ? n : 2, &rng),
                C0 = zeros(ctx, n, n), C = zeros(ctx, n, n), closed = zeros(ctx, n, n), slope[4], V = zeros(ctx, n, n);
        lnt_gemm(C0, 0.5, LNT_N, A, LNT_T, A, 0);
        lnt_mat_copy(C, C0);
        for (int j = 0; j < 4; j++)
            slope[j] = zeros(ctx, n, n);
        double t = 0.8, h = t / 4000;
        for (int i = 0; i < 4000; i++) {
            const double step[] = {0, h / 2, h / 2, h}, weight[] = {h / 6, h / 3, h / 3, h / 6};
            for (int j = 0; j < 4; j++) {
                lnt_mat_copy(V, C);
                if (j > 0)
                    lnt_mat_add(V, step[j], slope[j - 1]);
                lnt_gemm(slope[j], 2, LNT_N, S, LNT_N, V, 0);
                lnt_gemm(slope[j], 2, LNT_N, V, LNT_N, S, 1);
                lnt_gemm(slope[j], -4, LNT_N, V, LNT_N, V, 1);
            }
            for (int j = 0; j < 4; j++)
                lnt_mat_add(C, weight[j], slope[j]);
        }
        check_status(ctx, lnt_match_riccati(ctx, closed, S, C0, t), LNT_OK);
        check_close(closed, C, 1e-9, "Riccati");
        if (k == 0) { /* ends at S >= 0, however late */
            check_status(ctx, lnt_match_riccati(ctx, closed, S, C0, 1e6), LNT_OK);
            check_close(closed, S, 1e-5, "end");
        }
        lnt_mat I = zeros(ctx, 1, 1), c = zeros(ctx, 1, 1); /* one mode, c = q^2 */
        *I.a = 0.3 + k;
        double s = k - 2.5;
        check_status(ctx, lnt_match_riccati(ctx, c, lnt_mat_view(&s, 1, 1), I, t), LNT_OK);
        check_near(sqrt(*c.a), lnt_match_mode_flow(sqrt(*I.a), 1, s, t), 1e-12, "mode");
    }
    check_near(lnt_match_mode_flow(0.5, 2, 0, 3), 0.5 / sqrt(1 + 4 * 4 * 0.25 * 3), 1e-14, "R = 0");
    check_near(lnt_match_mode_flow(-0.5, 2, 6, 1e9), -sqrt(3), 1e-14, "late");
}

static void truncation_and_equation_one(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 8, LNT_FOR_TESTS);
    problem p = random_problem(ctx, 8, 5, CENTRED, -1, 4, &rng), o = random_problem(ctx, 8, 5, OFFSET, 5, 4, &rng);
    lnt_match_fit fit, cut;
    check_status(ctx, lnt_match_full(ctx, &fit, &p.m, 4, NULL), LNT_OK);
    double last = 1e300;
    for (int k = 0; k <= 6; k++) {
        check_status(ctx, lnt_match_truncate(ctx, &cut, &p.m, &fit, k), LNT_OK);
        lnt_mat W = weights_of(ctx, &p, &cut), F = weights_of(ctx, &p, &fit);
        lnt_mat_add(F, -1, W);
        assert_true(lnt_mat_norm(F) <= last);
        check_near(cut.loss / definition(ctx, NULL, &p, W, false), 1, 1e-11, "loss");
        last = lnt_mat_norm(F);
    }
    check_near(last, 0, 1e-12, "all of it");
    check_status(ctx, lnt_match_full(ctx, &fit, &o.m, 4, NULL), LNT_OK);
    check_status(ctx, lnt_match_truncate(ctx, &cut, &o.m, &fit, 1), LNT_OK);
    check_near(cut.norm / fit.radius, 1, 1e-10, "leading singular value");
    /* equation (1) holds for the linear solution, and not for the full one */
    double misfit, r2;
    lnt_mat L = zeros(ctx, 8, 8), R = zeros(ctx, 8, 8);
    check_status(ctx, lnt_match_linear(ctx, &fit, &p.m, 4), LNT_OK);
    check_status(ctx, lnt_match_balance(ctx, &misfit, &r2, &L, &R, &p.m, &fit), LNT_OK);
    check_close(R, L, 1e-12, "equation (1)");
    assert_true(misfit < 1e-12);
    check_status(ctx, lnt_match_full(ctx, &fit, &p.m, 4, NULL), LNT_OK);
    check_status(ctx, lnt_match_balance(ctx, &misfit, &r2, &L, &R, &p.m, &fit), LNT_OK);
    check_near(misfit, distance(ctx, R, L), 1e-11, "misfit");
    check_near(r2, lnt_match_r2(L, R, false), 1e-10, "R2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(predictions_agree_with_the_weights),   WITH_CTX(a_path_equals_single_fits),
        WITH_CTX(several_pairs_share_one_map),          WITH_CTX(certificates_tell_the_global_minimum),
        WITH_CTX(modes_are_the_commuting_case),         WITH_CTX(exact_fits_attain_the_projection),
        WITH_CTX(the_flow_is_that_of_the_linear_model), WITH_CTX(riccati_solves_its_equation),
        WITH_CTX(truncation_and_equation_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
