#include "linnet/theory.h"

#include <math.h>

typedef struct mode {
    int depth, least; /* layer of smallest |a| */
    double s, *side;  /* sqrt(a_l^2 - a_least^2), with the sign of a_l */
    lnt_mat A;
} mode;

static double strength(const mode *f, int l, double least)
{
    return l == f->least ? least : copysign(hypot(least, f->side[l]), f->side[l]);
}

static int slope(double *dy, double t, const double *y, void *user)
{
    const mode *f = user;
    double others = 1;
    (void)t;
    for (int l = 0; l < f->depth; l++)
        if (l != f->least)
            others *= strength(f, l, *y);
    *dy = others * (f->s - others * *y);
    return 0;
}

static int output(double t, int index, const double *y, void *user)
{
    const mode *f = user;
    (void)t;
    for (int l = 0; l < f->depth; l++)
        *lnt_at(f->A, l, index) = strength(f, l, *y);
    return 0;
}

lnt_status lnt_depth_unequal(lnt_ctx *ctx, lnt_mat A, lnt_flow_info *info, const double *a0, int depth, double s,
                             const double *times, int count, const lnt_flow_opts *opts)
{
    mode f = {.depth = depth, .s = s, .A = A};
    if (depth < 1)
        return lnt_fail(ctx, LNT_EINVAL, "a network has at least one layer, not %d", depth);
    if (A.rows != depth || A.cols != count)
        return lnt_fail(ctx, LNT_ESHAPE, "the answer is %d x %d, not %d layers x %d times", A.rows, A.cols, depth,
                        count);
    if (!isfinite(s))
        return lnt_fail(ctx, LNT_EDOMAIN, "the mode's strength in the task is %g", s);
    for (int l = 0; l < depth; l++) {
        if (!isfinite(a0[l]))
            return lnt_fail(ctx, LNT_EDOMAIN, "the start of layer %d is %g", l + 1, a0[l]);
        if (fabs(a0[l]) < fabs(a0[f.least]))
            f.least = l;
    }
    lnt_mark mark = lnt_ctx_mark(ctx);
    f.side = lnt_alloc(ctx, (size_t)depth, sizeof *f.side);
    lnt_status status = f.side ? LNT_OK : LNT_ENOMEM;
    double least = a0[f.least];
    for (int l = 0; l < depth && status == LNT_OK; l++) /* the difference of squares without their cancellation */
        f.side[l] = copysign(sqrt(fabs(a0[l]) - fabs(least)) * sqrt(fabs(a0[l]) + fabs(least)), a0[l]);
    lnt_ode ode = {.size = 1, .slope = slope, .output = output, .user = &f};
    lnt_mat_fill(A, NAN);
    if (status == LNT_OK)
        status = lnt_flow(ctx, (lnt_mat){0}, info, &ode, &least, 0, times, count, opts);
    lnt_ctx_reset(ctx, mark);
    return status;
}
