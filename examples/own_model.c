/* Fits a model of one's own: y = b1 (1 - exp(-b2 x)) on the 14 points of NIST's Misra1a, whose certified answer is
 * b1 = 238.94212918 +- 2.7070075241, b2 = 5.5015643181e-4 +- 7.2668688436e-6.
 *
 *     cc own_model.c $(pkg-config --cflags --libs linnet) -lm
 */
#include <linnet/fit.h>

#include <math.h>
#include <stdio.h>

#define N 14

typedef struct measurements {
    double x[N], y[N];
} measurements;

/* out <- the predictions of weights b. A positive return would say that there are none for these weights. */
static int outputs(const double *b, double *out, void *user)
{
    const measurements *m = user;
    for (int i = 0; i < N; i++)
        out[i] = b[0] * (1 - exp(-b[1] * m->x[i]));
    return 0;
}

/* Rows first .. last-1 of their derivatives. Without this callback they are made of differences. */
static int jacobian(const double *b, size_t first, size_t last, double *B, size_t ld, void *user)
{
    const measurements *m = user;
    for (size_t i = first; i < last; i++) {
        double e = exp(-b[1] * m->x[i]), *row = B + (i - first) * ld;
        row[0] = 1 - e;
        row[1] = b[0] * m->x[i] * e;
    }
    return 0;
}

static lnt_status fit(lnt_ctx *ctx, double *b, lnt_fit_info *info, lnt_fit_certificate *certificate, double *V)
{
    static measurements m = {
        {77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0},
        {10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78}};
    lnt_model model = {.n = N, .k = 2, .user = &m, .f = outputs, .jacobian = jacobian};
    lnt_fit_problem problem = {.model = &model, .d = m.y};
    lnt_fit_opts opts;
    lnt_fit_defaults(&opts);
    opts.scaling = LNT_SCALING_MORE; /* weights in mixed units */
    opts.tau = 1e-3;
    lnt_status status = lnt_fit(ctx, b, info, &problem, &opts);
    return status == LNT_OK ? lnt_fit_certify(ctx, certificate, lnt_mat_view(V, 2, 2), true, &problem, b) : status;
}

int main(void)
{
    lnt_ctx *ctx = lnt_ctx_new();
    lnt_fit_info info;
    lnt_fit_certificate certificate;
    double b[2] = {500, 1e-4}, V[4]; /* b: the start, then the fit */
    if (!ctx || fit(ctx, b, &info, &certificate, V) != LNT_OK) {
        fprintf(stderr, "%s\n", ctx ? lnt_ctx_message(ctx) : "out of memory");
        lnt_ctx_free(ctx);
        return 1;
    }
    for (int j = 0; j < 2; j++)
        printf("b%d = %.11g +- %.11g\n", j + 1, b[j], sqrt(certificate.variance * V[3 * j]));
    printf("sum of squares %.11g after %d steps: %s\n", info.sse, info.steps, lnt_fit_stop_text(info.stop));
    printf("cosine of the gradient %.1g, least curvature %s 0\n", certificate.cosine,
           certificate.least_curvature > 0 ? ">" : "<=");
    lnt_ctx_free(ctx);
    return 0;
}
