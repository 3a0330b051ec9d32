/* The ready-made problems of fits. */
#include "fitting_demo.h"

#include <math.h>

#define POINTS 40
#define SQUARE 200
#define SAMPLES 8

static lnt_status make(lnt_ctx *ctx, lnt_demo_problem *p, const char *name, int inputs, int hidden, int outputs, int n)
{
    *p = (lnt_demo_problem){.name = name, .width = {inputs, hidden, outputs}};
    p->layers = (lnt_layers){.net = {2, p->width, LNT_TANH}, .biases = true};
    p->d = lnt_alloc(ctx, (size_t)n * (size_t)outputs, sizeof *p->d);
    return p->d ? lnt_mat_alloc(ctx, &p->X, inputs, n) : LNT_ENOMEM;
}

static lnt_status finish(lnt_ctx *ctx, lnt_demo_problem *p)
{
    lnt_status status = lnt_layers_model(ctx, &p->model, &p->layers, p->X);
    if (status != LNT_OK)
        return status;
    double mean = 0;
    for (size_t i = 0; i < p->model.n; i++)
        mean += p->d[i] / (double)p->model.n;
    for (size_t i = 0; i < p->model.n; i++)
        p->constant += (p->d[i] - mean) * (p->d[i] - mean);
    p->fit = (lnt_fit_problem){.model = &p->model, .d = p->d};
    return LNT_OK;
}

lnt_status lnt_demo_bump(lnt_ctx *ctx, lnt_demo_problem *p, int hidden, lnt_rng *rng)
{
    lnt_status status = make(ctx, p, "bump", 1, hidden, 1, POINTS);
    for (int i = 0; i < POINTS && status == LNT_OK; i++) {
        double x = 6.0 * i / (POINTS - 1) - 3, noise = rng ? lnt_rng_normal(rng) : sqrt(2) * sin((double)i * i);
        *lnt_at(p->X, 0, i) = x;
        p->d[i] = 1.2 * tanh(1.5 * x + 1.5) - tanh(2 * x - 2) + 0.3 + 0.05 * noise;
    }
    return status == LNT_OK ? finish(ctx, p) : status;
}

lnt_status lnt_demo_teacher(lnt_ctx *ctx, lnt_demo_problem *p, double *w, int n, double steepness)
{
    static const double teacher[] = {1.5, 2, 1.5, -2, 1.2, -1, 0.3};
    lnt_status status = make(ctx, p, "teacher", 1, 2, 1, n);
    for (int j = 0; j < 7; j++)
        w[j] = teacher[j] * (j < 4 ? steepness : 1);
    for (int i = 0; i < n && status == LNT_OK; i++)
        *lnt_at(p->X, 0, i) = 6.0 * i / (n - 1) - 3;
    if (status == LNT_OK)
        status = lnt_layers_forward(ctx, lnt_mat_view(p->d, 1, n), &p->layers, w, p->X);
    return status == LNT_OK ? finish(ctx, p) : status;
}

lnt_status lnt_demo_sine(lnt_ctx *ctx, lnt_demo_problem *p, lnt_rng *rng)
{
    lnt_status status = make(ctx, p, "sine", 1, 3, 1, POINTS);
    for (int i = 0; i < POINTS && status == LNT_OK; i++) {
        double x = 4.0 * i / (POINTS - 1) - 2;
        *lnt_at(p->X, 0, i) = x;
        p->d[i] = sin(3 * x) + 0.1 * lnt_rng_normal(rng);
    }
    return status == LNT_OK ? finish(ctx, p) : status;
}

static double van_der_corput(int i, int base)
{
    double x = 0, scale = 1.0 / base;
    for (; i > 0; i /= base, scale /= base)
        x += i % base * scale;
    return x;
}

lnt_status lnt_demo_zero_one(lnt_ctx *ctx, lnt_demo_problem *p, lnt_rng *rng)
{
    lnt_status status = make(ctx, p, "zero-one", 2, 3, 1, SQUARE);
    p->layers.net.activation = p->layers.output = LNT_LOGISTIC;
    for (int i = 1; i <= SQUARE && status == LNT_OK; i++) {
        double x = 2 * (rng ? lnt_rng_uniform(rng) : van_der_corput(i, 2)) - 1;
        double y = 2 * (rng ? lnt_rng_uniform(rng) : van_der_corput(i, 3)) - 1;
        *lnt_at(p->X, 0, i - 1) = x;
        *lnt_at(p->X, 1, i - 1) = y;
        p->d[i - 1] = (x * x + y * y < 0.5) != (rng ? lnt_rng_uniform(rng) < 0.05 : i % 20 == 0);
    }
    return status == LNT_OK ? finish(ctx, p) : status;
}

lnt_status lnt_demo_linear(lnt_ctx *ctx, lnt_demo_problem *p, int inputs, int hidden, int outputs, lnt_rng *rng)
{
    lnt_status status = make(ctx, p, "linear", inputs, hidden, outputs, SAMPLES);
    if (status != LNT_OK)
        return status;
    p->layers.net.activation = LNT_LINEAR;
    p->layers.biases = false;
    lnt_rng_normals(rng, p->X.a, (size_t)inputs * SAMPLES);
    lnt_rng_normals(rng, p->d, (size_t)outputs * SAMPLES);
    return finish(ctx, p);
}
