/* The study of posteriors by Markov chains. */
#include "sampling.h"
#include "setup.h"

#include <math.h>
#include <unistd.h>

void lnt_sampling_defaults(lnt_sampling_opts *opts)
{
    lnt_sample_opts chains;
    lnt_sample_defaults(&chains);
    *opts = (lnt_sampling_opts){.chains = chains.chains,
                                .warmup = chains.warmup,
                                .draws = chains.draws,
                                .thin = 1,
                                .target = 0.9, /* at .8 one draw in thousands diverges, and the verdict falls */
                                .max_depth = chains.max_depth,
                                .max_length = chains.max_length,
                                .seed_metric = true,
                                .starts = 10,
                                .coverage = 0.95,
                                .figure = true};
    lnt_network_defaults(&opts->net);
}

/* ---- What was drawn from ---- */

static void put_weights(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s)
{
    const lnt_layers *net = &s->data->layers;
    for (int l = 1; l <= net->net.depth; l++) {
        lnt_mat W = lnt_layers_weights(net, s->fit.w, l);
        lnt_record_matrix(record, lnt_sprintf(ctx, "weights/%d", l), "", &W, 1);
        if (net->biases)
            lnt_record_vector(record, lnt_sprintf(ctx, "biases/%d", l), "", lnt_layers_biases(net, s->fit.w, l),
                              W.rows);
    }
}

static void put_posterior(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s)
{
    static const char *const kinds[] = {"nuts", "hmc"}, *const hypers[] = {"auto", "fixed", "evidence", "sampled"};
    const char *group = "posterior";
    lnt_record_fact(record, group, "sampler", "", lnt_string(kinds[s->chains.kind]));
    lnt_record_fact(record, group, "chains", "", lnt_integer(s->x.chains));
    lnt_record_fact(record, group, "draws", "", lnt_integer(s->x.draws));
    lnt_record_fact(record, group, "coordinates", "", lnt_integer(s->dim));
    lnt_record_fact(record, group, "hyper", "", lnt_string(hypers[s->hyper]));
    for (int g = 0; g < s->data->groups; g++)
        lnt_record_fact(record, group, s->data->groups == 1 ? "alpha" : lnt_sprintf(ctx, "alpha_%d", g + 1), "",
                        lnt_known(s->fit.alpha[g]));
    lnt_record_fact(record, group, "noise_sd", "", lnt_known(sqrt(s->fit.noise)));
    lnt_record_fact(record, group, "mode_log_likelihood", "nats", lnt_known(s->fit.posterior.log_likelihood));
    lnt_record_fact(record, group, "starts_near_best", "", lnt_number(s->fit.summary.share));
    if (s->priors.alpha) {
        lnt_record_fact(record, group, "alpha_prior_shape", "", lnt_number(s->priors.alpha_prior.shape));
        lnt_record_fact(record, group, "alpha_prior_rate", "", lnt_number(s->priors.alpha_prior.rate));
    }
    if (s->priors.beta) {
        lnt_record_fact(record, group, "beta_prior_shape", "", lnt_number(s->priors.beta_prior.shape));
        lnt_record_fact(record, group, "beta_prior_rate", "", lnt_number(s->priors.beta_prior.rate));
    }
    put_weights(ctx, record, s);
}

static void put_seed(lnt_record *record, const lnt_sampled *s)
{
    int kept = 0;
    for (int c = 0; c < s->x.chains; c++)
        kept += lnt_chain_read(lnt_at(s->state, 0, c)).metric == LNT_METRIC_GIVEN;
    lnt_record_fact(record, "posterior", "metric", "", lnt_string(s->chains.dense ? "dense" : "diagonal"));
    lnt_record_fact(record, "posterior", "chains_keeping_laplace_metric", "", lnt_integer(kept));
}

/* Draws can be right and the posterior still not be what one wants. */
static void warn_of_posterior(lnt_record *record, const lnt_sampled *s)
{
    const lnt_fitted *f = &s->fit;
    if (s->hyper == LNT_HYPER_EVIDENCE && f->has_evidence && f->evidence.at_bound)
        lnt_record_warn(record,
                        "%d of the precisions alpha and 1/noise_sd^2 ran away to a bound, and the draws are of that "
                        "posterior: the data do not determine them; --hyper sampled draws them too, --alpha and "
                        "--noise-sd fix them",
                        f->evidence.at_bound);
    else if (s->hyper == LNT_HYPER_EVIDENCE && f->has_evidence && !f->evidence.converged)
        lnt_record_warn(record, "alpha and the noise have not settled: the evidence is not at its maximum; "
                                "--hyper sampled draws them too");
    if (f->separation.separable && s->hyper == LNT_HYPER_FIXED)
        lnt_record_warn(record,
                        "the classes are %sseparable: the prior, alpha = %.3g, decides how large the weights are; "
                        "--hyper sampled draws alpha too",
                        f->separation.complete ? "" : "partly ", f->alpha[0]);
    if (s->opts->start == LNT_SAMPLING_START_LAPLACE)
        lnt_fitted_warn_of_starts(record, f);
    lnt_fitted_warn_of_noise(record, f);
    if (s->x.chains == 1)
        lnt_record_warn(record, "one chain cannot tell whether others would find the same: --chains 4");
}

lnt_status lnt_sampled_report(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s)
{
    lnt_sampled_points points;
    lnt_sampled_diagnosis d;
    put_posterior(ctx, record, s);
    put_seed(record, s);
    warn_of_posterior(record, s);
    if (s->interrupted) {
        lnt_record_set_interrupted(record);
        if (s->folder)
            lnt_record_warn(record, "interrupted after %d of %d draws: linnet sample --resume %s continues", s->x.draws,
                            s->opts->draws, s->folder);
        else
            lnt_record_warn(record, "interrupted after %d of %d draws, which are not saved: --out DIR saves them",
                            s->x.draws, s->opts->draws);
    }
    if (s->x.draws < 1)
        return LNT_OK;
    lnt_status status = lnt_sampled_points_make(ctx, &points, s);
    if (status == LNT_OK)
        status = lnt_sampled_diagnose(ctx, record, &d, s, &points);
    if (status == LNT_OK)
        status = lnt_sampled_show(ctx, record, s);
    if (status == LNT_OK && s->x.draws > 1)
        status = lnt_sampled_draw_figures(ctx, record, s, &points, &d);
    return status;
}

/* ---- The study ---- */

static lnt_status sample_rows(lnt_ctx *ctx, lnt_record *record, const lnt_sampling_opts *o)
{
    lnt_network_data data;
    lnt_sampled s = {.opts = o, .data = &data, .folder = o->out};
    lnt_status status = lnt_network_read(ctx, record, &data, &o->net, o->seed, o->threads);
    if (status == LNT_OK)
        status = lnt_sampled_prepare(ctx, &s);
    if (status == LNT_OK && s.folder)
        status = lnt_sampling_begin(ctx, &s);
    if (status == LNT_OK)
        status = lnt_sampled_run(ctx, &s);
    if (status != LNT_OK)
        return status;
    lnt_network_describe(record, &data);
    status = lnt_sampled_report(ctx, record, &s);
    if (status == LNT_OK && o->grow.count && !s.interrupted)
        status = lnt_sampling_grow(ctx, record, &s);
    return status == LNT_OK && s.folder ? lnt_sampling_save(ctx, record, &s) : status;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_sampling_opts *opts = user;
    lnt_sampling_opts own = *opts;
    bool finished = false;
    lnt_status status = LNT_OK;
    if (opts->resume)
        status = lnt_sampling_resume(ctx, record, &own, &finished, opts);
    else if (opts->out)
        status = lnt_sampling_folder(ctx, opts);
    if (status != LNT_OK || finished)
        return status;
    lnt_options_record(record, lnt_sampling_options, &own);
    status = lnt_sampling_check(ctx, &own);
    if (status == LNT_OK)
        status = own.demo ? lnt_sampling_demo(ctx, record, &own) : sample_rows(ctx, record, &own);
    if (status != LNT_OK && own.out && !opts->resume)
        rmdir(own.out); /* if nothing is in it */
    return status;
}

lnt_status lnt_sampling_study(lnt_ctx *ctx, lnt_record *record, const lnt_sampling_opts *opts)
{
    return lnt_study_run(ctx, record, NULL, opts, study);
}
