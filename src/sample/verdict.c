#include "linnet/diagnose.h"

#include <math.h>
#include <string.h>

static const double *draw(const lnt_chains *x, int chain, int index)
{
    return x->a + ((size_t)chain * (size_t)x->draws + (size_t)index) * (size_t)x->dim;
}

static double ebfmi_of(const lnt_chains *energy, int chain)
{
    int n = energy->draws;
    const double *E = draw(energy, chain, 0);
    double mean = 0, moved = 0, spread = 0;
    for (int i = 0; i < n; i++)
        mean += E[i] / n;
    for (int i = 0; i < n; i++) {
        moved += i > 0 ? (E[i] - E[i - 1]) * (E[i] - E[i - 1]) : 0;
        spread += (E[i] - mean) * (E[i] - mean);
    }
    return moved > 0 ? moved / spread : NAN;
}

void lnt_ebfmi(double *ebfmi, const lnt_chains *energy)
{
    for (int c = 0; c < energy->chains; c++)
        ebfmi[c] = ebfmi_of(energy, c);
}

void lnt_verdict_defaults(lnt_verdict_opts *opts)
{
    *opts = (lnt_verdict_opts){.rhat = 1.01, .ess = 100, .ebfmi = 0.3, .stuck = 0.5};
}

static void add_row(lnt_verdict *v, lnt_verdict_row row)
{
    row.holds = row.at_least    ? row.measure >= row.limit
                : row.limit > 0 ? row.measure < row.limit
                                : row.measure <= row.limit;
    v->row[v->count++] = row;
    v->trusted = v->trusted && (row.holds || !row.serious);
}

/* The largest (sign 1) or least (-1) of one field; what is not known is worse than all. */
static void worst(lnt_verdict_row *row, const lnt_diagnosis *d, int n, double (*field)(const lnt_diagnosis *), int sign)
{
    bool any = false;
    for (int i = 0; i < n; i++)
        any = any || d[i].sd != 0;
    row->where = -1;
    for (int i = 0; i < n; i++) {
        double x = field(&d[i]);
        if (any && d[i].sd == 0)
            continue;
        if (row->where < 0 || (!isnan(row->measure) && (isnan(x) || sign * x > sign * row->measure))) {
            row->measure = x;
            row->where = i;
        }
    }
}

static double rhat_of(const lnt_diagnosis *d)
{
    return d->rhat;
}

static double bulk_of(const lnt_diagnosis *d)
{
    return d->ess_bulk;
}

static double tail_of(const lnt_diagnosis *d)
{
    return d->ess_tail;
}

static void judge_quantities(lnt_verdict *v, const lnt_diagnosis *d, int n, int chains, const lnt_verdict_opts *opts)
{
    lnt_verdict_row rhat = {.name = "R-hat",
                            .limit = opts->rhat,
                            .serious = true,
                            .effect = "the chains do not agree; draw more, or look for several modes"};
    lnt_verdict_row bulk = {.name = "bulk ESS",
                            .limit = opts->ess * chains,
                            .serious = true,
                            .at_least = true,
                            .effect = "means and R-hat itself are uncertain; draw more"};
    lnt_verdict_row tail = {.name = "tail ESS",
                            .limit = opts->ess * chains,
                            .serious = true,
                            .at_least = true,
                            .effect = "quantiles and intervals are uncertain; draw more"};
    worst(&rhat, d, n, rhat_of, 1);
    worst(&bulk, d, n, bulk_of, -1);
    worst(&tail, d, n, tail_of, -1);
    add_row(v, rhat);
    add_row(v, bulk);
    add_row(v, tail);
}

static void judge_energy(lnt_verdict *v, const lnt_chains *energy, const lnt_verdict_opts *opts)
{
    lnt_verdict_row row = {.name = "E-BFMI",
                           .limit = opts->ebfmi,
                           .serious = true,
                           .at_least = true,
                           .where = -1,
                           .effect = "the tails may not have been reached; draw more, or change the parameters"};
    for (int c = 0; c < energy->chains; c++) {
        double x = ebfmi_of(energy, c);
        if (row.where < 0 || (!isnan(row.measure) && !(x >= row.measure))) {
            row.measure = x;
            row.where = c;
        }
    }
    add_row(v, row);
}

static double count_set(const lnt_chains *x)
{
    double count = 0;
    for (int c = 0; c < x->chains; c++)
        for (int i = 0; i < x->draws; i++)
            count += *draw(x, c, i) != 0;
    return count;
}

static bool same_place(const double *a, const double *b, int dim)
{
    for (int i = 0; i < dim; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static void judge_moves(lnt_verdict *v, const lnt_chains *x, const lnt_verdict_opts *opts)
{
    lnt_verdict_row row = {.name = "stuck chains",
                           .serious = true,
                           .where = -1,
                           .effect = "they hardly moved; start elsewhere, or with a smaller step"};
    double most = 0;
    for (int c = 0; c < x->chains; c++) {
        double still = 0;
        for (int i = 1; i < x->draws; i++)
            still += same_place(draw(x, c, i), draw(x, c, i - 1), x->dim);
        if (still > opts->stuck * (x->draws - 1)) {
            row.measure++;
            row.where = still > most ? c : row.where;
            most = fmax(most, still);
        }
    }
    add_row(v, row);
}

static lnt_status check_trace(lnt_ctx *ctx, const lnt_sampler_trace *t, int chains)
{
    const lnt_chains *const all[4] = {&t->energy, &t->divergent, &t->at_depth, &t->position};
    for (int i = 0; i < 4; i++)
        if (all[i]->a &&
            (all[i]->chains != chains || all[i]->draws < 1 || all[i]->dim < 1 || (i < 3 && all[i]->dim > 1)))
            return lnt_fail(ctx, LNT_EINVAL,
                            "the trace of the sampler has %d chains of %d draws of %d numbers, not %d chains",
                            all[i]->chains, all[i]->draws, all[i]->dim, chains);
    return LNT_OK;
}

lnt_status lnt_verdict_on(lnt_ctx *ctx, lnt_verdict *verdict, const lnt_diagnosis *diagnosis, int n, int chains,
                          const lnt_sampler_trace *trace, const lnt_verdict_opts *opts)
{
    lnt_verdict_opts defaults;
    lnt_verdict_defaults(&defaults);
    opts = opts ? opts : &defaults;
    *verdict = (lnt_verdict){.trusted = true};
    if (n < 0 || chains < 1)
        return lnt_fail(ctx, LNT_EINVAL, "%d quantities of %d chains cannot be judged", n, chains);
    lnt_status status = trace ? check_trace(ctx, trace, chains) : LNT_OK;
    if (status != LNT_OK)
        return status;
    if (n > 0)
        judge_quantities(verdict, diagnosis, n, chains, opts);
    if (!trace)
        return LNT_OK;
    if (trace->energy.a)
        judge_energy(verdict, &trace->energy, opts);
    if (trace->divergent.a)
        add_row(verdict, (lnt_verdict_row){.name = "divergences",
                                           .measure = count_set(&trace->divergent),
                                           .serious = true,
                                           .where = -1,
                                           .effect = "places of strong curvature were left out; raise the target "
                                                     "acceptance, or change the parameters"});
    if (trace->at_depth.a)
        add_row(verdict, (lnt_verdict_row){.name = "deepest trees",
                                           .measure = count_set(&trace->at_depth),
                                           .where = -1,
                                           .effect = "trajectories were cut short, which costs time, not truth; raise "
                                                     "the depth, or adapt longer"});
    if (trace->position.a)
        judge_moves(verdict, &trace->position, opts);
    return LNT_OK;
}

/* As many as tell the measure from its limit. */
static int digits(const lnt_verdict_row *row)
{
    double apart = fabs(row->measure / row->limit - 1);
    return apart > 1e-14 && apart < 1e-2 ? 2 + (int)ceil(-log10(apart)) : 4;
}

const char *lnt_verdict_words(lnt_ctx *ctx, const lnt_verdict_row *row, const char *where)
{
    const char *open = where ? " (" : "", *close = where ? ")" : "",
               *not = row->at_least ? "not at least" : "not below";
    where = where ? where : "";
    if (isnan(row->measure))
        return lnt_sprintf(ctx, "%s cannot be said%s%s%s: too few draws, or they do not vary or are not finite",
                           row->name, open, where, close);
    if (row->limit > 0)
        return lnt_sprintf(ctx, "%s is %.*g%s%s%s, %s %.4g: %s", row->name, digits(row), row->measure, open, where,
                           close, not, row->limit, row->effect);
    int length = (int)strlen(row->name) - (row->measure == 1); /* counts are named in the plural */
    return lnt_sprintf(ctx, "%.0f %.*s%s%s%s: %s", row->measure, length, row->name, open, where, close, row->effect);
}
