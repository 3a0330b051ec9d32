#include "setup.h"

#include "linnet/builtin.h"
#include "linnet/linalg.h"

#include <math.h>

/* Options that contradict each other. */
static lnt_status check_options(lnt_ctx *ctx, const lnt_task_opts *o)
{
    if (o->pca > 0 && o->whiten > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--pca and --whiten exclude each other");
    if (o->sigma_xx && !o->sigma_yx)
        return lnt_fail(ctx, LNT_EUSAGE, "--sigma-xx needs --sigma-yx");
    if (o->trace_yy > 0 && !o->sigma_yx)
        return lnt_fail(ctx, LNT_EUSAGE, "--trace-yy goes with --sigma-xx and --sigma-yx only");
    if (o->builtin && (o->data || o->inputs || o->targets || o->sigma_yx || o->test_inputs))
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--task %.80s needs no other data: leave out --data, --inputs, --targets, "
                        "--test-inputs and --sigma-yx",
                        o->builtin);
    if (o->sigma_yx && (o->data || o->inputs || o->targets || o->test_inputs || o->test_targets || o->split > 0))
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--sigma-xx and --sigma-yx stand in place of rows: leave out --data, --inputs, "
                        "--targets, --split and the test files");
    if (o->sigma_yx && (o->centre || o->pca > 0 || o->whiten > 0))
        return lnt_fail(ctx, LNT_EUSAGE, "--centre, --pca and --whiten need rows; prepare the covariances yourself");
    if ((o->test_inputs == NULL) != (o->test_targets == NULL))
        return lnt_fail(ctx, LNT_EUSAGE, "--test-inputs and --test-targets need each other");
    if (o->test_inputs && o->split > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--split and --test-inputs exclude each other");
    return LNT_OK;
}

static lnt_status read_rows(lnt_ctx *ctx, lnt_dataset *data, lnt_dataset *held, const lnt_task_opts *o, uint64_t seed)
{
    lnt_source source = {o->data, o->inputs, o->targets, o->one_hot},
               test = {NULL, o->test_inputs, o->test_targets, o->one_hot};
    lnt_rng rng = lnt_rng_stream(seed, 0, LNT_FOR_SPLIT);
    const lnt_int_list *classes = o->classes;
    lnt_status status = LNT_OK;
    *held = (lnt_dataset){0};
    if (!o->builtin)
        status = lnt_source_read(ctx, data, &source, true);
    if (status == LNT_OK && classes)
        status = lnt_dataset_classes(ctx, data, classes->item, classes->count);
    if (status == LNT_OK && o->split > 0)
        status = lnt_dataset_split(ctx, data, held, o->split, &rng);
    if (status == LNT_OK && o->test_inputs)
        status = lnt_source_read(ctx, held, &test, true);
    if (status == LNT_OK && o->test_inputs && classes)
        status = lnt_dataset_classes(ctx, held, classes->item, classes->count);
    if (status == LNT_OK && o->test_inputs)
        status = lnt_dataset_match(ctx, held, data, o->test_inputs);
    return status;
}

/* A task of which only the covariances are known. */
static void set_covariances(lnt_setup *s, const lnt_moments *m)
{
    int D = m->Sxx.rows;
    s->all = *m;
    s->all.n = 0;
    s->task =
        (lnt_task){.inputs = D, .outputs = m->Syx.rows, .prep = {.inputs = D, .outputs = D, .rank = D, .retained = 1}};
}

/* data: that of a built-in task, otherwise to be read. */
static lnt_status make_from_rows(lnt_ctx *ctx, lnt_setup *s, lnt_dataset data, const lnt_task_opts *o, uint64_t seed,
                                 int threads)
{
    lnt_dataset held;
    lnt_prep_kind kind = o->whiten > 0 ? LNT_PREP_WHITEN
                         : o->pca > 0  ? LNT_PREP_PCA
                         : o->centre   ? LNT_PREP_CENTRE
                                       : LNT_PREP_NONE;
    lnt_status status = read_rows(ctx, &data, &held, o, seed);
    if (status == LNT_OK)
        status = lnt_task_make(ctx, &s->task, &data, kind, o->whiten > 0 ? o->whiten : o->pca, threads);
    return status == LNT_OK && held.inputs.n > 0 ? lnt_task_like(ctx, &s->test, &held, &s->task, threads) : status;
}

static lnt_status measure(lnt_ctx *ctx, lnt_setup *s, int threads)
{
    lnt_status status = lnt_task_moments(ctx, &s->all, &s->task, 0, s->task.n, threads);
    if (status == LNT_OK && s->test.n > 0)
        status = lnt_task_moments(ctx, &s->held, &s->test, 0, s->test.n, threads);
    return status;
}

static lnt_status make_from_covariances(lnt_ctx *ctx, lnt_setup *s, const lnt_task_opts *o)
{
    lnt_mat Sxx, Syx;
    lnt_moments m;
    lnt_status status = lnt_matrix_read(ctx, &Syx, o->sigma_yx);
    if (status == LNT_OK && o->sigma_xx)
        status = lnt_matrix_read(ctx, &Sxx, o->sigma_xx);
    else if (status == LNT_OK && (status = lnt_mat_alloc(ctx, &Sxx, Syx.cols, Syx.cols)) == LNT_OK)
        lnt_mat_identity(Sxx); /* white inputs */
    if (status == LNT_OK)
        status = lnt_moments_complete(ctx, &m, Sxx, Syx, o->trace_yy > 0 ? o->trace_yy : (double)NAN);
    if (status == LNT_OK)
        set_covariances(s, &m);
    return status;
}

static lnt_status open_task(lnt_ctx *ctx, lnt_setup *setup, lnt_builtin *task, const lnt_task_opts *opts, uint64_t seed)
{
    *setup = (lnt_setup){.item = 1};
    lnt_status status = check_options(ctx, opts);
    if (status == LNT_OK && opts->builtin)
        status = lnt_builtin_task(ctx, task, opts->builtin, seed);
    if (status == LNT_OK && opts->builtin)
        setup->item = task->scale;
    return status;
}

lnt_status lnt_setup_make(lnt_ctx *ctx, lnt_setup *setup, const lnt_task_opts *opts, uint64_t seed, int threads)
{
    lnt_builtin task = {0};
    lnt_status status = open_task(ctx, setup, &task, opts, seed);
    if (status != LNT_OK)
        return status;
    if (opts->sigma_yx)
        return make_from_covariances(ctx, setup, opts);
    if (!opts->builtin || task.data.inputs.n > 0) {
        status = make_from_rows(ctx, setup, task.data, opts, seed, threads);
        return status == LNT_OK ? measure(ctx, setup, threads) : status;
    }
    if (opts->split > 0 || opts->centre || opts->pca > 0 || opts->whiten > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--task %.80s has no rows to split or to prepare", opts->builtin);
    set_covariances(setup, &task.moments);
    return LNT_OK;
}

lnt_status lnt_setup_rows(lnt_ctx *ctx, lnt_setup *setup, const lnt_task_opts *opts, uint64_t seed, int threads)
{
    lnt_builtin task = {0};
    lnt_status status = open_task(ctx, setup, &task, opts, seed);
    if (status == LNT_OK && opts->builtin && task.data.inputs.n == 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--task %.80s has no rows, which are needed here", opts->builtin);
    return status == LNT_OK ? make_from_rows(ctx, setup, task.data, opts, seed, threads) : status;
}

lnt_mat lnt_second_class(lnt_mat Y)
{
    for (int j = 0; j < Y.cols; j++)
        Y.a[j] = *lnt_at(Y, 1, j);
    return lnt_mat_view(Y.a, 1, Y.cols);
}

/* Labels that start at 1, or leave numbers out, are taken as they are: say what that means. */
static void put_empty_classes(lnt_record *record, const lnt_dataset *data)
{
    int empty = 0, first = -1;
    for (int k = 0; k < data->classes; k++) {
        int i = 0;
        while (i < data->inputs.n && data->label[i] != k)
            i++;
        if (i < data->inputs.n)
            continue;
        first = empty++ == 0 ? k : first;
    }
    if (empty)
        lnt_record_warn(record, "%d of the %d classes 0 to %d have no rows, %d is the first: classes count from 0",
                        empty, data->classes, data->classes - 1, first);
}

void lnt_setup_report(lnt_record *record, const lnt_setup *setup, const lnt_task_opts *opts)
{
    static const char *const kinds[] = {"none", "centre", "pca", "whiten"};
    const lnt_prep *prep = &setup->task.prep;
    int asked = opts->whiten > 0 ? opts->whiten : opts->pca;
    lnt_record_fact(record, "preparation", "kind", "", lnt_string(kinds[prep->kind]));
    if (setup->task.n)
        lnt_record_fact(record, "preparation", "rows", "", lnt_integer(setup->task.n));
    if (setup->test.n)
        lnt_record_fact(record, "preparation", "test_rows", "", lnt_integer(setup->test.n));
    lnt_record_fact(record, "preparation", "inputs", "", lnt_integer(prep->inputs));
    lnt_record_fact(record, "preparation", "components", "", lnt_integer(prep->outputs));
    lnt_record_fact(record, "preparation", "classes", "", lnt_integer(setup->task.data.classes));
    if (setup->all.Sxx.a)
        lnt_record_fact(record, "preparation", "whiteness", "", lnt_number(lnt_whiteness(setup->all.Sxx)));
    put_empty_classes(record, &setup->task.data);
    if (opts->sigma_yx && opts->trace_yy == 0)
        lnt_record_warn(record, "without --trace-yy losses count from that of the best linear map, which has loss 0");
    if (prep->map.a) {
        lnt_record_fact(record, "preparation", "rank", "", lnt_integer(prep->rank));
        lnt_record_fact(record, "preparation", "retained_variance", "", lnt_number(prep->retained));
        lnt_record_matrix(record, "preparation/map", "", &prep->map, 1);
        lnt_record_vector(record, "preparation/sd", "", prep->sd, prep->outputs);
        if (prep->outputs < asked)
            lnt_record_warn(
                record,
                "only %d directions of the inputs have variance: %d of the %d components asked for were dropped",
                prep->rank, asked - prep->outputs, asked);
    }
    if (prep->mean)
        lnt_record_vector(record, "preparation/mean", "", prep->mean, prep->inputs);
}

lnt_status lnt_study_run(lnt_ctx *ctx, lnt_record *record, const lnt_option *table, const void *opts,
                         lnt_study_body *body)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    if (table)
        lnt_options_record(record, table, opts);
    lnt_status status = body(ctx, record, opts);
    if (status == LNT_OK)
        status = lnt_record_status(ctx, record);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_check_depths(lnt_ctx *ctx, const lnt_int_list *depths)
{
    for (int i = 0; i < depths->count; i++)
        for (int k = 0; k < i; k++)
            if (depths->item[k] == depths->item[i])
                return lnt_fail(ctx, LNT_EUSAGE, "--depths names %d twice", depths->item[i]);
    return LNT_OK;
}

double lnt_loss_scale(int loss, int outputs)
{
    return loss == LNT_LOSS_HALF ? 1 : loss == LNT_LOSS_SUM ? 2 : 2.0 / outputs;
}
