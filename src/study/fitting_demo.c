/* The ready-made problems, all that is shown on them. */
#include "fitting_demo.h"

#define STARTS 40

lnt_status lnt_fitting_demo(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts)
{
    const lnt_demo demo = {.draws = opts->draws,
                           .starts = opts->starts == LNT_AUTO ? STARTS : opts->starts,
                           .seed = opts->seed,
                           .threads = opts->threads};
    lnt_status status = lnt_demo_methods(ctx, record, &demo);
    if (status == LNT_OK)
        status = lnt_demo_cycle(ctx, record, &demo);
    if (status == LNT_OK)
        status = lnt_demo_questions(ctx, record, &demo);
    return status == LNT_OK ? lnt_demo_evidence(ctx, record, &demo) : status;
}
