/* The passes of derivatives.h on a work that the caller keeps. */
#ifndef LINNET_NET_LAYERS_H
#define LINNET_NET_LAYERS_H

#include "linnet/derivatives.h"

/* How many samples a work should hold, so that their factors fit into a cache: at most `most`. */
int lnt_layers_block(const lnt_layers *net, int samples, int most);

void lnt_layers_forward_on(lnt_layers_work *work, lnt_mat F, const lnt_layers *net, const double *w, lnt_mat X);
/* dF and ddF where they are not NULL. */
void lnt_layers_along_on(lnt_layers_work *work, lnt_mat dF, lnt_mat ddF, const lnt_layers *net, const double *w,
                         const double *v, lnt_mat X);
void lnt_layers_vjp_on(lnt_layers_work *work, double *g, const lnt_layers *net, const double *w, lnt_mat U, lnt_mat X);
/* Columns of BT <- rows first_row, first_row + 1, ... of the Jacobian. */
void lnt_layers_jacobian_on(lnt_layers_work *work, lnt_mat BT, int first_row, const lnt_layers *net, const double *w,
                            lnt_mat X);

#endif
