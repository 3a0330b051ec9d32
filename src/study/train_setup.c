#include "train.h"

#include "linnet/text.h"

#include <string.h>

static lnt_status check_layers(lnt_ctx *ctx, const training *t, const lnt_int_list *layers)
{
    int inputs = t->setup.task.inputs, outputs = t->setup.task.outputs, last = layers->count - 1;
    const char *file = t->given.runs ? " (layers of --weights-in)" : "";
    if (last < 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--layers needs at least two widths, inputs and outputs: --layers %d,%d",
                        inputs, outputs);
    if (layers->item[0] != inputs)
        return lnt_fail(ctx, LNT_ESHAPE,
                        "--layers starts with %d%s, but the prepared inputs have %d values%s: use --layers %d,...",
                        layers->item[0], file, inputs,
                        t->setup.task.prep.map.a ? " (directions with variance that were kept)" : "", inputs);
    if (layers->item[last] != outputs)
        return lnt_fail(ctx, LNT_ESHAPE, "--layers ends with %d%s, but the targets have %d values: use --layers ...,%d",
                        layers->item[last], file, outputs, outputs);
    return LNT_OK;
}

/* Reads the weights to start from; they must have the layers that were asked for, if any were. */
static lnt_status read_weights(lnt_ctx *ctx, training *t, lnt_train_opts *opts)
{
    lnt_int_list *layers = &opts->layers;
    if (!opts->weights_in)
        return LNT_OK;
    lnt_status status = lnt_saved_net_read(ctx, &t->given, opts->weights_in);
    if (status != LNT_OK)
        return status;
    const lnt_net *net = &t->given.net;
    bool fits = layers->count == 0 || layers->count == net->depth + 1;
    for (int l = 0; l < layers->count && fits; l++)
        fits = layers->item[l] == net->width[l];
    lnt_text widths = {0};
    for (int l = 0; l <= net->depth; l++)
        lnt_text_add(&widths, "%s%d", l ? "," : "", net->width[l]);
    status = lnt_text_status(ctx, &widths);
    if (status == LNT_OK && !fits)
        status = lnt_fail(ctx, LNT_ESHAPE, "%s holds a network with --layers %s", opts->weights_in, widths.p);
    lnt_text_free(&widths);
    if (t->given.runs != 1 && t->given.runs != opts->seeds)
        return lnt_fail(ctx, LNT_ESHAPE, "%s holds the weights of %d runs: use --seeds %d", opts->weights_in,
                        t->given.runs, t->given.runs);
    layers->count = net->depth + 1;
    memcpy(layers->item, net->width, (size_t)layers->count * sizeof *layers->item);
    return status;
}

/* Fills in the layers that were not given and checks those that were. */
static lnt_status make_net(lnt_ctx *ctx, training *t, lnt_train_opts *opts)
{
    lnt_int_list *layers = &opts->layers;
    int inputs = t->setup.task.inputs, outputs = t->setup.task.outputs;
    lnt_status status = read_weights(ctx, t, opts);
    if (status == LNT_OK && layers->count == 0)
        *layers = (lnt_int_list){3, {inputs, outputs, outputs}};
    if (status == LNT_OK)
        status = check_layers(ctx, t, layers);
    t->net = (lnt_net){layers->count - 1, layers->item, (lnt_activation)opts->activation};
    if (status == LNT_OK && lnt_init_needs_modes(&t->init) && !t->given.runs)
        status = lnt_modes_of(ctx, &t->modes, t->fitted.Syx, true);
    return status;
}

static lnt_status check_rows(lnt_ctx *ctx, training *t, lnt_train_opts *o)
{
    if (t->setup.task.n == 0)
        o->space = LNT_SPACE_COVARIANCE;
    if (o->space == LNT_SPACE_COVARIANCE && o->activation != LNT_LINEAR)
        return lnt_fail(ctx, LNT_EUSAGE, "--activation %s needs rows: covariances determine linear networks only",
                        lnt_activation_names[o->activation]);
    if (o->rows_per_epoch > 0 && t->setup.task.n == 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--rows-per-epoch needs rows, not covariances alone");
    if (o->rows_per_epoch > t->setup.task.n)
        return lnt_fail(ctx, LNT_EUSAGE, "--rows-per-epoch %d: there are only %d rows", o->rows_per_epoch,
                        t->setup.task.n);
    if (o->space == LNT_SPACE_COVARIANCE && o->shuffle && o->rows_per_epoch > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--space covariance takes all rows, or with --no-shuffle the first ones");
    bool subset = !o->shuffle && o->rows_per_epoch > 0;
    t->fitted_rows = subset ? o->rows_per_epoch : t->setup.task.n;
    return LNT_OK;
}

lnt_status lnt_training_prepare(lnt_ctx *ctx, training *t, lnt_train_opts *opts)
{
    *t = (training){.opts = opts};
    lnt_status status = lnt_init_parse(ctx, &t->init, opts->init);
    if (status == LNT_OK)
        status = lnt_setup_make(ctx, &t->setup, &opts->task, opts->seed, opts->threads);
    if (status == LNT_OK)
        status = check_rows(ctx, t, opts);
    t->fitted = t->setup.all;
    if (status == LNT_OK && t->fitted_rows < t->setup.task.n)
        status = lnt_task_moments(ctx, &t->fitted, &t->setup.task, 0, t->fitted_rows, opts->threads);
    if (status == LNT_OK)
        status = make_net(ctx, t, opts);
    t->scale = lnt_loss_scale(opts->loss, t->setup.task.outputs);
    t->eta = t->scale * opts->lr;
    return status;
}

lnt_status lnt_training_start(lnt_ctx *ctx, double *w, const training *t, int index)
{
    lnt_rng rng = lnt_rng_stream(t->opts->seed, (uint32_t)index, LNT_FOR_WEIGHTS);
    if (!t->given.runs)
        return lnt_net_init(ctx, w, &t->net, &t->init, &t->modes, &rng);
    memcpy(w, t->given.w[t->given.runs == 1 ? 0 : index], lnt_net_size(&t->net) * sizeof *w);
    return LNT_OK;
}
