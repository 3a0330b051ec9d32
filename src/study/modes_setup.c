#include "modes.h"

#include "linnet/linalg.h"
#include "linnet/text.h"

#include <math.h>
#include <string.h>

#define DEFAULT_TIMES 101
#define MOST_TIMES 100000
#define MOST_STEPS 1e8
/* Up to this size the modes are completed to orthogonal matrices, for the connectivity modes of all inputs. */
#define MOST_FULL 1000
/* A start whose strengths stay below this share of the first mode's target counts as small. */
#define SMALL 0.02

void lnt_modes_defaults(lnt_modes_opts *opts)
{
    *opts = (lnt_modes_opts){.lr = 1, .seeds = 1};
}

/* ---- The network ---- */

static lnt_status check_widths(lnt_ctx *ctx, const lnt_modes_run *m, const lnt_int_list *layers)
{
    int inputs = m->setup.task.inputs, outputs = m->setup.task.outputs, last = layers->count - 1;
    if (last < 1 || layers->item[0] != inputs || layers->item[last] != outputs)
        return lnt_fail(ctx, LNT_ESHAPE, "the task has %d inputs and %d outputs: use --hidden N, or --layers %d,...,%d",
                        inputs, outputs, inputs, outputs);
    return LNT_OK;
}

/* W_1 and W_2 from files of their own. */
static lnt_status read_pair(lnt_ctx *ctx, lnt_modes_run *m, lnt_modes_opts *o)
{
    lnt_mat W1, W2;
    lnt_status status = lnt_matrix_read(ctx, &W1, o->w1);
    if (status == LNT_OK)
        status = lnt_matrix_read(ctx, &W2, o->w2);
    if (status != LNT_OK)
        return status;
    if (W2.cols != W1.rows)
        return lnt_fail(ctx, LNT_ESHAPE, "%s is %d x %d, %s %d x %d: W2 W1 needs as many columns as rows", o->w2,
                        W2.rows, W2.cols, o->w1, W1.rows, W1.cols);
    int *width = lnt_alloc(ctx, 3, sizeof *width);
    m->given = (lnt_saved_net){.runs = 1, .w = lnt_alloc(ctx, 1, sizeof *m->given.w)};
    if (!width || !m->given.w)
        return LNT_ENOMEM;
    width[0] = W1.cols, width[1] = W1.rows, width[2] = W2.rows;
    m->given.net = (lnt_net){.depth = 2, .width = width};
    if (!(m->given.w[0] = lnt_alloc(ctx, lnt_net_size(&m->given.net), sizeof **m->given.w)))
        return LNT_ENOMEM;
    lnt_mat_copy(lnt_net_weights(&m->given.net, m->given.w[0], 1), W1);
    lnt_mat_copy(lnt_net_weights(&m->given.net, m->given.w[0], 2), W2);
    return LNT_OK;
}

static lnt_status read_start(lnt_ctx *ctx, lnt_modes_run *m, lnt_modes_opts *o)
{
    if ((o->w1 == NULL) != (o->w2 == NULL))
        return lnt_fail(ctx, LNT_EUSAGE, "--w1 and --w2 need each other");
    if ((o->w1 || o->weights_in) && (o->init || o->hidden > 0))
        return lnt_fail(ctx, LNT_EUSAGE, "weights from files exclude --init and --hidden");
    if (o->w1 && o->seeds > 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--w1 and --w2 are one start: leave out --seeds");
    if (o->w1 && o->weights_in)
        return lnt_fail(ctx, LNT_EUSAGE, "--weights-in and --w1 exclude each other");
    lnt_status status = LNT_OK;
    if (o->w1)
        status = read_pair(ctx, m, o);
    else if (o->weights_in)
        status = lnt_saved_net_read(ctx, &m->given, o->weights_in);
    if (status != LNT_OK || !m->given.runs)
        return status;
    if (m->given.net.activation != LNT_LINEAR)
        return lnt_fail(ctx, LNT_EUSAGE, "%s holds a network that is not linear: modes are those of linear networks",
                        o->weights_in);
    if (m->given.runs != 1 && m->given.runs != o->seeds)
        return lnt_fail(ctx, LNT_ESHAPE, "the file holds the weights of %d runs: use --seeds %d", m->given.runs,
                        m->given.runs);
    o->layers.count = m->given.net.depth + 1;
    memcpy(o->layers.item, m->given.net.width, (size_t)o->layers.count * sizeof *o->layers.item);
    return LNT_OK;
}

static lnt_status make_net(lnt_ctx *ctx, lnt_modes_run *m, lnt_modes_opts *o)
{
    int inputs = m->setup.task.inputs, outputs = m->setup.task.outputs, least = inputs < outputs ? inputs : outputs;
    lnt_int_list *layers = &o->layers;
    if (o->hidden > 0 && layers->count > 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--hidden and --layers exclude each other");
    lnt_status status = read_start(ctx, m, o);
    if (status == LNT_OK && layers->count == 0)
        *layers = (lnt_int_list){3, {inputs, o->hidden > 0 ? o->hidden : least, outputs}};
    if (status == LNT_OK)
        status = check_widths(ctx, m, layers);
    m->net = (lnt_net){.depth = layers->count - 1, .width = layers->item};
    return status;
}

lnt_status lnt_modes_start(lnt_ctx *ctx, double *w, const lnt_modes_run *m, int index)
{
    lnt_rng rng = lnt_rng_stream(m->opts->seed, (uint32_t)index, LNT_FOR_WEIGHTS);
    if (!m->given.runs)
        return lnt_net_init(ctx, w, &m->net, &m->init, &m->modes, &rng);
    memcpy(w, m->given.w[m->given.runs == 1 ? 0 : index], lnt_net_size(&m->net) * sizeof *w);
    return LNT_OK;
}

/* ---- The task in its modes ---- */

/* How far the modes are from eigenvectors of Sxx, and Sxx from a multiple of the identity. */
static lnt_status measure_inputs(lnt_ctx *ctx, lnt_modes_run *m)
{
    lnt_mat Sxx = m->setup.all.Sxx, V, R;
    double largest = lnt_mat_max(Sxx);
    int inputs = Sxx.rows, k = m->count;
    lnt_status status = lnt_mat_alloc(ctx, &V, inputs, k);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &R, inputs, k);
    if (status == LNT_OK)
        status = lnt_shared_basis(ctx, m->d, &m->off, Sxx, lnt_modes_VT(m));
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(V, lnt_modes_VT(m));
    lnt_gemm(R, 1, LNT_N, Sxx, LNT_N, V, 0);
    for (int i = 0; i < k; i++)
        lnt_mat_add(lnt_columns(R, i, 1), -m->d[i], lnt_columns(V, i, 1));
    m->off = lnt_mat_norm(R) / largest;
    for (int i = 0; i < inputs; i++)
        m->d0 += *lnt_at(Sxx, i, i) / inputs;
    for (int j = 0; j < inputs; j++)
        for (int i = 0; i < inputs; i++)
            m->isotropy = fmax(m->isotropy, fabs(*lnt_at(Sxx, i, j) - (i == j ? m->d0 : 0)) / largest);
    return LNT_OK;
}

/* Where the inputs couple the modes these end at the strengths of the least-squares map. */
static lnt_status find_coupled_targets(lnt_ctx *ctx, lnt_modes_run *m)
{
    lnt_status status = lnt_mat_alloc(ctx, &m->best, m->setup.task.outputs, m->setup.task.inputs);
    if (status == LNT_OK)
        status = lnt_least_squares(ctx, m->best, NULL, &m->setup.all, 0);
    return status == LNT_OK ? lnt_modes_map_strengths(ctx, m->target, NULL, m, m->best) : status;
}

static lnt_status find_modes(lnt_ctx *ctx, lnt_modes_run *m)
{
    const lnt_moments *all = &m->setup.all;
    int inputs = all->Sxx.rows, outputs = all->Syx.rows;
    bool full = lnt_init_needs_modes(&m->init) || (inputs <= MOST_FULL && outputs <= MOST_FULL);
    m->count = inputs < outputs ? inputs : outputs;
    m->d = lnt_alloc(ctx, (size_t)m->count, sizeof *m->d);
    m->target = lnt_alloc(ctx, (size_t)m->count, sizeof *m->target);
    if (!m->d || !m->target)
        return LNT_ENOMEM;
    lnt_status status = lnt_modes_of(ctx, &m->modes, all->Syx, full);
    if (status == LNT_OK)
        status = measure_inputs(ctx, m);
    for (int k = 0; k < m->count && status == LNT_OK; k++) {
        if (m->modes.s[k] < 1e-13 * m->modes.s[0])
            m->modes.s[k] = 0; /* rounding error of what is 0 */
        m->target[k] = m->modes.s[k] > 0 ? m->modes.s[k] / m->d[k] : 0;
    }
    return status == LNT_OK && m->off > LNT_MODES_SAME ? find_coupled_targets(ctx, m) : status;
}

/* The item whose prediction is followed. */
static lnt_status find_item(lnt_ctx *ctx, lnt_modes_run *m)
{
    const lnt_modes_opts *o = m->opts;
    if ((o->item > 0) != (o->feature > 0))
        return lnt_fail(ctx, LNT_EUSAGE, "--item and --feature need each other");
    if (o->item == 0)
        return LNT_OK;
    if (o->item > m->setup.task.n || o->feature > m->setup.task.outputs)
        return lnt_fail(ctx, LNT_EUSAGE, "--item %d --feature %d: there are %d items and %d features", o->item,
                        o->feature, m->setup.task.n, m->setup.task.outputs);
    lnt_mat Y;
    m->x = lnt_alloc(ctx, (size_t)m->setup.task.inputs, sizeof *m->x);
    if (!m->x || lnt_mat_alloc(ctx, &Y, m->setup.task.outputs, 1) != LNT_OK)
        return LNT_ENOMEM;
    lnt_task_get(lnt_mat_view(m->x, m->setup.task.inputs, 1), Y, &m->setup.task, NULL, o->item - 1, 1);
    lnt_mat_scale(lnt_mat_view(m->x, m->setup.task.inputs, 1), 1 / m->setup.item);
    return LNT_OK;
}

/* ---- Which methods apply ---- */

static lnt_status choose_methods(lnt_ctx *ctx, lnt_modes_run *m)
{
    const char *s = m->opts->method;
    for (int k = 0; k < LNT_METHODS; k++)
        m->why[k] = s ? "not asked for" : NULL;
    while (s) {
        size_t n = strcspn(s, ",");
        int k = 0;
        while (k < LNT_METHODS && (strlen(lnt_method_names[k]) != n || strncmp(s, lnt_method_names[k], n) != 0))
            k++;
        if (k == LNT_METHODS)
            return lnt_fail(ctx, LNT_EUSAGE,
                            "--method %.80s: use closed, riccati, flow, map, descent, or several of them "
                            "separated by commas",
                            m->opts->method);
        m->why[k] = NULL;
        m->asked[k] = true;
        s = s[n] ? s + n + 1 : NULL;
    }
    if (m->opts->descend != LNT_DESCEND_BOTH)
        for (int k = 0; k < LNT_DESCENT; k++)
            m->why[k] = "only a part of the energy is descended";
    return LNT_OK;
}

static void refuse(lnt_modes_run *m, lnt_method method, const char *why)
{
    if (!m->why[method])
        m->why[method] = why;
}

/* The start in the frame of the modes: do different modes share hidden directions? */
static lnt_status measure_start(lnt_ctx *ctx, lnt_modes_run *m, const double *w)
{
    lnt_status status = lnt_modes_net_strengths(ctx, NULL, &m->misaligned, m, w);
    if (status != LNT_OK || m->net.depth != 2)
        return status == LNT_OK ? lnt_imbalance(ctx, &m->imbalance, &m->net, w) : status;
    lnt_mat W1 = lnt_net_weights(&m->net, w, 1), W2 = lnt_net_weights(&m->net, w, 2), trap = {0};
    status = lnt_balance(ctx, &m->imbalance, &m->lambda, W1, W2);
    if (status == LNT_OK && m->isotropy <= LNT_MODES_SAME)
        status = lnt_trap_find(ctx, &m->trap, trap, m->setup.all.Syx, W1, W2);
    return status;
}

/* Small enough for the effective start of Gaussian weights. */
static lnt_status is_small(lnt_ctx *ctx, bool *small, const lnt_modes_run *m, const double *w)
{
    int k = m->count;
    double *u0 = lnt_alloc(ctx, (size_t)k, sizeof *u0);
    if (!u0)
        return LNT_ENOMEM;
    lnt_status status = lnt_modes_start_strengths(ctx, u0, m, w);
    for (int i = 0; i < k && status == LNT_OK; i++)
        *small = *small && u0[i] < SMALL * m->target[0];
    return status;
}

static lnt_status check_methods(lnt_ctx *ctx, lnt_modes_run *m)
{
    double *w = lnt_alloc(ctx, lnt_net_size(&m->net), sizeof *w);
    lnt_status status = w ? lnt_modes_start(ctx, w, m, 0) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = measure_start(ctx, m, w);
    if (status != LNT_OK)
        return status;
    m->decoupled = m->init.kind == LNT_INIT_ALIGNED && !m->given.runs;
    bool pair = m->net.depth == 2, small = pair;
    if (pair && (status = is_small(ctx, &small, m, w)) != LNT_OK)
        return status;
    if (pair && !m->decoupled && m->misaligned < 1e-20)
        m->decoupled = true;
    for (int k = LNT_CLOSED; k <= LNT_MAP; k += LNT_MAP - LNT_CLOSED) {
        if (m->off > LNT_MODES_SAME)
            refuse(m, (lnt_method)k, "the modes are no eigenvectors of C_XX");
        if (!m->decoupled && m->net.depth > 1 && !(pair && small))
            refuse(m, (lnt_method)k, "the start is neither aligned with the modes nor small");
    }
    if (!pair)
        refuse(m, LNT_RICCATI, "it is for two layers");
    if (m->isotropy > LNT_MODES_SAME)
        refuse(m, LNT_RICCATI, "C_XX is not a multiple of the identity");
    if (m->imbalance > LNT_IMBALANCE_REFUSE * m->modes.s[0] / m->d0 && !m->asked[LNT_RICCATI])
        refuse(m, LNT_RICCATI, "the start is not lambda-balanced");
    if (m->opts->descend != LNT_DESCEND_BOTH && (!pair || m->isotropy > LNT_MODES_SAME))
        return lnt_fail(ctx, LNT_EUSAGE, "--descend fit and competition are for two layers and C_XX = d I");
    for (int k = 0; k < LNT_METHODS; k++)
        if (m->asked[k] && m->why[k])
            return lnt_fail(ctx, LNT_EUSAGE, "--method %s does not apply: %s", lnt_method_names[k], m->why[k]);
    return lnt_largest_curvature(ctx, &m->curvature, &m->net, w, &m->setup.all);
}

/* ---- Output times ---- */

/* A while after the last mode that matters has half its strength, as the small-start estimates have it; T = t/tau. */
static double default_duration(const lnt_modes_run *m, const double *u0)
{
    double longest = 0;
    int L = m->net.depth;
    for (int k = 0; k < m->count; k++) {
        double s = m->target[k], u = fmin(fmax(u0[k], 1e-300), 0.5 * s);
        if (s <= 1e-2 * m->target[0])
            continue;
        double wait = L == 1 ? 1 : L == 2 ? log(s / u) / (2 * s) : lnt_depth_time(0.5 * s, u, s, L);
        double settle = L == 1 ? 5 : 4 / (L * pow(s, 2 - 2.0 / L));
        longest = fmax(longest, (1.3 * wait + settle) / m->d[k]);
    }
    return longest > 0 ? longest : 10 / m->d0;
}

static lnt_status strengths_at_start(lnt_ctx *ctx, const lnt_modes_run *m, double *u0)
{
    double *w = lnt_alloc(ctx, lnt_net_size(&m->net), sizeof *w);
    lnt_status status = w ? lnt_modes_start(ctx, w, m, 0) : LNT_ENOMEM;
    return status == LNT_OK ? lnt_modes_start_strengths(ctx, u0, m, w) : status;
}

static lnt_status make_times(lnt_ctx *ctx, lnt_modes_run *m)
{
    const lnt_modes_opts *o = m->opts;
    double *u0 = lnt_alloc(ctx, (size_t)m->count, sizeof *u0);
    m->t = lnt_alloc(ctx, MOST_TIMES, sizeof *m->t);
    if (!u0 || !m->t)
        return LNT_ENOMEM;
    if ((o->times != NULL) + (o->time > 0) + (o->epochs > 0) > 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--time, --times and --epochs exclude each other");
    if (o->times) {
        if (!lnt_numbers_read(o->times, m->t, MOST_TIMES, &m->times))
            return lnt_fail(ctx, LNT_EUSAGE, "--times %.80s: numbers separated by commas are needed", o->times);
        for (int j = 0; j < m->times; j++)
            if (m->t[j] < 0 || (j > 0 && m->t[j] <= m->t[j - 1]))
                return lnt_fail(ctx, LNT_EUSAGE, "--times %.80s: times must not be negative, and must ascend",
                                o->times);
        return LNT_OK;
    }
    lnt_status status = strengths_at_start(ctx, m, u0);
    double end = o->epochs > 0 ? o->epochs * o->dt : o->time > 0 ? o->time : default_duration(m, u0) / m->eta;
    double steps = fmax(1, ceil(end / o->dt - 1e-9));
    m->times = steps < DEFAULT_TIMES - 1 ? (int)steps + 1 : DEFAULT_TIMES;
    for (int j = 0; j < m->times; j++) /* where steps of the descent end */
        m->t[j] = o->dt * floor(steps * j / (m->times - 1) + 0.5);
    return status;
}

/* Methods that take every step are left out of times that no one waits for. */
static lnt_status check_steps(lnt_ctx *ctx, lnt_modes_run *m)
{
    double steps = m->t[m->times - 1] / m->opts->dt;
    if (steps <= MOST_STEPS)
        return LNT_OK;
    for (int k = LNT_MAP; k <= LNT_DESCENT; k++) {
        if (m->asked[k])
            return lnt_fail(ctx, LNT_EUSAGE,
                            "--method %s would take %.3g steps of dt = %g, more than %g: shorten the time",
                            lnt_method_names[k], steps, m->opts->dt, MOST_STEPS);
        refuse(m, (lnt_method)k, "it would take more than 1e8 steps");
    }
    return LNT_OK;
}

lnt_status lnt_modes_prepare(lnt_ctx *ctx, lnt_modes_run *m, lnt_modes_opts *opts)
{
    *m = (lnt_modes_run){.opts = opts};
    opts->dt = opts->dt > 0 ? opts->dt : 1;
    lnt_status status = lnt_init_parse(ctx, &m->init, opts->init ? opts->init : "gaussian:0.001");
    if (status == LNT_OK)
        status = choose_methods(ctx, m);
    if (status == LNT_OK)
        status = lnt_setup_make(ctx, &m->setup, &opts->task, opts->seed, opts->threads);
    if (status == LNT_OK)
        status = make_net(ctx, m, opts);
    if (status == LNT_OK)
        status = find_modes(ctx, m);
    if (status == LNT_OK)
        status = find_item(ctx, m);
    if (status != LNT_OK)
        return status;
    m->scale = lnt_loss_scale(opts->loss, m->setup.task.outputs);
    m->eta = m->scale * opts->lr;
    if (m->modes.s[0] > 0 && m->modes.s[0] < 1e-150)
        return lnt_fail(ctx, LNT_EDOMAIN, "C_YX is at most %g: squares of that cannot be held; scale the data",
                        m->modes.s[0]);
    opts->init = opts->init || m->given.runs ? opts->init : "gaussian:0.001";
    if (!(m->modes.s[0] > 0))
        return lnt_fail(ctx, LNT_EDOMAIN, "C_YX is 0: there is no mode to be learned");
    status = check_methods(ctx, m);
    if (status == LNT_OK)
        status = make_times(ctx, m);
    return status == LNT_OK ? check_steps(ctx, m) : status;
}
