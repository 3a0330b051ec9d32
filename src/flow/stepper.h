/* One step of a solver after another, and the solution between: what lnt_flow() asks of both methods. */
#ifndef LINNET_STEPPER_H
#define LINNET_STEPPER_H

#include "linnet/flow.h"

/* What a step, or an evaluation, came to: as the callbacks have it, and worse. */
enum { STEP_DONE = 0, STEP_REJECTED = 1, STEP_STUCK = 2, STEP_STOPPED = -1, STEP_NOMEM = -2 };

typedef struct lnt_stepper lnt_stepper;

struct lnt_stepper {
    lnt_ctx *ctx;
    const lnt_ode *ode;
    const lnt_flow_opts *opts;
    double end;     /* no evaluation beyond */
    double from, t; /* the last step went from .. t */
    double *y;      /* solution at t */
    long steps, rejected, evaluations;
    bool stiff; /* stability, not accuracy, holds the step down */
    void *method;
    int (*advance)(lnt_stepper *s);
    /* y <- solution at `time`, from <= time <= t. */
    int (*at)(lnt_stepper *s, double time, double *y);
    void (*close)(lnt_stepper *s);
};

/* dy <- f(t, y), counted; STEP_REJECTED where a value is not finite. */
int lnt_slope(lnt_stepper *s, double *dy, double t, const double *y);

/* ---- Vectors, in loops that a compiler can widen ---- */

/* Numbers in a block that stays in the first-level cache while one vector after another is added to it. */
#define LNT_BLOCK 512

/* out <- y + h sum_j c[j] k[j] over `terms` <= 16 vectors of n numbers, of
 * which at least one has c[j] != 0; y NULL: 0. out must not be one of the vectors. */
void lnt_combine(double *out, const double *y, double *const *k, const double *c, double h, int terms, size_t n);
/* sum_i (x_i / (atol + rtol max(|a_i|, |b_i|)))^2. */
double lnt_weighted_squares(const lnt_flow_opts *o, const double *x, const double *a, const double *b, size_t n);
/* |a - b|, b NULL: |a|. */
double lnt_distance(const double *a, const double *b, size_t n);
double lnt_dot(const double *a, const double *b, size_t n);
/* Root mean square of x_i w_i. */
double lnt_weighted_norm(const double *x, const double *w, size_t n);
/* z <- a x + b y; z may be x or y. */
void lnt_linear_sum(double *z, double a, const double *x, double b, const double *y, size_t n);
bool lnt_all_finite(const double *x, size_t n);

/* Ready the stepper at (s->t, s->y), whose vector stays the caller's and is replaced by later ones of the method's own.
 */
int lnt_explicit_open(lnt_stepper *s);
int lnt_bdf_open(lnt_stepper *s);

#endif
