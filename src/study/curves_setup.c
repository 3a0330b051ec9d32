/* What the options of learning curves mean: teacher, arms, hyper-parameters. */
#include "curves.h"

#include <math.h>
#include <string.h>

#define MOST_FEATURES 100000
#define MOST_NUMBERS 2e8 /* of all losses, and of one data set */

void lnt_curves_defaults(lnt_curves_opts *opts)
{
    *opts = (lnt_curves_opts){.features = 1000,
                              .samples = 700,
                              .runs = 20,
                              .epochs = 200,
                              .arms = "plain,ridge,plain+momentum,ridge+momentum",
                              .teacher = "dense",
                              .teacher_norm = 1,
                              .init_norm = NAN,
                              .lr = NAN,
                              .momentum = NAN,
                              .lambda = NAN,
                              .lasso_lambda = 1.2e-3,
                              .lasso_lr = NAN,
                              .batch = 100};
}

/* ---- Arms ---- */

static bool is(const char *word, size_t n, const char *name)
{
    return strlen(name) == n && memcmp(word, name, n) == 0;
}

static bool set_base(lnt_curve_arm *arm, const char *word, size_t n)
{
    bool elastic = is(word, n, "elastic");
    arm->ridge = elastic || is(word, n, "ridge");
    arm->l1 = elastic || is(word, n, "lasso");
    return arm->ridge || arm->l1 || is(word, n, "plain");
}

static bool set_variant(lnt_curve_arm *arm, const char *word, size_t n)
{
    static const struct {
        const char *name;
        lnt_learner_kind kind;
        bool momentum;
    } variants[] = {{"momentum", LNT_LEARN_HEAVY, true},
                    {"naive", LNT_LEARN_NAIVE, true},
                    {"outer", LNT_LEARN_OUTER, true},
                    {"fista", LNT_LEARN_FISTA, false},
                    {"sgd", LNT_LEARN_SGD, false}};
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++)
        if (is(word, n, variants[k].name)) {
            bool free = variants[k].kind == LNT_LEARN_HEAVY || arm->kind == LNT_LEARN_HEAVY;
            arm->kind = variants[k].kind == LNT_LEARN_HEAVY ? arm->kind : variants[k].kind;
            arm->momentum = arm->momentum || variants[k].momentum;
            return free;
        }
    return false;
}

/* BASE[+VARIANT...]. */
static lnt_status parse_arm(lnt_ctx *ctx, lnt_curve_arm *arm, const char *name)
{
    size_t n = strcspn(name, "+");
    *arm = (lnt_curve_arm){.name = name, .kind = LNT_LEARN_HEAVY};
    bool valid = set_base(arm, name, n);
    for (const char *s = name + n; *s && valid; s += n) {
        s++;
        n = strcspn(s, "+");
        valid = set_variant(arm, s, n);
    }
    bool threshold = arm->kind == LNT_LEARN_NAIVE || arm->kind == LNT_LEARN_OUTER || arm->kind == LNT_LEARN_FISTA;
    if (!valid || (threshold && !arm->l1) || (arm->kind == LNT_LEARN_FISTA && arm->momentum))
        return lnt_fail(
            ctx, LNT_EUSAGE,
            "--arms %.40s: use plain, ridge, lasso or elastic, each alone or with +momentum or +sgd; lasso and "
            "elastic also with +naive, +outer (momentum with another threshold) or +fista",
            name);
    return LNT_OK;
}

static lnt_status parse_arms(lnt_ctx *ctx, lnt_curves *c)
{
    for (const char *s = c->opts->arms; s && *s;) {
        size_t n = strcspn(s, ",");
        const char *name = lnt_sprintf(ctx, "%.*s", (int)n, s);
        if (c->arms == LNT_MOST_ARMS)
            return lnt_fail(ctx, LNT_EUSAGE, "--arms: at most %d arms", LNT_MOST_ARMS);
        lnt_status status = name ? parse_arm(ctx, &c->arm[c->arms], name) : LNT_ENOMEM;
        for (int k = 0; k < c->arms && status == LNT_OK; k++)
            if (strcmp(c->arm[k].name, name) == 0)
                return lnt_fail(ctx, LNT_EUSAGE, "--arms names %s twice", name);
        if (status != LNT_OK)
            return status;
        const lnt_curve_arm *arm = &c->arm[c->arms++];
        if (c->opts->time == LNT_CURVES_FLOW && (arm->l1 || arm->momentum || arm->kind != LNT_LEARN_HEAVY))
            return lnt_fail(ctx, LNT_EUSAGE, "--time flow has plain and ridge only, not %s: use --arms plain,ridge",
                            name);
        s += n + (s[n] == ',');
    }
    return c->arms ? LNT_OK : lnt_fail(ctx, LNT_EUSAGE, "--arms names no arm: use plain,ridge,lasso");
}

double lnt_curves_ridge(const lnt_curves *c, const lnt_curve_arm *arm, double low, double high)
{
    double lambda = !arm->ridge ? 0 : isnan(c->opts->lambda) ? lnt_equal_rate_ridge(low, high) : c->opts->lambda;
    return isfinite(lambda) ? lambda : high; /* one eigenvalue alone: any ridge is as fast */
}

lnt_learner lnt_curves_learner(const lnt_curves *c, const lnt_curve_arm *arm, double low, double high, double lambda)
{
    const lnt_curves_opts *o = c->opts;
    bool null_space = o->samples < o->features, sgd = arm->kind == LNT_LEARN_SGD;
    lnt_smooth_rule rule = lnt_tune(low, high, null_space, arm->l1 ? 0 : lambda, arm->momentum).rule;
    rule.lambda = lambda;
    rule.beta = !arm->momentum || isnan(o->momentum) ? rule.beta : o->momentum;
    if (arm->momentum && !isnan(o->momentum)) /* its own fastest step: the slow end of the spectrum no longer decides */
        rule.eta = (1 + o->momentum) / (high + lambda);
    if (arm->l1)
        rule.eta =
            !isnan(o->lasso_lr) ? o->lasso_lr : (arm->kind == LNT_LEARN_OUTER ? 1 - rule.beta : 1) / (high + lambda);
    else if (!isnan(o->lr))
        rule.eta = o->lr;
    if (sgd && isnan(arm->l1 ? o->lasso_lr : o->lr))
        rule.eta = (1 - rule.beta) / (1 + (o->features + 1.) / (o->batch < o->samples ? o->batch : o->samples));
    if (o->time == LNT_CURVES_FLOW)
        rule.eta = 0;
    return (lnt_learner){arm->kind, rule, arm->l1 ? o->lasso_lambda : 0, o->batch < o->samples ? o->batch : o->samples};
}

/* ---- Teacher ---- */

static lnt_status parse_teacher(lnt_ctx *ctx, lnt_curves *c)
{
    const lnt_curves_opts *o = c->opts;
    const char *text = o->teacher ? o->teacher : "dense";
    double entries = 0;
    if (strcmp(text, "dense") == 0)
        c->sparse = o->features;
    else if (strncmp(text, "sparse:", 7) == 0 && lnt_number_read(text + 7, strlen(text + 7), &entries) &&
             entries >= 1 && entries <= o->features && entries == floor(entries))
        c->sparse = (int)entries;
    else if (strcmp(text, "zero") != 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--teacher %.40s: use dense, zero, or sparse:K with K from 1 to %d", text,
                        o->features);
    if (o->teacher_norm == 0)
        c->sparse = 0;
    return LNT_OK;
}

lnt_status lnt_read_variances(lnt_ctx *ctx, double **variance, const char *text, int count)
{
    double decay;
    lnt_mat A;
    *variance = NULL;
    if (!text)
        return LNT_OK;
    if (strncmp(text, "power:", 6) == 0) {
        if (!lnt_number_read(text + 6, strlen(text + 6), &decay) || !(decay >= 0) || decay > 100)
            return lnt_fail(ctx, LNT_EUSAGE, "--spectrum %.40s: power:A needs A from 0 to 100", text);
        *variance = lnt_alloc(ctx, (size_t)count, sizeof **variance);
        if (!*variance)
            return LNT_ENOMEM;
        lnt_power_law(*variance, count, decay);
        return LNT_OK;
    }
    lnt_status status = lnt_matrix_read(ctx, &A, text);
    if (status != LNT_OK)
        return status;
    if ((size_t)A.rows * (size_t)A.cols != (size_t)count)
        return lnt_fail(ctx, LNT_ESHAPE, "%s has %d x %d numbers: one for each of %d features is needed", text, A.rows,
                        A.cols, count);
    for (int i = 0; i < count; i++)
        if (!(A.a[i] >= 0) || !isfinite(A.a[i]))
            return lnt_fail(ctx, LNT_EDOMAIN, "%s: variance %d is %g; variances are 0 or more", text, i + 1, A.a[i]);
    *variance = A.a;
    return LNT_OK;
}

static lnt_status draw_teacher(lnt_ctx *ctx, lnt_curves *c)
{
    const lnt_curves_opts *o = c->opts;
    size_t D = (size_t)o->features;
    double *variance;
    lnt_status status = lnt_read_variances(ctx, &variance, o->spectrum, o->features);
    c->T = lnt_alloc(ctx, D, sizeof *c->T);
    c->S0 = lnt_alloc(ctx, D, sizeof *c->S0);
    if (status != LNT_OK || !c->T || !c->S0)
        return status != LNT_OK ? status : LNT_ENOMEM;
    double start2 = isnan(o->init_norm) ? 1 / c->q : o->init_norm,
           norm2 = c->sparse ? o->teacher_norm * o->teacher_norm : 0;
    c->noise2 = o->noise * o->noise;
    c->teacher = (lnt_teacher_opts){o->features, c->sparse, norm2, start2, c->noise2, variance, o->seed};
    lnt_teacher_draw(c->T, c->S0, &c->teacher);
    lnt_mat T = lnt_mat_view(c->T, o->features, 1), S0 = lnt_mat_view(c->S0, o->features, 1);
    c->start2 = lnt_mat_dot(S0, S0);
    c->overlap = lnt_mat_dot(S0, T);
    c->teacher2 = lnt_mat_dot(T, T);
    return LNT_OK;
}

/* ---- All ---- */

static lnt_status check_sizes(lnt_ctx *ctx, const lnt_curves_opts *o)
{
    if (o->features > MOST_FEATURES || (double)o->features * o->samples > MOST_NUMBERS)
        return lnt_fail(ctx, LNT_EUSAGE, "%d samples of %d features: at most %d features and %g numbers", o->samples,
                        o->features, MOST_FEATURES, MOST_NUMBERS);
    return LNT_OK;
}

static lnt_status make_times(lnt_ctx *ctx, lnt_curves *c)
{
    const lnt_curves_opts *o = c->opts;
    double low, high;
    if (o->time != LNT_CURVES_FLOW)
        return LNT_OK;
    c->times = lnt_alloc(ctx, (size_t)o->epochs + 1, sizeof *c->times);
    if (!c->times)
        return LNT_ENOMEM;
    lnt_mp_edges(&low, &high, c->q);
    for (int k = 0; k <= o->epochs; k++)
        c->times[k] = k * (isnan(o->lr) ? 2 / (low + high) : o->lr);
    return LNT_OK;
}

lnt_status lnt_curves_setup(lnt_ctx *ctx, lnt_curves *c, const lnt_curves_opts *opts)
{
    *c = (lnt_curves){.opts = opts, .q = (double)opts->samples / opts->features};
    lnt_status status = check_sizes(ctx, opts);
    if (status == LNT_OK)
        status = parse_arms(ctx, c);
    if (status == LNT_OK && (double)opts->runs * c->arms * (opts->epochs + 1.) > MOST_NUMBERS)
        status = lnt_fail(ctx, LNT_EUSAGE, "%d runs of %d arms with %d epochs are too many losses: at most %g",
                          opts->runs, c->arms, opts->epochs, MOST_NUMBERS);
    if (status == LNT_OK)
        status = parse_teacher(ctx, c);
    if (status == LNT_OK)
        status = draw_teacher(ctx, c);
    return status == LNT_OK ? make_times(ctx, c) : status;
}
