/* Where basis pursuit recovers a sparse vector exactly. */
#include "recovery.h"

#include "linnet/basis_pursuit.h"
#include "linnet/linalg.h"
#include "linnet/parallel.h"
#include "linnet/rng.h"
#include "setup.h"

#include <limits.h>
#include <math.h>

void lnt_recovery_defaults(lnt_recovery_opts *opts)
{
    *opts = (lnt_recovery_opts){.features = 400, .grid = 20, .runs = 20, .tolerance = 1e-6};
}

/* X, then the first d entries of T; y = X^T T. */
static lnt_status draw(lnt_ctx *ctx, lnt_mat *X, double **T, double **y, int D, int n, int d, lnt_rng *rng)
{
    lnt_status status = lnt_mat_alloc(ctx, X, D, n);
    *T = lnt_alloc_zero(ctx, (size_t)D, sizeof **T);
    *y = lnt_alloc(ctx, (size_t)n, sizeof **y);
    if (status != LNT_OK || !*T || !*y)
        return LNT_ENOMEM;
    for (size_t i = 0; i < (size_t)D * (size_t)n; i++)
        X->a[i] = lnt_rng_normal(rng);
    for (int j = 0; j < d; j++)
        (*T)[j] = lnt_rng_normal(rng);
    lnt_gemv(*y, 1, LNT_T, *X, *T, 0);
    return LNT_OK;
}

static lnt_status one_problem(lnt_ctx *ctx, int index, void *user)
{
    lnt_recovery_run *r = user;
    int D = r->opts->features, grid = r->opts->grid, n = r->n[index % grid], d = r->d[index / grid % grid];
    lnt_rng rng = lnt_rng_stream(r->opts->seed, (uint32_t)index, LNT_FOR_TASK);
    lnt_pursuit_info info;
    lnt_mat X;
    double *T, *y, *w = lnt_alloc(ctx, (size_t)D, sizeof *w);
    if (lnt_cancelled(ctx))
        return LNT_OK;
    lnt_status status = w ? draw(ctx, &X, &T, &y, D, n, d, &rng) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_basis_pursuit(ctx, w, NULL, &info, X, y, NULL);
    if (status != LNT_OK || (!info.converged && lnt_cancelled(ctx)))
        return status;
    lnt_mat W = lnt_mat_view(w, D, 1), teacher = lnt_mat_view(T, D, 1);
    lnt_mat_add(W, -1, teacher);
    bool same = lnt_mat_norm(W) < r->opts->tolerance * lnt_mat_norm(teacher);
    r->gap[index] = info.gap / info.norm;
    r->steps[index] = (int)info.steps;
    r->outcome[index] = !info.converged ? LNT_RECOVERY_UNSOLVED : same ? LNT_RECOVERY_SUCCESS : LNT_RECOVERY_FAILURE;
    lnt_progress_step(ctx);
    return LNT_OK;
}

/* ---- The grid ---- */

static lnt_status check(lnt_ctx *ctx, const lnt_recovery_opts *o)
{
    if (o->grid > o->features)
        return lnt_fail(ctx, LNT_EUSAGE, "--grid %d: %d features allow a grid of at most %d", o->grid, o->features,
                        o->features);
    if ((double)o->grid * o->grid * o->runs > INT_MAX)
        return lnt_fail(ctx, LNT_EUSAGE, "--grid %d and --runs %d: these are more than %d problems", o->grid, o->runs,
                        INT_MAX);
    return LNT_OK;
}

static lnt_status allocate(lnt_ctx *ctx, lnt_recovery_run *r)
{
    size_t grid = (size_t)r->opts->grid, problems = grid * grid * (size_t)r->opts->runs;
    r->problems = (int)problems;
    r->n = lnt_alloc(ctx, grid, sizeof *r->n);
    r->d = lnt_alloc(ctx, grid, sizeof *r->d);
    r->outcome = lnt_alloc_zero(ctx, problems, 1);
    r->gap = lnt_alloc_zero(ctx, problems, sizeof *r->gap);
    r->steps = lnt_alloc_zero(ctx, problems, sizeof *r->steps);
    r->success = lnt_alloc_zero(ctx, grid * grid, sizeof *r->success);
    r->solved = lnt_alloc_zero(ctx, grid * grid, sizeof *r->solved);
    bool all = r->n && r->d && r->outcome && r->gap && r->steps && r->success && r->solved;
    for (int i = 0; i < r->opts->grid && all; i++) { /* the centres of cells that tile the unit square */
        double centre = r->opts->features * (i + 0.5) / r->opts->grid;
        r->n[i] = r->d[i] = (int)fmax(1, round(centre));
    }
    return all ? LNT_OK : LNT_ENOMEM;
}

static lnt_status study(lnt_ctx *ctx, lnt_record *record, const void *user)
{
    lnt_recovery_run r = {.opts = user};
    lnt_status status = check(ctx, r.opts);
    if (status == LNT_OK)
        status = allocate(ctx, &r);
    if (status != LNT_OK)
        return status;
    lnt_progress_begin(ctx, "problems", r.problems);
    status = lnt_parallel(ctx, r.problems, r.opts->threads, one_problem, &r);
    int done = 0, cells = r.opts->grid * r.opts->grid;
    for (int i = 0; i < r.problems; i++) {
        done += r.outcome[i] != LNT_RECOVERY_WAITING;
        r.success[i % cells] += r.outcome[i] == LNT_RECOVERY_SUCCESS;
        r.solved[i % cells] += r.outcome[i] == LNT_RECOVERY_SUCCESS || r.outcome[i] == LNT_RECOVERY_FAILURE;
    }
    if (status == LNT_OK && done == 0)
        return lnt_fail(ctx, LNT_EUSER, "interrupted before the first result: there is nothing to keep");
    if (done < r.problems)
        lnt_record_set_interrupted(record);
    return status == LNT_OK ? lnt_recovery_report(ctx, record, &r) : status;
}

lnt_status lnt_recovery_study(lnt_ctx *ctx, lnt_record *record, const lnt_recovery_opts *opts)
{
    return lnt_study_run(ctx, record, lnt_recovery_options, opts, study);
}
