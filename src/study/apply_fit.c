/* Predictions of saved fits, with their bands. */
#include "apply.h"
#include "sampling.h"
#include "weights.h"

#include <math.h>
#include <string.h>

/* A fit as far as predictions need it. */
typedef struct saved_fit {
    lnt_prep prep;
    lnt_network_data data;
    lnt_fitting_opts opts;
    lnt_fitted fit;
    lnt_value classes; /* of the data it was fitted to, where they were picked */
} saved_fit;

static lnt_status damaged(lnt_ctx *ctx, const char *path, const char *what)
{
    return lnt_fail(ctx, LNT_EFORMAT, "%s: not a saved result of linnet fit or sample (%s)", path, what);
}

/* *values <- the array of that name, `count` numbers; NULL where there is none. */
static lnt_status get_vector(lnt_ctx *ctx, const double **values, const lnt_record *saved, const char *name,
                             size_t count, const char *path)
{
    lnt_array a;
    size_t size = 1;
    *values = NULL;
    if (!lnt_record_array(saved, name, &a))
        return LNT_OK;
    for (int d = 0; d < a.rank; d++)
        size *= (size_t)a.dims[d];
    if (size != count || !lnt_array_finite(&a))
        return damaged(ctx, path, lnt_sprintf(ctx, "/%s does not fit the weights, or is not finite", name));
    *values = a.values;
    return LNT_OK;
}

/* Weights and biases in one vector. */
static lnt_status load_network(lnt_ctx *ctx, saved_fit *s, const lnt_record *saved, const char *path)
{
    lnt_layers *layers = &s->data.layers;
    lnt_saved_net net;
    lnt_array first;
    lnt_status status = lnt_saved_net_get(ctx, &net, saved, path);
    if (status != LNT_OK)
        return status;
    *layers = (lnt_layers){.net = net.net, .biases = lnt_record_array(saved, "biases/1", &first)};
    if (net.runs != 1)
        return damaged(ctx, path, "it has several runs");
    if (!(s->fit.w = lnt_alloc(ctx, lnt_layers_size(layers), sizeof *s->fit.w)))
        return LNT_ENOMEM;
    for (int l = 1; l <= net.net.depth; l++) {
        const double *b;
        size_t rows = (size_t)net.net.width[l];
        lnt_mat_copy(lnt_layers_weights(layers, s->fit.w, l), lnt_net_weights(&net.net, net.w[0], l));
        if (!layers->biases)
            continue;
        const char *name = lnt_sprintf(ctx, "biases/%d", l);
        status = name ? get_vector(ctx, &b, saved, name, rows, path) : LNT_ENOMEM;
        if (status != LNT_OK)
            return status;
        if (!b)
            return damaged(ctx, path, "biases are missing");
        memcpy(lnt_layers_biases(layers, s->fit.w, l), b, rows * sizeof *b);
    }
    return LNT_OK;
}

static lnt_status load_likelihood(lnt_ctx *ctx, saved_fit *s, const lnt_record *saved, const char *path)
{
    lnt_value name;
    int q = s->data.layers.net.width[s->data.layers.net.depth];
    s->fit.likelihood.classes = q;
    if (!lnt_record_get_fact(saved, "network", "likelihood", &name) || name.kind != LNT_STRING)
        return damaged(ctx, path, "its likelihood is not known");
    for (int kind = 0; kind <= LNT_CATEGORICAL; kind++)
        if (strcmp(name.string, lnt_network_likelihoods[kind + 1]) == 0) {
            s->fit.likelihood.kind = (lnt_likelihood_kind)kind;
            return LNT_OK;
        }
    return damaged(ctx, path, "its likelihood is not known");
}

static lnt_status load_posterior(lnt_ctx *ctx, saved_fit *s, const lnt_record *saved, const char *path)
{
    lnt_posterior *p = &s->fit.posterior;
    lnt_array V;
    const double *values[2];
    size_t k = lnt_layers_size(&s->data.layers);
    if (!lnt_record_array(saved, "posterior/V", &V))
        return LNT_OK;
    if (V.rank != 2 || (size_t)V.dims[0] != k || V.dims[1] > V.dims[0] || !lnt_array_finite(&V))
        return damaged(ctx, path, "/posterior/V does not fit the weights");
    size_t m = (size_t)V.dims[1];
    *p = (lnt_posterior){.k = (int)k, .rank = (int)m, .w = s->fit.w};
    lnt_status status = lnt_array_matrix(ctx, &p->V, &V, 0);
    if (status == LNT_OK)
        status = get_vector(ctx, &values[0], saved, "posterior/s", m, path);
    if (status == LNT_OK)
        status = get_vector(ctx, &values[1], saved, "posterior/scale", k, path);
    if (status != LNT_OK)
        return status;
    if (!values[0] || !values[1])
        return damaged(ctx, path, "its posterior is incomplete");
    p->s = lnt_alloc(ctx, m, sizeof *p->s);
    p->scale = lnt_alloc(ctx, k, sizeof *p->scale);
    if (!p->s || !p->scale)
        return LNT_ENOMEM;
    memcpy(p->s, values[0], m * sizeof *p->s);
    memcpy(p->scale, values[1], k * sizeof *p->scale);
    s->fit.has_posterior = true;
    return LNT_OK;
}

static lnt_status load(lnt_ctx *ctx, saved_fit *s, const lnt_record *saved, const char *path)
{
    lnt_status status = load_network(ctx, s, saved, path);
    if (status == LNT_OK)
        status = lnt_saved_preparation(ctx, &s->prep, saved, s->data.layers.net.width[0], path);
    if (status == LNT_OK)
        status = load_likelihood(ctx, s, saved, path);
    if (status == LNT_OK)
        status = load_posterior(ctx, s, saved, path);
    s->opts.coverage = lnt_record_fact_number(saved, "band", "coverage");
    bool draws = strcmp(lnt_record_command(saved), "sample") == 0;
    double sd = lnt_record_fact_number(saved, draws ? "posterior" : "fit", "noise_sd");
    double freedom = lnt_record_fact_number(saved, "fit", "freedom");
    s->fit.noise = sd * sd;
    s->fit.freedom = freedom > 0 ? freedom : INFINITY;
    s->fit.opts = &s->opts;
    s->fit.data = &s->data;
    if (!lnt_record_get_fact(saved, "network", "of_classes", &s->classes) || s->classes.kind != LNT_INTEGERS)
        s->classes = (lnt_value){0};
    if (status == LNT_OK && !(s->opts.coverage > 0 && s->opts.coverage < 1))
        return damaged(ctx, path, "the coverage of its band is not known");
    return status;
}

/* Probabilities of classes, a row each, where that is what is predicted; of a number its mean, and below it its
 * standard deviation. */
static lnt_status put_prediction(lnt_ctx *ctx, lnt_record *record, const saved_fit *s, const lnt_predicted *p)
{
    lnt_mat A;
    int q = p->mean.rows, n = p->mean.cols;
    if (!lnt_fitted_gaussian(&s->fit)) {
        lnt_record_samples(record, "prediction", "", p->p);
        return LNT_OK;
    }
    lnt_status status = lnt_mat_alloc(ctx, &A, 2 * q, n);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(lnt_block(A, 0, 0, q, n), p->mean);
    lnt_mat_copy(lnt_block(A, q, 0, q, n), p->sd);
    lnt_record_samples(record, "prediction", "", A);
    return LNT_OK;
}

static lnt_status put_classes(lnt_ctx *ctx, lnt_record *record, const lnt_predicted *p)
{
    lnt_mat both = p->plug;
    lnt_status status = LNT_OK;
    if (p->plug.rows == 1 && (status = lnt_mat_alloc(ctx, &both, 2, p->plug.cols)) == LNT_OK)
        for (int i = 0; i < both.cols; i++) {
            *lnt_at(both, 0, i) = 1 - p->plug.a[i];
            *lnt_at(both, 1, i) = p->plug.a[i];
        }
    if (status == LNT_OK)
        lnt_apply_classes(ctx, record, both);
    return status;
}

static lnt_status put_score(lnt_ctx *ctx, lnt_record *record, const saved_fit *s, const lnt_predicted *p,
                            const lnt_dataset *data)
{
    int outputs = lnt_dataset_outputs(data), q = p->mean.rows, n = data->inputs.n;
    bool gaussian = lnt_fitted_gaussian(&s->fit), pair = !gaussian && q == 1 && data->classes == 2;
    lnt_dataset known = *data;
    lnt_mat Y;
    if (known.classes && known.classes < q)
        outputs = known.classes = q;
    if (outputs != q && !pair)
        return lnt_fail(ctx, LNT_ESHAPE,
                        "the targets have %d columns, the network has %d outputs (--one-hot for classes?)", outputs, q);
    lnt_status status = lnt_mat_alloc(ctx, &Y, outputs, n);
    if (status != LNT_OK)
        return status;
    lnt_targets_get(Y, &known, NULL, 0, n);
    if (pair) {
        for (int i = 0; i < n; i++)
            Y.a[i] = *lnt_at(Y, 1, i);
        Y = lnt_mat_view(Y.a, 1, n);
    }
    lnt_fitted_score score = lnt_fitted_rate(&s->fit, p, Y, NULL);
    lnt_table *table = lnt_record_table(record, "score");
    lnt_table_row(table);
    if (gaussian) {
        lnt_table_set(table, "rmse", "", lnt_known(score.rmse));
        lnt_table_set(table, "r2", "", lnt_known(score.r2));
        lnt_table_set(table, "log_density", "nats", lnt_known(score.log_density));
        lnt_table_set(table, "coverage", "", lnt_known(score.coverage));
    } else {
        lnt_table_set(table, "accuracy", "", lnt_known(score.accuracy));
        lnt_table_set(table, "log_score", "nats", lnt_known(score.log_score));
    }
    return LNT_OK;
}

/* What the series are drawn over: the input as given where there is one, else the number of the row. */
static const double *abscissa(lnt_ctx *ctx, const lnt_prep *prep, lnt_mat Z)
{
    double *x = lnt_alloc(ctx, (size_t)Z.cols, sizeof *x);
    bool one = prep->inputs == 1 && Z.rows == 1;
    for (int i = 0; i < Z.cols && x; i++)
        x[i] = one ? lnt_prep_given(prep, Z.a[i]) : i;
    return x;
}

/* Rows of other classes than those that it was fitted to are left out. */
static lnt_status keep_classes(lnt_ctx *ctx, lnt_record *record, const saved_fit *s, lnt_dataset *data)
{
    int rows = data->inputs.n, count = (int)s->classes.integer;
    bool same = data->classes <= count;
    for (int k = 0; k < count; k++)
        same = same && s->classes.list[k] == k;
    if (!count || !data->classes || same)
        return LNT_OK;
    lnt_status status = lnt_dataset_classes(ctx, data, s->classes.list, count);
    if (status == LNT_OK && data->inputs.n < rows)
        lnt_record_warn(record, "%d of %d rows are of other classes than those fitted, and are left out",
                        rows - data->inputs.n, rows);
    return status;
}

lnt_status lnt_apply_fit(lnt_ctx *ctx, lnt_record *record, const lnt_record *saved, const char *path,
                         const lnt_apply_opts *opts)
{
    saved_fit s = {0};
    lnt_dataset data;
    lnt_source source = {opts->data, opts->inputs, opts->targets, opts->one_hot};
    lnt_mat Z, none = {0};
    lnt_model model;
    lnt_predicted p;
    lnt_status status = load(ctx, &s, saved, path);
    if (status == LNT_OK)
        status = lnt_source_read(ctx, &data, &source, false);
    if (status == LNT_OK)
        status = keep_classes(ctx, record, &s, &data);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, s.prep.outputs, data.inputs.n);
    if (status == LNT_OK)
        status = lnt_prep_apply(ctx, Z, &s.prep, &data.inputs, opts->threads);
    if (status == LNT_OK)
        status = lnt_layers_model(ctx, &model, &s.data.layers, Z);
    if (status == LNT_OK && strcmp(lnt_record_command(saved), "sample") == 0) {
        s.fit.has_posterior = true;
        status = lnt_sampled_apply(ctx, &p, &s.fit, saved, opts->folder, Z, opts->threads);
    } else if (status == LNT_OK)
        status = lnt_fitted_predict(ctx, &p, &s.fit, &model, NULL);
    const double *x = status == LNT_OK ? abscissa(ctx, &s.prep, Z) : NULL;
    if (!x)
        return status == LNT_OK ? LNT_ENOMEM : status;
    lnt_record_fact(record, "applied", "rows", "", lnt_integer(Z.cols));
    lnt_record_fact(record, "applied", "outputs", "", lnt_integer(p.mean.rows));
    lnt_record_fact(record, "applied", "runs", "", lnt_integer(1));
    lnt_record_fact(record, "applied", "coverage", "", lnt_number(s.opts.coverage));
    lnt_record_fact(record, "applied", "noise_sd", "", lnt_known(sqrt(s.fit.noise)));
    bool gaussian = s.fit.likelihood.kind == LNT_GAUSSIAN, noise_known = isfinite(s.fit.noise);
    lnt_record_fact(record, "applied", "of", "", lnt_string(!gaussian ? "logits" : noise_known ? "data" : "means"));
    if (gaussian && s.fit.has_posterior && !noise_known)
        lnt_record_warn(record, "the noise of these rows is not known: low and high are those of the mean alone");
    if (!s.fit.has_posterior)
        lnt_record_warn(record, "the fit has no error bars, so that predictions have none");
    status = lnt_fitted_series(ctx, record, &s.fit, "predicted", &p, x, none);
    if (status == LNT_OK)
        status = put_prediction(ctx, record, &s, &p);
    if (status == LNT_OK &&
        (s.fit.likelihood.kind == LNT_CATEGORICAL || (s.fit.likelihood.kind == LNT_BERNOULLI && p.plug.rows == 1)))
        status = put_classes(ctx, record, &p);
    return status == LNT_OK && lnt_dataset_outputs(&data) ? put_score(ctx, record, &s, &p, &data) : status;
}
