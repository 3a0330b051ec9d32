#include "linnet/figure.h"

#include "pipe.h"

#include <math.h>
#include <string.h>

#define PANEL_WIDTH 560
#define PANEL_HEIGHT 380
#define MOST_POINTS 1000 /* of a curve: more cannot be seen */
#define KEY_HEIGHT 20    /* a line of the key below the panel */
#define MOST_CELLS 100   /* of an image to a side: more are averaged */

/* In gnuplot single quotes nothing is special but the quote itself, which is doubled. */
static void put_quoted(lnt_text *out, const char *s)
{
    lnt_text_add(out, "'");
    for (; *s; s++) {
        if (*s == '\'')
            lnt_text_add(out, "''");
        else
            lnt_text_add(out, "%c", (unsigned char)*s < ' ' ? ' ' : *s);
    }
    lnt_text_add(out, "'");
}

/* Thins long curves out, but keeps their ends. */
static int next_point(int i, int n)
{
    int step = 1 + n / MOST_POINTS;
    return i == n - 1 ? n : i + step < n ? i + step : n - 1;
}

static void put_point(lnt_text *data, double x, double y, const double *y2)
{
    lnt_text_number(data, x);
    lnt_text_add(data, " ");
    lnt_text_number(data, y);
    if (y2) {
        lnt_text_add(data, " ");
        lnt_text_number(data, *y2);
    }
    lnt_text_add(data, "\n");
}

static int image_columns(const lnt_curve *image)
{
    int columns = 0;
    while (columns < image->n && image->y[columns] == image->y[0])
        columns++;
    return columns;
}

/* Cells of a large image are means over blocks. */
static void put_image(lnt_text *data, const lnt_curve *image)
{
    int columns = image_columns(image), rows = columns ? image->n / columns : 0;
    int wide = (columns + MOST_CELLS - 1) / MOST_CELLS, high = (rows + MOST_CELLS - 1) / MOST_CELLS;
    for (int j = 0; j < rows; j += high) {
        for (int i = 0; i < columns; i += wide) {
            double x = 0, y = 0, z = 0;
            int cells = 0;
            for (int b = j; b < j + high && b < rows; b++)
                for (int a = i; a < i + wide && a < columns; a++, cells++) {
                    x += image->x[b * columns + a];
                    y += image->y[b * columns + a];
                    z += image->y2[b * columns + a];
                }
            z /= cells;
            put_point(data, x / cells, y / cells, &z);
        }
        lnt_text_add(data, "\n");
    }
}

lnt_status lnt_figure_data(lnt_ctx *ctx, lnt_text *data, const lnt_figure *figure)
{
    for (int p = 0; p < figure->panels; p++)
        for (int c = 0; c < figure->panel[p].curves; c++) {
            const lnt_curve *curve = &figure->panel[p].curve[c];
            bool image = curve->style == LNT_CURVE_IMAGE;
            if (image)
                put_image(data, curve);
            for (int i = 0; i < curve->n && !image; i = next_point(i, curve->n))
                put_point(data, curve->x[i], curve->y[i], curve->y2 ? &curve->y2[i] : NULL);
            if (curve->n == 0)
                lnt_text_add(data, "nan nan\n");
            lnt_text_add(data, "\n\n"); /* two empty lines end a gnuplot index */
        }
    return lnt_text_status(ctx, data);
}

/* Colours that stay apart in greyscale and for the colour-blind (Okabe and Ito 2008). */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
#define COLOURS ((int)(sizeof colours / sizeof *colours))

static void put_style(lnt_text *out, const lnt_curve *curve, int colour, int dash, bool over_image)
{
    switch (curve->style) {
    case LNT_CURVE_LINE:
        lnt_text_add(out, "with lines lw 2 lc rgb '%s'", colours[colour % COLOURS]);
        break;
    case LNT_CURVE_POINTS:
        lnt_text_add(out, "with linespoints lw 1.5 pt %d ps 0.6 pi %d lc rgb '%s'", 7 + colour % COLOURS,
                     1 + (curve->n / (1 + curve->n / MOST_POINTS)) / 40, colours[colour % COLOURS]);
        break;
    case LNT_CURVE_MARKS:
        lnt_text_add(out, "with points pt 7 ps 0.7 lc rgb '#202020'");
        break;
    case LNT_CURVE_THEORY:
        lnt_text_add(out, "with lines lw %s dt %d lc rgb '%s'", over_image ? "3" : "2", 2 + dash % 4,
                     over_image ? "#ffffff" : "#404040");
        break;
    case LNT_CURVE_BAND:
        lnt_text_add(out, "with filledcurves fs transparent solid 0.2 noborder lc rgb '%s'", colours[colour % COLOURS]);
        break;
    case LNT_CURVE_STEPS:
        lnt_text_add(out, "with histeps lw 2 lc rgb '%s'", colours[colour % COLOURS]);
        break;
    case LNT_CURVE_IMAGE:
        lnt_text_add(out, "with image pixels");
        break;
    }
}

static int count_labels(const lnt_panel *panel)
{
    int labels = 0;
    for (int c = 0; c < panel->curves; c++)
        labels += panel->curve[c].label[0] != '\0' && panel->curve[c].style != LNT_CURVE_IMAGE;
    return labels;
}

static const lnt_curve *find_image(const lnt_panel *panel)
{
    for (int c = 0; c < panel->curves; c++)
        if (panel->curve[c].style == LNT_CURVE_IMAGE)
            return &panel->curve[c];
    return NULL;
}

/* Signed values from dark blue over white to orange, others from dark to light: told apart without colour too. */
static void put_palette(lnt_text *out, const lnt_panel *panel, const lnt_curve *image)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; image && i < image->n; i++) {
        low = fmin(low, image->y2[i]);
        high = fmax(high, image->y2[i]);
    }
    lnt_text_add(out, "%s\nset yrange [] %s\n", image ? "set size square" : "set size nosquare",
                 panel->downwards ? "reverse" : "noreverse");
    if (!image)
        return;
    bool both = low < 0 && high > 0, flat = !(high > low);
    lnt_text_add(out, "set palette defined (%s)\nset cbrange [",
                 both ? "0 '#08306b', 0.5 '#f7f7f7', 1 '#e6650d'"
                      : "0 '#2a0a4a', 0.25 '#3b528b', 0.5 '#21918c', 0.75 '#5ec962', 1 '#fde725'");
    lnt_text_number(out, both ? -fmax(-low, high) : flat ? low - 0.5 : low);
    lnt_text_add(out, ":");
    lnt_text_number(out, both ? fmax(-low, high) : flat ? low + 0.5 : high);
    lnt_text_add(out, "]\nset cblabel ");
    put_quoted(out, image->label);
    lnt_text_add(out, "\n");
}

/* Every panel gets as many lines of key, so that the axes of all are aligned. */
static void put_panel(lnt_text *out, const lnt_panel *panel, const char *source, int *index, int labels)
{
    lnt_text_add(out, "set title ");
    put_quoted(out, panel->title);
    lnt_text_add(out, "\nset xlabel ");
    put_quoted(out, panel->xlabel);
    lnt_text_add(out, "\nset ylabel ");
    put_quoted(out, panel->ylabel);
    lnt_text_add(out, "\n");
    const lnt_curve *image = find_image(panel);
    put_palette(out, panel, image);
    lnt_text_add(out, "%s logscale x\n%s logscale y\nplot", panel->logx ? "set" : "unset",
                 panel->logy ? "set" : "unset");
    int colour = 0, dash = -1; /* theory without a label goes on in the dashes of the last one with */
    for (int c = 0; c < panel->curves; c++) {
        const lnt_curve *curve = &panel->curve[c];
        lnt_text_add(out, "%s %s index %d using 1:2%s ", c ? ", \\\n    " : "", source, (*index)++,
                     curve->style == LNT_CURVE_BAND || curve->style == LNT_CURVE_IMAGE ? ":3" : "");
        dash += curve->style == LNT_CURVE_THEORY && (curve->label[0] || dash < 0);
        put_style(out, curve, colour, dash, image);
        bool titled = curve->label[0] && curve->style != LNT_CURVE_IMAGE;
        lnt_text_add(out, titled ? " title " : " notitle");
        if (titled)
            put_quoted(out, curve->label);
        colour += curve->style == LNT_CURVE_LINE || curve->style == LNT_CURVE_POINTS || curve->style == LNT_CURVE_STEPS;
    }
    for (int l = count_labels(panel); l < labels; l++)
        lnt_text_add(out, ", \\\n    NaN with lines lc rgb '#ffffff' title ' '");
    lnt_text_add(out, "\n");
}

static int most_labels(const lnt_figure *figure)
{
    int most = 0;
    for (int p = 0; p < figure->panels; p++) {
        int labels = count_labels(&figure->panel[p]);
        most = labels > most ? labels : most;
    }
    return most;
}

static void put_script(lnt_text *out, const lnt_figure *figure, const char *source)
{
    int labels = most_labels(figure);
    lnt_text_add(out,
                 "set terminal svg size %d,%d noenhanced font 'DejaVu Sans,13' background '#ffffff'\n"
                 "set encoding utf8\nset format '%%g'\n"
                 "set xlabel offset 0,0.6\nset border 3 lc rgb '#606060'\nset tics nomirror out\nset grid lc rgb "
                 "'#e0e0e0' lw 0.5\n"
                 "set key below vertical maxrows %d noenhanced samplen 2.5 title ' '\n",
                 PANEL_WIDTH * figure->panels, PANEL_HEIGHT + KEY_HEIGHT * (labels + 1), labels);
    if (figure->panels > 1)
        lnt_text_add(out, "set multiplot layout 1,%d\n", figure->panels);
    int index = 0;
    for (int p = 0; p < figure->panels; p++)
        put_panel(out, &figure->panel[p], source, &index, labels);
    if (figure->panels > 1)
        lnt_text_add(out, "unset multiplot\n");
    lnt_text_add(out, "unset output\n");
}

lnt_status lnt_figure_script(lnt_ctx *ctx, lnt_text *script, const lnt_figure *figure)
{
    lnt_text source = {0};
    char file[128];
    strcpy(file, "figure-");
    strncat(file, figure->name, sizeof file - 16);
    strcat(file, ".dat");
    put_quoted(&source, file);
    strcpy(strrchr(file, '.'), ".svg");
    lnt_text_add(script, "set output ");
    put_quoted(script, file);
    lnt_text_add(script, "\n");
    if (lnt_text_status(ctx, &source) == LNT_OK)
        put_script(script, figure, source.p);
    script->failed = script->failed || source.failed;
    lnt_text_free(&source);
    return lnt_text_status(ctx, script);
}

lnt_status lnt_figure_svg(lnt_ctx *ctx, lnt_text *svg, const lnt_figure *figure)
{
    static const char *const gnuplot[] = {"gnuplot", "-", NULL};
    lnt_text script = {0};
    lnt_text_add(&script, "$data << END_OF_DATA\n");
    lnt_status status = lnt_figure_data(ctx, &script, figure);
    lnt_text_add(&script, "END_OF_DATA\n");
    put_script(&script, figure, "$data");
    if (status == LNT_OK)
        status = lnt_text_status(ctx, &script);
    if (status == LNT_OK)
        status = lnt_pipe(ctx, svg, gnuplot, script.p, script.n);
    lnt_text_free(&script);
    if (status == LNT_OK && (svg->n == 0 || !strstr(svg->p, "</svg>")))
        return lnt_fail(ctx, LNT_EIO, "gnuplot drew nothing for figure %s", figure->name);
    return status;
}

lnt_status lnt_figure_convert(lnt_ctx *ctx, lnt_text *out, const lnt_text *svg, lnt_format format)
{
    static const char *const pdf[] = {"rsvg-convert", "--format=pdf", NULL}, *const png[] = {"rsvg-convert",
                                                                                             "--format=png", "--zoom=2",
                                                                                             NULL};
    return lnt_pipe(ctx, out, format == LNT_PDF ? pdf : png, svg->p, svg->n);
}
