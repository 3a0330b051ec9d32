/* What the tables of commands are written with. A file defines OPTS, the options struct, before the rows of a table. */
#ifndef LINNET_COMMANDS_H
#define LINNET_COMMANDS_H

#include "linnet/study.h"

#include <limits.h>
#include <stddef.h>

/* Each macro would get four lines. */
/* clang-format off */
#define TEXT(name, field, flags, value, help) \
    {name, LNT_OPT_TEXT, offsetof(OPTS, field), flags, 0, 0, value, NULL, help}
#define FLAG(name, field, flags, help) {name, LNT_OPT_FLAG, offsetof(OPTS, field), flags, 0, 0, NULL, NULL, help}
#define INTEGER(name, field, flags, min, max, help) \
    {name, LNT_OPT_INTEGER, offsetof(OPTS, field), flags, min, max, "N", NULL, help}
#define REAL(name, field, min, max, value, help) \
    {name, LNT_OPT_REAL, offsetof(OPTS, field), 0, min, max, value, NULL, help}
#define AUTO(name, field, min, max, value, help) \
    {name, LNT_OPT_REAL, offsetof(OPTS, field), LNT_OPT_AUTO, min, max, value, NULL, help}
#define CHOICE(name, field, choices, help) \
    {name, LNT_OPT_CHOICE, offsetof(OPTS, field), 0, 0, 0, "NAME", choices, help}
#define SEED {"seed", LNT_OPT_SEED, offsetof(OPTS, seed), 0, 0, 0, "N", NULL, "key of all random streams"}
#define THREADS \
    INTEGER("threads", threads, LNT_OPT_HOW, 0, 1024, "threads; results do not depend on it; 0: all processors")
#define END {NULL, LNT_OPT_FLAG, 0, 0, 0, 0, NULL, NULL, NULL}
/* The rows of lnt_task_opts, as the field `task` of a command's options: of data with rows, and all. */
#define DATA_ROWS \
    TEXT("task", task.builtin, 0, "TASK", \
         "built-in task: exercise, illusory, hierarchy:depth=D, tree:depth=D,branching=B,flip=P,features=F, " \
         "teacher:inputs=D,outputs=O,singular=S1/S2/...,noise=SD,samples=N, or sphere:inputs=D,radius=R,samples=N"), \
    TEXT("data", task.data, LNT_OPT_INPUT, "NAME", \
         "digits (built in), mnist, a folder of IDX files, or an IDX image file"), \
    TEXT("inputs", task.inputs, LNT_OPT_INPUT, "FILE", \
         "inputs, a row per sample: NPY, CSV, IDX, or HDF5 (FILE:DATASET, MATLAB 7.3 too)"), \
    TEXT("targets", task.targets, LNT_OPT_INPUT, "FILE", \
         "targets, a row per sample; rows with a single 1 count as classes"), \
    FLAG("one-hot", task.one_hot, 0, "the targets are one column of classes 0, 1, ..., to be one-hot encoded"), \
    REAL("split", task.split, 0, 0.999, "F", \
         "share of the rows, drawn at random, that is held out and only scored; 0: none"), \
    TEXT("test-inputs", task.test_inputs, LNT_OPT_INPUT, "FILE", "rows held out in files of their own: inputs"), \
    TEXT("test-targets", task.test_targets, LNT_OPT_INPUT, "FILE", "and their targets"), \
    FLAG("centre", task.centre, 0, "subtract the mean of the inputs"), \
    INTEGER("pca", task.pca, 0, 0, INT_MAX, "centre and keep N principal components; 0: off"), \
    INTEGER("whiten", task.whiten, 0, 0, INT_MAX, "the same, scaled to unit variance; 0: off")
#define TASK_ROWS \
    DATA_ROWS, \
    TEXT("sigma-xx", task.sigma_xx, LNT_OPT_INPUT, "FILE", "in place of rows: 1/n sum x x', inputs x inputs (default: white)"), \
    TEXT("sigma-yx", task.sigma_yx, LNT_OPT_INPUT, "FILE", "and 1/n sum y x', outputs x inputs"), \
    REAL("trace-yy", task.trace_yy, 0, 1e300, "X", \
         "with them the mean of |y|^2; 0: as little as they allow, losses then count from the best linear map's")
/* clang-format on */

/* Adapters between the generic table and the typed functions, static or, for tables in files of their own, declared
 * below; and what the row of a command says of them. */
#define ADAPT(scope, name)                                                                                             \
    scope void lnt_##name##_any_defaults(void *opts)                                                                   \
    {                                                                                                                  \
        lnt_##name##_defaults((lnt_##name##_opts *)opts);                                                              \
    }                                                                                                                  \
    scope lnt_status lnt_##name##_any_study(lnt_ctx *ctx, lnt_record *record, const void *opts)                        \
    {                                                                                                                  \
        return lnt_##name##_study(ctx, record, (const lnt_##name##_opts *)opts);                                       \
    }
#define ADAPTED(name) sizeof(lnt_##name##_opts), lnt_##name##_any_defaults, lnt_##name##_any_study

/* The parts of a row that stand in another file than the row. */
#define DECLARE_COMMAND(name)                                                                                          \
    extern const char lnt_##name##_description[];                                                                      \
    extern const char *const lnt_##name##_examples[];                                                                  \
    extern const lnt_option lnt_##name##_options[];                                                                    \
    void lnt_##name##_any_defaults(void *opts);                                                                        \
    lnt_status lnt_##name##_any_study(lnt_ctx *ctx, lnt_record *record, const void *opts)

DECLARE_COMMAND(curves);
DECLARE_COMMAND(regress_theory);
DECLARE_COMMAND(recovery);

#endif
