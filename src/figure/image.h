/* Images of matrices in gnuplot's words. */
#ifndef LINNET_IMAGE_H
#define LINNET_IMAGE_H

#include "linnet/record.h"

/* The text in single quotes, control characters as blanks. */
void lnt_put_quoted(lnt_text *out, const char *s);

/* Whether it is drawn as a square. */
bool lnt_image_is_square(const lnt_panel *panel);
/* The index of the panel's image. */
void lnt_image_data(lnt_text *data, const lnt_panel *panel);
/* Ranges, tics, shape and palette of the panel, or the usual ones where it has no image. */
void lnt_image_axes(lnt_text *out, const lnt_panel *panel);
/* The first element of the plot command. */
void lnt_image_plot(lnt_text *out, const lnt_panel *panel, const char *source, int index);

#endif
