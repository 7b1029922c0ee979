/* SPDX-License-Identifier: MIT */
#include "base/stat_print.h"

#include <inttypes.h>
#include <string.h>

/* The value as text; absent stands for a ratio to zero. */
static void format_value(const struct stat_registry *registry, size_t i, int digits, const char *absent,
                         char text[NUMBER_BYTES])
{
    double value;
    if (registry->items[i].kind != STAT_RATIO) {
        snprintf(text, NUMBER_BYTES, "%" PRIu64, stats_whole(registry, i));
    } else if (stats_value(registry, i, &value)) {
        number_format_real(value, digits, text);
    } else {
        snprintf(text, NUMBER_BYTES, "%s", absent);
    }
}

json_t *stats_to_json(const struct stat_registry *registry)
{
    json_t *object = json_object();
    for (size_t i = 0; i < registry->count; i++) {
        const struct stat_item *item = &registry->items[i];
        json_t *number;
        double value;
        if (item->kind != STAT_RATIO) {
            number = print_whole(stats_whole(registry, i));
        } else {
            number = stats_value(registry, i, &value) ? json_real(value) : json_null();
        }
        json_object_set_new(object, item->name, number);
    }
    return object;
}

void stats_write_csv(const struct stat_registry *registry, FILE *out)
{
    fputs("name,value,unit\n", out);
    for (size_t i = 0; i < registry->count; i++) {
        char value[NUMBER_BYTES];
        format_value(registry, i, NUMBER_DIGITS_DATA, "", value);
        fprintf(out, "%s,%s,%s\n", registry->items[i].name, value, registry->items[i].unit);
    }
}

/* How much of the name is its prefix: "mmu.grid.g4.h2." */
static size_t prefix_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? 0 : (size_t)(dot - name) + 1;
}

static bool is_zero(const struct stat_registry *registry, size_t i)
{
    double value;
    return !stats_value(registry, i, &value) || value == 0;
}

/* Do all rows that share the prefix of row i say nothing? Groups of two segments ("mmu.*") are always shown. */
static bool in_zero_group(const struct stat_registry *registry, size_t i)
{
    const char *name = registry->items[i].name;
    size_t length = prefix_length(name);
    if (length == 0 || memchr(name, '.', length - 1) == NULL) {
        return false;
    }
    for (size_t j = 0; j < registry->count; j++) {
        const char *other = registry->items[j].name;
        if (prefix_length(other) == length && strncmp(other, name, length) == 0 && !is_zero(registry, j)) {
            return false;
        }
    }
    return true;
}

static bool same_first_segment(const char *a, const char *b)
{
    size_t length = strcspn(a, ".");
    return strcspn(b, ".") == length && strncmp(a, b, length) == 0;
}

static int wider(int width, const char *text)
{
    return (int)strlen(text) > width ? (int)strlen(text) : width;
}

void stats_write_text(const struct stat_registry *registry, enum stats_zeros zeros, FILE *out)
{
    char value[NUMBER_BYTES];
    int name_width = 0, value_width = 0, unit_width = 0;
    for (size_t i = 0; i < registry->count; i++) {
        format_value(registry, i, NUMBER_DIGITS_TEXT, "-", value);
        name_width = wider(name_width, registry->items[i].name);
        value_width = wider(value_width, value);
        unit_width = wider(unit_width, registry->items[i].unit);
    }
    const struct stat_item *previous = NULL;
    for (size_t i = 0; i < registry->count; i++) {
        const struct stat_item *item = &registry->items[i];
        if (zeros == STATS_HIDE_ZERO_GROUPS && in_zero_group(registry, i)) {
            continue;
        }
        if (previous != NULL && !same_first_segment(previous->name, item->name)) {
            fputc('\n', out);
        }
        previous = item;
        format_value(registry, i, NUMBER_DIGITS_TEXT, "-", value);
        fprintf(out, "%-*s  %*s  %-*s  # %s\n", name_width, item->name, value_width, value, unit_width, item->unit,
                item->help);
    }
}

json_t *stats_reference_to_json(const struct stat_registry *registry, const char *pattern)
{
    json_t *array = json_array();
    for (size_t i = 0; i < registry->count; i++) {
        const struct stat_item *item = &registry->items[i];
        if (print_matches(pattern, item->name)) {
            json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "name", item->name, "unit", item->unit, "help",
                                                   item->help));
        }
    }
    return array;
}

size_t stats_print_reference(const struct stat_registry *registry, const char *pattern, enum print_format format,
                             FILE *out)
{
    size_t count = 0;
    if (format == PRINT_JSON) {
        json_t *array = stats_reference_to_json(registry, pattern);
        count = json_array_size(array);
        print_json(array, out);
        return count;
    }
    int name_width = (int)strlen("name"), unit_width = (int)strlen("unit");
    for (size_t i = 0; i < registry->count; i++) {
        if (print_matches(pattern, registry->items[i].name)) {
            name_width = wider(name_width, registry->items[i].name);
            unit_width = wider(unit_width, registry->items[i].unit);
            count++;
        }
    }
    fprintf(out, "%-*s  %-*s  %s\n", name_width, "name", unit_width, "unit", "help");
    for (size_t i = 0; i < registry->count; i++) {
        const struct stat_item *item = &registry->items[i];
        if (print_matches(pattern, item->name)) {
            fprintf(out, "%-*s  %-*s  %s\n", name_width, item->name, unit_width, item->unit, item->help);
        }
    }
    return count;
}
