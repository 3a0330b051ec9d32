#include "axes.h"

#include <string.h>

enum { LEFT, RIGHT, BOTTOM, TOP, X_LOW, X_HIGH, Y_LOW, Y_HIGH, NUMBERS };

void lnt_put_box(lnt_text *out, int panel)
{
    lnt_text_add(out,
                 "box%d = sprintf('%%.8g %%.8g %%.8g %%.8g %%.15g %%.15g %%.15g %%.15g', GPVAL_TERM_XMIN, "
                 "GPVAL_TERM_XMAX, GPVAL_TERM_YMIN, GPVAL_TERM_YMAX, GPVAL_X_MIN, GPVAL_X_MAX, GPVAL_Y_MIN, "
                 "GPVAL_Y_MAX)\n",
                 panel);
}

/* As JSON, inside of XML. */
static void put_label(lnt_text *out, const char *s)
{
    lnt_text_add(out, "\"");
    for (; *s; s++)
        switch (*s) {
        case '<':
            lnt_text_add(out, "&lt;");
            break;
        case '&':
            lnt_text_add(out, "&amp;");
            break;
        case '"':
        case '\\':
            lnt_text_add(out, "\\%c", *s);
            break;
        default:
            lnt_text_add(out, "%c", (unsigned char)*s < ' ' ? ' ' : *s);
        }
    lnt_text_add(out, "\"");
}

/* The order is that of the plots in the script. Theory without a label belongs to the one before it. */
static void put_curves(lnt_text *out, const lnt_panel *panel)
{
    const char *theory = "";
    lnt_text_add(out, panel->image ? "null" : "");
    for (int c = 0; c < panel->curves; c++) {
        const lnt_curve *curve = &panel->curve[c];
        bool band = curve->style == LNT_CURVE_BAND;
        lnt_text_add(out, c || panel->image ? "," : "");
        lnt_text_add(out, curve->style == LNT_CURVE_STEPS ? "null," : "");
        lnt_text_add(out, panel->image && !band ? "null," : "");
        if (curve->style == LNT_CURVE_THEORY && curve->label[0])
            theory = curve->label;
        if (band)
            lnt_text_add(out, "null");
        else
            put_label(out, curve->style == LNT_CURVE_THEORY ? theory : curve->label);
    }
}

static void put_axis(lnt_text *out, const char *name, const double *range, bool log_axis)
{
    lnt_text_add(out, ",\"%s\":[", name);
    lnt_text_number(out, range[0]);
    lnt_text_add(out, ",");
    lnt_text_number(out, range[1]);
    lnt_text_add(out, ",%s]", log_axis ? "true" : "false");
}

/* `height` of the drawing: gnuplot counts from below. */
static void put_panel(lnt_text *out, const lnt_panel *panel, const double *n, double height)
{
    lnt_text_add(out, "{\"box\":[%.2f,%.2f,%.2f,%.2f]", n[LEFT], height - n[TOP], n[RIGHT], height - n[BOTTOM]);
    put_axis(out, "x", n + X_LOW, panel->logx);
    put_axis(out, "y", n + Y_LOW, lnt_panel_logy(panel));
    lnt_text_add(out, ",\"curves\":[");
    put_curves(out, panel);
    lnt_text_add(out, "]}");
}

/* Reads the next number, between blanks or quotes. */
static bool next_number(const char **s, double *x)
{
    static const char between[] = " \n\"";
    *s += strspn(*s, between);
    size_t n = strcspn(*s, between);
    bool read = lnt_number_read(*s, n, x);
    *s += n;
    return read;
}

lnt_status lnt_put_axes(lnt_ctx *ctx, lnt_text *svg, const lnt_figure *figure)
{
    static const char end[] = "</svg>", size[] = "height=";
    const char *stop = strstr(svg->p, end), *at = strstr(svg->p, size), *line = stop + strlen(end);
    lnt_text axes = {0};
    double number[NUMBERS], height = 0;
    at = at ? at + strlen(size) : "";
    bool complete = next_number(&at, &height);
    lnt_text_add(&axes, "<metadata>[");
    for (int p = 0; p < figure->panels && complete; p++) {
        for (int k = 0; k < NUMBERS && complete; k++)
            complete = next_number(&line, &number[k]);
        lnt_text_add(&axes, p ? "," : "");
        if (complete)
            put_panel(&axes, &figure->panel[p], number, height);
    }
    lnt_text_add(&axes, "]</metadata>\n");
    svg->n = (size_t)(stop - svg->p);
    if (complete && !axes.failed)
        lnt_text_bytes(svg, axes.p, axes.n);
    lnt_text_add(svg, "%s\n\n", end); /* as gnuplot ends it */
    svg->failed = svg->failed || axes.failed;
    lnt_text_free(&axes);
    return lnt_text_status(ctx, svg);
}
