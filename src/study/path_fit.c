/* Lasso and elastic-net paths, and the certificate of any of them from the data alone. */
#include "linnet/homotopy.h"
#include "regress.h"

#include <math.h>
#include <string.h>

/* ---- Certificate ---- */

/* sum_i f_i (x_ij - centre_j)/scale_j, where sum is that of f. */
static double prepared_dot(const lnt_rows *r, int j, const double *f, double sum)
{
    const lnt_design *X = &r->X;
    double dot = 0;
    if (r->scale[j] == 0)
        return 0;
    for (size_t k = X->start ? X->start[j] : 0, end = X->start ? X->start[j + 1] : (size_t)X->n; k < end; k++)
        dot += X->start ? X->value[k] * f[X->row[k]] : *lnt_at(X->X, (int)k, j) * f[k];
    return (dot - r->centre[j] * sum) / r->scale[j];
}

/* What the sums of the certificate add up over the features of one target. */
typedef struct optimality {
    double l1, l2; /* penalties */
    double squares, norm1, norm2, along, steepest, kkt;
} optimality;

static void visit(optimality *o, double u, double h)
{
    o->norm1 += fabs(u);
    o->norm2 += u * u;
    o->along += u * h;
    o->steepest = fmax(o->steepest, fabs(h));
    o->kkt = fmax(o->kkt, u != 0 ? fabs(h - copysign(o->l1, u)) : fabs(h) - o->l1);
}

/* N (1 - z)^2/2 + l1 |u|_1 - z u.h, with the largest z <= (N + u.h)/N for which z h is feasible. */
static double gap_of(const optimality *o)
{
    double N = o->squares + o->l2 * o->norm2, z = N > 0 ? (N + o->along) / N : 0;
    if (o->steepest > 0)
        z = fmax(-o->l1 / o->steepest, fmin(o->l1 / o->steepest, z));
    return fmax(0, N * (1 - z) * (1 - z) / 2 + o->l1 * o->norm1 - z * o->along);
}

lnt_status lnt_regress_certify(lnt_ctx *ctx, lnt_regress_run *r, int k)
{
    const lnt_rows *rows = &r->rows;
    lnt_regress_point *at = &r->at[k];
    const double *w = lnt_at(r->W, 0, k), *y = lnt_at(rows->Y, 0, 0);
    optimality o = {.l1 = at->lambda * r->alpha, .l2 = at->lambda * (1 - r->alpha)};
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *f = lnt_alloc(ctx, (size_t)rows->n, sizeof *f), sum = 0;
    if (!f)
        return LNT_ENOMEM;
    lnt_design_predict(f, &rows->X, w, *lnt_at(r->intercept, 0, k));
    for (int i = 0; i < rows->n; i++) {
        double residual = y[i] - f[i];
        f[i] = lnt_row_weight(rows->weight, i) * residual / rows->n;
        o.squares += f[i] * residual;
        sum += f[i];
    }
    at->nonzero = 0;
    for (int j = 0; j < rows->features; j++) {
        double u = rows->scale[j] * w[j];
        at->nonzero += w[j] != 0;
        visit(&o, u, prepared_dot(rows, j, f, sum) - o.l2 * u);
    }
    lnt_ctx_reset(ctx, mark);
    at->loss = o.squares / 2;
    at->explained = 1 - at->loss / r->null_loss;
    at->primal = at->loss + o.l1 * o.norm1 + o.l2 * o.norm2 / 2;
    at->gap = gap_of(&o);
    at->kkt = o.kkt / (r->lambda_max * r->alpha);
    at->converged = at->gap <= r->opts->gap * r->null_loss;
    return LNT_OK;
}

/* ---- Errors ---- */

/* The lasso has as many degrees of freedom as coefficients that are not 0. */
static void cross_validate(lnt_regress_run *r, lnt_regress_point *at)
{
    double n = 0, left;
    for (int i = 0; i < r->rows.n; i++)
        n += lnt_row_weight(r->rows.weight, i) > 0;
    at->loo = at->gcv = at->freedom = NAN;
    if (r->alpha < 1)
        return;
    at->freedom = at->nonzero + r->opts->intercept;
    left = 1 - at->freedom / n;
    if (left > 0)
        at->gcv = 2 * at->loss / (left * left);
}

static int least_gcv(const lnt_regress_run *r)
{
    int best = -1;
    for (int k = 0; k < r->done; k++)
        if (isfinite(r->at[k].gcv) && (best < 0 || r->at[k].gcv < r->at[best].gcv))
            best = k;
    return best;
}

/* ---- Descent ---- */

lnt_status lnt_regress_solve(lnt_ctx *ctx, lnt_regress_run *r)
{
    lnt_path path;
    lnt_status status = lnt_path_fit(ctx, &path, &r->rows.X, lnt_at(r->rows.Y, 0, 0), &r->fit);
    if (status != LNT_OK)
        return status;
    r->done = path.count;
    r->cancelled = path.count < r->count;
    r->null_loss = path.null_loss;
    for (int k = 0; k < r->done; k++) {
        const lnt_path_point *p = &path.at[k];
        r->at[k] = (lnt_regress_point){.lambda = p->lambda,
                                       .primal = p->objective,
                                       .gap = fmax(0, p->gap),
                                       .kkt = p->kkt,
                                       .loss = p->loss,
                                       .explained = p->explained,
                                       .nonzero = p->nonzero,
                                       .iterations = p->epochs,
                                       .converged = p->converged};
        *lnt_at(r->intercept, 0, k) = p->intercept;
        memcpy(lnt_at(r->W, 0, k), lnt_at(path.W, 0, k), (size_t)r->W.rows * sizeof(double));
        cross_validate(r, &r->at[k]);
    }
    r->best_gcv = least_gcv(r);
    return LNT_OK;
}

/* ---- Homotopy ---- */

/* X (features x n) <- sqrt(v_i) (x_ij - centre_j)/scale_j, y <- sqrt(v_i) (y_i - mean): the same problem, without
 * intercept, scales and weights. */
static void prepare(lnt_mat X, double *y, const lnt_rows *rows)
{
    for (int i = 0; i < rows->n; i++) {
        double root = sqrt(lnt_row_weight(rows->weight, i));
        y[i] = root * (*lnt_at(rows->Y, i, 0) - rows->mean[0]);
        for (int j = 0; j < rows->features; j++) {
            double s = rows->scale[j];
            *lnt_at(X, j, i) = s > 0 ? root * ((*lnt_at(rows->X.X, i, j) - rows->centre[j]) / s) : 0;
        }
    }
}

/* w, intercept of point k <- the path of the prepared problem at its penalty. */
static void take_point(lnt_regress_run *r, const lnt_homotopy *path, int k)
{
    const lnt_rows *rows = &r->rows;
    double *w = lnt_at(r->W, 0, k), *a = lnt_at(r->intercept, 0, k);
    bool above = r->lambda[k] >= (1 - 1e-14) * path->knot[0].lambda; /* the first knot itself, but for rounding */
    lnt_homotopy_at(w, path, above ? INFINITY : r->lambda[k]);
    *a = rows->mean[0];
    for (int j = 0; j < rows->features; j++) {
        w[j] = rows->scale[j] > 0 ? w[j] / rows->scale[j] : 0;
        *a -= w[j] * rows->centre[j];
    }
}

static lnt_status keep_knots(lnt_ctx *ctx, lnt_regress_run *r, const lnt_homotopy *path)
{
    r->knots = path->knots;
    r->drops = path->drops;
    r->violation = path->violation;
    r->knot = lnt_alloc(ctx, (size_t)path->knots, sizeof *r->knot);
    for (int i = 0; i < path->knots && r->knot; i++)
        r->knot[i] = path->knot[i].lambda;
    return r->knot ? LNT_OK : LNT_ENOMEM;
}

/* Knots down to lambda are those above it, and the one in which the piece ends. */
static long knots_to(const lnt_homotopy *path, double lambda)
{
    long count = 0;
    while (count < path->knots && path->knot[count].lambda > lambda)
        count++;
    return count;
}

lnt_status lnt_regress_homotopy(lnt_ctx *ctx, lnt_regress_run *r)
{
    const lnt_rows *rows = &r->rows;
    lnt_homotopy_opts o;
    lnt_homotopy path;
    lnt_mat X;
    double *y = lnt_alloc(ctx, (size_t)rows->n, sizeof *y);
    lnt_status status = y ? lnt_mat_alloc(ctx, &X, rows->features, rows->n) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    prepare(X, y, rows);
    for (int i = 0; i < rows->n; i++)
        r->null_loss += y[i] * y[i] / (2 * rows->n);
    lnt_homotopy_defaults(&o);
    o.lambda_min = r->lambda[r->count - 1];
    status = lnt_lasso_homotopy(ctx, &path, X, y, &o);
    if (status == LNT_OK)
        status = keep_knots(ctx, r, &path);
    double end = status == LNT_OK && !path.complete ? path.knot[path.knots - 1].lambda : 0;
    r->cancelled = status == LNT_OK && lnt_cancelled(ctx);
    for (; r->done < r->count && status == LNT_OK && (!r->cancelled || r->lambda[r->done] >= end); r->done++) {
        lnt_regress_point *at = &r->at[r->done];
        *at = (lnt_regress_point){.lambda = r->lambda[r->done]};
        take_point(r, &path, r->done);
        status = lnt_regress_certify(ctx, r, r->done);
        at->iterations = knots_to(&path, at->lambda);
        cross_validate(r, at);
    }
    r->best_gcv = least_gcv(r);
    return status;
}
