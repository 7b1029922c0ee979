/* SPDX-License-Identifier: MIT */
/* Tables of words for `hvsim list`: as aligned text for people, or as an array of objects in JSON. */
#ifndef HV_BASE_PRINT_TABLE_H
#define HV_BASE_PRINT_TABLE_H

#include "base/print.h"

enum { PRINT_COLUMNS_MAX = 8, PRINT_CELL_BYTES = 256 };

struct print_row {
    char cells[PRINT_COLUMNS_MAX][PRINT_CELL_BYTES];
};

/* In a function that fills a row called `row`: the text of one of its cells. */
#define PRINT_CELL(column, ...) snprintf(row->cells[column], PRINT_CELL_BYTES, __VA_ARGS__)

struct print_table {
    const char *heads[PRINT_COLUMNS_MAX + 1]; /* the names of the columns, also in JSON; NULL ends them */
    size_t rows;
    void (*fill)(size_t index, struct print_row *row);
};

void print_table(const struct print_table *table, enum print_format format, FILE *out);

#endif
