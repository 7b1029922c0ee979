/* SPDX-License-Identifier: MIT */
/* The values of a difference as text; shared by what prints it. */
#ifndef HV_MACHINE_RESULT_DIFF_VALUE_H
#define HV_MACHINE_RESULT_DIFF_VALUE_H

#include "base/arena.h"
#include "machine/result_diff.h"

/* How values are written: for people or for programs. */
struct diff_style {
    struct arena *arena; /* where the texts live */
    int digits;
    const char *absent;
    bool for_people; /* a size as "8MiB", and an empty text as "" */
};

const char *diff_number_text(const struct diff_style *style, const struct diff_number *number);

/* A parameter's value, or a statistic's as it stands in the file. */
const char *diff_value_text(const struct diff_style *style, const char *name, const json_t *value);

/* The forms of result_diff_print(). */
void result_diff_write_text(const struct result_diff *d, FILE *out);
void result_diff_write_json(const struct result_diff *d, FILE *out);
void result_diff_write_csv(const struct result_diff *d, FILE *out);

#endif
