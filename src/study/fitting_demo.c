/* The ready-made problems. */
#include "fitting.h"

lnt_status lnt_fitting_demo(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts)
{
    (void)record, (void)opts;
    return lnt_fail(ctx, LNT_EUSAGE, "--demo: not yet");
}
