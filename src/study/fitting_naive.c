/* The naive iteration in place of a fit. */
#include "fitting.h"

lnt_status lnt_fitting_naive(lnt_ctx *ctx, lnt_record *record, const lnt_network_data *data,
                             const lnt_fitting_opts *opts)
{
    (void)record, (void)data, (void)opts;
    return lnt_fail(ctx, LNT_EUSAGE, "--method naive: not yet");
}
