/* Closed forms of one mode, against quadruple precision, Taylor series and gradient descent on matrices. */
#include "taylor.h"

#define SEED 31

__extension__ typedef __float128 quad;

static quad q_abs(quad x)
{
    return x < 0 ? -x : x;
}

static quad q_sqrt(quad x)
{
    if (x == 0)
        return 0;
    quad r = sqrt((double)x);
    for (int k = 0; k < 4; k++)
        r = (r + x / r) / 2;
    return r;
}

/* Argument halved to below 2^-10, then squared back. */
static quad q_exp(quad x)
{
    if (x < 0)
        return x < -11000 ? 0 : 1 / q_exp(-x);
    int halvings = 0;
    while (q_abs(x) > (quad)1 / 1024) {
        x /= 2;
        halvings++;
    }
    quad term = 1, excess = 0; /* e^x - 1, doubled as e(2 + e): no loss in squaring 1 + small */
    for (int k = 1; k < 14; k++)
        excess += term *= x / k;
    while (halvings-- > 0)
        excess = excess * (2 + excess);
    return 1 + excess;
}

/* The positive root of x^{1/n}. */
static quad q_root(quad x, int n)
{
    quad r = pow((double)x, 1.0 / n);
    for (int k = 0; k < 4; k++) {
        quad power = 1;
        for (int i = 1; i < n; i++)
            power *= r;
        r -= (r * power - x) / (n * power);
    }
    return r;
}

/* w(T) of w' = 2 s w - w^2/2 + c/2, from its two fixed points. */
static quad q_stretched(quad w0, quad c, quad s, quad T)
{
    quad K = q_sqrt(c + 4 * s * s);
    if (w0 == 0)
        return 0;
    if (K == 0)
        return w0 / (1 + w0 * T / 2);
    quad high = s >= 0 ? 2 * s + K : c / (K - 2 * s), low = s >= 0 ? -c / (2 * s + K) : 2 * s - K, E = q_exp(-K * T);
    return (high * (w0 - low) - low * (w0 - high) * E) / (w0 - low - (w0 - high) * E);
}

static void reference(quad *a, quad *b, double a0, double b0, double s, double T)
{
    quad u0 = (quad)b0 + a0, v0 = (quad)b0 - a0, c = u0 * u0 * v0 * v0;
    quad u = q_sqrt(q_stretched(u0 * u0, c, s, T)), v = q_sqrt(q_stretched(v0 * v0, c, -(quad)s, T));
    u = u0 < 0 ? -u : u;
    v = v0 < 0 ? -v : v;
    *a = (u - v) / 2;
    *b = (u + v) / 2;
}

static const double times[] = {1e-9, 1e-3, 0.1, 1, 5, 30, 300, 1e4};
#define TIMES ((int)(sizeof times / sizeof *times))

static void check_mode(double a0, double b0, double s, double T, double tolerance, double relative)
{
    double a, b;
    quad ra, rb;
    lnt_mode_at(&a, &b, &a0, &b0, 1, s, T);
    reference(&ra, &rb, a0, b0, s, T);
    double size = hypot((double)ra, (double)rb);
    double da = fabs((double)(a - ra)), db = fabs((double)(b - rb));
    if (size < 1e-150) { /* squares underflow from here on */
        assert_true(fabs(a) <= 1e-150 && fabs(b) <= 1e-150);
        return;
    }
    tolerance += 2e-16 * fmin(fabs(s) * T, 400); /* conditioning of e^{-|s|T} */
    bool close = da <= tolerance * size && db <= tolerance * size;
    /* each entry to its own size, unless it is on its way through 0 */
    bool own = da <= relative * fabs((double)ra) || fabs((double)ra) < 1e-3 * size;
    own = own && (db <= relative * fabs((double)rb) || fabs((double)rb) < 1e-3 * size);
    if (!close || !own)
        fail_msg("a0 %.17g b0 %.17g s %g T %g: (%.17g, %.17g), not (%.17g, %.17g)", a0, b0, s, T, a, b, (double)ra,
                 (double)rb);
    lnt_mode mode = lnt_mode_start(&a0, &b0, 1, s);
    double p = lnt_mode_product(&mode, T), rp = (double)(ra * rb);
    if (!(fabs(p - rp) <= tolerance * size * size))
        fail_msg("a0 %.17g b0 %.17g s %g T %g: product %.17g, not %.17g", a0, b0, s, T, p, rp);
}

static void one_mode_is_right_in_all_directions(void **state)
{
    (void)state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int draw = 0; draw < 400; draw++) {
        double scale = pow(10, -8 * lnt_rng_uniform(&rng)), s = 2 * lnt_rng_normal(&rng);
        double a0 = scale * lnt_rng_normal(&rng), b0 = scale * lnt_rng_normal(&rng);
        for (int k = 0; k < TIMES; k++) {
            check_mode(a0, b0, s, times[k], 1e-14, 1e-12);
            check_mode(a0, b0, 0, times[k], 1e-14, 1e-12);
            check_mode(a0, a0, s, times[k], 1e-14, 1e-12);
            check_mode(a0, -a0, s, times[k], 1e-14, 1e-12);
            check_mode(0, b0, s, times[k], 1e-14, 1e-12);
            check_mode(a0, a0 * (1 + 1e-13), s, times[k], 1e-14, 1e-12);
            check_mode(3 + a0, b0, s, times[k], 1e-14, 1e-12);
        }
    }
    check_mode(1e-150, 1e-150, 1, 300, 1e-14, 1e-12);
    check_mode(0, 0, 1, 1, 0, 0);
}

/* At T = 1e-9 an entry that starts at 0 is s b0 T to first order: a difference of u and v would have lost 9 digits. */
static void an_entry_that_leaves_zero_keeps_its_digits(void **state)
{
    (void)state;
    double a, b, a0 = 0, b0 = 0.7;
    quad ra, rb;
    lnt_mode_at(&a, &b, &a0, &b0, 1, 1.3, 1e-9);
    reference(&ra, &rb, a0, b0, 1.3, 1e-9);
    assert_true(fabs((double)((a - ra) / ra)) < 1e-15);
}

/* Taylor series in quadruple precision of the equations themselves, with hidden vectors. */
static void vector_modes_solve_their_equations(void **state)
{
    (void)state;
    enum { H = 3, ORDER = 30 };
    for (int draw = 0; draw < 20; draw++) {
        lnt_rng rng = lnt_rng_stream(SEED, 10 + (uint32_t)draw, LNT_FOR_TESTS);
        double a0[H], b0[H], a[H], b[H], s = lnt_rng_normal(&rng), step = 1.0 / 64, T = 2;
        quad A[ORDER + 1][H], B[ORDER + 1][H];
        for (int i = 0; i < H; i++) {
            A[0][i] = a0[i] = lnt_rng_normal(&rng);
            B[0][i] = b0[i] = lnt_rng_normal(&rng);
        }
        for (int t = 0; t < (int)(T / step); t++) {
            quad gap[ORDER];
            for (int k = 0; k < ORDER; k++) {
                gap[k] = k == 0 ? s : 0;
                for (int j = 0; j <= k; j++)
                    for (int i = 0; i < H; i++)
                        gap[k] -= A[j][i] * B[k - j][i];
                for (int i = 0; i < H; i++) {
                    A[k + 1][i] = B[k + 1][i] = 0;
                    for (int j = 0; j <= k; j++) {
                        A[k + 1][i] += gap[j] * B[k - j][i] / (k + 1);
                        B[k + 1][i] += gap[j] * A[k - j][i] / (k + 1);
                    }
                }
            }
            for (int i = 0; i < H; i++)
                for (int k = ORDER; k > 0; k--) {
                    A[k - 1][i] += A[k][i] * step;
                    B[k - 1][i] += B[k][i] * step;
                }
        }
        lnt_mode_at(a, b, a0, b0, H, s, T);
        lnt_mode mode = lnt_mode_start(a0, b0, H, s), end = lnt_mode_start(a, b, H, s);
        for (int i = 0; i < H; i++)
            if (!(fabs((double)(a[i] - A[0][i])) < 2e-15 && fabs((double)(b[i] - B[0][i])) < 2e-15))
                fail_msg("draw %d seed %d: (%.17g, %.17g), not (%.17g, %.17g)", draw, SEED, a[i], b[i], (double)A[0][i],
                         (double)B[0][i]);
        check_near(lnt_mode_product(&mode, T), end.p, 1e-14, "product");
        check_near(lnt_mode_invariant(&end) / lnt_mode_invariant(&mode), 1, 1e-13, "invariant");
    }
}

static void limits_logistic_and_invariant(void **state)
{
    (void)state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int draw = 0; draw < 200; draw++) {
        double a0 = lnt_rng_normal(&rng), b0 = lnt_rng_normal(&rng), s = lnt_rng_normal(&rng), a, b;
        double lambda = (b0 - a0) * (b0 + a0), K = hypot(lambda, 2 * s);
        double branch = s > 0 ? copysign(1, a0 + b0) : copysign(1, b0 - a0);
        lnt_mode_at(&a, &b, &a0, &b0, 1, s, INFINITY);
        check_near(b, branch * sqrt((K + lambda) / 2), 1e-13, "limit of b");
        check_near(a, copysign(sqrt((K - lambda) / 2), branch * s), 1e-13, "limit of a");
        lnt_mode_at(&a, &b, &a0, &b0, 1, s, 0.7);
        check_near((b - a) * (b + a) / lambda, 1, 1e-12, "invariant");
        double u0 = fabs(a0), root = sqrt(u0), e = exp(-2 * fabs(s) * 1.5);
        lnt_mode_at(&a, &b, &root, &root, 1, fabs(s), 1.5);
        check_near(a * b, fabs(s) / (1 + (fabs(s) / u0 - 1) * e), 1e-13, "logistic");
        lnt_mode_at(&a, &b, &a0, &a0, 1, 0, 4);
        check_near(a, a0 / sqrt(1 + 8 * a0 * a0), 1e-14, "decay");
    }
    double a0 = 0.5, b0 = -0.5, a, b;
    lnt_mode_at(&a, &b, &a0, &b0, 1, 1, INFINITY);
    assert_true(a == 0 && b == 0); /* the separatrix ends at the origin */
    lnt_mode_at(&a, &b, &a0, &a0, 1, 0, INFINITY);
    assert_true(a == 0 && b == 0);
}

static void time_of_a_product_is_its_inverse(void **state)
{
    (void)state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    for (int draw = 0; draw < 500; draw++) {
        double scale = pow(10, -6 * lnt_rng_uniform(&rng)), s = draw % 5 ? lnt_rng_normal(&rng) : 0;
        double a0 = scale * lnt_rng_normal(&rng), b0 = draw % 3 ? scale * lnt_rng_normal(&rng) : draw % 2 ? a0 : -a0;
        lnt_mode mode = lnt_mode_start(&a0, &b0, 1, s);
        for (double T = 1e-3; T < 20; T *= 3) {
            double p = lnt_mode_product(&mode, T), found = lnt_mode_time(&mode, p);
            double slope = 0, sum = (mode.u * mode.u + mode.v * mode.v) / 4;
            slope = hypot(p, sqrt(lnt_mode_invariant(&mode)) / 2) * 2 * fabs(s - p); /* p' = (s - p) sqrt(4p^2 + c) */
            double allowed = 1e-12 * T + (slope > 0 ? 8e-16 * (fabs(p) + fabs(mode.p) + sum) / slope : INFINITY);
            if (fabs(p - s) > 1e-14 * fabs(s) && !(fabs(found - T) <= allowed))
                fail_msg("draw %d: a0 %g b0 %g s %g: product %.17g at %.17g, not %.17g", draw, a0, b0, s, p, found, T);
        }
    }
    double a0 = 1e-8, b0 = 1e-8, far = 3;
    lnt_mode mode = lnt_mode_start(&a0, &b0, 1, 2);
    check_near(lnt_mode_half_time(&mode), log(2 / 1e-16 - 1) / 4, 1e-15, "half time");
    double root = sqrt(0.1);
    lnt_mode near = lnt_mode_start(&root, &root, 1, 2);
    check_near(lnt_mode_half_time(&near), log(2 / 0.1 - 1) / 4, 1e-15, "half time");
    assert_true(lnt_mode_time(&mode, 2) == INFINITY && lnt_mode_time(&mode, 2.5) == INFINITY);
    assert_true(lnt_mode_time(&mode, -1) == INFINITY && lnt_mode_time(&mode, mode.p) == 0);
    mode = lnt_mode_start(&far, &far, 1, 2); /* from above s: 3 is passed, 1 never */
    assert_true(lnt_mode_time(&mode, 3) > 0 && lnt_mode_time(&mode, 1) == INFINITY);
    b0 = -a0; /* on the separatrix 0 is never reached */
    mode = lnt_mode_start(&a0, &b0, 1, 1);
    assert_true(lnt_mode_time(&mode, 0) == INFINITY && lnt_mode_time(&mode, 0.5) == INFINITY);
    a0 = b0 = 0;
    mode = lnt_mode_start(&a0, &b0, 1, 1);
    assert_true(lnt_mode_time(&mode, 0.5) == INFINITY);
}

/* Inputs with Sxx = diag(d): each mode is one of white inputs with s/d and T d. */
static void correlated_inputs_only_change_the_clock(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    double d[3] = {2, 0.5, 1.3}, s[3] = {1.5, -0.7, 0.4}, a[3], b[3], found[3], off;
    lnt_mat V = random_rotation(ctx, 3, &rng), U = random_rotation(ctx, 3, &rng), R = random_rotation(ctx, 3, &rng);
    lnt_mat VT = taylor_new(ctx, 3, 3);
    for (int i = 0; i < 3; i++) {
        a[i] = lnt_rng_normal(&rng);
        b[i] = lnt_rng_normal(&rng);
    }
    lnt_mat Sxx = from_values(ctx, V, d, 3, V), Syx = from_values(ctx, U, s, 3, V);
    lnt_mat W1 = from_values(ctx, R, a, 3, V), W2 = from_values(ctx, U, b, 3, R);
    taylor_flow(ctx, W1, W2, Syx, &Sxx, 1.2);
    for (int i = 0; i < 3; i++)
        lnt_mode_at(&a[i], &b[i], &a[i], &b[i], 1, s[i] / d[i], 1.2 * d[i]);
    check_close(W1, from_values(ctx, R, a, 3, V), 1e-13, "W1");
    check_close(W2, from_values(ctx, U, b, 3, R), 1e-13, "W2");
    lnt_mat_transpose(VT, V);
    check_status(ctx, lnt_shared_basis(ctx, found, &off, Sxx, VT), LNT_OK);
    assert_true(off < 1e-14);
    check_close(lnt_mat_view(found, 3, 1), lnt_mat_view(d, 3, 1), 1e-14, "d");
    *lnt_at(Sxx, 0, 1) += 0.1;
    check_status(ctx, lnt_shared_basis(ctx, found, &off, Sxx, VT), LNT_OK);
    assert_true(off > 0.01);
}

/* ---- Depth ---- */

static quad rate(quad y, int L)
{
    quad power = 1;
    for (int i = 1; i < L; i++)
        power *= y;
    return 1 / (power * (1 - power * y));
}

/* Romberg over [low, high], smooth. */
static quad romberg(quad low, quad high, int L)
{
    enum { LEVELS = 9 };
    quad row[LEVELS] = {0}, h = high - low;
    row[0] = h * (rate(low, L) + rate(high, L)) / 2;
    for (int k = 1; k < LEVELS; k++) {
        quad sum = 0, before = row[0];
        for (int i = 0; i < 1 << (k - 1); i++)
            sum += rate(low + h * (2 * i + 1) / (1 << k), L);
        row[0] = before / 2 + h * sum / (1 << k);
        quad power = 1;
        for (int m = 1; m <= k; m++) {
            power *= 4;
            quad old = row[m];
            row[m] = row[m - 1] + (row[m - 1] - before) / (power - 1);
            before = old;
        }
    }
    return row[LEVELS - 1];
}

/* T from u0 to u by quadrature in y = (u/s)^{1/L}, in short pieces. */
static double depth_reference(double u, double u0, double s, int L)
{
    quad y = q_root((quad)u0 / s, L), end = q_root((quad)u / s, L), sum = 0, root = q_root(s, L), scale = 1;
    while (y != end) {
        quad room = y < end     ? (1 - y < y ? 1 - y : y)
                    : y - 1 < y ? y - 1
                                : y,
             next = y < end ? y + room / 5 : y - room / 5;
        if ((y < end) != (next < end))
            next = end;
        sum += romberg(y, next, L);
        y = next;
    }
    for (int i = 0; i < 2 * L - 2; i++)
        scale *= root;
    return (double)(sum / scale);
}

static void time_of_depth_is_the_integral(void **state)
{
    (void)state;
    static const double values[] = {1e-6, 1e-3, 0.1, 0.49, 0.51, 0.9, 0.999, 1.001, 1.2, 1.9, 2.1, 5, 300, 1e8, 1e9};
    int n = (int)(sizeof values / sizeof *values);
    double worst = 0;
    for (int L = 1; L <= 20; L += L < 8 ? 1 : 12)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (double s = 0.3; s < 5; s *= 6) {
                    double u0 = s * values[i], u = s * values[j];
                    if (i == j || (u0 < s ? !(u > u0 && u < s) : !(u < u0 && u > s))) {
                        assert_true(i == j || lnt_depth_time(u, u0, s, L) == INFINITY);
                        continue;
                    }
                    double T = lnt_depth_time(u, u0, s, L), R = depth_reference(u, u0, s, L);
                    worst = fmax(worst, fabs(T / R - 1));
                    if (!(fabs(T / R - 1) <= 1e-13))
                        fail_msg("L %d s %g from %g to %g: %.17g, not %.17g", L, s, u0, u, T, R);
                    double back = lnt_depth_at(u0, s, L, T), speed = L * pow(u, 2 - 2.0 / L) * fabs(s - u);
                    if (!(fabs(back - u) <= 1e-14 * u + 1e-13 * T * speed))
                        fail_msg("L %d s %g from %g: at %.17g %.17g, not %.17g", L, s, u0, T, back, u);
                }
    if (getenv("LINNET_MEASURE"))
        printf("depth: worst relative error of the time %.2g\n", worst);
}

/* Layers of equal size, by the discrete map with a tiny step: the equation itself, to first order. */
static void depth_is_the_limit_of_small_steps(void **state)
{
    (void)state;
    for (int L = 1; L <= 5; L++)
        for (int far = 0; far < 2; far++) {
            double a[5], u0 = far ? 2.5 : 0.2, s = 1.3, T = 0.4, product = 1;
            for (int l = 0; l < L; l++)
                a[l] = pow(u0, 1.0 / L);
            lnt_map_deep(a, L, s, 1e-6, 400000);
            for (int l = 0; l < L; l++)
                product *= a[l];
            check_near(lnt_depth_at(u0, s, L, T), product, 1e-5, "depth");
        }
}

static void edges_of_depth(void **state)
{
    (void)state;
    assert_true(isnan(lnt_depth_at(0, 1, 3, 1)) && isnan(lnt_depth_at(1, -1, 3, 1)) &&
                isnan(lnt_depth_time(1, 1, 1, 0)));
    check_near(lnt_depth_at(2, 0, 1, 3), 2 * exp(-3), 1e-15, "L = 1, s = 0");
    check_near(lnt_depth_at(2, 0, 2, 3), 1 / (0.5 + 2 * 3), 1e-15, "L = 2, s = 0");
    for (int L = 1; L <= 6; L++) {
        check_near(lnt_depth_time(lnt_depth_at(2, 0, L, 3), 2, 0, L), 3, 1e-13, "s = 0, inverse");
        assert_true(lnt_depth_at(0.1, 1.7, L, INFINITY) == 1.7 && lnt_depth_at(1.7, 1.7, L, 9) == 1.7);
        check_near(lnt_depth_at(0.1, 1.7, L, 1e9), 1.7, 1e-15, "end");
        check_near(lnt_depth_at(1e5, 1.7, L, 1e9), 1.7, 1e-15, "end from above");
        assert_true(lnt_depth_at(0.1, 1.7, L, 0) == 0.1);
        double half = lnt_depth_time(0.5, 1e-8, 1, L), plateau = lnt_depth_plateau(1e-8, 1, L);
        if (L > 1)
            check_near(plateau / half, 1, L == 2 ? 1e-14 : 0.02, "plateau");
    }
    double p = 1.2, sq = sqrt(0.01), s = 0.9;
    lnt_mode mode = lnt_mode_start(&sq, &sq, 1, s);
    check_near(lnt_depth_at(0.01, s, 2, p), lnt_mode_product(&mode, p), 1e-15, "two equal layers are a mode");
}

/* ---- The discrete map ---- */

static void the_map_is_gradient_descent(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    double a[3], b[3], s[3] = {2, 1.1, 0.3}, eta = 0.1;
    lnt_mat U = random_rotation(ctx, 3, &rng), V = random_rotation(ctx, 4, &rng), R = random_rotation(ctx, 5, &rng);
    for (int i = 0; i < 3; i++) {
        a[i] = 0.3 * lnt_rng_normal(&rng);
        b[i] = 0.3 * lnt_rng_normal(&rng);
    }
    lnt_mat Syx = from_values(ctx, U, s, 3, V), W1 = from_values(ctx, R, a, 3, V), W2 = from_values(ctx, U, b, 3, R);
    lnt_mat gap = taylor_new(ctx, 3, 4), old = taylor_new(ctx, 5, 4);
    for (int k = 0; k < 60; k++) {
        lnt_mat_copy(gap, Syx);
        lnt_gemm(gap, -1, LNT_N, W2, LNT_N, W1, 1);
        lnt_mat_copy(old, W1);
        lnt_gemm(W1, eta, LNT_T, W2, LNT_N, gap, 1);
        lnt_gemm(W2, eta, LNT_N, gap, LNT_T, old, 1);
    }
    for (int i = 0; i < 3; i++) {
        double layers[2] = {a[i], b[i]};
        lnt_map_steps(&a[i], &b[i], 1, s[i], eta, 60);
        lnt_map_deep(layers, 2, s[i], eta, 60);
        check_near(layers[0], a[i], 1e-14, "deep map");
        check_near(layers[1], b[i], 1e-14, "deep map");
    }
    check_close(W1, from_values(ctx, R, a, 3, V), 1e-12, "W1");
    check_close(W2, from_values(ctx, U, b, 3, R), 1e-12, "W2");
}

static void invariants_and_steps_of_the_map(void **state)
{
    (void)state;
    double a[2] = {0.3, -0.2}, b[2] = {0.1, 0.5}, s = 1.2, eta = 0.3;
    double factor = lnt_map_invariant_factor(a[0] * b[0] + a[1] * b[1], s, eta);
    double before[2] = {b[0] * b[0] - a[0] * a[0], b[0] * b[1] - a[0] * a[1]};
    lnt_map_steps(a, b, 2, s, eta, 1);
    check_near(b[0] * b[0] - a[0] * a[0], factor * before[0], 1e-15, "diagonal");
    check_near(b[0] * b[1] - a[0] * a[1], factor * before[1], 1e-15, "off the diagonal");
    for (int L = 2; L <= 4; L++)
        for (int above = 0; above < 2; above++) { /* .98 of the largest step converges, 1.02 does not */
            double x[4], product = 1;
            for (int l = 0; l < L; l++)
                x[l] = pow(2, 1.0 / L) + 1e-4;
            lnt_map_deep(x, L, 2, (above ? 1.02 : 0.98) * lnt_map_largest_step(2, L), 5000);
            for (int l = 0; l < L; l++)
                product *= x[l];
            assert_true((fabs(product - 2) < 1e-10) == !above);
        }
    double u = sqrt(0.001), v = u, last = 0, steps = 0;
    for (; u * v < 0.5; steps++) {
        last = u * v;
        lnt_map_steps(&u, &v, 1, 1, 0.4, 1);
    }
    steps -= (u * v - 0.5) / (u * v - last);
    assert_true(fabs(steps - lnt_map_half_step(0.001, 1, 0.4) - 0.6) < 0.1);
    assert_true(lnt_map_half_step(0.6, 1, 0.4) == 0 && isnan(lnt_map_half_step(0, 1, 0.4)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_mode_is_right_in_all_directions),
                                       cmocka_unit_test(an_entry_that_leaves_zero_keeps_its_digits),
                                       cmocka_unit_test(vector_modes_solve_their_equations),
                                       cmocka_unit_test(limits_logistic_and_invariant),
                                       cmocka_unit_test(time_of_a_product_is_its_inverse),
                                       WITH_CTX(correlated_inputs_only_change_the_clock),
                                       cmocka_unit_test(time_of_depth_is_the_integral),
                                       cmocka_unit_test(depth_is_the_limit_of_small_steps),
                                       cmocka_unit_test(edges_of_depth),
                                       WITH_CTX(the_map_is_gradient_descent),
                                       cmocka_unit_test(invariants_and_steps_of_the_map)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
