/* What a study of calibration found: histograms of ranks, their tests, a figure. */
#include "calibration.h"

#include <math.h>

#define METHODS LNT_CALIBRATED_METHODS
#define QUANTITIES LNT_CALIBRATED_QUANTITIES
#define LEAST_P 0.001
#define TAIL 0.005       /* of the band, on either side */
#define LEAST_EXPECTED 5 /* ranks in a bin that the chi^2 distribution needs */
#define WIDER 1.5        /* A and A^-1 differ at least so much where A is to be caught */

static const char *const methods[] = {"nuts", "laplace", "precision"};
static const char *const titles[] = {"NUTS", "Laplace", "A as covariance"};
static const char *const quantities[] = {"output", "weights", "likelihood"};
static const char *const symbols[] = {"f(x*)", "|w|^2", "log p(d|f)"};

typedef struct summary {
    int runs, bins; /* finished runs; of the histograms */
    lnt_calibration test[METHODS][QUANTITIES];
    double *centre, *low, *high; /* of each bin: in shares of the ranks, counts of the band */
    double *across;              /* its centres, but for the ends */
    double widening;             /* geometric mean */
} summary;

static lnt_status test_ranks(lnt_ctx *ctx, lnt_record *record, summary *s, const lnt_calibrating *c)
{
    const lnt_calibrating_opts *o = c->opts;
    int *ranks = lnt_alloc(ctx, (size_t)o->runs, sizeof *ranks);
    double *values = lnt_alloc(ctx, (size_t)o->runs, sizeof *values);
    lnt_status status = ranks && values ? LNT_OK : LNT_ENOMEM;
    for (int m = 0; m < METHODS; m++)
        for (int q = 0; q < QUANTITIES && status == LNT_OK; q++) {
            int count = 0;
            for (int r = 0; r < o->runs; r++)
                if (c->run[r].done) {
                    ranks[count] = c->run[r].rank[m][q];
                    values[count++] = c->run[r].rank[m][q];
                }
            const char *path = lnt_sprintf(ctx, "ranks/%s/%s", methods[m], quantities[q]);
            if (!path)
                return LNT_ENOMEM;
            lnt_record_vector(record, path, "", values, count);
            status = lnt_calibrate(ctx, &s->test[m][q], ranks, count, o->draws, o->bins);
        }
    return status;
}

static lnt_status make_bins(lnt_ctx *ctx, summary *s)
{
    const lnt_calibration *any = &s->test[0][0];
    s->bins = any->bins;
    size_t bins = (size_t)s->bins;
    s->centre = lnt_alloc(ctx, bins, sizeof *s->centre);
    s->across = lnt_alloc(ctx, bins, sizeof *s->across);
    s->low = lnt_alloc(ctx, bins, sizeof *s->low);
    s->high = lnt_alloc(ctx, bins, sizeof *s->high);
    if (!s->centre || !s->across || !s->low || !s->high)
        return LNT_ENOMEM;
    for (int b = 0; b < s->bins; b++) {
        int low, high;
        lnt_calibration_band(&low, &high, s->runs, any->expected[b] / s->runs, TAIL);
        s->centre[b] = (b + 0.5) / s->bins;
        s->across[b] = b == 0 ? 0 : b == s->bins - 1 ? 1 : s->centre[b];
        s->low[b] = low;
        s->high[b] = high;
    }
    return LNT_OK;
}

static void put_facts(lnt_record *record, summary *s, const lnt_calibrating *c)
{
    double thinning = 0, divergences = 0, gradients = 0, widening = 0;
    int dependent = 0, divergent = 0, most = 0;
    for (int r = 0; r < c->opts->runs; r++) {
        const lnt_calibrated *run = &c->run[r];
        if (!run->done)
            continue;
        thinning += run->thinning / (double)s->runs;
        most = run->thinning > most ? run->thinning : most;
        divergences += run->divergences;
        divergent += run->divergences > 0;
        gradients += run->gradients / s->runs;
        widening += run->widening / s->runs;
        dependent += run->dependent;
    }
    s->widening = exp(widening);
    lnt_record_fact(record, "network", "weights", "", lnt_integer(c->k));
    lnt_record_fact(record, "network", "samples", "", lnt_integer(c->n));
    lnt_record_fact(record, "sampler", "runs", "", lnt_integer(s->runs));
    lnt_record_fact(record, "sampler", "thinning_mean", "", lnt_number(thinning));
    lnt_record_fact(record, "sampler", "thinning_most", "", lnt_integer(most));
    lnt_record_fact(record, "sampler", "dependent_runs", "", lnt_integer(dependent));
    lnt_record_fact(record, "sampler", "divergences", "", lnt_number(divergences));
    lnt_record_fact(record, "sampler", "divergent_runs", "", lnt_integer(divergent));
    lnt_record_fact(record, "sampler", "gradients_mean", "", lnt_number(gradients));
    lnt_record_fact(record, "precision", "widening", "", lnt_number(s->widening));
    if (s->runs < c->opts->runs)
        lnt_record_warn(record, "interrupted: these are %d of %d runs", s->runs, c->opts->runs);
    if (dependent > 0)
        lnt_record_warn(
            record,
            "in %d of %d runs draws %d iterations apart still depend on each other: ranks are pushed to the "
            "ends; raise --most-thinning",
            dependent, s->runs, c->opts->most_thinning);
    if (s->runs < LEAST_EXPECTED * s->bins)
        lnt_record_warn(record, "%d runs in %d bins are too few for p: take fewer --bins or more --runs", s->runs,
                        s->bins);
}

static lnt_status put_tests(lnt_ctx *ctx, lnt_record *record, const summary *s)
{
    lnt_table *table = lnt_record_table(record, "calibration");
    for (int m = 0; m < METHODS; m++)
        for (int q = 0; q < QUANTITIES; q++) {
            const lnt_calibration *t = &s->test[m][q];
            lnt_table_row(table);
            lnt_table_set(table, "method", "", lnt_string(methods[m]));
            lnt_table_set(table, "quantity", "", lnt_string(quantities[q]));
            lnt_table_set(table, "chi2", "", lnt_number(t->chi2));
            lnt_table_set(table, "p", "", lnt_number(t->p));
            lnt_table_set(table, "verdict", "", lnt_string(t->p > LEAST_P ? "calibrated" : "not calibrated"));
            const char *path = lnt_sprintf(ctx, "histogram/%s/%s", methods[m], quantities[q]);
            if (!path)
                return LNT_ENOMEM;
            lnt_record_series(record, path, "", t->count, s->bins);
        }
    lnt_record_series(record, "histogram/band/centre", "", s->centre, s->bins);
    lnt_record_series(record, "histogram/band/expected", "", s->test[0][0].expected, s->bins);
    lnt_record_series(record, "histogram/band/low", "", s->low, s->bins);
    lnt_record_series(record, "histogram/band/high", "", s->high, s->bins);
    return LNT_OK;
}

/* NUTS always, Laplace where it is exact; A in the place of its inverse must fail, where it is another matrix. */
static lnt_status put_checks(lnt_ctx *ctx, lnt_record *record, const summary *s, const lnt_calibrating *c)
{
    int exact = c->layers.net.depth == 1 ? 2 : 1;
    double least = 1;
    if (s->runs < LEAST_EXPECTED * s->bins)
        return LNT_OK;
    for (int m = 0; m < exact; m++)
        for (int q = 0; q < QUANTITIES; q++) {
            const char *name = lnt_sprintf(ctx, "%s, %s: p of uniform ranks", titles[m], symbols[q]);
            if (!name)
                return LNT_ENOMEM;
            lnt_record_check(record, name, s->test[m][q].p, (1 + LEAST_P) / 2, (1 - LEAST_P) / 2);
        }
    for (int q = 0; q < QUANTITIES; q++)
        least = fmin(least, s->test[LNT_BY_PRECISION][q].p);
    if (fabs(log(s->widening)) > log(WIDER))
        lnt_record_check(record, "A as covariance must fail: least p", least, 0, LEAST_P);
    return LNT_OK;
}

/* Of the methods first .. last: A as covariance would dwarf the others. */
static void put_figure(lnt_record *record, const summary *s, const char *name, const char *caption, int first, int last)
{
    lnt_curve curve[QUANTITIES][METHODS + 1];
    lnt_panel panel[QUANTITIES];
    for (int q = 0; q < QUANTITIES; q++) {
        int count = 0;
        curve[q][count++] = (lnt_curve){"99 % of uniform ranks", LNT_CURVE_BAND, s->bins, s->across, s->low, s->high};
        for (int m = first; m <= last; m++)
            curve[q][count++] = (lnt_curve){titles[m], LNT_CURVE_STEPS, s->bins, s->centre, s->test[m][q].count, NULL};
        panel[q] = (lnt_panel){.title = symbols[q],
                               .xlabel = "share of the draws below the truth",
                               .ylabel = q == 0 ? "runs" : "",
                               .curves = count,
                               .curve = curve[q]};
    }
    const lnt_figure figure = {name, caption, QUANTITIES, panel};
    lnt_record_figure(record, &figure);
}

static void put_figures(lnt_record *record, const summary *s, bool linear)
{
    put_figure(record, s, linear ? "calibration-linear" : "calibration",
               linear ? "Ranks of the truth among posterior draws of a linear model: uniform where draws are right."
                      : "Ranks of the truth among posterior draws of a network: uniform where draws are right.",
               LNT_BY_NUTS, LNT_BY_LAPLACE);
    put_figure(record, s, linear ? "precision-linear" : "precision",
               "The same with the precision A in the place of the covariance: draws far too wide.", LNT_BY_PRECISION,
               LNT_BY_PRECISION);
}

lnt_status lnt_calibrating_report(lnt_ctx *ctx, lnt_record *record, const lnt_calibrating *c)
{
    summary s = {0};
    for (int r = 0; r < c->opts->runs; r++)
        s.runs += c->run[r].done;
    if (s.runs < c->opts->runs)
        lnt_record_set_interrupted(record);
    lnt_record_samples(record, "inputs", "", c->X);
    lnt_record_vector(record, "point", "", c->point.a, c->point.rows);
    if (s.runs == 0) {
        lnt_record_warn(record, "interrupted before the first run was finished");
        return LNT_OK;
    }
    lnt_status status = test_ranks(ctx, record, &s, c);
    if (status == LNT_OK)
        status = make_bins(ctx, &s);
    if (status != LNT_OK)
        return status;
    put_facts(record, &s, c);
    status = put_tests(ctx, record, &s);
    if (status == LNT_OK)
        status = put_checks(ctx, record, &s, c);
    put_figures(record, &s, c->layers.net.depth == 1);
    return status;
}
