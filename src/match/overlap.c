/* The linear model with a diagonal: the overlap form, the weighted form, the diagonal alone. */
#include "diagonal.h"

#include <math.h>

#define DENSE 2000 /* cells up to which N x N systems are formed */
#define CG_STEPS 20000

lnt_status lnt_match_check_diagonal(lnt_ctx *ctx, const lnt_match *m)
{
    if (!m->centred || m->pairs > 1)
        return lnt_fail(ctx, LNT_EINVAL,
                        "a diagonal is for one pair of centred inputs; subtract each stimulus's mean over cells");
    if (m->U.rows != m->cells || m->cells == 0)
        return lnt_fail(ctx, LNT_EINVAL, "a diagonal needs the inputs, not their covariance alone");
    return LNT_OK;
}

/* A (r x r) <- Y^T diag(d) Y. */
static void inner(lnt_mat A, lnt_mat work, lnt_mat Y, const double *d)
{
    for (int j = 0; j < Y.cols; j++)
        for (int i = 0; i < Y.rows; i++)
            *lnt_at(work, i, j) = d[i] * *lnt_at(Y, i, j);
    lnt_gemm(A, 1, LNT_T, Y, LNT_N, work, 0);
}

/* d_i <- y_i^T A y_i. */
static void diagonal_of(double *d, lnt_mat work, lnt_mat Y, lnt_mat A)
{
    lnt_gemm(work, 1, LNT_N, Y, LNT_N, A, 0);
    for (int i = 0; i < Y.rows; i++)
        d[i] = 0;
    for (int j = 0; j < Y.cols; j++)
        for (int i = 0; i < Y.rows; i++)
            d[i] += *lnt_at(work, i, j) * *lnt_at(Y, i, j);
}

/* The system (shift I + factor H) x = b with H_ij = sum_ab F_ab y_ia y_ja y_ib y_jb, F >= 0. */
typedef struct quartic {
    lnt_mat Y, F;
    double shift, factor;
} quartic;

/* H by blocks of products of two columns, a <= b. */
static lnt_status dense(lnt_ctx *ctx, double *x, const quartic *s)
{
    int N = s->Y.rows, r = s->Y.cols;
    lnt_mat H, Z;
    lnt_status status = lnt_mat_alloc_zero(ctx, &H, N, N);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, N, r);
    if (status != LNT_OK)
        return status;
    for (int a = 0; a < r; a++) {
        for (int b = a; b < r; b++) {
            double w = sqrt((b == a ? 1 : 2) * *lnt_at(s->F, a, b));
            for (int i = 0; i < N; i++)
                *lnt_at(Z, i, b - a) = w * *lnt_at(s->Y, i, a) * *lnt_at(s->Y, i, b);
        }
        lnt_syrk(H, s->factor, LNT_N, lnt_columns(Z, 0, r - a), 1);
    }
    for (int i = 0; i < N; i++)
        *lnt_at(H, i, i) += s->shift;
    if (!lnt_cholesky(H))
        return lnt_fail(ctx, LNT_ENUMERIC, "the diagonal is not determined to rounding; raise its penalty");
    lnt_cholesky_solve(lnt_mat_view(x, N, 1), H);
    return LNT_OK;
}

static double dot(const double *a, const double *b, int n)
{
    return lnt_match_dot(lnt_mat_view((double *)a, n, 1), lnt_mat_view((double *)b, n, 1));
}

static lnt_status iterative(lnt_ctx *ctx, double *x, const quartic *s)
{
    int N = s->Y.rows, r = s->Y.cols;
    size_t n = (size_t)N;
    lnt_mat A, work, square;
    double *res = lnt_alloc(ctx, n, sizeof *res), *z = lnt_alloc(ctx, n, sizeof *z), *p = lnt_alloc(ctx, n, sizeof *p),
           *q = lnt_alloc(ctx, n, sizeof *q), *diagonal = lnt_alloc(ctx, n, sizeof *diagonal);
    if (!res || !z || !p || !q || !diagonal || lnt_mat_alloc(ctx, &A, r, r) != LNT_OK ||
        lnt_mat_alloc(ctx, &work, N, r) != LNT_OK || lnt_mat_alloc(ctx, &square, N, r) != LNT_OK)
        return LNT_ENOMEM;
    for (int j = 0; j < r; j++)
        for (int i = 0; i < N; i++)
            *lnt_at(square, i, j) = pow(*lnt_at(s->Y, i, j), 2);
    diagonal_of(diagonal, work, square, s->F);
    double rz = 0, start = sqrt(dot(x, x, N));
    for (int i = 0; i < N; i++) {
        diagonal[i] = s->shift + s->factor * diagonal[i];
        res[i] = x[i];
        p[i] = z[i] = res[i] / diagonal[i];
        x[i] = 0;
    }
    rz = dot(res, z, N);
    for (int k = 0; k < CG_STEPS && sqrt(dot(res, res, N)) > 1e-15 * start && rz > 0; k++) {
        inner(A, work, s->Y, p);
        lnt_mat_multiply(A, s->F);
        diagonal_of(q, work, s->Y, A);
        for (int i = 0; i < N; i++)
            q[i] = s->shift * p[i] + s->factor * q[i];
        double pq = dot(p, q, N), alpha = rz / pq, next;
        if (!(pq > 0))
            break;
        for (int i = 0; i < N; i++) {
            x[i] += alpha * p[i];
            res[i] -= alpha * q[i];
            z[i] = res[i] / diagonal[i];
        }
        next = dot(res, z, N);
        for (int i = 0; i < N; i++)
            p[i] = z[i] + next / rz * p[i];
        rz = next;
    }
    return LNT_OK;
}

/* x <- (shift I + factor H)^-1 x; a negative factor (of the weighted form) needs the dense way. */
static lnt_status solve(lnt_ctx *ctx, double *x, const quartic *s)
{
    return s->Y.rows <= DENSE || s->factor < 0 ? dense(ctx, x, s) : iterative(ctx, x, s);
}

static lnt_status scaled_inputs(lnt_ctx *ctx, lnt_mat *Y, const lnt_match *m)
{
    lnt_status status = lnt_mat_alloc(ctx, Y, m->cells, m->rank);
    for (int j = 0; j < m->rank && status == LNT_OK; j++) {
        lnt_mat_copy(lnt_columns(*Y, j, 1), lnt_columns(m->U, j, 1));
        lnt_mat_scale(lnt_columns(*Y, j, 1), m->sv[j]);
    }
    return status;
}

static lnt_status overlap(lnt_ctx *ctx, double *d, lnt_mat D, const lnt_match *m, double lam_w, double lam_d)
{
    int N = m->cells, r = m->rank;
    lnt_mat Y, F, A, work;
    lnt_status status;
    if ((status = scaled_inputs(ctx, &Y, m)) != LNT_OK || (status = lnt_mat_alloc(ctx, &F, r, r)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &A, r, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &work, N, r)) != LNT_OK)
        return status;
    for (int j = 0; j < r; j++)
        for (int i = 0; i < r; i++) {
            double ss = m->sv[i] * m->sv[j];
            *lnt_at(F, i, j) = isinf(lam_w) ? 1 : lam_w / (lam_w + 4 * ss * ss);
        }
    lnt_mat_copy(A, m->E0);
    lnt_mat_multiply(A, F);
    diagonal_of(d, work, Y, A);
    for (int i = 0; i < N; i++)
        d[i] *= 2;
    quartic system = {Y, F, lam_d, 4};
    if ((status = solve(ctx, d, &system)) != LNT_OK)
        return status;
    inner(A, work, Y, d);
    for (int j = 0; j < r; j++)
        for (int i = 0; i < r; i++) {
            double ss = m->sv[i] * m->sv[j];
            *lnt_at(D, i, j) =
                isinf(lam_w) ? 0 : 2 * ss / (lam_w + 4 * ss * ss) * (*lnt_at(m->E0, i, j) - 2 * *lnt_at(A, i, j));
        }
    return LNT_OK;
}

static lnt_status weighted(lnt_ctx *ctx, double *d, lnt_mat D, const lnt_match *m, double lambda, double delta)
{
    int N = m->cells, r = m->rank;
    lnt_mat G, A, work;
    lnt_status status;
    if ((status = lnt_mat_alloc(ctx, &G, r, r)) != LNT_OK || (status = lnt_mat_alloc(ctx, &A, r, r)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &work, N, r)) != LNT_OK ||
        (status = lnt_match_linear_solve(ctx, D, lnt_mat_view(NULL, 0, 0), m, lambda)) != LNT_OK)
        return status;
    for (int j = 0; j < r; j++)
        for (int i = 0; i < r; i++) {
            double ss = m->sv[i] * m->sv[j];
            *lnt_at(G, i, j) = 4 * ss * ss / (lambda * (lambda + 4 * ss * ss));
        }
    diagonal_of(d, work, m->U, D);
    if (isinf(delta)) { /* K k = c */
        quartic system = {m->U, G, 1 / lambda, -1};
        status = dense(ctx, d, &system);
    } else { /* (I + (delta - lambda) K) k = (delta - lambda) c */
        double e = delta - lambda;
        lnt_mat_scale(G, fabs(e));
        quartic system = {m->U, G, delta / lambda, e > 0 ? -1 : 1};
        lnt_mat_scale(lnt_mat_view(d, N, 1), e);
        status = e == 0 ? LNT_OK : solve(ctx, d, &system);
        if (e != 0)
            lnt_mat_scale(G, 1 / fabs(e));
        else
            lnt_mat_fill(G, 0);
    }
    if (status != LNT_OK)
        return status;
    inner(A, work, m->U, d);
    lnt_mat_multiply(A, G);
    lnt_mat_add(D, 1, A);
    lnt_mat_scale(lnt_mat_view(d, N, 1), -1 / lambda);
    return LNT_OK;
}

static lnt_status check(lnt_ctx *ctx, const lnt_match *m, lnt_mat D, double first, double second)
{
    lnt_status status = lnt_match_check_diagonal(ctx, m);
    if (status != LNT_OK)
        return status;
    if (D.rows != m->rank || D.cols != m->rank)
        return lnt_fail(ctx, LNT_ESHAPE, "the core is %d x %d, the rank of the inputs %d", D.rows, D.cols, m->rank);
    if (!(first > 0) || !(second > 0))
        return lnt_fail(ctx, LNT_EINVAL, "the penalties are %g and %g, but must be above 0", first, second);
    return LNT_OK;
}

lnt_status lnt_match_overlap(lnt_ctx *ctx, double *d, lnt_mat D, const lnt_match *m, double lam_w, double lam_d)
{
    lnt_status status = check(ctx, m, D, lam_w, lam_d);
    if (status != LNT_OK || isinf(lam_d))
        return status != LNT_OK ? status : lnt_fail(ctx, LNT_EINVAL, "an infinite lam_d means no diagonal at all");
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = overlap(ctx, d, D, m, lam_w, lam_d);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_match_weighted(lnt_ctx *ctx, double *d, lnt_mat D, const lnt_match *m, double lambda, double delta)
{
    lnt_status status = check(ctx, m, D, lambda, delta);
    if (status != LNT_OK || isinf(lambda))
        return status != LNT_OK ? status : lnt_fail(ctx, LNT_EINVAL, "lambda must be finite");
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = weighted(ctx, d, D, m, lambda, delta);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_match_diagonal_weights(lnt_ctx *ctx, lnt_mat W, const lnt_match *m, const double *d, lnt_mat D)
{
    int N = m->cells;
    lnt_match_fit fit = {.D = D};
    lnt_status status = lnt_match_check_diagonal(ctx, m);
    if (status == LNT_OK)
        status = lnt_match_weights(ctx, W, m, &fit);
    for (int i = 0; i < N && d && status == LNT_OK; i++)
        *lnt_at(W, i, i) += d[i];
    return status;
}

lnt_status lnt_match_diagonal_apply(lnt_ctx *ctx, lnt_mat ZX, const lnt_match *m, const double *d, lnt_mat D, lnt_mat X)
{
    lnt_match_fit fit = {.D = D};
    lnt_status status = lnt_match_check_diagonal(ctx, m);
    if (status == LNT_OK)
        status = lnt_match_apply(ctx, ZX, m, &fit, X);
    for (int j = 0; j < X.cols && d && status == LNT_OK; j++)
        for (int i = 0; i < X.rows; i++)
            *lnt_at(ZX, i, j) += d[i] * *lnt_at(X, i, j);
    return status;
}
