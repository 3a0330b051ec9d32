/* Three penalties of the factors of one product, under changes of gauge. */
#include "layered.h"
#include "linnet/linalg.h"

#include <math.h>

#define SIZE 20
#define RANK 5

static lnt_status put_gauge(lnt_ctx *ctx, lnt_record *record, const char *name, lnt_mat A, lnt_mat B)
{
    lnt_factor_penalties p;
    lnt_status status = lnt_penalties_of_factors(ctx, &p, A, B);
    lnt_table *table = lnt_record_table(record, "gauges");
    lnt_table_row(table);
    lnt_table_set(table, "factors", "", lnt_string(name));
    lnt_table_set(table, "half_squares", "", lnt_number(p.frobenius));
    lnt_table_set(table, "column_norms", "", lnt_number(p.columns));
    lnt_table_set(table, "nuclear_norm", "", lnt_number(p.nuclear));
    return status;
}

static void balance_columns(lnt_mat A, lnt_mat B)
{
    for (int j = 0; j < A.cols; j++) {
        double a = lnt_mat_norm(lnt_columns(A, j, 1)), b = lnt_mat_norm(lnt_columns(B, j, 1));
        lnt_mat_scale(lnt_columns(A, j, 1), sqrt(b / a));
        lnt_mat_scale(lnt_columns(B, j, 1), sqrt(a / b));
    }
}

/* As drawn, with columns that are alike, of different sizes and of alternating signs, so that they nearly cancel; with
 * balanced columns; these turned; and U S^{1/2}, V S^{1/2}. */
lnt_status lnt_put_gauges(lnt_ctx *ctx, lnt_record *record, uint64_t seed)
{
    lnt_rng rng = lnt_rng_stream(seed, 1, LNT_FOR_TASK);
    lnt_mat F[8]; /* A, B, A turned, B turned, rotation, product, U, V' */
    double common[2][SIZE];
    static const int shape[8][2] = {{SIZE, RANK}, {SIZE, RANK}, {SIZE, RANK}, {SIZE, RANK},
                                    {RANK, RANK}, {SIZE, SIZE}, {SIZE, SIZE}, {SIZE, SIZE}};
    double sigma[SIZE];
    lnt_status status = LNT_OK;
    for (int k = 0; k < 8 && status == LNT_OK; k++)
        status = lnt_mat_alloc(ctx, &F[k], shape[k][0], shape[k][1]);
    if (status == LNT_OK)
        status = lnt_rng_orthogonal(ctx, F[4], &rng);
    if (status != LNT_OK)
        return status;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < SIZE; i++)
            common[k][i] = lnt_rng_normal(&rng);
    for (int j = 0; j < RANK; j++)
        for (int i = 0; i < SIZE; i++) {
            *lnt_at(F[0], i, j) = (2 * common[0][i] + lnt_rng_normal(&rng)) / 4;
            *lnt_at(F[1], i, j) = (j % 2 ? -j : j + 1) * (2 * common[1][i] + lnt_rng_normal(&rng)) / 4;
        }
    status = put_gauge(ctx, record, "as drawn", F[0], F[1]);
    balance_columns(F[0], F[1]);
    if (status == LNT_OK)
        status = put_gauge(ctx, record, "columns balanced", F[0], F[1]);
    for (int k = 0; k < 2; k++)
        lnt_gemm(F[2 + k], 1, LNT_N, F[k], LNT_N, F[4], 0);
    if (status == LNT_OK)
        status = put_gauge(ctx, record, "then rotated", F[2], F[3]);
    lnt_gemm(F[5], 1, LNT_N, F[0], LNT_T, F[1], 0);
    if (status == LNT_OK)
        status = lnt_svd(ctx, F[6], sigma, F[7], F[5]);
    for (int j = 0; j < RANK && status == LNT_OK; j++)
        for (int i = 0; i < SIZE; i++) {
            *lnt_at(F[2], i, j) = sqrt(sigma[j]) * *lnt_at(F[6], i, j);
            *lnt_at(F[3], i, j) = sqrt(sigma[j]) * *lnt_at(F[7], j, i);
        }
    return status == LNT_OK ? put_gauge(ctx, record, "U S^(1/2), V S^(1/2)", F[2], F[3]) : status;
}
