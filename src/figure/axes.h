/* Where the panels of a drawing lie and what their axes show, so that a page can read values off it. */
#ifndef LINNET_FIGURE_AXES_H
#define LINNET_FIGURE_AXES_H

#include "linnet/figure.h"

/* Whether its axis of y is logarithmic: where it has something to show. */
bool lnt_panel_logy(const lnt_panel *panel);
/* Script: keeps the box and the ranges of the panel just drawn in the variable boxP. */
void lnt_put_box(lnt_text *out, int panel);
/* Moves the boxes printed after the drawing into its <metadata>, as JSON: per panel `box` (left, top, right, bottom in
 * units of the drawing), `x` and `y` (value at left and bottom, at right and top, whether logarithmic), and `curves`,
 * the label of each of gnuplot's plots in order, null for what is not data. */
lnt_status lnt_put_axes(lnt_ctx *ctx, lnt_text *svg, const lnt_figure *figure);

#endif
