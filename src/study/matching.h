/* The parts of the study of covariance matching: the data, the fits, the scores, the report. */
#ifndef LINNET_MATCHING_H
#define LINNET_MATCHING_H

#include "linnet/match_data.h"
#include "linnet/match_diagonal.h"
#include "linnet/study.h"

#define LNT_MOST_PAIRS 16
#define LNT_MOST_LAMBDAS 1000
#define LNT_MATCHING_DENSE 2000 /* cells up to which N x N decompositions are made */

enum { LNT_TRAIN, LNT_TEST, LNT_VALIDATION, LNT_PARTS };

/* What is fitted and what it is scored by. */
typedef struct lnt_matching_task {
    const lnt_matching_data *opts;
    int pairs;                                  /* trials that are fitted together */
    lnt_mat X[LNT_MOST_PAIRS];                  /* prepared; without rows where covariances alone are given */
    lnt_mat Y[LNT_MOST_PAIRS];                  /* without rows where the target is given */
    lnt_mat S[LNT_MOST_PAIRS];                  /* targets */
    lnt_mat G;                                  /* X^T X, where covariances alone are given, with */
    double *mean;                               /*   the mean of each stimulus over cells, NULL for 0 */
    int cells, cells_out, stimuli;              /* N, N_y (0: not known), M */
    lnt_mat held[LNT_PARTS];                    /* X of test and validation trial; without rows where there is none */
    lnt_mat target[LNT_PARTS], base[LNT_PARTS]; /* what C(Z) is compared with, and C at Z0 */
    lnt_match_prep prepare;
    bool centred_here; /* though nobody asked for it: the method needs it */
    double sd;         /* what Y was divided by */
    double skew;       /* |S - S^T|/(2|S|), least eigenvalue over the largest: of the first target */
    double indefinite;
    lnt_mat Z0; /* without rows: I */
    lnt_match problem;
} lnt_matching_task;

/* One answer Z = Z0 + W in one of three forms: a core (fit), with a diagonal d, or all of W. */
typedef struct lnt_matching_answer {
    lnt_match_fit fit; /* losses and norms are of all of Z, whatever its form */
    const double *d;   /* N numbers or NULL: Z = I + diag(d) + U D U^T */
    lnt_mat W;         /* with rows: all of W */
    bool searched;     /* by search from several starts */
    lnt_match_search_info search;
    double eta, linear_radius; /* of the linear solution at this lambda; NaN where there is none */
    double r2[LNT_PARTS], ratio[LNT_PARTS];
} lnt_matching_answer;

typedef struct lnt_matching {
    const lnt_matching_opts *opts;
    lnt_matching_task task;
    int count;
    double *lambda;  /* of the sum form */
    bool mean_form;  /* lam0 was given */
    bool given;      /* one lambda, or exact methods: nothing is chosen */
    bool exact;      /* lambda = 0 */
    double moved[4]; /* |ZX - X| of the four exact fits */
    lnt_matching_answer *answer;
    lnt_matching_answer *linear; /* the linear path beside it, or NULL */
    lnt_matching_answer *other;  /* the four exact fits */
    double base_r2[LNT_PARTS];   /* at Z0 */
    int folds;
    lnt_match_cv cv, cv_linear;
    int chosen, chosen_linear;
    bool has_certificate;
    lnt_match_certificate certificate;
} lnt_matching;

lnt_status lnt_matching_read(lnt_ctx *ctx, lnt_matching_task *task, const lnt_matching_data *opts, bool needs_centred,
                             const char *reference);
/* Facts and warnings of the data. */
void lnt_matching_put_task(lnt_record *record, const lnt_matching_task *task);
/* The numbers that `text` names: X, X,X,..., FIRST:LAST:COUNT. */
lnt_status lnt_matching_lambdas(lnt_ctx *ctx, double **lambda, int *count, const char *text, const char *option);

lnt_status lnt_matching_fit(lnt_ctx *ctx, lnt_matching *c);
/* W (N x N) <- Z - Z0; ZX <- Z X. */
lnt_status lnt_matching_weights(lnt_ctx *ctx, lnt_mat W, const lnt_matching *c, const lnt_matching_answer *a);
lnt_status lnt_matching_apply(lnt_ctx *ctx, lnt_mat ZX, const lnt_matching *c, const lnt_matching_answer *a, lnt_mat X);
lnt_status lnt_matching_score(lnt_ctx *ctx, lnt_matching_answer *a, const lnt_matching *c);
bool lnt_matching_has_part(const lnt_matching_task *task, int part);

lnt_status lnt_matching_report(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c);
lnt_status lnt_matching_figures(lnt_ctx *ctx, lnt_record *record, const lnt_matching *c, lnt_mat W);

extern const char *const lnt_matching_methods[];
extern const lnt_option lnt_matching_options[], lnt_matching_flow_options[];

#endif
