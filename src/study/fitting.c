/* The study of fits. */
#include "fitting.h"
#include "setup.h"

#include <math.h>

void lnt_fitting_defaults(lnt_fitting_opts *opts)
{
    *opts = (lnt_fitting_opts){.draws = 6,
                               .starts = LNT_AUTO,
                               .iterations = LNT_AUTO,
                               .mu = 1e-3,
                               .rcond = 1e-12,
                               .tau = 1,
                               .acceleration = true,
                               .coverage = 0.95};
    lnt_network_defaults(&opts->net);
}

static lnt_status check_options(lnt_ctx *ctx, const lnt_fitting_opts *o)
{
    if (o->solver > LNT_SOLVER_LSMR)
        return lnt_fail(ctx, LNT_EUSAGE, "--solver normal, pinv and ridge go with --method naive");
    if (o->start == LNT_FITTING_START_OPTIMUM)
        return lnt_fail(ctx, LNT_EUSAGE, "--start optimum goes with --method naive");
    if (o->net.noise_cov && (o->evidence || o->sizes.count))
        return lnt_fail(ctx, LNT_EUSAGE, "--evidence is for independent noise: leave out --noise-cov, or give --alpha");
    if (o->projection && (o->method != LNT_FITTING_LM || o->net.per_layer))
        return lnt_fail(ctx, LNT_EUSAGE, "--projection goes with --method lm and one --alpha");
    if (o->sizes.count && o->net.hidden.count)
        return lnt_fail(ctx, LNT_EUSAGE, "--sizes are those of the hidden layer: leave out --hidden");
    return LNT_OK;
}

static lnt_status check_data(lnt_ctx *ctx, const lnt_fitting_opts *o, const lnt_network_data *d)
{
    if (d->likelihood.kind != LNT_GAUSSIAN && (o->method || o->solver || o->projection))
        return lnt_fail(
            ctx, LNT_EUSAGE,
            "--method, --solver and --projection are for --likelihood gaussian; classes are fitted by damped "
            "Newton steps");
    if (o->projection && d->layers.net.depth == 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--projection needs a hidden layer");
    if (d->C.a && o->net.alpha > 0 && d->likelihood.n > 20000)
        return lnt_fail(ctx, LNT_EUSAGE, "--noise-cov of %zu data is too large", d->likelihood.n);
    return LNT_OK;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_fitting_opts *o = user;
    lnt_network_data data;
    lnt_fitted fitted;
    if (o->demo)
        return lnt_fitting_demo(ctx, record, o);
    lnt_status status = o->method == LNT_FITTING_NAIVE ? LNT_OK : check_options(ctx, o);
    if (status == LNT_OK)
        status = lnt_network_read(ctx, record, &data, &o->net, o->seed, o->threads);
    if (status == LNT_OK && o->method == LNT_FITTING_NAIVE) {
        lnt_network_describe(record, &data);
        return lnt_fitting_naive(ctx, record, &data, o);
    }
    if (status == LNT_OK)
        status = check_data(ctx, o, &data);
    if (status == LNT_OK)
        status = o->sizes.count ? lnt_fitting_sizes(ctx, record, &fitted, &data, o)
                                : lnt_fitted_find(ctx, &fitted, &data, o);
    if (status != LNT_OK)
        return status;
    lnt_network_describe(record, &data);
    status = lnt_fitted_report(ctx, record, &fitted);
    return status == LNT_OK ? lnt_fitted_show(ctx, record, &fitted) : status;
}

lnt_status lnt_fitting_study(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_fitting_options, opts, study);
}
