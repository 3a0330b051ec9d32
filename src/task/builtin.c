#include "linnet/builtin.h"

#include "linnet/linalg.h"
#include "linnet/rng.h"
#include "linnet/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ITEMS 4096
#define MOST_NUMBERS 2e8

/* ---- NAME:KEY=VALUE,... ---- */

typedef struct key {
    const char *name;
    double value, least, most; /* value: the default, then what was given */
    bool whole, given;
} key;

typedef struct list {
    const char *text;
    size_t n; /* characters */
} list;

static lnt_status unknown_key(lnt_ctx *ctx, const char *task, const char *at, int n, const key *keys, bool has_list)
{
    lnt_text names = {0};
    for (const key *k = keys; k->name; k++)
        lnt_text_add(&names, "%s%s", k == keys ? "" : ", ", k->name);
    if (has_list)
        lnt_text_add(&names, ", singular");
    lnt_status status = lnt_text_status(ctx, &names);
    if (status == LNT_OK)
        status = lnt_fail(ctx, LNT_EUSAGE, "task %s: '%.*s' is none of its keys, which are %s, as in %s:%s=%g", task, n,
                          at, names.p, task, keys->name, keys->value);
    lnt_text_free(&names);
    return status;
}

static lnt_status read_value(lnt_ctx *ctx, const char *task, key *k, const char *value, size_t n)
{
    double x;
    if (!lnt_number_read(value, n, &x) || !(x >= k->least && x <= k->most) || (k->whole && x != floor(x)))
        return lnt_fail(ctx, LNT_EUSAGE, "task %s: %s=%.*s: use a %snumber from %g to %g", task, k->name, (int)n, value,
                        k->whole ? "whole " : "", k->least, k->most);
    k->value = x;
    return LNT_OK;
}

static bool is_name(const char *name, const char *at, size_t n)
{
    return strlen(name) == n && memcmp(name, at, n) == 0;
}

/* Reads all KEY=VALUE of `text`; the key "singular" goes to `singular` where that is not NULL. */
static lnt_status read_keys(lnt_ctx *ctx, const char *task, const char *text, key *keys, list *singular)
{
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        size_t n = strcspn(at, ","), name = strcspn(at, "=,");
        const char *value = at + name + 1;
        key *k = keys;
        while (k->name && !is_name(k->name, at, name))
            k++;
        bool is_list = singular && is_name("singular", at, name);
        if (!k->name && !is_list)
            return unknown_key(ctx, task, at, (int)name, keys, singular != NULL);
        if (name == n)
            return lnt_fail(ctx, LNT_EUSAGE, "task %s: '%.*s' needs a value, as in %.*s=%s", task, (int)n, at, (int)n,
                            at, is_list ? "3/2/1" : lnt_sprintf(ctx, "%g", k->value));
        if (is_list ? singular->text != NULL : k->given)
            return lnt_fail(ctx, LNT_EUSAGE, "task %s: %.*s is given twice", task, (int)name, at);
        if (is_list) {
            *singular = (list){value, n - name - 1};
            continue;
        }
        k->given = true;
        lnt_status status = read_value(ctx, task, k, value, n - name - 1);
        if (status != LNT_OK)
            return status;
    }
    return LNT_OK;
}

/* s <- S1/S2/...; *count of them. */
static lnt_status read_list(lnt_ctx *ctx, double **s, int *count, list text, int most)
{
    if (!text.text)
        text = (list){"3/2/1", 5};
    *count = 1;
    for (size_t i = 0; i < text.n; i++)
        *count += text.text[i] == '/';
    if (*count > most)
        return lnt_fail(ctx, LNT_EUSAGE, "task teacher: %d singular values, but min(inputs, outputs) = %d", *count,
                        most);
    *s = lnt_alloc(ctx, (size_t)*count, sizeof **s);
    if (!*s)
        return LNT_ENOMEM;
    const char *at = text.text, *end = at + text.n;
    for (int i = 0; i < *count; i++) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t n = (size_t)((slash ? slash : end) - at);
        if (!lnt_number_read(at, n, &(*s)[i]) || !((*s)[i] >= 0 && (*s)[i] <= 1e6))
            return lnt_fail(ctx, LNT_EUSAGE,
                            "task teacher: singular=%.*s: use numbers from 0 to 1e6 with slashes between, as in 3/2/1",
                            (int)text.n, text.text);
        at += n + 1;
    }
    return LNT_OK;
}

/* ---- Items ---- */

/* From the properties in columns of Y (features x items): one-hot inputs e_i with targets y_i, averaged over the items,
 * or both times sqrt(items), which makes the inputs white. */
static lnt_status make_items(lnt_ctx *ctx, lnt_builtin *task, lnt_mat Y, bool white)
{
    int items = Y.cols;
    double weight = white ? 1 : 1.0 / items, scale = white ? sqrt(items) : 1, size = lnt_mat_norm(Y);
    lnt_moments *m = &task->moments;
    lnt_mat X, T;
    *m = (lnt_moments){.n = items, .tr_Syy = weight * size * size};
    lnt_status status = lnt_mat_alloc(ctx, &m->Sxx, items, items);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &X, items, items);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &T, Y.rows, items);
    if (status != LNT_OK)
        return status;
    lnt_mat_identity(m->Sxx);
    task->scale = scale;
    lnt_mat_scale(m->Sxx, weight);
    lnt_mat_identity(X);
    lnt_mat_scale(X, scale);
    lnt_mat_copy(T, Y);
    lnt_mat_scale(T, scale);
    lnt_mat_scale(Y, weight);
    m->Syx = Y;
    task->data = (lnt_dataset){.inputs = lnt_samples_view(X), .targets = lnt_samples_view(T)};
    return LNT_OK;
}

static lnt_status make_hierarchy(lnt_ctx *ctx, lnt_builtin *task, int depth)
{
    int items = 1 << depth, features = 2 * items - 1;
    lnt_mat Y;
    lnt_status status = lnt_mat_alloc_zero(ctx, &Y, features, items);
    task->s = lnt_alloc(ctx, (size_t)items, sizeof *task->s);
    if (status != LNT_OK || !task->s)
        return LNT_ENOMEM;
    /* node r of level l is row 2^l - 1 + r and has the items r 2^{D-l} and following */
    for (int j = 0; j < items; j++)
        for (int l = 0; l <= depth; l++)
            *lnt_at(Y, (1 << l) - 1 + (j >> (depth - l)), j) = 1;
    task->modes = items;
    task->exact = true;
    task->s[0] = sqrt(features);
    for (int l = 1, i = 1; l <= depth; l++)
        for (int k = 0; k < 1 << (l - 1); k++)
            task->s[i++] = sqrt((1 << (depth - l + 1)) - 1);
    return make_items(ctx, task, Y, true);
}

/* The hierarchy of depth 3, four times over, and a property that goes against it: item 1 lacks what its relatives
 * have, and others of the same branch lack it too. */
static lnt_status make_illusory(lnt_ctx *ctx, lnt_builtin *task)
{
    static const double against[8] = {-1, 1, 1, 1, -1, -1, -1, -1};
    lnt_mat Y;
    lnt_status status = make_hierarchy(ctx, task, 3);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, 16, 8);
    if (status != LNT_OK)
        return status;
    lnt_mat_copy(lnt_block(Y, 0, 0, 15, 8), task->moments.Syx);
    lnt_mat_scale(lnt_block(Y, 0, 0, 15, 8), 4);
    for (int j = 0; j < 8; j++)
        *lnt_at(Y, 15, j) = against[j];
    task->modes = 0;
    return make_items(ctx, task, Y, true);
}

/* ---- Branching diffusion ---- */

void lnt_tree_spectrum(double *lambda, int *multiplicity, int depth, int branching, double flip)
{
    double sum = 0, r = (1 - 2 * flip) * (1 - 2 * flip), q = 1, leaves = 1;
    for (int l = depth; l >= 0; l--) { /* q = q_l, leaves = B^{D-l} */
        double above = l > 0 ? q * r : 0;
        sum += (q - above) * leaves;
        lambda[l] = sum;
        q = above;
        leaves *= branching;
    }
    int nodes = 1;
    multiplicity[0] = 1;
    for (int l = 1; l <= depth; l++, nodes *= branching)
        multiplicity[l] = nodes * (branching - 1);
}

/* One property for all nodes of a level at a time, in place: children stand where their parent and what follows it was,
 * so they are written from the right. */
static void diffuse(double *y, int depth, int branching, double flip, lnt_rng *rng)
{
    int nodes = 1;
    y[0] = lnt_rng_uniform(rng) < 0.5 ? -1 : 1;
    for (int l = 1; l <= depth; l++) {
        for (int parent = nodes - 1; parent >= 0; parent--)
            for (int c = branching - 1; c >= 0; c--)
                y[parent * branching + c] = y[parent];
        nodes *= branching;
        for (int i = 0; i < nodes; i++)
            if (lnt_rng_uniform(rng) < flip)
                y[i] = -y[i];
    }
}

static lnt_status make_tree(lnt_ctx *ctx, lnt_builtin *task, const char *text, lnt_rng *rng)
{
    key keys[] = {{"depth", 3, 1, 12, true, false},
                  {"branching", 2, 2, 100, true, false},
                  {"flip", 0.15, 0, 1, false, false},
                  {"features", 1000, 1, 1e6, true, false},
                  {0}};
    lnt_status status = read_keys(ctx, "tree", text, keys, NULL);
    if (status != LNT_OK)
        return status;
    int depth = (int)keys[0].value, branching = (int)keys[1].value, features = (int)keys[3].value;
    double flip = keys[2].value, P = pow(branching, depth), lambda[13], *y;
    int multiplicity[13];
    if (P > MOST_ITEMS || P * features > MOST_NUMBERS)
        return lnt_fail(ctx, LNT_EUSAGE, "task tree: %g items with %d features: at most %d items and %g numbers", P,
                        features, MOST_ITEMS, MOST_NUMBERS);
    lnt_mat Y;
    task->modes = (int)P;
    status = lnt_mat_alloc(ctx, &Y, features, (int)P);
    task->s = lnt_alloc(ctx, (size_t)P, sizeof *task->s);
    y = lnt_alloc(ctx, (size_t)P, sizeof *y);
    if (status != LNT_OK || !task->s || !y)
        return LNT_ENOMEM;
    lnt_tree_spectrum(lambda, multiplicity, depth, branching, flip);
    for (int l = 0, i = 0; l <= depth; l++)
        for (int k = 0; k < multiplicity[l]; k++)
            task->s[i++] = sqrt(features * fmax(lambda[l], 0)) / P;
    for (int f = 0; f < features; f++) {
        diffuse(y, depth, branching, flip, rng);
        for (int j = 0; j < Y.cols; j++)
            *lnt_at(Y, f, j) = y[j];
    }
    return make_items(ctx, task, Y, false);
}

/* ---- Teacher ---- */

static lnt_status haar(lnt_ctx *ctx, lnt_mat *Q, int m, int n, lnt_rng *rng)
{
    lnt_status status = lnt_mat_alloc(ctx, Q, m, n);
    return status == LNT_OK ? lnt_rng_orthogonal(ctx, *Q, rng) : status;
}

static lnt_status sample_teacher(lnt_ctx *ctx, lnt_builtin *task, lnt_mat T, int samples, double noise, lnt_rng *rng)
{
    lnt_mat Q, X, Y;
    lnt_moments *m = &task->moments;
    lnt_status status = haar(ctx, &Q, samples, T.cols, rng);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &X, T.cols, samples);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, T.rows, samples);
    if (status != LNT_OK)
        return status;
    lnt_mat_transpose(X, Q);
    lnt_mat_scale(X, sqrt(samples));
    for (size_t i = 0; i < (size_t)T.rows * (size_t)samples; i++)
        Y.a[i] = noise > 0 ? noise * lnt_rng_normal(rng) : 0;
    lnt_gemm(Y, 1, LNT_N, T, LNT_N, X, 1);
    lnt_syrk(m->Sxx, 1.0 / samples, LNT_N, X, 0);
    lnt_symmetrize(m->Sxx);
    lnt_gemm(m->Syx, 1.0 / samples, LNT_N, Y, LNT_T, X, 0);
    m->n = samples;
    m->tr_Syy = lnt_mat_dot(Y, Y) / samples;
    task->data = (lnt_dataset){.inputs = lnt_samples_view(X), .targets = lnt_samples_view(Y)};
    task->exact = false;
    return LNT_OK;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static lnt_status make_teacher(lnt_ctx *ctx, lnt_builtin *task, const char *text, lnt_rng *rng)
{
    key keys[] = {{"inputs", 8, 1, 10000, true, false},
                  {"outputs", 6, 1, 10000, true, false},
                  {"noise", 0, 0, 1e6, false, false},
                  {"samples", 1000, 0, 1e8, true, false},
                  {0}};
    list singular = {0};
    lnt_status status = read_keys(ctx, "teacher", text, keys, &singular);
    if (status != LNT_OK)
        return status;
    int inputs = (int)keys[0].value, outputs = (int)keys[1].value, samples = (int)keys[3].value;
    double noise = keys[2].value;
    status = read_list(ctx, &task->s, &task->modes, singular, inputs < outputs ? inputs : outputs);
    if (status != LNT_OK)
        return status;
    if (samples > 0 && samples < inputs)
        return lnt_fail(ctx, LNT_EUSAGE, "task teacher: samples=%d do not span %d inputs: use at least %d, or 0",
                        samples, inputs, inputs);
    if (((double)samples + outputs) * ((double)inputs + outputs) > MOST_NUMBERS)
        return lnt_fail(ctx, LNT_EUSAGE, "task teacher: %d samples of %d inputs and %d outputs: at most %g numbers",
                        samples, inputs, outputs, MOST_NUMBERS);
    lnt_moments *m = &task->moments;
    lnt_mat U, V, T;
    if ((status = haar(ctx, &U, outputs, task->modes, rng)) == LNT_OK)
        status = haar(ctx, &V, inputs, task->modes, rng);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &T, outputs, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &m->Sxx, inputs, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &m->Syx, outputs, inputs);
    if (status != LNT_OK)
        return status;
    m->n = 1;
    m->tr_Syy = outputs * noise * noise;
    for (int i = 0; i < task->modes; i++) {
        lnt_mat_scale(lnt_columns(U, i, 1), task->s[i]);
        m->tr_Syy += task->s[i] * task->s[i];
    }
    lnt_gemm(T, 1, LNT_N, U, LNT_T, V, 0);
    lnt_mat_copy(m->Syx, T);
    lnt_mat_identity(m->Sxx);
    qsort(task->s, (size_t)task->modes, sizeof *task->s, descending);
    task->exact = true;
    return samples > 0 ? sample_teacher(ctx, task, T, samples, noise, rng) : LNT_OK;
}

/* ---- Sphere ---- */

static lnt_status make_sphere(lnt_ctx *ctx, lnt_builtin *task, const char *text, lnt_rng *rng)
{
    key keys[] = {{"inputs", 4, 2, 10000, true, false},
                  {"radius", 2, 1e-6, 1e6, false, false},
                  {"samples", 50, 1, 1e6, true, false},
                  {0}};
    lnt_status status = read_keys(ctx, "sphere", text, keys, NULL);
    if (status != LNT_OK)
        return status;
    int inputs = (int)keys[0].value, samples = (int)keys[2].value;
    if (((double)samples + inputs) * inputs > MOST_NUMBERS)
        return lnt_fail(ctx, LNT_EUSAGE, "task sphere: %d samples of %d inputs: at most %g numbers", samples, inputs,
                        MOST_NUMBERS);
    lnt_moments *m = &task->moments;
    lnt_mat X, Y;
    if ((status = lnt_mat_alloc(ctx, &X, inputs, samples)) == LNT_OK)
        status = lnt_mat_alloc(ctx, &Y, 1, samples);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &m->Sxx, inputs, inputs);
    if (status == LNT_OK)
        status = lnt_mat_alloc(ctx, &m->Syx, 1, inputs);
    if (status != LNT_OK)
        return status;
    lnt_rng_normals(rng, X.a, (size_t)inputs * (size_t)samples);
    for (int i = 0; i < samples; i++) {
        lnt_mat x = lnt_columns(X, i, 1);
        lnt_mat_scale(x, keys[1].value / lnt_mat_norm(x));
        Y.a[i] = x.a[1] * sin(x.a[0]);
    }
    m->n = samples;
    m->tr_Syy = lnt_mat_dot(Y, Y) / samples;
    lnt_syrk(m->Sxx, 1.0 / samples, LNT_N, X, 0);
    lnt_symmetrize(m->Sxx);
    lnt_gemm(m->Syx, 1.0 / samples, LNT_N, Y, LNT_T, X, 0);
    task->data = (lnt_dataset){.inputs = lnt_samples_view(X), .targets = lnt_samples_view(Y)};
    return LNT_OK;
}

/* ---- */

lnt_status lnt_builtin_task(lnt_ctx *ctx, lnt_builtin *task, const char *text, uint64_t seed)
{
    size_t n = strcspn(text, ":");
    const char *rest = text[n] ? text + n + 1 : NULL;
    lnt_rng rng = lnt_rng_stream(seed, 0, LNT_FOR_TASK);
    *task = (lnt_builtin){.scale = 1};
    if (is_name("exercise", text, n)) {
        if (rest)
            return lnt_fail(ctx, LNT_EUSAGE, "task exercise takes no keys, so not ':%s'", rest);
        return make_hierarchy(ctx, task, 2);
    }
    if (is_name("illusory", text, n) && !rest)
        return make_illusory(ctx, task);
    if (is_name("hierarchy", text, n)) {
        key keys[] = {{"depth", 3, 0, 10, true, false}, {0}};
        lnt_status status = read_keys(ctx, "hierarchy", rest, keys, NULL);
        return status == LNT_OK ? make_hierarchy(ctx, task, (int)keys[0].value) : status;
    }
    if (is_name("tree", text, n))
        return make_tree(ctx, task, rest, &rng);
    if (is_name("teacher", text, n))
        return make_teacher(ctx, task, rest, &rng);
    if (is_name("sphere", text, n))
        return make_sphere(ctx, task, rest, &rng);
    return lnt_fail(ctx, LNT_EUSAGE,
                    "no built-in task '%.*s': use exercise, hierarchy:depth=3, "
                    "tree:depth=3,branching=2,flip=0.15,features=1000, "
                    "teacher:inputs=8,outputs=6,singular=3/2/1,noise=0.1,samples=1000 or "
                    "sphere:inputs=4,radius=2,samples=50",
                    (int)n, text);
}
