/* SPDX-License-Identifier: MIT */
/*
 * Numbers as users write them, and as results print them. Independent of the locale, the same on every machine.
 *
 *     count   1536, 1_000_000, 1e6, 2.5e3, 0x10     must come out whole; exact, never through floating point
 *     size    the same, then B, K, KB, KiB, M ... TiB in either case: always powers of 1024
 *     real    0.99, -1, 1e-3, 1_000.5
 *
 * Real numbers are printed with six significant digits where people read (text) and with fifteen where programs
 * do (JSON, CSV): fifteen decimal digits are what a double holds without noise such as 0.10000000000000001. Only a
 * configuration must come back bit for bit, and is written with as many digits as that takes.
 */
#ifndef HV_BASE_NUMBER_H
#define HV_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_BYTES 32 /* enough for any formatted number */
#define NUMBER_DIGITS_TEXT 6
#define NUMBER_DIGITS_DATA 15

enum number_result {
    NUMBER_OK,
    NUMBER_MALFORMED,    /* not a number of this form, or not whole */
    NUMBER_OUT_OF_RANGE, /* well-formed, but negative or beyond what the type holds */
};

enum number_result number_parse_count(const char *text, uint64_t *value);
enum number_result number_parse_size(const char *text, uint64_t *bytes);
enum number_result number_parse_real(const char *text, double *value);

/* "64KiB", "2MiB", "4097": the largest unit that divides the size. */
void number_format_size(uint64_t bytes, char text[NUMBER_BYTES]);

/* At most `digits` significant digits, without trailing zeros, as printf's %g. */
void number_format_real(double value, int digits, char text[NUMBER_BYTES]);

/* The fewest digits that number_parse_real reads back to the same double. */
void number_format_exact(double value, char text[NUMBER_BYTES]);

#endif
