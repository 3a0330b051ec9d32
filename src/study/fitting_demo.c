/* The ready-made problems, all that is shown on them. */
#include "fitting_demo.h"

#define STARTS 40

lnt_status lnt_fitting_demo(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts)
{
    const lnt_demo demo = {opts->draws, opts->starts == LNT_AUTO ? STARTS : opts->starts, true, opts->seed,
                           opts->threads};
    lnt_status status = lnt_demo_evidence(ctx, record, &demo);
    return status;
}
