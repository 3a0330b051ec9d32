#include "chain.h"

#include "linnet/linalg.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define HEAD (sizeof(lnt_chain) / sizeof(double))

static_assert(sizeof(lnt_chain) % sizeof(double) == 0, "a chain is made of doubles");

static size_t metric_size(int k, bool dense)
{
    return dense ? (size_t)k * (size_t)k : (size_t)k;
}

size_t lnt_chain_size(const lnt_density *density, const lnt_sample_opts *opts)
{
    return HEAD + 5 * (size_t)density->k + 2 * metric_size(density->k, opts->dense);
}

chain_view lnt_chain_view(double *state, int k, bool dense)
{
    size_t n = (size_t)k, c = metric_size(k, dense);
    double *x = state + HEAD;
    return (chain_view){.at = (lnt_chain *)(void *)state,
                        .q = x,
                        .g = x + n,
                        .C = x + 2 * n,
                        .mean = x + 2 * n + c,
                        .M2 = x + 3 * n + c,
                        .jump = {x + 3 * n + 2 * c, x + 4 * n + 2 * c}};
}

lnt_chain lnt_chain_read(const double *state)
{
    lnt_chain chain;
    memcpy(&chain, state, sizeof chain);
    return chain;
}

const double *lnt_chain_position(const double *state)
{
    return state + HEAD;
}

const double *lnt_chain_metric(const double *state)
{
    return state + HEAD + 2 * (size_t)lnt_chain_read(state).k;
}

bool lnt_metric_set(metric *m, const double *C)
{
    m->C = C;
    if (m->dense) {
        lnt_mat_copy(m->L, lnt_mat_view((double *)(uintptr_t)C, m->k, m->k));
        return lnt_cholesky(m->L);
    }
    for (int i = 0; i < m->k; i++)
        if (!(C[i] > 0 && isfinite(C[i])))
            return false;
    return true;
}

void lnt_metric_velocity(double *v, const metric *m, const double *p)
{
    if (m->dense)
        lnt_gemv(v, 1, LNT_N, lnt_mat_view((double *)(uintptr_t)m->C, m->k, m->k), p, 0);
    else
        for (int i = 0; i < m->k; i++)
            v[i] = m->C[i] * p[i];
}

void lnt_metric_momentum(double *p, const metric *m)
{
    if (m->dense)
        lnt_solve_lower(lnt_mat_view(p, m->k, 1), LNT_T, m->L);
    else
        for (int i = 0; i < m->k; i++)
            p[i] /= sqrt(m->C[i]);
}
