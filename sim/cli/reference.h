/* SPDX-License-Identifier: MIT */
/* A command that prints a table of the reference: hvsim COMMAND [PATTERN] [--format text|json]. */
#ifndef HV_CLI_REFERENCE_H
#define HV_CLI_REFERENCE_H

#include "base/print.h"

/* Prints the rows that a pattern selects (NULL: all) and returns how many there were. */
typedef size_t reference_print_fn(const char *pattern, enum print_format format, FILE *out);

/* what: "parameter" */
int reference_command(const char *what, reference_print_fn *print, int argc, char **argv);

#endif
