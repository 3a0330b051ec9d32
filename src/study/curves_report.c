/* The record of the study of learning curves. */
#include "curves.h"

#include <math.h>

#define ROUNDING 1e-13 /* a relative spread that is none */
/* Training losses are compared with theory where they are this near to their limit; or above this share of |S0|^2 */
#define FEW 10 /* data sets, whose spread says less than the band */
#define SETTLED 0.02
#define NEGLIGIBLE 1e-3

static double square(double x)
{
    return x * x;
}

/* ---- Means over the data sets ---- */

lnt_status lnt_curves_average(lnt_ctx *ctx, lnt_average *average, const lnt_curves *c, const lnt_mat *loss, int arm)
{
    size_t rows = (size_t)c->opts->epochs + 1;
    double *all = lnt_alloc(ctx, 2 * rows, sizeof *all);
    if (!all)
        return LNT_ENOMEM;
    *average = (lnt_average){all, all + rows};
    for (int k = 0; k <= c->opts->epochs; k++) {
        double sum = 0, squares = 0;
        for (int r = 0; r < c->done; r++)
            sum += *lnt_at(loss[r], k, arm) / c->done;
        for (int r = 0; r < c->done; r++)
            squares += square(*lnt_at(loss[r], k, arm) - sum);
        average->mean[k] = sum;
        average->sd[k] = c->done > 1 ? sqrt(squares / (c->done - 1)) : 0;
    }
    return LNT_OK;
}

/* Mean and standard deviation of one number of each run. */
static void moments(double *mean, double *sd, const double *x, int n)
{
    double squares = 0;
    *mean = 0;
    for (int r = 0; r < n; r++)
        *mean += x[r] / n;
    for (int r = 0; r < n; r++)
        squares += square(x[r] - *mean);
    *sd = n > 1 ? sqrt(squares / (n - 1)) : (double)NAN;
}

/* ---- Series ---- */

static lnt_status put_series(lnt_ctx *ctx, lnt_record *record, const char *arm, const char *loss, const char *part,
                             const double *values, int rows)
{
    const char *path = lnt_sprintf(ctx, "%s/%s/%s", arm, loss, part);
    if (path)
        lnt_record_series(record, path, "", values, rows);
    return path ? LNT_OK : LNT_ENOMEM;
}

/* One loss of one arm with its theory: a curve, or the level where it ends. */
static lnt_status put_loss(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c, int a, bool train)
{
    const char *arm = c->arm[a].name, *loss = train ? "loss_train" : "loss_gen";
    int rows = c->opts->epochs + 1;
    double *theory = lnt_alloc(ctx, 2 * (size_t)rows, sizeof *theory), *band = theory + rows;
    lnt_average average;
    lnt_status status = theory ? LNT_OK : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_curves_average(ctx, &average, c, train ? c->train[0] : c->gen[0], a);
    if (status == LNT_OK)
        status = put_series(ctx, record, arm, loss, "mean", average.mean, rows);
    if (status == LNT_OK && c->done > 1)
        status = put_series(ctx, record, arm, loss, "sd", average.sd, rows);
    for (int k = 0; k < rows && status == LNT_OK; k++) {
        const lnt_predicted_loss *p = c->curve[a] ? &c->curve[a][k] : &c->limit[a];
        theory[k] = train ? p->train : p->gen;
        band[k] = train ? p->train_sd : p->gen_sd;
    }
    if (status == LNT_OK && isfinite(theory[rows - 1]))
        status = put_series(ctx, record, arm, loss, "theory", theory, rows);
    if (status == LNT_OK && isfinite(theory[rows - 1]) && isfinite(band[rows - 1]))
        status = put_series(ctx, record, arm, loss, "band", band, rows);
    return status;
}

static lnt_status put_epochs(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    int rows = c->opts->epochs + 1;
    double *epoch = lnt_alloc(ctx, (size_t)rows, sizeof *epoch);
    if (!epoch)
        return LNT_ENOMEM;
    for (int k = 0; k < rows; k++)
        epoch[k] = k;
    if (c->times)
        lnt_record_series(record, "t", "", c->times, rows);
    else
        lnt_record_series(record, "epoch", "", epoch, rows);
    lnt_status status = LNT_OK;
    for (int a = 0; a < c->arms && status == LNT_OK; a++) {
        status = put_loss(ctx, record, c, a, false);
        if (status == LNT_OK)
            status = put_loss(ctx, record, c, a, true);
    }
    return status;
}

/* ---- Tables ---- */

static int least(const double *x, int n)
{
    int best = 0;
    for (int k = 1; k < n; k++)
        best = x[k] < x[best] ? k : best;
    return best;
}

static lnt_status put_arms(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    lnt_table *table = lnt_record_table(record, "arms");
    int last = c->opts->epochs;
    for (int a = 0; a < c->arms; a++) {
        lnt_average gen, train;
        lnt_status status = lnt_curves_average(ctx, &gen, c, c->gen[0], a);
        if (status == LNT_OK)
            status = lnt_curves_average(ctx, &train, c, c->train[0], a);
        if (status != LNT_OK)
            return status;
        const lnt_predicted_loss *p = c->curve[a] ? &c->curve[a][last] : NULL;
        int best = least(gen.mean, last + 1);
        lnt_table_row(table);
        lnt_table_set(table, "arm", "", lnt_string(c->arm[a].name));
        lnt_table_set(table, "loss_gen", "", lnt_number(gen.mean[last]));
        lnt_table_set(table, "loss_gen_sd", "", c->done > 1 ? lnt_number(gen.sd[last]) : (lnt_value){0});
        lnt_table_set(table, "theory_gen", "", p ? lnt_known(p->gen) : (lnt_value){0});
        lnt_table_set(table, "band_gen", "", p ? lnt_known(p->gen_sd) : (lnt_value){0});
        lnt_table_set(table, "limit_gen", "", lnt_known(c->limit[a].gen));
        lnt_table_set(table, "loss_train", "", lnt_number(train.mean[last]));
        lnt_table_set(table, "theory_train", "", p ? lnt_known(p->train) : (lnt_value){0});
        lnt_table_set(table, "limit_train", "", lnt_known(c->limit[a].train));
        lnt_table_set(table, "least_gen", "", lnt_number(gen.mean[best]));
        if (c->times)
            lnt_table_set(table, "least_at", "", lnt_number(c->times[best]));
        else
            lnt_table_set(table, "least_at", "", lnt_integer(best));
    }
    return LNT_OK;
}

static double rate_of(const lnt_learner *l, int what)
{
    const double values[] = {l->rule.eta, l->rule.beta, l->rule.lambda};
    return values[what];
}

static lnt_status put_hyperparameters(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    static const char *const names[] = {"lr", "momentum", "lambda"};
    lnt_table *table = lnt_record_table(record, "hyperparameters");
    double *x = lnt_alloc(ctx, (size_t)c->done, sizeof *x), mean, sd;
    if (!x)
        return LNT_ENOMEM;
    for (int a = 0; a < c->arms; a++) {
        const lnt_learner *l = &c->learner[0][a];
        const lnt_learner limit = {.rule = c->asymptotic[a]};
        lnt_table_row(table);
        lnt_table_set(table, "arm", "", lnt_string(c->arm[a].name));
        for (int what = 0; what < 3; what++) {
            for (int r = 0; r < c->done; r++)
                x[r] = rate_of(&c->learner[r][a], what);
            moments(&mean, &sd, x, c->done);
            const char *spread = lnt_sprintf(ctx, "%s_sd", names[what]),
                       *far = lnt_sprintf(ctx, "%s_limit", names[what]);
            if (!spread || !far)
                return LNT_ENOMEM;
            lnt_table_set(table, names[what], "", lnt_number(mean));
            lnt_table_set(table, spread, "", lnt_known(sd));
            lnt_table_set(table, far, "", lnt_number(rate_of(&limit, what)));
        }
        lnt_table_set(table, "l1", "", lnt_number(l->l1));
        lnt_table_set(table, "effective_l1", "", lnt_number(lnt_curves_effective_l1(c, a)));
    }
    return LNT_OK;
}

/* A loss of the optimum of each run. */
static const double *optima(double *x, const lnt_curves *c, int a, bool train)
{
    for (int r = 0; r < c->done; r++)
        x[r] = train ? c->converged[r][a].train : c->converged[r][a].gen;
    return x;
}

/* The arms with a threshold: zeros of where they ended, and the optimum itself. */
static lnt_status put_sparsity(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    double D = c->opts->features, mean, sd, *x = lnt_alloc(ctx, (size_t)c->done, sizeof *x);
    if (!x)
        return LNT_ENOMEM;
    for (int a = 0; a < c->arms; a++) {
        if (!c->arm[a].l1)
            continue;
        lnt_table *table = lnt_record_table(record, "sparsity");
        double nnz = 0, hits = 0, kept = 0, gap = 0;
        for (int r = 0; r < c->done; r++) {
            nnz += (double)c->nnz[r][a] / c->done;
            hits += (double)c->hits[r][a] / c->done;
            kept += (double)c->converged[r][a].nnz / c->done;
            gap = fmax(gap, c->converged[r][a].gap);
        }
        lnt_table_row(table);
        lnt_table_set(table, "arm", "", lnt_string(c->arm[a].name));
        lnt_table_set(table, "nonzero", "", lnt_number(nnz));
        lnt_table_set(table, "support_hits", "", lnt_number(hits));
        lnt_table_set(table, "support", "", lnt_integer(c->sparse));
        lnt_table_set(table, "converged_nonzero", "", lnt_number(kept));
        lnt_table_set(table, "theory_nonzero", "",
                      isnan(c->lasso[a].gen) ? (lnt_value){0} : lnt_number(D * c->lasso[a].active));
        moments(&mean, &sd, optima(x, c, a, false), c->done);
        lnt_table_set(table, "converged_gen", "", lnt_number(mean));
        lnt_table_set(table, "converged_gen_sd", "", lnt_known(sd));
        moments(&mean, &sd, optima(x, c, a, true), c->done);
        lnt_table_set(table, "converged_train", "", lnt_number(mean));
        lnt_table_set(table, "largest_gap", "", lnt_number(gap));
        lnt_table_set(table, "threshold", "", lnt_known(c->lasso[a].threshold));
    }
    return LNT_OK;
}

/* ---- Facts ---- */

static void put_facts(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    const lnt_curves_opts *o = c->opts;
    double mean, sd, low, high;
    lnt_record_fact(record, "task", "features", "", lnt_integer(o->features));
    lnt_record_fact(record, "task", "samples", "", lnt_integer(o->samples));
    lnt_record_fact(record, "task", "q", "", lnt_number(c->q));
    lnt_record_fact(record, "task", "data_sets", "", lnt_integer(c->done));
    lnt_record_fact(record, "task", "start_norm2", "", lnt_number(c->start2));
    lnt_record_fact(record, "task", "overlap", "", lnt_number(c->overlap));
    lnt_record_fact(record, "task", "teacher_norm2", "", lnt_number(c->teacher2));
    lnt_record_fact(record, "task", "noise_variance", "", lnt_number(c->noise2));
    lnt_mp_edges(&low, &high, c->q);
    moments(&mean, &sd, c->low, c->done);
    lnt_record_fact(record, "spectrum", "smallest", "", lnt_number(mean));
    lnt_record_fact(record, "spectrum", "smallest_sd", "", lnt_known(sd));
    if (!c->teacher.variance)
        lnt_record_fact(record, "spectrum", "smallest_limit", "", lnt_number(low));
    moments(&mean, &sd, c->high, c->done);
    lnt_record_fact(record, "spectrum", "largest", "", lnt_number(mean));
    lnt_record_fact(record, "spectrum", "largest_sd", "", lnt_known(sd));
    if (!c->teacher.variance)
        lnt_record_fact(record, "spectrum", "largest_limit", "", lnt_number(high));
    bool l1 = false;
    for (int a = 0; a < c->arms; a++)
        l1 = l1 || c->arm[a].l1;
    if (l1)
        lnt_recovery_facts(ctx, record, o->features, (double)c->sparse / o->features, c->q, c->noise2);
}

void lnt_recovery_facts(lnt_ctx *ctx, lnt_record *record, int features, double density, double q, double noise2)
{
    double needed = lnt_recovery_samples(density), most = q < 1 ? lnt_recovery_density(q) : 1;
    bool within = q > needed || q >= 1;
    const char *text = lnt_sprintf(
        ctx,
        noise2 > 0 ? "noise: nothing is recovered exactly; without it, %.4g samples a feature, %.4g would be needed"
        : within   ? "exact recovery is possible: %.4g samples a feature, %.4g are needed"
                   : "beyond the boundary of exact recovery: %.4g samples a feature, %.4g are needed, so that an error "
                     "remains however small lambda is",
        q, needed);
    lnt_record_fact(record, "recovery", "samples_per_feature_needed", "", lnt_number(needed));
    if (features > 0) {
        lnt_record_fact(record, "recovery", "samples_needed", "",
                        lnt_integer((long)fmin(floor(needed * features) + 1, features)));
        lnt_record_fact(record, "recovery", "most_nonzero", "", lnt_integer((long)floor(most * features)));
    }
    lnt_record_fact(record, "recovery", "possible", "", lnt_flag(within && !(noise2 > 0)));
    if (text)
        lnt_record_fact(record, "recovery", "statement", "", lnt_string(text));
}

/* ---- Deviations, assumptions ---- */

/* E|S - T|^2 after the first epoch of minibatch descent without momentum or penalty: each batch is new (a pass). */
static double first_epoch(const lnt_curves *c, const lnt_learner *l)
{
    int n = c->opts->samples, D = c->opts->features;
    double Z2 = c->start2 - 2 * c->overlap + c->teacher2, eta = l->rule.eta;
    for (int first = 0; first < n; first += l->batch) {
        int B = n - first < l->batch ? n - first : l->batch;
        Z2 = (1 - 2 * eta + eta * eta * (1 + (D + 1.) / B)) * Z2 + eta * eta * c->noise2 * D / B;
    }
    return Z2 / 2;
}

static lnt_status put_deviation(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c, int a, const char *what,
                                const double *simulated, double predicted, double band)
{
    double mean, sd;
    const char *name = lnt_sprintf(ctx, "%s: %s", c->arm[a].name, what);
    if (!name)
        return LNT_ENOMEM;
    moments(&mean, &sd, simulated, c->done);
    if (sd < ROUNDING * fabs(mean)) /* nothing is random here */
        sd = 0;
    if (isfinite(predicted))
        lnt_record_deviation(record, name, mean, predicted, NAN,
                             (c->done < FEW && isfinite(band) ? band : sd) / sqrt(c->done));
    return LNT_OK;
}

/* A rate tuned to the extreme eigenvalues of a data set leaves the modes at both ends of its spectrum to decay last.
 * Theory has next to no modes there: training losses agree once they have settled, or for rates that are not tuned. */
static bool trains_as_predicted(const lnt_curves *c, int a, const lnt_predicted_loss *p)
{
    double limit = c->limit[a].train;
    bool settled = limit > 0 && fabs(p->train / limit - 1) < SETTLED;
    return c->curve[a] && (settled || (!isnan(c->opts->lr) && p->train > NEGLIGIBLE * c->start2));
}

static lnt_status put_losses(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c, int a, double *x)
{
    int last = c->opts->epochs;
    const lnt_predicted_loss *p = c->curve[a] ? &c->curve[a][last] : c->teacher.variance ? &c->limit[a] : NULL;
    lnt_status status = LNT_OK;
    bool comparable = p && trains_as_predicted(c, a, p);
    for (int train = 0; train < 1 + comparable && p && status == LNT_OK; train++) {
        for (int r = 0; r < c->done; r++)
            x[r] = *lnt_at(train ? c->train[0][r] : c->gen[0][r], last, a);
        status = put_deviation(ctx, record, c, a, train ? "training loss at the end" : "generalisation loss at the end",
                               x, train ? p->train : p->gen, train ? p->train_sd : p->gen_sd);
    }
    return status;
}

/* The worst epoch of all data sets. */
static lnt_status put_agreement(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c, int a)
{
    double worst = -1, pair[2] = {0, 0};
    const char *name = lnt_sprintf(ctx, "%s: iterated against spectral, worst epoch", c->arm[a].name);
    if (!name)
        return LNT_ENOMEM;
    for (int r = 0; r < c->done; r++)
        for (int k = 0; k <= c->opts->epochs; k++) {
            double y = *lnt_at(c->gen[0][r], k, a), z = *lnt_at(c->gen[1][r], k, a);
            if (fabs(z - y) > worst * fabs(y)) {
                worst = fabs(z - y) / fmax(fabs(y), 1e-300);
                pair[0] = z;
                pair[1] = y;
            }
        }
    lnt_record_deviation(record, name, pair[0], pair[1], NAN, NAN);
    return LNT_OK;
}

static lnt_status put_deviations(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    double *x = lnt_alloc(ctx, (size_t)c->done, sizeof *x);
    lnt_status status = x ? LNT_OK : LNT_ENOMEM;
    for (int a = 0; a < c->arms && status == LNT_OK; a++) {
        const lnt_curve_arm *arm = &c->arm[a];
        const lnt_learner *l = &c->learner[0][a];
        status = put_losses(ctx, record, c, a, x);
        if (status == LNT_OK && arm->l1) {
            status = put_deviation(ctx, record, c, a, "generalisation loss of the optimum", optima(x, c, a, false),
                                   c->lasso[a].gen, NAN);
            if (status == LNT_OK)
                status = put_deviation(ctx, record, c, a, "training loss of the optimum", optima(x, c, a, true),
                                       c->lasso[a].train, NAN);
        }
        bool pass = arm->kind == LNT_LEARN_SGD && !arm->l1 && !arm->ridge && !arm->momentum && !c->teacher.variance;
        for (int r = 0; r < c->done && pass; r++)
            x[r] = *lnt_at(c->gen[0][r], c->opts->epochs > 0, a);
        if (status == LNT_OK && pass && c->opts->epochs > 0)
            status = put_deviation(ctx, record, c, a, "generalisation loss after one epoch", x, first_epoch(c, l), NAN);
        bool both = c->opts->method == LNT_CURVES_BOTH && !c->times && !arm->l1 && arm->kind == LNT_LEARN_HEAVY;
        if (status == LNT_OK && both)
            status = put_agreement(ctx, record, c, a);
    }
    return status;
}

static void put_assumptions(lnt_record *record, const lnt_curves *c)
{
    int unstable = 0;
    double worst = INFINITY;
    for (int r = 0; r < c->done; r++) {
        bool beyond = false;
        for (int a = 0; a < c->arms; a++) {
            double stable = lnt_stable_step(c->high[r], c->learner[r][a].rule.beta, c->learner[r][a].rule.lambda);
            bool heavy = c->arm[a].kind == LNT_LEARN_HEAVY || c->arm[a].kind == LNT_LEARN_NAIVE;
            beyond = beyond || (heavy && c->learner[r][a].rule.eta >= stable);
            worst = heavy ? fmin(worst, stable) : worst;
        }
        unstable += beyond;
    }
    if (unstable > 0)
        lnt_record_warn(
            record,
            "%d of %d data sets have an eigenvalue beyond the asymptotic edge, so that a learning rate diverges "
            "there (stable below %.4g): use --hyper data",
            unstable, c->done, worst);
    lnt_record_assumption(record, "stable step on every data set, share of those without", (double)unstable / c->done,
                          0, "losses grow on some data sets instead of falling");
    lnt_record_assumption(
        record, "large size: 1/sqrt(features or samples)", 1 / sqrt(fmin(c->opts->features, c->opts->samples)), 0.1,
        "theory is that of infinite size; means are off by about this share squared, single data sets by "
        "the band");
    for (int a = 0; a < c->arms; a++) {
        const lnt_curve_arm *arm = &c->arm[a];
        if (arm->kind == LNT_LEARN_NAIVE)
            lnt_record_warn(
                record,
                "%s is the common rule that thresholds by lr l1 after a step with momentum: it solves for l1 = %g, "
                "not %g",
                arm->name, lnt_curves_effective_l1(c, a), c->learner[0][a].l1);
        if (arm->kind == LNT_LEARN_HEAVY && !arm->l1 && !c->teacher.variance && !c->curve[a])
            lnt_record_warn(
                record,
                "%s: this learning rate diverges on infinitely large data sets (stable below %.4g), so that theory "
                "has no curve for it",
                arm->name, lnt_stable_step(square(1 + 1 / sqrt(c->q)), c->rule[a].beta, c->rule[a].lambda));
        for (int r = 0; r < c->done && arm->l1; r++)
            if (!(c->converged[r][a].gap <= LNT_CURVES_GAP)) {
                lnt_record_warn(record, "%s: the optimum of data set %d is certified to a relative gap of %.2g only",
                                arm->name, r, c->converged[r][a].gap);
                break;
            }
    }
}

/* ---- Arrays ---- */

static lnt_status put_arrays(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    int D = c->opts->features, smaller = c->opts->samples < D ? c->opts->samples : D;
    lnt_record_vector(record, "teacher", "", c->T, D);
    lnt_record_vector(record, "start", "", c->S0, D);
    lnt_record_vector(record, "eigenvalues", "", c->eigenvalues, smaller);
    for (int a = 0; a < c->arms; a++) {
        const char *path = lnt_sprintf(ctx, "weights/%s", c->arm[a].name);
        if (!path)
            return LNT_ENOMEM;
        lnt_record_vector(record, path, "", lnt_at(c->end, 0, a), D);
    }
    return LNT_OK;
}

lnt_status lnt_curves_report(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c)
{
    if (c->done < c->opts->runs) {
        lnt_record_set_interrupted(record);
        lnt_record_warn(record, "interrupted: %d of %d data sets were finished", c->done, c->opts->runs);
    }
    put_facts(ctx, record, c);
    lnt_status status = put_epochs(ctx, record, c);
    if (status == LNT_OK)
        status = put_arms(ctx, record, c);
    if (status == LNT_OK)
        status = put_hyperparameters(ctx, record, c);
    if (status == LNT_OK)
        status = put_sparsity(ctx, record, c);
    if (status == LNT_OK)
        status = put_deviations(ctx, record, c);
    put_assumptions(record, c);
    return status == LNT_OK ? put_arrays(ctx, record, c) : status;
}
