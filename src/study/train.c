#include "train.h"

#include "layered.h"
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
                             .epochs = LNT_AUTO,
                             .shuffle = descent.shuffle,
                             .beta1 = descent.beta1,
                             .beta2 = descent.beta2,
                             .epsilon = descent.epsilon,
                             .seeds = LNT_AUTO};
}

/* ---- Runs ---- */

#define BLOCK 256       /* samples that pass the network together: activations stay in the second-level cache */
#define PROBE_ROWS 1024 /* rows for the curvature of a network that is not linear */

typedef struct run {
    lnt_ctx *ctx;
    const training *t;
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
    lnt_net_gradient(g, &r->work, &r->t->net, w, &r->t->setup.task, batch->rows, batch->first, batch->count);
    scale_gradient(g, r);
    return 0;
}

static int moments_gradient(double *g, const double *w, const lnt_batch *batch, void *user)
{
    run *r = user;
    (void)batch;
    lnt_net_gradient_moments(g, &r->moments, &r->t->net, w, &r->t->fitted);
    scale_gradient(g, r);
    return 0;
}

/* The objective of a run over `rows` rows, with work space for batches of `width`. */
static lnt_status make_objective(lnt_ctx *ctx, lnt_objective *f, run *r, bool moments, int rows, int width)
{
    *f = (lnt_objective){r->size, rows, moments ? moments_gradient : gradient, NULL, r};
    return moments ? lnt_moments_work_alloc(ctx, &r->moments, &r->t->net)
                   : lnt_net_work_alloc(ctx, &r->work, &r->t->net, width);
}

lnt_status lnt_training_gradient(lnt_ctx *ctx, double *g, const training *t, const double *w)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    run r = {.ctx = ctx, .t = t, .size = lnt_net_size(&t->net)};
    lnt_objective f;
    lnt_batch all = {NULL, 0, t->fitted_rows};
    lnt_status status = make_objective(ctx, &f, &r, t->net.activation == LNT_LINEAR, t->fitted_rows, BLOCK);
    if (status == LNT_OK)
        f.gradient(g, w, &all, &r);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- Scores ---- */

bool lnt_training_tracks(const training *t, lnt_track track)
{
    bool classes = t->setup.task.data.classes && t->opts->space == LNT_SPACE_SAMPLES;
    return (track < LNT_TRACK_TEST_LOSS || t->setup.test.n > 0) && (track % 2 == 0 || classes);
}

/* Over the rows themselves, or the loss alone from their moments. */
static lnt_status score_one(lnt_ctx *ctx, lnt_score *score, const training *t, const double *w, const lnt_task *task,
                            const lnt_moments *m, bool by_rows)
{
    if (by_rows)
        return lnt_net_score(ctx, score, &t->net, w, task, 0, task->n, t->opts->threads);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat P;
    lnt_status status = lnt_mat_alloc(ctx, &P, t->setup.task.outputs, t->setup.task.inputs);
    if (status == LNT_OK)
        status = lnt_net_product(ctx, P, &t->net, w);
    if (status == LNT_OK)
        status = lnt_linear_loss(ctx, &score->loss, P, m);
    score->accuracy = NAN;
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Enters the scores of the weights in the tracks of run `index` at `epoch`. */
static lnt_status score_weights(lnt_ctx *ctx, const training *t, int index, int epoch, const double *w, bool by_rows)
{
    size_t at = (size_t)index * ((size_t)t->opts->epochs + 1) + (size_t)epoch;
    lnt_score score[2] = {{NAN, NAN}, {NAN, NAN}};
    lnt_status status = score_one(ctx, &score[0], t, w, &t->setup.task, &t->setup.all, by_rows);
    if (status == LNT_OK && t->setup.test.n)
        status = score_one(ctx, &score[1], t, w, &t->setup.test, &t->setup.held, by_rows);
    for (int k = 0; k < 2; k++) {
        t->track[2 * k][at] = t->scale * score[k].loss;
        t->track[2 * k + 1][at] = score[k].accuracy;
    }
    return status;
}

static int score_epoch(const double *w, int epoch, void *user)
{
    run *r = user;
    const training *t = r->t;
    size_t at = (size_t)r->index * ((size_t)t->opts->epochs + 1) + (size_t)epoch;
    r->status = score_weights(r->ctx, t, r->index, epoch, w, t->opts->space == LNT_SPACE_SAMPLES);
    if (r->status != LNT_OK)
        return -1;
    r->overflow = !isfinite(t->track[LNT_TRACK_LOSS][at]);
    return r->overflow ? -1 : 0;
}

/* In covariance space classes are compared only once, at the end, where there are rows. */
static lnt_status final_accuracy(lnt_ctx *ctx, const training *t, int index)
{
    int epoch = t->info[index].epochs;
    size_t at = (size_t)index * ((size_t)t->opts->epochs + 1) + (size_t)epoch;
    double loss = t->track[LNT_TRACK_LOSS][at], test_loss = t->track[LNT_TRACK_TEST_LOSS][at];
    if (!t->setup.task.data.classes)
        return LNT_OK;
    lnt_status status = score_weights(ctx, t, index, epoch, t->w[index], true);
    t->track[LNT_TRACK_LOSS][at] = loss;
    t->track[LNT_TRACK_TEST_LOSS][at] = test_loss;
    return status;
}

/* ---- Stability ---- */

/* Heavy ball: eta h < 2 (1 + beta) for every eigenvalue h of the Hessian (Polyak 1964). */
static double stable_step(const lnt_train_opts *o, double curvature)
{
    return o->optimizer == LNT_ADAM ? (double)NAN : 2 * (1 + o->momentum) / (curvature + o->weight_decay);
}

static lnt_status measure_stability(lnt_ctx *ctx, training *t, double *w)
{
    double curvature = NAN;
    t->stable_lr = NAN;
    if (t->net.activation != LNT_LINEAR)
        return LNT_OK;
    lnt_status status = lnt_training_start(ctx, w, t, 0);
    if (status == LNT_OK)
        status = lnt_largest_curvature(ctx, &curvature, &t->net, w, &t->fitted);
    t->stable_lr = stable_step(t->opts, t->scale * curvature);
    return status;
}

/* A network that is not linear, and only once it has diverged: at its start, from the first rows. */
static double probe_stability(lnt_ctx *ctx, const training *t, int index)
{
    run r = {.ctx = ctx, .t = t, .size = lnt_net_size(&t->net)};
    lnt_objective f;
    lnt_rng probe = lnt_rng_stream(0, 0, LNT_FOR_PROBE);
    int rows = t->fitted_rows < PROBE_ROWS ? t->fitted_rows : PROBE_ROWS;
    double curvature = NAN, *w = lnt_alloc(ctx, r.size, sizeof *w);
    if (w && make_objective(ctx, &f, &r, false, rows, BLOCK) == LNT_OK &&
        lnt_training_start(ctx, w, t, index) == LNT_OK)
        lnt_sharpness(ctx, &curvature, &f, w, &probe);
    lnt_ctx_clear(ctx);
    return stable_step(t->opts, curvature);
}

static lnt_status diverged(lnt_ctx *ctx, const training *t, int index)
{
    char lr[LNT_NUMBER_CHARS];
    int epoch = t->info[index].epochs + 1;
    lnt_number_text(t->opts->lr, lr);
    if (t->opts->optimizer == LNT_ADAM)
        return lnt_fail(ctx, LNT_EDIVERGED,
                        "run %d diverged in epoch %d: --lr %s is too large for Adam; 0.001 is usual", index, epoch, lr);
    bool linear = t->net.activation == LNT_LINEAR;
    const char *advice = t->setup.task.prep.kind == LNT_PREP_WHITEN ? ""
                         : t->setup.task.n == 0 ? "; inputs scaled to unit variance allow larger steps"
                                                : "; --whiten N makes larger steps stable";
    return lnt_fail(ctx, LNT_EDIVERGED,
                    "run %d diverged in epoch %d: --lr %s is too large; full-batch descent is stable below about %.2g "
                    "(from the largest Hessian eigenvalue%s), minibatches below less%s",
                    index, epoch, lr, linear ? t->stable_lr : probe_stability(ctx, t, index),
                    linear ? "" : " at the start", advice);
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

static lnt_status one_run(lnt_ctx *ctx, int index, void *user)
{
    training *t = user;
    const lnt_train_opts *o = t->opts;
    bool moments = o->space == LNT_SPACE_COVARIANCE;
    if (index > 0 && lnt_cancelled(ctx))
        return LNT_OK;
    run r = {.ctx = ctx, .t = t, .index = index, .size = lnt_net_size(&t->net)};
    lnt_rng order = lnt_rng_stream(o->seed, (uint32_t)index, LNT_FOR_SHUFFLE);
    lnt_descent descent = descent_options(o);
    lnt_objective f;
    int width = descent.batch > 0 && descent.batch < BLOCK ? descent.batch : BLOCK;
    lnt_status status = make_objective(ctx, &f, &r, moments, moments ? 1 : t->setup.task.n, width);
    f.after_epoch = score_epoch;
    if (status == LNT_OK)
        status = lnt_training_start(ctx, t->w[index], t, index);
    if (status == LNT_OK)
        status = lnt_imbalance(ctx, &t->imbalance[index], &t->net, t->w[index]);
    if (status != LNT_OK)
        return status;
    status = lnt_descend(ctx, t->w[index], &t->info[index], &f, &descent, &order);
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
        for (int track = 0; track < LNT_TRACKS; track++)
            memmove(t->track[track] + to, t->track[track] + from, (size_t)stride * sizeof **t->track);
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
    t->info = lnt_alloc_zero(ctx, runs, sizeof *t->info);
    t->imbalance = lnt_alloc_zero(ctx, runs, sizeof *t->imbalance);
    double *probe = lnt_alloc(ctx, size, sizeof *probe);
    if (!t->w || !t->info || !t->imbalance || !probe)
        return LNT_ENOMEM;
    for (int track = 0; track < LNT_TRACKS; track++)
        if (!(t->track[track] = lnt_alloc_zero(ctx, runs * rows, sizeof **t->track)))
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

static void resolve(lnt_train_opts *o)
{
    lnt_descent descent;
    lnt_descent_defaults(&descent);
    o->epochs = o->epochs == LNT_AUTO ? descent.epochs : o->epochs;
    o->seeds = o->seeds == LNT_AUTO ? 1 : o->seeds;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    lnt_train_opts resolved = *(const lnt_train_opts *)user;
    training t;
    resolve(&resolved);
    lnt_status status = lnt_training_prepare(ctx, &t, &resolved);
    if (status == LNT_OK)
        status = lnt_training_run(ctx, &t);
    return status == LNT_OK ? lnt_training_report(ctx, record, &t) : status;
}

lnt_status lnt_train_study(lnt_ctx *ctx, lnt_record *record, const lnt_train_opts *opts)
{
    if (opts->experiment != LNT_LAYERED_NONE)
        return lnt_layered_from_train(ctx, record, opts);
    if (opts->samples)
        return lnt_fail(ctx, LNT_EUSAGE, "--samples is for --experiment two-layer and nonlinear");
    return lnt_study_run(ctx, record, NULL, opts, study);
}
