/* SPDX-License-Identifier: MIT */
#include "base/print_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static void print_line(const char *const *cells, const int *widths, size_t columns, FILE *out)
{
    for (size_t i = 0; i + 1 < columns; i++) {
        fprintf(out, "%-*s  ", widths[i], cells[i]);
    }
    fprintf(out, "%s\n", cells[columns - 1]);
}

static void print_text(const struct print_table *table, const struct print_row *rows, size_t columns, FILE *out)
{
    int widths[PRINT_COLUMNS_MAX] = {0};
    for (size_t c = 0; c < columns; c++) {
        widths[c] = (int)strlen(table->heads[c]);
        for (size_t i = 0; i < table->rows; i++) {
            int width = (int)strlen(rows[i].cells[c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    print_line(table->heads, widths, columns, out);
    for (size_t i = 0; i < table->rows; i++) {
        const char *cells[PRINT_COLUMNS_MAX];
        for (size_t c = 0; c < columns; c++) {
            cells[c] = rows[i].cells[c];
        }
        print_line(cells, widths, columns, out);
    }
}

static void print_objects(const struct print_table *table, const struct print_row *rows, size_t columns, FILE *out)
{
    json_t *array = json_array();
    for (size_t i = 0; i < table->rows; i++) {
        json_t *object = json_object();
        for (size_t c = 0; c < columns; c++) {
            json_object_set_new(object, table->heads[c], json_string(rows[i].cells[c]));
        }
        json_array_append_new(array, object);
    }
    print_json(array, out);
}

void print_table(const struct print_table *table, enum print_format format, FILE *out)
{
    struct print_row *rows = calloc(table->rows, sizeof(*rows));
    HV_ASSERT(rows != NULL, "out of memory");
    for (size_t i = 0; i < table->rows; i++) {
        table->fill(i, &rows[i]);
    }
    size_t columns = 0;
    while (table->heads[columns] != NULL) {
        columns++;
    }
    (format == PRINT_JSON ? print_objects : print_text)(table, rows, columns, out);
    free(rows);
}
