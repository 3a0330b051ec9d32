/* The layered examples: options, and runs of all arms. */
#include "layered.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"
#include "setup.h"

#include <math.h>
#include <string.h>

#define EVERY 64        /* epochs up to this one are all kept, later ones at ratios of 1 + 1/EVERY */
#define RANK_LIMIT 1e-4 /* of the largest singular value */
#define TOO_LARGE 1e6   /* times the loss at the start */

/* ---- Where losses are kept ---- */

static int next_epoch(int epoch)
{
    return epoch + 1 + epoch / EVERY;
}

int lnt_layered_epochs(int *list, int epochs)
{
    int n = 0;
    for (int k = 0; k < epochs; k = next_epoch(k), n++)
        if (list)
            list[n] = k;
    if (list)
        list[n] = epochs;
    return n + 1;
}

double *lnt_layered_at(const lnt_layered *l, int run, int arm, lnt_layered_track track)
{
    size_t row = ((size_t)run * (size_t)l->arms + (size_t)arm) * LNT_LAYERED_TRACKS + (size_t)track;
    return l->track + row * (size_t)l->points;
}

double *lnt_layered_value(const lnt_layered *l, int run, int arm)
{
    return l->value + ((size_t)run * (size_t)l->arms + (size_t)arm) * LNT_MEASURES;
}

void lnt_layered_values(double *x, const lnt_layered *l, int arm, lnt_measure measure)
{
    for (int run = 0; run < l->runs; run++)
        x[run] = lnt_layered_value(l, run, arm)[measure];
}

bool lnt_layered_wants(const lnt_layered *l, int point, int epoch)
{
    return point < l->points && l->epoch[point] == epoch;
}

lnt_status lnt_layered_enter(lnt_ctx *ctx, const lnt_layered *l, int run, int arm, int *point,
                             const double loss[LNT_LAYERED_TRACKS])
{
    double start = *lnt_layered_at(l, run, arm, LNT_LOSS_TRAIN);
    if (!isfinite(loss[LNT_LOSS_TRAIN]) || (*point > 0 && loss[LNT_LOSS_TRAIN] > TOO_LARGE * start))
        return lnt_fail(ctx, LNT_EDIVERGED,
                        "arm %s of run %d diverged before epoch %d: its published step %g is too large for this task; "
                        "more --samples make it stable",
                        l->arm[arm].name, run, l->epoch[*point], l->arm[arm].eta);
    for (int t = 0; t < LNT_LAYERED_TRACKS; t++)
        lnt_layered_at(l, run, arm, (lnt_layered_track)t)[*point] = loss[t];
    ++*point;
    return LNT_OK;
}

/* ---- Measures of final weights ---- */

static double violation(const double *w, const double *g, size_t n, double l1, double l2)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double slope = g[i] + l2 * w[i];
        worst = fmax(worst, w[i] == 0 ? fmax(fabs(slope) - l1, 0) : fabs(slope + copysign(l1, w[i])));
    }
    return worst;
}

static lnt_status measure_spectrum(lnt_ctx *ctx, double *value, lnt_mat M)
{
    int k = M.rows < M.cols ? M.rows : M.cols;
    double *s = lnt_alloc(ctx, (size_t)k, sizeof *s);
    lnt_mat U, VT;
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, M.rows, k) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, k, M.cols);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, M);
    if (status != LNT_OK)
        return status;
    value[LNT_RANK] = 0;
    for (int i = 0; i < k; i++)
        value[LNT_RANK] += s[i] > RANK_LIMIT * s[0];
    value[LNT_EFFECTIVE_RANK] = lnt_participation(s, k);
    return LNT_OK;
}

static void count_weights(double *value, lnt_mat M, const double *V)
{
    double weights = 0;
    value[LNT_COLUMNS] = value[LNT_ACTIVE] = 0;
    for (int j = 0; j < M.cols; j++) {
        int count = 0;
        for (int i = 0; i < M.rows; i++)
            count += *lnt_at(M, i, j) != 0;
        weights += count;
        value[LNT_COLUMNS] += count > 0;
        value[LNT_ACTIVE] += count > 0 && V[j] != 0;
    }
    value[LNT_NONZERO] = weights / ((double)M.rows * M.cols);
}

/* What only the product of linear layers has. */
static lnt_status measure_product(lnt_ctx *ctx, double *value, lnt_mat M, lnt_mat v)
{
    lnt_mat K;
    lnt_l1_penalties l1;
    lnt_status status = lnt_mat_alloc(ctx, &K, M.cols, M.cols);
    if (status == LNT_OK)
        status = lnt_l1_penalties_of_layers(ctx, &l1, M, v.a);
    if (status != LNT_OK)
        return status;
    lnt_syrk(K, 1, LNT_T, M, 0);
    lnt_symmetrize(K);
    lnt_gemm(K, -1, LNT_T, v, LNT_N, v, 1);
    value[LNT_IMBALANCE] = lnt_mat_norm(K);
    value[LNT_L1_MERGED] = l1.merged;
    value[LNT_NORM_S] = value[LNT_NUCLEAR];
    return LNT_OK;
}

lnt_status lnt_layered_measure(lnt_ctx *ctx, const lnt_layered *l, int run, int arm, lnt_mat M, const double *V,
                               lnt_mat gM, const double *gV)
{
    const lnt_arm *a = &l->arm[arm];
    double *value = lnt_layered_value(l, run, arm), l1 = lnt_arm_l1(a), l2 = lnt_arm_l2(a);
    size_t weights = (size_t)M.rows * (size_t)M.cols, units = (size_t)M.cols;
    lnt_mat v = lnt_mat_view((double *)(uintptr_t)V, 1, M.cols);
    lnt_factor_penalties p;
    lnt_l1_penalties ones;
    for (int k = LNT_RANK; k < LNT_MEASURES; k++)
        value[k] = NAN;
    for (int t = 0; t < LNT_LAYERED_TRACKS; t++)
        value[t] = lnt_layered_at(l, run, arm, (lnt_layered_track)t)[l->points - 1];
    lnt_status status = measure_spectrum(ctx, value, M);
    if (status == LNT_OK)
        status = lnt_penalties_of_factors(ctx, &p, M, v);
    if (status == LNT_OK)
        status = lnt_l1_penalties_of_layers(ctx, &ones, M, V);
    if (status != LNT_OK)
        return status;
    count_weights(value, M, V);
    value[LNT_NORM_M] = lnt_mat_norm(M);
    value[LNT_NORM_V] = lnt_mat_norm(v);
    value[LNT_KKT] = fmax(violation(M.a, gM.a, weights, l1, l2), violation(V, gV, units, l1, l2));
    l1 = a->l1;
    l2 = a->decay + a->l2;
    value[LNT_KKT_WRITTEN] = fmax(violation(M.a, gM.a, weights, l1, l2), violation(V, gV, units, l1, l2));
    value[LNT_UNIT_IMBALANCE] = lnt_unit_imbalance(M, V, lnt_arm_l1(a), lnt_arm_l2(a));
    value[LNT_FROBENIUS] = p.frobenius;
    value[LNT_UNIT_NORMS] = p.columns;
    value[LNT_NUCLEAR] = p.nuclear;
    value[LNT_L1_LAYERS] = ones.layers;
    value[LNT_L1_UNITS] = ones.units;
    if (l->linear)
        return measure_product(ctx, value, M, v);
    value[LNT_NUCLEAR] = NAN; /* units with their own kinks do not add up to a matrix */
    return LNT_OK;
}

/* ---- Runs ---- */

static lnt_status one_item(lnt_ctx *ctx, int index, void *user)
{
    lnt_layered *l = user;
    if (lnt_cancelled(ctx))
        return LNT_OK;
    lnt_status status = l->train(ctx, l, index / l->arms, index % l->arms);
    l->done[index] = status == LNT_OK && !lnt_cancelled(ctx);
    return status;
}

/* After an interruption the runs whose arms are all finished move to the front. */
static lnt_status keep_finished(lnt_ctx *ctx, lnt_record *record, lnt_layered *l)
{
    size_t tracks = (size_t)l->arms * LNT_LAYERED_TRACKS * (size_t)l->points, values = (size_t)l->arms * LNT_MEASURES;
    l->runs = 0;
    for (int run = 0; run < l->opts->seeds; run++) {
        bool done = true;
        for (int arm = 0; arm < l->arms; arm++)
            done = done && l->done[run * l->arms + arm];
        if (!done)
            continue;
        memmove(lnt_layered_at(l, l->runs, 0, LNT_LOSS_GEN), lnt_layered_at(l, run, 0, LNT_LOSS_GEN),
                tracks * sizeof(double));
        memmove(lnt_layered_value(l, l->runs, 0), lnt_layered_value(l, run, 0), values * sizeof(double));
        l->runs++;
    }
    if (l->runs < l->opts->seeds)
        lnt_record_set_interrupted(record);
    return l->runs > 0 ? LNT_OK
                       : lnt_fail(ctx, LNT_EUSER,
                                  "interrupted before the arms of any run were finished: there is nothing "
                                  "to keep");
}

lnt_status lnt_layered_run(lnt_ctx *ctx, lnt_record *record, lnt_layered *l)
{
    const lnt_layered_opts *o = l->opts;
    l->points = lnt_layered_epochs(NULL, o->epochs);
    size_t items = (size_t)o->seeds * (size_t)l->arms;
    l->epoch = lnt_alloc(ctx, (size_t)l->points, sizeof *l->epoch);
    l->track = lnt_alloc_zero(ctx, items * LNT_LAYERED_TRACKS * (size_t)l->points, sizeof *l->track);
    l->value = lnt_alloc_zero(ctx, items * LNT_MEASURES, sizeof *l->value);
    l->done = lnt_alloc_zero(ctx, items, sizeof *l->done);
    l->M = lnt_alloc(ctx, (size_t)l->arms, sizeof *l->M);
    if (!l->epoch || !l->track || !l->value || !l->done || !l->M)
        return LNT_ENOMEM;
    lnt_layered_epochs(l->epoch, o->epochs);
    for (int arm = 0; arm < l->arms; arm++) {
        lnt_status status = lnt_mat_alloc_zero(ctx, &l->M[arm], o->inputs, o->hidden);
        if (status != LNT_OK)
            return status;
    }
    lnt_progress_begin(ctx, "epochs", (long)items * o->epochs);
    lnt_status status = lnt_parallel(ctx, (int)items, o->threads, one_item, l);
    return status == LNT_OK ? keep_finished(ctx, record, l) : status;
}

/* ---- The study and its options ---- */

static const struct {
    int inputs, hidden, samples, epochs, seeds;
    lnt_layered_study_fn *study;
} published[] = {{0},
                 {400, 600, 200, 5000, 3, lnt_two_layer_study},
                 {100, 100, 60, 10000, 10, lnt_nonlinear_study},
                 {0, 0, 0, 3000, 100, lnt_toy_study},
                 {0, 0, 0, 4000, 3, lnt_attention_study}};

void lnt_layered_defaults(lnt_layered_opts *opts, lnt_layered_experiment experiment)
{
    if (experiment < LNT_LAYERED_NONE || experiment > LNT_LAYERED_ATTENTION)
        experiment = LNT_LAYERED_NONE;
    *opts = (lnt_layered_opts){.experiment = experiment,
                               .inputs = published[experiment].inputs,
                               .hidden = published[experiment].hidden,
                               .samples = published[experiment].samples,
                               .epochs = published[experiment].epochs,
                               .seeds = published[experiment].seeds};
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    const lnt_layered_opts *opts = user;
    bool sized = opts->experiment == LNT_LAYERED_TWO_LAYER || opts->experiment == LNT_LAYERED_NONLINEAR;
    if (opts->experiment <= LNT_LAYERED_NONE || opts->experiment > LNT_LAYERED_ATTENTION || opts->epochs < 0 ||
        opts->seeds < 1 || (sized && (opts->inputs < 1 || opts->hidden < 1 || opts->samples < 1)))
        return lnt_fail(ctx, LNT_EINVAL, "experiment %d with %d seeds, %d epochs, sizes %d, %d and %d: not possible",
                        opts->experiment, opts->seeds, opts->epochs, opts->inputs, opts->hidden, opts->samples);
    return published[opts->experiment].study(ctx, record, opts);
}

lnt_status lnt_layered_study(lnt_ctx *ctx, lnt_record *record, const lnt_layered_opts *opts)
{
    return lnt_study_run(ctx, record, NULL, opts, study);
}

/* ---- From the options of train ---- */

static bool applies(const char *name, bool sized)
{
    static const char *const always[] = {"experiment", "epochs", "seeds", "seed", "threads"};
    for (size_t k = 0; k < sizeof always / sizeof *always; k++)
        if (strcmp(name, always[k]) == 0)
            return true;
    return sized && (strcmp(name, "layers") == 0 || strcmp(name, "samples") == 0);
}

static bool same(const lnt_option *o, const lnt_train_opts *a, const lnt_train_opts *b)
{
    const char *p = (const char *)a + o->offset, *q = (const char *)b + o->offset;
    const char *s, *t;
    switch (o->type) {
    case LNT_OPT_FLAG:
        return *(const bool *)p == *(const bool *)q;
    case LNT_OPT_INTEGER:
    case LNT_OPT_CHOICE:
    case LNT_OPT_INTEGERS: /* none by default */
        return *(const int *)p == *(const int *)q;
    case LNT_OPT_SEED:
        return *(const uint64_t *)p == *(const uint64_t *)q;
    case LNT_OPT_REAL:
        return !memcmp(p, q, sizeof(double));
    case LNT_OPT_TEXT:
        s = *(const char *const *)p;
        t = *(const char *const *)q;
        return s == t || (s && t && strcmp(s, t) == 0);
    }
    return false;
}

/* Options that would do nothing are refused. */
static lnt_status check_options(lnt_ctx *ctx, const lnt_train_opts *opts, bool sized, const char *name)
{
    lnt_train_opts defaults;
    lnt_train_defaults(&defaults);
    for (const lnt_option *o = lnt_train_options; o->name; o++)
        if (!applies(o->name, sized) && !same(o, opts, &defaults))
            return lnt_fail(ctx, LNT_EUSAGE, "--%s does not apply to --experiment %s, whose task and arms are fixed",
                            o->name, name);
    return LNT_OK;
}

lnt_status lnt_layered_from_train(lnt_ctx *ctx, lnt_record *record, const lnt_train_opts *opts)
{
    lnt_layered_opts o;
    lnt_train_opts resolved = *opts;
    bool sized = opts->experiment == LNT_LAYERED_TWO_LAYER || opts->experiment == LNT_LAYERED_NONLINEAR;
    if (opts->experiment < LNT_LAYERED_NONE || opts->experiment > LNT_LAYERED_ATTENTION)
        return lnt_fail(ctx, LNT_EINVAL, "there is no experiment number %d", opts->experiment);
    const char *name = lnt_option_find(lnt_train_options, "experiment")->choices[opts->experiment];
    lnt_status status = check_options(ctx, opts, sized, name);
    if (status != LNT_OK)
        return status;
    lnt_layered_defaults(&o, (lnt_layered_experiment)opts->experiment);
    const lnt_int_list *layers = &opts->layers;
    if (layers->count && (layers->count != 3 || layers->item[2] != 1))
        return lnt_fail(ctx, LNT_EUSAGE, "--experiment %s has two layers and one output: --layers %d,%d,1", name,
                        o.inputs, o.hidden);
    if (layers->count) {
        o.inputs = layers->item[0];
        o.hidden = layers->item[1];
    }
    o.samples = opts->samples ? opts->samples : o.samples;
    o.epochs = opts->epochs == LNT_AUTO ? o.epochs : opts->epochs;
    o.seeds = opts->seeds == LNT_AUTO ? o.seeds : opts->seeds;
    o.seed = opts->seed;
    o.threads = opts->threads;
    if (sized)
        resolved.layers = (lnt_int_list){3, {o.inputs, o.hidden, 1}};
    resolved.samples = o.samples;
    resolved.epochs = o.epochs;
    resolved.seeds = o.seeds;
    lnt_options_record(record, lnt_train_options, &resolved);
    return lnt_layered_study(ctx, record, &o);
}
