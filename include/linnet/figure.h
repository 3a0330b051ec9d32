/* Figures: gnuplot scripts, and the SVG, PDF and PNG made from them. */
#ifndef LINNET_FIGURE_H
#define LINNET_FIGURE_H

#include "linnet/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* data <- the numbers of all panels, one gnuplot index each for the panel's image (x, y, entry; or x, y, the cell's
 * first and last x, the same of y, entry) and for its curves: x, y and for bands y2. */
LNT_API lnt_status lnt_figure_data(lnt_ctx *ctx, lnt_text *data, const lnt_figure *figure);
/* script <- a gnuplot script that writes figure-NAME.svg from figure-NAME.dat, both in the current folder. Labels are
 * single-quoted and drawn as they stand: nothing in them is executed or interpreted. */
LNT_API lnt_status lnt_figure_script(lnt_ctx *ctx, lnt_text *script, const lnt_figure *figure);

typedef enum lnt_format { LNT_PDF, LNT_PNG } lnt_format;

/* svg <- the drawing, by the program gnuplot, through pipes. LNT_EMISSING if there is no such program. */
LNT_API lnt_status lnt_figure_svg(lnt_ctx *ctx, lnt_text *svg, const lnt_figure *figure);
/* out <- the same drawing in another format, by the program rsvg-convert: rendered once, so that fonts and sizes agree.
 * PNG has two pixels per SVG unit. LNT_EMISSING if there is no such program. */
LNT_API lnt_status lnt_figure_convert(lnt_ctx *ctx, lnt_text *out, const lnt_text *svg, lnt_format format);

#ifdef __cplusplus
}
#endif
#endif
