/* The lasso in the limit of many features and samples, and when it recovers a sparse vector exactly. */
#ifndef LINNET_LASSO_RISK_H
#define LINNET_LASSO_RISK_H

#include "linnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_lasso_student {
    int features;    /* D */
    double delta;    /* n/D */
    double density;  /* rho, share of T that is not 0, normal */
    double teacher2; /* |T|^2 */
    double noise2;   /* s2 */
    double lambda;   /* of 1/(2n)|y - X'S|^2 + lambda |S|_1 */
} lnt_lasso_student;

typedef struct lnt_lasso_risk {
    double gen, train; /* 1/2 |S - T|^2; 1/(2n) |y - X'S|^2 */
    double active;     /* share of S that is not 0 */
    double threshold;  /* on S */
    double alpha, tau; /* of state evolution */
} lnt_lasso_risk;

/* State evolution (Donoho, Maleki and Montanari 2011; Bayati and Montanari 2012). */
LNT_API lnt_status lnt_lasso_risk_predict(lnt_ctx *ctx, lnt_lasso_risk *risk, const lnt_lasso_student *student);

/* M(eps): basis pursuit recovers vectors with a share eps of non-zero entries from n/D > M samples a feature, in the
 * limit (Donoho and Tanner 2005; Donoho, Maleki and Montanari 2011). And its inverse: the largest share at delta. */
LNT_API double lnt_recovery_samples(double eps);
LNT_API double lnt_recovery_density(double delta);

#ifdef __cplusplus
}
#endif
#endif
