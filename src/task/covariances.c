#include "linnet/task.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>

/* Files are often single precision. */
#define TOLERANCE 1e-6

static lnt_status check_shapes(lnt_ctx *ctx, lnt_mat Sxx, lnt_mat Syx)
{
    if (Sxx.rows != Sxx.cols || Sxx.rows < 1)
        return lnt_fail(ctx, LNT_ESHAPE, "C_XX is %d x %d: it must be square, inputs x inputs", Sxx.rows, Sxx.cols);
    if (Syx.cols != Sxx.rows || Syx.rows < 1)
        return lnt_fail(ctx, LNT_ESHAPE, "C_YX is %d x %d, C_XX %d x %d: C_YX must be outputs x inputs%s", Syx.rows,
                        Syx.cols, Sxx.rows, Sxx.cols, Syx.rows == Sxx.rows ? "; is it transposed?" : "");
    double largest = fmax(lnt_mat_max(Sxx), lnt_mat_max(Syx));
    if (!lnt_mat_finite(Sxx) || !lnt_mat_finite(Syx) || largest > 1e150)
        return lnt_fail(ctx, LNT_EDOMAIN, "C_XX or C_YX has entries that are not finite, or beyond 1e150");
    for (int j = 0; j < Sxx.cols; j++)
        for (int i = 0; i < j; i++)
            if (fabs(*lnt_at(Sxx, i, j) - *lnt_at(Sxx, j, i)) > TOLERANCE * lnt_mat_max(Sxx))
                return lnt_fail(ctx, LNT_EDOMAIN, "C_XX is not symmetric: entry (%d,%d) is %g, (%d,%d) is %g", i + 1,
                                j + 1, *lnt_at(Sxx, i, j), j + 1, i + 1, *lnt_at(Sxx, j, i));
    return LNT_OK;
}

/* least <- tr Syx Sxx^+ Syx^T, in the eigenvectors of Sxx. */
static lnt_status check_range(lnt_ctx *ctx, double *least, lnt_mat Sxx, lnt_mat Syx)
{
    int D = Sxx.rows;
    lnt_mat V, A, P;
    double *eigenvalue = lnt_alloc(ctx, (size_t)D, sizeof *eigenvalue), largest_Syx = lnt_mat_max(Syx);
    lnt_status status = eigenvalue ? lnt_mat_alloc(ctx, &V, D, D) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &A, D, D);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &P, Syx.rows, D);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(A, Sxx);
    if ((status = lnt_eigh(ctx, eigenvalue, V, A)) != LNT_OK)
        return status;
    lnt_gemm(P, 1, LNT_N, Syx, LNT_N, V, 0);
    double largest = eigenvalue[D - 1];
    if (eigenvalue[0] < -TOLERANCE * largest || !(largest > 0))
        return lnt_fail(ctx, LNT_EDOMAIN, "C_XX is not a covariance: its eigenvalues run from %g to %g", eigenvalue[0],
                        largest);
    *least = 0;
    for (int j = 0; j < D; j++) {
        lnt_mat p = lnt_columns(P, j, 1);
        if (eigenvalue[j] > D * DBL_EPSILON * largest)
            *least += lnt_mat_dot(p, p) / eigenvalue[j];
        else if (lnt_mat_max(p) > TOLERANCE * largest_Syx)
            return lnt_fail(ctx, LNT_EDOMAIN,
                            "C_YX is not zero where C_XX is: no data have these covariances, and no weights fit them");
    }
    return LNT_OK;
}

lnt_status lnt_moments_complete(lnt_ctx *ctx, lnt_moments *m, lnt_mat Sxx, lnt_mat Syx, double tr_Syy)
{
    double least = 0;
    lnt_status status = check_shapes(ctx, Sxx, Syx);
    if (status != LNT_OK)
        return status;
    *m = (lnt_moments){0};
    if ((status = lnt_mat_alloc(ctx, &m->Sxx, Sxx.rows, Sxx.rows)) != LNT_OK ||
        (status = lnt_mat_alloc(ctx, &m->Syx, Syx.rows, Syx.cols)) != LNT_OK)
        return status;
    for (int j = 0; j < Sxx.cols; j++)
        for (int i = 0; i < Sxx.rows; i++)
            *lnt_at(m->Sxx, i, j) = (*lnt_at(Sxx, i, j) + *lnt_at(Sxx, j, i)) / 2;
    lnt_mat_copy(m->Syx, Syx);
    lnt_mark mark = lnt_ctx_mark(ctx);
    status = check_range(ctx, &least, m->Sxx, m->Syx);
    lnt_ctx_reset(ctx, mark);
    if (status == LNT_OK && tr_Syy < least * (1 - TOLERANCE))
        return lnt_fail(ctx, LNT_EDOMAIN, "tr C_YY = %g is less than the part that C_XX and C_YX explain, %g", tr_Syy,
                        least);
    m->tr_Syy = isnan(tr_Syy) ? least : fmax(tr_Syy, least);
    return status;
}

/* ---- Modes ---- */

lnt_status lnt_modes_of(lnt_ctx *ctx, lnt_modes *modes, lnt_mat Syx, bool full)
{
    int outputs = Syx.rows, inputs = Syx.cols, least = outputs < inputs ? outputs : inputs;
    modes->s = lnt_alloc(ctx, (size_t)least, sizeof *modes->s);
    lnt_status status = modes->s ? lnt_mat_alloc(ctx, &modes->U, outputs, full ? outputs : least) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &modes->VT, full ? inputs : least, inputs);
    if (status == LNT_OK)
        status = lnt_svd(ctx, modes->U, modes->s, modes->VT, Syx);
    for (int k = 0; k < modes->VT.rows && status == LNT_OK; k++) {
        lnt_mat v = lnt_block(modes->VT, k, 0, 1, inputs);
        double largest = 0;
        for (int j = 0; j < inputs; j++)
            if (fabs(*lnt_at(v, 0, j)) > fabs(largest) * (1 + 1e-9)) /* the first of equals, whatever rounding did */
                largest = *lnt_at(v, 0, j);
        if (largest < 0) {
            lnt_mat_scale(v, -1);
            if (k < least)
                lnt_mat_scale(lnt_columns(modes->U, k, 1), -1);
        }
    }
    return status;
}
