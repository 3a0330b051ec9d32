#include "bench.h"

#include <math.h>
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

/* d H n sigma alpha, X, y, w0 as bench/fits.py has them: W1 by rows, b1, W2, b2. */
lnt_status fit_file(lnt_ctx *ctx, const char *path, double *accuracy, double *seconds, double *jacobians, int threads)
{
    lnt_bytes bytes = {0};
    lnt_status status = lnt_file_read(ctx, &bytes, path);
    if (status != LNT_OK)
        return status;
    double *p = (double *)(void *)bytes.p;
    int d = (int)p[0], H = (int)p[1], n = (int)p[2], width[] = {d, H, 1};
    lnt_layers net = {.net = {2, width, LNT_TANH}, .biases = true};
    size_t k = lnt_layers_size(&net);
    double *X = p + 5, *y = X + (size_t)n * (size_t)d, *w0 = y + n, *w = lnt_alloc(ctx, k, sizeof *w),
           *sd = lnt_alloc(ctx, (size_t)n, sizeof *sd), *penalty = lnt_alloc(ctx, k, sizeof *penalty);
    lnt_model model;
    lnt_fit_opts opts;
    lnt_fit_info info;
    if (!w || !sd || !penalty)
        return LNT_ENOMEM;
    memcpy(w, w0, k * sizeof *w);
    lnt_mat_transpose(lnt_mat_view(w, H, d), lnt_mat_view(w0, d, H));
    for (int i = 0; i < n; i++)
        sd[i] = p[3];
    for (size_t j = 0; j < k; j++)
        penalty[j] = p[4];
    lnt_fit_defaults(&opts);
    opts.flat = 1e-8;
    opts.threads = threads;
    opts.memory = n > 100000 ? 1 << 20 : opts.memory; /* a Jacobian of a million rows is never formed */
    double start = now();
    status = lnt_layers_model(ctx, &model, &net, lnt_mat_view(X, d, n));
    lnt_fit_problem problem = {.model = &model, .d = y, .sd = sd, .penalty = penalty};
    if (status == LNT_OK)
        status = lnt_fit(ctx, w, &info, &problem, &opts);
    *seconds = now() - start;
    *accuracy = info.objective / 2;
    *jacobians = info.jacobians;
    lnt_heap_free(bytes.p);
    return status;
}
