/* Simulation-based calibration of samplers: many problems whose truth is a draw from the prior. */
#include "calibration.h"
#include "linnet/parallel.h"
#include "setup.h"

#include <math.h>

#define BY_DEFAULT 2 /* hidden units */

void lnt_calibrating_defaults(lnt_calibrating_opts *opts)
{
    *opts = (lnt_calibrating_opts){.inputs = 1,
                                   .samples = 10,
                                   .activation = LNT_TANH,
                                   .alpha = 1,
                                   .noise_sd = 0.3,
                                   .runs = 1000,
                                   .draws = 99,
                                   .bins = 20,
                                   .warmup = 300,
                                   .most_thinning = 50,
                                   .target = 0.9,
                                   .spread = 1};
}

static lnt_status check(lnt_ctx *ctx, const lnt_calibrating_opts *o)
{
    for (int l = 0; l < o->hidden.count; l++)
        if (o->hidden.item[l] == 0 && o->hidden.count > 1)
            return lnt_fail(ctx, LNT_EUSAGE, "--hidden 0 stands for no hidden layer: it cannot be one of several");
    return LNT_OK;
}

static lnt_status make_network(lnt_ctx *ctx, lnt_calibrating *c)
{
    const lnt_int_list *hidden = &c->opts->hidden;
    bool linear = hidden->count == 1 && hidden->item[0] == 0;
    int depth = linear ? 1 : hidden->count > 0 ? hidden->count + 1 : 2;
    c->width = lnt_alloc(ctx, (size_t)depth + 1, sizeof *c->width);
    if (!c->width)
        return LNT_ENOMEM;
    for (int l = 0; l <= depth; l++)
        c->width[l] = l == 0 ? c->opts->inputs : l == depth ? 1 : hidden->count > 0 ? hidden->item[l - 1] : BY_DEFAULT;
    c->layers = (lnt_layers){.net = {depth, c->width, (lnt_activation)c->opts->activation}, .biases = true};
    size_t k = lnt_layers_size(&c->layers);
    if (k > 2000)
        return lnt_fail(ctx, LNT_EUSAGE, "%zu weights: calibration is for networks of up to 2000", k);
    c->k = (int)k;
    return LNT_OK;
}

static lnt_status make(lnt_ctx *ctx, lnt_calibrating *c)
{
    const lnt_calibrating_opts *o = c->opts;
    lnt_rng rng = lnt_rng_stream(o->seed, 0, LNT_FOR_TASK);
    c->n = o->samples;
    c->alpha = o->alpha;
    c->prior = (lnt_prior){.groups = 1, .alpha = &c->alpha};
    lnt_status status = make_network(ctx, c);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &c->X, o->inputs, o->samples);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &c->point, o->inputs, 1);
    if (status != LNT_OK)
        return status;
    lnt_rng_normals(&rng, c->X.a, (size_t)o->inputs * (size_t)o->samples);
    lnt_rng_normals(&rng, c->point.a, (size_t)o->inputs);
    c->run = lnt_alloc_zero(ctx, (size_t)o->runs, sizeof *c->run);
    if (!c->run)
        return LNT_ENOMEM;
    status = lnt_layers_model(ctx, &c->model, &c->layers, c->X);
    return status == LNT_OK ? lnt_layers_model(ctx, &c->model_at_point, &c->layers, c->point) : status;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    lnt_calibrating c = {.opts = user};
    lnt_status status = check(ctx, user);
    if (status == LNT_OK)
        status = make(ctx, &c);
    if (status != LNT_OK)
        return status;
    lnt_progress_begin(ctx, "calibration", c.opts->runs);
    status = lnt_parallel(ctx, c.opts->runs, c.opts->threads, lnt_calibrating_run, &c);
    return status == LNT_OK ? lnt_calibrating_report(ctx, record, &c) : status;
}

lnt_status lnt_calibrating_study(lnt_ctx *ctx, lnt_record *record, const lnt_calibrating_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_calibrating_options, opts, study);
}
