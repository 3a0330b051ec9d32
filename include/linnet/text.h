/* Growable bytes, and the one way in which linnet writes and reads numbers as text.
 *
 * Numbers are written with the fewest digits whose correctly rounded decimal reads back as the same double, with a
 * point whatever the locale; non-finite ones as nan, inf, -inf. */
#ifndef LINNET_TEXT_H
#define LINNET_TEXT_H

#include "linnet/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise; free with lnt_text_free(). p is always followed by a NUL byte once anything was added.
 * `failed` is sticky: after an allocation failure further additions do nothing. */
typedef struct lnt_text {
    char *p;
    size_t n, cap;
    bool failed;
} lnt_text;

LNT_API void lnt_text_free(lnt_text *text);
LNT_API void lnt_text_add(lnt_text *text, const char *format, ...) LNT_PRINTF(2, 3);
LNT_API void lnt_text_bytes(lnt_text *text, const void *bytes, size_t n);
LNT_API void lnt_text_number(lnt_text *text, double x);
/* LNT_ENOMEM with its message if any addition failed, else LNT_OK. */
LNT_API lnt_status lnt_text_status(lnt_ctx *ctx, const lnt_text *text);

/* Bytes of the UTF-8 character at s, 1 to 4; 0 at the end of the string and where there is none. */
LNT_API int lnt_utf8_length(const char *s);

#define LNT_NUMBER_CHARS 32
/* Writes x into out (at least LNT_NUMBER_CHARS bytes), shortest round-trip form; returns out. */
LNT_API char *lnt_number_text(double x, char *out);
/* The same with at most six digits, for the eye. */
LNT_API char *lnt_number_short(double x, char *out);
/* Reads the whole of s[0..n) as a double: decimal or hexadecimal, nan and inf included, blanks around it allowed.
 * Returns false, leaving *x alone, where anything else is there. Overflow gives +-inf; more than 399
 * characters are no number. */
LNT_API bool lnt_number_read(const char *s, size_t n, double *x);

/* Reads numbers separated by commas, at most `most` of them, all finite and below 1e100 in size; false for anything
 * else, an empty text included. */
LNT_API bool lnt_numbers_read(const char *text, double *values, int most, int *count);

#ifdef __cplusplus
}
#endif
#endif
