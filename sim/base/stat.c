/* SPDX-License-Identifier: MIT */
#include "base/stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void stats_init(struct stat_registry *registry)
{
    *registry = (struct stat_registry){ 0 };
}

void stats_fini(struct stat_registry *registry)
{
    free(registry->items);
    *registry = (struct stat_registry){ 0 };
}

/* Appends an item with this name, to be completed by the caller. */
static struct stat_item *append(struct stat_registry *registry, const char *prefix, const char *name)
{
    if (registry->count == registry->capacity) {
        registry->capacity = registry->capacity == 0 ? 64 : 2 * registry->capacity;
        registry->items = realloc(registry->items, registry->capacity * sizeof(*registry->items));
        HV_ASSERT(registry->items != NULL, "out of memory");
    }
    struct stat_item item = { .kind = STAT_COUNTER, .instances = 1 };
    int length = snprintf(item.name, sizeof(item.name), "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", name);
    HV_ASSERT((size_t)length < sizeof(item.name), "statistic name %s is too long", item.name);
    HV_ASSERT(stats_find(registry, item.name) < 0, "statistic %s is registered twice", item.name);
    registry->items[registry->count] = item;
    return &registry->items[registry->count++];
}

void stats_add(struct stat_registry *registry, const char *prefix, const struct stat_row *rows, size_t count,
               void *base)
{
    for (size_t i = 0; i < count; i++) {
        struct stat_item *item = append(registry, prefix, rows[i].name);
        item->unit = rows[i].unit;
        item->help = rows[i].help;
        item->counter = (uint64_t *)(void *)((char *)base + rows[i].offset);
    }
}

void stats_add_counter(struct stat_registry *registry, const char *name, const char *unit, const char *help,
                       uint64_t *counter)
{
    struct stat_item *item = append(registry, "", name);
    item->unit = unit;
    item->help = help;
    item->counter = counter;
}

void stats_add_sum(struct stat_registry *registry, const char *name, const char *unit, const char *help,
                   uint64_t *counter, const uint64_t *second)
{
    stats_add_counter(registry, name, unit, help, counter);
    registry->items[registry->count - 1].kind = STAT_SUM;
    registry->items[registry->count - 1].second = second;
}

void stats_add_value(struct stat_registry *registry, const char *name, const char *unit, const char *help,
                     uint64_t (*value)(const void *ctx, uint64_t arg), const void *ctx, uint64_t arg)
{
    struct stat_item *item = append(registry, "", name);
    item->kind = STAT_VALUE;
    item->unit = unit;
    item->help = help;
    item->value = value;
    item->ctx = ctx;
    item->arg = arg;
}

static size_t find_operand(const struct stat_registry *registry, const char *ratio, const char *operand)
{
    long index = stats_find(registry, operand);
    HV_ASSERT(index >= 0, "%s is a ratio of %s, which is not registered", ratio, operand);
    return (size_t)index;
}

void stats_add_ratio(struct stat_registry *registry, const char *name, const char *help, const char *numerator,
                     const char *denominator)
{
    size_t above = find_operand(registry, name, numerator), below = find_operand(registry, name, denominator);
    struct stat_item *item = append(registry, "", name);
    item->kind = STAT_RATIO;
    item->unit = "";
    item->help = help;
    item->numerator = above;
    item->denominator = below;
}

void stats_repeat(struct stat_registry *registry, size_t first, size_t instances, size_t stride)
{
    for (size_t i = first; i < registry->count; i++) {
        registry->items[i].instances = instances;
        registry->items[i].stride = stride;
    }
}

long stats_find(const struct stat_registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->count; i++) {
        if (strcmp(registry->items[i].name, name) == 0) {
            return (long)i;
        }
    }
    return -1;
}

static uint64_t *counter_at(const struct stat_item *item, size_t instance)
{
    return (uint64_t *)(void *)((char *)item->counter + instance * item->stride);
}

static const uint64_t *second_at(const struct stat_item *item, size_t instance)
{
    return (const uint64_t *)(const void *)((const char *)item->second + instance * item->stride);
}

static uint64_t value_at(const struct stat_item *item, size_t instance)
{
    switch (item->kind) {
    case STAT_COUNTER:
        return *counter_at(item, instance);
    case STAT_SUM:
        return *counter_at(item, instance) + *second_at(item, instance);
    case STAT_VALUE:
        return item->value((const char *)item->ctx + instance * item->stride, item->arg);
    case STAT_RATIO:
        break;
    }
    HV_ASSERT(false, "%s is a ratio, not a whole number", item->name);
}

static bool is_maximum(const char *name)
{
    size_t length = strlen(name);
    return length >= 4 && strcmp(name + length - 4, "_max") == 0;
}

uint64_t stats_whole(const struct stat_registry *registry, size_t i)
{
    const struct stat_item *item = &registry->items[i];
    uint64_t all = value_at(item, 0);
    for (size_t instance = 1; instance < item->instances; instance++) {
        uint64_t value = value_at(item, instance);
        all = !is_maximum(item->name) ? all + value : value > all ? value : all;
    }
    return all;
}

uint64_t stats_count(const struct stat_registry *registry, const char *name)
{
    long index = stats_find(registry, name);
    HV_ASSERT(index >= 0, "statistic %s is not registered", name);
    return stats_whole(registry, (size_t)index);
}

bool stats_visit_counters(const struct stat_registry *registry, size_t i,
                          void (*visit)(void *ctx, const uint64_t *counter), void *ctx)
{
    const struct stat_item *item = &registry->items[i];
    if ((item->kind != STAT_COUNTER && item->kind != STAT_SUM) || is_maximum(item->name)) {
        return false;
    }
    for (size_t instance = 0; instance < item->instances; instance++) {
        visit(ctx, counter_at(item, instance));
        if (item->kind == STAT_SUM) {
            visit(ctx, second_at(item, instance));
        }
    }
    return true;
}

/* The value of item i; wholes NULL: with the whole numbers of the present. */
static bool value_of(const struct stat_registry *registry, size_t i, const uint64_t *wholes, double *value)
{
    const struct stat_item *item = &registry->items[i];
    if (item->kind != STAT_RATIO) {
        *value = (double)(wholes != NULL ? wholes[i] : stats_whole(registry, i));
        return true;
    }
    /* An operand may itself be a ratio; it was registered earlier, so this ends. */
    double above, below;
    if (!value_of(registry, item->numerator, wholes, &above) ||
        !value_of(registry, item->denominator, wholes, &below) || below == 0) {
        return false;
    }
    *value = above / below;
    return true;
}

bool stats_value(const struct stat_registry *registry, size_t i, double *value)
{
    return value_of(registry, i, NULL, value);
}

bool stats_ratio_of(const struct stat_registry *registry, size_t i, const uint64_t *wholes, double *value)
{
    return value_of(registry, i, wholes, value);
}

void stats_reset(struct stat_registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        const struct stat_item *item = &registry->items[i];
        for (size_t instance = 0; item->kind == STAT_COUNTER && instance < item->instances; instance++) {
            *counter_at(item, instance) = 0;
        }
    }
}
