/* SPDX-License-Identifier: MIT */
/* A difference as programs read it, JSON and CSV, and the choice of the form. */
#include <math.h>
#include <string.h>

#include "machine/result_diff_value.h"

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *number_to_json(const struct diff_number *number)
{
    return number->kind == DIFF_WHOLE  ? json_integer(number->whole)
           : number->kind == DIFF_REAL ? real_or_null(number->real)
                                       : json_null();
}

static json_t *side_to_json(const struct result_file *file)
{
    json_t *object = json_object();
    json_t *path = json_string(file->path);
    json_object_set_new(object, "file", path != NULL ? path : json_null()); /* a file name need not be UTF-8 */
    json_object_set_new(object, "version", json_string(file->version));
    json_object_set_new(object, "commit", json_string(file->commit));
    json_object_set_new(object, "complete", json_boolean(file->complete));
    return object;
}

static json_t *params_to_array(const struct result_diff *d)
{
    json_t *array = json_array();
    for (size_t i = 0; i < d->param_count; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "name", json_string(d->params[i].name));
        json_object_set_new(object, "a", json_deep_copy(d->params[i].value[0]));
        json_object_set_new(object, "b", json_deep_copy(d->params[i].value[1]));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *stats_to_array(const struct result_diff *d)
{
    json_t *array = json_array();
    for (size_t i = 0; i < d->stat_count; i++) {
        const struct diff_stat *s = &d->stats[i];
        json_t *object = json_object();
        json_object_set_new(object, "name", json_string(s->name));
        json_object_set_new(object, "a", number_to_json(&s->value[0]));
        json_object_set_new(object, "b", number_to_json(&s->value[1]));
        json_object_set_new(object, "change", number_to_json(&s->change));
        json_object_set_new(object, "percent", real_or_null(s->percent));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *only_to_json(const struct diff_only_list *list)
{
    json_t *object = json_object();
    for (size_t i = 0; i < list->count; i++) {
        json_object_set_new(object, list->items[i].name, json_deep_copy(list->items[i].value));
    }
    return object;
}

void result_diff_write_json(const struct result_diff *d, FILE *out)
{
    static const char *const only_names[DIFF_SIDES] = {"only_a", "only_b"};
    json_t *object = json_object();
    json_object_set_new(object, "a", side_to_json(d->side[0]));
    json_object_set_new(object, "b", side_to_json(d->side[1]));
    json_object_set_new(object, "config", params_to_array(d));
    json_object_set_new(object, "stats", stats_to_array(d));
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        json_t *only = json_object();
        json_object_set_new(only, "config", only_to_json(&d->only_params[side]));
        json_object_set_new(only, "stats", only_to_json(&d->only_stats[side]));
        json_object_set_new(object, only_names[side], only);
    }
    print_json(object, out);
}

/* --- CSV --------------------------------------------------------------------------------------------------------- */

/* Quoted only where it must be, as in RFC 4180. */
static void write_field(const char *text, char end, FILE *out)
{
    if (strpbrk(text, ",\"") == NULL) {
        fputs(text, out);
    } else {
        fputc('"', out);
        for (; *text != '\0'; text++) {
            if (*text == '"') {
                fputc('"', out);
            }
            fputc(*text, out);
        }
        fputc('"', out);
    }
    fputc(end, out);
}

static void write_csv_only(const struct diff_only_list *list, const char *section, unsigned side,
                           const struct diff_style *style, FILE *out)
{
    for (size_t i = 0; i < list->count; i++) {
        fprintf(out, "%s,%s,%s", section, list->items[i].name, side == 0 ? "" : ",");
        write_field(diff_value_text(style, list->items[i].name, list->items[i].value), ',', out);
        fputs(side == 0 ? ",,\n" : ",\n", out);
    }
}

void result_diff_write_csv(const struct result_diff *d, FILE *out)
{
    struct arena arena = {NULL, 0};
    const struct diff_style style = {&arena, NUMBER_DIGITS_DATA, "", false};
    fputs("section,name,a,b,change,percent\n", out);
    for (size_t i = 0; i < d->param_count; i++) {
        const struct diff_param *p = &d->params[i];
        fprintf(out, "config,%s,", p->name);
        write_field(diff_value_text(&style, p->name, p->value[0]), ',', out);
        write_field(diff_value_text(&style, p->name, p->value[1]), ',', out);
        fputs(",\n", out);
    }
    for (size_t i = 0; i < d->stat_count; i++) {
        const struct diff_stat *s = &d->stats[i];
        char percent[NUMBER_BYTES] = "";
        if (s->change.kind != DIFF_ABSENT) {
            number_format_real(s->percent, NUMBER_DIGITS_DATA, percent);
        }
        fprintf(out, "stats,%s,%s,%s,%s,%s\n", s->name, diff_number_text(&style, &s->value[0]),
                diff_number_text(&style, &s->value[1]), diff_number_text(&style, &s->change), percent);
    }
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        write_csv_only(&d->only_params[side], side == 0 ? "config_only_a" : "config_only_b", side, &style, out);
        write_csv_only(&d->only_stats[side], side == 0 ? "stats_only_a" : "stats_only_b", side, &style, out);
    }
    arena_fini(&arena);
}

/* --- the choice -------------------------------------------------------------------------------------------------- */

void result_diff_print(const struct result_diff *d, enum print_format format, FILE *out)
{
    static void (*const writers[])(const struct result_diff *, FILE *) = {
        [PRINT_TEXT] = result_diff_write_text,
        [PRINT_JSON] = result_diff_write_json,
        [PRINT_CSV] = result_diff_write_csv,
    };
    writers[format](d, out);
}
