/* The linear and the full problem against their definitions: dense normal equations, gradients, certificates. */
#include "match.h"

#define SEED 31

static const double lambdas[] = {1e-3, 0.1, 1, 30, 1e3, 1e6};

static void the_gradient_is_the_slope_of_the_loss(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int kind = CENTRED; kind <= ANY_Z0; kind++) {
        problem p = random_problem(ctx, 6, 4, kind, -1, 2, &rng);
        lnt_mat W = random_matrix(ctx, 6, 6, &rng), V = random_matrix(ctx, 6, 6, &rng), G = zeros(ctx, 6, 6);
        double h = 1e-5;
        definition(ctx, &G, &p, W, false);
        lnt_mat_add(W, h, V);
        double up = definition(ctx, NULL, &p, W, false);
        lnt_mat_add(W, -2 * h, V);
        double down = definition(ctx, NULL, &p, W, false);
        check_near((up - down) / (2 * h) / lnt_mat_dot(G, V), 1, 1e-8, "slope");
    }
}

static void linear_solutions_solve_the_normal_equations(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    const int N[] = {4, 6, 7, 5, 2, 6}, M[] = {3, 6, 9, 1, 5, 4};
    for (int kind = CENTRED; kind <= ANY_Z0; kind++)
        for (int i = 0; i < 6; i++)
            for (int l = 1; l < 5; l++) {
                lnt_mark mark = lnt_ctx_mark(ctx);
                problem p = random_problem(ctx, N[i], M[i], kind, i % 2 ? -1 : M[i], lambdas[l], &rng);
                lnt_match_fit fit;
                check_status(ctx, lnt_match_linear(ctx, &fit, &p.m, p.lambda), LNT_OK);
                lnt_mat W = weights_of(ctx, &p, &fit), B = dense_minimum(ctx, &p, NULL);
                if (distance(ctx, W, B) > 1e-12 * fmax(1, 1e4 / p.lambda)) /* of the dense equations */
                    fail_msg("kind %d, %d x %d, lambda %g: off by %g", kind, N[i], M[i], p.lambda, distance(ctx, W, B));
                check_near(fit.linear_loss / definition(ctx, NULL, &p, W, true), 1, 1e-12, "linear loss");
                check_near(fit.loss / definition(ctx, NULL, &p, W, false), 1, 1e-10, "loss");
                check_near(fit.norm / lnt_mat_norm(W), 1, 1e-8, "norm");
                lnt_ctx_reset(ctx, mark);
            }
}

/* Stationary to rounding, certified, and as the certificate of the finished map says. */
static void check_full(lnt_ctx *ctx, const problem *p, const lnt_match_fit *fit, const char *what)
{
    int N = p->X.rows;
    lnt_mat W = weights_of(ctx, p, fit), G = zeros(ctx, N, N), Z = copy_of(ctx, W);
    double loss = definition(ctx, &G, p, W, false) - skew_loss(p->S);
    double scale = p->m.sv[0] * p->m.sv[0] * lnt_mat_norm(p->S) + p->lambda * lnt_mat_norm(W);
    if (p->has_Z0)
        lnt_mat_add(Z, 1, p->Z0);
    else
        for (int i = 0; i < N; i++)
            *lnt_at(Z, i, i) += 1;
    if (!(fit->gap <= 1e-10 * fit->loss) || !fit->global || !(lnt_mat_norm(G) <= 1e-11 * scale) ||
        !(fabs(loss - fit->loss) <= 1e-10 * loss))
        fail_msg(
            "%s, %d x %d, lambda %g, slack %g: gap %g of %g, gradient %g of %g, loss %.17g, stop %d after %d steps",
            what, N, p->X.cols, p->lambda, p->m.slack, fit->gap, fit->loss, lnt_mat_norm(G), scale, loss, fit->stop,
            fit->steps);
}

static void full_solutions_are_stationary_and_certified(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    int steps = 0, most = 0, cases = 0;
    for (int k = 0; k < 400; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 2 + (int)lnt_rng_below(&rng, 14), M = 1 + (int)lnt_rng_below(&rng, 14), kind = k % 3;
        if (kind != CENTRED && M >= N)
            M = N - 1; /* else 1 is in the span of X */
        double lambda = pow(10, -3 + 7 * lnt_rng_uniform(&rng));
        int rank = (int)lnt_rng_below(&rng, (uint64_t)M + 2) - 1;
        problem p = random_problem(ctx, N, M, kind, rank, lambda, &rng);
        lnt_match_fit fit;
        if (p.m.slack < 1e-3) { /* nearly not tight: elsewhere */
            lnt_ctx_reset(ctx, mark);
            continue;
        }
        check_status(ctx, lnt_match_full(ctx, &fit, &p.m, lambda, NULL), LNT_OK);
        check_full(ctx, &p, &fit, kind == CENTRED ? "centred" : kind == OFFSET ? "offset" : "any Z0");
        steps += fit.steps;
        cases++;
        most = fit.steps > most ? fit.steps : most;
        lnt_ctx_reset(ctx, mark);
    }
    assert_true(cases > 350);
    if (getenv("MATCH_VERBOSE"))
        print_message("%d cases, %g Newton steps each, at most %d\n", cases, (double)steps / cases, most);
}

/* Singular values over three decades and lambdas far below: a direct start of Newton's method would crawl. */
static void ill_conditioned_problems_are_certified_too(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    for (int k = 0; k < 60; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 4 + (int)lnt_rng_below(&rng, 10), M = 2 + (int)lnt_rng_below(&rng, (uint64_t)N - 3);
        double lambda = pow(10, -5 + 5 * lnt_rng_uniform(&rng));
        problem p = random_problem(ctx, N, M, k % 3, k % 4 ? M : -1, lambda, &rng);
        for (int j = 0; j < M; j++)
            lnt_mat_scale(lnt_columns(p.X, j, 1), pow(10, -3.0 * j / M));
        check_status(ctx, lnt_match_make(ctx, &p.m, p.X, p.S, p.has_Z0 ? &p.Z0 : NULL), LNT_OK);
        lnt_match_fit fit;
        check_status(ctx, lnt_match_full(ctx, &fit, &p.m, lambda, NULL), LNT_OK);
        if (p.m.slack > 1e-4 && !(fit.global && fit.gap <= 1e-10 * fit.loss))
            fail_msg("case %d, %d x %d, kind %d, lambda %g: gap %g of %g, stop %d after %d steps", k, N, M, k % 3,
                     lambda, fit.gap, fit.loss, fit.stop, fit.steps);
        lnt_ctx_reset(ctx, mark);
    }
}

/* Descent on all N^2 weights: Barzilai-Borwein steps with a watch on the loss. */
static double descent(lnt_ctx *ctx, const problem *p, lnt_mat W, int steps)
{
    int N = p->X.rows, n = N * N;
    lnt_mat G = zeros(ctx, N, N), V = zeros(ctx, N, N), H = zeros(ctx, N, N);
    double loss = definition(ctx, &G, p, W, false), rate = 1e-3 / fmax(1, lnt_mat_norm(G)), best = loss;
    for (int k = 0; k < steps; k++) {
        double sy = 0, ss = 0;
        lnt_mat_copy(V, W);
        lnt_mat_add(V, -rate, G);
        double next = definition(ctx, &H, p, V, false);
        if (!(next <= loss + 0.1 * fabs(best))) {
            rate /= 4;
            continue;
        }
        for (int i = 0; i < n; i++) {
            ss += pow(V.a[i] - W.a[i], 2);
            sy += (V.a[i] - W.a[i]) * (H.a[i] - G.a[i]);
        }
        lnt_mat_copy(W, V);
        lnt_mat_copy(G, H);
        loss = next;
        best = fmin(best, loss);
        if (ss == 0 || lnt_mat_norm(G) < 1e-11 * (1 + p->lambda))
            break;
        rate = sy > 0 ? ss / sy : rate * 2;
    }
    return loss;
}

static void descent_on_all_weights_finds_nothing_lower(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    for (int k = 0; k < 30; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 4 + (int)lnt_rng_below(&rng, 5), M = 1 + (int)lnt_rng_below(&rng, (uint64_t)N - 2), kind = k % 3;
        problem p = random_problem(ctx, N, M, kind, k % 2 ? -1 : M, 3 + 30 * lnt_rng_uniform(&rng), &rng);
        lnt_match_fit fit;
        check_status(ctx, lnt_match_full(ctx, &fit, &p.m, p.lambda, NULL), LNT_OK);
        double least = INFINITY;
        for (int start = 0; start < 3; start++) {
            lnt_mat W = random_matrix(ctx, N, N, &rng);
            lnt_mat_scale(W, 0.3 * start);
            double loss = descent(ctx, &p, W, 4000);
            least = fmin(least, loss);
            if (!(loss >= fit.loss * (1 - 1e-10)))
                fail_msg("descent ends at %.15g, below %.15g (case %d, slack %g)", loss, fit.loss, k, p.m.slack);
        }
        if (!(least <= fit.loss * (1 + 1e-8)))
            fail_msg("descent ends at %.15g, far above %.15g (case %d, %d x %d, kind %d)", least, fit.loss, k, N, M,
                     kind);
        lnt_ctx_reset(ctx, mark);
    }
}

/* 1 in the span of X, or a singular reference: the dual alone does not reach the minimum. */
static void problems_that_are_not_tight_are_solved_and_said_to_be(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    for (int k = 0; k < 24; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        int N = 5 + (int)lnt_rng_below(&rng, 4), M = k % 3 == 0 ? N + 1 : N - 2;
        double lambda = pow(10, -1 + 3 * lnt_rng_uniform(&rng));
        problem p = random_problem(ctx, N, M, k % 3 == 2 ? ANY_Z0 : OFFSET, k % 2 ? -1 : M, lambda, &rng);
        if (k % 3 == 1)
            for (int i = 0; i < N; i++)
                *lnt_at(p.X, i, 0) = 1;
        if (k % 3 == 2)
            for (int i = 0; i < N; i++) /* rank 1 less on span X: Z0 x_0 = 0 */
                for (int j = 0, first = 1; j < N; j++) {
                    double dot = 0, n2 = 0;
                    for (int c = 0; c < N && first; c++) {
                        dot += *lnt_at(p.Z0, i, c) * *lnt_at(p.X, c, 0);
                        n2 += pow(*lnt_at(p.X, c, 0), 2);
                    }
                    for (int c = 0; c < N && first; c++)
                        *lnt_at(p.Z0, i, c) -= dot / n2 * *lnt_at(p.X, c, 0);
                    first = 0;
                }
        check_status(ctx, lnt_match_make(ctx, &p.m, p.X, p.S, p.has_Z0 ? &p.Z0 : NULL), LNT_OK);
        lnt_match_fit fit;
        check_status(ctx, lnt_match_full(ctx, &fit, &p.m, lambda, NULL), LNT_OK);
        assert_false(fit.tight);
        lnt_mat W = weights_of(ctx, &p, &fit), G = zeros(ctx, N, N);
        double loss = definition(ctx, &G, &p, W, false);
        if (getenv("MATCH_VERBOSE"))
            print_message("case %d, %d x %d, rank %d, lambda %g: gap %g, global %d, stop %d, steps %d\n", k, N, M,
                          p.m.rank, lambda, fit.gap / fit.loss, fit.global, fit.stop, fit.steps);
        check_near(loss / fit.loss, 1, 1e-10, "loss");
        if (!(fit.bound <= fit.loss * (1 + 1e-12)))
            fail_msg("bound %.17g above loss %.17g", fit.bound, fit.loss);
        for (int start = 0; start < 3; start++) {
            lnt_mat V = random_matrix(ctx, N, N, &rng);
            lnt_mat_scale(V, 0.3 * start + 0.01);
            double other = descent(ctx, &p, V, 3000);
            if (!(other >= fit.loss * (1 - 1e-6)))
                fail_msg("descent ends at %.15g, below %.15g (case %d)", other, fit.loss, k);
        }
        lnt_ctx_reset(ctx, mark);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(the_gradient_is_the_slope_of_the_loss),
                                       WITH_CTX(linear_solutions_solve_the_normal_equations),
                                       WITH_CTX(full_solutions_are_stationary_and_certified),
                                       WITH_CTX(ill_conditioned_problems_are_certified_too),
                                       WITH_CTX(descent_on_all_weights_finds_nothing_lower),
                                       WITH_CTX(problems_that_are_not_tight_are_solved_and_said_to_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
