/* Predictions of saved draws. */
#include "sampling.h"

#include "linnet/draws.h"

#include <math.h>

lnt_status lnt_sampled_apply(lnt_ctx *ctx, lnt_predicted *p, const lnt_fitted *fit, const lnt_record *saved,
                             const char *folder, lnt_mat X, int threads)
{
    lnt_sampling_opts opts;
    lnt_draws_content content;
    lnt_sampled_predicted out;
    const char *path = lnt_sprintf(ctx, "%s/draws.log", folder);
    lnt_sampling_defaults(&opts);
    opts.coverage = fit->opts->coverage;
    opts.threads = threads;
    lnt_status status = path ? lnt_draws_load(ctx, &content, path) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_sampled s = {.opts = &opts,
                     .data = fit->data,
                     .fit = *fit,
                     .weights = (int)lnt_layers_size(&fit->data->layers),
                     .dim = content.layout.columns - LNT_COLUMNS,
                     .x = content.x};
    s.priors.beta = isfinite(lnt_record_fact_number(saved, "posterior", "beta_prior_shape"));
    s.fit.likelihood.beta = 1 / fit->noise;
    if (s.dim < s.weights || content.x.draws < 1)
        return lnt_fail(ctx, LNT_EFORMAT, "%s holds no draws of the network in result.h5", path);
    status = lnt_sampled_predict(ctx, &out, &s, X, (lnt_mat){0}, NULL);
    *p = out.p;
    return status;
}
