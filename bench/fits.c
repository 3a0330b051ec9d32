#include "bench.h"

#include <string.h>

/* ---- Kernels ---- */

lnt_status ntk(lnt_ctx *ctx, double *accuracy, double *seconds, bool explicit_product, int threads)
{
    const int width[] = {64, 256, 1}, n = 1000;
    lnt_layers net = {.net = {2, width, LNT_TANH}, .biases = true, .ntk = true, .bias_scale = 1};
    lnt_rng rng = lnt_rng_stream(0, 0, LNT_FOR_TESTS);
    int k = (int)lnt_layers_size(&net);
    lnt_mat X, Theta, BT;
    double *w = lnt_alloc(ctx, (size_t)k, sizeof *w);
    lnt_status status = w ? lnt_mat_alloc(ctx, &X, width[0], n) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Theta, n, n);
    if (status != LNT_OK)
        return status;
    lnt_rng_normals(&rng, X.a, (size_t)width[0] * (size_t)n);
    lnt_layers_start(w, &net, LNT_START_NORMAL, X, &rng);
    double start = now();
    if (!explicit_product)
        status = lnt_ntk(ctx, Theta, &net, w, X, (lnt_mat){0}, threads);
    else if ((status = lnt_mat_alloc(ctx, &BT, k, n)) == LNT_OK &&
             (status = lnt_layers_jacobian(ctx, BT, &net, w, X)) == LNT_OK) {
        lnt_syrk(Theta, 1, LNT_T, BT, 0);
        lnt_symmetrize(Theta);
    }
    *seconds = now() - start;
    for (int i = 0; i < n && status == LNT_OK; i++)
        *accuracy += *lnt_at(Theta, i, i);
    return status;
}

/* ---- Fits ---- */

typedef struct fit {
    int d, H, n;
    double sigma, alpha;
    const double *X, *y, *w0;
} fit;

static lnt_status fit_one(lnt_ctx *ctx, lnt_fit_info *info, const fit *f, double *seconds, int threads)
{
    int width[] = {f->d, f->H, 1};
    lnt_layers net = {.net = {2, width, LNT_TANH}, .biases = true};
    size_t k = lnt_layers_size(&net), n = (size_t)f->n;
    double *w = lnt_alloc(ctx, k, sizeof *w), *sd = lnt_alloc(ctx, n, sizeof *sd),
           *penalty = lnt_alloc(ctx, k, sizeof *penalty);
    lnt_model model;
    lnt_fit_opts opts;
    if (!w || !sd || !penalty)
        return LNT_ENOMEM;
    memcpy(w, f->w0, k * sizeof *w);
    lnt_mat_transpose(lnt_mat_view(w, f->H, f->d), lnt_mat_view((double *)(uintptr_t)f->w0, f->d, f->H));
    for (size_t i = 0; i < n; i++)
        sd[i] = f->sigma;
    for (size_t j = 0; j < k; j++)
        penalty[j] = f->alpha;
    lnt_fit_defaults(&opts);
    opts.flat = 1e-8;
    opts.threads = threads;
    opts.memory = n > 100000 ? 1 << 20 : opts.memory; /* a Jacobian of a million rows is never formed */
    double start = now();
    lnt_status status = lnt_layers_model(ctx, &model, &net, lnt_mat_view((double *)(uintptr_t)f->X, f->d, f->n));
    lnt_fit_problem problem = {.model = &model, .d = f->y, .sd = sd, .penalty = penalty};
    if (status == LNT_OK)
        status = lnt_fit(ctx, w, info, &problem, &opts);
    *seconds += now() - start;
    return status;
}

/* d H n sigma alpha problems, then of each X, y, w0 as bench/fits.py has them: W1 by rows, b1, W2, b2. */
lnt_status fit_file(lnt_ctx *ctx, const char *path, double *accuracy, double *seconds, double *operations, int threads)
{
    lnt_bytes bytes = {0};
    lnt_status status = lnt_file_read(ctx, &bytes, path);
    if (status != LNT_OK)
        return status;
    const double *p = (const double *)(const void *)bytes.p, *at = p + 6;
    fit f = {(int)p[0], (int)p[1], (int)p[2], p[3], p[4], NULL, NULL, NULL};
    int count = (int)p[5], k = f.H * (f.d + 2) + 1;
    for (int s = 0; s < count && status == LNT_OK; s++) {
        lnt_fit_info info = {0};
        lnt_mark mark = lnt_ctx_mark(ctx);
        f.X = at;
        f.y = f.X + (size_t)f.n * (size_t)f.d;
        f.w0 = f.y + f.n;
        at = f.w0 + k;
        status = fit_one(ctx, &info, &f, seconds, threads);
        *accuracy += info.objective / 2 / count;
        *operations += info.jacobians * (double)f.n * k * k;
        lnt_ctx_reset(ctx, mark);
    }
    lnt_heap_free(bytes.p);
    return status;
}
