/* Draws from a density of one's own: effects of coaching in eight schools (Rubin 1981), with errors that are known,
 *     y_j ~ N(theta_j, s_j^2),  theta_j = mu + tau eta_j,  eta_j ~ N(0, 1),  mu ~ N(0, 5^2),  tau ~ half-Cauchy(5).
 * Written by eta and not by theta, "non-centred", the posterior has no funnel at small tau. */
#include <linnet.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define J 8
#define K (J + 2) /* q = (mu, log tau, eta) */

typedef struct schools {
    double y[J], s[J];
} schools;

/* One chain per column of Q: the log density up to a constant, and its gradient. */
static int log_density(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    const schools *data = user;
    for (int c = 0; c < Q.cols; c++) {
        const double *q = lnt_at(Q, 0, c), mu = q[0], tau = exp(q[1]), share = tau * tau / (25 + tau * tau);
        double *g = lnt_at(G, 0, c);
        lp[c] = -mu * mu / 50 + q[1] - log(25 + tau * tau); /* q[1] = log tau: the Jacobian */
        g[0] = -mu / 25;
        g[1] = 1 - 2 * share;
        for (int j = 0; j < J; j++) {
            double eta = q[2 + j], r = (data->y[j] - mu - tau * eta) / data->s[j];
            lp[c] -= (r * r + eta * eta) / 2;
            g[0] += r / data->s[j];
            g[1] += r / data->s[j] * tau * eta;
            g[2 + j] = r / data->s[j] * tau - eta;
        }
    }
    return 0;
}

/* Overdispersed starts. */
static int start(double *q, int chain, int attempt, lnt_rng *rng, void *user)
{
    (void)chain, (void)attempt, (void)user;
    for (int i = 0; i < K; i++)
        q[i] = 4 * lnt_rng_uniform(rng) - 2;
    return 0;
}

typedef struct draws {
    const lnt_sample_opts *opts;
    double *x; /* mu, tau, theta of each draw of each chain */
    long divergences;
} draws;

static int keep(const lnt_draw *draw, void *user)
{
    draws *d = user;
    if (draw->warmup)
        return 0;
    long at = (long)draw->chain * d->opts->draws + draw->iteration - d->opts->warmup;
    double *x = d->x + at * K;
    x[0] = draw->q[0];
    x[1] = exp(draw->q[1]);
    for (int j = 0; j < J; j++)
        x[2 + j] = x[0] + x[1] * draw->q[2 + j];
    d->divergences += draw->divergent;
    return 0;
}

static void print(const lnt_diagnosis *seen)
{
    printf("         mean    sd   mcse     5%%    95%%   R-hat\n");
    for (int i = 0; i < K; i++) {
        char name[16];
        snprintf(name, sizeof name, i == 0 ? "mu" : i == 1 ? "tau" : "theta%d", i - 1);
        printf("%-6s %6.2f %5.2f %6.3f %6.1f %6.1f  %6.3f\n", name, seen[i].mean, seen[i].sd, seen[i].mcse_mean,
               seen[i].q05.value, seen[i].q95.value, seen[i].rhat);
    }
}

int main(void)
{
    schools data = {{28, 8, -3, 7, -1, 1, 18, 12}, {15, 10, 16, 11, 9, 11, 10, 18}};
    const lnt_density density = {.k = K, .width = 4, .logp = log_density, .user = &data};
    lnt_sample_opts opts;
    lnt_sample_defaults(&opts); /* NUTS, 4 chains of 1000 + 1000 */
    opts.target = 0.95;
    draws d = {&opts, malloc(sizeof(double) * K * (size_t)opts.chains * (size_t)opts.draws), 0};
    lnt_ctx *ctx = lnt_ctx_new();
    lnt_mat state; /* all that there is to know about the chains: saved, they can go on later */
    lnt_diagnosis seen[K];
    lnt_verdict verdict;
    lnt_status status = d.x && ctx ? LNT_OK : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &state, (int)lnt_chain_size(&density, &opts), opts.chains);
    if (status == LNT_OK)
        status = lnt_chains_start(ctx, state, &density, &opts, start, NULL);
    if (status == LNT_OK)
        status = lnt_sample(ctx, state, &density, &opts, keep, &d);
    if (status == LNT_OK)
        status = lnt_diagnose(ctx, seen, &(lnt_chains){d.x, opts.chains, opts.draws, K}, 0);
    if (status == LNT_OK)
        status = lnt_verdict_on(ctx, &verdict, seen, K, opts.chains, NULL, NULL);
    if (status == LNT_OK) {
        print(seen);
        printf("%ld divergences; these draws can%s be trusted\n", d.divergences, verdict.trusted ? "" : " not");
    } else {
        fprintf(stderr, "%s\n", ctx ? lnt_ctx_message(ctx) : lnt_status_text(status));
    }
    lnt_ctx_free(ctx);
    free(d.x);
    return status == LNT_OK && verdict.trusted ? 0 : 1;
}
