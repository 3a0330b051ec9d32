/* Option tables: the one description of a command's options that argv, YAML, --help, the man page and the record of
 * resolved parameters share. */
#ifndef LINNET_OPTION_H
#define LINNET_OPTION_H

#include "linnet/record.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LNT_MOST_WIDTHS 512

/* A list of whole numbers inside an options struct. */
typedef struct lnt_int_list {
    int count;
    int item[LNT_MOST_WIDTHS];
} lnt_int_list;

/* Type of the field at `offset`: bool (int with LNT_OPT_AUTO), int, uint64_t, double, const char *, int (index of a
 * choice), lnt_int_list. */
typedef enum lnt_option_type {
    LNT_OPT_FLAG,
    LNT_OPT_INTEGER,
    LNT_OPT_SEED,
    LNT_OPT_REAL,
    LNT_OPT_TEXT,
    LNT_OPT_CHOICE,
    LNT_OPT_INTEGERS
} lnt_option_type;

enum {
    LNT_OPT_HOW = 1,        /* does not change results: stays out of run.yaml */
    LNT_OPT_POSITIONAL = 2, /* also given without its name, in the order of the table */
    LNT_OPT_LIST = 4,       /* a positional that takes all remaining words, joined by commas */
    LNT_OPT_INPUT = 8,      /* names a file to be read */
    LNT_OPT_WEIGHTS = 16,   /* NAME-out, names a file that receives the record's array or group NAME */
    LNT_OPT_AUTO = 32 /* a number, or a flag, or the word `auto`: inside NaN, of whole numbers and flags LNT_AUTO */
};

#define LNT_AUTO (-1) /* the range of such options begins at 0 */

/* Tables end with an entry whose name is NULL. */
typedef struct lnt_option {
    const char *name; /* without dashes */
    lnt_option_type type;
    size_t offset;
    unsigned flags;
    double min, max;            /* inclusive range of numbers */
    const char *value;          /* what stands for the value in the help, such as "FILE" */
    const char *const *choices; /* NULL-terminated, for LNT_OPT_CHOICE */
    const char *help;
} lnt_option;

/* What --out names for a command. */
typedef enum lnt_out_kind { LNT_OUT_FOLDER, LNT_OUT_ARRAY, LNT_OUT_OWN } lnt_out_kind;

/* One command of the program: its options, its study and its help. */
typedef struct lnt_command {
    const char *name, *summary;
    const char *description;     /* paragraphs separated by an empty line */
    const char *const *examples; /* command lines, NULL-terminated, at least two */
    const lnt_option *options;
    size_t size; /* of the options struct */
    void (*defaults)(void *opts);
    lnt_status (*study)(lnt_ctx *ctx, lnt_record *record, const void *opts);
    lnt_out_kind out;
    const char *array;  /* with LNT_OUT_ARRAY: the array of the record that --out writes */
    const char *tables; /* of its runs, "a, b, c"; what every command can have is left out: series, deviations,
                           assumptions, checks. NULL: not known before the run */
} lnt_command;

/* The option of that name, or NULL. */
LNT_API const lnt_option *lnt_option_find(const lnt_option *table, const char *name);
/* Sets one option from text. Numbers must be finite and in range; lists are separated by commas, and `VxN` in a list
 * repeats V N times. Texts are copied into the context. LNT_EUSAGE with what would be right. */
LNT_API lnt_status lnt_option_set(lnt_ctx *ctx, void *opts, const lnt_option *option, const char *text);
/* Enters every option as a parameter of the record. */
LNT_API void lnt_options_record(lnt_record *record, const lnt_option *table, const void *opts);

/* A YAML experiment file as read: the command, and the options as text. */
typedef struct lnt_config {
    const char *command, *version; /* NULL when absent */
    int count;
    struct lnt_config_entry {
        const char *name, *text;
        int line;
    } * entry;
} lnt_config;

/* Parses run.yaml: a mapping with `command`, `version` and the mapping `options` of scalars and lists of scalars.
 * LNT_EFORMAT with the line for everything else. */
LNT_API lnt_status lnt_config_parse(lnt_ctx *ctx, lnt_config *config, const void *bytes, size_t n, const char *name);
/* Sets every option of a parsed file; `name` stands in messages. */
LNT_API lnt_status lnt_config_apply(lnt_ctx *ctx, void *opts, const lnt_option *table, const lnt_config *config,
                                    const char *name);

/* LNT_EUSAGE, with the names there are, where no run of the command has a table `name`: said before a run. */
LNT_API lnt_status lnt_command_check_table(lnt_ctx *ctx, const lnt_command *command, const char *name);
/* The help of a command: two examples first, then its options and those that all commands share, with defaults. */
LNT_API lnt_status lnt_command_help(lnt_ctx *ctx, lnt_text *out, const lnt_command *command, const lnt_option *common);
/* The same as a man page (section 1). */
LNT_API lnt_status lnt_command_man(lnt_ctx *ctx, lnt_text *out, const lnt_command *command, const lnt_option *common);

#ifdef __cplusplus
}
#endif
#endif
