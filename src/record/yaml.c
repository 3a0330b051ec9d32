#include "internal.h"
#include "linnet/version.h"

#include <string.h>

/* Strings are always double-quoted, so that nothing a user typed can be read as another type or as syntax. */
static void put_string(lnt_text *out, const char *s)
{
    lnt_text_add(out, "\"");
    for (; *s; s++) {
        const unsigned char *u = (const unsigned char *)s;
        unsigned char c = *u;
        if (c == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0) { /* U+0080 to U+009F: controls, one of them a newline */
            lnt_text_add(out, "\\x%02x", u[1]);
            s++;
            continue;
        }
        if (c == 0xef && u[1] == 0xbf && u[2] >= 0xbe) { /* U+FFFE, U+FFFF: YAML refuses them as they are */
            lnt_text_add(out, "\\uff%02x", u[2] + 0x40);
            s += 2;
            continue;
        }
        if (c == '"' || c == '\\')
            lnt_text_add(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            lnt_text_add(out, "\\x%02x", c);
        else
            lnt_text_bytes(out, s, 1);
    }
    lnt_text_add(out, "\"");
}

static void put_value(lnt_text *out, lnt_value v)
{
    switch (v.kind) {
    case LNT_NOTHING:
        break;
    case LNT_FLAG:
        lnt_text_add(out, v.integer ? "true" : "false");
        break;
    case LNT_INTEGER:
        lnt_text_add(out, "%ld", v.integer);
        break;
    case LNT_NUMBER:
        lnt_text_number(out, v.number);
        break;
    case LNT_STRING:
        put_string(out, v.string);
        break;
    case LNT_INTEGERS:
        lnt_text_add(out, "[");
        for (long i = 0; i < v.integer; i++)
            lnt_text_add(out, "%s%d", i ? ", " : "", v.list[i]);
        lnt_text_add(out, "]");
        break;
    case LNT_NUMBERS: /* facts alone, and they are not written here */
        break;
    }
}

lnt_status lnt_record_yaml(lnt_ctx *ctx, lnt_text *out, const lnt_record *record)
{
    lnt_text_add(out, "# repeat with: linnet run FILE\ncommand: ");
    put_string(out, record->command);
    lnt_text_add(out, "\nversion: \"%s\"\noptions:%s\n", LNT_VERSION, record->parameters ? "" : " {}");
    for (const lnt_scalar *s = record->parameters; s; s = s->next)
        if (!s->how && s->value.kind != LNT_NOTHING) {
            lnt_text_add(out, "  %s: ", s->name);
            put_value(out, s->value);
            lnt_text_add(out, "\n");
        }
    return lnt_text_status(ctx, out);
}
