/* The linear least-squares problem around weights w, and steps from it.
 *
 * With E = diag(alpha) + mu D^2 the step p solves (B^T B + E) p = B^T r - alpha o w. In p' = p + w0, w0_j = alpha_j w_j
 * / E_j, that is min |y - B p'|^2 + |E^{1/2} p'|^2 with y = r + B w0, which is all that the solvers see. */
#ifndef LINNET_FIT_LOCAL_H
#define LINNET_FIT_LOCAL_H

#include "linnet/fit.h"

typedef struct lnt_local {
    const lnt_fit_problem *problem;
    const lnt_model *model;
    lnt_fit_solver solver;
    int n, k, threads;
    bool quick;    /* QR only where Cholesky of B^T B + E would lose digits */
    bool whole;    /* ask for all rows of the Jacobian at once */
    bool products; /* there is no Jacobian, only products with it; norm2 is an estimate then */
    double rcond;
    lnt_mat L;    /* C = L L^T */
    double *data; /* S d */
    lnt_mat BT;   /* B^T, .a NULL where it is never formed */
    const double *w, *r;
    double *g;     /* B^T r */
    double *norm2; /* of the columns of B */
    /* the step */
    double mu, shift; /* of the scaled problem min |y - B S^-1 z|^2 + shift |z|^2 */
    double *E, *w0, *scale;
    bool fresh;       /* what hangs on scale alone is to be made anew */
    bool by_products; /* quick, and Cholesky it is */
    bool has_triangle;
    lnt_mat R, T;     /* QR: the triangle of [B r], and with rows of E below it */
    lnt_mat H, A;     /* B^T B or B S^-2 B^T, and the Cholesky factor with E or shift on its diagonal */
    lnt_mat M, U, VT; /* SVD of S^-1 B^T */
    double *s;
    int jacobians;
} lnt_local;

/* A problem that is checked and ready; memory stays until the caller resets the context. */
lnt_status lnt_local_make(lnt_ctx *ctx, lnt_local *l, const lnt_fit_problem *problem, const lnt_fit_opts *opts);
/* The same with a Jacobian that is formed, and nothing made of it. */
lnt_status lnt_local_make_plain(lnt_ctx *ctx, lnt_local *l, const lnt_fit_problem *problem);
/* r <- S (d - f(w)). */
lnt_status lnt_local_residual(lnt_ctx *ctx, double *r, bool *rejected, const lnt_local *l, const double *w);
/* The Jacobian at w, where the residual is r: both must live as long as steps are taken from here. */
lnt_status lnt_local_at(lnt_ctx *ctx, lnt_local *l, bool *rejected, const double *w, const double *r);
/* R <- the triangle of [B r] at the same place, reading rows anew where the Jacobian is not stored. */
lnt_status lnt_local_triangle(lnt_ctx *ctx, lnt_local *l);
/* out (n) <- B v and out (k) <- B^T u at the same place. */
lnt_status lnt_local_times(lnt_ctx *ctx, double *out, bool *rejected, const lnt_local *l, const double *v);
lnt_status lnt_local_back(lnt_ctx *ctx, double *out, bool *rejected, const lnt_local *l, const double *u);
/* u (n) <- S u. */
void lnt_local_whiten(const lnt_local *l, double *u);
/* sum_j alpha_j w_j^2, and max_j |g_j|/(|b_j| |r|). */
double lnt_local_penalty(const lnt_local *l, const double *w);
double lnt_local_cosine(const lnt_local *l, double objective);

/* Makes ready for steps with damping mu and the squares D2 (k) of D; *ok = false where that is singular. */
lnt_status lnt_local_damp(lnt_ctx *ctx, lnt_local *l, bool *ok, double mu, const double *D2);
/* p <- the step. */
lnt_status lnt_local_step(lnt_ctx *ctx, double *p, bool *rejected, lnt_local *l);
/* q <- argmin |u - B q|^2 + |E^{1/2} q|^2. */
lnt_status lnt_local_bend(lnt_ctx *ctx, double *q, bool *rejected, lnt_local *l, const double *u);

/* z <- argmin |y - A z|^2 + shift |z|^2 for A = B S^-1. */
lnt_status lnt_lsmr(lnt_ctx *ctx, double *z, bool *rejected, const lnt_local *l, const double *y);

/* Whether D is More's. */
static inline bool lnt_fit_more(const lnt_fit_opts *opts, const lnt_model *model)
{
    return opts->scaling == LNT_SCALING_MORE || (opts->scaling == LNT_SCALING_AUTO && !model->alike);
}

typedef struct lnt_fit_run {
    lnt_local l;
    const lnt_fit_opts *opts;
    lnt_fit_info *info;
    double *w, *r, *trial, *trial_r, *p, *q, *D2, *fvv;
    double zero; /* SSE that counts as 0 */
    double trial_sse;
    int flat;  /* steps in a row without a fall */
    bool more; /* D is More's */
} lnt_fit_run;

/* The methods, from w with info->outputs and sse filled in and r the residual there. */
lnt_status lnt_fit_lm(lnt_ctx *ctx, lnt_fit_run *run);
lnt_status lnt_fit_gauss_newton(lnt_ctx *ctx, lnt_fit_run *run);
lnt_status lnt_fit_lbfgs(lnt_ctx *ctx, lnt_fit_run *run);
/* The size of B^T B in units of D^2, and the least mu in these units. */
double lnt_fit_mu_scale(const lnt_fit_run *run);
#define LNT_FIT_LEAST_MU 1e-14
/* Up to twenty steps with mu = 0 at the end. */
lnt_status lnt_fit_polish(lnt_ctx *ctx, lnt_fit_run *run);
/* The method with projection: w holds all weights. */
lnt_status lnt_fit_projected(lnt_ctx *ctx, double *w, lnt_fit_info *info, const lnt_fit_problem *problem,
                             const lnt_fit_opts *opts);
/* As lnt_fit(), but a start without a value is no failure. */
lnt_status lnt_fit_once(lnt_ctx *ctx, double *w, lnt_fit_info *info, const lnt_fit_problem *problem,
                        const lnt_fit_opts *opts, bool whole);

/* trial <- w + v; its residual and F. */
lnt_status lnt_fit_try(lnt_ctx *ctx, lnt_fit_run *run, double *objective, bool *rejected, const double *v, double t);
/* w <- trial. */
void lnt_fit_accept(lnt_fit_run *run, double objective);
/* The tests at w, where info->cosine is that of its gradient: true, with the stop, where the fit has ended. */
bool lnt_fit_arrived(lnt_fit_run *run);
/* Tells the caller about a step; true where it or the context wants to stop. */
bool lnt_fit_cancelled(lnt_ctx *ctx, lnt_fit_run *run);
/* |D v| of the whole vector. */
double lnt_fit_length(const double *D2, const double *v, int k);

#endif
