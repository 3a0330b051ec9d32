#include "experiment.h"

#include "linnet/report.h"
#include "linnet/store.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

void lnt_reproduce_defaults(lnt_reproduce_opts *opts)
{
    *opts = (lnt_reproduce_opts){.out = "report", .figure = true};
}

static int count_experiments(void)
{
    int count = 0;
    while (lnt_experiments[count].name)
        count++;
    return count;
}

/* Whether `name` is among the names separated by commas; NULL means all. */
static bool is_chosen(const char *names, const char *name)
{
    size_t n = strlen(name);
    if (!names)
        return true;
    for (const char *s = names; *s;) {
        size_t length = strcspn(s, ",");
        if (length == n && memcmp(s, name, n) == 0)
            return true;
        s += length + (s[length] == ',');
    }
    return false;
}

static lnt_status check_names(lnt_ctx *ctx, const char *names)
{
    char known[1024] = "";
    for (const lnt_experiment *e = lnt_experiments; e->name; e++)
        if (strlen(known) + strlen(e->name) + 3 < sizeof known)
            strcat(strcat(known, *known ? ", " : ""), e->name);
    for (const char *s = names; s && *s;) {
        size_t length = strcspn(s, ",");
        bool found = false;
        for (const lnt_experiment *e = lnt_experiments; e->name; e++)
            found = found || (strlen(e->name) == length && memcmp(e->name, s, length) == 0);
        if (!found)
            return lnt_fail(ctx, LNT_EUSAGE, "there is no experiment '%.*s'; there are: %s", (int)length, s, known);
        s += length + (s[length] == ',');
    }
    return LNT_OK;
}

/* ---- One experiment ---- */

/* Seconds that the experiments run so far took, and what was expected of them. */
typedef struct pace {
    double spent, expected;
} pace;

typedef struct outcome {
    lnt_record *record; /* NULL where there are no results */
    const char *status; /* "run", "kept", "skipped", "failed" */
    const char *reason; /* of skipping or failing */
    lnt_drawing *drawing;
    int drawings;
} outcome;

static bool same_value(const lnt_record *record, const char *name, lnt_value expected)
{
    lnt_value value;
    return lnt_record_get_parameter(record, name, &value) && value.number == expected.number;
}

/* Loads finished results; *other says that they were made with other options. */
static lnt_record *load_finished(lnt_ctx *ctx, const char *folder, const lnt_reproduce_opts *opts, bool *other)
{
    struct stat info;
    lnt_record *record = NULL;
    const char *mark = lnt_sprintf(ctx, "%s/run.yaml", folder), *path = lnt_sprintf(ctx, "%s/result.h5", folder);
    if (!mark || !path || stat(mark, &info) != 0)
        return NULL;
    if (lnt_store_load(ctx, &record, path) != LNT_OK) {
        lnt_ctx_clear(ctx); /* damaged: it is made again */
        return NULL;
    }
    *other =
        !same_value(record, "full", lnt_flag(opts->full)) || !same_value(record, "seed", lnt_integer((long)opts->seed));
    return record;
}

static lnt_status run_one(lnt_ctx *ctx, const lnt_experiment *e, const lnt_reproduce_opts *opts, const char *folder)
{
    lnt_record *record = lnt_record_new("reproduce");
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for a record");
    lnt_reproduce_opts own = *opts;
    own.names = e->name;
    own.quick = !opts->full;
    lnt_options_record(record, lnt_reproduce_options, &own);
    lnt_status status = e->run(ctx, record, e, opts);
    if (status == LNT_OK)
        status = lnt_record_status(ctx, record);
    if (status == LNT_OK)
        status = lnt_folder_prepare(ctx, folder, true);
    if (status == LNT_OK)
        status = lnt_folder_save(ctx, record, folder, opts->figure);
    lnt_record_free(record);
    return status;
}

/* The text of a file, NULL where it cannot be read. */
static const char *read_text(lnt_ctx *ctx, const char *path)
{
    lnt_bytes bytes;
    if (!path || lnt_file_read(ctx, &bytes, path) != LNT_OK) {
        lnt_ctx_clear(ctx);
        return NULL;
    }
    char *text = lnt_alloc(ctx, bytes.n + 1, 1);
    if (text) {
        memcpy(text, bytes.p, bytes.n);
        text[bytes.n] = '\0';
    }
    lnt_heap_free(bytes.p);
    return text;
}

/* The drawings beside the results; those of which all files are there are linked. */
static lnt_status read_drawings(lnt_ctx *ctx, outcome *o, const lnt_reproduce_opts *opts, const char *name)
{
    static const char *const suffixes[] = {"svg", "pdf", "png"};
    int count = lnt_record_figures(o->record);
    o->drawing = lnt_alloc_zero(ctx, (size_t)count + 1, sizeof *o->drawing);
    for (int i = 0; i < count && o->drawing; i++) {
        const lnt_figure *figure = lnt_record_get_figure(o->record, i);
        const char *files = lnt_sprintf(ctx, "%s/figure-%s", name, figure->name);
        bool all = files != NULL;
        for (int k = 0; k < 3 && all; k++) {
            struct stat info;
            const char *path = lnt_sprintf(ctx, "%s/%s.%s", opts->out, files, suffixes[k]);
            all = path && stat(path, &info) == 0;
        }
        const char *svg = files ? read_text(ctx, lnt_sprintf(ctx, "%s/%s.svg", opts->out, files)) : NULL;
        if (svg)
            o->drawing[o->drawings++] = (lnt_drawing){figure->caption, svg, all ? files : NULL};
        else if (opts->figure)
            o->reason = "its figure is missing: is gnuplot installed? --force draws it again";
    }
    return lnt_record_status(ctx, o->record);
}

/* ---- Time left ---- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double expected_seconds(const lnt_experiment *e, bool full)
{
    const lnt_experiment_page *page = lnt_experiment_page_of(e->name);
    return full ? 60 * page->minutes : page->seconds;
}

/* Says to somebody who waits which experiment begins, and how long all that are left may take: what was expected of
 * them, scaled by how that went so far. `clock` holds what was spent and what was expected for it. */
static void announce(lnt_ctx *ctx, const lnt_experiment *e, const lnt_reproduce_opts *opts, const pace *clock)
{
    double left = 0;
    int number = 1, count = 0;
    if (!lnt_progress_wanted(ctx))
        return;
    for (const lnt_experiment *other = lnt_experiments; other->name; other++)
        if (is_chosen(opts->names, other->name)) {
            count++;
            number += other < e;
            left += other < e ? 0 : expected_seconds(other, opts->full);
        }
    left *= clock->expected > 0 ? clock->spent / clock->expected : 1;
    lnt_log(ctx, "%s, %d of %d, about %.0f %s left", e->name, number, count, left < 100 ? left : left / 60,
            left < 100 ? "s" : "min");
}

/* Runs or keeps one experiment. Its failure is an outcome, not the end of the others. */
static lnt_status settle(lnt_ctx *ctx, outcome *o, const lnt_experiment *e, const lnt_reproduce_opts *opts, pace *clock)
{
    const char *folder = lnt_sprintf(ctx, "%s/%s", opts->out, e->name);
    bool chosen = is_chosen(opts->names, e->name), other = false;
    if (!folder)
        return LNT_ENOMEM;
    if (!chosen || !opts->force)
        o->record = load_finished(ctx, folder, opts, &other);
    if (o->record && chosen && other)
        return lnt_fail(ctx, LNT_EEXIST,
                        "%s holds results of another size or seed; choose another --out, or --force to replace them",
                        folder);
    o->status = "kept";
    if (!o->record && chosen) {
        announce(ctx, e, opts, clock);
        double before = seconds_now();
        lnt_status status = run_one(ctx, e, opts, folder);
        clock->spent += seconds_now() - before;
        clock->expected += expected_seconds(e, opts->full);
        if (status == LNT_ENOMEM || status == LNT_EIO)
            return status;
        o->status = status == LNT_OK ? "run" : status == LNT_EMISSING ? "skipped" : "failed";
        o->reason = lnt_strdup(ctx, lnt_ctx_message(ctx));
        lnt_ctx_clear(ctx);
        if (status == LNT_OK && !lnt_cancelled(ctx)) {
            const char *path = lnt_sprintf(ctx, "%s/result.h5", folder);
            status = path ? lnt_store_load(ctx, &o->record, path) : LNT_ENOMEM;
            if (status != LNT_OK)
                return status;
        }
    }
    return o->record ? read_drawings(ctx, o, opts, e->name) : LNT_OK;
}

/* ---- All of them ---- */

/* Names of the checks that fail, for the reader of the summary. */
static void warn_of_failures(lnt_record *record, const char *name, const lnt_record *experiment)
{
    lnt_value check, value, expected, tolerance, holds;
    for (int row = 0; row < lnt_record_rows(experiment, "checks"); row++)
        if (lnt_record_cell(experiment, "checks", row, "holds", &holds) && holds.number == 0 &&
            lnt_record_cell(experiment, "checks", row, "name", &check) &&
            lnt_record_cell(experiment, "checks", row, "value", &value) &&
            lnt_record_cell(experiment, "checks", row, "expected", &expected) &&
            lnt_record_cell(experiment, "checks", row, "tolerance", &tolerance))
            lnt_record_warn(record, "%s: %s is %.8g, expected %.8g within %.2g", name, check.string, value.number,
                            expected.number, tolerance.number);
}

static void put_outcome(lnt_record *record, const lnt_experiment *e, const outcome *o, const lnt_reproduce_opts *opts)
{
    if (!o->record && !is_chosen(opts->names, e->name))
        return;
    bool skipped = strcmp(o->status, "skipped") == 0, verdict = o->record && lnt_record_verdict(o->record);
    int checks = o->record ? lnt_record_rows(o->record, "checks") : 0;
    lnt_table *table = lnt_record_table(record, "experiments");
    lnt_table_row(table);
    lnt_table_set(table, "name", "", lnt_string(e->name));
    lnt_table_set(table, "status", "", lnt_string(o->status));
    lnt_table_set(table, "checks", "", lnt_integer(checks));
    lnt_table_set(table, "verdict", "", lnt_string(skipped ? "not run" : verdict ? "holds" : "FAILS"));
    if (!skipped)
        lnt_record_check(record, e->name, verdict, 1, 0);
    if (o->record)
        warn_of_failures(record, e->name, o->record);
    if (o->reason && *o->reason)
        lnt_record_warn(record, "%s %s: %s", e->name, o->status, o->reason);
}

/* The chapters of a group, after those of other groups. */
static int add_chapters(lnt_chapter *chapter, int chapters, const outcome *outcomes, const char *group)
{
    for (int i = 0; i < count_experiments(); i++) {
        const lnt_experiment *e = &lnt_experiments[i];
        const lnt_experiment_page *page = lnt_experiment_page_of(e->name);
        const outcome *o = &outcomes[i];
        if ((o->record || o->reason) && strcmp(page->group, group) == 0)
            chapter[chapters++] = (lnt_chapter){e->name,       e->title,  e->question, group,      page->formula,
                                                page->finding, o->reason, o->record,   o->drawing, o->drawings};
    }
    return chapters;
}

static lnt_status write_report(lnt_ctx *ctx, const outcome *outcomes, const lnt_reproduce_opts *opts)
{
    int chapters = 0;
    lnt_chapter *chapter = lnt_alloc(ctx, (size_t)count_experiments(), sizeof *chapter);
    const char *path = lnt_sprintf(ctx, "%s/index.html", opts->out);
    lnt_text html = {0};
    if (!chapter || !path)
        return LNT_ENOMEM;
    for (const char *const *group = lnt_experiment_groups; *group; group++)
        chapters = add_chapters(chapter, chapters, outcomes, *group);
    lnt_status status = lnt_report_html(ctx, &html, "linnet: published experiments, reproduced", chapter, chapters);
    if (status == LNT_OK)
        status = lnt_write_atomic(ctx, path, html.p, html.n);
    lnt_text_free(&html);
    return status;
}

static lnt_status reproduce(lnt_ctx *ctx, lnt_record *record, const lnt_reproduce_opts *opts, outcome *outcomes)
{
    int count = count_experiments();
    pace clock = {0, 0};
    lnt_status status = lnt_folder_prepare(ctx, opts->out, true);
    for (int i = 0; i < count && status == LNT_OK && !lnt_cancelled(ctx); i++) {
        status = settle(ctx, &outcomes[i], &lnt_experiments[i], opts, &clock);
        if (status == LNT_OK && !lnt_cancelled(ctx))
            put_outcome(record, &lnt_experiments[i], &outcomes[i], opts);
    }
    if (lnt_cancelled(ctx)) {
        lnt_record_set_interrupted(record);
        lnt_record_warn(record, "interrupted: call it again to continue with the experiments that are not finished");
    }
    if (status == LNT_OK)
        status = write_report(ctx, outcomes, opts);
    if (status == LNT_OK)
        lnt_record_fact(record, "report", "page", "", lnt_string(lnt_sprintf(ctx, "%s/index.html", opts->out)));
    return status;
}

static void list_experiments(lnt_record *record)
{
    lnt_table *table = lnt_record_table(record, "experiments");
    for (const lnt_experiment *e = lnt_experiments; e->name; e++) {
        lnt_table_row(table);
        lnt_table_set(table, "name", "", lnt_string(e->name));
        lnt_table_set(table, "title", "", lnt_string(e->title));
        lnt_table_set(table, "needs", "", lnt_string(e->data ? e->data : "nothing"));
    }
}

lnt_status lnt_reproduce_study(lnt_ctx *ctx, lnt_record *record, const lnt_reproduce_opts *opts)
{
    if (opts->quick && opts->full)
        return lnt_fail(ctx, LNT_EUSAGE, "--quick and --full exclude each other");
    lnt_status status = check_names(ctx, opts->names);
    if (status != LNT_OK)
        return status;
    if (opts->list) {
        list_experiments(record);
        return lnt_record_status(ctx, record);
    }
    lnt_mark mark = lnt_ctx_mark(ctx);
    int count = count_experiments();
    outcome *outcomes = lnt_alloc_zero(ctx, (size_t)count, sizeof *outcomes);
    status = outcomes ? reproduce(ctx, record, opts, outcomes) : LNT_ENOMEM;
    for (int i = 0; i < count && outcomes; i++)
        lnt_record_free(outcomes[i].record);
    if (status == LNT_OK)
        status = lnt_record_status(ctx, record);
    lnt_ctx_reset(ctx, mark);
    return status;
}
