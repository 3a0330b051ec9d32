/* The solution for whole matrices and its trap against the flow itself, and memory. */
#include "taylor.h"

#define SEED 32

static lnt_mat factor_at(lnt_ctx *ctx, const lnt_riccati *r, double T)
{
    lnt_mat G = taylor_new(ctx, r->inputs + r->outputs, r->hidden);
    check_status(ctx, lnt_riccati_at(ctx, G, r, T), LNT_OK);
    assert_true(lnt_mat_finite(G));
    return G;
}

static lnt_mat square_of(lnt_ctx *ctx, lnt_mat G)
{
    lnt_mat P = taylor_new(ctx, G.rows, G.rows);
    lnt_gemm(P, 1, LNT_N, G, LNT_T, G, 0);
    return P;
}

static lnt_mat stacked(lnt_ctx *ctx, lnt_mat W1, lnt_mat W2)
{
    lnt_mat Q = taylor_new(ctx, W1.cols + W2.rows, W1.rows);
    lnt_mat_transpose(lnt_block(Q, 0, 0, W1.cols, W1.rows), W1);
    lnt_mat_copy(lnt_block(Q, W1.cols, 0, W2.rows, W1.rows), W2);
    return Q;
}

/* N1, h, N3; rank of the task and of the start; lambda; size of the start's singular values. */
typedef struct shape {
    int N1, h, N3, task, start;
    double lambda, size;
    bool reversal; /* the task is a negative multiple of the start */
} shape;

static const shape shapes[] = {
    {4, 4, 4, 4, 4, 0, 0.5, false},   {3, 6, 5, 3, 3, 0, 0.5, false},    {5, 6, 3, 3, 3, 0, 0.5, false},
    {5, 2, 4, 4, 2, 0, 0.3, false},   {4, 4, 4, 2, 4, 0, 0.5, false},    {4, 5, 4, 4, 1, 0, 0.5, false},
    {4, 5, 3, 0, 3, 0, 0.7, false},   {4, 5, 3, 3, 0, 0, 0, false},      {4, 4, 4, 4, 4, 0, 0.5, true},
    {3, 6, 5, 3, 3, 0, 0.5, true},    {4, 4, 4, 4, 4, 0.8, 0.5, false},  {4, 4, 4, 4, 4, -0.8, 0.5, false},
    {3, 5, 6, 3, 3, 1.5, 0.5, false}, {6, 5, 3, 3, 3, -1.5, 0.5, false}, {4, 4, 4, 4, 4, 20, 0.5, false},
    {4, 4, 4, 4, 4, -20, 0.5, false}, {4, 4, 4, 4, 4, 1e-6, 0.5, false}, {4, 4, 4, 4, 4, -1e-6, 0.5, true},
    {4, 4, 4, 4, 4, 0.8, 0.5, true},  {4, 5, 3, 3, 3, 0, 1e-8, false},   {4, 3, 3, 3, 3, 1e-9, 1e-9, false},
    {4, 2, 3, 3, 2, 0.7, 0.4, false}, {5, 2, 3, 3, 0, -0.7, 0, false},   {5, 2, 3, 3, 0, 0.7, 0, false},
    {1, 1, 1, 1, 1, 0.3, 0.5, false}, {4, 1, 3, 3, 1, 0.5, 0.2, false},  {4, 1, 3, 3, 1, -0.5, 0.2, false},
    {5, 4, 6, 2, 2, 3, 1, false},     {8, 8, 8, 8, 3, 0, 0.5, false},    {4, 4, 4, 0, 4, 1, 0.5, false},
};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

static void make_case(lnt_ctx *ctx, lnt_mat *Syx, lnt_mat *W1, lnt_mat *W2, const shape *c, uint32_t run)
{
    lnt_rng rng = lnt_rng_stream(SEED, run, LNT_FOR_TESTS);
    double s[8], sig[8];
    lnt_mat U = random_rotation(ctx, c->N3, &rng), V = random_rotation(ctx, c->N1, &rng);
    for (int i = 0; i < 8; i++) {
        s[i] = 0.3 + 1.2 * lnt_rng_uniform(&rng);
        sig[i] = c->size * (0.3 + lnt_rng_uniform(&rng));
    }
    *Syx = from_values(ctx, U, s, c->task, V);
    if (!c->reversal) {
        U = random_rotation(ctx, c->N3, &rng);
        V = random_rotation(ctx, c->N1, &rng);
    }
    balanced_start(ctx, W1, W2, U, V, c->h, sig, c->start, c->lambda, &rng);
    if (c->reversal)
        lnt_gemm(*Syx, -1.7, LNT_N, *W2, LNT_N, *W1, 0);
}

static void print_case(int i)
{
    const shape *c = &shapes[i];
    print_message("case %d, seed %d: %d-%d-%d, task of rank %d, start %d, lambda %g, size %g%s\n", i, SEED, c->N1, c->h,
                  c->N3, c->task, c->start, c->lambda, c->size, c->reversal ? ", reversal" : "");
}

/* |A - B|_max relative to |B|_max or 1; prints the case when it is too large. */
static double compare(int i, lnt_mat A, lnt_mat B, double tolerance, const char *what)
{
    double worst = 0, scale = fmax(1, lnt_mat_max(B));
    for (int k = 0; k < A.cols; k++)
        for (int j = 0; j < A.rows; j++)
            worst = fmax(worst, fabs(*lnt_at(A, j, k) - *lnt_at(B, j, k)) / scale);
    if (!(worst <= tolerance)) {
        print_case(i);
        check_close(A, B, tolerance, what);
    }
    return worst;
}

static void the_solution_is_the_flow(void **state)
{
    static const double times[] = {1e-3, 0.5, 2, 7.5};
    double worst = 0;
    for (int i = 0; i < SHAPES; i++) {
        lnt_ctx *ctx = *state;
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat Syx, W1, W2;
        lnt_riccati r;
        double before = 0;
        make_case(ctx, &Syx, &W1, &W2, &shapes[i], (uint32_t)i);
        check_status(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, shapes[i].lambda), LNT_OK);
        assert_true(lnt_mat_max(r.Q0) == lnt_mat_max(factor_at(ctx, &r, 0))); /* T = 0: the start, to the bit */
        check_close(factor_at(ctx, &r, 0), stacked(ctx, W1, W2), 0, "start");
        for (int k = 0; k < 4; before = times[k++]) {
            taylor_flow(ctx, W1, W2, Syx, NULL, times[k] - before);
            lnt_mat P = square_of(ctx, factor_at(ctx, &r, times[k]));
            worst = fmax(worst, compare(i, P, square_of(ctx, stacked(ctx, W1, W2)), 1e-10, "P"));
        }
        lnt_ctx_reset(ctx, mark);
    }
    if (getenv("LINNET_MEASURE"))
        print_message("Riccati against Taylor series to T = 10: %.2g\n", worst);
}

static void it_continues_from_its_own_factor(void **state)
{
    double worst = 0;
    for (int i = 0; i < SHAPES; i++) {
        lnt_ctx *ctx = *state;
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat Syx, W1, W2;
        lnt_riccati r, next;
        const shape *c = &shapes[i];
        make_case(ctx, &Syx, &W1, &W2, c, (uint32_t)i);
        check_status(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, c->lambda), LNT_OK);
        lnt_mat G = factor_at(ctx, &r, 1.5);
        lnt_mat_transpose(W1, lnt_block(G, 0, 0, c->N1, c->h));
        lnt_mat_copy(W2, lnt_block(G, c->N1, 0, c->N3, c->h));
        check_status(ctx, lnt_riccati_make(ctx, &next, Syx, W1, W2, c->lambda), LNT_OK);
        lnt_mat P = square_of(ctx, factor_at(ctx, &r, 3.5)), P2 = square_of(ctx, factor_at(ctx, &next, 2));
        worst = fmax(worst, compare(i, P2, P, 1e-13, "semigroup"));
        lnt_ctx_reset(ctx, mark);
    }
    if (getenv("LINNET_MEASURE"))
        print_message("semigroup: %.2g\n", worst);
}

/* At 1e9 a generic start has learned the leading min(h, rank) modes; in the directions beyond, lambda remains. */
static void it_ends_at_the_best_map(void **state)
{
    for (int i = 0; i < SHAPES; i++) {
        lnt_ctx *ctx = *state;
        const shape *c = &shapes[i];
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_mat Syx, W1, W2, W, best;
        lnt_riccati r;
        lnt_trap trap;
        make_case(ctx, &Syx, &W1, &W2, c, (uint32_t)i);
        check_status(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, c->lambda), LNT_OK);
        check_status(ctx, lnt_trap_find(ctx, &trap, (lnt_mat){0}, Syx, W1, W2), LNT_OK);
        W = taylor_new(ctx, c->N3, c->N1);
        best = taylor_new(ctx, c->N3, c->N1);
        for (double T = 1e6; T < 2e12; T *= 1e3) {
            lnt_riccati_map(W, &r, factor_at(ctx, &r, T));
            bool all = c->start == c->N1 || c->start == c->N3 || c->start == c->h;
            if (c->reversal || trap.trapped || (c->lambda == 0 && !all))
                continue; /* saddles, left by round-off or not at all */
            lnt_moments m = {1, taylor_new(ctx, c->N1, c->N1), Syx, 0};
            lnt_mat_identity(m.Sxx);
            check_status(ctx, lnt_least_squares(ctx, best, NULL, &m, c->h), LNT_OK);
            compare(i, W, best, c->task < c->N1 || c->task < c->N3 ? 1.1 / T + 1e-12 : 1e-12, "limit");
        }
        lnt_ctx_reset(ctx, mark);
    }
}

static void aligned_starts_are_decoupled_modes(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 100, LNT_FOR_TESTS);
    double s[3] = {1.7, 0.9, 0.4}, sig[3] = {0.2, 1e-3, 0.6}, a[4], b[4];
    for (int draw = 0; draw < 6; draw++) {
        double lambda = (double[]){0, 0.5, -0.5, 0, 3, -1e-3}[draw];
        lnt_mat U = random_rotation(ctx, 3, &rng), V = random_rotation(ctx, 3, &rng), W1, W2;
        lnt_mat Syx = from_values(ctx, U, s, 3, V), W = taylor_new(ctx, 3, 3), H = taylor_new(ctx, 3, 3);
        lnt_riccati r;
        balanced_start(ctx, &W1, &W2, U, V, 3, sig, 3, lambda, &rng);
        check_status(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, lambda), LNT_OK);
        for (double T = 0.1; T < 100; T *= 5) {
            double p[3], h[3], o[3];
            for (int i = 0; i < 3; i++) {
                double large = sqrt((hypot(lambda, 2 * sig[i]) + fabs(lambda)) / 2), small = sig[i] / large;
                a[i] = lambda > 0 ? small : large;
                b[i] = lambda > 0 ? large : small;
                lnt_mode_at(&a[i], &b[i], &a[i], &b[i], 1, s[i], T);
                p[i] = a[i] * b[i];
                h[i] = a[i] * a[i];
                o[i] = b[i] * b[i];
            }
            lnt_mat G = factor_at(ctx, &r, T);
            lnt_riccati_map(W, &r, G);
            check_close(W, from_values(ctx, U, p, 3, V), 1e-13, "W");
            lnt_riccati_hidden(H, &r, G);
            check_close(H, from_values(ctx, V, h, 3, V), 1e-13, "W1^T W1");
            lnt_riccati_outputs(H, &r, G);
            check_close(H, from_values(ctx, U, o, 3, U), 1e-13, "W2 W2^T");
        }
    }
}

/* Any start of one hidden unit is balanced, and the factor is the weights themselves, signs included. */
static void one_hidden_unit_has_its_weights(void **state)
{
    lnt_ctx *ctx = *state;
    double worst = 0;
    for (uint32_t draw = 0; draw < 12; draw++) {
        lnt_rng rng = lnt_rng_stream(SEED, 200 + draw, LNT_FOR_TESTS);
        lnt_mat Syx = random_matrix(ctx, 3, 4, &rng), W1 = random_matrix(ctx, 1, 4, &rng);
        lnt_mat W2 = random_matrix(ctx, 3, 1, &rng);
        lnt_riccati r;
        double imbalance, lambda;
        check_status(ctx, lnt_balance(ctx, &imbalance, &lambda, W1, W2), LNT_OK);
        assert_true(imbalance == 0);
        check_status(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, lambda), LNT_OK);
        for (int k = 0; k < 4; k++) {
            taylor_flow(ctx, W1, W2, Syx, NULL, 2);
            lnt_mat G = factor_at(ctx, &r, 2.0 * (k + 1)), Q = stacked(ctx, W1, W2);
            check_close(G, Q, 1e-11, "weights");
            lnt_mat_add(Q, -1, G);
            worst = fmax(worst, lnt_mat_max(Q));
        }
        lnt_mat early = factor_at(ctx, &r, 1e5), late = factor_at(ctx, &r, 1e9);
        check_close(late, early, 1e-12, "the sign at 1e9");
    }
    if (getenv("LINNET_MEASURE"))
        print_message("one hidden unit: %.2g\n", worst);
}

static void similarities_are_blocks(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_mat Syx, W1, W2;
    lnt_riccati r;
    const shape *c = &shapes[12];
    lnt_rng rng = lnt_rng_stream(SEED, 300, LNT_FOR_TESTS);
    make_case(ctx, &Syx, &W1, &W2, c, 12);
    lnt_mat X = random_matrix(ctx, c->N1, 7, &rng), A = taylor_new(ctx, 7, 7), B = taylor_new(ctx, c->N3, c->N3);
    check_status(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, c->lambda), LNT_OK);
    lnt_mat G = factor_at(ctx, &r, 1.3), Z, K = taylor_new(ctx, 7, 7), XX = taylor_new(ctx, 7, 7);
    check_status(ctx, lnt_riccati_similarity(ctx, A, &r, G, X), LNT_OK);
    lnt_riccati_outputs(B, &r, G);
    taylor_flow(ctx, W1, W2, Syx, NULL, 1.3);
    Z = product_of(ctx, W1, X);
    lnt_gemm(K, 1, LNT_T, Z, LNT_N, Z, 0);
    check_close(A, K, 1e-12, "hidden similarity");
    lnt_mat O = taylor_new(ctx, c->N3, c->N3);
    lnt_gemm(O, 1, LNT_N, W2, LNT_T, W2, 0);
    check_close(B, O, 1e-12, "output similarity");
    /* the tangent kernel from derivatives: d f_k(x)/dW2 = e_k (W1 x)^T, d f_k(x)/dW1 = W2^T e_k x^T */
    lnt_gemm(XX, 1, LNT_T, X, LNT_N, X, 0);
    double dot = 0;
    for (int k = 0; k < c->N3; k++)
        for (int l = 0; l < c->N3; l++)
            for (int i = 0; i < 7; i++)
                for (int j = 0; j < 7; j++) {
                    double kernel = (k == l ? *lnt_at(K, i, j) : 0) + *lnt_at(O, k, l) * *lnt_at(XX, i, j);
                    dot += kernel * kernel;
                }
    check_near(lnt_ntk_dot(A, B, A, B, XX) / dot, 1, 1e-12, "|NTK|^2");
    assert_true(lnt_kernel_alignment(A, A) > 1 - 1e-15);
}

static void bad_numbers_are_refused(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_mat Syx, W1, W2;
    lnt_riccati r;
    make_case(ctx, &Syx, &W1, &W2, &shapes[0], 0);
    check_failure(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, NAN), LNT_EDOMAIN, "not finite");
    check_status(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, 0), LNT_OK);
    lnt_mat G = taylor_new(ctx, 8, 4);
    check_failure(ctx, lnt_riccati_at(ctx, G, &r, -1), LNT_EDOMAIN, "time -1");
    check_failure(ctx, lnt_riccati_at(ctx, G, &r, INFINITY), LNT_EDOMAIN, "time inf");
    *lnt_at(Syx, 0, 0) = NAN;
    check_failure(ctx, lnt_riccati_make(ctx, &r, Syx, W1, W2, 0), LNT_EDOMAIN, "not finite");
}

/* ---- The determinant-sign trap ---- */

static void wrong_signs_end_on_the_saddle(void **state)
{
    lnt_ctx *ctx = *state;
    int trapped = 0, draws = 24;
    double s[3] = {1.5, 1.1, 0.6};
    for (int draw = 0; draw < draws; draw++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_rng rng = lnt_rng_stream(SEED, 400 + (uint32_t)draw, LNT_FOR_TESTS);
        int h = 3 + draw % 3;
        double sig[3] = {0.3, 0.2, 0.1};
        lnt_mat U = random_rotation(ctx, 3, &rng), V = random_rotation(ctx, 3, &rng), W1, W2, W;
        lnt_mat Syx = from_values(ctx, U, s, 3, V), saddle = taylor_new(ctx, 3, 3);
        lnt_trap trap;
        U = random_rotation(ctx, 3, &rng);
        V = random_rotation(ctx, 3, &rng);
        balanced_start(ctx, &W1, &W2, U, V, h, sig, 3, 0, &rng);
        check_status(ctx, lnt_trap_find(ctx, &trap, saddle, Syx, W1, W2), LNT_OK);
        trapped += trap.trapped;
        taylor_flow(ctx, W1, W2, Syx, NULL, 20 / s[2]);
        W = product_of(ctx, W2, W1);
        check_close(W, saddle, 1e-4, trap.trapped ? "saddle" : "minimum");
        lnt_mat_add(W, -1, Syx);
        if (trap.trapped) {
            check_near(lnt_mat_dot(W, W) / 2, trap.excess, 1e-4, "excess");
            check_near(trap.excess, 0.18, 1e-12, "s^2/2");
            assert_true(trap.escape > 25 / s[2] && trap.escape < 37 / s[2]);
        }
        lnt_ctx_reset(ctx, mark);
    }
    if (trapped < draws / 4 || trapped > 3 * draws / 4)
        fail_msg("%d of %d draws trapped (seed %d)", trapped, draws, SEED);
}

static void what_opens_the_trap(void **state)
{
    lnt_ctx *ctx = *state;
    double sig[3] = {0.3, 0.2, 0.1}, lambda = 0;
    lnt_trap trap;
    for (int kind = 0; kind < 5; kind++) { /* none, lambda, imbalance, a narrow layer, a task of lower rank */
        lnt_rng rng = lnt_rng_stream(SEED, 500, LNT_FOR_TESTS);
        lnt_mat U = random_rotation(ctx, 3, &rng), V = random_rotation(ctx, 3, &rng), W1, W2;
        lambda = kind == 1 ? 0.1 : 0;
        balanced_start(ctx, &W1, &W2, U, V, kind == 3 ? 2 : 3, sig, kind == 3 ? 2 : 3, lambda, &rng);
        lnt_mat Syx = product_of(ctx, W2, W1);
        lnt_mat_scale(Syx, -2); /* three signs turned: the determinant's too */
        if (kind == 2)
            *lnt_at(W1, 0, 0) += 1e-6;
        if (kind == 4)
            lnt_mat_fill(lnt_columns(Syx, 0, 1), 0);
        check_status(ctx, lnt_trap_find(ctx, &trap, (lnt_mat){0}, Syx, W1, W2), LNT_OK);
        assert_int_equal(trap.trapped, kind == 0);
    }
}

/* ---- Memory ---- */

/* Every function of modes.h that takes a context, once, on numbers that need all their branches. */
static lnt_status everything(lnt_ctx *ctx, void *user)
{
    (void)user;
    static double w1[] = {1, 0.2, 0.2, -0.5}, w2[] = {1, 0.2, 0.2, -0.5}, task[] = {1, 0, 0, 1}, u[4], v[4], x[8];
    lnt_mat W1 = lnt_mat_view(w1, 2, 2), W2 = lnt_mat_view(w2, 2, 2), S = lnt_mat_view(task, 2, 2);
    lnt_mat U = lnt_mat_view(u, 2, 2), VT = lnt_mat_view(v, 2, 2), G, K;
    double s[2] = {1, 1}, value[8], number, other;
    int in[2] = {1, 0}, rank;
    lnt_riccati r;
    lnt_trap trap;
    lnt_energy energy;
    lnt_end_to_end flow = {ctx, S, S, 2, 2};
    lnt_status status;
#define TRY(call)                                                                                                      \
    if ((status = (call)) != LNT_OK)                                                                                   \
    return status
    lnt_mat_identity(U);
    lnt_mat_identity(VT);
    TRY(lnt_mat_alloc(ctx, &G, 4, 2));
    TRY(lnt_mat_alloc(ctx, &K, 2, 2));
    TRY(lnt_riccati_make(ctx, &r, S, W1, W2, 0));
    TRY(lnt_riccati_at(ctx, G, &r, 1));
    TRY(lnt_riccati_similarity(ctx, K, &r, G, S));
    w2[3] = 0.5;
    w1[3] = 0.5;
    TRY(lnt_trap_find(ctx, &trap, K, S, W1, W2));
    TRY(lnt_start_first_order(ctx, x, U, VT, W1, W2));
    TRY(lnt_start_effective(ctx, x, U, VT, s, 1e-6, W1, W2));
    TRY(lnt_balance(ctx, &number, &other, W1, W2));
    TRY(lnt_alignedness(ctx, &number, x, W1, U, VT));
    TRY(lnt_shared_basis(ctx, x, &number, S, VT));
    TRY(lnt_hessian_balanced(ctx, value, &rank, s, in, 2, 2, 2));
    TRY(lnt_hessian_minimum(ctx, value, W1, W2));
    TRY(lnt_minimum_sharpness(ctx, &number, W1, W2));
    TRY(lnt_energy_split(ctx, &energy, K, (lnt_mat){0}, 1, 1, W1, W2, s));
    TRY(lnt_neuron_limit(ctx, x, NULL, S, s, s, 1, 1));
    TRY(lnt_end_to_end_rhs(x, w1, 0, &flow));
#undef TRY
    return lnt_rank(ctx, &rank, W1);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    long total = check_allocations(everything, NULL, LNT_OK, 1000);
    if (getenv("LINNET_MEASURE"))
        print_message("allocations: %ld\n", total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(the_solution_is_the_flow),
                                       WITH_CTX(it_continues_from_its_own_factor),
                                       WITH_CTX(it_ends_at_the_best_map),
                                       WITH_CTX(aligned_starts_are_decoupled_modes),
                                       WITH_CTX(one_hidden_unit_has_its_weights),
                                       WITH_CTX(similarities_are_blocks),
                                       WITH_CTX(bad_numbers_are_refused),
                                       WITH_CTX(wrong_signs_end_on_the_saddle),
                                       WITH_CTX(what_opens_the_trap),
                                       cmocka_unit_test(running_out_of_memory_is_reported)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
