/* The full model with a diagonal: variable projection, gains alone, lateral connections alone. */
#include "diagonal.h"

#include "linnet/rng.h"

#include <math.h>

#define SWEEPS 200

void lnt_match_search_defaults(lnt_match_search *opts)
{
    *opts = (lnt_match_search){.starts = 3, .max_steps = 500, .tolerance = 1e-8};
}

static lnt_status check(lnt_ctx *ctx, const lnt_match *m, const lnt_match_search *o, double first, double second)
{
    lnt_status status = lnt_match_check_diagonal(ctx, m);
    if (status != LNT_OK)
        return status;
    if (!(first > 0) || !isfinite(first) || !(second > 0))
        return lnt_fail(ctx, LNT_EINVAL, "the penalties are %g and %g, but must be above 0", first, second);
    if (o->starts < 1 || o->max_steps < 1 || !(o->tolerance >= 0))
        return lnt_fail(ctx, LNT_EINVAL, "starts >= 1, max_steps >= 1 and tolerance >= 0, not %d, %d and %g", o->starts,
                        o->max_steps, o->tolerance);
    return LNT_OK;
}

/* ---- Variable projection ---- */

typedef struct projection {
    const lnt_match *m;
    lnt_match at; /* the problem with Z0 = diag(z) */
    lnt_dual dual;
    lnt_match_opts opts;
    lnt_mat work, ZU;
    double lam_w, lam_d, misfit;
    bool started;
} projection;

/* Z0 = diag(z) changes J Z0 U and A0 only. */
static void set_gains(projection *s, const double *z)
{
    lnt_match *m = &s->at;
    for (int j = 0; j < m->rank; j++)
        for (int i = 0; i < m->cells; i++)
            *lnt_at(m->JZ0U, i, j) = z[i] * *lnt_at(m->U, i, j);
    lnt_match_subtract_means(m->JZ0U);
    lnt_syrk(m->A0, 1, LNT_T, m->JZ0U, 0);
    lnt_symmetrize(m->A0);
    lnt_match_lower(m->E0, m->A0, m, s->work);
    lnt_mat_scale(m->E0, -1);
    lnt_mat_add(m->E0, 1, m->R);
}

/* F(z) = min over W, and dF/dz_i = -lam_w W_ii + lam_d (z_i - 1). */
static lnt_status projected(lnt_ctx *ctx, double *f, double *g, const double *z, void *user)
{
    projection *s = user;
    const lnt_match *m = s->m;
    lnt_match_stop stop;
    int steps = 0;
    lnt_mark mark = lnt_ctx_mark(ctx);
    set_gains(s, z);
    lnt_status status = LNT_OK;
    lnt_dual_set_lambda(&s->dual, s->lam_w);
    if (!s->started || !lnt_dual_evaluate(&s->dual, &s->dual.at))
        status = lnt_match_start(ctx, &s->dual, &s->opts, s->lam_w, &steps);
    if (status == LNT_OK)
        status = lnt_match_newton(ctx, &s->dual, &s->opts, &stop, &steps);
    s->started = status == LNT_OK;
    lnt_mat ZU = s->ZU;
    lnt_gemm(ZU, 1, LNT_N, s->at.JZ0U, LNT_N, s->dual.at.D, 0);
    *f = s->dual.at.loss;
    double w2 = lnt_match_dot(ZU, ZU);
    s->misfit = *f - s->lam_w / 2 * w2;
    for (int i = 0; i < m->cells; i++) {
        double wii = 0;
        for (int j = 0; j < m->rank; j++)
            wii += *lnt_at(ZU, i, j) * *lnt_at(m->U, i, j);
        g[i] = -s->lam_w * wii + s->lam_d * (z[i] - 1);
        *f += s->lam_d / 2 * (z[i] - 1) * (z[i] - 1);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Starts: no change, the linear fit, and random gains around 1. */
static lnt_status first_gains(lnt_ctx *ctx, double *z, const lnt_match *m, int start, double lam_w, double lam_d,
                              lnt_rng *rng)
{
    lnt_mat D;
    lnt_status status = LNT_OK;
    lnt_mark mark = lnt_ctx_mark(ctx);
    for (int i = 0; i < m->cells; i++)
        z[i] = start < 2 ? 0 : 0.5 * lnt_rng_normal(rng);
    if (start == 1 && (status = lnt_mat_alloc(ctx, &D, m->rank, m->rank)) == LNT_OK)
        status = lnt_match_overlap(ctx, z, D, m, lam_w, lam_d);
    for (int i = 0; i < m->cells; i++)
        z[i] += 1;
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status alloc_projection(lnt_ctx *ctx, projection *s)
{
    const lnt_match *m = s->m;
    s->at = *m;
    s->at.centred = s->at.identity = false;
    lnt_status status;
    if ((status = lnt_mat_alloc(ctx, &s->at.JZ0U, m->cells, m->rank)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &s->at.A0, m->rank, m->rank)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &s->at.E0, m->rank, m->rank)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &s->work, m->rank, m->rank)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &s->ZU, m->cells, m->rank)) != LNT_OK)
        return status;
    return lnt_dual_alloc(ctx, &s->dual, &s->at);
}

static lnt_status gains(lnt_ctx *ctx, double *best, lnt_mat D, lnt_match_search_info *info, projection *s,
                        const lnt_match_search *o)
{
    size_t N = (size_t)s->m->cells;
    lnt_rng rng = lnt_rng_stream(o->seed, 0, LNT_FOR_WEIGHTS);
    double *z = lnt_alloc(ctx, N, sizeof *z), *g = lnt_alloc(ctx, N, sizeof *g), f;
    lnt_status status = z && g ? alloc_projection(ctx, s) : LNT_ENOMEM;
    for (int k = 0; k < o->starts && status == LNT_OK; k++) {
        bool converged;
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = first_gains(ctx, z, s->m, k, s->lam_w, s->lam_d, &rng);
        if (status == LNT_OK)
            status = lnt_match_lbfgs(ctx, z, &f, &info->steps, &converged, N, projected, s, o->tolerance, o->max_steps);
        lnt_ctx_reset(ctx, mark);
        if (status != LNT_OK)
            break;
        info->worst = k == 0 ? f : fmax(info->worst, f);
        if (k == 0 || f < info->loss) {
            info->loss = f;
            info->converged = converged;
            for (size_t i = 0; i < N; i++)
                best[i] = z[i];
        }
    }
    if (status == LNT_OK)
        status = projected(ctx, &f, g, best, s);
    if (status == LNT_OK) {
        lnt_mat_copy(D, s->dual.at.D);
        info->misfit = s->misfit;
    }
    return status;
}

lnt_status lnt_match_gains(lnt_ctx *ctx, double *z, lnt_mat D, lnt_match_search_info *info, const lnt_match *m,
                           double lam_w, double lam_d, const lnt_match_search *opts)
{
    lnt_match_search defaults;
    lnt_match_search_info unread;
    lnt_match_search_defaults(&defaults);
    const lnt_match_search *o = opts ? opts : &defaults;
    lnt_status status = check(ctx, m, o, lam_w, lam_d);
    if (status != LNT_OK)
        return status;
    if (!isfinite(lam_d))
        return lnt_fail(ctx, LNT_EINVAL, "an infinite lam_d means no diagonal at all");
    if (D.rows != m->rank || D.cols != m->rank)
        return lnt_fail(ctx, LNT_ESHAPE, "the core is %d x %d, the rank of the inputs %d", D.rows, D.cols, m->rank);
    projection s = {.m = m, .lam_w = lam_w, .lam_d = lam_d};
    lnt_match_defaults(&s.opts);
    if (!info)
        info = &unread;
    *info = (lnt_match_search_info){0};
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = gains(ctx, z, D, info, &s, o);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- Gains alone ---- */

typedef struct gain_only {
    const lnt_match *m;
    lnt_mat Y, JA, F; /* U diag(sv), J diag(z) of it, R - C */
    double *n, *h;    /* Y^T z; F y_i */
    double lambda, misfit;
} gain_only;

static lnt_status gain_loss(lnt_ctx *ctx, double *f, double *g, const double *z, void *user)
{
    gain_only *s = user;
    const lnt_match *m = s->m;
    int N = m->cells, r = m->rank;
    (void)ctx;
    for (int j = 0; j < r; j++) {
        s->n[j] = 0;
        for (int i = 0; i < N; i++)
            s->n[j] += *lnt_at(s->JA, i, j) = z[i] * *lnt_at(s->Y, i, j);
        for (int i = 0; i < N; i++)
            *lnt_at(s->JA, i, j) -= s->n[j] / N;
    }
    lnt_mat_copy(s->F, m->R);
    lnt_gemm(s->F, -1, LNT_T, s->JA, LNT_N, s->JA, 1);
    s->misfit = lnt_match_dot(s->F, s->F) / 2 + m->outside;
    *f = s->misfit;
    for (int i = 0; i < N; i++)
        *f += s->lambda / 2 * (z[i] - 1) * (z[i] - 1);
    if (!g)
        return LNT_OK;
    for (int i = 0; i < N; i++) { /* -2 (J diag(z) Y F)_i . y_i */
        double sum = 0;
        for (int b = 0; b < r; b++) {
            double dot = 0;
            for (int a = 0; a < r; a++)
                dot += *lnt_at(s->JA, i, a) * *lnt_at(s->F, a, b);
            sum += dot * *lnt_at(s->Y, i, b);
        }
        g[i] = -2 * sum + s->lambda * (z[i] - 1);
    }
    return LNT_OK;
}

/* The t that minimises c1 t + c2 t^2 + c3 t^3 + c4 t^4, c4 > 0: the best stationary point. */
static double quartic_minimum(double c1, double c2, double c3, double c4)
{
    /* 4 c4 (t^3 + a t^2 + b t + c) = 0, t = u - a/3 */
    double a = 3 * c3 / (4 * c4), b = c2 / (2 * c4), c = c1 / (4 * c4), root[3], best = 0, least = 0;
    double p = b - a * a / 3, q = a * (2 * a * a - 9 * b) / 27 + c, disc = q * q / 4 + p * p * p / 27;
    int count = disc > 0 ? 1 : 3;
    if (count == 1) {
        double w = cbrt(fabs(q) / 2 + sqrt(disc));
        root[0] = w == 0 ? 0 : (q > 0 ? -1 : 1) * (w - p / (3 * w));
    } else
        for (int k = 0; k < 3; k++)
            root[k] = p == 0 ? 0
                             : 2 * sqrt(-p / 3) *
                                   cos((acos(fmax(-1, fmin(1, 3 * q / (2 * p) * sqrt(-3 / p)))) -
                                        2 * 3.14159265358979323846 * k) /
                                       3);
    for (int k = 0; k < count; k++) {
        double t = root[k] - a / 3;
        for (int i = 0; i < 3; i++) {
            double slope = c1 + t * (2 * c2 + t * (3 * c3 + t * 4 * c4)), bend = 2 * c2 + t * (6 * c3 + t * 12 * c4);
            t -= bend > 0 ? slope / bend : 0;
        }
        double value = t * (c1 + t * (c2 + t * (c3 + t * c4)));
        if (value < least) {
            least = value;
            best = t;
        }
    }
    return best;
}

/* Every coordinate to its global minimum in turn: z_i + t changes C by t (y v^T + v y^T) + t^2 k y y^T, v = z_i y -
 * n/N, k = 1 - 1/N. Returns the largest move. */
static double sweep(gain_only *s, double *z)
{
    int N = s->m->cells, r = s->m->rank;
    double k = 1 - 1.0 / N, largest = 0;
    for (int i = 0; i < N; i++) {
        double yy = 0, vv = 0, yv = 0, yEy = 0, vEy = 0;
        for (int b = 0; b < r; b++) {
            double y = *lnt_at(s->Y, i, b), v = z[i] * y - s->n[b] / N, h = 0;
            for (int a = 0; a < r; a++)
                h += *lnt_at(s->F, a, b) * *lnt_at(s->Y, i, a);
            yy += y * y;
            vv += v * v;
            yv += y * v;
            yEy += h * y;
            vEy += h * v;
        }
        /* 1/2 |E - t A - t^2 k B|^2 with A = y v^T + v y^T, B = y y^T */
        double AA = 2 * (yy * vv + yv * yv), AB = 2 * yy * yv;
        double t = quartic_minimum(-2 * vEy + s->lambda * (z[i] - 1), AA / 2 - k * yEy + s->lambda / 2, k * AB,
                                   k * k * yy * yy / 2);
        if (yy == 0)
            t = 1 - z[i];
        for (int b = 0; b < r; b++)
            for (int a = 0; a < r; a++) {
                double ya = *lnt_at(s->Y, i, a), yb = *lnt_at(s->Y, i, b), va = z[i] * ya - s->n[a] / N,
                       vb = z[i] * yb - s->n[b] / N;
                *lnt_at(s->F, a, b) -= t * (ya * vb + va * yb) + t * t * k * ya * yb;
            }
        for (int b = 0; b < r; b++)
            s->n[b] += t * *lnt_at(s->Y, i, b);
        z[i] += t;
        largest = fmax(largest, fabs(t));
    }
    return largest;
}

static lnt_status settle(lnt_ctx *ctx, double *z, double *f, lnt_match_search_info *info, bool *converged, gain_only *s,
                         const lnt_match_search *o)
{
    size_t N = (size_t)s->m->cells;
    lnt_status status = LNT_OK;
    *converged = false;
    for (int k = 0; k < SWEEPS && status == LNT_OK; k++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = lnt_match_lbfgs(ctx, z, f, &info->steps, converged, N, gain_loss, s, o->tolerance, o->max_steps);
        lnt_ctx_reset(ctx, mark);
        if (status != LNT_OK)
            return status;
        double before = *f;
        gain_loss(ctx, f, NULL, z, s);
        sweep(s, z);
        gain_loss(ctx, f, NULL, z, s);
        if (!(before - *f > 1e-9 * before)) /* no coordinate jumps into another valley */
            break;
    }
    return status;
}

static lnt_status gains_only(lnt_ctx *ctx, double *best, lnt_match_search_info *info, gain_only *s,
                             const lnt_match_search *o)
{
    const lnt_match *m = s->m;
    size_t N = (size_t)m->cells, r = (size_t)m->rank;
    lnt_rng rng = lnt_rng_stream(o->seed, 0, LNT_FOR_WEIGHTS);
    double *z = lnt_alloc(ctx, N, sizeof *z), f;
    s->n = lnt_alloc(ctx, r, sizeof *s->n);
    lnt_status status = LNT_OK;
    if (!z || !s->n || lnt_mat_alloc(ctx, &s->Y, m->cells, m->rank) != LNT_OK ||
        lnt_mat_alloc(ctx, &s->JA, m->cells, m->rank) != LNT_OK ||
        lnt_mat_alloc(ctx, &s->F, m->rank, m->rank) != LNT_OK)
        return LNT_ENOMEM;
    for (int j = 0; j < m->rank; j++) {
        lnt_mat_copy(lnt_columns(s->Y, j, 1), lnt_columns(m->U, j, 1));
        lnt_mat_scale(lnt_columns(s->Y, j, 1), m->sv[j]);
    }
    for (int k = 0; k < o->starts && status == LNT_OK; k++) {
        bool converged;
        status = first_gains(ctx, z, m, k, INFINITY, s->lambda, &rng);
        if (status == LNT_OK)
            status = settle(ctx, z, &f, info, &converged, s, o);
        if (status != LNT_OK)
            break;
        info->worst = k == 0 ? f : fmax(info->worst, f);
        if (k == 0 || f < info->loss) {
            info->loss = f;
            info->misfit = s->misfit;
            info->converged = converged;
            for (size_t i = 0; i < N; i++)
                best[i] = z[i];
        }
    }
    return status;
}

lnt_status lnt_match_gains_only(lnt_ctx *ctx, double *z, lnt_match_search_info *info, const lnt_match *m, double lambda,
                                const lnt_match_search *opts)
{
    lnt_match_search defaults;
    lnt_match_search_info unread;
    lnt_match_search_defaults(&defaults);
    const lnt_match_search *o = opts ? opts : &defaults;
    lnt_status status = check(ctx, m, o, lambda, lambda);
    if (status != LNT_OK)
        return status;
    gain_only s = {.m = m, .lambda = lambda};
    if (!info)
        info = &unread;
    *info = (lnt_match_search_info){0};
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = gains_only(ctx, z, info, &s, o);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
