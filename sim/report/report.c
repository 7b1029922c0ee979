/* SPDX-License-Identifier: MIT */
#include "report/report.h"

#include "base/text.h"
#include "base/types.h"
#include "machine/result_file.h"
#include "report/files.h"
#include "report/page.h"

void report_init(struct report *r)
{
    *r = (struct report){
        .title = json_string("results"), .points = json_array(), .config = json_object(), .stats = json_object(),
        .plots = json_array(), .tables = json_array(), .left_out = json_array(),
    };
}

void report_fini(struct report *r)
{
    json_t *all[] = {r->title, r->points, r->config, r->stats, r->plots, r->tables, r->left_out};
    for (size_t i = 0; i < HV_ARRAY_LEN(all); i++) {
        json_decref(all[i]);
    }
    *r = (struct report){.title = NULL};
}

/* --- Columns ----------------------------------------------------------------------------------------------------- */

/* Writes null into a column until it has so many rows. */
static void fill_up(json_t *column, size_t rows)
{
    while (json_array_size(column) < rows) {
        json_array_append_new(column, json_null());
    }
}

/* Adds a row. A value that is the one above is shared with it, since most parameters are the same everywhere. */
static void add_row(json_t *columns, json_t *row, size_t rows)
{
    const char *name;
    json_t *value;
    json_object_foreach(row, name, value) {
        json_t *column = json_object_get(columns, name);
        if (column == NULL) {
            column = json_array();
            json_object_set_new(columns, name, column);
        }
        fill_up(column, rows);
        json_t *above = rows > 0 ? json_array_get(column, rows - 1) : NULL;
        json_array_append(column, json_equal(above, value) ? above : value);
    }
}

json_t *report_row(json_t *columns, size_t row)
{
    json_t *object = json_object(), *column;
    const char *name;
    json_object_foreach(columns, name, column) {
        json_t *value = json_array_get(column, row);
        if (value != NULL && !json_is_null(value)) {
            json_object_set(object, name, value);
        }
    }
    return object;
}

bool report_varies(const json_t *column, size_t rows)
{
    for (size_t i = 1; i < rows; i++) {
        if (!json_equal(json_array_get(column, 0), json_array_get(column, i))) {
            return true;
        }
    }
    return false;
}

bool report_number(const struct report *r, const char *stat, size_t row, double *value)
{
    const json_t *number = json_array_get(json_object_get(r->stats, stat), row);
    *value = json_number_value(number);
    return json_is_number(number);
}

/* --- Results ----------------------------------------------------------------------------------------------------- */

/* What a sweep says about a point, if it is what a sweep writes: texts by name. */
static json_t *axes_of(const struct result_file *file)
{
    json_t *point = json_object_get(json_object_get(file->root, "sweep"), "point"), *value;
    const char *name;
    json_object_foreach(point, name, value) {
        if (!text_is_printable(name) || !json_is_string(value) || !text_is_printable(json_string_value(value))) {
            return json_null();
        }
    }
    return json_object_size(point) > 0 ? json_incref(point) : json_null();
}

void report_add(struct report *r, const struct result_file *file, const char *label)
{
    size_t rows = json_array_size(r->points);
    json_t *hvsim = json_sprintf("%s (%s)", file->version, file->commit);
    json_array_append_new(r->points, json_pack("{s:o, s:o, s:b, s:o}", "label", page_text(label), "hvsim", hvsim,
                                               "complete", file->complete, "axes", axes_of(file)));
    add_row(r->config, file->config, rows);
    add_row(r->stats, file->stats, rows);
}

/* --- The page ---------------------------------------------------------------------------------------------------- */

void report_write(const struct report *r, const char *version, const char *commit, FILE *out)
{
    static const char *const scripts[] = {
        report_page_js, report_walk_parts_js, report_walk_js, report_table_js, report_charts_js, report_report_js,
        report_start_js, NULL,
    };
    json_t *data = report_to_json(r, version, commit);
    page_write(data, scripts, out);
    json_decref(data);
}
