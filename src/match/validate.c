/* Cross-validation over stimuli. All of it from inner products: p = U^T x of held-out stimuli x, U^T J x, x^T J x. */
#include "internal.h"

#include "linnet/match_data.h"
#include "linnet/parallel.h"
#include "linnet/rng.h"

#include <float.h>
#include <math.h>

/* Where covariances alone would cost more digits than this, a fold decomposes its part of X. */
#define GRAM_ERROR 1e-8
#define GRAM_RANK 1e-9

void lnt_match_cv_defaults(lnt_match_cv_opts *opts)
{
    *opts = (lnt_match_cv_opts){.full = true, .kept_blocks = true, .threads = 1};
    lnt_match_defaults(&opts->fit);
    opts->fit.tolerance = 1e-12;
    opts->fit.polish = false;
}

lnt_status lnt_match_folds(lnt_ctx *ctx, int *fold, int M, int folds, const int *classes, uint64_t seed)
{
    if (folds < 2 || folds > M)
        return lnt_fail(ctx, LNT_EINVAL, "%d folds of %d stimuli: at least 2, at most one for each", folds, M);
    lnt_mark mark = lnt_ctx_mark(ctx);
    int *group = lnt_alloc(ctx, (size_t)M, sizeof *group), *order = lnt_alloc(ctx, (size_t)M, sizeof *order), n = 0;
    if (!group || !order)
        return LNT_ENOMEM;
    for (int j = 0; j < M; j++) { /* numbers of the classes in order of appearance */
        int first = 0;
        while (classes && first < j && classes[first] != classes[j])
            first++;
        group[j] = classes && first < j ? group[first] : n++;
    }
    lnt_rng rng = lnt_rng_stream(seed, 0, LNT_FOR_SPLIT);
    for (int k = 0; k < n; k++)
        order[k] = k;
    lnt_rng_shuffle(&rng, order, n);
    for (int j = 0; j < M; j++)
        fold[j] = order[group[j]] % folds;
    lnt_ctx_reset(ctx, mark);
    return n >= folds ? LNT_OK : lnt_fail(ctx, LNT_EINVAL, "%d classes are not enough for %d folds", n, folds);
}

/* ---- Sums of one fold ---- */

typedef struct block_sums {
    double count, mean, total, base; /* of targets: entries, mean, squares about it; squared error at Z = I */
    double *error;                   /* squared error of each lambda */
} block_sums;

typedef struct validation {
    lnt_mat X, S, G;
    const double *mean; /* of stimuli over cells; NULL where centred */
    const int *fold;
    int folds, count;
    const double *lambda;
    const lnt_match_cv_opts *opts;
    block_sums *held, *kept;
} validation;

/* The columns of one fold, and what is computed once for all lambdas. */
typedef struct split {
    int *kept, *held, kept_n, held_n;
    lnt_match m;
    lnt_mat S_hh, S_hk, own_hh, own_hk;
    lnt_mat p, k, PT; /* U^T x and U^T J x held out, r x h; (U^T X_kept)^T */
    lnt_mat Dp, k1, B, C_hh, C_hk;
} split;

static void pick(lnt_mat B, lnt_mat A, const int *row, const int *col)
{
    for (int j = 0; j < B.cols; j++)
        for (int i = 0; i < B.rows; i++)
            *lnt_at(B, i, j) = *lnt_at(A, row[i], col[j]);
}

static void targets(block_sums *sums, lnt_mat S, lnt_mat own)
{
    double n = (double)S.rows * S.cols;
    *sums = (block_sums){.count = n, .error = sums->error};
    for (int j = 0; j < S.cols; j++)
        for (int i = 0; i < S.rows; i++)
            sums->mean += *lnt_at(S, i, j) / n;
    for (int j = 0; j < S.cols; j++)
        for (int i = 0; i < S.rows; i++) {
            double d = *lnt_at(S, i, j) - sums->mean, e = *lnt_at(S, i, j) - *lnt_at(own, i, j);
            sums->total += d * d;
            sums->base += e * e;
        }
}

/* 1/sd^2 of the outputs over the kept columns; 1 where none is asked for. */
static double target_scale(const validation *v, const split *s)
{
    const lnt_match_cv_opts *o = v->opts;
    if (!o->sum)
        return 1;
    double n = (double)o->cells_out * s->kept_n, sum = 0, sum2 = 0;
    for (int i = 0; i < s->kept_n; i++) {
        sum += o->sum[s->kept[i]];
        sum2 += o->sum2[s->kept[i]];
    }
    return 1 / (sum2 / n - sum / n * (sum / n));
}

static double least_lambda(const validation *v, double factor)
{
    double least = INFINITY;
    for (int l = 0; l < v->count; l++)
        least = fmin(least, v->lambda[l] * factor);
    return least;
}

static lnt_status kept_problem(lnt_ctx *ctx, const validation *v, split *s, double least)
{
    lnt_mat G, S, X;
    double *mean = lnt_alloc(ctx, (size_t)s->kept_n, sizeof *mean);
    lnt_status status = mean ? lnt_mat_alloc(ctx, &G, s->kept_n, s->kept_n) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &S, s->kept_n, s->kept_n);
    if (status != LNT_OK)
        return status;
    pick(G, v->G, s->kept, s->kept);
    pick(S, v->S, s->kept, s->kept);
    lnt_mat_scale(S, target_scale(v, s));
    for (int i = 0; i < s->kept_n && v->mean; i++)
        mean[i] = v->mean[s->kept[i]];
    status = lnt_match_make_gram(ctx, &s->m, v->X.rows, G, v->mean ? mean : NULL, S);
    if (status != LNT_OK || s->m.rank == 0)
        return status;
    double top = pow(s->m.sv[0], 2), low = pow(s->m.sv[s->m.rank - 1], 2);
    if (DBL_EPSILON * 2 * top * top / least <= GRAM_ERROR && low > GRAM_RANK * top)
        return LNT_OK;
    if ((status = lnt_mat_alloc(ctx, &X, v->X.rows, s->kept_n)) != LNT_OK)
        return status;
    for (int i = 0; i < s->kept_n; i++)
        lnt_mat_copy(lnt_columns(X, i, 1), lnt_columns(v->X, s->kept[i], 1));
    return lnt_match_make(ctx, &s->m, X, S, NULL);
}

static lnt_status alloc_split(lnt_ctx *ctx, split *s)
{
    int r = s->m.rank, h = s->held_n, n = s->kept_n;
    lnt_mat *mats[] = {&s->S_hh, &s->own_hh, &s->C_hh, &s->S_hk, &s->own_hk, &s->C_hk,
                       &s->p,    &s->k,      &s->Dp,   &s->k1,   &s->B,      &s->PT};
    const int rows[] = {h, h, h, h, h, h, r, r, r, r, r, n}, cols[] = {h, h, h, n, n, n, h, h, h, h, h, r};
    lnt_status status = LNT_OK;
    for (int i = 0; i < 12 && status == LNT_OK; i++)
        status = lnt_mat_alloc(ctx, mats[i], rows[i], cols[i]);
    return status;
}

static lnt_status prepare(lnt_ctx *ctx, const validation *v, split *s, int f, double least)
{
    lnt_mat cross;
    lnt_status status = kept_problem(ctx, v, s, least);
    if (status == LNT_OK)
        status = alloc_split(ctx, s);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &cross, s->kept_n, s->held_n);
    if (status != LNT_OK)
        return status;
    const lnt_match *m = &s->m;
    double scale = target_scale(v, s), N = v->X.rows;
    pick(s->S_hh, v->S, s->held, s->held);
    pick(s->S_hk, v->S, s->held, s->kept);
    lnt_mat_scale(s->S_hh, scale);
    lnt_mat_scale(s->S_hk, scale);
    pick(s->own_hh, v->G, s->held, s->held);
    pick(s->own_hk, v->G, s->held, s->kept);
    pick(cross, v->G, s->kept, s->held);
    for (int j = 0; j < s->held_n && v->mean; j++) {
        double mu = v->mean[s->held[j]];
        for (int i = 0; i < s->held_n; i++)
            *lnt_at(s->own_hh, i, j) -= N * v->mean[s->held[i]] * mu;
        for (int i = 0; i < s->kept_n; i++)
            *lnt_at(s->own_hk, j, i) -= N * v->mean[s->kept[i]] * mu;
    }
    lnt_gemm(s->p, 1, LNT_T, m->V, LNT_N, cross, 0);
    for (int j = 0; j < s->held_n; j++)
        for (int i = 0; i < m->rank; i++) {
            *lnt_at(s->p, i, j) /= m->sv[i];
            *lnt_at(s->k, i, j) = *lnt_at(s->p, i, j) - (v->mean ? m->u[i] * sqrt(N) * v->mean[s->held[j]] : 0);
        }
    for (int i = 0; i < m->rank; i++) {
        lnt_mat_copy(lnt_columns(s->PT, i, 1), lnt_columns(m->V, i, 1));
        lnt_mat_scale(lnt_columns(s->PT, i, 1), m->sv[i]);
    }
    targets(&v->held[f], s->S_hh, s->own_hh);
    targets(&v->kept[f], s->S_hk, s->own_hk);
    return LNT_OK;
}

static double squared_error(lnt_mat A, lnt_mat B)
{
    double sum = 0;
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++) {
            double d = *lnt_at(A, i, j) - *lnt_at(B, i, j);
            sum += d * d;
        }
    return sum;
}

/* The errors of the core D (symmetric). */
static void score(const validation *v, split *s, int f, int l, lnt_mat D)
{
    const lnt_match *m = &s->m;
    lnt_gemm(s->Dp, 1, LNT_N, D, LNT_N, s->p, 0);
    lnt_mat A0Dp = s->Dp;
    if (!m->centred) {
        A0Dp = s->B;
        lnt_gemm(A0Dp, 1, LNT_N, m->A0, LNT_N, s->Dp, 0);
    }
    lnt_mat_copy(s->k1, s->k);
    lnt_mat_add(s->k1, 0.5, A0Dp);
    lnt_gemm(s->C_hh, 1, LNT_T, s->Dp, LNT_N, s->k1, 0);
    lnt_match_add_transpose(s->C_hh);
    lnt_mat_add(s->C_hh, 1, s->own_hh);
    v->held[f].error[l] = squared_error(s->S_hh, s->C_hh);
    if (!v->opts->kept_blocks)
        return;
    lnt_mat_add(s->k1, 0.5, A0Dp); /* B = A0 D p + D (k + A0 D p) */
    if (m->centred)
        lnt_mat_copy(s->B, s->Dp);
    lnt_gemm(s->B, 1, LNT_N, D, LNT_N, s->k1, 1);
    lnt_mat_copy(s->C_hk, s->own_hk);
    lnt_gemm(s->C_hk, 1, LNT_T, s->B, LNT_T, s->PT, 1);
    v->kept[f].error[l] = squared_error(s->S_hk, s->C_hk);
}

static lnt_status run_linear(lnt_ctx *ctx, const validation *v, split *s, int f, double factor)
{
    lnt_mat D;
    lnt_status status = lnt_mat_alloc(ctx, &D, s->m.rank, s->m.rank);
    for (int l = 0; l < v->count && status == LNT_OK; l++) {
        status = lnt_match_linear_core(ctx, D, &s->m, v->lambda[l] * factor);
        if (status == LNT_OK)
            score(v, s, f, l, D);
    }
    return status;
}

static lnt_status run_full(lnt_ctx *ctx, const validation *v, split *s, int f, double factor)
{
    lnt_dual dual;
    lnt_match_stop stop;
    int *order = lnt_alloc(ctx, (size_t)v->count, sizeof *order), steps = 0;
    lnt_status status = order ? lnt_dual_alloc(ctx, &dual, &s->m) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    lnt_match_descending(order, v->lambda, v->count);
    for (int k = 0; k < v->count && status == LNT_OK && !lnt_cancelled(ctx); k++) {
        double lambda = v->lambda[order[k]] * factor;
        lnt_mark mark = lnt_ctx_mark(ctx);
        status = k == 0 ? lnt_match_start(ctx, &dual, &v->opts->fit, lambda, &steps)
                        : lnt_match_lower_lambda(ctx, &dual, &v->opts->fit, lambda, &steps);
        if (status == LNT_OK)
            status = lnt_match_newton(ctx, &dual, &v->opts->fit, &stop, &steps);
        lnt_ctx_reset(ctx, mark);
        if (status == LNT_OK)
            score(v, s, f, order[k], dual.at.D);
    }
    return status;
}

static lnt_status one_fold(lnt_ctx *ctx, int f, void *user)
{
    const validation *v = user;
    int M = v->X.cols;
    split s = {.kept = lnt_alloc(ctx, (size_t)M, sizeof(int)), .held = lnt_alloc(ctx, (size_t)M, sizeof(int))};
    if (!s.kept || !s.held)
        return LNT_ENOMEM;
    for (int j = 0; j < M; j++)
        if (v->fold[j] == f)
            s.held[s.held_n++] = j;
        else
            s.kept[s.kept_n++] = j;
    if (s.held_n == 0 || s.kept_n == 0)
        return lnt_fail(ctx, LNT_EINVAL, "fold %d holds out %d of %d stimuli", f, s.held_n, M);
    double factor = v->opts->mean_form ? lnt_match_lambda(1, v->X.rows, s.kept_n) : 1;
    lnt_status status = prepare(ctx, v, &s, f, least_lambda(v, factor));
    if (status != LNT_OK)
        return status;
    return v->opts->full ? run_full(ctx, v, &s, f, factor) : run_linear(ctx, v, &s, f, factor);
}

/* ---- All folds ---- */

/* Squares about the mean of everything. */
static double pooled_total(const block_sums *b, int folds)
{
    double count = 0, mean = 0, total = 0;
    for (int f = 0; f < folds; f++) {
        count += b[f].count;
        mean += b[f].count * b[f].mean;
    }
    for (int f = 0; f < folds; f++)
        total += b[f].total + b[f].count * pow(b[f].mean - mean / count, 2);
    return total;
}

static double pooled(const block_sums *b, int folds, int l)
{
    double sum = 0;
    for (int f = 0; f < folds; f++)
        sum += l < 0 ? b[f].base : b[f].error[l];
    return sum;
}

static void collect(lnt_match_cv *cv, const validation *v)
{
    int n = v->folds;
    double held = pooled_total(v->held, n), kept = pooled_total(v->kept, n), base = pooled(v->held, n, -1),
           base_kept = pooled(v->kept, n, -1);
    cv->base = 1 - base / held;
    cv->base_kept = v->opts->kept_blocks ? 1 - base_kept / kept : NAN;
    cv->best = 0;
    for (int l = 0; l < v->count; l++) {
        double error = pooled(v->held, n, l), rest = v->opts->kept_blocks ? pooled(v->kept, n, l) : NAN;
        cv->held[l] = 1 - error / held;
        cv->held_ratio[l] = error / base;
        cv->kept[l] = 1 - rest / kept;
        cv->kept_ratio[l] = rest / base_kept;
        for (int f = 0; f < n; f++) {
            *lnt_at(cv->r2, f, l) = 1 - v->held[f].error[l] / v->held[f].total;
            *lnt_at(cv->ratio, f, l) = v->held[f].error[l] / v->held[f].base;
        }
        cv->ratio_all[l] = v->opts->kept_blocks ? (error + 2 * rest) / (base + 2 * base_kept) : error / base;
        if (cv->ratio_all[l] < cv->ratio_all[cv->best])
            cv->best = l;
    }
}

static lnt_status check(lnt_ctx *ctx, const validation *v)
{
    int M = v->X.cols;
    const lnt_match_cv_opts *o = v->opts;
    if (v->X.rows < 1 || M < 2 || v->folds < 2 || v->count < 1)
        return lnt_fail(ctx, LNT_EINVAL, "%d cells, %d stimuli, %d folds, %d lambdas: at least 1, 2, 2, 1", v->X.rows,
                        M, v->folds, v->count);
    if (v->S.rows != M || v->S.cols != M)
        return lnt_fail(ctx, LNT_ESHAPE, "the target is %d x %d, but the inputs have %d stimuli", v->S.rows, v->S.cols,
                        M);
    if (!lnt_mat_finite(v->X) || !lnt_mat_finite(v->S))
        return lnt_fail(ctx, LNT_EDOMAIN, "%s not finite", lnt_mat_finite(v->S) ? "the inputs are" : "the target is");
    for (int j = 0; j < M; j++)
        if (v->fold[j] < 0 || v->fold[j] >= v->folds)
            return lnt_fail(ctx, LNT_EINVAL, "stimulus %d is in fold %d of %d", j, v->fold[j], v->folds);
    if ((o->sum || o->sum2 || o->cells_out) && !(o->sum && o->sum2 && o->cells_out > 0))
        return lnt_fail(ctx, LNT_EINVAL, "sum, sum2 and cells_out go together");
    lnt_status status = LNT_OK;
    for (int l = 0; l < v->count && status == LNT_OK; l++)
        status = lnt_match_check_lambda(ctx, v->lambda[l], false);
    return status;
}

static lnt_status alloc_cv(lnt_ctx *ctx, lnt_match_cv *cv, int folds, int count)
{
    double **arrays[] = {&cv->held, &cv->held_ratio, &cv->kept, &cv->kept_ratio, &cv->ratio_all};
    lnt_status status = lnt_mat_alloc(ctx, &cv->r2, folds, count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &cv->ratio, folds, count);
    for (int i = 0; i < 5 && status == LNT_OK; i++)
        status = (*arrays[i] = lnt_alloc(ctx, (size_t)count, sizeof(double))) ? LNT_OK : LNT_ENOMEM;
    return status;
}

static lnt_status validate(lnt_ctx *ctx, lnt_match_cv *cv, validation *v)
{
    int M = v->X.cols, N = v->X.rows;
    size_t n = (size_t)v->folds;
    double *mean = lnt_alloc_zero(ctx, (size_t)M, sizeof *mean),
           *error = lnt_alloc_zero(ctx, 2 * n * (size_t)v->count, sizeof *error);
    v->held = lnt_alloc_zero(ctx, n, sizeof *v->held);
    v->kept = lnt_alloc_zero(ctx, n, sizeof *v->kept);
    lnt_status status = mean && error && v->held && v->kept ? lnt_mat_alloc(ctx, &v->G, M, M) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    for (size_t f = 0; f < n; f++) {
        v->held[f].error = error + f * (size_t)v->count;
        v->kept[f].error = error + (n + f) * (size_t)v->count;
    }
    lnt_syrk(v->G, 1, LNT_T, v->X, 0);
    lnt_symmetrize(v->G);
    if (!lnt_match_is_centred(v->X)) {
        for (int j = 0; j < M; j++)
            for (int i = 0; i < N; i++)
                mean[j] += *lnt_at(v->X, i, j) / N;
        v->mean = mean;
    }
    status = lnt_parallel(ctx, v->folds, v->opts->threads, one_fold, v);
    if (status == LNT_OK)
        collect(cv, v);
    return status;
}

lnt_status lnt_match_cross_validate(lnt_ctx *ctx, lnt_match_cv *cv, lnt_mat X, lnt_mat S, const int *fold, int folds,
                                    const double *lambda, int count, const lnt_match_cv_opts *opts)
{
    lnt_match_cv_opts defaults;
    lnt_match_cv_defaults(&defaults);
    validation v = {.X = X,
                    .S = S,
                    .fold = fold,
                    .folds = folds,
                    .lambda = lambda,
                    .count = count,
                    .opts = opts ? opts : &defaults};
    lnt_status status = check(ctx, &v);
    if (status == LNT_OK)
        status = alloc_cv(ctx, cv, folds, count);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = validate(ctx, cv, &v);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
