/* SPDX-License-Identifier: MIT */
/*
 * The table of a sweep: a line a row, in the order of the file, for gnuplot, R and pandas.
 *
 * A column for each axis, then for each metric; with several seeds the metric's column is their mean, and beside it
 * stand .min, .max and .stddev (of a sample: divided by one less than there are), and in column seeds how many of them
 * there are, which is fewer only where a point failed. What there is not is an empty field. No field needs quotes.
 */
#ifndef HV_SWEEP_TABLE_H
#define HV_SWEEP_TABLE_H

#include "sweep/sweep.h"

/* What the seeds of a row say about a metric. */
struct table_entry {
    size_t count;
    double mean, min, max, stddev;
};

struct table {
    const struct sweep *sweep;
    struct table_entry *entries; /* by row, then metric */
    size_t *seeds;               /* by row: points that there are */
    size_t stale;                /* points that found a stale translation */
};

/* Reads the results of all points that a directory has. */
void table_load(struct table *t, const struct sweep *s, const char *directory);
void table_fini(struct table *t);

/* Adds a value to an entry; they come in the order of the seeds, so that a sum is the same whenever it is made. */
void table_entry_make(struct table_entry *entry, const double *values, size_t count);

void table_write_csv(const struct table *t, FILE *out);

/* Writes table.csv into the directory. */
bool table_save(const struct table *t, const char *directory, struct hv_err *err);

/* For people: aligned, and of several seeds the mean alone. */
void table_print(const struct table *t, FILE *out);

#endif
