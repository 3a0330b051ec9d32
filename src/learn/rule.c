#include "rule.h"

#include <math.h>

lnt_status lnt_rule_alloc(lnt_ctx *ctx, lnt_rule_state *state, const lnt_descent *opts, size_t size)
{
    *state = (lnt_rule_state){.opts = opts, .size = size};
    if (opts->rule == LNT_RULE_ADAM || opts->momentum > 0)
        state->m = lnt_alloc_zero(ctx, size, sizeof *state->m);
    if (opts->rule == LNT_RULE_ADAM)
        state->v = lnt_alloc_zero(ctx, size, sizeof *state->v);
    bool missing = (opts->rule == LNT_RULE_ADAM && !state->v) || (opts->momentum > 0 && !state->m);
    return missing ? LNT_ENOMEM : LNT_OK;
}

/* The proximal map of t|w|. */
static double soft(double w, double t)
{
    return w > t ? w - t : w < -t ? w + t : 0;
}

static void soften(double *w, size_t n, double t)
{
    for (size_t i = 0; i < n && t > 0; i++)
        w[i] = soft(w[i], t);
}

/* At rest the buffer holds grad/(1 - beta): only a threshold larger by the same factor makes the fixed point that of
 * the penalty l1. */
static void heavy_ball(lnt_rule_state *s, double *w, const double *g)
{
    double eta = s->opts->eta, beta = s->opts->momentum;
    for (size_t i = 0; i < s->size; i++) {
        s->m[i] = beta * s->m[i] + g[i];
        w[i] -= eta * s->m[i];
    }
    soften(w, s->size, s->opts->naive_l1 ? eta * s->opts->l1 : eta * s->opts->l1 / (1 - beta));
}

static void plain(lnt_rule_state *s, double *w, const double *g)
{
    for (size_t i = 0; i < s->size; i++)
        w[i] -= s->opts->eta * g[i];
    soften(w, s->size, s->opts->eta * s->opts->l1);
}

/* The threshold is scaled like the step of its weight: the proximal map in Adam's own metric. */
static void adam(lnt_rule_state *s, double *w, const double *g)
{
    const lnt_descent *o = s->opts;
    double bias1 = 1 - pow(o->beta1, (double)s->steps), bias2 = 1 - pow(o->beta2, (double)s->steps);
    for (size_t i = 0; i < s->size; i++) {
        s->m[i] = o->beta1 * s->m[i] + (1 - o->beta1) * g[i];
        s->v[i] = o->beta2 * s->v[i] + (1 - o->beta2) * g[i] * g[i];
        double step = o->eta / (sqrt(s->v[i] / bias2) + o->epsilon);
        w[i] = soft(w[i] - step * (s->m[i] / bias1), o->naive_l1 ? o->eta * o->l1 : step * o->l1);
    }
}

void lnt_rule_step(lnt_rule_state *state, double *w, double *g)
{
    const lnt_descent *o = state->opts;
    state->steps++;
    for (size_t i = 0; i < state->size && o->weight_decay > 0; i++)
        g[i] += o->weight_decay * w[i];
    if (o->rule == LNT_RULE_ADAM)
        adam(state, w, g);
    else if (o->momentum > 0)
        heavy_ball(state, w, g);
    else
        plain(state, w, g);
}
