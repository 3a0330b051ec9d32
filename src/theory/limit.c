#include "mp.h"

#include <math.h>

#define POLE 14 /* ln of what the fourth power of a pole makes of the error */

/* ---- The end of descent ---- */

/* Without ridge: the null space keeps what it started with, the bulk fits teacher and noise. */
static lnt_predicted_loss plain_limit(const lnt_student *s)
{
    double q = s->q, s2 = s->noise2, D = s->features, null_space = fmax(0, 1 - q), L = lnt_student_distance2(s);
    double variance = L * L * null_space * q / (2 * (D + 2)), fit = s2 > 0 ? s2 / q * lnt_mp_variance(q, 0) : 0;
    if (s2 > 0)
        variance += s2 * s2 / (2 * q * q * D) * pow(q / fabs(1 - q), 3); /* <1/x^2> over the bulk */
    double rest = fmax(0, 1 - 1 / q); /* share of the samples whose noise cannot be fitted */
    return (lnt_predicted_loss){.gen = (null_space * L + fit) / 2,
                                .train = s2 / 2 * rest,
                                .gen_sd = D > 0 ? sqrt(variance) : 0,
                                .train_sd = D > 0 ? s2 * sqrt(rest / (2 * q * D)) : 0};
}

static lnt_status ridge_limit(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *s, double lambda)
{
    double q = s->q, s2 = s->noise2, t2 = s->teacher2, bias = lnt_mp_bulk_bias(q, lambda), low, high;
    double fit = lnt_mp_variance(q, lambda), *p, *g, *L;
    loss->gen = (t2 * lnt_mp_ridge_bias(q, lambda) + s2 / q * fit) / 2;
    loss->train = (t2 * lambda * lambda * fit + s2 * (fmax(0, 1 - 1 / q) + bias / q)) / 2;
    loss->gen_sd = loss->train_sd = 0;
    if (s->features == 0)
        return LNT_OK;
    lnt_mp_rule nodes;
    lnt_mp_edges(&low, &high, q);
    lnt_status status = lnt_mp_rule_crowded(ctx, &nodes, q, low + lambda, POLE);
    if (status != LNT_OK)
        return status;
    p = lnt_alloc_zero(ctx, (size_t)nodes.n, sizeof *p);
    g = lnt_alloc(ctx, (size_t)nodes.n, sizeof *g);
    L = lnt_alloc(ctx, (size_t)nodes.n, sizeof *L);
    if (!p || !g || !L)
        return LNT_ENOMEM;
    for (int i = 0; i < nodes.n; i++)
        g[i] = 1 / (nodes.x[i] + lambda);
    lnt_predicted_loss bands = lnt_mp_loss(&(lnt_mp_state){nodes.n, nodes.x, nodes.w, p, g, nodes.rest, L}, s, lambda);
    loss->gen_sd = bands.gen_sd;
    loss->train_sd = bands.train_sd;
    return LNT_OK;
}

lnt_status lnt_predict_limit(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                             const lnt_smooth_rule *rule)
{
    double low, high;
    lnt_status status = lnt_student_check(ctx, student, rule);
    if (status != LNT_OK)
        return status;
    lnt_mp_edges(&low, &high, student->q);
    if (rule->eta > lnt_stable_step(high, rule->beta, rule->lambda)) {
        double band = student->features > 0 ? INFINITY : 0;
        *loss = (lnt_predicted_loss){INFINITY, INFINITY, band, band};
        return LNT_OK;
    }
    if (rule->lambda == 0) {
        *loss = plain_limit(student);
        return LNT_OK;
    }
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = ridge_limit(ctx, loss, student, rule->lambda);
    lnt_ctx_reset(ctx, mark);
    return status;
}

double lnt_best_ridge(const lnt_student *student)
{
    return student->noise2 > 0 ? student->noise2 / (student->q * student->teacher2) : 0;
}

/* ---- When to stop the flow ---- */

typedef struct stopping {
    lnt_ctx *ctx;
    const lnt_student *student;
    double lambda;
    lnt_status status; /* the first failure */
} stopping;

/* d gen/dt: p' = -h p, g' = p, e' = x p. */
static double slope(stopping *s, double t)
{
    lnt_smooth_rule flow = {0, 0, s->lambda};
    double n0 = s->student->start2, c = s->student->overlap, t2 = s->student->teacher2, sum = 0;
    double noise = s->student->noise2 / s->student->q;
    lnt_mp_rule nodes = {0};
    lnt_mark mark = lnt_ctx_mark(s->ctx);
    if (s->status == LNT_OK)
        s->status = lnt_mp_flow_rule(s->ctx, &nodes, s->student->q, s->lambda, t);
    for (int i = 0; s->status == LNT_OK && i < nodes.n; i++) {
        double x = nodes.x[i], h = x + s->lambda;
        lnt_response r = lnt_response_at(&flow, x, t);
        double e = -(r.p + s->lambda * r.g);
        sum += nodes.w[i] * r.p * (c * (x * r.p - h * e) - n0 * h * r.p + t2 * x * e + noise * x * r.g);
    }
    lnt_ctx_reset(s->ctx, mark);
    return sum;
}

static double loss_at(stopping *s, double t)
{
    lnt_predicted_loss loss = {0};
    lnt_smooth_rule flow = {0, 0, s->lambda};
    if (s->status == LNT_OK)
        s->status = lnt_predict_curve(s->ctx, &loss, s->student, &flow, 1, &t);
    return loss.gen;
}

/* Where the slope changes from - to + between a and b. */
static double turning_point(stopping *s, double a, double b)
{
    while (s->status == LNT_OK && b - a > 1e-15 * b) {
        double t = a > 0 && b > 2 * a ? sqrt(a) * sqrt(b) : a + (b - a) / 2;
        if (t <= a || t >= b)
            break;
        if (slope(s, t) < 0)
            a = t;
        else
            b = t;
    }
    return b;
}

/* Until when there is something to search: all has decayed; or without ridge, when noise outgrows what is left in
 * every mode. */
static double horizon(const lnt_student *s, double lambda)
{
    double low, high;
    lnt_mp_edges(&low, &high, s->q);
    if (lambda > 0)
        return 100 / (s->q < 1 ? lambda : low + lambda);
    return fmin(100 / low, 1.1 * s->q * lnt_student_distance2(s) / s->noise2);
}

static lnt_status search(stopping *s, double *time, double *gen)
{
    double low, high, end = horizon(s->student, s->lambda), a = 0, slope_a = slope(s, 0);
    lnt_mp_edges(&low, &high, s->student->q);
    double b = fmin(end, 1e-3 / (high + s->lambda));
    *time = slope_a >= 0 ? 0 : INFINITY;
    *gen = slope_a >= 0 ? loss_at(s, 0) : INFINITY;
    while (a < end && s->status == LNT_OK) {
        double slope_b = slope(s, b);
        if (slope_a < 0 && slope_b >= 0) {
            double t = turning_point(s, a, b), loss = loss_at(s, t);
            if (loss < *gen) {
                *time = t;
                *gen = loss;
            }
        }
        a = b;
        slope_a = slope_b;
        b = fmin(end, 1.3 * b);
    }
    if (s->status == LNT_OK && (slope_a < 0 || isinf(*gen))) { /* still falling: compare with the limit */
        lnt_predicted_loss limit;
        s->status = lnt_predict_limit(s->ctx, &limit, s->student, &(lnt_smooth_rule){0, 0, s->lambda});
        if (s->status == LNT_OK && limit.gen < *gen) {
            *time = INFINITY;
            *gen = limit.gen;
        }
    }
    return s->status;
}

lnt_status lnt_best_stop(lnt_ctx *ctx, double *time, double *gen, const lnt_student *student, double lambda)
{
    lnt_student mean = *student; /* without its band */
    mean.features = 0;
    stopping s = {ctx, &mean, lambda, lnt_student_check(ctx, student, &(lnt_smooth_rule){0, 0, lambda})};
    if (s.status != LNT_OK)
        return s.status;
    if (lambda > 0 || (student->noise2 > 0 && lnt_student_distance2(student) > 0))
        return search(&s, time, gen);
    bool learns = student->noise2 == 0 && lnt_student_distance2(student) > 0;
    *time = learns ? INFINITY : 0;
    *gen = learns ? plain_limit(&mean).gen : 0;
    return LNT_OK;
}
