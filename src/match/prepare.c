#include "linnet/linalg.h"
#include "linnet/match_data.h"

#include <math.h>

double lnt_match_lambda(double lam0, int N, int M)
{
    return lam0 * M / N * M / N;
}

double lnt_match_lam0(double lambda, int N, int M)
{
    return lambda * N / M * N / M;
}

static double column_mean(lnt_mat A, int j)
{
    double sum = 0;
    for (int i = 0; i < A.rows; i++)
        sum += *lnt_at(A, i, j);
    return sum / A.rows;
}

static lnt_status check(lnt_ctx *ctx, lnt_mat A, const char *what)
{
    if (A.rows < 1 || A.cols < 1)
        return lnt_fail(ctx, LNT_EINVAL, "%s of %d cells x %d stimuli: at least one of each", what, A.rows, A.cols);
    for (int j = 0; j < A.cols; j++)
        for (int i = 0; i < A.rows; i++)
            if (!isfinite(*lnt_at(A, i, j)))
                return lnt_fail(ctx, LNT_EDOMAIN, "%s: cell %d, stimulus %d is %g", what, i + 1, j + 1,
                                *lnt_at(A, i, j));
    return LNT_OK;
}

/* Twice: what rounding left of a large mean is removed too. */
static void centre(lnt_mat A)
{
    for (int j = 0; j < A.cols; j++)
        for (int pass = 0; pass < 2; pass++) {
            double mean = column_mean(A, j);
            for (int i = 0; i < A.rows; i++)
                *lnt_at(A, i, j) -= mean;
        }
}

lnt_status lnt_match_prepare_inputs(lnt_ctx *ctx, lnt_mat X, lnt_match_prep prep, bool by_count)
{
    lnt_status status = check(ctx, X, "inputs");
    if (status != LNT_OK)
        return status;
    for (int j = 0; j < X.cols && prep == LNT_MATCH_ZSCORE; j++) {
        lnt_mat column = lnt_columns(X, j, 1);
        double size = lnt_mat_max(column);
        centre(column);
        double sd = lnt_mat_rms(column);
        if (!(sd > 1e-14 * size))
            return lnt_fail(ctx, LNT_EDOMAIN,
                            "stimulus %d: all %d cells respond equally, so there is no z-score; leave it "
                            "out, or centre only",
                            j + 1, X.rows);
        lnt_mat_scale(column, 1 / sd);
    }
    if (prep == LNT_MATCH_CENTRE)
        centre(X);
    if (by_count)
        lnt_mat_scale(X, 1 / sqrt(X.rows));
    return LNT_OK;
}

lnt_status lnt_match_prepare_outputs(lnt_ctx *ctx, lnt_mat Y, double *sd, lnt_match_prep prep, bool by_count)
{
    double scale = 1, mean = 0, square = 0;
    lnt_status status = check(ctx, Y, "outputs");
    if (status != LNT_OK)
        return status;
    if (prep == LNT_MATCH_CENTRE)
        centre(Y);
    if (prep == LNT_MATCH_ZSCORE) {
        for (int j = 0; j < Y.cols; j++)
            mean += column_mean(Y, j) / Y.cols;
        for (int j = 0; j < Y.cols; j++)
            for (int i = 0; i < Y.rows; i++)
                square += (*lnt_at(Y, i, j) - mean) * (*lnt_at(Y, i, j) - mean) / Y.rows / Y.cols;
        scale = sqrt(square);
        if (!(scale > 1e-14 * lnt_mat_max(Y)))
            return lnt_fail(ctx, LNT_EDOMAIN,
                            "outputs: all responses are equal, so they cannot be divided by their sd");
    }
    if (sd)
        *sd = scale;
    lnt_mat_scale(Y, 1 / (scale * (by_count ? sqrt(Y.rows) : 1)));
    return LNT_OK;
}

lnt_status lnt_match_target(lnt_ctx *ctx, lnt_mat S, lnt_mat Y1, lnt_mat Y2)
{
    if (Y1.rows != Y2.rows || S.rows != Y1.cols || S.cols != Y2.cols)
        return lnt_fail(ctx, LNT_ESHAPE, "trials of %d x %d and %d x %d cells x stimuli have no %d x %d covariance",
                        Y1.rows, Y1.cols, Y2.rows, Y2.cols, S.rows, S.cols);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat A;
    lnt_status status = lnt_mat_alloc(ctx, &A, Y1.rows, Y1.cols);
    if (status == LNT_OK) {
        bool same = Y1.a == Y2.a && Y1.ld == Y2.ld && Y1.cols == Y2.cols;
        lnt_mat_copy(A, Y1);
        if (A.rows > 0)
            centre(A);
        if (same) {
            lnt_syrk(S, 1, LNT_T, A, 0);
            lnt_symmetrize(S);
        } else {
            lnt_gemm(S, 1, LNT_T, A, LNT_N, Y2, 0); /* one of the two centred is enough */
        }
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}

double lnt_match_r2(lnt_mat S, lnt_mat C, bool triangle)
{
    double sum = 0, total = 0, residual = 0, count = 0;
    for (int j = 0; j < S.cols; j++)
        for (int i = 0; i < S.rows && !(triangle && i > j); i++, count++)
            sum += *lnt_at(S, i, j);
    for (int j = 0; j < S.cols; j++)
        for (int i = 0; i < S.rows && !(triangle && i > j); i++) {
            double d = *lnt_at(S, i, j) - sum / count, e = *lnt_at(S, i, j) - *lnt_at(C, i, j);
            total += d * d;
            residual += e * e;
        }
    return total > 0 ? 1 - residual / total : NAN;
}

double lnt_match_ratio(lnt_mat S, lnt_mat C, lnt_mat C0)
{
    double after = 0, before = 0;
    for (int j = 0; j < S.cols; j++)
        for (int i = 0; i < S.rows; i++) {
            double e = *lnt_at(S, i, j) - *lnt_at(C, i, j), e0 = *lnt_at(S, i, j) - *lnt_at(C0, i, j);
            after += e * e;
            before += e0 * e0;
        }
    return after / before;
}
