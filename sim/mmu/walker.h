/* SPDX-License-Identifier: MIT */
/*
 * What the general walker (walker.c) and its plain path (walker_plain.c) share. Private to sim/mmu.
 */
#ifndef HV_MMU_WALKER_H
#define HV_MMU_WALKER_H

#include "mmu/mmu.h"

#define LIKELY(x) __builtin_expect((x), 1)
#define UNLIKELY(x) __builtin_expect((x), 0)

/* A walk under way: the engine's state and what only its timed driver knows. */
struct timed_walk {
    struct walk *w;
    struct mmu *m;
    hv_cycles now;
    hv_cycles cycles[2];      /* by dimension */
    uint32_t refs[2];
    unsigned guest_floor;     /* guest tables at this level or above were not found by this walk's own reads */
    unsigned host_floor;      /* the same for the host walk under way */
    bool plain;               /* nothing between the walker and the data caches, and nobody watches */
    bool cacheless;           /* the second try of a walk: no page-walk cache of translations is asked */
    bool speculative;         /* a prefetch: ends where a flag would have to be set, and nobody is told */
    struct mmu_cell (*grid)[MMU_GRID]; /* where its references and cycles are counted */
};

/* Time passes in a cell: column 0 belongs to the guest dimension, the others to the host's. */
static inline void walker_charge(struct timed_walk *t, unsigned guest_step, unsigned host_level, hv_cycles cycles)
{
    t->grid[guest_step][host_level].cycles += cycles;
    t->cycles[host_level != 0 ? HV_HOST : HV_GUEST] += cycles;
    t->now += cycles;
}

/* Sets accessed and dirty flags: a locked read-modify-write of the entry just read. */
void walker_update_flags(struct timed_walk *t, hv_hpa address, unsigned guest_step, unsigned host_level);

/* --- walker_plain.c ------------------------------------------------------------------------------------------- */

/* How long the reference takes; most find their line in the first-level cache, where the last one found it. */
static inline hv_cycles walker_plain_read(struct mmu *m, uint64_t address, hv_cycles now)
{
    struct cache *cache = m->plain.cache;
    struct assoc *lines = &cache->lines;
    uint64_t line = address >> CACHE_LINE_SHIFT;
    uint32_t slot = *assoc_hint(lines, line);
    uint64_t tag = line << CACHE_TAG_SHIFT | CACHE_TAG_VALID | CACHE_TAG_DIRTY;
    if (UNLIKELY((lines->tags[slot] | CACHE_TAG_DIRTY) != tag || lines->clock == UINT32_MAX)) {
        return mem_walk_read(m->path, (hv_hpa){address}, now).done - now;
    }
    lines->state[slot] = ++lines->clock;
    cache->stats.walk_hits++;
    return cache->latency_cycles;
}

/* Makes the references of a run one by one: some of them miss. */
void walker_repeat_run(struct timed_walk *t, struct plain_run *run);

/* Makes the references of a run of a host walk, from the root on, of which all hit. */
static inline void walker_hit_host(struct timed_walk *t, unsigned step, const struct plain_run *run)
{
    struct mmu *m = t->m;
    hv_cycles latency = m->plain.cache->latency_cycles;
    unsigned level = m->env.host.levels;
    plain_run_hit(&m->plain, run);
    for (uint32_t i = 0; i < run->refs; i++, level--) {
        m->grid[step][level].refs++;
        m->grid[step][level].cycles += latency;
    }
    t->refs[HV_HOST] += run->refs;
    t->cycles[HV_HOST] += run->refs * latency;
    t->now += run->refs * latency;
}

/* Makes the references of a run of the upper guest levels, of which all hit. */
static inline void walker_hit_upper(struct timed_walk *t, const struct plain_run *run)
{
    struct mmu *m = t->m;
    hv_cycles latency = m->plain.cache->latency_cycles;
    plain_run_hit(&m->plain, run);
    uint64_t *restrict to = &m->grid[2][0].refs; /* rows 2 and up, flat: a few wide additions */
    const uint64_t *restrict from = &m->upper_cells[2][0].refs;
    for (unsigned i = 0; i < (MMU_GRID - 2) * sizeof(m->grid[0]) / sizeof(*to); i++) {
        to[i] += from[i];
    }
    t->refs[HV_HOST] = run->host_refs;
    t->refs[HV_GUEST] = run->refs - run->host_refs;
    t->cycles[HV_HOST] = t->refs[HV_HOST] * latency;
    t->cycles[HV_GUEST] = t->refs[HV_GUEST] * latency;
    t->now += run->refs * latency;
}

/*
 * Goes on from `need` as far as the plain path can: until the walk is done or faults, or something is needed that is
 * rare. Only when t->plain.
 */
enum walk_need walker_plain(struct timed_walk *t, enum walk_need need);

/* --- walker_same.c -------------------------------------------------------------------------------------------- */

/*
 * Makes a whole walk if it goes like one made before: then t->w has its result. False, with nothing done, if not. Only
 * when t->plain.
 */
bool walker_same(struct timed_walk *t, hv_gva gva, enum hv_access_kind access);

/*
 * The same in two steps, of which the first is not timed: the walk's result, and by which way it is to be timed; and
 * then all its references.
 */
bool walker_same_ahead(struct mmu *m, struct walk *w, hv_gva gva, enum hv_access_kind access, struct mmu_way *ahead);
void walker_same_time(struct timed_walk *t, const struct mmu_way *way);

/* A walk has been made by other means, and t->w has its result: remembers its form. Only when t->plain. */
void walker_same_note(struct timed_walk *t);

/*
 * A walk that nobody asked for: it counts as a prefetch and not as a walk, and !reply->ok means no more than that it
 * came to nothing (reply->walk.fault is not set).
 */
void walker_speculate(struct mmu *m, hv_gva gva, enum hv_access_kind access, hv_cycles now,
                      struct mmu_walk_reply *reply);

#endif
