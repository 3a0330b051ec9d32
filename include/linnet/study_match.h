/* The studies of covariance matching; study.h has the others. */
#ifndef LINNET_STUDY_MATCH_H
#define LINNET_STUDY_MATCH_H

#include "linnet/option.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- match ---- */

typedef enum lnt_matching_method {
    LNT_MATCHING_LINEAR,
    LNT_MATCHING_FULL,
    LNT_MATCHING_DIAGONAL,
    LNT_MATCHING_OVERLAP,
    LNT_MATCHING_WEIGHTED,
    LNT_MATCHING_LATERAL,
    LNT_MATCHING_DIAGONAL_FULL,
    LNT_MATCHING_MIN_WEIGHT, /* from here on lambda = 0 */
    LNT_MATCHING_TRANSPORT,
    LNT_MATCHING_CORAL,
    LNT_MATCHING_ZCA
} lnt_matching_method;

typedef enum lnt_matching_prepare {
    LNT_PREPARE_AUTO, /* none with a target, else z-scores */
    LNT_PREPARE_ZSCORE,
    LNT_PREPARE_CENTRE,
    LNT_PREPARE_NONE
} lnt_matching_prepare;

/* Where the data come from; shared by match and match dynamics. Files of cells have a row for each cell and a column
 * for each stimulus. */
typedef struct lnt_matching_data {
    const char *inputs;            /* X; several, separated by commas, are trials that are fitted together */
    const char *outputs, *target;  /* Y, as many, or their covariance S */
    const char *covariance, *mean; /* in place of X: X^T X, and the mean of each stimulus over cells (default: 0) */
    int cells;                     /* N, with covariance; of the demo */
    const char *test[2], *validation[2]; /* X and Y of further trials */
    bool demo;                           /* generated data, lnt_match_generate() */
    int preset;                          /* 0: correlated, 1: sparse */
    int output_cells, stimuli;           /* of the demo */
    int prepare;                         /* lnt_matching_prepare */
    bool per_cell;                       /* X/sqrt(N), Y/sqrt(N_y) */
    int target_scale; /* 0: S is a sum over cells, 1: an average over cells, which is multiplied by N, unless per_cell
                       */
    uint64_t seed;
} lnt_matching_data;

typedef struct lnt_matching_opts {
    lnt_matching_data data;
    int method;              /* lnt_matching_method */
    const char *lambda;      /* of the sum form: X, X,X,..., or FIRST:LAST:COUNT at equal ratios */
    const char *lam0;        /* or of the mean form */
    double lambda_diagonal;  /* penalty of the diagonal; NaN: that of the weights */
    bool quadratic;          /* diagonal, weighted and lateral of the full model, by search */
    const char *reference;   /* file of Z0, N x N */
    int cv;                  /* folds of cross-validation over stimuli; -1: 6 where there is nothing else; 0: none */
    const char *classes;     /* file with the class of each stimulus: whole classes are held out */
    int choose;              /* 0: by the ratio, 1: by R^2 */
    int rank;                /* W is reduced to this rank; 0: not */
    int starts;              /* of searches */
    double tolerance;        /* gap of the full problem, relative to the loss, that is asked for */
    const char *weights_out; /* the program writes W to this file */
    int threads;             /* 0: all processors */
} lnt_matching_opts;

LNT_API void lnt_matching_defaults(lnt_matching_opts *opts);
/* The least change of wiring that gives the inputs the covariance of the outputs, by any method of match.h and
 * match_diagonal.h, over a path of lambdas; the choice among them, and what it is worth.
 *
 * Choice: least ratio (or largest R^2) on the test trial, else on stimuli held out, else the first lambda. A trial t is
 * scored by all entries of Y_1^T J Y_t, 1 being the trial that was fitted, against (Z X_1)^T J (Z X_t); the fitted
 * trial by the upper triangle. Preparation of trials: each by itself.
 *
 * Record: tables path (one row for each lambda, as they were asked for), solution (the chosen one), comparison (no
 * change, the linear model, the chosen method; at lambda = 0 all four exact fits); arrays weights (W = Z - Z0, N x N),
 * where asked for core (W = J Z0 U D U^T), diagonal, reference, representer (M x M, B of lnt_match_representer());
 * facts preparation, problem, selection, certificate, linearisation; checks: the gap, where the full problem is tight;
 * assumptions; figures: weights, balance, diagonal, path. gap is relative to the loss. */
LNT_API lnt_status lnt_matching_study(lnt_ctx *ctx, lnt_record *record, const lnt_matching_opts *opts);

/* ---- match dynamics ---- */

typedef struct lnt_matching_flow_opts {
    lnt_matching_data data;
    double lambda; /* of the flow to the solution; the flow of whitened inputs has none */
    int modes;     /* modes that are followed */
    int times;     /* output times */
    int threads;
} lnt_matching_flow_opts;

LNT_API void lnt_matching_flow_defaults(lnt_matching_flow_opts *opts);
/* Gradient flow of wiring from Z = I, in closed form and by integration. Whitened inputs (X'X = I on their span), the
 * target scaled to a mean eigenvalue of 1: C(t) is a matrix Riccati equation, and along eigenvectors of the target its
 * square roots q follow dq/dt = 2 q (sg - q^2). Inputs as they are: the linear model in closed form beside the flow of
 * the full problem. Record: series t, mode_K/integrated and /theory, t_loss, loss/full, loss/linear,
 * loss/linear_integrated; table modes; deviations; checks; a figure. One trial, centred inputs. */
LNT_API lnt_status lnt_matching_flow_study(lnt_ctx *ctx, lnt_record *record, const lnt_matching_flow_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
