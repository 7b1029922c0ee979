/* SPDX-License-Identifier: MIT */
/* The values of an axis: as text for the parameter, as people read them, and as a table has them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "sweep/sweep_read.h"

enum { TEXT_BYTES = 2 * PARAM_TEXT_BYTES };

static bool check_new(const struct sweep_axis *axis, const struct sweep_value *value, const struct hv_where *where,
                      struct hv_err *err)
{
    for (size_t i = 0; i < axis->count; i++) {
        if (strcmp(axis->values[i].label, value->label) == 0) {
            return hv_fail_at(err, where, "axis %s has the value %.80s twice", axis->name, value->label);
        }
    }
    return true;
}

/* A word in a table: gnuplot ends a field at a comma even within quotes. */
static const char *make_cell(struct sweep *s, const char *label)
{
    char *cell = arena_copy(&s->memory, label, strlen(label)), *to = cell;
    for (const char *c = label; *c != '\0'; c++) {
        if (c[0] == ',' && c[1] == ' ') { /* "[4k, 2m]" becomes "[4k 2m]" */
            continue;
        }
        *to++ = *c == ',' ? ';' : *c == '"' ? '\'' : *c;
    }
    *to = '\0';
    return cell;
}

/* What a value is as a number: that a table and a plot can use, without a unit. */
static void measure(const struct sweep_axis *axis, struct sweep_value *value, char cell[NUMBER_BYTES])
{
    uint64_t whole = 0;
    switch (axis->param.row->type) {
    case PARAM_COUNT:
    case PARAM_WAYS: value->is_number = number_parse_count(value->label, &whole) == NUMBER_OK; break;
    case PARAM_SIZE: value->is_number = number_parse_size(value->label, &whole) == NUMBER_OK; break;
    case PARAM_REAL: value->is_number = number_parse_real(value->label, &value->number) == NUMBER_OK; return;
    default: return;
    }
    if (value->is_number) {
        value->number = (double)whole;
        snprintf(cell, NUMBER_BYTES, "%" PRIu64, whole);
    }
}

/* "[4k, 2m]" of a list that is one value, which a set is. */
static bool join_list(const struct sweep *s, const struct sweep_axis *axis, const struct conf_node *node,
                      char text[TEXT_BYTES], struct hv_err *err)
{
    struct hv_where where = conf_where_value(&s->doc, node);
    size_t used = (size_t)snprintf(text, TEXT_BYTES, "[");
    for (size_t i = 0; i < node->count; i++) {
        const struct conf_node *name = &node->children[i];
        if (name->kind != CONF_SCALAR || strlen(name->text) > TEXT_BYTES - used - sizeof(", ]")) {
            return hv_fail_at(err, &where, "a value of axis %s is no list of names", axis->name);
        }
        used += (size_t)snprintf(text + used, TEXT_BYTES - used, "%s%s", i > 0 ? ", " : "", name->text);
    }
    memcpy(text + used, "]", sizeof("]"));
    return true;
}

static bool value_text(const struct sweep *s, const struct sweep_axis *axis, const struct conf_node *node,
                       char text[TEXT_BYTES], struct hv_err *err)
{
    struct hv_where where = conf_where_value(&s->doc, node);
    bool set = axis->kind == SWEEP_AXIS_PARAM && axis->param.row->type == PARAM_SET;
    if (node->kind == CONF_LIST && set) {
        return join_list(s, axis, node, text, err);
    }
    if (node->kind != CONF_SCALAR || strlen(node->text) >= TEXT_BYTES) {
        return hv_fail_at(err, &where, "a value of axis %s is %s; it takes a list of plain values", axis->name,
                          node->kind == CONF_MAP ? "a map" : node->kind == CONF_LIST ? "a list" : "too long");
    }
    strcpy(text, node->text);
    return true;
}

static bool judge_param(struct sweep *s, struct sweep_axis *axis, struct sweep_value *value,
                        const struct hv_where *where, struct hv_err *err)
{
    char label[TEXT_BYTES], cell[NUMBER_BYTES] = "";
    struct machine_params *scratch = calloc(1, sizeof(*scratch));
    HV_ASSERT(scratch != NULL, "out of memory");
    machine_params_init(scratch);
    bool ok = params_set(&machine_schema, scratch, axis->name, value->text, where, err);
    if (ok) {
        params_format(&axis->param, scratch, label, sizeof(label));
        value->label = arena_copy(&s->memory, label, strlen(label));
        measure(axis, value, cell);
        value->cell = make_cell(s, cell[0] == '\0' ? label : cell);
    }
    free(scratch);
    return ok;
}

/* A shipped file's name as it is; of a path the file's name alone, without its ending. */
static const char *label_source(struct sweep *s, const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = slash == NULL ? NULL : strrchr(slash, '.');
    if (slash == NULL || slash[1] == '\0' || dot == slash + 1) {
        return name;
    }
    return arena_copy(&s->memory, slash + 1, dot == NULL ? strlen(slash + 1) : (size_t)(dot - slash - 1));
}

static bool judge_source(struct sweep *s, const struct sweep_axis *axis, struct sweep_value *value,
                         const struct hv_where *where, struct hv_err *err)
{
    enum sweep_source kind = axis->kind == SWEEP_AXIS_CONFIG ? SWEEP_CONFIG : SWEEP_WORKLOAD;
    char path[PATH_MAX];
    struct hv_err why = {""};
    if (!s->host->find(kind, value->text, s->doc.file, path, &why)) {
        return hv_fail_at(err, where, "%s", why.text);
    }
    value->label = label_source(s, value->text);
    value->cell = make_cell(s, value->label);
    value->text = arena_copy(&s->memory, path, strlen(path));
    return true;
}

bool sweep_add_value(struct sweep *s, struct sweep_axis *axis, const struct conf_node *node, struct hv_err *err)
{
    char text[TEXT_BYTES];
    struct hv_where where = conf_where_value(&s->doc, node);
    struct sweep_value *value = &axis->values[axis->count];
    if (!value_text(s, axis, node, text, err)) {
        return false;
    }
    value->text = arena_copy(&s->memory, text, strlen(text));
    bool ok = axis->kind == SWEEP_AXIS_PARAM
                  ? judge_param(s, axis, value, &where, err)
                  : sweep_read_word(s, node, axis->name, "a list of names", err) != NULL &&
                        judge_source(s, axis, value, &where, err);
    if (!ok || !check_new(axis, value, &where, err)) {
        return false;
    }
    axis->count++;
    return true;
}
