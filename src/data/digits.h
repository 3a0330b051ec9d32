/* The built-in digits: data/digits.csv.gz, turned into an array by the build. */
#ifndef LINNET_DIGITS_H
#define LINNET_DIGITS_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t lnt_digits_csv_gz[];
extern const size_t lnt_digits_csv_gz_size;

#endif
