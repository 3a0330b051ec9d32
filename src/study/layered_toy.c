/* Two pairs of vectors against one, |V U' - v1 u1' - v2 u2'|_F^2 with weight decay. */
#include "layered.h"
#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

#define OUT 6 /* components of V and U where pairs are trained */
#define IN 5
#define STEP .05
#define TURN_STEP .2
#define TURNS 10     /* starts for the best directions */
#define GRID 61      /* of the landscape, from 0 to 1.5 */
#define LANDSCAPE .5 /* its Lambda */

static const int shapes[][2] = {{1, 1}, {2, 2}, {3, 3}, {2, 5}, {6, 5}, {20, 30}};
static const double Lambdas[] = {.2, .5, 1, 1.5, 2.5};
static const double sides[][2] = {{.1, .2}, {.3, .4}, {.7, .8}, {1, 1}, {.5, 1.2}, {2, .5}, {.2, 1.5}, {3, 2.5}};
enum {
    SHAPES = sizeof shapes / sizeof *shapes,
    MINIMA = sizeof Lambdas / sizeof *Lambdas,
    SIDES = sizeof sides / sizeof *sides
};

/* Columns of V: V, v1, v2; of U likewise. */
typedef struct vectors {
    lnt_mat V, U;
} vectors;

typedef struct identity {
    double worst, without,
        planar; /* largest relative errors: of the expansion, without 2xy, with cos of a difference */
} identity;

typedef struct minimum {
    double least, most, sigma1, sigma2, low, high; /* losses; mean singular values; x/(x + y) between the starts */
} minimum;

typedef struct study {
    const lnt_layered_opts *opts;
    identity identity[SHAPES];
    minimum minimum[MINIMA];
    double turned[SIDES];
} study;

static lnt_status draw(lnt_ctx *ctx, vectors *p, int out, int in, lnt_rng *rng)
{
    lnt_status status = lnt_mat_alloc(ctx, &p->V, out, 3);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &p->U, in, 3);
    for (int i = 0; i < 3 * out && status == LNT_OK; i++)
        p->V.a[i] = lnt_rng_normal(rng);
    for (int i = 0; i < 3 * in && status == LNT_OK; i++)
        p->U.a[i] = lnt_rng_normal(rng);
    return status;
}

static double length(lnt_mat A, int j)
{
    return lnt_mat_norm(lnt_columns(A, j, 1));
}

static double product(lnt_mat A, int i, int j)
{
    return lnt_mat_dot(lnt_columns(A, i, 1), lnt_columns(A, j, 1));
}

static double cosine(lnt_mat A, int i, int j)
{
    return product(A, i, j) / (length(A, i) * length(A, j));
}

static lnt_two_pairs measure(const vectors *p)
{
    double scale = length(p->V, 0) * length(p->U, 0);
    return (lnt_two_pairs){length(p->V, 1) * length(p->U, 1) / scale,
                           length(p->V, 2) * length(p->U, 2) / scale,
                           cosine(p->V, 0, 1),
                           cosine(p->U, 0, 1),
                           cosine(p->V, 0, 2),
                           cosine(p->U, 0, 2),
                           cosine(p->V, 1, 2),
                           cosine(p->U, 1, 2)};
}

/* R <- v1 u1' + v2 u2' - V U'. */
static void residual(lnt_mat R, const vectors *p)
{
    lnt_gemm(R, 1, LNT_N, lnt_columns(p->V, 0, 1), LNT_T, lnt_columns(p->U, 0, 1), 0);
    lnt_gemm(R, 1, LNT_N, lnt_columns(p->V, 1, 2), LNT_T, lnt_columns(p->U, 1, 2), -1);
}

/* ---- The expansion ---- */

/* cos of the difference of the angles with V, with their signs in a plane and without beyond. */
static double planar(lnt_mat A)
{
    double angle[2];
    for (int k = 0; k < 2; k++) {
        angle[k] = acos(fmax(-1, fmin(1, cosine(A, 0, k + 1))));
        if (A.rows == 2 && *lnt_at(A, 0, 0) * *lnt_at(A, 1, k + 1) < *lnt_at(A, 1, 0) * *lnt_at(A, 0, k + 1))
            angle[k] = -angle[k];
    }
    return cos(angle[0] - angle[1]);
}

static lnt_status check_expansion(lnt_ctx *ctx, study *s, int k)
{
    identity *found = &s->identity[k];
    for (int j = 0; j < s->opts->seeds; j++) {
        lnt_rng rng = lnt_rng_stream(s->opts->seed, (uint32_t)j, LNT_FOR_TASK);
        lnt_mark mark = lnt_ctx_mark(ctx);
        vectors p;
        lnt_mat R;
        lnt_status status = draw(ctx, &p, shapes[k][0], shapes[k][1], &rng);
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &R, p.V.rows, p.U.rows);
        if (status != LNT_OK)
            return status;
        residual(R, &p);
        lnt_two_pairs t = measure(&p), flat = t;
        double unit = length(p.V, 0) * length(p.U, 0), norm = lnt_mat_norm(R) / unit, loss = norm * norm;
        double scale = 1 + t.x * t.x + t.y * t.y, cross = 2 * t.x * t.y * t.cos_v12 * t.cos_u12;
        flat.cos_v12 = planar(p.V);
        flat.cos_u12 = planar(p.U);
        found->worst = fmax(found->worst, fabs(lnt_two_pairs_loss(&t, 0) - loss) / scale);
        found->without = fmax(found->without, fabs(lnt_two_pairs_loss(&t, 0) - cross - loss) / scale);
        found->planar = fmax(found->planar, fabs(lnt_two_pairs_loss(&flat, 0) - loss) / scale);
        lnt_ctx_reset(ctx, mark);
    }
    return LNT_OK;
}

/* ---- Minima by descent on the vectors ---- */

/* One descent of |R|_F^2 + lam/2 |v, u|^2 in units of (|V| |U|)^2; its loss, singular values and share of x. */
static lnt_status train_pairs(lnt_ctx *ctx, minimum *m, const study *s, double Lambda, int start)
{
    lnt_rng rng = lnt_rng_stream(s->opts->seed, (uint32_t)start, LNT_FOR_WEIGHTS);
    vectors p;
    lnt_mat R, gV, gU;
    double sigma[2];
    lnt_status status = draw(ctx, &p, OUT, IN, &rng);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &R, OUT, IN);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &gV, OUT, 2);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &gU, IN, 2);
    if (status != LNT_OK)
        return status;
    lnt_mat_scale(p.V, .5);
    lnt_mat_scale(p.U, .5);
    lnt_mat V = lnt_columns(p.V, 1, 2), U = lnt_columns(p.U, 1, 2);
    double unit = length(p.V, 0) * length(p.U, 0), decay = Lambda * unit, eta = STEP / unit;
    for (int step = 0; step < s->opts->epochs && !lnt_cancelled(ctx); step++) {
        residual(R, &p);
        lnt_mat_copy(gV, V);
        lnt_mat_copy(gU, U);
        lnt_gemm(gV, 2, LNT_N, R, LNT_N, U, decay);
        lnt_gemm(gU, 2, LNT_T, R, LNT_N, V, decay);
        lnt_mat_add(V, -eta, gV);
        lnt_mat_add(U, -eta, gU);
    }
    residual(R, &p);
    double norm = lnt_mat_norm(R), v = lnt_mat_norm(V), u = lnt_mat_norm(U),
           loss = (norm * norm + decay / 2 * (v * v + u * u)) / (unit * unit);
    double x = length(p.V, 1) * length(p.U, 1), y = length(p.V, 2) * length(p.U, 2), share = x / (x + y);
    lnt_mat A, B, P; /* singular values of v1 u1' + v2 u2' */
    status = lnt_mat_alloc(ctx, &P, OUT, IN);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, OUT, IN);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, IN, IN);
    if (status != LNT_OK)
        return status;
    double all[IN];
    lnt_gemm(P, 1 / unit, LNT_N, V, LNT_T, U, 0);
    status = lnt_svd(ctx, A, all, B, P);
    memcpy(sigma, all, sizeof sigma);
    m->least = start ? fmin(m->least, loss) : loss;
    m->most = start ? fmax(m->most, loss) : loss;
    m->low = start ? fmin(m->low, share) : share;
    m->high = start ? fmax(m->high, share) : share;
    m->sigma1 += sigma[0] / s->opts->seeds;
    m->sigma2 = fmax(m->sigma2, sigma[1]);
    return status;
}

static lnt_status find_minimum(lnt_ctx *ctx, study *s, int k)
{
    lnt_status status = LNT_OK;
    for (int start = 0; start < s->opts->seeds && status == LNT_OK; start++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = train_pairs(ctx, &s->minimum[k], s, Lambdas[k], start);
        lnt_ctx_reset(ctx, mark);
        lnt_progress_step(ctx);
    }
    return status;
}

/* ---- The best directions by descent on unit vectors ---- */

static void set_lengths(lnt_mat A, const double wanted[3])
{
    for (int j = 0; j < 3; j++)
        lnt_mat_scale(lnt_columns(A, j, 1), wanted[j] / length(A, j));
}

static lnt_status turn(lnt_ctx *ctx, double *best, const study *s, const double side[2], int start)
{
    lnt_rng rng = lnt_rng_stream(s->opts->seed, (uint32_t)start, LNT_FOR_PROBE);
    const double lengths[2][3] = {{1, side[0], side[1]}, {1, 1, 1}};
    vectors p;
    lnt_mat R, gV, gU;
    double norm;
    lnt_status status = draw(ctx, &p, OUT, IN, &rng);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &R, OUT, IN);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &gV, OUT, 2);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &gU, IN, 2);
    if (status != LNT_OK)
        return status;
    for (int step = 0; step <= s->opts->epochs && !lnt_cancelled(ctx); step++) {
        set_lengths(p.V, lengths[0]);
        set_lengths(p.U, lengths[1]);
        residual(R, &p);
        if (step == s->opts->epochs)
            break;
        lnt_gemm(gV, 1, LNT_N, R, LNT_N, lnt_columns(p.U, 1, 2), 0);
        lnt_gemm(gU, 1, LNT_T, R, LNT_N, lnt_columns(p.V, 1, 2), 0);
        for (int j = 0; j < 2; j++) { /* curvatures: |u|^2 = 1 and |v|^2 */
            lnt_mat_add(lnt_columns(p.V, j + 1, 1), -TURN_STEP, lnt_columns(gV, j, 1));
            lnt_mat_add(lnt_columns(p.U, j + 1, 1), -TURN_STEP / fmax(side[j] * side[j], 1), lnt_columns(gU, j, 1));
        }
    }
    norm = lnt_mat_norm(R);
    *best = fmin(*best, norm * norm);
    return status;
}

static lnt_status find_directions(lnt_ctx *ctx, study *s, int k)
{
    lnt_status status = LNT_OK;
    s->turned[k] = INFINITY;
    for (int start = 0; start < TURNS && status == LNT_OK; start++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = turn(ctx, &s->turned[k], s, sides[k], start);
        lnt_ctx_reset(ctx, mark);
        lnt_progress_step(ctx);
    }
    return status;
}

static lnt_status one_item(lnt_ctx *ctx, int index, void *user)
{
    study *s = user;
    if (index < MINIMA)
        return find_minimum(ctx, s, index);
    index -= MINIMA;
    return index < SIDES ? find_directions(ctx, s, index) : check_expansion(ctx, s, index - SIDES);
}

/* ---- What was found ---- */

static void put_identity(lnt_record *record, const study *s)
{
    double worst = 0;
    for (int k = 0; k < SHAPES; k++) {
        const identity *i = &s->identity[k];
        lnt_table *table = lnt_record_table(record, "identity");
        lnt_table_row(table);
        lnt_table_set(table, "outputs", "", lnt_integer(shapes[k][0]));
        lnt_table_set(table, "inputs", "", lnt_integer(shapes[k][1]));
        lnt_table_set(table, "draws", "", lnt_integer(s->opts->seeds));
        lnt_table_set(table, "expansion", "", lnt_number(i->worst));
        lnt_table_set(table, "without_2xy", "", lnt_number(i->without));
        lnt_table_set(table, "planar", "", lnt_number(i->planar));
        worst = fmax(worst, i->worst);
    }
    lnt_record_deviation(record, "expansion in angles against the norm, largest relative error", 1 + worst, 1, worst,
                         NAN);
}

static lnt_status put_minima(lnt_ctx *ctx, lnt_record *record, const study *s)
{
    for (int k = 0; k < MINIMA; k++) {
        const minimum *m = &s->minimum[k];
        double loss, sum = lnt_two_pairs_minimum(Lambdas[k], &loss);
        lnt_table *table = lnt_record_table(record, "minima");
        lnt_table_row(table);
        lnt_table_set(table, "Lambda", "", lnt_number(Lambdas[k]));
        lnt_table_set(table, "loss", "", lnt_number(m->least));
        lnt_table_set(table, "predicted", "", lnt_number(loss));
        lnt_table_set(table, "worst_start", "", lnt_number(m->most));
        lnt_table_set(table, "sigma_1", "", lnt_number(m->sigma1));
        lnt_table_set(table, "sigma_1_predicted", "", lnt_number(sum));
        lnt_table_set(table, "sigma_2", "", lnt_number(m->sigma2));
        lnt_table_set(table, "least_share", "", sum > 0 ? lnt_number(m->low) : (lnt_value){0});
        lnt_table_set(table, "most_share", "", sum > 0 ? lnt_number(m->high) : (lnt_value){0});
        const char *name = lnt_sprintf(ctx, "Lambda = %.3g: loss of all starts", Lambdas[k]);
        if (!name)
            return LNT_ENOMEM;
        lnt_record_deviation(record, name, m->most, loss, fmax(fabs(m->most - loss), fabs(m->least - loss)), NAN);
    }
    return LNT_OK;
}

static lnt_status put_angles(lnt_ctx *ctx, lnt_record *record, const study *s)
{
    for (int k = 0; k < SIDES; k++) {
        double x = sides[k][0], y = sides[k][1], closed = lnt_two_pairs_turned(x, y, 0);
        lnt_table *table = lnt_record_table(record, "angles");
        lnt_table_row(table);
        lnt_table_set(table, "x", "", lnt_number(x));
        lnt_table_set(table, "y", "", lnt_number(y));
        lnt_table_set(table, "aligned", "", lnt_number(lnt_two_pairs_aligned(x, y, 0)));
        lnt_table_set(table, "least", "", lnt_number(s->turned[k]));
        lnt_table_set(table, "predicted", "", lnt_number(closed));
        const char *name = lnt_sprintf(ctx, "x = %.3g, y = %.3g: least over directions", x, y);
        if (!name)
            return LNT_ENOMEM;
        lnt_record_deviation(record, name, s->turned[k], closed, fabs(s->turned[k] - closed), NAN);
    }
    return LNT_OK;
}

/* L(x, y) with rows y and columns x, and the line of its minima. */
static lnt_status put_landscape(lnt_ctx *ctx, lnt_record *record)
{
    double x[GRID], least, sum = lnt_two_pairs_minimum(LANDSCAPE, &least), line_x[2] = {0, sum}, line_y[2] = {sum, 0};
    lnt_mat aligned, turned;
    lnt_status status = lnt_mat_alloc(ctx, &aligned, GRID, GRID);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &turned, GRID, GRID);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < GRID; i++)
        x[i] = 1.5 * i / (GRID - 1);
    for (int j = 0; j < GRID; j++)
        for (int i = 0; i < GRID; i++) {
            *lnt_at(aligned, i, j) = lnt_two_pairs_aligned(x[j], x[i], LANDSCAPE);
            *lnt_at(turned, i, j) = lnt_two_pairs_turned(x[j], x[i], LANDSCAPE);
        }
    lnt_record_vector(record, "landscape/x", "", x, GRID);
    lnt_record_matrix(record, "landscape/aligned", "", &aligned, 1);
    lnt_record_matrix(record, "landscape/turned", "", &turned, 1);
    lnt_record_fact(record, "landscape", "Lambda", "", lnt_number(LANDSCAPE));
    lnt_record_fact(record, "landscape", "least", "", lnt_number(least));
    const lnt_image image[2] = {{"loss", aligned, x, x, 0, 0}, {"loss", turned, x, x, 0, 0}};
    const lnt_curve line = {"least: x + y = 1 - Lambda/2", LNT_CURVE_THEORY, 2, line_x, line_y, NULL};
    const lnt_panel panel[2] = {{"aligned pairs", "x", "y", false, false, 1, &line, &image[0]},
                                {"best directions", "x", "y", false, false, 1, &line, &image[1]}};
    const lnt_figure figure = {
        "landscape",
        "Loss of two pairs with weight decay, Lambda = .5, over their sizes: all minima lie on a line, "
        "and those of one pair alone are no better.",
        2, panel};
    lnt_record_figure(record, &figure);
    return LNT_OK;
}

/* The least loss and the singular value over Lambda. */
static void put_figure(lnt_record *record, const study *s)
{
    enum { N = 51 };
    double x[N], loss[N], sigma[N], found[MINIMA], value[MINIMA];
    for (int k = 0; k < N; k++) {
        x[k] = 3.0 * k / (N - 1);
        sigma[k] = lnt_two_pairs_minimum(x[k], &loss[k]);
    }
    for (int k = 0; k < MINIMA; k++) {
        found[k] = s->minimum[k].least;
        value[k] = s->minimum[k].sigma1;
    }
    const lnt_curve curve[] = {{"least loss", LNT_CURVE_THEORY, N, x, loss, NULL},
                               {"singular value of the product", LNT_CURVE_THEORY, N, x, sigma, NULL},
                               {"descent", LNT_CURVE_MARKS, MINIMA, Lambdas, found, NULL},
                               {"", LNT_CURVE_MARKS, MINIMA, Lambdas, value, NULL}};
    const lnt_panel panel = {
        .title = "", .xlabel = "Lambda", .ylabel = "in units of |V| |U|", .curves = 4, .curve = curve};
    const lnt_figure figure = {
        "toy",
        "Two pairs with weight decay: the least loss, Lambda - Lambda^2/4, and the singular value 1 - "
        "Lambda/2 of their product, which has rank 1.",
        1, &panel};
    lnt_record_figure(record, &figure);
}

lnt_status lnt_toy_study(lnt_ctx *ctx, lnt_record *record, const lnt_layered_opts *opts)
{
    study s = {.opts = opts};
    lnt_progress_begin(ctx, "descents", (long)MINIMA * opts->seeds + (long)SIDES * TURNS);
    lnt_status status = lnt_parallel(ctx, MINIMA + SIDES + SHAPES, opts->threads, one_item, &s);
    if (status == LNT_OK && lnt_cancelled(ctx))
        return lnt_fail(ctx, LNT_EUSER, "interrupted before all descents were finished: there is nothing to keep");
    if (status != LNT_OK)
        return status;
    put_identity(record, &s);
    status = put_minima(ctx, record, &s);
    if (status == LNT_OK)
        status = put_angles(ctx, record, &s);
    if (status == LNT_OK)
        status = put_landscape(ctx, record);
    put_figure(record, &s);
    return status;
}
