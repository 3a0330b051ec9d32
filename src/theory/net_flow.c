#include "linnet/theory.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

/* Below this the inputs count as white. */
#define WHITE 1e-13
/* At rest: the share of the tolerance within which the product is the least-squares map. */
#define REACHED 0.01

/* The problem in rotated coordinates, x -> Q^T x and y -> R^T y. The state is the weights there; for a pair of layers
 * with white inputs it is W_1 and then Z = W_2^T, so that mode i is column i of both. */
typedef struct net_flow {
    const lnt_net *net;
    bool pair;
    lnt_mat Q, R, S; /* S = R^T Syx Q; R.a NULL: the identity */
    double *d;       /* eigenvalues of Sxx; NULL for white inputs, where S is diagonal */
    lnt_mat *B, *G;  /* W_L ... W_{l+1}, and dE/dW W_1^T ... W_l^T, both outputs x width[l] */
    lnt_mat K, C;    /* of a pair: W_2^T W_2, and its conserved difference to W_1 W_1^T */
    lnt_mat Y;
    const lnt_mode_times *modes;
    double rtol;
    lnt_mat U, V; /* of the modes, rotated */
    lnt_mat *H;   /* W_l ... W_1 V */
} net_flow;

static lnt_mat last_layer(const net_flow *f, const double *y)
{
    lnt_mat W = lnt_net_weights(f->net, y, f->net->depth);
    return f->pair ? lnt_mat_view(W.a, W.cols, W.rows) : W;
}

/* B_{L-1} = W_L, ..., B_0 = W_L ... W_1. */
static void multiply(net_flow *f, const double *y)
{
    int L = f->net->depth;
    f->B[L - 1] = lnt_net_weights(f->net, y, L);
    for (int l = L - 1; l >= 1; l--)
        lnt_gemm(f->B[l - 1], 1, LNT_N, f->B[l], LNT_N, lnt_net_weights(f->net, y, l), 0);
}

/* With B_0 = W_L ... W_1: G_0 = B_0 diag(d) - S, G_l = G_{l-1} W_l^T, dE/dW_l = B_l^T G_{l-1}. */
static int slope(double *dy, double t, const double *y, void *user)
{
    net_flow *f = user;
    const lnt_net *net = f->net;
    int L = net->depth;
    (void)t;
    multiply(f, y);
    lnt_mat G = L > 1 ? f->G[0] : lnt_net_weights(net, dy, 1);
    double sign = L > 1 ? 1 : -1;
    for (int j = 0; j < G.cols; j++) {
        double *g = lnt_at(G, 0, j), d = f->d ? f->d[j] : 1;
        const double *b = lnt_at(f->B[0], 0, j), *s = lnt_at(f->S, 0, j);
        for (int i = 0; i < G.rows; i++)
            g[i] = sign * (d * b[i] - s[i]);
    }
    for (int l = 1; l < L; l++) {
        bool last = l == L - 1;
        lnt_gemm(lnt_net_weights(net, dy, l), -1, LNT_T, f->B[l], LNT_N, f->G[l - 1], 0);
        lnt_gemm(last ? lnt_net_weights(net, dy, L) : f->G[l], last ? -1 : 1, LNT_N, f->G[l - 1], LNT_T,
                 lnt_net_weights(net, y, l), 0);
    }
    return 0;
}

/* dA <- B S, S diagonal: what mode i of one layer gets from the other. */
static void exchange(lnt_mat dA, lnt_mat B, lnt_mat S)
{
    for (int i = 0; i < dA.cols; i++) {
        double *to = lnt_at(dA, 0, i), s = i < S.rows && i < S.cols ? *lnt_at(S, i, i) : 0;
        const double *from = lnt_at(B, 0, i < B.cols ? i : 0);
        for (int k = 0; k < dA.rows; k++)
            to[k] = s * from[k];
    }
}

/* W_1' = Z S - K W_1, Z' = W_1 S^T - (K - C) Z. */
static int pair_slope(double *dy, double t, const double *y, void *user)
{
    net_flow *f = user;
    lnt_mat W = lnt_net_weights(f->net, y, 1), dW = lnt_net_weights(f->net, dy, 1), Z = last_layer(f, y),
            dZ = last_layer(f, dy);
    (void)t;
    exchange(dW, Z, f->S);
    exchange(dZ, W, f->S);
    lnt_gemm(f->K, 1, LNT_N, Z, LNT_T, Z, 0);
    lnt_gemm(dW, -1, LNT_N, f->K, LNT_N, W, 1);
    lnt_mat_add(f->K, -1, f->C);
    lnt_gemm(dZ, -1, LNT_N, f->K, LNT_N, Z, 1);
    return 0;
}

/* At the minimum, B_0 diag(d) = S. Slopes that are small say nothing: near saddles they are, and grow again. */
static int rest(double t, const double *y, void *user)
{
    net_flow *f = user;
    (void)t;
    if (f->pair)
        lnt_gemm(f->B[0], 1, LNT_T, last_layer(f, y), LNT_N, lnt_net_weights(f->net, y, 1), 0);
    else
        multiply(f, y);
    double least = REACHED * f->rtol * lnt_mat_max(f->B[0]);
    for (int j = 0; j < f->S.cols; j++) {
        double d = f->d ? f->d[j] : 1;
        for (int i = 0; i < f->S.rows; i++)
            if (!(fabs(d * *lnt_at(f->B[0], i, j) - *lnt_at(f->S, i, j)) <= d * least))
                return 0;
    }
    return 1;
}

/* ---- Rotation ---- */

static lnt_status make_frame(lnt_ctx *ctx, net_flow *f, const lnt_moments *m)
{
    int N1 = m->Sxx.rows, N3 = m->Syx.rows;
    lnt_mat VT, Sxx;
    lnt_status status = lnt_mat_alloc(ctx, &f->Q, N1, N1);
    if (status == LNT_OK)
        status = lnt_mat_alloc_zero(ctx, &f->S, N3, N1);
    double *d = lnt_alloc(ctx, (size_t)N1 + (size_t)N3, sizeof *d);
    if (status != LNT_OK || !d)
        return LNT_ENOMEM;
    if (!(lnt_whiteness(m->Sxx) <= WHITE)) {
        f->d = d;
        status = lnt_mat_alloc(ctx, &Sxx, N1, N1);
        if (status == LNT_OK) {
            lnt_mat_copy(Sxx, m->Sxx);
            status = lnt_eigh(ctx, d, f->Q, Sxx);
        }
        if (status == LNT_OK)
            lnt_gemm(f->S, 1, LNT_N, m->Syx, LNT_N, f->Q, 0);
        return status;
    }
    status = lnt_mat_alloc(ctx, &VT, N1, N1);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &f->R, N3, N3);
    if (status == LNT_OK)
        status = lnt_svd(ctx, f->R, d, VT, m->Syx);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(f->Q, VT);
    for (int i = 0; i < N1 && i < N3; i++)
        *lnt_at(f->S, i, i) = d[i];
    return LNT_OK;
}

/* y <- the weights w, rotated in (LNT_T) or back (LNT_N): the two directions differ in one transpose. */
static void rotate(const net_flow *f, double *to, const double *from, lnt_op op)
{
    const lnt_net *net = f->net;
    int L = net->depth;
    memcpy(to, from, lnt_net_size(net) * sizeof *to);
    lnt_mat first = L > 1 || !f->R.a ? lnt_net_weights(net, to, 1) : f->G[0];
    lnt_gemm(first, 1, LNT_N, lnt_net_weights(net, from, 1), op == LNT_T ? LNT_N : LNT_T, f->Q, 0);
    if (!f->R.a)
        return;
    lnt_mat W = L > 1 ? lnt_net_weights(net, from, L) : first;
    if (!f->pair)
        lnt_gemm(lnt_net_weights(net, to, L), 1, op, f->R, LNT_N, W, 0);
    else if (op == LNT_T)
        lnt_gemm(last_layer(f, to), 1, LNT_T, W, LNT_N, f->R, 0);
    else
        lnt_gemm(lnt_net_weights(net, to, L), 1, LNT_N, f->R, LNT_T, last_layer(f, from), 0);
}

static int output(double t, int index, const double *y, void *user)
{
    net_flow *f = user;
    (void)t;
    rotate(f, lnt_at(f->Y, 0, index), y, LNT_N);
    return 0;
}

/* ---- Modes ---- */

static int event(double *g, double t, const double *y, void *user)
{
    net_flow *f = user;
    int L = f->net->depth;
    (void)t;
    for (int l = 1; l < L; l++)
        lnt_gemm(f->H[l], 1, LNT_N, lnt_net_weights(f->net, y, l), LNT_N, f->H[l - 1], 0);
    lnt_gemm(f->H[L], 1, f->pair ? LNT_T : LNT_N, last_layer(f, y), LNT_N, f->H[L - 1], 0);
    for (int i = 0; i < f->U.cols; i++)
        g[i] = lnt_mat_dot(lnt_columns(f->U, i, 1), lnt_columns(f->H[L], i, 1)) - f->modes->level[i];
    return 0;
}

static int crossing(double t, int k, int direction, const double *y, void *user)
{
    net_flow *f = user;
    (void)direction;
    (void)y;
    if (isnan(f->modes->time[k]))
        f->modes->time[k] = t;
    return 0;
}

static lnt_status rotate_modes(lnt_ctx *ctx, net_flow *f)
{
    lnt_mat U = f->modes->U, V = f->modes->V;
    lnt_status status = lnt_mat_alloc(ctx, &f->U, U.rows, U.cols);
    f->H = lnt_alloc(ctx, (size_t)f->net->depth + 1, sizeof *f->H);
    if (!f->H)
        return LNT_ENOMEM;
    for (int l = 0; l <= f->net->depth && status == LNT_OK; l++)
        status = lnt_mat_alloc(ctx, &f->H[l], f->net->width[l], V.cols);
    if (status != LNT_OK)
        return status;
    lnt_gemm(f->H[0], 1, LNT_T, f->Q, LNT_N, V, 0);
    if (f->R.a)
        lnt_gemm(f->U, 1, LNT_T, f->R, LNT_N, U, 0);
    else
        lnt_mat_copy(f->U, U);
    for (int i = 0; i < V.cols; i++)
        f->modes->time[i] = NAN;
    return LNT_OK;
}

/* ---- */

static lnt_status allocate(lnt_ctx *ctx, net_flow *f)
{
    int L = f->net->depth, h = f->net->width[L > 1 ? 1 : 0];
    f->B = lnt_alloc(ctx, (size_t)L + 1, sizeof *f->B);
    f->G = lnt_alloc(ctx, (size_t)L + 1, sizeof *f->G);
    lnt_status status = f->B && f->G ? LNT_OK : LNT_ENOMEM;
    for (int l = 0; l < L && status == LNT_OK; l++) {
        status = lnt_mat_alloc(ctx, &f->B[l], f->net->width[L], f->net->width[l]);
        if (status == LNT_OK)
            status = lnt_mat_alloc(ctx, &f->G[l], f->net->width[L], f->net->width[l]);
    }
    if (status == LNT_OK && f->pair)
        status = lnt_mat_alloc(ctx, &f->K, h, h);
    if (status == LNT_OK && f->pair)
        status = lnt_mat_alloc(ctx, &f->C, h, h);
    return status;
}

static lnt_status check_shapes(lnt_ctx *ctx, lnt_mat Y, const lnt_mode_times *modes, const lnt_net *net,
                               const lnt_moments *m, int count)
{
    int in = net->width[0], out = net->width[net->depth];
    if (m->Sxx.rows != in || m->Sxx.cols != in || m->Syx.rows != out || m->Syx.cols != in)
        return lnt_fail(ctx, LNT_ESHAPE,
                        "a network from %d inputs to %d outputs, but moments of %d inputs and %d outputs", in, out,
                        m->Syx.cols, m->Syx.rows);
    if ((size_t)Y.rows != lnt_net_size(net) || Y.cols != count)
        return lnt_fail(ctx, LNT_ESHAPE, "the answer is %d x %d, not %zu weights x %d times", Y.rows, Y.cols,
                        lnt_net_size(net), count);
    if (modes && (modes->U.rows != out || modes->V.rows != in || modes->U.cols != modes->V.cols))
        return lnt_fail(ctx, LNT_ESHAPE, "modes are %d x %d and %d x %d for %d outputs and %d inputs", modes->U.rows,
                        modes->U.cols, modes->V.rows, modes->V.cols, out, in);
    return LNT_OK;
}

static lnt_status net_flow_run(lnt_ctx *ctx, net_flow *f, lnt_flow_info *info, const double *w0, const lnt_moments *m,
                               const double *times, int count, const lnt_flow_opts *opts)
{
    const lnt_net *net = f->net;
    lnt_status status = make_frame(ctx, f, m);
    if (status != LNT_OK)
        return status;
    double N1 = net->width[0], N3 = net->width[net->depth];
    f->pair = net->depth == 2 && !f->d && net->width[1] * (N1 + 2 * N3) < 3 * N1 * N3;
    double *y0 = lnt_alloc(ctx, lnt_net_size(net), sizeof *y0);
    status = y0 ? allocate(ctx, f) : LNT_ENOMEM;
    if (status == LNT_OK && f->modes)
        status = rotate_modes(ctx, f);
    if (status != LNT_OK)
        return status;
    rotate(f, y0, w0, LNT_T);
    if (f->pair) {
        lnt_mat W = lnt_net_weights(net, y0, 1), Z = last_layer(f, y0);
        lnt_gemm(f->C, 1, LNT_N, Z, LNT_T, Z, 0);
        lnt_gemm(f->C, -1, LNT_N, W, LNT_T, W, 1);
    }
    lnt_ode ode = {.size = lnt_net_size(net),
                   .slope = f->pair ? pair_slope : slope,
                   .events = f->modes ? f->U.cols : 0,
                   .event = event,
                   .crossing = crossing,
                   .output = output,
                   .rest = rest,
                   .user = f};
    lnt_flow_opts defaults;
    lnt_flow_defaults(&defaults);
    f->rtol = (opts ? opts : &defaults)->rtol;
    lnt_mat_fill(f->Y, NAN);
    return lnt_flow(ctx, (lnt_mat){0}, info, &ode, y0, 0, times, count, opts);
}

lnt_status lnt_net_flow(lnt_ctx *ctx, lnt_mat Y, lnt_flow_info *info, const lnt_mode_times *modes, const lnt_net *net,
                        const double *w0, const lnt_moments *m, const double *times, int count,
                        const lnt_flow_opts *opts)
{
    lnt_status status = check_shapes(ctx, Y, modes, net, m, count);
    if (status != LNT_OK)
        return status;
    net_flow f = {.net = net, .Y = Y, .modes = modes};
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_blas_pin(); /* once, not for every product */
    status = net_flow_run(ctx, &f, info, w0, m, times, count, opts);
    lnt_blas_unpin();
    lnt_ctx_reset(ctx, mark);
    return status;
}
