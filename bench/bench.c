/* Times one job of the library, inside the process and without reading files: bench JOB THREADS, or
 * bench flow THREADS PROBLEM.bin RTOL ATOL, or bench learning|learning-iterated|lasso|match|match-linear|fit THREADS
 * PROBLEM.bin. Prints one line, "seconds accuracy peak-memory-in-MB operations"; the latter are those of the matrix
 * products where only the run itself knows them, else 0. */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* VmHWM and not getrusage: the latter begins with what the calling process had. */
static double peak_megabytes(void)
{
    char line[256];
    double kilobytes = NAN;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %lf", &kilobytes) == 1)
            break;
    if (status)
        fclose(status);
    return kilobytes / 1024;
}

/* ---- Digits ---- */

/* MNIST where it is, else random bytes of the same shape. */
static lnt_status make_data(lnt_ctx *ctx, lnt_dataset *data)
{
    lnt_source source = {.data = "mnist"};
    if (lnt_source_read(ctx, data, &source, true) == LNT_OK)
        return LNT_OK;
    lnt_ctx_clear(ctx);
    fprintf(stderr, "bench: MNIST is not there, random bytes instead\n");
    int n = 70000, dim = 784;
    uint8_t *pixels = lnt_alloc(ctx, (size_t)n * (size_t)dim, 1);
    int *label = lnt_alloc(ctx, (size_t)n, sizeof *label);
    lnt_rng rng = lnt_rng_stream(0, 0, LNT_FOR_TESTS);
    if (!pixels || !label)
        return LNT_ENOMEM;
    for (size_t i = 0; i < (size_t)n * (size_t)dim; i++)
        pixels[i] = (uint8_t)lnt_rng_below(&rng, 256);
    for (int i = 0; i < n; i++)
        label[i] = (int)lnt_rng_below(&rng, 10);
    *data = (lnt_dataset){.inputs = {.dim = dim, .n = n, .u8 = pixels}, .label = label, .classes = 10};
    return LNT_OK;
}

/* 70,000 x 784 bytes to 100 whitened components; accuracy: max |cov - I|. */
static lnt_status whiten(lnt_ctx *ctx, lnt_task *task, double *accuracy, double *seconds, int threads)
{
    lnt_dataset data;
    lnt_moments m;
    lnt_status status = make_data(ctx, &data);
    double start = now();
    if (status == LNT_OK)
        status = lnt_task_make(ctx, task, &data, LNT_PREP_WHITEN, 100, threads);
    *seconds = now() - start;
    if (status == LNT_OK)
        status = lnt_task_moments(ctx, &m, task, 0, task->n, threads);
    if (status == LNT_OK)
        *accuracy = lnt_whiteness(m.Sxx);
    return status;
}

typedef struct network {
    lnt_ctx *ctx;
    lnt_task *task;
    lnt_net net;
    lnt_net_work work;
    lnt_moments_work moments_work;
    lnt_moments moments, all; /* of the rows trained on, of all rows */
    double loss;
} network;

static int gradient(double *g, const double *w, const lnt_batch *batch, void *user)
{
    network *n = user;
    lnt_net_gradient(g, &n->work, &n->net, w, n->task, batch->rows, batch->first, batch->count);
    return 0;
}

static int moments_gradient(double *g, const double *w, const lnt_batch *batch, void *user)
{
    network *n = user;
    (void)batch;
    lnt_net_gradient_moments(g, &n->moments_work, &n->net, w, &n->moments);
    return 0;
}

/* The loss over all rows, from their moments. */
static int loss(const double *w, int epoch, void *user)
{
    network *n = user;
    double P[1000];
    lnt_mat map = lnt_mat_view(P, 10, 100);
    (void)epoch;
    if (lnt_net_product(n->ctx, map, &n->net, w) != LNT_OK)
        return -1;
    return lnt_linear_loss(n->ctx, &n->loss, map, &n->all) == LNT_OK ? 0 : -1;
}

/* sgd: 10 epochs of 700 minibatches of 100-10-10 in order, lr .01 of the loss "sum", the loss over all rows before and
 * after each epoch; the moments for it are computed within the time. covariance: 1,000 full-batch steps from the
 * moments of `rows` rows, computed before. Accuracy: the final loss over all rows. */
static lnt_status descend(lnt_ctx *ctx, double *accuracy, double *seconds, int threads, int rows)
{
    static const int widths[] = {100, 10, 10};
    lnt_task task;
    network n = {.ctx = ctx, .task = &task, .net = {.depth = 2, .width = widths}};
    lnt_init init = {.kind = LNT_INIT_ORTHOGONAL};
    lnt_rng rng = lnt_rng_stream(0, 0, LNT_FOR_WEIGHTS);
    lnt_descent_info info;
    double w[1100];
    lnt_status status = whiten(ctx, &task, accuracy, seconds, threads);
    if (status == LNT_OK && rows)
        status = lnt_task_moments(ctx, &n.moments, &task, 0, rows, threads);
    if (status == LNT_OK)
        status = lnt_net_work_alloc(ctx, &n.work, &n.net, 100);
    if (status == LNT_OK)
        status = lnt_moments_work_alloc(ctx, &n.moments_work, &n.net);
    if (status == LNT_OK)
        status = lnt_net_init(ctx, w, &n.net, &init, NULL, &rng);
    lnt_objective objective = {1100, task.n, rows ? moments_gradient : gradient, rows ? NULL : loss, &n};
    lnt_descent opts = {.eta = 0.02, .batch = rows ? 0 : 100, .epochs = rows ? 1000 : 10};
    if (status == LNT_OK && rows)
        status = lnt_task_moments(ctx, &n.all, &task, 0, task.n, threads);
    double start = now();
    if (status == LNT_OK && !rows)
        status = lnt_task_moments(ctx, &n.all, &task, 0, task.n, threads);
    if (status == LNT_OK)
        status = lnt_descend(ctx, w, &info, &objective, &opts, NULL);
    *seconds = now() - start;
    if (status == LNT_OK && rows)
        loss(w, 0, &n);
    *accuracy = 2 * n.loss;
    return status;
}

/* ---- Gradient flows ---- */

/* The trajectory of a problem file (bench/flows.py), the fastest of three; accuracy: the largest error of W2 W1 over
 * all times. Operations: three products a slope, without the linear systems of stiff problems. */
static lnt_status flow(lnt_ctx *ctx, double *p, const lnt_flow_opts *opts, double *accuracy, double *seconds,
                       double *operations)
{
    int width[] = {(int)p[0], (int)p[1], (int)p[2]}, count = (int)p[3];
    lnt_net net = {.depth = 2, .width = width};
    lnt_moments m = {.n = 1, .Sxx = lnt_mat_view(p + 4, width[0], width[0])};
    m.Syx = lnt_mat_view(m.Sxx.a + width[0] * width[0], width[2], width[0]);
    double *w0 = m.Syx.a + width[2] * width[0], *times = w0 + lnt_net_size(&net), *product = times + count;
    lnt_flow_info info = {0};
    lnt_mat Y, W;
    lnt_status status = lnt_mat_alloc(ctx, &Y, (int)lnt_net_size(&net), count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &W, width[2], width[0]);
    *seconds = INFINITY;
    for (int i = 0; i < 3 && status == LNT_OK; i++) {
        double start = now();
        status = lnt_net_flow(ctx, Y, &info, NULL, &net, w0, &m, times, count, opts);
        *seconds = fmin(*seconds, now() - start);
    }
    for (int k = 0; k < count && status == LNT_OK; k++) {
        status = lnt_net_product(ctx, W, &net, lnt_at(Y, 0, k));
        lnt_mat_add(W, -1, lnt_mat_view(product + (size_t)k * (size_t)(width[2] * width[0]), width[2], width[0]));
        *accuracy = fmax(*accuracy, lnt_mat_max(W));
    }
    *operations = 6.0 * width[0] * width[1] * width[2] * (double)info.evaluations;
    return status;
}

static lnt_status flow_file(lnt_ctx *ctx, char **argument, double *accuracy, double *seconds, double *operations)
{
    lnt_flow_opts opts;
    lnt_bytes bytes = {0};
    lnt_flow_defaults(&opts);
    opts.rtol = atof(argument[1]);
    opts.atol = atof(argument[2]);
    lnt_status status = lnt_file_read(ctx, &bytes, argument[0]);
    if (status == LNT_OK)
        status = flow(ctx, (double *)(void *)bytes.p, &opts, accuracy, seconds, operations);
    lnt_heap_free(bytes.p);
    return status;
}

/* ---- Paths of the lasso ---- */

/* 100 penalties down to a hundredth of the largest, of a problem file (bench/paths.py); accuracy: the largest gap over
 * the null objective. Operations: one product of all features with a residual for each penalty. */
static lnt_status lasso(lnt_ctx *ctx, double *p, double *accuracy, double *seconds, double *operations)
{
    int n = (int)p[0], features = (int)p[1];
    lnt_design X = lnt_design_dense(lnt_mat_view(p + 2 + n, n, features));
    lnt_path_opts opts;
    lnt_path path;
    lnt_path_defaults(&opts);
    opts.intercept = opts.standardize = false;
    opts.min_ratio = 1e-2;
    opts.tolerance = 1e-6;
    double start = now();
    lnt_status status = lnt_path_fit(ctx, &path, &X, p + 2, &opts);
    *seconds = now() - start;
    for (int k = 0; k < path.count && status == LNT_OK; k++)
        *accuracy = fmax(*accuracy, path.at[k].gap / path.null_loss);
    *operations = 2.0 * n * features * opts.count;
    return status;
}

static lnt_status lasso_file(lnt_ctx *ctx, const char *name, double *accuracy, double *seconds, double *operations)
{
    lnt_bytes bytes = {0};
    lnt_status status = lnt_file_read(ctx, &bytes, name);
    if (status == LNT_OK)
        status = lasso(ctx, (double *)(void *)bytes.p, accuracy, seconds, operations);
    lnt_heap_free(bytes.p);
    return status;
}

/* ---- Many starts ---- */

/* The exercise from 1,000 starts, 150 steps each, from the task to the record; accuracy: the mean strength of the third
 * mode at the end. */
static lnt_status ensemble(lnt_ctx *ctx, double *accuracy, double *seconds, int threads)
{
    lnt_record *record = lnt_record_new("modes");
    lnt_value value = {0};
    lnt_modes_opts o;
    lnt_modes_defaults(&o);
    o.task.builtin = "exercise";
    o.hidden = 16;
    o.init = "gaussian:0.01";
    o.lr = 0.4;
    o.dt = 0.1;
    o.time = 15;
    o.seeds = 1000;
    o.method = "descent";
    o.threads = threads;
    double start = now();
    lnt_status status = record ? lnt_modes_study(ctx, record, &o) : LNT_ENOMEM;
    *seconds = now() - start;
    if (status == LNT_OK && lnt_record_cell(record, "modes", 2, "final_descent", &value))
        *accuracy = value.number;
    lnt_record_free(record);
    return status;
}

/* ---- Learning curves ---- */

typedef struct learning {
    int D, n, epochs, sets;
    bool shortcut;
    double *X, *T, *S0, *curves; /* of the file */
} learning;

/* Curves of plain descent, ridge and lasso on X, each tuned to its data set. */
static lnt_status learn(lnt_ctx *ctx, const learning *l, lnt_mat X, lnt_mat gen)
{
    lnt_quadratic q;
    double *y = lnt_alloc(ctx, (size_t)l->n, sizeof *y);
    if (!y)
        return LNT_ENOMEM;
    lnt_gemm(lnt_mat_view(y, l->n, 1), 1, LNT_T, X, LNT_N, lnt_mat_view(l->T, l->D, 1), 0);
    const lnt_least_squares_task task = {.X = X, .y = y, .teacher = l->T, .start = l->S0};
    lnt_status status = lnt_quadratic_make(ctx, &q, &task);
    if (status != LNT_OK)
        return status;
    double ridge = lnt_equal_rate_ridge(q.low, q.high);
    const lnt_learner learner[] = {{.rule = lnt_tune(q.low, q.high, true, 0, false).rule},
                                   {.rule = lnt_tune(q.low, q.high, true, ridge, false).rule},
                                   {.rule = {.eta = 0.4}, .l1 = 5e-3}};
    int smooth = l->shortcut ? 2 : 0;
    status = lnt_learners_spectral(ctx, lnt_columns(gen, 0, smooth), (lnt_mat){0}, (lnt_mat){0}, &q, learner, smooth,
                                   l->epochs, NULL);
    if (status != LNT_OK)
        return status;
    return lnt_learners_iterate(ctx, lnt_columns(gen, smooth, 3 - smooth), (lnt_mat){0}, (lnt_mat){0}, &q,
                                learner + smooth, 3 - smooth, l->epochs, NULL);
}

static lnt_status learn_one(lnt_ctx *ctx, int index, void *user)
{
    const learning *l = user;
    lnt_rng rng = lnt_rng_stream(0, (uint32_t)index, LNT_FOR_TASK);
    lnt_mat X, gen;
    lnt_status status = lnt_mat_alloc(ctx, &X, l->D, l->n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &gen, l->epochs + 1, 3);
    if (status != LNT_OK)
        return status;
    lnt_rng_normals(&rng, X.a, (size_t)l->D * (size_t)l->n);
    return learn(ctx, l, X, gen);
}

/* Data sets of a problem file (bench/learning.py), drawn here; accuracy: on those in the file, against its curves. */
static lnt_status learning_file(lnt_ctx *ctx, const char *path, bool shortcut, double *accuracy, double *seconds,
                                int threads)
{
    lnt_bytes bytes = {0};
    lnt_mat gen;
    lnt_status status = lnt_file_read(ctx, &bytes, path);
    if (status != LNT_OK)
        return status;
    double *p = (double *)(void *)bytes.p;
    learning l = {(int)p[0], (int)p[1], (int)p[2], (int)p[3], .shortcut = shortcut, .X = p + 4};
    l.T = l.X + (size_t)l.D * (size_t)l.n;
    l.S0 = l.T + l.D;
    l.curves = l.S0 + l.D;
    double start = now();
    status = lnt_parallel(ctx, l.sets, threads, learn_one, &l);
    *seconds = now() - start;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &gen, l.epochs + 1, 3);
    if (status == LNT_OK)
        status = learn(ctx, &l, lnt_mat_view(l.X, l.D, l.n), gen);
    for (int i = 0; i < 3 * (l.epochs + 1) && status == LNT_OK; i++)
        *accuracy = fmax(*accuracy, fabs(gen.a[i] / l.curves[i] - 1));
    lnt_heap_free(bytes.p);
    return status;
}

/* ---- Covariance matching ---- */

/* The lambda of the best mean R^2 of held-out blocks, then the fit to all stimuli (bench/matching.py); accuracy: its
 * loss, of the full problem. No folds: one fit. */
static lnt_status match(lnt_ctx *ctx, double *loss, double *seconds, lnt_mat X, lnt_mat S, const double *p, int folds,
                        int count, bool full, int threads)
{
    lnt_match m;
    lnt_match_fit fit;
    lnt_match_cv cv;
    lnt_match_cv_opts opts;
    lnt_mat W;
    int best = 0, *fold = lnt_alloc(ctx, (size_t)X.cols, sizeof *fold);
    double most = -INFINITY, start = now();
    const double *lambda = p + X.cols;
    lnt_status status = fold ? LNT_OK : LNT_ENOMEM;
    lnt_match_cv_defaults(&opts);
    opts.full = full;
    opts.kept_blocks = false;
    opts.threads = threads;
    for (int j = 0; j < X.cols && fold; j++)
        fold[j] = (int)p[j];
    if (status == LNT_OK && folds > 0)
        status = lnt_match_cross_validate(ctx, &cv, X, S, fold, folds, lambda, count, &opts);
    for (int l = 0; l < count && folds > 0 && status == LNT_OK; l++) {
        double mean = 0;
        for (int f = 0; f < folds; f++)
            mean += *lnt_at(cv.r2, f, l) / folds;
        best = mean > most ? l : best;
        most = fmax(most, mean);
    }
    if (status == LNT_OK)
        status = lnt_match_make(ctx, &m, X, S, NULL);
    if (status == LNT_OK && full)
        status = lnt_match_full(ctx, &fit, &m, lambda[best], NULL);
    if (status == LNT_OK && !full) { /* the weights alone, as the peer has them */
        fit = (lnt_match_fit){0};
        status = lnt_mat_alloc(ctx, &fit.D, m.rank, m.rank);
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &W, X.rows, X.rows);
        if (status == LNT_OK)
            status = lnt_match_linear_core(ctx, fit.D, &m, lambda[best]);
        if (status == LNT_OK)
            status = lnt_match_weights(ctx, W, &m, &fit);
    }
    *seconds = now() - start;
    if (status == LNT_OK && !full)
        status = lnt_match_linear(ctx, &fit, &m, lambda[best]);
    *loss = status == LNT_OK ? fit.loss : NAN;
    return status;
}

static lnt_status match_file(lnt_ctx *ctx, const char *path, bool full, double *accuracy, double *seconds, int threads)
{
    lnt_bytes bytes = {0};
    lnt_status status = lnt_file_read(ctx, &bytes, path);
    if (status != LNT_OK)
        return status;
    double *p = (double *)(void *)bytes.p;
    int N = (int)p[0], M = (int)p[1];
    lnt_mat X = lnt_mat_view(p + 4, N, M), S = lnt_mat_view(X.a + (size_t)N * (size_t)M, M, M);
    status = match(ctx, accuracy, seconds, X, S, S.a + (size_t)M * (size_t)M, (int)p[2], (int)p[3], full, threads);
    lnt_heap_free(bytes.p);
    return status;
}

/* ---- Posteriors ---- */

static lnt_status posterior_file(lnt_ctx *ctx, const char *job, const char *path, double *accuracy, double *seconds,
                                 int threads)
{
    lnt_bytes bytes = {0};
    lnt_status status = lnt_file_read(ctx, &bytes, path);
    if (status != LNT_OK)
        return status;
    double *p = (double *)(void *)bytes.p;
    status = strcmp(job, "ess") == 0
                 ? bench_ess(ctx, p, seconds, accuracy)
                 : bench_posterior(ctx, p, strstr(job, "gradient") != NULL, accuracy, seconds, threads);
    lnt_heap_free(bytes.p);
    return status;
}

int main(int argc, char **argv)
{
    lnt_ctx *ctx = lnt_ctx_new();
    const char *job = argc > 1 ? argv[1] : "";
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    double seconds = 0, accuracy = 0, operations = 0;
    lnt_task task;
    lnt_status status = LNT_EUSAGE;
    if (!ctx)
        return 1;
    lnt_blas_pin();
    if (strcmp(job, "whiten") == 0)
        status = whiten(ctx, &task, &accuracy, &seconds, threads);
    else if (strcmp(job, "sgd") == 0)
        status = descend(ctx, &accuracy, &seconds, threads, 0);
    else if (strcmp(job, "covariance-7000") == 0)
        status = descend(ctx, &accuracy, &seconds, threads, 7000);
    else if (strcmp(job, "covariance-70000") == 0)
        status = descend(ctx, &accuracy, &seconds, threads, 70000);
    else if (strcmp(job, "ensemble") == 0)
        status = ensemble(ctx, &accuracy, &seconds, threads);
    else if (strcmp(job, "flow") == 0 && argc == 6)
        status = flow_file(ctx, argv + 3, &accuracy, &seconds, &operations);
    else if (strncmp(job, "learning", 8) == 0 && argc == 4)
        status = learning_file(ctx, argv[3], strcmp(job, "learning") == 0, &accuracy, &seconds, threads);
    else if (strncmp(job, "match", 5) == 0 && argc == 4)
        status = match_file(ctx, argv[3], !strstr(job, "linear"), &accuracy, &seconds, threads);
    else if (strncmp(job, "ntk", 3) == 0)
        status = ntk(ctx, &accuracy, &seconds, strstr(job, "explicit") != NULL, threads);
    else if (strncmp(job, "fit", 3) == 0 && argc == 4)
        status = fit_file(ctx, argv[3], &accuracy, &seconds, &operations, threads);
    else if (strcmp(job, "lasso") == 0 && argc == 4)
        status = lasso_file(ctx, argv[3], &accuracy, &seconds, &operations);
    else if ((strncmp(job, "posterior", 9) == 0 || strcmp(job, "ess") == 0) && argc == 4)
        status = posterior_file(ctx, job, argv[3], &accuracy, &seconds, threads);
    else
        fprintf(stderr,
                "usage: bench whiten|sgd|covariance-7000|covariance-70000|ensemble|ntk|ntk-explicit THREADS\n"
                "       bench flow THREADS PROBLEM.bin RTOL ATOL\n"
                "       bench learning|learning-iterated|lasso|match|match-linear|fit|posterior|posterior-gradient|ess "
                "THREADS PROBLEM.bin\n");
    lnt_blas_unpin();
    if (status == LNT_OK)
        printf("%.9f %.9g %.0f %.9g\n", seconds, accuracy, peak_megabytes(), operations);
    else
        fprintf(stderr, "bench: %s\n", lnt_ctx_message(ctx));
    lnt_ctx_free(ctx);
    return status == LNT_OK ? 0 : 1;
}
