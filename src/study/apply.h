/* What applying saved networks and saved regression paths to new rows have in common. */
#ifndef LINNET_APPLY_H
#define LINNET_APPLY_H

#include "linnet/study.h"
#include "linnet/task.h"

/* The preparation of inputs that a result was fitted to, with `components` outputs; `path` stands in messages. */
lnt_status lnt_saved_preparation(lnt_ctx *ctx, lnt_prep *prep, const lnt_record *record, int components,
                                 const char *path);
/* How many rows each class was predicted for: the largest output of a column of F. */
void lnt_apply_classes(lnt_ctx *ctx, lnt_record *record, lnt_mat F);
/* Of a result of `regress path`. */
lnt_status lnt_apply_path(lnt_ctx *ctx, lnt_record *record, const lnt_record *saved, const char *path,
                          const lnt_apply_opts *opts);
/* Of a result of `match`, on new stimuli. */
lnt_status lnt_apply_match(lnt_ctx *ctx, lnt_record *record, const lnt_record *saved, const lnt_apply_opts *opts);
/* Of a result of `fit` or `sample`: prediction has a column for each mean and then one for each standard deviation, of
 * classes one for each probability. */
lnt_status lnt_apply_fit(lnt_ctx *ctx, lnt_record *record, const lnt_record *saved, const char *path,
                         const lnt_apply_opts *opts);

#endif
