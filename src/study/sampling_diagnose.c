/* Whether draws can be trusted: tables, verdict. */
#include "sampling.h"

#include <math.h>
#include <string.h>

#define POINTS 9          /* of one input */
#define MOST_OUTPUTS 20   /* of f that are diagnosed: points times outputs */
#define MOST_WEIGHTS 2000 /* with rows in the table */

/* ---- Points ---- */

static lnt_status name_points(lnt_ctx *ctx, lnt_sampled_points *p, const lnt_sampled *s, const int *row)
{
    int q = s->data->Y.rows;
    bool one = s->data->X.rows == 1 && s->data->task.prep.inputs <= 1;
    for (int i = 0; i < p->count; i++) {
        const char *f = q == 1 ? "f" : lnt_sprintf(ctx, "f%d", i % q + 1);
        if (!f)
            return LNT_ENOMEM;
        p->name[i] = one ? lnt_sprintf(ctx, "%s(%.3g)", f, lnt_prep_given(&s->data->task.prep, p->X.a[i / q]))
                         : lnt_sprintf(ctx, "%s(row %d)", f, row[i / q]);
        if (!p->name[i])
            return LNT_ENOMEM;
    }
    return LNT_OK;
}

/* Of one input a grid over its range, of several some of the rows. */
static void place_points(lnt_sampled_points *p, const lnt_sampled *s, int *row)
{
    lnt_mat X = s->data->X;
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < X.cols && X.rows == 1; i++) {
        low = fmin(low, X.a[i]);
        high = fmax(high, X.a[i]);
    }
    int m = p->X.cols;
    for (int j = 0; j < m; j++) {
        row[j] = m > 1 ? (int)((long)j * (X.cols - 1) / (m - 1)) : 0;
        lnt_mat_copy(lnt_columns(p->X, j, 1), lnt_columns(X, row[j], 1));
        if (X.rows == 1)
            p->X.a[j] = m > 1 ? low + (high - low) * j / (m - 1) : low;
    }
}

lnt_status lnt_sampled_points_make(lnt_ctx *ctx, lnt_sampled_points *p, const lnt_sampled *s)
{
    lnt_mat X = s->data->X;
    int q = s->data->Y.rows, m = MOST_OUTPUTS / q > POINTS ? POINTS : MOST_OUTPUTS / q;
    m = m < 1 ? 1 : m;
    m = X.rows > 1 && m > X.cols ? X.cols : m;
    double *f;
    size_t count;
    int *row = lnt_alloc(ctx, (size_t)m, sizeof *row);
    p->count = m * q;
    p->name = lnt_alloc(ctx, (size_t)p->count, sizeof *p->name);
    lnt_status status = row && p->name ? lnt_mat_alloc(ctx, &p->X, X.rows, m) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    place_points(p, s, row);
    status = name_points(ctx, p, s, row);
    if (status == LNT_OK)
        status = lnt_sampled_outputs(ctx, &f, &count, s, p->X, 1);
    if (status == LNT_OK)
        p->f = (lnt_chains){f, s->x.chains, s->x.draws, p->count};
    return status;
}

/* ---- Diagnoses ---- */

/* f at the points, hyper-parameters, log posterior: all that does not know mirror images. */
static lnt_status diagnose_judged(lnt_ctx *ctx, lnt_sampled_diagnosis *d, const lnt_sampled *s,
                                  const lnt_sampled_points *p)
{
    int more = s->dim - s->weights + 1;
    size_t n = lnt_sampled_count(s);
    d->count = p->count + more;
    double *a = lnt_alloc(ctx, n * (size_t)d->count, sizeof *a);
    d->name = lnt_alloc(ctx, (size_t)d->count, sizeof *d->name);
    d->judged = lnt_alloc(ctx, (size_t)d->count, sizeof *d->judged);
    if (!a || !d->name || !d->judged)
        return LNT_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        double *to = a + i * (size_t)d->count;
        memcpy(to, p->f.a + i * (size_t)p->count, (size_t)p->count * sizeof *to);
        memcpy(to + p->count, lnt_sampled_draw(s, i) + s->weights, (size_t)more * sizeof *to);
    }
    for (int i = 0; i < p->count; i++)
        d->name[i] = p->name[i];
    for (int i = 0; i + 1 < more; i++)
        d->name[p->count + i] = lnt_sampled_name(ctx, s, s->weights + i);
    d->name[d->count - 1] = "log posterior";
    const lnt_chains x = {a, s->x.chains, s->x.draws, d->count};
    return lnt_diagnose(ctx, d->judged, &x, s->opts->threads);
}

/* Weights of all draws, as they are and in standard form. */
static lnt_status diagnose_weights(lnt_ctx *ctx, lnt_sampled_diagnosis *d, const lnt_sampled *s)
{
    const lnt_layers *net = &s->data->layers;
    size_t n = lnt_sampled_count(s), k = (size_t)s->weights;
    d->weight = lnt_alloc(ctx, (size_t)s->x.dim, sizeof *d->weight);
    lnt_status status = d->weight ? lnt_diagnose(ctx, d->weight, &s->x, s->opts->threads) : LNT_ENOMEM;
    if (status != LNT_OK || net->net.depth == 1)
        return status;
    d->canonical = lnt_alloc(ctx, k, sizeof *d->canonical);
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *a = lnt_alloc(ctx, n * k, sizeof *a);
    for (size_t i = 0; i < n && a; i++) {
        memcpy(a + i * k, lnt_sampled_draw(s, i), k * sizeof *a);
        lnt_layers_canonical(a + i * k, net);
    }
    const lnt_chains x = {a, s->x.chains, s->x.draws, s->weights};
    status = a && d->canonical ? lnt_diagnose(ctx, d->canonical, &x, s->opts->threads) : LNT_ENOMEM;
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* The diagnoses of what varies; index says which they are. */
static int varying(lnt_diagnosis *to, int *index, const lnt_sampled_diagnosis *d)
{
    int count = 0;
    for (int i = 0; i < d->count; i++)
        if (d->judged[i].sd != 0) {
            to[count] = d->judged[i];
            index[count++] = i;
        }
    return count;
}

static lnt_status positions(lnt_ctx *ctx, lnt_chains *out, const lnt_sampled *s)
{
    size_t n = lnt_sampled_count(s), k = (size_t)s->dim;
    double *a = lnt_alloc(ctx, n * k, sizeof *a);
    for (size_t i = 0; i < n && a; i++)
        memcpy(a + i * k, lnt_sampled_draw(s, i), k * sizeof *a);
    *out = (lnt_chains){a, s->x.chains, s->x.draws, s->dim};
    return a ? LNT_OK : LNT_ENOMEM;
}

static lnt_status judge(lnt_ctx *ctx, lnt_sampled_diagnosis *d, const lnt_sampled *s, int *index)
{
    lnt_sampler_trace trace = {0};
    lnt_diagnosis *some = lnt_alloc(ctx, (size_t)d->count, sizeof *some);
    lnt_status status = some ? positions(ctx, &trace.position, s) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_sampled_column(ctx, &trace.energy, s, s->dim + LNT_COLUMN_ENERGY);
    if (status == LNT_OK)
        status = lnt_sampled_column(ctx, &trace.divergent, s, s->dim + LNT_COLUMN_DIVERGENT);
    if (status == LNT_OK && s->chains.kind == LNT_NUTS)
        status = lnt_sampled_column(ctx, &trace.at_depth, s, s->dim + LNT_COLUMN_AT_DEPTH);
    d->ebfmi = lnt_alloc(ctx, (size_t)s->x.chains, sizeof *d->ebfmi);
    d->stuck = lnt_alloc_zero(ctx, (size_t)s->x.chains, sizeof *d->stuck);
    if (status != LNT_OK || !d->ebfmi || !d->stuck)
        return LNT_ENOMEM;
    lnt_ebfmi(d->ebfmi, &trace.energy);
    for (int c = 0; c < s->x.chains; c++)
        for (int i = 1; i < s->x.draws; i++) {
            const double *q = trace.position.a + ((size_t)c * (size_t)s->x.draws + (size_t)i) * (size_t)s->dim;
            d->stuck[c] += memcmp(q, q - s->dim, (size_t)s->dim * sizeof *q) == 0 ? 1. / (s->x.draws - 1) : 0;
        }
    return lnt_verdict_on(ctx, &d->verdict, some, varying(some, index, d), s->x.chains, &trace, NULL);
}

/* ---- Tables ---- */

static void put_row(lnt_table *table, const char *name, const char *of, const lnt_diagnosis *d, bool judged)
{
    lnt_table_row(table);
    lnt_table_set(table, "name", "", lnt_string(name));
    lnt_table_set(table, "mean", "", lnt_known(d->mean));
    lnt_table_set(table, "sd", "", lnt_known(d->sd));
    lnt_table_set(table, "mcse", "", lnt_known(d->mcse_mean));
    lnt_table_set(table, "ess_bulk", "", lnt_known(d->ess_bulk));
    lnt_table_set(table, "ess_tail", "", lnt_known(d->ess_tail));
    lnt_table_set(table, "rhat", "", lnt_known(d->rhat));
    lnt_table_set(table, "q05", "", lnt_known(d->q05.value));
    lnt_table_set(table, "median", "", lnt_known(d->median.value));
    lnt_table_set(table, "q95", "", lnt_known(d->q95.value));
    lnt_table_set(table, "mcse_sd", "", lnt_known(d->mcse_sd));
    lnt_table_set(table, "of", "", lnt_string(of));
    lnt_table_set(table, "judged", "", lnt_flag(judged));
}

static void put_diagnostics(lnt_ctx *ctx, lnt_record *record, const lnt_sampled_diagnosis *d, const lnt_sampled *s,
                            int points)
{
    lnt_table *table = lnt_record_table(record, "diagnostics");
    for (int i = 0; i < d->count; i++)
        put_row(table, d->name[i],
                i < points         ? "function"
                : i + 1 < d->count ? "hyper-parameter"
                                   : "posterior",
                &d->judged[i], true);
    for (int i = 0; i < s->weights && i < MOST_WEIGHTS; i++)
        put_row(table, lnt_sampled_name(ctx, s, i), "weights", &d->weight[i], false);
    for (int i = 0; i < s->weights && i < MOST_WEIGHTS && d->canonical; i++)
        put_row(table, lnt_sprintf(ctx, "canonical %s", lnt_sampled_name(ctx, s, i)), "canonical weights",
                &d->canonical[i], false);
    if (s->weights > MOST_WEIGHTS)
        lnt_record_warn(record, "table diagnostics has the first %d of %d weights", MOST_WEIGHTS, s->weights);
}

static double mean_column(const lnt_sampled *s, int chain, int column)
{
    double sum = 0;
    for (int i = 0; i < s->x.draws; i++)
        sum += lnt_sampled_draw(s, (size_t)chain * (size_t)s->x.draws + (size_t)i)[s->dim + column];
    return sum / s->x.draws;
}

static void put_sampler(lnt_record *record, const lnt_sampled_diagnosis *d, const lnt_sampled *s)
{
    static const char *const kinds[] = {"unit", "laplace", "laplace dropped"};
    lnt_table *table = lnt_record_table(record, "sampler");
    for (int c = 0; c < s->x.chains; c++) {
        const lnt_chain at = lnt_chain_read(lnt_at(s->state, 0, c));
        double n = s->x.draws;
        lnt_table_row(table);
        lnt_table_set(table, "chain", "", lnt_integer(c));
        lnt_table_set(table, "step", "", lnt_known(at.step));
        lnt_table_set(table, "accept", "", lnt_known(mean_column(s, c, LNT_COLUMN_ACCEPT)));
        lnt_table_set(table, "divergences", "", lnt_integer(lround(n * mean_column(s, c, LNT_COLUMN_DIVERGENT))));
        lnt_table_set(table, "depth", "", lnt_known(mean_column(s, c, LNT_COLUMN_DEPTH)));
        lnt_table_set(table, "at_depth", "", lnt_integer(lround(n * mean_column(s, c, LNT_COLUMN_AT_DEPTH))));
        lnt_table_set(table, "ebfmi", "", lnt_known(d->ebfmi[c]));
        lnt_table_set(table, "leapfrogs", "", lnt_integer(lround(n * mean_column(s, c, LNT_COLUMN_LEAPFROGS))));
        lnt_table_set(table, "stuck", "", lnt_known(d->stuck[c]));
        lnt_table_set(table, "metric_seed", "", lnt_string(kinds[(int)at.metric]));
        lnt_table_set(table, "seed_gain", "", lnt_known(at.trial_ratio));
        lnt_table_set(table, "gradients", "", lnt_known(at.gradients));
    }
}

static void put_criteria(lnt_record *record, const lnt_verdict *v)
{
    lnt_table *table = lnt_record_table(record, "criteria");
    for (int i = 0; i < v->count; i++) {
        const lnt_verdict_row *r = &v->row[i];
        lnt_table_row(table);
        lnt_table_set(table, "name", "", lnt_string(r->name));
        lnt_table_set(table, "measure", "", lnt_known(r->measure));
        lnt_table_set(table, "limit", "", lnt_number(r->limit));
        lnt_table_set(table, "wanted", "", lnt_string(r->at_least ? "at least" : "at most"));
        lnt_table_set(table, "holds", "", lnt_flag(r->holds));
        lnt_table_set(table, "serious", "", lnt_flag(r->serious));
    }
}

static lnt_status put_verdict(lnt_ctx *ctx, lnt_record *record, const lnt_sampled_diagnosis *d, const int *index)
{
    const lnt_verdict *v = &d->verdict;
    const char *reasons = NULL;
    for (int i = 0; i < v->count; i++) {
        const lnt_verdict_row *r = &v->row[i];
        if (r->holds)
            continue;
        bool of_chain = strcmp(r->name, "E-BFMI") == 0 || strcmp(r->name, "stuck chains") == 0;
        const char *where = r->where < 0 ? NULL
                            : of_chain   ? lnt_sprintf(ctx, "chain %d", r->where)
                                         : d->name[index[r->where]];
        const char *words = lnt_verdict_words(ctx, r, where);
        reasons = !words ? NULL : reasons ? lnt_sprintf(ctx, "%s; %s", reasons, words) : words;
        if (!reasons)
            return LNT_ENOMEM;
        lnt_record_warn(record, "%s", words);
    }
    lnt_record_fact(record, "verdict", "good", "", lnt_flag(v->trusted));
    lnt_record_fact(record, "verdict", "text", "",
                    lnt_string(v->trusted ? "the draws can be trusted" : "do not trust the draws"));
    lnt_record_fact(record, "verdict", "reasons", "", lnt_string(reasons ? reasons : "none"));
    lnt_record_check(record, "the draws can be trusted", v->trusted, 1, 0);
    return LNT_OK;
}

lnt_status lnt_sampled_diagnose(lnt_ctx *ctx, lnt_record *record, lnt_sampled_diagnosis *d, const lnt_sampled *s,
                                const lnt_sampled_points *points)
{
    *d = (lnt_sampled_diagnosis){0};
    lnt_status status = diagnose_judged(ctx, d, s, points);
    int *index = status == LNT_OK ? lnt_alloc(ctx, (size_t)d->count, sizeof *index) : NULL;
    if (!index)
        return status == LNT_OK ? LNT_ENOMEM : status;
    status = diagnose_weights(ctx, d, s);
    if (status == LNT_OK)
        status = judge(ctx, d, s, index);
    if (status != LNT_OK)
        return status;
    put_sampler(record, d, s);
    put_criteria(record, &d->verdict);
    put_diagnostics(ctx, record, d, s, points->count);
    return put_verdict(ctx, record, d, index);
}
