#include "local.h"

#include "linnet/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

static double normalize(double *x, int n)
{
    lnt_mat X = lnt_mat_view(x, n, 1);
    double norm = lnt_mat_norm(X);
    if (norm > 0)
        lnt_mat_scale(X, 1 / norm);
    return norm;
}

/* A rotation that takes (a, b) to (r, 0). */
static void rotation(double *c, double *s, double *r, double a, double b)
{
    *r = hypot(a, b);
    *c = *r > 0 ? a / *r : 1;
    *s = *r > 0 ? b / *r : 0;
}

/* u <- A v - alpha u, v <- A^T u - beta v, for A = B S^-1. */
typedef struct bidiagonal {
    double *u, *v, *forth, *back;
    double alpha, beta;
} bidiagonal;

static lnt_status next(lnt_ctx *ctx, bidiagonal *b, bool *rejected, const lnt_local *l)
{
    int n = l->n, k = l->k;
    for (int j = 0; j < k; j++)
        b->back[j] = b->v[j] / l->scale[j];
    lnt_status status = lnt_local_times(ctx, b->forth, rejected, l, b->back);
    if (status != LNT_OK || *rejected)
        return status;
    for (int i = 0; i < n; i++)
        b->u[i] = b->forth[i] - b->alpha * b->u[i];
    b->beta = normalize(b->u, n);
    status = lnt_local_back(ctx, b->back, rejected, l, b->u);
    for (int j = 0; j < k; j++)
        b->v[j] = b->back[j] / l->scale[j] - b->beta * b->v[j];
    b->alpha = normalize(b->v, k);
    return status;
}

static lnt_status begin(lnt_ctx *ctx, bidiagonal *b, bool *rejected, const lnt_local *l, const double *y)
{
    int n = l->n, k = l->k;
    double **each[] = {&b->u, &b->forth, &b->v, &b->back};
    for (int i = 0; i < 4; i++)
        if (!(*each[i] = lnt_alloc_zero(ctx, (size_t)(i < 2 ? n : k), sizeof(double))))
            return LNT_ENOMEM;
    memcpy(b->u, y, (size_t)n * sizeof *y);
    b->beta = normalize(b->u, n);
    lnt_status status = lnt_local_back(ctx, b->back, rejected, l, b->u);
    for (int j = 0; j < k; j++)
        b->v[j] = b->back[j] / l->scale[j];
    b->alpha = normalize(b->v, k);
    return status;
}

/* Names as in Fong and Saunders (2011), section 2. */
static lnt_status lsmr(lnt_ctx *ctx, double *x, bool *rejected, const lnt_local *l, const double *y)
{
    int n = l->n, k = l->k, limit = 4 * (n < k ? n : k) + 100;
    bidiagonal b;
    double *h = lnt_alloc(ctx, (size_t)k, sizeof *h), *hbar = lnt_alloc_zero(ctx, (size_t)k, sizeof *hbar);
    lnt_status status = h && hbar ? begin(ctx, &b, rejected, l, y) : LNT_ENOMEM;
    if (status != LNT_OK)
        return status;
    double zetabar = b.alpha * b.beta, alphabar = b.alpha, rho = 1, rhobar = 1, cbar = 1, sbar = 0, start = zetabar;
    memset(x, 0, (size_t)k * sizeof *x);
    memcpy(h, b.v, (size_t)k * sizeof *h);
    for (int i = 0; i < limit && !*rejected && fabs(zetabar) > DBL_EPSILON * start; i++) {
        double chat, shat, alphahat, c, s, rho_old = rho, rhobar_old = rhobar;
        status = next(ctx, &b, rejected, l);
        if (status != LNT_OK)
            return status;
        rotation(&chat, &shat, &alphahat, alphabar, sqrt(l->shift));
        rotation(&c, &s, &rho, alphahat, b.beta);
        double theta = s * b.alpha, thetabar = sbar * rho;
        alphabar = c * b.alpha;
        rotation(&cbar, &sbar, &rhobar, cbar * rho, theta);
        double zeta = cbar * zetabar;
        zetabar *= -sbar;
        if (!(rho * rhobar > 0))
            break;
        for (int j = 0; j < k; j++) {
            hbar[j] = h[j] - thetabar * rho / (rho_old * rhobar_old) * hbar[j];
            x[j] += zeta / (rho * rhobar) * hbar[j];
            h[j] = b.v[j] - theta / rho * h[j];
        }
    }
    return LNT_OK;
}

lnt_status lnt_lsmr(lnt_ctx *ctx, double *z, bool *rejected, const lnt_local *l, const double *y)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = lsmr(ctx, z, rejected, l, y);
    lnt_ctx_reset(ctx, mark);
    return status;
}
