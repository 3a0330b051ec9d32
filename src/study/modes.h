/* The parts of the modes study: set up, courses by each method, report. */
#ifndef LINNET_STUDY_MODES_H
#define LINNET_STUDY_MODES_H

#include "linnet/flow.h"
#include "linnet/modes.h"
#include "setup.h"
#include "weights.h"

typedef enum lnt_method { LNT_CLOSED, LNT_RICCATI, LNT_FLOW, LNT_MAP, LNT_DESCENT } lnt_method;
#define LNT_METHODS 5
extern const char *const lnt_method_names[];

/* What is followed in time beside the strengths, NaN where a method does not know it. */
typedef enum lnt_watch {
    LNT_WATCH_LOSS,
    LNT_WATCH_OUTSIDE, /* share of |W|^2 that is outside the modes */
    LNT_WATCH_FIT,     /* the two energies; C_XX = d I */
    LNT_WATCH_COMPETITION,
    LNT_WATCH_ALIGNMENT,  /* of the tangent kernel with its final one; two layers */
    LNT_WATCH_TEST,       /* loss over the rows held out */
    LNT_WATCH_PREDICTION, /* of the item and feature that were asked for */
    LNT_WATCHES
} lnt_watch;
extern const char *const lnt_watch_names[];

/* What one method finds for one start. */
typedef struct lnt_course {
    double *strength;           /* mode k at output time j: [j * modes + k] */
    double *half;               /* time at which each mode has half its target; infinity where it never does */
    double *watch[LNT_WATCHES]; /* beside the loss of the first start only */
    lnt_mat *W;                 /* the product at every output time, of the first start only */
    lnt_mat *A, *B;             /* W1^T W1 and W2 W2^T at every output time, for the alignment; or NULL */
    lnt_mat neuron; /* [W1'; W2] of one hidden unit at every output time and in the limit; riccati, first start */
    long diverged;  /* step at which the descent did, else 0 */
} lnt_course;

typedef struct lnt_modes_run {
    const lnt_modes_opts *opts;
    lnt_setup setup;
    lnt_net net;
    lnt_init init;
    lnt_saved_net given;
    lnt_modes modes;
    int count;            /* of modes, min(inputs, outputs) */
    double *d, *target;   /* v_i' Sxx v_i, and where each mode ends: s_i/d_i, or u_i' Syx Sxx^+ v_i if inputs couple */
    lnt_mat best;         /* Syx Sxx^+ in the second case */
    double d0;            /* mean of the diagonal of Sxx */
    double off, isotropy; /* |Sxx V - V diag d|_F, and max |Sxx - d0 I|, relative to max |Sxx| */
    double eta, scale;    /* tau = 1/eta; reported loss = scale * E */
    int times;
    double *t;                    /* in units in which tau = 1/eta */
    double *x;                    /* the item whose prediction is wanted, or NULL */
    bool asked[LNT_METHODS];      /* by name, not by default */
    const char *why[LNT_METHODS]; /* NULL where the method applies, else why it does not */
    bool decoupled;               /* closed form from the exact start, else from the effective one */
    double imbalance, lambda, misaligned, curvature;
    lnt_trap trap;
    /* Where there are more outputs than inputs and last hidden units, they move only in the span of Syx and of their
     * start: everything is computed in an orthonormal basis Q of it. Of the first start; Q.a NULL without. */
    lnt_mat Q;
    bool in_lanes;                   /* the descent of eight starts at a time */
    lnt_course *course[LNT_METHODS]; /* per start */
    double **w0, **w;                /* start and end of the descent, per start */
    lnt_flow_info flow;              /* of the first start */
    bool *done;                      /* per start */
    bool interrupted;
    int runs; /* the starts that are kept: the first ones that are done */
} lnt_modes_run;

lnt_status lnt_modes_prepare(lnt_ctx *ctx, lnt_modes_run *m, lnt_modes_opts *opts);
/* The courses of all methods that apply, but for a descent in lanes, for start number `index`. */
lnt_status lnt_modes_courses(lnt_ctx *ctx, lnt_modes_run *m, int index);
/* Whether the descent runs in lanes; and that of the starts LNT_LANES index, LNT_LANES index + 1, ... for
 * lnt_parallel(). */
bool lnt_modes_in_lanes(const lnt_modes_run *m);
lnt_status lnt_modes_lanes(lnt_ctx *ctx, int index, void *run);
/* What follows from a descent that diverged. */
lnt_status lnt_modes_diverged(lnt_ctx *ctx, const lnt_course *c, const lnt_modes_run *m);
lnt_status lnt_modes_closed(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, const double *w);
lnt_status lnt_modes_map(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, const double *w);
/* Enter what the product, or the weights, tell at output time j. */
lnt_status lnt_modes_watch_product(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, int j, lnt_mat W);
lnt_status lnt_modes_watch_weights(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, int j, const double *w);
/* The tangent kernel at every time against the last one; uses up A and B. */
lnt_status lnt_modes_watch_alignment(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m);
/* The strengths of all modes at time t. */
typedef lnt_status (*lnt_strengths)(lnt_ctx *ctx, double *strength, double t, void *user);
/* The first times up to `end` at which modes have half their targets; visits shorter than end/256 can be missed. */
lnt_status lnt_modes_half_times(lnt_ctx *ctx, lnt_course *c, const lnt_modes_run *m, lnt_strengths strengths,
                                void *user, double end);
lnt_status lnt_modes_arrays(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m);
lnt_status lnt_modes_figures(lnt_ctx *ctx, lnt_record *record, const lnt_modes_run *m);
lnt_status lnt_modes_report(lnt_ctx *ctx, lnt_record *record, lnt_modes_run *m);
/* C_XX = d I, and modes that are its eigenvectors, to what single-precision files can say. */
#define LNT_MODES_SAME 1e-6

/* The most eigenvalues of a Hessian that is kept as a whole. */
#define LNT_MODES_EIGENVALUES 100000

/* The vectors u_k in columns, and v_k in rows, of the modes without the completion to orthogonal matrices. */
static inline lnt_mat lnt_modes_U(const lnt_modes_run *m)
{
    return lnt_columns(m->modes.U, 0, m->count);
}
static inline lnt_mat lnt_modes_VT(const lnt_modes_run *m)
{
    return lnt_block(m->modes.VT, 0, 0, m->count, m->modes.VT.cols);
}
/* strength[k] <- u_k' W v_k, *outside <- the share of |W|^2 outside the modes; either may be NULL. Of a map, or of the
 * product of the weights w. */
lnt_status lnt_modes_map_strengths(lnt_ctx *ctx, double *strength, double *outside, const lnt_modes_run *m, lnt_mat W);
lnt_status lnt_modes_net_strengths(lnt_ctx *ctx, double *strength, double *outside, const lnt_modes_run *m,
                                   const double *w);
/* u0[k] <- the strength from which mode k grows: of two layers the first-order effective one, else that of the product.
 */
lnt_status lnt_modes_start_strengths(lnt_ctx *ctx, double *u0, const lnt_modes_run *m, const double *w);
/* w <- where start number `index` is. */
lnt_status lnt_modes_start(lnt_ctx *ctx, double *w, const lnt_modes_run *m, int index);
/* Networks of several depths, each by lnt_modes_study(). */
lnt_status lnt_depths_study(lnt_ctx *ctx, lnt_record *record, const lnt_modes_opts *opts);
extern const lnt_option lnt_modes_options[];

#endif
