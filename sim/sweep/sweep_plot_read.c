/* SPDX-License-Identifier: MIT */
/*
 * What a sweep file says about its plot.
 *
 *     plot: {kind: lines, x: tlb.l2.entries, y: core.cpi, by: paging.mode, log: x}
 */
#include <stdlib.h>
#include <string.h>

#include "sweep/plot.h"
#include "sweep/sweep_read.h"

static sweep_reader read_kind, read_x, read_by, read_y, read_per, read_log, read_title, read_x_label, read_y_label;

static const struct plot_key {
    const char *name;
    sweep_reader *read;
} keys[] = {
    {"kind", read_kind}, {"x", read_x}, {"by", read_by}, {"y", read_y}, {"per", read_per}, {"log", read_log},
    {"title", read_title}, {"xlabel", read_x_label}, {"ylabel", read_y_label},
};

static bool read_kind(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    const char *names[8] = {NULL};
    HV_ASSERT(sweep_plot_kind_count < HV_ARRAY_LEN(names), "too many kinds of plots");
    s->plot.kind = &sweep_plot_kinds[0];
    const char *word = node == NULL ? s->plot.kind->name : sweep_read_word(s, node, "kind", "a kind of plot", err);
    if (word == NULL) {
        return false;
    }
    char list[128] = "";
    for (size_t i = 0, used = 0; i < sweep_plot_kind_count; i++) {
        const char *name = names[i] = sweep_plot_kinds[i].name;
        if (strcmp(name, word) == 0) {
            s->plot.kind = &sweep_plot_kinds[i];
            return true;
        }
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", name);
    }
    struct hv_where where = conf_where_value(&s->doc, node);
    const char *nearest = nearest_name(word, names, sweep_plot_kind_count);
    return hv_fail_at(err, &where, "kind: \"%.80s\" is not one of %s%s%s%s", word, list,
                      nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                      nearest != NULL ? "\"?" : "");
}

static bool read_x(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    long axis = node == NULL ? 0 : sweep_find_axis(s, node, err);
    s->plot.x = (size_t)axis;
    return axis >= 0;
}

/* --- by ----------------------------------------------------------------------------------------------------------- */

/* Whether a plot tells apart what the axis varies, if anything: it, or one that is zipped with it, is x or in by. */
static bool is_drawn(const struct sweep *s, const struct sweep_axis *axis)
{
    bool drawn = s->axes[s->plot.x].wheel == axis->wheel || axis->count == 1;
    for (size_t i = 0; i < s->plot.by_count; i++) {
        drawn |= s->axes[s->plot.by[i]].wheel == axis->wheel;
    }
    return drawn;
}

/* Every axis that is not drawn yet. */
static void complete_by(struct sweep *s)
{
    for (size_t i = 0; i < s->axis_count; i++) {
        if (!is_drawn(s, &s->axes[i])) {
            s->plot.by[s->plot.by_count++] = i;
        }
    }
}

static bool add_by(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    long axis = sweep_find_axis(s, node, err);
    struct hv_where where = conf_where_value(&s->doc, node);
    for (size_t i = 0; axis >= 0 && i < s->plot.by_count; i++) {
        if (s->plot.by[i] == (size_t)axis) {
            return hv_fail_at(err, &where, "by has axis %s twice", s->axes[axis].name);
        }
    }
    if (axis < 0) {
        return false;
    }
    if ((size_t)axis == s->plot.x) {
        return hv_fail_at(err, &where, "axis %s is x already", s->axes[axis].name);
    }
    s->plot.by[s->plot.by_count++] = (size_t)axis;
    return true;
}

static bool read_by(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    s->plot.by = arena_alloc(&s->memory, (s->axis_count + 1) * sizeof(*s->plot.by));
    if (node == NULL) {
        complete_by(s);
        return true;
    }
    struct hv_where where = conf_where(&s->doc, node);
    bool list = node->kind == CONF_LIST, ok = true;
    for (size_t i = 0; ok && i < (list ? node->count : 1); i++) {
        ok = add_by(s, list ? &node->children[i] : node, err);
    }
    for (size_t i = 0; ok && i < s->axis_count; i++) {
        if (!is_drawn(s, &s->axes[i])) {
            return hv_fail_at(err, &where, "axis %s is neither x nor in by, so its values would be drawn over each "
                              "other; by takes a list of axes as well", s->axes[i].name);
        }
    }
    return ok;
}

/* --- y, per, log -------------------------------------------------------------------------------------------------- */

static bool read_y(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    bool list = node != NULL && node->kind == CONF_LIST;
    size_t count = list ? node->count : 1;
    s->plot.y = arena_alloc(&s->memory, (s->metric_count + 1) * sizeof(*s->plot.y));
    if (node == NULL) { /* as many of the metrics as the kind can show */
        s->plot.y_count = s->plot.kind->min_y > 1 ? s->metric_count : 1;
        for (size_t i = 0; i < s->plot.y_count; i++) {
            s->plot.y[i] = i;
        }
        return true;
    }
    struct hv_where where = conf_where(&s->doc, node);
    for (size_t i = 0; i < count; i++) {
        long metric = sweep_find_metric(s, list ? &node->children[i] : node, err);
        if (metric < 0) {
            return false;
        }
        if (s->plot.y_count == s->metric_count) {
            return hv_fail_at(err, &where, "y has a metric twice");
        }
        s->plot.y[s->plot.y_count++] = (size_t)metric;
    }
    return true;
}

static bool read_per(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    s->plot.per = node == NULL ? -1 : sweep_find_metric(s, node, err);
    return node == NULL || s->plot.per >= 0;
}

/* Whether x is drawn to scale: it is a number in every row. */
static bool is_scaled(const struct sweep *s, double *least)
{
    const struct sweep_axis *x = &s->axes[s->plot.x];
    bool scaled = s->plot.kind->numeric_x;
    for (size_t i = 0; i < x->count; i++) {
        scaled = scaled && x->values[i].is_number;
        *least = i == 0 || x->values[i].number < *least ? x->values[i].number : *least;
    }
    return scaled;
}

static bool add_log(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    static const char accepted[] = "x, y or xy";
    struct hv_where where = conf_where_value(&s->doc, node);
    const char *word = sweep_read_word(s, node, "log", accepted, err);
    double least = 1;
    if (word == NULL) {
        return false;
    }
    if (strcmp(word, "x") != 0 && strcmp(word, "y") != 0 && strcmp(word, "xy") != 0) {
        return hv_fail_at(err, &where, "log: \"%.80s\" is not %s", word, accepted);
    }
    s->plot.log_x |= word[0] == 'x';
    s->plot.log_y |= word[0] == 'y' || word[1] == 'y';
    if (s->plot.log_y && !s->plot.kind->numeric_x) {
        return hv_fail_at(err, &where, "log: plots of kind %s begin at 0, which no logarithmic axis has",
                          s->plot.kind->name);
    }
    if (s->plot.log_x && (!is_scaled(s, &least) || least <= 0)) {
        return hv_fail_at(err, &where, "log: x needs values that are numbers above 0, and a kind that draws them to "
                          "scale; %s are not", s->axes[s->plot.x].name);
    }
    return true;
}

static bool read_log(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    bool list = node != NULL && node->kind == CONF_LIST;
    for (size_t i = 0; node != NULL && i < (list ? node->count : 1); i++) {
        if (!add_log(s, list ? &node->children[i] : node, err)) {
            return false;
        }
    }
    return true;
}

/* --- Text --------------------------------------------------------------------------------------------------------- */

static bool read_text(const struct sweep *s, const struct conf_node *node, const char **text, struct hv_err *err)
{
    *text = node == NULL ? NULL : sweep_read_word(s, node, node->key, "a text", err);
    return node == NULL || *text != NULL;
}

static bool read_title(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    return read_text(s, node, &s->plot.title, err);
}

static bool read_x_label(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    return read_text(s, node, &s->plot.x_label, err);
}

static bool read_y_label(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    return read_text(s, node, &s->plot.y_label, err);
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

/* What the kind needs. */
static bool check_kind(const struct sweep *s, const struct hv_where *where, struct hv_err *err)
{
    const struct sweep_plot *p = &s->plot;
    if (p->y_count < p->kind->min_y || p->y_count > p->kind->max_y) {
        return hv_fail_at(err, where, "a plot of kind %s takes %s metrics as y", p->kind->name,
                          p->kind->max_y == 1 ? "one of the" : "two or more");
    }
    if (p->by_count > p->kind->max_by) {
        return hv_fail_at(err, where, "a plot of kind %s has room for x and one more axis", p->kind->name);
    }
    return p->kind->max_by > 1 || p->by_count == 1 ||
           hv_fail_at(err, where, "a plot of kind %s needs two axes", p->kind->name);
}

bool sweep_read_plot(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    struct hv_where where = node == NULL ? (struct hv_where){s->doc.file, 1, 1} : conf_where(&s->doc, node);
    if (node != NULL && node->kind != CONF_MAP) {
        return hv_fail_at(err, &where, "plot takes a map, such as {x: tlb.l2.entries, y: core.cpi}");
    }
    const char *known[HV_ARRAY_LEN(keys) + 1] = {NULL};
    for (size_t k = 0; k < HV_ARRAY_LEN(keys); k++) {
        known[k] = keys[k].name;
    }
    if (node != NULL && !sweep_check_keys(s, node, "plot", known, err)) {
        return false;
    }
    for (size_t k = 0; k < HV_ARRAY_LEN(keys); k++) {
        if (!keys[k].read(s, node == NULL ? NULL : conf_get(node, keys[k].name), err)) {
            return false;
        }
    }
    return check_kind(s, &where, err);
}
