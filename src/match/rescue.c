#include "internal.h"
lnt_status lnt_match_rescue(lnt_ctx *ctx, lnt_match_fit *fit, const lnt_match *m, const lnt_match_opts *opts)
{
    (void)ctx, (void)fit, (void)m, (void)opts;
    return LNT_OK;
}
