/* The global minimum by Newton's method on the dual. */
#include "internal.h"

#include <float.h>
#include <math.h>

#define SMALL 0.5 /* radius below which the linear solution is a start */
#define FALL 10.0 /* of lambda between two problems of a path, at most */
#define LEAST_FALL 1.2
#define MANY 12 /* Newton steps, after which the next fall is smaller; FEW: larger */
#define FEW 6
#define LOOSE 1e-4  /* gap, relative to the loss, on the way */
#define POLISHING 3 /* further steps after convergence, at most */
#define EDGE 1e5    /* |D| that is too large to trust where A0 is singular */
#define NOISE 100   /* ulps of |R| + |C2| that |g| cannot be expected to undercut */

void lnt_match_defaults(lnt_match_opts *opts)
{
    *opts = (lnt_match_opts){.tolerance = 1e-14, .polish = true, .max_steps = 400, .starts = 4};
}

/* ---- One lambda ---- */

static bool accepted(const lnt_dual *dual, double t, double slope, bool polishing)
{
    if (polishing)
        return dual->trial.size < dual->at.size;
    return dual->trial.phi <= dual->at.phi + 1e-4 * t * slope || (t == 1 && dual->trial.size <= dual->at.size / 2);
}

/* Moves dual->at along dual->step; near the end phi is below rounding, and halving |g| decides. */
static bool search(lnt_dual *dual, bool polishing)
{
    double slope = lnt_match_dot(dual->at.g, dual->step);
    double t = 1;
    for (int halvings = 0; halvings < 40; halvings++, t /= 2) {
        lnt_mat_copy(dual->trial.E, dual->at.E);
        lnt_mat_add(dual->trial.E, t, dual->step);
        if (lnt_dual_evaluate(dual, &dual->trial) && accepted(dual, t, slope, polishing)) {
            lnt_dual_point was = dual->at;
            dual->at = dual->trial;
            dual->trial = was;
            return true;
        }
        if (polishing)
            return false;
    }
    return false;
}

/* The residual that the step deserves: quadratic convergence needs no more, and the goal is a limit. */
static double forcing(const lnt_dual *dual, double scale, double goal, bool polishing)
{
    double relative = dual->at.size / scale;
    if (polishing)
        return fmax(1e-10, 1e-15 / relative);
    return fmax(fmin(0.03, relative), fmax(0.2 * goal / dual->at.size, 1e-10));
}

lnt_status lnt_match_newton(lnt_ctx *ctx, lnt_dual *dual, const lnt_match_opts *opts, lnt_match_stop *stop, int *steps)
{
    const lnt_match *m = dual->m;
    double target = sqrt(lnt_match_dot(m->R, m->R));
    int polished = 0;
    *stop = LNT_MATCH_STEPS;
    if (!lnt_dual_evaluate(dual, &dual->at))
        return lnt_fail(ctx, LNT_ENUMERIC, "no feasible start at lambda = %g; scale inputs and target", dual->lambda);
    for (int k = 0;; k++) {
        double gap = dual->at.size * dual->at.size / 2, scale = target + sqrt(lnt_match_dot(dual->at.C2, dual->at.C2));
        bool done = gap <= opts->tolerance * dual->at.loss;
        if (done)
            *stop = LNT_MATCH_CONVERGED;
        if (dual->at.size <= NOISE * DBL_EPSILON * scale && !done)
            *stop = LNT_MATCH_ROUNDING;
        if (dual->at.size <= 0.1 * NOISE * DBL_EPSILON * scale || *stop == LNT_MATCH_ROUNDING ||
            (done && (!opts->polish || polished++ == POLISHING)) || (k >= opts->max_steps && !done))
            return LNT_OK;
        if (lnt_cancelled(ctx)) {
            *stop = LNT_MATCH_CANCELLED;
            return LNT_OK;
        }
        double before = dual->at.size;
        lnt_status status =
            lnt_dual_solve(ctx, dual, forcing(dual, scale, sqrt(2 * opts->tolerance * dual->at.loss), done));
        if (status != LNT_OK)
            return status;
        ++*steps;
        bool moved = search(dual, done);
        if (done && (!moved || dual->at.size > before / 2))
            return LNT_OK;
        if (!moved) {
            *stop = gap <= LNT_GLOBAL * dual->at.loss ? LNT_MATCH_ROUNDING : LNT_MATCH_STALLED;
            return LNT_OK;
        }
    }
}

/* ---- Starts and paths ---- */

/* Are all |eigenvalues| of K below `limit`? */
static bool is_small(lnt_mat work, lnt_mat K, double limit)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        lnt_mat_copy(work, K);
        lnt_mat_scale(work, sign / limit);
        for (int i = 0; i < K.rows; i++)
            *lnt_at(work, i, i) += 1;
        if (!lnt_cholesky(work))
            return false;
    }
    return true;
}

lnt_status lnt_match_lower_lambda(lnt_ctx *ctx, lnt_dual *dual, const lnt_match_opts *opts, double lambda, int *steps)
{
    lnt_match_opts loose = *opts;
    lnt_match_stop stop;
    loose.tolerance = LOOSE;
    loose.polish = false;
    double now = dual->lambda / dual->m->pairs;
    while (now > lambda) {
        double next = fmax(lambda, now / dual->fall);
        int before = *steps;
        lnt_mat_scale(dual->at.E, next / now); /* leaves K and Z as they are, so it is feasible */
        lnt_dual_set_lambda(dual, next);
        now = next;
        if (next > lambda) {
            lnt_status status = lnt_match_newton(ctx, dual, &loose, &stop, steps);
            if (status != LNT_OK)
                return status;
            /* a start too far away costs more steps than a start between */
            dual->fall = *steps - before > MANY  ? fmax(LEAST_FALL, sqrt(dual->fall))
                         : *steps - before < FEW ? fmin(FALL, dual->fall * dual->fall)
                                                 : dual->fall;
        }
    }
    return LNT_OK;
}

lnt_status lnt_match_start(lnt_ctx *ctx, lnt_dual *dual, const lnt_match_opts *opts, double lambda, int *steps)
{
    lnt_mat K;
    lnt_status status = lnt_mat_alloc(ctx, &K, dual->m->rank, dual->m->rank);
    double high = lambda;
    if (status == LNT_OK)
        status = lnt_match_linear_solve(ctx, K, dual->at.E, dual->m, high);
    while (status == LNT_OK && !is_small(dual->W2, K, SMALL) && high < 1e300) {
        high *= FALL;
        status = lnt_match_linear_solve(ctx, K, dual->at.E, dual->m, high);
    }
    if (status != LNT_OK)
        return status;
    lnt_dual_set_lambda(dual, high);
    dual->basis = false;
    dual->fall = FALL;
    return lnt_match_lower_lambda(ctx, dual, opts, lambda, steps);
}

/* ---- Fits ---- */

void lnt_match_descending(int *order, const double *lambda, int count)
{
    for (int i = 0; i < count; i++) {
        int j = i;
        for (; j > 0 && lambda[order[j - 1]] < lambda[i]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
}

static lnt_status finish(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_dual *dual, const lnt_match_opts *opts)
{
    const lnt_match *m = dual->m;
    lnt_mat_copy(fit->D, dual->at.D);
    lnt_mat_copy(fit->E, dual->at.E);
    lnt_status status = lnt_match_measure(ctx, fit, m);
    fit->loss = dual->at.loss / m->pairs;
    fit->gap = dual->at.size * dual->at.size / 2 / m->pairs;
    fit->bound = fit->loss - fit->gap;
    /* at the edge of K < I the rounding of a singular A0 is multiplied by D */
    bool edge = m->slack <= LNT_SLACK && lnt_mat_norm(fit->D) > EDGE;
    if (edge)
        fit->bound = -INFINITY;
    fit->global = !edge && (fit->gap <= LNT_GLOBAL * fit->loss || fit->stop == LNT_MATCH_ROUNDING);
    if (status == LNT_OK && !fit->global && fit->stop != LNT_MATCH_CANCELLED && m->pairs == 1 && m->U.rows > 0)
        status = lnt_match_rescue(ctx, fit, m, opts);
    return status;
}

static lnt_status follow(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, const double *lambda, int count,
                         const lnt_match_opts *opts)
{
    lnt_dual dual;
    int *order = lnt_alloc(ctx, (size_t)count, sizeof *order);
    lnt_status status = order ? lnt_dual_alloc(ctx, &dual, m) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_match_descending(order, lambda, count);
    for (int k = 0; k < count && status == LNT_OK; k++) {
        lnt_match_fit *one = &fit[order[k]];
        int products = dual.products;
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = k == 0 ? lnt_match_start(ctx, &dual, opts, one->lambda, &one->steps)
                        : lnt_match_lower_lambda(ctx, &dual, opts, one->lambda, &one->steps);
        if (status == LNT_OK)
            status = lnt_match_newton(ctx, &dual, opts, &one->stop, &one->steps);
        if (status == LNT_OK)
            status = finish(ctx, one, &dual, opts);
        one->products = dual.products - products;
        lnt_ctx_reset(ctx, mark);
    }
    return status;
}

lnt_status lnt_match_full_path(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, const double *lambda, int count,
                               const lnt_match_opts *opts)
{
    lnt_match_opts defaults;
    lnt_match_defaults(&defaults);
    const lnt_match_opts *o = opts ? opts : &defaults;
    lnt_status status = LNT_OK;
    if (!(o->tolerance >= 0) || o->max_steps < 1 || o->starts < 1)
        return lnt_fail(ctx, LNT_EINVAL, "tolerance >= 0, max_steps >= 1 and starts >= 1, not %g, %d and %d",
                        o->tolerance, o->max_steps, o->starts);
    for (int k = 0; k < count && status == LNT_OK; k++)
        status = lnt_match_check_lambda(ctx, lambda[k], false);
    for (int k = 0; k < count && status == LNT_OK; k++) {
        status = lnt_match_fit_alloc(ctx, &fit[k], m, lambda[k]);
        if (status == LNT_OK && m->slack <= LNT_SLACK && m->pairs == 1) /* may be needed, see finish() */
            status = lnt_mat_alloc(ctx, &fit[k].T, m->U.rows, m->rank);
        fit[k].T.rows = 0;
    }
    if (status != LNT_OK || count < 1)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = follow(ctx, fit, m, lambda, count, o);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_match_full(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, double lambda,
                          const lnt_match_opts *opts)
{
    return lnt_match_full_path(ctx, fit, m, &lambda, 1, opts);
}
