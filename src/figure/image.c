#include "image.h"

#include <math.h>

#define MOST_EVEN 200 /* rows or columns of an embedded bitmap */
#define MOST_BOXES 48 /* of cells that are drawn one by one: they stay sharp, but cost 100 bytes each */
#define EVENNESS 1e-6
#define FAINT 1e-3 /* entries of the other sign that are smaller, relative to the largest, cannot be seen */

/* What is drawn of a matrix: block means, one per cell. */
typedef struct cells {
    const lnt_image *image;
    int rows, cols;
    bool boxes;
} cells;

/* Where cell k ends and cell k + 1 starts, from 0 to n: half-way between the centres, as the axis shows them. */
static double edge(const double *x, int n, int k, bool log_axis)
{
    if (!x)
        return k + 0.5;
    if (n == 1)
        return log_axis ? x[0] * exp2(k - 0.5) : x[0] + k - 0.5;
    int i = k == 0 ? 1 : k == n ? n - 1 : k;
    double before = log_axis ? log(x[i - 1]) : x[i - 1], after = log_axis ? log(x[i]) : x[i];
    double e = (before + after) / 2 + (k == 0 ? -1 : k == n) * (after - before);
    return log_axis ? exp(e) : e;
}

static bool is_even(const double *x, int n)
{
    bool even = true;
    for (int i = 2; x && i < n; i++)
        even = even && fabs(x[i] - x[i - 1] - (x[1] - x[0])) <= EVENNESS * (x[1] - x[0]);
    return even;
}

static cells make_cells(const lnt_panel *panel)
{
    const lnt_image *image = panel->image;
    int rows = image->entries.rows, cols = image->entries.cols;
    bool even =
        !panel->logx && !panel->logy && rows > 1 && cols > 1 && is_even(image->x, cols) && is_even(image->y, rows);
    bool boxes = !even || (rows <= MOST_BOXES && cols <= MOST_BOXES);
    int most = boxes ? MOST_BOXES : MOST_EVEN;
    return (cells){image, rows < most ? rows : most, cols < most ? cols : most, boxes};
}

/* The first row or column of block k out of `blocks` as equal as can be. */
static int block_start(int n, int blocks, int k)
{
    return (int)((long)n * k / blocks);
}

/* The mean of the finite entries of a block; NaN where there are none. */
static double block_mean(const cells *c, int i, int j)
{
    lnt_mat A = c->image->entries;
    double sum = 0;
    int count = 0;
    for (int col = block_start(A.cols, c->cols, j); col < block_start(A.cols, c->cols, j + 1); col++)
        for (int row = block_start(A.rows, c->rows, i); row < block_start(A.rows, c->rows, i + 1); row++)
            if (isfinite(*lnt_at(A, row, col))) {
                sum += *lnt_at(A, row, col);
                count++;
            }
    return count ? sum / count : NAN;
}

static void put_numbers(lnt_text *out, const double *x, int n)
{
    for (int i = 0; i < n; i++) {
        lnt_text_number(out, x[i]);
        lnt_text_add(out, i < n - 1 ? " " : "\n");
    }
}

/* Bitmaps are spread evenly between their outer edges, which moves a block by less than itself. */
void lnt_image_data(lnt_text *data, const lnt_panel *panel)
{
    const cells c = make_cells(panel);
    const lnt_image *image = panel->image;
    int rows = image->entries.rows, cols = image->entries.cols;
    double left = edge(image->x, cols, 0, panel->logx), right = edge(image->x, cols, cols, panel->logx);
    double bottom = edge(image->y, rows, 0, panel->logy), top = edge(image->y, rows, rows, panel->logy);
    for (int i = 0; i < c.rows; i++)
        for (int j = 0; j < c.cols; j++) {
            double mean = block_mean(&c, i, j);
            if (!c.boxes) {
                put_numbers(data,
                            (double[]){left + (j + 0.5) * (right - left) / c.cols,
                                       bottom + (i + 0.5) * (top - bottom) / c.rows, mean},
                            3);
                continue;
            }
            double x0 = edge(image->x, cols, block_start(cols, c.cols, j), panel->logx);
            double x1 = edge(image->x, cols, block_start(cols, c.cols, j + 1), panel->logx);
            double y0 = edge(image->y, rows, block_start(rows, c.rows, i), panel->logy);
            double y1 = edge(image->y, rows, block_start(rows, c.rows, i + 1), panel->logy);
            put_numbers(data, (double[]){(x0 + x1) / 2, (y0 + y1) / 2, x0, x1, y0, y1, mean}, 7);
        }
    lnt_text_add(data, "\n\n");
}

/* The ends of the bar of colours; true where 0 lies between them and has a colour of its own. */
static bool colour_range(const cells *c, double *low, double *high)
{
    *low = c->image->low;
    *high = c->image->high;
    if (*low == 0 && *high == 0) {
        *low = INFINITY;
        *high = -INFINITY;
        for (int j = 0; j < c->cols; j++)
            for (int i = 0; i < c->rows; i++) {
                *low = fmin(*low, block_mean(c, i, j)); /* the number of a number and a NaN */
                *high = fmax(*high, block_mean(c, i, j));
            }
    }
    if (!(*low < *high)) { /* a constant, or nothing finite */
        double value = isfinite(*low) ? *low : 1;
        *low = fmin(value, 0);
        *high = value > 0 ? value : *low < 0 ? 0 : 1;
    }
    double most = fmax(-*low, *high);
    if (-*low <= FAINT * most || *high <= FAINT * most)
        return false;
    *low = -most;
    *high = most;
    return true;
}

static void put_range(lnt_text *out, char axis, double from, double to)
{
    lnt_text_add(out, "set %crange [", axis);
    lnt_text_number(out, from);
    lnt_text_add(out, ":");
    lnt_text_number(out, to);
    lnt_text_add(out, "]\n");
}

static void put_axis(lnt_text *out, char axis, const double *x, int n, bool log_axis)
{
    double first = edge(x, n, 0, log_axis), last = edge(x, n, n, log_axis);
    bool downwards = axis == 'y' && !x;
    put_range(out, axis, downwards ? last : first, downwards ? first : last);
    lnt_text_add(out, "set %ctics %s\n", axis, !x && n <= 12 ? "1" : "autofreq"); /* no half rows */
}

bool lnt_image_is_square(const lnt_panel *panel)
{
    const lnt_image *image = panel->image;
    return image && !image->x && !image->y && image->entries.rows == image->entries.cols;
}

void lnt_image_axes(lnt_text *out, const lnt_panel *panel)
{
    if (!panel->image) {
        lnt_text_add(out, "set autoscale xy\nset xtics autofreq\nset ytics autofreq\nset size noratio\nset grid\n");
        return;
    }
    const cells c = make_cells(panel);
    const lnt_mat A = c.image->entries;
    double low, high;
    put_axis(out, 'x', c.image->x, A.cols, panel->logx);
    put_axis(out, 'y', c.image->y, A.rows, panel->logy);
    bool signs = colour_range(&c, &low, &high);
    lnt_text_add(out, "set size %s\nunset grid\nset palette defined (%s)\nset cbrange [",
                 lnt_image_is_square(panel) ? "square" : "noratio",
                 signs ? "-1 '#00204d', -0.5 '#2f5fa8', 0 '#959595', 0.5 '#dcb52e', 1 '#fff04a'"
                       : "0 '#ffffcc', 1 '#c7e9b4', 2 '#41b6c4', 3 '#225ea8', 4 '#081d58'");
    lnt_text_number(out, low);
    lnt_text_add(out, ":");
    lnt_text_number(out, high);
    lnt_text_add(out, "]\nset cblabel ");
    lnt_put_quoted(out, c.image->label);
    lnt_text_add(out, "\n");
}

void lnt_image_plot(lnt_text *out, const lnt_panel *panel, const char *source, int index)
{
    lnt_text_add(out, " %s index %d %s notitle", source, index,
                 make_cells(panel).boxes
                     ? "using 1:2:3:4:5:6:7 with boxxyerror fillstyle solid noborder linecolor palette"
                     : "using 1:2:3 with image");
}
