#include "linnet/lasso_risk.h"

#include "gauss.h"

#include <math.h>
#include <stdbool.h>

/* State evolution in units in which the larger of |T|^2 and s2 is 1. t = tau^2. */
typedef struct evolution {
    double delta, rho, teacher2, nu, s2, lambda; /* lambda sqrt(D) */
    double base, alpha;                          /* alpha = base + e^x */
    const double *T;                             /* a given teacher, else NULL */
    int features;
    double scale; /* of T: sqrt(D) T in these units */
} evolution;

/* ---- The two equations ---- */

/* What both depend on: with b = nu/(nu+t), R = E (eta - B)^2/t = rho [K(a) + alpha^2 b h(a)] + (1-rho) K(alpha), all
 * of whose terms are positive and survive t -> 0 and t -> infinity; h(a) = G(a)/a^2 + 2 Phi(-a), where G(a) =
 * erf(a/sqrt 2) - 2 a phi(a). */
typedef struct terms {
    double R, slack; /* slack = delta - active */
    double active;   /* share of S that is not 0 */
    double R_a, R_t; /* derivatives by log alpha and log t */
    double slack_a, slack_t;
} terms;

/* G(a)/a^2. */
static double small_part(double a)
{
    if (a >= 1)
        return (erf(sqrt(0.5) * a) - 2 * a * lnt_normal_density(a)) / (a * a);
    double term = a / 3, sum = 0;
    for (int k = 0; term > 1e-17 * sum; k++) {
        sum += term;
        term *= a * a / (2 * k + 5);
    }
    return 2 * lnt_normal_density(a) * sum;
}

static double upper_tail(double z)
{
    return erfc(sqrt(0.5) * z) / 2;
}

/* The same for the entries of a given teacher, u = sqrt(D) T_i/tau. */
static terms evaluate_teacher(const evolution *e, double alpha, double t)
{
    double R = 0, active = 0, inactive = 0, Q[LNT_TAILS], D = e->features;
    int zeros = 0;
    terms f = {0};
    lnt_normal_tails(Q, alpha);
    for (int i = 0; i < e->features; i++) {
        double u = isinf(t) ? 0 : fabs(e->scale * e->T[i]) / sqrt(t); /* infinite at t = 0: all is active */
        if (e->T[i] == 0 || u > 1e3) {
            zeros += e->T[i] == 0;
            R += e->T[i] == 0 ? 0 : 1 + alpha * alpha;
            f.R_a += e->T[i] == 0 ? 0 : 2 * alpha * alpha / D;
            active += e->T[i] != 0;
            continue;
        }
        double tails = upper_tail(alpha - u) + upper_tail(alpha + u),
               within = (erf(sqrt(0.5) * (alpha - u)) + erf(sqrt(0.5) * (alpha + u))) / 2,
               near = lnt_normal_density(alpha - u), far = lnt_normal_density(alpha + u);
        R += (1 + alpha * alpha) * tails + u * u * within - (alpha - u) * far - (alpha + u) * near;
        active += tails;
        inactive += within;
        f.R_a += 2 * alpha * (alpha * tails - near - far) / D;
        f.R_t -= u * u * within / D;
        f.slack_a += alpha * (near + far) / D;
        f.slack_t += u / 2 * (near - far) / D;
    }
    f.R = R / D + zeros / D * 4 * Q[2];
    f.R_a -= zeros / D * 4 * Q[1] * alpha;
    f.slack_a += zeros / D * 2 * lnt_normal_density(alpha) * alpha;
    f.active = active / D + zeros / D * 2 * Q[0];
    double rest = inactive / D + zeros / D * erf(sqrt(0.5) * alpha);
    f.slack = f.active > 0.5 ? e->delta - 1 + rest : e->delta - f.active;
    return f;
}

static terms evaluate(const evolution *e, double alpha, double t)
{
    if (e->T)
        return evaluate_teacher(e, alpha, t);
    double Q[LNT_TAILS], P[LNT_TAILS], rho = e->rho;
    double b = isinf(t) ? 0 : e->nu / (e->nu + t), a = alpha * sqrt(isinf(t) ? 1 : t / (e->nu + t));
    lnt_normal_tails(Q, alpha);
    lnt_normal_tails(P, a);
    double G = small_part(a), A2 = alpha * alpha * b, h = G + 2 * P[0];
    terms e_ = {.R = rho * (4 * P[2] + A2 * h) + (1 - rho) * 4 * Q[2]};
    e_.active = 2 * (rho * P[0] + (1 - rho) * Q[0]);
    /* where almost all are active, the others are known better */
    double rest = rho * erf(sqrt(0.5) * a) + (1 - rho) * erf(sqrt(0.5) * alpha);
    e_.slack = e_.active > 0.5 ? e->delta - 1 + rest : e->delta - e_.active;
    /* K' = -4 Q_1, a h' = -2 G/a^2; d log a = d log alpha + b/2 d log t, db = -b (1-b) d log t */
    double by_a = rho * (-4 * P[1] * a - 2 * A2 * G);
    e_.R_a = by_a + rho * 2 * A2 * h - (1 - rho) * 4 * Q[1] * alpha;
    e_.R_t = by_a * b / 2 - rho * A2 * (1 - b) * h;
    double moved = 2 * rho * lnt_normal_density(a) * a;
    e_.slack_a = moved + 2 * (1 - rho) * lnt_normal_density(alpha) * alpha;
    e_.slack_t = moved * b / 2;
    return e_;
}

/* ---- Brackets ---- */

/* s2/t + R - delta, which falls with t: t R is concave in t. Between -1 and 1. */
static double excess(double log_t, void *user)
{
    const evolution *e = user;
    double t = exp(log_t), gain = e->s2 / t + evaluate(e, e->alpha, t).R;
    return (gain - e->delta) / (gain + e->delta);
}

/* t at given alpha: infinity where there is none. */
static double solve_t(evolution *e, double alpha)
{
    double low = 1e-3, high = 1e3;
    e->alpha = alpha;
    if (e->s2 == 0 && evaluate(e, alpha, 0).R <= e->delta)
        return 0;
    if (evaluate(e, alpha, (double)INFINITY).R >= e->delta)
        return (double)INFINITY;
    while (low > 1e-300 && excess(log(low), e) < 0)
        low *= 1e-3;
    while (high < 1e300 && excess(log(high), e) > 0)
        high *= 1e3;
    return exp(lnt_root(excess, e, log(low), log(high)));
}

/* alpha tau (1 - active/delta) - lambda, which rises with alpha; between -1 and 1. */
static double shortfall(double x, void *user)
{
    evolution *e = user;
    double alpha = e->base + exp(x), t = solve_t(e, alpha);
    double found = isinf(t) ? -1 : alpha * sqrt(t) * evaluate(e, alpha, t).slack / e->delta;
    double size = fabs(found) + e->lambda;
    return size > 0 ? (found - e->lambda) / size : -1;
}

static double solve_alpha(evolution *e)
{
    double low = 0, high = 1;
    while (low > -700 && shortfall(low, e) >= 0)
        low = 2 * low - 1;
    while (high < 700 && shortfall(high, e) < 0)
        high *= 2;
    return e->base + exp(lnt_root(shortfall, e, fmax(low, -700), fmin(high, 700)));
}

/* K(z) - delta, and rho (1 + z^2) + (1-rho) K(z) - delta. */
static double null_risk(double z, void *user)
{
    double Q[LNT_TAILS];
    lnt_normal_tails(Q, z);
    return 4 * Q[2] - ((const evolution *)user)->delta;
}

static double sparse_risk(double z, void *user)
{
    return evaluate(user, z, 0).R - ((const evolution *)user)->delta;
}

/* ---- The solution ---- */

/* Both equations by Newton's method in log alpha and log t: on the bracketed solution digits are lost where t -> 0 or
 * the equations nearly agree. */
static void polish(const evolution *e, double *alpha, double *t)
{
    double log_alpha = log(*alpha), log_t = log(*t), former = 1;
    for (int i = 0; i < 30; i++) {
        double A = exp(log_alpha), tau = exp(log_t / 2);
        terms f = evaluate(e, A, tau * tau);
        double noise = e->s2 / tau / tau, pull = e->delta * e->lambda / (A * tau);
        double r1 = noise + f.R - e->delta, r2 = f.slack - pull;
        double a11 = f.R_a, a12 = f.R_t - noise, a21 = f.slack_a + pull, a22 = f.slack_t + pull / 2;
        double det = a11 * a22 - a12 * a21, da = (a12 * r2 - a22 * r1) / det, dt = (a21 * r1 - a11 * r2) / det;
        double size = fmax(fabs(da), fabs(dt));
        if (!(size < 0.5 * former || size < 1e-12)) /* not, or no longer, in the region of convergence */
            break;
        log_alpha += da;
        log_t += dt;
        if (size < 1e-13 && size >= 0.25 * former)
            break;
        former = size;
    }
    if (former < 1e-6) {
        *alpha = exp(log_alpha);
        *t = exp(log_t);
    }
}

/* The part of the limit lambda -> 0 that has a formula. False elsewhere. */
static bool at_zero(const evolution *e, bool recovers, double *alpha, double *t)
{
    if (recovers || e->delta >= 1) {
        *alpha = recovers ? e->base : 0;
        *t = recovers ? 0 : e->s2 / (e->delta - 1);
        return true;
    }
    return false;
}

static void solve(evolution *e, double *alpha, double *t)
{
    bool recovers = e->s2 == 0 && e->delta >= lnt_recovery_samples(e->rho);
    *t = (e->s2 + e->teacher2) / e->delta; /* S = 0? */
    *alpha = e->lambda / sqrt(*t);
    if (e->lambda / sqrt(e->nu + *t) > 39)
        return;
    if (recovers) { /* the flat stretch ends at the larger root: left of it R falls */
        double least = lnt_recovery_threshold(e->rho), most = sqrt(fmax(0, e->delta / e->rho - 1));
        e->base = lnt_root(sparse_risk, e, fmin(least, most), most);
    } else if (e->delta < 1)
        e->base = lnt_root(null_risk, e, 0, 39);
    if (e->lambda == 0 && at_zero(e, recovers, alpha, t))
        return;
    *alpha = solve_alpha(e);
    *t = solve_t(e, *alpha);
    /* Where t is far below the smallest entry of a given teacher, no alpha that can be told from `base` knows it, as
     * where it is 0: then lambda does. */
    double tau = e->lambda / *alpha * e->delta / evaluate(e, *alpha, *t).slack;
    if (*t == 0 || (e->T && tau > 0 && fabs(tau / sqrt(*t) - 1) > 1e-6))
        *t = tau * tau;
    polish(e, alpha, t);
}

static lnt_status check(lnt_ctx *ctx, const lnt_lasso_student *s)
{
    if (s->features < 1 || !(s->delta > 0 && isfinite(s->delta)) || !(s->density >= 0 && s->density <= 1))
        return lnt_fail(ctx, LNT_EDOMAIN,
                        "features >= 1, delta > 0 and a density from 0 to 1 are needed, not %d, %g and %g", s->features,
                        s->delta, s->density);
    if (!(s->teacher2 >= 0 && s->noise2 >= 0 && s->lambda >= 0 && isfinite(s->teacher2 + s->noise2 + s->lambda)))
        return lnt_fail(ctx, LNT_EDOMAIN,
                        "|T|^2, the noise and lambda must be finite and at least 0, not %g, %g and %g", s->teacher2,
                        s->noise2, s->lambda);
    return LNT_OK;
}

static lnt_status predict(lnt_ctx *ctx, lnt_lasso_risk *risk, const lnt_lasso_student *s, const double *T)
{
    lnt_status status = check(ctx, s);
    if (status != LNT_OK)
        return status;
    *risk = (lnt_lasso_risk){0};
    double teacher2 = s->density > 0 ? s->teacher2 : 0, unit = fmax(teacher2, s->noise2), root = sqrt(s->features);
    if (unit == 0)
        return LNT_OK;
    evolution e = {.delta = s->delta,
                   .rho = teacher2 > 0 ? s->density : 0,
                   .teacher2 = teacher2 / unit,
                   .nu = teacher2 > 0 ? teacher2 / unit / s->density : 0,
                   .s2 = s->noise2 / unit,
                   .lambda = s->lambda * root / sqrt(unit),
                   .T = teacher2 > 0 ? T : NULL,
                   .features = s->features,
                   .scale = root / sqrt(unit)};
    double alpha, t;
    solve(&e, &alpha, &t);
    terms f = evaluate(&e, alpha, t);
    double remaining = e.lambda > 0 ? e.lambda / alpha : isinf(t) || f.slack <= 0 ? 0 : sqrt(t) * f.slack / e.delta;
    risk->gen = t > 0 ? unit * t * f.R / 2 : 0;
    risk->train = e.lambda == 0 && e.delta < 1 ? 0 : unit * e.delta * remaining * remaining / 2;
    risk->active = f.active;
    risk->alpha = alpha;
    risk->tau = sqrt(unit * t);
    risk->threshold = alpha > 0 ? alpha * risk->tau / root : 0;
    return LNT_OK;
}

lnt_status lnt_lasso_risk_predict(lnt_ctx *ctx, lnt_lasso_risk *risk, const lnt_lasso_student *student)
{
    return predict(ctx, risk, student, NULL);
}

lnt_status lnt_lasso_risk_of(lnt_ctx *ctx, lnt_lasso_risk *risk, const lnt_lasso_student *student, const double *T)
{
    lnt_lasso_student known = *student;
    int nonzero = 0;
    known.teacher2 = 0;
    for (int i = 0; i < student->features; i++) {
        nonzero += T[i] != 0;
        known.teacher2 += T[i] * T[i];
    }
    known.density = (double)nonzero / student->features;
    return predict(ctx, risk, &known, T);
}
