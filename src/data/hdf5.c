#include "hdf5_child.h"
#include "linnet/data.h"
#include "linnet/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool lnt_hdf5_recognise(const char *path)
{
    /* the signature stands at 0, 512, 1024, 2048 ...: MATLAB writes a text before it */
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    char bytes[8];
    bool found = false;
    FILE *file = fopen(path, "rb");
    for (long at = 0; file && !found && at <= 1L << 20; at = at ? 2 * at : 512)
        found = fseek(file, at, SEEK_SET) == 0 && fread(bytes, 1, 8, file) == 8 && memcmp(bytes, signature, 8) == 0;
    if (file)
        fclose(file);
    return found;
}

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

char *lnt_file_and_dataset(lnt_ctx *ctx, const char *text, const char **dataset)
{
    char *path = lnt_strdup(ctx, text);
    *dataset = NULL;
    if (!path || is_file(path))
        return path;
    for (char *colon = strchr(path, ':'); colon; colon = strchr(colon + 1, ':')) {
        *colon = '\0';
        if (is_file(path)) {
            *dataset = colon + 1 + (colon[1] == '/');
            return path;
        }
        *colon = ':';
    }
    return path;
}

/* ---- Which dataset ---- */

typedef struct choice {
    const char *wanted; /* or NULL for the only one */
    lnt_text names;
    int candidates;
    char found[4096]; /* the last candidate */
    lnt_h5_header header;
} choice;

static lnt_status consider(lnt_ctx *ctx, const lnt_h5_item *item, void *user)
{
    choice *c = user;
    const lnt_h5_header *h = &item->header;
    bool numeric = h->kind == 'f' || h->kind == 'i' || h->kind == 'u';
    (void)ctx;
    if (!numeric || h->rank < 1 || h->rank > 2 || strncmp(item->path, "#refs#", 6) == 0)
        return LNT_OK;
    if (c->names.n < 400)
        lnt_text_add(&c->names, "%s%s", c->candidates ? ", " : "", item->path);
    c->candidates++;
    if (c->wanted && strcmp(c->wanted, item->path) != 0)
        return LNT_OK;
    snprintf(c->found, sizeof c->found, "%s", item->path);
    c->header = *h;
    return LNT_OK;
}

static lnt_status choose(lnt_ctx *ctx, choice *c, const char *path)
{
    lnt_status status = lnt_hdf5_scan(ctx, path, LNT_H5_LIST, NULL, consider, c);
    const char *names = c->names.p ? c->names.p : "";
    if (status == LNT_OK && c->candidates == 0)
        status = lnt_fail(ctx, LNT_EFORMAT, "%s: no dataset of numbers with one or two dimensions in it", path);
    else if (status == LNT_OK && c->wanted && !c->found[0])
        status = lnt_fail(ctx, LNT_EMISSING, "%s: no dataset of numbers '%s' with one or two dimensions; there is %s",
                          path, c->wanted, names);
    else if (status == LNT_OK && !c->wanted && c->candidates > 1)
        status = lnt_fail(ctx, LNT_EUSAGE, "%s holds several datasets (%s): name one, as in %s:%s", path, names, path,
                          c->found);
    lnt_text_free(&c->names);
    return status;
}

/* ---- Its values ---- */

typedef struct target {
    lnt_samples *samples;
    const char *path;
    double *f64;
    uint8_t *u8;
    bool transposed, arrived;
} target;

static lnt_status take(lnt_ctx *ctx, const lnt_h5_item *item, void *user)
{
    target *t = user;
    size_t n = (size_t)t->samples->n, dim = (size_t)t->samples->dim;
    size_t width = t->u8 ? 1 : sizeof(double);
    if (item->header.bytes != n * dim * width || (item->header.kind == 'u') != (t->u8 != NULL))
        return lnt_fail(ctx, LNT_EFORMAT, "%s changed while it was read", t->path);
    t->arrived = true;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < dim; j++) {
            size_t from = t->transposed ? j * n + i : i * dim + j, to = i * dim + j;
            if (t->u8) {
                t->u8[to] = ((const uint8_t *)item->payload)[from];
                continue;
            }
            double x;
            memcpy(&x, (const char *)item->payload + from * sizeof x, sizeof x);
            if (!isfinite(x))
                return lnt_fail(ctx, LNT_EDOMAIN,
                                "%s: row %zu, column %zu (counted from 1) is %g; remove or replace it", t->path, i + 1,
                                j + 1, x);
            t->f64[to] = x;
        }
    return LNT_OK;
}

lnt_status lnt_hdf5_samples(lnt_ctx *ctx, lnt_samples *samples, const char *path, const char *dataset)
{
    choice c = {.wanted = dataset};
    lnt_status status = choose(ctx, &c, path);
    if (status != LNT_OK)
        return status;
    const lnt_h5_header *h = &c.header;
    bool flat = h->rank == 1, transposed = h->matlab && !flat;
    *samples =
        (lnt_samples){.dim = (int)(flat ? 1 : h->dims[transposed ? 0 : 1]), .n = (int)h->dims[transposed ? 1 : 0]};
    target t = {.samples = samples, .path = path, .transposed = transposed};
    size_t size = (size_t)samples->n * (size_t)samples->dim;
    if (h->kind == 'u')
        samples->u8 = t.u8 = lnt_alloc(ctx, size, 1);
    else
        samples->f64 = t.f64 = lnt_alloc(ctx, size, sizeof *t.f64);
    if (!t.u8 && !t.f64)
        return LNT_ENOMEM;
    status = lnt_hdf5_scan(ctx, path, LNT_H5_ONE, c.found, take, &t);
    if (status == LNT_OK && !t.arrived)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: dataset '%s' cannot be read", path, c.found);
    return status;
}
