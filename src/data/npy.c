#include "linnet/data.h"

#include <limits.h>
#include <math.h>
#include <string.h>

typedef struct header {
    char kind; /* b bool, i signed, u unsigned, f float */
    int size;  /* bytes of a value */
    bool swap, fortran;
    size_t rows, cols;
    size_t start; /* offset of the values */
} header;

static bool host_is_big_endian(void)
{
    const uint16_t one = 1;
    return *(const uint8_t *)&one == 0;
}

/* The text after `'key':`, blanks skipped; NULL when the key is not there. */
static const char *value_of(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *s = text; (s = strstr(s, key)) != NULL; s += length) {
        char quote = s > text ? s[-1] : '\0';
        if ((quote != '\'' && quote != '"') || s[length] != quote)
            continue;
        s += length + 1;
        s += strspn(s, " ");
        if (*s++ != ':')
            return NULL;
        return s + strspn(s, " ");
    }
    return NULL;
}

static bool parse_descr(header *h, const char *s)
{
    if (!s || (*s != '\'' && *s != '"'))
        return false;
    char order = *++s, end;
    if (order == '<' || order == '>' || order == '|' || order == '=')
        s++;
    if (*s == '\0')
        return false;
    h->kind = *s++;
    h->size = 0;
    while (*s >= '0' && *s <= '9' && h->size < 100)
        h->size = 10 * h->size + (*s++ - '0');
    end = *s;
    h->swap = h->size > 1 && (order == '>') != host_is_big_endian() && (order == '<' || order == '>');
    if (end != '\'' && end != '"')
        return false;
    switch (h->kind) {
    case 'b':
        return h->size == 1;
    case 'i':
    case 'u':
        return h->size == 1 || h->size == 2 || h->size == 4 || h->size == 8;
    case 'f':
        return h->size == 2 || h->size == 4 || h->size == 8 || (h->size == 16 && sizeof(long double) == 16);
    default:
        return false;
    }
}

static bool parse_shape(header *h, const char *s)
{
    size_t size[2] = {0, 1};
    int dimensions = 0;
    if (!s || *s++ != '(')
        return false;
    for (;;) {
        s += strspn(s, " ");
        if (*s == ')')
            break;
        if (*s < '0' || *s > '9' || dimensions == 2)
            return false;
        size_t x = 0;
        while (*s >= '0' && *s <= '9') {
            x = 10 * x + (size_t)(*s++ - '0');
            if (x > INT_MAX)
                return false;
        }
        size[dimensions++] = x;
        s += strspn(s, "L ");
        if (*s == ',')
            s++;
        else if (*s != ')')
            return false;
    }
    h->rows = size[0];
    h->cols = size[1];
    return dimensions > 0;
}

static lnt_status parse_header(lnt_ctx *ctx, header *h, const uint8_t *p, size_t n, const char *name)
{
    if (n < 12 || memcmp(p, "\x93NUMPY", 6) != 0)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: not an NPY file (wrong first bytes)", name);
    if (p[6] < 1 || p[6] > 3)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: NPY version %d.%d is not known", name, p[6], p[7]);
    size_t prefix = p[6] == 1 ? 10 : 12, length = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1)
        length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (length > n - prefix || length > 1u << 20)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: NPY header of %zu bytes is cut short or oversized", name, length);
    char *text = lnt_alloc(ctx, length + 1, 1);
    if (!text)
        return LNT_ENOMEM;
    memcpy(text, p + prefix, length);
    text[length] = '\0';
    h->start = prefix + length;
    const char *order = value_of(text, "fortran_order");
    h->fortran = order && strncmp(order, "True", 4) == 0;
    if (order && !h->fortran && strncmp(order, "False", 5) != 0)
        return lnt_fail(ctx, LNT_EFORMAT, "%s: fortran_order is neither True nor False (header: %.120s)", name, text);
    if (!parse_descr(h, value_of(text, "descr")))
        return lnt_fail(ctx, LNT_EFORMAT, "%s: the NPY type is not a real number type (header: %.120s)", name, text);
    if (!order || !parse_shape(h, value_of(text, "shape")))
        return lnt_fail(ctx, LNT_EFORMAT, "%s: the NPY shape must be (n,) or (n, D) (header: %.120s)", name, text);
    size_t bytes;
    if (__builtin_mul_overflow(h->rows * h->cols, (size_t)h->size, &bytes) || n - h->start < bytes)
        return lnt_fail(ctx, LNT_EFORMAT,
                        "%s: NPY header promises %zu x %zu values of %d bytes, the file holds %zu bytes", name, h->rows,
                        h->cols, h->size, n - h->start);
    return LNT_OK;
}

static double half_to_double(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double x = exponent == 31  ? (fraction ? NAN : INFINITY)
               : exponent == 0 ? ldexp(fraction, -24)
                               : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -x : x;
}

#define AS(type) (memcpy(&(type##_value), raw, sizeof(type##_value)), (double)(type##_value))

static double value_at(const header *h, const uint8_t *p)
{
    uint8_t raw[16] = {0};
    int8_t int8_t_value;
    int16_t int16_t_value;
    int32_t int32_t_value;
    int64_t int64_t_value;
    uint16_t uint16_t_value;
    uint32_t uint32_t_value;
    uint64_t uint64_t_value;
    float float_value;
    double double_value;
    long double long_double_value;
    for (int i = 0; i < h->size; i++)
        raw[i] = p[h->swap ? h->size - 1 - i : i];
    switch (h->kind << 8 | h->size) {
    case 'b' << 8 | 1:
    case 'u' << 8 | 1:
        return raw[0];
    case 'i' << 8 | 1:
        return AS(int8_t);
    case 'i' << 8 | 2:
        return AS(int16_t);
    case 'i' << 8 | 4:
        return AS(int32_t);
    case 'i' << 8 | 8:
        return AS(int64_t);
    case 'u' << 8 | 2:
        return AS(uint16_t);
    case 'u' << 8 | 4:
        return AS(uint32_t);
    case 'u' << 8 | 8:
        return AS(uint64_t);
    case 'f' << 8 | 2:
        memcpy(&uint16_t_value, raw, 2);
        return half_to_double(uint16_t_value);
    case 'f' << 8 | 4:
        return AS(float);
    case 'f' << 8 | 8:
        return AS(double);
    default:
        memcpy(&long_double_value, raw, sizeof long_double_value);
        return (double)long_double_value;
    }
}

static lnt_status convert(lnt_ctx *ctx, lnt_samples *samples, const header *h, const uint8_t *p, const char *name)
{
    double *values = lnt_alloc(ctx, h->rows * h->cols, sizeof *values);
    if (!values)
        return LNT_ENOMEM;
    for (size_t i = 0; i < h->rows; i++)
        for (size_t j = 0; j < h->cols; j++) {
            size_t at = h->fortran ? i + j * h->rows : i * h->cols + j;
            double x = value_at(h, p + at * (size_t)h->size);
            if (!isfinite(x))
                return lnt_fail(ctx, LNT_EDOMAIN,
                                "%s: row %zu, column %zu (counted from 1) is %g; remove or replace it", name, i + 1,
                                j + 1, x);
            values[i * h->cols + j] = x;
        }
    samples->f64 = values;
    return LNT_OK;
}

lnt_status lnt_npy_parse(lnt_ctx *ctx, lnt_samples *samples, const uint8_t *p, size_t n, const char *name)
{
    header h = {0};
    lnt_status status = parse_header(ctx, &h, p, n, name);
    if (status != LNT_OK)
        return status;
    *samples = (lnt_samples){.dim = (int)h.cols, .n = (int)h.rows};
    if (h.kind == 'u' && h.size == 1 && !h.fortran) {
        uint8_t *bytes = lnt_alloc(ctx, h.rows * h.cols, 1);
        if (!bytes)
            return LNT_ENOMEM;
        memcpy(bytes, p + h.start, h.rows * h.cols);
        samples->u8 = bytes;
        return LNT_OK;
    }
    return convert(ctx, samples, &h, p + h.start, name);
}
