/* The parts of the study of calibration. */
#ifndef LINNET_CALIBRATION_H
#define LINNET_CALIBRATION_H

#include "linnet/derivatives.h"
#include "linnet/diagnose.h"
#include "linnet/posterior.h"
#include "linnet/study_sample.h"

typedef enum lnt_calibrated_method { LNT_BY_NUTS, LNT_BY_LAPLACE, LNT_BY_PRECISION } lnt_calibrated_method;
typedef enum lnt_calibrated_quantity { LNT_OF_OUTPUT, LNT_OF_WEIGHTS, LNT_OF_LIKELIHOOD } lnt_calibrated_quantity;
#define LNT_CALIBRATED_METHODS 3
#define LNT_CALIBRATED_QUANTITIES 3

/* What one run leaves behind. */
typedef struct lnt_calibrated {
    bool done;
    int rank[LNT_CALIBRATED_METHODS][LNT_CALIBRATED_QUANTITIES];
    int thinning;
    bool dependent;                /* the thinning that was wanted is above the most */
    double divergences, gradients; /* of the chain; gradients with those of warm-up */
    double widening;               /* log of the deviation of f(x*) by the precision over that by Laplace */
} lnt_calibrated;

/* What all runs share. */
typedef struct lnt_calibrating {
    const lnt_calibrating_opts *opts;
    int *width; /* of the layers */
    lnt_layers layers;
    int n, k;
    lnt_mat X, point; /* inputs x n; inputs x 1 */
    lnt_model model, model_at_point;
    lnt_prior prior;
    double alpha;
    lnt_calibrated *run;
} lnt_calibrating;

/* Run `index` of an lnt_calibrating; unless it is cancelled it is done then. */
lnt_status lnt_calibrating_run(lnt_ctx *ctx, int index, void *calibrating);
lnt_status lnt_calibrating_report(lnt_ctx *ctx, lnt_record *record, const lnt_calibrating *c);

extern const lnt_option lnt_calibrating_options[];

#endif
