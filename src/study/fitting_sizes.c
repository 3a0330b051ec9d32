/* Networks of several sizes, by their evidence. */
#include "fitting.h"

#include <math.h>

typedef struct sized {
    lnt_network_data data;
    lnt_fitted fit;
    double test; /* log density or score of a row held out; NaN: none */
} sized;

static lnt_status fit_size(lnt_ctx *ctx, sized *s, int size, const lnt_network_data *data, const lnt_fitting_opts *opts)
{
    lnt_int_list hidden = {.count = 1, .item = {size}};
    s->data = *data;
    lnt_status status = lnt_network_build(ctx, &s->data, &hidden);
    if (status == LNT_OK)
        status = lnt_fitted_find(ctx, &s->fit, &s->data, opts);
    s->test = NAN;
    if (status != LNT_OK || !data->test.n)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_predicted p;
    status = lnt_fitted_predict(ctx, &p, &s->fit, &s->data.test_model, data->test_sd);
    if (status == LNT_OK) {
        lnt_fitted_score score = lnt_fitted_rate(&s->fit, &p, data->test_Y, data->test_sd);
        s->test = data->likelihood.kind == LNT_GAUSSIAN ? score.log_density : score.log_score;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

static double log_evidence(const sized *s)
{
    return s->fit.has_posterior ? s->fit.posterior.log_evidence : NAN;
}

static double log_symmetries(const sized *s)
{
    const lnt_net *net = &s->data.layers.net;
    return lnt_log_symmetries(net->depth, net->width, net->activation);
}

static void put_row(lnt_record *record, const sized *s, int size)
{
    const lnt_fitted *f = &s->fit;
    lnt_table *table = lnt_record_table(record, "sizes");
    lnt_table_row(table);
    lnt_table_set(table, "hidden", "", lnt_integer(size));
    lnt_table_set(table, "weights", "", lnt_integer((long)s->data.model.k));
    lnt_table_set(table, "log_evidence", "nats", lnt_known(log_evidence(s)));
    lnt_table_set(table, "log_symmetries", "nats", lnt_number(log_symmetries(s)));
    lnt_table_set(table, "gamma", "", lnt_known(f->has_posterior ? f->posterior.gamma : NAN));
    if (s->data.groups == 1)
        lnt_table_set(table, "alpha", "", lnt_number(f->alpha[0]));
    if (lnt_fitted_gaussian(f)) {
        lnt_table_set(table, "noise_sd", "", lnt_known(sqrt(f->noise)));
        lnt_table_set(table, "sse", "", lnt_known(f->has_posterior ? f->posterior.sse : NAN));
    } else {
        lnt_table_set(table, "log_likelihood", "nats", lnt_known(f->has_posterior ? f->posterior.log_likelihood : NAN));
    }
    lnt_table_set(table, "success", "", lnt_number(f->summary.share));
    lnt_table_set(table, "converged", "", lnt_flag(lnt_fitted_finished(f)));
    if (s->data.test.n)
        lnt_table_set(table, "held_out", "nats", lnt_known(s->test));
}

static lnt_status draw(lnt_ctx *ctx, lnt_record *record, const sized *s, const lnt_int_list *sizes, int n, bool held)
{
    double *x = lnt_alloc(ctx, (size_t)n, 4 * sizeof *x);
    if (!x)
        return LNT_ENOMEM;
    double *plain = x + n, *with = plain + n, *test = with + n;
    for (int i = 0; i < n; i++) {
        x[i] = sizes->item[i];
        plain[i] = log_evidence(&s[i]);
        with[i] = plain[i] + log_symmetries(&s[i]);
        test[i] = s[i].test;
    }
    const lnt_curve evidence[] = {{"log evidence", LNT_CURVE_POINTS, n, x, plain, NULL},
                                  {"with mirror images", LNT_CURVE_POINTS, n, x, with, NULL}},
                    score[] = {{"held out", LNT_CURVE_POINTS, n, x, test, NULL}};
    const lnt_panel panel[] = {
        {.title = "evidence", .xlabel = "hidden units", .ylabel = "nats", .curves = 2, .curve = evidence},
        {.title = "rows held out", .xlabel = "hidden units", .ylabel = "nats a datum", .curves = 1, .curve = score}};
    lnt_figure figure = {
        .name = "sizes", .caption = "Evidence over the size of the hidden layer", .panels = 1 + held, .panel = panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_fitting_sizes(lnt_ctx *ctx, lnt_record *record, lnt_fitted *best, lnt_network_data *data,
                             const lnt_fitting_opts *opts)
{
    const lnt_int_list *sizes = &opts->sizes;
    sized *s = lnt_alloc_zero(ctx, (size_t)sizes->count, sizeof *s), *top = s;
    lnt_fitting_opts *o = lnt_alloc(ctx, 1, sizeof *o);
    lnt_status status = s && o ? LNT_OK : LNT_ENOMEM;
    int done = 0;
    if (status == LNT_OK) {
        *o = *opts;
        o->evidence = true;
        o->net.bias = o->net.bias == LNT_AUTO ? true : o->net.bias; /* of the linear one too */
        data->opts = &o->net;
    }
    for (int i = 0; i < sizes->count && status == LNT_OK; i++) {
        for (int t = 0; t < i; t++)
            if (sizes->item[t] == sizes->item[i])
                return lnt_fail(ctx, LNT_EUSAGE, "--sizes names %d twice", sizes->item[i]);
        status = fit_size(ctx, &s[i], sizes->item[i], data, o);
        if (status == LNT_OK)
            put_row(record, &s[done++], sizes->item[i]);
    }
    if (status == LNT_EUSER && done > 0 && lnt_cancelled(ctx)) {
        lnt_ctx_clear(ctx);
        lnt_record_warn(record, "interrupted: %d of %d sizes were finished", done, sizes->count);
        lnt_record_set_interrupted(record);
        status = LNT_OK;
    }
    if (status == LNT_OK)
        status = draw(ctx, record, s, sizes, done, data->test.n > 0);
    if (status != LNT_OK)
        return status;
    for (int i = 1; i < done; i++)
        top = isnan(log_evidence(top)) || log_evidence(&s[i]) > log_evidence(top) ? &s[i] : top;
    *data = top->data;
    *best = top->fit;
    best->data = data;
    return LNT_OK;
}
