#include "local.h"

#include "linnet/parallel.h"

#include <math.h>
#include <string.h>

#define NEAR_BEST 1.01
#define SAME 1e-3

typedef struct many {
    lnt_mat W;
    lnt_fit_info *info;
    const lnt_fit_problem *problem;
    const lnt_fit_opts *opts;
    const lnt_fit_start *start;
} many;

static lnt_status one_start(lnt_ctx *ctx, int s, void *user)
{
    many *m = user;
    double *w = lnt_at(m->W, 0, s);
    lnt_rng rng = lnt_rng_stream(m->start->seed, (uint32_t)s, LNT_FOR_WEIGHTS);
    m->start->draw(w, &rng, m->start->user);
    lnt_status status = lnt_fit_once(ctx, w, &m->info[s], m->problem, m->opts, false);
    if (status == LNT_OK && m->start->canonical && m->info[s].stop != LNT_FIT_REFUSED)
        m->start->canonical(w, m->start->user);
    lnt_progress_step(ctx);
    return status;
}

bool lnt_fit_same(lnt_mat W, int a, int b)
{
    double size = fmax(lnt_mat_max(lnt_columns(W, a, 1)), lnt_mat_max(lnt_columns(W, b, 1)));
    for (int j = 0; j < W.rows; j++)
        if (!(fabs(*lnt_at(W, j, a) - *lnt_at(W, j, b)) <= SAME * size))
            return false;
    return true;
}

static void sum_up(lnt_fit_starts_info *summary, const many *m, bool *first_of_kind)
{
    int starts = m->start->starts, near = 0;
    *summary = (lnt_fit_starts_info){0};
    for (int s = 1; s < starts; s++)
        if (m->info[s].objective < m->info[summary->best].objective)
            summary->best = s;
    double limit = NEAR_BEST * m->info[summary->best].objective;
    for (int s = 0; s < starts; s++) {
        summary->converged += m->info[s].stop <= LNT_FIT_ZERO;
        first_of_kind[s] = m->info[s].objective <= limit;
        near += first_of_kind[s];
        for (int t = 0; t < s && first_of_kind[s]; t++)
            if (first_of_kind[t] && lnt_fit_same(m->W, s, t))
                first_of_kind[s] = false;
        summary->distinct += first_of_kind[s];
    }
    summary->share = (double)near / starts;
}

lnt_status lnt_fit_starts(lnt_ctx *ctx, lnt_mat W, lnt_fit_info *info, lnt_fit_starts_info *summary,
                          const lnt_fit_problem *problem, const lnt_fit_opts *opts, const lnt_fit_start *start)
{
    if (start->starts < 1 || W.cols != start->starts || (size_t)W.rows != problem->model->k)
        return lnt_fail(ctx, LNT_ESHAPE, "%d starts of %zu weights in a matrix of %d x %d", start->starts,
                        problem->model->k, W.rows, W.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    many m = {W, info, problem, opts, start};
    bool *first_of_kind = lnt_alloc(ctx, (size_t)start->starts, sizeof *first_of_kind);
    lnt_status status = first_of_kind ? LNT_OK : LNT_ENOMEM;
    if (status == LNT_OK) {
        lnt_progress_begin(ctx, "starts", start->starts);
        status = lnt_parallel(ctx, start->starts, start->threads, one_start, &m);
    }
    if (status == LNT_OK)
        sum_up(summary, &m, first_of_kind);
    if (status == LNT_OK && !isfinite(info[summary->best].objective))
        status = lnt_fail(ctx, LNT_EDOMAIN, "the model has no value at any of the %d starts", start->starts);
    lnt_ctx_reset(ctx, mark);
    return status;
}
