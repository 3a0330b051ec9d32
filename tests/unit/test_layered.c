/* Penalties on layers: identities on random inputs, brute force, and known numbers. */
#include "check.h"

#define SEED 21

static lnt_rng stream(unsigned run)
{
    return lnt_rng_stream(SEED, run, LNT_FOR_TESTS);
}

/* ---- Penalties of factors ---- */

static lnt_factor_penalties penalties(lnt_ctx *ctx, lnt_mat A, lnt_mat B)
{
    lnt_factor_penalties p;
    check_status(ctx, lnt_penalties_of_factors(ctx, &p, A, B), LNT_OK);
    assert_true(p.frobenius >= p.columns * (1 - 1e-12) && p.columns >= p.nuclear * (1 - 1e-12));
    return p;
}

static lnt_mat product(lnt_ctx *ctx, lnt_op opA, lnt_mat A, lnt_op opB, lnt_mat B)
{
    lnt_mat C;
    check_status(ctx, lnt_mat_alloc(ctx, &C, opA == LNT_T ? A.cols : A.rows, opB == LNT_T ? B.rows : B.cols), LNT_OK);
    lnt_gemm(C, 1, opA, A, opB, B, 0);
    return C;
}

/* Each penalty under each change of gauge. */
static void penalties_and_their_gauges(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(0);
    lnt_mat A = random_matrix(ctx, 7, 4, &rng), B = random_matrix(ctx, 9, 4, &rng), Q;
    lnt_mat_scale(lnt_columns(A, 0, 1), 3);
    lnt_factor_penalties raw = penalties(ctx, A, B), other;
    assert_true(raw.frobenius > 1.05 * raw.columns && raw.columns > 1.01 * raw.nuclear);
    check_status(ctx, lnt_mat_alloc(ctx, &Q, 4, 4), LNT_OK);
    check_status(ctx, lnt_rng_orthogonal(ctx, Q, &rng), LNT_OK);
    other = penalties(ctx, product(ctx, LNT_N, A, LNT_N, Q), product(ctx, LNT_N, B, LNT_N, Q));
    check_near(other.frobenius, raw.frobenius, 1e-13, "Frobenius, orthogonal gauge");
    assert_true(fabs(other.columns - raw.columns) > 1e-3);
    check_near(other.nuclear, raw.nuclear, 1e-13, "nuclear, orthogonal gauge");
    for (int j = 0; j < 4; j++) { /* balanced columns, then any diagonal gauge */
        double a = lnt_mat_norm(lnt_columns(A, j, 1)), b = lnt_mat_norm(lnt_columns(B, j, 1));
        lnt_mat_scale(lnt_columns(A, j, 1), sqrt(b / a));
        lnt_mat_scale(lnt_columns(B, j, 1), sqrt(a / b));
    }
    other = penalties(ctx, A, B);
    check_near(other.columns, raw.columns, 1e-13, "columns, diagonal gauge");
    check_near(other.frobenius, raw.columns, 1e-13, "Frobenius of balanced columns");
    check_near(other.nuclear, raw.nuclear, 1e-13, "nuclear, diagonal gauge");
}

/* U S^{1/2}, V S^{1/2}: all three are the sum of the singular values; and nothing that descent finds is lower. */
static void balanced_factors_are_the_least(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(1);
    lnt_mat P = random_matrix(ctx, 5, 6, &rng), U, VT, A, B;
    double s[5], sum = 0;
    check_status(ctx, lnt_mat_alloc(ctx, &U, 5, 5), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &VT, 5, 6), LNT_OK);
    check_status(ctx, lnt_svd(ctx, U, s, VT, P), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &A, 5, 5), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &B, 6, 5), LNT_OK);
    for (int k = 0; k < 5; k++) {
        sum += s[k];
        for (int i = 0; i < 5; i++)
            *lnt_at(A, i, k) = sqrt(s[k]) * *lnt_at(U, i, k);
        for (int i = 0; i < 6; i++)
            *lnt_at(B, i, k) = sqrt(s[k]) * *lnt_at(VT, k, i);
    }
    lnt_factor_penalties p = penalties(ctx, A, B);
    check_near(p.nuclear, sum, 1e-13, "nuclear");
    check_near(p.columns, sum, 1e-13, "columns");
    check_near(p.frobenius, sum, 1e-13, "Frobenius");
}

static void a_product_with_one_output(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(2);
    lnt_mat M = random_matrix(ctx, 6, 8, &rng), V = random_matrix(ctx, 1, 8, &rng);
    lnt_factor_penalties p = penalties(ctx, M, V);
    check_near(p.nuclear, lnt_mat_norm(product(ctx, LNT_N, M, LNT_T, V)), 1e-13, "the norm of S");
    lnt_factor_penalties none = penalties(ctx, lnt_mat_view(NULL, 3, 0), lnt_mat_view(NULL, 2, 0));
    assert_true(none.frobenius == 0 && none.columns == 0 && none.nuclear == 0);
    check_failure(ctx, lnt_penalties_of_factors(ctx, &p, M, lnt_columns(V, 0, 7)), LNT_ESHAPE, "8 and 7");
}

static void one_norms_of_layers(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(3);
    lnt_mat M = random_matrix(ctx, 6, 5, &rng);
    double V[5], least = 0;
    lnt_l1_penalties p, scaled;
    for (int j = 0; j < 5; j++)
        V[j] = lnt_rng_normal(&rng);
    check_status(ctx, lnt_l1_penalties_of_layers(ctx, &p, M, V), LNT_OK);
    assert_true(p.layers > p.units && p.units > p.merged);
    for (int j = 0; j < 5; j++) { /* the best scale of each unit, by trying all */
        double m = 0, best = INFINITY;
        for (int i = 0; i < 6; i++)
            m += fabs(*lnt_at(M, i, j));
        for (int k = -40000; k <= 40000; k++)
            best = fmin(best, exp(k * 1e-4) * m + fabs(V[j]) * exp(-k * 1e-4));
        least += best;
    }
    check_near(p.units, least, 1e-8, "least over scales");
    for (int j = 0; j < 5; j++) {
        lnt_mat_scale(lnt_columns(M, j, 1), 3);
        V[j] /= 3;
    }
    check_status(ctx, lnt_l1_penalties_of_layers(ctx, &scaled, M, V), LNT_OK);
    check_near(scaled.units, p.units, 1e-13, "units do not depend on scales");
    check_near(scaled.merged, p.merged, 1e-13, "nor does the product");
    check_status(ctx, lnt_l1_penalties_of_layers(ctx, &p, lnt_columns(M, 0, 1), V), LNT_OK);
    check_near(p.units, p.merged, 1e-13, "a single unit");
    double m[2] = {3, -4}, v = 2;
    check_near(lnt_unit_imbalance(lnt_mat_view(m, 2, 1), &v, .5, .1), .5 * 5 + .1 * 21, 1e-14, "unit imbalance");
}

static void participation(void **state)
{
    (void)state;
    double equal[4] = {3, 3, 3, 3}, one[3] = {5, 0, 0}, none[2] = {0, 0}, s[3] = {3, 2, 1};
    double tiny[2] = {1e-300, 1e-300}, huge[2] = {1e300, 1e300};
    check_near(lnt_participation(equal, 4), 4, 1e-15, "equal values");
    assert_true(lnt_participation(one, 3) == 1 && lnt_participation(none, 2) == 0 && lnt_participation(NULL, 0) == 0);
    check_near(lnt_participation(s, 3), 36.0 / 14, 1e-15, "3, 2, 1");
    check_near(lnt_participation(tiny, 2), 2, 1e-15, "tiny");
    check_near(lnt_participation(huge, 2), 2, 1e-15, "huge");
}

/* Descent on the factors, from several starts, ends at the closed form, narrow or wide. */
static void decayed_spectrum_is_where_descent_ends(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(4);
    static const double s[4] = {3, 2.2, 1.4, .3}, lambda = .6;
    lnt_mat U, W, P, R, A, B, GA, GB, left, right;
    check_status(ctx, lnt_mat_alloc(ctx, &U, 5, 4), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &W, 6, 4), LNT_OK);
    check_status(ctx, lnt_rng_orthogonal(ctx, U, &rng), LNT_OK);
    check_status(ctx, lnt_rng_orthogonal(ctx, W, &rng), LNT_OK);
    for (int k = 0; k < 4; k++)
        lnt_mat_scale(lnt_columns(U, k, 1), s[k]);
    P = product(ctx, LNT_N, U, LNT_T, W);
    check_status(ctx, lnt_mat_alloc(ctx, &left, 5, 5), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &right, 5, 6), LNT_OK);
    for (int width = 2; width <= 5; width++) {
        double found[5], expected[5] = {0};
        A = random_matrix(ctx, 5, width, &rng);
        B = random_matrix(ctx, 6, width, &rng);
        check_status(ctx, lnt_mat_alloc(ctx, &GA, 5, width), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &GB, 6, width), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &R, 5, 6), LNT_OK);
        for (int step = 0; step < 3000; step++) {
            lnt_mat_copy(R, P);
            lnt_gemm(R, 1, LNT_N, A, LNT_T, B, -1);
            lnt_mat_copy(GA, A);
            lnt_mat_copy(GB, B);
            lnt_gemm(GA, 1, LNT_N, R, LNT_N, B, lambda);
            lnt_gemm(GB, 1, LNT_T, R, LNT_N, A, lambda);
            lnt_mat_add(A, -.05, GA);
            lnt_mat_add(B, -.05, GB);
        }
        check_status(ctx, lnt_svd(ctx, left, found, right, product(ctx, LNT_N, A, LNT_T, B)), LNT_OK);
        lnt_decayed_spectrum(expected, s, 4, width, lambda);
        check_close(lnt_mat_view(found, 5, 1), lnt_mat_view(expected, 5, 1), 1e-8, "singular values");
        lnt_factor_penalties p = penalties(ctx, A, B);
        check_near(p.frobenius, p.nuclear, 1e-8, "balanced at the end");
    }
}

/* ---- The norm, unsquared ---- */

static double objective(lnt_mat X, const double *y, const double *S, double decay)
{
    double loss = 0;
    for (int j = 0; j < X.cols; j++) {
        double r = y[j];
        for (int i = 0; i < X.rows; i++)
            r -= *lnt_at(X, i, j) * S[i];
        loss += r * r / (2 * X.cols);
    }
    return loss + decay * lnt_mat_norm(lnt_mat_view((double *)(uintptr_t)S, X.rows, 1));
}

/* Stationarity, Sigma S - b + decay S/|S| = 0, is sufficient: the problem is convex. */
static void check_minimum(lnt_ctx *ctx, int D, int n, double decay, lnt_rng *rng)
{
    lnt_mat X = random_matrix(ctx, D, n, rng);
    double y[40], T[40], S[40], g[40] = {0}, gen = 0;
    lnt_norm_penalty p;
    for (int j = 0; j < n; j++)
        y[j] = lnt_rng_normal(rng);
    for (int i = 0; i < D; i++)
        T[i] = lnt_rng_normal(rng);
    check_status(ctx, lnt_norm_penalty_on(ctx, &p, S, X, y, T, decay), LNT_OK);
    for (int j = 0; j < n; j++) {
        double r = -y[j];
        for (int i = 0; i < D; i++)
            r += *lnt_at(X, i, j) * S[i];
        for (int i = 0; i < D; i++)
            g[i] += *lnt_at(X, i, j) * r / n;
    }
    for (int i = 0; i < D; i++) {
        check_near(g[i] + (decay > 0 ? decay * S[i] / p.norm : 0), 0, 1e-12, "stationary");
        gen += (S[i] - T[i]) * (S[i] - T[i]) / 2;
    }
    check_near(p.gen, gen, 1e-13, "gen");
    check_near(p.train + decay * p.norm, objective(X, y, S, decay), 1e-13, "train");
    if (decay > 0)
        check_near(p.lambda * p.norm, decay, 1e-13, "lambda |S|");
}

static void the_norm_penalty_on_data(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(5);
    static const double decay[] = {0, 1e-9, .01, .3};
    for (int k = 0; k < 4; k++) {
        check_minimum(ctx, 12, 5, decay[k], &rng);
        check_minimum(ctx, 5, 12, decay[k], &rng);
        check_minimum(ctx, 7, 7, decay[k], &rng);
        check_minimum(ctx, 1, 3, decay[k] / 10, &rng);
    }
    double x[4] = {1, 2, 2, 4}, y[2] = {1, 2}, T[2] = {1, 1}, S[2]; /* rank 1: the least norm */
    lnt_norm_penalty p;
    check_status(ctx, lnt_norm_penalty_on(ctx, &p, S, lnt_mat_view(x, 2, 2), y, T, 0), LNT_OK);
    check_near(S[0], .2, 1e-14, "least norm");
    check_near(S[1], .4, 1e-14, "least norm");
    double edge = hypot(5, 10) / 2; /* |X y|/n */
    check_status(ctx, lnt_norm_penalty_on(ctx, &p, NULL, lnt_mat_view(x, 2, 2), y, T, edge * (1 + 1e-12)), LNT_OK);
    assert_true(p.norm == 0 && isinf(p.lambda) && p.gen == 1 && p.train == 1.25);
    check_status(ctx, lnt_norm_penalty_on(ctx, &p, NULL, lnt_mat_view(x, 2, 2), y, T, edge * (1 - 1e-9)), LNT_OK);
    assert_true(p.norm > 0 && isfinite(p.lambda));
    memset(y, 0, sizeof y);
    check_status(ctx, lnt_norm_penalty_on(ctx, &p, S, lnt_mat_view(x, 2, 2), y, T, 0), LNT_OK);
    assert_true(p.norm == 0);
    y[0] = NAN;
    check_failure(ctx, lnt_norm_penalty_on(ctx, &p, S, lnt_mat_view(x, 2, 2), y, T, 0), LNT_EDOMAIN, "finite");
    y[0] = 1;
    check_failure(ctx, lnt_norm_penalty_on(ctx, &p, S, lnt_mat_view(x, 2, 2), y, T, -1), LNT_EDOMAIN, "decay -1");
    check_failure(ctx, lnt_norm_penalty_on(ctx, &p, S, lnt_mat_view(x, 0, 2), y, T, 1), LNT_ESHAPE, "at least one");
}

static void the_norm_penalty_in_the_limit(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(6);
    lnt_norm_penalty p, own;
    check_status(ctx, lnt_norm_penalty_limit(ctx, &p, .5, 1, .04), LNT_OK);
    check_near(p.norm, .6701, 5e-5, "|S|");
    check_near(p.lambda, .0597, 5e-5, "lambda");
    check_near(p.gen, .25130, 5e-6, "gen");
    /* the limit is that of data; both ways of averaging meet */
    const int D = 600;
    static const double q[] = {.5, 1.5}, decay[] = {.04, .9};
    for (int k = 0; k < 4; k++) {
        int n = (int)(q[k / 2] * D);
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat X = random_matrix(ctx, D, n, &rng), T = random_matrix(ctx, D, 1, &rng), y;
        lnt_mat_scale(T, 1 / lnt_mat_norm(T));
        y = product(ctx, LNT_T, X, LNT_N, T);
        check_status(ctx, lnt_norm_penalty_on(ctx, &own, NULL, X, y.a, T.a, decay[k % 2]), LNT_OK);
        check_status(ctx, lnt_norm_penalty_limit(ctx, &p, q[k / 2], 1, decay[k % 2]), LNT_OK);
        check_near(own.norm, p.norm, .08, "norm"); /* 4 standard deviations of one data set */
        check_near(own.gen, p.gen, .08, "gen");
        check_near(own.train / p.train, 1, .25, "train");
        check_near(p.lambda * p.norm, decay[k % 2], 1e-12, "lambda |S|");
        lnt_ctx_reset(ctx, mark);
    }
    for (int k = 0; k < 3; k++) { /* just below and above lambda = 1 the two formulas agree */
        double at = .25 + k, next[2], gen[2], train[2];
        for (int side = 0; side < 2; side++) { /* decay so that lambda is 1 -+ 1e-9 */
            double low = 0, high = 3;
            for (int i = 0; i < 200; i++) {
                double middle = (low + high) / 2;
                check_status(ctx, lnt_norm_penalty_limit(ctx, &p, at, 2, middle), LNT_OK);
                *(p.lambda < (side ? 1 + 1e-9 : 1 - 1e-9) ? &low : &high) = middle;
            }
            next[side] = p.norm;
            gen[side] = p.gen;
            train[side] = p.train;
        }
        check_near(next[0], next[1], 1e-8, "norm at lambda = 1");
        check_near(gen[0], gen[1], 1e-8, "gen at lambda = 1");
        check_near(train[0], train[1], 1e-8, "train at lambda = 1");
    }
    check_status(ctx, lnt_norm_penalty_limit(ctx, &p, .5, 4, 1e-8), LNT_OK); /* no penalty: |S|^2 = q t2 */
    check_near(p.norm, sqrt(2), 1e-6, "least norm");
    check_near(p.gen, 1, 1e-6, "its loss");
    check_status(ctx, lnt_norm_penalty_limit(ctx, &p, .5, 1, sqrt(3)), LNT_OK);
    assert_true(isinf(p.lambda) && p.norm == 0 && p.gen == .5 && p.train == .5);
    check_status(ctx, lnt_norm_penalty_limit(ctx, &p, .5, 1, sqrt(3) * (1 - 1e-6)), LNT_OK);
    assert_true(p.lambda > 1e5 && p.norm > 0 && p.norm < 1e-4);
    check_failure(ctx, lnt_norm_penalty_limit(ctx, &p, 0, 1, .1), LNT_EDOMAIN, "positive");
    check_failure(ctx, lnt_norm_penalty_limit(ctx, &p, .5, NAN, .1), LNT_EDOMAIN, "positive");
    check_failure(ctx, lnt_norm_penalty_limit(ctx, &p, .5, 1, 0), LNT_EDOMAIN, "positive");
}

/* ---- Relu networks ---- */

/* E relu(u) relu(v) over the angle in the plane: radius by hand (its mean square is 2), angle by the midpoint rule. */
static double by_quadrature(double uu, double uv, double vv)
{
    double a = sqrt(uu), b = uv / a, c = sqrt(fmax(vv - b * b, 0)), sum = 0;
    const int n = 200000;
    for (int i = 0; i < n; i++) {
        double t = 2 * 3.14159265358979323846 * (i + .5) / n;
        sum += fmax(a * cos(t), 0) * fmax(b * cos(t) + c * sin(t), 0);
    }
    return 2 * sum / n;
}

static void relu_products(void **state)
{
    (void)state;
    static const double cases[][3] = {{1, 0, 1}, {1, .5, 2}, {3, -1, .5}, {1, 1, 1}, {1, -1, 1}, {2, 1.9999, 2}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        check_near(lnt_relu_product(cases[k][0], cases[k][1], cases[k][2]),
                   by_quadrature(cases[k][0], cases[k][1], cases[k][2]), 1e-9, "relu product");
    check_near(lnt_relu_product(4, 4, 4), 2, 1e-15, "a unit with itself");
    assert_true(lnt_relu_product(0, 0, 3) == 0 && lnt_relu_product(1, -1, 1) == 0);
    check_near(lnt_relu_product(1e-200, 1e-200, 1e-200) * 2e200, 1, 1e-14, "tiny");
    assert_true(isnan(lnt_relu_product(NAN, 0, 1)));
}

static void risk_of_relu_networks(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(7);
    const int D = 4, H = 5, G = 3, points = 200000;
    lnt_mat M = random_matrix(ctx, D, H, &rng), Mg = random_matrix(ctx, D, G, &rng);
    double V[5], Vg[3], risk, sum = 0, squares = 0;
    for (int j = 0; j < H; j++)
        V[j] = lnt_rng_normal(&rng);
    for (int j = 0; j < G; j++)
        Vg[j] = lnt_rng_normal(&rng);
    check_status(ctx, lnt_relu_risk(ctx, &risk, M, V, Mg, Vg), LNT_OK);
    for (int k = 0; k < points; k++) {
        double x[4], f = 0;
        for (int i = 0; i < D; i++)
            x[i] = lnt_rng_normal(&rng);
        for (int j = 0; j < H + G; j++) {
            double z = 0;
            for (int i = 0; i < D; i++)
                z += x[i] * (j < H ? *lnt_at(M, i, j) : *lnt_at(Mg, i, j - H));
            f += fmax(z, 0) * (j < H ? V[j] : -Vg[j - H]);
        }
        sum += f * f / points;
        squares += f * f * f * f / points;
    }
    check_near(risk, sum, 4 * sqrt((squares - sum * sum) / points) / sum, "risk"); /* fails once in 16,000 */
    check_status(ctx, lnt_relu_risk(ctx, &risk, M, V, M, V), LNT_OK);
    check_near(risk, 0, 1e-14, "a network and itself");
    check_status(ctx, lnt_relu_risk(ctx, &risk, lnt_columns(M, 0, 0), V, lnt_columns(Mg, 0, 0), Vg), LNT_OK);
    assert_true(risk == 0);
    check_failure(ctx, lnt_relu_risk(ctx, &risk, M, V, lnt_block(Mg, 0, 0, 3, G), Vg), LNT_ESHAPE, "4 and 3 inputs");
}

/* ---- Two pairs ---- */

static double cosine(lnt_mat a, lnt_mat b)
{
    return lnt_mat_dot(a, b) / (lnt_mat_norm(a) * lnt_mat_norm(b));
}

static void the_expansion_is_the_norm(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = stream(8);
    for (int k = 0; k < 200; k++) {
        int D = 1 + k % 5, E = 1 + k % 7;
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat V = random_matrix(ctx, D, 3, &rng), U = random_matrix(ctx, E, 3, &rng);
        lnt_mat v[3], u[3];
        for (int j = 0; j < 3; j++) {
            v[j] = lnt_columns(V, j, 1);
            u[j] = lnt_columns(U, j, 1);
        }
        double scale = lnt_mat_norm(v[0]) * lnt_mat_norm(u[0]);
        lnt_two_pairs p = {lnt_mat_norm(v[1]) * lnt_mat_norm(u[1]) / scale,
                           lnt_mat_norm(v[2]) * lnt_mat_norm(u[2]) / scale,
                           cosine(v[0], v[1]),
                           cosine(u[0], u[1]),
                           cosine(v[0], v[2]),
                           cosine(u[0], u[2]),
                           cosine(v[1], v[2]),
                           cosine(u[1], u[2])};
        lnt_mat_scale(U, -1);
        lnt_mat_scale(u[0], -1);
        lnt_mat R = product(ctx, LNT_N, V, LNT_T, U);
        double loss = lnt_mat_norm(R) * lnt_mat_norm(R) / (scale * scale);
        check_near(lnt_two_pairs_loss(&p, 0), loss, 1e-13, "expansion");
        check_near(lnt_two_pairs_loss(&p, .7) - loss, .7 * (p.x + p.y), 1e-12, "penalty");
        assert_true(lnt_two_pairs_turned(p.x, p.y, 0) <= loss * (1 + 1e-12));
        lnt_ctx_reset(ctx, mark);
    }
    lnt_two_pairs aligned = {.3, .9, 1, 1, 1, 1, 1, 1};
    check_near(lnt_two_pairs_loss(&aligned, .4), lnt_two_pairs_aligned(.3, .9, .4), 1e-15, "aligned");
}

/* All angles of vectors in a plane, with u along U; the closed form is a minimum of these. */
static void the_best_directions(void **state)
{
    (void)state;
    static const double at[][2] = {{.3, .4}, {.7, .8}, {2, .5},  {.2, 1.5}, {0, 0},
                                   {0, 1.7}, {.5, .5}, {3, 2.5}, {1, 0}};
    for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
        double x = at[k][0], y = at[k][1], best = INFINITY;
        const int n = 720;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double a = 2 * 3.14159265358979323846 * i / n, b = 2 * 3.14159265358979323846 * j / n;
                lnt_two_pairs p = {x, y, cos(a), 1, cos(b), 1, cos(a - b), 1};
                best = fmin(best, lnt_two_pairs_loss(&p, 0));
            }
        double closed = lnt_two_pairs_turned(x, y, 0);
        assert_true(closed <= best + 1e-14);
        check_near(best, closed, 3e-4, "best directions");
        assert_true(closed <= lnt_two_pairs_aligned(x, y, 0) + 1e-14);
        check_near(lnt_two_pairs_turned(x, y, .5) - closed, .5 * (x + y), 1e-14, "penalty");
    }
}

static void the_minimum_over_both(void **state)
{
    (void)state;
    static const double Lambda[] = {.2, .5, 1, 1.5, 2.5, 0}, loss[] = {.19, .4375, .75, .9375, 1, 0},
                        sigma[] = {.9, .75, .5, .25, 0, 1};
    for (int k = 0; k < 6; k++) {
        double found, best = INFINITY, sum = lnt_two_pairs_minimum(Lambda[k], &found);
        check_near(found, loss[k], 1e-15, "loss");
        check_near(sum, sigma[k], 1e-15, "x + y");
        for (int i = 0; i <= 300; i++)
            for (int j = 0; j <= 300; j++)
                best = fmin(best, lnt_two_pairs_turned(i / 200.0, j / 200.0, Lambda[k]));
        check_near(best, loss[k], 1e-14, "on a grid");
        check_near(lnt_two_pairs_aligned(.3 * sum, .7 * sum, Lambda[k]), loss[k], 1e-14, "a flat line");
    }
}

/* ---- Studies ---- */

static lnt_layered_opts small(lnt_layered_experiment experiment)
{
    lnt_layered_opts o;
    lnt_layered_defaults(&o, experiment);
    if (experiment <= LNT_LAYERED_NONLINEAR) {
        o.inputs = 6;
        o.hidden = 5;
        o.samples = 7;
    }
    o.epochs = 3;
    o.seeds = 2;
    o.threads = 1;
    return o;
}

static lnt_status whole_study(lnt_ctx *ctx, void *experiment)
{
    lnt_layered_opts o = small(*(const lnt_layered_experiment *)experiment);
    lnt_record *record = lnt_record_new("train");
    lnt_text image = {0};
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_status status = lnt_layered_study(ctx, record, &o);
    if (status == LNT_OK)
        status = lnt_store_hdf5(ctx, &image, record);
    lnt_text_free(&image);
    lnt_record_free(record);
    return status;
}

static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    for (int e = LNT_LAYERED_TWO_LAYER; e <= LNT_LAYERED_ATTENTION; e++) {
        lnt_layered_experiment experiment = (lnt_layered_experiment)e;
        assert_true(check_allocations(whole_study, &experiment, LNT_OK, 400) > 50);
    }
}

static int stop_at(void *user)
{
    return __atomic_sub_fetch((int *)user, 1, __ATOMIC_RELAXED) < 0;
}

/* Two runs of four arms in their order: what is asked to stop during the second run keeps the first. */
static void interruption_keeps_whole_runs(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_layered_opts o = small(LNT_LAYERED_TWO_LAYER);
    lnt_record *whole = lnt_record_new("train"), *first = lnt_record_new("train");
    o.epochs = 20;
    o.seeds = 1;
    check_status(ctx, lnt_layered_study(ctx, whole, &o), LNT_OK);
    o.seeds = 2;
    int polls = 4 * 23 + 30;
    lnt_ctx_set_cancel(ctx, stop_at, &polls);
    check_status(ctx, lnt_layered_study(ctx, first, &o), LNT_OK);
    assert_true(lnt_record_interrupted(first) && !lnt_record_interrupted(whole));
    lnt_array a, b;
    assert_true(lnt_record_array(whole, "ridge/loss_gen", &a) && lnt_record_array(first, "ridge/loss_gen", &b));
    assert_int_equal(a.dims[0], b.dims[0]);
    assert_memory_equal(a.values, b.values, (size_t)a.dims[0] * sizeof *a.values);
    for (int e = LNT_LAYERED_TWO_LAYER; e <= LNT_LAYERED_ATTENTION; e++) {
        o = small((lnt_layered_experiment)e);
        polls = 5;
        check_failure(ctx, lnt_layered_study(ctx, first, &o), LNT_EUSER, "nothing to keep");
    }
    lnt_record_free(whole);
    lnt_record_free(first);
}

static void studies_that_make_no_sense(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_record *record = lnt_record_new("train");
    lnt_layered_opts o = small(LNT_LAYERED_TWO_LAYER);
    o.samples = 0;
    check_failure(ctx, lnt_layered_study(ctx, record, &o), LNT_EINVAL, "not possible");
    o = small(LNT_LAYERED_TOY);
    o.seeds = 0;
    check_failure(ctx, lnt_layered_study(ctx, record, &o), LNT_EINVAL, "not possible");
    o.experiment = 17;
    check_failure(ctx, lnt_layered_study(ctx, record, &o), LNT_EINVAL, "experiment 17");
    lnt_layered_defaults(&o, LNT_LAYERED_NONE);
    check_failure(ctx, lnt_layered_study(ctx, record, &o), LNT_EINVAL, "experiment 0");
    lnt_train_opts t;
    lnt_train_defaults(&t);
    t.experiment = 17;
    check_failure(ctx, lnt_train_study(ctx, record, &t), LNT_EINVAL, "number 17");
    lnt_record_free(record);
}

static lnt_status closed_form(lnt_ctx *ctx, void *which)
{
    double m[6] = {1, 2, 3, 4, 5, 6}, v[2] = {1, -1}, y[2] = {1, 2}, T[3] = {0, 1, 0}, risk;
    lnt_mat M = lnt_mat_view(m, 3, 2);
    lnt_factor_penalties p;
    lnt_l1_penalties l1;
    lnt_norm_penalty own;
    switch (*(const int *)which) {
    case 0:
        return lnt_penalties_of_factors(ctx, &p, M, M);
    case 1:
        return lnt_l1_penalties_of_layers(ctx, &l1, M, v);
    case 2:
        return lnt_norm_penalty_on(ctx, &own, NULL, M, y, T, .1);
    default:
        return lnt_relu_risk(ctx, &risk, M, v, M, y);
    }
}

/* Closed forms, too, give back their memory and say when there is none. */
static void closed_forms_without_memory(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++)
        check_allocations(closed_form, &which, LNT_OK, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(penalties_and_their_gauges),
        WITH_CTX(balanced_factors_are_the_least),
        WITH_CTX(a_product_with_one_output),
        WITH_CTX(one_norms_of_layers),
        WITH_CTX(participation),
        WITH_CTX(decayed_spectrum_is_where_descent_ends),
        WITH_CTX(the_norm_penalty_on_data),
        WITH_CTX(the_norm_penalty_in_the_limit),
        WITH_CTX(relu_products),
        WITH_CTX(risk_of_relu_networks),
        WITH_CTX(the_expansion_is_the_norm),
        WITH_CTX(the_best_directions),
        WITH_CTX(the_minimum_over_both),
        cmocka_unit_test(every_failing_allocation_is_reported),
        WITH_CTX(interruption_keeps_whole_runs),
        WITH_CTX(studies_that_make_no_sense),
        cmocka_unit_test(closed_forms_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
