/* The folder of a run that can be continued: its options, its log of draws, and what it leaves at the end. */
#include "sampling.h"

#include "linnet/arviz.h"
#include "linnet/draws.h"
#include "linnet/store.h"
#include "linnet/version.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_there(const char *path)
{
    struct stat info;
    return path && stat(path, &info) == 0;
}

static const char *in_folder(lnt_ctx *ctx, const char *folder, const char *name)
{
    return lnt_sprintf(ctx, "%s/%s", folder, name);
}

/* ---- Options ---- */

/* The options that determine results, as they stand in options.yaml and run.yaml. */
static lnt_status options_text(lnt_ctx *ctx, lnt_text *text, const lnt_sampling_opts *opts)
{
    lnt_record *record = lnt_record_new("sample");
    if (!record)
        return lnt_fail(ctx, LNT_ENOMEM, "out of memory for options");
    lnt_options_record(record, lnt_sampling_options, opts);
    lnt_status status = lnt_record_status(ctx, record);
    if (status == LNT_OK)
        status = lnt_record_yaml(ctx, text, record);
    lnt_record_free(record);
    return status;
}

static lnt_status check_alone(lnt_ctx *ctx, const lnt_sampling_opts *opts)
{
    lnt_sampling_opts none;
    lnt_text given = {0}, defaults = {0};
    lnt_sampling_defaults(&none);
    lnt_status status = options_text(ctx, &given, opts);
    if (status == LNT_OK)
        status = options_text(ctx, &defaults, &none);
    bool same = given.p && defaults.p && given.n == defaults.n && memcmp(given.p, defaults.p, given.n) == 0;
    lnt_text_free(&given);
    lnt_text_free(&defaults);
    if (status == LNT_OK && (!same || opts->out || opts->force))
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--resume %s takes its options from there: leave out all others but --threads, --json, --csv, "
                        "--quiet and --no-figure",
                        opts->resume);
    return status;
}

static lnt_status read_options(lnt_ctx *ctx, lnt_sampling_opts *own, const lnt_sampling_opts *opts)
{
    lnt_bytes bytes;
    lnt_config config;
    const char *path = in_folder(ctx, opts->resume, "options.yaml");
    if (!path)
        return LNT_ENOMEM;
    if (!is_there(path))
        return lnt_fail(ctx, LNT_EMISSING, "%s is not the folder of a run of linnet sample (no options.yaml in it)",
                        opts->resume);
    lnt_status status = lnt_file_read(ctx, &bytes, path);
    if (status == LNT_OK) {
        status = lnt_config_parse(ctx, &config, bytes.p, bytes.n, path);
        lnt_heap_free(bytes.p);
    }
    if (status != LNT_OK)
        return status;
    if (!config.command || strcmp(config.command, "sample") != 0)
        return lnt_fail(ctx, LNT_EFORMAT, "%s is not of linnet sample", path);
    if (!config.version || strcmp(config.version, LNT_VERSION) != 0)
        return lnt_fail(
            ctx, LNT_EEXIST,
            "%s was begun by linnet %s, this is %s, whose draws could differ: continue it with that version",
            opts->resume, config.version ? config.version : "of unknown version", LNT_VERSION);
    lnt_sampling_defaults(own);
    status = lnt_config_apply(ctx, own, lnt_sampling_options, &config, path);
    own->out = own->resume = opts->resume;
    own->threads = opts->threads;
    own->figure = opts->figure;
    return status;
}

lnt_status lnt_sampling_resume(lnt_ctx *ctx, lnt_record *record, lnt_sampling_opts *own, bool *finished,
                               const lnt_sampling_opts *opts)
{
    lnt_record *saved;
    lnt_status status = check_alone(ctx, opts);
    if (status == LNT_OK)
        status = read_options(ctx, own, opts);
    if (status != LNT_OK)
        return status;
    *finished = is_there(in_folder(ctx, opts->resume, "run.yaml"));
    if (!*finished)
        return LNT_OK;
    lnt_options_record(record, lnt_sampling_options, own);
    lnt_log(ctx, "%s is complete already: nothing is changed", opts->resume);
    const char *path = in_folder(ctx, opts->resume, "result.h5");
    status = path ? lnt_store_load(ctx, &saved, path) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_record_merge(record, saved);
    lnt_record_free(saved);
    return LNT_OK;
}

lnt_status lnt_sampling_folder(lnt_ctx *ctx, const lnt_sampling_opts *opts)
{
    static const char *const names[] = {"draws.log", "options.yaml", "run.yaml", "draws.nc"};
    lnt_status status = lnt_folder_prepare(ctx, opts->out, opts->force);
    const char *log = in_folder(ctx, opts->out, "draws.log");
    if (status != LNT_OK || !log)
        return status == LNT_OK ? LNT_ENOMEM : status;
    if (!opts->force && is_there(log))
        return lnt_fail(ctx, LNT_EEXIST,
                        "%s holds the draws of a run that is not finished: linnet sample --resume %s continues it, "
                        "--force throws them away",
                        opts->out, opts->out);
    for (int i = 0; i < 4 && opts->force; i++) {
        const char *path = in_folder(ctx, opts->out, names[i]);
        if (path && is_there(path) && unlink(path) != 0)
            return lnt_fail(ctx, LNT_EIO, "%s could not be removed", path);
    }
    return LNT_OK;
}

static uint64_t hash_rows(uint64_t hash, lnt_mat A)
{
    for (int j = 0; j < A.cols; j++)
        hash = lnt_fingerprint(hash, lnt_at(A, 0, j), (size_t)A.rows * sizeof(double));
    return hash;
}

lnt_status lnt_sampling_begin(lnt_ctx *ctx, lnt_sampled *s)
{
    lnt_text text = {0};
    const lnt_network_data *d = s->data;
    const char *path = in_folder(ctx, s->folder, "options.yaml");
    lnt_status status = path ? options_text(ctx, &text, s->opts) : LNT_ENOMEM;
    if (status == LNT_OK) {
        s->fingerprint = lnt_fingerprint(0, text.p, text.n);
        s->fingerprint = hash_rows(hash_rows(s->fingerprint, d->X), d->Y);
        if (d->test.n)
            s->fingerprint = hash_rows(hash_rows(s->fingerprint, d->test_X), d->test_Y);
        if (d->sd)
            s->fingerprint = lnt_fingerprint(s->fingerprint, d->sd, d->likelihood.n * sizeof *d->sd);
    }
    if (status == LNT_OK && !is_there(path))
        status = lnt_write_atomic(ctx, path, text.p, text.n);
    lnt_text_free(&text);
    return status;
}

/* ---- The end ---- */

#define MOST_VARIABLES 300
#define MOST_DIMS 400

typedef struct file {
    lnt_ctx *ctx;
    const lnt_sampled *s;
    lnt_arviz_dim dim[MOST_DIMS];
    lnt_arviz_variable variable[MOST_VARIABLES];
    int dims, variables;
    bool failed;
} file;

static const lnt_arviz_dim *add_dim(file *f, const char *name, int length)
{
    lnt_arviz_dim *d = &f->dim[f->dims < MOST_DIMS - 1 ? f->dims++ : f->dims];
    *d = (lnt_arviz_dim){name, length, NULL};
    f->failed = f->failed || !name || f->dims >= MOST_DIMS - 1;
    return d;
}

/* A variable of the draws with up to two dimensions of its own. */
static void add(file *f, const char *group, const char *name, const double *values, size_t stride,
                const lnt_arviz_dim *first, const lnt_arviz_dim *second, lnt_arviz_kind kind)
{
    if (f->variables == MOST_VARIABLES || !name || !values) {
        f->failed = true;
        return;
    }
    f->variable[f->variables++] = (lnt_arviz_variable){.group = group,
                                                       .name = name,
                                                       .kind = kind,
                                                       .rank = 2 + (first != NULL) + (second != NULL),
                                                       .dim = {&f->dim[0], &f->dim[1], first, second},
                                                       .values = values,
                                                       .stride = stride};
}

/* The weights of one layer of all draws, each as (out, in). */
static const double *by_rows(lnt_ctx *ctx, const lnt_sampled *s, int l)
{
    const lnt_layers *net = &s->data->layers;
    size_t rows = (size_t)net->net.width[l], cols = (size_t)net->net.width[l - 1], n = lnt_sampled_count(s);
    double *a = lnt_alloc(ctx, n * rows * cols, sizeof *a);
    for (size_t d = 0; d < n && a; d++) {
        lnt_mat W = lnt_layers_weights(net, lnt_sampled_draw(s, d), l);
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < cols; j++)
                a[(d * rows + i) * cols + j] = *lnt_at(W, (int)i, (int)j);
    }
    return a;
}

static void add_weights(file *f)
{
    const lnt_sampled *s = f->s;
    const lnt_layers *net = &s->data->layers;
    size_t stride = (size_t)s->x.dim;
    for (int l = 1; l <= net->net.depth && l <= 100; l++) {
        const lnt_arviz_dim *out = add_dim(f, lnt_sprintf(f->ctx, "unit%d", l), net->net.width[l]);
        const lnt_arviz_dim *in = add_dim(f, lnt_sprintf(f->ctx, "input%d", l), net->net.width[l - 1]);
        add(f, "posterior", lnt_sprintf(f->ctx, "W%d", l), by_rows(f->ctx, s, l), 0, out, in, LNT_ARVIZ_NUMBER);
        if (net->biases)
            add(f, "posterior", lnt_sprintf(f->ctx, "b%d", l), lnt_layers_biases(net, s->x.a, l), stride, out, NULL,
                LNT_ARVIZ_NUMBER);
    }
    int alphas = s->priors.alpha ? s->data->groups : 0;
    if (alphas)
        add(f, "posterior", "log_alpha", s->x.a + s->weights, stride, alphas > 1 ? add_dim(f, "group", alphas) : NULL,
            NULL, LNT_ARVIZ_NUMBER);
    if (s->priors.beta)
        add(f, "posterior", "log_beta", s->x.a + s->dim - 1, stride, NULL, NULL, LNT_ARVIZ_NUMBER);
}

static void add_stats(file *f)
{
    static const struct {
        const char *name;
        int column;
        lnt_arviz_kind kind;
    } stats[] = {{"lp", LNT_COLUMN_LOGP, LNT_ARVIZ_NUMBER},
                 {"energy", LNT_COLUMN_ENERGY, LNT_ARVIZ_NUMBER},
                 {"acceptance_rate", LNT_COLUMN_ACCEPT, LNT_ARVIZ_NUMBER},
                 {"step_size", LNT_COLUMN_STEP, LNT_ARVIZ_NUMBER},
                 {"tree_depth", LNT_COLUMN_DEPTH, LNT_ARVIZ_INTEGER},
                 {"n_steps", LNT_COLUMN_LEAPFROGS, LNT_ARVIZ_INTEGER},
                 {"diverging", LNT_COLUMN_DIVERGENT, LNT_ARVIZ_FLAG},
                 {"reached_max_treedepth", LNT_COLUMN_AT_DEPTH, LNT_ARVIZ_FLAG}};
    for (size_t i = 0; i < sizeof stats / sizeof *stats; i++)
        add(f, "sample_stats", stats[i].name, f->s->x.a + f->s->dim + stats[i].column, (size_t)f->s->x.dim, NULL, NULL,
            stats[i].kind);
}

static void add_data(file *f)
{
    const lnt_network_data *d = f->s->data;
    const lnt_arviz_dim *row = add_dim(f, "row", d->X.cols), *input = add_dim(f, "input", d->X.rows),
                        *output = add_dim(f, "output", d->Y.rows);
    if (f->variables + 2 > MOST_VARIABLES) {
        f->failed = true;
        return;
    }
    f->variable[f->variables++] = (lnt_arviz_variable){
        .group = "observed_data", .name = "targets", .rank = 2, .dim = {row, output}, .values = d->Y.a};
    f->variable[f->variables++] = (lnt_arviz_variable){
        .group = "constant_data", .name = "inputs", .rank = 2, .dim = {row, input}, .values = d->X.a};
}

lnt_status lnt_sampled_export(lnt_ctx *ctx, const lnt_sampled *s, const char *path)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_text image = {0};
    file *f = lnt_alloc_zero(ctx, 1, sizeof *f);
    if (!f)
        return LNT_ENOMEM;
    f->ctx = ctx;
    f->s = s;
    add_dim(f, "chain", s->x.chains);
    add_dim(f, "draw", s->x.draws);
    add_weights(f);
    add_stats(f);
    add_data(f);
    lnt_status status = f->failed ? lnt_fail(ctx, LNT_ENOMEM, "out of memory for %s", path) : LNT_OK;
    if (status == LNT_OK)
        status = lnt_store_arviz(ctx, &image, f->variable, f->variables);
    if (status == LNT_OK)
        status = lnt_write_atomic(ctx, path, image.p, image.n);
    lnt_text_free(&image);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_sampling_save(lnt_ctx *ctx, lnt_record *record, const lnt_sampled *s)
{
    const char *path = in_folder(ctx, s->folder, "draws.nc");
    lnt_status status = path ? LNT_OK : LNT_ENOMEM;
    if (status == LNT_OK && !s->interrupted)
        status = lnt_sampled_export(ctx, s, path);
    if (status == LNT_OK)
        status = lnt_folder_save(ctx, record, s->folder, s->opts->figure);
    return status;
}
