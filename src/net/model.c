#include "linnet/model.h"

#include "../linalg/wide.h"
#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static double *vector(lnt_ctx *ctx, size_t n)
{
    return lnt_alloc(ctx, n, sizeof(double));
}

/* Without sums of doubles, which would have to wait for each other. */
WIDE static bool finite(const double *x, size_t n)
{
    const uint64_t exponent = 0x7ff0000000000000;
    uint64_t strange = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        strange |= (uint64_t)((bits & exponent) == exponent);
    }
    return strange == 0;
}

/* What a callback's return value means; *rejected only grows. */
static lnt_status sort_out(lnt_ctx *ctx, bool *rejected, int code)
{
    *rejected = *rejected || code > 0;
    return code < 0 ? lnt_fail(ctx, LNT_EUSER, "the model's callback stopped the work (it returned %d)", code) : LNT_OK;
}

lnt_status lnt_model_outputs(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w)
{
    *rejected = false;
    lnt_status status = sort_out(ctx, rejected, model->f(w, out, model->user));
    *rejected = *rejected || (status == LNT_OK && !finite(out, model->n));
    return status;
}

/* out <- (f(w + h v) - f(w - h v))/2h, for v a direction or, where that is NULL, axis j; the last three are scratch. */
static lnt_status difference(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w,
                             const double *v, size_t j, double h, double *at, double *low)
{
    memcpy(at, w, model->k * sizeof *at);
    for (int sign = 1; sign >= -1 && !*rejected; sign -= 2) {
        for (size_t i = v ? 0 : j; i < (v ? model->k : j + 1); i++)
            at[i] = w[i] + sign * h * (v ? v[i] : 1);
        lnt_status status = lnt_model_outputs(ctx, sign > 0 ? out : low, rejected, model, at);
        if (status != LNT_OK)
            return status;
    }
    for (size_t i = 0; i < model->n && !*rejected; i++)
        out[i] = (out[i] - low[i]) / (2 * h);
    return LNT_OK;
}

/* Columns of the Jacobian one by one: without a callback for its rows. */
static lnt_status columns(lnt_ctx *ctx, double *B, size_t ld, bool *rejected, const lnt_model *model, const double *w,
                          size_t first, size_t last)
{
    double *column = vector(ctx, model->n), *low = vector(ctx, model->n), *at = vector(ctx, model->k);
    if (!column || !low || !at)
        return LNT_ENOMEM;
    lnt_status status = LNT_OK;
    for (size_t j = 0; j < model->k && status == LNT_OK && !*rejected; j++) {
        if (model->jvp) {
            memset(at, 0, model->k * sizeof *at);
            at[j] = 1;
            status = sort_out(ctx, rejected, model->jvp(w, at, column, model->user));
        } else {
            double step = cbrt(DBL_EPSILON) * fmax(fabs(w[j]), 1);
            volatile double moved = w[j] + step; /* a step that is a difference of numbers */
            status = difference(ctx, column, rejected, model, w, NULL, j, moved - w[j], at, low);
        }
        for (size_t i = first; i < last; i++)
            B[(i - first) * ld + j] = column[i];
    }
    return status;
}

lnt_status lnt_model_rows(lnt_ctx *ctx, double *B, size_t ld, bool *rejected, const lnt_model *model, const double *w,
                          size_t first, size_t last)
{
    *rejected = false;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = LNT_OK;
    if (model->jacobian)
        status = sort_out(ctx, rejected, model->jacobian(w, first, last, B, ld, model->user));
    else
        status = columns(ctx, B, ld, rejected, model, w, first, last);
    for (size_t i = first; i < last && status == LNT_OK && !*rejected; i++)
        *rejected = !finite(B + (i - first) * ld, model->k);
    lnt_ctx_reset(ctx, mark);
    return status;
}

/* Without callbacks: B v (out has n) or B^T u (out has k) from the Jacobian's rows. */
static lnt_status from_rows(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w,
                            const double *v, const double *u)
{
    size_t n = model->n, k = model->k, chunk = model->jacobian && n > LNT_MODEL_CHUNK ? LNT_MODEL_CHUNK : n;
    double *B = vector(ctx, chunk * k);
    lnt_status status = B ? LNT_OK : LNT_ENOMEM;
    for (size_t i = 0; i < n && status == LNT_OK && !*rejected; i += chunk) {
        size_t last = i + chunk < n ? i + chunk : n;
        lnt_mat BT = {B, (int)k, (int)(last - i), (int)k};
        status = lnt_model_rows(ctx, B, k, rejected, model, w, i, last);
        if (status == LNT_OK && v)
            lnt_gemv(out + i, 1, LNT_T, BT, v, 0);
        else if (status == LNT_OK)
            lnt_gemv(out, 1, LNT_N, BT, u + i, i > 0);
    }
    return status;
}

lnt_status lnt_model_jvp(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w,
                         const double *v)
{
    *rejected = false;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = LNT_OK;
    double size = lnt_mat_max(lnt_mat_view((double *)(uintptr_t)v, (int)model->k, 1));
    if (model->jvp) {
        status = sort_out(ctx, rejected, model->jvp(w, v, out, model->user));
    } else if (model->jacobian) {
        status = from_rows(ctx, out, rejected, model, w, v, NULL);
    } else if (!(size > 0)) {
        memset(out, 0, model->n * sizeof *out);
    } else {
        double *at = vector(ctx, model->k), *low = vector(ctx, model->n);
        double reach = fmax(1, lnt_mat_max(lnt_mat_view((double *)(uintptr_t)w, (int)model->k, 1)));
        status = at && low ? difference(ctx, out, rejected, model, w, v, 0, cbrt(DBL_EPSILON) * reach / size, at, low)
                           : LNT_ENOMEM;
    }
    *rejected = *rejected || (status == LNT_OK && !finite(out, model->n));
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_model_vjp(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w,
                         const double *u)
{
    *rejected = false;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = model->vjp ? sort_out(ctx, rejected, model->vjp(w, u, out, model->user))
                                   : from_rows(ctx, out, rejected, model, w, NULL, u);
    *rejected = *rejected || (status == LNT_OK && !finite(out, model->k));
    lnt_ctx_reset(ctx, mark);
    return status;
}

#define BEND 0.02

lnt_status lnt_model_fvv(lnt_ctx *ctx, double *out, bool *rejected, const lnt_model *model, const double *w,
                         const double *v, const double *f, const double *Bv)
{
    *rejected = false;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status;
    if (model->fvv) {
        status = sort_out(ctx, rejected, model->fvv(w, v, out, model->user));
    } else {
        double *at = vector(ctx, model->k);
        for (size_t j = 0; at && j < model->k; j++)
            at[j] = w[j] + BEND * v[j];
        status = at ? lnt_model_outputs(ctx, out, rejected, model, at) : LNT_ENOMEM;
        for (size_t i = 0; i < model->n && status == LNT_OK && !*rejected; i++)
            out[i] = 2 / BEND * ((out[i] - f[i]) / BEND - Bv[i]);
    }
    *rejected = *rejected || (status == LNT_OK && !finite(out, model->n));
    lnt_ctx_reset(ctx, mark);
    return status;
}
