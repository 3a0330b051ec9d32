#include "matching.h"
#include "setup.h"

#include "linnet/parallel.h"

#include <math.h>

#define GRID "1e2:1e11:19" /* of lam0, where nothing is said */
#define FOLDS 6

const char *const lnt_matching_methods[] = {"linear",    "full",    "diagonal",      "overlap",
                                            "weighted",  "lateral", "diagonal+full", "min-weight",
                                            "transport", "coral",   "zca",           NULL};

void lnt_matching_defaults(lnt_matching_opts *opts)
{
    *opts = (lnt_matching_opts){
        .method = LNT_MATCHING_FULL, .lambda_diagonal = NAN, .cv = -1, .starts = 3, .tolerance = 1e-10};
}

/* ---- What is asked for ---- */

static bool is_exact(const lnt_matching_opts *o)
{
    return o->method >= LNT_MATCHING_MIN_WEIGHT;
}

static bool has_diagonal(const lnt_matching_opts *o)
{
    return o->method >= LNT_MATCHING_DIAGONAL && o->method <= LNT_MATCHING_DIAGONAL_FULL;
}

static lnt_status check_zero(lnt_ctx *ctx, const lnt_matching *c)
{
    const lnt_matching_opts *o = c->opts;
    for (int k = 0; k < c->count; k++) {
        if (is_exact(o) && c->lambda[k] != 0)
            return lnt_fail(ctx, LNT_EUSAGE, "--method %s is for --lambda 0", lnt_matching_methods[o->method]);
        if (c->lambda[k] == 0 && !is_exact(o) && o->method != LNT_MATCHING_LINEAR)
            return lnt_fail(ctx, LNT_EUSAGE,
                            "--lambda 0 has many exact solutions: use --method min-weight, transport, coral or zca");
    }
    return LNT_OK;
}

static lnt_status read_lambdas(lnt_ctx *ctx, lnt_matching *c)
{
    const lnt_matching_opts *o = c->opts;
    if (o->lambda && o->lam0)
        return lnt_fail(ctx, LNT_EUSAGE, "--lambda and --lam0 exclude each other: lambda = lam0 M^2/N^2");
    if (o->data.target_scale && !o->data.target)
        return lnt_fail(ctx, LNT_EUSAGE, "--target-scale says what --target is; there is none");
    c->mean_form = !o->lambda && !is_exact(o);
    const char *text = o->lambda ? o->lambda : is_exact(o) && !o->lam0 ? "0" : o->lam0 ? o->lam0 : GRID;
    lnt_status status =
        lnt_matching_lambdas(ctx, &c->lambda, &c->count, text, o->lambda || !c->mean_form ? "lambda" : "lam0");
    c->given = c->count == 1;
    c->exact = is_exact(o);
    return status == LNT_OK ? check_zero(ctx, c) : status;
}

static lnt_status check_options(lnt_ctx *ctx, const lnt_matching *c)
{
    const lnt_matching_opts *o = c->opts;
    bool core = o->method <= LNT_MATCHING_FULL;
    if (isfinite(o->lambda_diagonal) && !has_diagonal(o))
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--lambda-diagonal goes with the methods diagonal, overlap, weighted and "
                        "diagonal+full");
    if (isfinite(o->lambda_diagonal) && o->method == LNT_MATCHING_LATERAL)
        return lnt_fail(ctx, LNT_EUSAGE, "--method lateral has no diagonal; use --method weighted");
    if (o->quadratic &&
        (o->method < LNT_MATCHING_DIAGONAL || o->method > LNT_MATCHING_LATERAL || o->method == LNT_MATCHING_OVERLAP))
        return lnt_fail(ctx, LNT_EUSAGE, "--quadratic goes with the methods diagonal, weighted and lateral");
    if (o->rank > 0 && !core && !is_exact(o))
        return lnt_fail(ctx, LNT_EUSAGE, "--rank goes with the methods linear and full, and with --lambda 0");
    if (o->cv > 0 && (!core || o->reference || o->data.covariance))
        return lnt_fail(ctx, LNT_EUSAGE,
                        "--cv goes with --inputs or --demo, the methods linear and full, and no --reference");
    if (o->cv == 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--cv 1: at least 2 folds");
    if (o->classes && o->cv == 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--classes says which stimuli are held out together: it needs --cv");
    return LNT_OK;
}

/* ---- Cross-validation ---- */

static lnt_status read_classes(lnt_ctx *ctx, int **class, const lnt_matching *c)
{
    lnt_mat A;
    int M = c->task.stimuli;
    *class = NULL;
    if (!c->opts->classes)
        return LNT_OK;
    lnt_status status = lnt_matrix_read(ctx, &A, c->opts->classes);
    if (status != LNT_OK)
        return status;
    if (A.rows * A.cols != M)
        return lnt_fail(ctx, LNT_ESHAPE, "%s has %d numbers, not one for each of %d stimuli", c->opts->classes,
                        A.rows * A.cols, M);
    if (!(*class = lnt_alloc(ctx, (size_t)M, sizeof **class)))
        return LNT_ENOMEM;
    for (int j = 0; j < M; j++) {
        if (A.a[j] != floor(A.a[j]) || fabs(A.a[j]) > 1e9)
            return lnt_fail(ctx, LNT_EDOMAIN, "%s: class %g is not a whole number", c->opts->classes, A.a[j]);
        (*class)[j] = (int)A.a[j];
    }
    return LNT_OK;
}

/* Sums of Y over cells, as each fold needs them to divide by the sd of the stimuli it keeps. */
static lnt_status output_sums(lnt_ctx *ctx, lnt_match_cv_opts *cv, const lnt_matching_task *t)
{
    lnt_mat Y = t->Y[0];
    double *sum = lnt_alloc_zero(ctx, 2 * (size_t)t->stimuli, sizeof *sum);
    if (!sum)
        return LNT_ENOMEM;
    double *sum2 = sum + t->stimuli;
    for (int j = 0; j < t->stimuli; j++)
        for (int i = 0; i < Y.rows; i++) {
            double y = *lnt_at(Y, i, j);
            sum[j] += y;
            sum2[j] += y * y;
        }
    cv->sum = sum;
    cv->sum2 = sum2;
    cv->cells_out = Y.rows;
    return LNT_OK;
}

static int best_fold_lambda(const lnt_matching *c, const lnt_match_cv *cv)
{
    int best = cv->best;
    for (int k = 0; c->opts->choose == 1 && k < c->count; k++)
        best = cv->held[k] > cv->held[best] ? k : best;
    return best;
}

static lnt_status cross_validate(lnt_ctx *ctx, lnt_matching *c)
{
    const lnt_matching_task *t = &c->task;
    lnt_match_cv_opts opts;
    lnt_match_cv_defaults(&opts);
    int *class, *fold = lnt_alloc(ctx, (size_t)t->stimuli, sizeof *fold);
    double *lambda = lnt_alloc(ctx, (size_t)c->count, sizeof *lambda);
    lnt_status status = fold && lambda ? read_classes(ctx, &class, c) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_match_folds(ctx, fold, t->stimuli, c->folds, class, c->opts->data.seed);
    if (status == LNT_OK && t->prepare == LNT_MATCH_ZSCORE && t->Y[0].a && !t->opts->per_cell)
        status = output_sums(ctx, &opts, t);
    opts.mean_form = c->mean_form;
    opts.threads = c->opts->threads;
    for (int k = 0; k < c->count && lambda; k++)
        lambda[k] = c->mean_form ? lnt_match_lam0(c->lambda[k], t->cells, t->stimuli) : c->lambda[k];
    for (int linear = 0; linear < 2 && status == LNT_OK; linear++) {
        opts.full = linear == 0 && c->opts->method == LNT_MATCHING_FULL;
        status = lnt_match_cross_validate(ctx, linear ? &c->cv_linear : &c->cv, t->X[0], t->target[LNT_TRAIN], fold,
                                          c->folds, lambda, c->count, &opts);
    }
    return status;
}

/* ---- Choice ---- */

/* By the test trial. */
static int best_on_test(const lnt_matching *c, const lnt_matching_answer *a)
{
    int best = 0;
    for (int k = 1; k < c->count; k++) {
        bool better =
            c->opts->choose ? a[k].r2[LNT_TEST] > a[best].r2[LNT_TEST] : a[k].ratio[LNT_TEST] < a[best].ratio[LNT_TEST];
        best = better ? k : best;
    }
    return best;
}

static void choose(lnt_matching *c)
{
    bool test = lnt_matching_has_part(&c->task, LNT_TEST);
    if (c->given)
        return;
    if (c->folds) {
        c->chosen = best_fold_lambda(c, &c->cv);
        c->chosen_linear = best_fold_lambda(c, &c->cv_linear);
    } else if (test) {
        c->chosen = best_on_test(c, c->answer);
        c->chosen_linear = c->linear ? best_on_test(c, c->linear) : 0;
    }
}

/* ---- The study ---- */

/* Of the answer that was chosen, whatever found it: an independent look at the whole gradient. */
static lnt_status certify(lnt_ctx *ctx, lnt_matching *c)
{
    const lnt_matching_task *t = &c->task;
    double lambda = c->lambda[c->chosen];
    lnt_mat Z;
    if (t->pairs > 1 || t->G.a || !(lambda > 0) || t->cells > LNT_MATCHING_DENSE)
        return LNT_OK;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = lnt_mat_alloc(ctx, &Z, t->cells, t->cells);
    if (status == LNT_OK)
        status = lnt_matching_weights(ctx, Z, c, &c->answer[c->chosen]);
    if (status == LNT_OK) {
        for (int i = 0; i < t->cells && !t->Z0.a; i++)
            *lnt_at(Z, i, i) += 1;
        if (t->Z0.a)
            lnt_mat_add(Z, 1, t->Z0);
        status = lnt_match_certify(ctx, &c->certificate, &t->problem, Z, lambda);
    }
    lnt_ctx_reset(ctx, mark);
    c->has_certificate = status == LNT_OK;
    return status;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    lnt_matching all = {.opts = user}, *c = &all;
    const lnt_matching_opts *o = c->opts;
    lnt_status status = read_lambdas(ctx, c);
    if (status == LNT_OK)
        status = check_options(ctx, c);
    if (status != LNT_OK)
        return status;
    bool needs_centred = is_exact(o) || has_diagonal(o);
    for (int k = 0; k < c->count; k++)
        needs_centred = needs_centred || c->lambda[k] == 0;
    status = lnt_matching_read(ctx, &c->task, &o->data, needs_centred, o->reference);
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < c->count && c->mean_form; k++)
        c->lambda[k] = lnt_match_lambda(c->lambda[k], c->task.cells, c->task.stimuli);
    bool can_fold = o->method <= LNT_MATCHING_FULL && !o->reference && !o->data.covariance && c->task.pairs == 1;
    bool automatic = o->cv < 0 && !o->lambda && !o->lam0 && !lnt_matching_has_part(&c->task, LNT_TEST);
    c->folds = o->cv > 0 || (o->classes && o->cv != 0) ? (o->cv > 0 ? o->cv : FOLDS) : 0;
    if (automatic && can_fold && c->task.stimuli >= 2 * FOLDS)
        c->folds = FOLDS;
    if (c->folds && c->task.pairs > 1)
        return lnt_fail(ctx, LNT_EUSAGE, "--cv is for one trial; hold another trial out instead: --test-inputs");
    status = lnt_matching_fit(ctx, c);
    if (status == LNT_OK && c->folds && !lnt_cancelled(ctx))
        status = cross_validate(ctx, c);
    if (status == LNT_OK && lnt_cancelled(ctx))
        return lnt_fail(ctx, LNT_EUSER, "interrupted before the path was finished: there is nothing to keep");
    if (status == LNT_OK) {
        choose(c);
        status = certify(ctx, c);
    }
    return status == LNT_OK ? lnt_matching_report(ctx, record, c) : status;
}

lnt_status lnt_matching_study(lnt_ctx *ctx, lnt_record *record, const lnt_matching_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_matching_options, opts, study);
}
