/* SPDX-License-Identifier: MIT */
#include "vmm/size_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* The number of the first rule that ends at an address or behind it. */
static size_t first_from(const struct size_rules *rules, uint64_t address)
{
    size_t low = 0, high = rules->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rules->items[middle].last < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Puts `count` rules in the place of items [from, to). */
static void replace(struct size_rules *rules, size_t from, size_t to, const struct size_rule *with, size_t count)
{
    size_t behind = rules->count - to;
    if (from + count + behind > rules->capacity) {
        rules->capacity = 2 * (from + count + behind) + 16;
        rules->items = realloc(rules->items, rules->capacity * sizeof(*rules->items));
        HV_ASSERT(rules->items != NULL, "out of memory");
    }
    memmove(rules->items + from + count, rules->items + to, behind * sizeof(*rules->items));
    memcpy(rules->items + from, with, count * sizeof(*with));
    rules->count = from + count + behind;
}

void size_rules_set(struct size_rules *rules, const struct size_rule *rule)
{
    struct size_rule pieces[3];
    size_t count = 0, from = first_from(rules, rule->first), to = from;
    while (to < rules->count && rules->items[to].first <= rule->last) {
        to++;
    }
    if (to > from && rules->items[from].first < rule->first) {
        pieces[count] = rules->items[from];
        pieces[count++].last = rule->first - 1;
    }
    pieces[count++] = *rule;
    if (to > from && rules->items[to - 1].last > rule->last) {
        pieces[count] = rules->items[to - 1];
        pieces[count++].first = rule->last + 1;
    }
    replace(rules, from, to, pieces, count);
}

bool size_rules_find(const struct size_rules *rules, uint64_t address, struct size_rule *found)
{
    size_t i = first_from(rules, address);
    if (i < rules->count && rules->items[i].first <= address) {
        *found = rules->items[i];
        return true;
    }
    found->first = i > 0 ? rules->items[i - 1].last + 1 : 0;
    found->last = i < rules->count ? rules->items[i].first - 1 : UINT64_MAX;
    return false;
}

void size_rules_fini(struct size_rules *rules)
{
    free(rules->items);
    *rules = (struct size_rules){0};
}
