/* Ridge regression of several targets along a path: one decomposition, certificates, and cross-validation. */
#include "linnet/linalg.h"
#include "linnet/parallel.h"
#include "regress.h"

#include <math.h>
#include <string.h>

lnt_status lnt_ridge_score_all(lnt_ctx *ctx, lnt_ridge_score *score, const lnt_ridge *ridge, double lambda)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_ridge_score *each = lnt_alloc(ctx, (size_t)ridge->targets, sizeof *each);
    lnt_status status = each ? lnt_ridge_scores(ctx, each, ridge, lambda) : LNT_ENOMEM;
    *score = (lnt_ridge_score){0};
    for (int t = 0; t < ridge->targets && status == LNT_OK; t++) {
        score->loss += each[t].loss;
        score->loo += each[t].loo;
        score->gcv += each[t].gcv;
        score->freedom = each[t].freedom;
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- One penalty ---- */

typedef struct ridge_path {
    lnt_regress_run *run;
    const lnt_ridge *ridge;
    bool *done;
    double unit; /* |h| at w = 0, the largest */
} ridge_path;

/* F <- sum_i v_i/n z_i (y_i - a - x_i.w), a column per target; *loss <- 1/(2n) sum v r^2. */
static lnt_status correlate(lnt_ctx *ctx, lnt_mat F, double *loss, const lnt_rows *r, lnt_mat W, const double *a)
{
    lnt_mat R;
    lnt_status status = lnt_mat_alloc(ctx, &R, r->n, r->targets);
    *loss = 0;
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(R, r->Y);
    lnt_gemm(R, -1, LNT_N, r->X.X, LNT_N, W, 1);
    double *sum = lnt_alloc_zero(ctx, (size_t)r->targets, sizeof *sum);
    if (!sum)
        return LNT_ENOMEM;
    for (int t = 0; t < r->targets; t++)
        for (int i = 0; i < r->n; i++) {
            double *e = lnt_at(R, i, t), residual = *e - a[t];
            *e = lnt_row_weight(r->weight, i) * residual / r->n;
            *loss += *e * residual / 2;
            sum[t] += *e;
        }
    lnt_gemm(F, 1, LNT_T, r->X.X, LNT_N, R, 0);
    for (int t = 0; t < r->targets; t++)
        for (int j = 0; j < r->features; j++) {
            double *f = lnt_at(F, j, t);
            *f = r->scale[j] > 0 ? (*f - r->centre[j] * sum[t]) / r->scale[j] : 0;
        }
    return LNT_OK;
}

/* The objective is strongly convex, by lambda and, where no direction is free, by the least eigenvalue: the gap is at
 * most |gradient|^2 over twice that. At lambda = 0 gradients lie where there is an eigenvalue. */
static double gap_of(const ridge_path *p, double lambda, double squares)
{
    const lnt_ridge *r = p->ridge;
    int free = p->run->rows.features - p->run->rows.constant - r->rank;
    double least = r->rank ? r->s[r->rank - 1] * r->s[r->rank - 1] : 0,
           convex = lambda + (free == 0 || lambda == 0 ? least : 0);
    return squares == 0 ? 0 : squares / (2 * convex);
}

static lnt_status certify(lnt_ctx *ctx, const ridge_path *p, int k)
{
    const lnt_rows *rows = &p->run->rows;
    lnt_regress_point *at = &p->run->at[k];
    lnt_mat W = lnt_regress_coefficients(p->run, k), F;
    double norm2 = 0, squares = 0, most = 0;
    lnt_status status = lnt_mat_alloc(ctx, &F, rows->features, rows->targets);
    if (status == LNT_OK)
        status = correlate(ctx, F, &at->loss, rows, W, lnt_at(p->run->intercept, 0, k));
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < rows->features; j++) {
        bool used = false;
        for (int t = 0; t < rows->targets; t++) {
            double u = rows->scale[j] * *lnt_at(W, j, t), h = *lnt_at(F, j, t) - at->lambda * u;
            norm2 += u * u;
            squares += h * h;
            most = fmax(most, fabs(h));
            used = used || u != 0;
        }
        at->nonzero += used;
    }
    at->primal = at->loss + at->lambda * norm2 / 2;
    at->explained = 1 - at->loss / p->run->null_loss;
    at->gap = gap_of(p, at->lambda, squares);
    at->kkt = most / p->unit;
    at->converged = at->gap <= p->run->opts->gap * p->run->null_loss;
    return LNT_OK;
}

static lnt_status one_penalty(lnt_ctx *ctx, int k, void *user)
{
    ridge_path *p = user;
    lnt_regress_point *at = &p->run->at[k];
    lnt_ridge_score score;
    if (lnt_cancelled(ctx))
        return LNT_OK;
    *at = (lnt_regress_point){.lambda = p->run->lambda[k]};
    lnt_status status =
        lnt_ridge_fit(ctx, lnt_regress_coefficients(p->run, k), lnt_at(p->run->intercept, 0, k), p->ridge, at->lambda);
    if (status == LNT_OK)
        status = lnt_ridge_score_all(ctx, &score, p->ridge, at->lambda);
    if (status == LNT_OK)
        status = certify(ctx, p, k);
    if (status != LNT_OK)
        return status;
    at->loo = score.loo;
    at->gcv = score.gcv;
    at->freedom = score.freedom;
    p->done[k] = true;
    lnt_progress_step(ctx);
    return LNT_OK;
}

/* ---- The path ---- */

/* Loss and largest gradient without features. */
static lnt_status at_zero(lnt_ctx *ctx, ridge_path *p)
{
    const lnt_rows *rows = &p->run->rows;
    lnt_mat W, F;
    lnt_status status = lnt_mat_alloc_zero(ctx, &W, rows->features, rows->targets);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &F, rows->features, rows->targets);
    if (status == LNT_OK)
        status = correlate(ctx, F, &p->run->null_loss, rows, W, rows->mean);
    p->unit = status == LNT_OK ? lnt_mat_max(F) : 0;
    p->unit = p->unit > 0 ? p->unit : 1;
    return status;
}

static void choose(lnt_regress_run *r)
{
    for (int k = 0; k < r->done; k++) {
        const lnt_regress_point *at = &r->at[k];
        if (isfinite(at->loo) && (r->best_loo < 0 || at->loo < r->at[r->best_loo].loo))
            r->best_loo = k;
        if (isfinite(at->gcv) && (r->best_gcv < 0 || at->gcv < r->at[r->best_gcv].gcv))
            r->best_gcv = k;
    }
}

lnt_status lnt_regress_ridge(lnt_ctx *ctx, lnt_regress_run *r)
{
    lnt_ridge ridge;
    ridge_path p = {.run = r, .ridge = &ridge, .done = lnt_alloc_zero(ctx, (size_t)r->count, sizeof *p.done)};
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = p.done ? at_zero(ctx, &p) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_ridge_make(ctx, &ridge, &r->rows.X, r->rows.Y, &r->fit);
    if (status == LNT_OK) {
        r->rank = ridge.rank;
        r->largest = ridge.rank ? ridge.s[0] : 0;
        r->smallest = ridge.rank ? ridge.s[ridge.rank - 1] : 0;
        lnt_progress_begin(ctx, "penalties", r->count);
        status = lnt_parallel(ctx, r->count, r->opts->threads, one_penalty, &p);
    }
    while (status == LNT_OK && r->done < r->count && p.done[r->done])
        r->done++;
    r->cancelled = r->done < r->count;
    choose(r);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* ---- Cross-validation ---- */

typedef struct ridge_folds {
    lnt_path_cv *cv;
    const lnt_rows *rows;
    const int *fold;
    const lnt_path_opts *opts;
    double *share; /* of each fold in the weights */
} ridge_folds;

/* The rows of a fold, their targets and weights. */
static lnt_status gather(lnt_ctx *ctx, lnt_mat *X, lnt_mat *Y, double **weight, const ridge_folds *v, int index)
{
    const lnt_rows *rows = v->rows;
    int count = 0, to = 0;
    for (int i = 0; i < rows->n; i++)
        count += v->fold[i] == index;
    *weight = lnt_alloc(ctx, (size_t)count, sizeof **weight);
    lnt_status status = *weight ? lnt_mat_alloc(ctx, X, count, rows->features) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, Y, count, rows->targets);
    for (int i = 0; i < rows->n && status == LNT_OK; i++) {
        if (v->fold[i] != index)
            continue;
        (*weight)[to] = lnt_row_weight(rows->weight, i);
        for (int j = 0; j < rows->features; j++)
            *lnt_at(*X, to, j) = *lnt_at(rows->X.X, i, j);
        for (int t = 0; t < rows->targets; t++)
            *lnt_at(*Y, to, t) = *lnt_at(rows->Y, i, t);
        to++;
    }
    return status;
}

static lnt_status one_fold(lnt_ctx *ctx, int index, void *user)
{
    ridge_folds *v = user;
    const lnt_rows *rows = v->rows;
    lnt_path_opts o = *v->opts;
    lnt_ridge ridge;
    lnt_mat X = {0}, Y, W;
    double *left = lnt_alloc(ctx, (size_t)rows->n, sizeof *left), *weight,
           *a = lnt_alloc(ctx, (size_t)rows->targets, sizeof *a);
    lnt_status status = left && a ? gather(ctx, &X, &Y, &weight, v, index) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &W, rows->features, rows->targets);
    for (int i = 0; i < rows->n && status == LNT_OK; i++)
        left[i] = v->fold[i] == index ? 0 : lnt_row_weight(rows->weight, i);
    o.weight = left;
    if (status == LNT_OK)
        status = lnt_ridge_make(ctx, &ridge, &rows->X, rows->Y, &o);
    const lnt_design held = lnt_design_dense(X);
    for (int k = 0; k < o.count && status == LNT_OK; k++) {
        if (lnt_cancelled(ctx))
            return lnt_fail(ctx, LNT_EUSER, "cross-validation was interrupted");
        status = lnt_ridge_fit(ctx, W, a, &ridge, o.lambda[k]);
        if (status == LNT_OK)
            status = lnt_rows_error(ctx, lnt_at(v->cv->error, index, k), &held, Y, weight, W, a);
    }
    lnt_progress_step(ctx);
    return status;
}

static void summarize(const ridge_folds *v)
{
    lnt_path_cv *cv = v->cv;
    for (int k = 0; k < cv->count; k++) {
        double squares = 0;
        cv->mean[k] = 0;
        for (int f = 0; f < cv->folds; f++)
            cv->mean[k] += v->share[f] * *lnt_at(cv->error, f, k);
        for (int f = 0; f < cv->folds; f++) {
            double d = *lnt_at(cv->error, f, k) - cv->mean[k];
            squares += v->share[f] * (d * d);
        }
        cv->se[k] = sqrt(squares / (cv->folds - 1));
        cv->best = cv->mean[k] < cv->mean[cv->best] ? k : cv->best;
    }
    while (cv->mean[cv->one_se] > cv->mean[cv->best] + cv->se[cv->best])
        cv->one_se++;
}

lnt_status lnt_ridge_validate(lnt_ctx *ctx, lnt_path_cv *cv, const lnt_rows *rows, const int *fold, int folds,
                              int threads, const lnt_path_opts *opts)
{
    ridge_folds v = {cv, rows, fold, opts, lnt_alloc_zero(ctx, (size_t)folds, sizeof *v.share)};
    *cv = (lnt_path_cv){.count = opts->count, .folds = folds, .converged = true};
    cv->lambda = lnt_alloc(ctx, (size_t)cv->count, sizeof *cv->lambda);
    cv->mean = lnt_alloc(ctx, (size_t)cv->count, sizeof *cv->mean);
    cv->se = lnt_alloc(ctx, (size_t)cv->count, sizeof *cv->se);
    bool complete = v.share && cv->lambda && cv->mean && cv->se;
    lnt_status status = complete ? lnt_mat_alloc(ctx, &cv->error, folds, cv->count) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    memcpy(cv->lambda, opts->lambda, (size_t)cv->count * sizeof *cv->lambda);
    for (int i = 0; i < rows->n; i++)
        v.share[fold[i]] += lnt_row_weight(rows->weight, i) / rows->n;
    for (int f = 0; f < folds; f++)
        if (!(v.share[f] > 0 && v.share[f] < 1))
            return lnt_fail(ctx, LNT_EINVAL, "fold %d of %d has %s weight: choose fewer folds", f, folds,
                            v.share[f] > 0 ? "all the" : "no");
    lnt_progress_begin(ctx, "folds", folds);
    status = lnt_parallel(ctx, folds, threads, one_fold, &v);
    if (status == LNT_OK)
        summarize(&v);
    return status;
}
