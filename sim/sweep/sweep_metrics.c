/* SPDX-License-Identifier: MIT */
/* The metrics of a sweep: statistics by name. */
#include <stdlib.h>
#include <string.h>

#include "sweep/sweep_read.h"

/* "core.cpi" of "core3.cpi": what a machine of several cores has for each of them. */
static void strip_core_number(const char *name, char stripped[STAT_NAME_BYTES])
{
    size_t digits = strncmp(name, "core", 4) == 0 ? strspn(name + 4, "0123456789") : 0;
    bool numbered = digits > 0 && name[4 + digits] == '.';
    snprintf(stripped, STAT_NAME_BYTES, "%s%s", numbered ? "core" : "", numbered ? name + 4 + digits : name);
}

static bool fail_metric(const struct stat_registry *known, const struct hv_where *where, const char *name,
                        struct hv_err *err)
{
    const char **names = calloc(known->count, sizeof(*names));
    HV_ASSERT(names != NULL, "out of memory");
    for (size_t i = 0; i < known->count; i++) {
        names[i] = known->items[i].name;
    }
    const char *nearest = nearest_name(name, names, known->count);
    if (nearest != NULL) {
        hv_fail_at(err, where, "unknown statistic \"%.80s\"; did you mean \"%s\"?", name, nearest);
    } else {
        hv_fail_at(err, where, "unknown statistic \"%.80s\"; see hvsim stats for the known ones", name);
    }
    free(names);
    return false;
}

static bool add_metric(struct sweep *s, const struct stat_registry *known, const struct conf_node *node,
                       struct hv_err *err)
{
    const char *name = sweep_read_word(s, node, "metrics", "a list of statistics", err);
    struct sweep_metric metric = {.name = name, .where = conf_where_value(&s->doc, node)};
    char stripped[STAT_NAME_BYTES];
    if (name == NULL) {
        return false;
    }
    for (size_t i = 0; i < s->metric_count; i++) {
        if (strcmp(s->metrics[i].name, name) == 0) {
            return hv_fail_at(err, &metric.where, "metrics has \"%s\" twice", name);
        }
    }
    strip_core_number(name, stripped);
    long found = stats_find(known, stripped);
    if (found < 0) {
        return fail_metric(known, &metric.where, name, err);
    }
    metric.unit = known->items[found].unit;
    metric.help = known->items[found].help;
    s->metrics[s->metric_count++] = metric;
    return true;
}

bool sweep_read_metrics(struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    struct hv_where where = node == NULL ? (struct hv_where){s->doc.file, 1, 1} : conf_where(&s->doc, node);
    size_t count = node != NULL && node->kind == CONF_LIST ? node->count : 1;
    if (node == NULL || count == 0) {
        return hv_fail_at(err, &where, "a sweep needs metrics: a list of statistics, such as [core.cpi]");
    }
    if (count > SWEEP_MAX_METRICS) {
        return hv_fail_at(err, &where, "metrics has more than %d statistics", SWEEP_MAX_METRICS);
    }
    struct stat_registry known;
    stats_init(&known);
    machine_register_stats(NULL, &known);
    s->metrics = arena_alloc(&s->memory, count * sizeof(*s->metrics));
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = add_metric(s, &known, node->kind == CONF_LIST ? &node->children[i] : node, err);
    }
    stats_fini(&known);
    return ok;
}

long sweep_find_metric(const struct sweep *s, const struct conf_node *node, struct hv_err *err)
{
    const char *name = sweep_read_word(s, node, "plot", "a metric", err);
    const char **names = calloc(s->metric_count, sizeof(*names));
    HV_ASSERT(names != NULL, "out of memory");
    long found = -1;
    for (size_t i = 0; name != NULL && i < s->metric_count; i++) {
        names[i] = s->metrics[i].name;
        found = strcmp(names[i], name) == 0 ? (long)i : found;
    }
    if (name != NULL && found < 0) {
        struct hv_where where = conf_where_value(&s->doc, node);
        const char *nearest = nearest_name(name, names, s->metric_count);
        hv_fail_at(err, &where, "\"%.80s\" is none of the metrics%s%s%s", name,
                   nearest != NULL ? "; did you mean \"" : ", which are what can be drawn", nearest != NULL ? nearest : "",
                   nearest != NULL ? "\"?" : "");
    }
    free(names);
    return found;
}
