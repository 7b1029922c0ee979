/* SPDX-License-Identifier: MIT */
/*
 * The page walkers of a core and the times for which they are taken.
 *
 * A walk gets the walker that is free first, in the order in which walks are asked for. That is the order of the
 * program, not always that of time: a walk for an access that depends on a slow load is simulated with a start far in
 * the future, and the next one may come earlier. So a walker keeps its times: one that is taken from 5000 on is free
 * at 1000. In the order of time this is one queue served by all walkers.
 *
 * MODEL: a walk that begins before another one on its walker, simulated earlier, and does not end before it begins,
 * does not move that one; the overlap is made up by taking the walker for as much longer, so that whoever comes later
 * meets the same backlog. MODEL: a walker keeps its latest 16 to 32 times and counts as free before them.
 */
#ifndef HV_MMU_WALKERS_H
#define HV_MMU_WALKERS_H

#include "base/types.h"

enum { MMU_MAX_WALKERS = 16, WALKER_TIMES = 32 };

struct walker_time {
    hv_cycles begin, end;
};

/* The times in their order, apart from each other. The first is at least the empty one at the beginning of time. */
struct walker {
    uint32_t count;
    struct walker_time taken[WALKER_TIMES];
};

struct walkers {
    uint32_t count;
    hv_cycles all_free; /* no walker is taken from here on */
    struct walker walker[MMU_MAX_WALKERS];
};

void walkers_init(struct walkers *w, uint32_t count);
void walkers_reset(struct walkers *w);

/* The part of walkers_begin() for times at which some walker is or will be taken. */
hv_cycles walkers_begin_busy(const struct walkers *w, hv_cycles now, uint32_t *which);

/* When a walk that is asked for at `now` can begin, and on which walker. Changes nothing. */
static inline hv_cycles walkers_begin(const struct walkers *w, hv_cycles now, uint32_t *which)
{
    if (__builtin_expect(now >= w->all_free, 1)) {
        *which = 0;
        return now;
    }
    return walkers_begin_busy(w, now, which);
}

/* The part of walkers_take() that is not simply one more time behind all others. */
hv_cycles walker_take_between(struct walker *w, hv_cycles begin, hv_cycles end);

/*
 * Takes a walker from `begin`, a time that walkers_begin() gave, for a walk that ends at `end`. Returns by how much
 * the time for which it is taken has grown.
 */
static inline hv_cycles walkers_take(struct walkers *w, uint32_t which, hv_cycles begin, hv_cycles end)
{
    struct walker *walker = &w->walker[which];
    w->all_free = w->all_free > end ? w->all_free : end;
    if (__builtin_expect(begin > walker->taken[walker->count - 1].end && walker->count < WALKER_TIMES, 1)) {
        walker->taken[walker->count++] = (struct walker_time){begin, end};
        return end - begin;
    }
    hv_cycles grown = walker_take_between(walker, begin, end);
    hv_cycles last = walker->taken[walker->count - 1].end;
    w->all_free = w->all_free > last ? w->all_free : last;
    return grown;
}

#endif
