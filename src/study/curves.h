/* The parts of the study of learning curves: the arms, the runs, the theory, the report. */
#ifndef LINNET_CURVES_H
#define LINNET_CURVES_H

#include "linnet/lasso_risk.h"
#include "linnet/path.h"
#include "linnet/quadratic.h"
#include "linnet/spectrum.h"
#include "linnet/student.h"
#include "linnet/study.h"

#define LNT_MOST_ARMS 16
#define LNT_CURVES_GAP 1e-9 /* duality gap of the converged lasso, relative to the objective at 0 */

/* One learner as it was asked for, before its automatic hyper-parameters are known. */
typedef struct lnt_curve_arm {
    const char *name;
    bool ridge, l1, momentum;
    lnt_learner_kind kind;
} lnt_curve_arm;

/* What was measured of the converged lasso. */
typedef struct lnt_converged {
    double gen, train, gap; /* gap relative to the objective at 0 */
    int nnz;
} lnt_converged;

/* Of a loss over the data sets, at each epoch. */
typedef struct lnt_average {
    double *mean, *sd;
} lnt_average;

typedef struct lnt_curves {
    const lnt_curves_opts *opts;
    double q;
    int sparse; /* entries of T that are not 0; D for a dense one, 0 for none */
    lnt_teacher_opts teacher;
    double *T, *S0;
    double start2, overlap, teacher2, noise2; /* realised */
    int arms;
    lnt_curve_arm arm[LNT_MOST_ARMS];
    double *times; /* of the flow, or NULL */

    /* Of each run r: losses after each epoch (epochs + 1 x arms), [1] iterated where both are asked for; its learners;
     * the extreme eigenvalues; where it ends. */
    lnt_mat *gen[2], *train[2];
    lnt_learner (*learner)[LNT_MOST_ARMS];
    double *low, *high;
    lnt_mat end; /* D x arms, of the first run */
    int (*nnz)[LNT_MOST_ARMS], (*hits)[LNT_MOST_ARMS];
    lnt_converged (*converged)[LNT_MOST_ARMS];
    double *eigenvalues; /* of the first run, those of the smaller Gram matrix, ascending; min(D, n) */
    bool *finished;
    int done; /* runs that were finished; they come first */

    /* Theory of each arm; a NULL curve where there is none. */
    lnt_smooth_rule asymptotic[LNT_MOST_ARMS]; /* automatic hyper-parameters of infinitely large data sets */
    lnt_smooth_rule rule[LNT_MOST_ARMS];       /* the same for the mean ridge of these data sets */
    lnt_predicted_loss *curve[LNT_MOST_ARMS];
    lnt_predicted_loss limit[LNT_MOST_ARMS]; /* NaN where there is none */
    lnt_lasso_risk lasso[LNT_MOST_ARMS];     /* gen NaN where there is none */
} lnt_curves;

lnt_status lnt_curves_setup(lnt_ctx *ctx, lnt_curves *c, const lnt_curves_opts *opts);
/* The ridge of an arm, and its learner with that ridge, for data with eigenvalues in [low, high]. */
double lnt_curves_ridge(const lnt_curves *c, const lnt_curve_arm *arm, double low, double high);
lnt_learner lnt_curves_learner(const lnt_curves *c, const lnt_curve_arm *arm, double low, double high, double lambda);
/* The population variances that `text` names ("power:A", or a file), count values; NULL for none. */
lnt_status lnt_read_variances(lnt_ctx *ctx, double **variance, const char *text, int count);
/* What the arm's point of rest solves, with the mean momentum of the data sets. */
double lnt_curves_effective_l1(const lnt_curves *c, int arm);
lnt_status lnt_curves_theory(lnt_ctx *ctx, lnt_curves *c);
lnt_status lnt_curves_average(lnt_ctx *ctx, lnt_average *average, const lnt_curves *c, const lnt_mat *loss, int arm);
/* Whether a teacher of that density can be recovered exactly from q samples a feature, without noise. */
void lnt_recovery_facts(lnt_ctx *ctx, lnt_record *record, int features, double density, double q, double noise2);
lnt_status lnt_curves_report(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c);
lnt_status lnt_curves_figures(lnt_ctx *ctx, lnt_record *record, const lnt_curves *c);

extern const lnt_option lnt_curves_options[];

#endif
