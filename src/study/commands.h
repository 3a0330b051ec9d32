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
/* The rows of lnt_task_opts, as the field `task`, or another, of a command's options: of data with rows, and all. */
#define DATA_ROWS DATA_ROWS_OF(task)
#define DATA_ROWS_OF(opts) \
    TEXT("task", opts.builtin, 0, "TASK", \
         "built-in task: exercise, illusory, hierarchy:depth=D, tree:depth=D,branching=B,flip=P,features=F, " \
         "teacher:inputs=D,outputs=O,singular=S1/S2/...,noise=SD,samples=N, or sphere:inputs=D,radius=R,samples=N"), \
    TEXT("data", opts.data, LNT_OPT_INPUT, "NAME", \
         "digits (built in), mnist, a folder of IDX files, or an IDX image file"), \
    TEXT("inputs", opts.inputs, LNT_OPT_INPUT, "FILE", \
         "inputs, a row per sample: NPY, CSV, IDX, or HDF5 (FILE:DATASET, MATLAB 7.3 too)"), \
    TEXT("targets", opts.targets, LNT_OPT_INPUT, "FILE", \
         "targets, a row per sample; rows with a single 1 count as classes"), \
    FLAG("one-hot", opts.one_hot, 0, "the targets are one column of classes 0, 1, ..., to be one-hot encoded"), \
    REAL("split", opts.split, 0, 0.999, "F", \
         "share of the rows, drawn at random, that is held out and only scored; 0: none"), \
    TEXT("test-inputs", opts.test_inputs, LNT_OPT_INPUT, "FILE", "rows held out in files of their own: inputs"), \
    TEXT("test-targets", opts.test_targets, LNT_OPT_INPUT, "FILE", "and their targets"), \
    FLAG("centre", opts.centre, 0, "subtract the mean of the inputs"), \
    INTEGER("pca", opts.pca, 0, 0, INT_MAX, "centre and keep N principal components; 0: off"), \
    INTEGER("whiten", opts.whiten, 0, 0, INT_MAX, "the same, scaled to unit variance; 0: off")
#define TASK_ROWS \
    DATA_ROWS, \
    TEXT("sigma-xx", task.sigma_xx, LNT_OPT_INPUT, "FILE", "in place of rows: 1/n sum x x', inputs x inputs (default: white)"), \
    TEXT("sigma-yx", task.sigma_yx, LNT_OPT_INPUT, "FILE", "and 1/n sum y x', outputs x inputs"), \
    REAL("trace-yy", task.trace_yy, 0, 1e300, "X", \
         "with them the mean of |y|^2; 0: as little as they allow, losses then count from the best linear map's")
/* The rows of lnt_network_opts (fitting.h), as the field `net` of a command's options. */
#define NETWORK_ROWS \
    DATA_ROWS_OF(net.task), \
    {"classes", LNT_OPT_INTEGERS, offsetof(OPTS, net.classes), 0, 0, 1e9, "N,N,...", NULL, \
     "keep the rows of these classes only, numbered in this order (default: all)"}, \
    {"hidden", LNT_OPT_INTEGERS, offsetof(OPTS, net.hidden), 0, 0, 1e6, "N,N,...", NULL, \
     "units of the hidden layers; 8x3 stands for 8,8,8; 0: none, outputs are linear in the inputs (default 10)"}, \
    CHOICE("activation", net.activation, lnt_activation_names, "of the hidden layers; the last layer is linear"), \
    FLAG("bias", net.bias, LNT_OPT_AUTO, \
         "biases in every layer; auto: yes, but with --hidden 0 and gaussian none, so that inputs A and targets d are " \
         "the inverse problem d = A x + noise"), \
    CHOICE("likelihood", net.likelihood, lnt_network_likelihoods, \
           "gaussian: outputs are means; bernoulli: logits of targets 0, 1 or a share between; categorical: logits of " \
           "classes; auto: bernoulli for two classes, categorical for more, else gaussian"), \
    TEXT("noise-sd", net.noise_sd, LNT_OPT_INPUT, "X", \
         "known standard deviation of the noise of the targets: a number, or a file with one for each target, or for " \
         "each row"), \
    TEXT("noise-cov", net.noise_cov, LNT_OPT_INPUT, "FILE", "or its covariance, targets x targets (rows of data)"), \
    AUTO("alpha", net.alpha, 0, 1e300, "X", \
         "precision of the prior of the weights, N(0, 1/X); 0: none; auto: as this command says below"), \
    FLAG("per-layer", net.per_layer, 0, "one such precision for the weights of each layer, and one for its biases")
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
DECLARE_COMMAND(fitting);

#endif
