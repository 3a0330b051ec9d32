/* A network and the rows that it is fitted to: what fit and sample begin with. */
#include "fitting.h"
#include "setup.h"
#include "weights.h"

#include <math.h>
#include <string.h>

#define WIDTH 10 /* of the hidden layer where nothing is said */

const char *const lnt_network_likelihoods[] = {"auto", "gaussian", "bernoulli", "categorical", NULL};

void lnt_network_defaults(lnt_network_opts *opts)
{
    *opts = (lnt_network_opts){.activation = LNT_TANH, .bias = LNT_AUTO, .alpha = NAN};
}

/* ---- The network ---- */

static lnt_status set_widths(lnt_ctx *ctx, lnt_network_data *d, const lnt_int_list *hidden)
{
    int layers = hidden->count ? hidden->count : 1, first = hidden->count ? hidden->item[0] : WIDTH;
    bool linear = layers == 1 && first == 0;
    int *width = lnt_alloc(ctx, (size_t)layers + 2, sizeof *width), depth = linear ? 1 : layers + 1;
    if (!width)
        return LNT_ENOMEM;
    width[0] = d->X.rows;
    for (int l = 1; l < depth; l++)
        if ((width[l] = hidden->count ? hidden->item[l - 1] : WIDTH) < 1)
            return lnt_fail(ctx, LNT_EUSAGE, "--hidden: 0 stands alone, for no hidden layer");
    width[depth] = d->Y.rows;
    bool inverse = linear && d->likelihood.kind == LNT_GAUSSIAN;
    d->layers = (lnt_layers){.net = {.depth = depth, .width = width, .activation = (lnt_activation)d->opts->activation},
                             .biases = d->opts->bias == LNT_AUTO ? !inverse : d->opts->bias};
    return LNT_OK;
}

/* Weight after weight the group of the prior it belongs to: layer by layer, weights before biases. */
static lnt_status set_groups(lnt_ctx *ctx, lnt_network_data *d)
{
    const lnt_net *net = &d->layers.net;
    bool split = d->opts->per_layer;
    size_t k = lnt_layers_size(&d->layers), at = 0;
    d->group = lnt_alloc(ctx, k, sizeof *d->group);
    d->groups = 0;
    if (!d->group)
        return LNT_ENOMEM;
    for (int l = 1; l <= net->depth; l++) {
        size_t weights = (size_t)net->width[l] * (size_t)net->width[l - 1];
        for (size_t j = 0; j < weights; j++)
            d->group[at++] = split ? d->groups : 0;
        d->groups += split;
        for (int j = 0; j < net->width[l] && d->layers.biases; j++)
            d->group[at++] = split ? d->groups : 0;
        d->groups += split && d->layers.biases;
    }
    d->groups = split ? d->groups : 1;
    if (!(d->alpha = lnt_alloc(ctx, (size_t)d->groups, sizeof *d->alpha)))
        return LNT_ENOMEM;
    for (int g = 0; g < d->groups; g++)
        d->alpha[g] = d->opts->alpha;
    return LNT_OK;
}

lnt_status lnt_network_build(lnt_ctx *ctx, lnt_network_data *data, const lnt_int_list *hidden)
{
    lnt_status status = set_widths(ctx, data, hidden);
    if (status == LNT_OK)
        status = lnt_layers_model(ctx, &data->model, &data->layers, data->X);
    if (status == LNT_OK && data->test.n)
        status = lnt_layers_model(ctx, &data->test_model, &data->layers, data->test_X);
    return status == LNT_OK ? set_groups(ctx, data) : status;
}

/* ---- Targets ---- */

static lnt_status check_shares(lnt_ctx *ctx, lnt_mat Y, bool categorical, const char *name)
{
    for (int j = 0; j < Y.cols; j++) {
        double sum = 0;
        for (int i = 0; i < Y.rows; i++) {
            double y = *lnt_at(Y, i, j);
            sum += y;
            if (!(y >= 0 && y <= 1))
                return lnt_fail(ctx, LNT_EDOMAIN,
                                "--likelihood %s: target %g of row %d%s is not between 0 and 1 (--one-hot for a column "
                                "of classes)",
                                categorical ? "categorical" : "bernoulli", y, j + 1, name);
        }
        if (categorical && fabs(sum - 1) > 1e-9)
            return lnt_fail(ctx, LNT_EDOMAIN, "--likelihood categorical: the shares of row %d%s sum to %g, not to 1",
                            j + 1, name, sum);
    }
    return LNT_OK;
}

static lnt_status choose_likelihood(lnt_ctx *ctx, lnt_network_data *d)
{
    int asked = d->opts->likelihood, classes = d->classes;
    lnt_likelihood_kind kind = asked          ? (lnt_likelihood_kind)(asked - 1)
                               : classes > 2  ? LNT_CATEGORICAL
                               : classes == 2 ? LNT_BERNOULLI
                                              : LNT_GAUSSIAN;
    if (kind == LNT_BERNOULLI && classes > 2)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--likelihood bernoulli is for two classes, there are %d: use categorical, or --classes A,B",
                        classes);
    if (kind == LNT_CATEGORICAL && d->Y.rows < 2)
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--likelihood categorical needs a column for each class, there is one: --one-hot for a column "
                        "of classes 0, 1, ..., bernoulli for shares");
    if (kind == LNT_BERNOULLI && classes == 2) {
        d->Y = lnt_second_class(d->Y);
        d->test_Y = d->test.n ? lnt_second_class(d->test_Y) : d->test_Y;
    }
    if (kind != LNT_GAUSSIAN && (d->opts->noise_sd || d->opts->noise_cov))
        return lnt_fail(ctx, LNT_EUSAGE, "--noise-sd and --noise-cov go with --likelihood gaussian; classes have none");
    d->likelihood =
        (lnt_likelihood){.kind = kind, .n = (size_t)d->Y.rows * (size_t)d->Y.cols, .classes = d->Y.rows, .beta = 1};
    d->likelihood.d = d->Y.a;
    lnt_status status = kind == LNT_GAUSSIAN ? LNT_OK : check_shares(ctx, d->Y, kind == LNT_CATEGORICAL, "");
    if (status == LNT_OK && kind != LNT_GAUSSIAN && d->test.n)
        status = check_shares(ctx, d->test_Y, kind == LNT_CATEGORICAL, " held out");
    return status;
}

/* ---- Noise ---- */

/* The rows of the file that are fitted, then those that are held out: the same permutation as that of the rows. */
static lnt_status row_order(lnt_ctx *ctx, const double **order, const lnt_network_data *d, uint64_t seed)
{
    bool split = d->opts->task.split > 0;
    int n = d->task.n, all = n + (split ? d->test.n : 0);
    double *index = lnt_alloc(ctx, (size_t)all, sizeof *index);
    lnt_dataset used = {.inputs = {.dim = 1, .n = all, .f64 = index}}, held = {0};
    lnt_rng rng = lnt_rng_stream(seed, 0, LNT_FOR_SPLIT);
    if (!index)
        return LNT_ENOMEM;
    for (int i = 0; i < all; i++)
        index[i] = i;
    lnt_status status = split ? lnt_dataset_split(ctx, &used, &held, d->opts->task.split, &rng) : LNT_OK;
    if (status == LNT_OK && split) {
        memcpy(index, used.inputs.f64, (size_t)n * sizeof *index);
        memcpy(index + n, held.inputs.f64, (size_t)d->test.n * sizeof *index);
    }
    *order = index;
    return status;
}

static lnt_status check_deviations(lnt_ctx *ctx, const double *sd, size_t n, const char *option, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (!(sd[i] > 0) || !isfinite(sd[i]))
            return lnt_fail(ctx, LNT_EDOMAIN, "%s %.80s: %g is not a standard deviation above 0", option, text, sd[i]);
    return LNT_OK;
}

static lnt_status sd_of_file(lnt_ctx *ctx, lnt_network_data *d, const double *order, bool split)
{
    int q = d->Y.rows, n = d->task.n, all = n + (split ? d->test.n : 0);
    lnt_mat A;
    lnt_status status = lnt_matrix_read(ctx, &A, d->opts->noise_sd);
    if (status != LNT_OK)
        return status;
    bool each = A.rows == all && A.cols == q, row = A.rows * A.cols == all && (A.rows == 1 || A.cols == 1),
         output = A.rows * A.cols == q && !row;
    if (!each && !row && !output)
        return lnt_fail(
            ctx, LNT_ESHAPE,
            "%s is %d x %d: one standard deviation for each of %d rows, each of %d targets of a row, or both "
            "is needed",
            d->opts->noise_sd, A.rows, A.cols, all, q);
    for (int i = 0; i < (d->test_sd ? all : n); i++)
        for (int o = 0; o < q; o++) {
            int from = (int)order[i];
            double sd = each ? *lnt_at(A, from, o) : A.a[row ? from : o];
            *(i < n ? d->sd + (size_t)i * (size_t)q + o : d->test_sd + (size_t)(i - n) * (size_t)q + o) = sd;
        }
    return LNT_OK;
}

static lnt_status read_sd(lnt_ctx *ctx, lnt_network_data *d, const double *order)
{
    const char *text = d->opts->noise_sd;
    double number;
    bool same = lnt_number_read(text, strlen(text), &number), split = d->opts->task.split > 0;
    size_t q = (size_t)d->Y.rows, n = d->likelihood.n, tests = (size_t)d->test.n * q;
    if (!(d->sd = lnt_alloc(ctx, n, sizeof *d->sd)) || !(d->isd = lnt_alloc(ctx, n, sizeof *d->isd)))
        return LNT_ENOMEM;
    if (tests && (same || split) && !(d->test_sd = lnt_alloc(ctx, tests, sizeof *d->test_sd)))
        return LNT_ENOMEM;
    for (size_t i = 0; i < n && same; i++)
        d->sd[i] = number;
    for (size_t i = 0; i < tests && same; i++)
        d->test_sd[i] = number;
    lnt_status status = same ? LNT_OK : sd_of_file(ctx, d, order, split);
    if (status == LNT_OK)
        status = check_deviations(ctx, d->sd, n, "--noise-sd", text);
    if (status == LNT_OK && d->test_sd)
        status = check_deviations(ctx, d->test_sd, tests, "--noise-sd", text);
    for (size_t i = 0; i < n && status == LNT_OK; i++)
        d->isd[i] = 1 / d->sd[i];
    d->likelihood.sqrtw = d->isd;
    return status;
}

static lnt_status read_covariance(lnt_ctx *ctx, lnt_network_data *d, const double *order)
{
    int q = d->Y.rows, n = d->task.n, tests = d->opts->task.split > 0 ? d->test.n : 0, all = (n + tests) * q;
    lnt_mat A;
    lnt_status status = lnt_matrix_read(ctx, &A, d->opts->noise_cov);
    if (status == LNT_OK && (A.rows != all || A.cols != all))
        return lnt_fail(ctx, LNT_ESHAPE, "%s is %d x %d: the covariance of the noise of %d data is needed",
                        d->opts->noise_cov, A.rows, A.cols, all);
    for (int j = 0; j < all && status == LNT_OK; j++)
        for (int i = 0; i < j; i++)
            if (fabs(*lnt_at(A, i, j) - *lnt_at(A, j, i)) > 1e-8 * sqrt(fabs(*lnt_at(A, i, i) * *lnt_at(A, j, j))))
                return lnt_fail(ctx, LNT_EDOMAIN, "%s is not symmetric at row %d, column %d", d->opts->noise_cov, i + 1,
                                j + 1);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &d->C, n * q, n * q);
    if (status == LNT_OK && tests && !(d->test_sd = lnt_alloc(ctx, (size_t)tests * (size_t)q, sizeof *d->test_sd)))
        return LNT_ENOMEM;
    for (int j = 0; j < n * q && status == LNT_OK; j++)
        for (int i = 0; i < n * q; i++)
            *lnt_at(d->C, i, j) = *lnt_at(A, (int)order[i / q] * q + i % q, (int)order[j / q] * q + j % q);
    for (int i = 0; i < tests * q && status == LNT_OK; i++) {
        int at = (int)order[n + i / q] * q + i % q;
        d->test_sd[i] = sqrt(*lnt_at(A, at, at));
    }
    if (status == LNT_OK && tests)
        status = check_deviations(ctx, d->test_sd, (size_t)tests * (size_t)q, "--noise-cov", d->opts->noise_cov);
    return status;
}

static lnt_status read_noise(lnt_ctx *ctx, lnt_network_data *d, uint64_t seed)
{
    const double *order;
    if (d->opts->noise_sd && d->opts->noise_cov)
        return lnt_fail(ctx, LNT_EUSAGE, "--noise-sd and --noise-cov exclude each other");
    if (!d->opts->noise_sd && !d->opts->noise_cov)
        return LNT_OK;
    lnt_status status = row_order(ctx, &order, d, seed);
    if (status == LNT_OK)
        status = d->opts->noise_sd ? read_sd(ctx, d, order) : read_covariance(ctx, d, order);
    return status;
}

/* ---- What there is to say ---- */

/* Root mean square deviation of the entries from the means of their rows; 0 for what is rounding. */
static double spread(lnt_mat X)
{
    double sum = 0, most = lnt_mat_max(X);
    for (int i = 0; i < X.rows; i++) {
        double mean = 0;
        for (int j = 0; j < X.cols; j++)
            mean += *lnt_at(X, i, j) / X.cols;
        for (int j = 0; j < X.cols; j++)
            sum += pow(*lnt_at(X, i, j) - mean, 2) / X.cols / X.rows;
    }
    return sqrt(sum) > 1e-13 * most ? sqrt(sum) : 0;
}

bool lnt_zero_one(lnt_mat Y)
{
    for (int j = 0; j < Y.cols; j++)
        for (int i = 0; i < Y.rows; i++)
            if (*lnt_at(Y, i, j) != 0 && *lnt_at(Y, i, j) != 1)
                return false;
    return true;
}

static void warn(lnt_record *record, const lnt_network_data *d)
{
    double sd = spread(d->X), scale = lnt_mat_rms(d->X), target = spread(d->Y);
    bool gaussian = d->likelihood.kind == LNT_GAUSSIAN;
    if (d->layers.net.depth > 1 && sd > 0 && (scale > 30 || sd < 0.03))
        lnt_record_warn(record,
                        "the inputs are far from unit scale (root mean square %.3g, standard deviation %.3g): weights "
                        "have a hard way to go, and one prior does not suit all; try --whiten %d",
                        scale, sd, d->X.rows);
    if (gaussian && target > 0 && d->layers.net.depth > 1 && (target > 100 || target < 0.01))
        lnt_record_warn(record,
                        "the targets are far from unit scale (standard deviation %.3g): one prior does not suit all "
                        "weights; divide them, or --per-layer",
                        target);
    if (gaussian && target == 0 && d->task.n > 1)
        lnt_record_warn(record, "the targets are constant: there is nothing that inputs could explain");
    if (gaussian && !d->opts->likelihood && d->Y.rows == 1 && target > 0 && lnt_zero_one(d->Y))
        lnt_record_warn(record, "all targets are 0 or 1 and are fitted by least squares: --likelihood "
                                "bernoulli fits their probability");
}

static void put_facts(lnt_record *record, const lnt_network_data *d)
{
    const lnt_net *net = &d->layers.net;
    lnt_record_fact(record, "network", "layers", "", lnt_integers(net->width, net->depth + 1));
    lnt_record_fact(record, "network", "activation", "", lnt_string(lnt_activation_names[net->activation]));
    lnt_record_fact(record, "network", "biases", "", lnt_flag(d->layers.biases));
    lnt_record_fact(record, "network", "weights", "", lnt_integer((long)lnt_layers_size(&d->layers)));
    lnt_record_fact(record, "network", "data", "", lnt_integer((long)d->likelihood.n));
    lnt_record_fact(record, "network", "likelihood", "", lnt_string(lnt_network_likelihoods[d->likelihood.kind + 1]));
    if (d->opts->classes.count)
        lnt_record_fact(record, "network", "of_classes", "",
                        lnt_integers(d->opts->classes.item, d->opts->classes.count));
}

/* ---- All ---- */

static lnt_status get_rows(lnt_ctx *ctx, lnt_mat *X, lnt_mat *Y, const lnt_task *task)
{
    lnt_status status = lnt_mat_alloc(ctx, X, task->prep.outputs, task->n);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, Y, task->outputs, task->n);
    if (status == LNT_OK)
        lnt_task_get(*X, *Y, task, NULL, 0, task->n);
    return status;
}

lnt_status lnt_network_read(lnt_ctx *ctx, lnt_record *record, lnt_network_data *data, const lnt_network_opts *opts,
                            uint64_t seed, int threads)
{
    lnt_setup setup;
    lnt_task_opts task = opts->task;
    task.classes = opts->classes.count ? &opts->classes : NULL;
    *data = (lnt_network_data){.opts = opts};
    if (opts->classes.count == 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--classes: at least two are needed");
    lnt_status status = lnt_setup_rows(ctx, &setup, &task, seed, threads);
    if (status != LNT_OK)
        return status;
    data->task = setup.task;
    data->test = setup.test;
    data->classes = setup.task.data.classes;
    status = get_rows(ctx, &data->X, &data->Y, &data->task);
    if (status == LNT_OK && data->test.n)
        status = get_rows(ctx, &data->test_X, &data->test_Y, &data->test);
    if (status == LNT_OK)
        status = choose_likelihood(ctx, data);
    if (status == LNT_OK)
        status = read_noise(ctx, data, seed);
    if (status == LNT_OK)
        status = lnt_network_build(ctx, data, &opts->hidden);
    if (status != LNT_OK)
        return status;
    lnt_setup_report(record, &setup, &task);
    return LNT_OK;
}

lnt_status lnt_network_put(lnt_ctx *ctx, lnt_record *record, const lnt_layers *layers, const double *w)
{
    for (int l = 1; l <= layers->net.depth; l++) {
        lnt_mat W = lnt_layers_weights(layers, w, l);
        const char *weights = lnt_sprintf(ctx, "weights/%d", l), *biases = lnt_sprintf(ctx, "biases/%d", l);
        if (!weights || !biases)
            return LNT_ENOMEM;
        lnt_record_matrix(record, weights, "", &W, 1);
        if (layers->biases)
            lnt_record_vector(record, biases, "", lnt_layers_biases(layers, w, l), W.rows);
    }
    return LNT_OK;
}

void lnt_network_describe(lnt_record *record, const lnt_network_data *data)
{
    put_facts(record, data);
    warn(record, data);
}
