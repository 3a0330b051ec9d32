#include "linnet/study.h"
void lnt_reproduce_defaults(lnt_reproduce_opts *o){*o=(lnt_reproduce_opts){.out="report"};}
lnt_status lnt_reproduce_study(lnt_ctx *ctx, lnt_record *record, const lnt_reproduce_opts *opts){(void)record;(void)opts;return lnt_fail(ctx,LNT_EINVAL,"stub");}
