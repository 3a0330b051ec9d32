/* The record of the study of covariance matching. */
#include "matching.h"

#include <math.h>

/* Relative to the loss, where that is not rounding itself. */
static double relative_gap(const lnt_matching *c, const lnt_match_fit *fit)
{
    double least = 1e-16 * c->task.problem.target2;
    return fit->gap / fmax(fit->loss, fmax(least, 1e-300));
}

static bool is_full(const lnt_matching *c)
{
    return c->opts->method == LNT_MATCHING_FULL && c->opts->rank == 0;
}

/* What the lambda is chosen by. */
static double criterion(const lnt_matching *c, const lnt_matching_answer *a, int k)
{
    if (c->folds)
        return c->cv.ratio_all[k];
    return a->ratio[lnt_matching_has_part(&c->task, LNT_TEST) ? LNT_TEST : LNT_TRAIN];
}

/* ---- The path ---- */

static int largest_lambda(const lnt_matching *c)
{
    int largest = 0;
    for (int k = 1; k < c->count; k++)
        largest = c->lambda[k] > c->lambda[largest] ? k : largest;
    return largest;
}

/* Where Newton's method set out from, as lnt_match_full() says. */
static const char *start(const lnt_matching *c, int k)
{
    return k == largest_lambda(c) && c->answer[k].linear_radius < 0.5 ? "linear solution" : "larger lambda";
}

static void put_path(lnt_record *record, const lnt_matching *c)
{
    static const char *const verdicts[] = {"trust", "doubt", "distrust"};
    const lnt_matching_task *t = &c->task;
    lnt_table *table = lnt_record_table(record, "path");
    for (int k = 0; k < c->count; k++) {
        const lnt_matching_answer *a = &c->answer[k];
        lnt_table_row(table);
        lnt_table_set(table, "lambda", "", lnt_number(c->lambda[k]));
        lnt_table_set(table, "lam0", "", lnt_number(lnt_match_lam0(c->lambda[k], t->cells, t->stimuli)));
        lnt_table_set(table, "loss", "", lnt_known(a->fit.loss));
        lnt_table_set(table, "gap", "", lnt_known(relative_gap(c, &a->fit)));
        lnt_table_set(table, "eta", "", lnt_known(a->eta));
        lnt_table_set(table, "radius", "", lnt_known(a->fit.radius));
        lnt_table_set(table, "r2_train", "", lnt_known(a->r2[LNT_TRAIN]));
        lnt_table_set(table, "r2_test", "", lnt_known(a->r2[LNT_TEST]));
        lnt_table_set(table, "r2_validation", "", lnt_known(a->r2[LNT_VALIDATION]));
        lnt_table_set(table, "ratio", "", lnt_known(criterion(c, a, k)));
        lnt_table_set(table, "ratio_train", "", lnt_known(a->ratio[LNT_TRAIN]));
        lnt_table_set(table, "ratio_test", "", lnt_known(a->ratio[LNT_TEST]));
        lnt_table_set(table, "ratio_validation", "", lnt_known(a->ratio[LNT_VALIDATION]));
        lnt_table_set(table, "r2_held_out", "", c->folds ? lnt_known(c->cv.held[k]) : (lnt_value){0});
        lnt_table_set(table, "ratio_held_out", "", c->folds ? lnt_known(c->cv.held_ratio[k]) : (lnt_value){0});
        lnt_table_set(table, "r2_held_out_with_kept", "", c->folds ? lnt_known(c->cv.kept[k]) : (lnt_value){0});
        lnt_table_set(table, "misfit", "", lnt_known(a->fit.misfit));
        lnt_table_set(table, "norm", "", lnt_known(a->fit.norm));
        lnt_table_set(table, "smallest_eigenvalue", "", lnt_known(a->fit.smallest));
        lnt_table_set(table, "linear_radius", "", lnt_known(a->linear_radius));
        lnt_table_set(table, "linear_verdict", "",
                      c->linear ? lnt_string(verdicts[c->linear[k].fit.verdict]) : (lnt_value){0});
        lnt_table_set(table, "global", "", is_full(c) ? lnt_flag(a->fit.global) : (lnt_value){0});
        lnt_table_set(table, "start", "", is_full(c) ? lnt_string(start(c, k)) : (lnt_value){0});
        lnt_table_set(table, "steps", "", lnt_integer(a->searched ? a->search.steps : a->fit.steps));
        lnt_table_set(table, "chosen", "", lnt_flag(k == c->chosen));
    }
}

/* ---- The solution, and what it is compared with ---- */

static void largest_weights(lnt_mat W, double *diagonal, double *lateral)
{
    *diagonal = *lateral = 0;
    for (int j = 0; j < W.cols; j++)
        for (int i = 0; i < W.rows; i++) {
            double *most = i == j ? diagonal : lateral;
            *most = fmax(*most, fabs(*lnt_at(W, i, j)));
        }
}

/* |ZX - X|, the change of activity. */
static lnt_status moved(lnt_ctx *ctx, double *distance, const lnt_matching *c, const lnt_matching_answer *a)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat ZX;
    *distance = NAN;
    if (c->task.G.a)
        return LNT_OK;
    lnt_status status = lnt_mat_alloc(ctx, &ZX, c->task.cells, c->task.stimuli);
    if (status == LNT_OK)
        status = lnt_matching_apply(ctx, ZX, c, a, c->task.X[0]);
    if (status == LNT_OK) {
        lnt_mat_add(ZX, -1, c->task.X[0]);
        *distance = lnt_mat_norm(ZX);
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

static lnt_status put_solution(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c, lnt_mat W)
{
    const lnt_matching_answer *a = &c->answer[c->chosen];
    double diagonal = NAN, lateral = NAN, distance, lambda = c->lambda[c->chosen];
    lnt_status status = moved(ctx, &distance, c, a);
    if (W.a)
        largest_weights(W, &diagonal, &lateral);
    lnt_table *table = lnt_record_table(record, "solution");
    lnt_table_row(table);
    lnt_table_set(table, "method", "", lnt_string(lnt_matching_methods[c->opts->method]));
    lnt_table_set(table, "lambda", "", lnt_number(lambda));
    lnt_table_set(table, "lam0", "", lnt_number(lnt_match_lam0(lambda, c->task.cells, c->task.stimuli)));
    lnt_table_set(table, "loss", "", lnt_known(a->fit.loss));
    lnt_table_set(table, "gap", "", lnt_known(relative_gap(c, &a->fit)));
    lnt_table_set(table, "r2_train", "", lnt_known(a->r2[LNT_TRAIN]));
    lnt_table_set(table, "r2_test", "", lnt_known(a->r2[LNT_TEST]));
    lnt_table_set(table, "r2_validation", "", lnt_known(a->r2[LNT_VALIDATION]));
    lnt_table_set(table, "ratio", "", lnt_known(criterion(c, a, c->chosen)));
    lnt_table_set(table, "norm", "", lnt_known(a->fit.norm));
    lnt_table_set(table, "misfit", "", lnt_known(a->fit.misfit));
    lnt_table_set(table, "penalty", "", lnt_known(a->fit.penalty));
    lnt_table_set(table, "moved", "", lnt_known(distance));
    lnt_table_set(table, "eta", "", lnt_known(a->eta));
    lnt_table_set(table, "radius", "", lnt_known(a->fit.radius));
    lnt_table_set(table, "smallest_eigenvalue", "", lnt_known(a->fit.smallest));
    lnt_table_set(table, "largest_diagonal", "", lnt_known(diagonal));
    lnt_table_set(table, "largest_off_diagonal", "", lnt_known(lateral));
    lnt_table_set(table, "lambda_diagonal", "", lnt_known(c->opts->lambda_diagonal));
    lnt_table_set(
        table, "rank", "",
        lnt_integer(c->opts->rank > 0 && c->opts->rank < c->task.problem.rank ? c->opts->rank : c->task.problem.rank));
    lnt_table_set(table, "worst_start", "", a->searched ? lnt_number(a->search.worst) : (lnt_value){0});
    return status;
}

static void put_model(lnt_record *record, const lnt_matching *c, const char *name, const lnt_matching_answer *a, int k)
{
    const double *r2 = a ? a->r2 : c->base_r2;
    lnt_table *table = lnt_record_table(record, "comparison");
    lnt_table_row(table);
    lnt_table_set(table, "model", "", lnt_string(name));
    lnt_table_set(table, "lambda", "", k >= 0 ? lnt_number(c->lambda[k]) : (lnt_value){0});
    lnt_table_set(table, "lam0", "",
                  k >= 0 ? lnt_number(lnt_match_lam0(c->lambda[k], c->task.cells, c->task.stimuli)) : (lnt_value){0});
    lnt_table_set(table, "r2_train", "", lnt_known(r2[LNT_TRAIN]));
    lnt_table_set(table, "r2_test", "", lnt_known(r2[LNT_TEST]));
    lnt_table_set(table, "r2_validation", "", lnt_known(r2[LNT_VALIDATION]));
    lnt_table_set(table, "ratio_train", "", lnt_known(a ? a->ratio[LNT_TRAIN] : 1));
    lnt_table_set(table, "ratio_validation", "",
                  lnt_matching_has_part(&c->task, LNT_VALIDATION) ? lnt_known(a ? a->ratio[LNT_VALIDATION] : 1)
                                                                  : (lnt_value){0});
    lnt_table_set(table, "norm", "", lnt_known(a ? a->fit.norm : 0));
}

static void put_comparison(lnt_record *record, const lnt_matching *c)
{
    static const char *const exact[] = {"min-weight", "transport", "coral", "zca"};
    const char *name = lnt_matching_methods[c->opts->method];
    put_model(record, c, "no change", NULL, -1);
    if (c->exact) {
        for (int k = 0; k < 4; k++) {
            put_model(record, c, exact[k], &c->other[k], 0);
            lnt_table_set(lnt_record_table(record, "comparison"), "moved", "", lnt_known(c->moved[k]));
        }
        return;
    }
    if (c->opts->method != LNT_MATCHING_LINEAR) {
        put_model(record, c, "linear, same lambda", &c->linear[c->chosen], c->chosen);
        if (!c->given && c->chosen_linear != c->chosen)
            put_model(record, c, "linear, its own best", &c->linear[c->chosen_linear], c->chosen_linear);
    }
    put_model(record, c, name, &c->answer[c->chosen], c->chosen);
}

/* ---- Facts ---- */

static void put_selection(lnt_record *record, const lnt_matching *c)
{
    bool test = lnt_matching_has_part(&c->task, LNT_TEST);
    const char *by = c->given ? "given" : c->folds ? "cross-validation" : test ? "test trial" : "the first one given";
    double lambda = c->lambda[c->chosen];
    lnt_record_fact(record, "selection", "by", "", lnt_string(by));
    lnt_record_fact(record, "selection", "criterion", "", lnt_string(c->opts->choose ? "r2" : "ratio"));
    lnt_record_fact(record, "selection", "lambda", "", lnt_number(lambda));
    lnt_record_fact(record, "selection", "lam0", "",
                    lnt_number(lnt_match_lam0(lambda, c->task.cells, c->task.stimuli)));
    lnt_record_fact(record, "selection", "folds", "", lnt_integer(c->folds));
    if (!c->given && !c->folds && !test)
        lnt_record_warn(record,
                        "there is nothing to choose lambda by, so the first one is taken: hold out stimuli (--cv 6) "
                        "or a trial (--test-inputs, --test-outputs)");
    bool edge = !c->given && (c->folds || test) && c->count > 2;
    for (int k = 0, below = 0, above = 0; k < c->count && edge; k++) {
        below += c->lambda[k] < lambda;
        above += c->lambda[k] > lambda;
        if (k == c->count - 1 && (below == 0 || above == 0))
            lnt_record_warn(record, "the best lambda is the %s of the path: extend it",
                            below == 0 ? "least" : "largest");
    }
}

static void put_certificate(lnt_record *record, const lnt_matching *c)
{
    const lnt_match_fit *fit = &c->answer[c->chosen].fit;
    const lnt_match_certificate *z = &c->certificate;
    bool full = is_full(c) || c->exact, tight = c->task.problem.slack > 1e-10;
    bool global = full ? fit->global : c->has_certificate && z->global;
    double gap = full ? relative_gap(c, fit) : c->has_certificate ? z->gap : NAN;
    lnt_record_fact(record, "certificate", "global", "", lnt_flag(global));
    lnt_record_fact(record, "certificate", "gap", "", lnt_known(gap));
    lnt_record_fact(record, "certificate", "smallest_eigenvalue", "",
                    lnt_known(isfinite(fit->smallest) || !c->has_certificate ? fit->smallest : z->smallest));
    lnt_record_fact(record, "certificate", "loss", "", lnt_known(fit->loss));
    lnt_record_fact(record, "certificate", "bound", "",
                    lnt_known(full                 ? fit->bound
                              : c->has_certificate ? z->bound
                                                   : NAN));
    lnt_record_fact(record, "certificate", "gradient", "",
                    c->has_certificate ? lnt_known(z->gradient) : (lnt_value){0});
    lnt_record_fact(record, "certificate", "tight", "", lnt_flag(tight));
    if (!is_full(c))
        return;
    static const char *const stops[] = {"converged", "rounding", "stalled", "out of steps", "cancelled"};
    lnt_record_fact(record, "certificate", "stop", "", lnt_string(stops[fit->stop]));
    lnt_record_fact(record, "certificate", "start", "", lnt_string(start(c, c->chosen)));
    if (tight) {
        lnt_record_check(record, "relative duality gap", gap, 0, c->opts->tolerance);
    } else if (!global) {
        lnt_record_warn(
            record,
            "the dual is not tight here: this is the best of %d starts of a local search, and the least loss "
            "lies between %.6g and %.6g; optimality is not claimed",
            c->opts->starts, fit->bound, fit->loss);
    } else {
        lnt_record_warn(record, "the dual is not tight here, but the gap has closed all the same");
    }
}

static lnt_status put_linearisation(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c)
{
    const lnt_matching_answer *a = &c->answer[c->chosen];
    const lnt_match *m = &c->task.problem;
    double misfit = NAN, r2 = NAN;
    lnt_status status = LNT_OK;
    if (!c->linear)
        return LNT_OK;
    if (m->centred && m->pairs == 1 && is_full(c) && !a->fit.T.a)
        status = lnt_match_balance(ctx, &misfit, &r2, NULL, NULL, m, &a->fit);
    const lnt_match_fit *linear = &c->linear[c->chosen].fit;
    lnt_record_fact(record, "linearisation", "eta", "", lnt_known(a->eta));
    lnt_record_fact(record, "linearisation", "radius", "", lnt_known(a->linear_radius));
    lnt_record_fact(record, "linearisation", "balance_misfit", "", lnt_known(misfit));
    lnt_record_fact(record, "linearisation", "balance_r2", "", lnt_known(r2));
    lnt_record_fact(record, "linearisation", "linear_loss", "", lnt_known(linear->loss));
    bool linear_answer =
        c->opts->method == LNT_MATCHING_LINEAR || (c->opts->method < LNT_MATCHING_DIAGONAL_FULL &&
                                                   c->opts->method >= LNT_MATCHING_DIAGONAL && !c->opts->quadratic);
    const char *effect = linear_answer ? "the square of W, which was left out, matters: use --method full"
                                       : "the linear model is not to be used here; this method keeps the square of W";
    lnt_record_assumption(record, "linearisation: radius of the linear weights", a->linear_radius, 0.3, effect);
    lnt_record_assumption(record, "linearisation: eta, its estimated relative error", a->eta, 0.05, effect);
    if (linear_answer && linear->verdict == LNT_MATCH_DISTRUST)
        lnt_record_warn(
            record,
            "do not use this linear solution: radius %.3g (limit 0.3), estimated relative error eta = %.2g; "
            "--method full solves the whole problem",
            a->linear_radius, a->eta);
    else if (linear_answer && linear->verdict == LNT_MATCH_DOUBT)
        lnt_record_warn(record, "the linear solution is in doubt: estimated relative error eta = %.2g (limit 0.05)",
                        a->eta);
    return status;
}

static void put_search(lnt_record *record, const lnt_matching *c)
{
    const lnt_matching_answer *a = &c->answer[c->chosen];
    if (!a->searched)
        return;
    lnt_record_fact(record, "search", "starts", "", lnt_integer(c->opts->starts));
    lnt_record_fact(record, "search", "steps", "", lnt_integer(a->search.steps));
    lnt_record_fact(record, "search", "worst_loss", "", lnt_number(a->search.worst));
    lnt_record_fact(record, "search", "converged", "", lnt_flag(a->search.converged));
    if (!a->search.converged)
        lnt_record_warn(record, "the search ran out of steps before its gradient vanished: the loss may fall further");
    if (a->search.worst > a->search.loss * (1 + 1e-6))
        lnt_record_warn(record,
                        "the starts ended at different losses, %.6g to %.6g: this problem is not convex, and a better "
                        "minimum may exist",
                        a->search.loss, a->search.worst);
}

/* ---- Arrays ---- */

static lnt_status put_arrays(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c, lnt_mat W)
{
    const lnt_matching_answer *a = &c->answer[c->chosen];
    const lnt_matching_task *t = &c->task;
    lnt_mat B;
    if (W.a)
        lnt_record_matrix(record, "weights", "", &W, 1);
    if (a->d)
        lnt_record_vector(record, "diagonal", "", a->d, t->cells);
    if (t->Z0.a)
        lnt_record_matrix(record, "reference", "", &t->Z0, 1);
    if (a->d || a->W.a || a->fit.T.a || t->pairs > 1 || t->problem.rank == 0)
        return LNT_OK;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = lnt_mat_alloc(ctx, &B, t->stimuli, t->stimuli);
    if (status == LNT_OK)
        status = lnt_match_representer(ctx, B, &t->problem, &a->fit);
    if (status == LNT_OK)
        lnt_record_matrix(record, "representer", "", &B, 1);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_matching_report(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c)
{
    lnt_mat W = {0};
    lnt_status status = LNT_OK;
    if (!c->task.G.a) {
        status = lnt_mat_alloc(ctx, &W, c->task.cells, c->task.cells);
        if (status == LNT_OK)
            status = lnt_matching_weights(ctx, W, c, &c->answer[c->chosen]);
    } else {
        lnt_record_warn(record,
                        "from covariances alone there are no weights of cells: the array representer has B with W = "
                        "JXBX'");
    }
    if (status != LNT_OK)
        return status;
    lnt_matching_put_task(record, &c->task);
    put_selection(record, c);
    put_path(record, c);
    status = put_solution(ctx, record, c, W);
    put_comparison(record, c);
    put_certificate(record, c);
    put_search(record, c);
    lnt_record_assumption(record, "tight dual: share of the vector 1 in the span of the inputs",
                          fmax(0, 1 - c->task.problem.slack), 1 - 1e-10,
                          "the global optimum may not be certified; the gap says what is left open");
    if (status == LNT_OK)
        status = put_linearisation(ctx, record, c);
    if (status == LNT_OK)
        status = put_arrays(ctx, record, c, W);
    return status == LNT_OK ? lnt_matching_figures(ctx, record, c, W) : status;
}
