/* Small models for the tests of posteriors and of linearised training. */
#ifndef LINNET_TESTS_BAYES_H
#define LINNET_TESTS_BAYES_H

#include "check.h"

/* f = f0 + B w, given by B' (k x n) and f0, which may be NULL. */
typedef struct line {
    lnt_mat BT;
    const double *f0;
} line;

static inline int line_f(const double *w, double *out, void *user)
{
    const line *m = user;
    lnt_gemv(out, 1, LNT_T, m->BT, w, 0);
    for (int i = 0; i < m->BT.cols; i++)
        out[i] += m->f0 ? m->f0[i] : 0;
    return 0;
}

static inline int line_jacobian(const double *w, size_t first, size_t last, double *B, size_t ld, void *user)
{
    const line *m = user;
    (void)w;
    lnt_mat_copy((lnt_mat){B, m->BT.rows, (int)(last - first), (int)ld},
                 lnt_columns(m->BT, (int)first, (int)(last - first)));
    return 0;
}

static inline lnt_model line_model(line *m)
{
    return (lnt_model){
        .n = (size_t)m->BT.cols, .k = (size_t)m->BT.rows, .user = m, .f = line_f, .jacobian = line_jacobian};
}

/* A new A^-1 of a symmetric positive definite A, and log det A. */
static inline lnt_mat inverse(lnt_ctx *ctx, lnt_mat A, double *log_det)
{
    lnt_mat L = zeros(ctx, A.rows, A.rows), I = zeros(ctx, A.rows, A.rows);
    lnt_mat_copy(L, A);
    lnt_mat_identity(I);
    assert_true(lnt_cholesky(L));
    lnt_solve_lower(I, LNT_N, L);
    lnt_solve_lower(I, LNT_T, L);
    *log_det = 0;
    for (int i = 0; i < A.rows; i++)
        *log_det += 2 * log(*lnt_at(L, i, i));
    return I;
}

static inline double quadratic_form(lnt_ctx *ctx, lnt_mat A, const double *x)
{
    lnt_mat y = zeros(ctx, A.rows, 1);
    lnt_gemv(y.a, 1, LNT_N, A, x, 0);
    return lnt_vec_dot(A.rows, y.a, x);
}

#endif
