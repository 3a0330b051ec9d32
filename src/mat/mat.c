#include "linnet/mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

lnt_status lnt_mat_alloc(lnt_ctx *ctx, lnt_mat *A, int rows, int cols)
{
    if (rows < 0 || cols < 0)
        return lnt_fail(ctx, LNT_EINVAL, "a matrix cannot have %d rows and %d columns", rows, cols);
    double *a = lnt_alloc(ctx, (size_t)rows * (size_t)cols, sizeof *a);
    if (!a)
        return LNT_ENOMEM;
    *A = lnt_mat_view(a, rows, cols);
    return LNT_OK;
}

lnt_status lnt_mat_alloc_zero(lnt_ctx *ctx, lnt_mat *A, int rows, int cols)
{
    lnt_status status = lnt_mat_alloc(ctx, A, rows, cols);
    if (status == LNT_OK)
        lnt_mat_fill(*A, 0);
    return status;
}

void lnt_mat_copy(lnt_mat B, lnt_mat A)
{
    size_t size = (size_t)A.rows * (size_t)A.cols;
    if (A.a == B.a || size == 0)
        return;
    if (A.ld == A.rows && B.ld == B.rows) {
        memcpy(B.a, A.a, size * sizeof *A.a);
        return;
    }
    for (int j = 0; j < A.cols; j++)
        memcpy(lnt_at(B, 0, j), lnt_at(A, 0, j), (size_t)A.rows * sizeof *A.a);
}

void lnt_mat_transpose(lnt_mat B, lnt_mat A)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(B, j, i) = *lnt_at(A, i, j);
}

void lnt_mat_fill(lnt_mat A, double value)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(A, i, j) = value;
}

void lnt_mat_identity(lnt_mat A)
{
    lnt_mat_fill(A, 0);
    for (int i = 0; i < A.rows && i < A.cols; i++)
        *lnt_at(A, i, i) = 1;
}

void lnt_mat_multiply(lnt_mat B, lnt_mat A)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(B, i, j) *= *lnt_at(A, i, j);
}

void lnt_mat_add(lnt_mat B, double alpha, lnt_mat A)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(B, i, j) += alpha * *lnt_at(A, i, j);
}

void lnt_mat_scale(lnt_mat A, double alpha)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(A, i, j) *= alpha;
}

double lnt_mat_dot(lnt_mat A, lnt_mat B)
{
    double sum = 0;
    for (int j = 0; j < A.cols; j++) {
        double column = 0;
        for (int i = 0; i < A.rows; i++)
            column += *lnt_at(A, i, j) * *lnt_at(B, i, j);
        sum += column;
    }
    return sum;
}

double lnt_mat_norm(lnt_mat A)
{
    double largest = lnt_mat_max(A);
    if (largest == 0 || !isfinite(largest))
        return largest;
    double sum = 0;
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++) {
            double x = *lnt_at(A, i, j) / largest;
            sum += x * x;
        }
    return largest * sqrt(sum);
}

double lnt_mat_rms(lnt_mat A)
{
    double entries = (double)A.rows * A.cols;
    return entries > 0 ? lnt_mat_norm(A) / sqrt(entries) : 0;
}

double lnt_mat_max(lnt_mat A)
{
    double largest = 0;
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++) {
            double x = fabs(*lnt_at(A, i, j));
            if (!(x <= largest)) /* also takes NaN, and keeps it */
                largest = x;
            if (isnan(largest))
                return largest;
        }
    return largest;
}

bool lnt_mat_finite(lnt_mat A)
{
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            if (!isfinite(*lnt_at(A, i, j)))
                return false;
    return true;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void lnt_sort(double *x, size_t n)
{
    qsort(x, n, sizeof *x, ascending);
}

double lnt_median(double *x, int n)
{
    lnt_sort(x, (size_t)n);
    return (x[(n - 1) / 2] + x[n / 2]) / 2;
}
