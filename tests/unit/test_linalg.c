/* Matrices and their factorisations, against plain loops and the identities that define them. */
#include "check.h"

#include <omp.h>

#include <float.h>

int openblas_get_num_threads(void);
void openblas_set_num_threads(int threads);

#define SEED 4711

/* A random matrix as a block inside a larger one, so that ld > rows; *parent receives the larger one. */
static lnt_mat framed(lnt_ctx *ctx, lnt_mat *parent, int rows, int cols, lnt_rng *rng)
{
    *parent = random_matrix(ctx, rows + 5, cols + 3, rng);
    return lnt_block(*parent, 2, 1, rows, cols);
}

static lnt_mat copy(lnt_ctx *ctx, lnt_mat A)
{
    lnt_mat B = zeros(ctx, A.rows, A.cols);
    lnt_mat_copy(B, A);
    return B;
}

static double entry(lnt_op op, lnt_mat A, int i, int j)
{
    return op == LNT_T ? *lnt_at(A, j, i) : *lnt_at(A, i, j);
}

/* C <- alpha op(A) op(B) + beta C, by the definition. */
static void plain_product(lnt_mat C, double alpha, lnt_op opA, lnt_mat A, lnt_op opB, lnt_mat B, double beta, int k)
{
    for (int j = 0; j < C.cols; j++)
        for (int i = 0; i < C.rows; i++) {
            double sum = 0;
            for (int l = 0; l < k; l++)
                sum += entry(opA, A, i, l) * entry(opB, B, l, j);
            *lnt_at(C, i, j) = alpha * sum + (beta == 0 ? 0 : beta * *lnt_at(C, i, j));
        }
}

static lnt_mat product(lnt_ctx *ctx, lnt_op opA, lnt_mat A, lnt_op opB, lnt_mat B)
{
    lnt_mat C = zeros(ctx, opA == LNT_T ? A.cols : A.rows, opB == LNT_T ? B.rows : B.cols);
    plain_product(C, 1, opA, A, opB, B, 0, opA == LNT_T ? A.rows : A.cols);
    return C;
}

/* Columns (LNT_T) or rows (LNT_N) of A are orthonormal. */
static void check_orthonormal(lnt_ctx *ctx, lnt_op op, lnt_mat A, const char *what)
{
    lnt_mat G = product(ctx, op, A, op == LNT_T ? LNT_N : LNT_T, A), I = zeros(ctx, G.rows, G.cols);
    lnt_mat_identity(I);
    check_close(G, I, 1e-13, what);
}

/* ---- Products ---- */

static void gemm_equals_plain_loops(void **state)
{
    const int size[][3] = {{7, 4, 9}, {1, 1, 1}, {1, 6, 3}, {5, 1, 2}, {4, 3, 1}, {40, 33, 65}};
    const double beta[] = {0, 1, -0.5};
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int c = 0; c < 6 * 4 * 3; c++) {
        const int *s = size[c / 12];
        lnt_op opA = c & 1 ? LNT_T : LNT_N, opB = c & 2 ? LNT_T : LNT_N;
        lnt_mat PA, PB, PC, A, B, C;
        A = opA == LNT_T ? framed(*state, &PA, s[2], s[0], &rng) : framed(*state, &PA, s[0], s[2], &rng);
        B = opB == LNT_T ? framed(*state, &PB, s[1], s[2], &rng) : framed(*state, &PB, s[2], s[1], &rng);
        C = framed(*state, &PC, s[0], s[1], &rng);
        lnt_mat expected = copy(*state, PC);
        plain_product(lnt_block(expected, 2, 1, s[0], s[1]), 1.5, opA, A, opB, B, beta[c / 4 % 3], s[2]);
        lnt_gemm(C, 1.5, opA, A, opB, B, beta[c / 4 % 3]);
        check_close(PC, expected, 1e-13, lnt_sprintf(*state, "seed %d, case %d", SEED, c));
    }
}

/* With beta = 0 an output that was never written may hold NaN. */
static void gemm_and_syrk_ignore_the_output_for_beta_zero(void **state)
{
    lnt_mat A = zeros(*state, 3, 2), C = zeros(*state, 3, 3), zero = zeros(*state, 3, 3);
    lnt_mat_fill(C, NAN);
    lnt_gemm(C, 1, LNT_N, A, LNT_T, A, 0);
    check_close(C, zero, 0, "gemm");
    lnt_mat_fill(C, NAN);
    lnt_syrk(C, 1, LNT_N, A, 0);
    lnt_symmetrize(C);
    check_close(C, zero, 0, "syrk");
}

static void empty_products(void **state)
{
    lnt_mat A = zeros(*state, 3, 0), B = zeros(*state, 0, 2), C = zeros(*state, 3, 2);
    lnt_mat_fill(C, 7);
    lnt_gemm(C, 1, LNT_N, A, LNT_N, B, 0);
    check_close(C, zeros(*state, 3, 2), 0, "a sum over nothing");
    lnt_gemm(zeros(*state, 0, 2), 1, LNT_T, A, LNT_N, C, 0);
    lnt_syrk(zeros(*state, 0, 0), 1, LNT_N, B, 0);
}

static void syrk_equals_plain_loops(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int op = 0; op < 2; op++) {
        lnt_mat PA, PC, A = framed(*state, &PA, 6, 4, &rng), C = framed(*state, &PC, op ? 4 : 6, op ? 4 : 6, &rng);
        lnt_op opA = op ? LNT_T : LNT_N, other = op ? LNT_N : LNT_T;
        lnt_symmetrize(C);
        lnt_mat expected = copy(*state, PC);
        plain_product(lnt_block(expected, 2, 1, C.rows, C.cols), 2, opA, A, other, A, -1, op ? 6 : 4);
        lnt_syrk(C, 2, opA, A, -1);
        lnt_symmetrize(C);
        check_close(PC, expected, 1e-13, op ? "A^T A" : "A A^T");
    }
}

/* Every number of rows, columns and terms that fills vectors or does not, in every combination of transposes, within
 * frames that must not change; NaN in what beta = 0 overwrites. */
static void check_product(lnt_ctx *ctx, int m, int n, int k, lnt_rng *rng)
{
    const double beta[] = {0, 1, -0.5};
    for (int c = 0; c < 12; c++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_op opA = c & 1 ? LNT_T : LNT_N, opB = c & 2 ? LNT_T : LNT_N;
        lnt_mat PA, PB, PC, A, B, C;
        A = opA == LNT_T ? framed(ctx, &PA, k, m, rng) : framed(ctx, &PA, m, k, rng);
        B = opB == LNT_T ? framed(ctx, &PB, n, k, rng) : framed(ctx, &PB, k, n, rng);
        C = framed(ctx, &PC, m, n, rng);
        if (beta[c / 4] == 0)
            lnt_mat_fill(C, NAN);
        lnt_mat expected = copy(ctx, PC);
        plain_product(lnt_block(expected, 2, 1, m, n), 1.5, opA, A, opB, B, beta[c / 4], k);
        lnt_gemm(C, 1.5, opA, A, opB, B, beta[c / 4]);
        check_close(PC, expected, 1e-13, lnt_sprintf(ctx, "%d x %d x %d, seed %d, case %d", m, n, k, SEED, c));
        lnt_ctx_reset(ctx, mark);
    }
}

static void small_products_equal_plain_loops(void **state)
{
    const int terms[] = {0, 1, 3, 8, 16, 17, 33},
              large[][3] = {{10, 100, 100}, {5, 60, 64}, {15, 61, 40}, {32, 90, 400}, {29, 130, 300}, {10, 300, 500}};
    lnt_rng rng = lnt_rng_stream(SEED, 7, LNT_FOR_TESTS);
    for (int m = 1; m <= 17; m++)
        for (int n = 1; n <= 27; n++)
            for (int t = 0; t < 7; t++)
                check_product(*state, m, n, terms[t], &rng);
    for (int t = 0; t < 6; t++)
        check_product(*state, large[t][0], large[t][1], large[t][2], &rng);
}

static void small_syrk_equals_plain_loops(void **state)
{
    const int terms[] = {0, 1, 5, 64};
    const double beta[] = {0, 1, -0.5};
    lnt_rng rng = lnt_rng_stream(SEED, 8, LNT_FOR_TESTS);
    for (int n = 1; n <= 60; n++)
        for (int c = 0; c < 12; c++) {
            lnt_mark mark = lnt_ctx_mark(*state);
            lnt_mat PA, PC, A = framed(*state, &PA, n, terms[c % 4], &rng), C = framed(*state, &PC, n, n, &rng);
            lnt_symmetrize(C);
            if (c < 4)
                lnt_mat_fill(C, NAN);
            lnt_mat expected = copy(*state, PC);
            plain_product(lnt_block(expected, 2, 1, n, n), 2, LNT_N, A, LNT_T, A, beta[c / 4], terms[c % 4]);
            lnt_syrk(C, 2, LNT_N, A, beta[c / 4]);
            lnt_symmetrize(C);
            check_close(PC, expected, 1e-13, lnt_sprintf(*state, "order %d, case %d, seed %d", n, c, SEED));
            lnt_ctx_reset(*state, mark);
        }
}

/* Those that are cut into parts: sizes around their limits. */
static void large_syrk_equals_gemm(void **state)
{
    const int sizes[][2] = {{20, 4000}, {61, 1074}, {61, 1075}, {210, 700}, {800, 90}, {801, 90}};
    lnt_rng rng = lnt_rng_stream(SEED, 9, LNT_FOR_TESTS);
    for (int c = 0; c < 6; c++) {
        lnt_mark mark = lnt_ctx_mark(*state);
        int n = sizes[c][0];
        lnt_mat A = random_matrix(*state, n, sizes[c][1], &rng), C = zeros(*state, n, n),
                expected = zeros(*state, n, n);
        lnt_mat_fill(C, 1);
        lnt_mat_fill(expected, 1);
        lnt_gemm(expected, 2, LNT_N, A, LNT_T, A, -3);
        lnt_syrk(C, 2, LNT_N, A, -3);
        lnt_symmetrize(C);
        check_close(C, expected, 1e-13, lnt_sprintf(*state, "order %d", n));
        lnt_ctx_reset(*state, mark);
    }
}

/* ---- Products of bytes ---- */

/* Random bytes with many zeros, or the extremes only, in rows that are `stride` apart. */
static uint8_t *make_bytes(lnt_ctx *ctx, size_t n, int kind, lnt_rng *rng)
{
    uint8_t *x = lnt_alloc(ctx, n, 1);
    for (size_t i = 0; i < n; i++)
        x[i] = (uint8_t)(kind == 0   ? 255
                         : kind == 1 ? 0
                         : kind == 2 ? 255 * lnt_rng_below(rng, 2)
                                     : lnt_rng_below(rng, 256));
    return x;
}

static void check_byte_products(lnt_ctx *ctx, int m, int n, int rows, int kind, bool symmetric, lnt_rng *rng)
{
    size_t stride = (size_t)(m + n + 3), ld = 48 * (((size_t)(m > n ? m : n) + 47) / 48);
    lnt_mark mark = lnt_ctx_mark(ctx);
    const uint8_t *a = make_bytes(ctx, stride * (size_t)rows, kind, rng), *b = symmetric ? a : a + m;
    for (int simd = 0; simd < 2; simd++) {
        int32_t *S = lnt_alloc(ctx, ld * ld, sizeof *S);
        for (size_t i = 0; i < ld * ld; i++)
            S[i] = 7;
        void *scratch = lnt_alloc(ctx, lnt_gemm_bytes_scratch(m, n), 1);
        lnt_simd_allow(simd);
        lnt_gemm_bytes(S, (int)ld, a, m, b, n, stride, rows, scratch);
        lnt_gemm_bytes(S, (int)ld, a, m, b, n, stride, rows, scratch);
        lnt_simd_allow(true);
        for (size_t j = 0; j < (size_t)n; j++)
            for (size_t i = symmetric ? j : 0; i < (size_t)m; i++) {
                long sum = 0;
                for (size_t k = 0; k < (size_t)rows; k++)
                    sum += (a[k * stride + i] - 128) * (b[k * stride + j] - 128);
                if (S[j * ld + i] != 7 + 2 * sum)
                    fail_msg("%d x %d, %d rows, kind %d, simd %d: (%zu,%zu) is %d, not %ld", m, n, rows, kind, simd, i,
                             j, S[j * ld + i], 7 + 2 * sum);
            }
    }
    lnt_ctx_reset(ctx, mark);
}

static void products_of_bytes_are_exact(void **state)
{
    const int width[] = {1, 5, 15, 16, 17, 47, 48, 49, 64, 65, 97, 131}, rows[] = {1, 2, 3, 4, 5, 8, 127, 511, 512};
    lnt_rng rng = lnt_rng_stream(SEED, 9, LNT_FOR_TESTS);
    for (int w = 0; w < 12; w++)
        for (int r = 0; r < 9; r++)
            for (int kind = 0; kind < 4; kind++) {
                check_byte_products(*state, width[w], width[w], rows[r], kind, true, &rng);
                check_byte_products(*state, width[w], width[(w * 5 + r) % 12], rows[r], kind, false, &rng);
            }
}

/* Against plain sums, with NaN in the output; a sample beside another one must not feel it, to the last bit. */
static void check_byte_map(lnt_ctx *ctx, int outputs, int D, int samples, int kind, lnt_rng *rng)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat PA, PZ, A = framed(ctx, &PA, outputs, D, rng), Z = framed(ctx, &PZ, outputs, samples, rng),
                    mean = random_matrix(ctx, D, 1, rng), alone = zeros(ctx, outputs, 1);
    uint8_t *x = make_bytes(ctx, (size_t)D * (size_t)samples, kind, rng);
    for (int i = 0; i < D * samples && kind == 3; i++)
        x[i] = lnt_rng_below(rng, 3) ? 0 : x[i];
    for (int c = 0; c < 4; c++) {
        lnt_byte_map map;
        lnt_mat_fill(Z, NAN);
        lnt_mat expected = copy(ctx, PZ);
        for (int j = 0; j < samples; j++)
            for (int i = 0; i < outputs; i++) {
                double sum = 0;
                for (int k = 0; k < D; k++)
                    sum += *lnt_at(A, i, k) * (x[j * D + k] - (c & 1 ? mean.a[k] : 0));
                *lnt_at(expected, i + 2, j + 1) = sum;
            }
        lnt_simd_allow(c < 2);
        check_status(ctx, lnt_byte_map_make(ctx, &map, A, c & 1 ? mean.a : NULL), LNT_OK);
        check_status(ctx, lnt_byte_map_apply(ctx, Z, &map, x), LNT_OK);
        check_close(PZ, expected, 1e-13, lnt_sprintf(ctx, "%d of %d, case %d, kind %d", outputs, D, c, kind));
        for (int j = 0; j < samples && c < 2; j++) {
            check_status(ctx, lnt_byte_map_apply(ctx, alone, &map, x + j * D), LNT_OK);
            if (outputs >= 8)
                check_close(alone, lnt_columns(Z, j, 1), 0, "a sample alone");
        }
        lnt_simd_allow(true);
    }
    lnt_ctx_reset(ctx, mark);
}

static void maps_of_bytes_equal_plain_loops(void **state)
{
    const int outputs[] = {1, 7, 8, 9, 16, 23, 40, 57, 64, 81, 96, 100, 104, 105, 213},
              inputs[] = {1, 5, 31, 32, 33, 64, 70, 130};
    lnt_rng rng = lnt_rng_stream(SEED, 10, LNT_FOR_TESTS);
    for (int m = 0; m < 15; m++)
        for (int D = 0; D < 8; D++)
            check_byte_map(*state, outputs[m], inputs[D], 1 + (m + D) % 5, (m + D) % 4, &rng);
}

/* ---- Eigenvalues ---- */

static void check_eigh(lnt_ctx *ctx, lnt_mat A, double *w)
{
    int n = A.rows;
    lnt_mat frame = zeros(ctx, n + 2, n), V = lnt_block(frame, 1, 0, n, n), S = copy(ctx, A), full = copy(ctx, A);
    lnt_symmetrize(full);
    for (int c = 1; c < S.cols; c++) /* only the lower triangle counts */
        lnt_mat_fill(lnt_block(S, 0, c, c, 1), NAN);
    check_status(ctx, lnt_eigh(ctx, w, V, S), LNT_OK);
    check_orthonormal(ctx, LNT_T, V, "eigenvectors");
    lnt_mat AV = product(ctx, LNT_N, full, LNT_N, V), VD = copy(ctx, V);
    for (int j = 0; j < n; j++) {
        lnt_mat_scale(lnt_columns(VD, j, 1), w[j]);
        assert_true(j == 0 || w[j - 1] <= w[j]);
    }
    check_close(AV, VD, 1e-13, "A V = V diag(w)");
}

static void eigh_of_random_matrices(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    const int size[] = {0, 1, 2, 3, 10, 40};
    for (int i = 0; i < 6; i++) {
        double w[40];
        lnt_mat A = random_matrix(*state, size[i], size[i], &rng); /* only its lower triangle counts */
        check_eigh(*state, A, w);
    }
}

/* The vectors of the largest eigenvalues only: part of all of them. */
static void eigh_of_the_largest(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 11, LNT_FOR_TESTS);
    const double scale[] = {1, 1e-200, 1e200, -1, 0};
    const int size[] = {1, 2, 5, 60};
    for (int c = 0; c < 4 * 5 * 4; c++) {
        lnt_mark mark = lnt_ctx_mark(*state);
        int n = size[c % 4], k = n * (c / 20) / 4;
        double w[60], all[60], s = scale[c / 4 % 5];
        lnt_mat frame, V = framed(*state, &frame, n, k, &rng), A = random_matrix(*state, n, n, &rng);
        lnt_symmetrize(A);
        lnt_mat B = copy(*state, A), W = zeros(*state, n, n);
        lnt_mat_scale(B, s);
        check_status(*state, lnt_eigh(*state, all, W, copy(*state, B)), LNT_OK);
        check_status(*state, lnt_eigh(*state, w, V, copy(*state, B)), LNT_OK);
        if (s != 0)
            for (int i = 0; i < n; i++) {
                w[i] /= fabs(s);
                all[i] /= fabs(s);
            }
        check_close(lnt_mat_view(w, n, 1), lnt_mat_view(all, n, 1), 1e-13, "eigenvalues");
        check_orthonormal(*state, LNT_T, V, "eigenvectors");
        lnt_mat AV = product(*state, LNT_N, A, LNT_N, V), VD = copy(*state, V);
        for (int j = 0; j < k && s != 0; j++)
            lnt_mat_scale(lnt_columns(VD, j, 1), w[n - k + j] * (s < 0 ? -1 : 1));
        if (s != 0)
            check_close(AV, VD, 1e-13, lnt_sprintf(*state, "A V = V diag(w), %d of %d, scale %g", k, n, s));
        lnt_ctx_reset(*state, mark);
    }
    double w[3];
    lnt_mat A = zeros(*state, 3, 3), V = zeros(*state, 3, 1);
    *lnt_at(A, 2, 1) = NAN;
    check_failure(*state, lnt_eigh(*state, w, V, A), LNT_EDOMAIN, "3 x 3");
}

static void eigh_of_special_matrices(void **state)
{
    double w[6], expected[] = {-1, 2, 2, 2, 2, 5};
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    lnt_mat Q = random_matrix(*state, 6, 6, &rng), D = zeros(*state, 6, 6);
    check_status(*state, lnt_qr(*state, Q, w), LNT_OK);
    for (int i = 0; i < 6; i++)
        *lnt_at(D, i, i) = expected[i];
    check_eigh(*state, product(*state, LNT_N, product(*state, LNT_N, Q, LNT_N, D), LNT_T, Q), w);
    check_close(lnt_mat_view(w, 6, 1), lnt_mat_view(expected, 6, 1), 1e-13, "repeated eigenvalues");
    check_eigh(*state, zeros(*state, 6, 6), w);
    assert_true(w[0] == 0 && w[5] == 0);
    double one = -3;
    check_eigh(*state, lnt_mat_view(&one, 1, 1), w);
    assert_true(w[0] == -3);
}

static void non_finite_input_is_refused(void **state)
{
    double w[3], bad[] = {NAN, INFINITY, -INFINITY};
    for (int k = 0; k < 3; k++) {
        lnt_mat A = zeros(*state, 3, 3), U = zeros(*state, 3, 3), V = zeros(*state, 3, 3);
        *lnt_at(A, 2, 1) = bad[k];
        check_failure(*state, lnt_eigh(*state, w, V, A), LNT_EDOMAIN, "3 x 3");
        check_failure(*state, lnt_svd(*state, U, w, V, A), LNT_EDOMAIN, "3 x 3");
        check_failure(*state, lnt_qr(*state, A, w), LNT_EDOMAIN, "3 x 3");
    }
}

/* ---- Singular values, QR ---- */

/* Checks the factors of scale * A, all sums done at the size of A. */
static void check_svd(lnt_ctx *ctx, lnt_mat A, double scale, double *s, bool full)
{
    int k = A.rows < A.cols ? A.rows : A.cols;
    lnt_mat U = zeros(ctx, A.rows, full ? A.rows : k), VT = zeros(ctx, full ? A.cols : k, A.cols), B = copy(ctx, A), US;
    lnt_mat_scale(B, scale);
    lnt_mat before = copy(ctx, B);
    check_status(ctx, lnt_svd(ctx, U, s, VT, B), LNT_OK);
    assert_memory_equal(B.a, before.a, (size_t)A.rows * (size_t)A.cols * sizeof *B.a);
    check_orthonormal(ctx, LNT_T, U, "U");
    check_orthonormal(ctx, LNT_N, VT, "VT");
    US = copy(ctx, U);
    for (int i = 0; i < k; i++) {
        assert_true(s[i] >= 0 && (i == 0 || s[i - 1] >= s[i]));
        lnt_mat_scale(lnt_columns(US, i, 1), s[i] / scale);
    }
    US = lnt_columns(US, 0, k);
    VT = lnt_block(VT, 0, 0, k, A.cols);
    check_close(product(ctx, LNT_N, US, LNT_N, VT), A, 1e-13, lnt_sprintf(ctx, "U S VT at scale %g", scale));
}

static void svd_of_every_shape(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 4, LNT_FOR_TESTS);
    const int size[][2] = {{9, 4}, {4, 9}, {5, 5}, {1, 1}, {1, 7}, {7, 1}, {30, 20}, {3, 0}, {0, 3}};
    const double scale[] = {1, 1e-200, 1e200, -1};
    for (int c = 0; c < 9 * 4; c++) {
        double s[20];
        lnt_mat parent, A = framed(*state, &parent, size[c / 4][0], size[c / 4][1], &rng);
        check_svd(*state, A, scale[c % 4], s, false);
        check_svd(*state, A, scale[c % 4], s, true);
    }
}

static void svd_of_singular_matrices(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 5, LNT_FOR_TESTS);
    double s[8];
    lnt_mat A = product(*state, LNT_N, random_matrix(*state, 8, 3, &rng), LNT_N, random_matrix(*state, 3, 10, &rng));
    check_svd(*state, A, 1, s, true);
    assert_true(s[2] > 1e-3 && s[3] < 1e-13 * s[0]);
    check_svd(*state, zeros(*state, 8, 5), 1, s, true);
    assert_true(s[0] == 0 && s[4] == 0);
}

/* Q^T A must be upper triangular with the reported diagonal. */
static void qr_factors(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 6, LNT_FOR_TESTS);
    const int size[][2] = {{5, 5}, {9, 4}, {1, 1}, {6, 1}, {40, 35}, {3, 0}};
    for (int c = 0; c < 6; c++) {
        int m = size[c][0], n = size[c][1];
        double diag[40];
        lnt_mat parent, Q = framed(*state, &parent, m, n, &rng), A = copy(*state, Q);
        check_status(*state, lnt_qr(*state, Q, diag), LNT_OK);
        check_orthonormal(*state, LNT_T, Q, "Q");
        lnt_mat R = product(*state, LNT_T, Q, LNT_N, A);
        for (int j = 0; j < n; j++) {
            check_near(*lnt_at(R, j, j), diag[j], 1e-13, "diagonal of R");
            for (int i = j + 1; i < n; i++)
                check_near(*lnt_at(R, i, j), 0, 1e-13, "below the diagonal of R");
        }
        check_close(product(*state, LNT_N, Q, LNT_N, R), A, 1e-13, "Q R");
    }
}

/* ---- Norms, BLAS threads ---- */

static void vectors_equal_plain_loops(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 40, LNT_FOR_TESTS);
    for (int m = 0; m < 70; m += 7)
        for (int n = 0; n < 40; n += 13)
            for (int op = 0; op < 2; op++) {
                lnt_mat parent, A = framed(ctx, &parent, m, n, &rng);
                int in = op == LNT_T ? m : n, out = op == LNT_T ? n : m;
                lnt_mat x = random_matrix(ctx, in, 1, &rng), y = random_matrix(ctx, out, 1, &rng), z = copy(ctx, y);
                double dot = 0;
                lnt_gemv(y.a, 2, op, A, x.a, -0.5);
                for (int i = 0; i < out; i++) {
                    double sum = 0;
                    for (int k = 0; k < in; k++)
                        sum += entry(op, A, i, k) * x.a[k];
                    z.a[i] = 2 * sum - 0.5 * z.a[i];
                }
                check_close(y, z, 1e-13, "A x");
                lnt_vec_add(out, 3, y.a, z.a);
                check_close(z, (lnt_mat_scale(y, 4), y), 1e-13, "z + 3 y");
                for (int i = 0; i < out; i++) {
                    dot += y.a[i] * z.a[i];
                    y.a[i] = NAN;
                }
                check_near(lnt_vec_dot(out, z.a, z.a), dot, 1e-12 * (1 + dot), "dot");
                lnt_gemv(y.a, 1, op, A, x.a, 0); /* what was there does not matter */
                assert_true(lnt_mat_finite(y));
            }
}

static void cholesky_factors_and_solves(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 41, LNT_FOR_TESTS);
    for (int n = 0; n < 60; n += 6) {
        lnt_mat parent, L = framed(ctx, &parent, n, n, &rng), A = zeros(ctx, n, n), B = random_matrix(ctx, n, 3, &rng);
        lnt_mat Z = random_matrix(ctx, n, n + 2, &rng);
        lnt_gemm(A, 1, LNT_N, Z, LNT_T, Z, 0);
        for (int j = 0; j < n; j++)
            for (int i = 0; i < n; i++)
                *lnt_at(L, i, j) = i >= j ? *lnt_at(A, i, j) : NAN; /* not read */
        assert_true(lnt_cholesky(L));
        for (int count = 1; count <= 3; count += 2) {
            lnt_mat X = copy(ctx, lnt_columns(B, 0, count)), C = zeros(ctx, n, count);
            lnt_solve_lower(X, LNT_N, L);
            lnt_solve_lower(X, LNT_T, L);
            lnt_gemm(C, 1, LNT_N, A, LNT_N, X, 0);
            check_close(C, lnt_columns(B, 0, count), 1e-9, "A A^-1 B");
        }
        if (n > 0) {
            lnt_mat_copy(L, A);
            *lnt_at(L, n - 1, n - 1) = -1;
            assert_false(lnt_cholesky(L));
        }
    }
}

static void norms_neither_overflow_nor_underflow(void **state)
{
    (void)state;
    const double scale[] = {1, 1e200, 1e-200, DBL_MAX / 8, DBL_MIN};
    for (int i = 0; i < 5; i++) {
        double a[] = {3 * scale[i], 0, -4 * scale[i], 0};
        lnt_mat A = lnt_mat_view(a, 2, 2);
        check_near(lnt_mat_norm(A) / scale[i], 5, 1e-15, "norm");
        check_near(lnt_mat_rms(A) / scale[i], 2.5, 1e-15, "root mean square");
        check_near(lnt_mat_max(A) / scale[i], 4, 1e-15, "largest entry");
    }
    double bad[] = {1, NAN, INFINITY, 2};
    assert_true(isnan(lnt_mat_norm(lnt_mat_view(bad, 4, 1))));
    assert_true(isinf(lnt_mat_norm(lnt_mat_view(bad + 2, 2, 1))));
    assert_true(lnt_mat_norm(lnt_mat_view(bad, 0, 3)) == 0 && lnt_mat_rms(lnt_mat_view(bad, 3, 0)) == 0);
}

/* OpenBLAS looks at OpenMP's number of threads, which is another one in every region and every thread. */
static lnt_status see_threads(lnt_ctx *ctx, int index, void *user)
{
    (void)ctx;
    ((int *)user)[index] = omp_get_max_threads();
    return LNT_OK;
}

static void pins_hold_inside_regions(void **state)
{
    int before = omp_get_max_threads(), seen[4];
    omp_set_num_threads(3);
    for (int count = 1; count <= 4; count++) {
        check_status(*state, lnt_parallel(*state, count, count, see_threads, seen), LNT_OK);
        for (int i = 0; i < count; i++)
            assert_int_equal(seen[i], 1);
        assert_int_equal(omp_get_max_threads(), 3);
    }
    lnt_blas_pin();
    assert_int_equal(omp_get_max_threads(), 1);
    lnt_blas_unpin();
    assert_int_equal(omp_get_max_threads(), 3);
    omp_set_num_threads(before);
}

static void pins_nest_and_restore(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        openblas_set_num_threads(threads);
        int before = openblas_get_num_threads();
        lnt_blas_pin();
        lnt_blas_pin();
        assert_int_equal(openblas_get_num_threads(), 1);
        lnt_blas_unpin();
        assert_int_equal(openblas_get_num_threads(), 1);
        lnt_blas_unpin();
        assert_int_equal(openblas_get_num_threads(), before);
    }
}

static void single_precision_is_exact_on_integers(void **state)
{
    (void)state;
    float A[6], B[6], C[9] = {0};
    for (int i = 0; i < 6; i++)
        A[i] = (float)(250 - i), B[i] = (float)(i * i);
    lnt_gemm_single(C, 3, A, 3, B, 3, 3, 3, 2);
    lnt_gemm_single(C, 3, A, 3, B, 3, 3, 3, 2);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            assert_true(C[i + 3 * j] == 2 * (A[i] * B[j] + A[i + 3] * B[j + 3]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(gemm_equals_plain_loops),
        WITH_CTX(gemm_and_syrk_ignore_the_output_for_beta_zero),
        WITH_CTX(empty_products),
        WITH_CTX(syrk_equals_plain_loops),
        WITH_CTX(small_products_equal_plain_loops),
        WITH_CTX(small_syrk_equals_plain_loops),
        WITH_CTX(large_syrk_equals_gemm),
        WITH_CTX(products_of_bytes_are_exact),
        WITH_CTX(maps_of_bytes_equal_plain_loops),
        WITH_CTX(eigh_of_random_matrices),
        WITH_CTX(eigh_of_the_largest),
        WITH_CTX(eigh_of_special_matrices),
        WITH_CTX(non_finite_input_is_refused),
        WITH_CTX(svd_of_every_shape),
        WITH_CTX(svd_of_singular_matrices),
        WITH_CTX(qr_factors),
        WITH_CTX(vectors_equal_plain_loops),
        WITH_CTX(cholesky_factors_and_solves),
        cmocka_unit_test(norms_neither_overflow_nor_underflow),
        WITH_CTX(pins_hold_inside_regions),
        cmocka_unit_test(pins_nest_and_restore),
        cmocka_unit_test(single_precision_is_exact_on_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
