#include "linnet/flow.h"

#include "stepper.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* BDF pays its own start: it takes over where at least so many explicit steps are ahead. */
#define STEPS_AHEAD 50

void lnt_flow_defaults(lnt_flow_opts *opts)
{
    *opts = (lnt_flow_opts){LNT_FLOW_AUTO, 1e-8, 1e-12, 1000000};
}

#define REST_STEPS 64 /* between two looks whether anything still moves */
#define EVENT_PARTS 4 /* of every step, between which signs are compared */

typedef struct flow {
    lnt_ctx *ctx;
    const lnt_ode *ode;
    const lnt_flow_opts *opts;
    lnt_flow_info *info;
    lnt_mat Y;
    const double *times;
    int count;
    lnt_stepper s;
    int *sign;        /* of each event function when last it was not 0 */
    double *g, *last; /* event functions now, and at the start of the step */
    double *root;     /* time of the crossing in this step, NaN without one */
    double *y;        /* between steps */
} flow;

int lnt_slope(lnt_stepper *s, double *dy, double t, const double *y)
{
    s->evaluations++;
    int got = s->ode->slope(dy, t, y, s->ode->user);
    if (got != 0)
        return got < 0 ? STEP_STOPPED : STEP_REJECTED;
    return lnt_all_finite(dy, s->ode->size) ? STEP_DONE : STEP_REJECTED;
}

static lnt_status stopped_by(flow *f, const char *what)
{
    return lnt_fail(f->ctx, LNT_EUSER, "the %s callback stopped the integration at t = %g", what, f->s.t);
}

/* What ends the integration, as a status; STUCK is no error. */
static lnt_status give_up(flow *f, int got)
{
    if (got == STEP_STOPPED)
        return stopped_by(f, "slope");
    if (got == STEP_NOMEM)
        return lnt_fail(f->ctx, LNT_ENOMEM, "out of memory");
    if (got == STEP_REJECTED)
        return lnt_fail(f->ctx, LNT_EDOMAIN, "the slope at the start, t = %g, is not finite or out of bounds", f->s.t);
    f->info->stop = LNT_FLOW_STUCK;
    return LNT_OK;
}

static lnt_status outputs(flow *f)
{
    int *k = &f->info->outputs;
    for (; *k < f->count && f->times[*k] <= f->s.t; ++*k) {
        double *y = f->Y.a ? lnt_at(f->Y, 0, *k) : f->y;
        int got = f->s.at ? f->s.at(&f->s, f->times[*k], y) : STEP_DONE;
        if (got != STEP_DONE)
            return give_up(f, got);
        if (!f->s.at) /* before the first step */
            memcpy(y, f->s.y, f->ode->size * sizeof *y);
        if (f->ode->output && f->ode->output(f->times[*k], *k, y, f->ode->user) != 0)
            return stopped_by(f, "output");
    }
    return LNT_OK;
}

/* ---- Events ---- */

static int sign_of(double x)
{
    return (x > 0) - (x < 0);
}

static int event_at(flow *f, double t, int k, double *g)
{
    int got = f->s.at(&f->s, t, f->y);
    if (got == STEP_DONE && f->ode->event(f->g, t, f->y, f->ode->user) != 0)
        got = STEP_STOPPED;
    *g = f->g[k];
    return got;
}

/* *root <- the zero of g_k between a and b, where it has the values ga and gb, by the rule of false position; an end
 * that stays twice counts half (Illinois). What is then still open, which no simple zero is, is halved. */
static int find_root(flow *f, int k, double a, double b, double ga, double gb, double *root)
{
    int moved = 0; /* the end that moved last */
    for (int i = 0; i < 200 && ga != 0 && b - a > 4 * DBL_EPSILON * fmax(fabs(a), fabs(b)); i++) {
        double t = a + (b - a) * (i < 30 ? ga / (ga - gb) : 0.5), g;
        if (!(t > a && t < b))
            t = a + (b - a) / 2;
        if (!(t > a && t < b))
            break;
        int got = event_at(f, t, k, &g);
        if (got != STEP_DONE)
            return got;
        if (sign_of(g) == sign_of(gb)) {
            b = t;
            gb = g;
            ga /= moved == 1 ? 2 : 1;
            moved = 1;
        } else { /* on the zero too, which ends it */
            a = t;
            ga = g;
            gb /= moved == -1 ? 2 : 1;
            moved = -1;
        }
    }
    *root = ga == 0 ? a : b;
    return STEP_DONE;
}

static lnt_status report(flow *f)
{
    for (;;) {
        int first = -1;
        for (int k = 0; k < f->ode->events; k++)
            if (f->root[k] <= f->s.t && (first < 0 || f->root[k] < f->root[first]))
                first = k;
        if (first < 0)
            return LNT_OK;
        int got = f->s.at(&f->s, f->root[first], f->y);
        if (got != STEP_DONE)
            return give_up(f, got);
        if (f->ode->crossing && f->ode->crossing(f->root[first], first, f->sign[first], f->y, f->ode->user) != 0)
            return stopped_by(f, "crossing");
        f->root[first] = NAN;
    }
}

/* Crossings between a, where the functions have the values `last`, and b, where the solution is y. */
static lnt_status events_between(flow *f, double a, double b, const double *y)
{
    int count = f->ode->events;
    double *before = f->last;
    if (f->ode->event(f->g, b, y, f->ode->user) != 0)
        return stopped_by(f, "event");
    double *now = f->root + count; /* f->g is overwritten by the searches */
    memcpy(now, f->g, (size_t)count * sizeof *now);
    for (int k = 0; k < count; k++) {
        int sign = sign_of(now[k]);
        f->root[k] = NAN;
        if (f->s.at && sign * f->sign[k] < 0) {
            int got = find_root(f, k, a, b, before[k], now[k], &f->root[k]);
            if (got == STEP_STOPPED)
                return stopped_by(f, "event");
            if (got != STEP_DONE)
                return give_up(f, got);
        }
        if (sign != 0)
            f->sign[k] = sign;
    }
    memcpy(before, now, (size_t)count * sizeof *before);
    return f->s.at ? report(f) : LNT_OK;
}

/* Crossings of the last step, part by part: steps are long where the solution is smooth, not where g is. */
static lnt_status events(flow *f)
{
    lnt_stepper *s = &f->s;
    lnt_status status = LNT_OK;
    double from = s->from;
    if (f->ode->events == 0)
        return LNT_OK;
    for (int part = 1; s->at && part < EVENT_PARTS && status == LNT_OK; part++) {
        double a = from + (s->t - from) * (part - 1) / EVENT_PARTS, b = from + (s->t - from) * part / EVENT_PARTS;
        int got = s->at(s, b, f->y);
        if (got != STEP_DONE)
            return give_up(f, got);
        status = events_between(f, a, b, f->y);
    }
    double a = s->at ? from + (s->t - from) * (EVENT_PARTS - 1) / EVENT_PARTS : s->t;
    return status == LNT_OK && f->info->stop == LNT_FLOW_DONE ? events_between(f, a, s->t, s->y) : status;
}

/* ---- Driver ---- */

static lnt_status use(flow *f, lnt_flow_method method)
{
    if (f->s.close)
        f->s.close(&f->s);
    f->s.close = NULL;
    f->info->method = method;
    int got = (method == LNT_FLOW_BDF ? lnt_bdf_open : lnt_explicit_open)(&f->s);
    return got == STEP_DONE ? LNT_OK : give_up(f, got);
}

static bool worth_switching(const flow *f)
{
    const lnt_stepper *s = &f->s;
    return f->opts->method == LNT_FLOW_AUTO && f->info->method == LNT_FLOW_EXPLICIT && s->stiff &&
           (s->end - s->t) > STEPS_AHEAD * (s->t - s->from);
}

static bool at_rest(const flow *f)
{
    const lnt_stepper *s = &f->s;
    return f->ode->rest && s->steps > 0 && s->steps % REST_STEPS == 0 && f->ode->rest(s->t, s->y, f->ode->user) > 0;
}

static lnt_status run(flow *f)
{
    lnt_stepper *s = &f->s;
    lnt_flow_info *info = f->info;
    lnt_status status = events(f);
    if (status == LNT_OK)
        status = outputs(f);
    if (status != LNT_OK || info->outputs == f->count)
        return status;
    status = use(f, f->opts->method == LNT_FLOW_BDF ? LNT_FLOW_BDF : LNT_FLOW_EXPLICIT);
    while (status == LNT_OK && info->stop == LNT_FLOW_DONE && info->outputs < f->count) {
        if (lnt_cancelled(f->ctx)) {
            info->stop = LNT_FLOW_INTERRUPTED;
        } else if (s->steps + s->rejected >= f->opts->max_steps) {
            info->stop = LNT_FLOW_STEPS;
        } else if (s->end - s->t <= 8 * DBL_EPSILON * fabs(s->end)) {
            s->t = s->end; /* no room for a step */
            status = outputs(f);
        } else if (at_rest(f)) {
            info->rest = s->t;
            s->t = s->end;
            s->at = NULL; /* no interpolation between now and then */
            status = outputs(f);
        } else {
            int got = s->advance(s);
            status = got == STEP_DONE ? events(f) : give_up(f, got);
            if (status == LNT_OK && info->stop == LNT_FLOW_DONE)
                status = outputs(f);
            if (status == LNT_OK && info->stop == LNT_FLOW_DONE && worth_switching(f)) {
                info->switched = s->t;
                status = use(f, LNT_FLOW_BDF);
            }
        }
    }
    return status;
}

static lnt_status prepare(flow *f)
{
    size_t events = (size_t)f->ode->events;
    f->y = lnt_alloc(f->ctx, f->ode->size, sizeof *f->y);
    f->s.y = lnt_alloc(f->ctx, f->ode->size, sizeof *f->s.y);
    f->sign = lnt_alloc_zero(f->ctx, events, sizeof *f->sign);
    f->g = lnt_alloc(f->ctx, events, sizeof *f->g);
    f->last = lnt_alloc(f->ctx, events, sizeof *f->last);
    f->root = lnt_alloc(f->ctx, 2 * events, sizeof *f->root);
    return f->y && f->s.y && f->sign && f->g && f->last && f->root ? LNT_OK : LNT_ENOMEM;
}

static lnt_status check(lnt_ctx *ctx, const lnt_ode *ode, const double *y0, double t0, const double *times, int count,
                        const lnt_flow_opts *o)
{
    if (!(o->rtol >= 1e-14 && o->rtol < 1) || !(o->atol > 0 && isfinite(o->atol)) || o->max_steps < 1)
        return lnt_fail(ctx, LNT_EINVAL, "1e-14 <= rtol < 1, atol > 0 and max_steps >= 1, not %g, %g and %ld", o->rtol,
                        o->atol, o->max_steps);
    if (!isfinite(t0))
        return lnt_fail(ctx, LNT_EINVAL, "the start time %g is not finite", t0);
    for (int k = 0; k < count; k++)
        if (!(times[k] >= (k > 0 ? times[k - 1] : t0)) || !isfinite(times[k]))
            return lnt_fail(ctx, LNT_EINVAL, "output time %d is %g after %g: times must be finite and ascend", k + 1,
                            times[k], k > 0 ? times[k - 1] : t0);
    for (size_t i = 0; i < ode->size; i++)
        if (!isfinite(y0[i]))
            return lnt_fail(ctx, LNT_EDOMAIN, "start value %zu is %g", i + 1, y0[i]);
    return LNT_OK;
}

lnt_status lnt_flow(lnt_ctx *ctx, lnt_mat Y, lnt_flow_info *info, const lnt_ode *ode, const double *y0, double t0,
                    const double *times, int count, const lnt_flow_opts *opts)
{
    lnt_flow_opts defaults;
    lnt_flow_info unread;
    lnt_flow_defaults(&defaults);
    info = info ? info : &unread;
    opts = opts ? opts : &defaults;
    *info = (lnt_flow_info){.t = t0, .method = opts->method, .switched = NAN, .rest = NAN};
    if (Y.a && ((size_t)Y.rows != ode->size || Y.cols != count))
        return lnt_fail(ctx, LNT_ESHAPE, "the answer is %d x %d, not %zu unknowns x %d times", Y.rows, Y.cols,
                        ode->size, count);
    lnt_status status = check(ctx, ode, y0, t0, times, count, opts);
    if (status != LNT_OK || count == 0)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    flow f = {.ctx = ctx, .ode = ode, .opts = opts, .info = info, .Y = Y, .times = times, .count = count};
    f.s = (lnt_stepper){.ctx = ctx, .ode = ode, .opts = opts, .t = t0, .from = t0, .end = times[count - 1]};
    status = prepare(&f);
    if (status == LNT_OK) {
        memcpy(f.s.y, y0, ode->size * sizeof *y0);
        if (Y.a)
            lnt_mat_fill(Y, NAN);
        status = run(&f);
    }
    if (f.s.close)
        f.s.close(&f.s);
    info->t = f.s.t;
    info->steps = f.s.steps;
    info->rejected = f.s.rejected;
    info->evaluations = f.s.evaluations;
    lnt_ctx_reset(ctx, mark);
    return status;
}
