/* SPDX-License-Identifier: MIT */
#include "machine/result_diff_value.h"

#include <inttypes.h>
#include <string.h>

#include "machine/params.h"

const char *diff_number_text(const struct diff_style *style, const struct diff_number *number)
{
    char *text = arena_alloc(style->arena, NUMBER_BYTES);
    switch (number->kind) {
    case DIFF_ABSENT: return style->absent;
    case DIFF_WHOLE: snprintf(text, NUMBER_BYTES, "%" PRId64, number->whole); break;
    case DIFF_REAL: number_format_real(number->real, style->digits, text); break;
    }
    return text;
}

/* "[4k, 2m]" */
static const char *list_text(const struct diff_style *style, const json_t *list)
{
    size_t bytes = sizeof("[]"), i;
    json_t *element;
    json_array_foreach(list, i, element) {
        bytes += strlen(json_string_value(element)) + strlen(", ");
    }
    char *text = arena_alloc(style->arena, bytes), *end = stpcpy(text, "[");
    json_array_foreach(list, i, element) {
        end = stpcpy(stpcpy(end, i > 0 ? ", " : ""), json_string_value(element));
    }
    stpcpy(end, "]");
    return text;
}

static bool is_size(const char *name, const json_t *value)
{
    struct param_ref ref;
    return json_is_integer(value) && json_integer_value(value) >= 0 && params_find(&machine_schema, name, &ref) &&
           ref.row->type == PARAM_SIZE;
}

const char *diff_value_text(const struct diff_style *style, const char *name, const json_t *value)
{
    char *text = arena_alloc(style->arena, NUMBER_BYTES);
    switch (json_typeof(value)) {
    case JSON_ARRAY: return list_text(style, value);
    case JSON_STRING: return style->for_people && json_string_length(value) == 0 ? "\"\"" : json_string_value(value);
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_REAL: number_format_real(json_real_value(value), style->digits, text); return text;
    case JSON_INTEGER:
        if (style->for_people && is_size(name, value)) {
            number_format_size((uint64_t)json_integer_value(value), text);
        } else {
            snprintf(text, NUMBER_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        }
        return text;
    default: return style->absent;
    }
}
