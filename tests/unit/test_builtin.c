/* Generated tasks, against their closed forms. */
#include "check.h"

#define SEED 33

static lnt_builtin make(lnt_ctx *ctx, const char *text, uint64_t seed)
{
    lnt_builtin task;
    check_status(ctx, lnt_builtin_task(ctx, &task, text, seed), LNT_OK);
    return task;
}

/* The singular values of Syx. */
static lnt_mat spectrum(lnt_ctx *ctx, const lnt_builtin *task)
{
    lnt_mat S = task->moments.Syx, U, VT;
    int least = S.rows < S.cols ? S.rows : S.cols;
    double *s = lnt_alloc(ctx, (size_t)least, sizeof *s);
    check_status(ctx, lnt_mat_alloc(ctx, &U, S.rows, least), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &VT, least, S.cols), LNT_OK);
    check_status(ctx, lnt_svd(ctx, U, s, VT, S), LNT_OK);
    return lnt_mat_view(s, least, 1);
}

/* The data set has the moments that stand beside it. */
static void check_data(lnt_ctx *ctx, const lnt_builtin *task)
{
    lnt_task prepared;
    lnt_moments m;
    check_status(ctx, lnt_task_make(ctx, &prepared, &task->data, LNT_PREP_NONE, 0, 1), LNT_OK);
    check_status(ctx, lnt_task_moments(ctx, &m, &prepared, 0, prepared.n, 1), LNT_OK);
    assert_int_equal(m.n, task->moments.n);
    check_close(m.Sxx, task->moments.Sxx, 1e-13, "Sxx");
    check_close(m.Syx, task->moments.Syx, 1e-13, "Syx");
    check_near(m.tr_Syy / task->moments.tr_Syy, 1, 1e-13, "tr Syy");
}

static void the_exercise_is_the_source_s(void **state)
{
    lnt_ctx *ctx = *state;
    const double Y[7][4] = {{1, 1, 1, 1}, {1, 1, 0, 0}, {0, 0, 1, 1}, {1, 0, 0, 0},
                            {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    lnt_builtin task = make(ctx, "exercise", 0);
    assert_true(task.moments.Syx.rows == 7 && task.moments.Syx.cols == 4 && task.exact && task.modes == 4);
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 4; j++)
            assert_true(*lnt_at(task.moments.Syx, i, j) == Y[i][j]);
    assert_true(lnt_whiteness(task.moments.Sxx) == 0);
    double s[] = {sqrt(7), sqrt(3), 1, 1};
    check_close(spectrum(ctx, &task), lnt_mat_view(s, 4, 1), 1e-13, "singular values");
    check_near(task.moments.tr_Syy, 12, 1e-13, "tr Syy");
    check_data(ctx, &task);
}

static void hierarchies_have_their_spectrum(void **state)
{
    lnt_ctx *ctx = *state;
    for (int depth = 0; depth <= 7; depth++) {
        lnt_mark mark = lnt_ctx_mark(ctx);
        lnt_builtin task = make(ctx, lnt_sprintf(ctx, "hierarchy:depth=%d", depth), 0);
        assert_true(task.exact && task.modes == 1 << depth && task.moments.Syx.rows == (2 << depth) - 1);
        check_close(spectrum(ctx, &task), lnt_mat_view(task.s, task.modes, 1), 1e-13, "singular values");
        check_data(ctx, &task);
        lnt_ctx_reset(ctx, mark);
    }
    lnt_builtin task = make(ctx, "hierarchy", 0); /* of the note: 15 x 8, s^2 = 15, 7, 3, 3, 1, 1, 1, 1 */
    const double squares[] = {15, 7, 3, 3, 1, 1, 1, 1};
    for (int i = 0; i < 8; i++)
        check_near(task.s[i], sqrt(squares[i]), 1e-15, "s");
}

/* ---- Branching diffusion ---- */

/* The level of the nearest common ancestor of two leaves. */
static int meeting_level(int i, int j, int depth, int branching)
{
    int level = depth;
    for (; i != j; level--) {
        i /= branching;
        j /= branching;
    }
    return level;
}

static lnt_mat correlations(lnt_ctx *ctx, int depth, int branching, double flip)
{
    int P = (int)lround(pow(branching, depth));
    lnt_mat C;
    check_status(ctx, lnt_mat_alloc(ctx, &C, P, P), LNT_OK);
    for (int j = 0; j < P; j++)
        for (int i = 0; i < P; i++)
            *lnt_at(C, i, j) = pow(1 - 2 * flip, 2 * (depth - meeting_level(i, j, depth, branching)));
    return C;
}

static void tree_spectra_are_those_of_their_correlations(void **state)
{
    lnt_ctx *ctx = *state;
    const struct {
        int depth, branching;
        double flip;
    } trees[] = {{3, 2, 0.15}, {3, 4, 0.05}, {1, 7, 0.3}, {5, 2, 0.01},
                 {2, 5, 0.5},  {4, 3, 0.8},  {6, 1, 0.1}, {2, 3, 0}};
    for (int t = 0; t < 8; t++) {
        lnt_mat C = correlations(ctx, trees[t].depth, trees[t].branching, trees[t].flip), V;
        double lambda[7], *w = lnt_alloc(ctx, (size_t)C.rows, sizeof *w);
        int multiplicity[7], i = C.rows;
        check_status(ctx, lnt_mat_alloc(ctx, &V, C.rows, C.rows), LNT_OK);
        check_status(ctx, lnt_eigh(ctx, w, V, C), LNT_OK);
        lnt_tree_spectrum(lambda, multiplicity, trees[t].depth, trees[t].branching, trees[t].flip);
        for (int l = 0; l <= trees[t].depth; l++)
            for (int k = 0; k < multiplicity[l]; k++)
                check_near(w[--i] / fmax(1, w[C.rows - 1]), lambda[l] / fmax(1, w[C.rows - 1]), 1e-12, "lambda");
        assert_int_equal(i, 0);
    }
    double lambda[4];
    int multiplicity[4];
    lnt_tree_spectrum(lambda, multiplicity, 3, 4, 0.05); /* of the note */
    check_near(lambda[0], 36.8124, 5e-5, "lambda_0");
    check_near(lambda[1], 2.80014, 5e-6, "lambda_1");
    check_near(lambda[2], 0.8056, 1e-12, "lambda_2");
    check_near(lambda[3], 0.19, 1e-12, "lambda_3");
    assert_true(multiplicity[0] == 1 && multiplicity[1] == 3 && multiplicity[2] == 12 && multiplicity[3] == 48);
}

/* Each of the 36 pairs and 9 means is off by more than five standard errors with probability 6e-7: a right sampler
 * fails at one seed in 40,000. Errors of signs, levels or orders are tens of standard errors. */
static void sampled_properties_correlate_as_they_should(void **state)
{
    lnt_ctx *ctx = *state;
    const int F = 40000;
    lnt_builtin task = make(ctx, "tree:depth=2,branching=3,flip=0.2,features=40000", SEED);
    lnt_mat C = correlations(ctx, 2, 3, 0.2), Y = task.moments.Syx, YY;
    check_near(*lnt_at(task.moments.Sxx, 3, 3), 1.0 / 9, 1e-15, "Sxx");
    check_data(ctx, &task);
    lnt_mat_scale(Y, 9);
    assert_true(!task.exact && task.modes == 9 && Y.rows == F && Y.cols == 9);
    check_status(ctx, lnt_mat_alloc(ctx, &YY, 9, 9), LNT_OK);
    lnt_gemm(YY, 1.0 / F, LNT_T, Y, LNT_N, Y, 0);
    for (int j = 0; j < 9; j++) {
        double mean = 0;
        for (int i = 0; i < F; i++) {
            assert_true(fabs(fabs(*lnt_at(Y, i, j)) - 1) < 1e-15);
            mean += *lnt_at(Y, i, j) / F;
        }
        assert_true(fabs(mean) * sqrt(F) < 5);
        for (int i = 0; i < 9; i++) {
            double c = *lnt_at(C, i, j);
            if (!(fabs(*lnt_at(YY, i, j) - c) * sqrt(F) <= 5 * sqrt(1 - c * c) + 1e-10))
                fail_msg("items %d, %d: %g, not %g (seed %d)", i, j, *lnt_at(YY, i, j), c, SEED);
        }
    }
    lnt_mat s = spectrum(ctx, &task);
    for (int i = 0; i < 9; i++)
        check_near(s.a[i] / task.s[i] / 9, 1, 0.05, "singular values");
}

static void seeds_make_the_sample(void **state)
{
    lnt_ctx *ctx = *state;
    for (int k = 0; k < 2; k++) {
        const char *text = k ? "teacher:noise=0.5,samples=20" : "tree:features=50";
        lnt_mat a = make(ctx, text, 1).moments.Syx, b = make(ctx, text, 1).moments.Syx,
                c = make(ctx, text, 2).moments.Syx;
        size_t bytes = (size_t)a.rows * (size_t)a.cols * sizeof(double);
        assert_memory_equal(a.a, b.a, bytes);
        assert_memory_not_equal(a.a, c.a, bytes);
    }
}

/* ---- Teacher ---- */

static void teachers_have_their_singular_values(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_builtin exact = make(ctx, "teacher:inputs=7,outputs=4,singular=1/2.5/0,samples=0,noise=0.5", SEED),
                sampled = make(ctx, "teacher:inputs=7,outputs=4,singular=1/2.5/0,samples=9", SEED);
    double s[] = {2.5, 1, 0, 0};
    check_close(spectrum(ctx, &exact), lnt_mat_view(s, 4, 1), 1e-13, "singular values");
    assert_true(exact.modes == 3 && exact.s[0] == 2.5 && exact.s[1] == 1 && exact.s[2] == 0 && exact.exact);
    assert_true(exact.data.inputs.n == 0 && exact.moments.n == 1 && lnt_whiteness(exact.moments.Sxx) == 0);
    check_near(exact.moments.tr_Syy, 7.25 + 4 * 0.25, 1e-13, "tr Syy");
    /* without noise the sample is the teacher: its inputs are white */
    assert_true(lnt_whiteness(sampled.moments.Sxx) < 1e-14);
    check_close(sampled.moments.Syx, exact.moments.Syx, 1e-13, "Syx");
    check_near(sampled.moments.tr_Syy, 7.25, 1e-13, "tr Syy");
    check_data(ctx, &sampled);
    assert_false(sampled.exact);
}

/* Sums of squares of 200 normal numbers, and of 50,000: five standard errors each, one seed in 800,000. */
static void noise_of_a_teacher_is_as_large_as_asked(void **state)
{
    lnt_ctx *ctx = *state;
    const int D = 20, O = 10, N = 5000;
    lnt_builtin exact = make(ctx, "teacher:inputs=20,outputs=10,samples=0", SEED),
                noisy = make(ctx, "teacher:inputs=20,outputs=10,samples=5000,noise=0.3", SEED);
    lnt_mat E = noisy.moments.Syx;
    lnt_mat_add(E, -1, exact.moments.Syx);
    double chi2 = lnt_mat_dot(E, E) * N / 0.09, expected = 9 + 4 + 1 + O * 0.09;
    assert_true(fabs(chi2 - D * O) < 5 * sqrt(2.0 * D * O));
    assert_true(fabs(noisy.moments.tr_Syy - expected) < 5 * (0.09 * sqrt(2.0 * O / N) + 2 * 0.3 * sqrt(14.0 / N)));
}

/* U and V are Haar-distributed: the mean of an entry of T is 0, of its square sum s^2 / (O D). */
static void teachers_point_everywhere(void **state)
{
    lnt_ctx *ctx = *state;
    double mean = 0, square = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        double corner = *make(ctx, "teacher:inputs=3,outputs=2,singular=2,samples=0", seed).moments.Syx.a;
        mean += corner / 400;
        square += corner * corner / 400;
    }
    assert_true(fabs(mean) < 5 * sqrt(4.0 / 6 / 400));
    assert_true(fabs(square - 4.0 / 6) < 5 * sqrt(0.8 / 400));
}

/* ---- Errors ---- */

static void wrong_texts_say_what_would_be_right(void **state)
{
    const char *const wrong[][2] = {
        {"", "no built-in task ''"},
        {"forest", "no built-in task 'forest': use exercise, hierarchy"},
        {"tre", "no built-in task 'tre'"},
        {"exercise:depth=2", "takes no keys, so not ':depth=2'"},
        {"hierarchy:", "'' is none of its keys, which are depth, as in hierarchy:depth=3"},
        {"hierarchy:branching=2", "'branching' is none of its keys"},
        {"hierarchy:depth", "'depth' needs a value, as in depth=3"},
        {"hierarchy:depth=", "depth=: use a whole number from 0 to 10"},
        {"hierarchy:depth=2.5", "depth=2.5: use a whole number"},
        {"hierarchy:depth=11", "depth=11: use a whole number from 0 to 10"},
        {"hierarchy:depth=-1", "from 0 to 10"},
        {"hierarchy:depth=nan", "from 0 to 10"},
        {"hierarchy:depth=2,depth=3", "depth is given twice"},
        {"hierarchy:depth=2,", "'' is none of its keys"},
        {"tree:flip=1.5", "flip=1.5: use a number from 0 to 1"},
        {"tree:depth=12,branching=100", "at most 4096 items"},
        {"tree:features=0", "features=0: use a whole number from 1"},
        {"tree:depht=3", "'depht' is none of its keys, which are depth, branching, flip, features, as in tree:depth=3"},
        {"teacher:singular=", "numbers from 0 to 1e6 with slashes"},
        {"teacher:singular", "'singular' needs a value, as in singular=3/2/1"},
        {"teacher:singular=1//2", "singular=1//2: use numbers"},
        {"teacher:singular=1/-2", "singular=1/-2: use numbers"},
        {"teacher:singular=1/2/", "use numbers"},
        {"teacher:singular=1/2,singular=3", "singular is given twice"},
        {"teacher:inputs=2,singular=1/2/3", "3 singular values, but min(inputs, outputs) = 2"},
        {"teacher:outputs=2", "3 singular values, but min(inputs, outputs) = 2"},
        {"teacher:samples=5", "samples=5 do not span 8 inputs"},
        {"teacher:samples=1e8", "at most 2e+08 numbers"},
        {"teacher:nois=1", "'nois' is none of its keys, which are inputs, outputs, noise, samples, singular"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lnt_builtin task;
        check_failure(*state, lnt_builtin_task(*state, &task, wrong[i][0], 0), LNT_EUSAGE, wrong[i][1]);
    }
}

static lnt_status make_task(lnt_ctx *ctx, void *text)
{
    lnt_builtin task;
    return lnt_builtin_task(ctx, &task, text, 0);
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    check_allocations(make_task, "hierarchy:depth=8", LNT_OK, 1000);
    check_allocations(make_task, "tree:depth=8,features=3000", LNT_OK, 1000);
    check_allocations(make_task, "tree:x=1", LNT_EUSAGE, 1000);
    check_allocations(make_task, "teacher:inputs=100,outputs=90,samples=3000", LNT_OK, 1000);
}

static void the_sphere_is_what_it_says(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_builtin task = make(ctx, "sphere:inputs=3,radius=1.5,samples=20", 9);
    const lnt_dataset *d = &task.data;
    assert_true(d->inputs.n == 20 && d->inputs.dim == 3 && task.modes == 0 && !task.exact);
    for (int i = 0; i < 20; i++) {
        double x[3], y;
        lnt_samples_get(lnt_mat_view(x, 3, 1), &d->inputs, NULL, i, 1);
        lnt_targets_get(lnt_mat_view(&y, 1, 1), d, NULL, i, 1);
        check_near(hypot(hypot(x[0], x[1]), x[2]), 1.5, 1e-14, "radius");
        check_near(y, x[1] * sin(x[0]), 1e-15, "target");
    }
    check_data(ctx, &task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CTX(the_sphere_is_what_it_says),
        WITH_CTX(the_exercise_is_the_source_s),
        WITH_CTX(hierarchies_have_their_spectrum),
        WITH_CTX(tree_spectra_are_those_of_their_correlations),
        WITH_CTX(sampled_properties_correlate_as_they_should),
        WITH_CTX(seeds_make_the_sample),
        WITH_CTX(teachers_have_their_singular_values),
        WITH_CTX(noise_of_a_teacher_is_as_large_as_asked),
        WITH_CTX(teachers_point_everywhere),
        WITH_CTX(wrong_texts_say_what_would_be_right),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
