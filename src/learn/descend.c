#include "linnet/learn.h"

#include "rule.h"

#include <math.h>
#include <string.h>

void lnt_descent_defaults(lnt_descent *opts)
{
    *opts = (lnt_descent){
        .eta = 0.05, .batch = 100, .shuffle = true, .epochs = 20, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
}

static bool all_finite(const double *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(w[i]))
            return false;
    return true;
}

typedef struct descent {
    const lnt_objective *objective;
    const lnt_descent *opts;
    double *w, *g, *last;
    int *order; /* NULL: rows in their own order */
    int rows;   /* of an epoch */
    lnt_rule_state rule;
} descent;

static lnt_status one_epoch(lnt_ctx *ctx, descent *d, lnt_descent_info *info, lnt_rng *rng)
{
    const lnt_objective *f = d->objective;
    int size = d->opts->batch > 0 && d->opts->batch < d->rows ? d->opts->batch : d->rows;
    if (d->order)
        lnt_rng_shuffle(rng, d->order, f->rows);
    for (int first = 0; first < d->rows; first += size) {
        lnt_batch batch = {d->order, first, d->rows - first < size ? d->rows - first : size};
        if (f->gradient(d->g, d->w, &batch, f->user) < 0)
            return lnt_fail(ctx, LNT_EUSER, "the gradient callback stopped the descent");
        lnt_rule_step(&d->rule, d->w, d->g);
        info->steps++;
        if (lnt_cancelled(ctx)) {
            info->stop = LNT_STOP_INTERRUPTED;
            return LNT_OK;
        }
    }
    if (!all_finite(d->w, f->size))
        info->stop = LNT_STOP_DIVERGED;
    return LNT_OK;
}

static lnt_status run(lnt_ctx *ctx, descent *d, lnt_descent_info *info, lnt_rng *rng)
{
    const lnt_objective *f = d->objective;
    for (int epoch = 0;; epoch++) {
        if (f->after_epoch && f->after_epoch(d->w, epoch, f->user) < 0)
            return lnt_fail(ctx, LNT_EUSER, "the epoch callback stopped the descent");
        info->epochs = epoch;
        lnt_progress_step(ctx);
        if (epoch == d->opts->epochs)
            return LNT_OK;
        memcpy(d->last, d->w, f->size * sizeof *d->w);
        long steps = info->steps;
        lnt_status status = one_epoch(ctx, d, info, rng);
        if (status != LNT_OK || info->stop != LNT_STOP_DONE) {
            info->steps = steps;
            memcpy(d->w, d->last, f->size * sizeof *d->w);
            return status;
        }
    }
}

static lnt_status check_rule(lnt_ctx *ctx, const lnt_descent *o)
{
    if (!(o->momentum >= 0 && o->momentum < 1))
        return lnt_fail(ctx, LNT_EINVAL, "momentum %g: from 0 up to, but not including, 1", o->momentum);
    if (!(o->weight_decay >= 0 && o->l1 >= 0) || !isfinite(o->weight_decay) || !isfinite(o->l1))
        return lnt_fail(ctx, LNT_EINVAL, "penalties must not be negative: weight decay %g, L1 %g", o->weight_decay,
                        o->l1);
    if (o->rule == LNT_RULE_ADAM &&
        !(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1 && o->epsilon > 0 && o->momentum == 0))
        return lnt_fail(ctx, LNT_EINVAL,
                        "Adam needs 0 <= beta1, beta2 < 1 and epsilon > 0, and takes no --momentum (beta1 is its own)");
    return LNT_OK;
}

lnt_status lnt_descend(lnt_ctx *ctx, double *w, lnt_descent_info *info, const lnt_objective *objective,
                       const lnt_descent *opts, lnt_rng *rng)
{
    *info = (lnt_descent_info){0};
    if (!(opts->eta > 0) || !isfinite(opts->eta))
        return lnt_fail(ctx, LNT_EINVAL, "the learning rate must be positive and finite, not %g", opts->eta);
    if (objective->rows < 1 || opts->rows_per_epoch < 0 || opts->rows_per_epoch > objective->rows || opts->epochs < 0)
        return lnt_fail(ctx, LNT_EINVAL, "%d rows per epoch of %d rows, %d epochs: not possible", opts->rows_per_epoch,
                        objective->rows, opts->epochs);
    lnt_status valid = check_rule(ctx, opts);
    if (valid != LNT_OK)
        return valid;
    lnt_mark mark = lnt_ctx_mark(ctx);
    descent d = {.objective = objective,
                 .opts = opts,
                 .w = w,
                 .rows = opts->rows_per_epoch ? opts->rows_per_epoch : objective->rows};
    d.g = lnt_alloc(ctx, objective->size, sizeof *d.g);
    d.last = lnt_alloc(ctx, objective->size, sizeof *d.last);
    if (opts->shuffle)
        d.order = lnt_alloc(ctx, (size_t)objective->rows, sizeof *d.order);
    lnt_status status = !d.g || !d.last || (opts->shuffle && !d.order) ? LNT_ENOMEM : LNT_OK;
    if (status == LNT_OK)
        status = lnt_rule_alloc(ctx, &d.rule, opts, objective->size);
    for (int i = 0; d.order && i < objective->rows; i++)
        d.order[i] = i;
    if (status == LNT_OK)
        status = run(ctx, &d, info, rng);
    lnt_ctx_reset(ctx, mark);
    return status;
}
