#include "linnet/student.h"

#include "linnet/linalg.h"

#include <math.h>

void lnt_teacher_draw(double *T, double *S0, const lnt_teacher_opts *o)
{
    lnt_rng teacher = lnt_rng_stream(o->seed, 0, LNT_FOR_TEACHER), start = lnt_rng_stream(o->seed, 0, LNT_FOR_WEIGHTS);
    int D = o->features, d = o->sparse > 0 && o->sparse < D ? o->sparse : D;
    for (int i = 0; i < D; i++) {
        T[i] = i < d ? lnt_rng_normal(&teacher) : 0;
        S0[i] = sqrt(o->start2 / D) * lnt_rng_normal(&start);
    }
    lnt_mat t = lnt_mat_view(T, D, 1);
    lnt_mat_scale(t, sqrt(o->norm2) / lnt_mat_norm(t));
}

void lnt_teacher_samples(lnt_mat X, double *y, const double *T, const lnt_teacher_opts *o, int run)
{
    lnt_rng rng = lnt_rng_stream(o->seed, (uint32_t)run, LNT_FOR_TASK);
    lnt_rng_normals(&rng, X.a, (size_t)X.rows * (size_t)X.cols);
    for (int j = 0; j < X.cols && o->variance; j++)
        for (int i = 0; i < X.rows; i++)
            *lnt_at(X, i, j) *= sqrt(o->variance[i]);
    for (int j = 0; j < X.cols; j++)
        y[j] = sqrt(o->noise2) * lnt_rng_normal(&rng);
    lnt_mat t = lnt_mat_view((double *)T, X.rows, 1);
    lnt_gemm(lnt_mat_view(y, X.cols, 1), 1, LNT_T, X, LNT_N, t, 1);
}

void lnt_power_law(double *c, int count, double decay)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += c[i] = pow(i + 1, -decay);
    for (int i = 0; i < count; i++)
        c[i] *= count / sum;
}
