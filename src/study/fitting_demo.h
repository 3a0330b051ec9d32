/* The ready-made problems of fits, and what is shown on them: parts of `fit --demo`, each also an experiment. */
#ifndef LINNET_FITTING_DEMO_H
#define LINNET_FITTING_DEMO_H

#include "fitting.h"

typedef struct lnt_demo {
    int draws, starts; /* of the noise; of each fit */
    bool full;         /* of the sizes that are not options: those of the tables in the manual */
    uint64_t seed;
    int threads;
} lnt_demo;

/* A network of one hidden layer, and data. It must stay where it was made. */
typedef struct lnt_demo_problem {
    const char *name;
    int width[3];
    lnt_layers layers;
    lnt_mat X;
    double *d;
    lnt_model model;
    lnt_fit_problem fit;
    double constant; /* SSE of the best constant */
} lnt_demo_problem;

/* 40 points on [-3, 3], 1.2 tanh(1.5 x + 1.5) - tanh(2 x - 2) + 0.3 and noise of sd 0.05: N(0, 1), or without a stream
 * sqrt(2) sin(i^2), i = 0 .. 39; a net of `hidden` tanh units, one of 2 made them. */
lnt_status lnt_demo_bump(lnt_ctx *ctx, lnt_demo_problem *p, int hidden, lnt_rng *rng);
/* 40 points on [-2, 2], sin 3x + N(0, 0.1^2); 3 tanh units. Its infimum lies at infinite weights. */
lnt_status lnt_demo_sine(lnt_ctx *ctx, lnt_demo_problem *p, lnt_rng *rng);
/* 200 points of the square [-1, 1]^2 with d = 1 in the disk |x|^2 < 1/2, else 0, every 20th flipped; 3 logistic units
 * and a logistic output. Van der Corput's points in the bases 2 and 3, or uniform with 5 % flipped from a stream. */
lnt_status lnt_demo_zero_one(lnt_ctx *ctx, lnt_demo_problem *p, lnt_rng *rng);
/* Two linear layers without biases on 8 random samples. */
lnt_status lnt_demo_linear(lnt_ctx *ctx, lnt_demo_problem *p, int inputs, int hidden, int outputs, lnt_rng *rng);

/* n points on [-3, 3] and the bump without noise, its hidden weights times `steepness`; w (7) <- the weights that made
 * it. */
lnt_status lnt_demo_teacher(lnt_ctx *ctx, lnt_demo_problem *p, double *w, int n, double steepness);

/* Which methods end near the best fit: tables.methods, and SSE by step of each. */
lnt_status lnt_demo_methods(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo);
/* The naive iteration on 0/1 data: facts.cycle, tables.cycles. */
lnt_status lnt_demo_cycle(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo);
/* Whether it stays at an optimum, why it turns in circles, whether more data or smoother functions help, which matrix
 * is the covariance: tables displacement, involution, data, covariance. */
lnt_status lnt_demo_questions(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo);
/* The bump's evidence, posterior and networks of other sizes: facts.evidence, tables.evidence. */
lnt_status lnt_demo_evidence(lnt_ctx *ctx, lnt_record *record, const lnt_demo *demo);

/* Words for lnt_naive_status and lnt_naive_solver. */
extern const char *const lnt_naive_words[], *const lnt_naive_solvers[];
/* info->sse with the lowest first, the order of time kept; the facts of the group `cycle`. */
void lnt_naive_facts(lnt_record *record, lnt_naive_info *info);

#endif
