#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- Interruption: the first Ctrl-C asks for an orderly end, the second ends at once ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    if (interrupted)
        _exit(EXIT_INTERRUPTED);
    interrupted = 1;
    (void)number;
}

static int is_cancelled(void *user)
{
    (void)user;
    return interrupted;
}

/* ---- Messages and progress, on standard error ---- */

typedef struct terminal {
    bool tty, shown;
    struct timespec start, last;
} terminal;

static double seconds_since(const struct timespec *then)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + 1e-9 * (double)(now.tv_nsec - then->tv_nsec);
}

static void clear_line(terminal *t)
{
    if (t->shown)
        fprintf(stderr, "\r\033[K");
    t->shown = false;
}

static void on_log(const char *line, void *user)
{
    clear_line(user);
    fprintf(stderr, "linnet: %s\n", line);
}

static void on_progress(const char *what, long done, long total, void *user)
{
    terminal *t = user;
    if (done == 0) {
        clock_gettime(CLOCK_MONOTONIC, &t->start);
        t->last = t->start;
    }
    if (!t->tty || total <= 0 || seconds_since(&t->start) < 1 || (done < total && seconds_since(&t->last) < 0.1))
        return;
    clock_gettime(CLOCK_MONOTONIC, &t->last);
    clear_line(t);
    if (done >= total)
        return;
    double left = done > 0 ? seconds_since(&t->start) * (double)(total - done) / (double)done : 0;
    fprintf(stderr, "\r\033[K%s %ld of %ld, %.0f s left", what, done, total, left);
    fflush(stderr);
    t->shown = true;
}

/* ---- Commands ---- */

/* `input` may be FILE:DATASET. */
static bool same_file(lnt_ctx *ctx, const char *input, const char *b)
{
    struct stat x, y;
    const char *dataset, *a = lnt_file_and_dataset(ctx, input, &dataset);
    return a && stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A file of results may replace an older one, but never what it was made from (weights may be trained on in place). */
static lnt_status check_out_file(lnt_ctx *ctx, const lnt_command *command, const void *opts, const char *option,
                                 const char *out)
{
    for (const lnt_option *o = command->options; o->name; o++) {
        const char *text = o->type == LNT_OPT_TEXT ? *(const char *const *)((const char *)opts + o->offset) : NULL;
        const char *model = text && o->flags & LNT_OPT_POSITIONAL ? lnt_sprintf(ctx, "%s/result.h5", text) : NULL;
        bool in_place = strcmp(option, "weights-out") == 0 && strcmp(o->name, "weights-in") == 0;
        if ((text && o->flags & LNT_OPT_INPUT && !in_place && same_file(ctx, text, out)) ||
            (model && same_file(ctx, model, out)))
            return lnt_fail(ctx, LNT_EEXIST, "--%s %s would overwrite what --%s names; choose another name", option,
                            out, o->name);
    }
    return LNT_OK;
}

/* Is there a file of weights already, in one of the two formats that hold nothing else? */
static bool holds_weights(const char *path)
{
    static const char magic[] = "\x93NUMPY";
    char start[sizeof magic - 1] = {0};
    size_t n = strlen(path);
    if (n < 5 || strcmp(path + n - 4, ".npy") != 0)
        return lnt_hdf5_recognise(path);
    FILE *file = fopen(path, "rb");
    bool same = file && fread(start, 1, sizeof start, file) == sizeof start && memcmp(start, magic, sizeof start) == 0;
    if (file)
        fclose(file);
    return same;
}

/* Said before a long run, not after it. */
static lnt_status check_out_files(lnt_ctx *ctx, const lnt_command *command, const void *opts, const common_opts *common)
{
    lnt_status status = LNT_OK;
    if (common->out && command->out == LNT_OUT_ARRAY)
        status = check_out_file(ctx, command, opts, "out", common->out);
    for (const lnt_option *o = command->options; o->name && status == LNT_OK; o++) {
        const char *path = o->flags & LNT_OPT_WEIGHTS ? *(const char *const *)((const char *)opts + o->offset) : NULL;
        if (!path)
            continue;
        struct stat info;
        bool exists = stat(path, &info) == 0;
        char *folder = lnt_strdup(ctx, path), *slash = folder ? strrchr(folder, '/') : NULL;
        if (slash)
            slash[slash == folder] = '\0';
        if (access(slash ? folder : ".", W_OK | X_OK) != 0)
            return lnt_fail(ctx, LNT_EIO, "--%s %s: its folder does not exist or cannot be written", o->name, path);
        if (!*path || (exists && !S_ISREG(info.st_mode)))
            return lnt_fail(ctx, LNT_EIO, "--%s '%s' is not the name of a file", o->name, path);
        if (exists && !common->force && !holds_weights(path))
            return lnt_fail(ctx, LNT_EEXIST, "--%s %s: that file exists and holds something else; --force replaces it",
                            o->name, path);
        status = check_out_file(ctx, command, opts, o->name, path);
    }
    return status;
}

static int run_command(lnt_ctx *ctx, const lnt_command *command, int argc, char **argv, terminal *t)
{
    common_opts common = {0};
    void *opts = lnt_alloc_zero(ctx, 1, command->size);
    lnt_status status = opts ? read_arguments(ctx, command, opts, &common, argc, argv) : LNT_ENOMEM;
    if (status == LNT_OK && common.quiet)
        lnt_ctx_set_log(ctx, NULL, NULL);
    if (status == LNT_OK && !common.quiet && isatty(STDERR_FILENO))
        lnt_ctx_set_progress(ctx, on_progress, t);
    if (status == LNT_OK && common.json && common.csv)
        status = lnt_fail(ctx, LNT_EUSAGE, "--json and --csv exclude each other");
    if (status == LNT_OK && common.csv)
        status = lnt_command_check_table(ctx, command, common.csv);
    if (status == LNT_OK)
        status = check_out_files(ctx, command, opts, &common);
    if (status == LNT_OK && common.out && command->out == LNT_OUT_FOLDER) {
        const char *result = lnt_sprintf(ctx, "%s/result.h5", common.out);
        status = result ? check_out_file(ctx, command, opts, "out", result) : LNT_ENOMEM;
    }
    if (status == LNT_OK && common.out && command->out == LNT_OUT_FOLDER)
        status = lnt_folder_prepare(ctx, common.out, common.force);
    if (status == LNT_OK && !lnt_blas_reentrant())
        lnt_log(ctx,
                "the OpenBLAS that was loaded is built without threads and not safe for several: one thread is used");
    lnt_record *record = status == LNT_OK ? lnt_record_new(command->name) : NULL;
    if (status == LNT_OK && !record)
        status = LNT_ENOMEM;
    if (status == LNT_OK) {
        lnt_options_record(record, command->options, opts);
        status = command->study(ctx, record, opts);
    }
    clear_line(t);
    int code = status == LNT_OK ? put_results(ctx, record, command, opts, &common) : put_failure(ctx, status);
    if (status == LNT_EUSER && interrupted)
        code = EXIT_INTERRUPTED;
    if (status != LNT_OK && status != LNT_EEXIST && common.out && command->out == LNT_OUT_FOLDER)
        rmdir(common.out); /* the folder of a run that failed, if nothing else is in it */
    lnt_record_free(record);
    return code;
}

/* `linnet run FILE ...` is the file's command with --config FILE. */
static int run_file(lnt_ctx *ctx, int argc, char **argv, terminal *t)
{
    lnt_bytes bytes;
    lnt_config config = {0};
    if (argc < 2 || argv[1][0] == '-') {
        lnt_fail(ctx, LNT_EUSAGE, "which file? linnet run DIR/run.yaml [--out DIR] [--threads N]");
        return put_failure(ctx, LNT_EUSAGE);
    }
    lnt_status status = lnt_file_read(ctx, &bytes, argv[1]);
    if (status == LNT_OK)
        status = lnt_config_parse(ctx, &config, bytes.p, bytes.n, argv[1]);
    lnt_heap_free(bytes.p);
    if (status == LNT_OK && !config.command)
        status = lnt_fail(ctx, LNT_EFORMAT, "%s: no line 'command:' in it", argv[1]);
    if (status != LNT_OK)
        return put_failure(ctx, status);
    if (config.version && strcmp(config.version, LNT_VERSION) != 0)
        lnt_log(ctx, "%s was written by linnet %s, this is %s: results may differ", argv[1], config.version,
                LNT_VERSION);
    const lnt_command *command = NULL;
    for (const lnt_command *c = lnt_commands; c->name; c++)
        if (strcmp(c->name, config.command) == 0) // NOLINT: lnt_fail() above never returns LNT_OK
            command = c;
    if (!command) {
        lnt_fail(ctx, LNT_EFORMAT, "%s: there is no command '%s'", argv[1], config.command);
        return put_failure(ctx, LNT_EFORMAT);
    }
    char **words_with_config = lnt_alloc(ctx, (size_t)argc + 2, sizeof *words_with_config);
    if (!words_with_config)
        return put_failure(ctx, LNT_ENOMEM);
    words_with_config[0] = argv[0];
    words_with_config[1] = lnt_sprintf(ctx, "--config=%s", argv[1]);
    for (int i = 2; i <= argc; i++)
        words_with_config[i] = argv[i];
    return run_command(ctx, command, argc, words_with_config, t);
}

static void put_overview(FILE *to)
{
    fprintf(to,
            "linnet %s: learning dynamics of linear and linearized networks\n\n"
            "  linnet train --data digits --whiten 40 --layers 40,20,10\n"
            "  linnet reproduce --quick --out report\n\ncommands:\n",
            lnt_version());
    for (const lnt_command *c = lnt_commands; c->name; c++)
        fprintf(to, "  %-17s %s\n", c->name, c->summary);
    fprintf(to, "  %-17s %s\n  %-17s %s\n  %-17s %s\n", "run", "repeat a run from its run.yaml", "help",
            "help on a command: linnet help train", "version", "the versions of linnet and of its linear algebra");
    fprintf(to, "\nexit codes: 0 done, 1 failed, 2 wrong usage, 3 finished outside its tolerance, 130 interrupted\n");
}

static int put_man_pages(lnt_ctx *ctx, const char *folder)
{
    lnt_text overview = {0};
    lnt_text_add(&overview,
                 ".TH LINNET 1 \"\" \"linnet %s\" \"linnet manual\"\n.SH NAME\nlinnet \\- learning dynamics of "
                 "linear and linearized networks\n.SH SYNOPSIS\n.B linnet\nCOMMAND [options]\n.SH COMMANDS\n",
                 LNT_VERSION);
    lnt_status status = LNT_OK;
    for (const lnt_command *c = lnt_commands; c->name && status == LNT_OK; c++) {
        lnt_text page = {0};
        char *path = lnt_sprintf(ctx, "%s/linnet-%s.1", folder, c->name);
        for (char *s = path ? strrchr(path, '/') : NULL; s && *s; s++)
            *s = *s == ' ' ? '-' : *s;
        status = path ? lnt_command_man(ctx, &page, c, common_options) : LNT_ENOMEM;
        if (status == LNT_OK)
            status = lnt_write_atomic(ctx, path, page.p, page.n);
        lnt_text_add(&overview, ".TP\n.BR linnet\\-%s (1)\n%s\n", c->name, c->summary);
        lnt_text_free(&page);
    }
    lnt_text_add(&overview,
                 ".TP\n.B linnet run\nrepeat a run from its run.yaml: linnet run FILE [options of its command]\n"
                 ".SH ENVIRONMENT\n.TP\n.B LINNET_DATA\nfolder whose subfolder mnist holds the four MNIST files\n");
    char *path = lnt_sprintf(ctx, "%s/linnet.1", folder);
    if (status == LNT_OK)
        status = path ? lnt_write_atomic(ctx, path, overview.p, overview.n) : LNT_ENOMEM;
    lnt_text_free(&overview);
    return status == LNT_OK ? EXIT_DONE : put_failure(ctx, status);
}

static const char run_help[] =
    "Examples:\n  linnet run d/run.yaml --out d2\n  linnet run d/run.yaml --threads 1 --json\n\n"
    "Usage: linnet run FILE [options]\n\nrepeat a run from its run.yaml\n\n"
    "Every command leaves run.yaml in its --out folder: its name, the version, and all options that determine the\n"
    "results. `linnet run FILE` calls that command with them; the same version gives the same result.h5, byte for "
    "byte,\n"
    "on any number of threads. Options of the command may follow and override the file: linnet run d/run.yaml --epochs "
    "3.\n"
    "A run that was interrupted has no run.yaml.\n";

static int put_help(lnt_ctx *ctx, int argc, char **argv)
{
    int words;
    if (argc >= 1 && strcmp(argv[0], "run") == 0) {
        fputs(run_help, stdout);
        return EXIT_DONE;
    }
    if (argc >= 2 && strcmp(argv[0], "--man-pages") == 0)
        return put_man_pages(ctx, argv[1]);
    const lnt_command *command = find_command(argc, argv, &words);
    if (!command && argc > 0) {
        lnt_fail(ctx, LNT_EUSAGE, "there is no command '%s'; linnet help lists them", argv[0]);
        return put_failure(ctx, LNT_EUSAGE);
    }
    if (!command) {
        put_overview(stdout);
        return EXIT_DONE;
    }
    lnt_text text = {0};
    lnt_status status = lnt_command_help(ctx, &text, command, common_options);
    if (status == LNT_OK)
        fwrite(text.p, 1, text.n, stdout);
    lnt_text_free(&text);
    return status == LNT_OK ? EXIT_DONE : put_failure(ctx, status);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int dispatch(lnt_ctx *ctx, int argc, char **argv, terminal *t)
{
    int words;
    if (argc < 2) {
        put_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("linnet %s\n%s\n", lnt_version(), lnt_blas_description());
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "help") == 0)
        return put_help(ctx, argc - 2, argv + 2);
    const lnt_command *command = find_command(argc - 1, argv + 1, &words);
    if (wants_help(argc - 1, argv + 1))
        return put_help(ctx, strcmp(argv[1], "run") == 0 ? 1 : words, argv + 1);
    if (strcmp(argv[1], "run") == 0)
        return run_file(ctx, argc - 1, argv + 1, t);
    if (!command) {
        lnt_fail(ctx, LNT_EUSAGE, "there is no command '%s'; linnet help lists them", argv[1]);
        return put_failure(ctx, LNT_EUSAGE);
    }
    return run_command(ctx, command, argc - words, argv + words, t);
}

int main(int argc, char **argv)
{
    terminal t = {.tty = isatty(STDERR_FILENO)};
    lnt_ctx *ctx = lnt_ctx_new();
    if (!ctx) {
        fprintf(stderr, "linnet: out of memory\n");
        return EXIT_FAILED;
    }
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error of writing, which is reported */
    lnt_ctx_set_log(ctx, on_log, &t);
    lnt_ctx_set_cancel(ctx, is_cancelled, NULL);
    int code = dispatch(ctx, argc, argv, &t);
    lnt_ctx_free(ctx);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_DONE) {
        fprintf(stderr, "linnet: standard output could not be written\n");
        code = EXIT_FAILED;
    }
    return code;
}
