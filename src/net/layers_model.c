#include "layers.h"

#include "linnet/linalg.h"
#include "linnet/parallel.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

/* A callback takes a free work, or waits for one: first that of its thread, where the last pass may be of use. */
typedef struct slot {
    atomic_flag busy;
    lnt_layers_work work;
} slot;

typedef struct net_model {
    const lnt_layers *net;
    lnt_layers own; /* of lnt_net_model() */
    lnt_mat X;
    int outputs, k, slots;
    slot *slot;
} net_model;

static slot *take(net_model *m)
{
    static atomic_uint threads;
    static _Thread_local unsigned own; /* counted from 1 */
    if (own == 0)
        own = atomic_fetch_add(&threads, 1) + 1;
    for (;;) {
        for (unsigned i = 0; i < (unsigned)m->slots; i++) {
            slot *s = &m->slot[(own + i) % (unsigned)m->slots];
            if (!atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire))
                return s;
        }
        sched_yield();
    }
}

static void give_back(slot *s)
{
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
}

static lnt_mat output_view(const net_model *m, const double *out)
{
    return lnt_mat_view((double *)(uintptr_t)out, m->outputs, m->X.cols);
}

static int outputs(const double *w, double *out, void *user)
{
    net_model *m = user;
    slot *s = take(m);
    lnt_layers_forward_on(&s->work, output_view(m, out), m->net, w, m->X);
    give_back(s);
    return 0;
}

static int rows(const double *w, size_t first, size_t last, double *B, size_t ld, void *user)
{
    net_model *m = user;
    slot *s = take(m);
    lnt_mat BT = {B, m->k, (int)(last - first), (int)ld};
    lnt_layers_jacobian_on(&s->work, BT, (int)first, m->net, w, m->X);
    give_back(s);
    return 0;
}

static int jvp(const double *w, const double *v, double *out, void *user)
{
    net_model *m = user;
    slot *s = take(m);
    lnt_layers_along_on(&s->work, output_view(m, out), (lnt_mat){0}, m->net, w, v, m->X);
    give_back(s);
    return 0;
}

static int fvv(const double *w, const double *v, double *out, void *user)
{
    net_model *m = user;
    slot *s = take(m);
    lnt_layers_along_on(&s->work, (lnt_mat){0}, output_view(m, out), m->net, w, v, m->X);
    give_back(s);
    return 0;
}

static int vjp(const double *w, const double *u, double *out, void *user)
{
    net_model *m = user;
    slot *s = take(m);
    lnt_layers_vjp_on(&s->work, out, m->net, w, output_view(m, u), m->X);
    give_back(s);
    return 0;
}

static lnt_status make(lnt_ctx *ctx, lnt_model *model, net_model *m)
{
    const lnt_net *net = &m->net->net;
    double n = (double)net->width[net->depth] * m->X.cols, k = 0;
    for (int l = 1; l <= net->depth; l++)
        k += net->width[l] * (net->width[l - 1] + 1.0);
    if (n < 1 || k < 1 || n > INT_MAX || k > INT_MAX)
        return lnt_fail(ctx, LNT_EINVAL, "a network with %g outputs of %g weights in all: both must be 1 to 2^31 - 1",
                        n, k);
    m->outputs = net->width[net->depth];
    m->k = (int)lnt_layers_size(m->net);
    int block = lnt_layers_block(m->net, m->X.cols, m->X.cols);
    bool keep = block == m->X.cols;
    if (!keep)
        block = lnt_layers_block(m->net, m->X.cols, 256);
    m->slots = lnt_threads(0);
    m->slot = lnt_alloc(ctx, (size_t)m->slots, sizeof *m->slot);
    if (!m->slot)
        return LNT_ENOMEM;
    for (int i = 0; i < m->slots; i++) {
        atomic_flag_clear(&m->slot[i].busy);
        lnt_status status = lnt_layers_work_alloc(ctx, &m->slot[i].work, m->net, block);
        if (status == LNT_OK && keep)
            status = (m->slot[i].work.w = lnt_alloc(ctx, (size_t)m->k, sizeof(double))) ? LNT_OK : LNT_ENOMEM;
        if (status != LNT_OK)
            return status;
    }
    *model = (lnt_model){(size_t)n, (size_t)m->k, m, outputs, rows, jvp, vjp, fvv, true};
    return LNT_OK;
}

lnt_status lnt_layers_model(lnt_ctx *ctx, lnt_model *model, const lnt_layers *net, lnt_mat X)
{
    net_model *m = lnt_alloc(ctx, 1, sizeof *m);
    if (!m)
        return LNT_ENOMEM;
    *m = (net_model){.net = net, .X = X};
    return make(ctx, model, m);
}

lnt_status lnt_net_model(lnt_ctx *ctx, lnt_model *model, const lnt_net *net, lnt_mat X)
{
    net_model *m = lnt_alloc(ctx, 1, sizeof *m);
    if (!m)
        return LNT_ENOMEM;
    *m = (net_model){.own = {.net = *net}, .X = X};
    m->net = &m->own;
    return make(ctx, model, m);
}
