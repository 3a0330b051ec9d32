/* The figures of the study of covariance matching. */
#include "matching.h"

#include <math.h>
#include <string.h>

#define MOST_CELLS 200    /* rows of a heat map */
#define MOST_BALANCE 1500 /* cells up to which both sides of equation (1) are made */
#define SPREAD 6          /* weights beyond this many root mean squares share the last colour */
#define BINS 250          /* squares along an axis, of two sides against each other */
#define DOTS 990          /* of one curve */
#define FURTHER 1000      /* the second lambda of the figures, in units of the first */

/* ---- Weights ---- */

/* A large matrix as the means of blocks, with their centres. */
static lnt_status reduce(lnt_ctx *ctx, lnt_mat *B, double **x, lnt_mat A)
{
    int n = A.rows, b = n <= MOST_CELLS ? n : MOST_CELLS;
    *x = NULL;
    if (b == n) {
        *B = A;
        return LNT_OK;
    }
    lnt_status status = lnt_mat_alloc_zero(ctx, B, b, b);
    if (status != LNT_OK || !(*x = lnt_alloc(ctx, (size_t)b, sizeof **x)))
        return LNT_ENOMEM;
    for (int k = 0; k < b; k++)
        (*x)[k] = (k + 0.5) * n / b + 0.5;
    double *count = lnt_alloc_zero(ctx, (size_t)b, sizeof *count);
    if (!count)
        return LNT_ENOMEM;
    for (int i = 0; i < n; i++)
        count[(long)i * b / n]++;
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            int bi = (int)((long)i * b / n), bj = (int)((long)j * b / n);
            *lnt_at(*B, bi, bj) += *lnt_at(A, i, j) / (count[bi] * count[bj]);
        }
    return LNT_OK;
}

/* W, and where there is a linear solution beside it that one and the difference, all in one scale. */
static lnt_status put_weights(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c, lnt_mat W)
{
    static const char *const titles[] = {"W", "W, linear model", "difference"};
    bool both = c->linear && c->opts->method != LNT_MATCHING_LINEAR && W.rows <= LNT_MATCHING_DENSE;
    int panels = both ? 3 : 1;
    lnt_mat A[3] = {W}, shown[3];
    double *x[3], largest = fmax(lnt_mat_max(W), 1e-300), most = fmin(largest, SPREAD * lnt_mat_rms(W));
    lnt_status status = LNT_OK;
    for (int p = 1; p < panels && status == LNT_OK; p++)
        status = lnt_mat_alloc(ctx, &A[p], W.rows, W.cols);
    if (status == LNT_OK && both) {
        status = lnt_matching_weights(ctx, A[1], c, &c->linear[c->chosen]);
        lnt_mat_copy(A[2], W);
        lnt_mat_add(A[2], -1, A[1]);
    }
    lnt_image image[3];
    lnt_panel panel[3];
    for (int p = 0; p < panels && status == LNT_OK; p++) {
        status = reduce(ctx, &shown[p], &x[p], A[p]);
        image[p] = (lnt_image){"", shown[p], x[p], x[p], -most, most};
        panel[p] = (lnt_panel){.title = titles[p], .xlabel = "from cell", .ylabel = "to cell", .image = &image[p]};
    }
    if (status != LNT_OK)
        return status;
    const char *caption =
        lnt_sprintf(ctx, "The change of wiring W = Z - I (%s) at lambda = %.4g%s; one scale of colours, up to %.3g%s.",
                    lnt_matching_methods[c->opts->method], c->lambda[c->chosen],
                    both ? ", the linear model's at the same lambda, and their difference" : "", most,
                    most < largest ? " (larger weights have the last colour)" : "");
    const lnt_figure figure = {"weights", caption ? caption : "", panels, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- Both sides of equation (1) ---- */

typedef struct balance {
    double *x, *y, line[2], low, high, unit;
    int n;
    lnt_curve curve[2];
    const char *title;
} balance;

/* An entry for each of bins x bins squares that holds any; how many there are. */
static int pick_entries(balance *b, lnt_mat left, lnt_mat right, unsigned char *taken, int bins, bool keep)
{
    double width = fmax(b->high - b->low, 1e-300) / bins;
    int n = 0;
    memset(taken, 0, (size_t)bins * (size_t)bins);
    for (int j = 0; j < left.cols; j++)
        for (int i = 0; i < left.rows; i++) {
            double x = *lnt_at(left, i, j) / b->unit, y = *lnt_at(right, i, j) / b->unit;
            int col = (int)((x - b->low) / width), row = (int)((y - b->low) / width);
            unsigned char *square = &taken[(row < bins ? row : bins - 1) * bins + (col < bins ? col : bins - 1)];
            if (keep && !*square) {
                b->x[n] = x;
                b->y[n] = y;
            }
            n += !*square;
            *square = 1;
        }
    return n;
}

static lnt_status draw_sides(lnt_ctx *ctx, balance *b, lnt_mat left, lnt_mat right)
{
    unsigned char *taken = lnt_alloc(ctx, BINS * BINS, 1);
    if (!taken)
        return LNT_ENOMEM;
    b->unit = fmax(lnt_mat_max(left), 1e-300);
    b->low = INFINITY;
    b->high = -INFINITY;
    const lnt_mat both[] = {left, right};
    for (int k = 0; k < 2; k++)
        for (int j = 0; j < left.cols; j++)
            for (int i = 0; i < left.rows; i++) {
                b->low = fmin(b->low, *lnt_at(both[k], i, j) / b->unit);
                b->high = fmax(b->high, *lnt_at(both[k], i, j) / b->unit);
            }
    int bins = BINS;
    while (bins > 20 && pick_entries(b, left, right, taken, bins, false) > DOTS)
        bins = bins * 4 / 5;
    b->n = pick_entries(b, left, right, taken, bins, true);
    b->line[0] = b->low;
    b->line[1] = b->high;
    b->curve[0] = (lnt_curve){"entries", LNT_CURVE_DOTS, b->n, b->x, b->y, NULL};
    b->curve[1] = (lnt_curve){"identity", LNT_CURVE_THEORY, 2, b->line, b->line, NULL};
    return LNT_OK;
}

static lnt_status make_balance(lnt_ctx *ctx, balance *b, const lnt_matching *c, const lnt_match_fit *fit)
{
    const lnt_match *m = &c->task.problem;
    lnt_mat left, right;
    double misfit, r2;
    b->x = lnt_alloc(ctx, BINS * BINS, sizeof *b->x);
    b->y = lnt_alloc(ctx, BINS * BINS, sizeof *b->y);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = b->x && b->y ? lnt_mat_alloc(ctx, &left, m->cells, m->cells) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &right, m->cells, m->cells);
    if (status == LNT_OK)
        status = lnt_match_balance(ctx, &misfit, &r2, &left, &right, m, fit);
    if (status == LNT_OK)
        status = draw_sides(ctx, b, left, right);
    lnt_ctx_reset(ctx, mark);
    if (status != LNT_OK)
        return status;
    b->title = lnt_sprintf(ctx, "lambda = %.3g: misfit %.3g, R^2 = %.4g", fit->lambda, misfit, r2);
    return b->title ? LNT_OK : LNT_ENOMEM;
}

static lnt_status put_balance(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c, const lnt_match_fit *further)
{
    balance *b = lnt_alloc(ctx, 2, sizeof *b);
    lnt_panel panel[2];
    lnt_status status = b ? LNT_OK : LNT_ENOMEM;
    for (int p = 0; p < 2 && status == LNT_OK; p++) {
        status = make_balance(ctx, &b[p], c, p == 0 ? &c->answer[c->chosen].fit : further);
        panel[p] = (lnt_panel){.title = b[p].title,
                               .xlabel = "2 X E0 X', over its largest entry",
                               .ylabel = "4 A W A + lambda W, in the same unit",
                               .curves = 2,
                               .curve = b[p].curve};
    }
    if (status != LNT_OK)
        return status;
    const lnt_figure figure = {
        "balance",
        "Equation (1) at the optimum of the full problem, all N^2 entries: on the identity where the "
        "square of W may be neglected. Left at the chosen lambda, right at 1000 times that.",
        2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- Diagonal over the rest ---- */

/* At most DOTS of n values, over 0 .. 1 by their place, that keep the extremes of every stretch. */
static int thin(double *x, double *y, lnt_mat W, bool diagonal)
{
    long N = W.rows, n = diagonal ? N : N * (N - 1), stretches = n <= DOTS ? n : DOTS / 3;
    int kept = 0;
    for (long s = 0, at = 0; s < stretches; s++) {
        long end = (s + 1) * n / stretches;
        double low = INFINITY, high = -INFINITY, first = 0;
        for (long k = at; k < end; k++) { /* off the diagonal column by column */
            long j = diagonal ? k : k / (N - 1), i = diagonal ? k : k % (N - 1);
            double w = *lnt_at(W, (int)(diagonal ? k : i + (i >= j)), (int)j);
            first = k == at ? w : first;
            low = fmin(low, w);
            high = fmax(high, w);
        }
        const double values[] = {first, low, high};
        for (int v = 0; v < (end - at > 1 ? 3 : 1); v++, kept++) {
            x[kept] = ((double)(at + end) / 2 - 0.5) / (double)(n > 1 ? n - 1 : 1);
            y[kept] = values[v];
        }
        at = end;
    }
    return kept;
}

static lnt_status put_diagonal(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c, lnt_mat W,
                               const lnt_mat *further)
{
    int panels = further ? 2 : 1;
    double *x = lnt_alloc(ctx, 8 * (DOTS + 3), sizeof *x);
    lnt_curve curve[2][2];
    lnt_panel panel[2];
    if (!x)
        return LNT_ENOMEM;
    for (int p = 0; p < panels; p++) {
        for (int k = 0; k < 2; k++) {
            double *px = x + (size_t)(4 * p + 2 * k) * (DOTS + 3), *py = px + DOTS + 3;
            int n = thin(px, py, p == 0 ? W : *further, k == 1);
            curve[p][k] = (lnt_curve){k == 0 ? "off the diagonal" : "diagonal", LNT_CURVE_DOTS, n, px, py, NULL};
        }
        const char *title = lnt_sprintf(ctx, "lambda = %.3g", c->lambda[c->chosen] * (p == 0 ? 1 : FURTHER));
        if (!title)
            return LNT_ENOMEM;
        panel[p] = (lnt_panel){.title = title,
                               .xlabel = "place among its own kind, first to last",
                               .ylabel = "weight",
                               .curves = 2,
                               .curve = curve[p]};
    }
    const lnt_figure figure = {
        "diagonal",
        "Weights of cells onto themselves over those onto others, each kind along an axis of its own "
        "(large numbers of weights by the extremes of stretches).",
        panels, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- The path ---- */

typedef struct path_panels {
    double *lam0, *y, mark[2], ends[3][2];
    int n; /* values used of y */
    lnt_curve curve[3][6];
    int curves[3];
    double low[3], high[3];
} path_panels;

static void add_curve(path_panels *f, int panel, const char *label, const double *y, int count, double limit)
{
    lnt_curve *curve = &f->curve[panel][f->curves[panel]++];
    *curve = (lnt_curve){label, LNT_CURVE_POINTS, count, f->lam0, y, NULL};
    for (int k = 0; k < count; k++)
        if (isfinite(y[k]) && fabs(y[k]) <= limit) {
            f->low[panel] = fmin(f->low[panel], y[k]);
            f->high[panel] = fmax(f->high[panel], y[k]);
        }
}

enum { R2_TRAIN, R2_TEST, R2_VALIDATION, R2_HELD, RATIO, RATIO_VALIDATION, ETA, RADIUS, LINEAR_RADIUS, PATH_CURVES };

static double path_value(const lnt_matching *c, int what, int k)
{
    const lnt_matching_answer *a = &c->answer[k];
    switch (what) {
    case R2_TRAIN:
    case R2_TEST:
    case R2_VALIDATION:
        return a->r2[what];
    case R2_HELD:
        return c->folds ? c->cv.held[k] : (double)NAN;
    case RATIO:
        return c->folds ? c->cv.ratio_all[k]
                        : a->ratio[lnt_matching_has_part(&c->task, LNT_TEST) ? LNT_TEST : LNT_TRAIN];
    case RATIO_VALIDATION:
        return a->ratio[LNT_VALIDATION];
    case ETA:
        return a->eta;
    case RADIUS:
        return a->fit.radius;
    default:
        return a->linear_radius;
    }
}

/* Curves far below 0 would flatten all others: they leave the panel. */
#define R2_SHOWN 1.5

static void make_path(path_panels *f, const lnt_matching *c, const int *order)
{
    static const char *const labels[] = {"train",      "test", "validation",  "stimuli held out",    "criterion",
                                         "validation", "eta",  "radius of W", "radius, linear model"};
    static const int place[] = {0, 0, 0, 0, 1, 1, 2, 2, 2};
    for (int p = 0; p < 3; p++) {
        f->low[p] = INFINITY;
        f->high[p] = -INFINITY;
    }
    for (int k = 0; k < c->count; k++)
        f->lam0[k] = lnt_match_lam0(c->lambda[order[k]], c->task.cells, c->task.stimuli);
    for (int what = 0; what < PATH_CURVES; what++) {
        double *y = f->y + (size_t)what * (size_t)c->count, limit = what <= R2_HELD ? R2_SHOWN : INFINITY;
        bool any = false;
        for (int k = 0; k < c->count; k++) {
            double value = path_value(c, what, order[k]);
            y[k] = fabs(value) <= limit && (what < ETA || value > 0) ? value : (double)NAN;
            any = any || isfinite(y[k]);
        }
        if (any && !(what == LINEAR_RADIUS && c->opts->method == LNT_MATCHING_LINEAR))
            add_curve(f, place[what], labels[what], y, c->count, limit);
    }
    f->mark[0] = f->mark[1] = lnt_match_lam0(c->lambda[c->chosen], c->task.cells, c->task.stimuli);
    for (int p = 0; p < 3; p++) {
        f->ends[p][0] = f->low[p];
        f->ends[p][1] = f->high[p];
        f->curve[p][f->curves[p]++] = (lnt_curve){"chosen", LNT_CURVE_THEORY, 2, f->mark, f->ends[p], NULL};
    }
}

static lnt_status put_path(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c)
{
    path_panels f = {.lam0 = lnt_alloc(ctx, (size_t)c->count, sizeof(double)),
                     .y = lnt_alloc(ctx, PATH_CURVES * (size_t)c->count, sizeof(double))};
    int *order = lnt_alloc(ctx, (size_t)c->count, sizeof *order);
    if (!f.lam0 || !f.y || !order)
        return LNT_ENOMEM;
    for (int i = 0; i < c->count; i++) {
        int j = i;
        for (; j > 0 && c->lambda[order[j - 1]] > c->lambda[i]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    make_path(&f, c, order);
    const char *x = "lam0 (lambda of the mean form)";
    const lnt_panel panel[] = {
        {.title = "fit", .xlabel = x, .ylabel = "R^2", .logx = true, .curves = f.curves[0], .curve = f.curve[0]},
        {.title = "error over that of no change",
         .xlabel = x,
         .ylabel = "ratio",
         .logx = true,
         .curves = f.curves[1],
         .curve = f.curve[1]},
        {.title = "is the linear model good enough?",
         .xlabel = x,
         .ylabel = "eta, radius",
         .logx = true,
         .logy = true,
         .curves = f.curves[2],
         .curve = f.curve[2]}};
    const lnt_figure figure = {
        "path",
        "Fit, error relative to that of no change, and the size of the weights over lambda; dashed "
        "the one that was chosen. R^2 beyond -1.5 lies outside.",
        f.curves[2] > 1 ? 3 : 2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* ---- All ---- */

lnt_status lnt_matching_figures(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c, lnt_mat W)
{
    const lnt_match *m = &c->task.problem;
    bool full = c->opts->method == LNT_MATCHING_FULL && c->opts->rank == 0,
         further = full && W.a && m->rank > 0 && m->pairs == 1 && W.rows <= MOST_BALANCE;
    lnt_match_fit fit;
    lnt_mat W2;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = W.a ? put_weights(ctx, record, c, W) : LNT_OK;
    lnt_ctx_reset(ctx, mark);
    if (status == LNT_OK && further)
        status = lnt_match_full(ctx, &fit, m, FURTHER * c->lambda[c->chosen], NULL);
    if (status == LNT_OK && further && m->centred && !c->answer[c->chosen].fit.T.a && !fit.T.a)
        status = put_balance(ctx, record, c, &fit);
    if (status == LNT_OK && further)
        status = lnt_mat_alloc(ctx, &W2, W.rows, W.cols);
    if (status == LNT_OK && further)
        status = lnt_match_weights(ctx, W2, m, &fit);
    if (status == LNT_OK && W.a && W.rows > 1)
        status = put_diagonal(ctx, record, c, W, further ? &W2 : NULL);
    lnt_ctx_reset(ctx, mark);
    return status == LNT_OK && c->count > 1 ? put_path(ctx, record, c) : status;
}
