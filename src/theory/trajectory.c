#include "../linalg/wide.h"
#include "mp.h"

#include <math.h>

#define DIGITS 41  /* e^-41 = 1.6e-18 */
#define FLOOR 46   /* losses keep their relative accuracy down to e^-46 = 1e-20 of the start */
#define GONE 1e-18 /* a mode whose p is below, and below this share of the largest, is learned */
#define LAST 1e-25 /* and one below this in any case */
#define SWEEP 16   /* steps between looks for such modes */

/* ---- One time: from p and g to the losses ---- */

enum { WEIGHT, L, XL, XXLL, EE, EEEE, XEEL, PP, PG, GG, XPP, XPG, XGG, XGGL, XXGGGG, SUMS };

typedef struct totals { /* sums over nodes, with their weights; spread: of (L - mean L)^2 */
    double sum[SUMS], spread;
} totals;

/* Sums run in lanes, so that a compiler may take them in vectors: C lets it change no order. */
#define LANES 8

/* One node. L = E (S - T).v v.(S - T) for eigenvectors v of x without noise, of which e = x g - 1 = -(p + lambda g) is
 * the teacher's part; square, mixed and teacher2 are its coefficients in p and lambda g. */
static inline void add(double (*sum)[LANES], int lane, const lnt_mp_state *at, int i, double square, double mixed,
                       double teacher2, double lambda)
{
    double p = at->p[i], g = at->g[i], w = at->w[i], x = at->x[i], u = lambda * g, e = p + u, xgg = x * g * g;
    double loss = square * p * p + mixed * p * u + teacher2 * u * u;
    at->L[i] = loss;
    sum[WEIGHT][lane] += w;
    sum[L][lane] += w * loss;
    sum[XL][lane] += w * x * loss;
    sum[XXLL][lane] += w * x * loss * x * loss;
    sum[EE][lane] += w * e * e;
    sum[EEEE][lane] += w * e * e * e * e;
    sum[XEEL][lane] += w * x * e * e * loss;
    sum[PP][lane] += w * p * p;
    sum[PG][lane] += w * p * g;
    sum[GG][lane] += w * g * g;
    sum[XPP][lane] += w * x * p * p;
    sum[XPG][lane] += w * x * p * g;
    sum[XGG][lane] += w * xgg;
    sum[XGGL][lane] += w * xgg * loss;
    sum[XXGGGG][lane] += w * xgg * xgg;
}

WIDE static void sum_lanes(double (*sum)[LANES], const lnt_mp_state *at, const lnt_student *s, double lambda, int first,
                           int last)
{
    double square = lnt_student_distance2(s), mixed = 2 * (s->teacher2 - s->overlap), teacher2 = s->teacher2;
    int i = first;
    for (; i + LANES <= last; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            add(sum, lane, at, i + lane, square, mixed, teacher2, lambda);
    for (; i < last; i++)
        add(sum, 0, at, i, square, mixed, teacher2, lambda);
}

WIDE static void spread_lanes(double *sum, const lnt_mp_state *at, double mean, int first, int last)
{
    int i = first;
    for (; i + LANES <= last; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            sum[lane] += at->w[i + lane] * (at->L[i + lane] - mean) * (at->L[i + lane] - mean);
    for (; i < last; i++)
        sum[0] += at->w[i] * (at->L[i] - mean) * (at->L[i] - mean);
}

static double mean_loss(const totals *t)
{
    return t->sum[WEIGHT] != 0 ? t->sum[L] / t->sum[WEIGHT] : 0;
}

static totals sum_up(const lnt_mp_state *at, const lnt_student *s, double lambda, int first, int last)
{
    double sum[SUMS][LANES] = {{0}}, spread[LANES] = {0};
    totals t = {{0}, 0};
    sum_lanes(sum, at, s, lambda, first, last);
    for (int i = 0; i < SUMS; i++)
        for (int lane = 0; lane < LANES; lane++)
            t.sum[i] += sum[i][lane];
    spread_lanes(spread, at, mean_loss(&t), first, last);
    for (int lane = 0; lane < LANES; lane++)
        t.spread += spread[lane];
    return t;
}

static totals merge(totals a, totals b)
{
    totals t = {{0}, a.spread + b.spread};
    for (int i = 0; i < SUMS; i++)
        t.sum[i] = a.sum[i] + b.sum[i];
    double apart = mean_loss(&a) - mean_loss(&b);
    if (a.sum[WEIGHT] != 0 && b.sum[WEIGHT] != 0)
        t.spread += a.sum[WEIGHT] * b.sum[WEIGHT] / t.sum[WEIGHT] * apart * apart;
    return t;
}

static double from_zero(double x)
{
    return x >= 0 ? x : x < 0 ? 0 : INFINITY; /* below 0 by rounding, or a rule that diverges */
}

/* Var gen = {<L^2> - tr(GAGA)}/(2 (D + 2)) + ..., G = [[n0, c], [c, t2]], A = <(p, e)(p, e)'>; since tr GA = <L>, the
 * braces are <L^2> - <L>^2 + 2 det G det A. With x L for L and x in A the same goes for train. */
static lnt_predicted_loss losses(totals bulk, totals atom, double rest, const lnt_student *s, double lambda)
{
    totals all = merge(bulk, atom);
    const double *t = all.sum;
    double q = s->q, s2 = s->noise2, D = s->features;
    double det_G = fmax(0, s->start2 * s->teacher2 - s->overlap * s->overlap);
    double det_A = lambda * lambda * fmax(0, t[PP] * t[GG] - t[PG] * t[PG]);
    double det_xA = lambda * lambda * fmax(0, t[XPP] * t[XGG] - t[XPG] * t[XPG]);
    lnt_predicted_loss loss = {.gen = t[L] / 2, .train = t[XL] / 2};
    double variance = (all.spread + 2 * det_G * (lambda > 0 ? det_A : 0)) / (2 * (D + 2));
    double train_variance =
        (from_zero(t[XXLL] - t[XL] * t[XL]) + 2 * det_G * (lambda > 0 ? det_xA : 0)) / (2 * (D + 2));
    if (s2 > 0) {
        loss.gen += s2 / (2 * q) * t[XGG];
        loss.train += s2 / 2 * (rest + bulk.sum[EE] / q);
        variance += s2 / (q * D) * t[XGGL] + s2 * s2 / (2 * q * q * D) * t[XXGGGG];
        train_variance += s2 / (q * D) * t[XEEL] + s2 * s2 / (2 * q * D) * (rest + bulk.sum[EEEE] / q);
    }
    loss.gen = from_zero(loss.gen);
    loss.train = from_zero(loss.train);
    loss.gen_sd = D > 0 ? sqrt(from_zero(variance)) : 0;
    loss.train_sd = D > 0 ? sqrt(from_zero(train_variance)) : 0;
    return loss;
}

lnt_predicted_loss lnt_mp_loss(const lnt_mp_state *at, const lnt_student *student, double lambda)
{
    totals atom = sum_up(at, student, lambda, 0, 1), bulk = sum_up(at, student, lambda, 1, at->n);
    return losses(bulk, atom, at->rest, student, lambda);
}

/* ---- How many nodes ---- */

/* ln of the largest |root| of r^2 - (1 + beta - eta h) r + beta, by which p grows a step, on the ellipse through the
 * complex plane of x whose foci are the edges and whose half axes are (high - low)/2 times cosh and sinh sigma. */
static double log_growth(const lnt_smooth_rule *rule, double q, double sigma)
{
    double centre = 1 - rule->eta * (rule->lambda + 1 + 1 / q), radius = rule->eta * 2 / sqrt(q), worst = 0;
    if (rule->beta == 0)
        return log(fabs(centre) + radius * cosh(sigma));
    double scale = 2 * sqrt(rule->beta), c = (centre + rule->beta) / scale;
    double long_axis = radius / scale * cosh(sigma), short_axis = radius / scale * sinh(sigma);
    for (int i = 0; i <= 32; i++) {
        double x = c + long_axis * cos(i * 0.09817477042468103), y = short_axis * sin(i * 0.09817477042468103);
        worst = fmax(worst, hypot(x - 1, y) + hypot(x + 1, y));
    }
    return log(rule->beta) / 2 + acosh(fmax(1, worst / 2));
}

/* Enough for the midpoint rule to be exact to e^-DIGITS for products of `power` responses at steps 0 .. steps: they
 * and x times them are polynomials of x, of degree power steps + 1; and on an ellipse sigma, where they grow by
 * `growth` a step, the rule errs by e^{-2 n sigma} times their size (Trefethen and Weideman 2014). Relative to the
 * value as it decays, down to e^-FLOOR of the start. */
static double nodes_for_steps(const lnt_smooth_rule *rule, double q, double steps, int power)
{
    double most = 0.5 * power * steps + 2, decay = power * log_growth(rule, q, 0);
    double digits = DIGITS + power * log1p(steps);                 /* double roots grow by that much more */
    double kept = decay < 0 ? fmin(steps, FLOOR / -decay) : steps; /* steps until the floor */
    for (int i = 0; i < 88; i++) {
        double sigma = 1e-6 * pow(1.2, i), growth = power * log_growth(rule, q, sigma);
        double need = fmax(kept * (growth - decay), steps * growth - fmax(steps * decay, -FLOOR));
        most = fmin(most, (digits + need) / (2 * sigma));
    }
    return ceil(fmax(most, 2));
}

lnt_status lnt_mp_flow_rule(lnt_ctx *ctx, lnt_mp_rule *nodes, double q, double lambda, double t)
{
    double low, high;
    lnt_mp_edges(&low, &high, q);
    /* e^{-4ht} has grown to e^DIGITS at h = -DIGITS/(4t), seen from where it is above the floor */
    double distance = fmax(0, low + lambda - FLOOR / (2 * t)) + DIGITS / (4 * t);
    return lnt_mp_rule_crowded(ctx, nodes, q, t > 0 ? distance : INFINITY, DIGITS);
}

/* ---- Curves ---- */

typedef struct curve {
    const lnt_student *student;
    const lnt_smooth_rule *rule;
    lnt_mp_rule nodes;
    lnt_responses r;
    double *L;
    totals learned; /* nodes that were taken out */
} curve;

static lnt_status start(lnt_ctx *ctx, curve *c)
{
    lnt_status status = lnt_responses_start(ctx, &c->r, c->nodes.x, c->nodes.n);
    if (status == LNT_OK && !(c->L = lnt_alloc(ctx, (size_t)c->nodes.n, sizeof *c->L)))
        status = LNT_ENOMEM;
    return status;
}

static lnt_mp_state state_of(const curve *c)
{
    return (lnt_mp_state){c->r.n, c->nodes.x, c->nodes.w, c->r.p, c->r.g, c->nodes.rest, c->L};
}

static lnt_predicted_loss loss_now(const curve *c)
{
    lnt_mp_state at = state_of(c);
    double lambda = c->rule->lambda;
    totals bulk = merge(sum_up(&at, c->student, lambda, 1, at.n), c->learned);
    return losses(bulk, sum_up(&at, c->student, lambda, 0, 1), at.rest, c->student, lambda);
}

/* Takes out the nodes that have arrived: p = 0, g = 1/h for good. */
static void retire(curve *c)
{
    lnt_responses *r = &c->r;
    double largest = 0;
    for (int i = 1; i < r->n; i++)
        largest = fmax(largest, fabs(r->p[i]) + fabs(r->p_last[i]));
    double small = fmax(GONE * fmin(largest, 1), LAST);
    for (int i = r->n - 1; i > 0; i--) {
        if (!(fabs(r->p[i]) + fabs(r->p_last[i]) < small))
            continue;
        double p = 0, g = 1 / (c->nodes.x[i] + c->rule->lambda);
        lnt_mp_state one = {1, &c->nodes.x[i], &c->nodes.w[i], &p, &g, 0, c->L};
        c->learned = merge(c->learned, sum_up(&one, c->student, c->rule->lambda, 0, 1));
        double *arrays[] = {c->nodes.x, c->nodes.w, r->p, r->g, r->p_last, r->g_last};
        r->n--;
        for (int j = 0; j < 6; j++)
            arrays[j][i] = arrays[j][r->n];
    }
}

/* All epochs 0 .. count - 1, step by step. */
static lnt_status step_through(lnt_ctx *ctx, lnt_predicted_loss *loss, curve *c, int count)
{
    const lnt_student *s = c->student;
    double nodes = nodes_for_steps(c->rule, s->q, count - 1, s->features > 0 ? 4 : 2);
    lnt_status status = lnt_mp_rule_even(ctx, &c->nodes, s->q, nodes);
    int k = 0;
    if (status == LNT_OK)
        status = start(ctx, c);
    if (status != LNT_OK)
        return status;
    for (; k < count && !(k % 64 == 0 && lnt_cancelled(ctx)); k++) {
        if (k > 0)
            lnt_responses_step(&c->r, c->rule);
        if (k % SWEEP == 0)
            retire(c);
        loss[k] = loss_now(c);
    }
    for (; k < count; k++)
        loss[k] = (lnt_predicted_loss){NAN, NAN, NAN, NAN};
    return LNT_OK;
}

/* One time, in closed form. */
static lnt_status jump_to(lnt_ctx *ctx, lnt_predicted_loss *loss, curve *c, double k)
{
    const lnt_student *s = c->student;
    const lnt_smooth_rule *rule = c->rule;
    lnt_status status =
        rule->eta > 0 ? lnt_mp_rule_even(ctx, &c->nodes, s->q, nodes_for_steps(rule, s->q, k, s->features > 0 ? 4 : 2))
                      : lnt_mp_flow_rule(ctx, &c->nodes, s->q, rule->lambda, k);
    if (status == LNT_OK)
        status = start(ctx, c);
    for (int i = 0; status == LNT_OK && i < c->r.n; i++) {
        lnt_response now = lnt_response_at(rule, c->nodes.x[i], k);
        c->r.p[i] = now.p;
        c->r.g[i] = now.g;
    }
    if (status == LNT_OK)
        *loss = loss_now(c);
    return status;
}

double lnt_student_distance2(const lnt_student *student)
{
    return fmax(0, student->start2 - 2 * student->overlap + student->teacher2);
}

lnt_status lnt_student_check(lnt_ctx *ctx, const lnt_student *s, const lnt_smooth_rule *rule)
{
    if (!(s->q > 0 && isfinite(s->q)))
        return lnt_fail(ctx, LNT_EDOMAIN, "q = %g samples a feature: give a number above 0", s->q);
    if (!(s->start2 >= 0 && s->teacher2 >= 0 && s->noise2 >= 0) || !isfinite(s->start2 + s->teacher2 + s->noise2))
        return lnt_fail(ctx, LNT_EDOMAIN, "|S0|^2 = %g, |T|^2 = %g, noise %g: give finite numbers from 0 on", s->start2,
                        s->teacher2, s->noise2);
    if (!(fabs(s->overlap) <= sqrt(s->start2) * sqrt(s->teacher2) * (1 + 1e-9)))
        return lnt_fail(ctx, LNT_EDOMAIN, "S0.T = %g is more than |S0| |T| = %g", s->overlap,
                        sqrt(s->start2) * sqrt(s->teacher2));
    if (s->features < 0)
        return lnt_fail(ctx, LNT_EINVAL, "%d features: give a number above 0, or 0 for infinitely many", s->features);
    if (!(rule->eta >= 0 && isfinite(rule->eta)) || !(rule->beta >= 0 && rule->beta < 1) ||
        !(rule->lambda >= 0 && isfinite(rule->lambda)))
        return lnt_fail(ctx, LNT_EINVAL, "eta >= 0, 0 <= beta < 1 and lambda >= 0, not %g, %g and %g", rule->eta,
                        rule->beta, rule->lambda);
    return LNT_OK;
}

lnt_status lnt_predict_curve(lnt_ctx *ctx, lnt_predicted_loss *loss, const lnt_student *student,
                             const lnt_smooth_rule *rule, int count, const double *times)
{
    curve c = {.student = student, .rule = rule};
    lnt_status status = lnt_student_check(ctx, student, rule);
    if (status != LNT_OK || count <= 0)
        return status;
    if (!times && rule->eta == 0)
        return lnt_fail(ctx, LNT_EINVAL, "a flow has no epochs: give the times of its losses");
    lnt_mark mark = lnt_ctx_mark(ctx);
    if (!times)
        status = step_through(ctx, loss, &c, count);
    for (int i = 0; times && i < count && status == LNT_OK; i++) {
        if (!(times[i] >= 0 && isfinite(times[i])) || (rule->eta > 0 && times[i] != floor(times[i])))
            status = lnt_fail(ctx, LNT_EDOMAIN, "time %g: give numbers from 0 on, whole ones for steps", times[i]);
        else if (i > 0 && lnt_cancelled(ctx))
            loss[i] = (lnt_predicted_loss){NAN, NAN, NAN, NAN};
        else
            status = jump_to(ctx, &loss[i], &c, times[i]);
        lnt_ctx_reset(ctx, mark);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
