/* SPDX-License-Identifier: MIT */
/*
 * The report of a directory of results: one page of HTML that can be read, searched and stepped through.
 *
 *     report_collect     collect.c      the results of a directory, the pictures and the table of a sweep
 *     report_write       report.c       the page
 *       report_to_json   data.c         everything that it says, as one document of data
 *       report_summary   summary.c      a paragraph in words
 *       report_walks     walks.c        a translation of the results' own machine, explained step by step
 *       page_write       page.c         the page around it: page.html, page.css and the scripts
 *
 * A directory is one of `hvsim run --out` (result.json), one of a sweep (points/NAME.json, table.csv, plot.svg), or
 * one whose subdirectories are such. A result that cannot be read is left out, and the page says so.
 */
#ifndef HV_REPORT_REPORT_H
#define HV_REPORT_REPORT_H

#include <stdio.h>

#include "machine/result_file.h"

enum { REPORT_MAX_POINTS = 20000, REPORT_MAX_PLOTS = 64 };

/* Results side by side. A column is an array with a value for each of them, null where a result has none. */
struct report {
    json_t *title;    /* the name of the directory */
    json_t *points;   /* array of {"label", "hvsim", "complete", "axes": {name: text} or null} */
    json_t *config;   /* object of columns by parameter */
    json_t *stats;    /* object of columns by statistic */
    json_t *plots;    /* array of {"name", "svg": in base64} */
    json_t *tables;   /* array of {"name", "columns", "rows"} */
    json_t *left_out; /* array of sentences: what could not be read */
};

/* Reads a directory; fails when there is no result in it. Whatever it returns, report_fini has to follow. */
bool report_collect(struct report *r, const char *directory, struct hv_err *err);

/* The same result by result: init, then any number of add. */
void report_init(struct report *r);
void report_add(struct report *r, const struct result_file *file, const char *label);

void report_fini(struct report *r);

/* All that a page says; version and commit are of the hvsim that writes it. */
json_t *report_to_json(const struct report *r, const char *version, const char *commit);

/* Writes the page; whether that worked is the stream's to know. */
void report_write(const struct report *r, const char *version, const char *commit, FILE *out);

/* --- For the files of this block --------------------------------------------------------------------------------- */

/* A row of columns as one object, without what that result does not have. */
json_t *report_row(json_t *columns, size_t row);

/* Whether a column of so many rows has more than one value. */
bool report_varies(const json_t *column, size_t rows);

/* A statistic of a result; false when it has none, or a ratio of nothing. */
bool report_number(const struct report *r, const char *stat, size_t row, double *value);

/* What tells the results apart: array of {"name", "values": column}. */
json_t *report_axes(const struct report *r);

/* The summary in words, given the axes. */
json_t *report_summary(const struct report *r, const json_t *axes);

/* Adds "walks", or, when the machine cannot be built, "no_walks" with the reason to the data of a page. */
void report_walks(const struct report *r, json_t *data);

/* A table of comma-separated values as {"columns", "rows"}; NULL with a sentence when it is none. */
json_t *report_read_csv(const char *path, const char *text, size_t size, struct hv_err *err);

#endif
