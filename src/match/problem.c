#include "internal.h"

#include <float.h>
#include <math.h>

#define CENTRED 1e-13

/* ---- What was given ---- */

static lnt_status check(lnt_ctx *ctx, lnt_mat X, lnt_mat S, const lnt_mat *Z0)
{
    if (X.rows < 1 || X.cols < 1)
        return lnt_fail(ctx, LNT_EINVAL, "inputs of %d cells x %d stimuli: at least one of each", X.rows, X.cols);
    if (S.rows != X.cols || S.cols != X.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "the target is %d x %d, but the inputs have %d stimuli", S.rows, S.cols,
                        X.cols);
    if (Z0 && (Z0->rows != X.rows || Z0->cols != X.rows))
        return lnt_fail(ctx, LNT_ESHAPE, "the reference is %d x %d, but there are %d cells", Z0->rows, Z0->cols,
                        X.rows);
    if (!lnt_mat_finite(X) || !lnt_mat_finite(S) || (Z0 && !lnt_mat_finite(*Z0)))
        return lnt_fail(ctx, LNT_EDOMAIN, "%s not finite",
                        !lnt_mat_finite(X)   ? "the inputs are"
                        : !lnt_mat_finite(S) ? "the target is"
                                             : "the reference is");
    return LNT_OK;
}

bool lnt_match_is_centred(lnt_mat X)
{
    double limit = CENTRED * lnt_mat_rms(X) * X.rows;
    for (int j = 0; j < X.cols; j++) {
        double sum = 0;
        for (int i = 0; i < X.rows; i++)
            sum += *lnt_at(X, i, j);
        if (!(fabs(sum) <= limit))
            return false;
    }
    return true;
}

/* A <- (S + S^T)/2; returns |S - S^T|^2/4. */
static double symmetric_part(lnt_mat A, lnt_mat S)
{
    double skew = 0;
    for (int j = 0; j < S.cols; j++)
        for (int i = 0; i < S.rows; i++) {
            double d = (*lnt_at(S, i, j) - *lnt_at(S, j, i)) / 2;
            *lnt_at(A, i, j) = (*lnt_at(S, i, j) + *lnt_at(S, j, i)) / 2;
            skew += d * d;
        }
    return skew;
}

/* R <- V^T sym(S) V for one pair; adds to the numbers of m. */
static lnt_status rotate_target(lnt_ctx *ctx, lnt_mat R, lnt_match *m, lnt_mat V, lnt_mat S)
{
    lnt_mat A, B;
    lnt_status status = lnt_mat_alloc(ctx, &A, S.rows, S.cols);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, S.rows, V.cols);
    if (status != LNT_OK)
        return status;
    m->skew += symmetric_part(A, S);
    lnt_gemm(B, 1, LNT_N, A, LNT_N, V, 0);
    lnt_gemm(R, 1, LNT_T, V, LNT_N, B, 0);
    symmetric_part(R, R);
    double all = lnt_match_dot(A, A);
    m->target2 += all;
    if (V.cols < S.rows) { /* |S|^2 - |R|^2 as |S - V R V^T|^2, which does not cancel */
        lnt_mat C = lnt_columns(B, 0, V.cols);
        lnt_gemm(C, 1, LNT_N, V, LNT_N, R, 0);
        lnt_gemm(A, -1, LNT_N, C, LNT_T, V, 1);
        m->outside += lnt_match_dot(A, A) / 2;
    }
    return LNT_OK;
}

/* ---- One block: the thin SVD without directions that are rounding ---- */

typedef struct factors {
    lnt_mat U, VT;
    double *sv;
    int rank;
} factors;

static lnt_status factor(lnt_ctx *ctx, factors *f, lnt_mat X)
{
    int k = X.rows < X.cols ? X.rows : X.cols;
    lnt_status status = lnt_mat_alloc(ctx, &f->U, X.rows, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &f->VT, k, X.cols);
    if (status != LNT_OK || !(f->sv = lnt_alloc(ctx, (size_t)k, sizeof *f->sv)))
        return LNT_ENOMEM;
    status = lnt_svd(ctx, f->U, f->sv, f->VT, X);
    double cut = fmax(X.rows, X.cols) * DBL_EPSILON * f->sv[0];
    for (f->rank = 0; f->rank < k && f->sv[f->rank] > cut;)
        f->rank++;
    if (X.rows == 1)
        f->rank = 0; /* J = 0 */
    return status;
}

/* ---- A0 and what belongs to it ---- */

/* A <- I - u u^T. */
static void minus_mean(lnt_mat A, const double *u)
{
    lnt_mat_identity(A);
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            *lnt_at(A, i, j) -= u[i] * u[j];
}

void lnt_match_subtract_means(lnt_mat A)
{
    for (int j = 0; j < A.cols; j++) {
        double mean = 0;
        for (int i = 0; i < A.rows; i++)
            mean += *lnt_at(A, i, j) / A.rows;
        for (int i = 0; i < A.rows; i++)
            *lnt_at(A, i, j) -= mean;
    }
}

/* u, J Z0 U, A0 and its slack from U and Z0. */
static lnt_status reference(lnt_ctx *ctx, lnt_match *m)
{
    int r = m->rank, N = m->cells;
    m->slack = 1;
    if (m->centred) {
        lnt_mat_identity(m->A0);
        return LNT_OK;
    }
    double square = 0;
    for (int i = 0; i < r; i++) {
        for (int c = 0; c < N; c++)
            m->u[i] += *lnt_at(m->U, c, i) / sqrt(N);
        square += m->u[i] * m->u[i];
    }
    if (m->identity)
        lnt_mat_copy(m->JZ0U, m->U);
    else
        lnt_gemm(m->JZ0U, 1, LNT_N, m->Z0, LNT_N, m->U, 0);
    lnt_match_subtract_means(m->JZ0U);
    lnt_syrk(m->A0, 1, LNT_T, m->JZ0U, 0);
    lnt_symmetrize(m->A0);
    if (m->identity) {
        minus_mean(m->A0, m->u);
        m->slack = fmax(0, 1 - square);
        return LNT_OK;
    }
    lnt_mat A, Q;
    double *w = lnt_alloc(ctx, (size_t)r, sizeof *w);
    lnt_status status = w ? lnt_mat_alloc(ctx, &A, r, r) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Q, r, r);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(A, m->A0);
    status = lnt_eigh(ctx, w, Q, A);
    if (r > 0)
        m->slack = w[r - 1] > 0 ? fmax(0, w[0] / w[r - 1]) : 0;
    return status;
}

/* Results stand in the arena below what is thrown away, so they are allocated before the ranks are known. */
static lnt_status allocate(lnt_ctx *ctx, lnt_match *m, int r, int q, int pairs)
{
    lnt_status status;
    m->pairs = pairs;
    m->first = lnt_alloc_zero(ctx, (size_t)pairs + 1, sizeof *m->first);
    m->sv = lnt_alloc(ctx, (size_t)q, sizeof *m->sv);
    m->u = lnt_alloc_zero(ctx, (size_t)r, sizeof *m->u);
    if (!m->first || !m->sv || !m->u)
        return LNT_ENOMEM;
    if ((status = lnt_mat_alloc(ctx, &m->V, m->stimuli * pairs, q)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &m->A0, r, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &m->R, q, q)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &m->E0, q, q)) != LNT_OK ||
        (pairs > 1 && (status = lnt_mat_alloc(ctx, &m->P, r, q)) != LNT_OK) ||
        (m->cells > 0 && (status = lnt_mat_alloc(ctx, &m->U, m->cells, r)) != LNT_OK))
        return status;
    m->JZ0U = m->U;
    return m->centred || m->cells == 0 ? LNT_OK : lnt_mat_alloc(ctx, &m->JZ0U, m->cells, r);
}

static void resize(lnt_match *m, int r, int q)
{
    m->rank = r;
    m->dual = q;
    m->V = lnt_mat_view(m->V.a, m->V.rows, q);
    m->A0 = lnt_mat_view(m->A0.a, r, r);
    m->R = lnt_mat_view(m->R.a, q, q);
    m->E0 = lnt_mat_view(m->E0.a, q, q);
    m->U = lnt_mat_view(m->U.a, m->U.rows, r);
    m->JZ0U = lnt_mat_view(m->JZ0U.a, m->JZ0U.rows, r);
    if (m->pairs > 1)
        m->P = lnt_mat_view(m->P.a, r, q);
    lnt_mat_fill(m->R, 0);
    lnt_mat_fill(m->V, 0);
}

/* E0 <- R - P^T A0 P. */
static lnt_status first_error(lnt_ctx *ctx, lnt_match *m)
{
    lnt_mat work;
    lnt_status status = lnt_mat_alloc(ctx, &work, m->rank, m->dual);
    if (status != LNT_OK)
        return status;
    lnt_match_lower(m->E0, m->A0, m, work);
    lnt_match_mask(m->E0, m);
    lnt_mat_scale(m->E0, -1);
    lnt_mat_add(m->E0, 1, m->R);
    m->skew = m->target2 > 0 ? sqrt(m->skew / (m->target2 + m->skew)) : m->skew > 0;
    return LNT_OK;
}

/* ---- One pair ---- */

static lnt_status finish_one(lnt_ctx *ctx, lnt_match *m, lnt_mat X, lnt_mat S)
{
    factors f;
    lnt_status status = factor(ctx, &f, X);
    if (status != LNT_OK)
        return status;
    int r = f.rank;
    resize(m, r, r);
    ((int *)m->first)[1] = r;
    for (int i = 0; i < r; i++)
        m->sv[i] = f.sv[i];
    lnt_mat_copy(m->U, lnt_columns(f.U, 0, r));
    lnt_mat_transpose(m->V, lnt_block(f.VT, 0, 0, r, f.VT.cols));
    if ((status = rotate_target(ctx, m->R, m, m->V, S)) != LNT_OK || (status = reference(ctx, m)) != LNT_OK)
        return status;
    return first_error(ctx, m);
}

lnt_status lnt_match_make(lnt_ctx *ctx, lnt_match *m, lnt_mat X, lnt_mat S, const lnt_mat *Z0)
{
    int k = X.rows < X.cols ? X.rows : X.cols;
    lnt_status status = check(ctx, X, S, Z0);
    if (status != LNT_OK)
        return status;
    *m = (lnt_match){.cells = X.rows, .stimuli = X.cols, .identity = !Z0, .centred = !Z0 && lnt_match_is_centred(X)};
    if (Z0)
        m->Z0 = *Z0;
    if ((status = allocate(ctx, m, k, k, 1)) != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = finish_one(ctx, m, X, S);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- From covariances ---- */

static lnt_status finish_gram(lnt_ctx *ctx, lnt_match *m, int N, lnt_mat G, const double *mean, lnt_mat S)
{
    int M = m->stimuli, r = 0;
    double square = 0, *w = lnt_alloc(ctx, (size_t)M, sizeof *w);
    lnt_mat A, Q;
    lnt_status status = w ? lnt_mat_alloc(ctx, &A, M, M) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Q, M, M);
    if (status != LNT_OK)
        return status;
    symmetric_part(A, G);
    if ((status = lnt_eigh(ctx, w, Q, A)) != LNT_OK)
        return status;
    while (r < M && w[M - 1 - r] > M * DBL_EPSILON * w[M - 1] && (N == 0 || r < N) && N != 1)
        r++;
    resize(m, r, r);
    ((int *)m->first)[1] = r;
    for (int i = 0; i < r; i++) {
        m->sv[i] = sqrt(w[M - 1 - i]);
        lnt_mat_copy(lnt_columns(m->V, i, 1), lnt_columns(Q, M - 1 - i, 1));
        for (int j = 0; j < M && mean; j++)
            m->u[i] += sqrt(N) * *lnt_at(m->V, j, i) * mean[j] / m->sv[i];
        square += m->u[i] * m->u[i];
    }
    minus_mean(m->A0, m->u);
    m->slack = fmax(0, 1 - square);
    status = rotate_target(ctx, m->R, m, m->V, S);
    return status == LNT_OK ? first_error(ctx, m) : status;
}

lnt_status lnt_match_make_gram(lnt_ctx *ctx, lnt_match *m, int N, lnt_mat G, const double *mean, lnt_mat S)
{
    int M = G.rows;
    if (M < 1 || N < 0 || (mean && N < 1))
        return lnt_fail(ctx, LNT_EINVAL, "covariances of %d stimuli over %d cells: at least one of each", M, N);
    if (G.cols != M || S.rows != M || S.cols != M)
        return lnt_fail(ctx, LNT_ESHAPE, "the covariance is %d x %d, the target %d x %d", G.rows, G.cols, S.rows,
                        S.cols);
    if (!lnt_mat_finite(G) || !lnt_mat_finite(S) || (mean && !lnt_mat_finite(lnt_mat_view((double *)mean, M, 1))))
        return lnt_fail(ctx, LNT_EDOMAIN, "the covariance, the means or the target are not finite");
    *m = (lnt_match){.stimuli = M, .identity = true, .centred = !mean};
    lnt_status status = allocate(ctx, m, M, M, 1);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = finish_gram(ctx, m, N, G, mean, S);
    m->cells = N;
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- Several pairs ---- */

static lnt_status finish_pairs(lnt_ctx *ctx, lnt_match *m, const lnt_mat *X, const lnt_mat *S)
{
    int n = m->pairs, M = m->stimuli, *first = (int *)m->first;
    factors *f = lnt_alloc(ctx, (size_t)n, sizeof *f), joint;
    lnt_mat all;
    lnt_status status = f ? LNT_OK : LNT_ENOMEM;
    for (int k = 0; k < n && status == LNT_OK; k++) {
        status = factor(ctx, &f[k], X[k]);
        first[k + 1] = first[k] + f[k].rank;
    }
    int q = first[n];
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &all, m->cells, q);
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < n; k++) /* the columns U_k diag(sv_k) span what the X_k span */
        for (int i = 0; i < f[k].rank; i++) {
            lnt_mat column = lnt_columns(all, first[k] + i, 1);
            lnt_mat_copy(column, lnt_columns(f[k].U, i, 1));
            lnt_mat_scale(column, f[k].sv[i]);
        }
    joint.rank = 0;
    if (q > 0 && (status = factor(ctx, &joint, all)) != LNT_OK)
        return status;
    resize(m, joint.rank, q);
    if (q > 0)
        lnt_mat_copy(m->U, lnt_columns(joint.U, 0, joint.rank));
    lnt_gemm(m->P, 1, LNT_T, m->U, LNT_N, all, 0);
    for (int k = 0; k < n && status == LNT_OK; k++) {
        int i = first[k], r = f[k].rank;
        lnt_mat V = lnt_block(m->V, k * M, i, M, r);
        for (int j = 0; j < r; j++)
            m->sv[i + j] = f[k].sv[j];
        lnt_mat_transpose(V, lnt_block(f[k].VT, 0, 0, r, M));
        status = rotate_target(ctx, lnt_block(m->R, i, i, r, r), m, V, S[k]);
    }
    if (status == LNT_OK)
        status = reference(ctx, m);
    return status == LNT_OK ? first_error(ctx, m) : status;
}

lnt_status lnt_match_make_pairs(lnt_ctx *ctx, lnt_match *m, int pairs, const lnt_mat *X, const lnt_mat *S,
                                const lnt_mat *Z0)
{
    if (pairs < 1)
        return lnt_fail(ctx, LNT_EINVAL, "%d pairs of trials: at least one", pairs);
    if (pairs == 1)
        return lnt_match_make(ctx, m, X[0], S[0], Z0);
    bool centred = !Z0;
    int N = X[0].rows, M = X[0].cols, k = N < M ? N : M, q = k * pairs;
    for (int i = 0; i < pairs; i++) {
        lnt_status status = check(ctx, X[i], S[i], Z0);
        if (status != LNT_OK)
            return status;
        if (X[i].rows != N || X[i].cols != M)
            return lnt_fail(ctx, LNT_ESHAPE, "the inputs of pair %d are %d x %d, those of the first %d x %d", i + 1,
                            X[i].rows, X[i].cols, N, M);
        centred = centred && lnt_match_is_centred(X[i]);
    }
    *m = (lnt_match){.cells = N, .stimuli = M, .identity = !Z0, .centred = centred};
    if (Z0)
        m->Z0 = *Z0;
    lnt_status status = allocate(ctx, m, N < q ? N : q, q, pairs);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = finish_pairs(ctx, m, X, S);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
