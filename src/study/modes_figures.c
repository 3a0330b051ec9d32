/* The figures of the modes study: strengths, similarities of the hidden layer, the spectrum. */
#include "modes.h"

#include "linnet/linalg.h"

#include <math.h>

#define MOST_DRAWN 6

/* ---- Strengths: theory dashed, runs as points ---- */

/* The descent, and over it one theory: the closed one if there is one. */
static int drawn_theory(const lnt_modes_run *m)
{
    static const int order[] = {LNT_RICCATI, LNT_CLOSED, LNT_FLOW, LNT_MAP};
    for (int k = 0; k < 4; k++)
        if (!m->why[order[k]])
            return order[k];
    return LNT_DESCENT;
}

static lnt_status put_strengths(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    int drawn = m->count < MOST_DRAWN ? m->count : MOST_DRAWN, n = 0, losses = 0, theory = drawn_theory(m);
    lnt_curve curve[2 * MOST_DRAWN], loss[2];
    double *values = lnt_alloc(ctx, (size_t)2 * MOST_DRAWN * (size_t)m->times, sizeof *values);
    if (!values)
        return LNT_ENOMEM;
    bool positive = true;
    for (int pass = 0; pass < 2; pass++) {
        int k = pass == 0 ? LNT_DESCENT : theory;
        lnt_curve_style style = pass == 0 ? LNT_CURVE_POINTS : LNT_CURVE_THEORY;
        if (m->why[k] || (pass == 1 && theory == LNT_DESCENT))
            continue;
        for (int i = 0; i < drawn; i++, n++) {
            double *y = values + (size_t)n * (size_t)m->times;
            for (int j = 0; j < m->times; j++)
                y[j] = m->course[k][0].strength[(size_t)j * (size_t)m->count + (size_t)i];
            const char *label = pass == 0 ? lnt_sprintf(ctx, "%s, mode %d", lnt_method_names[k], i + 1)
                                : i       ? ""
                                          : lnt_method_names[k];
            if (!label)
                return LNT_ENOMEM;
            curve[n] = (lnt_curve){label, style, m->times, m->t, y, NULL};
        }
        const double *y = m->course[k][0].watch[LNT_WATCH_LOSS];
        for (int j = 0; j < m->times; j++)
            positive = positive && y[j] > 0;
        loss[losses++] = (lnt_curve){lnt_method_names[k], style, m->times, m->t, y, NULL};
    }
    const lnt_panel panel[] = {{.title = "",
                                .xlabel = "time t (tau = 1/eta)",
                                .ylabel = "strength of mode, u'Wv",
                                .curves = n,
                                .curve = curve},
                               {.title = "",
                                .xlabel = "time t (tau = 1/eta)",
                                .ylabel = "loss",
                                .logy = positive,
                                .curves = losses,
                                .curve = loss}};
    const lnt_figure figure = {
        "modes", "Strengths of the first modes and the loss over time: gradient descent as points, theory dashed.", 2,
        panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- Similarities of the hidden layer ---- */

#define MOST_PANELS 4

/* The method whose similarities are drawn: what was run, else theory. */
static int drawn_similarity(const lnt_modes_run *m)
{
    static const int order[] = {LNT_DESCENT, LNT_FLOW, LNT_RICCATI};
    for (int k = 0; k < 3; k++)
        if (!m->why[order[k]] && m->course[order[k]][0].A && m->course[order[k]][0].watch[LNT_WATCH_ALIGNMENT])
            return order[k];
    return -1;
}

/* Output times: the start, the first ones after modes have half their strength, the end. */
static int choose_times(int chosen[MOST_PANELS], const lnt_modes_run *m, int method)
{
    int n = 0, last = m->times - 1;
    chosen[n++] = 0;
    for (int i = 0; i < m->count && n < MOST_PANELS - 1; i++) {
        int j = 0;
        while (j < last && !(m->t[j] >= m->course[method][0].half[i]))
            j++;
        if (j > chosen[n - 1] && j < last)
            chosen[n++] = j;
    }
    if (last > chosen[n - 1])
        chosen[n++] = last;
    return n;
}

static lnt_status put_similarities(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    int method = drawn_similarity(m), inputs = m->setup.task.inputs, chosen[MOST_PANELS];
    if (method < 0 || inputs < 2)
        return LNT_OK;
    int n = choose_times(chosen, m, method);
    double low = INFINITY, high = -INFINITY; /* of all panels: what grows is to be seen */
    for (int p = 0; p < n; p++) {
        const lnt_mat A = m->course[method][0].A[chosen[p]];
        for (int i = 0; i < inputs * inputs; i++) {
            low = fmin(low, A.a[i]);
            high = fmax(high, A.a[i]);
        }
    }
    lnt_image image[MOST_PANELS];
    lnt_panel panel[MOST_PANELS];
    for (int p = 0; p < n; p++) {
        const char *title = lnt_sprintf(ctx, "t = %.4g", m->t[chosen[p]]);
        if (!title)
            return LNT_ENOMEM;
        image[p] =
            (lnt_image){.label = "similarity", .entries = m->course[method][0].A[chosen[p]], .low = low, .high = high};
        panel[p] = (lnt_panel){.title = title, .xlabel = "input", .ylabel = "input", .image = &image[p]};
    }
    const char *caption =
        lnt_sprintf(ctx,
                    "Similarity of the hidden layer between inputs, C_XX^{1/2} W1' W1 C_XX^{1/2}, by %s: "
                    "at the start, as modes reach half their strength, and at the end.",
                    lnt_method_names[method]);
    if (!caption)
        return LNT_ENOMEM;
    const lnt_figure figure = {"similarity", caption, n, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- Spectrum ---- */

#define MOST_EIGENVALUES 2000 /* of C_XX */

/* What the data give: strengths of C_YX, and variances of the inputs that are not rounding errors. */
static lnt_status draw_data(lnt_ctx *ctx, lnt_panel *panel, lnt_curve curve[2], const lnt_modes_run *m,
                            const double *index)
{
    const lnt_mat Sxx = m->setup.all.Sxx;
    double *variance = lnt_alloc(ctx, (size_t)Sxx.rows, sizeof *variance);
    int r = 0, v = 0;
    lnt_mat V, A;
    lnt_status status = variance ? lnt_mat_alloc(ctx, &V, Sxx.rows, Sxx.rows) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, Sxx.rows, Sxx.rows);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(A, Sxx);
    if ((status = lnt_eigh(ctx, variance, V, A)) != LNT_OK)
        return status;
    while (r < m->count && m->modes.s[r] > 0)
        r++;
    for (int i = 0; i < Sxx.rows / 2; i++) { /* descending */
        double other = variance[Sxx.rows - 1 - i];
        variance[Sxx.rows - 1 - i] = variance[i];
        variance[i] = other;
    }
    while (v < Sxx.rows && variance[v] > 1e-12 * variance[0])
        v++;
    curve[0] = (lnt_curve){"singular values of C_YX", LNT_CURVE_MARKS, r, index, m->modes.s, NULL};
    curve[1] = (lnt_curve){"eigenvalues of C_XX", LNT_CURVE_POINTS, v, index, variance, NULL};
    *panel = (lnt_panel){.title = "", .xlabel = "index", .ylabel = "", .logy = true, .curves = 2, .curve = curve};
    return LNT_OK;
}

static lnt_status put_spectrum(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    bool white = m->isotropy <= LNT_MODES_SAME || m->setup.task.inputs > MOST_EIGENVALUES;
    int n = m->count > m->setup.task.inputs ? m->count : m->setup.task.inputs, drawn = 0;
    lnt_curve curve[LNT_METHODS + 1], data[2];
    lnt_panel panel[2];
    double *index = lnt_alloc(ctx, (size_t)n, sizeof *index);
    if (!index)
        return LNT_ENOMEM;
    for (int i = 0; i < n; i++)
        index[i] = i + 1;
    for (int k = LNT_METHODS - 1; k >= 0; k--)
        if (!m->why[k])
            curve[drawn++] = (lnt_curve){lnt_method_names[k],
                                         k == LNT_DESCENT ? LNT_CURVE_POINTS : LNT_CURVE_THEORY,
                                         m->count,
                                         index,
                                         m->course[k][0].strength + (size_t)(m->times - 1) * (size_t)m->count,
                                         NULL};
    curve[drawn++] = (lnt_curve){m->best.a    ? "least-squares map"
                                 : m->d0 == 1 ? "singular values of C_YX"
                                              : "targets: singular values over variances",
                                 LNT_CURVE_MARKS,
                                 m->count,
                                 index,
                                 m->target,
                                 NULL};
    panel[0] = (lnt_panel){
        .title = "", .xlabel = "mode", .ylabel = "strength at the end, u'Wv", .curves = drawn, .curve = curve};
    lnt_status status = white ? LNT_OK : draw_data(ctx, &panel[1], data, m, index);
    const lnt_figure figure = {
        "spectrum",
        white ? "Strengths of the modes at the end by every method, and those to be learned (dots)."
              : "Left: strengths of the modes at the end by every method, and those to be learned (dots). Right: "
                "singular values of C_YX, and eigenvalues of C_XX, on which the time scales depend.",
        white ? 1 : 2, panel};
    if (status == LNT_OK)
        lnt_record_figure(record, &figure);
    return status;
}

lnt_status lnt_modes_figures(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m)
{
    lnt_status status = put_strengths(ctx, record, m);
    if (status == LNT_OK)
        status = put_similarities(ctx, record, m);
    return status == LNT_OK && m->count > 1 ? put_spectrum(ctx, record, m) : status;
}
