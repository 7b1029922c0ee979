/* SPDX-License-Identifier: MIT */
#include "machine/result_diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count + 1, bytes);
    HV_ASSERT(memory != NULL, "out of memory for %zu elements", count);
    return memory;
}

/* --- parameters -------------------------------------------------------------------------------------------------- */

/* 1 and 1.0 are the same number, whichever way it was written. */
static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b) && json_is_integer(a) != json_is_integer(b)) {
        return json_number_value(a) == json_number_value(b);
    }
    return json_equal(a, b);
}

static void compare_params(struct result_diff *d)
{
    const char *name;
    json_t *value;
    d->params = allocate(json_object_size(d->side[0]->config), sizeof(*d->params));
    json_object_foreach(d->side[0]->config, name, value) {
        const json_t *other = json_object_get(d->side[1]->config, name);
        if (other != NULL && print_matches(d->options.only, name)) {
            d->params_compared++;
            if (!same_value(value, other)) {
                d->params[d->param_count++] = (struct diff_param){name, {value, other}};
            }
        }
    }
}

/* --- statistics -------------------------------------------------------------------------------------------------- */

static struct diff_number number_of(const json_t *value)
{
    struct diff_number number = {.kind = DIFF_ABSENT};
    if (json_is_number(value)) {
        number.kind = json_is_integer(value) ? DIFF_WHOLE : DIFF_REAL;
        number.whole = json_integer_value(value);
        number.real = json_number_value(value);
    }
    return number;
}

/* Whole numbers stay exact beyond the 2^53 of a double. */
static struct diff_number subtract(const struct diff_number *b, const struct diff_number *a)
{
    struct diff_number change = {.kind = DIFF_ABSENT};
    if (a->kind != DIFF_ABSENT && b->kind != DIFF_ABSENT) {
        bool whole = a->kind == DIFF_WHOLE && b->kind == DIFF_WHOLE &&
                     !__builtin_sub_overflow(b->whole, a->whole, &change.whole);
        change.kind = whole ? DIFF_WHOLE : DIFF_REAL;
        change.real = whole ? (double)change.whole : b->real - a->real;
    }
    return change;
}

static void compare_stat(struct diff_stat *s)
{
    const struct diff_number *a = &s->value[0], *b = &s->value[1];
    s->change = subtract(b, a);
    s->percent = 0;
    if (s->change.kind == DIFF_ABSENT) {
        s->moved = a->kind != b->kind;
        s->percent = s->moved ? INFINITY : 0;
    } else {
        s->moved = s->change.kind == DIFF_WHOLE ? s->change.whole != 0 : s->change.real != 0;
        if (s->moved) {
            s->percent = s->change.real / fabs(a->real) * 100; /* from 0: infinite */
        }
    }
}

static bool is_shown(const struct result_diff *d, const struct diff_stat *s)
{
    return s->moved ? fabs(s->percent) >= d->options.threshold_percent : d->options.all;
}

/* The larger of the two numbers, by which those that moved infinitely far are ordered. */
static double magnitude(const struct diff_stat *s)
{
    return fmax(fabs(s->value[0].real), fabs(s->value[1].real));
}

static int descending(double a, double b)
{
    return (a < b) - (a > b);
}

static int by_distance(const void *left, const void *right)
{
    const struct diff_stat *a = left, *b = right;
    int order = descending(fabs(a->percent), fabs(b->percent));
    if (order == 0 && isinf(a->percent)) {
        order = descending(magnitude(a), magnitude(b));
    }
    return order != 0 ? order : strcmp(a->name, b->name);
}

static void compare_stats(struct result_diff *d)
{
    const char *name;
    json_t *value;
    d->stats = allocate(json_object_size(d->side[0]->stats), sizeof(*d->stats));
    json_object_foreach(d->side[0]->stats, name, value) {
        const json_t *other = json_object_get(d->side[1]->stats, name);
        if (other != NULL && print_matches(d->options.only, name)) {
            struct diff_stat *s = &d->stats[d->stat_count];
            *s = (struct diff_stat){.name = name, .value = {number_of(value), number_of(other)}};
            compare_stat(s);
            d->stats_compared++;
            d->stats_moved += s->moved;
            d->stat_count += is_shown(d, s);
        }
    }
    qsort(d->stats, d->stat_count, sizeof(*d->stats), by_distance);
}

/* --- what only one has ------------------------------------------------------------------------------------------- */

static void list_only(const struct result_diff *d, json_t *mine, const json_t *other, struct diff_only_list *list)
{
    const char *name;
    json_t *value;
    list->items = allocate(json_object_size(mine), sizeof(*list->items));
    json_object_foreach(mine, name, value) {
        if (json_object_get(other, name) == NULL && print_matches(d->options.only, name)) {
            list->items[list->count++] = (struct diff_only){name, value};
        }
    }
}

void result_diff_init(struct result_diff *d, const struct result_file *a, const struct result_file *b,
                      const struct diff_options *options)
{
    *d = (struct result_diff){.side = {a, b}, .options = *options};
    compare_params(d);
    compare_stats(d);
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        const struct result_file *mine = d->side[side], *other = d->side[1 - side];
        list_only(d, mine->config, other->config, &d->only_params[side]);
        list_only(d, mine->stats, other->stats, &d->only_stats[side]);
    }
}

void result_diff_fini(struct result_diff *d)
{
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        free(d->only_params[side].items);
        free(d->only_stats[side].items);
    }
    free(d->params);
    free(d->stats);
}

bool result_diff_versions_differ(const struct result_diff *d)
{
    return strcmp(d->side[0]->version, d->side[1]->version) != 0 ||
           strcmp(d->side[0]->commit, d->side[1]->commit) != 0;
}

size_t result_diff_compared(const struct result_diff *d)
{
    size_t count = d->params_compared + d->stats_compared;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        count += d->only_params[side].count + d->only_stats[side].count;
    }
    return count;
}

bool result_diff_is_empty(const struct result_diff *d)
{
    return d->param_count == 0 && d->stats_moved == 0 &&
           result_diff_compared(d) == d->params_compared + d->stats_compared && !result_diff_versions_differ(d) &&
           d->side[0]->complete && d->side[1]->complete;
}
