/* The experiments on fits: the parts of the demo of `fit`, with their checks. */
#include "experiment.h"
#include "fitting_demo.h"

typedef lnt_status demo_part(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo);

static lnt_status run_part(lnt_ctx *ctx, lnt_record *record, const lnt_reproduce_opts *opts, demo_part *part)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    const lnt_demo demo = {
        .draws = opts->full ? 10 : 1, .starts = 40, .full = opts->full, .seed = opts->seed, .threads = opts->threads};
    lnt_status status = part(ctx, record, &demo);
    lnt_ctx_reset(ctx, mark);
    return status;
}

#define EXPERIMENT(name, part)                                                                                         \
    lnt_status lnt_##name##_experiment(lnt_ctx *ctx, lnt_record *record, const lnt_experiment *self,                   \
                                       const lnt_reproduce_opts *opts)                                                 \
    {                                                                                                                  \
        (void)self;                                                                                                    \
        return run_part(ctx, record, opts, part);                                                                      \
    }

EXPERIMENT(naive_cycle, lnt_demo_cycle)
EXPERIMENT(open_questions, lnt_demo_questions)
EXPERIMENT(what_works, lnt_demo_methods)
EXPERIMENT(evidence, lnt_demo_evidence)
