/* What linnet apply does with results of other commands than train. */
#ifndef LINNET_APPLY_H
#define LINNET_APPLY_H

#include "linnet/study.h"

/* Applies a saved result of linnet match; *done is false where opts->folder holds something else. */
lnt_status lnt_apply_match(lnt_ctx *ctx, lnt_record *record, const lnt_apply_opts *opts, bool *done);

#endif
