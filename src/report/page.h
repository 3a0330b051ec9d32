/* Pieces of the page that its parts share. */
#ifndef LINNET_REPORT_PAGE_H
#define LINNET_REPORT_PAGE_H

#include "../record/internal.h"
#include "linnet/report.h"

#include <stdint.h>

/* Made at build time from page.css, page.js and docs/errata.md; ended by NUL. */
extern const uint8_t lnt_page_css[], lnt_page_js[], lnt_errata_md[];
extern const size_t lnt_page_css_size, lnt_page_js_size, lnt_errata_md_size;

void lnt_put_escaped(lnt_text *out, const char *s);
void lnt_put_value(lnt_text *out, lnt_value v);
void lnt_put_verdict(lnt_text *out, bool good);
/* A number of at most six digits; a dash where it is not known. */
void lnt_put_number(lnt_text *out, double x);

/* An SVG file as an element of the page, without what nobody sees; `chapter` and `drawing` make its identifiers
 * unique. */
void lnt_put_drawing(lnt_text *out, const lnt_drawing *drawing, int chapter, int index);

void lnt_put_deviations(lnt_text *out, const lnt_chapter *chapter, int count);

/* Markdown: headings, paragraphs, tables, code, links as text. */
void lnt_put_markdown(lnt_text *out, const char *text);

#endif
