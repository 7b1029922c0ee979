/* SPDX-License-Identifier: MIT */
/*
 * Statistics as JSON, CSV and text. A ratio 0/0 is null in JSON, empty in CSV and "-" in text; counters are whole
 * numbers everywhere.
 */
#ifndef HV_BASE_STAT_PRINT_H
#define HV_BASE_STAT_PRINT_H

#include "base/print.h"
#include "base/stat.h"

/* What of a large table people want to see. */
enum stats_zeros {
    STATS_ALL,
    STATS_HIDE_ZERO_GROUPS, /* leave out the rows of one deep prefix (mmu.grid.g4.h2.*) when all of them are 0 */
};

/* A flat object {"dotted.name": number} in printing order. */
json_t *stats_to_json(const struct stat_registry *registry);

/* name,value,unit */
void stats_write_csv(const struct stat_registry *registry, FILE *out);

/* Aligned columns: name, value, unit, "# help"; a blank line between groups of the first segment. */
void stats_write_text(const struct stat_registry *registry, enum stats_zeros zeros, FILE *out);

/* `hvsim stats [PATTERN]`: name, unit and help of what the pattern selects; returns how many there were. */
size_t stats_print_reference(const struct stat_registry *registry, const char *pattern, enum print_format format,
                             FILE *out);

/* The same as an array of {"name", "unit", "help"}. */
json_t *stats_reference_to_json(const struct stat_registry *registry, const char *pattern);

#endif
