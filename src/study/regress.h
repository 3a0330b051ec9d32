/* The parts of the studies of regression on rows of data: the rows, the paths and their certificates, the report. */
#ifndef LINNET_REGRESS_H
#define LINNET_REGRESS_H

#include "linnet/path.h"
#include "linnet/study.h"

/* The rows of a regression as its solvers want them. */
typedef struct lnt_rows {
    int n, features, tests; /* rows to fit, rows held out */
    int columns, targets;   /* targets of the data, and those that are fitted */
    bool classes;           /* the targets are one-hot classes */
    lnt_design X, test;     /* test.n = 0: none */
    lnt_mat Y, test_Y;      /* n x targets, a target per column */
    double *weight;         /* n values of mean 1, or NULL: all 1 */
    double *test_weight;    /* likewise */
    double density;         /* share of the inputs that is not 0 */
    double *centre, *scale; /* of each feature, as path.h prepares them; scale 0: constant, left out */
    double *mean;           /* of each target, 0 without an intercept */
    int constant, equal;    /* features that are constant, that equal an earlier one */
    int first_equal[2];     /* the first two of those */
    int constant_targets;
} lnt_rows;

typedef struct lnt_rows_opts {
    const lnt_task_opts *task;
    const char *row_weights;
    int target; /* LNT_AUTO: all */
    bool intercept, standardize, sparse;
    uint64_t seed;
    int threads;
} lnt_rows_opts;

/* Reads, prepares and describes the rows; facts of the preparation go into the record. LNT_EDOMAIN for constant
 * targets. */
lnt_status lnt_rows_make(lnt_ctx *ctx, lnt_record *record, lnt_rows *rows, const lnt_rows_opts *opts);
static inline double lnt_row_weight(const double *weight, int i)
{
    return weight ? weight[i] : 1;
}
/* Mean square of y - fit over some rows, summed over the targets; W features x targets, a the intercepts. */
lnt_status lnt_rows_error(lnt_ctx *ctx, double *error, const lnt_design *X, lnt_mat Y, const double *weight, lnt_mat W,
                          const double *intercept);

typedef struct lnt_regress_point {
    double lambda, primal, gap, kkt, loss, explained, freedom, loo, gcv, test; /* NaN where there is none */
    int nonzero;
    long iterations;
    bool converged;
} lnt_regress_point;

/* What every fit of a path gives. */
typedef struct lnt_regress_run {
    const lnt_regress_path_opts *opts;
    double alpha;
    lnt_rows rows;
    lnt_path_opts fit; /* with all penalties */
    double *lambda;    /* descending */
    int count, done;   /* penalties, and those that were reached */
    lnt_regress_point *at;
    lnt_mat W;         /* features*targets x count: the coefficients, a column per penalty */
    lnt_mat intercept; /* targets x count */
    double null_loss, lambda_max;
    int rank; /* of ridge */
    double largest, smallest;
    int best_loo, best_gcv; /* -1: none */
    int *fold;
    lnt_path_cv cv; /* folds = 0: none */
    bool cancelled;
    int knots; /* of the homotopy */
    long drops;
    double violation, *knot;
} lnt_regress_run;

static inline lnt_mat lnt_regress_coefficients(const lnt_regress_run *r, int k)
{
    return lnt_mat_view(lnt_at(r->W, 0, k), r->rows.features, r->rows.targets);
}

/* r->fit.lambda, count, alpha. */
lnt_status lnt_regress_penalties(lnt_ctx *ctx, lnt_regress_run *r);
/* Objective, gap and kkt of the coefficients of point k, computed from the data, whatever found them. */
lnt_status lnt_regress_certify(lnt_ctx *ctx, lnt_regress_run *r, int k);
lnt_status lnt_regress_solve(lnt_ctx *ctx, lnt_regress_run *r);
lnt_status lnt_regress_homotopy(lnt_ctx *ctx, lnt_regress_run *r);
lnt_status lnt_regress_ridge(lnt_ctx *ctx, lnt_regress_run *r);
/* Errors of ridge regression of several targets by k-fold cross-validation at opts->lambda, one decomposition a fold;
 * fold as lnt_path_validate() has it. */
lnt_status lnt_ridge_validate(lnt_ctx *ctx, lnt_path_cv *cv, const lnt_rows *rows, const int *fold, int folds,
                              int threads, const lnt_path_opts *opts);
/* score <- lnt_ridge_scores() summed over the targets, but for freedom, which is the same for each. */
lnt_status lnt_ridge_score_all(lnt_ctx *ctx, lnt_ridge_score *score, const lnt_ridge *ridge, double lambda);
lnt_status lnt_regress_report(lnt_ctx *ctx, lnt_record *record, const lnt_regress_run *r);
lnt_status lnt_regress_figure(lnt_ctx *ctx, lnt_record *record, const lnt_regress_run *r);
extern const lnt_option lnt_regress_path_options[];

#endif
