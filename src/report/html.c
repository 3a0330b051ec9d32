#include "linnet/report.h"

#include "../record/internal.h"
#include "linnet/version.h"

#include <stdio.h>
#include <string.h>

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#222}"
    "h1,h2{line-height:1.2}table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "th,td{text-align:left;padding:.2rem .7rem;border-bottom:1px solid #ddd;vertical-align:top}"
    ".n{text-align:right;white-space:nowrap}.wide{overflow-x:auto}.pass{color:#06632f;font-weight:600}.fail{color:#"
    "b00020;font-weight:600}"
    ".warning{border-left:4px solid #e69f00;padding-left:.7rem;margin:.5rem "
    "0}svg{min-width:44rem;max-width:100%;height:auto}"
    "figure{margin:1rem 0;overflow-x:auto}figcaption,.small{color:#555;font-size:.9rem}section{margin-top:3rem}";

static void put_escaped(lnt_text *out, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<':
            lnt_text_add(out, "&lt;");
            break;
        case '>':
            lnt_text_add(out, "&gt;");
            break;
        case '&':
            lnt_text_add(out, "&amp;");
            break;
        case '"':
            lnt_text_add(out, "&quot;");
            break;
        default:
            lnt_text_bytes(out, s, 1);
        }
}

static void put_value(lnt_text *out, lnt_value v)
{
    switch (v.kind) {
    case LNT_NOTHING:
        lnt_text_add(out, "–");
        break;
    case LNT_FLAG:
        lnt_text_add(out, v.integer ? "yes" : "no");
        break;
    case LNT_INTEGER:
        lnt_text_add(out, "%ld", v.integer);
        break;
    case LNT_NUMBER:
        lnt_text_add(out, "%s", lnt_number_short(v.number, (char[LNT_NUMBER_CHARS]){0}));
        break;
    case LNT_STRING:
        put_escaped(out, v.string);
        break;
    case LNT_INTEGERS:
        for (long i = 0; i < v.integer; i++)
            lnt_text_add(out, "%s%d", i ? ", " : "", v.list[i]);
        break;
    case LNT_NUMBERS:
        for (long i = 0; i < v.integer; i++)
            lnt_text_add(out, "%s%s", i ? ", " : "", lnt_number_short(v.numbers[i], (char[LNT_NUMBER_CHARS]){0}));
        break;
    }
}

static void put_verdict(lnt_text *out, bool good)
{
    lnt_text_add(out, "<span class=\"%s\">%s</span>", good ? "pass" : "fail", good ? "holds" : "fails");
}

static void put_cell(lnt_text *out, const lnt_column *c, int row)
{
    lnt_value v = lnt_table_cell(c, row);
    lnt_text_add(out, v.kind == LNT_STRING ? "<td>" : "<td class=\"n\">");
    if (strcmp(c->name, "holds") == 0)
        put_verdict(out, v.number != 0);
    else
        put_value(out, v);
    lnt_text_add(out, "</td>");
}

static void put_table(lnt_text *out, const lnt_table *table)
{
    lnt_text_add(out, "<h3>");
    put_escaped(out, table->name);
    lnt_text_add(out, "</h3><div class=\"wide\"><table><tr>");
    for (const lnt_column *c = table->columns; c; c = c->next) {
        lnt_text_add(out, "<th>");
        put_escaped(out, c->name);
        lnt_text_add(out, "</th>");
    }
    lnt_text_add(out, "</tr>\n");
    for (int row = 0; row < table->rows; row++) {
        lnt_text_add(out, "<tr>");
        for (const lnt_column *c = table->columns; c; c = c->next)
            put_cell(out, c, row);
        lnt_text_add(out, "</tr>\n");
    }
    lnt_text_add(out, "</table></div>\n");
}

/* An SVG file as an element of the page: without its XML prologue, its identifiers made unique by a prefix. gnuplot
 * numbers them alike in every drawing, and a reference would find those of the first. */
static void put_svg(lnt_text *out, const char *svg, int chapter)
{
    int drawing = 0;
    for (const char *start; (start = strstr(svg, "<svg")) != NULL;) {
        const char *stop = strstr(start, "</svg>");
        if (!stop)
            return;
        stop += strlen("</svg>");
        for (const char *s = start; s < stop; s++) {
            static const char *const keys[] = {"id=\"", "id='", "url(#", "href=\"#", "href='#"};
            size_t match = 0;
            for (size_t k = 0; k < sizeof keys / sizeof *keys && !match; k++)
                if (strncmp(s, keys[k], strlen(keys[k])) == 0 && (k > 1 || s[-1] == ' ' || s[-1] == '\t'))
                    match = strlen(keys[k]);
            if (!match) {
                lnt_text_bytes(out, s, 1);
                continue;
            }
            lnt_text_bytes(out, s, match);
            lnt_text_add(out, "c%dd%d-", chapter, drawing);
            s += match - 1;
        }
        lnt_text_add(out, "\n");
        drawing++;
        svg = stop;
    }
}

static void put_figures(lnt_text *out, const lnt_chapter *chapter, int index)
{
    if (!chapter->svg || !*chapter->svg)
        return;
    lnt_text_add(out, "<figure>");
    put_svg(out, chapter->svg, index);
    lnt_text_add(out, "<figcaption>");
    for (int i = 0; i < lnt_record_figures(chapter->record); i++) {
        put_escaped(out, lnt_record_get_figure(chapter->record, i)->caption);
        lnt_text_add(out, " ");
    }
    lnt_text_add(out, "</figcaption></figure>\n");
}

/* The verdict first, what it rests on next, the rest behind. */
static void put_tables(lnt_text *out, const lnt_record *record)
{
    static const char *const first[] = {"checks", "deviations", "assumptions"};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        for (const lnt_table *t = record->tables; t; t = t->next)
            if (t->rows > 0 && strcmp(t->name, first[i]) == 0)
                put_table(out, t);
    for (const lnt_table *t = record->tables; t; t = t->next)
        if (t->rows > 0 && !t->top)
            put_table(out, t);
}

static void put_chapter(lnt_text *out, const lnt_chapter *chapter, int index)
{
    const lnt_record *record = chapter->record;
    lnt_text_add(out, "<section id=\"%s\"><h2>", chapter->name);
    put_escaped(out, chapter->title);
    lnt_text_add(out, "</h2>\n<p>");
    put_escaped(out, chapter->question);
    lnt_text_add(out, "</p>\n");
    if (!record) {
        lnt_text_add(out, "<p class=\"warning\">Not run: ");
        put_escaped(out, chapter->skipped);
        lnt_text_add(out, "</p></section>\n");
        return;
    }
    for (const lnt_line *line = record->warnings; line; line = line->next) {
        lnt_text_add(out, "<p class=\"warning\">");
        put_escaped(out, line->text);
        lnt_text_add(out, "</p>\n");
    }
    put_figures(out, chapter, index);
    put_tables(out, record);
    lnt_text_add(out, "<p class=\"small\">Parameters: ");
    for (const lnt_scalar *s = record->parameters; s; s = s->next)
        if (!s->how && s->value.kind != LNT_NOTHING) {
            lnt_text_add(out, s == record->parameters ? "" : "; ");
            put_escaped(out, s->name);
            lnt_text_add(out, " ");
            put_value(out, s->value);
        }
    lnt_text_add(out, ".</p></section>\n");
}

static void put_summary(lnt_text *out, const lnt_chapter *chapter, int count)
{
    lnt_text_add(out, "<table><tr><th>experiment</th><th>checks</th><th>verdict</th></tr>\n");
    for (int i = 0; i < count; i++) {
        lnt_text_add(out, "<tr><td><a href=\"#%s\">", chapter[i].name);
        put_escaped(out, chapter[i].title);
        lnt_text_add(out, "</a></td><td class=\"n\">%d</td><td>",
                     chapter[i].record ? lnt_record_rows(chapter[i].record, "checks") : 0);
        if (chapter[i].record)
            put_verdict(out, lnt_record_verdict(chapter[i].record));
        else
            lnt_text_add(out, "not run");
        lnt_text_add(out, "</td></tr>\n");
    }
    lnt_text_add(out, "</table>\n");
}

lnt_status lnt_report_html(lnt_ctx *ctx, lnt_text *out, const char *title, const lnt_chapter *chapter, int count)
{
    lnt_text_add(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    put_escaped(out, title);
    lnt_text_add(out, "</title><style>%s</style></head><body>\n<h1>", style);
    put_escaped(out, title);
    lnt_text_add(out,
                 "</h1>\n<p>Each verdict is computed from the numbers below it: it holds where every check is within "
                 "its stated tolerance.</p>\n");
    put_summary(out, chapter, count);
    for (int i = 0; i < count; i++)
        put_chapter(out, &chapter[i], i);
    lnt_text_add(out, "<p class=\"small\">Made by linnet %s.</p>\n</body></html>\n", LNT_VERSION);
    return lnt_text_status(ctx, out);
}
