/* SPDX-License-Identifier: MIT */
#include "base/param_reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/param_value.h"

/* One line of the table, as text. */
struct reference_line {
    const struct param_ref *ref;
    char value[PARAM_VALUE_BYTES];
    char range[PARAM_VALUE_BYTES];
};

/* The default in the same spelling as any other value: the tables may say 1e6. */
static void read_default(const struct param_ref *ref, union param_value *value)
{
    char text[PARAM_VALUE_BYTES];
    struct hv_err err = { "" };
    struct hv_where where = { "default", 0, 0 };
    param_default_text(ref, text, sizeof(text));
    HV_ASSERT(param_parse(ref, text, value, &where, &err), "%s", err.text);
}

static struct reference_line *make_lines(const struct param_ref *all, size_t all_count, const char *pattern,
                                         size_t *count)
{
    struct reference_line *lines = calloc(all_count + 1, sizeof(*lines));
    HV_ASSERT(lines != NULL, "out of memory");
    *count = 0;
    for (size_t i = 0; i < all_count; i++) {
        if (print_matches(pattern, all[i].name)) {
            struct reference_line *line = &lines[(*count)++];
            union param_value value;
            line->ref = &all[i];
            read_default(&all[i], &value);
            param_format_member(all[i].row, &value, line->value, sizeof(line->value));
            param_range(all[i].row, line->range, sizeof(line->range));
        }
    }
    return lines;
}

static int wider(int width, const char *text)
{
    return (int)strlen(text) > width ? (int)strlen(text) : width;
}

static void print_text(const struct reference_line *lines, size_t count, FILE *out)
{
    int name = (int)strlen("name"), value = (int)strlen("default"), range = (int)strlen("range");
    int unit = (int)strlen("unit");
    for (size_t i = 0; i < count; i++) {
        name = wider(name, lines[i].ref->name);
        value = wider(value, lines[i].value);
        range = wider(range, lines[i].range);
        unit = wider(unit, lines[i].ref->row->unit);
    }
    fprintf(out, "%-*s  %-*s  %-*s  %-*s  %s\n", name, "name", value, "default", range, "range", unit, "unit", "help");
    for (size_t i = 0; i < count; i++) {
        const struct param_row *row = lines[i].ref->row;
        fprintf(out, "%-*s  %-*s  %-*s  %-*s  %s\n", name, lines[i].ref->name, value, lines[i].value, range,
                lines[i].range, unit, row->unit, row->help);
    }
}

static json_t *names_to_json(const char *const *names, uint32_t mask)
{
    json_t *array = json_array();
    for (size_t i = 0; names[i] != NULL; i++) {
        if (mask >> i & 1) {
            json_array_append_new(array, json_string(names[i]));
        }
    }
    return array;
}

static json_t *value_to_json(const struct param_row *row, const void *member)
{
    switch (row->type) {
    case PARAM_BOOL: return json_boolean(*(const bool *)member);
    case PARAM_WAYS:
        if (*(const uint64_t *)member == PARAM_WAYS_FULL) {
            return json_string("full");
        }
        return print_whole(*(const uint64_t *)member);
    case PARAM_COUNT:
    case PARAM_SIZE: return print_whole(*(const uint64_t *)member);
    case PARAM_REAL: return json_real(*(const double *)member);
    case PARAM_ENUM: return json_string(row->names[*(const uint32_t *)member]);
    case PARAM_SET: return names_to_json(row->names, *(const uint32_t *)member);
    case PARAM_TEXT: return json_string(member);
    }
    HV_ASSERT(false, "parameter %s has an unknown type", row->name);
}

static json_t *line_to_json(const struct reference_line *line)
{
    static const char *const type_names[] = { "bool", "count", "size", "real", "enum", "set", "ways", "text" };
    const struct param_row *row = line->ref->row;
    union param_value value;
    read_default(line->ref, &value);
    json_t *object = json_object();
    json_object_set_new(object, "name", json_string(line->ref->name));
    json_object_set_new(object, "type", json_string(type_names[row->type]));
    json_object_set_new(object, "default", value_to_json(row, &value));
    if (row->type == PARAM_ENUM || row->type == PARAM_SET) {
        json_t *choices = json_array();
        for (size_t i = 0; row->names[i] != NULL; i++) {
            json_array_append_new(choices, json_string(row->names[i]));
        }
        json_object_set_new(object, "choices", choices);
    } else {
        json_object_set_new(object, "range", json_string(line->range));
    }
    json_object_set_new(object, "unit", json_string(row->unit));
    json_object_set_new(object, "help", json_string(row->help));
    return object;
}

json_t *params_reference_to_json(const struct param_schema *schema, const char *pattern)
{
    size_t all_count, count;
    struct param_ref *all = param_all(schema, &all_count);
    struct reference_line *lines = make_lines(all, all_count, pattern, &count);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, line_to_json(&lines[i]));
    }
    free(lines);
    free(all);
    return array;
}

size_t params_print_reference(const struct param_schema *schema, const char *pattern, enum print_format format,
                              FILE *out)
{
    size_t all_count, count;
    if (format == PRINT_JSON) {
        json_t *array = params_reference_to_json(schema, pattern);
        count = json_array_size(array);
        print_json(array, out);
        return count;
    }
    struct param_ref *all = param_all(schema, &all_count);
    struct reference_line *lines = make_lines(all, all_count, pattern, &count);
    print_text(lines, count, out);
    free(lines);
    free(all);
    return count;
}

json_t *params_to_json(const struct param_schema *schema, const void *params)
{
    size_t count;
    struct param_ref *all = param_all(schema, &count);
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(object, all[i].name, value_to_json(all[i].row, param_member_const(&all[i], params)));
    }
    free(all);
    return object;
}
