/* Descent of two layers, unit by unit. */
#include "../linalg/wide.h"
#include "layered.h"

#include <math.h>
#include <string.h>

#define LANES 8

double lnt_arm_l1(const lnt_arm *arm)
{
    return arm->naive ? arm->l1 * (1 - arm->beta) : arm->l1;
}

double lnt_arm_l2(const lnt_arm *arm)
{
    return arm->decay + (arm->naive ? arm->l2 * (1 - arm->beta) : arm->l2);
}

/* The constants of a step. */
typedef struct rule {
    double eta, beta, decay, threshold, shrink;
} rule;

/* At rest m is gradient/(1 - beta): only a map for the step eta/(1 - beta) leaves the optimality conditions of the
 * penalties themselves. */
static rule rule_of(const lnt_arm *a)
{
    double step = a->naive ? a->eta : a->eta / (1 - a->beta);
    return (rule){a->eta, a->beta, a->decay, step * a->l1, 1 / (1 + step * a->l2)};
}

static inline double prox(double w, const rule *r)
{
    double inside = w > r->threshold ? r->threshold : w;
    inside = inside < -r->threshold ? -r->threshold : inside;
    return (w - inside) * r->shrink;
}

lnt_status lnt_units_make(lnt_ctx *ctx, lnt_units *u, const lnt_arm *arm, lnt_mat M, const double *V)
{
    *u = (lnt_units){.arm = arm, .live = M.cols};
    size_t units = (size_t)M.cols;
    u->V = lnt_alloc(ctx, units, sizeof *u->V);
    u->V_momentum = lnt_alloc_zero(ctx, units, sizeof *u->V_momentum);
    u->unit = lnt_alloc(ctx, units, sizeof *u->unit);
    lnt_status status = u->V && u->V_momentum && u->unit ? lnt_mat_alloc(ctx, &u->M, M.rows, M.cols) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &u->momentum, M.rows, M.cols);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(u->M, M);
    memcpy(u->V, V, units * sizeof *V);
    for (int j = 0; j < M.cols; j++)
        u->unit[j] = j;
    return LNT_OK;
}

void lnt_units_copy(lnt_mat M, double *V, const lnt_units *u)
{
    for (int j = 0; j < M.cols; j++) {
        lnt_mat_copy(lnt_columns(M, u->unit[j], 1), lnt_columns(u->M, j, 1));
        V[u->unit[j]] = u->V[j];
    }
}

void lnt_units_product(double *S, const lnt_units *u)
{
    memset(S, 0, (size_t)u->M.rows * sizeof *S);
    for (int j = 0; j < u->live; j++)
        for (int i = 0; i < u->M.rows; i++)
            S[i] += *lnt_at(u->M, i, j) * u->V[j];
}

/* ---- Units that are gone ---- */

/* Momenta only decay from here: they never pass the threshold again if they do not now. */
static bool is_gone(const lnt_units *u, const rule *r, int j)
{
    const double *w = lnt_at(u->M, 0, j), *m = lnt_at(u->momentum, 0, j);
    if (!(r->threshold > 0) || u->V[j] != 0 || !(r->eta * r->beta * fabs(u->V_momentum[j]) <= r->threshold))
        return false;
    for (int i = 0; i < u->M.rows; i++)
        if (w[i] != 0 || !(r->eta * r->beta * fabs(m[i]) <= r->threshold))
            return false;
    return true;
}

/* The last live unit takes column j. */
static void retire(lnt_units *u, int j)
{
    int last = --u->live, unit = u->unit[j];
    lnt_mat_copy(lnt_columns(u->M, j, 1), lnt_columns(u->M, last, 1));
    lnt_mat_copy(lnt_columns(u->momentum, j, 1), lnt_columns(u->momentum, last, 1));
    lnt_mat_fill(lnt_columns(u->M, last, 1), 0);
    u->V[j] = u->V[last];
    u->V[last] = 0;
    u->V_momentum[j] = u->V_momentum[last];
    u->unit[j] = u->unit[last];
    u->unit[last] = unit;
}

/* ---- Steps ---- */

WIDE double lnt_units_dot(const double *restrict a, const double *restrict b, int n)
{
    double lane[LANES] = {0}, sum = 0;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        lane[0] += a[i] * b[i];
    for (int l = 0; l < LANES; l++)
        sum += lane[l];
    return sum;
}

WIDE void lnt_units_add(double *restrict y, double a, const double *restrict x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] += a * x[i];
}

/* w <- the next weights of a unit with the gradient v G; S <- S + w v_next. */
WIDE static void move_linear(double *restrict w, double *restrict m, double *restrict S, const double *restrict G,
                             double v, double v_next, int n, const rule *given)
{
    const rule r = *given;
    for (int i = 0; i < n; i++) {
        m[i] = r.beta * m[i] + v * G[i] + r.decay * w[i];
        w[i] = prox(w[i] - r.eta * m[i], &r);
        S[i] += w[i] * v_next;
    }
}

WIDE static void move(double *restrict w, double *restrict m, int n, const rule *given)
{
    const rule r = *given;
    for (int i = 0; i < n; i++) {
        m[i] += r.decay * w[i];
        w[i] = prox(w[i] - r.eta * m[i], &r);
    }
}

static void move_V(lnt_units *u, int j, double gradient, const rule *r)
{
    u->V_momentum[j] = r->beta * u->V_momentum[j] + gradient + r->decay * u->V[j];
    u->V[j] = prox(u->V[j] - r->eta * u->V_momentum[j], r);
}

void lnt_units_step_linear(lnt_units *u, double *S, const double *G)
{
    const rule r = rule_of(u->arm);
    int n = u->M.rows;
    memset(S, 0, (size_t)n * sizeof *S);
    for (int j = 0; j < u->live; j++) {
        double *w = lnt_at(u->M, 0, j), v = u->V[j];
        move_V(u, j, lnt_units_dot(w, G, n), &r);
        move_linear(w, lnt_at(u->momentum, 0, j), S, G, v, u->V[j], n, &r);
        if (u->V[j] == 0 && is_gone(u, &r, j))
            retire(u, j--);
    }
}

void lnt_units_step(lnt_units *u, const double *gV)
{
    const rule r = rule_of(u->arm);
    for (int j = 0; j < u->live; j++)
        move_V(u, j, gV[j], &r);
    for (int j = 0; j < u->live; j++)
        move(lnt_at(u->M, 0, j), lnt_at(u->momentum, 0, j), u->M.rows, &r);
    for (int j = u->live - 1; j >= 0; j--)
        if (u->V[j] == 0 && is_gone(u, &r, j))
            retire(u, j);
}
