#include "linnet/linearize.h"

#include "bayes.h"
#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

static lnt_status decompose(lnt_ctx *ctx, lnt_linearized *lin, lnt_mat Theta, const double *d)
{
    int n = lin->n;
    lnt_mat copy;
    double *r = lnt_alloc(ctx, (size_t)n, sizeof *r);
    lnt_status status = r ? lnt_mat_alloc(ctx, &copy, n, n) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(copy, Theta);
    status = lnt_eigh(ctx, lin->lam, lin->U, copy);
    if (status != LNT_OK)
        return status;
    double top = fmax(0, lin->lam[n - 1]);
    if (lin->lam[0] < -1e-10 * top || lin->lam[n - 1] < 0)
        return lnt_fail(ctx, LNT_EDOMAIN, "the kernel has the eigenvalue %g: it is not of the form B B'", lin->lam[0]);
    for (int i = 0; i < n; i++) {
        lin->lam[i] = lin->lam[i] > n * DBL_EPSILON * top ? lin->lam[i] : 0;
        r[i] = d[i] - lin->f0[i];
    }
    lnt_gemv(lin->c, 1, LNT_T, lin->U, r, 0);
    return lnt_mat_finite(lnt_mat_view(lin->c, n, 1))
               ? LNT_OK
               : lnt_fail(ctx, LNT_EDOMAIN, "the data or the outputs are not finite");
}

lnt_status lnt_linearize(lnt_ctx *ctx, lnt_linearized *lin, lnt_mat Theta, const double *f0, const double *d)
{
    int n = Theta.rows;
    if (n < 1 || Theta.cols != n)
        return lnt_fail(ctx, LNT_ESHAPE, "a kernel of %d x %d", Theta.rows, Theta.cols);
    *lin = (lnt_linearized){.n = n};
    double **each[] = {&lin->lam, &lin->c, &lin->f0};
    for (int i = 0; i < 3; i++)
        if (!(*each[i] = lnt_alloc(ctx, (size_t)n, sizeof(double))))
            return LNT_ENOMEM;
    lnt_status status = lnt_mat_alloc(ctx, &lin->U, n, n);
    if (status != LNT_OK)
        return status;
    memcpy(lin->f0, f0, (size_t)n * sizeof *f0);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = decompose(ctx, lin, Theta, d);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

double lnt_linearized_phi(const lnt_smooth_rule *rule, double lam, double t)
{
    double h = lam + rule->lambda;
    if (!isinf(t))
        return lnt_response_at(rule, lam, t).g;
    if (rule->eta > 0 && h > 0 && rule->eta * h >= 2 * (1 + rule->beta))
        return rule->eta * h > 2 * (1 + rule->beta) ? INFINITY : NAN;
    return h > 0 ? 1 / h : 0;
}

/* The larger absolute root of z^2 - (1 + beta - eta h) z + beta. */
static double factor_a_step(const lnt_smooth_rule *rule, double h)
{
    double half = (1 + rule->beta - rule->eta * h) / 2, square = half * half - rule->beta;
    return square <= 0 ? sqrt(rule->beta) : fabs(half) + sqrt(square);
}

double lnt_learning_time(const lnt_smooth_rule *rule, double lam, double share)
{
    double h = lam + rule->lambda, left = log1p(-share);
    if (!(h > 0))
        return INFINITY;
    if (rule->eta == 0)
        return -left / h;
    if (rule->eta * h >= 2 * (1 + rule->beta))
        return INFINITY;
    if (rule->beta == 0 && rule->eta * h < 1)
        return left / log1p(-rule->eta * h);
    return left / log(factor_a_step(rule, h));
}

static lnt_status check_times(lnt_ctx *ctx, const double *times, int count)
{
    for (int k = 0; k < count; k++)
        if (!(times[k] >= 0))
            return lnt_fail(ctx, LNT_EDOMAIN, "time %d is %g: times are 0 or more", k, times[k]);
    return LNT_OK;
}

/* Columns of A <- U (weight phi) c, weight lam or 1. */
static lnt_status columns(lnt_ctx *ctx, lnt_mat A, const lnt_linearized *lin, const lnt_smooth_rule *rule,
                          const double *times, int count, bool outputs)
{
    if (A.rows != lin->n || A.cols != count)
        return lnt_fail(ctx, LNT_ESHAPE, "%d x %d numbers for %d outputs at %d times", A.rows, A.cols, lin->n, count);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat Y;
    lnt_status status = check_times(ctx, times, count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, lin->n, count);
    for (int k = 0; k < count && status == LNT_OK; k++)
        for (int i = 0; i < lin->n; i++) {
            double phi = lnt_linearized_phi(rule, lin->lam[i], times[k]);
            *lnt_at(Y, i, k) = (outputs ? lin->lam[i] * phi : phi) * lin->c[i];
        }
    if (status == LNT_OK)
        lnt_gemm(A, 1, LNT_N, lin->U, LNT_N, Y, 0);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_linearized_outputs(lnt_ctx *ctx, lnt_mat F, const lnt_linearized *lin, const lnt_smooth_rule *rule,
                                  const double *times, int count)
{
    lnt_status status = columns(ctx, F, lin, rule, times, count, true);
    for (int k = 0; k < count && status == LNT_OK; k++)
        lnt_vec_add(lin->n, 1, lin->f0, lnt_at(F, 0, k));
    return status;
}

lnt_status lnt_linearized_coefficients(lnt_ctx *ctx, lnt_mat A, const lnt_linearized *lin, const lnt_smooth_rule *rule,
                                       const double *times, int count)
{
    return columns(ctx, A, lin, rule, times, count, false);
}

void lnt_linearized_elsewhere(lnt_mat F, lnt_mat Theta_star, const double *f0_star, lnt_mat A)
{
    for (int k = 0; k < F.cols; k++)
        memcpy(lnt_at(F, 0, k), f0_star, (size_t)F.rows * sizeof *f0_star);
    lnt_gemm(F, 1, LNT_N, Theta_star, LNT_N, A, 1);
}

/* ---- Any likelihood ---- */

typedef struct loss {
    lnt_mat Theta;
    const double *f0;
    const lnt_likelihood *likelihood;
    double pull, *f;
} loss;

/* da <- dlog p/df (f0 + Theta a) - m a. */
static int slope(double *da, double t, const double *a, void *user)
{
    const loss *l = user;
    int n = l->Theta.rows;
    (void)t;
    memcpy(l->f, l->f0, (size_t)n * sizeof *l->f);
    lnt_gemv(l->f, 1, LNT_N, l->Theta, a, 1);
    lnt_likelihood_gradient(da, l->likelihood, l->f);
    lnt_vec_add(n, -l->pull, a, da);
    return 0;
}

static lnt_status by_steps(lnt_ctx *ctx, lnt_mat A, loss *l, const lnt_smooth_rule *rule, const double *times)
{
    int n = A.rows;
    double *a = lnt_alloc_zero(ctx, (size_t)n, sizeof *a), *da = lnt_alloc(ctx, (size_t)n, sizeof *da),
           *m = lnt_alloc_zero(ctx, (size_t)n, sizeof *m), step = 0;
    if (!a || !da || !m)
        return LNT_ENOMEM;
    for (int k = 0; k < A.cols; k++) {
        for (; step < times[k] && !lnt_cancelled(ctx); step++) {
            (void)slope(da, step, a, l);
            for (int i = 0; i < n; i++) {
                m[i] = rule->beta * m[i] + da[i];
                a[i] += rule->eta * m[i];
            }
        }
        memcpy(lnt_at(A, 0, k), a, (size_t)n * sizeof *a);
    }
    return LNT_OK;
}

static lnt_status by_flow(lnt_ctx *ctx, lnt_mat A, lnt_flow_info *info, loss *l, const double *times,
                          const lnt_flow_opts *opts)
{
    int n = A.rows;
    lnt_ode ode = {.size = (size_t)n, .slope = slope, .user = l};
    double *a = lnt_alloc_zero(ctx, (size_t)n, sizeof *a), *da = lnt_alloc(ctx, (size_t)n, sizeof *da);
    lnt_flow_opts defaults;
    lnt_flow_defaults(&defaults);
    if (!a || !da)
        return LNT_ENOMEM;
    (void)slope(da, 0, a, l);
    double size = lnt_mat_max(lnt_mat_view(da, n, 1));
    defaults.atol = 1e-10 * (size > 0 ? size : 1);
    return lnt_flow(ctx, A, info, &ode, a, 0, times, A.cols, opts ? opts : &defaults);
}

lnt_status lnt_linearized_descent(lnt_ctx *ctx, lnt_mat A, lnt_flow_info *info, lnt_mat Theta, const double *f0,
                                  const lnt_likelihood *likelihood, const lnt_smooth_rule *rule, const double *times,
                                  int count, const lnt_flow_opts *opts)
{
    int n = Theta.rows;
    if (Theta.cols != n || A.rows != n || A.cols != count)
        return lnt_fail(ctx, LNT_ESHAPE, "%d x %d numbers for a kernel of %d x %d and %d times", A.rows, A.cols,
                        Theta.rows, Theta.cols, count);
    lnt_status status = lnt_likelihood_check(ctx, likelihood, (size_t)n);
    if (status == LNT_OK)
        status = check_times(ctx, times, count);
    if (status == LNT_OK && !(lnt_mat_finite(Theta) && lnt_mat_finite(lnt_mat_view((double *)f0, n, 1))))
        status = lnt_fail(ctx, LNT_EDOMAIN, "the kernel or the outputs are not finite");
    for (int k = 0; k < count && status == LNT_OK && rule->eta > 0; k++)
        if (isinf(times[k]) || times[k] != floor(times[k]) || (k > 0 && times[k] < times[k - 1]))
            status = lnt_fail(ctx, LNT_EINVAL, "descent is asked for at whole numbers of steps, ascending");
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    loss l = {.Theta = Theta, .f0 = f0, .likelihood = likelihood, .pull = rule->lambda};
    lnt_blas_pin();
    l.f = lnt_alloc(ctx, (size_t)n, sizeof *l.f);
    if (!l.f)
        status = LNT_ENOMEM;
    else
        status = rule->eta > 0 ? by_steps(ctx, A, &l, rule, times) : by_flow(ctx, A, info, &l, times, opts);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- Widths ---- */

/* Variance of the log of a mean, from the scatter of its parts. */
static double log_variance(const double *x, int count, double mean)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return count > 1 ? sum / (count - 1) / count / (mean * mean) : NAN;
}

lnt_status lnt_width_law_fit(lnt_ctx *ctx, lnt_width_law *law, const double *width, lnt_mat deviation)
{
    int seeds = deviation.rows, widths = deviation.cols;
    double centre = 0, level = 0, spread = 0, rise = 0, variance = 0, scatter = 0;
    if (widths < 2 || seeds < 1)
        return lnt_fail(ctx, LNT_EINVAL, "a law of widths needs two widths or more");
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *y = lnt_alloc(ctx, (size_t)widths, sizeof *y), *v = lnt_alloc(ctx, (size_t)widths, sizeof *v);
    if (!y || !v)
        return LNT_ENOMEM;
    for (int j = 0; j < widths; j++) {
        double mean = 0;
        for (int i = 0; i < seeds; i++)
            mean += *lnt_at(deviation, i, j) / seeds;
        if (!(mean > 0 && isfinite(mean) && width[j] > 0 && isfinite(width[j])))
            return lnt_fail(ctx, LNT_EDOMAIN, "width %g has the deviation %g: both must be above 0", width[j], mean);
        y[j] = log(mean);
        v[j] = log_variance(lnt_at(deviation, 0, j), seeds, mean);
        centre += log(width[j]) / widths;
        level += y[j] / widths;
    }
    for (int j = 0; j < widths; j++) {
        double x = log(width[j]) - centre;
        spread += x * x;
        rise += x * y[j];
        variance += x * x * v[j];
    }
    if (spread < 1e-20 * (1 + centre * centre))
        return lnt_fail(ctx, LNT_EINVAL, "a law of widths needs two widths that differ");
    law->exponent = rise / spread;
    law->constant = exp(level - law->exponent * centre);
    for (int j = 0; j < widths; j++) {
        double off = y[j] - level - law->exponent * (log(width[j]) - centre);
        scatter += off * off;
    }
    law->error = seeds > 1 ? sqrt(variance) / spread : widths > 2 ? sqrt(scatter / (widths - 2) / spread) : NAN;
    lnt_ctx_reset(ctx, mark);
    return LNT_OK;
}
