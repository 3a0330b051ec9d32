/* The ready-made problems, all that is shown on them. */
#include "fitting_demo.h"

#define STARTS 40

lnt_status lnt_fitting_demo(lnt_ctx *ctx, lnt_record *record, const lnt_fitting_opts *opts)
{
    const lnt_demo demo = {.draws = opts->draws,
                           .starts = opts->starts == LNT_AUTO ? STARTS : opts->starts,
                           .seed = opts->seed,
                           .threads = opts->threads};
    const lnt_task_opts *task = &opts->net.task;
    if (task->builtin || task->data || task->inputs || task->targets || opts->net.hidden.count || opts->sizes.count ||
        opts->method || opts->evidence)
        return lnt_fail(ctx, LNT_EUSAGE, "--demo has data, networks and methods of its own: leave out yours");
    lnt_status status = lnt_demo_methods(ctx, record, &demo);
    if (status == LNT_OK)
        status = lnt_demo_cycle(ctx, record, &demo);
    if (status == LNT_OK)
        status = lnt_demo_questions(ctx, record, &demo);
    return status == LNT_OK ? lnt_demo_evidence(ctx, record, &demo) : status;
}
