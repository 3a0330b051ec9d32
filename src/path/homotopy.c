#include "linnet/homotopy.h"

#include "linnet/linalg.h"
#include "walk.h"

#include <math.h>
#include <string.h>

#define SMALL 1e-14 /* violation, in units of the first lambda */
#define REFINEMENTS 5

void lnt_homotopy_defaults(lnt_homotopy_opts *opts)
{
    *opts = (lnt_homotopy_opts){0};
}

/* The knots lie in a list that doubles. */
typedef struct list {
    lnt_knot *knot;
    int count, room;
} list;

static lnt_status put(lnt_ctx *ctx, list *l, const lnt_walk *walk, double lambda)
{
    if (l->count == l->room) {
        int room = l->room ? 2 * l->room : 64;
        lnt_knot *larger = lnt_alloc(ctx, (size_t)room, sizeof *larger);
        if (!larger)
            return LNT_ENOMEM;
        if (l->count > 0)
            memcpy(larger, l->knot, (size_t)l->count * sizeof *larger);
        l->knot = larger;
        l->room = room;
    }
    size_t k = (size_t)walk->k;
    double *w = lnt_alloc(ctx, k, sizeof *w);
    int *feature = lnt_alloc(ctx, k, sizeof *feature);
    if (!w || !feature)
        return LNT_ENOMEM;
    if (k > 0) {
        memcpy(w, walk->w, k * sizeof *w);
        memcpy(feature, walk->feature, k * sizeof *feature);
    }
    l->knot[l->count++] = (lnt_knot){lambda, walk->k, feature, w};
    return LNT_OK;
}

static lnt_status check(lnt_ctx *ctx, lnt_mat X, const double *y, const lnt_homotopy_opts *opts)
{
    if (!(opts->lambda_min >= 0 && opts->ratio >= 0) || opts->max_steps < 0)
        return lnt_fail(ctx, LNT_EINVAL, "lambda_min, ratio and max_steps must be at least 0, not %g, %g and %ld",
                        opts->lambda_min, opts->ratio, opts->max_steps);
    if (!lnt_mat_finite(X))
        return lnt_fail(ctx, LNT_EDOMAIN, "features have entries that are not finite");
    if (!lnt_mat_finite(lnt_mat_view((double *)y, X.cols, 1)))
        return lnt_fail(ctx, LNT_EDOMAIN, "targets have entries that are not finite");
    return LNT_OK;
}

/* The violation at this knot, once it is small or does not fall any more. */
static double correct(lnt_walk *walk)
{
    double former, v = lnt_walk_correct(walk);
    for (int i = 0; i < REFINEMENTS && v > SMALL; i++) {
        former = v;
        v = lnt_walk_correct(walk);
        if (v > 0.5 * former)
            break;
    }
    return v;
}

static lnt_status follow(lnt_ctx *ctx, lnt_homotopy *path, lnt_mat X, const double *y, const lnt_homotopy_opts *opts)
{
    lnt_walk walk;
    list l = {0};
    double n = X.cols > 0 ? X.cols : 1;
    lnt_status status = lnt_walk_start(ctx, &walk, X, y, opts->lambda_min == 0 && opts->ratio == 0);
    double end = fmax(n * opts->lambda_min, opts->ratio * walk.top);
    long most = opts->max_steps > 0 ? opts->max_steps : 20L * walk.most + 100;
    if (status == LNT_OK)
        status = put(ctx, &l, &walk, walk.mu / n);
    while (status == LNT_OK && walk.mu > end && walk.steps < most && !lnt_cancelled(ctx)) {
        double former = walk.mu;
        if (!lnt_walk_step(&walk, end))
            break;
        path->violation = fmax(path->violation, correct(&walk));
        if (walk.mu < former) /* knots of length 0 come from ties */
            status = put(ctx, &l, &walk, walk.mu / n);
    }
    path->knot = l.knot;
    path->knots = l.count;
    path->drops = walk.drops;
    path->complete = walk.mu <= end;
    return status;
}

lnt_status lnt_lasso_homotopy(lnt_ctx *ctx, lnt_homotopy *path, lnt_mat X, const double *y,
                              const lnt_homotopy_opts *opts)
{
    lnt_homotopy_opts defaults = {0};
    if (!opts)
        opts = &defaults;
    *path = (lnt_homotopy){.features = X.rows};
    lnt_status status = check(ctx, X, y, opts);
    if (status != LNT_OK)
        return status;
    lnt_blas_pin();
    status = follow(ctx, path, X, y, opts);
    lnt_blas_unpin();
    return status;
}

void lnt_homotopy_at(double *w, const lnt_homotopy *path, double lambda)
{
    memset(w, 0, (size_t)path->features * sizeof *w);
    int low = 0, high = path->knots - 1; /* knot[low].lambda > lambda >= knot[high].lambda */
    if (high < 0 || lambda >= path->knot[0].lambda)
        return;
    if (lambda <= path->knot[high].lambda)
        low = high;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        *(path->knot[middle].lambda > lambda ? &low : &high) = middle;
    }
    const lnt_knot *a = &path->knot[low], *b = &path->knot[high];
    double t = low == high ? 0 : (a->lambda - lambda) / (a->lambda - b->lambda);
    for (int p = 0; p < a->active; p++)
        w[a->feature[p]] += (1 - t) * a->w[p];
    for (int p = 0; p < b->active && low < high; p++)
        w[b->feature[p]] += t * b->w[p];
}
