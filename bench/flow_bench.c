/* Times gradient flows inside the process: flow_bench PROBLEM.bin METHOD RTOL ATOL [REPEAT]. Prints "seconds error
 * evaluations steps rejected method". The file (bench/flow_peers.py writes it) holds doubles: inputs, hidden, outputs,
 * times; then Sxx, Syx, the start weights, the times, and the reference products at the times, column-major. */
#include "linnet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static lnt_status run(lnt_ctx *ctx, double *p, const lnt_flow_opts *opts, int repeat)
{
    int width[] = {(int)p[0], (int)p[1], (int)p[2]}, count = (int)p[3];
    lnt_net net = {2, width};
    lnt_moments m = {.n = 1, .Sxx = lnt_mat_view(p + 4, width[0], width[0])};
    m.Syx = lnt_mat_view(m.Sxx.a + width[0] * width[0], width[2], width[0]);
    double *w0 = m.Syx.a + width[2] * width[0], *times = w0 + lnt_net_size(&net), *product = times + count;
    double best = INFINITY, error = 0;
    lnt_flow_info info = {0};
    lnt_mat Y, W;
    lnt_status status = lnt_mat_alloc(ctx, &Y, (int)lnt_net_size(&net), count);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &W, width[2], width[0]);
    for (int i = 0; i < repeat && status == LNT_OK; i++) {
        double start = now();
        status = lnt_net_flow(ctx, Y, &info, NULL, &net, w0, &m, times, count, opts);
        best = fmin(best, now() - start);
    }
    for (int k = 0; k < count && status == LNT_OK; k++) {
        status = lnt_net_product(ctx, W, &net, lnt_at(Y, 0, k));
        lnt_mat_add(W, -1, lnt_mat_view(product + (size_t)k * (size_t)(width[2] * width[0]), width[2], width[0]));
        error = fmax(error, lnt_mat_max(W));
    }
    if (status == LNT_OK)
        printf("%.6f %.3e %ld %ld %ld %s\n", best, error, info.evaluations, info.steps, info.rejected,
               info.method == LNT_FLOW_BDF ? isnan(info.switched) ? "bdf" : "switched" : "explicit");
    return status;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"auto", "explicit", "bdf"};
    lnt_ctx *ctx = lnt_ctx_new();
    lnt_flow_opts opts;
    lnt_bytes bytes = {0};
    lnt_flow_defaults(&opts);
    if (!ctx || argc < 5) {
        fprintf(stderr, "usage: flow_bench PROBLEM.bin auto|explicit|bdf RTOL ATOL [REPEAT]\n");
        return 2;
    }
    for (int i = 0; i < 3; i++)
        if (strcmp(argv[2], names[i]) == 0)
            opts.method = (lnt_flow_method)i;
    opts.rtol = atof(argv[3]);
    opts.atol = atof(argv[4]);
    lnt_status status = lnt_file_read(ctx, &bytes, argv[1]);
    if (status == LNT_OK)
        status = run(ctx, (double *)(void *)bytes.p, &opts, argc > 5 ? atoi(argv[5]) : 1);
    if (status != LNT_OK)
        fprintf(stderr, "flow_bench: %s\n", lnt_ctx_message(ctx));
    lnt_heap_free(bytes.p);
    lnt_ctx_free(ctx);
    return status == LNT_OK ? 0 : 1;
}
