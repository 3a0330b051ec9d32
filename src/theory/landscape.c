#include "linnet/modes.h"

#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>

static lnt_point_kind kind_of(double a, double b, double s)
{
    double gap = s - a * b, flow = fabs(gap) * hypot(a, b), scale = (fabs(s) + fabs(a * b)) * hypot(a, b);
    if (a == 0 && b == 0)
        return s == 0 ? LNT_POINT_DEGENERATE : LNT_POINT_SADDLE;
    return flow <= 1e-12 * scale ? LNT_POINT_LINE : LNT_POINT_MOVING;
}

lnt_point lnt_point_at(double a, double b, double s)
{
    double d = s - 2 * a * b;
    lnt_point x = {a, b, kind_of(a, b, s), {{-b * b, d}, {d, -a * a}}, {0}, {{1, 0}, {0, 1}}};
    double half = (a - b) * (a + b) / 2, mean = -(a * a + b * b) / 2, radius = hypot(half, d);
    double product = (a * b - d) * (a * b + d); /* the determinant: one eigenvalue from the other without cancelling */
    x.value[1] = mean - radius;
    x.value[0] = x.kind == LNT_POINT_LINE ? 0 : product <= 0 || x.value[1] == 0 ? mean + radius : product / x.value[1];
    if (radius > 0) { /* the eigenvector of mean + radius, from the row that does not cancel */
        double p = half >= 0 ? half + radius : fabs(d), q = half >= 0 ? fabs(d) : radius - half, norm = hypot(p, q);
        double turn = d < 0 ? -1 : 1;
        x.vector[0][0] = p / norm;
        x.vector[0][1] = turn * q / norm;
        x.vector[1][0] = q / norm;
        x.vector[1][1] = -turn * p / norm;
        for (int k = 0; k < 2; k++)
            if (x.vector[k][0] == 0)
                x.vector[k][1] = 1;
    }
    return x;
}

lnt_point lnt_point_fixed(double a, double s)
{
    return lnt_point_at(a, a == 0 || s == 0 ? 0 : s / a, s);
}

/* Strengths come from decompositions: what differs by rounding of the largest is the same. */
#define ROUNDING 1e-12

lnt_status lnt_hessian_balanced(lnt_ctx *ctx, double *value, int *index, const double *s, const int *in, int N1, int N3,
                                int h)
{
    int pairs = N1 < N3 ? N1 : N3, single = N1 + N3 - 2 * pairs, k = 0, negative = 0;
    size_t n = 0, all = (size_t)h * (size_t)(N1 + N3);
    double same = 0;
    for (int i = 0; i < pairs; i++) {
        same = fmax(same, ROUNDING * s[i]);
        if (in[i] && !(s[i] > 0))
            return lnt_fail(ctx, LNT_EINVAL, "mode %d has no strength: it cannot be learned", i + 1);
        k += in[i] != 0;
    }
    if (k > h)
        return lnt_fail(ctx, LNT_EINVAL, "%d hidden units cannot hold %d modes", h, k);
    for (int i = 0; i < pairs; i++) {
        for (int j = 0; j < pairs && in[i]; j++) {
            value[n++] = s[i] + s[j];
            value[n++] = in[j] || fabs(s[i] - s[j]) <= same ? 0 : s[i] - s[j];
            negative += !in[j] && s[j] - s[i] > same;
        }
        for (int j = 0; j < single && in[i]; j++)
            value[n++] = s[i];
        for (int j = 0; j < h - k && !in[i]; j++) {
            value[n++] = s[i];
            value[n++] = -s[i];
            negative += s[i] > same;
        }
    }
    while (n < all)
        value[n++] = 0;
    lnt_sort(value, all);
    if (index)
        *index = negative;
    return LNT_OK;
}

/* sig <- squares of the singular values of A, then zeros up to `count`. */
static lnt_status squares(lnt_ctx *ctx, double *sig, int count, lnt_mat A)
{
    int k = A.rows < A.cols ? A.rows : A.cols;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat U, VT;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, A.rows, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, A.cols);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, A);
    for (int i = 0; i < count && status == LNT_OK; i++)
        sig[i] = i < k ? s[i] * s[i] : 0;
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_hessian_minimum(lnt_ctx *ctx, double *value, lnt_mat W1, lnt_mat W2)
{
    int N1 = W1.cols, N3 = W2.rows, h = W1.rows;
    assert(W2.cols == h);
    size_t sums = (size_t)N1 * (size_t)N3, all = (size_t)h * (size_t)(N1 + N3);
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *inner = lnt_alloc(ctx, (size_t)N1, sizeof *inner), *outer = lnt_alloc(ctx, (size_t)N3, sizeof *outer);
    double *sum = lnt_alloc(ctx, sums, sizeof *sum);
    lnt_status status = inner && outer && sum ? squares(ctx, inner, N1, W1) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = squares(ctx, outer, N3, W2);
    if (status == LNT_OK) {
        for (int i = 0; i < N3; i++)
            for (int j = 0; j < N1; j++)
                sum[(size_t)i * (size_t)N1 + (size_t)j] = outer[i] + inner[j];
        lnt_sort(sum, sums);
        for (size_t i = 0; i < all; i++) /* the largest at the end; surplus ones are zeros of both */
            value[all - 1 - i] = i < sums ? sum[sums - 1 - i] : 0;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_minimum_sharpness(lnt_ctx *ctx, double *sharpness, lnt_mat W1, lnt_mat W2)
{
    double inner = 0, outer = 0;
    lnt_status status = squares(ctx, &inner, 1, W1);
    if (status == LNT_OK)
        status = squares(ctx, &outer, 1, W2);
    *sharpness = inner + outer;
    return status;
}

lnt_status lnt_energy_split(lnt_ctx *ctx, lnt_energy *energy, lnt_mat D1, lnt_mat D2, double fit_weight,
                            double competition_weight, lnt_mat W1b, lnt_mat W2b, const double *s)
{
    assert(W1b.rows == W2b.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat M; /* M_ji = b^j.a^i - s_i delta_ij */
    lnt_status status = lnt_mat_alloc(ctx, &M, W2b.rows, W1b.cols);
    if (status == LNT_OK) {
        energy->fit = energy->competition = 0;
        lnt_gemm(M, 1, LNT_N, W2b, LNT_N, W1b, 0);
        for (int i = 0; i < M.cols; i++)
            for (int j = 0; j < M.rows; j++) {
                double *entry = lnt_at(M, j, i), gap = i == j ? *entry - s[i] : *entry;
                *(i == j ? &energy->fit : &energy->competition) += gap * gap / 2;
                *entry = gap * (i == j ? fit_weight : competition_weight);
            }
        if (D1.a)
            lnt_gemm(D1, 1, LNT_T, W2b, LNT_N, M, 0);
        if (D2.a)
            lnt_gemm(D2, 1, LNT_N, M, LNT_T, W1b, 0);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
