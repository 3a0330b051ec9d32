/* The posterior of a layered network as a density. */
#include "loops.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"
#include "linnet/sample.h"

#include "../fit/bayes.h"

#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define LOG_2PI 1.83787706640934548356
#define BLOCK 256    /* samples in a block, at most */
#define UNIT 16      /* of which there is a whole number, for the loops */
#define BY_HAND 1024 /* weights of a layer up to which its products are made here */

/* Numbers for one evaluation. */
typedef struct slot {
    atomic_flag busy;
    double *w, *g; /* weights with the scaling of their layers in them, and the gradient by those */
    double **Z;    /* outputs of layer l, (width[l] + 1) x block: the last row is 1, for the biases */
    double *D, *D_next;
} slot;

typedef struct network {
    lnt_layers net;
    lnt_likelihood_kind kind;
    lnt_prior prior;
    lnt_hyper hyper;
    double beta, n, constant; /* constant: what does not depend on the position */
    const double *size;       /* weights in each group */
    int k, blocks, slots;
    size_t block;      /* samples in a block */
    double *X, *d, *v; /* (inputs + 1) x block, outputs x block, outputs x block for each block of samples */
    slot *slot;
} network;

static int width(const network *m, int l)
{
    return m->net.net.width[l];
}

static lnt_activation activation(const network *m, int l)
{
    return l < m->net.net.depth ? m->net.net.activation : m->net.output;
}

/* ---- One block of samples ---- */

static void product(const network *m, double *out, const double *in, const double *w, int rows, int inner,
                    bool transposed)
{
    if (rows * inner > BY_HAND) {
        lnt_mat W = lnt_mat_view((double *)(uintptr_t)w, transposed ? inner : rows, transposed ? rows : inner);
        lnt_gemm(lnt_mat_view(out, (int)m->block, rows), 1, LNT_N,
                 lnt_mat_view((double *)(uintptr_t)in, (int)m->block, inner), transposed ? LNT_N : LNT_T, W, 0);
        return;
    }
    lnt_loop_product p = {.out = out, .in = in, .w = w, .N = m->block, .rows = rows, .inner = inner};
    p.next_row = transposed ? (size_t)inner : 1;
    p.next_inner = transposed ? 1 : (size_t)rows;
    lnt_loops()->product(&p);
}

static void add_gradient(const network *m, double *g, const double *D, const double *Z, int rows, int cols)
{
    if (rows * cols > BY_HAND)
        lnt_gemm(lnt_mat_view(g, rows, cols), 1, LNT_T, lnt_mat_view((double *)(uintptr_t)D, (int)m->block, rows),
                 LNT_N, lnt_mat_view((double *)(uintptr_t)Z, (int)m->block, cols), 1);
    else
        lnt_loops()->gradient(g, rows, cols, D, Z, m->block);
}

static void back(const network *m, double *d, const double *z, int rows, lnt_activation phi)
{
    if (phi != LNT_LINEAR)
        lnt_loops()->back(d, z, (size_t)rows * m->block, phi);
}

/* f <- dlog p/df / beta; returns minus log p, or the sum of squares. */
static double misfit(const network *m, double *f, int block)
{
    int q = width(m, m->net.net.depth);
    size_t count = (size_t)q * m->block, at = (size_t)block * count;
    const double *d = m->d + at, *v = m->v + at;
    switch (m->kind) {
    case LNT_GAUSSIAN:
        return lnt_loops()->gaussian(f, d, v, count);
    case LNT_BERNOULLI:
        return lnt_loops()->bernoulli(f, d, v, count);
    default:
        return lnt_loops()->categorical(f, d, v, q, m->block);
    }
}

/* s->g += the gradient of the block's part of -misfit, times beta. */
static double block_gradient(const network *m, slot *s, int block)
{
    int L = m->net.net.depth, biases = m->net.biases;
    double *w = s->w, *g = s->g + m->k;
    s->Z[0] = m->X + (size_t)block * (size_t)(width(m, 0) + 1) * m->block;
    for (int l = 1; l <= L; l++) {
        int rows = width(m, l), inner = width(m, l - 1) + biases;
        product(m, s->Z[l], s->Z[l - 1], w, rows, inner, false);
        lnt_activate(lnt_mat_view(s->Z[l], rows, (int)m->block), (lnt_mat){0}, activation(m, l));
        w += rows * inner;
    }
    memcpy(s->D, s->Z[L], (size_t)width(m, L) * m->block * sizeof *s->D);
    double loss = misfit(m, s->D, block);
    for (int l = L; l >= 1; l--) {
        int rows = width(m, l), inner = width(m, l - 1), all = rows * (inner + biases);
        double *D = s->D;
        w -= all;
        g -= all;
        back(m, D, s->Z[l], rows, activation(m, l));
        add_gradient(m, g, D, s->Z[l - 1], rows, inner + biases);
        if (l == 1)
            break;
        product(m, s->D_next, D, w, inner, rows, true);
        s->D = s->D_next;
        s->D_next = D;
    }
    return loss;
}

/* ---- One position ---- */

/* to (k) <- from, layer by layer s_l W, t b. */
static void scale_layers(const network *m, double *to, const double *from)
{
    for (int l = 1; l <= m->net.net.depth; l++) {
        double s = lnt_layers_scale(&m->net, l), t = lnt_layers_bias_scale(&m->net);
        int rows = width(m, l), weights = rows * width(m, l - 1), all = weights + (m->net.biases ? rows : 0);
        for (int i = 0; i < all; i++)
            to[i] = (i < weights ? s : t) * from[i];
        to += all;
        from += all;
    }
}

/* log density of log x where x ~ Gamma(shape, rate), without constants; *slope <- its derivative by log x. */
static double log_gamma(lnt_gamma prior, double log_x, double *slope)
{
    double bx = prior.rate * exp(log_x);
    *slope = prior.shape - bx;
    return prior.shape * log_x - bx;
}

static double prior_gradient(const network *m, const double *q, double *g)
{
    double lp = 0;
    int groups = m->prior.groups, k = m->k;
    for (int a = 0; a < groups; a++) {
        double alpha = m->hyper.alpha ? exp(q[k + a]) : m->prior.alpha[a], square = 0;
        for (int i = 0; i < k; i++)
            if (!m->prior.group || m->prior.group[i] == a) {
                square += q[i] * q[i];
                g[i] -= alpha * q[i];
            }
        lp -= 0.5 * alpha * square;
        if (m->hyper.alpha) {
            lp += 0.5 * m->size[a] * q[k + a] + log_gamma(m->hyper.alpha_prior, q[k + a], &g[k + a]);
            g[k + a] += 0.5 * m->size[a] - 0.5 * alpha * square;
        }
    }
    return lp;
}

static double position_gradient(const network *m, slot *s, const double *q, double *g)
{
    int last = m->k + (m->hyper.alpha ? m->prior.groups : 0);
    bool gaussian = m->kind == LNT_GAUSSIAN, noise = m->hyper.beta;
    double beta = noise ? exp(q[last]) : m->beta, loss = 0, lp = 0;
    scale_layers(m, s->w, q);
    memset(s->g, 0, (size_t)m->k * sizeof *s->g);
    for (int b = 0; b < m->blocks; b++)
        loss += block_gradient(m, s, b);
    scale_layers(m, g, s->g);
    for (int i = 0; i < m->k; i++)
        g[i] *= beta;
    lp = m->constant + prior_gradient(m, q, g) - (gaussian ? 0.5 * beta : 1) * loss;
    if (noise) {
        lp += 0.5 * m->n * q[last] + log_gamma(m->hyper.beta_prior, q[last], &g[last]);
        g[last] += 0.5 * m->n - 0.5 * beta * loss;
    }
    return lp;
}

static int network_logp(lnt_mat Q, double *lp, lnt_mat G, void *user)
{
    network *m = user;
    slot *s = NULL;
    while (!s) {
        for (int i = 0; i < m->slots && !s; i++)
            if (!atomic_flag_test_and_set_explicit(&m->slot[i].busy, memory_order_acquire))
                s = &m->slot[i];
        if (!s)
            sched_yield();
    }
    for (int j = 0; j < Q.cols; j++)
        lp[j] = position_gradient(m, s, lnt_at(Q, 0, j), lnt_at(G, 0, j));
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
    return 0;
}

/* ---- Setting up ---- */

static lnt_status check(lnt_ctx *ctx, const lnt_layers *net, lnt_mat X, const lnt_likelihood *likelihood,
                        const lnt_prior *prior, const lnt_hyper *hyper)
{
    int outputs = net->net.width[net->net.depth];
    size_t k = lnt_layers_size(net);
    if (X.rows != net->net.width[0] || X.cols < 1)
        return lnt_fail(ctx, LNT_ESHAPE, "inputs of %d x %d for a network of %d inputs", X.rows, X.cols,
                        net->net.width[0]);
    if (likelihood->kind == LNT_CATEGORICAL && likelihood->classes != outputs)
        return lnt_fail(ctx, LNT_ESHAPE, "%d classes for %d outputs", likelihood->classes, outputs);
    if (!lnt_mat_finite(X))
        return lnt_fail(ctx, LNT_EDOMAIN, "the inputs are not all finite");
    const lnt_gamma *given[] = {hyper->alpha ? &hyper->alpha_prior : NULL, hyper->beta ? &hyper->beta_prior : NULL};
    for (int i = 0; i < 2; i++)
        if (given[i] && !(given[i]->shape > 0 && given[i]->rate > 0 && isfinite(given[i]->shape + given[i]->rate)))
            return lnt_fail(ctx, LNT_EDOMAIN, "a Gamma prior of shape %g and rate %g: both must be above 0",
                            given[i]->shape, given[i]->rate);
    const lnt_model model = {.n = (size_t)outputs * (size_t)X.cols, .k = k};
    double *w = lnt_alloc_zero(ctx, k, sizeof *w);
    return w ? lnt_bayes_check(ctx, &model, w, likelihood, prior) : LNT_ENOMEM;
}

static lnt_status make_slots(lnt_ctx *ctx, network *m)
{
    int L = m->net.net.depth, widest = 1;
    m->slots = lnt_threads(0);
    m->slot = lnt_alloc_zero(ctx, (size_t)m->slots, sizeof *m->slot);
    for (int l = 0; l <= L; l++)
        widest = width(m, l) > widest ? width(m, l) : widest;
    for (int i = 0; m->slot && i < m->slots; i++) {
        slot *s = &m->slot[i];
        atomic_flag_clear(&s->busy);
        s->w = lnt_alloc(ctx, (size_t)m->k, sizeof *s->w);
        s->g = lnt_alloc(ctx, (size_t)m->k, sizeof *s->g);
        s->D = lnt_alloc(ctx, (size_t)widest * m->block, sizeof *s->D);
        s->D_next = lnt_alloc(ctx, (size_t)widest * m->block, sizeof *s->D);
        s->Z = lnt_alloc_zero(ctx, (size_t)L + 1, sizeof *s->Z);
        if (!s->w || !s->g || !s->D || !s->D_next || !s->Z)
            return LNT_ENOMEM;
        for (int l = 1; l <= L; l++) {
            if (!(s->Z[l] = lnt_alloc(ctx, (size_t)(width(m, l) + 1) * m->block, sizeof **s->Z)))
                return LNT_ENOMEM;
            for (size_t j = 0; j < m->block; j++)
                s->Z[l][(size_t)width(m, l) * m->block + j] = 1;
        }
    }
    return m->slot ? LNT_OK : LNT_ENOMEM;
}

/* Samples in blocks, filled up with zeros. */
static lnt_status copy_data(lnt_ctx *ctx, network *m, lnt_mat X, const lnt_likelihood *likelihood)
{
    int p = width(m, 0), q = width(m, m->net.net.depth);
    m->blocks = (X.cols - 1) / BLOCK + 1;
    m->block = (size_t)((X.cols - 1) / m->blocks / UNIT + 1) * UNIT;
    size_t blocks = (size_t)m->blocks, block = m->block, outputs = (size_t)q * block;
    m->X = lnt_alloc_zero(ctx, blocks * (size_t)(p + 1) * block, sizeof *m->X);
    m->d = lnt_alloc_zero(ctx, blocks * outputs, sizeof *m->d);
    m->v = lnt_alloc_zero(ctx, blocks * outputs, sizeof *m->v);
    if (!m->X || !m->d || !m->v)
        return LNT_ENOMEM;
    for (int j = 0; j < (int)(blocks * block); j++) {
        size_t of = (size_t)j / block, in = (size_t)j % block;
        double *x = m->X + of * (size_t)(p + 1) * block + in;
        x[(size_t)p * block] = 1;
        for (int i = 0; j < X.cols && i < p; i++)
            x[(size_t)i * block] = *lnt_at(X, i, j);
        for (int o = 0; j < X.cols && o < q; o++) {
            size_t at = of * outputs + (size_t)o * block + in, from = (size_t)j * (size_t)q;
            double v = m->kind == LNT_GAUSSIAN && likelihood->sqrtw ? likelihood->sqrtw[from + (size_t)o] : 1;
            m->d[at] = likelihood->d[from + (size_t)o];
            m->v[at] = v * v;
            m->constant += log(v);
        }
    }
    return LNT_OK;
}

static double gamma_constant(lnt_gamma prior)
{
    return prior.shape * log(prior.rate) - lgamma(prior.shape);
}

/* What log p holds that no coordinate changes. */
static void add_constants(network *m)
{
    for (int a = 0; a < m->prior.groups; a++)
        m->constant += 0.5 * m->size[a] * ((m->hyper.alpha ? 0 : log(m->prior.alpha[a])) - LOG_2PI) +
                       (m->hyper.alpha ? gamma_constant(m->hyper.alpha_prior) : 0);
    if (m->kind == LNT_GAUSSIAN)
        m->constant += 0.5 * m->n * ((m->hyper.beta ? 0 : log(m->beta)) - LOG_2PI) +
                       (m->hyper.beta ? gamma_constant(m->hyper.beta_prior) : 0);
}

static lnt_status make(lnt_ctx *ctx, network *m, lnt_mat X, const lnt_likelihood *likelihood)
{
    double *size = lnt_alloc_zero(ctx, (size_t)m->prior.groups, sizeof *size);
    if (!size)
        return LNT_ENOMEM;
    for (int i = 0; i < m->k; i++)
        size[m->prior.group ? m->prior.group[i] : 0]++;
    m->size = size;
    m->n = (double)width(m, m->net.net.depth) * X.cols;
    lnt_status status = copy_data(ctx, m, X, likelihood);
    if (status == LNT_OK)
        status = make_slots(ctx, m);
    add_constants(m);
    return status;
}

lnt_status lnt_network_density(lnt_ctx *ctx, lnt_density *density, const lnt_layers *net, lnt_mat X,
                               const lnt_likelihood *likelihood, const lnt_prior *prior, const lnt_hyper *hyper)
{
    const lnt_hyper fixed = {0};
    hyper = hyper ? hyper : &fixed;
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = check(ctx, net, X, likelihood, prior, hyper);
    lnt_ctx_reset(ctx, mark);
    if (status != LNT_OK)
        return status;
    network *m = lnt_alloc_zero(ctx, 1, sizeof *m);
    if (!m)
        return LNT_ENOMEM;
    m->net = *net;
    m->kind = likelihood->kind;
    m->prior = *prior;
    m->hyper = *hyper;
    m->hyper.beta = hyper->beta && m->kind == LNT_GAUSSIAN;
    m->beta = m->kind == LNT_GAUSSIAN ? likelihood->beta : 1;
    m->k = (int)lnt_layers_size(net);
    *density = (lnt_density){.width = 1, .logp = network_logp, .user = m};
    density->k = m->k + (hyper->alpha ? prior->groups : 0) + (m->hyper.beta ? 1 : 0);
    status = make(ctx, m, X, likelihood);
    if (status != LNT_OK)
        lnt_ctx_reset(ctx, mark);
    return status;
}
