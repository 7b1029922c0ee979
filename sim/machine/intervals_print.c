/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "base/print.h"
#include "machine/intervals.h"

/* The columns of the table for people. */
static const struct column {
    const char *stat, *title;
    double scale;
} columns[] = {
    {"core.accesses", "accesses", 1},
    {"core.cpi", "CPI", 1},
    {"tlb.l1d.miss_ratio", "L1 TLB miss %", 100},
    {"tlb.l2.miss_ratio", "L2 TLB miss %", 100},
    {"mmu.walks", "walks", 1},
    {"mmu.walk_cycles_mean", "cycles/walk", 1},
    {"dram.reads", "DRAM reads", 1},
};

enum { FIRST_WIDTH = 14, COLUMN_WIDTH = 15 };

static void write_cell(const struct stat_registry *stats, size_t item, const uint64_t *values, double scale, FILE *out)
{
    double value;
    if (stats->items[item].kind != STAT_RATIO) {
        fprintf(out, "%*" PRIu64, COLUMN_WIDTH, values[item]);
    } else if (stats_ratio_of(stats, item, values, &value)) {
        fprintf(out, "%*.2f", COLUMN_WIDTH, value * scale);
    } else {
        fprintf(out, "%*s", COLUMN_WIDTH, "-");
    }
}

void intervals_write_text(struct intervals *s, FILE *out)
{
    const struct stat_registry *stats = intervals_stats(s);
    struct interval row;
    size_t items[HV_ARRAY_LEN(columns)];
    fprintf(out, "\nIntervals of %" PRIu64 " cycles\n%*s", intervals_length(s), FIRST_WIDTH, "until cycle");
    for (size_t i = 0; i < HV_ARRAY_LEN(columns); i++) {
        long found = stats_find(stats, columns[i].stat);
        HV_ASSERT(found >= 0 && intervals_has(s, (size_t)found), "no interval has %s", columns[i].stat);
        items[i] = (size_t)found;
        fprintf(out, "%*s", COLUMN_WIDTH, columns[i].title);
    }
    fputc('\n', out);
    for (intervals_rewind(s); intervals_next(s, &row);) {
        fprintf(out, "%*" PRIu64, FIRST_WIDTH, row.end);
        for (size_t i = 0; i < HV_ARRAY_LEN(columns); i++) {
            write_cell(stats, items[i], row.values, columns[i].scale, out);
        }
        fputc('\n', out);
    }
}

static void write_csv_row(struct intervals *s, const struct interval *row, FILE *out)
{
    const struct stat_registry *stats = intervals_stats(s);
    fprintf(out, "%" PRIu64, row->end);
    for (size_t i = 0; i < stats->count; i++) {
        char number[NUMBER_BYTES];
        double value;
        if (!intervals_has(s, i)) {
            continue;
        }
        if (stats->items[i].kind != STAT_RATIO) {
            fprintf(out, ",%" PRIu64, row->values[i]);
        } else if (stats_ratio_of(stats, i, row->values, &value)) {
            number_format_real(value, NUMBER_DIGITS_DATA, number);
            fprintf(out, ",%s", number);
        } else {
            fputc(',', out);
        }
    }
    fputc('\n', out);
}

void intervals_write_csv(struct intervals *s, FILE *out)
{
    const struct stat_registry *stats = intervals_stats(s);
    struct interval row;
    fputs("cycles", out);
    for (size_t i = 0; i < stats->count; i++) {
        if (intervals_has(s, i)) {
            fprintf(out, ",%s", stats->items[i].name);
        }
    }
    fputc('\n', out);
    for (intervals_rewind(s); intervals_next(s, &row);) {
        write_csv_row(s, &row, out);
    }
}

static json_t *row_to_json(struct intervals *s, const struct interval *row)
{
    const struct stat_registry *stats = intervals_stats(s);
    json_t *object = json_object();
    for (size_t i = 0; i < stats->count; i++) {
        json_t *number;
        double value;
        if (!intervals_has(s, i)) {
            continue;
        }
        if (stats->items[i].kind != STAT_RATIO) {
            number = print_whole(row->values[i]);
        } else {
            number = stats_ratio_of(stats, i, row->values, &value) ? json_real(value) : json_null();
        }
        json_object_set_new(object, stats->items[i].name, number);
    }
    return json_pack("{s:o, s:o}", "cycles", print_whole(row->end), "stats", object);
}

void intervals_write_json(struct intervals *s, FILE *out)
{
    struct interval row;
    const char *before = "";
    for (intervals_rewind(s); intervals_next(s, &row);) {
        json_t *object = row_to_json(s, &row);
        fprintf(out, "%s\n    ", before);
        json_dumpf(object, out, JSON_REAL_PRECISION(NUMBER_DIGITS_DATA));
        json_decref(object);
        before = ",";
    }
}
