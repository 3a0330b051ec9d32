#define _GNU_SOURCE
#include "program.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define OPTION(name, type, field, value, help)                                                                         \
    {                                                                                                                  \
        name, type, offsetof(common_opts, field), LNT_OPT_HOW, 0, 0, value, NULL, help                                 \
    }
const lnt_option common_options[] = {
    OPTION("out", LNT_OPT_TEXT, out, "PATH",
           "save the results in a folder: result.h5, figures, run.yaml; of apply, the predictions in a file"),
    OPTION("json", LNT_OPT_FLAG, json, NULL, "print one JSON object and nothing else"),
    OPTION("csv", LNT_OPT_TEXT, csv, "TABLE", "print one table, or series, as CSV"),
    OPTION("quiet", LNT_OPT_FLAG, quiet, NULL, "no progress, no messages but errors"),
    OPTION("figure", LNT_OPT_FLAG, figure, NULL, "draw the figures; --no-figure leaves them out"),
    OPTION("config", LNT_OPT_TEXT, config, "FILE", "take options from a YAML file; the command line overrides it"),
    OPTION("force", LNT_OPT_FLAG, force, NULL, "replace results that are in the folder already"),
    {NULL, LNT_OPT_FLAG, 0, 0, 0, 0, NULL, NULL, NULL}};

const lnt_command *find_command(int argc, char **argv, int *words)
{
    const lnt_command *best = NULL;
    *words = 0;
    for (const lnt_command *c = lnt_commands; c->name; c++) {
        const char *name = c->name;
        int used = 0;
        while (*name && used < argc) {
            size_t n = strcspn(name, " ");
            if (strlen(argv[used]) != n || strncmp(argv[used], name, n) != 0)
                break;
            used++;
            name += n + (name[n] == ' ');
        }
        if (*name == '\0' && used > *words) {
            best = c;
            *words = used;
        }
    }
    return best;
}

#define MOST_OPTIONS 200

/* One getopt entry per option, two for flags: --name and --no-name. */
typedef struct entry {
    const lnt_option *option;
    bool common, negated;
} entry;

static int list_options(struct option *long_option, entry *entries, char (*negative)[64], const lnt_command *command)
{
    int count = 0;
    for (int common = 0; common < 2; common++)
        for (const lnt_option *o = common ? common_options : command->options; o->name; o++) {
            if (common && lnt_option_find(command->options, o->name))
                continue;
            for (int no = 0; no < (o->type == LNT_OPT_FLAG ? 2 : 1) && count < MOST_OPTIONS; no++, count++) {
                snprintf(negative[count], sizeof negative[count], "no-%s", o->name);
                entries[count] = (entry){o, common, no};
                long_option[count] =
                    (struct option){no ? negative[count] : o->name,
                                    o->type == LNT_OPT_FLAG ? no_argument : required_argument, NULL, 1000 + count};
            }
        }
    long_option[count] = (struct option){0};
    return count;
}

static lnt_status set_positionals(lnt_ctx *ctx, const lnt_command *command, void *opts, int argc, char **argv, int at)
{
    for (const lnt_option *o = command->options; o->name && at < argc; o++) {
        if (!(o->flags & LNT_OPT_POSITIONAL))
            continue;
        const char *text = argv[at++];
        while (o->flags & LNT_OPT_LIST && at < argc && text)
            text = lnt_sprintf(ctx, "%s,%s", text, argv[at++]);
        lnt_status status = text ? lnt_option_set(ctx, opts, o, text) : LNT_ENOMEM;
        if (status != LNT_OK)
            return status;
    }
    if (at < argc)
        return lnt_fail(ctx, LNT_EUSAGE, "'%s' is not expected here; options start with --, see linnet help %s",
                        argv[at], command->name);
    return LNT_OK;
}

static lnt_status read_config(lnt_ctx *ctx, const lnt_command *command, void *opts, const char *path)
{
    lnt_bytes bytes;
    lnt_config config;
    lnt_status status = lnt_file_read(ctx, &bytes, path);
    if (status == LNT_OK)
        status = lnt_config_parse(ctx, &config, bytes.p, bytes.n, path);
    lnt_heap_free(bytes.p);
    if (status == LNT_OK && config.command && strcmp(config.command, command->name) != 0)
        return lnt_fail(ctx, LNT_EUSAGE, "%s is for linnet %s, not %s", path, config.command, command->name);
    return status == LNT_OK ? lnt_config_apply(ctx, opts, command->options, &config, path) : status;
}

/* One pass over argv. The first looks for --config alone, the second sets everything: the command line wins. */
static lnt_status scan(lnt_ctx *ctx, const lnt_command *command, void *opts, common_opts *common, int argc, char **argv,
                       bool config_only)
{
    struct option long_option[MOST_OPTIONS + 1];
    entry entries[MOST_OPTIONS];
    char negative[MOST_OPTIONS][64];
    list_options(long_option, entries, negative, command);
    optind = 0; /* GNU: start anew */
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, ":", long_option, NULL)) != -1;) {
        if (code == ':')
            return lnt_fail(ctx, LNT_EUSAGE, "%s needs a value, see linnet help %s", argv[optind - 1], command->name);
        char letter[3] = {'-', (char)optopt, '\0'};
        if (code == '?')
            return lnt_fail(ctx, LNT_EUSAGE, "there is no option %s, see linnet help %s",
                            optopt > 0 && optopt < 128 ? letter : argv[optind - 1], command->name);
        const entry *e = &entries[code - 1000];
        if (config_only && !(e->common && strcmp(e->option->name, "config") == 0))
            continue;
        const char *text = e->option->type != LNT_OPT_FLAG ? optarg : e->negated ? "false" : "true";
        lnt_status status = lnt_option_set(ctx, e->common ? (void *)common : opts, e->option, text);
        if (status != LNT_OK)
            return status;
    }
    return config_only ? LNT_OK : set_positionals(ctx, command, opts, argc, argv, optind);
}

lnt_status read_arguments(lnt_ctx *ctx, const lnt_command *command, void *opts, common_opts *common, int argc,
                          char **argv)
{
    *common = (common_opts){.figure = true};
    command->defaults(opts);
    lnt_status status = scan(ctx, command, opts, common, argc, argv, true);
    if (status == LNT_OK && common->config)
        status = read_config(ctx, command, opts, common->config);
    return status == LNT_OK ? scan(ctx, command, opts, common, argc, argv, false) : status;
}
