/* SPDX-License-Identifier: MIT */
#include "cpu/vmx/vmx_reference.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/vmx/entry_check.h"

enum { COLUMNS_MAX = 5, CELL_BYTES = 256 };

struct row {
    char cells[COLUMNS_MAX][CELL_BYTES];
};

struct table {
    const char *heads[COLUMNS_MAX + 1]; /* the names of the columns, also in JSON; NULL ends them */
    size_t rows;
    void (*fill)(size_t index, struct row *row);
};

/* --- the tables ---------------------------------------------------------------------------------------------------- */

#define CELL(column, ...) snprintf(row->cells[column], CELL_BYTES, __VA_ARGS__)

static void fill_field(size_t index, struct row *row)
{
    const struct vmcs_field *f = &vmcs_fields[index];
    CELL(0, "0x%04x", f->encoding);
    CELL(1, "%s", f->name);
    CELL(2, "%s", vmcs_type_names[vmcs_encoding_type(f->encoding)]);
    CELL(3, "%s", vmcs_width_names[vmcs_encoding_width(f->encoding)]);
    CELL(4, "%s", f->help);
}

static void fill_control(size_t index, struct row *row)
{
    const struct vmx_control *c = &vmx_controls[index];
    CELL(0, "%s.%s", vmx_word_prefixes[c->word], c->name);
    CELL(1, "%u", c->bit);
    CELL(2, "%s", c->help);
}

static const struct exit_reason {
    unsigned number;
    const char *name, *words;
} exit_reasons[] = {
#define X(number, name, words) {number, #name, words},
#include "cpu/vmx/vmx_exit_reasons.def"
#undef X
};

static void fill_exit(size_t index, struct row *row)
{
    CELL(0, "%u", exit_reasons[index].number);
    CELL(1, "%s", exit_reasons[index].name);
    CELL(2, "%s", exit_reasons[index].words);
}

/* "error 7", "error 8", "exit 33", and behind a slash a qualification that is not 0. */
static void fill_rule(size_t index, struct row *row)
{
    const struct vmx_rule *r = &vmx_rules[index];
    CELL(0, "%s", r->section);
    CELL(1, "%s", r->id);
    if (r->area != VMX_AREA_GUEST) {
        CELL(2, "error %d", r->area == VMX_AREA_CONTROLS ? 7 : 8);
    } else if (r->qualification == 0) {
        CELL(2, "exit 33");
    } else {
        CELL(2, "exit 33/%u", (unsigned)r->qualification);
    }
    CELL(3, "%s", r->rule);
}

/* --- printing ------------------------------------------------------------------------------------------------------ */

static void print_line(const char *const *cells, const int *widths, size_t columns, FILE *out)
{
    for (size_t i = 0; i + 1 < columns; i++) {
        fprintf(out, "%-*s  ", widths[i], cells[i]);
    }
    fprintf(out, "%s\n", cells[columns - 1]);
}

static void print_text(const struct table *table, const struct row *rows, size_t columns, FILE *out)
{
    int widths[COLUMNS_MAX] = {0};
    for (size_t c = 0; c < columns; c++) {
        widths[c] = (int)strlen(table->heads[c]);
        for (size_t i = 0; i < table->rows; i++) {
            int width = (int)strlen(rows[i].cells[c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    print_line(table->heads, widths, columns, out);
    for (size_t i = 0; i < table->rows; i++) {
        const char *cells[COLUMNS_MAX];
        for (size_t c = 0; c < columns; c++) {
            cells[c] = rows[i].cells[c];
        }
        print_line(cells, widths, columns, out);
    }
}

static void print_objects(const struct table *table, const struct row *rows, size_t columns, FILE *out)
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

static void print_table(const struct table *table, enum print_format format, FILE *out)
{
    struct row *rows = calloc(table->rows, sizeof(*rows));
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

void vmx_print_fields(enum print_format format, FILE *out)
{
    static const struct table table = {{"encoding", "name", "type", "width", "help"}, VMCS_FIELDS, fill_field};
    print_table(&table, format, out);
}

void vmx_print_controls(enum print_format format, FILE *out)
{
    const struct table table = {{"name", "bit", "help"}, vmx_control_count, fill_control};
    print_table(&table, format, out);
}

void vmx_print_exits(enum print_format format, FILE *out)
{
    static const struct table table = {{"number", "name", "help"}, HV_ARRAY_LEN(exit_reasons), fill_exit};
    print_table(&table, format, out);
}

void vmx_print_rules(enum print_format format, FILE *out)
{
    static const struct table table = {{"section", "name", "outcome", "help"}, VMX_RULES, fill_rule};
    print_table(&table, format, out);
}
