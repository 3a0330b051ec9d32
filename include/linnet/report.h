/* The report: one self-contained HTML page from the records of experiments. */
#ifndef LINNET_REPORT_H
#define LINNET_REPORT_H

#include "linnet/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A drawing of a chapter. */
typedef struct lnt_drawing {
    const char *caption;
    const char *svg;   /* the text of an SVG file */
    const char *files; /* beside the page, without suffix; .svg, .pdf and .png are linked. NULL: no links */
} lnt_drawing;

typedef struct lnt_chapter {
    const char *name, *title, *question;
    const char *group;        /* of chapters that follow each other, for the contents */
    const char *formula;      /* see lnt_report_formula(); NULL: none */
    const char *finding;      /* see lnt_report_finding(); NULL: the checks speak for themselves */
    const char *skipped;      /* why it was not run, or NULL */
    const lnt_record *record; /* NULL where skipped */
    const lnt_drawing *drawing;
    int drawings;
} lnt_chapter;

/* Contents by group with verdicts; for each chapter the question, its formulas, what was found, warnings, figures with
 * captions, checks, deviations, assumptions, tables and parameters; all deviations beside the tolerances that judge
 * them; the errata of the sources. Light and dark, on paper and on narrow screens. Charts show the value under the
 * pointer by a small script; without it the page says the same. No network access, no time stamp: equal records give
 * equal bytes. LNT_EFORMAT for a formula that cannot be read. */
LNT_API lnt_status lnt_report_html(lnt_ctx *ctx, lnt_text *out, const char *title, const lnt_chapter *chapter,
                                   int count);

/* Formulas, one a line, as MathML. A small part of TeX: ^, _, {}, \frac{}{}, \sqrt{}, \text{}, \quad,
 * Greek letters, \sum and other signs by name, functions such as \ln; letters stand for one symbol each. LNT_EFORMAT
 * names what is not known. */
LNT_API lnt_status lnt_report_formula(lnt_ctx *ctx, lnt_text *out, const char *tex);

/* What was found, as HTML, from the numbers of the record alone: `finding` with {NAME} replaced by the value of the
 * check of that name (? where there is none); then how many checks hold, with those that fail or come closest to their
 * tolerance, and the largest deviation of simulation from theory. */
LNT_API lnt_status lnt_report_finding(lnt_ctx *ctx, lnt_text *out, const char *finding, const lnt_record *record);

#ifdef __cplusplus
}
#endif
#endif
