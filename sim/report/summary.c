/* SPDX-License-Identifier: MIT */
/* What came out, in a paragraph. */
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "machine/result_diff_value.h"
#include "machine/result_words.h"
#include "report/page.h"
#include "report/recreate.h"

enum { LISTED_VALUES = 4, COUNTED_VALUES = 64, DIGITS = 4 };

static void write_real(double value, FILE *out)
{
    char text[NUMBER_BYTES];
    number_format_real(value, DIGITS, text);
    fputs(text, out);
}

/* " and " before the last of several, ", " before the others. */
static const char *separator(size_t i, size_t count)
{
    return i == 0 ? "" : i + 1 < count ? ", " : " and ";
}

/* --- The parts of the cycles ------------------------------------------------------------------------------------- */

/* The share of core.cycles that statistics with these words in their names have; false when there are no cycles. */
static bool cycle_share(const struct report *r, size_t row, const char *words, double *share)
{
    double cycles, part;
    *share = 0;
    if (!report_number(r, "core.cycles", row, &cycles) || cycles <= 0) {
        return false;
    }
    for (size_t i = 0; i < result_cycle_part_count; i++) {
        const char *stat = result_cycle_parts[i].stat;
        if (strstr(stat, words) != NULL && report_number(r, stat, row, &part)) {
            *share += part / cycles;
        }
    }
    return true;
}

/* --- One result -------------------------------------------------------------------------------------------------- */

static void write_experiment(const struct report *r, FILE *out)
{
    struct machine_params params;
    struct hv_err ignored = {""}; /* the walks say it */
    json_t *config = report_row(r->config, 0);
    if (recreate_params(config, &params, &ignored)) {
        fputs("The workload: ", out);
        result_describe_workload(&params.workload, out);
        fputs(". Paging is ", out);
        result_describe_paging(&params, out);
        fputs(". ", out);
    }
    json_decref(config);
}

static void write_shares(const struct report *r, FILE *out)
{
    double walks, data, base;
    if (cycle_share(r, 0, "walk", &walks) && cycle_share(r, 0, "data", &data) && cycle_share(r, 0, "base", &base)) {
        fprintf(out, "Of the cycles, %.1f %% went into page walks, %.1f %% into caches and memory, %.1f %% into "
                "issuing instructions and %.1f %% into the rest. ", walks * 100, data * 100, base * 100,
                (1 - walks - data - base) * 100);
    }
}

static void write_one(const struct report *r, FILE *out)
{
    double per_access, misses, walks, refs, cycles;
    write_experiment(r, out);
    if (report_number(r, "core.cycles_per_access", 0, &per_access)) {
        fputs("An access took ", out);
        write_real(per_access, out);
        fputs(" cycles on average. ", out);
    }
    write_shares(r, out);
    if (report_number(r, "tlb.l2.miss_ratio", 0, &misses)) {
        fprintf(out, "The second-level TLB missed %.1f %% of its look-ups. ", misses * 100);
    }
    if (report_number(r, "mmu.walks", 0, &walks) && report_number(r, "mmu.walk_refs_mean", 0, &refs) &&
        report_number(r, "mmu.walk_cycles_mean", 0, &cycles)) {
        fprintf(out, "There were %.0f page walks, of ", walks);
        write_real(refs, out);
        fputs(" references and ", out);
        write_real(cycles, out);
        fputs(" cycles on average. ", out);
    }
}

/* --- Several results --------------------------------------------------------------------------------------------- */

/* The different values of a column, up to COUNTED_VALUES of them. */
static json_t *distinct(const json_t *column)
{
    json_t *values = json_array(), *value;
    size_t i;
    json_array_foreach(column, i, value) {
        size_t k = 0;
        while (k < json_array_size(values) && !json_equal(json_array_get(values, k), value)) {
            k++;
        }
        if (k == json_array_size(values) && k < COUNTED_VALUES) {
            json_array_append(values, value);
        }
    }
    return values;
}

/* "paging.mode (native and nested)", or how many there are. */
static void write_axis(const json_t *axis, FILE *out)
{
    struct arena arena = {.newest = NULL};
    struct diff_style style = {.arena = &arena, .digits = DIGITS, .absent = "none", .for_people = true};
    const char *name = json_string_value(json_object_get(axis, "name"));
    json_t *values = distinct(json_object_get(axis, "values"));
    size_t count = json_array_size(values);
    fprintf(out, "%s (", name);
    if (count > LISTED_VALUES) {
        fprintf(out, "%zu%s values", count, count == COUNTED_VALUES ? " or more" : "");
    } else {
        for (size_t i = 0; i < count; i++) {
            fprintf(out, "%s%s", separator(i, count), diff_value_text(&style, name, json_array_get(values, i)));
        }
    }
    fputc(')', out);
    json_decref(values);
    arena_fini(&arena);
}

/* The results with the least and the most of a figure. */
struct range {
    bool any;
    double least, most;
    size_t least_row, most_row;
};

static void widen(struct range *range, double value, size_t row)
{
    if (!range->any || value < range->least) {
        range->least = value;
        range->least_row = row;
    }
    if (!range->any || value > range->most) {
        range->most = value;
        range->most_row = row;
    }
    range->any = true;
}

static const char *label(const struct report *r, size_t row)
{
    return json_string_value(json_object_get(json_array_get(r->points, row), "label"));
}

/* "An access took from 10 cycles (native) to 40 cycles (nested). " */
static void write_time(const struct report *r, const struct range *time, FILE *out)
{
    fputs("An access took ", out);
    if (time->least < time->most) {
        fputs("from ", out);
        write_real(time->least, out);
        fprintf(out, " cycles (%s) to ", label(r, time->least_row));
        write_real(time->most, out);
        fprintf(out, " cycles (%s). ", label(r, time->most_row));
    } else {
        write_real(time->most, out);
        fputs(" cycles in all of them. ", out);
    }
}

static void write_several(const struct report *r, const json_t *axes, FILE *out)
{
    size_t rows = json_array_size(r->points), count = json_array_size(axes);
    struct range time = {.any = false}, walks = {.any = false};
    double value;
    fprintf(out, "%zu results%s", rows, count > 0 ? ", which differ in " : ". ");
    for (size_t i = 0; i < count; i++) {
        fputs(separator(i, count), out);
        write_axis(json_array_get(axes, i), out);
    }
    fputs(count > 0 ? ". " : "", out);
    for (size_t i = 0; i < rows; i++) {
        if (report_number(r, "core.cycles_per_access", i, &value)) {
            widen(&time, value, i);
        }
        if (cycle_share(r, i, "walk", &value)) {
            widen(&walks, value * 100, i);
        }
    }
    if (time.any) {
        write_time(r, &time, out);
    }
    if (walks.any) {
        fprintf(out, "Page walks took from %.1f %% to %.1f %% of the cycles. ", walks.least, walks.most);
    }
}

/* --- The paragraph ----------------------------------------------------------------------------------------------- */

static size_t count_partial(const struct report *r)
{
    size_t count = 0, i;
    json_t *point;
    json_array_foreach(r->points, i, point) {
        count += json_is_false(json_object_get(point, "complete"));
    }
    return count;
}

json_t *report_summary(const struct report *r, const json_t *axes)
{
    char *text;
    size_t bytes, rows = json_array_size(r->points), partial = count_partial(r);
    FILE *out = open_memstream(&text, &bytes);
    HV_ASSERT(out != NULL, "out of memory");
    if (rows == 1) {
        write_one(r, out);
    } else {
        write_several(r, axes, out);
    }
    if (partial > 0 && rows == 1) {
        fputs("The run was interrupted, so these figures are partial.", out);
    } else if (partial > 0) {
        fprintf(out, "Interrupted, and so with partial figures: %zu of them.", partial);
    }
    fclose(out);
    if (bytes > 0 && text[bytes - 1] == ' ') {
        text[bytes - 1] = '\0'; /* each sentence leaves one for the next */
    }
    json_t *summary = page_text(text);
    free(text);
    return summary;
}
