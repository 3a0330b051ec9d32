/* Checks of option structs, for the fuzzers that fill them. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "fuzz.h"
#include "linnet/study.h"

#include <math.h>
#include <string.h>

/* What the option's setter must guarantee about its field. */
static inline void check_field(const lnt_option *o, const void *opts)
{
    const void *field = (const char *)opts + o->offset;
    const lnt_int_list *list = field;
    int choices = 0;
    switch (o->type) {
    case LNT_OPT_FLAG:
        if (o->flags & LNT_OPT_AUTO)
            CHECK(*(const int *)field >= LNT_AUTO && *(const int *)field <= 1);
        else
            CHECK(*(const unsigned char *)field <= 1);
        break;
    case LNT_OPT_INTEGER:
        CHECK((o->flags & LNT_OPT_AUTO && *(const int *)field == LNT_AUTO) ||
              (*(const int *)field >= o->min && *(const int *)field <= o->max));
        break;
    case LNT_OPT_REAL:
        CHECK((o->flags & LNT_OPT_AUTO && isnan(*(const double *)field)) ||
              (*(const double *)field >= o->min && *(const double *)field <= o->max)); /* false for nan */
        break;
    case LNT_OPT_CHOICE:
        while (o->choices[choices])
            choices++;
        CHECK(*(const int *)field >= 0 && *(const int *)field < choices);
        break;
    case LNT_OPT_INTEGERS:
        CHECK(list->count >= 0 && list->count <= LNT_MOST_WIDTHS);
        for (int i = 0; i < list->count; i++)
            CHECK(list->item[i] >= o->min && list->item[i] <= o->max);
        break;
    case LNT_OPT_SEED:
    case LNT_OPT_TEXT:
        break;
    }
}

/* An options struct with the command's defaults, in scratch memory. */
static inline void *new_opts(lnt_ctx *ctx, const lnt_command *command)
{
    void *opts = lnt_alloc_zero(ctx, 1, command->size);
    CHECK(opts);
    command->defaults(opts);
    return opts;
}

#endif
