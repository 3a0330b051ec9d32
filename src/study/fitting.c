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

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_fitting_opts *o = user;
    lnt_network_data data;
    if (o->demo)
        return lnt_fitting_demo(ctx, record, o);
    lnt_status status = lnt_network_read(ctx, record, &data, &o->net, o->seed, o->threads);
    if (status != LNT_OK)
        return status;
    if (o->method == LNT_FITTING_NAIVE)
        return lnt_fitting_naive(ctx, record, &data, o);
    return lnt_fail(ctx, LNT_EUSAGE, "not yet");
}

lnt_status lnt_fitting_study(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_fitting_options, opts, study);
}
