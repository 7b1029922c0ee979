/* SPDX-License-Identifier: MIT */
/* The data of a report's page: columns with what the tables of parameters and statistics say about them. */
#include <ctype.h>
#include <string.h>

#include "base/param_reference.h"
#include "base/stat_print.h"
#include "machine/machine.h"
#include "machine/result_words.h"
#include "report/report.h"

enum { MAX_AXES = 12 };

/* --- Axes -------------------------------------------------------------------------------------------------------- */

static json_t *axis(const char *name, json_t *values)
{
    return json_pack("{s:s, s:o}", "name", name, "values", values);
}

/* Whether all results are of sweeps with the same axes. */
static bool is_swept(const struct report *r)
{
    json_t *first = json_object_get(json_array_get(r->points, 0), "axes"), *point, *value;
    const char *name;
    size_t i;
    json_array_foreach(r->points, i, point) {
        json_t *axes = json_object_get(point, "axes");
        if (json_object_size(axes) == 0 || json_object_size(axes) != json_object_size(first)) {
            return false;
        }
        json_object_foreach(axes, name, value) {
            if (json_object_get(first, name) == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* An axis that is no parameter (a whole configuration, a workload) has the names that the sweep gave its values. */
static json_t *axis_of_sweep(const struct report *r, const char *name)
{
    json_t *column = json_object_get(r->config, name), *values = json_array(), *point;
    size_t i;
    if (column != NULL) {
        json_decref(values);
        return axis(name, json_incref(column));
    }
    json_array_foreach(r->points, i, point) {
        json_array_append(values, json_object_get(json_object_get(point, "axes"), name));
    }
    return axis(name, values);
}

json_t *report_axes(const struct report *r)
{
    json_t *axes = json_array(), *value;
    const char *name;
    size_t rows = json_array_size(r->points);
    bool swept = is_swept(r);
    if (swept) {
        json_object_foreach(json_object_get(json_array_get(r->points, 0), "axes"), name, value) {
            json_array_append_new(axes, axis_of_sweep(r, name));
        }
    }
    json_object_foreach(r->config, name, value) {
        bool wanted = !swept || strcmp(name, "workload.seed") == 0;
        if (wanted && report_varies(value, rows) && json_array_size(axes) < MAX_AXES) {
            json_array_append_new(axes, axis(name, json_incref(value)));
        }
    }
    return axes;
}

/* --- What the tables say ----------------------------------------------------------------------------------------- */

/* The rows of a reference by their names; the reference is given away. */
static json_t *by_name(json_t *reference)
{
    json_t *object = json_object(), *row;
    size_t i;
    json_array_foreach(reference, i, row) {
        json_object_set(object, json_string_value(json_object_get(row, "name")), row);
    }
    json_decref(reference);
    return object;
}

static json_t *known_stats(void)
{
    struct stat_registry registry;
    stats_init(&registry);
    machine_register_stats(NULL, &registry);
    json_t *known = by_name(stats_reference_to_json(&registry, NULL));
    stats_fini(&registry);
    return known;
}

/* What is known about a name. Rows of one core (core3.accesses) have the words of those of all (core.accesses). */
static json_t *find_known(const json_t *known, const char *name)
{
    char general[STAT_NAME_BYTES];
    const char *rest = name + strlen("core");
    json_t *row = json_object_get(known, name);
    if (row != NULL || strncmp(name, "core", strlen("core")) != 0 || !isdigit((unsigned char)*rest)) {
        return row;
    }
    rest += strspn(rest, "0123456789");
    snprintf(general, sizeof(general), "core%s", rest);
    return json_object_get(known, general);
}

/* An array of {"name", what is known of it, and "value" or, when it is not the same everywhere, "values"}. */
static json_t *describe_columns(json_t *columns, json_t *known, size_t rows)
{
    json_t *array = json_array(), *column;
    const char *name;
    json_object_foreach(columns, name, column) {
        json_t *object = json_object();
        json_object_update(object, find_known(known, name)); /* nothing, of one that another hvsim knew */
        json_object_set_new(object, "name", json_string(name));
        if (report_varies(column, rows)) {
            json_object_set(object, "values", column);
        } else {
            json_object_set(object, "value", json_array_get(column, 0));
        }
        json_array_append_new(array, object);
    }
    json_decref(known);
    return array;
}

/* --- The document ------------------------------------------------------------------------------------------------ */

static json_t *key_figures(void)
{
    json_t *array = json_array();
    for (size_t i = 0; i < result_key_figure_count; i++) {
        const struct key_figure *f = &result_key_figures[i];
        json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:f, s:i}", "stat", f->stat, "label", f->label, "unit",
                                               f->unit, "scale", f->scale, "decimals", f->decimals));
    }
    return array;
}

static json_t *cycle_parts(void)
{
    json_t *array = json_array();
    for (size_t i = 0; i < result_cycle_part_count; i++) {
        json_array_append_new(array, json_pack("{s:s, s:s}", "stat", result_cycle_parts[i].stat, "label",
                                               result_cycle_parts[i].label));
    }
    return array;
}

json_t *report_to_json(const struct report *r, const char *version, const char *commit)
{
    size_t rows = json_array_size(r->points);
    json_t *axes = report_axes(r);
    json_t *data = json_pack("{s:s, s:O, s:o, s:o, s:O, s:O, s:O, s:O}", "page", "report", "title", r->title, "hvsim",
                             json_pack("{s:s, s:s}", "version", version, "commit", commit), "summary",
                             report_summary(r, axes), "points", r->points, "plots", r->plots, "tables", r->tables,
                             "left_out", r->left_out);
    json_object_set_new(data, "axes", axes);
    json_object_set_new(data, "swept", json_boolean(is_swept(r)));
    json_object_set_new(data, "key_figures", key_figures());
    json_object_set_new(data, "cycle_parts", cycle_parts());
    json_t *params = by_name(params_reference_to_json(&machine_schema, NULL));
    json_object_set_new(data, "config", describe_columns(r->config, params, rows));
    json_object_set_new(data, "stats", describe_columns(r->stats, known_stats(), rows));
    report_walks(r, data);
    return data;
}
