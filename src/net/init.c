#include "linnet/net.h"

#include "linnet/linalg.h"
#include "linnet/text.h"

#include <math.h>
#include <string.h>

static bool values_are_valid(const lnt_init *init)
{
    switch (init->kind) {
    case LNT_INIT_GAUSSIAN:
        return init->count == 1 && init->value[0] >= 0;
    case LNT_INIT_BALANCED:
        return init->count == 2 && init->value[1] > 0;
    default:
        return true;
    }
}

lnt_status lnt_init_parse(lnt_ctx *ctx, lnt_init *init, const char *text)
{
    static const char *const name[] = {"orthogonal", "unit-rows", "gaussian:", "aligned:", "balanced:"};
    *init = (lnt_init){.kind = LNT_INIT_ORTHOGONAL};
    for (int k = LNT_INIT_ORTHOGONAL; k <= LNT_INIT_UNIT_ROWS; k++) {
        init->kind = (lnt_init_kind)k;
        if (strcmp(text, name[k]) == 0)
            return LNT_OK;
    }
    for (int k = LNT_INIT_GAUSSIAN; k <= LNT_INIT_BALANCED; k++) {
        size_t n = strlen(name[k]);
        if (strncmp(text, name[k], n) != 0 ||
            !lnt_numbers_read(text + n, init->value, LNT_MOST_STRENGTHS, &init->count))
            continue;
        init->kind = (lnt_init_kind)k;
        if (k == LNT_INIT_BALANCED && init->count == 1)
            init->value[init->count++] = 0.01;
        if (values_are_valid(init))
            return LNT_OK;
    }
    return lnt_fail(
        ctx, LNT_EUSAGE,
        "--init %.80s: use orthogonal, unit-rows, gaussian:SD with SD >= 0, aligned:A0,B0 (a strength per layer, or "
        "one for all), or balanced:LAMBDA[,SIGMA] with SIGMA > 0, all below 1e100",
        text);
}

bool lnt_init_needs_modes(const lnt_init *init)
{
    return init->kind == LNT_INIT_ALIGNED || init->kind == LNT_INIT_BALANCED;
}

/* The leading block of a Haar-distributed orthogonal matrix of the longer side's size. */
static lnt_status haar(lnt_ctx *ctx, lnt_mat W, lnt_rng *rng)
{
    lnt_mat Q;
    lnt_status status = lnt_mat_alloc(ctx, &Q, W.rows > W.cols ? W.rows : W.cols, W.cols);
    if (status == LNT_OK)
        status = lnt_rng_orthogonal(ctx, Q, rng);
    if (status == LNT_OK)
        lnt_mat_copy(W, lnt_block(Q, 0, 0, W.rows, W.cols));
    return status;
}

/* ---- Starts along the modes of the task ---- */

/* Diagonals of D_1 .. D_L: d[l-1] on the first `modes` hidden directions, rest[l-1] on those beyond. */
typedef struct strengths {
    double d[LNT_MOST_STRENGTHS], rest[LNT_MOST_STRENGTHS];
    int modes;
} strengths;

static lnt_status balanced_strengths(lnt_ctx *ctx, strengths *s, const lnt_net *net, const lnt_init *init)
{
    double lambda = init->value[0], sigma = init->value[1];
    int L = net->depth, hidden = net->width[1], room = lambda > 0 ? net->width[L] : net->width[0];
    if (L != 2 && lambda != 0)
        return lnt_fail(ctx, LNT_EUSAGE, "--init balanced:%g: only networks of two layers can have lambda other than 0",
                        lambda);
    for (int l = 0; l < L; l++)
        s->d[l] = pow(sigma, 1.0 / L);
    if (lambda == 0)
        return LNT_OK;
    if (hidden > room)
        return lnt_fail(
            ctx, LNT_EUSAGE,
            "--init balanced:%g: %d hidden units need at least as many %s, there are %d; use the other sign", lambda,
            hidden, lambda > 0 ? "outputs" : "inputs", room);
    int larger = lambda > 0 ? 1 : 0; /* which layer; the smaller strength as a quotient loses no digits */
    s->d[larger] = sqrt((hypot(lambda, 2 * sigma) + fabs(lambda)) / 2);
    s->d[1 - larger] = sigma / s->d[larger];
    s->rest[larger] = sqrt(fabs(lambda));
    return LNT_OK;
}

static lnt_status find_strengths(lnt_ctx *ctx, strengths *s, const lnt_net *net, const lnt_init *init)
{
    *s = (strengths){.modes = lnt_net_bottleneck(net)};
    if (init->kind == LNT_INIT_BALANCED)
        return balanced_strengths(ctx, s, net, init);
    if (init->count != 1 && init->count != net->depth)
        return lnt_fail(ctx, LNT_EUSAGE, "--init aligned: %d strengths for %d layers; give one for all or one for each",
                        init->count, net->depth);
    for (int l = 0; l < net->depth; l++)
        s->d[l] = init->value[init->count == 1 ? 0 : l];
    return LNT_OK;
}

/* W <- R D R_below^T. */
static lnt_status along(lnt_ctx *ctx, lnt_mat W, lnt_mat R, lnt_mat R_below, double d, double rest, int modes)
{
    int k = W.rows < W.cols ? W.rows : W.cols;
    lnt_mat RD;
    lnt_status status = lnt_mat_alloc(ctx, &RD, W.rows, k);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(RD, lnt_columns(R, 0, k));
    for (int j = 0; j < k; j++)
        lnt_mat_scale(lnt_columns(RD, j, 1), j < modes ? d : rest);
    lnt_gemm(W, 1, LNT_N, RD, LNT_T, lnt_columns(R_below, 0, k), 0);
    return LNT_OK;
}

static lnt_status along_modes(lnt_ctx *ctx, double *w, const lnt_net *net, const lnt_init *init, const lnt_modes *modes,
                              lnt_rng *rng)
{
    strengths *s = lnt_alloc(ctx, 1, sizeof *s);
    lnt_mat R, R_below;
    if (!s)
        return LNT_ENOMEM;
    lnt_status status = find_strengths(ctx, s, net, init);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &R_below, modes->VT.cols, modes->VT.rows);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(R_below, modes->VT);
    for (int l = 1; l <= net->depth && status == LNT_OK; l++) {
        R = modes->U;
        if (l < net->depth && (status = lnt_mat_alloc(ctx, &R, net->width[l], net->width[l])) == LNT_OK)
            status = haar(ctx, R, rng);
        if (status == LNT_OK)
            status = along(ctx, lnt_net_weights(net, w, l), R, R_below, s->d[l - 1], s->rest[l - 1], s->modes);
        R_below = R;
    }
    return status;
}

static void unit_rows(lnt_mat W, lnt_rng *rng)
{
    for (int j = 0; j < W.cols; j++)
        for (int i = 0; i < W.rows; i++)
            *lnt_at(W, i, j) = lnt_rng_normal(rng);
    for (int i = 0; i < W.rows; i++) {
        lnt_mat row = lnt_block(W, i, 0, 1, W.cols);
        lnt_mat_scale(row, 1 / lnt_mat_norm(row));
    }
}

lnt_status lnt_net_init(lnt_ctx *ctx, double *w, const lnt_net *net, const lnt_init *init, const lnt_modes *modes,
                        lnt_rng *rng)
{
    lnt_status status = LNT_OK;
    lnt_mark mark = lnt_ctx_mark(ctx);
    if (lnt_init_needs_modes(init))
        status = along_modes(ctx, w, net, init, modes, rng);
    for (size_t i = 0, size = init->kind == LNT_INIT_GAUSSIAN ? lnt_net_size(net) : 0; i < size; i++)
        w[i] = init->value[0] * lnt_rng_normal(rng);
    for (int l = 1; init->kind == LNT_INIT_ORTHOGONAL && l <= net->depth && status == LNT_OK; l++) {
        status = haar(ctx, lnt_net_weights(net, w, l), rng);
        lnt_ctx_reset(ctx, mark);
    }
    for (int l = 1; init->kind == LNT_INIT_UNIT_ROWS && l <= net->depth; l++)
        unit_rows(lnt_net_weights(net, w, l), rng);
    lnt_ctx_reset(ctx, mark);
    return status;
}

lnt_status lnt_net_factor(lnt_ctx *ctx, double *w, const lnt_net *net, lnt_mat P)
{
    int L = net->depth, least = P.rows < P.cols ? P.rows : P.cols, r = lnt_net_bottleneck(net);
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_mat U, VT;
    double *s = lnt_alloc(ctx, (size_t)least, sizeof *s);
    lnt_status status = s ? lnt_mat_alloc(ctx, &U, P.rows, least) : LNT_ENOMEM;
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &VT, least, P.cols);
    if (status == LNT_OK)
        status = lnt_svd(ctx, U, s, VT, P);
    for (int l = 1; l <= L && status == LNT_OK; l++) {
        lnt_mat W = lnt_net_weights(net, w, l);
        lnt_mat_fill(W, 0);
        for (int k = 0; k < r; k++) {
            double root = pow(s[k], 1.0 / L);
            for (int i = 0; i < (l == L ? W.rows : 1); i++)
                for (int j = 0; j < (l == 1 ? W.cols : 1); j++)
                    *lnt_at(W, l == L ? i : k, l == 1 ? j : k) +=
                        root * (l == L ? *lnt_at(U, i, k) : 1) * (l == 1 ? *lnt_at(VT, k, j) : 1);
        }
    }
    lnt_ctx_reset(ctx, mark);
    return status;
}
