/* SPDX-License-Identifier: MIT */
/* What everything that prints tables and results has in common. */
#ifndef HV_BASE_PRINT_H
#define HV_BASE_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/number.h"

enum print_format { PRINT_TEXT, PRINT_JSON, PRINT_CSV };

/* How every JSON file is written, so that the same result is the same bytes. */
#define PRINT_JSON_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(NUMBER_DIGITS_DATA))

/* Does a pattern of the command line select this name: a shell glob, a part of the name, or NULL for all? */
bool print_matches(const char *pattern, const char *name);

/* Jansson's integers have 63 bits; a larger number becomes a real, which keeps its first fifteen digits. */
json_t *print_whole(uint64_t value);

/* Writes the document and a line feed, and gives it back; false when writing failed. */
bool print_json(json_t *document, FILE *out);

#endif
