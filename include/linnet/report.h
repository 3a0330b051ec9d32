/* The report: one self-contained HTML page from the records of experiments. */
#ifndef LINNET_REPORT_H
#define LINNET_REPORT_H

#include "linnet/record.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lnt_chapter {
    const char *name, *title, *question;
    const char *skipped;      /* why it was not run, or NULL */
    const lnt_record *record; /* NULL where skipped */
    const char *svg;          /* its figures as SVG elements, one after another; may be empty */
} lnt_chapter;

/* A table of verdicts, then for each chapter the question, warnings, figures, checks, deviations, assumptions and
 * parameters. No script, no network access, no time stamp: equal records give equal bytes. */
LNT_API lnt_status lnt_report_html(lnt_ctx *ctx, lnt_text *out, const char *title, const lnt_chapter *chapter,
                                   int count);

#ifdef __cplusplus
}
#endif
#endif
