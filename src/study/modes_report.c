#include "modes.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define MOST_SERIES 24 /* modes in the series; arrays hold all */
#define MOST_COMPARED 6
#define MOST_SUBSETS 64
#define MOST_UNKNOWNS 1000000 /* of a network whose fixed points are listed */

static const double *strengths_of(const lnt_course *c)
{
    return c->strength;
}

static const double *halves_of(const lnt_course *c)
{
    return c->half;
}

static const double *losses_of(const lnt_course *c)
{
    return c->watch[LNT_WATCH_LOSS];
}

/* Means over the starts of n numbers from number `at` on, and their standard deviations (sd may be NULL). */
static void over_starts(double *mean, double *sd, const lnt_modes_run *m, lnt_method method,
                        const double *(*numbers)(const lnt_course *), size_t at, size_t n)
{
    memset(mean, 0, n * sizeof *mean);
    for (int i = 0; i < m->runs; i++) {
        const double *x = numbers(&m->course[method][i]) + at;
        for (size_t j = 0; j < n; j++)
            mean[j] += x[j];
    }
    for (size_t j = 0; j < n; j++)
        mean[j] /= m->runs;
    if (!sd)
        return;
    memset(sd, 0, n * sizeof *sd);
    for (int i = 0; i < m->runs && m->runs > 1; i++) {
        const double *x = numbers(&m->course[method][i]) + at;
        for (size_t j = 0; j < n; j++)
            sd[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
    }
    for (size_t j = 0; j < n && m->runs > 1; j++)
        sd[j] = sqrt(sd[j] / (m->runs - 1));
}

static lnt_value finite_mean(const lnt_modes_run *m, lnt_method method, const double *(*numbers)(const lnt_course *),
                             size_t at)
{
    double mean;
    over_starts(&mean, NULL, m, method, numbers, at, 1);
    return lnt_known(mean);
}

/* ---- Series ---- */

/* The strengths of the first `shown` modes, each a series. */
static lnt_status put_strengths(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m, lnt_method method, int shown)
{
    size_t times = (size_t)m->times, count = (size_t)m->count;
    double *mean = lnt_alloc(ctx, times * count, sizeof *mean), *sd = lnt_alloc(ctx, times * count, sizeof *sd);
    double *series = lnt_alloc(ctx, times, sizeof *series);
    if (!mean || !sd || !series)
        return LNT_ENOMEM;
    over_starts(mean, sd, m, method, strengths_of, 0, times * count);
    for (int k = 0; k < shown; k++)
        for (int spread = 0; spread <= (m->runs > 1); spread++) {
            const char *path =
                lnt_sprintf(ctx, spread ? "strength_sd/%s/%d" : "strength/%s/%d", lnt_method_names[method], k + 1);
            if (!path)
                return LNT_ENOMEM;
            for (size_t j = 0; j < times; j++)
                series[j] = (spread ? sd : mean)[j * count + (size_t)k];
            lnt_record_series(record, path, "", series, m->times);
        }
    return LNT_OK;
}

static lnt_status put_watch(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m, lnt_watch watch)
{
    lnt_status status = LNT_OK;
    for (int k = 0; k < LNT_METHODS && status == LNT_OK; k++) {
        if (m->why[k] || !m->course[k][0].watch[watch])
            continue;
        double *values = m->course[k][0].watch[watch];
        const char *path = lnt_sprintf(ctx, "%s/%s", lnt_watch_names[watch], lnt_method_names[k]);
        if (watch == LNT_WATCH_LOSS && m->runs > 1) {
            if (!(values = lnt_alloc(ctx, (size_t)m->times, sizeof *values)))
                return LNT_ENOMEM;
            over_starts(values, NULL, m, (lnt_method)k, losses_of, 0, (size_t)m->times);
        }
        status = path ? LNT_OK : LNT_ENOMEM;
        if (path)
            lnt_record_series(record, path, "", values, m->times);
    }
    return status;
}

static lnt_status put_series(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    double *T = lnt_alloc(ctx, (size_t)m->times, sizeof *T);
    if (!T)
        return LNT_ENOMEM;
    for (int j = 0; j < m->times; j++)
        T[j] = m->eta * m->t[j];
    lnt_record_series(record, "t", "", m->t, m->times);
    lnt_record_series(record, "t_over_tau", "tau", T, m->times);
    lnt_status status = LNT_OK;
    int shown = m->count < MOST_SERIES ? m->count : MOST_SERIES;
    for (int k = 0; k < LNT_METHODS; k++)
        if (!m->why[k] && status == LNT_OK)
            status = put_strengths(ctx, record, m, (lnt_method)k, shown);
    for (int watch = 0; watch < LNT_WATCHES && status == LNT_OK; watch++)
        status = put_watch(ctx, record, m, (lnt_watch)watch);
    if (shown < m->count)
        lnt_record_warn(record, "the series hold the first %d of %d modes; /strengths in result.h5 holds all", shown,
                        m->count);
    return status;
}

/* ---- Tables ---- */

/* The scalar that grows alike: sqrt of the effective product for two layers, else of the strength itself. */
static lnt_status start_scalars(lnt_ctx *ctx, double *a0, const lnt_modes_run *m)
{
    int L = m->net.depth;
    lnt_status status = lnt_modes_start_strengths(ctx, a0, m, m->w0[0]);
    for (int i = 0; i < m->count && status == LNT_OK; i++)
        a0[i] = L == 2 ? sqrt(a0[i]) : copysign(pow(fabs(a0[i]), 1.0 / L), a0[i]);
    return status;
}

static lnt_status put_modes(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    lnt_table *table = lnt_record_table(record, "modes");
    double *a0 = lnt_alloc(ctx, (size_t)m->count, sizeof *a0);
    lnt_status status = a0 ? start_scalars(ctx, a0, m) : LNT_ENOMEM;
    for (int i = 0; i < m->count && status == LNT_OK; i++) {
        lnt_table_row(table);
        lnt_table_set(table, "index", "", lnt_integer(i + 1));
        lnt_table_set(table, "s", "", lnt_number(m->modes.s[i]));
        lnt_table_set(table, "target", "", lnt_number(m->target[i]));
        lnt_table_set(table, "a0", "", lnt_number(a0[i]));
        for (int k = 0; k < LNT_METHODS; k++) {
            const char *name = lnt_sprintf(ctx, "half_%s", lnt_method_names[k]);
            if (!m->why[k] && name)
                lnt_table_set(table, name, "", finite_mean(m, (lnt_method)k, halves_of, (size_t)i));
        }
        for (int k = 0; k < LNT_METHODS; k++) {
            const char *name = lnt_sprintf(ctx, "final_%s", lnt_method_names[k]);
            size_t last = (size_t)(m->times - 1) * (size_t)m->count + (size_t)i;
            if (!m->why[k] && name)
                lnt_table_set(table, name, "", finite_mean(m, (lnt_method)k, strengths_of, last));
        }
    }
    return status;
}

/* The whole spectrum at a fixed point, ascending. */
static lnt_status put_hessian(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m, double *value, int count,
                              const char *modes)
{
    const char *path = lnt_sprintf(ctx, "hessian/%s", modes);
    for (int i = 0; i < count; i++)
        value[i] *= m->d0;
    if (path && count <= LNT_MODES_EIGENVALUES)
        lnt_record_vector(record, path, "", value, count);
    return path ? LNT_OK : LNT_ENOMEM;
}

/* The balanced fixed point whose product is the sum of the modes in `in`. */
static lnt_status put_point(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m, const int *in)
{
    int N1 = m->setup.task.inputs, N3 = m->setup.task.outputs, h = m->net.width[1], index, k = 0;
    double *value = lnt_alloc(ctx, (size_t)h * (size_t)(N1 + N3), sizeof *value), missing = 0;
    lnt_text names = {0};
    lnt_status status = value ? lnt_hessian_balanced(ctx, value, &index, m->target, in, N1, N3, h) : LNT_ENOMEM;
    for (int i = 0; i < m->count && status == LNT_OK; i++) {
        if (in[i])
            lnt_text_add(&names, "%s%d", k++ ? "," : "", i + 1);
        else
            missing += m->scale * m->d0 * m->target[i] * m->target[i] / 2;
    }
    if (status == LNT_OK)
        status = lnt_text_status(ctx, &names);
    if (status == LNT_OK) {
        lnt_table *table = lnt_record_table(record, "fixed_points");
        lnt_table_row(table);
        lnt_table_set(table, "modes", "", lnt_string(k ? names.p : "none"));
        lnt_table_set(table, "kind", "", lnt_string(index ? "saddle" : "minimum"));
        lnt_table_set(table, "index", "", lnt_integer(index));
        lnt_table_set(table, "excess", "", lnt_number(missing));
        lnt_table_set(table, "least_eigenvalue", "", lnt_number(m->d0 * value[0]));
        lnt_table_set(table, "largest_eigenvalue", "", lnt_number(m->d0 * value[(size_t)h * (size_t)(N1 + N3) - 1]));
        status = put_hessian(ctx, record, m, value, h * (N1 + N3), k ? names.p : "none");
    }
    lnt_text_free(&names);
    return status;
}

/* All subsets of the modes where these are few, else those that a small start passes, one mode after the other. */
static lnt_status put_fixed_points(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    int r = 0, h = m->net.width[1], *in = lnt_alloc(ctx, (size_t)m->count, sizeof *in);
    size_t unknowns = (size_t)h * (size_t)(m->setup.task.inputs + m->setup.task.outputs);
    lnt_status status = in ? LNT_OK : LNT_ENOMEM;
    if (m->net.depth != 2 || m->isotropy > LNT_MODES_SAME)
        return LNT_OK;
    lnt_record_fact(record, "hessian", "unknowns", "", lnt_integer((long)unknowns));
    lnt_record_fact(record, "hessian", "kept", "", lnt_flag(unknowns <= LNT_MODES_EIGENVALUES));
    if (unknowns > MOST_UNKNOWNS)
        return LNT_OK;
    while (r < m->count && m->target[r] > 0)
        r++;
    bool all = r < 31 && (1L << r) <= MOST_SUBSETS;
    for (long set = 0; status == LNT_OK && set <= (all ? (1L << r) - 1 : r); set++) {
        int size = 0;
        for (int i = 0; i < m->count; i++) {
            in[i] = i < r && (all ? (int)(set >> i & 1) : i < set);
            size += in[i];
        }
        if (size <= h)
            status = put_point(ctx, record, m, in);
    }
    return status;
}

/* ---- Deviations ---- */

/* Root mean squares over modes and times, averaged over the starts. */
static void put_pair(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m, lnt_method simulated,
                     lnt_method predicted, bool halves)
{
    size_t n = (size_t)m->times * (size_t)m->count;
    double a = 0, b = 0, d = 0;
    if (m->why[simulated] || m->why[predicted])
        return;
    for (int i = 0; i < m->runs; i++) {
        lnt_mat x = lnt_mat_view(m->course[simulated][i].strength, (int)n, 1),
                y = lnt_mat_view(m->course[predicted][i].strength, (int)n, 1);
        double square = 0;
        for (size_t j = 0; j < n; j++)
            square += (x.a[j] - y.a[j]) * (x.a[j] - y.a[j]);
        a += lnt_mat_rms(x) / m->runs;
        b += lnt_mat_rms(y) / m->runs;
        d += sqrt(square / (double)n) / m->runs;
    }
    const char *name =
        lnt_sprintf(ctx, "rms(strengths), %s against %s", lnt_method_names[simulated], lnt_method_names[predicted]);
    if (name)
        lnt_record_deviation(record, name, a, b, d, NAN);
    for (int k = 0; halves && k < m->count && k < MOST_COMPARED; k++) {
        double x, y, sd;
        over_starts(&x, &sd, m, simulated, halves_of, (size_t)k, 1);
        over_starts(&y, NULL, m, predicted, halves_of, (size_t)k, 1);
        name = lnt_sprintf(ctx, "half-time of mode %d, %s against %s", k + 1, lnt_method_names[simulated],
                           lnt_method_names[predicted]);
        if (name && isfinite(x) && isfinite(y) && m->target[k] > 0)
            lnt_record_deviation(record, name, x, y, NAN, m->runs > 1 ? sd / sqrt(m->runs) : (double)NAN);
    }
}

/* Half-times where like is compared with like: both discrete, or both flows. */
static void put_deviations(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    for (int simulated = LNT_DESCENT; simulated >= LNT_FLOW; simulated -= LNT_DESCENT - LNT_FLOW)
        for (int predicted = 0; predicted < simulated; predicted++)
            put_pair(ctx, record, m, (lnt_method)simulated, (lnt_method)predicted,
                     simulated == LNT_DESCENT ? predicted == LNT_MAP || (predicted == LNT_FLOW && m->why[LNT_MAP])
                                              : predicted == (m->why[LNT_RICCATI] ? LNT_CLOSED : LNT_RICCATI));
}

/* ---- Assumptions and facts ---- */

static void put_assumptions(lnt_record *record, const lnt_modes_run *m)
{
    double s1 = m->target[0];
    lnt_record_assumption(record, "modes and C_XX share a basis: |V'C_XX V - diag| / max|C_XX|", m->off, LNT_MODES_SAME,
                          "modes are coupled by the inputs: read flow and descent");
    lnt_record_assumption(record, "C_XX is a multiple of I: max deviation / max|C_XX|", m->isotropy, LNT_MODES_SAME,
                          "the Riccati solution does not apply, and modes have clocks of their own");
    lnt_record_assumption(record, "start is lambda-balanced: |W2'W2 - W1 W1' - lambda I| / s_1", m->imbalance / s1,
                          LNT_IMBALANCE_WARN,
                          "the Riccati solution is off by about expected_riccati_error (facts, start)");
    lnt_record_assumption(record, "start is aligned: share of |W|^2 outside the modes", m->misaligned, 1e-12,
                          "closed and map start from the effective strengths of a small start");
    if (!m->why[LNT_DESCENT])
        lnt_record_assumption(record, "step is stable: lr dt over the largest stable one",
                              m->opts->lr * m->opts->dt * m->scale * m->curvature / 2, 1,
                              "descent oscillates or diverges where the flow does not; lower --lr or --dt");
}

static void put_facts(lnt_record *record, const lnt_modes_run *m)
{
    double end = m->t[m->times - 1], s1 = m->target[0];
    int rank = 0;
    while (rank < m->count && m->modes.s[rank] > 0)
        rank++;
    lnt_record_fact(record, "modes", "count", "", lnt_integer(m->count));
    lnt_record_fact(record, "modes", "rank", "", lnt_integer(rank));
    lnt_record_fact(record, "modes", "input_scale", "", lnt_number(m->d0));
    lnt_record_fact(record, "time", "eta", "", lnt_number(m->eta));
    lnt_record_fact(record, "time", "tau", "", lnt_number(1 / m->eta));
    lnt_record_fact(record, "time", "end", "", lnt_number(end));
    lnt_record_fact(record, "time", "end_over_tau", "tau", lnt_number(end * m->eta));
    lnt_record_fact(record, "time", "steps", "", lnt_integer(lround(end / m->opts->dt)));
    lnt_record_fact(record, "time", "largest_stable_lr_dt", "", lnt_number(2 / (m->scale * m->curvature)));
    lnt_record_fact(record, "start", "imbalance", "", lnt_number(m->imbalance));
    lnt_record_fact(record, "start", "misaligned", "", lnt_number(m->misaligned));
    if (m->net.depth == 2) {
        lnt_record_fact(record, "start", "lambda", "", lnt_number(m->lambda));
        lnt_record_fact(record, "start", "expected_riccati_error", "",
                        lnt_number(s1 * lnt_imbalance_error(m->imbalance / s1)));
    }
    if (!m->why[LNT_FLOW]) {
        lnt_record_fact(record, "flow", "steps", "", lnt_integer(m->flow.steps));
        lnt_record_fact(record, "flow", "evaluations", "", lnt_integer(m->flow.evaluations));
        lnt_record_fact(record, "flow", "method", "",
                        lnt_string(m->flow.method == LNT_FLOW_BDF ? "bdf" : "runge-kutta"));
        if (!isnan(m->flow.rest))
            lnt_record_fact(record, "flow", "rest", "tau", lnt_number(m->flow.rest));
    }
}

/* The best time to stop, by the rows held out. */
static void put_overfitting(lnt_record *record, const lnt_modes_run *m)
{
    int method = m->why[LNT_DESCENT] ? LNT_FLOW : LNT_DESCENT, best = 0;
    if (m->why[method] || !m->course[method][0].watch[LNT_WATCH_TEST])
        return;
    const double *test = m->course[method][0].watch[LNT_WATCH_TEST];
    for (int j = 1; j < m->times; j++)
        best = test[j] < test[best] ? j : best;
    lnt_record_fact(record, "overfitting", "best_time", "", lnt_number(m->t[best]));
    lnt_record_fact(record, "overfitting", "best_test_loss", "", lnt_number(test[best]));
    lnt_record_fact(record, "overfitting", "final_test_loss", "", lnt_number(test[m->times - 1]));
}

static void put_warnings(lnt_record *record, const lnt_modes_run *m)
{
    if (m->interrupted) {
        lnt_record_set_interrupted(record);
        lnt_record_warn(record, "interrupted: kept are %d of %d starts", m->runs, m->opts->seeds);
    }
    if (m->trap.trapped) {
        lnt_record_fact(record, "trap", "trapped", "", lnt_flag(true));
        lnt_record_fact(record, "trap", "missed_s", "", lnt_number(m->trap.s_min));
        lnt_record_fact(record, "trap", "excess", "", lnt_number(m->scale * m->trap.excess / m->d0));
        lnt_record_fact(record, "trap", "escape", "tau", lnt_number(m->trap.escape));
        lnt_record_warn(
            record,
            "determinant-sign trap: det W and det C_YX differ in sign at this balanced start; the flow ends "
            "on the saddle without the weakest mode (s = %.4g), and only rounding errors leave it, after "
            "about %.3g tau",
            m->trap.s_min, m->trap.escape);
    }
    for (int k = 0; k < LNT_METHODS; k++)
        if (m->why[k] && strcmp(m->why[k], "not asked for") != 0)
            lnt_record_warn(record, "%s is left out: %s", lnt_method_names[k], m->why[k]);
    if (!m->why[LNT_RICCATI] && m->imbalance > LNT_IMBALANCE_WARN * m->target[0])
        lnt_record_warn(record,
                        "the start is not lambda-balanced (%.3g of s_1): expect riccati to be off by about %.2g",
                        m->imbalance / m->target[0], m->target[0] * lnt_imbalance_error(m->imbalance / m->target[0]));
    if (!m->why[LNT_FLOW] && m->flow.stop != LNT_FLOW_DONE)
        lnt_record_warn(record, "the integration of the flow stopped at t/tau = %.4g", m->flow.t);
    if (!m->why[LNT_DESCENT] && m->opts->lr * m->opts->dt * m->scale * m->curvature > 2)
        lnt_record_warn(record, "lr dt = %.4g is beyond the largest stable step, %.4g: descent does not settle",
                        m->opts->lr * m->opts->dt, 2 / (m->scale * m->curvature));
}

lnt_status lnt_modes_report(lnt_ctx *ctx, lnt_record *record, lnt_modes_run *m)
{
    lnt_options_record(record, lnt_modes_options, m->opts);
    lnt_setup_report(record, &m->setup, &m->opts->task);
    put_facts(record, m);
    put_overfitting(record, m);
    put_warnings(record, m);
    lnt_status status = put_series(ctx, record, m);
    if (status == LNT_OK)
        status = put_modes(ctx, record, m);
    if (status == LNT_OK)
        status = put_fixed_points(ctx, record, m);
    put_deviations(ctx, record, m);
    put_assumptions(record, m);
    if (status == LNT_OK)
        status = lnt_modes_arrays(ctx, record, m);
    return status == LNT_OK ? lnt_modes_figures(ctx, record, m) : status;
}
