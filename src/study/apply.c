#include "apply.h"
#include "weights.h"

#include "linnet/store.h"
#include "setup.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

void lnt_apply_defaults(lnt_apply_opts *opts)
{
    *opts = (lnt_apply_opts){.run = "mean"};
}

/* A saved network with its preparation. */
typedef struct model {
    lnt_prep prep;
    lnt_saved_net saved;
    int outputs, classes;
} model;

static lnt_status damaged(lnt_ctx *ctx, const char *path, const char *what)
{
    return lnt_fail(ctx, LNT_EFORMAT, "%s: not a saved result of linnet train or regress path (%s)", path, what);
}

/* What the kind of preparation says that there must be. */
static bool preparation_is_whole(const lnt_record *record, bool has_mean, bool has_map)
{
    lnt_value kind;
    if (!lnt_record_get_fact(record, "preparation", "kind", &kind) || kind.kind != LNT_STRING)
        return false;
    bool needs_map = strcmp(kind.string, "pca") == 0 || strcmp(kind.string, "whiten") == 0,
         needs_mean = needs_map || strcmp(kind.string, "centre") == 0;
    return has_map == needs_map && has_mean == needs_mean && (needs_mean || strcmp(kind.string, "none") == 0);
}

lnt_status lnt_saved_preparation(lnt_ctx *ctx, lnt_prep *prep, const lnt_record *record, int components,
                                 const char *path)
{
    lnt_array mean, map;
    bool has_mean = lnt_record_array(record, "preparation/mean", &mean),
         has_map = lnt_record_array(record, "preparation/map", &map);
    *prep = (lnt_prep){.inputs = components, .outputs = components};
    if (!preparation_is_whole(record, has_mean, has_map))
        return damaged(ctx, path, "its preparation is incomplete");
    if ((has_mean && !lnt_array_finite(&mean)) || (has_map && !lnt_array_finite(&map)))
        return damaged(ctx, path, "its preparation is not finite");
    if (has_map) {
        if (map.rank != 2 || map.dims[0] != components)
            return damaged(ctx, path, "/preparation/map does not fit the weights");
        prep->inputs = map.dims[1];
        lnt_status status = lnt_array_matrix(ctx, &prep->map, &map, 0);
        if (status != LNT_OK)
            return status;
    }
    if (has_mean) {
        if (mean.rank != 1 || mean.dims[0] != prep->inputs)
            return damaged(ctx, path, "/preparation/mean does not fit the map");
        prep->mean = lnt_alloc(ctx, (size_t)mean.dims[0], sizeof *prep->mean);
        if (!prep->mean)
            return LNT_ENOMEM;
        memcpy(prep->mean, mean.values, (size_t)mean.dims[0] * sizeof *prep->mean);
    }
    return LNT_OK;
}

static lnt_status load_model(lnt_ctx *ctx, model *m, const lnt_record *record, const char *path)
{
    lnt_value classes = {0};
    lnt_status status = lnt_saved_net_get(ctx, &m->saved, record, path);
    if (status == LNT_OK)
        status = lnt_saved_preparation(ctx, &m->prep, record, m->saved.net.width[0], path);
    if (status == LNT_OK)
        m->outputs = m->saved.net.width[m->saved.net.depth];
    if (status == LNT_OK && lnt_record_get_fact(record, "preparation", "classes", &classes) &&
        classes.integer == m->outputs)
        m->classes = m->outputs;
    return status;
}

/* Which runs are asked for: the first of them and how many. */
typedef struct selection {
    int first, count;
    bool mean; /* of several */
} selection;

static lnt_status choose_runs(lnt_ctx *ctx, selection *s, const model *m, const char *which)
{
    int runs = m->saved.runs;
    double number;
    *s = (selection){0, runs, strcmp(which, "mean") == 0 && runs > 1};
    if (strcmp(which, "each") == 0 || strcmp(which, "mean") == 0)
        return LNT_OK;
    if (!lnt_number_read(which, strlen(which), &number) || number != floor(number) || number < 0 || number >= runs)
        return lnt_fail(ctx, LNT_EUSAGE, "--run %s: use mean, each, or a number from 0 to %d", which, runs - 1);
    *s = (selection){(int)number, 1, false};
    return LNT_OK;
}

/* F <- the outputs of every run chosen, or their mean. *count is how many there are. */
static lnt_status predict(lnt_ctx *ctx, lnt_mat **F, int *count, const model *m, const selection *s, lnt_mat Z)
{
    lnt_mat next;
    *count = s->mean ? 1 : s->count;
    if (!(*F = lnt_alloc(ctx, (size_t)*count, sizeof **F)))
        return LNT_ENOMEM;
    lnt_status status = lnt_mat_alloc(ctx, &next, m->outputs, Z.cols);
    for (int k = 0; k < s->count && status == LNT_OK; k++) {
        const double *w = m->saved.w[s->first + k];
        bool new = k == 0 || !s->mean;
        if (new)
            status = lnt_mat_alloc(ctx, &(*F)[k], m->outputs, Z.cols);
        if (status == LNT_OK)
            status = lnt_net_forward(ctx, new ? (*F)[k] : next, &m->saved.net, w, Z);
        if (status == LNT_OK && !new)
            lnt_mat_add((*F)[0], 1, next);
    }
    if (status == LNT_OK && s->mean)
        lnt_mat_scale((*F)[0], 1.0 / s->count);
    return status;
}

void lnt_apply_classes(lnt_ctx *ctx, lnt_record *record, lnt_mat F)
{
    long *count = lnt_alloc_zero(ctx, (size_t)F.rows, sizeof *count);
    lnt_table *table = lnt_record_table(record, "classes");
    for (int j = 0; j < F.cols && count; j++)
        count[lnt_largest(lnt_at(F, 0, j), F.rows)]++;
    for (int i = 0; i < F.rows && count; i++) {
        lnt_table_row(table);
        lnt_table_set(table, "class", "", lnt_integer(i));
        lnt_table_set(table, "rows", "", lnt_integer(count[i]));
    }
}

static lnt_status put_score(lnt_ctx *ctx, lnt_record *record, const model *m, const lnt_dataset *data, const lnt_mat *F,
                            const selection *s, int count)
{
    int outputs = lnt_dataset_outputs(data);
    bool fewer_classes = data->classes > 0 && m->classes >= data->classes;
    if (outputs != m->outputs && !fewer_classes)
        return lnt_fail(ctx, LNT_ESHAPE,
                        "the targets have %d columns, the network has %d outputs (--one-hot for classes?)", outputs,
                        m->outputs);
    lnt_dataset known = *data;
    if (known.classes)
        known.classes = m->outputs;
    lnt_table *table = lnt_record_table(record, "score");
    for (int k = 0; k < count; k++) {
        lnt_score score;
        lnt_status status = lnt_outputs_score(ctx, &score, F[k], &known);
        if (status != LNT_OK)
            return status;
        lnt_table_row(table);
        lnt_table_set(table, "run", "", s->mean ? lnt_string("mean") : lnt_integer(s->first + k));
        lnt_table_set(table, "half_loss", "", lnt_number(score.loss));
        if (known.classes)
            lnt_table_set(table, "accuracy", "", lnt_number(score.accuracy));
    }
    return LNT_OK;
}

static void put_predictions(lnt_ctx *ctx, lnt_record *record, const lnt_mat *F, int runs)
{
    if (runs == 1) {
        lnt_record_samples(record, "prediction", "", F[0]);
        return;
    }
    /* (runs, rows, outputs): the transposes, as matrices */
    lnt_mat *T = lnt_alloc(ctx, (size_t)runs, sizeof *T);
    for (int k = 0; k < runs && T; k++)
        if (lnt_mat_alloc(ctx, &T[k], F[k].cols, F[k].rows) == LNT_OK)
            lnt_mat_transpose(T[k], F[k]);
        else
            return;
    if (T)
        lnt_record_matrix(record, "prediction", "", T, runs);
}

static lnt_status apply_network(lnt_ctx *ctx, lnt_record *record, const lnt_record *saved, const char *path,
                                const lnt_apply_opts *opts)
{
    model m = {0};
    lnt_dataset data;
    lnt_mat Z;
    lnt_source source = {opts->data, opts->inputs, opts->targets, opts->one_hot};
    lnt_mat *F;
    selection s;
    int count;
    if (opts->lambda)
        return lnt_fail(ctx, LNT_EUSAGE, "--lambda is for results of linnet regress path; %s holds a network", path);
    lnt_status status = load_model(ctx, &m, saved, path);
    if (status == LNT_OK)
        status = choose_runs(ctx, &s, &m, opts->run);
    if (status == LNT_OK)
        status = lnt_source_read(ctx, &data, &source, false);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, m.prep.outputs, data.inputs.n);
    if (status == LNT_OK)
        status = lnt_prep_apply(ctx, Z, &m.prep, &data.inputs, opts->threads);
    if (status == LNT_OK)
        status = predict(ctx, &F, &count, &m, &s, Z);
    if (status != LNT_OK)
        return status;
    lnt_record_fact(record, "applied", "rows", "", lnt_integer(Z.cols));
    lnt_record_fact(record, "applied", "outputs", "", lnt_integer(m.outputs));
    lnt_record_fact(record, "applied", "runs", "", lnt_integer(m.saved.runs));
    put_predictions(ctx, record, F, count);
    if (m.classes)
        lnt_apply_classes(ctx, record, F[0]);
    if (lnt_dataset_outputs(&data))
        status = put_score(ctx, record, &m, &data, F, &s, count);
    return status;
}

static lnt_status apply(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_apply_opts *opts = user;
    lnt_record *saved;
    if (!opts->folder)
        return lnt_fail(ctx, LNT_EUSAGE, "which result? linnet apply DIR --inputs FILE --out FILE");
    if (!opts->data && !opts->inputs)
        return lnt_fail(ctx, LNT_EUSAGE, "which rows? linnet apply %s --inputs FILE --out FILE", opts->folder);
    const char *path = lnt_sprintf(ctx, "%s/result.h5", opts->folder);
    if (!path)
        return LNT_ENOMEM;
    if (access(path, F_OK) != 0)
        return lnt_fail(
            ctx, LNT_EMISSING,
            "%s is not the folder of a saved linnet train, fit, regress path or match (there is no result.h5 in it)",
            opts->folder);
    lnt_status status = lnt_store_load(ctx, &saved, path);
    if (status != LNT_OK)
        return status;
    const char *command = lnt_record_command(saved);
    status = strcmp(command, "regress path") == 0 ? lnt_apply_path(ctx, record, saved, path, opts)
             : strcmp(command, "match") == 0      ? lnt_apply_match(ctx, record, saved, opts)
             : strcmp(command, "fit") == 0        ? lnt_apply_fit(ctx, record, saved, path, opts)
                                                  : apply_network(ctx, record, saved, path, opts);
    lnt_record_free(saved);
    return status;
}

lnt_status lnt_apply_study(lnt_ctx *ctx, lnt_record *record, const lnt_apply_opts *opts)
{
    return lnt_study_run(ctx, record, NULL, opts, apply);
}
