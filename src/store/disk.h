/* What whole files and logs share of writing to the disk. */
#ifndef LINNET_DISK_H
#define LINNET_DISK_H

#include <stdbool.h>
#include <stddef.h>

/* All n bytes, or false with errno. */
bool lnt_write_all(int fd, const char *p, size_t n);
/* Makes a new name in the folder of `path` durable; file systems that cannot sync a folder are forgiven. */
void lnt_sync_folder(const char *path);

#endif
