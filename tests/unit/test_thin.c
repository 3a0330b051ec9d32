/* Products with a few vectors against plain loops, by every kernel; coordinates in an eigenbasis against lnt_eigh(). */
#include "check.h"

#define SEED 1618

static lnt_mat padded(lnt_ctx *ctx, int n, int cols, lnt_rng *rng)
{
    lnt_mat A;
    check_status(ctx, lnt_padded_alloc(ctx, &A, n, cols), LNT_OK);
    for (int j = 0; j < cols; j++)
        for (int i = 0; i < n && rng; i++)
            *lnt_at(A, i, j) = lnt_rng_normal(rng);
    return A;
}

static lnt_mat space(lnt_ctx *ctx, int m, int n)
{
    lnt_mat A;
    check_status(ctx, lnt_mat_alloc(ctx, &A, m, n), LNT_OK);
    return A;
}

static lnt_mat rows(lnt_mat A, int n)
{
    return lnt_block(A, 0, 0, n, A.cols);
}

/* What one column gives does not depend on the others, to the bit. */
static void check_alone(lnt_mat Y, lnt_mat y, int column, int n)
{
    assert_memory_equal(lnt_at(Y, 0, column), y.a, (size_t)n * sizeof *y.a);
}

static lnt_packed pack(lnt_ctx *ctx, lnt_mat A, int width)
{
    lnt_packed P;
    int n = A.rows;
    check_status(ctx, lnt_packed_alloc(ctx, &P, n), LNT_OK);
    for (int first = 0; first < n; first += width) {
        int cols = n - first < width ? n - first : width;
        lnt_packed_set(&P, first, lnt_block(A, first, first, n - first, cols));
    }
    return P;
}

static void packed_products(lnt_ctx *ctx, int n, lnt_rng *rng)
{
    lnt_mat A = random_matrix(ctx, n, n, rng), R = padded(ctx, n, 6, rng), Y = padded(ctx, n, 6, rng),
            y = padded(ctx, n, 1, rng), T = random_matrix(ctx, n, 6, rng);
    lnt_symmetrize(A);
    lnt_gemm(T, 1, LNT_N, A, LNT_N, rows(R, n), 0);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < j; i++)
            *lnt_at(A, i, j) = NAN; /* not read */
    for (int width = 8; width <= 24; width += 16) {
        lnt_packed P = pack(ctx, A, width);
        lnt_packed_multiply(Y, &P, R);
        check_close(rows(Y, n), T, 1e-14 * (8 + n), "packed product");
        for (int column = 0; column < 6; column++) {
            lnt_packed_multiply(y, &P, lnt_columns(R, column, 1));
            check_alone(Y, y, column, n);
        }
    }
}

static void sample_products(lnt_ctx *ctx, int n, int count, lnt_rng *rng)
{
    int list[64];
    lnt_mat X = random_matrix(ctx, n + 3, count + 2, rng), Z = random_matrix(ctx, n, count, rng),
            R = padded(ctx, n, 6, rng), Y = padded(ctx, n, 6, rng), y = padded(ctx, n, 1, rng),
            W = random_matrix(ctx, count, 6, rng), T = random_matrix(ctx, n, 6, rng),
            t = random_matrix(ctx, count + 2, 1, rng);
    X = lnt_block(X, 1, 0, n, count + 2);
    for (int form = 0; form < 3; form++) {
        for (int j = 0; j < count; j++) {
            list[j] = form == 0 ? j : (int)lnt_rng_below(rng, (uint64_t)count + 2);
            lnt_mat_copy(lnt_columns(Z, j, 1), lnt_columns(X, list[j], 1));
        }
        lnt_gemm(W, 1, LNT_T, Z, LNT_N, rows(R, n), 0);
        for (int k = 0; k < 6 && form == 2; k++)
            for (int j = 0; j < count; j++)
                *lnt_at(W, j, k) -= t.a[list[j]];
        lnt_gemm(T, 1, LNT_N, Z, LNT_N, W, 0);
        lnt_samples_multiply(Y, X, form ? list : NULL, count, R, form == 2 ? t.a : NULL);
        check_close(rows(Y, n), T, 1e-14 * (8 + n), "products with samples");
        for (int column = 0; column < 6; column++) {
            lnt_samples_multiply(y, X, form ? list : NULL, count, lnt_columns(R, column, 1), form == 2 ? t.a : NULL);
            check_alone(Y, y, column, n);
        }
    }
}

/* Without kernels for this processor, too; those for AVX2 run where AVX-512 is missing. */
static void thin_products_equal_plain_ones(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    const int sizes[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 40, 61};
    for (int allowed = 0; allowed < 2; allowed++) {
        lnt_simd_allow(allowed);
        for (int i = 0; i < 11; i++) {
            packed_products(ctx, sizes[i], &rng);
            for (int count = 1; count < 50; count += 6)
                sample_products(ctx, sizes[i], count, &rng);
        }
    }
}

static void overflow_stays_in_its_column(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    lnt_mat A = random_matrix(ctx, 21, 21, &rng), R = padded(ctx, 21, 3, &rng), Y = padded(ctx, 21, 3, &rng);
    lnt_symmetrize(A);
    lnt_packed P = pack(ctx, A, 8);
    *lnt_at(R, 20, 1) = INFINITY;
    for (int form = 0; form < 2; form++) {
        if (form)
            lnt_samples_multiply(Y, A, NULL, 21, R, NULL);
        else
            lnt_packed_multiply(Y, &P, R);
        assert_true(lnt_mat_finite(lnt_columns(Y, 0, 1)) && lnt_mat_finite(lnt_columns(Y, 2, 1)));
        assert_false(isfinite(*lnt_at(Y, 3, 1)));
    }
}

/* ---- Coordinates ---- */

/* Eigenvalues, quadratic forms, and up to signs the coordinates along eigenvectors that stand alone. */
static void check_coordinates(lnt_ctx *ctx, lnt_mat A, lnt_mat B, double tolerance)
{
    const int n = A.rows, k = B.cols;
    lnt_mat Z = space(ctx, n, k), V = space(ctx, n, n), C = space(ctx, n, k), H = space(ctx, n, n),
            w = space(ctx, n, 2), back = space(ctx, k, k), AB = space(ctx, n, k), direct = space(ctx, k, k);
    double scale = lnt_mat_max(A) > 0 ? lnt_mat_max(A) : 1;
    lnt_mat_copy(Z, B);
    lnt_mat_copy(H, A);
    check_status(ctx, lnt_eigh(ctx, lnt_at(w, 0, 1), V, H), LNT_OK);
    lnt_gemm(C, 1, LNT_T, V, LNT_N, B, 0);
    lnt_mat_copy(H, A);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < j; i++)
            *lnt_at(H, i, j) = NAN; /* not read */
    check_status(ctx, lnt_eigh_coordinates(ctx, w.a, Z, H), LNT_OK);
    for (int i = 0; i < n; i++)
        check_near(w.a[i] / scale, *lnt_at(w, i, 1) / scale, tolerance, "eigenvalue");
    /* B' A B = Z' diag(w) Z */
    lnt_gemm(AB, 1, LNT_N, A, LNT_N, B, 0);
    lnt_gemm(direct, 1 / scale, LNT_T, B, LNT_N, AB, 0);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++)
            *lnt_at(AB, i, j) = *lnt_at(Z, i, j) * (w.a[i] / scale);
    lnt_gemm(back, 1, LNT_T, Z, LNT_N, AB, 0);
    check_close(back, direct, tolerance * n, "quadratic forms");
    for (int i = 0; i < n; i++) { /* up to signs, where eigenvalues are apart */
        bool apart =
            (i == 0 || w.a[i] - w.a[i - 1] > 1e-3 * scale) && (i + 1 == n || w.a[i + 1] - w.a[i] > 1e-3 * scale);
        double sign = *lnt_at(Z, i, 0) * *lnt_at(C, i, 0) < 0 ? -1 : 1;
        for (int j = 0; j < k && apart; j++)
            check_near(*lnt_at(Z, i, j), sign * *lnt_at(C, i, j), 1e4 * tolerance, "coordinate");
    }
}

static void coordinates_are_those_along_eigenvectors(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    const int sizes[] = {1, 2, 3, 5, 10, 64, 100};
    for (int i = 0; i < 7; i++)
        for (int k = 1; k < 6; k += 2)
            for (int kind = 0; kind < 6; kind++) {
                int n = sizes[i];
                lnt_mat X = random_matrix(ctx, n, kind == 1 ? (n + 1) / 2 : n, &rng),
                        A = random_matrix(ctx, n, n, &rng);
                for (int row = 0; row < n && kind >= 2; row++) /* graded up or down */
                    lnt_mat_scale(lnt_block(X, row, 0, 1, X.cols), pow(0.7, kind == 2 ? row : kind == 3 ? -row : 0));
                lnt_gemm(A, 1, LNT_N, X, LNT_T, X, 0);
                if (kind == 4)
                    lnt_mat_identity(A);
                if (kind == 5)
                    lnt_mat_scale(A, 1e-290);
                check_coordinates(ctx, A, random_matrix(ctx, n, k, &rng), 1e-12);
            }
    lnt_mat zero, B = random_matrix(ctx, 4, 2, &rng);
    check_status(ctx, lnt_mat_alloc_zero(ctx, &zero, 4, 4), LNT_OK);
    check_coordinates(ctx, zero, B, 1e-14);
    *lnt_at(zero, 3, 1) = NAN;
    check_failure(ctx, lnt_eigh_coordinates(ctx, B.a, B, zero), LNT_EDOMAIN, "4 x 4");
    check_status(ctx, lnt_eigh_coordinates(ctx, B.a, lnt_mat_view(B.a, 0, 2), lnt_mat_view(B.a, 0, 0)), LNT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(thin_products_equal_plain_ones), WITH_CTX(overflow_stays_in_its_column),
                                       WITH_CTX(coordinates_are_those_along_eigenvectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
