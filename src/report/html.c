#include "page.h"

#include "linnet/linalg.h"
#include "linnet/version.h"

#include <math.h>
#include <string.h>

void lnt_put_escaped(lnt_text *out, const char *s)
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

void lnt_put_number(lnt_text *out, double x)
{
    lnt_text_add(out, "%s", isfinite(x) ? lnt_number_short(x, (char[LNT_NUMBER_CHARS]){0}) : "–");
}

void lnt_put_value(lnt_text *out, lnt_value v)
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
        lnt_put_number(out, v.number);
        break;
    case LNT_STRING:
        lnt_put_escaped(out, v.string);
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

void lnt_put_verdict(lnt_text *out, bool good)
{
    lnt_text_add(out, "<span class=\"%s\">%s</span>", good ? "pass" : "fail", good ? "holds" : "fails");
}

static void put_cell(lnt_text *out, const lnt_column *c, int row)
{
    lnt_value v = lnt_table_cell(c, row);
    lnt_text_add(out, v.kind == LNT_STRING ? "<td>" : "<td class=\"n\">");
    if (strcmp(c->name, "holds") == 0)
        lnt_put_verdict(out, v.number != 0);
    else
        lnt_put_value(out, v);
    lnt_text_add(out, "</td>");
}

static void put_table(lnt_text *out, const lnt_table *table)
{
    lnt_text_add(out, "<h3>");
    lnt_put_escaped(out, table->name);
    lnt_text_add(out, "</h3><div class=\"wide\"><table><thead><tr>");
    for (const lnt_column *c = table->columns; c; c = c->next) {
        lnt_text_add(out, lnt_table_cell(c, 0).kind == LNT_STRING ? "<th>" : "<th class=\"n\">");
        lnt_put_escaped(out, c->name);
        lnt_text_add(out, "</th>");
    }
    lnt_text_add(out, "</tr></thead>\n<tbody>");
    for (int row = 0; row < table->rows; row++) {
        lnt_text_add(out, "<tr>");
        for (const lnt_column *c = table->columns; c; c = c->next)
            put_cell(out, c, row);
        lnt_text_add(out, "</tr>\n");
    }
    lnt_text_add(out, "</tbody></table></div>\n");
}

/* The verdict first, what it rests on next, the rest behind. */
static void put_tables(lnt_text *out, const lnt_record *record)
{
    static const char *const first[] = {"checks", "deviations", "assumptions"};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        for (const lnt_table *t = record->tables; t; t = t->next)
            if (t->rows > 0 && strcmp(t->name, first[i]) == 0)
                put_table(out, t);
    bool more = false;
    for (const lnt_table *t = record->tables; t; t = t->next)
        if (t->rows > 0 && !t->top) {
            lnt_text_add(out, more ? "" : "<details><summary>More tables</summary>\n");
            put_table(out, t);
            more = true;
        }
    lnt_text_add(out, more ? "</details>\n" : "");
}

static void put_figures(lnt_text *out, const lnt_chapter *chapter, int index)
{
    for (int i = 0; i < chapter->drawings; i++) {
        const lnt_drawing *d = &chapter->drawing[i];
        lnt_text_add(out, "<figure><div class=\"wide\">");
        lnt_put_drawing(out, d, index, i);
        lnt_text_add(out, "</div><figcaption>");
        lnt_put_escaped(out, d->caption);
        if (d->files)
            lnt_text_add(out,
                         " <span class=\"files\"><a href=\"%s.svg\">SVG</a> <a href=\"%s.pdf\">PDF</a> "
                         "<a href=\"%s.png\">PNG</a></span>",
                         d->files, d->files, d->files);
        lnt_text_add(out, "</figcaption></figure>\n");
    }
}

static void put_parameters(lnt_text *out, const lnt_record *record)
{
    bool first = true;
    lnt_text_add(out, "<p class=\"small\">Parameters: ");
    for (const lnt_scalar *s = record->parameters; s; s = s->next)
        if (!s->how && s->value.kind != LNT_NOTHING) {
            lnt_text_add(out, first ? "" : "; ");
            lnt_put_escaped(out, s->name);
            lnt_text_add(out, " ");
            lnt_put_value(out, s->value);
            first = false;
        }
    lnt_text_add(out, ".</p>\n");
}

static lnt_status put_results(lnt_ctx *ctx, lnt_text *out, const lnt_chapter *chapter, int index)
{
    lnt_text_add(out, "<p class=\"found\">Verdict: ");
    lnt_put_verdict(out, lnt_record_verdict(chapter->record));
    lnt_text_add(out, ". ");
    lnt_status status = lnt_report_finding(ctx, out, chapter->finding, chapter->record);
    lnt_text_add(out, "</p>\n");
    for (const lnt_line *line = chapter->record->warnings; line; line = line->next) {
        lnt_text_add(out, "<p class=\"warning\">");
        lnt_put_escaped(out, line->text);
        lnt_text_add(out, "</p>\n");
    }
    put_figures(out, chapter, index);
    put_tables(out, chapter->record);
    put_parameters(out, chapter->record);
    return status;
}

static lnt_status put_chapter(lnt_ctx *ctx, lnt_text *out, const lnt_chapter *chapter, int index)
{
    lnt_status status = LNT_OK;
    lnt_text_add(out, "<section id=\"%s\"><h2>", chapter->name);
    lnt_put_escaped(out, chapter->title);
    lnt_text_add(out, "</h2>\n<p>");
    lnt_put_escaped(out, chapter->question);
    lnt_text_add(out, "</p>\n");
    if (chapter->formula)
        status = lnt_report_formula(ctx, out, chapter->formula);
    if (status == LNT_OK && chapter->record) {
        status = put_results(ctx, out, chapter, index);
    } else if (status == LNT_OK) {
        lnt_text_add(out, "<p class=\"warning\">Not run: ");
        lnt_put_escaped(out, chapter->skipped);
        lnt_text_add(out, "</p>\n");
    }
    lnt_text_add(out, "</section>\n");
    return status;
}

static void put_line(lnt_text *out, const lnt_chapter *chapter)
{
    int checks = chapter->record ? lnt_record_rows(chapter->record, "checks") : 0;
    lnt_text_add(out, "<tr><td><a href=\"#%s\">", chapter->name);
    lnt_put_escaped(out, chapter->title);
    lnt_text_add(out, "</a></td><td class=\"n\">%d</td><td>", checks);
    if (chapter->record)
        lnt_put_verdict(out, lnt_record_verdict(chapter->record));
    else
        lnt_text_add(out, "not run");
    lnt_text_add(out, "</td></tr>\n");
}

static void put_contents(lnt_text *out, const lnt_chapter *chapter, int count)
{
    lnt_text_add(out, "<nav><table><thead><tr><th>experiment</th><th>checks</th><th>verdict</th></tr></thead>\n");
    for (int i = 0; i < count; i++) {
        if (i == 0 || strcmp(chapter[i].group, chapter[i - 1].group) != 0) {
            lnt_text_add(out, "<tr><th class=\"group\" colspan=\"3\">");
            lnt_put_escaped(out, chapter[i].group);
            lnt_text_add(out, "</th></tr>\n");
        }
        put_line(out, &chapter[i]);
    }
    lnt_text_add(out,
                 "</table>\n<p><a href=\"#deviations\">All deviations</a> · <a href=\"#errata\">Errata of the sources"
                 "</a> · <a href=\"#made\">How this was made</a></p></nav>\n");
}

static void put_end(lnt_text *out, const lnt_chapter *chapter, int count)
{
    lnt_text_add(out,
                 "<section id=\"deviations\"><h2>All deviations</h2>\n<p>Simulation beside theory, everything that was "
                 "compared. A verdict is that of the check that judges the deviation; a deviation without one is shown "
                 "as it is, and part of no verdict. For matrices and series the first two numbers are root mean "
                 "squares and the difference is that of the difference.</p>\n");
    lnt_put_deviations(out, chapter, count);
    lnt_text_add(out, "</section>\n<section id=\"errata\">");
    lnt_put_markdown(out, (const char *)lnt_errata_md);
    lnt_text_add(out, "</section>\n<section id=\"made\"><h2>How this was made</h2>\n<p>By linnet %s, built with ",
                 LNT_VERSION);
    lnt_put_escaped(out, __VERSION__);
    lnt_text_add(out, "; linear algebra: ");
    lnt_put_escaped(out, lnt_blas_description());
    lnt_text_add(out, ". The same seed on the same machine gives the same bytes; other kernels and compilers round "
                      "differently. Each experiment has a folder beside this page with its numbers (result.h5), what "
                      "repeats it (run.yaml) and its figures with script and data.</p></section>\n");
}

lnt_status lnt_report_html(lnt_ctx *ctx, lnt_text *out, const char *title, const lnt_chapter *chapter, int count)
{
    lnt_mark mark = lnt_ctx_mark(ctx);
    lnt_status status = LNT_OK;
    lnt_text_add(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                      "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    lnt_put_escaped(out, title);
    lnt_text_add(out, "</title><style>%s</style></head><body>\n<h1>", (const char *)lnt_page_css);
    lnt_put_escaped(out, title);
    lnt_text_add(out,
                 "</h1>\n<p>Each verdict is computed from the numbers below it: it holds where every check is within "
                 "its stated tolerance.<span class=\"live\"> Move the pointer over a chart, or go through it with the "
                 "arrow keys, to read values.</span></p>\n");
    put_contents(out, chapter, count);
    for (int i = 0; i < count && status == LNT_OK; i++)
        status = put_chapter(ctx, out, &chapter[i], i);
    if (status == LNT_OK)
        put_end(out, chapter, count);
    lnt_text_add(out, "<script>%s</script>\n</body></html>\n", (const char *)lnt_page_js);
    lnt_ctx_reset(ctx, mark);
    return status == LNT_OK ? lnt_text_status(ctx, out) : status;
}
