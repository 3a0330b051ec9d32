#include "setup.h"

#include <math.h>

typedef struct landscape {
    const lnt_net *net;
    const lnt_moments *m;
    lnt_moments_work work;
} landscape;

static int gradient(double *g, const double *w, const lnt_batch *batch, void *user)
{
    const landscape *l = user;
    (void)batch;
    lnt_net_gradient_moments(g, &l->work, l->net, w, l->m);
    return 0;
}

static lnt_status both(lnt_ctx *ctx, double *curvature, landscape *l, double *w)
{
    lnt_objective f = {lnt_net_size(l->net), 1, gradient, NULL, l};
    lnt_rng probe = lnt_rng_stream(0, 0, LNT_FOR_PROBE);
    double first = 0, last = 0;
    lnt_mat P;
    lnt_status status = lnt_moments_work_alloc(ctx, &l->work, l->net);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &P, l->m->Syx.rows, l->m->Syx.cols);
    if (status == LNT_OK)
        status = lnt_sharpness(ctx, &first, &f, w, &probe);
    if (status == LNT_OK)
        status = lnt_least_squares(ctx, P, NULL, l->m, lnt_net_bottleneck(l->net));
    if (status == LNT_OK)
        status = lnt_net_factor(ctx, w, l->net, P);
    if (status == LNT_OK)
        status = lnt_sharpness(ctx, &last, &f, w, &probe);
    *curvature = fmax(first, last);
    return status;
}

lnt_status lnt_largest_curvature(lnt_ctx *ctx, double *curvature, const lnt_net *net, double *w, const lnt_moments *m)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    landscape l = {.net = net, .m = m};
    lnt_status status = both(ctx, curvature, &l, w);
    lnt_ctx_reset(ctx, mark);
    return status;
}
