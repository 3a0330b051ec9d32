#ifndef LINNET_PIPE_H
#define LINNET_PIPE_H

#include "linnet/text.h"

/* Runs a program (found by PATH, no shell) with `input` on its standard input and collects its standard output.
 * LNT_EMISSING if it is not installed, LNT_EIO with the first line of its error output if it fails or hangs. */
lnt_status lnt_pipe(lnt_ctx *ctx, lnt_text *output, const char *const argv[], const char *input, size_t n);

#endif
