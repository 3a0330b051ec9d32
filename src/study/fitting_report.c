/* What a fit found: facts, warnings, tables, arrays. */
#include "fitting.h"

#include <math.h>

#define MOST_ROWS 5000 /* of the tables of starts and weights */
#define MOST_CELLS 50  /* weights whose covariance is a table */
#define MOST_COVARIANCE 1500
#define FLAT 0.05          /* share of the prior's curvature that counts as none */
#define MOST_SAVED 4000000 /* numbers of a posterior that are kept */

static const char *const methods[] = {"lm", "gauss-newton", "line-search", "lbfgs", "naive"};
static const char *const solvers[] = {"auto", "qr", "cholesky", "dual", "svd", "lsmr"};

/* ---- Names ---- */

lnt_weight_place lnt_weight_at(const lnt_layers *layers, size_t j)
{
    const lnt_net *net = &layers->net;
    for (int l = 1; l <= net->depth; l++) {
        size_t rows = (size_t)net->width[l], weights = rows * (size_t)net->width[l - 1];
        if (j < weights)
            return (lnt_weight_place){l, (int)(j % rows) + 1, (int)(j / rows) + 1};
        j -= weights;
        if (layers->biases && j < rows)
            return (lnt_weight_place){l, (int)j + 1, 0};
        j -= layers->biases ? rows : 0;
    }
    return (lnt_weight_place){0};
}

char *lnt_weight_name(lnt_ctx *ctx, lnt_weight_place at)
{
    return at.column ? lnt_sprintf(ctx, "W%d[%d,%d]", at.layer, at.row, at.column)
                     : lnt_sprintf(ctx, "b%d[%d]", at.layer, at.row);
}

/* ---- Starts ---- */

static double median_steps(lnt_ctx *ctx, const lnt_fitted *f)
{
    double *steps = lnt_alloc(ctx, (size_t)f->starts, sizeof *steps);
    if (!steps)
        return NAN;
    for (int s = 0; s < f->starts; s++)
        steps[s] = f->info[s].steps;
    return lnt_median(steps, f->starts);
}

static void put_loss(lnt_table *table, const lnt_fitted *f, const lnt_fit_info *info)
{
    if (lnt_fitted_gaussian(f))
        lnt_table_set(table, "sse", "", lnt_known(info->sse));
    else
        lnt_table_set(table, "log_likelihood", "nats", lnt_known(-info->sse));
    if (f->has_prior)
        lnt_table_set(table, "objective", "", lnt_known(info->objective));
}

static void put_starts(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *f)
{
    lnt_table *table = lnt_record_table(record, "methods");
    lnt_table_row(table);
    lnt_table_set(table, "method", "", lnt_string(methods[f->opts->method]));
    lnt_table_set(table, "success", "", lnt_number(f->summary.share));
    lnt_table_set(table, "iterations", "", lnt_number(median_steps(ctx, f)));
    put_loss(table, f, &f->info[f->summary.best]);
    lnt_table_set(table, "distinct", "", lnt_integer(f->summary.distinct));
    lnt_table_set(table, "ended", "", lnt_number((double)f->summary.converged / f->starts));
    lnt_table_set(table, "starts", "", lnt_integer(f->starts));
    table = lnt_record_table(record, "starts");
    for (int s = 0; s < f->starts && s < MOST_ROWS; s++) {
        const lnt_fit_info *i = &f->info[s];
        lnt_table_row(table);
        lnt_table_set(table, "start", "", lnt_integer(s));
        put_loss(table, f, i);
        lnt_table_set(table, "iterations", "", lnt_integer(i->steps));
        lnt_table_set(table, "outputs", "", lnt_integer(i->outputs));
        lnt_table_set(table, "cosine", "", lnt_known(i->cosine));
        lnt_table_set(table, "stop", "", lnt_string(lnt_fit_stop_name(i->stop)));
    }
}

/* ---- Weights ---- */

static lnt_status put_weights(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *f)
{
    const lnt_layers *net = &f->data->layers;
    size_t k = f->data->model.k;
    double *sd = lnt_alloc(ctx, k, sizeof *sd);
    if (!sd)
        return LNT_ENOMEM;
    if (f->has_posterior)
        lnt_posterior_deviations(sd, &f->posterior);
    lnt_table *table = lnt_record_table(record, "weights");
    for (size_t j = 0; j < k && k <= MOST_ROWS; j++) {
        lnt_weight_place at = lnt_weight_at(net, j);
        lnt_table_row(table);
        lnt_table_set(table, "weight", "", lnt_string(lnt_weight_name(ctx, at)));
        lnt_table_set(table, "layer", "", lnt_integer(at.layer));
        lnt_table_set(table, "row", "", lnt_integer(at.row));
        lnt_table_set(table, "column", "", at.column ? lnt_integer(at.column) : lnt_string(NULL));
        lnt_table_set(table, "value", "", lnt_number(f->w[j]));
        lnt_table_set(table, "sd", "", f->has_posterior ? lnt_known(sd[j]) : lnt_string(NULL));
        lnt_table_set(table, "z", "", f->has_posterior ? lnt_known(f->w[j] / sd[j]) : lnt_string(NULL));
    }
    lnt_status status = lnt_network_put(ctx, record, net, f->w);
    if (f->has_posterior)
        lnt_record_vector(record, "posterior/sd", "", sd, (int)k);
    return status;
}

static lnt_status put_covariance(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *f)
{
    const lnt_posterior *p = &f->posterior;
    lnt_mat S;
    if (!f->has_posterior)
        return LNT_OK;
    if ((size_t)p->k * (size_t)p->rank <= MOST_SAVED) {
        lnt_record_matrix(record, "posterior/V", "", &p->V, 1);
        lnt_record_vector(record, "posterior/s", "", p->s, p->rank);
        lnt_record_vector(record, "posterior/scale", "", p->scale, p->k);
    } else {
        lnt_record_warn(record, "the posterior of %d weights is too large to be saved: linnet apply will have no bands",
                        p->k);
    }
    if (p->k > MOST_COVARIANCE)
        return LNT_OK;
    lnt_status status = lnt_mat_alloc(ctx, &S, p->k, p->k);
    if (status == LNT_OK)
        status = lnt_posterior_covariance(ctx, S, p);
    if (status != LNT_OK)
        return status;
    lnt_record_matrix(record, "posterior/covariance", "", &S, 1);
    lnt_table *table = p->k <= MOST_CELLS ? lnt_record_table(record, "covariance") : NULL;
    for (int i = 0; i < p->k && table; i++) {
        lnt_table_row(table);
        lnt_table_set(table, "weight", "",
                      lnt_string(lnt_weight_name(ctx, lnt_weight_at(&f->data->layers, (size_t)i))));
        for (int j = 0; j < p->k; j++) {
            const char *name = lnt_weight_name(ctx, lnt_weight_at(&f->data->layers, (size_t)j));
            lnt_table_set(table, name ? name : "", "", lnt_known(*lnt_at(S, i, j)));
        }
    }
    return LNT_OK;
}

/* ---- Facts ---- */

static void put_fit(lnt_record *record, const lnt_fitted *f)
{
    bool gaussian = lnt_fitted_gaussian(f);
    double left = lnt_fitted_freedom(f);
    lnt_record_fact(record, "fit", "method", "", lnt_string(methods[f->opts->method]));
    lnt_record_fact(record, "fit", "solver", "", gaussian ? lnt_string(solvers[f->answer.solver]) : lnt_string(NULL));
    lnt_record_fact(record, "fit", "starts", "", lnt_integer(f->starts));
    lnt_record_fact(record, "fit", "success", "", lnt_number(f->summary.share));
    lnt_record_fact(record, "fit", "distinct", "", lnt_integer(f->summary.distinct));
    if (gaussian) {
        double sse = f->has_certificate ? f->certificate.sse : f->has_posterior ? f->posterior.sse : f->answer.sse;
        lnt_record_fact(record, "fit", "sse", "", lnt_known(sse));
        lnt_record_fact(record, "fit", "variance", "", lnt_known(left > 0 ? sse / left : NAN));
        lnt_record_fact(record, "fit", "noise", "",
                        lnt_string(lnt_noise_known(f) ? "known"
                                   : f->has_prior     ? "evidence"
                                                      : "residuals"));
        lnt_record_fact(record, "fit", "noise_sd", "", lnt_known(sqrt(f->noise)));
        lnt_record_fact(record, "fit", "freedom", "", lnt_known(isfinite(f->noise) ? f->freedom : NAN));
    } else {
        lnt_record_fact(record, "fit", "log_likelihood", "nats",
                        lnt_known(f->has_posterior ? f->posterior.log_likelihood : -f->answer.sse));
        lnt_record_fact(record, "fit", "separable", "", lnt_flag(f->separation.separable));
    }
    if (f->data->layers.net.depth == 1 && gaussian && f->data->opts->bias == LNT_AUTO)
        lnt_record_fact(record, "fit", "intercept", "", lnt_string("none; --bias adds one"));
    if (f->has_prior && f->data->groups == 1)
        lnt_record_fact(record, "fit", "alpha", "", lnt_number(f->alpha[0]));
}

static void put_certificate(lnt_record *record, const lnt_fitted *f)
{
    const lnt_fit_certificate *c = &f->certificate;
    double cosine = f->has_evidence ? f->evidence.mode.cosine : f->answer.cosine;
    const char *stop = f->has_evidence && f->evidence.converged ? "fixed-point" : lnt_fit_stop_name(f->answer.stop);
    lnt_record_fact(record, "certificate", "stop", "", lnt_string(stop));
    lnt_record_fact(record, "certificate", "cosine", "", lnt_known(f->has_certificate ? c->cosine : cosine));
    if (!f->has_certificate)
        return;
    lnt_record_fact(record, "certificate", "rank", "", lnt_integer(c->rank));
    lnt_record_fact(record, "certificate", "cond", "", lnt_known(c->cond));
    lnt_record_fact(record, "certificate", "offset", "", lnt_known(c->offset));
    lnt_record_fact(record, "certificate", "least_curvature", "", lnt_known(c->least_curvature));
    lnt_record_fact(record, "certificate", "radius", "", lnt_known(c->radius));
}

static void put_groups(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *f)
{
    const lnt_posterior *p = &f->posterior;
    const lnt_layers *net = &f->data->layers;
    lnt_table *table = lnt_record_table(record, "groups");
    for (int g = 0; g < p->groups; g++) {
        size_t j = 0;
        while (f->data->group[j] != g)
            j++;
        lnt_weight_place at = lnt_weight_at(net, j);
        const char *name = lnt_sprintf(ctx, at.column ? "W%d" : "b%d", at.layer);
        lnt_table_row(table);
        lnt_table_set(table, "group", "", lnt_string(p->groups == 1 ? "all" : name));
        lnt_table_set(table, "weights", "", lnt_integer(p->size[g]));
        lnt_table_set(table, "alpha", "", lnt_number(f->alpha[g]));
        lnt_table_set(table, "gamma", "", lnt_number(p->gamma_group[g]));
        lnt_table_set(table, "square", "", lnt_number(p->square[g]));
        lnt_table_set(table, "slope", "", lnt_number(p->slope[g]));
    }
}

static void put_evidence(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *f)
{
    const lnt_posterior *p = &f->posterior;
    const lnt_net *net = &f->data->layers.net;
    if (!f->has_posterior || !f->has_prior)
        return;
    if (f->opts->sizes.count)
        lnt_record_fact(record, "evidence", "chosen", "hidden units", lnt_integer(net->depth > 1 ? net->width[1] : 0));
    if (p->groups == 1)
        lnt_record_fact(record, "evidence", "alpha", "", lnt_number(f->alpha[0]));
    if (lnt_fitted_gaussian(f))
        lnt_record_fact(record, "evidence", "beta", "", lnt_number(f->likelihood.beta));
    lnt_record_fact(record, "evidence", "gamma", "", lnt_number(p->gamma));
    lnt_record_fact(record, "evidence", "log_evidence", "nats", lnt_known(p->log_evidence));
    lnt_record_fact(record, "evidence", "log_symmetries", "nats",
                    lnt_number(lnt_log_symmetries(net->depth, net->width, net->activation)));
    if (f->has_evidence) {
        lnt_record_fact(record, "evidence", "rounds", "", lnt_integer(f->evidence.rounds));
        lnt_record_fact(record, "evidence", "converged", "", lnt_flag(f->evidence.converged));
        lnt_record_fact(record, "evidence", "at_bound", "", lnt_integer(f->evidence.at_bound));
    }
    put_groups(ctx, record, f);
}

/* ---- Warnings ---- */

static void warn_of_weights(lnt_record *record, const lnt_fitted *f)
{
    size_t n = f->likelihood.n, k = f->data->model.k;
    bool gaussian = lnt_fitted_gaussian(f);
    const lnt_fit_certificate *c = &f->certificate;
    const lnt_net *net = &f->data->layers.net;
    bool free_scales = net->depth > 1 && (net->activation == LNT_RELU || net->activation == LNT_LINEAR);
    if (gaussian && !f->has_prior && k > n)
        lnt_record_warn(record,
                        "there are more weights (%zu) than data (%zu): many fit the data alike, and none has an error "
                        "bar; --evidence or --alpha chooses among them",
                        k, n);
    else if (gaussian && !f->has_prior && f->has_certificate && c->rank < (int)k)
        lnt_record_warn(record,
                        "the data determine %d of the %zu weights: %s; there are no error bars; --evidence or --alpha "
                        "gives some",
                        c->rank, k,
                        free_scales ? "the layers can be rescaled without any change, and units may be equal or dead"
                                    : "units may be equal, dead or saturated, or inputs dependent");
    else if (!f->has_posterior)
        lnt_record_warn(
            record, "there are no error bars: %s",
            gaussian && n <= k && !lnt_noise_known(f) ? "no data are left to tell the noise; --noise-sd gives it"
            : gaussian && f->answer.sse == 0 && !lnt_noise_known(f) ? "the fit is without error"
            : f->cancelled                                          ? "the fit was interrupted"
            : f->posterior.k ? "the data hardly determine some of the weights; --evidence or --alpha gives some"
                             : "the network is too large for them");
    double least = 1e-6 * fmax(1, c->sse); /* below which curvature is none, or none beside that of the prior */
    for (size_t j = 0; j < k && f->has_prior && f->penalty; j++)
        least = fmax(least, FLAT * f->penalty[j]);
    if (f->has_certificate && lnt_fitted_finished(f) && c->least_curvature < -least)
        lnt_record_warn(record,
                        "the answer is a saddle, not a minimum: the least eigenvalue of the Hessian is %.3g; other "
                        "starts lead further",
                        c->least_curvature);
}

void lnt_fitted_warn_of_starts(lnt_record *record, const lnt_fitted *f)
{
    if (f->starts > 4 && f->summary.share * f->starts < 1.5)
        lnt_record_warn(record,
                        "one of %d starts alone reached the best fit to 1 %%: there may be better ones, --starts",
                        f->starts);
}

void lnt_fitted_warn_of_noise(lnt_record *record, const lnt_fitted *f)
{
    double freedom = lnt_fitted_freedom(f);
    if (lnt_noise_known(f) && freedom >= 10 && f->has_certificate && fabs(log(f->certificate.variance)) > log(2))
        lnt_record_warn(record, "the residuals are %.3g times as large as --noise-%s says: %s",
                        sqrt(f->certificate.variance), f->data->sd ? "sd" : "cov",
                        f->certificate.variance > 1 ? "the network cannot follow the data, or the noise is larger"
                                                    : "the noise is smaller");
}

static void warn(lnt_record *record, const lnt_fitted *f)
{
    if (f->answer.stop > LNT_FIT_ZERO && !f->has_evidence)
        lnt_record_warn(record, "the best start is not at its end: %s (--iterations %s)",
                        lnt_fit_stop_text(f->answer.stop),
                        f->answer.stop == LNT_FIT_LIMIT ? "allows more" : "will not help");
    else if (!lnt_fitted_finished(f))
        lnt_record_warn(record, f->has_evidence
                                    ? "alpha and the noise have not settled: the evidence is not at its maximum"
                                    : "the best start stopped where the gradient is not 0: this is no minimum");
    lnt_fitted_warn_of_starts(record, f);
    warn_of_weights(record, f);
    if (f->separation.separable)
        lnt_record_warn(
            record,
            "the classes are %sseparable: without a prior there is no finite fit, and with alpha = %.3g the "
            "prior decides how large the weights are%s",
            f->separation.complete ? "" : "partly ", f->alpha[0], f->has_evidence ? "" : "; --evidence chooses it");
    if (f->has_evidence && f->evidence.at_bound)
        lnt_record_warn(record,
                        "%d of the precisions ran away to a bound: the data do not determine them, and the evidence "
                        "means little",
                        f->evidence.at_bound);
    lnt_fitted_warn_of_noise(record, f);
}

lnt_status lnt_fitted_report(lnt_ctx *ctx, lnt_record *record, const lnt_fitted *f)
{
    put_fit(record, f);
    put_certificate(record, f);
    put_evidence(ctx, record, f);
    warn(record, f);
    put_starts(ctx, record, f);
    lnt_status status = put_weights(ctx, record, f);
    if (status == LNT_OK)
        status = put_covariance(ctx, record, f);
    lnt_record_check(record, "unfinished", !lnt_fitted_finished(f), 0, 0);
    if (f->cancelled)
        lnt_record_set_interrupted(record);
    return status;
}
