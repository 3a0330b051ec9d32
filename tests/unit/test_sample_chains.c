/* How chains run: the same bits however they are computed, interruptions, adaptation, failures. */
#include "sample.h"

#define SEED 73

static void check_same(const draws *a, int first_a, const draws *b, int first_b, int chains, const char *what)
{
    size_t numbers = (size_t)a->count * (size_t)a->k;
    for (int c = 0; c < chains; c++) {
        const double *x = a->q + (size_t)(first_a + c) * numbers, *y = b->q + (size_t)(first_b + c) * numbers;
        for (size_t i = 0; i < numbers; i++)
            if (memcmp(&x[i], &y[i], sizeof *x) != 0)
                fail_msg("%s: number %zu of chain %d is %.17g, not %.17g", what, i, c, x[i], y[i]);
    }
}

/* A small network's posterior and starts for nine chains. */
typedef struct fixture {
    lnt_density density;
    lnt_mat starts;
    double alpha, d[60];
    int widths[3];
    lnt_layers net;
    lnt_likelihood likelihood;
    lnt_prior prior;
} fixture;

static void make_fixture(lnt_ctx *ctx, fixture *f)
{
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    *f = (fixture){.alpha = 1, .widths = {2, 3, 1}};
    f->net = (lnt_layers){.net = {.depth = 2, .width = f->widths, .activation = LNT_TANH}, .biases = true};
    lnt_mat X = random_matrix(ctx, 2, 60, &rng);
    for (int i = 0; i < 60; i++)
        f->d[i] = sin(*lnt_at(X, 0, i)) + 0.1 * lnt_rng_normal(&rng);
    f->likelihood = (lnt_likelihood){.kind = LNT_GAUSSIAN, .n = 60, .d = f->d, .beta = 20};
    f->prior = (lnt_prior){.groups = 1, .alpha = &f->alpha};
    check_status(ctx, lnt_network_density(ctx, &f->density, &f->net, X, &f->likelihood, &f->prior, NULL), LNT_OK);
    f->starts = random_matrix(ctx, f->density.k, 9, &rng);
}

static lnt_sample_opts brief(int chains)
{
    lnt_sample_opts o = quick(chains, 60, 10);
    o.max_depth = 6;
    return o;
}

static void bits_do_not_depend_on_threads_and_company(void **state)
{
    lnt_ctx *ctx = *state;
    fixture f;
    make_fixture(ctx, &f);
    for (int run = 0; run < 4; run++) {
        lnt_sample_opts o = brief(9);
        o.dense = run == 1;
        o.kind = run == 2 ? LNT_HMC : LNT_NUTS;
        f.density.width = run == 3 ? 4 : 1;
        draws all = sample(ctx, &f.density, &o, f.starts);
        for (int threads = 1; threads <= 8; threads += threads < 2 ? 1 : 6) {
            o.threads = threads;
            draws d = sample(ctx, &f.density, &o, f.starts);
            check_same(&d, 0, &all, 0, 9, "threads");
        }
        for (o.chains = 1; o.chains <= 4; o.chains += 3) {
            draws d = sample(ctx, &f.density, &o, f.starts);
            check_same(&d, 0, &all, 0, o.chains, "chains");
        }
        o = brief(9);
        o.dense = run == 1;
        o.kind = run == 2 ? LNT_HMC : LNT_NUTS;
        f.density.width = 5; /* this density's columns do not depend on their place either */
        draws d = sample(ctx, &f.density, &o, f.starts);
        check_same(&d, 0, &all, 0, 9, "width");
    }
}

/* A density by products of matrices, whose bits may depend on the place of a column. */
static int by_products(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    const lnt_mat *P = user;
    lnt_gemm(G, -1, LNT_N, *P, LNT_N, Q, 0);
    for (int j = 0; j < Q.cols; j++)
        lp[j] = 0.5 * lnt_vec_dot(Q.rows, lnt_at(Q, 0, j), lnt_at(G, 0, j));
    return 0;
}

static void bits_with_a_density_by_products(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    enum { K = 37 };
    lnt_mat A = random_matrix(ctx, K, 2 * K, &rng), P = zeros(ctx, K, K), starts = random_matrix(ctx, K, 9, &rng);
    lnt_gemm(P, 1.0 / K, LNT_N, A, LNT_T, A, 0);
    for (int width = 1; width <= 7; width += 2) {
        lnt_density density = {.k = K, .width = width, .logp = by_products, .user = &P};
        lnt_sample_opts o = brief(9);
        o.dense = width == 5;
        draws all = sample(ctx, &density, &o, starts);
        for (o.chains = 1; o.chains <= 4; o.chains += 3) {
            o.threads = o.chains;
            draws d = sample(ctx, &density, &o, starts);
            check_same(&d, 0, &all, 0, o.chains, "chains");
        }
    }
}

/* ---- Interruptions ---- */

typedef struct stop {
    draws *d;
    long after;
    bool fails;
} stop;

static int keep_some(const lnt_draw *draw, void *user)
{
    stop *s = user;
    keep_draw(draw, s->d);
    return s->fails && s->d->received >= s->after ? 1 : 0;
}

static int past(void *user)
{
    const stop *s = user;
    long received;
#pragma omp atomic read
    received = s->d->received;
    return received >= s->after;
}

static void a_resumed_run_is_the_unbroken_one(void **state)
{
    lnt_ctx *ctx = *state;
    fixture f;
    make_fixture(ctx, &f);
    double variances[64];
    for (int i = 0; i < f.density.k; i++)
        variances[i] = 0.05 * (i + 1);
    for (int run = 0; run < 8; run += run && run < 5 ? 2 : 3) { /* 0, 3, 5 */
        lnt_sample_opts o = quick(3, 160, 20);
        o.max_depth = 6;
        o.dense = run % 2;
        o.metric = run > 3 ? lnt_mat_view(variances, f.density.k, 1) : (lnt_mat){0};
        draws whole = sample(ctx, &f.density, &o, f.starts), parts = draws_of(ctx, f.density.k, &o);
        size_t size = lnt_chain_size(&f.density, &o);
        lnt_mat s = new_state(ctx, &f.density, &o), moved = zeros(ctx, (int)size + 1, 3);
        check_status(ctx, lnt_chains_start(ctx, s, &f.density, &o, lnt_start_at, &f.starts), LNT_OK);
        for (long after = 5; after < 3 * 180; after += 97) {
            stop at = {&parts, after, run / 2 % 2 == 1};
            lnt_ctx_set_cancel(ctx, at.fails ? NULL : past, &at);
            lnt_status status = lnt_sample(ctx, s, &f.density, &o, keep_some, &at);
            check_status(ctx, status, at.fails ? LNT_EUSER : LNT_OK);
            lnt_ctx_clear(ctx);
            for (int c = 0; c < 3; c++) /* as if from a file, to another alignment */
                memcpy(lnt_at(moved, 1, c), lnt_at(s, 0, c), size * sizeof(double));
            lnt_mat_fill(s, NAN);
            s = lnt_block(moved, 1, 0, (int)size, 3);
            moved = zeros(ctx, (int)size + 1, 3);
        }
        lnt_ctx_set_cancel(ctx, NULL, NULL);
        check_status(ctx, lnt_sample(ctx, s, &f.density, &o, keep_draw, &parts), LNT_OK);
        assert_int_equal(parts.received, 3 * 180);
        check_same(&parts, 0, &whole, 0, 3, "resumed");
        check_status(ctx, lnt_sample(ctx, s, &f.density, &o, keep_draw, &parts), LNT_OK);
        assert_int_equal(parts.received, 3 * 180); /* nothing is left to do */
    }
}

static void more_draws_can_be_had(void **state)
{
    lnt_ctx *ctx = *state;
    fixture f;
    make_fixture(ctx, &f);
    lnt_sample_opts o = brief(2), more = o;
    more.draws = 35;
    draws whole = sample(ctx, &f.density, &more, f.starts), d = draws_of(ctx, f.density.k, &more);
    lnt_mat s = new_state(ctx, &f.density, &o);
    check_status(ctx, lnt_chains_start(ctx, s, &f.density, &o, lnt_start_at, &f.starts), LNT_OK);
    check_status(ctx, lnt_sample(ctx, s, &f.density, &o, keep_draw, &d), LNT_OK);
    check_status(ctx, lnt_sample(ctx, s, &f.density, &more, keep_draw, &d), LNT_OK);
    check_same(&d, 0, &whole, 0, 2, "continued");
}

/* ---- What is told ---- */

typedef struct tally {
    long next[4], leapfrogs[4], divergences[4];
    double gradients;
    int k;
} tally;

static int check_draw(const lnt_draw *draw, void *user)
{
    tally *t = user;
    lnt_chain at = lnt_chain_read(draw->state);
    bool fine = draw->iteration == t->next[draw->chain]++ && draw->warmup == (draw->iteration < 150) &&
                at.iteration == (double)draw->iteration + 1 && at.logp == draw->logp &&
                memcmp(lnt_chain_position(draw->state), draw->q, (size_t)t->k * sizeof(double)) == 0 &&
                draw->energy >= -draw->logp && draw->accept >= 0 && draw->accept <= 1 && draw->leapfrogs >= 1 &&
                draw->leapfrogs < 1 << (draw->depth + 1) && draw->depth <= 5 && draw->at_depth <= (draw->depth == 5);
    if (!draw->warmup) {
        t->leapfrogs[draw->chain] += draw->leapfrogs;
        t->divergences[draw->chain] += draw->divergent;
        fine = fine && draw->step == at.step;
    }
    return !fine;
}

static long steps_done;

static void count_progress(const char *what, long done, long total, void *user)
{
    (void)user;
    assert_string_equal(what, "sampling");
    assert_int_equal(total, 4 * 200);
    steps_done = done;
}

static void draws_tell_the_truth(void **state)
{
    lnt_ctx *ctx = *state;
    fixture f;
    make_fixture(ctx, &f);
    lnt_sample_opts o = quick(4, 150, 50);
    o.max_depth = 5;
    tally t = {.k = f.density.k};
    lnt_mat s = new_state(ctx, &f.density, &o);
    lnt_ctx_set_progress(ctx, count_progress, NULL);
    check_status(ctx, lnt_chains_start(ctx, s, &f.density, &o, lnt_start_at, &f.starts), LNT_OK);
    check_status(ctx, lnt_sample(ctx, s, &f.density, &o, check_draw, &t), LNT_OK);
    lnt_ctx_set_progress(ctx, NULL, NULL);
    assert_int_equal(steps_done, 800);
    for (int c = 0; c < 4; c++) {
        lnt_chain at = lnt_chain_read(lnt_at(s, 0, c));
        assert_int_equal(t.next[c], 200);
        assert_true(at.leapfrogs == (double)t.leapfrogs[c] && at.divergences == (double)t.divergences[c]);
        assert_true(at.gradients > at.leapfrogs && at.metric == LNT_METRIC_UNIT && isnan(at.trial_ratio));
    }
}

/* ---- Adaptation ---- */

static void a_metric_is_kept_where_it_serves(void **state)
{
    lnt_ctx *ctx = *state;
    enum { K = 12 };
    double s[K], good[K], bad[K];
    for (int i = 0; i < K; i++) {
        s[i] = pow(10, -2.0 * i / (K - 1));
        good[i] = s[i] * s[i];
    }
    for (int i = 0; i < K; i++)
        bad[i] = good[K - 1 - i];
    gauss t = {.k = K, .s = s};
    lnt_density density = density_of(&t, 2);
    lnt_rng rng = lnt_rng_stream(SEED, 2, LNT_FOR_TESTS);
    lnt_mat starts = random_matrix(ctx, K, 4, &rng);
    for (int run = 0; run < 4; run++) {
        lnt_sample_opts o = quick(4, 150, 0);
        o.dense = run / 2;
        o.metric = lnt_mat_view(run % 2 ? bad : good, K, 1);
        lnt_mat state_of = new_state(ctx, &density, &o);
        check_status(ctx, lnt_chains_start(ctx, state_of, &density, &o, lnt_start_at, &starts), LNT_OK);
        check_status(ctx, lnt_sample(ctx, state_of, &density, &o, NULL, NULL), LNT_OK);
        for (int c = 0; c < 4; c++) {
            lnt_chain at = lnt_chain_read(lnt_at(state_of, 0, c));
            if (at.metric != (run % 2 ? LNT_METRIC_DROPPED : LNT_METRIC_GIVEN) ||
                !(run % 2 ? at.trial_ratio < 0.7 : at.trial_ratio > 1.4))
                fail_msg("run %d, chain %d: a %s metric has ratio %g", run, c, run % 2 ? "bad" : "good",
                         at.trial_ratio);
        }
    }
}

/* C approaches the variances; and no warm-up, or hardly any, works too. */
static void warm_ups_of_any_length(void **state)
{
    lnt_ctx *ctx = *state;
    const double s[] = {1, 0.1, 10};
    gauss t = {.k = 3, .s = s};
    lnt_density density = density_of(&t, 1);
    const int lengths[] = {0, 1, 2, 19, 20, 21, 100, 149, 150, 151, 1000};
    lnt_mat starts = zeros(ctx, 3, 2);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        lnt_sample_opts o = quick(2, lengths[i], 100);
        lnt_mat run = new_state(ctx, &density, &o);
        draws d = draws_of(ctx, 3, &o);
        check_status(ctx, lnt_chains_start(ctx, run, &density, &o, lnt_start_at, &starts), LNT_OK);
        check_status(ctx, lnt_sample(ctx, run, &density, &o, keep_draw, &d), LNT_OK);
        if (lengths[i] > 0 && d.divergences > 40) /* without, the step is a rough guess */
            fail_msg("warm-up %d: %ld divergences", lengths[i], d.divergences);
        const double *C = lnt_chain_metric(lnt_at(run, 0, 1));
        for (int j = 0; j < 3; j++)
            if (lengths[i] == 1000 ? !(C[j] / (s[j] * s[j]) > 0.7 && C[j] / (s[j] * s[j]) < 1.4)
                                   : (lengths[i] < 20) != (C[j] == 1))
                fail_msg("warm-up %d: variance %d is %g", lengths[i], j, C[j]);
    }
    lnt_sample_opts o = quick(2, 0, 10); /* the step that was asked for */
    o.step = 0.02;
    draws d = sample(ctx, &density, &o, starts);
    assert_true(d.accept / 20 > 0.99);
    o.warmup = o.draws = 0;
    sample(ctx, &density, &o, starts);
}

/* ---- Failures ---- */

static int flat(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    (void)Q, (void)user;
    lnt_mat_fill(G, 0);
    for (int j = 0; j < Q.cols; j++)
        lp[j] = 0;
    return 0;
}

/* A spike: nothing around the start has a density. */
static int spike(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    (void)user;
    lnt_mat_fill(G, 1);
    for (int j = 0; j < Q.cols; j++)
        lp[j] = *lnt_at(Q, 0, j) == 0 ? 0 : NAN;
    return 0;
}

static int after_some(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    int *calls = user;
    flat(Q, lp, G, NULL);
    for (int j = 0; j < Q.cols; j++) {
        *lnt_at(G, 0, j) = -*lnt_at(Q, 0, j);
        lp[j] = -0.5 * *lnt_at(Q, 0, j) * *lnt_at(Q, 0, j);
    }
    return --*calls < 0 ? -7 : 0;
}

static int nowhere(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    (void)Q, (void)lp, (void)G, (void)user;
    return 1;
}

static lnt_status run_of(lnt_ctx *ctx, int (*logp)(lnt_mat, double *, lnt_mat, void *), void *user, lnt_mat *state)
{
    lnt_density density = {.k = 1, .width = 2, .logp = logp, .user = user};
    lnt_sample_opts o = quick(2, 10, 10);
    lnt_mat starts = zeros(ctx, 1, 2);
    o.threads = 1;
    *state = new_state(ctx, &density, &o);
    lnt_status status = lnt_chains_start(ctx, *state, &density, &o, lnt_start_at, &starts);
    return status == LNT_OK ? lnt_sample(ctx, *state, &density, &o, NULL, NULL) : status;
}

static void densities_that_cannot_be_drawn_from(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_mat s;
    int calls = 0;
    check_failure(ctx, run_of(ctx, flat, NULL, &s), LNT_EDOMAIN, "flat");
    check_failure(ctx, run_of(ctx, spike, NULL, &s), LNT_EDOMAIN, "gradient");
    check_failure(ctx, run_of(ctx, nowhere, NULL, &s), LNT_EDOMAIN, "start");
    check_failure(ctx, run_of(ctx, after_some, &calls, &s), LNT_EUSER, "-7");
    calls = 20;
    check_failure(ctx, run_of(ctx, after_some, &calls, &s), LNT_EUSER, "-7");
    lnt_chain at = lnt_chain_read(s.a); /* whole iterations, from which it goes on */
    assert_true(at.iteration > 0 && at.iteration < 20);
    calls = 1000;
    lnt_density density = {.k = 1, .width = 2, .logp = after_some, .user = &calls};
    lnt_sample_opts o = quick(2, 10, 10);
    check_status(ctx, lnt_sample(ctx, s, &density, &o, NULL, NULL), LNT_OK);
}

/* A density whose columns differ: one is divergent for ever, and its neighbours do not care. */
static int one_of_them(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    for (int j = 0; j < Q.cols; j++) {
        double x = *lnt_at(Q, 0, j), edge = *(const double *)user;
        lp[j] = -0.5 * x * x;
        *lnt_at(G, 0, j) = j == 1 && fabs(x) > edge ? NAN : -x;
    }
    return 0;
}

static void a_stuck_chain_is_alone(void **state)
{
    lnt_ctx *ctx = *state;
    double edge = 1e-300, none = INFINITY;
    lnt_density density = {.k = 1, .width = 3, .logp = one_of_them, .user = &none};
    lnt_sample_opts o = quick(3, 0, 50);
    o.step = 0.5;
    lnt_mat starts = zeros(ctx, 1, 3);
    draws free = sample(ctx, &density, &o, starts);
    density.user = &edge;
    draws d = sample(ctx, &density, &o, starts);
    assert_int_equal(d.divergences, 50);
    check_same(&d, 0, &free, 0, 1, "left");
    check_same(&d, 2, &free, 2, 1, "right");
    for (int i = 0; i < 50; i++)
        assert_true(d.q[50 + i] == 0);
}

static int lucky(double *q, int chain, int attempt, lnt_rng *rng, void *user)
{
    int *attempts = user;
    q[0] = attempt < 3 * chain ? -1 - lnt_rng_uniform(rng) : 1;
#pragma omp atomic
    ++*attempts;
    return *attempts > 1000 ? -1 : 0;
}

static int positive(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    (void)user;
    for (int j = 0; j < Q.cols; j++) {
        lp[j] = *lnt_at(Q, 0, j) > 0 ? -*lnt_at(Q, 0, j) : -INFINITY;
        *lnt_at(G, 0, j) = -1;
    }
    return 0;
}

static int never(double *q, int chain, int attempt, lnt_rng *rng, void *user)
{
    (void)chain, (void)attempt, (void)rng;
    q[0] = user ? INFINITY : -1;
    return 0;
}

static void starts_are_tried_again(void **state)
{
    lnt_ctx *ctx = *state;
    int attempts = 0;
    lnt_density density = {.k = 1, .width = 2, .logp = positive};
    lnt_sample_opts o = quick(5, 10, 10);
    lnt_mat s = new_state(ctx, &density, &o);
    check_status(ctx, lnt_chains_start(ctx, s, &density, &o, lucky, &attempts), LNT_OK);
    assert_int_equal(attempts, 5 + 3 * (0 + 1 + 2 + 3 + 4));
    for (int c = 0; c < 5; c++)
        assert_true(*lnt_chain_position(lnt_at(s, 0, c)) == 1);
    check_failure(ctx, lnt_chains_start(ctx, s, &density, &o, never, NULL), LNT_EDOMAIN, "100 attempts");
    check_failure(ctx, lnt_chains_start(ctx, s, &density, &o, never, &o), LNT_EDOMAIN, "not finite");
    attempts = 1000;
    check_failure(ctx, lnt_chains_start(ctx, s, &density, &o, lucky, &attempts), LNT_EUSER, "stop");
    lnt_mat few = zeros(ctx, 1, 2);
    lnt_mat_fill(few, 1);
    check_failure(ctx, lnt_chains_start(ctx, s, &density, &o, lnt_start_at, &few), LNT_EDOMAIN, "no start");
}

static void options_out_of_range(void **state)
{
    lnt_ctx *ctx = *state;
    gauss t = {.k = 2};
    lnt_density density = density_of(&t, 1);
    lnt_mat starts = zeros(ctx, 2, 2);
    double C[] = {1, 2, 2, 1};
    const lnt_sample_opts good = quick(2, 10, 10);
    lnt_mat s = new_state(ctx, &density, &good);
    for (int i = 0; i < 16; i++) {
        lnt_sample_opts o = good;
        o.chains = i == 0 ? 0 : o.chains;
        o.warmup = i == 1 ? -1 : o.warmup;
        o.draws = i == 2 ? -1 : i == 3 ? INT32_MAX : o.draws;
        o.max_depth = i == 4 ? 0 : i == 5 ? 21 : o.max_depth;
        o.max_length = i == 6 ? 0 : o.max_length;
        o.target = i == 7 ? 0 : i == 8 ? 1 : i == 9 ? NAN : o.target;
        o.step = i == 10 ? -1 : i == 11 ? INFINITY : i == 12 ? NAN : o.step;
        o.most_energy = i == 13 ? 0 : i == 14 ? NAN : o.most_energy;
        check_failure(ctx, lnt_chains_start(ctx, s, &density, &o, lnt_start_at, &starts), i < 15 ? LNT_EINVAL : LNT_OK,
                      "");
    }
    lnt_sample_opts o = good;
    o.chains = 3;
    check_failure(ctx, lnt_chains_start(ctx, s, &density, &o, lnt_start_at, &starts), LNT_ESHAPE, "chains");
    o = good;
    o.metric = lnt_mat_view(C, 4, 1);
    check_failure(ctx, lnt_chains_start(ctx, s, &density, &o, lnt_start_at, &starts), LNT_ESHAPE, "metric");
    o.dense = true;
    o.metric = lnt_mat_view(C, 2, 2);
    lnt_mat wide = new_state(ctx, &density, &o);
    check_failure(ctx, lnt_chains_start(ctx, wide, &density, &o, lnt_start_at, &starts), LNT_EDOMAIN, "definite");
    C[1] = 0.5;
    check_failure(ctx, lnt_chains_start(ctx, wide, &density, &o, lnt_start_at, &starts), LNT_EDOMAIN, "symmetric");
    C[1] = C[2] = NAN;
    check_failure(ctx, lnt_chains_start(ctx, wide, &density, &o, lnt_start_at, &starts), LNT_EDOMAIN, "finite");
    check_status(ctx, lnt_chains_start(ctx, s, &density, &good, lnt_start_at, &starts), LNT_OK);
    for (int i = 0; i < 4; i++) {
        o = good;
        o.seed += i == 0 ? 1 : i == 1 ? (uint64_t)1 << 40 : 0;
        o.warmup += i == 2;
        o.kind = i == 3 ? LNT_HMC : o.kind;
        check_failure(ctx, lnt_sample(ctx, s, &density, &o, NULL, NULL), LNT_EINVAL, "state of chain 0");
    }
}

/* ---- Memory ---- */

typedef struct run_again {
    const lnt_density *density;
    const lnt_mat *starts;
    bool dense;
} run_again;

static lnt_status whole_run(lnt_ctx *ctx, void *user)
{
    const run_again *r = user;
    lnt_sample_opts o = quick(3, 25, 3);
    o.dense = r->dense;
    o.threads = 1;
    o.max_depth = 4;
    lnt_mat s;
    lnt_status status = lnt_mat_alloc(ctx, &s, (int)lnt_chain_size(r->density, &o), o.chains);
    if (status == LNT_OK)
        status = lnt_chains_start(ctx, s, r->density, &o, lnt_start_at, (void *)(uintptr_t)r->starts);
    return status == LNT_OK ? lnt_sample(ctx, s, r->density, &o, NULL, NULL) : status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    gauss t = {.k = 2};
    double at[6] = {0};
    lnt_mat starts = lnt_mat_view(at, 2, 3);
    lnt_density density = density_of(&t, 2);
    for (int dense = 0; dense < 2; dense++) {
        run_again r = {&density, &starts, dense};
        check_allocations(whole_run, &r, LNT_OK, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(bits_do_not_depend_on_threads_and_company),
                                       WITH_CTX(bits_with_a_density_by_products),
                                       WITH_CTX(a_resumed_run_is_the_unbroken_one),
                                       WITH_CTX(more_draws_can_be_had),
                                       WITH_CTX(draws_tell_the_truth),
                                       WITH_CTX(a_metric_is_kept_where_it_serves),
                                       WITH_CTX(warm_ups_of_any_length),
                                       WITH_CTX(densities_that_cannot_be_drawn_from),
                                       WITH_CTX(a_stuck_chain_is_alone),
                                       WITH_CTX(starts_are_tried_again),
                                       WITH_CTX(options_out_of_range),
                                       cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
