#include "linearizing.h"

#include "linnet/parallel.h"

#include <limits.h>
#include <math.h>

#define ROWS 30 /* of built-in tasks */
#define TEST_ROWS 20
#define KEPT 500 /* outputs up to which the kernel is kept unasked */
#define MOST_WIDTH 65535
#define MATRICES 6 /* n x n at once: the kernel, its eigenvectors, what LAPACK needs for them, the kernel later */

void lnt_linearizing_defaults(lnt_linearizing_opts *opts)
{
    *opts = (lnt_linearizing_opts){.rows = LNT_AUTO,
                                   .test_rows = LNT_AUTO,
                                   .widths = {5, {32, 64, 128, 256, 512}},
                                   .depth = 1,
                                   .activation = LNT_TANH,
                                   .bias_scale = 0.3,
                                   .eta = 1,
                                   .time = "10,100,1000",
                                   .points = 60,
                                   .runs = 8,
                                   .modes = 20,
                                   .memory = 4};
}

const lnt_linearizing_run *lnt_linearizing_at(const lnt_linearizing *l, int r, int j)
{
    return &l->run[r * l->opts->widths.count + j];
}

double lnt_linearizing_mean(const lnt_linearizing *l, int j, int curve, int k, double *sd)
{
    double mean = 0, square = 0;
    for (int r = 0; r < l->runs; r++)
        mean += lnt_linearizing_at(l, r, j)->curve[curve][k] / l->runs;
    for (int r = 0; r < l->runs; r++) {
        double off = lnt_linearizing_at(l, r, j)->curve[curve][k] - mean;
        square += off * off;
    }
    if (sd)
        *sd = l->runs > 1 ? sqrt(square / (l->runs - 1)) : (double)NAN;
    return mean;
}

/* ---- What is asked for ---- */

static lnt_status read_times(lnt_ctx *ctx, lnt_linearizing *l)
{
    const lnt_linearizing_opts *o = l->opts;
    if (!lnt_numbers_read(o->time, l->time, LNT_MOST_TIMES, &l->reported) || l->reported < 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--time %.80s: a number, or up to %d numbers separated by commas", o->time,
                        LNT_MOST_TIMES);
    for (int i = 0; i < l->reported; i++) {
        double t = l->time[i];
        if (!(t > (i ? l->time[i - 1] : 0)))
            return lnt_fail(ctx, LNT_EUSAGE, "--time %.80s: times are above 0 and ascend", o->time);
        if (o->rule == LNT_LINEARIZING_DESCENT && (t != floor(t) || t > 1e9))
            return lnt_fail(ctx, LNT_EUSAGE, "--time %.80s: descent takes whole numbers of steps, up to 1e9", o->time);
    }
    return LNT_OK;
}

static lnt_status check_options(lnt_ctx *ctx, const lnt_linearizing_opts *o)
{
    for (int j = 0; j < o->widths.count; j++) {
        if (o->widths.item[j] < 1 || o->widths.item[j] > MOST_WIDTH)
            return lnt_fail(ctx, LNT_EUSAGE, "--widths %d: from 1 to %d", o->widths.item[j], MOST_WIDTH);
        for (int i = 0; i < j; i++)
            if (o->widths.item[i] == o->widths.item[j])
                return lnt_fail(ctx, LNT_EUSAGE, "--widths names %d twice", o->widths.item[j]);
    }
    if (!(o->eta > 0))
        return lnt_fail(ctx, LNT_EUSAGE, "--eta %g: above 0", o->eta);
    if (o->momentum > 0 && o->rule == LNT_LINEARIZING_FLOW)
        return lnt_fail(ctx, LNT_EUSAGE, "--momentum goes with --rule descent");
    if (o->task.sigma_yx)
        return lnt_fail(ctx, LNT_EUSAGE, "covariances have no rows, which are needed here");
    return o->widths.count ? LNT_OK : lnt_fail(ctx, LNT_EUSAGE, "--widths is empty");
}

/* The task where none is named, and how many rows are used. */
static void resolve(lnt_linearizing_opts *o)
{
    if (!o->task.builtin && !o->task.data && !o->task.inputs && !o->task.targets)
        o->task.builtin = "sphere";
    bool own = o->task.builtin == NULL;
    if (o->rows == LNT_AUTO)
        o->rows = own ? 0 : ROWS;
    if (o->test_rows == LNT_AUTO)
        o->test_rows = own ? 0 : TEST_ROWS;
}

/* ---- Rows ---- */

static lnt_status check_targets(lnt_ctx *ctx, const lnt_linearizing *l, int part)
{
    lnt_mat Y = l->Y[part];
    if (!lnt_mat_finite(l->X[part]) || !lnt_mat_finite(Y))
        return lnt_fail(ctx, LNT_EDOMAIN, "the %s rows have numbers that are not finite", part ? "test" : "training");
    for (int i = 0; i < l->n[part] && l->opts->likelihood == LNT_BERNOULLI; i++)
        if (!(Y.a[i] >= 0 && Y.a[i] <= 1))
            return lnt_fail(ctx, LNT_EDOMAIN, "--likelihood bernoulli: the target %g is not between 0 and 1", Y.a[i]);
    return LNT_OK;
}

static lnt_status take_rows(lnt_ctx *ctx, lnt_linearizing *l, int part, const lnt_task *task, int first, int count)
{
    lnt_status status = lnt_mat_alloc(ctx, &l->X[part], task->inputs, count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &l->Y[part], task->outputs, count);
    if (status != LNT_OK || !count)
        return status;
    lnt_task_get(l->X[part], l->Y[part], task, NULL, first, count);
    if (l->opts->likelihood == LNT_BERNOULLI && task->data.classes == 2)
        l->Y[part] = lnt_second_class(l->Y[part]);
    l->outputs = l->Y[part].rows;
    l->n[part] = l->outputs * count;
    return check_targets(ctx, l, part);
}

static int up_to(int most, int there)
{
    return most > 0 && most < there ? most : there;
}

static lnt_status read_rows(lnt_ctx *ctx, lnt_linearizing *l)
{
    static const double curvature[] = {1, 0.25, 0.5};
    const lnt_linearizing_opts *o = l->opts;
    lnt_status status = lnt_setup_rows(ctx, &l->setup, &o->task, o->seed, o->threads);
    if (status != LNT_OK)
        return status;
    const lnt_task *task = &l->setup.task, *held = l->setup.test.n ? &l->setup.test : task;
    int classes = task->data.classes;
    l->curvature = curvature[o->likelihood];
    if (o->likelihood == LNT_CATEGORICAL && classes < 2)
        return lnt_fail(ctx, LNT_EUSAGE, "--likelihood categorical needs targets that are classes (--one-hot)");
    if (o->likelihood == LNT_BERNOULLI && classes > 2)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--likelihood bernoulli is for two classes, of which there are %d: use categorical", classes);
    int rows = up_to(o->rows, task->n);
    status = take_rows(ctx, l, LNT_TRAIN, task, 0, rows);
    int first = held == task ? rows : 0;
    if (status == LNT_OK)
        status = take_rows(ctx, l, LNT_TEST, held, first, up_to(o->test_rows, held->n - first));
    return status;
}

/* ---- Times and memory ---- */

/* 0, equal ratios, and the reported times; of descent whole numbers. */
static lnt_status make_grid(lnt_ctx *ctx, lnt_linearizing *l)
{
    int n = 1, points = l->opts->points, most = points + l->reported + 1;
    bool descent = l->opts->rule == LNT_LINEARIZING_DESCENT;
    double end = l->time[l->reported - 1], first = descent ? 1 : fmin(0.1, end / 1000), *t;
    if (!(l->t = t = lnt_alloc(ctx, (size_t)most, sizeof *t)))
        return LNT_ENOMEM;
    t[0] = 0;
    for (int i = 0; i < points; i++) {
        double x = first * pow(end / first, points > 1 ? (double)i / (points - 1) : 1);
        t[n++] = descent ? round(x) : x;
    }
    for (int i = 0; i < l->reported; i++)
        t[n++] = l->time[i];
    lnt_sort(t, (size_t)n);
    for (int i = 0; i < n; i++) /* what differs by rounding only is one time */
        if (l->count == 0 || t[i] > t[l->count - 1] * (1 + 1e-12))
            t[l->count++] = t[i];
    for (int i = 0, k = 0; i < l->reported; i++) {
        while (t[k] < l->time[i] * (1 - 1e-11))
            k++;
        t[k] = l->time[i];
        l->at[i] = k;
    }
    return LNT_OK;
}

static lnt_status check_sizes(lnt_ctx *ctx, const lnt_linearizing *l)
{
    int width[LNT_MOST_WIDTHS];
    for (int j = 0; j < l->opts->widths.count; j++) {
        lnt_layers net = lnt_linearizing_net(l, j, width);
        if (lnt_layers_size(&net) > INT_MAX)
            return lnt_fail(ctx, LNT_EUSAGE, "--widths %d: a network of %zu weights is too large",
                            l->opts->widths.item[j], lnt_layers_size(&net));
    }
    return LNT_OK;
}

/* How many threads fit into the memory; 0: none. */
static int threads_that_fit(lnt_linearizing *l)
{
    double n = l->n[LNT_TRAIN], most = l->opts->memory * 1024, threads = lnt_threads(l->opts->threads);
    l->megabytes = 8 * n * (MATRICES * n + l->n[LNT_TEST]) / 1048576;
    return (int)fmin(threads, floor(most / l->megabytes));
}

static lnt_status room_for(lnt_ctx *ctx, lnt_linearizing *l)
{
    int kept = l->opts->kernel_out || l->n[LNT_TRAIN] <= KEPT;
    l->keeps_kernel = kept;
    size_t runs = (size_t)l->opts->runs * (size_t)l->opts->widths.count, n = (size_t)l->n[LNT_TRAIN];
    if (!(l->run = lnt_alloc_zero(ctx, runs, sizeof *l->run)))
        return LNT_ENOMEM;
    for (size_t i = 0; i < runs; i++) {
        lnt_linearizing_run *r = &l->run[i];
        for (int c = 0; c < LNT_CURVES; c++)
            if (!(r->curve[c] = lnt_alloc_zero(ctx, (size_t)l->count, sizeof **r->curve)))
                return LNT_ENOMEM;
        if (i >= (size_t)l->opts->widths.count)
            continue;
        for (int s = 0; s < LNT_SIDES; s++)
            if (!(r->shown[s] = lnt_alloc_zero(ctx, LNT_SHOWN * (size_t)l->count, sizeof **r->shown)))
                return LNT_ENOMEM;
        if (!(r->lam = lnt_alloc(ctx, n, sizeof *r->lam)) || !(r->c = lnt_alloc(ctx, n, sizeof *r->c)))
            return LNT_ENOMEM;
        if (i + 1 == (size_t)l->opts->widths.count && kept &&
            lnt_mat_alloc(ctx, &r->Theta, l->n[LNT_TRAIN], l->n[LNT_TRAIN]) != LNT_OK)
            return LNT_ENOMEM;
    }
    return LNT_OK;
}

/* Runs that every width has finished, the first ones of them. */
static void count_runs(lnt_linearizing *l)
{
    bool whole = true;
    for (int r = 0; r < l->opts->runs && whole; r++) {
        for (int j = 0; j < l->opts->widths.count; j++)
            whole = whole && lnt_linearizing_at(l, r, j)->done;
        l->runs += whole;
    }
    l->interrupted = l->runs < l->opts->runs;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    lnt_linearizing_opts o = *(const lnt_linearizing_opts *)user;
    lnt_linearizing l = {.opts = &o};
    resolve(&o);
    lnt_status status = check_options(ctx, &o);
    if (status == LNT_OK)
        status = read_times(ctx, &l);
    if (status == LNT_OK)
        status = read_rows(ctx, &l);
    if (status == LNT_OK)
        status = check_sizes(ctx, &l);
    if (status == LNT_OK)
        status = make_grid(ctx, &l);
    if (status != LNT_OK)
        return status;
    int threads = threads_that_fit(&l);
    if (threads < 1)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "the kernel of %d outputs (%d rows x %d) takes %.1f GB with what is done to it, more than "
                        "--memory %g: use fewer rows (--rows), or more memory",
                        l.n[LNT_TRAIN], l.X[LNT_TRAIN].cols, l.outputs, l.megabytes / 1024, o.memory);
    if ((status = room_for(ctx, &l)) != LNT_OK)
        return status;
    lnt_progress_begin(ctx, "networks", (long)o.runs * o.widths.count);
    status = lnt_parallel(ctx, o.runs * o.widths.count, threads, lnt_linearizing_one, &l);
    if (status != LNT_OK)
        return status;
    count_runs(&l);
    if (!l.runs)
        return lnt_fail(ctx, LNT_EUSER, "interrupted before every width was trained once: there is nothing to keep");
    lnt_options_record(record, lnt_linearizing_options, &o);
    return lnt_linearizing_report(ctx, record, &l);
}

lnt_status lnt_linearizing_study(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing_opts *opts)
{
    return lnt_study_run(ctx, record, NULL, opts, study);
}
