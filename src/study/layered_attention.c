#include "layered.h"
lnt_status lnt_attention_study(lnt_ctx *ctx, lnt_record *record, const lnt_layered_opts *opts)
{ (void)record; (void)opts; return lnt_fail(ctx, LNT_EINVAL, "not yet"); }
