#include "linnet/data.h"
#include "linnet/text.h"

#include <limits.h>
#include <math.h>
#include <string.h>

typedef struct reader {
    const char *p, *end, *name;
    size_t line;
    char separator;
} reader;

/* The next line that is neither empty nor a comment, without its newline. */
static bool next_line(reader *r, const char **start, const char **stop)
{
    while (r->p < r->end) {
        const char *newline = memchr(r->p, '\n', (size_t)(r->end - r->p));
        *start = r->p;
        *stop = newline ? newline : r->end;
        r->p = newline ? newline + 1 : r->end;
        r->line++;
        while (*stop > *start && (*stop)[-1] == '\r')
            --*stop;
        size_t blanks = 0;
        while (*start + blanks < *stop && ((*start)[blanks] == ' ' || (*start)[blanks] == '\t'))
            blanks++;
        if (*start + blanks < *stop && (*start)[blanks] != '#')
            return true;
    }
    return false;
}

/* Where a cell that starts at s ends if it is quoted: behind its closing quote; s itself if it is not. */
static const char *skip_quoted(const char *s, const char *stop)
{
    if (s >= stop || (*s != '"' && *s != '\''))
        return s;
    const char *close = memchr(s + 1, *s, (size_t)(stop - s - 1));
    return close ? close + 1 : s;
}

/* The first of the candidates that stands outside quotes. */
static char find_separator(const char *s, const char *stop)
{
    static const char candidates[] = {',', '\t', ';'};
    for (size_t i = 0; i < sizeof candidates; i++)
        for (const char *c = skip_quoted(s, stop); c < stop; c++) {
            if (*c == candidates[i])
                return *c;
            if (memchr(candidates, *c, sizeof candidates))
                c = skip_quoted(c + 1, stop) - 1;
        }
    return ' ';
}

/* Cuts the next cell off [*s, stop); returns false when the line is used up. Blank-separated lines may hold
 * several blanks between cells and at both ends. */
static bool next_cell(const reader *r, const char **s, const char *stop, const char **cell, size_t *length)
{
    if (r->separator == ' ')
        while (*s < stop && **s == ' ')
            ++*s;
    if (*s > stop || (r->separator == ' ' && *s == stop))
        return false;
    const char *quoted = skip_quoted(*s, stop), *end = memchr(quoted, r->separator, (size_t)(stop - quoted));
    if (!end)
        end = stop;
    *cell = *s;
    *length = (size_t)(end - *s);
    *s = end + 1;
    if (*length >= 2 && (**cell == '"' || **cell == '\'') && (*cell)[*length - 1] == **cell) {
        ++*cell;
        *length -= 2;
    }
    return true;
}

static bool is_missing(const char *cell, size_t length)
{
    static const char *const tokens[] = {"NA", "N/A", "NULL", "null", "?", "."};
    while (length && (cell[0] == ' ' || cell[0] == '\t'))
        cell++, length--;
    while (length && (cell[length - 1] == ' ' || cell[length - 1] == '\t'))
        length--;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (length == strlen(tokens[i]) && memcmp(cell, tokens[i], length) == 0)
            return true;
    return length == 0;
}

/* Counts the cells of a line. It is a header when it holds text and no number: a data line whose first cell is
 * missing must not vanish as one. */
static size_t count_cells(const reader *r, const char *s, const char *stop, bool *header)
{
    const char *cell;
    size_t length, count = 0, numbers = 0, texts = 0;
    double x;
    while (next_cell(r, &s, stop, &cell, &length)) {
        count++;
        if (lnt_number_read(cell, length, &x))
            numbers++;
        else
            texts += !is_missing(cell, length);
    }
    *header = texts > 0 && numbers == 0;
    return count;
}

static lnt_status bad_cell(lnt_ctx *ctx, const reader *r, size_t column, const char *cell, size_t length)
{
    if (is_missing(cell, length))
        return lnt_fail(ctx, LNT_EFORMAT, "%s: line %zu, column %zu: the cell is missing", r->name, r->line, column);
    return lnt_fail(ctx, LNT_EFORMAT, "%s: line %zu, column %zu: '%.*s' is not a finite number", r->name, r->line,
                    column, (int)(length < 40 ? length : 40), cell);
}

static lnt_status parse_line(lnt_ctx *ctx, const reader *r, lnt_text *values, const char *s, const char *stop,
                             size_t cols)
{
    const char *cell;
    size_t length, count = 0;
    while (next_cell(r, &s, stop, &cell, &length)) {
        double x;
        if (++count > cols)
            continue;
        if (!lnt_number_read(cell, length, &x) || !isfinite(x))
            return bad_cell(ctx, r, count, cell, length);
        lnt_text_bytes(values, &x, sizeof x);
    }
    if (count != cols)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: line %zu has %zu cells, the first one has %zu", r->name, r->line, count,
                        cols);
    return LNT_OK;
}

static lnt_status parse_lines(lnt_ctx *ctx, reader *r, lnt_text *values, size_t *rows, size_t *cols)
{
    const char *s, *stop;
    bool first = true, header;
    while (next_line(r, &s, &stop)) {
        if (first) {
            first = false;
            r->separator = find_separator(s, stop);
            *cols = count_cells(r, s, stop, &header);
            if (header)
                continue;
        }
        lnt_status status = parse_line(ctx, r, values, s, stop, *cols);
        if (status != LNT_OK)
            return status;
        if (++*rows > INT_MAX || *cols > INT_MAX)
            return lnt_fail(ctx, LNT_EFORMAT, "%s: more than 2^31 rows or columns", r->name);
    }
    if (*rows == 0)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: no line of numbers in it", r->name);
    return lnt_text_status(ctx, values);
}

lnt_status lnt_csv_parse(lnt_ctx *ctx, lnt_samples *samples, const uint8_t *p, size_t n, const char *name)
{
    reader r = {.p = (const char *)p, .end = (const char *)p + n, .name = name};
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) /* byte order mark */
        r.p += 3;
    lnt_text values = {0};
    size_t rows = 0, cols = 0;
    lnt_status status = parse_lines(ctx, &r, &values, &rows, &cols);
    if (status == LNT_OK) {
        double *a = lnt_alloc(ctx, rows * cols, sizeof *a);
        if (a && values.p)
            memcpy(a, values.p, rows * cols * sizeof *a);
        else
            status = LNT_ENOMEM;
        *samples = (lnt_samples){.dim = (int)cols, .n = (int)rows, .f64 = a};
    }
    lnt_text_free(&values);
    return status;
}
