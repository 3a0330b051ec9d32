/* The program: wires the command table, the option tables and the sinks together. */
#ifndef LINNET_PROGRAM_H
#define LINNET_PROGRAM_H

#include "linnet.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_TOLERANCE = 3, EXIT_INTERRUPTED = 130 };

/* Options that every command takes beside its own; none of them changes results. */
typedef struct common_opts {
    const char *out, *csv, *config;
    bool json, quiet, figure, force;
} common_opts;

extern const lnt_option common_options[];

/* The command whose name the first words of argv are (longest match), or NULL; *words is how many it took. */
const lnt_command *find_command(int argc, char **argv, int *words);
/* Sets opts and common from argv (the words after the command's name). LNT_EUSAGE with its message. */
lnt_status read_arguments(lnt_ctx *ctx, const lnt_command *command, void *opts, common_opts *common, int argc,
                          char **argv);

/* Saves and prints a record as `common` asks; returns the exit code. */
int put_results(lnt_ctx *ctx, lnt_record *record, const lnt_command *command, const void *opts,
                const common_opts *common);
/* Prints "linnet: MESSAGE" for a failure and returns its exit code. */
int put_failure(lnt_ctx *ctx, lnt_status status);

#endif
