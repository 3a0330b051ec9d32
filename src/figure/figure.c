#include "linnet/figure.h"

#include "axes.h"
#include "image.h"
#include "pipe.h"

#include <math.h>
#include <string.h>

#define PANEL_WIDTH 560
#define PANEL_HEIGHT 380
#define SQUARE_WIDTH 440 /* of a square and its bar of colours */
#define MOST_POINTS 1000 /* of a curve: more cannot be seen */
#define KEY_HEIGHT 20    /* a line of the key below the panel */

/* In gnuplot single quotes nothing is special but the quote itself, which is doubled. */
void lnt_put_quoted(lnt_text *out, const char *s)
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

lnt_status lnt_figure_data(lnt_ctx *ctx, lnt_text *data, const lnt_figure *figure)
{
    for (int p = 0; p < figure->panels; p++) {
        if (figure->panel[p].image)
            lnt_image_data(data, &figure->panel[p]);
        for (int c = 0; c < figure->panel[p].curves; c++) {
            const lnt_curve *curve = &figure->panel[p].curve[c];
            for (int i = 0; i < curve->n; i = next_point(i, curve->n)) {
                lnt_text_number(data, curve->x[i]);
                lnt_text_add(data, " ");
                lnt_text_number(data, curve->y[i]);
                if (curve->y2) {
                    lnt_text_add(data, " ");
                    lnt_text_number(data, curve->y2[i]);
                }
                lnt_text_add(data, "\n");
            }
            if (curve->n == 0)
                lnt_text_add(data, "nan nan\n");
            lnt_text_add(data, "\n\n"); /* two empty lines end a gnuplot index */
        }
    }
    return lnt_text_status(ctx, data);
}

/* Colours that stay apart in greyscale and for the colour-blind (Okabe and Ito 2008). */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
#define COLOURS ((int)(sizeof colours / sizeof *colours))

static int count_steps(const lnt_panel *panel)
{
    int count = 0;
    for (int c = 0; c < panel->curves; c++)
        count += panel->curve[c].style == LNT_CURVE_STEPS;
    return count;
}

/* What lies below the curve itself: the filling of steps that are alone; over an image, a white rim. */
static void put_below(lnt_text *out, const lnt_panel *panel, const lnt_curve *curve, const char *source, int index,
                      int colour)
{
    bool rim = panel->image != NULL;
    if (curve->style == LNT_CURVE_STEPS && count_steps(panel) == 1)
        lnt_text_add(out,
                     " %s index %d using 1:2 with boxes fs transparent solid 0.2 noborder fc rgb '%s' notitle, "
                     "\\\n   ",
                     source, index, colours[colour % COLOURS]);
    if (rim && curve->style != LNT_CURVE_BAND)
        lnt_text_add(out, " %s index %d using 1:2 with %s lc rgb '#ffffff' notitle, \\\n   ", source, index,
                     curve->style == LNT_CURVE_MARKS   ? "points pt 7 ps 1"
                     : curve->style == LNT_CURVE_STEPS ? "histeps lw 5"
                                                       : "lines lw 5");
}

static void put_style(lnt_text *out, const lnt_curve *curve, int colour, int dash)
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
    case LNT_CURVE_DOTS:
        lnt_text_add(out, "with points pt 7 ps 0.3 lc rgb '%s'", colours[colour % COLOURS]);
        break;
    case LNT_CURVE_THEORY:
        lnt_text_add(out, "with lines lw 2 dt %d lc rgb '#404040'", 2 + dash % 4);
        break;
    case LNT_CURVE_STEPS:
        lnt_text_add(out, "with histeps lw 2 lc rgb '%s'", colours[colour % COLOURS]);
        break;
    case LNT_CURVE_BAND:
        lnt_text_add(out, "with filledcurves fs transparent solid 0.2 noborder lc rgb '%s'", colours[colour % COLOURS]);
        break;
    }
}

static int count_labels(const lnt_panel *panel)
{
    int labels = 0;
    for (int c = 0; c < panel->curves; c++)
        labels += panel->curve[c].label[0] != '\0';
    return labels;
}

/* Room for the outer halves of a histogram's first and last bins, unless other curves give it. */
static void put_offsets(lnt_text *out, const lnt_panel *panel)
{
    double low = INFINITY, high = -INFINITY, first = INFINITY, last = -INFINITY;
    for (int c = 0; c < panel->curves && !panel->image; c++) {
        const lnt_curve *curve = &panel->curve[c];
        double half = curve->style == LNT_CURVE_STEPS && curve->n > 1 ? (curve->x[1] - curve->x[0]) / 2 : 0;
        for (int i = 0; i < curve->n; i++) {
            low = fmin(low, curve->x[i]);
            high = fmax(high, curve->x[i]);
            first = fmin(first, curve->x[i] - half);
            last = fmax(last, curve->x[i] + half);
        }
    }
    if (first < low || last > high)
        lnt_text_add(out, "set offsets %.15g,%.15g,0,0\n", low - first, last - high);
    else
        lnt_text_add(out, "unset offsets\n");
}

bool lnt_panel_logy(const lnt_panel *panel)
{
    if (!panel->logy)
        return false;
    for (int c = 0; c < panel->curves; c++)
        for (int i = 0; i < panel->curve[c].n; i++)
            if (panel->curve[c].y[i] > 0)
                return true;
    return panel->image != NULL;
}

/* Labels of a logarithmic x that spans many decades would touch: five of them at most. */
static void put_decades(lnt_text *out, const lnt_panel *panel)
{
    double low = INFINITY, high = 0;
    for (int c = 0; c < panel->curves && panel->logx; c++)
        for (int i = 0; i < panel->curve[c].n; i++)
            if (panel->curve[c].x[i] > 0) {
                low = fmin(low, panel->curve[c].x[i]);
                high = fmax(high, panel->curve[c].x[i]);
            }
    double decades = high > low ? log10(high / low) : 0;
    if (decades > 6)
        lnt_text_add(out, "set xtics %g\n", pow(10, ceil(decades / 5)));
}

/* Heights of a histogram are read from 0. */
static void put_floor(lnt_text *out, const lnt_panel *panel)
{
    bool floor = count_steps(panel) > 0 && !panel->image && !lnt_panel_logy(panel);
    for (int c = 0; c < panel->curves; c++)
        for (int i = 0; i < panel->curve[c].n; i++)
            floor = floor && !(panel->curve[c].y[i] < 0);
    if (floor)
        lnt_text_add(out, "set yrange [0:*]\n");
}

/* Every panel gets as many lines of key, so that the axes of all are aligned. */
static void put_panel(lnt_text *out, const lnt_panel *panel, const char *source, int *index, int labels)
{
    lnt_text_add(out, "set title ");
    lnt_put_quoted(out, panel->title);
    lnt_text_add(out, "\nset xlabel ");
    lnt_put_quoted(out, panel->xlabel);
    lnt_text_add(out, "\nset ylabel ");
    lnt_put_quoted(out, panel->ylabel);
    lnt_text_add(out, "\n%s logscale x\n%s logscale y\n", panel->logx ? "set" : "unset",
                 lnt_panel_logy(panel) ? "set" : "unset");
    lnt_image_axes(out, panel);
    put_floor(out, panel);
    put_decades(out, panel);
    put_offsets(out, panel);
    lnt_text_add(out, "plot");
    if (panel->image)
        lnt_image_plot(out, panel, source, (*index)++);
    int colour = 0, dash = -1; /* theory without a label goes on in the dashes of the last one with */
    for (int c = 0; c < panel->curves; c++) {
        const lnt_curve *curve = &panel->curve[c];
        lnt_text_add(out, c || panel->image ? ", \\\n   " : "");
        put_below(out, panel, curve, source, *index, colour);
        lnt_text_add(out, " %s index %d using 1:2%s ", source, (*index)++, curve->style == LNT_CURVE_BAND ? ":3" : "");
        dash += curve->style == LNT_CURVE_THEORY && (curve->label[0] || dash < 0);
        put_style(out, curve, colour, dash);
        lnt_text_add(out, curve->label[0] ? " title " : " notitle");
        if (curve->label[0])
            lnt_put_quoted(out, curve->label);
        colour += curve->style == LNT_CURVE_LINE || curve->style == LNT_CURVE_POINTS ||
                  curve->style == LNT_CURVE_STEPS || curve->style == LNT_CURVE_DOTS;
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

static int panel_width(const lnt_figure *figure)
{
    bool square = figure->panels > 0;
    for (int p = 0; p < figure->panels; p++)
        square = square && lnt_image_is_square(&figure->panel[p]);
    return square ? SQUARE_WIDTH : PANEL_WIDTH;
}

/* `boxes`: where the panels lie and what their axes show is printed after the drawing. */
static void put_script(lnt_text *out, const lnt_figure *figure, const char *source, bool boxes)
{
    int labels = most_labels(figure);
    lnt_text_add(out,
                 "set terminal svg size %d,%d noenhanced font 'DejaVu Sans,13' background '#ffffff'\n"
                 "set encoding utf8\nset format '%%g'\n"
                 "set xlabel offset 0,0.6\nset border 3 lc rgb '#606060'\nset tics nomirror out\nset grid lc rgb "
                 "'#e0e0e0' lw 0.5\n"
                 "set key below vertical maxrows %d noenhanced samplen 2.5 title ' '\n",
                 panel_width(figure) * figure->panels, PANEL_HEIGHT + KEY_HEIGHT * (labels + 1), labels);
    if (figure->panels > 1)
        lnt_text_add(out, "set multiplot layout 1,%d\n", figure->panels);
    int index = 0;
    for (int p = 0; p < figure->panels; p++) {
        put_panel(out, &figure->panel[p], source, &index, labels);
        if (boxes)
            lnt_put_box(out, p);
    }
    if (figure->panels > 1)
        lnt_text_add(out, "unset multiplot\n");
    lnt_text_add(out, "unset output\n");
    for (int p = 0; boxes && p < figure->panels; p++)
        lnt_text_add(out, "%sprint box%d\n", p ? "" : "set print '-'\n", p);
}

lnt_status lnt_figure_script(lnt_ctx *ctx, lnt_text *script, const lnt_figure *figure)
{
    lnt_text source = {0};
    char file[128];
    strcpy(file, "figure-");
    strncat(file, figure->name, sizeof file - 16);
    strcat(file, ".dat");
    lnt_put_quoted(&source, file);
    strcpy(strrchr(file, '.'), ".svg");
    lnt_text_add(script, "set output ");
    lnt_put_quoted(script, file);
    lnt_text_add(script, "\n");
    if (lnt_text_status(ctx, &source) == LNT_OK)
        put_script(script, figure, source.p, false);
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
    put_script(&script, figure, "$data", true);
    if (status == LNT_OK)
        status = lnt_text_status(ctx, &script);
    if (status == LNT_OK)
        status = lnt_pipe(ctx, svg, gnuplot, script.p, script.n);
    lnt_text_free(&script);
    if (status == LNT_OK && (svg->n == 0 || !strstr(svg->p, "</svg>")))
        return lnt_fail(ctx, LNT_EIO, "gnuplot drew nothing for figure %s", figure->name);
    return status == LNT_OK ? lnt_put_axes(ctx, svg, figure) : status;
}

lnt_status lnt_figure_convert(lnt_ctx *ctx, lnt_text *out, const lnt_text *svg, lnt_format format)
{
    static const char *const pdf[] = {"rsvg-convert", "--format=pdf", NULL}, *const png[] = {"rsvg-convert",
                                                                                             "--format=png", "--zoom=2",
                                                                                             NULL};
    return lnt_pipe(ctx, out, format == LNT_PDF ? pdf : png, svg->p, svg->n);
}
