#include "linnet/modes.h"

#include <math.h>

double lnt_kernel_alignment(lnt_mat K, lnt_mat M)
{
    double cosine = lnt_mat_dot(K, M) / (lnt_mat_norm(K) * lnt_mat_norm(M));
    return cosine > 1 ? 1 : cosine;
}

static double trace(lnt_mat A)
{
    double sum = 0;
    for (int i = 0; i < A.rows; i++)
        sum += *lnt_at(A, i, i);
    return sum;
}

double lnt_ntk_dot(lnt_mat A, lnt_mat B, lnt_mat A2, lnt_mat B2, lnt_mat XX)
{
    return B.rows * lnt_mat_dot(A, A2) + trace(B2) * lnt_mat_dot(A, XX) + trace(B) * lnt_mat_dot(A2, XX) +
           lnt_mat_dot(B, B2) * lnt_mat_dot(XX, XX);
}

double lnt_effective_rank(const double *sig, int k)
{
    double sum = 0, entropy = 0;
    for (int i = 0; i < k; i++)
        sum += sig[i];
    if (sum == 0)
        return 0;
    for (int i = 0; i < k; i++)
        entropy -= sig[i] > 0 ? sig[i] / sum * log(sig[i] / sum) : 0;
    return exp(entropy);
}
