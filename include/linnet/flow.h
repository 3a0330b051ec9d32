/* Initial value problems, y' = f(t, y): gradient flows and the other ordinary differential equations of learning.
 *
 * Two methods behind one face: an explicit Runge-Kutta pair for smooth problems, and backward differentiation (BDF) for
 * stiff ones, whose slowest mode is slower than the fastest by orders of magnitude, as with ill-conditioned inputs.
 * Neither forms a Jacobian: problems of many thousand weights are meant. */
#ifndef LINNET_FLOW_H
#define LINNET_FLOW_H

#include "linnet/mat.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A problem in `size` unknowns. Callbacks return 0; > 0 where (t, y) is out of bounds, which makes the solver retry
 * with a smaller step; or < 0 to stop with LNT_EUSER. A value that is not finite counts as out of bounds. Those that
 * are optional may be NULL. They are called from the calling thread, with t never beyond the last output time. */
typedef struct lnt_ode {
    size_t size;
    /* dy <- f(t, y). */
    int (*slope)(double *dy, double t, const double *y, void *user);
    /* Jv <- (df/dy)(t, y) v, for BDF. Optional: else a difference quotient, at one slope for each v. */
    int (*jacobian)(double *Jv, const double *v, double t, const double *y, void *user);
    /* g[0 .. events-1] <- functions whose zeros are wanted. They must be continuous along the solution. */
    int events;
    int (*event)(double *g, double t, const double *y, void *user);
    /* Function k crosses zero at time t, upwards (+1) or downwards (-1), in the order of time. y is the solution there.
     */
    int (*crossing)(double t, int k, int direction, const double *y, void *user);
    /* Called at every output time, in order. Optional. */
    int (*output)(double t, int index, const double *y, void *user);
    /* 1 where y will not change any more as far as numbers can tell, else 0: the remaining outputs are y, and the
     * rounding errors of a long rest are not integrated. Optional; asked after every 64th step. */
    int (*rest)(double t, const double *y, void *user);
    void *user;
} lnt_ode;

typedef enum lnt_flow_method {
    LNT_FLOW_AUTO,     /* explicit, then BDF from where it turns out stiff */
    LNT_FLOW_EXPLICIT, /* DOP853, order 8(5,3) */
    LNT_FLOW_BDF       /* variable order 1-5, Newton with SPGMR: SUNDIALS CVODES */
} lnt_flow_method;

/* The error of one step, root mean square over the unknowns in units of atol + rtol |y_i|, is kept below 1. Errors add
 * up and grow or shrink with the flow: while modes grow from a small start, the error of the start phase is amplified
 * with them, so that atol should lie below rtol times the size of the start values. */
typedef struct lnt_flow_opts {
    lnt_flow_method method;
    double rtol;    /* 1e-14 <= rtol < 1 */
    double atol;    /* > 0 */
    long max_steps; /* >= 1, of both methods together, rejected ones included */
} lnt_flow_opts;

/* LNT_FLOW_AUTO, rtol 1e-8, atol 1e-12 (weights start at 1e-4 or so), 1,000,000 steps. */
LNT_API void lnt_flow_defaults(lnt_flow_opts *opts);

typedef enum lnt_flow_stop {
    LNT_FLOW_DONE,
    LNT_FLOW_INTERRUPTED, /* the context was cancelled */
    LNT_FLOW_STEPS,       /* max_steps taken */
    LNT_FLOW_STUCK        /* the step fell below what t can resolve: the solution blows up, or f is not smooth there */
} lnt_flow_stop;

typedef struct lnt_flow_info {
    lnt_flow_stop stop;
    double t;               /* time reached; the last output time when done */
    int outputs;            /* output times reached */
    long steps, rejected;   /* accepted and rejected steps */
    long evaluations;       /* of f, those for difference quotients included */
    lnt_flow_method method; /* in use at the end: explicit or BDF */
    double switched;        /* when BDF took over; NaN if it did not */
    double rest;            /* when the solution was found at rest; NaN if it was not */
} lnt_flow_info;

/* Solves y' = f(t, y), y(t0) = y0, for the output times t0 <= times[0] <= ... <= times[count-1]: column k of Y
 * (size x count; Y.a NULL: none) <- y(times[k]). Columns not reached are NaN. info may be NULL.
 *
 * - Explicit: the pair of order 8(5,3) of Dormand and Prince with its interpolant of order 7 (Hairer et al. 1993, code
 *   DOP853), 12 evaluations a step and 3 more where an output or event falls inside. Steps are kept where the method is
 *   stable for the fastest rate |lambda| that they showed, 6.1/|lambda|; once they would be longer the rate is probed
 *   again, at one evaluation a step, because a fast mode that has decayed does not show. 30 vectors of scratch memory.
 * - BDF: CVODES (Hindmarsh et al. 2005), Newton's method with unpreconditioned GMRES, about 40 vectors of heap memory
 *   that SUNDIALS allocates by itself; it does not survive running out of memory, so that room for them is asked for
 *   beforehand.
 * - Automatic: switches to BDF once that rate, not accuracy, held the step down 15 times (spells shorter than 6 steps
 *   in between do not count), and more than 50 such steps are ahead.
 *
 * Events: a crossing is a change of the sign of g_k from one quarter of a step to the next, a value of exactly 0
 * counting as neither; the time is the zero of g_k along the interpolant, to rounding error, so that its accuracy is
 * that of the solution over the slope of g_k. Two crossings within one quarter cancel and are not seen. With several in
 * one quarter the order is that of time. Outputs of a step follow its crossings.
 *
 * Accuracy: at the default tolerances relative errors of 1e-8 to 1e-7 where the flow grows from a small start. LNT_OK
 * also where it stopped early (info->stop). Threads: any number of calls at once, each on a context of its own.
 * LNT_ESHAPE: Y is not size x count. LNT_EINVAL: options out of range, times that are not sorted, not finite or before
 * t0. LNT_EDOMAIN: y0 or f(t0, y0) is not finite, or out of bounds. LNT_EUSER: a callback returned < 0, or an event,
 * crossing or output callback > 0. */
LNT_API lnt_status lnt_flow(lnt_ctx *ctx, lnt_mat Y, lnt_flow_info *info, const lnt_ode *ode, const double *y0,
                            double t0, const double *times, int count, const lnt_flow_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
