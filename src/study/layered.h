/* The layered examples: what penalties on two layers do. Parts that the experiments share. */
#ifndef LINNET_STUDY_LAYERED_H
#define LINNET_STUDY_LAYERED_H

#include "linnet/layered.h"
#include "linnet/study.h"

/* One way to train: m <- beta m + gradient + decay w, w <- prox(w - eta m) with the proximal map of l1 |w|_1 + l2/2 w^2
 * for the step eta (naive, as often written) or eta/(1 - beta), which is the one that solves for these penalties. */
typedef struct lnt_arm {
    const char *name, *label;
    double eta, beta, decay, l1, l2;
    bool naive;
} lnt_arm;

/* The penalties whose optimality conditions hold at rest. */
double lnt_arm_l1(const lnt_arm *arm);
double lnt_arm_l2(const lnt_arm *arm);

/* ---- Descent of two layers (layered_units.c) ---- */

/* a' b; a and b must not overlap unless they are the same. And y <- y + a x. */
double lnt_units_dot(const double *a, const double *b, int n);
void lnt_units_add(double *y, double a, const double *x, int n);

/* V phi(M' x): a unit j is the column m_j of M with the weight V_j. A unit whose weights and momenta have all come to 0
 * under a threshold stays there, as its gradients are 0: it is moved behind the live ones and left out, which changes
 * no number. */
typedef struct lnt_units {
    const lnt_arm *arm;
    lnt_mat M, momentum; /* D x H */
    double *V, *V_momentum;
    int *unit; /* which unit stands in a column */
    int live;
} lnt_units;

/* Copies the start M, V. */
lnt_status lnt_units_make(lnt_ctx *ctx, lnt_units *u, const lnt_arm *arm, lnt_mat M, const double *V);
/* S <- M V. */
void lnt_units_product(double *S, const lnt_units *u);
/* A step of a linear student from the gradient G of the loss by S = M V, then S <- M V: in one pass over the weights.
 */
void lnt_units_step_linear(lnt_units *u, double *S, const double *G);
/* A step where the momentum of M holds beta m + gradient already; gV is the gradient by V. */
void lnt_units_step(lnt_units *u, const double *gV);
/* M, V <- the weights, every unit in its own column. */
void lnt_units_copy(lnt_mat M, double *V, const lnt_units *u);

/* ---- Runs of all arms ---- */

typedef enum lnt_layered_track {
    LNT_LOSS_GEN,
    LNT_LOSS_TRAIN,
    LNT_LOSS_VALIDATION,
    LNT_LAYERED_TRACKS
} lnt_layered_track;

/* At the end of a run; NaN where an experiment has no such thing. Names stand in layered_report.c. */
typedef enum lnt_measure {
    LNT_END_GEN,
    LNT_END_TRAIN,
    LNT_END_VALIDATION,
    LNT_RANK,           /* singular values of M above 1e-4 of the largest */
    LNT_EFFECTIVE_RANK, /* lnt_participation() of them */
    LNT_COLUMNS,        /* of M that are not 0 */
    LNT_ACTIVE,         /* units with weights in both layers */
    LNT_NONZERO,        /* share of M that is not 0 */
    LNT_NORM_M,
    LNT_NORM_V,
    LNT_NORM_S,    /* |M V| */
    LNT_IMBALANCE, /* |M'M - VV'|_F */
    LNT_KKT,       /* violation of the optimality conditions for the effective penalties, and for those written */
    LNT_KKT_WRITTEN,
    LNT_UNIT_IMBALANCE, /* lnt_unit_imbalance() at the effective penalties */
    LNT_FROBENIUS,      /* lnt_factor_penalties */
    LNT_UNIT_NORMS,
    LNT_NUCLEAR,
    LNT_L1_LAYERS, /* lnt_l1_penalties */
    LNT_L1_UNITS,
    LNT_L1_MERGED,
    LNT_MEASURES
} lnt_measure;

typedef struct lnt_layered lnt_layered;
/* Trains one arm on the data of one run: fills its tracks by lnt_layered_enter(), then its measures. */
typedef lnt_status lnt_layered_train_fn(lnt_ctx *ctx, const lnt_layered *l, int run, int arm);

struct lnt_layered {
    const lnt_layered_opts *opts;
    const lnt_arm *arm;
    int arms, reference; /* the arm that others are compared with */
    bool linear, validation;
    int runs;              /* whose arms are all finished */
    int points, *epoch;    /* at which losses are kept */
    double *track, *value; /* see lnt_layered_at(), lnt_layered_value() */
    bool *done;            /* run by arm */
    lnt_mat *M;            /* final M of every arm in the first run */
    lnt_layered_train_fn *train;
};

/* The epochs at which losses are kept, all up to 64, then at ratios of 1 + 1/64, and the last; returns how many. list
 * may be NULL. */
int lnt_layered_epochs(int *list, int epochs);
double *lnt_layered_at(const lnt_layered *l, int run, int arm, lnt_layered_track track);
double *lnt_layered_value(const lnt_layered *l, int run, int arm);
/* All values of a measure, run by run. */
void lnt_layered_values(double *x, const lnt_layered *l, int arm, lnt_measure measure);

/* Runs all arms of all runs. LNT_EUSER where it was interrupted before all arms of a run were finished. */
lnt_status lnt_layered_run(lnt_ctx *ctx, lnt_record *record, lnt_layered *l);
/* Before epoch number `epoch`: *point is the next one to be kept. True where these losses must be entered. */
bool lnt_layered_wants(const lnt_layered *l, int point, int epoch);
/* Enters losses; LNT_EDIVERGED where they are not finite. */
lnt_status lnt_layered_enter(lnt_ctx *ctx, const lnt_layered *l, int run, int arm, int *point,
                             const double loss[LNT_LAYERED_TRACKS]);
/* Measures of final weights from them and the gradients gM, gV of the loss. */
lnt_status lnt_layered_measure(lnt_ctx *ctx, const lnt_layered *l, int run, int arm, lnt_mat M, const double *V,
                               lnt_mat gM, const double *gV);

/* ---- What was found (layered_report.c) ---- */

typedef struct lnt_mean {
    double mean, se; /* standard error, NaN for a single value */
} lnt_mean;

lnt_mean lnt_mean_of(const double *x, int n);
/* Series, tables rules, arms, runs and pairs, arrays, assumptions, warnings about naive arms. */
lnt_status lnt_layered_report(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l);
/* Figures: losses with `levels` curves of theory, weights of the first layers, their histograms. */
lnt_status lnt_layered_figures(lnt_ctx *ctx, lnt_record *record, const lnt_layered *l, const lnt_curve *level,
                               int levels);

/* ---- The experiments ---- */

typedef lnt_status lnt_layered_study_fn(lnt_ctx *ctx, lnt_record *record, const lnt_layered_opts *opts);
lnt_layered_study_fn lnt_two_layer_study, lnt_nonlinear_study, lnt_toy_study, lnt_attention_study;

/* Table gauges: the penalties of several factors of one product (of attention). */
lnt_status lnt_put_gauges(lnt_ctx *ctx, lnt_record *record, uint64_t seed);

extern const lnt_option lnt_train_options[];

/* `linnet train --experiment`: only the options that apply may be given. */
lnt_status lnt_layered_from_train(lnt_ctx *ctx, lnt_record *record, const lnt_train_opts *opts);

#endif
