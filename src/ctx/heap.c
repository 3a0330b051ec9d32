#include "linnet/ctx.h"

#include <stdlib.h>

static void *libc_resize(void *p, size_t bytes)
{
    if (bytes == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, bytes);
}

static lnt_resize_fn heap_resize = libc_resize;

void lnt_set_heap(lnt_resize_fn resize)
{
    heap_resize = resize ? resize : libc_resize;
}

void *lnt_heap_resize(void *p, size_t bytes)
{
    return heap_resize(p, bytes);
}

void lnt_heap_free(void *p)
{
    if (p)
        heap_resize(p, 0);
}
