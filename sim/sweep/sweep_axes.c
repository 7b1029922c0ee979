/* SPDX-License-Identifier: MIT */
/*
 * The axes of a sweep.
 *
 *     axes:
 *       tlb.l2.entries: [512, 1024, 1536]
 *       tlb.l2.ways: [4, 8, 12]
 *       paging.mode: [native, nested]
 *       zip: [[tlb.l2.entries, tlb.l2.ways]]     three pairs times two modes: six rows
 *
 * Names may be nested as in a configuration. The first axis turns slowest, as in nested loops; zipped axes turn where
 * the first of them stands.
 */
#include <stdlib.h>
#include <string.h>

#include "sweep/sweep_read.h"

static const char ZIP[] = "zip";

/* --- Axes --------------------------------------------------------------------------------------------------------- */

static bool add_axis(struct sweep *s, const char *name, enum sweep_axis_kind kind, const struct conf_node *node,
                     struct hv_err *err)
{
    struct hv_where where = conf_where(&s->doc, node);
    for (size_t i = 0; i < s->axis_count; i++) {
        if (strcmp(s->axes[i].name, name) == 0) {
            return hv_fail_at(err, &where, "axis %s is given twice, first at line %u", name, s->axes[i].where.line);
        }
    }
    struct sweep_axis *more = arena_alloc(&s->memory, (s->axis_count + 1) * sizeof(*more));
    if (s->axis_count > 0) {
        memcpy(more, s->axes, s->axis_count * sizeof(*more));
    }
    s->axes = more;
    struct sweep_axis *axis = &s->axes[s->axis_count];
    axis->name = arena_copy(&s->memory, name, strlen(name));
    axis->kind = kind;
    axis->where = where;
    if (kind == SWEEP_AXIS_PARAM && !params_find(&machine_schema, name, &axis->param)) {
        struct machine_params ignored;
        return params_set(&machine_schema, &ignored, name, "", &where, err); /* fails, with the nearest name */
    }
    if (node->kind != CONF_LIST || node->count == 0) {
        return hv_fail_at(err, &where, "axis %s takes a list of values, such as [a, b]%s", name,
                          node->kind == CONF_SCALAR && node->text[0] != '\0' ? "; one value for all goes into set" : "");
    }
    if (node->count > SWEEP_MAX_VALUES) {
        return hv_fail_at(err, &where, "axis %s has more than %d values", name, SWEEP_MAX_VALUES);
    }
    axis->values = arena_alloc(&s->memory, node->count * sizeof(*axis->values));
    for (size_t i = 0; i < node->count; i++) {
        if (!sweep_add_value(s, axis, &node->children[i], err)) {
            return false;
        }
    }
    s->axis_count++;
    return true;
}

bool sweep_add_source_axis(struct sweep *s, enum sweep_source source, const struct conf_node *list,
                           struct hv_err *err)
{
    static const enum sweep_axis_kind kinds[] = {
        [SWEEP_CONFIG] = SWEEP_AXIS_CONFIG, [SWEEP_WORKLOAD] = SWEEP_AXIS_WORKLOAD,
    };
    struct hv_where where = conf_where(&s->doc, list);
    return s->source[source] == NULL ? add_axis(s, sweep_source_names[source], kinds[source], list, err)
                                     : hv_fail_at(err, &where, "axis %s: there is a %s for all points as well; give "
                                                  "one of them", sweep_source_names[source], sweep_source_names[source]);
}

/* The map below `prefix`; conf.c bounds the depth of the recursion. */
static bool add_axes(struct sweep *s, const struct conf_node *map, const char *prefix, struct hv_err *err)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct conf_node *child = &map->children[i];
        char name[2 * PARAM_NAME_BYTES]; /* longer than any parameter, so that a name cut short is unknown as well */
        snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", child->key);
        bool ok = true, top = prefix[0] == '\0', map_below = child->kind == CONF_MAP;
        if (map_below) {
            ok = add_axes(s, child, name, err);
        } else if (top && strcmp(name, sweep_source_names[SWEEP_CONFIG]) == 0) {
            ok = sweep_add_source_axis(s, SWEEP_CONFIG, child, err);
        } else if (top && strcmp(name, sweep_source_names[SWEEP_WORKLOAD]) == 0) {
            ok = sweep_add_source_axis(s, SWEEP_WORKLOAD, child, err);
        } else if (!top || strcmp(name, ZIP) != 0) {
            ok = add_axis(s, name, SWEEP_AXIS_PARAM, child, err);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

long sweep_find_axis(const struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    struct hv_where where = conf_where_value(&s->doc, node);
    if (node->kind != CONF_SCALAR) {
        hv_fail_at(err, &where, "this takes the name of an axis");
        return -1;
    }
    const char **names = calloc(s->axis_count, sizeof(*names));
    HV_ASSERT(names != NULL, "out of memory");
    long found = -1;
    for (size_t i = 0; i < s->axis_count; i++) {
        names[i] = s->axes[i].name;
        found = strcmp(names[i], node->text) == 0 ? (long)i : found;
    }
    if (found < 0) {
        const char *nearest = nearest_name(node->text, names, s->axis_count);
        hv_fail_at(err, &where, "\"%.80s\" is no axis of this sweep%s%s%s", node->text,
                   nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "\"?" : "");
    }
    free(names);
    return found;
}

/* --- Wheels ------------------------------------------------------------------------------------------------------- */

#define ALONE SIZE_MAX /* the wheel of an axis that is in no group of zip */

/* Marks the axes of one zip group with its number. */
static bool zip_group(struct sweep *s, const struct conf_node *group, size_t number, struct hv_err *err)
{
    struct hv_where where = conf_where_value(&s->doc, group);
    const struct sweep_axis *first = NULL;
    if (group->kind != CONF_LIST || group->count < 2) {
        return hv_fail_at(err, &where, "zip takes groups of two or more axes: [[a, b], ...]");
    }
    for (size_t i = 0; i < group->count; i++) {
        long found = sweep_find_axis(s, &group->children[i], err);
        if (found < 0) {
            return false;
        }
        struct sweep_axis *axis = &s->axes[found];
        first = first == NULL ? axis : first;
        if (axis->wheel != ALONE) {
            return hv_fail_at(err, &where, "zip has axis %s twice", axis->name);
        }
        if (axis->count != first->count) {
            return hv_fail_at(err, &where, "zip: %s has %zu values and %s has %zu; lists that go in step are of one "
                              "length", first->name, first->count, axis->name, axis->count);
        }
        axis->wheel = number;
    }
    return true;
}

static bool zip(struct sweep *s, const struct conf_node *groups, struct hv_err *err)
{
    for (size_t i = 0; i < s->axis_count; i++) {
        s->axes[i].wheel = ALONE;
    }
    if (groups != NULL && groups->kind != CONF_LIST) {
        struct hv_where where = conf_where(&s->doc, groups);
        return hv_fail_at(err, &where, "zip takes a list of groups of axes: [[a, b], ...]");
    }
    for (size_t i = 0; groups != NULL && i < groups->count; i++) {
        if (!zip_group(s, &groups->children[i], i, err)) {
            return false;
        }
    }
    return true;
}

/* Numbers the wheels in the order in which their first axes stand. */
static void make_wheels(struct sweep *s, size_t groups)
{
    size_t *wheel_of_group = arena_alloc(&s->memory, (groups + 1) * sizeof(*wheel_of_group)); /* plus 1; 0: none yet */
    s->wheels = arena_alloc(&s->memory, (s->axis_count + 1) * sizeof(*s->wheels));
    for (size_t i = 0; i < s->axis_count; i++) {
        struct sweep_axis *axis = &s->axes[i];
        size_t *wheel = axis->wheel == ALONE ? NULL : &wheel_of_group[axis->wheel];
        if (wheel != NULL && *wheel > 0) {
            axis->wheel = *wheel - 1;
            continue;
        }
        s->wheels[s->wheel_count] = axis->count;
        axis->wheel = s->wheel_count++;
        if (wheel != NULL) {
            *wheel = s->wheel_count;
        }
    }
}

static bool count_rows(struct sweep *s, struct hv_err *err)
{
    struct hv_where where = s->axes[0].where;
    s->rows = 1;
    for (size_t i = 0; i < s->wheel_count; i++) {
        if (s->wheels[i] > SWEEP_MAX_POINTS / s->rows) {
            return hv_fail_at(err, &where, "the axes have more than %d combinations; take fewer values",
                              SWEEP_MAX_POINTS);
        }
        s->rows *= s->wheels[i];
    }
    return true;
}

bool sweep_read_axes(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    struct hv_where where = node == NULL ? (struct hv_where){s->doc.file, 1, 1} : conf_where(&s->doc, node);
    if (node != NULL && node->kind != CONF_MAP) {
        return hv_fail_at(err, &where, "axes takes a map of parameters with lists of values, such as "
                          "{paging.mode: [native, nested]}");
    }
    const struct conf_node *groups = node == NULL ? NULL : conf_get(node, ZIP);
    if (node != NULL && !add_axes(s, node, "", err)) {
        return false;
    }
    if (s->axis_count == 0) {
        return hv_fail_at(err, &where, "a sweep needs axes: parameters with lists of values, such as "
                          "{paging.mode: [native, nested]}");
    }
    if (!zip(s, groups, err)) {
        return false;
    }
    make_wheels(s, groups == NULL ? 0 : groups->count);
    return count_rows(s, err);
}

const struct sweep_value *sweep_value(const struct sweep *s, size_t row, const struct sweep_axis *axis)
{
    for (size_t wheel = s->wheel_count; wheel-- > axis->wheel + 1;) {
        row /= s->wheels[wheel];
    }
    return &axis->values[row % s->wheels[axis->wheel]];
}
