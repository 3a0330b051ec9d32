/* What every fuzzer shares: the entry point that libFuzzer and replay.c call, and checks that stop at a finding. */
#ifndef FUZZ_H
#define FUZZ_H

#include "linnet/data.h"
#include "linnet/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() that stays in release builds, where the corpus is replayed too. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static inline lnt_ctx *new_ctx(void)
{
    lnt_ctx *ctx = lnt_ctx_new();
    CHECK(ctx);
    return ctx;
}

/* A failure has its message in one line, a success has none. */
static inline void check_outcome(const lnt_ctx *ctx, lnt_status status)
{
    CHECK(status <= 0);
    const char *message = lnt_ctx_message(ctx);
    CHECK((status == LNT_OK) == (message[0] == '\0'));
    for (; *message; message++)
        CHECK((unsigned char)*message >= ' ');
}

/* n * dim values are there, of one of the two types, and finite. */
static inline void check_samples(const lnt_samples *s)
{
    CHECK(s->n >= 0 && s->dim >= 0);
    CHECK(!s->f64 != !s->u8);
    size_t count = (size_t)s->n * (size_t)s->dim;
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++)
        if (s->f64)
            CHECK(isfinite(s->f64[i]));
        else
            sum += s->u8[i]; /* reading it is the test */
    CHECK(sum <= 255 * count);
}

#endif
