#include "linnet/derivatives.h"

#include "linnet/linalg.h"

#include <math.h>
#include <string.h>

/* Rows of W_1 and b_1 are drawn for u = (x - middle)/half, and written for x. */
static void nguyen_widrow(lnt_mat W, double *b, lnt_mat X, lnt_rng *rng)
{
    double length = 0.7 * pow(W.rows, 1.0 / W.cols);
    for (int i = 0; i < W.rows; i++) {
        lnt_mat row = lnt_block(W, i, 0, 1, W.cols);
        for (int j = 0; j < W.cols; j++)
            *lnt_at(row, 0, j) = lnt_rng_normal(rng);
        lnt_mat_scale(row, length / lnt_mat_norm(row));
        double bias = length * (2 * lnt_rng_uniform(rng) - 1);
        for (int j = 0; j < W.cols; j++) {
            double least = INFINITY, most = -INFINITY;
            for (int c = 0; c < X.cols; c++) {
                least = fmin(least, *lnt_at(X, j, c));
                most = fmax(most, *lnt_at(X, j, c));
            }
            double half = (most - least) / 2;
            if (!(half > 0))
                continue; /* an input that never changes */
            *lnt_at(row, 0, j) /= half;
            bias -= *lnt_at(row, 0, j) * (most + least) / 2;
        }
        if (b)
            b[i] = bias;
    }
}

void lnt_layers_start(double *w, const lnt_layers *net, lnt_layers_start_kind kind, lnt_mat X, lnt_rng *rng)
{
    if (kind == LNT_START_NORMAL) {
        lnt_rng_normals(rng, w, lnt_layers_size(net));
        return;
    }
    for (int l = 1; l <= net->net.depth; l++) {
        lnt_mat W = lnt_layers_weights(net, w, l);
        double *b = lnt_layers_biases(net, w, l);
        if (b)
            memset(b, 0, (size_t)W.rows * sizeof *b);
        if (l == 1 && kind == LNT_START_NGUYEN) {
            nguyen_widrow(W, b, X, rng);
            /* undo the scaling of the layer: a_1 is what was meant */
            lnt_mat_scale(W, 1 / lnt_layers_scale(net, 1));
            for (int i = 0; b && i < W.rows; i++)
                b[i] /= lnt_layers_bias_scale(net);
            continue;
        }
        lnt_rng_normals(rng, W.a, (size_t)W.rows * (size_t)W.cols);
        lnt_mat_scale(W, net->ntk ? 1 : 1 / sqrt(W.cols));
    }
}

/* Units i and j of layer l change places: rows of W_l and b_l, columns of W_{l+1}. */
static void swap_units(lnt_mat W, double *b, lnt_mat above, int i, int j)
{
    for (int c = 0; c < W.cols; c++) {
        double x = *lnt_at(W, i, c);
        *lnt_at(W, i, c) = *lnt_at(W, j, c);
        *lnt_at(W, j, c) = x;
    }
    for (int r = 0; r < above.rows; r++) {
        double x = *lnt_at(above, r, i);
        *lnt_at(above, r, i) = *lnt_at(above, r, j);
        *lnt_at(above, r, j) = x;
    }
    if (b) {
        double x = b[i];
        b[i] = b[j];
        b[j] = x;
    }
}

static void make_positive(lnt_mat W, double *b, lnt_mat above, int i)
{
    double largest = 0;
    for (int r = 0; r < above.rows; r++)
        if (fabs(*lnt_at(above, r, i)) > fabs(largest))
            largest = *lnt_at(above, r, i);
    if (largest >= 0)
        return;
    lnt_mat_scale(lnt_block(W, i, 0, 1, W.cols), -1);
    lnt_mat_scale(lnt_columns(above, i, 1), -1);
    if (b)
        b[i] = -b[i];
}

/* Unit i comes before unit j: by output weights, then by inputs. */
static bool before(lnt_mat W, lnt_mat above, int i, int j)
{
    for (int r = 0; r < above.rows; r++)
        if (*lnt_at(above, r, i) != *lnt_at(above, r, j))
            return *lnt_at(above, r, i) > *lnt_at(above, r, j);
    for (int c = 0; c < W.cols; c++)
        if (*lnt_at(W, i, c) != *lnt_at(W, j, c))
            return *lnt_at(W, i, c) > *lnt_at(W, j, c);
    return false;
}

void lnt_layers_canonical(double *w, const lnt_layers *net)
{
    for (int l = net->net.depth - 1; l >= 1; l--) {
        lnt_mat W = lnt_layers_weights(net, w, l), above = lnt_layers_weights(net, w, l + 1);
        double *b = lnt_layers_biases(net, w, l);
        for (int i = 0; i < W.rows && net->net.activation == LNT_TANH; i++)
            make_positive(W, b, above, i);
        for (int i = 0; i < W.rows; i++) {
            int least = i;
            for (int j = i + 1; j < W.rows; j++)
                least = before(W, above, j, least) ? j : least;
            if (least != i)
                swap_units(W, b, above, i, least);
        }
    }
}
