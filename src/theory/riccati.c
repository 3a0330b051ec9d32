#include "linnet/modes.h"

#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>

/* Column of O <- (p v; q u), row k of VT and column k of U. */
static void eigenvector(lnt_mat O, int column, double p, double q, lnt_mat U, lnt_mat VT, int k)
{
    int N1 = VT.rows, N3 = U.rows;
    for (int i = 0; i < N1 && p != 0; i++)
        *lnt_at(O, i, column) = p * *lnt_at(VT, k, i);
    for (int i = 0; i < N3 && q != 0; i++)
        *lnt_at(O, N1 + i, column) = q * *lnt_at(U, i, k);
}

/* Two eigenvectors of F live in the plane of v_i and u_i, at +-kappa; directions without a partner stand alone. */
static void eigenbasis(lnt_mat O, double *x, lnt_mat U, const double *s, lnt_mat VT, double lambda)
{
    int N1 = VT.rows, N3 = U.rows, pairs = N1 < N3 ? N1 : N3, column = 0;
    lnt_mat_fill(O, 0);
    for (int k = 0; k < pairs; k++) {
        double kappa = hypot(s[k], lambda / 2); /* of the two forms of p : q the one without a difference */
        double p = lambda >= 0 ? s[k] : kappa - lambda / 2, q = lambda >= 0 ? kappa + lambda / 2 : s[k];
        double norm = hypot(p, q);
        p = norm > 0 ? p / norm : sqrt(0.5);
        q = norm > 0 ? q / norm : sqrt(0.5);
        x[column] = kappa;
        eigenvector(O, column++, p, q, U, VT, k);
        x[column] = -kappa;
        eigenvector(O, column++, q, -p, U, VT, k);
    }
    for (int k = pairs; k < N1; k++) {
        x[column] = -lambda / 2;
        eigenvector(O, column++, 1, 0, U, VT, k);
    }
    for (int k = pairs; k < N3; k++) {
        x[column] = lambda / 2;
        eigenvector(O, column++, 0, 1, U, VT, k);
    }
}

static lnt_status factor_task(lnt_ctx *ctx, lnt_riccati *r, lnt_mat Syx, double lambda)
{
    int N1 = r->inputs, N3 = r->outputs;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat U, VT;
    double *s = lnt_alloc(ctx, (size_t)(N1 < N3 ? N1 : N3), sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, N3, N3) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, N1, N1);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, Syx);
    if (status == LNT_OK)
        eigenbasis(r->O, r->x, U, s, VT, lambda);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_riccati_make(lnt_ctx *ctx, lnt_riccati *r, lnt_mat Syx, lnt_mat W1, lnt_mat W2, double lambda)
{
    int N1 = W1.cols, N3 = W2.rows, h = W1.rows, n = N1 + N3;
    assert(W2.cols == h && Syx.rows == N3 && Syx.cols == N1);
    if (!isfinite(lambda) || !lnt_mat_finite(W1) || !lnt_mat_finite(W2))
        return lnt_fail(ctx, LNT_EDOMAIN, "the start or its lambda is not finite");
    r->inputs = N1;
    r->outputs = N3;
    r->hidden = h;
    r->x = lnt_alloc(ctx, (size_t)n, sizeof *r->x);
    lnt_status status = r->x ? lnt_mat_alloc(ctx, &r->Q0, n, h) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &r->O, n, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &r->C, n, h);
    if (status == LNT_OK)
        status = factor_task(ctx, r, Syx, lambda);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(lnt_block(r->Q0, 0, 0, N1, h), W1);
    lnt_mat_copy(lnt_block(r->Q0, N1, 0, N3, h), W2);
    lnt_gemm(r->C, 1, LNT_T, r->O, LNT_N, r->Q0, 0);
    return LNT_OK;
}

/* log_D and log_R with D^2 = (e^{2xT} - 1)/(2x), R^2 = 2x/(1 - e^{-2xT}). */
static void growth(double *log_D, double *log_R, double x, double T)
{
    double z = 2 * x * T, size = fabs(z), r = size > 0 ? -expm1(-size) / size : 1;
    *log_D = (log(T) + log(r) + fmax(z, 0)) / 2;
    *log_R = -(log(T) + log(r) + fmax(-z, 0)) / 2;
}

/* Row and column of the largest |A_rc| e^{weight_r} in unused rows and columns from `first`; row -1 for none. */
static void largest_entry(int *row, int *column, lnt_mat A, const double *weight, const bool *used, int first)
{
    double best = -INFINITY;
    *row = -1;
    for (int c = first; c < A.cols; c++)
        for (int r = 0; r < A.rows; r++) {
            double entry = fabs(*lnt_at(A, r, c));
            if (used[r] || entry == 0)
                continue;
            double size = log(entry) + weight[r];
            if (size > best) {
                best = size;
                *row = r;
                *column = c;
            }
        }
}

/* Columns of diag(e^weight) A can differ by any factor and still be nearly parallel. Elimination with complete pivoting
 * on the weighted entries finds columns of the same span that are not: pivot 1, all others below; scale[j] is the
 * weight of column j's pivot. *first, *pivot <- row and value of the first. */
static void balance_columns(lnt_mat A, const double *weight, double *scale, bool *used, int *first, double *pivot)
{
    for (int r = 0; r < A.rows; r++)
        used[r] = false;
    for (int j = 0; j < A.cols; j++) {
        int row, column = j;
        largest_entry(&row, &column, A, weight, used, j);
        assert(row >= 0); /* the identity below keeps the rank */
        for (int r = 0; r < A.rows; r++) {
            double swap = *lnt_at(A, r, j);
            *lnt_at(A, r, j) = *lnt_at(A, r, column);
            *lnt_at(A, r, column) = swap;
        }
        double p = *lnt_at(A, row, j);
        if (j == 0) {
            *first = row;
            *pivot = p;
        }
        for (int r = 0; r < A.rows; r++)
            *lnt_at(A, r, j) /= p;
        scale[j] = weight[row];
        used[row] = true;
        for (int k = j + 1; k < A.cols; k++) {
            double factor = *lnt_at(A, row, k);
            if (factor != 0)
                lnt_mat_add(lnt_columns(A, k, 1), -factor, lnt_columns(A, j, 1));
            *lnt_at(A, row, k) = 0;
        }
    }
}

typedef struct row_size {
    double size;
    int row;
} row_size;

static void sort_rows(row_size *rows, int n)
{
    for (int i = 1; i < n; i++) {
        row_size x = rows[i];
        int j = i;
        for (; j > 0 && rows[j - 1].size < x.size; j--)
            rows[j] = rows[j - 1];
        rows[j] = x;
    }
}

/* A <- orthonormal basis of its columns. Householder QR is accurate row by row if large rows come first. */
static lnt_status orthonormalize(lnt_ctx *ctx, lnt_mat A)
{
    lnt_mat B;
    row_size *rows = lnt_alloc(ctx, (size_t)A.rows, sizeof *rows);
    double *diag = lnt_alloc(ctx, (size_t)A.cols, sizeof *diag);
    lnt_status status = rows && diag ? lnt_mat_alloc(ctx, &B, A.rows, A.cols) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < A.rows; i++) {
        rows[i].row = i;
        rows[i].size = lnt_mat_max(lnt_block(A, i, 0, 1, A.cols));
    }
    sort_rows(rows, A.rows);
    for (int i = 0; i < A.rows; i++)
        lnt_mat_copy(lnt_block(B, i, 0, 1, A.cols), lnt_block(A, rows[i].row, 0, 1, A.cols));
    if ((status = lnt_qr(ctx, B, diag)) != LNT_OK)
        return status;
    for (int i = 0; i < A.rows; i++)
        lnt_mat_copy(lnt_block(A, rows[i].row, 0, 1, A.cols), lnt_block(B, i, 0, 1, A.cols));
    return LNT_OK;
}

/* P = O R Q1 Q1^T R O^T, where Q1 Q1^T projects on the range of [D C; I]. */
static lnt_status solve(lnt_ctx *ctx, lnt_mat G, const lnt_riccati *r, double T)
{
    int n = r->O.rows, h = r->hidden, first = 0;
    lnt_mat A;
    double *log_D = lnt_alloc(ctx, (size_t)n + (size_t)h, sizeof *log_D),
           *log_R = lnt_alloc(ctx, (size_t)n, sizeof *log_R);
    double *scale = lnt_alloc(ctx, (size_t)h, sizeof *scale), pivot = 1;
    bool *used = lnt_alloc(ctx, (size_t)n + (size_t)h, sizeof *used);
    lnt_status status = log_D && log_R && scale && used ? lnt_mat_alloc(ctx, &A, n + h, h) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(lnt_block(A, 0, 0, n, h), r->C);
    lnt_mat_identity(lnt_block(A, n, 0, h, h));
    for (int i = 0; i < n; i++)
        growth(&log_D[i], &log_R[i], r->x[i], T);
    for (int i = n; i < n + h; i++)
        log_D[i] = 0;
    balance_columns(A, log_D, scale, used, &first, &pivot);
    for (int j = 0; j < h; j++)
        for (int i = 0; i < n + h; i++)
            if (*lnt_at(A, i, j) != 0) /* not 0 times an infinite weight */
                *lnt_at(A, i, j) *= exp(log_D[i] - scale[j]);
    if ((status = orthonormalize(ctx, A)) != LNT_OK)
        return status;
    double sign = h == 1 && (*lnt_at(A, first, 0) < 0) != (pivot < 0) ? -1 : 1; /* for one unit: Q, not only +-Q */
    for (int j = 0; j < h; j++)
        for (int i = 0; i < n; i++)
            *lnt_at(A, i, j) *= sign * exp(log_R[i]);
    lnt_gemm(G, 1, LNT_N, r->O, LNT_N, lnt_block(A, 0, 0, n, h), 0);
    return LNT_OK;
}

lnt_status lnt_riccati_at(lnt_ctx *ctx, lnt_mat G, const lnt_riccati *r, double T)
{
    assert(G.rows == r->O.rows && G.cols == r->hidden);
    if (!(T >= 0 && T <= 1e300))
        return lnt_fail(ctx, LNT_EDOMAIN, "time %g is not between 0 and 1e300", T);
    if (T == 0) {
        lnt_mat_copy(G, r->Q0);
        return LNT_OK;
    }
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = solve(ctx, G, r, T);
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_mat upper(const lnt_riccati *r, lnt_mat G)
{
    return lnt_block(G, 0, 0, r->inputs, r->hidden);
}

static lnt_mat lower(const lnt_riccati *r, lnt_mat G)
{
    return lnt_block(G, r->inputs, 0, r->outputs, r->hidden);
}

void lnt_riccati_map(lnt_mat W, const lnt_riccati *r, lnt_mat G)
{
    lnt_gemm(W, 1, LNT_N, lower(r, G), LNT_T, upper(r, G), 0);
}

void lnt_riccati_hidden(lnt_mat H, const lnt_riccati *r, lnt_mat G)
{
    lnt_syrk(H, 1, LNT_N, upper(r, G), 0);
    lnt_symmetrize(H);
}

void lnt_riccati_outputs(lnt_mat B, const lnt_riccati *r, lnt_mat G)
{
    lnt_syrk(B, 1, LNT_N, lower(r, G), 0);
    lnt_symmetrize(B);
}

lnt_status lnt_riccati_similarity(lnt_ctx *ctx, lnt_mat A, const lnt_riccati *r, lnt_mat G, lnt_mat X)
{
    assert(X.rows == r->inputs && A.rows == X.cols && A.cols == X.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat Z;
    lnt_status status = lnt_mat_alloc(ctx, &Z, r->hidden, X.cols);
    if (status == LNT_OK) {
        lnt_gemm(Z, 1, LNT_T, upper(r, G), LNT_N, X, 0);
        lnt_syrk(A, 1, LNT_T, Z, 0);
        lnt_symmetrize(A);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
