#include "../linalg/wide.h"
#include "internal.h"

#define LANES 16
#define TILE 32

WIDE static double dot(const double *restrict a, const double *restrict b, int n)
{
    double lane[LANES] = {0}, sum = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

double lnt_match_dot(lnt_mat A, lnt_mat B)
{
    double sum = 0;
    if (A.ld == A.rows && B.ld == B.rows && (size_t)A.rows * (size_t)A.cols < 1u << 20)
        return dot(A.a, B.a, A.rows * A.cols);
    for (int j = 0; j < A.cols; j++)
        sum += dot(lnt_at(A, 0, j), lnt_at(B, 0, j), A.rows);
    return sum;
}

void lnt_match_add_transpose(lnt_mat T)
{
    int n = T.rows;
    for (int J = 0; J < n; J += TILE)
        for (int I = J; I < n; I += TILE)
            for (int j = J; j < n && j < J + TILE; j++)
                for (int i = I > j ? I : j; i < n && i < I + TILE; i++) {
                    double sum = *lnt_at(T, i, j) + *lnt_at(T, j, i);
                    *lnt_at(T, i, j) = *lnt_at(T, j, i) = sum;
                }
}
