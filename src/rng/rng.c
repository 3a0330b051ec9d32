#include "linnet/rng.h"

#include "linnet/linalg.h"

#include <Random123/philox.h>
#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 lnt_wide; /* gcc and clang on 64-bit machines */

lnt_rng lnt_rng_page(uint64_t seed, uint32_t run, lnt_purpose purpose, uint64_t page)
{
    lnt_rng rng = {.key = {seed, (uint64_t)run << 32 | (uint64_t)purpose}, .page = page, .used = 4};
    return rng;
}

lnt_rng lnt_rng_stream(uint64_t seed, uint32_t run, lnt_purpose purpose)
{
    return lnt_rng_page(seed, run, purpose, 0);
}

uint64_t lnt_rng_bits(lnt_rng *rng)
{
    if (rng->used == 4) {
        philox4x64_ctr_t counter = {{rng->counter++, rng->page, 0, 0}};
        philox4x64_key_t key = {{rng->key[0], rng->key[1]}};
        philox4x64_ctr_t block = philox4x64(counter, key);
        memcpy(rng->block, block.v, sizeof rng->block);
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

double lnt_rng_uniform(lnt_rng *rng)
{
    return (double)(lnt_rng_bits(rng) >> 11) * 0x1p-53;
}

uint64_t lnt_rng_below(lnt_rng *rng, uint64_t n)
{
    lnt_wide product = (lnt_wide)lnt_rng_bits(rng) * n;
    if ((uint64_t)product < n) {
        uint64_t reject = -n % n;
        while ((uint64_t)product < reject)
            product = (lnt_wide)lnt_rng_bits(rng) * n;
    }
    return (uint64_t)(product >> 64);
}

static const double two_pi = 2 * 3.14159265358979323846;

double lnt_rng_normal(lnt_rng *rng)
{
    if (rng->has_spare) {
        rng->has_spare = 0;
        return rng->spare;
    }
    double radius = sqrt(-2 * log(1 - lnt_rng_uniform(rng))), angle = two_pi * lnt_rng_uniform(rng);
    rng->spare = radius * sin(angle);
    rng->has_spare = 1;
    return radius * cos(angle);
}

#define PAIRS 128

/* Loops over one function each overlap what a single pair would do in turn. */
static void normal_pairs(lnt_rng *rng, double *x)
{
    double radius[PAIRS], angle[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        radius[i] = lnt_rng_uniform(rng);
        angle[i] = two_pi * lnt_rng_uniform(rng);
    }
    for (int i = 0; i < PAIRS; i++)
        radius[i] = sqrt(-2 * log(1 - radius[i]));
    for (int i = 0; i < PAIRS; i++) {
        x[2 * i] = radius[i] * cos(angle[i]);
        x[2 * i + 1] = radius[i] * sin(angle[i]);
    }
}

void lnt_rng_normals(lnt_rng *rng, double *x, size_t n)
{
    size_t i = 0;
    if (n > 0 && rng->has_spare)
        x[i++] = lnt_rng_normal(rng);
    for (; i + 2 * PAIRS <= n; i += 2 * PAIRS)
        normal_pairs(rng, x + i);
    for (; i < n; i++)
        x[i] = lnt_rng_normal(rng);
}

void lnt_rng_shuffle(lnt_rng *rng, int *order, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)lnt_rng_below(rng, (uint64_t)i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}

lnt_status lnt_rng_orthogonal(lnt_ctx *ctx, lnt_mat Q, lnt_rng *rng)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    double *diag = lnt_alloc(ctx, (size_t)Q.cols, sizeof *diag);
    if (!diag)
        return LNT_ENOMEM;
    for (int j = 0; j < Q.cols; j++)
        for (int i = 0; i < Q.rows; i++)
            *lnt_at(Q, i, j) = lnt_rng_normal(rng);
    lnt_status status = lnt_qr(ctx, Q, diag);
    for (int j = 0; j < Q.cols && status == LNT_OK; j++)
        if (diag[j] < 0)
            lnt_mat_scale(lnt_columns(Q, j, 1), -1);
    lnt_ctx_reset(ctx, mark);
    return status;
}
