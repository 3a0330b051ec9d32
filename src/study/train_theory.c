#include "train.h"

#include "linnet/linalg.h"

#include <math.h>

/* Limits below which the theory beside a run is exact to what is printed. */
#define WHITE 1e-8
#define BALANCED 1e-3

/* ---- The least-squares optimum ---- */

/* The score of a linear map, by rows or where there are none from their moments; the loss as reported. */
static lnt_status score_map(lnt_ctx *ctx, lnt_score *score, const training *t, lnt_mat W, const lnt_task *task,
                            const lnt_moments *m, int rows)
{
    lnt_status status;
    score->accuracy = NAN;
    if (rows > 0)
        status = lnt_map_score(ctx, score, W, task, 0, rows, t->opts->threads);
    else
        status = lnt_linear_loss(ctx, &score->loss, W, m);
    score->loss *= t->scale;
    return status;
}

static lnt_status find_optimum(lnt_ctx *ctx, lnt_optimum *o, const training *t, const lnt_moments *m, int rank)
{
    const lnt_setup *s = &t->setup;
    lnt_status status = lnt_mat_alloc(ctx, &o->W, s->task.outputs, s->task.inputs);
    if (status == LNT_OK)
        status = lnt_least_squares(ctx, o->W, &o->rank, m, rank);
    if (status == LNT_OK)
        status = score_map(ctx, &o->all, t, o->W, &s->task, &s->all, s->task.n);
    o->fitted = o->all;
    if (status == LNT_OK && m->n < s->task.n)
        status = score_map(ctx, &o->fitted, t, o->W, &s->task, m, m->n);
    if (status == LNT_OK && s->test.n)
        status = score_map(ctx, &o->test, t, o->W, &s->test, &s->held, s->test.n);
    return status;
}

static lnt_value accuracy_value(double accuracy)
{
    return isnan(accuracy) ? (lnt_value){0} : lnt_number(accuracy);
}

static void put_optimum(lnt_record *record, const training *t, const char *rows, const lnt_optimum *o, int count)
{
    lnt_table *table = lnt_record_table(record, "optimum");
    lnt_table_row(table);
    lnt_table_set(table, "fitted_to", "", lnt_string(rows));
    if (count)
        lnt_table_set(table, "rows", "", lnt_integer(count));
    lnt_table_set(table, "rank", "", lnt_integer(o->rank));
    lnt_table_set(table, "loss", "", lnt_number(o->all.loss));
    lnt_table_set(table, "accuracy", "", accuracy_value(o->all.accuracy));
    lnt_table_set(table, "loss_fitted_rows", "", lnt_number(o->fitted.loss));
    lnt_table_set(table, "accuracy_fitted_rows", "", accuracy_value(o->fitted.accuracy));
    if (t->setup.test.n == 0)
        return;
    lnt_table_set(table, "test_loss", "", lnt_number(o->test.loss));
    lnt_table_set(table, "test_accuracy", "", accuracy_value(o->test.accuracy));
}

lnt_status lnt_training_optima(lnt_ctx *ctx, lnt_record *record, const training *t, lnt_optimum *all,
                               lnt_optimum *fitted)
{
    lnt_optimum free;
    int rank = lnt_net_bottleneck(&t->net), inputs = t->setup.task.inputs, outputs = t->setup.task.outputs;
    bool narrow = rank < inputs && rank < outputs, subset = t->fitted_rows < t->setup.task.n;
    lnt_status status = find_optimum(ctx, all, t, &t->setup.all, rank);
    free = *fitted = *all;
    if (status == LNT_OK && narrow)
        status = find_optimum(ctx, &free, t, &t->setup.all, 0);
    if (status == LNT_OK && subset)
        status = find_optimum(ctx, fitted, t, &t->fitted, rank);
    if (status != LNT_OK)
        return status;
    put_optimum(record, t, "all rows", all, t->setup.task.n);
    if (subset)
        put_optimum(record, t, "rows trained on", fitted, t->fitted_rows);
    if (free.rank > all->rank) {
        put_optimum(record, t, "all rows, any rank", &free, t->setup.task.n);
        lnt_record_warn(
            record, "the narrowest layer has only width %d: the network cannot reach the least-squares map of rank %d",
            rank, free.rank);
    }
    return LNT_OK;
}

/* ---- Deviations of the final maps ---- */

typedef struct deviation {
    double simulated, absolute; /* root mean squares, averaged over the runs */
} deviation;

/* The map P itself, or P Sxx, against Syx. */
static lnt_status compare(lnt_ctx *ctx, deviation *d, const training *t, const lnt_moments *m, bool times_Sxx)
{
    lnt_mat P, R;
    lnt_status status = lnt_mat_alloc(ctx, &P, t->setup.task.outputs, t->setup.task.inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &R, t->setup.task.outputs, t->setup.task.inputs);
    *d = (deviation){0};
    for (int run = 0; run < t->runs && status == LNT_OK; run++) {
        status = lnt_net_product(ctx, P, &t->net, t->w[run]);
        if (times_Sxx)
            lnt_gemm(R, 1, LNT_N, P, LNT_N, m->Sxx, 0);
        else
            lnt_mat_copy(R, P);
        d->simulated += lnt_mat_rms(R) / t->runs;
        lnt_mat_add(R, -1, m->Syx);
        d->absolute += lnt_mat_rms(R) / t->runs;
    }
    return status;
}

static lnt_status put_map_deviations(lnt_ctx *ctx, lnt_record *record, const training *t, const lnt_moments *m,
                                     const char *rows)
{
    for (int k = 0; k < 2; k++) {
        deviation d;
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_status status = compare(ctx, &d, t, m, k == 0);
        const char *name = lnt_sprintf(ctx, "rms(C_YX - W%s), %s", k == 0 ? " C_XX" : "", rows);
        if (!name)
            status = LNT_ENOMEM;
        if (status == LNT_OK)
            lnt_record_deviation(record, name, d.simulated, lnt_mat_rms(m->Syx), d.absolute, NAN);
        lnt_ctx_reset(ctx, mark);
        if (status != LNT_OK)
            return status;
    }
    return LNT_OK;
}

static void put_score_deviations(lnt_ctx *ctx, lnt_record *record, const training *t, const lnt_final final[LNT_TRACKS],
                                 const lnt_optimum *o, const char *rows)
{
    static const char *const names[] = {"loss", "accuracy", "test loss", "test accuracy"};
    double predicted[] = {o->all.loss, o->all.accuracy, o->test.loss, o->test.accuracy};
    bool exists[] = {true, t->setup.task.data.classes > 0, t->setup.test.n > 0,
                     t->setup.test.n > 0 && t->setup.task.data.classes > 0};
    for (int k = 0; k < LNT_TRACKS; k++) {
        const char *name = lnt_sprintf(ctx, "final %s, optimum of %s", names[k], rows);
        if (name && exists[k])
            lnt_record_deviation(record, name, final[k].mean, predicted[k], NAN, final[k].se);
    }
}

lnt_status lnt_training_deviations(lnt_ctx *ctx, lnt_record *record, const training *t, const lnt_optimum *all,
                                   const lnt_optimum *fitted, const lnt_final final[LNT_TRACKS])
{
    bool subset = t->fitted_rows < t->setup.task.n, linear = t->net.activation == LNT_LINEAR;
    lnt_status status = LNT_OK;
    if (linear)
        status = put_map_deviations(ctx, record, t, &t->setup.all, "all rows");
    if (status == LNT_OK && linear && subset)
        status = put_map_deviations(ctx, record, t, &t->fitted, "rows trained on");
    put_score_deviations(ctx, record, t, final, all, "all rows");
    if (subset)
        put_score_deviations(ctx, record, t, final, fitted, "the rows trained on");
    return status;
}

/* ---- Assumptions ---- */

static double share_left_out(const training *t)
{
    return t->setup.task.n ? 1 - (double)t->fitted_rows / t->setup.task.n : 0;
}

void lnt_training_assumptions(lnt_record *record, const training *t, const lnt_optimum *all, const lnt_optimum *fitted)
{
    double imbalance = 0;
    bool linear = t->net.activation == LNT_LINEAR;
    for (int k = 0; k < t->opts->seeds; k++)
        imbalance = fmax(imbalance, t->imbalance[k]);
    if (!linear)
        lnt_record_assumption(record, "network is linear: 0, or 1 with an activation", 1, 0,
                              "the optimum beside it is that of linear maps; the network can end below or above it");
    else
        lnt_record_assumption(record, "inputs are white: max |C_XX - I|", lnt_whiteness(t->setup.all.Sxx), WHITE,
                              "the fixed point is C_YX C_XX^+, not C_YX: read rms(C_YX - W C_XX)");
    lnt_record_assumption(record, "all rows are trained on: share left out", share_left_out(t), 0,
                          "the fixed point is that of the rows trained on");
    if (linear)
        lnt_record_assumption(record, "start is zero-balanced: |W2'W2 - W1 W1'|_F", imbalance, BALANCED,
                              "closed forms for balanced networks are not exact for this run");
    if (!isnan(t->stable_lr))
        lnt_record_assumption(record, "step is stable: lr over the largest stable one", t->opts->lr / t->stable_lr, 1,
                              "gradient descent can oscillate or diverge; lower --lr");
    lnt_record_assumption(
        record, "no penalty: weight decay + l1", t->opts->weight_decay + t->opts->l1, 0,
        "the fixed point is that of the penalised loss, the optimum beside it that of the loss alone");
    if (share_left_out(t) > 0)
        lnt_record_warn(
            record,
            "only the first %d of %d rows are trained on: their optimum has loss %.5g over all rows, that of "
            "all rows %.5g",
            t->fitted_rows, t->setup.task.n, fitted->all.loss, all->all.loss);
}

/* ---- Certificate ---- */

/* How far one weight is from being stationary. */
static double violation(double w, double g, double l1)
{
    return w > 0 ? fabs(g + l1) : w < 0 ? fabs(g - l1) : fmax(fabs(g) - l1, 0);
}

lnt_status lnt_training_certificate(lnt_ctx *ctx, lnt_record *record, const training *t)
{
    const lnt_train_opts *o = t->opts;
    size_t size = lnt_net_size(&t->net), zeros = 0;
    double worst = 0, *g = lnt_alloc(ctx, size, sizeof *g);
    lnt_status status = g ? LNT_OK : LNT_ENOMEM;
    for (int k = 0; k < t->runs && status == LNT_OK; k++) {
        const double *w = t->w[k];
        status = lnt_training_gradient(ctx, g, t, w);
        for (size_t i = 0; i < size && status == LNT_OK; i++) {
            worst = fmax(worst, violation(w[i], g[i] + o->weight_decay * w[i], o->l1));
            zeros += w[i] == 0;
        }
    }
    lnt_record_fact(record, "certificate", "kkt", "", lnt_number(worst));
    if (o->l1 > 0)
        lnt_record_fact(record, "certificate", "zero_weights", "",
                        lnt_number((double)zeros / ((double)size * t->runs)));
    return status;
}
