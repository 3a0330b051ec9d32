/* One data set at one penalty after another, by whichever way suits the penalty. */
#ifndef LINNET_PATH_RUN_H
#define LINNET_PATH_RUN_H

#include "lasso.h"

typedef struct lnt_path_run {
    lnt_path_opts o;
    lnt_problem p;
    lnt_lasso lasso;
    lnt_ridge *ridge; /* NULL until a penalty without lambda1 */
    double *ridge_w, *ridge_r;
    const double *y;
    const double *u, *r; /* coefficients of prepared features and residuals at the last penalty */
} lnt_path_run;

/* Everything lives in scratch memory. */
lnt_status lnt_run_make(lnt_ctx *ctx, lnt_path_run *run, const lnt_design *X, const double *y, const lnt_path_opts *o);
/* lambda[0 .. o.count-1], as lnt_path_grid(). */
void lnt_run_grid(double *lambda, const lnt_path_run *run);
lnt_status lnt_run_solve(lnt_ctx *ctx, lnt_path_run *run, lnt_path_point *point, double lambda);
/* w <- the coefficients of the features as given. */
void lnt_run_coefficients(double *w, const lnt_path_run *run);

#endif
