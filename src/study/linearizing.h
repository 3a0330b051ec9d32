/* The parts of the study of linearised training: the data, one network, the report. */
#ifndef LINNET_LINEARIZING_H
#define LINNET_LINEARIZING_H

#include "linnet/linearize.h"
#include "linnet/study_linearize.h"
#include "setup.h"

#define LNT_MOST_TIMES 64 /* that are reported */
#define LNT_SHOWN 3       /* outputs whose course is kept */

enum { LNT_TRAIN, LNT_TEST, LNT_PARTS };
enum { LNT_TRAINED, LNT_LINEARISED, LNT_SIDES };

/* Curves over the times of the grid; of the first three one for each part and side, part * LNT_SIDES + side. */
enum {
    LNT_CURVE_LOSS = 0,
    LNT_CURVE_SIZE = 4,      /* root mean square of the outputs */
    LNT_CURVE_DEVIATION = 8, /* root mean square difference of the two sides; one for each part */
    LNT_CURVE_KERNEL = 10,   /* |Theta(t) - Theta|/|Theta|, at the reported times only */
    LNT_CURVE_MOVED = 11,    /* |W(t) - W0|/|W0|, the same */
    LNT_CURVES = 12
};

/* What one network of one run did. */
typedef struct lnt_linearizing_run {
    bool done;
    double top, eta; /* lam_max, step */
    double *curve[LNT_CURVES];
    bool stopped; /* the flow ended early */
    /* Of run 0: */
    double *shown[LNT_SIDES]; /* LNT_SHOWN curves, one after the other */
    double *lam, *c;          /* ascending; U'(d - f0) */
    lnt_mat Theta;            /* where it is kept */
} lnt_linearizing_run;

typedef struct lnt_linearizing {
    const lnt_linearizing_opts *opts;
    lnt_setup setup;
    lnt_mat X[LNT_PARTS], Y[LNT_PARTS]; /* without columns where there is no test */
    int outputs, n[LNT_PARTS];          /* q; outputs times rows */
    double curvature;                   /* the largest of -log p by an output */
    int reported, count;
    double time[LNT_MOST_TIMES], *t; /* reported; of the grid, ascending */
    int at[LNT_MOST_TIMES];          /* place of a reported time in the grid */
    bool keeps_kernel;
    double megabytes; /* of one run */
    int runs;         /* finished */
    bool interrupted;
    lnt_linearizing_run *run; /* run r of width j: r widths + j */
} lnt_linearizing;

/* The network of width number j; width has room for depth + 2. */
lnt_layers lnt_linearizing_net(const lnt_linearizing *l, int j, int *width);
/* Trains network `index` and evaluates what linearisation says of it. */
lnt_status lnt_linearizing_one(lnt_ctx *ctx, int index, void *linearizing);
/* Its rule: eta = 0 for the flow, whose times are those of the grid times the step. */
lnt_smooth_rule lnt_linearizing_rule_of(const lnt_linearizing *l, const lnt_linearizing_run *run);

/* The law of deviations over widths at reported time i; numbers are NaN where there is none. */
lnt_status lnt_linearizing_law(lnt_ctx *ctx, lnt_width_law *law, const lnt_linearizing *l, int part, int i);
lnt_status lnt_linearizing_report(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l);
lnt_status lnt_linearizing_figures(lnt_ctx *ctx, lnt_record *record, const lnt_linearizing *l);
const lnt_linearizing_run *lnt_linearizing_at(const lnt_linearizing *l, int r, int j);
/* Mean over the finished runs of width number j of a curve at place k of the grid, and their standard deviation. */
double lnt_linearizing_mean(const lnt_linearizing *l, int j, int curve, int k, double *sd);

extern const lnt_option lnt_linearizing_options[];

#endif
