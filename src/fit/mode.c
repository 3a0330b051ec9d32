#include "bayes.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Changes of J below this share of it may be rounding: there the distance to the mode decides, not J, */
#define NOISE 1e-14
#define SLACK 1e-10 /* and J may fall by so much. */
#define POLISHES 8

typedef struct climb {
    lnt_ctx *ctx;
    const lnt_model *model;
    const lnt_likelihood *likelihood;
    const lnt_prior *prior;
    const lnt_mode_opts *opts;
    lnt_mode_info *info;
    bool dual;               /* n < k: steps from an n x n matrix */
    bool damping;            /* undamped steps near the mode lead away from it */
    double *w, *trial;       /* k each: where the derivatives are, and the next point */
    double *f, *u;           /* n each: outputs, dlog p/df */
    double *gradient, *step; /* k each */
    double *scaled;          /* k: dual, 1/sqrt of prior and damping */
    lnt_mat A, X, Y, F;      /* curvature without damping, or whitened B', plain and scaled; the factor of a step */
    double J, top;           /* log posterior at w; the largest diagonal entry of A */
} climb;

static lnt_status allocate(climb *c)
{
    size_t n = c->model->n, k = c->model->k;
    double **vectors[] = {&c->w, &c->trial, &c->gradient, &c->step, &c->scaled, &c->f, &c->u};
    for (int i = 0; i < 7; i++)
        if (!(*vectors[i] = lnt_alloc(c->ctx, i < 5 ? k : n, sizeof(double))))
            return LNT_ENOMEM;
    int m = c->dual ? (int)n : (int)k;
    lnt_status status = c->dual ? lnt_mat_alloc(c->ctx, &c->X, (int)k, (int)n) : lnt_mat_alloc(c->ctx, &c->A, m, m);
    if (status == LNT_OK && c->dual)
        status = lnt_mat_alloc(c->ctx, &c->Y, (int)k, (int)n);
    return status == LNT_OK ? lnt_mat_alloc(c->ctx, &c->F, m, m) : status;
}

/* J at w, and the outputs. */
static lnt_status value(climb *c, double *J, bool *rejected, const double *w)
{
    lnt_status status = lnt_model_outputs(c->ctx, c->f, rejected, c->model, w);
    double sum = 0;
    c->info->evaluations++;
    if (status != LNT_OK || *rejected)
        return status;
    for (size_t j = 0; j < c->model->k; j++)
        sum += lnt_alpha(c->prior, j) * w[j] * w[j];
    c->info->log_likelihood = lnt_log_likelihood(c->likelihood, c->f);
    *J = c->info->log_likelihood - 0.5 * sum;
    *rejected = !isfinite(*J);
    return LNT_OK;
}

/* Gradient and X = B' L at w, whose outputs are in f. */
static lnt_status dual_derivatives(climb *c, bool *rejected)
{
    lnt_mat X = c->X;
    lnt_status status = lnt_model_rows(c->ctx, X.a, (size_t)X.ld, rejected, c->model, c->w, 0, c->model->n);
    if (status != LNT_OK || *rejected)
        return status;
    lnt_likelihood_gradient(c->u, c->likelihood, c->f);
    lnt_gemv(c->gradient, 1, LNT_N, X, c->u, 0);
    lnt_likelihood_whiten(X, c->likelihood, c->f, 0);
    for (int j = 0; j < X.rows; j++)
        c->gradient[j] -= lnt_alpha(c->prior, (size_t)j) * c->w[j];
    return LNT_OK;
}

static lnt_status derivatives(climb *c, bool *rejected)
{
    size_t k = c->model->k;
    lnt_status status =
        c->dual ? dual_derivatives(c, rejected)
                : lnt_log_posterior(c->ctx, NULL, c->gradient, c->A, rejected, c->model, c->w, c->likelihood, c->prior);
    if (status != LNT_OK || *rejected)
        return status;
    double left = 0, right = 0, rest = 0;
    c->top = 0;
    for (size_t j = 0; j < k; j++) {
        double alpha = lnt_alpha(c->prior, j), pull = alpha * c->w[j], push = c->gradient[j] + pull, diagonal = alpha;
        for (int i = 0; i < c->X.cols && c->dual; i++)
            diagonal += *lnt_at(c->X, (int)j, i) * *lnt_at(c->X, (int)j, i);
        c->top = fmax(c->top, c->dual ? diagonal : *lnt_at(c->A, (int)j, (int)j));
        left += push * push;
        right += pull * pull;
        rest += c->gradient[j] * c->gradient[j];
    }
    c->info->cosine = left + right > 0 ? sqrt(rest) / (sqrt(left) + sqrt(right)) : 0;
    *rejected = !isfinite(rest) || !isfinite(c->top);
    return LNT_OK;
}

/* step <- (A + mu I)^-1 gradient; false where that is singular to rounding. */
static bool primal_step(climb *c, double mu)
{
    lnt_mat_copy(c->F, c->A);
    for (int j = 0; j < c->F.rows; j++)
        *lnt_at(c->F, j, j) += mu;
    if (!lnt_cholesky(c->F))
        return false;
    memcpy(c->step, c->gradient, c->model->k * sizeof *c->step);
    lnt_mat p = lnt_mat_view(c->step, c->F.rows, 1);
    lnt_solve_lower(p, LNT_N, c->F);
    lnt_solve_lower(p, LNT_T, c->F);
    return true;
}

/* With M = D^2 + mu and Y = M^-1/2 X: (M + X X')^-1 g = M^-1/2 (1 - Y (1 + Y' Y)^-1 Y') M^-1/2 g. */
static bool dual_step(climb *c, double mu)
{
    int n = (int)c->model->n, k = (int)c->model->k;
    lnt_mat F = c->F, u = lnt_mat_view(c->u, n, 1);
    for (int j = 0; j < k; j++) {
        c->scaled[j] = 1 / sqrt(lnt_alpha(c->prior, (size_t)j) + mu);
        c->step[j] = c->scaled[j] * c->gradient[j];
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++)
            *lnt_at(c->Y, j, i) = c->scaled[j] * *lnt_at(c->X, j, i);
    lnt_syrk(F, 1, LNT_T, c->Y, 0);
    for (int i = 0; i < n; i++)
        *lnt_at(F, i, i) += 1;
    if (!lnt_cholesky(F))
        return false;
    lnt_gemv(c->u, 1, LNT_T, c->Y, c->step, 0);
    lnt_solve_lower(u, LNT_N, F);
    lnt_solve_lower(u, LNT_T, F);
    lnt_gemv(c->step, -1, LNT_N, c->Y, c->u, 1);
    for (int j = 0; j < k; j++)
        c->step[j] *= c->scaled[j];
    return true;
}

/* g' (A + mu)^-1 g, and the step; infinite where that is singular. */
static double solve(climb *c, double mu)
{
    int k = (int)c->model->k;
    double square = (c->dual ? dual_step(c, mu) : primal_step(c, mu)) ? lnt_vec_dot(k, c->gradient, c->step) : INFINITY;
    return square >= 0 ? square : INFINITY;
}

/* trial <- w + step, then the value there. */
static lnt_status try_step(climb *c, double *J, bool *rejected)
{
    for (size_t j = 0; j < c->model->k; j++)
        c->trial[j] = c->w[j] + c->step[j];
    return value(c, J, rejected, c->trial);
}

static void swap_points(climb *c)
{
    double *former = c->w;
    c->w = c->trial;
    c->trial = former;
}

/* One step with more and more damping until J rises; *found false where none does. */
static lnt_status damped(climb *c, double *mu, bool *found)
{
    int k = (int)c->model->k;
    double nu = 2;
    for (*found = false; !*found && *mu <= c->top / DBL_EPSILON / DBL_EPSILON && c->info->steps < c->opts->max_steps;
         nu *= 2) {
        double J = 0, square = solve(c, *mu);
        bool rejected = !isfinite(square);
        lnt_status status = rejected ? LNT_OK : try_step(c, &J, &rejected);
        if (status != LNT_OK)
            return status;
        c->info->steps++;
        double gain = 0.5 * (square + *mu * lnt_vec_dot(k, c->step, c->step)), rho = rejected ? 0 : (J - c->J) / gain;
        if (rho > 0) {
            c->J = J;
            *mu *= fmax(1.0 / 3, 1 - pow(2 * fmin(rho, 2) - 1, 3));
            *found = true;
            swap_points(c);
        } else
            *mu = *mu > 0 ? *mu * nu : 1e-3 * c->top;
    }
    return LNT_OK;
}

/* A step where J cannot tell any more: kept if it brings the mode nearer, else tried with more damping, which models
 * far from linear need. */
static lnt_status polish(climb *c, double *mu, bool *nearer, int most)
{
    double former = c->info->distance, cosine = c->info->cosine;
    lnt_status status = LNT_OK;
    *nearer = false;
    for (int tries = 0; tries < most && !*nearer && status == LNT_OK && c->info->steps < c->opts->max_steps; tries++) {
        double J = c->J, distance = INFINITY;
        bool damping = tries > 0 || c->damping, rejected = !isfinite(solve(c, damping ? *mu : 0));
        status = rejected ? LNT_OK : try_step(c, &J, &rejected);
        c->info->steps++;
        if (status == LNT_OK && !rejected && J >= c->J - SLACK * (1 + fabs(c->J))) {
            swap_points(c);
            status = derivatives(c, &rejected);
            distance = status == LNT_OK && !rejected ? sqrt(solve(c, 0)) : INFINITY;
            *nearer = distance < former;
            if (!*nearer)
                swap_points(c);
        }
        c->J = *nearer ? J : c->J;
        c->info->distance = *nearer ? distance : former;
        if (damping)
            *mu = *nearer ? *mu / 2 : fmax(4 * *mu, 1e-6 * c->top);
        c->damping = damping || !*nearer;
        if (!*nearer && status == LNT_OK && (status = value(c, &J, &rejected, c->w)) == LNT_OK)
            status = derivatives(c, &rejected);
    }
    c->info->cosine = *nearer ? c->info->cosine : cosine;
    return status;
}

static lnt_status run(climb *c)
{
    lnt_mode_info *info = c->info;
    bool rejected = false, going = true;
    lnt_status status = value(c, &c->J, &rejected, c->w);
    if (status == LNT_OK && !rejected)
        status = derivatives(c, &rejected);
    if (status == LNT_OK && rejected)
        return lnt_fail(c->ctx, LNT_EDOMAIN, "the model has no value at the start");
    double mu = c->opts->tau * c->top;
    while (status == LNT_OK && going) {
        info->distance = sqrt(solve(c, 0));
        info->converged = info->distance <= c->opts->tolerance;
        if (info->converged || info->steps >= c->opts->max_steps || lnt_cancelled(c->ctx))
            break;
        double gain = 0.5 * info->distance * info->distance / (1 + fabs(c->J));
        going = false;
        if (gain > NOISE) {
            status = damped(c, &mu, &going);
            if (status == LNT_OK && going)
                status = derivatives(c, &rejected);
            going = going && !rejected;
        }
        if (status == LNT_OK && !going && !rejected && gain <= SLACK && info->steps < c->opts->max_steps) {
            mu = fmin(mu, c->top);
            status = polish(c, &mu, &going, POLISHES);
            info->converged = !going && info->steps < c->opts->max_steps;
        }
    }
    bool unused;
    double last;
    if (status == LNT_OK && info->converged && !c->damping && info->steps < c->opts->max_steps)
        status = polish(c, &mu, &going, 1); /* the last digits of models that are nearly linear */
    info->log_posterior = c->J;
    return status == LNT_OK ? value(c, &last, &unused, c->w) : status; /* the log likelihood of the answer */
}

void lnt_mode_defaults(lnt_mode_opts *opts)
{
    *opts = (lnt_mode_opts){.tolerance = 1e-8, .max_steps = 500, .tau = 1e-3};
}

lnt_status lnt_posterior_mode(lnt_ctx *ctx, double *w, lnt_mode_info *info, const lnt_model *model,
                              const lnt_likelihood *likelihood, const lnt_prior *prior, const lnt_mode_opts *opts)
{
    lnt_mode_opts defaults;
    lnt_mode_info unread;
    lnt_mode_defaults(&defaults);
    climb c = {.ctx = ctx, .model = model, .likelihood = likelihood, .prior = prior};
    c.opts = opts ? opts : &defaults;
    c.info = info ? info : &unread;
    *c.info = (lnt_mode_info){.distance = INFINITY};
    c.dual = model->n < model->k;
    if (!(c.opts->tolerance > 0) || c.opts->max_steps < 0 || !(c.opts->tau >= 0))
        return lnt_fail(ctx, LNT_EINVAL, "options of the mode: tolerance above 0, steps and tau not below 0");
    lnt_status status = lnt_bayes_check(ctx, model, w, likelihood, prior);
    if (status != LNT_OK)
        return status;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin();
    status = allocate(&c);
    if (status == LNT_OK) {
        memcpy(c.w, w, model->k * sizeof *w);
        status = run(&c);
    }
    if (status == LNT_OK)
        memcpy(w, c.w, model->k * sizeof *w);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
