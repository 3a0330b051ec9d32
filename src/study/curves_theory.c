/* What theory says of the learning curves of a study. */
#include "curves.h"

#include <math.h>

#define MOST_ENTRIES 10000 /* of a teacher that enters as it is: beyond, it is typical */

/* The mean over the data sets. */
static lnt_smooth_rule mean_rule(const lnt_curves *c, int a)
{
    lnt_smooth_rule mean = {0};
    for (int r = 0; r < c->done; r++) {
        mean.eta += c->learner[r][a].rule.eta / c->done;
        mean.beta += c->learner[r][a].rule.beta / c->done;
        mean.lambda += c->learner[r][a].rule.lambda / c->done;
    }
    return mean;
}

double lnt_curves_effective_l1(const lnt_curves *c, int a)
{
    lnt_learner mean = c->learner[0][a];
    mean.rule = mean_rule(c, a);
    return lnt_effective_l1(&mean);
}

/* What the arm would do on infinitely large data sets. Where the automatic values have no limit (at q = 1 the fastest
 * momentum is 1) the mean of those used, kept stable. */
static lnt_smooth_rule rule_at(const lnt_curves *c, int a, double lambda)
{
    double low, high;
    lnt_mp_edges(&low, &high, c->q);
    lnt_smooth_rule rule = lnt_curves_learner(c, &c->arm[a], low, high, lambda).rule, mean = mean_rule(c, a);
    if (c->teacher.variance)
        return mean;
    if (rule.beta < 1)
        return rule;
    mean.eta = fmin(mean.eta, (1 - 1e-12) * lnt_stable_step(high, mean.beta, mean.lambda));
    return mean;
}

static lnt_status predict_smooth(lnt_ctx *ctx, lnt_curves *c, int a)
{
    const lnt_curves_opts *o = c->opts;
    const lnt_student student = {c->q, c->start2, c->overlap, c->teacher2, c->noise2, o->features};
    double low, high;
    lnt_mp_edges(&low, &high, c->q);
    /* at the bound itself only the edge of the bulk swings, which has no mass: the fastest step at q = 1 */
    if (!c->times && c->rule[a].eta > lnt_stable_step(high, c->rule[a].beta, c->rule[a].lambda))
        return LNT_OK;
    c->curve[a] = lnt_alloc(ctx, (size_t)o->epochs + 1, sizeof *c->curve[a]);
    if (!c->curve[a])
        return LNT_ENOMEM;
    lnt_status status = lnt_predict_curve(ctx, c->curve[a], &student, &c->rule[a], o->epochs + 1, c->times);
    return status == LNT_OK ? lnt_predict_limit(ctx, &c->limit[a], &student, &c->rule[a]) : status;
}

/* Ridge does not depend on the start; plain descent learns S - S0 of least norm, for the teacher T - S0. */
static lnt_status predict_population(lnt_ctx *ctx, lnt_curves *c, int a)
{
    const lnt_curves_opts *o = c->opts;
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *t = lnt_alloc(ctx, (size_t)o->features, sizeof *t);
    if (!t)
        return LNT_ENOMEM;
    for (int i = 0; i < o->features; i++)
        t[i] = c->T[i] - (c->rule[a].lambda > 0 ? 0 : c->S0[i]);
    const lnt_population population = {o->features, c->teacher.variance, t, c->noise2};
    lnt_ridge_risk risk;
    lnt_status status = lnt_ridge_risk_predict(ctx, &risk, &population, o->samples, c->rule[a].lambda);
    lnt_ctx_reset(ctx, mark);
    c->limit[a] = (lnt_predicted_loss){risk.gen, risk.train / 2, NAN, NAN};
    return status;
}

static lnt_status predict_lasso(lnt_ctx *ctx, lnt_curves *c, int a)
{
    const lnt_lasso_student student = {c->opts->features, c->q,      (double)c->sparse / c->opts->features,
                                       c->teacher2,       c->noise2, lnt_curves_effective_l1(c, a)};
    lnt_status status = c->opts->features <= MOST_ENTRIES ? lnt_lasso_risk_of(ctx, &c->lasso[a], &student, c->T)
                                                          : lnt_lasso_risk_predict(ctx, &c->lasso[a], &student);
    if (status == LNT_OK)
        c->limit[a] = (lnt_predicted_loss){c->lasso[a].gen, c->lasso[a].train, NAN, NAN};
    return status;
}

lnt_status lnt_curves_theory(lnt_ctx *ctx, lnt_curves *c)
{
    lnt_status status = LNT_OK;
    double low, high;
    lnt_mp_edges(&low, &high, c->q);
    for (int a = 0; a < c->arms && status == LNT_OK; a++) {
        const lnt_curve_arm *arm = &c->arm[a];
        c->limit[a] = (lnt_predicted_loss){NAN, NAN, NAN, NAN};
        c->lasso[a] = (lnt_lasso_risk){NAN, NAN, NAN, NAN, NAN, NAN};
        c->asymptotic[a] = rule_at(c, a, lnt_curves_ridge(c, arm, low, high));
        c->rule[a] = rule_at(c, a, mean_rule(c, a).lambda);
        if (arm->l1 && !arm->ridge && !c->teacher.variance)
            status = predict_lasso(ctx, c, a);
        else if (!arm->l1 && c->teacher.variance)
            status = predict_population(ctx, c, a);
        else if (!arm->l1 && arm->kind == LNT_LEARN_HEAVY)
            status = predict_smooth(ctx, c, a);
    }
    return status;
}
