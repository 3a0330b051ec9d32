/* The phase portrait of one mode. */
#include "linnet/flow.h"
#include "linnet/modes.h"
#include "setup.h"

#include <math.h>

extern const lnt_option lnt_phase_options[];

#define TIMES 201
#define STARTS 10
#define BRANCH 81 /* points of a branch of the hyperbola */

void lnt_phase_defaults(lnt_phase_opts *opts)
{
    *opts = (lnt_phase_opts){.s = 1};
}

typedef struct portrait {
    const lnt_phase_opts *opts;
    double s, range, end;
    double T[TIMES];
    double a[STARTS][TIMES], b[STARTS][TIMES];           /* in closed form */
    double flow_a[STARTS][TIMES], flow_b[STARTS][TIMES]; /* integrated */
    double hyperbola[2][BRANCH], product[2][BRANCH];     /* a, and b = s/a, of both branches */
} portrait;

/* Starts in all octants, one on the separatrix, and one with a product beyond s. */
static void set_starts(portrait *p)
{
    double r = 0.9 * p->range, sign = p->s < 0 ? -1 : 1;
    for (int k = 0; k < 8; k++) {
        double angle = 3.14159265358979323846 * (k + 0.5) / 4, radius = k % 2 ? r : 0.55 * r;
        p->a[k][0] = radius * cos(angle);
        p->b[k][0] = radius * sin(angle);
    }
    p->a[8][0] = 0.7 * r;
    p->b[8][0] = -sign * 0.7 * r;
    p->a[9][0] = 0.9 * r;
    p->b[9][0] = sign * 0.8 * r;
}

/* ---- Trajectories ---- */

static int slope(double *dy, double t, const double *y, void *user)
{
    double rest = *(const double *)user - y[0] * y[1];
    (void)t;
    dy[0] = rest * y[1];
    dy[1] = rest * y[0];
    return 0;
}

static lnt_status follow(lnt_ctx *ctx, portrait *p, int k)
{
    double y0[2] = {p->a[k][0], p->b[k][0]};
    lnt_flow_opts opts;
    lnt_mat Y;
    const lnt_ode ode = {.size = 2, .slope = slope, .user = &p->s};
    for (int j = 1; j < TIMES; j++)
        lnt_mode_at(&p->a[k][j], &p->b[k][j], &y0[0], &y0[1], 1, p->s, p->T[j]);
    lnt_flow_defaults(&opts);
    opts.rtol = 1e-11;
    lnt_status status = lnt_mat_alloc(ctx, &Y, 2, TIMES);
    if (status == LNT_OK)
        status = lnt_flow(ctx, Y, NULL, &ode, y0, 0, p->T, TIMES, &opts);
    for (int j = 0; j < TIMES && status == LNT_OK; j++) {
        p->flow_a[k][j] = *lnt_at(Y, 0, j);
        p->flow_b[k][j] = *lnt_at(Y, 1, j);
    }
    return status;
}

static lnt_status put_trajectories(lnt_ctx *ctx, lnt_record *record, const portrait *p)
{
    lnt_record_series(record, "t_over_tau", "tau", p->T, TIMES);
    for (int k = 0; k < STARTS; k++) {
        const char *a = lnt_sprintf(ctx, "a/%d", k + 1), *b = lnt_sprintf(ctx, "b/%d", k + 1);
        if (!a || !b)
            return LNT_ENOMEM;
        lnt_record_series(record, a, "", p->a[k], TIMES);
        lnt_record_series(record, b, "", p->b[k], TIMES);
    }
    for (int k = 0; k < STARTS; k++) {
        double a0 = p->a[k][0], b0 = p->b[k][0], a = p->a[k][TIMES - 1], b = p->b[k][TIMES - 1], apart = 0;
        lnt_table *table = lnt_record_table(record, "trajectories");
        bool separatrix = k == 8;
        for (int j = 0; j < TIMES; j++)
            apart = fmax(apart, hypot(p->a[k][j] - p->flow_a[k][j], p->b[k][j] - p->flow_b[k][j]));
        lnt_table_row(table);
        lnt_table_set(table, "start", "", lnt_integer(k + 1));
        lnt_table_set(table, "a0", "", lnt_number(a0));
        lnt_table_set(table, "b0", "", lnt_number(b0));
        lnt_table_set(table, "invariant", "", lnt_number(b0 * b0 - a0 * a0));
        lnt_table_set(table, "a_end", "", lnt_number(a));
        lnt_table_set(table, "b_end", "", lnt_number(b));
        lnt_table_set(table, "product_end", "", lnt_number(a * b));
        lnt_table_set(table, "goes_to", "",
                      lnt_string(separatrix  ? "origin (separatrix)"
                                 : p->s == 0 ? "axes"
                                             : "hyperbola"));
        const char *name = lnt_sprintf(ctx, "end of trajectory %d: product", k + 1);
        if (!name)
            return LNT_ENOMEM;
        /* rounding drives the integration off the separatrix: only the closed form stays on it */
        if (!separatrix)
            lnt_record_deviation(record, name, p->flow_a[k][TIMES - 1] * p->flow_b[k][TIMES - 1], a * b, apart, NAN);
    }
    return LNT_OK;
}

/* ---- Fixed points ---- */

static void put_point(lnt_record *record, lnt_point p)
{
    static const char *const kinds[] = {"moving", "saddle", "line of fixed points, attracting", "degenerate"};
    lnt_table *table = lnt_record_table(record, "fixed_points");
    lnt_table_row(table);
    lnt_table_set(table, "a", "", lnt_number(p.a));
    lnt_table_set(table, "b", "", lnt_number(p.b));
    lnt_table_set(table, "kind", "", lnt_string(kinds[p.kind]));
    lnt_table_set(table, "eigenvalue_1", "1/tau", lnt_number(p.value[0]));
    lnt_table_set(table, "eigenvalue_2", "1/tau", lnt_number(p.value[1]));
    lnt_table_set(table, "v1_a", "", lnt_number(p.vector[0][0]));
    lnt_table_set(table, "v1_b", "", lnt_number(p.vector[0][1]));
    lnt_table_set(table, "v2_a", "", lnt_number(p.vector[1][0]));
    lnt_table_set(table, "v2_b", "", lnt_number(p.vector[1][1]));
    lnt_table_set(table, "J_aa", "1/tau", lnt_number(p.J[0][0]));
    lnt_table_set(table, "J_ab", "1/tau", lnt_number(p.J[0][1]));
    lnt_table_set(table, "J_bb", "1/tau", lnt_number(p.J[1][1]));
}

/* The origin, the two points of the hyperbola nearest to it, which are the least stiff ones, and others along it; for
 * s = 0 points of both axes. */
static void put_fixed_points(lnt_record *record, const portrait *p)
{
    double root = p->s == 0 ? p->range / 2 : sqrt(fabs(p->s));
    static const double along[] = {1, -1, 0.5, -0.5, 2, -2};
    put_point(record, lnt_point_fixed(0, p->s));
    for (int k = 0; k < 6; k++)
        put_point(record, lnt_point_fixed(along[k] * root, p->s));
    for (int k = 0; p->s == 0 && k < 2; k++)
        put_point(record, lnt_point_at(0, along[k] * root, 0));
}

/* ---- Figure ---- */

static void set_hyperbola(portrait *p)
{
    double least = fmax(fabs(p->s) / p->range, 1e-3 * p->range);
    for (int side = 0; side < 2; side++)
        for (int j = 0; j < BRANCH; j++) {
            double a = (side ? -1 : 1) * least * pow(p->range / least, j / (BRANCH - 1.0));
            p->hyperbola[side][j] = a;
            p->product[side][j] = p->s / a;
        }
}

static void put_figure(lnt_record *record, const portrait *p)
{
    double axis[2] = {-p->range, p->range}, zero[2] = {0, 0}, diagonal[2] = {p->range, -p->range};
    double a[STARTS], b[STARTS], product[3][TIMES];
    lnt_curve curve[STARTS + 8];
    int n = 0, shown[] = {0, 8, 9};
    if (p->s < 0)
        diagonal[0] = -p->range, diagonal[1] = p->range;
    for (int side = 0; side < 2 && p->s != 0; side++)
        curve[n++] = (lnt_curve){
            side ? "" : "fixed points, ab = s", LNT_CURVE_THEORY, BRANCH, p->hyperbola[side], p->product[side], NULL};
    curve[n++] =
        (lnt_curve){p->s == 0 ? "fixed points: the axes" : "a = 0, b = 0", LNT_CURVE_THEORY, 2, axis, zero, NULL};
    curve[n++] = (lnt_curve){"", LNT_CURVE_THEORY, 2, zero, axis, NULL};
    if (p->s != 0)
        curve[n++] = (lnt_curve){"separatrix", LNT_CURVE_LINE, 2, axis, diagonal, NULL};
    for (int k = 0; k < STARTS; k++) {
        a[k] = p->a[k][0];
        b[k] = p->b[k][0];
        curve[n++] = (lnt_curve){"", LNT_CURVE_LINE, TIMES, p->a[k], p->b[k], NULL};
    }
    curve[n++] = (lnt_curve){"starts", LNT_CURVE_MARKS, STARTS, a, b, NULL};
    lnt_curve strength[4];
    for (int i = 0; i < 3; i++) {
        static const char *const labels[] = {"start 1", "start 9, on the separatrix", "start 10, beyond s"};
        for (int j = 0; j < TIMES; j++)
            product[i][j] = p->a[shown[i]][j] * p->b[shown[i]][j];
        strength[i] = (lnt_curve){labels[i], LNT_CURVE_LINE, TIMES, p->T, product[i], NULL};
    }
    double level[2] = {p->s, p->s}, span[2] = {0, p->end};
    strength[3] = (lnt_curve){"s", LNT_CURVE_THEORY, 2, span, level, NULL};
    const lnt_panel panel[] = {
        {.title = "", .xlabel = "a", .ylabel = "b", .curves = n, .curve = curve},
        {.title = "", .xlabel = "time t/tau", .ylabel = "product ab", .curves = 4, .curve = strength}};
    const lnt_figure figure = {"phase",
                               "The plane of one mode: nullclines dashed, on the hyperbola fixed points; trajectories "
                               "along arcs of constant b^2 - a^2; right, the products of three of them.",
                               2, panel};
    lnt_record_figure(record, &figure);
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_phase_opts *opts = user;
    if (opts->s != 0 && fabs(opts->s) < 1e-150)
        return lnt_fail(ctx, LNT_EUSAGE, "--s %g: 0, or a size from 1e-150 to 1e100, is needed", opts->s);
    portrait *p = lnt_alloc_zero(ctx, 1, sizeof *p);
    lnt_status status = p ? LNT_OK : LNT_ENOMEM;
    if (!p)
        return status;
    double scale = sqrt(fabs(opts->s));
    *p = (portrait){.opts = opts, .s = opts->s, .range = opts->range > 0 ? opts->range : scale > 0 ? 2.5 * scale : 1};
    p->end = opts->time > 0 ? opts->time : p->s != 0 ? 4 / fabs(p->s) : 20 / (p->range * p->range);
    for (int j = 0; j < TIMES; j++)
        p->T[j] = p->end * j / (TIMES - 1);
    set_starts(p);
    set_hyperbola(p);
    for (int k = 0; k < STARTS && status == LNT_OK; k++)
        status = follow(ctx, p, k);
    lnt_record_fact(record, "mode", "s", "", lnt_number(p->s));
    lnt_record_fact(record, "mode", "separatrix", "",
                    lnt_string(p->s > 0   ? "a = -b"
                               : p->s < 0 ? "a = b"
                                          : "none: both axes are fixed"));
    put_fixed_points(record, p);
    if (status == LNT_OK)
        status = put_trajectories(ctx, record, p);
    put_figure(record, p);
    return status;
}

lnt_status lnt_phase_study(lnt_ctx *ctx, lnt_record *record, const lnt_phase_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_phase_options, opts, study);
}
