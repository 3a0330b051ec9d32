/* Eight starts at a time against one by one. */
#include "check.h"

#include <string.h>

#define SEED 71
#define STEPS 60

typedef struct problem {
    lnt_net net;
    lnt_moments moments;
    lnt_modes modes;
    double d, target[16], rate;
} problem;

/* White inputs and a random map whose largest singular value is 1. */
static void make_problem(lnt_ctx *ctx, problem *p, int *width, lnt_rng *rng)
{
    *p = (problem){.net = {.depth = 2, .width = width}, .d = 0.5 + 2 * lnt_rng_uniform(rng)};
    p->moments = (lnt_moments){.n = 1, .Syx = random_matrix(ctx, width[2], width[0], rng)};
    check_status(ctx, lnt_mat_alloc_zero(ctx, &p->moments.Sxx, width[0], width[0]), LNT_OK);
    for (int i = 0; i < width[0]; i++)
        *lnt_at(p->moments.Sxx, i, i) = p->d;
    check_status(ctx, lnt_modes_of(ctx, &p->modes, p->moments.Syx, true), LNT_OK);
    double largest = p->modes.s[0];
    lnt_mat_scale(p->moments.Syx, 1 / largest);
    for (int i = 0; i < width[0] && i < width[2]; i++)
        p->target[i] = p->modes.s[i] / largest / p->d;
    p->rate = 0.1;
}

static double *random_weights(lnt_ctx *ctx, const lnt_net *net, double sd, lnt_rng *rng)
{
    double *w = lnt_alloc(ctx, lnt_net_size(net), sizeof *w);
    for (size_t i = 0; i < lnt_net_size(net); i++)
        w[i] = sd * lnt_rng_normal(rng);
    return w;
}

/* g <- the gradient in the weights of fit * (what the modes lack) + competition * (what is outside of them). */
static void plain_gradient(lnt_ctx *ctx, double *g, const problem *p, const double *w, const lnt_lanes *lanes)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    if (lanes->fit == 1 && lanes->competition == 1) {
        lnt_moments_work work;
        check_status(ctx, lnt_moments_work_alloc(ctx, &work, &p->net), LNT_OK);
        lnt_net_gradient_moments(g, &work, &p->net, w, &p->moments);
    } else {
        lnt_mat W1 = lnt_net_weights(&p->net, w, 1), W2 = lnt_net_weights(&p->net, w, 2), A, B, D1, D2;
        lnt_energy energy;
        check_status(ctx, lnt_mat_alloc(ctx, &A, W1.rows, W1.cols), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &B, W2.rows, W2.cols), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &D1, W1.rows, W1.cols), LNT_OK);
        check_status(ctx, lnt_mat_alloc(ctx, &D2, W2.rows, W2.cols), LNT_OK);
        lnt_gemm(A, 1, LNT_N, W1, LNT_T, p->modes.VT, 0);
        lnt_gemm(B, 1, LNT_T, p->modes.U, LNT_N, W2, 0);
        check_status(ctx, lnt_energy_split(ctx, &energy, D1, D2, lanes->fit, lanes->competition, A, B, p->target),
                     LNT_OK);
        lnt_gemm(lnt_net_weights(&p->net, g, 1), p->d, LNT_N, D1, LNT_N, p->modes.VT, 0);
        lnt_gemm(lnt_net_weights(&p->net, g, 2), p->d, LNT_N, p->modes.U, LNT_N, D2, 0);
    }
    lnt_ctx_reset(ctx, mark);
}

static void make_lanes(lnt_ctx *ctx, lnt_lanes *lanes, const problem *p, double **w, int count)
{
    check_status(ctx, lnt_lanes_make(ctx, lanes, p->net.width[1], p->modes.U, p->modes.VT, p->target, p->d), LNT_OK);
    for (int l = 0; l < count; l++)
        if (w[l])
            lnt_lanes_put(lanes, l, lnt_net_weights(&p->net, w[l], 1), lnt_net_weights(&p->net, w[l], 2));
}

static double *weights_of(lnt_ctx *ctx, const lnt_lanes *lanes, const problem *p, int lane)
{
    double *w = lnt_alloc(ctx, lnt_net_size(&p->net), sizeof *w);
    lnt_lanes_get(lanes, lane, lnt_net_weights(&p->net, w, 1), lnt_net_weights(&p->net, w, 2));
    return w;
}

static void run(lnt_lanes *lanes, double rate)
{
    for (int n = 0; n < STEPS; n++) {
        lnt_lanes_product(lanes);
        lnt_lanes_step(lanes, rate);
    }
    lnt_lanes_product(lanes);
}

/* The product and the excess of one lane at its end. */
static void check_product(lnt_ctx *ctx, const lnt_lanes *lanes, const problem *p, const double *w, int lane)
{
    lnt_mat W, T, M;
    double excess[LNT_LANES], sum = 0;
    check_status(ctx, lnt_mat_alloc(ctx, &W, lanes->outputs, lanes->inputs), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &T, lanes->outputs, lanes->inputs), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &M, lanes->outputs, lanes->inputs), LNT_OK);
    check_status(ctx, lnt_net_product(ctx, W, &p->net, w), LNT_OK);
    lnt_gemm(T, 1, LNT_T, p->modes.U, LNT_N, W, 0);
    lnt_gemm(W, 1, LNT_N, T, LNT_T, p->modes.VT, 0);
    for (int i = 0; i < M.cols; i++)
        for (int j = 0; j < M.rows; j++) {
            *lnt_at(M, j, i) = lanes->M[(j * lanes->cols + i) * LNT_LANES + lane];
            sum += pow(*lnt_at(W, j, i) - (i == j ? p->target[i] : 0), 2);
        }
    check_close(M, W, 1e-13, "product");
    lnt_lanes_excess(lanes, excess);
    check_near(excess[lane], p->d / 2 * sum, 1e-13, "excess");
}

static void agree_with_single_descents(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 0, LNT_FOR_TESTS);
    for (int trial = 0; trial < 120; trial++) {
        lnt_mark mark = lnt_ctx_mark(*state);
        int width[] = {1 + (int)lnt_rng_below(&rng, 12), 1 + (int)lnt_rng_below(&rng, 40),
                       1 + (int)lnt_rng_below(&rng, 12)};
        problem p;
        lnt_lanes lanes;
        double *w[LNT_LANES], *g;
        make_problem(*state, &p, width, &rng);
        g = random_weights(*state, &p.net, 0, &rng);
        for (int l = 0; l < LNT_LANES; l++)
            w[l] = random_weights(*state, &p.net, 0.5 / sqrt(width[1]), &rng);
        make_lanes(*state, &lanes, &p, w, LNT_LANES);
        lanes.fit = trial % 3 != 1;
        lanes.competition = trial % 3 != 2;
        lnt_simd_allow(trial % 2);
        run(&lanes, p.rate);
        lnt_simd_allow(true);
        for (int l = 0; l < LNT_LANES; l++) {
            int size = (int)lnt_net_size(&p.net);
            for (int n = 0; n < STEPS; n++) {
                plain_gradient(*state, g, &p, w[l], &lanes);
                lnt_mat_add(lnt_mat_view(w[l], size, 1), -p.rate, lnt_mat_view(g, size, 1));
            }
            check_close(lnt_mat_view(weights_of(*state, &lanes, &p, l), size, 1), lnt_mat_view(w[l], size, 1), 1e-13,
                        "weights");
            check_product(*state, &lanes, &p, w[l], l);
        }
        lnt_ctx_reset(*state, mark);
    }
}

/* The same bytes in any lane, alone or beside others, one of which diverges. */
static void lanes_are_independent(void **state)
{
    lnt_rng rng = lnt_rng_stream(SEED, 1, LNT_FOR_TESTS);
    for (int simd = 0; simd < 2; simd++)
        for (int lane = 0; lane < LNT_LANES; lane++) {
            int width[] = {5, 7 + lane, 3};
            problem p;
            lnt_lanes crowd, alone;
            double *w[LNT_LANES], *single[LNT_LANES] = {NULL};
            size_t bytes;
            make_problem(*state, &p, width, &rng);
            bytes = lnt_net_size(&p.net) * sizeof **w;
            for (int l = 0; l < LNT_LANES; l++)
                w[l] = random_weights(*state, &p.net, l == 7 - lane ? 1e3 : 0.3, &rng);
            single[(lane + 3) % LNT_LANES] = w[lane];
            make_lanes(*state, &crowd, &p, w, LNT_LANES);
            make_lanes(*state, &alone, &p, single, LNT_LANES);
            lnt_simd_allow(simd);
            run(&crowd, p.rate);
            run(&alone, p.rate);
            const double *a = weights_of(*state, &crowd, &p, lane),
                         *b = weights_of(*state, &alone, &p, (lane + 3) % LNT_LANES);
            assert_true(isfinite(a[0]));
            assert_memory_equal(a, b, bytes);
            assert_false(isfinite(weights_of(*state, &crowd, &p, 7 - lane)[0]));
            /* a lane that diverged can be used again */
            lnt_lanes_put(&crowd, 7 - lane, lnt_net_weights(&p.net, w[lane], 1), lnt_net_weights(&p.net, w[lane], 2));
            run(&crowd, p.rate);
            assert_memory_equal(weights_of(*state, &crowd, &p, 7 - lane), b, bytes);
            lnt_lanes_clear(&crowd, lane);
            run(&crowd, p.rate);
            assert_true(weights_of(*state, &crowd, &p, lane)[0] == 0 && crowd.M[lane] == 0);
            lnt_simd_allow(true);
        }
}

/* ---- In the study ---- */

static lnt_record *study(lnt_ctx *ctx, int seeds, int threads, const char *task, lnt_status expected, double lr)
{
    lnt_modes_opts o;
    lnt_record *record = lnt_record_new("modes");
    lnt_modes_defaults(&o);
    o.task.builtin = task;
    o.hidden = 9;
    o.init = "gaussian:0.1";
    o.lr = lr;
    o.dt = 0.1;
    o.time = 12;
    o.seeds = seeds;
    o.threads = threads;
    o.method = "descent";
    check_status(ctx, lnt_modes_study(ctx, record, &o), expected);
    return record;
}

static lnt_array array_of(const lnt_record *record, const char *path)
{
    lnt_array a = {0};
    if (!lnt_record_array(record, path, &a))
        fail_msg("there is no %s", path);
    return a;
}

static size_t size_of(const lnt_array *a)
{
    size_t size = 1;
    for (int i = 0; i < a->rank; i++)
        size *= (size_t)a->dims[i];
    return size;
}

static void check_same(const lnt_record *a, const lnt_record *b, const char *path)
{
    lnt_array x = array_of(a, path), y = array_of(b, path);
    assert_int_equal(size_of(&x), size_of(&y));
    assert_memory_equal(x.values, y.values, size_of(&x) * sizeof(double));
}

/* The first start has the same numbers whatever follows; several threads and blocks make no difference. */
static void company_changes_nothing(void **state)
{
    static const char *const first[] = {"strengths/descent", "product/descent", "weights/1",        "weights/2",
                                        "outside/descent",   "fit/descent",     "alignment/descent"};
    static const char *const all[] = {"strength/descent/1", "strength_sd/descent/3", "loss/descent"};
    lnt_record *alone = study(*state, 1, 1, "exercise", LNT_OK, 0.4),
               *many = study(*state, 19, 1, "exercise", LNT_OK, 0.4),
               *threads = study(*state, 19, 3, "exercise", LNT_OK, 0.4);
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        check_same(alone, many, first[i]);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check_same(threads, many, all[i]);
    lnt_record_free(alone);
    lnt_record_free(many);
    lnt_record_free(threads);
}

/* Means over starts that fill a block and a part of one, from descents by themselves: the exercise, 4 items. */
static void means_are_those_of_single_descents(void **state)
{
    enum { STARTS = 11, ALL_STEPS = 120 };
    lnt_record *record = study(*state, STARTS, 0, "exercise", LNT_OK, 0.4);
    lnt_array strength = array_of(record, "strength/descent/2"), loss = array_of(record, "loss/descent"),
              t = array_of(record, "t"), u = array_of(record, "modes/U"), v = array_of(record, "modes/V"),
              s = array_of(record, "modes/s");
    int width[] = {4, 9, 7}, size = 9 * 11;
    lnt_net net = {.depth = 2, .width = width};
    lnt_init init = {.kind = LNT_INIT_GAUSSIAN, .count = 1, .value = {0.1}};
    lnt_moments m = {.n = 4};
    lnt_moments_work work;
    lnt_mat W;
    double half = 0, mean[ALL_STEPS + 1] = {0}, losses[ALL_STEPS + 1] = {0}, *w, *g;
    check_status(*state, lnt_mat_alloc_zero(*state, &m.Sxx, 4, 4), LNT_OK);
    check_status(*state, lnt_mat_alloc_zero(*state, &m.Syx, 7, 4), LNT_OK);
    check_status(*state, lnt_mat_alloc(*state, &W, 7, 4), LNT_OK);
    check_status(*state, lnt_moments_work_alloc(*state, &work, &net), LNT_OK);
    w = lnt_alloc(*state, (size_t)size, sizeof *w);
    g = lnt_alloc(*state, (size_t)size, sizeof *g);
    for (int i = 0; i < 4; i++) {
        *lnt_at(m.Sxx, i, i) = 1;
        m.tr_Syy += s.values[i] * s.values[i];
        for (int r = 0; r < 7; r++)
            for (int c = 0; c < 4; c++)
                *lnt_at(m.Syx, r, c) += s.values[i] * u.values[r * 4 + i] * v.values[c * 4 + i];
    }
    for (int start = 0; start < STARTS; start++) {
        lnt_rng rng = lnt_rng_stream(0, (uint32_t)start, LNT_FOR_WEIGHTS);
        double before = 0, found = -1;
        check_status(*state, lnt_net_init(*state, w, &net, &init, NULL, &rng), LNT_OK);
        for (int n = 0; n <= ALL_STEPS; n++) {
            double now = 0, E;
            check_status(*state, lnt_net_product(*state, W, &net, w), LNT_OK);
            for (int r = 0; r < 7; r++)
                for (int c = 0; c < 4; c++)
                    now += u.values[r * 4 + 1] * *lnt_at(W, r, c) * v.values[c * 4 + 1];
            check_status(*state, lnt_linear_loss(*state, &E, W, &m), LNT_OK);
            mean[n] += now / STARTS;
            losses[n] += E / STARTS;
            if (found < 0 && now >= s.values[1] / 2)
                found = 0.1 * (n - 1 + (s.values[1] / 2 - before) / (now - before));
            before = now;
            lnt_net_gradient_moments(g, &work, &net, w, &m);
            lnt_mat_add(lnt_mat_view(w, size, 1), -0.04, lnt_mat_view(g, size, 1));
        }
        half += found / STARTS;
    }
    assert_int_equal(strength.dims[0], 101);
    for (int j = 0; j < strength.dims[0]; j++) {
        int n = (int)lround(t.values[j] / 0.1);
        check_near(strength.values[j], mean[n], 1e-12, "mean strength");
        check_near(loss.values[j], losses[n], 1e-12, "mean loss");
    }
    lnt_value value;
    assert_true(lnt_record_cell(record, "modes", 1, "half_descent", &value));
    check_near(value.number, half, 1e-12, "mean half-time");
    lnt_record_free(record);
}

static void divergence_is_named(void **state)
{
    lnt_record *record = study(*state, 9, 0, "exercise", LNT_EDIVERGED, 40);
    check_failure(*state, LNT_EDIVERGED, LNT_EDIVERGED, "stable below");
    lnt_record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(agree_with_single_descents), WITH_CTX(lanes_are_independent),
                                       WITH_CTX(company_changes_nothing), WITH_CTX(means_are_those_of_single_descents),
                                       WITH_CTX(divergence_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
