#include "complete.h"

#include "linnet/modes.h"

#include <math.h>

#define MOST_DRAWN 6      /* depths in the figure, each of its own colour */
#define SMALL_START 0.01  /* largest --init that counts as small */
#define LEARNED_WELL 1e-6 /* training errors below this share of the data are not drawn: they end at rounding */
#define NEGLIGIBLE 1e-12  /* singular values below this share of the largest are not drawn */

/* The number of singular values. */
static int least_side(const lnt_complete_run *c)
{
    return c->task.rows < c->task.columns ? c->task.rows : c->task.columns;
}

/* ---- Facts and warnings ---- */

static void put_facts(lnt_record *record, const lnt_complete_run *c)
{
    const lnt_completion *task = &c->task;
    const lnt_nuclear_info *n = &c->certificate;
    lnt_record_fact(record, "matrix", "rows", "", lnt_integer(task->rows));
    lnt_record_fact(record, "matrix", "columns", "", lnt_integer(task->columns));
    lnt_record_fact(record, "matrix", "observed", "", lnt_integer(task->observed));
    lnt_record_fact(record, "matrix", "test", "", lnt_integer(task->tests));
    lnt_record_fact(record, "matrix", "rms", "", lnt_number(c->rms));
    lnt_record_fact(record, "matrix", "largest_singular_value", "", lnt_number(c->top));
    lnt_record_fact(record, "start", "scale", "", lnt_number(c->opts->init * c->top));
    lnt_record_fact(record, "time", "end", "tau", lnt_number(c->t[LNT_COMPLETE_TIMES - 1]));
    lnt_record_fact(record, "certificate", "lambda", "", lnt_number(n->lambda));
    lnt_record_fact(record, "certificate", "relative_lambda", "", lnt_number(n->lambda / c->top));
    lnt_record_fact(record, "certificate", "objective", "", lnt_number(n->objective));
    lnt_record_fact(record, "certificate", "nuclear_gap", "", lnt_number(n->gap));
    lnt_record_fact(record, "certificate", "relative_gap", "", lnt_number(n->gap / n->objective));
    lnt_record_fact(record, "certificate", "kkt", "", lnt_number(n->kkt));
    lnt_record_fact(record, "certificate", "nuclear_norm", "", lnt_number(n->norm));
    lnt_record_fact(record, "certificate", "least_norm", "", lnt_number(n->least_norm));
    lnt_record_fact(record, "certificate", "rank", "", lnt_integer(n->rank));
    lnt_record_fact(record, "certificate", "steps", "", lnt_integer(n->steps));
}

static bool learned(const lnt_complete_run *c, const lnt_complete_path *p)
{
    return p->train[p->last] <= LNT_COMPLETE_LEARNED * c->rms;
}

static void put_warnings(lnt_record *record, const lnt_complete_run *c)
{
    if (c->task.tests == 0)
        lnt_record_warn(record, "no entry is held out and no truth is known: there is no test error; use --split 0.1");
    if (!c->certificate.converged)
        lnt_record_warn(record, "the nuclear-norm minimum has not converged: relative gap %.2g at lambda = %.3g",
                        c->certificate.gap / c->certificate.objective, c->certificate.lambda);
    for (int i = 0; i < c->opts->depths.count; i++) {
        const lnt_complete_path *p = &c->path[i];
        if (!p->done) {
            lnt_record_set_interrupted(record);
            lnt_record_warn(record, "interrupted: depth %d is left out", p->depth);
        } else if (p->flow.stop != LNT_FLOW_DONE) {
            lnt_record_warn(record, "depth %d: the integration stopped at t/tau = %.4g", p->depth, p->flow.t);
        } else if (!learned(c, p)) {
            lnt_record_warn(record,
                            "depth %d has not learned the observed entries by t/tau = %.4g: training error %.3g, %.2g "
                            "of their rms; a longer --time or a larger --init may",
                            p->depth, p->flow.t, p->train[p->last], p->train[p->last] / c->rms);
        }
    }
}

/* ---- Series, table, deviations ---- */

static lnt_status put_series(lnt_ctx *ctx, lnt_record *record, const lnt_complete_run *c)
{
    static const char *const names[] = {"train", "test", "rank", "nuclear_norm"};
    lnt_record_series(record, "t", "tau", c->t, LNT_COMPLETE_TIMES);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < c->opts->depths.count; i++) {
            const lnt_complete_path *p = &c->path[i];
            const double *values[] = {p->train, p->test, p->rank, p->norm};
            const char *path = lnt_sprintf(ctx, "%s/%d", names[k], p->depth);
            if (!path)
                return LNT_ENOMEM;
            if (p->done && (k != 1 || c->task.tests > 0))
                lnt_record_series(record, path, "", values[k], LNT_COMPLETE_TIMES);
        }
    return LNT_OK;
}

static lnt_status put_table(lnt_ctx *ctx, lnt_record *record, const lnt_complete_run *c)
{
    lnt_table *table = lnt_record_table(record, "depths");
    int k = least_side(c);
    for (int i = 0; i <= c->opts->depths.count; i++) {
        bool nuclear = i == c->opts->depths.count;
        const lnt_complete_path *p = &c->path[nuclear ? 0 : i];
        const char *method = nuclear ? "nuclear" : lnt_sprintf(ctx, "depth %d", p->depth);
        if (!method)
            return LNT_ENOMEM;
        if (!nuclear && !p->done)
            continue;
        double test = nuclear ? lnt_observed_error(&c->task.test, c->nuclear) : p->test[p->last];
        lnt_table_row(table);
        lnt_table_set(table, "method", "", lnt_string(method));
        lnt_table_set(table, "depth", "", nuclear ? (lnt_value){0} : lnt_integer(p->depth));
        lnt_table_set(table, "train", "", lnt_number(nuclear ? c->certificate.error : p->train[p->last]));
        lnt_table_set(table, "test", "", lnt_known(test));
        lnt_table_set(table, "best_test", "", nuclear ? (lnt_value){0} : lnt_known(p->test[p->best]));
        lnt_table_set(table, "best_time", "tau",
                      nuclear || c->task.tests == 0 ? (lnt_value){0} : lnt_number(c->t[p->best]));
        lnt_table_set(table, "effective_rank", "",
                      lnt_number(nuclear ? lnt_effective_rank(c->nuclear_s, k) : p->rank[p->last]));
        lnt_table_set(table, "nuclear_norm", "", lnt_number(nuclear ? c->certificate.norm : p->norm[p->last]));
    }
    return LNT_OK;
}

static lnt_status put_deviations(lnt_ctx *ctx, lnt_record *record, const lnt_complete_run *c)
{
    lnt_mat D;
    lnt_status status = lnt_mat_alloc(ctx, &D, c->task.rows, c->task.columns);
    for (int i = 0; i < c->opts->depths.count && status == LNT_OK; i++) {
        const lnt_complete_path *p = &c->path[i];
        const char *name = lnt_sprintf(ctx, "rms(W), depth %d against nuclear-norm minimum", p->depth);
        if (!name)
            return LNT_ENOMEM;
        if (!p->done)
            continue;
        lnt_mat W = lnt_complete_product(c, p, p->last);
        lnt_mat_copy(D, W);
        lnt_mat_add(D, -1, c->nuclear);
        lnt_record_deviation(record, name, lnt_mat_rms(W), lnt_mat_rms(c->nuclear), lnt_mat_rms(D), NAN);
    }
    return status;
}

/* ---- Assumptions ---- */

static void put_assumptions(lnt_record *record, const lnt_complete_run *c)
{
    const lnt_completion *task = &c->task;
    double rank = lnt_effective_rank(c->nuclear_s, least_side(c)), free = rank * (task->rows + task->columns - rank);
    lnt_record_assumption(record, "start is small: its singular values / largest of the observed matrix", c->opts->init,
                          SMALL_START, "the end depends on the start, and is less like a matrix of low rank");
    lnt_record_assumption(record,
                          "enough is observed: r (rows + columns - r) / entries observed, r the effective rank of the "
                          "nuclear-norm minimum",
                          free / task->observed, 1,
                          "many matrices of that rank have the observed entries: which one is found is a preference, "
                          "not evidence");
    lnt_record_assumption(record, "every row and column has an observed entry: number of those without",
                          task->empty_rows + task->empty_columns, 0, "nothing can be learned about their entries");
}

/* ---- Arrays ---- */

static lnt_status put_arrays(lnt_ctx *ctx, lnt_record *record, const lnt_complete_run *c)
{
    for (int i = 0; i < c->opts->depths.count; i++) {
        const lnt_complete_path *p = &c->path[i];
        const char *product = lnt_sprintf(ctx, "product/%d", p->depth),
                   *singular = lnt_sprintf(ctx, "singular/%d", p->depth);
        if (!product || !singular)
            return LNT_ENOMEM;
        if (!p->done)
            continue;
        lnt_mat W = lnt_complete_product(c, p, p->last);
        lnt_record_matrix(record, product, "", &W, 1);
        lnt_record_samples(record, singular, "", p->singular);
    }
    lnt_record_matrix(record, "nuclear/W", "", &c->nuclear, 1);
    lnt_record_vector(record, "nuclear/s", "", c->nuclear_s, least_side(c));
    lnt_record_matrix(record, "start/W", "", &c->start, 1);
    lnt_record_matrix(record, "observed/values", "", &c->task.train.T, 1);
    lnt_record_matrix(record, "observed/mask", "", &c->task.train.mask, 1);
    lnt_record_matrix(record, "test/values", "", &c->task.test.T, 1);
    lnt_record_matrix(record, "test/mask", "", &c->task.test.mask, 1);
    return LNT_OK;
}

/* ---- Figure: a colour per depth, the nuclear-norm minimum dashed ---- */

typedef struct drawing {
    int drawn; /* depths */
    const lnt_complete_path *path[MOST_DRAWN];
    lnt_curve curve[3][MOST_DRAWN + 1];
    bool positive[2]; /* all training errors, test errors */
    double *x, *y;    /* numbers 1, 2, ...; spectra without what is negligible */
} drawing;

/* Times without the first, 0, which a logarithmic axis has no place for. */
static void draw_errors(drawing *d, const lnt_complete_run *c, int which)
{
    d->positive[which] = true;
    for (int i = 0; i < d->drawn; i++) {
        const lnt_complete_path *p = d->path[i];
        const double *y = which == 0 ? p->train : p->test;
        d->curve[which][i].style = LNT_CURVE_LINE;
        d->curve[which][i].x = c->t + 1;
        d->curve[which][i].y = y + 1;
        int n = 0;
        for (; n < p->last && (which == 1 || y[n + 1] > LEARNED_WELL * c->rms); n++)
            d->positive[which] = d->positive[which] && y[n + 1] > 0;
        d->curve[which][i].n = n;
    }
}

static void draw_spectrum(const lnt_complete_run *c, drawing *d, lnt_curve *curve, const double *s, double *y,
                          lnt_curve_style style)
{
    int n = 0, k = least_side(c);
    while (n < k && s[n] > NEGLIGIBLE * c->top) {
        y[n] = s[n];
        n++;
    }
    curve->style = style;
    curve->n = n;
    curve->x = d->x;
    curve->y = y;
}

static lnt_status draw(lnt_ctx *ctx, drawing *d, const lnt_complete_run *c, double level[2])
{
    size_t k = (size_t)least_side(c);
    d->x = lnt_alloc(ctx, k, sizeof *d->x);
    d->y = lnt_alloc(ctx, k * (MOST_DRAWN + 1), sizeof *d->y);
    if (!d->x || !d->y)
        return LNT_ENOMEM;
    for (size_t i = 0; i < k; i++)
        d->x[i] = (double)i + 1;
    for (int i = 0; i < c->opts->depths.count && d->drawn < MOST_DRAWN; i++)
        if (c->path[i].done)
            d->path[d->drawn++] = &c->path[i];
    draw_errors(d, c, 0);
    draw_errors(d, c, 1);
    for (int i = 0; i < d->drawn; i++) {
        const char *label = lnt_sprintf(ctx, "depth %d", d->path[i]->depth);
        if (!label)
            return LNT_ENOMEM;
        draw_spectrum(c, d, &d->curve[2][i], lnt_at(d->path[i]->singular, 0, d->path[i]->last), d->y + (size_t)i * k,
                      LNT_CURVE_POINTS);
        d->curve[0][i].label = d->curve[1][i].label = d->curve[2][i].label = label;
    }
    draw_spectrum(c, d, &d->curve[2][d->drawn], c->nuclear_s, d->y + (size_t)d->drawn * k, LNT_CURVE_THEORY);
    level[0] = level[1] = lnt_observed_error(&c->task.test, c->nuclear);
    d->curve[1][d->drawn] = (lnt_curve){.style = LNT_CURVE_THEORY, .n = 2, .y = level};
    d->positive[1] = d->positive[1] && level[0] > 0;
    d->curve[1][d->drawn].label = d->curve[2][d->drawn].label = "nuclear-norm minimum";
    return LNT_OK;
}

static lnt_status put_figure(lnt_ctx *ctx, lnt_record *record, const lnt_complete_run *c)
{
    drawing d = {0};
    double level[2], ends[2] = {c->t[1], c->t[LNT_COMPLETE_TIMES - 1]};
    lnt_status status = draw(ctx, &d, c, level);
    if (status != LNT_OK)
        return status;
    d.curve[1][d.drawn].x = ends;
    lnt_panel panel[3] = {{.title = "observed entries",
                           .xlabel = "time t/tau",
                           .ylabel = "training error (rms)",
                           .logx = true,
                           .logy = d.positive[0],
                           .curves = d.drawn,
                           .curve = d.curve[0]},
                          {.title = "test entries",
                           .xlabel = "time t/tau",
                           .ylabel = "test error (rms)",
                           .logx = true,
                           .logy = d.positive[1],
                           .curves = d.drawn + 1,
                           .curve = d.curve[1]},
                          {.title = "spectrum at the end",
                           .xlabel = "singular value number",
                           .ylabel = "singular value",
                           .logy = true,
                           .curves = d.drawn + 1,
                           .curve = d.curve[2]}};
    if (c->task.tests == 0)
        panel[1] = panel[2];
    const lnt_figure figure = {"complete",
                               "Training and test error over time and the singular values at the end, by depth; dashed "
                               "the matrix of least nuclear norm.",
                               c->task.tests > 0 ? 3 : 2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

lnt_status lnt_complete_report(lnt_ctx *ctx, lnt_record *record, lnt_complete_run *c)
{
    put_facts(record, c);
    put_warnings(record, c);
    lnt_status status = put_series(ctx, record, c);
    if (status == LNT_OK)
        status = put_table(ctx, record, c);
    if (status == LNT_OK)
        status = put_deviations(ctx, record, c);
    put_assumptions(record, c);
    if (status == LNT_OK)
        status = put_arrays(ctx, record, c);
    return status == LNT_OK ? put_figure(ctx, record, c) : status;
}
