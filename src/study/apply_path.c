/* Predictions of a saved regularisation path for new rows. */
#include "apply.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

/* The coefficients at one lambda. */
typedef struct model {
    int features, targets, target; /* target: the only one that was fitted, of several; else -1 */
    bool classes;
    double lambda;
    lnt_mat W;         /* features x targets */
    double *intercept; /* targets */
    lnt_prep prep;
} model;

static lnt_status damaged(lnt_ctx *ctx, const char *path, const char *what)
{
    return lnt_fail(ctx, LNT_EFORMAT, "%s: not a saved result of linnet regress path (%s)", path, what);
}

/* Which lambda is meant. */
static lnt_status choose_lambda(lnt_ctx *ctx, double *lambda, const lnt_record *saved, const lnt_array *grid,
                                const char *text)
{
    double first = grid->values[0], last = grid->values[grid->dims[0] - 1];
    double best = lnt_record_fact_number(saved, "cv", "lambda_min");
    bool min = text && strcmp(text, "min") == 0, one_se = text && strcmp(text, "1se") == 0;
    if ((min || one_se) && isnan(best))
        return lnt_fail(ctx, LNT_EUSAGE, "--lambda %s: the path was not cross-validated (linnet regress path --cv 10)",
                        text);
    *lambda = one_se ? lnt_record_fact_number(saved, "cv", "lambda_1se") : !isnan(best) ? best : last;
    if (!text || min || one_se)
        return LNT_OK;
    if (!lnt_number_read(text, strlen(text), lambda) || !(*lambda >= last && *lambda <= first))
        return lnt_fail(ctx, LNT_EUSAGE, "--lambda %.80s: use min, 1se, or a number from %.9g to %.9g", text, last,
                        first);
    return LNT_OK;
}

/* to <- values at lambda: `size` numbers for each penalty, linear between neighbouring ones. */
static void interpolate(double *to, const lnt_array *values, const lnt_array *grid, int size, double lambda)
{
    int k = 0, count = grid->dims[0];
    while (k + 1 < count && grid->values[k + 1] >= lambda)
        k++;
    int next = k + 1 < count ? k + 1 : k;
    double from = grid->values[k], gap = from - grid->values[next], share = gap > 0 ? (from - lambda) / gap : 0;
    const double *a = values->values + (size_t)k * (size_t)size, *b = values->values + (size_t)next * (size_t)size;
    for (int i = 0; i < size; i++)
        to[i] = share == 0 ? a[i] : (1 - share) * a[i] + share * b[i];
}

static lnt_status load(lnt_ctx *ctx, model *m, const lnt_record *saved, const char *path, const char *which)
{
    lnt_array grid, W, a;
    lnt_value value = {0};
    if (!lnt_record_array(saved, "path/lambda", &grid) || !lnt_record_array(saved, "path/coefficients", &W) ||
        !lnt_record_array(saved, "path/intercept", &a))
        return damaged(ctx, path, "there is no path in it");
    bool several = W.rank == 3;
    int count = grid.rank == 1 ? grid.dims[0] : 0;
    if (count < 1 || (W.rank != 2 && W.rank != 3) || a.rank != W.rank - 1 || W.dims[0] != count || a.dims[0] != count ||
        W.dims[1] < 1 || (several && (W.dims[2] < 1 || a.dims[1] != W.dims[2])))
        return damaged(ctx, path, "its coefficients do not fit the penalties");
    *m = (model){.features = W.dims[1], .targets = several ? W.dims[2] : 1, .target = -1};
    for (size_t i = 0; i < (size_t)count * (size_t)m->features * (size_t)m->targets; i++)
        if (!isfinite(W.values[i]))
            return damaged(ctx, path, "its coefficients are not finite");
    if (lnt_record_get_fact(saved, "problem", "target", &value))
        m->target = (int)value.integer;
    m->classes = lnt_record_fact_number(saved, "preparation", "classes") == m->targets && m->targets > 1;
    lnt_mat T; /* in the file a row per feature */
    lnt_status status = choose_lambda(ctx, &m->lambda, saved, &grid, which);
    if (status == LNT_OK)
        status = lnt_saved_preparation(ctx, &m->prep, saved, m->features, path);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &T, m->targets, m->features);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &m->W, m->features, m->targets);
    m->intercept = lnt_alloc(ctx, (size_t)m->targets, sizeof *m->intercept);
    if (status != LNT_OK || !m->intercept)
        return status == LNT_OK ? LNT_ENOMEM : status;
    interpolate(T.a, &W, &grid, m->features * m->targets, m->lambda);
    interpolate(m->intercept, &a, &grid, m->targets, m->lambda);
    lnt_mat_transpose(m->W, T);
    return LNT_OK;
}

/* The targets as the path has them: one of several columns where it was fitted to one. */
static lnt_status put_score(lnt_ctx *ctx, lnt_record *record, const model *m, lnt_dataset data, lnt_mat F)
{
    int outputs = lnt_dataset_outputs(&data);
    lnt_score score;
    if (m->targets == 1 && outputs > 1 && m->target >= 0 && m->target < outputs) {
        lnt_mat all;
        lnt_status status = lnt_mat_alloc(ctx, &all, outputs, F.cols);
        double *y = lnt_alloc(ctx, (size_t)F.cols, sizeof *y);
        if (status != LNT_OK || !y)
            return LNT_ENOMEM;
        lnt_targets_get(all, &data, NULL, 0, F.cols);
        for (int i = 0; i < F.cols; i++)
            y[i] = *lnt_at(all, m->target, i);
        data = (lnt_dataset){.inputs = data.inputs, .targets = lnt_samples_view(lnt_mat_view(y, 1, F.cols))};
    } else if (outputs != m->targets && !(m->classes && data.classes && data.classes <= m->targets)) {
        return lnt_fail(ctx, LNT_ESHAPE, "the targets have %d columns, the path has %d (--one-hot for classes?)",
                        outputs, m->targets);
    }
    if (data.classes)
        data.classes = m->targets;
    lnt_status status = lnt_outputs_score(ctx, &score, F, &data);
    if (status != LNT_OK)
        return status;
    lnt_table *table = lnt_record_table(record, "score");
    lnt_table_row(table);
    lnt_table_set(table, "run", "", lnt_integer(0));
    lnt_table_set(table, "half_loss", "", lnt_number(score.loss));
    if (data.classes)
        lnt_table_set(table, "accuracy", "", lnt_number(score.accuracy));
    return LNT_OK;
}

lnt_status lnt_apply_path(lnt_ctx *ctx, lnt_record *record, const lnt_record *saved, const char *path,
                          const lnt_apply_opts *opts)
{
    model m = {0};
    lnt_dataset data;
    lnt_mat Z, F;
    const lnt_source source = {opts->data, opts->inputs, opts->targets, opts->one_hot};
    if (strcmp(opts->run, "mean") != 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--run is for networks; of a path choose --lambda");
    lnt_status status = load(ctx, &m, saved, path, opts->lambda);
    if (status == LNT_OK)
        status = lnt_source_read(ctx, &data, &source, false);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Z, m.features, data.inputs.n);
    if (status == LNT_OK)
        status = lnt_prep_apply(ctx, Z, &m.prep, &data.inputs, opts->threads);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &F, m.targets, data.inputs.n);
    if (status != LNT_OK)
        return status;
    for (int i = 0; i < F.cols; i++)
        memcpy(lnt_at(F, 0, i), m.intercept, (size_t)m.targets * sizeof *F.a);
    lnt_gemm(F, 1, LNT_T, m.W, LNT_N, Z, 1);
    lnt_record_fact(record, "applied", "rows", "", lnt_integer(F.cols));
    lnt_record_fact(record, "applied", "outputs", "", lnt_integer(m.targets));
    lnt_record_fact(record, "applied", "runs", "", lnt_integer(1));
    lnt_record_fact(record, "applied", "lambda", "", lnt_number(m.lambda));
    lnt_record_samples(record, "prediction", "", F);
    if (m.classes)
        lnt_apply_classes(ctx, record, F);
    return lnt_dataset_outputs(&data) ? put_score(ctx, record, &m, data, F) : LNT_OK;
}
