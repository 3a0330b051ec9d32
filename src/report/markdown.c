/* As much of Markdown as docs/errata.md uses. */
#include "page.h"

#include <string.h>

/* Bytes of text, escaped; code spans and links, which lead to files that are not beside the page, as text. */
static void put_inline(lnt_text *out, const char *s, size_t n)
{
    bool code = false;
    for (const char *stop = s + n; s < stop; s++) {
        const char *link =
            *s == ']' && !code && s + 1 < stop && s[1] == '(' ? memchr(s, ')', (size_t)(stop - s)) : NULL;
        if (*s == '`') {
            lnt_text_add(out, code ? "</code>" : "<code>");
            code = !code;
        } else if (*s == '\\' && s + 1 < stop && strchr("|_*", s[1])) {
            lnt_text_bytes(out, ++s, 1);
        } else if (link) {
            s = link;
        } else if (code || *s != '[') {
            lnt_put_escaped(out, (char[]){*s, '\0'});
        }
    }
}

static void put_cells(lnt_text *out, const char *line, size_t n, const char *element)
{
    const char *stop = line + n;
    lnt_text_add(out, "<tr>");
    for (const char *s = line + 1; s < stop;) {
        const char *end = s;
        while (end < stop && (*end != '|' || end[-1] == '\\'))
            end++;
        const char *last = end;
        while (s < last && *s == ' ')
            s++;
        while (last > s && last[-1] == ' ')
            last--;
        lnt_text_add(out, "<%s>", element);
        put_inline(out, s, (size_t)(last - s));
        lnt_text_add(out, "</%s>", element);
        s = end + 1;
    }
    lnt_text_add(out, "</tr>\n");
}

typedef enum block { NONE, PARAGRAPH, TABLE } block;

static void close_block(lnt_text *out, block *open)
{
    lnt_text_add(out, *open == PARAGRAPH ? "</p>\n" : *open == TABLE ? "</tbody></table></div>\n" : "");
    *open = NONE;
}

static void put_line(lnt_text *out, const char *line, size_t n, block *open)
{
    size_t level = strspn(line, "#");
    if (n == 0 || level > 0) {
        close_block(out, open);
        if (level > 0) { /* one level below: the page has a title of its own */
            lnt_text_add(out, "<h%zu>", level + 1);
            put_inline(out, line + level + 1, n - level - 1);
            lnt_text_add(out, "</h%zu>\n", level + 1);
        }
    } else if (*line == '|') {
        if (*open != TABLE) {
            close_block(out, open);
            lnt_text_add(out, "<div class=\"wide\"><table class=\"errata\"><thead>");
            put_cells(out, line, n, "th");
            lnt_text_add(out, "</thead><tbody>\n");
            *open = TABLE;
        } else if (strspn(line, "|-: ") < n) {
            put_cells(out, line, n, "td");
        }
    } else {
        if (*open != PARAGRAPH) {
            close_block(out, open);
            lnt_text_add(out, "<p>");
            *open = PARAGRAPH;
        } else {
            lnt_text_add(out, " ");
        }
        put_inline(out, line, n);
    }
}

void lnt_put_markdown(lnt_text *out, const char *text)
{
    block open = NONE;
    while (*text) {
        size_t n = strcspn(text, "\n");
        put_line(out, text, n, &open);
        text += n + (text[n] == '\n');
    }
    close_block(out, &open);
}
