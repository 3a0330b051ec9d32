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

static lnt_mat new_matrix(lnt_ctx *ctx, int rows, int cols)
{
    lnt_mat A;
    check_status(ctx, lnt_mat_alloc_zero(ctx, &A, rows, cols), LNT_OK);
    return A;
}

static lnt_mat copy(lnt_ctx *ctx, lnt_mat A)
{
    lnt_mat B = new_matrix(ctx, A.rows, A.cols);
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
    lnt_mat C = new_matrix(ctx, opA == LNT_T ? A.cols : A.rows, opB == LNT_T ? B.rows : B.cols);
    plain_product(C, 1, opA, A, opB, B, 0, opA == LNT_T ? A.rows : A.cols);
    return C;
}

/* Columns (LNT_T) or rows (LNT_N) of A are orthonormal. */
static void check_orthonormal(lnt_ctx *ctx, lnt_op op, lnt_mat A, const char *what)
{
    lnt_mat G = product(ctx, op, A, op == LNT_T ? LNT_N : LNT_T, A), I = new_matrix(ctx, G.rows, G.cols);
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
    lnt_mat A = new_matrix(*state, 3, 2), C = new_matrix(*state, 3, 3), zero = new_matrix(*state, 3, 3);
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
    lnt_mat A = new_matrix(*state, 3, 0), B = new_matrix(*state, 0, 2), C = new_matrix(*state, 3, 2);
    lnt_mat_fill(C, 7);
    lnt_gemm(C, 1, LNT_N, A, LNT_N, B, 0);
    check_close(C, new_matrix(*state, 3, 2), 0, "a sum over nothing");
    lnt_gemm(new_matrix(*state, 0, 2), 1, LNT_T, A, LNT_N, C, 0);
    lnt_syrk(new_matrix(*state, 0, 0), 1, LNT_N, B, 0);
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

/* ---- Eigenvalues ---- */

static void check_eigh(lnt_ctx *ctx, lnt_mat A, double *w)
{
    int n = A.rows;
    lnt_mat frame = new_matrix(ctx, n + 2, n), V = lnt_block(frame, 1, 0, n, n), S = copy(ctx, A), full = copy(ctx, A);
    lnt_symmetrize(full);
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

static void eigh_of_special_matrices(void **state)
{
    double w[6], expected[] = {-1, 2, 2, 2, 2, 5};
    lnt_rng rng = lnt_rng_stream(SEED, 3, LNT_FOR_TESTS);
    lnt_mat Q = random_matrix(*state, 6, 6, &rng), D = new_matrix(*state, 6, 6);
    check_status(*state, lnt_qr(*state, Q, w), LNT_OK);
    for (int i = 0; i < 6; i++)
        *lnt_at(D, i, i) = expected[i];
    check_eigh(*state, product(*state, LNT_N, product(*state, LNT_N, Q, LNT_N, D), LNT_T, Q), w);
    check_close(lnt_mat_view(w, 6, 1), lnt_mat_view(expected, 6, 1), 1e-13, "repeated eigenvalues");
    check_eigh(*state, new_matrix(*state, 6, 6), w);
    assert_true(w[0] == 0 && w[5] == 0);
    double one = -3;
    check_eigh(*state, lnt_mat_view(&one, 1, 1), w);
    assert_true(w[0] == -3);
}

static void non_finite_input_is_refused(void **state)
{
    double w[3], bad[] = {NAN, INFINITY, -INFINITY};
    for (int k = 0; k < 3; k++) {
        lnt_mat A = new_matrix(*state, 3, 3), U = new_matrix(*state, 3, 3), V = new_matrix(*state, 3, 3);
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
    lnt_mat U = new_matrix(ctx, A.rows, full ? A.rows : k), VT = new_matrix(ctx, full ? A.cols : k, A.cols),
            B = copy(ctx, A), US;
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
    check_svd(*state, new_matrix(*state, 8, 5), 1, s, true);
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
        WITH_CTX(eigh_of_random_matrices),
        WITH_CTX(eigh_of_special_matrices),
        WITH_CTX(non_finite_input_is_refused),
        WITH_CTX(svd_of_every_shape),
        WITH_CTX(svd_of_singular_matrices),
        WITH_CTX(qr_factors),
        cmocka_unit_test(norms_neither_overflow_nor_underflow),
        WITH_CTX(pins_hold_inside_regions),
        cmocka_unit_test(pins_nest_and_restore),
        cmocka_unit_test(single_precision_is_exact_on_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
