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

/* The minimum of a quadratic over all N^2 weights by its dense normal equations. */
static lnt_mat dense_minimum(lnt_ctx *ctx, const problem *p)
{
    int N = p->X.rows, n = N * N;
    lnt_mat W = zeros(ctx, N, N), G0 = zeros(ctx, N, N), G = zeros(ctx, N, N), H = zeros(ctx, n, n),
            b = zeros(ctx, n, 1);
    definition(ctx, &G0, p, W, true);
    for (int k = 0; k < n; k++) {
        W.a[k] = 1;
        definition(ctx, &G, p, W, true);
        W.a[k] = 0;
        for (int i = 0; i < n; i++)
            *lnt_at(H, i, k) = G.a[i] - G0.a[i];
        b.a[k] = -G0.a[k];
    }
    assert_true(lnt_cholesky(H));
    lnt_cholesky_solve(b, H);
    return lnt_mat_view(b.a, N, N);
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
                lnt_mat W = weights_of(ctx, &p, &fit), B = dense_minimum(ctx, &p);
                if (distance(ctx, W, B) > 1e-12 * fmax(1, 1e3 / p.lambda)) /* of the dense equations */
                    fail_msg("kind %d, %d x %d, lambda %g: off by %g", kind, N[i], M[i], p.lambda,
                             distance(ctx, W, B));
                check_near(fit.linear_loss / definition(ctx, NULL, &p, W, true), 1, 1e-12, "linear loss");
                check_near(fit.loss / definition(ctx, NULL, &p, W, false), 1, 1e-10, "loss");
                check_near(fit.norm, lnt_mat_norm(W), 1e-12, "norm");
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
        fail_msg("%s, %d x %d, lambda %g, slack %g: gap %g of %g, gradient %g of %g, loss %.17g, stop %d after %d steps",
                 what, N, p->X.cols, p->lambda, p->m.slack, fit->gap, fit->loss, lnt_mat_norm(G), scale, loss,
                 fit->stop, fit->steps);
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

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(the_gradient_is_the_slope_of_the_loss),
                                       WITH_CTX(linear_solutions_solve_the_normal_equations),
                                       WITH_CTX(full_solutions_are_stationary_and_certified)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
