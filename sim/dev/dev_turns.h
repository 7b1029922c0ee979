/* SPDX-License-Identifier: MIT */
/* Who has its turn next: a queue of small numbers, each of which is in it at most once. */
#ifndef HV_DEV_DEV_TURNS_H
#define HV_DEV_DEV_TURNS_H

#include <stdlib.h>

#include "base/err.h"
#include "base/types.h"

struct dev_turns {
    uint32_t capacity, first, count;
    uint32_t *items;
};

/* False: no memory. */
static inline bool dev_turns_init(struct dev_turns *t, uint32_t capacity)
{
    *t = (struct dev_turns){.capacity = capacity, .items = calloc(capacity, sizeof(uint32_t))};
    return t->items != NULL;
}

static inline void dev_turns_fini(struct dev_turns *t)
{
    free(t->items);
    *t = (struct dev_turns){0};
}

static inline void dev_turns_clear(struct dev_turns *t)
{
    t->first = t->count = 0;
}

static inline void dev_turns_push(struct dev_turns *t, uint32_t item)
{
    HV_ASSERT(t->count < t->capacity, "all %u wait for their turns, and another", t->count);
    uint32_t at = t->first + t->count++;
    t->items[at < t->capacity ? at : at - t->capacity] = item;
}

/* The next one, which stays; and the same, which goes. */
static inline uint32_t dev_turns_first(const struct dev_turns *t)
{
    HV_ASSERT(t->count > 0, "nobody waits for a turn");
    return t->items[t->first];
}

static inline uint32_t dev_turns_pop(struct dev_turns *t)
{
    uint32_t item = dev_turns_first(t);
    t->first = t->first + 1 < t->capacity ? t->first + 1 : 0;
    t->count--;
    return item;
}

#endif
