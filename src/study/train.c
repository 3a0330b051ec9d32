#include "train.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

void lnt_train_defaults(lnt_train_opts *opts)
{
    lnt_descent descent;
    lnt_descent_defaults(&descent);
    *opts = (lnt_train_opts){.init = "orthogonal",
                             .lr = descent.eta,
                             .batch = descent.batch,
                             .epochs = descent.epochs,
                             .shuffle = descent.shuffle,
                             .beta1 = descent.beta1,
                             .beta2 = descent.beta2,
                             .epsilon = descent.epsilon,
                             .seeds = 1};
}

/* ---- Set-up ---- */

static lnt_status make_task(lnt_ctx *ctx, training *t)
{
    const lnt_train_opts *o = t->opts;
    lnt_source source = {o->data, o->inputs, o->targets, o->one_hot};
    lnt_dataset data;
    if (o->pca > 0 && o->whiten > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--pca and --whiten exclude each other");
    lnt_prep_kind kind = o->whiten > 0 ? LNT_PREP_WHITEN
                         : o->pca > 0  ? LNT_PREP_PCA
                         : o->centre   ? LNT_PREP_CENTRE
                                       : LNT_PREP_NONE;
    lnt_status status = lnt_source_read(ctx, &data, &source, true);
    if (status == LNT_OK)
        status = lnt_task_make(ctx, &t->task, &data, kind, o->whiten > 0 ? o->whiten : o->pca, o->threads);
    return status;
}

/* Fills in the layers that were not given and checks those that were. */
static lnt_status make_net(lnt_ctx *ctx, training *t, lnt_train_opts *opts)
{
    lnt_int_list *layers = &opts->layers;
    int inputs = t->task.inputs, outputs = t->task.outputs;
    if (layers->count == 0)
        *layers = (lnt_int_list){3, {inputs, outputs, outputs}};
    if (layers->count < 2)
        return lnt_fail(ctx, LNT_EUSAGE, "--layers needs at least two widths, inputs and outputs: --layers %d,%d",
                        inputs, outputs);
    if (layers->item[0] != inputs)
        return lnt_fail(
            ctx, LNT_ESHAPE, "--layers starts with %d, but the prepared inputs have %d values%s: use --layers %d,...",
            layers->item[0], inputs, t->task.prep.map.a ? " (directions with variance that were kept)" : "", inputs);
    if (layers->item[layers->count - 1] != outputs)
        return lnt_fail(ctx, LNT_ESHAPE, "--layers ends with %d, but the targets have %d values: use --layers ...,%d",
                        layers->item[layers->count - 1], outputs, outputs);
    t->net = (lnt_net){layers->count - 1, layers->item};
    return LNT_OK;
}

static lnt_status check_rows(lnt_ctx *ctx, training *t)
{
    const lnt_train_opts *o = t->opts;
    if (o->rows_per_epoch > t->task.n)
        return lnt_fail(ctx, LNT_EUSAGE, "--rows-per-epoch %d: there are only %d rows", o->rows_per_epoch, t->task.n);
    if (o->space == LNT_SPACE_COVARIANCE && o->shuffle && o->rows_per_epoch > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--space covariance takes all rows, or with --no-shuffle the first ones");
    bool subset = !o->shuffle && o->rows_per_epoch > 0;
    t->fitted_rows = subset ? o->rows_per_epoch : t->task.n;
    return LNT_OK;
}

lnt_status lnt_training_prepare(lnt_ctx *ctx, training *t, lnt_train_opts *opts)
{
    *t = (training){.opts = opts};
    lnt_status status = lnt_init_parse(ctx, &t->init, opts->init);
    if (status == LNT_OK)
        status = make_task(ctx, t);
    if (status == LNT_OK)
        status = make_net(ctx, t, opts);
    if (status == LNT_OK)
        status = check_rows(ctx, t);
    if (status == LNT_OK)
        status = lnt_task_moments(ctx, &t->all, &t->task, 0, t->task.n, opts->threads);
    t->fitted = t->all;
    if (status == LNT_OK && t->fitted_rows < t->task.n)
        status = lnt_task_moments(ctx, &t->fitted, &t->task, 0, t->fitted_rows, opts->threads);
    t->scale = opts->loss == LNT_LOSS_HALF ? 1 : opts->loss == LNT_LOSS_SUM ? 2 : 2.0 / t->task.outputs;
    t->eta = t->scale * opts->lr;
    return status;
}

/* ---- Runs ---- */

#define BLOCK 256 /* samples that pass the network together: activations stay in the second-level cache */

typedef struct run {
    lnt_ctx *ctx;
    training *t;
    int index;
    lnt_net_work work;
    lnt_moments_work moments;
    size_t size;
    bool overflow; /* the loss is no longer finite */
    lnt_status status;
} run;

/* From E to the loss that was chosen. */
static void scale_gradient(double *g, const run *r)
{
    for (size_t i = 0; i < r->size && r->t->scale != 1; i++)
        g[i] *= r->t->scale;
}

static int gradient(double *g, const double *w, const lnt_batch *batch, void *user)
{
    run *r = user;
    lnt_net_gradient(g, &r->work, &r->t->net, w, &r->t->task, batch->rows, batch->first, batch->count);
    scale_gradient(g, r);
    return 0;
}

/* The score of the weights over all rows: by the rows themselves, or the loss alone from their moments. */
static lnt_status score_weights(lnt_ctx *ctx, lnt_score *score, const training *t, const double *w, bool by_rows)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat P;
    lnt_status status = lnt_mat_alloc(ctx, &P, t->task.outputs, t->task.inputs);
    if (status == LNT_OK)
        status = lnt_net_product(ctx, P, &t->net, w);
    score->accuracy = NAN;
    if (status == LNT_OK && by_rows)
        status = lnt_map_score(ctx, score, P, &t->task, 0, t->task.n, t->opts->threads);
    else if (status == LNT_OK)
        status = lnt_linear_loss(ctx, &score->loss, P, &t->all);
    lnt_ctx_reset(ctx, mark);
    return status;
}

static int score_epoch(const double *w, int epoch, void *user)
{
    run *r = user;
    training *t = r->t;
    size_t at = (size_t)r->index * ((size_t)t->opts->epochs + 1) + (size_t)epoch;
    lnt_score score;
    r->status = score_weights(r->ctx, &score, t, w, t->opts->space == LNT_SPACE_SAMPLES);
    if (r->status != LNT_OK)
        return -1;
    r->overflow = !isfinite(score.loss);
    t->loss[at] = t->scale * score.loss;
    t->accuracy[at] = score.accuracy;
    return r->overflow ? -1 : 0;
}

static int moments_gradient(double *g, const double *w, const lnt_batch *batch, void *user)
{
    run *r = user;
    (void)batch;
    lnt_net_gradient_moments(g, &r->moments, &r->t->net, w, &r->t->fitted);
    scale_gradient(g, r);
    return 0;
}

/* From the largest curvature at the start of run 0 and at the balanced optimum, where a long run ends. */
static lnt_status measure_stability(lnt_ctx *ctx, training *t, double *w)
{
    run r = {.ctx = ctx, .t = t, .size = lnt_net_size(&t->net)};
    lnt_objective objective = {r.size, t->fitted_rows, moments_gradient, NULL, &r};
    lnt_rng rng = lnt_rng_stream(t->opts->seed, 0, LNT_FOR_WEIGHTS), probe = lnt_rng_stream(0, 0, LNT_FOR_PROBE);
    double start = 0, end = 0;
    lnt_mat P;
    lnt_status status = lnt_moments_work_alloc(ctx, &r.moments, &t->net);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &P, t->task.outputs, t->task.inputs);
    if (status == LNT_OK)
        status = lnt_net_init(ctx, w, &t->net, &t->init, &rng);
    if (status == LNT_OK)
        status = lnt_sharpness(ctx, &start, &objective, w, &probe);
    if (status == LNT_OK)
        status = lnt_least_squares(ctx, P, NULL, &t->fitted, lnt_net_bottleneck(&t->net));
    if (status == LNT_OK)
        status = lnt_net_factor(ctx, w, &t->net, P);
    if (status == LNT_OK)
        status = lnt_sharpness(ctx, &end, &objective, w, &probe);
    /* heavy ball: eta h < 2 (1 + beta) for every eigenvalue h of the Hessian (Polyak 1964) */
    const lnt_train_opts *o = t->opts;
    double curvature = fmax(start, end) + o->weight_decay;
    t->stable_lr = o->optimizer == LNT_ADAM ? (double)NAN : 2 * (1 + o->momentum) / curvature;
    return status;
}

static lnt_status diverged(lnt_ctx *ctx, const training *t, int index)
{
    char lr[LNT_NUMBER_CHARS];
    int epoch = t->info[index].epochs + 1;
    lnt_number_text(t->opts->lr, lr);
    if (t->opts->optimizer == LNT_ADAM)
        return lnt_fail(ctx, LNT_EDIVERGED,
                        "run %d diverged in epoch %d: --lr %s is too large for Adam; 0.001 is usual", index, epoch, lr);
    return lnt_fail(
        ctx, LNT_EDIVERGED,
        "run %d diverged in epoch %d: --lr %s is too large; full-batch descent is stable below about %.2g "
        "(from the largest Hessian eigenvalue), minibatches below less; --whiten N makes larger steps stable",
        index, epoch, lr, t->stable_lr);
}

#define NOT_BEGUN (-1)

static lnt_descent descent_options(const lnt_train_opts *o)
{
    bool moments = o->space == LNT_SPACE_COVARIANCE; /* one step an epoch, all rows in it */
    return (lnt_descent){.eta = o->lr,
                         .batch = o->optimizer == LNT_GD || moments ? 0 : o->batch,
                         .rows_per_epoch = moments ? 0 : o->rows_per_epoch,
                         .shuffle = o->shuffle && !moments,
                         .epochs = o->epochs,
                         .rule = o->optimizer == LNT_ADAM ? LNT_RULE_ADAM : LNT_RULE_DESCENT,
                         .momentum = o->momentum,
                         .beta1 = o->beta1,
                         .beta2 = o->beta2,
                         .epsilon = o->epsilon,
                         .weight_decay = o->weight_decay,
                         .l1 = o->l1,
                         .naive_l1 = o->naive_l1};
}

/* In covariance space classes are compared only once, at the end. */
static lnt_status final_accuracy(lnt_ctx *ctx, training *t, int index)
{
    lnt_score score;
    size_t at = (size_t)index * ((size_t)t->opts->epochs + 1) + (size_t)t->info[index].epochs;
    lnt_status status = score_weights(ctx, &score, t, t->w[index], true);
    if (status == LNT_OK)
        t->accuracy[at] = score.accuracy;
    return status;
}

static lnt_status one_run(lnt_ctx *ctx, int index, void *user)
{
    training *t = user;
    const lnt_train_opts *o = t->opts;
    bool moments = o->space == LNT_SPACE_COVARIANCE;
    if (index > 0 && lnt_cancelled(ctx))
        return LNT_OK;
    run r = {.ctx = ctx, .t = t, .index = index, .size = lnt_net_size(&t->net)};
    lnt_rng weights = lnt_rng_stream(o->seed, (uint32_t)index, LNT_FOR_WEIGHTS),
            order = lnt_rng_stream(o->seed, (uint32_t)index, LNT_FOR_SHUFFLE);
    lnt_descent descent = descent_options(o);
    lnt_objective objective = {r.size, t->task.n, moments ? moments_gradient : gradient, score_epoch, &r};
    int width = descent.batch > 0 && descent.batch < BLOCK ? descent.batch : BLOCK;
    lnt_status status =
        moments ? lnt_moments_work_alloc(ctx, &r.moments, &t->net) : lnt_net_work_alloc(ctx, &r.work, &t->net, width);
    if (status == LNT_OK)
        status = lnt_net_init(ctx, t->w[index], &t->net, &t->init, &weights);
    if (status == LNT_OK)
        status = lnt_imbalance(ctx, &t->imbalance[index], &t->net, t->w[index]);
    if (status != LNT_OK)
        return status;
    status = lnt_descend(ctx, t->w[index], &t->info[index], &objective, &descent, &order);
    if (r.status != LNT_OK)
        return r.status;
    if (r.overflow || t->info[index].stop == LNT_STOP_DIVERGED) {
        lnt_ctx_clear(ctx);
        return diverged(ctx, t, index);
    }
    return status == LNT_OK && moments ? final_accuracy(ctx, t, index) : status;
}

/* After an interruption: the complete runs, else those that finished an epoch, else the start of the first. */
static void keep_finished(training *t)
{
    int most = 0, kept = 0, stride = t->opts->epochs + 1;
    for (int k = 0; k < t->runs; k++) {
        t->interrupted = t->interrupted || t->info[k].epochs < t->opts->epochs;
        most = t->info[k].epochs > most ? t->info[k].epochs : most;
    }
    int least = most == t->opts->epochs ? most : most > 0 ? 1 : 0;
    for (int k = 0; k < t->runs && t->interrupted; k++) {
        if (t->info[k].epochs < least || (least == 0 && k > 0))
            continue;
        size_t to = (size_t)kept * (size_t)stride, from = (size_t)k * (size_t)stride;
        memmove(t->loss + to, t->loss + from, (size_t)stride * sizeof *t->loss);
        memmove(t->accuracy + to, t->accuracy + from, (size_t)stride * sizeof *t->accuracy);
        t->info[kept] = t->info[k];
        t->w[kept++] = t->w[k];
    }
    if (t->interrupted)
        t->runs = kept;
}

lnt_status lnt_training_run(lnt_ctx *ctx, training *t)
{
    size_t runs = (size_t)t->opts->seeds, rows = (size_t)t->opts->epochs + 1, size = lnt_net_size(&t->net);
    t->w = lnt_alloc(ctx, runs, sizeof *t->w);
    t->loss = lnt_alloc_zero(ctx, runs * rows, sizeof *t->loss);
    t->accuracy = lnt_alloc_zero(ctx, runs * rows, sizeof *t->accuracy);
    t->info = lnt_alloc_zero(ctx, runs, sizeof *t->info);
    t->imbalance = lnt_alloc_zero(ctx, runs, sizeof *t->imbalance);
    double *probe = lnt_alloc(ctx, size, sizeof *probe);
    if (!t->w || !t->loss || !t->accuracy || !t->info || !t->imbalance || !probe)
        return LNT_ENOMEM;
    for (size_t k = 0; k < runs; k++)
        if (!(t->w[k] = lnt_alloc(ctx, size, sizeof **t->w)))
            return LNT_ENOMEM;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = measure_stability(ctx, t, probe);
    lnt_ctx_reset(ctx, mark);
    if (status != LNT_OK)
        return status;
    t->runs = t->opts->seeds;
    for (size_t k = 0; k < runs; k++)
        t->info[k].epochs = NOT_BEGUN;
    lnt_progress_begin(ctx, "epochs", (long)(runs * rows));
    status = lnt_parallel(ctx, t->opts->seeds, t->opts->threads, one_run, t);
    keep_finished(t);
    return status;
}

lnt_status lnt_train_study(lnt_ctx *ctx, lnt_record *record, const lnt_train_opts *opts)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_train_opts resolved = *opts;
    training t;
    lnt_blas_pin();
    lnt_status status = lnt_training_prepare(ctx, &t, &resolved);
    if (status == LNT_OK)
        status = lnt_training_run(ctx, &t);
    if (status == LNT_OK)
        status = lnt_training_report(ctx, record, &t);
    if (status == LNT_OK)
        status = lnt_record_status(ctx, record);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
