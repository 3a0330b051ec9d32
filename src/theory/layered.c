#include "linnet/layered.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define PI 3.14159265358979323846

/* ---- Penalties of factors ---- */

static double absolute_sum(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += fabs(x[i]);
    return sum;
}

static double norm(const double *x, int n)
{
    return lnt_mat_norm(lnt_mat_view((double *)(uintptr_t)x, n, 1));
}

lnt_status lnt_penalties_of_factors(lnt_ctx *ctx, lnt_factor_penalties *p, lnt_mat A, lnt_mat B)
{
    if (A.cols != B.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "factors of %d and %d columns have no product A B'", A.cols, B.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    int k = A.rows < B.rows ? A.rows : B.rows;
    double a = lnt_mat_norm(A), b = lnt_mat_norm(B), *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_mat P, U, VT;
    lnt_status status = s ? lnt_mat_alloc(ctx, &P, A.rows, B.rows) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &U, A.rows, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, B.rows);
    if (status == LNT_OK) {
        lnt_mat_fill(P, 0);
        if (A.cols > 0)
            lnt_gemm(P, 1, LNT_N, A, LNT_T, B, 0);
        status = lnt_svd(ctx, U, s, VT, P);
    }
    *p = (lnt_factor_penalties){.frobenius = (a * a + b * b) / 2};
    for (int j = 0; j < A.cols; j++)
        p->columns += norm(lnt_at(A, 0, j), A.rows) * norm(lnt_at(B, 0, j), B.rows);
    for (int i = 0; i < k && status == LNT_OK; i++)
        p->nuclear += s[i];
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_l1_penalties_of_layers(lnt_ctx *ctx, lnt_l1_penalties *p, lnt_mat M, const double *V)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *S = lnt_alloc_zero(ctx, (size_t)M.rows, sizeof *S);
    if (!S)
        return LNT_ENOMEM;
    *p = (lnt_l1_penalties){0};
    for (int j = 0; j < M.cols; j++) {
        double m = absolute_sum(lnt_at(M, 0, j), M.rows), v = fabs(V[j]);
        p->layers += m + v;
        p->units += 2 * sqrt(m * v);
        for (int i = 0; i < M.rows; i++)
            S[i] += *lnt_at(M, i, j) * V[j];
    }
    p->merged = 2 * sqrt(absolute_sum(S, M.rows));
    lnt_ctx_reset(ctx, mark);
    return LNT_OK;
}

double lnt_unit_imbalance(lnt_mat M, const double *V, double l1, double l2)
{
    double worst = 0;
    for (int j = 0; j < M.cols; j++) {
        double m = norm(lnt_at(M, 0, j), M.rows), v = fabs(V[j]);
        worst = fmax(worst, fabs(l1 * (absolute_sum(lnt_at(M, 0, j), M.rows) - v) + l2 * (m - v) * (m + v)));
    }
    return worst;
}

double lnt_participation(const double *s, int n)
{
    double sum = 0, squares = 0, largest = 0;
    for (int k = 0; k < n; k++)
        largest = fmax(largest, fabs(s[k]));
    for (int k = 0; k < n && largest > 0; k++) {
        sum += s[k] / largest;
        squares += s[k] / largest * (s[k] / largest);
    }
    return largest > 0 ? sum * sum / squares : 0;
}

void lnt_decayed_spectrum(double *out, const double *s, int n, int width, double lambda)
{
    for (int k = 0; k < n; k++)
        out[k] = k < width ? fmax(s[k] - lambda, 0) : 0;
}

/* ---- The norm, unsquared ---- */

typedef double norm_fn(double lambda, const void *user);

/* lambda |S(lambda)| = decay, by bisection of the exponent between `low` and the first power that is too large. */
static double solve(double decay, double low, norm_fn *length, const void *user)
{
    double high = low;
    while (high * length(high, user) < decay) {
        low = high;
        high *= 2;
    }
    while (high - low > 2 * DBL_EPSILON * low) {
        double middle = sqrt(low) * sqrt(high);
        if (!(middle > low && middle < high))
            break;
        *(middle * length(middle, user) < decay ? &low : &high) = middle;
    }
    return high;
}

/* X/sqrt n = U diag(s) W', c = W'y/sqrt n: the ridge solution is sum_i u_i s_i c_i/(s_i^2 + lambda). */
typedef struct spectrum {
    int count;
    const double *s, *c;
} spectrum;

static double norm_on(double lambda, const void *user)
{
    const spectrum *d = user;
    double sum = 0;
    for (int i = 0; i < d->count; i++) {
        double t = d->s[i] * d->c[i] / (d->s[i] * d->s[i] + lambda);
        sum += t * t;
    }
    return sqrt(sum);
}

static double gradient_at_zero(const spectrum *d)
{
    double sum = 0;
    for (int i = 0; i < d->count; i++)
        sum += d->s[i] * d->c[i] * (d->s[i] * d->c[i]);
    return sqrt(sum);
}

/* Fills p and S from the decomposition. */
static void answer(lnt_norm_penalty *p, double *S, const spectrum *d, lnt_mat U, lnt_mat X, const double *y,
                   const double *teacher, double decay)
{
    bool zero = decay >= gradient_at_zero(d);
    *p = (lnt_norm_penalty){.lambda = zero ? INFINITY : 0};
    if (!zero && decay > 0)
        p->lambda = solve(decay, decay / norm_on(0, d), norm_on, d);
    memset(S, 0, (size_t)X.rows * sizeof *S);
    for (int i = 0; i < d->count && !zero; i++) {
        double f = d->s[i] * d->c[i] / (d->s[i] * d->s[i] + p->lambda);
        for (int k = 0; k < X.rows; k++)
            S[k] += f * *lnt_at(U, k, i);
    }
    for (int k = 0; k < X.rows; k++)
        p->gen += (S[k] - teacher[k]) * (S[k] - teacher[k]) / 2;
    p->norm = norm(S, X.rows);
    for (int j = 0; j < X.cols; j++) {
        double r = y[j] - lnt_mat_dot(lnt_columns(X, j, 1), lnt_mat_view(S, X.rows, 1));
        p->train += r * r / (2.0 * X.cols);
    }
}

static lnt_status check_data(lnt_ctx *ctx, lnt_mat X, const double *y, const double *teacher, double decay)
{
    bool finite = lnt_mat_finite(X);
    for (int j = 0; j < X.cols; j++)
        finite = finite && isfinite(y[j]);
    for (int k = 0; k < X.rows; k++)
        finite = finite && isfinite(teacher[k]);
    if (X.rows < 1 || X.cols < 1)
        return lnt_fail(ctx, LNT_ESHAPE, "%d features of %d samples: at least one of each", X.rows, X.cols);
    if (!finite || !(decay >= 0 && isfinite(decay)))
        return lnt_fail(ctx, LNT_EDOMAIN, "the data must be finite and the decay %g finite and >= 0", decay);
    return LNT_OK;
}

lnt_status lnt_norm_penalty_on(lnt_ctx *ctx, lnt_norm_penalty *p, double *S, lnt_mat X, const double *y,
                               const double *teacher, double decay)
{
    lnt_status status = check_data(ctx, X, y, teacher, decay);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    int k = X.rows < X.cols ? X.rows : X.cols;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s), *c = lnt_alloc_zero(ctx, (size_t)k, sizeof *c),
           *own = lnt_alloc(ctx, (size_t)X.rows, sizeof *own), root = sqrt(X.cols);
    lnt_mat U, WT;
    status = s && c && own ? lnt_mat_alloc(ctx, &U, X.rows, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &WT, k, X.cols);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, WT, X);
    if (status == LNT_OK) {
        spectrum d = {.s = s, .c = c};
        double least = (X.rows > X.cols ? X.rows : X.cols) * DBL_EPSILON * s[0];
        while (d.count < k && s[d.count] > least)
            d.count++;
        for (int i = 0; i < d.count; i++) {
            s[i] /= root;
            for (int j = 0; j < X.cols; j++)
                c[i] += *lnt_at(WT, i, j) * y[j] / root;
        }
        answer(p, S ? S : own, &d, U, X, y, teacher, decay);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Averages over the law at ridge lambda: for lambda >= 1, where the resolvent cancels, by quadrature, whose error is
 * there below (1 + sqrt 2)^{-2 NODES}. */
#define NODES 64

typedef struct averages {
    double norm2, bias, train; /* <(x/(x + lambda))^2>, <(lambda/(x + lambda))^2>, <x (lambda/(x + lambda))^2> */
} averages;

static averages average(double q, double lambda)
{
    averages a = {.bias = lnt_mp_ridge_bias(q, lambda)};
    if (lambda < 1) {
        double r = lambda * lnt_mp_resolvent(q, lambda);
        a.norm2 = 1 - 2 * r + a.bias;
        a.train = lambda * (r - a.bias);
        return a;
    }
    double x[NODES], w[NODES];
    lnt_mp_nodes(x, w, NODES, q);
    for (int i = 0; i < NODES; i++) {
        double keep = x[i] / (x[i] + lambda), lose = lambda / (x[i] + lambda);
        a.norm2 += w[i] * keep * keep;
        a.train += w[i] * x[i] * lose * lose;
    }
    return a;
}

static double norm_in_limit(double lambda, const void *user)
{
    const double *q_t2 = user;
    return sqrt(q_t2[1] * fmax(average(q_t2[0], lambda).norm2, 0));
}

lnt_status lnt_norm_penalty_limit(lnt_ctx *ctx, lnt_norm_penalty *p, double q, double teacher2, double decay)
{
    const double given[2] = {q, teacher2};
    if (!(q > 0 && teacher2 >= 0 && decay > 0) || !isfinite(q) || !isfinite(teacher2) || !isfinite(decay))
        return lnt_fail(ctx, LNT_EDOMAIN, "q %g and decay %g must be positive, |T|^2 %g not negative", q, decay,
                        teacher2);
    if (decay >= sqrt(teacher2 * (1 + 1 / q))) {
        *p = (lnt_norm_penalty){INFINITY, 0, teacher2 / 2, teacher2 / 2};
        return LNT_OK;
    }
    double lambda = solve(decay, decay / sqrt(teacher2), norm_in_limit, given); /* |S| < |T| */
    averages a = average(q, lambda);
    *p = (lnt_norm_penalty){lambda, norm_in_limit(lambda, given), teacher2 * a.bias / 2, teacher2 * a.train / 2};
    return LNT_OK;
}

/* ---- Relu networks ---- */

double lnt_relu_product(double uu, double uv, double vv)
{
    double scale = sqrt(uu) * sqrt(vv);
    if (!(scale > 0))
        return scale; /* 0, or NaN */
    double c = fmax(-1, fmin(1, uv / scale)), s = sqrt((1 - c) * (1 + c));
    return scale / (2 * PI) * (s + (PI - atan2(s, c)) * c);
}

lnt_status lnt_relu_risk(lnt_ctx *ctx, double *risk, lnt_mat M, const double *V, lnt_mat Mg, const double *Vg)
{
    if (M.rows != Mg.rows)
        return lnt_fail(ctx, LNT_ESHAPE, "networks of %d and %d inputs cannot be compared", M.rows, Mg.rows);
    lnt_mark mark = lnt_ctx_mark(ctx);
    int H = M.cols + Mg.cols;
    lnt_mat A, K;
    lnt_status status = lnt_mat_alloc(ctx, &A, M.rows, H);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &K, H, H);
    *risk = 0;
    if (status == LNT_OK && H > 0 && M.rows > 0) {
        lnt_mat_copy(lnt_columns(A, 0, M.cols), M);
        lnt_mat_copy(lnt_columns(A, M.cols, Mg.cols), Mg);
        lnt_syrk(K, 1, LNT_T, A, 0);
        for (int j = 0; j < H; j++) {
            double vj = j < M.cols ? V[j] : -Vg[j - M.cols];
            for (int i = j; i < H && vj != 0; i++) {
                double vi = i < M.cols ? V[i] : -Vg[i - M.cols];
                if (vi != 0)
                    *risk += (i == j ? 1 : 2) * vi * vj *
                             lnt_relu_product(*lnt_at(K, i, i), *lnt_at(K, i, j), *lnt_at(K, j, j));
            }
        }
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- Two pairs ---- */

double lnt_two_pairs_loss(const lnt_two_pairs *p, double Lambda)
{
    double x = p->x, y = p->y;
    return 1 + x * x + y * y - 2 * x * p->cos_v1 * p->cos_u1 - 2 * y * p->cos_v2 * p->cos_u2 +
           2 * x * y * p->cos_v12 * p->cos_u12 + Lambda * (x + y);
}

double lnt_two_pairs_aligned(double x, double y, double Lambda)
{
    double rest = 1 - x - y;
    return rest * rest + Lambda * (x + y);
}

double lnt_two_pairs_turned(double x, double y, double Lambda)
{
    double sum = x + y, difference = fabs(x - y);
    double rest = sum < 1 ? 1 - sum : difference > 1 ? difference - 1 : 0;
    return rest * rest + Lambda * sum;
}

double lnt_two_pairs_minimum(double Lambda, double *loss)
{
    double sum = fmax(1 - Lambda / 2, 0);
    if (loss)
        *loss = lnt_two_pairs_aligned(sum, 0, Lambda);
    return sum;
}
