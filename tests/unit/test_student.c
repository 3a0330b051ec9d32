/* Random regression tasks: teacher, start, data sets. */
#include "check.h"

#include "linnet/student.h"

#define D 60
#define N 400
#define SEED 5

static const lnt_teacher_opts usual = {.features = D, .norm2 = 2.25, .start2 = 1.5, .noise2 = 0.25, .seed = SEED};

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void teachers_have_their_norm_and_zeros(void **state)
{
    double T[D], S0[D], U[D], V[D];
    (void)state;
    lnt_teacher_draw(T, S0, &usual);
    check_near(dot(T, T, D), 2.25, 1e-13, "|T|^2");
    lnt_teacher_opts sparse = usual;
    sparse.sparse = 7;
    lnt_teacher_draw(U, V, &sparse);
    check_near(dot(U, U, D), 2.25, 1e-13, "|T|^2, sparse");
    for (int i = 0; i < D; i++) {
        assert_true((U[i] != 0) == (i < 7));
        assert_true(V[i] == S0[i]); /* the start does not depend on the teacher */
    }
    for (int i = 1; i < 7; i++) /* the same numbers, scaled */
        check_near(U[i] / U[0], T[i] / T[0], 1e-12, "the same numbers");
    sparse.norm2 = 0;
    lnt_teacher_draw(U, V, &sparse);
    assert_true(dot(U, U, D) == 0);
}

static void one_feature(void **state)
{
    double T, S0;
    (void)state;
    lnt_teacher_draw(&T, &S0, &(lnt_teacher_opts){.features = 1, .norm2 = 9, .start2 = 0, .seed = 1});
    check_near(fabs(T), 3, 1e-15, "|T|");
    assert_true(S0 == 0);
}

/* chi-square sums: 5 standard deviations, a false alarm in about 2 million. */
static void samples_have_their_variances(void **state)
{
    lnt_ctx *ctx = *state;
    lnt_mat X, Y;
    double T[D], S0[D], c[D], y[N], z[N], trace = 0, noise = 0;
    check_status(ctx, lnt_mat_alloc(ctx, &X, D, N), LNT_OK);
    check_status(ctx, lnt_mat_alloc(ctx, &Y, D, N), LNT_OK);
    lnt_power_law(c, D, 1);
    double sum = 0;
    for (int i = 0; i < D; i++)
        sum += c[i];
    check_near(sum, D, 1e-12, "mean variance");
    check_near(c[4] / c[0], 0.2, 1e-14, "power law");
    lnt_teacher_opts o = usual;
    o.variance = c;
    lnt_teacher_draw(T, S0, &o);
    lnt_teacher_samples(X, y, T, &o, 3);
    for (int i = 0; i < D; i++) {
        double row = 0;
        for (int j = 0; j < N; j++)
            row += *lnt_at(X, i, j) * *lnt_at(X, i, j);
        trace += row / (N * c[i]);
    }
    assert_true(fabs(trace - D) < 5 * sqrt(2. * D / N));
    for (int j = 0; j < N; j++) {
        double e = y[j] - dot(lnt_at(X, 0, j), T, D);
        noise += e * e / N;
    }
    assert_true(fabs(noise - 0.25) < 5 * 0.25 * sqrt(2. / N));
    lnt_teacher_samples(Y, z, T, &o, 3); /* the same run, the same numbers */
    assert_memory_equal(X.a, Y.a, sizeof(double) * D * N);
    assert_memory_equal(y, z, sizeof y);
    lnt_teacher_samples(Y, z, T, &o, 4);
    assert_memory_not_equal(X.a, Y.a, sizeof(double) * D * N);
    lnt_teacher_samples(lnt_columns(Y, 0, 1), z, T, &o, 3); /* one sample is the first of many */
    assert_memory_equal(X.a, Y.a, sizeof(double) * D);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_CTX(teachers_have_their_norm_and_zeros), WITH_CTX(one_feature),
                                       WITH_CTX(samples_have_their_variances)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
