/* How the distance of Laplace's approximation from the posterior falls with the number of rows. By the theorem of
 * Bernstein and von Mises the posterior becomes normal; means differ by O(1/n), standard deviations are O(n^-1/2).
 *
 * So small a difference would drown in the error of the chains. The gradient g of the log posterior has mean 0, and for
 * a normal posterior f - b'g is constant for the right b (zero-variance control variates, Mira et al. 2013): its mean,
 * b from regression over the draws, is that of f with an error that falls with the distance itself. */
#include "sampling.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

#define REPEATS 3  /* subsets of each size */
#define NOISE 0.05 /* of the bump */
#define WARMUP 500 /* at most */

/* Squared shift of the mean of f over the points, in standard deviations, without what the error of the chains adds;
 * and the ratio of standard deviations. */
typedef struct distance {
    double square, ratio;
} distance;

/* F (points x draws) <- F - B'g, B the regression of its rows on the gradients g. */
static lnt_status remove_gradients(lnt_ctx *ctx, lnt_mat F, const lnt_sampled *s)
{
    int k = s->dim, n = F.cols;
    lnt_mat G, A, B;
    double lp;
    lnt_status status = lnt_mat_alloc(ctx, &G, k, n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, k, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &B, k, F.rows);
    for (int i = 0; i < n && status == LNT_OK; i++) {
        lnt_mat q = lnt_mat_view((double *)(uintptr_t)lnt_sampled_draw(s, (size_t)i), k, 1);
        if (s->density.logp(q, &lp, lnt_columns(G, i, 1), s->density.user) < 0)
            return LNT_EUSER;
    }
    if (status != LNT_OK)
        return status;
    lnt_mat_fill(A, 0);
    lnt_syrk(A, 1, LNT_N, G, 0);
    lnt_gemm(B, 1, LNT_N, G, LNT_T, F, 0);
    if (!lnt_cholesky(A)) /* weights without influence: the plain mean will do */
        return LNT_OK;
    lnt_cholesky_solve(B, A);
    lnt_gemm(F, -1, LNT_T, B, LNT_N, G, 1);
    return LNT_OK;
}

static lnt_status measure(lnt_ctx *ctx, distance *out, const lnt_sampled *s)
{
    lnt_sampled_points points;
    lnt_model model;
    lnt_predicted laplace;
    lnt_status status = lnt_sampled_points_make(ctx, &points, s);
    lnt_diagnosis *d = status == LNT_OK ? lnt_alloc(ctx, 2 * (size_t)points.count, sizeof *d) : NULL, *r;
    if (!d)
        return status == LNT_OK ? LNT_ENOMEM : status;
    r = d + points.count;
    status = lnt_diagnose(ctx, d, &points.f, s->opts->threads);
    lnt_mat F = lnt_mat_view((double *)(uintptr_t)points.f.a, points.count, (int)lnt_sampled_count(s));
    for (int i = 0; i < F.cols; i++) /* about their means, so that nothing but the covariance is regressed */
        for (int p = 0; p < F.rows; p++)
            *lnt_at(F, p, i) -= d[p].mean;
    if (status == LNT_OK)
        status = remove_gradients(ctx, F, s);
    if (status == LNT_OK)
        status = lnt_diagnose(ctx, r, &points.f, s->opts->threads);
    if (status == LNT_OK)
        status = lnt_layers_model(ctx, &model, &s->data->layers, points.X);
    if (status == LNT_OK)
        status = lnt_fitted_predict(ctx, &laplace, &s->fit, &model, NULL);
    *out = (distance){0};
    for (int i = 0; i < points.count && status == LNT_OK; i++) {
        double shift = (d[i].mean + r[i].mean - laplace.mean.a[i]) / d[i].sd, error = r[i].mcse_mean / d[i].sd;
        out->square += (shift * shift - error * error) / points.count;
        out->ratio += laplace.sd.a[i] / d[i].sd / points.count;
    }
    return status;
}

static lnt_status one_run(lnt_ctx *ctx, distance *out, const lnt_network_data *data, const lnt_sampling_opts *opts)
{
    lnt_sampled s = {.opts = opts, .data = data};
    lnt_status status = lnt_sampled_prepare(ctx, &s);
    if (status == LNT_OK)
        status = lnt_sampled_run(ctx, &s);
    if (status == LNT_OK && (s.interrupted || s.x.draws < 12))
        return lnt_fail(ctx, LNT_EUSER, "interrupted while rows grew");
    return status == LNT_OK ? measure(ctx, out, &s) : status;
}

/* ---- Growth ---- */

void lnt_growth_fit(lnt_growth *g)
{
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0, relative = 0;
    int used = 0;
    for (int i = 0; i < g->count; i++)
        if (g->shift[i] > 0) {
            mean_x += log(g->n[i]);
            mean_y += log(g->shift[i]);
            used++;
        }
    for (int i = 0; i < g->count; i++)
        if (g->shift[i] > 0) {
            double x = log(g->n[i]) - mean_x / used, e = g->error[i] / g->shift[i];
            xx += x * x;
            xy += x * (log(g->shift[i]) - mean_y / used);
            relative += e * e / used;
        }
    g->exponent = used > 1 ? xy / xx : NAN;
    g->exponent_error = used > 1 ? sqrt(relative / xx) : NAN;
}

/* From the repeats of one size. */
static void put_size(lnt_record *record, lnt_growth *g, int i, const distance *d, int repeats)
{
    double mean = 0, square = 0, ratio = 0;
    for (int r = 0; r < repeats; r++) {
        mean += d[r].square / repeats;
        ratio += d[r].ratio / repeats;
    }
    for (int r = 0; r < repeats; r++)
        square += pow(d[r].square - mean, 2) / fmax(1, repeats - 1);
    g->shift[i] = mean > 0 ? sqrt(mean) : NAN;
    g->error[i] = sqrt(square / repeats) / (2 * g->shift[i]);
    lnt_table *table = lnt_record_table(record, "growth");
    lnt_table_row(table);
    lnt_table_set(table, "n", "", lnt_integer(g->n[i]));
    lnt_table_set(table, "shift", "sd", lnt_known(g->shift[i]));
    lnt_table_set(table, "error", "sd", lnt_known(g->error[i]));
    lnt_table_set(table, "sd_ratio", "", lnt_known(ratio));
    lnt_table_set(table, "repeats", "", lnt_integer(repeats));
}

static lnt_status finish(lnt_ctx *ctx, lnt_record *record, lnt_growth *g)
{
    double *x = lnt_alloc(ctx, (size_t)g->count * 4, sizeof *x), *line = x + g->count, *y = x + 2 * (size_t)g->count;
    int used = 0;
    double level = 0;
    if (!x)
        return LNT_ENOMEM;
    lnt_growth_fit(g);
    lnt_record_fact(record, "growth", "exponent", "", lnt_known(g->exponent));
    lnt_record_fact(record, "growth", "exponent_error", "", lnt_known(g->exponent_error));
    lnt_record_deviation(record, "exponent of n in the distance of Laplace's approximation", g->exponent, -0.5, NAN,
                         g->exponent_error);
    for (int i = 0; i < g->count; i++)
        if (g->shift[i] > 0) {
            x[used] = g->n[i];
            y[used++] = g->shift[i];
            level += log(g->shift[i]) + 0.5 * log(g->n[i]);
        } else
            lnt_record_warn(record, "at %d rows the distance is below the error of the chains: more --draws", g->n[i]);
    for (int i = 0; i < used; i++)
        line[i] = exp(level / used) / sqrt(x[i]);
    lnt_curve curve[2] = {{"draws against Laplace", LNT_CURVE_POINTS, used, x, y, NULL},
                          {"n^-1/2", LNT_CURVE_THEORY, used, x, line, NULL}};
    lnt_panel panel = {.title = "Laplace's approximation as rows grow",
                       .xlabel = "rows",
                       .ylabel = "shift of the mean of f (sd)",
                       .logx = true,
                       .logy = true,
                       .curves = 2,
                       .curve = curve};
    lnt_figure figure = {
        .name = "growth", .caption = "Distance of Laplace's mean from that of the draws", .panels = 1, .panel = &panel};
    if (used > 1)
        lnt_record_figure(record, &figure);
    return LNT_OK;
}

static lnt_status allocate(lnt_ctx *ctx, lnt_growth *g, const lnt_int_list *sizes)
{
    size_t count = (size_t)sizes->count;
    g->count = sizes->count;
    g->n = lnt_alloc(ctx, count, sizeof *g->n);
    g->shift = lnt_alloc(ctx, count, sizeof *g->shift);
    g->error = lnt_alloc(ctx, count, sizeof *g->error);
    if (!g->n || !g->shift || !g->error)
        return LNT_ENOMEM;
    memcpy(g->n, sizes->item, count * sizeof *g->n);
    return LNT_OK;
}

/* ---- Subsets of rows ---- */

static lnt_status subset(lnt_ctx *ctx, lnt_network_data *to, const lnt_network_data *from, int n, lnt_rng *rng)
{
    int all = from->X.cols, q = from->Y.rows;
    int *order = lnt_alloc(ctx, (size_t)all, sizeof *order);
    size_t data = (size_t)n * (size_t)q;
    *to = *from;
    to->test.n = 0;
    lnt_status status = order ? lnt_mat_alloc(ctx, &to->X, from->X.rows, n) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &to->Y, q, n);
    if (status == LNT_OK && from->sd) {
        to->sd = lnt_alloc(ctx, data, sizeof *to->sd);
        to->isd = lnt_alloc(ctx, data, sizeof *to->isd);
        status = to->sd && to->isd ? LNT_OK : LNT_ENOMEM;
    }
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < all; i++)
        order[i] = i;
    lnt_rng_shuffle(rng, order, all);
    for (int i = 0; i < n; i++) {
        lnt_mat_copy(lnt_columns(to->X, i, 1), lnt_columns(from->X, order[i], 1));
        lnt_mat_copy(lnt_columns(to->Y, i, 1), lnt_columns(from->Y, order[i], 1));
        for (int o = 0; o < q && from->sd; o++) {
            size_t at = (size_t)i * (size_t)q + (size_t)o, of = (size_t)order[i] * (size_t)q + (size_t)o;
            to->sd[at] = from->sd[of];
            to->isd[at] = from->isd[of];
        }
    }
    to->likelihood.n = data;
    to->likelihood.d = to->Y.a;
    to->likelihood.sqrtw = from->sd ? to->isd : NULL;
    return lnt_layers_model(ctx, &to->model, &to->layers, to->X);
}

/* The noise as it was found with all rows. */
static lnt_status fix_noise(lnt_ctx *ctx, lnt_network_data *d, const lnt_sampled *s)
{
    size_t n = d->likelihood.n;
    if (d->sd || d->likelihood.kind != LNT_GAUSSIAN)
        return LNT_OK;
    d->sd = lnt_alloc(ctx, n, sizeof *d->sd);
    d->isd = lnt_alloc(ctx, n, sizeof *d->isd);
    for (size_t i = 0; i < n && d->sd && d->isd; i++) {
        d->sd[i] = sqrt(s->fit.noise);
        d->isd[i] = 1 / d->sd[i];
    }
    d->likelihood.sqrtw = d->isd;
    return d->sd && d->isd ? LNT_OK : LNT_ENOMEM;
}

lnt_status lnt_sampling_grow(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s)
{
    lnt_growth g;
    lnt_sampling_opts o = *s->opts;
    lnt_status status = allocate(ctx, &g, &o.grow);
    o.hyper = LNT_HYPER_FIXED;
    o.net.alpha = s->fit.alpha[0];
    o.resume = o.out = o.alpha_prior = o.beta_prior = NULL;
    if (status == LNT_OK && s->data->groups > 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--grow goes with one --alpha, not with --per-layer");
    if (status == LNT_OK && g.n[g.count - 1] > s->data->X.cols)
        return lnt_fail(ctx, LNT_EUSAGE, "--grow %d: there are %d rows", g.n[g.count - 1], s->data->X.cols);
    for (int i = 0; i < g.count && status == LNT_OK; i++) {
        distance d[REPEATS];
        for (int r = 0; r < REPEATS && status == LNT_OK; r++) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            lnt_network_data data;
            lnt_rng rng = lnt_rng_page(o.seed, (uint32_t)r, LNT_FOR_TASK, (uint64_t)i + 1);
            o.seed = s->opts->seed + (uint64_t)r;
            status = subset(ctx, &data, s->data, g.n[i], &rng);
            if (status == LNT_OK)
                status = fix_noise(ctx, &data, s);
            if (status == LNT_OK)
                status = one_run(ctx, &d[r], &data, &o);
            lnt_ctx_reset(ctx, mark);
        }
        if (status == LNT_OK)
            put_size(record, &g, i, d, REPEATS);
    }
    return status == LNT_OK ? finish(ctx, record, &g) : status;
}

lnt_status lnt_sampling_grow_bump(lnt_ctx *ctx, lnt_record *record, const lnt_sampling_opts *opts, int repeats)
{
    const lnt_int_list sizes = {.count = 5, .item = {80, 160, 320, 640, 1280}};
    lnt_growth g;
    lnt_sampling_opts o = *opts;
    distance *d = lnt_alloc(ctx, (size_t)repeats, sizeof *d);
    lnt_status status = d ? allocate(ctx, &g, opts->grow.count ? &opts->grow : &sizes) : LNT_ENOMEM;
    o.hyper = LNT_HYPER_FIXED;
    o.net.alpha = 1;
    o.resume = o.out = NULL;
    o.warmup = opts->warmup < WARMUP ? opts->warmup : WARMUP;
    for (int i = 0; status == LNT_OK && i < g.count; i++) {
        for (int r = 0; r < repeats && status == LNT_OK; r++) {
            lnt_mark mark = lnt_ctx_mark(ctx);
            lnt_network_data data;
            lnt_rng rng = lnt_rng_page(opts->seed, (uint32_t)r, LNT_FOR_TASK, (uint64_t)i + 1);
            o.seed = opts->seed + (uint64_t)r;
            status = lnt_sampling_problem_make(ctx, &data, LNT_PROBLEM_BUMP, g.n[i], NOISE, &rng);
            if (status == LNT_OK)
                status = one_run(ctx, &d[r], &data, &o);
            lnt_ctx_reset(ctx, mark);
        }
        if (status == LNT_OK)
            put_size(record, &g, i, d, repeats);
    }
    return status == LNT_OK ? finish(ctx, record, &g) : status;
}
