#include "page.h"

#include <string.h>

/* Skips a line of gnuplot's that draws nothing: an empty group, its own titles and descriptions. */
static const char *skip_nothing(const char *s, const char *stop)
{
    static const char group[] = "<g fill=\"none\"", closed[] = "\n</g>\n", plot[] = "<title>gnuplot_plot_";
    static const char *const lines[] = {"<title>Gnuplot</title>", "<desc>", plot};
    for (const char *before = NULL; s != before && s < stop;) {
        before = s;
        while (s < stop && (*s == '\n' || *s == '\t'))
            s++;
        const char *end = strchr(s, '\n');
        if (!end)
            return s;
        if (strncmp(s, group, strlen(group)) == 0 && strncmp(end, closed, strlen(closed)) == 0)
            s = end + strlen(closed);
        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
            if (strncmp(s, lines[k], strlen(lines[k])) == 0)
                s = end;
    }
    return s;
}

/* The length of an attribute's name and opening that refers to an identifier, 0 for anything else. gnuplot numbers them
 * alike in every drawing, and a reference would find those of the first. */
static size_t reference(const char *s)
{
    static const char *const keys[] = {"id=\"", "id='", "url(#", "href=\"#", "href='#"};
    if (*s != 'i' && *s != 'u' && *s != 'h')
        return 0;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (strncmp(s, keys[k], strlen(keys[k])) == 0 && (k > 1 || s[-1] == ' ' || s[-1] == '\t'))
            return strlen(keys[k]);
    return 0;
}

static int count_panels(const char *svg, const char *stop)
{
    int panels = 0;
    for (const char *s = svg; (s = strstr(s, "{\"box\":")) != NULL && s < stop; s++)
        panels++;
    return panels > 0 ? panels : 1;
}

static void put_head(lnt_text *out, const lnt_drawing *drawing, const char *start, const char *stop)
{
    const char *box = strstr(start, "viewBox=\"");
    lnt_text_add(out, "<svg class=\"chart p%d\" role=\"img\" tabindex=\"0\" ", count_panels(start, stop));
    if (box && box < stop)
        lnt_text_bytes(out, box, strcspn(box + strlen("viewBox=\""), "\"") + strlen("viewBox=\"") + 1);
    lnt_text_add(out, " aria-label=\"");
    lnt_put_escaped(out, drawing->caption);
    lnt_text_add(out, "\">\n");
}

void lnt_put_drawing(lnt_text *out, const lnt_drawing *drawing, int chapter, int index)
{
    static const char end[] = "</svg>";
    const char *start = strstr(drawing->svg, "<svg"), *stop = start ? strstr(start, end) : NULL;
    const char *body = stop ? strchr(start, '>') : NULL;
    if (!body || body > stop)
        return;
    put_head(out, drawing, start, stop);
    for (const char *s = body + 1; s < stop; s++) {
        if (*s == '\n' || s == body + 1) {
            const char *next = skip_nothing(s, stop);
            if (next > s)
                lnt_text_add(out, "\n");
            s = next;
            if (s >= stop)
                break;
        }
        size_t n = reference(s);
        lnt_text_bytes(out, s, n ? n : 1);
        if (n) {
            lnt_text_add(out, "c%dd%d-", chapter, index);
            s += n - 1;
        }
    }
    lnt_text_add(out, "%s\n", end);
}
