/* SPDX-License-Identifier: MIT */
#include "mmu/walkers.h"

#include <string.h>

void walkers_init(struct walkers *w, uint32_t count)
{
    w->count = count;
    walkers_reset(w);
}

void walkers_reset(struct walkers *w)
{
    w->all_free = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        w->walker[i].count = 1;
        w->walker[i].taken[0] = (struct walker_time){0, 0};
    }
}

/* How many of a walker's times begin at `now` or before. */
static uint32_t begun(const struct walker *w, hv_cycles now)
{
    uint32_t count = w->count;
    while (count > 0 && w->taken[count - 1].begin > now) {
        count--;
    }
    return count;
}

/* When a walker is free from `now` on; `until` is when it is taken again. */
static hv_cycles free_from(const struct walker *w, hv_cycles now, hv_cycles *until)
{
    uint32_t i = begun(w, now);
    *until = i < w->count ? w->taken[i].begin : UINT64_MAX;
    return i > 0 && w->taken[i - 1].end > now ? w->taken[i - 1].end : now;
}

hv_cycles walkers_begin_busy(const struct walkers *w, hv_cycles now, uint32_t *which)
{
    hv_cycles earliest = UINT64_MAX, longest = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        hv_cycles until, from = free_from(&w->walker[i], now, &until);
        /* Of two that are free at once, the one that stays so for longer. */
        if (from < earliest || (from == earliest && until > longest)) {
            earliest = from;
            longest = until;
            *which = i;
        }
    }
    return earliest;
}

static hv_cycles length(const struct walker_time *t)
{
    return t->end - t->begin;
}

/* Forgets the older half of a walker's times, for room. */
static void make_room(struct walker *w)
{
    uint32_t kept = WALKER_TIMES / 2;
    memmove(w->taken, w->taken + (w->count - kept), kept * sizeof(w->taken[0]));
    w->count = kept;
}

hv_cycles walker_take_between(struct walker *w, hv_cycles begin, hv_cycles end)
{
    if (w->count == WALKER_TIMES) {
        make_room(w);
    }
    uint32_t first = begun(w, begin), after = first;
    if (first == 0) {
        return end - begin; /* before all that it keeps */
    }
    hv_cycles before = 0;
    if (w->taken[first - 1].end == begin) { /* goes on where a walk has ended */
        first--;
        before = length(&w->taken[first]);
        begin = w->taken[first].begin;
    }
    for (; after < w->count && w->taken[after].begin <= end; after++) {
        before += length(&w->taken[after]);
        end += length(&w->taken[after]);
    }
    memmove(&w->taken[first + 1], &w->taken[after], (w->count - after) * sizeof(w->taken[0]));
    w->taken[first] = (struct walker_time){begin, end};
    w->count = w->count - (after - first) + 1;
    return end - begin - before;
}
