/* What a regularisation path found. */
#include "regress.h"

#include <math.h>
#include <string.h>

static int worst(const lnt_regress_run *r)
{
    int k = 0;
    for (int i = 1; i < r->done; i++)
        k = r->at[i].gap > r->at[k].gap ? i : k;
    return k;
}

/* ---- Facts ---- */

static void put_problem(lnt_record *record, const lnt_regress_run *r)
{
    const lnt_rows *rows = &r->rows;
    const char *kind = r->alpha == 1 ? "lasso" : r->alpha > 0 ? "elastic" : "ridge";
    lnt_record_fact(record, "problem", "penalty", "", lnt_string(kind));
    lnt_record_fact(record, "problem", "alpha", "", lnt_number(r->alpha));
    lnt_record_fact(record, "problem", "rows", "", lnt_integer(rows->n));
    lnt_record_fact(record, "problem", "features", "", lnt_integer(rows->features));
    lnt_record_fact(record, "problem", "targets", "", lnt_integer(rows->targets));
    if (r->opts->target >= 0)
        lnt_record_fact(record, "problem", "target", "", lnt_integer(r->opts->target));
    lnt_record_fact(record, "problem", "constant_features", "", lnt_integer(rows->constant));
    lnt_record_fact(record, "problem", "equal_features", "", lnt_integer(rows->equal));
    lnt_record_fact(record, "problem", "density", "", lnt_number(rows->density));
    lnt_record_fact(record, "problem", "storage", "", lnt_string(rows->X.start ? "sparse" : "dense"));
    lnt_record_fact(record, "problem", "lambda_max", "", lnt_number(r->lambda_max));
    lnt_record_fact(record, "problem", "null_primal", "", lnt_number(r->null_loss));
    if (r->knots) {
        lnt_record_fact(record, "homotopy", "knots", "", lnt_integer(r->knots));
        lnt_record_fact(record, "homotopy", "drops", "", lnt_integer(r->drops));
        lnt_record_fact(record, "homotopy", "violation", "", lnt_number(r->violation));
    }
    if (r->alpha > 0)
        return;
    lnt_record_fact(record, "ridge", "rank", "", lnt_integer(r->rank));
    lnt_record_fact(record, "ridge", "largest_eigenvalue", "", lnt_number(r->largest * r->largest));
    lnt_record_fact(record, "ridge", "smallest_eigenvalue", "", lnt_number(r->smallest * r->smallest));
}

static void put_certificate(lnt_record *record, const lnt_regress_run *r)
{
    int k = worst(r), unconverged = 0;
    double kkt = 0;
    for (int i = 0; i < r->done; i++) {
        unconverged += !r->at[i].converged;
        kkt = fmax(kkt, r->at[i].kkt);
    }
    double relative = r->at[k].gap / r->null_loss;
    lnt_record_fact(record, "certificate", "gap", "", lnt_number(r->at[k].gap));
    lnt_record_fact(record, "certificate", "relative_gap", "", lnt_number(relative));
    lnt_record_fact(record, "certificate", "tolerance", "", lnt_number(r->opts->gap));
    lnt_record_fact(record, "certificate", "unconverged", "", lnt_integer(unconverged));
    lnt_record_fact(record, "certificate", "kkt", "", lnt_known(kkt));
    lnt_record_check(record, "largest duality gap, relative", relative, 0, r->opts->gap);
    if (unconverged)
        lnt_record_warn(record,
                        "%d of %d penalties did not reach the relative gap %g: the largest is %.3g, at lambda = %.6g; "
                        "raise --max-epochs, or --gap",
                        unconverged, r->done, r->opts->gap, relative, r->at[k].lambda);
}

static void put_validation(lnt_record *record, const lnt_regress_run *r)
{
    const lnt_path_cv *cv = &r->cv;
    if (!cv->folds)
        return;
    lnt_record_fact(record, "cv", "folds", "", lnt_integer(cv->folds));
    lnt_record_fact(record, "cv", "lambda_min", "", lnt_number(r->lambda[cv->best]));
    lnt_record_fact(record, "cv", "lambda_1se", "", lnt_number(r->lambda[cv->one_se]));
    lnt_record_fact(record, "cv", "index_min", "", lnt_integer(cv->best));
    lnt_record_fact(record, "cv", "index_1se", "", lnt_integer(cv->one_se));
    lnt_record_fact(record, "cv", "error_min", "", lnt_number(cv->mean[cv->best]));
    lnt_record_fact(record, "cv", "se_min", "", lnt_number(cv->se[cv->best]));
    if (!cv->converged)
        lnt_record_warn(record,
                        "some fits of the cross-validation did not reach the gap; raise --max-epochs, or --gap");
    if (cv->best == r->count - 1 && r->count > 1 && r->lambda[cv->best] > 0)
        lnt_record_warn(record, "the cross-validated error is least at the smallest lambda: a smaller --min-ratio may "
                                "lower it further");
}

static void put_warnings(lnt_record *record, const lnt_regress_run *r)
{
    const lnt_rows *rows = &r->rows;
    bool zero = r->lambda[r->done - 1] == 0;
    if (r->cancelled) {
        lnt_record_set_interrupted(record);
        lnt_record_warn(record, "interrupted: %d of %d penalties were reached%s", r->done, r->count,
                        r->opts->cv ? ", and there is no cross-validation" : "");
    }
    if (rows->constant)
        lnt_record_warn(record, "%d of the %d features are constant: their coefficients are 0", rows->constant,
                        rows->features);
    if (rows->equal && r->alpha == 1)
        lnt_record_warn(
            record,
            "features that equal an earlier one: %d, the first is %d, equal to %d (from 0); how they share a "
            "coefficient is arbitrary for the lasso, an elastic net shares it equally",
            rows->equal, rows->first_equal[1], rows->first_equal[0]);
    if (rows->constant_targets)
        lnt_record_warn(record, "%d of the %d targets are constant: their coefficients are 0", rows->constant_targets,
                        rows->targets);
    if (zero && rows->n - r->opts->intercept < rows->features - rows->constant)
        lnt_record_warn(record, "at lambda = 0 more features than rows fit the rows exactly: the solution is that of "
                                "least norm among them");
}

/* ---- Tables ---- */

static void put_path(lnt_record *record, const lnt_regress_run *r)
{
    lnt_table *table = lnt_record_table(record, "path");
    for (int k = 0; k < r->done; k++) {
        const lnt_regress_point *at = &r->at[k];
        lnt_table_row(table);
        lnt_table_set(table, "lambda", "", lnt_number(at->lambda));
        lnt_table_set(table, "primal", "", lnt_number(at->primal));
        lnt_table_set(table, "gap", "", lnt_number(at->gap));
        lnt_table_set(table, "nnz", "", lnt_integer(at->nonzero));
        lnt_table_set(table, "iterations", "", lnt_integer(at->iterations));
        if (r->alpha == 0)
            lnt_table_set(table, "loo", "", lnt_known(at->loo));
        if (r->alpha == 0 || r->alpha == 1)
            lnt_table_set(table, "gcv", "", lnt_known(at->gcv));
        if (r->cv.folds) {
            lnt_table_set(table, "cv", "", lnt_number(r->cv.mean[k]));
            lnt_table_set(table, "cv_se", "", lnt_number(r->cv.se[k]));
        }
        if (r->rows.tests)
            lnt_table_set(table, "test", "", lnt_number(at->test));
        lnt_table_set(table, "explained", "", lnt_known(at->explained));
        if (r->alpha == 0 || r->alpha == 1)
            lnt_table_set(table, "df", "", lnt_known(at->freedom));
        lnt_table_set(table, "loss", "", lnt_number(at->loss));
        lnt_table_set(table, "relative_gap", "", lnt_number(at->gap / r->null_loss));
        lnt_table_set(table, "kkt", "", lnt_known(at->kkt));
    }
}

static void put_choice(lnt_record *record, const lnt_regress_run *r, const char *name, int k, double error, double se)
{
    lnt_table *table = lnt_record_table(record, "choices");
    const lnt_regress_point *at = &r->at[k];
    lnt_table_row(table);
    lnt_table_set(table, "choice", "", lnt_string(name));
    lnt_table_set(table, "lambda", "", lnt_number(at->lambda));
    lnt_table_set(table, "index", "", lnt_integer(k));
    lnt_table_set(table, "error", "", lnt_number(error));
    lnt_table_set(table, "se", "", lnt_known(se));
    lnt_table_set(table, "nnz", "", lnt_integer(at->nonzero));
    lnt_table_set(table, "explained", "", lnt_known(at->explained));
    lnt_table_set(table, "test", "", lnt_known(at->test));
}

static void put_choices(lnt_record *record, const lnt_regress_run *r)
{
    const lnt_path_cv *cv = &r->cv;
    if (cv->folds) {
        put_choice(record, r, "lambda.min", cv->best, cv->mean[cv->best], cv->se[cv->best]);
        put_choice(record, r, "lambda.1se", cv->one_se, cv->mean[cv->one_se], cv->se[cv->one_se]);
    }
    if (r->best_loo >= 0)
        put_choice(record, r, "leave-one-out", r->best_loo, r->at[r->best_loo].loo, NAN);
    if (r->best_gcv >= 0)
        put_choice(record, r, "gcv", r->best_gcv, r->at[r->best_gcv].gcv, NAN);
}

/* Estimates of one error, at the penalty that was chosen. */
static void put_deviations(lnt_record *record, const lnt_regress_run *r)
{
    const lnt_path_cv *cv = &r->cv;
    if (r->best_loo >= 0)
        lnt_record_deviation(record, "leave-one-out error, gcv", r->at[r->best_loo].loo, r->at[r->best_loo].gcv, NAN,
                             NAN);
    if (cv->folds && isfinite(r->at[cv->best].loo))
        lnt_record_deviation(record, "cross-validated error at lambda.min, leave-one-out", cv->mean[cv->best],
                             r->at[cv->best].loo, NAN, cv->se[cv->best]);
    else if (cv->folds && isfinite(r->at[cv->best].gcv))
        lnt_record_deviation(record, "cross-validated error at lambda.min, gcv", cv->mean[cv->best],
                             r->at[cv->best].gcv, NAN, cv->se[cv->best]);
    if (cv->folds && r->rows.tests)
        lnt_record_deviation(record, "error of the rows held out at lambda.min, cross-validated", r->at[cv->best].test,
                             cv->mean[cv->best], NAN, NAN);
}

/* ---- Arrays ---- */

static lnt_status put_arrays(lnt_ctx *ctx, lnt_record *record, const lnt_regress_run *r)
{
    const lnt_rows *rows = &r->rows;
    lnt_record_vector(record, "path/lambda", "", r->lambda, r->done);
    if (rows->targets == 1) {
        lnt_record_samples(record, "path/coefficients", "", lnt_columns(r->W, 0, r->done));
        lnt_record_vector(record, "path/intercept", "", r->intercept.a, r->done);
    } else {
        lnt_mat *W = lnt_alloc(ctx, (size_t)r->done, sizeof *W);
        if (!W)
            return LNT_ENOMEM;
        for (int k = 0; k < r->done; k++)
            W[k] = lnt_regress_coefficients(r, k);
        lnt_record_stack(record, "path/coefficients", "", W, r->done);
        lnt_record_samples(record, "path/intercept", "", lnt_columns(r->intercept, 0, r->done));
    }
    if (r->cv.folds) {
        double *fold = lnt_alloc(ctx, (size_t)rows->n, sizeof *fold);
        if (!fold)
            return LNT_ENOMEM;
        for (int i = 0; i < rows->n; i++)
            fold[i] = r->fold[i];
        lnt_record_vector(record, "cv/fold", "", fold, rows->n);
        lnt_record_matrix(record, "cv/errors", "", &r->cv.error, 1);
    }
    if (r->knots)
        lnt_record_vector(record, "path/knots", "", r->knot, r->knots);
    return LNT_OK;
}

lnt_status lnt_regress_report(lnt_ctx *ctx, lnt_record *record, const lnt_regress_run *r)
{
    put_problem(record, r);
    put_certificate(record, r);
    put_validation(record, r);
    put_warnings(record, r);
    put_choices(record, r);
    put_path(record, r);
    put_deviations(record, r);
    return put_arrays(ctx, record, r);
}
