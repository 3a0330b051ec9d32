#include "bayes.h"

#include <math.h>

/* Data that are left to tell the noise where the model takes all of them. */
#define LEAST_FREE 1e-6

/* Holds x within bounds and counts where it had to; NaN, of 0/0, is held at the upper one. */
static double hold(double x, double least, double most, int *at_bound)
{
    bool inside = x > least && x < most;
    *at_bound += !inside;
    return inside ? x : x <= least ? least : most;
}

typedef struct search {
    const lnt_evidence_opts *opts;
    lnt_evidence_info *info;
    lnt_likelihood *likelihood;
    const lnt_prior *prior;
    double beta_most;
} search;

/* New alpha and beta; how far they moved. */
static double update(search *s, const lnt_posterior *p)
{
    double moved = 0, *alpha = s->prior->alpha, *beta = &s->likelihood->beta;
    s->info->at_bound = 0;
    for (int g = 0; g < p->groups && !s->opts->keep_alpha; g++) {
        if (p->size[g] == 0)
            continue;
        double next =
            hold(p->gamma_group[g] / p->square[g], s->opts->alpha_least, s->opts->alpha_most, &s->info->at_bound);
        moved += fabs(log(next / alpha[g]));
        alpha[g] = next;
    }
    if (s->likelihood->kind == LNT_GAUSSIAN && !s->opts->keep_beta) {
        double free = hold(p->n - p->gamma, LEAST_FREE, INFINITY, &s->info->at_bound);
        double next = hold(free / p->sse, 0, s->beta_most, &s->info->at_bound);
        moved += fabs(log(next / *beta));
        *beta = next;
    }
    return moved;
}

static lnt_status find(lnt_ctx *ctx, search *s, double *w, lnt_posterior *posterior, const lnt_model *model)
{
    lnt_evidence_info *info = s->info;
    lnt_mark mark = lnt_ctx_mark(ctx);
    for (;; lnt_ctx_reset(ctx, mark)) {
        lnt_status status = lnt_posterior_mode(ctx, w, &info->mode, model, s->likelihood, s->prior, &s->opts->mode);
        info->evaluations += info->mode.evaluations;
        if (status == LNT_OK)
            status = lnt_posterior_make(ctx, posterior, model, w, s->likelihood, s->prior);
        if (status != LNT_OK || info->converged || info->rounds >= s->opts->max_rounds || lnt_cancelled(ctx))
            return status;
        info->rounds++;
        info->converged = update(s, posterior) < s->opts->tolerance; /* one more refit, with these */
    }
}

void lnt_evidence_defaults(lnt_evidence_opts *opts)
{
    *opts = (lnt_evidence_opts){
        .tolerance = 1e-7, .max_rounds = 1000, .alpha_least = 1e-9, .alpha_most = 1e9, .beta_most = 1e14};
    lnt_mode_defaults(&opts->mode);
}

lnt_status lnt_evidence(lnt_ctx *ctx, double *w, lnt_posterior *posterior, lnt_evidence_info *info,
                        const lnt_model *model, lnt_likelihood *likelihood, const lnt_prior *prior,
                        const lnt_evidence_opts *opts)
{
    lnt_evidence_opts defaults;
    lnt_evidence_info unread;
    lnt_evidence_defaults(&defaults);
    search s = {
        .opts = opts ? opts : &defaults, .info = info ? info : &unread, .likelihood = likelihood, .prior = prior};
    *s.info = (lnt_evidence_info){0};
    if (!(s.opts->tolerance > 0) || s.opts->max_rounds < 0 || !(s.opts->alpha_least > 0) ||
        !(s.opts->alpha_most > s.opts->alpha_least) || !(s.opts->beta_most > 0))
        return lnt_fail(ctx, LNT_EINVAL, "options of the evidence: tolerance and bounds above 0, in order");
    lnt_status status = lnt_bayes_check(ctx, model, w, likelihood, prior);
    if (status != LNT_OK)
        return status;
    double square = 0;
    for (size_t i = 0; i < likelihood->n && likelihood->kind == LNT_GAUSSIAN; i++) {
        double d = (likelihood->sqrtw ? likelihood->sqrtw[i] : 1) * likelihood->d[i];
        square += d * d / (double)likelihood->n;
    }
    s.beta_most = s.opts->beta_most / (square > 0 ? square : 1);
    status = find(ctx, &s, w, posterior, model);
    if (status == LNT_OK && s.info->at_bound > 0)
        lnt_log(ctx, "evidence: %d of the precisions ran away to a bound: the data do not determine them",
                s.info->at_bound);
    return status;
}
