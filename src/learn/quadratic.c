#include "linnet/quadratic.h"

#include "frame.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Below this share of the largest eigenvalue, X' X has lost too many digits of its square root. */
#define WELL_CONDITIONED 1e-5

/* ---- Sigma and its gradient ---- */

static bool through_samples(const lnt_quadratic *q)
{
    return q->Sigma.n == 0;
}

/* Strips of columns, which stay in the cache until they are packed. */
static lnt_status pack_Sigma(lnt_ctx *ctx, const lnt_quadratic *q)
{
    const lnt_mat X = q->task->X;
    const int D = X.rows, width = 128;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat C;
    lnt_status status = lnt_mat_alloc(ctx, &C, D, width);
    for (int first = 0; first < D && status == LNT_OK; first += width) {
        int cols = D - first < width ? D - first : width;
        lnt_mat strip = lnt_block(C, 0, 0, D - first, cols), below = lnt_block(X, first, 0, D - first, X.cols);
        lnt_gemm(strip, 1. / X.cols, LNT_N, below, LNT_T, lnt_block(below, 0, 0, cols, X.cols), 0);
        lnt_packed_set(&q->Sigma, first, strip);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

void lnt_quadratic_gradient(lnt_mat G, const lnt_quadratic *q, lnt_mat S)
{
    const lnt_mat X = q->task->X;
    if (through_samples(q)) {
        lnt_samples_multiply(G, X, NULL, X.cols, S, NULL);
        lnt_mat_scale(G, 1. / X.cols);
    } else {
        lnt_packed_multiply(G, &q->Sigma, S);
    }
    for (int j = 0; j < G.cols; j++)
        lnt_mat_add(lnt_block(G, 0, j, X.rows, 1), -1, lnt_mat_view(q->b, X.rows, 1));
}

/* ---- The spectrum ---- */

/* Eigenvalues below differ from 0 by rounding alone. */
static double tolerance(const lnt_quadratic *q, double high)
{
    const lnt_mat X = q->task->X;
    return (X.rows > X.cols ? X.rows : X.cols) * DBL_EPSILON * high;
}

static bool by_samples(const lnt_quadratic *q)
{
    return q->task->X.cols < q->task->X.rows && q->low > WELL_CONDITIONED * q->high;
}

/* Q (D x r), an orthonormal basis of a space that holds all samples, empty where that is everything; M = Q' Sigma Q. */
static lnt_status reduce(lnt_ctx *ctx, lnt_mat *M, lnt_mat *Q, lnt_mat X)
{
    int r = X.rows < X.cols ? X.rows : X.cols;
    lnt_mat W;
    double *diag = lnt_alloc(ctx, (size_t)r, sizeof *diag);
    *Q = (lnt_mat){0};
    lnt_status status = diag ? lnt_mat_alloc(ctx, M, r, r) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    if (r == X.rows) {
        lnt_syrk(*M, 1. / X.cols, LNT_N, X, 0);
        return LNT_OK;
    }
    if ((status = lnt_mat_alloc(ctx, Q, X.rows, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &W, r, r)) != LNT_OK)
        return status;
    lnt_mat_copy(*Q, X);
    if ((status = lnt_qr(ctx, *Q, diag)) != LNT_OK)
        return status;
    lnt_gemm(W, 1, LNT_T, *Q, LNT_N, X, 0);
    lnt_syrk(*M, 1. / X.cols, LNT_N, W, 0);
    return LNT_OK;
}

/* The columns of V (D x 3) <- S0, T and b. */
static void put_vectors(lnt_mat V, const lnt_quadratic *q)
{
    const double *from[] = {q->task->start, q->task->teacher, q->b};
    for (int k = 0; k < 3; k++)
        if (from[k])
            memcpy(lnt_at(V, 0, k), from[k], (size_t)V.rows * sizeof *V.a);
        else
            lnt_mat_fill(lnt_columns(V, k, 1), 0);
}

/* low, high and the null space; eigenvalues of 0 become exactly 0. */
static void classify(lnt_quadratic *q, int n)
{
    double least = tolerance(q, q->x[n - 1]);
    int positive = 0;
    q->low = q->high = 0;
    for (int i = n - 1; i >= 0; i--) {
        if (!(q->x[i] > least)) {
            q->x[i] = 0;
            continue;
        }
        q->low = q->x[i];
        positive++;
    }
    if (positive > 0)
        q->high = q->x[n - 1];
    q->null_space = positive < q->task->X.rows;
}

/* What lies beside the modes. */
static void set_rest(lnt_quadratic *q, lnt_mat V)
{
    q->start2 = lnt_mat_dot(lnt_columns(V, 0, 1), lnt_columns(V, 0, 1));
    q->overlap = lnt_mat_dot(lnt_columns(V, 0, 1), lnt_columns(V, 1, 1));
    q->teacher2 = lnt_mat_dot(lnt_columns(V, 1, 1), lnt_columns(V, 1, 1));
}

/* From Q' Sigma Q: every eigenvalue a mode. */
static lnt_status reduced_spectrum(lnt_ctx *ctx, lnt_quadratic *q)
{
    const lnt_mat X = q->task->X;
    lnt_mat M, Q, V, Z;
    lnt_status status = reduce(ctx, &M, &Q, X);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &V, X.rows, 3);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, M.rows, 3);
    if (status != LNT_OK)
        return status;
    put_vectors(V, q);
    if (Q.a) {
        lnt_gemm(Z, 1, LNT_T, Q, LNT_N, V, 0);
        lnt_gemm(V, -1, LNT_N, Q, LNT_N, Z, 1);
    } else {
        lnt_mat_copy(Z, V);
        lnt_mat_fill(V, 0);
    }
    set_rest(q, V);
    if ((status = lnt_eigh_coordinates(ctx, q->x, Z, M)) != LNT_OK)
        return status;
    q->modes = M.rows;
    classify(q, q->modes);
    for (int i = 0; i < q->modes; i++) {
        q->start[i] = *lnt_at(Z, i, 0);
        q->teacher[i] = *lnt_at(Z, i, 1);
        q->target[i] = q->x[i] > 0 ? *lnt_at(Z, i, 2) : 0;
    }
    return LNT_OK;
}

/* From X' X/n = V diag(x) V': the eigenvectors of Sigma are X v_i/sqrt(n x_i), so that coordinates along them are those
 * of X' S0 along v_i, divided. */
static lnt_status gram_spectrum(lnt_ctx *ctx, lnt_quadratic *q)
{
    const lnt_mat X = q->task->X;
    const int n = X.cols;
    lnt_mat G, V, Z;
    lnt_status status = lnt_mat_alloc(ctx, &G, n, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &V, X.rows, 3);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, n, 3);
    if (status != LNT_OK)
        return status;
    lnt_syrk(G, 1. / n, LNT_T, X, 0);
    put_vectors(V, q);
    set_rest(q, V);
    lnt_gemm(lnt_columns(Z, 0, 2), 1, LNT_T, X, LNT_N, lnt_columns(V, 0, 2), 0);
    memcpy(lnt_at(Z, 0, 2), q->task->y, (size_t)n * sizeof *Z.a);
    if ((status = lnt_eigh_coordinates(ctx, q->x, Z, G)) != LNT_OK)
        return status;
    classify(q, n);
    q->modes = 0;
    for (int i = 0; i < n; i++) {
        double x = q->x[i], scale = 1 / sqrt(n * x);
        if (x == 0)
            continue;
        int m = q->modes++;
        q->x[m] = x;
        q->start[m] = scale * *lnt_at(Z, i, 0);
        q->teacher[m] = scale * *lnt_at(Z, i, 1);
        q->target[m] = sqrt(x / n) * *lnt_at(Z, i, 2);
        q->start2 -= q->start[m] * q->start[m];
        q->overlap -= q->start[m] * q->teacher[m];
        q->teacher2 -= q->teacher[m] * q->teacher[m];
    }
    q->start2 = fmax(q->start2, 0);
    q->teacher2 = fmax(q->teacher2, 0);
    return LNT_OK;
}

static lnt_status find_spectrum(lnt_ctx *ctx, lnt_quadratic *q)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = q->task->X.cols < q->task->X.rows ? gram_spectrum(ctx, q) : LNT_OK;
    lnt_ctx_reset(ctx, mark);
    if (status == LNT_OK && !by_samples(q))
        status = reduced_spectrum(ctx, q);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- Eigenvectors ---- */

static lnt_status find_frame(lnt_ctx *ctx, lnt_mat U, double *x, const lnt_quadratic *q)
{
    const lnt_mat X = q->task->X;
    const int r = X.rows < X.cols ? X.rows : X.cols, first = r - q->modes;
    const bool gram = by_samples(q);
    lnt_mat M, Q = {0}, V;
    double *w = lnt_alloc(ctx, (size_t)r, sizeof *w);
    lnt_status status = w ? LNT_OK : LNT_ENOMEM;
    if (status == LNT_OK)
        status = gram ? lnt_mat_alloc(ctx, &M, r, r) : reduce(ctx, &M, &Q, X);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &V, r, r);
    if (status != LNT_OK)
        return status;
    if (gram)
        lnt_syrk(M, 1. / X.cols, LNT_T, X, 0);
    lnt_symmetrize(M);
    if ((status = lnt_eigh(ctx, w, V, M)) != LNT_OK)
        return status;
    V = lnt_columns(V, first, q->modes);
    for (int i = 0; i < q->modes; i++) {
        x[i] = w[first + i] > tolerance(q, w[r - 1]) ? w[first + i] : 0;
        if (gram)
            lnt_mat_scale(lnt_columns(V, i, 1), 1 / sqrt(X.cols * w[first + i]));
    }
    if (gram || Q.a)
        lnt_gemm(U, 1, LNT_N, gram ? X : Q, LNT_N, V, 0);
    else
        lnt_mat_copy(U, V);
    return LNT_OK;
}

lnt_status lnt_frame_make(lnt_ctx *ctx, lnt_mat U, double *x, const lnt_quadratic *q)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = find_frame(ctx, U, x, q);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- All of it ---- */

static bool finite_vector(const double *v, int n)
{
    return !v || lnt_mat_finite((lnt_mat){(double *)(uintptr_t)v, n, 1, n});
}

static lnt_status check(lnt_ctx *ctx, const lnt_least_squares_task *task)
{
    const lnt_mat X = task->X;
    if (X.rows < 1 || X.cols < 1)
        return lnt_fail(ctx, LNT_EINVAL, "least squares needs samples with features, not %d x %d", X.rows, X.cols);
    if (!lnt_mat_finite(X) || !finite_vector(task->y, X.cols))
        return lnt_fail(ctx, LNT_EDOMAIN, "inputs or targets have entries that are not finite");
    if (!finite_vector(task->teacher, X.rows) || !finite_vector(task->start, X.rows))
        return lnt_fail(ctx, LNT_EDOMAIN, "the teacher or the start has entries that are not finite");
    bool valid = finite_vector(task->variance, X.rows);
    for (int i = 0; valid && task->variance && i < X.rows; i++)
        valid = task->variance[i] >= 0;
    return valid ? LNT_OK : lnt_fail(ctx, LNT_EDOMAIN, "variances of features must be finite and not negative");
}

lnt_status lnt_quadratic_make(lnt_ctx *ctx, lnt_quadratic *q, const lnt_least_squares_task *task)
{
    const lnt_mat X = task->X;
    const size_t D = (size_t)X.rows, r = (size_t)(X.rows < X.cols ? X.rows : X.cols);
    *q = (lnt_quadratic){.task = task};
    lnt_status status = check(ctx, task);
    if (status != LNT_OK)
        return status;
    q->b = lnt_alloc(ctx, D, sizeof *q->b);
    q->x = lnt_alloc(ctx, 4 * r, sizeof *q->x);
    if (!q->b || !q->x)
        return LNT_ENOMEM;
    q->start = q->x + r;
    q->teacher = q->x + 2 * r;
    q->target = q->x + 3 * r;
    lnt_mat y = {(double *)(uintptr_t)task->y, X.cols, 1, X.cols};
    lnt_gemm(lnt_mat_view(q->b, X.rows, 1), 1. / X.cols, LNT_N, X, LNT_N, y, 0);
    q->y2 = lnt_mat_dot(y, y) / X.cols;
    /* Passes through X touch 2 n/D of the numbers, at two thirds of the speed. */
    if (X.rows / 3 <= X.cols) {
        status = lnt_packed_alloc(ctx, &q->Sigma, X.rows);
        if (status == LNT_OK)
            status = pack_Sigma(ctx, q);
    }
    return status == LNT_OK ? find_spectrum(ctx, q) : status;
}
