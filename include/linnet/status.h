/* Status codes: 0 is success, every failure is negative. */
#ifndef LINNET_STATUS_H
#define LINNET_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LNT_API __attribute__((visibility("default")))
#else
#define LNT_API
#endif

/* X(name, value, text): the one list that the enum and lnt_status_text() share. */
#define LNT_STATUS_LIST(X)                                                                                             \
    X(LNT_OK, 0, "done")                                                                                               \
    X(LNT_EINVAL, -1, "invalid argument")                                                                              \
    X(LNT_ESHAPE, -2, "shapes do not agree")                                                                           \
    X(LNT_ENOMEM, -3, "out of memory")                                                                                 \
    X(LNT_EIO, -4, "input or output failed")                                                                           \
    X(LNT_EFORMAT, -5, "malformed file")                                                                               \
    X(LNT_EDOMAIN, -6, "a number is not finite or out of its domain")                                                  \
    X(LNT_ENUMERIC, -7, "a matrix factorisation did not converge")                                                     \
    X(LNT_EDIVERGED, -8, "the iteration diverged")                                                                     \
    X(LNT_EUSER, -9, "stopped by a callback")                                                                          \
    X(LNT_EEXIST, -10, "refused: it would overwrite existing results")                                                 \
    X(LNT_EMISSING, -11, "a file, data set or program is missing")                                                     \
    X(LNT_EUSAGE, -12, "wrong usage")

#define LNT_STATUS_ENUM(name, value, text) name = value,
typedef enum lnt_status { LNT_STATUS_LIST(LNT_STATUS_ENUM) } lnt_status;
#undef LNT_STATUS_ENUM

/* The sentence fragment that belongs to a status; "unknown status" for any other number. Never NULL. */
LNT_API const char *lnt_status_text(lnt_status status);

#ifdef __cplusplus
}
#endif
#endif
