#define _GNU_SOURCE
#include "linnet/text.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lnt_text_free(lnt_text *text)
{
    lnt_heap_free(text->p);
    *text = (lnt_text){0};
}

static bool reserve(lnt_text *text, size_t more)
{
    if (text->failed)
        return false;
    size_t need = text->n + more + 1;
    if (need <= text->cap)
        return true;
    size_t cap = text->cap ? text->cap : 256;
    while (cap < need)
        cap += cap / 2;
    char *p = lnt_heap_resize(text->p, cap);
    if (!p) {
        text->failed = true;
        return false;
    }
    text->p = p;
    text->cap = cap;
    return true;
}

void lnt_text_bytes(lnt_text *text, const void *bytes, size_t n)
{
    if (!reserve(text, n))
        return;
    if (n)
        memcpy(text->p + text->n, bytes, n);
    text->n += n;
    text->p[text->n] = '\0';
}

void lnt_text_add(lnt_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->p + text->n, (size_t)length + 1, format, again);
        text->n += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

void lnt_text_number(lnt_text *text, double x)
{
    char number[LNT_NUMBER_CHARS];
    lnt_text_add(text, "%s", lnt_number_text(x, number));
}

lnt_status lnt_text_status(lnt_ctx *ctx, const lnt_text *text)
{
    return text->failed ? lnt_fail(ctx, LNT_ENOMEM, "out of memory after %zu bytes of text", text->n) : LNT_OK;
}

int lnt_utf8_length(const char *s)
{
    const unsigned char *c = (const unsigned char *)s;
    int n = c[0] == 0 ? 0 : c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    /* overlong forms, surrogates, and beyond U+10FFFF */
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
        (c[0] == 0xf4 && c[1] > 0x8f))
        return 0;
    return n;
}

/* ---- Numbers ---- */

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* A user's program may have called setlocale: "1,5" must neither be written nor be needed. */
static double c_strtod(const char *s, char **end)
{
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale ? strtod_l(s, end, c_locale) : strtod(s, end);
}

char *lnt_number_text(double x, char *out)
{
    if (isnan(x))
        return strcpy(out, "nan");
    if (isinf(x))
        return strcpy(out, x > 0 ? "inf" : "-inf");
    pthread_once(&c_locale_once, make_c_locale);
    locale_t old = c_locale ? uselocale(c_locale) : (locale_t)0;
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, LNT_NUMBER_CHARS, "%.*g", digits, x);
        if (strtod(out, NULL) == x)
            break;
    }
    /* %g writes 100000 as 1e+05 when one digit suffices; whole numbers read better in full. */
    if (fabs(x) < 1e15 && x == floor(x))
        snprintf(out, LNT_NUMBER_CHARS, "%.0f", x);
    if (old)
        uselocale(old);
    return out;
}

char *lnt_number_short(double x, char *out)
{
    pthread_once(&c_locale_once, make_c_locale);
    locale_t old = c_locale ? uselocale(c_locale) : (locale_t)0;
    snprintf(out, LNT_NUMBER_CHARS, "%.6g", x);
    if (old)
        uselocale(old);
    return out;
}

bool lnt_number_read(const char *s, size_t n, double *x)
{
    char buffer[400];
    while (n && (*s == ' ' || *s == '\t'))
        s++, n--;
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
        n--;
    if (n == 0 || n >= sizeof buffer || memchr(s, '\0', n))
        return false;
    memcpy(buffer, s, n);
    buffer[n] = '\0';
    if (buffer[0] == '\n' || buffer[0] == '\v' || buffer[0] == '\f' || buffer[0] == '\r')
        return false;
    char *end;
    double value = c_strtod(buffer, &end);
    if (*end != '\0')
        return false;
    *x = value;
    return true;
}

bool lnt_numbers_read(const char *text, double *values, int most, int *count)
{
    for (*count = 0; *count < most; text++) {
        size_t n = strcspn(text, ",");
        double *value = &values[(*count)++];
        if (!lnt_number_read(text, n, value) || !(fabs(*value) < 1e100))
            return false;
        text += n;
        if (*text == '\0')
            return true;
    }
    return false;
}
