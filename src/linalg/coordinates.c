/* Coordinates in the eigenbasis of a symmetric matrix, without the eigenvectors. */
#include "linnet/linalg.h"

#include <assert.h>
#include <float.h>
#include <math.h>

void dsytrd_(const char *uplo, const int *n, double *a, const int *lda, double *d, double *e, double *tau, double *work,
             const int *lwork, int *info);
void dormtr_(const char *side, const char *uplo, const char *trans, const int *m, const int *n, double *a,
             const int *lda, const double *tau, double *c, const int *ldc, double *work, const int *lwork, int *info);

#define LANES 4

/* A symmetric tridiagonal matrix of norm about 1. Rows of Z lie one after another, filled up to a multiple of LANES. */
typedef struct tridiagonal {
    double *d, *e; /* diagonal (n values), the one beside it (n - 1) */
    double *z;
    int n, width;
} tridiagonal;

/* Beside its neighbours, or beside the rounding of dsytrd: without the second, matrices whose entries grow downwards
 * over many orders need not converge. */
static bool negligible(const tridiagonal *t, int i)
{
    return fabs(t->e[i]) <= DBL_EPSILON * fmax(fabs(t->d[i]) + fabs(t->d[i + 1]), 0.25);
}

/* Rows k and k + 1 of Z. */
static void rotate(const tridiagonal *t, int k, double c, double s)
{
    for (double *a = t->z + (size_t)k * (size_t)t->width, *b = a + t->width, *end = b; a < end; a += LANES, b += LANES)
        for (int i = 0; i < LANES; i++) {
            double x = a[i], y = b[i];
            a[i] = c * x + s * y;
            b[i] = c * y - s * x;
        }
}

/* One implicit QR step on rows first .. last with Wilkinson's shift (algorithm 8.3.2 of Golub et al. 2013): T <- G
 * T G' with a rotation G of each pair of neighbours, of which the first makes an entry z outside the three diagonals
 * and the others chase it out. Every rotation waits for the one before, so the chain of operations is kept short. */
static void qr_step(const tridiagonal *t, int first, int last)
{
    double *d = t->d, *e = t->e, below = e[last - 1], half = (d[last - 1] - d[last]) / 2;
    double shift = d[last] - below * below / (half + copysign(hypot(half, below), half));
    double x = d[first] - shift, z = e[first], upper = d[first];
    for (int k = first; k < last; k++) {
        double r = sqrt(x * x + z * z), c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0;
        double u = s * (upper - d[k + 1]) - 2 * c * e[k];
        if (k > first)
            e[k - 1] = r;
        d[k] = upper - s * u;
        upper = d[k + 1] + s * u;
        x = -c * u - e[k];
        if (k + 1 < last) {
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        rotate(t, k, c, s);
    }
    e[last - 1] = x;
    d[last] = upper;
}

static lnt_status diagonalize(lnt_ctx *ctx, const tridiagonal *t)
{
    int last = t->n - 1, steps = 0;
    while (last > 0) {
        int first = last;
        while (first > 0 && !negligible(t, first - 1))
            first--;
        if (first == last) {
            last--;
            steps = 0;
            continue;
        }
        if (++steps > 60)
            return lnt_fail(ctx, LNT_ENUMERIC, "eigenvalues of a %d x %d matrix did not converge", t->n, t->n);
        qr_step(t, first, last);
    }
    return LNT_OK;
}

typedef struct eigenvalue {
    double value;
    int from;
} eigenvalue;

/* Keeps the order of equal ones. */
static void merge_sort(eigenvalue *v, eigenvalue *scratch, int n)
{
    int half = n / 2, i = 0, j = half;
    if (n < 2)
        return;
    merge_sort(v, scratch, half);
    merge_sort(v + half, scratch, n - half);
    for (int k = 0; k < n; k++)
        scratch[k] = j == n || (i < half && v[i].value <= v[j].value) ? v[i++] : v[j++];
    for (int k = 0; k < n; k++)
        v[k] = scratch[k];
}

static lnt_mat lower_column(lnt_mat A, int j)
{
    return lnt_block(A, j, j, A.rows - j, 1);
}

/* NaN where there is one. */
static double largest_entry(lnt_mat A)
{
    double largest = 0;
    for (int j = 0; j < A.cols && !isnan(largest); j++) {
        double column = lnt_mat_max(lower_column(A, j));
        if (!(column <= largest))
            largest = column;
    }
    return largest;
}

/* A = Q T Q', Z <- Q' Z. */
static lnt_status tridiagonalize(lnt_ctx *ctx, tridiagonal *t, lnt_mat Z, lnt_mat A)
{
    int n = A.rows, query = -1, info = 0;
    double size;
    t->n = n;
    t->width = (Z.cols + LANES - 1) / LANES * LANES;
    t->d = lnt_alloc(ctx, (size_t)n, sizeof *t->d);
    t->e = lnt_alloc(ctx, (size_t)n, sizeof *t->e);
    t->z = lnt_alloc_zero(ctx, (size_t)n * (size_t)t->width, sizeof *t->z);
    dsytrd_("L", &n, A.a, &A.ld, t->d, t->e, t->d, &size, &query, &info);
    /* The least work space makes dormtr take one reflection after the other: faster for a few vectors. */
    int lwork = (int)size, least = Z.cols > 0 ? Z.cols : 1;
    double *work = lnt_alloc(ctx, (size_t)(lwork > least ? lwork : least), sizeof *work),
           *tau = lnt_alloc(ctx, (size_t)n, sizeof *tau);
    if (!t->d || !t->e || !t->z || !work || !tau)
        return LNT_ENOMEM;
    dsytrd_("L", &n, A.a, &A.ld, t->d, t->e, tau, work, &lwork, &info);
    dormtr_("L", "L", "T", &n, &Z.cols, A.a, &A.ld, tau, Z.a, &Z.ld, work, &least, &info);
    for (int k = 0; k < Z.cols; k++)
        for (int i = 0; i < n; i++)
            t->z[i * t->width + k] = *lnt_at(Z, i, k);
    return LNT_OK;
}

static lnt_status coordinates(lnt_ctx *ctx, double *w, lnt_mat Z, lnt_mat A, double largest)
{
    int n = A.rows, exponent;
    tridiagonal t;
    eigenvalue *order = lnt_alloc(ctx, 2 * (size_t)n, sizeof *order);
    if (!order)
        return LNT_ENOMEM;
    /* Squares must neither overflow nor vanish; scaling by a power of two rounds nothing. */
    (void)frexp(largest, &exponent);
    exponent = exponent > -1000 ? exponent : -1000;
    for (int j = 0; j < n; j++)
        lnt_mat_scale(lower_column(A, j), ldexp(1, -exponent));
    lnt_status status = tridiagonalize(ctx, &t, Z, A);
    if (status == LNT_OK)
        status = diagonalize(ctx, &t);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < n; i++)
        order[i] = (eigenvalue){t.d[i], i};
    merge_sort(order, order + n, n);
    for (int i = 0; i < n; i++) {
        w[i] = ldexp(order[i].value, exponent);
        for (int k = 0; k < Z.cols; k++)
            *lnt_at(Z, i, k) = t.z[order[i].from * t.width + k];
    }
    return LNT_OK;
}

lnt_status lnt_eigh_coordinates(lnt_ctx *ctx, double *w, lnt_mat Z, lnt_mat A)
{
    assert(A.rows == A.cols && Z.rows == A.rows);
    double largest = largest_entry(A);
    if (!isfinite(largest) || !lnt_mat_finite(Z))
        return lnt_fail(ctx, LNT_EDOMAIN, "eigenvalues: the %d x %d matrix or a vector has entries that are not finite",
                        A.rows, A.cols);
    if (A.rows == 0)
        return LNT_OK;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    lnt_status status = coordinates(ctx, w, Z, A, largest);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
