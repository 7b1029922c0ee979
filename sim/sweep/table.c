/* SPDX-License-Identifier: MIT */
#include "sweep/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/number.h"
#include "sweep/store.h"

/* --- Reading ------------------------------------------------------------------------------------------------------ */

void table_entry_make(struct table_entry *entry, const double *values, size_t count)
{
    double sum = 0, squares = 0;
    *entry = (struct table_entry){.count = count};
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        entry->min = i == 0 || values[i] < entry->min ? values[i] : entry->min;
        entry->max = i == 0 || values[i] > entry->max ? values[i] : entry->max;
    }
    if (count == 0) {
        return;
    }
    entry->mean = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - entry->mean) * (values[i] - entry->mean);
    }
    /* sqrt is rounded correctly by IEEE 754, so it is the same everywhere. */
    entry->stddev = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
}

/* Reads a row: each metric of each seed that there is. */
static void load_row(struct table *t, const char *directory, size_t row)
{
    const struct sweep *s = t->sweep;
    double *values = calloc(s->metric_count * s->seeds, sizeof(*values));
    size_t *counts = calloc(s->metric_count, sizeof(*counts));
    HV_ASSERT(values != NULL && counts != NULL, "out of memory");
    for (size_t i = 0; i < s->seeds; i++) {
        struct result_file result = {.root = NULL};
        if (store_load(directory, &s->points[row * s->seeds + i], &result) != SWEEP_DONE) {
            continue;
        }
        t->seeds[row]++;
        t->stale += json_integer_value(json_object_get(result.stats, "mmu.stale_found")) > 0;
        for (size_t m = 0; m < s->metric_count; m++) {
            const json_t *value = json_object_get(result.stats, s->metrics[m].name);
            if (json_is_number(value)) { /* null: a ratio of nothing */
                values[m * s->seeds + counts[m]++] = json_number_value(value);
            }
        }
        result_file_fini(&result);
    }
    for (size_t m = 0; m < s->metric_count; m++) {
        table_entry_make(&t->entries[row * s->metric_count + m], &values[m * s->seeds], counts[m]);
    }
    free(values);
    free(counts);
}

void table_load(struct table *t, const struct sweep *s, const char *directory)
{
    *t = (struct table){.sweep = s};
    t->entries = calloc(s->rows * s->metric_count, sizeof(*t->entries));
    t->seeds = calloc(s->rows, sizeof(*t->seeds));
    HV_ASSERT(t->entries != NULL && t->seeds != NULL, "out of memory");
    for (size_t row = 0; row < s->rows; row++) {
        load_row(t, directory, row);
    }
}

void table_fini(struct table *t)
{
    free(t->entries);
    free(t->seeds);
    *t = (struct table){.sweep = NULL};
}

/* --- CSV ---------------------------------------------------------------------------------------------------------- */

static void write_number(double value, bool present, FILE *out)
{
    char text[NUMBER_BYTES] = "";
    if (present) {
        number_format_real(value, NUMBER_DIGITS_DATA, text);
    }
    fprintf(out, ",%s", text);
}

static void write_head(const struct sweep *s, FILE *out)
{
    for (size_t i = 0; i < s->axis_count; i++) {
        fprintf(out, "%s%s", i > 0 ? "," : "", s->axes[i].name);
    }
    fputs(s->seeds > 1 ? ",seeds" : "", out);
    for (size_t m = 0; m < s->metric_count; m++) {
        const char *name = s->metrics[m].name;
        fprintf(out, ",%s", name);
        if (s->seeds > 1) {
            fprintf(out, ",%s.min,%s.max,%s.stddev", name, name, name);
        }
    }
    fputc('\n', out);
}

void table_write_csv(const struct table *t, FILE *out)
{
    const struct sweep *s = t->sweep;
    write_head(s, out);
    for (size_t row = 0; row < s->rows; row++) {
        for (size_t i = 0; i < s->axis_count; i++) {
            fprintf(out, "%s%s", i > 0 ? "," : "", sweep_value(s, row, &s->axes[i])->cell);
        }
        if (s->seeds > 1) {
            fprintf(out, ",%zu", t->seeds[row]);
        }
        for (size_t m = 0; m < s->metric_count; m++) {
            const struct table_entry *e = &t->entries[row * s->metric_count + m];
            write_number(e->mean, e->count > 0, out);
            if (s->seeds > 1) {
                write_number(e->min, e->count > 0, out);
                write_number(e->max, e->count > 0, out);
                write_number(e->stddev, e->count > 1, out);
            }
        }
        fputc('\n', out);
    }
}

bool table_save(const struct table *t, const char *directory, struct hv_err *err)
{
    struct atomic_file file;
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/table.csv", directory);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return hv_fail(err, "the name of directory %.80s... is too long", directory);
    }
    if (!atomic_file_open(&file, path, err)) {
        return false;
    }
    table_write_csv(t, file.out);
    return atomic_file_commit(&file, err);
}

/* --- Text --------------------------------------------------------------------------------------------------------- */

/* A field of the printed table; column 0.. are axes, then metrics; row -1 is the head. */
static const char *printed_field(const struct table *t, long row, size_t column, char number[NUMBER_BYTES])
{
    const struct sweep *s = t->sweep;
    if (column < s->axis_count) {
        const struct sweep_axis *axis = &s->axes[column];
        return row < 0 ? axis->name : sweep_value(s, (size_t)row, axis)->label;
    }
    size_t metric = column - s->axis_count;
    if (row < 0) {
        return s->metrics[metric].name;
    }
    const struct table_entry *e = &t->entries[(size_t)row * s->metric_count + metric];
    if (e->count == 0) {
        return "-";
    }
    number_format_real(e->mean, NUMBER_DIGITS_TEXT, number);
    return number;
}

/* Names are to the left, numbers to the right. */
static bool is_left(const struct sweep *s, size_t column)
{
    return column < s->axis_count && !s->axes[column].values[0].is_number;
}

void table_print(const struct table *t, FILE *out)
{
    const struct sweep *s = t->sweep;
    size_t columns = s->axis_count + s->metric_count;
    int *widths = calloc(columns, sizeof(*widths));
    char number[NUMBER_BYTES];
    HV_ASSERT(widths != NULL, "out of memory");
    for (long row = -1; row < (long)s->rows; row++) {
        for (size_t c = 0; c < columns; c++) {
            int width = (int)strlen(printed_field(t, row, c, number));
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (long row = -1; row < (long)s->rows; row++) {
        for (size_t c = 0; c < columns; c++) {
            bool last = c + 1 == columns, left = is_left(s, c);
            fprintf(out, "%*s%s", left ? (last ? 0 : -widths[c]) : widths[c], printed_field(t, row, c, number),
                    last ? "\n" : "  ");
        }
    }
    free(widths);
}
