/* The parts of the study of how much more data would help. */
#ifndef LINNET_LEARNING_H
#define LINNET_LEARNING_H

#include "linnet/sample_risk.h"
#include "linnet/spectrum.h"
#include "regress.h"

#define LNT_LEARNING_POINTS 3 /* numbers of rows beyond those measured: all, twice, four times as many */

/* One number of rows. */
typedef struct lnt_learning_size {
    int rows;
    lnt_ridge_forecast forecast; /* at the lambda that the draws use */
    double omniscient;
    double mean, sd; /* measured; NaN where none is */
} lnt_learning_size;

typedef struct lnt_learning {
    const lnt_regress_learning_opts *opts;
    lnt_rows rows; /* features prepared: centred and scaled by all rows, constant ones left out */
    lnt_ridge_sample sample;
    double *x, *power, *coefficient; /* eigenvalues; mean squares of the targets along them; sizes of coefficients */
    lnt_population population;
    double noise2, noise_se;
    bool residual; /* the noise variance comes from residuals of least squares */
    int sizes, measured;
    lnt_learning_size *size;
    lnt_mat error;           /* draws x measured */
    lnt_ridge_forecast best; /* at all rows */
    double omniscient_lambda, omniscient_error;
    double *lambda; /* the grid of all rows, descending */
    int count, best_loo;
    double *predicted, *loo; /* along it */
    lnt_path_cv cv;
    bool cancelled;
} lnt_learning;

/* Test error on n rows with all rows as the population, freed of the bias of its estimates. */
lnt_status lnt_learning_omniscient(lnt_ctx *ctx, double *test, const lnt_learning *l, double n, double lambda);
lnt_status lnt_learning_report(lnt_ctx *ctx, lnt_record *record, const lnt_learning *l);
extern const lnt_option lnt_regress_learning_options[];

#endif
