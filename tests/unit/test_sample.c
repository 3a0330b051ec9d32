/* Markov chains. Statistical tests have fixed seeds, so they cannot fail by chance from run to run; a seed that was
 * picked blindly would fail each comparison with probability 1e-4. */
#include "sample.h"

#define SEED 71

/* N(mean, P^-1), P = L L'; or with P.a = NULL and scales s, N(mean, diag(s^2)). */
typedef struct gauss {
    int k;
    lnt_mat P;
    const double *mean, *s;
} gauss;

static int gauss_logp(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    const gauss *t = user;
    for (int j = 0; j < Q.cols; j++) {
        double x[256], *g = lnt_at(G, 0, j);
        for (int i = 0; i < t->k; i++) {
            x[i] = *lnt_at(Q, i, j) - (t->mean ? t->mean[i] : 0);
            g[i] = t->s ? -x[i] / (t->s[i] * t->s[i]) : -x[i];
        }
        if (t->P.a)
            for (int i = 0; i < t->k; i++) {
                g[i] = 0;
                for (int l = 0; l < t->k; l++)
                    g[i] -= *lnt_at(t->P, l, i) * x[l];
            }
        lp[j] = 0;
        for (int i = 0; i < t->k; i++)
            lp[j] += 0.5 * x[i] * g[i];
    }
    return 0;
}

static lnt_density density_of(gauss *t, int width)
{
    return (lnt_density){.k = t->k, .width = width, .logp = gauss_logp, .user = t};
}

static double coordinate(const double *q, double logp, const void *user)
{
    (void)logp;
    return q[*(const int *)user];
}

static double square(const double *q, double logp, const void *user)
{
    double x = coordinate(q, logp, user);
    return x * x;
}

static lnt_sample_opts quick(int chains, int warmup, int count)
{
    lnt_sample_opts o;
    lnt_sample_defaults(&o);
    o.chains = chains;
    o.warmup = warmup;
    o.draws = count;
    o.seed = SEED;
    return o;
}

static void gaussians_of_any_shape(void **state)
{
    lnt_ctx *ctx = *state;
    for (int dense = 0; dense < 2; dense++)
        for (int k = 1; k <= 10; k += 9) {
            double s[10], mean[10];
            for (int i = 0; i < k; i++) {
                s[i] = pow(10, -3 * i / 9.0);
                mean[i] = i;
            }
            gauss t = {.k = k, .mean = mean, .s = s};
            lnt_density density = density_of(&t, 4);
            lnt_sample_opts o = quick(4, 500, 1000);
            o.dense = dense;
            lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
            draws d = sample(ctx, &density, &o, random_matrix(ctx, k, 4, &rng));
            assert_int_equal(d.divergences, 0);
            for (int i = 0; i < k; i++) {
                check_mean(&d, coordinate, &i, mean[i], "mean");
                check_mean(&d, square, &i, mean[i] * mean[i] + s[i] * s[i], "square");
            }
            fprintf(stderr, "k %d dense %d leapfrogs %g accept %g\n", k, dense, d.leapfrogs / 4000., d.accept / 4000.);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(gaussians_of_any_shape)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
