#include "linnet/status.h"

const char *lnt_status_text(lnt_status status)
{
    switch (status) {
#define LNT_STATUS_CASE(name, value, text)                                                                             \
    case name:                                                                                                         \
        return text;
        LNT_STATUS_LIST(LNT_STATUS_CASE)
#undef LNT_STATUS_CASE
    }
    return "unknown status";
}
